/* DLPack structures: every check, every dtype both ways, views, flags, ownership. */
#include "support.h"

#define GM_DLPACK_TYPES
#include <genmath/dlpack.h>

static gm_context *context;

static int begin(void **state) {
    (void)state;
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU, .threads = 1},
                             &context) != GM_STATUS_OK;
}

static int end(void **state) {
    (void)state;
    gm_context_destroy(context);
    return 0;
}

static float values[24];
static int64_t shape_234[3] = {2, 3, 4};

/* A sound producer's structure, to be spoiled field by field. */
static DLTensor sound(void) {
    return (DLTensor){.data = values,
                      .device = {kDLCPU, 0},
                      .ndim = 3,
                      .dtype = {kDLFloat, 32, 1},
                      .shape = shape_234};
}

static void expect_failure(DLTensor tensor, gm_status status, const char *text) {
    const DLManagedTensor managed = {.dl_tensor = tensor};
    const DLManagedTensorVersioned versioned = {.version = {1, 1}, .dl_tensor = tensor};
    gm_tensor out, before;
    int32_t read_only = 7;
    memset(&out, 0x5a, sizeof out);
    before = out;
    ASSERT_FAILS(context, gm_tensor_from_dlpack(context, &managed, &out), status, text);
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, &versioned, &out, &read_only),
                 status, text);
    assert_memory_equal(&out, &before, sizeof out);
    assert_int_equal(read_only, 7);
}

/* ---- errors ------------------------------------------------------------------------------------
 */

static void test_null_arguments(void **state) {
    (void)state;
    const DLManagedTensor managed = {.dl_tensor = sound()};
    const DLManagedTensorVersioned versioned = {.version = {1, 0}, .dl_tensor = sound()};
    gm_tensor tensor = gm_tensor_1d(values, GM_F32, 24);
    int32_t flag;
    DLManagedTensor *out;
    DLManagedTensorVersioned *out_versioned;
    const gm_status bad = GM_STATUS_INVALID_ARGUMENT;
    ASSERT_FAILS(NULL, gm_tensor_from_dlpack(NULL, &managed, &tensor), bad, "context");
    ASSERT_FAILS(context, gm_tensor_from_dlpack(context, NULL, &tensor), bad, "managed");
    ASSERT_FAILS(context, gm_tensor_from_dlpack(context, &managed, NULL), bad, "tensor");
    ASSERT_FAILS(NULL, gm_tensor_from_dlpack_versioned(NULL, &versioned, &tensor, &flag), bad,
                 "context");
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, NULL, &tensor, &flag), bad,
                 "managed");
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, &versioned, NULL, &flag), bad,
                 "tensor");
    ASSERT_FAILS(NULL, gm_tensor_to_dlpack(NULL, &tensor, &out), bad, "context");
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, NULL, &out), bad, "tensor");
    assert_null(out);
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, &tensor, NULL), bad, "managed");
    ASSERT_FAILS(NULL, gm_tensor_to_dlpack_versioned(NULL, &tensor, 0, &out_versioned), bad,
                 "context");
    ASSERT_FAILS(context, gm_tensor_to_dlpack_versioned(context, NULL, 0, &out_versioned), bad,
                 "tensor");
    assert_null(out_versioned);
    ASSERT_FAILS(context, gm_tensor_to_dlpack_versioned(context, &tensor, 0, NULL), bad, "managed");
}

static void test_bad_structures_are_refused(void **state) {
    (void)state;
    DLTensor t;
    for (int type = -1; type < 20; ++type) {
        if (type != kDLCPU && type != kDLCUDAHost && type != kDLCUDAManaged) {
            t = sound(), memcpy(&t.device.device_type, &type, sizeof type);
            expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "device_type");
        }
    }
    t = sound(), t.ndim = -1;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "ndim");
    t = sound(), t.ndim = GM_MAX_DIMS + 1;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "ndim");
    t = sound(), t.shape = NULL;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "shape is NULL");
    int64_t negative[3] = {2, -3, 4}, huge[3] = {INT64_MAX, 2, 1}, hidden[3] = {INT64_MAX, 0, 2};
    t = sound(), t.shape = negative;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "negative");
    t = sound(), t.shape = huge;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "2^63");
    t = sound(), t.shape = hidden;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "2^63");
    t = sound(), t.data = NULL;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "data is NULL");
    t = sound(), t.byte_offset = UINT64_MAX;
    expect_failure(t, GM_STATUS_INVALID_ARGUMENT, "byte_offset");
    for (int lanes = 0; lanes <= 65535; lanes += lanes < 4 ? 1 : 21843) {
        if (lanes != 1) {
            t = sound(), t.dtype.lanes = (uint16_t)lanes;
            expect_failure(t, GM_STATUS_UNSUPPORTED, "lanes");
        }
    }
}

