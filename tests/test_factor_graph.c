/* Chains of factor graphs: the same bits on every subject, for any cut; hard constraints; nothing
 * to do. */
#include "tests/factor_fixture.h"

enum { BIT_CHAINS = 37, BIT_SWEEPS = 7 };

/* 2 to 11 labels and once 256, odd cycles, forbidden entries, clamped variables. */
static net *large_net(void) {
    int32_t cardinality[61];
    uint64_t random = 31;
    for (int i = 0; i < 61; ++i) {
        cardinality[i] = i == 17 ? 256 : 2 + (int32_t)(next_random(&random) >> 40) % 10;
    }
    net *n = new_net(61, cardinality);
    for (int i = 0; i < 61; ++i) {
        const int64_t before = n->entries;
        double *table = i % 3 == 0 && i != 15 && i != 12
                            ? add_factor(n, i, (i + 1) % 61, (i + 5) % 61, -1)
                            : add_factor(n, i, (i + 1) % 61, -1, -1);
        for (int64_t k = 0; k < n->entries - before; ++k) {
            table[k] =
                random_between(&random, 0, 1) < 0.02 ? -INFINITY : random_between(&random, -2, 2);
        }
        n->clamped[i] = i % 13 == 4;
    }
    return n;
}

typedef struct bits {
    uint8_t labels[BIT_CHAINS * 61];
    uint64_t counts[BIT_CHAINS * 700];
    double potential[BIT_CHAINS * BIT_SWEEPS];
    int32_t status[BIT_CHAINS];
} bits;

/* Chains first to first + chains - 1, `sweeps` from first_sweep on; counts are added to those. */
static void run_bits(const subject *s, const net *n, int first, int chains, int first_sweep,
                     int sweeps, bool strided, bits *b) {
    double beta[BIT_CHAINS];
    for (int c = 0; c < BIT_CHAINS; ++c) {
        beta[c] = c == 3 ? NAN : c == 5 ? 1e308 : c == 9 ? 0 : 1.3 - 0.07 * c;
    }
    gm_factor_graph_plan *plan;
    gm_factor_graph_info info;
    ASSERT_OK(s->context, gm_factor_graph_plan_create(s->context, &n->model, &plan));
    ASSERT_OK(s->context, gm_factor_graph_plan_info(plan, &info));
    assert_true(info.states <= 700);
    uint64_t *counts = malloc(sizeof b->counts);
    double *potential = malloc(sizeof b->potential);
    run_factor_plan(
        s, plan, 61,
        &(const factor_run){.chains = chains,
                            .sweeps = {.seed = UINT64_C(0x123456789abcdef),
                                       .first_chain = UINT64_C(0xffffffff0) + (uint64_t)first,
                                       .first_sweep = (uint64_t)first_sweep,
                                       .sweeps = sweeps},
                            .beta = beta + first,
                            .labels = b->labels + first * 61,
                            .counts = counts,
                            .log_potential = potential,
                            .status = b->status + first,
                            .by_variable = strided});
    for (int c = 0; c < chains; ++c) {
        for (int64_t k = 0; k < info.states; ++k) {
            b->counts[(first + c) * info.states + k] += counts[c * info.states + k];
        }
        for (int t = 0; t < sweeps; ++t) {
            b->potential[(first + c) * BIT_SWEEPS + first_sweep + t] = potential[c * sweeps + t];
        }
    }
    gm_factor_graph_plan_destroy(plan);
    free(counts);
    free(potential);
}

static bits *start_bits(const net *n) {
    bits *b = calloc(1, sizeof *b);
    assert_non_null(b);
    for (int k = 0; k < BIT_CHAINS * 61; ++k) {
        b->labels[k] = (uint8_t)((7 * k / 61 + k) % n->cardinality[k % 61]);
    }
    b->labels[11 * 61 + 8] = 255; /* chain 11 is no state */
    return b;
}

static void expect_same_bits(const subject *s, const bits *a, const bits *b) {
    if (memcmp(a->labels, b->labels, sizeof a->labels) != 0) {
        fail_msg("%s: other labels", s->name);
    }
    assert_memory_equal(a->counts, b->counts, sizeof a->counts);
    assert_memory_equal(a->status, b->status, sizeof a->status);
    for (int k = 0; k < BIT_CHAINS * BIT_SWEEPS; ++k) {
        assert_true(memcmp(&a->potential[k], &b->potential[k], 8) == 0 ||
                    (isnan(a->potential[k]) && isnan(b->potential[k])));
    }
}

