/* What the tests of Potts chains share: models on lattices, runs from host arrays on any subject.
 */
#ifndef GENMATH_TESTS_POTTS_FIXTURE_H
#define GENMATH_TESTS_POTTS_FIXTURE_H

#include "tests/ising_fixture.h"

#include <genmath/potts.h>

/* Random labels. */
static inline void draw_labels(uint64_t seed, const gm_potts_model *model, int64_t chains,
                               uint8_t *labels) {
    for (int64_t i = 0; i < chains * model->sites; ++i) {
        labels[i] = (uint8_t)((next_random(&seed) >> 40) % (uint64_t)model->q);
    }
}

/* Edges of a lattice, to be freed, as the model's ends. */
static inline int32_t *set_potts_lattice(gm_potts_model *model, int32_t axes, const int64_t *size,
                                         int periodic) {
    gm_ising_model lattice = {0};
    int32_t *ends = set_lattice(&lattice, axes, size, periodic);
    model->sites = lattice.sites;
    model->edges = lattice.edges;
    model->ends = ends;
    return ends;
}

/* ---- Potts chains as a kind ------------------------------------------------------------------ */

static inline gm_status create_potts(gm_context *context, const void *model, void **plan) {
    gm_potts_plan *made = (gm_potts_plan *)8;
    const gm_status status =
        gm_potts_plan_create(context, model, plan != NULL ? &made : (gm_potts_plan **)NULL);
    if (plan != NULL) {
        *plan = made;
    }
    return status;
}

/* Of three labels. */
static inline gm_status create_potts_on(gm_context *context, const gm_ising_model *graph,
                                        void **plan) {
    const gm_potts_model model = {.sites = graph->sites,
                                  .edges = graph->edges,
                                  .ends = graph->ends,
                                  .q = 3,
                                  .coupling = graph->coupling,
                                  .connected = graph->connected};
    return create_potts(context, &model, plan);
}

static inline gm_status potts_facts(const void *plan, chain_facts *facts) {
    gm_potts_info info;
    const gm_status status = gm_potts_plan_info(plan, &info);
    if (status == GM_STATUS_OK) {
        *facts = (chain_facts){info.quantum, info.colours, info.components, info.energy_bound};
    }
    return status;
}

static inline void destroy_potts(void *plan) {
    gm_potts_plan_destroy(plan);
}

static inline gm_status run_potts(const void *plan, const gm_ising_sweeps *run,
                                  const gm_tensor *beta, const gm_tensor *labels,
                                  const gm_ising_result *result, gm_workspace *workspace) {
    if (result == NULL) {
        return gm_potts_run(plan, run, beta, labels, NULL, workspace);
    }
    const gm_potts_result wanted = {result->sums, result->status, result->energy};
    return gm_potts_run(plan, run, beta, labels, &wanted, workspace);
}

static inline void draw_potts(uint64_t seed, const void *model, int64_t chains, void *states) {
    draw_labels(seed, model, chains, states);
}

static inline void measure_potts(const void *model, double quantum, const void *state,
                                 double *energy, double *order) {
    const gm_potts_model *m = model;
    const uint8_t *x = state;
    int count[256] = {0}, most = 0;
    *energy = 0;
    for (int64_t e = 0; e < m->edges; ++e) {
        const double j = m->coupling != NULL ? m->coupling[e] : 1;
        *energy -= x[m->ends[2 * e]] == x[m->ends[2 * e + 1]] ? nearbyint(j / quantum) : 0;
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        *energy -= m->field != NULL ? nearbyint(m->field[i * m->q + x[i]] / quantum) : 0;
        count[x[i]] += 1;
        most = count[x[i]] > most ? count[x[i]] : most;
    }
    *order = (double)(m->q * most - m->sites);
}

static const chain_kind potts_kind = {.states = "labels",
                                      .dtype = GM_U8,
                                      .sums = GM_POTTS_SUMS,
                                      .beta_step = 0.15,
                                      .create = create_potts,
                                      .create_on = create_potts_on,
                                      .facts = potts_facts,
                                      .destroy = destroy_potts,
                                      .run = run_potts,
                                      .draw = draw_potts,
                                      .measure = measure_potts};

static inline chain_model potts_chains(const gm_potts_model *m) {
    return (chain_model){&potts_kind, m, m->sites, m->clamped, m->order};
}

static inline void run_labels(const subject *s, const gm_potts_model *model, const chains_run *r) {
    const chain_model chains = potts_chains(model);
    run_model(s, &chains, r);
}

#endif
