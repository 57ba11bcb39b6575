/*
 * What parallel tempering samples, against all 2^n states: the law at every level of the ladder,
 * how often neighbours exchange, and the exchange itself as a transition between two states. Every
 * subject has the bits of the others (test_tempering.c), so one of them runs here.
 *
 * Ladders are independent and start from the stationary law itself, so the mean over ladders is
 * compared with the exact value in units of its standard error from the ladders' spread; with 4,000
 * of them that is a standard normal, and |z| > 5.2 has probability 2e-7. There are 140 such
 * comparisons; the 15 counts of exchanges, binomial with means of 50 and more, exceed 5.2 with
 * probability 3e-6 each: a false alarm has probability below 1e-4 for a seed that is drawn, and the
 * seeds are fixed.
 */
#include "tests/ising_law.h"
#include "tests/tempering_fixture.h"

/* ---- the law at every level ------------------------------------------------------------------ */

enum { LADDERS = 4000, LEVELS = 5, SWAPS = 4 };

typedef struct small_glass {
    gm_ising_model model;
    int32_t *ends;
    law_numbers numbers;
} small_glass;

typedef struct law_case {
    const char *name;
    double j; /* < 0: +-|j| drawn; 0: real couplings drawn */
    double h, first, last;
    gm_ising_spins spins;
    gm_ising_update update;
    gm_tempering_pairs pairs;
    bool clamp;
} law_case;

static const law_case law_cases[] = {
    {"glass", -0.7, 0.35, 0.1, 1.7, GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_TEMPERING_ALTERNATE,
     false},
    {"real, clamped, Metropolis, random pairs", 0, 0.1, 1.9, 0.2, GM_ISING_SIGNS,
     GM_ISING_METROPOLIS, GM_TEMPERING_RANDOM, true},
    {"bits, through beta = 0", 0, -0.2, -0.8, 1.6, GM_ISING_BITS, GM_ISING_HEAT_BATH,
     GM_TEMPERING_ALTERNATE, false},
    {"antiferromagnet", 1, 0.5, -0.1, -1, GM_ISING_SIGNS, GM_ISING_HEAT_BATH,
     GM_TEMPERING_ALTERNATE, false},
};

static void make_small_glass(const law_case *c, small_glass *made) {
    memset(made, 0, sizeof *made);
    gm_ising_model *m = &made->model;
    *m = (gm_ising_model){.spins = c->spins, .update = c->update};
    made->ends = set_lattice(m, 2, (const int64_t[]){3, 3}, 0);
    set_numbers(m, &made->numbers, 8, c->j, c->h, c->clamp);
}

/* Chain k of each ladder in a state drawn from the law at level k. */
static void draw_ladders(const law *laws, ladders *l) {
    const int64_t sites = l->model->sites;
    int8_t *drawn = malloc((size_t)(l->count * sites));
    for (int64_t k = 0; k < l->temperatures; ++k) {
        draw_states(&laws[k], 100 + (uint64_t)k, l->count, drawn);
        for (int64_t c = 0; c < l->count; ++c) {
            memcpy(l->spins + (c * l->temperatures + k) * sites, drawn + c * sites, (size_t)sites);
        }
    }
    free(drawn);
}

static void check_level(const law_case *c, const ladders *l, const law *law_at, int64_t level,
                        double quantum) {
    double exact[5] = {0};
    static const int which[5] = {GM_ISING_E, GM_ISING_E2, GM_ISING_ABS_M, GM_ISING_M2, GM_ISING_M4};
    for (int x = 0; x < law_at->states; ++x) {
        const double e = law_at->energy[x], m = law_at->magnetisation[x];
        const double values[5] = {e, e * e, fabs(m), m * m, m * m * m * m};
        for (int q = 0; q < 5; ++q) {
            exact[q] += law_at->probability[x] * values[q];
        }
    }
    double values[LADDERS];
    for (int q = 0; q < 5; ++q) {
        const double unit = q == 0 ? quantum : q == 1 ? quantum * quantum : 1;
        for (int64_t i = 0; i < l->count; ++i) {
            const int64_t at = (i * LEVELS + level) * GM_ISING_SUMS + which[q];
            values[i] = unit * gm_ising_sum_value(l->sums + 2 * at) / SWAPS;
        }
        const double z = deviation_of_mean(values, l->count, exact[q]);
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("%s, level %d, sum %d: z = %.2f", c->name, (int)level, which[q], z);
        }
    }
}

