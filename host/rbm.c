/* gm_rbm_gibbs, means, energies: checks, and what all calls are made of. */
#include <genmath/rbm.h>

#include <math.h>

#include <genmath/philox.h>

#include "host/contract/plan.h"
#include "host/rbm_plan.h"

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_shape(const gm_rbm_plan *plan, const char *name, const gm_tensor *tensor,
                             gm_dtype dtype, int64_t rows, int64_t columns) {
    gm_context *context = plan->context;
    GM_TRY(gm_check_tensor(context, name, tensor, columns > 0 ? 2 : 1, GM_DTYPE_BIT(dtype)));
    GM_TRY(gm_check_size(context, name, tensor, 0, rows, "as the plan has it"));
    if (columns > 0) {
        GM_TRY(gm_check_size(context, name, tensor, 1, columns, "as the plan has it"));
    }
    GM_CHECK(context, gm_tensor_is_contiguous(tensor) != 0, GM_STATUS_INVALID_ARGUMENT,
             "%s: its elements must lie row by row, without gaps", name);
    return GM_STATUS_OK;
}

static gm_tensor scratch_of(const gm_rbm_run *run) {
    return gm_tensor_1d(run->workspace, GM_U8, (int64_t)run->plan->bytes);
}

gm_status gm_rbm_check_matrix(const gm_rbm_run *run, const char *name, const gm_tensor *tensor,
                              int64_t rows, int64_t columns) {
    const gm_rbm_plan *plan = run->plan;
    GM_TRY(check_shape(plan, name, tensor, plan->options.dtype, rows, columns));
    const gm_tensor scratch = scratch_of(run);
    return gm_check_disjoint(plan->context, "workspace", &scratch, name, tensor, false);
}