static void check_reference_bits(const net *n, const bits *start, const bits *b, int64_t states) {
    int stopped = 0;
    for (int c = 0; c < BIT_CHAINS; ++c) {
        const uint8_t *labels = b->labels + c * 61;
        const double last = b->potential[c * BIT_SWEEPS + BIT_SWEEPS - 1];
        uint64_t total = 0;
        for (int64_t k = 0; k < states; ++k) {
            total += b->counts[c * states + k];
        }
        if (b->status[c] == GM_STATUS_OK) {
            const double expected = potential_of(&n->model, labels);
            assert_int_equal(total, 61 * BIT_SWEEPS);
            assert_true(last == expected || fabs(last - expected) < 1e-12); /* 61 roundings */
            continue;
        }
        assert_true(isnan(last) && total < 61 * BIT_SWEEPS && total % 61 == 0);
        if (c == 3 || c == 5 || c == 11) {
            assert_int_equal(b->status[c],
                             c == 11 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NON_FINITE);
            assert_memory_equal(labels, start->labels + c * 61, 61);
            assert_int_equal(total, 0);
        } else {
            assert_int_equal(b->status[c], GM_STATUS_NON_FINITE);
            ++stopped;
        }
    }
    assert_true(stopped < BIT_CHAINS / 2);
}

static void test_bits(void **state) {
    (void)state;
    net *n = large_net();
    static const gm_ising_order orders[] = {GM_ISING_COLOURED, GM_ISING_RANDOM, GM_ISING_RASTER};
    int64_t states = 0;
    for (int i = 0; i < 61; ++i) {
        states += n->cardinality[i];
    }
    for (int k = 0; k < 3; ++k) {
        n->model.order = orders[k];
        bits *start = start_bits(n), *expected = start_bits(n);
        run_bits(subjects, n, 0, BIT_CHAINS, 0, BIT_SWEEPS, false, expected);
        check_reference_bits(n, start, expected, states);
        FOR_EACH_SUBJECT(s) {
            bits *whole = start_bits(n);
            run_bits(s, n, 0, BIT_CHAINS, 0, BIT_SWEEPS, true, whole);
            expect_same_bits(s, expected, whole);
            free(whole);
            /* cut by chains, into groups that end anywhere, and where all run also by sweeps */
            bits *parts = start_bits(n);
            run_bits(s, n, 0, 18, 0, BIT_SWEEPS, false, parts);
            run_bits(s, n, 18, 1, 0, BIT_SWEEPS, true, parts);
            run_bits(s, n, 19, BIT_CHAINS - 19, 0, BIT_SWEEPS, false, parts);
            expect_same_bits(s, expected, parts);
            free(parts);
            bits *few = start_bits(n);
            for (int first = 0; first < BIT_CHAINS; first += 3) {
                const int left = BIT_CHAINS - first;
                run_bits(s, n, first, left < 3 ? left : 3, 0, BIT_SWEEPS, first % 2 != 0, few);
            }
            expect_same_bits(s, expected, few);
            free(few);
        }
        free(start);
        free(expected);
    }
    free(n);
}

/* Sweeps in two calls, counts of all chains in one, and pools of one to three threads. */
static void test_cuts(void **state) {
    (void)state;
    net *n = tangled_net(0.03);
    enum { CHAINS = 35, STATES = 19 };
    double beta[CHAINS];
    uint8_t start[CHAINS * 6] = {0}, labels[CHAINS * 6], again[CHAINS * 6];
    uint64_t each[CHAINS * STATES], sum[STATES], first[STATES], second[STATES];
    uint8_t possible[6] = {0};
    for (uint64_t random = 1; potential_of(&n->model, possible) == -INFINITY;) {
        for (int i = 0; i < 6; ++i) {
            possible[i] = (uint8_t)((next_random(&random) >> 40) % (uint64_t)n->cardinality[i]);
        }
    }
    for (int c = 0; c < CHAINS; ++c) {
        beta[c] = 0.2 * c / CHAINS;
        memcpy(start + 6 * c, possible, 6);
    }
    subject threads[3] = {0};
    for (int t = 0; t < 3; ++t) {
        threads[t].name = "cpu, threads";
        ASSERT_OK(NULL, gm_context_create(
                            &(gm_context_options){.backend = GM_BACKEND_CPU, .threads = t + 1},
                            &threads[t].context));
    }
    for (int k = 0; k < 3 * (subject_count + 3); ++k) {
        const int which = k / 3;
        const subject *s =
            which < subject_count ? &subjects[which] : &threads[which - subject_count];
        n->model.order = (gm_ising_order)(k % 3);
        factor_run r = {.chains = CHAINS, .sweeps = {.seed = 6, .sweeps = 9}, .beta = beta};
        r.labels = memcpy(labels, start, sizeof start);
        r.counts = each;
        run_net(s, n, &r);
        r.labels = memcpy(again, start, sizeof start);
        r.counts = sum;
        r.reduced = true;
        run_net(s, n, &r);
        assert_memory_equal(labels, again, sizeof labels);
        memcpy(again, start, sizeof start);
        r.sweeps.sweeps = 4;
        r.counts = first;
        run_net(s, n, &r);
        r.sweeps.first_sweep = 4;
        r.sweeps.sweeps = 5;
        r.counts = second;
        run_net(s, n, &r);
        assert_memory_equal(labels, again, sizeof labels);
        for (int v = 0; v < STATES; ++v) {
            uint64_t total = 0;
            for (int c = 0; c < CHAINS; ++c) {
                total += each[c * STATES + v];
            }
            assert_int_equal(sum[v], total);
            assert_int_equal(sum[v], first[v] + second[v]);
        }
    }
    for (int t = 0; t < 3; ++t) {
        gm_context_destroy(threads[t].context);
    }
    free(n);
}

