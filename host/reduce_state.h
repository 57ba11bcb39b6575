/* host/reduce_state.inc in both precisions. Read by C and by the kernels. */
#ifndef GENMATH_HOST_REDUCE_STATE_H
#define GENMATH_HOST_REDUCE_STATE_H

#include <genmath/math.h>

#include "host/reduce_args.h"

GM_INLINE float gm_infinity_f32(void) {
    return GM_INF_F32;
}

GM_INLINE double gm_infinity_f64(void) {
    return GM_INF_F64;
}

GM_INLINE float gm_nan_f32(void) {
    return GM_NAN_F32;
}

GM_INLINE double gm_nan_f64(void) {
    return GM_NAN_F64;
}

#define FN(name) name##_f32
#define REAL float
#define LEAST_EXPONENT -87.0f
#define LARGE 0x1p45f
#define SMALL 0x1p-50f
#define DOWN 0x1p-90f
#define UP 0x1p90f
#include "host/reduce_state.inc"
#include "host/reduce_chunk.inc"
#undef FN
#undef REAL
#undef LEAST_EXPONENT
#undef LARGE
#undef SMALL
#undef DOWN
#undef UP

#define FN(name) name##_f64
#define REAL double
#define LEAST_EXPONENT -708.0
#define LARGE 0x1p480
#define SMALL 0x1p-480
#define DOWN 0x1p-600
#define UP 0x1p600
#include "host/reduce_state.inc"
#include "host/reduce_chunk.inc"
#undef FN
#undef REAL
#undef LEAST_EXPONENT
#undef LARGE
#undef SMALL
#undef DOWN
#undef UP

#endif
