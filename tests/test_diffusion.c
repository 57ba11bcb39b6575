/*
 * include/genmath/diffusion.h but for the sampler: the schedule, forward noising, the score and the
 * log-density, on every backend. Oracles: closed forms of small data sets, integrals, and for the
 * other backends the reference within the derived bound of host/cli/diffusion_bound.h.
 */
#include "tests/diffusion_fixture.h"

#include <genmath/philox.h>

#include "host/cli/diffusion_bound.h"

static const gm_dtype dtypes[] = {GM_F32, GM_F64};

static gm_vp_point point_at(double t) {
    gm_vp_point point;
    assert_int_equal(gm_vp_marginal(NULL, t, &point), GM_STATUS_OK);
    return point;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void errors_of_the_schedule(void **state) {
    (void)state;
    gm_vp_point point, untouched;
    memset(&point, 0xa5, sizeof point);
    untouched = point;
    const gm_vp_schedule bad[] = {{-1, 1}, {1, -1}, {INFINITY, 1}, {1, NAN}};
    assert_int_equal(gm_vp_marginal(NULL, 0.5, NULL), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_vp_marginal(NULL, -0.1, &point), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_vp_marginal(NULL, 1.1, &point), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_vp_marginal(NULL, NAN, &point), GM_STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < COUNT(bad); ++i) {
        assert_int_equal(gm_vp_marginal(&bad[i], 0.5, &point), GM_STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(gm_last_error(NULL), "schedule.beta_"));
    }
    assert_memory_equal(&point, &untouched, sizeof point);
}

/* Calls with one argument wrong; the outputs keep every byte. */
static void errors_of_the_score(void **state) {
    (void)state;
    FOR_EACH_BACKEND(c) {
        double *values = random_values(20, -1, 1);
        array means = make_array(c, GM_F32, 2, 3, 4, CONTIGUOUS, values);
        array x = make_array(c, GM_F32, 2, 5, 4, CONTIGUOUS, values);
        array out = make_array(c, GM_F32, 2, 5, 4, CONTIGUOUS, NULL);
        array density = make_array(c, GM_F32, 1, 5, 1, CONTIGUOUS, NULL);
        const gm_diffusion_model good = {.means = &means.tensor};
        const gm_vp_schedule bad_schedule = {-1, 0};
        gm_tensor wide = x.tensor, narrow = out.tensor, f64 = out.tensor, flat = out.tensor,
                  none = out.tensor;
        gm_tensor few = density.tensor, repeated = out.tensor, empty = means.tensor,
                  nowhere = x.tensor;
        wide.shape[1] = 3;
        narrow.shape[0] = 4;
        f64.dtype = GM_F64;
        f64.shape[0] = 2;
        flat.ndim = 1;
        none.shape[1] = -1;
        few.shape[0] = 3;
        repeated.stride[0] = 0;
        empty.shape[0] = 0;
        nowhere.data = NULL;
        const gm_diffusion_model no_means = {.means = NULL}, no_components = {.means = &empty};
        const gm_diffusion_model weights = {.means = &means.tensor, .weights = &density.tensor};
        const gm_diffusion_model deviations = {.means = &means.tensor,
                                               .deviations = &density.tensor};
        const gm_diffusion_model negative = {.means = &means.tensor, .bandwidth = -1};
        const gm_diffusion_model infinite = {.means = &means.tensor, .bandwidth = INFINITY};
        const struct {
            const gm_diffusion_model *model;
            const gm_vp_schedule *schedule;
            double t;
            const gm_tensor *x, *score, *density;
            gm_status status;
            const char *said;
        } cases[] = {
            {NULL, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "model"},
            {&no_means, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT,
             "model.means"},
            {&no_components, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT,
             "at least"},
            {&weights, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_SHAPE_MISMATCH,
             "model.weights"},
            {&deviations, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_SHAPE_MISMATCH,
             "deviations"},
            {&negative, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT,
             "bandwidth"},
            {&infinite, NULL, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT,
             "bandwidth"},
            {&good, &bad_schedule, 0.5, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT,
             "beta_min"},
            {&good, NULL, -0.1, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "t = "},
            {&good, NULL, NAN, &x.tensor, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "t = "},
            {&good, NULL, 0.5, NULL, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "x is NULL"},
            {&good, NULL, 0.5, &nowhere, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "x.data"},
            {&good, NULL, 0.5, &wide, &out.tensor, NULL, GM_STATUS_SHAPE_MISMATCH, "x.shape[1]"},
            {&good, NULL, 0.5, &x.tensor, NULL, NULL, GM_STATUS_INVALID_ARGUMENT, "score is NULL"},
            {&good, NULL, 0.5, &x.tensor, &narrow, NULL, GM_STATUS_SHAPE_MISMATCH,
             "score.shape[0]"},
            {&good, NULL, 0.5, &x.tensor, &f64, NULL, GM_STATUS_INVALID_ARGUMENT, "score.dtype"},
            {&good, NULL, 0.5, &x.tensor, &flat, NULL, GM_STATUS_SHAPE_MISMATCH, "score.ndim"},
            {&good, NULL, 0.5, &x.tensor, &none, NULL, GM_STATUS_INVALID_ARGUMENT, "score"},
            {&good, NULL, 0.5, &x.tensor, &repeated, NULL, GM_STATUS_INVALID_ARGUMENT, "share"},
            {&good, NULL, 0.5, &x.tensor, &x.tensor, NULL, GM_STATUS_INVALID_ARGUMENT, "overlap"},
            {&good, NULL, 0.5, &x.tensor, &out.tensor, &few, GM_STATUS_SHAPE_MISMATCH,
             "log_density"},
            {&good, NULL, 0.5, &x.tensor, &out.tensor, &out.tensor, GM_STATUS_SHAPE_MISMATCH,
             "log_density"},
        };
        for (size_t i = 0; i < COUNT(cases); ++i) {
            const gm_status status =
                gm_diffusion_score(c, cases[i].model, cases[i].schedule, cases[i].t, cases[i].x,
                                   cases[i].score, cases[i].density);
            if (status != cases[i].status || strstr(gm_last_error(c), cases[i].said) == NULL) {
                fail_msg("case %zu: %s: %s", i, gm_status_name(status), gm_last_error(c));
            }
        }
        assert_int_equal(gm_diffusion_score(NULL, &good, NULL, 0.5, &x.tensor, &out.tensor, NULL),
                         GM_STATUS_INVALID_ARGUMENT);
        drop_array(&means, true);
        drop_array(&x, true);
        drop_array(&out, true); /* as an input: nothing was written */
        drop_array(&density, true);
        free(values);
    }
}

static void errors_of_the_noising(void **state) {
    (void)state;
    FOR_EACH_BACKEND(c) {
        double *values = random_values(6, 0, 1);
        array t = make_array(c, GM_F64, 1, 3, 1, CONTIGUOUS, values);
        array x0 = make_array(c, GM_F64, 2, 3, 2, CONTIGUOUS, values);
        array xt = make_array(c, GM_F64, 2, 3, 2, CONTIGUOUS, NULL);
        array z = make_array(c, GM_F64, 2, 3, 2, CONTIGUOUS, NULL);
        gm_tensor two = t.tensor, narrow = xt.tensor, f32 = xt.tensor, shifted = x0.tensor;
        const gm_vp_schedule bad = {0, -3};
        two.shape[0] = 2;
        narrow.shape[1] = 1;
        f32.dtype = GM_F32;
        shifted.data = (double *)shifted.data + 1;
        const struct {
            const gm_vp_schedule *schedule;
            const gm_tensor *t, *x0, *xt, *z;
            gm_status status;
        } cases[] = {
            {&bad, &t.tensor, &x0.tensor, &xt.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, NULL, &x0.tensor, &xt.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &two, &x0.tensor, &xt.tensor, NULL, GM_STATUS_SHAPE_MISMATCH},
            {NULL, &t.tensor, NULL, &xt.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &t.tensor, &x0.tensor, NULL, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &t.tensor, &x0.tensor, &narrow, NULL, GM_STATUS_SHAPE_MISMATCH},
            {NULL, &t.tensor, &x0.tensor, &f32, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &t.tensor, &x0.tensor, &shifted, NULL, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &t.tensor, &x0.tensor, &xt.tensor, &narrow, GM_STATUS_SHAPE_MISMATCH},
            {NULL, &t.tensor, &x0.tensor, &xt.tensor, &xt.tensor, GM_STATUS_INVALID_ARGUMENT},
            {NULL, &t.tensor, &x0.tensor, &xt.tensor, &x0.tensor, GM_STATUS_INVALID_ARGUMENT},
        };
        for (size_t i = 0; i < COUNT(cases); ++i) {
            assert_int_equal(gm_diffusion_perturb(c, cases[i].schedule, NULL, cases[i].t,
                                                  cases[i].x0, cases[i].xt, cases[i].z),
                             cases[i].status);
            assert_true(gm_last_error(c)[0] != '\0');
        }
        assert_int_equal(
            gm_diffusion_perturb(NULL, NULL, NULL, &t.tensor, &x0.tensor, &xt.tensor, NULL),
            GM_STATUS_INVALID_ARGUMENT);
        drop_array(&t, true);
        drop_array(&x0, true);
        drop_array(&xt, true);
        drop_array(&z, true);
        free(values);
    }
}

/* ---- the schedule ---------------------------------------------------------------------------- */

static void schedule_has_its_closed_form(void **state) {
    (void)state;
    const double times[] = {0, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 1};
    for (size_t i = 0; i < COUNT(times); ++i) {
        const double t = times[i], integral = (0.1 + 9.95 * t) * t;
        const gm_vp_point p = point_at(t);
        assert_true(fabs(p.beta - (0.1 + 19.9 * t)) <= 1e-15 * 20);
        assert_true(fabs(p.integral - integral) <= 1e-15 * integral);
        assert_true(fabs(p.alpha * p.alpha + p.variance - 1) <= 4e-16);
        /* Near 0 the variance is the integral, to all digits: 1 - alpha^2 would have none. */
        assert_true(t > 1e-6 ||
                    fabs(p.variance - integral * (1 - integral / 2)) <= 1e-13 * integral);
    }
    const gm_vp_schedule constant = {2, 2};
    gm_vp_point p;
    assert_int_equal(gm_vp_marginal(&constant, 0.7, &p), GM_STATUS_OK);
    assert_true(fabs(p.alpha - exp(-0.7)) < 1e-15 && p.beta == 2);
}

/* ---- closed forms of the score --------------------------------------------------------------- */

/* The score of one-dimensional data at the points, in f64; the points as a column. */
static void check_points(const mixture *m, double t, const double *x, const double *expected,
                         int64_t n, double tolerance) {
    FOR_EACH_BACKEND(c) {
        double *score = score_of(c, GM_F64, m, CONTIGUOUS, t, x, n, NULL);
        for (int64_t i = 0; i < n; ++i) {
            if (!(fabs(score[i] - expected[i]) <= tolerance * (1 + fabs(expected[i])))) {
                fail_msg("%s: t = %g, x = %g: %.12g instead of %.12g", gm_context_backend_name(c),
                         t, x[i], score[i], expected[i]);
            }
        }
        free(score);
    }
}

/*
 * A symmetric pair at +-a: s = (a alpha tanh(a alpha x / v) - x) / v, v = alpha^2 s^2 + 1 -
 * alpha^2.
 */
static void pair_and_point_have_their_score(void **state) {
    (void)state;
    const double pair[] = {-1.5, 1.5}, point[] = {0.75}, x[] = {-2, -0.3, 0, 0.01, 1, 3};
    const double times[] = {1e-3, 0.05, 0.4, 1}, widths[] = {0, 0.4};
    for (size_t i = 0; i < COUNT(times); ++i) {
        for (size_t w = 0; w < COUNT(widths); ++w) {
            const gm_vp_point p = point_at(times[i]);
            const double v = p.alpha * p.alpha * widths[w] * widths[w] + p.variance;
            const mixture two = {2, 1, pair, NULL, NULL, widths[w]};
            const mixture one = {1, 1, point, NULL, NULL, widths[w]};
            double of_pair[COUNT(x)], of_point[COUNT(x)];
            for (size_t k = 0; k < COUNT(x); ++k) {
                of_pair[k] = (1.5 * p.alpha * tanh(1.5 * p.alpha * x[k] / v) - x[k]) / v;
                of_point[k] = (p.alpha * 0.75 - x[k]) / v;
            }
            check_points(&two, times[i], x, of_pair, COUNT(x), 1e-11);
            check_points(&one, times[i], x, of_point, COUNT(x), 1e-13);
        }
    }
}

/*
 * The 3 x 3 grid of Gaussians at {-6, 0, 6}^2: independent coordinates, so a table of 1-D values.
 */
static void grid_has_the_tabulated_score(void **state) {
    (void)state;
    static const struct {
        double sigma, t, at1, at3;
    } table[] = {
        {0.5, 0.05, -3.6754589603, 4.7116037762}, {0.5, 0.3, -1.3780741016, 1.0924371591},
        {0.5, 0.6, -0.5288238059, -2.1498683859}, {0.5, 0.9, -0.9933045605, -2.9801945212},
        {1.5, 0.05, -0.4375774766, 0.0591293600}, {1.5, 0.3, -0.4283940683, 0.3759677446},
        {1.5, 0.6, -0.5177361894, -2.0510910200}, {1.5, 0.9, -0.9927348457, -2.9784847363},
    };
    double centres[18];
    for (int i = 0; i < 9; ++i) {
        centres[2 * i] = 6.0 * (i / 3 - 1);
        centres[2 * i + 1] = 6.0 * (i % 3 - 1);
    }
    const double x[] = {1, 3, 3, 1};
    for (size_t i = 0; i < COUNT(table); ++i) {
        const double deviations[] = {table[i].sigma, table[i].sigma, table[i].sigma,
                                     table[i].sigma, table[i].sigma, table[i].sigma,
                                     table[i].sigma, table[i].sigma, table[i].sigma};
        const mixture m = {9, 2, centres, NULL, deviations, 0};
        FOR_EACH_BACKEND(c) {
            double *score = score_of(c, GM_F64, &m, PADDED, table[i].t, x, 2, NULL);
            const double expected[] = {table[i].at1, table[i].at3, table[i].at3, table[i].at1};
            for (size_t k = 0; k < 4; ++k) {
                assert_true(fabs(score[k] - expected[k]) < 2e-10);
            }
            free(score);
        }
    }
}

/*
 * With unequal weights and widths: the density integrates to 1, E[s] = 0 and E[x s] = -1
 * (integration by parts). The trapezoidal rule on a smooth function that vanishes at both ends is
 * exact to rounding.
 */
static void score_and_density_satisfy_their_identities(void **state) {
    (void)state;
    enum { POINTS = 1201 };
    const double means[] = {-1.2, 0.1, 2.0}, weights[] = {0.5, 0.2, 0.3},
                 deviations[] = {0.3, 0.8, 0.15};
    const mixture m = {3, 1, means, weights, deviations, 0.1};
    double x[POINTS];
    for (int i = 0; i < POINTS; ++i) {
        x[i] = -9 + 0.015 * i;
    }
    FOR_EACH_BACKEND(c) {
        double *density, mass = 0, mean = 0, product = 0;
        double *score = score_of(c, GM_F64, &m, CONTIGUOUS, 0.2, x, POINTS, &density);
        for (int i = 0; i < POINTS; ++i) {
            mass += 0.015 * exp(density[i]);
            mean += 0.015 * exp(density[i]) * score[i];
            product += 0.015 * exp(density[i]) * score[i] * x[i];
        }
        assert_true(fabs(mass - 1) < 1e-12 && fabs(mean) < 1e-11 && fabs(product + 1) < 1e-11);
        free(score);
        free(density);
    }
}

/* ---- against the reference ------------------------------------------------------------------- */

/* The largest error over its bound; the exact score is that of ref in f64 on the same values. */
static double score_residual(gm_context *c, gm_dtype dtype, const mixture *m, layout how, double t,
                             const double *x, int64_t n) {
    const gm_bound_model bound_model = {m->components, m->dim,        m->means,
                                        m->weights,    m->deviations, m->bandwidth};
    const gm_vp_point p = point_at(t);
    double *exact_density, *density, residual = 0;
    double *exact = score_of(backends[REF], GM_F64, m, CONTIGUOUS, t, x, n, &exact_density);
    double *score = score_of(c, dtype, m, how, t, x, n, &density);
    double *bound = malloc((size_t)m->dim * sizeof *bound);
    for (int64_t i = 0; i < n; ++i) {
        const double density_bound = gm_bound_score(dtype, &bound_model, p.alpha, p.variance,
                                                    x + i * m->dim, exact + i * m->dim, bound);
        const double of_density = fabs(density[i] - exact_density[i]) / density_bound;
        residual = of_density <= residual ? residual : of_density;
        for (int64_t j = 0; j < m->dim; ++j) {
            const int64_t at = i * m->dim + j;
            const double ratio = fabs(score[at] - exact[at]) / bound[j];
            residual = ratio <= residual ? residual : ratio; /* a NaN becomes the residual */
        }
    }
    free(exact_density);
    free(density);
    free(exact);
    free(score);
    free(bound);
    return residual;
}

/*
 * Sizes around the tiles (32, 64, 128, 256) of every backend, and data sets of one and odd sizes.
 */
static void score_is_within_its_bound(void **state) {
    (void)state;
    static const struct {
        int64_t n, components, dim;
    } sizes[] = {
        {1, 1, 1},     {33, 257, 1},  {127, 9, 2},  {129, 300, 3}, {5, 255, 8}, {31, 128, 9},
        {32, 65, 31},  {33, 129, 32}, {7, 64, 33},  {64, 131, 63}, {9, 63, 64}, {17, 127, 65},
        {3, 191, 127}, {5, 130, 128}, {6, 67, 129}, {34, 70, 200},
    };
    static const double times[] = {1e-3, 0.06, 0.5, 1.0};
    double worst[COUNT(backends)] = {0};
    for (size_t i = 0; i < COUNT(sizes); ++i) {
        const int64_t n = sizes[i].n, components = sizes[i].components, dim = sizes[i].dim;
        double *means = random_values(components * dim, -2, 2), *x = random_values(n * dim, -2, 2);
        double *weights = random_values(components, 0.1, 3),
               *deviations = random_values(components, 0, 0.5);
        weights[components / 2] = components > 1 ? 0 : 1;
        for (size_t kind = 0; kind < 3; ++kind) {
            const mixture m = {components,
                               dim,
                               means,
                               kind > 0 ? weights : NULL,
                               kind > 1 ? deviations : NULL,
                               kind == 1 ? 0.0 : 0.2};
            const double t = times[(i + kind) % COUNT(times)];
            for (int64_t k = 0; k < n && kind == 1; ++k) { /* near a datum, as a path ends */
                for (int64_t j = 0; j < dim; ++j) {
                    const int64_t datum = k % components;
                    x[k * dim + j] =
                        (double)(float)(means[datum * dim + j] + random_in(-0.02, 0.02));
                }
            }
            FOR_EACH_BACKEND(c) {
                for (size_t type = 0; type < COUNT(dtypes); ++type) {
                    if (c == backends[REF] && dtypes[type] == GM_F64) {
                        continue; /* it would be compared with itself */
                    }
                    const double residual = score_residual(c, dtypes[type], &m,
                                                           (layout)((i + kind) % LAYOUTS), t, x, n);
                    if (!(residual <= 1)) {
                        fail_msg("%s %s: n %d, K %d, d %d, t %g: %g times the bound",
                                 gm_context_backend_name(c), gm_last_kernel(c), (int)n,
                                 (int)components, (int)dim, t, residual);
                    }
                    worst[backend_at] = fmax(worst[backend_at], residual);
                }
            }
        }
        free(means);
        free(x);
        free(weights);
        free(deviations);
    }
    printf("largest error / bound: ref %.3f, cpu %.3f, emu %.3f, cuda %.3f\n", worst[REF],
           worst[CPU], worst[EMU], worst[CUDA]);
}

/* A row does not see the others: alone, in another order, with a NaN beside it. */
static void score_of_a_row_is_its_own(void **state) {
    (void)state;
    static const int64_t dims[] = {2, 19, 140};
    enum { N = 40, K = 150 };
    for (size_t i = 0; i < COUNT(dims); ++i) {
        const int64_t d = dims[i];
        double *means = random_values(K * d, -2, 2), *x = random_values(N * d, -2, 2);
        const mixture m = {K, d, means, NULL, NULL, 0.1};
        double *other = malloc((size_t)(N * d) * sizeof *other);
        for (int64_t k = 0; k < N; ++k) {
            memcpy(other + k * d, x + (N - 1 - k) * d, (size_t)d * sizeof *x);
        }
        other[5 * d] = NAN;
        other[6 * d + d - 1] = INFINITY;
        FOR_EACH_BACKEND(c) {
            for (size_t type = 0; type < COUNT(dtypes); ++type) {
                double *all = score_of(c, dtypes[type], &m, CONTIGUOUS, 0.3, x, N, NULL);
                double *reversed = score_of(c, dtypes[type], &m, TRANSPOSED, 0.3, other, N, NULL);
                double *alone = score_of(c, dtypes[type], &m, CONTIGUOUS, 0.3, x + 7 * d, 1, NULL);
                for (int64_t k = 0; k < N; ++k) {
                    if (k == 5 || k == 6) {
                        assert_true(isnan(reversed[k * d]));
                    } else {
                        assert_true(same_bits(all + (N - 1 - k) * d, reversed + k * d, d));
                    }
                }
                assert_true(same_bits(all + 7 * d, alone, d));
                free(all);
                free(reversed);
                free(alone);
            }
        }
        free(means);
        free(x);
        free(other);
    }
}

static void nothing_to_score_is_fine(void **state) {
    (void)state;
    const double means[] = {1, 2, 3};
    const mixture m = {1, 3, means, NULL, NULL, 0};
    FOR_EACH_BACKEND(c) {
        free(score_of(c, GM_F32, &m, PADDED, 0.5, means, 0, NULL));
    }
}

/* ---- forward noising ------------------------------------------------------------------------- */

static void perturb_case(gm_context *c, gm_dtype dtype, int64_t n, int64_t d, layout how) {
    const gm_diffusion_noise noise = {0x123456789abcdefu, UINT64_MAX - 3}; /* the index wraps */
    double *times = random_values(n, 0, 1), *values = random_values(n * d, -3, 3);
    const double u = gm_bound_unit(dtype);
    if (n > 2) {
        times[1] = -0.01;
        times[2] = 1e-4f;
    }
    array t = make_array(c, dtype, 1, n, 1, how, times),
          x0 = make_array(c, dtype, 2, n, d, how, values);
    array xt = make_array(c, dtype, 2, n, d, how, NULL),
          z = make_array(c, dtype, 2, n, d, how, NULL);
    assert_ok(c,
              gm_diffusion_perturb(c, NULL, &noise, &t.tensor, &x0.tensor, &xt.tensor, &z.tensor));
    assert_ok(c, gm_diffusion_perturb(c, NULL, &noise, &t.tensor, &x0.tensor, &x0.tensor, NULL));
    assert_ok(c, gm_context_synchronize(c));
    double *noisy = take_array(&xt, false), *draws = take_array(&z, false);
    double *in_place = take_array(&x0, false);
    assert_true(same_bits(noisy, in_place, n * d));
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < d; ++j) {
            const uint64_t index = noise.first_index + (uint64_t)i;
            const double draw =
                dtype == GM_F32
                    ? (double)gm_normal_f32(noise.seed, index, GM_STREAM_PERTURB, (uint64_t)j)
                    : gm_normal_f64(noise.seed, index, GM_STREAM_PERTURB, (uint64_t)j);
            const int64_t at = i * d + j;
            assert_true(same_bits(&draw, &draws[at], 1));
            if (n > 2 && i == 1) {
                assert_true(isnan(noisy[at]));
                continue;
            }
            const gm_vp_point p = point_at(times[i]);
            const double exact = p.alpha * values[at] + sqrt(p.variance) * draw;
            const double bound =
                u * (8 + 4 * p.integral) * (fabs(p.alpha * values[at]) + fabs(draw));
            assert_true(fabs(noisy[at] - exact) <= bound);
        }
    }
    drop_array(&t, true);
    free(times);
    free(values);
    free(noisy);
    free(draws);
    free(in_place);
}

