/*
 * What Potts chains sample: each draw by its number of words, the stationary law by its moments and
 * the kernel by products over a sweep and whole rows, against all q^n states; a torus against its
 * transfer matrix; q = 2 against the Ising model. Every subject has the bits of the others
 * (test_potts.c), so one of them runs here.
 *
 * Chains are independent and, but for the torus and the Ising model, start from the stationary law
 * itself. With 5000 chains or more a mean in units of its standard error is a standard normal:
 * |z| > 5.2 has probability 2e-7. There are below 130 comparisons and 12 rows at 1e-6: a false
 * alarm has probability below 4e-5 for a seed that is drawn, and the seeds are fixed.
 */
#include "tests/potts_law.h"

#include "host/potts_args.h"

/* ---- single draws ---------------------------------------------------------------------------- */

/* The words below which the point of a draw is below `end`: it grows with the word. */
static uint64_t words_below(uint64_t total, uint64_t end) {
    uint64_t low = 0, high = UINT64_C(1) << 32;
    while (low < high) {
        const uint64_t middle = (low + high) / 2;
        if (gm_potts_point(total, (uint32_t)middle) < end) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Of the 2^32 words, the share that draws a label is its probability to 2^-32 + 2^-40. */
static void draws_have_their_probabilities(void **state) {
    (void)state;
    static const int32_t labels[] = {2, 3, 5, 17, 256};
    static const double betas[] = {0, 1e-9, 0.3, -1, 4, 1e300};
    uint64_t random = 8;
    for (int n = 0; n < COUNT(labels); ++n) {
        for (int b = 0; b < 4 * COUNT(betas); ++b) {
            const int32_t q = labels[n];
            const double beta = betas[b / 4], quantum = 0.37 / (1 << 4 * (b % 4));
            uint32_t gap[256];
            uint64_t total = 0, sum = 0, before = 0;
            long double z = 0;
            for (int32_t k = 0; k < q; ++k) {
                gap[k] = (uint32_t)(next_random(&random) >> 20) % (1u << (4 + 3 * (b % 4)));
                gap[k] = k == q / 2 ? 0 : gap[k];
                total += gm_potts_weight(quantum, beta, gap[k]);
                z += expl(-(long double)quantum * fabsl(beta) * gap[k]);
            }
            for (int32_t k = 0; k < q; ++k) {
                const long double p = expl(-(long double)quantum * fabsl(beta) * gap[k]) / z;
                sum += gm_potts_weight(quantum, beta, gap[k]);
                const uint64_t words = words_below(total, sum);
                const long double got = (long double)(words - before) * 0x1p-32L;
                assert_true(fabsl(got - p) < 0x1p-32L + 0x1p-40L);
                before = words;
            }
            assert_true(before == UINT64_C(1) << 32 && sum == total);
        }
    }
}

/* As many words propose one other label as another, to one, and of these the accepted ones come
 * first: their share is the weight's, to 2^-32. */
static void proposals_share_their_words(void **state) {
    (void)state;
    static const int32_t labels[] = {2, 3, 4, 7, 256};
    static const uint64_t weights[] = {
        UINT64_C(1) << 48, UINT64_C(1) << 47, 123456789012345u, 1u << 20, 1, 0};
    for (int n = 0; n < COUNT(labels); ++n) {
        const int32_t q = labels[n], old = q / 2;
        uint64_t start = 0;
        for (int32_t k = 0; k < q; ++k) {
            if (k == old) {
                continue;
            }
            uint64_t end = start, high = UINT64_C(1) << 32;
            while (end < high) {
                const uint64_t middle = (end + high) / 2;
                if (gm_potts_propose(q, old, (uint32_t)middle) <= k) {
                    end = middle + 1;
                } else {
                    high = middle;
                }
            }
            const long double share = 0x1p32L / (q - 1);
            assert_true(fabsl((long double)(end - start) - share) < 1);
            for (int w = 0; w < COUNT(weights); ++w) {
                uint64_t low = start, most = end;
                while (low < most) {
                    const uint64_t middle = (low + most) / 2;
                    assert_int_equal(gm_potts_propose(q, old, (uint32_t)middle), k);
                    if (gm_potts_accept(q, (uint32_t)middle, weights[w])) {
                        low = middle + 1;
                    } else {
                        most = middle;
                    }
                }
                const long double p = (long double)weights[w] * 0x1p-48L;
                assert_true(fabsl((long double)(low - start) - p * share) < 1 + 0x1p-15L);
                assert_true(w > 0 || low == end);
            }
            start = end;
        }
        assert_true(start == UINT64_C(1) << 32);
    }
}

/* ---- cases ----------------------------------------------------------------------------------- */

typedef struct exact_case {
    const char *name;
    int32_t q;
    int rows, columns, periodic;
    double j, h; /* j = 0: real couplings drawn; fields drawn from -h .. h */
    double beta;
    gm_potts_update update;
    gm_ising_order order;
    bool clamp;
    bool no_lag; /* the order of an odd torus' colours is the library's: no products are known */
} exact_case;

#define HEAT GM_POTTS_HEAT_BATH
#define METROPOLIS GM_POTTS_METROPOLIS
#define COLOURED GM_ISING_COLOURED
#define RASTER GM_ISING_RASTER
#define RANDOM GM_ISING_RANDOM
static const exact_case cases[] = {
    {"q = 2, 3x3", 2, 3, 3, 0, 1, 0, 0.8, HEAT, COLOURED, false, false},
    {"q = 2, 3x3, Metropolis", 2, 3, 3, 0, 1, 0.5, 0.8, METROPOLIS, RASTER, false, false},
    {"q = 3, 2x3, hot", 3, 2, 3, 0, 1, 0, 0.3, HEAT, COLOURED, false, false},
    {"q = 3, 3x3", 3, 3, 3, 0, 1, 0, 1.005, HEAT, COLOURED, false, false},
    {"q = 3, 2x4 antiferromagnet", 3, 2, 4, 0, 1, 0.7, -1, HEAT, COLOURED, false, false},
    {"q = 3, 3x3 torus", 3, 3, 3, 1, 0.5, 0, 1.4, HEAT, COLOURED, false, true},
    {"q = 3, 2x4 fields", 3, 2, 4, 0, 0, 1, 1, HEAT, COLOURED, false, false},
    {"q = 3, 2x3, Metropolis", 3, 2, 3, 0, 1, 0, 0.9, METROPOLIS, COLOURED, false, false},
    {"q = 3, 2x3 random", 3, 2, 3, 0, 1, 0.4, 0.9, HEAT, RANDOM, false, false},
    {"q = 4, 2x3 random, Metropolis", 4, 2, 3, 0, 1, 0.4, 0.9, METROPOLIS, RANDOM, false, false},
    {"q = 4, 2x3 clamped", 4, 2, 3, 0, 1, 0, 1.1, HEAT, COLOURED, true, false},
    {"q = 4, 2x3, real, raster", 4, 2, 3, 0, 0, 0.6, 1.5, HEAT, RASTER, false, false},
    {"q = 5, ring of 4", 5, 1, 4, 1, 1, 0, 1.2, HEAT, COLOURED, false, false},
    {"q = 5, 2x2, fields, Metropolis", 5, 2, 2, 0, 1, 1, 0.7, METROPOLIS, COLOURED, false, false},
};

typedef struct exact_model {
    gm_potts_model model;
    int32_t *ends;
    double coupling[MOST_EDGES], field[MOST_SITES * MOST_LABELS];
    uint8_t clamped[MOST_SITES];
} exact_model;

static void make_model(const exact_case *c, exact_model *made) {
    memset(made, 0, sizeof *made);
    gm_potts_model *m = &made->model;
    *m = (gm_potts_model){.q = c->q, .update = c->update, .order = c->order};
    made->ends = c->rows == 1
                     ? set_potts_lattice(m, 1, (const int64_t[]){c->columns}, c->periodic)
                     : set_potts_lattice(m, 2, (const int64_t[]){c->rows, c->columns}, c->periodic);
    uint64_t random = 6;
    for (int64_t e = 0; e < m->edges; ++e) {
        made->coupling[e] = c->j > 0 ? c->j : random_between(&random, -1, 1);
    }
    for (int64_t i = 0; i < m->sites * m->q; ++i) {
        made->field[i] = random_between(&random, -c->h, c->h);
    }
    for (int64_t i = 0; i < m->sites; i += 4) {
        made->clamped[i] = c->clamp;
    }
    m->coupling = made->coupling;
    m->field = c->h != 0 ? made->field : NULL;
    m->clamped = c->clamp ? made->clamped : NULL;
}

/* ---- moments and products over a sweep ------------------------------------------------------- */

static double quantum_of(const subject *s, const gm_potts_model *model) {
    gm_potts_plan *plan;
    gm_potts_info info;
    ASSERT_OK(s->context, gm_potts_plan_create(s->context, model, &plan));
    ASSERT_OK(s->context, gm_potts_plan_info(plan, &info));
    gm_potts_plan_destroy(plan);
    return info.quantum;
}

static void fill(double *beta, int64_t chains, double value) {
    for (int64_t i = 0; i < chains; ++i) {
        beta[i] = value;
    }
}

static void moments_are_exact(void **state) {
    (void)state;
    int compared = 0;
    for (int k = 0; k < COUNT(cases); ++k) {
        const exact_case *c = &cases[k];
        exact_model made;
        make_model(c, &made);
        law l = enumerate_labels(&made.model, c->beta);
        compared += check_moments(fastest(), &l, c->name, c->columns, c->no_lag, 8000, 10);
        free(l.energy);
        free(made.ends);
    }
    assert_int_equal(compared, GM_POTTS_FLIPS * COUNT(cases) - 2);
}

/* The sums over all states themselves: rings by their transfer matrix, whose eigenvalues are
 * exp(beta) + q - 1 and q - 1 times exp(beta) - 1. */
static void enumeration_is_right(void **state) {
    (void)state;
    for (int32_t q = 2; q <= 5; ++q) {
        for (int n = 3; n <= 6; ++n) {
            gm_potts_model ring = {.q = q};
            int32_t *ends = set_potts_lattice(&ring, 1, (const int64_t[]){n}, 1);
            law l = enumerate_labels(&ring, 0.7);
            const double exact = pow(exp(0.7) + q - 1, n) + (q - 1) * pow(exp(0.7) - 1, n);
            assert_true(fabs(l.z - exact) < 1e-13 * exact);
            free(l.energy);
            free(ends);
        }
    }
}

/* ---- rows of the matrix ---------------------------------------------------------------------- */

static void rows_are_exact(void **state) {
    (void)state;
    static const exact_case rows[] = {
        {"q = 2, 2x3", 2, 2, 3, 0, 1, 0.2, 0.7, HEAT, COLOURED, false, false},
        {"q = 3, 2x2", 3, 2, 2, 0, 1, 0, 0.7, HEAT, COLOURED, false, false},
        {"q = 3, 2x2 Metropolis", 3, 2, 2, 0, 1, 0.3, 0.6, METROPOLIS, COLOURED, false, false},
        {"q = 4, 2x2 Metropolis", 4, 2, 2, 0, 0, 0.3, 1, METROPOLIS, RASTER, false, false},
        {"q = 4, 2x2 random", 4, 2, 2, 0, 1, 0.5, 0.6, METROPOLIS, RANDOM, false, false},
        {"q = 5, line", 5, 1, 3, 0, 1, 0.5, -0.9, HEAT, RASTER, false, false},
    };
    for (int k = 0; k < 2 * COUNT(rows); ++k) {
        const exact_case *c = &rows[k / 2];
        exact_model made;
        make_model(c, &made);
        law l = enumerate_labels(&made.model, c->beta);
        check_row(fastest(), &l, c->name, c->columns, k % 2 == 0 ? 1 : l.states - 4, 60000);
        free(l.energy);
        free(made.ends);
    }
}

/* ---- larger lattices ------------------------------------------------------------------------- */

enum { WIDTH = 4, LENGTH = 8, RINGS = 81 }; /* q = 3: 3^WIDTH states of a ring of WIDTH sites */

/* log Z of a torus of WIDTH by `length`, the trace of the matrix from ring to ring to the power. */
static double log_sum(int length, double beta) {
    static double matrix[RINGS][RINGS], power[RINGS][RINGS], next[RINGS][RINGS];
    for (int a = 0; a < RINGS; ++a) {
        for (int b = 0; b < RINGS; ++b) {
            int bonds = 0;
            for (int i = 0, x = a, y = b; i < WIDTH; ++i, x /= 3, y /= 3) {
                const int after = i + 1 < WIDTH ? x / 3 % 3 : a % 3;
                bonds += (x % 3 == after) + (x % 3 == y % 3);
            }
            matrix[a][b] = exp(beta * bonds);
            power[a][b] = a == b;
        }
    }
    for (int n = 0; n < length; ++n) {
        memset(next, 0, sizeof next);
        for (int a = 0; a < RINGS; ++a) {
            for (int c = 0; c < RINGS; ++c) {
                for (int b = 0; b < RINGS; ++b) {
                    next[a][b] += power[a][c] * matrix[c][b];
                }
            }
        }
        memcpy(power, next, sizeof power);
    }
    double trace = 0;
    for (int a = 0; a < RINGS; ++a) {
        trace += power[a][a];
    }
    return log(trace);
}

/* The torus at the critical point of the infinite lattice, log(1 + sqrt 3), and on either side. */
static void tori_have_their_energy(void **state) {
    (void)state;
    enum { chains = 512, burn_in = 300, sweeps = 300, sites = WIDTH * LENGTH };
    gm_potts_model torus = {.q = 3};
    int32_t *ends = set_potts_lattice(&torus, 2, (const int64_t[]){LENGTH, WIDTH}, 1);
    /* At beta = 0 every state counts; in the cold the three states of one label are left. */
    assert_true(fabs(log_sum(LENGTH, 0) - sites * log(3)) < 1e-12);
    assert_true(fabs(log_sum(LENGTH, 8) - 2 * sites * 8 - log(3)) < 1e-9);
    static uint8_t labels[chains * sites];
    static uint64_t sums[chains * 2 * GM_POTTS_SUMS];
    double beta[chains];
    const subject *s = fastest();
    const double betas[] = {0.8, log(1 + sqrt(3)), 1.1};
    for (int k = 0; k < COUNT(betas); ++k) {
        fill(beta, chains, betas[k]);
        draw_labels(5, &torus, chains, labels);
        chains_run r = {.chains = chains,
                        .sweeps = {.seed = 3, .sweeps = burn_in},
                        .beta = beta,
                        .labels = labels};
        run_labels(s, &torus, &r);
        r.sweeps.first_sweep = burn_in;
        r.sweeps.sweeps = sweeps;
        r.sums = sums;
        run_labels(s, &torus, &r);
        const double step = 1e-4; /* the error of the difference is of its square times 1e2 */
        const double exact =
            -(log_sum(LENGTH, betas[k] + step) - log_sum(LENGTH, betas[k] - step)) / (2 * step);
        const double z = z_score(sums, GM_POTTS_SUMS, chains, sweeps, GM_POTTS_E, 1, exact);
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("beta %g: energy off by %.1f standard errors from %g", betas[k], z, exact);
        }
    }
    free(ends);
}

/* With q = 2, J = 2 J' and h = (-h', h') the energy is that of signs with J' and h', less the sum
 * of J', and M is |M'|: two samples of the same law. */
static void two_labels_are_signs(void **state) {
    (void)state;
    enum { L = 6, sites = L * L, chains = 2000, burn_in = 60, sweeps = 40 };
    gm_ising_model ising = {0};
    int32_t *ends = set_lattice(&ising, 2, (const int64_t[]){L, L}, 1);
    double coupling[2 * sites], twice[2 * sites], field[sites], both[2 * sites], sum = 0;
    uint64_t random = 77;
    for (int i = 0; i < 2 * sites; ++i) {
        coupling[i] = nearbyint(random_between(&random, -1, 2.5)) / 2;
        twice[i] = 2 * coupling[i];
        sum += coupling[i];
    }
    for (int i = 0; i < sites; ++i) {
        field[i] = nearbyint(random_between(&random, -2, 2)) / 4;
        both[2 * i] = -field[i];
        both[2 * i + 1] = field[i];
    }
    ising.coupling = coupling;
    ising.field = field;
    const gm_potts_model potts = {.sites = sites,
                                  .edges = ising.edges,
                                  .ends = ends,
                                  .q = 2,
                                  .coupling = twice,
                                  .field = both};
    static int8_t spins[chains * sites];
    static uint8_t labels[chains * sites];
    static uint64_t left[chains * 2 * GM_ISING_SUMS], right[chains * 2 * GM_POTTS_SUMS];
    double beta[chains];
    const subject *s = fastest();
    fill(beta, chains, 0.5);
    draw_spins(1, &ising, chains, spins);
    draw_labels(2, &potts, chains, labels);
    chains_run a = {
        .chains = chains, .sweeps = {.seed = 5, .sweeps = burn_in}, .beta = beta, .spins = spins};
    chains_run b = {
        .chains = chains, .sweeps = {.seed = 6, .sweeps = burn_in}, .beta = beta, .labels = labels};
    run_chains(s, &ising, &a);
    run_labels(s, &potts, &b);
    a.sweeps = b.sweeps = (gm_ising_sweeps){.seed = 5, .first_sweep = burn_in, .sweeps = sweeps};
    b.sweeps.seed = 6;
    a.sums = left;
    b.sums = right;
    run_chains(s, &ising, &a);
    run_labels(s, &potts, &b);
    static const int pairs[][2] = {{GM_ISING_E, GM_POTTS_E},
                                   {GM_ISING_ABS_M, GM_POTTS_M},
                                   {GM_ISING_M2, GM_POTTS_M2},
                                   {GM_ISING_M4, GM_POTTS_M4}};
    gm_ising_plan *plan;
    gm_ising_info info;
    ASSERT_OK(s->context, gm_ising_plan_create(s->context, &ising, &plan));
    ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
    gm_ising_plan_destroy(plan);
    const double unit = info.quantum, other = quantum_of(s, &potts);
    for (int k = 0; k < COUNT(pairs); ++k) {
        double mean[2] = {0}, square[2] = {0};
        for (int c = 0; c < chains; ++c) {
            const uint64_t *x = left + c * 2 * GM_ISING_SUMS, *y = right + c * 2 * GM_POTTS_SUMS;
            double u = gm_ising_sum_value(x + 2 * pairs[k][0]) / sweeps;
            double v = gm_ising_sum_value(y + 2 * pairs[k][1]) / sweeps;
            if (k == 0) {
                u *= unit;
                v = v * other + sum;
            }
            mean[0] += u / chains;
            mean[1] += v / chains;
            square[0] += u * u / chains;
            square[1] += v * v / chains;
        }
        const double spread = square[0] - mean[0] * mean[0] + square[1] - mean[1] * mean[1];
        const double z = (mean[0] - mean[1]) / sqrt(spread / chains);
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("sum %d: %g with signs, %g with labels: %.1f standard errors", k, mean[0],
                     mean[1], z);
        }
    }
    free(ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_their_probabilities),
        cmocka_unit_test(proposals_share_their_words),
        cmocka_unit_test(enumeration_is_right),
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(rows_are_exact),
        cmocka_unit_test(tori_have_their_energy),
        cmocka_unit_test(two_labels_are_signs),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
