/*
 * Operations on every element: one operand (gm_map) or two (gm_combine). Types f64, f32, f16 and
 * bf16; the halves are computed in f32 and rounded once. GM_MAP_COPY takes every real dtype.
 *
 *     out = alpha f(in) + beta out        out = alpha (a op b) + beta out
 *
 * rounded once after f, and once more, by a fused multiply-add, where alpha is not 1 or beta not 0.
 * With beta = 0 `out` is not read. alpha and beta are rounded to the type computed in first.
 *
 * Common to both:
 *
 *     in, a, b  [in]   any strides, 0 and negative ones too; broadcast to the shape of out as NumPy
 *                      does: shapes aligned at the last axis, sizes of 1 and missing axes repeated
 *     out       [out]  any strides, no two elements in the same memory. It may be an operand itself
 *                      (the identical view), else it must not overlap one.
 *
 * Errors: INVALID_ARGUMENT (a null argument, an unknown operation, a dtype not named, overlapping
 * memory, alpha or beta not finite), SHAPE_MISMATCH (an operand does not broadcast to out),
 * UNSUPPORTED. On an error nothing is written. Nothing is allocated.
 *
 * Determinism: an element depends on its operands alone, and has the same bits on cpu with every
 * instruction set, emu and cuda; ref computes in double and rounds at the end. Cost: every element
 * is read once and written once.
 */
#ifndef GENMATH_ELEMENTWISE_H
#define GENMATH_ELEMENTWISE_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Elementary functions are those of math.h, with the errors stated there. */
typedef enum gm_map_operation {
    GM_MAP_COPY,
    GM_MAP_NEGATE,
    GM_MAP_ABS,
    GM_MAP_SQUARE,
    GM_MAP_SQRT,
    GM_MAP_RSQRT, /* 1 / sqrt(x): two roundings */
    GM_MAP_RECIPROCAL,
    GM_MAP_EXP,
    GM_MAP_LOG,
    GM_MAP_TANH,
    GM_MAP_SIGMOID, /* 1 / (1 + exp(-x)) */
    GM_MAP_RELU,    /* max(x, 0) */
    GM_MAP_SILU,    /* x sigmoid(x) */
    /* x/2 (1 + tanh(z)), z = sqrt(2/pi) (x + 0.044715 x^3), as x sigmoid(2 z): 4 + 3 |2 z| ulp where
     * z < 0, where a change of z by an ulp changes it by as much */
    GM_MAP_GELU,
    GM_MAP_SIN,
    GM_MAP_COS,
    GM_MAP_COUNT
} gm_map_operation;

typedef enum gm_combine_operation {
    GM_COMBINE_ADD,
    GM_COMBINE_SUBTRACT,
    GM_COMBINE_MULTIPLY,
    GM_COMBINE_DIVIDE,
    GM_COMBINE_MINIMUM, /* NaN if either is */
    GM_COMBINE_MAXIMUM, /* NaN if either is */
    GM_COMBINE_POWER,   /* a^b */
    GM_COMBINE_COUNT
} gm_combine_operation;

/*
 * Every operation but COPY: in and out of one floating dtype.
 *
 * COPY: any two of the real dtypes, which makes it the cast and the copy between layouts (a
 * transposition, for one). Between equal dtypes the bits are copied. To a floating dtype the value
 * is rounded to nearest even, to a half by way of f32. From a floating to an integer dtype it is
 * truncated toward zero, limited to the range, and 0 for a NaN. Between integers it is taken modulo
 * 2^bits. To bool: 0 for zero, else 1. alpha and beta other than 1 and 0: in and out of one
 * floating dtype.
 */
gm_status gm_map(gm_context *context, gm_map_operation operation, double alpha, const gm_tensor *in,
                 double beta, const gm_tensor *out);

/* a, b and out of one floating dtype. */
gm_status gm_combine(gm_context *context, gm_combine_operation operation, double alpha,
                     const gm_tensor *a, const gm_tensor *b, double beta, const gm_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