static void noising_is_its_formula_with_philox_noise(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{0, 3},  {1, 1},  {3, 2},  {31, 3},
                                       {33, 5}, {4, 63}, {5, 64}, {3, 200}};
    FOR_EACH_BACKEND(c) {
        for (size_t i = 0; i < COUNT(sizes); ++i) {
            for (size_t type = 0; type < COUNT(dtypes); ++type) {
                perturb_case(c, dtypes[type], sizes[i][0], sizes[i][1], (layout)(i % LAYOUTS));
            }
        }
    }
}

/*
 * One time for all rows by a stride of 0; and the moments of what comes out, z-test at 4.9 (1e-6).
 */
static void noising_broadcasts_its_time(void **state) {
    (void)state;
    enum { N = 20000 };
    double zeros[N] = {0};
    const double time[] = {0.25};
    const gm_vp_point p = point_at(0.25);
    gm_context *c = backends[CPU];
    array t = make_array(c, GM_F32, 1, 1, 1, CONTIGUOUS, time),
          x = make_array(c, GM_F32, 2, N, 1, PADDED, zeros);
    gm_tensor all = t.tensor;
    all.shape[0] = N;
    all.stride[0] = 0;
    assert_ok(c, gm_diffusion_perturb(c, NULL, NULL, &all, &x.tensor, &x.tensor, NULL));
    double *noisy = take_array(&x, false), mean = 0, square = 0;
    for (int i = 0; i < N; ++i) {
        mean += noisy[i] / N;
        square += noisy[i] * noisy[i] / N;
    }
    assert_true(fabs(mean) < 4.9 * sqrt(p.variance / N));
    assert_true(fabs(square - p.variance) < 4.9 * p.variance * sqrt(2.0 / N));
    drop_array(&t, true);
    free(noisy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_the_schedule),
        cmocka_unit_test(errors_of_the_score),
        cmocka_unit_test(errors_of_the_noising),
        cmocka_unit_test(schedule_has_its_closed_form),
        cmocka_unit_test(pair_and_point_have_their_score),
        cmocka_unit_test(grid_has_the_tabulated_score),
        cmocka_unit_test(score_and_density_satisfy_their_identities),
        cmocka_unit_test(score_is_within_its_bound),
        cmocka_unit_test(score_of_a_row_is_its_own),
        cmocka_unit_test(nothing_to_score_is_fine),
        cmocka_unit_test(noising_is_its_formula_with_philox_noise),
        cmocka_unit_test(noising_broadcasts_its_time),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
