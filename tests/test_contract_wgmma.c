/*
 * The rows of the table for Hopper, forced: every order of the operands in memory, sizes about the
 * tiles and the stages, modes that are boxes of a map and modes that are not, batches, pieces of k,
 * epilogues, and what becomes of addresses that bulk copies cannot take. Under the emulator, or on
 * a device of compute capability 9; elsewhere the rows say that they cannot, which is a printed
 * skip.
 */
#include "tests/contract.h"

static const gm_dtype halves[] = {GM_F16, GM_BF16};

/* Whether a target has the rows at all, and this process a device for them. */
static bool has_rows(const target *t) {
    const char *kernel = NULL;
    for (int row = 0; (kernel = gm_contract_kernel_name(t->context, row)) != NULL; ++row) {
        if (strcmp(kernel, "wgmma") == 0) {
            break;
        }
    }
    if (kernel == NULL) {
        return false;
    }
    const gm_tensor inputs[] = {gm_tensor_2d(NULL, GM_F16, 64, 64),
                                gm_tensor_2d(NULL, GM_F16, 64, 64)};
    const gm_tensor out = gm_tensor_2d(NULL, GM_F32, 64, 64);
    const gm_contract_options options = {.kernel = kernel};
    gm_contract_plan *plan;
    if (gm_contract_plan_create(t->context, "ij,jk->ik", 2, inputs, &out, &options, &plan) !=
        GM_STATUS_OK) {
        printf("skip: %s: no device of compute capability 9\n", t->name);
        assert_true(strcmp(t->name, "emu") != 0);
        return false;
    }
    gm_contract_plan_destroy(plan);
    return true;
}

/* The next multiple of 8: lines of whole vectors of 16 bytes. */
static int64_t padded(int64_t n) {
    return (n + 7) / 8 * 8;
}

/* A matrix of rows x columns in lines with a gap, seen by rows or, with `turned`, by columns. */
static block make_matrix(gm_dtype type, int64_t rows, int64_t columns, bool turned, filling with,
                         uint64_t *random) {
    const int64_t lines = turned ? columns : rows, length = turned ? rows : columns;
    block b = make_block(type, 2, (const int64_t[]){lines, padded(length) + 8}, ROWS, with, random);
    b.view.shape[1] = length;
    return b;
}

static int at_matrix(const block *b, bool turned, int64_t row, int64_t column) {
    const gm_tensor *v = &b->view;
    const int64_t e = turned ? column * v->shape[1] + row : row * v->shape[1] + column;
    return (int)creal(get_element(b, e));
}

static const char *expression_of(int order) {
    static const char *const expressions[] = {"mk,nk->mn", "mk,kn->mn", "km,nk->mn", "km,kn->mn"};
    return expressions[order];
}

/* One product with sums that are exact, by a kernel that must take it and name itself. */
static void check_product(const target *t, const char *kernel, const char *runs_as, gm_dtype type,
                          const int64_t size[3], int order, int64_t shift) {
    uint64_t random = (uint64_t)(size[0] + size[1] + size[2] + order);
    const int64_t m = size[0], n = size[1], k = size[2];
    const bool turn_a = order / 2 == 1, turn_b = order % 2 == 0;
    block inputs[] = {make_matrix(type, m, k, turn_a, INTEGERS, &random),
                      make_matrix(type, k, n, turn_b, INTEGERS, &random)};
    for (int i = 0; i < 2; ++i) {
        inputs[i].view.data = (unsigned char *)inputs[i].view.data + 2 * shift;
    }
    block out = make_block(GM_F32, 2, (const int64_t[]){m, n}, ROWS, POISON, &random);
    run r = {.expression = expression_of(order),
             .count = 2,
             .inputs = inputs,
             .options = {.kernel = kernel}};
    assert_int_equal(run_on(t, &r, &out, false), GM_STATUS_OK);
    assert_string_equal(r.kernel, runs_as);
    static signed char a[1 << 20], b[1 << 20];
    assert_true(m * k <= 1 << 20 && n * k <= 1 << 20);
    for (int64_t i = 0; i < m * k; ++i) {
        a[i] = (signed char)at_matrix(&inputs[0], turn_a, i / k, i % k);
    }
    for (int64_t i = 0; i < n * k; ++i) {
        b[i] = (signed char)at_matrix(&inputs[1], turn_b, i % k, i / k);
    }
    for (int64_t e = 0; e < m * n; ++e) {
        int sum = 0;
        for (int64_t i = 0; i < k; ++i) {
            sum += a[e / n * k + i] * b[e % n * k + i];
        }
        if (creal(get_element(&out, e)) != sum) {
            fail_msg("%s, %s, %s, %lld x %lld x %lld: element %lld is %g, not %d", kernel,
                     gm_dtype_name(type), r.expression, (long long)m, (long long)n, (long long)k,
                     (long long)e, creal(get_element(&out, e)), sum);
        }
    }
    free_block(&out);
    free_block(&inputs[0]);
    free_block(&inputs[1]);
}

