/*
 * What conditional laws are drawn with in the body of a GM_GIBBS from the noise that an update has.
 * Functions of the type of their arguments, like those of math.h: no branch, no call into a math
 * library, the same bits everywhere. Float functions touch no double.
 *
 *     gm_normal_cdf(x)   gm_probit(p)   gm_normal_between(low, high, u)
 *     gm_gamma_step(g, shape, z, u)
 *
 * Errors below are the largest measured by tests/test_gibbs_exact.c, rounded up.
 *
 * Sources: Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969);
 * Wichura, Algorithm AS 241: the percentage points of the normal distribution, Appl. Stat. 37
 * (1988); Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26 (2000).
 */
#ifndef GENMATH_DETAIL_GIBBS_MATH_H
#define GENMATH_DETAIL_GIBBS_MATH_H

#include <genmath/math.h>

/* ---- the normal law ----------------------------------------------------------------------------
 */

/* The probability that a standard normal is below x. Relative error 1e-15, float 5e-7, down to
 * x = -37, float -12.9; below, where results are subnormal or 0, absolute. */
GM_INLINE double gm_normal_cdf_f64(double x) {
    const double size = gm_abs_f64(x);
    const double a = size > 39.0 ? 39.0 : size, square = a * a;
    /* Near 0 the odd part, then the lower tail over the density, then the same for large a. */
    double odd = 0.065682337918207449113;
    odd = gm_fma_f64(odd, square, 2.2352520354606839287);
    odd = gm_fma_f64(odd, square, 161.02823106855587881);
    odd = gm_fma_f64(odd, square, 1067.6894854603709582);
    odd = gm_fma_f64(odd, square, 18154.981253343561249);
    double odd_over = 1.0;
    odd_over = gm_fma_f64(odd_over, square, 47.20258190468824187);
    odd_over = gm_fma_f64(odd_over, square, 976.09855173777669322);
    odd_over = gm_fma_f64(odd_over, square, 10260.932208618978205);
    odd_over = gm_fma_f64(odd_over, square, 45507.789335026729956);
    double middle = 1.0765576773720192317e-8;
    middle = gm_fma_f64(middle, a, 0.39894151208813466764);
    middle = gm_fma_f64(middle, a, 8.8831497943883759412);
    middle = gm_fma_f64(middle, a, 93.506656132177855979);
    middle = gm_fma_f64(middle, a, 597.27027639480026226);
    middle = gm_fma_f64(middle, a, 2494.5375852903726711);
    middle = gm_fma_f64(middle, a, 6848.1904505362823326);
    middle = gm_fma_f64(middle, a, 11602.651437647350124);
    middle = gm_fma_f64(middle, a, 9842.7148383839780218);
    double middle_over = 1.0;
    middle_over = gm_fma_f64(middle_over, a, 22.266688044328115691);
    middle_over = gm_fma_f64(middle_over, a, 235.38790178262499861);
    middle_over = gm_fma_f64(middle_over, a, 1519.377599407554805);
    middle_over = gm_fma_f64(middle_over, a, 6485.558298266760755);
    middle_over = gm_fma_f64(middle_over, a, 18615.571640885098091);
    middle_over = gm_fma_f64(middle_over, a, 34900.952721145977266);
    middle_over = gm_fma_f64(middle_over, a, 38912.003286093271411);
    middle_over = gm_fma_f64(middle_over, a, 19685.429676859990727);
    const double inverse = gm_divide_f64(1.0, square > 1.0 ? square : 1.0);
    double far = 0.02307344176494017303;
    far = gm_fma_f64(far, inverse, 0.21589853405795699);
    far = gm_fma_f64(far, inverse, 0.1274011611602473639);
    far = gm_fma_f64(far, inverse, 0.022235277870649807);
    far = gm_fma_f64(far, inverse, 0.001421619193227893466);
    far = gm_fma_f64(far, inverse, 2.9112874951168792e-5);
    double far_over = 1.0;
    far_over = gm_fma_f64(far_over, inverse, 1.28426009614491121);
    far_over = gm_fma_f64(far_over, inverse, 0.468238212480865118);
    far_over = gm_fma_f64(far_over, inverse, 0.0659881378689285515);
    far_over = gm_fma_f64(far_over, inverse, 0.00378239633202758244);
    far_over = gm_fma_f64(far_over, inverse, 7.29751555083966205e-5);
    const double rest = gm_multiply_f64(inverse, gm_divide_f64(far, far_over));
    const double ratio = a > 5.656854249492380195 ? gm_divide_f64(0.398942280401432677940 - rest, a)
                                                  : gm_divide_f64(middle, middle_over);
    /* exp(-a^2 / 2), with what rounding took from the square. */
    const double low = gm_fma_f64(a, a, -square);
    const double tail = gm_exp_core_f64(-0.5 * square, -0.5 * low) * ratio;
    const double near = gm_divide_f64(gm_multiply_f64(x, odd), odd_over);
    const double side = x > 0.0 ? 1.0 - tail : tail;
    return a < 0.66291 ? 0.5 + near : side;
}