/* A ring that no block's shared memory holds; an odd one, which takes three colours; and pools of
 * one to five threads, which share it. */
static void test_large(void **state) {
    (void)state;
    enum { V = 240001 };
    int32_t *cardinality = malloc(V * sizeof *cardinality),
            *member = malloc(2 * V * sizeof *member);
    int64_t *first = malloc((V + 1) * sizeof *first);
    double *table = malloc(4 * V * sizeof *table);
    uint8_t *labels = malloc(V), *expected = malloc(V);
    uint64_t *counts = malloc(2 * V * sizeof *counts),
             *expected_counts = malloc(2 * V * sizeof *counts);
    assert_true(cardinality != NULL && member != NULL && first != NULL && table != NULL);
    assert_true(labels != NULL && expected != NULL && counts != NULL && expected_counts != NULL);
    uint64_t random = 41;
    for (int i = 0; i < V; ++i) {
        cardinality[i] = 2;
        first[i] = 2 * i;
        member[2 * i] = i;
        member[2 * i + 1] = (i + 1) % V;
        for (int k = 0; k < 4; ++k) {
            table[4 * i + k] = random_between(&random, -1, 1);
        }
    }
    first[V] = 2 * V;
    const gm_factor_graph_model model = {.variables = V,
                                         .cardinality = cardinality,
                                         .factors = V,
                                         .first = first,
                                         .member = member,
                                         .table = table};
    double beta = 1, potential, expected_potential = 0;
    for (int k = 0; k < subject_count + 5; ++k) {
        subject threaded = {.name = "cpu, threads"};
        const subject *s = k < subject_count ? &subjects[k] : &threaded;
        if (s == &threaded) {
            const gm_context_options wanted = {.backend = GM_BACKEND_CPU,
                                               .threads = k - subject_count + 1};
            ASSERT_OK(NULL, gm_context_create(&wanted, &threaded.context));
        }
        gm_factor_graph_plan *plan;
        gm_factor_graph_info info;
        memset(labels, 0, V);
        ASSERT_OK(s->context, gm_factor_graph_plan_create(s->context, &model, &plan));
        ASSERT_OK(s->context, gm_factor_graph_plan_info(plan, &info));
        assert_int_equal(info.colours, 3);
        run_factor_plan(s, plan, V,
                        &(const factor_run){.chains = 1,
                                            .sweeps = {.seed = 7, .sweeps = 1},
                                            .beta = &beta,
                                            .labels = labels,
                                            .counts = counts,
                                            .log_potential = &potential});
        gm_factor_graph_plan_destroy(plan);
        if (s->is_kernel) {
            assert_string_equal(gm_last_kernel(s->context), "factor_coloured_global");
        }
        if (s->is_reference) {
            memcpy(expected, labels, V);
            memcpy(expected_counts, counts, 2 * V * sizeof *counts);
            expected_potential = potential;
            /* V numbers to half a unit of 2^18 each */
            ASSERT_NEAR(s, potential, potential_of(&model, labels), V * 0x1p-36);
        }
        assert_memory_equal(labels, expected, V);
        assert_memory_equal(counts, expected_counts, 2 * V * sizeof *counts);
        assert_true(potential == expected_potential);
        if (s == &threaded) {
            assert_string_equal(gm_last_kernel(s->context), "factor_graph_sites");
            gm_context_destroy(threaded.context);
        }
    }
    free(counts);
    free(expected_counts);
    free(cardinality);
    free(member);
    free(first);
    free(table);
    free(labels);
    free(expected);
}

