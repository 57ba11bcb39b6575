/*
 * What the reduction and softmax kernels share: host/reduce_state.h under names that take the type,
 * and the passes over a chunk, by a warp along a row and by a block across 32 rows side by side.
 */
#pragma once

#include "host/reduce_state.h"
#include "kernels/elements.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace reduction {

constexpr int WARPS = 8; /* of a block: 256 threads */
constexpr int THREADS = 32 * WARPS;
constexpr int COLUMNS = 32; /* rows side by side that a block of the column kernels takes */

#define GM_REDUCE_MATH(real, suffix)                                                               \
    template <> struct math<real> {                                                                \
        using state = gm_reduce_state_##suffix;                                                    \
        using tree = gm_reduce_tree_##suffix;                                                      \
        static __device__ __forceinline__ real neutral(gm_reduce_pass pass) {                      \
            return gm_pass_neutral_##suffix(pass);                                                 \
        }                                                                                          \
        static __device__ __forceinline__ real join(gm_reduce_pass pass, real a, real b) {         \
            return gm_pass_join_##suffix(pass, a, b);                                              \
        }                                                                                          \
        static __device__ __forceinline__ real add(gm_reduce_pass pass, real sum, real x,          \
                                                   int32_t i, real p, real q) {                    \
            return gm_pass_add_##suffix(pass, sum, x, i, p, q);                                    \
        }                                                                                          \
        template <class Run>                                                                       \
        static __device__ __forceinline__ state chunk(gm_reduction reduction, const Run &run,      \
                                                      int64_t first, int32_t n, real q) {          \
            return gm_chunk_state_##suffix(reduction, run, first, n, q);                           \
        }                                                                                          \
        static __device__ __forceinline__ void push(gm_reduction reduction, tree *t, state s,      \
                                                    real q) {                                      \
            gm_tree_push_##suffix(reduction, t, s, q);                                             \
        }                                                                                          \
        static __device__ __forceinline__ state top(gm_reduction reduction, const tree *t,         \
                                                    real q) {                                      \
            return gm_tree_top_##suffix(reduction, t, q);                                          \
        }                                                                                          \
        static __device__ __forceinline__ real finish(gm_reduction reduction, state s, int64_t n,  \
                                                      int32_t unbiased) {                          \
            return gm_finish_##suffix(reduction, s, n, unbiased);                                  \
        }                                                                                          \
        static __device__ __forceinline__ real softmax(real x, real maximum, real q,               \
                                                       real inverse) {                             \
            return gm_softmax_value_##suffix(x, maximum, q, inverse);                              \
        }                                                                                          \
        static __device__ __forceinline__ real log_softmax(real x, real maximum, real q,           \
                                                           real log) {                             \
            return gm_log_softmax_value_##suffix(x, maximum, q, log);                              \
        }                                                                                          \
        static __device__ __forceinline__ real inverse(real x) {                                   \
            return gm_divide_##suffix(1, x);                                                       \
        }                                                                                          \
        static __device__ __forceinline__ real log(real x) {                                       \
            return gm_log_##suffix(x);                                                             \
        }                                                                                          \
    };
template <class real> struct math;
GM_REDUCE_MATH(float, f32)
GM_REDUCE_MATH(double, f64)
#undef GM_REDUCE_MATH

__device__ __forceinline__ float scale_of(const gm_reduce_args &args, float) {
    return args.scale_f32;
}
__device__ __forceinline__ double scale_of(const gm_reduce_args &args, double) {
    return args.scale;
}

/* Not inlined: its divisions would fill every unrolled loop of the passes. */
static __device__ GM_NOINLINE int64_t far_offset(const gm_layout *inner, int tensor, int64_t e) {
    return gm_layout_offset(inner, tensor, e);
}

