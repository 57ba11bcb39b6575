/*
 * sin and cos of math.h in both precisions, for every argument. Two reductions by quarter turns:
 * below a limit by one multiplication and pi/2 in a few words, as vector code; from there on by the
 * bits of 2/pi, in integers.
 */
#ifndef GENMATH_DETAIL_TRIG_H
#define GENMATH_DETAIL_TRIG_H

#include <genmath/detail/arithmetic.h>

/* ---- sine and cosine of what is left -----------------------------------------------------------
 */

/*
 * sin(h) and cos(h) for |h| <= pi/4 + 0.045: near the limit the nearest quarter turn is found only
 * to that. Relative errors of the fits 2^-27.2 and 2^-32.1.
 */
GM_INLINE float gm_sin_poly_f32(float h) {
    const float t = h * h;
    float p = -0x1.9862b8p-13f;
    p = gm_fma_f32(p, t, 0x1.110486p-7f);
    p = gm_fma_f32(p, t, -0x1.55553ep-3f);
    return gm_fma_f32(h * t, p, h);
}

GM_INLINE float gm_cos_poly_f32(float h) {
    const float t = h * h;
    float p = 0x1.993bc8p-16f;
    p = gm_fma_f32(p, t, -0x1.6c09cp-10f);
    p = gm_fma_f32(p, t, 0x1.555546p-5f);
    p = gm_fma_f32(p, t, -0.5f);
    return gm_fma_f32(t, p, 1.0f);
}

/* sin(h + l) and cos(h + l), |h| <= pi/4 + 0.0035, l below an ulp of h. Fits: 2^-57.8 and 2^-63.8.
 */
GM_INLINE double gm_sin_poly_f64(double h, double l) {
    const double t = h * h;
    double p = 0x1.5d88b99379f6bp-33;
    p = gm_fma_f64(p, t, -0x1.ae5e43540c51dp-26);
    p = gm_fma_f64(p, t, 0x1.71de354c09c20p-19);
    p = gm_fma_f64(p, t, -0x1.a01a019be0ac0p-13);
    p = gm_fma_f64(p, t, 0x1.111111110f705p-7);
    p = gm_fma_f64(p, t, -0x1.5555555555548p-3);
    return h + gm_fma_f64(h * t, p, l);
}

GM_INLINE double gm_cos_poly_f64(double h, double l) {
    const double t = h * h;
    double p = -0x1.8f99cb68c2bb4p-37;
    p = gm_fma_f64(p, t, 0x1.1ee9c3355f4c3p-29);
    p = gm_fma_f64(p, t, -0x1.27e4f7cd317f6p-22);
    p = gm_fma_f64(p, t, 0x1.a01a019c5c392p-16);
    p = gm_fma_f64(p, t, -0x1.6c16c16c14e00p-10);
    p = gm_fma_f64(p, t, 0x1.555555555554ap-5);
    p = gm_fma_f64(p, t, -0.5);
    return 1.0 + gm_fma_f64(t, p, -gm_multiply_f64(h, l));
}

/* ---- reduction of an argument below the limit --------------------------------------------------
 */

/*
 * From these arguments on the nearest quarter turn is no longer found by one multiplication, and
 * gm_trig_reduce_wide_* below finds it from the bits of 2/pi.
 */
#define GM_TRIG_LIMIT_F32 0x1p20f
#define GM_TRIG_LIMIT_F64 0x1p45

/*
 * x = n pi/2 + r, 0 <= x below the limit: n in the low bits of *quarter. pi/2 in three words; the
 * first step is exact, each later one rounds relative to what is left.
 */
GM_INLINE float gm_trig_reduce_near_f32(float x, uint32_t *quarter) {
    const float biased = gm_fma_f32(x, 0x1.45f306p-1f, GM_ROUND_F32);
    const float n = biased - GM_ROUND_F32;
    *quarter = gm_bits_f32(biased);
    float r = gm_fma_f32(n, -0x1.921fb6p+0f, x);
    r = gm_fma_f32(n, 0x1.777a5cp-25f, r);
    return gm_fma_f32(n, 0x1.ee59dap-50f, r);
}

