/*
 * Dense linear algebra on batches of matrices: factorizations, solves, inverses, determinants.
 * decompose.h has singular values and eigenvalues, matrix_function.h exponentials and powers.
 *
 * A tensor (..., m, n) is a batch of m x n matrices, one for each index in front. All tensors of a
 * call have the same sizes in front; a stride of 0 there shares one matrix among the problems.
 * Strides are free, negative ones too. The types are F64, F32, C128 and C64; the tensors of a call
 * have one type, and numbers that are real by nature (norms, singular values, log |det|) have the
 * real type of its precision. A matrix has at most 16384 rows and columns. A problem of size 0 has
 * the result that the formula gives it: det = 1, an empty inverse.
 *
 * Common to all functions:
 *
 *     a, b       [in]      what is read is said in each; never changed, unless it is an output too
 *     outputs    [out]     NULL: not wanted. An output may be the same view as an input of its
 *                          shape and type; it overlaps nothing else
 *     report     [out]     how each problem went; NULL: not wanted
 *     workspace  [in,out]  see gm_workspace
 *
 * Errors: INVALID_ARGUMENT (a null argument, a type, an overlap), SHAPE_MISMATCH, UNSUPPORTED,
 * WORKSPACE_TOO_SMALL. On an error nothing is written. A problem that fails is no error of the
 * call: its status says why, its outputs are NaN (-1 where they are integers) unless said
 * otherwise, and its neighbours do not notice.
 *
 * Determinism: the bits of a problem's results depend on its own data, on the backend, on cpu on
 * the machine's OpenBLAS and vector instructions and on cuda on its vendor libraries: not on the
 * batch around it or on the number of threads.
 *
 * Cost: the flops said in each. cpu works on as many problems at once as it has threads, each with
 * LAPACK on one thread; ref is for checking. Nothing is allocated by genmath; OpenBLAS keeps a
 * buffer of its own for each thread that has called it. For the time of a call that runs on cpu,
 * the number of OpenBLAS's threads in this process is 1, and afterwards what it was before.
 * cuda has some lanes of a warp for each problem of up to 32 rows and columns, a block for a larger
 * one, and for the largest, one after another, cuSOLVER and cuBLAS, which are opened when a size is
 * first asked for; without them the blocks do those too.
 */
#ifndef GENMATH_LINALG_H
#define GENMATH_LINALG_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Scratch memory. Every function is called twice with the same arguments: with data = NULL it
 * checks them, stores in bytes how much it needs (at least 1) and does nothing else; with data of
 * at least that size it computes. The memory is of the context's backend (gm_memory_alloc), 64-byte
 * aligned, and can serve one call after another. The size depends on the sizes of the matrices, the
 * type, the wanted outputs, the backend and its threads, not on the size of the batch.
 */
typedef struct gm_workspace {
    void *data;
    size_t bytes;
} gm_workspace;

/* How each problem went. Shapes are the sizes in front of the matrices. */
typedef struct gm_linalg_report {
    /* I32, a gm_status: OK; SINGULAR (no inverse, or not positive definite); NON_FINITE (an entry
     * that is read is infinite or NaN, or a result overflows); NOT_CONVERGED. */
    const gm_tensor *status;
    /* The reciprocal 1 / (|A| |A^-1|) of the condition number in the 1-norm, where a function does
     * not say otherwise: 0 for a singular matrix, below the unit roundoff if no digit of the
     * result is certain. ref, emu and cuda compute the inverse, and so does cpu for real square
     * matrices of at most 8 rows; else cpu estimates |A^-1| from below (Higham, LAPACK xxxCON),
     * which is seldom off by more than 3. */
    const gm_tensor *rcond;
    /* The relative error in the data that would explain the result, in the Frobenius norm; the
     * formula is said in each function. A few units in the last place times n is as it should be.
     */
    const gm_tensor *residual;
} gm_linalg_report;

/*
 * P A = L U, partial pivoting; L is unit lower trapezoidal, U upper.
 * a            [in]   (..., m, n)
 * lu           [out]  (..., m, n): U on and above the diagonal, L below it
 * permutation  [out]  (..., m) I32: row i of P A is row permutation[i] of A
 * Status SINGULAR: a pivot is exactly 0; the outputs are the factors all the same.
 * rcond: m = n only. residual: |P A - L U| / |A|.
 * Cost: 2/3 n^3. Source: Golub, Van Loan, Matrix Computations, 3.4.
 */
gm_status gm_linalg_lu(gm_context *context, const gm_tensor *a, const gm_tensor *lu,
                       const gm_tensor *permutation, const gm_linalg_report *report,
                       gm_workspace *workspace);

/*
 * A = L L^H for a Hermitian positive definite A.
 * a  [in]   (..., n, n); the diagonal's real part and what is below it are read
 * l  [out]  (..., n, n), zeros above the diagonal
 * Status SINGULAR: A is not positive definite. residual: |A - L L^H| / |A|.
 * Cost: 1/3 n^3. Source: Golub, Van Loan, 4.2.
 */
