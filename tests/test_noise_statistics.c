/*
 * include/genmath/philox.h: the statistics of what it draws, in every order in which it is read.
 *
 * Statistical claims: seeds are fixed, so each test passes always or never. A statistic fails
 * beyond the 1e-6 quantile of its exact or asymptotic law on either side; about 150 of them are
 * taken here, so a sound generator with other seeds fails this file about once in 6000 seeds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <genmath/philox.h>

/* Two-sided tail 1e-6 of a standard normal, one-sided of the Kolmogorov law. */
static const double NORMAL_LIMIT = 4.8916;
static const double KOLMOGOROV_LIMIT = 2.6933; /* sqrt(-log(1e-6 / 2) / 2) */

enum { SAMPLE = 1 << 18 };
static double sample[SAMPLE];

/*
 * The ways a sequence is read off the generator: `one` index and all its draws; `lane 0` to `lane
 * 3` of many neighbouring indices; one draw of indices 2^32 apart, of many seeds, and of many
 * blocks of all streams.
 */
typedef enum order {
    ONE_INDEX,
    LANE_0,
    LANE_1,
    LANE_2,
    LANE_3,
    FAR_INDEX,
    SEEDS,
    STREAMS,
    ORDERS
} order;
static const char *const order_names[ORDERS] = {"one index", "lane 0",       "lane 1", "lane 2",
                                                "lane 3",    "index * 2^32", "seeds",  "streams"};

/* The block and the lane from which draw i comes. */
static gm_words block_of(order o, uint64_t i, uint64_t per_block, uint32_t *lane) {
    *lane = o == ONE_INDEX ? (uint32_t)(i % per_block) : o <= LANE_3 ? (uint32_t)(o - LANE_0) : 0;
    switch (o) {
    case ONE_INDEX:
        return gm_philox_block(2024, 17, GM_STREAM_SDE, i / per_block);
    case FAR_INDEX:
        return gm_philox_block(2024, i << 32, GM_STREAM_SDE, 3);
    case SEEDS:
        return gm_philox_block(i, 5, GM_STREAM_SDE, 3);
    case STREAMS:
        return gm_philox_block(2024, 5, (uint32_t)(i % 256), i / 256);
    default:
        return gm_philox_block(2024, i, GM_STREAM_SDE, 3);
    }
}

static double normal_draw(order o, uint64_t i, bool single) {
    uint32_t lane;
    const gm_words w = block_of(o, i, single ? 4 : 2, &lane);
    if (single) {
        float z[2];
        gm_box_muller_f32(lane < 2 ? w.w0 : w.w2, lane < 2 ? w.w1 : w.w3, &z[0], &z[1]);
        return z[lane % 2];
    }
    double z[2];
    gm_box_muller_f64(w, &z[0], &z[1]);
    return z[lane % 2];
}

static void assert_score(const char *what, const char *where, double score) {
    if (!(fabs(score) < NORMAL_LIMIT)) {
        fail_msg("%s, %s: %.2f standard errors", what, where, score);
    }
}

/* The raw moments of n independent standard normals have these exact standard errors. */
static void check_normal_moments(const char *where) {
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0;
    for (int i = 0; i < SAMPLE; ++i) {
        const double z = sample[i], z2 = z * z;
        m1 += z;
        m2 += z2;
        m3 += z2 * z;
        m4 += z2 * z2;
        lag += i > 0 ? z * sample[i - 1] : 0;
    }
    const double n = SAMPLE, root = sqrt(n);
    assert_score("mean", where, m1 / root);
    assert_score("variance", where, (m2 / n - 1) * root / sqrt(2));
    assert_score("third moment", where, m3 / root / sqrt(15));
    assert_score("fourth moment", where, (m4 / n - 3) * root / sqrt(96));
    assert_score("lag correlation", where, lag / sqrt(n - 1));
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double normal_cdf(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752440);
}
static double exponential_cdf(double x) {
    return -expm1(-x);
}
static double uniform_cdf(double x) {
    return x;
}

/* Kolmogorov and Smirnov: sqrt(n) times the largest distance of the empirical distribution. */
static void check_kolmogorov(const char *where, double (*cdf)(double)) {
    qsort(sample, SAMPLE, sizeof *sample, by_value);
    double distance = 0;
    for (int i = 0; i < SAMPLE; ++i) {
        const double p = cdf(sample[i]);
        distance = fmax(distance, fmax((i + 1.0) / SAMPLE - p, p - (double)i / SAMPLE));
    }
    if (!(distance * sqrt(SAMPLE) < KOLMOGOROV_LIMIT)) {
        fail_msg("%s: Kolmogorov statistic %.3f", where, distance * sqrt(SAMPLE));
    }
}

static void test_normals_of_every_order(void **state) {
    (void)state;
    for (int single = 0; single < 2; ++single) {
        for (order o = 0; o < ORDERS; ++o) {
            if (!single && (o == LANE_2 || o == LANE_3)) {
                continue;
            }
            for (uint64_t i = 0; i < SAMPLE; ++i) {
                sample[i] = normal_draw(o, i, single != 0);
            }
            check_normal_moments(order_names[o]);
            check_kolmogorov(order_names[o], normal_cdf);
        }
    }
}

