/*
 * gm_ode_*, trajectories that fail: each ends alone, with its own status, at its last finite state,
 * and everything it could not reach is marked. On every backend.
 */
#include "tests/ensemble.h"

#include <float.h>

static const gm_ode_method all_methods[] = {GM_ODE_RK4, GM_ODE_TSIT5, GM_ODE_DOPRI5};

GM_SYSTEM(power, 1, 1, { dydt[0] = p[0] * y[0] * y[0]; })        /* 1 / (1/y0 - p t) */
GM_SYSTEM(exponential, 1, 1, { dydt[0] = gm_exp(p[0] * y[0]); }) /* -log(exp(-p y0) - p t) / p */

static bool has_failed_at_a_singularity(double status) {
    return (gm_status)status == GM_STATUS_STEP_TOO_SMALL ||
           (gm_status)status == GM_STATUS_NON_FINITE;
}

/*
 * x' = x^2 from 1 and x' = e^x from 0 leave every bound at t = 1. A pair stops there: its time is
 * within rtol of it, its state finite and on the solution, which near the end says 1/x (or e^-x) =
 * 1 - t. With half the rate nothing happens before t = 2, and that neighbour ends well.
 */
static void a_blow_up_ends_where_it_is(void **state) {
    (void)state;
    const gm_system *const systems[] = {&power, &exponential};
    const double saves[] = {0.5, 0.99, 1.25, 1.5}, params[] = {1, 0.5, 1};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 8; ++k) {
            const gm_system *system = systems[k / 4];
            const double y0[] = {k / 4 == 0, k / 4 == 0,
                                 -(k / 4)}; /* the third blows up at 1 or e */
            const gm_ode_options o = {.dtype = precisions[k % 2],
                                      .method = all_methods[1 + k / 2 % 2],
                                      .t1 = 1.5,
                                      .rtol = 1e-5,
                                      .save_times = saves,
                                      .save_count = 4};
            outcome out = solve_ode(s, system, &o, ENSEMBLE(3, y0, params));
            const double left = 1 - out.time[0],
                         inverse = k / 4 == 0 ? 1 / out.end[0] : exp(-out.end[0]);
            assert_true(has_failed_at_a_singularity(out.status[0]));
            assert_true(isfinite(out.end[0]));
            ASSERT_NEAR(s, left, 0, 1e-3);
            ASSERT_NEAR(s, inverse, left, 1e-4);
            ASSERT_NEAR(s, out.saved[0], k / 4 == 0 ? 2 : log(2), 1e-3);
            ASSERT_NEAR(s, out.saved[3], k / 4 == 0 ? 100 : log(100), k / 4 == 0 ? 1 : 0.01);
            assert_true(isnan(out.saved[6]) && isnan(out.saved[9]));
            assert_true((gm_status)out.status[1] == GM_STATUS_OK && out.time[1] == 1.5);
            ASSERT_NEAR(s, out.end[1], k / 4 == 0 ? 4 : -2 * log(0.25), 1e-2);
            free_outcome(&out);
        }
    }
}

/* RK4 has no error to look at: it steps over the singularity until the state is no number in its
 * precision. Its time is that of its last finite state, a step's number times h, and its
 * evaluations are those of the steps taken and of the one that failed. */
static void rk4_stops_at_its_last_finite_state(void **state) {
    (void)state;
    const double y0[] = {1, 0.25, 3}, params[] = {1, 1, 1}, saves[] = {0.5, 0.51, 1.9, 2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const gm_ode_options o = {.dtype = precisions[k],
                                      .method = GM_ODE_RK4,
                                      .t1 = 2,
                                      .steps = 100,
                                      .save_times = saves,
                                      .save_count = 4};
            outcome out = solve_ode(s, &power, &o, ENSEMBLE(3, y0, params));
            for (int i = 0; i < 3; i += 2) {
                assert_true((gm_status)out.status[i] == GM_STATUS_NON_FINITE &&
                            isfinite(out.end[i]));
                const double time = 0.02 * out.accepted[i];
                ASSERT_NEAR(s, out.time[i], time, 2 * unit_of(o.dtype));
                assert_true(out.evaluations[i] == 4 * out.accepted[i] + 4);
                assert_true(out.time[i] > 1 / y0[i] - 0.02 && out.time[i] < 1 / y0[i] + 0.2);
                assert_true(isnan(out.saved[2 * 3 + i]) && isnan(out.saved[3 * 3 + i]));
                /* The same steps again, and no more, end there and well. */
                const gm_ode_options short_run = {.dtype = precisions[k],
                                                  .method = GM_ODE_RK4,
                                                  .t1 = time,
                                                  .steps = (int64_t)out.accepted[i]};
                outcome again = solve_ode(s, &power, &short_run, ENSEMBLE(1, y0 + i, params));
                assert_statuses(&again, GM_STATUS_OK);
                if (k == 0) { /* h is 0.02 in double both times; in float it may be its neighbour */
                    ASSERT_NEAR(s, again.end[0], out.end[i], 1e-2 * fabs(out.end[i]));
                }
                free_outcome(&again);
            }
            assert_true(isfinite(out.saved[0]) && isnan(out.saved[2]));
            assert_true((gm_status)out.status[1] == GM_STATUS_OK && out.time[1] == 2 &&
                        out.accepted[1] == 100);
            ASSERT_NEAR(s, out.end[1], 0.5, 1e-6);
            free_outcome(&out);
        }
    }
}

