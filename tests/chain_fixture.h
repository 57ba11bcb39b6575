/*
 * What the tests of Ising and of Potts chains share: a model of either kind behind one face, runs
 * from host arrays on any subject, statistics of what comes back.
 */
#ifndef GENMATH_TESTS_CHAIN_FIXTURE_H
#define GENMATH_TESTS_CHAIN_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/ising.h>

/* ---- kinds and models ------------------------------------------------------------------------ */

/* What both kinds say of a plan. */
typedef struct chain_facts {
    double quantum;
    int64_t colours, components, energy_bound;
} chain_facts;

typedef struct chain_kind {
    const char *states; /* the argument that holds them */
    gm_dtype dtype;     /* of one byte */
    int sums;           /* of a chain: E, E2, E_LAG, M, maybe ABS_M, M2, M4, M_LAG, FLIPS */
    double beta_step;   /* from chain to chain, where they go from hot to frozen */
    gm_status (*create)(gm_context *context, const void *model, void **plan);
    /* A model of which nothing but the graph and its couplings matters. */
    gm_status (*create_on)(gm_context *context, const gm_ising_model *graph, void **plan);
    gm_status (*facts)(const void *plan, chain_facts *facts);
    void (*destroy)(void *plan);
    gm_status (*run)(const void *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                     const gm_tensor *states, const gm_ising_result *result,
                     gm_workspace *workspace);
    void (*draw)(uint64_t seed, const void *model, int64_t chains, void *states);
    /* E in quanta and M of a chain's state, from the model alone. */
    void (*measure)(const void *model, double quantum, const void *state, double *energy,
                    double *order);
} chain_kind;

typedef struct chain_model {
    const chain_kind *kind;
    const void *model;
    int64_t sites;
    const uint8_t *clamped; /* (sites); NULL: nowhere */
    gm_ising_order order;
} chain_model;

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct chains_run {
    int64_t chains;
    gm_ising_sweeps sweeps;
    const double *beta; /* (chains) */
    union {             /* (chains, sites) row-major, replaced */
        int8_t *spins;
        uint8_t *labels;
        unsigned char *states;
    };
    uint64_t *sums;  /* (chains, the kind's sums, 2); NULL: not wanted */
    int32_t *status; /* (chains); NULL: all must be OK */
    int64_t *energy; /* (chains); NULL: not wanted */
    bool by_site;    /* in memory the chains of a site are side by side, every second byte */
} chains_run;

enum { CHAIN_GUARD = 0x5a, CHECKED_CHAINS = 37, MOST_SUMS = 2 * GM_ISING_SUMS };

static inline void *uploaded(const subject *s, const void *host, size_t bytes) {
    void *memory;
    ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes, &memory));
    ASSERT_OK(s->context, gm_memory_upload(s->context, memory, host, bytes));
    return memory;
}

/* Where the state of (chain, site) is in the memory of a run. */
static inline size_t state_offset(const chains_run *r, int64_t sites, int64_t chain, int64_t site) {
    return (size_t)(r->by_site ? 2 * (site * r->chains + chain) : chain * sites + site);
}

