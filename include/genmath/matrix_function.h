/*
 * Functions of square matrices, on batches. Shapes, types, errors, the report and the workspace are
 * those of linalg.h; of the report only the status is given here: NON_FINITE where an entry is not
 * finite or the result overflows, SINGULAR for a negative power of a singular matrix.
 */
#ifndef GENMATH_MATRIX_FUNCTION_H
#define GENMATH_MATRIX_FUNCTION_H

#include <genmath/linalg.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * out = exp(t A).
 * t [in] finite. a [in], out [out] (..., n, n)
 * cpu: scaling and squaring with the Padé approximant of degree 3, 5, 7, 9 or 13 (3, 5, 7 in single
 * precision); ref: scaling and squaring of the Taylor series.
 * Cost: 2 n^3 (7 + 4/3 + log2 |t A|) at most for |t A| > 5.4; a large |t A| loses digits as it
 * squares. Source: Higham, SIAM J. Matrix Anal. Appl. 26 (2005) 1179.
 */
gm_status gm_linalg_exp(gm_context *context, double t, const gm_tensor *a, const gm_tensor *out,
                        const gm_linalg_report *report, gm_workspace *workspace);

/*
 * out = exp(t A) B without exp(t A): s times the Taylor polynomial of degree m of t A / s, (s, m)
 * the cheapest that hold the unit roundoff by the 1-norm of A after a shift by its mean diagonal.
 * t [in] finite. a [in] (..., n, n), b [in] (..., n, k), out [out] (..., n, k)
 * Cost: 2 n^2 k for each of s m <= 5.6 |t A| + 55 products: for k well below n.
 * Source: Al-Mohy, Higham, SIAM J. Sci. Comput. 33 (2011) 488.
 */
gm_status gm_linalg_exp_apply(gm_context *context, double t, const gm_tensor *a, const gm_tensor *b,
                              const gm_tensor *out, const gm_linalg_report *report,
                              gm_workspace *workspace);

/*
 * out = A^power by repeated squaring; A^0 = I, a negative power is one of the inverse.
 * a [in], out [out] (..., n, n). Cost: 2 n^3 (2 log2 |power|) at most.
 */
gm_status gm_linalg_power(gm_context *context, int64_t power, const gm_tensor *a,
                          const gm_tensor *out, const gm_linalg_report *report,
                          gm_workspace *workspace);

/*
 * out_k = phi_k(t A), k = 0 .. p: phi_0 = exp, phi_k(z) = sum_j z^j / (j + k)!, so that phi_1(z) is
 * (e^z - 1) / z also at z = 0 and for a singular A. x' = A x + b has the solution
 * x(t) = exp(t A) x0 + t phi_1(t A) b.
 * t [in] finite. a [in] (..., n, n). out [out] (..., p + 1, n, n), 0 <= p <= 16
 * cpu: the first n rows of the exponential of a matrix of n (p + 1) rows, whose error is relative
 * to the largest phi_k, not to each; ref: series and doubling. Cost: that of its exponential.
 * Source: Al-Mohy, Higham (2011), theorem 2.1.
 */
gm_status gm_linalg_phi(gm_context *context, double t, const gm_tensor *a, const gm_tensor *out,
                        const gm_linalg_report *report, gm_workspace *workspace);

/*
 * The time-ordered exponential: Phi(t1) for Phi' = A(t) Phi, Phi(t0) = I, from samples of A on
 * `steps` equal steps of size h = (t1 - t0) / steps, the later ones on the left:
 *
 *     order 2, one sample a step:  exp(h A(t + h/2))
 *     order 4, two samples:        exp(h/2 (A1 + A2) - sqrt(3)/12 h^2 [A1, A2]),
 *                                  A1, A2 = A(t + (1/2 -+ sqrt(3)/6) h)
 *
 * a   [in]   (..., steps, samples, n, n), samples = order / 2; the times of the samples are
 *            gm_linalg_magnus_times
 * out [out]  (..., n, n)
 * h   [in]   finite; negative goes backwards
 * Error: h^order, with a constant that grows with the commutators of A; exact where all A(t)
 * commute and the samples integrate them. Cost: an exponential a step.
 * Source: Blanes, Casas, Oteo, Ros, Physics Reports 470 (2009) 151, section 5.
 */
gm_status gm_linalg_magnus(gm_context *context, double h, const gm_tensor *a, const gm_tensor *out,
                           const gm_linalg_report *report, gm_workspace *workspace);

/*
 * The steps * samples times at which gm_linalg_magnus wants A, in the order of a's axes.
 * times [out] room for steps * samples numbers
 * Errors: INVALID_ARGUMENT (steps < 1, samples not 1 or 2, a time not finite, NULL).
 */
gm_status gm_linalg_magnus_times(double t0, double t1, int64_t steps, int32_t samples,
                                 double *times);

#ifdef __cplusplus
}
#endif
#endif
