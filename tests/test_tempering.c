/*
 * gm_tempering_*: every backend to the bit, cuts, threads, a replay swap by swap, bad
 * ladders, wrong arguments. What is sampled is in test_tempering_exact.c.
 */
#include "tests/tempering_fixture.h"

#include <genmath/philox.h>

/* ---- models ---------------------------------------------------------------------------------- */

enum { MOST_EDGES = 240, MOST_SITES = 60 };

typedef struct glass {
    gm_ising_model model;
    int32_t *lattice, ends[2 * MOST_EDGES];
    double coupling[MOST_EDGES], field[MOST_SITES];
    uint8_t clamped[MOST_SITES];
} glass;

typedef struct bit_case {
    const char *name;
    int64_t count, temperatures, swaps, sweeps;
    gm_ising_order order;
    gm_ising_spins spins;
    gm_tempering_pairs pairs;
    bool real, scattered, no_sums;
} bit_case;

static const bit_case bit_cases[] = {
    {"+-J", 5, 7, 12, 3, GM_ISING_COLOURED, GM_ISING_SIGNS, GM_TEMPERING_ALTERNATE, false, false,
     false},
    {"+-J, random pairs", 4, 6, 11, 1, GM_ISING_COLOURED, GM_ISING_SIGNS, GM_TEMPERING_RANDOM,
     false, true, false},
    {"real, raster", 3, 5, 9, 2, GM_ISING_RASTER, GM_ISING_SIGNS, GM_TEMPERING_ALTERNATE, true,
     true, false},
    {"bits, random order, no sums", 6, 4, 10, 1, GM_ISING_RANDOM, GM_ISING_BITS,
     GM_TEMPERING_ALTERNATE, true, false, true},
    {"one level", 3, 1, 4, 2, GM_ISING_COLOURED, GM_ISING_SIGNS, GM_TEMPERING_ALTERNATE, true,
     false, false},
    {"many levels", 2, 301, 3, 1, GM_ISING_COLOURED, GM_ISING_SIGNS, GM_TEMPERING_RANDOM, true,
     false, false},
};

static glass *make_glass(const bit_case *c) {
    glass *g = calloc(1, sizeof *g);
    assert_non_null(g);
    uint64_t random = 5;
    if (c->real) {
        set_tangle(&g->model, 17, g->coupling, g->field, g->ends);
    } else {
        g->lattice = set_lattice(&g->model, 2, (const int64_t[]){5, 4}, 1);
        for (int64_t e = 0; e < g->model.edges; ++e) {
            g->coupling[e] = next_random(&random) % 2 != 0 ? 1 : -1;
        }
        g->clamped[3] = 1;
        g->model.clamped = g->clamped;
        g->model.coupling = g->coupling;
    }
    g->model.order = c->order;
    g->model.spins = c->spins;
    return g;
}

static void free_glass(glass *g) {
    free(g->lattice);
    free(g);
}

static double *make_betas(int64_t count) {
    double *beta = malloc((size_t)(count + 1) * sizeof *beta);
    for (int64_t k = 0; k < count; ++k) {
        beta[k] = 0.05 + 1.3 * (double)k / (double)count;
    }
    return beta;
}

static ladders start_ladders(const bit_case *c, const glass *g, const double *beta) {
    ladders l = make_ladders(&g->model, c->count, c->temperatures, beta);
    l.pairs = c->pairs;
    l.scattered = c->scattered;
    l.no_sums = c->no_sums;
    draw_spins(11, &g->model, c->count * c->temperatures, l.spins);
    return l;
}

/* ---- bits ------------------------------------------------------------------------------------ */

enum { HASHES = 3 };

static void hash_ladders(const ladders *l, uint64_t hash[HASHES]) {
    const size_t n = (size_t)(l->count * l->temperatures);
    hash[0] = hash_of(l->spins, n * (size_t)l->model->sites);
    hash[1] = hash_of(l->level, n * 4) ^ hash_of(l->label, n * 4) * 3;
    hash[2] = hash_of(l->sums, n * GM_ISING_SUMS * 16) + 3 * hash_of(l->energy, n * 8) +
              5 * hash_of(l->swaps, (size_t)l->count * (size_t)(l->temperatures - 1) * 24) +
              7 * hash_of(l->trips, n * 8);
}

