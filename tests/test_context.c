/* Contexts: every refusal, the choice of backend, modules that are missing or not ours, memory. */
#include "support.h"

#include "host/backend.h"

/* The sanitizers end a program that asks for more memory than there is, unless they are told this.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static const gm_status bad = GM_STATUS_INVALID_ARGUMENT;

/* Each test starts without the variables that choose for the user. */
static int clear_environment(void **state) {
    (void)state;
    return unsetenv("GENMATH_BACKEND") | unsetenv("GENMATH_ISA") | unsetenv("GENMATH_MODULE_PATH");
}

static void expect_refused(gm_context_options options, gm_status status, const char *text) {
    gm_context *context = (gm_context *)&options; /* must become NULL */
    ASSERT_FAILS(NULL, gm_context_create(&options, &context), status, text);
    assert_null(context);
}

/* ---- errors ------------------------------------------------------------------------------------
 */

static void test_bad_options(void **state) {
    (void)state;
    ASSERT_FAILS(NULL, gm_context_create(NULL, NULL), bad, "context");
    expect_refused((gm_context_options){.backend = (gm_backend_id)5}, bad, "options.backend = 5");
    expect_refused((gm_context_options){.backend = (gm_backend_id)-1}, bad, "options.backend = -1");
    expect_refused((gm_context_options){.isa = (gm_isa)4}, bad, "options.isa = 4");
    expect_refused((gm_context_options){.isa = (gm_isa)-1}, bad, "options.isa = -1");
    expect_refused((gm_context_options){.threads = -1}, bad, "options.threads = -1");
    expect_refused((gm_context_options){.threads = 4097}, bad, "options.threads = 4097");
    expect_refused((gm_context_options){.device = -1}, bad, "options.device = -1");
}

static void test_bad_environment(void **state) {
    (void)state;
    const gm_context_options defaults = {0};
    setenv("GENMATH_BACKEND", "gpu", 1);
    expect_refused(defaults, bad, "GENMATH_BACKEND=gpu");
    setenv("GENMATH_BACKEND", "cpu", 1);
    setenv("GENMATH_ISA", "avx9", 1);
    expect_refused(defaults, bad, "GENMATH_ISA=avx9");
    char longest[2000]; /* must neither overflow nor be lost */
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("GENMATH_ISA", longest, 1);
    expect_refused(defaults, bad, "GENMATH_ISA=xxxx");
}

