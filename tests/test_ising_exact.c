/*
 * What Ising chains sample, against all 2^n states: the stationary law by its moments, the kernel
 * by products over a sweep and by whole rows of its matrix, and Kaufman's torus where there are too
 * many states. Every subject has the bits of the others (test_ising.c), so one of them runs here.
 *
 * Chains are independent and, but for the torus, start from the stationary law itself, so the mean
 * over chains of a chain's average is compared with the exact value in units of its standard error
 * from the chains' spread. With 10^4 chains or more that is a standard normal: |z| > 5.2 has
 * probability 2e-7. There are 190 comparisons and 16 rows at 1e-6: a false alarm has probability
 * below 6e-5 for a seed that is drawn, and the seeds are fixed.
 */
#include "tests/ising_law.h"

#include "host/ising_args.h"

/* ---- cases ----------------------------------------------------------------------------------- */

typedef struct exact_case {
    const char *name;
    int rows, columns;
    int periodic;
    double j, h; /* j = 0: real couplings drawn; j < 0: +-|j| drawn */
    double beta;
    gm_ising_spins spins;
    gm_ising_update update;
    gm_ising_order order;
    bool clamp;
    bool no_lag; /* the order of an odd torus' colours is the library's: no products are known */
} exact_case;

#define SIGNS GM_ISING_SIGNS
#define BITS GM_ISING_BITS
#define HEAT GM_ISING_HEAT_BATH
#define METROPOLIS GM_ISING_METROPOLIS
#define LAZY GM_ISING_LAZY_METROPOLIS
#define COLOURED GM_ISING_COLOURED
static const exact_case cases[] = {
    {"3x3", 3, 3, 0, 1, 0, 0.2, SIGNS, HEAT, COLOURED, false, false},
    {"3x3", 3, 3, 0, 1, 0, 0.6, SIGNS, HEAT, COLOURED, false, false},
    {"3x3 h", 3, 3, 0, 0.3, 0.1, 1, SIGNS, HEAT, COLOURED, false, false},
    {"ring", 1, 8, 1, 0.5, 0.2, 1, SIGNS, HEAT, COLOURED, false, false},
    {"ring, Metropolis", 1, 8, 1, 0.5, 0.2, 1, SIGNS, METROPOLIS, COLOURED, false, false},
    {"4x4 torus, hot", 4, 4, 1, 1, 0, 0.3, SIGNS, HEAT, COLOURED, false, false},
    {"4x4 torus", 4, 4, 1, 1, 0, 0.44, SIGNS, HEAT, COLOURED, false, false},
    {"4x4 torus, raster", 4, 4, 1, 1, 0, 0.44, SIGNS, HEAT, GM_ISING_RASTER, false, false},
    {"4x4 torus, Metropolis", 4, 4, 1, 1, 0, 0.4, SIGNS, METROPOLIS, COLOURED, false, false},
    {"3x3 random, heat bath", 3, 3, 0, 1, 0.25, 0.4, SIGNS, HEAT, GM_ISING_RANDOM, false, false},
    {"3x3 random, Metropolis", 3, 3, 0, 1, 0.25, 0.4, SIGNS, METROPOLIS, GM_ISING_RANDOM, false,
     false},
    {"3x3 torus, odd", 3, 3, 1, 1, 0.5, 0.15, SIGNS, HEAT, COLOURED, false, true},
    {"3x4 glass", 3, 4, 0, -0.7, 0.35, 1, SIGNS, HEAT, COLOURED, false, false},
    {"3x4 real", 3, 4, 0, 0, 0.1, 0.9, SIGNS, HEAT, COLOURED, false, false},
    {"3x4 real, Metropolis, raster", 3, 4, 0, 0, 0.1, 0.9, SIGNS, METROPOLIS, GM_ISING_RASTER,
     false, false},
    {"3x4 bits", 3, 4, 0, 0.8, -0.9, 1.1, BITS, HEAT, COLOURED, false, false},
    {"3x4 bits, real, Metropolis", 3, 4, 0, 0, -0.2, 1.5, BITS, METROPOLIS, COLOURED, false, false},
    {"3x4 clamped", 3, 4, 0, 1, 0, 0.5, SIGNS, HEAT, COLOURED, true, false},
    {"4x4 torus, lazy", 4, 4, 1, 1, 0, 0.4, SIGNS, LAZY, COLOURED, false, false},
    {"3x4 bits, real, lazy", 3, 4, 0, 0, -0.2, 1.5, BITS, LAZY, GM_ISING_RASTER, false, false},
    {"3x4 antiferromagnet", 3, 4, 0, 1, 0.5, -0.5, SIGNS, HEAT, COLOURED, false, false},
};

