/* genmath chain ising --packed: multi-spin coded chains. */
#include <genmath/multispin.h>

#include "host/cli/chain_ising.h"
#include "host/internal.h"

static gm_status run_sweeps(const gm_chain_place *c, const gm_ising_sweeps *sweeps, bool sums,
                            gm_workspace *workspace) {
    const gm_ising_workplace *w = c->plan;
    const gm_ising_result result = {.sums = &c->device_sums};
    return gm_multispin_run(w->packed, sweeps, &c->device_beta, &w->device_packed,
                            sums ? &result : NULL, workspace);
}

/* All axes; asked how much is needed, the most of them. */
static gm_status correlate(gm_chain_place *c, gm_workspace *workspace) {
    const gm_ising_workplace *w = c->plan;
    const gm_chain_axes axes = gm_chain_correlations_axes(c->settings);
    const bool asks = workspace->data == NULL;
    size_t most = workspace->bytes;
    for (int32_t a = axes.first; a < axes.end; ++a) {
        const gm_multispin_distances distances = {a, 1, c->settings->reach};
        GM_TRY(gm_multispin_correlations(w->packed, &distances, &w->device_packed,
                                         &c->correlations.device_sums, workspace));
        most = workspace->bytes > most ? workspace->bytes : most;
    }
    workspace->bytes = asks ? most : workspace->bytes;
    return GM_STATUS_OK;
}

gm_status gm_packed_plan(const gm_ising_settings *s, gm_ising_workplace *w) {
    const gm_chain_settings *l = &s->chain;
    gm_chain_place *c = &w->chain;
    gm_multispin_model model = {
        .lattice = l->lattice == GM_LATTICE_HEXAGONAL ? GM_MULTISPIN_HONEYCOMB : GM_MULTISPIN_GRID,
        .axes = l->axes,
        .update = s->update,
        .field = s->field};
    for (int32_t a = 0; a < l->axes; ++a) {
        model.size[a] = l->size[a];
        model.periodic[a] = !l->free_edges;
    }
    gm_multispin_info info;
    GM_TRY(gm_multispin_plan_create(c->context, &model, &w->packed));
    GM_TRY(gm_multispin_plan_info(w->packed, &info));
    c->sites = info.sites;
    c->quantum = info.quantum;
    c->plan = w;
    c->run = run_sweeps;
    c->correlate = correlate;
    return GM_STATUS_OK;
}

/* The spins are this program's own, so none is bad. */
gm_status gm_packed_pack(gm_ising_workplace *w) {
    gm_chain_place *c = &w->chain;
    gm_multispin_info info;
    GM_TRY(gm_multispin_plan_info(w->packed, &info));
    const int64_t shape[2] = {c->chains, info.words};
    GM_TRY(gm_tensor_view(NULL, GM_U32, 2, shape, &w->device_packed));
    GM_TRY(gm_tensor_view(NULL, GM_I32, 1, shape, &w->device_status));
    const size_t bytes = (size_t)(c->chains * info.words) * sizeof(uint32_t);
    GM_TRY(gm_memory_alloc(c->context, bytes, &w->device_packed.data));
    GM_TRY(
        gm_memory_alloc(c->context, (size_t)c->chains * sizeof(int32_t), &w->device_status.data));
    return gm_multispin_pack(w->packed, &c->device_state, &w->device_packed, &w->device_status);
}

gm_status gm_packed_unpack(gm_ising_workplace *w) {
    return gm_multispin_unpack(w->packed, &w->device_packed, &w->chain.device_state);
}

void gm_packed_close(gm_ising_workplace *w) {
    gm_memory_free(w->chain.context, w->device_packed.data);
    gm_memory_free(w->chain.context, w->device_status.data);
    gm_multispin_plan_destroy(w->packed);
}
