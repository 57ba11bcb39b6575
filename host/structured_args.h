/* What gm_structured_* hand to a backend, checked. */
#ifndef GENMATH_HOST_STRUCTURED_ARGS_H
#define GENMATH_HOST_STRUCTURED_ARGS_H

#include <genmath/structured.h>

#include "host/fft_sweeps.h"

typedef struct gm_structured_problem {
    gm_structured_kind kind;
    gm_dtype real;      /* F64 or F32 */
    int32_t is_complex; /* kernel and x are; eigenvalues always are */
    int64_t m, n;       /* entries of the kernel and of x */
    int64_t results;    /* entries of y */
    int64_t offset;     /* y_i = sum_j k_{i + offset - j} x_j */
} gm_structured_problem;

/* Rows of a tensor, in elements; data NULL: not there. */
typedef struct gm_structured_view {
    void *data;
    int64_t stride[2];
} gm_structured_view;

typedef struct gm_structured_call {
    gm_structured_view kernel, row, x, y, status, rcond;
    int64_t batch; /* > 0, as are n and results */
    void *workspace;
} gm_structured_call;

static inline int gm_is_circulant(gm_structured_kind kind) {
    return kind <= GM_CIRCULANT_EIGENVALUES;
}

/* The length of the circular convolution that gives the results. */
static inline int64_t gm_structured_length(const gm_structured_problem *p) {
    static const int64_t odd[] = {1, 3, 5, 9, 15};
    if (gm_is_circulant(p->kind)) {
        return p->n;
    }
    /* Toeplitz: entry -d of the matrix is entry length - d. Else: term t of the full convolution
     * lands on t mod length; results offset .. offset + results - 1 are to be there unwrapped, and
     * the last term, m + n - 2, is not to reach the first of them. */
    const int64_t all = p->m + p->n - 1, end = p->offset + p->results;
    const int64_t terms = p->kind == GM_TOEPLITZ_APPLY ? all : all - p->offset;
    int64_t least = p->m > p->n ? p->m : p->n;
    least = least < terms ? terms : least;
    least = least < end ? end : least;
    return gm_fft_smooth_length(least, odd, 5, 1);
}

/* Its transforms: those of lines of problems, in both directions. */
static inline void gm_structured_transforms(const gm_structured_problem *p, gm_fft_problem *forward,
                                            gm_fft_problem *inverse) {
    memset(forward, 0, sizeof *forward);
    forward->dtype = p->real;
    forward->kind = p->is_complex ? GM_FFT_FORWARD : GM_FFT_REAL_TO_COMPLEX;
    forward->axes = 1;
    forward->length[0] = gm_structured_length(p);
    forward->scale = 1;
    *inverse = *forward;
    inverse->kind = p->is_complex ? GM_FFT_INVERSE : GM_FFT_COMPLEX_TO_REAL;
    inverse->scale = 1 / (double)forward->length[0];
}

#endif
