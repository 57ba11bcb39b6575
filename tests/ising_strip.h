/*
 * Exact laws of Ising models with more states than fit in a table: strips of the square lattice by
 * the transfer matrix, a site at a time, and any graph of up to 24 spins, a flip at a time.
 */
#ifndef GENMATH_TESTS_ISING_STRIP_H
#define GENMATH_TESTS_ISING_STRIP_H

#include "tests/ising_law.h"

/* E, E^2, M, M^2, M^4 of a state. */
enum { STRIP_E, STRIP_E2, STRIP_M, STRIP_M2, STRIP_M4, STRIP_MOMENTS };

/* ---- strips ---------------------------------------------------------------------------------- */

/*
 * Row r, column c is site r width + c. A row is closed to a ring if `around`; width 3 to 12 then,
 * else 1 to 12. The rows are free at both ends, or, of a torus, joined.
 */
typedef struct strip {
    int width, length;
    bool around, torus;
    double coupling, field, beta;
} strip;

/*
 * A frontier is the last spin of each column, bit c for column c. Row k of the weights: the sum
 * over all earlier spins of exp(-beta E) times 1, M, M^2, M^3, M^4, E, E^2.
 */
enum { POWERS = 7, OF_ENERGY = 5 };

/* The energy of the bonds and the field that site t adds, with `old` above it. */
static double added_energy(const strip *s, int t, int frontier, int spin, int old) {
    const int column = t % s->width, value = 2 * spin - 1;
    double neighbours = t >= s->width ? 2 * old - 1 : 0;
    neighbours += column > 0 ? 2 * (frontier >> (column - 1) & 1) - 1 : 0;
    neighbours += s->around && column == s->width - 1 ? 2 * (frontier & 1) - 1 : 0;
    return -s->coupling * value * neighbours - s->field * value;
}

/* to += the weights `from` times a factor, with a spin and an energy added in each power. */
static void add_weights(const double *from, size_t stride, double factor, double spin,
                        double energy, double *to, size_t to_stride) {
    double w[POWERS];
    for (size_t k = 0; k < POWERS; ++k) {
        w[k] = factor * from[k * stride];
    }
    const double square = spin * spin;
    to[0] += w[0];
    to[to_stride] += w[1] + spin * w[0];
    to[2 * to_stride] += w[2] + 2 * spin * w[1] + square * w[0];
    to[3 * to_stride] += w[3] + 3 * spin * w[2] + 3 * square * w[1] + square * spin * w[0];
    to[4 * to_stride] += w[4] + 4 * spin * w[3] + 6 * square * w[2] + 4 * square * spin * w[1] +
                         square * square * w[0];
    to[5 * to_stride] += w[5] + energy * w[0];
    to[6 * to_stride] += w[6] + 2 * energy * w[5] + energy * energy * w[0];
}

/* Site t is added: the weights (POWERS, 2^width) become `next`. */
static void add_site(const strip *s, int t, const double *weights, double *next) {
    const size_t states = (size_t)1 << s->width;
    const int bit = 1 << t % s->width;
    memset(next, 0, POWERS * states * sizeof *next);
    for (int frontier = 0; frontier < (int)states; ++frontier) {
        if (t < s->width && frontier >= bit) {
            break; /* no spin is yet in this column or a later one */
        }
        for (int spin = 0; spin < 2; ++spin) {
            const double energy = added_energy(s, t, frontier, spin, (frontier & bit) != 0);
            add_weights(weights + frontier, states, exp(-s->beta * energy), 2 * spin - 1, energy,
                        next + ((frontier & ~bit) | spin * bit), states);
        }
    }
}

/* Sums over the last frontier; the bonds of a torus join it to the first row. */
static void close_strip(const strip *s, int first, const double *weights, double *total) {
    const size_t states = (size_t)1 << s->width;
    for (int frontier = 0; frontier < (int)states; ++frontier) {
        double energy = 0;
        for (int c = 0; c < s->width && s->torus; ++c) {
            energy += ((frontier ^ first) >> c & 1) != 0 ? s->coupling : -s->coupling;
        }
        add_weights(weights + frontier, states, exp(-s->beta * energy), 0, energy, total, 1);
    }
}

typedef struct strip_law {
    strip strip;
    double z, moments[STRIP_MOMENTS];
    double *weights; /* (sites, 2^width): sums of exp(-beta E) after each site; NULL of a torus */
} strip_law;

