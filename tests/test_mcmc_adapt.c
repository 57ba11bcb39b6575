/*
 * The adaptation of step sizes by gm_mcmc_run: the recurrence step by step, its aim, and that it
 * stops.
 */
#include "tests/mcmc_fixture.h"

/* y > 0: a gamma density, outside of which the logarithm is NaN. */
GM_DENSITY(
    ray, 1, 1, { logp[0] = 2 * gm_log(y[0]) - p[0] * y[0]; }, { grad[0] = 2 / y[0] - p[0]; })

/*
 * Seven calls of 1 .. 7 steps show every intermediate step size. The random walk on N(0, 1) is made
 * again here with the step sizes of the recurrence as the header has it.
 */
static void the_recurrence_is_that_of_the_header(void **state) {
    (void)state;
    enum { n = 67, most = 7 };
    const double p[] = {0, 1}, h0 = 0.25, target = 0.375;
    double start[n];
    for (int i = 0; i < n; ++i) {
        start[i] = -2 + 0.0625 * i;
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2 * most; ++k) {
            const gm_dtype dtype = precisions[k % 2];
            const int steps = 1 + k / 2;
            const chains in = {.density = gm_density_builtin("normal"),
                               .options = {.dtype = dtype,
                                           .method = GM_MCMC_RWM,
                                           .steps = steps,
                                           .target = target,
                                           .seed = 5},
                               .n = n,
                               .first_step = 1000,
                               .state = start,
                               .params = p,
                               .step = &h0,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            int apart = 0;
            for (int i = 0; i < n; ++i) {
                double y = start[i], h = h0, e = 0, m = 0;
                for (int t = 1; t <= steps; ++t) {
                    const double to =
                        y + h * chain_normal(&in.options, 1, (uint64_t)i, 1000 + t - 1, 0);
                    const double ratio = (y * y - to * to) / 2;
                    if (ratio >= -chain_patience(&in.options, (uint64_t)i, 1000 + t - 1)) {
                        y = to;
                    }
                    e += (target - exp(fmin(0, ratio)) - e) / (t + 10);
                    h = exp(log(10 * h0) - sqrt(t) * e / 0.05);
                    m += (log(h) - m) / pow(t, 0.75);
                }
                const double tolerance = dtype == GM_F64 ? 1e-12 : 1e-4;
                apart += !(fabs(out.step[i] - exp(m)) <= tolerance * exp(m) &&
                           fabs(out.state[i] - y) <= tolerance * (1 + fabs(y)) * 10);
            }
            assert_int_equal(apart, 0);
            free_chains(&out);
        }
    }
}

/*
 * Over T steps the mean of target - a is e, but for the offset of 10 steps, and e is
 * (log(10 h_0) - log h) / (20 sqrt(T)): what chains accept is the target within 0.02 here, where
 * log h is within 7 of log(10 h_0), 10 / T, and the statistical error of n T decisions.
 *
 * On N(0, 1) the random walk accepts with probability (2 / pi) atan(2 / h), so the step size is
 * known. What the chains arrive at, averaged, is off by the bias of averaging a nonlinear iteration
 * from a far start: 0.01 and 0.13 measured in the logarithm, 0.15 allowed, and 0.05 of acceptance,
 * which is what that makes.
 */
