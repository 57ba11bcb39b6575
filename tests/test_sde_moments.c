/*
 * gm_sde_*: the exact moments of the discrete process by z-test, and strong and weak orders by fit,
 * on every backend.
 */
#include "tests/ensemble.h"

#include <genmath/philox.h>

/* ---- moments of the discrete process --------------------------------------------------------- */

/*
 * A statistic that is a mean of N independent terms of known mean and variance, in standard
 * deviations. For a right program |z| > 4.9 has probability 1e-6; there are under 300 such tests
 * below, so a false alarm has probability under 3e-4, and as the seeds are fixed it cannot come and
 * go.
 */
static const double LIMIT = 4.9;

static double z_score(const double *terms, int64_t n, double mean, double variance) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        sum += terms[i] - mean;
    }
    return sum / sqrt((double)n * variance);
}

/* The z-score of mean(a_i b_i) for jointly Gaussian a, b of mean 0 with the given covariances. */
static double z_of_product(const double *a, const double *b, int64_t n, double aa, double ab,
                           double bb) {
    double *terms = malloc((size_t)n * sizeof *terms);
    for (int64_t i = 0; i < n; ++i) {
        terms[i] = a[i] * b[i];
    }
    const double z = z_score(terms, n, ab, aa * bb + ab * ab);
    free(terms);
    return z;
}

static int64_t paths(const subject *s) {
    return s->is_slow ? 1000 : test_is_full() ? 2000000 : 50000;
}

/* lambda, D, h and the number of steps of the Ornstein–Uhlenbeck tests: lambda h = 0.2, so that the
 * moments of the discrete process are far from those of the continuous one. */
static const double LAMBDA = 2, DIFFUSION = 0.7, STEP = 0.1;
enum { OU_STEPS = 12, OU_HALF = 6 };

static double ou_variance(int steps) {
    const double a = 1 - LAMBDA * STEP;
    return 2 * DIFFUSION * STEP * (1 - pow(a, 2 * steps)) / (1 - a * a);
}

/* The largest |z| of: mean, variance, covariance in time, and covariance of trajectories 1, 64 and
 * 128 apart. */
static double ou_statistics(const double *start, const double *half, const double *end, int64_t n) {
    const double a = 1 - LAMBDA * STEP, variance = ou_variance(OU_STEPS),
                 middle = ou_variance(OU_HALF);
    double *x = malloc((size_t)n * sizeof *x), *m = malloc((size_t)n * sizeof *m);
    for (int64_t i = 0; i < n; ++i) {
        x[i] = end[i] - start[i] * pow(a, OU_STEPS);
        m[i] = half[i] - start[i] * pow(a, OU_HALF);
    }
    double worst = fabs(z_score(x, n, 0, variance));
    worst = fmax(worst, fabs(z_of_product(x, x, n, variance, variance, variance)));
    worst = fmax(
        worst, fabs(z_of_product(m, x, n, middle, pow(a, OU_STEPS - OU_HALF) * middle, variance)));
    const int64_t apart[] = {1, 64, 128};
    for (int k = 0; k < 3; ++k) {
        /* Products x_i x_{i + apart} are uncorrelated, so their mean has the variance of
         * independent ones. */
        worst =
            fmax(worst, fabs(z_of_product(x, x + apart[k], n - apart[k], variance, 0, variance)));
    }
    free(x);
    free(m);
    return worst;
}

static outcome solve_ou(const subject *s, gm_dtype dtype, int64_t n, double diffusion, double *y0) {
    const double params[] = {LAMBDA, diffusion};
    const gm_sde_options o = {.dtype = dtype,
                              .t1 = OU_STEPS * STEP,
                              .steps = OU_STEPS,
                              .seed = 42,
                              .save_every = OU_HALF};
    for (int64_t i = 0; i < n; ++i) {
        y0[i] = 1 - 2 * (i % 3 == 0);
    }
    return solve_sde(s, gm_sde_builtin("ou"), &o, ENSEMBLE_WITH(n, y0, params, .shared = true));
}

static void ou_has_the_moments_of_the_discrete_process(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const int64_t n = paths(s);
            double *y0 = malloc((size_t)n * sizeof *y0);
            outcome out = solve_ou(s, precisions[k], n, DIFFUSION, y0);
            ASSERT_NEAR(s, ou_statistics(y0, out.saved, out.end, n), 0, LIMIT);
            free_outcome(&out);
            free(y0);
        }
    }
}

/* The statistics above tell a wrong process from a right one: without noise, with twice the
 * variance, with 3 % more of it, with one path for two neighbours, with the moments of the
 * continuous process. */
