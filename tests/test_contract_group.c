/*
 * Groups of contractions: exact integers at every edge of a tile, the bits of each problem alone,
 * in company and in any order, and every refusal.
 */
#include <genmath/contract_group.h>

#include "tests/contract.h"

enum { MOST = 64, GUARDS = 64 };

#define BAD GM_STATUS_INVALID_ARGUMENT

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

/* Runs a group; false where the target is without. */
static bool run_group(const target *t, group_run *r) {
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
    return true;
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

/* ---- exact ----------------------------------------------------------------------------------- */

/* Sizes of i, j (summed) and k: nothing, one, around 32 (small), around 64 and 128 (tiles), and the
 * sixth again: a beta of 0 beside another. */
static const int64_t edges[][3] = {
    {0, 5, 7},   {1, 1, 1},     {3, 0, 4},   {32, 32, 32}, {33, 32, 32}, {31, 33, 9},  {65, 7, 130},
    {128, 3, 1}, {129, 40, 63}, {2, 150, 2}, {64, 16, 64}, {5, 5, 5},    {65, 7, 130},
};

static void is_exact_at_every_edge(void **state) {
    (void)state;
    static const char *const expressions[] = {"ij,jk->ik", "ji,kj->ki", "ij,kj->ik", "ji,jk->ki"};
    static group_run r;
    uint64_t random = 11;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(types) && !t->is_loops; ++which) {
            item items[COUNT(edges)];
            const char *expression = expressions[which % COUNT(expressions)];
            for (int p = 0; p < COUNT(edges); ++p) {
                const int64_t sizes[128] = {
                    ['i'] = edges[p][0], ['j'] = edges[p][1], ['k'] = edges[p][2]};
                items[p] =
                    make_item(expression, sizes, &types[which], (layout)(p % 4), UNITS, &random);
            }
            r = (group_run){.expression = expression,
                            .count = COUNT(edges),
                            .items = items,
                            .options = {.math = types[which].math}};
            run_group(t, &r);
            for (int p = 0; p < COUNT(edges); ++p) {
                oracle o = work_out(expression, 2, items[p].inputs);
                assert_exact(t, r.explanation, &items[p].out, &o);
                free_oracle(&o);
            }
            free_items(items, COUNT(edges));
        }
    }
}

/* Batches, sums of one operand alone, outer products, dots, and everything at once. */
static void runs_every_expression(void **state) {
    (void)state;
    static const char *const expressions[] = {
        "bij,bjk->bik", "bij,kj->ikb", "ijb,bk->ki", "i,j->ij",    "ij,ij->",    "ij,ij->i",
        "ij,k->ik",     "ijk,l->l",    ",ij->ji",    "ib,jb->bij", "iij,jk->ki", "bikj,jlb->kbli",
    };
    static const int64_t all[][5] = {{2, 3, 4, 5, 6}, {1, 1, 1, 1, 1},  {40, 3, 2, 35, 4},
                                     {3, 0, 2, 2, 2}, {3, 37, 5, 2, 1}, {5, 6, 0, 3, 7}};
    static group_run r;
    uint64_t random = 12;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(expressions) && !t->is_loops; ++which) {
            const number_type *type = &types[which % 2 == 0 ? which / 2 : 0];
            item items[COUNT(all)];
            for (int p = 0; p < COUNT(all); ++p) {
                const int64_t sizes[128] = {['b'] = all[p][0],
                                            ['i'] = all[p][1],
                                            ['j'] = all[p][2],
                                            ['k'] = all[p][3],
                                            ['l'] = all[p][4]};
                items[p] =
                    make_item(expressions[which], sizes, type, (layout)(p % 5), UNITS, &random);
            }
            r = (group_run){.expression = expressions[which],
                            .count = COUNT(all),
                            .items = items,
                            .options = {.math = type->math}};
            run_group(t, &r);
            for (int p = 0; p < COUNT(all); ++p) {
                oracle o = work_out(expressions[which], 2, items[p].inputs);
                assert_exact(t, expressions[which], &items[p].out, &o);
                free_oracle(&o);
            }
            free_items(items, COUNT(all));
        }
    }
}