/* Of the 256 codes and 256 widths exactly those that genmath has are taken, each as one dtype. */
static void test_all_dtypes(void **state) {
    (void)state;
    int taken = 0;
    unsigned seen = 0;
    for (int code = 0; code < 256; ++code) {
        for (int bits = 0; bits < 256; ++bits) {
            DLManagedTensor managed = {.dl_tensor = sound()};
            managed.dl_tensor.dtype = (DLDataType){(uint8_t)code, (uint8_t)bits, 1};
            gm_tensor tensor;
            const gm_status status = gm_tensor_from_dlpack(context, &managed, &tensor);
            if (status == GM_STATUS_OK) {
                ++taken;
                seen |= 1u << tensor.dtype;
                assert_int_equal(gm_dtype_size(tensor.dtype) * 8, bits);
            } else {
                assert_int_equal(status, GM_STATUS_UNSUPPORTED);
            }
        }
    }
    assert_int_equal(taken, (int)GM_DTYPE_COUNT);
    assert_int_equal(seen, (1u << GM_DTYPE_COUNT) - 1);
}

static void test_versions_and_flags(void **state) {
    (void)state;
    DLManagedTensorVersioned managed = {.version = {2, 0}, .dl_tensor = sound()};
    gm_tensor tensor;
    int32_t read_only;
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, &read_only),
                 GM_STATUS_UNSUPPORTED, "major = 2");
    managed.version.major = 0;
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, &read_only),
                 GM_STATUS_UNSUPPORTED, "major = 0");
    managed.version = (DLPackVersion){1, 99}; /* a younger minor version only adds names */
    ASSERT_OK(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, &read_only));
    assert_int_equal(read_only, 0);
    ASSERT_OK(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, NULL));
    managed.flags = DLPACK_FLAG_BITMASK_READ_ONLY | 2;
    ASSERT_OK(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, &read_only));
    assert_int_equal(read_only, 1);
    ASSERT_FAILS(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "read-only");
    managed.flags = 2;
    ASSERT_OK(context, gm_tensor_from_dlpack_versioned(context, &managed, &tensor, &read_only));
    assert_int_equal(read_only, 0);
}

static void test_bad_tensors_are_not_exported(void **state) {
    (void)state;
    const gm_tensor good = gm_tensor_1d(values, GM_F32, 24);
    DLManagedTensor *managed;
    gm_tensor bad = good;
    bad.dtype = GM_DTYPE_COUNT;
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, &bad, &managed), GM_STATUS_INVALID_ARGUMENT,
                 "dtype");
    bad = good, bad.ndim = 33;
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, &bad, &managed), GM_STATUS_INVALID_ARGUMENT,
                 "ndim");
    bad = good, bad.shape[0] = -2;
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, &bad, &managed), GM_STATUS_INVALID_ARGUMENT,
                 "negative");
    bad = good, bad.data = NULL;
    ASSERT_FAILS(context, gm_tensor_to_dlpack(context, &bad, &managed), GM_STATUS_INVALID_ARGUMENT,
                 "data");
    assert_null(managed);
}

/* ---- exact -------------------------------------------------------------------------------------
 */

