/*
 * Ising chains with more states than fit in a table, against exact laws: strips of width 12 and
 * tori by the transfer matrix, a graph of 24 spins by all its states, and the infinite lattice.
 *
 * Chains start from the law itself, so their means are compared with exact values in units of their
 * standard errors: |z| > 5.2 has probability 2e-7. There are 48 comparisons: a false alarm has
 * probability 1e-5 for a seed that is drawn, and the seeds are fixed.
 */
#include "tests/ising_strip.h"

/* ---- the laws themselves --------------------------------------------------------------------- */

/* A strip as a model, whose ends and field are to be freed. */
static gm_ising_model model_of(const strip *s, double *coupling, double *field) {
    gm_ising_model m = {.coupling = coupling, .field = field};
    const int64_t size[2] = {s->length, s->width};
    const int32_t periodic[2] = {s->torus, s->around};
    ASSERT_OK(NULL, gm_ising_lattice(2, size, periodic, NULL, &m.edges));
    int32_t *ends = malloc((size_t)(2 * m.edges) * sizeof *ends);
    ASSERT_OK(NULL, gm_ising_lattice(2, size, periodic, ends, &m.edges));
    m.ends = ends;
    m.sites = s->width * s->length;
    for (int64_t e = 0; e < m.edges; ++e) {
        coupling[e] = s->coupling;
    }
    for (int64_t i = 0; i < m.sites; ++i) {
        field[i] = s->field;
    }
    return m;
}

static void strips_are_enumerations(void **state) {
    (void)state;
    static const strip strips[] = {
        {3, 4, false, false, 1, 0, 0.4},    {3, 4, true, false, 0.7, 0.3, 0.5},
        {4, 3, true, true, -0.6, 0.2, 0.7}, {5, 3, true, true, 1, 0, 0.44},
        {1, 9, false, false, 1, -0.4, 0.8}, {7, 2, true, false, 1, 0.1, 0.3}};
    for (int k = 0; k < COUNT(strips); ++k) {
        double coupling[64], field[16], exact[MOMENTS];
        const gm_ising_model m = model_of(&strips[k], coupling, field);
        law all = enumerate(&m, strips[k].beta);
        strip_law l = sum_of_strip(&strips[k]);
        exact_moments(&all, strips[k].width, exact);
        static const int which[STRIP_MOMENTS] = {GM_ISING_E, GM_ISING_E2, GM_ISING_M, GM_ISING_M2,
                                                 GM_ISING_M4};
        assert_true(fabs(l.z - all.z) < 1e-12 * all.z); /* of 2^15 terms in a row */
        for (int q = 0; q < STRIP_MOMENTS; ++q) {
            assert_true(fabs(l.moments[q] - exact[which[q]]) < 1e-11 * (1 + fabs(exact[which[q]])));
        }
        free(l.weights);
        free(all.energy);
        free((void *)(uintptr_t)m.ends);
    }
}

