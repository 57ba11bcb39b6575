/* Groups of contractions: every refusal, and groups that hold nothing. */
#include <genmath/contract_group.h>

#include "tests/contract.h"

#define BAD GM_STATUS_INVALID_ARGUMENT

typedef struct small_group {
    gm_tensor inputs[4], outputs[2], addends[2], biases[2];
    int64_t layout_of[3];
    gm_contract_group group;
} small_group;

/* Two layouts of f32, 2 x 3 by 3 x 2 and 1 x 1 by 1 x 1; three problems. */
static void make_small_group(small_group *g) {
    *g = (small_group){
        .inputs = {gm_tensor_2d(NULL, GM_F32, 2, 3), gm_tensor_2d(NULL, GM_F32, 3, 2),
                   gm_tensor_2d(NULL, GM_F32, 1, 1), gm_tensor_2d(NULL, GM_F32, 1, 1)},
        .outputs = {gm_tensor_2d(NULL, GM_F32, 2, 2), gm_tensor_2d(NULL, GM_F32, 1, 1)},
        .addends = {gm_tensor_2d(NULL, GM_F32, 2, 2), gm_tensor_2d(NULL, GM_F32, 1, 1)},
        .biases = {gm_tensor_2d(NULL, GM_F32, 1, 2), gm_tensor_2d(NULL, GM_F32, 1, 1)},
        .layout_of = {0, 1, 0},
        .group = {.operands = 2, .problems = 3, .layouts = 2}};
    g->group.layout_of = g->layout_of;
    g->group.inputs = g->inputs;
    g->group.outputs = g->outputs;
}

static void refuse_plan(const target *t, const char *expression, const gm_contract_group *group,
                        const gm_contract_group_options *options, gm_status status,
                        const char *text) {
    gm_contract_group_plan *plan = (gm_contract_group_plan *)(uintptr_t)1;
    ASSERT_FAILS(t->context,
                 gm_contract_group_plan_create(t->context, expression, group, options, &plan),
                 status, text);
    assert_null(plan);
}

