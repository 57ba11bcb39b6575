/*
 * gm_multispin_*: packed spins, noise and decisions against a simulation on the model's graph, all
 * backends to the bit, cuts, threads, ways to run. Laws are in test_multispin_exact.c.
 */
#include "tests/multispin_fixture.h"

#include <genmath/philox.h>

/* Every number of neighbours, periodic, open and mixed, sizes beside multiples of words. */
static const struct {
    const char *name;
    gm_multispin_model model;
} cases[] = {
    {"ring", {.axes = 1, .size = {130}, .periodic = {1}}},
    {"ring of 4", {.axes = 1, .size = {4}, .periodic = {1}, .antiferromagnetic = 1}},
    {"open chain", {.axes = 1, .size = {67}}},
    {"square", {.axes = 2, .size = {8, 8}, .periodic = {1, 1}}},
    {"square 6x10, Metropolis",
     {.axes = 2, .size = {6, 10}, .periodic = {1, 1}, .update = GM_ISING_METROPOLIS}},
    {"square 4x128", {.axes = 2, .size = {4, 128}, .periodic = {1, 1}, .antiferromagnetic = 1}},
    {"square 10x66", {.axes = 2, .size = {10, 66}, .periodic = {1, 1}, .update = GM_ISING_GLAUBER}},
    {"open 7x9", {.axes = 2, .size = {7, 9}}},
    {"open 5x5, Metropolis",
     {.axes = 2, .size = {5, 5}, .update = GM_ISING_METROPOLIS, .antiferromagnetic = 1}},
    {"cylinder 9x12", {.axes = 2, .size = {9, 12}, .periodic = {0, 1}}},
    {"cylinder 12x9", {.axes = 2, .size = {12, 9}, .periodic = {1, 0}}},
    {"column", {.axes = 2, .size = {70, 1}}},
    {"one site", {.axes = 2, .size = {1, 1}}},
    {"cubic", {.axes = 3, .size = {4, 6, 8}, .periodic = {1, 1, 1}}},
    {"cubic, open", {.axes = 3, .size = {3, 5, 7}, .update = GM_ISING_METROPOLIS}},
    {"cubic, mixed", {.axes = 3, .size = {4, 5, 6}, .periodic = {1, 0, 1}}},
    {"cubic, two layers", {.axes = 3, .size = {2, 3, 4}, .periodic = {0, 0, 1}}},
    {"honeycomb",
     {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {6, 8}, .periodic = {1, 1}}},
    {"honeycomb, open",
     {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {5, 7}, .antiferromagnetic = 1}},
    {"ring, lazy", {.axes = 1, .size = {66}, .periodic = {1}, .update = GM_ISING_LAZY_METROPOLIS}},
    {"ring in a field", {.axes = 1, .size = {130}, .periodic = {1}, .field = 0.5}},
    {"open chain in a field, Metropolis",
     {.axes = 1, .size = {67}, .update = GM_ISING_METROPOLIS, .field = -1}},
    {"square in a field", {.axes = 2, .size = {10, 66}, .periodic = {1, 1}, .field = -0.25}},
    {"square in a field, lazy antiferromagnet",
     {.axes = 2,
      .size = {8, 8},
      .periodic = {1, 1},
      .antiferromagnetic = 1,
      .update = GM_ISING_LAZY_METROPOLIS,
      .field = 2}},
    {"open 7x9 in a field, Metropolis",
     {.axes = 2, .size = {7, 9}, .update = GM_ISING_METROPOLIS, .field = 1}},
    {"one site in a field", {.axes = 2, .size = {1, 1}, .field = 0.75}},
    {"cubic in a field",
     {.axes = 3, .size = {4, 6, 8}, .periodic = {1, 1, 1}, .antiferromagnetic = 1, .field = 1.5}},
    {"cubic, open, in a field, lazy",
     {.axes = 3, .size = {3, 5, 7}, .update = GM_ISING_LAZY_METROPOLIS, .field = -3}},
    {"honeycomb in a field, Metropolis",
     {.lattice = GM_MULTISPIN_HONEYCOMB,
      .axes = 2,
      .size = {6, 8},
      .periodic = {1, 1},
      .update = GM_ISING_METROPOLIS,
      .field = 1}},
    {"honeycomb, open, in a field",
     {.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {5, 7}, .field = 0.125}},
};
enum { MOST_CHAINS = 19, MOST_WORDS = 40, MOST_SITES = 660 };

