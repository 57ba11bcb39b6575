/*
 * What multi-spin coded chains sample, against all 2^n states: the stationary law by its moments,
 * the kernel by products over a sweep and by whole rows of its matrix; where there are too many
 * states, Kaufman's torus, the ring's transfer matrix, and the chains of gm_ising_run. Every
 * subject has the bits of the others (test_multispin.c), so one of them runs.
 *
 * Chains are independent and, up to 16 sites, start from the stationary law itself: see
 * test_ising_exact.c. There are 213 comparisons at 2e-7 and 12 rows at 1e-6: a false alarm has
 * probability below 6e-5 for a seed that is drawn, and the seeds are fixed.
 */
#include "tests/ising_law.h"
#include "tests/multispin_fixture.h"

typedef struct exact_case {
    const char *name;
    double beta;
    gm_multispin_model model;
    bool no_lag; /* layers have other colours than sweep_order knows */
} exact_case;

static const exact_case cases[] = {
    {"ring", 0.5, {.axes = 1, .size = {8}, .periodic = {1}}, false},
    {"chain, Metropolis", 0.4, {.axes = 1, .size = {9}, .update = GM_ISING_METROPOLIS}, false},
    {"4x4 torus, hot", 0.3, {.axes = 2, .size = {4, 4}, .periodic = {1, 1}}, false},
    {"4x4 torus", 0.44, {.axes = 2, .size = {4, 4}, .periodic = {1, 1}}, false},
    {"4x4 torus, Metropolis",
     0.4,
     {.axes = 2, .size = {4, 4}, .periodic = {1, 1}, .update = GM_ISING_METROPOLIS},
     false},
    {"4x4 torus, antiferromagnet",
     0.35,
     {.axes = 2, .size = {4, 4}, .periodic = {1, 1}, .antiferromagnetic = 1},
     false},
    {"3x3", 0.6, {.axes = 2, .size = {3, 3}}, false},
    {"3x5, beta below 0", -0.5, {.axes = 2, .size = {3, 5}}, false},
    {"cylinder", 0.4, {.axes = 2, .size = {4, 3}, .periodic = {1, 0}}, false},
    {"cubic", 0.25, {.axes = 3, .size = {4, 2, 2}, .periodic = {1, 0, 0}}, true},
    {"honeycomb",
     0.7,
     {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {4, 4}, .periodic = {1, 1}},
     false},
    {"honeycomb, open, Metropolis",
     0.5,
     {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {3, 5}, .update = GM_ISING_METROPOLIS},
     false},
    {"ring, lazy",
     0.5,
     {.axes = 1, .size = {8}, .periodic = {1}, .update = GM_ISING_LAZY_METROPOLIS},
     false},
    {"ring in a field", 0.5, {.axes = 1, .size = {8}, .periodic = {1}, .field = 0.3}, false},
    {"4x4 torus in a field",
     0.4,
     {.axes = 2, .size = {4, 4}, .periodic = {1, 1}, .field = -0.15},
     false},
    {"4x4 torus in a field, Metropolis",
     0.35,
     {.axes = 2,
      .size = {4, 4},
      .periodic = {1, 1},
      .update = GM_ISING_METROPOLIS,
      .field = 0.7071067811865476},
     false},
    {"4x4 torus in a field, lazy antiferromagnet",
     0.3,
     {.axes = 2,
      .size = {4, 4},
      .periodic = {1, 1},
      .antiferromagnetic = 1,
      .update = GM_ISING_LAZY_METROPOLIS,
      .field = 2},
     false},
    {"3x5 in a field, beta below 0", -0.4, {.axes = 2, .size = {3, 5}, .field = 0.5}, false},
    {"cubic in a field",
     0.25,
     {.axes = 3, .size = {4, 2, 2}, .periodic = {1, 0, 0}, .field = 0.6},
     true},
    {"honeycomb in a field, Metropolis",
     0.5,
     {.lattice = GM_MULTISPIN_HONEYCOMB,
      .axes = 2,
      .size = {3, 5},
      .update = GM_ISING_METROPOLIS,
      .field = -1},
     false},
};

