/*
 * gm_gibbs_run: the laws that chains have, and their kernels, against exact values and quadrature;
 * the functions that bodies draw with.
 *
 * Chains are independent: a z-test takes the spread of their means, 5.5 standard deviations. The
 * 612 tests of all subjects are missed by a right program with probability 612 * 4e-8 = 2.4e-5.
 */
#include "tests/gibbs_fixture.h"

#include <genmath/detail/gibbs_noise.h>

/* ---- what bodies draw with ------------------------------------------------------------------- */

static long double exact_cdf(long double x) {
    return erfcl(-x / sqrtl(2)) / 2;
}

/* Of p, by Newton's iteration on the distribution function from a point nearby. */
static long double exact_quantile(long double p, long double x) {
    for (int step = 0; step < 4; ++step) {
        x -= (exact_cdf(x) - p) * sqrtl(2 * acosl(-1)) * expl(x * x / 2);
    }
    return x;
}

/* The errors that gibbs_math.h states, of 1e5 arguments. */
static void normal_functions_are_as_good_as_stated(void **state) {
    (void)state;
    double worst[4] = {0};
    uint64_t random = 5;
    for (int i = 0; i < 100000; ++i) {
        const double x = random_between(&random, i % 2 == 0 ? -37 : -6, 6);
        const double p = (double)exact_cdf(x);
        const float xf = (float)(x / 37 * 12.9), pf = (float)exact_cdf(xf);
        const long double q = exact_quantile(p, x), qf = exact_quantile(pf, xf);
        const double errors[] = {
            (double)(gm_normal_cdf(x) / exact_cdf(x) - 1),
            (double)(gm_normal_cdf(xf) / exact_cdf(xf) - 1),
            fabs(x) > 1e-3 && x < 1 ? (double)(gm_probit(p) / q - 1) : 0,
            fabsf(xf) > 1e-3f && xf < 1 && pf > 1e-37f ? (double)(gm_probit(pf) / qf - 1) : 0};
        for (int k = 0; k < 4; ++k) {
            worst[k] = fmax(worst[k], fabs(errors[k]));
        }
    }
    const double allowed[] = {1e-15, 5e-7, 1e-15, 1e-6};
    for (int k = 0; k < 4; ++k) {
        if (!(worst[k] <= allowed[k])) {
            fail_msg("function %d: relative error %.3g", k, worst[k]);
        }
    }
    assert_true(gm_normal_cdf(INFINITY) == 1 && gm_normal_cdf(-(double)INFINITY) == 0);
    assert_true(gm_normal_cdf((float)INFINITY) == 1 && gm_normal_cdf(-(float)INFINITY) == 0);
    assert_true(gm_normal_cdf(0.0) == 0.5 && isnan(gm_normal_cdf((double)NAN)));
    assert_true(gm_probit(0.0) == -INFINITY && gm_probit(1.0) == INFINITY && gm_probit(0.5) == 0);
    assert_true(gm_probit(0.0f) == -INFINITY && gm_probit(1.0f) == INFINITY);
    assert_true(isnan(gm_probit(1.5)) && isnan(gm_probit(-0.5f)) && isnan(gm_probit((double)NAN)));
    /* Between bounds, also far out and on either side; the median by the tail's own functions. */
    const long double median = exact_quantile(exact_cdf(-30) / 2, -30.02L);
    assert_true(fabs(gm_normal_between(30.0, INFINITY, 0.5) + (double)median) < 1e-12);
    assert_true(fabs(gm_normal_between(-(double)INFINITY, -30.0, 0.5) - (double)median) < 1e-12);
    assert_true(gm_normal_between(-1.0, 1.0, 0.5) == 0);
    assert_true(gm_normal_between(-(double)INFINITY, INFINITY, 0.25) == gm_probit(0.25));
    for (int i = 0; i < 1000; ++i) {
        const double low = random_between(&random, -8, 8), high = low + 0.01 * i;
        const float u = (float)random_between(&random, 0.001, 0.999);
        const double wide = gm_normal_between(low, high, (double)u);
        const float narrow = gm_normal_between((float)low, (float)high, u);
        assert_true(wide >= low && wide <= high && narrow >= (float)low && narrow <= (float)high);
        assert_true(fabs(wide - (double)narrow) < 2e-4);
    }
    for (int i = 0; i < 2000; ++i) {
        const float t = (float)random_between(&random, -0.999, 3);
        const long double exact = log1pl(t) - t + (long double)t * t / 2 - powl(t, 3) / 3;
        assert_true(fabs((double)(gm_log_rest_f64((double)t) - exact)) < 4e-15);
        assert_true(fabs((double)(gm_log_rest_f32(t) - exact)) < 2e-6);
    }
    assert_true(gm_log_rest_f64(-1) == -INFINITY && gm_log_rest_f32(-2) == -INFINITY);
    /* A g or shape that is none gives a NaN; g = 0 is left at once. */
    assert_true(isnan(gm_gamma_step(-1.0, 2.0, 0.1, 0.5)) &&
                isnan(gm_gamma_step(1.0, 0.1, 0, 0.5)));
    assert_true(isnan(gm_gamma_step((float)NAN, 2.0f, 0.1f, 0.5f)));
    assert_true(gm_gamma_step(0.0, 2.0, 0.0, 0.999) == 2.0 - 0x1.5555555555555p-2);
    assert_true(gm_gamma_step(1.5, 2.0, -20.0, 0.5) == 1.5); /* a proposal below 0 */
}

