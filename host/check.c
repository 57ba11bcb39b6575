/* Argument checks shared by the operations. */
#include <stdlib.h>

#include "host/internal.h"

bool gm_tensor_reach(const gm_tensor *tensor, int64_t *low, int64_t *high) {
    *low = *high = 0;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        int64_t reach;
        if (!gm_multiply_sizes(tensor->shape[axis] - 1, tensor->stride[axis], &reach) ||
            __builtin_add_overflow(reach < 0 ? *low : *high, reach, reach < 0 ? low : high)) {
            return false;
        }
    }
    /* The whole range in bytes fits, and with it every sum of distances inside it. */
    int64_t elements, bytes;
    return !__builtin_sub_overflow(*high, *low, &elements) &&
           !__builtin_add_overflow(elements, 1, &elements) &&
           gm_multiply_sizes(elements, (int64_t)gm_dtype_size(tensor->dtype), &bytes);
}

gm_status gm_check_layout(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes) {
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    GM_CHECK(context, gm_dtype_size(tensor->dtype) != 0, GM_STATUS_INVALID_ARGUMENT,
             "%s.dtype = %d is not a known type", name, (int)tensor->dtype);
    GM_CHECK(context, (dtypes & GM_DTYPE_BIT(tensor->dtype)) != 0, GM_STATUS_INVALID_ARGUMENT,
             "%s.dtype = %s is not taken here", name, gm_dtype_name(tensor->dtype));
    GM_CHECK(context, tensor->ndim == ndim, GM_STATUS_SHAPE_MISMATCH, "%s.ndim = %d: must be %d",
             name, (int)tensor->ndim, (int)ndim);
    int64_t elements, low, high;
    if (gm_tensor_elements(tensor, &elements) != GM_STATUS_OK) {
        return gm_fail(context, GM_STATUS_INVALID_ARGUMENT, "%s: %s", name, gm_last_error(NULL));
    }
    GM_CHECK(context, elements == 0 || gm_tensor_reach(tensor, &low, &high),
             GM_STATUS_INVALID_ARGUMENT, "%s: its strides reach over 2^63 - 1 bytes", name);
    return GM_STATUS_OK;
}

gm_status gm_check_tensor(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes) {
    GM_TRY(gm_check_layout(context, name, tensor, ndim, dtypes));
    int64_t elements;
    GM_TRY(gm_tensor_elements(tensor, &elements));
    if (elements == 0) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, tensor->data != NULL, GM_STATUS_INVALID_ARGUMENT, "%s.data is NULL", name);
    const size_t bytes = gm_dtype_size(tensor->dtype);
    /* The host reads a c128 as two doubles, a kernel as 16 bytes at once. */
    const bool in_halves = bytes == 16 && context->backend->memory_is_reachable == NULL;
    const size_t alignment = in_halves ? 8 : bytes;
    GM_CHECK(context, (uintptr_t)tensor->data % alignment == 0, GM_STATUS_INVALID_ARGUMENT,
             "%s.data is not aligned to its %zu-byte elements", name, bytes);
    GM_CHECK(context,
             context->backend->memory_is_reachable == NULL ||
                 context->backend->memory_is_reachable(&context->call, tensor->data),
             GM_STATUS_INVALID_ARGUMENT,
             "%s.data is not memory of the %s backend: allocate it with gm_memory_alloc", name,
             context->backend->name);
    return GM_STATUS_OK;
}

gm_status gm_check_planned(gm_context *context, const char *name, const gm_tensor *tensor,
                           const gm_tensor *planned) {
    GM_TRY(gm_check_tensor(context, name, tensor, planned->ndim, GM_DTYPE_BIT(planned->dtype)));
    bool empty = false;
    for (int32_t axis = 0; axis < planned->ndim; ++axis) {
        GM_CHECK(context, tensor->shape[axis] == planned->shape[axis], GM_STATUS_SHAPE_MISMATCH,
                 "%s.shape[%d] = %lld: the plan is for %lld", name, (int)axis,
                 (long long)tensor->shape[axis], (long long)planned->shape[axis]);
        empty = empty || planned->shape[axis] == 0;
    }
    for (int32_t axis = 0; axis < planned->ndim; ++axis) {
        GM_CHECK(context,
                 empty || planned->shape[axis] == 1 ||
                     tensor->stride[axis] == planned->stride[axis],
                 GM_STATUS_INVALID_ARGUMENT, "%s.stride[%d] = %lld: the plan is for %lld", name,
                 (int)axis, (long long)tensor->stride[axis], (long long)planned->stride[axis]);
    }
    return GM_STATUS_OK;
}