/* The mean over the two laws of the probability to exchange. */
static double exact_acceptance(const law *low, const law *high) {
    double sum = 0;
    for (int x = 0; x < low->states; ++x) {
        for (int y = 0; y < high->states; ++y) {
            const double exponent = (low->beta - high->beta) * (low->energy[x] - high->energy[y]);
            sum += low->probability[x] * high->probability[y] * fmin(1, exp(exponent));
        }
    }
    return sum;
}

static void check_pair(const law_case *c, const ladders *l, int64_t pair, double exact) {
    double values[LADDERS];
    for (int what = 0; what < 2; ++what) {
        int64_t count = 0;
        for (int64_t i = 0; i < l->count; ++i) {
            const int64_t *counts = l->swaps + (i * (LEVELS - 1) + pair) * GM_TEMPERING_COUNTS;
            if (counts[GM_TEMPERING_TRIED] > 0) { /* the parity is independent of the states */
                const double sum = what == 0 ? (double)counts[GM_TEMPERING_ACCEPTED]
                                             : (double)counts[GM_TEMPERING_PROBABILITY] * 0x1p-32;
                values[count++] = sum / (double)counts[GM_TEMPERING_TRIED];
            }
        }
        const double z = deviation_of_mean(values, count, exact);
        if (!(count > LADDERS / 2 && fabs(z) < Z_BOUND)) {
            fail_msg("%s, pair %d, %s: z = %.2f", c->name, (int)pair,
                     what == 0 ? "accepted" : "probability", z);
        }
    }
}

static void every_level_has_its_law(void **state) {
    (void)state;
    const subject *s = fastest();
    for (int k = 0; k < COUNT(law_cases); ++k) {
        const law_case *c = &law_cases[k];
        small_glass g;
        make_small_glass(c, &g);
        double beta[LEVELS];
        law laws[LEVELS];
        ASSERT_OK(NULL, gm_ladder_linear(LEVELS, c->first, c->last, beta));
        for (int level = 0; level < LEVELS; ++level) {
            laws[level] = enumerate(&g.model, beta[level]);
        }
        ladders l = make_ladders(&g.model, LADDERS, LEVELS, beta);
        l.pairs = c->pairs;
        draw_ladders(laws, &l);
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(s->context, gm_ising_plan_create(s->context, &g.model, &plan));
        ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
        gm_ising_plan_destroy(plan);
        temper(s, &(const gm_tempering_swaps){.seed = 77, .swaps = SWAPS, .sweeps = 1}, &l);
        for (int level = 0; level < LEVELS; ++level) {
            check_level(c, &l, &laws[level], level, info.quantum);
            if (level + 1 < LEVELS) {
                check_pair(c, &l, level, exact_acceptance(&laws[level], &laws[level + 1]));
            }
        }
        for (int level = 0; level < LEVELS; ++level) {
            free(laws[level].energy);
        }
        free_ladders(&l);
        free(g.ends);
    }
}

/* ---- the exchange itself --------------------------------------------------------------------- */

/*
 * Four clamped sites in fields of 1, 2, 4 and 8 have the energies -15, -13, ..., 15 and stay as
 * they are, so a swap of two levels takes (a, b) to (b, a) or not: this is every entry of its
 * transition matrix. Two thresholds are off by 2^-33 at the most each.
 */