typedef struct exact_model {
    gm_ising_model model;
    int32_t *ends;
    law_numbers numbers;
} exact_model;

static void make_model(const exact_case *c, exact_model *made) {
    memset(made, 0, sizeof *made);
    gm_ising_model *m = &made->model;
    *m = (gm_ising_model){.spins = c->spins, .update = c->update, .order = c->order};
    made->ends = c->rows == 1
                     ? set_lattice(m, 1, (const int64_t[]){c->columns}, c->periodic)
                     : set_lattice(m, 2, (const int64_t[]){c->rows, c->columns}, c->periodic);
    set_numbers(m, &made->numbers, 6, c->j, c->h, c->clamp);
}

/* ---- moments and products over a sweep ------------------------------------------------------- */

static void moments_are_exact(void **state) {
    (void)state;
    int compared = 0;
    for (int k = 0; k < COUNT(cases); ++k) {
        const exact_case *c = &cases[k];
        exact_model made;
        make_model(c, &made);
        law l = enumerate(&made.model, c->beta);
        compared += check_moments(fastest(), &l, c->name, c->columns, c->no_lag, 20000, 12);
        free(l.energy);
        free(made.ends);
    }
    assert_int_equal(compared, MOMENTS * COUNT(cases) - 2);
}

/* A Boltzmann machine of 5 visible and 4 hidden units, W = 0.3, b = -1, c = 1, as a graph: known to
 * the digits given. */
static void a_boltzmann_machine_is_a_graph(void **state) {
    (void)state;
    enum { visible = 5, hidden = 4, units = visible + hidden };
    int32_t ends[2 * visible * hidden];
    double coupling[visible * hidden], field[units];
    for (int e = 0; e < visible * hidden; ++e) {
        ends[2 * e] = e % visible;
        ends[2 * e + 1] = visible + e / visible;
        coupling[e] = 0.3;
    }
    for (int i = 0; i < units; ++i) {
        field[i] = i < visible ? -1 : 1;
    }
    static const struct {
        const char *name;
        gm_ising_update update;
        gm_ising_order order;
    } rows[] = {{"machine", HEAT, COLOURED},
                {"machine, a random unit", HEAT, GM_ISING_RANDOM},
                {"machine, Metropolis", METROPOLIS, GM_ISING_RANDOM}};
    for (int k = 0; k < COUNT(rows); ++k) {
        const gm_ising_model m = {.sites = units,
                                  .edges = visible * hidden,
                                  .ends = ends,
                                  .coupling = coupling,
                                  .field = field,
                                  .spins = BITS,
                                  .update = rows[k].update,
                                  .order = rows[k].order};
        law l = enumerate(&m, 1);
        double exact[MOMENTS];
        exact_moments(&l, 1, exact);
        const double e = exact[GM_ISING_E];
        assert_true(fabs(l.z - 5630.99255107) < 6e-9);
        assert_true(fabs(e + 3.493823798) < 6e-10);
        assert_true(fabs(exact[GM_ISING_E2] - e * e - 1.588498397) < 6e-10);
        assert_true(fabs(exact[GM_ISING_M] - 5 * 0.5044623258 - 4 * 0.8476424676) < 1e-9);
        check_moments(fastest(), &l, rows[k].name, 1, true, 20000, 12);
        free(l.energy);
    }
}