/* The model as a graph; its ends are to be freed, and its couplings, which have its fields behind
 * them. */
static double *make_graph(const gm_multispin_model *m, gm_ising_model *graph, int32_t **ends) {
    *ends = set_graph(m, graph);
    double *coupling = malloc((size_t)(graph->edges + graph->sites) * sizeof *coupling);
    for (int64_t e = 0; e < graph->edges; ++e) {
        coupling[e] = m->antiferromagnetic ? -1 : 1;
    }
    for (int64_t i = 0; i < graph->sites; ++i) {
        coupling[graph->edges + i] = m->field;
    }
    graph->coupling = coupling;
    graph->field = coupling + graph->edges;
    return coupling;
}

/* Spins of a byte run packed: packed and unpacked by the library. */
static void run_spins(const subject *s, const gm_multispin_model *m, int64_t chains, double beta,
                      const gm_ising_sweeps *sweeps, int8_t *spins, uint64_t *sums) {
    const gm_multispin_info info = multispin_info(m);
    uint32_t *packed = malloc((size_t)(chains * info.words) * sizeof *packed);
    int32_t *status = malloc((size_t)chains * sizeof *status);
    double *betas = malloc((size_t)chains * sizeof *betas);
    const gm_tensor x = gm_tensor_2d(spins, GM_I8, chains, info.sites);
    const gm_tensor y = gm_tensor_2d(packed, GM_U32, chains, info.words);
    const gm_tensor t = gm_tensor_1d(status, GM_I32, chains);
    gm_multispin_plan *plan;
    for (int64_t i = 0; i < chains; ++i) {
        betas[i] = beta;
    }
    ASSERT_OK(s->context, gm_multispin_plan_create(s->context, m, &plan));
    ASSERT_OK(s->context, gm_multispin_pack(plan, &x, &y, &t));
    const packed_run r = {
        .chains = chains, .sweeps = *sweeps, .beta = betas, .packed = packed, .sums = sums};
    run_packed(s, plan, &r);
    ASSERT_OK(s->context, gm_multispin_unpack(plan, &y, &x));
    gm_multispin_plan_destroy(plan);
    free(packed);
    free(status);
    free(betas);
}

/* ---- moments and products over a sweep ------------------------------------------------------- */

static int compared;

/* Of a sum. */
static double sum_unit(double quantum, int which) {
    return which == GM_ISING_E                               ? quantum
           : which == GM_ISING_E2 || which == GM_ISING_E_LAG ? quantum * quantum
                                                             : 1;
}

static void check_case(const subject *s, const exact_case *c) {
    enum { chains = 40000, sweeps = 12 };
    gm_ising_model graph;
    int32_t *ends;
    double *coupling = make_graph(&c->model, &graph, &ends), exact[MOMENTS];
    const int columns = (int)c->model.size[c->model.axes - 1];
    law l = enumerate(&graph, c->beta);
    exact_moments(&l, columns, exact);
    int8_t *spins = malloc((size_t)(chains * graph.sites));
    uint64_t *sums = malloc(sizeof *sums * chains * 2 * GM_ISING_SUMS);
    draw_states(&l, 2024, chains, spins);
    const gm_ising_sweeps run = {.seed = 7, .sweeps = sweeps};
    run_spins(s, &c->model, chains, c->beta, &run, spins, sums);
    const double quantum = multispin_info(&c->model).quantum;
    for (int q = 0; q < MOMENTS; ++q) {
        if (c->no_lag && (q == GM_ISING_E_LAG || q == GM_ISING_M_LAG)) {
            continue;
        }
        const double z =
            z_score(sums, GM_ISING_SUMS, chains, sweeps, q, sum_unit(quantum, q), exact[q]);
        ++compared;
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("%s: %s: moment %d is off by %.1f standard errors from %g", s->name, c->name,
                     q, z, exact[q]);
        }
    }
    free(sums);
    free(spins);
    free(l.energy);
    free(ends);
    free(coupling);
}

