/*
 * Samples of normal proposals against the noise that they are made of, densities at points, what is
 * refused.
 */
#include "tests/importance_fixture.h"

/* ---- samples --------------------------------------------------------------------------------- */

enum { K = 3, DIM = 5, N = 150 };

typedef struct drawn {
    double x[K][DIM][N], log_q[K][N];
} drawn;

static const uint64_t seed = 2026, first_index = 12345678901;

/* Means, factors of positive diagonal. */
static void make_proposals(double mean[K][DIM], double factor[K][DIM][DIM]) {
    uint64_t random = 4;
    for (int i = 0; i < K * DIM; ++i) {
        (&mean[0][0])[i] = (double)(next_random(&random) >> 40) * 0x1p-23 - 1;
    }
    for (int i = 0; i < K * DIM * DIM; ++i) {
        const double u = (double)(next_random(&random) >> 40) * 0x1p-24;
        (&factor[0][0][0])[i] = i / DIM % DIM == i % DIM ? 0.5 + u : u - 0.5;
    }
}

static void widen(const gm_tensor *t, const void *raw, int64_t n, double *to) {
    for (int64_t i = 0; i < n; ++i) {
        to[i] = t->dtype == GM_F64 ? ((const double *)raw)[i] : (double)((const float *)raw)[i];
    }
}

static void draw(const subject *s, gm_dtype dtype, bool dense, int64_t problems, int64_t n,
                 const double *mean, const double *factor, double *x, double *log_q) {
    arrays all = {.context = s->context};
    const gm_importance_options options = {dtype, seed, first_index};
    gm_importance_plan *plan;
    const int64_t vectors[] = {problems, DIM}, square[] = {problems, DIM, DIM};
    const int64_t points[] = {problems, DIM, n}, single[] = {problems, n};
    const gm_tensor m = put_reals(&all, dtype, 2, vectors, mean);
    const gm_tensor l = put_reals(&all, dtype, 3, square, factor);
    const gm_tensor out = put(&all, dtype, 3, points, NULL), q = put(&all, dtype, 2, single, NULL);
    const gm_tensor diagonal = {l.data, dtype, 2, {problems, DIM}, {DIM * DIM, DIM + 1}};
    double *raw = malloc((size_t)(problems * DIM * n) * sizeof *raw);
    assert_non_null(raw);
    ASSERT_OK(s->context, gm_importance_plan_create(s->context, NULL, DIM, &options, &plan));
    const gm_importance_input in = {
        .mean = &m, .factor = dense ? &l : NULL, .scale = dense ? NULL : &diagonal};
    ASSERT_OK(s->context,
              gm_importance_draw(plan, &in,
                                 &(gm_importance_samples){.points = &out, .log_proposal = &q}));
    gm_importance_plan_destroy(plan);
    take(&all, &out, raw);
    widen(&out, raw, problems * DIM * n, x);
    take(&all, &q, raw);
    widen(&q, raw, problems * n, log_q);
    free(raw);
    close_arrays(&all);
}

/* x = mean + L z and its density, from the noise in philox.h. A value and its like from another
 * order of DIM terms of size up to 8 differ by DIM units of 8. */
static void samples_are_noise(void **state) {
    (void)state;
    static double mean[K][DIM], factor[K][DIM][DIM];
    static drawn got;
    make_proposals(mean, factor);
    FOR_EACH_SUBJECT(s) {
        for (int i = 0; i < 4; ++i) {
            const gm_dtype dtype = precisions[i / 2];
            const bool dense = i % 2 != 0;
            draw(s, dtype, dense, K, N, &mean[0][0], &factor[0][0][0], &got.x[0][0][0],
                 &got.log_q[0][0]);
            for (int k = 0; k < K; ++k) {
                for (int j = 0; j < N; ++j) {
                    const uint64_t index = first_index + ((uint64_t)k << 32) + (uint64_t)j;
                    double z[DIM], log_q = -DIM * 0.5 * log(2 * M_PI);
                    for (int r = 0; r < DIM; ++r) {
                        z[r] = dtype == GM_F64
                                   ? gm_normal_f64(seed, index, GM_STREAM_IMPORTANCE, (uint64_t)r)
                                   : (double)gm_normal_f32(seed, index, GM_STREAM_IMPORTANCE,
                                                           (uint64_t)r);
                        double x = mean[k][r];
                        for (int c = dense ? 0 : r; c <= r; ++c) {
                            x += factor[k][r][c] * z[c];
                        }
                        log_q -= z[r] * z[r] / 2 + log(factor[k][r][r]);
                        assert_true(fabs(got.x[k][r][j] - x) <= 16 * DIM * unit_of(dtype));
                    }
                    assert_true(fabs(got.log_q[k][j] - log_q) <= 128 * DIM * unit_of(dtype));
                }
            }
        }
    }
}

