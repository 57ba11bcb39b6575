/*
 * gm_ode_*, exact answers: the tableaus' order conditions, RK4 as its stability polynomial and as
 * Simpson's rule, known states, symmetries and end times, on every backend.
 */
#include "tests/ensemble.h"

#include <complex.h>

#include "host/tableau.h"

/* ---- the tableaus ---------------------------------------------------------------------------- */

enum { S = GM_ERK_STAGES };

/* u = A v. */
static void apply(const gm_tableau_f64 *t, const double *v, double *u) {
    for (int i = 0; i < S; ++i) {
        u[i] = 0;
        for (int j = 0; j < i; ++j) {
            u[i] += t->a[i][j] * v[j];
        }
    }
}

static void times(const double *v, const double *w, double *u) {
    for (int i = 0; i < S; ++i) {
        u[i] = v[i] * w[i];
    }
}

/* The weights of the 17 rooted trees of order 1 to 5, by stage, and the densities: a method with
 * weights b has order q if sum b_i weight_i = 1 / density for every tree of order up to q. */
enum { TREES_4 = 8, TREES_5 = 17 };
static const int tree_order[TREES_5] = {1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5};
static const double tree_density[TREES_5] = {1,  2,  3,  6,  4,  8,  12, 24, 5,
                                             10, 15, 30, 20, 20, 40, 60, 120};

static void tree_weights(const gm_tableau_f64 *t, double w[TREES_5][S]) {
    double c2[S], c3[S], ac[S], ac2[S], aac[S], c_ac[S];
    for (int i = 0; i < S; ++i) {
        w[0][i] = 1;
    }
    times(t->c, t->c, c2);
    times(c2, t->c, c3);
    apply(t, t->c, ac);
    apply(t, c2, ac2);
    apply(t, ac, aac);
    times(t->c, ac, c_ac);
    memcpy(w[1], t->c, sizeof w[1]);
    memcpy(w[2], c2, sizeof c2);
    memcpy(w[3], ac, sizeof ac);
    memcpy(w[4], c3, sizeof c3);
    memcpy(w[5], c_ac, sizeof c_ac);
    memcpy(w[6], ac2, sizeof ac2);
    memcpy(w[7], aac, sizeof aac);
    times(c2, c2, w[8]);
    times(c2, ac, w[9]);
    times(t->c, ac2, w[10]);
    times(t->c, aac, w[11]);
    times(ac, ac, w[12]);
    apply(t, c3, w[13]);
    apply(t, c_ac, w[14]);
    apply(t, ac2, w[15]);
    apply(t, aac, w[16]);
}

/* sum b_i weight_i - x^order / density. */
static double defect(const double *b, const double *weight, int tree, double x) {
    double sum = 0;
    for (int i = 0; i < S; ++i) {
        sum += b[i] * weight[i];
    }
    return sum - pow(x, tree_order[tree]) / tree_density[tree];
}

/* Products of coefficients up to 13, each known to 2^-53, in sums whose terms are mostly small:
 * what is left of a condition that holds is 1e-15, of one with a wrong 14th digit over 1e-14. */
static const double DEFECT = 5e-15;

static void tableaus_have_their_orders(void **state) {
    (void)state;
    const gm_ode_method methods[] = {GM_ODE_TSIT5, GM_ODE_DOPRI5};
    for (int m = 0; m < COUNT(methods); ++m) {
        const gm_tableau_f64 *t = gm_tableau_of(methods[m]);
        double w[TREES_5][S], embedded[S], largest = 0;
        tree_weights(t, w);
        for (int i = 0; i < S; ++i) {
            double row = 0;
            for (int j = 0; j < i; ++j) {
                row += t->a[i][j];
            }
            assert_true(fabs(row - t->c[i]) < DEFECT);
            embedded[i] = t->b[i] - t->e[i];
        }
        for (int k = 0; k < TREES_5; ++k) {
            assert_true(fabs(defect(t->b, w[k], k, 1)) < DEFECT);
            if (k < TREES_4) {
                assert_true(fabs(defect(embedded, w[k], k, 1)) < DEFECT);
            } else {
                largest = fmax(largest, fabs(defect(embedded, w[k], k, 1)));
            }
        }
        /* The embedded method misses order 5, else the error estimate would vanish to order 6. */
        assert_true(largest > 1e-5);
        /* FSAL: the last stage is the step, at its end; the code relies on equal bits. */
        assert_memory_equal(t->a[S - 1], t->b, sizeof t->a[S - 1]);
        assert_true(t->b[S - 1] == 0 && t->c[S - 1] == 1 && t->c[0] == 0);
    }
    assert_null(gm_tableau_of(GM_ODE_RK4));
}

