/*
 * Arithmetic that the compilers spell differently, named once: fused multiply-add, square root, a product that
 * is never fused, and the bits of a number.
 */
#ifndef GENMATH_DETAIL_ARITHMETIC_H
#define GENMATH_DETAIL_ARITHMETIC_H

#include <genmath/compiler.h>

#if defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
/* Without the attribute gcc keeps a branch that sets errno, and does not vectorise the square root.
 */
float sqrtf(float) __attribute__((const));
double sqrt(double) __attribute__((const));
#elif defined(__clang__) && defined(__x86_64__) && !defined(__CUDACC__)
/* For the same reason: clang vectorises the instruction's own name. */
typedef float gm_sse_f32 __attribute__((vector_size(16)));
typedef double gm_sse_f64 __attribute__((vector_size(16)));
#endif

/* The square root, correctly rounded (error 0.5 ulp); NaN below zero. */
GM_INLINE float gm_sqrt_f32(float x) {
#if defined(__CUDA_ARCH__)
    return __fsqrt_rn(x);
#elif defined(__clang__) && defined(__x86_64__) && !defined(__CUDACC__)
    const gm_sse_f32 v = {x, 0.0f, 0.0f, 0.0f};
    return __builtin_ia32_sqrtss(v)[0];
#elif defined(__cplusplus)
    return __builtin_sqrtf(x);
#else
    return sqrtf(x);
#endif
}

GM_INLINE double gm_sqrt_f64(double x) {
#if defined(__CUDA_ARCH__)
    return __dsqrt_rn(x);
#elif defined(__clang__) && defined(__x86_64__) && !defined(__CUDACC__)
    const gm_sse_f64 v = {x, 0.0};
    return __builtin_ia32_sqrtsd(v)[0];
#elif defined(__cplusplus)
    return __builtin_sqrt(x);
#else
    return sqrt(x);
#endif
}

/* a * b + c, rounded once. */
GM_INLINE float gm_fma_f32(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
    return __fmaf_rn(a, b, c);
#else
    return __builtin_fmaf(a, b, c);
#endif
}

GM_INLINE double gm_fma_f64(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
    return __fma_rn(a, b, c);
#else
    return __builtin_fma(a, b, c);
#endif
}

/* a * b where the product is the addend of a fused multiply-add: nvcc must not merge it further. */
GM_INLINE float gm_multiply_f32(float a, float b) {
#if defined(__CUDA_ARCH__)
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

GM_INLINE double gm_multiply_f64(double a, double b) {
#if defined(__CUDA_ARCH__)
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
}

/* a / b, correctly rounded whatever the compiler's options for kernels. */
GM_INLINE float gm_divide_f32(float a, float b) {
#if defined(__CUDA_ARCH__)
    return __fdiv_rn(a, b);
#else
    return a / b;
#endif
}

GM_INLINE double gm_divide_f64(double a, double b) {
#if defined(__CUDA_ARCH__)
    return __ddiv_rn(a, b);
#else
    return a / b;
#endif
}

GM_INLINE uint32_t gm_bits_f32(float x) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(x);
#else
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
#endif
}

GM_INLINE float gm_from_bits_f32(uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

GM_INLINE uint64_t gm_bits_f64(double x) {
#if defined(__CUDA_ARCH__)
    return (uint64_t)__double_as_longlong(x);
#else
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
#endif
}

GM_INLINE double gm_from_bits_f64(uint64_t bits) {
#if defined(__CUDA_ARCH__)
    return __longlong_as_double((long long)bits);
#else
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

#define GM_SIGN_F32 0x80000000u
#define GM_SIGN_F64 0x8000000000000000u
#define GM_INF_F32 gm_from_bits_f32(0x7f800000u)
#define GM_INF_F64 gm_from_bits_f64(0x7ff0000000000000u)
#define GM_NAN_F32 gm_from_bits_f32(0x7fc00000u)
#define GM_NAN_F64 gm_from_bits_f64(0x7ff8000000000000u)

GM_INLINE float gm_abs_f32(float x) {
    return gm_from_bits_f32(gm_bits_f32(x) & ~GM_SIGN_F32);
}

GM_INLINE double gm_abs_f64(double x) {
    return gm_from_bits_f64(gm_bits_f64(x) & ~GM_SIGN_F64);
}

/* Adding it to a number below 2^22 (2^51) leaves the nearest integer in the low bits of the sum. */
#define GM_ROUND_F32 12582912.0f /* 1.5 * 2^23 */
#define GM_ROUND_BITS_F32 0x4b400000u
#define GM_ROUND_F64 6755399441055744.0 /* 1.5 * 2^52 */
#define GM_ROUND_BITS_F64 0x4338000000000000u

#endif
