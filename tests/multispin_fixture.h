/* What the tests of multi-spin coded chains share: models with their graphs, runs from host arrays.
 */
#ifndef GENMATH_TESTS_MULTISPIN_FIXTURE_H
#define GENMATH_TESTS_MULTISPIN_FIXTURE_H

#include "tests/ising_fixture.h"

#include <genmath/multispin.h>

/* The coordinates of a site: z, y, x, axes that are missing 0. */
__attribute__((unused)) static void site_coordinates(const gm_multispin_model *m, int64_t site,
                                                     int64_t *at) {
    at[0] = at[1] = at[2] = 0;
    for (int a = m->axes; a-- > 0;) {
        at[3 - m->axes + a] = site % m->size[a];
        site /= m->size[a];
    }
}

/* The same model as a graph, its edges to be freed: a grid's are those of gm_ising_lattice, of
 * which a honeycomb lacks every other one between rows. */
__attribute__((unused)) static int32_t *set_graph(const gm_multispin_model *m,
                                                  gm_ising_model *graph) {
    *graph = (gm_ising_model){.sites = 1, .update = m->update};
    for (int a = 0; a < m->axes; ++a) {
        graph->sites *= m->size[a];
    }
    ASSERT_OK(NULL, gm_ising_lattice(m->axes, m->size, m->periodic, NULL, &graph->edges));
    int32_t *ends = malloc((size_t)(2 * graph->edges + 1) * sizeof *ends);
    assert_non_null(ends);
    ASSERT_OK(NULL, gm_ising_lattice(m->axes, m->size, m->periodic, ends, &graph->edges));
    int64_t kept = 0;
    for (int64_t e = 0; e < graph->edges; ++e) {
        int64_t a[3], b[3];
        site_coordinates(m, ends[2 * e], a);
        site_coordinates(m, ends[2 * e + 1], b);
        if (m->lattice == GM_MULTISPIN_GRID || a[1] == b[1] || (a[1] + a[2]) % 2 == 0) {
            ends[2 * kept] = ends[2 * e];
            ends[2 * kept++ + 1] = ends[2 * e + 1];
        }
    }
    graph->edges = kept;
    graph->ends = ends;
    return ends;
}

/* Where the header says that a site is. */
__attribute__((unused)) static void site_bit(const gm_multispin_model *m, int64_t site,
                                             int64_t *word, int *bit) {
    int64_t at[3], rows = 1;
    site_coordinates(m, site, at);
    for (int a = 0; a + 1 < m->axes; ++a) {
        rows *= m->size[a];
    }
    const int64_t length = m->size[m->axes - 1], places = (length + 1) / 2;
    const int64_t words = (rows * places + 31) / 32, number = site / length * places + at[2] / 2;
    *word = (at[0] + at[1] + at[2]) % 2 * words + number / 32;
    *bit = (int)(number % 32);
}

typedef struct packed_run {
    int64_t chains;
    gm_ising_sweeps sweeps;
    const double *beta; /* (chains) */
    uint32_t *packed;   /* (chains, words) row-major, replaced */
    uint64_t *sums;     /* (chains, GM_ISING_SUMS, 2); NULL: not wanted */
    int32_t *status;    /* (chains); NULL: all must be OK */
    int64_t *energy;    /* (chains); NULL: not wanted */
    bool by_word;       /* in memory the chains of a word are side by side, every second word */
} packed_run;

enum { PACKED_GUARD = 0x5ac3965a };

