/*
 * Importance sampling: estimates by hand and against the reference, oracles of a rare event and of
 * a normal posterior, what is refused. The samples are in test_importance_draw.c.
 *
 * Statistics: fixed seeds; 8 z-tests at 5 standard errors, a false alarm in 2e5 programs.
 */
#include "tests/importance_fixture.h"

#include <float.h>

/* ---- estimates ------------------------------------------------------------------------------- */

enum { SINGLES = 5, FUNCTIONALS = 5 };

typedef struct estimates {
    double *weights;                 /* (k, n) */
    double *single[SINGLES];         /* (k): log normalizer, its error, ess, largest weight, k */
    double *functional[FUNCTIONALS]; /* (k, f): mean, its error, variance, integral, its error */
    int32_t *status;
} estimates;

static void free_estimates(estimates *e) {
    free(e->weights);
    free(e->status);
    for (int i = 0; i < SINGLES; ++i) {
        free(e->single[i]);
    }
    for (int i = 0; i < FUNCTIONALS; ++i) {
        free(e->functional[i]);
    }
}

static void *bring(arrays *all, const gm_tensor *t) {
    size_t elements = 1;
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        elements *= (size_t)t->shape[axis];
    }
    void *values = malloc((elements + 1) * sizeof(double));
    assert_non_null(values);
    take(all, t, values);
    return values;
}

static estimates weigh(const subject *s, gm_dtype dtype, int64_t k, int64_t n, int64_t f,
                       const double *target, const double *proposal, const double *values) {
    arrays all = {.context = s->context};
    const int64_t rows[] = {k, n}, cubes[] = {k, f, n}, pairs[] = {k, f};
    const gm_tensor p = put_reals(&all, dtype, 2, rows, target);
    const gm_tensor q = put_reals(&all, dtype, 2, rows, proposal != NULL ? proposal : target);
    const gm_tensor v = put_reals(&all, dtype, 3, cubes, values);
    const gm_tensor w = put(&all, GM_F64, 2, rows, NULL), status = put(&all, GM_I32, 1, rows, NULL);
    gm_tensor single[SINGLES], functional[FUNCTIONALS];
    for (int i = 0; i < SINGLES; ++i) {
        single[i] = put(&all, GM_F64, 1, rows, NULL);
    }
    for (int i = 0; i < FUNCTIONALS; ++i) {
        functional[i] = put(&all, GM_F64, 2, pairs, NULL);
    }
    const gm_importance_estimates wanted = {.weights = &w,
                                            .log_normalizer = &single[0],
                                            .log_normalizer_error = &single[1],
                                            .ess = &single[2],
                                            .max_weight = &single[3],
                                            .pareto_k = &single[4],
                                            .mean = &functional[0],
                                            .mean_error = &functional[1],
                                            .variance = &functional[2],
                                            .integral = &functional[3],
                                            .integral_error = &functional[4],
                                            .status = &status};
    WITH_WORKSPACE(&all, gm_importance_weigh(s->context, &p, proposal != NULL ? &q : NULL,
                                             f > 0 ? &v : NULL, &wanted, &work));
    estimates e = {.weights = bring(&all, &w), .status = bring(&all, &status)};
    for (int i = 0; i < SINGLES; ++i) {
        e.single[i] = bring(&all, &single[i]);
    }
    for (int i = 0; i < FUNCTIONALS; ++i) {
        e.functional[i] = bring(&all, &functional[i]);
    }
    close_arrays(&all);
    return e;
}

