/*
 * A tile by tensor cores, mma.sync: 8 warps, 2 down and 4 across, each with MS x NS accumulators of
 * 16 x 8 (double: 8 x 8) in registers. Both layouts of a stage are multiplied as they are, k or
 * rows innermost; for 16-bit elements ldmatrix transposes on the way where it must.
 *
 * Banks: the pad makes the pitch of a stage 16 bytes (double, and float with rows innermost: 32)
 * more than a multiple of 64, so that the 8 rows of 16 bytes that ldmatrix reads, and the 8 x 4
 * elements that a warp reads of a fragment of float or 4 x 4 of double, are in different banks. A
 * swizzle does the same without the pad; a fifth of the stages' memory is not what limits the
 * number of blocks on a multiprocessor, the registers are.
 */
#pragma once

#include "kernels/contract_tile.cuh"
#include "kernels/mma.cuh"

namespace gm {
namespace contract {

__device__ __forceinline__ int lane_group() {
    return static_cast<int>(threadIdx.x % 32 / 4);
}
__device__ __forceinline__ int lane_quad() {
    return static_cast<int>(threadIdx.x % 4);
}
__device__ __forceinline__ int warp_down() {
    return static_cast<int>(threadIdx.x / 128);
}
__device__ __forceinline__ int warp_across() {
    return static_cast<int>(threadIdx.x / 32 % 4);
}

/* The sums of a thread: fragments of FRAGMENT values, `mma_rows` x 8 of a warp. */
template <class real, int MS, int NS, int mma_rows> struct mma_sums {
    static constexpr int FRAGMENT = mma_rows / 4;
    real v[MS][NS][FRAGMENT];

    __device__ __forceinline__ void clear() {
        GM_UNROLL for (int i = 0; i < MS; ++i) {
            GM_UNROLL for (int j = 0; j < NS; ++j) {
                GM_UNROLL for (real &x : v[i][j]) {
                    x = 0;
                }
            }
        }
    }

    template <class F> __device__ __forceinline__ void each(F f) const {
        GM_UNROLL for (int i = 0; i < MS; ++i) {
            GM_UNROLL for (int j = 0; j < NS; ++j) {
                GM_UNROLL for (int r = 0; r < FRAGMENT; ++r) {
                    const int row = (warp_down() * MS + i) * mma_rows + lane_group() + r / 2 * 8;
                    const int column = (warp_across() * NS + j) * 8 + 2 * lane_quad() + r % 2;
                    f(row, column, v[i][j][r]);
                }
            }
        }
    }
};

/* ---- f16, bf16 --------------------------------------------------------------------------------
 */

__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[2], __half) {
    gm_mma_m16n8k16_f16(sum, a, b);
}
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[2], __nv_bfloat16) {
    gm_mma_m16n8k16_bf16(sum, a, b);
}

