/* What the conformance cases of ODE and SDE ensembles share: a problem in a context's memory. */
#ifndef GENMATH_HOST_CLI_ENSEMBLE_CASE_H
#define GENMATH_HOST_CLI_ENSEMBLE_CASE_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/ode.h>
#include <genmath/sde.h>

#include "host/cli/cases.h"

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), as a number in [low, high) that a float holds. */
static inline double case_random(uint64_t *state, double low, double high) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)(float)(low + (high - low) * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53);
}

static inline double case_unit(gm_dtype dtype) {
    return dtype == GM_F64 ? DBL_EPSILON / 2 : (double)FLT_EPSILON / 2;
}

enum { CASE_N = 70, CASE_DIM = 3, CASE_PARAMS = 5, CASE_SAVES = 4 };

/* The start and parameters of up to CASE_N trajectories, (rows, CASE_N), and their ranges. */
typedef struct ensemble_input {
    double y0[CASE_DIM * CASE_N], params[CASE_PARAMS * CASE_N];
} ensemble_input;

static inline void case_fill(ensemble_input *in, uint64_t seed, double y_low, double y_high,
                             const double *p_low, const double *p_high, int params) {
    for (int i = 0; i < CASE_DIM * CASE_N; ++i) {
        in->y0[i] = case_random(&seed, y_low, y_high);
    }
    for (int i = 0; i < params * CASE_N; ++i) {
        in->params[i] = case_random(&seed, p_low[i / CASE_N], p_high[i / CASE_N]);
    }
}

/* What came back, floats widened. */
typedef struct ensemble_output {
    double end[CASE_DIM * CASE_N], saved[CASE_SAVES * CASE_DIM * CASE_N], time[CASE_N];
    int32_t status[CASE_N];
} ensemble_output;

typedef struct ensemble_place {
    gm_context *context;
    gm_dtype dtype;
    int64_t dim, n, saves;
    gm_tensor y0, params, end, saved, time, status;
} ensemble_place;

static inline gm_status case_upload(gm_context *context, gm_dtype dtype, const double *values,
                                    int64_t rows, int64_t first, int64_t n, gm_tensor *tensor) {
    double wide[CASE_PARAMS * CASE_N];
    float narrow[CASE_PARAMS * CASE_N];
    const int64_t shape[] = {rows, n};
    for (int64_t at = 0; at < rows * n; ++at) {
        wide[at] = values[at / n * CASE_N + first + at % n];
        narrow[at] = (float)wide[at];
    }
    return gm_case_upload(context, dtype == GM_F64 ? (const void *)wide : narrow, dtype, 2, shape,
                          tensor);
}

/* Trajectories first .. first + n - 1 of the input, and outputs for them. */
static inline gm_status case_open(gm_context *context, gm_dtype dtype, const gm_system *system,
                                  int64_t saves, const ensemble_input *in, int64_t first, int64_t n,
                                  ensemble_place *at) {
    const int64_t end[] = {system->dim, n}, saved[] = {saves, system->dim, n};
    *at = (ensemble_place){
        .context = context, .dtype = dtype, .dim = system->dim, .n = n, .saves = saves};
    gm_status status = case_upload(context, dtype, in->y0, system->dim, first, n, &at->y0);
    if (status == GM_STATUS_OK) {
        status = case_upload(context, dtype, in->params, system->params, first, n, &at->params);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 2, end, &at->end);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 3, saved, &at->saved);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 1, &n, &at->time);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, GM_I32, 1, &n, &at->status);
    }
    return status;
}

static inline gm_status case_fetch(const ensemble_place *at, const gm_tensor *tensor, int64_t count,
                                   double *values) {
    float narrow[CASE_SAVES * CASE_DIM * CASE_N];
    if (at->dtype == GM_F64) {
        return gm_case_download(at->context, tensor, values);
    }
    const gm_status status = gm_case_download(at->context, tensor, narrow);
    for (int64_t i = 0; i < count && status == GM_STATUS_OK; ++i) {
        values[i] = (double)narrow[i];
    }
    return status;
}

/* Takes the outputs if `status` is OK, and frees everything. */
static inline gm_status case_close(ensemble_place *at, gm_status status, ensemble_output *out) {
    gm_tensor *const all[] = {&at->y0, &at->params, &at->end, &at->saved, &at->time, &at->status};
    if (status == GM_STATUS_OK) {
        status = case_fetch(at, &at->end, at->dim * at->n, out->end);
    }
    if (status == GM_STATUS_OK) {
        status = case_fetch(at, &at->saved, at->saves * at->dim * at->n, out->saved);
    }
    if (status == GM_STATUS_OK) {
        status = case_fetch(at, &at->time, at->n, out->time);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(at->context, &at->status, out->status);
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        gm_case_free(at->context, all[i]);
    }
    return status;
}

/* The largest difference of ends and saves; infinite where two statuses differ. */
static inline double case_compare(const ensemble_output *exact, const ensemble_output *out,
                                  int64_t dim, int64_t saves, gm_case_result *result) {
    int64_t at = 0;
    const double ends = gm_case_difference(GM_F64, exact->end, out->end, dim * CASE_N, &at);
    const double saved =
        gm_case_difference(GM_F64, exact->saved, out->saved, saves * dim * CASE_N, NULL);
    snprintf(result->detail, sizeof result->detail,
             "end[%d] of trajectory %d: %.9g, reference %.9g", (int)(at / CASE_N),
             (int)(at % CASE_N), out->end[at], exact->end[at]);
    for (int i = 0; i < CASE_N; ++i) {
        if (exact->status[i] != out->status[i]) {
            snprintf(result->detail, sizeof result->detail,
                     "status of trajectory %d: %s, reference %s", i,
                     gm_status_string((gm_status)out->status[i]),
                     gm_status_string((gm_status)exact->status[i]));
            return INFINITY;
        }
    }
    return fmax(ends, saved);
}

/* The number of trajectories of `part`, n of them, that differ in a bit from those of `all` from
 * `first` on. */
static inline int case_bits(const ensemble_output *all, const ensemble_output *part, int64_t dim,
                            int64_t saves, int64_t first, int64_t n) {
    int different = 0;
    for (int64_t i = 0; i < n; ++i) {
        bool same =
            all->status[first + i] == part->status[i] && all->time[first + i] == part->time[i];
        for (int64_t row = 0; row < dim; ++row) {
            same = same &&
                   memcmp(&all->end[row * CASE_N + first + i], &part->end[row * n + i], 8) == 0;
        }
        for (int64_t row = 0; row < saves * dim; ++row) {
            same = same &&
                   memcmp(&all->saved[row * CASE_N + first + i], &part->saved[row * n + i], 8) == 0;
        }
        different += !same;
    }
    return different;
}

#endif
