/* Blocked contractions whose sums are doubles: f64 and c128. */
#include <string.h>

#include "host/contract_epilogue.h"
#include "host/cpu/contract_kernel.h"

#define REAL double
#define HAS_NARROW 0
#define HAS_OTHER 0
#define HAS_COMPLEX 1
#define HAS_EPILOGUE 1
#define LOAD(kind, from, at) load_f64(kind, from, at)
#define FMA_512(a, b, c) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define FMA_256(a, b, c) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define FMA_SSE(a, b, c) _mm_fmadd_pd((__m128d)(a), (__m128d)(b), (__m128d)(c))
#define FMA_SCALAR(a, b, c) __builtin_fma(a, b, c)
#if defined(__aarch64__)
#define FMA_128(a, b, c) vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b))
#define FMA_BASE(a, b, c) __builtin_fma(a, b, c)
#else
#define FMA_128(a, b, c) ((a) * (b) + (c))
#define FMA_BASE(a, b, c) ((a) * (b) + (c))
#endif
#define KC_512 512

typedef double four_f64 __attribute__((vector_size(32), may_alias, aligned(8)));
typedef four_f64 four_compensated_f64;

static inline int kind_of_f64(gm_dtype dtype) {
    return dtype == GM_C128 ? KIND_COMPLEX : KIND_SAME;
}

GM_INLINE double load_f64(const int kind, const void *from, int64_t at) {
    (void)kind;
    return ((const double *)from)[at];
}

GM_INLINE void store_f64(const int kind, void *to, int64_t at, double x) {
    (void)kind;
    ((double *)to)[at] = x;
}

/* A sample by the words that are its own. */
GM_INLINE double decide_f64(const uint32_t *words, double probability) {
    return gm_contract_decide_f64(words[0], words[1], probability);
}

#define FN(name) PASTE(name, f64)
#define CARRY 1
#include "host/cpu/contract_type.inc"
const gm_contract_kernel *const gm_kernel_f64[3] = GM_KERNEL_TABLE(kernel_f64);

#define kind_of_compensated_f64 kind_of_f64
#define store_compensated_f64 store_f64
#define gm_contract_activate_compensated_f64 gm_contract_activate_f64
#define gm_contract_sample_compensated_f64 gm_contract_sample_f64
#define decide_compensated_f64 decide_f64
#define FN(name) PASTE(name, compensated_f64)
#define CARRY 2
#include "host/cpu/contract_type.inc"
const gm_contract_kernel *const gm_kernel_compensated_f64[3] =
    GM_KERNEL_TABLE(kernel_compensated_f64);