GM_INLINE float gm_normal_cdf_f32(float x) {
    const float size = gm_abs_f32(x);
    const float a = size > 15.0f ? 15.0f : size, square = a * a;
    /* Near 0 the odd part, then the lower tail over the density, then the same for large a. */
    float odd = 0.065682337918207449113f;
    odd = gm_fma_f32(odd, square, 2.2352520354606839287f);
    odd = gm_fma_f32(odd, square, 161.02823106855587881f);
    odd = gm_fma_f32(odd, square, 1067.6894854603709582f);
    odd = gm_fma_f32(odd, square, 18154.981253343561249f);
    float odd_over = 1.0f;
    odd_over = gm_fma_f32(odd_over, square, 47.20258190468824187f);
    odd_over = gm_fma_f32(odd_over, square, 976.09855173777669322f);
    odd_over = gm_fma_f32(odd_over, square, 10260.932208618978205f);
    odd_over = gm_fma_f32(odd_over, square, 45507.789335026729956f);
    float middle = 1.0765576773720192317e-8f;
    middle = gm_fma_f32(middle, a, 0.39894151208813466764f);
    middle = gm_fma_f32(middle, a, 8.8831497943883759412f);
    middle = gm_fma_f32(middle, a, 93.506656132177855979f);
    middle = gm_fma_f32(middle, a, 597.27027639480026226f);
    middle = gm_fma_f32(middle, a, 2494.5375852903726711f);
    middle = gm_fma_f32(middle, a, 6848.1904505362823326f);
    middle = gm_fma_f32(middle, a, 11602.651437647350124f);
    middle = gm_fma_f32(middle, a, 9842.7148383839780218f);
    float middle_over = 1.0f;
    middle_over = gm_fma_f32(middle_over, a, 22.266688044328115691f);
    middle_over = gm_fma_f32(middle_over, a, 235.38790178262499861f);
    middle_over = gm_fma_f32(middle_over, a, 1519.377599407554805f);
    middle_over = gm_fma_f32(middle_over, a, 6485.558298266760755f);
    middle_over = gm_fma_f32(middle_over, a, 18615.571640885098091f);
    middle_over = gm_fma_f32(middle_over, a, 34900.952721145977266f);
    middle_over = gm_fma_f32(middle_over, a, 38912.003286093271411f);
    middle_over = gm_fma_f32(middle_over, a, 19685.429676859990727f);
    const float inverse = gm_divide_f32(1.0f, square > 1.0f ? square : 1.0f);
    float far = 0.02307344176494017303f;
    far = gm_fma_f32(far, inverse, 0.21589853405795699f);
    far = gm_fma_f32(far, inverse, 0.1274011611602473639f);
    far = gm_fma_f32(far, inverse, 0.022235277870649807f);
    far = gm_fma_f32(far, inverse, 0.001421619193227893466f);
    far = gm_fma_f32(far, inverse, 2.9112874951168792e-5f);
    float far_over = 1.0f;
    far_over = gm_fma_f32(far_over, inverse, 1.28426009614491121f);
    far_over = gm_fma_f32(far_over, inverse, 0.468238212480865118f);
    far_over = gm_fma_f32(far_over, inverse, 0.0659881378689285515f);
    far_over = gm_fma_f32(far_over, inverse, 0.00378239633202758244f);
    far_over = gm_fma_f32(far_over, inverse, 7.29751555083966205e-5f);
    const float rest = gm_multiply_f32(inverse, gm_divide_f32(far, far_over));
    const float ratio = a > 5.65685425f ? gm_divide_f32(0.398942280f - rest, a)
                                        : gm_divide_f32(middle, middle_over);
    /* exp(-a^2 / 2), with what rounding took from the square. */
    const float low = gm_fma_f32(a, a, -square);
    const float tail = gm_exp_core_f32(-0.5f * square, -0.5f * low) * ratio;
    const float near = gm_divide_f32(gm_multiply_f32(x, odd), odd_over);
    const float side = x > 0.0f ? 1.0f - tail : tail;
    return a < 0.66291f ? 0.5f + near : side;
}

/* Its inverse: minus and plus infinity at 0 and 1, NaN outside. Relative error 1e-15, float 1e-6.
 */
