/*
 * What Ising and Potts chains refuse alike: chains that are none, graphs that are none, wrong
 * arguments; and that nothing is done for nothing.
 */
#ifndef GENMATH_TESTS_CHAIN_REFUSALS_H
#define GENMATH_TESTS_CHAIN_REFUSALS_H

#include "tests/chain_fixture.h"

/* ---- chains that are none -------------------------------------------------------------------- */

/* Two chains have a beta that is not finite, two a state that is none: `none` is of either. Bad and
 * good ones run `at_once`, so that few are tried too. */
static inline void check_bad_chains(const chain_model *m, int64_t chains, int64_t at_once,
                                    const unsigned char none[2]) {
    const int64_t sites = m->sites, words = 2 * m->kind->sums;
    const int64_t hot[2] = {0, chains - 4}, odd[2] = {2, chains - 1};
    assert_true(chains <= CHECKED_CHAINS && chains > 8);
    FOR_EACH_SUBJECT(s) {
        const size_t size = (size_t)(chains * sites);
        unsigned char *good = malloc(3 * size), *bad = good + size, *start = bad + size;
        uint64_t sums[2][CHECKED_CHAINS * MOST_SUMS];
        int64_t energy[2][CHECKED_CHAINS];
        double beta[CHECKED_CHAINS];
        int32_t status[CHECKED_CHAINS];
        for (int i = 0; i < chains; ++i) {
            beta[i] = m->kind->beta_step * i;
        }
        m->kind->draw(9, m->model, chains, start);
        memcpy(good, start, size);
        chains_run r = {.chains = chains,
                        .sweeps = {.seed = 4, .sweeps = 5},
                        .beta = beta,
                        .states = good,
                        .sums = sums[0],
                        .energy = energy[0]};
        run_model(s, m, &r);
        start[odd[0] * sites + 5] = none[0];
        start[odd[1] * sites + sites - 1] = none[1];
        memcpy(bad, start, size);
        beta[hot[0]] = NAN;
        beta[hot[1]] = -INFINITY;
        for (int64_t first = 0; first < chains; first += at_once) {
            r.chains = chains - first < at_once ? chains - first : at_once;
            r.sweeps.first_chain = (uint64_t)first;
            r.beta = beta + first;
            r.states = bad + first * sites;
            r.sums = sums[1] + first * words;
            r.energy = energy[1] + first;
            r.status = status + first;
            run_model(s, m, &r);
        }
        for (int64_t c = 0; c < chains; ++c) {
            const gm_status expected = c == hot[0] || c == hot[1]   ? GM_STATUS_NON_FINITE
                                       : c == odd[0] || c == odd[1] ? GM_STATUS_INVALID_ARGUMENT
                                                                    : GM_STATUS_OK;
            const bool fine = expected == GM_STATUS_OK;
            assert_int_equal(status[c], expected);
            assert_memory_equal(bad + c * sites, (fine ? good : start) + c * sites, (size_t)sites);
            assert_true(energy[1][c] == (fine ? energy[0][c] : 0));
            for (int64_t q = c * words; q < (c + 1) * words; ++q) {
                assert_true(sums[1][q] == (fine ? sums[0][q] : 0));
            }
        }
        free(good);
    }
}

/* ---- wrong arguments ------------------------------------------------------------------------- */