static void moments_are_exact(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(cases); ++k) {
        check_case(fastest(), &cases[k]);
    }
    assert_int_equal(compared, 8 * COUNT(cases) - 4);
}

/* ---- rows of the matrix ---------------------------------------------------------------------- */

static void rows_are_exact(void **state) {
    (void)state;
    enum { chains = 100000 };
    static const exact_case rows[] = {
        {"2x2", 0.3, {.axes = 2, .size = {2, 2}}, false},
        {"3x3", 0.3, {.axes = 2, .size = {3, 3}}, false},
        {"ring, Metropolis",
         0.35,
         {.axes = 1, .size = {6}, .periodic = {1}, .update = GM_ISING_METROPOLIS},
         false},
        {"honeycomb", -0.4, {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {2, 4}}, false},
        {"3x3 in a field",
         0.3,
         {.axes = 2, .size = {3, 3}, .antiferromagnetic = 1, .field = 0.4},
         false},
        {"ring in a field, lazy",
         0.35,
         {.axes = 1,
          .size = {8},
          .periodic = {1},
          .update = GM_ISING_LAZY_METROPOLIS,
          .field = -0.5},
         false},
    };
    for (int k = 0; k < 2 * COUNT(rows); ++k) {
        const exact_case *c = &rows[k / 2];
        gm_ising_model graph;
        int32_t *ends;
        double *coupling = make_graph(&c->model, &graph, &ends);
        law l = enumerate(&graph, c->beta);
        const int from = k % 2 == 0 ? 1 : l.states - 4;
        double *row = malloc((size_t)l.states * sizeof *row);
        int64_t *count = calloc((size_t)l.states, sizeof *count);
        int8_t *spins = malloc((size_t)(chains * graph.sites));
        exact_row(&l, (int)c->model.size[c->model.axes - 1], from, row);
        for (int64_t i = 0; i < chains * graph.sites; ++i) {
            spins[i] = (int8_t)value_of(&graph, from, i % graph.sites);
        }
        const gm_ising_sweeps run = {.seed = 11, .first_chain = 1u << 30, .sweeps = 1};
        run_spins(fastest(), &c->model, chains, c->beta, &run, spins, NULL);
        for (int64_t i = 0; i < chains; ++i) {
            int to = 0;
            for (int64_t j = 0; j < graph.sites; ++j) {
                to |= (spins[i * graph.sites + j] == 1) << j;
            }
            ++count[to];
        }
        const double z = row_deviate(row, count, l.states, chains);
        if (!(fabs(z) < 4.9)) {
            fail_msg("%s: the row of state %d is off by %.1f deviations", c->name, from, z);
        }
        free(spins);
        free(count);
        free(row);
        free(l.energy);
        free(ends);
        free(coupling);
    }
}

/* ---- larger tori ----------------------------------------------------------------------------- */

/* In the disordered phase and near the critical point, where the relaxation takes tens of sweeps.
 */
static void tori_have_their_energy(void **state) {
    (void)state;
    enum { chains = 512, words_bound = 16, burn_in = 1200, sweeps = 1500 };
    static const struct {
        int n;
        double beta;
    } tori[] = {{12, 0.35}, {12, 0.41}, {16, 0.38}};
    static uint32_t packed[chains * words_bound];
    static uint64_t sums[chains * 2 * GM_ISING_SUMS];
    double beta[chains];
    for (int k = 0; k < COUNT(tori); ++k) {
        const int n = tori[k].n;
        const gm_multispin_model m = {.axes = 2, .size = {n, n}, .periodic = {1, 1}};
        const int64_t words = multispin_info(&m).words;
        assert_true(words <= words_bound);
        for (int i = 0; i < chains; ++i) {
            beta[i] = tori[k].beta;
        }
        draw_packed(5, packed, chains * words);
        packed_run r = {.chains = chains,
                        .sweeps = {.seed = 3, .sweeps = burn_in},
                        .beta = beta,
                        .packed = packed};
        run_multispin_model(fastest(), &m, &r);
        r.sweeps.first_sweep = burn_in;
        r.sweeps.sweeps = sweeps;
        r.sums = sums;
        run_multispin_model(fastest(), &m, &r);
        const double exact = (double)energy_of_torus(n, tori[k].beta);
        const double z = z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_E, 1, exact);
        const double zero = z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_M, 1, 0);
        if (!(fabs(z) < Z_BOUND && fabs(zero) < Z_BOUND)) {
            fail_msg("%d, beta %g: energy off by %.1f, magnetisation by %.1f standard errors", n,
                     tori[k].beta, z, zero);
        }
    }
}

