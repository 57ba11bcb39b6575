/*
 * A third way to launch an item of linalg.cuh, between the two there: a block of 256 threads takes
 * a problem of at most N rows and columns with its scratch in shared memory. For items whose
 * matrices do not fit into 48 KiB once a warp has more than one problem. Devices that give a block
 * less shared memory than the type needs (sm_86, sm_89: 99 KiB) go on to the row below.
 *
 * And what functions of matrices share: products that keep several sums a thread in registers, and
 * the factor t.
 */
#pragma once

#include <string.h>

#include "kernels/elements.cuh"
#include "kernels/linalg_group.cuh"

namespace gm {
namespace linalg {

/* ---- a block with shared scratch ------------------------------------------------------------- */

template <class T, class Item, int N> struct block_shape {
    static constexpr size_t bytes = scratch_bytes<Item, T>(small_dims(N));
    struct shared {
        block_shared group;
        alignas(16) char scratch[bytes];
    };
};

template <class T, class Item, int N>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_shared(const GM_GRID_CONSTANT gm_linalg_args args) {
    using shared_memory = typename block_shape<T, Item, N>::shared;
    GM_SHARED(shared_memory, shared);
    const block_group g(&shared.group);
    const dims d = small_dims(N);
    arena memory = {shared.scratch, 0};
    const typename Item::template scratch<T> scratch(memory, d);
    for (int64_t problem = blockIdx.x; problem < args.problems; problem += gridDim.x) {
        finish(g, args, problem, Item::template run<T>(g, args, problem, scratch, d));
    }
}

template <class T, class Item, int N>
gm_status run_shared(gm_call *call, const gm_linalg_args &args) {
    constexpr size_t bytes = sizeof(typename block_shape<T, Item, N>::shared);
    if (bytes > SHARED_LIMIT) {
        const gm_status status =
            check_cuda(call,
                       cudaFuncSetAttribute(linalg_shared<T, Item, N>,
                                            cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(bytes)),
                       "shared memory of a kernel of linear algebra");
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    const unsigned grid =
        static_cast<unsigned>(args.problems < 0x100000 ? args.problems : 0x100000);
    GM_LAUNCH((linalg_shared<T, Item, N>), grid, static_cast<unsigned>(BLOCK_THREADS), bytes,
              stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

/* Whether this device gives a block what the item needs for args' type. */
template <class Item, int N> bool shared_holds(gm_call *call, const gm_linalg_args &args) {
    static constexpr size_t needed[] = {sizeof(typename block_shape<double, Item, N>::shared),
                                        sizeof(typename block_shape<float, Item, N>::shared),
                                        sizeof(typename block_shape<c128, Item, N>::shared),
                                        sizeof(typename block_shape<c64, Item, N>::shared)};
    int most = 0;
    (void)cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, call->device);
    return needed[type_index(args.dtype)] <= static_cast<size_t>(most);
}

/* Item::fits(args, N) says whether a problem's matrices fit into scratch for N. */
template <class Item, int N> bool item_fits(gm_call *, const gm_linalg_args &args) {
    return Item::fits(args, N);
}
template <class Item, int N> bool item_fits_shared(gm_call *call, const gm_linalg_args &args) {
    return Item::fits(args, N) && shared_holds<Item, N>(call, args);
}

/* Of an item whose matrices are all as large as a, which is square. */
struct square_item {
    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, 0);
    }
    static bool fits(const gm_linalg_args &args, int64_t n) {
        return args.in[0].rows <= n;
    }
};

template <class Item, int N> constexpr row fitting_lanes_row(const char *name) {
    row r = lanes_row<Item, N>(name);
    r.fits = item_fits<Item, N>;
    return r;
}
template <class Item, int N> constexpr row shared_row(const char *name) {
    return {name,
            item_fits_shared<Item, N>,
            {no_workspace, no_workspace, no_workspace, no_workspace},
            {run_shared<double, Item, N>, run_shared<float, Item, N>, run_shared<c128, Item, N>,
             run_shared<c64, Item, N>}};
}

/* ---- products -------------------------------------------------------------------------------- */

/* As product, `high` rows and `wide` columns a thread. */
template <int high, int wide, class Group, class A, class B, class F>
__device__ __forceinline__ void product_of(const Group &g, int m, int n, int k, const A &a,
                                           const B &b, F use) {
    using T = std::decay_t<decltype(a(0, 0))>;
    for (int j = g.team * wide; j < n; j += g.teams * wide) {
        for (int i = g.member; i < m; i += g.members * high) {
            T sum[high][wide];
            GM_UNROLL for (int r = 0; r < high; ++r) {
                GM_UNROLL for (int c = 0; c < wide; ++c) {
                    sum[r][c] = number_of<T>(0);
                }
            }
            for (int l = 0; l < k; ++l) {
                T right[wide];
                GM_UNROLL for (int c = 0; c < wide; ++c) {
                    right[c] = b(l, j + c < n ? j + c : j);
                }
                GM_UNROLL for (int r = 0; r < high; ++r) {
                    const int row = i + r * g.members;
                    const T left = a(row < m ? row : i, l);
                    GM_UNROLL for (int c = 0; c < wide; ++c) {
                        sum[r][c] += left * right[c];
                    }
                }
            }
            GM_UNROLL for (int r = 0; r < high; ++r) {
                GM_UNROLL for (int c = 0; c < wide; ++c) {
                    if (i + r * g.members < m && j + c < n) {
                        use(i + r * g.members, j + c, sum[r][c]);
                    }
                }
            }
        }
    }
    g.sync();
}

/*
 * use(i, j, sum_l a(i, l) b(l, j)) for the m n entries of a product, l ascending: what it writes
 * must be neither a nor b. In a block a thread keeps four columns, of long ones four rows too, so
 * that an entry that is read serves four sums; a lane has its own column.
 */
template <class Group, class A, class B, class F>
__device__ void product(const Group &g, int m, int n, int k, const A &a, const B &b, F use) {
    if constexpr (Group::members == 1) {
        product_of<1, 1>(g, m, n, k, a, b, use);
    } else if (m > Group::members) {
        product_of<4, 4>(g, m, n, k, a, b, use);
    } else {
        product_of<1, 4>(g, m, n, k, a, b, use);
    }
}

template <class T> __device__ __forceinline__ void exchange_tiles(tile<T> &a, tile<T> &b) {
    const tile<T> old = a;
    a = b;
    b = old;
}

/* ---- functions that are called -----------------------------------------------------------------
 * Inlined into every kernel that needs them several times they take minutes to compile. */

/* c = a b, n x n. */
template <class Group, class T>
GM_NOINLINE __device__ void multiply_square(const Group g, int n, const tile<T> a, const tile<T> b,
                                            const tile<T> c) {
    product(g, n, n, n, a, b, [&](int i, int j, T sum) { c(i, j) = sum; });
}

/* P A = L U in place; false: a pivot is 0. */
template <class Group, class T>
GM_NOINLINE __device__ bool factor_square(const Group g, int n, const tile<T> a, int *permutation) {
    return factor_lu(g, n, n, a, permutation).regular;
}

/* x := U^-1 L^-1 x, k columns. */
template <class Group, class T>
GM_NOINLINE __device__ void solve_factored(const Group g, int n, int k, const tile<T> lu,
                                           const tile<T> x) {
    substitute_lu(g, n, k, lu, x);
}

/* x = A^-1 from its factors. */
template <class Group, class T>
__device__ void invert_factored(const Group &g, int n, const tile<T> &lu, const int *permutation,
                                const tile<T> &x) {
    set(g, n, n, x, permuted_form<identity_form<T>>{{}, permutation});
    solve_factored(g, n, n, lu, x);
}

/* ---- the factor t ---------------------------------------------------------------------------- */

/* fraction 2^exponent. */
template <class R> struct split_number {
    R fraction;
    int32_t exponent;

    __device__ __forceinline__ R value() const {
        return ldexp(fraction, exponent);
    }
};

/* The arguments with t as kernels of their type read it: a kernel in single precision must not
 * touch a double, so it finds a split_number<float> in its place. */
inline gm_linalg_args with_own_t(const gm_linalg_args &args) {
    gm_linalg_args own = args;
    if (args.dtype == GM_F32 || args.dtype == GM_C64) {
        split_number<float> t;
        int exponent;
        t.fraction = static_cast<float>(frexp(args.t, &exponent));
        t.exponent = exponent;
        static_assert(sizeof t == sizeof own.t, "it takes the place of t");
        memcpy(&own.t, &t, sizeof t);
    }
    return own;
}

template <class R> __device__ __forceinline__ split_number<R> t_of(const gm_linalg_args &args) {
    split_number<R> t;
    if constexpr (sizeof(R) == 4) {
        memcpy(&t, &args.t, sizeof t);
    } else {
        int exponent;
        t.fraction = frexp(args.t, &exponent);
        t.exponent = exponent;
    }
    return t;
}

__device__ __forceinline__ float times_power_of_2(float x, int exponent) {
    return ldexp(x, exponent);
}
__device__ __forceinline__ double times_power_of_2(double x, int exponent) {
    return ldexp(x, exponent);
}
template <class R>
__device__ __forceinline__ complex<R> times_power_of_2(complex<R> x, int exponent) {
    return {ldexp(x.x, exponent), ldexp(x.y, exponent)};
}

/* Status from whether what was read, computed and stored is finite. */
template <class R> __device__ __forceinline__ outcome<R> stored(bool finite) {
    return finite ? outcome<R>{GM_STATUS_OK, true, 0, 0, 0} : failed<R>(GM_STATUS_NON_FINITE);
}

} // namespace linalg
} // namespace gm

/* The rows of an item of these. */
#define GM_LINALG_FITTING_ROWS(item, name)                                                         \
    {                                                                                              \
        linalg::fitting_lanes_row<item, 4>("linalg_" name "_4"),                                   \
            linalg::fitting_lanes_row<item, 8>("linalg_" name "_8"),                               \
            linalg::shared_row<item, 32>("linalg_" name "_32"),                                    \
            linalg::block_row<item>("linalg_" name "_block"),                                      \
    }

/* As GM_LINALG_DEFINE, for an operation with a factor t. */
#define GM_LINALG_DEFINE_WITH_T(name, rows)                                                        \
    size_t linalg_##name##_workspace(gm_call *call, const gm_linalg_args *args) {                  \
        return linalg::workspace_of(rows, call, *args);                                            \
    }                                                                                              \
    gm_status linalg_##name(gm_call *call, const gm_linalg_args *args) {                           \
        return linalg::run_row(rows, call, linalg::with_own_t(*args));                             \
    }