/* Order 4 at every point of the step, the step itself at its end, and slopes that join: k_0 at the
 * start, k_6 at the end. */
static void interpolants_have_order_4(void **state) {
    (void)state;
    const gm_ode_method methods[] = {GM_ODE_TSIT5, GM_ODE_DOPRI5};
    const double points[] = {0.01, 0.25, 0.5, 0.7, 0.99, 1};
    for (int m = 0; m < COUNT(methods); ++m) {
        const gm_tableau_f64 *t = gm_tableau_of(methods[m]);
        double w[TREES_5][S], b[S];
        tree_weights(t, w);
        for (int k = 0; k < COUNT(points); ++k) {
            const double x = points[k];
            for (int i = 0; i < S; ++i) {
                const double *q = t->interpolant[i];
                b[i] = x * (q[0] + x * (q[1] + x * (q[2] + x * q[3])));
            }
            for (int tree = 0; tree < TREES_4; ++tree) {
                /* The powers cancel: coefficients up to 88 leave 5e-15. */
                assert_true(fabs(defect(b, w[tree], tree, x)) < 4 * DEFECT);
            }
        }
        for (int i = 0; i < S; ++i) {
            const double *q = t->interpolant[i];
            assert_true(fabs(q[0] + q[1] + q[2] + q[3] - t->b[i]) < DEFECT);
            assert_true(q[0] == (i == 0));
            assert_true(fabs(q[0] + 2 * q[1] + 3 * q[2] + 4 * q[3] - (i == S - 1)) < 4 * DEFECT);
        }
    }
}

static void float_tableaus_are_the_rounded_ones(void **state) {
    (void)state;
    const gm_tableau_f64 *t = gm_tableau_of(GM_ODE_DOPRI5);
    const gm_tableau_f32 r = gm_tableau_to_f32(t);
    for (int i = 0; i < S; ++i) {
        assert_true(r.c[i] == (float)t->c[i] && r.b[i] == (float)t->b[i] &&
                    r.e[i] == (float)t->e[i]);
        for (int j = 0; j < 6; ++j) {
            assert_true(r.a[i][j] == (float)t->a[i][j]);
        }
        for (int j = 0; j < 4; ++j) {
            assert_true(r.interpolant[i][j] == (float)t->interpolant[i][j]);
        }
    }
}

/* ---- RK4 on linear systems ------------------------------------------------------------------- */

/* RK4 on y' = lambda y multiplies by R(z) = 1 + z + z^2/2 + z^3/6 + z^4/24, z = h lambda. */
static complex double stability(complex double z) {
    return 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)));
}

/*
 * The spiral has lambda = -alpha + i omega: k steps are R^k. The map is normal, so an error made in
 * one step only turns and scales with the state; a step rounds the state twice and about 40 times a
 * term of size |z| times the state: relative error <= k (2 + 40 |z|) u after k steps.
 */