/* Runs over all sites from one first row of a torus, from all rows else. */
static void sum_strip(strip_law *l, int first, double *scratch, double *total) {
    const strip *s = &l->strip;
    const size_t states = (size_t)1 << s->width;
    double *now = scratch, *next = scratch + POWERS * states;
    memset(now, 0, POWERS * states * sizeof *now);
    now[0] = 1;
    for (int t = 0; t < s->width * s->length; ++t) {
        add_site(s, t, now, next);
        double *const swap = now;
        now = next;
        next = swap;
        for (size_t k = 0; k < POWERS * states && s->torus && t == s->width - 1; ++k) {
            now[k] = k % states == (size_t)first ? now[k] : 0;
        }
        if (l->weights != NULL) {
            memcpy(l->weights + (size_t)t * states, now, states * sizeof *now);
        }
    }
    close_strip(s, first, now, total);
}

/* Its weights are to be freed. */
static strip_law sum_of_strip(const strip *s) {
    const size_t states = (size_t)1 << s->width;
    double *scratch = malloc(2 * POWERS * states * sizeof *scratch), total[POWERS] = {0};
    assert_non_null(scratch);
    strip_law l = {.strip = *s};
    if (!s->torus) {
        l.weights = malloc((size_t)(s->width * s->length) * states * sizeof *l.weights);
        assert_non_null(l.weights);
    }
    for (int first = 0; first < (s->torus ? (int)states : 1); ++first) {
        sum_strip(&l, first, scratch, total);
    }
    free(scratch);
    l.z = total[0];
    static const int power[STRIP_MOMENTS] = {5, 6, 1, 2, 4};
    for (int q = 0; q < STRIP_MOMENTS; ++q) {
        l.moments[q] = total[power[q]] / l.z;
    }
    return l;
}

/* In (0, end). */
__attribute__((unused)) static double random_below(uint64_t *random, double end) {
    return ((double)(next_random(random) >> 12) + 0.5) * 0x1p-52 * end;
}

/* A state of a strip that is no torus, from its law: the last frontier, then back site by site. */
static void draw_strip(const strip_law *l, uint64_t *random, int8_t *spins) {
    const strip *s = &l->strip;
    const int states = 1 << s->width, sites = s->width * s->length;
    const double *weights = l->weights + (size_t)(sites - 1) * (size_t)states;
    double left = random_below(random, l->z);
    int frontier = 0;
    while (frontier < states - 1 && (left -= weights[frontier]) > 0) {
        ++frontier;
    }
    for (int t = sites; t-- > 0;) {
        const int bit = 1 << t % s->width, spin = (frontier & bit) != 0;
        spins[t] = (int8_t)(2 * spin - 1);
        frontier &= ~bit;
        if (t >= s->width) {
            const double *before = l->weights + (size_t)(t - 1) * (size_t)states;
            double p[2];
            for (int old = 0; old < 2; ++old) {
                p[old] = before[frontier | old * bit] *
                         exp(-s->beta * added_energy(s, t, frontier, spin, old));
            }
            frontier |= random_below(random, p[0] + p[1]) < p[0] ? 0 : bit;
        }
    }
}

/* ---- graphs ---------------------------------------------------------------------------------- */

/*
 * Calls `visit` with the energy, the magnetisation and the state (bit i: spin i is up) of all 2^n
 * states of a model of signs, each a flip away from the one before (Gray's order).
 */
typedef void state_visitor(void *data, double energy, int magnetisation, uint32_t state);

static void visit_states(const gm_ising_model *m, state_visitor *visit, void *data) {
    enum { MOST = 24 };
    double pair[MOST][MOST] = {{0}}, energy = 0;
    const int n = (int)m->sites;
    for (int64_t e = 0; e < m->edges; ++e) {
        const int32_t a = m->ends[2 * e], b = m->ends[2 * e + 1];
        pair[a][b] = pair[b][a] = m->coupling != NULL ? m->coupling[e] : 1;
        energy -= pair[a][b];
    }
    double value[MOST]; /* all down */
    for (int i = 0; i < n; ++i) {
        value[i] = -1;
        energy += m->field != NULL ? m->field[i] : 0;
    }
    int magnetisation = -n;
    visit(data, energy, magnetisation, 0);
    uint32_t state = 0;
    for (uint32_t k = 1; k < UINT32_C(1) << n; ++k) {
        int site = 0;
        while ((k >> site & 1) == 0) {
            ++site;
        }
        double field = m->field != NULL ? m->field[site] : 0;
        for (int j = 0; j < n; ++j) {
            field += pair[site][j] * value[j];
        }
        energy += 2 * value[site] * field;
        value[site] = -value[site];
        magnetisation += value[site] > 0 ? 2 : -2;
        state ^= UINT32_C(1) << site;
        visit(data, energy, magnetisation, state);
    }
}

#endif
