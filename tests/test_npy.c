/*
 * .npy files: what NumPy writes is read, and what is written is what NumPy reads. Headers are
 * spelled out here byte by byte; nothing that the library writes is the only evidence for what it
 * reads.
 */
#include "npy_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- errors ------------------------------------------------------------------------------------
 */

static void test_null_arguments(void **state) {
    (void)state;
    gm_tensor tensor = gm_tensor_1d(NULL, GM_F32, 0);
    ASSERT_FAILS(context, gm_npy_load(context, NULL, &tensor), GM_STATUS_INVALID_ARGUMENT, "path");
    ASSERT_FAILS(context, gm_npy_load(context, path, NULL), GM_STATUS_INVALID_ARGUMENT, "tensor");
    ASSERT_FAILS(context, gm_npy_save(context, NULL, &tensor), GM_STATUS_INVALID_ARGUMENT, "path");
    ASSERT_FAILS(context, gm_npy_save(context, path, NULL), GM_STATUS_INVALID_ARGUMENT, "tensor");
    ASSERT_FAILS(NULL, gm_npy_load(NULL, NULL, &tensor), GM_STATUS_INVALID_ARGUMENT, "path");
    ASSERT_FAILS(context, gm_npy_save(context, "", &tensor), GM_STATUS_INVALID_ARGUMENT, "empty");
    gm_npy_free(NULL);
    gm_npy_free(&tensor);
    gm_npy_free(&tensor);
}

static void test_bad_tensors_are_not_saved(void **state) {
    (void)state;
    float value = 1;
    gm_tensor good = gm_tensor_1d(&value, GM_F32, 1), bad = good;
    bad.dtype = GM_DTYPE_COUNT;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "dtype");
    bad = good, bad.ndim = GM_MAX_DIMS + 1;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "ndim");
    bad = good, bad.ndim = -1;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "ndim");
    bad = good, bad.shape[0] = -1;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "negative");
    bad = good, bad.shape[0] = INT64_MAX;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "2^63");
    bad = good, bad.shape[0] = 3, bad.stride[0] = INT64_MAX / 2;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "stride");
    bad = good, bad.data = NULL;
    ASSERT_FAILS(context, gm_npy_save(context, path, &bad), GM_STATUS_INVALID_ARGUMENT, "data");
    assert_int_equal(count_files(folder), 0);
}

static void test_paths_that_cannot_be_read(void **state) {
    (void)state;
    char other[PATH_MAX + 32];
    gm_tensor tensor;
    snprintf(other, sizeof other, "%s/none.npy", folder);
    ASSERT_FAILS(context, gm_npy_load(context, other, &tensor), GM_STATUS_IO_ERROR, "No such file");
    ASSERT_FAILS(context, gm_npy_load(context, folder, &tensor), GM_STATUS_IO_ERROR,
                 "not a regular");
    ASSERT_FAILS(context, gm_npy_load(context, "/dev/zero", &tensor), GM_STATUS_IO_ERROR,
                 "not a regular");
    snprintf(other, sizeof other, "%s/pipe", folder);
    assert_int_equal(mkfifo(other, 0600), 0); /* must be refused, not waited for */
    ASSERT_FAILS(context, gm_npy_load(context, other, &tensor), GM_STATUS_IO_ERROR,
                 "not a regular");
    unlink(other);
}

/* A limit on the file size is a disk that is full. */
static void expect_full_disk(gm_tensor tensor) {
    char content[16];
    struct rlimit limit, small;
    write_file(path, "older", 5);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 100;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const gm_status status = gm_npy_save(context, path, &tensor);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, GM_STATUS_IO_ERROR);
    assert_non_null(strstr(gm_last_error(context), "too large"));
    assert_int_equal(read_file(path, content, sizeof content), 5);
    assert_memory_equal(content, "older", 5);
    assert_int_equal(count_files(folder), 1);
    unlink(path);
}

