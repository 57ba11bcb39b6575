/* What the tests of Potts chains share: runs from host arrays on any subject. */
#ifndef GENMATH_TESTS_POTTS_FIXTURE_H
#define GENMATH_TESTS_POTTS_FIXTURE_H

#include "tests/ising_fixture.h"

#include <genmath/potts.h>

typedef struct labels_run {
    int64_t chains;
    gm_ising_sweeps sweeps;
    const double *beta; /* (chains) */
    uint8_t *labels;    /* (chains, sites) row-major, replaced */
    uint64_t *sums;     /* (chains, GM_POTTS_SUMS, 2); NULL: not wanted */
    int32_t *status;    /* (chains); NULL: all must be OK */
    bool by_site;       /* in memory the chains of a site are side by side, every second byte */
} labels_run;

enum { POTTS_GUARD = 0xa7 };

static size_t label_offset(const labels_run *r, int64_t sites, int64_t chain, int64_t site) {
    return (size_t)(r->by_site ? 2 * (site * r->chains + chain) : chain * sites + site);
}

static void run_labels_in_memory(const subject *s, const gm_potts_plan *plan, int64_t sites,
                                 const labels_run *r, uint8_t *packed, size_t bytes) {
    const size_t n = (size_t)r->chains, sums_bytes = n * 2 * GM_POTTS_SUMS * 8;
    uint64_t *sums = malloc(sums_bytes + 1);
    int32_t *status = malloc((n + 1) * sizeof *status);
    memset(sums, 0xff, sums_bytes);
    memset(status, 0xff, n * sizeof *status);
    ising_memory m = {.beta = uploaded(s, r->beta, n * 8),
                      .spins = uploaded(s, packed, bytes),
                      .sums = uploaded(s, sums, sums_bytes),
                      .status = uploaded(s, status, n * 4)};
    const gm_tensor beta = gm_tensor_1d(m.beta, GM_F64, r->chains);
    gm_tensor labels = gm_tensor_2d(m.spins, GM_U8, r->chains, sites);
    if (r->by_site) {
        labels.stride[0] = 2;
        labels.stride[1] = 2 * r->chains;
    }
    const int64_t shape[3] = {r->chains, GM_POTTS_SUMS, 2};
    gm_tensor sums_view;
    ASSERT_OK(NULL, gm_tensor_view(m.sums, GM_U64, 3, shape, &sums_view));
    const gm_tensor status_view = gm_tensor_1d(m.status, GM_I32, r->chains);
    const gm_potts_result result = {.sums = r->sums != NULL ? &sums_view : NULL,
                                    .status = &status_view};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_potts_run(plan, &r->sweeps, &beta, &labels, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &m.workspace));
    workspace.data = m.workspace;
    ASSERT_OK(s->context, gm_potts_run(plan, &r->sweeps, &beta, &labels, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_download(s->context, packed, m.spins, bytes));
    ASSERT_OK(s->context, gm_memory_download(s->context, status, m.status, n * 4));
    if (r->sums != NULL) {
        ASSERT_OK(s->context, gm_memory_download(s->context, r->sums, m.sums, sums_bytes));
    }
    for (size_t i = 0; i < n; ++i) {
        if (r->status != NULL) {
            r->status[i] = status[i];
        } else {
            assert_int_equal(status[i], GM_STATUS_OK);
        }
    }
    void *const all[] = {m.beta, m.spins, m.sums, m.status, m.workspace};
    for (int i = 0; i < COUNT(all); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, all[i]));
    }
    free(sums);
    free(status);
}

/* Every byte that is no label must stay as it is. */
__attribute__((unused)) static void run_labels(const subject *s, const gm_potts_model *model,
                                               const labels_run *r) {
    const int64_t sites = model->sites;
    const size_t bytes = (size_t)(r->chains * sites * (r->by_site ? 2 : 1)) + 1;
    gm_potts_plan *plan;
    ASSERT_OK(s->context, gm_potts_plan_create(s->context, model, &plan));
    uint8_t *packed = malloc(bytes);
    assert_non_null(packed);
    memset(packed, POTTS_GUARD, bytes);
    for (int64_t i = 0; i < r->chains * sites; ++i) {
        packed[label_offset(r, sites, i / sites, i % sites)] = r->labels[i];
    }
    run_labels_in_memory(s, plan, sites, r, packed, bytes);
    for (int64_t i = 0; i < r->chains * sites; ++i) {
        uint8_t *label = &packed[label_offset(r, sites, i / sites, i % sites)];
        r->labels[i] = *label;
        *label = POTTS_GUARD;
    }
    for (size_t i = 0; i < bytes; ++i) {
        assert_int_equal(packed[i], POTTS_GUARD);
    }
    free(packed);
    gm_potts_plan_destroy(plan);
}

/* Random labels. */
__attribute__((unused)) static void draw_labels(uint64_t seed, const gm_potts_model *model,
                                                int64_t chains, uint8_t *labels) {
    for (int64_t i = 0; i < chains * model->sites; ++i) {
        labels[i] = (uint8_t)((next_random(&seed) >> 40) % (uint64_t)model->q);
    }
}

/* Edges of a lattice, to be freed, as the model's ends. */
__attribute__((unused)) static int32_t *set_potts_lattice(gm_potts_model *model, int32_t axes,
                                                          const int64_t *size, int periodic) {
    gm_ising_model lattice = {0};
    int32_t *ends = set_lattice(&lattice, axes, size, periodic);
    model->sites = lattice.sites;
    model->edges = lattice.edges;
    model->ends = ends;
    return ends;
}

#endif
