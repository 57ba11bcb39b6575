/* gm_rbm_train: a step of contrastive divergence; schedules. */
#include <genmath/rbm.h>

#include <math.h>

#include <genmath/philox.h>

#include "host/rbm_plan.h"

static gm_status check_step(const gm_rbm_plan *plan, const gm_rbm_step *s) {
    gm_context *context = plan->context;
    GM_CHECK(context, s != NULL, GM_STATUS_INVALID_ARGUMENT, "step is NULL");
    GM_CHECK(context, plan->options.dtype != GM_BF16, GM_STATUS_UNSUPPORTED,
             "gm_rbm_train: not of bf16");
    GM_CHECK(context, plan->options.rows >= 1, GM_STATUS_INVALID_ARGUMENT,
             "plan: a step needs at least 1 row");
    GM_CHECK(context, s->k >= 1, GM_STATUS_INVALID_ARGUMENT, "step.k = %lld: must be at least 1",
             (long long)s->k);
    GM_CHECK(context, isfinite(s->rate) && s->rate >= 0, GM_STATUS_INVALID_ARGUMENT,
             "step.rate = %g: must be finite and at least 0", s->rate);
    GM_CHECK(context, s->momentum >= 0 && s->momentum < 1, GM_STATUS_INVALID_ARGUMENT,
             "step.momentum = %g is not in [0, 1)", s->momentum);
    GM_CHECK(context, isfinite(s->decay) && s->decay >= 0, GM_STATUS_INVALID_ARGUMENT,
             "step.decay = %g: must be finite and at least 0", s->decay);
    GM_CHECK(context, (s->persistent | s->sampled | 1) == 1, GM_STATUS_INVALID_ARGUMENT,
             "step.persistent = %d, step.sampled = %d: must be 0 or 1", (int)s->persistent,
             (int)s->sampled);
    return GM_STATUS_OK;
}

static gm_status check_training(const gm_rbm_run *run, const gm_rbm_model *model,
                                const gm_rbm_velocity *velocity, const gm_tensor *data,
                                const gm_tensor *chains) {
    const gm_rbm_options *o = &run->plan->options;
    GM_CHECK(run->plan->context, velocity != NULL, GM_STATUS_INVALID_ARGUMENT, "velocity is NULL");
    GM_TRY(gm_rbm_check_matrix(run, "velocity.w", velocity->w, o->visible, o->hidden));
    GM_TRY(gm_rbm_check_matrix(run, "velocity.b", velocity->b, o->visible, 0));
    GM_TRY(gm_rbm_check_matrix(run, "velocity.c", velocity->c, o->hidden, 0));
    GM_TRY(gm_rbm_check_matrix(run, "data", data, o->rows, o->visible));
    GM_TRY(gm_rbm_check_matrix(run, "chains", chains, o->rows, o->visible));
    const char *const names[] = {"model.w",    "model.b", "model.c", "velocity.w", "velocity.b",
                                 "velocity.c", "chains",  "data",    "model.sigma"};
    const gm_tensor *const tensors[] = {model->w,    model->b, model->c, velocity->w, velocity->b,
                                        velocity->c, chains,   data,     model->sigma};
    return gm_rbm_check_apart(run->plan, 7, 9, names, tensors);
}

/* h becomes the hidden units of v, and velocities += gain <u h>, <v>, <h>, after being multiplied
 * by keep. */
static gm_status add_phase(const gm_rbm_run *run, const gm_rbm_velocity *velocity, const void *v,
                           gm_rbm_product hidden, uint64_t key, double gain, double keep, void *h) {
    const void *seen;
    GM_TRY(gm_rbm_seen(run, v, &seen));
    GM_TRY(gm_rbm_multiply(run, hidden, seen, run->w, 1, 0, run->c, key, h));
    GM_TRY(gm_rbm_multiply(run, GM_RBM_GRADIENT, seen, h, gain, keep, NULL, 0, velocity->w->data));
    GM_TRY(gm_rbm_multiply(run, GM_RBM_SUM_V, v, NULL, gain, keep, NULL, 0, velocity->b->data));
    return gm_rbm_multiply(run, GM_RBM_SUM_H, h, NULL, gain, keep, NULL, 0, velocity->c->data);
}