gm_status gm_rbm_check_apart(const gm_rbm_plan *plan, int32_t outputs, int32_t count,
                             const char *const *names, const gm_tensor *const *tensors) {
    for (int32_t i = 0; i < outputs; ++i) {
        for (int32_t j = i + 1; j < count; ++j) {
            GM_TRY(gm_check_disjoint(plan->context, names[i], tensors[i], names[j], tensors[j],
                                     false));
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_rbm_check(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                       void *workspace, size_t workspace_bytes, gm_rbm_run *run) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_rbm_options *o = &plan->options;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    GM_CHECK(context, beta >= 0 && isfinite(beta), GM_STATUS_INVALID_ARGUMENT,
             "beta = %g: must be above 0, or 0 for 1", beta);
    gm_tensor scratch;
    GM_TRY(
        gm_check_workspace(context, "the plan", plan->bytes, workspace, workspace_bytes, &scratch));
    *run = (gm_rbm_run){.plan = plan, .workspace = workspace, .beta = beta > 0 ? beta : 1};
    GM_TRY(gm_rbm_check_matrix(run, "model.w", model->w, o->visible, o->hidden));
    GM_TRY(gm_rbm_check_matrix(run, "model.b", model->b, o->visible, 0));
    GM_TRY(gm_rbm_check_matrix(run, "model.c", model->c, o->hidden, 0));
    if (o->kind == GM_RBM_GAUSSIAN) {
        GM_TRY(gm_rbm_check_matrix(run, "model.sigma", model->sigma, o->visible, 0));
        run->sigma = model->sigma->data;
    } else {
        GM_CHECK(context, model->sigma == NULL, GM_STATUS_INVALID_ARGUMENT,
                 "model.sigma must be NULL: only gaussian units have one");
    }
    run->w = model->w->data;
    run->b = model->b->data;
    run->c = model->c->data;
    run->beta_b = run->b;
    run->beta_c = run->c;
    return GM_STATUS_OK;
}

/* What BF16 plans lack. */
static gm_status check_numbers(const gm_rbm_plan *plan, const char *what) {
    GM_CHECK(plan->context, plan->options.dtype != GM_BF16, GM_STATUS_UNSUPPORTED,
             "%s: not of bf16", what);
    return GM_STATUS_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

gm_status gm_rbm_multiply(const gm_rbm_run *run, gm_rbm_product which, const void *a, const void *b,
                          double alpha, double beta, const void *bias, uint64_t key, void *out) {
    const gm_rbm_plan *plan = run->plan;
    const gm_rbm_contraction *p = &plan->product[which];
    gm_tensor inputs[2] = {p->inputs[0], p->inputs[1]}, output = p->output;
    inputs[0].data = (void *)(uintptr_t)a;
    inputs[1].data = (void *)(uintptr_t)b;
    output.data = out;
    const gm_contract_draw draw = {
        .bias = bias, .seed = key, .first = run->first_chain * (uint64_t)output.shape[1]};
    const gm_contract_scale scale = {.alpha = alpha, .beta = beta};
    return gm_contract_execute_as(p->plan, &draw, &scale, inputs, beta != 0 ? &output : NULL,
                                  &output, gm_rbm_at(run, GM_RBM_AT_CONTRACT),
                                  gm_contract_workspace(p->plan));
}

gm_rbm_args gm_rbm_args_of(const gm_rbm_run *run, gm_rbm_work work, bool of_visible) {
    const gm_rbm_options *o = &run->plan->options;
    return (gm_rbm_args){.work = work,
                         .dtype = o->dtype,
                         .kind = of_visible ? o->kind : GM_RBM_BINARY,
                         .state_kind = of_visible ? GM_RBM_BINARY : o->kind,
                         .rows = o->rows,
                         .units = of_visible ? o->visible : o->hidden,
                         .colours = of_visible && o->kind == GM_RBM_POTTS ? o->colours : 1,
                         .gain = 1,
                         .beta = run->beta,
                         .sign = 1,
                         .bias = of_visible ? run->b : run->c,
                         .sigma = run->sigma};
}

gm_status gm_rbm_work_on(const gm_rbm_run *run, const gm_rbm_args *args) {
    return args->rows == 0 ? GM_STATUS_OK
                           : run->plan->backend->rbm_run(&run->plan->context->call, args);
}

gm_status gm_rbm_scale_biases(gm_rbm_run *run) {
    if (run->beta == 1) {
        return GM_STATUS_OK;
    }
    void *b = gm_rbm_at(run, GM_RBM_AT_B), *c = gm_rbm_at(run, GM_RBM_AT_C);
    GM_TRY(gm_rbm_multiply(run, GM_RBM_COPY_B, run->b, NULL, run->beta, 0, NULL, 0, b));
    GM_TRY(gm_rbm_multiply(run, GM_RBM_COPY_C, run->c, NULL, run->beta, 0, NULL, 0, c));
    run->beta_b = b;
    run->beta_c = c;
    return GM_STATUS_OK;
}

uint64_t gm_rbm_key(uint64_t seed, uint64_t sweep, uint32_t layer) {
    const gm_words words = gm_philox_block(seed, sweep, GM_STREAM_CHAIN, layer);
    return gm_join(words.w1, words.w0);
}

gm_status gm_rbm_seen(const gm_rbm_run *run, const void *v, const void **seen) {
    *seen = v;
    if (run->plan->options.kind != GM_RBM_GAUSSIAN) {
        return GM_STATUS_OK;
    }
    gm_rbm_args args = gm_rbm_args_of(run, GM_RBM_DIVIDE, true);
    args.field = v;
    args.out = gm_rbm_at(run, GM_RBM_AT_V);
    *seen = args.out;
    return gm_rbm_work_on(run, &args);
}

gm_status gm_rbm_draw_hidden(const gm_rbm_run *run, const void *v, uint64_t key, void *h) {
    const void *seen;
    GM_TRY(gm_rbm_seen(run, v, &seen));
    return gm_rbm_multiply(run, GM_RBM_HIDDEN_DRAW, seen, run->w, run->beta, 0, run->beta_c, key,
                           h);
}

gm_status gm_rbm_draw_visible(const gm_rbm_run *run, const void *h, double gain, uint64_t key,
                              void *v) {
    const gm_rbm_options *o = &run->plan->options;
    const bool binary = o->kind == GM_RBM_BINARY;
    void *drawn = !binary              ? gm_rbm_at(run, GM_RBM_AT_FIELD)
                  : run->clamp != NULL ? gm_rbm_at(run, GM_RBM_AT_V)
                                       : v;
    GM_TRY(gm_rbm_multiply(run, binary ? GM_RBM_VISIBLE_DRAW : GM_RBM_VISIBLE_FIELD, h, run->w,
                           binary ? gain : 1, 0, run->beta_b, key, drawn));
    if (drawn == v) {
        return GM_STATUS_OK;
    }
    gm_rbm_args args = gm_rbm_args_of(run, GM_RBM_VISIBLE, true);
    args.field = drawn;
    args.gain = binary ? 1 : gain;
    args.clamp = run->clamp;
    args.seed = key;
    args.first = run->first_chain * (uint64_t)(o->visible / args.colours);
    args.out = v;
    return gm_rbm_work_on(run, &args);
}

/* Of a gaussian the field is a shift of the mean in units of sigma, at any temperature. */
static double visible_gain(const gm_rbm_run *run) {
    return run->plan->options.kind == GM_RBM_GAUSSIAN ? 1 : run->beta;
}

gm_status gm_rbm_sweep(const gm_rbm_run *run, uint64_t first, int64_t count, void *v, void *h) {
    for (int64_t s = 0; s < count; ++s) {
        const uint64_t sweep = first + (uint64_t)s;
        GM_TRY(gm_rbm_draw_hidden(run, v, gm_rbm_key(run->seed, sweep, 0), h));
        GM_TRY(gm_rbm_draw_visible(run, h, visible_gain(run), gm_rbm_key(run->seed, sweep, 1), v));
    }
    return GM_STATUS_OK;
}

/* ---- calls ----------------------------------------------------------------------------------- */

gm_status gm_rbm_gibbs(const gm_rbm_plan *plan, const gm_rbm_sweeps *run, const gm_rbm_model *model,
                       const gm_tensor *v, const gm_tensor *h, void *workspace,
                       size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_rbm_options *o = &plan->options;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, run->sweeps >= 0, GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld is negative",
             (long long)run->sweeps);
    gm_rbm_run own;
    GM_TRY(gm_rbm_check(plan, model, run->beta, workspace, workspace_bytes, &own));
    GM_TRY(gm_rbm_check_matrix(&own, "v", v, o->rows, o->visible));
    if (h != NULL) {
        GM_TRY(gm_rbm_check_matrix(&own, "h", h, o->rows, o->hidden));
    }
    if (run->clamp != NULL) {
        GM_TRY(check_numbers(plan, "run.clamp"));
        GM_TRY(check_shape(plan, "run.clamp", run->clamp, GM_U8, o->visible, 0));
        const gm_tensor scratch = scratch_of(&own);
        GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "run.clamp", run->clamp, false));
        own.clamp = run->clamp->data;
    }
    const char *const names[] = {"v",       "h",           "model.w",  "model.b",
                                 "model.c", "model.sigma", "run.clamp"};
    const gm_tensor *const tensors[] = {v,         h, model->w, model->b, model->c, model->sigma,
                                        run->clamp};
    GM_TRY(gm_rbm_check_apart(plan, 2, 7, names, tensors));
    if (o->rows == 0 || run->sweeps == 0) {
        return GM_STATUS_OK;
    }
    own.seed = run->seed;
    own.first_chain = run->first_chain;
    GM_TRY(gm_rbm_scale_biases(&own));
    return gm_rbm_sweep(&own, run->first_sweep, run->sweeps, v->data,
                        h != NULL ? h->data : gm_rbm_at(&own, GM_RBM_AT_H));
}