/* Batches long enough to be shared out, and two problems of one layout in tiles. */
static void shares_out_large_batches(void **state) {
    (void)state;
    static const int64_t all[][4] = {{300, 8, 8, 8},  {2, 3, 4, 5},     {1, 40, 60, 70},
                                     {2, 40, 35, 33}, {150, 9, 12, 10}, {2, 3, 4, 5},
                                     {2, 40, 35, 33}};
    static group_run r;
    uint64_t random = 21;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 3 && !t->is_loops; ++which) {
            item items[COUNT(all)];
            for (int p = 0; p < COUNT(all); ++p) {
                const int64_t sizes[128] = {
                    ['b'] = all[p][0], ['i'] = all[p][1], ['j'] = all[p][2], ['k'] = all[p][3]};
                items[p] = make_item("bij,bjk->bik", sizes, &types[which], (layout)(p % 3), UNITS,
                                     &random);
            }
            r = (group_run){.expression = "bij,bjk->bik", .count = COUNT(all), .items = items};
            run_group(t, &r);
            for (int p = 0; p < COUNT(all); ++p) {
                oracle o = work_out("bij,bjk->bik", 2, items[p].inputs);
                assert_exact(t, r.explanation, &items[p].out, &o);
                free_oracle(&o);
            }
            free_items(items, COUNT(all));
        }
    }
}

/* alpha, beta, C of other strides than D's, a bias and relu, in whole numbers. */
static void finishes_exactly(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 13;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 5 && !t->is_loops; ++which) {
            item items[COUNT(edges)];
            for (int p = 0; p < COUNT(edges); ++p) {
                const int64_t sizes[128] = {
                    ['i'] = edges[p][0], ['j'] = edges[p][1], ['k'] = edges[p][2]};
                items[p] = make_item("ij,jk->ik", sizes, &types[which], ROWS, UNITS, &random);
                add_rest(&items[p], &types[which], which < 4, p, &random);
            }
            r = (group_run){
                .expression = "ij,jk->ik",
                .count = COUNT(edges),
                .items = items,
                .scaled = true,
                .finishes = which < 4,
                .twice = true,
                .options = {.activation = which < 4 ? GM_ACTIVATION_RELU : GM_ACTIVATION_NONE}};
            run_group(t, &r);
            for (int p = 0; p < COUNT(edges); ++p) {
                const item *it = &items[p];
                oracle o = work_out("ij,jk->ik", 2, it->inputs);
                const int64_t rows = it->out.view.shape[0], columns = it->out.view.shape[1];
                for (int64_t e = 0; e < o.elements; ++e) {
                    double complex x = it->scale.alpha * o.value[e];
                    x += it->scale.beta == 0 ? 0 : it->scale.beta * get_element(&it->addend, e);
                    if (which < 4) {
                        const bool one_row = it->bias.view.shape[0] == 1;
                        x += get_element(&it->bias, one_row ? e % columns : e);
                        x = creal(x) > 0 ? creal(x) : 0;
                    }
                    o.value[e] = x;
                }
                assert_true(rows * columns == o.elements);
                assert_exact(t, "finished", &it->out, &o);
                free_oracle(&o);
            }
            free_items(items, COUNT(edges));
        }
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

static const int64_t shapes[][3] = {{70, 45, 66}, {8, 8, 8},    {1, 90, 3},   {33, 17, 140},
                                    {16, 32, 5},  {129, 12, 9}, {32, 32, 32}, {0, 3, 3}};

/* Random numbers: sums whose order shows. */
static void make_reals(const number_type *t, item *items, uint64_t *random) {
    for (int p = 0; p < COUNT(shapes); ++p) {
        const int64_t sizes[128] = {
            ['i'] = shapes[p][0], ['j'] = shapes[p][1], ['k'] = shapes[p][2]};
        items[p] = make_item("ij,jk->ik", sizes, t, (layout)(p % 3), REALS, random);
        add_rest(&items[p], t, !is_integer(t) && t->output != GM_C64 && t->output != GM_C128, p,
                 random);
    }
}