/* Whatever goes wrong while writing, an older file stays and no temporary file is left. */
static void test_paths_that_cannot_be_written(void **state) {
    (void)state;
    static double values[4096];
    char other[PATH_MAX + 32];
    const gm_tensor tensor = gm_tensor_1d(values, GM_F64, 4096);
    snprintf(other, sizeof other, "%s/none/a.npy", folder);
    ASSERT_FAILS(context, gm_npy_save(context, other, &tensor), GM_STATUS_IO_ERROR, "No such file");
    ASSERT_FAILS(context, gm_npy_save(context, folder, &tensor), GM_STATUS_IO_ERROR,
                 "not a regular");
    ASSERT_FAILS(context, gm_npy_save(context, "/dev/full", &tensor), GM_STATUS_IO_ERROR,
                 "regular");

    expect_full_disk(gm_tensor_1d(values, GM_F64, 4096)); /* fails while the data is written */
    expect_full_disk(gm_tensor_1d(values, GM_F64, 1));    /* fails when the stream is flushed */

    /* A folder without the right to write. Root has every right, so it becomes nobody for the
     * while. */
    const bool root = geteuid() == 0;
    assert_int_equal(chmod(folder, 0555), 0);
    assert_true(!root || seteuid(65534) == 0);
    const gm_status status = gm_npy_save(context, path, &tensor);
    assert_true(!root || seteuid(0) == 0);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(status, GM_STATUS_IO_ERROR);
    assert_non_null(strstr(gm_last_error(context), "denied"));
    assert_int_equal(count_files(folder), 0);
}

/* ---- exact -------------------------------------------------------------------------------------
 */

static void test_dialects_that_numpy_reads(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<i4'}",
        "{\"fortran_order\":False,\"descr\":\"<i4\",\"shape\":(2,3,)}",
        "  {\t'descr' :\n'<i4' , 'fortran_order'\f: False\r, 'shape' : ( 2 , 3 ) , }  ",
    };
    static const int32_t data[6] = {1, 2, 3, -4, 5, INT32_MIN};
    for (int major = 1; major <= 3; ++major) {
        for (size_t i = 0; i < sizeof headers / sizeof headers[0]; ++i) {
            write_npy(major, headers[i], data, sizeof data);
            gm_tensor tensor;
            ASSERT_OK(context, gm_npy_load(context, path, &tensor));
            assert_int_equal(tensor.dtype, GM_I32);
            assert_int_equal(tensor.ndim, 2);
            assert_int_equal(tensor.shape[0], 2);
            assert_int_equal(tensor.shape[1], 3);
            assert_true(gm_tensor_is_contiguous(&tensor));
            assert_memory_equal(tensor.data, data, sizeof data);
            gm_npy_free(&tensor);
        }
    }
}

static void test_fortran_order(void **state) {
    (void)state;
    static const float data[6] = {0, 1, 2, 3, 4, 5}; /* columns of a 2 x 3 matrix */
    write_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", data, sizeof data);
    gm_tensor tensor;
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    assert_int_equal(tensor.stride[0], 1);
    assert_int_equal(tensor.stride[1], 2);
    assert_true(((float *)tensor.data)[1 * tensor.stride[0] + 2 * tensor.stride[1]] == 5);
    /* Saved again, it is the same file but for NumPy's padding. */
    ASSERT_OK(context, gm_npy_save(context, path, &tensor));
    gm_npy_free(&tensor);
    uint8_t file[256];
    assert_int_equal(read_file(path, file, sizeof file), 128 + sizeof data);
    assert_non_null(strstr((char *)file + 10, "'fortran_order': True, 'shape': (2, 3), }"));
    assert_memory_equal(file + 128, data, sizeof data);
}

static void test_scalars_and_empty_arrays(void **state) {
    (void)state;
    static const double scalar = 2.5;
    gm_tensor tensor;
    write_npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", &scalar, sizeof scalar);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    assert_int_equal(tensor.ndim, 0);
    assert_true(*(double *)tensor.data == 2.5);
    ASSERT_OK(context, gm_npy_save(context, path, &tensor));
    gm_npy_free(&tensor);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    assert_true(tensor.ndim == 0 && *(double *)tensor.data == 2.5);
    gm_npy_free(&tensor);

    write_npy(1, "{'descr': '>f8', 'fortran_order': True, 'shape': (3, 0, 2), }", NULL, 0);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    assert_true(tensor.ndim == 3 && tensor.shape[1] == 0 && tensor.data == NULL);
    ASSERT_OK(context, gm_npy_save(context, path, &tensor));
    gm_npy_free(&tensor);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    assert_true(tensor.ndim == 3 && tensor.shape[0] == 3 && tensor.shape[1] == 0);
    gm_npy_free(&tensor);
}

