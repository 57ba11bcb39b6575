/* Wrong densities and wrong arguments of gm_mcmc_*. */
#include "tests/mcmc_fixture.h"

/* y > 0, rate p[0]; the logarithm makes a NaN of the rest. */
GM_DENSITY(
    half_line, 1, 1, { logp[0] = gm_log(y[0]) - p[0] * y[0]; }, { grad[0] = 1 / y[0] - p[0]; })

/* Steep: a Langevin step from far off goes farther. */
GM_DENSITY(
    quartic, 2, 0, { logp[0] = -y[0] * y[0] * y[0] * y[0] - y[1] * y[1]; },
    {
        grad[0] = -4 * y[0] * y[0] * y[0];
        grad[1] = -2 * y[1];
    })

/* Sines, of large numbers too. */
GM_DENSITY(
    wavy, 5, 2,
    {
        logp[0] = 0;
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            logp[0] += p[1] * gm_sin(p[0] * y[c]) - (real)0.5 * y[c] * y[c];
        }
    },
    {
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            grad[c] = p[1] * p[0] * gm_cos(p[0] * y[c]) - y[c];
        }
    })

GM_DENSITY(
    wrong_gradient, 3, 0, { logp[0] = -y[0] * y[0] - y[1] * y[2]; },
    {
        grad[0] = -2 * y[0];
        grad[1] = -y[2];
        grad[2] = y[1];
    })

GM_DENSITY(
    unwritten, 2, 0, { logp[0] = -y[0] * y[0]; }, { grad[0] = -2 * y[0]; })

/* ---- densities ------------------------------------------------------------------------------- */

static void checks_find_what_is_wrong_with_a_density(void **state) {
    (void)state;
    char message[256];
    uint64_t random = 1;
    for (int i = 0; gm_density_builtin_name(i) != NULL; ++i) {
        const gm_density *density = gm_density_builtin(gm_density_builtin_name(i));
        assert_null(strstr(density->source, "_Generic"));
        assert_null(strstr(density->gradient_source, "_Generic"));
        for (int trial = 0; trial < 100; ++trial) {
            double y[3], p[2];
            for (int c = 0; c < 3; ++c) {
                y[c] = random_between(&random, -2, 2);
            }
            p[0] = random_between(&random, 0.5, 2);
            p[1] = random_between(&random, 0.5, 2);
            if (gm_density_check(density, y, p, message) != GM_STATUS_OK) {
                fail_msg("%s: %s", density->name, message);
            }
        }
    }
    const double y[] = {1, 2, 3}, p[] = {2, 0.5};
    assert_int_equal(gm_density_check(&half_line, y, p, message), GM_STATUS_OK);
    const double y5[] = {0.1, -3, 2, 3e6, 0.4}; /* beyond what the lanes' sine knows */
    assert_int_equal(gm_density_check(&wavy, y, p, NULL), GM_STATUS_INVALID_ARGUMENT);
    assert_int_not_equal(gm_density_check(&wavy, y5, p, message), GM_STATUS_INTERNAL);
    assert_int_equal(gm_density_check(&wrong_gradient, y, NULL, message), GM_STATUS_NOT_CONVERGED);
    assert_non_null(strstr(message, "grad[2] = 2: central differences give -2"));
    assert_int_equal(gm_density_check(&unwritten, y, NULL, message), GM_STATUS_NON_FINITE);
    assert_non_null(strstr(message, "grad[1]"));
    const double negative[] = {-1};
    assert_int_equal(gm_density_check(&half_line, negative, p, message), GM_STATUS_NON_FINITE);
    assert_non_null(strstr(message, "logp[0]"));
    gm_density bad = half_line;
    bad.gradient_f32 = wrong_gradient.gradient_f32;
    assert_int_equal(gm_density_check(&bad, y, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "by the float function"));
    bad = half_line;
    bad.lanes_f64[0].log_density = bad.lanes_f64[0].gradient;
    assert_int_equal(gm_density_check(&bad, y, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "logp[0] is"));
    assert_null(gm_density_builtin("gaussian"));
    assert_null(gm_density_builtin(NULL));
    assert_null(gm_density_builtin_name(-1));
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

static void plans_refuse_what_is_wrong(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    gm_mcmc_plan *plan = NULL;
    const gm_mcmc_options good = {
        .dtype = GM_F64, .method = GM_MCMC_HMC, .steps = 3, .leapfrogs = 2};
    gm_mcmc_options o;
    gm_density d;
#define REFUSED(density, text)                                                                     \
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, density, &o, &plan), GM_STATUS_INVALID_ARGUMENT, text); \
    assert_null(plan)