/* log Z of free lattices, and of 3 x 3 the means, by a program of its own, to the digits given. */
static void known_lattices(void **state) {
    (void)state;
    static const struct {
        double beta, log_z, energy, variance, order;
    } three[] = {{0.2, 6.483044791349, -0.498696871958, 0.534888274496, 0.371683039812},
                 {0.3, 6.801539051067, -1.170044418969, 1.330686741090, 0.446737731021},
                 {0.4, 7.267652770359, -2.176359093310, 2.542732836019, 0.541507115386},
                 {0.4406867935, 7.502229169923, -2.684098666195, 3.108379441836, 0.584354008816},
                 {0.5, 7.891524502191, -3.516178606795, 3.907715198611, 0.648606366561},
                 {0.6, 8.670071359605, -5.101545102032, 4.854412265019, 0.752416438767},
                 {1.0, 12.809420245131, -11.447663619387, 2.707428896652, 0.963350977105}};
    for (int k = 0; k < COUNT(three); ++k) {
        const double beta = three[k].beta;
        strip_law l = sum_of_strip(&(strip){3, 3, false, false, 1, 0, beta});
        const double e = beta * l.moments[STRIP_E], e2 = beta * beta * l.moments[STRIP_E2];
        assert_true(fabs(log(l.z) - three[k].log_z) < 6e-13);
        assert_true(fabs(e - three[k].energy) < 6e-13);
        assert_true(fabs(e2 - e * e - three[k].variance) < 1e-12);
        double coupling[12], field[9], exact[MOMENTS];
        const gm_ising_model m = model_of(&l.strip, coupling, field);
        law all = enumerate(&m, beta);
        exact_moments(&all, 3, exact);
        assert_true(fabs(exact[GM_ISING_ABS_M] / 9 - three[k].order) < 6e-13);
        free(all.energy);
        free((void *)(uintptr_t)m.ends);
        free(l.weights);
    }
    static const struct {
        int n;
        double beta, log_z;
    } larger[] = {{4, 0.3, 12.2270499262132},   {4, 0.4, 13.186573417462913},
                  {4, 0.5, 14.497711024011295}, {4, 0.6, 16.15934946663362},
                  {5, 0.3, 19.233687043822886}, {5, 0.4, 20.863230214549553},
                  {5, 0.5, 23.126851730676833}, {5, 0.6, 26.029390872612062}};
    for (int k = 0; k < COUNT(larger); ++k) {
        strip_law l =
            sum_of_strip(&(strip){larger[k].n, larger[k].n, false, false, 1, 0, larger[k].beta});
        assert_true(fabs(log(l.z) - larger[k].log_z) < 1e-14 * larger[k].log_z);
        free(l.weights);
    }
    /* rings: (2 cosh)^n + (2 sinh)^n, and with a field the two eigenvalues */
    strip_law ring = sum_of_strip(&(strip){8, 1, true, false, 0.5, 0, 1});
    assert_true(fabs(ring.z - 670.5988487) < 6e-8);
    assert_true(fabs(ring.moments[STRIP_E] + 1.8625970) < 6e-8);
    free(ring.weights);
    ring = sum_of_strip(&(strip){8, 1, true, false, 1, 0, 1});
    assert_true(fabs(ring.z - 9160.438723) < 6e-7 &&
                fabs(ring.moments[STRIP_E] + 6.5413030) < 6e-8);
    free(ring.weights);
    ring = sum_of_strip(&(strip){8, 1, true, false, 0.5, 0.2, 1});
    assert_true(fabs(ring.moments[STRIP_E] + 2.9787936) < 6e-8);
    assert_true(fabs(ring.moments[STRIP_M] / 8 - 0.4792088) < 6e-8);
    free(ring.weights);
    strip_law field = sum_of_strip(&(strip){3, 3, false, false, 0.3, 0.1, 1});
    assert_true(fabs(field.z - 1004.93887633) < 6e-9);
    assert_true(fabs(field.moments[STRIP_M] / 9 - 0.24304788) < 6e-9);
    assert_true(fabs(field.moments[STRIP_E] + 1.49602837) < 6e-9);
    free(field.weights);
}

/* log Z a site of the infinite lattice: L. Onsager, Phys. Rev. 65, 117 (1944), as one integral, by
 * the trapezoid rule, which converges exponentially but at the critical point. */
static double onsager(double k) {
    enum { nodes = 4096 };
    const double kappa = 2 * sinh(2 * k) / (cosh(2 * k) * cosh(2 * k));
    double sum = 0;
    for (int i = 0; i < nodes; ++i) {
        const double s = sin(3.14159265358979323846 * (i + 0.5) / nodes);
        sum += log((1 + sqrt(1 - kappa * kappa * s * s)) / 2);
    }
    return log(2 * cosh(2 * k)) + sum / (2 * nodes);
}

/* Tori by the transfer matrix are Kaufman's, and a large one is the infinite lattice, but for log 2
 * of the two phases below the critical point. */
