/*
 * Elementary functions for lane loops and kernels: exp, expm1, log, sin, cos, tanh, pow, sqrt in
 * both precisions. One source for C, CUDA, NVRTC and the emulator, with no call into a math
 * library, no table and no branch, so that a compiler vectorises a loop over them and the bits are
 * equal on every backend. Float functions touch no double. The exception is a large argument of
 * sin or cos, which takes a branch to a table: in the body of a GM_SYSTEM a loop over lanes is
 * vectorised nevertheless, elsewhere it takes gm_sin_lane_f32 and its like of detail/trig.h.
 *
 *     gm_exp(x) gm_expm1(x) gm_log(x) gm_sin(x) gm_cos(x) gm_tanh(x) gm_sqrt(x) gm_pow(x, y)
 *
 * take the type of their argument; gm_exp_f32, gm_exp_f64 ... name it.
 *
 * Bits: a product that feeds a sum is always an explicit fused multiply-add, so a compiler that
 * contracts expressions and one that does not give the same result. A NaN result is a NaN on every
 * backend, its payload is not defined. Rounding to nearest and gradual underflow are assumed.
 *
 * Errors below are the largest measured, rounded up, in units in the last place of the exact
 * result: float over every argument (pow: 5e8 pairs), double over 1e8 arguments spread over all
 * exponents and denser near the hard cases (tests/ulp). Special values follow C Annex F.
 *
 * Speed on the CPU needs fused multiply-add instructions (AVX2 or AVX-512 clones); without them
 * each one is a library call: right, and slow.
 *
 * Sources: argument reduction after Cody and Waite (Software Manual for the Elementary Functions,
 * 1980) with exact steps by fused multiply-add; logarithm by the odd series in (m - 1) / (m + 1)
 * (Tang, ACM TOMS 16, 1990); double-word arithmetic after Dekker (Numer. Math. 18, 1971).
 * Polynomials are minimax fits (Remez) made for these intervals, coefficients rounded one by one.
 */
#ifndef GENMATH_MATH_H
#define GENMATH_MATH_H

#include <genmath/detail/arithmetic.h>
#include <genmath/detail/trig.h>

/* ---- exp, expm1 --------------------------------------------------------------------------------
 */

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; relative error of exp(r) 2^-28.1 and 2^-63.1. */
GM_INLINE float gm_exp_poly_f32(float r) {
    float p = 0x1.6afccep-10f;
    p = gm_fma_f32(p, r, 0x1.124486p-7f);
    p = gm_fma_f32(p, r, 0x1.555826p-5f);
    p = gm_fma_f32(p, r, 0x1.555482p-3f);
    return gm_fma_f32(p, r, 0x1.fffffcp-2f);
}

GM_INLINE double gm_exp_poly_f64(double r) {
    double p = 0x1.20522da46d01dp-29;
    p = gm_fma_f64(p, r, 0x1.af744f1ac5e9ep-26);
    p = gm_fma_f64(p, r, 0x1.27e449b55aaf1p-22);
    p = gm_fma_f64(p, r, 0x1.71ddeaa9b9d61p-19);
    p = gm_fma_f64(p, r, 0x1.a01a01e8dbe9dp-16);
    p = gm_fma_f64(p, r, 0x1.a01a01b5f516dp-13);
    p = gm_fma_f64(p, r, 0x1.6c16c16c0a3dfp-10);
    p = gm_fma_f64(p, r, 0x1.111111110e549p-7);
    p = gm_fma_f64(p, r, 0x1.555555555556cp-5);
    p = gm_fma_f64(p, r, 0x1.555555555555dp-3);
    return gm_fma_f64(p, r, 0.5);
}

/*
 * exp(x + low) for x in [-104, 89] (double: [-746, 710]), |low| below an ulp of x: x = k ln 2 + r,
 * result 2^k exp(r). The power of two is applied in two factors: both are normal numbers, and the
 * only rounding is that of a subnormal result.
 */
GM_INLINE float gm_exp_core_f32(float x, float low) {
    const float biased = gm_fma_f32(x, 0x1.715476p+0f, GM_ROUND_F32);
    const float k = biased - GM_ROUND_F32;
    float r = gm_fma_f32(k, -0x1.62e43p-1f, x);
    r = gm_fma_f32(k, 0x1.05c61p-29f, r) + low;
    const float p = 1.0f + gm_fma_f32(r * r, gm_exp_poly_f32(r), r);
    const uint32_t n = gm_bits_f32(biased) - GM_ROUND_BITS_F32 + 254u; /* k + 2 * 127 */
    const uint32_t half = n >> 1;
    return p * gm_from_bits_f32(half << 23) * gm_from_bits_f32((n - half) << 23);
}