/* ---- hard constraints ------------------------------------------------------------------------ */

/* A word of a parity code stays; from any other no variable has a label, or is led to a word. */
static void test_hard_constraints(void **state) {
    (void)state;
    static const int checks[3][3] = {{0, 1, 3}, {1, 2, 4}, {0, 2, 5}};
    net *n = new_net(6, NULL);
    for (int c = 0; c < 3; ++c) {
        double *table = add_factor(n, checks[c][0], checks[c][1], checks[c][2], -1);
        for (int e = 0; e < 8; ++e) {
            table[e] = __builtin_parity((unsigned)e) != 0 ? -INFINITY : 0;
        }
    }
    uint8_t expected[64 * 6];
    FOR_EACH_SUBJECT(s) {
        uint8_t labels[64 * 6], before[64 * 6], few[64 * 6];
        double beta[64], potential[64 * 3];
        int32_t status[64];
        for (int w = 0; w < 64; ++w) {
            beta[w] = w % 3 - 1; /* forbidden at any */
            for (int i = 0; i < 6; ++i) {
                before[6 * w + i] = labels[6 * w + i] = (uint8_t)(w >> i & 1);
            }
        }
        memcpy(few, labels, sizeof few);
        factor_run r = {.chains = 64,
                        .sweeps = {.seed = 2, .sweeps = 3},
                        .beta = beta,
                        .labels = labels,
                        .log_potential = potential,
                        .status = status};
        run_net(s, n, &r);
        int stopped = 0;
        for (int first = 0; first < 63; first += 3) { /* the same, three at a time */
            int32_t few_status[3];
            double few_potential[3 * 3];
            r.chains = 3;
            r.sweeps.first_chain = (uint64_t)first;
            r.beta = beta + first;
            r.labels = few + 6 * first;
            r.log_potential = few_potential;
            r.status = few_status;
            run_net(s, n, &r);
            assert_memory_equal(few_status, status + first, sizeof few_status);
            for (int k = 0; k < 9; ++k) {
                const double x = few_potential[k], y = potential[3 * first + k];
                assert_true(x == y || (isnan(x) && isnan(y)));
            }
            stopped += status[first] != GM_STATUS_OK && status[first + 1] == GM_STATUS_OK;
        }
        assert_true(stopped > 0); /* and what one has met stays its own */
        assert_memory_equal(few, labels, 63 * 6);
        int words = 0;
        for (int w = 0; w < 64; ++w) {
            bool is_word = true;
            for (int c = 0; c < 3; ++c) {
                const uint8_t *x = before + 6 * w;
                is_word = is_word && (x[checks[c][0]] + x[checks[c][1]] + x[checks[c][2]]) % 2 == 0;
            }
            words += is_word;
            if (is_word) {
                assert_int_equal(status[w], GM_STATUS_OK);
                assert_memory_equal(labels + 6 * w, before + 6 * w, 6);
                assert_true(potential[3 * w] == 0);
            }
            /* Two checks may fail so that no label suits both: then the chain stops. */
            const double l = potential_of(&n->model, labels + 6 * w);
            assert_true(status[w] == GM_STATUS_OK ? potential[3 * w + 2] == l
                                                  : isnan(potential[3 * w + 2]));
        }
        assert_int_equal(words, 8);
        if (s->is_reference) {
            memcpy(expected, labels, sizeof expected);
        }
        assert_memory_equal(expected, labels, sizeof expected);
    }
    free(n);
}

/* Evidence that contradicts itself does not stop the others, but L says it. */
static void test_contradiction(void **state) {
    (void)state;
    net *n = new_net(3, NULL);
    add_factor(n, 0, 1, -1, -1)[0] = -INFINITY;
    add_factor(n, 1, 2, -1, -1)[1] = 0.5;
    n->clamped[0] = n->clamped[1] = 1;
    FOR_EACH_SUBJECT(s) {
        uint8_t labels[3] = {0, 0, 1};
        const double beta = 1;
        double potential[2];
        run_net(s, n,
                &(const factor_run){.chains = 1,
                                    .sweeps = {.sweeps = 2},
                                    .beta = &beta,
                                    .labels = labels,
                                    .log_potential = potential});
        assert_true(potential[0] == -INFINITY && potential[1] == -INFINITY);
        assert_int_equal(labels[0] + labels[1], 0);
    }
    double log_z = 7;
    ASSERT_FAILS(subjects->context,
                 gm_factor_graph_enumerate(subjects->context, &n->model, (const uint8_t[]){0, 0, 0},
                                           1, &log_z, NULL),
                 GM_STATUS_NON_FINITE, "no joint state is possible");
    assert_true(log_z == 7);
    free(n);
}

