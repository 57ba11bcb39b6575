/* gm_gather and gm_scatter_add on every backend. */
#include "operand.h"

#include <math.h>

#include <genmath/gather.h>

typedef gm_status (*function)(gm_context *, int32_t, const gm_tensor *, const gm_tensor *,
                              const gm_tensor *, const gm_tensor *);

static bool on_host(const target *t) {
    return t->options.backend == GM_BACKEND_REF || t->options.backend == GM_BACKEND_CPU;
}

/* A copy of an operand that starts as `start` and has been through the function; what the call
 * returned and the first invalid index go to status and invalid, if they are not NULL. */
static operand run(const target *t, function f, int32_t axis, const operand *in,
                   const operand *indices, const operand *start, gm_status *status,
                   int64_t *invalid) {
    operand out = *start, first = operand_make(GM_I64, 0, in->view.shape, PLAIN);
    gm_tensor in_view, index_view, out_view, first_view;
    out.bytes = malloc(out.size);
    assert_non_null(out.bytes);
    memcpy(out.bytes, start->bytes, out.size);
    out.view.data = out.bytes + ((uint8_t *)start->view.data - start->bytes);
    void *in_memory = operand_upload(t, in, &in_view);
    void *index_memory = operand_upload(t, indices, &index_view);
    void *out_memory = operand_upload(t, &out, &out_view);
    void *first_memory = operand_upload(t, &first, &first_view);
    const gm_status got =
        f(t->context, axis, &in_view, &index_view, &out_view, invalid != NULL ? &first_view : NULL);
    if (status != NULL) {
        *status = got;
    } else if (got != GM_STATUS_OK) {
        fail_msg("%s: %s", t->name, gm_last_error(t->context));
    }
    operand_download(t, &out, out_memory);
    operand_download(t, &first, first_memory);
    operand_unchanged(t, in, in_memory);
    operand_unchanged(t, indices, index_memory);
    if (invalid != NULL) {
        *invalid = operand_get_integer(&first, 0);
    }
    operand_free(&first);
    return out;
}

/* Claim: each bad argument is refused and nothing is written. */
static void test_errors(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        float *const at = scratch_make(t, 0);
        const gm_tensor in = gm_tensor_2d(at, GM_F32, 3, 4),
                        out = gm_tensor_2d(at + 16, GM_F32, 3, 4);
        const gm_tensor index = gm_tensor_1d(at + 32, GM_I32, 3),
                        real = gm_tensor_1d(at + 32, GM_F32, 3);
        const gm_tensor two = gm_tensor_1d(at + 32, GM_I32, 2),
                        flag = {at + 40, GM_I64, 0, {0}, {0}};
        const gm_tensor wide = gm_tensor_2d(at + 16, GM_F32, 3, 5),
                        near = gm_tensor_2d(at + 8, GM_F32, 3, 4);
        const gm_tensor table = gm_tensor_2d(at + 32, GM_I32, 3, 1),
                        flag32 = {at + 40, GM_I32, 0, {0}, {0}};
        const gm_tensor at_index = {at + 32, GM_I64, 0, {0}, {0}};
        gm_tensor shared = out, complex_in = in;
        shared.stride[0] = 0;
        complex_in.dtype = GM_C64;
        const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
        static const function functions[] = {gm_gather, gm_scatter_add};
        for (int k = 0; k < 2; ++k) {
            const function f = functions[k];
            assert_int_equal(f(NULL, 0, &in, &index, &out, NULL), invalid);
            ASSERT_FAILS(c, f(c, 0, NULL, &index, &out, NULL), invalid, "in is NULL");
            ASSERT_FAILS(c, f(c, 0, &in, NULL, &out, NULL), invalid, "indices is NULL");
            ASSERT_FAILS(c, f(c, 0, &in, &index, NULL, NULL), invalid, "out is NULL");
            ASSERT_FAILS(c, f(c, 2, &in, &index, &out, NULL), invalid, "axis = 2");
            ASSERT_FAILS(c, f(c, -3, &in, &index, &out, NULL), invalid, "axis = -3");
            ASSERT_FAILS(c, f(c, 0, &in, &real, &out, NULL), invalid, "indices.dtype");
            ASSERT_FAILS(c, f(c, 0, &complex_in, &index, &out, NULL), invalid, "in.dtype = c64");
            ASSERT_FAILS(c, f(c, 0, &in, &table, &out, NULL), mismatch, "indices.ndim");
            ASSERT_FAILS(c, f(c, 0, &in, &two, &out, NULL), mismatch, "number of indices");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &wide, NULL), mismatch, "out.shape[1] = 5");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &shared, NULL), invalid, "share memory");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &near, NULL), invalid, "overlap");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &out, &flag32), invalid, "first_invalid.dtype");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &out, &index), invalid, "first_invalid");
            ASSERT_FAILS(c, f(c, 0, &in, &index, &out, &at_index), invalid, "overlap");
        }
        const gm_tensor whole = gm_tensor_2d(at, GM_I32, 3, 4),
                        sums = gm_tensor_2d(at + 16, GM_I32, 3, 4);
        ASSERT_FAILS(c, gm_scatter_add(c, 0, &whole, &index, &sums, &flag), invalid,
                     "in.dtype = i32");
        scratch_untouched(t, at, 0);
    }
}

