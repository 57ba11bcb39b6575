/*
 * The cross-entropy method: the recursion that infinitely many samples obey, the proposal that is
 * best for a rare event and its probability, a maximum, every backend, errors.
 *
 * Statistics: fixed seeds; 30 z-tests at 6 standard errors of 63 degrees of freedom or 5 of many:
 * a false alarm in 1e5 programs.
 */
#include "tests/ensemble.h"

#include <genmath/cross_entropy.h>

static bool is_near(double a, double b, double apart) {
    return fabs(a - b) <= apart;
}

static gm_status first_coordinate(void *user, int64_t n, const double *points, double *scores) {
    (void)user;
    memcpy(scores, points, (size_t)n * sizeof *scores);
    return GM_STATUS_OK;
}

/* (sum over coordinates) / sqrt(dim): a standard normal if they are. */
static gm_status diagonal_direction(void *user, int64_t n, const double *points, double *scores) {
    const int dim = *(const int *)user;
    for (int64_t i = 0; i < n; ++i) {
        scores[i] = 0;
        for (int c = 0; c < dim; ++c) {
            scores[i] += points[c * n + i] / sqrt(dim);
        }
    }
    return GM_STATUS_OK;
}

/* -(1 - a)^2 - 100 (b - a^2)^2; NaN where a < -2, which must count for nothing. */
static gm_status rosenbrock(void *user, int64_t n, const double *points, double *scores) {
    (void)user;
    for (int64_t i = 0; i < n; ++i) {
        const double a = points[i], b = points[n + i], bend = b - a * a;
        scores[i] = a < -2 ? (double)NAN : -(1 - a) * (1 - a) - 100 * bend * bend;
    }
    return GM_STATUS_OK;
}

static gm_status failing(void *user, int64_t n, const double *points, double *scores) {
    (void)user;
    (void)n;
    (void)points;
    (void)scores;
    return GM_STATUS_IO_ERROR;
}

/* Target N(2, 0.75^2) from N(0, 9) with smoothing 0.7: mean 2 (1 - 0.3^t), variance
 * 0.5625 + 8.4375 * 0.3^t, and ESS / n of the samples from the proposal before. */
static void fit_follows_its_recursion(void **state) {
    (void)state;
    enum { RUNS = 64, STEPS = 8, N = 4000 };
    static const double wanted_ess[STEPS] = {.276655, .539315, .805883, .954815,
                                             .993741, .999342, .999938, .999994};
    static double ess[STEPS][RUNS], mean[RUNS], variance[RUNS];
    const double params[] = {2, 0.75}, start[] = {0}, factor[] = {3};
    const gm_cross_entropy_score score = {.density = gm_density_builtin("normal"),
                                          .params = params};
    for (int steps = 1; steps <= STEPS; steps += 7) {
        for (int run = 0; run < RUNS; ++run) {
            const gm_cross_entropy_options options = {.goal = GM_CROSS_ENTROPY_FIT,
                                                      .dim = 1,
                                                      .iterations = steps,
                                                      .samples = N,
                                                      .smoothing = 0.7,
                                                      .seed = (uint64_t)(1000 + run)};
            double factor_found;
            gm_cross_entropy_iteration history[STEPS];
            gm_cross_entropy_result result = {
                .mean = &mean[run], .factor = &factor_found, .history = history};
            ASSERT_OK(subjects[1].context, gm_cross_entropy(subjects[1].context, &options, &score,
                                                            start, factor, &result));
            assert_int_equal(result.iterations, steps);
            variance[run] = factor_found * factor_found;
            for (int t = 0; t < steps; ++t) {
                assert_int_equal(history[t].elites, N);
                ess[t][run] = history[t].ess / N;
            }
        }
        /* A ratio's bias is a few parts of 1 / n. */
        for (int i = 0; i < steps + 2; ++i) {
            const double *x = i < steps ? ess[i] : i == steps ? mean : variance;
            const double left = pow(0.3, steps);
            const double wanted = i < steps    ? wanted_ess[i]
                                  : i == steps ? 2 * (1 - left)
                                               : 0.5625 + 8.4375 * left;
            double sum = 0, squares = 0;
            for (int run = 0; run < RUNS; ++run) {
                sum += x[run] / RUNS;
            }
            for (int run = 0; run < RUNS; ++run) {
                squares += (x[run] - sum) * (x[run] - sum) / (RUNS - 1);
            }
            if (!is_near(sum, wanted, 6 * sqrt(squares / RUNS) + 10.0 / N)) {
                fail_msg("%d steps, number %d: %g, not %g", steps, i, sum, wanted);
            }
        }
    }
}

