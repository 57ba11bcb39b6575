/* Conformance cases of gm_ode_solve. */
#include "host/cli/ensemble_case.h"

/* A system that is not compiled into the library: on a GPU NVRTC makes its kernel. */
GM_SYSTEM(relay, 3, 2, {
    dydt[0] = y[1] - p[0] * y[0];
    dydt[1] = -y[0] + p[1] * gm_sin(t) * y[2];
    dydt[2] = gm_tanh(y[0]) - y[2] + (real)0.5;
})

/* 1 / (1 / y0 - t): ends at t = 1 / y0. */
GM_SYSTEM(square, 1, 1, { dydt[0] = p[0] * y[0] * y[0]; })

typedef struct ode_spec {
    const char *system; /* NULL: relay */
    gm_ode_options options;
    double y_low, y_high, p_low[CASE_PARAMS], p_high[CASE_PARAMS];
    double size,
        amplified; /* of the states, and how much an error made early can have grown by t1 */
} ode_spec;

static const double save_times[CASE_SAVES] = {0, 0.2, 0.555, 1};

static gm_status solve(gm_context *context, const gm_system *system, const gm_ode_options *options,
                       const ensemble_input *in, int64_t first, int64_t n, ensemble_output *out,
                       gm_case_result *result) {
    ensemble_place at;
    gm_ode_plan *plan = NULL;
    gm_status status =
        case_open(context, options->dtype, system, options->save_count, in, first, n, &at);
    if (status == GM_STATUS_OK) {
        status = gm_ode_plan_create(context, system, options, &plan);
    }
    if (status == GM_STATUS_OK) {
        const gm_ode_result results = {
            .end = &at.end, .saved = &at.saved, .time = &at.time, .status = &at.status};
        status = gm_ode_solve(plan, &at.y0, &at.params, &results);
    }
    if (result != NULL) {
        snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(context));
    }
    gm_ode_plan_destroy(plan);
    return case_close(&at, status, out);
}

/*
 * RK4 takes the same steps on every backend. A step rounds the state to within a unit or two; the
 * errors of many steps add up like a random walk, amplified: eight of its standard deviations. A
 * pair may accept elsewhere what the reference rejects, and yet each is within the tolerance of the
 * solution: 2 rtol.
 */
static double bound_of(const ode_spec *spec) {
    const gm_ode_options *o = &spec->options;
    const double rounding = 8 * sqrt((double)o->steps) * case_unit(o->dtype) * spec->amplified;
    return spec->size * (o->method == GM_ODE_RK4 ? rounding : 2 * o->rtol);
}

static gm_status compare(gm_context *reference, gm_context *subject, gm_case_result *result,
                         const ode_spec *spec) {
    static const gm_system *const own = &relay;
    const gm_system *system = spec->system != NULL ? gm_system_builtin(spec->system) : own;
    ensemble_input in;
    ensemble_output exact = {0}, out = {0};
    gm_ode_options o = spec->options;
    case_fill(&in, 1, spec->y_low, spec->y_high, spec->p_low, spec->p_high, system->params);
    gm_status status = solve(subject, system, &o, &in, 0, CASE_N, &out, result);
    o.dtype = GM_F64;
    if (status == GM_STATUS_OK) {
        status = solve(reference, system, &o, &in, 0, CASE_N, &exact, NULL);
    }
    if (status == GM_STATUS_OK) {
        result->error = case_compare(&exact, &out, system->dim, o.save_count, result);
        result->bound = bound_of(spec);
    }
    return status;
}

/* A slice against the whole, on the subject alone: how many trajectories differ in a bit. */
static gm_status cut(gm_context *subject, gm_case_result *result, const gm_ode_options *o) {
    static const int64_t first[] = {0, 0, 3, 69}, n[] = {1, 65, 64, 1};
    const double low[] = {9, 0, 2}, high[] = {11, 28, 3};
    ensemble_input in;
    ensemble_output all = {0}, part = {0};
    case_fill(&in, 2, -5, 5, low, high, 3);
    const gm_system *lorenz = gm_system_builtin("lorenz");
    gm_status status = solve(subject, lorenz, o, &in, 0, CASE_N, &all, result);
    for (int k = 0; k < 4 && status == GM_STATUS_OK; ++k) {
        status = solve(subject, lorenz, o, &in, first[k], n[k], &part, result);
        result->error += case_bits(&all, &part, 3, o->save_count, first[k], n[k]);
    }
    snprintf(result->detail, sizeof result->detail,
             "trajectories of slices that differ from the whole");
    return status;
}

/*
 * Trajectories that start above 1 blow up before t = 1, the others do not. Error: how many have the
 * wrong status, or a state that is no number, or one that is not on the solution 1 / y = 1 / y0 - t
 * at the time reported.
 */
static gm_status blow_up(gm_context *subject, gm_case_result *result, gm_dtype dtype,
                         gm_ode_method method) {
    const double one = 1;
    const gm_ode_options o = {.dtype = dtype, .method = method, .t1 = 1, .rtol = 1e-5, .steps = 0};
    ensemble_input in;
    ensemble_output out = {0};
    case_fill(&in, 3, 0.25, 4, &one, &one, 1);
    const gm_status status = solve(subject, &square, &o, &in, 0, CASE_N, &out, result);
    for (int i = 0; i < CASE_N && status == GM_STATUS_OK; ++i) {
        const bool failed =
            out.status[i] == GM_STATUS_NON_FINITE || out.status[i] == GM_STATUS_STEP_TOO_SMALL;
        const bool near = fabs(in.y0[i] - 1) < 1e-3; /* either is right */
        const bool wrong =
            !near && (in.y0[i] > 1 ? !failed : out.status[i] != GM_STATUS_OK || out.time[i] != 1);
        const double defect = 1 / out.end[i] - (1 / in.y0[i] - out.time[i]);
        result->error += wrong || !(fabs(defect) < 1e-3);
    }
    snprintf(result->detail, sizeof result->detail,
             "trajectories with the wrong status, time or state");
    return status;
}

