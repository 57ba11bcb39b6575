/* Resampling: the same indices everywhere, shares that are due, places by hand, what is refused. */
#include "tests/importance_fixture.h"

#include "host/importance_args.h"

/* ---- resampling ------------------------------------------------------------------------------ */

static void resample(const subject *s, gm_resampling method, int64_t k, int64_t n, int64_t count,
                     const double *weights, int32_t *indices, int32_t *status) {
    arrays all = {.context = s->context};
    const gm_resample_options options = {method, 99, 1000};
    const gm_tensor w = put(&all, GM_F64, 2, (const int64_t[]){k, n}, weights);
    const gm_tensor out = put(&all, GM_I32, 2, (const int64_t[]){k, count}, NULL);
    const gm_tensor said = put(&all, GM_I32, 1, (const int64_t[]){k}, NULL);
    WITH_WORKSPACE(&all, gm_importance_resample(s->context, &options, &w, &out, &said, &work));
    take(&all, &out, indices);
    take(&all, &said, status);
    close_arrays(&all);
}

enum { DRAWS = 6000, HEAVY = 5000, PROBLEMS = 3 };

/* The same indices everywhere; systematic: ascending, floor or ceil of what is due. */
static void resampled(void **state) {
    (void)state;
    static double w[PROBLEMS][HEAVY];
    static int32_t first[PROBLEMS][DRAWS], got[PROBLEMS][DRAWS], counts[HEAVY];
    int32_t status[PROBLEMS];
    double sum[PROBLEMS] = {0};
    for (int i = 0; i < PROBLEMS * HEAVY; ++i) {
        const double z = gm_normal_f64(7, (uint64_t)i, GM_STREAM_USER, 0);
        const double scale = i / HEAVY == 0 ? 1 : i / HEAVY == 1 ? 1e-310 : 1e300;
        (&w[0][0])[i] = i % 7 == 0 ? 0 : scale * exp(z);
        sum[i / HEAVY] += (&w[0][0])[i];
    }
    for (int method = 0; method < 2; ++method) {
        FOR_EACH_SUBJECT(s) {
            resample(s, (gm_resampling)method, PROBLEMS, HEAVY, DRAWS, &w[0][0],
                     s->is_reference ? &first[0][0] : &got[0][0], status);
            assert_true(status[0] == 0 && status[1] == 0 && status[2] == 0);
            if (!s->is_reference) {
                assert_memory_equal(first, got, sizeof got);
            }
        }
        for (int k = 0; k < PROBLEMS; ++k) {
            memset(counts, 0, sizeof counts);
            double chi2 = 0, expected_spread = 0;
            for (int j = 0; j < DRAWS; ++j) {
                assert_true(first[k][j] >= 0 && first[k][j] < HEAVY);
                assert_true(method == 1 || j == 0 || first[k][j] >= first[k][j - 1]);
                ++counts[first[k][j]];
            }
            for (int i = 0; i < HEAVY; ++i) {
                const double due = w[k][i] / sum[k] * DRAWS;
                assert_true(w[k][i] > 0 || counts[i] == 0);
                /* The cut to integers moves what is due by 6000 2^-49; subnormal weights have fewer
                 * bits by themselves. */
                assert_true(method == 1 ||
                            (counts[i] > due - 1 - 1e-9 && counts[i] < due + 1 + 1e-9));
                chi2 += (counts[i] - due) * (counts[i] - due);
                expected_spread += due * (1 - due / DRAWS);
            }
            /* Multinomial: sum (count - due)^2 has this mean, and a variance of about
             * 2 sum due^2 + sum due. */
            assert_true(method == 0 ||
                        fabs(chi2 - expected_spread) < 6 * sqrt(2 * 6.0 * DRAWS + DRAWS));
        }
    }
}

