/* gm_ising_*: chains that are none, wrong arguments, and nothing to do. */
#include "tests/ising_fixture.h"

/* ---- chains that are none -------------------------------------------------------------------- */

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    enum { chains = 9, L = 4 };
    static const gm_ising_order orders[] = {GM_ISING_COLOURED, GM_ISING_RANDOM};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            gm_ising_model model = {.order = orders[k]};
            int32_t *ends = set_lattice(&model, 2, (const int64_t[]){L, L}, 1);
            int8_t good[chains * L * L], bad[chains * L * L], start[chains * L * L];
            uint64_t sums[2][chains * 2 * GM_ISING_SUMS];
            int32_t status[chains];
            int64_t energy[2][chains];
            double beta[chains];
            for (int c = 0; c < chains; ++c) {
                beta[c] = 0.1 * c;
            }
            draw_spins(4, &model, chains, start);
            memcpy(good, start, sizeof good);
            chains_run r = {.chains = chains,
                            .sweeps = {.seed = 1, .sweeps = 5},
                            .beta = beta,
                            .spins = good,
                            .sums = sums[0],
                            .status = status,
                            .energy = energy[0]};
            run_chains(s, &model, &r);
            start[2 * L * L + 5] = 0;
            memcpy(bad, start, sizeof bad);
            beta[0] = NAN;
            beta[8] = -INFINITY;
            r.spins = bad;
            r.sums = sums[1];
            r.energy = energy[1];
            run_chains(s, &model, &r);
            for (int c = 0; c < chains; ++c) {
                const bool spoilt = c == 0 || c == 2 || c == 8;
                assert_int_equal(status[c], c == 2   ? GM_STATUS_INVALID_ARGUMENT
                                            : spoilt ? GM_STATUS_NON_FINITE
                                                     : GM_STATUS_OK);
                assert_memory_equal(bad + c * L * L, (spoilt ? start : good) + c * L * L, L * L);
                assert_true(energy[1][c] == (spoilt ? 0 : energy[0][c]));
                for (int q = 0; q < 2 * GM_ISING_SUMS; ++q) {
                    const int at = c * 2 * GM_ISING_SUMS + q;
                    assert_true(sums[1][at] == (spoilt ? 0 : sums[0][at]));
                }
            }
            free(ends);
        }
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    static const int32_t ends[] = {0, 1, 1, 2}, loop[] = {0, 1, 2, 2}, far[] = {0, 1, 1, 3},
                         twice[] = {0, 1, 1, 0}, below[] = {0, -1, 1, 2};
    static const double nan_coupling[] = {1, NAN}, infinite[] = {INFINITY, 1},
                        huge[] = {1e308, 1e308}, tiny[] = {1e-310, 1e-309 / 7},
                        field[] = {0, 0, -INFINITY};
#define BASE .sites = 3, .edges = 2, .ends = ends
    const struct {
        gm_ising_model model;
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
        {{BASE, .coupling = tiny}, "too small"},
        {{BASE, .field = field}, "model.field[2] = -inf"},
        {{BASE, .spins = (gm_ising_spins)2}, "model.spins = 2"},
        {{BASE, .update = (gm_ising_update)4}, "model.update = 4"},
        {{BASE, .order = (gm_ising_order)-1}, "model.order = -1"},
        {{.sites = 5, .edges = 2, .ends = ends, .connected = 1}, "the graph has 3 parts"},
    };
