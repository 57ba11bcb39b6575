/*
 * What multi-spin coded chains sample, against all 2^n states: the stationary law by its moments,
 * the kernel by products over a sweep and by whole rows of its matrix, and Kaufman's torus where
 * there are too many states. Every subject has the bits of the others (test_multispin.c), so one of
 * them runs.
 *
 * Chains are independent and, but for the torus, start from the stationary law itself: see
 * test_ising_exact.c. There are 95 comparisons at 2e-7 and 8 rows at 1e-6: a false alarm has
 * probability below 3e-5 for a seed that is drawn, and the seeds are fixed.
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
};

/* The model as a graph; its ends and couplings are to be freed. */
static double *make_graph(const gm_multispin_model *m, gm_ising_model *graph, int32_t **ends) {
    *ends = set_graph(m, graph);
    double *coupling = malloc((size_t)(graph->edges + 1) * sizeof *coupling);
    for (int64_t e = 0; e < graph->edges; ++e) {
        coupling[e] = m->antiferromagnetic ? -1 : 1;
    }
    graph->coupling = coupling;
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
    for (int q = 0; q < MOMENTS; ++q) {
        if (c->no_lag && (q == GM_ISING_E_LAG || q == GM_ISING_M_LAG)) {
            continue;
        }
        const double z = z_score(sums, GM_ISING_SUMS, chains, sweeps, q, 1, exact[q]);
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
    assert_int_equal(compared, 8 * COUNT(cases) - 2);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(rows_are_exact),
        cmocka_unit_test(tori_have_their_energy),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
