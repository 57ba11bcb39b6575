/*
 * A tile without tensor cores: 16 x 16 threads, each with TM x TN sums in registers. In shared
 * memory rows lie innermost, so that a thread reads its TM + TN operands of a k as 16-byte vectors;
 * the vectors of a thread are 16 threads apart, and a warp is 8 threads across and 4 down: it reads
 * 4 different vectors of a and 8 of b, one pass through the banks each.
 *
 * The sums of an element are added in ascending k, one fused operation each.
 */
#pragma once

#include "kernels/contract_launch.cuh"

namespace gm {
namespace contract {

template <class arithmetic, int TM, int TN, int stages, int blocks> struct simt {
    typedef arithmetic arith;
    typedef typename std::conditional<std::is_same<arith, arith_i8>::value, int32_t,
                                      typename arith::element>::type stored;
    typedef pack16<stored> vector;
    static constexpr int ROWS = 16 * TM, COLS = 16 * TN, DEPTH = 8;
    static constexpr int STAGES = stages, BLOCKS = blocks;
    static constexpr bool ANY_LAYOUT = false;
    static constexpr int PAD_K = 0, PAD_ROWS = vector::count;
    static constexpr int APART =
        16 * vector::count; /* rows from one vector of a thread to its next */
    static_assert(TM % vector::count == 0 && TN % vector::count == 0, "whole vectors");

    struct sums {
        typename arith::sum v[TM][TN];
    };

    static __device__ __forceinline__ void clear(sums &s) {
        GM_UNROLL for (int i = 0; i < TM; ++i) {
            GM_UNROLL for (int j = 0; j < TN; ++j) {
                s.v[i][j] = arith::zero();
            }
        }
    }

    static __device__ __forceinline__ int thread_row() {
        return static_cast<int>(threadIdx.x % 32 / 8 + threadIdx.x / 64 * 4);
    }
    static __device__ __forceinline__ int thread_column() {
        return static_cast<int>(threadIdx.x % 8 + threadIdx.x / 32 % 2 * 8);
    }

    /* Operands i of a thread of a k: those of its vectors, one after the other. */
    template <int count>
    static __device__ __forceinline__ void read(const stored *line, int thread,
                                                stored (&x)[count]) {
        GM_UNROLL for (int i = 0; i < count / vector::count; ++i) {
            const vector v =
                *reinterpret_cast<const vector *>(line + thread * vector::count + i * APART);
            GM_UNROLL for (int c = 0; c < vector::count; ++c) {
                x[i * vector::count + c] = v.v[c];
            }
        }
    }

    static __device__ __forceinline__ int place(int thread, int i) {
        return i / vector::count * APART + thread * vector::count + i % vector::count;
    }

    template <class panel_a, class panel_b>
    static __device__ __forceinline__ void step(const stored *a, const stored *b, sums &s) {
        GM_UNROLL for (int k = 0; k < DEPTH; ++k) {
            stored x[TM], y[TN];
            read(a + panel_a::at(0, k), thread_row(), x);
            read(b + panel_b::at(0, k), thread_column(), y);
            GM_UNROLL for (int i = 0; i < TM; ++i) {
                GM_UNROLL for (int j = 0; j < TN; ++j) {
                    arith::multiply_add(s.v[i][j], x[i], y[j]);
                }
            }
        }
    }

    template <class F> static __device__ __forceinline__ void each(const sums &s, F f) {
        GM_UNROLL for (int i = 0; i < TM; ++i) {
            GM_UNROLL for (int j = 0; j < TN; ++j) {
                f(place(thread_row(), i), place(thread_column(), j), s.v[i][j]);
            }
        }
    }
};

template <class arith> struct simt_policy { typedef simt<arith, 4, 4, 3, 2> type; };
template <> struct simt_policy<arith_f32> { typedef simt<arith_f32, 8, 8, 4, 2> type; };
template <> struct simt_policy<arith_f64> { typedef simt<arith_f64, 8, 4, 3, 1> type; };
template <> struct simt_policy<arith_compensated_f32> {
    typedef simt<arith_compensated_f32, 8, 4, 3, 1> type;
};
template <> struct simt_policy<arith_c128> { typedef simt<arith_c128, 4, 4, 2, 1> type; };

/* The table of contract_simt.cu. f(type_tag<policy>()); f16 and bf16 have the tensor cores. */
template <class F> auto with_simt_policy(const gm_contraction &c, F f) {
    return with_arithmetic(c, [&](auto tag) {
        typedef typename decltype(tag)::type arith;
        if constexpr (sizeof(typename arith::element) == 2) {
            return f(type_tag<typename simt_policy<arith_f32>::type>());
        } else {
            return f(type_tag<typename simt_policy<arith>::type>());
        }
    });
}

} // namespace contract
} // namespace gm
