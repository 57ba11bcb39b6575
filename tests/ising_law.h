/* All states of small Ising models, and chains that start from their law. */
#ifndef GENMATH_TESTS_ISING_LAW_H
#define GENMATH_TESTS_ISING_LAW_H

#include "tests/ising_fixture.h"

enum { MOST_SITES = 16, MOST_EDGES = 64 };

typedef struct law {
    const gm_ising_model *model;
    double beta;
    int states;
    double *energy, *magnetisation, *probability; /* (states); bit i of a state: site i is up */
    double z;
} law;

static int value_of(const gm_ising_model *m, int state, int64_t site) {
    const int up = state >> site & 1;
    return m->spins == GM_ISING_SIGNS ? 2 * up - 1 : up;
}

static void fill_energies(law *l) {
    const gm_ising_model *m = l->model;
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

/* Clamped sites are up. */
__attribute__((unused)) static law enumerate(const gm_ising_model *m, double beta) {
    law l = {.model = m, .beta = beta, .states = 1 << m->sites};
    l.energy = malloc(3 * (size_t)l.states * sizeof(double));
    assert_non_null(l.energy);
    l.magnetisation = l.energy + l.states;
    l.probability = l.magnetisation + l.states;
    fill_energies(&l);
    for (int state = 0; state < l.states; ++state) {
        bool possible = true;
        for (int64_t i = 0; i < m->sites && m->clamped != NULL; ++i) {
            possible = possible && (m->clamped[i] == 0 || (state >> i & 1) != 0);
        }
        l.probability[state] = possible ? exp(-beta * l.energy[state]) : 0;
        l.z += l.probability[state];
    }
    for (int state = 0; state < l.states; ++state) {
        l.probability[state] /= l.z;
    }
    return l;
}

/* Chains in states drawn from the law. */
__attribute__((unused)) static void draw_states(const law *l, uint64_t seed, int64_t chains,
                                                int8_t *spins) {
    const int64_t sites = l->model->sites;
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
            spins[c * sites + i] = (int8_t)value_of(l->model, low, i);
        }
    }
    free(cumulative);
}

#endif
