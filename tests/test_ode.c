/*
 * gm_ode_*, numerical properties: every backend against the reference, step counts against
 * published ones, orders by fit, and the same bits whatever the ensemble around a trajectory.
 */
#include "host/step_factor.h"
#include "tests/ensemble.h"

static const gm_ode_method all_methods[] = {GM_ODE_RK4, GM_ODE_TSIT5, GM_ODE_DOPRI5};

/* A user's own system: the emulator runs its scalar functions, the GPU compiles its text. */
GM_SYSTEM(coupled, 3, 2, {
    const real s = gm_sin(t);
    dydt[0] = y[1] - p[0] * y[0];
    dydt[1] = -y[0] + p[1] * s * y[2];
    dydt[2] = gm_tanh(y[0]) - y[2] + (real)0.5;
})

/* ---- the step-size controller
 * --------------------------------------------------------------------- */

/* Over every binade of E^2 and between: the polynomials' errors and float's rounding are 4.6e-6. */
static void step_factor_follows_its_formula(void **state) {
    (void)state;
    for (double squared = 1e-45; squared < 3e38; squared *= 1.0003) {
        const double exact = fmin(5, fmax(0.2, 0.9 * pow((double)(float)squared, -0.1)));
        const double factor = (double)gm_step_factor((float)squared);
        if (!(fabs(factor - exact) <= 5e-6 * exact)) {
            fail_msg("E^2 = %g: factor %.9g, exact %.9g", squared, factor, exact);
        }
    }
    assert_true(gm_step_factor(0) == 5.0f);
    assert_true(gm_step_factor(INFINITY) == 0.2f);
    assert_true(gm_step_factor(NAN) == 0.2f);
}

/* ---- against the reference ------------------------------------------------------------------- */

/* max |end(y0 + delta) - end(y0)| / delta over some directions: how much the system amplifies. */
static double amplification(const gm_system *system, const gm_ode_options *options, int64_t n,
                            const double *y0, const double *params, const double *end) {
    const int64_t size = system->dim * n;
    double *moved = malloc((size_t)size * sizeof *moved), largest = 1;
    for (int c = 0; c < system->dim; ++c) {
        memcpy(moved, y0, (size_t)size * sizeof *moved);
        for (int64_t i = 0; i < n; ++i) {
            moved[c * n + i] += 1e-7;
        }
        outcome out = solve_ode(&subjects[0], system, options, ENSEMBLE(n, moved, params));
        largest = fmax(largest, largest_difference(out.end, end, size) / 1e-7);
        free_outcome(&out);
    }
    free(moved);
    return largest;
}

/*
 * RK4 takes the same steps everywhere. Each rounds the state to within a unit or two, u max|y|,
 * which is amplified by at most A from there on, A measured with the reference; errors of many
 * steps add up like a random walk: eight of its standard deviations. Times rounded to float count
 * as two more steps.
 */
static void rk4_agrees_with_the_reference(void **state) {
    (void)state;
    enum { n = 131, steps = 50 };
    static const struct {
        const char *name;
        double low[4], high[4], size;
    } cases[] = {{"lorenz", {9, 0, 2}, {11, 28, 3}, 60},
                 {"pendulum", {0.5, 0}, {2, 1}, 10},
                 {"lotka_volterra", {1, 0.5, 2, 0.5}, {2, 1, 3, 1}, 30},
                 {"coupled", {0, -1}, {1, 1}, 5}};
    for (int k = 0; k < COUNT(cases) * 2; ++k) {
        const gm_system *system = gm_system_builtin(cases[k / 2].name);
        system = system != NULL ? system : &coupled;
        uint64_t random = (uint64_t)k;
        double *y0 = random_row(&random, system->dim * n, 0.2, 2),
               *params = malloc(4 * n * sizeof *params);
        for (int at = 0; at < system->params * n; ++at) {
            params[at] =
                random_between(&random, cases[k / 2].low[at / n], cases[k / 2].high[at / n]);
        }
        gm_ode_options o = {.method = GM_ODE_RK4, .t1 = 1, .steps = steps};
        outcome exact = solve_ode(&subjects[0], system, &o, ENSEMBLE(n, y0, params));
        const double amplified = amplification(system, &o, n, y0, params, exact.end);
        o.dtype = precisions[k % 2];
        const double bound = 8 * sqrt(steps + 2) * amplified * unit_of(o.dtype) * cases[k / 2].size;
        FOR_EACH_SUBJECT(s) {
            outcome out = solve_ode(s, system, &o, ENSEMBLE(n, y0, params));
            ASSERT_NEAR(s, largest_difference(out.end, exact.end, system->dim * n), 0, bound);
            assert_statuses(&out, GM_STATUS_OK);
            assert_true(largest_difference(out.evaluations, exact.evaluations, n) == 0);
            free_outcome(&out);
        }
        free_outcome(&exact);
        free(y0);
        free(params);
    }
}