/* Integers small enough that every unit shows. */
static void places(void **state) {
    (void)state;
    const uint64_t cumulative[] = {0, 2, 2, 5}, found[] = {1, 1, 3, 3, 3};
    for (uint64_t place = 0; place < 5; ++place) {
        assert_int_equal(gm_resample_find(cumulative, 4, place), found[place]);
    }
    for (uint64_t index = 0; index < 20; ++index) {
        const gm_words w = gm_philox_block(3, index, GM_STREAM_RESAMPLE, 0);
        const uint64_t start = gm_high_product(gm_join(w.w0, w.w1), 1000);
        assert_true(start == (uint64_t)((double)gm_join(w.w0, w.w1) * 0x1p-64 * 1000));
        for (int64_t j = 0; j < 7; ++j) {
            assert_true(gm_resample_place(GM_RESAMPLE_SYSTEMATIC, 3, index, j, 7, 1000) ==
                        ((uint64_t)j * 1000 + start) / 7);
        }
    }
    assert_true(gm_high_product(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
}

static void resampled_by_hand(void **state) {
    (void)state;
    double equal[8] = {3, 3, 3, 3, 3, 3, 3, 3}, lone[8] = {0, 0, 0, 0, 0, 1e-320, 0, 0};
    double bad[4][2] = {{2, -1}, {NAN, 1}, {INFINITY, 1}, {0, 0}};
    int32_t indices[8], status[4];
    FOR_EACH_SUBJECT(s) {
        resample(s, GM_RESAMPLE_SYSTEMATIC, 1, 8, 8, equal, indices, status);
        for (int i = 0; i < 8; ++i) {
            assert_int_equal(indices[i], i);
        }
        for (int method = 0; method < 2; ++method) {
            resample(s, (gm_resampling)method, 1, 8, 8, lone, indices, status);
            for (int i = 0; i < 8; ++i) {
                assert_int_equal(indices[i], 5);
            }
        }
        resample(s, GM_RESAMPLE_MULTINOMIAL, 4, 2, 2, &bad[0][0], indices, status);
        for (int i = 0; i < 8; ++i) {
            assert_int_equal(indices[i], -1);
            assert_int_equal(status[i / 2], GM_STATUS_NON_FINITE);
        }
        resample(s, GM_RESAMPLE_SYSTEMATIC, 1, 0, 2, equal, indices, status);
        assert_true(indices[0] == -1 && status[0] == GM_STATUS_NON_FINITE);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void resample_refusals(void **state) {
    (void)state;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    double x[64] = {0}, y[64] = {0};
    int32_t z[8] = {0};
    const gm_tensor p = gm_tensor_2d(x, GM_F64, 2, 3), mean = gm_tensor_2d(y, GM_F64, 2, 1);
    gm_context *c = subjects[0].context;
    gm_workspace w = {0};
    const gm_resample_options systematic = {GM_RESAMPLE_SYSTEMATIC, 0, 0}, none = {7, 0, 0};
    const gm_tensor to = {z, GM_I32, 2, {2, 4}, {4, 1}}, fewer = {z, GM_I32, 2, {1, 4}, {4, 1}};
    ASSERT_FAILS(c, gm_importance_resample(c, &none, &p, &to, NULL, &w), invalid, "method = 7");
    ASSERT_FAILS(c, gm_importance_resample(c, NULL, &p, &to, NULL, &w), invalid, "options");
    ASSERT_FAILS(c, gm_importance_resample(c, &systematic, &p, &fewer, NULL, &w), mismatch,
                 "indices.shape[0]");
    ASSERT_FAILS(c, gm_importance_resample(c, &systematic, &p, &mean, NULL, &w), invalid,
                 "indices.dtype");
    ASSERT_FAILS(c, gm_importance_resample(c, &systematic, &p, &to, NULL, NULL), invalid,
                 "workspace");
    ASSERT_OK(c, gm_importance_resample(c, &systematic, &p, &to, NULL, &w));
    gm_workspace small = {y, w.bytes - 1};
    ASSERT_FAILS(c, gm_importance_resample(c, &systematic, &p, &to, NULL, &small),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes");
    for (int i = 0; i < 8; ++i) {
        assert_true(y[i] == 0 && z[i] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resampled),
        cmocka_unit_test(places),
        cmocka_unit_test(resampled_by_hand),
        cmocka_unit_test(resample_refusals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