static void every_order_and_size(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{2, 2, 2},      {64, 128, 16},  {127, 255, 63},
                                       {128, 256, 64}, {129, 257, 65}, {200, 40, 600},
                                       {16, 520, 321}, {390, 70, 130}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < COUNT(sizes) * 4; ++i) {
            check_product(t, "wgmma", "wgmma", halves[(i + i / 4) % 2], sizes[i / 4], i % 4, 0);
        }
    }
}

/* Pieces of k, whole and not, whose sums the second stage adds. */
static void pieces_of_k(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{40, 72, 512}, {130, 260, 840}, {8, 8, 2500}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < COUNT(sizes) * 4; ++i) {
            check_product(t, "wgmma_split", "wgmma_split", halves[i % 2], sizes[i / 4], i % 4, 0);
        }
    }
}

/* Nine pieces of each, and the workspace holds those of fourteen batches: two launches. */
static void pieces_of_many_batches(void **state) {
    (void)state;
    enum { BATCHES = 15 };
    FOR_EACH_TARGET(t) {
        if (!has_rows(t)) {
            continue;
        }
        uint64_t random = 21;
        const int64_t shape[] = {BATCHES, 8, 2304};
        block inputs[] = {make_block(GM_F16, 3, shape, ROWS, INTEGERS, &random),
                          make_block(GM_F16, 3, shape, ROWS, INTEGERS, &random)};
        oracle o = work_out("bmk,bnk->bmn", 2, inputs);
        block out = make_output("bmk,bnk->bmn", 2, inputs, GM_F32, ROWS, &random);
        run r = {.expression = "bmk,bnk->bmn",
                 .count = 2,
                 .inputs = inputs,
                 .options = {.kernel = "wgmma_split"}};
        assert_int_equal(run_on(t, &r, &out, false), GM_STATUS_OK);
        assert_exact(t, "bmk,bnk->bmn", &out, &o);
        free_oracle(&o);
        free_block(&out);
        free_block(&inputs[0]);
        free_block(&inputs[1]);
    }
}

/* Addresses are known at the launch alone: what bulk copies cannot take goes to mma.sync. */
static void addresses_off_by_an_element(void **state) {
    (void)state;
    static const int64_t size[] = {70, 90, 600};
    FOR_EACH_TARGET(t) {
        for (int order = 0; has_rows(t) && order < 4; ++order) {
            check_product(t, "wgmma", "tensor", GM_BF16, size, order, 1);
            check_product(t, "wgmma_split", "tensor_split", GM_F16, size, order, 4);
            check_product(t, "wgmma", "wgmma", GM_F16, size, order, 8);
        }
    }
}

/* ---- modes ------------------------------------------------------------------------------------
 */

/*
 * Modes that walk on in one tensor alone, so that they stay apart. A tile has 128 rows and 256
 * columns, a stage 64 of k; where the output's fastest label is in the first operand, that operand
 * gives the columns.
 */
static const struct {
    const char *expression;
    int32_t ndims[2];
    int64_t shapes[8];
    bool taken;
} shaped[] = {
    /* k: lines of 64 of the inner mode in a, any order in b */
    {"ipq,qpj->ij", {3, 3}, {9, 3, 64, 64, 3, 16}, true},
    {"ipq,qpj->ij", {3, 3}, {9, 3, 128, 128, 3, 16}, true},
    {"ipq,qpj->ij", {3, 3}, {9, 3, 96, 96, 3, 16}, false},
    {"ipq,qpj->ij", {3, 3}, {9, 4, 32, 32, 4, 16}, false},
    /* k of whole inner modes where rows are contiguous, the outermost ends within a box */
    {"pqi,qpj->ij", {3, 3}, {5, 32, 16, 32, 5, 24}, true},
    {"pqi,qpj->ij", {3, 3}, {3, 64, 16, 64, 3, 24}, true},
    {"pqri,rqpj->ij", {4, 4}, {3, 8, 4, 16, 4, 8, 3, 24}, true},
    {"pqi,qpj->ij", {3, 3}, {5, 24, 16, 24, 5, 24}, false},
    /* rows */
    {"abk,kn->ban", {3, 2}, {32, 6, 72, 72, 40}, true},
    {"abk,kn->ban", {3, 2}, {128, 3, 72, 72, 40}, true},
    {"abk,kn->ban", {3, 2}, {48, 6, 72, 72, 40}, false},
    {"bka,kn->ban", {3, 2}, {3, 40, 128, 40, 40}, true},
    {"bka,kn->ban", {3, 2}, {3, 40, 64, 40, 40}, false},
    /* batches, up to three modes of them */
    {"bik,bkj->bij", {3, 3}, {5, 24, 40, 5, 40, 16}, true},
    {"bik,bjk->bji", {3, 3}, {5, 24, 40, 5, 16, 40}, true},
    {"abik,bakj->abij", {4, 4}, {2, 3, 24, 40, 3, 2, 40, 16}, true},
    {"kbi,bkj->bij", {3, 3}, {40, 5, 24, 5, 40, 16}, true},
    /* not in vectors of 16 bytes */
    {"ik,kj->ij", {2, 2}, {24, 40, 40, 15}, false},
    {"ik,kj->ij", {2, 2}, {24, 39, 39, 16}, false},
};

