/*
 * gm_ising_*: lattices, colours, quanta; every backend to the bit, cuts, layouts, clamped sites,
 * bad chains, wrong arguments. Laws and transition probabilities are in test_ising_exact.c.
 */
#include "tests/chain_checks.h"
#include "tests/ising_fixture.h"

#include "host/ising_graph.h"

/* ---- lattices and plans ---------------------------------------------------------------------- */

static void lattices_have_their_edges(void **state) {
    (void)state;
    static const struct {
        int32_t axes;
        int64_t size[3];
        int periodic;
        int64_t edges, colours;
    } cases[] = {{1, {8}, 1, 8, 2},       {1, {9}, 1, 9, 3},         {1, {1}, 0, 0, 1},
                 {2, {3, 3}, 0, 12, 2},   {2, {4, 4}, 1, 32, 2},     {2, {5, 4}, 1, 40, 3},
                 {2, {5, 5}, 1, 50, 3},   {3, {4, 4, 4}, 1, 192, 2}, {3, {2, 3, 4}, 0, 46, 2},
                 {3, {3, 3, 3}, 1, 81, 3}};
    const subject *s = &subjects[0];
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_model model = {0};
        int32_t *ends = set_lattice(&model, cases[k].axes, cases[k].size, cases[k].periodic);
        assert_int_equal(model.edges, cases[k].edges);
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(s->context, gm_ising_plan_create(s->context, &model, &plan));
        ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
        assert_int_equal(info.colours, cases[k].colours);
        assert_true(info.quantum == 1 && info.rounding == 0);
        assert_int_equal(info.energy_bound, cases[k].edges);
        gm_ising_plan_destroy(plan);
        free(ends);
    }
}

/* The quantum is the largest that all numbers are multiples of, if there is one. */
static void numbers_become_multiples_of_a_quantum(void **state) {
    (void)state;
    static const struct {
        double j[2], h, quantum;
        int64_t reach;
        bool exact;
    } cases[] = {{{1, -1}, 0, 1, 2, true},
                 {{0.44, 0.44}, 0, 0.44, 2, true},
                 {{0.3, -0.3}, 0.1, 0.1, 7, true},
                 {{1, 1}, 0.3, 0.3 / 3, 23, true},
                 {{0, 0}, 0, 1, 0, true},
                 {{1, 1e-12}, 0, 0x1p-29, 1 << 29, false},
                 {{0.7310585786, -0.2689414214}, 0.1, 0x1p-29, 0, false}};
    static const int32_t ends[] = {0, 1, 1, 2};
    for (int k = 0; k < COUNT(cases); ++k) {
        const double field[3] = {0, cases[k].h, 0};
        const gm_ising_model model = {
            .sites = 3, .edges = 2, .ends = ends, .coupling = cases[k].j, .field = field};
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(subjects[0].context, gm_ising_plan_create(subjects[0].context, &model, &plan));
        ASSERT_OK(subjects[0].context, gm_ising_plan_info(plan, &info));
        assert_true(info.quantum == cases[k].quantum);
        if (cases[k].reach > 0) {
            assert_int_equal(info.reach, cases[k].reach);
        }
        const double bound = cases[k].exact ? 4e-16 : info.quantum / 2;
        assert_true(info.rounding <= bound);
        assert_true(info.reach <= (INT64_C(1) << 30) + 2);
        gm_ising_plan_destroy(plan);
    }
}

/* Sites have one position each, neighbours different colours, and each position its site's row. */
static void assert_positions(const gm_ising_model *m, const gm_ising_problem *p) {
    int32_t *colour = malloc((size_t)(m->sites + 1) * sizeof *colour);
    int64_t entries = 0;
    memset(colour, 0xff, (size_t)m->sites * sizeof *colour);
    for (int32_t c = 0; c < p->colours; ++c) {
        assert_int_equal(p->colour[2 * c] % 4, 0);
        for (int32_t at = p->colour[2 * c]; at < p->colour[2 * c + 1]; ++at) {
            assert_true(p->site[at] >= 0 && colour[p->site[at]] == -1);
            colour[p->site[at]] = c;
        }
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        assert_true((colour[i] < 0) == (m->clamped != NULL && m->clamped[i] != 0));
    }
    for (int64_t e = 0; e < m->edges; ++e) {
        const int32_t a = m->ends[2 * e], b = m->ends[2 * e + 1];
        assert_true(colour[a] < 0 || colour[a] != colour[b]);
    }
    for (int32_t at = 0; at < p->positions; ++at) {
        for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k, ++entries) {
            assert_true(p->site[at] >= 0 && p->site[p->neighbour[k]] >= 0);
        }
    }
    assert_int_equal(entries, 2 * m->edges);
    free(colour);
}

