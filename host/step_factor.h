/* The step-size controller that the cpu path and the kernels share. */
#ifndef GENMATH_HOST_STEP_FACTOR_H
#define GENMATH_HOST_STEP_FACTOR_H

#include <genmath/math.h>

/*
 * min(5, max(0.2, 0.9 E^(-1/5))) of the squared error norm E^2; 0.2 for a norm that is not finite.
 * In float: only the next step's size sees it, and double-precision pow would cost as much as half
 * an attempt.
 */
GM_INLINE float gm_step_factor(float squared_norm) {
    const float low = squared_norm > 1e-20f ? squared_norm : 1e-20f;
    const float clamped = low < 1e20f ? low : 1e20f;
    const float factor = 0.9f * gm_exp_f32(-0.1f * gm_log_f32(clamped));
    const float at_most = factor < 5.0f ? factor : 5.0f;
    const float at_least = at_most > 0.2f ? at_most : 0.2f;
    return squared_norm <= 1e20f ? at_least : 0.2f;
}

/* (0.01 / size)^(1/5) for size > 0, clamped to what float holds: the first step of Hairer et al. */
GM_INLINE float gm_first_step_guess(float size) {
    const float ratio = size * 100.0f;
    const float low = ratio > 1e-30f ? ratio : 1e-30f;
    const float clamped = low < 1e30f ? low : 1e30f;
    return gm_exp_f32(-0.2f * gm_log_f32(clamped));
}

#endif
