/*
 * gm_sde_*: which noise goes where to the bit, every backend against the reference, cuts, and
 * failures. Moments and orders are in test_sde_moments.c, wrong arguments in test_ode_errors.c.
 */
#include "tests/ensemble.h"

#include <genmath/philox.h>

/* ---- which normal goes where ----------------------------------------------------------------- */

/* Unit noise and no drift with h = 1: y is a plain sum of normals. */
GM_SYSTEM(walk, 3, 0, { dydt[0] = dydt[1] = dydt[2] = 0; })
GM_DIFFUSION_DIAGONAL(walk, 3, 0, { g[0] = g[1] = g[2] = 1; })

/* Five noises for two components: component 0 takes noises 0 and 3, component 1 the four others'
 * sum but 0. */
GM_SYSTEM(mixed, 2, 0, { dydt[0] = dydt[1] = 0; })
GM_DIFFUSION_MATRIX(mixed, 2, 0, 5, {
    g[0] = 1;
    g[1] = g[2] = g[4] = 0;
    g[3] = 1;
    g[5] = 0;
    g[6] = g[7] = g[8] = g[9] = 1;
})

static double unit_normal(gm_dtype dtype, uint64_t seed, uint64_t index, uint64_t draw) {
    return dtype == GM_F64 ? gm_normal_f64(seed, index, GM_STREAM_SDE, draw)
                           : (double)gm_normal_f32(seed, index, GM_STREAM_SDE, draw);
}

static double rounded(gm_dtype dtype, double value) {
    return dtype == GM_F64 ? value : (double)(float)value;
}

/*
 * Step k of trajectory i adds normal k m + j of index first_index + i for noise j of m. Every
 * partial sum is saved; the sums are repeated here in the same order and precision, so that each
 * must have the same bits (the reference adds floats in double, where only the first is exact).
 */
static void noise_is_addressed_by_index_step_and_component(void **state) {
    (void)state;
    enum { n = 67, steps = 11 };
    const uint64_t seed = 0x1234567887654321u, firsts[] = {0, 1000003, UINT64_MAX - 40};
    double zeros[3 * n] = {0};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2 * COUNT(firsts); ++k) {
            const gm_dtype dtype = precisions[k % 2];
            const gm_sde_options o = {.dtype = dtype,
                                      .t1 = steps,
                                      .steps = steps,
                                      .seed = seed,
                                      .first_index = firsts[k / 2],
                                      .save_every = 1};
            const int exact_steps = s->is_reference && dtype == GM_F32 ? 1 : steps;
            outcome out = solve_sde(s, &walk_sde, &o, ENSEMBLE(n, zeros, NULL));
            outcome mix = solve_sde(s, &mixed_sde, &o, ENSEMBLE(n, zeros, NULL));
            for (uint64_t i = 0; i < n; ++i) {
                double y[3] = {0}, x[2] = {0};
                for (uint64_t step = 0; step < (uint64_t)exact_steps; ++step) {
                    double z[5];
                    for (uint64_t c = 0; c < 3; ++c) {
                        y[c] = rounded(dtype, y[c] + unit_normal(dtype, seed, firsts[k / 2] + i,
                                                                 3 * step + c));
                        assert_true(out.saved[(step * 3 + c) * n + i] == y[c]);
                    }
                    for (uint64_t j = 0; j < 5; ++j) {
                        z[j] = unit_normal(dtype, seed, firsts[k / 2] + i, 5 * step + j);
                    }
                    x[0] = rounded(dtype, x[0] + rounded(dtype, z[0] + z[3]));
                    double sum = rounded(dtype, z[1] + z[2]);
                    sum = rounded(dtype, rounded(dtype, sum + z[3]) + z[4]);
                    x[1] = rounded(dtype, x[1] + sum);
                    const double tolerance = s->is_reference && dtype == GM_F32 ? 1e-6 : 0;
                    ASSERT_NEAR(s, mix.saved[step * 2 * n + i], x[0], tolerance);
                    ASSERT_NEAR(s, mix.saved[(step * 2 + 1) * n + i], x[1], tolerance);
                }
            }
            assert_statuses(&out, GM_STATUS_OK);
            free_outcome(&out);
            free_outcome(&mix);
        }
    }
}

