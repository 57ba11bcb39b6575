/*
 * f16 and bf16 as storage: conversions to and from float, rounding to nearest even, without a
 * branch, so that a loop over them is vectorised. A NaN stays a NaN; its payload is not defined.
 */
#ifndef GENMATH_HOST_HALF_H
#define GENMATH_HOST_HALF_H

#include <genmath/detail/arithmetic.h>

/* Shifting puts exponent and fraction in place, the product with 2^112 mends the bias and makes
 * normal what was subnormal. */
GM_INLINE float gm_f32_from_f16(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    const uint32_t finite = gm_bits_f32(gm_from_bits_f32(magnitude) * 0x1p112f);
    const uint32_t bits = magnitude >= 0x7c00u << 13 ? magnitude | 0x7f800000u : finite;
    return gm_from_bits_f32(bits | (uint32_t)(half & 0x8000u) << 16);
}

/* Adding a power of two whose last place is the last place of the result does the rounding. */
GM_INLINE uint16_t gm_f16_from_f32(float value) {
    const uint32_t bits = gm_bits_f32(value), magnitude = bits & 0x7fffffffu;
    const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    const uint32_t small = gm_bits_f32(gm_from_bits_f32(magnitude) + 0.5f) - 0x3f000000u;
    uint32_t half = magnitude < 0x38800000u ? small : normal;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude > 0x7f800000u ? 0x7e00u : half;
    return (uint16_t)(half | (bits >> 16 & 0x8000u));
}

GM_INLINE float gm_f32_from_bf16(uint16_t half) {
    return gm_from_bits_f32((uint32_t)half << 16);
}

GM_INLINE uint16_t gm_bf16_from_f32(float value) {
    const uint32_t bits = gm_bits_f32(value);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
}

#endif
