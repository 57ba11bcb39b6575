/* Blocked contractions whose sums are floats: f32, c64, and f16 and bf16 that packing widens. */
#include <string.h>

#include "host/contract_epilogue.h"
#include "host/cpu/contract_kernel.h"
#include "host/half.h"

#define REAL float
#define HAS_NARROW 1
#define NARROW_BYTES 2
#define HAS_OTHER 1
#define HAS_COMPLEX 1
#define HAS_EPILOGUE 1
#define LOAD(kind, from, at) load_f32(kind, from, at)
#define FMA_512(a, b, c) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define FMA_256(a, b, c) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define FMA_SSE(a, b, c) _mm_fmadd_ps((__m128)(a), (__m128)(b), (__m128)(c))
#define FMA_SCALAR(a, b, c) __builtin_fmaf(a, b, c)
#if defined(__aarch64__)
#define FMA_128(a, b, c) vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b))
#define FMA_BASE(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FMA_128(a, b, c) ((a) * (b) + (c))
#define FMA_BASE(a, b, c) ((a) * (b) + (c))
#endif
#define KC_512 512

typedef float four_f32 __attribute__((vector_size(16), may_alias, aligned(4)));
typedef four_f32 four_compensated_f32;

static inline int kind_of_f32(gm_dtype dtype) {
    return dtype == GM_F16    ? KIND_NARROW
           : dtype == GM_BF16 ? KIND_OTHER
           : dtype == GM_C64  ? KIND_COMPLEX
                              : KIND_SAME;
}

GM_INLINE float load_f32(const int kind, const void *from, int64_t at) {
    return kind == KIND_NARROW  ? gm_f32_from_f16(((const uint16_t *)from)[at])
           : kind == KIND_OTHER ? gm_f32_from_bf16(((const uint16_t *)from)[at])
                                : ((const float *)from)[at];
}

GM_INLINE void store_f32(const int kind, void *to, int64_t at, float x) {
    if (kind == KIND_NARROW) {
        ((uint16_t *)to)[at] = gm_f16_from_f32(x);
    } else {
        ((uint16_t *)to)[at] = gm_bf16_from_f32(x);
    }
}

/* A sample by the words that are its own. */
GM_INLINE float decide_f32(const uint32_t *words, float probability) {
    return gm_contract_decide_f32(words[0], probability);
}

#define FN(name) PASTE(name, f32)
#define CARRY 1
#include "host/cpu/contract_type.inc"
const gm_contract_kernel *const gm_kernel_f32[3] = GM_KERNEL_TABLE(kernel_f32);

#define kind_of_compensated_f32 kind_of_f32
#define store_compensated_f32 store_f32
#define gm_contract_activate_compensated_f32 gm_contract_activate_f32
#define gm_contract_sample_compensated_f32 gm_contract_sample_f32
#define decide_compensated_f32 decide_f32
#define FN(name) PASTE(name, compensated_f32)
#define CARRY 2
#include "host/cpu/contract_type.inc"
const gm_contract_kernel *const gm_kernel_compensated_f32[3] =
    GM_KERNEL_TABLE(kernel_compensated_f32);
