/*
 * include/genmath/philox.h: known answers, the counter's layout, the exact values the distributions
 * take, and their statistics.
 *
 * Statistical claims: seeds are fixed, so each test passes always or never. A statistic fails
 * beyond the 1e-6 quantile of its exact or asymptotic law on either side; about 150 of them are
 * taken here, so a sound generator with other seeds fails this file about once in 6000 seeds.
 */
#include <inttypes.h>
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

static FILE *open_data(const char *name) {
    char path[256];
    const char *folder = getenv("GENMATH_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "tests/data", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("cannot open %s: run from the top of the repository or set GENMATH_TEST_DATA",
                 path);
    }
    return file;
}

/* The next line that is no comment; false at the end. */
static bool next_line(FILE *file, char *line, int size) {
    do {
        if (fgets(line, size, file) == NULL) {
            fclose(file);
            return false;
        }
    } while (line[0] == '#');
    return true;
}

static void assert_words(gm_words w, const uint32_t *expected) {
    assert_int_equal(w.w0, expected[0]);
    assert_int_equal(w.w1, expected[1]);
    assert_int_equal(w.w2, expected[2]);
    assert_int_equal(w.w3, expected[3]);
}

/* ---- known answers --------------------------------------------------------------------------- */

static void test_random123_known_answers(void **state) {
    (void)state;
    FILE *file = open_data("philox_random123.txt");
    char line[256];
    int lines = 0;
    while (next_line(file, line, sizeof line)) {
        uint32_t v[10];
        char *at = line;
        for (int i = 0; i < 10; ++i) {
            v[i] = (uint32_t)strtoul(at, &at, 16);
        }
        assert_words(gm_philox4x32_10(v[0], v[1], v[2], v[3], v[4], v[5]), v + 6);
        ++lines;
    }
    assert_int_equal(lines, 3);
}

/* |got - expected| <= 2 ulp of expected: the bound of the task, above the stated one. */
static bool within(double got, double expected, int digits, double bound) {
    return fabs(got - expected) <= ldexp(bound, ilogb(expected) + 1 - digits);
}

/* Claim: words and normals of a block are those of an independent program, to the error stated. */
static void test_known_normals(void **state) {
    (void)state;
    FILE *file = open_data("philox_normals.txt");
    char line[512];
    int lines = 0;
    while (next_line(file, line, sizeof line)) {
        char *at = line;
        const uint64_t seed = strtoull(at, &at, 16), index = strtoull(at, &at, 16);
        const uint32_t stream = (uint32_t)strtoul(at, &at, 16);
        const uint64_t block = strtoull(at, &at, 16);
        uint32_t words[4];
        for (int i = 0; i < 4; ++i) {
            words[i] = (uint32_t)strtoul(at, &at, 16);
        }
        assert_words(gm_philox_block(seed, index, stream, block), words);
        float z[4];
        gm_normal4_f32(seed, index, stream, block, &z[0], &z[1], &z[2], &z[3]);
        for (uint64_t i = 0; i < 4; ++i) {
            assert_true(within(z[i], strtod(at, &at), 24, 2.0));
            assert_true(z[i] == gm_normal_f32(seed, index, stream, 4 * block + i));
        }
        double d[2];
        gm_normal2_f64(seed, index, stream, block, &d[0], &d[1]);
        for (uint64_t i = 0; i < 2; ++i) {
            assert_true(within(d[i], strtod(at, &at), 53, 2.5)); /* the file is rounded itself */
            assert_true(d[i] == gm_normal_f64(seed, index, stream, 2 * block + i));
        }
        ++lines;
    }
    assert_int_equal(lines, 40);
}

/* Claim: the second stream is cuRAND's, for offsets that begin inside a block or beyond 2^32 too.
 */