static void assert_same_bytes(const target *t, const char *what, const item *it,
                              const unsigned char *bytes) {
    if (memcmp(it->out.memory, bytes, it->out.bytes) != 0) {
        fail_msg("%s: %s: other bits", t->name, what);
    }
}

static void has_the_same_bits_in_any_company(void **state) {
    (void)state;
    static const int other[COUNT(shapes)] = {5, 7, 0, 6, 3, 1, 4, 2};
    static const int pair[2] = {3, 1};
    static group_run r;
    uint64_t random = 14;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 6 && !t->is_loops; ++which) {
            const bool finishes = which < 4;
            item items[COUNT(shapes)];
            unsigned char *bytes[COUNT(shapes)];
            make_reals(&types[which], items, &random);
            r = (group_run){.expression = "ij,jk->ik",
                            .count = COUNT(shapes),
                            .items = items,
                            .scaled = true,
                            .finishes = finishes,
                            .options = {.activation = finishes ? GM_ACTIVATION_SIGMOID : 0,
                                        .sample = finishes && which == 1,
                                        .seed = 77}};
            run_group(t, &r);
            keep_bytes(items, COUNT(shapes), bytes);
            for (int p = 0; p < COUNT(shapes); ++p) {
                poison(&items[p].out);
            }
            r.order = other;
            run_group(t, &r);
            for (int p = 0; p < COUNT(shapes); ++p) {
                assert_same_bytes(t, "in another order", &items[p], bytes[p]);
                poison(&items[p].out);
                r.order = &p;
                r.count = 1;
                run_group(t, &r);
                assert_same_bytes(t, "alone", &items[p], bytes[p]);
            }
            poison(&items[1].out);
            poison(&items[3].out);
            r.order = pair;
            r.count = 2;
            run_group(t, &r);
            assert_same_bytes(t, "as one of two", &items[1], bytes[1]);
            assert_same_bytes(t, "as one of two", &items[3], bytes[3]);
            for (int p = 0; p < COUNT(shapes); ++p) {
                free(bytes[p]);
            }
            free_items(items, COUNT(shapes));
        }
    }
}

/* The kernel that a problem of a group takes on a device, from its sizes and type. */
static const char *kernel_of(const target *t, const number_type *type, const int64_t *shape) {
    const bool small = shape[0] <= 32 && shape[1] <= 32 && shape[2] <= 32;
    return !t->is_slow ? NULL : small ? "small" : is_half(type->input) ? "tensor" : "simt";
}

/* Each problem has the bits that gm_contract gives it by the same kernel. */
static void has_the_bits_of_a_contraction(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 15;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(types) && !t->is_loops; ++which) {
            const number_type *type = &types[which];
            const bool finishes =
                !is_integer(type) && type->output != GM_C64 && type->output != GM_C128;
            item items[COUNT(shapes)];
            unsigned char *bytes[COUNT(shapes)];
            make_reals(type, items, &random);
            r = (group_run){.expression = "ij,jk->ik",
                            .count = COUNT(shapes),
                            .items = items,
                            .scaled = true,
                            .finishes = finishes,
                            .options = {.math = type->math,
                                        .activation = finishes ? GM_ACTIVATION_TANH : 0,
                                        .sample = finishes && which == 0,
                                        .seed = 78}};
            run_group(t, &r);
            keep_bytes(items, COUNT(shapes), bytes);
            for (int p = 0; p < COUNT(shapes); ++p) {
                item *it = &items[p];
                poison(&it->out);
                run one = {.expression = "ij,jk->ik",
                           .count = 2,
                           .inputs = it->inputs,
                           .addend = it->scale.beta != 0 ? &it->addend : NULL,
                           .bias = finishes ? &it->bias : NULL,
                           .scale = &it->scale,
                           .has_epilogue = finishes,
                           .options = {.math = type->math, .kernel = kernel_of(t, type, shapes[p])},
                           .epilogue = {.activation = r.options.activation,
                                        .sample = r.options.sample,
                                        .seed = 78,
                                        .first = it->first}};
                run_on(t, &one, &it->out, false);
                assert_same_bytes(t, "gm_contract", it, bytes[p]);
                free(bytes[p]);
            }
            free_items(items, COUNT(shapes));
        }
    }
}

