/*
 * Singular values, eigenvalues and what is made of them, on batches of matrices. Shapes, types,
 * errors, the report and the workspace are those of linalg.h.
 *
 * Vectors are determined up to a factor of modulus 1, and those of equal or close values up to a
 * rotation among them: backends may differ there, each with a small residual.
 */
#ifndef GENMATH_DECOMPOSE_H
#define GENMATH_DECOMPOSE_H

#include <genmath/linalg.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A = U diag(s) V^H, s >= 0 descending, U and V with orthonormal columns. With k = min(m, n):
 * a   [in]   (..., m, n)
 * u   [out]  (..., m, r), or (..., m, m) for the complete basis
 * s   [out]  (..., r) real, r <= k: the r largest; needed
 * vh  [out]  (..., r, n), or (..., n, n): V^H
 * Without u and vh only the values are computed, which is faster.
 * Status NOT_CONVERGED. rcond: s_min / s_max. residual: |A - U S V^H| / |A|; needs u, vh and r = k.
 * Cost: about 4 m^2 n + 22 n^3 with vectors, 8/3 n^3 without. cpu: bidiagonalization and divide and
 * conquer (LAPACK xGESDD); ref: one-sided Jacobi; cuda, emu: that too, QR iteration of a vendor
 * library where m and n exceed 128. Source: Golub, Van Loan, 8.6.
 */
gm_status gm_linalg_svd(gm_context *context, const gm_tensor *a, const gm_tensor *u,
                        const gm_tensor *s, const gm_tensor *vh, const gm_linalg_report *report,
                        gm_workspace *workspace);

/*
 * A = V diag(w) V^H for a Hermitian (real: symmetric) A, w real and ascending, V unitary.
 * a [in] (..., n, n): the diagonal's real part and what is below it are read
 * w [out] (..., n) real; needed. v [out] (..., n, n): eigenvectors in its columns
 * rcond: min |w| / max |w|. residual: |A V - V diag(w)| / |A|; needs v.
 * Cost: 9 n^3, 4/3 n^3 without v. cpu: LAPACK xSYEVD; ref: cyclic Jacobi; cuda, emu: that too, a
 * vendor library beyond n = 128. Source: Golub, Van Loan, 8.3 to 8.5.
 */
gm_status gm_linalg_eigen_hermitian(gm_context *context, const gm_tensor *a, const gm_tensor *w,
                                    const gm_tensor *v, const gm_linalg_report *report,
                                    gm_workspace *workspace);

/*
 * A v_j = w_j v_j for any square A; complex results whatever the type of A, in no particular order.
 * a [in] (..., n, n)
 * w [out] (..., n) complex; needed. v [out] (..., n, n) complex: columns of 2-norm 1
 * rcond: of the matrix V in the 1-norm, an estimate; at the unit roundoff A has no basis of
 * eigenvectors, or none that can be told from there: w is then certain only to its root of order
 * the size of the Jordan block. Needs v. residual: |A V - V diag(w)| / |A|; needs v.
 * Cost: about 25 n^3, 10 n^3 without v. cpu: LAPACK xGEEV; the others: complex QR with shifts, on
 * cuda a problem on one multiprocessor whatever its size. Source: Golub, Van Loan, 7.5.
 */
gm_status gm_linalg_eigen(gm_context *context, const gm_tensor *a, const gm_tensor *w,
                          const gm_tensor *v, const gm_linalg_report *report,
                          gm_workspace *workspace);

/*
 * X = the minimizer of |A X - B| in the Frobenius norm and, where A has not full column rank, the
 * one of least norm: X = A^+ B.
 * cutoff  [in]   singular values up to cutoff s_max count as 0; 0: max(m, n) eps. In [0, 1)
 * a [in] (..., m, n), b [in] (..., m, k)
 * x [out] (..., n, k), rank [out] (...) I32
 * rcond: s_min / s_max. residual: |A^H (A X - B)| / (|A| (|A| |X| + |B|)), the normal equations'.
 * Cost: that of the singular value decomposition. Source: Golub, Van Loan, 5.5.
 */
gm_status gm_linalg_least_squares(gm_context *context, double cutoff, const gm_tensor *a,
                                  const gm_tensor *b, const gm_tensor *x, const gm_tensor *rank,
                                  const gm_linalg_report *report, gm_workspace *workspace);

/*
 * The Moore–Penrose pseudoinverse A^+ = V diag(1/s) U^H over the singular values above the cutoff.
 * cutoff, rank as in gm_linalg_least_squares. a [in] (..., m, n), out [out] (..., n, m).
 * rcond: s_min / s_max. residual: |A A^+ A - A| / (|A|^2 |A^+|).
 */
gm_status gm_linalg_pseudoinverse(gm_context *context, double cutoff, const gm_tensor *a,
                                  const gm_tensor *out, const gm_tensor *rank,
                                  const gm_linalg_report *report, gm_workspace *workspace);

/*
 * The Hermitian positive semidefinite S with S S = A, by the eigenvalues of A.
 * a [in] (..., n, n), read as by gm_linalg_eigen_hermitian; out [out] (..., n, n)
 * Eigenvalues from -n eps w_max on count as 0; a smaller one is status SINGULAR.
 * rcond: min |w| / max |w|. residual: |S S - A| / |A|. Source: Higham, Functions of Matrices, 6.
 */
gm_status gm_linalg_sqrt_psd(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                             const gm_linalg_report *report, gm_workspace *workspace);

/*
 * Its inverse: T T A = I. Status SINGULAR: an eigenvalue is not above n eps w_max.
 * residual: |T A T - I| / (|T|^2 |A|).
 */
gm_status gm_linalg_inverse_sqrt_psd(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                                     const gm_linalg_report *report, gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
