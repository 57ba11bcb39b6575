/* gm_multispin_*: checks, the plan, dispatch. */
#include <genmath/multispin.h>

#include <math.h>
#include <stdlib.h>

#include "host/ising_check.h"
#include "host/multispin_lattice.h"

struct gm_multispin_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_multispin_problem problem;
    gm_multispin_info info;
    int32_t axes;
    uint32_t *masks; /* of the problem */
    void *state;     /* the backend's */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status prepare(gm_context *context, const gm_multispin_model *model,
                         gm_multispin_plan *made) {
    GM_TRY(gm_multispin_lattice_plan(context, model, &made->problem, &made->info, &made->masks));
    made->axes = model->axes;
    return made->backend->multispin_prepare != NULL
               ? made->backend->multispin_prepare(&context->call, &made->problem, &made->state)
               : GM_STATUS_OK;
}

gm_status gm_multispin_plan_create(gm_context *context, const gm_multispin_model *model,
                                   gm_multispin_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    const gm_backend *backend = GM_BACKEND_WITH(context, multispin_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_multispin_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    const gm_status status = prepare(context, model, made);
    if (status != GM_STATUS_OK) {
        gm_multispin_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_multispin_plan_destroy(gm_multispin_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->multispin_release != NULL) {
        plan->backend->multispin_release(&plan->context->call, plan->state);
    }
    free(plan->masks);
    free(plan);
}

gm_status gm_multispin_plan_info(const gm_multispin_plan *plan, gm_multispin_info *info) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, info != NULL, GM_STATUS_INVALID_ARGUMENT, "info is NULL");
    *info = plan->info;
    return GM_STATUS_OK;
}

/* ---- packing --------------------------------------------------------------------------------- */

static void enter_spins(const gm_tensor *spins, const gm_tensor *packed, gm_multispin_spins *a) {
    a->chains = spins->shape[0];
    a->spins = spins->data;
    a->packed = packed->data;
    for (int axis = 0; axis < 2; ++axis) {
        a->spins_stride[axis] = spins->stride[axis];
        a->packed_stride[axis] = packed->stride[axis];
    }
}

static gm_status check_shapes(const gm_multispin_plan *plan, const gm_tensor *spins,
                              const gm_tensor *packed) {
    gm_context *context = plan->context;
    GM_TRY(gm_check_size(context, "spins", spins, 1, plan->info.sites, "the model's sites"));
    GM_TRY(gm_check_size(context, "packed", packed, 0, spins->shape[0], "as in spins"));
    GM_TRY(gm_check_size(context, "packed", packed, 1, plan->info.words, "the plan's words"));
    return gm_check_disjoint(context, "packed", packed, "spins", spins, false);
}

static gm_status convert(const gm_multispin_plan *plan, const gm_multispin_spins *arrays) {
    return arrays->chains == 0 ? GM_STATUS_OK
                               : plan->backend->multispin_convert(
                                     &plan->context->call, &plan->problem, plan->state, arrays);
}

gm_status gm_multispin_pack(const gm_multispin_plan *plan, const gm_tensor *spins,
                            const gm_tensor *packed, const gm_tensor *status) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_TRY(gm_check_tensor(context, "spins", spins, 2, GM_DTYPE_BIT(GM_I8)));
    GM_TRY(gm_check_output(context, "packed", packed, 2, GM_DTYPE_BIT(GM_U32)));
    GM_TRY(check_shapes(plan, spins, packed));
    GM_TRY(gm_check_output(context, "status", status, 1, GM_DTYPE_BIT(GM_I32)));
    GM_TRY(gm_check_size(context, "status", status, 0, spins->shape[0], "as in spins"));
    GM_TRY(gm_check_disjoint(context, "status", status, "spins", spins, false));
    GM_TRY(gm_check_disjoint(context, "status", status, "packed", packed, false));
    gm_multispin_spins arrays = {.status = status->data, .status_stride = status->stride[0]};
    enter_spins(spins, packed, &arrays);
    return convert(plan, &arrays);
}

