/* Conformance cases of gm_sde_solve. */
#include "host/cli/ensemble_case.h"

#include <genmath/philox.h>

/* An SDE that is not compiled into the library, three noises for two components. */
GM_SYSTEM(relay, 2, 2, {
    dydt[0] = y[1] - p[0] * y[0];
    dydt[1] = gm_sin(t) - p[1] * y[1];
})
GM_DIFFUSION_MATRIX(relay, 2, 2, 3, {
    g[0] = (real)0.5;
    g[1] = (real)0.125 * y[1];
    g[2] = gm_sqrt(p[0]) * t;
    g[3] = 0;
    g[4] = p[0];
    g[5] = (real)-0.25;
})

/* With h = 1 a plain sum of normals, one column of noise a component. */
GM_SYSTEM(sums, 2, 1, { dydt[0] = dydt[1] = 0; })
GM_DIFFUSION_DIAGONAL(sums, 2, 1, { g[0] = g[1] = 1; })

typedef struct sde_spec {
    const char *sde; /* NULL: relay */
    gm_dtype dtype;
    double p_low[CASE_PARAMS], p_high[CASE_PARAMS], size;
} sde_spec;

static gm_status solve(gm_context *context, const gm_sde *sde, const gm_sde_options *options,
                       const ensemble_input *in, int64_t first, int64_t n, ensemble_output *out,
                       gm_case_result *result) {
    const int64_t saves = options->save_every > 0 ? options->steps / options->save_every : 0;
    ensemble_place at;
    gm_sde_plan *plan = NULL;
    gm_status status = case_open(context, options->dtype, sde->drift, saves, in, first, n, &at);
    if (status == GM_STATUS_OK) {
        status = gm_sde_plan_create(context, sde, options, &plan);
    }
    if (status == GM_STATUS_OK) {
        const gm_sde_result results = {&at.end, &at.saved, &at.time, &at.status};
        status = gm_sde_solve(plan, &at.y0, &at.params, &results);
    }
    if (result != NULL) {
        snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(context));
    }
    gm_sde_plan_destroy(plan);
    return case_close(&at, status, out);
}

/* The same noise and the same steps: their roundings add up like a random walk, amplified up to
 * four times; eight of its standard deviations. */
static gm_status compare(gm_context *reference, gm_context *subject, gm_case_result *result,
                         const sde_spec *spec) {
    const gm_sde *sde = spec->sde != NULL ? gm_sde_builtin(spec->sde) : &relay_sde;
    gm_sde_options o = {.dtype = spec->dtype,
                        .t1 = 1,
                        .steps = 30,
                        .seed = 12,
                        .first_index = 1u << 31,
                        .save_every = 7};
    ensemble_input in;
    ensemble_output exact = {0}, out = {0};
    case_fill(&in, 5, 0.5, 2, spec->p_low, spec->p_high, sde->drift->params);
    gm_status status = solve(subject, sde, &o, &in, 0, CASE_N, &out, result);
    if (status == GM_STATUS_OK) { /* the noise is that of the case's type, the arithmetic double */
        status = solve(reference, sde, &o, &in, 0, CASE_N, &exact, NULL);
    }
    if (status == GM_STATUS_OK) {
        result->error = case_compare(&exact, &out, sde->drift->dim, 4, result);
        result->bound = 8 * sqrt((double)o.steps) * 4 * case_unit(o.dtype) * spec->size;
    }
    return status;
}

/* Sums of the normals at their addresses, in the same order and type: numbers that are not equal.
 */
static gm_status noise(gm_context *subject, gm_case_result *result, gm_dtype dtype) {
    const gm_sde_options o = {.dtype = dtype,
                              .t1 = 3,
                              .steps = 3,
                              .seed = 77,
                              .first_index = UINT64_MAX - 9,
                              .save_every = 1};
    const double zero = 0;
    ensemble_input in;
    ensemble_output out = {0};
    case_fill(&in, 6, 0, 0, &zero, &zero, 1);
    const gm_status status = solve(subject, &sums_sde, &o, &in, 0, CASE_N, &out, result);
    for (int at = 0; at < 2 * CASE_N && status == GM_STATUS_OK; ++at) {
        const uint64_t i = o.first_index + (uint64_t)(at % CASE_N), c = (uint64_t)(at / CASE_N);
        double y = 0;
        for (uint64_t step = 0; step < 3; ++step) {
            y += dtype == GM_F64 ? gm_normal_f64(o.seed, i, GM_STREAM_SDE, 2 * step + c)
                                 : (double)gm_normal_f32(o.seed, i, GM_STREAM_SDE, 2 * step + c);
            y = dtype == GM_F64 ? y : (double)(float)y;
            const double got = out.saved[(step * 2 + c) * CASE_N + (uint64_t)(at % CASE_N)];
            /* ref adds floats in double: only its first is this sum */
            result->error +=
                got != y && (step == 0 || gm_context_backend(subject) != GM_BACKEND_REF);
        }
    }
    snprintf(result->detail, sizeof result->detail, "sums of normals with other bits");
    return status;
}