/* Weights 1 : 2 : 1 : 0 of four samples with values 2, 6, -2 and one that does not count. */
static void estimates_by_hand(void **state) {
    (void)state;
    const double target[] = {700, 700 + log(2), 700, -INFINITY}, values[] = {2, 6, -2, NAN};
    const double proposal[] = {1000, 1000, 1000, 1000}, tight = 1e-13; /* of 300 in a log */
    FOR_EACH_SUBJECT(s) {
        estimates e = weigh(s, GM_F64, 1, 4, 1, target, proposal, values);
        assert_int_equal(e.status[0], GM_STATUS_OK);
        assert_true(is_close(e.weights[0], 0.25, tight) && is_close(e.weights[1], 0.5, tight) &&
                    e.weights[3] == 0);
        assert_true(is_close(e.single[0][0], -300, 1e-15)); /* (1 + 2 + 1 + 0) / 4 */
        /* sum w^2 = 3/8: sqrt((3/2 - 1) / 3), 8/3, and the largest. */
        assert_true(is_close(e.single[1][0], sqrt(0.5 / 3), tight));
        assert_true(is_close(e.single[2][0], 8.0 / 3, tight));
        assert_true(is_close(e.single[3][0], 0.5, tight));
        /* Mean 3; w^2 (f - m)^2: 1/16, 9/4, 25/16; w (f - m)^2: 1/4, 9/2, 25/4. */
        assert_true(is_close(e.functional[0][0], 3, tight));
        assert_true(is_close(e.functional[1][0], sqrt(3.875), tight));
        assert_true(is_close(e.functional[2][0], 11, tight));
        /* u f = 2, 12, -2, 0 times e^-300: mean 3, squares about it 1, 81, 25, 9. */
        assert_true(is_close(e.functional[3][0], 3 * exp(-300), tight));
        assert_true(is_close(e.functional[4][0], sqrt(116.0 / 12) * exp(-300), tight));
        free_estimates(&e);
    }
}