static void refuses_bad_plans(void **state) {
    (void)state;
    static const char product[] = "ij,jk->ik";
    static small_group g;
    gm_contract_group_plan *plan;
    make_small_group(&g);
    ASSERT_FAILS(NULL, gm_contract_group_plan_create(NULL, product, &g.group, NULL, &plan), BAD,
                 "context is NULL");
    FOR_EACH_TARGET(t) {
        if (t->is_loops) {
            refuse_plan(t, product, &g.group, NULL, GM_STATUS_UNSUPPORTED, "loops backend");
            continue;
        }
#define REFUSE(change, expression, options, status, text)                                          \
    do {                                                                                           \
        make_small_group(&g);                                                                      \
        change;                                                                                    \
        refuse_plan(t, expression, &g.group, options, status, text);                               \
    } while (0)
        ASSERT_FAILS(t->context,
                     gm_contract_group_plan_create(t->context, product, &g.group, NULL, NULL), BAD,
                     "plan is NULL");
        refuse_plan(t, product, NULL, NULL, BAD, "group is NULL");
        REFUSE(, NULL, NULL, BAD, "expression is NULL");
        REFUSE(g.group.operands = 3, product, NULL, GM_STATUS_UNSUPPORTED, "group.operands = 3");
        REFUSE(g.group.operands = 1, product, NULL, GM_STATUS_UNSUPPORTED, "group.operands = 1");
        REFUSE(g.group.problems = -1, product, NULL, BAD, "group.problems = -1");
        REFUSE(g.group.problems = INT64_C(1) << 31, product, NULL, BAD, "group.problems = 21474");
        REFUSE(g.group.layouts = -1, product, NULL, BAD, "group.layouts = -1");
        REFUSE(g.group.inputs = NULL, product, NULL, BAD, "group.inputs is NULL");
        REFUSE(g.group.outputs = NULL, product, NULL, BAD, "group.outputs is NULL");
        REFUSE(g.group.layout_of = NULL, product, NULL, BAD, "3 problems of 2 layouts");
        REFUSE(g.layout_of[2] = 2, product, NULL, BAD, "group.layout_of[2] = 2");
        REFUSE(g.layout_of[1] = -1, product, NULL, BAD, "group.layout_of[1] = -1");
        REFUSE(, "ij,jk->i$", NULL, BAD, "layout 0: ");
        REFUSE(, "ij->ij", NULL, BAD, "layout 0: ");
        REFUSE(g.inputs[3].ndim = 1, product, NULL, GM_STATUS_SHAPE_MISMATCH,
               "layout 1: inputs[1]");
        REFUSE((g.inputs[1].shape[0] = 4), product, NULL, GM_STATUS_SHAPE_MISMATCH,
               "layout 0: label j is 3 in operand 0 and 4 in operand 1");
        REFUSE(g.outputs[0].shape[0] = 3, product, NULL, GM_STATUS_SHAPE_MISMATCH, "layout 0: ");
        REFUSE(g.outputs[0].stride[0] = 0, product, NULL, BAD, "layout 0: output: two of its");
        REFUSE(g.inputs[3].ndim = 33, product, NULL, BAD, "layout 1: inputs[1]");
        REFUSE(g.inputs[2].dtype = GM_F64, product, NULL, BAD, "layout 1: inputs[1].dtype = f32");
        REFUSE(g.inputs[2].dtype = g.inputs[3].dtype = g.outputs[1].dtype = GM_F64, product, NULL,
               BAD, "layout 1: f64 gives f64: must be as in layout 0, f32 gives f32");
        REFUSE(g.outputs[1].dtype = GM_F16, product, NULL, GM_STATUS_UNSUPPORTED,
               "layout 1: output.dtype = f16");
        REFUSE((g.group.addends = g.addends, g.addends[1].shape[0] = 2), product, NULL,
               GM_STATUS_SHAPE_MISMATCH, "layout 1: addend.shape[0] = 2: must be 1");
        REFUSE((g.group.addends = g.addends, g.addends[0].dtype = GM_F64), product, NULL, BAD,
               "layout 0: addend.dtype = f64");
        REFUSE((g.group.biases = g.biases, g.biases[0].shape[1] = 3), product, NULL,
               GM_STATUS_SHAPE_MISMATCH, "layout 0: bias.shape[1] = 3: must be 1 or 2");
        const gm_contract_group_options math = {.math = (gm_contract_math)9},
                                        activation = {.activation = (gm_activation)99},
                                        kernel = {.kernel = "gemm"};
        REFUSE(, product, &math, BAD, "options.math = 9");
        REFUSE(, product, &activation, BAD, "options.epilogue.activation = 99");
        REFUSE(, product, &kernel, GM_STATUS_UNSUPPORTED, "gemm");
#undef REFUSE
    }
    gm_contract_group_plan_destroy(NULL);
    assert_int_equal(gm_contract_group_workspace(NULL), 0);
    assert_true(gm_contract_group_operations(NULL) == 0);
    assert_string_equal(gm_contract_group_explain(NULL), "");
}

