/*
 * gm_lattice_edges: numbers of edges, degrees, sublattices, ground states; and Ising chains on the
 * hexagonal and triangular lattice against all states and against Houtappel's energies.
 *
 * Six z-tests of means over 400 chains or more with |z| < 5.5: a false alarm has probability below
 * 1e-6 for a seed that is drawn, and the seeds are fixed.
 */
#include "tests/ising_fixture.h"

#include <genmath/lattices.h>

typedef struct lattice {
    gm_lattice_kind kind;
    int64_t size[2];
    int32_t periodic[2];
    int64_t edges, colours;
} lattice;

#define CUBIC GM_LATTICE_CUBIC
#define TRIANGULAR GM_LATTICE_TRIANGULAR
#define HEXAGONAL GM_LATTICE_HEXAGONAL
static const lattice lattices[] = {
    {CUBIC, {4, 6}, {1, 1}, 48, 2},       {TRIANGULAR, {3, 3}, {1, 1}, 27, 3},
    {TRIANGULAR, {6, 9}, {1, 1}, 162, 3}, {TRIANGULAR, {2, 2}, {0, 0}, 5, 3},
    {TRIANGULAR, {3, 4}, {0, 0}, 23, 3},  {TRIANGULAR, {1, 5}, {0, 0}, 4, 2},
    {TRIANGULAR, {3, 3}, {1, 0}, 21, 3},  {HEXAGONAL, {2, 4}, {1, 1}, 12, 2},
    {HEXAGONAL, {4, 4}, {1, 1}, 24, 2},   {HEXAGONAL, {6, 8}, {1, 1}, 72, 2},
    {HEXAGONAL, {2, 3}, {0, 0}, 6, 2},    {HEXAGONAL, {3, 3}, {0, 0}, 9, 2},
    {HEXAGONAL, {1, 7}, {0, 0}, 6, 2},    {HEXAGONAL, {4, 5}, {1, 0}, 26, 2},
};

/* The model of a lattice; its ends are to be freed. */
static gm_ising_model make_model(const lattice *l) {
    gm_ising_model m = {.sites = l->size[0] * l->size[1], .connected = 1};
    ASSERT_OK(NULL, gm_lattice_edges(l->kind, 2, l->size, l->periodic, NULL, &m.edges));
    int32_t *ends = malloc((size_t)(2 * m.edges + 1) * sizeof *ends);
    assert_non_null(ends);
    int64_t edges;
    ASSERT_OK(NULL, gm_lattice_edges(l->kind, 2, l->size, l->periodic, ends, &edges));
    assert_int_equal(edges, m.edges);
    m.ends = ends;
    return m;
}

/* Every lattice is connected and joins no pair twice: the plan would refuse it. */
static void lattices_have_their_edges(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    for (int k = 0; k < COUNT(lattices); ++k) {
        const lattice *l = &lattices[k];
        gm_ising_model m = make_model(l);
        assert_int_equal(m.edges, l->edges);
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(context, gm_ising_plan_create(context, &m, &plan));
        ASSERT_OK(context, gm_ising_plan_info(plan, &info));
        assert_int_equal(info.colours, l->colours);
        assert_int_equal(info.components, 1);
        gm_ising_plan_destroy(plan);
        int degree[64] = {0};
        for (int64_t e = 0; e < 2 * m.edges; ++e) {
            degree[m.ends[e]] += 1;
        }
        const int full = l->kind == CUBIC ? 4 : l->kind == TRIANGULAR ? 6 : 3;
        for (int64_t i = 0; i < m.sites; ++i) {
            assert_true(degree[i] >= 1 && degree[i] <= full);
            assert_true(degree[i] == full || l->periodic[0] == 0 || l->periodic[1] == 0);
        }
        for (int64_t e = 0; e < m.edges && l->kind == HEXAGONAL; ++e) {
            const int64_t a = m.ends[2 * e], b = m.ends[2 * e + 1], columns = l->size[1];
            assert_int_equal((a / columns + a % columns + b / columns + b % columns) % 2, 1);
        }
        free((void *)m.ends);
    }
}

static double energy_of(const gm_ising_model *m, int state, double j) {
    double energy = 0;
    for (int64_t e = 0; e < m->edges; ++e) {
        energy -= (state >> m->ends[2 * e] & 1) == (state >> m->ends[2 * e + 1] & 1) ? j : -j;
    }
    return energy;
}

/* All states: aligned or, of two sublattices, opposed spins have every bond; an antiferromagnet on
 * the triangular torus loses one bond of each of its 2 N triangles, each shared by two: 1/3. */