GM_INLINE double gm_probit_f64(double p) {
    const double q = p - 0.5;
    const double side = q < 0.0 ? p : 1.0 - p;
    const double x = gm_fma_f64(-q, q, 0.180625);
    double near = 2.5090809287301226727e+3;
    near = gm_fma_f64(near, x, 3.3430575583588128105e+4);
    near = gm_fma_f64(near, x, 6.7265770927008700853e+4);
    near = gm_fma_f64(near, x, 4.5921953931549871457e+4);
    near = gm_fma_f64(near, x, 1.3731693765509461125e+4);
    near = gm_fma_f64(near, x, 1.9715909503065514427e+3);
    near = gm_fma_f64(near, x, 1.3314166789178437745e+2);
    near = gm_fma_f64(near, x, 3.3871328727963666080);
    double near_over = 5.2264952788528545610e+3;
    near_over = gm_fma_f64(near_over, x, 2.8729085735721942674e+4);
    near_over = gm_fma_f64(near_over, x, 3.9307895800092710610e+4);
    near_over = gm_fma_f64(near_over, x, 2.1213794301586595867e+4);
    near_over = gm_fma_f64(near_over, x, 5.3941960214247511077e+3);
    near_over = gm_fma_f64(near_over, x, 6.8718700749205790830e+2);
    near_over = gm_fma_f64(near_over, x, 4.2313330701600911252e+1);
    near_over = gm_fma_f64(near_over, x, 1.0);
    const double depth = gm_sqrt_f64(-gm_log_f64(side));
    const int is_far = depth > 5.0;
    const double r = is_far ? depth - 5.0 : depth - 1.6;
    double middle = 7.74545014278341407640e-4;
    middle = gm_fma_f64(middle, r, 2.27238449892691845833e-2);
    middle = gm_fma_f64(middle, r, 2.41780725177450611770e-1);
    middle = gm_fma_f64(middle, r, 1.27045825245236838258);
    middle = gm_fma_f64(middle, r, 3.64784832476320460504);
    middle = gm_fma_f64(middle, r, 5.76949722146069140550);
    middle = gm_fma_f64(middle, r, 4.63033784615654529590);
    middle = gm_fma_f64(middle, r, 1.42343711074968357734);
    double middle_over = 1.05075007164441684324e-9;
    middle_over = gm_fma_f64(middle_over, r, 5.47593808499534494600e-4);
    middle_over = gm_fma_f64(middle_over, r, 1.51986665636164571966e-2);
    middle_over = gm_fma_f64(middle_over, r, 1.48103976427480074590e-1);
    middle_over = gm_fma_f64(middle_over, r, 6.89767334985100004550e-1);
    middle_over = gm_fma_f64(middle_over, r, 1.67638483018380384940);
    middle_over = gm_fma_f64(middle_over, r, 2.05319162663775882187);
    middle_over = gm_fma_f64(middle_over, r, 1.0);
    double far = 2.01033439929228813265e-7;
    far = gm_fma_f64(far, r, 2.71155556874348757815e-5);
    far = gm_fma_f64(far, r, 1.24266094738807843860e-3);
    far = gm_fma_f64(far, r, 2.65321895265761230930e-2);
    far = gm_fma_f64(far, r, 2.96560571828504891230e-1);
    far = gm_fma_f64(far, r, 1.78482653991729133580);
    far = gm_fma_f64(far, r, 5.46378491116411436990);
    far = gm_fma_f64(far, r, 6.65790464350110377720);
    double far_over = 2.04426310338993978564e-15;
    far_over = gm_fma_f64(far_over, r, 1.42151175831644588870e-7);
    far_over = gm_fma_f64(far_over, r, 1.84631831751005468180e-5);
    far_over = gm_fma_f64(far_over, r, 7.86869131145613259100e-4);
    far_over = gm_fma_f64(far_over, r, 1.48753612908506148525e-2);
    far_over = gm_fma_f64(far_over, r, 1.36929880922735805310e-1);
    far_over = gm_fma_f64(far_over, r, 5.99832206555887937690e-1);
    far_over = gm_fma_f64(far_over, r, 1.0);
    const double size = gm_divide_f64(is_far ? far : middle, is_far ? far_over : middle_over);
    const double outside = q < 0.0 ? -size : size;
    const double inside = gm_divide_f64(gm_multiply_f64(q, near), near_over);
    const double value = gm_abs_f64(q) <= 0.425 ? inside : outside;
    const double edge = p == 0.0 ? -GM_INF_F64 : GM_INF_F64;
    return p == 0.0 || p == 1.0 ? edge : value;
}

