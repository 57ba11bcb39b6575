/* log Z of a Boltzmann machine: all states of a layer, and annealed importance sampling. */
#include <genmath/rbm.h>

#include <math.h>

#include "host/rbm_plan.h"

/* ---- all states ------------------------------------------------------------------------------ */

gm_status gm_rbm_log_partition(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                               const gm_tensor *log_z, void *workspace, size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, plan->options.partition != 0, GM_STATUS_INVALID_ARGUMENT,
             "plan: made without options.partition");
    gm_rbm_run run;
    GM_TRY(gm_rbm_check(plan, model, beta, workspace, workspace_bytes, &run));
    GM_TRY(gm_rbm_check_matrix(&run, "log_z", log_z, 1, 0));
    const char *const names[] = {"log_z", "model.w", "model.b", "model.c", "model.sigma"};
    const gm_tensor *const tensors[] = {log_z, model->w, model->b, model->c, model->sigma};
    GM_TRY(gm_rbm_check_apart(plan, 1, 5, names, tensors));

    gm_rbm_args states = {.work = GM_RBM_STATES,
                          .dtype = plan->options.dtype,
                          .rows = plan->block,
                          .units = plan->bits,
                          .out = gm_rbm_at(&run, GM_RBM_AT_STATES)};
    gm_rbm_args terms = gm_rbm_args_of(&run, GM_RBM_TERMS, !plan->of_visible);
    terms.rows = plan->block;
    terms.gain = terms.kind == GM_RBM_GAUSSIAN ? 1 : run.beta;
    terms.others = plan->bits;
    terms.state_kind = GM_RBM_BINARY;
    terms.state = states.out;
    terms.state_bias = plan->of_visible ? run.b : run.c;
    terms.field = gm_rbm_at(&run, GM_RBM_AT_STATES_X);
    terms.out = gm_rbm_at(&run, GM_RBM_AT_TERMS);
    gm_rbm_args fold = {.work = GM_RBM_FOLD,
                        .dtype = plan->options.dtype,
                        .rows = plan->block,
                        .field = terms.out,
                        .out = gm_rbm_at(&run, GM_RBM_AT_SUM),
                        .result = log_z->data};
    for (int64_t first = 0; first < INT64_C(1) << plan->bits; first += plan->block) {
        states.first = (uint64_t)first;
        fold.restart = first == 0;
        GM_TRY(gm_rbm_work_on(&run, &states));
        GM_TRY(gm_rbm_multiply(&run, GM_RBM_STATES_FIELD, states.out, run.w, 1, 0, NULL, 0,
                               gm_rbm_at(&run, GM_RBM_AT_STATES_X)));
        GM_TRY(gm_rbm_work_on(&run, &terms));
        GM_TRY(gm_rbm_work_on(&run, &fold));
    }
    return GM_STATUS_OK;
}

/* ---- annealed importance sampling ------------------------------------------------------------ */

static gm_status check_anneal(const gm_rbm_plan *plan, const gm_rbm_anneal *run) {
    gm_context *context = plan->context;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, plan->options.dtype != GM_BF16, GM_STATUS_UNSUPPORTED,
             "gm_rbm_ais: not of bf16");
    GM_CHECK(context, run->steps >= 1 && run->steps <= INT32_MAX, GM_STATUS_INVALID_ARGUMENT,
             "run.steps = %lld is not in 1 .. 2^31 - 1", (long long)run->steps);
    GM_CHECK(context, run->reverse == 0 || run->reverse == 1, GM_STATUS_INVALID_ARGUMENT,
             "run.reverse = %d is neither 0 nor 1", (int)run->reverse);
    for (int64_t k = 0; run->t != NULL && k <= run->steps; ++k) {
        GM_CHECK(context,
                 k == 0            ? run->t[k] == 0
                 : k == run->steps ? run->t[k] == 1 && run->t[k - 1] <= 1
                                   : run->t[k] >= run->t[k - 1],
                 GM_STATUS_INVALID_ARGUMENT, "run.t[%lld] = %g: must rise from 0 to 1",
                 (long long)k, run->t[k]);
    }
    return GM_STATUS_OK;
}

static double time_of(const gm_rbm_anneal *run, int64_t k) {
    return run->t != NULL ? run->t[k] : (double)k / (double)run->steps;
}

/* out = log Z_0: the layers without a field. */
static gm_status start_weights(const gm_rbm_run *run, void *out) {
    gm_rbm_args visible = gm_rbm_args_of(run, GM_RBM_TERMS, true);
    visible.out = out;
    GM_TRY(gm_rbm_work_on(run, &visible));
    gm_rbm_args hidden = gm_rbm_args_of(run, GM_RBM_TERMS, false);
    hidden.keep = 1;
    hidden.out = out;
    return gm_rbm_work_on(run, &hidden);
}

