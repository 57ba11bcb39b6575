// Copies from global to shared memory that run while the thread computes. A thread issues copies,
// commits them as a group, and waits until all but its newest N groups have landed. What it waited
// for is visible to itself; other threads need a barrier after the wait.
//
// Target and source are multiples of the size. Under the emulator the target holds NaN from the
// issue to the wait.
#ifndef GENMATH_KERNELS_CP_ASYNC_CUH
#define GENMATH_KERNELS_CP_ASYNC_CUH

#include "kernels/device.cuh"

#if !defined(__CUDACC__)
// defines: emu::cp_async
#include "emu_cp_async.h"
#endif

// Copies `bytes` (4, 8 or 16) bytes if valid, else writes zeros and does not read the source.
template <int bytes>
__device__ inline void gm_cp_async_if(void *shared, const void *global, bool valid) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(__CUDACC__)
    const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    const unsigned long long source = __cvta_generic_to_global(global);
    const int size = valid ? bytes : 0;
    // Copies of 16 bytes can bypass the first-level cache, which has no use for streamed tiles.
    if constexpr (bytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                     :
                     : "r"(target), "l"(source), "r"(size)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                     :
                     : "r"(target), "l"(source), "n"(bytes), "r"(size)
                     : "memory");
    }
#else
    emu::cp_async<bytes>(shared, valid ? global : nullptr, emu::here());
#endif
}

template <int bytes> __device__ inline void gm_cp_async(void *shared, const void *global) {
    gm_cp_async_if<bytes>(shared, global, true);
}

__device__ inline void gm_cp_async_commit() {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    emu::cp_async_commit();
#endif
}

// Waits until at most `pending` of the groups this thread has committed are still under way.
template <int pending> __device__ inline void gm_cp_async_wait() {
    static_assert(pending >= 0, "a number of groups");
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#else
    emu::cp_async_wait(pending, emu::here());
#endif
}

#endif