/* From hot to frozen, an antiferromagnet and beta = 0 among them. */
static void set_betas(double *beta, int64_t chains) {
    for (int64_t c = 0; c < chains; ++c) {
        beta[c] = c % 11 == 3 ? 0 : c % 11 == 5 ? 1e300 : 0.1 * (double)(c % 11 - 4);
    }
}

/* ---- packed spins ---------------------------------------------------------------------------- */

static void plans_know_their_lattice(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(cases); ++k) {
        const gm_multispin_model *m = &cases[k].model;
        gm_ising_model graph;
        free(set_graph(m, &graph));
        const gm_multispin_info info = multispin_info(m);
        int64_t last = 0;
        for (int64_t i = 0; i < graph.sites; ++i) {
            int64_t word;
            int bit;
            site_bit(m, i, &word, &bit);
            last = word > last ? word : last;
        }
        assert_int_equal(info.sites, graph.sites);
        assert_int_equal(info.edges, graph.edges);
        assert_true(info.words % 2 == 0 && last < info.words && info.words <= MOST_WORDS);
        assert_true(graph.sites == 1 || last >= info.words / 2);
    }
}

/* Spins, in memory by site, at the bits that the header says; unpacked they are the same. */
static void spins_are_packed_as_documented(void **state) {
    (void)state;
    enum { chains = 3 };
    for (int k = 0; k < COUNT(cases); ++k) {
        const gm_multispin_model *m = &cases[k].model;
        const gm_multispin_info info = multispin_info(m);
        const size_t spins_bytes = (size_t)(chains * info.sites);
        FOR_EACH_SUBJECT(s) {
            int8_t spins[chains * MOST_SITES], back[chains * MOST_SITES];
            uint32_t packed[chains * MOST_WORDS];
            int32_t status[chains];
            uint64_t random = 5;
            for (size_t i = 0; i < spins_bytes; ++i) {
                spins[i] = next_random(&random) >> 63 != 0 ? 1 : -1;
            }
            if (k > 0) {
                spins[info.sites] = 0; /* of chain 1: no spin */
            }
            memset(packed, 0x33, sizeof packed);
            memset(back, 0x44, sizeof back);
            void *memory[] = {uploaded(s, spins, spins_bytes),
                              uploaded(s, packed, (size_t)(chains * info.words) * 4),
                              uploaded(s, status, sizeof status), uploaded(s, back, spins_bytes)};
            gm_tensor x = gm_tensor_2d(memory[0], GM_I8, chains, info.sites);
            const gm_tensor y = gm_tensor_2d(memory[1], GM_U32, chains, info.words);
            const gm_tensor t = gm_tensor_1d(memory[2], GM_I32, chains);
            gm_multispin_plan *plan;
            ASSERT_OK(s->context, gm_multispin_plan_create(s->context, m, &plan));
            ASSERT_OK(s->context, gm_multispin_pack(plan, &x, &y, &t));
            x.data = memory[3];
            ASSERT_OK(s->context, gm_multispin_unpack(plan, &y, &x));
            ASSERT_OK(s->context, gm_memory_download(s->context, packed, memory[1],
                                                     (size_t)(chains * info.words) * 4));
            ASSERT_OK(s->context, gm_memory_download(s->context, status, memory[2], sizeof status));
            ASSERT_OK(s->context, gm_memory_download(s->context, back, memory[3], spins_bytes));
            for (int64_t c = 0; c < chains; ++c) {
                const bool bad = c == 1 && k > 0;
                uint32_t expected[MOST_WORDS];
                memset(expected, bad ? 0x33 : 0, sizeof expected);
                for (int64_t i = 0; i < info.sites && !bad; ++i) {
                    int64_t word;
                    int bit;
                    site_bit(m, i, &word, &bit);
                    expected[word] |= (uint32_t)(spins[c * info.sites + i] == 1) << bit;
                    assert_int_equal(back[c * info.sites + i], spins[c * info.sites + i]);
                }
                assert_int_equal(status[c], bad ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK);
                assert_memory_equal(packed + c * info.words, expected, (size_t)info.words * 4);
            }
            gm_multispin_plan_destroy(plan);
            for (int i = 0; i < COUNT(memory); ++i) {
                ASSERT_OK(s->context, gm_memory_free(s->context, memory[i]));
            }
        }
    }
}