/* Complete graphs need as many colours as sites, odd wheels 4, even wheels 3, trees 2. */
static void graphs_are_coloured(void **state) {
    (void)state;
    enum { sites = 40 };
    int32_t ends[sites * sites];
    uint8_t clamped[sites] = {0};
    for (int kind = 0; kind < 200; ++kind) {
        gm_ising_model m = {.sites = 3 + kind % 38, .ends = ends};
        const int32_t n = (int32_t)m.sites;
        const int shape = kind < 190 ? kind % 4 : 4;
        uint64_t random = (uint64_t)kind;
        for (int32_t a = 0; a < n; ++a) {
            for (int32_t b = a + 1; b < n; ++b) {
                const bool rim = a > 0 && (b == a + 1 || (a == 1 && b == n - 1 && n > 3));
                const bool joined = shape == 0   ? true
                                    : shape == 1 ? a == 0 || rim
                                    : shape == 2 ? a == (b - 1) / 2
                                                 : next_random(&random) % 5 == 0;
                if (joined) {
                    ends[2 * m.edges] = kind % 2 != 0 ? b : a;
                    ends[2 * m.edges++ + 1] = kind % 2 != 0 ? a : b;
                }
            }
        }
        for (int32_t i = 0; i < n; ++i) {
            clamped[i] = next_random(&random) % 4 == 0;
        }
        m.clamped = shape == 4 ? clamped : NULL;
        gm_ising_problem p;
        gm_ising_info info;
        void *memory;
        ASSERT_OK(subjects[0].context, gm_ising_graph(subjects[0].context, &m, &p, &info, &memory));
        assert_positions(&m, &p);
        if (shape == 0 || (shape == 1 && n > 4) || shape == 2) {
            assert_int_equal(p.colours, shape == 0 ? n : shape == 2 ? 2 : n % 2 == 0 ? 4 : 3);
        }
        free(memory);
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

static unsigned char spin_of_word(uint32_t word, unsigned char old) {
    (void)old;
    return (unsigned char)(word >> 31 ? 1 : -1);
}

/* At beta = 0 the heat bath leaves a spin up where the top bit of its word is 1. */
static void noise_is_addressed_by_chain_sweep_and_place(void **state) {
    (void)state;
    gm_ising_model model = {0};
    int32_t *ends = set_lattice(&model, 2, (const int64_t[]){3, 4}, 0);
    for (int raster = 0; raster < 2; ++raster) {
        model.order = raster ? GM_ISING_RASTER : GM_ISING_COLOURED;
        const chain_model chains = ising_chains(&model);
        check_noise(&chains, 3, spin_of_word);
    }
    free(ends);
}

typedef struct bit_case {
    const char *name;
    gm_ising_spins spins;
    gm_ising_update update;
    gm_ising_order order;
    int graph; /* 0: 8 x 6 torus, 1: +-J 5 x 5 torus in a field, 2: tangle, 3: free cube,
                  4: tangle with couplings and fields in eighths */
    bool clamp;
} bit_case;

static const bit_case bit_cases[] = {
    {"torus, heat bath", GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, 0, false},
    {"torus, Metropolis", GM_ISING_SIGNS, GM_ISING_METROPOLIS, GM_ISING_COLOURED, 0, true},
    {"torus, lazy Metropolis", GM_ISING_SIGNS, GM_ISING_LAZY_METROPOLIS, GM_ISING_COLOURED, 0,
     true},
    {"tangle, lazy Metropolis", GM_ISING_SIGNS, GM_ISING_LAZY_METROPOLIS, GM_ISING_RASTER, 2,
     false},
    {"eighths, bits, lazy", GM_ISING_BITS, GM_ISING_LAZY_METROPOLIS, GM_ISING_COLOURED, 4, true},
    {"glass, heat bath", GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, 1, true},
    {"glass, Glauber, random", GM_ISING_SIGNS, GM_ISING_GLAUBER, GM_ISING_RANDOM, 1, false},
    {"glass, Metropolis, random", GM_ISING_SIGNS, GM_ISING_METROPOLIS, GM_ISING_RANDOM, 1, true},
    {"tangle, heat bath", GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, 2, false},
    {"tangle, bits, Metropolis", GM_ISING_BITS, GM_ISING_METROPOLIS, GM_ISING_COLOURED, 2, true},
    {"tangle, raster", GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_ISING_RASTER, 2, true},
    {"cube, bits", GM_ISING_BITS, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, 3, false},
    {"eighths, heat bath", GM_ISING_SIGNS, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, 4, false},
    {"eighths, bits, Metropolis", GM_ISING_BITS, GM_ISING_METROPOLIS, GM_ISING_COLOURED, 4, true},
    {"cube, bits, raster, Metropolis", GM_ISING_BITS, GM_ISING_METROPOLIS, GM_ISING_RASTER, 3,
     false},
};

enum { MOST_SITES = 60, MOST_EDGES = 240 };

typedef struct bit_model {
    gm_ising_model model;
    int32_t *lattice, ends[2 * MOST_EDGES];
    double coupling[MOST_EDGES], field[MOST_SITES];
    uint8_t clamped[MOST_SITES];
} bit_model;

static bit_model *make_bit_model(const bit_case *c) {
    bit_model *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->model = (gm_ising_model){.spins = c->spins, .update = c->update, .order = c->order};
    uint64_t random = 3;
    if (c->graph == 0) {
        b->lattice = set_lattice(&b->model, 2, (const int64_t[]){8, 6}, 1);
    } else if (c->graph == 1) {
        b->lattice = set_lattice(&b->model, 2, (const int64_t[]){5, 5}, 1);
        for (int64_t e = 0; e < b->model.edges; ++e) {
            b->coupling[e] = next_random(&random) % 2 != 0 ? 0.5 : -0.5;
        }
        for (int64_t i = 0; i < b->model.sites; ++i) {
            b->field[i] = 0.25;
        }
        b->model.coupling = b->coupling;
        b->model.field = b->field;
    } else if (c->graph == 2 || c->graph == 4) {
        set_tangle(&b->model, 47, b->coupling, b->field, b->ends);
        for (int i = 0; i < MOST_EDGES && c->graph == 4; ++i) {
            b->coupling[i] = nearbyint(16 * b->coupling[i]) / 8;
            b->field[i % MOST_SITES] = nearbyint(8 * b->field[i % MOST_SITES]) / 8;
        }
    } else {
        b->lattice = set_lattice(&b->model, 3, (const int64_t[]){3, 4, 5}, 0);
    }
    for (int64_t i = 0; i < b->model.sites && c->clamp; i += 7) {
        b->clamped[i] = 1;
    }
    b->model.clamped = c->clamp ? b->clamped : NULL;
    return b;
}

static void free_bit_model(bit_model *b) {
    free(b->lattice);
    free(b);
}

static void backends_agree_to_the_bit(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k]);
        const chain_model chains = ising_chains(&b->model);
        check_backends(&chains, bit_cases[k].name, 25, test_is_full() ? 10000 : 400, k % 3 != 2);
        free_bit_model(b);
    }
}

