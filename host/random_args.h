/* What gm_random_fill_* hand to a backend, checked. Read by C and by the kernels. */
#ifndef GENMATH_HOST_RANDOM_ARGS_H
#define GENMATH_HOST_RANDOM_ARGS_H

#include <stdint.h>

#include <genmath/tensor.h>

typedef enum gm_random_kind {
    GM_RANDOM_U32,
    GM_RANDOM_UNIFORM,
    GM_RANDOM_NORMAL,
    GM_RANDOM_EXPONENTIAL,
    GM_RANDOM_BERNOULLI,
    GM_RANDOM_INTEGERS,
    GM_RANDOM_CURAND_U32,
    GM_RANDOM_CURAND_UNIFORM
} gm_random_kind;

typedef struct gm_random_fill_args {
    gm_random_kind kind;
    gm_dtype dtype;
    /* Element e is draw first + e; first + elements <= 2^64. cuRAND: first is the offset. */
    uint64_t seed, first;
    uint32_t stream;
    uint64_t subsequence; /* cuRAND only */
    /* offset + scale * draw, rounded to the dtype: uniform, normal, exponential; the float pair, so
     * that no float kernel converts a double */
    double offset, scale;
    float offset_f32, scale_f32;
    uint64_t bound; /* integers: high - low; Bernoulli: the threshold */
    int64_t low;    /* integers */
    /* The elements in row-major order: axes of size 1 dropped, axes that continue each other
     * merged. axes = 0 is one element; axes = 1 with stride 1 is contiguous. */
    void *data;
    int64_t elements; /* > 0 */
    int32_t axes;
    int64_t shape[GM_MAX_DIMS], stride[GM_MAX_DIMS];
} gm_random_fill_args;

#endif
