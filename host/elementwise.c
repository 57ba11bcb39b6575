/* gm_map, gm_combine: checks, broadcasting, quick return, dispatch. */
#include <genmath/elementwise.h>

#include <math.h>

#include "host/elementwise_args.h"
#include "host/internal.h"

#define FLOATING (GM_FLOATS | GM_DTYPE_BIT(GM_F16) | GM_DTYPE_BIT(GM_BF16))
#define REAL_DTYPES (((1u << GM_DTYPE_COUNT) - 1) & ~(GM_DTYPE_BIT(GM_C64) | GM_DTYPE_BIT(GM_C128)))

/* The strides of an operand along out's axes: 0 where it repeats. */
static gm_status broadcast(gm_context *context, const char *name, const gm_tensor *operand,
                           const gm_tensor *out, int64_t *strides) {
    GM_CHECK(context, operand->ndim <= out->ndim, GM_STATUS_SHAPE_MISMATCH,
             "%s.ndim = %d: at most out's, %d", name, (int)operand->ndim, (int)out->ndim);
    for (int32_t axis = 0; axis < out->ndim; ++axis) {
        const int32_t own = axis - (out->ndim - operand->ndim);
        if (own < 0 || operand->shape[own] == 1) {
            strides[axis] = 0;
            continue;
        }
        GM_CHECK(context, operand->shape[own] == out->shape[axis], GM_STATUS_SHAPE_MISMATCH,
                 "%s.shape[%d] = %lld: must be 1 or %lld, as in out", name, (int)own,
                 (long long)operand->shape[own], (long long)out->shape[axis]);
        strides[axis] = operand->stride[own];
    }
    return GM_STATUS_OK;
}

/* Everything after the checks of the operands' dtypes. */
static gm_status prepare(gm_context *context, gm_elementwise_args *args, double alpha, double beta,
                         const gm_tensor *const *operands, const char *const *names,
                         const gm_tensor *out) {
    int64_t strides[GM_LAYOUT_TENSORS][GM_MAX_DIMS] = {0};
    const bool single = out->dtype != GM_F64;
    GM_CHECK(context, isfinite(single ? (double)(float)alpha : alpha), GM_STATUS_INVALID_ARGUMENT,
             "alpha = %g: must be finite", alpha);
    GM_CHECK(context, isfinite(single ? (double)(float)beta : beta), GM_STATUS_INVALID_ARGUMENT,
             "beta = %g: must be finite", beta);
    args->scaled = alpha != 1 || beta != 0;
    for (int32_t i = 0; i < args->operands; ++i) {
        GM_CHECK(context, !args->scaled || operands[i]->dtype == out->dtype,
                 GM_STATUS_INVALID_ARGUMENT,
                 "alpha = %g, beta = %g: a copy to another dtype takes 1 and 0", alpha, beta);
        GM_TRY(broadcast(context, names[i], operands[i], out, strides[i + 1]));
        GM_TRY(gm_check_disjoint(context, names[i], operands[i], "out", out, true));
        args->in[i] = operands[i]->data;
    }
    GM_CHECK(context, !args->scaled || (GM_DTYPE_BIT(out->dtype) & FLOATING) != 0,
             GM_STATUS_INVALID_ARGUMENT, "alpha = %g, beta = %g: integers take 1 and 0", alpha,
             beta);
    args->layout = gm_layout_begin(1 + args->operands);
    for (int32_t axis = 0; axis < out->ndim; ++axis) {
        gm_layout_add(&args->layout, out->shape[axis],
                      (const int64_t[]){out->stride[axis], strides[1][axis], strides[2][axis]});
    }
    gm_layout_sort(&args->layout, 0);
    args->dtype = operands[0]->dtype;
    args->out_dtype = out->dtype;
    args->reads_out = (single ? (double)(float)beta : beta) != 0;
    args->alpha = alpha;
    args->beta = beta;
    args->alpha_f32 = (float)alpha;
    args->beta_f32 = (float)beta;
    args->out = out->data;
    return GM_STATUS_OK;
}

static gm_status run(gm_context *context, const gm_elementwise_args *args) {
    if (args->layout.elements == 0) {
        return GM_STATUS_OK;
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, elementwise);
    return backend == NULL ? GM_STATUS_UNSUPPORTED : backend->elementwise(&context->call, args);
}

gm_status gm_map(gm_context *context, gm_map_operation operation, double alpha, const gm_tensor *in,
                 double beta, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, (unsigned)operation < GM_MAP_COUNT, GM_STATUS_INVALID_ARGUMENT,
             "operation = %d is not a known one", (int)operation);
    const bool copy = operation == GM_MAP_COPY;
    GM_TRY(gm_check_tensor(context, "in", in, in != NULL ? in->ndim : 0,
                           copy ? REAL_DTYPES : FLOATING));
    GM_TRY(gm_check_output(context, "out", out, out != NULL ? out->ndim : 0,
                           copy ? REAL_DTYPES : GM_DTYPE_BIT(in->dtype)));
    gm_elementwise_args args = {.operation = (int32_t)operation, .operands = 1};
    GM_TRY(prepare(context, &args, alpha, beta, &in, (const char *const[]){"in"}, out));
    return run(context, &args);
}

gm_status gm_combine(gm_context *context, gm_combine_operation operation, double alpha,
                     const gm_tensor *a, const gm_tensor *b, double beta, const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, (unsigned)operation < GM_COMBINE_COUNT, GM_STATUS_INVALID_ARGUMENT,
             "operation = %d is not a known one", (int)operation);
    GM_TRY(gm_check_tensor(context, "a", a, a != NULL ? a->ndim : 0, FLOATING));
    GM_TRY(gm_check_tensor(context, "b", b, b != NULL ? b->ndim : 0, GM_DTYPE_BIT(a->dtype)));
    GM_TRY(
        gm_check_output(context, "out", out, out != NULL ? out->ndim : 0, GM_DTYPE_BIT(a->dtype)));
    gm_elementwise_args args = {.operation = (int32_t)operation, .operands = 2};
    GM_TRY(prepare(context, &args, alpha, beta, (const gm_tensor *const[]){a, b},
                   (const char *const[]){"a", "b"}, out));
    return run(context, &args);
}