/*
 * The double form keeps what the second step rounds away: near a multiple of pi/2 it is all that is
 * right. n * C2 is rounded by a fused multiply-add with a computed zero, which no compiler
 * contracts.
 */
GM_INLINE double gm_trig_reduce_near_f64(double x, uint64_t *quarter, double *low) {
    const double biased = gm_fma_f64(x, 0x1.45f306dc9c883p-1, GM_ROUND_F64);
    const double n = biased - GM_ROUND_F64;
    *quarter = gm_bits_f64(biased);
    const double r = gm_fma_f64(n, -0x1.921fb54442d18p+0, x);
    const double product = gm_fma_f64(n, 0x1.1a62633145c07p-54, n - n);
    const double product_low = gm_fma_f64(n, 0x1.1a62633145c07p-54, -product);
    const double h = r - product;
    const double back = h - r;
    const double h_low = (r - (h - back)) - (product + back);
    const double l = gm_fma_f64(n, 0x1.f1976b7ed8fbcp-110, h_low - product_low);
    const double sum = h + l;
    *low = l - (sum - h);
    return sum;
}

/* ---- reduction of a large argument -------------------------------------------------------------
 */

/*
 * The method of Payne and Hanek (ACM SIGNUM Newsletter 18, 1983): x = m 2^e with an integer m, and
 * of the bits of 2/pi only a window matters. Bits before it contribute whole turns to x 2/pi, bits
 * after it too little. Integers alone until the fraction of a quarter is known.
 *
 * How wide: no float above 1 is closer to a multiple of pi/2 than 2^-29.3 (16367173 * 2^72), no
 * double closer than 2^-60.9 (6381956970095103 * 2^797; Muller, Elementary Functions, chapter on
 * range reduction; found again by continued fractions for this file). In quarters that is 2^-29.9
 * and 2^-61.6. A window of 96 (192) bits leaves x 2/pi mod 4 with an error below 2^(24 - 94)
 * (2^(53 - 190)); of the product the first 64 (128) bits are used, which drops less than 2^-62
 * (2^-126). The fraction of a quarter is right to 2^-32 (2^-64) of itself: 2^-8 (2^-11) ulp.
 */

/*
 * 64 bits of 2/pi = 0.a2f9836e...; the one at `first` = 64 has the weight 1/2, 64 zeros are before
 * it. The largest double needs first = 1161 and reads the last word.
 */
GM_INLINE uint64_t gm_two_over_pi(uint32_t first) {
    static const uint64_t words[] = {
        0x0000000000000000u, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u,
        0xfe5163abdebbc561u, 0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu,
        0xe88235f52ebb4484u, 0xe99c7026b45f7e41u, 0x3991d639835339f4u, 0x9c845f8bbdf9283bu,
        0x1ff897ffde05980fu, 0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u, 0x4f463f669e5fea2du,
        0x7527bac7ebe5f17bu, 0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu};
    const uint32_t shift = first & 63u;
    return words[first >> 6] << shift | words[(first >> 6) + 1] >> 1 >> (63u - shift);
}

/* The upper half of a * b. */
GM_INLINE uint64_t gm_multiply_high(uint64_t a, uint64_t b) {
    const uint64_t a_low = a & 0xffffffffu, a_high = a >> 32;
    const uint64_t b_low = b & 0xffffffffu, b_high = b >> 32;
    const uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
    const uint64_t other = a_low * b_high + (middle & 0xffffffffu);
    return a_high * b_high + (middle >> 32) + (other >> 32);
}

/* x = n pi/2 + r for 2^20 <= x, n in the low bits of *quarter, |r| <= pi/4; NaN if x is not finite.
 */
