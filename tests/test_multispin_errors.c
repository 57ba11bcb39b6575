/* gm_multispin_*: chains that are none, wrong arguments, and nothing to do. */
#include "tests/multispin_fixture.h"

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    enum { chains = 19, words = 4 };
    static const gm_multispin_model models[] = {
        {.axes = 2, .size = {8, 12}, .periodic = {1, 1}},
        {.axes = 2, .size = {512, 512}, .periodic = {1, 1}}, /* the other kernels and ways */
    };
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(models); ++k) {
            const int64_t n = k == 0 ? chains : 3, w = multispin_info(&models[k]).words;
            const size_t bytes = (size_t)(n * w) * 4;
            uint32_t *start = malloc(bytes), *good = malloc(bytes), *bad = malloc(bytes);
            uint64_t sums[2][chains * 2 * GM_ISING_SUMS];
            int32_t status[chains];
            double beta[chains];
            for (int c = 0; c < n; ++c) {
                beta[c] = 0.05 * c;
            }
            draw_packed(4, start, n * w);
            memcpy(good, start, bytes);
            memcpy(bad, start, bytes);
            packed_run r = {.chains = n,
                            .sweeps = {.seed = 1, .sweeps = 2},
                            .beta = beta,
                            .packed = good,
                            .sums = sums[0],
                            .status = status};
            run_multispin_model(s, &models[k], &r);
            beta[0] = NAN;
            beta[n - 1] = -INFINITY;
            r.packed = bad;
            r.sums = sums[1];
            run_multispin_model(s, &models[k], &r);
            for (int64_t c = 0; c < n; ++c) {
                const bool spoilt = c == 0 || c == n - 1;
                assert_int_equal(status[c], spoilt ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
                assert_memory_equal(bad + c * w, (spoilt ? start : good) + c * w, (size_t)w * 4);
                for (int q = 0; q < 2 * GM_ISING_SUMS; ++q) {
                    const int64_t at = c * 2 * GM_ISING_SUMS + q;
                    assert_true(sums[1][at] == (spoilt ? 0 : sums[0][at]));
                }
            }
            free(start);
            free(good);
            free(bad);
        }
    }
}

