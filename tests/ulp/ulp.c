/*
 * Measures the errors stated in include/genmath/math.h and philox.h: `ulp <function> [points]`, for
 * example `ulp exp_f32` or `ulp sin_f64 100000000`. Float functions of one argument are measured at
 * every argument against double libm, float pow and normals on a stratified set likewise, double
 * functions on a stratified set against libquadmath.
 *
 *     gcc -std=gnu17 -O3 -march=native -ffp-contract=off -fno-math-errno -Iinclude \
 *         tests/ulp/ulp.c -o ulp -lquadmath -lm
 */
#include <inttypes.h>
#include <math.h>
#include <quadmath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/philox.h>

enum { BLOCK = 4096 };

typedef struct worst {
    double error; /* ulp */
    double x, y, got;
    uint64_t wrong; /* NaN or infinity on one side only */
} worst;

static void note(worst *w, double error, double x, double y, double got) {
    if (!(error <= w->error)) {
        *w = (worst){error, x, y, got, w->wrong};
    }
}

/* An infinite result stands for 2^128 (2^1024): right where the exact one rounds there. */
static void check_f32(worst *w, float x, float y, float got, double exact) {
    if (isnan(got) || isnan(exact)) {
        if (isnan(got) != isnan(exact) && w->wrong++ == 0) {
            note(w, HUGE_VAL, x, y, got);
        }
        return;
    }
    if (isinf(exact) || exact == 0.0) {
        if (exact != (double)got && fabs(exact) > 0.0 && w->wrong++ == 0) {
            note(w, HUGE_VAL, x, y, got);
        }
        if (exact == 0.0 && (got != 0.0f || !signbit(got) != !signbit(exact)) && w->wrong++ == 0) {
            note(w, HUGE_VAL, x, y, got);
        }
        return;
    }
    const int exponent = ilogb(exact);
    const double value = isinf(got) ? copysign(0x1p128, got) : (double)got;
    if (fabs(exact) >= 0x1p128) {
        if (!isinf(got)) {
            note(w, HUGE_VAL, x, y, got);
        }
        return;
    }
    note(w, fabs(value - exact) * ldexp(1.0, 23 - (exponent < -126 ? -126 : exponent)), x, y, got);
}

static void check_f64(worst *w, double x, double y, double got, __float128 exact) {
    if (isnan(got) || isnanq(exact)) {
        if (isnan(got) != isnanq(exact) && w->wrong++ == 0) {
            note(w, HUGE_VAL, x, y, got);
        }
        return;
    }
    if (isinfq(exact) || exact == 0 || fabsq(exact) >= 0x1p1024Q) {
        if ((double)exact != got || !signbit(got) != !signbitq(exact)) {
            if (w->wrong++ == 0) {
                note(w, HUGE_VAL, x, y, got);
            }
        }
        return;
    }
    const int exponent = ilogbq(exact);
    const __float128 value = isinf(got) ? (got < 0 ? -0x1p1024Q : 0x1p1024Q) : (__float128)got;
    note(w, (double)(fabsq(value - exact) * ldexpq(1, 52 - (exponent < -1022 ? -1022 : exponent))),
         x, y, got);
}