/* A slice that says where it begins against the whole: how many trajectories differ in a bit. */
static gm_status cut(gm_context *subject, gm_case_result *result, gm_dtype dtype) {
    static const int64_t first[] = {0, 0, 3, 69}, n[] = {1, 65, 64, 1};
    const double low[] = {0.2, 0.2}, high[] = {1, 1};
    gm_sde_options o = {.dtype = dtype, .t1 = 1, .steps = 9, .seed = 3, .save_every = 4};
    ensemble_input in;
    ensemble_output all = {0}, part = {0};
    case_fill(&in, 7, 0.5, 2, low, high, 2);
    gm_status status = solve(subject, &relay_sde, &o, &in, 0, CASE_N, &all, result);
    for (int k = 0; k < 4 && status == GM_STATUS_OK; ++k) {
        o.first_index = (uint64_t)first[k];
        status = solve(subject, &relay_sde, &o, &in, first[k], n[k], &part, result);
        result->error += case_bits(&all, &part, 2, 2, first[k], n[k]);
    }
    snprintf(result->detail, sizeof result->detail,
             "trajectories of slices that differ from the whole");
    return status;
}

/* Euler's steps of x - x^3 leave every bound from |x| > sqrt(2 / h): the 35 that start there must
 * fail, and no other. */
static gm_status blow_up(gm_context *subject, gm_case_result *result) {
    const double low = 0.1, high = 0.2;
    const gm_sde_options o = {.dtype = GM_F32, .t1 = 4, .steps = 80, .seed = 3, .save_every = 20};
    ensemble_input in;
    ensemble_output out = {0};
    case_fill(&in, 8, -1, 1, &low, &high, 1);
    for (int i = 0; i < CASE_N; i += 2) {
        in.y0[i] += 40;
    }
    const gm_status status =
        solve(subject, gm_sde_builtin("double_well_langevin"), &o, &in, 0, CASE_N, &out, result);
    for (int i = 0; i < CASE_N && status == GM_STATUS_OK; ++i) {
        const bool failed = out.status[i] == GM_STATUS_NON_FINITE && out.time[i] < 1 &&
                            isnan(out.saved[3 * CASE_N + i]);
        const bool well = out.status[i] == GM_STATUS_OK && out.time[i] == 4 &&
                          out.saved[3 * CASE_N + i] == out.end[i];
        result->error += !(i % 2 == 0 ? failed : well) || !isfinite(out.end[i]);
    }
    snprintf(result->detail, sizeof result->detail,
             "trajectories with the wrong status, time or save");
    return status;
}

#define COMPARE(name, ...)                                                                         \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        static const sde_spec spec = __VA_ARGS__;                                                  \
        return compare(reference, subject, result, &spec);                                         \
    }
#define ON_SUBJECT(name, call)                                                                     \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        (void)reference;                                                                           \
        return call;                                                                               \
    }

#define HESTON_DATA {0, 1, 0.2, 0.1, -0.9}, {0.1, 2, 0.5, 0.5, 0.9}, 20
COMPARE(gbm_f64, {"gbm", GM_F64, {0.1, 0.1}, {1, 0.6}, 20})
COMPARE(gbm_f32, {"gbm", GM_F32, {0.1, 0.1}, {1, 0.6}, 20})
COMPARE(heston_f64, {"heston", GM_F64, HESTON_DATA})
COMPARE(heston_f32, {"heston", GM_F32, HESTON_DATA})
COMPARE(user_f64, {NULL, GM_F64, {0.2, 0.2}, {1, 1}, 10})
COMPARE(user_f32, {NULL, GM_F32, {0.2, 0.2}, {1, 1}, 10})
ON_SUBJECT(noise_f64, noise(subject, result, GM_F64))
ON_SUBJECT(noise_f32, noise(subject, result, GM_F32))
ON_SUBJECT(cut_f64, cut(subject, result, GM_F64))
ON_SUBJECT(cut_f32, cut(subject, result, GM_F32))
ON_SUBJECT(blow_up_f32, blow_up(subject, result))

const gm_case gm_sde_cases[] = {
    {"sde_solve/f64/diagonal", gbm_f64},
    {"sde_solve/f32/diagonal", gbm_f32},
    {"sde_solve/f64/matrix", heston_f64},
    {"sde_solve/f32/matrix", heston_f32},
    {"sde_solve/f64/matrix, user's", user_f64},
    {"sde_solve/f32/matrix, user's", user_f32},
    {"sde_solve/f64/noise bits", noise_f64},
    {"sde_solve/f32/noise bits", noise_f32},
    {"sde_solve/f64/cut", cut_f64},
    {"sde_solve/f32/cut", cut_f32},
    {"sde_solve/f32/blow-up", blow_up_f32},
};
const int gm_sde_cases_count = sizeof gm_sde_cases / sizeof gm_sde_cases[0];
