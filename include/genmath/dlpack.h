/*
 * Exchange with PyTorch, JAX, CuPy and NumPy through DLPack structures, without a copy.
 *
 * The structures belong to the user's own dlpack.h (dmlc/dlpack, version 1.x), which may be
 * included before or after this header or not at all. A program without it that needs their fields
 * defines GM_DLPACK_TYPES before including this header and gets declarations of the same layout.
 */
#if defined(GM_DLPACK_TYPES) && !defined(DLPACK_DLPACK_H_) && !defined(GENMATH_DLPACK_TYPES)
#define GENMATH_DLPACK_TYPES

#include <stdint.h>

#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0UL)

enum { kDLCPU = 1, kDLCUDA = 2, kDLCUDAHost = 3, kDLCUDAManaged = 13 };
enum { kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4, kDLComplex = 5, kDLBool = 6 };

typedef struct DLPackVersion {
    uint32_t major, minor;
} DLPackVersion;

typedef struct DLDevice {
    int32_t device_type, device_id;
} DLDevice;

typedef struct DLDataType {
    uint8_t code, bits;
    uint16_t lanes;
} DLDataType;

typedef struct DLTensor {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif

#ifndef GENMATH_DLPACK_H
#define GENMATH_DLPACK_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensor;
struct DLManagedTensorVersioned;

/*
 * A view of a DLPack tensor's memory: data moved by byte_offset, row-major if it has no strides.
 * Ownership stays with the caller, who calls managed's deleter when the view is no longer used,
 * also after a failure.
 *
 * context   [in]  whose memory it must be: kDLCPU, kDLCUDAHost or kDLCUDAManaged for ref, cpu and
 * emu, kDLCUDA of the context's device or kDLCUDAManaged for cuda. (emu's operations take only
 * memory of gm_memory_alloc, and say so when they are given other memory.) managed   [in] tensor
 * [out] untouched on failure read_only [out] 1 if the producer forbids writing, else 0; may be
 * NULL, but then a read-only tensor is refused, so that no operation writes to it by accident
 *
 * Errors: INVALID_ARGUMENT (an argument is NULL, the memory is on another device, ndim not in 0 ..
 * 32, a size out of range, an offset that overflows, NULL data in a tensor with elements, read-only
 * as above), UNSUPPORTED (a dtype without counterpart, lanes other than 1, major version other than
 * 1).
 */
gm_status gm_tensor_from_dlpack(gm_context *context, const struct DLManagedTensor *managed,
                                gm_tensor *tensor);
gm_status gm_tensor_from_dlpack_versioned(gm_context *context,
                                          const struct DLManagedTensorVersioned *managed,
                                          gm_tensor *tensor, int32_t *read_only);

/*
 * A DLPack structure that shows a tensor's memory to another library. Its deleter releases the
 * structure with its shape and strides and nothing else: the tensor's data must outlive the
 * consumer.
 *
 * context   [in]  whose memory it is: exported as kDLCUDA with the device's ordinal for cuda, else
 * as kDLCPU tensor    [in]  strides of 0 and negative ones are passed on as they are; not every
 * consumer takes them read_only [in]  1 forbids the consumer to write managed   [out] hand it to
 * the consumer, or call its deleter; NULL on failure
 *
 * Errors: INVALID_ARGUMENT (an argument is NULL, an unknown dtype, a size out of range, NULL data
 * in a tensor with elements), OUT_OF_MEMORY.
 */
gm_status gm_tensor_to_dlpack(gm_context *context, const gm_tensor *tensor,
                              struct DLManagedTensor **managed);
gm_status gm_tensor_to_dlpack_versioned(gm_context *context, const gm_tensor *tensor,
                                        int32_t read_only,
                                        struct DLManagedTensorVersioned **managed);

#ifdef __cplusplus
}
#endif
#endif