GM_INLINE double gm_exp_core_f64(double x, double low) {
    const double biased = gm_fma_f64(x, 0x1.71547652b82fep+0, GM_ROUND_F64);
    const double k = biased - GM_ROUND_F64;
    double r = gm_fma_f64(k, -0x1.62e42fefa39efp-1, x);
    r = gm_fma_f64(k, -0x1.abc9e3b39803fp-56, r) + low;
    const double p = 1.0 + gm_fma_f64(r * r, gm_exp_poly_f64(r), r);
    const uint64_t n = gm_bits_f64(biased) - GM_ROUND_BITS_F64 + 2046u; /* k + 2 * 1023 */
    const uint64_t half = n >> 1;
    return p * gm_from_bits_f64(half << 52) * gm_from_bits_f64((n - half) << 52);
}

/* e^x; 0 below -103.98 (-745.2), infinite above 88.73 (709.8). Error: 1.03 ulp. */
GM_INLINE float gm_exp_f32(float x) {
    const float above = x < -104.0f ? -104.0f : x;
    return gm_exp_core_f32(above > 89.0f ? 89.0f : above, 0.0f);
}

/* Error: 0.99 ulp. */
GM_INLINE double gm_exp_f64(double x) {
    const double above = x < -746.0 ? -746.0 : x;
    return gm_exp_core_f64(above > 710.0 ? 710.0 : above, 0.0);
}

/*
 * e^x - 1, accurate near zero: 2 (2^(k-1) (exp(r) - 1) + 2^(k-1) - 1/2). Error: 1.48 ulp. Below
 * 2^-30 in magnitude it is x.
 */
GM_INLINE float gm_expm1_f32(float x) {
    const float above = x < -20.0f ? -20.0f : x;
    const float y = above > 89.0f ? 89.0f : above;
    const float biased = gm_fma_f32(y, 0x1.715476p+0f, GM_ROUND_F32);
    const float k = biased - GM_ROUND_F32;
    float r = gm_fma_f32(k, -0x1.62e43p-1f, y);
    r = gm_fma_f32(k, 0x1.05c61p-29f, r);
    const float q = gm_fma_f32(r * r, gm_exp_poly_f32(r), r);
    const float s = gm_from_bits_f32((gm_bits_f32(biased) - GM_ROUND_BITS_F32 + 126u) << 23);
    const float result = 2.0f * gm_fma_f32(s, q, s - 0.5f);
    return gm_abs_f32(x) < 0x1p-30f ? x : result;
}

/* Error: 1.83 ulp. Below 2^-60 in magnitude it is x. */
GM_INLINE double gm_expm1_f64(double x) {
    const double above = x < -40.0 ? -40.0 : x;
    const double y = above > 710.0 ? 710.0 : above;
    const double biased = gm_fma_f64(y, 0x1.71547652b82fep+0, GM_ROUND_F64);
    const double k = biased - GM_ROUND_F64;
    double r = gm_fma_f64(k, -0x1.62e42fefa39efp-1, y);
    r = gm_fma_f64(k, -0x1.abc9e3b39803fp-56, r);
    const double q = gm_fma_f64(r * r, gm_exp_poly_f64(r), r);
    const double s = gm_from_bits_f64((gm_bits_f64(biased) - GM_ROUND_BITS_F64 + 1022u) << 52);
    const double result = 2.0 * gm_fma_f64(s, q, s - 0.5);
    return gm_abs_f64(x) < 0x1p-60 ? x : result;
}

/* ---- log ---------------------------------------------------------------------------------------
 */

/*
 * log(x) of a positive normal number: x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1,
 * log(1 + f) = f + f^2 (f Q(f) - 1/2); relative error of the fit 2^-27.2. *rest is what the last
 * rounding took away.
 */
