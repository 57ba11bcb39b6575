/* TAPP: tensor infos, attributes, texts of errors, and handles that are none. */
#include "tests/tapp_fixture.h"

static void assert_code(TAPP_error error, int code, const char *part) {
    assert_error(error, TAPP_ERROR_TYPE_TAPP, code, part);
}

/* ---- infos ----------------------------------------------------------------------------------- */

static void test_infos(void **state) {
    (void)state;
    const target *t = &targets[0];
    const int64_t extent[] = {2, 3}, stride[] = {-5, 7}, negative[] = {2, -1};
    int64_t got[3] = {-9, -9, -9};
    TAPP_tensor_info info = 1;
    assert_code(TAPP_create_tensor_info(&info, t->handle, TAPP_F32, -1, extent, stride),
                TAPP_ERR_NMODE_NEGATIVE, "nmode = -1");
    assert_int_equal(info, 0);
    assert_code(TAPP_create_tensor_info(&info, t->handle, TAPP_F32, 2, negative, stride),
                TAPP_ERR_EXTENTS_NEGATIVE, "extents[1] = -1");
    assert_code(TAPP_create_tensor_info(&info, t->handle, 6, 2, extent, stride),
                TAPP_ERR_NOT_IMPLEMENTED, "type = 6");
    assert_code(TAPP_create_tensor_info(&info, t->handle, -1, 2, extent, stride),
                TAPP_ERR_NOT_IMPLEMENTED, "type = -1");
    assert_invalid(TAPP_create_tensor_info(&info, t->handle, TAPP_F32, 2, NULL, stride), "extents");
    assert_invalid(TAPP_create_tensor_info(&info, t->handle, TAPP_F32, 2, extent, NULL), "strides");
    assert_invalid(TAPP_create_tensor_info(NULL, t->handle, TAPP_F32, 2, extent, stride), "info");
    assert_success(TAPP_create_tensor_info(&info, t->handle, TAPP_F32, 2, extent, stride));
    assert_int_equal(TAPP_get_nmodes(info), 2);
    TAPP_get_extents(info, got);
    assert_true(got[0] == 2 && got[1] == 3 && got[2] == -9);
    TAPP_get_strides(info, got);
    assert_true(got[0] == -5 && got[1] == 7 && got[2] == -9);
    assert_code(TAPP_set_nmodes(info, -2), TAPP_ERR_NMODE_NEGATIVE, "nmode = -2");
    assert_code(TAPP_set_extents(info, negative), TAPP_ERR_EXTENTS_NEGATIVE, "extents[1]");
    assert_int_equal(TAPP_get_nmodes(info), 2);
    assert_success(TAPP_set_nmodes(info, 3));
    TAPP_get_extents(info, got);
    assert_true(got[0] == 2 && got[1] == 3 && got[2] == 1);
    TAPP_get_strides(info, got);
    assert_true(got[0] == -5 && got[1] == 7 && got[2] == 0);
    assert_success(TAPP_set_extents(info, (const int64_t[]){4, 0, 6}));
    assert_success(TAPP_set_strides(info, (const int64_t[]){1, 2, 3}));
    assert_invalid(TAPP_set_strides(info, NULL), "strides");
    assert_invalid(TAPP_set_extents(info, NULL), "extents");
    TAPP_get_extents(info, got);
    assert_true(got[0] == 4 && got[1] == 0 && got[2] == 6);
    TAPP_get_strides(info, got);
    assert_true(got[0] == 1 && got[1] == 2 && got[2] == 3);
    assert_success(TAPP_set_nmodes(info, 0));
    assert_int_equal(TAPP_get_nmodes(info), 0);
    assert_success(TAPP_set_extents(info, NULL));
    assert_success(TAPP_destroy_tensor_info(info));
    TAPP_get_extents(info, got);
    assert_int_equal(got[0], 1);
    assert_int_equal(TAPP_get_nmodes(info), -1);
}

/* ---- handles --------------------------------------------------------------------------------- */

