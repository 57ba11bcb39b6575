/*
 * include/genmath/math.h: the errors its comments state, special values, and equal bits of every
 * vector form. GENMATH_TEST_FULL=1 measures the float functions at every argument.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <genmath/math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t random_state = 1;

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the test's numbers are not the library's. */
static uint64_t next_random(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double random_in(double low, double high) {
    return low + (high - low) * (double)(next_random() >> 11) * 0x1p-53;
}

/* ---- the stated errors --------------------------------------------------------------------------
 */

typedef struct function_case {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    double (*exact_f32)(double);
    long double (*exact_f64)(long double);
    double bound_f32, bound_f64; /* ulp, as math.h states them */
    double low, high;            /* where most arguments of a body lie */
} function_case;

#define DEFINE(name)                                                                               \
    static float name##_of_f32(float x) {                                                          \
        return gm_##name##_f32(x);                                                                 \
    }                                                                                              \
    static double name##_of_f64(double x) {                                                        \
        return gm_##name##_f64(x);                                                                 \
    }
DEFINE(exp)
DEFINE(expm1)
DEFINE(log)
DEFINE(sin)
DEFINE(cos)
DEFINE(tanh)
DEFINE(sqrt)
#define ENTRY(name) #name, name##_of_f32, name##_of_f64, name, name##l

static const function_case functions[] = {
    {ENTRY(exp), 1.03, 0.99, -746, 711}, {ENTRY(expm1), 1.48, 1.83, -40, 711},
    {ENTRY(log), 0.89, 0.76, 0, 4},      {ENTRY(sin), 1.67, 1.16, -100, 100},
    {ENTRY(cos), 1.81, 1.16, -100, 100}, {ENTRY(tanh), 1.52, 1.5, -20, 20},
    {ENTRY(sqrt), 0.5, 0.5001, 0, 4},
};

/* |got - exact| in units of the last of `digits` binary places of exact, 0 if both are NaN or both
 * infinite. */
static double error_in_ulp(double got, long double exact, int digits, int least_exponent) {
    if (isnan(exact) || isnan(got)) {
        return isnan(exact) && isnan(got) ? 0.0 : INFINITY;
    }
    const long double overflow = ldexpl(1.0L, 2 - least_exponent);
    if (fabsl(exact) >= overflow) {
        return isinf(got) && !signbit(got) == !signbit(exact) ? 0.0 : INFINITY;
    }
    if (exact == 0) {
        return got == 0 && !signbit(got) == !signbit(exact) ? 0.0 : INFINITY;
    }
    /* An infinite result is right where the exact one rounds to 2^128 (2^1024). */
    const long double value = isinf(got) ? copysignl(overflow, got) : (long double)got;
    const int exponent = ilogbl(exact);
    return (double)ldexpl(fabsl(value - exact),
                          digits - 1 - (exponent < least_exponent ? least_exponent : exponent));
}

static void check_f32(const function_case *f, float x, double *worst) {
    const double got = f->f32(x);
    const double error = error_in_ulp(got, f->exact_f32(x), 24, -126);
    if (!(error <= f->bound_f32)) {
        fail_msg("gm_%s_f32(%a) = %a: off by %.3f ulp, stated %.3f", f->name, x, got, error,
                 f->bound_f32);
    }
    *worst = fmax(*worst, error);
}

/* Claim: no float argument of an even sample of all of them is worse than stated (tests/ulp takes
 * every one, in half an hour), nor the infinities, which a sample misses. */
static void test_f32_errors(void **state) {
    (void)state;
    const uint64_t stride = getenv("GENMATH_TEST_FULL") != NULL ? 31 : 4099; /* primes */
    for (size_t i = 0; i < COUNT(functions); ++i) {
        double worst = 0;
        for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += stride) {
            check_f32(&functions[i], gm_from_bits_f32((uint32_t)bits), &worst);
        }
        check_f32(&functions[i], INFINITY, &worst);
        check_f32(&functions[i], -INFINITY, &worst);
        print_message("gm_%s_f32: %.4f ulp, stated %.2f\n", functions[i].name, worst,
                      functions[i].bound_f32);
    }
}

/* Any bits; all magnitudes; close to 1; close to a multiple of pi/2; the usual range. */
static double stratified(uint64_t i, double low, double high) {
    const uint64_t bits = next_random(); /* drawn first: C does not order the arguments of a call */
    switch (i % 5) {
    case 0:
        return gm_from_bits_f64(bits);
    case 1:
        return ldexp(random_in(-2, 2), (int)(bits % 70) - 60);
    case 2:
        return 1.0 + ldexp(random_in(-1, 1), -(int)(bits % 53));
    case 3:
        return (double)(1.570796326794896619231321691639751442L *
                        (long double)(next_random() >> (19 + bits % 45)));
    default:
        return random_in(low, high);
    }
}

