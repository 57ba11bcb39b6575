/* What gm_gather and gm_scatter_add hand to a backend, checked. Read by C and by the kernels. */
#ifndef GENMATH_HOST_GATHER_ARGS_H
#define GENMATH_HOST_GATHER_ARGS_H

#include <genmath/compiler.h>
#include <genmath/gather.h>

#include "host/layout.h"

typedef struct gm_gather_args {
    gm_dtype dtype, index_dtype;
    const void *in, *indices;
    void *out;
    int64_t *first_invalid;                      /* may be NULL */
    int64_t count;                               /* of indices */
    int64_t size;                                /* of the axis indexed */
    int64_t index_stride, in_stride, out_stride; /* along the axis */
    gm_layout others; /* the other axes: tensor 0 is in, 1 is out; ordered for out */
} gm_gather_args;

/* indices[k], or -1 if it is out of range. */
GM_INLINE int64_t gm_checked_index(const gm_gather_args *args, int64_t k) {
    const int64_t at = k * args->index_stride;
    const int64_t index = args->index_dtype == GM_I32 ? ((const int32_t *)args->indices)[at]
                                                      : ((const int64_t *)args->indices)[at];
    return index >= 0 && index < args->size ? index : -1;
}

#endif