static void test_unavailable_instructions(void **state) {
    (void)state;
    gm_context *context;
    ASSERT_OK(NULL, gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    const gm_isa best = gm_context_isa(context);
    gm_context_destroy(context);
    if (best == GM_ISA_AVX512) {
        print_message("skip: instructions that this machine lacks: it has all\n");
        return;
    }
    expect_refused((gm_context_options){.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512}, bad,
                   "at best");
    setenv("GENMATH_ISA", "avx512", 1);
    expect_refused((gm_context_options){.backend = GM_BACKEND_CPU}, bad, "at best");
}

static void test_null_context(void **state) {
    (void)state;
    void *memory = &state;
    gm_device_info info;
    char byte = 0;
    ASSERT_FAILS(NULL, gm_context_set_stream(NULL, NULL), bad, "context is NULL");
    ASSERT_FAILS(NULL, gm_context_synchronize(NULL), bad, "context is NULL");
    ASSERT_FAILS(NULL, gm_memory_alloc(NULL, 1, &memory), bad, "context is NULL");
    assert_ptr_equal(memory, &state);
    ASSERT_FAILS(NULL, gm_memory_free(NULL, &byte), bad, "context is NULL");
    ASSERT_FAILS(NULL, gm_memory_upload(NULL, &byte, &byte, 1), bad, "context is NULL");
    ASSERT_FAILS(NULL, gm_memory_download(NULL, &byte, &byte, 1), bad, "context is NULL");
    ASSERT_FAILS(NULL, gm_context_device_info(NULL, &info), bad, "context is NULL");
    gm_context_destroy(NULL);
    assert_int_equal(gm_context_backend(NULL), GM_BACKEND_AUTO);
    assert_string_equal(gm_context_backend_name(NULL), "auto");
    assert_int_equal(gm_context_isa(NULL), GM_ISA_AUTO);
    assert_int_equal(gm_context_threads(NULL), 0);
    assert_string_equal(gm_last_kernel(NULL), "");
}

/* ---- modules
 * ------------------------------------------------------------------------------------- */

static void test_missing_module(void **state) {
    (void)state;
    char folder[PATH_MAX];
    make_folder(folder);
    setenv("GENMATH_MODULE_PATH", folder, 1);
    expect_refused((gm_context_options){.backend = GM_BACKEND_CUDA}, GM_STATUS_NO_DEVICE,
                   "the cuda module cannot be loaded");
    expect_refused((gm_context_options){.backend = GM_BACKEND_EMU}, GM_STATUS_NO_DEVICE,
                   "the emu module cannot be loaded");
    setenv("GENMATH_BACKEND", "emu", 1); /* by name, so that there is no silent change to cpu */
    expect_refused((gm_context_options){0}, GM_STATUS_NO_DEVICE, "the emu module");
    unsetenv("GENMATH_BACKEND");

    gm_context *context; /* without a name, cpu is what there is, and its choice is no failure */
    ASSERT_OK(NULL, gm_context_create(NULL, &context));
    assert_int_equal(gm_context_backend(context), GM_BACKEND_CPU);
    assert_string_equal(gm_last_error(context), "");
    gm_context_destroy(context);
    remove_folder(folder);
}

/* Builds a module from C source with the compiler at hand; false if there is none. */
static bool build_module(const char *folder, const char *source) {
    char path[PATH_MAX + 32], command[3 * PATH_MAX];
    snprintf(path, sizeof path, "%s/module.c", folder);
    write_file(path, source, strlen(source));
    snprintf(command, sizeof command,
             "${CC:-cc} -w -shared -fPIC -I. -Iinclude '%s' -o '%s/libgenmath-cuda.so' 2>/dev/null",
             path, folder);
    return system(command) == 0;
}

static const struct {
    const char *source, *message;
} strange_modules[] = {
    {"int nothing;", "another version"},
    {"#include \"host/backend.h\"\n"
     "const gm_backend *gm_module_backend(int abi) {\n"
     "    return abi == GM_MODULE_ABI + 1 ? (void *)1 : NULL;\n"
     "}\n",
     "another version"},
    {"#include \"host/backend.h\"\n"
     "static gm_status refuse(gm_call *call) {\n"
     "    return gm_call_fail(call, GM_STATUS_NO_DEVICE, \"no %s\", \"GPU\");\n"
     "}\n"
     "const gm_backend *gm_module_backend(int abi) {\n"
     "    static const gm_backend table = {.name = \"cuda\", .open = refuse};\n"
     "    return &table;\n"
     "}\n",
     "cuda: no GPU"},
};

/* A loaded module stays mapped, so each gets a folder of its own. */
static void test_strange_modules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof strange_modules / sizeof strange_modules[0]; ++i) {
        char folder[PATH_MAX];
        make_folder(folder);
        if (build_module(folder, strange_modules[i].source)) {
            setenv("GENMATH_MODULE_PATH", folder, 1);
            expect_refused((gm_context_options){.backend = GM_BACKEND_CUDA}, GM_STATUS_NO_DEVICE,
                           strange_modules[i].message);
            gm_context *context; /* AUTO goes on to cpu */
            ASSERT_OK(NULL, gm_context_create(NULL, &context));
            assert_int_equal(gm_context_backend(context), GM_BACKEND_CPU);
            gm_context_destroy(context);
        } else {
            print_message(
                "skip: a module that is not ours: no compiler, or not in the source folder\n");
        }
        remove_folder(folder);
    }
}