/* Claim: an index out of range is found, the first of them named, and nothing is written. */
static void test_out_of_range(void **state) {
    (void)state;
    const int64_t shape[2] = {40, 300}, count = 600, out_shape[2] = {40, 600};
    static const double bad[] = {-1, 300, 1e9, -2147483648.0};
    static const function functions[] = {gm_gather, gm_scatter_add};
    for (int k = 0; k < 8; ++k) {
        const bool scatter = k % 2;
        operand in = operand_make(GM_F32, 2, scatter ? out_shape : shape, PLAIN);
        operand out = operand_make(GM_F32, 2, scatter ? shape : out_shape, PLAIN);
        operand indices = operand_make(k < 4 ? GM_I32 : GM_I64, 1, &count, PLAIN);
        operand_fill(&in, 1, -1, 1);
        operand_fill(&indices, 2, 0, 300);
        operand_set(&indices, 517, bad[k / 2]);
        operand_set(&indices, 590, bad[k / 2]);
        FOR_EACH_TARGET(t) {
            gm_status status;
            int64_t invalid;
            operand got = run(t, functions[scatter], 1, &in, &indices, &out, &status, &invalid);
            assert_int_equal(status, on_host(t) ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK);
            assert_int_equal(invalid, 517);
            assert_memory_equal(got.bytes, out.bytes, out.size);
            operand_free(&got);
            got = run(t, functions[scatter], 1, &in, &indices, &out, &status, NULL);
            if (on_host(t)) {
                assert_memory_equal(got.bytes, out.bytes, out.size);
            } else if (!scatter) { /* the others are taken, these two left as they were */
                assert_true(operand_get(&got, 516) ==
                            operand_get(&in, operand_get_integer(&indices, 516)));
                assert_true(isnan(operand_get(&got, 517)) && isnan(operand_get(&got, 590)));
            }
            operand_free(&got);
        }
        operand_free(&in);
        operand_free(&out);
        operand_free(&indices);
    }
}

typedef struct shape_case {
    int32_t ndim, axis;
    int64_t shape[3], count; /* of the tensor indexed */
} shape_case;

static const shape_case shape_cases[] = {
    {1, 0, {1}, 1},        {1, 0, {100}, 257},      {2, 0, {33, 65}, 40},
    {2, 1, {33, 65}, 300}, {3, 1, {3, 129, 20}, 7}, {3, -1, {2, 3, 70}, 9},
    {2, 0, {5, 0}, 3},     {2, 0, {5, 7}, 0},       {2, 0, {3, 257}, 1000},
};

