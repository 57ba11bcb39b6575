/* gm_contract_plan_create: checks, order, steps, kernels, workspace. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/contract/plan.h"

enum { EXACT_BY_DEFAULT = 10, EXACT_AT_MOST = 16 };

#define GM_CONTRACT_FLOATS (GM_FLOATS | GM_DTYPE_BIT(GM_F16) | GM_DTYPE_BIT(GM_BF16))
#define GM_HALVES (GM_DTYPE_BIT(GM_F16) | GM_DTYPE_BIT(GM_BF16))

/* ---- checks ---------------------------------------------------------------------------------- */

/* The types of the output for each type of the inputs; 0: not taken. */
static unsigned output_types(gm_dtype input) {
    switch (input) {
    case GM_F16:
    case GM_BF16:
        return GM_HALVES | GM_DTYPE_BIT(GM_F32);
    case GM_I8:
        return GM_DTYPE_BIT(GM_I32);
    case GM_F64:
    case GM_F32:
    case GM_C64:
    case GM_C128:
    case GM_I32:
        return GM_DTYPE_BIT(input);
    default:
        return 0;
    }
}

static gm_status check_inputs(gm_context *context, int32_t count, const gm_tensor *inputs) {
    const gm_dtype type = inputs[0].dtype;
    for (int32_t i = 0; i < count; ++i) {
        char name[24];
        snprintf(name, sizeof name, "inputs[%d]", (int)i);
        GM_TRY(gm_check_layout(context, name, &inputs[i], inputs[i].ndim, ~0u));
        GM_CHECK(context, inputs[i].dtype == type, GM_STATUS_INVALID_ARGUMENT,
                 "%s.dtype = %s: must be %s as that of inputs[0]", name,
                 gm_dtype_name(inputs[i].dtype), gm_dtype_name(type));
    }
    GM_CHECK(context, output_types(type) != 0, GM_STATUS_UNSUPPORTED,
             "inputs[0].dtype = %s: contractions are of f64, f32, f16, bf16, c64, c128, i8 and i32",
             gm_dtype_name(type));
    GM_CHECK(context, type != GM_I8 || count <= 2, GM_STATUS_UNSUPPORTED,
             "%d operands of i8: more than two would need partial products wider than i8",
             (int)count);
    return GM_STATUS_OK;
}

static gm_status check_output(gm_context *context, gm_dtype input, const gm_tensor *output) {
    GM_TRY(gm_check_layout(context, "output", output, output->ndim, ~0u));
    GM_CHECK(context, (output_types(input) & GM_DTYPE_BIT(output->dtype)) != 0,
             GM_STATUS_UNSUPPORTED, "output.dtype = %s: %s gives %s", gm_dtype_name(output->dtype),
             gm_dtype_name(input),
             input == GM_F16 || input == GM_BF16 ? "f16, bf16 or f32"
             : input == GM_I8                    ? "i32"
                                                 : "its own type");
    GM_CHECK(context, gm_elements_are_distinct(output), GM_STATUS_INVALID_ARGUMENT,
             "output: two of its elements share memory (a stride of 0 or overlapping strides), so "
             "it cannot be written");
    return GM_STATUS_OK;
}

/* What all that take an expression ask of it. */
static gm_status check_call(gm_context *context, const char *expression, int32_t count,
                            const gm_tensor *inputs, const gm_tensor *output) {
    GM_CHECK(context, expression != NULL, GM_STATUS_INVALID_ARGUMENT, "expression is NULL");
    GM_CHECK(context, count >= 1 && count <= GM_MAX_OPERANDS, GM_STATUS_INVALID_ARGUMENT,
             "count = %d is not in 1 .. %d", (int)count, GM_MAX_OPERANDS);
    GM_CHECK(context, inputs != NULL, GM_STATUS_INVALID_ARGUMENT, "inputs is NULL");
    GM_CHECK(context, output != NULL, GM_STATUS_INVALID_ARGUMENT, "output is NULL");
    return check_inputs(context, count, inputs);
}

