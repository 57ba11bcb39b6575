/*
 * gm_potts_*: wrong arguments, bad chains; every backend to the bit, cuts, layouts, clamped sites;
 * what the sums say. Laws and transition probabilities are in test_potts_exact.c.
 */
#include "tests/chain_checks.h"
#include "tests/chain_refusals.h"
#include "tests/potts_fixture.h"

/* ---- errors ---------------------------------------------------------------------------------- */

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    static const int32_t line[] = {0, 1, 1, 2};
    static const double bad_field[] = {0, 0, 0, 0, 0, 0, 0, -INFINITY, 0};
#define BASE .sites = 3, .edges = 2, .ends = line
    static const struct {
        gm_potts_model model;
        const char *text;
    } cases[] = {
        {{BASE, .q = -3}, "model.q = -3"},
        {{BASE}, "model.q = 0"},
        {{BASE, .q = 1}, "model.q = 1"},
        {{BASE, .q = 257}, "model.q = 257"},
        {{BASE, .q = 3, .field = bad_field}, "model.field[7] = -inf"},
        {{BASE, .q = 3, .update = (gm_potts_update)2}, "model.update = 2"},
        {{BASE, .q = 3, .order = (gm_ising_order)3}, "model.order = 3"},
    };
#undef BASE
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_potts_plan *plan = (gm_potts_plan *)8;
        ASSERT_FAILS(context, gm_potts_plan_create(context, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    check_wrong_graphs(&potts_kind);
    gm_potts_plan *plan;
    const gm_potts_model model = {.sites = 1, .q = 3};
    ASSERT_OK(context, gm_potts_plan_create(context, &model, &plan));
    ASSERT_FAILS(context, gm_potts_plan_info(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "info is NULL");
    gm_potts_plan_destroy(plan);
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    gm_potts_model model = {.q = 4};
    int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){4, 4}, 1);
    const chain_model chains = potts_chains(&model);
    check_wrong_runs(&chains);
    free(ends);
    /* 3 2^33 (2^15 255)^4 has no room in 128 bits; without sums it needs none. */
    const gm_potts_model large = {.sites = 1 << 15, .q = 256};
    gm_potts_plan *plan;
    const subject *s = &subjects[0];
    ASSERT_OK(s->context, gm_potts_plan_create(s->context, &large, &plan));
    const double beta = 1;
    static uint8_t labels[1 << 15];
    uint64_t sums[GM_POTTS_SUMS * 2];
    const gm_tensor b = gm_tensor_1d((void *)&beta, GM_F64, 1);
    const gm_tensor x = gm_tensor_2d(labels, GM_U8, 1, 1 << 15);
    gm_tensor q;
    ASSERT_OK(NULL, gm_tensor_view(sums, GM_U64, 3, (const int64_t[]){1, GM_POTTS_SUMS, 2}, &q));
    gm_workspace w = {0};
    const gm_ising_sweeps many = {.sweeps = INT64_C(3) << 33};
    ASSERT_FAILS(s->context, gm_potts_run(plan, &many, &b, &x, &(gm_potts_result){.sums = &q}, &w),
                 GM_STATUS_INVALID_ARGUMENT, "128 bits");
    ASSERT_OK(s->context, gm_potts_run(plan, &many, &b, &x, NULL, &w));
    gm_potts_plan_destroy(plan);
}

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    static const unsigned char none[2] = {3, 255};
    for (int k = 0; k < 6; ++k) {
        gm_potts_model model = {.q = 3, .order = (gm_ising_order)(k / 2)};
        int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){3, 4}, 0);
        const chain_model chains = potts_chains(&model);
        check_bad_chains(&chains, k % 2 == 0 ? 9 : CHECKED_CHAINS, k % 2 == 0 ? 3 : CHECKED_CHAINS,
                         none);
        free(ends);
    }
}

static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    static const uint8_t labels[3] = {2, 0, 1};
    const uint8_t clamped = 1;
    const gm_potts_model none = {.q = 3}, one = {.sites = 1, .q = 3},
                         fixed = {.sites = 1, .q = 3, .clamped = &clamped};
    const chain_model models[3] = {potts_chains(&none), potts_chains(&one), potts_chains(&fixed)};
    check_nothing(models, labels, 2);
}

