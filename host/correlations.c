/* gm_correlations_*, gm_multispin_correlations: checks, the plan, dispatch. */
#include <genmath/correlations.h>

#include <stdlib.h>
#include <string.h>

#include "host/chain_model.h"
#include "host/correlations_args.h"
#include "host/multispin_lattice.h"

enum { MOST_SITES = 1 << 30, MOST_GROUPS = 1 << 24 };

struct gm_correlations_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_correlations_problem problem;
    int64_t *first; /* both of them; these three are the problem's */
    int32_t *ends;
    gm_pair_run *runs;
    void *state; /* the backend's */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_model(gm_context *context, const gm_correlations_model *m) {
    GM_CHECK(context, m->sites >= 0 && m->sites <= MOST_SITES, GM_STATUS_INVALID_ARGUMENT,
             "model.sites = %lld: must be in 0 .. 2^30", (long long)m->sites);
    GM_CHECK(context, m->groups >= 0 && m->groups <= MOST_GROUPS, GM_STATUS_INVALID_ARGUMENT,
             "model.groups = %lld: must be in 0 .. 2^24", (long long)m->groups);
    GM_CHECK(context, m->q == 0 || (m->q >= 2 && m->q <= 256), GM_STATUS_INVALID_ARGUMENT,
             "model.q = %d: must be 0 or in 2 .. 256", (int)m->q);
    GM_CHECK(context, m->spins == GM_ISING_SIGNS || m->spins == GM_ISING_BITS,
             GM_STATUS_INVALID_ARGUMENT, "model.spins = %d is unknown", (int)m->spins);
    GM_CHECK(context, m->first != NULL, GM_STATUS_INVALID_ARGUMENT, "model.first is NULL");
    GM_CHECK(context, m->first[0] == 0, GM_STATUS_INVALID_ARGUMENT,
             "model.first[0] = %lld: must be 0", (long long)m->first[0]);
    for (int64_t g = 0; g < m->groups; ++g) {
        GM_CHECK(context,
                 m->first[g + 1] >= m->first[g] && m->first[g + 1] - m->first[g] <= INT32_MAX,
                 GM_STATUS_INVALID_ARGUMENT,
                 "model.first[%lld] = %lld after %lld: a group has 0 .. 2^31 - 1 pairs",
                 (long long)g + 1, (long long)m->first[g + 1], (long long)m->first[g]);
    }
    const int64_t pairs = m->first[m->groups];
    GM_CHECK(context, pairs == 0 || m->ends != NULL, GM_STATUS_INVALID_ARGUMENT,
             "model.ends is NULL");
    for (int64_t k = 0; k < 2 * pairs; ++k) {
        GM_CHECK(context, m->ends[k] >= 0 && m->ends[k] < m->sites, GM_STATUS_INVALID_ARGUMENT,
                 "model.ends[%lld, %lld] = %d: is no site", (long long)(k / 2), (long long)(k % 2),
                 (int)m->ends[k]);
    }
    return GM_STATUS_OK;
}

/* The pairs of each group as runs, or only their number. */
static int64_t find_runs(const gm_correlations_model *m, int64_t *first_run, gm_pair_run *runs) {
    int64_t count = 0;
    for (int64_t g = 0; g < m->groups; ++g) {
        const int64_t begin = m->first[g];
        if (first_run != NULL) {
            first_run[g] = count;
        }
        for (int64_t k = begin; k < m->first[g + 1]; ++k) {
            const int32_t a = m->ends[2 * k], b = m->ends[2 * k + 1];
            const bool follows =
                k > begin && a == m->ends[2 * k - 2] + 1 && b == m->ends[2 * k - 1] + 1;
            count += !follows;
            if (runs != NULL && !follows) {
                runs[count - 1] = (gm_pair_run){a, b, 0};
            }
            if (runs != NULL) {
                runs[count - 1].length += 1;
            }
        }
    }
    if (first_run != NULL) {
        first_run[m->groups] = count;
    }
    return count;
}

