/* gm_reduce, gm_softmax: checks, quick return, dispatch. */
#include <genmath/reduce.h>

#include <math.h>

#include "host/internal.h"
#include "host/reduce_args.h"

#define HALVES (GM_DTYPE_BIT(GM_F16) | GM_DTYPE_BIT(GM_BF16))

static bool is_arg(gm_reduction reduction) {
    return reduction == GM_REDUCE_ARGMAX || reduction == GM_REDUCE_ARGMIN;
}

static bool needs_an_element(gm_reduction reduction) {
    return is_arg(reduction) || reduction == GM_REDUCE_MAX || reduction == GM_REDUCE_MIN;
}

/* The results a reduction of `in` can be written to. */
static unsigned out_dtypes(gm_reduction reduction, gm_dtype in) {
    if (is_arg(reduction)) {
        return GM_DTYPE_BIT(GM_I64);
    }
    const unsigned same = GM_DTYPE_BIT(in);
    return (same & HALVES) != 0 ? same | GM_DTYPE_BIT(GM_F32) : same;
}

/* Checks everything but the workspace and makes the two layouts. */
static gm_status prepare_reduce(gm_context *context, const gm_reduce_options *options,
                                const gm_tensor *in, const gm_tensor *out, gm_reduce_args *args) {
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, (unsigned)options->reduction < GM_REDUCTION_COUNT, GM_STATUS_INVALID_ARGUMENT,
             "options.reduction = %d is not a known reduction", (int)options->reduction);
    GM_TRY(gm_check_tensor(context, "in", in, in != NULL ? in->ndim : 0, GM_FLOATS | HALVES));
    const uint32_t all = in->ndim < 32 ? (UINT32_C(1) << in->ndim) - 1 : UINT32_MAX;
    const uint32_t axes = options->axes != 0 ? options->axes : all;
    GM_CHECK(context, (axes & ~all) == 0, GM_STATUS_INVALID_ARGUMENT,
             "options.axes = 0x%x: in has %d axes", (unsigned)options->axes, (int)in->ndim);
    const int32_t left = in->ndim - __builtin_popcount(axes);
    const bool kept = out != NULL && out->ndim == in->ndim;
    GM_TRY(gm_check_output(context, "out", out, kept ? in->ndim : left,
                           out_dtypes(options->reduction, in->dtype)));
    args->outer = gm_layout_begin(2);
    args->inner = gm_layout_begin(1);
    for (int32_t axis = 0, at = 0; axis < in->ndim; ++axis) {
        const bool reduced = (axes >> axis & 1) != 0;
        if (kept || !reduced) {
            GM_TRY(gm_check_size(context, "out", out, at, reduced ? 1 : in->shape[axis],
                                 reduced ? "the axis is reduced" : "as in"));
        }
        if (reduced) {
            gm_layout_add(&args->inner, in->shape[axis], &in->stride[axis]);
        } else {
            gm_layout_add(&args->outer, in->shape[axis],
                          (const int64_t[]){in->stride[axis], out->stride[at]});
        }
        at += kept || !reduced;
    }
    GM_CHECK(context,
             args->inner.elements > 0 || args->outer.elements == 0 ||
                 !needs_an_element(options->reduction),
             GM_STATUS_INVALID_ARGUMENT, "in: no elements, so none is the largest or smallest");
    GM_TRY(gm_check_disjoint(context, "in", in, "out", out, false));
    gm_layout_sort(&args->outer, 0);
    args->reduction = options->reduction;
    args->dtype = in->dtype;
    args->out_dtype = out->dtype;
    args->unbiased = options->unbiased != 0;
    args->scale = args->scale_f32 = 1;
    args->in = in->data;
    args->out = out->data;
    return GM_STATUS_OK;
}

gm_status gm_reduce_workspace(gm_context *context, const gm_reduce_options *options,
                              const gm_tensor *in, const gm_tensor *out, size_t *bytes) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    gm_reduce_args args = {0};
    GM_TRY(prepare_reduce(context, options, in, out, &args));
    const gm_backend *backend = GM_BACKEND_WITH(context, reduce);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    *bytes = backend->reduce_workspace != NULL && args.outer.elements > 0
                 ? backend->reduce_workspace(&args)
                 : 0;
    return GM_STATUS_OK;
}