GM_INLINE float gm_probit_f32(float p) {
    const float q = p - 0.5f;
    const float side = q < 0.0f ? p : 1.0f - p;
    const float x = gm_fma_f32(-q, q, 0.180625f);
    float near = 59.109374720f;
    near = gm_fma_f32(near, x, 159.29113202f);
    near = gm_fma_f32(near, x, 50.434271938f);
    near = gm_fma_f32(near, x, 3.3871327179f);
    float near_over = 67.187563600f;
    near_over = gm_fma_f32(near_over, x, 78.757757664f);
    near_over = gm_fma_f32(near_over, x, 17.895169469f);
    near_over = gm_fma_f32(near_over, x, 1.0f);
    const float depth = gm_sqrt_f32(-gm_log_f32(side));
    const int is_far = depth > 5.0f;
    const float r = is_far ? depth - 5.0f : depth - 1.6f;
    float middle = 0.17023821103f;
    middle = gm_fma_f32(middle, r, 1.3067284816f);
    middle = gm_fma_f32(middle, r, 2.7568153900f);
    middle = gm_fma_f32(middle, r, 1.4234372777f);
    float middle_over = 0.12021132975f;
    middle_over = gm_fma_f32(middle_over, r, 0.73700164250f);
    middle_over = gm_fma_f32(middle_over, r, 1.0f);
    float far = 0.017337203997f;
    far = gm_fma_f32(far, r, 0.42868294337f);
    far = gm_fma_f32(far, r, 3.0812263860f);
    far = gm_fma_f32(far, r, 6.6579051150f);
    float far_over = 0.012258202635f;
    far_over = gm_fma_f32(far_over, r, 0.24197894225f);
    far_over = gm_fma_f32(far_over, r, 1.0f);
    const float size = gm_divide_f32(is_far ? far : middle, is_far ? far_over : middle_over);
    const float outside = q < 0.0f ? -size : size;
    const float inside = gm_divide_f32(gm_multiply_f32(q, near), near_over);
    const float value = gm_abs_f32(q) <= 0.425f ? inside : outside;
    const float edge = p == 0.0f ? -GM_INF_F32 : GM_INF_F32;
    return p == 0.0f || p == 1.0f ? edge : value;
}

/*
 * A standard normal known to be between low and high, either of which may be infinite, from a
 * uniform u in (0, 1), by inversion: exact to the functions above where the nearer bound is within
 * 37, in float 12, of 0; beyond, the interval has no probability that a number holds.
 */
GM_INLINE double gm_normal_between_f64(double low, double high, double u) {
    const int upper = low + high > 0.0; /* mirrored: probabilities are exact in the lower tail */
    const double first = gm_normal_cdf_f64(upper ? -high : low);
    const double last = gm_normal_cdf_f64(upper ? -low : high);
    const double x = gm_probit_f64(gm_fma_f64(upper ? 1.0 - u : u, last - first, first));
    const double drawn = upper ? -x : x;
    const double above = drawn < low ? low : drawn;
    return above > high ? high : above;
}

GM_INLINE float gm_normal_between_f32(float low, float high, float u) {
    const int upper = low + high > 0.0f; /* mirrored: probabilities are exact in the lower tail */
    const float first = gm_normal_cdf_f32(upper ? -high : low);
    const float last = gm_normal_cdf_f32(upper ? -low : high);
    const float x = gm_probit_f32(gm_fma_f32(upper ? 1.0f - u : u, last - first, first));
    const float drawn = upper ? -x : x;
    const float above = drawn < low ? low : drawn;
    return above > high ? high : above;
}

/* ---- the gamma law -----------------------------------------------------------------------------
 */

/*
 * A step of a Markov chain that leaves the gamma law of a shape >= 1 and rate 1 as it is, and
 * forgets g with a probability of at least 0.95: with a standard normal z and a uniform u,
 *
 *     d = shape - 1/3,  t = z / sqrt(9 d),  g' = d (1 + t)^3
 *
 * is the proposal of Marsaglia and Tsang, here accepted as by Hastings: where u <= w(t) / w(t_g),
 * with w = exp(3 d (log(1 + t) - t + t^2 / 2 - t^3 / 3)) <= 1 the law's density over the
 * proposal's, and t_g that of g. Else it is g. Rejection until one is accepted would need a number
 * of normals that is not known beforehand. Error of log w: 2 sqrt(shape) roundings.
 *
 * A coordinate y ~ Gamma(shape, rate): next = gm_gamma_step(rate * y, shape, z, u) / rate; a
 * variance y ~ InverseGamma(shape, rate): next = rate / gm_gamma_step(rate / y, shape, z, u).
 */
