/* Annealed chains in host arrays, run on any subject. */
#ifndef GENMATH_TESTS_ANNEALING_FIXTURE_H
#define GENMATH_TESTS_ANNEALING_FIXTURE_H

#include "tests/ising_fixture.h"

#include <genmath/annealing.h>

/* Chains of a model; arrays as in annealing.h, row-major. */
typedef struct annealed {
    const gm_ising_model *model;
    const double *beta;
    int64_t steps, chains;
    bool by_site; /* spins and best states lie with the chains of a site side by side */
    bool no_best; /* no best states: the workspace keeps the spins from step to step */
    int8_t *spins, *best;
    int64_t *best_energy, *energy;
    double *log_weight;
    int32_t *status;
} annealed;

static annealed make_annealed(const gm_ising_model *model, int64_t chains, int64_t steps,
                              const double *beta) {
    const size_t n = (size_t)chains + 1, spins = n * (size_t)(model->sites + 1);
    annealed a = {.model = model, .beta = beta, .steps = steps, .chains = chains};
    a.spins = malloc(spins);
    a.best = calloc(spins, 1);
    a.best_energy = calloc(n, sizeof *a.best_energy);
    a.energy = calloc(n, sizeof *a.energy);
    a.log_weight = calloc(n, sizeof *a.log_weight);
    a.status = calloc(n, sizeof *a.status);
    assert_true(a.spins && a.best && a.best_energy && a.energy && a.log_weight && a.status);
    return a;
}

static void free_annealed(annealed *a) {
    free(a->spins);
    free(a->best);
    free(a->best_energy);
    free(a->energy);
    free(a->log_weight);
    free(a->status);
}

/* Chains-by-sites to sites-by-chains, or back. */
static void turn(const int8_t *from, int8_t *to, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows * columns; ++i) {
        to[i % columns * rows + i / columns] = from[i];
    }
}

enum { ARRAYS = 6 };

static void move_arrays(const subject *s, const annealed *a, void *memory[ARRAYS], bool back) {
    const int64_t n = a->chains, sites = a->model->sites;
    void *const host[ARRAYS] = {a->spins,  a->best,       a->best_energy,
                                a->energy, a->log_weight, a->status};
    const size_t bytes[ARRAYS] = {(size_t)(n * sites), (size_t)(n * sites), (size_t)n * 8,
                                  (size_t)n * 8,       (size_t)n * 8,       (size_t)n * 4};
    int8_t *turned = malloc((size_t)(n * sites) + 1);
    for (int i = 0; i < ARRAYS; ++i) {
        const bool turns = i < 2 && a->by_site;
        if (back) {
            void *to = turns ? turned : host[i];
            ASSERT_OK(s->context, gm_memory_download(s->context, to, memory[i], bytes[i]));
            ASSERT_OK(s->context, gm_memory_free(s->context, memory[i]));
            if (turns) {
                turn(turned, host[i], sites, n);
            }
        } else {
            if (turns) {
                turn(host[i], turned, n, sites);
            }
            memory[i] = uploaded(s, turns ? turned : host[i], bytes[i] + (bytes[i] == 0));
        }
    }
    free(turned);
}

static void anneal(const subject *s, const gm_annealing_steps *run, annealed *a) {
    const int64_t n = a->chains, sites = a->model->sites;
    gm_ising_plan *ising;
    gm_annealing_plan *plan;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, a->model, &ising));
    const gm_annealing annealing = {.ising = ising, .steps = a->steps, .beta = a->beta};
    ASSERT_OK(s->context, gm_annealing_plan_create(s->context, &annealing, &plan));
    void *memory[ARRAYS];
    move_arrays(s, a, memory, false);
    gm_tensor spins = gm_tensor_2d(memory[0], GM_I8, n, sites), best = spins;
    if (a->by_site) {
        spins.stride[0] = 1;
        spins.stride[1] = n;
        best = spins;
    }
    best.data = memory[1];
    const gm_tensor best_energy = gm_tensor_1d(memory[2], GM_I64, n),
                    energy = gm_tensor_1d(memory[3], GM_I64, n),
                    weight = gm_tensor_1d(memory[4], GM_F64, n),
                    status = gm_tensor_1d(memory[5], GM_I32, n);
    const gm_annealing_result result = {a->no_best ? NULL : &best, &best_energy, &weight, &energy,
                                        &status};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_annealing_run(plan, run, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context, gm_annealing_run(plan, run, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_free(s->context, workspace.data));
    move_arrays(s, a, memory, true);
    gm_annealing_plan_destroy(plan);
    gm_ising_plan_destroy(ising);
}

#endif
