/*
 * Compiling a user's system for a GPU, which needs NVRTC but no GPU: good bodies in both precisions
 * and for every solver, bad bodies by the compiler's own words, and the cache on disk.
 */
#include "tests/support.h"

#include <math.h>
#include <time.h>

#include <genmath/ode.h>
#include <genmath/sde.h>

#include "host/module.h"

static void *module;
static const gm_backend *cuda; /* NULL: no module or no NVRTC here */

enum { SM_90 = 90 };

static gm_status compile(const gm_system *system, const gm_sde *sde, gm_dtype dtype, int adaptive,
                         gm_call *call, size_t *image) {
    *call = (gm_call){0};
    *image = 0;
    return cuda->system_compile(call, system, sde, dtype, adaptive, SM_90, image);
}

/* Every C construct that a body may use, and literals in all their forms. */
GM_SYSTEM(everything, 3, 2, {
    const real a = 0.5 * y[0] + 1e-3 - 1.E2 * p[0] + .25 - 0x1p-3;
    const int whole = 3;
    dydt[0] = gm_exp(-a * a) + gm_sin(t) * gm_cos(y[1]) + gm_log(2 + a * a);
    dydt[1] = gm_tanh(a) + gm_sqrt(1 + a * a) + gm_pow(2 + a * a, p[1]) +
              (real)(exp(-a * a) + fabs(y[2]));
    dydt[2] = 0;
    for (int i = 0; i < whole; ++i) {
        dydt[2] += (i % 2 == 0 ? 1.5f : -2.5) * y[i];
    }
    if (y[0] > 1.0) {
        dydt[2] = -dydt[2];
    }
})
GM_DIFFUSION_MATRIX(everything, 3, 2, 2, {
    g[0] = gm_sqrt(1 + y[0] * y[0]);
    g[1] = g[2] = 0.0;
    g[3] = 0.1 * t;
    g[4] = p[0];
    g[5] = gm_exp(-y[1] * y[1]);
})

static int open_module(void **state) {
    (void)state;
    gm_call call;
    size_t image;
    if (gm_module_load("cuda", &module, &cuda) != GM_STATUS_OK) {
        cuda = NULL;
        printf("skip: %s\n", gm_last_error(NULL));
        return 0;
    }
    setenv("GENMATH_CACHE", "", 1);
    if (compile(gm_system_builtin("lorenz"), NULL, GM_F64, 0, &call, &image) ==
            GM_STATUS_DEVICE_ERROR &&
        strstr(call.error, "nvrtc") != NULL) {
        printf("skip: %s\n", call.error);
        cuda = NULL;
    }
    return 0;
}

static int close_module(void **state) {
    (void)state;
    gm_module_unload(module);
    return 0;
}

#define NEEDS_COMPILER()                                                                           \
    do {                                                                                           \
        (void)state;                                                                               \
        if (cuda == NULL) {                                                                        \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void good_bodies_compile(void **state) {
    NEEDS_COMPILER();
    gm_call call;
    size_t image;
    const gm_dtype dtypes[] = {GM_F64, GM_F32};
    for (int k = 0; k < 4; ++k) {
        if (compile(&everything, NULL, dtypes[k % 2], k / 2, &call, &image) != GM_STATUS_OK) {
            fail_msg("%s", call.error);
        }
        assert_true(image > 1000);
    }
    for (int k = 0; k < 2; ++k) {
        const gm_sde *const sdes[] = {&everything_sde, gm_sde_builtin(k == 0 ? "ou" : "heston")};
        for (int i = 0; i < 2; ++i) {
            if (compile(sdes[i]->drift, sdes[i], dtypes[k], 0, &call, &image) != GM_STATUS_OK) {
                fail_msg("%s", call.error);
            }
            assert_true(image > 1000);
        }
    }
}

/* A system is known to NVRTC by its text, so a text that no C compiler would take stands in for a
 * bad body. */
static void bad_bodies_are_quoted(void **state) {
    NEEDS_COMPILER();
    static const struct {
        const char *body, *text;
    } cases[] = {{"{ dydt[0] = unknown_name; }", "unknown_name"},
                 {"{ dydt[0] = y[0] }", "expected a \";\""},
                 {"{ dydt[0] = no_function(y[0]); }", "no_function"},
                 {"{ y[0] = 1; dydt[0] = 1; }", "rhs"}}; /* the state is not a body's to change */
    for (int k = 0; k < 4; ++k) {
        gm_system bad = *gm_system_builtin("lorenz");
        gm_call call;
        size_t image;
        bad.source = cases[k].body;
        assert_int_equal(compile(&bad, NULL, GM_F32, k % 2, &call, &image),
                         GM_STATUS_COMPILE_ERROR);
        assert_non_null(strstr(call.error, "lorenz"));
        if (strstr(call.error, cases[k].text) == NULL) {
            fail_msg("%s", call.error);
        }
        assert_int_equal(image, 0);
    }
    gm_sde bad = *gm_sde_builtin("ou");
    gm_call call;
    size_t image;
    bad.source = "{ g[0] = missing; }";
    assert_int_equal(compile(bad.drift, &bad, GM_F64, 0, &call, &image), GM_STATUS_COMPILE_ERROR);
    assert_non_null(strstr(call.error, "missing"));
}

static double seconds_of(const gm_system *system, gm_status expected, size_t *image) {
    struct timespec begin, end;
    gm_call call;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(compile(system, NULL, GM_F32, 0, &call, image), expected);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

/* The name of the only file in the folder. */
static void only_file(const char *folder, char path[2 * PATH_MAX]) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, 2 * PATH_MAX, "%s/%s", folder, entry->d_name);
        }
    }
    closedir(directory);
}