#define REFUSES(field, value, text)                                                                \
    o = good;                                                                                      \
    o.field = value;                                                                               \
    REFUSED(&quartic, text);
    REFUSES(dtype, GM_I32, "options.dtype = i32");
    REFUSES(method, (gm_mcmc_method)5, "options.method = 5");
    REFUSES(steps, 0, "options.steps = 0");
    REFUSES(steps, (1LL << 40) + 1, "options.steps = ");
    REFUSES(thin, -1, "options.thin = -1");
    REFUSES(leapfrogs, 0, "options.leapfrogs = 0");
    REFUSES(leapfrogs, (1 << 20) + 1, "options.leapfrogs = 1048577");
    REFUSES(jitter, 2, "options.jitter = 2");
    REFUSES(method, GM_MCMC_MALA, "options.leapfrogs = 2: only HMC");
    o.leapfrogs = 0;
    o.jitter = 1;
    REFUSED(&quartic, "options.jitter = 1: only HMC and COMPONENT");
    REFUSES(method, GM_MCMC_COMPONENT, "options.leapfrogs = 2: only HMC");
    const double point[] = {1, 2, 3};
    o = good;
    o.check = point;
    REFUSED(&wrong_gradient, "density wrong_gradient at options.check: grad[2] = 2: central");
    ASSERT_OK(c, gm_mcmc_plan_create(c, &quartic, &o, &plan));
    gm_mcmc_plan_destroy(plan);
    plan = NULL;
    const double nowhere[] = {-1, 1};
    o.check = nowhere; /* outside of the support */
    REFUSED(&half_line, "density half_line at options.check: ");
    o = good;
    REFUSED(NULL, "density is NULL");
    d = quartic;
    d.version = 0;
    REFUSED(&d, "compiled against version 0");
    d = quartic;
    d.dim = 65;
    REFUSED(&d, "density->dim = 65");
    d = quartic;
    d.params = -1;
    REFUSED(&d, "density->params = -1");
    d = quartic;
    d.gradient_f32 = NULL;
    REFUSED(&d, "was not made by GM_DENSITY");
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, &quartic, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "options is NULL");
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, &quartic, &o, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_mcmc_plan_create(NULL, &quartic, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    gm_mcmc_plan_destroy(NULL);
}

