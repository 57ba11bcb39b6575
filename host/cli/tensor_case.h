/* One call of each tensor operation on a matrix: what the conformance cases and the benchmarks run.
 */
#ifndef GENMATH_HOST_CLI_TENSOR_CASE_H
#define GENMATH_HOST_CLI_TENSOR_CASE_H

#include <genmath/elementwise.h>
#include <genmath/gather.h>
#include <genmath/random.h>
#include <genmath/reduce.h>

#include "host/cli/cases.h"

/* The operations: name, its call with x (rows, columns), y alike, row results r (rows) and column
 * results s (columns), and which of the outputs it writes. */
#define GM_TENSOR_OPERATIONS(X)                                                                    \
    X(copy, y, gm_map(context, GM_MAP_COPY, 1, x, 0, y))                                           \
    X(transpose, y, gm_map(context, GM_MAP_COPY, 1, &t->transposed, 0, y))                         \
    X(gelu, y, gm_map(context, GM_MAP_GELU, 1, x, 0, y))                                           \
    X(exp, y, gm_map(context, GM_MAP_EXP, 1, x, 0, y))                                             \
    X(add, y, gm_combine(context, GM_COMBINE_ADD, 1, x, &t->row, 0, y))                            \
    X(softmax, y, gm_softmax(context, &(gm_softmax_options){.axis = 1}, x, y))                     \
    X(log_softmax, y, gm_log_softmax(context, &(gm_softmax_options){.axis = 1}, x, y))             \
    X(sum_rows, r, gm_reduce(context, &(gm_reduce_options){.axes = 2}, x, r))                      \
    X(sum_columns, s, gm_reduce(context, &(gm_reduce_options){.axes = 1}, x, s))                   \
    X(max_rows, r, gm_reduce(context, &(gm_reduce_options){GM_REDUCE_MAX, .axes = 2}, x, r))       \
    X(logsumexp_rows, r,                                                                           \
      gm_reduce(context, &(gm_reduce_options){GM_REDUCE_LOGSUMEXP, .axes = 2}, x, r))              \
    X(norm2_rows, r, gm_reduce(context, &(gm_reduce_options){GM_REDUCE_NORM2, .axes = 2}, x, r))   \
    X(variance_rows, r,                                                                            \
      gm_reduce(context, &(gm_reduce_options){GM_REDUCE_VARIANCE, .axes = 2}, x, r))               \
    X(gather, y, gm_gather(context, 0, x, &t->indices, y, NULL))                                   \
    X(scatter_add, y, gm_scatter_add(context, 0, x, &t->indices, y, NULL))

/* The operands, in a context's memory. */
typedef struct gm_tensor_operands {
    gm_tensor x, y, r, s;
    gm_tensor transposed; /* of x, seen with its axes in the other order; square matrices */
    gm_tensor row;        /* the first row of x: a broadcast operand */
    gm_tensor indices;    /* i32 (rows): each in 0 .. rows - 1 */
} gm_tensor_operands;

typedef gm_status (*gm_tensor_call)(gm_context *context, const gm_tensor_operands *t);

/* Normals in x, zeros in y, for any backend the same bits. free takes a zeroed struct too. */
gm_status gm_tensor_operands_make(gm_context *context, gm_dtype dtype, int64_t rows,
                                  int64_t columns, gm_tensor_operands *t);
void gm_tensor_operands_free(gm_context *context, gm_tensor_operands *t);

/* Runs the call on the reference with operands of its own and compares what `written` names: the
 * largest difference over the largest magnitude. */
gm_status gm_tensor_compare(gm_context *reference, gm_context *subject, gm_tensor_call call,
                            const gm_tensor_operands *t, size_t written, gm_case_result *result);

#define GM_TENSOR_DECLARE(name, written, call)                                                     \
    gm_status gm_tensor_call_##name(gm_context *context, const gm_tensor_operands *t);
GM_TENSOR_OPERATIONS(GM_TENSOR_DECLARE)
#undef GM_TENSOR_DECLARE

#endif
