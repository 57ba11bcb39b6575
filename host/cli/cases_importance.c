/* Conformance cases of gm_importance_*: estimates and samples within rounding, indices to the bit.
 */
#include "host/cli/importance_case.h"

/* Of 4 coordinates, with a parameter, and none of the library's. */
GM_DENSITY(
    ridge, 4, 1,
    {
        const real bend = y[0] - gm_sin(y[1]);
        logp[0] = -p[0] * bend * bend - (real)0.25 * (y[1] * y[1] + y[2] * y[2] + y[3] * y[3]);
    },
    {
        const real bend = y[0] - gm_sin(y[1]);
        grad[0] = -2 * p[0] * bend;
        grad[1] = 2 * p[0] * bend * gm_cos(y[1]) - (real)0.5 * y[1];
        grad[2] = (real)-0.5 * y[2];
        grad[3] = (real)-0.5 * y[3];
    })

/* Both, and what they made. */
static gm_status finish(gm_context *reference, gm_context *subject, gm_status status,
                        importance_run run, importance_arrays *a, importance_arrays *b,
                        gm_case_result *result) {
    status = status == GM_STATUS_OK ? run(reference, a) : status;
    status = status == GM_STATUS_OK ? run(subject, b) : status;
    for (int i = 0; i < 4 && status == GM_STATUS_OK && a->out[i].data != NULL; ++i) {
        status = importance_compare(reference, &a->out[i], subject, &b->out[i], result);
    }
    importance_close(reference, a);
    importance_close(subject, b);
    return status;
}

/* n terms in two orders. */
static gm_status weigh(gm_context *reference, gm_context *subject, gm_dtype dtype, int64_t k,
                       int64_t n, gm_case_result *result) {
    importance_arrays a = {0}, b = {0};
    gm_status status = importance_weigh_open(reference, dtype, k, n, &a);
    status = status == GM_STATUS_OK ? importance_weigh_open(subject, dtype, k, n, &b) : status;
    result->bound = 64 * (double)(n + 16) * 0x1p-53;
    return finish(reference, subject, status, importance_weigh_run, &a, &b, result);
}

static gm_status resample(gm_context *reference, gm_context *subject, gm_resampling method,
                          gm_case_result *result) {
    importance_arrays a = {0}, b = {0};
    gm_status status = importance_resample_open(reference, method, 3, 5000, &a);
    status =
        status == GM_STATUS_OK ? importance_resample_open(subject, method, 3, 5000, &b) : status;
    return finish(reference, subject, status, importance_resample_run, &a, &b, result);
}

/* Some dozens of operations on numbers below 8. */
static gm_status draw(gm_context *reference, gm_context *subject, gm_dtype dtype,
                      gm_case_result *result) {
    importance_arrays a = {0}, b = {0};
    gm_status status = importance_draw_open(reference, &ridge, dtype, 3, 200, &a);
    status =
        status == GM_STATUS_OK ? importance_draw_open(subject, &ridge, dtype, 3, 200, &b) : status;
    result->bound = dtype == GM_F64 ? 64 * 0x1p-53 : 64 * 0x1p-24;
    return finish(reference, subject, status, importance_draw_run, &a, &b, result);
}

/* name, what it is called, the call */
#define CASES(X)                                                                                   \
    X(weigh64, "weigh/f64/long", weigh(reference, subject, GM_F64, 2, 9001, result))               \
    X(weigh32, "weigh/f32/many", weigh(reference, subject, GM_F32, 60, 50, result))                \
    X(systematic, "resample/systematic",                                                           \
      resample(reference, subject, GM_RESAMPLE_SYSTEMATIC, result))                                \
    X(multinomial, "resample/multinomial",                                                         \
      resample(reference, subject, GM_RESAMPLE_MULTINOMIAL, result))                               \
    X(draw64, "draw/f64", draw(reference, subject, GM_F64, result))                                \
    X(draw32, "draw/f32", draw(reference, subject, GM_F32, result))

#define DEFINE(name, text, call)                                                                   \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return call;                                                                               \
    }
CASES(DEFINE)

#define ENTRY(name, text, call) {"importance_" text, run_##name},
const gm_case gm_importance_cases[] = {CASES(ENTRY)};
const int gm_importance_cases_count = sizeof gm_importance_cases / sizeof gm_importance_cases[0];
