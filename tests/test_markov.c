/*
 * Finite Markov chains: the closed forms of small chains, random ones against their defining
 * equations, chains that are periodic, reducible or slow, and errors.
 */
#include "tests/support.h"

#include <float.h>
#include <math.h>

#include <genmath/markov.h>

enum { MOST = 40 };
static gm_context *context;
static _Alignas(64) char room[1 << 20];

static int open_context(void **state) {
    (void)state;
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context) !=
           GM_STATUS_OK;
}

static int close_context(void **state) {
    (void)state;
    gm_context_destroy(context);
    return 0;
}

/* Each call is made twice: for its size, which must be enough, and to run in memory that is NaN. */
#define RUN(status, call)                                                                          \
    do {                                                                                           \
        gm_workspace w = {0};                                                                      \
        ASSERT_OK(context, call);                                                                  \
        assert_in_range(w.bytes, 1, sizeof room);                                                  \
        w.data = room;                                                                             \
        memset(room, 0xff, sizeof room);                                                           \
        const gm_status got = call;                                                                \
        if (got != (status)) {                                                                     \
            fail_msg("%s\ngave %s: %s", #call, gm_status_name(got), gm_last_error(context));       \
        }                                                                                          \
    } while (0)

static gm_tensor matrix(const double *p, int64_t n) {
    return gm_tensor_2d((void *)(uintptr_t)p, GM_F64, n, n);
}

static gm_tensor vector(const double *x, int64_t n) {
    return gm_tensor_1d((void *)(uintptr_t)x, GM_F64, n);
}

#define ASSERT_CLOSE(a, b, bound)                                                                  \
    do {                                                                                           \
        const double got_ = (a), want_ = (b);                                                      \
        if (!(fabs(got_ - want_) <= (bound))) {                                                    \
            fail_msg("%s = %.17g, not %.17g", #a, got_, want_);                                    \
        }                                                                                          \
    } while (0)

static gm_markov_report stationary(gm_status status, const double *p, int64_t n, double *law) {
    gm_markov_report report;
    const gm_tensor a = matrix(p, n), out = vector(law, n);
    RUN(status, gm_markov_stationary(context, &a, &out, &report, &w));
    return report;
}

static double gap_of(const double *p, int64_t n) {
    double values[2 * MOST], gap = -1;
    const gm_tensor a = matrix(p, n), out = gm_tensor_1d(values, GM_C128, n);
    RUN(GM_STATUS_OK, gm_markov_spectrum(context, &a, &out, &gap, &w));
    return gap;
}

static int64_t mixing_time(gm_status status, const double *p, int64_t n, double distance) {
    int64_t time = -1;
    const gm_tensor a = matrix(p, n);
    RUN(status, gm_markov_mixing_time(context, &a, distance, &time, &w));
    return time;
}

static const double weather[] = {0.8, 0.2, 0.3, 0.7};
static const double image[] = {0.8, 0.15, 0.05, 0.2, 0.6, 0.2, 0.1, 0.2, 0.7};
static const double pages[] = {0.05, 0.9, 0.05, 0.8, 0.1, 0.1, 0.1, 0, 0.9};
static const double cycle[] = {0, 1, 0, 0, 0, 1, 1, 0, 0};

/* ---- closed forms ---------------------------------------------------------------------------- */

static void small_chains(void **state) {
    (void)state;
    double law[3];
    gm_markov_report r = stationary(GM_STATUS_OK, weather, 2, law);
    ASSERT_CLOSE(law[0], 0.6, DBL_EPSILON);
    assert_true(r.classes == 1 && r.closed_classes == 1 && r.period == 1);
    ASSERT_CLOSE(r.flux, 0, DBL_EPSILON); /* two states are always in detailed balance */
    ASSERT_CLOSE(gap_of(weather, 2), 0.5, 4 * DBL_EPSILON);
    r = stationary(GM_STATUS_OK, image, 3, law);
    ASSERT_CLOSE(law[0], 16 / 37.0, DBL_EPSILON);
    ASSERT_CLOSE(law[1], 11 / 37.0, DBL_EPSILON);
    ASSERT_CLOSE(law[2], 10 / 37.0, DBL_EPSILON);
    ASSERT_CLOSE(r.flux, 1 / 185.0, DBL_EPSILON);
    ASSERT_CLOSE(r.residual, 0, DBL_EPSILON);
    ASSERT_CLOSE(gap_of(image, 3), 1 - (1.1 + sqrt(0.07)) / 2, 8 * DBL_EPSILON);
    stationary(GM_STATUS_OK, pages, 3, law);
    ASSERT_CLOSE(law[0], 2 / 7.0, DBL_EPSILON);
    ASSERT_CLOSE(law[1], 2 / 7.0, DBL_EPSILON);
    ASSERT_CLOSE(law[2], 3 / 7.0, DBL_EPSILON);
    ASSERT_CLOSE(gap_of(pages, 3), 0.177739064, 5e-10);
}

/* A walk that goes down with chance a and up with 1 - a, staying at the ends: pi_i ~ ((1-a)/a)^i.
 * Over 20 states the law spans 23 orders of magnitude, each right to its last digits. */
static void graded_law(void **state) {
    (void)state;
    enum { N = 20 };
    const double down = 1.0 / 16;
    double p[N * N] = {0}, law[N];
    for (int i = 0; i < N; ++i) {
        p[i * N + (i > 0 ? i - 1 : 0)] += down;
        p[i * N + (i < N - 1 ? i + 1 : i)] += 1 - down;
    }
    const gm_markov_report r = stationary(GM_STATUS_OK, p, N, law);
    double total = 0;
    for (int i = 0; i < N; ++i) {
        total += pow(15, i);
    }
    for (int i = 0; i < N; ++i) {
        ASSERT_CLOSE(law[i] / (pow(15, i) / total), 1, 4 * N * DBL_EPSILON);
    }
    ASSERT_CLOSE(r.flux, 0, DBL_EPSILON);
}

/* Wheel of period 3, made lazy, and the two-coloured walk on a path. */
static void periods(void **state) {
    (void)state;
    double law[4], lazy[9], values[6], gap;
    gm_markov_report r = stationary(GM_STATUS_OK, cycle, 3, law);
    assert_int_equal(r.period, 3);
    ASSERT_CLOSE(law[1], 1 / 3.0, DBL_EPSILON);
    ASSERT_CLOSE(gap_of(cycle, 3), 0, 8 * DBL_EPSILON);
    const gm_tensor wheel = matrix(cycle, 3), out = gm_tensor_1d(values, GM_C128, 3);
    RUN(GM_STATUS_OK, gm_markov_spectrum(context, &wheel, &out, &gap, &w));
    for (int i = 0; i < 3; ++i) { /* the cube roots of 1 */
        ASSERT_CLOSE(hypot(values[2 * i], values[2 * i + 1]), 1, 8 * DBL_EPSILON);
    }
    mixing_time(GM_STATUS_NOT_CONVERGED, cycle, 3, 0.25);
    for (int i = 0; i < 9; ++i) {
        lazy[i] = (cycle[i] + (i % 4 == 0)) / 2;
    }
    r = stationary(GM_STATUS_OK, lazy, 3, law);
    assert_int_equal(r.period, 1);
    ASSERT_CLOSE(gap_of(lazy, 3), 0.5, 8 * DBL_EPSILON);
    const double path[] = {0, 1, 0, 0, 0.5, 0, 0.5, 0, 0, 0.5, 0, 0.5, 0, 0, 1, 0};
    r = stationary(GM_STATUS_OK, path, 4, law);
    assert_int_equal(r.period, 2);
    ASSERT_CLOSE(law[0], 1 / 6.0, DBL_EPSILON); /* degrees 1, 2, 2, 1 */
    ASSERT_CLOSE(law[1], 1 / 3.0, DBL_EPSILON);
}

/* A transient state before one closed class; then two closed classes. */
static void classes(void **state) {
    (void)state;
    const double drain[] = {0.5, 0.25, 0.25, 0, 0.8, 0.2, 0, 0.3, 0.7};
    const double split[] = {1, 0, 0, 0.5, 0, 0.5, 0, 0, 1};
    double law[3] = {7, 7, 7};
    gm_markov_report r = stationary(GM_STATUS_OK, drain, 3, law);
    assert_true(r.classes == 2 && r.closed_classes == 1 && r.period == 1);
    assert_true(law[0] == 0);
    ASSERT_CLOSE(law[1], 0.6, DBL_EPSILON);
    law[0] = law[1] = law[2] = 7;
    r = stationary(GM_STATUS_SINGULAR, split, 3, law);
    assert_true(r.classes == 3 && r.closed_classes == 2 && r.period == 0 && isnan(r.flux));
    assert_true(law[0] == 7 && law[2] == 7);
    ASSERT_CLOSE(gap_of(split, 3), 0, 8 * DBL_EPSILON);
    mixing_time(GM_STATUS_SINGULAR, split, 3, 0.25);
}

/* e_2 P^k of the image chain, and the number of steps that powers take. */
static void powers(void **state) {
    (void)state;
    const double start[] = {0, 0, 1};
    static const struct {
        int64_t steps;
        double law[3], bound;
    } known[] = {{1, {0.1, 0.2, 0.7}, 1e-15},
                 {2, {0.19, 0.275, 0.535}, 1e-15},
                 {5, {0.3493975, 0.30725, 0.3433525}, 1e-15},
                 {10, {0.4199124, 0.2994544, 0.2806332}, 5e-8}};
    const gm_tensor p = matrix(image, 3), from = vector(start, 3);
    double law[3];
    const gm_tensor out = vector(law, 3);
    int64_t steps;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i) {
        RUN(GM_STATUS_NOT_CONVERGED,
            gm_markov_power(context, &p, &from, 1e-300, known[i].steps, &out, &steps, &w));
        assert_int_equal(steps, known[i].steps);
        for (int j = 0; j < 3; ++j) {
            ASSERT_CLOSE(law[j], known[i].law[j], known[i].bound);
        }
    }
    RUN(GM_STATUS_OK, gm_markov_power(context, &p, &from, 1e-12, 1000, &out, &steps, &w));
    /* The change of a step falls as 0.682287^k from 0.6: 1e-12 after log(1e-12 / 0.6) / log(0.68)
     */
    assert_in_range(steps, 60, 75);
    ASSERT_CLOSE(law[0], 16 / 37.0, 1e-11);
    const gm_tensor wheel = matrix(cycle, 3);
    RUN(GM_STATUS_NOT_CONVERGED,
        gm_markov_power(context, &wheel, &from, 1e-12, 1000, &out, &steps, &w));
    assert_non_null(strstr(gm_last_error(context), "period 3"));
}

/* Two states: the distance after k steps is max(pi) 2^-k. Slow chains take 1 / gap of them. */
static void mixing_times(void **state) {
    (void)state;
    assert_int_equal(mixing_time(GM_STATUS_OK, weather, 2, 0.25), 2); /* 0.6, 0.3, 0.15 */
    assert_int_equal(mixing_time(GM_STATUS_OK, weather, 2, 0.31), 1);
    assert_int_equal(mixing_time(GM_STATUS_OK, weather, 2, 0.01), 6);
    for (int k = 1; k <= 40; ++k) {
        const double e = ldexp(1, -k), slow[] = {1 - e, e, e, 1 - e};
        const double steps = log(0.5) / log1p(-2 * e); /* 1/2 (1 - 2 e)^k <= 1/4 */
        const double got = (double)mixing_time(GM_STATUS_OK, slow, 2, 0.25);
        assert_true(fabs(got - ceil(steps)) <= (k > 20 ? 1e-9 * steps : 0) || k == 1);
    }
    const double at_once[] = {0.5, 0.5, 0.5, 0.5};
    assert_int_equal(mixing_time(GM_STATUS_OK, at_once, 2, 0.25), 1);
}

static void hitting_times(const double *p, int64_t n, const uint8_t *set, double *times) {
    const gm_tensor a = matrix(p, n), s = gm_tensor_1d((void *)(uintptr_t)set, GM_U8, n);
    const gm_tensor out = vector(times, n);
    RUN(GM_STATUS_OK, gm_markov_hitting_times(context, &a, &s, &out, &w));
}

/* The gambler's ruin: k (n - k) steps to either end, and never to one end for certain. */
static void ruin(void **state) {
    (void)state;
    enum { N = 13 };
    double p[N * N] = {0}, times[N];
    uint8_t ends[N] = {[0] = 1, [N - 1] = 1}, one[N] = {[0] = 1};
    p[0] = p[N * N - 1] = 1;
    for (int i = 1; i < N - 1; ++i) {
        p[i * N + i - 1] = p[i * N + i + 1] = 0.5;
    }
    hitting_times(p, N, ends, times);
    for (int i = 0; i < N; ++i) {
        ASSERT_CLOSE(times[i], i * (N - 1 - i), 100 * DBL_EPSILON);
    }
    hitting_times(p, N, one, times);
    assert_true(times[0] == 0);
    for (int i = 1; i < N; ++i) {
        assert_true(isinf(times[i]));
    }
    p[N * N - 1] = 0; /* the other end sends back: i (2 n - i) steps with n = N - 1 */
    p[N * N - 2] = 1;
    hitting_times(p, N, one, times);
    for (int i = 0; i < N; ++i) {
        ASSERT_CLOSE(times[i], i * (2 * (N - 1) - i), 1000 * DBL_EPSILON);
    }
}

/* ---- random chains against their equations --------------------------------------------------- */

static double next_uniform(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Kac: the mean time of return to i, 1 + sum_j P_ij h_j with h the times to hit i, is 1 / pi_i. */
static void returns(void **state) {
    (void)state;
    uint64_t random = 9;
    for (int64_t n = 1; n <= MOST; n += 3) {
        double p[MOST * MOST], law[MOST], times[MOST];
        for (int64_t i = 0; i < n; ++i) {
            double sum = 0;
            for (int64_t j = 0; j < n; ++j) { /* a third of the entries are 0, never (i, i + 1) */
                const double x = next_uniform(&random);
                p[i * n + j] = j == (i + 1) % n || x > 0.33 ? x + 0.01 : 0;
                sum += p[i * n + j];
            }
            for (int64_t j = 0; j < n; ++j) {
                p[i * n + j] /= sum;
            }
        }
        const gm_markov_report r = stationary(GM_STATUS_OK, p, n, law);
        ASSERT_CLOSE(r.residual, 0, (double)n * DBL_EPSILON);
        for (int64_t i = 0; i < n; i += 5) {
            uint8_t set[MOST] = {0};
            set[i] = 1;
            hitting_times(p, n, set, times);
            double back = 1;
            for (int64_t j = 0; j < n; ++j) {
                back += p[i * n + j] * times[j];
            }
            ASSERT_CLOSE(back * law[i], 1, 64 * (double)n * DBL_EPSILON);
        }
    }
}

/* Three pages: 0 -> 1, 0 -> 2, 1 -> 2, and 2 without links. */
static void pagerank(void **state) {
    (void)state;
    const double links[] = {0, 3, 3, 0, 0, 1, 0, 0, 0}, home[] = {1, 0, 0};
    double p[9], law[3];
    const gm_tensor in = matrix(links, 3), to = vector(home, 3), out = matrix(p, 3);
    ASSERT_OK(context, gm_markov_pagerank(context, &in, 0.85, NULL, &out));
    const double wanted[] = {0.05, 0.475, 0.475, 0.05, 0.05, 0.9, 1 / 3.0, 1 / 3.0, 1 / 3.0};
    for (int i = 0; i < 9; ++i) {
        ASSERT_CLOSE(p[i], wanted[i], 2 * DBL_EPSILON);
    }
    /* The other eigenvalues are 0.85 times those of the chain of links alone, whose product is 1/6
     * (Haveliwala and Kamvar, 2003). */
    ASSERT_CLOSE(gap_of(p, 3), 1 - 0.85 * sqrt(1 / 6.0), 8 * DBL_EPSILON);
    /* What flows to page 0 flows to page 1 too, with half of page 0's links, and so on. */
    stationary(GM_STATUS_OK, p, 3, law);
    const double x = law[0];
    ASSERT_CLOSE(law[1], x + 0.425 * x, 4 * DBL_EPSILON);
    ASSERT_CLOSE(law[2], law[1] + 0.85 * law[1], 4 * DBL_EPSILON);
    ASSERT_OK(context, gm_markov_pagerank(context, &in, 0.5, &to, &out));
    const double at_home[] = {0.5, 0.25, 0.25, 0.5, 0, 0.5, 1, 0, 0};
    for (int i = 0; i < 9; ++i) {
        ASSERT_CLOSE(p[i], at_home[i], DBL_EPSILON);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void refusals(void **state) {
    (void)state;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    double bad[] = {0.5, 0.4, 0.3, 0.7}, negative[] = {1.5, -0.5, 0, 1}, nan[] = {NAN, 1, 0, 1};
    double x[4] = {7, 7, 7, 7}, gap = 7;
    const gm_tensor p = matrix(weather, 2), law = vector(x, 2), longer = vector(x, 3);
    const gm_tensor flat = vector(weather, 2), uneven = gm_tensor_2d(x, GM_F64, 1, 2);
    const gm_tensor set = gm_tensor_1d(room, GM_U8, 2);
    gm_workspace w = {room, sizeof room}, none = {room, 8};
    int64_t time = 7;
    gm_context *const c = context;
    assert_int_equal(gm_markov_stationary(NULL, &p, &law, NULL, &w), invalid);
    ASSERT_FAILS(c, gm_markov_stationary(c, NULL, &law, NULL, &w), invalid, "p is NULL");
    ASSERT_FAILS(c, gm_markov_stationary(c, &flat, &law, NULL, &w), mismatch, "p.ndim");
    ASSERT_FAILS(c, gm_markov_stationary(c, &uneven, &law, NULL, &w), mismatch, "p.shape[1]");
    ASSERT_FAILS(c, gm_markov_stationary(c, &p, &longer, NULL, &w), mismatch, "law.shape[0]");
    ASSERT_FAILS(c, gm_markov_stationary(c, &p, &law, NULL, NULL), invalid, "workspace is NULL");
    ASSERT_FAILS(c, gm_markov_stationary(c, &p, &law, NULL, &none), GM_STATUS_WORKSPACE_TOO_SMALL,
                 "workspace.bytes = 8");
    const struct {
        double *values;
        const char *text;
    } rows[] = {{bad, "row 0 sums to 0.9"}, {negative, "(0, 1) is -0.5"}, {nan, "(0, 0) is nan"}};
    for (int i = 0; i < 3; ++i) {
        const gm_tensor wrong = matrix(rows[i].values, 2);
        const gm_tensor values = gm_tensor_1d(x, GM_C128, 2);
        ASSERT_FAILS(c, gm_markov_stationary(c, &wrong, &law, NULL, &w), invalid, rows[i].text);
        ASSERT_FAILS(c, gm_markov_mixing_time(c, &wrong, 0.5, &time, &w), invalid, rows[i].text);
        ASSERT_FAILS(c, gm_markov_spectrum(c, &wrong, &values, &gap, &w), invalid, rows[i].text);
    }
    const gm_tensor start = vector(bad, 2);
    ASSERT_FAILS(c, gm_markov_power(c, &p, &start, 1, 1, &law, NULL, &w), invalid, "start: row 0");
    const gm_tensor good = vector(weather, 2);
    ASSERT_FAILS(c, gm_markov_power(c, &p, &good, 0, 1, &law, NULL, &w), invalid, "tolerance");
    ASSERT_FAILS(c, gm_markov_power(c, &p, &good, 1, -1, &law, NULL, &w), invalid, "most_steps");
    ASSERT_FAILS(c, gm_markov_mixing_time(c, &p, 0, &time, &w), invalid, "distance = 0");
    ASSERT_FAILS(c, gm_markov_mixing_time(c, &p, 0.5, NULL, &w), invalid, "time is NULL");
    ASSERT_FAILS(c, gm_markov_hitting_times(c, &p, NULL, &law, &w), invalid, "set is NULL");
    ASSERT_FAILS(c, gm_markov_hitting_times(c, &p, &set, &longer, &w), mismatch, "times.shape[0]");
    const gm_tensor square = gm_tensor_2d(x, GM_F64, 2, 2), links = matrix(negative, 2);
    ASSERT_FAILS(c, gm_markov_pagerank(c, &p, 1, NULL, &square), invalid, "damping = 1");
    ASSERT_FAILS(c, gm_markov_pagerank(c, &links, 0.5, NULL, &square), invalid,
                 "links: entry (0, 1)");
    ASSERT_FAILS(c, gm_markov_pagerank(c, &p, 0.5, &start, &square), invalid, "teleport: row 0");
    for (int i = 0; i < 4; ++i) {
        assert_true(x[i] == 7);
    }
    assert_true(gap == 7 && time == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_chains), cmocka_unit_test(graded_law),
        cmocka_unit_test(periods),      cmocka_unit_test(classes),
        cmocka_unit_test(powers),       cmocka_unit_test(mixing_times),
        cmocka_unit_test(ruin),         cmocka_unit_test(returns),
        cmocka_unit_test(pagerank),     cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
