/* What the tests of Ising chains share: models on lattices, runs from host arrays on any subject.
 */
#ifndef GENMATH_TESTS_ISING_FIXTURE_H
#define GENMATH_TESTS_ISING_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/ising.h>

/* Edges of a lattice, to be freed, as the model's ends. */
__attribute__((unused)) static int32_t *set_lattice(gm_ising_model *model, int32_t axes,
                                                    const int64_t *size, int periodic) {
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

typedef struct chains_run {
    int64_t chains;
    gm_ising_sweeps sweeps;
    const double *beta; /* (chains) */
    int8_t *spins;      /* (chains, sites) row-major, replaced */
    uint64_t *sums;     /* (chains, GM_ISING_SUMS, 2); NULL: not wanted */
    int32_t *status;    /* (chains); NULL: all must be OK */
    int64_t *energy;    /* (chains); NULL: not wanted */
    bool by_site;       /* in memory the chains of a site are side by side, every second byte */
} chains_run;

typedef struct ising_memory {
    void *beta, *spins, *sums, *status, *energy, *workspace;
} ising_memory;

enum { ISING_GUARD = 0x5a };

static void *uploaded(const subject *s, const void *host, size_t bytes) {
    void *memory;
    ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes, &memory));
    ASSERT_OK(s->context, gm_memory_upload(s->context, memory, host, bytes));
    return memory;
}

/* Where spin (chain, site) is in the memory of a run, and the size of that. */
static size_t spin_offset(const chains_run *r, int64_t sites, int64_t chain, int64_t site) {
    return (size_t)(r->by_site ? 2 * (site * r->chains + chain) : chain * sites + site);
}

static size_t spin_bytes(const chains_run *r, int64_t sites) {
    return (size_t)(r->chains * sites * (r->by_site ? 2 : 1)) + 1;
}

static void run_in_memory(const subject *s, const gm_ising_plan *plan, int64_t sites,
                          const chains_run *r, int8_t *packed) {
    const size_t n = (size_t)r->chains, bytes = spin_bytes(r, sites);
    const size_t sums_bytes = n * 2 * GM_ISING_SUMS * 8;
    uint64_t *sums = malloc(sums_bytes + 1);
    int32_t *status = malloc((n + 1) * sizeof *status);
    memset(sums, 0xff, sums_bytes);
    memset(status, 0xff, n * sizeof *status);
    ising_memory m = {.beta = uploaded(s, r->beta, n * 8),
                      .spins = uploaded(s, packed, bytes),
                      .sums = uploaded(s, sums, sums_bytes),
                      .status = uploaded(s, status, n * 4),
                      .energy = uploaded(s, sums, n * 8)};
    const gm_tensor beta = gm_tensor_1d(m.beta, GM_F64, r->chains);
    gm_tensor spins = gm_tensor_2d(m.spins, GM_I8, r->chains, sites);
    if (r->by_site) {
        spins.stride[0] = 2;
        spins.stride[1] = 2 * r->chains;
    }
    const int64_t shape[3] = {r->chains, GM_ISING_SUMS, 2};
    gm_tensor sums_view;
    ASSERT_OK(NULL, gm_tensor_view(m.sums, GM_U64, 3, shape, &sums_view));
    const gm_tensor status_view = gm_tensor_1d(m.status, GM_I32, r->chains);
    const gm_tensor energy_view = gm_tensor_1d(m.energy, GM_I64, r->chains);
    const gm_ising_result result = {.sums = r->sums != NULL ? &sums_view : NULL,
                                    .status = &status_view,
                                    .energy = r->energy != NULL ? &energy_view : NULL};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, gm_ising_run(plan, &r->sweeps, &beta, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &m.workspace));
    workspace.data = m.workspace;
    ASSERT_OK(s->context, gm_ising_run(plan, &r->sweeps, &beta, &spins, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_download(s->context, packed, m.spins, bytes));
    ASSERT_OK(s->context, gm_memory_download(s->context, status, m.status, n * 4));
    if (r->sums != NULL) {
        ASSERT_OK(s->context, gm_memory_download(s->context, r->sums, m.sums, sums_bytes));
    }
    if (r->energy != NULL) {
        ASSERT_OK(s->context, gm_memory_download(s->context, r->energy, m.energy, n * 8));
    }
    for (size_t i = 0; i < n; ++i) {
        if (r->status != NULL) {
            r->status[i] = status[i];
        } else {
            assert_int_equal(status[i], GM_STATUS_OK);
        }
    }
    void *const all[] = {m.beta, m.spins, m.sums, m.status, m.energy, m.workspace};
    for (int i = 0; i < COUNT(all); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, all[i]));
    }
    free(sums);
    free(status);
}

