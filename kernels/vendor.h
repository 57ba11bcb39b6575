/*
 * What the modules ask of vendor libraries, on column-major matrices in the backend's memory,
 * queued in the call's stream. The cuda module answers with cuSOLVER and cuBLAS (vendor.cu), opened
 * when first needed, so that it loads where they are not; the emu module with LAPACK and BLAS
 * (tests/emu/vendor_lapack.cpp). Only what is used is here.
 *
 * A matrix is m x n, `ld` from column to column. `info` is an int32_t in the backend's memory and
 * gets LAPACK's: 0, or k for a failure at pivot k. Nothing is allocated once vendor_open has been
 * called for the stream and, for general eigenvalues, vendor_spectrum_work for the size.
 */
#pragma once

#include "host/backend.h"

namespace gm {

/* UNSUPPORTED, naming the library, where it is not there or not usable. */
gm_status vendor_open(gm_call *call);

enum vendor_factorization {
    VENDOR_LU,       /* pivots: LAPACK's, from 1 */
    VENDOR_CHOLESKY, /* the lower triangle */
    VENDOR_QR,       /* tau */
    VENDOR_FORM_Q    /* the first n columns from k reflections and tau */
};

struct vendor_factor {
    vendor_factorization what;
    gm_dtype dtype;
    int m, n, k;
    void *a;
    int ld;
    void *tau;
    int32_t *pivots, *info;
    void *work;
    int work_elements; /* of dtype: as vendor_work says for these sizes */
};

gm_status vendor_work(gm_call *call, const vendor_factor *factor, int *elements);
gm_status vendor_run(gm_call *call, const vendor_factor *factor);

/* b := op(a)^-1 b for a triangle a of n rows and k columns of b; transpose: the conjugate's too. */
struct vendor_substitution {
    gm_dtype dtype;
    bool upper, unit, transpose;
    int n, k;
    const void *a;
    int lda;
    void *b;
    int ldb;
};

gm_status vendor_substitute(gm_call *call, const vendor_substitution *s);

enum vendor_spectrum_kind { VENDOR_SINGULAR, VENDOR_HERMITIAN, VENDOR_GENERAL };

/* Whether the library that vendor_open has found knows it. */
bool vendor_has(vendor_spectrum_kind kind);

/* a, used up, to singular values w descending, m >= n, u with `columns` columns, n or m, and the
 * adjoint vh of v, n x n; or the lower triangle of a Hermitian a, n x n, to eigenvalues w ascending
 * and vectors in place of a; or any complex a, n x n, used up, to eigenvalues w and vectors u of
 * norm 1. columns 0: values only. */
struct vendor_spectrum {
    vendor_spectrum_kind kind;
    gm_dtype dtype;
    int m, n, columns;
    void *a;
    int lda;
    void *w, *u;
    int ldu;
    void *vh;
    int ldvh;
    int32_t *info;
    void *work;
    int work_elements; /* of dtype: as vendor_spectrum_work says for these sizes */
};

gm_status vendor_spectrum_work(gm_call *call, const vendor_spectrum *s, int *elements);
gm_status vendor_spectrum_run(gm_call *call, const vendor_spectrum *s);

} // namespace gm
