// The part of CUDA that the emulator provides. Being first on the include path, this file takes
// the place of NVIDIA's when kernels are built by a C++ compiler. What is not declared here is
// not supported, and using it does not compile.
#ifndef GENMATH_EMU_CUDA_RUNTIME_H
#define GENMATH_EMU_CUDA_RUNTIME_H

#if defined(__CUDACC__)
#error "nvcc must not find the emulator's cuda_runtime.h: drop -Itests/emu"
#endif
#if !defined(__cplusplus) || __cplusplus < 201703L
#error "the emulator needs C++17"
#endif

#define __host__
#define __device__ __attribute__((unused))
#define __global__
#define __grid_constant__
#define __constant__ __attribute__((unused))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

// Shared memory is poisoned and guarded only on the dynamic arena, so every kernel keeps all of it
// in one struct there.
#define __shared__                                                                                 \
    static_assert(false, "use GM_SHARED: static shared memory is not supported by the emulator");

#include "emu_types.h"
#include "emu_thread.h"
#include "emu_warp.h"
#include "emu_atomic.h"
#include "emu_math.h"
#include "emu_api.h"
#include "emu_launch.h"

#endif