/* The best proposal for X > level has E[X | X > level], and without a floor Var[X | X > level]. */
static void rare_event_fit(void **state) {
    (void)state;
    const double zero[] = {0}, one[] = {1};
    const gm_cross_entropy_score score = {.function = first_coordinate};
    gm_cross_entropy_options options = {.goal = GM_CROSS_ENTROPY_RARE_EVENT,
                                        .dim = 1,
                                        .iterations = 20,
                                        .samples = 200000,
                                        .final_samples = 2,
                                        .elite = 0.1,
                                        .smoothing = 1,
                                        .level = 1,
                                        .seed = 5};
    double mean, factor;
    gm_cross_entropy_iteration history[20];
    gm_cross_entropy_result result = {.mean = &mean, .factor = &factor, .history = history};
    gm_context *c = subjects[1].context;
    /* P(X > 1) = 0.159: the level is reached at once, all weights are equal. Mean phi(1) / Q(1),
     * variance 1 + mean - mean^2; the excess over 1 has a kurtosis of about 5. */
    ASSERT_OK(c, gm_cross_entropy(c, &options, &score, zero, one, &result));
    assert_int_equal(result.iterations, 1);
    assert_true(is_near((double)history[0].elites, 200000 * 0.158655, 5 * 163.4));
    assert_true(is_near(history[0].ess, (double)history[0].elites, 1e-6));
    double root = sqrt(history[0].ess);
    assert_true(is_near(mean, 1.525135276, 5 * 0.4462 / root));
    assert_true(is_near(factor * factor, 0.199097665, 5 * 0.1991 * 2 / root));
    /* Beyond it thresholds climb, from the 90 % quantile of the target to the level. */
    options.level = 3;
    options.floor = 1;
    ASSERT_OK(c, gm_cross_entropy(c, &options, &score, zero, one, &result));
    const int last = result.iterations - 1;
    assert_true(last > 0 && is_near(history[0].threshold, 1.2815516, 5 * 0.0038));
    assert_true(is_near((double)history[0].elites, 20000, 1));
    for (int t = 1; t <= last; ++t) {
        assert_true(history[t].threshold > history[t - 1].threshold);
    }
    assert_true(history[last].threshold == 3 && factor == 1);
    root = sqrt(history[last].ess);
    assert_true(root > 100);
    assert_true(is_near(mean, 3.283098655, 5 * 0.2656 / root));
}

/* P(X > 3) with a floor of the target's own deviation, in one and in five coordinates, independent
 * or dense. */
