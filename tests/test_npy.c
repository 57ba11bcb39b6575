/*
 * .npy files: what NumPy writes is read, what is written is what NumPy reads, and no file, however
 * hostile, does more than return a status. Headers are spelled out here byte by byte; nothing that the
 * library writes is the only evidence for what it reads.
 */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <genmath/npy.h>

static char folder[PATH_MAX];
static char path[PATH_MAX + 16];
static gm_context *context;

static int begin(void **state) {
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &context) != GM_STATUS_OK;
}

static int end(void **state) {
    (void)state;
    gm_context_destroy(context);
    remove_folder(folder);
    return 0;
}

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

static void expect_failure(gm_status status, const char *text) {
    gm_tensor tensor, before;
    memset(&tensor, 0x5a, sizeof tensor);
    before = tensor;
    ASSERT_FAILS(context, gm_npy_load(context, path, &tensor), status, text);
    assert_memory_equal(&tensor, &before, sizeof tensor);
}

/* ---- errors ------------------------------------------------------------------------------------ */

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
    ASSERT_FAILS(context, gm_npy_load(context, folder, &tensor), GM_STATUS_IO_ERROR, "not a regular");
    ASSERT_FAILS(context, gm_npy_load(context, "/dev/zero", &tensor), GM_STATUS_IO_ERROR,
                 "not a regular");
    snprintf(other, sizeof other, "%s/pipe", folder);
    assert_int_equal(mkfifo(other, 0600), 0); /* must be refused, not waited for */
    ASSERT_FAILS(context, gm_npy_load(context, other, &tensor), GM_STATUS_IO_ERROR, "not a regular");
    unlink(other);
}

/* Whatever goes wrong while writing, an older file stays and no temporary file is left. */
static void test_paths_that_cannot_be_written(void **state) {
    (void)state;
    static double values[4096];
    char other[PATH_MAX + 32], content[16];
    const gm_tensor tensor = gm_tensor_1d(values, GM_F64, 4096);
    snprintf(other, sizeof other, "%s/none/a.npy", folder);
    ASSERT_FAILS(context, gm_npy_save(context, other, &tensor), GM_STATUS_IO_ERROR, "No such file");
    ASSERT_FAILS(context, gm_npy_save(context, folder, &tensor), GM_STATUS_IO_ERROR, "not a regular");
    ASSERT_FAILS(context, gm_npy_save(context, "/dev/full", &tensor), GM_STATUS_IO_ERROR, "regular");

    /* A limit on the file size is a disk that is full. */
    write_file(path, "older", 5);
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit, small.rlim_cur = 1000;
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

    if (geteuid() == 0) {
        print_message("skip: a folder without write permission: root writes everywhere\n");
        return;
    }
    assert_int_equal(chmod(folder, 0500), 0);
    ASSERT_FAILS(context, gm_npy_save(context, path, &tensor), GM_STATUS_IO_ERROR, "denied");
    assert_int_equal(chmod(folder, 0700), 0);
}

