/*
 * The axes that several tensors are walked along together, simplified: axes of size 1 dropped,
 * neighbours that one stride can walk in every tensor merged. Read by C and by the kernels.
 */
#ifndef GENMATH_HOST_LAYOUT_H
#define GENMATH_HOST_LAYOUT_H

#include <genmath/compiler.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GM_LAYOUT_TENSORS = 3 };

typedef struct gm_layout {
    int32_t axes; /* 0: one element */
    int32_t tensors;
    int64_t elements;
    int64_t shape[GM_MAX_DIMS];
    int64_t stride[GM_LAYOUT_TENSORS][GM_MAX_DIMS]; /* in elements of each tensor */
} gm_layout;

/* A layout of one element. */
gm_layout gm_layout_begin(int32_t tensors);

/* Adds an axis inside the ones there: its size and its stride in each tensor. */
void gm_layout_add(gm_layout *layout, int64_t size, const int64_t *strides);

/* Orders the axes by their stride in one tensor, the smallest innermost, and merges again. */
void gm_layout_sort(gm_layout *layout, int32_t tensor);

/* Where element e, counted in row-major order, lies in a tensor. */
GM_INLINE int64_t gm_layout_offset(const gm_layout *layout, int32_t tensor, int64_t e) {
    int64_t offset = 0;
    for (int32_t axis = layout->axes - 1; axis > 0; --axis) {
        const int64_t next = e / layout->shape[axis];
        offset += (e - next * layout->shape[axis]) * layout->stride[tensor][axis];
        e = next;
    }
    return layout->axes > 0 ? offset + e * layout->stride[tensor][0] : offset;
}

/* The stride of the innermost axis; 1 for a single element. */
GM_INLINE int64_t gm_layout_step(const gm_layout *layout, int32_t tensor) {
    return layout->axes > 0 ? layout->stride[tensor][layout->axes - 1] : 1;
}

#ifdef __cplusplus
}
#endif
#endif