static void rk4_is_its_stability_polynomial(void **state) {
    (void)state;
    enum { n = 70, steps = 200 };
    uint64_t random = 1;
    double *params = random_row(&random, 2 * n, 0.1, 3), *y0 = random_row(&random, 2 * n, -2, 2);
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(precisions); ++k) {
            const gm_ode_options o = {
                .dtype = precisions[k], .method = GM_ODE_RK4, .t1 = 5, .steps = steps};
            outcome out = solve_ode(s, gm_system_builtin("spiral"), &o, ENSEMBLE(n, y0, params));
            for (int i = 0; i < n; ++i) {
                const complex double z = 5.0 / steps * (-params[i] + I * params[n + i]);
                const complex double expected = cpow(stability(z), steps) * (y0[i] + I * y0[n + i]);
                const complex double got = out.end[i] + I * out.end[n + i];
                const double bound = steps * (2 + 40 * cabs(z)) * unit_of(o.dtype) * cabs(expected);
                ASSERT_NEAR(s, cabs(got - expected), 0, bound);
            }
            assert_statuses(&out, GM_STATUS_OK);
            free_outcome(&out);
        }
    }
    free(params);
    free(y0);
}

/* The book's spiral, alpha = 0.3, omega = 2, T = 5: the errors of 25 to 400 steps, which fall by 16
 * each time, and the step at which RK4 loses its stability, 1.46346. */
static void rk4_on_the_spiral_of_the_book(void **state) {
    (void)state;
    const int64_t steps[] = {25, 50, 100, 200, 400};
    const double errors[] = {5.28e-4, 3.22e-5, 1.99e-6, 1.236e-7, 7.70e-9};
    const double exact[] = {-0.18722216465881673, -0.12138751759687179},
                 rk4[] = {-0.18722228302583357, -0.12138748191353434};
    const double y0[] = {1, 0}, params[] = {0.3, 2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(steps); ++k) {
            const gm_ode_options o = {.method = GM_ODE_RK4, .t1 = 5, .steps = steps[k]};
            outcome out = solve_ode(s, gm_system_builtin("spiral"), &o, ENSEMBLE(1, y0, params));
            const double error = hypot(out.end[0] - exact[0], out.end[1] - exact[1]);
            ASSERT_NEAR(s, error, errors[k], 0.01 * errors[k]);
            if (steps[k] == 200) {
                ASSERT_NEAR(s, out.end[0], rk4[0], 1e-14);
                ASSERT_NEAR(s, out.end[1], rk4[1], 1e-14);
            }
            free_outcome(&out);
        }
        for (int side = -1; side <= 1; side += 2) {
            const gm_ode_options o = {
                .method = GM_ODE_RK4, .t1 = 2000 * (1.46346 + side * 1e-3), .steps = 2000};
            outcome out = solve_ode(s, gm_system_builtin("spiral"), &o, ENSEMBLE(1, y0, params));
            const double size = hypot(out.end[0], out.end[1]);
            assert_true(side < 0 ? size < 0.5 : size > 2);
            free_outcome(&out);
        }
    }
}

GM_SYSTEM(quadrature, 1, 0, { dydt[0] = 4 * t * t * t - 3 * t * t + 2 * t - 5; })

/* Of a function of time alone RK4 is Simpson's rule, exact for cubics; 8 steps of 3/4 from 0 to 6
 * make every number a small multiple of a power of 2, h/6 too: the integral 1086 to the bit. */
static void rk4_of_a_cubic_is_exact(void **state) {
    (void)state;
    const double y0[] = {0, 1, -1086}, expected[] = {1086, 1087, 0}, times_of_saves[] = {1.5, 3, 6};
    const double integrals[] = {
        0, 0, 0, 1.5 * 1.5 * 1.5 * 1.5 - 1.5 * 1.5 * 1.5 + 1.5 * 1.5 - 7.5, 0, 0, 81 - 27 + 9 - 15};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(precisions); ++k) {
            const gm_ode_options o = {.dtype = precisions[k],
                                      .method = GM_ODE_RK4,
                                      .t1 = 6,
                                      .steps = 8,
                                      .save_times = times_of_saves,
                                      .save_count = 3};
            outcome out = solve_ode(s, &quadrature, &o, ENSEMBLE(3, y0, NULL));
            assert_memory_equal(out.end, expected, sizeof expected);
            assert_true(out.saved[0] == integrals[3] && out.saved[3] == integrals[6] &&
                        out.saved[6] == 1086);
            assert_true(out.accepted[0] == 8 && out.rejected[0] == 0 && out.evaluations[0] == 32);
            free_outcome(&out);
        }
    }
}

