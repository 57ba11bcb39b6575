/* Before a function that may count the ones of whole vectors of 512 bits: what GM_TARGET_AVX512
 * asks for and avx512vpopcntdq, which comes with all but the first machines of AVX-512. */
#ifndef GENMATH_HOST_CPU_TARGET_POPCOUNT_H
#define GENMATH_HOST_CPU_TARGET_POPCOUNT_H

#include <stdbool.h>

#include <genmath/compiler.h>

#if GM_HAVE_X86_TARGETS && defined(__clang__)
#define GM_TARGET_POPCOUNT                                                                         \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512vpopcntdq,avx2,fma"),          \
                   min_vector_width(512)))
#elif GM_HAVE_X86_TARGETS
#define GM_TARGET_POPCOUNT                                                                         \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512vpopcntdq,avx2,fma,"           \
                          "prefer-vector-width=512"),                                              \
                   optimize("O3")))
#else
#define GM_TARGET_POPCOUNT
#endif

/* Whether this machine has it. */
static inline bool gm_has_popcount(void) {
#if GM_HAVE_X86_TARGETS
    return __builtin_cpu_supports("avx512vpopcntdq") != 0;
#else
    return false;
#endif
}

#endif
