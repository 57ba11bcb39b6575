/*
 * Activations of neural nets in both precisions, by math.h's polynomials: the same bits on every
 * backend. No branch, so that a loop over them is vectorised.
 */
#ifndef GENMATH_DETAIL_ACTIVATION_H
#define GENMATH_DETAIL_ACTIVATION_H

#include <genmath/math.h>

/* max(x, 0); NaN stays NaN. */
GM_INLINE float gm_relu_f32(float x) {
    return x < 0.0f ? 0.0f : x;
}

GM_INLINE double gm_relu_f64(double x) {
    return x < 0.0 ? 0.0 : x;
}

/* 1 / (1 + e^-x), by the exponential that does not overflow: e^-|x| = w, then w or 1 over 1 + w.
 */
GM_INLINE float gm_sigmoid_f32(float x) {
    const float w = gm_exp_f32(-gm_abs_f32(x));
    return gm_divide_f32(x < 0.0f ? w : 1.0f, 1.0f + w);
}

GM_INLINE double gm_sigmoid_f64(double x) {
    const double w = gm_exp_f64(-gm_abs_f64(x));
    return gm_divide_f64(x < 0.0 ? w : 1.0, 1.0 + w);
}

/* x sigmoid(x); -infinity gives NaN's limit, 0, by way of the largest finite number. */
GM_INLINE float gm_silu_f32(float x) {
    const float bounded = x < -0x1.fffffep127f ? -0x1.fffffep127f : x;
    return gm_multiply_f32(bounded, gm_sigmoid_f32(x));
}

GM_INLINE double gm_silu_f64(double x) {
    const double bounded = x < -0x1.fffffffffffffp1023 ? -0x1.fffffffffffffp1023 : x;
    return gm_multiply_f64(bounded, gm_sigmoid_f64(x));
}

/*
 * x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the form of GPT-2, as x sigmoid(2 z), which loses
 * no digits where tanh is near -1. Beyond |x| = 30 the sigmoid is 0 or 1 and x^3 need not grow.
 */
GM_INLINE float gm_gelu_f32(float x) {
    const float below = x > 30.0f ? 30.0f : x;
    const float y = below < -30.0f ? -30.0f : below;
    const float twice_z = gm_multiply_f32(gm_multiply_f32(y, 1.5957691216f),
                                          gm_fma_f32(gm_multiply_f32(y, y), 0.044715f, 1.0f));
    return gm_multiply_f32(x < -30.0f ? y : x, gm_sigmoid_f32(twice_z));
}

GM_INLINE double gm_gelu_f64(double x) {
    const double below = x > 30.0 ? 30.0 : x;
    const double y = below < -30.0 ? -30.0 : below;
    const double twice_z = gm_multiply_f64(gm_multiply_f64(y, 1.5957691216057307),
                                           gm_fma_f64(gm_multiply_f64(y, y), 0.044715, 1.0));
    return gm_multiply_f64(x < -30.0 ? y : x, gm_sigmoid_f64(twice_z));
}

#endif