template <class arithmetic> struct mma_half {
    typedef arithmetic arith;
    typedef typename arith::element stored;
    static constexpr int MS = 4, NS = 4;
    static constexpr int ROWS = 2 * MS * 16, COLS = 4 * NS * 8, DEPTH = 32, STAGES = 3, BLOCKS = 2;
    static constexpr bool ANY_LAYOUT = true;
    static constexpr int PAD_K = 8, PAD_ROWS = 8;
    typedef mma_sums<float, MS, NS, 16> sums;

    static __device__ __forceinline__ void clear(sums &s) {
        s.clear();
    }
    template <class F> static __device__ __forceinline__ void each(const sums &s, F f) {
        s.each(f);
    }

    /* Rows row .. row + 15 of a, k .. k + 15. */
    template <class panel>
    static __device__ __forceinline__ void read_a(const stored *a, int row, int k,
                                                  unsigned (&x)[4]) {
        const int lane = static_cast<int>(threadIdx.x % 32);
        if constexpr (panel::K_INNER) {
            gm_ldmatrix_x4(x, a + panel::at(row + lane % 16, k + lane / 16 * 8));
        } else {
            gm_ldmatrix_x4_trans(
                x, a + panel::at(row + lane / 8 % 2 * 8, k + lane / 16 * 8 + lane % 8));
        }
    }

    /* Columns column .. column + 15 of b: two fragments, one after the other. */
    template <class panel>
    static __device__ __forceinline__ void read_b(const stored *b, int column, int k,
                                                  unsigned (&x)[4]) {
        const int lane = static_cast<int>(threadIdx.x % 32);
        if constexpr (panel::K_INNER) {
            gm_ldmatrix_x4(x,
                           b + panel::at(column + lane / 16 * 8 + lane % 8, k + lane / 8 % 2 * 8));
        } else {
            gm_ldmatrix_x4_trans(x, b + panel::at(column + lane / 16 * 8, k + lane % 16));
        }
    }

    template <class panel_a, class panel_b>
    static __device__ __forceinline__ void step(const stored *a, const stored *b, sums &s) {
        GM_UNROLL for (int k = 0; k < DEPTH; k += 16) {
            unsigned x[MS][4], y[NS / 2][4];
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                read_a<panel_a>(a, (warp_down() * MS + i) * 16, k, x[i]);
            }
            GM_UNROLL for (int j = 0; j < NS / 2; ++j) {
                read_b<panel_b>(b, (warp_across() * NS + 2 * j) * 8, k, y[j]);
            }
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                GM_UNROLL for (int j = 0; j < NS; ++j) {
                    const unsigned pair[2] = {y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]};
                    multiply(s.v[i][j], x[i], pair, stored{});
                }
            }
        }
    }
};

/* ---- f32 by tf32 ------------------------------------------------------------------------------
 */

/*
 * A float as the sum of two tf32, its 11 leading bits and the next. What would round to infinity is
 * cut off instead, both parts. Infinity is (1, infinity): each of the three products of two parts
 * is then infinite with the right sign, or finite, where (infinity, 0) would give infinity times 0.
 */
__device__ __forceinline__ void split_in_two(float x, unsigned &leading, unsigned &rest) {
    constexpr float first_to_overflow = 0x1.ffep127f;
    constexpr unsigned leading_bits = 0xffffe000u, sign = 0x80000000u, one = 0x3f800000u;
    constexpr unsigned quiet_nan = 0x7fc00000u;
    const unsigned bits = __float_as_uint(x);
    const bool far = !(gm_abs_f32(x) < first_to_overflow);
    leading = far ? bits & leading_bits : gm_tf32(x);
    const float left = x - __uint_as_float(leading);
    rest = far ? __float_as_uint(left) & leading_bits : gm_tf32(left);
    if (far && !(gm_abs_f32(x) < GM_INF_F32)) {
        leading = x != x ? quiet_nan : (bits & sign) | one;
        rest = x != x ? 0 : bits;
    }
}

/* Floats as one part, the nearest tf32, or as two. */
template <int count, int parts>
__device__ __forceinline__ void split(const float (&x)[count], unsigned (&bits)[parts][count]) {
    GM_UNROLL for (int i = 0; i < count; ++i) {
        if constexpr (parts > 1) {
            split_in_two(x[i], bits[0][i], bits[1][i]);
        } else {
            bits[0][i] = gm_tf32(x[i]);
        }
    }
}

/*
 * One product of the leading bits, or three: that of the two rests is below the last bit. The small
 * ones come first. With three, products over 2^138 may give NaN, as opposite infinities, and not
 * infinity.
 */