GM_INLINE float gm_trig_reduce_wide_f32(float x, uint32_t *quarter) {
    const uint32_t biased = gm_bits_f32(x) >> 23;
    if (biased >= 255u) {
        *quarter = 0;
        return x - x;
    }
    /* The window begins at the bit whose product with m 2^e has the weight 2 for m = 1. */
    const uint64_t m = (gm_bits_f32(x) & 0x007fffffu) | 0x00800000u;
    const uint32_t first = biased - (150u - 62u);
    const uint64_t turns =
        m * gm_two_over_pi(first) + (m * (gm_two_over_pi(first + 64u) >> 32) >> 32);
    const uint64_t nearest = (turns + 0x2000000000000000u) >> 62;
    *quarter = (uint32_t)nearest;
    const int64_t rest = (int64_t)(turns - (nearest << 62)); /* |rest| <= 2^61, in 2^-62 quarters */
    const float high = (float)rest, low = (float)(rest - (int64_t)high);
    const float product_low =
        gm_fma_f32(high, -0x1.777a5cp-87f, gm_multiply_f32(low, 0x1.921fb6p-62f));
    return gm_fma_f32(high, 0x1.921fb6p-62f, product_low);
}

/* The same for 2^45 <= x; r is the result + *low. */
GM_INLINE double gm_trig_reduce_wide_f64(double x, uint64_t *quarter, double *low) {
    const uint32_t biased = (uint32_t)(gm_bits_f64(x) >> 52);
    if (biased >= 2047u) {
        *quarter = 0;
        *low = 0.0;
        return x - x;
    }
    const uint64_t m = (gm_bits_f64(x) & 0x000fffffffffffffu) | 0x0010000000000000u;
    const uint32_t first = biased - (1075u - 62u);
    const uint64_t second = gm_two_over_pi(first + 64u);
    const uint64_t carried = gm_multiply_high(m, gm_two_over_pi(first + 128u));
    const uint64_t lower = m * second + carried;
    const uint64_t turns =
        m * gm_two_over_pi(first) + gm_multiply_high(m, second) + (lower < carried ? 1u : 0u);
    *quarter = (turns + 0x2000000000000000u) >> 62;
    const int64_t upper = (int64_t)(turns - (*quarter << 62));

    /* upper 2^64 + lower, in 2^-126 quarters, as three exact numbers and then as two. */
    const double a = (double)(upper >> 20) * 0x1p84;
    const double b = (double)(int64_t)((((uint64_t)upper & 0xfffffu) << 22) | lower >> 42) * 0x1p42;
    const double c = (double)(int64_t)(lower & 0x3ffffffffffu);
    const double ab = a + b;
    const double rest = (b - (ab - a)) + c;
    const double f = ab + rest;
    const double f_low = rest - (f - ab);

    /* Times pi/2; n * C is rounded as in gm_trig_reduce_near_f64. */
    const double product = gm_fma_f64(f, 0x1.921fb54442d18p-126, f - f);
    const double rounded = gm_fma_f64(f, 0x1.921fb54442d18p-126, -product);
    const double inner = gm_fma_f64(f_low, 0x1.921fb54442d18p-126, rounded);
    const double product_low = gm_fma_f64(f, 0x1.1a62633145c07p-180, inner);
    const double h = product + product_low;
    *low = product_low - (h - product);
    return h;
}

/* ---- sin, cos ----------------------------------------------------------------------------------
 */

/* Of any x >= 0; NaN for infinity. */
GM_INLINE float gm_trig_reduce_f32(float x, uint32_t *quarter) {
    return x < GM_TRIG_LIMIT_F32 ? gm_trig_reduce_near_f32(x, quarter)
                                 : gm_trig_reduce_wide_f32(x, quarter);
}

