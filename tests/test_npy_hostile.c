/*
 * No .npy file, however hostile, does more than return a status: headers spelled out by hand, sound
 * files cut short, and random damage.
 */
#include "npy_file.h"

/* Each of these announces 24 bytes of data or none that could be there. */
static const struct {
    const char *header;
    gm_status status;
    const char *message;
} hostile[] = {
#define CORRUPT(header, message)                                                                   \
    { header, GM_STATUS_CORRUPT_DATA, message }
#define UNSUPPORTED(header, message)                                                               \
    { header, GM_STATUS_UNSUPPORTED, message }
#define REST ", 'fortran_order': False, 'shape': (3,)}"
#define SHAPE(shape) "{'descr': '<f8', 'fortran_order': False, 'shape': " shape "}"
    CORRUPT("", "{ was expected"),
    CORRUPT("{", "a string was expected"),
    CORRUPT("{}", "is missing"),
    CORRUPT("[1, 2]", "{ was expected"),
    CORRUPT("{'descr': '<f8'}", "is missing"),
    CORRUPT("{'descr': '<f8', 'fortran_order': False}", "is missing"),
    CORRUPT("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
            "second time"),
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
    UNSUPPORTED("{'descr': '<f8\"" REST,
                "has no counterpart"), /* up to the next ' it is a string */
    CORRUPT("{'descr': '\\x3cf8'" REST, "a character"),
    CORRUPT("{'descr': '<f8\303\251'" REST, "a character"),
    CORRUPT("{'descr': '<ffffffffffffffffffffffffffffffffffffffff8'" REST, "longer than"),
    CORRUPT("{'descr': '<ffffffffffffffffffffffffffffff8'" REST, "longer than"), /* 32 characters */
    UNSUPPORTED("{'descr': '<fffffffffffffffffffffffffffff8'" REST, "has no counterpart"), /* 31 */
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
    CORRUPT(SHAPE("(18446744073709551616,)"), "over 2^63"), /* 0 if it wrapped */
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
    print_message("%d damaged files: %d still load, %d are refused\n", ROUNDS, loaded,
                  ROUNDS - loaded);
    assert_in_range(loaded, ROUNDS / 100, ROUNDS / 2); /* the damage is neither total nor absent */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_truncated_and_extended),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
