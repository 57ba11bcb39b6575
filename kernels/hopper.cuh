// Hopper's asynchronous instructions, sm_90a: mbarriers, bulk copies of boxes of a tensor, matrix
// products of a warpgroup, registers moved between warpgroups. One wrapper for each: inline PTX
// under nvcc, a function of the emulator under a C++ compiler. Compiled for another architecture a
// wrapper traps.
//
// A bulk copy reads a box of a tensor through a map that the host has encoded, zeros outside the
// tensor, and adds its bytes to an mbarrier when it has landed. With the 128-byte swizzle, chunk
// c of 16 bytes of the line of 128 bytes at shared address x is at chunk c ^ (x / 128 % 8), so that
// both a line and a column of chunks lie in different banks. Targets are multiples of 1024.
//
// wgmma multiplies operands in shared memory that 64-bit descriptors name. In fragments of the
// accumulator of m64n256, value v of thread t of the warpgroup is at row
// t / 32 * 16 + t % 32 / 4 + 8 (v / 2 % 2), column v / 4 * 8 + t % 4 * 2 + v % 2.
#ifndef GENMATH_KERNELS_HOPPER_CUH
#define GENMATH_KERNELS_HOPPER_CUH

// defines: CUtensorMap
#include <cuda.h>

#include "kernels/mma.cuh"

#if !defined(__CUDACC__)
// defines: emu::mbarrier_*, emu::bulk_tensor_load, emu::wgmma_*
#include "emu_hopper.h"
#endif

// Whether this pass of the compiler is for what has these instructions.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDACC__)
#define GM_HAS_HOPPER 1
#else
#define GM_HAS_HOPPER 0
#endif

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define GM_HOPPER_ASM(...) asm volatile(__VA_ARGS__)
#elif defined(__CUDACC__)
#define GM_HOPPER_ASM(...) __trap()
#endif

// ---- mbarriers --------------------------------------------------------------------------------

// In shared memory. A phase is over when all arrivals and all bytes expected have come; phases are
// numbered from 0, and a phase is waited for by its parity. A wait for parity 1 passes at first.
struct alignas(8) gm_mbarrier {
    unsigned long long state;
};

// By one thread, before anyone else uses it: then gm_mbarrier_fence_init and a barrier of the
// block.
__device__ __forceinline__ void gm_mbarrier_init(gm_mbarrier &barrier, unsigned arrivals) {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(gm_shared_address(&barrier)),
                  "r"(arrivals)
                  : "memory");
#else
    emu::mbarrier_init(&barrier.state, arrivals, emu::here());
#endif
}

// What this thread has initialised is seen by bulk copies.
__device__ __forceinline__ void gm_mbarrier_fence_init() {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
    emu::mbarrier_fence_init();
#endif
}

__device__ __forceinline__ void gm_mbarrier_arrive(gm_mbarrier &barrier) {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(gm_shared_address(&barrier))
                  : "memory");
#else
    emu::mbarrier_arrive(&barrier.state, 0, emu::here());
#endif
}

// Arrives; the phase then also waits for so many bytes of bulk copies.
__device__ __forceinline__ void gm_mbarrier_arrive_expect(gm_mbarrier &barrier, unsigned bytes) {
#if defined(__CUDACC__)
    GM_HOPPER_ASM(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(gm_shared_address(&barrier)),
        "r"(bytes)
        : "memory");
#else
    emu::mbarrier_arrive(&barrier.state, bytes, emu::here());
#endif
}

// Until the phase of this parity is over.
__device__ __forceinline__ void gm_mbarrier_wait(gm_mbarrier &barrier, unsigned parity) {
#if defined(__CUDACC__)
    unsigned done = 0;
    while (done == 0) {
        GM_HOPPER_ASM("{\n"
                      ".reg .pred over;\n"
                      "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
                      "selp.u32 %0, 1, 0, over;\n"
                      "}"
                      : "=r"(done)
                      : "r"(gm_shared_address(&barrier)), "r"(parity)
                      : "memory");
    }
#else
    emu::mbarrier_wait(&barrier.state, parity, emu::here());
#endif
}

// ---- bulk copies ------------------------------------------------------------------------------

// Begins to copy the box at `place` of a map of five dimensions, the contiguous one first. The map
// is an argument of the kernel, __grid_constant__.
__device__ __forceinline__ void gm_bulk_tensor_load(void *shared, const CUtensorMap &map,
                                                    const int (&place)[5], gm_mbarrier &barrier) {
#if defined(__CUDACC__)
    GM_HOPPER_ASM(
        "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%2, %3, %4, %5, %6}], [%7];" ::"r"(gm_shared_address(shared)),
        "l"(&map), "r"(place[0]), "r"(place[1]), "r"(place[2]), "r"(place[3]), "r"(place[4]),
        "r"(gm_shared_address(&barrier))
        : "memory");
#else
    emu::bulk_tensor_load(shared, map, place, &barrier.state, emu::here());
#endif
}

