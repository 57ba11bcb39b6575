/* Contractions: every refusal, with its status and message, and nothing written. */
#include "tests/contract.h"

static const gm_dtype any = GM_F64;

/* Fails to plan with tensors of these shapes, row-major and without data. */
static void refuse(const target *t, const char *expression, int32_t count, const int32_t *ndims,
                   const int64_t *shapes, int32_t out_ndim, const int64_t *out_shape,
                   gm_status status, const char *text) {
    gm_tensor inputs[GM_MAX_OPERANDS], output;
    gm_contract_plan *plan = (gm_contract_plan *)(uintptr_t)1;
    for (int32_t i = 0; i < count; ++i) {
        ASSERT_OK(NULL, gm_tensor_view(NULL, any, ndims[i], shapes, &inputs[i]));
        shapes += ndims[i];
    }
    ASSERT_OK(NULL, gm_tensor_view(NULL, any, out_ndim, out_shape, &output));
    ASSERT_FAILS(
        t->context,
        gm_contract_plan_create(t->context, expression, count, inputs, &output, NULL, &plan),
        status, text);
    assert_null(plan);
    ASSERT_FAILS(t->context, gm_contract(t->context, expression, count, inputs, &output), status,
                 text);
}

typedef struct bad {
    const char *expression;
    int32_t count, ndims[3];
    int64_t shapes[9];
    int32_t out_ndim;
    int64_t out_shape[3];
    gm_status status;
    const char *text;
} bad;

