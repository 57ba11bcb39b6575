/* Calls of gm_importance_* that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_IMPORTANCE_CASE_H
#define GENMATH_HOST_CLI_IMPORTANCE_CASE_H

#include <math.h>
#include <stdlib.h>

#include <genmath/importance.h>
#include <genmath/philox.h>

#include "host/cli/cases.h"

/* Of an operation: what it is given, what it makes. */
typedef struct importance_arrays {
    gm_importance_plan *plan; /* of a draw */
    gm_dtype dtype;
    gm_resampling method;
    gm_tensor in[4], out[4], scratch;
    gm_workspace workspace;
} importance_arrays;

typedef gm_status (*importance_run)(gm_context *context, importance_arrays *a);

static inline void importance_close(gm_context *context, importance_arrays *a) {
    gm_importance_plan_destroy(a->plan);
    for (int i = 0; i < 4; ++i) {
        gm_case_free(context, &a->in[i]);
        gm_case_free(context, &a->out[i]);
    }
    gm_case_free(context, &a->scratch);
}

/* middle + spread z, or its exponential; number `which` of a case's inputs. */
static inline gm_status importance_fill(gm_context *context, gm_dtype dtype, int32_t ndim,
                                        const int64_t *shape, int which, double middle,
                                        double spread, int exponential, gm_tensor *to) {
    int64_t n = 1;
    for (int32_t axis = 0; axis < ndim; ++axis) {
        n *= shape[axis];
    }
    double *x = malloc(sizeof *x * (size_t)(n + 1));
    float *narrow = malloc(sizeof *narrow * (size_t)(n + 1));
    gm_status status = x == NULL || narrow == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    for (int64_t i = 0; i < n && status == GM_STATUS_OK; ++i) {
        x[i] = middle + spread * gm_normal_f64((uint64_t)which, (uint64_t)i, GM_STREAM_USER, 0);
        x[i] = exponential != 0 ? exp(x[i]) : x[i];
        narrow[i] = (float)x[i];
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, dtype == GM_F64 ? (void *)x : (void *)narrow, dtype, ndim,
                                shape, to);
    }
    free(x);
    free(narrow);
    return status;
}

static inline gm_status importance_scratch(gm_context *context, importance_arrays *a) {
    const int64_t bytes = (int64_t)a->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &a->scratch));
    a->workspace.data = a->scratch.data;
    return GM_STATUS_OK;
}

/* ---- estimates: log_target, log_proposal, two functions; normalizer, mean, its error, weights --
 */

static inline gm_status importance_weigh_run(gm_context *context, importance_arrays *a) {
    const gm_tensor normalizer = gm_tensor_1d(a->out[0].data, GM_F64, a->out[0].shape[0]);
    const gm_importance_estimates wanted = {.log_normalizer = &normalizer,
                                            .mean = &a->out[1],
                                            .mean_error = &a->out[2],
                                            .weights = &a->out[3]};
    return gm_importance_weigh(context, &a->in[0], &a->in[1], &a->in[2], &wanted, &a->workspace);
}

static inline gm_status importance_weigh_open(gm_context *context, gm_dtype dtype, int64_t k,
                                              int64_t n, importance_arrays *a) {
    const int64_t rows[] = {k, n}, cubes[] = {k, 2, n}, pairs[] = {k, 2};
    CASE_TRY(importance_fill(context, dtype, 2, rows, 1, -3, 1, 0, &a->in[0]));
    CASE_TRY(importance_fill(context, dtype, 2, rows, 2, 5, 0.5, 0, &a->in[1]));
    CASE_TRY(importance_fill(context, dtype, 3, cubes, 3, 2, 1, 0, &a->in[2]));
    CASE_TRY(gm_case_alloc(context, GM_F64, 1, rows, &a->out[0]));
    CASE_TRY(gm_case_alloc(context, GM_F64, 2, pairs, &a->out[1]));
    CASE_TRY(gm_case_alloc(context, GM_F64, 2, pairs, &a->out[2]));
    CASE_TRY(gm_case_alloc(context, GM_F64, 2, rows, &a->out[3]));
    CASE_TRY(importance_weigh_run(context, a));
    return importance_scratch(context, a);
}