template <int products> struct mma_tf32 {
    typedef arith_f32 arith;
    typedef float stored;
    static constexpr int PARTS = products == 1 ? 1 : 2;
    static constexpr int MS = 4, NS = 4;
    static constexpr int ROWS = 2 * MS * 16, COLS = 4 * NS * 8, DEPTH = 16, STAGES = 3;
    static constexpr int BLOCKS = products == 1 ? 2 : 1;
    static constexpr bool ANY_LAYOUT = true;
    static constexpr int PAD_K = 4, PAD_ROWS = 8;
    typedef mma_sums<float, MS, NS, 16> sums;

    static __device__ __forceinline__ void clear(sums &s) {
        s.clear();
    }
    template <class F> static __device__ __forceinline__ void each(const sums &s, F f) {
        s.each(f);
    }

    template <class panel>
    static __device__ __forceinline__ void read_a(const float *a, int row, int k,
                                                  unsigned (&bits)[PARTS][4]) {
        float x[4];
        GM_UNROLL for (int r = 0; r < 4; ++r) {
            x[r] = a[panel::at(row + lane_group() + r % 2 * 8, k + lane_quad() + r / 2 * 4)];
        }
        split(x, bits);
    }

    template <class panel>
    static __device__ __forceinline__ void read_b(const float *b, int column, int k,
                                                  unsigned (&bits)[PARTS][2]) {
        float x[2];
        GM_UNROLL for (int r = 0; r < 2; ++r) {
            x[r] = b[panel::at(column + lane_group(), k + lane_quad() + r * 4)];
        }
        split(x, bits);
    }

    template <class panel_a, class panel_b>
    static __device__ __forceinline__ void step(const float *a, const float *b, sums &s) {
        GM_UNROLL for (int k = 0; k < DEPTH; k += 8) {
            unsigned x[MS][PARTS][4], y[NS][PARTS][2];
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                read_a<panel_a>(a, (warp_down() * MS + i) * 16, k, x[i]);
            }
            GM_UNROLL for (int j = 0; j < NS; ++j) {
                read_b<panel_b>(b, (warp_across() * NS + j) * 8, k, y[j]);
            }
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                GM_UNROLL for (int j = 0; j < NS; ++j) {
                    if constexpr (PARTS > 1) {
                        gm_mma_m16n8k8_tf32(s.v[i][j], x[i][1], y[j][0]);
                        gm_mma_m16n8k8_tf32(s.v[i][j], x[i][0], y[j][1]);
                    }
                    gm_mma_m16n8k8_tf32(s.v[i][j], x[i][0], y[j][0]);
                }
            }
        }
    }
};

/* ---- f64 --------------------------------------------------------------------------------------
 */

struct mma_f64 {
    typedef arith_f64 arith;
    typedef double stored;
    static constexpr int MS = 4, NS = 4;
    static constexpr int ROWS = 2 * MS * 8, COLS = 4 * NS * 8, DEPTH = 8, STAGES = 3, BLOCKS = 1;
    static constexpr bool ANY_LAYOUT = true;
    static constexpr int PAD_K = 4, PAD_ROWS = 4;
    typedef mma_sums<double, MS, NS, 8> sums;

    static __device__ __forceinline__ void clear(sums &s) {
        s.clear();
    }
    template <class F> static __device__ __forceinline__ void each(const sums &s, F f) {
        s.each(f);
    }

    template <class panel_a, class panel_b>
    static __device__ __forceinline__ void step(const double *a, const double *b, sums &s) {
        GM_UNROLL for (int k = 0; k < DEPTH; k += 4) {
            double x[MS], y[NS];
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                x[i] = a[panel_a::at((warp_down() * MS + i) * 8 + lane_group(), k + lane_quad())];
            }
            GM_UNROLL for (int j = 0; j < NS; ++j) {
                y[j] = b[panel_b::at((warp_across() * NS + j) * 8 + lane_group(), k + lane_quad())];
            }
            GM_UNROLL for (int i = 0; i < MS; ++i) {
                GM_UNROLL for (int j = 0; j < NS; ++j) {
                    gm_mma_m8n8k4_f64(s.v[i][j], x[i], y[j]);
                }
            }
        }
    }
};

} // namespace contract
} // namespace gm
