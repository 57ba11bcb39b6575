/*
 * Rows for singular values and eigenvalues of more than 128 rows and columns: the decomposition by
 * a vendor library (vendor.h), one problem after another; a block for each problem
 * loads it before, scaled and column-major, and concludes it afterwards as the kernels do that
 * decompose for themselves. A few problems are in the workspace at once.
 *
 * A problem with an entry that is not finite is decomposed as an identity, and its results are not
 * used. A problem's bits are its own, as the library is called for it alone. Where the library is
 * missing the row does not fit and the block kernel runs. Not yet timed on a GPU.
 */
#pragma once

#include "kernels/linalg_spectral.cuh"
#include "kernels/vendor.h"

namespace gm {
namespace linalg {

constexpr int SPECTRAL_VENDOR_ABOVE = 128; /* rows and columns */
constexpr int64_t SPECTRAL_SLOTS = 16;     /* problems in the workspace, at most */

/* A problem's part of the workspace. input: what the library uses up; v itself for a Hermitian, h
 * for any eigenvalues. */
template <class T, class Item> struct spectral_slot {
    typename Item::template scratch<T> s;
    tile<T> input;
    loaded<real_type<T>> *state;
    int32_t *info;

    __host__ __device__ spectral_slot(arena &memory, const dims &d)
        : s(memory, d), input(), state(nullptr), info(nullptr) {
        if constexpr (Item::kind == VENDOR_SINGULAR) {
            const int m = d.m > d.n ? d.m : d.n, n = d.m < d.n ? d.m : d.n;
            input = memory.template take_tile<T>(d, m, n);
        } else if constexpr (Item::kind == VENDOR_HERMITIAN) {
            input = s.v;
        } else {
            input = s.h;
        }
        state = memory.template take<loaded<real_type<T>>>(1);
        info = memory.template take<int32_t>(1);
    }
};

template <class T, class Item>
__host__ __device__ spectral_slot<T, Item> slot_at(const gm_linalg_args &args, const dims &d,
                                                   size_t bytes, int64_t slot) {
    arena memory = {static_cast<char *>(args.workspace) + static_cast<size_t>(slot) * bytes, 0};
    return spectral_slot<T, Item>(memory, d);
}

template <class T, class Item>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    spectral_begin(const GM_GRID_CONSTANT gm_linalg_args args, const dims d, size_t bytes,
                   int64_t first) {
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    const spectral_slot<T, Item> slot = slot_at<T, Item>(args, d, bytes, blockIdx.x);
    const int m = d.m > d.n ? d.m : d.n, n = d.m < d.n ? d.m : d.n;
    const loaded<real_type<T>> a = load_scaled(
        g, Item::template entries<T>(args, first + blockIdx.x), m, n, Item::step, slot.input);
    if (!a.finite) {
        set_identity(g, m, n, slot.input);
    }
    if (g.rank == 0) {
        *slot.state = a;
        *slot.info = 0;
    }
}

template <class T, class Item>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    spectral_end(const GM_GRID_CONSTANT gm_linalg_args args, const dims d, size_t bytes,
                 int64_t first) {
    using R = real_type<T>;
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    const spectral_slot<T, Item> slot = slot_at<T, Item>(args, d, bytes, blockIdx.x);
    const int n = d.m < d.n ? d.m : d.n;
    if constexpr (Item::kind != VENDOR_GENERAL) {
        for (int i = g.rank; i < n; i += g.size) {
            slot.s.order[i] = i;
        }
    }
    if constexpr (Item::kind == VENDOR_SINGULAR) { /* of v there is the adjoint */
        for (int e = g.rank; e < n * n; e += g.size) {
            const int i = e % n, j = e / n;
            if (i >= j) {
                const T lower = slot.s.v(i, j), upper = slot.s.v(j, i);
                slot.s.v(i, j) = conjugate(upper);
                slot.s.v(j, i) = conjugate(lower);
            }
        }
    }
    g.sync();
    const int64_t problem = first + blockIdx.x;
    const bool converged = *slot.info == 0;
    finish(g, args, problem,
           !slot.state->finite ? failed<R>(GM_STATUS_NON_FINITE)
           : !converged        ? failed<R>(GM_STATUS_NOT_CONVERGED)
                               : Item::template conclude<T>(g, args, problem, slot.s, *slot.state));
}

/* The launches of a call; the sizes of its workspace. */
template <class T, class Item> class spectral_calls {
  public:
    spectral_calls(gm_call *call, const gm_linalg_args &args)
        : call_(call), args_(args), d_(Item::sizes(args)) {
        arena counting = {nullptr, 0};
        const spectral_slot<T, Item> taken(counting, d_);
        bytes_ = (counting.used + 63) / 64 * 64;
        const int64_t most = static_cast<int64_t>((size_t{256} << 20) / bytes_);
        slots_ = most < 1 ? 1 : most < SPECTRAL_SLOTS ? most : SPECTRAL_SLOTS;
        const vendor_spectrum s = spectrum_of(taken);
        status_ = vendor_spectrum_work(call, &s, &work_elements_);
    }

    size_t workspace() const {
        return bytes_ * static_cast<size_t>(slots_) +
               static_cast<size_t>(work_elements_) * sizeof(T) + 64;
    }

    gm_status run() {
        for (int64_t first = 0; first < args_.problems; first += slots_) {
            const int64_t left = args_.problems - first, count = left < slots_ ? left : slots_;
            const unsigned grid = static_cast<unsigned>(count);
            GM_LAUNCH((spectral_begin<T, Item>), grid, static_cast<unsigned>(BLOCK_THREADS),
                      sizeof(block_shared), stream_of(call_), args_, d_, bytes_, first);
            check(check_cuda(call_, cudaGetLastError(), call_->kernel));
            for (int64_t i = 0; i < count && status_ == GM_STATUS_OK; ++i) {
                const vendor_spectrum s = spectrum_of(slot_at<T, Item>(args_, d_, bytes_, i));
                check(vendor_spectrum_run(call_, &s));
            }
            if (status_ != GM_STATUS_OK) {
                return status_;
            }
            GM_LAUNCH((spectral_end<T, Item>), grid, static_cast<unsigned>(BLOCK_THREADS),
                      sizeof(block_shared), stream_of(call_), args_, d_, bytes_, first);
            check(check_cuda(call_, cudaGetLastError(), call_->kernel));
        }
        return status_;
    }

  private:
    void check(gm_status status) {
        status_ = status_ == GM_STATUS_OK ? status : status_;
    }

    vendor_spectrum spectrum_of(const spectral_slot<T, Item> &slot) const {
        const int m = d_.m > d_.n ? d_.m : d_.n, n = d_.m < d_.n ? d_.m : d_.n;
        vendor_spectrum s = {};
        s.kind = Item::kind;
        s.dtype = args_.dtype;
        s.m = m;
        s.n = n;
        s.columns = !Item::wants_vectors(args_) ? 0 : Item::kind == VENDOR_SINGULAR ? d_.k : n;
        s.a = slot.input.data;
        s.lda = slot.input.ld;
        s.info = slot.info;
        if constexpr (Item::kind == VENDOR_SINGULAR) {
            s.w = slot.s.values;
            s.u = slot.s.w.data;
            s.ldu = slot.s.w.ld;
            s.vh = slot.s.v.data;
            s.ldvh = slot.s.v.ld;
        } else {
            s.w = slot.s.w;
        }
        if constexpr (Item::kind == VENDOR_GENERAL) {
            s.dtype = sizeof(real_type<T>) == 8 ? GM_C128 : GM_C64;
            s.u = slot.s.z.data;
            s.ldu = slot.s.z.ld;
        }
        if (args_.workspace != nullptr) {
            s.work = static_cast<char *>(args_.workspace) + bytes_ * static_cast<size_t>(slots_);
        }
        s.work_elements = work_elements_;
        return s;
    }

    gm_call *call_;
    const gm_linalg_args &args_;
    dims d_;
    size_t bytes_;
    int64_t slots_;
    int work_elements_ = 0;
    gm_status status_;
};

template <class Item> bool spectral_vendor_fits(gm_call *call, const gm_linalg_args &args) {
    return args.in[0].rows > SPECTRAL_VENDOR_ABOVE && args.in[0].columns > SPECTRAL_VENDOR_ABOVE &&
           vendor_open(call) == GM_STATUS_OK && vendor_has(Item::kind);
}

template <class T, class Item>
size_t spectral_workspace(gm_call *call, const gm_linalg_args &args) {
    return spectral_calls<T, Item>(call, args).workspace();
}
template <class T, class Item> gm_status spectral_run(gm_call *call, const gm_linalg_args &args) {
    return spectral_calls<T, Item>(call, args).run();
}

template <class Item> constexpr row spectral_vendor_row(const char *name) {
    return {name,
            spectral_vendor_fits<Item>,
            {spectral_workspace<double, Item>, spectral_workspace<float, Item>,
             spectral_workspace<c128, Item>, spectral_workspace<c64, Item>},
            {spectral_run<double, Item>, spectral_run<float, Item>, spectral_run<c128, Item>,
             spectral_run<c64, Item>}};
}

} // namespace linalg
} // namespace gm

/* The rows of an item of these. */
#define GM_LINALG_SPECTRAL_ROWS(item, name)                                                        \
    {                                                                                              \
        linalg::lanes_row<item, 8>("linalg_" name "_8"),                                           \
            linalg::lanes_row<item, 16>("linalg_" name "_16"),                                     \
            linalg::lanes_row<item, 32>("linalg_" name "_32"),                                     \
            linalg::spectral_vendor_row<item>("linalg_" name "_vendor"),                           \
            linalg::block_row<item>("linalg_" name "_block"),                                      \
    }
