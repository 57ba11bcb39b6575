/*
 * gm_conv_*: convolution and its gradients on every backend that contracts, against the sum written
 * out here, the published examples, and each other as adjoint maps.
 */
#include "tests/conv_fixture.h"

/* ---- tests
 * --------------------------------------------------------------------------------------- */

/* Small integers: every sum is exact in every type, so equality is to the bit. */
static void integers_are_exact(void **state) {
    (void)state;
    static const gm_dtype dtypes[] = {GM_F64, GM_F32, GM_F16, GM_BF16, GM_C64, GM_C128, GM_I32};
    static const layout layouts[] = {ROWS, COLUMNS, PADDED, BACKWARD};
    FOR_EACH_TARGET(t) {
        uint64_t random = 5;
        for (int which = 0; which < COUNT(problems); ++which) {
            for (int i = 0; i < COUNT(operations); ++i) {
                for (int d = 0; d < COUNT(dtypes); ++d) {
                    const layout how = layouts[below(&random, COUNT(layouts))];
                    operands o = make_operands(&problems[which], dtypes[d], how, UNITS, i,
                                               next_random(&random) / 4);
                    run_conv(t, &problems[which], operations[i], NULL, &o);
                    double complex *sum = convolve(&problems[which], operations[i], &o);
                    assert_sums(t, &problems[which], operations[i], result_of(&o, operations[i]),
                                sum);
                    free(sum);
                    free_operands(&o);
                }
            }
        }
    }
}

/* <y, forward(x, w)> = <x, data(y, w)> = <w, weights(x, y)>, in integers. */
static void maps_are_adjoint(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(problems); ++which) {
            const problem *p = &problems[which];
            operands all = make_operands(p, GM_F64, ROWS, INTEGERS, NO_RESULT, 8);
            double product[3] = {0};
            for (int i = 0; i < 3; ++i) {
                operands o = make_operands(p, GM_F64, ROWS, INTEGERS, i, 8);
                run_conv(t, p, operations[i], NULL, &o);
                const block *values = result_of(&all, operations[i]);
                const block *mapped = result_of(&o, operations[i]);
                for (int64_t e = 0; e < elements_of(&values->view); ++e) {
                    product[i] += creal(get_element(values, e)) * creal(get_element(mapped, e));
                }
                free_operands(&o);
            }
            assert_true(product[0] == product[1] && product[1] == product[2]);
            free_operands(&all);
        }
    }
}

/* alpha, beta, a bias for each channel and an activation, all in one pass. */
static void scales_and_epilogues(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(problems) && !t->is_loops; ++which) {
            const problem *p = &problems[which];
            operands o;
            block bias;
            double complex *want = run_epilogue(t, p, &o, &bias);
            assert_sums(t, p, GM_CONV_FORWARD, &o.y, want);
            free(want);
            free_block(&bias);
            free_operands(&o);
        }
    }
}

/* The 4 x 4 image and 2 x 2 kernel of the text; the flipped kernel gives the exact negative. */
static void published_example(void **state) {
    (void)state;
    static const double x[] = {1, 2, 3, 0, 4, 5, 6, 1, 7, 8, 9, 0, 1, 0, 2, 3};
    static const double w[] = {1, 0, 0, -1}, y[] = {-4, -4, 2, -4, -4, 6, 7, 6, 6};
    FOR_EACH_TARGET(t) {
        for (int flip = 0; flip < 2; ++flip) {
            const problem p = {"published", 2, 1, 1, 1, {4, 4}, {2, 2}, {.flip = flip}};
            operands o = make_operands(&p, GM_F32, ROWS, ONES, GM_CONV_FORWARD, 1);
            for (int e = 0; e < 16; ++e) {
                set_element(&o.x, e, x[e]);
            }
            for (int e = 0; e < 4; ++e) {
                set_element(&o.w, e, w[e]);
            }
            run_conv(t, &p, GM_CONV_FORWARD, NULL, &o);
            for (int e = 0; e < 9; ++e) {
                assert_true(creal(get_element(&o.y, e)) == (flip ? -y[e] : y[e]));
            }
            free_operands(&o);
        }
    }
}

/* Without samples or channels nothing is read: no result, or zeros. */
static void empty_problems(void **state) {
    (void)state;
    static const problem empty[] = {
        {"no samples", 2, 0, 2, 3, {5, 5}, {3, 3}, {.pad_before = {1, 1}}},
        {"no channels", 1, 2, 0, 3, {5}, {3}, {.pad_before = {1}}},
        {"no outputs", 1, 2, 3, 0, {5}, {3}, {.stride = {2}}},
        {"padding alone", 1, 2, 3, 2, {0}, {3}, {.pad_before = {4}}}};
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(empty); ++which) {
            for (int i = 0; i < 3; ++i) {
                operands o = make_operands(&empty[which], GM_F64, ROWS, UNITS, i, 2);
                run_conv(t, &empty[which], operations[i], NULL, &o);
                double complex *sum = convolve(&empty[which], operations[i], &o);
                assert_sums(t, &empty[which], operations[i], result_of(&o, operations[i]), sum);
                free(sum);
                free_operands(&o);
            }
        }
    }
}

