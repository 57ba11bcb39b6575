/* Layouts: merging and ordering of axes. */
#include "host/layout.h"

#include <stdlib.h>

#include "host/internal.h"

gm_layout gm_layout_begin(int32_t tensors) {
    return (gm_layout){.tensors = tensors, .elements = 1};
}

static bool continues(const gm_layout *layout, int64_t size, const int64_t *strides) {
    if (layout->axes == 0) {
        return false;
    }
    for (int32_t i = 0; i < layout->tensors; ++i) {
        int64_t span;
        if (!gm_multiply_sizes(strides[i], size, &span) ||
            layout->stride[i][layout->axes - 1] != span) {
            return false;
        }
    }
    return true;
}

void gm_layout_add(gm_layout *layout, int64_t size, const int64_t *strides) {
    layout->elements *= size;
    if (size == 1) {
        return;
    }
    if (continues(layout, size, strides)) {
        layout->shape[layout->axes - 1] *= size;
    } else {
        layout->shape[layout->axes++] = size;
    }
    for (int32_t i = 0; i < layout->tensors; ++i) {
        layout->stride[i][layout->axes - 1] = strides[i];
    }
}

void gm_layout_sort(gm_layout *layout, int32_t tensor) {
    int32_t order[GM_MAX_DIMS];
    for (int32_t axis = 0; axis < layout->axes; ++axis) {
        int32_t at = axis;
        /* Insertion keeps the order of axes with equal strides. */
        for (; at > 0 &&
               llabs(layout->stride[tensor][order[at - 1]]) < llabs(layout->stride[tensor][axis]);
             --at) {
            order[at] = order[at - 1];
        }
        order[at] = axis;
    }
    const gm_layout before = *layout;
    *layout = gm_layout_begin(before.tensors);
    for (int32_t i = 0; i < before.axes; ++i) {
        int64_t strides[GM_LAYOUT_TENSORS];
        for (int32_t t = 0; t < before.tensors; ++t) {
            strides[t] = before.stride[t][order[i]];
        }
        gm_layout_add(layout, before.shape[order[i]], strides);
    }
}