static void modes_that_are_boxes(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < COUNT(shaped) * 2; ++i) {
            const char *expression = shaped[i / 2].expression;
            uint64_t random = (uint64_t)i;
            const int32_t *ndims = shaped[i / 2].ndims;
            const int64_t *shape = shaped[i / 2].shapes;
            block inputs[] = {
                make_block(halves[i % 2], ndims[0], shape, ROWS, INTEGERS, &random),
                make_block(halves[i % 2], ndims[1], shape + ndims[0], ROWS, INTEGERS, &random)};
            block out = make_output(expression, 2, inputs, GM_F32, ROWS, &random);
            run r = {.expression = expression,
                     .count = 2,
                     .inputs = inputs,
                     .options = {.kernel = "wgmma"}};
            const gm_status status = run_on(t, &r, &out, true);
            if ((status == GM_STATUS_OK) != shaped[i / 2].taken) {
                fail_msg("case %d, %s: %s", i / 2, expression, gm_status_name(status));
            }
            if (status == GM_STATUS_OK) {
                oracle o = work_out(expression, 2, inputs);
                assert_exact(t, expression, &out, &o);
                free_oracle(&o);
            }
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* An operand without the batch, and strides that no map has. */
static void strides_of_all_kinds(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int which = 0; has_rows(t) && which < 4; ++which) {
            uint64_t random = (uint64_t)which;
            block inputs[] = {
                make_block(GM_BF16, 3, (const int64_t[]){3, 24, 40}, ROWS, INTEGERS, &random),
                make_block(GM_BF16, 3, (const int64_t[]){3, 40, 16}, ROWS, INTEGERS, &random)};
            gm_tensor *v = &inputs[which % 2].view;
            if (which < 2) {
                v->stride[0] = 0; /* one matrix for all batches */
            } else if (which == 2) {
                v->stride[2] = 0; /* columns that are all alike */
            } else {
                v->data = (unsigned char *)v->data + 2 * 39 * v->stride[1];
                v->stride[1] = -v->stride[1];
            }
            block out = make_output("bik,bkj->bij", 2, inputs, GM_F32, ROWS, &random);
            run r = {.expression = "bik,bkj->bij",
                     .count = 2,
                     .inputs = inputs,
                     .options = {.kernel = "wgmma"}};
            const gm_status status = run_on(t, &r, &out, true);
            assert_int_equal(status, which < 2 ? GM_STATUS_OK : GM_STATUS_UNSUPPORTED);
            if (status == GM_STATUS_OK) {
                oracle o = work_out("bik,bkj->bij", 2, inputs);
                assert_exact(t, "bik,bkj->bij", &out, &o);
                free_oracle(&o);
            }
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

/* One bound for all sizes: a rounding of f32 for each addition, and that of the output. */
static void errors_are_bounded(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{24, 40, 136}, {130, 16, 72}, {16, 264, 200}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < COUNT(sizes) * 4; ++i) {
            const gm_dtype type = halves[i % 2], to = i / 2 % 2 == 0 ? GM_F32 : type;
            const int64_t *size = sizes[i / 4];
            uint64_t random = (uint64_t)i;
            block inputs[] = {make_matrix(type, size[0], size[2], false, REALS, &random),
                              make_matrix(type, size[2], size[1], true, REALS, &random)};
            oracle o = work_out("mk,nk->mn", 2, inputs);
            block out = make_output("mk,nk->mn", 2, inputs, to, PADDED, &random);
            run r = {.expression = "mk,nk->mn",
                     .count = 2,
                     .inputs = inputs,
                     .options = {.kernel = "wgmma"}};
            assert_int_equal(run_on(t, &r, &out, false), GM_STATUS_OK);
            const double unit = unit_of_type(to);
            assert_true(scaled_residual(&out, &o) <= (unit + 0x1p-24 * (o.terms + 1)) / unit);
            free_oracle(&o);
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* Sums that are exact, so that after the sum both kernels must do the same to the bit. */
static void the_epilogue_is_that_of_all_rows(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < 6 * 2 * 2; ++i) {
            static const char *const kernels[][2] = {{"wgmma", "tensor"},
                                                     {"wgmma_split", "tensor_split"}};
            const gm_dtype type = halves[i % 2];
            const int split = i / 12, sample = i / 6 % 2;
            const int64_t k = split == 1 ? 520 : 24;
            uint64_t random = (uint64_t)i;
            block inputs[] = {make_matrix(type, 33, k, false, UNITS, &random),
                              make_matrix(type, k, 50, false, UNITS, &random)};
            block bias = make_block(type, 2, (const int64_t[]){33, 1}, ROWS, INTEGERS, &random);
            block addend = make_block(type, 2, (const int64_t[]){33, 50}, COLUMNS, UNITS, &random);
            const gm_contract_scale scale = {.alpha = 0.0625, .beta = 0.5};
            block outs[2];
            for (int j = 0; j < 2; ++j) {
                outs[j] = make_block(type, 2, (const int64_t[]){33, 50}, ROWS, POISON, &random);
                run r = {.expression = "mk,kn->mn",
                         .count = 2,
                         .inputs = inputs,
                         .addend = &addend,
                         .bias = &bias,
                         .scale = &scale,
                         .has_epilogue = true,
                         .options = {.kernel = kernels[split][j]},
                         .epilogue = {
                             .activation = (gm_activation)(i % 6), .sample = sample, .seed = 5}};
                assert_int_equal(run_on(t, &r, &outs[j], false), GM_STATUS_OK);
                assert_string_equal(r.kernel, kernels[split][j]);
            }
            assert_memory_equal(outs[0].memory, outs[1].memory, outs[0].bytes);
            for (int64_t e = 0; e < 33 * 50; ++e) {
                assert_true(!isnan(creal(get_element(&outs[0], e))));
            }
            free_block(&outs[0]);
            free_block(&outs[1]);
            free_block(&bias);
            free_block(&addend);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* ---- the choice -------------------------------------------------------------------------------
 */

static void large_products_are_chosen(void **state) {
    (void)state;
    static const struct {
        int64_t m, n, k;
        gm_dtype type;
        const char *kernel;
    } wanted[] = {
        {4096, 4096, 4096, GM_BF16, "kernel wgmma\n"},
        {4096, 4096, 4096, GM_F16, "kernel wgmma\n"},
        {256, 128, 128, GM_F16, "kernel wgmma\n"},
        {1024, 1024, 8192, GM_BF16, "kernel wgmma_split\n"},
        {4096, 4095, 4096, GM_BF16, "kernel tensor\n"}, /* lines of no whole vectors */
        {4096, 4096, 4096, GM_F32, "kernel simt\n"},
        {127, 4096, 128, GM_BF16, "kernel tensor\n"},
    };
    FOR_EACH_TARGET(t) {
        for (int i = 0; has_rows(t) && i < COUNT(wanted); ++i) {
            const gm_tensor inputs[] = {
                gm_tensor_2d(NULL, wanted[i].type, wanted[i].m, wanted[i].k),
                gm_tensor_2d(NULL, wanted[i].type, wanted[i].k, wanted[i].n)};
            const gm_tensor out = gm_tensor_2d(NULL, wanted[i].type, wanted[i].m, wanted[i].n);
            gm_contract_plan *plan;
            ASSERT_OK(t->context, gm_contract_plan_create(t->context, "mk,kn->mn", 2, inputs, &out,
                                                          NULL, &plan));
            if (strstr(gm_contract_explain(plan), wanted[i].kernel) == NULL) {
                fail_msg("%s, not %s", gm_contract_explain(plan), wanted[i].kernel);
            }
            gm_contract_plan_destroy(plan);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_and_size),
        cmocka_unit_test(pieces_of_k),
        cmocka_unit_test(pieces_of_many_batches),
        cmocka_unit_test(addresses_off_by_an_element),
        cmocka_unit_test(modes_that_are_boxes),
        cmocka_unit_test(strides_of_all_kinds),
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(the_epilogue_is_that_of_all_rows),
        cmocka_unit_test(large_products_are_chosen),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
