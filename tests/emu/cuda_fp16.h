// Half precision as a storage type: conversions round to nearest even and are exact otherwise.
// Kernels compute in float, so there is no arithmetic.
#ifndef GENMATH_EMU_CUDA_FP16_H
#define GENMATH_EMU_CUDA_FP16_H

#include <string.h>

#include "emu_types.h"
#include "emu_warp.h"

struct alignas(2) __half {
    unsigned short bits;
};

struct alignas(4) __half2 {
    __half x, y;
};

typedef __half half;
typedef __half2 half2;

template <> struct emu::shuffles<__half> : std::true_type {};
template <> struct emu::shuffles<__half2> : std::true_type {};

inline unsigned short __half_as_ushort(__half h) {
    return h.bits;
}
inline __half __ushort_as_half(unsigned short bits) {
    return {bits};
}

inline float __half2float(__half h) {
    const unsigned sign = static_cast<unsigned>(h.bits & 0x8000u) << 16;
    const unsigned exponent = h.bits >> 10 & 0x1fu;
    const unsigned fraction = h.bits & 0x3ffu;
    unsigned result;
    if (exponent == 0x1f) {
        result = fraction ? 0x7fffffffu : sign | 0x7f800000u;
    } else if (exponent != 0) {
        result = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        // A subnormal is a multiple of 2^-24, which float represents exactly.
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        memcpy(&result, &magnitude, sizeof result);
        result |= sign;
    }
    float value;
    memcpy(&value, &result, sizeof value);
    return value;
}

inline __half __float2half_rn(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    const unsigned sign = bits >> 16 & 0x8000u;
    const unsigned magnitude = bits & 0x7fffffffu;
    unsigned result;
    if (magnitude > 0x7f800000u) {
        return {0x7fff};
    }
    if (magnitude >= 0x477ff000u) { // 65520 and above round to infinity
        result = 0x7c00u;
    } else if (magnitude >= 0x38800000u) { // normal: drop 13 bits of the fraction
        result = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    } else {
        // Adding 0.5 puts the units of 2^-24 at the end of the fraction, and the addition rounds.
        float positive;
        memcpy(&positive, &magnitude, sizeof positive);
        positive += 0.5f;
        memcpy(&result, &positive, sizeof result);
        result -= 0x3f000000u;
    }
    return {static_cast<unsigned short>(sign | result)};
}

inline __half __float2half(float value) {
    return __float2half_rn(value);
}

inline __half2 __halves2half2(__half low, __half high) {
    return {low, high};
}
inline __half2 __half2half2(__half both) {
    return {both, both};
}
inline __half __low2half(__half2 pair) {
    return pair.x;
}
inline __half __high2half(__half2 pair) {
    return pair.y;
}
inline float __low2float(__half2 pair) {
    return __half2float(pair.x);
}
inline float __high2float(__half2 pair) {
    return __half2float(pair.y);
}
inline float2 __half22float2(__half2 pair) {
    return {__half2float(pair.x), __half2float(pair.y)};
}
inline __half2 __floats2half2_rn(float low, float high) {
    return {__float2half_rn(low), __float2half_rn(high)};
}
inline __half2 __float22half2_rn(float2 pair) {
    return {__float2half_rn(pair.x), __float2half_rn(pair.y)};
}
inline __half2 __float2half2_rn(float both) {
    return {__float2half_rn(both), __float2half_rn(both)};
}

#endif