static double sum_of(const double *values, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        sum += values[i];
    }
    return sum;
}

/*
 * A pair's controller decides on floats, so a rounding error may accept what another backend
 * rejects: such a trajectory still meets its tolerance. So the ends agree within 3 rtol of the
 * scale, 25, and the number of attempts of the whole ensemble within 1 %.
 */
static void pairs_agree_with_the_reference(void **state) {
    (void)state;
    enum { n = 131 };
    uint64_t random = 5;
    double *y0 = random_row(&random, 3 * n, -3, 3), *params = random_row(&random, 3 * n, 1, 3);
    for (int i = 0; i < n; ++i) {
        params[n + i] = random_between(&random, 0, 25);
    }
    const double saves[] = {0, 0.125, 0.3, 1};
    for (int k = 0; k < 4; ++k) {
        gm_ode_options o = {.method = k % 2 == 0 ? GM_ODE_TSIT5 : GM_ODE_DOPRI5,
                            .t1 = 1,
                            .rtol = k < 2 ? 1e-7 : 1e-4,
                            .atol = 1e-7,
                            .save_times = saves,
                            .save_count = 4};
        outcome exact =
            solve_ode(&subjects[0], gm_system_builtin("lorenz"), &o, ENSEMBLE(n, y0, params));
        o.dtype = k < 2 ? GM_F64 : GM_F32;
        FOR_EACH_SUBJECT(s) {
            outcome out = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(n, y0, params));
            ASSERT_NEAR(s, largest_difference(out.end, exact.end, 3 * n), 0, 3 * o.rtol * 25);
            ASSERT_NEAR(s, largest_difference(out.saved, exact.saved, 12 * n), 0, 3 * o.rtol * 25);
            const double attempts = sum_of(exact.accepted, n) + sum_of(exact.rejected, n);
            ASSERT_NEAR(s, sum_of(out.accepted, n) + sum_of(out.rejected, n), attempts,
                        0.01 * attempts);
            for (int i = 0; i < n; ++i) {
                assert_true(out.evaluations[i] == 2 + 6 * (out.accepted[i] + out.rejected[i]));
            }
            assert_statuses(&out, GM_STATUS_OK);
            free_outcome(&out);
        }
        free_outcome(&exact);
    }
    free(y0);
    free(params);
}

/*
 * The published protocol (see the data file): mean accepted steps, attempts and evaluations to the
 * digits printed there, least and most attempts exactly. The emulator takes every 64th trajectory
 * and is compared with the same ones of the reference: one in a hundred attempts may differ.
 */
static void step_counts_are_the_published_ones(void **state) {
    (void)state;
    enum { n = 4096, stride = 64, few = n / stride };
    double *y0 = calloc(3 * n, sizeof *y0), *params = malloc(3 * n * sizeof *params),
           *some = malloc(3 * few * sizeof *some);
    for (int i = 0; i < n; ++i) {
        y0[i] = 1;
        params[i] = 10;
        params[n + i] = 21.0 * i / (n - 1);
        params[2 * n + i] = 8.0 / 3;
    }
    double *few_y0 = calloc(3 * few, sizeof *few_y0);
    for (int i = 0; i < few; ++i) {
        few_y0[i] = 1;
        for (int c = 0; c < 3; ++c) {
            some[c * few + i] = params[c * n + i * stride];
        }
    }
    FILE *file = open_data("ode_tsit5_counts.txt");
    char label[64];
    double v[6];
    int rows = 0;
    while (next_row(file, label, v, 6) == 6) {
        const gm_ode_options o = {.t1 = 1, .rtol = v[0], .atol = v[0] / 1000, .first_step = 0.01};
        double reference = 0;
        FOR_EACH_SUBJECT(s) {
            outcome out =
                solve_ode(s, gm_system_builtin("lorenz"), &o,
                          s->is_slow ? ENSEMBLE(few, few_y0, some) : ENSEMBLE(n, y0, params));
            double least = 1e9, most = 0, attempts = 0;
            for (int64_t i = 0; i < out.n; ++i) {
                const double count = out.accepted[i] + out.rejected[i];
                least = fmin(least, count);
                most = fmax(most, count);
                attempts += count;
                reference += s->is_reference && i % stride == 0 ? count : 0;
                assert_true(out.evaluations[i] == 1 + 6 * count);
            }
            if (s->is_slow) {
                ASSERT_NEAR(s, attempts, reference, 0.01 * reference);
            } else {
                ASSERT_NEAR(s, sum_of(out.accepted, n) / n, v[1], 0.0051);
                ASSERT_NEAR(s, attempts / n, v[2], 0.0051);
                assert_true(least == v[3] && most == v[4]);
                ASSERT_NEAR(s, sum_of(out.evaluations, n) / n, v[5], 0.051);
            }
            free_outcome(&out);
        }
        ++rows;
    }
    fclose(file);
    assert_int_equal(rows, 6);
    free(y0);
    free(few_y0);
    free(params);
    free(some);
}