gm_status gm_contract_check_bias(gm_context *context, const char *name, const gm_tensor *bias,
                                 const gm_tensor *output) {
    GM_TRY(gm_check_layout(context, name, bias, output->ndim, GM_DTYPE_BIT(output->dtype)));
    for (int32_t axis = 0; axis < output->ndim; ++axis) {
        GM_CHECK(context, bias->shape[axis] == output->shape[axis] || bias->shape[axis] == 1,
                 GM_STATUS_SHAPE_MISMATCH,
                 "%s.shape[%d] = %lld: must be 1 or %lld, as the output's", name, (int)axis,
                 (long long)bias->shape[axis], (long long)output->shape[axis]);
    }
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_contract_options *o, int32_t count,
                               gm_dtype input, const gm_tensor *output) {
    GM_CHECK(context, (unsigned)o->math <= GM_CONTRACT_COMPENSATED, GM_STATUS_INVALID_ARGUMENT,
             "options.math = %d is not a kind of arithmetic", (int)o->math);
    GM_CHECK(context,
             o->math == GM_CONTRACT_STANDARD || input == GM_F32 ||
                 (o->math == GM_CONTRACT_COMPENSATED && input == GM_F64),
             GM_STATUS_INVALID_ARGUMENT, "options.math: %s",
             o->math == GM_CONTRACT_COMPENSATED ? "compensated sums are of f64 and f32"
                                                : "TF32 is an arithmetic of f32");
    GM_CHECK(context, (unsigned)o->order <= GM_CONTRACT_LEFT_TO_RIGHT, GM_STATUS_INVALID_ARGUMENT,
             "options.order = %d is not an order", (int)o->order);
    GM_CHECK(context, o->order != GM_CONTRACT_EXACT || count <= EXACT_AT_MOST,
             GM_STATUS_INVALID_ARGUMENT, "options.order: the exact one is for %d operands at most",
             EXACT_AT_MOST);
    GM_CHECK(context, o->memory_limit >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.memory_limit = %lld is negative", (long long)o->memory_limit);
    const gm_contract_epilogue *e = o->epilogue;
    if (e == NULL) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, (GM_DTYPE_BIT(output->dtype) & GM_CONTRACT_FLOATS) != 0,
             GM_STATUS_INVALID_ARGUMENT, "options.epilogue: not for %s",
             gm_dtype_name(output->dtype));
    GM_CHECK(context, (unsigned)e->activation <= GM_ACTIVATION_GELU, GM_STATUS_INVALID_ARGUMENT,
             "options.epilogue.activation = %d is not an activation", (int)e->activation);
    if (e->bias == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_contract_check_bias(context, "options.epilogue.bias", e->bias, output));
    return gm_check_tensor(context, "options.epilogue.bias", e->bias, output->ndim,
                           GM_DTYPE_BIT(output->dtype));
}

gm_status gm_contract_check(gm_context *context, const char *expression, int32_t count,
                            const gm_tensor *inputs, const gm_tensor *output,
                            const gm_contract_options *options) {
    GM_TRY(check_call(context, expression, count, inputs, output));
    GM_TRY(check_output(context, inputs[0].dtype, output));
    return check_options(context, options, count, inputs[0].dtype, output);
}

/* ---- a whole expression at once -------------------------------------------------------------- */

void gm_contract_fill_direct(const gm_expression *e, const gm_tensor *inputs,
                             const gm_tensor *output, gm_contract_math math,
                             const gm_contract_epilogue *epilogue, gm_contract_direct *direct) {
    *direct = (gm_contract_direct){
        .input = inputs[0].dtype, .output = output->dtype, .math = math, .operands = e->operands};
    int32_t order[GM_MAX_LABELS];
    gm_labels in_output = 0;
    for (int32_t axis = 0; axis < e->outputs; ++axis) {
        order[direct->outputs++] = e->output[axis];
        in_output |= 1u << e->output[axis];
    }
    for (int32_t label = 0; label < e->labels; ++label) {
        if ((in_output >> label & 1u) == 0) {
            order[direct->outputs + direct->sums++] = label;
        }
    }
    int64_t stride[GM_MAX_LABELS];
    for (int32_t i = 0; i < e->operands; ++i) {
        gm_expression_strides(e, i, &inputs[i], stride);
        for (int32_t j = 0; j < e->labels; ++j) {
            direct->stride[i][j] = stride[order[j]];
        }
    }
    for (int32_t j = 0; j < e->labels; ++j) {
        direct->extent[j] = e->extent[order[j]];
    }
    const gm_tensor *bias = epilogue != NULL ? epilogue->bias : NULL;
    for (int32_t axis = 0; axis < e->outputs; ++axis) {
        direct->d_stride[axis] = output->stride[axis];
        direct->bias_stride[axis] = bias != NULL && bias->shape[axis] > 1 ? bias->stride[axis] : 0;
    }
    if (epilogue != NULL) {
        direct->activation = epilogue->activation;
        direct->sample = epilogue->sample != 0;
        direct->seed = epilogue->seed;
        direct->first = epilogue->first;
    }
}

