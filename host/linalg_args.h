/* What the operations of linalg.h, decompose.h and matrix_function.h hand to a backend, checked. */
#ifndef GENMATH_HOST_LINALG_ARGS_H
#define GENMATH_HOST_LINALG_ARGS_H

#include <genmath/compiler.h>
#include <genmath/linalg.h>

#include "host/linalg_kinds.h"

enum {
    GM_LINALG_MAX_SIZE = 16384, /* LAPACK counts its work arrays in 32 bits: 7 n^2 < 2^31 */
    GM_LINALG_MAX_PHI = 16,
    GM_LINALG_INPUTS = 3,
    GM_LINALG_OUTPUTS = 3
};

/* A batch of matrices; a vector is a matrix of one column, a number one of one row too. */
typedef struct gm_linalg_matrix {
    void *data; /* NULL: not wanted. Of problem 0 */
    gm_dtype dtype;
    int64_t rows, columns, row_stride, column_stride;
    int64_t extra[2], extra_stride[2]; /* axes between the batch's and the matrix's: Magnus, phi */
    int64_t batch_stride[GM_MAX_DIMS];
} gm_linalg_matrix;

typedef struct gm_linalg_args {
    gm_linalg_kind kind;
    gm_dtype dtype; /* of the problem; C64 and C128 results of F32 and F64 say so themselves */
    int64_t problems;
    int32_t batch_axes;
    int64_t batch_shape[GM_MAX_DIMS];
    gm_linalg_matrix in[GM_LINALG_INPUTS];   /* a; b */
    gm_linalg_matrix out[GM_LINALG_OUTPUTS]; /* in the order of the function's arguments */
    gm_linalg_matrix status, rcond, residual, rank;
    gm_triangular_options triangle;
    int64_t power;
    double t;      /* the functions' factor; Magnus: the step */
    double cutoff; /* relative, > 0 */
    float cutoff_f32; /* the same: no double in float kernels */
    void *workspace;
    size_t workspace_bytes;
} gm_linalg_args;

/* The offset of a problem in elements: the last axis of the batch runs fastest. */
GM_INLINE int64_t gm_linalg_offset(const gm_linalg_args *args, const gm_linalg_matrix *matrix,
                                   int64_t problem) {
    int64_t offset = 0;
    for (int32_t axis = args->batch_axes - 1; axis >= 0; --axis) {
        offset += problem % args->batch_shape[axis] * matrix->batch_stride[axis];
        problem /= args->batch_shape[axis];
    }
    return offset;
}

#endif
