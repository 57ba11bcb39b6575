/* DLPack structures to views and back. */
#define GM_DLPACK_TYPES
#include <genmath/dlpack.h>

#include <stdlib.h>
#include <string.h>

#include "host/internal.h"

/* The layout that DLPack 1.x fixes, as every 64-bit producer and consumer sees it. */
_Static_assert(sizeof(DLTensor) == 48 && offsetof(DLTensor, dtype) == 20 &&
                   offsetof(DLTensor, byte_offset) == 40,
               "DLTensor");
_Static_assert(sizeof(DLManagedTensor) == 64, "DLManagedTensor");
_Static_assert(sizeof(DLManagedTensorVersioned) == 80 &&
                   offsetof(DLManagedTensorVersioned, dl_tensor) == 32,
               "DLManagedTensorVersioned");

static const struct {
    gm_dtype dtype;
    uint8_t code;
} dtype_codes[] = {
    {GM_F64, kDLFloat}, {GM_F32, kDLFloat},   {GM_F16, kDLFloat},    {GM_BF16, kDLBfloat},
    {GM_I8, kDLInt},    {GM_I16, kDLInt},     {GM_I32, kDLInt},      {GM_I64, kDLInt},
    {GM_U8, kDLUInt},   {GM_U16, kDLUInt},    {GM_U32, kDLUInt},     {GM_U64, kDLUInt},
    {GM_BOOL, kDLBool}, {GM_C64, kDLComplex}, {GM_C128, kDLComplex},
};
enum { DTYPE_CODES = sizeof dtype_codes / sizeof dtype_codes[0] };
_Static_assert(DTYPE_CODES == (int)GM_DTYPE_COUNT, "every dtype has a code");

#define GM_CHECK_CONTEXT(context)                                                                  \
    GM_CHECK(NULL, (context) != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL")

/* ---- import ------------------------------------------------------------------------------------
 */

static gm_status check_device(gm_context *context, DLDevice device) {
    const int type = device.device_type;
    if (context->id != GM_BACKEND_CUDA) {
        GM_CHECK(context, type == kDLCPU || type == kDLCUDAHost || type == kDLCUDAManaged,
                 GM_STATUS_INVALID_ARGUMENT,
                 "managed.device_type = %d: the %s backend reads host memory (1, 3 or 13)", type,
                 context->backend->name);
        return GM_STATUS_OK;
    }
    GM_CHECK(context, type == kDLCUDA || type == kDLCUDAManaged, GM_STATUS_INVALID_ARGUMENT,
             "managed.device_type = %d: the cuda backend reads its device's memory (2 or 13)",
             type);
    GM_CHECK(context, type != kDLCUDA || device.device_id == context->call.device,
             GM_STATUS_INVALID_ARGUMENT, "managed.device_id = %d: the context runs on device %d",
             (int)device.device_id, (int)context->call.device);
    return GM_STATUS_OK;
}

static gm_status find_dtype(gm_context *context, DLDataType wanted, gm_dtype *dtype) {
    GM_CHECK(context, wanted.lanes == 1, GM_STATUS_UNSUPPORTED,
             "managed.dtype.lanes = %d: vector types have no counterpart here", wanted.lanes);
    for (int i = 0; i < DTYPE_CODES; ++i) {
        if (dtype_codes[i].code == wanted.code &&
            gm_dtype_size(dtype_codes[i].dtype) * 8 == wanted.bits) {
            *dtype = dtype_codes[i].dtype;
            return GM_STATUS_OK;
        }
    }
    return gm_fail(context, GM_STATUS_UNSUPPORTED,
                   "managed.dtype: code %d with %d bits has no counterpart here", wanted.code,
                   wanted.bits);
}

static gm_status import(gm_context *context, const DLTensor *from, gm_tensor *tensor) {
    gm_dtype dtype = GM_DTYPE_COUNT;
    GM_TRY(check_device(context, from->device));
    GM_TRY(find_dtype(context, from->dtype, &dtype));
    gm_tensor view;
    if (gm_tensor_view(NULL, dtype, from->ndim, from->shape, &view) != GM_STATUS_OK) {
        return gm_fail(context, GM_STATUS_INVALID_ARGUMENT, "managed: %s", gm_last_error(NULL));
    }
    if (from->strides != NULL && from->ndim > 0) {
        memcpy(view.stride, from->strides, (size_t)from->ndim * sizeof view.stride[0]);
    }
    int64_t elements;
    GM_TRY(gm_tensor_elements(&view, &elements));
    if (elements > 0) {
        uintptr_t address;
        GM_CHECK(context, from->data != NULL, GM_STATUS_INVALID_ARGUMENT, "managed.data is NULL");
        GM_CHECK(context,
                 !__builtin_add_overflow((uintptr_t)from->data, from->byte_offset, &address),
                 GM_STATUS_INVALID_ARGUMENT, "managed.byte_offset = %llu overflows",
                 (unsigned long long)from->byte_offset);
        view.data = (char *)from->data + from->byte_offset;
    }
    *tensor = view;
    return GM_STATUS_OK;
}

gm_status gm_tensor_from_dlpack(gm_context *context, const struct DLManagedTensor *managed,
                                gm_tensor *tensor) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, managed != NULL, GM_STATUS_INVALID_ARGUMENT, "managed is NULL");
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    return import(context, &managed->dl_tensor, tensor);
}