GM_INLINE double gm_trig_reduce_f64(double x, uint64_t *quarter, double *low) {
    return x < GM_TRIG_LIMIT_F64 ? gm_trig_reduce_near_f64(x, quarter, low)
                                 : gm_trig_reduce_wide_f64(x, quarter, low);
}

/* sin(h + quarter pi/2); the double form of h + l. */
GM_INLINE float gm_sin_quarter_f32(float h, uint32_t quarter) {
    const uint32_t s = gm_bits_f32(gm_sin_poly_f32(h)), c = gm_bits_f32(gm_cos_poly_f32(h));
    return gm_from_bits_f32(((quarter & 1u) != 0 ? c : s) ^ ((quarter << 30) & GM_SIGN_F32));
}

GM_INLINE double gm_sin_quarter_f64(double h, double l, uint64_t quarter) {
    const uint64_t s = gm_bits_f64(gm_sin_poly_f64(h, l)), c = gm_bits_f64(gm_cos_poly_f64(h, l));
    return gm_from_bits_f64(((quarter & 1u) != 0 ? c : s) ^ ((quarter << 62) & GM_SIGN_F64));
}

GM_INLINE float gm_flip_sign_f32(float x, float sign) {
    return gm_from_bits_f32(gm_bits_f32(x) ^ (gm_bits_f32(sign) & GM_SIGN_F32));
}

GM_INLINE double gm_flip_sign_f64(double x, double sign) {
    return gm_from_bits_f64(gm_bits_f64(x) ^ (gm_bits_f64(sign) & GM_SIGN_F64));
}

/* sin(x), x in radians, over the whole range; NaN if x is not finite. Error: 1.67 ulp. */
GM_INLINE float gm_sin_f32(float x) {
    uint32_t quarter;
    const float h = gm_trig_reduce_f32(gm_abs_f32(x), &quarter);
    return gm_flip_sign_f32(gm_sin_quarter_f32(h, quarter), x);
}

/* Error: 1.16 ulp. */
GM_INLINE double gm_sin_f64(double x) {
    uint64_t quarter;
    double l;
    const double h = gm_trig_reduce_f64(gm_abs_f64(x), &quarter, &l);
    return gm_flip_sign_f64(gm_sin_quarter_f64(h, l, quarter), x);
}

/* cos(x), as gm_sin_f32. Error: 1.81 ulp. */
GM_INLINE float gm_cos_f32(float x) {
    uint32_t quarter;
    const float h = gm_trig_reduce_f32(gm_abs_f32(x), &quarter);
    return gm_sin_quarter_f32(h, quarter + 1u);
}

/* Error: 1.16 ulp. */
GM_INLINE double gm_cos_f64(double x) {
    uint64_t quarter;
    double l;
    const double h = gm_trig_reduce_f64(gm_abs_f64(x), &quarter, &l);
    return gm_sin_quarter_f64(h, l, quarter + 1u);
}

/* ---- sin, cos in a lane ------------------------------------------------------------------------
 */

/*
 * The same without a branch, for a loop that is to be vectorised: the same bits below the limit,
 * and no meaning from there on, of which the caller learns by the largest argument, noted in
 * *reach. The lanes of GM_SYSTEM take their step again where gm_is_wide says so.
 */
typedef struct gm_reach {
    float f32;
    double f64;
} gm_reach;

GM_INLINE int gm_is_wide(gm_reach reach) {
    return (reach.f32 >= GM_TRIG_LIMIT_F32) | (reach.f64 >= GM_TRIG_LIMIT_F64);
}

GM_INLINE float gm_trig_reduce_lane_f32(float x, uint32_t *quarter, gm_reach *reach) {
    reach->f32 = x > reach->f32 ? x : reach->f32;
    return gm_trig_reduce_near_f32(x, quarter);
}

GM_INLINE double gm_trig_reduce_lane_f64(double x, uint64_t *quarter, double *low,
                                         gm_reach *reach) {
    reach->f64 = x > reach->f64 ? x : reach->f64;
    return gm_trig_reduce_near_f64(x, quarter, low);
}