/* ---- bits ------------------------------------------------------------------------------------ */

static unsigned char label_of_word(uint32_t word, unsigned char old) {
    (void)old;
    return (unsigned char)((uint64_t)word * 5 >> 32);
}

static unsigned char other_label_of_word(uint32_t word, unsigned char old) {
    const unsigned char other = (unsigned char)((uint64_t)word * 4 >> 32);
    return (unsigned char)(other + (other >= old));
}

/* Of q = 5 labels, at beta = 0 the heat bath draws label u q / 2^32, Metropolis the
 * u (q - 1) / 2^32-th other one. */
static void noise_is_addressed_by_chain_sweep_and_place(void **state) {
    (void)state;
    gm_potts_model model = {.q = 5};
    int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){3, 4}, 0);
    for (int k = 0; k < 4; ++k) {
        model.order = k % 2 != 0 ? GM_ISING_RASTER : GM_ISING_COLOURED;
        model.update = k / 2 != 0 ? GM_POTTS_METROPOLIS : GM_POTTS_HEAT_BATH;
        const chain_model chains = potts_chains(&model);
        check_noise(&chains, 1, k / 2 != 0 ? other_label_of_word : label_of_word);
    }
    free(ends);
}

typedef struct bit_case {
    const char *name;
    int32_t q;
    gm_potts_update update;
    gm_ising_order order;
    int graph; /* 0: 8 x 6 torus, 1: tangle with real couplings and fields, 2: tangle in eighths */
    bool fields, clamp;
} bit_case;

#define HEAT GM_POTTS_HEAT_BATH
#define METROPOLIS GM_POTTS_METROPOLIS
static const bit_case bit_cases[] = {
    {"torus, q = 2", 2, HEAT, GM_ISING_COLOURED, 0, false, false},
    {"torus, q = 3", 3, HEAT, GM_ISING_COLOURED, 0, false, true},
    {"torus, q = 3, Metropolis", 3, METROPOLIS, GM_ISING_COLOURED, 0, false, false},
    {"torus, q = 8, raster", 8, HEAT, GM_ISING_RASTER, 0, false, true},
    {"torus, q = 12", 12, HEAT, GM_ISING_COLOURED, 0, false, false},
    {"torus, q = 13", 13, HEAT, GM_ISING_COLOURED, 0, false, false},
    {"torus, q = 256", 256, HEAT, GM_ISING_COLOURED, 0, false, false},
    {"torus, q = 256, Metropolis, random", 256, METROPOLIS, GM_ISING_RANDOM, 0, false, true},
    {"tangle, q = 4, real", 4, HEAT, GM_ISING_COLOURED, 1, true, true},
    {"tangle, q = 9, real, random", 9, HEAT, GM_ISING_RANDOM, 1, true, false},
    {"tangle, q = 5, real, Metropolis", 5, METROPOLIS, GM_ISING_RASTER, 1, true, false},
    {"tangle, q = 3, eighths", 3, HEAT, GM_ISING_COLOURED, 2, true, false},
    {"tangle, q = 20, eighths", 20, HEAT, GM_ISING_RASTER, 2, true, true},
    {"tangle, q = 6, eighths, Metropolis", 6, METROPOLIS, GM_ISING_COLOURED, 2, true, true},
};

enum { MOST_SITES = 48, MOST_EDGES = 144, MOST_LABELS = 20 };

typedef struct bit_model {
    gm_potts_model model;
    int32_t *lattice, ends[2 * MOST_EDGES];
    double coupling[MOST_EDGES], field[MOST_SITES * MOST_LABELS];
    uint8_t clamped[MOST_SITES];
} bit_model;