/* ---- fields ---------------------------------------------------------------------------------- */

typedef struct matrix {
    double at[2][2];
} matrix;

static matrix product(const matrix *a, const matrix *b) {
    matrix c;
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
            c.at[i][j] = a->at[i][0] * b->at[0][j] + a->at[i][1] * b->at[1][j];
        }
    }
    return c;
}

/* Averages of a spin and of a product of neighbours on a ring of n, by its transfer matrix T: those
 * of tr(S T^n) and tr(S T S T^(n-1)) beside tr(T^n). */
static void ring_averages(int n, double beta, double field, double *spin, double *pair) {
    matrix step, power = {{{1, 0}, {0, 1}}};
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
            const int a = 1 - 2 * i, b = 1 - 2 * j;
            step.at[i][j] = exp(beta * (a * b + field * (a + b) / 2));
        }
    }
    for (int k = 1; k < n; ++k) {
        power = product(&power, &step);
    }
    const matrix all = product(&step, &power);
    const double trace = all.at[0][0] + all.at[1][1];
    *spin = (all.at[0][0] - all.at[1][1]) / trace;
    *pair = 0;
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
            *pair += (i == j ? 1 : -1) * step.at[i][j] * power.at[j][i] / trace;
        }
    }
}

/* Packed chains of a model from random spins, after a burn-in; sums to be freed. */
static uint64_t *sums_of_packed(const gm_multispin_model *m, double beta, int64_t chains,
                                int64_t burn_in, int64_t sweeps) {
    const int64_t words = multispin_info(m).words;
    uint32_t *packed = malloc((size_t)(chains * words) * sizeof *packed);
    uint64_t *sums = malloc((size_t)(chains * 2 * GM_ISING_SUMS) * sizeof *sums);
    double *betas = malloc((size_t)chains * sizeof *betas);
    for (int64_t i = 0; i < chains; ++i) {
        betas[i] = beta;
    }
    draw_packed(6, packed, chains * words);
    packed_run r = {.chains = chains,
                    .sweeps = {.seed = 21, .sweeps = burn_in},
                    .beta = betas,
                    .packed = packed};
    run_multispin_model(fastest(), m, &r);
    r.sweeps.first_sweep = (uint64_t)burn_in;
    r.sweeps.sweeps = sweeps;
    r.sums = sums;
    run_multispin_model(fastest(), m, &r);
    free(packed);
    free(betas);
    return sums;
}

static void rings_in_a_field_are_exact(void **state) {
    (void)state;
    enum { chains = 512, n = 96, burn_in = 300, sweeps = 400 };
    static const struct {
        double beta, field;
        gm_ising_update update;
    } rings[] = {{0.7, 0.05, GM_ISING_HEAT_BATH},
                 {0.5, -0.4, GM_ISING_LAZY_METROPOLIS},
                 {-0.6, 1.2, GM_ISING_HEAT_BATH}};
    for (int k = 0; k < COUNT(rings); ++k) {
        const gm_multispin_model m = {.axes = 1,
                                      .size = {n},
                                      .periodic = {1},
                                      .update = rings[k].update,
                                      .field = rings[k].field};
        double spin, pair;
        ring_averages(n, rings[k].beta, rings[k].field, &spin, &pair);
        uint64_t *sums = sums_of_packed(&m, rings[k].beta, chains, burn_in, sweeps);
        const double energy =
            z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_E, multispin_info(&m).quantum,
                    -n * (pair + rings[k].field * spin));
        const double up = z_score(sums, GM_ISING_SUMS, chains, sweeps, GM_ISING_M, 1, n * spin);
        if (!(fabs(energy) < Z_BOUND && fabs(up) < Z_BOUND)) {
            fail_msg("ring %d: energy off by %.1f, magnetisation by %.1f standard errors", k,
                     energy, up);
        }
        free(sums);
    }
}