gm_status gm_tensor_from_dlpack_versioned(gm_context *context,
                                          const struct DLManagedTensorVersioned *managed,
                                          gm_tensor *tensor, int32_t *read_only) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, managed != NULL, GM_STATUS_INVALID_ARGUMENT, "managed is NULL");
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    /* Another major version may lay out everything after the deleter in another way. */
    GM_CHECK(context, managed->version.major == 1, GM_STATUS_UNSUPPORTED,
             "managed.version.major = %u: only DLPack 1.x is known",
             (unsigned)managed->version.major);
    const bool forbidden = (managed->flags & DLPACK_FLAG_BITMASK_READ_ONLY) != 0;
    GM_CHECK(context, !forbidden || read_only != NULL, GM_STATUS_INVALID_ARGUMENT,
             "managed is read-only: pass read_only to take it nevertheless");
    GM_TRY(import(context, &managed->dl_tensor, tensor));
    if (read_only != NULL) {
        *read_only = forbidden;
    }
    return GM_STATUS_OK;
}

/* ---- export ------------------------------------------------------------------------------------
 */

/* One allocation each: the structure that is handed out, and the arrays it points to. */
typedef struct exported {
    DLManagedTensor managed;
    int64_t shape[GM_MAX_DIMS], stride[GM_MAX_DIMS];
} exported;

typedef struct exported_versioned {
    DLManagedTensorVersioned managed;
    int64_t shape[GM_MAX_DIMS], stride[GM_MAX_DIMS];
} exported_versioned;

static void release(DLManagedTensor *self) {
    if (self != NULL) {
        free(self->manager_ctx);
    }
}

static void release_versioned(DLManagedTensorVersioned *self) {
    if (self != NULL) {
        free(self->manager_ctx);
    }
}

static gm_status check_export(gm_context *context, const gm_tensor *tensor) {
    GM_CHECK(context, tensor != NULL, GM_STATUS_INVALID_ARGUMENT, "tensor is NULL");
    gm_tensor compact;
    if (gm_tensor_view(NULL, tensor->dtype, tensor->ndim, tensor->shape, &compact) !=
        GM_STATUS_OK) {
        return gm_fail(context, GM_STATUS_INVALID_ARGUMENT, "tensor: %s", gm_last_error(NULL));
    }
    int64_t elements;
    GM_TRY(gm_tensor_elements(tensor, &elements));
    GM_CHECK(context, elements == 0 || tensor->data != NULL, GM_STATUS_INVALID_ARGUMENT,
             "tensor.data is NULL");
    return GM_STATUS_OK;
}

/* shape and stride are the arrays that live as long as the structure. */
static DLTensor describe(const gm_context *context, const gm_tensor *tensor, int64_t *shape,
                         int64_t *stride) {
    DLTensor out = {.data = tensor->data, .ndim = tensor->ndim, .shape = shape, .strides = stride};
    const bool on_device = context->id == GM_BACKEND_CUDA;
    out.device.device_type = on_device ? kDLCUDA : kDLCPU;
    out.device.device_id = on_device ? context->call.device : 0;
    for (int i = 0; i < DTYPE_CODES; ++i) {
        if (dtype_codes[i].dtype == tensor->dtype) {
            out.dtype.code = dtype_codes[i].code;
        }
    }
    out.dtype.bits = (uint8_t)(8 * gm_dtype_size(tensor->dtype));
    out.dtype.lanes = 1;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        shape[axis] = tensor->shape[axis];
        stride[axis] = tensor->stride[axis];
        if (shape[axis] == 0) {
            out.data = NULL; /* as DLPack asks of an empty tensor */
        }
    }
    return out;
}

gm_status gm_tensor_to_dlpack(gm_context *context, const gm_tensor *tensor,
                              struct DLManagedTensor **managed) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, managed != NULL, GM_STATUS_INVALID_ARGUMENT, "managed is NULL");
    *managed = NULL;
    GM_TRY(check_export(context, tensor));
    exported *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a DLPack structure");
    made->managed.dl_tensor = describe(context, tensor, made->shape, made->stride);
    made->managed.manager_ctx = made;
    made->managed.deleter = release;
    *managed = &made->managed;
    return GM_STATUS_OK;
}

gm_status gm_tensor_to_dlpack_versioned(gm_context *context, const gm_tensor *tensor,
                                        int32_t read_only,
                                        struct DLManagedTensorVersioned **managed) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, managed != NULL, GM_STATUS_INVALID_ARGUMENT, "managed is NULL");
    *managed = NULL;
    GM_TRY(check_export(context, tensor));
    exported_versioned *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a DLPack structure");
    made->managed.version = (DLPackVersion){1, 0};
    made->managed.flags = read_only != 0 ? DLPACK_FLAG_BITMASK_READ_ONLY : 0;
    made->managed.dl_tensor = describe(context, tensor, made->shape, made->stride);
    made->managed.manager_ctx = made;
    made->managed.deleter = release_versioned;
    *managed = &made->managed;
    return GM_STATUS_OK;
}
