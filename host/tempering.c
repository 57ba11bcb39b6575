/* gm_tempering_*: checks, the plan, and the run: stretches of sweeps with exchanges between. */
#include <genmath/tempering.h>

#include <math.h>
#include <stdlib.h>

#include "host/chain_model.h"
#include "host/internal.h"
#include "host/tempering_args.h"

struct gm_tempering_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_chain_model model;
    int64_t temperatures;
    gm_tempering_pairs pairs;
    void *ladder; /* (temperatures) F64, in the backend's memory */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_tempering(gm_context *context, const gm_tempering *t,
                                 gm_chain_model *model) {
    GM_CHECK(context, t != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering is NULL");
    GM_TRY(gm_choose_chain_model(context, "tempering", t->ising, t->potts, model));
    GM_CHECK(context, t->temperatures >= 1 && t->temperatures <= GM_TEMPERING_MOST,
             GM_STATUS_INVALID_ARGUMENT, "tempering.temperatures = %lld: must be in 1 .. %d",
             (long long)t->temperatures, GM_TEMPERING_MOST);
    GM_CHECK(context, t->beta != NULL, GM_STATUS_INVALID_ARGUMENT, "tempering.beta is NULL");
    for (int64_t k = 0; k < t->temperatures; ++k) {
        GM_CHECK(context, isfinite(t->beta[k]), GM_STATUS_INVALID_ARGUMENT,
                 "tempering.beta[%lld] = %g: must be finite", (long long)k, t->beta[k]);
    }
    GM_CHECK(context, (int)t->pairs >= 0 && t->pairs <= GM_TEMPERING_RANDOM,
             GM_STATUS_INVALID_ARGUMENT, "tempering.pairs = %d is no gm_tempering_pairs",
             (int)t->pairs);
    return GM_STATUS_OK;
}

static gm_status make_plan(gm_context *context, const gm_tempering *tempering,
                           gm_tempering_plan *made) {
    const size_t bytes = (size_t)tempering->temperatures * sizeof(double);
    GM_TRY(gm_memory_alloc(context, bytes, &made->ladder));
    return gm_memory_upload(context, made->ladder, tempering->beta, bytes);
}

gm_status gm_tempering_plan_create(gm_context *context, const gm_tempering *tempering,
                                   gm_tempering_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    gm_chain_model model;
    GM_TRY(check_tempering(context, tempering, &model));
    const gm_backend *backend = GM_BACKEND_WITH(context, tempering_swap);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_tempering_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    *made = (gm_tempering_plan){.context = context,
                                .backend = backend,
                                .model = model,
                                .temperatures = tempering->temperatures,
                                .pairs = tempering->pairs};
    const gm_status status = make_plan(context, tempering, made);
    if (status != GM_STATUS_OK) {
        gm_tempering_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_tempering_plan_destroy(gm_tempering_plan *plan) {
    if (plan == NULL) {
        return;
    }
    (void)gm_memory_free(plan->context, plan->ladder);
    free(plan);
}

/* ---- checks of a run ------------------------------------------------------------------------- */

static gm_status check_swaps(const gm_tempering_plan *plan, const gm_tempering_swaps *run,
                             bool sums) {
    gm_context *context = plan->context;
    GM_CHECK(context, run->swaps >= 0 && run->swaps <= INT64_C(1) << 30, GM_STATUS_INVALID_ARGUMENT,
             "run.swaps = %lld: must be in 0 .. 2^30", (long long)run->swaps);
    GM_CHECK(context, run->sweeps >= 1, GM_STATUS_INVALID_ARGUMENT,
             "run.sweeps = %lld: must be >= 1", (long long)run->sweeps);
    uint64_t last, end;
    GM_CHECK(context,
             !__builtin_add_overflow(run->first_swap, (uint64_t)run->swaps, &last) &&
                 !__builtin_mul_overflow(last, (uint64_t)gm_tempering_blocks(plan->temperatures),
                                         &end) &&
                 end < UINT64_C(1) << 48,
             GM_STATUS_INVALID_ARGUMENT,
             "run.first_swap = %llu: the noise of a ladder lasts for 2^48 / %lld swaps",
             (unsigned long long)run->first_swap,
             (long long)gm_tempering_blocks(plan->temperatures));
    gm_chain_sweeps all = {.seed = run->seed};
    GM_CHECK(context,
             !__builtin_mul_overflow(run->first_swap, (uint64_t)run->sweeps, &all.first_sweep) &&
                 !__builtin_mul_overflow(run->swaps, run->sweeps, &all.sweeps),
             GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld: more than 2^63 sweeps",
             (long long)run->sweeps);
    return plan->model.check(plan->model.plan, &all, sums);
}

/* The user's arrays into the arguments; the first error of any. */
static gm_status check_arrays(const gm_tempering_plan *plan, const gm_tempering_state *state,
                              const gm_tempering_result *result, gm_tempering_args *a,
                              gm_array_list *list) {
    gm_context *c = plan->context;
    const int64_t temperatures = plan->temperatures;
    GM_TRY(gm_check_layout(c, "state.level", state->level, 2, GM_DTYPE_BIT(GM_I32)));
    a->ladders = state->level->shape[0];
    int64_t chains;
    GM_CHECK(c, gm_multiply_sizes(a->ladders, temperatures, &chains), GM_STATUS_INVALID_ARGUMENT,
             "state.level.shape[0] = %lld: too many ladders", (long long)a->ladders);
    const int64_t spins[2] = {chains, plan->model.sites}, per_chain[2] = {a->ladders, temperatures};
    const int64_t sums[4] = {a->ladders, temperatures, plan->model.sums, 2};
    const int64_t swaps[3] = {a->ladders, temperatures - 1, GM_TEMPERING_COUNTS};
    int64_t unused[2];
    GM_CHECK(c, state->spins != NULL, GM_STATUS_INVALID_ARGUMENT, "state.spins is NULL");
    GM_CHECK(c, state->label != NULL, GM_STATUS_INVALID_ARGUMENT, "state.label is NULL");
    GM_TRY(
        gm_list_array(c, list, "state.spins", state->spins, plan->model.dtype, 2, spins, unused));
    GM_TRY(
        gm_list_array(c, list, "state.level", state->level, GM_I32, 2, per_chain, a->level_stride));
    GM_TRY(
        gm_list_array(c, list, "state.label", state->label, GM_I32, 2, per_chain, a->label_stride));
    a->level = state->level->data;
    a->label = state->label->data;
    if (result == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_list_array(c, list, "result.sums", result->sums, GM_U64, 4, sums, a->sums_stride));
    GM_TRY(
        gm_list_array(c, list, "result.swaps", result->swaps, GM_I64, 3, swaps, a->swaps_stride));
    GM_TRY(gm_list_array(c, list, "result.trips", result->trips, GM_I64, 2, per_chain,
                         a->trips_stride));
    GM_TRY(gm_list_array(c, list, "result.energy", result->energy, GM_I64, 1, &chains,
                         &a->energy_stride));
    GM_TRY(gm_list_array(c, list, "result.status", result->status, GM_I32, 1, &a->ladders,
                         &a->status_stride));
    a->sums = result->sums != NULL ? result->sums->data : NULL;
    a->swaps = result->swaps != NULL ? result->swaps->data : NULL;
    a->trips = result->trips != NULL ? result->trips->data : NULL;
    a->energy = result->energy != NULL ? result->energy->data : NULL;
    a->status = result->status != NULL ? result->status->data : NULL;
    return GM_STATUS_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* The arrays of the workspace as the model sees them. */
typedef struct stage {
    gm_tensor ladder, beta, energy, sums, status;
    gm_workspace model;
} stage;

/* Lays the workspace out; with data NULL it is only measured. Returns its size. */
static size_t set_stage(const gm_tempering_plan *plan, char *data, size_t model_bytes,
                        gm_tempering_args *a, stage *s) {
    const int64_t chains = a->ladders * plan->temperatures;
    const size_t n = (size_t)chains;
    size_t used = 0;
    a->beta = gm_take_lines(data, &used, n * sizeof *a->beta);
    int32_t *status = gm_take_lines(data, &used, n * sizeof *status);
    a->chain_status = status;
    a->ladder_status = gm_take_lines(data, &used, (size_t)a->ladders * sizeof *a->ladder_status);
    if (a->energy == NULL) {
        a->energy = gm_take_lines(data, &used, n * sizeof *a->energy);
        a->energy_stride = 1;
    }
    uint64_t *sums = NULL;
    if (a->sums != NULL) {
        sums = gm_take_lines(data, &used, 2 * n * (size_t)a->sums_count * sizeof *sums);
    }
    a->chain_sums = sums;
    s->model.bytes = model_bytes;
    s->model.data = gm_take_lines(data, &used, model_bytes);
    s->ladder = gm_tensor_1d(plan->ladder, GM_F64, chains);
    s->ladder.stride[0] = 0;
    s->beta = gm_tensor_1d(a->beta, GM_F64, chains);
    s->status = gm_tensor_1d(status, GM_I32, chains);
    s->energy = gm_tensor_1d(a->energy, GM_I64, chains);
    s->energy.stride[0] = a->energy_stride;
    s->sums = gm_tensor_3d(sums, GM_U64, chains, a->sums_count, 2);
    return used;
}

/* All of it is enqueued; nothing is waited for. */
static gm_status run_stretches(const gm_tempering_plan *plan, const gm_tempering_swaps *run,
                               const gm_tensor *spins, gm_tempering_args *a, stage *s) {
    const gm_chain_model *model = &plan->model;
    gm_call *call = &plan->context->call;
    gm_chain_sweeps sweeps = {.seed = run->seed,
                              .first_chain = run->first_ladder * (uint64_t)plan->temperatures,
                              .first_sweep = run->first_swap * (uint64_t)run->sweeps,
                              .beta = &s->ladder,
                              .spins = spins,
                              .status = &s->status,
                              .energy = &s->energy,
                              .keeps = true,
                              .holds = run->swaps > 0};
    GM_TRY(model->run(model->plan, &sweeps, &s->model)); /* energies and bad chains */
    GM_TRY(plan->backend->tempering_begin(call, a));
    sweeps.beta = &s->beta;
    sweeps.sums = a->sums != NULL ? &s->sums : NULL;
    sweeps.status = NULL;
    sweeps.sweeps = run->sweeps;
    sweeps.resumes = true;
    for (int64_t k = 0; k < run->swaps; ++k) {
        sweeps.holds = k + 1 < run->swaps;
        GM_TRY(model->run(model->plan, &sweeps, &s->model));
        GM_TRY(plan->backend->tempering_swap(call, a));
        sweeps.first_sweep += (uint64_t)run->sweeps;
        ++a->swap;
    }
    return GM_STATUS_OK;
}

gm_status gm_tempering_run(const gm_tempering_plan *plan, const gm_tempering_swaps *run,
                           const gm_tempering_state *state, const gm_tempering_result *result,
                           gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, state != NULL, GM_STATUS_INVALID_ARGUMENT, "state is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_swaps(plan, run, result != NULL && result->sums != NULL));
    gm_tempering_args args = {.temperatures = plan->temperatures,
                              .pairs = plan->pairs,
                              .seed = run->seed,
                              .first_ladder = run->first_ladder,
                              .swap = run->first_swap,
                              .quantum = plan->model.quantum,
                              .ladder = plan->ladder,
                              .sums_count = plan->model.sums};
    gm_array_list list = {.count = 0};
    GM_TRY(check_arrays(plan, state, result, &args, &list));
    gm_tensor ladder = gm_tensor_1d(plan->ladder, GM_F64, args.ladders * plan->temperatures);
    ladder.stride[0] = 0;
    gm_workspace model_space = {0};
    const gm_chain_sweeps none = {.beta = &ladder, .spins = state->spins, .keeps = true};
    GM_TRY(plan->model.run(plan->model.plan, &none, &model_space)); /* only asks */
    gm_tempering_args measured = args;
    stage s;
    const size_t bytes = set_stage(plan, NULL, model_space.bytes, &measured, &s);
    if (workspace->data == NULL) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_list_workspace(context, &list, bytes, workspace));
    set_stage(plan, workspace->data, model_space.bytes, &args, &s);
    return args.ladders == 0 ? GM_STATUS_OK : run_stretches(plan, run, state->spins, &args, &s);
}