static uint64_t state = 0x9e3779b97f4a7c15u;
static uint64_t next(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static double uniform(double a, double b) {
    return a + (b - a) * (double)(next() >> 11) * 0x1p-53;
}

/* A double: in turn any bits; any exponent near 0; in [low, high]; close to 1; close to a multiple
 * of pi/2. */
static double stratum(uint64_t i, double low, double high) {
    double x;
    switch (i % 6) {
    case 0: {
        const uint64_t bits = next();
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    case 1:
        return ldexp(uniform(-2.0, 2.0), (int)(next() % 70) - 60);
    case 2:
        return 1.0 + ldexp(uniform(-1.0, 1.0), -(int)(next() % 53));
    case 3:
        return (double)(M_PI_2q * (__float128)(next() >> next() % 64));
    default:
        return uniform(low, high);
    }
}

#define UNARY(X)                                                                                   \
    X(exp, -746, 711)                                                                              \
    X(expm1, -40, 711)                                                                             \
    X(log, 0, 4)                                                                                   \
    X(sin, -100, 100)                                                                              \
    X(cos, -100, 100)                                                                              \
    X(tanh, -20, 20)                                                                               \
    X(sqrt, 0, 4)

#define DEFINE(name, low, high)                                                                    \
    static worst name##_f32(void) {                                                                \
        static float x[BLOCK], y[BLOCK];                                                           \
        worst w = {0};                                                                             \
        for (uint64_t first = 0; first < (UINT64_C(1) << 32); first += BLOCK) {                    \
            for (uint32_t i = 0; i < BLOCK; ++i) {                                                 \
                x[i] = gm_from_bits_f32((uint32_t)first + i);                                      \
            }                                                                                      \
            GM_LANE_LOOP for (int i = 0; i < BLOCK; ++i) {                                         \
                y[i] = gm_##name##_f32(x[i]);                                                      \
            }                                                                                      \
            for (int i = 0; i < BLOCK; ++i) {                                                      \
                check_f32(&w, x[i], 0.0f, y[i], name(x[i]));                                       \
            }                                                                                      \
        }                                                                                          \
        return w;                                                                                  \
    }                                                                                              \
    static worst name##_f64(uint64_t points) {                                                     \
        static double x[BLOCK], y[BLOCK];                                                          \
        worst w = {0};                                                                             \
        for (uint64_t first = 0; first < points; first += BLOCK) {                                 \
            for (uint32_t i = 0; i < BLOCK; ++i) {                                                 \
                x[i] = stratum(first + i, low, high);                                              \
            }                                                                                      \
            GM_LANE_LOOP for (int i = 0; i < BLOCK; ++i) {                                         \
                y[i] = gm_##name##_f64(x[i]);                                                      \
            }                                                                                      \
            for (int i = 0; i < BLOCK; ++i) {                                                      \
                check_f64(&w, x[i], 0.0, y[i], name##q((__float128)x[i]));                         \
            }                                                                                      \
        }                                                                                          \
        return w;                                                                                  \
    }
UNARY(DEFINE)

/* x and y such that x^y is mostly finite: y log2 x within the range of exponents. */
static double exponent_for(double x, double range, uint64_t i) {
    if (i % 8 == 7) {
        return (double)((int64_t)(next() % 129) - 64) * (i % 16 == 7 ? 1.0 : 0.5);
    }
    const double l = log2(fabs(x));
    return l == 0.0 || !isfinite(l) ? uniform(-4.0, 4.0) : uniform(-range, range) / l;
}

static worst pow_f32(uint64_t points) {
    static float x[BLOCK], y[BLOCK], z[BLOCK];
    worst w = {0};
    for (uint64_t first = 0; first < points; first += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; ++i) {
            x[i] =
                i % 2 == 0 ? gm_from_bits_f32((uint32_t)next()) : (float)stratum(first + i, 0, 4);
            y[i] = (float)exponent_for(x[i], 152, first + i);
        }
        GM_LANE_LOOP for (int i = 0; i < BLOCK; ++i) {
            z[i] = gm_pow_f32(x[i], y[i]);
        }
        for (int i = 0; i < BLOCK; ++i) {
            check_f32(&w, x[i], y[i], z[i], pow(x[i], y[i]));
        }
    }
    return w;
}

static worst pow_f64(uint64_t points) {
    static double x[BLOCK], y[BLOCK], z[BLOCK];
    worst w = {0};
    for (uint64_t first = 0; first < points; first += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; ++i) {
            x[i] = stratum(first + i, 0, 4);
            y[i] = exponent_for(x[i], 1080, first + i);
        }
        GM_LANE_LOOP for (int i = 0; i < BLOCK; ++i) {
            z[i] = gm_pow_f64(x[i], y[i]);
        }
        for (int i = 0; i < BLOCK; ++i) {
            check_f64(&w, x[i], y[i], z[i], powq((__float128)x[i], (__float128)y[i]));
        }
    }
    return w;
}

/* Both normals of random words; every other point has an angle near a multiple of a quarter turn.
 */
