/* Exact laws of small Potts models, by all q^n states. */
#ifndef GENMATH_TESTS_POTTS_LAW_H
#define GENMATH_TESTS_POTTS_LAW_H

#include "tests/chain_law.h"
#include "tests/potts_fixture.h"

enum { MOST_LABELS = 5 };

/* The digits of a state to the base q. */
static inline int label_of(const law *l, int state, int64_t site) {
    return state / l->power[site] % ((const gm_potts_model *)l->chains.model)->q;
}

static inline unsigned char label_value(const law *l, int state, int64_t site) {
    return (unsigned char)label_of(l, state, site);
}

static inline int label_state(const law *l, const unsigned char *labels) {
    int state = 0;
    for (int64_t i = 0; i < l->chains.sites; ++i) {
        state += labels[i] * l->power[i];
    }
    return state;
}

static inline void fill_label_energies(law *l) {
    const gm_potts_model *m = l->chains.model;
    for (int state = 0; state < l->states; ++state) {
        int count[MOST_LABELS] = {0}, most = 0;
        double energy = 0;
        for (int64_t e = 0; e < m->edges; ++e) {
            const bool same =
                label_of(l, state, m->ends[2 * e]) == label_of(l, state, m->ends[2 * e + 1]);
            energy -= same ? (m->coupling != NULL ? m->coupling[e] : 1) : 0;
        }
        for (int64_t i = 0; i < m->sites; ++i) {
            const int x = label_of(l, state, i);
            energy -= m->field != NULL ? m->field[i * m->q + x] : 0;
            count[x] += 1;
            most = count[x] > most ? count[x] : most;
        }
        l->energy[state] = energy;
        l->magnetisation[state] = m->q * most - (double)m->sites;
    }
}

static inline void update_label(const law *l, int site, const double *g, double *out) {
    const gm_potts_model *m = l->chains.model;
    const int q = m->q, step = l->power[site];
    for (int state = 0; state < l->states; ++state) {
        const int own = label_of(l, state, site), base = state - own * step;
        double sum = 0, total = 0;
        for (int k = 0; k < q; ++k) {
            const double cost = l->beta * (l->energy[base + k * step] - l->energy[state]);
            if (m->update == GM_POTTS_HEAT_BATH) {
                sum += exp(-cost) * g[base + k * step];
                total += exp(-cost);
            } else {
                const double p = k == own ? 0 : fmin(1, exp(-cost)) / (q - 1);
                sum += p * g[base + k * step];
                total += p;
            }
        }
        out[state] = m->update == GM_POTTS_HEAT_BATH ? sum / total : sum + (1 - total) * g[state];
    }
}

/* Clamped sites have the last label. */
static inline law enumerate_labels(const gm_potts_model *m, double beta) {
    static const law_kind kind = {label_value, label_state, update_label};
    law l = begin_law(&kind, potts_chains(m), m->q, beta);
    fill_label_energies(&l);
    end_law(&l, (unsigned char)(m->q - 1));
    return l;
}

#endif