static void rare_event_probability(void **state) {
    (void)state;
    const double exact = 0.5 * erfc(3 / sqrt(2)), zero[5] = {0};
    double factor[25] = {0};
    int dims[] = {1, 5, 5};
    for (int i = 0; i < 3; ++i) {
        const int dim = dims[i];
        for (int r = 0; r < dim; ++r) {
            factor[r * dim + r] = 1;
        }
        const gm_cross_entropy_score score = {.function = diagonal_direction, .user = &dims[i]};
        const gm_cross_entropy_options options = {.goal = GM_CROSS_ENTROPY_RARE_EVENT,
                                                  .dim = dim,
                                                  .dense = i == 2,
                                                  .iterations = 20,
                                                  .samples = 3000,
                                                  .final_samples = 20000,
                                                  .elite = 0.1,
                                                  .smoothing = 1,
                                                  .floor = 1,
                                                  .level = 3,
                                                  .seed = 17};
        double mean[5], found[25];
        gm_cross_entropy_result result = {.mean = mean, .factor = found};
        ASSERT_OK(subjects[1].context,
                  gm_cross_entropy(subjects[1].context, &options, &score, zero, factor, &result));
        assert_true(fabs(result.probability - exact) < 5 * result.error);
        /* Crude sampling: a relative error of 27.2 / sqrt(n). */
        const double gain = 27.199 * exact / sqrt(20000.0) / result.error;
        /* 221 for the best shift of one coordinate; a variance of squared weights of about 3. */
        assert_true(gain * gain > 190 && gain * gain < 240);
        assert_true(result.ess > 1000 && result.ess < 20000);
        memset(factor, 0, sizeof factor);
    }
}

static void maximum(void **state) {
    (void)state;
    const double start[] = {-1, 2}, factor[] = {2, 0, 0, 2};
    const gm_cross_entropy_score score = {.function = rosenbrock};
    gm_cross_entropy_options options = {.goal = GM_CROSS_ENTROPY_OPTIMIZE,
                                        .dim = 2,
                                        .dense = 1,
                                        .iterations = 200,
                                        .samples = 1000,
                                        .elite = 0.1,
                                        .smoothing = 0.3,
                                        .tolerance = 1e-4,
                                        .seed = 3};
    double mean[2], found[4], best[2];
    gm_cross_entropy_result result = {.mean = mean, .factor = found, .best_point = best};
    gm_context *c = subjects[1].context;
    ASSERT_OK(c, gm_cross_entropy(c, &options, &score, start, factor, &result));
    assert_true(is_near(mean[0], 1, 1e-3) && is_near(mean[1], 1, 2e-3));
    double again;
    rosenbrock(NULL, 1, best, &again);
    assert_true(result.best == again && again > -1e-6);
    /* As the logarithm of a density its NaN is no weight. */
    options.goal = GM_CROSS_ENTROPY_FIT;
    options.iterations = 1;
    options.floor = 0.1;
    ASSERT_OK(c, gm_cross_entropy(c, &options, &score, start, factor, &result));
    assert_true(isfinite(mean[0]) && mean[0] > -2 && isfinite(found[3]));
    options.goal = GM_CROSS_ENTROPY_OPTIMIZE;
    options.iterations = 2;
    ASSERT_FAILS(c, gm_cross_entropy(c, &options, &score, start, factor, &result),
                 GM_STATUS_NOT_CONVERGED, "tolerance");
    assert_int_equal(result.iterations, 2);
}

/* The same search on every backend: their samples differ by rounding alone, and no score lies that
 * close to a threshold. */
static void every_backend(void **state) {
    (void)state;
    const double params[] = {0.3, 0.5}, start[] = {0.5, -0.5}, factor[] = {1, 0, 0.2, 1.5};
    const gm_cross_entropy_score score = {.density = gm_density_builtin("banana"),
                                          .params = params};
    for (int goal = GM_CROSS_ENTROPY_FIT; goal <= GM_CROSS_ENTROPY_OPTIMIZE; goal += 2) {
        const gm_cross_entropy_options options = {.goal = (gm_cross_entropy_goal)goal,
                                                  .dim = 2,
                                                  .dense = 1,
                                                  .iterations = 3,
                                                  .samples = 500,
                                                  .elite = 0.2,
                                                  .smoothing = 0.9,
                                                  .tolerance = 10,
                                                  .seed = 11};
        double first[6] = {0};
        FOR_EACH_SUBJECT(s) {
            double got[6];
            gm_cross_entropy_result result = {.mean = got, .factor = got + 2};
            ASSERT_OK(s->context,
                      gm_cross_entropy(s->context, &options, &score, start, factor, &result));
            for (int i = 0; i < 6; ++i) {
                first[i] = s->is_reference ? got[i] : first[i];
                assert_true(is_near(got[i], first[i], 1e-12));
            }
            assert_true(got[3] == 0 && got[2] > 0 && got[5] > 0);
        }
    }
}

