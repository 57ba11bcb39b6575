/* Groups of contractions under test: problems in host memory, run on a target and taken back. */
#ifndef GENMATH_TESTS_CONTRACT_GROUP_FIXTURE_H
#define GENMATH_TESTS_CONTRACT_GROUP_FIXTURE_H

#include <genmath/contract_group.h>

#include "tests/contract.h"

enum { MOST = 64, GUARDS = 64 };

/* A problem of the tests: its tensors in host memory; addend and bias with bytes 0: none. */
typedef struct item {
    block inputs[2], addend, bias, out;
    gm_contract_scale scale;
    uint64_t first;
} item;

typedef struct group_run {
    const char *expression;
    int count;
    item *items;
    const int *order; /* of the problems as they are given; NULL: 0, 1, ... */
    gm_contract_group_options options;
    bool scaled, finishes; /* addends and scales; biases and first */
    bool in_place;         /* the addend's values lie in the output */
    bool twice;            /* bound and executed again */
    const char *kernel;    /* out */
    char explanation[4096];
} group_run;

/* The arguments of a group, filled from images. */
typedef struct arguments {
    image inputs[2 * MOST], addends[MOST], biases[MOST], outputs[MOST];
    gm_tensor input_views[2 * MOST], addend_views[MOST], bias_views[MOST], output_views[MOST];
    const void *input_data[2 * MOST], *addend_data[MOST], *bias_data[MOST];
    void *output_data[MOST];
    gm_contract_scale scales[MOST];
    uint64_t first[MOST];
    gm_contract_group group;
    gm_contract_group_arrays arrays;
} arguments;

static item *at_place(const group_run *r, int p) {
    return &r->items[r->order != NULL ? r->order[p] : p];
}

static void fill_arguments(gm_context *context, const group_run *r, arguments *a) {
    *a = (arguments){.group = {.operands = 2, .problems = r->count, .layouts = r->count}};
    for (int p = 0; p < r->count; ++p) {
        item *it = at_place(r, p);
        for (int i = 0; i < 2; ++i) {
            a->inputs[2 * p + i] = upload(context, &it->inputs[i]);
            a->input_views[2 * p + i] = a->inputs[2 * p + i].view;
            a->input_data[2 * p + i] = a->inputs[2 * p + i].view.data;
        }
        a->outputs[p] = upload(context, &it->out);
        a->output_views[p] = a->outputs[p].view;
        a->output_data[p] = a->outputs[p].view.data;
        if (r->scaled && !r->in_place) {
            a->addends[p] = upload(context, &it->addend);
        }
        const image *addend = r->in_place ? &a->outputs[p] : &a->addends[p];
        a->addend_views[p] = addend->view;
        a->addend_data[p] = addend->view.data;
        if (r->finishes) {
            a->biases[p] = upload(context, &it->bias);
            a->bias_views[p] = a->biases[p].view;
            a->bias_data[p] = a->biases[p].view.data;
        }
        a->scales[p] = it->scale;
        a->first[p] = it->first;
    }
    a->group.inputs = a->input_views;
    a->group.outputs = a->output_views;
    a->group.addends = r->scaled ? a->addend_views : NULL;
    a->group.biases = r->finishes ? a->bias_views : NULL;
    a->arrays = (gm_contract_group_arrays){.inputs = a->input_data,
                                           .outputs = a->output_data,
                                           .addends = r->scaled ? a->addend_data : NULL,
                                           .biases = r->finishes ? a->bias_data : NULL,
                                           .scales = r->scaled ? a->scales : NULL,
                                           .scale_count = r->count,
                                           .first = r->finishes ? a->first : NULL};
}

/* Images go back; what was not to be written has not been. */
static void take_back(gm_context *context, group_run *r, arguments *a) {
    for (int p = 0; p < r->count; ++p) {
        item *it = at_place(r, p);
        for (int i = 0; i < 2; ++i) {
            drop(context, &a->inputs[2 * p + i], &it->inputs[i], "an input");
        }
        if (a->addends[p].memory != NULL) {
            drop(context, &a->addends[p], &it->addend, "an addend");
        }
        if (a->biases[p].memory != NULL) {
            drop(context, &a->biases[p], &it->bias, "a bias");
        }
        take_output(context, &a->outputs[p], &it->out);
    }
}

static void poison_output(item *it, const group_run *r) {
    for (int64_t e = 0; r->in_place && e < elements_of(&it->out.view); ++e) {
        set_element(&it->out, e, get_element(&it->addend, e));
    }
}

