/* Reading and writing one element of a strided array of either precision, by the reference and the
 * edges of cpu. */
#ifndef GENMATH_HOST_STRIDED_H
#define GENMATH_HOST_STRIDED_H

#include <genmath/tensor.h>

static inline double gm_load_real(const void *data, gm_dtype dtype, int64_t offset) {
    return dtype == GM_F64 ? ((const double *)data)[offset] : (double)((const float *)data)[offset];
}

static inline void gm_store_real(void *data, gm_dtype dtype, int64_t offset, double value) {
    if (dtype == GM_F64) {
        ((double *)data)[offset] = value;
    } else {
        ((float *)data)[offset] = (float)value;
    }
}

/* NULL arrays are results that nobody wants. */
static inline void gm_store_i32(int32_t *data, int64_t offset, int64_t value) {
    if (data != NULL) {
        data[offset] = value < INT32_MAX ? (int32_t)value : INT32_MAX;
    }
}

#endif