/* Each of these announces 24 bytes of data or none that could be there. */
static const struct {
    const char *header;
    gm_status status;
    const char *message;
} hostile[] = {
#define CORRUPT(header, message) {header, GM_STATUS_CORRUPT_DATA, message}
#define UNSUPPORTED(header, message) {header, GM_STATUS_UNSUPPORTED, message}
#define REST ", 'fortran_order': False, 'shape': (3,)}"
#define SHAPE(shape) "{'descr': '<f8', 'fortran_order': False, 'shape': " shape "}"
    CORRUPT("", "{ was expected"),
    CORRUPT("{", "a string was expected"),
    CORRUPT("{}", "is missing"),
    CORRUPT("[1, 2]", "{ was expected"),
    CORRUPT("{'descr': '<f8'}", "is missing"),
    CORRUPT("{'descr': '<f8', 'fortran_order': False}", "is missing"),
    CORRUPT("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", "second time"),
    CORRUPT("{'descr': '<f8', 'extra': 1" REST, "a key other than"),
    CORRUPT("{descr: '<f8'" REST, "a string was expected"),
    CORRUPT("{'descr' '<f8'" REST, "a colon"),
    CORRUPT("{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}", "a comma or }"),
    CORRUPT("{, 'descr': '<f8'" REST, "a string was expected"),
    CORRUPT("{'descr': '<f8',, 'fortran_order': False, 'shape': (3,)}", "a string was expected"),
    CORRUPT("{'descr': '<f8'" REST " x", "follows"),
    CORRUPT("{'descr': '<f8'" REST " {}", "follows"),
    CORRUPT("{'descr': '<f8'" REST " # comment", "follows"),
    CORRUPT("{'descr': '<f8", "longer than"), /* the padding is taken for the string */
    UNSUPPORTED("{'descr': '<f8\"" REST, "has no counterpart"), /* up to the next ' it is a string */
    CORRUPT("{'descr': '\\x3cf8'" REST, "a character"),
    CORRUPT("{'descr': '<f8\303\251'" REST, "a character"),
    CORRUPT("{'descr': '<ffffffffffffffffffffffffffffffffffffffff8'" REST, "longer than"),
    CORRUPT("{'descr': 8" REST, "a string was expected"),
    CORRUPT("{'descr': None" REST, "a string was expected"),
    CORRUPT("{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}", "True or False"),
    CORRUPT("{'descr': '<f8', 'fortran_order': true, 'shape': (3,)}", "True or False"),
    CORRUPT("{'descr': '<f8', 'fortran_order': 'False', 'shape': (3,)}", "True or False"),
    CORRUPT("{'descr': '<f8', 'fortran_order': Falsehood, 'shape': (3,)}", "a comma or }"),
    CORRUPT("{'descr': '<f8', 'fortran_order': Fal", "True or False"),
    CORRUPT(SHAPE("3"), "a tuple"),
    CORRUPT(SHAPE("[3]"), "a tuple"),
    CORRUPT(SHAPE("(3)"), "(n,)"),
    CORRUPT(SHAPE("(,)"), "a size was expected"),
    CORRUPT(SHAPE("(3,,)"), "a size was expected"),
    CORRUPT(SHAPE("(3 1)"), "a comma or )"),
    CORRUPT(SHAPE("(3,"), "a size was expected"),
    CORRUPT("{'descr': '<f8', 'fortran_order': False, 'shape': (3,", "a size was expected"),
    CORRUPT("{'descr': '<f8', 'fortran_order': False, 'shape': (3", "a comma or )"),
    CORRUPT(SHAPE("(-3,)"), "negative"),
    CORRUPT(SHAPE("(-3, -1)"), "negative"),
    CORRUPT(SHAPE("(+3,)"), "a size was expected"),
    CORRUPT(SHAPE("(3.0,)"), "a comma or )"),
    CORRUPT(SHAPE("(0x3,)"), "a comma or )"),
    CORRUPT(SHAPE("(03,)"), "starts with 0"),
    CORRUPT(SHAPE("(3_0,)"), "a comma or )"),
    CORRUPT(SHAPE("(1e3,)"), "a comma or )"),
    CORRUPT(SHAPE("(True,)"), "a size was expected"),
    CORRUPT(SHAPE("('3',)"), "a size was expected"),
    CORRUPT(SHAPE("((3,),)"), "a size was expected"),
    CORRUPT(SHAPE("(9223372036854775808,)"), "over 2^63"),
    CORRUPT(SHAPE("(99999999999999999999999999,)"), "over 2^63"),
    CORRUPT(SHAPE("(9223372036854775807,)"), "multiply"),
    CORRUPT(SHAPE("(4294967296, 4294967296)"), "multiply"),
    CORRUPT(SHAPE("(0, 4294967296, 4294967296)"), "multiply"),
    CORRUPT(SHAPE("(2305843009213693951, 1)"), "multiply"),
    CORRUPT(SHAPE("(1152921504606846975,)"), "the file has 24"),
    CORRUPT(SHAPE("(2,)"), "announces 16 bytes of data, the file has 24"),
    CORRUPT(SHAPE("(4,)"), "announces 32 bytes of data, the file has 24"),
    CORRUPT(SHAPE("()"), "announces 8"),
    CORRUPT(SHAPE("(0,)"), "announces 0"),
    UNSUPPORTED("{'descr': '|O'" REST, "Python objects"),
    UNSUPPORTED("{'descr': 'O'" REST, "Python objects"),
    UNSUPPORTED("{'descr': [('a', '<f8')]" REST, "structured"),
    UNSUPPORTED("{'descr': ('<f8', (2,))" REST, "structured"),
    UNSUPPORTED("{'descr': '<U2'" REST, "'<U2'"),
    UNSUPPORTED("{'descr': '|S8'" REST, "'|S8'"),
    UNSUPPORTED("{'descr': '<M8[ns]'" REST, "'<M8[ns]'"),
    UNSUPPORTED("{'descr': '<f16'" REST, "'<f16'"),
    UNSUPPORTED("{'descr': '<c32'" REST, "'<c32'"),
    UNSUPPORTED("{'descr': '|V8'" REST, "'|V8'"),
    UNSUPPORTED("{'descr': '|f8'" REST, "byte order"),
    UNSUPPORTED("{'descr': 'f8'" REST, "byte order"),
    UNSUPPORTED("{'descr': '=f8'" REST, "'=f8'"),
    UNSUPPORTED("{'descr': ''" REST, "''"),
    UNSUPPORTED(SHAPE("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,3)"),
                "over 32 dimensions"),
};
enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