GM_INLINE float gm_log_core_f32(float x, int32_t k_offset, float *rest) {
    const uint32_t u = gm_bits_f32(x) + (0x3f800000u - 0x3f3504f3u);
    const float k = (float)((int32_t)(u >> 23) - 127 + k_offset);
    const float f = gm_from_bits_f32((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float q = -0x1.394f8ap-4f;
    q = gm_fma_f32(q, f, 0x1.05833p-3f);
    q = gm_fma_f32(q, f, -0x1.0d7ff4p-3f);
    q = gm_fma_f32(q, f, 0x1.22d522p-3f);
    q = gm_fma_f32(q, f, -0x1.547212p-3f);
    q = gm_fma_f32(q, f, 0x1.99a038p-3f);
    q = gm_fma_f32(q, f, -0x1.000228p-2f);
    q = gm_fma_f32(q, f, 0x1.555554p-2f);
    q = gm_fma_f32(q, f, -0.5f);
    const float low = gm_fma_f32(f * f, q, gm_multiply_f32(k, -0x1.05c61p-29f));
    const float log_m = f + low;
    const float result = gm_fma_f32(k, 0x1.62e43p-1f, log_m);
    *rest = gm_fma_f32(k, 0x1.62e43p-1f, -result) + log_m;
    return result;
}

/* With s = f / (2 + f): log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)); error of the fit 2^-59.5. */
GM_INLINE double gm_log_core_f64(double x, double k_offset, double *rest) {
    const uint64_t u = gm_bits_f64(x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    /* The exponent becomes a double through the bits of 2^52: not every vector unit converts. */
    const double k =
        gm_from_bits_f64((u >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0) + k_offset;
    const double f = gm_from_bits_f64((u & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    double r = 0x1.2f044cf886647p-3;
    r = gm_fma_f64(r, z, 0x1.39a1dbb656640p-3);
    r = gm_fma_f64(r, z, 0x1.74663d5ea5147p-3);
    r = gm_fma_f64(r, z, 0x1.c71c52128526bp-3);
    r = gm_fma_f64(r, z, 0x1.24924941e303cp-2);
    r = gm_fma_f64(r, z, 0x1.999999997ff07p-2);
    r = gm_fma_f64(r, z, 0x1.5555555555592p-1);
    const double half_f = 0.5 * f;
    /* R + f^2/2 with R = z r, then times s; -f^2/2 is added without rounding it first. */
    const double inner = gm_fma_f64(half_f, f, gm_multiply_f64(z, r));
    const double k_low = gm_multiply_f64(k, 0x1.abc9e3b39803fp-56);
    const double low = gm_fma_f64(-half_f, f, gm_fma_f64(s, inner, k_low));
    const double log_m = f + low;
    const double result = gm_fma_f64(k, 0x1.62e42fefa39efp-1, log_m);
    *rest = gm_fma_f64(k, 0x1.62e42fefa39efp-1, -result) + log_m;
    return result;
}

/* Natural logarithm; -infinity at 0, NaN below. Error: 0.89 ulp. */
GM_INLINE float gm_log_f32(float x) {
    const int tiny = x < 0x1p-126f;
    float rest;
    const float core = gm_log_core_f32(tiny ? x * 0x1p23f : x, tiny ? -23 : 0, &rest);
    /* Added, not chosen: of more choices gcc makes branches unless it is told that nothing traps. */
    const float edge = x == 0.0f ? -GM_INF_F32 : GM_NAN_F32;
    return core + (x > 0.0f ? (x == GM_INF_F32 ? x : 0.0f) : edge);
}

/* Error: 0.76 ulp. */
GM_INLINE double gm_log_f64(double x) {
    const int tiny = x < 0x1p-1022;
    double rest;
    const double core = gm_log_core_f64(tiny ? x * 0x1p52 : x, tiny ? -52.0 : 0.0, &rest);
    const double edge = x == 0.0 ? -GM_INF_F64 : GM_NAN_F64;
    const double finite = x > 0.0 ? core : edge;
    return x == GM_INF_F64 ? x : finite;
}

/* ---- tanh --------------------------------------------------------------------------------------
 */

/*
 * Above 0.55 in magnitude 1 - 2 d / (1 + d) with d = exp(-2|x|), below it x + x^3 P(x^2), relative
 * error of the fit 2^-29.7. Error: 1.52 ulp.
 */
GM_INLINE float gm_tanh_f32(float x) {
    const float a = gm_abs_f32(x);
    const float d = gm_exp_core_f32(-2.0f * (a > 10.0f ? 10.0f : a), 0.0f);
    const float upper = 1.0f - gm_divide_f32(d + d, 1.0f + d);
    const float t = a * a;
    float p = -0x1.9921ap-8f;
    p = gm_fma_f32(p, t, 0x1.58e518p-6f);
    p = gm_fma_f32(p, t, -0x1.b91e7ep-5f);
    p = gm_fma_f32(p, t, 0x1.110ceep-3f);
    p = gm_fma_f32(p, t, -0x1.55554ap-2f);
    const float lower = gm_fma_f32(a * t, p, a);
    const float result = a > 0.55f ? upper : lower;
    return gm_from_bits_f32(gm_bits_f32(result) | (gm_bits_f32(x) & GM_SIGN_F32));
}

/* Fit: 2^-60.5. Error: 1.50 ulp. */
GM_INLINE double gm_tanh_f64(double x) {
    const double a = gm_abs_f64(x);
    const double d = gm_exp_core_f64(-2.0 * (a > 20.0 ? 20.0 : a), 0.0);
    const double upper = 1.0 - (d + d) / (1.0 + d);
    const double t = a * a;
    double p = -0x1.46fb6d3dd84fep-16;
    p = gm_fma_f64(p, t, 0x1.5d6b627a59ec2p-14);
    p = gm_fma_f64(p, t, -0x1.e96c91a429733p-13);
    p = gm_fma_f64(p, t, 0x1.34835c163b39ep-11);
    p = gm_fma_f64(p, t, -0x1.7d8fc96dffd88p-10);
    p = gm_fma_f64(p, t, 0x1.d6d29ac6a6ec8p-9);
    p = gm_fma_f64(p, t, -0x1.226e2f0f32bf4p-7);
    p = gm_fma_f64(p, t, 0x1.664f485946022p-6);
    p = gm_fma_f64(p, t, -0x1.ba1ba1b97cc0dp-5);
    p = gm_fma_f64(p, t, 0x1.1111111110790p-3);
    p = gm_fma_f64(p, t, -0x1.555555555554fp-2);
    const double lower = gm_fma_f64(a * t, p, a);
    const double result = a > 0.55 ? upper : lower;
    return gm_from_bits_f64(gm_bits_f64(result) | (gm_bits_f64(x) & GM_SIGN_F64));
}

/* ---- pow ---------------------------------------------------------------------------------------
 */

/*
 * log(x) of a positive number as a sum high + low, with an error of about 2^-36 (double: 2^-67) of
 * it: 2 atanh(s), s = (m - 1) / (m + 1), the leading terms in two words. `zero` is a computed zero
 * (see gm_trig_reduce_near_f64) for products that feed a sum.
 */
GM_INLINE float gm_log_pair_f32(float x, float *low) {
    const int tiny = x < 0x1p-126f;
    const uint32_t u = gm_bits_f32(tiny ? x * 0x1p23f : x) + (0x3f800000u - 0x3f3504f3u);
    const float k = (float)((int32_t)(u >> 23) - (tiny ? 127 + 23 : 127));
    const float m = gm_from_bits_f32((u & 0x007fffffu) + 0x3f3504f3u);
    const float zero = m - m;
    const float f = m - 1.0f, d = m + 1.0f;
    const float d_low = m - (d - 1.0f);
    const float inverse = gm_divide_f32(1.0f, d);
    const float s = f * inverse;
    const float s_low = inverse * gm_fma_f32(-s, d_low, gm_fma_f32(-s, d, f));
    const float z = s * s;
    const float z_low = gm_fma_f32(s + s, s_low, gm_fma_f32(s, s, -z));
    float q = 0x1.dfa254p-3f;
    q = gm_fma_f32(q, z, 0x1.24527cp-2f);
    q = gm_fma_f32(q, z, 0x1.999ap-2f);
    /* a = 2/3 + z q; b = s^3 a; all as pairs */
    const float a = gm_fma_f32(z, q, 0x1.555556p-1f);
    const float a_low = gm_fma_f32(z, q, 0x1.555556p-1f - a) - 0x1.555556p-26f;
    const float za = z * a;
    const float za_low = gm_fma_f32(z, a_low, gm_fma_f32(z_low, a, gm_fma_f32(z, a, -za)));
    const float b = gm_fma_f32(s, za, zero);
    const float b_low = gm_fma_f32(s, za_low, gm_fma_f32(s_low, za, gm_fma_f32(s, za, -b)));
    const float s2 = s + s;
    const float h = s2 + b;
    const float l = (b - (h - s2)) + gm_fma_f32(2.0f, s_low, b_low);
    const float k_ln2 = gm_fma_f32(k, 0x1.62e4p-1f, zero); /* exact: 15 bits times 8 */
    const float sum = k_ln2 + h;
    *low = (h - (sum - k_ln2)) + gm_fma_f32(k, 0x1.7f7d1cp-20f, l);
    return sum;
}

GM_INLINE double gm_log_pair_f64(double x, double *low) {
    const int tiny = x < 0x1p-1022;
    const uint64_t u =
        gm_bits_f64(tiny ? x * 0x1p52 : x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    const double k = gm_from_bits_f64((u >> 52) | 0x4330000000000000u) -
                     (tiny ? 0x1p52 + 1023.0 + 52.0 : 0x1p52 + 1023.0);
    const double m = gm_from_bits_f64((u & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
    const double zero = m - m;
    const double f = m - 1.0, d = m + 1.0;
    const double d_low = m - (d - 1.0);
    const double inverse = 1.0 / d;
    const double s = f * inverse;
    const double s_low = inverse * gm_fma_f64(-s, d_low, gm_fma_f64(-s, d, f));
    const double z = s * s;
    const double z_low = gm_fma_f64(s + s, s_low, gm_fma_f64(s, s, -z));
    double q = 0x1.c061a80db0affp-4;
    q = gm_fma_f64(q, z, 0x1.ab52360e62bc5p-4);
    q = gm_fma_f64(q, z, 0x1.e20527e9c9883p-4);
    q = gm_fma_f64(q, z, 0x1.1110b0071f09ap-3);
    q = gm_fma_f64(q, z, 0x1.3b13b2810bee6p-3);
    q = gm_fma_f64(q, z, 0x1.745d174349407p-3);
    q = gm_fma_f64(q, z, 0x1.c71c71c71f243p-3);
    q = gm_fma_f64(q, z, 0x1.2492492492489p-2);
    /* c = 2/5 + z q; a = 2/3 + z c; b = s^3 a; all as pairs */
    const double c = gm_fma_f64(z, q, 0x1.999999999999ap-2);
    const double c_low = gm_fma_f64(z, q, 0x1.999999999999ap-2 - c) - 0x1.999999999999ap-56;
    const double zc = gm_fma_f64(z, c, zero);
    const double zc_low = gm_fma_f64(z, c_low, gm_fma_f64(z_low, c, gm_fma_f64(z, c, -zc)));
    const double a = 0x1.5555555555555p-1 + zc;
    const double a_low = (zc - (a - 0x1.5555555555555p-1)) + (zc_low + 0x1.5555555555555p-55);
    const double za = z * a;
    const double za_low = gm_fma_f64(z, a_low, gm_fma_f64(z_low, a, gm_fma_f64(z, a, -za)));
    const double b = gm_fma_f64(s, za, zero);
    const double b_low = gm_fma_f64(s, za_low, gm_fma_f64(s_low, za, gm_fma_f64(s, za, -b)));
    const double s2 = s + s;
    const double h = s2 + b;
    const double l = (b - (h - s2)) + gm_fma_f64(2.0, s_low, b_low);
    const double k_ln2 = gm_fma_f64(k, 0x1.62e42fefa3800p-1, zero); /* exact: 42 bits times 11 */
    const double sum = k_ln2 + h;
    *low = (h - (sum - k_ln2)) + gm_fma_f64(k, 0x1.ef35793c76730p-45, l);
    return sum;
}

/*
 * x^y = exp(y log|x|), with C's special cases: 1 if y = 0 or x = 1 whatever the other is, NaN for a
 * finite negative x and a y that is no integer, negative for negative x and odd y. Error: 1.20 ulp.
 */
GM_INLINE float gm_pow_f32(float x, float y) {
    const float ax = gm_abs_f32(x), ay = gm_abs_f32(y);
    /* A larger exponent overflows or underflows like this one, and would make inf - inf below. */
    const float capped = ay > 0x1p33f ? 0x1p33f : ay;
    const float e = y < 0.0f ? -capped : capped;
    float log_low;
    const float log_high = gm_log_pair_f32(ax, &log_low);
    const float t = e * log_high;
    const float t_low = gm_fma_f32(e, log_low, gm_fma_f32(e, log_high, -t));
    const float above = t < -105.0f ? -105.0f : t;
    const float clamped = above > 90.0f ? 90.0f : above;
    float r = gm_exp_core_f32(clamped, clamped == t ? t_low : 0.0f);

    const float edge = (ax == 0.0f) == (y > 0.0f) ? 0.0f : GM_INF_F32; /* |x| is 0 or infinite */
    r = ax == 0.0f || ax == GM_INF_F32 ? edge : r;
    const int whole = ay >= 0x1p23f;
    const float shifted = ay + 0x1p23f;
    const int integer = whole || shifted - 0x1p23f == ay;
    const uint32_t low_bit = whole ? gm_bits_f32(ay) : gm_bits_f32(shifted);
    const int odd = integer && ay < 0x1p24f && (low_bit & 1u) != 0;
    const uint32_t sign = odd ? gm_bits_f32(x) & GM_SIGN_F32 : 0u;
    r = x < 0.0f && ax < GM_INF_F32 && !integer ? GM_NAN_F32
                                                : gm_from_bits_f32(gm_bits_f32(r) | sign);
    r = x != x || y != y ? GM_NAN_F32 : r;
    return y == 0.0f || x == 1.0f ? 1.0f : r;
}

/* Error: 1.20 ulp. */
GM_INLINE double gm_pow_f64(double x, double y) {
    const double ax = gm_abs_f64(x), ay = gm_abs_f64(y);
    const double capped = ay > 0x1p65 ? 0x1p65 : ay;
    const double e = y < 0.0 ? -capped : capped;
    double log_low;
    const double log_high = gm_log_pair_f64(ax, &log_low);
    const double t = e * log_high;
    const double t_low = gm_fma_f64(e, log_low, gm_fma_f64(e, log_high, -t));
    const double above = t < -747.0 ? -747.0 : t;
    const double clamped = above > 711.0 ? 711.0 : above;
    double r = gm_exp_core_f64(clamped, clamped == t ? t_low : 0.0);

    const double edge = (ax == 0.0) == (y > 0.0) ? 0.0 : GM_INF_F64;
    r = ax == 0.0 || ax == GM_INF_F64 ? edge : r;
    const int whole = ay >= 0x1p52;
    const double shifted = ay + 0x1p52;
    const int integer = whole || shifted - 0x1p52 == ay;
    const uint64_t low_bit = whole ? gm_bits_f64(ay) : gm_bits_f64(shifted);
    const int odd = integer && ay < 0x1p53 && (low_bit & 1u) != 0;
    const uint64_t sign = odd ? gm_bits_f64(x) & GM_SIGN_F64 : 0u;
    r = x < 0.0 && ax < GM_INF_F64 && !integer ? GM_NAN_F64
                                               : gm_from_bits_f64(gm_bits_f64(r) | sign);
    r = x != x || y != y ? GM_NAN_F64 : r;
    return y == 0.0 || x == 1.0 ? 1.0 : r;
}

/* ---- the names that take the type of their argument; gm_sin and gm_cos are in detail/trig.h -----
 */

#ifdef __cplusplus
#define GM_MATH_OVERLOAD(name)                                                                     \
    GM_INLINE float gm_##name(float x) {                                                           \
        return gm_##name##_f32(x);                                                                 \
    }                                                                                              \
    GM_INLINE double gm_##name(double x) {                                                         \
        return gm_##name##_f64(x);                                                                 \
    }
GM_MATH_OVERLOAD(exp)
GM_MATH_OVERLOAD(expm1)
GM_MATH_OVERLOAD(log)
GM_MATH_OVERLOAD(tanh)
GM_MATH_OVERLOAD(sqrt)
#undef GM_MATH_OVERLOAD
GM_INLINE float gm_pow(float x, float y) {
    return gm_pow_f32(x, y);
}
GM_INLINE double gm_pow(double x, double y) {
    return gm_pow_f64(x, y);
}
#else
#define GM_MATH_GENERIC(name, x) _Generic((x), float : name##_f32, default : name##_f64)
#define gm_exp(x) GM_MATH_GENERIC(gm_exp, x)(x)
#define gm_expm1(x) GM_MATH_GENERIC(gm_expm1, x)(x)
#define gm_log(x) GM_MATH_GENERIC(gm_log, x)(x)
#define gm_tanh(x) GM_MATH_GENERIC(gm_tanh, x)(x)
#define gm_sqrt(x) GM_MATH_GENERIC(gm_sqrt, x)(x)
#define gm_pow(x, y) GM_MATH_GENERIC(gm_pow, (x) + (y))((x), (y))
#endif

#endif