static void cuts_change_no_bits(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k]);
        const chain_model chains = ising_chains(&b->model);
        check_cuts(&chains, bit_cases[k].name, 12);
        free_bit_model(b);
    }
}

/*
 * Lattices that no block's shared memory holds, and such whose few chains the device shares, a
 * launch a colour; most of the sites are clamped where the emulator would take long. The number of
 * chains that a device shares depends on it.
 */
static void large_lattices_agree_too(void **state) {
    (void)state;
    static const struct {
        int64_t size[2];
        int64_t chains; /* 0: one more than the device shares */
        int clamp;      /* one in as many is free */
        gm_ising_update update;
        const char *kernel;
    } cases[] = {{{512, 512}, 1, 9, GM_ISING_HEAT_BATH, "ising_sites"},
                 {{181, 190}, 1, 1, GM_ISING_METROPOLIS, "ising_sites"},
                 {{500, 500}, 0, 37, GM_ISING_HEAT_BATH, "ising_coloured_global"},
                 {{190, 181}, 0, 9, GM_ISING_LAZY_METROPOLIS, "ising_coloured_resident"}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_model model = {.update = cases[k].update};
        int32_t *ends = set_lattice(&model, 2, cases[k].size, 1);
        uint8_t *clamped = malloc((size_t)model.sites);
        for (int64_t i = 0; i < model.sites; ++i) {
            clamped[i] = i % cases[k].clamp != 0;
        }
        model.clamped = clamped;
        FOR_EACH_SUBJECT(s) {
            gm_device_info device;
            ASSERT_OK(s->context, gm_context_device_info(s->context, &device));
            const int64_t chains = cases[k].chains > 0 ? cases[k].chains
                                   : s->is_kernel      ? device.processors / 2 + 1
                                                       : 2;
            const size_t size = (size_t)(chains * model.sites);
            int8_t *spins = malloc(size);
            uint64_t *sums = malloc((size_t)chains * 2 * GM_ISING_SUMS * sizeof *sums);
            double *beta = malloc((size_t)chains * sizeof *beta);
            int64_t *energy = malloc((size_t)chains * sizeof *energy);
            for (int64_t c = 0; c < chains; ++c) {
                beta[c] = 0.4 + 0.02 * (double)c;
            }
            draw_spins(1, &model, chains, spins);
            const chains_run r = {.chains = chains,
                                  .sweeps = {.seed = 8, .sweeps = 2},
                                  .beta = beta,
                                  .spins = spins,
                                  .sums = sums,
                                  .energy = energy,
                                  .by_site = s->is_kernel && chains == 1};
            run_chains(s, &model, &r);
            if (s->is_kernel) {
                assert_string_equal(gm_last_kernel(s->context), cases[k].kernel);
            }
            /* The first chain is the same whatever their number. */
            static uint64_t expected[3];
            const uint64_t got[3] = {hash_of(spins, (size_t)model.sites),
                                     hash_of(sums, 2 * GM_ISING_SUMS * sizeof *sums),
                                     (uint64_t)energy[0]};
            if (s->is_reference) {
                memcpy(expected, got, sizeof got);
            }
            assert_memory_equal(got, expected, sizeof got);
            free(spins);
            free(sums);
            free(beta);
            free(energy);
        }
        free(clamped);
        free(ends);
    }
}