static void test_hostile_headers(void **state) {
    (void)state;
    static const double data[3] = {1, 2, 3};
    for (int major = 1; major <= 3; ++major) {
        for (int i = 0; i < HOSTILE; ++i) {
            write_npy(major, hostile[i].header, data, sizeof data);
            expect_failure(hostile[i].status, hostile[i].message);
        }
        write_npy(major, SHAPE("(3,)"), data, sizeof data); /* the frame itself is sound */
        gm_tensor tensor;
        ASSERT_OK(context, gm_npy_load(context, path, &tensor));
        gm_npy_free(&tensor);
    }
    print_message("%d hostile headers, in each of 3 versions\n", HOSTILE);
    /* Python 2 wrote long integers with an L; version 3 is younger. */
    gm_tensor tensor;
    write_npy(1, SHAPE("(3L,)"), data, sizeof data);
    ASSERT_OK(context, gm_npy_load(context, path, &tensor));
    gm_npy_free(&tensor);
    write_npy(3, SHAPE("(3L,)"), data, sizeof data);
    expect_failure(GM_STATUS_CORRUPT_DATA, "a comma or )");
}

/* A sound file cut after every byte, and with one byte more. */
static void test_truncated_and_extended(void **state) {
    (void)state;
    static const int16_t data[3] = {1, -2, 3};
    uint8_t file[256];
    write_npy(1, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }", data, sizeof data);
    const size_t size = read_file(path, file, sizeof file - 1);
    for (size_t length = 0; length < size; ++length) {
        write_file(path, file, length);
        expect_failure(GM_STATUS_CORRUPT_DATA, length < size - 6 ? "ends within" : "announces");
    }
    file[size] = 0;
    write_file(path, file, size + 1);
    expect_failure(GM_STATUS_CORRUPT_DATA, "announces 6 bytes of data, the file has 7");
}

static void test_frames(void **state) {
    (void)state;
    uint8_t file[64] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0xff, 0xff};
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_CORRUPT_DATA, "ends within the header");
    file[6] = 0;
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_UNSUPPORTED, "version 0.0");
    file[6] = 4;
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_UNSUPPORTED, "version 4.0");
    file[6] = 1, file[7] = 1;
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_UNSUPPORTED, "version 1.1");
    memset(file + 8, 0xff, 4);
    file[6] = 2, file[7] = 0;
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_CORRUPT_DATA, "4294967295 bytes");
    file[0] = 'P', file[1] = 'K';
    write_file(path, file, sizeof file);
    expect_failure(GM_STATUS_CORRUPT_DATA, "not a .npy file");
    static const uint8_t open_string[] = "\x93NUMPY\x01\x00\x0e\x00{'descr': '<f8";
    write_file(path, open_string, sizeof open_string - 1);
    expect_failure(GM_STATUS_CORRUPT_DATA, "does not end");
    static const uint8_t bools[3] = {0, 1, 2};
    write_npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", bools, sizeof bools);
    expect_failure(GM_STATUS_CORRUPT_DATA, "element 2 is a bool with the value 2");
}

