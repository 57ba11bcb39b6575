/* gm_ising_*: checks, the plan, dispatch; the edges of lattices. */
#include <genmath/ising.h>

#include <math.h>
#include <stdlib.h>

#include "host/internal.h"
#include "host/ising_args.h"
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

/* ---- lattices -------------------------------------------------------------------------------- */

enum { MOST_AXES = 8 };

static gm_status check_lattice(int32_t axes, const int64_t *size, const int32_t *periodic) {
    GM_CHECK(NULL, axes >= 1 && axes <= MOST_AXES, GM_STATUS_INVALID_ARGUMENT,
             "axes = %d: must be in 1 .. %d", (int)axes, MOST_AXES);
    GM_CHECK(NULL, size != NULL, GM_STATUS_INVALID_ARGUMENT, "size is NULL");
    int64_t sites = 1;
    for (int32_t a = 0; a < axes; ++a) {
        GM_CHECK(NULL, size[a] >= 1, GM_STATUS_INVALID_ARGUMENT, "size[%d] = %lld: must be >= 1",
                 (int)a, (long long)size[a]);
        GM_CHECK(NULL, gm_multiply_sizes(sites, size[a], &sites) && sites <= 1 << 30,
                 GM_STATUS_INVALID_ARGUMENT, "size: more than 2^30 sites");
        GM_CHECK(NULL, periodic == NULL || periodic[a] == 0 || size[a] >= 3,
                 GM_STATUS_INVALID_ARGUMENT,
                 "size[%d] = %lld: a periodic axis has 3 sites or more, or a pair is joined twice",
                 (int)a, (long long)size[a]);
    }
    return GM_STATUS_OK;
}

gm_status gm_ising_lattice(int32_t axes, const int64_t *size, const int32_t *periodic,
                           int32_t *ends, int64_t *edges) {
    GM_CHECK(NULL, edges != NULL, GM_STATUS_INVALID_ARGUMENT, "edges is NULL");
    GM_TRY(check_lattice(axes, size, periodic));
    int64_t step[MOST_AXES], sites = 1, count = 0;
    for (int32_t a = axes; a-- > 0;) {
        step[a] = sites;
        sites *= size[a];
    }
    for (int64_t i = 0; i < sites; ++i) {
        for (int32_t a = 0; a < axes; ++a) {
            const int64_t x = i / step[a] % size[a];
            const bool wraps = x + 1 == size[a];
            if (wraps && (periodic == NULL || periodic[a] == 0)) {
                continue;
            }
            if (ends != NULL) {
                ends[2 * count] = (int32_t)i;
                ends[2 * count + 1] = (int32_t)(i + (wraps ? 1 - size[a] : 1) * step[a]);
            }
            ++count;
        }
    }
    *edges = count;
    return GM_STATUS_OK;
}

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
    const gm_backend *backend = GM_BACKEND_WITH(context, ising_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_ising_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
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

/* The noise has an address for every decision, and the sums stay below 2^126. */
static gm_status check_sweeps(const gm_ising_plan *plan, const gm_ising_sweeps *run, bool sums) {
    gm_context *context = plan->context;
    GM_CHECK(context, run->sweeps >= 0, GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld is negative",
             (long long)run->sweeps);
    uint64_t end;
    GM_CHECK(context,
             !__builtin_add_overflow(run->first_sweep, (uint64_t)run->sweeps, &end) &&
                 !__builtin_mul_overflow(end, (uint64_t)plan->problem.blocks, &end) &&
                 end < (uint64_t)1 << 48,
             GM_STATUS_INVALID_ARGUMENT,
             "run.first_sweep = %llu, sweeps = %lld: the noise of a chain lasts for 2^48 / %d",
             (unsigned long long)run->first_sweep, (long long)run->sweeps,
             (int)plan->problem.blocks);
    return sums ? gm_ising_check_sums(context, run->sweeps, plan->problem.sites,
                                      plan->info.energy_bound)
                : GM_STATUS_OK;
}

gm_status gm_ising_check_sums(gm_context *context, int64_t sweeps, int64_t sites,
                              int64_t energy_bound) {
    const double energy = log2((double)energy_bound + 1), spins = log2((double)sites + 1);
    GM_CHECK(context, log2((double)sweeps + 1) + fmax(2 * energy, 4 * spins) < 126,
             GM_STATUS_INVALID_ARGUMENT,
             "run.sweeps = %lld: the sums of so many do not fit into 128 bits; cut the run",
             (long long)sweeps);
    return GM_STATUS_OK;
}

gm_status gm_ising_check_result(gm_context *context, const gm_ising_result *result,
                                const gm_tensor *beta, const char *name, const gm_tensor *spins,
                                gm_ising_arrays *a) {
    if (result == NULL) {
        return GM_STATUS_OK;
    }
    if (result->sums != NULL) {
        GM_TRY(gm_check_output(context, "result.sums", result->sums, 3, GM_DTYPE_BIT(GM_U64)));
        GM_TRY(gm_check_size(context, "result.sums", result->sums, 0, a->chains, "as in spins"));
        GM_TRY(
            gm_check_size(context, "result.sums", result->sums, 1, GM_ISING_SUMS, "GM_ISING_SUMS"));
        GM_TRY(gm_check_size(context, "result.sums", result->sums, 2, 2, "the words of a sum"));
        GM_TRY(gm_check_disjoint(context, "result.sums", result->sums, name, spins, false));
        GM_TRY(gm_check_disjoint(context, "result.sums", result->sums, "beta", beta, false));
        a->sums = result->sums->data;
        for (int axis = 0; axis < 3; ++axis) {
            a->sums_stride[axis] = result->sums->stride[axis];
        }
    }
    if (result->status != NULL) {
        GM_TRY(gm_check_output(context, "result.status", result->status, 1, GM_DTYPE_BIT(GM_I32)));
        GM_TRY(
            gm_check_size(context, "result.status", result->status, 0, a->chains, "as in spins"));
        GM_TRY(gm_check_disjoint(context, "result.status", result->status, name, spins, false));
        GM_TRY(gm_check_disjoint(context, "result.status", result->status, "beta", beta, false));
        GM_TRY(gm_check_disjoint(context, "result.status", result->status, "result.sums",
                                 result->sums, false));
        a->status = result->status->data;
        a->status_stride = result->status->stride[0];
    }
    return GM_STATUS_OK;
}

gm_status gm_ising_check_scratch(gm_context *context, size_t bytes, const gm_tensor *beta,
                                 const char *name, const gm_tensor *spins,
                                 const gm_ising_result *result, const gm_workspace *workspace) {
    gm_tensor scratch;
    GM_TRY(gm_check_workspace(context, "the plan", bytes, workspace->data, workspace->bytes,
                              &scratch));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, name, spins, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "beta", beta, false));
    if (result != NULL) {
        GM_TRY(
            gm_check_disjoint(context, "workspace", &scratch, "result.sums", result->sums, false));
        GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "result.status", result->status,
                                 false));
    }
    return GM_STATUS_OK;
}