/* Runs a group; what it gives replaces the outputs. */
static void run_group(const target *t, group_run *r) {
    static arguments a;
    gm_context *context = t->context;
    gm_contract_group_plan *plan;
    for (int p = 0; p < r->count; ++p) {
        poison_output(&r->items[p], r);
    }
    fill_arguments(context, r, &a);
    gm_status status =
        gm_contract_group_plan_create(context, r->expression, &a.group, &r->options, &plan);
    if (status != GM_STATUS_OK) {
        fail_msg("%s: plan of %s: %s", t->name, r->expression, gm_last_error(context));
    }
    snprintf(r->explanation, sizeof r->explanation, "%s", gm_contract_group_explain(plan));
    const size_t bytes = gm_contract_group_workspace(plan);
    unsigned char *before = malloc(bytes + GUARDS), *after = malloc(bytes + GUARDS);
    assert_true(before != NULL && after != NULL);
    memset(before, 0xff, bytes + GUARDS);
    void *workspace;
    ASSERT_OK(context, gm_memory_alloc(context, bytes + GUARDS, &workspace));
    ASSERT_OK(context, gm_memory_upload(context, workspace, before, bytes + GUARDS));
    for (int round = 0; round < (r->twice ? 2 : 1); ++round) {
        ASSERT_OK(context, gm_contract_group_bind(plan, &a.arrays, workspace, bytes));
        ASSERT_OK(context, gm_contract_group_execute(plan));
    }
    ASSERT_OK(context, gm_context_synchronize(context));
    r->kernel = gm_last_kernel(context);
    ASSERT_OK(context, gm_memory_download(context, after, workspace, bytes + GUARDS));
    assert_memory_equal(after + bytes, before + bytes, GUARDS);
    ASSERT_OK(context, gm_memory_free(context, workspace));
    free(before);
    free(after);
    gm_contract_group_plan_destroy(plan);
    take_back(context, r, &a);
}

/* ---- problems -------------------------------------------------------------------------------- */

typedef struct number_type {
    gm_dtype input, output;
    gm_contract_math math;
} number_type;

static const number_type types[] = {
    {GM_F64, GM_F64, GM_CONTRACT_STANDARD},    {GM_F32, GM_F32, GM_CONTRACT_STANDARD},
    {GM_F16, GM_F16, GM_CONTRACT_STANDARD},    {GM_BF16, GM_F32, GM_CONTRACT_STANDARD},
    {GM_C64, GM_C64, GM_CONTRACT_STANDARD},    {GM_C128, GM_C128, GM_CONTRACT_STANDARD},
    {GM_I8, GM_I32, GM_CONTRACT_STANDARD},     {GM_I32, GM_I32, GM_CONTRACT_STANDARD},
    {GM_F32, GM_F32, GM_CONTRACT_COMPENSATED}, {GM_F64, GM_F64, GM_CONTRACT_COMPENSATED},
    {GM_F32, GM_F32, GM_CONTRACT_TF32},
};

static bool is_integer(const number_type *t) {
    return t->output == GM_I32;
}

static bool is_half(gm_dtype dtype) {
    return dtype == GM_F16 || dtype == GM_BF16;
}

/* Operands of an expression of letters whose sizes stand in sizes['i']. */
static item make_item(const char *expression, const int64_t *sizes, const number_type *t,
                      layout how, filling with, uint64_t *random) {
    item it = {.scale = {.alpha = 1}};
    const char *at = expression;
    for (int i = 0; i < 2; ++i, ++at) {
        int64_t shape[8];
        int32_t ndim = 0;
        for (; *at != ',' && *at != '-'; ++at) {
            shape[ndim++] = sizes[(int)*at];
        }
        it.inputs[i] = make_block(t->input, ndim, shape, how, with, random);
    }
    it.out =
        make_output(expression, 2, it.inputs, t->output, how == REPEATED ? PADDED : how, random);
    return it;
}

static void free_items(item *items, int count) {
    for (int p = 0; p < count; ++p) {
        free_block(&items[p].inputs[0]);
        free_block(&items[p].inputs[1]);
        free_block(&items[p].addend);
        free_block(&items[p].bias);
        free_block(&items[p].out);
    }
}

static void poison(block *out) {
    memset(out->memory, 0xff, out->bytes);
}

/* An addend, a bias (a row of it repeated) and a scale of whole numbers. */
static void add_rest(item *it, const number_type *t, bool biased, int number, uint64_t *random) {
    const gm_tensor *d = &it->out.view;
    int64_t shape[8];
    for (int32_t axis = 0; axis < d->ndim; ++axis) {
        shape[axis] = axis == 0 && number % 2 == 0 ? 1 : d->shape[axis];
    }
    it->addend = make_block(t->output, d->ndim, d->shape, number % 3 == 0 ? COLUMNS : PADDED,
                            INTEGERS, random);
    if (biased) {
        it->bias = make_block(t->output, d->ndim, shape, ROWS, INTEGERS, random);
    }
    it->scale = (gm_contract_scale){.alpha = 1 + number % 3, .beta = number % 5 == 2 ? 0 : -2};
    it->first = 1000 * (uint64_t)number;
}

static void keep_bytes(const item *items, int count, unsigned char **bytes) {
    for (int p = 0; p < count; ++p) {
        bytes[p] = malloc(items[p].out.bytes);
        assert_non_null(bytes[p]);
        memcpy(bytes[p], items[p].out.memory, items[p].out.bytes);
    }
}

#endif
