/*
 * How the reverse process of include/genmath/diffusion.h runs on every backend: the same bits for
 * every cut, layout, thread count and instruction set; bad rows end alone; paths follow the
 * reference; which kernel runs.
 */
#include "tests/diffusion_fixture.h"

static const gm_dtype dtypes[] = {GM_F32, GM_F64};

/* ---- the same bits however it is run --------------------------------------------------------- */

/* A cut at 37 of 70, in other layouts, and one row alone. */
static void samples_do_not_depend_on_the_cut(void **state) {
    (void)state;
    static const int64_t dims[] = {2, 9, 64, 131};
    enum { N = 70, CUT = 37, K = 130 };
    const gm_diffusion_options options[] = {{.steps = 3, .t_end = 0.05},
                                            {.steps = 2, .method = GM_DIFFUSION_PROBABILITY_HEUN}};
    for (size_t i = 0; i < COUNT(dims); ++i) {
        const int64_t d = dims[i];
        double *means = random_values(K * d, -2, 2);
        const mixture m = {K, d, means, NULL, NULL, 0.3};
        for (size_t k = 0; k < COUNT(options); ++k) {
            const gm_diffusion_options *o = &options[k];
            const gm_dtype dtype = dtypes[(i + k) % 2];
            FOR_EACH_BACKEND(c) {
                double *all = samples_of(c, dtype, &m, CONTIGUOUS, o, 4, 100, NULL, N, NULL);
                double *low = samples_of(c, dtype, &m, PADDED, o, 4, 100, NULL, CUT, NULL);
                double *high =
                    samples_of(c, dtype, &m, TRANSPOSED, o, 4, 100 + CUT, NULL, N - CUT, NULL);
                double *one = samples_of(c, dtype, &m, PADDED, o, 4, 100 + 33, NULL, 1, NULL);
                assert_true(same_bits(all, low, CUT * d));
                assert_true(same_bits(all + CUT * d, high, (N - CUT) * d));
                assert_true(same_bits(all + 33 * d, one, d));
                assert_false(same_bits(all, all + d, d));
                free(all);
                free(low);
                free(high);
                free(one);
            }
        }
        free(means);
    }
}

static void samples_do_not_depend_on_threads_or_instructions(void **state) {
    (void)state;
    enum { N = 50, K = 131 };
    static const int64_t dims[] = {1, 13, 67};
    for (size_t i = 0; i < COUNT(dims); ++i) {
        const int64_t d = dims[i];
        double *means = random_values(K * d, -2, 2), *deviations = random_values(K, 0, 1);
        const mixture m = {K, d, means, deviations, deviations, 0.1};
        const gm_diffusion_options o = {.steps = 4};
        for (size_t type = 0; type < COUNT(dtypes); ++type) {
            double *expected =
                samples_of(backends[CPU], dtypes[type], &m, CONTIGUOUS, &o, 1, 0, NULL, N, NULL);
            for (gm_isa isa = GM_ISA_BASE; isa <= GM_ISA_AVX512; ++isa) {
                const gm_context_options choice = {
                    .backend = GM_BACKEND_CPU, .isa = isa, .threads = isa == GM_ISA_BASE ? 3 : 1};
                gm_context *c;
                if (gm_context_create(&choice, &c) != GM_STATUS_OK) {
                    printf("skip: %s\n", gm_last_error(NULL));
                    continue;
                }
                double *got = samples_of(c, dtypes[type], &m, CONTIGUOUS, &o, 1, 0, NULL, N, NULL);
                assert_non_null(strstr(gm_last_kernel(c), gm_isa_name(isa)));
                assert_true(same_bits(expected, got, N * d));
                free(got);
                gm_context_destroy(c);
            }
            free(expected);
        }
        free(means);
        free(deviations);
    }
}

/*
 * One path with a NaN and one with an infinity: their status says so, the others keep their bits.
 */
static void a_bad_start_ends_alone(void **state) {
    (void)state;
    static const int64_t dims[] = {3, 33, 150};
    enum { N = 36, K = 20 };
    const gm_diffusion_options o = {.steps = 2};
    for (size_t i = 0; i < COUNT(dims); ++i) {
        const int64_t d = dims[i];
        double *means = random_values(K * d, -2, 2), *start = random_values(N * d, -2, 2),
               status[N];
        const mixture m = {K, d, means, NULL, NULL, 0.3};
        FOR_EACH_BACKEND(c) {
            double *good = samples_of(c, GM_F32, &m, CONTIGUOUS, &o, 0, 0, start, N, NULL);
            double *spoilt = malloc((size_t)(N * d) * sizeof *spoilt);
            memcpy(spoilt, start, (size_t)(N * d) * sizeof *spoilt);
            spoilt[2 * d] = NAN;
            spoilt[34 * d + d - 1] = -INFINITY;
            double *got = samples_of(c, GM_F32, &m, PADDED, &o, 0, 0, spoilt, N, status);
            for (int64_t k = 0; k < N; ++k) {
                const bool bad = k == 2 || k == 34;
                assert_true(status[k] == (bad ? GM_STATUS_NON_FINITE : GM_STATUS_OK));
                assert_true(bad || same_bits(good + k * d, got + k * d, d));
            }
            free(good);
            free(spoilt);
            free(got);
        }
        free(means);
        free(start);
    }
}

/* ---- against the reference, and the rest ----------------------------------------------------- */

