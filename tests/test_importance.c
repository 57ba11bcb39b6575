/*
 * Importance sampling: samples against the noise they are made of, estimates by hand and against
 * the reference, resampling to the bit, oracles of a rare event and of a normal posterior, errors.
 *
 * Statistics: fixed seeds; 8 z-tests at 5 standard errors, a false alarm in 2e5 programs.
 */
#include "tests/ensemble.h"

#include <float.h>

#include <genmath/importance.h>
#include <genmath/philox.h>

#include "host/importance_args.h"

/* A likelihood of mean y[0] and one datum p[0], a prior of variance p[1]. */
GM_DENSITY(
    posterior, 1, 2,
    {
        const real away = p[0] - y[0];
        logp[0] = (real)-0.5 * (away * away + y[0] * y[0] / p[1]);
    },
    { grad[0] = p[0] - y[0] - y[0] / p[1]; })

/* ---- arrays ---------------------------------------------------------------------------------- */

enum { MOST_ARRAYS = 24 };

/* Arrays in a context's memory, each with guards of 64 bytes, freed together. */
typedef struct arrays {
    gm_context *context;
    struct {
        char *memory, *before;
        size_t bytes;
    } held[MOST_ARRAYS];
    int count;
} arrays;

enum { GUARD = 64 };

static gm_tensor put(arrays *all, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                     const void *values) {
    assert_true(all->count < MOST_ARRAYS);
    gm_tensor t = {.dtype = dtype, .ndim = ndim};
    int64_t elements = 1;
    for (int32_t axis = ndim - 1; axis >= 0; --axis) {
        t.shape[axis] = shape[axis];
        t.stride[axis] = elements;
        elements *= shape[axis];
    }
    const size_t bytes = (size_t)elements * gm_dtype_size(dtype);
    char *before = malloc(bytes + 2 * GUARD);
    void *memory;
    assert_non_null(before);
    memset(before, 0xff, bytes + 2 * GUARD);
    if (values != NULL) {
        memcpy(before + GUARD, values, bytes);
    }
    ASSERT_OK(all->context, gm_memory_alloc(all->context, bytes + 2 * GUARD, &memory));
    ASSERT_OK(all->context, gm_memory_upload(all->context, memory, before, bytes + 2 * GUARD));
    all->held[all->count].memory = memory;
    all->held[all->count].before = before;
    all->held[all->count++].bytes = bytes + 2 * GUARD;
    t.data = (char *)memory + GUARD;
    return t;
}

/* Reals given as doubles, in either type. */
static gm_tensor put_reals(arrays *all, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                           const double *values) {
    int64_t n = 1;
    for (int32_t axis = 0; axis < ndim; ++axis) {
        n *= shape[axis];
    }
    float *narrow = malloc((size_t)(n + 1) * sizeof *narrow);
    assert_non_null(narrow);
    for (int64_t i = 0; i < n; ++i) {
        narrow[i] = (float)values[i];
    }
    const gm_tensor t =
        put(all, dtype, ndim, shape, dtype == GM_F64 ? (const void *)values : narrow);
    free(narrow);
    return t;
}

static void take(arrays *all, const gm_tensor *t, void *values) {
    size_t bytes = gm_dtype_size(t->dtype);
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        bytes *= (size_t)t->shape[axis];
    }
    ASSERT_OK(all->context, gm_memory_download(all->context, values, t->data, bytes));
}

static void close_arrays(arrays *all) {
    for (int i = 0; i < all->count; ++i) {
        const size_t bytes = all->held[i].bytes;
        char *now = malloc(bytes);
        assert_non_null(now);
        ASSERT_OK(all->context, gm_memory_download(all->context, now, all->held[i].memory, bytes));
        assert_memory_equal(now, all->held[i].before, GUARD);
        assert_memory_equal(now + bytes - GUARD, all->held[i].before + bytes - GUARD, GUARD);
        ASSERT_OK(all->context, gm_memory_free(all->context, all->held[i].memory));
        free(all->held[i].before);
        free(now);
    }
    all->count = 0;
}

static bool is_close(double a, double b, double relative) {
    return isnan(a) || isinf(a) ? (isnan(a) ? isnan(b) : a == b)
                                : fabs(a - b) <= relative * fabs(b);
}

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

/* A workspace of exactly the bytes that a call asks for. */
#define WITH_WORKSPACE(all, call)                                                                  \
    do {                                                                                           \
        gm_workspace work = {0};                                                                   \
        ASSERT_OK((all)->context, call);                                                           \
        assert_true(work.bytes > 0);                                                               \
        const size_t asked = work.bytes;                                                           \
        const gm_tensor room = put((all), GM_U8, 1, (const int64_t[]){(int64_t)asked}, NULL);      \
        work.data = room.data;                                                                     \
        ASSERT_OK((all)->context, call);                                                           \
    } while (0)

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

static void weigh_refusals(void **state) {
    (void)state;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    double x[64] = {0}, y[64] = {0};
    int32_t z[8] = {0};
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
        cmocka_unit_test(samples_are_noise),
        cmocka_unit_test(samples_do_not_mix),
        cmocka_unit_test(estimates_by_hand),
        cmocka_unit_test(bad_weights),
        cmocka_unit_test(tails),
        cmocka_unit_test(estimates_as_the_reference),
        cmocka_unit_test(rare_event),
        cmocka_unit_test(normal_posterior),
        cmocka_unit_test(points_of_the_user),
        cmocka_unit_test(resampled),
        cmocka_unit_test(places),
        cmocka_unit_test(resampled_by_hand),
        cmocka_unit_test(draw_refusals),
        cmocka_unit_test(weigh_refusals),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