static void backends_agree_to_the_bit(void **state) {
    (void)state;
    static const char *const what[HASHES] = {"spins", "levels or labels", "results"};
    for (int k = 0; k < COUNT(bit_cases); ++k) {
        const bit_case *c = &bit_cases[k];
        glass *g = make_glass(c);
        double *beta = make_betas(c->temperatures);
        uint64_t expected[HASHES] = {0}, got[HASHES];
        FOR_EACH_SUBJECT(s) {
            ladders l = start_ladders(c, g, beta);
            const gm_tempering_swaps run = {.seed = UINT64_C(0xfeedface12345678),
                                            .first_ladder = UINT64_C(0xfffffffe),
                                            .first_swap = UINT64_C(0x100000001),
                                            .swaps = c->swaps,
                                            .sweeps = c->sweeps};
            temper(s, &run, &l);
            hash_ladders(&l, s->is_reference ? expected : got);
            for (int h = 0; h < HASHES && !s->is_reference; ++h) {
                if (got[h] != expected[h]) {
                    fail_msg("%s: %s: %s differ", s->name, c->name, what[h]);
                }
            }
            for (int64_t i = 0; i < c->count; ++i) {
                assert_int_equal(l.status[i], GM_STATUS_OK);
            }
            free_ladders(&l);
        }
        free(beta);
        free_glass(g);
    }
}

/* More spins than a block has shared memory. */
static void large_lattices_agree_too(void **state) {
    (void)state;
    enum { side = 512 };
    static const double beta[2] = {0.4405, 0.441};
    gm_ising_model model = {0};
    int32_t *ends = set_lattice(&model, 2, (const int64_t[]){side, side}, 1);
    uint64_t expected[HASHES] = {0}, got[HASHES];
    FOR_EACH_SUBJECT(s) {
        ladders l = make_ladders(&model, 1, 2, beta);
        memset(l.spins, 1, 2 * side * side);
        temper(s, &(const gm_tempering_swaps){.seed = 1, .swaps = 2, .sweeps = 1}, &l);
        hash_ladders(&l, s->is_reference ? expected : got);
        assert_true(s->is_reference || memcmp(expected, got, sizeof got) == 0);
        free_ladders(&l);
    }
    free(ends);
}

static void threads_change_no_bits(void **state) {
    (void)state;
    const bit_case c = {.count = 90, .temperatures = 12, .swaps = 6, .sweeps = 1};
    glass *g = make_glass(&c);
    double *beta = make_betas(c.temperatures);
    uint64_t expected[HASHES] = {0}, got[HASHES];
    for (int threads = 1; threads <= 4; ++threads) {
        subject s = {.name = "cpu"};
        const gm_context_options wanted = {.backend = GM_BACKEND_CPU, .threads = threads};
        ASSERT_OK(NULL, gm_context_create(&wanted, &s.context));
        ladders l = start_ladders(&c, g, beta);
        temper(&s, &(const gm_tempering_swaps){.seed = 2, .swaps = c.swaps, .sweeps = 1}, &l);
        assert_string_equal(gm_last_kernel(s.context), "tempering_ladders");
        hash_ladders(&l, threads == 1 ? expected : got);
        assert_true(threads == 1 || memcmp(expected, got, sizeof got) == 0);
        free_ladders(&l);
        gm_context_destroy(s.context);
    }
    free(beta);
    free_glass(g);
}

/* Part of some ladders' arrays. */
static ladders slice(const ladders *l, int64_t first, int64_t count) {
    ladders part = *l;
    const int64_t n = first * l->temperatures;
    part.count = count;
    part.spins += n * l->model->sites;
    part.level += n;
    part.label += n;
    part.status += first;
    part.sums += n * GM_ISING_SUMS * 2;
    part.swaps += first * (l->temperatures - 1) * GM_TEMPERING_COUNTS;
    part.trips += n;
    part.energy += n;
    return part;
}

