/* gm_contract_execute and gm_contract: checks, quick return, dispatch. */
#include <genmath/contract.h>

#include <math.h>
#include <string.h>

#include "host/contract/plan.h"

size_t gm_contract_workspace(const gm_contract_plan *plan) {
    return plan != NULL ? (size_t)plan->workspace : 0;
}

double gm_contract_operations(const gm_contract_plan *plan) {
    return plan != NULL ? plan->operations : 0;
}

const char *gm_contract_explain(const gm_contract_plan *plan) {
    return plan != NULL ? plan->explanation : "";
}

/* ---- checks ---------------------------------------------------------------------------------- */

gm_status gm_contract_check_scale(gm_context *context, const gm_contract_scale *s,
                                  gm_dtype output) {
    if (output != GM_I32) {
        return GM_STATUS_OK;
    }
    const double factors[] = {s->alpha, s->beta};
    for (int i = 0; i < 2; ++i) {
        GM_CHECK(context,
                 factors[i] >= INT32_MIN && factors[i] <= INT32_MAX &&
                     factors[i] == nearbyint(factors[i]),
                 GM_STATUS_INVALID_ARGUMENT,
                 "scale.%s = %g: must be a whole number of 32 bits for i32",
                 i == 0 ? "alpha" : "beta", factors[i]);
    }
    return GM_STATUS_OK;
}

bool gm_contract_adds(const gm_contract_scale *scale, gm_dtype output) {
    const bool is_complex = output == GM_C64 || output == GM_C128;
    return scale->beta != 0 || (is_complex && scale->beta_imaginary != 0);
}

static gm_status check_addend(const gm_contract_plan *plan, const gm_tensor *addend,
                              const gm_tensor *output) {
    gm_context *context = plan->context;
    GM_TRY(gm_check_tensor(context, "addend", addend, plan->output.ndim,
                           GM_DTYPE_BIT(plan->output.dtype)));
    for (int32_t axis = 0; axis < plan->output.ndim; ++axis) {
        GM_TRY(gm_check_size(context, "addend", addend, axis, plan->output.shape[axis],
                             "as that of the output"));
    }
    return gm_check_disjoint(context, "output", output, "addend", addend, true);
}

