/*
 * One element of any real dtype to any other, as GM_MAP_COPY says. Between floating dtypes by
 * double or float, from integers by 64 bits. Read by C and by the kernels.
 */
#ifndef GENMATH_HOST_CAST_H
#define GENMATH_HOST_CAST_H

#include <genmath/tensor.h>

#include "host/half.h"

/* A number of any dtype without loss: `real` of a floating one, else `whole`, 64 bits of it. */
typedef struct gm_number {
    double real;
    int64_t whole;
} gm_number;

GM_INLINE int gm_dtype_is_floating(gm_dtype dtype) {
    return dtype <= GM_BF16;
}

GM_INLINE gm_number gm_number_load(const void *data, gm_dtype dtype, int64_t i) {
    gm_number x = {0, 0};
    switch (dtype) {
    case GM_F64:
        x.real = ((const double *)data)[i];
        break;
    case GM_F32:
        x.real = (double)((const float *)data)[i];
        break;
    case GM_F16:
        x.real = (double)gm_f32_from_f16(((const uint16_t *)data)[i]);
        break;
    case GM_BF16:
        x.real = (double)gm_f32_from_bf16(((const uint16_t *)data)[i]);
        break;
    case GM_I8:
        x.whole = ((const int8_t *)data)[i];
        break;
    case GM_I16:
        x.whole = ((const int16_t *)data)[i];
        break;
    case GM_I32:
        x.whole = ((const int32_t *)data)[i];
        break;
    case GM_U16:
        x.whole = ((const uint16_t *)data)[i];
        break;
    case GM_U32:
        x.whole = ((const uint32_t *)data)[i];
        break;
    case GM_I64:
    case GM_U64:
        x.whole = ((const int64_t *)data)[i];
        break;
    default:
        x.whole = ((const uint8_t *)data)[i];
        break;
    }
    return x;
}

/* Toward zero, limited to low .. high, both exact doubles or rounded away from zero; 0 for NaN. */
GM_INLINE int64_t gm_limited(double x, double low, double high, int64_t least, int64_t most) {
    return x != x ? 0 : x <= low ? least : x >= high ? most : (int64_t)x;
}

/* The bits of the integer dtype nearest to x. */
GM_INLINE int64_t gm_whole_from_real(double x, gm_dtype dtype) {
    switch (dtype) {
    case GM_I8:
        return gm_limited(x, -128, 127, -128, 127);
    case GM_I16:
        return gm_limited(x, -32768, 32767, -32768, 32767);
    case GM_I32:
        return gm_limited(x, -2147483648.0, 2147483647.0, INT32_MIN, INT32_MAX);
    case GM_I64:
        return gm_limited(x, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX);
    case GM_U8:
        return gm_limited(x, 0, 255, 0, 255);
    case GM_U16:
        return gm_limited(x, 0, 65535, 0, 65535);
    case GM_U32:
        return gm_limited(x, 0, 4294967295.0, 0, UINT32_MAX);
    case GM_U64:
        return x >= 0x1p63 ? (x >= 0x1p64 ? -1 : (int64_t)(uint64_t)x)
                           : gm_limited(x, 0, 0x1p63, 0, INT64_MAX);
    default:
        return x != 0;
    }
}

GM_INLINE void gm_number_store(gm_number x, gm_dtype from, void *data, gm_dtype to, int64_t i) {
    if (gm_dtype_is_floating(to)) {
        const int floating = gm_dtype_is_floating(from), is_unsigned = from == GM_U64;
        const double wide = floating      ? x.real
                            : is_unsigned ? (double)(uint64_t)x.whole
                                          : (double)x.whole;
        const float narrow = floating      ? (float)x.real
                             : is_unsigned ? (float)(uint64_t)x.whole
                                           : (float)x.whole;
        if (to == GM_F64) {
            ((double *)data)[i] = wide;
        } else if (to == GM_F32) {
            ((float *)data)[i] = narrow;
        } else {
            ((uint16_t *)data)[i] =
                to == GM_F16 ? gm_f16_from_f32(narrow) : gm_bf16_from_f32(narrow);
        }
        return;
    }
    const int64_t whole = gm_dtype_is_floating(from) ? gm_whole_from_real(x.real, to) : x.whole;
    switch (to) {
    case GM_I8:
    case GM_U8:
        ((uint8_t *)data)[i] = (uint8_t)whole;
        break;
    case GM_I16:
    case GM_U16:
        ((uint16_t *)data)[i] = (uint16_t)whole;
        break;
    case GM_I32:
    case GM_U32:
        ((uint32_t *)data)[i] = (uint32_t)whole;
        break;
    case GM_I64:
    case GM_U64:
        ((int64_t *)data)[i] = whole;
        break;
    default:
        ((uint8_t *)data)[i] = whole != 0;
        break;
    }
}

#endif