static void add_counts(int64_t *total, const int64_t *part, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        total[i] += part[i];
    }
}

/* A run in one call, and cut after some swaps and between ladders. */
static void cuts_change_no_bits(void **state) {
    (void)state;
    for (int k = 0; k < 3; ++k) {
        const bit_case *c = &bit_cases[k];
        const int64_t n = c->count * c->temperatures, pairs = c->count * (c->temperatures - 1);
        glass *g = make_glass(c);
        double *beta = make_betas(c->temperatures);
        FOR_EACH_SUBJECT(s) {
            ladders whole = start_ladders(c, g, beta), cut = start_ladders(c, g, beta),
                    total = start_ladders(c, g, beta);
            gm_tempering_swaps run = {.seed = 4, .swaps = c->swaps, .sweeps = c->sweeps};
            run.first_ladder = 1;
            temper(s, &run, &whole);
            for (int64_t stretch = 0; stretch < 3; ++stretch) {
                run.first_swap = stretch == 0 ? 0 : stretch == 1 ? 1 : 6;
                run.swaps = (stretch == 0   ? 1
                             : stretch == 1 ? 6
                                            : c->swaps) -
                            (int64_t)run.first_swap;
                for (int64_t part = 0; part < 2; ++part) {
                    ladders some = slice(&cut, 2 * part, part == 0 ? 2 : c->count - 2);
                    run.first_ladder = 1 + 2 * (uint64_t)part;
                    temper(s, &run, &some);
                }
                for (int64_t i = 0; i < n * GM_ISING_SUMS * 2; i += 2) {
                    total.sums[i] += cut.sums[i];
                    total.sums[i + 1] += cut.sums[i + 1] + (total.sums[i] < cut.sums[i]);
                }
                add_counts(total.swaps, cut.swaps, pairs * GM_TEMPERING_COUNTS);
                add_counts(total.trips, cut.trips, n);
            }
            assert_memory_equal(cut.spins, whole.spins, (size_t)(n * g->model.sites));
            assert_memory_equal(cut.level, whole.level, (size_t)n * 4);
            assert_memory_equal(cut.label, whole.label, (size_t)n * 4);
            assert_memory_equal(cut.energy, whole.energy, (size_t)n * 8);
            assert_memory_equal(total.sums, whole.sums, (size_t)n * GM_ISING_SUMS * 16);
            assert_memory_equal(total.swaps, whole.swaps,
                                (size_t)(pairs * GM_TEMPERING_COUNTS) * 8);
            assert_memory_equal(total.trips, whole.trips, (size_t)n * 8);
            free_ladders(&whole);
            free_ladders(&cut);
            free_ladders(&total);
        }
        free(beta);
        free_glass(g);
    }
}

/* ---- a replay -------------------------------------------------------------------------------- */

/* Whether levels k and k + 1 of a ladder exchange, from the formula: exp of the C library, whose
 * last digits do not matter but for words that are within a rounding of the threshold. */
static bool accepts(const ladders *l, double quantum, const gm_tempering_swaps *run, int64_t ladder,
                    int64_t pair, const int64_t *energy, const int64_t *at, double *probability) {
    const int64_t low = ladder * l->temperatures + at[pair],
                  high = ladder * l->temperatures + at[pair + 1];
    const double gap = quantum * (double)(energy[low] - energy[high]);
    const uint64_t words = (uint64_t)((l->temperatures + 3) / 4) * 4;
    const uint64_t word = run->first_swap * words + (uint64_t)pair;
    const gm_words w =
        gm_philox_block(run->seed, run->first_ladder + (uint64_t)ladder, 11, word / 4);
    *probability = fmin(1, exp((l->beta[pair] - l->beta[pair + 1]) * gap));
    return gm_word(w, word % 4) * 0x1p-32 < *probability;
}

/* Swap by swap: the sweeps by gm_ising_run with the betas that the levels say, the exchanges by the
 * formula, sums, labels and trips by hand. */
