/*
 * Exact laws of small Ising models, by all 2^n states, and comparisons of chains with them;
 * Kaufman's torus where there are too many states.
 */
#ifndef GENMATH_TESTS_ISING_LAW_H
#define GENMATH_TESTS_ISING_LAW_H

#include "tests/ising_fixture.h"

/* |z| of a standard normal is larger with probability 2e-7. */
#define Z_BOUND 5.2

/* ---- all states ------------------------------------------------------------------------------ */

enum { MOST_SITES = 16, MOST_EDGES = 64, MOMENTS = GM_ISING_FLIPS };

typedef struct law {
    const gm_ising_model *model;
    double beta;
    int states;
    double *energy, *magnetisation, *probability; /* (states); bit i of a state: site i is up */
    double z;
} law;

__attribute__((unused)) static int value_of(const gm_ising_model *m, int state, int64_t site) {
    const int up = state >> site & 1;
    return m->spins == GM_ISING_SIGNS ? 2 * up - 1 : up;
}

__attribute__((unused)) static void fill_energies(law *l) {
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

/* The probability that an update at a site leaves it up. */
__attribute__((unused)) static double up_probability(const law *l, int state, int site) {
    const int down = state & ~(1 << site), up = state | 1 << site;
    const double cost = l->beta * (l->energy[up] - l->energy[down]); /* of going up */
    if (l->model->update == GM_ISING_HEAT_BATH) {
        return 1 / (1 + exp(cost));
    }
    const double pace = l->model->update == GM_ISING_LAZY_METROPOLIS ? 0.5 : 1;
    return state == up ? 1 - pace * fmin(1, exp(cost)) : pace * fmin(1, exp(-cost));
}

/* The sites in the order of a sweep; a lattice of `columns` by the checkerboard. */
__attribute__((unused)) static int sweep_order(const gm_ising_model *m, int columns, int *order) {
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

/* g becomes the expected g after an update at a site. */
__attribute__((unused)) static void expect_update(const law *l, int site, const double *g,
                                                  double *out) {
    for (int state = 0; state < l->states; ++state) {
        const double p = up_probability(l, state, site);
        out[state] = p * g[state | 1 << site] + (1 - p) * g[state & ~(1 << site)];
    }
}

/* g becomes the expected g after a sweep. */
__attribute__((unused)) static void expect_sweep(const law *l, int columns, double *g) {
    int order[MOST_SITES];
    const int count = sweep_order(l->model, columns, order);
    double *next = malloc(2 * (size_t)l->states * sizeof *next), *mean = next + l->states;
    for (int k = count; k-- > 0;) {
        if (l->model->order != GM_ISING_RANDOM) {
            expect_update(l, order[k], g, next);
            memcpy(g, next, (size_t)l->states * sizeof *g);
            continue;
        }
        memset(mean, 0, (size_t)l->states * sizeof *mean);
        for (int j = 0; j < count; ++j) {
            expect_update(l, order[j], g, next);
            for (int state = 0; state < l->states; ++state) {
                mean[state] += next[state] / count;
            }
        }
        memcpy(g, mean, (size_t)l->states * sizeof *g);
    }
    free(next);
}

/* What the sums of a sweep are on average, but for the flips. */
__attribute__((unused)) static void exact_moments(const law *l, int columns, double *moments) {
    double *e1 = malloc(2 * (size_t)l->states * sizeof *e1), *m1 = e1 + l->states;
    memcpy(e1, l->energy, (size_t)l->states * sizeof *e1);
    memcpy(m1, l->magnetisation, (size_t)l->states * sizeof *m1);
    expect_sweep(l, columns, e1);
    expect_sweep(l, columns, m1);
    memset(moments, 0, MOMENTS * sizeof *moments);
    for (int state = 0; state < l->states; ++state) {
        const double e = l->energy[state], m = l->magnetisation[state];
        const double values[MOMENTS] = {e,       e * e, e * e1[state], m,
                                        fabs(m), m * m, m * m * m * m, m * m1[state]};
        for (int q = 0; q < MOMENTS; ++q) {
            moments[q] += l->probability[state] * values[q];
        }
    }
    free(e1);
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

/* ---- comparisons ----------------------------------------------------------------------------- */

__attribute__((unused)) static double unit_of_sum(int which, double quantum) {
    return which == GM_ISING_E                               ? quantum
           : which == GM_ISING_E2 || which == GM_ISING_E_LAG ? quantum * quantum
                                                             : 1;
}

/* The law after a sweep from one state: what a sweep expects of each state's indicator. */
__attribute__((unused)) static void exact_row(const law *l, int columns, int from, double *row) {
    double *g = malloc((size_t)l->states * sizeof *g);
    for (int to = 0; to < l->states; ++to) {
        memset(g, 0, (size_t)l->states * sizeof *g);
        g[to] = 1;
        expect_sweep(l, columns, g);
        row[to] = g[from];
    }
    free(g);
}

/* ---- larger tori ----------------------------------------------------------------------------- */

/* log Z of an n by n torus: B. Kaufman, Phys. Rev. 76, 1232 (1949). */
__attribute__((unused)) static long double kaufman(int n, long double k) {
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

__attribute__((unused)) static long double energy_of_torus(int n, double beta) {
    const long double step = 1e-5L; /* the error of the difference is of its square, 1e-8 */
    return -(kaufman(n, beta + step) - kaufman(n, beta - step)) / (2 * step);
}

#endif