/* Every function that takes a handle, on one that is not its own. */
static void check_wrong(const target *t, intptr_t h) {
    const int64_t one = 1;
    const double x = 1;
    const void *in[] = {&x};
    double d = 0;
    void *out[] = {&d};
    intptr_t made = 5;
    size_t size;
    void *value;
    TAPP_completion completion;
    TAPP_error error;
    TAPP_attr attr = h;
    assert_invalid(TAPP_destroy_handle(h), "handle");
    assert_invalid(TAPP_create_tensor_info(&made, h, TAPP_F64, 0, NULL, NULL), "handle");
    assert_invalid(TAPP_destroy_tensor_info(h), "info");
    assert_int_equal(TAPP_get_nmodes(h), -1);
    TAPP_get_extents(h, (int64_t *)NULL);
    TAPP_get_strides(h, (int64_t *)NULL);
    assert_invalid(TAPP_set_nmodes(h, 1), "info");
    assert_invalid(TAPP_set_extents(h, &one), "info");
    assert_invalid(TAPP_set_strides(h, &one), "info");
    assert_invalid(TAPP_destroy_attr(&attr), "attr");
    assert_invalid(TAPP_set_attr(h, 0, 0, NULL), "attr");
    assert_invalid(TAPP_get_attr(h, 0, &size, &value), "attr");
    assert_invalid(TAPP_clear_attr(h, 0), "attr");
    assert_code(TAPP_destroy_executor(h), TAPP_ERR_NO_EXECUTOR, "");
    assert_code(TAPP_executor_wait(h), TAPP_ERR_NO_EXECUTOR, "");
    made = 5;
    assert_code(TAPP_executor_get_status(h, &made), TAPP_ERR_NO_EXECUTOR, "");
    assert_int_equal(made, 0);
    assert_invalid(TAPP_status_check_completion(h, &completion, &error), "status");
    assert_invalid(TAPP_status_get_error(h), "status");
    assert_invalid(TAPP_destroy_status(h), "status");
    assert_invalid(TAPP_destroy_tensor_product(h), "product");
    assert_invalid(TAPP_execute_product(h, t->executor, NULL, &x, &x, &x, &x, &x, &d), "product");
    assert_invalid(TAPP_execute_batched_product(h, t->executor, NULL, 1, &x, in, in, &x, in, out),
                   "product");
    assert_invalid(TAPP_create_tensor_product(&made, h, 0, h, NULL, 0, h, NULL, 0, h, NULL, 0, h,
                                              NULL, TAPP_DEFAULT_PREC),
                   "handle");
    assert_invalid(TAPP_create_tensor_product(&made, t->handle, 0, h, NULL, 0, h, NULL, 0, h, NULL,
                                              0, h, NULL, TAPP_DEFAULT_PREC),
                   "A is");
}

static TAPP_tensor_product scalar_product(const target *t) {
    TAPP_tensor_info s;
    TAPP_tensor_product product;
    assert_success(TAPP_create_tensor_info(&s, t->handle, TAPP_F32, 0, NULL, NULL));
    assert_success(TAPP_create_tensor_product(&product, t->handle, 0, s, NULL, 0, s, NULL, 0, s,
                                              NULL, 0, s, NULL, TAPP_DEFAULT_PREC));
    assert_success(TAPP_destroy_tensor_info(s));
    return product;
}

static void test_handles(void **state) {
    (void)state;
    const target *t = &targets[0];
    const intptr_t none[] = {0, 1, 2, -1, 8, INTPTR_MAX, INTPTR_MIN, (intptr_t)&t, t->handle + 64};
    for (int i = 0; i < COUNT(none); ++i) {
        check_wrong(t, none[i]);
    }
    TAPP_tensor_product product, again;
    product = scalar_product(t);
    assert_success(TAPP_destroy_tensor_product(product));
    check_wrong(t, product);
    again = scalar_product(t);
    assert_true(again != product); /* the place is used again, not the handle */
    check_wrong(t, product);
    assert_success(TAPP_destroy_tensor_product(again));
    /* A handle of another kind. */
    assert_invalid(TAPP_destroy_tensor_info(t->handle), "info");
    assert_invalid(TAPP_destroy_tensor_product(t->executor), "product");
    assert_code(TAPP_executor_wait(t->handle), TAPP_ERR_NO_EXECUTOR, "");
    assert_invalid(TAPP_destroy_handle(t->executor), "handle");
    /* Many at once: the table grows. */
    enum { MANY = 3000 };
    static TAPP_attr attr[MANY];
    for (int i = 0; i < MANY; ++i) {
        assert_success(TAPP_create_attr(&attr[i]));
        assert_success(TAPP_set_attr(attr[i], 0, sizeof i, &i));
    }
    for (int i = 0; i < MANY; ++i) {
        void *value;
        assert_success(TAPP_get_attr(attr[i], 0, NULL, &value));
        assert_int_equal(*(int *)value, i);
        assert_success(TAPP_destroy_attr(&attr[i]));
        assert_int_equal(attr[i], 0);
    }
}