/*
 * One trajectory in a thousand has a NaN parameter, a NaN or infinite start, or blows up: it alone
 * fails, and every other has the bits of a run in which that one is well.
 */
static void one_failure_disturbs_no_other(void **state) {
    (void)state;
    const double saves[] = {0, 0.1, 0.4};
    FOR_EACH_SUBJECT(s) {
        const int64_t n = s->is_slow ? 150 : 1000, bad = n / 2 + 3;
        uint64_t random = 17;
        double *y0 = random_row(&random, 3 * n, -5, 5), *params = random_row(&random, 3 * n, 1, 20);
        for (int k = 0; k < 6; ++k) {
            const gm_ode_method method = all_methods[k % 3];
            const gm_ode_options o = {.dtype = precisions[k / 3],
                                      .method = method,
                                      .t1 = 0.5,
                                      .steps = method == GM_ODE_RK4 ? 100 : 0,
                                      .rtol = 1e-4,
                                      .save_times = saves,
                                      .save_count = 3};
            outcome well = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(n, y0, params));
            assert_statuses(&well, GM_STATUS_OK);
            const double values[] = {NAN, INFINITY, 1e300, NAN, -INFINITY};
            for (int j = 0; j < COUNT(values); ++j) {
                double *where = j < 3 ? &params[n + bad] : &y0[2 * n + bad];
                const double kept = *where;
                *where = values[j];
                outcome ill =
                    solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(n, y0, params));
                *where = kept;
                const gm_status status = (gm_status)ill.status[bad];
                if (status != GM_STATUS_NON_FINITE && !(j == 2 && status != GM_STATUS_OK)) {
                    fail_msg("%s: method %d, dtype %d, value %g: status %d", s->name, k % 3,
                             (int)o.dtype, values[j], (int)status);
                }
                assert_int_equal(different_trajectories(&well, 0, &ill, 0, bad), 0);
                assert_int_equal(different_trajectories(&well, bad + 1, &ill, bad + 1, n - bad - 1),
                                 0);
                assert_true(isnan(ill.saved[2 * 3 * n + bad]) && isnan(ill.saved[8 * n + bad]));
                if (j < 2) { /* nothing but the start was finite */
                    assert_true(ill.time[bad] == 0 && ill.end[bad] == y0[bad] &&
                                ill.accepted[bad] == 0);
                    assert_true(ill.evaluations[bad] == (method == GM_ODE_RK4 ? 4 : 1));
                } else if (j > 2) {
                    assert_true(ill.evaluations[bad] == (method == GM_ODE_RK4 ? 0 : 1) &&
                                ill.accepted[bad] == 0);
                }
                free_outcome(&ill);
            }
            free_outcome(&well);
        }
        free(y0);
        free(params);
    }
}

/* max_steps counts attempts; one more than what a trajectory needs changes nothing, one fewer ends
 * it on the way. */
