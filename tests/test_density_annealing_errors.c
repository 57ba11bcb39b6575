/*
 * gm_density_annealing_*: chains that fail, leave the support or are nowhere better; wrong
 * arguments.
 *
 * Statistics: how many of 2,000 chains stay inside, on each of at most 8 subjects in two
 * precisions: beyond 5.2 standard deviations with probability 2e-7; the fixed seeds have none.
 */
#include "tests/density_annealing_fixture.h"

#include <genmath/philox.h>

#define Z_BOUND 5.2

/* exp(-x) above p[0]: the integral is exp(-p[0]). */
GM_DENSITY(
    tail, 1, 1, { logp[0] = y[0] >= p[0] ? -y[0] : gm_log((real)0); }, { grad[0] = -1; })

/* Without parameters, everywhere the same. */
GM_DENSITY(
    flat, 1, 0, { logp[0] = 0 * y[0]; }, { grad[0] = 0 * y[0]; })

/* Where all states are as good the first is the best. */
static void the_first_of_several_is_the_best(void **state) {
    (void)state;
    static const double beta[] = {1, 2, 3}, step[] = {1, 1, 1};
    FOR_EACH_SUBJECT(s) {
        annealed a = make_annealed(&flat, 9, 3);
        a.beta = beta;
        a.step = step;
        draw_normals(&a, 4, 0, 1);
        anneal(s, &a);
        for (int i = 0; i < 9; ++i) {
            const double start = (double)(float)gm_normal_f64(4, (uint64_t)i, GM_STREAM_USER, 0);
            assert_true(a.best[i] == start && a.state[i] != start && a.best_logp[i] == 0 &&
                        a.log_weight[i] == 0 && a.accepted[18 + i] == 1);
        }
        free_annealed(&a);
    }
}

/* ---- chains that fail ------------------------------------------------------------------------ */

/* The support shrinks: a weight is 1 or 0, and those of 1 are e^-p of all. */
static void chains_leave_the_support(void **state) {
    (void)state;
    enum { N = 2000 };
    static const double edge[] = {0, 0.3, 0.3, 0.9, 1.2}, step[] = {1, 1, 1, 1, 1};
    FOR_EACH_SUBJECT(s) {
        for (int f = 0; f < 2; ++f) {
            annealed a = make_annealed(&tail, N, 5);
            a.options.dtype = precisions[f];
            a.moving = 1;
            a.which = first_moves;
            a.values = edge;
            a.step = step;
            uint64_t random = 3;
            for (int i = 0; i < N; ++i) {
                a.state[i] = -log(1 - random_between(&random, 0, 1));
            }
            annealed b = part_of(&a, 0, N);
            anneal(s, &a);
            int64_t inside = 0;
            for (int i = 0; i < N; ++i) {
                assert_true(a.log_weight[i] == 0 || a.log_weight[i] == -(double)INFINITY);
                assert_int_equal(a.status[i], GM_STATUS_OK);
                assert_true(a.log_weight[i] != 0 || a.state[i] >= (f == 0 ? 1.2 : 1.2f));
                assert_true(a.log_weight[i] == 0 || a.accepted[4 * N + i] == 0);
                inside += a.log_weight[i] == 0;
            }
            const double p = exp(-1.2);
            assert_true(fabs((double)inside - N * p) < Z_BOUND * sqrt(N * p * (1 - p)));
            b.count = 2;
            anneal(s, &b);
            b.first = 2;
            b.count = 3;
            anneal(s, &b);
            assert_int_equal(different_chains(&a, 0, &b), 0);
            free_annealed(&a);
            free_annealed(&b);
        }
    }
}

/* A state that is none, a scale of 0; others as without them. ULA that once steps too far has
 * failed, though it could go on. */
