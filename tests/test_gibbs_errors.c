/* Wrong samplers and wrong arguments of gm_gibbs_*. */
#include "tests/gibbs_fixture.h"

enum { DIM = 5 };

/* Five coordinates in three blocks, with a sine of any argument, a decision, a gamma step, a normal
 * between bounds, and noise that fills no block of Philox. */
GM_GIBBS(wavy, 5, 2, 3, 3, 5, {
    switch (block) {
    case 0: {
        next[0] = gm_sin(p[0] * y[1]) + (real)0.5 * z[0];
        next[4] = (real)0.3 * y[4] + z[2] + gm_log(u[4]);
        break;
    }
    case 1: {
        const real to = y[1] + z[1];
        const real ratio = (real)0.5 * (y[1] * y[1] - to * to);
        next[1] = gm_log(u[3]) <= ratio ? to : y[1];
        break;
    }
    default: {
        next[2] = gm_normal_between(y[0] - 1, y[0] + p[1], u[0]);
        next[3] = 1 / gm_gamma_step(1 / y[3], p[1] + 2, z[1], u[2]);
    }
    }
})

/* ---- checks of samplers ---------------------------------------------------------------------- */

GM_GIBBS(writes_outside, 2, 0, 2, 1, 0, { next[1 + block] = z[0]; })
GM_GIBBS(divides, 1, 1, 1, 1, 0, { next[0] = z[0] / p[0]; })

/* The pair's density, and updates of it: right, of a wrong width, by inversion, both at once. */
GM_DENSITY(
    pair, 2, 1,
    { logp[0] = (p[0] * y[0] * y[1] - (y[0] * y[0] + y[1] * y[1]) / 2) / (1 - p[0] * p[0]); },
    {
        grad[0] = (p[0] * y[1] - y[0]) / (1 - p[0] * p[0]);
        grad[1] = (p[0] * y[0] - y[1]) / (1 - p[0] * p[0]);
    })
GM_GIBBS(pair_updates, 2, 1, 5, 2, 1, {
    const real width = gm_sqrt(1 - p[0] * p[0]);
    switch (block) {
    case 0:
        next[0] = p[0] * y[1] + width * z[1];
        break;
    case 1:
        next[1] = p[0] * y[0] + (real)1.001 * width * z[0];
        break;
    case 2:
        next[0] = p[0] * y[1] + width * gm_probit(u[0]);
        break;
    case 3:
        next[0] = z[0];
        next[1] = p[0] * z[0] + width * z[1];
        break;
    default:
        next[0] = u[0] < p[0] ? y[0] : -y[0];
    }
})

