/* What the tests of Ising chains share: models on lattices and other graphs, their runs. */
#ifndef GENMATH_TESTS_ISING_FIXTURE_H
#define GENMATH_TESTS_ISING_FIXTURE_H

#include "tests/chain_fixture.h"

/* ---- graphs ---------------------------------------------------------------------------------- */

/* Edges of a lattice, to be freed, as the model's ends. */
static inline int32_t *set_lattice(gm_ising_model *model, int32_t axes, const int64_t *size,
                                   int periodic) {
    const int32_t around[8] = {periodic, periodic, periodic, periodic};
    ASSERT_OK(NULL, gm_ising_lattice(axes, size, around, NULL, &model->edges));
    int32_t *ends = malloc((size_t)(2 * model->edges + 1) * sizeof *ends);
    assert_non_null(ends);
    ASSERT_OK(NULL, gm_ising_lattice(axes, size, around, ends, &model->edges));
    model->sites = 1;
    for (int32_t a = 0; a < axes; ++a) {
        model->sites *= size[a];
    }
    model->ends = ends;
    return ends;
}

/* A graph that fits no lattice: a ring with chords, so that there are odd cycles. Its coupling and
 * field are to be freed with its ends. */
static inline void set_tangle(gm_ising_model *model, int32_t sites, double *coupling, double *field,
                              int32_t *ends) {
    uint64_t random = 99;
    model->sites = sites;
    model->edges = 0;
    for (int32_t step = 1; step <= 7; step += 3) { /* 1, 4, 7 */
        for (int32_t i = 0; i < sites; ++i) {
            ends[2 * model->edges] = i;
            ends[2 * model->edges + 1] = (i + step) % sites;
            coupling[model->edges++] = random_between(&random, -1, 1);
        }
    }
    for (int32_t i = 0; i < sites; ++i) {
        field[i] = random_between(&random, -0.5, 0.5);
    }
    model->ends = ends;
    model->coupling = coupling;
    model->field = field;
}

/* ---- Ising chains as a kind ------------------------------------------------------------------ */

static inline gm_status create_ising(gm_context *context, const void *model, void **plan) {
    gm_ising_plan *made = (gm_ising_plan *)8;
    const gm_status status =
        gm_ising_plan_create(context, model, plan != NULL ? &made : (gm_ising_plan **)NULL);
    if (plan != NULL) {
        *plan = made;
    }
    return status;
}

static inline gm_status create_ising_on(gm_context *context, const gm_ising_model *graph,
                                        void **plan) {
    return create_ising(context, graph, plan);
}

static inline gm_status ising_facts(const void *plan, chain_facts *facts) {
    gm_ising_info info;
    const gm_status status = gm_ising_plan_info(plan, &info);
    if (status == GM_STATUS_OK) {
        *facts = (chain_facts){info.quantum, info.colours, info.components, info.energy_bound};
    }
    return status;
}

static inline void destroy_ising(void *plan) {
    gm_ising_plan_destroy(plan);
}

static inline gm_status run_ising(const void *plan, const gm_ising_sweeps *run,
                                  const gm_tensor *beta, const gm_tensor *spins,
                                  const gm_ising_result *result, gm_workspace *workspace) {
    return gm_ising_run(plan, run, beta, spins, result, workspace);
}

/* Random spins. */
static inline void draw_spins(uint64_t seed, const gm_ising_model *model, int64_t chains,
                              int8_t *spins) {
    const int8_t down = model->spins == GM_ISING_SIGNS ? -1 : 0;
    for (int64_t i = 0; i < chains * model->sites; ++i) {
        spins[i] = (next_random(&seed) >> 40) % 2 != 0 ? 1 : down;
    }
}

static inline void draw_ising(uint64_t seed, const void *model, int64_t chains, void *states) {
    draw_spins(seed, model, chains, states);
}

static inline void measure_ising(const void *model, double quantum, const void *state,
                                 double *energy, double *order) {
    const gm_ising_model *m = model;
    const int8_t *x = state;
    *energy = *order = 0;
    for (int64_t e = 0; e < m->edges; ++e) {
        const double j = m->coupling != NULL ? m->coupling[e] : 1;
        *energy -= nearbyint(j / quantum) * x[m->ends[2 * e]] * x[m->ends[2 * e + 1]];
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        *energy -= m->field != NULL ? nearbyint(m->field[i] / quantum) * x[i] : 0;
        *order += x[i];
    }
}

static const chain_kind ising_kind = {.states = "spins",
                                      .dtype = GM_I8,
                                      .sums = GM_ISING_SUMS,
                                      .beta_step = 0.1,
                                      .create = create_ising,
                                      .create_on = create_ising_on,
                                      .facts = ising_facts,
                                      .destroy = destroy_ising,
                                      .run = run_ising,
                                      .draw = draw_ising,
                                      .measure = measure_ising};

static inline chain_model ising_chains(const gm_ising_model *m) {
    return (chain_model){&ising_kind, m, m->sites, m->clamped, m->order};
}

/* ---- runs ------------------------------------------------------------------------------------ */

static inline void run_plan(const subject *s, const gm_ising_plan *plan, int64_t sites,
                            const chains_run *r) {
    run_states(s, &ising_kind, plan, sites, r);
}

static inline void run_chains(const subject *s, const gm_ising_model *model, const chains_run *r) {
    const chain_model chains = ising_chains(model);
    run_model(s, &chains, r);
}

#endif