static void step_sizes_arrive_at_the_target(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h, target, expected;
        int leapfrogs;
    } rows[] = {{GM_MCMC_RWM, 0.02, 0.44, 2.41758, 0},
                {GM_MCMC_RWM, 50, 0.234, 5.19391, 0},
                {GM_MCMC_MALA, 0.01, 0.6, 0, 0},
                {GM_MCMC_HMC, 0.01, 0.8, 0, 4}};
    const double p[] = {1, 1};
    for (const subject *s = subjects; s < subjects + subject_count; ++s) {
        const int64_t n = s->is_slow || s->is_reference ? 200 : 1000;
        double *start = malloc((size_t)n * sizeof *start);
        for (int k = 0; k < COUNT(rows); ++k) {
            for (int64_t i = 0; i < n; ++i) {
                start[i] = 1;
            }
            chains in = {.density = gm_density_builtin("normal"),
                         .options = {.dtype = precisions[k % 2],
                                     .method = rows[k].method,
                                     .steps = 600,
                                     .target = rows[k].target,
                                     .leapfrogs = rows[k].leapfrogs,
                                     .jitter = rows[k].leapfrogs > 0,
                                     .seed = 8},
                         .n = n,
                         .state = start,
                         .params = p,
                         .step = &rows[k].h,
                         .shared = true};
            chains_result warm = run_chains(s, &in);
            double mean = 0, accepted = 0;
            for (int64_t i = 0; i < n; ++i) {
                mean += log(warm.step[i]) / (double)n;
                accepted += warm.accepted[i] / 600.0 / (double)n;
            }
            ASSERT_NEAR(s, accepted, rows[k].target,
                        0.02 + 10 / 600.0 + 5 * 0.5 / sqrt(600.0 * (double)n));
            if (rows[k].expected > 0) {
                ASSERT_NEAR(s, mean, log(rows[k].expected), 0.15);
                const double found = (double)(float)exp(mean);
                in.step = &found;
                in.state = warm.state;
                in.options.target = 0;
                in.first_step = 600;
                chains_result out = run_chains(s, &in);
                accepted = 0;
                for (int64_t i = 0; i < n; ++i) {
                    accepted += out.accepted[i] / 600.0 / (double)n;
                }
                ASSERT_NEAR(s, accepted, rows[k].target, 0.05);
                free_chains(&out);
            }
            free_chains(&warm);
        }
        free(start);
    }
}

/*
 * Every method on a half line, where a part of the proposals lies outside and counts as never
 * accepted: step sizes and states are the reference's. Few steps: a trajectory that turns close to
 * the end of the half line is unstable and multiplies its rounding. A float decision within
 * rounding of its noise may part two chains of 130 from the reference.
 */
static void backends_adapt_as_the_reference(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int leapfrogs;
    } rows[] = {{GM_MCMC_RWM, 1, 0}, {GM_MCMC_MALA, 0.3, 0}, {GM_MCMC_HMC, 0.4, 5}};
    enum { n = 130 };
    double start[n];
    for (int i = 0; i < n; ++i) {
        start[i] = 0.125 + 0.0625 * i;
    }
    const double p[] = {0.75};
    for (int k = 0; k < 2 * COUNT(rows); ++k) {
        const gm_dtype dtype = precisions[k % 2];
        const chains in = {.density = &ray,
                           .options = {.dtype = dtype,
                                       .method = rows[k / 2].method,
                                       .steps = dtype == GM_F64 ? 8 : 3,
                                       .leapfrogs = rows[k / 2].leapfrogs,
                                       .jitter = rows[k / 2].leapfrogs > 0,
                                       .target = 0.5,
                                       .seed = 3},
                           .n = n,
                           .state = start,
                           .params = p,
                           .step = &rows[k / 2].h,
                           .shared = true};
        chains_result exact = run_chains(&subjects[0], &in);
        int64_t outside = 0;
        for (int i = 0; i < n; ++i) {
            outside += exact.outside[i];
        }
        assert_true(outside > n / 4);
        for (const subject *s = subjects + 1; s < subjects + subject_count; ++s) {
            const double tolerance = dtype == GM_F64 ? 1e-11 : 1e-4;
            chains_result out = run_chains(s, &in);
            int apart = 0;
            for (int i = 0; i < n; ++i) {
                apart += !(fabs(out.step[i] - exact.step[i]) <= tolerance * exact.step[i] &&
                           fabs(out.state[i] - exact.state[i]) <= tolerance * exact.state[i] &&
                           out.outside[i] == exact.outside[i]);
            }
            if (apart > (dtype == GM_F64 ? 0 : 2)) {
                fail_msg("%s: %d chains differ from the reference's", s->name, apart);
            }
            free_chains(&out);
        }
        free_chains(&exact);
    }
}

GM_DENSITY(
    two_scales, 2, 0, { logp[0] = (real)-0.5 * (y[0] * y[0] + y[1] * y[1] / 10000); },
    {
        grad[0] = -y[0];
        grad[1] = -y[1] / 10000;
    })

