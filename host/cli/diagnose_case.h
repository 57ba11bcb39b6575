/* Draws and calls of gm_diagnose that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_DIAGNOSE_CASE_H
#define GENMATH_HOST_CLI_DIAGNOSE_CASE_H

#include <math.h>
#include <stdlib.h>

#include <genmath/diagnostics.h>
#include <genmath/philox.h>

#include "host/cli/cases.h"

typedef struct diagnose_arrays {
    gm_tensor draws, out, scratch; /* (quantities, n, m), (quantities), bytes */
    gm_workspace workspace;
} diagnose_arrays;

static inline void diagnose_close(gm_context *context, diagnose_arrays *a) {
    gm_case_free(context, &a->draws);
    gm_case_free(context, &a->out);
    gm_case_free(context, &a->scratch);
}

/* Autoregressive chains, x = 0.7 x + z, those of odd number 0.1 higher. */
static inline gm_status diagnose_fill(gm_context *context, gm_dtype dtype, const int64_t *shape,
                                      gm_tensor *draws) {
    const int64_t n = shape[1], m = shape[2], all = shape[0] * n * m;
    double *x = malloc(sizeof *x * (size_t)all);
    float *narrow = malloc(sizeof *narrow * (size_t)all);
    gm_status status = x == NULL || narrow == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    for (int64_t i = 0; i < all && status == GM_STATUS_OK; ++i) {
        const int64_t t = i / m % n, place = i - (t > 0 ? m : 0);
        x[i] = (t > 0 ? 0.7 * x[place] : 0) + gm_normal_f64(5, (uint64_t)i, GM_STREAM_USER, 0) +
               (i % m % 2 != 0 ? 0.03 : 0);
        narrow[i] = (float)x[i];
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, dtype == GM_F64 ? (void *)x : (void *)narrow, dtype, 3,
                                shape, draws);
    }
    free(x);
    free(narrow);
    return status;
}

static inline gm_status diagnose_open(gm_context *context, const gm_diagnose_options *options,
                                      gm_dtype dtype, const int64_t *shape, diagnose_arrays *a) {
    CASE_TRY(diagnose_fill(context, dtype, shape, &a->draws));
    CASE_TRY(gm_case_alloc(context, GM_F64, 1, shape, &a->out));
    CASE_TRY(gm_diagnose(context, options, &a->draws, &a->out, &a->workspace));
    const int64_t bytes = (int64_t)a->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &a->scratch));
    a->workspace.data = a->scratch.data;
    return GM_STATUS_OK;
}

/* The largest relative difference of two results; ref sums in order, S terms. */
static inline gm_status diagnose_compare(gm_context *reference, const diagnose_arrays *a,
                                         gm_context *subject, const diagnose_arrays *b,
                                         gm_case_result *result) {
    const int64_t q = a->out.shape[0];
    double *x = malloc(sizeof *x * 2 * (size_t)q);
    if (x == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = gm_case_download(reference, &a->out, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, &b->out, x + q) : status;
    for (int64_t i = 0; i < q && status == GM_STATUS_OK; ++i) {
        const double apart = fabs(x[i] - x[q + i]) / fabs(x[i]);
        result->error = apart <= result->error ? result->error : apart;
    }
    result->bound = 1e-12 + 0x1p-51 * (double)(a->draws.shape[1] * a->draws.shape[2]);
    free(x);
    return status;
}

#endif
