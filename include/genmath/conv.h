/*
 * Convolution in one to three dimensions, and both of its gradients.
 *
 *     y[n, g O + o, i] = sum_c sum_k w[g O + o, c, k] x[n, g C + c, i s + k d - p]
 *
 * with x zero outside its bounds, s the stride, d the dilation, p the padding in front, i and k one
 * index a dimension. This is the cross-correlation that nets call convolution; `flip` reverses w in
 * every dimension and makes it the convolution of analysis.
 *
 *     x (N, G C, X...)    w (G O, C, K...)    y (N, G O, Y...)
 *     Y = floor((X + pad_before + pad_after - d (K - 1) - 1) / s) + 1 >= 1
 *
 * The gradients are the adjoint maps of the same bilinear form, so <y, conv(x, w)> = <x, data(y,
 * w)> = <w, weights(x, y)>; data is also known as the transposed convolution.
 */
#ifndef GENMATH_CONV_H
#define GENMATH_CONV_H

#include <genmath/contract.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_CONV_MAX_DIMS 3

typedef enum gm_conv_operation {
    GM_CONV_FORWARD, /* y from x and w */
    GM_CONV_DATA,    /* x from y and w: the transposed convolution */
    GM_CONV_WEIGHTS  /* w from x and y */
} gm_conv_operation;

/*
 * How the map is computed. The sum itself, as one contraction, is exact where its terms and sums
 * are. Transforms multiply spectra instead: the work no longer grows with the taps, but an element
 * is off by up to about 4 eps (1 + log2 L) |a| |b|, L the product of the transforms' lengths and
 * |a|, |b| the 2-norms of what the two operands have of its sums' sample, group and channels: small
 * results next to large ones keep fewer digits, integers are no longer exact, and an infinite or
 * NaN element spoils its whole sample and channels.
 */
typedef enum gm_conv_algorithm {
    GM_CONV_AUTO,        /* transforms where fewer operations make up for their lower rate */
    GM_CONV_CONTRACTION, /* the sum */
    GM_CONV_FFT          /* f64, f32, c128, c64, standard math; an empty problem is contracted */
} gm_conv_algorithm;

/* Zero is the default of every field; entry i is of dimension i of X. */
typedef struct gm_conv_options {
    int64_t stride[GM_CONV_MAX_DIMS];   /* 0: 1 */
    int64_t dilation[GM_CONV_MAX_DIMS]; /* 0: 1 */
    int64_t pad_before[GM_CONV_MAX_DIMS], pad_after[GM_CONV_MAX_DIMS];
    int64_t groups; /* G; 0: 1 */
    int32_t flip;   /* 1: the true convolution */
    gm_contract_math math;
    const gm_contract_epilogue *epilogue; /* of the result; see contract.h */
    gm_conv_algorithm algorithm;
} gm_conv_options;

typedef struct gm_conv_plan gm_conv_plan;

/*
 * Prepares one of the three maps. It is one contraction of a view of x in which the windows
 * overlap, so no window is copied; only padding, and a stride in GM_CONV_DATA, cost a copy of the
 * operand with zeros in the workspace. x, w, y [in]  dtype, shape and strides of all three; data is
 * not looked at. Types as in contract.h options [in]  NULL for the defaults plan    [out] NULL on
 * failure Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED (i8 where a padded copy is needed),
 * OUT_OF_MEMORY.
 */
gm_status gm_conv_plan_create(gm_context *context, gm_conv_operation operation, const gm_tensor *x,
                              const gm_tensor *w, const gm_tensor *y,
                              const gm_conv_options *options, gm_conv_plan **plan);
void gm_conv_plan_destroy(gm_conv_plan *plan); /* NULL is fine */

/* Bytes that gm_conv_execute needs, from gm_memory_alloc; 0 where it needs none. */
size_t gm_conv_workspace(const gm_conv_plan *plan);

/* The steps as text: see gm_contract_explain. */
const char *gm_conv_explain(const gm_conv_plan *plan);

/*
 * result = epilogue(alpha map + beta result), the result being y, x or w by the plan's operation.
 * Allocates nothing; on a GPU it enqueues on the context's stream and returns.
 * scale     [in]     NULL: alpha 1, beta 0; with beta 0 the old result is not read
 * x, w, y   [in/out] as planned; the result overlaps neither of the others
 * workspace [in]     gm_conv_workspace bytes of the backend's memory, 64-byte aligned
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL, DEVICE_ERROR; the result is not
 * written. Cost: 2 N G O C |Y| |K| operations in each of the three. Deterministic as gm_contract
 * is.
 */
gm_status gm_conv_execute(const gm_conv_plan *plan, const gm_contract_scale *scale,
                          const gm_tensor *x, const gm_tensor *w, const gm_tensor *y,
                          void *workspace, size_t workspace_bytes);

#ifdef __cplusplus
}
#endif
#endif