/* ---- a simulation on the graph --------------------------------------------------------------- */

/* One sweep site by site: neighbours from the edges, 32 bits of noise from the header's formula. */
static void simulate_sweep(const gm_multispin_model *m, const gm_ising_model *graph, double beta,
                           uint64_t seed, uint64_t chain, uint64_t sweep, int64_t words,
                           int8_t *spins) {
    for (int colour = 0; colour < 2; ++colour) {
        for (int64_t i = 0; i < graph->sites; ++i) {
            int64_t at[3], word;
            int bit, sum = 0;
            site_coordinates(m, i, at);
            if ((at[0] + at[1] + at[2]) % 2 != colour) {
                continue;
            }
            for (int64_t e = 0; e < 2 * graph->edges; ++e) {
                sum += graph->ends[e] == i ? spins[graph->ends[e ^ 1]] : 0;
            }
            site_bit(m, i, &word, &bit);
            uint32_t u = 0;
            for (uint64_t plane = 0; plane < 32; ++plane) {
                const gm_words w =
                    gm_philox_block(seed, chain, GM_STREAM_CHAIN_ACCEPT,
                                    (sweep * (uint64_t)words + (uint64_t)word) * 8 + plane / 4);
                u = 2 * u + (gm_word(w, plane % 4) >> bit & 1);
            }
            const double field = (m->antiferromagnetic ? -sum : sum) + m->field;
            const double push = 2 * fabs(beta) * fabs(field), half = 0x1p31;
            const bool metropolis = m->update == GM_ISING_METROPOLIS;
            const bool lazy = m->update == GM_ISING_LAZY_METROPOLIS;
            const double p = metropolis ? exp(-push)
                             : lazy     ? exp(-push) / 2
                                        : exp(-push) / (1 + exp(-push));
            const double threshold = fmin(floor(p * 0x1p32 + 0.5), 0xffffffffu);
            const int along = beta * field >= 0 ? 1 : -1;
            const int tossed = u < threshold ? -along : along;
            const bool against = spins[i] == -along;
            spins[i] = (int8_t)(lazy ? (u < (against ? half : threshold) ? -spins[i] : spins[i])
                                : !metropolis       ? tossed
                                : beta * field == 0 ? -spins[i]
                                : against           ? along
                                                    : tossed);
        }
    }
}

static void add_state(const gm_multispin_model *m, const gm_ising_model *graph, const int8_t *spins,
                      double *energy, double *magnetisation) {
    *energy = *magnetisation = 0;
    for (int64_t e = 0; e < graph->edges; ++e) {
        *energy += (m->antiferromagnetic ? 1 : -1) * spins[graph->ends[2 * e]] *
                   spins[graph->ends[2 * e + 1]];
    }
    for (int64_t i = 0; i < graph->sites; ++i) {
        *magnetisation += spins[i];
        *energy -= m->field * spins[i];
    }
}

