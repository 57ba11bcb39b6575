/* gm_softmax and gm_log_softmax on every backend. */
#include "operand.h"

#include <float.h>
#include <math.h>

#include <genmath/reduce.h>

/* The softmax of `in` on a target; in place if out_layout is that of `in` and in_place is set. */
static operand run(const target *t, const operand *in, gm_softmax_options options, bool logarithm,
                   layout out_layout, bool in_place) {
    operand out = operand_make(in->view.dtype, in->view.ndim, in->view.shape, out_layout);
    gm_tensor in_view, out_view;
    if (in_place) {
        memcpy(out.bytes, in->bytes, in->size);
    }
    void *in_memory = operand_upload(t, in, &in_view);
    void *out_memory = operand_upload(t, &out, &out_view);
    const gm_tensor *from = in_place ? &out_view : &in_view;
    const gm_status status = logarithm ? gm_log_softmax(t->context, &options, from, &out_view)
                                       : gm_softmax(t->context, &options, from, &out_view);
    if (status != GM_STATUS_OK) {
        fail_msg("%s: %s", t->name, gm_last_error(t->context));
    }
    operand_download(t, &out, out_memory);
    operand_unchanged(t, in, in_memory);
    return out;
}

/* Claim: each bad argument is refused and nothing is written. */
static void test_errors(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        float *const at = scratch_make(t, 0x5a);
        const gm_tensor in = gm_tensor_2d(at, GM_F32, 4, 4),
                        out = gm_tensor_2d(at + 32, GM_F32, 4, 4);
        const gm_tensor longer = gm_tensor_2d(at + 32, GM_F32, 4, 5);
        const gm_tensor other = gm_tensor_2d(at + 32, GM_F16, 4, 4),
                        near = gm_tensor_2d(at + 8, GM_F32, 4, 4);
        const gm_tensor flat = gm_tensor_1d(at + 32, GM_F32, 16);
        gm_tensor shared = out, integers = in, scalar = in;
        shared.stride[1] = 0;
        integers.dtype = GM_I32;
        scalar.ndim = 0;
        const gm_softmax_options good = {.axis = -1};
        const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
        gm_status (*const functions[])(gm_context *, const gm_softmax_options *, const gm_tensor *,
                                       const gm_tensor *) = {gm_softmax, gm_log_softmax};
        for (int k = 0; k < 2; ++k) {
            assert_int_equal(functions[k](NULL, &good, &in, &out), invalid);
            ASSERT_FAILS(c, functions[k](c, NULL, &in, &out), invalid, "options is NULL");
            ASSERT_FAILS(c, functions[k](c, &good, NULL, &out), invalid, "in is NULL");
            ASSERT_FAILS(c, functions[k](c, &good, &in, NULL), invalid, "out is NULL");
            ASSERT_FAILS(c, functions[k](c, &good, &integers, &out), invalid, "in.dtype");
            ASSERT_FAILS(c, functions[k](c, &good, &in, &other), invalid, "out.dtype");
            ASSERT_FAILS(c, functions[k](c, &good, &in, &longer), mismatch, "out.shape[1] = 5");
            ASSERT_FAILS(c, functions[k](c, &good, &in, &flat), mismatch, "out.ndim");
            ASSERT_FAILS(c, functions[k](c, &good, &in, &shared), invalid, "share memory");
            ASSERT_FAILS(c, functions[k](c, &good, &in, &near), invalid, "overlap");
            ASSERT_FAILS(c, functions[k](c, &good, &scalar, &scalar), invalid, "has 0 axes");
            static const int32_t axes[] = {2, -3};
            for (int i = 0; i < 2; ++i) {
                const gm_softmax_options bad = {.axis = axes[i]};
                ASSERT_FAILS(c, functions[k](c, &bad, &in, &out), invalid, "options.axis");
            }
            static const double temperatures[] = {-1, INFINITY, NAN, 1e-300, 1e300};
            for (int i = 0; i < 5; ++i) {
                const gm_softmax_options bad = {.axis = 1, .temperature = temperatures[i]};
                ASSERT_FAILS(c, functions[k](c, &bad, &in, &out), invalid, "temperature");
            }
        }
        scratch_untouched(t, at, 0x5a);
    }
}

/* Claim: equal elements share evenly, to the bit where 1 / n is exact; one element gets 1. */
static void test_exact(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 2, 32, 128, 1024, 4096, 16384};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        operand in = operand_make(GM_F32, 1, &sizes[i], PLAIN);
        for (int64_t e = 0; e < sizes[i]; ++e) {
            operand_set(&in, e, 123.5);
        }
        FOR_EACH_TARGET(t) {
            operand out = run(t, &in, (gm_softmax_options){0}, false, PLAIN, false);
            for (int64_t e = 0; e < sizes[i]; ++e) {
                assert_true(operand_get(&out, e) == 1.0 / (double)sizes[i]);
            }
            operand_free(&out);
        }
        operand_free(&in);
    }
}