gm_status gm_ising_run(const gm_ising_plan *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                       const gm_tensor *spins, const gm_ising_result *result,
                       gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_call *call = &context->call;
    GM_CHECK(context, run != NULL, GM_STATUS_INVALID_ARGUMENT, "run is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_sweeps(plan, run, result != NULL && result->sums != NULL));
    GM_TRY(gm_check_output(context, "spins", spins, 2, GM_DTYPE_BIT(GM_I8)));
    GM_TRY(gm_check_size(context, "spins", spins, 1, plan->problem.sites, "the model's sites"));
    GM_TRY(gm_check_tensor(context, "beta", beta, 1, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_size(context, "beta", beta, 0, spins->shape[0], "as in spins"));
    GM_TRY(gm_check_disjoint(context, "spins", spins, "beta", beta, false));
    gm_ising_arrays arrays = {.seed = run->seed,
                              .first_chain = run->first_chain,
                              .first_sweep = run->first_sweep,
                              .sweeps = run->sweeps,
                              .chains = spins->shape[0],
                              .beta = beta->data,
                              .beta_stride = beta->stride[0],
                              .spins = spins->data,
                              .chain_stride = spins->stride[0],
                              .site_stride = spins->stride[1]};
    GM_TRY(gm_ising_check_result(context, result, beta, "spins", spins, &arrays));
    const size_t bytes =
        plan->backend->ising_workspace != NULL
            ? plan->backend->ising_workspace(call, &plan->problem, plan->state, arrays.chains)
            : 0;
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_ising_check_scratch(context, needed, beta, "spins", spins, result, workspace));
    arrays.workspace = workspace->data;
    return arrays.chains == 0
               ? GM_STATUS_OK
               : plan->backend->ising_run(call, &plan->problem, plan->state, &arrays);
}

double gm_ising_sum_value(const uint64_t words[2]) {
    const bool negative = (int64_t)words[1] < 0;
    const uint64_t low = negative ? 0 - words[0] : words[0];
    const uint64_t high = negative ? ~words[1] + (low == 0) : words[1];
    const double size = ldexp((double)high, 64) + (double)low;
    return negative ? -size : size;
}