static void test_import(void **state) {
    (void)state;
    DLManagedTensor managed = {.dl_tensor = sound()};
    gm_tensor tensor;
    managed.dl_tensor.byte_offset = 8;
    ASSERT_OK(context, gm_tensor_from_dlpack(context, &managed, &tensor));
    assert_ptr_equal(tensor.data, values + 2);
    assert_true(tensor.ndim == 3 && gm_tensor_is_contiguous(&tensor)); /* no strides: row-major */
    int64_t strides[3] = {-4, 0, 1};
    managed.dl_tensor.strides = strides;
    ASSERT_OK(context, gm_tensor_from_dlpack(context, &managed, &tensor));
    assert_memory_equal(tensor.stride, strides, sizeof strides);
    assert_memory_equal(tensor.shape, shape_234, sizeof shape_234);

    managed.dl_tensor.ndim = 0; /* a scalar has no arrays */
    managed.dl_tensor.shape = managed.dl_tensor.strides = NULL;
    ASSERT_OK(context, gm_tensor_from_dlpack(context, &managed, &tensor));
    assert_int_equal(tensor.ndim, 0);

    int64_t empty[3] = {2, 0, 4};
    managed.dl_tensor.ndim = 3;
    managed.dl_tensor.shape = empty;
    managed.dl_tensor.data = NULL;
    ASSERT_OK(context, gm_tensor_from_dlpack(context, &managed, &tensor));
    assert_null(tensor.data);
}

static void expect_same(const gm_tensor *a, const gm_tensor *b) {
    assert_ptr_equal(a->data, b->data);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->ndim, b->ndim);
    assert_memory_equal(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]);
    assert_memory_equal(a->stride, b->stride, (size_t)a->ndim * sizeof a->stride[0]);
}

static void test_round_trip(void **state) {
    (void)state;
    for (int dtype = 0; dtype < GM_DTYPE_COUNT; ++dtype) {
        for (int32_t ndim = 0; ndim <= GM_MAX_DIMS; ++ndim) {
            gm_tensor tensor = {values, (gm_dtype)dtype, ndim, {0}, {0}}, back, back_versioned;
            for (int32_t axis = 0; axis < ndim; ++axis) {
                tensor.shape[axis] = axis < 3 ? 2 : 1;
                tensor.stride[axis] = axis - 1; /* negative, zero and positive */
            }
            DLManagedTensor *managed;
            ASSERT_OK(context, gm_tensor_to_dlpack(context, &tensor, &managed));
            assert_int_equal(managed->dl_tensor.device.device_type, kDLCPU);
            assert_int_equal(managed->dl_tensor.byte_offset, 0);
            ASSERT_OK(context, gm_tensor_from_dlpack(context, managed, &back));
            expect_same(&tensor, &back);
            managed->deleter(managed);

            DLManagedTensorVersioned *versioned;
            int32_t read_only = 7;
            ASSERT_OK(context,
                      gm_tensor_to_dlpack_versioned(context, &tensor, ndim % 2, &versioned));
            assert_int_equal(versioned->version.major, 1);
            ASSERT_OK(context, gm_tensor_from_dlpack_versioned(context, versioned, &back_versioned,
                                                               &read_only));
            expect_same(&tensor, &back_versioned);
            assert_int_equal(read_only, ndim % 2);
            versioned->deleter(versioned);
        }
    }
}

/* The structure keeps its own arrays: the tensor it was made from may go. */
static void test_arrays_are_copied(void **state) {
    (void)state;
    gm_tensor tensor = gm_tensor_2d(values, GM_F32, 4, 6);
    DLManagedTensor *managed;
    ASSERT_OK(context, gm_tensor_to_dlpack(context, &tensor, &managed));
    memset(&tensor, 0, sizeof tensor);
    assert_int_equal(managed->dl_tensor.shape[0], 4);
    assert_int_equal(managed->dl_tensor.strides[0], 6);
    managed->deleter(managed);
    tensor = gm_tensor_2d(values, GM_F32, 4, 0);
    ASSERT_OK(context, gm_tensor_to_dlpack(context, &tensor, &managed));
    assert_null(managed->dl_tensor.data);
    managed->deleter(managed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_arguments),
        cmocka_unit_test(test_bad_structures_are_refused),
        cmocka_unit_test(test_all_dtypes),
        cmocka_unit_test(test_versions_and_flags),
        cmocka_unit_test(test_bad_tensors_are_not_exported),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_arrays_are_copied),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