/* Spins, holes, and the sums after every sweep, of every subject. */
static void chains_are_those_of_the_graph(void **state) {
    (void)state;
    enum { chains = 4, sweeps = 4 };
    const double beta[chains] = {0.3, -0.6, 0, 1.1};
    const uint64_t seed = UINT64_C(0xfedcba9876543210), first_chain = UINT64_C(0xfffffffe);
    const uint64_t first_sweep = UINT64_C(0x2fffffffe);
    for (int k = 0; k < COUNT(cases); ++k) {
        const gm_multispin_model *m = &cases[k].model;
        const gm_multispin_info info = multispin_info(m);
        gm_ising_model graph;
        int32_t *ends = set_graph(m, &graph);
        uint32_t start[chains * MOST_WORDS], expected[chains * MOST_WORDS];
        double exact[chains][GM_ISING_SUMS] = {{0}}, last[chains], first[chains];
        draw_packed(3, start, chains * info.words);
        memset(expected, 0, sizeof expected);
        for (int64_t c = 0; c < chains; ++c) {
            int8_t spins[MOST_SITES], before[MOST_SITES];
            int64_t word;
            int bit;
            for (int64_t i = 0; i < info.sites; ++i) {
                site_bit(m, i, &word, &bit);
                spins[i] = (start[c * info.words + word] >> bit & 1) != 0 ? 1 : -1;
            }
            for (uint64_t t = 0; t < sweeps; ++t) {
                double e0, m0, e, y; /* energies in quanta */
                memcpy(before, spins, sizeof before);
                add_state(m, &graph, spins, &e0, &m0);
                simulate_sweep(m, &graph, beta[c], seed, first_chain + (uint64_t)c, first_sweep + t,
                               info.words, spins);
                add_state(m, &graph, spins, &e, &y);
                e0 /= info.quantum;
                e /= info.quantum;
                const double values[] = {e,       e * e, e * e0,        y,
                                         fabs(y), y * y, y * y * y * y, y * m0};
                for (int q = 0; q < COUNT(values); ++q) {
                    exact[c][q] += values[q];
                }
                first[c] = t == 0 ? e0 : first[c];
                last[c] = e;
                for (int64_t i = 0; i < info.sites; ++i) {
                    exact[c][GM_ISING_FLIPS] += before[i] != spins[i];
                }
            }
            for (int64_t i = 0; i < info.sites; ++i) {
                site_bit(m, i, &word, &bit);
                expected[c * info.words + word] |= (uint32_t)(spins[i] == 1) << bit;
            }
        }
        FOR_EACH_SUBJECT(s) {
            uint32_t packed[chains * MOST_WORDS];
            uint64_t sums[chains][GM_ISING_SUMS][2];
            int64_t energy[3][chains];
            packed_run r = {.chains = chains,
                            .sweeps = {seed, first_chain, first_sweep, sweeps},
                            .beta = beta,
                            .packed = packed,
                            .energy = energy[0]};
            memcpy(packed, start, sizeof packed);
            run_multispin_model(s, m, &r);
            r.sums = &sums[0][0][0];
            r.energy = energy[1];
            r.by_word = k % 2 != 0;
            memcpy(packed, start, sizeof packed);
            run_multispin_model(s, m, &r);
            if (memcmp(packed, expected, (size_t)(chains * info.words) * 4) != 0) {
                fail_msg("%s: %s: other spins", s->name, cases[k].name);
            }
            r.sweeps.sweeps = 0;
            r.sums = NULL;
            r.energy = energy[2];
            memcpy(packed, start, sizeof packed);
            run_multispin_model(s, m, &r);
            for (int64_t c = 0; c < chains; ++c) {
                ASSERT_NEAR(s, (double)energy[0][c], last[c], 0);
                ASSERT_NEAR(s, (double)energy[2][c], first[c], 0);
                ASSERT_NEAR(s, (double)energy[1][c], last[c], 0);
                for (int q = 0; q < GM_ISING_SUMS; ++q) { /* small integers: exact */
                    ASSERT_NEAR(s, gm_ising_sum_value(sums[c][q]), exact[c][q], 0);
                }
            }
        }
        free(ends);
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

/* After many sweeps; the state is chaotic, so one wrong decision changes the hash for good. The
 * emulator runs fewer, but of the same noise. */
static void backends_agree_to_the_bit(void **state) {
    (void)state;
    for (int k = 0; k < COUNT(cases); ++k) {
        const gm_multispin_model *m = &cases[k].model;
        const int64_t words = multispin_info(m).words;
        const size_t bytes = (size_t)(MOST_CHAINS * words) * 4;
        double beta[MOST_CHAINS];
        uint64_t expected[2][2] = {{0}};
        set_betas(beta, MOST_CHAINS);
        FOR_EACH_SUBJECT(s) {
            for (int length = 0; length < (s->is_slow ? 1 : 2); ++length) {
                uint32_t packed[MOST_CHAINS * MOST_WORDS];
                uint64_t sums[MOST_CHAINS * 2 * GM_ISING_SUMS];
                const int64_t sweeps = length == 0 ? 10 : test_is_full() ? 10000 : 60;
                draw_packed(17, packed, MOST_CHAINS * words);
                const packed_run r = {.chains = MOST_CHAINS,
                                      .sweeps = {.seed = 0x123456789abcdefu,
                                                 .first_chain = UINT64_C(0xfffffff0),
                                                 .first_sweep = UINT64_C(0x1ffffffff),
                                                 .sweeps = sweeps},
                                      .beta = beta,
                                      .packed = packed,
                                      .sums = sums};
                run_multispin_model(s, m, &r);
                const uint64_t got[2] = {hash_of(packed, bytes), hash_of(sums, sizeof sums)};
                if (s->is_reference) {
                    memcpy(expected[length], got, sizeof got);
                } else if (memcmp(expected[length], got, sizeof got) != 0) {
                    fail_msg("%s: %s: %s differ after %lld sweeps", s->name, cases[k].name,
                             expected[length][0] != got[0] ? "spins" : "sums", (long long)sweeps);
                }
            }
        }
    }
}

/* Sums of 128 bits. */
static void add_sums(uint64_t *total, const uint64_t *part, int64_t count) {
    for (int64_t i = 0; i < count; i += 2) {
        total[i] += part[i];
        total[i + 1] += part[i + 1] + (total[i] < part[i]);
    }
}

/* Chains and sweeps cut into calls give the spins, and sums that add up to those, of one call. */
static void cuts_change_no_bits(void **state) {
    (void)state;
    enum { sweeps = 6 };
    static const int chain_cuts[] = {0, 1, 3, MOST_CHAINS}, sweep_cuts[] = {0, 1, 1, sweeps};
    for (int k = 0; k < COUNT(cases); k += 3) {
        const gm_multispin_model *m = &cases[k].model;
        const int64_t words = multispin_info(m).words;
        const int64_t sums_count = MOST_CHAINS * 2 * GM_ISING_SUMS;
        double beta[MOST_CHAINS];
        set_betas(beta, MOST_CHAINS);
        FOR_EACH_SUBJECT(s) {
            uint32_t whole[MOST_CHAINS * MOST_WORDS], cut[MOST_CHAINS * MOST_WORDS];
            uint64_t sums[MOST_CHAINS * 2 * GM_ISING_SUMS];
            uint64_t total[MOST_CHAINS * 2 * GM_ISING_SUMS] = {0};
            draw_packed(29, whole, MOST_CHAINS * words);
            memcpy(cut, whole, sizeof cut);
            packed_run r = {.chains = MOST_CHAINS,
                            .sweeps = {.seed = 5, .first_chain = 1000, .sweeps = sweeps},
                            .beta = beta,
                            .packed = whole,
                            .sums = sums};
            run_multispin_model(s, m, &r);
            for (int i = 0; i + 1 < COUNT(chain_cuts); ++i) {
                for (int j = 0; j + 1 < COUNT(sweep_cuts); ++j) {
                    uint64_t part[MOST_CHAINS * 2 * GM_ISING_SUMS];
                    const int first = chain_cuts[i], count = chain_cuts[i + 1] - first;
                    r = (packed_run){.chains = count,
                                     .sweeps = {.seed = 5,
                                                .first_chain = 1000 + (uint64_t)first,
                                                .first_sweep = (uint64_t)sweep_cuts[j],
                                                .sweeps = sweep_cuts[j + 1] - sweep_cuts[j]},
                                     .beta = beta + first,
                                     .packed = cut + first * words,
                                     .sums = part};
                    run_multispin_model(s, m, &r);
                    add_sums(total + first * 2 * GM_ISING_SUMS, part, count * 2 * GM_ISING_SUMS);
                }
            }
            if (memcmp(whole, cut, (size_t)(MOST_CHAINS * words) * 4) != 0 ||
                memcmp(sums, total, (size_t)sums_count * 8) != 0) {
                fail_msg("%s: %s: a cut changes the result", s->name, cases[k].name);
            }
        }
    }
}

/* ---- large lattices, and ways to run --------------------------------------------------------- */

/* Every way of the CPU with every instruction set, and of the kernels, by the shapes that ask for
 * it: the same bits as the reference. */
static void ways_change_no_bits(void **state) {
    (void)state;
    static const struct {
        gm_multispin_model model;
        int64_t chains, sweeps;
        int threads;
        const char *cpu, *kernel;
        bool emulated, by_word;
    } ways[] = {
        {{.axes = 2, .size = {16, 16}, .periodic = {1, 1}},
         133,
         2,
         2,
         "lanes",
         "resident",
         true,
         false},
        {{.axes = 2, .size = {96, 130}, .periodic = {1, 1}, .field = -1},
         3,
         2,
         3,
         "words",
         "resident",
         true,
         false},
        {{.axes = 2, .size = {32, 34}, .periodic = {1, 1}},
         3,
         130,
         3,
         "words",
         "resident",
         true,
         false},
        {{.axes = 2, .size = {512, 512}, .periodic = {1, 1}, .field = 0.25},
         3,
         2,
         3,
         "words",
         "colour",
         true,
         false},
        {{.axes = 2, .size = {601, 423}}, 1, 2, 3, "shared", "colour", true, false},
        {{.axes = 2, .size = {601, 424}, .periodic = {0, 1}, .field = 0.5},
         1,
         3,
         2,
         "shared",
         "colour",
         false,
         true},
        {{.axes = 3, .size = {64, 62, 58}, .periodic = {1, 1, 1}},
         1,
         2,
         3,
         "shared",
         "colour",
         false,
         false},
        {{.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {640, 420}, .periodic = {1, 1}},
         1,
         2,
         3,
         "shared",
         "colour",
         false,
         false},
    };
    for (int k = 0; k < COUNT(ways); ++k) {
        const gm_multispin_info info = multispin_info(&ways[k].model);
        const size_t bytes = (size_t)(ways[k].chains * info.words) * 4;
        const size_t sums_bytes = (size_t)ways[k].chains * 2 * GM_ISING_SUMS * 8;
        uint32_t *packed = malloc(bytes);
        uint64_t *sums = malloc(sums_bytes), expected = 0;
        double beta[133];
        set_betas(beta, ways[k].chains);
        FOR_EACH_SUBJECT(s) {
            subject threaded = *s;
            if (s->is_slow && !ways[k].emulated) {
                continue;
            }
            if (!s->is_kernel && !s->is_reference) {
                const gm_context_options wanted = {
                    .backend = GM_BACKEND_CPU,
                    .threads = ways[k].threads,
                    .isa = strstr(s->name, "512") != NULL    ? GM_ISA_AVX512
                           : strstr(s->name, "avx2") != NULL ? GM_ISA_AVX2
                                                             : GM_ISA_BASE};
                ASSERT_OK(NULL, gm_context_create(&wanted, &threaded.context));
            }
            draw_packed(2, packed, ways[k].chains * info.words);
            const packed_run r = {.chains = ways[k].chains,
                                  .sweeps = {.seed = 8, .sweeps = ways[k].sweeps},
                                  .beta = beta,
                                  .packed = packed,
                                  .sums = sums,
                                  .by_word = ways[k].by_word};
            run_multispin_model(&threaded, &ways[k].model, &r);
            const char *kernel = gm_last_kernel(threaded.context);
            const char *wanted_kernel = s->is_reference ? "ref"
                                        : s->is_kernel  ? ways[k].kernel
                                                        : ways[k].cpu;
            /* With one lane no words lie side by side in a vector. */
            if (strstr(s->name, "base") == NULL && strstr(kernel, wanted_kernel) == NULL) {
                fail_msg("%s, way %d: %s ran, not %s", s->name, k, kernel, wanted_kernel);
            }
            const uint64_t got = hash_of(packed, bytes) ^ hash_of(sums, sums_bytes);
            expected = s->is_reference ? got : expected;
            if (got != expected) {
                fail_msg("%s, way %d, %s: other bits", s->name, k, kernel);
            }
            if (threaded.context != s->context) {
                gm_context_destroy(threaded.context);
            }
        }
        free(packed);
        free(sums);
    }
}

/* ---- reducibility ---------------------------------------------------------------------------- */

/* Diagonal stripes of period 4: every sum of neighbours is 0. Metropolis stays at E = 0 at any
 * temperature; the heat bath leaves. */
static void stripes_hold_metropolis(void **state) {
    (void)state;
    enum { L = 16, chains = 2, sweeps = 60 };
    static const double beta[chains] = {0.2, 0.4};
    static const gm_ising_update updates[] = {GM_ISING_METROPOLIS, GM_ISING_HEAT_BATH,
                                              GM_ISING_GLAUBER};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(updates); ++k) {
            const gm_multispin_model m = {
                .axes = 2, .size = {L, L}, .periodic = {1, 1}, .update = updates[k]};
            uint32_t packed[chains * MOST_WORDS] = {0};
            uint64_t sums[chains][GM_ISING_SUMS][2];
            const int64_t words = multispin_info(&m).words;
            for (int64_t i = 0; i < chains * L * L; ++i) {
                int64_t word;
                int bit;
                site_bit(&m, i % (L * L), &word, &bit);
                packed[i / (L * L) * words + word] |= (uint32_t)((i / L + i) % 4 < 2) << bit;
            }
            const packed_run r = {.chains = chains,
                                  .sweeps = {.seed = 1, .sweeps = sweeps},
                                  .beta = beta,
                                  .packed = packed,
                                  .sums = &sums[0][0][0]};
            run_multispin_model(s, &m, &r);
            for (int c = 0; c < chains; ++c) {
                const double e2 = gm_ising_sum_value(sums[c][GM_ISING_E2]);
                const double e = gm_ising_sum_value(sums[c][GM_ISING_E]) / (sweeps * L * L);
                if (k == 0) {
                    assert_true(e2 == 0);
                    assert_true(gm_ising_sum_value(sums[c][GM_ISING_FLIPS]) == sweeps * L * L);
                } else { /* Onsager: -0.428, -1.106 per site */
                    assert_true(e < -0.2);
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_know_their_lattice),
        cmocka_unit_test(spins_are_packed_as_documented),
        cmocka_unit_test(chains_are_those_of_the_graph),
        cmocka_unit_test(backends_agree_to_the_bit),
        cmocka_unit_test(cuts_change_no_bits),
        cmocka_unit_test(ways_change_no_bits),
        cmocka_unit_test(stripes_hold_metropolis),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