/* ---- two normals ----------------------------------------------------------------------------- */

/* Fewer chains where they take long. */
static int64_t chains_of(const subject *s, int64_t n) {
    return s->is_slow || s->is_reference ? n / 16 : n;
}

/*
 * From stationary starts with correlation r: what chains have in common from sweep to sweep is the
 * product M of the updates' matrices, E[y_c(t) y_d(t + 1)] = (S M^T)_cd with S the covariance. In
 * order M is known, the lag-1 correlation of either coordinate is r^2; in random order it is that
 * of the blocks drawn, which are the same for all chains.
 */
static void two_normals_move_as_the_kernel_says(void **state) {
    (void)state;
    enum { MOST = 32768, SWEEPS = 6 };
    const double r = 0.8, covariance[2][2] = {{1, r}, {r, 1}};
    static double start[2 * MOST], products[4][MOST], squares[2][MOST];
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chains_of(s, MOST);
        for (int64_t i = 0; i < n; ++i) {
            double a, b;
            gm_normal2_f64(123, (uint64_t)i, GM_STREAM_USER, 0, &a, &b);
            start[i] = a;
            start[n + i] = r * a + sqrt(1 - r * r) * b;
        }
        for (int k = 0; k < 4; ++k) {
            const sweeps in = {
                .gibbs = gm_gibbs_builtin("normal_pair"),
                .options = {.dtype = precisions[k % 2],
                            .order = k / 2 == 0 ? GM_GIBBS_SYSTEMATIC : GM_GIBBS_RANDOM,
                            .sweeps = SWEEPS,
                            .thin = 1,
                            .seed = 5},
                .n = n,
                .first_sweep = 1,
                .state = start,
                .params = &r,
                .shared = true};
            double expected[2][2] = {{0}};
            for (int t = 1; t < SWEEPS; ++t) { /* M of the sweep between draws t - 1 and t */
                double m[2][2] = {{1, 0}, {0, 1}};
                for (int u = 0; u < 2; ++u) {
                    const int c = gm_chain_coordinate(5, t + 1, u, 2, k / 2);
                    for (int j = 0; j < 2; ++j) {
                        m[c][j] = r * m[1 - c][j];
                    }
                }
                for (int c = 0; c < 4; ++c) {
                    expected[c / 2][c % 2] +=
                        (covariance[c / 2][0] * m[c % 2][0] + covariance[c / 2][1] * m[c % 2][1]) /
                        (SWEEPS - 1);
                }
            }
            if (k / 2 == 0) {
                assert_true(fabs(expected[0][0] - r * r) < 1e-15);
                assert_true(fabs(expected[1][1] - r * r) < 1e-15);
            }
            sweeps_result out = run_sweeps(s, &in);
            memset(products, 0, sizeof products);
            memset(squares, 0, sizeof squares);
            for (int64_t i = 0; i < n; ++i) {
                for (int t = 0; t < SWEEPS; ++t) {
                    const double *now = out.draws + t * 2 * n + i;
                    squares[0][i] += now[0] * now[0] / SWEEPS;
                    squares[1][i] += now[n] * now[n] / SWEEPS;
                    for (int c = 0; c < 4 && t > 0; ++c) {
                        products[c][i] += (now - 2 * n)[c / 2 * n] * now[c % 2 * n] / (SWEEPS - 1);
                    }
                }
            }
            check_chain_mean(s, "E[y0^2]", squares[0], n, 1);
            check_chain_mean(s, "E[y1^2]", squares[1], n, 1);
            for (int c = 0; c < 4; ++c) {
                check_chain_mean(s, "lag 1", products[c], n, expected[c / 2][c % 2]);
            }
            free_sweeps(&out);
        }
    }
}

