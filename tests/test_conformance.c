/*
 * Every conformance case of `genmath verify` on every backend that this machine has: the cpu with
 * each of its instruction sets and with more threads than processors, the emulator, the GPU. What
 * is not here is a printed, counted skip.
 */
#include "support.h"

#include "host/cli/cases.h"

static const struct {
    const char *name;
    gm_context_options options;
} subjects[] = {
    {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 1}},
    {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 1}},
    {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 1}},
    {"cpu, 5 threads", {.backend = GM_BACKEND_CPU, .threads = 5}},
    {"emu", {.backend = GM_BACKEND_EMU}},
    {"cuda", {.backend = GM_BACKEND_CUDA}},
};

static gm_context *reference;

static int begin(void **state) {
    (void)state;
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &reference) !=
           GM_STATUS_OK;
}

static int end(void **state) {
    (void)state;
    gm_context_destroy(reference);
    return 0;
}

/* Large matrices take an emulated block long; test_linalg has it run the same kernels. */
static bool is_long(const char *name) {
    return strncmp(name, "linalg_", 7) == 0 &&
           (strstr(name, "/all/n = 34") != NULL || strstr(name, "/all/n = 40") != NULL);
}

static void run_all(int index) {
    gm_context *subject;
    int passed = 0, failed = 0, skipped = 0, left = 0;
    const bool full =
        getenv("GENMATH_TEST_FULL") != NULL || subjects[index].options.backend != GM_BACKEND_EMU;
    if (gm_context_create(&subjects[index].options, &subject) != GM_STATUS_OK) {
        print_message("skip: %s: %s\n", subjects[index].name, gm_last_error(NULL));
        skip();
    }
    for (int i = 0; i < gm_case_count(); ++i) {
        gm_case_result result;
        const gm_case *item = gm_case_at(i);
        if (!full && is_long(item->name)) {
            ++left;
            continue;
        }
        const gm_case_verdict verdict = gm_case_judge(item, reference, subject, &result);
        passed += verdict == GM_CASE_PASS;
        failed += verdict == GM_CASE_FAIL;
        skipped += verdict == GM_CASE_SKIP;
        if (verdict == GM_CASE_SKIP) {
            print_message("skip: %s: %s: %s\n", subjects[index].name, item->name, result.detail);
        } else if (verdict == GM_CASE_FAIL) {
            print_message("FAIL: %s: %s: kernel %s, error %g, bound %g: %s\n", subjects[index].name,
                          item->name, result.kernel, result.error, result.bound, result.detail);
        }
    }
    gm_context_destroy(subject);
    if (left > 0) {
        print_message("skip: %s: %d cases of large matrices: GENMATH_TEST_FULL=1\n",
                      subjects[index].name, left);
    }
    print_message("%s: %d cases passed, %d failed, %d skipped\n", subjects[index].name, passed,
                  failed, skipped);
    assert_int_equal(failed, 0);
    assert_true(passed > 0);
}

static void test_cpu_base(void **state) {
    (void)state;
    run_all(0);
}

static void test_cpu_avx2(void **state) {
    (void)state;
    run_all(1);
}

static void test_cpu_avx512(void **state) {
    (void)state;
    run_all(2);
}

static void test_cpu_threads(void **state) {
    (void)state;
    run_all(3);
}

static void test_emu(void **state) {
    (void)state;
    run_all(4);
}

static void test_cuda(void **state) {
    (void)state;
    run_all(5);
}

/* The names are what --filter and reports go by. */
static void test_names(void **state) {
    (void)state;
    assert_null(gm_case_at(-1));
    assert_null(gm_case_at(gm_case_count()));
    for (int i = 0; i < gm_case_count(); ++i) {
        const gm_case *item = gm_case_at(i);
        assert_non_null(item->run);
        assert_true(strlen(item->name) > 0 && strlen(item->name) < 64);
        for (int j = 0; j < i; ++j) {
            assert_string_not_equal(item->name, gm_case_at(j)->name);
        }
    }
}

static gm_status wrong_by_two(gm_context *one, gm_context *other, gm_case_result *result) {
    (void)one, (void)other;
    *result = (gm_case_result){.error = 2, .bound = 1};
    return GM_STATUS_OK;
}

static gm_status not_a_number(gm_context *one, gm_context *other, gm_case_result *result) {
    (void)one, (void)other;
    *result = (gm_case_result){.error = strtod("nan", NULL), .bound = 1};
    return GM_STATUS_OK;
}

static gm_status unsupported(gm_context *one, gm_context *other, gm_case_result *result) {
    (void)one, (void)other, (void)result;
    return GM_STATUS_UNSUPPORTED;
}

static gm_status breaks(gm_context *one, gm_context *other, gm_case_result *result) {
    (void)one, (void)other, (void)result;
    return GM_STATUS_DEVICE_ERROR;
}

/* The judge itself: what must not pass does not. */
static void test_judge(void **state) {
    (void)state;
    gm_case_result result;
    assert_int_equal(gm_case_judge(&(gm_case){"x", wrong_by_two}, reference, reference, &result),
                     GM_CASE_FAIL);
    assert_int_equal(gm_case_judge(&(gm_case){"x", not_a_number}, reference, reference, &result),
                     GM_CASE_FAIL);
    assert_int_equal(gm_case_judge(&(gm_case){"x", unsupported}, reference, reference, &result),
                     GM_CASE_SKIP);
    assert_int_equal(gm_case_judge(&(gm_case){"x", breaks}, reference, reference, &result),
                     GM_CASE_FAIL);
    assert_non_null(strstr(result.detail, "DEVICE_ERROR"));
    const float a[3] = {1, strtof("nan", NULL), 3}, b[3] = {1, strtof("nan", NULL), 3.5f};
    const float c[3] = {1, 2, 3}, d[3] = {1, 2, strtof("inf", NULL)};
    int64_t where = -1;
    assert_true(gm_case_difference(GM_F32, a, b, 3, &where) == 0.5 && where == 2);
    assert_true(gm_case_difference(GM_F32, a, c, 3, &where) == strtod("inf", NULL) && where == 1);
    assert_true(gm_case_difference(GM_F32, d, d, 3, NULL) == 0);
    assert_true(gm_case_difference(GM_F32, c, d, 3, NULL) == strtod("inf", NULL));
    assert_int_equal(gm_case_bit_differences(4, c, d, 3, &where), 1);
    assert_int_equal(where, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_judge),
        cmocka_unit_test(test_cpu_base),   cmocka_unit_test(test_cpu_avx2),
        cmocka_unit_test(test_cpu_avx512), cmocka_unit_test(test_cpu_threads),
        cmocka_unit_test(test_emu),        cmocka_unit_test(test_cuda),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
