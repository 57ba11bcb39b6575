/*
 * Exact laws of small Ising models, by all 2^n states; Kaufman's torus where there are too many.
 */
#ifndef GENMATH_TESTS_ISING_LAW_H
#define GENMATH_TESTS_ISING_LAW_H

#include "tests/chain_law.h"
#include "tests/ising_fixture.h"

/* ---- models ---------------------------------------------------------------------------------- */

/* Arrays of a small model on a lattice. */
typedef struct law_numbers {
    double coupling[MOST_EDGES], field[MOST_SITES];
    uint8_t clamped[MOST_SITES];
} law_numbers;

/* J = j > 0; drawn +-|j| for j < 0, reals for j = 0. Every site has the field h, every fifth one is
 * clamped if `clamp`. */
static inline void set_numbers(gm_ising_model *m, law_numbers *n, uint64_t random, double j,
                               double h, bool clamp) {
    for (int64_t e = 0; e < m->edges; ++e) {
        const double drawn = random_between(&random, -1, 1);
        n->coupling[e] = j > 0 ? j : j < 0 ? copysign(j, drawn) : drawn;
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        n->field[i] = h;
        n->clamped[i] = clamp && i % 5 == 0;
    }
    m->coupling = n->coupling;
    m->field = h != 0 ? n->field : NULL;
    m->clamped = clamp ? n->clamped : NULL;
}

/* ---- all states ------------------------------------------------------------------------------ */

/* Bit i of a state: site i is up. */
static inline int value_of(const gm_ising_model *m, int state, int64_t site) {
    const int up = state >> site & 1;
    return m->spins == GM_ISING_SIGNS ? 2 * up - 1 : up;
}

static inline unsigned char spin_value(const law *l, int state, int64_t site) {
    return (unsigned char)value_of(l->chains.model, state, site);
}

static inline int spin_state(const law *l, const unsigned char *spins) {
    int state = 0;
    for (int64_t i = 0; i < l->chains.sites; ++i) {
        state |= (spins[i] == 1) << i;
    }
    return state;
}

static inline void fill_spin_energies(law *l) {
    const gm_ising_model *m = l->chains.model;
    for (int state = 0; state < l->states; ++state) {
        double energy = 0, magnetisation = 0;
        for (int64_t e = 0; e < m->edges; ++e) {
            energy -= (m->coupling != NULL ? m->coupling[e] : 1) *
                      value_of(m, state, m->ends[2 * e]) * value_of(m, state, m->ends[2 * e + 1]);
        }
        for (int64_t i = 0; i < m->sites; ++i) {
            energy -= (m->field != NULL ? m->field[i] : 0) * value_of(m, state, i);
            magnetisation += value_of(m, state, i);
        }
        l->energy[state] = energy;
        l->magnetisation[state] = magnetisation;
    }
}

/* The probability that an update at a site leaves it up. */
static inline double up_probability(const law *l, int state, int site) {
    const gm_ising_model *m = l->chains.model;
    const int down = state & ~(1 << site), up = state | 1 << site;
    const double cost = l->beta * (l->energy[up] - l->energy[down]); /* of going up */
    if (m->update == GM_ISING_HEAT_BATH) {
        return 1 / (1 + exp(cost));
    }
    const double pace = m->update == GM_ISING_LAZY_METROPOLIS ? 0.5 : 1;
    return state == up ? 1 - pace * fmin(1, exp(cost)) : pace * fmin(1, exp(-cost));
}

static inline void update_spin(const law *l, int site, const double *g, double *out) {
    for (int state = 0; state < l->states; ++state) {
        const double p = up_probability(l, state, site);
        out[state] = p * g[state | 1 << site] + (1 - p) * g[state & ~(1 << site)];
    }
}

/* Clamped sites are up. */
static inline law enumerate(const gm_ising_model *m, double beta) {
    static const law_kind kind = {spin_value, spin_state, update_spin};
    law l = begin_law(&kind, ising_chains(m), 2, beta);
    fill_spin_energies(&l);
    end_law(&l, 1);
    return l;
}

/* ---- larger tori ----------------------------------------------------------------------------- */

/* log Z of an n by n torus: B. Kaufman, Phys. Rev. 76, 1232 (1949). */
static inline long double kaufman(int n, long double k) {
    long double products[4] = {0, 0, 0, 0}, signs[4] = {1, 1, 1, 1};
    for (int r = 0; r < 2 * n; ++r) {
        const long double c = coshl(2 * k) * coshl(2 * k) / sinhl(2 * k) -
                              cosl(3.14159265358979323846264338327950288L * r / n);
        const long double gamma = r == 0 ? 2 * k + logl(tanhl(k)) : acoshl(c);
        const int odd = r % 2;
        const long double even_part = 2 * coshl(n * gamma / 2), odd_part = 2 * sinhl(n * gamma / 2);
        products[odd] += logl(even_part);
        products[2 + odd] += logl(fabsl(odd_part));
        signs[2 + odd] *= odd_part < 0 ? -1 : 1;
    }
    long double sum = 0;
    for (int i = 0; i < 4; ++i) {
        sum += signs[i] * expl(products[i] - products[1]);
    }
    return n * n * logl(2 * sinhl(2 * k)) / 2 - logl(2) + products[1] + logl(sum);
}

static inline long double energy_of_torus(int n, double beta) {
    const long double step = 1e-5L; /* the error of the difference is of its square, 1e-8 */
    return -(kaufman(n, beta + step) - kaufman(n, beta - step)) / (2 * step);
}

#endif
