/*
 * include/genmath/philox.h: known answers, the counter's layout, the exact values that the
 * distributions take. Their statistics are test_noise_statistics.c's.
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random123_known_answers), cmocka_unit_test(test_known_normals),
        cmocka_unit_test(test_curand_known_answers),    cmocka_unit_test(test_counter_layout),
        cmocka_unit_test(test_no_wrap_at_32_bits),      cmocka_unit_test(test_uniform_values),
        cmocka_unit_test(test_normal_extremes),         cmocka_unit_test(test_normal_errors),
        cmocka_unit_test(test_bernoulli_thresholds),    cmocka_unit_test(test_bounded_is_unbiased),
        cmocka_unit_test(test_bounded_retries),         cmocka_unit_test(test_lanes_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