static const bad expressions[] = {
    {"ij,jk->ik$", 2, {2, 2}, {2, 2, 2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 9: '$'"},
    {"ij,j1->i", 2, {2, 2}, {2, 2, 2, 2}, 1, {2}, GM_STATUS_INVALID_ARGUMENT, "at 4: '1'"},
    {"ij\n->ij", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 2: the byte 0x0a"},
    {"\xc3\xa9->", 1, {2}, {2, 2}, 0, {0}, GM_STATUS_INVALID_ARGUMENT, "at 0: the byte 0xc3"},
    {"ij-ij", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 2: a '-'"},
    {"ij->ij-", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 6: '-' after"},
    {"ij->ij->i", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 6: '-' after"},
    {"ij->i,j", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 5: ',' after"},
    {"i..j->ij", 1, {2}, {2, 2}, 2, {2, 2}, GM_STATUS_INVALID_ARGUMENT, "at 1: a '.'"},
    {"...i...->i", 1, {2}, {2, 2}, 1, {2}, GM_STATUS_INVALID_ARGUMENT, "at 4: a second"},
    {"ij->ik",
     1,
     {2},
     {2, 2},
     2,
     {2, 2},
     GM_STATUS_INVALID_ARGUMENT,
     "at 5: label k of the output is in no operand"},
    {"ij->iji",
     1,
     {2},
     {2, 2},
     3,
     {2, 2, 2},
     GM_STATUS_INVALID_ARGUMENT,
     "at 6: label i appears twice"},
    {"...i->i", 1, {2}, {3, 2}, 1, {2}, GM_STATUS_INVALID_ARGUMENT, "stands for 1 dimension "},
    {"ij,jk->ik",
     1,
     {2},
     {2, 2},
     2,
     {2, 2},
     GM_STATUS_INVALID_ARGUMENT,
     "has 2 operands, count = 1"},
    {"ij->ij",
     2,
     {2, 2},
     {2, 2, 2, 2},
     2,
     {2, 2},
     GM_STATUS_INVALID_ARGUMENT,
     "has 1 operand, count = 2"},
    {"ijk,jk->i",
     2,
     {2, 2},
     {2, 2, 2, 2},
     1,
     {2},
     GM_STATUS_SHAPE_MISMATCH,
     "inputs[0].ndim = 2: the expression \"ijk,jk->i\" gives it 3 labels"},
    {"ij,j->i", 2, {2, 2}, {2, 2, 2, 2}, 1, {2}, GM_STATUS_SHAPE_MISMATCH, "inputs[1].ndim = 2"},
    {"ij...,j->i",
     2,
     {1, 1},
     {2, 2},
     1,
     {2},
     GM_STATUS_SHAPE_MISMATCH,
     "inputs[0].ndim = 1: the expression \"ij...,j->i\" gives it 2 labels and"},
    {"ik,kj->ij",
     2,
     {2, 2},
     {2, 3, 4, 2},
     2,
     {2, 2},
     GM_STATUS_SHAPE_MISMATCH,
     "label k is 3 in operand 0 and 4 in operand 1"},
    {"ik,kj->ij",
     2,
     {2, 2},
     {2, 0, 4, 2},
     2,
     {2, 2},
     GM_STATUS_SHAPE_MISMATCH,
     "label k is 0 in operand 0 and 4 in operand 1"},
    {"ii->i",
     1,
     {2},
     {2, 3},
     1,
     {2},
     GM_STATUS_SHAPE_MISMATCH,
     "label i is 2 in operand 0 and 3 in operand 0"},
    {"...i,...i->...",
     2,
     {2, 2},
     {3, 2, 4, 2},
     1,
     {3},
     GM_STATUS_SHAPE_MISMATCH,
     "dimension 0 of \"...\" is 3 in operand 0 and 4 in operand 1"},
    {"ij->ij", 1, {2}, {2, 3}, 1, {2}, GM_STATUS_SHAPE_MISMATCH, "output.ndim = 1: must be 2"},
    {"ij->ji",
     1,
     {2},
     {2, 3},
     2,
     {2, 3},
     GM_STATUS_SHAPE_MISMATCH,
     "output.shape[0] = 2: must be 3, the size of label j"},
    {"...j->j...",
     1,
     {2},
     {2, 3},
     2,
     {3, 3},
     GM_STATUS_SHAPE_MISMATCH,
     "output.shape[1] = 3: must be 2, the size of its dimension of \"...\""},
};

static void expressions_are_checked(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(expressions); ++i) {
            const bad *b = &expressions[i];
            refuse(t, b->expression, b->count, b->ndims, b->shapes, b->out_ndim, b->out_shape,
                   b->status, b->text);
        }
    }
}

static void limits_are_checked(void **state) {
    (void)state;
    char many[400] = "", long_one[200] = "";
    const int64_t shape[GM_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int32_t ndims[] = {32, 2}, none[GM_MAX_OPERANDS] = {0};
    for (int i = 0; i < GM_MAX_OPERANDS; ++i) {
        strcat(many, ",");
    }
    memset(long_one, 'a', 33);
    FOR_EACH_TARGET(t) {
        refuse(t, many, GM_MAX_OPERANDS, none, shape, 0, shape, GM_STATUS_INVALID_ARGUMENT,
               "at 63: more than 64 operands");
        refuse(t, long_one, 1, ndims, shape, 0, shape, GM_STATUS_INVALID_ARGUMENT,
               "at 32: more than 32 labels");
        int64_t shapes[34];
        for (int i = 0; i < 34; ++i) {
            shapes[i] = 1;
        }
        refuse(t, "abcdefghijklmnopqrstuvwxyzABCDEF,gG->", 2, ndims, shapes, 0, shape,
               GM_STATUS_INVALID_ARGUMENT, "more than 32 labels");
        refuse(t, "...,aA->...", 2, ndims, shapes, 32, shape, GM_STATUS_INVALID_ARGUMENT,
               "more than 32 labels");
    }
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void plan_arguments_are_checked(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        gm_contract_plan *plan;
        const gm_tensor good[] = {gm_tensor_2d(NULL, GM_F64, 2, 3),
                                  gm_tensor_2d(NULL, GM_F64, 3, 4)};
        const gm_tensor out = gm_tensor_2d(NULL, GM_F64, 2, 4);
        const char *e = "ij,jk->ik";
#define REFUSED(status, text, ...)                                                                 \
    ASSERT_FAILS(c, gm_contract_plan_create(c, __VA_ARGS__, &plan), GM_STATUS_##status, text);     \
    assert_null(plan)
        REFUSED(INVALID_ARGUMENT, "expression is NULL", NULL, 2, good, &out, NULL);
        REFUSED(INVALID_ARGUMENT, "count = 0", e, 0, good, &out, NULL);
        REFUSED(INVALID_ARGUMENT, "count = 65", e, 65, good, &out, NULL);
        REFUSED(INVALID_ARGUMENT, "inputs is NULL", e, 2, NULL, &out, NULL);
        REFUSED(INVALID_ARGUMENT, "output is NULL", e, 2, good, NULL, NULL);
        ASSERT_FAILS(NULL, gm_contract_plan_create(NULL, e, 2, good, &out, NULL, &plan),
                     GM_STATUS_INVALID_ARGUMENT, "context is NULL");
        ASSERT_FAILS(c, gm_contract_plan_create(c, e, 2, good, &out, NULL, NULL),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        ASSERT_FAILS(NULL, gm_contract(NULL, e, 2, good, &out), GM_STATUS_INVALID_ARGUMENT,
                     "context is NULL");
        ASSERT_FAILS(c, gm_contract(c, e, 2, NULL, &out), GM_STATUS_INVALID_ARGUMENT,
                     "inputs is NULL");
        ASSERT_FAILS(c, gm_contract(c, e, 2, good, NULL), GM_STATUS_INVALID_ARGUMENT,
                     "output is NULL");
        gm_tensor bad_inputs[2], bad_out;
#define WITH_BAD(change)                                                                           \
    memcpy(bad_inputs, good, sizeof good);                                                         \
    bad_out = out;                                                                                 \
    change
        WITH_BAD(bad_inputs[1].dtype = GM_F32);
        REFUSED(INVALID_ARGUMENT, "inputs[1].dtype = f32: must be f64", e, 2, bad_inputs, &out,
                NULL);
        WITH_BAD(bad_inputs[1].dtype = (gm_dtype)77);
        REFUSED(INVALID_ARGUMENT, "inputs[1].dtype = 77", e, 2, bad_inputs, &out, NULL);
        WITH_BAD(bad_inputs[0].ndim = 33);
        REFUSED(INVALID_ARGUMENT, "inputs[0]", e, 2, bad_inputs, &out, NULL);
        ASSERT_FAILS(c, gm_contract(c, e, 2, bad_inputs, &out), GM_STATUS_INVALID_ARGUMENT,
                     "inputs[0]");
        WITH_BAD(bad_inputs[0].shape[1] = -3);
        REFUSED(INVALID_ARGUMENT, "inputs[0]", e, 2, bad_inputs, &out, NULL);
        WITH_BAD(bad_inputs[0].stride[1] = INT64_MAX / 4);
        REFUSED(INVALID_ARGUMENT, "reach over 2^63", e, 2, bad_inputs, &out, NULL);
        WITH_BAD(bad_out.dtype = GM_F32);
        REFUSED(UNSUPPORTED, "output.dtype = f32: f64 gives its own", e, 2, good, &bad_out, NULL);
        WITH_BAD(bad_out.stride[0] = 3);
        REFUSED(INVALID_ARGUMENT, "share memory", e, 2, good, &bad_out, NULL);
        for (gm_dtype type = GM_F64; type < GM_DTYPE_COUNT; ++type) {
            WITH_BAD(bad_inputs[0].dtype = bad_inputs[1].dtype = bad_out.dtype = type);
            if (type == GM_I16 || type == GM_I64 || (type >= GM_U8 && type <= GM_BOOL)) {
                REFUSED(UNSUPPORTED, "contractions are of", e, 2, bad_inputs, &bad_out, NULL);
            }
        }
        WITH_BAD(bad_inputs[0].dtype = bad_inputs[1].dtype = bad_out.dtype = GM_I8);
        REFUSED(UNSUPPORTED, "i8 gives i32", e, 2, bad_inputs, &bad_out, NULL);
        const gm_tensor three[] = {gm_tensor_1d(NULL, GM_I8, 2), gm_tensor_1d(NULL, GM_I8, 2),
                                   gm_tensor_1d(NULL, GM_I8, 2)};
        bad_out = gm_tensor_1d(NULL, GM_I32, 2);
        REFUSED(UNSUPPORTED, "3 operands of i8", "i,i,i->i", 3, three, &bad_out, NULL);
    }
}

static void options_are_checked(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        gm_contract_plan *plan;
        const char *e = "i,i->i";
        double memory[2] = {0, 0};
        const gm_tensor f64[] = {gm_tensor_1d(NULL, GM_F64, 2), gm_tensor_1d(NULL, GM_F64, 2)};
        const gm_tensor f16[] = {gm_tensor_1d(NULL, GM_F16, 2), gm_tensor_1d(NULL, GM_F16, 2)};
        const gm_tensor i32[] = {gm_tensor_1d(NULL, GM_I32, 2), gm_tensor_1d(NULL, GM_I32, 2)};
        const gm_tensor bias = gm_tensor_1d(memory, GM_F32, 2);
        const gm_tensor longer = gm_tensor_1d(memory, GM_F64, 3);
        const gm_tensor wide = gm_tensor_2d(memory, GM_F64, 1, 2);
        const gm_tensor absent = gm_tensor_1d(NULL, GM_F64, 2);
#define OPTIONS(...) &(const gm_contract_options){__VA_ARGS__}
#define EPILOGUE(...) OPTIONS(.epilogue = &(const gm_contract_epilogue){__VA_ARGS__})
        REFUSED(INVALID_ARGUMENT, "options.math = 9", e, 2, f64, &f64[0],
                OPTIONS(.math = (gm_contract_math)9));
        REFUSED(INVALID_ARGUMENT, "TF32 is", e, 2, f64, &f64[0], OPTIONS(.math = GM_CONTRACT_TF32));
        REFUSED(INVALID_ARGUMENT, "TF32 is", e, 2, f64, &f64[0],
                OPTIONS(.math = GM_CONTRACT_TF32X3));
        REFUSED(INVALID_ARGUMENT, "compensated", e, 2, f16, &f16[0],
                OPTIONS(.math = GM_CONTRACT_COMPENSATED));
        REFUSED(INVALID_ARGUMENT, "options.order = 4", e, 2, f64, &f64[0],
                OPTIONS(.order = (gm_contract_order)4));
        REFUSED(INVALID_ARGUMENT, "memory_limit = -1", e, 2, f64, &f64[0],
                OPTIONS(.memory_limit = -1));
        REFUSED(UNSUPPORTED, "", e, 2, f64, &f64[0], OPTIONS(.kernel = "no such kernel"));
        REFUSED(INVALID_ARGUMENT, "not for i32", e, 2, i32, &i32[0], EPILOGUE(.sample = 1));
        REFUSED(INVALID_ARGUMENT, "activation = 6", e, 2, f64, &f64[0],
                EPILOGUE(.activation = (gm_activation)6));
        REFUSED(INVALID_ARGUMENT, "bias.dtype", e, 2, f64, &f64[0], EPILOGUE(.bias = &bias));
        REFUSED(SHAPE_MISMATCH, "bias.shape[0] = 3", e, 2, f64, &f64[0], EPILOGUE(.bias = &longer));
        REFUSED(SHAPE_MISMATCH, "bias.ndim = 2", e, 2, f64, &f64[0], EPILOGUE(.bias = &wide));
        REFUSED(INVALID_ARGUMENT, "bias.data", e, 2, f64, &f64[0], EPILOGUE(.bias = &absent));
        gm_tensor many[17];
        for (int i = 0; i < 17; ++i) {
            many[i] = f64[0];
        }
        REFUSED(INVALID_ARGUMENT, "16 operands at most", "i,i,i,i,i,i,i,i,i,i,i,i,i,i,i,i,i->i", 17,
                many, &f64[0], OPTIONS(.order = GM_CONTRACT_EXACT));
    }
}

/* No order fits: a chain whose every partial product is larger than the limit. */
static void memory_limits(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        if (t->is_reference) {
            continue; /* which needs no memory */
        }
        gm_context *c = t->context;
        gm_contract_plan *plan;
        const gm_tensor inputs[] = {gm_tensor_2d(NULL, GM_F64, 20, 100),
                                    gm_tensor_2d(NULL, GM_F64, 100, 30),
                                    gm_tensor_2d(NULL, GM_F64, 30, 200)};
        const gm_tensor out = gm_tensor_2d(NULL, GM_F64, 20, 200);
        REFUSED(OUT_OF_MEMORY, "memory_limit = 4000", "ij,jk,kl->il", 3, inputs, &out,
                OPTIONS(.memory_limit = 4000));
        ASSERT_OK(c, gm_contract_plan_create(c, "ij,jk,kl->il", 3, inputs, &out,
                                             OPTIONS(.memory_limit = 1 << 20), &plan));
        assert_true(gm_contract_workspace(plan) <= 1 << 20);
        gm_contract_plan_destroy(plan);
        const gm_tensor vast[] = {gm_tensor_2d(NULL, GM_F64, INT64_C(1) << 40, 2),
                                  gm_tensor_2d(NULL, GM_F64, 2, INT64_C(1) << 40),
                                  gm_tensor_1d(NULL, GM_F64, INT64_C(1) << 40)};
        const gm_tensor long_one = gm_tensor_1d(NULL, GM_F64, INT64_C(1) << 40);
        REFUSED(OUT_OF_MEMORY, "2^63 - 1", "ij,jk,k->i", 3, vast, &long_one,
                OPTIONS(.order = GM_CONTRACT_LEFT_TO_RIGHT));
    }
}

/* ---- execution ------------------------------------------------------------------------------- */

typedef struct arguments {
    gm_contract_scale scale;
    gm_tensor inputs[3], addend, output;
    bool has_addend, no_inputs, no_output;
    void *workspace;
    size_t bytes;
} arguments;

static void refuse_run(const target *t, const gm_contract_plan *plan, const arguments *a,
                       const gm_tensor *output, gm_status status, const char *text) {
    double before[12], after[12];
    ASSERT_OK(t->context, gm_memory_download(t->context, before, output->data, sizeof before));
    ASSERT_FAILS(t->context,
                 gm_contract_execute(plan, &a->scale, a->no_inputs ? NULL : a->inputs,
                                     a->has_addend ? &a->addend : NULL,
                                     a->no_output ? NULL : &a->output, a->workspace, a->bytes),
                 status, text);
    ASSERT_OK(t->context, gm_memory_download(t->context, after, output->data, sizeof after));
    assert_memory_equal(before, after, sizeof before);
}

static void execution_is_checked(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        void *memory;
        static unsigned char zeros[SIZE];
        ASSERT_OK(c, gm_memory_alloc(c, SIZE, &memory));
        ASSERT_OK(c, gm_memory_upload(c, memory, zeros, SIZE));
        unsigned char *at = memory;
        arguments good = {.scale = {.alpha = 1}};
        good.inputs[0] = gm_tensor_2d(at, GM_F64, 3, 5);
        good.inputs[1] = gm_tensor_2d(at + 512, GM_F64, 5, 6);
        good.inputs[2] = gm_tensor_2d(at + 1024, GM_F64, 6, 4);
        good.output = gm_tensor_2d(at + 1536, GM_F64, 3, 4);
        good.addend = gm_tensor_2d(at + 2048, GM_F64, 3, 4);
        good.workspace = at + 2560;
        gm_contract_plan *plan;
        ASSERT_OK(c, gm_contract_plan_create(c, "ij,jk,kl->il", 3, good.inputs, &good.output, NULL,
                                             &plan));
        good.bytes = gm_contract_workspace(plan);
        assert_true(t->is_reference || good.bytes > 0);
        assert_true(good.bytes <= SIZE - 2560);
        const gm_tensor *out = &good.output;
        arguments a;
#define BAD(status, text, change)                                                                  \
    a = good;                                                                                      \
    change;                                                                                        \
    refuse_run(t, plan, &a, out, GM_STATUS_##status, text)
        BAD(INVALID_ARGUMENT, "inputs is NULL", a.no_inputs = true);
        BAD(INVALID_ARGUMENT, "output is NULL", a.no_output = true);
        BAD(INVALID_ARGUMENT, "addend is NULL", a.scale.beta = 1);
        BAD(INVALID_ARGUMENT, "inputs[1].dtype", a.inputs[1].dtype = GM_F32);
        BAD(SHAPE_MISMATCH, "inputs[1].ndim", a.inputs[1].ndim = 1);
        BAD(SHAPE_MISMATCH, "inputs[2].shape[0] = 5: the plan is for 6", a.inputs[2].shape[0] = 5);
        BAD(INVALID_ARGUMENT, "inputs[2].stride[1] = 2", a.inputs[2].stride[1] = 2);
        BAD(INVALID_ARGUMENT, "inputs[0].data is NULL", a.inputs[0].data = NULL);
        BAD(INVALID_ARGUMENT, "aligned", a.inputs[0].data = at + 2);
        BAD(SHAPE_MISMATCH, "output.shape[1]", a.output.shape[1] = 3);
        BAD(INVALID_ARGUMENT, "output.stride[0] = 9", a.output.stride[0] = 9);
        BAD(INVALID_ARGUMENT, "output.dtype", a.output.dtype = GM_F32);
        BAD(INVALID_ARGUMENT, "output.data is NULL", a.output.data = NULL);
        BAD(INVALID_ARGUMENT, "output and inputs[1] overlap", a.output.data = at + 512 + 29 * 8);
        BAD(INVALID_ARGUMENT, "output and inputs[0] overlap", a.output.data = at);
#define WITH_C(change) (a.has_addend = true, a.scale.beta = 1, change)
        BAD(SHAPE_MISMATCH, "addend.shape[0]", WITH_C(a.addend.shape[0] = 2));
        BAD(SHAPE_MISMATCH, "addend.ndim", WITH_C(a.addend.ndim = 1));
        BAD(INVALID_ARGUMENT, "addend.dtype", WITH_C(a.addend.dtype = GM_F32));
        BAD(INVALID_ARGUMENT, "addend.data", WITH_C(a.addend.data = NULL));
        BAD(INVALID_ARGUMENT, "overlap", WITH_C(a.addend.data = at + 1536 + 8));
        BAD(INVALID_ARGUMENT, "overlap",
            WITH_C((a.addend.data = at + 1536, a.addend.stride[0] = 1, a.addend.stride[1] = 3)));
        if (good.bytes > 0) {
            BAD(WORKSPACE_TOO_SMALL, "the plan needs", a.bytes -= 1);
            BAD(INVALID_ARGUMENT, "workspace.data is NULL", a.workspace = NULL);
            BAD(INVALID_ARGUMENT, "64 bytes", a.workspace = at + 2568);
            BAD(INVALID_ARGUMENT, "workspace and output overlap", a.workspace = at + 1536);
            BAD(INVALID_ARGUMENT, "workspace and an input overlap", a.workspace = at + 512);
            BAD(INVALID_ARGUMENT, "workspace and addend overlap", WITH_C(a.workspace = at + 2048));
        }
        ASSERT_FAILS(NULL, gm_contract_execute(NULL, NULL, good.inputs, NULL, out, NULL, 0),
                     GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
        ASSERT_OK(
            c, gm_contract_execute(plan, NULL, good.inputs, NULL, out, good.workspace, good.bytes));
        gm_contract_plan_destroy(plan);
        /* Whole factors for integers. */
        gm_tensor x = gm_tensor_1d(at, GM_I32, 4), y = gm_tensor_1d(at + 512, GM_I32, 4);
        ASSERT_OK(c, gm_contract_plan_create(c, "i->i", 1, &x, &y, NULL, &plan));
        size_t bytes = gm_contract_workspace(plan);
        ASSERT_FAILS(c,
                     gm_contract_execute(plan, &(gm_contract_scale){.alpha = 0.5}, &x, NULL, &y,
                                         good.workspace, bytes),
                     GM_STATUS_INVALID_ARGUMENT, "scale.alpha = 0.5");
        ASSERT_FAILS(c,
                     gm_contract_execute(plan, &(gm_contract_scale){1, 0, 3e9, 0}, &x, &y, &y,
                                         good.workspace, bytes),
                     GM_STATUS_INVALID_ARGUMENT, "scale.beta = 3e+09");
        gm_contract_plan_destroy(plan);
        /* The output on its own bias. */
        const gm_contract_epilogue e = {.bias = out};
        ASSERT_OK(c, gm_contract_plan_create(c, "ij,jk->ik", 2, good.inputs,
                                             &(gm_tensor){at + 1536, GM_F64, 2, {3, 6}, {6, 1}},
                                             NULL, &plan));
        gm_contract_plan_destroy(plan);
        ASSERT_OK(c, gm_contract_plan_create(c, "ij,jk,kl->il", 3, good.inputs, out,
                                             &(gm_contract_options){.epilogue = &e}, &plan));
        a = good;
        a.bytes = gm_contract_workspace(plan);
        refuse_run(t, plan, &a, out, GM_STATUS_INVALID_ARGUMENT, "bias overlap");
        gm_contract_plan_destroy(plan);
        ASSERT_OK(c, gm_memory_free(c, memory));
    }
}

/* The shape and type that an expression gives, without an output. */
static void outputs_are_announced(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        const gm_tensor inputs[] = {gm_tensor_3d(NULL, GM_I8, 5, 2, 3),
                                    gm_tensor_2d(NULL, GM_I8, 3, 4)};
        gm_tensor out = {.ndim = 77};
        ASSERT_FAILS(c, gm_contract_output(c, "aij,jk->q", 2, inputs, &out),
                     GM_STATUS_INVALID_ARGUMENT, "label q");
        ASSERT_FAILS(c, gm_contract_output(c, "aij,ik", 2, inputs, &out), GM_STATUS_SHAPE_MISMATCH,
                     "label i is 2 in operand 0 and 3 in operand 1");
        ASSERT_FAILS(c, gm_contract_output(c, NULL, 2, inputs, &out), GM_STATUS_INVALID_ARGUMENT,
                     "expression is NULL");
        ASSERT_FAILS(c, gm_contract_output(c, "i", 1, inputs, NULL), GM_STATUS_INVALID_ARGUMENT,
                     "output is NULL");
        ASSERT_FAILS(NULL, gm_contract_output(NULL, "i", 1, inputs, &out),
                     GM_STATUS_INVALID_ARGUMENT, "context is NULL");
        assert_int_equal(out.ndim, 77);
        ASSERT_OK(c, gm_contract_output(c, "...ij,jk", 2, inputs, &out));
        assert_true(out.dtype == GM_I32 && out.ndim == 3 && out.data == NULL);
        assert_true(out.shape[0] == 5 && out.shape[1] == 2 && out.shape[2] == 4);
        assert_true(out.stride[0] == 8 && out.stride[1] == 4 && out.stride[2] == 1);
        ASSERT_OK(c, gm_contract_output(c, "aij->", 1, inputs, &out));
        assert_int_equal(out.ndim, 0);
    }
}

static void nothing_is_fine(void **state) {
    (void)state;
    gm_contract_plan_destroy(NULL);
    assert_int_equal(gm_contract_workspace(NULL), 0);
    assert_true(gm_contract_operations(NULL) == 0);
    assert_string_equal(gm_contract_explain(NULL), "");
    assert_null(gm_contract_kernel_name(NULL, 0));
    FOR_EACH_TARGET(t) {
        assert_null(gm_contract_kernel_name(t->context, -1));
        assert_null(gm_contract_kernel_name(t->context, INT32_MAX));
        /* An output without elements, from operands without data. */
        const gm_tensor inputs[] = {gm_tensor_2d(NULL, GM_F32, 0, 4),
                                    gm_tensor_2d(NULL, GM_F32, 4, 0)};
        const gm_tensor out = gm_tensor_2d(NULL, GM_F32, 0, 0);
        ASSERT_OK(t->context, gm_contract(t->context, "ij,jk->ik", 2, inputs, &out));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_are_checked),
        cmocka_unit_test(limits_are_checked),
        cmocka_unit_test(plan_arguments_are_checked),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(memory_limits),
        cmocka_unit_test(execution_is_checked),
        cmocka_unit_test(outputs_are_announced),
        cmocka_unit_test(nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
