/*
 * Exact laws of small chains of either kind, by all their states: what a sweep expects, moments,
 * rows of the matrix, chains in states drawn from the law, and comparisons of chains with these.
 */
#ifndef GENMATH_TESTS_CHAIN_LAW_H
#define GENMATH_TESTS_CHAIN_LAW_H

#include "tests/chain_fixture.h"

/* |z| of a standard normal is larger with probability 2e-7. */
#define Z_BOUND 5.2

enum { MOST_SITES = 16, MOST_EDGES = 64, MOMENTS = GM_ISING_FLIPS };

/* ---- all states ------------------------------------------------------------------------------ */

typedef struct law law;

/* What differs between the kinds. */
typedef struct law_kind {
    /* A site's byte in a state, and the state that has such bytes. */
    unsigned char (*value)(const law *l, int state, int64_t site);
    int (*state)(const law *l, const unsigned char *values);
    /* out: the expected g after an update at a site. */
    void (*update)(const law *l, int site, const double *g, double *out);
} law_kind;

struct law {
    const law_kind *kind;
    chain_model chains;
    double beta;
    int states;
    int power[MOST_SITES + 1];                    /* states of as many sites */
    double *energy, *magnetisation, *probability; /* (states); the first one owns all */
    double z;
};

/* A law whose energies are not known yet, of sites with so many values. */
static inline law begin_law(const law_kind *kind, chain_model chains, int values, double beta) {
    law l = {.kind = kind, .chains = chains, .beta = beta, .states = 1};
    assert_true(chains.sites <= MOST_SITES);
    for (int64_t i = 0; i < chains.sites; ++i) {
        l.power[i] = l.states;
        l.states *= values;
    }
    l.energy = malloc(3 * (size_t)l.states * sizeof(double));
    assert_non_null(l.energy);
    l.magnetisation = l.energy + l.states;
    l.probability = l.magnetisation + l.states;
    return l;
}

/* Probabilities from the energies; clamped sites have one value. */
static inline void end_law(law *l, unsigned char clamped_value) {
    const uint8_t *clamped = l->chains.clamped;
    for (int state = 0; state < l->states; ++state) {
        bool possible = true;
        for (int64_t i = 0; i < l->chains.sites && clamped != NULL; ++i) {
            possible =
                possible && (clamped[i] == 0 || l->kind->value(l, state, i) == clamped_value);
        }
        l->probability[state] = possible ? exp(-l->beta * l->energy[state]) : 0;
        l->z += l->probability[state];
    }
    for (int state = 0; state < l->states; ++state) {
        l->probability[state] /= l->z;
    }
}

/* ---- a sweep --------------------------------------------------------------------------------- */

/* The sites in the order of a sweep; a lattice of `columns` by the checkerboard. */
static inline int sweep_order(const chain_model *m, int columns, int *order) {
    int count = 0;
    for (int colour = 0; colour < 2; ++colour) {
        for (int i = 0; i < m->sites; ++i) {
            const int own = m->order == GM_ISING_COLOURED ? (i / columns + i % columns) % 2 : 0;
            if (own == colour && (m->clamped == NULL || m->clamped[i] == 0)) {
                order[count++] = i;
            }
        }
    }
    return count;
}

/* g becomes the expected g after a sweep. */
static inline void expect_sweep(const law *l, int columns, double *g) {
    int order[MOST_SITES];
    const int count = sweep_order(&l->chains, columns, order);
    double *next = malloc(2 * (size_t)l->states * sizeof *next), *mean = next + l->states;
    for (int k = count; k-- > 0;) {
        if (l->chains.order != GM_ISING_RANDOM) {
            l->kind->update(l, order[k], g, next);
            memcpy(g, next, (size_t)l->states * sizeof *g);
            continue;
        }
        memset(mean, 0, (size_t)l->states * sizeof *mean);
        for (int j = 0; j < count; ++j) {
            l->kind->update(l, order[j], g, next);
            for (int state = 0; state < l->states; ++state) {
                mean[state] += next[state] / count;
            }
        }
        memcpy(g, mean, (size_t)l->states * sizeof *g);
    }
    free(next);
}

/* What the sums of a sweep are on average, but for the flips. */
static inline void exact_moments(const law *l, int columns, double *moments) {
    const int count = l->chains.kind->sums - 1;
    double *e1 = malloc(2 * (size_t)l->states * sizeof *e1), *m1 = e1 + l->states;
    memcpy(e1, l->energy, (size_t)l->states * sizeof *e1);
    memcpy(m1, l->magnetisation, (size_t)l->states * sizeof *m1);
    expect_sweep(l, columns, e1);
    expect_sweep(l, columns, m1);
    memset(moments, 0, (size_t)count * sizeof *moments);
    for (int state = 0; state < l->states; ++state) {
        const double e = l->energy[state], m = l->magnetisation[state];
        const double values[MOMENTS] = {e,       e * e, e * e1[state], m,
                                        fabs(m), m * m, m * m * m * m, m * m1[state]};
        for (int q = 0; q < count; ++q) {
            /* A kind of fewer sums has no ABS_M. */
            const int at = count == MOMENTS || q < GM_ISING_ABS_M ? q : q + 1;
            moments[q] += l->probability[state] * values[at];
        }
    }
    free(e1);
}