/* Whole, or so few sites that 10,000 sweeps take seconds on the reference too. */
static bit_model *make_bit_model(const bit_case *c, bool whole) {
    bit_model *b = calloc(1, sizeof *b);
    assert_non_null(b);
    gm_potts_model *m = &b->model;
    *m = (gm_potts_model){.q = c->q, .update = c->update, .order = c->order};
    if (c->graph == 0) {
        const int64_t size[2] = {whole ? 8 : 4, whole ? 6 : 4};
        b->lattice = set_potts_lattice(m, whole || c->q < 100 ? 2 : 1, size, 1);
    } else {
        gm_ising_model tangle;
        double unused[MOST_SITES];
        set_tangle(&tangle, whole ? 47 : 13, b->coupling, unused, b->ends);
        m->sites = tangle.sites;
        m->edges = tangle.edges;
        m->ends = b->ends;
        m->coupling = b->coupling;
    }
    uint64_t random = 3;
    for (int64_t i = 0; i < m->sites * m->q && c->fields; ++i) {
        b->field[i] = random_between(&random, -1, 1);
    }
    for (int i = 0; i < COUNT(b->field) && c->graph == 2; ++i) {
        b->coupling[i % MOST_EDGES] = nearbyint(16 * b->coupling[i % MOST_EDGES]) / 8;
        b->field[i] = nearbyint(8 * b->field[i]) / 8;
    }
    m->field = c->fields ? b->field : NULL;
    for (int64_t i = 0; i < m->sites && c->clamp; i += 7) {
        b->clamped[i] = 1;
    }
    m->clamped = c->clamp ? b->clamped : NULL;
    return b;
}

static void free_bit_model(bit_model *b) {
    free(b->lattice);
    free(b);
}

static void backends_agree_to_the_bit(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        for (int whole = 1; whole >= (test_is_full() ? 0 : 1); --whole) {
            bit_model *b = make_bit_model(&bit_cases[k], whole);
            const int64_t most = bit_cases[k].graph == 1 || b->model.q > 100 ? 20 : 100;
            const chain_model chains = potts_chains(&b->model);
            check_backends(&chains, bit_cases[k].name, 8, whole ? most : 10000, true);
            free_bit_model(b);
        }
    }
}

static void cuts_change_no_bits(void **state) {
    (void)state;
    static const int which[] = {1, 2, 3, 7, 8, 12};
    for (int k = 0; k < COUNT(which); ++k) {
        bit_model *b = make_bit_model(&bit_cases[which[k]], true);
        const chain_model chains = potts_chains(&b->model);
        check_cuts(&chains, bit_cases[which[k]].name, 9);
        free_bit_model(b);
    }
}

/* A lattice that no block's shared memory holds, most of it clamped; and the kernels of others. */
static void every_kernel_runs(void **state) {
    (void)state;
    static const struct {
        int64_t side;
        int32_t q;
        gm_ising_order order;
        const char *kernel, *few;
    } cases[] = {{500, 3, GM_ISING_COLOURED, "potts_coloured_global", "potts_sites"},
                 {500, 10, GM_ISING_COLOURED, "potts_coloured_global", "potts_sites"},
                 {10, 3, GM_ISING_COLOURED, "potts_coloured_resident", "potts_sites"},
                 {10, 3, GM_ISING_RASTER, "potts_sequential", "potts_chains"}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_potts_model model = {.q = cases[k].q, .order = cases[k].order};
        int32_t *ends =
            set_potts_lattice(&model, 2, (const int64_t[]){cases[k].side, cases[k].side}, 1);
        uint8_t *labels = malloc((size_t)model.sites), *clamped = malloc((size_t)model.sites);
        for (int64_t i = 0; i < model.sites; ++i) {
            clamped[i] = cases[k].side > 10 && i % 37 != 0;
        }
        model.clamped = clamped;
        uint64_t sums[2 * GM_POTTS_SUMS], expected = 0;
        const double beta = 1;
        FOR_EACH_SUBJECT(s) {
            draw_labels(1, &model, 1, labels);
            const chains_run r = {.chains = 1,
                                  .sweeps = {.seed = 8, .sweeps = 1},
                                  .beta = &beta,
                                  .labels = labels,
                                  .sums = sums};
            run_labels(s, &model, &r);
            assert_string_equal(gm_last_kernel(s->context), s->is_kernel      ? cases[k].kernel
                                                            : s->is_reference ? "potts_ref"
                                                                              : cases[k].few);
            const uint64_t got = hash_of(labels, (size_t)model.sites) ^ hash_of(sums, sizeof sums);
            expected = s->is_reference ? got : expected;
            assert_true(got == expected);
        }
        free(labels);
        free(clamped);
        free(ends);
    }
}

