/* gm_conv_*: each map as one contraction of an overlapping view, after a padded copy where one is
 * needed; or by transforms, conv_fft.c. */
#include <stdlib.h>
#include <string.h>

#include "host/conv_plan.h"

/* ---- checks
 * -------------------------------------------------------------------------------------- */

static gm_status check_operands(gm_context *context, const gm_tensor *x, const gm_tensor *w,
                                const gm_tensor *y) {
    const struct {
        const char *name;
        const gm_tensor *tensor;
    } all[] = {{"x", x}, {"w", w}, {"y", y}};
    for (int i = 0; i < 3; ++i) {
        GM_CHECK(context, all[i].tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL",
                 all[i].name);
    }
    GM_CHECK(context, x->ndim >= 3 && x->ndim <= 2 + DIMS, GM_STATUS_INVALID_ARGUMENT,
             "x.ndim = %d: must be 3, 4 or 5 (samples, channels, 1 to 3 dimensions)", (int)x->ndim);
    for (int i = 1; i < 3; ++i) {
        GM_CHECK(context, all[i].tensor->ndim == x->ndim, GM_STATUS_SHAPE_MISMATCH,
                 "%s.ndim = %d: must be %d, as that of x", all[i].name, (int)all[i].tensor->ndim,
                 (int)x->ndim);
    }
    for (int i = 0; i < 3; ++i) {
        GM_TRY(gm_check_layout(context, all[i].name, all[i].tensor, x->ndim, ~0u));
    }
    return GM_STATUS_OK;
}

static gm_status check_option(gm_context *context, const char *name, int dimension, int64_t value) {
    /* Sizes times strides then stay far from the limits of 64 bits. */
    GM_CHECK(context, value >= 0 && value < (INT64_C(1) << 31), GM_STATUS_INVALID_ARGUMENT,
             "options.%s[%d] = %lld is not in 0 .. 2^31 - 1", name, dimension, (long long)value);
    return GM_STATUS_OK;
}

