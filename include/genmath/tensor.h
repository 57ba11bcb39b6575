/*
 * gm_tensor: a view of memory that somebody else owns. Strides are in elements; a stride of 0
 * broadcasts, a negative one walks backwards where an operation says that it allows it.
 */
#ifndef GENMATH_TENSOR_H
#define GENMATH_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include <genmath/context.h>
#include <genmath/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_MAX_DIMS 32

/* name, bytes of an element, text */
#define GM_DTYPE_LIST(X)                                                                           \
    X(GM_F64, 8, "f64")                                                                            \
    X(GM_F32, 4, "f32")                                                                            \
    X(GM_F16, 2, "f16")                                                                            \
    X(GM_BF16, 2, "bf16")                                                                          \
    X(GM_I8, 1, "i8")                                                                              \
    X(GM_I16, 2, "i16")                                                                            \
    X(GM_I32, 4, "i32")                                                                            \
    X(GM_I64, 8, "i64")                                                                            \
    X(GM_U8, 1, "u8")                                                                              \
    X(GM_U16, 2, "u16")                                                                            \
    X(GM_U32, 4, "u32")                                                                            \
    X(GM_U64, 8, "u64")                                                                            \
    X(GM_BOOL, 1, "bool")                                                                          \
    X(GM_C64, 8, "c64")                                                                            \
    X(GM_C128, 16, "c128")

#define GM_DTYPE_ENUM_ITEM(name, bytes, text) name,
typedef enum gm_dtype { GM_DTYPE_LIST(GM_DTYPE_ENUM_ITEM) GM_DTYPE_COUNT } gm_dtype;
#undef GM_DTYPE_ENUM_ITEM

typedef struct gm_tensor {
    void *data;
    gm_dtype dtype;
    int32_t ndim; /* 0 (a scalar) to GM_MAX_DIMS */
    int64_t shape[GM_MAX_DIMS];
    int64_t stride[GM_MAX_DIMS];
} gm_tensor;

size_t gm_dtype_size(gm_dtype dtype);      /* bytes of an element; 0 for an unknown type */
const char *gm_dtype_name(gm_dtype dtype); /* "f64" ...; "unknown" for an unknown type */

/*
 * A row-major view of data.
 * ndim   [in]  0 to GM_MAX_DIMS
 * shape  [in]  ndim sizes, each >= 0
 * tensor [out]
 * Errors: INVALID_ARGUMENT (unknown dtype, ndim or a size out of range, or more bytes than an
 * int64_t counts); data may be NULL only if the tensor has no elements or is never executed on.
 */
gm_status gm_tensor_view(void *data, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                         gm_tensor *tensor);

/* The number of elements. Errors: INVALID_ARGUMENT (negative size, or a product over 2^63 - 1). */
gm_status gm_tensor_elements(const gm_tensor *tensor, int64_t *elements);

/* 1 if the elements lie one after the other in row-major order (sizes of 1 have any stride), else
 * 0. */
int32_t gm_tensor_is_contiguous(const gm_tensor *tensor);

/*
 * The same elements with the dimensions in another order: out.shape[i] = in.shape[order[i]].
 * Errors: INVALID_ARGUMENT (order is not a permutation). out may be in.
 */
gm_status gm_tensor_permute(const gm_tensor *tensor, const int32_t *order, gm_tensor *out);

/* Row-major views of one and two dimensions, for the common case where the sizes are known good. */
static inline gm_tensor gm_tensor_1d(void *data, gm_dtype dtype, int64_t n) {
    gm_tensor t = {data, dtype, 1, {n}, {1}};
    return t;
}

static inline gm_tensor gm_tensor_2d(void *data, gm_dtype dtype, int64_t rows, int64_t columns) {
    gm_tensor t = {data, dtype, 2, {rows, columns}, {columns, 1}};
    return t;
}

static inline gm_tensor gm_tensor_3d(void *data, gm_dtype dtype, int64_t n0, int64_t n1,
                                     int64_t n2) {
    gm_tensor t = {data, dtype, 3, {n0, n1, n2}, {n1 * n2, n2, 1}};
    return t;
}

#ifdef __cplusplus
}
#endif
#endif