static void test_f64_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(functions); ++i) {
        const function_case *f = &functions[i];
        double worst = 0;
        for (uint64_t j = 0; j < 400000; ++j) {
            const double x = stratified(j, f->low, f->high), got = f->f64(x);
            /* 0.001: what long double leaves of the exact value */
            const double error = error_in_ulp(got, f->exact_f64((long double)x), 53, -1022);
            if (!(error <= f->bound_f64 + 0.001)) {
                fail_msg("gm_%s_f64(%a) = %a: off by %.4f ulp, stated %.4f", f->name, x, got, error,
                         f->bound_f64);
            }
            worst = fmax(worst, error);
        }
        print_message("gm_%s_f64: %.4f ulp, stated %.2f\n", f->name, worst, f->bound_f64);
    }
}

static void test_pow_errors(void **state) {
    (void)state;
    double worst_f32 = 0, worst_f64 = 0;
    for (uint64_t i = 0; i < 300000; ++i) {
        const double x = stratified(i, 0, 4), l = log2(fabs(x));
        double y = i % 8 == 7 ? (double)(int64_t)(next_random() % 129) - 64 : random_in(-4, 4);
        if (i % 8 < 6 && l != 0 && isfinite(l)) {
            y = random_in(-1080, 1080) / l; /* the result has any exponent, or overflows */
        }
        const double error =
            error_in_ulp(gm_pow_f64(x, y), powl((long double)x, (long double)y), 53, -1022);
        if (!(error <= 1.2)) {
            fail_msg("gm_pow_f64(%a, %a) = %a: off by %.4f ulp", x, y, gm_pow_f64(x, y), error);
        }
        worst_f64 = fmax(worst_f64, error);

        const float xf = i % 2 == 0 ? gm_from_bits_f32((uint32_t)next_random()) : (float)x;
        const double lf = log2(fabs((double)xf));
        const float yf =
            (float)(i % 8 < 6 && lf != 0 && isfinite(lf) ? random_in(-152, 152) / lf : y);
        const double error_f32 = error_in_ulp(gm_pow_f32(xf, yf), pow(xf, yf), 24, -126);
        if (!(error_f32 <= 1.2)) {
            fail_msg("gm_pow_f32(%a, %a) = %a: off by %.4f ulp", xf, yf, gm_pow_f32(xf, yf),
                     error_f32);
        }
        worst_f32 = fmax(worst_f32, error_f32);
    }
    print_message("gm_pow_f32: %.4f ulp, stated 1.20; gm_pow_f64: %.4f, stated 1.20\n", worst_f32,
                  worst_f64);
}

/* ---- special values -------------------------------------------------------------------------- */

static bool same(double a, double b) {
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a == b && !signbit(a) == !signbit(b);
}

/* Claim: at every special argument the result is that of the C library, signed zeros included. */
static void test_special_values(void **state) {
    (void)state;
    const double values[] = {0.0,
                             -0.0,
                             1.0,
                             -1.0,
                             INFINITY,
                             -INFINITY,
                             NAN,
                             0.5,
                             -0.5,
                             2.0,
                             -2.0,
                             3.0,
                             -3.0,
                             0x1p-1074,
                             1e300,
                             -1e300,
                             0x1p-149,
                             -0x1p-149,
                             0x1p52,
                             0x1p53,
                             -0x1p53 - 2,
                             4503599627370497.0,
                             -4503599627370497.5,
                             8388609.0,
                             -8388607.0};
    for (size_t i = 0; i < COUNT(functions); ++i) {
        const function_case *f = &functions[i];
        const double edges[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, -1.0};
        for (size_t j = 0; j < COUNT(edges); ++j) {
            const bool rounded = edges[j] == -1.0 && f->f64 != log_of_f64 && f->f64 != sqrt_of_f64;
            if (!rounded) {
                assert_true(same(f->f64(edges[j]), f->exact_f32(edges[j])));
                assert_true(same(f->f32((float)edges[j]), f->exact_f32(edges[j])));
            }
        }
    }
    for (size_t i = 0; i < COUNT(values); ++i) {
        for (size_t j = 0; j < COUNT(values); ++j) {
            const double x = values[i], y = values[j], exact = pow(x, y), got = gm_pow_f64(x, y);
            if (!same(got, exact) &&
                !(fabs(got / exact - 1) < 1e-15 && !signbit(got) == !signbit(exact))) {
                fail_msg("gm_pow_f64(%a, %a) = %a: expected %a", x, y, got, exact);
            }
            const float xf = (float)x, yf = (float)y, got_f32 = gm_pow_f32(xf, yf);
            const double exact_f32 = (double)powf(xf, yf);
            if (!same(got_f32, exact_f32) && !(fabs(got_f32 / exact_f32 - 1) < 3e-7)) {
                fail_msg("gm_pow_f32(%a, %a) = %a: expected %a", xf, yf, got_f32, exact_f32);
            }
        }
    }
}