/* The checks of a call with one input and one output. */
static gm_status check_map(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                           const char *in_name, const gm_tensor *in, int64_t in_columns,
                           const char *out_name, const gm_tensor *out, int64_t out_columns,
                           void *workspace, size_t bytes, gm_rbm_run *run) {
    GM_TRY(gm_rbm_check(plan, model, beta, workspace, bytes, run));
    GM_TRY(gm_rbm_check_matrix(run, in_name, in, plan->options.rows, in_columns));
    GM_TRY(gm_rbm_check_matrix(run, out_name, out, plan->options.rows, out_columns));
    const char *const names[] = {out_name, in_name, "model.w", "model.b", "model.c", "model.sigma"};
    const gm_tensor *const tensors[] = {out, in, model->w, model->b, model->c, model->sigma};
    return gm_rbm_check_apart(plan, 1, 6, names, tensors);
}

gm_status gm_rbm_hidden_mean(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                             const gm_tensor *v, const gm_tensor *mean, void *workspace,
                             size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_rbm_run run;
    GM_TRY(check_map(plan, model, beta, "v", v, plan->options.visible, "mean", mean,
                     plan->options.hidden, workspace, workspace_bytes, &run));
    const void *seen;
    GM_TRY(gm_rbm_scale_biases(&run));
    GM_TRY(gm_rbm_seen(&run, v->data, &seen));
    return gm_rbm_multiply(&run, GM_RBM_HIDDEN_MEAN, seen, run.w, run.beta, 0, run.beta_c, 0,
                           mean->data);
}