/* ---- known answers --------------------------------------------------------------------------- */

GM_SYSTEM(forced, 1, 1, { dydt[0] = -p[0] * y[0] + gm_sin(t); })
GM_SYSTEM(sine, 1, 1, { dydt[0] = gm_sin(p[0] * y[0]); })
GM_SYSTEM(logarithm, 1, 1, { dydt[0] = gm_exp(p[0] * y[0]); })
GM_SYSTEM(airy, 2, 0, {
    dydt[0] = y[1];
    dydt[1] = t * y[0];
})
GM_SYSTEM(turning, 2, 0, {
    const real omega = 1 + (real)0.5 * gm_sin(t);
    dydt[0] = -omega * y[1];
    dydt[1] = omega * y[0];
})
GM_SYSTEM(triangle, 3, 0, {
    dydt[0] = y[1] + y[2] - 2 * y[0];
    dydt[1] = y[0] + y[2] - 2 * y[1];
    dydt[2] = y[0] + y[1] - 2 * y[2];
})
GM_SYSTEM(chain3, 3, 0, {
    dydt[0] = -y[0] + (real)0.5 * y[1] + 1;
    dydt[1] = (real)-0.5 * y[1] + (real)0.3 * y[2] + (real)0.5;
    dydt[2] = (real)-0.2 * y[2] - (real)0.5;
})

static const gm_system *find_system(const char *name) {
    const gm_system *const own[] = {&forced,  &sine,     &logarithm, &airy,
                                    &turning, &triangle, &chain3};
    for (int i = 0; i < COUNT(own); ++i) {
        if (strcmp(own[i]->name, name) == 0) {
            return own[i];
        }
    }
    return gm_system_builtin(name);
}

/*
 * Each method ends within a multiple of what it was asked for: 30 rtol for the pairs (some 10 to
 * 100 steps of errors up to rtol each, that these systems hardly amplify), for RK4 with 200 steps
 * per unit of time 1e-6, of the largest component or 1. In float 500 units of rounding, what some
 * hundred steps lose.
 */
static void ends_at_known_states(void **state) {
    (void)state;
    static const struct {
        gm_dtype dtype;
        gm_ode_method method;
        double rtol, bound;
    } runs[] = {{GM_F64, GM_ODE_TSIT5, 1e-10, 3e-9},
                {GM_F64, GM_ODE_DOPRI5, 1e-10, 3e-9},
                {GM_F64, GM_ODE_RK4, 0, 1e-6},
                {GM_F32, GM_ODE_TSIT5, 1e-6, 3e-5},
                {GM_F32, GM_ODE_RK4, 0, 3e-5}};
    FILE *file = open_data("ode_known.txt");
    char label[64];
    double v[16];
    int rows = 0;
    for (int count; (count = next_row(file, label, v, COUNT(v))) >= 0; ++rows) {
        const gm_system *system = find_system(label);
        assert_non_null(system);
        const int dim = system->dim;
        const double *y0 = v + 1, *params = y0 + dim, *exact = params + system->params;
        assert_int_equal(count, 1 + 2 * dim + system->params);
        double scale = 1;
        for (int c = 0; c < dim; ++c) {
            scale = fmax(scale, fabs(exact[c]));
        }
        FOR_EACH_SUBJECT(s) {
            for (int k = 0; k < COUNT(runs); ++k) {
                const bool fixed = runs[k].method == GM_ODE_RK4;
                const gm_ode_options o = {.dtype = runs[k].dtype,
                                          .method = runs[k].method,
                                          .t1 = v[0],
                                          .steps = fixed ? (int64_t)ceil(200 * v[0]) : 0,
                                          .rtol = runs[k].rtol,
                                          .atol = runs[k].rtol / 10};
                outcome out = solve_ode(s, system, &o, ENSEMBLE(1, y0, params));
                for (int c = 0; c < dim; ++c) {
                    const double error = fabs(out.end[c] - exact[c]);
                    if (!(error <= runs[k].bound * scale)) {
                        fail_msg("%s, %s, t = %g, run %d: y[%d] = %.17g, off by %.3g of %.3g",
                                 s->name, label, v[0], k, c, out.end[c], error,
                                 runs[k].bound * scale);
                    }
                }
                assert_statuses(&out, GM_STATUS_OK);
                free_outcome(&out);
            }
        }
    }
    fclose(file);
    assert_true(rows >= 38);
}

