/* gm_potts_*: checks, the plan, dispatch. */
#include <genmath/potts.h>

#include <math.h>
#include <stdlib.h>

#include "host/chain_check.h"
#include "host/chain_model.h"
#include "host/chain_graph.h"
#include "host/potts_args.h"

struct gm_potts_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_potts_problem problem;
    void *state; /* the backend's */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_model(gm_context *context, const gm_potts_model *m) {
    GM_CHECK(context, m->q >= 2 && m->q <= GM_POTTS_MOST_LABELS, GM_STATUS_INVALID_ARGUMENT,
             "model.q = %d: must be in 2 .. %d", (int)m->q, GM_POTTS_MOST_LABELS);
    GM_CHECK(context, (unsigned)m->update <= GM_POTTS_METROPOLIS, GM_STATUS_INVALID_ARGUMENT,
             "model.update = %d is none", (int)m->update);
    GM_CHECK(context, (unsigned)m->order <= GM_ISING_RASTER, GM_STATUS_INVALID_ARGUMENT,
             "model.order = %d is none", (int)m->order);
    return GM_STATUS_OK;
}

/* No two local fields of a position differ by more. */
static uint32_t span_of(const gm_chain_graph *g) {
    int64_t span = 0;
    for (int32_t at = 0; at < g->positions; ++at) {
        int64_t sum = 0;
        for (int32_t k = g->first[at]; k < g->first[at + 1]; ++k) {
            sum += llabs((long long)g->coupling[k]);
        }
        if (g->labels > 0) {
            const int32_t *field = g->field + (int64_t)at * g->labels;
            int32_t low = field[0], high = field[0];
            for (int32_t k = 1; k < g->labels; ++k) {
                low = field[k] < low ? field[k] : low;
                high = field[k] > high ? field[k] : high;
            }
            sum += (int64_t)high - low;
        }
        span = sum > span ? sum : span;
    }
    return (uint32_t)span;
}

static gm_status prepare(gm_context *context, const gm_potts_model *m, gm_potts_plan *made) {
    GM_TRY(check_model(context, m));
    const gm_graph_model model = {.sites = m->sites,
                                  .edges = m->edges,
                                  .ends = m->ends,
                                  .coupling = m->coupling,
                                  .field = m->field,
                                  .clamped = m->clamped,
                                  .labels = m->q,
                                  .coloured = m->order == GM_ISING_COLOURED,
                                  .connected = m->connected != 0};
    gm_potts_problem *p = &made->problem;
    p->q = m->q;
    p->update = m->update;
    p->order = m->order;
    GM_TRY(gm_chain_graph_make(context, &model, &p->graph));
    p->span = span_of(&p->graph);
    return made->backend->potts_prepare != NULL
               ? made->backend->potts_prepare(&context->call, p, &made->state)
               : GM_STATUS_OK;
}