static gm_status read_options(gm_conv_plan *plan, const gm_conv_options *o) {
    gm_context *context = plan->context;
    for (int i = 0; i < plan->dims; ++i) {
        GM_TRY(check_option(context, "stride", i, o->stride[i]));
        GM_TRY(check_option(context, "dilation", i, o->dilation[i]));
        GM_TRY(check_option(context, "pad_before", i, o->pad_before[i]));
        GM_TRY(check_option(context, "pad_after", i, o->pad_after[i]));
        plan->stride[i] = o->stride[i] > 0 ? o->stride[i] : 1;
        plan->dilation[i] = o->dilation[i] > 0 ? o->dilation[i] : 1;
        plan->before[i] = o->pad_before[i];
        plan->after[i] = o->pad_after[i];
    }
    GM_CHECK(context, (unsigned)o->algorithm <= GM_CONV_FFT, GM_STATUS_INVALID_ARGUMENT,
             "options.algorithm = %d is not an algorithm", (int)o->algorithm);
    GM_CHECK(context, o->groups >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.groups = %lld is negative", (long long)o->groups);
    plan->groups = o->groups > 0 ? o->groups : 1;
    plan->flip = o->flip != 0;
    return GM_STATUS_OK;
}

static gm_status check_shapes(const gm_conv_plan *plan) {
    gm_context *context = plan->context;
    const gm_tensor *x = &plan->x, *w = &plan->w, *y = &plan->y;
    GM_TRY(gm_check_size(context, "y", y, 0, x->shape[0], "as many samples as x"));
    GM_CHECK(context, x->shape[1] % plan->groups == 0 && w->shape[0] % plan->groups == 0,
             GM_STATUS_SHAPE_MISMATCH,
             "options.groups = %lld divides not both x.shape[1] = %lld and w.shape[0] = %lld",
             (long long)plan->groups, (long long)x->shape[1], (long long)w->shape[0]);
    GM_TRY(
        gm_check_size(context, "w", w, 1, x->shape[1] / plan->groups, "the channels of a group"));
    GM_TRY(gm_check_size(context, "y", y, 1, w->shape[0], "as many channels as w.shape[0]"));
    for (int i = 0; i < plan->dims; ++i) {
        const int64_t limit = INT64_C(1) << 40, taps = w->shape[2 + i];
        GM_CHECK(context, taps >= 1 && taps < limit && x->shape[2 + i] < limit,
                 GM_STATUS_INVALID_ARGUMENT, "w.shape[%d] = %lld, x.shape[%d] = %lld: out of range",
                 2 + i, (long long)taps, 2 + i, (long long)x->shape[2 + i]);
        /* taps < 2^40 may meet a dilation near 2^31: the reach must be compared without overflow */
        const int64_t room = x->shape[2 + i] + plan->before[i] + plan->after[i] - 1;
        GM_CHECK(context, room >= 0 && (taps - 1) <= room / plan->dilation[i],
                 GM_STATUS_SHAPE_MISMATCH,
                 "w.shape[%d] = %lld with dilation %lld is longer than the padded x, %lld", 2 + i,
                 (long long)taps, (long long)plan->dilation[i], (long long)(room + 1));
        const int64_t size = (room - plan->dilation[i] * (taps - 1)) / plan->stride[i] + 1;
        GM_TRY(gm_check_size(context, "y", y, 2 + i, size,
                             "what x, w, the padding, stride and dilation give"));
    }
    return GM_STATUS_OK;
}

/* ---- the padded copy
 * ----------------------------------------------------------------------------- */

static gm_status plan_copying(gm_context *context, int32_t dims, padded_copy *copy) {
    static const char *const expressions[] = {"ncx->ncx", "ncxy->ncxy", "ncxyz->ncxyz"};
    const gm_tensor nothing = {NULL, GM_I32, 2, {0, copy->words.shape[0]}, {0, 0}};
    /* A sum over no elements is the plainest way to say zero. */
    GM_TRY(
        gm_contract_plan_create(context, "zw->w", 1, &nothing, &copy->words, NULL, &copy->clear));
    return gm_contract_plan_create(context, expressions[dims - 1], 1, &copy->source.view,
                                   &copy->target.view, NULL, &copy->copy);
}

gm_status gm_conv_plan_copy(gm_context *context, int32_t dims, const placed_view *placed,
                            const int64_t *extent, const int64_t *first, const int64_t *step,
                            padded_copy *copy) {
    const gm_tensor *source = &placed->view;
    GM_CHECK(context, source->dtype != GM_I8, GM_STATUS_UNSUPPORTED,
             "a convolution of i8 with padding needs a padded copy, for which there is no kernel");
    int64_t shape[2 + DIMS] = {source->shape[0], source->shape[1]}, elements, bytes;
    memcpy(shape + 2, extent, (size_t)dims * sizeof *extent);
    GM_CHECK(context,
             gm_tensor_view(NULL, source->dtype, source->ndim, shape, &copy->whole) ==
                     GM_STATUS_OK &&
                 gm_tensor_elements(&copy->whole, &elements) == GM_STATUS_OK &&
                 gm_multiply_sizes(elements, (int64_t)gm_dtype_size(source->dtype), &bytes) &&
                 bytes <= INT64_MAX - ALIGNMENT,
             GM_STATUS_INVALID_ARGUMENT, "the padded copy has over 2^63 - 1 bytes");
    copy->bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    copy->words = gm_tensor_1d(NULL, GM_I32, copy->bytes / 4);
    copy->source = *placed;
    copy->target = (placed_view){copy->whole, 0};
    for (int i = 0; i < dims; ++i) {
        const int64_t stride = copy->whole.stride[2 + i];
        const int64_t room = (extent[i] - first[i] - 1) / step[i] + 1; /* more is never read */
        const int64_t count = source->shape[2 + i] < room ? source->shape[2 + i] : room;
        copy->source.view.shape[2 + i] = copy->target.view.shape[2 + i] = count;
        copy->target.view.stride[2 + i] = stride * step[i];
        copy->target.offset += stride * first[i] * (int64_t)gm_dtype_size(source->dtype);
    }
    return copy->bytes > 0 ? plan_copying(context, dims, copy) : GM_STATUS_OK;
}

void gm_conv_destroy_copy(padded_copy *copy) {
    gm_contract_plan_destroy(copy->clear);
    gm_contract_plan_destroy(copy->copy);
}

gm_status gm_conv_make_copy(const padded_copy *copy, const gm_tensor *operand, void *memory,
                            void *scratch, size_t scratch_bytes) {
    const gm_tensor nothing = {NULL, GM_I32, 2, {0, copy->words.shape[0]}, {0, 0}};
    gm_tensor words = copy->words;
    words.data = memory;
    const gm_tensor source = gm_conv_at(&copy->source, operand->data);
    const gm_tensor target = gm_conv_at(&copy->target, memory);
    GM_TRY(gm_contract_execute(copy->clear, NULL, &nothing, NULL, &words, scratch, scratch_bytes));
    return gm_contract_execute(copy->copy, NULL, &source, NULL, &target, scratch, scratch_bytes);
}

static gm_status lay_out_copy(gm_conv_plan *plan, const gm_tensor *source, const int64_t *extent,
                              const int64_t *first, const int64_t *step) {
    return gm_conv_plan_copy(plan->context, plan->dims, &(placed_view){*source, 0}, extent, first,
                             step, &plan->padded);
}

/* What the windows slide over: x, or a copy with its padding. */
static gm_status pad_x(gm_conv_plan *plan) {
    int64_t extent[DIMS], ones[DIMS] = {1, 1, 1};
    bool any = false;
    for (int i = 0; i < plan->dims; ++i) {
        extent[i] = plan->x.shape[2 + i] + plan->before[i] + plan->after[i];
        any = any || plan->before[i] > 0 || plan->after[i] > 0;
    }
    return any ? lay_out_copy(plan, &plan->x, extent, plan->before, ones) : GM_STATUS_OK;
}

/*
 * GM_CONV_DATA reads y at (i + p - k d) / s where that is whole and within bounds. A copy of y
 * spread by s, with d (K - 1) zeros in front, has it at i + p - k d + d (K - 1) for every i and k.
 */
static gm_status spread_y(gm_conv_plan *plan) {
    int64_t extent[DIMS], first[DIMS];
    bool all_within = true;
    for (int i = 0; i < plan->dims; ++i) {
        first[i] = plan->dilation[i] * (plan->w.shape[2 + i] - 1);
        extent[i] = plan->x.shape[2 + i] + plan->before[i] + first[i];
        all_within = all_within && plan->stride[i] == 1 && plan->before[i] >= first[i] &&
                     plan->x.shape[2 + i] + plan->before[i] <= plan->y.shape[2 + i];
    }
    return all_within ? GM_STATUS_OK : lay_out_copy(plan, &plan->y, extent, first, plan->stride);
}

/* ---- views
 * --------------------------------------------------------------------------------------- */

gm_tensor gm_conv_split_groups(const gm_tensor *tensor, int32_t axis, int64_t groups) {
    gm_tensor split = *tensor;
    ++split.ndim;
    for (int32_t i = tensor->ndim - 1; i > axis; --i) {
        split.shape[i + 1] = tensor->shape[i];
        split.stride[i + 1] = tensor->stride[i];
    }
    split.shape[axis] = groups;
    split.shape[axis + 1] = tensor->shape[axis] / groups;
    split.stride[axis] = tensor->stride[axis] * split.shape[axis + 1];
    split.stride[axis + 1] = tensor->stride[axis];
    return split;
}

/* (n, g, c, positions..., taps...) over what the windows slide on. */
static placed_view view_windows(const gm_conv_plan *plan) {
    const bool data = plan->operation == GM_CONV_DATA, copied = plan->padded.bytes > 0;
    const gm_tensor *positions = data ? &plan->x : &plan->y;
    const gm_tensor *under = copied ? &plan->padded.whole : data ? &plan->y : &plan->x;
    placed_view windows = {gm_conv_split_groups(under, 1, plan->groups), 0};
    gm_tensor *view = &windows.view;
    for (int i = 0; i < plan->dims; ++i) {
        const int64_t stride = under->stride[2 + i], taps = plan->w.shape[2 + i];
        const int64_t reach = plan->dilation[i] * (taps - 1);
        view->shape[3 + i] = positions->shape[2 + i];
        view->stride[3 + i] = data ? stride : stride * plan->stride[i];
        view->shape[view->ndim + i] = taps;
        view->stride[view->ndim + i] = stride * (data ? -plan->dilation[i] : plan->dilation[i]);
        if (data) {
            const int64_t origin = plan->before[i] + (copied ? reach : 0);
            windows.offset += origin * stride * (int64_t)gm_dtype_size(under->dtype);
        }
    }
    view->ndim += plan->dims;
    return windows;
}

placed_view gm_conv_reversed(const gm_tensor *tensor, int32_t dims) {
    placed_view reversed = {*tensor, 0};
    for (int32_t axis = tensor->ndim - dims; axis < tensor->ndim; ++axis) {
        int64_t *stride = &reversed.view.stride[axis];
        reversed.offset +=
            (tensor->shape[axis] - 1) * *stride * (int64_t)gm_dtype_size(tensor->dtype);
        *stride = -*stride;
    }
    return reversed;
}

/* (g, o, c, taps...), the taps backwards where that is asked for. */
static placed_view view_weights(const gm_conv_plan *plan) {
    placed_view weights =
        plan->flip ? gm_conv_reversed(&plan->w, plan->dims) : (placed_view){plan->w, 0};
    weights.view = gm_conv_split_groups(&weights.view, 0, plan->groups);
    return weights;
}

/* ---- the plan
 * ------------------------------------------------------------------------------------ */

static gm_status plan_contraction(gm_conv_plan *plan, const gm_conv_options *o) {
    /* n samples, g groups, c and o channels of x and of y; x y z positions, i j k taps */
    static const char *const expressions[3][3] = {
        {"ngcxi,goci->ngox", "ngcxyij,gocij->ngoxy", "ngcxyzijk,gocijk->ngoxyz"},
        {"ngoxi,goci->ngcx", "ngoxyij,gocij->ngcxy", "ngoxyzijk,gocijk->ngcxyz"},
        {"ngcxi,ngox->goci", "ngcxyij,ngoxy->gocij", "ngcxyzijk,ngoxyz->gocijk"}};
    const placed_view weights = view_weights(plan);
    const placed_view x = {gm_conv_split_groups(&plan->x, 1, plan->groups), 0};
    const placed_view y = {gm_conv_split_groups(&plan->y, 1, plan->groups), 0};
    plan->windows = view_windows(plan);
    plan->other = plan->operation == GM_CONV_WEIGHTS ? y : weights;
    plan->result = plan->operation == GM_CONV_FORWARD ? y
                   : plan->operation == GM_CONV_DATA  ? x
                                                      : weights;
    gm_contract_epilogue epilogue = {0};
    gm_tensor bias;
    if (o->epilogue != NULL) {
        epilogue = *o->epilogue;
        if (epilogue.bias != NULL) {
            const int32_t axis = plan->operation == GM_CONV_WEIGHTS ? 0 : 1;
            GM_CHECK(plan->context, epilogue.bias->ndim == plan->x.ndim, GM_STATUS_SHAPE_MISMATCH,
                     "epilogue.bias.ndim = %d: must be %d, as that of the result",
                     (int)epilogue.bias->ndim, (int)plan->x.ndim);
            bias = gm_conv_split_groups(epilogue.bias, axis,
                                        epilogue.bias->shape[axis] == 1 ? 1 : plan->groups);
            epilogue.bias = &bias;
        }
    }
    const gm_contract_options options = {.math = o->math,
                                         .epilogue = o->epilogue != NULL ? &epilogue : NULL};
    const gm_tensor inputs[] = {plan->windows.view, plan->other.view};
    return gm_contract_plan_create(plan->context, expressions[plan->operation][plan->dims - 1], 2,
                                   inputs, &plan->result.view, &options, &plan->contraction);
}

static gm_status explain(gm_conv_plan *plan) {
    const gm_contract_plan *steps[] = {plan->padded.clear, plan->padded.copy, plan->contraction};
    const char *texts[] = {
        plan->reason, gm_contract_explain(steps[0]), gm_contract_explain(steps[1]),
        plan->fft != NULL ? gm_conv_fft_contraction(plan->fft) : gm_contract_explain(steps[2])};
    size_t length = 1;
    for (int i = 0; i < 4; ++i) {
        const size_t bytes = i < 3 ? gm_contract_workspace(steps[i]) : 0;
        plan->scratch = bytes > plan->scratch ? bytes : plan->scratch;
        length += strlen(texts[i]);
    }
    plan->explanation = malloc(length);
    GM_CHECK(plan->context, plan->explanation != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    plan->explanation[0] = '\0';
    for (int i = 0; i < 4; ++i) {
        strcat(plan->explanation, texts[i]);
    }
    return GM_STATUS_OK;
}

static gm_status fill_plan(gm_conv_plan *plan, const gm_conv_options *options) {
    bool transforms;
    GM_TRY(read_options(plan, options));
    GM_TRY(check_shapes(plan));
    GM_TRY(gm_conv_fft_choose(plan, options, &transforms));
    if (transforms) {
        GM_TRY(gm_conv_fft_plan(plan, options));
    } else {
        GM_TRY(plan->operation == GM_CONV_DATA ? spread_y(plan) : pad_x(plan));
        GM_TRY(plan_contraction(plan, options));
    }
    return explain(plan);
}

gm_status gm_conv_plan_create(gm_context *context, gm_conv_operation operation, const gm_tensor *x,
                              const gm_tensor *w, const gm_tensor *y,
                              const gm_conv_options *options, gm_conv_plan **plan) {
    static const gm_conv_options defaults = {0};
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, (unsigned)operation <= GM_CONV_WEIGHTS, GM_STATUS_INVALID_ARGUMENT,
             "operation = %d is not an operation", (int)operation);
    GM_TRY(check_operands(context, x, w, y));
    gm_conv_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->operation = operation;
    made->dims = x->ndim - 2;
    made->x = *x;
    made->w = *w;
    made->y = *y;
    const gm_status status = fill_plan(made, options != NULL ? options : &defaults);
    if (status != GM_STATUS_OK) {
        gm_conv_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_conv_plan_destroy(gm_conv_plan *plan) {
    if (plan == NULL) {
        return;
    }
    gm_conv_destroy_copy(&plan->padded);
    gm_contract_plan_destroy(plan->contraction);
    gm_conv_fft_destroy(plan->fft);
    free(plan->explanation);
    free(plan);
}

size_t gm_conv_workspace(const gm_conv_plan *plan) {
    if (plan == NULL) {
        return 0;
    }
    return plan->fft != NULL ? gm_conv_fft_workspace(plan->fft)
                             : (size_t)plan->padded.bytes + plan->scratch;
}

const char *gm_conv_explain(const gm_conv_plan *plan) {
    return plan != NULL ? plan->explanation : "";
}

/* ---- execution
 * ----------------------------------------------------------------------------------- */

gm_tensor gm_conv_at(const placed_view *placed, void *data) {
    gm_tensor view = placed->view;
    view.data = data != NULL ? (char *)data + placed->offset : NULL;
    return view;
}

gm_status gm_conv_execute(const gm_conv_plan *plan, const gm_contract_scale *scale,
                          const gm_tensor *x, const gm_tensor *w, const gm_tensor *y,
                          void *workspace, size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_TRY(gm_check_planned(context, "x", x, &plan->x));
    GM_TRY(gm_check_planned(context, "w", w, &plan->w));
    GM_TRY(gm_check_planned(context, "y", y, &plan->y));
    const bool forward = plan->operation == GM_CONV_FORWARD, data = plan->operation == GM_CONV_DATA;
    const gm_tensor *operand = data ? y : x, *other = plan->operation == GM_CONV_WEIGHTS ? y : w;
    const gm_tensor *target = forward ? y : data ? x : w;
    GM_TRY(gm_check_disjoint(context, "the result", target, "the operand", operand, false));
    GM_CHECK(context, workspace_bytes >= gm_conv_workspace(plan), GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %zu: the plan needs %zu", workspace_bytes, gm_conv_workspace(plan));
    GM_CHECK(context, workspace != NULL || gm_conv_workspace(plan) == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is NULL");
    if (plan->fft != NULL) {
        return gm_conv_fft_execute(plan, scale, operand, other, target, workspace);
    }
    const bool copied = plan->padded.bytes > 0;
    void *scratch = workspace != NULL ? (char *)workspace + plan->padded.bytes : NULL;
    if (copied) {
        GM_TRY(gm_conv_make_copy(&plan->padded, operand, workspace, scratch, plan->scratch));
    }
    const gm_tensor inputs[] = {gm_conv_at(&plan->windows, copied ? workspace : operand->data),
                                gm_conv_at(&plan->other, other->data)};
    const gm_tensor result = gm_conv_at(&plan->result, target->data);
    return gm_contract_execute(plan->contraction, scale, inputs,
                               scale != NULL && scale->beta != 0 ? &result : NULL, &result, scratch,
                               plan->scratch);
}