/* ---- gamma laws ------------------------------------------------------------------------------ */

/* Block 0: the step; y1 counts the steps that stay. */
GM_GIBBS(gamma_chain, 2, 1, 1, 1, 1, {
    next[0] = gm_gamma_step(y[0], p[0], z[0], u[0]);
    next[1] = y[1] + (next[0] == y[0] ? 1 : 0);
})

/* The expected share of steps from the law that stay, over a grid of the proposals' normals: they
 * have the law's density where the step is, f(x) w(x), and f(z) where it would lead. */
static double share_that_stays(double shape) {
    enum { POINTS = 1201 };
    static double f[POINTS], w[POINTS];
    double all = 0, moved = 0;
    for (int i = 0; i < POINTS; ++i) {
        const double x = -6 + 12.0 * i / (POINTS - 1), t = x / sqrt(9 * shape - 3);
        f[i] = exp(-x * x / 2);
        w[i] = t > -1 ? exp((3 * shape - 1) * (log1p(t) - t + t * t / 2 - t * t * t / 3)) : 0;
    }
    for (int i = 0; i < POINTS; ++i) {
        for (int j = 0; j < POINTS; ++j) {
            all += f[i] * f[j] * w[i];
            moved += f[i] * f[j] * fmin(w[i], w[j]);
        }
    }
    const double stay = 1 - moved / all;
    assert_true(stay > 0 && stay < 0.05);
    return stay;
}

/*
 * From exact starts, shapes 1, 3/2 and 9 by sums of exponentials and half a square: after four
 * steps the law is the same, by three of its moments and where its mean splits it, and the share of
 * steps that stayed is that of the kernel. From far out, 0.05^20 of the start is left.
 */
