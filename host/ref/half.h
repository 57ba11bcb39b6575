/* f16 and bf16 as numbers: exact one way, rounded to nearest even the other. */
#ifndef GENMATH_HOST_REF_HALF_H
#define GENMATH_HOST_REF_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double gm_half_value(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 31  ? (fraction != 0 ? (double)NAN : (double)INFINITY)
                             : exponent == 0 ? ldexp(fraction, -24)
                                             : ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

static inline double gm_bfloat_value(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

/*
 * A number in a format of 16 bits: `fraction` bits below the leading one, exponents from `least`
 * (of the smallest normal number), values from 2^limit on infinite.
 */
static inline uint16_t gm_round_to_16_bits(double x, int fraction, int least, int limit) {
    const uint16_t sign = signbit(x) ? 0x8000u : 0u;
    const uint16_t infinity = (uint16_t)((limit - least + 1) << fraction);
    if (isnan(x)) {
        return (uint16_t)(sign | infinity | 1u << (fraction - 1));
    }
    const double a = fabs(x);
    if (a >= ldexp(1.0, limit)) {
        return sign | infinity;
    }
    int exponent = a > 0 ? ilogb(a) : least;
    exponent = exponent < least ? least : exponent;
    /* Whole multiples of the last place; a carry into the next exponent adds up by itself. */
    const double places = nearbyint(ldexp(a, fraction - exponent));
    const int bits = ((exponent - least) << fraction) + (int)places;
    return sign | (uint16_t)bits;
}

static inline uint16_t gm_half_from(double x) {
    return gm_round_to_16_bits(x, 10, -14, 16);
}

static inline uint16_t gm_bfloat_from(double x) {
    return gm_round_to_16_bits(x, 7, -126, 128);
}

#endif
