/* gm_ising_*: checks, the plan, dispatch. */
#include <genmath/ising.h>

#include <math.h>
#include <stdlib.h>

#include "host/chain_model.h"
#include "host/internal.h"
#include "host/ising_check.h"
#include "host/ising_graph.h"

struct gm_ising_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_ising_problem problem;
    gm_ising_info info;
    void *memory; /* of the problem's arrays */
    void *state;  /* the backend's */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status prepare(gm_context *context, const gm_ising_model *model, gm_ising_plan *made) {
    GM_TRY(gm_ising_graph(context, model, &made->problem, &made->info, &made->memory));
    return made->backend->ising_prepare != NULL
               ? made->backend->ising_prepare(&context->call, &made->problem, &made->state)
               : GM_STATUS_OK;
}

gm_status gm_ising_plan_create(gm_context *context, const gm_ising_model *model,
                               gm_ising_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    gm_ising_plan *made;
    GM_NEW_PLAN(context, ising_run, made);
    const gm_status status = prepare(context, model, made);
    if (status != GM_STATUS_OK) {
        gm_ising_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_ising_plan_destroy(gm_ising_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->ising_release != NULL) {
        plan->backend->ising_release(&plan->context->call, plan->state);
    }
    free(plan->memory);
    free(plan);
}

gm_status gm_ising_plan_info(const gm_ising_plan *plan, gm_ising_info *info) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    *info = plan->info;
    return GM_STATUS_OK;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static gm_status check_sweeps(const gm_ising_plan *plan, const gm_ising_sweeps *run, bool sums) {
    const double energy = log2((double)plan->info.energy_bound + 1);
    const double spins = log2((double)plan->problem.sites + 1);
    return gm_check_sweeps(plan->context, run, plan->problem.blocks,
                           sums ? fmax(2 * energy, 4 * spins) : -1);
}

gm_chain_tensors gm_ising_tensors(const char *name, const gm_tensor *spins, const gm_tensor *beta,
                                  const gm_ising_result *result) {
    return (gm_chain_tensors){.name = name,
                              .state = spins,
                              .beta = beta,
                              .sums = result != NULL ? result->sums : NULL,
                              .status = result != NULL ? result->status : NULL,
                              .energy = result != NULL ? result->energy : NULL,
                              .count = GM_ISING_SUMS,
                              .count_name = "GM_ISING_SUMS"};
}

gm_status gm_ising_check_result(gm_context *context, const gm_chain_tensors *t,
                                gm_ising_arrays *a) {
    GM_TRY(gm_check_chain_sums(context, t));
    GM_TRY(gm_check_chain_status(context, t));
    GM_TRY(gm_check_chain_energy(context, t));
    if (t->sums != NULL) {
        a->sums = t->sums->data;
        for (int axis = 0; axis < 3; ++axis) {
            a->sums_stride[axis] = t->sums->stride[axis];
        }
    }
    if (t->status != NULL) {
        a->status = t->status->data;
        a->status_stride = t->status->stride[0];
    }
    if (t->energy != NULL) {
        a->energy = t->energy->data;
        a->energy_stride = t->energy->stride[0];
    }
    return GM_STATUS_OK;
}

/* gm_ising_run, of a run in several calls: see chain_model.h. */
static gm_status run_part(const gm_ising_plan *plan, const gm_ising_sweeps *run,
                          const gm_tensor *beta, const gm_tensor *spins,
                          const gm_ising_result *result, const gm_chain_sweeps *part,
                          gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_call *call = &context->call;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_sweeps(plan, run, result != NULL && result->sums != NULL));
    const gm_chain_tensors tensors = gm_ising_tensors("spins", spins, beta, result);
    GM_TRY(gm_check_chains(context, &tensors, GM_I8, plan->problem.sites));
    gm_ising_arrays arrays = {.seed = run->seed,
                              .first_chain = run->first_chain,
                              .first_sweep = run->first_sweep,
                              .sweeps = run->sweeps,
                              .chains = spins->shape[0],
                              .beta = beta->data,
                              .beta_stride = beta->stride[0],
                              .spins = spins->data,
                              .chain_stride = spins->stride[0],
                              .site_stride = spins->stride[1],
                              .holds = part->holds,
                              .resumes = part->resumes};
    gm_ising_problem problem = plan->problem;
    problem.keeps = part->keeps;
    GM_TRY(gm_ising_check_result(context, &tensors, &arrays));
    const size_t bytes =
        plan->backend->ising_workspace != NULL
            ? plan->backend->ising_workspace(call, &problem, plan->state, arrays.chains)
            : 0;
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_chain_scratch(context, &tensors, needed, workspace));
    arrays.workspace = workspace->data;
    return arrays.chains == 0 ? GM_STATUS_OK
                              : plan->backend->ising_run(call, &problem, plan->state, &arrays);
}

gm_status gm_ising_run(const gm_ising_plan *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                       const gm_tensor *spins, const gm_ising_result *result,
                       gm_workspace *workspace) {
    static const gm_chain_sweeps whole = {.keeps = false};
    return run_part(plan, run, beta, spins, result, &whole, workspace);
}

double gm_ising_sum_value(const uint64_t words[2]) {
    const bool negative = (int64_t)words[1] < 0;
    const uint64_t low = negative ? 0 - words[0] : words[0];
    const uint64_t high = negative ? ~words[1] + (low == 0) : words[1];
    const double size = ldexp((double)high, 64) + (double)low;
    return negative ? -size : size;
}

/* ---- as a model among others ----------------------------------------------------------------- */

static gm_status check_model(const void *plan, const gm_chain_sweeps *all, bool sums) {
    const gm_ising_sweeps run = {all->seed, all->first_chain, all->first_sweep, all->sweeps};
    return check_sweeps(plan, &run, sums);
}

static gm_status run_model(const void *plan, const gm_chain_sweeps *s, gm_workspace *workspace) {
    const gm_ising_sweeps run = {s->seed, s->first_chain, s->first_sweep, s->sweeps};
    const gm_ising_result result = {.sums = s->sums, .status = s->status, .energy = s->energy};
    return run_part(plan, &run, s->beta, s->spins, &result, s, workspace);
}

void gm_ising_chain_model(const gm_ising_plan *plan, gm_chain_model *model) {
    *model = (gm_chain_model){.context = plan->context,
                              .plan = plan,
                              .sites = plan->problem.sites,
                              .sums = GM_ISING_SUMS,
                              .dtype = GM_I8,
                              .quantum = plan->info.quantum,
                              .check = check_model,
                              .run = run_model};
}