static void statistics_see_wrong_noise(void **state) {
    (void)state;
    const subject *s = &subjects[1];
    enum { n = 50000 };
    double *y0 = malloc(n * sizeof *y0);
    const double wrong[] = {0, 2 * DIFFUSION, 1.04 * DIFFUSION};
    for (int k = 0; k < COUNT(wrong); ++k) {
        outcome out = solve_ou(s, GM_F64, n, wrong[k], y0);
        assert_true(ou_statistics(y0, out.saved, out.end, n) > LIMIT);
        free_outcome(&out);
    }
    outcome out = solve_ou(s, GM_F64, n, DIFFUSION, y0);
    const double continuous = DIFFUSION / LAMBDA * (1 - exp(-2 * LAMBDA * OU_STEPS * STEP));
    for (int64_t i = 0; i < n; ++i) {
        y0[i] = out.end[i] - y0[i] * pow(1 - LAMBDA * STEP, OU_STEPS);
    }
    assert_true(fabs(z_of_product(y0, y0, n, continuous, continuous, continuous)) > LIMIT);
    for (int64_t i = 0; i + 1 < n; i += 2) {
        y0[i + 1] = y0[i];
    }
    const double variance = ou_variance(OU_STEPS);
    assert_true(fabs(z_of_product(y0, y0 + 1, n - 1, variance, 0, variance)) > LIMIT);
    free_outcome(&out);
    free(y0);
}

/* One step of geometric Brownian motion multiplies by 1 + mu h + sigma sqrt(h) z: E y^k is the k-th
 * moment of that to the power of the number of steps. The mean does not see the noise; the mean
 * square does. */
static void gbm_has_the_moments_of_the_discrete_process(void **state) {
    (void)state;
    enum { steps = 16 };
    const double mu = 0.5, sigma = 0.4, h = 1.0 / steps, a = 1 + mu * h, v = sigma * sigma * h;
    const double params[] = {mu, sigma};
    const double m1 = pow(a, steps), m2 = pow(a * a + v, steps);
    const double m4 = pow(a * a * a * a + 6 * a * a * v + 3 * v * v, steps);
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const int64_t n = paths(s);
            double *y0 = malloc((size_t)n * sizeof *y0);
            for (int64_t i = 0; i < n; ++i) {
                y0[i] = 1;
            }
            const gm_sde_options o = {.dtype = precisions[k], .t1 = 1, .steps = steps, .seed = 7};
            outcome out = solve_sde(s, gm_sde_builtin("gbm"), &o,
                                    ENSEMBLE_WITH(n, y0, params, .shared = true));
            ASSERT_NEAR(s, z_score(out.end, n, m1, m2 - m1 * m1), 0, LIMIT);
            for (int64_t i = 0; i < n; ++i) {
                y0[i] = out.end[i] * out.end[i];
            }
            ASSERT_NEAR(s, z_score(y0, n, m2, m4 - m2 * m2), 0, LIMIT);
            free_outcome(&out);
            free(y0);
        }
    }
}

/* dX = M X dt + G dW with three noises for two components: S <- A S A' + h G G', A = 1 + h M. */
GM_SYSTEM(plane, 2, 0, {
    dydt[0] = -y[0] + (real)0.5 * y[1];
    dydt[1] = (real)-0.25 * y[0] - 2 * y[1];
})
GM_DIFFUSION_MATRIX(plane, 2, 0, 3, {
    g[0] = 1;
    g[1] = (real)0.5;
    g[2] = 0;
    g[3] = (real)-0.75;
    g[4] = (real)0.25;
    g[5] = (real)0.5;
})

