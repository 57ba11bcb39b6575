/*
 * Sums of contractions by their length and order: no tail is lost, labels of one operand go first,
 * long rows take paths of their own, integers wrap. Exact, as in test_contract.c.
 */
#include "tests/contract.h"

/* All ones: every element is the length of the sum, so a lost tail of any sum shows. */
static void sums_of_ones(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int type = 0; type < COUNT(contract_types); ++type) {
            for (int64_t k = 1; k <= 4096; k += t->is_slow ? 211 : k < 300 ? 1 : 37) {
                uint64_t random = 3;
                const int64_t a[] = {3, k}, b[] = {k, 2}, d[] = {3, 2};
                block inputs[] = {make_block(contract_types[type], 2, a, ROWS, ONES, &random),
                                  make_block(contract_types[type], 2, b, ROWS, ONES, &random)};
                inputs[0].view.stride[k % 2] = 0;
                inputs[1].view.stride[0] = k % 3 == 0 ? 0 : inputs[1].view.stride[0];
                const gm_dtype to = output_of(contract_types[type], 1);
                block out = make_block(to, 2, d, ROWS, POISON, &random);
                run r = {.expression = "ik,kj->ij", .count = 2, .inputs = inputs};
                run_on(t, &r, &out, false);
                for (int e = 0; e < 6; ++e) {
                    if (creal(get_element(&out, e)) != (double)k) {
                        fail_msg("%s: %s: K = %lld gives %g", t->name,
                                 gm_dtype_name(contract_types[type]), (long long)k,
                                 creal(get_element(&out, e)));
                    }
                }
                free_block(&inputs[0]);
                free_block(&inputs[1]);
                free_block(&out);
            }
        }
    }
}

/*
 * Labels of one operand alone are summed before it meets the other, and a size of 1 multiplies no
 * work; but 16-bit contract_types sum such labels in f32 with the rest, since a partial sum of
 * theirs would round, here 3001 to 3000.
 */
static void lone_labels_are_summed_first(void **state) {
    (void)state;
    static const struct {
        gm_dtype input, output;
        int64_t a[2], b[2];
        const char *expression;
        double value, operations;
    } lone[] = {
        {GM_F64, GM_F64, {3001, 2}, {2, 3}, "ij,jk->k", 6002, 3001 * 2 + 2 * 2 * 3},
        {GM_F64, GM_F64, {5, 1}, {4, 6}, "ij,jk->ik", 4, 4 * 6 + 5 * 6},
        {GM_F16, GM_F32, {3001, 2}, {2, 3}, "ij,jk->k", 6002, 2 * 3001 * 2 * 3},
        {GM_BF16, GM_F32, {2, 3}, {3001, 3}, "ij,kj->i", 9003, 2 * 3001 * 2 * 3},
    };
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(lone); ++i) {
            uint64_t random = 1;
            block inputs[] = {make_block(lone[i].input, 2, lone[i].a, ROWS, ONES, &random),
                              make_block(lone[i].input, 2, lone[i].b, ROWS, ONES, &random)};
            block out = make_output(lone[i].expression, 2, inputs, lone[i].output, ROWS, &random);
            run r = {.expression = lone[i].expression, .count = 2, .inputs = inputs};
            run_on(t, &r, &out, false);
            assert_true(t->is_reference || r.operations == lone[i].operations);
            for (int64_t e = 0; e < elements_of(&out.view); ++e) {
                assert_true(creal(get_element(&out, e)) == lone[i].value);
            }
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/*
 * Sums and outputs that are long enough for paths of their own: several rows against one vector at
 * once, with a rest of rows and of the sum, and on the cpu rows that go past the caches.
 */
static void long_rows(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        int64_t a[2], b[2];
        int32_t dims_a, dims_b;
        bool large;
    } rows[] = {{"ij,j->i", {11, 1063}, {1063}, 2, 1, false},
                {"ij,j->i", {4, 4096}, {4096}, 2, 1, false},
                {"j,ij->i", {1063}, {7, 1063}, 1, 2, false},
                {"ij->i", {9, 1033}, {0}, 2, 0, false},
                {"ij,ij->i", {5, 1063}, {5, 1063}, 2, 2, false},
                {"ij,ij->i", {37, 129}, {37, 129}, 2, 2, false},
                {"i,j->ij", {4099}, {2053}, 1, 1, true}};
    for (int i = 0; i < COUNT(rows); ++i) {
        for (int type = 0; type < (rows[i].large ? 2 : 8); ++type) {
            const gm_dtype dtype = contract_types[type];
            uint64_t random = (uint64_t)(8 * i + type);
            const filling with = dtype == GM_F16 || dtype == GM_BF16 ? UNITS : INTEGERS;
            block inputs[] = {make_block(dtype, rows[i].dims_a, rows[i].a, ROWS, with, &random),
                              make_block(dtype, rows[i].dims_b, rows[i].b, ROWS, with, &random)};
            const int32_t count = rows[i].dims_b > 0 ? 2 : 1;
            oracle o = work_out(rows[i].expression, count, inputs);
            run r = {.expression = rows[i].expression, .count = count, .inputs = inputs};
            FOR_EACH_TARGET(t) {
                if (rows[i].large && strncmp(t->name, "cpu", 3) != 0) {
                    continue;
                }
                block out = make_output(rows[i].expression, count, inputs, output_of(dtype, 1),
                                        ROWS, &random);
                run_on(t, &r, &out, false);
                assert_exact(t, rows[i].expression, &out, &o);
                free_block(&out);
            }
            free_oracle(&o);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* i8 and i32 wrap: products and sums modulo 2^32. */
static void integers_wrap(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        uint64_t random = 9;
        const int64_t a[] = {3, 50}, b[] = {50, 4};
        block inputs[] = {make_block(GM_I32, 2, a, ROWS, ONES, &random),
                          make_block(GM_I32, 2, b, ROWS, ONES, &random)};
        for (int e = 0; e < 200; ++e) {
            set_element(&inputs[1], e, (double)(int32_t)(uint32_t)next_random(&random));
            if (e < 150) {
                set_element(&inputs[0], e, (double)(int32_t)(uint32_t)next_random(&random));
            }
        }
        oracle o = work_out("ij,jk->ik", 2, inputs);
        block out = make_output("ij,jk->ik", 2, inputs, GM_I32, ROWS, &random);
        run r = {.expression = "ij,jk->ik", .count = 2, .inputs = inputs};
        run_on(t, &r, &out, false);
        assert_exact(t, "ij,jk->ik", &out, &o);
        free_oracle(&o);
        free_block(&out);
        free_block(&inputs[0]);
        free_block(&inputs[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_ones),
        cmocka_unit_test(lone_labels_are_summed_first),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(integers_wrap),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