static void a_run_is_sweeps_and_swaps(void **state) {
    (void)state;
    const subject *s = &subjects[0];
    for (int k = 0; k < 5; ++k) {
        const bit_case *c = &bit_cases[k];
        const int64_t r = c->temperatures, n = c->count * r, sites = k == 0 || k == 1 ? 20 : 17;
        glass *g = make_glass(c);
        double *beta = make_betas(r), *own = malloc((size_t)n * sizeof *own);
        int64_t *swaps = calloc((size_t)n * 3, sizeof *swaps), *trips = calloc((size_t)n, 8);
        uint64_t *sums = malloc((size_t)n * GM_ISING_SUMS * 16);
        ladders l = start_ladders(c, g, beta), by_hand = start_ladders(c, g, beta);
        l.no_sums = l.scattered = false;
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(s->context, gm_ising_plan_create(s->context, &g->model, &plan));
        ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
        const gm_tempering_swaps all = {
            .seed = 6, .first_ladder = 3, .first_swap = 2, .swaps = 40, .sweeps = c->sweeps};
        temper(s, &all, &l);
        gm_tempering_swaps run = all;
        for (int64_t t = 0; t < all.swaps; ++t, ++run.first_swap) {
            for (int64_t i = 0; i < n; ++i) {
                own[i] = beta[by_hand.level[i]];
            }
            const chains_run sweeps = {
                .chains = n,
                .sweeps = {.seed = run.seed,
                           .first_chain = run.first_ladder * (uint64_t)r,
                           .first_sweep = run.first_swap * (uint64_t)run.sweeps,
                           .sweeps = run.sweeps},
                .beta = own,
                .spins = by_hand.spins,
                .sums = sums,
                .energy = by_hand.energy};
            run_plan(s, plan, sites, &sweeps);
            for (int64_t ladder = 0; ladder < c->count; ++ladder) {
                int64_t at[16], first = ladder * r;
                for (int64_t i = 0; i < r; ++i) {
                    const int32_t level = by_hand.level[first + i];
                    at[level] = i;
                    int32_t *label = &by_hand.label[first + i];
                    trips[first + i] += r > 1 && level == 0 && *label == 2;
                    *label = level == 0 ? 1 : level == r - 1 ? 2 : *label;
                    for (int64_t q = 0; q < GM_ISING_SUMS; ++q) {
                        uint64_t *to = &by_hand.sums[((first + level) * GM_ISING_SUMS + q) * 2];
                        const uint64_t *from = &sums[((first + i) * GM_ISING_SUMS + q) * 2];
                        to[0] += from[0];
                        to[1] += from[1] + (to[0] < from[0]);
                    }
                }
                const uint64_t last =
                    run.first_swap * (uint64_t)((r + 3) / 4) * 4 + (uint64_t)r - 1;
                const gm_words w =
                    gm_philox_block(run.seed, run.first_ladder + (uint64_t)ladder, 11, last / 4);
                const uint64_t odd =
                    c->pairs == GM_TEMPERING_RANDOM ? gm_word(w, last % 4) : run.first_swap;
                for (int64_t pair = (int64_t)(odd % 2); pair + 1 < r; pair += 2) {
                    double p;
                    const bool yes =
                        accepts(&l, info.quantum, &run, ladder, pair, by_hand.energy, at, &p);
                    by_hand.level[first + at[pair]] += yes;
                    by_hand.level[first + at[pair + 1]] -= yes;
                    int64_t *counts = &swaps[(ladder * (r - 1) + pair) * 3];
                    counts[0] += 1;
                    counts[1] += yes;
                    counts[2] += (int64_t)nearbyint(p * 0x1p32);
                }
            }
        }
        assert_memory_equal(l.spins, by_hand.spins, (size_t)(n * sites));
        assert_memory_equal(l.level, by_hand.level, (size_t)n * 4);
        assert_memory_equal(l.label, by_hand.label, (size_t)n * 4);
        assert_memory_equal(l.energy, by_hand.energy, (size_t)n * 8);
        assert_memory_equal(l.sums, by_hand.sums, (size_t)n * GM_ISING_SUMS * 16);
        assert_memory_equal(l.trips, trips, (size_t)n * 8);
        int64_t round = 0;
        for (int64_t i = 0; i < c->count * (r - 1) * 3; ++i) {
            /* 2^32 exp(x) has an error of 1.5 ulp, below 2^-20, before it is rounded. */
            assert_true(llabs(l.swaps[i] - swaps[i]) <= (i % 3 == 2 ? all.swaps : 0));
        }
        for (int64_t i = 0; i < n; ++i) {
            round += trips[i];
        }
        assert_true(r == 1 || round > 0);
        gm_ising_plan_destroy(plan);
        free_ladders(&l);
        free_ladders(&by_hand);
        free(own);
        free(swaps);
        free(trips);
        free(sums);
        free(beta);
        free_glass(g);
    }
}