static void test_curand_known_answers(void **state) {
    (void)state;
    FILE *file = open_data("philox_curand.txt");
    char line[512];
    int lines = 0;
    while (next_line(file, line, sizeof line)) {
        char *at = line;
        const uint64_t seed = strtoull(at, &at, 16), subsequence = strtoull(at, &at, 16);
        const uint64_t offset = strtoull(at, &at, 16);
        uint32_t words[6];
        for (uint64_t i = 0; i < 6; ++i) {
            words[i] = (uint32_t)strtoul(at, &at, 16);
            assert_int_equal(gm_curand_philox_u32(seed, subsequence, offset, i), words[i]);
        }
        for (int i = 0; i < 6; ++i) {
            assert_true(gm_curand_uniform_f32(words[i]) == strtof(at, &at));
        }
        for (int i = 0; i < 6; ++i) {
            assert_true(gm_curand_uniform_f64(words[i]) == strtod(at, &at));
        }
        ++lines;
    }
    assert_int_equal(lines, 12);
    assert_true(gm_curand_uniform_f32(0) == 0x1p-33f && gm_curand_uniform_f32(0xffffffff) == 1.0f);
    assert_true(gm_curand_uniform_f64(0) == 0x1p-32 && gm_curand_uniform_f64(0xffffffff) == 1.0);
}

/* ---- the counter ----------------------------------------------------------------------------- */

static bool equal_words(gm_words a, gm_words b) {
    return a.w0 == b.w0 && a.w1 == b.w1 && a.w2 == b.w2 && a.w3 == b.w3;
}

/* Claim: every bit of seed, index, stream and block reaches its own place in key and counter. */
static void test_counter_layout(void **state) {
    (void)state;
    for (int bit = 0; bit < 64; ++bit) {
        const uint32_t low = bit < 32 ? 1u << bit : 0, high = bit < 32 ? 0 : 1u << (bit - 32);
        const uint64_t value = UINT64_C(1) << bit;
        assert_true(
            equal_words(gm_philox_block(value, 0, 0, 0), gm_philox4x32_10(0, 0, 0, 0, low, high)));
        assert_true(
            equal_words(gm_philox_block(0, value, 0, 0), gm_philox4x32_10(low, high, 0, 0, 0, 0)));
        if (bit < 56) {
            assert_true(equal_words(gm_philox_block(0, 0, 0, value),
                                    gm_philox4x32_10(0, 0, low, high, 0, 0)));
        }
        if (bit < 8) {
            assert_true(equal_words(gm_philox_block(0, 0, 1u << bit, 0),
                                    gm_philox4x32_10(0, 0, 0, 1u << (24 + bit), 0, 0)));
        }
    }
}

/* Claim: nothing wraps at 2^32: neighbours across the boundary differ from what 32 bits would give.
 */
static void test_no_wrap_at_32_bits(void **state) {
    (void)state;
    const uint64_t edge = UINT64_C(1) << 32;
    assert_false(equal_words(gm_philox_block(1, edge, 0, 0), gm_philox_block(1, 0, 0, 0)));
    assert_false(equal_words(gm_philox_block(1, 0, 0, edge), gm_philox_block(1, 0, 0, 0)));
    assert_false(equal_words(gm_philox_block(edge + 1, 0, 0, 0), gm_philox_block(1, 0, 0, 0)));
    assert_true(gm_normal_f32(1, 0, 0, 4 * edge) != gm_normal_f32(1, 0, 0, 0));
    assert_true(gm_normal_f64(1, 0, 0, 2 * edge) != gm_normal_f64(1, 0, 0, 0));
}

/* ---- exact values ---------------------------------------------------------------------------- */

static void test_uniform_values(void **state) {
    (void)state;
    assert_true(gm_uniform_f32(0) == 0x1p-25f && gm_uniform_f32(0xff) == 0x1p-25f);
    assert_true(gm_uniform_f32(0x100) == 0x1.8p-24f);
    assert_true(gm_uniform_f32(0x7fffffff) == 0.5f - 0x1p-25f);
    assert_true(gm_uniform_f32(0x80000000) == 0.5f); /* ties go to the even neighbour: down */
    assert_true(gm_uniform_f32(0x80000100) == 0.5f + 0x1p-23f); /* and up */
    assert_true(gm_uniform_f32(0xffffffff) == 1.0f);
    assert_true(gm_uniform_f64(0, 0) == 0x1p-53 && gm_uniform_f64(0, 0xfff) == 0x1p-53);
    assert_true(gm_uniform_f64(0xffffffff, 0xffffffff) == 1.0 - 0x1p-53);
    assert_true(gm_uniform_f64(0x80000000, 0) == 0.5 + 0x1p-53);
    assert_true(gm_uniform_fine_f32(0) == 0x1p-32f && gm_uniform_fine_f32(0xffffffff) == 1.0f);
    assert_true(gm_uniform_fine_f32(2) == 0x1.8p-31f);
    /* The exact mean of all floats, in units of 2^-25: 2^24 values, mean 2^24. */
    uint64_t sum = 0;
    for (uint32_t k = 0; k < 1u << 24; ++k) {
        sum += (uint64_t)(gm_uniform_f32(k << 8) * 0x1p25f);
    }
    assert_true(sum == UINT64_C(1) << 48);
}