gm_status gm_rbm_visible_mean(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                              const gm_tensor *h, const gm_tensor *mean, void *workspace,
                              size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_rbm_run run;
    GM_TRY(check_map(plan, model, beta, "h", h, plan->options.hidden, "mean", mean,
                     plan->options.visible, workspace, workspace_bytes, &run));
    GM_TRY(gm_rbm_scale_biases(&run));
    if (plan->options.kind == GM_RBM_BINARY) {
        return gm_rbm_multiply(&run, GM_RBM_VISIBLE_MEAN, h->data, run.w, run.beta, 0, run.beta_b,
                               0, mean->data);
    }
    gm_rbm_args args = gm_rbm_args_of(&run, GM_RBM_VISIBLE, true);
    args.gain = visible_gain(&run);
    args.mean = 1;
    args.out = mean->data;
    args.field = gm_rbm_at(&run, GM_RBM_AT_FIELD);
    GM_TRY(gm_rbm_multiply(&run, GM_RBM_VISIBLE_FIELD, h->data, run.w, 1, 0, NULL, 0,
                           gm_rbm_at(&run, GM_RBM_AT_FIELD)));
    return gm_rbm_work_on(&run, &args);
}

gm_status gm_rbm_free_energy(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                             const gm_tensor *v, const gm_tensor *energy, void *workspace,
                             size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_TRY(check_numbers(plan, "gm_rbm_free_energy"));
    gm_rbm_run run;
    GM_TRY(check_map(plan, model, beta, "v", v, plan->options.visible, "energy", energy, 0,
                     workspace, workspace_bytes, &run));
    const void *seen;
    GM_TRY(gm_rbm_seen(&run, v->data, &seen));
    void *field = gm_rbm_at(&run, GM_RBM_AT_FIELD);
    GM_TRY(gm_rbm_multiply(&run, GM_RBM_HIDDEN_FIELD, seen, run.w, run.beta, 0, NULL, 0, field));
    gm_rbm_args args = gm_rbm_args_of(&run, GM_RBM_TERMS, false);
    args.field = field;
    args.state = v->data;
    args.state_bias = run.b;
    args.others = plan->options.visible;
    args.sign = -1;
    args.out = energy->data;
    return gm_rbm_work_on(&run, &args);
}

gm_status gm_rbm_pseudo_likelihood(const gm_rbm_plan *plan, const gm_rbm_model *model,
                                   const gm_tensor *v, const gm_tensor *out, void *workspace,
                                   size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, plan->options.kind == GM_RBM_BINARY && plan->options.dtype != GM_BF16,
             GM_STATUS_UNSUPPORTED, "gm_rbm_pseudo_likelihood: of binary units in f64 or f32");
    gm_rbm_run run;
    GM_TRY(check_map(plan, model, 1, "v", v, plan->options.visible, "out", out, 0, workspace,
                     workspace_bytes, &run));
    void *field = gm_rbm_at(&run, GM_RBM_AT_FIELD);
    GM_TRY(gm_rbm_multiply(&run, GM_RBM_HIDDEN_FIELD, v->data, run.w, 1, 0, NULL, 0, field));
    gm_rbm_args args = gm_rbm_args_of(&run, GM_RBM_FLIPS, false);
    args.field = field;
    args.state = v->data;
    args.state_bias = run.b;
    args.others = plan->options.visible;
    args.w = run.w;
    args.out = out->data;
    return gm_rbm_work_on(&run, &args);
}