/* The sums over all states themselves: rings by (2 cosh)^n + (2 sinh)^n, and two spins by hand. */
static void enumeration_is_right(void **state) {
    (void)state;
    for (int n = 3; n <= 12; ++n) {
        gm_ising_model ring = {0};
        int32_t *ends = set_lattice(&ring, 1, (const int64_t[]){n}, 1);
        law l = enumerate(&ring, 0.7);
        const double exact = pow(2 * cosh(0.7), n) + pow(2 * sinh(0.7), n);
        assert_true(fabs(l.z - exact) < 1e-13 * exact);
        free(l.energy);
        free(ends);
    }
    /* Known answers: log Z and means by a program of its own, to the digits given. */
    static const struct {
        int rows, columns, periodic;
        double beta, z, energy, magnetisation;
    } known[] = {{3, 3, 0, 0.2, 653.95908697, -0.49869687 / 0.2, 0.37168304},
                 {3, 3, 0, 0.44, 1804.51995005, -2.6750788 / 0.44, 0.58361793},
                 {3, 3, 0, 0.6, 5825.91506969, -5.1015451 / 0.6, 0.75241644},
                 {4, 4, 1, 0.3, 357011.51877, -4.05145955 / 0.3, 0.520358},
                 {4, 4, 1, 0.44, 5415233.39316, -11.00244308 / 0.44, 0.84271564}};
    for (int k = 0; k < COUNT(known); ++k) {
        gm_ising_model m = {0};
        int32_t *ends = set_lattice(&m, 2, (const int64_t[]){known[k].rows, known[k].columns},
                                    known[k].periodic);
        law l = enumerate(&m, known[k].beta);
        double moments[MOMENTS];
        exact_moments(&l, known[k].columns, moments);
        assert_true(fabs(l.z - known[k].z) < 1e-10 * known[k].z);
        assert_true(fabs(moments[GM_ISING_E] - known[k].energy) < 1e-7 * -known[k].energy);
        assert_true(fabs(moments[GM_ISING_ABS_M] / (double)m.sites - known[k].magnetisation) <
                    5e-7);
        free(l.energy);
        free(ends);
    }
    static const int32_t pair[2] = {0, 1};
    const gm_ising_model two = {.sites = 2, .edges = 1, .ends = pair};
    law l = enumerate(&two, 1);
    double product = 0;
    for (int k = 0; k < 4; ++k) {
        product -= l.probability[k] * l.energy[k];
    }
    assert_true(fabs(product - tanh(1)) < 1e-15);
    free(l.energy);
}

/* ---- a single decision ----------------------------------------------------------------------- */

/* A threshold is 2^32 times a probability, rounded; the double arithmetic before that is good to
 * some units in the last place, 2^-19 of a step. Even is exact, and no cost is too large. */
static void thresholds_are_rounded_probabilities(void **state) {
    (void)state;
    static const double betas[] = {0, 1e-300, 0.01, 0.3, -0.3, 1, 17, 1e300};
    for (int k = 0; k < COUNT(betas); ++k) {
        for (int32_t f = 0; f < 400; f = f * 5 / 4 + 1) {
            const long double cost = 2.0L * 0.37 * f * fabsl(betas[k]);
            const long double metropolis = expl(-cost), heat = 1 / (1 + expl(cost));
            const uint32_t t[3] = {gm_ising_threshold(HEAT, 2 * 0.37, betas[k], f),
                                   gm_ising_threshold(METROPOLIS, 2 * 0.37, betas[k], f),
                                   gm_ising_threshold(LAZY, 2 * 0.37, betas[k], f)};
            assert_true(fabsl((long double)t[0] - heat * 0x1p32L) < 0.5L + 0x1p-16L);
            assert_true(t[0] <= 1u << 31);
            const long double most = 0x1p32L - 1;
            assert_true(fabsl((long double)t[1] - fminl(metropolis * 0x1p32L, most)) <
                        0.5L + 0x1p-16L);
            assert_true(fabsl((long double)t[2] - metropolis * 0x1p31L) < 0.5L + 0x1p-16L);
            assert_true(t[2] <= 1u << 31);
        }
        assert_true(gm_ising_threshold(HEAT, 1, betas[k], 0) == 1u << 31);
    }
}

/* Of the 2^32 words, exactly `threshold` go against the field: the ones below it. */
static void words_are_compared_exactly(void **state) {
    (void)state;
    static const uint32_t thresholds[] = {0, 1, 1u << 20, 1u << 31, 0xffffffffu};
    for (int k = 0; k < COUNT(thresholds); ++k) {
        const uint32_t t = thresholds[k], words[] = {0, t - 1, t, t + 1, 0xffffffffu};
        for (int w = 0; w < COUNT(words); ++w) {
            const uint32_t against = words[w] < t;
            for (uint32_t up = 0; up < 2; ++up) {
                for (int32_t field = -3; field <= 3; field += 3) {
                    const uint32_t likely = field >= 0;
                    assert_int_equal(gm_ising_decide(HEAT, field, up, words[w], t),
                                     against ? !likely : likely);
                    const uint32_t expected = field == 0                ? !up
                                              : up == likely && against ? !likely
                                                                        : likely;
                    assert_int_equal(gm_ising_decide(METROPOLIS, field, up, words[w], t), expected);
                    const uint32_t lazy = up == likely ? words[w] < t : words[w] < 1u << 31;
                    assert_int_equal(gm_ising_decide(LAZY, field, up, words[w], t), up ^ lazy);
                }
            }
        }
    }
}