/* ---- against the reference ------------------------------------------------------------------- */

GM_SYSTEM(driven, 2, 2, {
    dydt[0] = y[1] - p[0] * y[0];
    dydt[1] = gm_sin(t) - p[1] * y[1];
})
GM_DIFFUSION_MATRIX(driven, 2, 2, 3, {
    g[0] = (real)0.5;
    g[1] = (real)0.1 * y[1];
    g[2] = (real)0.3 * t;
    g[3] = 0;
    g[4] = p[0];
    g[5] = (real)-0.2;
})

/*
 * The same noise and the same steps: each rounds the state to within a unit or two, and these add
 * up like a random walk, amplified by under 4 for these systems over one unit of time: eight of its
 * standard deviations.
 */
static void every_backend_agrees_with_the_reference(void **state) {
    (void)state;
    enum { n = 131, steps = 37 };
    static const struct {
        const char *name;
        double low[5], high[5], size;
    } cases[] = {{"gbm", {0.1, 0.1}, {1, 0.6}, 20},
                 {"ou", {0.5, 0.1}, {2, 1}, 10},
                 {"double_well_langevin", {0.05}, {0.5}, 5},
                 {"brownian", {0.1}, {1}, 10},
                 {"heston", {0, 1, 0.2, 0.1, -0.9}, {0.1, 2, 0.5, 0.5, 0.9}, 20},
                 {"driven", {0.2, 0.2}, {1, 1}, 10}};
    for (int k = 0; k < COUNT(cases) * 2; ++k) {
        const gm_sde *sde = gm_sde_builtin(cases[k / 2].name);
        sde = sde != NULL ? sde : &driven_sde;
        const int32_t dim = sde->drift->dim;
        uint64_t random = (uint64_t)k;
        double *y0 = random_row(&random, dim * n, 0.5, 2), *params = malloc(5 * n * sizeof *params);
        for (int at = 0; at < sde->drift->params * n; ++at) {
            params[at] =
                random_between(&random, cases[k / 2].low[at / n], cases[k / 2].high[at / n]);
        }
        const gm_sde_options o = {.dtype = precisions[k % 2],
                                  .t0 = 0.5,
                                  .t1 = 1.5,
                                  .steps = steps,
                                  .seed = 9,
                                  .first_index = 77,
                                  .save_every = 5};
        outcome exact = solve_sde(&subjects[0], sde, &o, ENSEMBLE(n, y0, params));
        const double bound = 8 * sqrt(steps + 2) * 4 * unit_of(o.dtype) * cases[k / 2].size;
        FOR_EACH_SUBJECT(s) {
            outcome out = solve_sde(s, sde, &o, ENSEMBLE(n, y0, params));
            ASSERT_NEAR(s, largest_difference(out.end, exact.end, dim * n), 0, bound);
            ASSERT_NEAR(s, largest_difference(out.saved, exact.saved, 7 * dim * n), 0, bound);
            assert_statuses(&out, GM_STATUS_OK);
            for (int i = 0; i < n; ++i) {
                assert_true(out.time[i] == 1.5);
            }
            free_outcome(&out);
        }
        free_outcome(&exact);
        free(y0);
        free(params);
    }
}

/* ---- cuts, layouts, failures ----------------------------------------------------------------- */

enum { FULL = 200 };

static double *part_of(const double *values, int rows, int64_t first, int64_t count) {
    double *some = malloc((size_t)(rows * count) * sizeof *some);
    for (int row = 0; row < rows; ++row) {
        memcpy(some + row * count, values + row * FULL + first, (size_t)count * sizeof *some);
    }
    return some;
}