static gm_status check_workspace(const gm_contract_plan *plan, const gm_tensor *inputs,
                                 const gm_tensor *addend, const gm_tensor *output, void *workspace,
                                 size_t bytes) {
    gm_context *context = plan->context;
    if (plan->workspace == 0) {
        return GM_STATUS_OK;
    }
    GM_CHECK(context, bytes >= (size_t)plan->workspace, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %zu: the plan needs %lld", bytes, (long long)plan->workspace);
    const gm_tensor all = gm_tensor_1d(workspace, GM_U8, plan->workspace);
    GM_TRY(gm_check_tensor(context, "workspace", &all, 1, GM_DTYPE_BIT(GM_U8)));
    GM_CHECK(context, (uintptr_t)workspace % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 64 bytes");
    for (int32_t i = 0; i < plan->expression.operands; ++i) {
        GM_TRY(gm_check_disjoint(context, "workspace", &all, "an input", &inputs[i], false));
    }
    GM_TRY(gm_check_disjoint(context, "workspace", &all, "addend", addend, false));
    return gm_check_disjoint(context, "workspace", &all, "output", output, false);
}

static gm_status check_arguments(const gm_contract_plan *plan, const gm_contract_scale *scale,
                                 const gm_tensor *inputs, const gm_tensor *addend,
                                 const gm_tensor *output, void *workspace, size_t bytes) {
    gm_context *context = plan->context;
    GM_CHECK(context, inputs != NULL, GM_STATUS_INVALID_ARGUMENT, "inputs is NULL");
    GM_TRY(gm_check_planned(context, "output", output, &plan->output));
    for (int32_t i = 0; i < plan->expression.operands; ++i) {
        char name[24];
        snprintf(name, sizeof name, "inputs[%d]", (int)i);
        GM_TRY(gm_check_planned(context, name, &inputs[i], &plan->inputs[i]));
        GM_TRY(gm_check_disjoint(context, "output", output, name, &inputs[i], false));
    }
    if (plan->has_bias) {
        GM_TRY(gm_check_disjoint(context, "output", output, "options.epilogue.bias", &plan->bias,
                                 false));
    }
    GM_TRY(gm_contract_check_scale(context, scale, plan->output.dtype));
    if (addend != NULL) {
        GM_TRY(check_addend(plan, addend, output));
    }
    return check_workspace(plan, inputs, addend, output, workspace, bytes);
}

/* ---- running --------------------------------------------------------------------------------- */

/* What one execution works with. */
typedef struct execution {
    const gm_contract_plan *plan;
    const gm_tensor *inputs, *addend; /* addend NULL: beta is 0 */
    void *output;
    unsigned char *workspace;
    gm_contract_scale scale;
    const gm_contract_draw *draw; /* NULL: the epilogue's own */
} execution;

static const void *bias_of(const execution *x) {
    return !x->plan->has_bias                          ? NULL
           : x->draw != NULL && x->draw->bias != NULL ? x->draw->bias
                                                      : x->plan->bias.data;
}

static gm_status run_direct(const execution *x) {
    gm_contract_direct direct = *x->plan->direct;
    for (int32_t i = 0; i < direct.operands; ++i) {
        direct.inputs[i] = x->inputs[i].data;
    }
    for (int32_t axis = 0; axis < direct.outputs && x->addend != NULL; ++axis) {
        direct.c_stride[axis] = x->addend->stride[axis];
    }
    direct.c = x->addend != NULL ? x->addend->data : NULL;
    direct.bias = bias_of(x);
    if (x->draw != NULL) {
        direct.seed = x->draw->seed;
        direct.first = x->draw->first;
    }
    direct.d = x->output;
    direct.scale = x->scale;
    return x->plan->backend->contract_direct(&x->plan->context->call, &direct);
}

static const void *term_data(const execution *x, int32_t term) {
    const gm_contract_steps *steps = &x->plan->steps;
    return term < 0                 ? NULL
           : term < steps->operands ? x->inputs[term].data
                                    : x->workspace + steps->step[term - steps->operands].d_at;
}

static gm_status run_step(const execution *x, const gm_contract_step *step,
                          const gm_contraction *contraction, int32_t row, const void *c) {
    const bool last = step == &x->plan->steps.step[x->plan->steps.count - 1];
    gm_contraction drawn;
    if (last && x->draw != NULL) {
        drawn = *contraction;
        drawn.seed = x->draw->seed;
        drawn.first = x->draw->first;
        contraction = &drawn;
    }
    const gm_contract_arrays arrays = {
        .a = term_data(x, step->a),
        .b = term_data(x, step->b),
        .c = last ? c : NULL,
        .bias = last ? bias_of(x) : NULL,
        .d = last ? x->output : x->workspace + step->d_at,
        .workspace = step->choice.workspace > 0 ? x->workspace + step->scratch_at : NULL,
        .scale = last ? x->scale : (gm_contract_scale){.alpha = 1},
    };
    return x->plan->backend->contract_run(&x->plan->context->call, contraction, row, &arrays);
}

/* Copies the addend into the output, where every kernel can take it. */
static gm_status copy_addend(const execution *x, const gm_contract_step *last) {
    const gm_backend *backend = x->plan->backend;
    gm_call *call = &x->plan->context->call;
    gm_contraction copy = {
        .input = x->plan->output.dtype, .output = x->plan->output.dtype, .operands = 1};
    gm_step_view view = {.a = last->view.d, .d = last->view.d};
    gm_contract_output_strides(&x->plan->expression, x->addend, view.a_stride);
    memcpy(view.d_stride, last->view.d_stride, sizeof view.d_stride);
    memcpy(view.c_stride, last->view.d_stride, sizeof view.c_stride);
    gm_contract_choice choice;
    GM_CHECK(x->plan->context, gm_contract_build(&x->plan->expression, &view, &copy),
             GM_STATUS_INTERNAL, "the addend has more elements than the output");
    GM_TRY(backend->contract_choose(call, &copy, NULL, &choice));
    GM_CHECK(x->plan->context, choice.workspace <= last->choice.workspace, GM_STATUS_UNSUPPORTED,
             "addend: the copy of such strides would need a workspace");
    const gm_contract_arrays arrays = {
        .a = x->addend->data,
        .d = x->output,
        .workspace = choice.workspace > 0 ? x->workspace + last->scratch_at : NULL,
        .scale = {.alpha = 1}};
    return backend->contract_run(call, &copy, choice.row, &arrays);
}

/*
 * The step that writes the output. Its modes were fused for an addend that lies as the output does;
 * for another one they are made anew, and where no kernel takes that, the addend goes into the
 * output first.
 */
static gm_status run_last(const execution *x, const gm_contract_step *last) {
    if (x->addend == NULL) {
        return run_step(x, last, &last->contraction, last->choice.row, NULL);
    }
    gm_step_view view = last->view;
    gm_contract_output_strides(&x->plan->expression, x->addend, view.c_stride);
    if (memcmp(view.c_stride, view.d_stride, sizeof view.c_stride) == 0) {
        return run_step(x, last, &last->contraction, last->choice.row, x->addend->data);
    }
    gm_contraction contraction = last->contraction;
    gm_contract_choice choice;
    if (gm_contract_build(&x->plan->expression, &view, &contraction)) {
        contraction.k = last->contraction.k;
        if (x->plan->backend->contract_choose(&x->plan->context->call, &contraction,
                                              last->choice.kernel, &choice) == GM_STATUS_OK &&
            choice.workspace <= last->choice.workspace) {
            return run_step(x, last, &contraction, choice.row, x->addend->data);
        }
    }
    GM_TRY(copy_addend(x, last));
    return run_step(x, last, &last->contraction, last->choice.row, x->output);
}

static gm_status run_steps(const execution *x) {
    const gm_contract_steps *steps = &x->plan->steps;
    for (int32_t s = 0; s < steps->count - 1; ++s) {
        const gm_contract_step *step = &steps->step[s];
        GM_TRY(run_step(x, step, &step->contraction, step->choice.row, NULL));
    }
    return run_last(x, &steps->step[steps->count - 1]);
}

gm_status gm_contract_execute(const gm_contract_plan *plan, const gm_contract_scale *scale,
                              const gm_tensor *inputs, const gm_tensor *addend,
                              const gm_tensor *output, void *workspace, size_t workspace_bytes) {
    return gm_contract_execute_as(plan, NULL, scale, inputs, addend, output, workspace,
                                  workspace_bytes);
}

gm_status gm_contract_execute_as(const gm_contract_plan *plan, const gm_contract_draw *draw,
                                 const gm_contract_scale *scale, const gm_tensor *inputs,
                                 const gm_tensor *addend, const gm_tensor *output, void *workspace,
                                 size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    execution x = {.plan = plan,
                   .inputs = inputs,
                   .workspace = workspace,
                   .draw = draw,
                   .scale = scale != NULL ? *scale : (gm_contract_scale){.alpha = 1}};
    const bool adds = gm_contract_adds(&x.scale, plan->output.dtype);
    x.addend = adds ? addend : NULL;
    GM_CHECK(plan->context, !adds || addend != NULL, GM_STATUS_INVALID_ARGUMENT,
             "addend is NULL, and scale.beta is not 0");
    GM_TRY(check_arguments(plan, &x.scale, inputs, x.addend, output, workspace, workspace_bytes));
    x.output = output->data;
    return plan->expression.empty_output ? GM_STATUS_OK
           : plan->direct != NULL        ? run_direct(&x)
                                         : run_steps(&x);
}

gm_status gm_contract(gm_context *context, const char *expression, int32_t count,
                      const gm_tensor *inputs, const gm_tensor *output) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    const gm_contract_plan *plan;
    void *workspace;
    size_t bytes;
    GM_TRY(gm_contract_cache_find(context, expression, count, inputs, output, &plan, &workspace,
                                  &bytes));
    return gm_contract_execute(plan, NULL, inputs, NULL, output, workspace, bytes);
}