gm_status gm_reduce(gm_context *context, const gm_reduce_options *options, const gm_tensor *in,
                    const gm_tensor *out) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_reduce_args args = {0};
    GM_TRY(prepare_reduce(context, options, in, out, &args));
    if (args.outer.elements == 0) {
        return GM_STATUS_OK;
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, reduce);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    const size_t needed = backend->reduce_workspace != NULL ? backend->reduce_workspace(&args) : 0;
    if (options->workspace != NULL && needed > 0) {
        GM_CHECK(context, options->workspace_bytes >= needed, GM_STATUS_WORKSPACE_TOO_SMALL,
                 "options.workspace_bytes = %zu: must be at least %zu", options->workspace_bytes,
                 needed);
        const gm_tensor workspace =
            gm_tensor_1d(options->workspace, GM_U8, (int64_t)options->workspace_bytes);
        GM_TRY(gm_check_tensor(context, "options.workspace", &workspace, 1, GM_DTYPE_BIT(GM_U8)));
        GM_CHECK(context, (uintptr_t)options->workspace % 16 == 0, GM_STATUS_INVALID_ARGUMENT,
                 "options.workspace is not aligned to 16 bytes");
        GM_TRY(gm_check_disjoint(context, "options.workspace", &workspace, "in", in, false));
        GM_TRY(gm_check_disjoint(context, "options.workspace", &workspace, "out", out, false));
        args.workspace = options->workspace;
        args.workspace_bytes = needed;
    }
    return backend->reduce(&context->call, &args);
}

static gm_status softmax(gm_context *context, const gm_softmax_options *options,
                         const gm_tensor *in, const gm_tensor *out, bool logarithm) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_TRY(gm_check_tensor(context, "in", in, in != NULL ? in->ndim : 0, GM_FLOATS | HALVES));
    const int32_t axis = options->axis < 0 ? options->axis + in->ndim : options->axis;
    GM_CHECK(context, axis >= 0 && axis < in->ndim, GM_STATUS_INVALID_ARGUMENT,
             "options.axis = %d: in has %d axes", (int)options->axis, (int)in->ndim);
    const double temperature = options->temperature == 0 ? 1 : options->temperature;
    const double scale = 1 / temperature;
    const bool single = in->dtype != GM_F64;
    GM_CHECK(context, temperature > 0 && (single ? isnormal((float)scale) : isnormal(scale)) != 0,
             GM_STATUS_INVALID_ARGUMENT,
             "options.temperature = %g: must be positive, and its inverse a normal number",
             options->temperature);
    GM_TRY(gm_check_output(context, "out", out, in->ndim, GM_DTYPE_BIT(in->dtype)));
    gm_reduce_args args = {.reduction = GM_REDUCE_LOGSUMEXP,
                           .dtype = in->dtype,
                           .out_dtype = in->dtype,
                           .logarithm = logarithm,
                           .scale = scale,
                           .scale_f32 = (float)scale,
                           .in = in->data,
                           .out = out->data,
                           .outer = gm_layout_begin(2),
                           .inner = gm_layout_begin(2)};
    for (int32_t i = 0; i < in->ndim; ++i) {
        GM_TRY(gm_check_size(context, "out", out, i, in->shape[i], "as in"));
        gm_layout_add(i == axis ? &args.inner : &args.outer, in->shape[i],
                      (const int64_t[]){in->stride[i], out->stride[i]});
    }
    GM_TRY(gm_check_disjoint(context, "in", in, "out", out, true));
    if (args.outer.elements == 0 || args.inner.elements == 0) {
        return GM_STATUS_OK;
    }
    gm_layout_sort(&args.outer, 0);
    const gm_backend *backend = GM_BACKEND_WITH(context, softmax);
    return backend == NULL ? GM_STATUS_UNSUPPORTED : backend->softmax(&context->call, &args);
}

gm_status gm_softmax(gm_context *context, const gm_softmax_options *options, const gm_tensor *in,
                     const gm_tensor *out) {
    return softmax(context, options, in, out, false);
}

gm_status gm_log_softmax(gm_context *context, const gm_softmax_options *options,
                         const gm_tensor *in, const gm_tensor *out) {
    return softmax(context, options, in, out, true);
}
