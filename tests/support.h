/* What several tests need: a folder of their own, files in it, and random bits with a fixed seed.
 */
#ifndef GENMATH_TESTS_SUPPORT_H
#define GENMATH_TESTS_SUPPORT_H

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <genmath/context.h>

/* The status is as expected and the message contains `text`. */
#define ASSERT_FAILS(context, call, expected, text)                                                \
    do {                                                                                           \
        const gm_status got_status = (call);                                                       \
        if (got_status != (expected) || strstr(gm_last_error(context), (text)) == NULL) {          \
            fail_msg("%s\ngave %s, \"%s\"\nexpected %s, \"...%s...\"", #call,                      \
                     gm_status_name(got_status), gm_last_error(context), #expected, (text));       \
        }                                                                                          \
    } while (0)

#define ASSERT_OK(context, call)                                                                   \
    do {                                                                                           \
        const gm_status got_status = (call);                                                       \
        if (got_status != GM_STATUS_OK) {                                                          \
            fail_msg("%s\ngave %s, \"%s\"", #call, gm_status_name(got_status),                     \
                     gm_last_error(context));                                                      \
        }                                                                                          \
    } while (0)

/* A fresh folder; its name goes to folder. In memory where that is possible: flushing files to a
 * disk, as the library does, takes up to a tenth of a second each. */
__attribute__((unused)) static void make_folder(char folder[PATH_MAX]) {
    const char *base = getenv("TMPDIR");
    if (base == NULL) {
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    snprintf(folder, PATH_MAX, "%s/genmath-test-XXXXXX", base);
    assert_non_null(mkdtemp(folder));
}

/* The number of files in a folder. */
__attribute__((unused)) static int count_files(const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(directory);
    return count;
}

/* Removes the folder and the files in it. */
__attribute__((unused)) static void remove_folder(const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    assert_int_equal(rmdir(folder), 0);
}

__attribute__((unused)) static void write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* Reads a whole file of at most `size` bytes; returns its length. */
__attribute__((unused)) static size_t read_file(const char *path, void *bytes, size_t size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t count = fread(bytes, 1, size, file);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    return count;
}

/* SplitMix64: every seed is good. */
__attribute__((unused)) static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
