/* Conformance cases of gm_gibbs_run. */
#include <math.h>
#include <stdio.h>

#include <genmath/gibbs.h>

#include "host/cli/cases.h"
#include "host/cli/ensemble_case.h"

/* Of an odd dimension, with parameters, noise that fills no block, and none of the library's: a
 * draw by inversion, a Metropolis step, a gamma step. */
GM_GIBBS(mixed, 3, 2, 3, 3, 3, {
    switch (block) {
    case 0: {
        next[0] = gm_sin(y[1]) + p[0] * gm_normal_between(y[2] - 1, y[2] + 1, u[2]) + z[1];
        break;
    }
    case 1: {
        const real to = y[1] + p[1] * z[2];
        next[1] = gm_log(u[1]) <= (real)0.5 * (y[1] * y[1] - to * to) ? to : y[1];
        break;
    }
    default: {
        next[2] = gm_gamma_step(y[2], 2 + p[0] + gm_tanh(y[0]), z[0], u[0]);
        break;
    }
    }
})

enum { SWEEPS = 10 };

typedef struct gibbs_spec {
    const char *gibbs; /* NULL: mixed */
    gm_dtype dtype;
    gm_gibbs_order order;
} gibbs_spec;

/* What came back, floats widened. */
typedef struct gibbs_output {
    double state[CASE_DIM * CASE_N], mean[CASE_DIM * CASE_N];
    int32_t status[CASE_N];
} gibbs_output;

static void widen(gm_dtype dtype, const void *from, int64_t n, double *to) {
    for (int64_t i = 0; i < n; ++i) {
        to[i] = dtype == GM_F64 ? ((const double *)from)[i] : (double)((const float *)from)[i];
    }
}

typedef struct gibbs_place {
    gm_gibbs_plan *plan;
    gm_tensor y, p, mean, status;
} gibbs_place;

/* SWEEPS sweeps of all chains, parameters between 0.4 and 0.9. */
static gm_status sweep_chains(gm_context *context, const gibbs_spec *spec, const double *start,
                              gibbs_place *at, gibbs_output *out) {
    const gm_gibbs *gibbs = spec->gibbs != NULL ? gm_gibbs_builtin(spec->gibbs) : &mixed;
    const gm_gibbs_options options = {.dtype = spec->dtype,
                                      .order = spec->order,
                                      .sweeps = SWEEPS,
                                      .seed = 0x5eed,
                                      .first_index = 12345678901};
    const int64_t dim = gibbs->dim, n = CASE_N, shape[] = {dim, n};
    double params[CASE_DIM * CASE_N], raw[CASE_DIM * CASE_N];
    uint64_t random = 3;
    for (int i = 0; i < CASE_DIM * CASE_N; ++i) {
        params[i] = case_random(&random, 0.4, 0.9);
    }
    CASE_TRY(gm_gibbs_plan_create(context, gibbs, &options, &at->plan));
    CASE_TRY(case_upload(context, spec->dtype, start, dim, 0, n, &at->y));
    CASE_TRY(case_upload(context, spec->dtype, params, gibbs->params, 0, n, &at->p));
    CASE_TRY(gm_case_alloc(context, spec->dtype, 2, shape, &at->mean));
    CASE_TRY(gm_case_alloc(context, GM_I32, 1, &n, &at->status));
    CASE_TRY(gm_gibbs_run(
        at->plan, 77, &(gm_gibbs_input){&at->y, &at->p},
        &(gm_gibbs_result){.state = &at->y, .mean = &at->mean, .status = &at->status}));
    CASE_TRY(gm_case_download(context, &at->y, raw));
    widen(spec->dtype, raw, dim * n, out->state);
    CASE_TRY(gm_case_download(context, &at->mean, raw));
    widen(spec->dtype, raw, dim * n, out->mean);
    return gm_case_download(context, &at->status, out->status);
}

