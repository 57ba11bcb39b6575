/*
 * Fourier and cosine transforms of batches: along one to three axes of a tensor, any length, primes
 * too, one transform for each index of the other axes.
 *
 *     forward   X_k = s sum_j x_j exp(-2 pi i j k / n)        inverse   with +2 pi i
 *     DCT-II    y_k = 2 s sum_j x_j cos(pi k (2j + 1) / 2n)   DCT-III   its inverse
 *
 * Over several axes, the transform along each in turn. Each kind but DCT has N = the product of the
 * lengths, DCT has N = the product of 2n; s is 1 forward and 1/N inverse (norm BACKWARD, as NumPy
 * and SciPy have it), 1/sqrt(N) in both directions (ORTHO, which for DCT also divides y_0 by
 * sqrt(2) and makes the matrix orthogonal), or 1/N forward and 1 inverse (FORWARD). So inverse
 * undoes forward, COMPLEX_TO_REAL undoes REAL_TO_COMPLEX, and DCT3 undoes DCT2, whatever the norm.
 */
#ifndef GENMATH_FFT_H
#define GENMATH_FFT_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_FFT_MAX_AXES 3
#define GM_FFT_MAX_LENGTH (INT64_C(1) << 30)

typedef enum gm_fft_kind {
    GM_FFT_FORWARD,         /* complex to complex */
    GM_FFT_INVERSE,         /* complex to complex */
    GM_FFT_REAL_TO_COMPLEX, /* forward; along the last axis named, k = 0 .. n/2 only */
    GM_FFT_COMPLEX_TO_REAL, /* inverse; the missing half is the conjugate of the given one */
    GM_FFT_DCT2,            /* real to real */
    GM_FFT_DCT3             /* real to real: the inverse of DCT2 */
} gm_fft_kind;

typedef enum gm_fft_norm {
    GM_FFT_NORM_BACKWARD,
    GM_FFT_NORM_ORTHO,
    GM_FFT_NORM_FORWARD
} gm_fft_norm;

/* Zero is the default of every field but length. */
typedef struct gm_fft_options {
    gm_dtype dtype; /* GM_F64: f64 and c128 tensors; GM_F32: f32 and c64 */
    gm_fft_kind kind;
    gm_fft_norm norm;
    int32_t axis_count;              /* 1 to 3; 0: one, the last axis of the tensor */
    int32_t axes[GM_FFT_MAX_AXES];   /* different ones; negative ones count from the end */
    int64_t length[GM_FFT_MAX_AXES]; /* n of each axis, 0 to 2^30: of the real side, where there is
                                        one, so that n/2 + 1 is not ambiguous */
} gm_fft_options;

typedef struct gm_fft_plan gm_fft_plan;

/*
 * Prepares transforms: checks, computes the tables of roots of unity, each correctly rounded but
 * for about one in a thousand.
 * context [in]  must outlive the plan
 * options [in]
 * plan    [out] NULL on failure
 * Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY.
 * Cost: O(n) for each axis; the tables take about 2 n complex numbers, 8 n if n has a prime factor
 * over 47.
 */
gm_status gm_fft_plan_create(gm_context *context, const gm_fft_options *options,
                             gm_fft_plan **plan);
void gm_fft_plan_destroy(gm_fft_plan *plan); /* NULL is fine */

/*
 * The workspace that gm_fft_execute needs for a tensor of any batch.
 * bytes [out] a multiple of 64, may be 0
 * Errors: INVALID_ARGUMENT.
 */
gm_status gm_fft_workspace_size(const gm_fft_plan *plan, int64_t *bytes);

/*
 * Transforms every line of a batch. Allocates nothing.
 * plan      [in]  one call at a time for each workspace
 * in        [in]  any strides. Along the plan's axes its sizes are the lengths; COMPLEX_TO_REAL has
 *                 n/2 + 1 along the last axis named, and the imaginary parts of entry 0 and, for
 * even n, of entry n/2 of its lines are not used once the other axes are done workspace [in]  of
 * the plan's size, in the backend's memory, 64-byte aligned; may be NULL if that is 0 out [out]
 * sizes as in; REAL_TO_COMPLEX has n/2 + 1 along the last axis named. May be `in` itself where both
 * have one type, else overlaps nothing. A length of 0 along the last axis has 0 entries on both
 * sides
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written. Infinite and
 * NaN entries spoil their own transform only.
 * Accuracy: |error| / |X| in the 2-norm is under eps (1 + log2 n), or 3 eps (1 + log2 4n) where n has
 * a prime factor over 47; about a quarter of that is seen. ref: the sum itself, compensated.
 * Determinism: a transform's bits depend on its own data, the backend and, on cpu, the instruction
 * set: not on the batch, the strides or the number of threads.
 * Cost: 5 n log2(n) operations a complex line, half that for a real one of even n, as much for odd
 * n; about 4 times that where n has a prime factor over 47. ref: O(n^2). Source: Stockham's
 * self-sorting form with radices 2 to 47, Bailey's four-step split of long lines (Van Loan,
 * Computational Frameworks for the Fast Fourier Transform, 1.7, 3.3), Bluestein's chirp for larger
 * primes (4.2.3); DCT through a real transform (Makhoul, IEEE Trans. ASSP 28, 1980).
 */
gm_status gm_fft_execute(const gm_fft_plan *plan, const gm_tensor *in, void *workspace,
                         int64_t workspace_bytes, const gm_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