static void runs_refuse_what_is_wrong(void **state) {
    (void)state;
    enum { n = 4 };
    gm_context *c = subjects[0].context;
    const gm_mcmc_options o = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 6, .thin = 2};
    const gm_mcmc_options unkept = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 6};
    gm_mcmc_plan *plan, *plain, *half;
    ASSERT_OK(c, gm_mcmc_plan_create(c, &quartic, &o, &plan));
    ASSERT_OK(c, gm_mcmc_plan_create(c, &quartic, &unkept, &plain));
    ASSERT_OK(c, gm_mcmc_plan_create(c, &half_line, &o, &half));
    double y[2 * n] = {0}, h[n] = {0.1, 0.1, 0.1, 0.1}, end[2 * n], kept[3 * 2 * n];
    int32_t counts[n];
    const gm_tensor ty = gm_tensor_2d(y, GM_F64, 2, n), th = gm_tensor_1d(h, GM_F64, n);
    const gm_tensor tend = gm_tensor_2d(end, GM_F64, 2, n);
    const gm_tensor tkept = gm_tensor_3d(kept, GM_F64, 3, 2, n);
    const gm_tensor tcounts = gm_tensor_1d(counts, GM_I32, n);
    const gm_tensor short_h = gm_tensor_1d(h, GM_F64, n - 1);
    const gm_tensor floats = gm_tensor_2d(end, GM_F32, 2, n);
    const gm_tensor tall = gm_tensor_2d(kept, GM_F64, 3, n);
    const gm_tensor few = gm_tensor_3d(kept, GM_F64, 2, 2, n);
    const gm_tensor inside = gm_tensor_2d(y + 1, GM_F64, 2, 2);
    const gm_mcmc_input good = {.state = &ty, .step = &th};
    const gm_mcmc_result out = {.state = &tend};
    gm_mcmc_input in;
    memset(end, 7, sizeof end);
    double before[2 * n];
    memcpy(before, end, sizeof end);
#define RUN_REFUSED(call, status, text) ASSERT_FAILS(c, call, status, text)
#define INPUT_REFUSED(field, value, status, text)                                                  \
    in = good;                                                                                     \
    in.field = value;                                                                              \
    RUN_REFUSED(gm_mcmc_run(plan, 0, &in, &out), status, text);
    INPUT_REFUSED(state, NULL, GM_STATUS_INVALID_ARGUMENT, "input.state");
    INPUT_REFUSED(step, NULL, GM_STATUS_INVALID_ARGUMENT, "input.step is NULL");
    INPUT_REFUSED(params, &tend, GM_STATUS_INVALID_ARGUMENT, "input.params must be NULL");
    INPUT_REFUSED(step, &short_h, GM_STATUS_SHAPE_MISMATCH, "input.step");
    INPUT_REFUSED(scale, &tall, GM_STATUS_SHAPE_MISMATCH, "input.scale");
    const gm_tensor square = {end, GM_F64, 3, {2, 2, n}, {2, 1, 0}};
    const gm_tensor oblong = {kept, GM_F64, 3, {3, 2, n}, {2, 1, 0}};
    INPUT_REFUSED(factor, &oblong, GM_STATUS_SHAPE_MISMATCH, "input.factor");
    in = good;
    in.scale = &ty;
    in.factor = &square;
    RUN_REFUSED(gm_mcmc_run(plan, 0, &in, &(const gm_mcmc_result){0}), GM_STATUS_INVALID_ARGUMENT,
                "input.factor is given, and input.scale too");
    const gm_mcmc_options sweeps[] = {
        {.dtype = GM_F64, .method = GM_MCMC_COMPONENT, .steps = 6},
        {.dtype = GM_F64, .method = GM_MCMC_COMPONENT, .steps = 6, .target = 0.4},
        {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 6, .target = 0.4}};
    const char *const why[] = {"result.scale is given: options.target is 0",
                               "result.step is given: COMPONENT adapts result.scale",
                               "result.scale is given: only COMPONENT"};
    const gm_tensor adapted = gm_tensor_1d(kept, GM_F64, n);
    const gm_mcmc_result wrong[] = {{.scale = &tend}, {.step = &adapted}, {.scale = &tend}};
    in = good;
    for (int i = 0; i < COUNT(sweeps); ++i) {
        gm_mcmc_plan *sweep;
        ASSERT_OK(c, gm_mcmc_plan_create(c, &quartic, &sweeps[i], &sweep));
        RUN_REFUSED(gm_mcmc_run(sweep, 0, &in, &wrong[i]), GM_STATUS_INVALID_ARGUMENT, why[i]);
        in.factor = i == 1 ? &square : NULL;
        if (i == 1) {
            RUN_REFUSED(gm_mcmc_run(sweep, 0, &in, &(const gm_mcmc_result){0}),
                        GM_STATUS_INVALID_ARGUMENT, "input.factor is given: COMPONENT");
        }
        in.factor = NULL;
        gm_mcmc_plan_destroy(sweep);
    }
    in.factor = &square;
    in.scale = NULL;
    RUN_REFUSED(gm_mcmc_run(plan, 0, &in, &out), GM_STATUS_INVALID_ARGUMENT, "result.state");
    INPUT_REFUSED(beta, &short_h, GM_STATUS_SHAPE_MISMATCH, "input.beta");
    INPUT_REFUSED(state, &floats, GM_STATUS_INVALID_ARGUMENT, "input.state");
    INPUT_REFUSED(state, &tall, GM_STATUS_SHAPE_MISMATCH, "input.state");
