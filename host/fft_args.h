/* What gm_fft_* hand to a backend, checked. */
#ifndef GENMATH_HOST_FFT_ARGS_H
#define GENMATH_HOST_FFT_ARGS_H

#include <genmath/fft.h>

/* The transform, without the tensors. */
typedef struct gm_fft_problem {
    gm_dtype dtype; /* F64 or F32 */
    gm_fft_kind kind;
    int32_t axes;                    /* 1 to 3; the last one is the real one */
    int64_t length[GM_FFT_MAX_AXES]; /* on the real side */
    double scale;                    /* multiplies the sums of the header, whose DCT-II has the 2 */
    int32_t ortho;                   /* DCT: entry 0 has a factor of its own */
} gm_fft_problem;

/* One call. Strides in elements of the tensor; batch axes of size 1 dropped, and neighbours merged
 * that one stride can walk on both sides. */
typedef struct gm_fft_arrays {
    const void *in;
    void *out;
    void *workspace;
    int64_t in_stride[GM_FFT_MAX_AXES], out_stride[GM_FFT_MAX_AXES]; /* of the plan's axes */
    int64_t batch;                                                   /* > 0 */
    int32_t batch_axes;
    int64_t batch_shape[GM_MAX_DIMS], batch_in[GM_MAX_DIMS], batch_out[GM_MAX_DIMS];
} gm_fft_arrays;

/* The entries that half of a real line's spectrum has. */
static inline int64_t gm_fft_half(int64_t length) {
    return length > 0 ? length / 2 + 1 : 0;
}

static inline int gm_fft_complex_in(gm_fft_kind kind) {
    return kind == GM_FFT_FORWARD || kind == GM_FFT_INVERSE || kind == GM_FFT_COMPLEX_TO_REAL;
}

static inline int gm_fft_complex_out(gm_fft_kind kind) {
    return kind == GM_FFT_FORWARD || kind == GM_FFT_INVERSE || kind == GM_FFT_REAL_TO_COMPLEX;
}

static inline int gm_fft_inverse(gm_fft_kind kind) {
    return kind == GM_FFT_INVERSE || kind == GM_FFT_COMPLEX_TO_REAL || kind == GM_FFT_DCT3;
}

#endif
