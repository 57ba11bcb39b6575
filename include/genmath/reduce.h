/*
 * Reductions over any set of axes, and the softmax along one axis. Types f64, f32, f16 and bf16;
 * the two halves are computed in f32 and rounded once, at the end.
 *
 * Order and bits. The n elements that go into one result are taken in row-major order and cut into
 * chunks of 4096. In a chunk, element i goes to accumulator i mod 128; the accumulators are folded
 * in halves, and the chunks are combined in pairs, in pairs of pairs and so on. The order is a
 * function of n alone: a result has the same bits for any strides, number of threads, grid,
 * workspace and neighbours, and the same on cpu with every instruction set, emu and cuda. ref
 * accumulates in double, one element after the other.
 *
 * Error of a sum, u the unit roundoff (2^-24, 2^-53), n elements:
 *
 *     |result - exact| <= (39 + ceil(log2(n / 4096))) u sum |x_i|      (39: 32 terms, 7 halvings)
 *
 * Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 4.2 (pairwise summation).
 *
 * Common to all functions:
 *
 *     in   [in]   any strides: 0 and negative ones too
 *     out  [out]  any strides, no two elements in the same memory
 *
 * Errors: INVALID_ARGUMENT (a null argument, a dtype not named, overlapping elements, memory the
 * backend cannot reach), SHAPE_MISMATCH, UNSUPPORTED. On an error nothing is written. Nothing is
 * allocated.
 */
#ifndef GENMATH_REDUCE_H
#define GENMATH_REDUCE_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Over the reduced elements x_0 ... x_(n-1):
 *
 *     SUM        sum x_i                        of nothing: 0
 *     MEAN       sum x_i / n                    of nothing: NaN
 *     PRODUCT    prod x_i                       of nothing: 1
 *     MAX, MIN   NaN if any x_i is; a zero is +0 (MAX) or -0 (MIN) whichever of the two it was
 *     ARGMAX, ARGMIN  the least i at which x_i is MAX, MIN; a NaN counts as the extreme one
 *     LOGSUMEXP  log sum exp(x_i) = m + log sum exp(x_i - m), m = MAX; of nothing: -infinity
 *     NORM1      sum |x_i|                      of nothing: 0
 *     NORM2      sqrt(sum x_i^2), scaled where squares would overflow or underflow
 *     NORM_INF   max |x_i|; NaN if any x_i is   of nothing: 0
 *     VARIANCE   sum (x_i - mean)^2 / (n - unbiased); NaN if the divisor is not positive
 *
 * MAX, MIN, ARGMAX and ARGMIN of nothing are INVALID_ARGUMENT.
 *
 * LOGSUMEXP: terms below the least normal number times the largest count as 0. VARIANCE: the mean
 * of each chunk first, then the squares of what is left (the corrected two-pass formula), chunks
 * combined after Chan, Golub and LeVeque (Am. Stat. 37, 1983): no cancellation for a large mean.
 * NORM2: after Blue (ACM TOMS 4, 1978), the scale chosen chunk by chunk.
 */
typedef enum gm_reduction {
    GM_REDUCE_SUM,
    GM_REDUCE_MEAN,
    GM_REDUCE_PRODUCT,
    GM_REDUCE_MAX,
    GM_REDUCE_MIN,
    GM_REDUCE_ARGMAX,
    GM_REDUCE_ARGMIN,
    GM_REDUCE_LOGSUMEXP,
    GM_REDUCE_NORM1,
    GM_REDUCE_NORM2,
    GM_REDUCE_NORM_INF,
    GM_REDUCE_VARIANCE,
    GM_REDUCTION_COUNT
} gm_reduction;

/* Zero is the default of every field. */
typedef struct gm_reduce_options {
    gm_reduction reduction;
    uint32_t axes;    /* bit k: axis k of `in` is reduced; 0: all axes */
    int32_t unbiased; /* VARIANCE: 1 divides by n - 1 */
    /* Memory of the backend, aligned to 16 bytes, for a device to spread a few long results over
     * all its processors; NULL: it works without, with the same bits. */
    void *workspace;
    size_t workspace_bytes;
} gm_reduce_options;

/*
 * out = reduction of in over the axes.
 *
 *     options  [in]   not NULL
 *     in       [in]   any ndim
 *     out      [out]  the axes left, in their order; or in.ndim axes, those reduced of size 1.
 *                     ARGMAX, ARGMIN: i64. Else the dtype of in, or f32 for f16 and bf16. It must
 *                     not overlap in.
 *
 * Errors: as above; INVALID_ARGUMENT (an unknown reduction, an axis that in has not),
 * WORKSPACE_TOO_SMALL (a workspace that is not NULL, of fewer bytes than gm_reduce_workspace says).
 * Cost: every element is read once from memory.
 */
gm_status gm_reduce(gm_context *context, const gm_reduce_options *options, const gm_tensor *in,
                    const gm_tensor *out);

/*
 * The bytes of workspace that gm_reduce can use for these options and shapes; 0 where it would make
 * no use of any. Errors: those of gm_reduce.
 */
gm_status gm_reduce_workspace(gm_context *context, const gm_reduce_options *options,
                              const gm_tensor *in, const gm_tensor *out, size_t *bytes);

typedef struct gm_softmax_options {
    int32_t axis;       /* -ndim to ndim - 1; negative ones count from the last, which is -1 */
    double temperature; /* t > 0; 0 is 1 */
} gm_softmax_options;

/*
 * y_i = exp((x_i - m) / t) / sum_j exp((x_j - m) / t), m = max_j x_j, along the axis; 1/t is
 * rounded once. A y_i below the least normal number is 0. A row that holds a NaN or +infinity, or
 * nothing but -infinity, is NaN all over; -infinity among finite numbers gives 0.
 *
 *     options  [in]   not NULL
 *     in       [in]   ndim >= 1
 *     out      [out]  shape and dtype of in; may be in itself (the identical view)
 *
 * Errors: as above; INVALID_ARGUMENT (axis out of range, temperature not positive and finite).
 * Error: a row sums to 1 within (40 + log2(n / 4096)) u. Cost: rows of up to 4096 elements are read
 * once, longer ones twice.
 */
gm_status gm_softmax(gm_context *context, const gm_softmax_options *options, const gm_tensor *in,
                     const gm_tensor *out);

/* y_i = (x_i - m) / t - log sum_j exp((x_j - m) / t): the logarithm of gm_softmax, without
 * underflow to -infinity. */
gm_status gm_log_softmax(gm_context *context, const gm_softmax_options *options,
                         const gm_tensor *in, const gm_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