/* As above, chains that are none: they stay as they are, and no sums where none are wanted. */
static void large_lattices_keep_bad_chains(void **state) {
    (void)state;
    gm_ising_model model = {0};
    int32_t *ends = set_lattice(&model, 2, (const int64_t[]){182, 182}, 1);
    const size_t size = (size_t)model.sites;
    int8_t *start = malloc(size), *spins = malloc(size);
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 3; ++k) {
            uint64_t sums[2 * GM_ISING_SUMS];
            int32_t status;
            const double beta = k == 1 ? NAN : 0.4;
            draw_spins(3, &model, 1, start);
            start[k == 2 ? model.sites - 1 : 0] = k == 2 ? 0 : 1;
            memcpy(spins, start, size);
            const chains_run r = {.chains = 1,
                                  .sweeps = {.seed = 8, .sweeps = k == 0 ? 0 : 1},
                                  .beta = &beta,
                                  .spins = spins,
                                  .sums = k == 2 ? NULL : sums,
                                  .status = &status};
            run_chains(s, &model, &r);
            assert_int_equal(status, k == 0   ? GM_STATUS_OK
                                     : k == 1 ? GM_STATUS_NON_FINITE
                                              : GM_STATUS_INVALID_ARGUMENT);
            assert_memory_equal(spins, start, size);
            for (int q = 0; q < 2 * GM_ISING_SUMS && k < 2; ++q) {
                assert_true(sums[q] == 0);
            }
        }
    }
    free(start);
    free(spins);
    free(ends);
}