/* Problems and samples alone have the bits they have among others; a bad proposal spoils itself. */
static void samples_do_not_mix(void **state) {
    (void)state;
    static double mean[K][DIM], factor[K][DIM][DIM], x[K * DIM * N], log_q[K * N];
    static drawn all, spoiled;
    make_proposals(mean, factor);
    FOR_EACH_SUBJECT(s) {
        draw(s, GM_F64, true, K, N, &mean[0][0], &factor[0][0][0], &all.x[0][0][0],
             &all.log_q[0][0]);
        draw(s, GM_F64, true, 1, 7, &mean[0][0], &factor[0][0][0], x, log_q);
        for (int r = 0; r < DIM; ++r) {
            assert_memory_equal(x + r * 7, all.x[0][r], 7 * sizeof *x);
        }
        assert_memory_equal(log_q, all.log_q[0], 7 * sizeof *log_q);
        for (int spoil = 0; spoil < 4; ++spoil) {
            double bad[K][DIM][DIM], wrong[K][DIM];
            memcpy(bad, factor, sizeof bad);
            memcpy(wrong, mean, sizeof wrong);
            *(spoil == 0   ? &bad[1][2][2]
              : spoil == 1 ? &bad[1][4][4]
              : spoil == 2 ? &bad[1][3][1]
                           : &wrong[1][0]) = spoil == 0   ? 0
                                             : spoil == 1 ? -1
                                             : spoil == 2 ? NAN
                                                          : INFINITY;
            draw(s, GM_F64, true, K, N, &wrong[0][0], &bad[0][0][0], &spoiled.x[0][0][0],
                 &spoiled.log_q[0][0]);
            for (int i = 0; i < DIM * N; ++i) {
                assert_true(isnan((&spoiled.x[1][0][0])[i]));
            }
            assert_true(isnan(spoiled.log_q[1][0]) && isnan(spoiled.log_q[1][N - 1]));
            assert_memory_equal(spoiled.x[2], all.x[2], sizeof all.x[2]);
            assert_memory_equal(spoiled.log_q[0], all.log_q[0], sizeof all.log_q[0]);
        }
    }
}

/* ---- densities ------------------------------------------------------------------------------- */