#undef BASE
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_plan *plan = (gm_ising_plan *)8;
        ASSERT_FAILS(context, gm_ising_plan_create(context, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    gm_ising_plan *plan;
    const gm_ising_model model = {.sites = 1};
    gm_ising_info info;
    ASSERT_FAILS(NULL, gm_ising_plan_create(NULL, &model, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(context, gm_ising_plan_create(context, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(context, gm_ising_plan_create(context, &model, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_ising_plan_info(NULL, &info), GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_ising_plan_destroy(NULL);
    /* Parts that no edge joins are a model like others unless one part is asked for. */
    const gm_ising_model apart = {.sites = 5, .edges = 2, .ends = ends};
    const gm_ising_model joined = {.sites = 3, .edges = 2, .ends = ends, .connected = 1};
    ASSERT_OK(context, gm_ising_plan_create(context, &apart, &plan));
    ASSERT_OK(context, gm_ising_plan_info(plan, &info));
    assert_int_equal(info.components, 3);
    gm_ising_plan_destroy(plan);
    ASSERT_OK(context, gm_ising_plan_create(context, &joined, &plan));
    ASSERT_OK(context, gm_ising_plan_info(plan, &info));
    assert_int_equal(info.components, 1);
    gm_ising_plan_destroy(plan);
}

static void wrong_lattices_are_refused(void **state) {
    (void)state;
    static const struct {
        int32_t axes;
        int64_t size[3];
        int32_t periodic[3];
        const char *text;
    } cases[] = {{0, {1}, {0}, "axes = 0"},
                 {9, {1}, {0}, "axes = 9"},
                 {2, {3, 0}, {0}, "size[1] = 0"},
                 {2, {3, 2}, {1, 1}, "size[1] = 2"},
                 {2, {1 << 20, 1 << 20}, {0}, "2^30"},
                 {3, {INT64_MAX, INT64_MAX, 4}, {0}, "2^30"}};
    for (int k = 0; k < COUNT(cases); ++k) {
        int64_t edges = -7;
        int32_t ends[4] = {9, 9, 9, 9};
        ASSERT_FAILS(
            NULL, gm_ising_lattice(cases[k].axes, cases[k].size, cases[k].periodic, ends, &edges),
            GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_true(edges == -7 && ends[0] == 9);
    }
    int64_t edges;
    ASSERT_FAILS(NULL, gm_ising_lattice(1, NULL, NULL, NULL, &edges), GM_STATUS_INVALID_ARGUMENT,
                 "size is NULL");
    ASSERT_FAILS(NULL, gm_ising_lattice(1, (const int64_t[]){4}, NULL, NULL, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "edges is NULL");
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        if (s->is_kernel) {
            continue; /* the checks are the host's; the arrays below are the host's too */
        }
        gm_context *c = s->context;
        gm_ising_model model = {0};
        int32_t *ends = set_lattice(&model, 2, (const int64_t[]){4, 4}, 1);
        gm_ising_plan *plan;
        ASSERT_OK(c, gm_ising_plan_create(c, &model, &plan));
        _Alignas(64) static int8_t spins[5 * 16 + 64], scratch[1 << 16];
        int8_t before[sizeof spins];
        draw_spins(1, &model, 5, spins);
        memcpy(before, spins, sizeof spins);
        double beta[5] = {0.1, 0.2, 0.3, 0.4, 0.5};
        uint64_t sums[5 * GM_ISING_SUMS * 2];
        int32_t status[5];
        const gm_tensor b = gm_tensor_1d(beta, GM_F64, 5), x = gm_tensor_2d(spins, GM_I8, 5, 16);
        const int64_t shape[3] = {5, GM_ISING_SUMS, 2};
        gm_tensor q;
        ASSERT_OK(NULL, gm_tensor_view(sums, GM_U64, 3, shape, &q));
        const gm_tensor t = gm_tensor_1d(status, GM_I32, 5);
        const gm_ising_sweeps run = {.seed = 1, .sweeps = 3};
        const gm_ising_result r = {.sums = &q, .status = &t};
        gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 0};
        gm_workspace odd = {scratch + 1, sizeof scratch - 1}, own = {spins, sizeof spins};
#define REFUSED(what, status_code, text) ASSERT_FAILS(c, what, status_code, text)
        ASSERT_FAILS(NULL, gm_ising_run(NULL, &run, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                     "plan is NULL");
        REFUSED(gm_ising_run(plan, NULL, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "run");
        REFUSED(gm_ising_run(plan, &run, &b, &x, &r, NULL), GM_STATUS_INVALID_ARGUMENT,
                "workspace is NULL");
        REFUSED(gm_ising_run(plan, &run, NULL, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "beta");
        REFUSED(gm_ising_run(plan, &run, &b, NULL, &r, &w), GM_STATUS_INVALID_ARGUMENT, "spins");
        gm_ising_sweeps wrong = run;
        wrong.sweeps = -1;
        REFUSED(gm_ising_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "run.sweeps = -1");
        wrong.sweeps = 3;
        wrong.first_sweep = (UINT64_C(1) << 46) - 3;
        REFUSED(gm_ising_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "noise");
        wrong.first_sweep = UINT64_MAX;
        REFUSED(gm_ising_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "noise");
        gm_tensor y = x;
        y.shape[1] = 15;
        REFUSED(gm_ising_run(plan, &run, &b, &y, &r, &w), GM_STATUS_SHAPE_MISMATCH,
                "spins.shape[1] = 15");
        y = x;
        y.dtype = GM_U8;
        REFUSED(gm_ising_run(plan, &run, &b, &y, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "spins.dtype");
        y = x;
        y.stride[0] = 0;
        REFUSED(gm_ising_run(plan, &run, &b, &y, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                "share memory");
        y = b;
        y.shape[0] = 4;
        REFUSED(gm_ising_run(plan, &run, &y, &x, &r, &w), GM_STATUS_SHAPE_MISMATCH, "beta.shape");
        y = q;
        y.shape[1] = 3;
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.sums = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.sums.shape[1]");
        y = t;
        y.shape[0] = 2;
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.status = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.status.shape[0]");
        y = gm_tensor_1d(spins, GM_I32, 5);
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.status = &y}, &w),
                GM_STATUS_INVALID_ARGUMENT, "overlap");
        int64_t energy[5] = {9, 9, 9, 9, 9};
        y = gm_tensor_1d(energy, GM_I64, 4);
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.energy = &y}, &w),
                GM_STATUS_SHAPE_MISMATCH, "result.energy.shape[0]");
        y = gm_tensor_1d(energy, GM_F64, 5);
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.energy = &y}, &w),
                GM_STATUS_INVALID_ARGUMENT, "result.energy.dtype");
        y = gm_tensor_1d(beta, GM_I64, 5);
        REFUSED(gm_ising_run(plan, &run, &b, &x, &(gm_ising_result){.energy = &y}, &w),
                GM_STATUS_INVALID_ARGUMENT, "result.energy and beta overlap");
        assert_true(energy[0] == 9 && beta[0] == 0.1);
        REFUSED(gm_ising_run(plan, &run, &b, &x, &r, &small), GM_STATUS_WORKSPACE_TOO_SMALL,
                "workspace.bytes = 0");
        REFUSED(gm_ising_run(plan, &run, &b, &x, &r, &odd), GM_STATUS_INVALID_ARGUMENT, "aligned");
        gm_workspace asked = {0};
        ASSERT_OK(c, gm_ising_run(plan, &run, &b, &x, &r, &asked));
        if (asked.bytes <= sizeof spins) {
            REFUSED(gm_ising_run(plan, &run, &b, &x, &r, &own), GM_STATUS_INVALID_ARGUMENT,
                    "overlap");
        }
#undef REFUSED
        assert_memory_equal(spins, before, sizeof spins);
        gm_ising_plan_destroy(plan);
        free(ends);
    }
}

/* No chain, no site, no sweep, one beta for all. */
static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        const double beta[3] = {0.5, 0.5, 0.5};
        int8_t spins[3] = {1, -1, 1};
        uint64_t sums[3 * 2 * GM_ISING_SUMS];
        const gm_ising_model none = {.sites = 0}, one = {.sites = 1};
        chains_run r = {.chains = 3, .sweeps = {.sweeps = 4}, beta, spins, sums};
        run_chains(s, &none, &r);
        for (int i = 0; i < 3 * 2 * GM_ISING_SUMS; ++i) {
            assert_true(sums[i] == 0);
        }
        r.sweeps.sweeps = 0;
        run_chains(s, &one, &r);
        for (int i = 0; i < 3 * 2 * GM_ISING_SUMS; ++i) {
            assert_true(sums[i] == 0);
        }
        assert_true(spins[0] == 1 && spins[1] == -1 && spins[2] == 1);
        const uint8_t clamped = 1;
        const gm_ising_model fixed = {.sites = 1, .clamped = &clamped};
        r.sweeps.sweeps = 4;
        run_chains(s, &fixed, &r);
        assert_true(spins[0] == 1 && spins[1] == -1 && spins[2] == 1);
        assert_true(sums[2 * GM_ISING_M] == 4 && sums[2 * GM_ISING_FLIPS] == 0);
        r.chains = 0;
        run_chains(s, &one, &r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_chains_spoil_nothing),    cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(wrong_lattices_are_refused),  cmocka_unit_test(wrong_runs_are_refused),
        cmocka_unit_test(nothing_is_done_for_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