/* Results that rounding must not touch. */
static void test_exact_results(void **state) {
    (void)state;
    for (int n = -149; n < 128; ++n) {
        assert_true(gm_pow_f32(2.0f, (float)n) == ldexpf(1.0f, n));
    }
    for (int n = -1074; n < 1024; ++n) {
        assert_true(gm_pow_f64(2.0, (double)n) == ldexp(1.0, n));
    }
    for (int i = 0; i <= 4096; ++i) {
        assert_true(gm_sqrt_f64((double)i * i) == i);
        assert_true(gm_sqrt_f32((float)(i * i)) == (float)i);
    }
    assert_true(gm_exp_f32(0.0f) == 1.0f && gm_cos_f32(0.0f) == 1.0f && gm_log_f64(1.0) == 0.0);
    assert_true(gm_exp_f32(-104.0f) == 0.0f && gm_exp_f32(88.73f) == INFINITY);
    assert_true(gm_exp_f64(-745.2) == 0.0 && gm_exp_f64(709.79) == INFINITY);
    assert_true(gm_tanh_f32(10.0f) == 1.0f && gm_tanh_f64(-20.0) == -1.0);
}

/* ---- every compiled form gives the same bits ------------------------------------------------- */

enum { LANES = 4096 };

#define LANE_LOOPS(isa, TARGET)                                                                    \
    TARGET static void lanes_f32_##isa(int which, const float *restrict x,                         \
                                       const float *restrict y, float *restrict out){LANE_LOOP_OF( \
        f32)} TARGET static void lanes_f64_##isa(int which, const double *restrict x,              \
                                                 const double *restrict y, double *restrict out) { \
        LANE_LOOP_OF(f64)                                                                          \
    }
#define LANE_LOOP_OF(type)                                                                         \
    switch (which) {                                                                               \
    case 0:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_exp_##type(x[i]);                                                          \
        }                                                                                          \
        break;                                                                                     \
    case 1:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_expm1_##type(x[i]);                                                        \
        }                                                                                          \
        break;                                                                                     \
    case 2:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_log_##type(x[i]);                                                          \
        }                                                                                          \
        break;                                                                                     \
    case 3:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            gm_reach reach = {0, 0};                                                               \
            const __typeof__(out[i]) value = gm_sin_lane_##type(x[i], &reach);                     \
            out[i] = gm_is_wide(reach) ? 0 : value;                                                \
        }                                                                                          \
        break;                                                                                     \
    case 4:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            gm_reach reach = {0, 0};                                                               \
            const __typeof__(out[i]) value = gm_cos_lane_##type(x[i], &reach);                     \
            out[i] = gm_is_wide(reach) ? 0 : value;                                                \
        }                                                                                          \
        break;                                                                                     \
    case 5:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_tanh_##type(x[i]);                                                         \
        }                                                                                          \
        break;                                                                                     \
    case 6:                                                                                        \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_sqrt_##type(x[i]);                                                         \
        }                                                                                          \
        break;                                                                                     \
    default:                                                                                       \
        GM_LANE_LOOP for (int i = 0; i < LANES; ++i) {                                             \
            out[i] = gm_pow_##type(x[i], y[i]);                                                    \
        }                                                                                          \
    }
LANE_LOOPS(base, GM_TARGET_BASE)
#if GM_HAVE_X86_TARGETS
LANE_LOOPS(avx2, GM_TARGET_AVX2)
LANE_LOOPS(avx512, GM_TARGET_AVX512)
#endif

