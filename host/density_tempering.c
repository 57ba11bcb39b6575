/* gm_density_tempering_*: checks, the plan, and the run: steps of chains with exchanges between. */
#include <genmath/density_tempering.h>

#include <math.h>
#include <stdlib.h>

#include "host/chain_model.h"
#include "host/density_check.h"
#include "host/internal.h"
#include "host/mcmc_args.h"
#include "host/tempering_args.h"

struct gm_density_tempering_plan {
    gm_context *context;
    const gm_backend *backend;
    const gm_mcmc_plan *mcmc;
    const gm_mcmc_problem *problem;
    int64_t temperatures, draw_level;
    gm_tempering_pairs pairs;
    void *ladder; /* (2, temperatures) F64, in the backend's memory: betas, then steps */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_level(gm_context *context, const gm_density_tempering *t, gm_dtype dtype,
                             int64_t k) {
    const double beta = dtype == GM_F32 ? (double)(float)t->beta[k] : t->beta[k];
    const double step = dtype == GM_F32 ? (double)(float)t->step[k] : t->step[k];
    GM_CHECK(context, isfinite(beta) && beta > 0, GM_STATUS_INVALID_ARGUMENT,
             "tempering.beta[%lld] = %g: must be finite and > 0", (long long)k, t->beta[k]);
    GM_CHECK(context, isfinite(step) && step > 0, GM_STATUS_INVALID_ARGUMENT,
             "tempering.step[%lld] = %g: must be finite and > 0", (long long)k, t->step[k]);
    return GM_STATUS_OK;
}

static gm_status check_tempering(gm_context *context, const gm_density_tempering *t,
                                 const gm_mcmc_problem **problem) {
    GM_CHECK(context, t != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering is NULL");
    GM_CHECK(context, t->mcmc != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering.mcmc is NULL");
    gm_context *owner;
    const gm_mcmc_problem *p = *problem = gm_mcmc_plan_problem(t->mcmc, &owner);
    GM_CHECK(context, owner == context, GM_STATUS_INVALID_ARGUMENT,
             "tempering.mcmc: is a plan of another context");
    GM_CHECK(context, p->thin == 0 && p->target == 0, GM_STATUS_INVALID_ARGUMENT,
             "tempering.mcmc: its thin and target must be 0");
    GM_CHECK(context, t->temperatures >= 1 && t->temperatures <= GM_TEMPERING_MOST,
             GM_STATUS_INVALID_ARGUMENT, "tempering.temperatures = %lld: must be in 1 .. %d",
             (long long)t->temperatures, GM_TEMPERING_MOST);
    GM_CHECK(context, p->first_index % (uint64_t)t->temperatures == 0, GM_STATUS_INVALID_ARGUMENT,
             "tempering.mcmc: its first_index = %llu is no multiple of %lld temperatures",
             (unsigned long long)p->first_index, (long long)t->temperatures);
    GM_CHECK(context, t->beta != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering.beta is NULL");
    GM_CHECK(context, t->step != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering.step is NULL");
    for (int64_t k = 0; k < t->temperatures; ++k) {
        GM_TRY(check_level(context, t, p->dtype, k));
    }
    GM_CHECK(context, t->draw_level >= 0 && t->draw_level < t->temperatures,
             GM_STATUS_INVALID_ARGUMENT, "tempering.draw_level = %lld: must be in 0 .. %lld",
             (long long)t->draw_level, (long long)(t->temperatures - 1));
    GM_CHECK(context, (int)t->pairs >= 0 && t->pairs <= GM_TEMPERING_RANDOM,
             GM_STATUS_INVALID_ARGUMENT, "tempering.pairs = %d is no gm_tempering_pairs",
             (int)t->pairs);
    return GM_STATUS_OK;
}

/* The chains are at the betas of their own precision. */
static gm_status copy_ladder(gm_context *context, const gm_density_tempering *t,
                             gm_density_tempering_plan *made) {
    const size_t n = (size_t)t->temperatures;
    double *values = malloc(2 * n * sizeof *values);
    GM_CHECK(context, values != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a ladder");
    const bool narrow = made->problem->dtype == GM_F32;
    for (size_t k = 0; k < n; ++k) {
        values[k] = narrow ? (double)(float)t->beta[k] : t->beta[k];
        values[n + k] = t->step[k];
    }
    gm_status status = gm_memory_alloc(context, 2 * n * sizeof *values, &made->ladder);
    if (status == GM_STATUS_OK) {
        status = gm_memory_upload(context, made->ladder, values, 2 * n * sizeof *values);
    }
    free(values);
    return status;
}

gm_status gm_density_tempering_plan_create(gm_context *context,
                                           const gm_density_tempering *tempering,
                                           gm_density_tempering_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    const gm_mcmc_problem *problem = NULL;
    GM_TRY(check_tempering(context, tempering, &problem));
    const gm_backend *backend = GM_BACKEND_WITH(context, tempering_swap);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_density_tempering_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    *made = (gm_density_tempering_plan){.context = context,
                                        .backend = backend,
                                        .mcmc = tempering->mcmc,
                                        .problem = problem,
                                        .temperatures = tempering->temperatures,
                                        .draw_level = tempering->draw_level,
                                        .pairs = tempering->pairs};
    const gm_status status = copy_ladder(context, tempering, made);
    if (status != GM_STATUS_OK) {
        gm_density_tempering_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_density_tempering_plan_destroy(gm_density_tempering_plan *plan) {
    if (plan == NULL) {
        return;
    }
    (void)gm_memory_free(plan->context, plan->ladder);
    free(plan);
}

/* ---- checks of a run ------------------------------------------------------------------------- */

static gm_status check_swaps(const gm_density_tempering_plan *plan, int64_t first_swap,
                             int64_t swaps) {
    gm_context *context = plan->context;
    int64_t steps = 0;
    GM_CHECK(context, swaps >= 1 && swaps <= INT64_C(1) << 30, GM_STATUS_INVALID_ARGUMENT,
             "swaps = %lld: must be in 1 .. 2^30", (long long)swaps);
    GM_CHECK(context,
             first_swap >= 0 && first_swap <= INT64_C(1) << 40 &&
                 gm_multiply_sizes(first_swap + swaps, plan->problem->steps, &steps) &&
                 steps <= INT64_C(1) << 40 &&
                 (first_swap + swaps) <=
                     (INT64_C(1) << 47) / gm_tempering_blocks(plan->temperatures),
             GM_STATUS_INVALID_ARGUMENT,
             "first_swap = %lld: must be >= 0, and 2^40 steps at most with those before",
             (long long)first_swap);
    return GM_STATUS_OK;
}

/* An array that is only read: (rows, chains). */
static gm_status check_input(const gm_density_tempering_plan *plan, const gm_array_list *list,
                             const char *name, const gm_tensor *tensor, int64_t rows,
                             int64_t chains) {
    gm_context *c = plan->context;
    if (tensor == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_tensor(c, name, tensor, 2, GM_DTYPE_BIT(plan->problem->dtype)));
    GM_TRY(gm_check_size(c, name, tensor, 0, rows, "as the density has it"));
    GM_TRY(gm_check_size(c, name, tensor, 1, chains, "ladders by temperatures"));
    for (int i = 0; i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(c, list->name[i], list->tensor[i], name, tensor, false));
    }
    return GM_STATUS_OK;
}

static void *data_of(const gm_tensor *tensor) {
    return tensor != NULL ? tensor->data : NULL;
}

static gm_status check_results(const gm_density_tempering_plan *plan, int64_t draws,
                               const gm_density_tempering_result *r, gm_tempering_args *a,
                               gm_array_list *list) {
    gm_context *c = plan->context;
    const gm_dtype dtype = plan->problem->dtype;
    const int64_t per_chain[2] = {a->ladders, plan->temperatures};
    const int64_t chains = a->ladders * plan->temperatures;
    const int64_t draw_shape[3] = {draws, plan->problem->density->dim, a->ladders};
    const int64_t swaps[3] = {a->ladders, plan->temperatures - 1, GM_TEMPERING_COUNTS};
    gm_tempering_density *d = &a->density;
    int64_t unused;
    GM_TRY(gm_list_array(c, list, "result.draws", r->draws, dtype, 3, draw_shape, d->draws_stride));
    GM_TRY(gm_list_array(c, list, "result.log_density", r->log_density, dtype, 1, &chains,
                         &d->log_density_stride));
    GM_TRY(gm_list_array(c, list, "result.sums", r->sums, GM_F64, 2, per_chain, d->sums_stride));
    GM_TRY(gm_list_array(c, list, "result.accepted", r->accepted, GM_I64, 2, per_chain,
                         d->accepted_stride));
    GM_TRY(gm_list_array(c, list, "result.swaps", r->swaps, GM_I64, 3, swaps, a->swaps_stride));
    GM_TRY(gm_list_array(c, list, "result.trips", r->trips, GM_I64, 2, per_chain, a->trips_stride));
    GM_TRY(gm_list_array(c, list, "result.status", r->status, GM_I32, 1, &chains, &unused));
    d->draws = data_of(r->draws);
    d->log_density = data_of(r->log_density);
    d->sums = data_of(r->sums);
    d->accepted = data_of(r->accepted);
    a->swaps = data_of(r->swaps);
    a->trips = data_of(r->trips);
    return GM_STATUS_OK;
}

static gm_status check_arrays(const gm_density_tempering_plan *plan, int64_t draws,
                              const gm_density_tempering_state *s,
                              const gm_density_tempering_result *result, gm_tempering_args *a,
                              gm_array_list *list) {
    gm_context *c = plan->context;
    const gm_density *density = plan->problem->density;
    GM_TRY(gm_check_layout(c, "state.level", s->level, 2, GM_DTYPE_BIT(GM_I32)));
    a->ladders = s->level->shape[0];
    int64_t chains;
    GM_CHECK(c, gm_multiply_sizes(a->ladders, plan->temperatures, &chains),
             GM_STATUS_INVALID_ARGUMENT, "state.level.shape[0] = %lld: too many ladders",
             (long long)a->ladders);
    const int64_t states[2] = {density->dim, chains},
                  per_chain[2] = {a->ladders, plan->temperatures};
    GM_CHECK(c, s->state != NULL, GM_STATUS_INVALID_ARGUMENT, "state.state is NULL");
    GM_CHECK(c, s->label != NULL, GM_STATUS_INVALID_ARGUMENT, "state.label is NULL");
    GM_CHECK(c, (s->params != NULL) == (density->params > 0), GM_STATUS_INVALID_ARGUMENT,
             "state.params %s: the density has %d parameters",
             s->params == NULL ? "is NULL" : "must be NULL", (int)density->params);
    GM_TRY(gm_list_array(c, list, "state.state", s->state, plan->problem->dtype, 2, states,
                         a->density.state_stride));
    GM_TRY(gm_list_array(c, list, "state.level", s->level, GM_I32, 2, per_chain, a->level_stride));
    GM_TRY(gm_list_array(c, list, "state.label", s->label, GM_I32, 2, per_chain, a->label_stride));
    a->density.state = s->state->data;
    a->level = s->level->data;
    a->label = s->label->data;
    if (result != NULL) {
        GM_TRY(check_results(plan, draws, result, a, list));
    }
    gm_density_data unused;
    GM_TRY(gm_check_density_data(c, "state.data", s->data, density, plan->problem->dtype, &unused));
    for (int i = 0; i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(c, list->name[i], list->tensor[i], "state.data", s->data, false));
    }
    GM_TRY(check_input(plan, list, "state.params", s->params, density->params, chains));
    return check_input(plan, list, "state.scale", s->scale, density->dim, chains);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Lays the workspace out; with data NULL it is only measured. Returns its size. */
static size_t set_workspace(const gm_density_tempering_plan *plan, char *data,
                            gm_tempering_args *a) {
    const size_t n = (size_t)(a->ladders * plan->temperatures);
    const size_t size = gm_dtype_size(plan->problem->dtype);
    size_t used = 0;
    a->ladder_status = gm_take_lines(data, &used, (size_t)a->ladders * sizeof *a->ladder_status);
    a->density.beta = gm_take_lines(data, &used, n * size);
    a->density.step = gm_take_lines(data, &used, n * size);
    a->density.chain_accepted = gm_take_lines(data, &used, n * sizeof(int32_t));
    if (a->density.log_density == NULL) {
        a->density.log_density = gm_take_lines(data, &used, n * size);
        a->density.log_density_stride = 1;
    }
    return used;
}

static gm_status run_stretches(const gm_density_tempering_plan *plan, int64_t first_swap,
                               int64_t swaps, const gm_density_tempering_state *state,
                               const gm_tensor *status, gm_tempering_args *a) {
    gm_call *call = &plan->context->call;
    const gm_dtype dtype = plan->problem->dtype;
    const int64_t chains = a->ladders * plan->temperatures;
    gm_tempering_density *d = &a->density;
    const gm_tensor beta = gm_tensor_1d(d->beta, dtype, chains);
    const gm_tensor step = gm_tensor_1d(d->step, dtype, chains);
    const gm_tensor accepted = gm_tensor_1d(d->chain_accepted, GM_I32, chains);
    gm_tensor log_density = gm_tensor_1d(d->log_density, dtype, chains);
    log_density.stride[0] = d->log_density_stride;
    const gm_mcmc_input input = {.state = state->state,
                                 .params = state->params,
                                 .step = &step,
                                 .scale = state->scale,
                                 .beta = &beta,
                                 .data = state->data};
    const gm_mcmc_result result = {.state = state->state,
                                   .accepted = &accepted,
                                   .status = status,
                                   .log_density = &log_density};
    GM_TRY(plan->backend->tempering_begin(call, a));
    for (int64_t k = 0; k < swaps; ++k) {
        a->swap = (uint64_t)(first_swap + k);
        GM_TRY(gm_mcmc_run(plan->mcmc, (first_swap + k) * plan->problem->steps, &input, &result));
        GM_TRY(plan->backend->tempering_swap(call, a));
        if (d->draws != NULL) {
            d->draws = (char *)d->draws + d->draws_stride[0] * (int64_t)gm_dtype_size(dtype);
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_density_tempering_run(const gm_density_tempering_plan *plan, int64_t first_swap,
                                   int64_t swaps, const gm_density_tempering_state *state,
                                   const gm_density_tempering_result *result,
                                   gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, state != NULL, GM_STATUS_INVALID_ARGUMENT, "state is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_swaps(plan, first_swap, swaps));
    const double *ladder = plan->ladder;
    gm_tempering_args args = {.temperatures = plan->temperatures,
                              .pairs = plan->pairs,
                              .seed = plan->problem->seed,
                              .first_ladder =
                                  plan->problem->first_index / (uint64_t)plan->temperatures,
                              .ladder = ladder,
                              .is_density = 1,
                              .density = {.dtype = plan->problem->dtype,
                                          .dim = plan->problem->density->dim,
                                          .draw_level = plan->draw_level,
                                          .level_step = ladder + plan->temperatures}};
    gm_array_list list = {.count = 0};
    GM_TRY(check_arrays(plan, swaps, state, result, &args, &list));
    gm_tempering_args measured = args;
    const size_t bytes = set_workspace(plan, NULL, &measured);
    const size_t needed = bytes > 0 ? bytes : 64;
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_list_workspace(context, &list, needed, workspace));
    set_workspace(plan, workspace->data, &args);
    return args.ladders == 0 ? GM_STATUS_OK
                             : run_stretches(plan, first_swap, swaps, state,
                                             result != NULL ? result->status : NULL, &args);
}
