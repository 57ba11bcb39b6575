/*
 * f16 and bf16 to float and back, as straight-line code that a loop over elements vectorises: exact
 * one way, to nearest even the other.
 */
#ifndef GENMATH_HOST_CONTRACT_CONVERT_H
#define GENMATH_HOST_CONTRACT_CONVERT_H

#include <genmath/compiler.h>

#include <string.h>

GM_INLINE float gm_bits_as_f32(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

GM_INLINE uint32_t gm_f32_as_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

GM_INLINE float gm_bf16_to_f32(uint16_t h) {
    return gm_bits_as_f32((uint32_t)h << 16);
}

/* The product moves the exponent's bias, and makes subnormal numbers normal. */
GM_INLINE float gm_f16_to_f32(uint16_t h) {
    const uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t finite = gm_f32_as_bits(gm_bits_as_f32(magnitude) * 0x1p112f);
    return gm_bits_as_f32(sign | ((h & 0x7c00) == 0x7c00 ? magnitude | 0x7f800000u : finite));
}

GM_INLINE uint16_t gm_f32_to_bf16(float x) {
    const uint32_t bits = gm_f32_as_bits(x);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40 : rounded);
}

/* Below 2^-14 the sum with 1/2 rounds to multiples of 2^-24, the subnormal step. */
GM_INLINE uint16_t gm_f32_to_f16(float x) {
    const uint32_t bits = gm_f32_as_bits(x), a = bits & 0x7fffffffu;
    const uint32_t small = gm_f32_as_bits(gm_bits_as_f32(a) + 0.5f) - 0x3f000000u;
    const uint32_t normal = (a - 0x37fff001u + (a >> 13 & 1)) >> 13;
    const uint32_t large = a > 0x7f800000u ? 0x7e00 : 0x7c00;
    const uint32_t magnitude = a >= 0x47800000u ? large : a < 0x38800000u ? small : normal;
    return (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)magnitude;
}

#endif
