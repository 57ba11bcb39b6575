/*
 * Views and the argument checks that the operations share (host/check.c). Claims about memory are
 * compared with brute force: the set of bytes that a small view really touches.
 */
#include "support.h"

#include <genmath/tensor.h>

#include "host/internal.h"

static gm_context *context;

static int begin(void **state) {
    (void)state;
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &context) !=
           GM_STATUS_OK;
}

static int end(void **state) {
    (void)state;
    gm_context_destroy(context);
    return 0;
}

static double values[512];
static const gm_status bad = GM_STATUS_INVALID_ARGUMENT;
#define ALL_DTYPES ((1u << GM_DTYPE_COUNT) - 1)

/* ---- dtypes and views
 * ---------------------------------------------------------------------------- */

static void test_dtypes(void **state) {
    (void)state;
#define EXPECT(dtype, bytes, text)                                                                 \
    assert_int_equal(gm_dtype_size(dtype), bytes);                                                 \
    assert_string_equal(gm_dtype_name(dtype), text);
    GM_DTYPE_LIST(EXPECT)
#undef EXPECT
    assert_int_equal(gm_dtype_size(GM_DTYPE_COUNT), 0);
    assert_int_equal(gm_dtype_size((gm_dtype)-1), 0);
    assert_string_equal(gm_dtype_name((gm_dtype)-1), "unknown");
    assert_string_equal(gm_dtype_name(GM_DTYPE_COUNT), "unknown");
}

static void test_view_errors(void **state) {
    (void)state;
    const int64_t shape[2] = {2, 3}, negative[2] = {2, -1};
    const int64_t elements[2] = {INT64_C(1) << 32, INT64_C(1) << 31}, bytes[1] = {INT64_MAX / 4};
    const int64_t hidden[3] = {INT64_C(1) << 32, 0, INT64_C(1) << 32};
    gm_tensor out, before;
    memset(&out, 0x5a, sizeof out);
    before = out;
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F32, 2, shape, NULL), bad, "tensor");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_DTYPE_COUNT, 2, shape, &out), bad, "dtype");
    ASSERT_FAILS(NULL, gm_tensor_view(values, (gm_dtype)-1, 2, shape, &out), bad, "dtype");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F32, -1, shape, &out), bad, "ndim");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F32, 33, shape, &out), bad, "ndim");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F32, 2, NULL, &out), bad, "shape is NULL");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F32, 2, negative, &out), bad, "shape[1] = -1");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_U8, 2, elements, &out), bad, "2^63");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_F64, 1, bytes, &out), bad, "2^63");
    ASSERT_FAILS(NULL, gm_tensor_view(values, GM_U8, 3, hidden, &out), bad, "2^63");
    assert_memory_equal(&out, &before, sizeof out);
    ASSERT_OK(NULL, gm_tensor_view(values, GM_U8, 1, &(int64_t){INT64_MAX}, &out));
}

static void test_views(void **state) {
    (void)state;
    const int64_t shape[3] = {2, 3, 4};
    int64_t elements = -1;
    gm_tensor tensor;
    ASSERT_OK(NULL, gm_tensor_view(values, GM_F64, 3, shape, &tensor));
    assert_true(tensor.stride[0] == 12 && tensor.stride[1] == 4 && tensor.stride[2] == 1);
    ASSERT_OK(NULL, gm_tensor_elements(&tensor, &elements));
    assert_int_equal(elements, 24);
    const gm_tensor inline_view = gm_tensor_3d(values, GM_F64, 2, 3, 4);
    assert_memory_equal(&tensor, &inline_view, sizeof tensor);
    ASSERT_OK(NULL, gm_tensor_view(values, GM_F64, 0, NULL, &tensor));
    ASSERT_OK(NULL, gm_tensor_elements(&tensor, &elements));
    assert_int_equal(elements, 1);
    tensor = gm_tensor_2d(NULL, GM_F64, 5, 0);
    ASSERT_OK(NULL, gm_tensor_elements(&tensor, &elements));
    assert_int_equal(elements, 0);
}

static void test_elements_errors(void **state) {
    (void)state;
    int64_t elements = -7;
    gm_tensor tensor = gm_tensor_2d(values, GM_F64, 2, 3);
    ASSERT_FAILS(NULL, gm_tensor_elements(NULL, &elements), bad, "tensor");
    ASSERT_FAILS(NULL, gm_tensor_elements(&tensor, NULL), bad, "elements");
    tensor.ndim = 33;
    ASSERT_FAILS(NULL, gm_tensor_elements(&tensor, &elements), bad, "ndim");
    tensor.ndim = -1;
    ASSERT_FAILS(NULL, gm_tensor_elements(&tensor, &elements), bad, "ndim");
    tensor = gm_tensor_2d(values, GM_F64, -2, 0);
    ASSERT_FAILS(NULL, gm_tensor_elements(&tensor, &elements), bad, "negative");
    tensor = gm_tensor_2d(values, GM_F64, INT64_C(1) << 32, 1);
    tensor.shape[1] = INT64_C(1) << 32;
    ASSERT_FAILS(NULL, gm_tensor_elements(&tensor, &elements), bad, "2^63");
    assert_int_equal(elements, -7);
}