static inline void run_in_memory(const subject *s, const chain_kind *kind, const void *plan,
                                 int64_t sites, const chains_run *r, unsigned char *packed,
                                 size_t bytes) {
    const size_t n = (size_t)r->chains, sums_bytes = n * 2 * (size_t)kind->sums * 8;
    uint64_t *sums = malloc(sums_bytes + 1);
    int32_t *status = malloc((n + 1) * sizeof *status);
    memset(sums, 0xff, sums_bytes);
    memset(status, 0xff, n * sizeof *status);
    struct {
        void *beta, *states, *sums, *status, *energy;
    } m = {uploaded(s, r->beta, n * 8), uploaded(s, packed, bytes), uploaded(s, sums, sums_bytes),
           uploaded(s, status, n * 4), uploaded(s, sums, n * 8)};
    const gm_tensor beta = gm_tensor_1d(m.beta, GM_F64, r->chains);
    gm_tensor states = gm_tensor_2d(m.states, kind->dtype, r->chains, sites);
    if (r->by_site) {
        states.stride[0] = 2;
        states.stride[1] = 2 * r->chains;
    }
    const int64_t shape[3] = {r->chains, kind->sums, 2};
    gm_tensor sums_view;
    ASSERT_OK(NULL, gm_tensor_view(m.sums, GM_U64, 3, shape, &sums_view));
    const gm_tensor status_view = gm_tensor_1d(m.status, GM_I32, r->chains);
    const gm_tensor energy_view = gm_tensor_1d(m.energy, GM_I64, r->chains);
    const gm_ising_result result = {.sums = r->sums != NULL ? &sums_view : NULL,
                                    .status = &status_view,
                                    .energy = r->energy != NULL ? &energy_view : NULL};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, kind->run(plan, &r->sweeps, &beta, &states, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context, kind->run(plan, &r->sweeps, &beta, &states, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_download(s->context, packed, m.states, bytes));
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
    void *const all[] = {m.beta, m.states, m.sums, m.status, m.energy, workspace.data};
    for (int i = 0; i < COUNT(all); ++i) {
        ASSERT_OK(s->context, gm_memory_free(s->context, all[i]));
    }
    free(sums);
    free(status);
}

/* Runs a plan of the kind; every byte that is no state must stay as it is. */
static inline void run_states(const subject *s, const chain_kind *kind, const void *plan,
                              int64_t sites, const chains_run *r) {
    const size_t bytes = (size_t)(r->chains * sites * (r->by_site ? 2 : 1)) + 1;
    unsigned char *packed = malloc(bytes);
    assert_non_null(packed);
    memset(packed, CHAIN_GUARD, bytes);
    for (int64_t i = 0; i < r->chains * sites; ++i) {
        packed[state_offset(r, sites, i / sites, i % sites)] = r->states[i];
    }
    run_in_memory(s, kind, plan, sites, r, packed, bytes);
    for (int64_t i = 0; i < r->chains * sites; ++i) {
        unsigned char *state = &packed[state_offset(r, sites, i / sites, i % sites)];
        r->states[i] = *state;
        *state = CHAIN_GUARD;
    }
    for (size_t i = 0; i < bytes; ++i) {
        assert_int_equal(packed[i], CHAIN_GUARD);
    }
    free(packed);
}

/* A plan for one run. */
static inline void run_model(const subject *s, const chain_model *m, const chains_run *r) {
    void *plan;
    ASSERT_OK(s->context, m->kind->create(s->context, m->model, &plan));
    run_states(s, m->kind, plan, m->sites, r);
    m->kind->destroy(plan);
}

/* FNV-1a. */
static inline uint64_t hash_of(const void *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; ++i) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* ---- statistics ------------------------------------------------------------------------------ */

/* The subject for tests of laws: all have the same bits. */
static inline const subject *fastest(void) {
    const subject *best = &subjects[0];
    FOR_EACH_SUBJECT(s) {
        best = strncmp(s->name, "cpu", 3) == 0 && !s->is_slow ? s : best;
    }
    return best;
}

/* z of the chains' averages against an exact value; `count` sums of a chain as the
 * library gives them, in `unit`. */
static inline double z_score(const uint64_t *sums, int count, int64_t chains, int64_t sweeps,
                             int which, double unit, double exact) {
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

/* z of the mean of values against an exact one. */
static inline double deviation_of_mean(const double *values, int64_t count, double exact) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < count; ++i) {
        mean += values[i] / (double)count;
    }
    for (int64_t i = 0; i < count; ++i) {
        square += (values[i] - mean) * (values[i] - mean);
    }
    return (mean - exact) / sqrt(square / (double)(count - 1) / (double)count);
}

/*
 * Pearson's statistic over states with 10 or more expected, the rest as one, as a normal deviate
 * (Wilson and Hilferty, 1931). A state that cannot be reached must not be.
 */
static inline double row_deviate(const double *row, const int64_t *count, int states,
                                 int64_t chains) {
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