static void gamma_steps_leave_the_law_and_forget(void **state) {
    (void)state;
    enum { MOST = 8192, STEPS = 4 };
    static const struct {
        double shape, below_mean;
    } laws[] = {{1, 0.63212055882855768}, {1.5, 0.60837482372891103}, {9, 0.54434739567758120}};
    static double start[2 * MOST], values[MOST];
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chains_of(s, MOST);
        for (int k = 0; k < 2 * COUNT(laws); ++k) {
            const double a = laws[k / 2].shape;
            for (int64_t i = 0; i < n; ++i) {
                const double z = gm_normal_f64(7, (uint64_t)i, GM_STREAM_USER, 100);
                start[i] = a == floor(a) ? 0 : z * z / 2;
                for (int e = 0; e < (int)a; ++e) {
                    const gm_words w =
                        gm_philox_block(7, (uint64_t)i, GM_STREAM_USER + 1, (uint64_t)e);
                    start[i] += gm_exponential_f64(w.w0, w.w1);
                }
                start[n + i] = 0;
            }
            sweeps in = {.gibbs = &gamma_chain,
                         .options = {.dtype = precisions[k % 2], .sweeps = STEPS, .seed = 6},
                         .n = n,
                         .state = start,
                         .params = &a,
                         .shared = true};
            sweeps_result out = run_sweeps(s, &in);
            check_chain_mean(s, "E[g]", out.state, n, a);
            for (int q = 0; q < 3; ++q) {
                static const char *const names[] = {"E[g^2]", "E[g^3]", "P(g < E[g])"};
                const double exact[] = {a * (a + 1), a * (a + 1) * (a + 2), laws[k / 2].below_mean};
                for (int64_t i = 0; i < n; ++i) {
                    const double g = out.state[i];
                    values[i] = q == 2 ? g < a : q == 1 ? g * g * g : g * g;
                }
                check_chain_mean(s, names[q], values, n, exact[q]);
            }
            if (n == MOST) { /* enough that stay for a z-test */
                for (int64_t i = 0; i < n; ++i) {
                    values[i] = out.state[n + i] / STEPS;
                }
                check_chain_mean(s, "share that stays", values, n, share_that_stays(a));
            }
            free_sweeps(&out);
            for (int64_t i = 0; i < n; ++i) {
                start[i] = i % 2 == 0 ? 1e-3 : 40 * a;
            }
            in.options.sweeps = 20;
            out = run_sweeps(s, &in);
            check_chain_mean(s, "E[g] from far out", out.state, n, a);
            free_sweeps(&out);
        }
    }
}

/* ---- a hierarchical model -------------------------------------------------------------------- */

/*
 * Effects x_j with known errors s_j, x_j ~ N(t_j, s_j^2), t_j ~ N(m, v), m ~ N(0, 25), v ~
 * InverseGamma(5/2, 20). y: m, v, t_0 .. t_3; p: x, s. Blocks: m; v by a gamma step; all t; and a
 * Metropolis step that scales v and the t_j about m together by s^2 and s, of which s^-5 is left of
 * the densities' and the volume's powers.
 */
enum { GROUPS = 4 };
GM_GIBBS(hierarchy, 6, 8, 4, 4, 1, {
    const real prior_shape = 2.5;
    const real prior_rate = 20;
    switch (block) {
    case 0: {
        real sum = 0;
        for (int j = 0; j < 4; ++j) {
            sum += y[2 + j];
        }
        const real v = 1 / (4 / y[1] + (real)0.04);
        next[0] = v * sum / y[1] + gm_sqrt(v) * z[0];
        break;
    }
    case 1: {
        real sum = 0;
        for (int j = 0; j < 4; ++j) {
            sum += (y[2 + j] - y[0]) * (y[2 + j] - y[0]);
        }
        const real rate = prior_rate + (real)0.5 * sum;
        next[1] = rate / gm_gamma_step(rate / y[1], prior_shape + 2, z[0], u[0]);
        break;
    }
    case 2: {
        for (int j = 0; j < 4; ++j) {
            const real precision = 1 / (p[4 + j] * p[4 + j]);
            const real v = 1 / (1 / y[1] + precision);
            next[2 + j] = v * (y[0] / y[1] + p[j] * precision) + gm_sqrt(v) * z[j];
        }
        break;
    }
    default: {
        const real log_s = (real)0.7 * z[0];
        const real s = gm_exp(log_s);
        real ratio = prior_rate * (1 / y[1] - 1 / (s * s * y[1])) - 2 * prior_shape * log_s;
        for (int j = 0; j < 4; ++j) {
            const real to = y[0] + s * (y[2 + j] - y[0]);
            const real rest = (p[j] - to) / p[4 + j];
            const real rest_now = (p[j] - y[2 + j]) / p[4 + j];
            ratio += (real)0.5 * (rest_now * rest_now - rest * rest);
        }
        const real scale = gm_log(u[0]) <= ratio ? s : 1;
        next[1] = scale * scale * y[1];
        for (int j = 0; j < 4; ++j) {
            next[2 + j] = y[0] + scale * (y[2 + j] - y[0]);
        }
    }
    }
})