/* Three attempts are too few for any: each ends with NOT_CONVERGED, and with a NaN in the last
 * save. */
static gm_status few_steps(gm_context *subject, gm_case_result *result) {
    const double low[] = {9, 0, 2}, high[] = {11, 28, 3};
    const gm_ode_options o = {.dtype = GM_F32,
                              .t1 = 1,
                              .rtol = 1e-5,
                              .max_steps = 3,
                              .save_times = save_times,
                              .save_count = 4};
    ensemble_input in;
    ensemble_output out = {0};
    case_fill(&in, 4, 1, 5, low, high, 3);
    const gm_status status =
        solve(subject, gm_system_builtin("lorenz"), &o, &in, 0, CASE_N, &out, result);
    for (int i = 0; i < CASE_N; ++i) {
        result->error += out.status[i] != GM_STATUS_NOT_CONVERGED || !(out.time[i] < 1) ||
                         !isnan(out.saved[9 * CASE_N + i]);
    }
    snprintf(result->detail, sizeof result->detail,
             "trajectories that did not end with NOT_CONVERGED");
    return status;
}

#define COMPARE(name, ...)                                                                         \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        static const ode_spec spec = __VA_ARGS__;                                                  \
        return compare(reference, subject, result, &spec);                                         \
    }
#define ON_SUBJECT(name, ...)                                                                      \
    static gm_status name(gm_context *reference, gm_context *subject, gm_case_result *result) {    \
        (void)reference;                                                                           \
        return __VA_ARGS__;                                                                        \
    }

#define LORENZ "lorenz"
#define LORENZ_DATA -5, 5, {9, 0, 2}, {11, 28, 3}, 60, 30
#define RELAY_DATA -2, 2, {0, -1}, {1, 1}, 5, 5
#define SAVES .save_times = save_times, .save_count = CASE_SAVES

COMPARE(rk4_f64, {LORENZ, {.method = GM_ODE_RK4, .t1 = 1, .steps = 100, SAVES}, LORENZ_DATA})
COMPARE(rk4_f32, {LORENZ,
                  {.dtype = GM_F32, .method = GM_ODE_RK4, .t1 = 1, .steps = 100, SAVES},
                  LORENZ_DATA})
COMPARE(rk4_user_f64, {NULL, {.method = GM_ODE_RK4, .t1 = 1, .steps = 40, SAVES}, RELAY_DATA})
COMPARE(rk4_user_f32,
        {NULL, {.dtype = GM_F32, .method = GM_ODE_RK4, .t1 = 1, .steps = 40, SAVES}, RELAY_DATA})
COMPARE(tsit5_f64, {LORENZ, {.t1 = 1, .rtol = 1e-7, .atol = 1e-7, SAVES}, LORENZ_DATA})
COMPARE(tsit5_f32,
        {LORENZ, {.dtype = GM_F32, .t1 = 1, .rtol = 1e-4, .atol = 1e-4, SAVES}, LORENZ_DATA})
COMPARE(dopri5_f64,
        {NULL, {.method = GM_ODE_DOPRI5, .t1 = 1, .rtol = 1e-8, .atol = 1e-8, SAVES}, RELAY_DATA})
COMPARE(dopri5_f32,
        {NULL,
         {.dtype = GM_F32, .method = GM_ODE_DOPRI5, .t1 = 1, .rtol = 1e-4, .atol = 1e-4, SAVES},
         RELAY_DATA})
COMPARE(back_f64, {NULL, {.t0 = 1, .t1 = -1, .rtol = 1e-7, .atol = 1e-7}, RELAY_DATA})
ON_SUBJECT(cut_rk4, cut(subject, result,
                        &(const gm_ode_options){
                            .dtype = GM_F32, .method = GM_ODE_RK4, .t1 = 0.5, .steps = 70}))
ON_SUBJECT(cut_tsit5, cut(subject, result, &(const gm_ode_options){.t1 = 0.5, .rtol = 1e-5}))
ON_SUBJECT(blow_up_f64, blow_up(subject, result, GM_F64, GM_ODE_TSIT5))
ON_SUBJECT(blow_up_f32, blow_up(subject, result, GM_F32, GM_ODE_DOPRI5))
ON_SUBJECT(few_f32, few_steps(subject, result))

const gm_case gm_ode_cases[] = {
    {"ode_solve/f64/rk4", rk4_f64},
    {"ode_solve/f32/rk4", rk4_f32},
    {"ode_solve/f64/rk4, user's system", rk4_user_f64},
    {"ode_solve/f32/rk4, user's system", rk4_user_f32},
    {"ode_solve/f64/tsit5", tsit5_f64},
    {"ode_solve/f32/tsit5", tsit5_f32},
    {"ode_solve/f64/dopri5, user's system", dopri5_f64},
    {"ode_solve/f32/dopri5, user's system", dopri5_f32},
    {"ode_solve/f64/backwards", back_f64},
    {"ode_solve/f32/rk4, cut", cut_rk4},
    {"ode_solve/f64/tsit5, cut", cut_tsit5},
    {"ode_solve/f64/blow-up", blow_up_f64},
    {"ode_solve/f32/blow-up", blow_up_f32},
    {"ode_solve/f32/too few steps", few_f32},
};
const int gm_ode_cases_count = sizeof gm_ode_cases / sizeof gm_ode_cases[0];
