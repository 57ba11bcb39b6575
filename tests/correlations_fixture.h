/* What the tests of correlations share: groups of pairs, measurements of host arrays on any
 * subject.
 */
#ifndef GENMATH_TESTS_CORRELATIONS_FIXTURE_H
#define GENMATH_TESTS_CORRELATIONS_FIXTURE_H

#include "tests/multispin_fixture.h"

#include <genmath/correlations.h>

/* Pairs being collected: a model of correlations whose arrays are to be freed. */
typedef struct groups {
    gm_correlations_model model;
    int64_t *first;
    int32_t *ends;
} groups;

__attribute__((unused)) static groups no_groups(int64_t sites, int32_t q, gm_ising_spins spins) {
    groups g = {.model = {.sites = sites, .q = q, .spins = spins}};
    g.first = calloc(1, sizeof *g.first);
    g.model.first = g.first;
    return g;
}

__attribute__((unused)) static void free_groups(groups *g) {
    free(g->first);
    free(g->ends);
}

/* A group of `count` pairs more, which are returned to be filled in. */
__attribute__((unused)) static int32_t *add_group(groups *g, int64_t count) {
    gm_correlations_model *m = &g->model;
    const int64_t begin = g->first[m->groups];
    g->first = realloc(g->first, (size_t)(m->groups + 2) * sizeof *g->first);
    g->ends = realloc(g->ends, (size_t)(2 * (begin + count) + 1) * sizeof *g->ends);
    g->first[++m->groups] = begin + count;
    m->first = g->first;
    m->ends = g->ends;
    return g->ends + 2 * begin;
}

__attribute__((unused)) static void add_lattice_group(groups *g, gm_lattice_kind kind, int32_t axes,
                                                      const int64_t *size, const int32_t *periodic,
                                                      int32_t axis, int64_t distance) {
    int64_t pairs;
    ASSERT_OK(NULL, gm_lattice_pairs(kind, axes, size, periodic, axis, distance, NULL, &pairs));
    ASSERT_OK(NULL, gm_lattice_pairs(kind, axes, size, periodic, axis, distance,
                                     add_group(g, pairs), &pairs));
}

__attribute__((unused)) static void add_random_group(groups *g, uint64_t seed, int64_t count) {
    int32_t *ends = add_group(g, count);
    for (int64_t k = 0; k < 2 * count; ++k) {
        ends[k] = (int32_t)(next_random(&seed) % (uint64_t)g->model.sites);
    }
}

typedef struct measurement {
    int64_t chains;
    const uint8_t *states; /* (chains, sites) row-major */
    int64_t *sums;         /* (chains, groups), added to */
    int32_t *status;       /* NULL: all must be OK */
    bool by_site;          /* in memory chains are side by side, at every second place */
    const char *kernel;    /* what must have run; NULL: anything */
} measurement;

/* Where (chain, k) of n is in memory. */
static int64_t place_of(const measurement *r, int64_t n, int64_t chain, int64_t k) {
    return r->by_site ? 2 * (k * r->chains + chain) : chain * n + k;
}

static int64_t places_of(const measurement *r, int64_t n) {
    return r->chains * n * (r->by_site ? 2 : 1) + 1;
}

static gm_tensor view_of(const measurement *r, void *data, gm_dtype dtype, int64_t n) {
    gm_tensor view = gm_tensor_2d(data, dtype, r->chains, n);
    if (r->by_site) {
        view.stride[0] = 2;
        view.stride[1] = 2 * r->chains;
    }
    return view;
}

enum { GUARD = 0x5b };

/* Memory behind a view, with guards where no element is. */
static void *spread_out(const measurement *r, const void *rows, int64_t n, size_t size) {
    char *memory = malloc((size_t)places_of(r, n) * size);
    memset(memory, GUARD, (size_t)places_of(r, n) * size);
    for (int64_t i = 0; i < r->chains * n; ++i) {
        memcpy(memory + (size_t)place_of(r, n, i / n, i % n) * size,
               (const char *)rows + (size_t)i * size, size);
    }
    return memory;
}

static void add_on(const subject *s, const gm_correlations_plan *plan,
                   const gm_correlations_model *m, const measurement *r) {
    const int64_t n = m->groups;
    uint8_t *states = spread_out(r, r->states, m->sites, 1);
    int64_t *sums = spread_out(r, r->sums, n, 8);
    int32_t *status = malloc((size_t)(r->chains + 1) * sizeof *status);
    memset(status, 0xff, (size_t)r->chains * sizeof *status);
    const size_t bytes[3] = {(size_t)places_of(r, m->sites), (size_t)places_of(r, n) * 8,
                             (size_t)r->chains * 4};
    void *memory[4] = {uploaded(s, states, bytes[0]), uploaded(s, sums, bytes[1]),
                       uploaded(s, status, bytes[2])};
    const gm_tensor states_view = view_of(r, memory[0], m->q > 0 ? GM_U8 : GM_I8, m->sites);
    const gm_tensor sums_view = view_of(r, memory[1], GM_I64, n);
    const gm_tensor status_view = gm_tensor_1d(memory[2], GM_I32, r->chains);
    gm_workspace workspace = {0};
    ASSERT_OK(s->context,
              gm_correlations_add(plan, &states_view, &sums_view, &status_view, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &memory[3]));
    workspace.data = memory[3];
    ASSERT_OK(s->context,
              gm_correlations_add(plan, &states_view, &sums_view, &status_view, &workspace));
    if (r->kernel != NULL) {
        assert_non_null(strstr(gm_last_kernel(s->context), r->kernel));
    }
    ASSERT_OK(s->context, gm_memory_download(s->context, sums, memory[1], bytes[1]));
    ASSERT_OK(s->context, gm_memory_download(s->context, status, memory[2], bytes[2]));
    for (int64_t c = 0; c < r->chains; ++c) {
        for (int64_t g = 0; g < n; ++g) {
            int64_t *sum = &sums[place_of(r, n, c, g)];
            r->sums[c * n + g] = *sum;
            memset(sum, GUARD, sizeof *sum);
        }
        if (r->status != NULL) {
            r->status[c] = status[c];
        } else {
            assert_int_equal(status[c], GM_STATUS_OK);
        }
    }
    for (size_t i = 0; i < bytes[1]; ++i) {
        assert_int_equal(((uint8_t *)sums)[i], GUARD);
    }
    for (int i = 0; i < COUNT(memory); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, memory[i]));
    }
    free(states);
    free(sums);
    free(status);
}

__attribute__((unused)) static void
add_measurement(const subject *s, const gm_correlations_model *m, const measurement *r) {
    gm_correlations_plan *plan;
    ASSERT_OK(s->context, gm_correlations_plan_create(s->context, m, &plan));
    add_on(s, plan, m, r);
    gm_correlations_plan_destroy(plan);
}

#endif