static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int cut = 0; cut < 2; ++cut) {
            annealed a = replayed(3, GM_F64), good = replayed(3, GM_F64);
            double scale[2 * CHAINS], params[3 * CHAINS];
            for (int i = 0; i < 3 * CHAINS; ++i) {
                params[i] = a.params[i / CHAINS];
                scale[i % (2 * CHAINS)] = a.scale[i % (2 * CHAINS) / CHAINS];
            }
            scale[7] = 0;
            a.params = params;
            a.scale = scale;
            a.shared = false;
            a.state[CHAINS + 3] = (double)NAN;
            a.state[64] = 1e200; /* its log density is infinite */
            if (cut == 1) {
                a.count = 4;
                anneal(s, &a);
                a.first = 4;
                a.count = STEPS - 4;
            }
            anneal(s, &a);
            anneal(s, &good);
            for (int64_t i = 0; i < CHAINS; ++i) {
                const bool bad = i == 3 || i == 7 || i == 64;
                if (bad) {
                    assert_true(isnan(a.log_weight[i]));
                    assert_int_equal(a.status[i],
                                     i == 7 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NON_FINITE);
                    assert_true(i == 7 || a.best_logp[i] == -(double)INFINITY);
                    assert_int_equal(a.accepted[(STEPS - 1) * CHAINS + i], 0);
                } else {
                    assert_true(a.log_weight[i] == good.log_weight[i] && a.status[i] == 0 &&
                                a.best_logp[i] == good.best_logp[i]);
                }
            }
            free_annealed(&a);
            free_annealed(&good);
        }
        /* A weight of 500 x^2 in log, infinite for the first chain. */
        static const double path[] = {0, 1000}, rest[] = {1e-30, 1e-30}, wide[] = {0, 0, 1e200};
        annealed h = make_annealed(&bridge, 2, 2);
        h.options.method = GM_MCMC_ULA; /* which looks at no log density */
        h.shared = true;
        h.params = wide;
        h.moving = 1;
        h.which = first_moves;
        h.values = path;
        h.step = rest;
        h.state[0] = 1e153;
        h.state[1] = 1;
        anneal(s, &h);
        assert_true(isnan(h.log_weight[0]) && h.status[0] == GM_STATUS_NON_FINITE);
        assert_true(fabs(h.log_weight[1] - 500) < 1e-9 && h.status[1] == GM_STATUS_OK);
        free_annealed(&h);
        annealed a = make_annealed(gm_density_builtin("two_wells"), 5, 3);
        static const double step[] = {1e-3, 1e307, 1e-3}, params[] = {2, 0};
        a.options.method = GM_MCMC_ULA;
        a.shared = true;
        a.params = params;
        a.beta = step;
        a.step = step;
        const double beta[] = {1, 2, 3};
        a.beta = beta;
        for (int i = 0; i < 5; ++i) {
            a.state[i] = 30 + i;
        }
        anneal(s, &a);
        for (int i = 0; i < 5; ++i) {
            assert_true(isnan(a.log_weight[i]) && a.status[i] == GM_STATUS_NON_FINITE &&
                        isfinite(a.state[i]) && a.accepted[10 + i] == 1);
        }
        free_annealed(&a);
    }
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