/* A slice that says which trajectory it begins with has the bits of the whole; so has every layout,
 * and the end does not depend on what is saved on the way. */
static void cuts_and_layouts_change_no_bits(void **state) {
    (void)state;
    static const int cuts[][2] = {{0, 1},   {199, 1}, {0, 63},  {1, 64},
                                  {70, 65}, {0, 127}, {3, 128}, {5, 129}};
    uint64_t random = 23;
    double *y0 = random_row(&random, 2 * FULL, 0.5, 1),
           *params = random_row(&random, 5 * FULL, 0.1, 0.6);
    const gm_sde *const sdes[] = {gm_sde_builtin("heston"), &driven_sde};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const gm_sde *sde = sdes[k / 2];
            gm_sde_options o = {.dtype = precisions[k % 2],
                                .t1 = 1,
                                .steps = 23,
                                .seed = 5,
                                .first_index = 1u << 31,
                                .save_every = 4};
            outcome all = solve_sde(s, sde, &o, ENSEMBLE(FULL, y0, params));
            for (int j = 0; j < COUNT(cuts); ++j) {
                double *some_y0 = part_of(y0, 2, cuts[j][0], cuts[j][1]);
                double *some = part_of(params, sde->drift->params, cuts[j][0], cuts[j][1]);
                o.first_index = (1u << 31) + (uint64_t)cuts[j][0];
                outcome part = solve_sde(s, sde, &o, ENSEMBLE(cuts[j][1], some_y0, some));
                assert_int_equal(different_trajectories(&part, 0, &all, cuts[j][0], cuts[j][1]), 0);
                free_outcome(&part);
                free(some);
                free(some_y0);
            }
            o.first_index = 1u << 31;
            for (layout how = COLUMNS; how <= BACKWARD; ++how) {
                outcome other = solve_sde(
                    s, sde, &o,
                    ENSEMBLE_WITH(FULL, y0, params, .how = how, .in_place = how == PADDED));
                assert_int_equal(different_trajectories(&all, 0, &other, 0, FULL), 0);
                free_outcome(&other);
            }
            const int64_t every[] = {0, 1, 7, 23, 24};
            for (int j = 0; j < COUNT(every); ++j) {
                o.save_every = every[j];
                outcome other = solve_sde(s, sde, &o, ENSEMBLE(FULL, y0, params));
                assert_memory_equal(other.end, all.end, 2 * FULL * sizeof *all.end);
                if (every[j] == 23) {
                    assert_memory_equal(other.saved, all.end, 2 * FULL * sizeof *all.end);
                }
                free_outcome(&other);
            }
            free_outcome(&all);
        }
    }
    free(y0);
    free(params);
}

static void threads_change_no_bits(void **state) {
    (void)state;
    enum { n = 2000 };
    uint64_t random = 29;
    double *y0 = random_row(&random, 2 * n, 0.5, 1), *params = random_row(&random, 2 * n, 0.1, 0.6);
    const gm_sde_options o = {.dtype = GM_F32, .t1 = 1, .steps = 17, .seed = 5};
    outcome first = {0};
    for (int threads = 1; threads <= 3; ++threads) {
        subject s = {.name = "cpu"};
        const gm_context_options wanted = {.backend = GM_BACKEND_CPU, .threads = threads};
        ASSERT_OK(NULL, gm_context_create(&wanted, &s.context));
        outcome out = solve_sde(&s, &driven_sde, &o, ENSEMBLE(n, y0, params));
        if (threads == 1) {
            first = out;
        } else {
            assert_int_equal(different_trajectories(&first, 0, &out, 0, n), 0);
            free_outcome(&out);
        }
        gm_context_destroy(s.context);
    }
    free_outcome(&first);
    free(y0);
    free(params);
}