/* ---- rows of the matrix ---------------------------------------------------------------------- */

static void rows_are_exact(void **state) {
    (void)state;
    static const exact_case rows[] = {
        {"2x2", 2, 2, 0, 1, 0, 0.3, SIGNS, HEAT, COLOURED, false, false},
        {"2x2 Metropolis", 2, 2, 0, 1, 0.3, 0.5, SIGNS, METROPOLIS, COLOURED, false, false},
        {"2x2 random", 2, 2, 0, 1, 0.3, 0.5, SIGNS, METROPOLIS, GM_ISING_RANDOM, false, false},
        {"2x2 lazy", 2, 2, 0, 1, 0, 0.5, SIGNS, LAZY, COLOURED, false, false},
        {"2x3 lazy", 2, 3, 0, 0, 0.2, 1, BITS, LAZY, GM_ISING_RASTER, false, false},
        {"3x3", 3, 3, 0, 1, 0.2, 0.3, SIGNS, HEAT, COLOURED, false, false},
        {"2x4 real bits", 2, 4, 0, 0, 0.3, 1, BITS, HEAT, COLOURED, false, false},
        {"2x3 raster", 2, 3, 0, -0.6, 0.2, 1, SIGNS, METROPOLIS, GM_ISING_RASTER, false, false},
    };
    for (int k = 0; k < 2 * COUNT(rows); ++k) {
        const exact_case *c = &rows[k / 2];
        exact_model made;
        make_model(c, &made);
        law l = enumerate(&made.model, c->beta);
        check_row(fastest(), &l, c->name, c->columns, k % 2 == 0 ? 1 : l.states - 4, 100000);
        free(l.energy);
        free(made.ends);
    }
}

/* ---- larger tori ----------------------------------------------------------------------------- */

/*
 * 12 x 12 in the disordered phase and below the critical point, where the relaxation takes tens of
 * sweeps: 1200 are thrown away.
 */
static void large_tori_have_their_energy(void **state) {
    (void)state;
    enum { n = 12, chains = 256, burn_in = 1200, sweeps = 600 };
    gm_ising_model small = {0};
    int32_t *ends = set_lattice(&small, 2, (const int64_t[]){4, 4}, 1);
    law l = enumerate(&small, 0.4);
    assert_true(fabs((double)kaufman(4, 0.4) - log(l.z)) < 1e-12 * log(l.z));
    free(l.energy);
    free(ends);
    gm_ising_model model = {0};
    ends = set_lattice(&model, 2, (const int64_t[]){n, n}, 1);
    const subject *s = fastest();
    static const double betas[2] = {0.35, 0.41};
    static int8_t spins[chains * n * n];
    static uint64_t sums[chains * 2 * GM_ISING_SUMS];
    double beta[chains];
    for (int k = 0; k < 2; ++k) {
        for (int i = 0; i < chains; ++i) {
            beta[i] = betas[k];
        }
        draw_spins(5, &model, chains, spins);
        chains_run r = {.chains = chains,
                        .sweeps = {.seed = 3, .sweeps = burn_in},
                        .beta = beta,
                        .spins = spins};
        run_chains(s, &model, &r);
        r.sweeps.first_sweep = burn_in;
        r.sweeps.sweeps = sweeps;
        r.sums = sums;
        run_chains(s, &model, &r);
        const double exact = (double)energy_of_torus(n, betas[k]);
        const double z = z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_E, 1, exact);
        const double m = z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_M, 1, 0);
        if (!(fabs(z) < Z_BOUND && fabs(m) < Z_BOUND)) {
            fail_msg("beta %g: energy off by %.1f, magnetisation by %.1f standard errors", betas[k],
                     z, m);
        }
    }
    free(ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enumeration_is_right),
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(a_boltzmann_machine_is_a_graph),
        cmocka_unit_test(thresholds_are_rounded_probabilities),
        cmocka_unit_test(words_are_compared_exactly),
        cmocka_unit_test(rows_are_exact),
        cmocka_unit_test(large_tori_have_their_energy),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