/* ---- resampling: weights; indices --------------------------------------------------------------
 */

static inline gm_status importance_resample_run(gm_context *context, importance_arrays *a) {
    const gm_resample_options options = {a->method, 5, 77};
    return gm_importance_resample(context, &options, &a->in[0], &a->out[0], NULL, &a->workspace);
}

static inline gm_status importance_resample_open(gm_context *context, gm_resampling method,
                                                 int64_t k, int64_t n, importance_arrays *a) {
    const int64_t rows[] = {k, n};
    a->method = method;
    CASE_TRY(importance_fill(context, GM_F64, 2, rows, 4, 0, 2, 1, &a->in[0]));
    CASE_TRY(gm_case_alloc(context, GM_I32, 2, rows, &a->out[0]));
    CASE_TRY(importance_resample_run(context, a));
    return importance_scratch(context, a);
}

/* ---- samples: means, a factor, parameters; points, both log densities -------------------------
 */

static inline gm_status importance_draw_run(gm_context *context, importance_arrays *a) {
    (void)context;
    const gm_importance_input in = {.mean = &a->in[0], .factor = &a->in[1], .params = &a->in[2]};
    return gm_importance_draw(a->plan, &in,
                              &(gm_importance_samples){&a->out[0], &a->out[1], &a->out[2]});
}

static inline gm_status importance_draw_open(gm_context *context, const gm_density *density,
                                             gm_dtype dtype, int64_t k, int64_t n,
                                             importance_arrays *a) {
    const int64_t dim = density->dim, means[] = {k, dim}, factors[] = {k, dim, dim};
    const int64_t params[] = {k, density->params}, points[] = {k, dim, n}, rows[] = {k, n};
    const gm_importance_options options = {dtype, 0x5eed, 12345678901};
    CASE_TRY(gm_importance_plan_create(context, density, 0, &options, &a->plan));
    CASE_TRY(importance_fill(context, dtype, 2, means, 5, 0, 1, 0, &a->in[0]));
    CASE_TRY(importance_fill(context, dtype, 3, factors, 6, 0, 0.2, 1, &a->in[1]));
    CASE_TRY(importance_fill(context, dtype, 2, params, 7, 0, 0.3, 1, &a->in[2]));
    CASE_TRY(gm_case_alloc(context, dtype, 3, points, &a->out[0]));
    CASE_TRY(gm_case_alloc(context, dtype, 2, rows, &a->out[1]));
    return gm_case_alloc(context, dtype, 2, rows, &a->out[2]);
}

/* The largest difference of one output, over 1 + the size of its numbers. */
static inline gm_status importance_compare(gm_context *reference, const gm_tensor *a,
                                           gm_context *subject, const gm_tensor *b,
                                           gm_case_result *result) {
    int64_t n = 1;
    for (int32_t axis = 0; axis < a->ndim; ++axis) {
        n *= a->shape[axis];
    }
    char *x = malloc(2 * 8 * (size_t)(n + 1)), *y = x + 8 * (n + 1);
    if (x == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = gm_case_download(reference, a, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, b, y) : status;
    if (status == GM_STATUS_OK && a->dtype == GM_I32) {
        result->error += (double)gm_case_bit_differences(4, x, y, n, NULL);
    } else if (status == GM_STATUS_OK) {
        double size = 1;
        for (int64_t i = 0; i < n; ++i) {
            const double one = a->dtype == GM_F64 ? ((const double *)(void *)x)[i]
                                                  : (double)((const float *)(void *)x)[i];
            size = fmax(size, fabs(one));
        }
        const double apart = gm_case_difference(a->dtype, x, y, n, NULL) / size;
        result->error = apart <= result->error ? result->error : apart;
    }
    free(x);
    return status;
}

#endif
