// The part of CUDA's driver API that the emulator provides: maps of tensors for bulk copies. The
// function itself comes from cudaGetDriverEntryPointByVersion, as in a program that does not link
// the driver.
#ifndef GENMATH_EMU_CUDA_H
#define GENMATH_EMU_CUDA_H

#include <stdint.h>

typedef uint32_t cuuint32_t;
typedef uint64_t cuuint64_t;

typedef enum cudaError_enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_NOT_SUPPORTED = 801
} CUresult;

// On the device 128 opaque bytes, aligned to 64; here the arguments of the encoding.
typedef struct CUtensorMap_st {
    cuuint64_t address;
    cuuint64_t stride[5]; // in bytes; of the first dimension that of an element
    cuuint64_t extent[5];
    cuuint32_t box[5];
    cuuint32_t rank, unused[4];
} CUtensorMap;
static_assert(sizeof(CUtensorMap) == 128, "CUDA's size");

typedef enum CUtensorMapDataType_enum {
    CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6,
    CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9
} CUtensorMapDataType;
typedef enum CUtensorMapInterleave_enum { CU_TENSOR_MAP_INTERLEAVE_NONE = 0 } CUtensorMapInterleave;
typedef enum CUtensorMapSwizzle_enum { CU_TENSOR_MAP_SWIZZLE_128B = 3 } CUtensorMapSwizzle;
typedef enum CUtensorMapL2promotion_enum {
    CU_TENSOR_MAP_L2_PROMOTION_NONE = 0,
    CU_TENSOR_MAP_L2_PROMOTION_L2_64B,
    CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
    CU_TENSOR_MAP_L2_PROMOTION_L2_256B
} CUtensorMapL2promotion;
typedef enum CUtensorMapFloatOOBfill_enum {
    CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0
} CUtensorMapFloatOOBfill;

#endif