static void test_written_bytes(void **state) {
    (void)state;
    static const uint16_t data[2] = {0x0102, 0x0304};
    const gm_tensor tensor = gm_tensor_1d((void *)data, GM_U16, 2);
    static const char start[] = "\x93NUMPY\x01\x00\x76\x00"
                                "{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }";
    static const uint8_t payload[4] = {2, 1, 4, 3};
    uint8_t file[256];
    ASSERT_OK(context, gm_npy_save(context, path, &tensor));
    assert_int_equal(read_file(path, file, sizeof file), 132);
    assert_memory_equal(file, start, sizeof start - 1);
    for (size_t i = sizeof start - 1; i < 127; ++i) {
        assert_int_equal(file[i], ' ');
    }
    assert_int_equal(file[127], '\n');
    assert_memory_equal(file + 128, payload, sizeof payload);
}

/* The same numbers in both byte orders; complex numbers swap by halves. */
static const struct {
    gm_dtype dtype;
    const char *code;
    int number_bytes; /* what is swapped as one */
} codes[] = {
    {GM_F64, "f8", 8},  {GM_F32, "f4", 4}, {GM_F16, "f2", 2},   {GM_BF16, "V2", 2},
    {GM_I8, "i1", 1},   {GM_I16, "i2", 2}, {GM_I32, "i4", 4},   {GM_I64, "i8", 8},
    {GM_U8, "u1", 1},   {GM_U16, "u2", 2}, {GM_U32, "u4", 4},   {GM_U64, "u8", 8},
    {GM_BOOL, "b1", 1}, {GM_C64, "c8", 4}, {GM_C128, "c16", 8},
};
enum { CODES = sizeof codes / sizeof codes[0] };

static void fill_values(uint8_t *bytes, size_t count, gm_dtype dtype, uint64_t seed) {
    for (size_t i = 0; i < count; ++i) {
        bytes[i] = (uint8_t)next_random(&seed);
        bytes[i] = dtype == GM_BOOL ? bytes[i] & 1 : bytes[i];
    }
}

static void test_byte_order(void **state) {
    (void)state;
    assert_int_equal(CODES, (int)GM_DTYPE_COUNT);
    for (int i = 0; i < CODES; ++i) {
        uint8_t data[3 * 16], swapped[3 * 16];
        const size_t bytes = 3 * gm_dtype_size(codes[i].dtype);
        const size_t number = (size_t)codes[i].number_bytes;
        fill_values(data, bytes, codes[i].dtype, (uint64_t)i);
        for (size_t b = 0; b < bytes; ++b) {
            swapped[b / number * number + number - 1 - b % number] = data[b];
        }
        for (int big = 0; big < 2; ++big) {
            char header[128];
            snprintf(header, sizeof header,
                     "{'descr': '%c%s', 'fortran_order': False, 'shape': (3,)}", big ? '>' : '<',
                     codes[i].code);
            write_npy(1, header, big ? swapped : data, bytes);
            gm_tensor tensor;
            ASSERT_OK(context, gm_npy_load(context, path, &tensor));
            assert_int_equal(tensor.dtype, codes[i].dtype);
            assert_memory_equal(tensor.data, data, bytes);
            gm_npy_free(&tensor);
        }
    }
    gm_tensor tensor;
    write_npy(1, "{'descr': '|V2', 'fortran_order': False, 'shape': (1,)}", "\x80\x3f", 2);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor)); /* 1.0 as bf16 */
    assert_int_equal(tensor.dtype, GM_BF16);
    assert_int_equal(*(uint16_t *)tensor.data, 0x3f80);
    gm_npy_free(&tensor);
}

/* ---- reference: element by element against the strided source
 * ------------------------------------- */

static const uint8_t *element_at(const gm_tensor *tensor, const int64_t *index) {
    int64_t offset = 0;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        offset += index[axis] * tensor->stride[axis];
    }
    return (const uint8_t *)tensor->data + offset * (int64_t)gm_dtype_size(tensor->dtype);
}

static void expect_round_trip(const gm_tensor *tensor) {
    gm_tensor back;
    ASSERT_OK(context, gm_npy_save(context, path, tensor));
    ASSERT_OK(context, gm_npy_load(context, path, &back));
    assert_int_equal(back.dtype, tensor->dtype);
    assert_int_equal(back.ndim, tensor->ndim);
    assert_memory_equal(back.shape, tensor->shape, (size_t)tensor->ndim * sizeof(int64_t));
    for (int64_t i = 0; i < tensor->shape[0]; ++i) {
        for (int64_t j = 0; j < tensor->shape[1]; ++j) {
            for (int64_t k = 0; k < tensor->shape[2]; ++k) {
                const int64_t index[3] = {i, j, k};
                assert_memory_equal(element_at(&back, index), element_at(tensor, index),
                                    gm_dtype_size(tensor->dtype));
            }
        }
    }
    gm_npy_free(&back);
}