/* ---- orders by fit --------------------------------------------------------------------------- */

/* Van der Pol's oscillator, mu = 1, after 10 units of time, from tests/data/ode_known.txt. */
static double van_der_pol_error(const subject *s, const gm_ode_options *o, double *steps) {
    const double y0[] = {2, 0}, mu = 1, end[] = {-2.00834078257971233278, 0.0329070658633240644315};
    outcome out = solve_ode(s, gm_system_builtin("van_der_pol"), o, ENSEMBLE(1, y0, &mu));
    const double error = hypot(out.end[0] - end[0], out.end[1] - end[1]);
    *steps = out.accepted[0];
    free_outcome(&out);
    return error;
}

/* Halving the step divides the error by 16: slope 4, fitted where terms of order 5 are under 1 %. A
 * dropped stage or a wrong weight makes it 1 or 2. */
static void rk4_has_order_4(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        double h[4], errors[4];
        for (int k = 0; k < 4; ++k) {
            const gm_ode_options o = {.method = GM_ODE_RK4, .t1 = 10, .steps = 400 << k};
            errors[k] = van_der_pol_error(s, &o, &h[k]);
            h[k] = 1 / h[k];
        }
        ASSERT_NEAR(s, log_log_slope(h, errors, 4), 4, 0.05);
    }
}

/*
 * The error follows the tolerance, slope 1, and falls with the fifth power of the number of steps
 * or, where the terms of order 5 are small, as these pairs are made to have them, a little faster.
 * A method of order 4 with this controller has slopes 0.8 and -4.
 */
static void pairs_have_order_5(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int pair = 1; pair < 3; ++pair) {
            double rtol[6], errors[6], steps[6];
            for (int k = 0; k < 6; ++k) {
                rtol[k] = pow(10, -5 - k);
                const gm_ode_options o = {
                    .method = all_methods[pair], .t1 = 10, .rtol = rtol[k], .atol = rtol[k]};
                errors[k] = van_der_pol_error(s, &o, &steps[k]);
            }
            ASSERT_NEAR(s, log_log_slope(rtol, errors, 6), 1.1, 0.2);
            ASSERT_NEAR(s, log_log_slope(steps, errors, 6), -5.75, 0.75);
        }
    }
}

GM_SYSTEM(wave, 2, 0, {
    dydt[0] = y[1] * gm_cos(t);
    dydt[1] = -y[0] * gm_cos(t);
}) /* (cos, -sin) of sin t, from (1, 0) */

/* One step of size h from 0.4 and a save inside: what the interpolant alone misses. Order 4 is h^5
 * in one step, a cubic Hermite polynomial h^4; the step itself h^6 (h^7 for the pair with small
 * terms of order 6) and h^5. */
