/* gm_annealing_*: checks, the plan, the run, and what log weights say. */
#include <genmath/annealing.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/annealing_args.h"
#include "host/chain_model.h"
#include "host/internal.h"

enum { MOST_STEPS = 1 << 24 };

struct gm_annealing_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_chain_model model;
    int64_t steps;
    double *beta;   /* (steps) on the host */
    void *schedule; /* the same in the backend's memory */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_annealing(gm_context *context, const gm_annealing *a,
                                 gm_chain_model *model) {
    GM_CHECK(context, a != NULL, GM_STATUS_INVALID_ARGUMENT, "annealing is NULL");
    GM_TRY(gm_choose_chain_model(context, "annealing", a->ising, a->potts, model));
    GM_CHECK(context, a->steps >= 1 && a->steps <= MOST_STEPS, GM_STATUS_INVALID_ARGUMENT,
             "annealing.steps = %lld: must be in 1 .. 2^24", (long long)a->steps);
    GM_CHECK(context, a->beta != NULL, GM_STATUS_INVALID_ARGUMENT, "annealing.beta is NULL");
    for (int64_t t = 0; t < a->steps; ++t) {
        GM_CHECK(context, isfinite(a->beta[t]), GM_STATUS_INVALID_ARGUMENT,
                 "annealing.beta[%lld] = %g: must be finite", (long long)t, a->beta[t]);
        GM_CHECK(context, t == 0 || isfinite(a->beta[t] - a->beta[t - 1]),
                 GM_STATUS_INVALID_ARGUMENT, "annealing.beta[%lld] = %g: the step overflows",
                 (long long)t, a->beta[t]);
    }
    return GM_STATUS_OK;
}

