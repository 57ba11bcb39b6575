// A map for bulk copies from an array of lines of 16-bit elements, for the tests: boxes of 64
// elements by `box_lines`, lines of 128 bytes swizzled. Through the driver's function, as kernels'
// launches find it; all zeros where there is none.
#ifndef GENMATH_EMU_ENCODE_MAP_H
#define GENMATH_EMU_ENCODE_MAP_H

#include <cuda.h>

inline CUtensorMap encode_map(void *data, CUtensorMapDataType type, cuuint64_t length,
                              cuuint64_t lines, cuuint32_t box_lines) {
    typedef CUresult encode_function(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                                     const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                                     const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                                     CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    void *function = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
    cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault,
                                     &result);
    const cuuint64_t extent[] = {length, lines, 1, 1, 1}, stride[] = {2 * length, 16, 16, 16};
    const cuuint32_t box[] = {64, box_lines, 1, 1, 1}, step[] = {1, 1, 1, 1, 1};
    CUtensorMap map = {};
    if (result == cudaDriverEntryPointSuccess) {
        reinterpret_cast<encode_function *>(function)(
            &map, type, 5, data, extent, stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
            CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    }
    return map;
}

#endif