static void tori_are_kaufmans(void **state) {
    (void)state;
    static const double betas[] = {0.2, 0.4, 0.4406867935, 0.6};
    for (int k = 0; k < COUNT(betas); ++k) {
        for (int n = 3; n <= 6; ++n) {
            const strip_law l = sum_of_strip(&(strip){n, n, true, true, 1, 0, betas[k]});
            const double exact = (double)kaufman(n, betas[k]);
            assert_true(fabs(log(l.z) - exact) < 1e-13 * exact);
            assert_true(fabs(l.moments[STRIP_E] - (double)energy_of_torus(n, betas[k])) < 1e-6);
        }
    }
    enum { n = 96 };
    assert_true(fabs((double)kaufman(n, 0.3L) / (n * n) - onsager(0.3)) < 1e-12);
    assert_true(fabs(((double)kaufman(n, 0.6L) - log(2)) / (n * n) - onsager(0.6)) < 1e-12);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static int compared;

static void expect_zero(const char *what, const char *quantity, double z) {
    ++compared;
    if (!(fabs(z) < Z_BOUND)) {
        fail_msg("%s: %s is off by %.1f standard errors", what, quantity, z);
    }
}

/*
 * Binder's cumulant 1 - <M^4> / (3 <M^2>^2) of the chains: its linear part in the deviations of
 * both moments is a mean over chains.
 */
static double binder_deviate(const uint64_t *sums, int64_t chains, int64_t sweeps,
                             const double *exact) {
    const double m2 = exact[STRIP_M2], m4 = exact[STRIP_M4];
    double mean = 0, square = 0;
    for (int64_t c = 0; c < chains; ++c) {
        const uint64_t *own = sums + c * GM_ISING_SUMS * 2;
        const double of2 = gm_ising_sum_value(own + 2 * GM_ISING_M2) / (double)sweeps - m2;
        const double of4 = gm_ising_sum_value(own + 2 * GM_ISING_M4) / (double)sweeps - m4;
        const double x = -(of4 / (m2 * m2) - 2 * m4 * of2 / (m2 * m2 * m2)) / 3;
        mean += x;
        square += x * x;
    }
    mean /= (double)chains;
    return mean / sqrt((square / (double)chains - mean * mean) / (double)(chains - 1));
}

static void compare(const char *what, const gm_ising_model *m, double beta_of_all, int64_t chains,
                    int8_t *spins, const double *exact) {
    enum { sweeps = 20 };
    const subject *s = fastest();
    uint64_t *sums = malloc((size_t)chains * 2 * GM_ISING_SUMS * sizeof *sums);
    double *beta = malloc((size_t)chains * sizeof *beta);
    for (int64_t c = 0; c < chains; ++c) {
        beta[c] = beta_of_all;
    }
    gm_ising_plan *plan;
    gm_ising_info info;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, m, &plan));
    ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
    const chains_run r = {.chains = chains,
                          .sweeps = {.seed = 17, .sweeps = sweeps},
                          .beta = beta,
                          .spins = spins,
                          .sums = sums};
    run_plan(s, plan, m->sites, &r);
    static const struct {
        int sum, moment;
        const char *name;
    } pairs[] = {{GM_ISING_E, STRIP_E, "E"},
                 {GM_ISING_E2, STRIP_E2, "E^2"},
                 {GM_ISING_M, STRIP_M, "M"},
                 {GM_ISING_M2, STRIP_M2, "M^2"},
                 {GM_ISING_M4, STRIP_M4, "M^4"}};
    for (int k = 0; k < COUNT(pairs); ++k) {
        const double unit = unit_of_sum(pairs[k].sum, info.quantum);
        expect_zero(what, pairs[k].name,
                    z_score(sums, GM_ISING_SUMS, chains, sweeps, pairs[k].sum, unit,
                            exact[pairs[k].moment]));
    }
    expect_zero(what, "Binder's cumulant", binder_deviate(sums, chains, sweeps, exact));
    gm_ising_plan_destroy(plan);
    free(beta);
    free(sums);
}

