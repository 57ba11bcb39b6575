/*
 * What differs between the compilers that read genmath's shared headers: the host C compiler, nvcc,
 * NVRTC, and the C++ compiler that builds the kernels for the emulator. Shared headers hold functions
 * that must inline into a lane loop on the CPU and into a kernel on the GPU.
 */
#ifndef GENMATH_COMPILER_H
#define GENMATH_COMPILER_H

#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

/* GM_INLINE: a shared function, callable from host code and from kernels, always inlined. */
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define GM_INLINE static __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define GM_INLINE static inline __attribute__((always_inline, unused))
#else
#error "genmath needs gcc, clang or nvcc"
#endif

/*
 * GM_UNROLL before a loop over components: without full unrolling the small arrays of a trajectory
 * stay in memory and neither compiler vectorises the lane loop around them.
 * GM_LANE_LOOP before a loop over lanes: the iterations are independent.
 */
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define GM_UNROLL _Pragma("unroll")
#define GM_LANE_LOOP
#elif defined(GM_KERNEL_SYSTEMS) /* kernels under the emulator: nothing to vectorise */
#define GM_UNROLL
#define GM_LANE_LOOP
#elif defined(__clang__)
#define GM_UNROLL _Pragma("clang loop unroll(full)")
#define GM_LANE_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GM_UNROLL _Pragma("GCC unroll 64")
#define GM_LANE_LOOP _Pragma("GCC ivdep")
#endif

/*
 * One body, compiled once per instruction set and chosen at run time: GM_TARGET_<isa> goes before a
 * function that inlines the body. gcc vectorises at -O2 only what it thinks is very cheap, so the
 * attribute asks for -O3 whatever the user's flags are. It also lets a * b + c be one instruction, which
 * halves the work of a typical body; what must have the same bits everywhere says fma itself.
 */
#if defined(__x86_64__) && !defined(__CUDACC__)
#define GM_HAVE_X86_TARGETS 1
#if defined(__clang__)
#define GM_TARGET_BASE
#define GM_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define GM_TARGET_AVX512 \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"), min_vector_width(512)))
#else
#define GM_TARGET_BASE __attribute__((optimize("O3", "fp-contract=fast", "no-trapping-math", "no-math-errno")))
#define GM_TARGET_AVX2 __attribute__((target("avx2,fma"), optimize("O3", "fp-contract=fast", "no-trapping-math", "no-math-errno")))
#define GM_TARGET_AVX512                                                                          \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512"), \
                   optimize("O3", "fp-contract=fast", "no-trapping-math", "no-math-errno")))
#endif
#else
#define GM_HAVE_X86_TARGETS 0
#if defined(__CUDACC__) || defined(__clang__)
#define GM_TARGET_BASE
#else
#define GM_TARGET_BASE __attribute__((optimize("O3", "fp-contract=fast", "no-trapping-math", "no-math-errno")))
#endif
#define GM_TARGET_AVX2
#define GM_TARGET_AVX512
#endif

/* clang takes the same permission only from inside a function. */
#if defined(__clang__)
#define GM_CONTRACT_FAST _Pragma("clang fp contract(fast)")
#else
#define GM_CONTRACT_FAST
#endif

#endif
