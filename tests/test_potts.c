/*
 * gm_potts_*: wrong arguments, bad chains; every backend to the bit, cuts, layouts, clamped sites;
 * what the sums say. Laws and transition probabilities are in test_potts_exact.c.
 */
#include "tests/potts_fixture.h"

#include <genmath/philox.h>

/* ---- errors ---------------------------------------------------------------------------------- */

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    static const int32_t line[] = {0, 1, 1, 2}, outside[] = {0, 1, 1, 3}, loop[] = {0, 1, 2, 2};
    static const int32_t twice[] = {0, 1, 1, 0}, one_edge[] = {0, 1};
    static const double bad_coupling[] = {1, NAN}, huge[] = {1e308, 1e308};
    static const double bad_field[] = {0, 0, 0, 0, 0, 0, 0, -INFINITY, 0};
#define BASE .sites = 3, .edges = 2, .ends = line, .q = 3
    static const struct {
        gm_potts_model model;
        const char *text;
    } cases[] = {
        {{.sites = -1, .q = 3}, "model.sites = -1"},
        {{.sites = (INT64_C(1) << 30) + 1, .q = 3}, "model.sites"},
        {{.sites = 3, .edges = -2, .q = 3}, "model.edges = -2"},
        {{.sites = 3, .edges = 2, .q = 3}, "model.ends is NULL"},
        {{.sites = 3, .edges = 2, .ends = line, .q = -3}, "model.q = -3"},
        {{.sites = 3, .edges = 2, .ends = line}, "model.q = 0"},
        {{.sites = 3, .edges = 2, .ends = line, .q = 1}, "model.q = 1"},
        {{.sites = 3, .edges = 2, .ends = line, .q = 257}, "model.q = 257"},
        {{.sites = 3, .edges = 2, .ends = outside, .q = 3}, "model.ends[1] = (1, 3)"},
        {{.sites = 3, .edges = 2, .ends = loop, .q = 3}, "no neighbour of itself"},
        {{.sites = 3, .edges = 2, .ends = twice, .q = 3}, "the pair (0, 1) is given twice"},
        {{BASE, .coupling = bad_coupling}, "model.coupling[1]"},
        {{BASE, .coupling = huge}, "overflows"},
        {{BASE, .field = bad_field}, "model.field[7] = -inf"},
        {{BASE, .update = (gm_potts_update)2}, "model.update = 2"},
        {{BASE, .order = (gm_ising_order)3}, "model.order = 3"},
        {{.sites = 4, .edges = 1, .ends = one_edge, .q = 3, .connected = 1}, "3 parts"},
    };
