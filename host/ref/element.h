/* Reading and writing one element of any floating dtype as a double, by the reference. */
#ifndef GENMATH_HOST_REF_ELEMENT_H
#define GENMATH_HOST_REF_ELEMENT_H

#include <genmath/tensor.h>

#include "host/half.h"

static inline double gm_load_element(const void *data, gm_dtype dtype, int64_t offset) {
    switch (dtype) {
    case GM_F64:
        return ((const double *)data)[offset];
    case GM_F32:
        return (double)((const float *)data)[offset];
    case GM_F16:
        return (double)gm_f32_from_f16(((const uint16_t *)data)[offset]);
    default:
        return (double)gm_f32_from_bf16(((const uint16_t *)data)[offset]);
    }
}

/* The halves are rounded by way of f32, as every backend does. */
static inline void gm_store_element(void *data, gm_dtype dtype, int64_t offset, double value) {
    switch (dtype) {
    case GM_F64:
        ((double *)data)[offset] = value;
        break;
    case GM_F32:
        ((float *)data)[offset] = (float)value;
        break;
    case GM_F16:
        ((uint16_t *)data)[offset] = gm_f16_from_f32((float)value);
        break;
    default:
        ((uint16_t *)data)[offset] = gm_bf16_from_f32((float)value);
        break;
    }
}

#endif