/* Where element e of a row lies, from its first. A single axis, the common case, is a product. */
__device__ __forceinline__ int64_t inner_offset(const gm_layout &inner, int tensor, int64_t e) {
    return inner.axes <= 1 ? e * inner.stride[tensor][0] : far_offset(&inner, tensor, e);
}

/*
 * Four accumulators of each lane, numbers 4 lane ... 4 lane + 3 of 128, folded in halves: the first
 * two steps halve what a lane holds as well, so eight shuffles do what seven for each of the four
 * would. Every lane gets the result.
 */
template <class real>
__device__ __forceinline__ real fold_warp(gm_reduce_pass pass, const real *sums) {
    using m = math<real>;
    const unsigned lane = gm_lane();
    const bool upper = (lane & 16u) != 0, odd = (lane & 8u) != 0;
    const real kept0 = upper ? sums[2] : sums[0], sent0 = upper ? sums[0] : sums[2];
    const real kept1 = upper ? sums[3] : sums[1], sent1 = upper ? sums[1] : sums[3];
    const real half0 = m::join(pass, kept0, __shfl_xor_sync(GM_FULL_MASK, sent0, 16));
    const real half1 = m::join(pass, kept1, __shfl_xor_sync(GM_FULL_MASK, sent1, 16));
    const real kept = odd ? half1 : half0, sent = odd ? half0 : half1;
    real sum = m::join(pass, kept, __shfl_xor_sync(GM_FULL_MASK, sent, 8));
#pragma unroll
    for (int offset = 4; offset > 0; offset /= 2) {
        sum = m::join(pass, sum, __shfl_xor_sync(GM_FULL_MASK, sum, offset));
    }
    sum = m::join(pass, sum, __shfl_xor_sync(GM_FULL_MASK, sum, 16));
    return m::join(pass, sum, __shfl_xor_sync(GM_FULL_MASK, sum, 8));
}

/* A chunk of a row, passed over by a warp. */
template <class T> struct warp_chunk {
    using real = typename element<T>::real;
    const T *row; /* its first element */
    const gm_layout *inner;
    int64_t first; /* the chunk's first element */
    int32_t n;
    bool packed; /* the row lies in one piece, aligned for loads of four elements */

    __device__ __forceinline__ real operator()(gm_reduce_pass pass, real p, real q) const {
        using m = math<real>;
        const int lane = static_cast<int>(gm_lane());
        real sums[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            sums[j] = m::neutral(pass);
        }
        int base = 4 * lane;
        if (packed) {
#pragma unroll 2
            for (; base + 3 < n; base += GM_ACCUMULATORS) {
                const pack<T, 4> x = *reinterpret_cast<const pack<T, 4> *>(row + first + base);
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    sums[j] = m::add(pass, sums[j], load_real(x.value[j]), base + j, p, q);
                }
            }
        }
        for (; base < n; base += GM_ACCUMULATORS) {
            for (int j = 0; j < 4; ++j) {
                if (base + j < n) {
                    const T x = row[inner_offset(*inner, 0, first + base + j)];
                    sums[j] = m::add(pass, sums[j], load_real(x), base + j, p, q);
                }
            }
        }
        return fold_warp(pass, sums);
    }
};

/* Shared memory of a pass across columns: the accumulators on their way from thread to thread. */
template <class real> struct column_shared {
    real sums[WARPS][16][COLUMNS];
    real folded[16][COLUMNS];
};

/*
 * A chunk of 32 rows side by side, passed over by a block: a lane has its row, a warp the
 * accumulators 16 warp ... 16 warp + 15 of all of them. Every load is 32 elements next to each
 * other.
 */