static void interpolants_have_their_orders(void **state) {
    (void)state;
    const double y0[] = {1, 0}, orders[] = {4, 5, 5}, t0 = 0.4;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 3; ++k) {
            double h[4], inside[4], at_end[4];
            for (int j = 0; j < 4; ++j) {
                h[j] = 0.2 / (1 << j);
                const double saves[] = {t0, t0 + 0.37 * h[j], t0 + h[j]};
                const gm_ode_options o = {.method = all_methods[k],
                                          .t0 = t0,
                                          .t1 = saves[2],
                                          .steps = k == 0,
                                          .rtol = k == 0 ? 0 : 1e6,
                                          .first_step = k == 0 ? 0 : 1,
                                          .save_times = saves,
                                          .save_count = 3};
                const double inner = sin(saves[1]) - sin(t0), last = sin(saves[2]) - sin(t0);
                outcome out = solve_ode(s, &wave, &o, ENSEMBLE(1, y0, NULL));
                assert_true(out.accepted[0] == 1 && out.saved[0] == 1 && out.saved[1] == 0);
                assert_memory_equal(out.saved + 4, out.end, 2 * sizeof *out.end);
                inside[j] = hypot(out.saved[2] - cos(inner), out.saved[3] + sin(inner));
                at_end[j] = hypot(out.end[0] - cos(last), out.end[1] + sin(last));
                free_outcome(&out);
            }
            ASSERT_NEAR(s, log_log_slope(h, inside, 4), orders[k], 0.3);
            const double last_order = log_log_slope(h, at_end, 4);
            assert_true(last_order > orders[k] + (k == 0 ? 0.75 : 0.85) && last_order < 7.3);
        }
    }
}

/* Saves of many steps are the states there: within ten times the end's own tolerance of exact ones,
 * and those at the same time have the same bits. */
static void saves_follow_the_solution(void **state) {
    (void)state;
    enum { m = 24 };
    const double y0[] = {1, 0};
    double saves[m];
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const double t1 = k < 3 ? 6 : -6;
            for (int j = 0; j < m; ++j) {
                saves[j] = j == 7 ? t1 * 6 / 23 : t1 * j / (m - 1);
            }
            const gm_ode_options o = {.method = all_methods[k % 3],
                                      .t1 = t1,
                                      .steps = k % 3 == 0 ? 500 : 0,
                                      .rtol = k % 3 == 0 ? 0 : 1e-7,
                                      .save_times = saves,
                                      .save_count = m};
            outcome out = solve_ode(s, &wave, &o, ENSEMBLE(1, y0, NULL));
            for (int j = 0; j < m; ++j) {
                ASSERT_NEAR(s, out.saved[2 * j], cos(sin(saves[j])), 1e-6);
                ASSERT_NEAR(s, out.saved[2 * j + 1], -sin(sin(saves[j])), 1e-6);
            }
            assert_memory_equal(out.saved + 12, out.saved + 14, 2 * sizeof *out.saved);
            free_outcome(&out);
        }
    }
}

/* ---- a trajectory depends on its own data alone ---------------------------------------------- */

enum { FULL = 200 };

static outcome solve_lorenz(const subject *s, int method, gm_dtype dtype, const ensemble *in) {
    static const double saves[] = {0, 0.1, 0.25, 0.7};
    const gm_ode_options o = {.dtype = dtype,
                              .method = all_methods[method],
                              .t1 = 0.7,
                              .steps = method == 0 ? 70 : 0,
                              .rtol = method == 0 ? 0 : 1e-5,
                              .save_times = saves,
                              .save_count = 4};
    return solve_ode(s, gm_system_builtin("lorenz"), &o, in);
}

/* Columns first .. first + count - 1 of rows x FULL numbers, or those from the last to the first.
 */
static double *columns(const double *values, int rows, int first, int count, bool reversed) {
    double *some = malloc((size_t)(rows * count) * sizeof *some + 1);
    for (int row = 0; row < rows; ++row) {
        for (int i = 0; i < count; ++i) {
            some[row * count + i] =
                values[row * FULL + (reversed ? first + count - 1 - i : first + i)];
        }
    }
    return some;
}

typedef struct lorenz_data {
    double *y0, *params;
} lorenz_data;

static lorenz_data make_data(void) {
    uint64_t random = 11;
    const lorenz_data data = {random_row(&random, 3 * FULL, -5, 5),
                              random_row(&random, 3 * FULL, 1, 20)};
    return data;
}

/* Slices of every size around a block of lanes or threads, wherever they begin. */
static void slices_have_the_same_bits(void **state) {
    (void)state;
    static const int cuts[][2] = {{0, 1},   {199, 1}, {0, 63},  {0, 64},  {0, 65},
                                  {0, 127}, {3, 128}, {5, 129}, {60, 140}};
    const lorenz_data data = make_data();
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            outcome all =
                solve_lorenz(s, k % 3, precisions[k / 3], ENSEMBLE(FULL, data.y0, data.params));
            for (int j = 0; j < COUNT(cuts); ++j) {
                double *y0 = columns(data.y0, 3, cuts[j][0], cuts[j][1], false);
                double *params = columns(data.params, 3, cuts[j][0], cuts[j][1], false);
                outcome part =
                    solve_lorenz(s, k % 3, precisions[k / 3], ENSEMBLE(cuts[j][1], y0, params));
                assert_int_equal(different_trajectories(&part, 0, &all, cuts[j][0], cuts[j][1]), 0);
                free_outcome(&part);
                free(y0);
                free(params);
            }
            free_outcome(&all);
        }
    }
    free(data.y0);
    free(data.params);
}

