/*
 * gm_mcmc_run against what is known of it: the exact law of the unadjusted Langevin chain;
 * acceptance and mean square jump of every method on a Gaussian by quadrature; moments of a
 * Gaussian of condition number 1e4, the banana and the funnel. The formulas of a step:
 * test_mcmc_step.c.
 *
 * Statistical checks take chains that are independent of each other and fail at |z| > 5.5, which a
 * right program does with probability 4e-8: under 2000 of them are made, so a run of them with new
 * seeds fails with less than 1e-4. The seeds are fixed.
 */
#include "tests/mcmc_fixture.h"

enum { MOST_Z_TENTHS = 55 };

static void check_z(const subject *s, const char *what, double got, double expected, double sigma) {
    const double z = (got - expected) / sigma;
    if (!(fabs(z) <= MOST_Z_TENTHS / 10.0)) {
        fail_msg("%s: %s = %.9g, expected %.9g: %.1f standard deviations off", s->name, what, got,
                 expected, z);
    }
}

/* The mean of n independent values, its standard deviation by theirs. */
static void check_mean(const subject *s, const char *what, const double *values, int64_t n,
                       double expected) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        mean += values[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += (values[i] - mean) * (values[i] - mean);
    }
    check_z(s, what, mean, expected, sqrt(square / (double)(n - 1) / (double)n));
}

/* Chains for a statistical test: what a subject does in a moment. */
static int64_t chain_count(const subject *s) {
    return (s->is_slow ? 2000 : s->is_reference ? 8000 : 40000) * (test_is_full() ? 10 : 1);
}

static double exact_normal(uint64_t i) {
    return gm_normal_f64(99, i, GM_STREAM_USER, 0);
}

/* ---- the unadjusted Langevin chain on N(0, 1) ------------------------------------------------ */

/* From y0, after k steps: N((1 - h)^k y0, (1 - (1 - h)^2k) / (1 - h / 2)), exactly. */
static void unadjusted_langevin_has_its_exact_law(void **state) {
    (void)state;
    static const struct {
        double h;
        int64_t steps;
    } rows[] = {{0.1, 1}, {0.1, 7}, {0.5, 40}, {1.5, 40}, {1, 3}};
    const double p[] = {0, 1}, y0 = 2;
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chain_count(s);
        double *start = malloc((size_t)n * sizeof *start);
        double *values = malloc((size_t)n * sizeof *values);
        for (int k = 0; k < COUNT(rows); ++k) {
            for (int64_t i = 0; i < n; ++i) {
                start[i] = y0;
            }
            const double h = rows[k].h, steps = (double)rows[k].steps;
            const double mean = pow(1 - h, steps) * y0;
            const double variance = (1 - pow(1 - h, 2 * steps)) / (1 - h / 2);
            chains in = {.density = gm_density_builtin("normal"),
                         .options = {.dtype = precisions[k % 2],
                                     .method = GM_MCMC_ULA,
                                     .steps = rows[k].steps,
                                     .seed = (uint64_t)(100 + k)},
                         .n = n,
                         .state = start,
                         .params = p,
                         .step = &h,
                         .shared = true};
            chains_result out = run_chains(s, &in);
            double square = 0;
            for (int64_t i = 0; i < n; ++i) {
                square += (out.state[i] - mean) * (out.state[i] - mean) / (double)n;
            }
            check_z(s, "variance of ULA", square, variance, variance * sqrt(2 / (double)n));
            double sum = 0;
            for (int64_t i = 0; i < n; ++i) {
                sum += out.state[i] / (double)n;
            }
            check_z(s, "mean of ULA", sum, mean, sqrt(variance / (double)n));
            /* One more step: the covariance of neighbours in time is 1 - h times the variance. */
            in.state = out.state;
            in.first_step = rows[k].steps;
            in.options.steps = 1;
            chains_result next = run_chains(s, &in);
            for (int64_t i = 0; i < n; ++i) {
                values[i] = (out.state[i] - mean) * (next.state[i] - (1 - h) * mean);
            }
            check_mean(s, "lag-1 covariance of ULA", values, n, (1 - h) * variance);
            free_chains(&next);
            free_chains(&out);
        }
        free(start);
        free(values);
    }
}

/* ---- acceptance and square jump on N(0, 1) by quadrature ------------------------------------- */