/* Claim: the tails are as long as stated, and the axes of the circle are exact. */
static void test_normal_extremes(void **state) {
    (void)state;
    float z0, z1;
    gm_box_muller_f32(0, 0, &z0, &z1);
    assert_true(within(z0, sqrt(64 * log(2)), 24, 2.0) && z1 == 0.0f && z0 > 6.66f);
    gm_box_muller_f32(0, 0x40000000, &z0, &z1);
    assert_true(z0 == 0.0f && z1 > 6.66f);
    gm_box_muller_f32(0, 0x80000000, &z0, &z1);
    assert_true(z0 < -6.66f && z1 == 0.0f);
    gm_box_muller_f32(0, 0xc0000000, &z0, &z1);
    assert_true(z0 == 0.0f && z1 < -6.66f);
    gm_box_muller_f32(0xffffffff, 0x12345678, &z0, &z1);
    assert_true(z0 == 0.0f && z1 == 0.0f);
    double d0, d1;
    gm_box_muller_f64((gm_words){0, 0, 0, 0}, &d0, &d1);
    assert_true(within(d0, sqrt(106 * log(2)), 53, 2.0) && d1 == 0.0 && d0 > 8.57);
    gm_box_muller_f64((gm_words){0, 0, 0xc0000000, 0}, &d0, &d1);
    assert_true(d0 == 0.0 && d1 < -8.57);
    assert_true(within(gm_exponential_f32(0), 32 * log(2), 24, 1.0));
    assert_true(gm_exponential_f32(0xffffffff) == 0.0f && !signbit(gm_exponential_f32(0xffffffff)));
    assert_true(within(gm_exponential_f64(0, 0), 53 * log(2), 53, 1.0));
    assert_true(within(gm_exponential_f64(0xffffffff, 0xffffffff), 0x1p-53, 53, 1.0));
}

static double error_in_ulp(double got, long double exact, int digits) {
    if (exact == 0) {
        return got == 0 ? 0.0 : INFINITY;
    }
    return (double)ldexpl(fabsl(got - exact), digits - 1 - ilogbl(exact));
}

/* Random words; one in four gives a long tail, one in two an angle near an axis. */
static void words_at(uint64_t i, uint64_t *radius, uint64_t *angle) {
    const gm_words w = gm_philox_block(31, i, 9, 0), shifts = gm_philox_block(31, i, 9, 1);
    *radius = gm_join(w.w0, w.w1) >> (i % 4 == 3 ? shifts.w0 % 64 : 0);
    *angle = gm_join(w.w2, w.w3);
    if (i % 2 == 1) {
        *angle = (*angle >> (shifts.w1 % 60)) + ((uint64_t)(shifts.w2 & 3) << 62);
    }
}

/* Claim: the errors of the normals are those stated, and their bits those of the machine that
 * measured them. */
