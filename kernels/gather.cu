/*
 * gm_gather: out[.., k, ..] = in[.., indices[k], ..]. gm_scatter_add: out[.., indices[k], ..] +=
 * in[.., k, ..], in the order of k.
 *
 * Parallelised:
 *   find_invalid  one block, where the caller asks for the first index out of range; the kernel
 *                 after it writes nothing if there is one.
 *   gather        a thread for each element of out, in an order in which neighbours are neighbours
 *                 in memory.
 *   scatter_add   block (256 of the other axes' elements, 64 positions): goes through all indices
 * in their order and adds those of its positions. No element of out is written by two threads, so
 * nothing is atomic and the order is fixed. Shared memory: find_invalid, a number for each warp;
 * scatter_add, 256 indices, 2 KiB, and for the halves the sums of a thread are read and written as
 * f32 only once each.
 *
 * Versions: (1) a thread for each element of out that goes through all indices; (2) 64 positions
 * for a block, so that the indices are read a 64th as often. Not yet timed on a GPU.
 */
#include "host/gather_args.h"
#include "kernels/elements.cuh"
#include "kernels/module.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace {

constexpr int THREADS = 256;
constexpr int POSITIONS = 64;

struct find_shared {
    int64_t least[THREADS / 32];
};

__global__ void __launch_bounds__(THREADS)
    find_invalid(const GM_GRID_CONSTANT gm_gather_args args) {
    GM_SHARED(find_shared, shared);
    int64_t least = args.count; /* none */
    for (int64_t k = threadIdx.x; k < args.count && least == args.count; k += THREADS) {
        least = gm_checked_index(&args, k) < 0 ? k : least;
    }
    least = gm_warp_min(static_cast<long long>(least));
    if (gm_lane() == 0) {
        shared.least[gm_warp()] = least;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < THREADS / 32; ++w) {
            least = shared.least[w] < least ? shared.least[w] : least;
        }
        *args.first_invalid = least < args.count ? least : -1;
    }
}

/* Element (k, e): e the other axes; the axis that steps by 1 in out is the faster one. */
template <class Bits>
__global__ void __launch_bounds__(THREADS)
    gather_kernel(const GM_GRID_CONSTANT gm_gather_args args) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const int64_t others = args.others.elements;
    if (i >= others * args.count || (args.first_invalid != nullptr && *args.first_invalid >= 0)) {
        return;
    }
    const bool axis_first = args.out_stride == 1;
    const int64_t k = axis_first ? i % args.count : i / others;
    const int64_t e = axis_first ? i / args.count : i % others;
    const int64_t index = gm_checked_index(&args, k);
    if (index >= 0) {
        static_cast<Bits *>(args.out)[gm_layout_offset(&args.others, 1, e) + k * args.out_stride] =
            static_cast<const Bits *>(
                args.in)[gm_layout_offset(&args.others, 0, e) + index * args.in_stride];
    }
}

struct scatter_shared {
    int64_t index[THREADS];
};

/* What a thread has added up stays in memory between its additions: f64 and f32. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    scatter_add_kernel(const GM_GRID_CONSTANT gm_gather_args args) {
    using real = typename element<T>::real;
    GM_SHARED(scatter_shared, shared);
    if (args.first_invalid != nullptr && *args.first_invalid >= 0) {
        return; /* the whole grid */
    }
    /* Halves take one position at a time, in a register; the others 64. */
    constexpr int64_t SPAN = sizeof(T) == 2 ? 1 : POSITIONS;
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const bool used = e < args.others.elements;
    const T *in =
        static_cast<const T *>(args.in) + (used ? gm_layout_offset(&args.others, 0, e) : 0);
    T *out = static_cast<T *>(args.out) + (used ? gm_layout_offset(&args.others, 1, e) : 0);
    for (int64_t first = blockIdx.y * SPAN; first < args.size; first += gridDim.y * SPAN) {
        real sum = 0;
        if (SPAN == 1 && used) {
            sum = load_real(out[first * args.out_stride]);
        }
        for (int64_t base = 0; base < args.count; base += THREADS) {
            const int64_t own = base + threadIdx.x;
            shared.index[threadIdx.x] = own < args.count ? gm_checked_index(&args, own) : -1;
            __syncthreads();
            for (int i = 0; i < THREADS; ++i) {
                const int64_t index = shared.index[i];
                if (used && index >= first && index < first + SPAN) {
                    const real x = load_real(in[(base + i) * args.in_stride]);
                    if (SPAN == 1) {
                        sum += x;
                    } else {
                        T *to = out + index * args.out_stride;
                        store_real(to, load_real(*to) + x);
                    }
                }
            }
            __syncthreads();
        }
        if (SPAN == 1 && used) {
            store_real(out + first * args.out_stride, sum);
        }
    }
}

gm_status check_first(gm_call *call, const gm_gather_args &args) {
    if (args.first_invalid == nullptr) {
        return GM_STATUS_OK;
    }
    GM_LAUNCH(find_invalid, 1, THREADS, sizeof(find_shared), stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), "find_invalid");
}

template <class Bits> gm_status launch_gather(gm_call *call, const gm_gather_args &args) {
    unsigned grid;
    const gm_status status = grid_for(call, args.others.elements * args.count, THREADS, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((gather_kernel<Bits>), grid, THREADS, 0, stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

template <class T> gm_status launch_scatter(gm_call *call, const gm_gather_args &args) {
    constexpr int64_t MOST = 65535; /* blocks in y; a block goes on to further positions */
    constexpr int64_t SPAN = sizeof(T) == 2 ? 1 : POSITIONS;
    const int64_t spans = (args.size + SPAN - 1) / SPAN;
    unsigned grid;
    const gm_status status = grid_for(call, args.others.elements, THREADS, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((scatter_add_kernel<T>),
              dim3(grid, static_cast<unsigned>(spans < MOST ? spans : MOST)), THREADS,
              sizeof(scatter_shared), stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

} // namespace

gm_status gather(gm_call *call, const gm_gather_args *args) {
    call->kernel = "gather";
    const gm_status status = check_first(call, *args);
    if (status != GM_STATUS_OK || args->others.elements == 0 || args->count == 0) {
        return status;
    }
    switch (args->dtype) {
    case GM_F64:
    case GM_I64:
    case GM_U64:
        return launch_gather<uint64_t>(call, *args);
    case GM_F32:
    case GM_I32:
    case GM_U32:
        return launch_gather<uint32_t>(call, *args);
    case GM_F16:
    case GM_BF16:
    case GM_I16:
    case GM_U16:
        return launch_gather<uint16_t>(call, *args);
    default:
        return launch_gather<uint8_t>(call, *args);
    }
}

gm_status scatter_add(gm_call *call, const gm_gather_args *args) {
    call->kernel = "scatter_add";
    const gm_status status = check_first(call, *args);
    if (status != GM_STATUS_OK || args->others.elements == 0 || args->count == 0 ||
        args->size == 0) {
        return status;
    }
    return args->dtype == GM_F64   ? launch_scatter<double>(call, *args)
           : args->dtype == GM_F32 ? launch_scatter<float>(call, *args)
           : args->dtype == GM_F16 ? launch_scatter<__half>(call, *args)
                                   : launch_scatter<__nv_bfloat16>(call, *args);
}

} // namespace gm