static void test_module_that_is_no_library(void **state) {
    (void)state;
    char folder[PATH_MAX], path[PATH_MAX + 32];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/libgenmath-cuda.so", folder);
    setenv("GENMATH_MODULE_PATH", folder, 1);
    write_file(path, "not a library", 13);
    expect_refused((gm_context_options){.backend = GM_BACKEND_CUDA}, GM_STATUS_NO_DEVICE,
                   "cannot be loaded");
    remove_folder(folder);
}

/* ---- choices
 * --------------------------------------------------------------------------------------- */

static void test_choice_by_options(void **state) {
    (void)state;
    static const struct {
        gm_backend_id id;
        const char *name;
    } hosts[] = {{GM_BACKEND_REF, "ref"}, {GM_BACKEND_CPU, "cpu"}};
    for (size_t i = 0; i < 2; ++i) {
        gm_context *context;
        const gm_context_options options = {
            .backend = hosts[i].id, .isa = GM_ISA_BASE, .threads = 3, .allow_fallback = 1};
        ASSERT_OK(NULL, gm_context_create(&options, &context));
        assert_int_equal(gm_context_backend(context), hosts[i].id);
        assert_string_equal(gm_context_backend_name(context), hosts[i].name);
        assert_int_equal(gm_context_isa(context), GM_ISA_BASE);
        assert_int_equal(gm_context_threads(context), 3);
        assert_string_equal(gm_last_error(context), "");
        assert_string_equal(gm_last_kernel(context), "");
        assert_int_equal(gm_context_set_stream(context, NULL), GM_STATUS_OK);
        assert_int_equal(gm_context_synchronize(context), GM_STATUS_OK);
        gm_context_destroy(context);
    }
}