/* Adds log f_t / f_before of v to out; leaves the field of v. */
static gm_status add_weights(const gm_rbm_run *run, const void *v, double t, double before,
                             void *out) {
    const void *seen;
    GM_TRY(gm_rbm_seen(run, v, &seen));
    void *field = gm_rbm_at(run, GM_RBM_AT_FIELD);
    GM_TRY(gm_rbm_multiply(run, GM_RBM_HIDDEN_FIELD, seen, run->w, 1, 0, NULL, 0, field));
    gm_rbm_args args = gm_rbm_args_of(run, GM_RBM_TERMS, false);
    args.field = field;
    args.gain = t;
    args.from = before;
    args.difference = 1;
    args.keep = 1;
    args.out = out;
    return gm_rbm_work_on(run, &args);
}

static gm_status anneal(const gm_rbm_run *run, const gm_rbm_anneal *schedule, void *v, void *out) {
    const gm_rbm_options *o = &run->plan->options;
    void *h = gm_rbm_at(run, GM_RBM_AT_H), *field = gm_rbm_at(run, GM_RBM_AT_FIELD);
    GM_TRY(start_weights(run, out));
    if (schedule->reverse == 0) { /* t = 0 with any hidden layer: that of zeros */
        gm_rbm_args none = {.work = GM_RBM_STATES,
                            .dtype = o->dtype,
                            .rows = 1,
                            .units = o->rows * o->hidden,
                            .out = h};
        GM_TRY(gm_rbm_work_on(run, &none));
        GM_TRY(gm_rbm_draw_visible(run, h, 0, gm_rbm_key(run->seed, 0, 1), v));
    }
    for (int64_t s = 1; s <= schedule->steps; ++s) {
        const int64_t k = schedule->reverse != 0 ? schedule->steps + 1 - s : s;
        const double t = time_of(schedule, k), before = time_of(schedule, k - 1);
        GM_TRY(add_weights(run, v, t, before, out));
        if (s == schedule->steps) {
            break;
        }
        const double own = schedule->reverse != 0 ? before : t;
        const uint64_t sweep = (uint64_t)s;
        GM_TRY(gm_rbm_multiply(run, GM_RBM_FIELD_DRAW, field, NULL, own, 0, run->c,
                               gm_rbm_key(run->seed, sweep, 0), h));
        GM_TRY(gm_rbm_draw_visible(run, h, own, gm_rbm_key(run->seed, sweep, 1), v));
    }
    return GM_STATUS_OK;
}

gm_status gm_rbm_ais(const gm_rbm_plan *plan, const gm_rbm_anneal *run, const gm_rbm_model *model,
                     const gm_tensor *v, const gm_tensor *log_weights, void *workspace,
                     size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_TRY(check_anneal(plan, run));
    gm_rbm_run own;
    GM_TRY(gm_rbm_check(plan, model, 1, workspace, workspace_bytes, &own));
    GM_TRY(gm_rbm_check_matrix(&own, "v", v, plan->options.rows, plan->options.visible));
    GM_TRY(gm_rbm_check_matrix(&own, "log_weights", log_weights, plan->options.rows, 0));
    const char *const names[] = {"v",       "log_weights", "model.w",
                                 "model.b", "model.c",     "model.sigma"};
    const gm_tensor *const tensors[] = {v, log_weights, model->w, model->b, model->c, model->sigma};
    GM_TRY(gm_rbm_check_apart(plan, 2, 6, names, tensors));
    own.seed = run->seed;
    own.first_chain = run->first_chain;
    return plan->options.rows == 0 ? GM_STATUS_OK : anneal(&own, run, v->data, log_weights->data);
}

gm_status gm_rbm_ais_estimate(const double *log_weights, int64_t n, int32_t reverse,
                              gm_rbm_estimate *estimate) {
    GM_CHECK(NULL, log_weights != NULL, GM_STATUS_INVALID_ARGUMENT, "log_weights is NULL");
    GM_CHECK(NULL, estimate != NULL, GM_STATUS_INVALID_ARGUMENT, "estimate is NULL");
    GM_CHECK(NULL, n >= 1, GM_STATUS_INVALID_ARGUMENT, "n = %lld: must be at least 1",
             (long long)n);
    const double sign = reverse != 0 ? -1 : 1;
    double most = -INFINITY, mean = 0;
    for (int64_t i = 0; i < n; ++i) {
        GM_CHECK(NULL, isfinite(log_weights[i]), GM_STATUS_NON_FINITE, "log_weights[%lld] = %g",
                 (long long)i, log_weights[i]);
        most = fmax(most, sign * log_weights[i]);
        mean += (log_weights[i] - mean) / (double)(i + 1);
    }
    double sum = 0, squares = 0, spread = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double x = exp(sign * log_weights[i] - most);
        sum += x;
        squares += x * x;
    }
    const double average = sum / (double)n;
    for (int64_t i = 0; i < n; ++i) {
        const double x = exp(sign * log_weights[i] - most) - average;
        spread += x * x;
    }
    *estimate =
        (gm_rbm_estimate){.log_z = sign * (most + log(average)),
                          .error = n > 1 ? sqrt(spread / (double)(n - 1) / (double)n) / average : 0,
                          .mean = mean,
                          .ess = sum * sum / squares};
    return GM_STATUS_OK;
}