static void max_steps_ends_a_trajectory(void **state) {
    (void)state;
    const double y0[] = {1, 0.01, 1, 0.01, 1, 0.01}, params[] = {10, 10, 28, 0, 2.5, 2.5},
                 saves[] = {0.1, 2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            gm_ode_options o = {.dtype = precisions[k % 2],
                                .method = all_methods[1 + k / 2],
                                .t1 = 2,
                                .rtol = 1e-5,
                                .save_times = saves,
                                .save_count = 2};
            outcome all = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
            const double needed = all.accepted[0] + all.rejected[0];
            assert_true(needed > all.accepted[1] + all.rejected[1] + 5);
            for (int less = -1; less <= 1; ++less) {
                o.max_steps = (int64_t)needed - less;
                outcome out =
                    solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
                assert_int_equal(different_trajectories(&all, 1, &out, 1, 1), 0);
                if (less <= 0) {
                    assert_int_equal(different_trajectories(&all, 0, &out, 0, 1), 0);
                } else {
                    assert_true((gm_status)out.status[0] == GM_STATUS_NOT_CONVERGED);
                    assert_true(out.accepted[0] + out.rejected[0] == (double)o.max_steps);
                    assert_true(out.time[0] > 1 && out.time[0] < 2 && isfinite(out.end[0]));
                    assert_true(out.saved[0] == all.saved[0] && isnan(out.saved[6]));
                }
                free_outcome(&out);
            }
            free_outcome(&all);
        }
    }
}

/* A smallest step above what the tolerance needs ends the trajectory, not below; the last step,
 * which may be short, is exempt. */
static void min_step_ends_a_trajectory(void **state) {
    (void)state;
    const double y0[] = {1, 0.01, 1, 0.01, 1, 0.01}, params[] = {10, 10, 28, 0, 2.5, 2.5};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            gm_ode_options o = {.dtype = precisions[k % 2],
                                .method = all_methods[1 + k / 2],
                                .t1 = 1,
                                .rtol = 1e-5,
                                .first_step = 0.01};
            outcome all = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
            o.min_step = 1e-6;
            outcome fine = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
            assert_int_equal(different_trajectories(&all, 0, &fine, 0, 2), 0);
            o.min_step = 0.03;
            outcome out = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
            assert_true((gm_status)out.status[0] == GM_STATUS_STEP_TOO_SMALL);
            assert_true(out.time[0] > 0 && out.time[0] < 1 && isfinite(out.end[0]));
            o.t1 = 0.005; /* the only step is shorter than the smallest, and ends it well */
            outcome brief = solve_ode(s, gm_system_builtin("lorenz"), &o, ENSEMBLE(2, y0, params));
            assert_statuses(&brief, GM_STATUS_OK);
            free_outcome(&all);
            free_outcome(&fine);
            free_outcome(&out);
            free_outcome(&brief);
        }
    }
}

GM_SYSTEM(wall, 1, 1, { dydt[0] = gm_sqrt(p[0] - t); })

/* A derivative that is no number from the first instant on, at t = 0 where every step, however
 * short, can be told from none: it is said in under 1000 attempts. */
static void a_wall_at_the_start_is_seen(void **state) {
    (void)state;
    const double y0[] = {1, 1}, params[] = {0, 2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const gm_ode_options o = {
                .dtype = precisions[k % 2], .method = all_methods[1 + k / 2], .t1 = 1};
            outcome out = solve_ode(s, &wall, &o, ENSEMBLE(2, y0, params));
            assert_true((gm_status)out.status[0] == GM_STATUS_NON_FINITE);
            if (!(out.rejected[0] < 1000 && out.end[0] == 1)) {
                fail_msg("%s: %g rejected, %g accepted, y = %g", s->name, out.rejected[0],
                         out.accepted[0], out.end[0]);
            }
            assert_true((gm_status)out.status[1] == GM_STATUS_OK);
            ASSERT_NEAR(s, out.end[1], 1 + (2 * sqrt(2.0) - 1) * 2 / 3, 1e-4);
            free_outcome(&out);
        }
    }
}

/* A component that stays 0, tolerances and a first step that float rounds to 0: no NaN, no endless
 * loop. */
static void tiny_options_are_harmless(void **state) {
    (void)state;
    const double y0[] = {0, 1}, params[] = {1, 0};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            gm_ode_options o = {.dtype = precisions[k % 2],
                                .method = all_methods[1 + k / 2],
                                .t1 = 1,
                                .rtol = 1e-4,
                                .atol = 1e-60};
            outcome out =
                solve_ode(s, gm_system_builtin("oscillator"), &o, ENSEMBLE(1, y0, params));
            assert_statuses(&out, GM_STATUS_OK); /* omega = 0 makes x' = v, v' = -v */
            ASSERT_NEAR(s, out.end[0], 1 - exp(-1.0), 1e-3);
            free_outcome(&out);
            const double still[] = {0, 0};
            out = solve_ode(s, gm_system_builtin("oscillator"), &o, ENSEMBLE(1, still, params));
            assert_statuses(&out, GM_STATUS_OK);
            assert_true(out.end[0] == 0 && out.end[1] == 0);
            free_outcome(&out);
            o.atol = 0;
            o.first_step = 1e-60;
            out = solve_ode(s, gm_system_builtin("oscillator"), &o, ENSEMBLE(1, y0, params));
            assert_true(out.accepted[0] + out.rejected[0] < 1000);
            assert_statuses(&out, GM_STATUS_OK);
            free_outcome(&out);
        }
    }
}