static void chains_on_strips(void **state) {
    (void)state;
    static const struct {
        const char *name;
        strip strip;
    } cases[] = {
        {"12 x 12 cylinder, disordered", {12, 12, true, false, 1, 0, 0.3}},
        {"12 x 12 cylinder, critical", {12, 12, true, false, 1, 0, 0.4406867935}},
        {"12 x 12 cylinder, ordered", {12, 12, true, false, 1, 0, 0.5}},
        {"8 x 20 free, field", {8, 20, false, false, 1, 0.05, 0.42}},
        {"6 x 6 free, critical", {6, 6, false, false, 1, 0, 0.4406867935}},
        {"11 x 9 antiferromagnet around an odd ring", {11, 9, true, false, -1, 0.3, 0.5}},
        {"4 x 30 cylinder, real coupling", {4, 30, true, false, 0.3137, 0.021, 1.1}},
    };
    enum { chains = 2000 };
    for (int k = 0; k < COUNT(cases); ++k) {
        double coupling[320], field[160];
        const gm_ising_model m = model_of(&cases[k].strip, coupling, field);
        strip_law l = sum_of_strip(&cases[k].strip);
        int8_t *spins = malloc((size_t)(chains * m.sites));
        uint64_t random = 12;
        for (int c = 0; c < chains; ++c) {
            draw_strip(&l, &random, spins + c * m.sites);
        }
        compare(cases[k].name, &m, cases[k].strip.beta, chains, spins, l.moments);
        free(spins);
        free(l.weights);
        free((void *)(uintptr_t)m.ends);
    }
}

/* ---- a graph of 24 spins --------------------------------------------------------------------- */

enum { GRAPH_SITES = 24, GRAPH_CHAINS = 4000 };

typedef struct graph_sums {
    double beta, total[1 + STRIP_MOMENTS];
    /* the second time: points in 0 .. total[0], rising, and the states they fall into */
    const double *point;
    double passed;
    int drawn;
    int8_t *spins;
} graph_sums;

static void add_state(void *data, double energy, int magnetisation, uint32_t state) {
    (void)state;
    graph_sums *g = data;
    const double w = exp(-g->beta * energy), m = magnetisation, m2 = m * m;
    const double values[1 + STRIP_MOMENTS] = {1, energy, energy * energy, m, m2, m2 * m2};
    for (int q = 0; q < COUNT(values); ++q) {
        g->total[q] += w * values[q];
    }
}

static void draw_state(void *data, double energy, int magnetisation, uint32_t state) {
    (void)magnetisation;
    graph_sums *g = data;
    g->passed += exp(-g->beta * energy);
    while (g->drawn < GRAPH_CHAINS && g->point[g->drawn] < g->passed) {
        for (int i = 0; i < GRAPH_SITES; ++i) {
            g->spins[g->drawn * GRAPH_SITES + i] = (state >> i & 1) != 0 ? 1 : -1;
        }
        ++g->drawn;
    }
}

static void chains_on_a_graph(void **state) {
    (void)state;
    int32_t ends[2 * 3 * GRAPH_SITES];
    double coupling[3 * GRAPH_SITES], field[GRAPH_SITES], point[GRAPH_CHAINS];
    gm_ising_model m = {0};
    set_tangle(&m, GRAPH_SITES, coupling, field, ends);
    static int8_t spins[GRAPH_CHAINS * GRAPH_SITES];
    graph_sums g = {.beta = 0.6, .point = point, .spins = spins};
    visit_states(&m, add_state, &g);
    uint64_t random = 31;
    double sum = 0; /* spacings of sorted uniforms are exponentials over their sum */
    for (int c = 0; c < GRAPH_CHAINS; ++c) {
        sum -= log(random_below(&random, 1));
        point[c] = sum;
    }
    sum -= log(random_below(&random, 1));
    for (int c = 0; c < GRAPH_CHAINS; ++c) {
        point[c] *= g.total[0] / sum;
    }
    visit_states(&m, draw_state, &g);
    assert_int_equal(g.drawn, GRAPH_CHAINS);
    double exact[STRIP_MOMENTS];
    for (int q = 0; q < STRIP_MOMENTS; ++q) {
        exact[q] = g.total[1 + q] / g.total[0];
    }
    compare("24 spins, real couplings", &m, g.beta, GRAPH_CHAINS, spins, exact);
    assert_int_equal(compared, 6 * 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strips_are_enumerations), cmocka_unit_test(known_lattices),
        cmocka_unit_test(tori_are_kaufmans),       cmocka_unit_test(chains_on_strips),
        cmocka_unit_test(chains_on_a_graph),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