/* Bounded orbits of the pendulum keep E = v^2/2 - cos x: RK4 loses O(h^4) of it. With h = 0.01 over
 * 50 units of time the drift is under 1e-8; a method of order 3 would lose over 1e-6. */
static void pendulum_keeps_its_energy(void **state) {
    (void)state;
    const double y0[] = {2, 0.5, 0, 1}, params[] = {1, 0};
    FOR_EACH_SUBJECT(s) {
        const gm_ode_options o = {.method = GM_ODE_RK4, .t1 = 50, .steps = 5000};
        outcome out = solve_ode(s, gm_system_builtin("pendulum"), &o,
                                ENSEMBLE_WITH(2, y0, params, .shared = true));
        for (int i = 0; i < 2; ++i) {
            const double before = y0[2 + i] * y0[2 + i] / 2 - cos(y0[i]);
            const double after = out.end[2 + i] * out.end[2 + i] / 2 - cos(out.end[i]);
            ASSERT_NEAR(s, after, before, 1e-8);
        }
        free_outcome(&out);
    }
}

/* ---- symmetries and end times ---------------------------------------------------------------- */

static const gm_ode_method methods_of_all[] = {GM_ODE_RK4, GM_ODE_TSIT5, GM_ODE_DOPRI5};

/* y -> -y (for Lorenz but for z) maps solutions to solutions, and negation commutes with rounding:
 * the two halves of the ensemble are each other's mirror image to the bit, steps and saves
 * included. */
static void mirror_images_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int params, keeps; /* the component that keeps its sign; -1: none */
        double p[3];
    } cases[] = {{"double_well", 1, -1, {0.25}},
                 {"pendulum", 2, -1, {1, 0.1}},
                 {"van_der_pol", 1, -1, {1.5}},
                 {"lorenz", 3, 2, {10, 28, 8.0 / 3}}};
    const double saves[] = {0.3, 1};
    enum { half = 35, n = 2 * half };
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(cases) * 6; ++k) {
            const int which = k / 6;
            const gm_system *system = gm_system_builtin(cases[which].name);
            const gm_ode_method method = methods_of_all[k % 3];
            uint64_t random = 3;
            double *y0 = random_row(&random, system->dim * n, -2, 2);
            for (int c = 0; c < system->dim; ++c) {
                for (int i = 0; i < half; ++i) {
                    y0[c * n + half + i] = c == cases[which].keeps ? y0[c * n + i] : -y0[c * n + i];
                }
            }
            const gm_ode_options o = {.dtype = precisions[k / 3 % 2],
                                      .method = method,
                                      .t1 = 1.5,
                                      .steps = method == GM_ODE_RK4 ? 20 : 0,
                                      .rtol = 1e-5,
                                      .save_times = saves,
                                      .save_count = 2};
            outcome out =
                solve_ode(s, system, &o, ENSEMBLE_WITH(n, y0, cases[which].p, .shared = true));
            for (int64_t row = 0; row < 3 * system->dim; ++row) {
                double *values =
                    row < system->dim ? out.end + row * n : out.saved + (row - system->dim) * n;
                for (int i = 0; i < half && row % system->dim != cases[which].keeps; ++i) {
                    values[half + i] = -values[half + i];
                }
            }
            /* The turned half against the other: ends, saves, times, statuses and counts. */
            assert_int_equal(different_trajectories(&out, 0, &out, half, half), 0);
            free_outcome(&out);
            free(y0);
        }
    }
}

GM_SYSTEM(slow, 1, 1, { dydt[0] = -p[0] * y[0]; })

