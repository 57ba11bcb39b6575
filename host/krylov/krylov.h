/* What the Krylov methods share: checks, sums, bases, small eigenvalue problems. */
#ifndef GENMATH_HOST_KRYLOV_H
#define GENMATH_HOST_KRYLOV_H

#include <complex.h>

#include <genmath/krylov.h>

#include "host/internal.h"

/* A method at work. */
typedef struct gm_krylov {
    gm_context *context;
    const gm_operator *a, *preconditioner;
    int64_t n;
    double rtol, atol;
    int64_t max_iterations;
    double *history;
    int64_t history_size;
    gm_krylov_report *report;
} gm_krylov;

/* Checks what all functions share and fills in the defaults. */
gm_status gm_krylov_begin(gm_context *context, const gm_operator *a,
                          const gm_krylov_options *options, int64_t default_iterations,
                          const void *workspace, int64_t workspace_bytes, int64_t need,
                          gm_krylov_report *report, gm_krylov *k);
gm_status gm_krylov_check(gm_context *context, const gm_operator *a,
                          const gm_krylov_options *options);

/* y = A x, counted. */
gm_status gm_krylov_apply(gm_krylov *k, const double *x, double *y);
/* y = M x, or a copy of x. */
gm_status gm_krylov_precondition(gm_krylov *k, const double *x, double *y);
/* r = b - A x, and its norm. */
gm_status gm_krylov_residual(gm_krylov *k, const double *b, const double *x, double *r,
                             double *norm);
void gm_krylov_record(gm_krylov *k, double norm);

double gm_dot(int64_t n, const double *x, const double *y);
double gm_norm2(int64_t n, const double *x);                       /* without overflow on the way */
void gm_axpy(int64_t n, double alpha, const double *x, double *y); /* y += alpha x */

/* Makes w orthogonal to the `count` orthonormal rows of basis, twice; adds the coefficients to h
 * (NULL: not wanted) and returns the norm of what is left. */
double gm_orthogonalise(int64_t n, int64_t count, const double *basis, double *w, double *h);

/* A unit vector orthogonal to the rows of basis from pseudorandom numbers of stream `draw`. */
void gm_random_direction(int64_t n, int64_t count, const double *basis, int64_t draw, double *w);

/*
 * Eigenvalues of the symmetric tridiagonal matrix with diagonal d and subdiagonal e (e[k - 1] is
 * scratch), in no order, into d; z (rows, k) is multiplied by the matrix of eigenvectors. false: 30
 * iterations for one of them were not enough. e is overwritten.
 */
bool gm_tridiagonal_eigen(int64_t k, double *d, double *e, int64_t rows, double *z);

/* Eigenvalues of the upper Hessenberg matrix h (k, k), which is overwritten; false as above. */
bool gm_hessenberg_eigenvalues(int64_t k, double complex *h, double complex *values);

#endif