static void wrong_plans_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    static const double good[] = {0.5, 1, 2}, zero[] = {1, 0, 1}, not [] = {1, 1, (double)NAN},
                        huge[] = {1, 1e300, 1}, tiny[] = {1, 1e-300, 1};
    static const int32_t twice[] = {1, 1}, far[] = {2};
    const gm_mcmc_options plain = {.dtype = GM_F32, .method = GM_MCMC_RWM, .steps = 3};
    gm_mcmc_options thins = plain, adapts = plain, elsewhere = plain, long_run = plain;
    thins.thin = 1;
    adapts.target = 0.3;
    long_run.steps = INT64_C(1) << 39;
    const gm_mcmc_options *options[] = {&plain, &thins, &adapts, &elsewhere, &long_run};
    gm_mcmc_plan *mcmc[5];
    const gm_density *normal = gm_density_builtin("normal");
    for (int i = 0; i < 5; ++i) {
        gm_context *owner = i == 3 ? subjects[1].context : c;
        ASSERT_OK(owner, gm_mcmc_plan_create(owner, normal, options[i], &mcmc[i]));
    }
    const struct {
        gm_density_annealing a;
        const char *text;
    } cases[] = {
        {{NULL, 3, good, good, 0, NULL, NULL}, "annealing.mcmc is NULL"},
        {{mcmc[1], 3, good, good, 0, NULL, NULL}, "thin and target must be 0"},
        {{mcmc[2], 3, good, good, 0, NULL, NULL}, "thin and target must be 0"},
        {{mcmc[3], 3, good, good, 0, NULL, NULL}, "another context"},
        {{mcmc[4], 3, good, good, 0, NULL, NULL}, "over 2^40 steps"},
        {{mcmc[0], 0, good, good, 0, NULL, NULL}, "annealing.steps = 0"},
        {{mcmc[0], (1 << 24) + 1, good, good, 0, NULL, NULL}, "1 .. 2^24"},
        {{mcmc[0], 3, good, NULL, 0, NULL, NULL}, "annealing.step is NULL"},
        {{mcmc[0], 3, zero, good, 0, NULL, NULL}, "annealing.beta[1] = 0"},
        {{mcmc[0], 3, not, good, 0, NULL, NULL}, "annealing.beta[2] = "},
        {{mcmc[0], 3, tiny, good, 0, NULL, NULL}, "annealing.beta[1] = 1e-300"},
        {{mcmc[0], 3, good, zero, 0, NULL, NULL}, "annealing.step[1] = 0"},
        {{mcmc[0], 3, NULL, huge, 0, NULL, NULL}, "annealing.step[1] = 1e+300"},
        {{mcmc[0], 3, NULL, good, -1, NULL, NULL}, "annealing.moving = -1"},
        {{mcmc[0], 3, NULL, good, 3, twice, good}, "annealing.moving = 3"},
        {{mcmc[0], 3, NULL, good, 1, NULL, good}, "annealing.which is NULL"},
        {{mcmc[0], 3, NULL, good, 1, twice, NULL}, "annealing.values is NULL"},
        {{mcmc[0], 1, NULL, good, 2, twice, good}, "annealing.which[1] = 1: is there twice"},
        {{mcmc[0], 3, NULL, good, 1, far, good}, "annealing.which[0] = 2"},
        {{mcmc[0], 3, NULL, good, 1, twice, huge}, "annealing.values[1][0] = 1e+300"},
    };
    gm_density_annealing_plan *plan = (void *)&plan;
    for (int i = 0; i < COUNT(cases); ++i) {
        ASSERT_FAILS(c, gm_density_annealing_plan_create(c, &cases[i].a, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[i].text);
        assert_null(plan);
    }
    ASSERT_FAILS(c, gm_density_annealing_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "annealing is NULL");
    ASSERT_FAILS(c, gm_density_annealing_plan_create(c, &cases[0].a, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    ASSERT_FAILS(NULL, gm_density_annealing_plan_create(NULL, &cases[0].a, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_density_annealing_plan_destroy(NULL);
    for (int i = 0; i < 5; ++i) {
        gm_mcmc_plan_destroy(mcmc[i]);
    }
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    enum { N = 5, T = 3, ARRAYS = 8 };
    gm_context *c = subjects[0].context;
    static const double step[T] = {1, 1, 1}, path[T] = {0, 0.5, 1};
    static const int32_t moves[] = {0};
    double x[N], p[2 * N] = {0}, scale[N], best[N], logp[N], weight[N], factor[N], before[N];
    int32_t accepted[T * N], status[N];
    unsigned char *memory = aligned_alloc(64, 4096);
    const gm_mcmc_options options = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1};
    gm_mcmc_plan *mcmc;
    gm_density_annealing_plan *plan, *moving;
    for (int i = 0; i < N; ++i) {
        before[i] = x[i] = weight[i] = best[i] = i + 1;
        logp[i] = scale[i] = factor[i] = p[N + i] = 1;
        status[i] = accepted[i] = 77;
    }
    ASSERT_OK(c, gm_mcmc_plan_create(c, gm_density_builtin("normal"), &options, &mcmc));
    ASSERT_OK(c, gm_density_annealing_plan_create(
                     c, &(gm_density_annealing){mcmc, T, NULL, step, 0, NULL, NULL}, &plan));
    ASSERT_OK(c, gm_density_annealing_plan_create(
                     c, &(gm_density_annealing){mcmc, T, NULL, step, 1, moves, path}, &moving));
    static const char *const names[ARRAYS] = {"state.state",     "state.params",
                                              "state.scale",     "result.log_weight",
                                              "result.best",     "result.best_log_density",
                                              "result.accepted", "result.status"};
    const gm_tensor views[ARRAYS] = {
        gm_tensor_2d(x, GM_F64, 1, N),        gm_tensor_2d(p, GM_F64, 2, N),
        gm_tensor_2d(scale, GM_F64, 1, N),    gm_tensor_1d(weight, GM_F64, N),
        gm_tensor_2d(best, GM_F64, 1, N),     gm_tensor_1d(logp, GM_F64, N),
        gm_tensor_2d(accepted, GM_I32, T, N), gm_tensor_1d(status, GM_I32, N)};
    const gm_tensor factors = gm_tensor_3d(factor, GM_F64, 1, 1, N);
    gm_workspace w = {memory, 4096}, small = {memory, 64}, odd = {memory + 8, 4000};
    const gm_density_annealing_state right = {&views[0], &views[1], &views[2], NULL, NULL};
    const gm_density_annealing_result all = {&views[3], &views[4], &views[5], &views[6], &views[7]};
    for (int i = 0; i < ARRAYS; ++i) {
        for (int what = 0; what < 3; ++what) { /* a size, a type, an overlap */
            gm_tensor wrong = views[i];
            wrong.shape[wrong.ndim - 1] += what == 0 ? -1 : 0;
            wrong.dtype = what == 1 ? (wrong.dtype == GM_F32 ? GM_F64 : GM_F32) : wrong.dtype;
            wrong.data = what == 2 ? views[i == 0 ? 3 : 0].data : wrong.data;
            const gm_tensor *v[ARRAYS];
            for (int j = 0; j < ARRAYS; ++j) {
                v[j] = i == j ? &wrong : &views[j];
            }
            const gm_density_annealing_state st = {v[0], v[1], v[2], NULL, NULL};
            const gm_density_annealing_result result = {v[3], v[4], v[5], v[6], v[7]};
            ASSERT_FAILS(c, gm_density_annealing_run(plan, 0, T, &st, &result, &w),
                         what == 0 ? GM_STATUS_SHAPE_MISMATCH : GM_STATUS_INVALID_ARGUMENT,
                         what == 2             ? "overlap"
                         : i == 0 && what == 0 ? "result"
                                               : names[i]);
        }
    }
    const struct {
        const gm_density_annealing_plan *plan;
        int64_t first, steps;
        gm_density_annealing_state state;
        gm_density_annealing_result result;
        gm_workspace *workspace;
        gm_status status;
        const char *text;
    } cases[] = {
        {plan, -1, 1, right, all, &w, GM_STATUS_INVALID_ARGUMENT, "first_step = -1"},
        {plan, T + 1, 0, right, all, &w, GM_STATUS_INVALID_ARGUMENT, "first_step = 4"},
        {plan, 1, T, right, all, &w, GM_STATUS_INVALID_ARGUMENT, "steps = 3: the schedule has 2"},
        {plan, 0, -1, right, all, &w, GM_STATUS_INVALID_ARGUMENT, "steps = -1"},
        {plan, 0, T, {0}, all, &w, GM_STATUS_INVALID_ARGUMENT, "state.state is NULL"},
        {plan,
         0,
         T,
         {.state = &views[0]},
         all,
         &w,
         GM_STATUS_INVALID_ARGUMENT,
         "state.params is NULL"},
        {moving,
         0,
         T,
         {.state = &views[0]},
         {0},
         &w,
         GM_STATUS_INVALID_ARGUMENT,
         "state.params is NULL"},
        {plan,
         0,
         T,
         {&views[0], &views[1], &views[2], &factors, NULL},
         all,
         &w,
         GM_STATUS_INVALID_ARGUMENT,
         "state.factor is given, and state.scale"},
        {plan,
         0,
         T,
         {&views[0], &views[1], &views[2], NULL, &views[1]},
         all,
         &w,
         GM_STATUS_INVALID_ARGUMENT,
         "state.data must be NULL"},
        {plan,
         0,
         T,
         right,
         {.best = &views[4]},
         &w,
         GM_STATUS_INVALID_ARGUMENT,
         "result.best_log_density is NULL"},
        {moving, 0, T, right, all, &w, GM_STATUS_INVALID_ARGUMENT,
         "parameters of the density move"},
        {plan, 0, T, right, all, NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL"},
        {plan, 0, T, right, all, &small, GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes = 64"},
        {plan, 0, T, right, all, &odd, GM_STATUS_INVALID_ARGUMENT, "aligned"},
        {NULL, 0, T, right, all, &w, GM_STATUS_INVALID_ARGUMENT, "plan is NULL"},
    };
    for (int i = 0; i < COUNT(cases); ++i) {
        ASSERT_FAILS(cases[i].plan == NULL ? NULL : c,
                     gm_density_annealing_run(cases[i].plan, cases[i].first, cases[i].steps,
                                              &cases[i].state, &cases[i].result,
                                              cases[i].workspace),
                     cases[i].status, cases[i].text);
    }
    ASSERT_FAILS(c, gm_density_annealing_run(plan, 0, T, NULL, &all, &w),
                 GM_STATUS_INVALID_ARGUMENT, "state is NULL");
    for (int i = 0; i < N; ++i) {
        assert_true(x[i] == before[i] && weight[i] == before[i] && best[i] == before[i] &&
                    logp[i] == 1 && status[i] == 77 && accepted[i] == 77);
    }
    gm_tensor none[2] = {gm_tensor_2d(x, GM_F64, 1, 0), gm_tensor_2d(p, GM_F64, 2, 0)};
    ASSERT_OK(c,
              gm_density_annealing_run(
                  plan, 0, T, &(gm_density_annealing_state){&none[0], &none[1], NULL, NULL, NULL},
                  NULL, &w));
    ASSERT_OK(c, gm_density_annealing_run(moving, 0, T, &right, NULL, &w)); /* nothing wanted */
    assert_true(weight[0] == 1 && x[0] != before[0]);
    gm_density_annealing_plan_destroy(plan);
    gm_density_annealing_plan_destroy(moving);
    gm_mcmc_plan_destroy(mcmc);
    free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_several_is_the_best),
        cmocka_unit_test(chains_leave_the_support),
        cmocka_unit_test(bad_chains_spoil_nothing),
        cmocka_unit_test(wrong_plans_are_refused),
        cmocka_unit_test(wrong_runs_are_refused),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