static void test_normal_errors(void **state) {
    (void)state;
    const long double eighth_f32 = 0.785398163397448309615660845819875721L * 0x1p-31L;
    const long double quarter_f64 = 1.570796326794896619231321691639751442L * 0x1p-52L;
    double worst_f32 = 0, worst_f64 = 0;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < 400000; ++i) {
        uint64_t radius, angle;
        words_at(i, &radius, &angle);
        const uint32_t low = (uint32_t)radius, turn = (uint32_t)(angle >> 32);
        float z0, z1;
        gm_box_muller_f32(low, turn, &z0, &z1);
        const double r = sqrt(-2 * log(gm_uniform_fine_f32(low)));
        const double rest = (double)((float)(int32_t)(turn << 2) * eighth_f32);
        const uint32_t quarter = (turn + 0x20000000u) >> 30;
        const double cs[2] = {cos(rest), sin(rest)};
        const double c = (quarter + 1) & 2 ? -cs[quarter & 1] : cs[quarter & 1];
        const double s = quarter & 2 ? -cs[~quarter & 1] : cs[~quarter & 1];
        worst_f32 = fmax(worst_f32, fmax(error_in_ulp(z0, r * c, 24), error_in_ulp(z1, r * s, 24)));

        const gm_words words = {(uint32_t)(radius >> 32), low, turn, (uint32_t)angle};
        double d0, d1;
        gm_box_muller_f64(words, &d0, &d1);
        hash = (hash ^ gm_bits_f32(z0) ^ (uint64_t)gm_bits_f32(z1) << 32) * 0x100000001b3u;
        hash = (hash ^ gm_bits_f64(d0)) * 0x100000001b3u;
        hash = (hash ^ gm_bits_f64(d1)) * 0x100000001b3u;
        hash ^= hash >> 29;
        const long double rl = sqrtl(-2 * logl(gm_uniform_f64(words.w0, words.w1)));
        const long double rest_l = (long double)((int64_t)(angle << 2) >> 12) * quarter_f64;
        const uint64_t quarter_l = (angle + (UINT64_C(1) << 61)) >> 62;
        const long double csl[2] = {cosl(rest_l), sinl(rest_l)};
        const long double cl = (quarter_l + 1) & 2 ? -csl[quarter_l & 1] : csl[quarter_l & 1];
        const long double sl = quarter_l & 2 ? -csl[~quarter_l & 1] : csl[~quarter_l & 1];
        worst_f64 = fmax(worst_f64, error_in_ulp(d0, rl * cl, 53));
        worst_f64 = fmax(worst_f64, error_in_ulp(d1, rl * sl, 53));
    }
    print_message("normals: %.4f ulp of float, %.4f of double, stated 2.00 and 1.90\n", worst_f32,
                  worst_f64);
    assert_true(worst_f32 <= 2.0 && worst_f64 <= 1.9);
    assert_true(hash == UINT64_C(0x11e3fb3769e225c0));
}

static void test_bernoulli_thresholds(void **state) {
    (void)state;
    assert_true(gm_bernoulli_threshold(0.0) == 0 && gm_bernoulli_threshold(1.0) == UINT64_C(1)
                                                                                       << 32);
    assert_true(gm_bernoulli_threshold(0.25) == UINT64_C(1) << 30);
    assert_int_equal(gm_bernoulli(0, 0), 0);
    assert_int_equal(gm_bernoulli(0xffffffff, UINT64_C(1) << 32), 1);
    assert_int_equal(gm_bernoulli(4, 5), 1);
    assert_int_equal(gm_bernoulli(5, 5), 0);
    assert_int_equal(gm_bernoulli_wide(1, 0, UINT64_C(1) << 32), 0);
    assert_int_equal(gm_bernoulli_wide(0, 0xffffffff, UINT64_C(1) << 32), 1);
}

/* The least word whose product with bound reaches value * 2^32: how many words give less than
 * value. */
static uint64_t words_below(uint64_t value, uint64_t bound) {
    return value == bound ? UINT64_C(1) << 32 : ((value << 32) + bound - 1) / bound;
}

/* Claim: every value is given by the same number of accepted words, floor(2^32 / bound). */
static void test_bounded_is_unbiased(void **state) {
    (void)state;
    const uint64_t bounds[] = {1,    2,     3,           6,           7,
                               1000, 65537, 3000000000u, 0xffffffffu, UINT64_C(1) << 32};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; ++i) {
        const uint64_t bound = bounds[i], each = (UINT64_C(1) << 32) / bound;
        const uint32_t refused = gm_bounded_refused(bound);
        assert_true(refused == (UINT64_C(1) << 32) - each * bound);
        const uint64_t probes[] = {0, 1, bound / 2, bound - 1};
        for (size_t j = 0; j < 4; ++j) {
            if (probes[j] >= bound) {
                continue;
            }
            const uint64_t first = words_below(probes[j], bound),
                           end = words_below(probes[j] + 1, bound);
            uint64_t accepted = 0;
            int accept = 0;
            /* Only the first word of a value can be refused: the low halves go up by bound >
             * refused. */
            for (uint64_t word = first; word < end && word < first + 3; ++word) {
                assert_int_equal(gm_bounded_try((uint32_t)word, bound, refused, &accept),
                                 probes[j]);
                accepted += accept ? 1 : 0;
            }
            accepted += end > first + 3 ? end - first - 3 : 0;
            assert_int_equal(accepted, each);
        }
    }
}