static void test_contiguity(void **state) {
    (void)state;
    gm_tensor tensor = gm_tensor_3d(values, GM_F64, 2, 3, 4);
    assert_true(gm_tensor_is_contiguous(&tensor));
    tensor.stride[0] = 13;
    assert_false(gm_tensor_is_contiguous(&tensor));
    tensor.shape[0] = 1; /* the stride of a size of 1 is never used */
    assert_true(gm_tensor_is_contiguous(&tensor));
    tensor.stride[2] = 2;
    assert_false(gm_tensor_is_contiguous(&tensor));
    tensor.shape[1] = 0; /* nothing is contiguous */
    assert_true(gm_tensor_is_contiguous(&tensor));
    tensor.shape[1] = -1;
    assert_false(gm_tensor_is_contiguous(&tensor));
    assert_false(gm_tensor_is_contiguous(NULL));
    tensor = gm_tensor_1d(values, GM_F64, 8);
    tensor.stride[0] = -1;
    assert_false(gm_tensor_is_contiguous(&tensor));
    tensor.stride[0] = 0;
    assert_false(gm_tensor_is_contiguous(&tensor));
}

static void test_permute(void **state) {
    (void)state;
    const int32_t order[3] = {2, 0, 1}, twice[3] = {0, 1, 1}, high[3] = {0, 1, 3},
                  low[3] = {0, -1, 2};
    gm_tensor tensor = gm_tensor_3d(values, GM_F64, 2, 3, 4), out, before;
    memset(&out, 0x5a, sizeof out);
    before = out;
    ASSERT_FAILS(NULL, gm_tensor_permute(NULL, order, &out), bad, "tensor");
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, order, NULL), bad, "out");
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, NULL, &out), bad, "order");
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, twice, &out), bad, "order[2] = 1");
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, high, &out), bad, "order[2] = 3");
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, low, &out), bad, "order[1] = -1");
    assert_memory_equal(&out, &before, sizeof out);
    ASSERT_OK(NULL, gm_tensor_permute(&tensor, order, &out));
    assert_true(out.shape[0] == 4 && out.shape[1] == 2 && out.shape[2] == 3);
    assert_true(out.stride[0] == 1 && out.stride[1] == 12 && out.stride[2] == 4);
    ASSERT_OK(NULL, gm_tensor_permute(&tensor, order, &tensor)); /* in place */
    assert_memory_equal(&tensor, &out, sizeof out);
    tensor.ndim = 33;
    ASSERT_FAILS(NULL, gm_tensor_permute(&tensor, order, &out), bad, "ndim");
    int32_t all[GM_MAX_DIMS]; /* the highest rank uses every bit of the set of axes seen */
    tensor = (gm_tensor){values, GM_F64, GM_MAX_DIMS, {0}, {0}};
    for (int32_t i = 0; i < GM_MAX_DIMS; ++i) {
        tensor.shape[i] = i + 1;
        all[i] = GM_MAX_DIMS - 1 - i;
    }
    ASSERT_OK(NULL, gm_tensor_permute(&tensor, all, &out));
    assert_int_equal(out.shape[0], GM_MAX_DIMS);
}

/* ---- check.c
 * ------------------------------------------------------------------------------------- */

static void test_check_tensor(void **state) {
    (void)state;
    const gm_tensor good = gm_tensor_2d(values, GM_F64, 4, 5);
    gm_tensor t = good;
    ASSERT_OK(context, gm_check_tensor(context, "x", &good, 2, GM_FLOATS));
    ASSERT_FAILS(context, gm_check_tensor(context, "x", NULL, 2, GM_FLOATS), bad, "x is NULL");
    t.dtype = GM_DTYPE_COUNT;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, ALL_DTYPES), bad, "x.dtype = 15");
    t = good, t.dtype = GM_I32;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad, "x.dtype = i32");
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &good, 3, GM_FLOATS),
                 GM_STATUS_SHAPE_MISMATCH, "x.ndim = 2: must be 3");
    t = good, t.shape[1] = -5;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad, "shape[1] = -5");
    t = good, t.shape[1] = INT64_MAX;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad,
                 "x: tensor.shape[1]");
    t = good, t.data = NULL;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad, "x.data is NULL");
    t.shape[0] = 0;
    ASSERT_OK(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS)); /* empty: no data needed */
    t = good, t.data = (char *)values + 4;
    ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad, "aligned");
    t.dtype = GM_F32;
    ASSERT_OK(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS));
    t = good, t.dtype = GM_C128, t.data = values + 1; /* complex numbers align as their halves */
    ASSERT_OK(context, gm_check_tensor(context, "x", &t, 2, ALL_DTYPES));
}