typedef struct kernel_moments {
    double acceptance, square_jump;
} kernel_moments;

/* The proposal from x with noise z on N(0, 1), and the log of the ratio that decides. */
static double gaussian_proposal(gm_mcmc_method method, double h, int leapfrogs, double x, double z,
                                double *to) {
    if (method == GM_MCMC_RWM) {
        *to = x + h * z;
        return (x * x - *to * *to) / 2;
    }
    if (method == GM_MCMC_MALA) {
        *to = (1 - h) * x + sqrt(2 * h) * z;
        const double there = *to - (1 - h) * x, back = x - (1 - h) * *to;
        return (x * x - *to * *to) / 2 + (there * there - back * back) / (4 * h);
    }
    /* The leapfrog map is linear: (x, m) -> ((1 - h^2/2) x + h m, (1 - h^2/2) m - h (1 - h^2/4) x).
     */
    double at = x, m = z;
    for (int l = 0; l < leapfrogs; ++l) {
        const double next = (1 - h * h / 2) * at + h * m;
        m = (1 - h * h / 2) * m - h * (1 - h * h / 4) * at;
        at = next;
    }
    *to = at;
    return (x * x + z * z - at * at - m * m) / 2;
}

/* The midpoint rule: kinks of the acceptance leave an error of about the square of the spacing,
 * under 1e-4 here, where the statistical error is over 1e-3. */
static kernel_moments quadrature(gm_mcmc_method method, double h, int leapfrogs) {
    enum { POINTS = 1000 };
    const double spacing = 16.0 / POINTS;
    kernel_moments moments = {0, 0};
    for (int i = 0; i < POINTS; ++i) {
        for (int j = 0; j < POINTS; ++j) {
            const double x = -8 + (i + 0.5) * spacing, z = -8 + (j + 0.5) * spacing;
            double to;
            const double a = exp(fmin(0, gaussian_proposal(method, h, leapfrogs, x, z, &to)));
            const double weight = exp(-(x * x + z * z) / 2) * spacing * spacing / 6.283185307179586;
            moments.acceptance += weight * a;
            moments.square_jump += weight * a * (to - x) * (to - x);
        }
    }
    return moments;
}

/*
 * Chains that start in N(0, 1) stay in it, and the one step after is that of the transition kernel:
 * its acceptance, and half its mean square jump, 1 minus the lag-1 correlation.
 */
static void kernels_on_a_gaussian(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int leapfrogs;
        double beta;
    } rows[] = {{GM_MCMC_RWM, 2.4, 0, 1},  {GM_MCMC_RWM, 0.7, 0, 0.3},
                {GM_MCMC_MALA, 1.2, 0, 1}, {GM_MCMC_MALA, 0.4, 0, 2.5},
                {GM_MCMC_HMC, 1.1, 3, 1},  {GM_MCMC_HMC, 1.7, 2, 0.3}};
    for (int k = 0; k < COUNT(rows); ++k) {
        const double p[] = {3, 2 * sqrt(rows[k].beta)}; /* variance p[1]^2 / beta */
        const kernel_moments exact = quadrature(rows[k].method, rows[k].h, rows[k].leapfrogs);
        if (rows[k].method == GM_MCMC_RWM) { /* known in closed form */
            assert_true(fabs(exact.acceptance - 2 / 3.141592653589793 * atan(2 / rows[k].h)) <
                        1e-4);
        }
        FOR_EACH_SUBJECT(s) {
            const int64_t n = chain_count(s);
            double *start = malloc((size_t)n * sizeof *start);
            double *values = malloc((size_t)n * sizeof *values);
            for (int64_t i = 0; i < n; ++i) {
                start[i] = (double)(float)(3 + 2 * exact_normal((uint64_t)i));
            }
            const double h = rows[k].h, scale = 2;
            const chains in = {.density = gm_density_builtin("normal"),
                               .options = {.dtype = precisions[k % 2],
                                           .method = rows[k].method,
                                           .steps = 4,
                                           .thin = 1,
                                           .leapfrogs = rows[k].leapfrogs,
                                           .seed = (uint64_t)(7 + k)},
                               .n = n,
                               .state = start,
                               .params = p,
                               .step = &h,
                               .scale = &scale,
                               .beta = &rows[k].beta,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            for (int64_t i = 0; i < n; ++i) {
                values[i] = out.accepted[i] / 4.0;
            }
            check_mean(s, "acceptance", values, n, exact.acceptance);
            for (int64_t i = 0; i < n; ++i) {
                const double jump = (out.draws[3 * n + i] - out.draws[2 * n + i]) / 2;
                values[i] = jump * jump;
            }
            check_mean(s, "square jump", values, n, exact.square_jump);
            for (int64_t i = 0; i < n; ++i) {
                const double u = (out.draws[3 * n + i] - 3) / 2, w = (out.draws[2 * n + i] - 3) / 2;
                values[i] = u * w;
            }
            check_mean(s, "lag-1 covariance", values, n, 1 - exact.square_jump / 2);
            for (int64_t i = 0; i < n; ++i) {
                values[i] = (out.state[i] - 3) * (out.state[i] - 3) / 4;
            }
            check_mean(s, "variance", values, n, 1);
            for (int64_t i = 0; i < n; ++i) {
                values[i] = out.state[i];
            }
            check_mean(s, "mean", values, n, 3);
            free_chains(&out);
            free(start);
            free(values);
        }
    }
}