/* Claim: a refused draw goes on in the blocks kept for it, with the same lane. */
static void test_bounded_retries(void **state) {
    (void)state;
    const uint64_t bound = 3000000000u;
    int seen[4] = {0};
    for (uint64_t draw = 0; draw < 4000; ++draw) {
        uint32_t value = 0;
        int accept = 0, tries = 0;
        for (uint64_t retry = 0; !accept; ++retry, ++tries) {
            const gm_words w = gm_philox_block(5, 77, 3, (draw >> 2) | retry << 48);
            const uint32_t lanes[4] = {w.w0, w.w1, w.w2, w.w3};
            const uint64_t product = lanes[draw & 3] * bound;
            accept = (product & 0xffffffffu) >= (UINT64_C(1) << 32) % bound;
            value = (uint32_t)(product >> 32);
        }
        assert_int_equal(gm_bounded_u32(5, 77, 3, draw, bound), value);
        ++seen[tries < 4 ? tries - 1 : 3];
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    assert_int_equal(gm_bounded_u32(5, 77, 3, 9, 1), 0);
}

/* ---- vector forms give the same bits --------------------------------------------------------- */

enum { LANES = 512 };

#define NORMAL_LANES(isa, TARGET)                                                                  \
    TARGET static void normals_##isa(uint64_t seed, uint64_t index, uint64_t block,                \
                                     float *restrict f, double *restrict d) {                      \
        GM_LANE_LOOP                                                                               \
        for (int i = 0; i < LANES; ++i) {                                                          \
            gm_normal4_f32(seed, index + (uint64_t)i, GM_STREAM_SDE, block, f + i, f + LANES + i,  \
                           f + 2 * LANES + i, f + 3 * LANES + i);                                  \
        }                                                                                          \
        GM_LANE_LOOP                                                                               \
        for (int i = 0; i < LANES; ++i) {                                                          \
            gm_normal2_f64(seed, index + (uint64_t)i, GM_STREAM_SDE, block, d + i, d + LANES + i); \
        }                                                                                          \
    }
NORMAL_LANES(base, GM_TARGET_BASE)
#if GM_HAVE_X86_TARGETS
NORMAL_LANES(avx2, GM_TARGET_AVX2)
NORMAL_LANES(avx512, GM_TARGET_AVX512)
#endif

static void test_lanes_agree(void **state) {
    (void)state;
#if GM_HAVE_X86_TARGETS
    static float expected[4 * LANES], f[4 * LANES];
    static double expected_d[2 * LANES], d[2 * LANES];
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    for (uint64_t block = 0; block < 20; ++block) {
        const uint64_t index =
            (UINT64_C(1) << 32) - LANES / 2 + 3 * block; /* across the boundary */
        normals_base(9, index, block, expected, expected_d);
        if (avx2) {
            normals_avx2(9, index, block, f, d);
            assert_memory_equal(f, expected, sizeof f);
            assert_memory_equal(d, expected_d, sizeof d);
        }
        if (avx512) {
            normals_avx512(9, index, block, f, d);
            assert_memory_equal(f, expected, sizeof f);
            assert_memory_equal(d, expected_d, sizeof d);
        }
    }
    if (!avx512) {
        print_message("skipped: no AVX-512 here\n");
    }
#else
    print_message("skipped: one instruction set on this architecture\n");
#endif
}

/* ---- statistics ------------------------------------------------------------------------------ */

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
        cmocka_unit_test(test_random123_known_answers),
        cmocka_unit_test(test_known_normals),
        cmocka_unit_test(test_curand_known_answers),
        cmocka_unit_test(test_counter_layout),
        cmocka_unit_test(test_no_wrap_at_32_bits),
        cmocka_unit_test(test_uniform_values),
        cmocka_unit_test(test_normal_extremes),
        cmocka_unit_test(test_normal_errors),
        cmocka_unit_test(test_bernoulli_thresholds),
        cmocka_unit_test(test_bounded_is_unbiased),
        cmocka_unit_test(test_bounded_retries),
        cmocka_unit_test(test_lanes_agree),
        cmocka_unit_test(test_normals_of_every_order),
        cmocka_unit_test(test_uniforms_and_exponentials),
        cmocka_unit_test(test_pairs_are_independent),
        cmocka_unit_test(test_discrete_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