static void wrong_models_are_refused(void **state) {
    (void)state;
    gm_context *context = subjects[0].context;
    static const struct {
        gm_multispin_model model;
        const char *text;
    } cases[] = {
        {{.axes = 0}, "model.axes = 0"},
        {{.axes = 4}, "model.axes = 4"},
        {{.axes = 2, .size = {4, 0}}, "model.size[1] = 0"},
        {{.axes = 1, .size = {-3}}, "model.size[0] = -3"},
        {{.axes = 2, .size = {5, 4}, .periodic = {1, 1}},
         "model.size[0] = 5: a periodic axis of odd"},
        {{.axes = 2, .size = {4, 2}, .periodic = {1, 1}},
         "model.size[1] = 2: a periodic axis has 4"},
        {{.axes = 2, .size = {1 << 16, 1 << 15}}, "2^30"},
        {{.axes = 3, .size = {INT64_MAX, INT64_MAX, 4}}, "2^30"},
        {{.axes = 2, .size = {4, 4}, .lattice = (gm_multispin_lattice)2}, "model.lattice = 2"},
        {{.axes = 3, .size = {4, 4, 4}, .lattice = GM_MULTISPIN_HONEYCOMB}, "a honeycomb has 2"},
        {{.axes = 2, .size = {4, 4}, .update = (gm_ising_update)4}, "model.update = 4"},
        {{.axes = 2, .size = {4, 4}, .update = (gm_ising_update)-1}, "model.update = -1"},
        {{.axes = 2, .size = {4, 4}, .field = NAN}, "nan is not finite"},
        {{.axes = 2, .size = {4, 4}, .field = -INFINITY}, "model.field = -inf is not finite"},
        {{.axes = 2, .size = {4, 4}, .field = 1.7e308}, "model.field: the sum of their sizes"},
    };
    for (int k = 0; k < COUNT(cases); ++k) {
        gm_multispin_plan *plan = (gm_multispin_plan *)8;
        ASSERT_FAILS(context, gm_multispin_plan_create(context, &cases[k].model, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    gm_multispin_plan *plan;
    gm_multispin_info info;
    const gm_multispin_model model = {.axes = 1, .size = {4}};
    ASSERT_FAILS(NULL, gm_multispin_plan_create(NULL, &model, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(context, gm_multispin_plan_create(context, NULL, &plan),
                 GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    ASSERT_FAILS(context, gm_multispin_plan_create(context, &model, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    ASSERT_FAILS(NULL, gm_multispin_plan_info(NULL, &info), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_OK(context, gm_multispin_plan_create(context, &model, &plan));
    ASSERT_FAILS(context, gm_multispin_plan_info(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "info is NULL");
    gm_multispin_plan_destroy(plan);
    gm_multispin_plan_destroy(NULL);
}

enum { CHAINS = 5, SITES = 16, WORDS = 2 };

/* The checks are the host's, and so are the arrays. */
typedef struct arguments {
    _Alignas(64) int8_t scratch[1 << 16];
    int8_t spins[CHAINS * SITES];
    uint32_t packed[CHAINS * WORDS];
    int32_t status[CHAINS];
    double beta[CHAINS];
    uint64_t sums[CHAINS * GM_ISING_SUMS * 2];
} arguments;

#define REFUSED(what, status_code, text) ASSERT_FAILS(c, what, status_code, text)

static void refuse_conversions(gm_context *c, const gm_multispin_plan *plan, arguments *a) {
    const gm_tensor x = gm_tensor_2d(a->spins, GM_I8, CHAINS, SITES);
    const gm_tensor y = gm_tensor_2d(a->packed, GM_U32, CHAINS, WORDS);
    const gm_tensor t = gm_tensor_1d(a->status, GM_I32, CHAINS);
    ASSERT_FAILS(NULL, gm_multispin_pack(NULL, &x, &y, &t), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_multispin_unpack(NULL, &y, &x), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    REFUSED(gm_multispin_pack(plan, NULL, &y, &t), GM_STATUS_INVALID_ARGUMENT, "spins");
    REFUSED(gm_multispin_pack(plan, &x, NULL, &t), GM_STATUS_INVALID_ARGUMENT, "packed");
    REFUSED(gm_multispin_pack(plan, &x, &y, NULL), GM_STATUS_INVALID_ARGUMENT, "status");
    REFUSED(gm_multispin_unpack(plan, NULL, &x), GM_STATUS_INVALID_ARGUMENT, "packed");
    REFUSED(gm_multispin_unpack(plan, &y, NULL), GM_STATUS_INVALID_ARGUMENT, "spins");
    gm_tensor wrong = x;
    wrong.shape[1] = SITES - 1;
    REFUSED(gm_multispin_pack(plan, &wrong, &y, &t), GM_STATUS_SHAPE_MISMATCH, "spins.shape[1]");
    wrong = y;
    wrong.shape[0] = CHAINS - 1;
    REFUSED(gm_multispin_unpack(plan, &wrong, &x), GM_STATUS_SHAPE_MISMATCH, "packed.shape[0]");
    wrong = y;
    wrong.shape[1] = WORDS - 1;
    REFUSED(gm_multispin_pack(plan, &x, &wrong, &t), GM_STATUS_SHAPE_MISMATCH, "packed.shape[1]");
    wrong = t;
    wrong.shape[0] = 1;
    REFUSED(gm_multispin_pack(plan, &x, &y, &wrong), GM_STATUS_SHAPE_MISMATCH, "status.shape[0]");
    wrong = y;
    wrong.stride[0] = 0;
    REFUSED(gm_multispin_pack(plan, &x, &wrong, &t), GM_STATUS_INVALID_ARGUMENT, "share memory");
    wrong = y;
    wrong.dtype = GM_I32;
    REFUSED(gm_multispin_unpack(plan, &wrong, &x), GM_STATUS_INVALID_ARGUMENT, "packed.dtype");
    wrong = t;
    wrong.data = a->packed;
    REFUSED(gm_multispin_pack(plan, &x, &y, &wrong), GM_STATUS_INVALID_ARGUMENT, "overlap");
    wrong = x;
    wrong.data = a->packed;
    wrong.shape[0] = 1;
    gm_tensor one = y;
    one.shape[0] = 1;
    REFUSED(gm_multispin_unpack(plan, &one, &wrong), GM_STATUS_INVALID_ARGUMENT, "overlap");
}

static void refuse_runs(gm_context *c, const gm_multispin_plan *plan, arguments *a) {
    const gm_tensor b = gm_tensor_1d(a->beta, GM_F64, CHAINS);
    const gm_tensor x = gm_tensor_2d(a->packed, GM_U32, CHAINS, WORDS);
    const gm_tensor t = gm_tensor_1d(a->status, GM_I32, CHAINS);
    const int64_t shape[3] = {CHAINS, GM_ISING_SUMS, 2};
    gm_tensor q;
    ASSERT_OK(NULL, gm_tensor_view(a->sums, GM_U64, 3, shape, &q));
    const gm_ising_sweeps run = {.seed = 1, .sweeps = 3};
    const gm_ising_result r = {.sums = &q, .status = &t};
    gm_workspace w = {a->scratch, sizeof a->scratch}, small = {a->scratch, 0};
    gm_workspace odd = {a->scratch + 1, sizeof a->scratch - 1};
    ASSERT_FAILS(NULL, gm_multispin_run(NULL, &run, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    REFUSED(gm_multispin_run(plan, NULL, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "run");
    REFUSED(gm_multispin_run(plan, &run, &b, &x, &r, NULL), GM_STATUS_INVALID_ARGUMENT,
            "workspace is NULL");
    REFUSED(gm_multispin_run(plan, &run, NULL, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "beta");
    REFUSED(gm_multispin_run(plan, &run, &b, NULL, &r, &w), GM_STATUS_INVALID_ARGUMENT, "packed");
    gm_ising_sweeps wrong = run;
    wrong.sweeps = -1;
    REFUSED(gm_multispin_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT,
            "run.sweeps = -1");
    wrong.sweeps = 3;
    wrong.first_sweep = (UINT64_C(1) << 52) - 3; /* and 2 words: 2^53 */
    REFUSED(gm_multispin_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "noise");
    wrong.first_sweep = UINT64_MAX;
    REFUSED(gm_multispin_run(plan, &wrong, &b, &x, &r, &w), GM_STATUS_INVALID_ARGUMENT, "noise");
    gm_tensor y = x;
    y.shape[1] = WORDS - 1;
    REFUSED(gm_multispin_run(plan, &run, &b, &y, &r, &w), GM_STATUS_SHAPE_MISMATCH,
            "packed.shape[1] = 1");
    y = x;
    y.dtype = GM_I32;
    REFUSED(gm_multispin_run(plan, &run, &b, &y, &r, &w), GM_STATUS_INVALID_ARGUMENT,
            "packed.dtype");
    y = b;
    y.shape[0] = CHAINS - 1;
    REFUSED(gm_multispin_run(plan, &run, &y, &x, &r, &w), GM_STATUS_SHAPE_MISMATCH, "beta.shape");
    y = q;
    y.shape[1] = 3;
    REFUSED(gm_multispin_run(plan, &run, &b, &x, &(gm_ising_result){.sums = &y}, &w),
            GM_STATUS_SHAPE_MISMATCH, "result.sums.shape[1]");
    y = t;
    y.data = a->packed;
    REFUSED(gm_multispin_run(plan, &run, &b, &x, &(gm_ising_result){.status = &y}, &w),
            GM_STATUS_INVALID_ARGUMENT, "overlap");
    REFUSED(gm_multispin_run(plan, &run, &b, &x, &r, &small), GM_STATUS_WORKSPACE_TOO_SMALL,
            "workspace.bytes = 0");
    REFUSED(gm_multispin_run(plan, &run, &b, &x, &r, &odd), GM_STATUS_INVALID_ARGUMENT, "aligned");
}

static void wrong_calls_write_nothing(void **state) {
    (void)state;
    const gm_multispin_model model = {.axes = 2, .size = {4, 4}, .periodic = {1, 1}};
    static arguments a, before;
    for (int i = 0; i < CHAINS * SITES; ++i) {
        a.spins[i] = i % 3 == 0 ? 1 : -1;
    }
    FOR_EACH_SUBJECT(s) {
        if (s->is_kernel) {
            continue;
        }
        gm_multispin_plan *plan;
        ASSERT_OK(s->context, gm_multispin_plan_create(s->context, &model, &plan));
        before = a;
        refuse_conversions(s->context, plan, &a);
        refuse_runs(s->context, plan, &a);
        assert_memory_equal(&a, &before, sizeof a);
        gm_multispin_plan_destroy(plan);
    }
}

/* No chain, no sweep; the bits that are no sites' are cleared all the same. */
static void nothing_is_done_for_nothing(void **state) {
    (void)state;
    const gm_multispin_model model = {.axes = 2, .size = {4, 4}, .periodic = {1, 1}};
    FOR_EACH_SUBJECT(s) {
        const double beta[2] = {0.5, 0.5};
        uint32_t packed[4] = {0x12, 0x34, 0xa5, 0xff};
        uint64_t sums[2 * 2 * GM_ISING_SUMS];
        packed_run r = {.chains = 2, .beta = beta, .packed = packed, .sums = sums};
        run_multispin_model(s, &model, &r);
        assert_true(packed[0] == 0x12 && packed[1] == 0x34 && packed[2] == 0xa5 &&
                    packed[3] == 0xff);
        for (int i = 0; i < COUNT(sums); ++i) {
            assert_true(sums[i] == 0);
        }
        packed[1] = 0xffffff34; /* there are 8 sites of a colour */
        run_multispin_model(s, &model, &r);
        assert_true(packed[1] == 0x34);
        r.chains = 0;
        run_multispin_model(s, &model, &r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_chains_spoil_nothing),
        cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(wrong_calls_write_nothing),
        cmocka_unit_test(nothing_is_done_for_nothing),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
