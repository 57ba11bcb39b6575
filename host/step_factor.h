/* The step-size controller that the cpu path and the kernels share. */
#ifndef GENMATH_HOST_STEP_FACTOR_H
#define GENMATH_HOST_STEP_FACTOR_H

#include <genmath/math.h>

/*
 * min(5, max(0.2, 0.9 E^(-1/5))) of the squared error norm E^2, to 4e-6 of itself; 0.2 for a NaN.
 * Only the next step's size sees it, and it is a tenth of an attempt as it is: E^2 is held to where
 * the factor is between its limits, so that no exponent needs a special case, log2 and exp2 are
 * minimax polynomials of degrees 5 and 4 (errors 1.5e-5 and 2.6e-6), and all is float.
 */
GM_INLINE float gm_step_factor(float squared_norm) {
    const float at_most = squared_norm < 4e6f ? squared_norm : 4e6f;
    const float clamped = at_most > 3e-8f ? at_most : 3e-8f;
    /* clamped = 2^exponent (1 + f), 1 + f from sqrt(1/2) to sqrt(2). */
    const uint32_t shifted = gm_bits_f32(clamped) + (0x3f800000u - 0x3f3504f3u);
    const float exponent = (float)((int32_t)(shifted >> 23) - 127);
    const float f = gm_from_bits_f32((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float log2 =
        exponent +
        f * (1.44257801f +
             f * (-0.720241803f + f * (0.486686152f + f * (-0.39457537f + f * 0.252660266f))));
    const float y = -0.1f * log2 - 0.152003093f; /* log2(0.9) */
    const float rounded = y + GM_ROUND_F32;
    const float r = y - (rounded - GM_ROUND_F32);
    const float power =
        1.00000015f +
        r * (0.693121036f + r * (0.240218655f + r * (0.0559220257f + r * 0.00968571136f)));
    const float factor = gm_from_bits_f32(gm_bits_f32(power) + (gm_bits_f32(rounded) << 23));
    const float at_least = factor > 0.2f ? factor : 0.2f;
    return at_least < 5.0f ? at_least : 5.0f;
}

/* (0.01 / size)^(1/5) for size > 0, clamped to what float holds: the first step of Hairer et al. */
GM_INLINE float gm_first_step_guess(float size) {
    const float ratio = size * 100.0f;
    const float low = ratio > 1e-30f ? ratio : 1e-30f;
    const float clamped = low < 1e30f ? low : 1e30f;
    return gm_exp_f32(-0.2f * gm_log_f32(clamped));
}

#endif