static void refuses_bad_arrays(void **state) {
    (void)state;
    enum { FLOATS = 64 };
    static small_group g;
    ASSERT_FAILS(NULL, gm_contract_group_bind(NULL, NULL, NULL, 0), BAD, "plan is NULL");
    ASSERT_FAILS(NULL, gm_contract_group_execute(NULL), BAD, "plan is NULL");
    FOR_EACH_TARGET(t) {
        if (t->is_loops) {
            continue;
        }
        gm_context *x = t->context;
        gm_contract_group_plan *plan;
        make_small_group(&g);
        g.group.addends = g.addends;
        g.group.biases = g.biases;
        const gm_contract_group_options options = {.sample = 1};
        ASSERT_OK(x, gm_contract_group_plan_create(x, "ij,jk->ik", &g.group, &options, &plan));
        const size_t bytes = gm_contract_group_workspace(plan);
        void *workspace, *memory;
        float poisoned[FLOATS], after[FLOATS];
        memset(poisoned, 0xff, sizeof poisoned);
        ASSERT_OK(x, gm_memory_alloc(x, bytes + 64, &workspace));
        ASSERT_OK(x, gm_memory_alloc(x, sizeof poisoned, &memory));
        ASSERT_OK(x, gm_memory_upload(x, memory, poisoned, sizeof poisoned));
        float *f = memory;
        /* a, b, then d at 16, 20, 24, c at 32, 36, 40, bias at 48. */
        const void *inputs[] = {f, f + 8, f, f + 8, f, f + 8};
        void *outputs[] = {f + 16, f + 20, f + 24};
        const void *addends[] = {f + 32, f + 36, f + 40}, *biases[] = {f + 48, f + 48, f + 48};
        const uint64_t first[] = {0, 0, 0};
        gm_contract_scale scales[] = {{.alpha = 1, .beta = 1}, {.alpha = 1}, {.alpha = 1}};
        const gm_contract_group_arrays good = {.inputs = inputs,
                                               .outputs = outputs,
                                               .addends = addends,
                                               .biases = biases,
                                               .scales = scales,
                                               .scale_count = 3,
                                               .first = first};
        gm_contract_group_arrays arrays;
        ASSERT_FAILS(x, gm_contract_group_execute(plan), BAD, "has not told it");
#define REFUSE(change, back, text)                                                                 \
    do {                                                                                           \
        arrays = good;                                                                             \
        change;                                                                                    \
        ASSERT_FAILS(x, gm_contract_group_bind(plan, &arrays, workspace, bytes), BAD, text);       \
        ASSERT_FAILS(x, gm_contract_group_execute(plan), BAD, "has not told it");                  \
        back;                                                                                      \
    } while (0)
        ASSERT_FAILS(x, gm_contract_group_bind(plan, NULL, workspace, bytes), BAD,
                     "arrays is NULL");
        REFUSE(arrays.inputs = NULL, , "arrays.inputs is NULL");
        REFUSE(arrays.outputs = NULL, , "arrays.outputs is NULL");
        REFUSE(arrays.biases = NULL, , "arrays.biases is NULL");
        REFUSE(arrays.first = NULL, , "arrays.first is NULL");
        REFUSE(arrays.scale_count = 2, , "arrays.scale_count = 2: must be 1 or 3");
        REFUSE(inputs[3] = NULL, inputs[3] = f + 8, "problem 1: inputs[1].data is NULL");
        REFUSE(outputs[2] = NULL, outputs[2] = f + 24, "problem 2: outputs.data is NULL");
        REFUSE(biases[1] = NULL, biases[1] = f + 48, "problem 1: biases.data is NULL");
        REFUSE(addends[0] = NULL, addends[0] = f + 32, "problem 0: addends.data is NULL");
        REFUSE(arrays.addends = NULL, , "problem 0: addends.data is NULL");
        REFUSE(inputs[0] = (char *)memory + 1, inputs[0] = f,
               "problem 0: inputs[0].data is not al");
        REFUSE(outputs[1] = f + 19, outputs[1] = f + 20,
               "outputs of problem 0 and outputs of problem 1 overlap");
        REFUSE(outputs[2] = f + 16, outputs[2] = f + 24, "overlap in memory");
        REFUSE(outputs[0] = f + 5, outputs[0] = f + 16, "of problem 0 overlap");
        REFUSE(outputs[2] = f + 4, outputs[2] = f + 24, "overlap in memory");
        REFUSE((inputs[4] = f + 26, inputs[3] = f + 27, outputs[2] = f + 29),
               (inputs[4] = f, inputs[3] = f + 8, outputs[2] = f + 24),
               "inputs[0] of problem 2 and outputs of problem 2 overlap");
        REFUSE(outputs[2] = f + 47, outputs[2] = f + 24,
               "outputs of problem 2 and biases of problem");
        REFUSE(addends[0] = f + 17, addends[0] = f + 32, "addends of problem 0");
        REFUSE(addends[0] = f + 24, addends[0] = f + 32, "of problem 2");
        if (t->is_slow) {
            static float elsewhere[4];
            REFUSE(outputs[0] = elsewhere, outputs[0] = f + 16,
                   "problem 0: outputs.data is not memory of");
        }
        if (bytes > 0) {
            ASSERT_FAILS(x, gm_contract_group_bind(plan, &good, workspace, bytes - 1),
                         GM_STATUS_WORKSPACE_TOO_SMALL, "the plan needs");
            ASSERT_FAILS(x, gm_contract_group_bind(plan, &good, NULL, bytes), BAD,
                         "workspace.data is NULL");
            ASSERT_FAILS(x, gm_contract_group_bind(plan, &good, (char *)workspace + 4, bytes), BAD,
                         "not aligned to 64 bytes");
            REFUSE(outputs[1] = workspace, outputs[1] = f + 20, "the workspace");
        }
        ASSERT_OK(x, gm_memory_download(x, after, memory, sizeof after));
        assert_memory_equal(after, poisoned, sizeof after);
        /* The output itself as an addend, a scale for all; after a refusal nothing is bound. */
        outputs[0] = f + 16;
        addends[0] = f + 16;
        arrays = good;
        ASSERT_OK(x, gm_contract_group_bind(plan, &arrays, workspace, bytes));
        REFUSE(outputs[1] = f + 19, outputs[1] = f + 20, "overlap in memory");
        scales[0].beta = 0;
        arrays = good;
        arrays.scale_count = 1;
        arrays.addends = NULL;
        ASSERT_OK(x, gm_contract_group_bind(plan, &arrays, workspace, bytes));
        ASSERT_OK(x, gm_contract_group_execute(plan));
#undef REFUSE
        gm_contract_group_plan_destroy(plan);
        ASSERT_OK(x, gm_memory_free(x, workspace));
        ASSERT_OK(x, gm_memory_free(x, memory));
    }
}