/* N(3, 4^2) to the power of 4 is N(3, 2^2), and powers of two are exact: the same bits, and a log
 * density of a quarter. */
static void a_tempered_gaussian_is_a_narrower_one(void **state) {
    (void)state;
    static const gm_mcmc_method methods[] = {GM_MCMC_RWM, GM_MCMC_ULA, GM_MCMC_MALA, GM_MCMC_HMC};
    enum { n = 150 };
    const double wide[] = {3, 4}, narrow[] = {3, 2}, h = 0.9, scale = 1.5, beta = 4;
    double start[n];
    for (int i = 0; i < n; ++i) {
        start[i] = (double)(float)(3 + 2 * exact_normal((uint64_t)i));
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2 * COUNT(methods); ++k) {
            const gm_mcmc_method method = methods[k / 2];
            chains in = {.density = gm_density_builtin("normal"),
                         .options = {.dtype = precisions[k % 2],
                                     .method = method,
                                     .steps = 20,
                                     .leapfrogs = method == GM_MCMC_HMC ? 4 : 0,
                                     .target = method == GM_MCMC_ULA ? 0 : 0.8,
                                     .seed = 77},
                         .n = n,
                         .state = start,
                         .params = narrow,
                         .step = &h,
                         .scale = &scale,
                         .shared = true};
            chains_result cold = run_chains(s, &in);
            in.params = wide;
            in.beta = &beta;
            chains_result tempered = run_chains(s, &in);
            for (int i = 0; i < n; ++i) {
                assert_true(cold.state[i] == tempered.state[i] && cold.state[i] != start[i]);
                assert_true(cold.logp[i] == 4 * tempered.logp[i]);
                assert_true(method == GM_MCMC_ULA || cold.step[i] == tempered.step[i]);
            }
            free_chains(&cold);
            free_chains(&tempered);
        }
    }
}

/* In one dimension COMPONENT is the random walk, to the bit. */
static void a_component_of_one_is_a_random_walk(void **state) {
    (void)state;
    enum { n = 150 };
    const double p[] = {3, 2}, h = 0.9, scale = 1.5, beta = 0.75;
    double start[n];
    for (int i = 0; i < n; ++i) {
        start[i] = exact_normal((uint64_t)i);
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            chains in = {.density = gm_density_builtin("normal"),
                         .options = {.dtype = precisions[k % 2], .steps = 25, .seed = 78},
                         .n = n,
                         .first_step = 1 << 20,
                         .state = start,
                         .params = p,
                         .step = &h,
                         .scale = &scale,
                         .beta = &beta,
                         .shared = true};
            chains_result walk = run_chains(s, &in);
            in.options.method = GM_MCMC_COMPONENT;
            in.options.jitter = k / 2;
            chains_result sweep = run_chains(s, &in);
            for (int i = 0; i < n; ++i) {
                assert_true(walk.state[i] == sweep.state[i] && walk.mean[i] == sweep.mean[i]);
                assert_true(walk.accepted[i] == sweep.accepted[i]);
                assert_true(walk.variance[i] == sweep.variance[i] && walk.logp[i] == sweep.logp[i]);
            }
            free_chains(&walk);
            free_chains(&sweep);
        }
    }
}