/* A density at the user's own points: of problems with few each, which share lanes, and many. */
static void points_of_the_user(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 3}, {90, 1}, {50, 3}, {3, 63}, {2, 70}};
    double points[200], params[200], got[200];
    for (int i = 0; i < 200; ++i) {
        points[i] = 0.25 * (i % 17) - 2;
        params[i] = i % 2 == 0 ? 3 + 0.125 * (i % 31) : 8 + i % 13;
    }
    FOR_EACH_SUBJECT(s) {
        for (int shape = 0; shape < COUNT(shapes); ++shape) {
            const int64_t k = shapes[shape][0], n = shapes[shape][1];
            arrays all = {.context = s->context};
            const gm_importance_options options = {GM_F64, 0, 0};
            gm_importance_plan *plan;
            ASSERT_OK(s->context,
                      gm_importance_plan_create(s->context, &posterior, 1, &options, &plan));
            const gm_tensor x = put(&all, GM_F64, 3, (const int64_t[]){k, 1, n}, points);
            const gm_tensor p = put(&all, GM_F64, 2, (const int64_t[]){k, 2}, params);
            const gm_tensor out = put(&all, GM_F64, 2, (const int64_t[]){k, n}, NULL);
            const gm_importance_input in = {.points = &x, .params = &p};
            ASSERT_OK(s->context,
                      gm_importance_draw(plan, &in, &(gm_importance_samples){.log_target = &out}));
            gm_importance_plan_destroy(plan);
            take(&all, &out, got);
            for (int64_t i = 0; i < k * n; ++i) {
                const double away = params[i / n * 2] - points[i];
                const double exact =
                    -0.5 * (away * away + points[i] * points[i] / params[i / n * 2 + 1]);
                assert_true(is_close(got[i], exact, 1e-15));
            }
            close_arrays(&all);
        }
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void draw_refusals(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    const gm_importance_options good = {GM_F64, 0, 0}, integer = {GM_I32, 0, 0};
    gm_importance_plan *plan, *bare;
    ASSERT_FAILS(c, gm_importance_plan_create(c, &posterior, 2, &good, &plan), invalid, "dim = 2");
    ASSERT_FAILS(c, gm_importance_plan_create(c, NULL, 65, &good, &plan), invalid, "dim = 65");
    ASSERT_FAILS(c, gm_importance_plan_create(c, NULL, 0, &good, &plan), invalid, "dim = 0");
    ASSERT_FAILS(c, gm_importance_plan_create(c, NULL, 1, &integer, &plan), invalid, "dtype");
    ASSERT_FAILS(c, gm_importance_plan_create(c, NULL, 1, NULL, &plan), invalid, "options is NULL");
    ASSERT_FAILS(c, gm_importance_plan_create(c, NULL, 1, &good, NULL), invalid, "plan is NULL");
    assert_int_equal(gm_importance_plan_create(NULL, NULL, 1, &good, &plan), invalid);
    ASSERT_OK(c, gm_importance_plan_create(c, &posterior, 0, &good, &plan));
    ASSERT_OK(c, gm_importance_plan_create(c, NULL, 1, &good, &bare));
    double x[64] = {0}, y[64] = {0};
    const gm_tensor m = gm_tensor_2d(x, GM_F64, 1, 1), p = gm_tensor_2d(x, GM_F64, 1, 2);
    const gm_tensor three = gm_tensor_2d(x, GM_F64, 1, 3), out = gm_tensor_2d(y, GM_F64, 1, 8);
    const gm_tensor points = gm_tensor_3d(y + 8, GM_F64, 1, 1, 8);
    const gm_tensor shorter = gm_tensor_3d(y + 8, GM_F64, 1, 1, 7);
    const gm_tensor over = gm_tensor_2d(x + 1, GM_F64, 1, 8);
    const gm_importance_input in = {.mean = &m, .scale = &m, .params = &p};
    const gm_importance_samples to = {.log_target = &out};
    const struct {
        gm_importance_input in;
        gm_importance_samples to;
        gm_status status;
        const char *text;
    } wrong[] = {
        {{.mean = &m, .scale = &m}, to, invalid, "input.params is NULL"},
        {{.mean = &m, .scale = &m, .params = &three}, to, mismatch, "input.params.shape[1]"},
        {{.mean = &m, .params = &p}, to, invalid, "input.scale and input.factor"},
        {{.scale = &m, .params = &p}, to, invalid, "input.mean and input.points"},
        {{.points = &points, .scale = &m, .params = &p}, to, invalid, "without input.mean"},
        {{.points = &points, .mean = &m, .scale = &m, .params = &p}, to, invalid, "besides"},
        {{.points = &points, .params = &p}, {.log_proposal = &out}, invalid, "no proposal"},
        {{.mean = &p, .scale = &m, .params = &p}, to, mismatch, "input.mean.shape[1]"},
        {in, {.points = &shorter, .log_target = &out}, mismatch, "samples.log_target.shape[1]"},
        {in, {.log_target = &over}, invalid, "overlap"},
        {in, {NULL, NULL, NULL}, invalid, "nothing is wanted"},
    };
    for (int i = 0; i < COUNT(wrong); ++i) {
        ASSERT_FAILS(c, gm_importance_draw(plan, &wrong[i].in, &wrong[i].to), wrong[i].status,
                     wrong[i].text);
    }
    ASSERT_FAILS(c, gm_importance_draw(plan, NULL, &to), invalid, "input is NULL");
    ASSERT_FAILS(c, gm_importance_draw(plan, &in, NULL), invalid, "samples is NULL");
    ASSERT_FAILS(c, gm_importance_draw(bare, &(gm_importance_input){.mean = &m, .scale = &m}, &to),
                 invalid, "the plan has no density");
    assert_int_equal(gm_importance_draw(NULL, &in, &to), invalid);
    for (int i = 0; i < 64; ++i) {
        assert_true(y[i] == 0);
    }
    gm_importance_plan_destroy(plan);
    gm_importance_plan_destroy(bare);
    gm_importance_plan_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_noise),
        cmocka_unit_test(samples_do_not_mix),
        cmocka_unit_test(points_of_the_user),
        cmocka_unit_test(draw_refusals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