template <class T> struct column_chunk {
    using real = typename element<T>::real;
    const T *row;
    const gm_layout *inner;
    int64_t first;
    int32_t n;
    column_shared<real> *shared;

    __device__ __forceinline__ real operator()(gm_reduce_pass pass, real p, real q) const {
        using m = math<real>;
        const int lane = static_cast<int>(gm_lane()), warp = static_cast<int>(gm_warp());
        real sums[16];
#pragma unroll
        for (int j = 0; j < 16; ++j) {
            sums[j] = m::neutral(pass);
        }
        for (int base = 16 * warp; base < n; base += GM_ACCUMULATORS) {
#pragma unroll
            for (int j = 0; j < 16; ++j) {
                if (base + j < n) {
                    const T x = row[inner_offset(*inner, 0, first + base + j)];
                    sums[j] = m::add(pass, sums[j], load_real(x), base + j, p, q);
                }
            }
        }
#pragma unroll
        for (int j = 0; j < 16; ++j) {
            shared->sums[warp][j][lane] = sums[j];
        }
        __syncthreads();
        for (int j = 2 * warp; j < 2 * warp + 2; ++j) { /* halves of 64, 32 and 16 */
            real s[WARPS];
            for (int w = 0; w < WARPS; ++w) {
                s[w] = shared->sums[w][j][lane];
            }
            for (int half = WARPS / 2; half > 0; half /= 2) {
                for (int w = 0; w < half; ++w) {
                    s[w] = m::join(pass, s[w], s[w + half]);
                }
            }
            shared->folded[j][lane] = s[0];
        }
        __syncthreads();
        for (int j = 0; j < 16; ++j) {
            sums[j] = shared->folded[j][lane];
        }
#pragma unroll
        for (int half = 8; half > 0; half /= 2) {
#pragma unroll
            for (int j = 0; j < half; ++j) {
                sums[j] = m::join(pass, sums[j], sums[j + half]);
            }
        }
        __syncthreads();
        return sums[0];
    }
};

__host__ __device__ __forceinline__ int64_t chunks_of(int64_t elements) {
    return (elements + GM_CHUNK - 1) / GM_CHUNK;
}

__device__ __forceinline__ int32_t chunk_length(int64_t elements, int64_t chunk) {
    const int64_t left = elements - chunk * GM_CHUNK;
    return left < GM_CHUNK ? static_cast<int32_t>(left) : static_cast<int32_t>(GM_CHUNK);
}

/* A row of one piece whose loads of four elements are aligned. */
template <class T>
__device__ __forceinline__ bool row_is_packed(const gm_layout &inner, const T *row) {
    return inner.axes == 1 && inner.stride[0][0] == 1 && is_packed<T, 4>(row);
}

/* Conditions of the tables. */
inline bool side_by_side(const gm_reduce_args &args) {
    return args.outer.axes > 0 && gm_layout_step(&args.outer, 0) == 1 &&
           gm_layout_step(&args.inner, 0) != 1 && args.inner.elements > 1 &&
           args.outer.shape[args.outer.axes - 1] >= COLUMNS / 2;
}

inline bool one_chunk(const gm_reduce_args &args) {
    return args.inner.elements <= GM_CHUNK;
}

inline bool always(const gm_reduce_args &) {
    return true;
}

/* A line of a table: what runs for the four types where the condition holds. */
struct way {
    const char *name;
    bool (*fits)(const gm_reduce_args &args);
    int rows; /* of a block */
    void (*launch[4])(gm_call *call, const gm_reduce_args &args, unsigned grid);
};
static_assert(GM_F64 == 0 && GM_F32 == 1 && GM_F16 == 2 && GM_BF16 == 3, "way::launch");

#define GM_EVERY_TYPE(run)                                                                         \
    { run<double>, run<float>, run<__half>, run<__nv_bfloat16> }

/* Runs the first line from the top whose condition holds; the last one's always does. */
inline gm_status run_first(const way *line, gm_call *call, const gm_reduce_args &args) {
    while (!line->fits(args)) {
        ++line;
    }
    call->kernel = line->name;
    unsigned grid;
    const gm_status status = grid_for(call, args.outer.elements, line->rows, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    line->launch[args.dtype](call, args, grid);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

} // namespace reduction
} // namespace gm