static void test_check_reach(void **state) {
    (void)state;
    static const int64_t strides[][2] = {{INT64_MAX, 1},
                                         {INT64_MIN, 1},
                                         {INT64_MAX / 8, 1},
                                         {INT64_MIN / 8, 1},
                                         {INT64_MAX / 4, 1},
                                         {1, INT64_MAX / 3},
                                         {INT64_MAX / 2, INT64_MAX / 2},
                                         {INT64_MAX / 16, INT64_MIN / 16}};
    for (size_t i = 0; i < sizeof strides / sizeof strides[0]; ++i) {
        gm_tensor t = gm_tensor_2d(values, GM_F64, 3, 3);
        t.stride[0] = strides[i][0];
        t.stride[1] = strides[i][1];
        ASSERT_FAILS(context, gm_check_tensor(context, "x", &t, 2, GM_FLOATS), bad,
                     "strides reach");
        ASSERT_FAILS(context, gm_check_output(context, "x", &t, 2, GM_FLOATS), bad,
                     "strides reach");
    }
    gm_tensor bytes = gm_tensor_2d(values, GM_U8, 2, 2);
    bytes.stride[0] = INT64_MAX / 2 + 1, bytes.stride[1] = INT64_MIN / 2;
    ASSERT_FAILS(context, gm_check_output(context, "x", &bytes, 2, ALL_DTYPES), bad,
                 "strides reach");
    bytes.shape[1] = 1, bytes.stride[0] = INT64_MIN;
    ASSERT_FAILS(context, gm_check_output(context, "x", &bytes, 2, ALL_DTYPES), bad,
                 "strides reach");
    bytes.stride[0] = 5, bytes.stride[1] = INT64_MIN; /* of a size of 1: never used */
    ASSERT_OK(context, gm_check_output(context, "x", &bytes, 2, ALL_DTYPES));
}

/* Which of 256 elements around the middle a small view touches, and whether it touches one twice.
 */
static bool touch(const gm_tensor *t, bool *touched) {
    bool distinct = true;
    memset(touched, 0, 256 * sizeof *touched);
    const int64_t base = (const double *)t->data - values;
    for (int64_t i = 0; i < t->shape[0]; ++i) {
        for (int64_t j = 0; j < t->shape[1]; ++j) {
            for (int64_t k = 0; k < t->shape[2]; ++k) {
                bool *at = &touched[base + i * t->stride[0] + j * t->stride[1] + k * t->stride[2]];
                distinct = distinct && !*at;
                *at = true;
            }
        }
    }
    return distinct;
}

static gm_tensor random_view(uint64_t *seed) {
    gm_tensor t = gm_tensor_3d(values + 128, GM_F64, 1, 1, 1);
    for (int axis = 0; axis < 3; ++axis) {
        t.shape[axis] = (int64_t)(next_random(seed) % 4) + (next_random(seed) % 16 != 0);
        t.stride[axis] = (int64_t)(next_random(seed) % 21) - 10;
    }
    return t;
}

/* A view is taken as an output only if brute force finds no element twice. The reverse fails for
 * views that interleave, which random strides this small often do and arrays that programs make do
 * not. */
static void test_outputs_against_brute_force(void **state) {
    (void)state;
    uint64_t seed = 1;
    bool touched[256];
    int accepted = 0, refused = 0, too_careful = 0;
    for (int round = 0; round < 20000; ++round) {
        const gm_tensor t = random_view(&seed);
        const bool distinct = touch(&t, touched);
        const gm_status status = gm_check_output(context, "out", &t, 3, GM_FLOATS);
        if (status == GM_STATUS_OK) {
            assert_true(distinct);
            ++accepted;
        } else {
            assert_non_null(strstr(gm_last_error(context), "share memory"));
            ++refused;
            too_careful += distinct;
        }
    }
    print_message("%d views accepted, %d refused, of which %d would have been fine\n", accepted,
                  refused, too_careful);
    assert_true(accepted > 2000 && refused > 2000 && too_careful < refused / 2);
}

static void test_known_outputs(void **state) {
    (void)state;
    gm_tensor t = gm_tensor_2d(values, GM_F64, 4, 5);
    ASSERT_OK(context, gm_check_output(context, "out", &t, 2, GM_FLOATS));
    t.stride[0] = 0; /* broadcast */
    ASSERT_FAILS(context, gm_check_output(context, "out", &t, 2, GM_FLOATS), bad, "share memory");
    t.stride[0] = 4; /* rows overlap by one */
    ASSERT_FAILS(context, gm_check_output(context, "out", &t, 2, GM_FLOATS), bad, "share memory");
    t.stride[0] = 1, t.stride[1] = 4; /* column-major */
    ASSERT_OK(context, gm_check_output(context, "out", &t, 2, GM_FLOATS));
    t.stride[0] = -1, t.stride[1] = -4, t.data = values + 100; /* backwards */
    ASSERT_OK(context, gm_check_output(context, "out", &t, 2, GM_FLOATS));
    t.shape[0] = 0, t.stride[1] = 0; /* nothing is written */
    ASSERT_OK(context, gm_check_output(context, "out", &t, 2, GM_FLOATS));
}