/* Many chains, and few that the threads share. */
static void threads_change_no_bits(void **state) {
    (void)state;
    static const struct { int64_t chains, side; } cases[] = {{133, 6}, {2, 192}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_model model = {0};
        int32_t *ends = set_lattice(&model, 2, (const int64_t[]){cases[k].side, cases[k].side}, 1);
        const chain_model chains = ising_chains(&model);
        check_threads(&chains, cases[k].chains, 20, k == 0 ? "ising_lanes" : "ising_sites");
        free(ends);
    }
}

static void sums_are_those_of_the_states(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k]);
        const chain_model chains = ising_chains(&b->model);
        check_sums(&chains);
        free_bit_model(b);
    }
}

/* ---- reducibility ---------------------------------------------------------------------------- */

/*
 * Diagonal stripes of period 4: every local field is 0. Metropolis, colour by colour, goes from one
 * such state to another and stays at E = 0 at any temperature; in a random order it leaves, and so
 * do the heat bath and the lazy variant.
 */
static void stripes_hold_systematic_metropolis(void **state) {
    (void)state;
    enum { L = 16, sweeps = 60 };
    static const struct {
        gm_ising_update update;
        gm_ising_order order;
        bool leaves;
    } cases[] = {{GM_ISING_METROPOLIS, GM_ISING_COLOURED, false},
                 {GM_ISING_HEAT_BATH, GM_ISING_COLOURED, true},
                 {GM_ISING_METROPOLIS, GM_ISING_RANDOM, true},
                 {GM_ISING_HEAT_BATH, GM_ISING_RASTER, true},
                 {GM_ISING_LAZY_METROPOLIS, GM_ISING_COLOURED, true},
                 {GM_ISING_LAZY_METROPOLIS, GM_ISING_RASTER, true}};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(cases); ++k) {
            gm_ising_model model = {.update = cases[k].update, .order = cases[k].order};
            int32_t *ends = set_lattice(&model, 2, (const int64_t[]){L, L}, 1);
            int8_t spins[2 * L * L];
            for (int i = 0; i < 2 * L * L; ++i) {
                spins[i] = (i / L + i % L) % 4 < 2 ? 1 : -1;
            }
            const double beta[2] = {0.2, 0.4};
            uint64_t sums[2][GM_ISING_SUMS][2];
            const chains_run r = {.chains = 2,
                                  .sweeps = {.seed = 1, .sweeps = sweeps},
                                  .beta = beta,
                                  .spins = spins,
                                  .sums = &sums[0][0][0]};
            run_chains(s, &model, &r);
            for (int c = 0; c < 2; ++c) {
                const double e2 = gm_ising_sum_value(sums[c][GM_ISING_E2]);
                const double e = gm_ising_sum_value(sums[c][GM_ISING_E]) / (sweeps * L * L);
                if (cases[k].leaves) { /* Onsager: -0.428, -1.106 per site */
                    assert_true(e < -0.2);
                } else {
                    assert_true(e2 == 0);
                }
            }
            free(ends);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lattices_have_their_edges),
        cmocka_unit_test(numbers_become_multiples_of_a_quantum),
        cmocka_unit_test(graphs_are_coloured),
        cmocka_unit_test(noise_is_addressed_by_chain_sweep_and_place),
        cmocka_unit_test(backends_agree_to_the_bit),
        cmocka_unit_test(cuts_change_no_bits),
        cmocka_unit_test(large_lattices_agree_too),
        cmocka_unit_test(large_lattices_keep_bad_chains),
        cmocka_unit_test(threads_change_no_bits),
        cmocka_unit_test(sums_are_those_of_the_states),
        cmocka_unit_test(stripes_hold_systematic_metropolis),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