GM_SYSTEM(steady, 1, 1, { dydt[0] = p[0]; })

/* A state that overflows while its slope and the error estimate stay finite: the trajectory ends
 * with the last state that is a number, just below the largest one, and at the time of it. */
static void an_overflow_of_the_state_alone_is_seen(void **state) {
    (void)state;
    const double largest[] = {DBL_MAX, (double)FLT_MAX};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const double y0[] = {largest[k / 3] / 2}, params[] = {largest[k / 3] / 50};
            const gm_ode_options o = {.dtype = precisions[k / 3],
                                      .method = all_methods[k % 3],
                                      .t1 = 40,
                                      .steps = k % 3 == 0 ? 2000 : 0};
            outcome out = solve_ode(s, &steady, &o, ENSEMBLE(1, y0, params));
            assert_true((gm_status)out.status[0] == GM_STATUS_NON_FINITE);
            ASSERT_NEAR(s, out.end[0] / largest[k / 3], 1, 1e-3);
            ASSERT_NEAR(s, out.time[0], 25, 0.03);
            free_outcome(&out);
        }
    }
}

GM_SYSTEM(cosine, 1, 0, { dydt[0] = gm_cos(t); })

/* An interval that float does not resolve, 0.01 at 10^6, is not lost, forwards or backwards. */
static void an_interval_may_be_finer_than_its_times(void **state) {
    (void)state;
    const double y0[] = {1}, params[] = {2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const double length = k < 3 ? 0.01 : -0.01;
            const gm_ode_options o = {.dtype = GM_F32,
                                      .method = all_methods[k % 3],
                                      .t0 = 1e6,
                                      .t1 = 1e6 + length,
                                      .steps = k % 3 == 0 ? 10 : 0,
                                      .first_step = k % 3 == 0 ? 0 : 1,
                                      .rtol = 1e-3};
            outcome out = solve_ode(s, &power, &o, ENSEMBLE(1, y0, params));
            ASSERT_NEAR(s, out.end[0], 1 / (1 - 2 * length), 1e-6);
            assert_true(out.time[0] == (double)(float)o.t1 &&
                        (gm_status)out.status[0] == GM_STATUS_OK);
            free_outcome(&out);
        }
    }
}

/* t1 = t0 returns y0 to the bit with OK, no evaluation and no step, and every save is y0. */
static void no_time_changes_nothing(void **state) {
    (void)state;
    const double y0[] = {0.5, -0.0, 1e-30}, saves[] = {3.25, 3.25};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const gm_ode_options o = {.dtype = precisions[k / 3],
                                      .method = all_methods[k % 3],
                                      .t0 = 3.25,
                                      .t1 = 3.25,
                                      .steps = k % 3 == 0 ? 5 : 0,
                                      .save_times = saves,
                                      .save_count = 2};
            outcome out = solve_ode(s, &cosine, &o, ENSEMBLE(3, y0, NULL));
            for (int i = 0; i < 3; ++i) {
                const double stored = o.dtype == GM_F64 ? y0[i] : (double)(float)y0[i];
                assert_memory_equal(&out.end[i], &stored, sizeof stored);
                assert_memory_equal(&out.saved[i], &stored, sizeof stored);
                assert_memory_equal(&out.saved[3 + i], &stored, sizeof stored);
                assert_true(out.time[i] == 3.25 && out.accepted[i] == 0 && out.evaluations[i] == 0);
            }
            assert_statuses(&out, GM_STATUS_OK);
            free_outcome(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blow_up_ends_where_it_is),
        cmocka_unit_test(rk4_stops_at_its_last_finite_state),
        cmocka_unit_test(one_failure_disturbs_no_other),
        cmocka_unit_test(max_steps_ends_a_trajectory),
        cmocka_unit_test(min_step_ends_a_trajectory),
        cmocka_unit_test(a_wall_at_the_start_is_seen),
        cmocka_unit_test(tiny_options_are_harmless),
        cmocka_unit_test(an_interval_may_be_finer_than_its_times),
        cmocka_unit_test(an_overflow_of_the_state_alone_is_seen),
        cmocka_unit_test(no_time_changes_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
