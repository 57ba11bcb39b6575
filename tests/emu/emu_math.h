// Device functions of mathematics and bit manipulation that the C library does not have.
//
// The fast approximations (__expf and its like) are the accurate functions here: their error on a
// device is bounded by CUDA's documentation, so a kernel that uses them is compared with a
// tolerance in any case. rsqrtf is 1 / sqrtf in double, rounded once.
#ifndef GENMATH_EMU_MATH_H
#define GENMATH_EMU_MATH_H

#include <math.h>
#include <string.h>

#include "emu_types.h"

// ---- minimum and maximum ---------------------------------------------------------------------
#define EMU_MIN_MAX(type)                                                                          \
    inline type min(type a, type b) {                                                              \
        return b < a ? b : a;                                                                      \
    }                                                                                              \
    inline type max(type a, type b) {                                                              \
        return a < b ? b : a;                                                                      \
    }
EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long)
EMU_MIN_MAX(unsigned long)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
#undef EMU_MIN_MAX

inline float min(float a, float b) {
    return fminf(a, b);
}
inline float max(float a, float b) {
    return fmaxf(a, b);
}
inline double min(double a, double b) {
    return fmin(a, b);
}
inline double max(double a, double b) {
    return fmax(a, b);
}

// ---- bit patterns ----------------------------------------------------------------------------
#define EMU_REINTERPRET(name, from, to)                                                            \
    inline to name(from value) {                                                                   \
        static_assert(sizeof(from) == sizeof(to), "the bits are kept");                            \
        to result;                                                                                 \
        memcpy(&result, &value, sizeof result);                                                    \
        return result;                                                                             \
    }
EMU_REINTERPRET(__float_as_int, float, int)
EMU_REINTERPRET(__float_as_uint, float, unsigned)
EMU_REINTERPRET(__int_as_float, int, float)
EMU_REINTERPRET(__uint_as_float, unsigned, float)
EMU_REINTERPRET(__double_as_longlong, double, long long)
EMU_REINTERPRET(__longlong_as_double, long long, double)
#undef EMU_REINTERPRET

// ---- integers --------------------------------------------------------------------------------
inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x) {
    return __builtin_popcountll(x);
}
inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
inline int __clzll(long long x) {
    return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline int __ffsll(long long x) {
    return __builtin_ffsll(x);
}
inline unsigned __brev(unsigned x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
    return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 |
           __brev(static_cast<unsigned>(x >> 32));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline int __mulhi(int a, int b) {
    return static_cast<int>(static_cast<long long>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    __extension__ typedef unsigned __int128 wide;
    return static_cast<unsigned long long>(static_cast<wide>(a) * b >> 64);
}
inline long long __mul64hi(long long a, long long b) {
    __extension__ typedef __int128 wide;
    return static_cast<long long>(static_cast<wide>(a) * b >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
    return static_cast<unsigned>(both << (shift & 31u) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
    return static_cast<unsigned>(both >> (shift & 31u));
}

// ---- single operations with a stated rounding ------------------------------------------------
// The host rounds to nearest even, and the emulator is built with -ffp-contract=off.
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __frcp_rn(float a) {
    return 1.0f / a;
}
inline float __fsqrt_rn(float a) {
    return sqrtf(a);
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
inline double __dadd_rn(double a, double b) {
    return a + b;
}
inline double __dsub_rn(double a, double b) {
    return a - b;
}
inline double __dmul_rn(double a, double b) {
    return a * b;
}
inline double __ddiv_rn(double a, double b) {
    return a / b;
}
inline double __dsqrt_rn(double a) {
    return sqrt(a);
}
inline double __fma_rn(double a, double b, double c) {
    return fma(a, b, c);
}

// ---- conversions -----------------------------------------------------------------------------
namespace emu {

// The device saturates where C leaves the conversion undefined, and a NaN becomes 0.
inline int to_int(double value) {
    if (!(value > -2147483649.0)) {
        return value != value ? 0 : -2147483647 - 1;
    }
    return value >= 2147483648.0 ? 2147483647 : static_cast<int>(value);
}
inline unsigned to_uint(double value) {
    if (!(value > 0.0)) {
        return 0u;
    }
    return value >= 4294967296.0 ? 4294967295u : static_cast<unsigned>(value);
}

} // namespace emu

inline int __float2int_rn(float x) {
    return emu::to_int(nearbyint(static_cast<double>(x)));
}
inline int __float2int_rz(float x) {
    return emu::to_int(trunc(static_cast<double>(x)));
}
inline int __float2int_rd(float x) {
    return emu::to_int(floor(static_cast<double>(x)));
}
inline int __float2int_ru(float x) {
    return emu::to_int(ceil(static_cast<double>(x)));
}
inline unsigned __float2uint_rn(float x) {
    return emu::to_uint(nearbyint(static_cast<double>(x)));
}
inline unsigned __float2uint_rz(float x) {
    return emu::to_uint(trunc(static_cast<double>(x)));
}
inline int __double2int_rn(double x) {
    return emu::to_int(nearbyint(x));
}
inline int __double2int_rz(double x) {
    return emu::to_int(trunc(x));
}
inline float __int2float_rn(int x) {
    return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x) {
    return static_cast<float>(x);
}
inline double __int2double_rn(int x) {
    return static_cast<double>(x);
}
inline float __double2float_rn(double x) {
    return static_cast<float>(x);
}

// ---- functions -------------------------------------------------------------------------------
inline float rsqrtf(float x) {
    return static_cast<float>(1.0 / sqrt(static_cast<double>(x)));
}
inline double rsqrt(double x) {
    return 1.0 / sqrt(x);
}
inline float __frsqrt_rn(float x) {
    return rsqrtf(x);
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __saturatef(float x) {
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}

// Macros, because the C library declares some of these names for itself.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __powf(x, y) powf((x), (y))
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __sincosf(x, s, c) sincosf((x), (s), (c))

// ---- loads and stores with a cache hint ------------------------------------------------------
#define EMU_LOAD(name)                                                                             \
    template <class T> T name(const T *address) {                                                  \
        return *address;                                                                           \
    }
#define EMU_STORE(name)                                                                            \
    template <class T> void name(T *address, T value) {                                            \
        *address = value;                                                                          \
    }
EMU_LOAD(__ldg)
EMU_LOAD(__ldca)
EMU_LOAD(__ldcg)
EMU_LOAD(__ldcs)
EMU_STORE(__stcg)
EMU_STORE(__stcs)
#undef EMU_LOAD
#undef EMU_STORE

#endif
