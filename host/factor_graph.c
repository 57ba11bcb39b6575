/* gm_factor_graph_*: checks, the plan, dispatch. */
#include <genmath/factor_graph.h>

#include <stdlib.h>

#include "host/chain_check.h"
#include "host/factor_graph_model.h"

struct gm_factor_graph_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_factor_problem problem;
    gm_factor_graph_info info;
    void *state; /* the backend's */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status prepare(gm_context *context, const gm_factor_graph_model *model,
                         gm_factor_graph_plan *made) {
    GM_TRY(gm_factor_plan(context, model, &made->problem, &made->info));
    return made->backend->factor_prepare != NULL
               ? made->backend->factor_prepare(&context->call, &made->problem, &made->state)
               : GM_STATUS_OK;
}

gm_status gm_factor_graph_plan_create(gm_context *context, const gm_factor_graph_model *model,
                                      gm_factor_graph_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    gm_factor_graph_plan *made;
    GM_NEW_PLAN(context, factor_run, made);
    const gm_status status = prepare(context, model, made);
    if (status != GM_STATUS_OK) {
        gm_factor_graph_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_factor_graph_plan_destroy(gm_factor_graph_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->factor_release != NULL) {
        plan->backend->factor_release(&plan->context->call, plan->state);
    }
    free(plan->problem.memory);
    free(plan);
}

gm_status gm_factor_graph_plan_info(const gm_factor_graph_plan *plan, gm_factor_graph_info *info) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    *info = plan->info;
    return GM_STATUS_OK;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The tensors of a run, by the names the user knows them by. */
enum { BETA, LABELS, COUNTS, LOG_POTENTIAL, STATUS, WORKSPACE, TENSORS };
static const char *const names[TENSORS] = {
    "beta", "labels", "result.counts", "result.log_potential", "result.status", "workspace"};

/* What is written shares no memory with anything else. */
static gm_status check_disjoint(gm_context *context, const gm_tensor *const *tensors) {
    for (int a = LABELS; a < TENSORS; ++a) {
        for (int b = 0; b < a; ++b) {
            if (tensors[a] != NULL) {
                GM_TRY(
                    gm_check_disjoint(context, names[a], tensors[a], names[b], tensors[b], false));
            }
        }
    }
    return GM_STATUS_OK;
}

static gm_status check_counts(gm_context *context, const gm_factor_graph_plan *plan,
                              const gm_tensor *counts, gm_factor_arrays *a) {
    const int32_t ndim = counts->ndim == 1 ? 1 : 2;
    GM_TRY(gm_check_output(context, names[COUNTS], counts, ndim, GM_DTYPE_BIT(GM_U64)));
    GM_TRY(gm_check_size(context, names[COUNTS], counts, ndim - 1, plan->info.states,
                         "the labels of all variables"));
    if (ndim == 2) {
        GM_TRY(gm_check_size(context, names[COUNTS], counts, 0, a->chains, "as in labels"));
    }
    a->counts = counts->data;
    a->reduced = ndim == 1;
    a->count_chain_stride = ndim == 2 ? counts->stride[0] : 0;
    a->count_stride = counts->stride[ndim - 1];
    return GM_STATUS_OK;
}

static gm_status check_result(gm_context *context, const gm_factor_graph_plan *plan,
                              const gm_factor_graph_result *result, gm_factor_arrays *a,
                              const gm_tensor **tensors) {
    if (result == NULL) {
        return GM_STATUS_OK;
    }
    tensors[COUNTS] = result->counts;
    tensors[LOG_POTENTIAL] = result->log_potential;
    tensors[STATUS] = result->status;
    if (result->counts != NULL) {
        GM_TRY(check_counts(context, plan, result->counts, a));
    }
    if (result->log_potential != NULL) {
        const gm_tensor *t = result->log_potential;
        GM_TRY(gm_check_output(context, names[LOG_POTENTIAL], t, 2, GM_DTYPE_BIT(GM_F64)));
        GM_TRY(gm_check_size(context, names[LOG_POTENTIAL], t, 0, a->chains, "as in labels"));
        GM_TRY(gm_check_size(context, names[LOG_POTENTIAL], t, 1, a->sweeps, "run.sweeps"));
        a->log_potential = t->data;
        a->potential_stride[0] = t->stride[0];
        a->potential_stride[1] = t->stride[1];
    }
    if (result->status != NULL) {
        const gm_tensor *t = result->status;
        GM_TRY(gm_check_output(context, names[STATUS], t, 1, GM_DTYPE_BIT(GM_I32)));
        GM_TRY(gm_check_size(context, names[STATUS], t, 0, a->chains, "as in labels"));
        a->status = t->data;
        a->status_stride = t->stride[0];
    }
    return GM_STATUS_OK;
}

gm_status gm_factor_graph_run(const gm_factor_graph_plan *plan, const gm_ising_sweeps *run,
                              const gm_tensor *beta, const gm_tensor *labels,
                              const gm_factor_graph_result *result, gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_call *call = &context->call;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_check_sweeps(context, run, plan->problem.blocks, -1));
    GM_TRY(gm_check_output(context, names[LABELS], labels, 2, GM_DTYPE_BIT(GM_U8)));
    GM_TRY(gm_check_size(context, names[LABELS], labels, 1, plan->problem.variables,
                         "the model's variables"));
    GM_TRY(gm_check_tensor(context, names[BETA], beta, 1, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, names[BETA], beta, 0, labels->shape[0], "as in labels"));
    gm_factor_arrays arrays = {.seed = run->seed,
                               .first_chain = run->first_chain,
                               .first_sweep = run->first_sweep,
                               .sweeps = run->sweeps,
                               .chains = labels->shape[0],
                               .beta = beta->data,
                               .beta_stride = beta->stride[0],
                               .labels = labels->data,
                               .chain_stride = labels->stride[0],
                               .variable_stride = labels->stride[1]};
    const gm_tensor *tensors[TENSORS] = {beta, labels};
    GM_TRY(check_result(context, plan, result, &arrays, tensors));
    const size_t bytes =
        plan->backend->factor_workspace != NULL
            ? plan->backend->factor_workspace(call, &plan->problem, plan->state, arrays.chains)
            : 0;
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    gm_tensor scratch;
    if (workspace->data != NULL) {
        GM_TRY(gm_check_workspace(context, "the plan", needed, workspace->data, workspace->bytes,
                                  &scratch));
        tensors[WORKSPACE] = &scratch;
    }
    GM_TRY(check_disjoint(context, tensors));
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    arrays.workspace = workspace->data;
    return plan->backend->factor_run(call, &plan->problem, plan->state, &arrays);
}