static void matrix_noise_has_its_covariance(void **state) {
    (void)state;
    enum { steps = 10 };
    const double h = 0.125, A[2][2] = {{1 - h, 0.5 * h}, {-0.25 * h, 1 - 2 * h}};
    const double G[2][3] = {{1, 0.5, 0}, {-0.75, 0.25, 0.5}};
    double S[2][2] = {{0}};
    for (int step = 0; step < steps; ++step) {
        double next[2][2] = {{0}};
        for (int i = 0; i < 4; ++i) {
            const int r = i / 2, c = i % 2;
            for (int k = 0; k < 4; ++k) {
                next[r][c] += A[r][k / 2] * S[k / 2][k % 2] * A[c][k % 2];
            }
            for (int k = 0; k < 3; ++k) {
                next[r][c] += h * G[r][k] * G[c][k];
            }
        }
        memcpy(S, next, sizeof S);
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const int64_t n = paths(s);
            double *y0 = calloc((size_t)(2 * n), sizeof *y0);
            const gm_sde_options o = {
                .dtype = precisions[k], .t1 = steps * h, .steps = steps, .seed = 3};
            outcome out = solve_sde(s, &plane_sde, &o, ENSEMBLE(n, y0, NULL));
            const double *x = out.end, *y = out.end + n;
            ASSERT_NEAR(s, z_score(x, n, 0, S[0][0]), 0, LIMIT);
            ASSERT_NEAR(s, z_score(y, n, 0, S[1][1]), 0, LIMIT);
            ASSERT_NEAR(s, z_of_product(x, x, n, S[0][0], S[0][0], S[0][0]), 0, LIMIT);
            ASSERT_NEAR(s, z_of_product(y, y, n, S[1][1], S[1][1], S[1][1]), 0, LIMIT);
            ASSERT_NEAR(s, z_of_product(x, y, n, S[0][0], S[0][1], S[1][1]), 0, LIMIT);
            ASSERT_NEAR(s, z_of_product(x, y + 1, n - 1, S[0][0], 0, S[1][1]), 0, LIMIT);
            free_outcome(&out);
            free(y0);
        }
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

/* The root mean square of the end's distance from the exact solution on the path whose increments
 * the library used, sqrt(h) times its own normals. */
static double strong_error(const subject *s, bool additive, int64_t steps, int64_t n) {
    const double lambda = 1, volatility = 0.8, mu = 0.3, h = 1.0 / (double)steps;
    const double params[2][2] = {{mu, volatility}, {lambda, 0.5}};
    const gm_sde_options o = {.t1 = 1, .steps = steps, .seed = 21};
    double *y0 = malloc((size_t)n * sizeof *y0), sum = 0, unseen = 0;
    for (int64_t i = 0; i < n; ++i) {
        y0[i] = 1;
    }
    outcome out = solve_sde(s, gm_sde_builtin(additive ? "ou" : "gbm"), &o,
                            ENSEMBLE_WITH(n, y0, params[additive], .shared = true));
    for (int64_t i = 0; i < n; ++i) {
        double path = 0, weighted = 0;
        unseen = 0;
        for (int64_t k = 0; k < steps; ++k) {
            const double w =
                sqrt(h) * gm_normal_f64(o.seed, (uint64_t)i, GM_STREAM_SDE, (uint64_t)k);
            /* Of the integral of exp(-lambda (1 - s)) dW over a step its increment tells the mean,
             * weight times w; what it leaves open has variance v2 - h weight^2. */
            const double last = exp(-lambda * (1 - (double)(k + 1) * h));
            const double weight = last * (1 - exp(-lambda * h)) / (lambda * h);
            unseen += last * last * (1 - exp(-2 * lambda * h)) / (2 * lambda) - h * weight * weight;
            path += w;
            weighted += weight * w;
        }
        const double exact = additive ? exp(-lambda) + weighted
                                      : exp(mu - volatility * volatility / 2 + volatility * path);
        sum += (out.end[i] - exact) * (out.end[i] - exact);
    }
    free_outcome(&out);
    free(y0);
    return sqrt(sum / (double)n + (additive ? unseen : 0));
}

/* Order 1/2 where the noise depends on the state, 1 where it does not. The root mean squares of
 * 4000 paths are known to about 2 %, which moves a slope over a factor of 16 by under 0.02; the
 * rest is the next order in h. */
static void strong_orders_are_one_half_and_one(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int additive = 0; additive < 2; ++additive) {
            double h[5], errors[5];
            const int count = s->is_slow ? 4 : 5;
            for (int k = 0; k < count; ++k) {
                h[k] = 1.0 / (16 << k);
                errors[k] = strong_error(s, additive, 16 << k, s->is_slow ? 2000 : 4000);
            }
            ASSERT_NEAR(s, log_log_slope(h, errors, count), additive ? 1 : 0.5,
                        s->is_slow ? 0.1 : 0.07);
        }
    }
}

/* The mean of geometric Brownian motion obeys the scheme without noise, so that is the weak error
 * to all digits: slope 1. */
static void weak_order_is_one(void **state) {
    (void)state;
    const double y0 = 1, params[] = {1, 0};
    FOR_EACH_SUBJECT(s) {
        double h[4], errors[4];
        for (int k = 0; k < 4; ++k) {
            const gm_sde_options o = {.t1 = 1, .steps = 64 << k, .seed = 1};
            outcome out = solve_sde(s, gm_sde_builtin("gbm"), &o, ENSEMBLE(1, &y0, params));
            h[k] = 1.0 / (64 << k);
            errors[k] = exp(1) - out.end[0];
            ASSERT_NEAR(s, out.end[0], pow(1 + h[k], 64 << k), 1e-13);
            free_outcome(&out);
        }
        ASSERT_NEAR(s, log_log_slope(h, errors, 4), 1, 0.02);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ou_has_the_moments_of_the_discrete_process),
        cmocka_unit_test(statistics_see_wrong_noise),
        cmocka_unit_test(gbm_has_the_moments_of_the_discrete_process),
        cmocka_unit_test(matrix_noise_has_its_covariance),
        cmocka_unit_test(strong_orders_are_one_half_and_one),
        cmocka_unit_test(weak_order_is_one),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