static void exchanges_are_in_detailed_balance(void **state) {
    (void)state;
    enum { copies = 1000, states = 16 };
    static const double field[4] = {1, 2, 4, 8}, beta[2] = {0.1, 0.2};
    static const uint8_t clamped[4] = {1, 1, 1, 1};
    const gm_ising_model model = {.sites = 4, .field = field, .clamped = clamped};
    const subject *s = fastest();
    ladders l = make_ladders(&model, copies * states * states, 2, beta);
    for (int64_t i = 0; i < l.count; ++i) {
        for (int64_t k = 0; k < 8; ++k) {
            l.spins[i * 8 + k] = (int8_t)(i % (states * states) >> k & 1 ? 1 : -1);
        }
    }
    temper(s, &(const gm_tempering_swaps){.seed = 5, .swaps = 1, .sweeps = 1}, &l);
    double tried[31] = {0}, accepted[31] = {0};
    for (int64_t i = 0; i < states * states; ++i) {
        const int64_t a = i % states, b = i / states, mirror = a * states + b;
        const double ea = (double)(15 - 2 * a), eb = (double)(15 - 2 * b);
        assert_true((double)l.energy[2 * i] == ea && (double)l.energy[2 * i + 1] == eb);
        const double there = (double)l.swaps[3 * i + 2] * 0x1p-32,
                     back = (double)l.swaps[3 * mirror + 2] * 0x1p-32;
        assert_true(fabs(there - fmin(1, exp(-0.1 * (ea - eb)))) <= 0x1.001p-33);
        const double p = exp(-(0.1 * ea + 0.2 * eb)), q = exp(-(0.1 * eb + 0.2 * ea));
        assert_true(fabs(p * there - q * back) <= (p + q) * 0x1.001p-33);
        for (int64_t copy = 0; copy < copies; ++copy) {
            const int64_t at = copy * states * states + i;
            assert_true(l.swaps[3 * at] == 1 && l.swaps[3 * at + 2] == l.swaps[3 * i + 2]);
            assert_true(l.swaps[3 * at + 1] == (l.level[2 * at] == 1));
            tried[a - b + 15] += 1;
            accepted[a - b + 15] += (double)l.swaps[3 * at + 1];
        }
    }
    for (int gap = 0; gap < 31; ++gap) { /* a - b = gap - 15: E_a - E_b = -2 (a - b) */
        const double p = fmin(1, exp(0.2 * (gap - 15))), n = tried[gap];
        if (p == 1) {
            assert_true(accepted[gap] == n);
        } else if (!(fabs(accepted[gap] - n * p) < Z_BOUND * sqrt(n * p * (1 - p)))) {
            fail_msg("gap %d: %g of %g accepted, not %g", gap, accepted[gap], n, n * p);
        }
    }
    free_ladders(&l);
}

/* ---- a ladder from exact energies ------------------------------------------------------------ */

/* From a ladder whose pairs differ to one where they are alike; nine spins have no normal law of
 * energies, so that they are not so to the last digit. */
static void a_glass_gets_an_even_ladder(void **state) {
    (void)state;
    enum { levels = 6 };
    small_glass g;
    make_small_glass(&(const law_case){.j = -1, .h = 0.2}, &g);
    double beta[levels], energy[levels], acceptance[levels - 1], predicted = 0;
    ASSERT_OK(NULL, gm_ladder_linear(levels, 0.1, 3, beta));
    double lowest[2], highest[2];
    for (int round = 0; round <= 6; ++round) {
        law laws[levels];
        for (int k = 0; k < levels; ++k) {
            laws[k] = enumerate(&g.model, beta[k]);
            energy[k] = 0;
            for (int x = 0; x < laws[k].states; ++x) {
                energy[k] += laws[k].probability[x] * laws[k].energy[x];
            }
        }
        if (round == 0 || round == 6) {
            lowest[round / 6] = 1;
            highest[round / 6] = 0;
            for (int k = 0; k + 1 < levels; ++k) {
                acceptance[k] = exact_acceptance(&laws[k], &laws[k + 1]);
                lowest[round / 6] = fmin(lowest[round / 6], acceptance[k]);
                highest[round / 6] = fmax(highest[round / 6], acceptance[k]);
            }
        }
        if (round < 6) {
            ASSERT_OK(NULL, gm_ladder_adapt(levels, beta, energy, levels, beta, &predicted));
        }
        for (int k = 0; k < levels; ++k) {
            free(laws[k].energy);
        }
    }
    assert_true(lowest[0] < 0.35 && highest[0] > 0.85);
    assert_true(highest[1] - lowest[1] < (highest[0] - lowest[0]) / 5);
    assert_true(predicted > lowest[1] - 0.1 && predicted < highest[1] + 0.1);
    free(g.ends);
}

/* ---- ladders --------------------------------------------------------------------------------- */

