/* What gm_structured_* hand to a backend, checked. */
#ifndef GENMATH_HOST_STRUCTURED_ARGS_H
#define GENMATH_HOST_STRUCTURED_ARGS_H

#include <genmath/structured.h>

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

#endif
