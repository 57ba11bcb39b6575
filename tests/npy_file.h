/* What the tests of .npy files share: files written byte by byte. */
#ifndef GENMATH_TESTS_NPY_FILE_H
#define GENMATH_TESTS_NPY_FILE_H

#define FIXTURE_FILE "a.npy"
#include "file_fixture.h"

#include <genmath/npy.h>

/* Writes a file of the given version, header text (padded as NumPy does) and data. */
static void write_npy(int major, const char *header, const void *data, size_t bytes) {
    uint8_t file[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)major, 0};
    const size_t start = major == 1 ? 10 : 12, text = strlen(header);
    const size_t padded = (start + text + 1 + 63) / 64 * 64 - start;
    file[8] = (uint8_t)(padded & 0xff);
    file[9] = (uint8_t)(padded >> 8);
    memset(file + start, ' ', padded);
    memcpy(file + start, header, text);
    file[start + padded - 1] = '\n';
    if (bytes > 0) {
        memcpy(file + start + padded, data, bytes);
    }
    write_file(path, file, start + padded + bytes);
}

/* Loading fails with this status and message, and leaves the tensor as it was. */
__attribute__((unused)) static void expect_failure(gm_status status, const char *text) {
    gm_tensor tensor, before;
    memset(&tensor, 0x5a, sizeof tensor);
    before = tensor;
    ASSERT_FAILS(context, gm_npy_load(context, path, &tensor), status, text);
    assert_memory_equal(&tensor, &before, sizeof tensor);
}

#endif
