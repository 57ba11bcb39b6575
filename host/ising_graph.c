/* The problem of an Ising model: its own checks, and the graph that it shares with other models. */
#include "host/ising_graph.h"

#include <stdlib.h>

#include "host/chain_graph.h"

gm_status gm_ising_graph(gm_context *context, const gm_ising_model *m, gm_ising_problem *problem,
                         gm_ising_info *info, void **memory) {
    *memory = NULL;
    GM_CHECK(context, (unsigned)m->spins <= GM_ISING_BITS, GM_STATUS_INVALID_ARGUMENT,
             "model.spins = %d is none", (int)m->spins);
    GM_CHECK(context, (unsigned)m->update <= GM_ISING_LAZY_METROPOLIS, GM_STATUS_INVALID_ARGUMENT,
             "model.update = %d is none", (int)m->update);
    GM_CHECK(context, (unsigned)m->order <= GM_ISING_RASTER, GM_STATUS_INVALID_ARGUMENT,
             "model.order = %d is none", (int)m->order);
    const gm_graph_model model = {.sites = m->sites,
                                  .edges = m->edges,
                                  .ends = m->ends,
                                  .coupling = m->coupling,
                                  .field = m->field,
                                  .clamped = m->clamped,
                                  .labels = 1,
                                  .coloured = m->order == GM_ISING_COLOURED,
                                  .connected = m->connected != 0};
    gm_chain_graph g;
    const gm_status status = gm_chain_graph_make(context, &model, &g);
    if (status != GM_STATUS_OK) {
        free(g.memory);
        return status;
    }
    *memory = g.memory;
    *problem =
        (gm_ising_problem){.spins = m->spins,
                           .update = m->update,
                           .order = m->order,
                           .sites = g.sites,
                           .positions = g.positions,
                           .free_sites = g.free_sites,
                           .colours = g.colours,
                           .reach = (int32_t)g.reach,
                           .blocks = g.blocks,
                           .neighbours = g.neighbours,
                           .log_odds = m->spins == GM_ISING_SIGNS ? 2 * g.quantum : g.quantum,
                           .site = g.site,
                           .colour = g.colour,
                           .first = g.first,
                           .neighbour = g.neighbour,
                           .coupling = g.coupling,
                           .field = g.field};
    *info = (gm_ising_info){.colours = model.coloured ? g.colours : 0,
                            .quantum = g.quantum,
                            .rounding = g.rounding,
                            .reach = g.reach,
                            .energy_bound = g.energy_bound,
                            .components = g.components};
    return GM_STATUS_OK;
}