static void does_not_depend_on_threads(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 16;
    item items[COUNT(shapes)];
    unsigned char *bytes[COUNT(shapes)] = {NULL};
    make_reals(&types[1], items, &random);
    for (int32_t threads = 1; threads <= 5; threads += 2) {
        target t = {.name = "cpu", .context = open_threads(threads)};
        if (t.context == NULL) {
            break;
        }
        r = (group_run){
            .expression = "ij,jk->ik", .count = COUNT(shapes), .items = items, .scaled = true};
        run_group(&t, &r);
        for (int p = 0; p < COUNT(shapes); ++p) {
            if (threads > 1) {
                assert_same_bytes(&t, "other threads", &items[p], bytes[p]);
            }
            free(bytes[p]);
        }
        keep_bytes(items, COUNT(shapes), bytes);
        gm_context_destroy(t.context);
        for (int p = 0; p < COUNT(shapes); ++p) {
            poison(&items[p].out);
        }
    }
    for (int p = 0; p < COUNT(shapes); ++p) {
        free(bytes[p]);
    }
    free_items(items, COUNT(shapes));
}

/* ---- against the sum itself ------------------------------------------------------------------ */

static void is_as_precise_as_a_sum(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 17;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 6 && !t->is_loops; ++which) {
            item items[COUNT(shapes)];
            make_reals(&types[which], items, &random);
            r = (group_run){.expression = "ij,jk->ik", .count = COUNT(shapes), .items = items};
            run_group(t, &r);
            for (int p = 0; p < COUNT(shapes); ++p) {
                oracle o = work_out("ij,jk->ik", 2, items[p].inputs);
                /* n u of a sum of n products in any order; twice that for complex ones. */
                const double bound = is_half(types[which].input) ? 2 : 2 * (o.terms + 2);
                if (!(scaled_residual(&items[p].out, &o) <= bound)) {
                    fail_msg("%s: problem %d: %g times the unit", t->name, p,
                             scaled_residual(&items[p].out, &o));
                }
                free_oracle(&o);
            }
            free_items(items, COUNT(shapes));
        }
    }
}

/* An infinity and a NaN in one problem, a NaN in an addend that is not read. */
static void keeps_bad_numbers_to_their_problem(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 18;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 4 && !t->is_loops; ++which) {
            item items[COUNT(shapes)];
            make_reals(&types[which], items, &random);
            for (int p = 0; p < COUNT(shapes); ++p) {
                items[p].scale.beta = 0;
                poison(&items[p].addend);
            }
            set_element(&items[0].inputs[0], 0, NAN);
            set_element(&items[1].inputs[1], 0, INFINITY);
            r = (group_run){
                .expression = "ij,jk->ik", .count = COUNT(shapes), .items = items, .scaled = true};
            run_group(t, &r);
            for (int p = 0; p < COUNT(shapes); ++p) {
                const int64_t columns = items[p].out.view.shape[1];
                for (int64_t e = 0; e < elements_of(&items[p].out.view); ++e) {
                    const double x = creal(get_element(&items[p].out, e));
                    const bool is_nan = p == 0 && e < columns;
                    const bool is_infinite = p == 1 && e % columns == 0;
                    assert_true(is_nan ? isnan(x) : is_infinite ? isinf(x) : isfinite(x));
                }
            }
            free_items(items, COUNT(shapes));
        }
    }
}

