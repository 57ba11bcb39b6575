/*
 * Products with matrices that a vector or two define, without forming them, and convolutions:
 * batches of problems, each in O(n log n).
 *
 *     circulant    y_i = sum_j c_{(i - j) mod n} x_j                   c: the first column
 *     Toeplitz     y_i = sum_j t_{i - j} x_j, t_d = c_d, t_{-d} = r_d  c, r: first column and row
 *     convolution  y_i = sum_j k_{i + o - j} x_j, k_d = 0 outside      o: where the result begins
 *
 * Tensors are (b, length): a row for each problem; a stride of 0 along b shares one among all. They
 * have one type, F64, F32, C128 or C64; eigenvalues are of the complex type of its precision.
 */
#ifndef GENMATH_STRUCTURED_H
#define GENMATH_STRUCTURED_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_structured_kind {
    GM_CIRCULANT_APPLY,       /* (n, n) */
    GM_CIRCULANT_SOLVE,       /* x is the right side, y the solution of C y = x */
    GM_CIRCULANT_EIGENVALUES, /* lambda_k = sum_j c_j exp(-2 pi i j k / n), of the eigenvector with
                                 entries exp(2 pi i j k / n) */
    GM_TOEPLITZ_APPLY,        /* (m, n) */
    GM_CONVOLVE_FULL,         /* o = 0, m + n - 1 results */
    GM_CONVOLVE_SAME,         /* o = (m - 1) / 2, n results: the middle */
    GM_CONVOLVE_VALID, /* o = m - 1, n - m + 1 results, 0 for n < m: no result meets an edge */
    GM_CONVOLVE_CAUSAL /* o = 0, n results: the past of x only (y = K * u of a state-space model) */
} gm_structured_kind;

/* Zero is the default of dtype and kind. */
typedef struct gm_structured_options {
    gm_dtype dtype; /* F64, F32, C128 or C64 */
    gm_structured_kind kind;
    int64_t m; /* length of the kernel: rows of a Toeplitz matrix; unused for a circulant one */
    int64_t n; /* length of x: columns of the matrix */
} gm_structured_options;

typedef struct gm_structured_plan gm_structured_plan;

/*
 * Prepares the transforms.
 * context [in]  must outlive the plan
 * plan    [out] NULL on failure
 * Errors: INVALID_ARGUMENT (m + n - 1 over 2^29 too), UNSUPPORTED, OUT_OF_MEMORY.
 */
gm_status gm_structured_plan_create(gm_context *context, const gm_structured_options *options,
                                    gm_structured_plan **plan);
void gm_structured_plan_destroy(gm_structured_plan *plan); /* NULL is fine */

/* The workspace of gm_structured_execute for any batch: a multiple of 64, may be 0. */
gm_status gm_structured_workspace_size(const gm_structured_plan *plan, int64_t *bytes);

/* The tensors of a call; NULL for what the kind does not have or nobody wants. */
typedef struct gm_structured_arrays {
    const gm_tensor *kernel; /* [in] (b, n) circulant, else (b, m). Reversed in place by a negative
                                stride, it makes a convolution a cross-correlation */
    const gm_tensor *row;    /* [in] (b, n), Toeplitz only; entry 0 is not used: kernel has it */
    const gm_tensor *x;      /* [in] (b, n); eigenvalues: none */
    const gm_tensor *y;      /* [out] (b, results) */
    const gm_tensor *status; /* [out] (b) I32, solve only: OK; SINGULAR if rcond <= eps: y is NaN;
                                NON_FINITE if an eigenvalue is */
    const gm_tensor *rcond;  /* [out] (b) real type, solve only: min |lambda| / max |lambda| = 1 /
                                (|C|  |C^-1|) in the 2-norm */
} gm_structured_arrays;

/*
 * Works on every problem of a batch. Allocates nothing.
 * workspace [in] as for gm_fft_execute
 * Outputs overlap nothing.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written. A singular
 * matrix is no error of the call.
 * Accuracy: |error| <= c eps log2(n) |kernel| |x| in the 2-norms (solve: times |C^-1|^2 |C|): small
 * entries next to large ones keep fewer digits than a direct sum gives them. ref is the direct sum.
 * Determinism: a problem's bits depend on its own data, the backend and, on cpu, the instruction
 * set. Cost: two transforms and one of the kernel (of one if it is shared) of length n (circulant)
 * or about m + n; ref: O(m n). Source: Golub, Van Loan, Matrix Computations, 4.8; Gu, Goel, Ré,
 * Efficiently Modeling Long Sequences with Structured State Spaces, 2022 (causal).
 */
gm_status gm_structured_execute(const gm_structured_plan *plan, const gm_structured_arrays *arrays,
                                void *workspace, int64_t workspace_bytes);

#ifdef __cplusplus
}
#endif
#endif
