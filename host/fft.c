/* gm_fft_*: checks, the plan, quick return, dispatch. */
#include <genmath/fft.h>

#include <math.h>

#include "host/fft_args.h"
#include "host/frame.h"

struct gm_fft_plan {
    gm_frame frame;
    gm_fft_problem problem;
    int32_t axes[GM_FFT_MAX_AXES]; /* as the user named them */
};

static gm_status check_options(gm_context *context, const gm_fft_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32, GM_STATUS_INVALID_ARGUMENT,
             "options.dtype = %s: must be f64 or f32, the precision", gm_dtype_name(o->dtype));
    GM_CHECK(context, (unsigned)o->kind <= GM_FFT_DCT3, GM_STATUS_INVALID_ARGUMENT,
             "options.kind = %d is not a kind", (int)o->kind);
    GM_CHECK(context, (unsigned)o->norm <= GM_FFT_NORM_FORWARD, GM_STATUS_INVALID_ARGUMENT,
             "options.norm = %d is not a norm", (int)o->norm);
    GM_CHECK(context, o->axis_count >= 0 && o->axis_count <= GM_FFT_MAX_AXES,
             GM_STATUS_INVALID_ARGUMENT, "options.axis_count = %d: must be 0 to %d",
             (int)o->axis_count, GM_FFT_MAX_AXES);
    int64_t product = 1;
    for (int32_t a = 0; a < (o->axis_count > 0 ? o->axis_count : 1); ++a) {
        GM_CHECK(context, o->length[a] >= 0 && o->length[a] <= GM_FFT_MAX_LENGTH,
                 GM_STATUS_INVALID_ARGUMENT, "options.length[%d] = %lld: must be 0 to 2^30", (int)a,
                 (long long)o->length[a]);
        GM_CHECK(context,
                 gm_multiply_sizes(product, o->length[a] > 0 ? o->length[a] : 1, &product) &&
                     product <= INT64_MAX / 256,
                 GM_STATUS_INVALID_ARGUMENT,
                 "options.length[%d] = %lld: one transform has over 2^63 - 1 bytes", (int)a,
                 (long long)o->length[a]);
    }
    return GM_STATUS_OK;
}

static double scale_of(const gm_fft_options *o, int32_t axes) {
    double n = 1;
    for (int32_t a = 0; a < axes; ++a) {
        n *= (double)o->length[a] * (o->kind == GM_FFT_DCT2 || o->kind == GM_FFT_DCT3 ? 2 : 1);
    }
    if (o->norm == GM_FFT_NORM_ORTHO) {
        return n > 0 ? 1 / sqrt(n) : 1;
    }
    return n > 0 && gm_fft_inverse(o->kind) == (o->norm == GM_FFT_NORM_BACKWARD) ? 1 / n : 1;
}