/* Runs a plan; every word of memory that is no spins must stay as it is. */
__attribute__((unused)) static void run_packed(const subject *s, const gm_multispin_plan *plan,
                                               const packed_run *r) {
    gm_multispin_info info;
    ASSERT_OK(s->context, gm_multispin_plan_info(plan, &info));
    const int64_t words = info.words, count = r->chains * words * (r->by_word ? 2 : 1) + 1;
    const int64_t chain_step = r->by_word ? 2 : words, word_step = r->by_word ? 2 * r->chains : 1;
    uint32_t *memory = malloc((size_t)count * sizeof *memory);
    uint64_t *sums = malloc((size_t)(r->chains * 2 * GM_ISING_SUMS + 1) * sizeof *sums);
    int32_t *status = malloc((size_t)(r->chains + 1) * sizeof *status);
    for (int64_t i = 0; i < count; ++i) {
        memory[i] = PACKED_GUARD;
    }
    for (int64_t i = 0; i < r->chains * words; ++i) {
        memory[i / words * chain_step + i % words * word_step] = r->packed[i];
    }
    memset(sums, 0xff, (size_t)(r->chains * 2 * GM_ISING_SUMS) * sizeof *sums);
    memset(status, 0xff, (size_t)r->chains * sizeof *status);
    const size_t sums_bytes = (size_t)(r->chains * 2 * GM_ISING_SUMS) * sizeof *sums;
    void *m[6] = {uploaded(s, r->beta, (size_t)r->chains * 8),
                  uploaded(s, memory, (size_t)count * 4),
                  uploaded(s, sums, sums_bytes),
                  uploaded(s, status, (size_t)r->chains * 4),
                  uploaded(s, sums, (size_t)r->chains * 8),
                  NULL};
    const gm_tensor beta = gm_tensor_1d(m[0], GM_F64, r->chains);
    gm_tensor packed = gm_tensor_2d(m[1], GM_U32, r->chains, words), sums_view;
    packed.stride[0] = chain_step;
    packed.stride[1] = word_step;
    const int64_t shape[3] = {r->chains, GM_ISING_SUMS, 2};
    ASSERT_OK(NULL, gm_tensor_view(m[2], GM_U64, 3, shape, &sums_view));
    const gm_tensor status_view = gm_tensor_1d(m[3], GM_I32, r->chains);
    const gm_tensor energy_view = gm_tensor_1d(m[4], GM_I64, r->chains);
    const gm_ising_result result = {.sums = r->sums != NULL ? &sums_view : NULL,
                                    .status = &status_view,
                                    .energy = r->energy != NULL ? &energy_view : NULL};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_multispin_run(plan, &r->sweeps, &beta, &packed, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &m[5]));
    workspace.data = m[5];
    ASSERT_OK(s->context, gm_multispin_run(plan, &r->sweeps, &beta, &packed, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_download(s->context, memory, m[1], (size_t)count * 4));
    ASSERT_OK(s->context, gm_memory_download(s->context, status, m[3], (size_t)r->chains * 4));
    if (r->sums != NULL) {
        ASSERT_OK(s->context, gm_memory_download(s->context, r->sums, m[2], sums_bytes));
    }
    if (r->energy != NULL) {
        ASSERT_OK(s->context,
                  gm_memory_download(s->context, r->energy, m[4], (size_t)r->chains * 8));
    }
    for (int64_t i = 0; i < r->chains * words; ++i) {
        uint32_t *word = &memory[i / words * chain_step + i % words * word_step];
        r->packed[i] = *word;
        *word = PACKED_GUARD;
    }
    for (int64_t i = 0; i < count; ++i) {
        assert_true(memory[i] == PACKED_GUARD);
    }
    for (int64_t i = 0; i < r->chains; ++i) {
        if (r->status != NULL) {
            r->status[i] = status[i];
        } else {
            assert_int_equal(status[i], GM_STATUS_OK);
        }
    }
    for (int i = 0; i < COUNT(m); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, m[i]));
    }
    free(memory);
    free(sums);
    free(status);
}

/* A plan for one run. */
__attribute__((unused)) static void
run_multispin_model(const subject *s, const gm_multispin_model *model, const packed_run *r) {
    gm_multispin_plan *plan;
    ASSERT_OK(s->context, gm_multispin_plan_create(s->context, model, &plan));
    run_packed(s, plan, r);
    gm_multispin_plan_destroy(plan);
}

/* Random bits; garbage where there is no site as well. */
__attribute__((unused)) static void draw_packed(uint64_t seed, uint32_t *packed, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        packed[i] = (uint32_t)(next_random(&seed) >> 32);
    }
}

__attribute__((unused)) static gm_multispin_info multispin_info(const gm_multispin_model *model) {
    gm_multispin_plan *plan;
    gm_multispin_info info;
    ASSERT_OK(subjects[0].context, gm_multispin_plan_create(subjects[0].context, model, &plan));
    ASSERT_OK(subjects[0].context, gm_multispin_plan_info(plan, &info));
    gm_multispin_plan_destroy(plan);
    return info;
}

#endif