static void ground_states_have_their_energy(void **state) {
    (void)state;
    static const struct {
        lattice l;
        double ferromagnet, antiferromagnet;
    } cases[] = {{{HEXAGONAL, {4, 4}, {1, 1}, 0, 0}, -24, -24},
                 {{HEXAGONAL, {3, 3}, {0, 0}, 0, 0}, -9, -9},
                 {{TRIANGULAR, {3, 3}, {1, 1}, 0, 0}, -27, -9},
                 {{TRIANGULAR, {2, 2}, {0, 0}, 0, 0}, -5, -3}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_model m = make_model(&cases[k].l);
        double least[2] = {INFINITY, INFINITY};
        for (int s = 0; s < 1 << m.sites; ++s) {
            least[0] = fmin(least[0], energy_of(&m, s, 1));
            least[1] = fmin(least[1], energy_of(&m, s, -1));
        }
        assert_true(least[0] == cases[k].ferromagnet && least[1] == cases[k].antiferromagnet);
        free((void *)m.ends);
    }
}

static void wrong_lattices_are_refused(void **state) {
    (void)state;
    static const struct {
        gm_lattice_kind kind;
        int32_t axes;
        int64_t size[3];
        int32_t periodic[3];
        const char *text;
    } cases[] = {{(gm_lattice_kind)3, 2, {4, 4}, {0}, "kind = 3"},
                 {TRIANGULAR, 1, {4}, {0}, "axes = 1"},
                 {HEXAGONAL, 3, {4, 4, 4}, {0}, "axes = 3"},
                 {HEXAGONAL, 0, {4}, {0}, "axes = 0"},
                 {TRIANGULAR, 2, {4, 2}, {1, 1}, "size[1] = 2"},
                 {TRIANGULAR, 2, {0, 2}, {0, 0}, "size[0] = 0"},
                 {HEXAGONAL, 2, {4, 5}, {0, 1}, "size[1] = 5"},
                 {HEXAGONAL, 2, {3, 4}, {1, 0}, "size[0] = 3"},
                 {HEXAGONAL, 2, {4, 2}, {1, 1}, "size[1] = 2"},
                 {HEXAGONAL, 2, {1 << 20, 1 << 20}, {0}, "2^30"}};
    for (int k = 0; k < COUNT(cases); ++k) {
        int64_t edges = -7;
        int32_t ends[2] = {9, 9};
        ASSERT_FAILS(NULL,
                     gm_lattice_edges(cases[k].kind, cases[k].axes, cases[k].size,
                                      cases[k].periodic, ends, &edges),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_true(edges == -7 && ends[0] == 9);
    }
    int64_t edges;
    ASSERT_FAILS(NULL, gm_lattice_edges(HEXAGONAL, 2, NULL, NULL, NULL, &edges),
                 GM_STATUS_INVALID_ARGUMENT, "size is NULL");
    ASSERT_FAILS(NULL, gm_lattice_edges(HEXAGONAL, 2, (int64_t[]){2, 2}, NULL, NULL, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "edges is NULL");
}

/* ---- chains ---------------------------------------------------------------------------------- */

enum { MOST_CHAINS = 2000, MOST_SITES = 24 * 24 };

/* z of the mean energy of chains at one beta from random spins. */
static double energy_deviate(const lattice *l, double beta, int64_t chains, int64_t burn_in,
                             int64_t sweeps, double exact) {
    static int8_t spins[400 * MOST_SITES];
    static uint64_t sums[MOST_CHAINS * 2 * GM_ISING_SUMS];
    double betas[MOST_CHAINS];
    gm_ising_model m = make_model(l);
    for (int64_t c = 0; c < chains; ++c) {
        betas[c] = beta;
    }
    assert_true(chains <= MOST_CHAINS && chains * m.sites <= 400 * MOST_SITES);
    draw_spins(5, &m, chains, spins);
    chains_run r = {
        .chains = chains, .sweeps = {.seed = 3, .sweeps = burn_in}, .beta = betas, .spins = spins};
    run_chains(fastest(), &m, &r);
    r.sweeps.first_sweep = (uint64_t)burn_in;
    r.sweeps.sweeps = sweeps;
    r.sums = sums;
    run_chains(fastest(), &m, &r);
    free((void *)m.ends);
    return z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_E, 1, exact);
}

static void small_tori_have_their_energy(void **state) {
    (void)state;
    static const struct {
        lattice l;
        double beta;
    } cases[] = {{{HEXAGONAL, {2, 6}, {1, 1}, 0, 0}, 0.6585},
                 {{TRIANGULAR, {3, 4}, {1, 1}, 0, 0}, 0.2747},
                 {{TRIANGULAR, {3, 3}, {1, 1}, 0, 0}, -0.8}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_model m = make_model(&cases[k].l);
        double z = 0, energy = 0;
        for (int s = 0; s < 1 << m.sites; ++s) {
            const double e = energy_of(&m, s, 1), w = exp(-cases[k].beta * e);
            z += w;
            energy += w * e;
        }
        free((void *)m.ends);
        const double off = energy_deviate(&cases[k].l, cases[k].beta, 2000, 100, 100, energy / z);
        if (!(fabs(off) < 5.5)) {
            fail_msg("case %d: the energy is off by %.1f standard errors", k, off);
        }
    }
}

/*
 * log Z of a site in the infinite lattice: R. M. F. Houtappel, Physica 16, 425 (1950). With w =
 * cos a + cos b + cos(a + b), C = cosh 2 beta, S = sinh 2 beta and means over a and b,
 *     triangular  log 2 + mean log(C^3 + S^3 - S w) / 2
 *     hexagonal   3/4 log 2 + mean log(C^3 + 1 - S^2 w) / 4
 * The trapezoidal rule converges exponentially away from the critical point.
 */
static double log_sum(gm_lattice_kind kind, double beta) {
    enum { POINTS = 256 };
    const double step = 2 * 3.14159265358979323846 / POINTS;
    const double c = cosh(2 * beta), s = sinh(2 * beta);
    double mean = 0;
    for (int i = 0; i < POINTS; ++i) {
        for (int j = 0; j < POINTS; ++j) {
            const double w = cos(step * i) + cos(step * j) + cos(step * (i + j));
            mean += kind == TRIANGULAR ? log(c * c * c + s * s * s - s * w)
                                       : log(c * c * c + 1 - s * s * w);
        }
    }
    mean /= POINTS * POINTS;
    return kind == TRIANGULAR ? log(2) + mean / 2 : 0.75 * log(2) + mean / 4;
}

/* The arguments of the logarithms vanish at w = 3 where exp(2 beta) is sqrt 3 and 2 + sqrt 3: the
 * critical points. Above them the correlation length is small against 24 sites. */
static void large_tori_have_houtappels_energy(void **state) {
    (void)state;
    const double t = log(3) / 4, h = log(2 + sqrt(3)) / 2;
    assert_true(fabs(pow(cosh(2 * t), 3) + pow(sinh(2 * t), 3) - 3 * sinh(2 * t)) < 1e-14);
    assert_true(fabs(pow(cosh(2 * h), 3) + 1 - 3 * pow(sinh(2 * h), 2)) < 1e-13);
    assert_true(fabs(1 / h - 1.5187) < 1e-4);
    /* Three bonds a site at high temperature: 3 log cosh beta and twice the triangles' tanh^3. */
    const double small = 0.01, x = tanh(small);
    assert_true(fabs(log_sum(TRIANGULAR, small) - log(2) - 3 * log(cosh(small)) - 2 * x * x * x) <
                4 * x * x * x * x);
    assert_true(fabs(log_sum(HEXAGONAL, small) - log(2) - 1.5 * log(cosh(small))) < 1e-12);
    static const struct {
        lattice l;
        double beta;
    } cases[] = {{{TRIANGULAR, {24, 24}, {1, 1}, 0, 0}, 0.2},
                 {{HEXAGONAL, {24, 24}, {1, 1}, 0, 0}, 0.5},
                 {{HEXAGONAL, {24, 24}, {1, 1}, 0, 0}, 0.3}};
    for (int k = 0; k < COUNT(cases); ++k) {
        const double beta = cases[k].beta, d = 1e-4;
        const gm_lattice_kind kind = cases[k].l.kind;
        const double exact = -(log_sum(kind, beta + d) - log_sum(kind, beta - d)) / (2 * d);
        const double off = energy_deviate(&cases[k].l, beta, 400, 60, 60, exact * MOST_SITES);
        if (!(fabs(off) < 5.5)) {
            fail_msg("case %d: the energy is off by %.1f standard errors from %g a site", k, off,
                     exact);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lattices_have_their_edges),
        cmocka_unit_test(ground_states_have_their_energy),
        cmocka_unit_test(wrong_lattices_are_refused),
        cmocka_unit_test(small_tori_have_their_energy),
        cmocka_unit_test(large_tori_have_houtappels_energy),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
