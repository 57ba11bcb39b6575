/* Numbers of every type of the contractions, for cases: real and imaginary parts one at a time. */
#ifndef GENMATH_HOST_CLI_NUMBER_CASE_H
#define GENMATH_HOST_CLI_NUMBER_CASE_H

#include <genmath/tensor.h>

#include "host/ref/half.h"

/* Integers are taken from [-2, 2]. */
static inline void case_set_number(void *data, gm_dtype dtype, int64_t at, double value) {
    switch (dtype) {
    case GM_F64:
    case GM_C128:
        ((double *)data)[at] = value;
        break;
    case GM_F16:
        ((uint16_t *)data)[at] = gm_half_from(value);
        break;
    case GM_BF16:
        ((uint16_t *)data)[at] = gm_bfloat_from(value);
        break;
    case GM_I8:
        ((int8_t *)data)[at] = (int8_t)(value * 50);
        break;
    case GM_I32:
        ((int32_t *)data)[at] = (int32_t)(value * 1e9);
        break;
    default: /* F32, C64 */
        ((float *)data)[at] = (float)value;
        break;
    }
}

static inline double case_number(const void *data, gm_dtype dtype, int64_t at) {
    switch (dtype) {
    case GM_F64:
    case GM_C128:
        return ((const double *)data)[at];
    case GM_F16:
        return gm_half_value(((const uint16_t *)data)[at]);
    case GM_BF16:
        return gm_bfloat_value(((const uint16_t *)data)[at]);
    case GM_I32:
        return ((const int32_t *)data)[at];
    default: /* F32, C64 */
        return (double)((const float *)data)[at];
    }
}

#endif