/* Runs a plan; every byte that is no spin must stay as it is. */
static void run_plan(const subject *s, const gm_ising_plan *plan, int64_t sites,
                     const chains_run *r) {
    const size_t bytes = spin_bytes(r, sites);
    int8_t *packed = malloc(bytes);
    assert_non_null(packed);
    memset(packed, ISING_GUARD, bytes);
    for (int64_t c = 0; c < r->chains; ++c) {
        for (int64_t i = 0; i < sites; ++i) {
            packed[spin_offset(r, sites, c, i)] = r->spins[c * sites + i];
        }
    }
    run_in_memory(s, plan, sites, r, packed);
    for (int64_t c = 0; c < r->chains; ++c) {
        for (int64_t i = 0; i < sites; ++i) {
            int8_t *spin = &packed[spin_offset(r, sites, c, i)];
            r->spins[c * sites + i] = *spin;
            *spin = ISING_GUARD;
        }
    }
    for (size_t i = 0; i < bytes; ++i) {
        assert_int_equal(packed[i], ISING_GUARD);
    }
    free(packed);
}

__attribute__((unused)) static void run_chains(const subject *s, const gm_ising_model *model,
                                               const chains_run *r) {
    gm_ising_plan *plan;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, model, &plan));
    run_plan(s, plan, model->sites, r);
    gm_ising_plan_destroy(plan);
}

/* Random spins. */
__attribute__((unused)) static void draw_spins(uint64_t seed, const gm_ising_model *model,
                                               int64_t chains, int8_t *spins) {
    const int8_t down = model->spins == GM_ISING_SIGNS ? -1 : 0;
    for (int64_t i = 0; i < chains * model->sites; ++i) {
        spins[i] = (next_random(&seed) >> 40) % 2 != 0 ? 1 : down;
    }
}

/* FNV-1a. */
__attribute__((unused)) static uint64_t hash_of(const void *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; ++i) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* A graph that fits no lattice: a ring with chords, so that there are odd cycles. Its coupling and
 * field are to be freed with its ends. */
__attribute__((unused)) static void set_tangle(gm_ising_model *model, int32_t sites,
                                               double *coupling, double *field, int32_t *ends) {
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

/* The subject for tests of laws: all have the same bits. */
__attribute__((unused)) static const subject *fastest(void) {
    const subject *best = &subjects[0];
    FOR_EACH_SUBJECT(s) {
        best = strncmp(s->name, "cpu", 3) == 0 && !s->is_slow ? s : best;
    }
    return best;
}

/* z of the chains' averages against an exact value; `count` sums of a chain as the
 * library gives them, in `unit`. */
__attribute__((unused)) static double z_score(const uint64_t *sums, int count, int64_t chains,
                                              int64_t sweeps, int which, double unit,
                                              double exact) {
    double mean = 0, square = 0;
    for (int64_t c = 0; c < chains; ++c) {
        const double x =
            gm_ising_sum_value(sums + (c * count + which) * 2) * unit / (double)sweeps - exact;
        mean += x;
        square += x * x;
    }
    mean /= (double)chains;
    const double error = sqrt((square / (double)chains - mean * mean) / (double)(chains - 1));
    /* A clamped or frozen quantity has no spread: then only the sums' rounding may be off. */
    return error > 1e-12 * fabs(exact) ? mean / error : fabs(mean) <= 1e-12 * fabs(exact) ? 0 : 1e9;
}

/*
 * Pearson's statistic over states with 10 or more expected, the rest as one, as a normal deviate
 * (Wilson and Hilferty, 1931). A state that cannot be reached must not be.
 */
__attribute__((unused)) static double row_deviate(const double *row, const int64_t *count,
                                                  int states, int64_t chains) {
    double statistic = 0, rest = 0;
    int64_t rest_count = 0;
    int cells = 0;
    for (int to = 0; to < states; ++to) {
        const double expected = row[to] * (double)chains;
        assert_true(row[to] > 0 || count[to] == 0);
        if (expected < 10) {
            rest += expected;
            rest_count += count[to];
            continue;
        }
        ++cells;
        statistic += ((double)count[to] - expected) * ((double)count[to] - expected) / expected;
    }
    if (rest >= 10) {
        ++cells;
        statistic += ((double)rest_count - rest) * ((double)rest_count - rest) / rest;
    }
    const double degrees = cells - 1, spread = 2 / (9 * degrees);
    return (cbrt(statistic / degrees) - (1 - spread)) / sqrt(spread);
}

#endif