/*
 * Each scale arrives at its own: of independent normal coordinates, standard deviations 1 and 100,
 * from 1 for both, those that accept 0.44 of the proposals, 2.418 and 241.8 over the step size. The
 * iterate after 600 steps has a standard deviation of some 0.1 in the logarithm for a chain, so the
 * mean over 200 of 0.007: 0.05 is allowed.
 */
static void each_scale_arrives_at_its_own(void **state) {
    (void)state;
    enum { n = 200 };
    double start[2 * n];
    for (int i = 0; i < 2 * n; ++i) {
        start[i] = 0.25;
    }
    const double h = 0.5;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const chains in = {.density = &two_scales,
                               .options = {.dtype = precisions[k % 2],
                                           .method = GM_MCMC_COMPONENT,
                                           .steps = 600,
                                           .jitter = k / 2,
                                           .target = 0.44,
                                           .seed = 12},
                               .n = n,
                               .state = start,
                               .step = &h,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            double mean[2] = {0, 0};
            for (int i = 0; i < 2 * n; ++i) {
                mean[i / n] += log(out.scale[i]) / n;
            }
            ASSERT_NEAR(s, mean[0], log(2.41758 / h), 0.05);
            ASSERT_NEAR(s, mean[1], log(241.758 / h), 0.05);
            free_chains(&out);
        }
    }
}

static void targets_are_checked(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    gm_mcmc_plan *plan = NULL;
    gm_mcmc_options o = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 2};
    const double wrong[] = {-0.1, 1, NAN};
    for (int i = 0; i < COUNT(wrong); ++i) {
        o.target = wrong[i];
        ASSERT_FAILS(c, gm_mcmc_plan_create(c, gm_density_builtin("normal"), &o, &plan),
                     GM_STATUS_INVALID_ARGUMENT, "options.target = ");
    }
    o.target = 0.5;
    o.method = GM_MCMC_ULA;
    ASSERT_FAILS(c, gm_mcmc_plan_create(c, gm_density_builtin("normal"), &o, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "ULA accepts every proposal");
    o = (gm_mcmc_options){.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 2};
    ASSERT_OK(c, gm_mcmc_plan_create(c, gm_density_builtin("normal"), &o, &plan));
    double y = 0, h = 1, p[] = {0, 1}, adapted;
    const gm_tensor ty = gm_tensor_2d(&y, GM_F64, 1, 1), th = gm_tensor_1d(&h, GM_F64, 1);
    const gm_tensor tp = gm_tensor_2d(p, GM_F64, 2, 1), ta = gm_tensor_1d(&adapted, GM_F64, 1);
    const gm_mcmc_input input = {.state = &ty, .params = &tp, .step = &th};
    const gm_mcmc_result result = {.step = &ta};
    ASSERT_FAILS(c, gm_mcmc_run(plan, 0, &input, &result), GM_STATUS_INVALID_ARGUMENT,
                 "result.step is given");
    gm_mcmc_plan_destroy(plan);
}

/* A chain that does not start has no step size; one that never accepts has a finite one. */
static void failed_chains_have_no_step_size(void **state) {
    (void)state;
    enum { n = 66 };
    double start[n];
    for (int i = 0; i < n; ++i) {
        start[i] = i % 2 == 0 ? 0.5 : (double)NAN;
    }
    const double p[] = {0, 1}, h = 0.5;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const chains in = {.density = gm_density_builtin("normal"),
                               .options = {.dtype = precisions[k],
                                           .method = GM_MCMC_MALA,
                                           .steps = 5,
                                           .target = 0.999},
                               .n = n,
                               .state = start,
                               .params = p,
                               .step = &h,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            for (int i = 0; i < n; ++i) {
                assert_true(i % 2 == 0 ? isfinite(out.step[i]) && out.step[i] > 0
                                       : isnan(out.step[i]));
            }
            free_chains(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recurrence_is_that_of_the_header),
        cmocka_unit_test(step_sizes_arrive_at_the_target),
        cmocka_unit_test(backends_adapt_as_the_reference),
        cmocka_unit_test(each_scale_arrives_at_its_own),
        cmocka_unit_test(targets_are_checked),
        cmocka_unit_test(failed_chains_have_no_step_size),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
