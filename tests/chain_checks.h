/*
 * What is asked of Ising and of Potts chains alike: the noise that they take, equal bits on every
 * backend, however chains and sweeps are cut and threads share them, sums that are of the states.
 */
#ifndef GENMATH_TESTS_CHAIN_CHECKS_H
#define GENMATH_TESTS_CHAIN_CHECKS_H

#include "tests/chain_fixture.h"

#include <genmath/philox.h>

/* From hot to frozen, antiferromagnets and beta = 0 among them. */
static inline void set_betas(const chain_kind *kind, double *beta, int64_t chains) {
    for (int64_t c = 0; c < chains; ++c) {
        beta[c] = c == 3 ? 0 : c == 5 ? 1e300 : kind->beta_step * (double)(c - 4);
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

/*
 * Of 3 x 4 sites, not clamped: what a site becomes in the last sweep is `expected` of a word and of
 * what it was before the run. The word is number p % 4 of block sweep * blocks + p / 4 for the p-th
 * place of the order, index first_chain + chain; two colours of 6 sites each begin at places 0 and
 * 8 and make 4 blocks.
 */
static inline void check_noise(const chain_model *m, int64_t sweeps,
                               unsigned char (*expected)(uint32_t word, unsigned char old)) {
    enum { chains = 9, sites = 12 };
    static const uint64_t firsts[][2] = {
        {0, 0}, {5, 7}, {UINT64_C(0xfffffffd), UINT64_C(0x3fffffff)}, {UINT64_MAX - 3, 1u << 30}};
    static const double beta[chains];
    const bool raster = m->order == GM_ISING_RASTER;
    assert_int_equal(m->sites, sites);
    for (int k = 0; k < COUNT(firsts); ++k) {
        const uint64_t seed = UINT64_C(0xfedcba9876543210), *first = firsts[k];
        FOR_EACH_SUBJECT(s) {
            unsigned char states[chains * sites], old[chains * sites];
            m->kind->draw(3, m->model, chains, states);
            memcpy(old, states, sizeof old);
            const chains_run r = {.chains = chains,
                                  .sweeps = {seed, first[0], first[1], sweeps},
                                  .beta = beta,
                                  .states = states};
            run_model(s, m, &r);
            for (uint64_t i = 0; i < chains * sites; ++i) {
                const uint64_t site = i % sites, colour = (site / 4 + site % 4) % 2;
                const uint64_t place = raster ? site : 8 * colour + site / 2;
                const uint64_t sweep = first[1] + (uint64_t)sweeps - 1;
                const gm_words w =
                    gm_philox_block(seed, first[0] + i / sites, GM_STREAM_CHAIN_ACCEPT,
                                    sweep * (raster ? 3 : 4) + place / 4);
                assert_int_equal(states[i], expected(gm_word(w, place % 4), old[i]));
            }
        }
    }
}

/* The reference is compared with the other subjects after `few` and after `many` sweeps: the state
 * is chaotic, so one wrong decision changes the hash for good. The emulator runs only the few, of
 * the same noise. Clamped sites stay as they are. */
static inline void check_backends(const chain_model *m, const char *name, int64_t few, int64_t many,
                                  bool wants_sums) {
    const size_t size = (size_t)(CHECKED_CHAINS * m->sites);
    unsigned char *start = malloc(size), *states = malloc(size);
    uint64_t sums[CHECKED_CHAINS * MOST_SUMS] = {0}, expected[2][2] = {{0}};
    int64_t energy[CHECKED_CHAINS];
    double beta[CHECKED_CHAINS];
    set_betas(m->kind, beta, CHECKED_CHAINS);
    m->kind->draw(17, m->model, CHECKED_CHAINS, start);
    FOR_EACH_SUBJECT(s) {
        for (int length = 0; length < (s->is_slow ? 1 : 2); ++length) {
            const int64_t sweeps = length == 0 ? few : many;
            const chains_run r = {.chains = CHECKED_CHAINS,
                                  .sweeps = {.seed = 0x123456789abcdefu,
                                             .first_chain = UINT64_C(0xfffffff0),
                                             .first_sweep = UINT64_C(0x1ffffffff),
                                             .sweeps = sweeps},
                                  .beta = beta,
                                  .states = states,
                                  .sums = wants_sums ? sums : NULL,
                                  .energy = energy,
                                  .by_site = s->is_kernel};
            memcpy(states, start, size);
            run_model(s, m, &r);
            const uint64_t got[2] = {hash_of(states, size),
                                     hash_of(sums, sizeof sums) ^ hash_of(energy, sizeof energy)};
            if (s->is_reference) {
                memcpy(expected[length], got, sizeof got);
            } else if (memcmp(expected[length], got, sizeof got) != 0) {
                fail_msg("%s: %s: %s differ after %lld sweeps", s->name, name,
                         expected[length][0] != got[0] ? m->kind->states : "sums",
                         (long long)sweeps);
            }
            for (size_t i = 0; i < size && m->clamped != NULL; ++i) {
                if (m->clamped[i % (size_t)m->sites] != 0) {
                    assert_int_equal(states[i], start[i]);
                }
            }
        }
    }
    free(start);
    free(states);
}

static inline void add_sums(uint64_t *total, const uint64_t *part, int64_t count) {
    for (int64_t i = 0; i < count; i += 2) {
        total[i] += part[i];
        total[i + 1] += part[i + 1] + (total[i] < part[i]);
    }
}

/* Chains and sweeps cut into calls give the states, and sums that add up to those, of one call. */
static inline void check_cuts(const chain_model *m, const char *name, int sweeps) {
    const int64_t sites = m->sites, words = 2 * m->kind->sums;
    const size_t size = (size_t)(CHECKED_CHAINS * sites);
    unsigned char *whole = malloc(size), *cut = malloc(size);
    double beta[CHECKED_CHAINS];
    set_betas(m->kind, beta, CHECKED_CHAINS);
    FOR_EACH_SUBJECT(s) {
        uint64_t sums[CHECKED_CHAINS * MOST_SUMS] = {0}, total[CHECKED_CHAINS * MOST_SUMS] = {0};
        m->kind->draw(29, m->model, CHECKED_CHAINS, whole);
        memcpy(cut, whole, size);
        chains_run r = {.chains = CHECKED_CHAINS,
                        .sweeps = {.seed = 5, .first_chain = 1000, .sweeps = sweeps},
                        .beta = beta,
                        .states = whole,
                        .sums = sums};
        run_model(s, m, &r);
        const int chain_cuts[] = {0, 1, 3, 8, CHECKED_CHAINS}, sweep_cuts[] = {0, 1, 1, 7, sweeps};
        for (int i = 0; i + 1 < COUNT(chain_cuts); ++i) {
            for (int j = 0; j + 1 < COUNT(sweep_cuts); ++j) {
                uint64_t part[CHECKED_CHAINS * MOST_SUMS];
                const int first = chain_cuts[i], count = chain_cuts[i + 1] - first;
                r.chains = count;
                r.sweeps.first_chain = 1000 + (uint64_t)first;
                r.sweeps.first_sweep = (uint64_t)sweep_cuts[j];
                r.sweeps.sweeps = sweep_cuts[j + 1] - sweep_cuts[j];
                r.beta = beta + first;
                r.states = cut + first * sites;
                r.sums = part;
                run_model(s, m, &r);
                add_sums(total + first * words, part, count * words);
            }
        }
        if (memcmp(whole, cut, size) != 0 || memcmp(sums, total, sizeof sums) != 0) {
            fail_msg("%s: %s: a cut changes the result", s->name, name);
        }
    }
    free(whole);
    free(cut);
}

/* On the CPU, whose kernel is named, with one to five threads; the reference has the same bits. */
static inline void check_threads(const chain_model *m, int64_t chains, int64_t sweeps,
                                 const char *kernel) {
    const size_t size = (size_t)(chains * m->sites);
    const size_t sums_size = (size_t)chains * 2 * (size_t)m->kind->sums * sizeof(uint64_t);
    unsigned char *states = malloc(size);
    uint64_t *sums = malloc(sums_size), expected = 0;
    double *beta = malloc((size_t)chains * sizeof *beta);
    set_betas(m->kind, beta, chains);
    for (int threads = 0; threads <= 5; ++threads) { /* 0: the reference */
        subject s = {.name = threads == 0 ? "ref" : "cpu"};
        const gm_context_options wanted = {.backend =
                                               threads == 0 ? GM_BACKEND_REF : GM_BACKEND_CPU,
                                           .threads = threads == 0 ? 1 : threads};
        ASSERT_OK(NULL, gm_context_create(&wanted, &s.context));
        m->kind->draw(2, m->model, chains, states);
        const chains_run r = {.chains = chains,
                              .sweeps = {.seed = 8, .sweeps = sweeps},
                              .beta = beta,
                              .states = states,
                              .sums = sums};
        run_model(&s, m, &r);
        if (threads > 0) {
            assert_string_equal(gm_last_kernel(s.context), kernel);
        }
        const uint64_t got = hash_of(states, size) ^ hash_of(sums, sums_size);
        expected = threads == 0 ? got : expected;
        assert_true(got == expected);
        gm_context_destroy(s.context);
    }
    free(states);
    free(sums);
    free(beta);
}

/* ---- what the sums say ----------------------------------------------------------------------- */

/* Sweep by sweep, from the states alone. */
static inline void check_sums(const chain_model *m) {
    enum { chains = 6, sweeps = 9 };
    const subject *s = &subjects[0];
    const double beta[chains] = {0.1, 0.3, 0.5, -0.4, 1, 2};
    const size_t size = (size_t)(chains * m->sites);
    unsigned char *states = malloc(size), *before = malloc(size);
    void *plan;
    chain_facts facts;
    ASSERT_OK(s->context, m->kind->create(s->context, m->model, &plan));
    ASSERT_OK(s->context, m->kind->facts(plan, &facts));
    m->kind->draw(77, m->model, chains, states);
    for (uint64_t t = 0; t < sweeps; ++t) {
        uint64_t sums[chains * MOST_SUMS];
        int64_t last[chains];
        const chains_run r = {.chains = chains,
                              .sweeps = {.seed = 3, .first_sweep = t, .sweeps = 1},
                              .beta = beta,
                              .states = states,
                              .sums = sums,
                              .energy = last};
        memcpy(before, states, size);
        run_states(s, m->kind, plan, m->sites, &r);
        for (int c = 0; c < chains; ++c) {
            const unsigned char *x = states + c * m->sites, *x0 = before + c * m->sites;
            double e, e0, y, y0, flips = 0;
            m->kind->measure(m->model, facts.quantum, x, &e, &y);
            m->kind->measure(m->model, facts.quantum, x0, &e0, &y0);
            assert_true((double)last[c] == e && fabs(e) <= (double)facts.energy_bound);
            for (int64_t i = 0; i < m->sites; ++i) {
                flips += x[i] != x0[i];
            }
            const double all[GM_ISING_SUMS] = {e,     e * e,         e * e0, y,    fabs(y),
                                               y * y, y * y * y * y, y * y0, flips};
            for (int q = 0; q < m->kind->sums; ++q) {
                const bool has_all = m->kind->sums == GM_ISING_SUMS; /* else no ABS_M */
                const double sum = gm_ising_sum_value(sums + 2 * (c * m->kind->sums + q));
                const double expected = all[has_all || q < GM_ISING_ABS_M ? q : q + 1];
                if (q + 1 == m->kind->sums && m->order == GM_ISING_RANDOM) {
                    assert_true(sum >= expected);
                } else {
                    /* Two roundings each of what a double may not hold. */
                    ASSERT_NEAR(s, sum, expected, 4 * 0x1p-53 * fabs(expected));
                }
            }
        }
    }
    m->kind->destroy(plan);
    free(states);
    free(before);
}

#endif
