/* Checks that the runs of discrete models share. */
#include "host/chain_check.h"

#include <math.h>

gm_status gm_check_sums(gm_context *context, const gm_ising_sweeps *run, double bits) {
    GM_CHECK(context, log2((double)run->sweeps + 1) + bits < 126, GM_STATUS_INVALID_ARGUMENT,
             "run.sweeps = %lld: the sums of so many do not fit into 128 bits; cut the run",
             (long long)run->sweeps);
    return GM_STATUS_OK;
}

gm_status gm_check_sweeps(gm_context *context, const gm_ising_sweeps *run, int32_t blocks,
                          double bits) {
    GM_CHECK(context, run->sweeps >= 0, GM_STATUS_INVALID_ARGUMENT, "run.sweeps = %lld is negative",
             (long long)run->sweeps);
    uint64_t end;
    GM_CHECK(context,
             !__builtin_add_overflow(run->first_sweep, (uint64_t)run->sweeps, &end) &&
                 !__builtin_mul_overflow(end, (uint64_t)blocks, &end) && end < (uint64_t)1 << 48,
             GM_STATUS_INVALID_ARGUMENT,
             "run.first_sweep = %llu, sweeps = %lld: the noise of a chain lasts for 2^48 / %d",
             (unsigned long long)run->first_sweep, (long long)run->sweeps, (int)blocks);
    return bits < 0 ? GM_STATUS_OK : gm_check_sums(context, run, bits);
}

gm_status gm_check_chains(gm_context *context, const gm_chain_tensors *t, gm_dtype dtype,
                          int64_t sites) {
    GM_TRY(gm_check_output(context, t->name, t->state, 2, GM_DTYPE_BIT(dtype)));
    GM_TRY(gm_check_size(context, t->name, t->state, 1, sites, "the model's sites"));
    GM_TRY(gm_check_tensor(context, "beta", t->beta, 1, GM_DTYPE_BIT(GM_F64)));
    GM_CHECK(context, t->beta->shape[0] == t->state->shape[0], GM_STATUS_SHAPE_MISMATCH,
             "beta.shape[0] = %lld: must be %lld, as in %s", (long long)t->beta->shape[0],
             (long long)t->state->shape[0], t->name);
    return gm_check_disjoint(context, t->name, t->state, "beta", t->beta, false);
}

/* The first axis of a result is that of the chains, and it shares no memory with the inputs. */
static gm_status check_result(gm_context *context, const gm_chain_tensors *t, const char *name,
                              const gm_tensor *result) {
    GM_CHECK(context, result->shape[0] == t->state->shape[0], GM_STATUS_SHAPE_MISMATCH,
             "%s.shape[0] = %lld: must be %lld, as in %s", name, (long long)result->shape[0],
             (long long)t->state->shape[0], t->name);
    GM_TRY(gm_check_disjoint(context, name, result, t->name, t->state, false));
    return gm_check_disjoint(context, name, result, "beta", t->beta, false);
}

gm_status gm_check_chain_sums(gm_context *context, const gm_chain_tensors *t) {
    if (t->sums == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, "result.sums", t->sums, 3, GM_DTYPE_BIT(GM_U64)));
    GM_TRY(gm_check_size(context, "result.sums", t->sums, 1, t->count, t->count_name));
    GM_TRY(gm_check_size(context, "result.sums", t->sums, 2, 2, "the words of a sum"));
    return check_result(context, t, "result.sums", t->sums);
}

gm_status gm_check_chain_status(gm_context *context, const gm_chain_tensors *t) {
    if (t->status == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, "result.status", t->status, 1, GM_DTYPE_BIT(GM_I32)));
    GM_TRY(check_result(context, t, "result.status", t->status));
    return gm_check_disjoint(context, "result.status", t->status, "result.sums", t->sums, false);
}

gm_status gm_check_chain_energy(gm_context *context, const gm_chain_tensors *t) {
    if (t->energy == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, "result.energy", t->energy, 1, GM_DTYPE_BIT(GM_I64)));
    GM_TRY(check_result(context, t, "result.energy", t->energy));
    GM_TRY(gm_check_disjoint(context, "result.energy", t->energy, "result.sums", t->sums, false));
    return gm_check_disjoint(context, "result.energy", t->energy, "result.status", t->status,
                             false);
}

gm_status gm_check_chain_scratch(gm_context *context, const gm_chain_tensors *t, size_t bytes,
                                 const gm_workspace *workspace) {
    gm_tensor scratch;
    GM_TRY(gm_check_workspace(context, "the plan", bytes, workspace->data, workspace->bytes,
                              &scratch));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, t->name, t->state, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "beta", t->beta, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "result.sums", t->sums, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "result.status", t->status, false));
    return gm_check_disjoint(context, "workspace", &scratch, "result.energy", t->energy, false);
}