static gm_status fill_plan(gm_context *context, const gm_annealing *annealing,
                           gm_annealing_plan *made) {
    const size_t bytes = (size_t)annealing->steps * sizeof(double);
    made->beta = malloc(bytes);
    GM_CHECK(context, made->beta != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the schedule");
    memcpy(made->beta, annealing->beta, bytes);
    GM_TRY(gm_memory_alloc(context, bytes, &made->schedule));
    return gm_memory_upload(context, made->schedule, made->beta, bytes);
}

gm_status gm_annealing_plan_create(gm_context *context, const gm_annealing *annealing,
                                   gm_annealing_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    gm_chain_model model;
    GM_TRY(check_annealing(context, annealing, &model));
    const gm_backend *backend = GM_BACKEND_WITH(context, annealing_step);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_annealing_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    *made = (gm_annealing_plan){
        .context = context, .backend = backend, .model = model, .steps = annealing->steps};
    const gm_status status = fill_plan(context, annealing, made);
    if (status != GM_STATUS_OK) {
        gm_annealing_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_annealing_plan_destroy(gm_annealing_plan *plan) {
    if (plan == NULL) {
        return;
    }
    (void)gm_memory_free(plan->context, plan->schedule);
    free(plan->beta);
    free(plan);
}

/* ---- checks of a run ------------------------------------------------------------------------- */

static gm_status check_steps(const gm_annealing_plan *plan, const gm_annealing_steps *run) {
    gm_context *context = plan->context;
    GM_CHECK(context, run->first_step >= 0 && run->first_step <= plan->steps,
             GM_STATUS_INVALID_ARGUMENT, "run.first_step = %lld: the schedule has %lld steps",
             (long long)run->first_step, (long long)plan->steps);
    GM_CHECK(context, run->steps >= 0 && run->steps <= plan->steps - run->first_step,
             GM_STATUS_INVALID_ARGUMENT, "run.steps = %lld: the schedule has %lld left",
             (long long)run->steps, (long long)(plan->steps - run->first_step));
    GM_CHECK(context, run->sweeps >= 1, GM_STATUS_INVALID_ARGUMENT,
             "run.sweeps = %lld: must be >= 1", (long long)run->sweeps);
    int64_t first;
    gm_chain_sweeps all = {.seed = run->seed};
    GM_CHECK(context,
             gm_multiply_sizes(run->first_step, run->sweeps, &first) &&
                 gm_multiply_sizes(run->steps, run->sweeps, &all.sweeps),
             GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld: more than 2^63 sweeps",
             (long long)run->sweeps);
    all.first_sweep = (uint64_t)first;
    return plan->model.check(plan->model.plan, &all, false);
}

static gm_status check_arrays(const gm_annealing_plan *plan, const gm_tensor *spins,
                              const gm_annealing_result *result, gm_annealing_args *a,
                              gm_array_list *list) {
    gm_context *c = plan->context;
    GM_TRY(gm_check_layout(c, "spins", spins, 2, GM_DTYPE_BIT(plan->model.dtype)));
    a->chains = spins->shape[0];
    const int64_t states[2] = {a->chains, plan->model.sites};
    GM_TRY(gm_list_array(c, list, "spins", spins, plan->model.dtype, 2, states, a->spins_stride));
    a->spins = spins->data;
    if (result == NULL) {
        return GM_STATUS_OK;
    }
    GM_CHECK(c, result->best == NULL || result->best_energy != NULL, GM_STATUS_INVALID_ARGUMENT,
             "result.best_energy is NULL: result.best needs it");
    GM_TRY(gm_list_array(c, list, "result.best", result->best, plan->model.dtype, 2, states,
                         a->best_stride));
    GM_TRY(gm_list_array(c, list, "result.best_energy", result->best_energy, GM_I64, 1, states,
                         &a->best_energy_stride));
    GM_TRY(gm_list_array(c, list, "result.log_weight", result->log_weight, GM_F64, 1, states,
                         &a->log_weight_stride));
    int64_t unused;
    GM_TRY(gm_list_array(c, list, "result.energy", result->energy, GM_I64, 1, states, &unused));
    GM_TRY(gm_list_array(c, list, "result.status", result->status, GM_I32, 1, states, &unused));
    a->best = result->best != NULL ? result->best->data : NULL;
    a->best_energy = result->best_energy != NULL ? result->best_energy->data : NULL;
    a->log_weight = result->log_weight != NULL ? result->log_weight->data : NULL;
    return GM_STATUS_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

typedef struct stage {
    gm_tensor energy, status; /* the user's or the workspace's */
    gm_workspace model;
} stage;

/* Lays the workspace out; with data NULL it is only measured. Returns its size. */
static size_t set_stage(const gm_annealing_result *result, char *data, size_t model_bytes,
                        gm_annealing_args *a, stage *s) {
    const size_t n = (size_t)a->chains;
    size_t used = 0;
    s->energy = gm_tensor_1d(gm_take_lines(data, &used, n * sizeof *a->energy), GM_I64, a->chains);
    s->status =
        gm_tensor_1d(gm_take_lines(data, &used, n * sizeof *a->chain_status), GM_I32, a->chains);
    if (result != NULL && result->energy != NULL) {
        s->energy = *result->energy;
    }
    if (result != NULL && result->status != NULL) {
        s->status = *result->status;
    }
    s->model.bytes = model_bytes;
    s->model.data = gm_take_lines(data, &used, model_bytes);
    a->energy = s->energy.data;
    a->energy_stride = s->energy.stride[0];
    a->chain_status = s->status.data;
    a->status_stride = s->status.stride[0];
    return used;
}

/* beta at a step, for all chains. */
static gm_tensor beta_at(const gm_annealing_plan *plan, int64_t step, int64_t chains) {
    gm_tensor beta = gm_tensor_1d((double *)plan->schedule + step, GM_F64, chains);
    beta.stride[0] = 0;
    return beta;
}

/* All of it is enqueued; nothing is waited for. */
static gm_status run_steps(const gm_annealing_plan *plan, const gm_annealing_steps *run,
                           const gm_tensor *spins, gm_annealing_args *a, stage *s) {
    const gm_chain_model *model = &plan->model;
    const int64_t end = run->first_step + run->steps;
    gm_tensor beta = beta_at(plan, 0, a->chains);
    gm_chain_sweeps sweeps = {.seed = run->seed,
                              .first_chain = run->first_chain,
                              .beta = &beta,
                              .spins = spins,
                              .status = &s->status,
                              .energy = &s->energy,
                              .keeps = a->best == NULL, /* else the spins are looked at */
                              .holds = a->best == NULL && run->steps > 0};
    GM_TRY(model->run(model->plan, &sweeps, &s->model)); /* energies and bad chains */
    sweeps.sweeps = run->sweeps;
    sweeps.resumes = sweeps.holds;
    for (int64_t t = run->first_step;; ++t) { /* before step t */
        a->begins = t == 0;
        a->change = t > 0 && t < end ? plan->beta[t] - plan->beta[t - 1] : 0;
        GM_TRY(plan->backend->annealing_step(&plan->context->call, a));
        if (t == end) {
            return GM_STATUS_OK;
        }
        beta = beta_at(plan, t, a->chains);
        sweeps.first_sweep = (uint64_t)t * (uint64_t)run->sweeps;
        sweeps.holds = sweeps.holds && t + 1 < end;
        GM_TRY(model->run(model->plan, &sweeps, &s->model));
    }
}

gm_status gm_annealing_run(const gm_annealing_plan *plan, const gm_annealing_steps *run,
                           const gm_tensor *spins, const gm_annealing_result *result,
                           gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_steps(plan, run));
    gm_annealing_args args = {.sites = plan->model.sites, .quantum = plan->model.quantum};
    gm_array_list list = {.count = 0};
    GM_TRY(check_arrays(plan, spins, result, &args, &list));
    const gm_tensor beta = beta_at(plan, 0, args.chains);
    gm_workspace model_space = {0};
    const gm_chain_sweeps none = {.beta = &beta, .spins = spins, .keeps = args.best == NULL};
    GM_TRY(plan->model.run(plan->model.plan, &none, &model_space)); /* only asks */
    stage s;
    const size_t bytes = set_stage(result, NULL, model_space.bytes, &args, &s);
    if (workspace->data == NULL) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_list_workspace(context, &list, bytes, workspace));
    set_stage(result, workspace->data, model_space.bytes, &args, &s);
    return args.chains == 0 ? GM_STATUS_OK : run_steps(plan, run, spins, &args, &s);
}

/* ---- weights --------------------------------------------------------------------------------- */

gm_status gm_log_weights_mean(int64_t count, const double *log_weight, gm_log_weights *mean) {
    GM_CHECK(NULL, count >= 1, GM_STATUS_INVALID_ARGUMENT, "count = %lld: must be >= 1",
             (long long)count);
    GM_CHECK(NULL, log_weight != NULL, GM_STATUS_INVALID_ARGUMENT, "log_weight is NULL");
    GM_CHECK(NULL, mean != NULL, GM_STATUS_INVALID_ARGUMENT, "mean is NULL");
    const double n = (double)count;
    double largest = -INFINITY, sum_log = 0;
    for (int64_t i = 0; i < count; ++i) {
        GM_CHECK(NULL, !isnan(log_weight[i]) && log_weight[i] < INFINITY, GM_STATUS_NON_FINITE,
                 "log_weight[%lld] = %g", (long long)i, log_weight[i]);
        largest = fmax(largest, log_weight[i]);
        sum_log += log_weight[i];
    }
    GM_CHECK(NULL, largest > -INFINITY, GM_STATUS_NON_FINITE, "log_weight: no weight is above 0");
    double sum = 0, squares = 0, spread = 0; /* of the weights over the largest */
    for (int64_t i = 0; i < count; ++i) {
        const double w = exp(log_weight[i] - largest);
        sum += w;
        squares += w * w;
    }
    for (int64_t i = 0; i < count; ++i) {
        const double away = exp(log_weight[i] - largest) - sum / n;
        spread += away * away;
    }
    *mean = (gm_log_weights){.log_mean = largest + log(sum / n),
                             .error = count > 1 ? sqrt(spread / (n - 1) / n) / (sum / n) : 0,
                             .mean_log = sum_log / n,
                             .size = sum * sum / squares};
    return GM_STATUS_OK;
}