/* Many chains, and few that the threads share; the reference has the same bits. */
static void threads_change_no_bits(void **state) {
    (void)state;
    static const struct {
        int64_t chains, side, sweeps;
        int32_t q;
        gm_potts_update update;
        const char *kernel;
    } cases[] = {{133, 6, 20, 3, HEAT, "potts_lanes"},
                 {2, 192, 2, 3, HEAT, "potts_sites"},
                 {1, 160, 1, 20, HEAT, "potts_sites"},
                 {3, 160, 2, 5, METROPOLIS, "potts_sites"}};
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_potts_model model = {.q = cases[k].q, .update = cases[k].update};
        const int64_t size[2] = {cases[k].side, cases[k].side};
        int32_t *ends = set_potts_lattice(&model, 2, size, 1);
        const chain_model chains = potts_chains(&model);
        check_threads(&chains, cases[k].chains, cases[k].sweeps, cases[k].kernel);
        free(ends);
    }
}

/* ---- what the sums say ----------------------------------------------------------------------- */

static void sums_are_those_of_the_states(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k], true);
        const chain_model chains = potts_chains(&b->model);
        check_sums(&chains);
        free_bit_model(b);
    }
}

/* Quanta and spans: differences of local fields must fit, whatever the numbers. */
static void numbers_become_multiples_of_a_quantum(void **state) {
    (void)state;
    static const struct {
        double j, h[2], quantum;
        int64_t span, bound;
    } cases[] = {{1, {0, 0}, 1, 2, 2},
                 {-0.5, {0.5, -0.5}, 0.5, 4, 5},
                 {0.3, {0.1, 0.2}, 0.1, 7, 12},
                 {0, {0, 0}, 1, 0, 0},
                 {0, {0x1.fffffffffp0, -0x1.fffffffffp0}, 0x1.fffffffffp0, 2, 3},
                 {0x1p-40, {0x1.fffffffffp0, -0x1.fffffffffp0}, 0x1p-28, 1 << 30, 0}};
    static const int32_t ends[] = {0, 1, 1, 2};
    for (int k = 0; k < COUNT(cases); ++k) {
        const double coupling[] = {cases[k].j, cases[k].j};
        const double *h = cases[k].h, field[6] = {h[0], h[1], h[0], h[1], h[0], h[1]};
        const gm_potts_model model = {
            .sites = 3, .edges = 2, .ends = ends, .q = 2, .coupling = coupling, .field = field};
        gm_potts_plan *plan;
        gm_potts_info info;
        ASSERT_OK(subjects[0].context, gm_potts_plan_create(subjects[0].context, &model, &plan));
        ASSERT_OK(subjects[0].context, gm_potts_plan_info(plan, &info));
        assert_true(info.quantum == cases[k].quantum);
        assert_true(llabs(info.span - cases[k].span) <= (cases[k].bound == 0 ? 2 : 0));
        assert_true(info.span <= (INT64_C(1) << 30) + 2);
        assert_true(cases[k].bound == 0 || info.energy_bound == cases[k].bound);
        gm_potts_plan_destroy(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(wrong_runs_are_refused),
        cmocka_unit_test(bad_chains_spoil_nothing),
        cmocka_unit_test(nothing_is_done_for_nothing),
        cmocka_unit_test(numbers_become_multiples_of_a_quantum),
        cmocka_unit_test(noise_is_addressed_by_chain_sweep_and_place),
        cmocka_unit_test(backends_agree_to_the_bit),
        cmocka_unit_test(cuts_change_no_bits),
        cmocka_unit_test(every_kernel_runs),
        cmocka_unit_test(threads_change_no_bits),
        cmocka_unit_test(sums_are_those_of_the_states),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