#undef BASE
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_potts_plan *plan = (gm_potts_plan *)8;
        ASSERT_FAILS(context, gm_potts_plan_create(context, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    gm_potts_plan *plan;
    gm_potts_info info;
    const gm_potts_model model = {.sites = 4, .edges = 1, .ends = one_edge, .q = 3};
    ASSERT_FAILS(NULL, gm_potts_plan_create(NULL, &model, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(context, gm_potts_plan_create(context, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(context, gm_potts_plan_create(context, &model, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_potts_plan_info(NULL, &info), GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_potts_plan_destroy(NULL);
    ASSERT_OK(context, gm_potts_plan_create(context, &model, &plan));
    ASSERT_FAILS(context, gm_potts_plan_info(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "info is NULL");
    ASSERT_OK(context, gm_potts_plan_info(plan, &info));
    assert_int_equal(info.components, 3);
    gm_potts_plan_destroy(plan);
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        if (s->is_kernel) {
            continue; /* the checks are the host's; the arrays below are the host's too */
        }
        gm_context *c = s->context;
        gm_potts_model model = {.q = 4};
        int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){4, 4}, 1);
        gm_potts_plan *plan;
        ASSERT_OK(c, gm_potts_plan_create(c, &model, &plan));
        _Alignas(64) static uint8_t labels[5 * 16 + 64], scratch[1 << 16];
        uint8_t before[sizeof labels];
        draw_labels(1, &model, 5, labels);
        memcpy(before, labels, sizeof labels);
        double beta[5] = {0.1, 0.2, 0.3, 0.4, 0.5};
        uint64_t sums[5 * GM_POTTS_SUMS * 2];
        int32_t status[5];
        const gm_tensor b = gm_tensor_1d(beta, GM_F64, 5), x = gm_tensor_2d(labels, GM_U8, 5, 16);
        const int64_t shape[3] = {5, GM_POTTS_SUMS, 2};
        gm_tensor q;
        ASSERT_OK(NULL, gm_tensor_view(sums, GM_U64, 3, shape, &q));
        const gm_tensor t = gm_tensor_1d(status, GM_I32, 5);
        const gm_ising_sweeps run = {.seed = 1, .sweeps = 3};
        const gm_potts_result r = {.sums = &q, .status = &t};
        gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 0};
        gm_workspace odd = {scratch + 1, sizeof scratch - 1}, own = {labels, sizeof labels};
#define REFUSED(what, status_code, text) ASSERT_FAILS(c, what, status_code, text)
        ASSERT_FAILS(NULL, gm_potts_run(NULL, &run, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                     "plan is NULL");
        REFUSED(gm_potts_run(plan, NULL, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "run");
        REFUSED(gm_potts_run(plan, &run, &b, &x, &r, NULL), GM_STATUS_INVALID_ARGUMENT,
                "workspace is NULL");
        REFUSED(gm_potts_run(plan, &run, NULL, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "beta");
        REFUSED(gm_potts_run(plan, &run, &b, NULL, &r, &w), GM_STATUS_INVALID_ARGUMENT, "labels");
        gm_ising_sweeps wrong = run;
        wrong.sweeps = -1;
        REFUSED(gm_potts_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "run.sweeps = -1");
        wrong.sweeps = 3;
        wrong.first_sweep = (UINT64_C(1) << 46) - 3;
        REFUSED(gm_potts_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "noise");
        gm_tensor y = x;
        y.shape[1] = 15;
        REFUSED(gm_potts_run(plan, &run, &b, &y, &r, &w), GM_STATUS_SHAPE_MISMATCH,
                "labels.shape[1] = 15");
        y = x;
        y.dtype = GM_I8;
        REFUSED(gm_potts_run(plan, &run, &b, &y, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "labels.dtype");
        y = x;
        y.stride[0] = 0;
        REFUSED(gm_potts_run(plan, &run, &b, &y, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "share memory");
        y = b;
        y.shape[0] = 4;
        REFUSED(gm_potts_run(plan, &run, &y, &x, &r, &w), GM_STATUS_SHAPE_MISMATCH, "beta.shape");
        y = q;
        y.shape[1] = 3;
        REFUSED(gm_potts_run(plan, &run, &b, &x, &(gm_potts_result){.sums = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.sums.shape[1]");
        y = q;
        y.shape[0] = 3;
        REFUSED(gm_potts_run(plan, &run, &b, &x, &(gm_potts_result){.sums = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.sums.shape[0]");
        y = t;
        y.shape[0] = 2;
        REFUSED(gm_potts_run(plan, &run, &b, &x, &(gm_potts_result){.status = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.status.shape[0]");
        y = gm_tensor_1d(labels, GM_I32, 5);
        REFUSED(gm_potts_run(plan, &run, &b, &x, &(gm_potts_result){.status = &y}, &w),
                GM_STATUS_INVALID_ARGUMENT, "overlap");
        REFUSED(gm_potts_run(plan, &run, &b, &x, &r, &small), GM_STATUS_WORKSPACE_TOO_SMALL,
                "workspace.bytes = 0");
        REFUSED(gm_potts_run(plan, &run, &b, &x, &r, &odd), GM_STATUS_INVALID_ARGUMENT, "aligned");
        gm_workspace asked = {0};
        ASSERT_OK(c, gm_potts_run(plan, &run, &b, &x, &r, &asked));
        if (asked.bytes <= sizeof labels) {
            REFUSED(gm_potts_run(plan, &run, &b, &x, &r, &own), GM_STATUS_INVALID_ARGUMENT,
                    "overlap");
        }
#undef REFUSED
        assert_memory_equal(labels, before, sizeof labels);
        gm_potts_plan_destroy(plan);
        free(ends);
    }
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

enum { BAD_CHAINS = 37, BAD_SITES = 12 };

/* Bad chains stay as they were, good ones are what they are without them. */
static void check_bad_chains(const uint8_t *start, const uint8_t *good, const uint8_t *bad,
                             const uint64_t *good_sums, const uint64_t *bad_sums,
                             const int32_t *status) {
    for (int i = 0; i < BAD_CHAINS; ++i) {
        const int expected = i == 0 || i == 33   ? GM_STATUS_NON_FINITE
                             : i == 4 || i == 36 ? GM_STATUS_INVALID_ARGUMENT
                                                 : GM_STATUS_OK;
        assert_int_equal(status[i], expected);
        for (int j = 0; j < BAD_SITES; ++j) {
            const int at = i * BAD_SITES + j;
            const int kept = at == 4 * BAD_SITES + 7     ? 3
                             : at == 36 * BAD_SITES + 11 ? 255
                                                         : start[at];
            assert_int_equal(bad[at], expected == GM_STATUS_OK ? good[at] : kept);
        }
        for (int j = 0; j < 2 * GM_POTTS_SUMS; ++j) {
            const int at = i * 2 * GM_POTTS_SUMS + j;
            assert_true(bad_sums[at] == (expected == GM_STATUS_OK ? good_sums[at] : 0));
        }
    }
}

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    enum { chains = BAD_CHAINS, sites = BAD_SITES };
    gm_potts_model model = {.q = 3};
    int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){3, 4}, 0);
    for (int order = 0; order < 3; ++order) {
        model.order = (gm_ising_order)order;
        FOR_EACH_SUBJECT(s) {
            uint8_t good[chains * sites], bad[chains * sites], start[chains * sites];
            uint64_t good_sums[chains * 2 * GM_POTTS_SUMS], bad_sums[chains * 2 * GM_POTTS_SUMS];
            double beta[chains];
            int32_t status[chains];
            for (int i = 0; i < chains; ++i) {
                beta[i] = 0.05 * i;
            }
            draw_labels(9, &model, chains, good);
            memcpy(start, good, sizeof start);
            labels_run r = {chains, {.seed = 4, .sweeps = 5}, beta, good, good_sums, NULL, false};
            run_labels(s, &model, &r);
            beta[0] = NAN;
            beta[33] = -INFINITY;
            for (int group = 0; group < 2; ++group) { /* all at once; three at a time */
                memcpy(bad, start, sizeof bad);
                bad[4 * sites + 7] = 3;
                bad[36 * sites + 11] = 255;
                const int most = group == 0 ? chains : 3;
                for (int first = 0; first < chains; first += most) {
                    r.chains = chains - first < most ? chains - first : most;
                    r.sweeps.first_chain = (uint64_t)first;
                    r.beta = beta + first;
                    r.labels = bad + first * sites;
                    r.sums = bad_sums + first * 2 * GM_POTTS_SUMS;
                    r.status = status + first;
                    run_labels(s, &model, &r);
                }
                check_bad_chains(start, good, bad, good_sums, bad_sums, status);
            }
        }
    }
    free(ends);
}

/* No chain, no site, no sweep, nothing free. */
static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        const double beta[3] = {0.5, 0.5, 0.5};
        uint8_t labels[3] = {2, 0, 1};
        uint64_t sums[3 * 2 * GM_POTTS_SUMS];
        const uint8_t clamped = 1;
        const gm_potts_model none = {.q = 3}, one = {.sites = 1, .q = 3};
        const gm_potts_model fixed = {.sites = 1, .q = 3, .clamped = &clamped};
        labels_run r = {3, {.sweeps = 4}, beta, labels, sums, NULL, false};
        run_labels(s, &none, &r);
        for (int i = 0; i < 3 * 2 * GM_POTTS_SUMS; ++i) {
            assert_true(sums[i] == 0);
        }
        r.sweeps.sweeps = 0;
        run_labels(s, &one, &r);
        r.sweeps.sweeps = 4;
        run_labels(s, &fixed, &r);
        assert_true(labels[0] == 2 && labels[1] == 0 && labels[2] == 1);
        assert_true(sums[2 * GM_POTTS_M] == 4 * 2 && sums[2 * GM_POTTS_FLIPS] == 0);
        r.chains = 0;
        run_labels(s, &one, &r);
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

/* At beta = 0 the heat bath draws label u q / 2^32, Metropolis the u (q - 1) / 2^32-th other one:
 * u is word p % 4 of block sweep * blocks + p / 4 for the p-th place, index first_chain + chain. */
static void noise_is_addressed_by_chain_sweep_and_place(void **state) {
    (void)state;
    enum { chains = 9, sites = 12, q = 5 };
    static const double beta[chains];
    gm_potts_model model = {.q = q};
    int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){3, 4}, 0);
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const bool raster = k % 2 != 0, metropolis = k / 2 != 0;
            const uint64_t seed = UINT64_C(0xfedcba9876543210), first = UINT64_MAX - 3;
            model.order = raster ? GM_ISING_RASTER : GM_ISING_COLOURED;
            model.update = metropolis ? GM_POTTS_METROPOLIS : GM_POTTS_HEAT_BATH;
            uint8_t labels[chains * sites], old[chains * sites];
            draw_labels(3, &model, chains, labels);
            memcpy(old, labels, sizeof old);
            const labels_run r = {chains, {seed, first, 1u << 30, 1}, beta, labels, NULL, NULL,
                                  false};
            run_labels(s, &model, &r);
            for (uint64_t i = 0; i < chains * sites; ++i) {
                const uint64_t site = i % sites, colour = (site / 4 + site % 4) % 2;
                const uint64_t place = raster ? site : 8 * colour + site / 2;
                const gm_words w =
                    gm_philox_block(seed, first + i / sites, GM_STREAM_CHAIN_ACCEPT,
                                    (UINT64_C(1) << 30) * (raster ? 3 : 4) + place / 4);
                const uint64_t u = gm_word(w, place % 4);
                const uint64_t other = u * (q - 1) >> 32;
                assert_int_equal(labels[i], metropolis ? other + (other >= old[i]) : u * q >> 32);
            }
        }
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

enum { MOST_SITES = 48, MOST_EDGES = 144, MOST_LABELS = 20, BIT_CHAINS = 37 };

typedef struct bit_model {
    gm_potts_model model;
    int32_t *lattice, ends[2 * MOST_EDGES];
    double coupling[MOST_EDGES], field[MOST_SITES * MOST_LABELS];
    uint8_t clamped[MOST_SITES];
} bit_model;

static bit_model *make_bit_model(const bit_case *c) {
    bit_model *b = calloc(1, sizeof *b);
    assert_non_null(b);
    gm_potts_model *m = &b->model;
    *m = (gm_potts_model){.q = c->q, .update = c->update, .order = c->order};
    if (c->graph == 0) {
        b->lattice = set_potts_lattice(m, 2, (const int64_t[]){8, 6}, 1);
    } else {
        gm_ising_model tangle;
        double unused[MOST_SITES];
        set_tangle(&tangle, 47, b->coupling, unused, b->ends);
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

/* Chains over the range from hot to frozen, antiferromagnets and beta = 0 among them. */
static void set_betas(double *beta, int64_t chains) {
    for (int64_t c = 0; c < chains; ++c) {
        beta[c] = c == 3 ? 0 : c == 5 ? 1e300 : 0.15 * (double)(c - 4);
    }
}

/* The reference is compared with the other subjects after many sweeps: the state is chaotic, so one
 * wrong decision changes the hash for good. The emulator runs fewer, but of the same noise. */
static void backends_agree_to_the_bit(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k]);
        const size_t size = (size_t)(BIT_CHAINS * b->model.sites);
        uint8_t *start = malloc(size), *labels = malloc(size);
        uint64_t sums[BIT_CHAINS * 2 * GM_POTTS_SUMS];
        double beta[BIT_CHAINS];
        set_betas(beta, BIT_CHAINS);
        draw_labels(17, &b->model, BIT_CHAINS, start);
        uint64_t expected[2][2] = {{0}};
        FOR_EACH_SUBJECT(s) {
            for (int length = 0; length < 2; ++length) {
                if (s->is_slow && length == 1) {
                    continue;
                }
                const int64_t most = bit_cases[k].graph == 1 || b->model.q > 100 ? 20 : 100;
                const int64_t sweeps = length == 0 ? 8 : test_is_full() ? 10000 : most;
                const labels_run r = {.chains = BIT_CHAINS,
                                      .sweeps = {.seed = 0x123456789abcdefu,
                                                 .first_chain = UINT64_C(0xfffffff0),
                                                 .first_sweep = UINT64_C(0x1ffffffff),
                                                 .sweeps = sweeps},
                                      .beta = beta,
                                      .labels = labels,
                                      .sums = sums,
                                      .by_site = s->is_kernel};
                memcpy(labels, start, size);
                run_labels(s, &b->model, &r);
                const uint64_t got[2] = {hash_of(labels, size), hash_of(sums, sizeof sums)};
                if (s->is_reference) {
                    memcpy(expected[length], got, sizeof got);
                } else if (memcmp(expected[length], got, sizeof got) != 0) {
                    fail_msg("%s: %s: %s differ after %lld sweeps", s->name, bit_cases[k].name,
                             expected[length][0] != got[0] ? "labels" : "sums", (long long)sweeps);
                }
                for (size_t i = 0; i < size; ++i) {
                    if (b->clamped[i % (size_t)b->model.sites] != 0) {
                        assert_int_equal(labels[i], start[i]);
                    }
                }
            }
        }
        free(start);
        free(labels);
        free_bit_model(b);
    }
}

static void add_sums(uint64_t *total, const uint64_t *part, int64_t count) {
    for (int64_t i = 0; i < count; i += 2) {
        total[i] += part[i];
        total[i + 1] += part[i + 1] + (total[i] < part[i]);
    }
}

/* Chains and sweeps cut into calls give the labels, and sums that add up to those, of one call. */
static void cuts_change_no_bits(void **state) {
    (void)state;
    enum { sweeps = 9 };
    static const int which[] = {1, 2, 3, 7, 8, 12};
    for (int k = 0; k < COUNT(which); ++k) {
        bit_model *b = make_bit_model(&bit_cases[which[k]]);
        const int64_t sites = b->model.sites;
        const size_t size = (size_t)(BIT_CHAINS * sites);
        uint8_t *whole = malloc(size), *cut = malloc(size);
        double beta[BIT_CHAINS];
        set_betas(beta, BIT_CHAINS);
        FOR_EACH_SUBJECT(s) {
            uint64_t sums[BIT_CHAINS * 2 * GM_POTTS_SUMS], total[BIT_CHAINS * 2 * GM_POTTS_SUMS];
            draw_labels(29, &b->model, BIT_CHAINS, whole);
            memcpy(cut, whole, size);
            memset(total, 0, sizeof total);
            labels_run r = {BIT_CHAINS, {.seed = 5, .first_chain = 1000, .sweeps = sweeps},
                            beta,       whole,
                            sums,       NULL,
                            false};
            run_labels(s, &b->model, &r);
            static const int chain_cuts[] = {0, 1, 3, 8, BIT_CHAINS};
            static const int sweep_cuts[] = {0, 1, 1, 7, sweeps};
            for (int i = 0; i + 1 < COUNT(chain_cuts); ++i) {
                for (int j = 0; j + 1 < COUNT(sweep_cuts); ++j) {
                    uint64_t part[BIT_CHAINS * 2 * GM_POTTS_SUMS];
                    const int first = chain_cuts[i], count = chain_cuts[i + 1] - first;
                    r.chains = count;
                    r.sweeps.first_chain = 1000 + (uint64_t)first;
                    r.sweeps.first_sweep = (uint64_t)sweep_cuts[j];
                    r.sweeps.sweeps = sweep_cuts[j + 1] - sweep_cuts[j];
                    r.beta = beta + first;
                    r.labels = cut + first * sites;
                    r.sums = part;
                    run_labels(s, &b->model, &r);
                    add_sums(total + first * 2 * GM_POTTS_SUMS, part, count * 2 * GM_POTTS_SUMS);
                }
            }
            if (memcmp(whole, cut, size) != 0 || memcmp(sums, total, sizeof sums) != 0) {
                fail_msg("%s: %s: a cut changes the result", s->name, bit_cases[which[k]].name);
            }
        }
        free(whole);
        free(cut);
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
            const labels_run r = {1, {.seed = 8, .sweeps = 1}, &beta, labels, sums, NULL, false};
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
    } cases[] = {{133, 6, 20, 3, GM_POTTS_HEAT_BATH},
                 {2, 192, 3, 3, GM_POTTS_HEAT_BATH},
                 {1, 192, 2, 20, GM_POTTS_HEAT_BATH},
                 {3, 160, 3, 5, GM_POTTS_METROPOLIS}};
    for (int k = 0; k < COUNT(cases); ++k) {
        const int64_t chains = cases[k].chains, side = cases[k].side;
        gm_potts_model model = {.q = cases[k].q, .update = cases[k].update};
        int32_t *ends = set_potts_lattice(&model, 2, (const int64_t[]){side, side}, 1);
        const size_t size = (size_t)(chains * side * side);
        const size_t sums_size = (size_t)chains * 2 * GM_POTTS_SUMS * sizeof(uint64_t);
        uint8_t *labels = malloc(size);
        uint64_t *sums = malloc(sums_size), expected = 0;
        double beta[133];
        set_betas(beta, chains);
        for (int threads = 0; threads <= 5; ++threads) { /* 0: the reference */
            subject s = {.name = threads == 0 ? "ref" : "cpu", .is_reference = threads == 0};
            const gm_context_options wanted = {.backend =
                                                   threads == 0 ? GM_BACKEND_REF : GM_BACKEND_CPU,
                                               .threads = threads == 0 ? 1 : threads};
            ASSERT_OK(NULL, gm_context_create(&wanted, &s.context));
            draw_labels(2, &model, chains, labels);
            const labels_run r = {
                chains, {.seed = 8, .sweeps = cases[k].sweeps}, beta, labels, sums, NULL, false};
            run_labels(&s, &model, &r);
            assert_string_equal(gm_last_kernel(s.context), threads == 0 ? "potts_ref"
                                                           : k == 0     ? "potts_lanes"
                                                                        : "potts_sites");
            const uint64_t got = hash_of(labels, size) ^ hash_of(sums, sums_size);
            expected = threads == 0 ? got : expected;
            assert_true(got == expected);
            gm_context_destroy(s.context);
        }
        free(labels);
        free(sums);
        free(ends);
    }
}

/* ---- what the sums say ----------------------------------------------------------------------- */

static void measure_state(const gm_potts_model *m, double quantum, const uint8_t *x, double *energy,
                          double *order) {
    int count[256] = {0}, most = 0;
    *energy = 0;
    for (int64_t e = 0; e < m->edges; ++e) {
        const double j = m->coupling != NULL ? m->coupling[e] : 1;
        *energy -= x[m->ends[2 * e]] == x[m->ends[2 * e + 1]] ? nearbyint(j / quantum) : 0;
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        *energy -= m->field != NULL ? nearbyint(m->field[i * m->q + x[i]] / quantum) : 0;
        count[x[i]] += 1;
        most = count[x[i]] > most ? count[x[i]] : most;
    }
    *order = (double)(m->q * most - m->sites);
}

/* Sweep by sweep, from the labels alone. */
static void sums_are_those_of_the_states(void **state) {
    (void)state;
    enum { chains = 6, sweeps = 9 };
    const subject *s = &subjects[0];
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        bit_model *b = make_bit_model(&bit_cases[k]);
        const gm_potts_model *m = &b->model;
        const double beta[chains] = {0.1, 0.3, 0.5, -0.4, 1, 2};
        gm_potts_plan *plan;
        gm_potts_info info;
        ASSERT_OK(s->context, gm_potts_plan_create(s->context, m, &plan));
        ASSERT_OK(s->context, gm_potts_plan_info(plan, &info));
        gm_potts_plan_destroy(plan);
        uint8_t labels[chains * MOST_SITES], before[chains * MOST_SITES];
        draw_labels(77, m, chains, labels);
        for (uint64_t t = 0; t < sweeps; ++t) {
            uint64_t sums[chains][GM_POTTS_SUMS][2];
            const labels_run r = {chains,         {.seed = 3, .first_sweep = t, .sweeps = 1},
                                  beta,           labels,
                                  &sums[0][0][0], NULL,
                                  false};
            memcpy(before, labels, sizeof labels);
            run_labels(s, m, &r);
            for (int c = 0; c < chains; ++c) {
                const uint8_t *x = labels + c * m->sites, *y = before + c * m->sites;
                double e, e0, o, o0, flips = 0;
                measure_state(m, info.quantum, x, &e, &o);
                measure_state(m, info.quantum, y, &e0, &o0);
                assert_true(fabs(e) <= (double)info.energy_bound);
                for (int64_t i = 0; i < m->sites; ++i) {
                    flips += x[i] != y[i];
                }
                const double expected[GM_POTTS_SUMS] = {e,     e * e,         e * e0, o,
                                                        o * o, o * o * o * o, o * o0, flips};
                for (int q = 0; q < GM_POTTS_SUMS; ++q) {
                    if (q == GM_POTTS_FLIPS && m->order == GM_ISING_RANDOM) {
                        assert_true(gm_ising_sum_value(sums[c][q]) >= expected[q]);
                    } else {
                        /* Two roundings each of what a double may not hold. */
                        ASSERT_NEAR(s, gm_ising_sum_value(sums[c][q]), expected[q],
                                    4 * 0x1p-53 * fabs(expected[q]));
                    }
                }
            }
        }
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