/* E[m], E[v], E[log v], E[t_0] by Simpson's rule over log v: given v all else is normal. */
static void integrate_hierarchy(const double *x, double *means) {
    enum { POINTS = 4001 };
    double sums[5] = {0};
    for (int i = 0; i < POINTS; ++i) {
        const double log_v = -1 + 13.0 * i / (POINTS - 1), v = exp(log_v);
        double precision = 1.0 / 25, pull = 0, log_p = -2.5 * log_v - 20 / v;
        for (int j = 0; j < GROUPS; ++j) {
            const double w = 1 / (v + x[GROUPS + j] * x[GROUPS + j]);
            precision += w;
            pull += w * x[j];
            log_p += 0.5 * log(w) - 0.5 * w * x[j] * x[j];
        }
        const double m = pull / precision;
        log_p += -0.5 * log(precision) + 0.5 * pull * m;
        const double s2 = x[GROUPS] * x[GROUPS];
        const double weight = exp(log_p) * (i == 0 || i == POINTS - 1 ? 1 : i % 2 == 1 ? 4 : 2);
        const double each[] = {1, m, v, log_v, (m * s2 + x[0] * v) / (s2 + v)};
        for (int q = 0; q < 5; ++q) {
            sums[q] += weight * each[q];
        }
    }
    for (int q = 0; q < 4; ++q) {
        means[q] = sums[1 + q] / sums[0];
    }
}

static void a_hierarchical_model_has_its_posterior(void **state) {
    (void)state;
    enum { MOST = 1024, WARM = 60, SWEEPS = 100 };
    const double x[] = {14, -3, 5, 9, 5, 4, 6, 3};
    static double start[6 * MOST], values[MOST];
    double exact[4];
    integrate_hierarchy(x, exact);
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chains_of(s, MOST);
        for (int64_t i = 0; i < 6 * n; ++i) {
            start[i] = i / n == 1 ? 30 : 3;
        }
        for (int k = 0; k < 4; ++k) {
            sweeps in = {.gibbs = &hierarchy,
                         .options = {.dtype = precisions[k % 2],
                                     .order = k / 2 == 0 ? GM_GIBBS_SYSTEMATIC : GM_GIBBS_RANDOM,
                                     .sweeps = WARM,
                                     .seed = 9},
                         .n = n,
                         .state = start,
                         .params = x,
                         .shared = true};
            sweeps_result warm = run_sweeps(s, &in);
            in.first_sweep = WARM;
            in.options.sweeps = SWEEPS;
            in.options.thin = 5;
            in.state = warm.state;
            sweeps_result out = run_sweeps(s, &in);
            for (int64_t i = 0; i < n; ++i) {
                assert_int_equal(out.status[i], GM_STATUS_OK);
                values[i] = 0;
                for (int m = 0; m < SWEEPS / 5; ++m) {
                    values[i] += log(out.draws[(m * 6 + 1) * n + i]) / (SWEEPS / 5);
                }
            }
            check_chain_mean(s, "E[m]", out.mean, n, exact[0]);
            check_chain_mean(s, "E[v]", out.mean + n, n, exact[1]);
            check_chain_mean(s, "E[log v]", values, n, exact[2]);
            check_chain_mean(s, "E[t_0]", out.mean + 2 * n, n, exact[3]);
            free_sweeps(&warm);
            free_sweeps(&out);
        }
    }
}

/* ---- a Metropolis block beside an exact one -------------------------------------------------- */

/* The coupled well of the library: moments of y0 by Simpson's rule, of y1 from them. In order, y0
 * is updated before y1 and keeps their joint law: the new one has the old y1 at a distance of 1. */
