// What every kernel file includes first: CUDA, or the emulator of it, and the two things in which
// they differ for a kernel's source: how it is launched and how it gets its shared memory.
#ifndef GENMATH_KERNELS_DEVICE_CUH
#define GENMATH_KERNELS_DEVICE_CUH

#if !defined(__CUDACC_RTC__)
// defines: the CUDA runtime API; under a plain C++ compiler with -Itests/emu, the emulator's
#include <cuda_runtime.h>
#endif

// GM_SHARED(type, name) declares `type &name`, the shared memory of the block. All of a kernel's
// shared memory is one struct, and the launch passes its size: so it is exactly as large as it
// must be, and the emulator can poison and guard it.
//
// GM_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments...) queues a launch. A template's
// instance is written in parentheses. Errors of the launch are read with cudaGetLastError.
// GM_GRID_CONSTANT before a const argument of a kernel: it may be pointed to without being copied.
#if defined(__CUDACC__)

#define GM_GRID_CONSTANT __grid_constant__

#define GM_SHARED(type, name)                                                                      \
    static_assert(alignof(type) <= 16, "shared memory is aligned to 16 bytes");                    \
    extern __shared__ __align__(16) unsigned char gm_shared_bytes[];                               \
    type &name = *reinterpret_cast<type *>(gm_shared_bytes)

#define GM_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
    kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)

#else

#define GM_GRID_CONSTANT

#define GM_SHARED(type, name)                                                                      \
    static_assert(alignof(type) <= 16, "shared memory is aligned to 16 bytes");                    \
    type &name = *static_cast<type *>(emu::shared_arena(sizeof(type), emu::here()))

#define GM_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
    emu::bind_kernel(#kernel, kernel, (grid), (block), (shared_bytes), (stream))(__VA_ARGS__)

#endif

#endif