/* log(1 + t) - t + t^2 / 2 - t^3 / 3 for t > -1; -infinity below. */
GM_INLINE double gm_log_rest_f64(double t) {
    const double s = 1.0 + t;
    const double log_s = gm_log_f64(s) + gm_divide_f64(t - (s - 1.0), s);
    const double cubic = gm_fma_f64(gm_fma_f64(0x1.5555555555555p-2, t, -0.5), t, 1.0);
    return s > 0.0 ? gm_fma_f64(-t, cubic, log_s) : -GM_INF_F64;
}

GM_INLINE double gm_gamma_step_f64(double g, double shape, double z, double u) {
    const double d = shape - 0x1.5555555555555p-2;
    const double proposed = gm_divide_f64(z, 3.0 * gm_sqrt_f64(d));
    const double now = gm_pow_f64(gm_divide_f64(g, d), 0x1.5555555555555p-2) - 1.0;
    const double change = gm_log_rest_f64(proposed) - gm_log_rest_f64(now);
    const double root = 1.0 + proposed;
    const double draw = gm_multiply_f64(gm_multiply_f64(d, root), gm_multiply_f64(root, root));
    /* A NaN, of a g or shape that is none, is passed on. */
    const double spoilt = gm_multiply_f64(d, 0.0) + gm_multiply_f64(now, 0.0);
    return (gm_log_f64(u) <= gm_multiply_f64(3.0 * d, change) ? draw : g) + spoilt;
}

/* log(1 + t) - t + t^2 / 2 - t^3 / 3 for t > -1; -infinity below. */
GM_INLINE float gm_log_rest_f32(float t) {
    const float s = 1.0f + t;
    const float log_s = gm_log_f32(s) + gm_divide_f32(t - (s - 1.0f), s);
    const float cubic = gm_fma_f32(gm_fma_f32(0x1.555556p-2f, t, -0.5f), t, 1.0f);
    return s > 0.0f ? gm_fma_f32(-t, cubic, log_s) : -GM_INF_F32;
}

GM_INLINE float gm_gamma_step_f32(float g, float shape, float z, float u) {
    const float d = shape - 0x1.555556p-2f;
    const float proposed = gm_divide_f32(z, 3.0f * gm_sqrt_f32(d));
    const float now = gm_pow_f32(gm_divide_f32(g, d), 0x1.555556p-2f) - 1.0f;
    const float change = gm_log_rest_f32(proposed) - gm_log_rest_f32(now);
    const float root = 1.0f + proposed;
    const float draw = gm_multiply_f32(gm_multiply_f32(d, root), gm_multiply_f32(root, root));
    /* A NaN, of a g or shape that is none, is passed on. */
    const float spoilt = gm_multiply_f32(d, 0.0f) + gm_multiply_f32(now, 0.0f);
    return (gm_log_f32(u) <= gm_multiply_f32(3.0f * d, change) ? draw : g) + spoilt;
}

/* ---- the names that take the type of their argument --------------------------------------------
 */

#ifdef __cplusplus
GM_INLINE float gm_normal_cdf(float x) {
    return gm_normal_cdf_f32(x);
}
GM_INLINE double gm_normal_cdf(double x) {
    return gm_normal_cdf_f64(x);
}
GM_INLINE float gm_probit(float p) {
    return gm_probit_f32(p);
}
GM_INLINE double gm_probit(double p) {
    return gm_probit_f64(p);
}
GM_INLINE float gm_normal_between(float low, float high, float u) {
    return gm_normal_between_f32(low, high, u);
}
GM_INLINE double gm_normal_between(double low, double high, double u) {
    return gm_normal_between_f64(low, high, u);
}
GM_INLINE float gm_gamma_step(float g, float shape, float z, float u) {
    return gm_gamma_step_f32(g, shape, z, u);
}
GM_INLINE double gm_gamma_step(double g, double shape, double z, double u) {
    return gm_gamma_step_f64(g, shape, z, u);
}
#else
#define gm_normal_cdf(x) GM_MATH_GENERIC(gm_normal_cdf, x)(x)
#define gm_probit(p) GM_MATH_GENERIC(gm_probit, p)(p)
#define gm_normal_between(low, high, u)                                                            \
    GM_MATH_GENERIC(gm_normal_between, (low) + (high) + (u))((low), (high), (u))
#define gm_gamma_step(g, shape, z, u)                                                              \
    GM_MATH_GENERIC(gm_gamma_step, (g) + (shape) + (z) + (u))((g), (shape), (z), (u))
#endif

#endif