GM_INLINE float gm_sin_lane_f32(float x, gm_reach *reach) {
    uint32_t quarter;
    const float h = gm_trig_reduce_lane_f32(gm_abs_f32(x), &quarter, reach);
    return gm_flip_sign_f32(gm_sin_quarter_f32(h, quarter), x);
}

GM_INLINE double gm_sin_lane_f64(double x, gm_reach *reach) {
    uint64_t quarter;
    double l;
    const double h = gm_trig_reduce_lane_f64(gm_abs_f64(x), &quarter, &l, reach);
    return gm_flip_sign_f64(gm_sin_quarter_f64(h, l, quarter), x);
}

GM_INLINE float gm_cos_lane_f32(float x, gm_reach *reach) {
    uint32_t quarter;
    const float h = gm_trig_reduce_lane_f32(gm_abs_f32(x), &quarter, reach);
    return gm_sin_quarter_f32(h, quarter + 1u);
}

GM_INLINE double gm_cos_lane_f64(double x, gm_reach *reach) {
    uint64_t quarter;
    double l;
    const double h = gm_trig_reduce_lane_f64(gm_abs_f64(x), &quarter, &l, reach);
    return gm_sin_quarter_f64(h, l, quarter + 1u);
}

/* ---- the names that take the type of their argument --------------------------------------------
 */

#if defined(__CUDACC__) || defined(GM_KERNEL_SYSTEMS)
GM_INLINE float gm_sin(float x) {
    return gm_sin_f32(x);
}
GM_INLINE double gm_sin(double x) {
    return gm_sin_f64(x);
}
GM_INLINE float gm_cos(float x) {
    return gm_cos_f32(x);
}
GM_INLINE double gm_cos(double x) {
    return gm_cos_f64(x);
}
#else
/*
 * On the host gm_sin(x) stands for gm_sin_lane_* in the body of a vectorised stepper and for
 * gm_sin_* everywhere else. The scope tells them apart: such a body has a parameter gm_lane_reach,
 * a gm_reach *, and everywhere else that is the name of this function, which, unlike a variable,
 * may be hidden without a warning.
 */
GM_INLINE void gm_lane_reach(void) {
}
typedef void (*gm_no_reach)(void);

#ifdef __cplusplus
#define GM_TRIG_NAMES(name, precision, suffix)                                                     \
    GM_INLINE precision gm_##name##_at(precision x, gm_no_reach) {                                 \
        return gm_##name##_##suffix(x);                                                            \
    }                                                                                              \
    GM_INLINE precision gm_##name##_at(precision x, gm_reach *reach) {                             \
        return gm_##name##_lane_##suffix(x, reach);                                                \
    }
#define GM_TRIG_AT(name, x) name##_at
#else
#define GM_TRIG_NAMES(name, precision, suffix)                                                     \
    GM_INLINE precision gm_##name##_elsewhere_##suffix(precision x, gm_no_reach none) {            \
        (void)none;                                                                                \
        return gm_##name##_##suffix(x);                                                            \
    }
#define GM_TRIG_AT(name, x)                                                                        \
    _Generic((gm_lane_reach), gm_reach *                                                           \
             : GM_MATH_GENERIC(name##_lane, x), default                                            \
             : GM_MATH_GENERIC(name##_elsewhere, x))
#endif
GM_TRIG_NAMES(sin, float, f32)
GM_TRIG_NAMES(sin, double, f64)
GM_TRIG_NAMES(cos, float, f32)
GM_TRIG_NAMES(cos, double, f64)
#undef GM_TRIG_NAMES
#define gm_sin(x) GM_TRIG_AT(gm_sin, x)((x), gm_lane_reach)
#define gm_cos(x) GM_TRIG_AT(gm_cos, x)((x), gm_lane_reach)
#endif

#endif