/*
 * A mixture of many components, early in the reverse process, where a path does not yet choose
 * among data: the map is smooth there, and the difference from the reference is rounding, one of 8
 * u a step and at most 64 u in the score's part.
 */
static void paths_follow_the_reference(void **state) {
    (void)state;
    static const int64_t dims[] = {1, 5, 17, 64, 100, 140};
    enum { N = 35, K = 140 };
    for (size_t i = 0; i < COUNT(dims); ++i) {
        const int64_t d = dims[i];
        double *means = random_values(K * d, -1, 1), *weights = random_values(K, 0, 1);
        const mixture m = {K, d, means, weights, NULL, 0.5};
        for (int method = 0; method < GM_DIFFUSION_METHOD_COUNT; ++method) {
            const gm_diffusion_options o = {.method = (gm_diffusion_method)method,
                                            .steps = 4,
                                            .t_end = 0.5,
                                            .denoise = method == 1};
            const gm_dtype dtype = dtypes[(i + (size_t)method) % 2];
            const double u = dtype == GM_F32 ? 0x1p-24 : 0x1p-53;
            gm_vp_point end;
            assert_int_equal(gm_vp_marginal(NULL, 0.5, &end), GM_STATUS_OK);
            double *exact =
                samples_of(backends[REF], dtype, &m, CONTIGUOUS, &o, 6, 9, NULL, N, NULL);
            FOR_EACH_BACKEND(c) {
                double *got =
                    samples_of(c, dtype, &m, (layout)(method % LAYOUTS), &o, 6, 9, NULL, N, NULL);
                for (int64_t at = 0; at < N * d; ++at) {
                    const double bound = u * (8 * 5 + 64) * (1 + fabs(exact[at])) / end.alpha;
                    if (!(fabs(got[at] - exact[at]) <= bound)) {
                        fail_msg("%s %s: d %d, method %d: %g times the bound",
                                 gm_context_backend_name(c), gm_last_kernel(c), (int)d, method,
                                 fabs(got[at] - exact[at]) / bound);
                    }
                }
                free(got);
            }
            free(exact);
        }
        free(means);
        free(weights);
    }
}

/* Which kernel runs which number of dimensions, on the backends that run kernels. */
static void the_kernel_is_the_first_that_fits(void **state) {
    (void)state;
    static const struct {
        int64_t dim;
        const char *name;
    } table[] = {{1, "thread_2"},  {2, "thread_2"},   {3, "thread_8"}, {8, "thread_8"},
                 {9, "tile_32"},   {32, "tile_32"},   {33, "tile_64"}, {64, "tile_64"},
                 {65, "tile_128"}, {128, "tile_128"}, {129, "wide"}};
    double *means = random_values(129, -1, 1);
    const gm_diffusion_options o = {.steps = 1};
    for (size_t at = EMU; at <= CUDA; ++at) {
        for (size_t i = 0; i < COUNT(table) && backends[at] != NULL; ++i) {
            const mixture m = {1, table[i].dim, means, NULL, NULL, 0};
            free(samples_of(backends[at], GM_F32, &m, CONTIGUOUS, &o, 0, 0, NULL, 1, NULL));
            char expected[64];
            snprintf(expected, sizeof expected, "diffusion_f32_%s", table[i].name);
            assert_string_equal(gm_last_kernel(backends[at]), expected);
        }
    }
    free(means);
}

static void no_samples_are_fine_and_starts_may_be_samples(void **state) {
    (void)state;
    const double mean = 1, start[] = {0.5, -0.5};
    const mixture m = {1, 1, &mean, NULL, NULL, 0.5};
    const gm_diffusion_options o = {.steps = 5, .method = GM_DIFFUSION_PROBABILITY_HEUN};
    FOR_EACH_BACKEND(c) {
        free(samples_of(c, GM_F32, &m, CONTIGUOUS, &o, 0, 0, NULL, 0, NULL));
        double *apart = samples_of(c, GM_F64, &m, CONTIGUOUS, &o, 0, 0, start, 2, NULL);
        model_arrays model;
        gm_diffusion_plan *plan;
        int64_t bytes;
        void *workspace;
        make_model(c, GM_F64, &m, CONTIGUOUS, &model);
        array y = make_array(c, GM_F64, 2, 2, 1, CONTIGUOUS, start);
        assert_ok(c, gm_diffusion_plan_create(c, &o, &plan));
        assert_ok(c, gm_diffusion_workspace_size(plan, GM_F64, 2, 1, &bytes));
        assert_ok(c, gm_memory_alloc(c, (size_t)bytes, &workspace));
        assert_ok(c, gm_diffusion_sample(plan, &model.model, NULL, &y.tensor, workspace, bytes,
                                         &y.tensor, NULL));
        assert_ok(c, gm_context_synchronize(c));
        assert_ok(c, gm_memory_free(c, workspace));
        gm_diffusion_plan_destroy(plan);
        drop_model(&model);
        double *in_place = take_array(&y, false);
        assert_true(same_bits(apart, in_place, 2));
        free(apart);
        free(in_place);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_do_not_depend_on_the_cut),
        cmocka_unit_test(samples_do_not_depend_on_threads_or_instructions),
        cmocka_unit_test(a_bad_start_ends_alone),
        cmocka_unit_test(paths_follow_the_reference),
        cmocka_unit_test(the_kernel_is_the_first_that_fits),
        cmocka_unit_test(no_samples_are_fine_and_starts_may_be_samples),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