// ---- products of a warpgroup ------------------------------------------------------------------

// An operand in shared memory with the 128-byte swizzle; `start`, `leading` and `stride` are
// multiples of 16. With k innermost, lines of 64 elements of k are 128 bytes apart and groups of 8
// of them `stride`. With rows (columns of B) innermost, lines of 64 rows are 128 bytes apart along
// k, groups of 8 of them `stride`, and the next 64 rows are `leading` further.
__device__ __forceinline__ unsigned long long gm_wgmma_operand(const void *start, unsigned leading,
                                                               unsigned stride) {
    const unsigned long long swizzle_128 = 1;
    return static_cast<unsigned long long>((gm_shared_address(start) & 0x3ffffu) >> 4) |
           static_cast<unsigned long long>(leading >> 4) << 16 |
           static_cast<unsigned long long>(stride >> 4) << 32 | swizzle_128 << 62;
}

// Before the first product of accumulators that the threads themselves have written.
__device__ __forceinline__ void gm_wgmma_fence() {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("wgmma.fence.sync.aligned;" ::: "memory");
#else
    emu::wgmma_fence();
#endif
}

// The products issued since the last commit are a group.
__device__ __forceinline__ void gm_wgmma_commit() {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
    emu::wgmma_commit(emu::here());
#endif
}

// Until at most `pending` of the groups committed are under way. Accumulators may be read, and
// operands overwritten, when all groups that use them are over.
template <int pending> __device__ __forceinline__ void gm_wgmma_wait() {
#if defined(__CUDACC__)
    GM_HOPPER_ASM("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
#else
    emu::wgmma_wait(pending, emu::here());
#endif
}

#if defined(__CUDACC__)
#define GM_WGMMA_SUMS_8(i)                                                                         \
    "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]),     \
        "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define GM_WGMMA_SUMS_32(i)                                                                        \
    GM_WGMMA_SUMS_8(i), GM_WGMMA_SUMS_8(i + 8), GM_WGMMA_SUMS_8(i + 16), GM_WGMMA_SUMS_8(i + 24)
#define GM_WGMMA_REGISTERS                                                                         \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "             \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "             \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "             \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, "   \
    "%127"
#define GM_WGMMA_M64N256K16(type)                                                                  \
    GM_HOPPER_ASM("{\n"                                                                            \
                  ".reg .pred add;\n"                                                              \
                  "setp.eq.u32 add, 0, 0;\n"                                                       \
                  "wgmma.mma_async.sync.aligned.m64n256k16.f32." type "." type                     \
                  " {" GM_WGMMA_REGISTERS "}, %128, %129, add, 1, 1, %130, %131;\n"                \
                  "}"                                                                              \
                  : GM_WGMMA_SUMS_32(0), GM_WGMMA_SUMS_32(32), GM_WGMMA_SUMS_32(64),               \
                    GM_WGMMA_SUMS_32(96)                                                           \
                  : "l"(a), "l"(b), "n"(a_rows_inner ? 1 : 0), "n"(b_columns_inner ? 1 : 0))
#endif

// sums += A B, A of 64 x 16 and B of 16 x 256 in half precision; all threads of a warpgroup call.
template <bool a_rows_inner, bool b_columns_inner>
__device__ __forceinline__ void gm_wgmma_m64n256k16_f16(float (&sums)[128], unsigned long long a,
                                                        unsigned long long b) {
#if defined(__CUDACC__)
    GM_WGMMA_M64N256K16("f16");
#else
    emu::wgmma_m64n256k16(sums, {a, b, a_rows_inner, b_columns_inner, false}, emu::here());
#endif
}

// As above in bfloat16.
template <bool a_rows_inner, bool b_columns_inner>
__device__ __forceinline__ void gm_wgmma_m64n256k16_bf16(float (&sums)[128], unsigned long long a,
                                                         unsigned long long b) {
#if defined(__CUDACC__)
    GM_WGMMA_M64N256K16("bf16");
#else
    emu::wgmma_m64n256k16(sums, {a, b, a_rows_inner, b_columns_inner, true}, emu::here());
#endif
}

// ---- registers --------------------------------------------------------------------------------

// The warpgroup gives back registers over `count` of each thread, or waits for so many. All its
// threads call; the emulator has no registers to move.
template <int count> __device__ __forceinline__ void gm_registers_lower() {
    static_assert(count >= 24 && count <= 256 && count % 8 == 0, "what setmaxnreg takes");
#if defined(__CUDACC__)
    GM_HOPPER_ASM("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

template <int count> __device__ __forceinline__ void gm_registers_raise() {
    static_assert(count >= 24 && count <= 256 && count % 8 == 0, "what setmaxnreg takes");
#if defined(__CUDACC__)
    GM_HOPPER_ASM("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

#endif