/* Multiplications and the addition of every product. */
static double operations_at_once(const gm_expression *e) {
    double operations = (double)e->operands;
    for (int32_t label = 0; label < e->labels; ++label) {
        operations *= (double)e->extent[label];
    }
    return operations;
}

static gm_status fill_direct(gm_contract_plan *plan, const gm_contract_options *o) {
    plan->direct = calloc(1, sizeof *plan->direct);
    GM_CHECK(plan->context, plan->direct != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    const char *own = plan->backend->contract_kernel(0);
    GM_CHECK(plan->context, o->kernel == NULL || strcmp(o->kernel, own) == 0, GM_STATUS_UNSUPPORTED,
             "options.kernel = %.64s: the %s backend has but %s", o->kernel, plan->backend->name,
             own);
    gm_contract_fill_direct(&plan->expression, plan->inputs, &plan->output, o->math, o->epilogue,
                            plan->direct);
    plan->operations = operations_at_once(&plan->expression);
    return GM_STATUS_OK;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static gm_status choose_kernels(gm_contract_plan *plan, const char *kernel) {
    for (int32_t s = 0; s < plan->steps.count; ++s) {
        gm_contract_step *step = &plan->steps.step[s];
        GM_TRY(plan->backend->contract_choose(&plan->context->call, &step->contraction, kernel,
                                              &step->choice));
        GM_CHECK(plan->context, step->choice.workspace <= INT64_MAX - 63, GM_STATUS_OUT_OF_MEMORY,
                 "a step needs over 2^63 - 1 bytes");
    }
    return GM_STATUS_OK;
}

/* The steps of the path that is best for a goal, with their kernels and their workspace. */
static gm_status fill_steps(gm_contract_plan *plan, const gm_contract_options *o,
                            gm_path_goal goal) {
    const gm_expression *e = &plan->expression;
    const gm_contract_order order = o->order != GM_CONTRACT_AUTO      ? o->order
                                    : e->operands <= EXACT_BY_DEFAULT ? GM_CONTRACT_EXACT
                                                                      : GM_CONTRACT_GREEDY;
    const double limit = o->memory_limit > 0 ? (double)o->memory_limit : (double)INFINITY;
    gm_path path = {0};
    free(plan->steps.step);
    plan->steps = (gm_contract_steps){0};
    GM_TRY(gm_path_find(plan->context, e, order, goal, limit, gm_dtype_size(plan->inputs[0].dtype),
                        &path));
    GM_TRY(
        gm_contract_lower(plan->context, e, plan->inputs, &plan->output, o, &path, &plan->steps));
    GM_TRY(choose_kernels(plan, o->kernel));
    GM_TRY(gm_contract_place(plan->context, &plan->steps, &plan->workspace));
    plan->operations = 0;
    for (int32_t s = 0; s < plan->steps.count; ++s) {
        plan->operations += plan->steps.step[s].operations;
    }
    return GM_STATUS_OK;
}

static bool fits(const gm_contract_plan *plan, int64_t limit) {
    return limit == 0 || plan->workspace <= limit;
}

/* The fastest path; where it does not fit the limit, the fastest that is known to; then the one
 * that needs least. */
static gm_status find_steps(gm_contract_plan *plan, const gm_contract_options *o) {
    static const gm_path_goal goals[] = {GM_PATH_COST, GM_PATH_COST_WITHIN, GM_PATH_PEAK};
    gm_status status = GM_STATUS_OK;
    for (size_t i = 0; i < sizeof goals / sizeof *goals; ++i) {
        status = fill_steps(plan, o, goals[i]);
        if (status == GM_STATUS_OK && fits(plan, o->memory_limit)) {
            return GM_STATUS_OK;
        }
        if (status != GM_STATUS_OK && status != GM_STATUS_OUT_OF_MEMORY) {
            return status;
        }
    }
    GM_CHECK(plan->context, status != GM_STATUS_OK, GM_STATUS_OUT_OF_MEMORY,
             "options.memory_limit = %lld: no order that was found needs less than %lld bytes",
             (long long)o->memory_limit, (long long)plan->workspace);
    return status;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status keep_arguments(gm_contract_plan *plan, const char *text, int32_t count,
                                const gm_tensor *inputs, const gm_tensor *output,
                                const gm_contract_options *o) {
    plan->text = strdup(text);
    plan->inputs = calloc((size_t)count, sizeof *plan->inputs);
    GM_CHECK(plan->context, plan->text != NULL && plan->inputs != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    for (int32_t i = 0; i < count; ++i) {
        plan->inputs[i] = inputs[i];
        plan->inputs[i].data = NULL;
    }
    plan->output = *output;
    plan->output.data = NULL;
    plan->has_bias = o->epilogue != NULL && o->epilogue->bias != NULL;
    if (plan->has_bias) {
        plan->bias = *o->epilogue->bias;
    }
    return GM_STATUS_OK;
}

static gm_status fill_plan(gm_contract_plan *plan, const char *text, int32_t count,
                           const gm_tensor *inputs, const gm_tensor *output,
                           const gm_contract_options *o) {
    GM_TRY(keep_arguments(plan, text, count, inputs, output, o));
    GM_TRY(gm_expression_parse(plan->context, text, count, inputs, output, &plan->expression));
    if (plan->backend->contract_direct != NULL) {
        GM_TRY(fill_direct(plan, o));
    } else if (!plan->expression.empty_output) {
        GM_TRY(find_steps(plan, o));
    }
    plan->explanation = gm_contract_describe(plan);
    GM_CHECK(plan->context, plan->explanation != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    return GM_STATUS_OK;
}

/* The backend that contracts: the context's own, else the fallback; NULL, and why is said. */
static const gm_backend *backend_of(gm_context *context) {
    if (context->backend->contract_direct != NULL) {
        return context->backend;
    }
    return GM_BACKEND_WITH(context, contract_choose);
}

gm_status gm_contract_plan_create(gm_context *context, const char *expression, int32_t count,
                                  const gm_tensor *inputs, const gm_tensor *output,
                                  const gm_contract_options *options, gm_contract_plan **plan) {
    static const gm_contract_options defaults;
    const gm_contract_options *o = options != NULL ? options : &defaults;
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(gm_contract_check(context, expression, count, inputs, output, o));
    const gm_backend *backend = backend_of(context);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_contract_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    const gm_status status = fill_plan(made, expression, count, inputs, output, o);
    if (status != GM_STATUS_OK) {
        gm_contract_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_contract_plan_destroy(gm_contract_plan *plan) {
    if (plan == NULL) {
        return;
    }
    free(plan->text);
    free(plan->inputs);
    free(plan->steps.step);
    free(plan->direct);
    free(plan->explanation);
    free(plan);
}

gm_status gm_contract_output(gm_context *context, const char *expression, int32_t count,
                             const gm_tensor *inputs, gm_tensor *output) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(check_call(context, expression, count, inputs, output));
    gm_expression parsed;
    int64_t shape[GM_MAX_DIMS];
    GM_TRY(gm_expression_parse(context, expression, count, inputs, NULL, &parsed));
    for (int32_t axis = 0; axis < parsed.outputs; ++axis) {
        shape[axis] = parsed.extent[parsed.output[axis]];
    }
    const gm_dtype type = inputs[0].dtype == GM_I8 ? GM_I32 : inputs[0].dtype;
    GM_CHECK(context, gm_tensor_view(NULL, type, parsed.outputs, shape, output) == GM_STATUS_OK,
             GM_STATUS_INVALID_ARGUMENT, "output: %s", gm_last_error(NULL));
    return GM_STATUS_OK;
}

const char *gm_contract_kernel_name(const gm_context *context, int32_t index) {
    if (context == NULL || index < 0) {
        return NULL;
    }
    const gm_backend *own = context->backend, *fallback = context->fallback;
    const gm_backend *backend =
        own->contract_direct != NULL || own->contract_choose != NULL ? own : fallback;
    return backend != NULL && backend->contract_kernel != NULL ? backend->contract_kernel(index)
                                                               : NULL;
}