/* What is bad is said, and is bad for its own problem and function alone. */
static void bad_weights(void **state) {
    (void)state;
    enum { PROBLEMS = 5, SAMPLES = 6 };
    double target[PROBLEMS][SAMPLES] = {{0}}, values[PROBLEMS][2][SAMPLES];
    for (int i = 0; i < PROBLEMS * 2 * SAMPLES; ++i) {
        (&values[0][0][0])[i] = i;
    }
    target[0][3] = NAN;
    target[1][5] = INFINITY;
    for (int i = 0; i < SAMPLES; ++i) {
        target[2][i] = -INFINITY;
    }
    values[3][1][2] = INFINITY;
    FOR_EACH_SUBJECT(s) {
        estimates e = weigh(s, GM_F64, PROBLEMS, SAMPLES, 2, &target[0][0], NULL, &values[0][0][0]);
        for (int k = 0; k < PROBLEMS; ++k) {
            assert_int_equal(e.status[k], k < 4 ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
            assert_true(isnan(e.weights[k * SAMPLES + 1]) == (k < 3));
            for (int i = 0; i < SINGLES; ++i) {
                /* Six samples have no tail. */
                assert_true(i == 0 && k == 2 ? e.single[i][k] == (double)-INFINITY
                                             : isnan(e.single[i][k]) == (k < 3 || i == 4));
            }
            for (int i = 0; i < FUNCTIONALS; ++i) {
                assert_true(isnan(e.functional[i][2 * k]) == (k < 3));
                assert_true(isnan(e.functional[i][2 * k + 1]) == (k < 4));
            }
        }
        free_estimates(&e);
        /* No sample at all. */
        e = weigh(s, GM_F64, 2, 0, 1, NULL, NULL, NULL);
        assert_int_equal(e.status[1], GM_STATUS_NON_FINITE);
        assert_true(isnan(e.single[2][1]) && isnan(e.functional[0][1]));
        free_estimates(&e);
    }
}

/* Every backend against ref: n terms summed in two orders, of one sign but in the spreads, whose
 * cancellation is of the values' size, about 4, over their deviation. */
static void estimates_as_the_reference(void **state) {
    (void)state;
    static const struct {
        int64_t k, n, f;
    } shapes[] = {{1, 1, 1}, {7, 300, 3}, {2, 9001, 2}, {1, 4096, 0}, {1030, 3, 1}};
    for (int i = 0; i < COUNT(shapes); ++i) {
        const int64_t k = shapes[i].k, n = shapes[i].n, f = shapes[i].f;
        double *log_p = malloc((size_t)(k * n) * sizeof *log_p);
        double *log_q = malloc((size_t)(k * n) * sizeof *log_q);
        double *values = malloc((size_t)(k * n * f + 1) * sizeof *values);
        assert_true(log_p != NULL && log_q != NULL && values != NULL);
        for (int64_t j = 0; j < k * n; ++j) {
            log_p[j] = (float)(40 * gm_normal_f64(1, (uint64_t)j, GM_STREAM_USER, 0) / 10);
            log_q[j] = (float)gm_normal_f64(2, (uint64_t)j, GM_STREAM_USER, 0);
        }
        for (int64_t j = 0; j < k * n * f; ++j) {
            values[j] = (float)(1 + gm_normal_f64(3, (uint64_t)j, GM_STREAM_USER, 0));
        }
        for (int type = 0; type < 2; ++type) {
            estimates wanted = weigh(&subjects[0], precisions[type], k, n, f, log_p, log_q, values);
            const double bound = 64 * (double)(n + 16) * DBL_EPSILON;
            for (int t = 1; t < subject_count; ++t) {
                const subject *s = &subjects[t];
                if (s->is_slow && k > 100 && type == 1) {
                    continue;
                }
                estimates e = weigh(s, precisions[type], k, n, f, log_p, log_q, values);
                assert_memory_equal(e.status, wanted.status, (size_t)k * sizeof *e.status);
                for (int64_t j = 0; j < k * n; ++j) {
                    assert_true(is_close(e.weights[j], wanted.weights[j], bound));
                }
                for (int64_t j = 0; j < k; ++j) {
                    /* A logarithm near 0 is as good as its argument. */
                    assert_true(fabs(e.single[0][j] - wanted.single[0][j]) <=
                                bound * (1 + fabs(wanted.single[0][j])));
                    for (int which = 1; which < SINGLES; ++which) {
                        assert_true(is_close(e.single[which][j], wanted.single[which][j], bound));
                    }
                }
                for (int which = 0; which < FUNCTIONALS; ++which) {
                    for (int64_t j = 0; j < k * f; ++j) {
                        const double b = wanted.functional[which][j];
                        /* Off by the mean's error, 4 units, times what it enters with. */
                        const double size = which == 2 ? fabs(b) + 4 * sqrt(fabs(b))
                                            : which < 2
                                                ? fabs(b) + 4
                                                : fabs(b) + 4 * exp(wanted.single[0][j / f]);
                        const double a = e.functional[which][j];
                        assert_true(isnan(b) ? isnan(a) : fabs(a - b) <= bound * size + DBL_MIN);
                    }
                }
                free_estimates(&e);
            }
            free_estimates(&wanted);
        }
        free(log_p);
        free(log_q);
        free(values);
    }
}

/* Tails of exact Pareto quantiles, and one that ends; values from ArviZ's algorithm (its function
 * _gpdfit, written again with exactly rounded sums). */
static void tails(void **state) {
    (void)state;
    static const struct {
        int64_t n;
        double k, fitted;
    } known[] = {{1000, 0.3, 0.3235606438260691},   {1000, 0.9, 0.8442664334030688},
                 {100, 0.5, 0.49196002019884794},   {25, 0.5, 0.5022472840391247},
                 {6000, -0.5, -0.4467197152987428}, {6000, 1.4, 1.3469156261655255}};
    static double log_weight[6000];
    for (int i = 0; i < COUNT(known); ++i) {
        const int64_t n = known[i].n;
        for (int64_t j = 0; j < n; ++j) {
            const double above = 1 - ((double)j + 0.5) / (double)n;
            log_weight[j * 7 % n] =
                known[i].k > 0 ? -known[i].k * log(above) : log(2 - sqrt(above));
        }
        FOR_EACH_SUBJECT(s) {
            estimates e = weigh(s, GM_F64, 1, n, 0, log_weight, NULL, NULL);
            assert_true(is_close(e.single[4][0], known[i].fitted, 1e-11));
            free_estimates(&e);
        }
    }
    /* Equal weights have no tail above them; 20 samples have too short a one. */
    memset(log_weight, 0, sizeof log_weight);
    FOR_EACH_SUBJECT(s) {
        estimates e = weigh(s, GM_F64, 1, 200, 0, log_weight, NULL, NULL);
        assert_true(isnan(e.single[4][0]) && e.status[0] == GM_STATUS_OK);
        free_estimates(&e);
        log_weight[3] = 1;
        e = weigh(s, GM_F64, 1, 20, 0, log_weight, NULL, NULL);
        assert_true(isnan(e.single[4][0]) && e.single[2][0] > 1);
        free_estimates(&e);
        log_weight[3] = 0;
    }
}

/* ---- oracles --------------------------------------------------------------------------------- */

/* Draws n samples of N(mean, scale^2) for a density of one coordinate, and estimates functions of
 * the sample: the identity and the indicator of x > level. */
static estimates run_oracle(const subject *s, const gm_density *density, const double *params,
                            double mean, double scale, double level, int64_t n) {
    arrays all = {.context = s->context};
    const gm_importance_options options = {GM_F64, 123, 0};
    const int64_t one[] = {1, 1}, cube[] = {1, 1, n}, two[] = {1, 2};
    gm_importance_plan *plan;
    ASSERT_OK(s->context, gm_importance_plan_create(s->context, density, 0, &options, &plan));
    const gm_tensor m = put(&all, GM_F64, 2, one, &mean), h = put(&all, GM_F64, 2, one, &scale);
    const gm_tensor p = put(&all, GM_F64, 2, two, params), x = put(&all, GM_F64, 3, cube, NULL);
    const gm_tensor log_p = put(&all, GM_F64, 2, (const int64_t[]){1, n}, NULL);
    const gm_tensor log_q = put(&all, GM_F64, 2, (const int64_t[]){1, n}, NULL);
    const gm_importance_input in = {.mean = &m, .scale = &h, .params = &p};
    const gm_importance_samples out = {&x, &log_p, &log_q};
    ASSERT_OK(s->context, gm_importance_draw(plan, &in, &out));
    gm_importance_plan_destroy(plan);
    double *points = bring(&all, &x), *target = bring(&all, &log_p),
           *proposal = bring(&all, &log_q);
    double *values = malloc((size_t)(2 * n) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; ++i) {
        values[i] = points[i];
        values[n + i] = points[i] > level;
    }
    close_arrays(&all);
    const estimates e = weigh(s, GM_F64, 1, n, 2, target, proposal, values);
    free(points);
    free(target);
    free(proposal);
    free(values);
    return e;
}

/* P(X > 3) of a standard normal X from N(3, 1). "normal" lacks its constant. */
static void rare_event(void **state) {
    (void)state;
    const double params[] = {0, 1}, constant = sqrt(2 * M_PI);
    const double wanted = 0.5 * erfc(3 / sqrt(2)), spread = sqrt(6.172177794e-6);
    FOR_EACH_SUBJECT(s) {
        const int64_t n = s->is_slow ? 4000 : 100000;
        estimates e = run_oracle(s, gm_density_builtin("normal"), params, 3, 1, 3, n);
        const double got = e.functional[3][1] / constant, error = e.functional[4][1] / constant;
        const double exact = spread / sqrt((double)n);
        assert_true(fabs(wanted - 1.3498980316e-3) < 1e-13);
        assert_true(fabs(got - wanted) < 5 * exact);
        /* The error's own error: the fourth moment of u 1{x > 3} is e^54 Q(12) / 27 .. : it is
         * below 2 sqrt(2 / n) of it. */
        assert_true(fabs(error / exact - 1) < 10 / sqrt((double)n));
        free_estimates(&e);
    }
}

/* One datum 3 of unit variance, prior N(0, 10), proposal N(2, 2): posterior N(30/11, 10/11). */
static void normal_posterior(void **state) {
    (void)state;
    const double params[] = {3, 10};
    FOR_EACH_SUBJECT(s) {
        const int64_t n = s->is_slow ? 4000 : 100000;
        const double root = sqrt((double)n);
        estimates e = run_oracle(s, &posterior, params, 2, sqrt(2), 0, n);
        assert_int_equal(e.status[0], GM_STATUS_OK);
        assert_true(fabs(e.functional[0][0] - 30.0 / 11) < 5 * e.functional[1][0]);
        /* p^2 / q is normal, of mean 5 / 1.7 and variance 1 / 1.7, times 1 / 0.7063. */
        const double away = 5 / 1.7 - 30.0 / 11;
        assert_true(is_close(e.functional[1][0], sqrt((1 / 1.7 + away * away) / 0.7063159) / root,
                             10 / root));
        assert_true(fabs(e.functional[2][0] - 10.0 / 11) < 5 * 1.6 / root);
        /* ESS / n: a mean of squared weights of variance about 1. */
        assert_true(fabs(e.single[2][0] / (double)n - 0.7063159) < 5 * 1 / root);
        const double evidence = e.single[0][0] - log(2 * M_PI) - 0.5 * log(10);
        assert_true(fabs(evidence - log(0.07990018757)) < 5 * e.single[1][0]);
        /* Relative standard error of the evidence: sqrt((1 / 0.7063 - 1) / n). */
        assert_true(is_close(e.single[1][0], sqrt(1 / 0.7063159 - 1) / root, 10 / root));
        free_estimates(&e);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void weigh_refusals(void **state) {
    (void)state;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    double x[64] = {0}, y[64] = {0};
    const gm_tensor p = gm_tensor_2d(x, GM_F64, 2, 3), q = gm_tensor_2d(x + 6, GM_F64, 2, 4);
    const gm_tensor f = gm_tensor_3d(x + 20, GM_F64, 2, 2, 3), flat = gm_tensor_1d(x, GM_F64, 3);
    const gm_tensor ess = gm_tensor_1d(y, GM_F64, 2), over = gm_tensor_1d(x + 5, GM_F64, 2);
    const gm_tensor mean = gm_tensor_2d(y, GM_F64, 2, 1), single = gm_tensor_1d(y, GM_F32, 2);
    gm_context *c = subjects[0].context;
    gm_workspace w = {0};
    const gm_importance_estimates good = {.ess = &ess};
    ASSERT_FAILS(c, gm_importance_weigh(c, NULL, NULL, NULL, &good, &w), invalid, "log_target");
    ASSERT_FAILS(c, gm_importance_weigh(c, &flat, NULL, NULL, &good, &w), mismatch, "ndim");
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, &q, NULL, &good, &w), mismatch, "log_proposal");
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, NULL, NULL, NULL, &w), invalid, "estimates");
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, NULL, NULL, &good, NULL), invalid, "workspace");
    const gm_importance_estimates bad[] = {{.ess = &over}, {.ess = &single}, {.mean = &mean}};
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, NULL, &f, &bad[0], &w), invalid, "overlap");
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, NULL, &f, &bad[1], &w), invalid, "estimates.ess");
    ASSERT_FAILS(c, gm_importance_weigh(c, &p, NULL, &f, &bad[2], &w), mismatch, "estimates.mean");
    for (int i = 0; i < 8; ++i) {
        assert_true(y[i] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_by_hand),
        cmocka_unit_test(bad_weights),
        cmocka_unit_test(tails),
        cmocka_unit_test(estimates_as_the_reference),
        cmocka_unit_test(rare_event),
        cmocka_unit_test(normal_posterior),
        cmocka_unit_test(weigh_refusals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