/* The other way round, in every layout, over the start, and with one parameter set shared. */
static void order_and_layout_change_no_bits(void **state) {
    (void)state;
    const lorenz_data data = make_data();
    double *y0 = columns(data.y0, 3, 0, FULL, true),
           *params = columns(data.params, 3, 0, FULL, true);
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            outcome all =
                solve_lorenz(s, k % 3, precisions[k / 3], ENSEMBLE(FULL, data.y0, data.params));
            outcome turned = solve_lorenz(s, k % 3, precisions[k / 3], ENSEMBLE(FULL, y0, params));
            for (int i = 0; i < FULL; ++i) {
                assert_int_equal(different_trajectories(&all, i, &turned, FULL - 1 - i, 1), 0);
            }
            free_outcome(&turned);
            for (layout how = ROWS; how <= BACKWARD; ++how) {
                for (int in_place = 0; in_place < 2; ++in_place) {
                    outcome other = solve_lorenz(s, k % 3, precisions[k / 3],
                                                 ENSEMBLE_WITH(FULL, data.y0, data.params,
                                                               .how = how, .in_place = in_place));
                    assert_int_equal(different_trajectories(&all, 0, &other, 0, FULL), 0);
                    free_outcome(&other);
                }
            }
            free_outcome(&all);
        }
        const double one[] = {10, 28, 2.5};
        double *repeated = malloc(3 * FULL * sizeof *repeated);
        for (int at = 0; at < 3 * FULL; ++at) {
            repeated[at] = one[at / FULL];
        }
        outcome a = solve_lorenz(s, 1, GM_F64, ENSEMBLE(FULL, data.y0, repeated));
        outcome b = solve_lorenz(s, 1, GM_F64, ENSEMBLE_WITH(FULL, data.y0, one, .shared = true));
        assert_int_equal(different_trajectories(&a, 0, &b, 0, FULL), 0);
        free_outcome(&a);
        free_outcome(&b);
        free(repeated);
    }
    free(y0);
    free(params);
    free(data.y0);
    free(data.params);
}

/* 1, 2, 3 and 7 threads; 3000 trajectories are several blocks for each. */
static void threads_change_no_bits(void **state) {
    (void)state;
    enum { n = 3000 };
    uint64_t random = 13;
    double *y0 = random_row(&random, 3 * n, -5, 5), *params = random_row(&random, 3 * n, 1, 20);
    outcome first[6] = {{0}};
    for (int threads = 1; threads <= 7; threads += threads == 3 ? 4 : 1) {
        subject s = {.name = "cpu"};
        const gm_context_options o = {.backend = GM_BACKEND_CPU, .threads = threads};
        ASSERT_OK(NULL, gm_context_create(&o, &s.context));
        for (int k = 0; k < 6; ++k) {
            outcome out = solve_lorenz(&s, k % 3, precisions[k / 3], ENSEMBLE(n, y0, params));
            if (threads == 1) {
                first[k] = out;
            } else {
                assert_int_equal(different_trajectories(&first[k], 0, &out, 0, n), 0);
                free_outcome(&out);
            }
        }
        gm_context_destroy(s.context);
    }
    for (int k = 0; k < 6; ++k) {
        free_outcome(&first[k]);
    }
    free(y0);
    free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_factor_follows_its_formula),
        cmocka_unit_test(rk4_agrees_with_the_reference),
        cmocka_unit_test(pairs_agree_with_the_reference),
        cmocka_unit_test(step_counts_are_the_published_ones),
        cmocka_unit_test(rk4_has_order_4),
        cmocka_unit_test(pairs_have_order_5),
        cmocka_unit_test(interpolants_have_their_orders),
        cmocka_unit_test(saves_follow_the_solution),
        cmocka_unit_test(slices_have_the_same_bits),
        cmocka_unit_test(order_and_layout_change_no_bits),
        cmocka_unit_test(threads_change_no_bits),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