static void test_uniforms_and_exponentials(void **state) {
    (void)state;
    for (order o = 0; o < ORDERS; ++o) {
        double mean = 0, square = 0;
        for (uint64_t i = 0; i < SAMPLE; ++i) {
            uint32_t lane;
            const gm_words w = block_of(o, i, 4, &lane);
            sample[i] = gm_uniform_f32(gm_word(w, lane));
            mean += sample[i] - 0.5;
            square += (sample[i] - 0.5) * (sample[i] - 0.5);
        }
        assert_score("uniform mean", order_names[o], mean * sqrt(12.0 / SAMPLE));
        assert_score("uniform variance", order_names[o],
                     (square - SAMPLE / 12.0) * sqrt(180.0 / SAMPLE));
        check_kolmogorov(order_names[o], uniform_cdf);
        double exponential = 0;
        for (uint64_t i = 0; i < SAMPLE; ++i) {
            uint32_t lane;
            const gm_words w = block_of(o, i, 4, &lane);
            sample[i] = i % 2 == 0 ? (double)gm_exponential_f32(gm_word(w, lane))
                                   : gm_exponential_f64(gm_word(w, lane), gm_word(w, lane ^ 1u));
            exponential += sample[i] - 1;
        }
        assert_score("exponential mean", order_names[o], exponential / sqrt(SAMPLE));
        check_kolmogorov(order_names[o], exponential_cdf);
    }
}

/* The chi-square statistic as a standard normal: cube root, Wilson and Hilferty (PNAS 17, 1931). */
static double chi_square_score(const uint32_t *counts, int cells, double total) {
    double chi = 0;
    for (int i = 0; i < cells; ++i) {
        const double d = counts[i] - total / cells;
        chi += d * d * cells / total;
    }
    const double freedom = cells - 1, variance = 2 / (9 * freedom);
    return (cbrt(chi / freedom) - (1 - variance)) / sqrt(variance);
}

/*
 * Claim: two words that a careless layout would tie together are independent. Byte `shift` of one
 * and of the other make 65536 cells.
 */
static void test_pairs_are_independent(void **state) {
    (void)state;
    static uint32_t counts[65536];
    static const char *const names[] = {
        "lanes 0 and 1",    "lanes 0 and 2",   "lanes 0 and 3",     "neighbour indices",
        "neighbour blocks", "neighbour seeds", "neighbour streams", "index and block swapped"};
    for (int pair = 0; pair < 8; ++pair) {
        for (int shift = 0; shift < 32; shift += 8) {
            memset(counts, 0, sizeof counts);
            for (uint64_t i = 0; i < 1u << 19; ++i) {
                const uint64_t j = 2 * i;
                const gm_words a = gm_philox_block(1, j, 1, 0);
                const gm_words b = pair < 3    ? a
                                   : pair == 3 ? gm_philox_block(1, j + 1, 1, 0)
                                   : pair == 4 ? gm_philox_block(1, j, 1, 1)
                                   : pair == 5 ? gm_philox_block(2, j, 1, 0)
                                   : pair == 6 ? gm_philox_block(1, j, 2, 0)
                                               : gm_philox_block(1, 0, 1, j + 1);
                const uint32_t second = pair < 3 ? gm_word(b, (uint32_t)pair + 1) : b.w0;
                ++counts[((a.w0 >> shift) & 255) << 8 | ((second >> shift) & 255)];
            }
            assert_score("pair", names[pair], chi_square_score(counts, 65536, 1 << 19));
        }
    }
}

/* Claim: bounded integers and Bernoulli variables have the probabilities they state. */
static void test_discrete_counts(void **state) {
    (void)state;
    const uint32_t bounds[] = {2, 6, 10, 1000, 3221225472u};
    static uint32_t counts[1000];
    for (int i = 0; i < 5; ++i) {
        const int cells = bounds[i] > 1000 ? 3 : (int)bounds[i];
        memset(counts, 0, sizeof counts);
        for (uint64_t draw = 0; draw < 1u << 18; ++draw) {
            const uint32_t value = gm_bounded_u32(3, draw / 64, 2, draw % 64, bounds[i]);
            assert_true(value < bounds[i]);
            ++counts[bounds[i] > 1000 ? value >> 30 : value];
        }
        assert_score("bounded", "chi-square", chi_square_score(counts, cells, 1 << 18));
    }
    const double probabilities[] = {0.001, 0.3, 0.5, 0.999};
    for (int i = 0; i < 4; ++i) {
        const double p = probabilities[i], n = 1 << 20;
        const uint64_t threshold = gm_bernoulli_threshold(p);
        double ones = 0;
        for (uint64_t draw = 0; draw < 1u << 20; ++draw) {
            ones += gm_bernoulli(gm_philox_block(4, draw, 2, 0).w1, threshold);
        }
        assert_score("Bernoulli", "count", (ones - n * p) / sqrt(n * p * (1 - p)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normals_of_every_order),
        cmocka_unit_test(test_uniforms_and_exponentials),
        cmocka_unit_test(test_pairs_are_independent),
        cmocka_unit_test(test_discrete_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
