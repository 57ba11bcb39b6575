/* gm_ising_*: chains that are none, wrong arguments, and nothing to do. */
#include "tests/chain_refusals.h"
#include "tests/ising_fixture.h"

/* ---- chains that are none -------------------------------------------------------------------- */

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    static const unsigned char none[2] = {0, 3};
    for (int k = 0; k < 6; ++k) {
        gm_ising_model model = {.order = (gm_ising_order)(k / 2)};
        int32_t *ends = set_lattice(&model, 2, (const int64_t[]){4, 4}, 1);
        const chain_model chains = ising_chains(&model);
        check_bad_chains(&chains, k % 2 == 0 ? 9 : CHECKED_CHAINS, k % 2 == 0 ? 3 : CHECKED_CHAINS,
                         none);
        free(ends);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    static const int32_t ends[] = {0, 1, 1, 2};
    static const double tiny[] = {1e-310, 1e-309 / 7}, field[] = {0, 0, -INFINITY};
#define BASE .sites = 3, .edges = 2, .ends = ends
    const struct {
        gm_ising_model model;
        const char *text;
    } cases[] = {
        {{BASE, .coupling = tiny}, "too small"},
        {{BASE, .field = field}, "model.field[2] = -inf"},
        {{BASE, .spins = (gm_ising_spins)2}, "model.spins = 2"},
        {{BASE, .update = (gm_ising_update)4}, "model.update = 4"},
        {{BASE, .order = (gm_ising_order)-1}, "model.order = -1"},
    };
#undef BASE
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_ising_plan *plan = (gm_ising_plan *)8;
        ASSERT_FAILS(context, gm_ising_plan_create(context, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    check_wrong_graphs(&ising_kind);
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
    gm_ising_model model = {0};
    int32_t *ends = set_lattice(&model, 2, (const int64_t[]){4, 4}, 1);
    const chain_model chains = ising_chains(&model);
    check_wrong_runs(&chains);
    free(ends);
}

static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    static const int8_t spins[3] = {1, -1, 1};
    const uint8_t clamped = 1;
    const gm_ising_model none = {.sites = 0}, one = {.sites = 1},
                         fixed = {.sites = 1, .clamped = &clamped};
    const chain_model models[3] = {ising_chains(&none), ising_chains(&one), ising_chains(&fixed)};
    check_nothing(models, spins, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_chains_spoil_nothing),    cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(wrong_lattices_are_refused),  cmocka_unit_test(wrong_runs_are_refused),
        cmocka_unit_test(nothing_is_done_for_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