gm_status gm_fft_plan_create(gm_context *context, const gm_fft_options *options,
                             gm_fft_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(check_options(context, options));
    const gm_backend *backend = GM_BACKEND_WITH(context, fft_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    void *memory = NULL;
    GM_TRY(gm_frame_make(context, backend, sizeof(gm_fft_plan), &memory));
    gm_fft_plan *made = memory;
    made->problem = (gm_fft_problem){.dtype = options->dtype,
                                     .kind = options->kind,
                                     .axes = options->axis_count > 0 ? options->axis_count : 1,
                                     .ortho = options->norm == GM_FFT_NORM_ORTHO};
    made->problem.scale = scale_of(options, made->problem.axes);
    for (int32_t a = 0; a < made->problem.axes; ++a) {
        made->problem.length[a] = options->length[a];
        made->axes[a] = options->axis_count > 0 ? options->axes[a] : -1;
    }
    const gm_status status = backend->fft_prepare(&context->call, &made->problem,
                                                  &made->frame.state, &made->frame.workspace_bytes);
    if (status != GM_STATUS_OK) {
        gm_fft_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_fft_plan_destroy(gm_fft_plan *plan) {
    if (plan != NULL) {
        gm_frame_destroy(&plan->frame, plan->frame.backend->fft_release);
    }
}

gm_status gm_fft_workspace_size(const gm_fft_plan *plan, int64_t *bytes) {
    return gm_frame_workspace_size(plan != NULL ? &plan->frame : NULL, bytes);
}

/* The axis of the tensors that axis a of the plan is. */
static gm_status resolve_axes(const gm_fft_plan *plan, int32_t ndim, int32_t *axes) {
    uint32_t seen = 0;
    for (int32_t a = 0; a < plan->problem.axes; ++a) {
        axes[a] = plan->axes[a] < 0 ? plan->axes[a] + ndim : plan->axes[a];
        GM_CHECK(plan->frame.context, axes[a] >= 0 && axes[a] < ndim, GM_STATUS_SHAPE_MISMATCH,
                 "in.ndim = %d: the plan's axis %d is not there", (int)ndim, (int)plan->axes[a]);
        GM_CHECK(plan->frame.context, !(seen >> axes[a] & 1u), GM_STATUS_INVALID_ARGUMENT,
                 "the plan names axis %d twice", (int)axes[a]);
        seen |= 1u << axes[a];
    }
    return GM_STATUS_OK;
}

/* Sizes of both tensors, and where the plan's axes and the others lie. */
static gm_status fill_arrays(const gm_fft_plan *plan, const gm_tensor *in, const gm_tensor *out,
                             gm_fft_arrays *arrays) {
    const gm_fft_problem *problem = &plan->problem;
    int32_t axes[GM_FFT_MAX_AXES], plan_axis[GM_MAX_DIMS];
    GM_TRY(resolve_axes(plan, in->ndim, axes));
    for (int32_t axis = 0; axis < in->ndim; ++axis) {
        plan_axis[axis] = -1;
    }
    for (int32_t a = 0; a < problem->axes; ++a) {
        const int64_t n = problem->length[a];
        const int last = a == problem->axes - 1;
        const int halved =
            last && gm_fft_complex_in(problem->kind) != gm_fft_complex_out(problem->kind);
        const int64_t half = halved ? gm_fft_half(n) : n;
        plan_axis[axes[a]] = a;
        GM_TRY(gm_check_size(plan->frame.context, "in", in, axes[a],
                             gm_fft_complex_in(problem->kind) ? half : n, "the plan's length"));
        GM_TRY(gm_check_size(plan->frame.context, "out", out, axes[a],
                             gm_fft_complex_out(problem->kind) ? half : n, "the plan's length"));
        arrays->in_stride[a] = in->stride[axes[a]];
        arrays->out_stride[a] = out->stride[axes[a]];
    }
    arrays->batch = 1;
    for (int32_t axis = 0; axis < in->ndim; ++axis) {
        if (plan_axis[axis] >= 0) {
            continue;
        }
        const int64_t size = in->shape[axis];
        GM_TRY(gm_check_size(plan->frame.context, "out", out, axis, size, "that of in"));
        arrays->batch *= size;
        if (size == 1) {
            continue;
        }
        const int32_t last = arrays->batch_axes - 1;
        if (last >= 0 && arrays->batch_in[last] == in->stride[axis] * size &&
            arrays->batch_out[last] == out->stride[axis] * size) {
            arrays->batch_shape[last] *= size;
            arrays->batch_in[last] = in->stride[axis];
            arrays->batch_out[last] = out->stride[axis];
        } else {
            arrays->batch_shape[arrays->batch_axes] = size;
            arrays->batch_in[arrays->batch_axes] = in->stride[axis];
            arrays->batch_out[arrays->batch_axes++] = out->stride[axis];
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_fft_execute(const gm_fft_plan *plan, const gm_tensor *in, void *workspace,
                         int64_t workspace_bytes, const gm_tensor *out) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->frame.context;
    const gm_fft_problem *problem = &plan->problem;
    const gm_dtype complex_type = problem->dtype == GM_F64 ? GM_C128 : GM_C64;
    const gm_dtype in_type = gm_fft_complex_in(problem->kind) ? complex_type : problem->dtype;
    const gm_dtype out_type = gm_fft_complex_out(problem->kind) ? complex_type : problem->dtype;
    GM_TRY(gm_check_tensor(context, "in", in, in != NULL ? in->ndim : 0, GM_DTYPE_BIT(in_type)));
    GM_TRY(gm_check_output(context, "out", out, in->ndim, GM_DTYPE_BIT(out_type)));
    gm_fft_arrays arrays = {.in = in->data, .out = out->data, .workspace = workspace};
    GM_TRY(fill_arrays(plan, in, out, &arrays));
    GM_TRY(gm_check_disjoint(context, "in", in, "out", out, in_type == out_type));
    gm_tensor view;
    GM_TRY(gm_frame_check_workspace(&plan->frame, workspace, workspace_bytes, &view));
    GM_TRY(gm_check_disjoint(context, "workspace", &view, "in", in, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &view, "out", out, false));
    int64_t elements;
    GM_TRY(gm_tensor_elements(out, &elements));
    return elements == 0
               ? GM_STATUS_OK
               : plan->frame.backend->fft_run(&context->call, problem, plan->frame.state, &arrays);
}