static gm_status copy_pairs(gm_context *context, const gm_correlations_model *m,
                            gm_correlations_plan *made) {
    const int64_t pairs = m->first[m->groups], groups = m->groups, runs = find_runs(m, NULL, NULL);
    int64_t bytes;
    GM_CHECK(context, gm_multiply_sizes(pairs, 2 * (int64_t)sizeof *made->runs, &bytes),
             GM_STATUS_OUT_OF_MEMORY, "no memory for %lld pairs", (long long)pairs);
    made->first = malloc((size_t)(2 * groups + 2) * sizeof *made->first);
    made->ends = malloc((size_t)(2 * pairs + 1) * sizeof *made->ends);
    made->runs = malloc((size_t)(runs + 1) * sizeof *made->runs);
    GM_CHECK(context, made->first != NULL && made->ends != NULL && made->runs != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for the pairs");
    memcpy(made->first, m->first, (size_t)(groups + 1) * sizeof *made->first);
    if (pairs > 0) {
        memcpy(made->ends, m->ends, (size_t)(2 * pairs) * sizeof *made->ends);
    }
    (void)find_runs(m, made->first + groups + 1, made->runs);
    made->problem = (gm_correlations_problem){.sites = m->sites,
                                              .groups = groups,
                                              .pairs = pairs,
                                              .run_count = runs,
                                              .q = m->q,
                                              .spins = m->spins,
                                              .first = made->first,
                                              .ends = made->ends,
                                              .first_run = made->first + groups + 1,
                                              .runs = made->runs};
    return GM_STATUS_OK;
}

static gm_status prepare(gm_context *context, const gm_correlations_model *model,
                         gm_correlations_plan *made) {
    GM_TRY(check_model(context, model));
    GM_TRY(copy_pairs(context, model, made));
    return made->backend->correlations_prepare != NULL
               ? made->backend->correlations_prepare(&context->call, &made->problem, &made->state)
               : GM_STATUS_OK;
}

gm_status gm_correlations_plan_create(gm_context *context, const gm_correlations_model *model,
                                      gm_correlations_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    const gm_backend *backend = GM_BACKEND_WITH(context, correlations_add);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_correlations_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    const gm_status status = prepare(context, model, made);
    if (status != GM_STATUS_OK) {
        gm_correlations_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_correlations_plan_destroy(gm_correlations_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->correlations_release != NULL) {
        plan->backend->correlations_release(&plan->context->call, plan->state);
    }
    free(plan->first);
    free(plan->ends);
    free(plan->runs);
    free(plan);
}

/* ---- a measurement --------------------------------------------------------------------------- */

/* The states, which are only read: any strides, and apart from what is written. */
static gm_status check_states(gm_context *context, const gm_array_list *written, const char *name,
                              const gm_tensor *states, gm_dtype dtype, int64_t size) {
    GM_TRY(gm_check_tensor(context, name, states, 2, GM_DTYPE_BIT(dtype)));
    GM_TRY(gm_check_size(context, name, states, 1, size, "as the plan has it"));
    for (int i = 0; i < written->count; ++i) {
        GM_TRY(
            gm_check_disjoint(context, written->name[i], written->tensor[i], name, states, false));
    }
    return GM_STATUS_OK;
}

/* Says how much is needed, or checks that it is there and apart from all. */
static gm_status check_scratch(gm_context *context, gm_array_list *list, const char *name,
                               const gm_tensor *states, size_t bytes, gm_workspace *workspace) {
    const size_t needed = (bytes + 64) / 64 * 64; /* whole lines, one at the least */
    if (workspace->data == NULL) {
        workspace->bytes = needed;
        return GM_STATUS_OK;
    }
    list->name[list->count] = name;
    list->tensor[list->count++] = states;
    return gm_list_workspace(context, list, needed, workspace);
}

gm_status gm_correlations_add(const gm_correlations_plan *plan, const gm_tensor *states,
                              const gm_tensor *sums, const gm_tensor *status,
                              gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_correlations_problem *p = &plan->problem;
    const gm_dtype dtype = p->q > 0 ? GM_U8 : GM_I8;
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_check_tensor(context, "states", states, 2, GM_DTYPE_BIT(dtype)));
    GM_CHECK(context, sums != NULL, GM_STATUS_INVALID_ARGUMENT, "sums is NULL");
    GM_CHECK(context, status != NULL, GM_STATUS_INVALID_ARGUMENT, "status is NULL");
    gm_correlations_arrays a = {.chains = states->shape[0], .states = states->data};
    const int64_t shape[2] = {a.chains, p->groups};
    gm_array_list list = {.count = 0};
    GM_TRY(gm_list_array(context, &list, "sums", sums, GM_I64, 2, shape, a.sums_stride));
    GM_TRY(gm_list_array(context, &list, "status", status, GM_I32, 1, shape, &a.status_stride));
    GM_TRY(check_states(context, &list, "states", states, dtype, p->sites));
    a.states_stride[0] = states->stride[0];
    a.states_stride[1] = states->stride[1];
    a.sums = sums->data;
    a.status = status->data;
    const size_t bytes = plan->backend->correlations_workspace != NULL
                             ? plan->backend->correlations_workspace(&context->call, p, a.chains)
                             : 0;
    const bool asks = workspace->data == NULL;
    GM_TRY(check_scratch(context, &list, "states", states, bytes, workspace));
    a.workspace = workspace->data;
    return asks || a.chains == 0
               ? GM_STATUS_OK
               : plan->backend->correlations_add(&context->call, p, plan->state, &a);
}

/* ---- packed lattices ------------------------------------------------------------------------- */

static gm_status check_distances(gm_context *context, const gm_multispin_problem *p,
                                 const gm_multispin_distances *d, int32_t axes) {
    GM_CHECK(context, d != NULL, GM_STATUS_INVALID_ARGUMENT, "distances is NULL");
    GM_CHECK(context, d->axis >= 0 && d->axis < axes, GM_STATUS_INVALID_ARGUMENT,
             "distances.axis = %d: the model has %d", (int)d->axis, (int)axes);
    const int32_t size = p->size[3 - axes + d->axis];
    GM_CHECK(context, d->first >= 0 && d->first <= size, GM_STATUS_INVALID_ARGUMENT,
             "distances.first = %lld: must be in 0 .. %d, the size of the axis",
             (long long)d->first, (int)size);
    GM_CHECK(context, d->count >= 0 && d->count <= size - d->first, GM_STATUS_INVALID_ARGUMENT,
             "distances.count = %lld after first = %lld: the axis has a size of %d",
             (long long)d->count, (long long)d->first, (int)size);
    return GM_STATUS_OK;
}

gm_status gm_multispin_correlations(const gm_multispin_plan *plan,
                                    const gm_multispin_distances *distances,
                                    const gm_tensor *packed, const gm_tensor *sums,
                                    gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    const gm_multispin_parts parts = gm_multispin_plan_parts(plan);
    gm_context *context = parts.context;
    const gm_multispin_problem *p = parts.problem;
    GM_CHECK(context, parts.backend->multispin_correlate != NULL, GM_STATUS_UNSUPPORTED,
             "multispin_correlate: the %s backend has no kernel for it", parts.backend->name);
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_distances(context, p, distances, parts.axes));
    GM_TRY(gm_check_tensor(context, "packed", packed, 2, GM_DTYPE_BIT(GM_U32)));
    GM_CHECK(context, sums != NULL, GM_STATUS_INVALID_ARGUMENT, "sums is NULL");
    gm_multispin_pairs a = {.axis = 3 - parts.axes + distances->axis,
                            .first = (int32_t)distances->first,
                            .count = (int32_t)distances->count,
                            .chains = packed->shape[0],
                            .packed = packed->data};
    const int64_t shape[2] = {a.chains, a.count};
    gm_array_list list = {.count = 0};
    GM_TRY(gm_list_array(context, &list, "sums", sums, GM_I64, 2, shape, a.sums_stride));
    GM_TRY(check_states(context, &list, "packed", packed, GM_U32, 2 * (int64_t)p->words));
    a.packed_stride[0] = packed->stride[0];
    a.packed_stride[1] = packed->stride[1];
    a.sums = sums->data;
    const size_t bytes = parts.backend->multispin_correlate_workspace != NULL
                             ? parts.backend->multispin_correlate_workspace(&context->call, p, &a)
                             : 0;
    const bool asks = workspace->data == NULL;
    GM_TRY(check_scratch(context, &list, "packed", packed, bytes, workspace));
    a.workspace = workspace->data;
    return asks || a.chains == 0 || a.count == 0
               ? GM_STATUS_OK
               : parts.backend->multispin_correlate(&context->call, p, parts.state, &a);
}