/* Random damage: every outcome is a status, and what loads can be freed. Sanitizers watch. */
static void test_mutations(void **state) {
    (void)state;
    enum { ROUNDS = 5000 };
    static const char alphabet[] = "{}()[]',:\"<>|=bfiucV0123456789LTrueFalse \n\\-";
    static const double data[4] = {1, 2, 3, 4};
    uint8_t sound[512], file[512];
    uint64_t seed = 20240229;
    int loaded = 0;
    write_npy(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }", data, sizeof data);
    const size_t size = read_file(path, sound, sizeof sound);
    for (int round = 0; round < ROUNDS; ++round) {
        memcpy(file, sound, size);
        const int changes = 1 + (int)(next_random(&seed) % 4);
        for (int i = 0; i < changes; ++i) {
            /* Mostly in the text, mostly with characters that mean something. */
            const size_t span = next_random(&seed) % 8 == 0 ? size : 70;
            const uint64_t random = next_random(&seed);
            file[next_random(&seed) % span] =
                random % 4 == 0 ? (uint8_t)(random >> 8)
                                : (uint8_t)alphabet[(random >> 8) % (sizeof alphabet - 1)];
        }
        const size_t length = next_random(&seed) % 16 == 0 ? next_random(&seed) % size : size;
        write_file(path, file, length);
        gm_tensor tensor, before;
        memset(&tensor, 0x5a, sizeof tensor);
        before = tensor;
        const gm_status status = gm_npy_load(context, path, &tensor);
        if (status == GM_STATUS_OK) {
            ++loaded;
            int64_t elements;
            assert_int_equal(gm_tensor_elements(&tensor, &elements), GM_STATUS_OK);
            assert_true((size_t)elements * gm_dtype_size(tensor.dtype) < sizeof file);
            gm_npy_free(&tensor);
        } else {
            assert_true(status == GM_STATUS_CORRUPT_DATA || status == GM_STATUS_UNSUPPORTED);
            assert_true(gm_last_error(context)[0] != '\0');
            assert_memory_equal(&tensor, &before, sizeof tensor);
        }
    }
    print_message("%d damaged files: %d still load, %d are refused\n", ROUNDS, loaded, ROUNDS - loaded);
    assert_in_range(loaded, ROUNDS / 100, ROUNDS / 2); /* the damage is neither total nor absent */
}

/* ---- exact ------------------------------------------------------------------------------------- */

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
    {GM_F64, "f8", 8}, {GM_F32, "f4", 4}, {GM_F16, "f2", 2}, {GM_BF16, "V2", 2}, {GM_I8, "i1", 1},
    {GM_I16, "i2", 2}, {GM_I32, "i4", 4}, {GM_I64, "i8", 8}, {GM_U8, "u1", 1},   {GM_U16, "u2", 2},
    {GM_U32, "u4", 4}, {GM_U64, "u8", 8}, {GM_BOOL, "b1", 1}, {GM_C64, "c8", 4}, {GM_C128, "c16", 8},
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
            snprintf(header, sizeof header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (3,)}",
                     big ? '>' : '<', codes[i].code);
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

/* ---- reference: element by element against the strided source ------------------------------------- */

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
        {0, {4, 5, 6}, {30, 6, 1}},      /* row-major */
        {0, {4, 5, 6}, {1, 4, 20}},      /* column-major */
        {0, {5, 4, 6}, {6, 30, 1}},      /* two axes exchanged */
        {7, {2, 3, 4}, {30, 6, 1}},      /* a block inside */
        {0, {4, 3, 3}, {30, 12, 2}},     /* every second */
        {119, {4, 5, 6}, {-30, -6, -1}}, /* backwards */
        {5, {4, 5, 6}, {30, 6, -1}},
        {3, {3, 2, 5}, {0, 0, 1}}, /* broadcast */
        {3, {2, 2, 2}, {0, 0, 0}},
        {0, {1, 1, 1}, {99, 99, 99}},
        {0, {1, 120, 1}, {7, 1, 3}},
    };
    static _Alignas(16) uint8_t data[120 * 16];
    int count = 0;
    for (int i = 0; i < CODES; ++i) {
        fill_values(data, sizeof data, codes[i].dtype, (uint64_t)(100 + i));
        for (size_t v = 0; v < sizeof views / sizeof views[0]; ++v, ++count) {
            gm_tensor tensor = {data + views[v].start * (int64_t)gm_dtype_size(codes[i].dtype),
                                codes[i].dtype, 3, {0}, {0}};
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

/* ---- properties of the file system ------------------------------------------------------------- */

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
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_truncated_and_extended),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_mutations),
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