/* z of the difference between the averages of two sets of chains. */
static double difference(const uint64_t *a, const uint64_t *b, int64_t chains, int which) {
    double mean[2] = {0}, variance[2] = {0};
    for (int set = 0; set < 2; ++set) {
        const uint64_t *sums = (set == 0 ? a : b) + 2 * which;
        for (int64_t c = 0; c < chains; ++c) {
            mean[set] += gm_ising_sum_value(sums + c * 2 * GM_ISING_SUMS) / (double)chains;
        }
        for (int64_t c = 0; c < chains; ++c) {
            const double x = gm_ising_sum_value(sums + c * 2 * GM_ISING_SUMS) - mean[set];
            variance[set] += x * x / (double)(chains - 1);
        }
    }
    return (mean[0] - mean[1]) / sqrt((variance[0] + variance[1]) / (double)chains);
}

/* Lattices of some hundred sites, by all sums, those of the flips among them. */
static void chains_have_the_law_of_a_graph(void **state) {
    (void)state;
    enum { chains = 256, burn_in = 60, sweeps = 100 };
    static const gm_multispin_model models[] = {
        {.axes = 2, .size = {12, 16}, .periodic = {1, 1}, .field = 0.1},
        {.axes = 2,
         .size = {9, 13},
         .antiferromagnetic = 1,
         .update = GM_ISING_LAZY_METROPOLIS,
         .field = 1.5},
        {.lattice = GM_MULTISPIN_HONEYCOMB,
         .axes = 2,
         .size = {8, 10},
         .periodic = {1, 1},
         .update = GM_ISING_METROPOLIS,
         .field = -0.3},
    };
    const double beta = 0.38;
    for (int k = 0; k < COUNT(models); ++k) {
        gm_ising_model graph;
        int32_t *ends;
        double *coupling = make_graph(&models[k], &graph, &ends), betas[chains];
        uint64_t *own = sums_of_packed(&models[k], beta, chains, burn_in, sweeps);
        uint64_t *sums = malloc(sizeof *sums * chains * 2 * GM_ISING_SUMS);
        int8_t *spins = malloc((size_t)(chains * graph.sites));
        draw_spins(8, &graph, chains, spins);
        for (int i = 0; i < chains; ++i) {
            betas[i] = beta;
        }
        chains_run r = {.chains = chains,
                        .sweeps = {.seed = 22, .sweeps = burn_in},
                        .beta = betas,
                        .spins = spins};
        run_chains(fastest(), &graph, &r);
        r.sweeps.first_sweep = burn_in;
        r.sweeps.sweeps = sweeps;
        r.sums = sums;
        run_chains(fastest(), &graph, &r);
        for (int q = 0; q < GM_ISING_SUMS; ++q) {
            const double z = difference(own, sums, chains, q);
            if (!(fabs(z) < Z_BOUND)) {
                fail_msg("model %d: sum %d differs by %.1f standard errors", k, q, z);
            }
        }
        free(own);
        free(sums);
        free(spins);
        free(ends);
        free(coupling);
    }
}