static void adds_in_place(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 19;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 4 && !t->is_loops; ++which) {
            item items[COUNT(shapes)];
            for (int p = 0; p < COUNT(shapes); ++p) {
                const int64_t sizes[128] = {
                    ['i'] = shapes[p][0], ['j'] = shapes[p][1], ['k'] = shapes[p][2]};
                items[p] = make_item("ij,jk->ik", sizes, &types[which], PADDED, UNITS, &random);
                add_rest(&items[p], &types[which], false, p, &random);
                items[p].scale = (gm_contract_scale){.alpha = 1, .beta = 3};
            }
            r = (group_run){.expression = "ij,jk->ik",
                            .count = COUNT(shapes),
                            .items = items,
                            .scaled = true,
                            .in_place = true};
            run_group(t, &r);
            for (int p = 0; p < COUNT(shapes); ++p) {
                oracle o = work_out("ij,jk->ik", 2, items[p].inputs);
                for (int64_t e = 0; e < o.elements; ++e) {
                    o.value[e] += 3 * get_element(&items[p].addend, e);
                }
                assert_exact(t, "in place", &items[p].out, &o);
                free_oracle(&o);
            }
            free_items(items, COUNT(shapes));
        }
    }
}

/* ---- kernels, many problems ------------------------------------------------------------------ */

static void forces_every_kernel(void **state) {
    (void)state;
    static group_run r;
    uint64_t random = 20;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 3 && !t->is_loops; ++which) {
            static const char *const on_device[] = {"simt", "simt", "tensor"};
            static const char *const on_host[] = {"gett", "small", "direct"};
            static const char *const names[] = {"group_simt", "group_simt", "group_tensor"};
            const char *kernel = t->is_reference ? "contract_ref"
                                 : t->is_slow    ? on_device[which]
                                                 : on_host[which];
            item items[3];
            for (int p = 0; p < 3; ++p) {
                const int64_t sizes[128] = {['i'] = 4 + p, ['j'] = 5 * p + 1, ['k'] = 32};
                items[p] = make_item("ij,jk->ik", sizes, &types[which], ROWS, UNITS, &random);
            }
            for (int small = 0; small < (t->is_slow ? 2 : 1); ++small) {
                r = (group_run){.expression = "ij,jk->ik",
                                .count = 3,
                                .items = items,
                                .options = {.kernel = small ? "small" : kernel}};
                run_group(t, &r);
                assert_non_null(strstr(r.explanation, small ? "kernel small" : kernel));
                assert_string_equal(r.kernel, t->is_reference ? "contract_ref"
                                              : !t->is_slow   ? "contract_group"
                                              : small         ? "group_small"
                                                              : names[which]);
                for (int p = 0; p < 3; ++p) {
                    oracle o = work_out("ij,jk->ik", 2, items[p].inputs);
                    assert_exact(t, kernel, &items[p].out, &o);
                    free_oracle(&o);
                    poison(&items[p].out);
                }
            }
            free_items(items, 3);
        }
    }
}

/*
 * More units than the grid of a launch has blocks, and tiny problems that share blocks: problem p
 * of layout l, 1 to 3 rows, 1 to 2 columns, a pitch of its own, is p + 1 times a matrix of ones.
 */
enum { CROWD_LAYOUTS = 4500, CROWD = 9000, CROWD_SUM = 2 };

typedef struct crowd {
    gm_tensor inputs[2 * CROWD_LAYOUTS], outputs[CROWD_LAYOUTS];
    int64_t layout_of[CROWD];
    const void *input_data[2 * CROWD];
    void *output_data[CROWD];
} crowd;

static void place_crowd(crowd *c, int32_t *numbers, int32_t *ones, int32_t *out, int64_t *used) {
    *used = 0;
    for (int64_t l = 0; l < CROWD_LAYOUTS; ++l) {
        const int64_t rows = 1 + l % 3, columns = 1 + l % 2;
        c->inputs[2 * l] = gm_tensor_2d(NULL, GM_I32, rows, CROWD_SUM);
        c->inputs[2 * l].stride[0] = c->inputs[2 * l].stride[1] = 0;
        c->inputs[2 * l + 1] = gm_tensor_2d(NULL, GM_I32, CROWD_SUM, columns);
        c->outputs[l] = gm_tensor_2d(NULL, GM_I32, rows, columns);
        c->inputs[2 * l + 1].stride[0] = 2 + l; /* what makes layouts differ */
    }
    for (int64_t p = 0; p < CROWD; ++p) {
        const int64_t l = p < CROWD_LAYOUTS ? p : p % 7; /* rows and columns as they are there */
        c->layout_of[p] = l;
        c->input_data[2 * p] = numbers + p;
        c->input_data[2 * p + 1] = ones;
        c->output_data[p] = out + *used;
        *used += c->outputs[l].shape[0] * c->outputs[l].shape[1];
    }
}