/* Euler's steps of x' = x - x^3 leave every bound from |x| > sqrt(2 / h): that trajectory, and one
 * that starts at a NaN, end alone with their last finite state, the time of it, and NaN in the
 * saves after it. */
static void one_failure_disturbs_no_other(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        const int64_t n = s->is_slow ? 150 : 1000, blown = n / 2, bad = n - 2;
        uint64_t random = 31;
        double *y0 = random_row(&random, n, -1, 1), *params = random_row(&random, n, 0.1, 0.3);
        for (int k = 0; k < 2; ++k) {
            const gm_sde_options o = {
                .dtype = precisions[k], .t1 = 4, .steps = 80, .seed = 5, .save_every = 2};
            outcome well =
                solve_sde(s, gm_sde_builtin("double_well_langevin"), &o, ENSEMBLE(n, y0, params));
            const double kept[] = {y0[blown], params[bad]};
            y0[blown] = 40;
            params[bad] = NAN;
            outcome ill =
                solve_sde(s, gm_sde_builtin("double_well_langevin"), &o, ENSEMBLE(n, y0, params));
            y0[blown] = kept[0];
            params[bad] = kept[1];
            assert_statuses(&well, GM_STATUS_OK);
            for (int64_t i = 0; i < n; ++i) {
                const bool failed = i == blown || i == bad;
                assert_true(failed == (different_trajectories(&well, i, &ill, i, 1) == 1));
                assert_true((gm_status)ill.status[i] ==
                            (failed ? GM_STATUS_NON_FINITE : GM_STATUS_OK));
            }
            const double taken = ill.time[blown] / 0.05;
            ASSERT_NEAR(s, taken, nearbyint(taken), 1e-4);
            assert_true(taken > 1 && taken < 10 && isfinite(ill.end[blown]) &&
                        fabs(ill.end[blown]) > 1e10);
            assert_true(ill.time[bad] == 0);
            for (int m = 0; m < 40; ++m) {
                assert_true(isfinite(ill.saved[m * n + blown]) == (2 * m + 2 <= nearbyint(taken)));
                assert_true(isnan(ill.saved[m * n + bad]));
            }
            free_outcome(&well);
            free_outcome(&ill);
        }
        free(y0);
        free(params);
    }
}

/* t1 = t0 returns y0, in every save too; an interval finer than float's times still moves. */
static void short_intervals(void **state) {
    (void)state;
    const double y0[] = {0.5, NAN}, params[] = {1, 0, 1, 0};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            gm_sde_options o = {.dtype = precisions[k],
                                .t0 = 1e6,
                                .t1 = 1e6,
                                .steps = 5,
                                .seed = 5,
                                .save_every = 2};
            outcome out = solve_sde(s, gm_sde_builtin("ou"), &o, ENSEMBLE(2, y0, params));
            assert_true(out.end[0] == 0.5 && out.saved[0] == 0.5 && out.saved[2] == 0.5 &&
                        out.time[0] == 1e6);
            assert_true((gm_status)out.status[0] == GM_STATUS_OK &&
                        (gm_status)out.status[1] == GM_STATUS_NON_FINITE);
            assert_true(isnan(out.end[1]) && isnan(out.saved[1]) && isnan(out.saved[3]));
            free_outcome(&out);
            o.t1 = 1e6 + 0.01;
            const double still[] = {1, 0};
            out = solve_sde(s, gm_sde_builtin("ou"), &o, ENSEMBLE(1, y0, still));
            ASSERT_NEAR(s, out.end[0], 0.5 * pow(1 - 0.002, 5), 1e-6);
            free_outcome(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_addressed_by_index_step_and_component),
        cmocka_unit_test(every_backend_agrees_with_the_reference),
        cmocka_unit_test(cuts_and_layouts_change_no_bits),
        cmocka_unit_test(threads_change_no_bits),
        cmocka_unit_test(one_failure_disturbs_no_other),
        cmocka_unit_test(short_intervals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