static void test_bad_environment(void **state) {
    (void)state;
    TAPP_handle handle = 7;
    setenv("GENMATH_BACKEND", "abacus", 1);
    assert_invalid(TAPP_create_handle(0, &handle), "abacus");
    assert_int_equal(handle, 0);
    unsetenv("GENMATH_BACKEND");
    assert_invalid(TAPP_create_handle(0, NULL), "handle is NULL");
}

static void test_attributes(void **state) {
    (void)state;
    TAPP_attr attr;
    size_t size = 0;
    void *value = NULL;
    char text[] = "seven";
    double number = 2.5;
    assert_success(TAPP_create_attr(&attr));
    assert_code(TAPP_get_attr(attr, 7, &size, &value), TAPP_ERR_INVALID_KEY, "key = 7");
    assert_code(TAPP_clear_attr(attr, 7), TAPP_ERR_INVALID_KEY, "key = 7");
    assert_code(TAPP_set_attr(attr, -1, sizeof text, text), TAPP_ERR_INVALID_KEY, "key = -1");
    assert_invalid(TAPP_set_attr(attr, 7, 3, NULL), "value");
    assert_success(TAPP_set_attr(attr, 7, sizeof text, text));
    assert_success(TAPP_set_attr(attr, 8, 0, NULL));
    text[0] = 'S'; /* a copy was kept */
    assert_success(TAPP_get_attr(attr, 7, &size, &value));
    assert_int_equal(size, sizeof text);
    assert_string_equal(value, "seven");
    assert_success(TAPP_set_attr(attr, 7, sizeof number, &number));
    assert_success(TAPP_get_attr(attr, 7, &size, &value));
    assert_int_equal(size, sizeof number);
    assert_memory_equal(value, &number, sizeof number);
    assert_success(TAPP_clear_attr(attr, 7));
    assert_code(TAPP_get_attr(attr, 7, &size, &value), TAPP_ERR_INVALID_KEY, "key = 7");
    assert_success(TAPP_get_attr(attr, 8, &size, NULL));
    assert_int_equal(size, 0);
    assert_success(TAPP_destroy_attr(&attr));
    assert_invalid(TAPP_create_attr(NULL), "attr");
    assert_invalid(TAPP_destroy_attr(NULL), "attr");
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void test_explanations(void **state) {
    (void)state;
    char text[600], shorter[600], seen[TAPP_ERR_NOT_IMPLEMENTED + 1][128];
    for (int code = 0; code <= TAPP_ERR_NOT_IMPLEMENTED; ++code) {
        const TAPP_error error = {TAPP_ERROR_TYPE_TAPP, code};
        const size_t whole = TAPP_explain_error(error, 0, NULL);
        assert_true(whole > 5 && whole < sizeof seen[0]);
        memset(text, 'x', sizeof text);
        assert_int_equal(TAPP_explain_error(error, sizeof text, text), whole);
        assert_int_equal(strlen(text), whole);
        strcpy(seen[code], text);
        for (int other = 0; other < code; ++other) {
            assert_string_not_equal(seen[other], text);
        }
        for (size_t length = 1; length <= whole + 2; ++length) {
            memset(shorter, 'x', sizeof shorter);
            const size_t expected = length - 1 < whole ? length - 1 : whole;
            assert_int_equal(TAPP_explain_error(error, length, shorter), expected);
            assert_memory_equal(shorter, text, expected);
            assert_int_equal(shorter[expected], '\0');
            assert_int_equal(shorter[expected + 1], 'x');
        }
        assert_int_equal(TAPP_check_success(error), code == 0);
    }
    strcpy(text, "untouched");
    TAPP_explain_error(TAPP_SUCCESS, 0, text);
    assert_string_equal(text, "untouched");
    for (int type = TAPP_ERROR_TYPE_CUDA; type <= TAPP_ERROR_TYPE_TBLIS; ++type) {
        assert_false(TAPP_check_success((TAPP_error){type, 3}));
        assert_error((TAPP_error){type, 3}, type, 3, "error 3 of ");
    }
    assert_error((TAPP_error){0, 18}, 0, 18, "error 18");
    assert_error((TAPP_error){0, -1}, 0, -1, "error -1");
    assert_error((TAPP_error){77, 1}, 77, 1, "unknown type 77");
    for (int code = 0; code < GM_STATUS_COUNT; ++code) {
        assert_error((TAPP_error){TAPP_ERROR_TYPE_GENMATH, code}, TAPP_ERROR_TYPE_GENMATH, code,
                     gm_status_string((gm_status)code));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_infos),           cmocka_unit_test(test_handles),
        cmocka_unit_test(test_bad_environment), cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_explanations),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
