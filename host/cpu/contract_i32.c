/* Blocked contractions of whole numbers, i8 and i32: sums modulo 2^32. */
#include <string.h>

#include "host/cpu/contract_kernel.h"

#define REAL uint32_t
#define HAS_NARROW 1
#define NARROW_BYTES 1
#define HAS_OTHER 0
#define HAS_COMPLEX 0
#define HAS_EPILOGUE 0
#define LOAD(kind, from, at) load_u32(kind, from, at)
#define FMA_512(a, b, c) ((a) * (b) + (c))
#define FMA_256(a, b, c) ((a) * (b) + (c))
#define FMA_128(a, b, c) ((a) * (b) + (c))
#define FMA_SSE(a, b, c) ((a) * (b) + (c))
#define FMA_SCALAR(a, b, c) ((a) * (b) + (c))
#define FMA_BASE(a, b, c) ((a) * (b) + (c))
#define KC_512 384

typedef uint32_t four_u32 __attribute__((vector_size(16), may_alias, aligned(4)));

static inline int kind_of_u32(gm_dtype dtype) {
    return dtype == GM_I8 ? KIND_NARROW : KIND_SAME;
}

GM_INLINE uint32_t load_u32(const int kind, const void *from, int64_t at) {
    return kind == KIND_NARROW ? (uint32_t)(int32_t)((const int8_t *)from)[at]
                               : ((const uint32_t *)from)[at];
}

#define FN(name) PASTE(name, u32)
#define CARRY 1
#include "host/cpu/contract_type.inc"
const gm_contract_kernel *const gm_kernel_i32[3] = GM_KERNEL_TABLE(kernel_u32);