/* Graphs that are none, couplings that are none. */
static inline void check_wrong_graphs(const chain_kind *kind) {
    gm_context *context = subjects[0].context;
    static const int32_t ends[] = {0, 1, 1, 2}, loop[] = {0, 1, 2, 2}, far[] = {0, 1, 1, 3},
                         twice[] = {0, 1, 1, 0}, below[] = {0, -1, 1, 2};
    static const double nan_coupling[] = {1, NAN}, infinite[] = {INFINITY, 1},
                        huge[] = {1e308, 1e308};
#define BASE .sites = 3, .edges = 2, .ends = ends
    const struct {
        gm_ising_model graph;
        const char *text;
    } cases[] = {
        {{.sites = -1}, "model.sites = -1"},
        {{.sites = (INT64_C(1) << 30) + 1}, "model.sites"},
        {{.sites = 3, .edges = -2}, "model.edges = -2"},
        {{.sites = 3, .edges = (INT64_C(1) << 29) + 1}, "model.edges"},
        {{.sites = 3, .edges = 2}, "model.ends is NULL"},
        {{.sites = 3, .edges = 2, .ends = loop}, "no neighbour of itself"},
        {{.sites = 3, .edges = 2, .ends = far}, "model.ends[1] = (1, 3)"},
        {{.sites = 3, .edges = 2, .ends = below}, "model.ends[0] = (0, -1)"},
        {{.sites = 3, .edges = 2, .ends = twice}, "the pair (0, 1) is given twice"},
        {{BASE, .coupling = nan_coupling}, "model.coupling[1]"},
        {{BASE, .coupling = infinite}, "model.coupling[0] = inf"},
        {{BASE, .coupling = huge}, "overflows"},
        {{.sites = 5, .edges = 2, .ends = ends, .connected = 1}, "the graph has 3 parts"},
    };
    void *plan;
    for (int k = 0; k < COUNT(cases); ++k) {
        ASSERT_FAILS(context, kind->create_on(context, &cases[k].graph, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    const gm_ising_model one = {.sites = 1};
    ASSERT_FAILS(NULL, kind->create_on(NULL, &one, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(context, kind->create(context, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(context, kind->create_on(context, &one, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    chain_facts facts;
    ASSERT_FAILS(NULL, kind->facts(NULL, &facts), GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    kind->destroy(NULL);
    /* Parts that no edge joins are a model like others unless one part is asked for. */
    const gm_ising_model apart = {.sites = 5, .edges = 2, .ends = ends},
                         joined = {BASE, .connected = 1};
#undef BASE
    for (int k = 0; k < 2; ++k) {
        ASSERT_OK(context, kind->create_on(context, k == 0 ? &apart : &joined, &plan));
        ASSERT_OK(context, kind->facts(plan, &facts));
        assert_int_equal(facts.components, k == 0 ? 3 : 1);
        kind->destroy(plan);
    }
}

static inline void refuse_wrong_runs(const subject *s, const chain_model *m) {
    enum { chains = 5, sites = 16 };
    const chain_kind *kind = m->kind;
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
    gm_context *c = s->context;
    void *plan;
    assert_int_equal(m->sites, sites);
    ASSERT_OK(c, kind->create(c, m->model, &plan));
    _Alignas(64) static unsigned char states[chains * sites + 64], scratch[1 << 16];
    unsigned char before[sizeof states];
    kind->draw(1, m->model, chains, states);
    memcpy(before, states, sizeof states);
    double beta[chains] = {0.1, 0.2, 0.3, 0.4, 0.5};
    uint64_t sums[chains * MOST_SUMS];
    int64_t energy[chains] = {9, 9, 9, 9, 9};
    int32_t status[chains];
    const gm_tensor b = gm_tensor_1d(beta, GM_F64, chains),
                    t = gm_tensor_1d(status, GM_I32, chains);
    const gm_tensor x = gm_tensor_2d(states, kind->dtype, chains, sites);
    gm_tensor q;
    ASSERT_OK(NULL, gm_tensor_view(sums, GM_U64, 3, (const int64_t[]){chains, kind->sums, 2}, &q));
    const gm_ising_sweeps run = {.seed = 1, .sweeps = 3};
    const gm_ising_result r = {.sums = &q, .status = &t};
    gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 0};
    gm_workspace odd = {scratch + 1, sizeof scratch - 1}, own = {states, sizeof states};
    char text[64];
#define REFUSED(code, words, ...) ASSERT_FAILS(c, kind->run(__VA_ARGS__), code, words)
#define REFUSED_STATES(code, words)                                                                \
    do {                                                                                           \
        (void)snprintf(text, sizeof text, "%s%s", kind->states, words);                            \
        REFUSED(code, text, plan, &run, &b, &y, &r, &w);                                           \
    } while (0)
#define REFUSED_RESULT(code, words, member)                                                        \
    REFUSED(code, words, plan, &run, &b, &x, (&(gm_ising_result){.member = &y}), &w)
    ASSERT_FAILS(NULL, kind->run(NULL, &run, &b, &x, &r, &w), invalid, "plan is NULL");
    REFUSED(invalid, "run", plan, NULL, &b, &x, &r, &w);
    REFUSED(invalid, "workspace is NULL", plan, &run, &b, &x, &r, NULL);
    REFUSED(invalid, "beta", plan, &run, NULL, &x, &r, &w);
    REFUSED(invalid, kind->states, plan, &run, &b, NULL, &r, &w);
    gm_ising_sweeps wrong = run;
    wrong.sweeps = -1;
    REFUSED(invalid, "run.sweeps = -1", plan, &wrong, &b, &x, &r, &w);
    wrong.sweeps = 3;
    wrong.first_sweep = (UINT64_C(1) << 46) - 3;
    REFUSED(invalid, "noise", plan, &wrong, &b, &x, &r, &w);
    wrong.first_sweep = UINT64_MAX;
    REFUSED(invalid, "noise", plan, &wrong, &b, &x, &r, &w);
    gm_tensor y = x;
    y.shape[1] = sites - 1;
    REFUSED_STATES(mismatch, ".shape[1] = 15");
    y = x;
    y.dtype = kind->dtype == GM_I8 ? GM_U8 : GM_I8;
    REFUSED_STATES(invalid, ".dtype");
    y = x;
    y.stride[0] = 0;
    REFUSED(invalid, "share memory", plan, &run, &b, &y, &r, &w);
    y = b;
    y.shape[0] = chains - 1;
    REFUSED(mismatch, "beta.shape", plan, &run, &y, &x, &r, &w);
    y = q;
    y.shape[1] = 3;
    REFUSED_RESULT(mismatch, "result.sums.shape[1]", sums);
    y = q;
    y.shape[0] = 3;
    REFUSED_RESULT(mismatch, "result.sums.shape[0]", sums);
    y = t;
    y.shape[0] = 2;
    REFUSED_RESULT(mismatch, "result.status.shape[0]", status);
    y = gm_tensor_1d(states, GM_I32, chains);
    REFUSED_RESULT(invalid, "overlap", status);
    y = gm_tensor_1d(energy, GM_I64, chains - 1);
    REFUSED_RESULT(mismatch, "result.energy.shape[0]", energy);
    y = gm_tensor_1d(energy, GM_F64, chains);
    REFUSED_RESULT(invalid, "result.energy.dtype", energy);
    y = gm_tensor_1d(beta, GM_I64, chains);
    REFUSED_RESULT(invalid, "result.energy and beta overlap", energy);
    assert_true(energy[0] == 9 && beta[0] == 0.1);
    REFUSED(GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes = 0", plan, &run, &b, &x, &r, &small);
    REFUSED(invalid, "aligned", plan, &run, &b, &x, &r, &odd);
    gm_workspace asked = {0};
    ASSERT_OK(c, kind->run(plan, &run, &b, &x, &r, &asked));
    if (asked.bytes <= sizeof states) {
        REFUSED(invalid, "overlap", plan, &run, &b, &x, &r, &own);
    }
#undef REFUSED
#undef REFUSED_STATES
#undef REFUSED_RESULT
    assert_memory_equal(states, before, sizeof states);
    kind->destroy(plan);
}

/* Of a model of 16 sites. The checks are the host's, and so are the arrays. */
static inline void check_wrong_runs(const chain_model *m) {
    FOR_EACH_SUBJECT(s) {
        if (!s->is_kernel) {
            refuse_wrong_runs(s, m);
        }
    }
}

/* No chain, no sweep, and four sweeps where there is no site, models[0], or one that is clamped,
 * models[2]: there M is `order`. models[1] is one free site. */
static inline void check_nothing(const chain_model models[3], const void *start, uint64_t order) {
    const int words = 2 * models[0].kind->sums;
    FOR_EACH_SUBJECT(s) {
        const double beta[3] = {0.5, 0.5, 0.5};
        unsigned char states[3];
        memcpy(states, start, 3);
        uint64_t sums[3 * MOST_SUMS];
        chains_run r = {
            .chains = 3, .sweeps = {.sweeps = 4}, .beta = beta, .states = states, .sums = sums};
        run_model(s, &models[0], &r);
        for (int i = 0; i < 3 * words; ++i) {
            assert_true(sums[i] == 0);
        }
        r.sweeps.sweeps = 0;
        run_model(s, &models[1], &r);
        for (int i = 0; i < 3 * words; ++i) {
            assert_true(sums[i] == 0);
        }
        assert_memory_equal(states, start, 3);
        r.sweeps.sweeps = 4;
        run_model(s, &models[2], &r);
        assert_memory_equal(states, start, 3);
        assert_true(sums[2 * GM_ISING_M] == 4 * order && sums[words - 2] == 0);
        r.chains = 0;
        run_model(s, &models[1], &r);
    }
}

#endif