static void ladders_are_spaced(void **state) {
    (void)state;
    double b[6];
    ASSERT_OK(NULL, gm_ladder_linear(6, 1.5, -1, b));
    for (int k = 0; k < 6; ++k) {
        assert_true(fabs(b[k] - (1.5 - 0.5 * k)) < 1e-15);
    }
    ASSERT_OK(NULL, gm_ladder_geometric(6, 0.1, 3.2, b));
    assert_true(b[0] == 0.1 && b[5] == 3.2);
    for (int k = 0; k < 6; ++k) {
        assert_true(fabs(b[k] - 0.1 * pow(2, k)) < 2e-15);
    }
    ASSERT_OK(NULL, gm_ladder_geometric(2, -4, -1, b));
    assert_true(b[0] == -4 && b[1] == -1);
    double c = 7;
    ASSERT_FAILS(NULL, gm_ladder_linear(1, 0, 1, &c), GM_STATUS_INVALID_ARGUMENT, "count = 1");
    ASSERT_FAILS(NULL, gm_ladder_linear(2, NAN, 1, &c), GM_STATUS_INVALID_ARGUMENT, "first = nan");
    ASSERT_FAILS(NULL, gm_ladder_linear(2, 0, -INFINITY, &c), GM_STATUS_INVALID_ARGUMENT, "last");
    ASSERT_FAILS(NULL, gm_ladder_linear(2, 0, 1, NULL), GM_STATUS_INVALID_ARGUMENT, "beta is NULL");
    ASSERT_FAILS(NULL, gm_ladder_geometric(2, 0, 1, &c), GM_STATUS_INVALID_ARGUMENT, "one sign");
    ASSERT_FAILS(NULL, gm_ladder_geometric(2, -1, 1, &c), GM_STATUS_INVALID_ARGUMENT, "one sign");
    static const double beta[] = {1, 2, 3}, back[] = {1, 3, 2}, u[] = {0, -1, NAN},
                        e[] = {0, -1, -2};
    ASSERT_FAILS(NULL, gm_ladder_adapt(1, beta, e, 2, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "count = 1");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, beta, e, 1, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "new_count = 1");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, NULL, e, 2, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "beta is NULL");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, beta, NULL, 2, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "energy is NULL");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, beta, e, 2, NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "new_beta is NULL");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, back, e, 2, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "monotone");
    ASSERT_FAILS(NULL, gm_ladder_adapt(3, beta, u, 2, &c, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "energy[2] = nan");
    assert_true(c == 7);
}

/* n harmonic degrees of freedom: E = n / (2 beta). d^2 = n (b' - b)^2 / (2 b b') is a function of
 * the ratio alone, so the ladder becomes geometric, from a bad start and in either direction. */
static void adapted_ladders_are_even(void **state) {
    (void)state;
    enum { n = 40, r = 9 };
    for (int way = 0; way < 2; ++way) {
        double b[r], e[r], acceptance = 0;
        ASSERT_OK(NULL, gm_ladder_linear(r, way == 0 ? 0.1 : 8, way == 0 ? 8 : 0.1, b));
        for (int round = 0; round < 40; ++round) {
            for (int k = 0; k < r; ++k) {
                e[k] = n / (2 * b[k]);
            }
            ASSERT_OK(NULL, gm_ladder_adapt(r, b, e, r, b, &acceptance));
            assert_true(b[0] == (way == 0 ? 0.1 : 8) && b[r - 1] == (way == 0 ? 8 : 0.1));
        }
        const double ratio = pow(80, 1.0 / (r - 1));
        for (int k = 1; k < r; ++k) {
            const double own = way == 0 ? b[k] / b[k - 1] : b[k - 1] / b[k];
            assert_true(fabs(own / ratio - 1) < 1e-6);
        }
        assert_true(fabs(acceptance - erfc((ratio - 1) * sqrt(n / (2 * ratio)) / 2)) < 1e-6);
    }
    /* Noise: a pair in the wrong order keeps its place in the ladder. */
    static const double beta[] = {1, 2, 3, 4}, noisy[] = {0, -1, -0.5, -2};
    double out[7];
    ASSERT_OK(NULL, gm_ladder_adapt(4, beta, noisy, 7, out, NULL));
    for (int k = 1; k < 7; ++k) {
        assert_true(out[k] > out[k - 1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_has_its_law),
        cmocka_unit_test(exchanges_are_in_detailed_balance),
        cmocka_unit_test(a_glass_gets_an_even_ladder),
        cmocka_unit_test(ladders_are_spaced),
        cmocka_unit_test(adapted_ladders_are_even),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
