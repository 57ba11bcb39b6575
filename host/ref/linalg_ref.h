/*
 * The oracle of linear algebra: textbook loops on contiguous column-major matrices of double
 * complex, whatever the type of the tensors. Real matrices stay exactly real in it.
 */
#ifndef GENMATH_HOST_REF_LINALG_REF_H
#define GENMATH_HOST_REF_LINALG_REF_H

#include <complex.h>

#include "host/linalg/host.h"

typedef double complex gm_complex;

static inline gm_complex *gm_ref_take(gm_arena *arena, int64_t count) {
    return gm_arena_take(arena, count, sizeof(gm_complex));
}

/* Between a problem's matrix and memory; load returns false if an entry is not finite. store does
 * nothing for what is not wanted, and takes the real part for real types; ld is the step between
 * columns. */
bool gm_ref_load(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                 gm_complex *to);
bool gm_ref_store(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                  const gm_complex *from, int64_t ld);
bool gm_ref_load_layer(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                       const int64_t layer[2], gm_complex *to);
bool gm_ref_store_layer(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                        const int64_t layer[2], const gm_complex *from, int64_t ld);

/* A Hermitian matrix from its diagonal's real part and what is below it. */
bool gm_ref_load_hermitian(const gm_linalg_args *args, int64_t problem, gm_complex *to);
bool gm_ref_finite(int64_t count, const gm_complex *a);

/* The distance from 1 to the next number of the problem's precision. */
double gm_ref_eps(const gm_linalg_args *args);

/* The 1-norm and the Frobenius norm of an m x n matrix. */
double gm_ref_norm_1(int64_t m, int64_t n, const gm_complex *a);
double gm_ref_norm(int64_t m, int64_t n, const gm_complex *a);

/* c = a b, a m x k, b k x n. c overlaps neither. */
void gm_ref_multiply(int64_t m, int64_t n, int64_t k, const gm_complex *a, const gm_complex *b,
                     gm_complex *c);
/* b = a^H, a m x n. */
void gm_ref_adjoint(int64_t m, int64_t n, const gm_complex *a, gm_complex *b);
void gm_ref_identity(int64_t n, gm_complex *a);
void gm_ref_copy(int64_t count, const gm_complex *from, gm_complex *to);

/* LU in place, rows exchanged as permutation says; returns false if a pivot is 0. */
bool gm_ref_lu(int64_t m, int64_t n, gm_complex *a, int64_t *permutation);
/* x = A^-1 b from these factors, k columns; x is not b. */
void gm_ref_lu_solve(int64_t n, int64_t k, const gm_complex *lu, const int64_t *permutation,
                     const gm_complex *b, gm_complex *x);
/* 1 / (|A|_1 |A^-1|_1) from A and its inverse. */
double gm_ref_rcond(int64_t n, const gm_complex *a, const gm_complex *inverse);

/* A^-1 from these factors; identity: n^2 of scratch. */
void gm_ref_lu_inverse(int64_t n, const gm_complex *lu, const int64_t *permutation,
                       gm_complex *identity, gm_complex *inverse);

/* |left right - b| / scale in the Frobenius norm, left m x k, right k x n; 0 for a scale of 0.
 * product: m n of scratch. */
double gm_ref_relative_error(int64_t m, int64_t n, int64_t k, const gm_complex *left,
                             const gm_complex *right, const gm_complex *b, double scale,
                             gm_complex *product);

/* The reflection (I - tau v v^H)^H that takes x_k, x_k+1, ... x_m-1 to a real multiple of e_k: v, 0
 * above v_k = 1, and tau. */
gm_complex gm_ref_householder(int64_t m, int64_t k, const gm_complex *x, gm_complex *v);
/* a := (I - factor v v^H) a, n columns. */
void gm_ref_reflect(int64_t m, int64_t n, int64_t k, gm_complex factor, const gm_complex *v,
                    gm_complex *a);

/* Q, complete m x m, and R in place of a. v: m entries of scratch. */
void gm_ref_qr(int64_t m, int64_t n, gm_complex *a, gm_complex *q, gm_complex *v);

/* Hermitian a (all of it) to eigenvalues w ascending and vectors v; a is used up. False: no
 * convergence. */
bool gm_ref_eigen_hermitian(int64_t n, gm_complex *a, gm_complex *w, gm_complex *v);

/* The complete decomposition A = U S V^H: u m x m, s min(m, n) descending, v n x n (not its
 * adjoint). scratch: m n entries. */
bool gm_ref_svd(int64_t m, int64_t n, const gm_complex *a, gm_complex *u, gm_complex *s,
                gm_complex *v, gm_complex *scratch);

/* Any square a to eigenvalues w and, in the columns of v, eigenvectors of norm 1; a is used up.
 * scratch: n^2 + n. */
bool gm_ref_eigen(int64_t n, gm_complex *a, gm_complex *w, gm_complex *v, gm_complex *scratch);

/* exp(t A) into out; scratch: 2 n^2. False: it overflows. */
bool gm_ref_exp(int64_t n, double t, const gm_complex *a, gm_complex *out, gm_complex *scratch);

#define GM_REF_ITEM(kind, name)                                                                    \
    gm_linalg_outcome gm_ref_item_##name(const gm_linalg_args *args, int64_t problem,              \
                                         gm_arena *arena);
GM_LINALG_LIST(GM_REF_ITEM)
#undef GM_REF_ITEM

#endif