/* The law after a sweep from one state: what a sweep expects of each state's indicator. */
static inline void exact_row(const law *l, int columns, int from, double *row) {
    double *g = malloc((size_t)l->states * sizeof *g);
    for (int to = 0; to < l->states; ++to) {
        memset(g, 0, (size_t)l->states * sizeof *g);
        g[to] = 1;
        expect_sweep(l, columns, g);
        row[to] = g[from];
    }
    free(g);
}

/* Chains in states drawn from the law. */
static inline void draw_states(const law *l, uint64_t seed, int64_t chains, void *states) {
    const int64_t sites = l->chains.sites;
    double *cumulative = malloc((size_t)l->states * sizeof *cumulative), sum = 0;
    for (int state = 0; state < l->states; ++state) {
        cumulative[state] = sum += l->probability[state];
    }
    for (int64_t c = 0; c < chains; ++c) {
        const double u = (double)(next_random(&seed) >> 11) * 0x1p-53 * sum;
        int low = 0, high = l->states - 1;
        while (low < high) {
            const int middle = (low + high) / 2;
            if (cumulative[middle] > u) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        for (int64_t i = 0; i < sites; ++i) {
            ((unsigned char *)states)[c * sites + i] = l->kind->value(l, low, i);
        }
    }
    free(cumulative);
}

/* ---- comparisons ----------------------------------------------------------------------------- */

/* Of a sum of either kind, but for the flips. */
static inline double unit_of_sum(int which, double quantum) {
    return which == GM_ISING_E                               ? quantum
           : which == GM_ISING_E2 || which == GM_ISING_E_LAG ? quantum * quantum
                                                             : 1;
}

static inline double *same_betas(double beta, int64_t chains) {
    double *all = malloc((size_t)chains * sizeof *all);
    assert_non_null(all);
    for (int64_t i = 0; i < chains; ++i) {
        all[i] = beta;
    }
    return all;
}

/* Averages of chains that start from the law against its moments, unless no_lag with the products
 * over a sweep; how many. */
static inline int check_moments(const subject *s, const law *l, const char *name, int columns,
                                bool no_lag, int64_t chains, int64_t sweeps) {
    const chain_model *m = &l->chains;
    const int count = m->kind->sums - 1;
    int compared = 0;
    double exact[MOMENTS], *beta = same_betas(l->beta, chains);
    unsigned char *states = malloc((size_t)(chains * m->sites));
    uint64_t *sums = malloc((size_t)(chains * 2 * m->kind->sums) * sizeof *sums);
    void *plan;
    chain_facts facts;
    ASSERT_OK(s->context, m->kind->create(s->context, m->model, &plan));
    ASSERT_OK(s->context, m->kind->facts(plan, &facts));
    exact_moments(l, columns, exact);
    draw_states(l, 2024, chains, states);
    const chains_run r = {.chains = chains,
                          .sweeps = {.seed = 7, .sweeps = sweeps},
                          .beta = beta,
                          .states = states,
                          .sums = sums};
    run_states(s, m->kind, plan, m->sites, &r);
    for (int q = 0; q < count; ++q) {
        if (no_lag && (q == GM_ISING_E_LAG || q == count - 1)) {
            continue;
        }
        const double unit = unit_of_sum(q, facts.quantum);
        const double z = z_score(sums, count + 1, chains, sweeps, q, unit, exact[q]);
        ++compared;
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("%s: %s: moment %d is off by %.1f standard errors from %g", s->name, name, q,
                     z, exact[q]);
        }
    }
    m->kind->destroy(plan);
    free(beta);
    free(states);
    free(sums);
    return compared;
}

/* Chains a sweep after one state against a row of the matrix. */
static inline void check_row(const subject *s, const law *l, const char *name, int columns,
                             int from, int64_t chains) {
    const int64_t sites = l->chains.sites;
    double *row = malloc((size_t)l->states * sizeof *row), *beta = same_betas(l->beta, chains);
    int64_t *count = calloc((size_t)l->states, sizeof *count);
    unsigned char *states = malloc((size_t)(chains * sites));
    exact_row(l, columns, from, row);
    for (int64_t i = 0; i < chains * sites; ++i) {
        states[i] = l->kind->value(l, from, i % sites);
    }
    const chains_run r = {.chains = chains,
                          .sweeps = {.seed = 11, .first_chain = 1u << 30, .sweeps = 1},
                          .beta = beta,
                          .states = states};
    run_model(s, &l->chains, &r);
    for (int64_t i = 0; i < chains; ++i) {
        ++count[l->kind->state(l, states + i * sites)];
    }
    const double z = row_deviate(row, count, l->states, chains);
    if (!(fabs(z) < 4.9)) {
        fail_msg("%s: %s: the row of state %d is off by %.1f deviations", s->name, name, from, z);
    }
    free(row);
    free(beta);
    free(count);
    free(states);
}

#endif