static void a_metropolis_block_has_its_law(void **state) {
    (void)state;
    enum { MOST = 1024, WARM = 120, SWEEPS = 200 };
    const double p[] = {1.5, 3, 0.6};
    static double start[2 * MOST], values[5][MOST];
    double sums[3] = {0};
    for (int i = 0; i <= 4000; ++i) {
        const double y = -3 + 6.0 * i / 4000, rest = y * y - 1;
        const double weight = exp(-p[0] * rest * rest) * (i % 2 == 1 ? 4 : 2);
        sums[0] += weight;
        sums[1] += weight * y * y;
        sums[2] += weight * y * y * y * y;
    }
    const double square = sums[1] / sums[0], fourth = sums[2] / sums[0];
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chains_of(s, MOST);
        for (int64_t i = 0; i < n; ++i) {
            start[i] = start[n + i] = i % 2 == 0 ? 1 : -1;
        }
        for (int k = 0; k < 4; ++k) {
            sweeps in = {.gibbs = gm_gibbs_builtin("coupled_well"),
                         .options = {.dtype = precisions[k % 2],
                                     .order = k / 2 == 0 ? GM_GIBBS_SYSTEMATIC : GM_GIBBS_RANDOM,
                                     .sweeps = WARM + SWEEPS,
                                     .thin = 1,
                                     .seed = 12},
                         .n = n,
                         .state = start,
                         .params = p,
                         .shared = true};
            sweeps_result out = run_sweeps(s, &in);
            memset(values, 0, sizeof values);
            for (int m = WARM; m < WARM + SWEEPS; ++m) {
                for (int64_t i = 0; i < n; ++i) {
                    const double a = out.draws[m * 2 * n + i], b = out.draws[(m * 2 + 1) * n + i];
                    values[0][i] += a * a / SWEEPS;
                    values[1][i] += a * a * a * a / SWEEPS;
                    values[2][i] += a * b / SWEEPS;
                    values[3][i] += b * b / SWEEPS;
                    const double apart = out.draws[(m * 2 - 1) * n + i] - p[1] * a;
                    values[4][i] += apart * apart / SWEEPS;
                }
            }
            check_chain_mean(s, "E[y0^2]", values[0], n, square);
            check_chain_mean(s, "E[y0^4]", values[1], n, fourth);
            check_chain_mean(s, "E[y0 y1]", values[2], n, p[1] * square);
            check_chain_mean(s, "E[y1^2]", values[3], n, 1 + p[1] * p[1] * square);
            if (k / 2 == 0) {
                check_chain_mean(s, "E[(y1 - c y0')^2]", values[4], n, 1);
            }
            free_sweeps(&out);
        }
    }
}

/* ---- draws by inversion ---------------------------------------------------------------------- */

/* A normal between bounds on either side, in a tail and in the middle; an exponential. */
GM_GIBBS(inversions, 4, 0, 1, 0, 4, {
    next[0] = gm_normal_between(-1, (real)0.5, u[0]);
    next[1] = gm_normal_between(4, 60, u[1]);
    next[2] = gm_normal_between(-7, -4, u[2]);
    next[3] = -gm_log(u[3]);
})

static void inversions_have_their_means(void **state) {
    (void)state;
    enum { MOST = 32768 };
    static const double start[4 * MOST];
    const double root = 2.5066282746310005;
    const double middle =
        (exp(-0.5) - exp(-0.125)) / root / (0.5 * erfc(-0.5 / sqrt(2)) - 0.5 * erfc(1 / sqrt(2)));
    const double tail = exp(-8) / root / (0.5 * erfc(4 / sqrt(2)));
    const double cut =
        (exp(-8) - exp(-24.5)) / root / (0.5 * erfc(4 / sqrt(2)) - 0.5 * erfc(7 / sqrt(2)));
    const double exact[] = {middle, tail, -cut, 1};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const sweeps in = {.gibbs = &inversions,
                               .options = {.dtype = precisions[k], .sweeps = 1, .seed = 31},
                               .n = chains_of(s, MOST),
                               .state = start};
            sweeps_result out = run_sweeps(s, &in);
            for (int c = 0; c < 4; ++c) {
                check_chain_mean(s, "mean by inversion", out.state + c * in.n, in.n, exact[c]);
            }
            free_sweeps(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_functions_are_as_good_as_stated),
        cmocka_unit_test(two_normals_move_as_the_kernel_says),
        cmocka_unit_test(gamma_steps_leave_the_law_and_forget),
        cmocka_unit_test(a_hierarchical_model_has_its_posterior),
        cmocka_unit_test(a_metropolis_block_has_its_law),
        cmocka_unit_test(inversions_have_their_means),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