/*
 * The first compilation leaves one file; the second takes its image from there, much sooner, and
 * writes nothing. With a byte changed anywhere, cut short, or empty, the file is compiled again and
 * replaced.
 */
static void the_cache_is_used_and_checked(void **state) {
    NEEDS_COMPILER();
    char folder[PATH_MAX], path[2 * PATH_MAX];
    static unsigned char good[1 << 20], again[1 << 20];
    size_t image, cached;
    make_folder(folder);
    setenv("GENMATH_CACHE", folder, 1);
    const double slow = seconds_of(gm_system_builtin("spiral"), GM_STATUS_OK, &image);
    assert_int_equal(count_files(folder), 1);
    only_file(folder, path);
    const size_t bytes = read_file(path, good, sizeof good);
    assert_true(bytes > image);
    const double fast = seconds_of(gm_system_builtin("spiral"), GM_STATUS_OK, &cached);
    assert_int_equal(cached, image);
    assert_true(fast < slow / 4);
    assert_int_equal(count_files(folder), 1);

    const size_t places[] = {9, 100, bytes - 1}; /* in the hash, the key, the image */
    for (int k = 0; k < 5; ++k) {
        memcpy(again, good, bytes);
        if (k < 3) {
            again[places[k]] ^= 1;
        }
        write_file(path, again, k < 3 ? bytes : k == 3 ? bytes - 1 : 0);
        seconds_of(gm_system_builtin("spiral"), GM_STATUS_OK, &cached);
        assert_int_equal(cached, image);
        assert_int_equal(read_file(path, again, sizeof again), bytes);
        assert_memory_equal(again, good, bytes);
    }

    /* Another text or precision is another file; a body that does not compile leaves none. */
    gm_system other = *gm_system_builtin("spiral");
    other.source = "{ dydt[0] = dydt[1] = unknown_name; }";
    seconds_of(&other, GM_STATUS_COMPILE_ERROR, &cached);
    assert_int_equal(count_files(folder), 1);
    other.source = "{ dydt[0] = dydt[1] = 1; }";
    seconds_of(&other, GM_STATUS_OK, &cached);
    assert_int_equal(count_files(folder), 2);
    gm_call call;
    assert_int_equal(compile(&other, NULL, GM_F64, 0, &call, &cached), GM_STATUS_OK);
    assert_int_equal(count_files(folder), 3);
    remove_folder(folder);
    setenv("GENMATH_CACHE", "", 1);
}

/* A folder that cannot be made or is a file costs a compilation, nothing else. */
static void a_cache_that_cannot_be_written_is_harmless(void **state) {
    NEEDS_COMPILER();
    char folder[PATH_MAX], path[2 * PATH_MAX];
    size_t image;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/missing/deeper", folder);
    setenv("GENMATH_CACHE", path, 1);
    seconds_of(gm_system_builtin("spiral"), GM_STATUS_OK, &image);
    snprintf(path, sizeof path, "%s/file", folder);
    write_file(path, "x", 1);
    setenv("GENMATH_CACHE", path, 1);
    seconds_of(gm_system_builtin("spiral"), GM_STATUS_OK, &image);
    assert_int_equal(count_files(folder), 1);
    remove_folder(folder);
    setenv("GENMATH_CACHE", "", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies_compile),
        cmocka_unit_test(bad_bodies_are_quoted),
        cmocka_unit_test(the_cache_is_used_and_checked),
        cmocka_unit_test(a_cache_that_cannot_be_written_is_harmless),
    };
    return cmocka_run_group_tests(tests, open_module, close_module);
}
