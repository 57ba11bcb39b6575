// bfloat16 as a storage type: conversions round to nearest even and are exact otherwise. Kernels
// compute in float, so there is no arithmetic.
#ifndef GENMATH_EMU_CUDA_BF16_H
#define GENMATH_EMU_CUDA_BF16_H

#include <string.h>

#include "emu_types.h"
#include "emu_warp.h"

struct alignas(2) __nv_bfloat16 {
    unsigned short bits;
};

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

template <> struct emu::shuffles<__nv_bfloat16> : std::true_type {};
template <> struct emu::shuffles<__nv_bfloat162> : std::true_type {};

inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 b) {
    return b.bits;
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
    return {bits};
}

// A bfloat16 is the upper half of a float.
inline float __bfloat162float(__nv_bfloat16 b) {
    const unsigned bits = static_cast<unsigned>(b.bits) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

inline __nv_bfloat16 __float2bfloat16_rn(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return {0x7fff};
    }
    return {static_cast<unsigned short>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

inline __nv_bfloat16 __float2bfloat16(float value) {
    return __float2bfloat16_rn(value);
}

inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 low, __nv_bfloat16 high) {
    return {low, high};
}
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 both) {
    return {both, both};
}
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 pair) {
    return pair.x;
}
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 pair) {
    return pair.y;
}
inline float __low2float(__nv_bfloat162 pair) {
    return __bfloat162float(pair.x);
}
inline float __high2float(__nv_bfloat162 pair) {
    return __bfloat162float(pair.y);
}
inline float2 __bfloat1622float2(__nv_bfloat162 pair) {
    return {__bfloat162float(pair.x), __bfloat162float(pair.y)};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float low, float high) {
    return {__float2bfloat16_rn(low), __float2bfloat16_rn(high)};
}
inline __nv_bfloat162 __float22bfloat162_rn(float2 pair) {
    return {__float2bfloat16_rn(pair.x), __float2bfloat16_rn(pair.y)};
}
inline __nv_bfloat162 __float2bfloat162_rn(float both) {
    return {__float2bfloat16_rn(both), __float2bfloat16_rn(both)};
}

#endif