/* Views whose byte ranges do not touch are disjoint, and only those. */
static void test_disjoint_against_brute_force(void **state) {
    (void)state;
    uint64_t seed = 2;
    bool a_touched[256], b_touched[256];
    int disjoint = 0, overlapping = 0;
    for (int round = 0; round < 20000; ++round) {
        const gm_tensor a = random_view(&seed);
        gm_tensor b = random_view(&seed);
        b.data = values + 128 + (int64_t)(next_random(&seed) % 61) - 30;
        touch(&a, a_touched);
        touch(&b, b_touched);
        int a_first = 256, a_last = -1, b_first = 256, b_last = -1;
        for (int i = 0; i < 256; ++i) {
            a_first = a_touched[i] && i < a_first ? i : a_first;
            b_first = b_touched[i] && i < b_first ? i : b_first;
            a_last = a_touched[i] ? i : a_last;
            b_last = b_touched[i] ? i : b_last;
        }
        const bool expected = a_last < b_first || b_last < a_first; /* empty views are disjoint */
        const gm_status status = gm_check_disjoint(context, "a", &a, "b", &b, false);
        assert_int_equal(status, expected ? GM_STATUS_OK : bad);
        assert_int_equal(gm_check_disjoint(context, "b", &b, "a", &a, false), status);
        disjoint += expected;
        overlapping += !expected;
    }
    assert_true(disjoint > 1000 && overlapping > 1000);
}

static void test_disjoint_exceptions(void **state) {
    (void)state;
    const gm_tensor a = gm_tensor_2d(values, GM_F64, 4, 5);
    gm_tensor b = a;
    ASSERT_FAILS(context, gm_check_disjoint(context, "in", &a, "out", &b, false), bad,
                 "in and out overlap");
    ASSERT_OK(context, gm_check_disjoint(context, "in", &a, "out", &b, true));
    b.stride[0] = 6;
    ASSERT_FAILS(context, gm_check_disjoint(context, "in", &a, "out", &b, true), bad, "overlap");
    b = a, b.dtype = GM_F32;
    ASSERT_FAILS(context, gm_check_disjoint(context, "in", &a, "out", &b, true), bad, "overlap");
    b = a, b.shape[0] = 3;
    ASSERT_FAILS(context, gm_check_disjoint(context, "in", &a, "out", &b, true), bad, "overlap");
    ASSERT_OK(context, gm_check_disjoint(context, "in", NULL, "out", &b, false));
    ASSERT_OK(context, gm_check_disjoint(context, "in", &a, "out", NULL, false));
    b = a, b.data = values + 20; /* the next element, no byte shared */
    ASSERT_OK(context, gm_check_disjoint(context, "in", &a, "out", &b, false));
    b = a, b.stride[0] = INT64_MAX / 32; /* wraps around the address space: not provably apart */
    b.data = (void *)(INTPTR_MAX - 7);
    ASSERT_FAILS(context, gm_check_disjoint(context, "in", &a, "out", &b, false), bad, "overlap");
}

static void test_check_size(void **state) {
    (void)state;
    const gm_tensor t = gm_tensor_2d(values, GM_F64, 4, 5);
    ASSERT_OK(context, gm_check_size(context, "x", &t, 1, 5, "unused"));
    ASSERT_FAILS(context, gm_check_size(context, "x", &t, 1, 6, "the number of columns"),
                 GM_STATUS_SHAPE_MISMATCH, "x.shape[1] = 5: must be 6, the number of columns");
    int64_t product;
    assert_true(gm_multiply_sizes(INT64_C(1) << 31, INT64_C(1) << 31, &product));
    assert_int_equal(product, INT64_C(1) << 62);
    assert_false(gm_multiply_sizes(INT64_C(1) << 32, INT64_C(1) << 31, &product));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_view_errors),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_elements_errors),
        cmocka_unit_test(test_contiguity),
        cmocka_unit_test(test_permute),
        cmocka_unit_test(test_check_tensor),
        cmocka_unit_test(test_check_reach),
        cmocka_unit_test(test_outputs_against_brute_force),
        cmocka_unit_test(test_known_outputs),
        cmocka_unit_test(test_disjoint_against_brute_force),
        cmocka_unit_test(test_disjoint_exceptions),
        cmocka_unit_test(test_check_size),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
