/*
 * Krylov methods: systems and eigenvalues of a matrix that is known only by what it does to a
 * vector. They work on dense vectors of doubles in host memory, in the calling thread, whatever the
 * context's backend is; the operator is the user's and may do its work where and with how many
 * threads it likes.
 *
 * Common to all functions:
 *
 *     a          [in]      apply writes y = A x; x and y are distinct and hold n entries. A status
 *                          other than OK ends the method and is what the function returns
 *     workspace  [in,out]  of the size that the function beside it says, 8-byte aligned; NULL if
 * that is 0 report     [out]     how it went; not NULL
 *
 * Errors: INVALID_ARGUMENT, WORKSPACE_TOO_SMALL. A method that does not converge is no error of the
 * call: report->status is OK, NOT_CONVERGED (the iterations are used up), SINGULAR (no further
 * iteration can help: CG met a direction with p^T A p <= 0, GMRES a singular A) or NON_FINITE (the
 * operator or a sum gave an infinity or a NaN); the results are then the best there are, except for
 * NON_FINITE.
 *
 * Determinism: the same bits in every run, as long as the operator has that; sums have a fixed
 * order. Nothing is allocated. Entries of x and b are copied in memory of theirs; nothing may
 * overlap.
 */
#ifndef GENMATH_KRYLOV_H
#define GENMATH_KRYLOV_H

#include <genmath/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_operator {
    int64_t n; /* rows and columns */
    gm_status (*apply)(gm_context *context, void *user, const double *x, double *y);
    void *user;
} gm_operator;

/* Zero is the default of every field. */
typedef struct gm_krylov_options {
    double rtol;            /* of a residual to |b|, of an eigenvalue's to |A|; 0: 1e-10 */
    double atol;            /* of a residual; a solve ends at max(rtol |b|, atol) */
    int64_t max_iterations; /* 0: n for CG and the eigenvalues, 10 n for GMRES */
    int64_t restart;        /* GMRES: of the basis; 0: 30. At most n is used */
    const gm_operator
        *preconditioner; /* apply gives about A^-1 x; CG: symmetric positive definite */
    double *history;     /* NULL: not wanted. residual norm before iteration i + 1, from i = 0 on */
    int64_t history_size; /* entries of it: further norms are not kept */
} gm_krylov_options;

typedef struct gm_krylov_report {
    gm_status status;
    int64_t iterations;    /* steps of the method */
    int64_t applications;  /* of A */
    int64_t history_count; /* entries of options->history that are written */
    double residual;       /* solve: |b - A x| as it is at the end, computed anew */
} gm_krylov_report;

/*
 * A x = b by conjugate gradients, A symmetric positive definite.
 * options [in]     NULL for the defaults
 * b       [in]     n
 * x       [in,out] n: the start, then the solution
 *
 * The error in the norm sqrt(e^T A e) falls by 2 ((sqrt(k) - 1) / (sqrt(k) + 1))^i in i iterations,
 * k the condition number (of M A with a preconditioner); n iterations suffice but for rounding.
 * Cost: an application of A (and of the preconditioner) and 10 n operations an iteration, and two
 * more of A. Workspace: 4 n doubles.
 * Source: Hestenes, Stiefel, J. Res. NBS 49, 1952; Saad, Iterative Methods for Sparse Linear
 * Systems, 6.7, 9.2.
 */
gm_status gm_cg(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                const double *b, double *x, void *workspace, int64_t workspace_bytes,
                gm_krylov_report *report);
gm_status gm_cg_workspace_size(gm_context *context, const gm_operator *a, int64_t *bytes);

/*
 * A x = b by GMRES with restarts: every iteration minimises |b - A x| over the basis so far.
 * Arguments as for gm_cg; the preconditioner acts from the right, so residuals are those of A x =
 * b. Bases are orthogonalised twice. The history is that of the method's own recurrence, which
 * never grows. Cost: an application of A (and of the preconditioner) and 8 n j operations for the
 * j-th iteration after a restart. Workspace: about (restart + 3) n + restart^2 doubles. Source:
 * Saad, Schultz, SIAM J. Sci. Stat. Comput. 7, 1986; Saad, 6.5, 9.3.
 */
gm_status gm_gmres(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                   const double *b, double *x, void *workspace, int64_t workspace_bytes,
                   gm_krylov_report *report);
gm_status gm_gmres_workspace_size(gm_context *context, const gm_operator *a,
                                  const gm_krylov_options *options, int64_t *bytes);

typedef enum gm_spectrum_end { GM_SPECTRUM_LARGEST, GM_SPECTRUM_SMALLEST } gm_spectrum_end;

/*
 * Extreme eigenvalues of a symmetric A by the Lanczos process, every new vector orthogonalised
 * twice against all before it. It begins with a fixed pseudorandom vector, and again with another
 * one orthogonal to all so far when the space is invariant. options      [in]  max_iterations: of
 * the basis, at most n; NULL for the defaults count        [in]  1 to n: eigenvalues wanted end
 * [in]  from which end of the spectrum eigenvalues  [out] count, the outermost first; past the
 * number of iterations: NaN residuals    [out] count: |A v - lambda v|, as the process estimates
 * it; NULL: not wanted eigenvectors [out] (count, n) row-major, orthonormal; NULL: not wanted
 *
 * It ends when all residuals are <= rtol |T|, T the projected matrix. A multiple eigenvalue shows
 * once before the space is invariant: a count that ends in one may miss its copies unless the basis
 * reaches n.
 * Cost: an application of A and 8 n j operations for iteration j. Workspace: about (k + 2) n + k^2
 * doubles, k = max_iterations.
 * Source: Golub, Van Loan, Matrix Computations, 10.1, 10.3; QL with implicit shifts, 8.3.
 */
gm_status gm_lanczos(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                     int64_t count, gm_spectrum_end end, double *eigenvalues, double *residuals,
                     double *eigenvectors, void *workspace, int64_t workspace_bytes,
                     gm_krylov_report *report);
gm_status gm_lanczos_workspace_size(gm_context *context, const gm_operator *a,
                                    const gm_krylov_options *options, int64_t *bytes);

/*
 * Ritz values of any real A by the Arnoldi process: the eigenvalues of its projection on the space
 * of v, A v, ..., A^(k-1) v, which are eigenvalues of A once that space is invariant. options [in]
 * max_iterations: k, at most n; NULL for the defaults start   [in]  v, n entries, not all zero;
 * NULL: a fixed pseudorandom vector values  [out] k pairs (re, im), the largest magnitude first;
 * past the number of iterations: NaN
 *
 * The process ends early, with status OK, when the space is invariant (report->iterations is its
 * dimension; report->residual the last subdiagonal entry, about 0), else after k steps with status
 * OK and report->residual the subdiagonal entry that is left.
 * Cost: an application of A and 8 n j operations for step j, then about 10 k^3. Workspace: (k + 2)
 * n + 2 k^2 doubles. Source: Golub, Van Loan, 10.5; single-shift QR on the Hessenberg matrix, 7.5.
 */
gm_status gm_arnoldi(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                     const double *start, double *values, void *workspace, int64_t workspace_bytes,
                     gm_krylov_report *report);
gm_status gm_arnoldi_workspace_size(gm_context *context, const gm_operator *a,
                                    const gm_krylov_options *options, int64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