gm_status gm_potts_plan_create(gm_context *context, const gm_potts_model *model,
                               gm_potts_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    gm_potts_plan *made;
    GM_NEW_PLAN(context, potts_run, made);
    const gm_status status = prepare(context, model, made);
    if (status != GM_STATUS_OK) {
        gm_potts_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_potts_plan_destroy(gm_potts_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->potts_release != NULL) {
        plan->backend->potts_release(&plan->context->call, plan->state);
    }
    free(plan->problem.graph.memory);
    free(plan);
}

gm_status gm_potts_plan_info(const gm_potts_plan *plan, gm_potts_info *info) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    const gm_potts_problem *p = &plan->problem;
    *info = (gm_potts_info){.colours = p->order == GM_ISING_COLOURED ? p->graph.colours : 0,
                            .quantum = p->graph.quantum,
                            .rounding = p->graph.rounding,
                            .span = p->span,
                            .energy_bound = p->graph.energy_bound,
                            .components = p->graph.components};
    return GM_STATUS_OK;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The bits of what the sums add up: E^2 or M^4. */
static double bits_of(const gm_potts_problem *p) {
    const double energy = log2((double)p->graph.energy_bound + 1);
    const double order = log2((double)p->graph.sites * (p->q - 1) + 1);
    return fmax(2 * energy, 4 * order);
}

static gm_status check_run(const gm_potts_plan *plan, const gm_ising_sweeps *run,
                           const gm_chain_tensors *t) {
    gm_context *context = plan->context;
    const gm_potts_problem *p = &plan->problem;
    GM_TRY(gm_check_sweeps(context, run, p->graph.blocks, t->sums != NULL ? bits_of(p) : -1));
    GM_TRY(gm_check_chains(context, t, GM_U8, p->graph.sites));
    GM_TRY(gm_check_chain_sums(context, t));
    GM_TRY(gm_check_chain_status(context, t));
    return gm_check_chain_energy(context, t);
}

gm_status gm_potts_run(const gm_potts_plan *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                       const gm_tensor *labels, const gm_potts_result *result,
                       gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_call *call = &context->call;
    const gm_potts_problem *p = &plan->problem;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    const gm_chain_tensors tensors = {.name = "labels",
                                      .state = labels,
                                      .beta = beta,
                                      .sums = result != NULL ? result->sums : NULL,
                                      .status = result != NULL ? result->status : NULL,
                                      .energy = result != NULL ? result->energy : NULL,
                                      .count = GM_POTTS_SUMS,
                                      .count_name = "GM_POTTS_SUMS"};
    GM_TRY(check_run(plan, run, &tensors));
    gm_potts_arrays arrays = {.seed = run->seed,
                              .first_chain = run->first_chain,
                              .first_sweep = run->first_sweep,
                              .sweeps = run->sweeps,
                              .chains = labels->shape[0],
                              .beta = beta->data,
                              .beta_stride = beta->stride[0],
                              .labels = labels->data,
                              .chain_stride = labels->stride[0],
                              .site_stride = labels->stride[1]};
    if (tensors.sums != NULL) {
        arrays.sums = tensors.sums->data;
        for (int axis = 0; axis < 3; ++axis) {
            arrays.sums_stride[axis] = tensors.sums->stride[axis];
        }
    }
    if (tensors.status != NULL) {
        arrays.status = tensors.status->data;
        arrays.status_stride = tensors.status->stride[0];
    }
    if (tensors.energy != NULL) {
        arrays.energy = tensors.energy->data;
        arrays.energy_stride = tensors.energy->stride[0];
    }
    const size_t bytes = plan->backend->potts_workspace != NULL
                             ? plan->backend->potts_workspace(call, p, plan->state, arrays.chains)
                             : 0;
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_chain_scratch(context, &tensors, needed, workspace));
    arrays.workspace = workspace->data;
    return arrays.chains == 0 ? GM_STATUS_OK
                              : plan->backend->potts_run(call, p, plan->state, &arrays);
}

/* ---- as a model among others ----------------------------------------------------------------- */

static gm_status check_as_model(const void *plan, const gm_chain_sweeps *all, bool sums) {
    const gm_potts_plan *own = plan;
    const gm_ising_sweeps run = {all->seed, all->first_chain, all->first_sweep, all->sweeps};
    return gm_check_sweeps(own->context, &run, own->problem.graph.blocks,
                           sums ? bits_of(&own->problem) : -1);
}

/* Every call writes the labels back, so there is nothing to hold or to resume. */
static gm_status run_as_model(const void *plan, const gm_chain_sweeps *s, gm_workspace *workspace) {
    const gm_ising_sweeps run = {s->seed, s->first_chain, s->first_sweep, s->sweeps};
    const gm_potts_result result = {.sums = s->sums, .status = s->status, .energy = s->energy};
    return gm_potts_run(plan, &run, s->beta, s->spins, &result, workspace);
}

void gm_potts_chain_model(const gm_potts_plan *plan, gm_chain_model *model) {
    *model = (gm_chain_model){.context = plan->context,
                              .plan = plan,
                              .sites = plan->problem.graph.sites,
                              .sums = GM_POTTS_SUMS,
                              .dtype = GM_U8,
                              .quantum = plan->problem.graph.quantum,
                              .check = check_as_model,
                              .run = run_as_model};
}
