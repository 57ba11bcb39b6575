/*
 * Groups of contractions: exact integers at every edge of a tile, the bits of each problem alone,
 * in company and in any order.
 */
#include "tests/contract_group_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
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
