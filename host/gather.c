/* gm_gather, gm_scatter_add: checks, quick return, dispatch. */
#include <genmath/gather.h>

#include "host/gather_args.h"
#include "host/internal.h"

#define FLOATING (GM_FLOATS | GM_DTYPE_BIT(GM_F16) | GM_DTYPE_BIT(GM_BF16))
#define REAL_DTYPES (((1u << GM_DTYPE_COUNT) - 1) & ~(GM_DTYPE_BIT(GM_C64) | GM_DTYPE_BIT(GM_C128)))
#define INDICES (GM_DTYPE_BIT(GM_I32) | GM_DTYPE_BIT(GM_I64))

/* `indexed` is the tensor whose axis the indices are of, `counted` the one that has one place for
 * each: in and out, or out and in. */
static gm_status prepare(gm_context *context, int32_t axis, const gm_tensor *in,
                         const gm_tensor *indices, const gm_tensor *out,
                         const gm_tensor *first_invalid, unsigned dtypes, bool scatter,
                         gm_gather_args *args) {
    GM_TRY(gm_check_tensor(context, "in", in, in != NULL ? in->ndim : 0, dtypes));
    const int32_t a = axis < 0 ? axis + in->ndim : axis;
    GM_CHECK(context, a >= 0 && a < in->ndim, GM_STATUS_INVALID_ARGUMENT,
             "axis = %d: in has %d axes", (int)axis, (int)in->ndim);
    GM_TRY(gm_check_tensor(context, "indices", indices, 1, INDICES));
    GM_TRY(gm_check_output(context, "out", out, in->ndim, GM_DTYPE_BIT(in->dtype)));
    GM_TRY(gm_check_size(context, scatter ? "in" : "out", scatter ? in : out, a, indices->shape[0],
                         "the number of indices"));
    GM_TRY(gm_check_disjoint(context, "in", in, "out", out, false));
    GM_TRY(gm_check_disjoint(context, "indices", indices, "out", out, false));
    if (first_invalid != NULL) {
        GM_TRY(gm_check_output(context, "first_invalid", first_invalid, 0, GM_DTYPE_BIT(GM_I64)));
        GM_TRY(gm_check_disjoint(context, "first_invalid", first_invalid, "in", in, false));
        GM_TRY(gm_check_disjoint(context, "first_invalid", first_invalid, "out", out, false));
        GM_TRY(
            gm_check_disjoint(context, "first_invalid", first_invalid, "indices", indices, false));
    }
    args->others = gm_layout_begin(2);
    for (int32_t i = 0; i < in->ndim; ++i) {
        if (i != a) {
            GM_TRY(gm_check_size(context, "out", out, i, in->shape[i], "as in"));
            gm_layout_add(&args->others, in->shape[i],
                          (const int64_t[]){in->stride[i], out->stride[i]});
        }
    }
    gm_layout_sort(&args->others, 1);
    args->dtype = in->dtype;
    args->index_dtype = indices->dtype;
    args->in = in->data;
    args->indices = indices->data;
    args->out = out->data;
    args->first_invalid = first_invalid != NULL ? first_invalid->data : NULL;
    args->count = indices->shape[0];
    args->size = scatter ? out->shape[a] : in->shape[a];
    args->index_stride = indices->stride[0];
    args->in_stride = in->stride[a];
    args->out_stride = out->stride[a];
    return GM_STATUS_OK;
}

gm_status gm_gather(gm_context *context, int32_t axis, const gm_tensor *in,
                    const gm_tensor *indices, const gm_tensor *out,
                    const gm_tensor *first_invalid) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_gather_args args = {0};
    GM_TRY(prepare(context, axis, in, indices, out, first_invalid, REAL_DTYPES, false, &args));
    const gm_backend *backend = GM_BACKEND_WITH(context, gather);
    return backend == NULL ? GM_STATUS_UNSUPPORTED : backend->gather(&context->call, &args);
}

gm_status gm_scatter_add(gm_context *context, int32_t axis, const gm_tensor *in,
                         const gm_tensor *indices, const gm_tensor *out,
                         const gm_tensor *first_invalid) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    gm_gather_args args = {0};
    GM_TRY(prepare(context, axis, in, indices, out, first_invalid, FLOATING, true, &args));
    const gm_backend *backend = GM_BACKEND_WITH(context, scatter_add);
    return backend == NULL ? GM_STATUS_UNSUPPORTED : backend->scatter_add(&context->call, &args);
}
