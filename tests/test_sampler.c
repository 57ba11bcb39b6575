/*
 * The reverse process of include/genmath/diffusion.h on every backend. For Gaussian data a step is
 * an affine map of the state and of known noise, so a path is computed here by that map and
 * compared number by number; means and variances follow an exact recursion, which also fixes the
 * published table. What the law of many samples must be is tested by z-tests and Kolmogorov–Smirnov
 * at the size stated.
 */
#include "tests/diffusion_fixture.h"

#include <genmath/philox.h>

static const gm_dtype dtypes[] = {GM_F32, GM_F64};

/* Two-sided normal quantile of 1e-6: with fixed seeds a test that passes once always passes. */
static const double z_limit = 4.9;

static gm_vp_point point_at(double t) {
    gm_vp_point point;
    assert_int_equal(gm_vp_marginal(NULL, t, &point), GM_STATUS_OK);
    return point;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void errors_of_a_plan(void **state) {
    (void)state;
    const gm_diffusion_options bad[] = {
        {.schedule = {-1, 1}},
        {.method = GM_DIFFUSION_METHOD_COUNT},
        {.steps = -1},
        {.t_start = 1.5},
        {.t_start = -1},
        {.t_end = 1},
        {.t_end = -1},
        {.t_start = 0.1, .t_end = 0.1},
        {.t_end = NAN},
        {.epsilon = -1},
        {.epsilon = NAN},
        {.denoise = 2},
        {.epsilon = 1, .method = GM_DIFFUSION_PROBABILITY_EULER},
    };
    FOR_EACH_BACKEND(c) {
        gm_diffusion_plan *plan;
        for (size_t i = 0; i < COUNT(bad); ++i) {
            assert_int_equal(gm_diffusion_plan_create(c, &bad[i], &plan),
                             GM_STATUS_INVALID_ARGUMENT);
            assert_null(plan);
            assert_true(gm_last_error(c)[0] != '\0');
        }
        assert_int_equal(gm_diffusion_plan_create(c, NULL, NULL), GM_STATUS_INVALID_ARGUMENT);
        assert_int_equal(gm_diffusion_plan_create(NULL, NULL, &plan), GM_STATUS_INVALID_ARGUMENT);
        gm_diffusion_plan_destroy(NULL);
    }
}

static void errors_of_a_workspace(gm_diffusion_plan *plan) {
    int64_t bytes = -7;
    assert_int_equal(gm_diffusion_workspace_size(NULL, GM_F32, 1, 1, &bytes),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_diffusion_workspace_size(plan, GM_F16, 1, 1, &bytes),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_diffusion_workspace_size(plan, GM_F32, -1, 1, &bytes),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_diffusion_workspace_size(plan, GM_F32, 1, -1, &bytes),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_diffusion_workspace_size(plan, GM_F32, 1, INT64_MAX, &bytes),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_diffusion_workspace_size(plan, GM_F32, 1, 1, NULL),
                     GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(bytes, -7);
}

static void errors_of_a_sample(void **state) {
    (void)state;
    enum { D = 200 }; /* needs a workspace on every backend */
    static double zeros[3 * D];
    FOR_EACH_BACKEND(c) {
        gm_diffusion_plan *plan;
        int64_t bytes;
        void *workspace;
        array means = make_array(c, GM_F32, 2, 2, D, CONTIGUOUS, zeros);
        array start = make_array(c, GM_F32, 2, 3, D, CONTIGUOUS, zeros);
        array out = make_array(c, GM_F32, 2, 3, D, CONTIGUOUS, NULL);
        array status = make_array(c, GM_I32, 1, 3, 1, CONTIGUOUS, NULL);
        const gm_diffusion_model model = {.means = &means.tensor};
        gm_tensor narrow = out.tensor, few = start.tensor, f32_status = status.tensor,
                  f64 = out.tensor;
        narrow.shape[1] = 10;
        few.shape[0] = 2;
        f32_status.dtype = GM_F32;
        f64.dtype = GM_F64;
        f64.shape[0] = 1;
        assert_ok(c, gm_diffusion_plan_create(c, NULL, &plan));
        errors_of_a_workspace(plan);
        assert_ok(c, gm_diffusion_workspace_size(plan, GM_F32, 3, D, &bytes));
        assert_true(bytes > 0);
        assert_ok(c, gm_memory_alloc(c, (size_t)bytes + 64, &workspace));
        void *crooked = (char *)workspace + 4;
        const struct {
            const gm_diffusion_model *model;
            const gm_tensor *start;
            void *workspace;
            int64_t bytes;
            const gm_tensor *samples, *status;
            gm_status expected;
        } cases[] = {
            {NULL, NULL, workspace, bytes, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, workspace, bytes, NULL, NULL, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, workspace, bytes, &narrow, NULL, GM_STATUS_SHAPE_MISMATCH},
            {&model, NULL, workspace, bytes, &f64, NULL, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, workspace, bytes, &means.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {&model, &few, workspace, bytes, &out.tensor, NULL, GM_STATUS_SHAPE_MISMATCH},
            {&model, NULL, workspace, bytes, &out.tensor, &f32_status, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, workspace, bytes, &out.tensor, &out.tensor, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, workspace, bytes - 1, &out.tensor, NULL, GM_STATUS_WORKSPACE_TOO_SMALL},
            {&model, NULL, NULL, bytes, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
            {&model, NULL, crooked, bytes, &out.tensor, NULL, GM_STATUS_INVALID_ARGUMENT},
        };
        for (size_t i = 0; i < COUNT(cases); ++i) {
            const gm_status got =
                gm_diffusion_sample(plan, cases[i].model, NULL, cases[i].start, cases[i].workspace,
                                    cases[i].bytes, cases[i].samples, cases[i].status);
            if (got != cases[i].expected) {
                fail_msg("case %zu: %s: %s", i, gm_status_name(got), gm_last_error(c));
            }
        }
        assert_int_equal(
            gm_diffusion_sample(NULL, &model, NULL, NULL, workspace, bytes, &out.tensor, NULL),
            GM_STATUS_INVALID_ARGUMENT);
        assert_ok(c, gm_memory_free(c, workspace));
        gm_diffusion_plan_destroy(plan);
        drop_array(&means, true);
        drop_array(&start, true);
        drop_array(&out, true); /* as an input: nothing was written */
        drop_array(&status, true);
    }
}

/* ---- Gaussian data: the exact recursion ------------------------------------------------------ */

typedef struct gaussian {
    double mean, deviation;
} gaussian;

/* y -> gain y + shift + kick z, the step of Euler's methods from time t over dt. */
typedef struct affine {
    double gain, shift, kick;
} affine;

static affine step_of(gaussian g, const gm_diffusion_options *o, double t, double dt) {
    const gm_vp_point p = point_at(t);
    const double v = p.alpha * p.alpha * g.deviation * g.deviation + p.variance;
    const double reverse = o->method != GM_DIFFUSION_REVERSE_SDE ? 0
                           : o->epsilon > 0                      ? o->epsilon
                                                                 : p.beta;
    const double pull = 0.5 * (p.beta + reverse) * dt / v;
    return (affine){1 + 0.5 * p.beta * dt - pull, pull * p.alpha * g.mean, sqrt(reverse * dt)};
}

/* Means and variances of the published table: N(1, 1/4), start N(0, 1), left point, from 1 to 0. */
static void recursion_has_the_tabulated_moments(void **state) {
    (void)state;
    static const struct {
        gm_diffusion_method method;
        double epsilon;
        int64_t steps;
        double mean, variance;
    } table[] = {
        {GM_DIFFUSION_REVERSE_SDE, 0, 100, 1.0059600084, .2537465094},
        {GM_DIFFUSION_REVERSE_SDE, 0, 500, 1.0011894069, .2507100510},
        {GM_DIFFUSION_REVERSE_SDE, 0, 1000, 1.0005897137, .2503526501},
        {GM_DIFFUSION_REVERSE_SDE, 0, 10000, 1.0000492916, .2500350527},
        {GM_DIFFUSION_REVERSE_SDE, 1, 1000, .9988719730, .2499967295},
        {GM_DIFFUSION_PROBABILITY_EULER, 0, 100, .9999147209, .2477536802},
        {GM_DIFFUSION_PROBABILITY_EULER, 0, 1000, .9970384573, .2497735524},
        {GM_DIFFUSION_PROBABILITY_EULER, 0, 10000, .9967466274, .2499845510},
    };
    for (size_t i = 0; i < COUNT(table); ++i) {
        const gm_diffusion_options o = {.method = table[i].method, .epsilon = table[i].epsilon};
        double mean = 0, variance = 1;
        for (int64_t k = 0; k < table[i].steps; ++k) {
            const double dt = 1.0 / (double)table[i].steps;
            const affine step = step_of((gaussian){1, 0.5}, &o, 1 - (double)k * dt, dt);
            mean = step.gain * mean + step.shift;
            variance = step.gain * step.gain * variance + step.kick * step.kick;
        }
        assert_true(fabs(mean - table[i].mean) < 1e-9 && fabs(variance - table[i].variance) < 1e-9);
    }
}

static double start_of(gm_dtype dtype, uint64_t seed, uint64_t index, uint32_t stream,
                       uint64_t draw) {
    return dtype == GM_F32 ? (double)gm_normal_f32(seed, index, stream, draw)
                           : gm_normal_f64(seed, index, stream, draw);
}

/* One path by the affine map, from the noise of philox.h at its documented addresses. */
static double exact_path(gm_dtype dtype, gaussian g, const gm_diffusion_options *o, uint64_t seed,
                         uint64_t index, int64_t d, int64_t j) {
    double y = start_of(dtype, seed, index, GM_STREAM_DIFFUSION_START, (uint64_t)j);
    const double dt = (1 - o->t_end) / (double)o->steps;
    for (int64_t k = 0; k < o->steps; ++k) {
        const double t = 1 - (double)k * dt;
        const double z = start_of(dtype, seed, index, GM_STREAM_DIFFUSION, (uint64_t)(k * d + j));
        const affine step = step_of(g, o, t, dt);
        if (o->method == GM_DIFFUSION_PROBABILITY_HEUN) {
            const affine next = step_of(g, o, k + 1 == o->steps ? o->t_end : t - dt, dt);
            const double predicted = step.gain * y + step.shift;
            y += 0.5 * (predicted - y + (next.gain - 1) * predicted + next.shift);
        } else {
            y = step.gain * y + step.shift + (step.kick > 0 ? step.kick * z : 0);
        }
    }
    return y;
}

/* Every method, both types, every kernel's range of dimensions. */
static void paths_of_gaussian_data_are_the_affine_map(void **state) {
    (void)state;
    static const int64_t dims[] = {1, 2, 3, 8, 9, 63, 64, 65, 130};
    const gm_diffusion_options methods[] = {
        {.method = GM_DIFFUSION_REVERSE_SDE, .steps = 24, .t_end = 0.01},
        {.method = GM_DIFFUSION_REVERSE_SDE, .steps = 25, .t_end = 0.01, .epsilon = 1},
        {.method = GM_DIFFUSION_PROBABILITY_EULER, .steps = 10, .t_end = 1e-300},
        {.method = GM_DIFFUSION_PROBABILITY_HEUN, .steps = 12, .t_end = 0.01},
    };
    enum { N = 3 };
    const gaussian g = {1, 0.5};
    const uint64_t seed = 77, first = 1ull << 33;
    double means[130];
    for (int j = 0; j < 130; ++j) {
        means[j] = g.mean;
    }
    for (size_t i = 0; i < COUNT(dims); ++i) {
        for (size_t k = 0; k < COUNT(methods); ++k) {
            const mixture m = {1, dims[i], means, NULL, NULL, g.deviation};
            FOR_EACH_BACKEND(c) {
                const gm_dtype dtype = dtypes[(i + k) % COUNT(dtypes)];
                const double tolerance = dtype == GM_F32 ? 2e-5 : 2e-14;
                double status[N];
                double *y = samples_of(c, dtype, &m, (layout)(i % LAYOUTS), &methods[k], seed,
                                       first, NULL, N, status);
                for (int64_t at = 0; at < N * dims[i]; ++at) {
                    const double exact =
                        exact_path(dtype, g, &methods[k], seed, first + (uint64_t)(at / dims[i]),
                                   dims[i], at % dims[i]);
                    if (!(fabs(y[at] - exact) <= tolerance * (1 + fabs(exact)))) {
                        fail_msg("%s %s: d %d, method %zu: %.15g instead of %.15g",
                                 gm_context_backend_name(c), gm_last_kernel(c), (int)dims[i], k,
                                 y[at], exact);
                    }
                    assert_true(status[at / dims[i]] == GM_STATUS_OK);
                }
                free(y);
            }
        }
    }
}

/*
 * Mean and variance over samples and components against the recursion's own: z-tests of size 1e-6
 * each. A wrong noise variance or drift moves them by far more: both moments of the table differ
 * from the data's, N(1, 1/4), by less than the test can see at N = 100 000, so it is the recursion
 * that is met.
 */
static void sampled_moments_are_those_of_the_recursion(void **state) {
    (void)state;
    enum { N = 6250, D = 16, STEPS = 100 };
    const gaussian g = {1, 0.5};
    const gm_diffusion_options o = {.steps = STEPS, .t_end = 1e-300};
    double means[D], mean = 0, variance = 1;
    for (int j = 0; j < D; ++j) {
        means[j] = g.mean;
    }
    for (int k = 0; k < STEPS; ++k) {
        const affine step = step_of(g, &o, 1 - (double)k / STEPS, 1.0 / STEPS);
        mean = step.gain * mean + step.shift;
        variance = step.gain * step.gain * variance + step.kick * step.kick;
    }
    const mixture m = {1, D, means, NULL, NULL, g.deviation};
    const size_t which[] = {CPU, CUDA};
    for (size_t i = 0; i < COUNT(which); ++i) {
        if (backends[which[i]] == NULL) {
            continue;
        }
        double *y = samples_of(backends[which[i]], GM_F32, &m, CONTIGUOUS, &o, 5, 0, NULL, N, NULL);
        double sampled = 0, square = 0;
        for (int at = 0; at < N * D; ++at) {
            sampled += y[at] / (N * D);
            square += (y[at] - mean) * (y[at] - mean) / (N * D);
        }
        assert_true(fabs(sampled - mean) < z_limit * sqrt(variance / (N * D)));
        assert_true(fabs(square - variance) < z_limit * variance * sqrt(2.0 / (N * D)));
        free(y);
    }
}

/* The flow of Gaussian data from 1 to t: alpha m + sqrt(v_t / v_1) (y - alpha_1 m). */
static double exact_flow(gaussian g, double y, double t) {
    const gm_vp_point from = point_at(1), to = point_at(t);
    const double s2 = g.deviation * g.deviation;
    const double v1 = from.alpha * from.alpha * s2 + from.variance,
                 v = to.alpha * to.alpha * s2 + to.variance;
    return to.alpha * g.mean + sqrt(v / v1) * (y - from.alpha * g.mean);
}

/* The slope of log error over log steps, by least squares over four doublings. */
static double order_of(gm_context *c, gm_diffusion_method method) {
    const gaussian g = {1, 0.5};
    const mixture m = {1, 1, &g.mean, NULL, NULL, g.deviation};
    const double start = 0.8;
    double xy = 0, xx = 0;
    for (int k = -2; k <= 2; ++k) {
        const gm_diffusion_options o = {.method = method, .steps = 200 << (k + 2), .t_end = 0.05};
        double *y = samples_of(c, GM_F64, &m, CONTIGUOUS, &o, 0, 0, &start, 1, NULL);
        xy += k * log2(fabs(*y - exact_flow(g, start, 0.05)));
        xx += k * k;
        free(y);
    }
    return -xy / xx;
}

static void probability_flow_has_its_order(void **state) {
    (void)state;
    gm_context *contexts[] = {backends[REF], backends[CPU]};
    for (size_t i = 0; i < COUNT(contexts); ++i) {
        assert_true(fabs(order_of(contexts[i], GM_DIFFUSION_PROBABILITY_EULER) - 1) < 0.1);
        assert_true(fabs(order_of(contexts[i], GM_DIFFUSION_PROBABILITY_HEUN) - 2) < 0.2);
    }
}

/*
 * Denoising replaces y by E[x_0 | y] = m + alpha s^2 / (alpha^2 s^2 + 1 - alpha^2) (y - alpha m).
 */
static void denoising_is_the_posterior_mean(void **state) {
    (void)state;
    const double means[] = {-0.7, 2};
    const gm_vp_point p = point_at(0.3);
    FOR_EACH_BACKEND(c) {
        for (int method = 0; method < GM_DIFFUSION_METHOD_COUNT; ++method) {
            gm_diffusion_options o = {
                .method = (gm_diffusion_method)method, .steps = 10, .t_end = 0.3};
            const mixture m = {1, 2, means, NULL, NULL, 0.6};
            double *y = samples_of(c, GM_F64, &m, PADDED, &o, 3, 0, NULL, 5, NULL);
            o.denoise = 1;
            double *clean = samples_of(c, GM_F64, &m, PADDED, &o, 3, 0, NULL, 5, NULL);
            for (int at = 0; at < 10; ++at) {
                const double gain = p.alpha * 0.36 / (p.alpha * p.alpha * 0.36 + p.variance);
                const double mean = means[at % 2];
                assert_true(fabs(clean[at] - (mean + gain * (y[at] - p.alpha * mean))) < 1e-13);
            }
            free(y);
            free(clean);
        }
    }
}

/* ---- the law of the samples ------------------------------------------------------------------ */

static int ascending(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/*
 * Three unequal Gaussians, 12000 samples, 1000 steps: the distance of Kolmogorov and Smirnov from
 * the exact law of x_t_end. Size 1e-4: 2.23 / sqrt(n); 0.003 more is granted to the bias of 1000
 * steps.
 */
static void mixture_has_its_law(void **state) {
    (void)state;
    enum { N = 12000 };
    const double means[] = {-2, 0, 1.5}, weights[] = {0.5, 0.3, 0.2},
                 deviations[] = {0.4, 0.2, 0.7};
    const mixture m = {3, 1, means, weights, deviations, 0};
    const gm_diffusion_options o = {.steps = 1000};
    const gm_vp_point p = point_at(1e-3);
    double *y = samples_of(backends[CPU], GM_F32, &m, CONTIGUOUS, &o, 11, 0, NULL, N, NULL),
           distance = 0;
    qsort(y, N, sizeof *y, ascending);
    for (int i = 0; i < N; ++i) {
        double below = 0;
        for (int k = 0; k < 3; ++k) {
            const double v = p.alpha * p.alpha * deviations[k] * deviations[k] + p.variance;
            below += weights[k] * 0.5 * erfc(-(y[i] - p.alpha * means[k]) / sqrt(2 * v));
        }
        distance =
            fmax(distance, fmax(fabs(below - (double)i / N), fabs(below - (double)(i + 1) / N)));
    }
    printf("Kolmogorov-Smirnov distance %.4f\n", distance);
    assert_true(distance < 2.23 / sqrt(N) + 0.003);
    free(y);
}

/*
 * Bare data: run down to t = 0.001, every sample is a datum again, and each is met about equally
 * often.
 */
static void bare_data_are_memorised(void **state) {
    (void)state;
    enum { N = 2000, K = 5, D = 12 };
    double *data = random_values(K * D, -1, 1), hits[K] = {0};
    const mixture m = {K, D, data, NULL, NULL, 0};
    const gm_diffusion_options o = {.steps = 500, .denoise = 1};
    double *y = samples_of(backends[CPU], GM_F32, &m, CONTIGUOUS, &o, 1, 0, NULL, N, NULL);
    for (int i = 0; i < N; ++i) {
        int nearest = -1;
        for (int k = 0; k < K; ++k) {
            double distance = 0;
            for (int j = 0; j < D; ++j) {
                distance = fmax(distance, fabs(y[i * D + j] - data[k * D + j]));
            }
            nearest = distance < 1e-4 ? k : nearest;
        }
        assert_true(nearest >= 0);
        hits[nearest] += 1;
    }
    for (int k = 0; k < K; ++k) {
        assert_true(fabs(hits[k] / N - 1.0 / K) <
                    z_limit * sqrt((1.0 / K) * (1 - 1.0 / K) / N) + 0.01);
    }
    free(data);
    free(y);
}

/*
 * U-turns on the 3 x 3 grid with sigma = 0.5: noise a sample of a mode up to T, come back, and
 * count who returns to that mode. Exact shares: the square of a 1-D integral, tabulated. z-test at
 * 4.9.
 */
static void u_turns_return_to_their_mode_as_tabulated(void **state) {
    (void)state;
    enum { N = 3000 };
    static const struct {
        double time, share;
    } table[] = {{.2779, .9732}, {.4326, .6220}, {.6389, .1907}};
    gm_context *c = backends[CPU];
    double centres[18], *from = malloc(2 * N * sizeof *from);
    for (int i = 0; i < 9; ++i) {
        centres[2 * i] = 6.0 * (i / 3 - 1);
        centres[2 * i + 1] = 6.0 * (i % 3 - 1);
    }
    for (int i = 0; i < 2 * N; ++i) {
        from[i] = centres[i % 18] + 0.5 * gm_normal_f64(99, (uint64_t)i, 128, 0);
    }
    for (size_t k = 0; k < COUNT(table); ++k) {
        const mixture m = {9, 2, centres, NULL, NULL, 0.5};
        const gm_diffusion_options o = {.steps = 400, .t_start = table[k].time};
        const gm_diffusion_noise noise = {7, 0};
        array t = make_array(c, GM_F64, 1, 1, 1, CONTIGUOUS, &table[k].time);
        array x = make_array(c, GM_F64, 2, N, 2, CONTIGUOUS, from);
        gm_tensor all = t.tensor;
        all.shape[0] = N;
        all.stride[0] = 0;
        assert_ok(c, gm_diffusion_perturb(c, NULL, &noise, &all, &x.tensor, &x.tensor, NULL));
        double *turn = take_array(&x, false), back = 0;
        double *end = samples_of(c, GM_F64, &m, CONTIGUOUS, &o, 8, 0, turn, N, NULL);
        for (int i = 0; i < N; ++i) {
            const double *centre = centres + 2 * (i % 9);
            back += fabs(end[2 * i] - centre[0]) < 3 && fabs(end[2 * i + 1] - centre[1]) < 3;
        }
        const double share = table[k].share;
        assert_true(fabs(back / N - share) < z_limit * sqrt(share * (1 - share) / N) + 0.004);
        drop_array(&t, true);
        free(turn);
        free(end);
    }
    free(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_a_plan),
        cmocka_unit_test(errors_of_a_sample),
        cmocka_unit_test(recursion_has_the_tabulated_moments),
        cmocka_unit_test(paths_of_gaussian_data_are_the_affine_map),
        cmocka_unit_test(sampled_moments_are_those_of_the_recursion),
        cmocka_unit_test(probability_flow_has_its_order),
        cmocka_unit_test(denoising_is_the_posterior_mean),
        cmocka_unit_test(mixture_has_its_law),
        cmocka_unit_test(bare_data_are_memorised),
        cmocka_unit_test(u_turns_return_to_their_mode_as_tabulated),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