/* A variable that two factors leave nothing keeps its label; the sweep is finished, not counted. */
static void test_no_label(void **state) {
    (void)state;
    static const gm_ising_order orders[] = {GM_ISING_COLOURED, GM_ISING_RANDOM, GM_ISING_RASTER};
    const int32_t three[2] = {3, 3};
    net *n = new_net(2, three);
    double *first = add_factor(n, 0, -1, -1, -1);
    first[0] = first[1] = -INFINITY;
    add_factor(n, 0, -1, -1, -1)[2] = -INFINITY;
    double *second = add_factor(n, 1, -1, -1, -1);
    second[0] = second[1] = -INFINITY;
    add_factor(n, 0, 1, -1, -1); /* two colours */
    for (int run = 0; run < 6; ++run) {
        const int k = run % 3, chains = run < 3 ? 5 : 2;
        n->model.order = orders[k];
        FOR_EACH_SUBJECT(s) {
            uint8_t labels[10] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
            const double beta[5] = {1, 1, 0, -1, 1};
            uint64_t counts[6];
            double potential[15];
            int32_t status[5];
            run_net(s, n,
                    &(const factor_run){.chains = chains,
                                        .sweeps = {.sweeps = 3},
                                        .beta = beta,
                                        .labels = labels,
                                        .counts = counts,
                                        .reduced = true,
                                        .log_potential = potential,
                                        .status = status});
            for (int c = 0; c < chains; ++c) { /* in random order the other one may come twice */
                const bool stopped = status[c] == GM_STATUS_NON_FINITE;
                assert_true(stopped || (k == 1 && status[c] == GM_STATUS_OK));
                assert_true(labels[2 * c] == 1 && labels[2 * c + 1] == 2);
                assert_true(!stopped || isnan(potential[3 * c + 2]));
                assert_true(k == 1 || isnan(potential[3 * c]));
            }
            assert_true(k == 1 || counts[0] + counts[1] + counts[5] == 0);
        }
    }
    free(n);
}

/* Nothing to do, in every way. */
static void test_nothing(void **state) {
    (void)state;
    net *none = new_net(0, NULL), *loose = new_net(2, NULL);
    none->model.cardinality = NULL;
    none->model.first = NULL;
    FOR_EACH_SUBJECT(s) {
        const double beta[2] = {1, 1};
        uint8_t labels[4] = {0, 1, 1, 0};
        run_net(s, none,
                &(const factor_run){
                    .chains = 2, .sweeps = {.sweeps = 2}, .beta = beta, .labels = labels});
        run_net(s, loose,
                &(const factor_run){
                    .chains = 2, .sweeps = {.sweeps = 0}, .beta = beta, .labels = labels});
        assert_memory_equal(labels, ((const uint8_t[]){0, 1, 1, 0}), 4);
        uint64_t counts[4] = {9, 9, 9, 9};
        run_net(s, loose,
                &(const factor_run){.chains = 0,
                                    .sweeps = {.sweeps = 3},
                                    .beta = beta,
                                    .labels = labels,
                                    .counts = counts,
                                    .reduced = true});
        assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3], 0);
        run_net(s, loose,
                &(const factor_run){.chains = 2,
                                    .sweeps = {.sweeps = 50},
                                    .beta = beta,
                                    .labels = labels,
                                    .counts = counts,
                                    .reduced = true});
        assert_int_equal(counts[0] + counts[1], 100);
        assert_true(counts[0] > 22 && counts[1] > 22); /* 2^100 P is below 2^73 */
    }
    double log_z;
    ASSERT_OK(NULL,
              gm_factor_graph_enumerate(subjects->context, &loose->model, NULL, 3, &log_z, NULL));
    ASSERT_NEAR(subjects, log_z, log(4), 1e-15);
    free(none);
    free(loose);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),          cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_large),         cmocka_unit_test(test_hard_constraints),
        cmocka_unit_test(test_contradiction), cmocka_unit_test(test_no_label),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