/* The last step ends at t1, in float at t1 rounded to float, however t1 is not a sum of steps. */
static void time_ends_at_t1(void **state) {
    (void)state;
    static const double spans[][2] = {
        {0, 0.1},        {0, 1.0 / 3},   {1.0 / 3, 0.7},  {0, 1e6 + 0.1},   {-0.3, -0.1},
        {0.7, -1.0 / 3}, {1e6 + 0.1, 3}, {-2, -2 - 1e-3}, {1e3, 1e3 + 1.1}, {0, 1e-30}};
    const double y0[] = {1, -2};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(spans) * 6; ++k) {
            const double t0 = spans[k / 6][0], t1 = spans[k / 6][1],
                         p[] = {0.7 / (fabs(t1 - t0) + 1)};
            const gm_ode_method method = methods_of_all[k % 3];
            const gm_ode_options o = {.dtype = precisions[k / 3 % 2],
                                      .method = method,
                                      .t0 = t0,
                                      .t1 = t1,
                                      .steps = method == GM_ODE_RK4 ? 37 : 0,
                                      .rtol = 1e-3};
            const double expected = o.dtype == GM_F64 ? t1 : (double)(float)t1;
            outcome out = solve_ode(s, &slow, &o, ENSEMBLE_WITH(2, y0, p, .shared = true));
            for (int i = 0; i < 2; ++i) {
                if (out.time[i] != expected || (gm_status)out.status[i] != GM_STATUS_OK) {
                    fail_msg("%s: %g to %.17g: ended at %.17g with status %g", s->name, t0, t1,
                             out.time[i], out.status[i]);
                }
                /* The state is that of t1: exp(-p (t1 - t0)), with what float makes of the times.
                 */
                const double exact = y0[i] * exp(-p[0] * (t1 - t0));
                const double lost = o.dtype == GM_F64 ? 0 : p[0] * (fabs(t0) + fabs(t1)) * 0x1p-24;
                ASSERT_NEAR(s, out.end[i], exact, (5e-3 + 2 * lost) * fabs(exact));
            }
            free_outcome(&out);
        }
    }
}

GM_SYSTEM(winding, 1, 0, { dydt[0] = 2 + gm_cos(20 * y[0]); })

/* Floats near 4096 are 2^-11 apart, and each of the 60 steps would round its length to that if the
 * time were one float: the end would be off by 1e-3. The system does not know the time, so from
 * 4096 to 4097 it does what it does from 0 to 1. */
static void short_steps_are_kept_at_late_times(void **state) {
    (void)state;
    const double y0[] = {0, 0.1};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const double direction = k < 2 ? 1 : -1;
            gm_ode_options o = {.dtype = GM_F32,
                                .method = methods_of_all[1 + k % 2],
                                .t1 = direction,
                                .rtol = 1e-4,
                                .first_step = 0.01};
            outcome early = solve_ode(s, &winding, &o, ENSEMBLE(2, y0, NULL));
            o.t0 = 4096 * direction;
            o.t1 = 4097 * direction;
            outcome late = solve_ode(s, &winding, &o, ENSEMBLE(2, y0, NULL));
            assert_statuses(&late, GM_STATUS_OK);
            assert_true(early.accepted[0] > 20);
            ASSERT_NEAR(s, largest_difference(early.end, late.end, 2), 0, 2e-5);
            free_outcome(&early);
            free_outcome(&late);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tableaus_have_their_orders),
        cmocka_unit_test(interpolants_have_order_4),
        cmocka_unit_test(float_tableaus_are_the_rounded_ones),
        cmocka_unit_test(rk4_is_its_stability_polynomial),
        cmocka_unit_test(rk4_on_the_spiral_of_the_book),
        cmocka_unit_test(rk4_of_a_cubic_is_exact),
        cmocka_unit_test(ends_at_known_states),
        cmocka_unit_test(pendulum_keeps_its_energy),
        cmocka_unit_test(mirror_images_are_exact),
        cmocka_unit_test(time_ends_at_t1),
        cmocka_unit_test(short_steps_are_kept_at_late_times),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