/* ---- stationary laws ------------------------------------------------------------------------- */

GM_DENSITY(
    stretched, 3, 0,
    { logp[0] = (real)-0.5 * (y[0] * y[0] + y[1] * y[1] / 100 + y[2] * y[2] / 10000); },
    {
        grad[0] = -y[0];
        grad[1] = -y[1] / 100;
        grad[2] = -y[2] / 10000;
    })

/* Condition number 1e4, from a common start two standard deviations off: with the scales given the
 * chains forget it. The correlation over a step is below 0.93, to the power of the steps 1e-6. */
static void scales_make_a_stretched_gaussian_round(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int64_t steps;
        int leapfrogs, jitter;
    } rows[] = {{GM_MCMC_RWM, 1.2, 250, 0, 0},
                {GM_MCMC_MALA, 0.6, 120, 0, 0},
                {GM_MCMC_HMC, 0.35, 40, 4, 0},
                {GM_MCMC_HMC, 0.3, 60, 8, 1},
                {GM_MCMC_COMPONENT, 2.4, 60, 0, 0}};
    const double scale[] = {1, 10, 100};
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chain_count(s) / (s->is_kernel || s->is_reference ? 4 : 10);
        double *start = malloc((size_t)(3 * n) * sizeof *start);
        double *values = malloc((size_t)n * sizeof *values);
        for (int64_t i = 0; i < 3 * n; ++i) {
            start[i] = 2 * scale[i / n];
        }
        for (int k = 0; k < COUNT(rows); ++k) {
            const double h = rows[k].h;
            const chains in = {.density = &stretched,
                               .options = {.dtype = precisions[k % 2],
                                           .method = rows[k].method,
                                           .steps = rows[k].steps,
                                           .leapfrogs = rows[k].leapfrogs,
                                           .jitter = rows[k].jitter,
                                           .seed = (uint64_t)(40 + k)},
                               .n = n,
                               .state = start,
                               .step = &h,
                               .scale = scale,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            for (int c = 0; c < 3; ++c) {
                for (int64_t i = 0; i < n; ++i) {
                    values[i] = out.state[c * n + i] / scale[c];
                }
                check_mean(s, "mean of a coordinate", values, n, 0);
                for (int64_t i = 0; i < n; ++i) {
                    values[i] *= values[i];
                }
                check_mean(s, "variance of a coordinate", values, n, 1);
            }
            free_chains(&out);
        }
        free(start);
        free(values);
    }
}

/* The exact samples that chains start from, and the independent N(0, 1) coordinates u, w of a state
 * of the banana and of the funnel. */
static void start_of(bool is_funnel, uint64_t i, int64_t n, double *start) {
    const double u = exact_normal(3 * i), w = exact_normal(3 * i + 1), v = exact_normal(3 * i + 2);
    double *y = start + i;
    if (is_funnel) {
        y[0] = u;
        y[n] = exp(u / 2) * w;
        y[2 * n] = exp(u / 2) * v;
    } else {
        y[0] = u;
        y[n] = 0.8 * (u * u - 1) + sqrt(0.3) * w;
    }
}

static double second_coordinate(bool is_funnel, double y0, double y1) {
    return is_funnel ? y1 * exp(-y0 / 2) : (y1 - 0.8 * (y0 * y0 - 1)) / sqrt(0.3);
}

