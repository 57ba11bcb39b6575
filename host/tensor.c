/* Views: sizes, strides, order. */
#include <genmath/tensor.h>

#include "host/internal.h"

#define GM_DTYPE_BYTES(name, bytes, text) bytes,
#define GM_DTYPE_TEXT(name, bytes, text) text,
static const size_t dtype_bytes[] = {GM_DTYPE_LIST(GM_DTYPE_BYTES)};
static const char *const dtype_text[] = {GM_DTYPE_LIST(GM_DTYPE_TEXT)};

size_t gm_dtype_size(gm_dtype dtype) {
    return (unsigned)dtype < GM_DTYPE_COUNT ? dtype_bytes[dtype] : 0;
}

const char *gm_dtype_name(gm_dtype dtype) {
    return (unsigned)dtype < GM_DTYPE_COUNT ? dtype_text[dtype] : "unknown";
}

bool gm_multiply_sizes(int64_t a, int64_t b, int64_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

gm_status gm_tensor_view(void *data, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                         gm_tensor *tensor) {
    GM_CHECK(NULL, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    GM_CHECK(NULL, gm_dtype_size(dtype) != 0, GM_STATUS_INVALID_ARGUMENT,
             "dtype = %d is not a known type", (int)dtype);
    GM_CHECK(NULL, ndim >= 0 && ndim <= GM_MAX_DIMS, GM_STATUS_INVALID_ARGUMENT,
             "ndim = %d is not in 0 .. %d", (int)ndim, GM_MAX_DIMS);
    GM_CHECK(NULL, shape != NULL || ndim == 0, GM_STATUS_INVALID_ARGUMENT, "shape is NULL");

    gm_tensor view = {data, dtype, ndim, {0}, {0}};
    int64_t stride = 1, bytes = (int64_t)gm_dtype_size(dtype);
    for (int32_t axis = ndim - 1; axis >= 0; --axis) {
        GM_CHECK(NULL, shape[axis] >= 0, GM_STATUS_INVALID_ARGUMENT, "shape[%d] = %lld is negative",
                 (int)axis, (long long)shape[axis]);
        view.shape[axis] = shape[axis];
        view.stride[axis] = stride;
        /* A size of 0 empties the tensor but must not hide an overflow in the other sizes. */
        const int64_t size = shape[axis] > 0 ? shape[axis] : 1;
        GM_CHECK(NULL,
                 gm_multiply_sizes(stride, size, &stride) && gm_multiply_sizes(bytes, size, &bytes),
                 GM_STATUS_INVALID_ARGUMENT, "shape[%d] = %lld: the tensor has over 2^63 - 1 bytes",
                 (int)axis, (long long)shape[axis]);
    }
    *tensor = view;
    return GM_STATUS_OK;
}

gm_status gm_tensor_elements(const gm_tensor *tensor, int64_t *elements) {
    GM_CHECK(NULL, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    GM_CHECK(NULL, elements != NULL, GM_STATUS_INVALID_ARGUMENT, "elements is NULL");
    GM_CHECK(NULL, tensor->ndim >= 0 && tensor->ndim <= GM_MAX_DIMS, GM_STATUS_INVALID_ARGUMENT,
             "tensor.ndim = %d is not in 0 .. %d", (int)tensor->ndim, GM_MAX_DIMS);
    int64_t product = 1;
    bool empty = false;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        const int64_t size = tensor->shape[axis];
        GM_CHECK(NULL, size >= 0, GM_STATUS_INVALID_ARGUMENT, "tensor.shape[%d] = %lld is negative",
                 (int)axis, (long long)size);
        empty = empty || size == 0;
        GM_CHECK(NULL, gm_multiply_sizes(product, size > 0 ? size : 1, &product),
                 GM_STATUS_INVALID_ARGUMENT, "tensor.shape[%d] = %lld: over 2^63 - 1 elements",
                 (int)axis, (long long)size);
    }
    *elements = empty ? 0 : product;
    return GM_STATUS_OK;
}

int32_t gm_tensor_is_contiguous(const gm_tensor *tensor) {
    int64_t elements;
    if (gm_tensor_elements(tensor, &elements) != GM_STATUS_OK) {
        return 0;
    }
    if (elements == 0) {
        return 1;
    }
    int64_t expected = 1;
    for (int32_t axis = tensor->ndim - 1; axis >= 0; --axis) {
        if (tensor->shape[axis] != 1 && tensor->stride[axis] != expected) {
            return 0;
        }
        expected *= tensor->shape[axis];
    }
    return 1;
}

gm_status gm_tensor_permute(const gm_tensor *tensor, const int32_t *order, gm_tensor *out) {
    GM_CHECK(NULL, tensor != NULL && out != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL",
             tensor == NULL ? "tensor" : "out");
    GM_CHECK(NULL, tensor->ndim >= 0 && tensor->ndim <= GM_MAX_DIMS, GM_STATUS_INVALID_ARGUMENT,
             "tensor.ndim = %d is not in 0 .. %d", (int)tensor->ndim, GM_MAX_DIMS);
    GM_CHECK(NULL, order != NULL || tensor->ndim == 0, GM_STATUS_INVALID_ARGUMENT, "order is NULL");
    gm_tensor view = *tensor;
    uint32_t seen = 0;
    for (int32_t i = 0; i < tensor->ndim; ++i) {
        GM_CHECK(NULL, order[i] >= 0 && order[i] < tensor->ndim && !(seen >> order[i] & 1u),
                 GM_STATUS_INVALID_ARGUMENT, "order[%d] = %d: order is not a permutation", (int)i,
                 (int)order[i]);
        seen |= 1u << order[i];
        view.shape[i] = tensor->shape[order[i]];
        view.stride[i] = tensor->stride[order[i]];
    }
    *out = view;
    return GM_STATUS_OK;
}