gm_status gm_multispin_unpack(const gm_multispin_plan *plan, const gm_tensor *packed,
                              const gm_tensor *spins) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_TRY(gm_check_tensor(context, "packed", packed, 2, GM_DTYPE_BIT(GM_U32)));
    GM_TRY(gm_check_output(context, "spins", spins, 2, GM_DTYPE_BIT(GM_I8)));
    GM_TRY(check_shapes(plan, spins, packed));
    gm_multispin_spins arrays = {.status = NULL};
    enter_spins(spins, packed, &arrays);
    return convert(plan, &arrays);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The noise has an address for every word, and the sums stay below 2^126. */
static gm_status check_sweeps(const gm_multispin_plan *plan, const gm_ising_sweeps *run,
                              bool sums) {
    gm_context *context = plan->context;
    GM_CHECK(context, run->sweeps >= 0, GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld is negative",
             (long long)run->sweeps);
    uint64_t end;
    GM_CHECK(context,
             !__builtin_add_overflow(run->first_sweep, (uint64_t)run->sweeps, &end) &&
                 !__builtin_mul_overflow(end, (uint64_t)plan->info.words, &end) &&
                 end < (uint64_t)1 << 53,
             GM_STATUS_INVALID_ARGUMENT,
             "run.first_sweep = %llu, sweeps = %lld: the noise of a chain lasts for 2^53 / %lld",
             (unsigned long long)run->first_sweep, (long long)run->sweeps,
             (long long)plan->info.words);
    const double energy = log2((double)plan->info.energy_bound + 1);
    const double spins = log2((double)plan->info.sites + 1);
    return sums ? gm_check_sums(context, run, fmax(2 * energy, 4 * spins)) : GM_STATUS_OK;
}

gm_status gm_multispin_run(const gm_multispin_plan *plan, const gm_ising_sweeps *run,
                           const gm_tensor *beta, const gm_tensor *packed,
                           const gm_ising_result *result, gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_call *call = &context->call;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_sweeps(plan, run, result != NULL && result->sums != NULL));
    GM_TRY(gm_check_output(context, "packed", packed, 2, GM_DTYPE_BIT(GM_U32)));
    GM_TRY(gm_check_size(context, "packed", packed, 1, plan->info.words, "the plan's words"));
    GM_TRY(gm_check_tensor(context, "beta", beta, 1, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, "beta", beta, 0, packed->shape[0], "as in packed"));
    GM_TRY(gm_check_disjoint(context, "packed", packed, "beta", beta, false));
    gm_multispin_arrays arrays = {.run = {.seed = run->seed,
                                          .first_chain = run->first_chain,
                                          .first_sweep = run->first_sweep,
                                          .sweeps = run->sweeps,
                                          .chains = packed->shape[0],
                                          .beta = beta->data,
                                          .beta_stride = beta->stride[0]},
                                  .packed = packed->data,
                                  .chain_stride = packed->stride[0],
                                  .word_stride = packed->stride[1]};
    const gm_chain_tensors tensors = gm_ising_tensors("packed", packed, beta, result);
    GM_TRY(gm_ising_check_result(context, &tensors, &arrays.run));
    const size_t bytes = plan->backend->multispin_workspace != NULL
                             ? plan->backend->multispin_workspace(call, &plan->problem, plan->state,
                                                                  arrays.run.chains)
                             : 0;
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_chain_scratch(context, &tensors, needed, workspace));
    arrays.run.workspace = workspace->data;
    return arrays.run.chains == 0
               ? GM_STATUS_OK
               : plan->backend->multispin_run(call, &plan->problem, plan->state, &arrays);
}

gm_multispin_parts gm_multispin_plan_parts(const gm_multispin_plan *plan) {
    return (gm_multispin_parts){plan->context, plan->backend, &plan->problem, plan->axes,
                                plan->state};
}