static void test_every_type_and_stride(void **state) {
    (void)state;
    /* Views of 4 x 5 x 6 elements that begin `start` elements into the data. */
    static const struct {
        int64_t start, shape[3], stride[3];
    } views[] = {
        {0, {4, 5, 6}, {30, 6, 1}},                                 /* row-major */
        {0, {4, 5, 6}, {1, 4, 20}},                                 /* column-major */
        {0, {5, 4, 6}, {6, 30, 1}},                                 /* two axes exchanged */
        {7, {2, 3, 4}, {30, 6, 1}},                                 /* a block inside */
        {0, {4, 3, 3}, {30, 12, 2}},                                /* every second */
        {119, {4, 5, 6}, {-30, -6, -1}},                            /* backwards */
        {5, {4, 5, 6}, {30, 6, -1}},     {3, {3, 2, 5}, {0, 0, 1}}, /* broadcast */
        {3, {2, 2, 2}, {0, 0, 0}},       {0, {1, 1, 1}, {99, 99, 99}}, {0, {1, 120, 1}, {7, 1, 3}},
    };
    static _Alignas(16) uint8_t data[120 * 16];
    int count = 0;
    for (int i = 0; i < CODES; ++i) {
        fill_values(data, sizeof data, codes[i].dtype, (uint64_t)(100 + i));
        for (size_t v = 0; v < sizeof views / sizeof views[0]; ++v, ++count) {
            gm_tensor tensor = {data + views[v].start * (int64_t)gm_dtype_size(codes[i].dtype),
                                codes[i].dtype,
                                3,
                                {0},
                                {0}};
            memcpy(tensor.shape, views[v].shape, sizeof views[v].shape);
            memcpy(tensor.stride, views[v].stride, sizeof views[v].stride);
            expect_round_trip(&tensor);
        }
    }
    print_message("%d round trips\n", count);
}

static void test_highest_rank(void **state) {
    (void)state;
    static const float data[2] = {1, 2};
    int64_t shape[GM_MAX_DIMS];
    for (int axis = 0; axis < GM_MAX_DIMS; ++axis) {
        shape[axis] = axis == 7 ? 2 : 1;
    }
    gm_tensor tensor, back;
    ASSERT_OK(NULL, gm_tensor_view((void *)data, GM_F32, GM_MAX_DIMS, shape, &tensor));
    ASSERT_OK(context, gm_npy_save(context, path, &tensor));
    ASSERT_OK(context, gm_npy_load(context, path, &back));
    assert_int_equal(back.ndim, GM_MAX_DIMS);
    assert_int_equal(back.shape[7], 2);
    assert_memory_equal(back.data, data, sizeof data);
    gm_npy_free(&back);
}

/* ---- properties of the file system -------------------------------------------------------------
 */

static void test_links_and_permissions(void **state) {
    (void)state;
    char link[PATH_MAX + 32];
    static const float data[1] = {1};
    const gm_tensor tensor = gm_tensor_1d((void *)data, GM_F32, 1);
    struct stat status;
    snprintf(link, sizeof link, "%s/link.npy", folder);
    write_file(path, "older", 5);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("a.npy", link), 0);
    ASSERT_OK(NULL, gm_npy_save(NULL, link, &tensor)); /* no context is needed */
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(status.st_size, 132);
    assert_int_equal(count_files(folder), 2);
    unlink(link);
    unlink(path);
    const mode_t mask = umask(027);
    ASSERT_OK(NULL, gm_npy_save(NULL, path, &tensor));
    umask(mask);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_arguments),
        cmocka_unit_test(test_bad_tensors_are_not_saved),
        cmocka_unit_test(test_paths_that_cannot_be_read),
        cmocka_unit_test(test_paths_that_cannot_be_written),
        cmocka_unit_test(test_dialects_that_numpy_reads),
        cmocka_unit_test(test_fortran_order),
        cmocka_unit_test(test_scalars_and_empty_arrays),
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_byte_order),
        cmocka_unit_test(test_every_type_and_stride),
        cmocka_unit_test(test_highest_rank),
        cmocka_unit_test(test_links_and_permissions),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