static void refusals(void **state) {
    (void)state;
    gm_context *context = targets[0].context;
    static float data[400];
    const gm_tensor x = {data, GM_F32, 4, {1, 4, 6, 6}, {144, 36, 6, 1}};
    const gm_tensor w = {data + 150, GM_F32, 4, {2, 4, 3, 3}, {36, 9, 3, 1}};
    const gm_tensor y = {data + 250, GM_F32, 4, {1, 2, 4, 4}, {32, 16, 4, 1}};
    gm_conv_plan *plan = (gm_conv_plan *)data;
#define REFUSED(status, text, ...)                                                                 \
    ASSERT_FAILS(context, gm_conv_plan_create(context, __VA_ARGS__, &plan), status, text);         \
    assert_null(plan)
    const gm_status bad = GM_STATUS_INVALID_ARGUMENT, odd = GM_STATUS_SHAPE_MISMATCH;
    REFUSED(bad, "operation = 3", (gm_conv_operation)3, &x, &w, &y, NULL);
    REFUSED(bad, "x is NULL", GM_CONV_DATA, NULL, &w, &y, NULL);
    REFUSED(bad, "w is NULL", GM_CONV_DATA, &x, NULL, &y, NULL);
    REFUSED(bad, "y is NULL", GM_CONV_DATA, &x, &w, NULL, NULL);
    gm_tensor t = x;
    t.ndim = 2;
    REFUSED(bad, "x.ndim = 2", GM_CONV_FORWARD, &t, &w, &y, NULL);
    t = w;
    t.ndim = 3;
    REFUSED(odd, "w.ndim = 3", GM_CONV_FORWARD, &x, &t, &y, NULL);
    t = w;
    t.shape[1] = 3;
    REFUSED(odd, "w.shape[1] = 3", GM_CONV_FORWARD, &x, &t, &y, NULL);
    t = w;
    t.shape[2] = 7;
    REFUSED(odd, "longer than the padded x", GM_CONV_FORWARD, &x, &t, &y, NULL);
    t.shape[2] = 0;
    REFUSED(bad, "w.shape[2] = 0", GM_CONV_FORWARD, &x, &t, &y, NULL);
    t = y;
    t.shape[3] = 5;
    REFUSED(odd, "y.shape[3] = 5", GM_CONV_FORWARD, &x, &w, &t, NULL);
    t = y;
    t.shape[1] = 3;
    REFUSED(odd, "y.shape[1] = 3", GM_CONV_FORWARD, &x, &w, &t, NULL);
    t = y;
    t.dtype = GM_F64;
    REFUSED(GM_STATUS_UNSUPPORTED, "f64", GM_CONV_FORWARD, &x, &w, &t, NULL);
    gm_conv_options o = {.groups = 3};
    REFUSED(odd, "options.groups = 3", GM_CONV_FORWARD, &x, &w, &y, &o);
    o = (gm_conv_options){.groups = -1};
    REFUSED(bad, "options.groups = -1", GM_CONV_FORWARD, &x, &w, &y, &o);
    o = (gm_conv_options){.stride = {1, -1}};
    REFUSED(bad, "options.stride[1] = -1", GM_CONV_FORWARD, &x, &w, &y, &o);
    o = (gm_conv_options){.pad_after = {INT64_MAX}};
    REFUSED(bad, "options.pad_after[0]", GM_CONV_FORWARD, &x, &w, &y, &o);
    o = (gm_conv_options){.dilation = {INT64_C(1) << 31}};
    REFUSED(bad, "options.dilation[0]", GM_CONV_FORWARD, &x, &w, &y, &o);
#undef REFUSED
    ASSERT_FAILS(context, gm_conv_plan_create(context, GM_CONV_DATA, &x, &w, &y, NULL, NULL), bad,
                 "plan is NULL");
    ASSERT_FAILS(NULL, gm_conv_plan_create(NULL, GM_CONV_DATA, &x, &w, &y, NULL, &plan), bad,
                 "context is NULL");
    ASSERT_FAILS(NULL, gm_conv_execute(NULL, NULL, &x, &w, &y, NULL, 0), bad, "plan is NULL");

    const gm_tensor padded_y = {data + 250, GM_F32, 4, {1, 2, 6, 4}, {48, 24, 4, 1}};
    o = (gm_conv_options){.pad_before = {1}, .pad_after = {1}};
    ASSERT_OK(context, gm_conv_plan_create(context, GM_CONV_FORWARD, &x, &w, &padded_y, &o, &plan));
    assert_true(gm_conv_workspace(plan) >= 4 * 8 * 6 * sizeof(float));
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &padded_y, data, 64),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes = 64");
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &padded_y, NULL, 1 << 20), bad,
                 "workspace is NULL");
    t = x;
    t.shape[2] = 5;
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &t, &w, &padded_y, data, 1 << 20), odd,
                 "x.shape[2] = 5");
    t = padded_y;
    t.data = data + 100;
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &t, data, 1 << 20), bad, "overlap");
    gm_conv_plan_destroy(plan);
    gm_conv_plan_destroy(NULL);
    for (int i = 0; i < COUNT(data); ++i) {
        assert_true(data[i] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),          cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(maps_are_adjoint),  cmocka_unit_test(scales_and_epilogues),
        cmocka_unit_test(published_example), cmocka_unit_test(empty_problems),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