/* Claim: infinities and NaN are what reduce.h says, and only their own row has them. */
static void test_special_rows(void **state) {
    (void)state;
    enum { N = 300 };
    const int64_t shape[2] = {6, N};
    for (int transposed = 0; transposed < 2; ++transposed) {
        operand in = operand_make(GM_F32, 2, shape, transposed ? TRANSPOSED : PLAIN);
        for (int64_t e = 0; e < in.elements; ++e) {
            const int64_t row = e / N, k = e % N;
            const double special = row == 1 ? INFINITY : row == 3 ? NAN : -INFINITY;
            const bool set = row == 0 || (row == 4 ? k != 7 : row != 5 && k == 9);
            operand_set(&in, e, set ? special : 1);
        }
        FOR_EACH_TARGET(t) {
            for (int logarithm = 0; logarithm < 2; ++logarithm) {
                operand out = run(t, &in, (gm_softmax_options){.axis = 1}, logarithm, PLAIN, false);
                for (int64_t e = 0; e < in.elements; ++e) {
                    const int64_t row = e / N, k = e % N;
                    const double p = row == 0 || row == 1 || row == 3 ? NAN
                                     : row == 2                       ? (k == 9 ? 0 : 1.0 / 299)
                                     : row == 4                       ? (k == 7 ? 1 : 0)
                                                                      : 1.0 / 300;
                    ASSERT_NEAR(operand_get(&out, e), logarithm ? log(p) : p, 1e-6,
                                "%s, row %d, %d", t->name, (int)row, (int)k);
                }
                operand_free(&out);
            }
        }
        operand_free(&in);
    }
}

typedef struct shape_case {
    int32_t ndim, axis;
    int64_t shape[3];
} shape_case;

static const shape_case shape_cases[] = {
    {1, 0, {0}},       {2, 1, {0, 4}},     {1, 0, {1}},         {2, -1, {9, 33}},
    {2, 1, {3, 127}},  {2, 1, {5, 4096}},  {2, -1, {2, 4097}},  {1, 0, {36871}},
    {2, 0, {259, 37}}, {2, 0, {4099, 20}}, {3, 1, {3, 129, 5}}, {3, -2, {2, 65, 40}},
    {3, 0, {7, 3, 2}},
};

/* Claim: the reference, every dtype and layout, in place too, and the same bits on all but ref. */
static void test_against_reference(void **state) {
    (void)state;
    int turn = 0;
    for (size_t i = 0; i < sizeof shape_cases / sizeof shape_cases[0]; ++i) {
        const shape_case *c = &shape_cases[i];
        for (int kind = 0; kind < 8; ++kind, ++turn) {
            const gm_dtype dtype = (gm_dtype)(kind / 2);
            const layout how = (layout)(turn % LAYOUTS), out_how = (layout)(turn % SPREAD);
            const bool logarithm = kind % 2, in_place = how == out_how;
            operand in = operand_make(dtype, c->ndim, c->shape, how);
            operand_fill(&in, (uint64_t)turn, -9, 9);
            const gm_softmax_options options = {.axis = c->axis, .temperature = turn % 3 * 0.7};
            const double u = compute_roundoff(dtype), n = (double)in.elements;
            operand want = run(&backends[0], &in, options, logarithm, PLAIN, false), first = {0};
            for (const target *t = backends + FIRST_CPU; t < backends + TARGETS; ++t) {
                if (t->context == NULL) {
                    continue;
                }
                operand got = run(t, &in, options, logarithm, out_how, in_place);
                for (int64_t e = 0; e < in.elements; ++e) {
                    const double w = operand_get(&want, e);
                    const double size = logarithm ? fabs(w) + 40 : w;
                    const double rounded =
                        2 * roundoff(dtype) * fabs(w) + 0x1p-24 * (dtype == GM_F16);
                    ASSERT_NEAR(operand_get(&got, e), w,
                                (90 + n * 0x1p-53 / u) * u * size + rounded, "%s, case %zu, %s",
                                t->name, i, gm_dtype_name(dtype));
                    if (first.bytes != NULL && memcmp(operand_at(&got, e), operand_at(&first, e),
                                                      gm_dtype_size(dtype)) != 0) {
                        fail_msg("%s, case %zu: %.17g is %.17g on cpu base", t->name, i,
                                 operand_get(&got, e), operand_get(&first, e));
                    }
                }
                operand_keep_first(&first, &got);
            }
            operand_free(&first);
            operand_free(&want);
            operand_free(&in);
        }
    }
}

/* Claim: a row sums to 1 within the stated bound, and softmax(x + c) = softmax(x) to the bit. */
static void test_sum_and_shift(void **state) {
    (void)state;
    static const int64_t sizes[] = {3, 1000, 4097, 30001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        operand in = operand_make(GM_F32, 1, &sizes[i], PLAIN);
        operand moved = operand_make(GM_F32, 1, &sizes[i], PLAIN);
        uint64_t seed = i;
        for (int64_t e = 0; e < sizes[i]; ++e) {
            const double x = (double)(next_random(&seed) % 4096) / 256; /* exact, and moved */
            operand_set(&in, e, x);
            operand_set(&moved, e, x - 2048);
        }
        FOR_EACH_TARGET(t) {
            operand a = run(t, &in, (gm_softmax_options){0}, false, PLAIN, false);
            operand b = run(t, &moved, (gm_softmax_options){0}, false, PLAIN, false);
            double sum = 0;
            for (int64_t e = 0; e < sizes[i]; ++e) {
                sum += operand_get(&a, e);
                assert_true(operand_get(&a, e) == operand_get(&b, e));
            }
            ASSERT_NEAR(sum, 1, 44 * 0x1p-24, "%s, %d", t->name, (int)sizes[i]);
            operand_free(&a);
            operand_free(&b);
        }
        operand_free(&in);
        operand_free(&moved);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_special_rows),  cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_sum_and_shift),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