static gm_status train(const gm_rbm_run *run, const gm_rbm_step *step,
                       const gm_rbm_velocity *velocity, const void *data, void *chains) {
    const gm_rbm_product hidden = step->sampled != 0 ? GM_RBM_HIDDEN_DRAW : GM_RBM_HIDDEN_MEAN;
    const double gain = step->rate / (double)run->plan->options.rows;
    const uint64_t last = step->first_sweep + (uint64_t)step->k - 1;
    void *h = gm_rbm_at(run, GM_RBM_AT_H), *data_h = gm_rbm_at(run, GM_RBM_AT_DATA_H);
    GM_TRY(add_phase(run, velocity, data, hidden, gm_rbm_key(run->seed, step->first_sweep, 2), gain,
                     step->momentum, data_h));
    int64_t done = 0;
    if (step->persistent == 0) { /* the first half sweep of CD starts at the data */
        if (step->sampled == 0) {
            GM_TRY(gm_rbm_draw_hidden(run, data, gm_rbm_key(run->seed, step->first_sweep, 0), h));
        }
        GM_TRY(gm_rbm_draw_visible(run, step->sampled != 0 ? data_h : h, 1,
                                   gm_rbm_key(run->seed, step->first_sweep, 1), chains));
        done = 1;
    }
    GM_TRY(gm_rbm_sweep(run, step->first_sweep + (uint64_t)done, step->k - done, chains, h));
    return add_phase(run, velocity, chains, hidden, gm_rbm_key(run->seed, last, 3), -gain, 1, h);
}

gm_status gm_rbm_train(const gm_rbm_plan *plan, const gm_rbm_step *step, const gm_rbm_model *model,
                       const gm_rbm_velocity *velocity, const gm_tensor *data,
                       const gm_tensor *chains, void *workspace, size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_TRY(check_step(plan, step));
    gm_rbm_run run;
    GM_TRY(gm_rbm_check(plan, model, 1, workspace, workspace_bytes, &run));
    GM_TRY(check_training(&run, model, velocity, data, chains));
    run.seed = step->seed;
    run.first_chain = step->first_chain;
    GM_TRY(train(&run, step, velocity, data->data, chains->data));
    GM_TRY(gm_rbm_multiply(&run, GM_RBM_COPY_W, velocity->w->data, NULL, 1,
                           1 - step->rate * step->decay, NULL, 0, run.w));
    GM_TRY(gm_rbm_multiply(&run, GM_RBM_COPY_B, velocity->b->data, NULL, 1, 1, NULL, 0, run.b));
    return gm_rbm_multiply(&run, GM_RBM_COPY_C, velocity->c->data, NULL, 1, 1, NULL, 0, run.c);
}

double gm_rbm_rate(double rate, double half_life, int64_t step) {
    return half_life > 0 ? rate / (1 + (double)step / half_life) : rate;
}

gm_status gm_rbm_shuffle(uint64_t seed, uint64_t epoch, int64_t n, int64_t *order) {
    GM_CHECK(NULL, n >= 0 && n <= INT64_C(1) << 32, GM_STATUS_INVALID_ARGUMENT,
             "n = %lld is not in 0 .. 2^32", (long long)n);
    GM_CHECK(NULL, order != NULL || n == 0, GM_STATUS_INVALID_ARGUMENT, "order is NULL");
    for (int64_t i = 0; i < n; ++i) { /* Fisher and Yates, from the inside out (Durstenfeld) */
        const int64_t j = (int64_t)gm_bounded_u32(seed, epoch, GM_STREAM_CHAIN_START, (uint64_t)i,
                                                  (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    return GM_STATUS_OK;
}