/* Element numbers of (i before the axis, k along it, j after it). */
static int64_t element(const shape_case *c, int64_t along, int64_t i, int64_t k, int64_t j) {
    const int32_t axis = c->axis < 0 ? c->axis + c->ndim : c->axis;
    int64_t after = 1;
    for (int32_t a = axis + 1; a < c->ndim; ++a) {
        after *= c->shape[a];
    }
    return (i * along + k) * after + j;
}

/* Claim: gathers move every bit to where it belongs; sums are those of the indices' order, to the
 * bit in f32 and f64, and rounded once for the halves. */
static void test_results(void **state) {
    (void)state;
    int turn = 0;
    for (size_t s = 0; s < sizeof shape_cases / sizeof shape_cases[0]; ++s) {
        const shape_case *c = &shape_cases[s];
        const int32_t axis = c->axis < 0 ? c->axis + c->ndim : c->axis;
        for (int dtype = GM_F64; dtype <= GM_BF16; ++dtype) {
            for (int scatter = 0; scatter < 2; ++scatter, ++turn) {
                int64_t counted[3] = {c->shape[0], c->shape[1], c->shape[2]}, before = 1, after = 1;
                counted[axis] = c->count;
                for (int32_t a = 0; a < c->ndim; ++a) {
                    before *= a < axis ? c->shape[a] : 1;
                    after *= a > axis ? c->shape[a] : 1;
                }
                const int64_t size = c->shape[axis];
                operand in = operand_make((gm_dtype)dtype, c->ndim, scatter ? counted : c->shape,
                                          (layout)(turn % LAYOUTS));
                operand out = operand_make((gm_dtype)dtype, c->ndim, scatter ? c->shape : counted,
                                           (layout)(turn / 2 % SPREAD));
                operand indices = operand_make(turn % 3 ? GM_I32 : GM_I64, 1, &c->count,
                                               turn % 4 ? PLAIN : REVERSED);
                operand_fill(&in, (uint64_t)turn, -1, 1);
                operand_fill(&out, 3, -1, 1);
                operand_fill(&indices, 4, 0, (double)size);
                FOR_EACH_TARGET(t) {
                    int64_t invalid;
                    operand got = run(t, scatter ? gm_scatter_add : gm_gather, c->axis, &in,
                                      &indices, &out, NULL, &invalid);
                    assert_int_equal(invalid, -1);
                    for (int64_t i = 0; i < before; ++i) {
                        for (int64_t j = 0; j < after; ++j) {
                            for (int64_t k = 0; !scatter && k < c->count; ++k) {
                                const int64_t from =
                                    element(c, size, i, operand_get_integer(&indices, k), j);
                                assert_memory_equal(operand_at(&got, element(c, c->count, i, k, j)),
                                                    operand_at(&in, from),
                                                    gm_dtype_size((gm_dtype)dtype));
                            }
                            for (int64_t p = 0; scatter && p < size; ++p) {
                                const int64_t e = element(c, size, i, p, j);
                                double exact = operand_get(&out, e), most = fabs(exact);
                                float single = (float)exact;
                                for (int64_t k = 0; k < c->count; ++k) {
                                    if (operand_get_integer(&indices, k) == p) {
                                        const double x =
                                            operand_get(&in, element(c, c->count, i, k, j));
                                        exact += x;
                                        single += (float)x;
                                        most += fabs(x);
                                    }
                                }
                                const bool in_double = dtype == GM_F64 || t == backends;
                                const double want = in_double ? exact : (double)single;
                                const double bound =
                                    dtype < GM_F16 && t != backends
                                        ? 0
                                        : 2 * roundoff((gm_dtype)dtype) * fabs(want) + 1e-7 * most;
                                ASSERT_NEAR(operand_get(&got, e), want, bound, "%s, case %zu, %s",
                                            t->name, s, gm_dtype_name((gm_dtype)dtype));
                            }
                        }
                    }
                    operand_free(&got);
                }
                operand_free(&in);
                operand_free(&out);
                operand_free(&indices);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