static void test_choice_by_environment(void **state) {
    (void)state;
    gm_context *context;
    setenv("GENMATH_BACKEND", "ref", 1);
    setenv("GENMATH_ISA", "base", 1);
    ASSERT_OK(NULL, gm_context_create(NULL, &context));
    assert_int_equal(gm_context_backend(context), GM_BACKEND_REF);
    assert_int_equal(gm_context_isa(context), GM_ISA_BASE);
    assert_true(gm_context_threads(context) >= 1);
    gm_context_destroy(context);
    /* What the program says itself goes before the environment. */
    ASSERT_OK(NULL, gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    assert_int_equal(gm_context_backend(context), GM_BACKEND_CPU);
    gm_context_destroy(context);
    setenv("GENMATH_BACKEND", "", 1); /* empty is unset */
    setenv("GENMATH_ISA", "auto", 1);
    setenv("GENMATH_MODULE_PATH", "/nonexistent", 1);
    ASSERT_OK(NULL, gm_context_create(NULL, &context));
    assert_int_equal(gm_context_backend(context), GM_BACKEND_CPU);
    gm_context_destroy(context);
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(gm_isa_name(GM_ISA_AUTO), "auto");
    assert_string_equal(gm_isa_name(GM_ISA_BASE), "base");
    assert_string_equal(gm_isa_name(GM_ISA_AVX2), "avx2");
    assert_string_equal(gm_isa_name(GM_ISA_AVX512), "avx512");
    assert_string_equal(gm_isa_name((gm_isa)-1), "auto");
    assert_string_equal(gm_isa_name((gm_isa)4), "auto");
}

static void test_messages_stay_apart(void **state) {
    (void)state;
    gm_context *a, *b;
    const gm_context_options ref = {.backend = GM_BACKEND_REF};
    ASSERT_OK(NULL, gm_context_create(&ref, &a));
    ASSERT_OK(NULL, gm_context_create(&ref, &b));
    ASSERT_FAILS(a, gm_context_device_info(a, NULL), bad, "info is NULL");
    assert_string_equal(gm_last_error(b), "");
    gm_context_destroy(a);
    gm_context_destroy(b);
}

/* ---- memory, on every backend that is here
 * --------------------------------------------------------- */

static void check_memory(gm_context *context) {
    enum { BYTES = 100000 };
    static uint8_t out[BYTES], back[BYTES + 1];
    void *memory = &memory;
    uint64_t seed = 3;
    gm_device_info info;
    ASSERT_FAILS(context, gm_memory_alloc(context, 1, NULL), bad, "memory is NULL");
    ASSERT_OK(context, gm_memory_alloc(context, 0, &memory));
    assert_null(memory);
    ASSERT_OK(context, gm_memory_free(context, NULL));
    memory = &memory;
    ASSERT_FAILS(context, gm_memory_alloc(context, SIZE_MAX, &memory), GM_STATUS_OUT_OF_MEMORY,
                 "bytes");
    assert_null(memory);
    memory = &memory;
    ASSERT_FAILS(context, gm_memory_alloc(context, PTRDIFF_MAX, &memory), GM_STATUS_OUT_OF_MEMORY,
                 "");
    assert_null(memory);
    assert_true(gm_last_error(context)[0] != '\0');

    ASSERT_OK(context, gm_memory_alloc(context, BYTES, &memory));
    for (int i = 0; i < BYTES; ++i) {
        out[i] = (uint8_t)next_random(&seed);
    }
    back[BYTES] = 0x5a;
    ASSERT_OK(context, gm_memory_upload(context, memory, out, BYTES));
    ASSERT_OK(context, gm_memory_download(context, back, memory, BYTES));
    assert_memory_equal(out, back, BYTES);
    assert_int_equal(back[BYTES], 0x5a);
    ASSERT_FAILS(context, gm_memory_upload(context, NULL, out, 1), bad, "memory is NULL");
    ASSERT_FAILS(context, gm_memory_upload(context, memory, NULL, 1), bad, "host is NULL");
    ASSERT_FAILS(context, gm_memory_download(context, NULL, memory, 1), bad, "host is NULL");
    ASSERT_FAILS(context, gm_memory_download(context, back, NULL, 1), bad, "memory is NULL");
    ASSERT_OK(context, gm_memory_upload(context, NULL, NULL, 0));
    ASSERT_OK(context, gm_memory_download(context, NULL, NULL, 0));
    ASSERT_OK(context, gm_memory_free(context, memory));

    ASSERT_OK(context, gm_context_device_info(context, &info));
    assert_true(info.name[0] != '\0' && info.detail[0] != '\0');
    assert_true(info.memory_bytes > 0 && info.processors > 0);
    ASSERT_OK(context, gm_context_synchronize(context));
}

static void test_memory(void **state) {
    (void)state;
    for (int id = GM_BACKEND_REF; id <= GM_BACKEND_EMU; ++id) {
        gm_context *context;
        const gm_context_options options = {.backend = (gm_backend_id)id};
        if (gm_context_create(&options, &context) != GM_STATUS_OK) {
            print_message("skip: memory of a backend that is not here: %s\n", gm_last_error(NULL));
            continue;
        }
        check_memory(context);
        if (id <= GM_BACKEND_CPU) {
            void *memory; /* vector loads are fastest, and simplest, on whole cache lines */
            ASSERT_OK(context, gm_memory_alloc(context, 1, &memory));
            assert_int_equal((uintptr_t)memory % 64, 0);
            ASSERT_OK(context, gm_memory_free(context, memory));
        } else {
            char host;
            ASSERT_FAILS(context, gm_memory_upload(context, &host, &host, 1), bad, "not memory of");
        }
        gm_context_destroy(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bad_options, clear_environment),
        cmocka_unit_test_setup(test_bad_environment, clear_environment),
        cmocka_unit_test_setup(test_unavailable_instructions, clear_environment),
        cmocka_unit_test_setup(test_null_context, clear_environment),
        cmocka_unit_test_setup(test_missing_module, clear_environment),
        cmocka_unit_test_setup(test_strange_modules, clear_environment),
        cmocka_unit_test_setup(test_module_that_is_no_library, clear_environment),
        cmocka_unit_test_setup(test_choice_by_options, clear_environment),
        cmocka_unit_test_setup(test_choice_by_environment, clear_environment),
        cmocka_unit_test_setup(test_names, clear_environment),
        cmocka_unit_test_setup(test_messages_stay_apart, clear_environment),
        cmocka_unit_test_setup(test_memory, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