static gm_status run_chains(gm_context *context, const gibbs_spec *spec, const double *start,
                            gibbs_output *out) {
    gibbs_place at = {0};
    const gm_status status = sweep_chains(context, spec, start, &at, out);
    gm_gibbs_plan_destroy(at.plan);
    gm_case_free(context, &at.y);
    gm_case_free(context, &at.p);
    gm_case_free(context, &at.mean);
    gm_case_free(context, &at.status);
    return status;
}

/*
 * Chains that differ from the reference's. A decision compares floats: a chain may part from it
 * where a ratio is within rounding of the noise, which in double has a probability of 1e-11 for all
 * of them and in float of 1e-3, so that one of 70 may.
 */
static gm_status compare(gm_context *reference, gm_context *subject, gm_case_result *result,
                         const gibbs_spec *spec) {
    const double allowed = spec->dtype == GM_F64 ? 1e-11 : 3e-3;
    const int dim = spec->gibbs != NULL ? gm_gibbs_builtin(spec->gibbs)->dim : mixed.dim;
    double start[CASE_DIM * CASE_N];
    gibbs_output exact, out;
    uint64_t random = 9;
    for (int i = 0; i < CASE_DIM * CASE_N; ++i) {
        start[i] = case_random(&random, 0.5, 1.5);
    }
    start[3] = NAN; /* this chain fails alone */
    CASE_TRY(run_chains(reference, spec, start, &exact));
    CASE_TRY(run_chains(subject, spec, start, &out));
    for (int i = 0; i < CASE_N; ++i) {
        bool same = out.status[i] == (i == 3 ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
        for (int c = 0; c < 2 * dim; ++c) {
            const int at = c % dim * CASE_N + i;
            const double a = c < dim ? out.state[at] : out.mean[at];
            const double b = c < dim ? exact.state[at] : exact.mean[at];
            same = same && (isnan(a) ? isnan(b) && i == 3 : fabs(a - b) <= allowed * (1 + fabs(b)));
        }
        result->error += !same;
    }
    result->bound = spec->dtype == GM_F64 ? 0 : 1;
    snprintf(result->detail, sizeof result->detail,
             "chains of %d that are elsewhere after %d sweeps", CASE_N, SWEEPS);
    return GM_STATUS_OK;
}

#define COMPARE(name, ...)                                                                         \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        static const gibbs_spec spec = {__VA_ARGS__};                                              \
        return compare(reference, subject, result, &spec);                                         \
    }
COMPARE(pair_f64, "normal_pair", GM_F64, GM_GIBBS_SYSTEMATIC)
COMPARE(pair_f32, "normal_pair", GM_F32, GM_GIBBS_SYSTEMATIC)
COMPARE(well_f64, "coupled_well", GM_F64, GM_GIBBS_RANDOM)
COMPARE(well_f32, "coupled_well", GM_F32, GM_GIBBS_RANDOM)
COMPARE(user_f64, NULL, GM_F64, GM_GIBBS_SYSTEMATIC)
COMPARE(user_f32, NULL, GM_F32, GM_GIBBS_SYSTEMATIC)
COMPARE(random_f64, NULL, GM_F64, GM_GIBBS_RANDOM)
COMPARE(random_f32, NULL, GM_F32, GM_GIBBS_RANDOM)

const gm_case gm_gibbs_cases[] = {
    {"gibbs_run/f64/two normals", pair_f64},
    {"gibbs_run/f32/two normals", pair_f32},
    {"gibbs_run/f64/Metropolis block, random order", well_f64},
    {"gibbs_run/f32/Metropolis block, random order", well_f32},
    {"gibbs_run/f64/user's", user_f64},
    {"gibbs_run/f32/user's", user_f32},
    {"gibbs_run/f64/user's, random order", random_f64},
    {"gibbs_run/f32/user's, random order", random_f32},
};
const int gm_gibbs_cases_count = sizeof gm_gibbs_cases / sizeof gm_gibbs_cases[0];