/* The energies' unit and the rounding are those of the same model as a graph. */
static void quanta_are_those_of_the_graph(void **state) {
    (void)state;
    static const double fields[] = {0,    0.1,    -1.0 / 3, 1.4142135623730951,
                                    7e-9, 1e-300, 3e7,      -1e300};
    gm_context *context = subjects[0].context;
    for (int k = 0; k < COUNT(cases) * COUNT(fields); ++k) {
        gm_multispin_model m = cases[k / COUNT(fields)].model;
        m.field = fields[k % COUNT(fields)];
        gm_ising_model graph;
        int32_t *ends;
        double *coupling = make_graph(&m, &graph, &ends);
        gm_ising_plan *plan;
        gm_ising_info expected;
        ASSERT_OK(context, gm_ising_plan_create(context, &graph, &plan));
        ASSERT_OK(context, gm_ising_plan_info(plan, &expected));
        const gm_multispin_info info = multispin_info(&m);
        assert_true(info.quantum == expected.quantum);
        assert_true(info.rounding == expected.rounding);
        assert_int_equal(info.energy_bound, expected.energy_bound);
        gm_ising_plan_destroy(plan);
        free(ends);
        free(coupling);
    }
}

/* Where thresholds are 0 or 1/2, and a field that outweighs all neighbours. */
static void extremes_are_exact(void **state) {
    (void)state;
    enum { chains = 40, L = 12, sweeps = 2, sites = L * L, words = 6 };
    static const gm_ising_update updates[] = {GM_ISING_HEAT_BATH, GM_ISING_METROPOLIS,
                                              GM_ISING_LAZY_METROPOLIS};
    static const double betas[] = {1e300, -1e300, 0}, fields[] = {5, -5, 1e300};
    for (int k = 0; k < COUNT(updates) * COUNT(betas) * COUNT(fields); ++k) {
        const gm_ising_update update = updates[k / 9];
        const double at = betas[k / 3 % 3], field = fields[k % 3];
        const gm_multispin_model m = {
            .axes = 2, .size = {L, L}, .periodic = {1, 1}, .update = update, .field = field};
        assert_int_equal(multispin_info(&m).words, words);
        uint32_t start[chains * words], packed[chains * words];
        uint64_t sums[chains][GM_ISING_SUMS][2];
        double beta[chains];
        int64_t up = 0, flips = 0;
        for (int i = 0; i < chains; ++i) {
            beta[i] = at;
        }
        draw_packed(9, start, chains * words);
        for (int i = 0; i < chains * words; ++i) {
            start[i] &= i % (words / 2) == 2 ? 0xff : ~0u; /* 72 sites of a colour */
        }
        memcpy(packed, start, sizeof packed);
        const packed_run r = {.chains = chains,
                              .sweeps = {.seed = 3, .sweeps = sweeps},
                              .beta = beta,
                              .packed = packed,
                              .sums = &sums[0][0][0]};
        run_multispin_model(fastest(), &m, &r);
        for (int i = 0; i < chains; ++i) {
            flips += (int64_t)gm_ising_sum_value(sums[i][GM_ISING_FLIPS]);
            for (int w = 0; w < words; ++w) {
                up += __builtin_popcount(packed[i * words + w]);
            }
        }
        const double all = chains * sites, half = fabs((double)up - all / 2) / sqrt(all / 4);
        if (at == 0 && update == GM_ISING_METROPOLIS) { /* every spin in every sweep */
            assert_int_equal(flips, sweeps * chains * sites);
            assert_memory_equal(packed, start, sizeof packed);
        } else if (at == 0) {
            const double moved = ((double)flips - sweeps * all / 2) / sqrt(sweeps * all / 4);
            assert_true(half < Z_BOUND && fabs(moved) < Z_BOUND);
        } else if (update == GM_ISING_LAZY_METROPOLIS) { /* half of those against it in a sweep */
            const double left = at * field > 0 ? all - (double)up : (double)up;
            assert_true(fabs(left - all / 8) / sqrt(all * 7 / 64) < Z_BOUND);
        } else {
            assert_int_equal(up, at * field > 0 ? chains * sites : 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(rows_are_exact),
        cmocka_unit_test(tori_have_their_energy),
        cmocka_unit_test(rings_in_a_field_are_exact),
        cmocka_unit_test(chains_have_the_law_of_a_graph),
        cmocka_unit_test(quanta_are_those_of_the_graph),
        cmocka_unit_test(extremes_are_exact),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