#define RESULT_REFUSED(status, text, ...)                                                          \
    RUN_REFUSED(gm_mcmc_run(plan, 0, &good, &(const gm_mcmc_result){__VA_ARGS__}), status, text);
    RESULT_REFUSED(GM_STATUS_SHAPE_MISMATCH, "result.draws", .draws = &few);
    RESULT_REFUSED(GM_STATUS_SHAPE_MISMATCH, "result.mean", .mean = &tall);
    RESULT_REFUSED(GM_STATUS_INVALID_ARGUMENT, "result.status", .status = &th);
    RESULT_REFUSED(GM_STATUS_INVALID_ARGUMENT, "result.mean", .mean = &ty);
    RESULT_REFUSED(GM_STATUS_SHAPE_MISMATCH, "result.log_density", .log_density = &short_h);
    RESULT_REFUSED(GM_STATUS_INVALID_ARGUMENT, "result.log_density", .log_density = &th);
    RESULT_REFUSED(GM_STATUS_INVALID_ARGUMENT, "result.variance", .mean = &tend, .variance = &tend);
    RESULT_REFUSED(GM_STATUS_INVALID_ARGUMENT, "result.outside", .accepted = &tcounts,
                   .outside = &tcounts);
    in = (gm_mcmc_input){.state = &inside, .step = &(const gm_tensor){h, GM_F64, 1, {2}, {1}}};
    RUN_REFUSED(gm_mcmc_run(plan, 0, &in,
                            &(const gm_mcmc_result){
                                .state = &(const gm_tensor){y, GM_F64, 2, {2, 2}, {2, 1}}}),
                GM_STATUS_INVALID_ARGUMENT, "result.state");
    RUN_REFUSED(gm_mcmc_run(plan, -1, &good, &out), GM_STATUS_INVALID_ARGUMENT, "first_step = -1");
    RUN_REFUSED(gm_mcmc_run(plan, (1LL << 40) - 5, &good, &out), GM_STATUS_INVALID_ARGUMENT,
                "first_step");
    RUN_REFUSED(gm_mcmc_run(plan, 0, NULL, &out), GM_STATUS_INVALID_ARGUMENT, "input is NULL");
    RUN_REFUSED(gm_mcmc_run(plan, 0, &good, NULL), GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    RUN_REFUSED(gm_mcmc_run(plain, 0, &good, &(const gm_mcmc_result){.draws = &tkept}),
                GM_STATUS_INVALID_ARGUMENT, "options.thin is 0");
    RUN_REFUSED(gm_mcmc_run(half, 0, &good, &out), GM_STATUS_INVALID_ARGUMENT,
                "input.params is NULL");
    ASSERT_FAILS(NULL, gm_mcmc_run(NULL, 0, &good, &out), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    assert_memory_equal(before, end, sizeof end);
    ASSERT_OK(c, gm_mcmc_run(plan, (1LL << 40) - 6, &good, &out));
    gm_mcmc_plan_destroy(plan);
    gm_mcmc_plan_destroy(plain);
    gm_mcmc_plan_destroy(half);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_find_what_is_wrong_with_a_density),
        cmocka_unit_test(plans_refuse_what_is_wrong),
        cmocka_unit_test(runs_refuse_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