static worst normal_f32(uint64_t points) {
    static uint32_t radius[BLOCK], angle[BLOCK];
    static float z0[BLOCK], z1[BLOCK];
    worst w = {0};
    for (uint64_t first = 0; first < points; first += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; ++i) {
            const uint64_t bits = next();
            radius[i] =
                i % 4 == 3 ? (uint32_t)(bits >> (32 + next() % 32)) : (uint32_t)(bits >> 32);
            angle[i] = i % 2 == 0 ? (uint32_t)bits
                                  : (uint32_t)((next() << 30) + (bits >> (32 + next() % 32)));
        }
        GM_LANE_LOOP for (int i = 0; i < BLOCK; ++i) {
            gm_box_muller_f32(radius[i], angle[i], &z0[i], &z1[i]);
        }
        for (int i = 0; i < BLOCK; ++i) {
            const double r = sqrt(-2.0 * log(gm_uniform_fine_f32(radius[i])));
            /* The rest after the nearest quarter turn, a float as philox.h defines it. */
            const double eighth = ldexp((float)(int32_t)(angle[i] << 2), -31) * (M_PI / 4.0);
            const uint32_t quarter = (angle[i] + 0x20000000u) >> 30;
            const double cs[2] = {cos(eighth), sin(eighth)};
            const double s = (quarter & 2u ? -1.0 : 1.0) * cs[~quarter & 1u];
            const double c = (quarter + 1u & 2u ? -1.0 : 1.0) * cs[quarter & 1u];
            if (r * c != 0.0 || z0[i] != 0.0f) {
                check_f32(&w, (float)radius[i], (float)angle[i], z0[i], r * c);
            }
            if (r * s != 0.0 || z1[i] != 0.0f) {
                check_f32(&w, (float)radius[i], (float)angle[i], z1[i], r * s);
            }
        }
    }
    return w;
}

static worst normal_f64(uint64_t points) {
    worst w = {0};
    for (uint64_t i = 0; i < points; ++i) {
        const uint64_t a = next() >> (i % 4 == 3 ? next() % 64 : 0);
        const uint64_t b = i % 2 == 0 ? next() : (next() << 62) + (next() >> (next() % 64));
        const gm_words words = {(uint32_t)(a >> 32), (uint32_t)a, (uint32_t)(b >> 32), (uint32_t)b};
        double z0, z1;
        gm_box_muller_f64(words, &z0, &z1);
        const __float128 r = sqrtq(-2 * logq(gm_uniform_f64(words.w0, words.w1)));
        const __float128 turn = 2 * M_PIq * ldexpq((__float128)((int64_t)b >> 10), -54);
        if ((b & UINT64_C(0x3ffffffffffffc00)) != 0) { /* not on an axis */
            check_f64(&w, (double)a, (double)b, z0, r * cosq(turn));
            check_f64(&w, (double)a, (double)b, z1, r * sinq(turn));
        }
    }
    return w;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    const uint64_t points = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    worst w = {.error = -1.0};
#define RUN(function, low, high)                                                                   \
    if (strcmp(name, #function "_f32") == 0) {                                                     \
        w = function##_f32();                                                                      \
    } else if (strcmp(name, #function "_f64") == 0) {                                              \
        w = function##_f64(points);                                                                \
    } else
    UNARY(RUN)
    if (strcmp(name, "pow_f32") == 0) {
        w = pow_f32(points);
    } else if (strcmp(name, "pow_f64") == 0) {
        w = pow_f64(points);
    } else if (strcmp(name, "normal_f32") == 0) {
        w = normal_f32(points);
    } else if (strcmp(name, "normal_f64") == 0) {
        w = normal_f64(points);
    } else {
        fprintf(stderr,
                "usage: ulp exp|expm1|log|sin|cos|tanh|sqrt|pow|normal _f32|_f64 [points]\n");
        return 2;
    }
    printf("%-10s %.4f ulp at x = %a y = %a: %a; special values wrong: %" PRIu64 "\n", name,
           w.error, w.x, w.y, w.got, w.wrong);
    return w.wrong != 0;
}