static void checks_find_what_is_wrong_with_a_sampler(void **state) {
    (void)state;
    char message[256];
    uint64_t random = 1;
    for (int i = 0; gm_gibbs_builtin_name(i) != NULL; ++i) {
        const gm_gibbs *gibbs = gm_gibbs_builtin(gm_gibbs_builtin_name(i));
        assert_null(strstr(gibbs->source, "_Generic"));
        for (int trial = 0; trial < 20; ++trial) {
            double y[2], p[3];
            for (int c = 0; c < 3; ++c) {
                y[c % 2] = random_between(&random, -2, 2);
                p[c] = random_between(&random, 0.2, 0.9);
            }
            if (gm_gibbs_check(gibbs, y, p, message) != GM_STATUS_OK) {
                fail_msg("%s: %s", gibbs->name, message);
            }
            assert_string_equal(message, "");
        }
    }
    assert_null(gm_gibbs_builtin("pair"));
    assert_null(gm_gibbs_builtin(NULL));
    assert_null(gm_gibbs_builtin_name(-1));
    const double y[] = {0.3, -0.8, 1, 1.5, 0.2}, p[] = {0.7, 0.5}, zero[] = {0};
    assert_int_equal(gm_gibbs_check(&wavy, y, p, message), GM_STATUS_OK);
    assert_int_equal(gm_gibbs_check(&wavy, y, p, NULL), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_gibbs_check(&wavy, NULL, p, message), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_gibbs_check(&wavy, y, NULL, message), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_gibbs_check(NULL, y, p, message), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_gibbs_check(&writes_outside, y, NULL, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "block 1 writes next[2]: there are 2 coordinates"));
    assert_int_equal(gm_gibbs_check(&divides, y, zero, message), GM_STATUS_NON_FINITE);
    assert_non_null(strstr(message, "block 0: next[0] = "));
    gm_gibbs bad = wavy;
    bad.update_f32 = pair_updates.update_f32;
    assert_int_equal(gm_gibbs_check(&bad, y, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "by the float function and"));
    bad = wavy;
    bad.lanes_f64[0] = pair_updates.lanes_f64[0];
    assert_int_equal(gm_gibbs_check(&bad, y, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "by base and"));
    bad = wavy;
    bad.lanes_f32[0] = pair_updates.lanes_f32[0];
    assert_int_equal(gm_gibbs_check(&bad, y, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "by base in float and"));

#define CONDITIONAL(block) gm_gibbs_check_conditional(&pair_updates, &pair, block, y, p, message)
    assert_int_equal(CONDITIONAL(0), GM_STATUS_OK);
    assert_int_equal(CONDITIONAL(2), GM_STATUS_OK);
    assert_int_equal(CONDITIONAL(3), GM_STATUS_OK);
    assert_string_equal(message, "");
    assert_int_equal(CONDITIONAL(1), GM_STATUS_NOT_CONVERGED);
    assert_non_null(strstr(message, "block 1 is no draw from the density's conditional law"));
    assert_int_equal(CONDITIONAL(4), GM_STATUS_UNSUPPORTED);
    assert_non_null(strstr(message, "smoothly"));
    assert_int_equal(CONDITIONAL(5), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(CONDITIONAL(-1), GM_STATUS_INVALID_ARGUMENT);
    const gm_gibbs *known = gm_gibbs_builtin("normal_pair");
    for (int block = 0; block < 2; ++block) {
        assert_int_equal(gm_gibbs_check_conditional(known, &pair, block, y, p, message),
                         GM_STATUS_OK);
    }
    const double one[] = {1}; /* where the density is none */
    assert_int_equal(gm_gibbs_check_conditional(known, &pair, 0, y, one, message),
                     GM_STATUS_UNSUPPORTED);
    bad = *known;
    bad.params = 0;
    assert_int_equal(gm_gibbs_check_conditional(&bad, &pair, 0, y, p, message),
                     GM_STATUS_INVALID_ARGUMENT);
    const gm_gibbs *well = gm_gibbs_builtin("coupled_well");
    gm_density three = pair;
    three.params = 3;
    const double more[] = {0.7, 0.5, 1};
    assert_int_equal(gm_gibbs_check_conditional(well, &three, 0, y, more, message),
                     GM_STATUS_UNSUPPORTED);
    assert_non_null(strstr(message, "block 0 changes 1 coordinates by 2 numbers of noise"));
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

static void plans_refuse_what_is_wrong(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    gm_gibbs_plan *plan = NULL;
    const gm_gibbs_options good = {.dtype = GM_F64, .sweeps = 3};
    gm_gibbs_options o = good;
    gm_gibbs g;
#define REFUSED(gibbs, text)                                                                       \
    ASSERT_FAILS(c, gm_gibbs_plan_create(c, gibbs, &o, &plan), GM_STATUS_INVALID_ARGUMENT, text);  \
    assert_null(plan)
#define REFUSES(field, value, text)                                                                \
    o = good;                                                                                      \
    o.field = value;                                                                               \
    REFUSED(&wavy, text);
#define REFUSES_SAMPLER(field, value, text)                                                        \
    o = good;                                                                                      \
    g = wavy;                                                                                      \
    g.field = value;                                                                               \
    REFUSED(&g, text);
    REFUSES(dtype, GM_I32, "options.dtype = i32");
    REFUSES(order, (gm_gibbs_order)2, "options.order = 2");
    REFUSES(sweeps, 0, "options.sweeps = 0");
    REFUSES(sweeps, (1LL << 40) + 1, "options.sweeps = ");
    REFUSES(thin, -1, "options.thin = -1");
    REFUSES_SAMPLER(version, 0, "compiled against version 0 of GM_GIBBS");
    REFUSES_SAMPLER(dim, 65, "gibbs->dim = 65 is not in 1 .. 64");
    REFUSES_SAMPLER(params, -1, "gibbs->params = -1 is not in 0 .. 64");
    REFUSES_SAMPLER(blocks, 0, "gibbs->blocks = 0 is not in 1 .. 64");
    REFUSES_SAMPLER(normals, 65, "gibbs->normals = 65 is not in 0 .. 64");
    REFUSES_SAMPLER(uniforms, -1, "gibbs->uniforms = -1 is not in 0 .. 64");
    REFUSES_SAMPLER(update_f32, NULL, "was not made by GM_GIBBS");
    const double point[] = {1, 2, 0};
    o = good;
    o.check = point;
    REFUSED(&writes_outside, "sampler writes_outside at options.check: block 1 writes next[2]");
    o = good;
    REFUSED(NULL, "gibbs is NULL");
    ASSERT_FAILS(c, gm_gibbs_plan_create(c, &wavy, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "options is NULL");
    ASSERT_FAILS(c, gm_gibbs_plan_create(c, &wavy, &o, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_gibbs_plan_create(NULL, &wavy, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    gm_gibbs_plan_destroy(NULL);
}

static void runs_refuse_what_is_wrong(void **state) {
    (void)state;
    enum { n = 4 };
    double y[DIM * n], p[2 * n], out[3][DIM * n], draws[2 * DIM * n];
    int32_t counts[n];
    memset(out, 0xff, sizeof out);
    FOR_EACH_SUBJECT(s) {
        gm_context *c = s->context;
        if (s->is_kernel) {
            continue; /* the checks are the same, the memory is not the host's */
        }
        gm_gibbs_plan *plan, *thinned;
        gm_gibbs_options o = {.dtype = GM_F64, .sweeps = 5};
        ASSERT_OK(c, gm_gibbs_plan_create(c, &wavy, &o, &plan));
        o.thin = 2;
        ASSERT_OK(c, gm_gibbs_plan_create(c, &wavy, &o, &thinned));
        const gm_tensor start = gm_tensor_2d(y, GM_F64, DIM, n),
                        narrow = gm_tensor_2d(y, GM_F32, DIM, n);
        const gm_tensor params = gm_tensor_2d(p, GM_F64, 2, n),
                        rows = gm_tensor_2d(p, GM_F64, 1, n);
        const gm_tensor fewer = gm_tensor_2d(p, GM_F64, 2, n - 1);
        const gm_tensor end = gm_tensor_2d(out[0], GM_F64, DIM, n);
        const gm_tensor other = gm_tensor_2d(out[1], GM_F64, DIM, n - 1);
        const gm_tensor kept = gm_tensor_3d(draws, GM_F64, 2, DIM, n);
        const gm_tensor three = gm_tensor_3d(draws, GM_F64, 3, DIM, n - 1);
        const gm_tensor status = gm_tensor_1d(counts, GM_I32, n),
                        wrong = gm_tensor_1d(counts, GM_F32, n);
        gm_tensor same = end;
        same.stride[1] = 0;
        const gm_gibbs_input in = {&start, &params};
#define RUN_FAILS(which, first, input, expected, text, ...)                                        \
    ASSERT_FAILS(c, gm_gibbs_run(which, first, input, &(const gm_gibbs_result){__VA_ARGS__}),      \
                 GM_STATUS_##expected, text)
#define INPUT(...) (&(const gm_gibbs_input){__VA_ARGS__})
        RUN_FAILS(plan, -1, &in, INVALID_ARGUMENT, "first_sweep = -1", .state = &end);
        RUN_FAILS(plan, (1LL << 40) - 4, &in, INVALID_ARGUMENT, "first_sweep = ", .state = &end);
        RUN_FAILS(plan, 0, NULL, INVALID_ARGUMENT, "input is NULL", .state = &end);
        RUN_FAILS(plan, 0, INPUT(NULL, &params), INVALID_ARGUMENT, "input.state", .state = &end);
        RUN_FAILS(plan, 0, INPUT(&start, NULL), INVALID_ARGUMENT,
                  "input.params is NULL: the sampler has 2 parameters", .state = &end);
        RUN_FAILS(plan, 0, INPUT(&narrow, &params), INVALID_ARGUMENT, "input.state.dtype = f32",
                  .state = &end);
        RUN_FAILS(plan, 0, INPUT(&params, &params), SHAPE_MISMATCH, "input.state", .state = &end);
        RUN_FAILS(plan, 0, INPUT(&start, &rows), SHAPE_MISMATCH, "the sampler's params",
                  .state = &end);
        RUN_FAILS(plan, 0, INPUT(&start, &fewer), SHAPE_MISMATCH, "input.params", .state = &end);
        RUN_FAILS(plan, 0, &in, SHAPE_MISMATCH, "result.state", .state = &other);
        RUN_FAILS(plan, 0, &in, INVALID_ARGUMENT, "result.draws is given, and options.thin is 0",
                  .draws = &kept);
        RUN_FAILS(thinned, 0, &in, SHAPE_MISMATCH, "result.draws", .draws = &three);
        RUN_FAILS(plan, 0, &in, INVALID_ARGUMENT, "result.status.dtype", .status = &wrong);
        RUN_FAILS(plan, 0, &in, INVALID_ARGUMENT, "result.state", .state = &same);
        RUN_FAILS(plan, 0, &in, INVALID_ARGUMENT, "result.variance", .mean = &end,
                  .variance = &end);
        RUN_FAILS(plan, 0, &in, INVALID_ARGUMENT, "result.mean", .mean = &start);
        ASSERT_FAILS(c, gm_gibbs_run(plan, 0, &in, NULL), GM_STATUS_INVALID_ARGUMENT,
                     "result is NULL");
        for (int i = 0; i < DIM * n; ++i) {
            assert_true(isnan(out[0][i]) && isnan(out[1][i])); /* nothing is written */
        }
        gm_tensor none = start, nothing = params;
        none.shape[1] = nothing.shape[1] = 0;
        gm_tensor empty = status;
        empty.shape[0] = 0;
        ASSERT_OK(c, gm_gibbs_run(plan, 0, INPUT(&none, &nothing),
                                  &(const gm_gibbs_result){.status = &empty}));
        gm_gibbs_plan_destroy(plan);
        gm_gibbs_plan_destroy(thinned);
    }
    ASSERT_FAILS(NULL, gm_gibbs_run(NULL, 0, NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_find_what_is_wrong_with_a_sampler),
        cmocka_unit_test(plans_refuse_what_is_wrong),
        cmocka_unit_test(runs_refuse_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
