/* The operations of gm_map and gm_combine on one element, in both precisions: what cpu and the
 * kernels share. */
#ifndef GENMATH_HOST_ELEMENTWISE_OP_H
#define GENMATH_HOST_ELEMENTWISE_OP_H

#include <genmath/detail/activation.h>

#include "host/elementwise_args.h"

#define GM_ELEMENT_OPERATIONS(real, suffix, zero, one)                                             \
    GM_INLINE real gm_map_##suffix(int32_t operation, real x) {                                    \
        switch (operation) {                                                                       \
        case GM_MAP_NEGATE:                                                                        \
            return -x;                                                                             \
        case GM_MAP_ABS:                                                                           \
            return gm_abs_##suffix(x);                                                             \
        case GM_MAP_SQUARE:                                                                        \
            return gm_multiply_##suffix(x, x);                                                     \
        case GM_MAP_SQRT:                                                                          \
            return gm_sqrt_##suffix(x);                                                            \
        case GM_MAP_RSQRT:                                                                         \
            return gm_divide_##suffix(one, gm_sqrt_##suffix(x));                                   \
        case GM_MAP_RECIPROCAL:                                                                    \
            return gm_divide_##suffix(one, x);                                                     \
        case GM_MAP_EXP:                                                                           \
            return gm_exp_##suffix(x);                                                             \
        case GM_MAP_LOG:                                                                           \
            return gm_log_##suffix(x);                                                             \
        case GM_MAP_TANH:                                                                          \
            return gm_tanh_##suffix(x);                                                            \
        case GM_MAP_SIGMOID:                                                                       \
            return gm_sigmoid_##suffix(x);                                                         \
        case GM_MAP_RELU:                                                                          \
            return gm_relu_##suffix(x);                                                            \
        case GM_MAP_SILU:                                                                          \
            return gm_silu_##suffix(x);                                                            \
        case GM_MAP_GELU:                                                                          \
            return gm_gelu_##suffix(x);                                                            \
        case GM_MAP_SIN:                                                                           \
            return gm_sin_##suffix(x);                                                             \
        case GM_MAP_COS:                                                                           \
            return gm_cos_##suffix(x);                                                             \
        default:                                                                                   \
            return x;                                                                              \
        }                                                                                          \
    }                                                                                              \
    GM_INLINE real gm_combine_##suffix(int32_t operation, real a, real b) {                        \
        switch (operation) {                                                                       \
        case GM_COMBINE_ADD:                                                                       \
            return a + b;                                                                          \
        case GM_COMBINE_SUBTRACT:                                                                  \
            return a - b;                                                                          \
        case GM_COMBINE_MULTIPLY:                                                                  \
            return gm_multiply_##suffix(a, b);                                                     \
        case GM_COMBINE_DIVIDE:                                                                    \
            return gm_divide_##suffix(a, b);                                                       \
        case GM_COMBINE_MINIMUM:                                                                   \
            return a < b || a != a ? a : b;                                                        \
        case GM_COMBINE_MAXIMUM:                                                                   \
            return a > b || a != a ? a : b;                                                        \
        default:                                                                                   \
            return gm_pow_##suffix(a, b);                                                          \
        }                                                                                          \
    }                                                                                              \
    /* alpha y + beta out; out is not looked at if beta is 0. */                                   \
    GM_INLINE real gm_scaled_##suffix(real y, real alpha, real beta, real out) {                   \
        return gm_fma_##suffix(alpha, y, beta == zero ? zero : gm_multiply_##suffix(beta, out));   \
    }
GM_ELEMENT_OPERATIONS(float, f32, 0.0f, 1.0f)
GM_ELEMENT_OPERATIONS(double, f64, 0.0, 1.0)
#undef GM_ELEMENT_OPERATIONS

#endif