static void banana_and_funnel_are_left_as_they_are(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int leapfrogs, jitter;
    } rows[] = {{GM_MCMC_RWM, 0.6, 0, 0},       {GM_MCMC_COMPONENT, 0.9, 0, 0},
                {GM_MCMC_COMPONENT, 1.2, 0, 1}, {GM_MCMC_MALA, 0.1, 0, 0},
                {GM_MCMC_HMC, 0.25, 6, 0},      {GM_MCMC_HMC, 0.25, 10, 1}};
    const double p[] = {0.8, 0.3}, width = 1;
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chain_count(s) / 2;
        double *start = malloc((size_t)(3 * n) * sizeof *start);
        double *values[4];
        for (int m = 0; m < 4; ++m) {
            values[m] = malloc((size_t)n * sizeof **values);
        }
        for (int k = 0; k < 2 * COUNT(rows); ++k) {
            const bool is_funnel = k % 2 == 1;
            for (int64_t i = 0; i < n; ++i) {
                start_of(is_funnel, (uint64_t)i, n, start);
            }
            const double h = rows[k / 2].h;
            const chains in = {.density = gm_density_builtin(is_funnel ? "funnel" : "banana"),
                               .options = {.dtype = precisions[k / 2 % 2],
                                           .method = rows[k / 2].method,
                                           .steps = 10,
                                           .leapfrogs = rows[k / 2].leapfrogs,
                                           .jitter = rows[k / 2].jitter,
                                           .seed = (uint64_t)(60 + k)},
                               .n = n,
                               .state = start,
                               .params = is_funnel ? &width : p,
                               .step = &h,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            int64_t moved = 0;
            for (int64_t i = 0; i < n; ++i) {
                const double u = out.state[i];
                const double w = second_coordinate(is_funnel, u, out.state[n + i]);
                values[0][i] = u;
                values[1][i] = u * u;
                values[2][i] = w;
                values[3][i] = w * w;
                moved += out.accepted[i];
                assert_int_equal(out.status[i], GM_STATUS_OK);
            }
            const int updates = rows[k / 2].method != GM_MCMC_COMPONENT ? 10 : is_funnel ? 30 : 20;
            assert_true(moved > 3 * n && moved < updates * n);
            check_mean(s, "mean of y0", values[0], n, 0);
            check_mean(s, "variance of y0", values[1], n, 1);
            check_mean(s, "mean of the second coordinate", values[2], n, 0);
            check_mean(s, "variance of the second coordinate", values[3], n, 1);
            free_chains(&out);
        }
        for (int m = 0; m < 4; ++m) {
            free(values[m]);
        }
        free(start);
    }
}

/* In the double well U = (y^2 - 1)^2 / 4 at temperature D = 0.3: <y^2> = 0.8405465, by quadrature,
 * and <y U'> = <y^4> - <y^2> = D, by parts. Starts are exact, by rejection. */
static void a_double_well_is_left_as_it_is(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int leapfrogs;
    } rows[] = {{GM_MCMC_RWM, 0.7, 0}, {GM_MCMC_MALA, 0.1, 0}, {GM_MCMC_HMC, 0.2, 8}};
    const double temperature = 0.3, p[] = {0.25 / temperature, 0};
    FOR_EACH_SUBJECT(s) {
        const int64_t n = chain_count(s);
        double *start = malloc((size_t)n * sizeof *start);
        double *square = malloc((size_t)n * sizeof *square);
        double *virial = malloc((size_t)n * sizeof *virial);
        uint64_t random = 77;
        for (int64_t i = 0; i < n;) {
            const double y = random_between(&random, -2.6, 2.6), u = (y * y - 1) * (y * y - 1) / 4;
            start[i] = y;
            i += random_between(&random, 0, 1) < exp(-u / temperature);
        }
        for (int k = 0; k < COUNT(rows); ++k) {
            const chains in = {.density = gm_density_builtin("two_wells"),
                               .options = {.dtype = precisions[k % 2],
                                           .method = rows[k].method,
                                           .steps = 20,
                                           .leapfrogs = rows[k].leapfrogs,
                                           .seed = (uint64_t)(90 + k)},
                               .n = n,
                               .state = start,
                               .params = p,
                               .step = &rows[k].h,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            for (int64_t i = 0; i < n; ++i) {
                square[i] = out.state[i] * out.state[i];
                virial[i] = square[i] * (square[i] - 1);
            }
            check_mean(s, "<y^2> of a double well", square, n, 0.8405465);
            check_mean(s, "<y^4> - <y^2> of a double well", virial, n, temperature);
            free_chains(&out);
        }
        free(start);
        free(square);
        free(virial);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unadjusted_langevin_has_its_exact_law),
        cmocka_unit_test(kernels_on_a_gaussian),
        cmocka_unit_test(a_tempered_gaussian_is_a_narrower_one),
        cmocka_unit_test(a_component_of_one_is_a_random_walk),
        cmocka_unit_test(scales_make_a_stretched_gaussian_round),
        cmocka_unit_test(banana_and_funnel_are_left_as_they_are),
        cmocka_unit_test(a_double_well_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