/* ---- bad ladders ----------------------------------------------------------------------------- */

static void bad_ladders_spoil_nothing(void **state) {
    (void)state;
    enum { count = 7, r = 4 };
    const bit_case c = {.count = count, .temperatures = r};
    glass *g = make_glass(&c);
    double *beta = make_betas(r);
    const int64_t sites = g->model.sites;
    const gm_tempering_swaps run = {.seed = 9, .swaps = 5, .sweeps = 2};
    FOR_EACH_SUBJECT(s) {
        ladders good = start_ladders(&c, g, beta), bad = start_ladders(&c, g, beta),
                start = start_ladders(&c, g, beta);
        temper(s, &run, &good);
        for (int which = 0; which < 2; ++which) {
            ladders *l = which == 0 ? &bad : &start;
            l->spins[(1 * r + 3) * sites + 2] = 0;
            l->level[2 * r + 1] = 0; /* twice */
            l->level[3 * r + 2] = r;
            l->level[4 * r + 3] = -1;
            l->label[5 * r] = 3;
        }
        temper(s, &run, &bad);
        for (int64_t i = 0; i < count; ++i) {
            const bool spoilt = i >= 1 && i <= 5;
            const ladders *expected = spoilt ? &start : &good;
            assert_int_equal(bad.status[i], spoilt ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK);
            const int64_t n = i * r;
            assert_memory_equal(bad.spins + n * sites, expected->spins + n * sites,
                                (size_t)(r * sites));
            assert_memory_equal(bad.level + n, expected->level + n, r * 4);
            assert_memory_equal(bad.label + n, expected->label + n, r * 4);
            assert_memory_equal(bad.energy + n, expected->energy + n, r * 8);
            assert_memory_equal(bad.trips + n, expected->trips + n, r * 8);
            assert_memory_equal(bad.sums + n * GM_ISING_SUMS * 2,
                                expected->sums + n * GM_ISING_SUMS * 2, r * GM_ISING_SUMS * 16);
            assert_memory_equal(bad.swaps + i * (r - 1) * 3, expected->swaps + i * (r - 1) * 3,
                                (r - 1) * 24);
        }
        free_ladders(&good);
        free_ladders(&bad);
        free_ladders(&start);
    }
    free(beta);
    free_glass(g);
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

static void wrong_plans_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context, *other;
    const bit_case shape = {.count = 1, .temperatures = 2};
    glass *g = make_glass(&shape);
    gm_ising_plan *ising, *foreign;
    const gm_context_options wanted = {.backend = GM_BACKEND_REF};
    ASSERT_OK(NULL, gm_context_create(&wanted, &other));
    ASSERT_OK(c, gm_ising_plan_create(c, &g->model, &ising));
    ASSERT_OK(other, gm_ising_plan_create(other, &g->model, &foreign));
    static const double beta[] = {1, 2}, infinite[] = {1, INFINITY};
    const struct {
        gm_tempering tempering;
        const char *text;
    } cases[] = {{{NULL, NULL, 2, beta, 0}, "tempering.ising is NULL"},
                 {{foreign, NULL, 2, beta, 0}, "another context"},
                 {{ising, NULL, 0, beta, 0}, "tempering.temperatures = 0"},
                 {{ising, NULL, 4097, beta, 0}, "tempering.temperatures = 4097"},
                 {{ising, NULL, 2, NULL, 0}, "tempering.beta is NULL"},
                 {{ising, NULL, 2, infinite, 0}, "tempering.beta[1] = inf"},
                 {{ising, NULL, 2, beta, (gm_tempering_pairs)2}, "tempering.pairs = 2"}};
    gm_tempering_plan *plan;
    for (int k = 0; k < COUNT(cases); ++k) {
        plan = (gm_tempering_plan *)8;
        ASSERT_FAILS(c, gm_tempering_plan_create(c, &cases[k].tempering, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    const gm_tempering right = {.ising = ising, .temperatures = 2, .beta = beta};
    ASSERT_FAILS(NULL, gm_tempering_plan_create(NULL, &right, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(c, gm_tempering_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "tempering is NULL");
    ASSERT_FAILS(c, gm_tempering_plan_create(c, &right, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    gm_tempering_plan_destroy(NULL);
    gm_ising_plan_destroy(ising);
    gm_ising_plan_destroy(foreign);
    gm_context_destroy(other);
    free_glass(g);
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    enum { count = 3, r = 4 };
    gm_context *c = subjects[0].context;
    const bit_case shape = {.count = count, .temperatures = r};
    glass *g = make_glass(&shape);
    double *beta = make_betas(r);
    ladders l = start_ladders(&shape, g, beta), before = start_ladders(&shape, g, beta);
    gm_ising_plan *ising;
    gm_tempering_plan *plan;
    ASSERT_OK(c, gm_ising_plan_create(c, &g->model, &ising));
    const gm_tempering tempering = {.ising = ising, .temperatures = r, .beta = beta};
    ASSERT_OK(c, gm_tempering_plan_create(c, &tempering, &plan));
    ladder_array a[LADDER_ARRAYS];
    set_arrays(&l, a);
    for (int i = 0; i < LADDER_ARRAYS; ++i) {
        a[i].view.data = a[i].host;
    }
    _Alignas(64) static char scratch[1 << 16];
    gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 64},
                 odd = {scratch + 8, sizeof scratch - 8};
    const gm_tempering_state right = {&a[0].view, &a[1].view, &a[2].view};
    const gm_tempering_swaps run = {.seed = 1, .swaps = 2, .sweeps = 3};
    const struct {
        gm_tempering_swaps run;
        const char *text;
    } runs[] = {{{1, 0, 0, -1, 1}, "run.swaps = -1"},
                {{1, 0, 0, (INT64_C(1) << 30) + 1, 1}, "run.swaps"},
                {{1, 0, 0, 1, 0}, "run.sweeps = 0"},
                {{1, 0, UINT64_C(1) << 48, 1, 1}, "the noise of a ladder"},
                {{1, 0, UINT64_MAX, 1, 1}, "the noise of a ladder"},
                {{1, 0, 4, 2, INT64_MAX}, "more than 2^63 sweeps"},
                {{1, 0, 0, 2, INT64_C(1) << 46}, "the noise of a chain"}};
    for (int k = 0; k < COUNT(runs); ++k) {
        ASSERT_FAILS(c, gm_tempering_run(plan, &runs[k].run, &right, NULL, &w),
                     GM_STATUS_INVALID_ARGUMENT, runs[k].text);
    }
    ASSERT_FAILS(NULL, gm_tempering_run(NULL, &run, &right, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(c, gm_tempering_run(plan, NULL, &right, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                 "run is NULL");
    ASSERT_FAILS(c, gm_tempering_run(plan, &run, NULL, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                 "state is NULL");
    ASSERT_FAILS(c, gm_tempering_run(plan, &run, &right, NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "workspace is NULL");
    ASSERT_FAILS(c, gm_tempering_run(plan, &run, &right, NULL, &small),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes = 64");
    ASSERT_FAILS(c, gm_tempering_run(plan, &run, &right, NULL, &odd), GM_STATUS_INVALID_ARGUMENT,
                 "aligned");
    static const char *const names[LADDER_ARRAYS] = {
        "state.spins",  "state.level",  "state.label",   "result.sums",
        "result.swaps", "result.trips", "result.energy", "result.status"};
    for (int i = 0; i < LADDER_ARRAYS; ++i) {
        for (int what = 0; what < 3; ++what) { /* a size, a type, an overlap */
            gm_tensor wrong = a[i].view;
            wrong.shape[wrong.ndim - 1] += what == 0 ? -1 : 0;
            wrong.dtype = what == 1 ? GM_F32 : wrong.dtype;
            wrong.data = what == 2 ? (i == 0 ? a[1].host : a[0].host) : wrong.data;
            const gm_tensor *v[LADDER_ARRAYS];
            for (int j = 0; j < LADDER_ARRAYS; ++j) {
                v[j] = i == j ? &wrong : &a[j].view;
            }
            const gm_tempering_state st = {v[0], v[1], v[2]};
            const gm_tempering_result result = {v[3], v[4], v[5], v[6], v[7]};
            ASSERT_FAILS(c, gm_tempering_run(plan, &run, &st, &result, &w),
                         what == 0 ? GM_STATUS_SHAPE_MISMATCH : GM_STATUS_INVALID_ARGUMENT,
                         what == 2 ? "overlap" : names[i]);
        }
    }
    for (int i = 0; i < 3; ++i) {
        const gm_tempering_state st = {i == 0 ? NULL : right.spins, i == 1 ? NULL : right.level,
                                       i == 2 ? NULL : right.label};
        ASSERT_FAILS(c, gm_tempering_run(plan, &run, &st, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                     names[i]);
    }
    gm_workspace own = {(char *)(((uintptr_t)l.sums + 63) / 64 * 64), sizeof scratch};
    const gm_tempering_result sums = {.sums = &a[3].view};
    ASSERT_FAILS(c, gm_tempering_run(plan, &run, &right, &sums, &own), GM_STATUS_INVALID_ARGUMENT,
                 "overlap");
    assert_memory_equal(l.spins, before.spins, (size_t)(count * r * g->model.sites));
    assert_memory_equal(l.level, before.level, count * r * 4);
    assert_memory_equal(l.sums, before.sums, count * r * GM_ISING_SUMS * 16);
    assert_memory_equal(l.swaps, before.swaps, count * (r - 1) * 24);
    gm_tempering_plan_destroy(plan);
    gm_ising_plan_destroy(ising);
    free_ladders(&l);
    free_ladders(&before);
    free(beta);
    free_glass(g);
}

static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    const bit_case shape = {.count = 2, .temperatures = 3};
    glass *g = make_glass(&shape);
    double *beta = make_betas(3);
    FOR_EACH_SUBJECT(s) {
        ladders none = make_ladders(&g->model, 0, 3, beta);
        temper(s, &(const gm_tempering_swaps){.swaps = 3, .sweeps = 1}, &none);
        free_ladders(&none);
        ladders l = start_ladders(&shape, g, beta), before = start_ladders(&shape, g, beta);
        memset(l.swaps, 0xff, 2 * 2 * 24);
        temper(s, &(const gm_tempering_swaps){.sweeps = 1}, &l);
        assert_memory_equal(l.spins, before.spins, (size_t)(6 * g->model.sites));
        assert_memory_equal(l.level, before.level, 6 * 4);
        assert_memory_equal(l.label, before.label, 6 * 4);
        assert_memory_equal(l.swaps, before.swaps, 2 * 2 * 24);
        assert_true(l.energy[0] != 0);
        free_ladders(&l);
        free_ladders(&before);
    }
    free(beta);
    free_glass(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_agree_to_the_bit),   cmocka_unit_test(large_lattices_agree_too),
        cmocka_unit_test(threads_change_no_bits),      cmocka_unit_test(cuts_change_no_bits),
        cmocka_unit_test(a_run_is_sweeps_and_swaps),   cmocka_unit_test(bad_ladders_spoil_nothing),
        cmocka_unit_test(wrong_plans_are_refused),     cmocka_unit_test(wrong_runs_are_refused),
        cmocka_unit_test(nothing_is_done_for_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