static void refusals(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    const double zero[] = {0}, one[] = {1}, bad[] = {-1}, none[] = {NAN};
    const gm_cross_entropy_score score = {.function = first_coordinate},
                                 fails = {failing, NULL, NULL, NULL};
    const gm_cross_entropy_score two = {.density = gm_density_builtin("banana"), .params = zero};
    const gm_cross_entropy_score empty = {.density = gm_density_builtin("normal")};
    const gm_cross_entropy_options good = {.goal = GM_CROSS_ENTROPY_RARE_EVENT,
                                           .dim = 1,
                                           .iterations = 2,
                                           .samples = 50,
                                           .final_samples = 50,
                                           .elite = 0.1,
                                           .smoothing = 1,
                                           .level = 1};
    double mean, factor;
    gm_cross_entropy_result result = {.mean = &mean, .factor = &factor};
#define WRONG(field, value, text)                                                                  \
    do {                                                                                           \
        gm_cross_entropy_options o = good;                                                         \
        o.field = (value);                                                                         \
        ASSERT_FAILS(c, gm_cross_entropy(c, &o, &score, zero, one, &result), invalid, text);       \
    } while (0)
    WRONG(goal, (gm_cross_entropy_goal)9, "options.goal = 9");
    WRONG(dim, 0, "options.dim = 0");
    WRONG(dim, 65, "options.dim = 65");
    WRONG(dense, 2, "options.dense = 2");
    WRONG(iterations, 0, "options.iterations = 0");
    WRONG(samples, 1, "options.samples = 1");
    WRONG(final_samples, 1, "options.final_samples = 1");
    WRONG(elite, 1, "options.elite = 1");
    WRONG(elite, NAN, "options.elite");
    WRONG(smoothing, 0, "options.smoothing = 0");
    WRONG(smoothing, 1.5, "options.smoothing = 1.5");
    WRONG(floor, -1, "options.floor = -1");
    WRONG(level, INFINITY, "options.level");
#undef WRONG
    ASSERT_FAILS(c, gm_cross_entropy(c, NULL, &score, zero, one, &result), invalid, "options");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, NULL, zero, one, &result), invalid, "score");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &two, zero, one, &result), invalid, "coordinates");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &empty, zero, one, &result), invalid, "params");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &score, NULL, one, &result), invalid,
                 "mean is NULL");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &score, zero, NULL, &result), invalid, "factor");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &score, none, one, &result), invalid, "mean[0]");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &score, zero, bad, &result), invalid,
                 "factor[0][0]");
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &score, zero, one, NULL), invalid, "result");
    assert_int_equal(gm_cross_entropy(NULL, &good, &score, zero, one, &result), invalid);
    /* What goes wrong on the way. */
    ASSERT_FAILS(c, gm_cross_entropy(c, &good, &fails, zero, one, &result), GM_STATUS_IO_ERROR,
                 "score function");
    gm_cross_entropy_options far = good;
    far.level = 40;
    ASSERT_FAILS(c, gm_cross_entropy(c, &far, &score, zero, one, &result), GM_STATUS_NOT_CONVERGED,
                 "level");
    assert_true(isnan(result.probability) && result.iterations == 2 && mean > 0);
    far.samples = 2;
    far.elite = 0.1;
    ASSERT_FAILS(c, gm_cross_entropy(c, &far, &score, zero, one, &result), GM_STATUS_SINGULAR,
                 "singular");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_follows_its_recursion),
        cmocka_unit_test(rare_event_fit),
        cmocka_unit_test(rare_event_probability),
        cmocka_unit_test(maximum),
        cmocka_unit_test(every_backend),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