static bool bits_agree_f32(const float *a, const float *b) {
    for (int i = 0; i < LANES; ++i) {
        if (gm_bits_f32(a[i]) != gm_bits_f32(b[i]) && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

static bool bits_agree_f64(const double *a, const double *b) {
    for (int i = 0; i < LANES; ++i) {
        if (gm_bits_f64(a[i]) != gm_bits_f64(b[i]) && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

static void test_lanes_agree(void **state) {
    (void)state;
#if GM_HAVE_X86_TARGETS
    static float x[LANES], y[LANES], expected[LANES], got[LANES];
    static double xd[LANES], yd[LANES], expected_d[LANES], got_d[LANES];
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    for (int round = 0; round < 12; ++round) {
        for (int i = 0; i < LANES; ++i) {
            xd[i] = stratified((uint64_t)i + (uint64_t)round, -10, 10);
            yd[i] = random_in(-9, 9);
            x[i] = i % 4 == 0 ? gm_from_bits_f32((uint32_t)next_random()) : (float)xd[i];
            y[i] = (float)yd[i];
        }
        for (int which = 0; which < 8; ++which) {
            lanes_f32_base(which, x, y, expected);
            lanes_f64_base(which, xd, yd, expected_d);
            for (int i = 0; i < LANES && (which == 3 || which == 4); ++i) { /* sin, cos */
                const float f = which == 3 ? gm_sin_f32(x[i]) : gm_cos_f32(x[i]);
                const double d = which == 3 ? gm_sin_f64(xd[i]) : gm_cos_f64(xd[i]);
                assert_true(same(expected[i], fabsf(x[i]) >= GM_TRIG_LIMIT_F32 ? 0 : f));
                assert_true(same(expected_d[i], fabs(xd[i]) >= GM_TRIG_LIMIT_F64 ? 0 : d));
            }
            if (avx2) {
                lanes_f32_avx2(which, x, y, got);
                lanes_f64_avx2(which, xd, yd, got_d);
                assert_true(bits_agree_f32(expected, got));
                assert_true(bits_agree_f64(expected_d, got_d));
            }
            if (avx512) {
                lanes_f32_avx512(which, x, y, got);
                lanes_f64_avx512(which, xd, yd, got_d);
                assert_true(bits_agree_f32(expected, got));
                assert_true(bits_agree_f64(expected_d, got_d));
            }
        }
    }
    if (!avx512) {
        print_message("skipped: no AVX-512 here\n");
    }
#else
    print_message("skipped: one instruction set on this architecture\n");
#endif
}

/* Claim: the results of fixed arguments hash to what they did on the machine that measured the
 * errors. */
static void test_bits_are_pinned(void **state) {
    (void)state;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < 20000; ++i) {
        const double x = ((double)i - 10000) * 0.0037, positive = fabs(x) + 0.01;
        const float xf = (float)x, positive_f = (float)positive;
        const uint64_t bits[] = {
            gm_bits_f64(gm_exp_f64(x)),           gm_bits_f64(gm_expm1_f64(x)),
            gm_bits_f64(gm_log_f64(positive)),    gm_bits_f64(gm_sin_f64(x)),
            gm_bits_f64(gm_cos_f64(x)),           gm_bits_f64(gm_tanh_f64(x)),
            gm_bits_f64(gm_pow_f64(positive, x)), gm_bits_f32(gm_exp_f32(xf)),
            gm_bits_f32(gm_expm1_f32(xf)),        gm_bits_f32(gm_log_f32(positive_f)),
            gm_bits_f32(gm_sin_f32(xf)),          gm_bits_f32(gm_cos_f32(xf)),
            gm_bits_f32(gm_tanh_f32(xf)),         gm_bits_f32(gm_pow_f32(positive_f, xf))};
        for (size_t j = 0; j < COUNT(bits); ++j) {
            hash = (hash ^ bits[j]) * 0x100000001b3u;
            hash ^= hash >> 29;
        }
    }
    assert_true(hash == UINT64_C(0xcf2c906d10fe2122));
    hash = 0;
    for (uint32_t i = 0; i < 20000; ++i) { /* large arguments of sin and cos */
        const double x = ldexp(1 + i * 0x1p-15, (int)(45 + i % 979));
        const float xf = ldexpf(1 + (float)i * 0x1p-15f, (int)(20 + i % 108));
        const uint64_t bits[] = {gm_bits_f64(gm_sin_f64(x)), gm_bits_f64(gm_cos_f64(x)),
                                 gm_bits_f32(gm_sin_f32(xf)), gm_bits_f32(gm_cos_f32(xf))};
        for (size_t j = 0; j < COUNT(bits); ++j) {
            hash = (hash ^ bits[j]) * 0x100000001b3u;
            hash ^= hash >> 29;
        }
    }
    assert_true(hash == UINT64_C(0xba03cc83218ad41d));
}

static void test_names_take_the_type_of_their_argument(void **state) {
    (void)state;
    const float x = 0.5f;
    assert_int_equal(sizeof gm_exp(x), sizeof(float));
    assert_int_equal(sizeof gm_pow(x, 2.0f), sizeof(float));
    assert_int_equal(sizeof gm_pow(x, 2.0), sizeof(double));
    assert_int_equal(sizeof gm_sin(0.5), sizeof(double));
    assert_true(gm_exp(x) == gm_exp_f32(x) && gm_log(0.5) == gm_log_f64(0.5));
    assert_true(gm_tanh(1) == gm_tanh_f64(1.0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_exact_results),
        cmocka_unit_test(test_bits_are_pinned),
        cmocka_unit_test(test_f32_errors),
        cmocka_unit_test(test_f64_errors),
        cmocka_unit_test(test_pow_errors),
        cmocka_unit_test(test_lanes_agree),
        cmocka_unit_test(test_names_take_the_type_of_their_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