/* A beta without planned addends; whole numbers for i32. */
static void refuses_bad_scales(void **state) {
    (void)state;
    static small_group g;
    int32_t numbers[32] = {0};
    for (int i = 0; i < target_count; ++i) {
        const target *t = &targets[i];
        if (t->is_loops || t->is_slow) {
            continue;
        }
        make_small_group(&g);
        for (int k = 0; k < 4; ++k) {
            g.inputs[k].dtype = GM_I32;
        }
        g.outputs[0].dtype = g.outputs[1].dtype = GM_I32;
        gm_contract_group_plan *plan;
        ASSERT_OK(t->context,
                  gm_contract_group_plan_create(t->context, "ij,jk->ik", &g.group, NULL, &plan));
        const void *inputs[] = {numbers, numbers, numbers, numbers, numbers, numbers};
        void *outputs[] = {numbers + 16, numbers + 20, numbers + 24};
        gm_contract_scale scale = {.alpha = 1, .beta = 1};
        const gm_contract_group_arrays arrays = {
            .inputs = inputs, .outputs = outputs, .scales = &scale, .scale_count = 1};
        void *workspace = NULL;
        const size_t bytes = gm_contract_group_workspace(plan);
        ASSERT_OK(t->context, gm_memory_alloc(t->context, bytes, &workspace));
        ASSERT_FAILS(t->context, gm_contract_group_bind(plan, &arrays, workspace, bytes),
                     GM_STATUS_INVALID_ARGUMENT, "problem 0: scale.beta is not 0, and the plan");
        scale = (gm_contract_scale){.alpha = 0.5};
        ASSERT_FAILS(t->context, gm_contract_group_bind(plan, &arrays, workspace, bytes),
                     GM_STATUS_INVALID_ARGUMENT, "problem 0: scale.alpha = 0.5: must be a whole");
        gm_contract_group_plan_destroy(plan);
        ASSERT_OK(t->context, gm_memory_free(t->context, workspace));
    }
}

static void takes_nothing(void **state) {
    (void)state;
    static small_group g;
    const gm_contract_group none = {.operands = 2};
    const gm_contract_group_arrays no_arrays = {.scale_count = 0};
    FOR_EACH_TARGET(t) {
        if (t->is_loops) {
            continue;
        }
        gm_contract_group_plan *plan;
        gm_context *x = t->context;
        ASSERT_OK(x, gm_contract_group_plan_create(x, "ij,jk->ik", &none, NULL, &plan));
        assert_int_equal(gm_contract_group_workspace(plan), 0);
        ASSERT_OK(x, gm_contract_group_bind(plan, &no_arrays, NULL, 0));
        ASSERT_OK(x, gm_contract_group_execute(plan));
        gm_contract_group_plan_destroy(plan);
        /* Layouts without problems, and problems without elements. */
        make_small_group(&g);
        g.outputs[0] = gm_tensor_2d(NULL, GM_F32, 2, 0);
        g.inputs[1] = gm_tensor_2d(NULL, GM_F32, 3, 0);
        g.layout_of[1] = 0;
        const void *inputs[6] = {NULL};
        void *outputs[3] = {NULL};
        const gm_contract_group_arrays arrays = {.inputs = inputs, .outputs = outputs};
        ASSERT_OK(x, gm_contract_group_plan_create(x, "ij,jk->ik", &g.group, NULL, &plan));
        assert_int_equal(gm_contract_group_workspace(plan), 0);
        assert_non_null(strstr(gm_contract_group_explain(plan), "3 without elements"));
        ASSERT_OK(x, gm_contract_group_bind(plan, &arrays, NULL, 0));
        ASSERT_OK(x, gm_contract_group_execute(plan));
        gm_contract_group_plan_destroy(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_plans),
        cmocka_unit_test(refuses_bad_arrays),
        cmocka_unit_test(refuses_bad_scales),
        cmocka_unit_test(takes_nothing),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