static void runs_a_crowd(void **state) {
    (void)state;
    static crowd c;
    static int32_t numbers[CROWD], results[6 * CROWD];
    for (int32_t p = 0; p < CROWD; ++p) {
        numbers[p] = p + 1;
    }
    static int32_t host_ones[CROWD_LAYOUTS + 8];
    for (int i = 0; i < COUNT(host_ones); ++i) {
        host_ones[i] = 1;
    }
    FOR_EACH_TARGET(t) {
        if (t->is_loops) {
            continue;
        }
        gm_context *x = t->context;
        void *a, *ones, *out, *workspace;
        int64_t used;
        ASSERT_OK(x, gm_memory_alloc(x, sizeof numbers, &a));
        ASSERT_OK(x, gm_memory_alloc(x, sizeof host_ones, &ones));
        ASSERT_OK(x, gm_memory_alloc(x, sizeof results, &out));
        ASSERT_OK(x, gm_memory_upload(x, a, numbers, sizeof numbers));
        ASSERT_OK(x, gm_memory_upload(x, ones, host_ones, sizeof host_ones));
        place_crowd(&c, a, ones, out, &used);
        const gm_contract_group group = {.operands = 2,
                                         .problems = CROWD,
                                         .layouts = CROWD_LAYOUTS,
                                         .layout_of = c.layout_of,
                                         .inputs = c.inputs,
                                         .outputs = c.outputs};
        const gm_contract_group_arrays arrays = {.inputs = c.input_data, .outputs = c.output_data};
        gm_contract_group_plan *plan;
        ASSERT_OK(x, gm_contract_group_plan_create(x, "ij,jk->ik", &group, NULL, &plan));
        const size_t bytes = gm_contract_group_workspace(plan);
        ASSERT_OK(x, gm_memory_alloc(x, bytes, &workspace));
        ASSERT_OK(x, gm_contract_group_bind(plan, &arrays, workspace, bytes));
        ASSERT_OK(x, gm_contract_group_execute(plan));
        ASSERT_OK(x, gm_memory_download(x, results, out, sizeof results));
        assert_non_null(strstr(gm_contract_group_explain(plan), "9000 problems of 4500 layouts"));
        assert_non_null(strstr(gm_contract_group_explain(plan), "and 4436 layouts more"));
        int64_t at = 0;
        for (int64_t p = 0; p < CROWD; ++p) {
            const gm_tensor *d = &c.outputs[c.layout_of[p]];
            for (int64_t e = 0; e < d->shape[0] * d->shape[1]; ++e) {
                assert_int_equal(results[at++], CROWD_SUM * (p + 1));
            }
        }
        assert_int_equal(at, used);
        gm_contract_group_plan_destroy(plan);
        ASSERT_OK(x, gm_memory_free(x, workspace));
        ASSERT_OK(x, gm_memory_free(x, out));
        ASSERT_OK(x, gm_memory_free(x, ones));
        ASSERT_OK(x, gm_memory_free(x, a));
    }
}

/* ---- refusals -------------------------------------------------------------------------------- */

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
        cmocka_unit_test(is_exact_at_every_edge),
        cmocka_unit_test(runs_every_expression),
        cmocka_unit_test(shares_out_large_batches),
        cmocka_unit_test(finishes_exactly),
        cmocka_unit_test(has_the_same_bits_in_any_company),
        cmocka_unit_test(has_the_bits_of_a_contraction),
        cmocka_unit_test(does_not_depend_on_threads),
        cmocka_unit_test(is_as_precise_as_a_sum),
        cmocka_unit_test(keeps_bad_numbers_to_their_problem),
        cmocka_unit_test(adds_in_place),
        cmocka_unit_test(forces_every_kernel),
        cmocka_unit_test(runs_a_crowd),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