gm_status gm_linalg_cholesky(gm_context *context, const gm_tensor *a, const gm_tensor *l,
                             const gm_linalg_report *report, gm_workspace *workspace);

/*
 * A = Q R by Householder reflections; Q has orthonormal columns, R is upper trapezoidal with a real
 * diagonal, not necessarily positive.
 * a  [in]   (..., m, n)
 * q  [out]  (..., m, k), k = min(m, n), or k = m for the complete basis
 * r  [out]  (..., k, n); without q, k is min(m, n) or m
 * rcond: of R, m >= n only. residual: |A - Q R| / |A|, which needs Q.
 * Cost: 2 n^2 (m - n/3), and as much for Q. Source: Golub, Van Loan, 5.2.
 */
gm_status gm_linalg_qr(gm_context *context, const gm_tensor *a, const gm_tensor *q,
                       const gm_tensor *r, const gm_linalg_report *report, gm_workspace *workspace);

/*
 * A X = B by LU with partial pivoting.
 * a  [in]   (..., n, n)
 * b  [in]   (..., n, k)
 * x  [out]  (..., n, k)
 * Status SINGULAR: a pivot is exactly 0. residual: |A X - B| / (|A| |X| + |B|).
 * Cost: 2/3 n^3 + 2 n^2 k. Source: Golub, Van Loan, 3.4.
 */
gm_status gm_linalg_solve(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                          const gm_tensor *x, const gm_linalg_report *report,
                          gm_workspace *workspace);

typedef enum gm_transpose { GM_TRANSPOSE_NONE, GM_TRANSPOSE, GM_TRANSPOSE_CONJUGATE } gm_transpose;

/* Zero is the default: the lower triangle, its diagonal read, not transposed. */
typedef struct gm_triangular_options {
    int32_t upper;         /* 1: the upper triangle is read, and nothing below it */
    int32_t unit_diagonal; /* 1: the diagonal is 1 and not read */
    gm_transpose transpose;
} gm_triangular_options;

/*
 * op(A) X = B with a triangular A; op as in options->transpose.
 * options  [in]  NULL for the defaults
 * a [in] (..., n, n), b [in] (..., n, k), x [out] (..., n, k)
 * Status SINGULAR: an entry of the diagonal is exactly 0.
 * residual: |op(A) X - B| / (|A| |X| + |B|). Cost: n^2 k. Source: Golub, Van Loan, 3.1.
 */
gm_status gm_linalg_triangular_solve(gm_context *context, const gm_triangular_options *options,
                                     const gm_tensor *a, const gm_tensor *b, const gm_tensor *x,
                                     const gm_linalg_report *report, gm_workspace *workspace);

/*
 * out = A^-1 by LU. To solve a system, solve it: that is faster and more exact.
 * a [in] (..., n, n), out [out] (..., n, n)
 * Status SINGULAR: a pivot is exactly 0. residual: |A A^-1 - I| / (|A| |A^-1|).
 * Cost: 2 n^3. Source: Golub, Van Loan, 3.4.
 */
gm_status gm_linalg_inverse(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                            const gm_linalg_report *report, gm_workspace *workspace);

/* det A = sign exp(log_abs). Shapes are the sizes in front of the matrices. */
typedef struct gm_determinant_result {
    const gm_tensor *det;     /* type of a; infinite or 0 where it is out of range */
    const gm_tensor *sign;    /* type of a, |sign| = 1; 0 for a singular matrix */
    const gm_tensor *log_abs; /* real type; -inf for a singular matrix */
} gm_determinant_result;

/*
 * The determinant by LU.
 * a [in] (..., n, n). Status OK for a singular matrix too: its determinant is 0. No residual.
 * Cost: 2/3 n^3.
 */
gm_status gm_linalg_determinant(gm_context *context, const gm_tensor *a,
                                const gm_determinant_result *result, const gm_linalg_report *report,
                                gm_workspace *workspace);

/*
 * out = (A (x) B) x without the Kronecker product itself: with entry j q + l of x as X_lj, a q x n
 * matrix, it is B X A^T.
 * a [in] (..., m, n), b [in] (..., p, q), x [in] (..., n q, k), out [out] (..., m p, k)
 * Status only. Cost: 2 k p n (q + m) instead of 2 k m n p q.
 */
gm_status gm_linalg_kronecker_apply(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                                    const gm_tensor *x, const gm_tensor *out,
                                    const gm_linalg_report *report, gm_workspace *workspace);

/*
 * (A (x) B) out = x by LU of A and of B.
 * a [in] (..., n, n), b [in] (..., q, q), x [in] (..., n q, k), out [out] (..., n q, k)
 * Status SINGULAR: a pivot of A or B is exactly 0. rcond: of the product, which is the product of
 * theirs. residual: |(A (x) B) out - x| / (|A| |B| |out| + |x|).
 * Cost: 2/3 (n^3 + q^3) + 2 k n q (n + q).
 */
gm_status gm_linalg_kronecker_solve(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                                    const gm_tensor *x, const gm_tensor *out,
                                    const gm_linalg_report *report, gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