static int by_stride(const void *a, const void *b) {
    const int64_t left = ((const int64_t *)a)[0], right = ((const int64_t *)b)[0];
    return (left > right) - (left < right);
}

/*
 * True if no two elements share memory. Sorted by stride, each axis must step over everything that
 * the axes below it reach; that holds for every permuted, sliced or padded array, and a view for
 * which it fails without sharing memory (such views exist) is refused too.
 */
bool gm_elements_are_distinct(const gm_tensor *tensor) {
    int64_t elements;
    if (gm_tensor_elements(tensor, &elements) == GM_STATUS_OK && elements == 0) {
        return true;
    }
    int64_t axes[GM_MAX_DIMS][2];
    int32_t count = 0;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        if (tensor->shape[axis] > 1) {
            axes[count][0] = llabs(tensor->stride[axis]);
            axes[count++][1] = tensor->shape[axis];
        }
    }
    qsort(axes, (size_t)count, sizeof axes[0], by_stride);
    int64_t reach = 0;
    for (int32_t i = 0; i < count; ++i) {
        if (axes[i][0] <= reach) {
            return false;
        }
        reach += axes[i][0] * (axes[i][1] - 1);
    }
    return true;
}

gm_status gm_check_output(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes) {
    GM_TRY(gm_check_tensor(context, name, tensor, ndim, dtypes));
    GM_CHECK(context, gm_elements_are_distinct(tensor), GM_STATUS_INVALID_ARGUMENT,
             "%s: two of its elements share memory (a stride of 0 or overlapping strides), so it "
             "cannot be written",
             name);
    return GM_STATUS_OK;
}

static bool same_view(const gm_tensor *a, const gm_tensor *b) {
    if (a->data != b->data || a->dtype != b->dtype || a->ndim != b->ndim) {
        return false;
    }
    for (int32_t axis = 0; axis < a->ndim; ++axis) {
        if (a->shape[axis] != b->shape[axis] ||
            (a->shape[axis] > 1 && a->stride[axis] != b->stride[axis])) {
            return false;
        }
    }
    return true;
}

/* The addresses of a non-empty tensor's first byte and of the one after its last; false on
 * overflow. */
static bool byte_range(const gm_tensor *tensor, intptr_t *first, intptr_t *end) {
    const int64_t size = (int64_t)gm_dtype_size(tensor->dtype);
    int64_t low, high;
    return gm_tensor_reach(tensor, &low, &high) &&
           !__builtin_add_overflow((intptr_t)tensor->data, low * size, first) &&
           !__builtin_add_overflow(*first, (high - low + 1) * size, end);
}

gm_status gm_check_disjoint(gm_context *context, const char *a_name, const gm_tensor *a,
                            const char *b_name, const gm_tensor *b, bool same_is_fine) {
    int64_t a_elements, b_elements;
    if (a == NULL || b == NULL || gm_tensor_elements(a, &a_elements) != GM_STATUS_OK ||
        gm_tensor_elements(b, &b_elements) != GM_STATUS_OK || a_elements == 0 || b_elements == 0 ||
        (same_is_fine && same_view(a, b))) {
        return GM_STATUS_OK;
    }
    intptr_t a_first, a_end, b_first, b_end;
    const bool disjoint = byte_range(a, &a_first, &a_end) && byte_range(b, &b_first, &b_end) &&
                          (a_end <= b_first || b_end <= a_first);
    GM_CHECK(context, disjoint, GM_STATUS_INVALID_ARGUMENT, "%s and %s overlap in memory", a_name,
             b_name);
    return GM_STATUS_OK;
}

gm_status gm_check_workspace(gm_context *context, const char *what, size_t needed, void *data,
                             size_t given, gm_tensor *scratch) {
    GM_CHECK(context, given >= needed, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace.bytes = %zu: %s needs %zu", given, what, needed);
    GM_CHECK(context, (uintptr_t)data % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace.data is not aligned to 64 bytes");
    *scratch = gm_tensor_1d(data, GM_U8, (int64_t)needed);
    return gm_check_tensor(context, "workspace", scratch, 1, GM_DTYPE_BIT(GM_U8));
}

gm_status gm_check_size(gm_context *context, const char *name, const gm_tensor *tensor,
                        int32_t axis, int64_t size, const char *because) {
    GM_CHECK(context, tensor->shape[axis] == size, GM_STATUS_SHAPE_MISMATCH,
             "%s.shape[%d] = %lld: must be %lld, %s", name, (int)axis,
             (long long)tensor->shape[axis], (long long)size, because);
    return GM_STATUS_OK;
}
