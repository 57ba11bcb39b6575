/* Elements of the floating dtypes in kernels: loaded as, and rounded from, the type they are
 * computed in. */
#pragma once

#include "kernels/launch.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <genmath/tensor.h>

/* A function that is called: it must not be copied into every unrolled loop. */
#if defined(__CUDACC__)
#define GM_NOINLINE __noinline__
#else
#define GM_NOINLINE __attribute__((noinline))
#endif

namespace gm {

/* What an element is computed in. */
template <class T> struct element { using real = float; };
template <> struct element<double> { using real = double; };

__device__ __forceinline__ float load_real(float x) {
    return x;
}
__device__ __forceinline__ double load_real(double x) {
    return x;
}
__device__ __forceinline__ float load_real(__half x) {
    return __half2float(x);
}
__device__ __forceinline__ float load_real(__nv_bfloat16 x) {
    return __bfloat162float(x);
}

__device__ __forceinline__ void store_real(float *to, float x) {
    *to = x;
}
__device__ __forceinline__ void store_real(double *to, double x) {
    *to = x;
}
__device__ __forceinline__ void store_real(__half *to, float x) {
    *to = __float2half_rn(x);
}
__device__ __forceinline__ void store_real(__nv_bfloat16 *to, float x) {
    *to = __float2bfloat16_rn(x);
}

/* N elements that are read and written as one, or for 32 bytes as two, 16-byte accesses. */
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) pack {
    T value[N];
};

template <class T, int N> __device__ __forceinline__ bool is_packed(const T *p) {
    return reinterpret_cast<uintptr_t>(p) % alignof(pack<T, N>) == 0;
}

/* Blocks of per_block items each; a grid holds 2^31 - 1 of them. */
inline gm_status grid_for(gm_call *call, int64_t items, int64_t per_block, unsigned *grid) {
    const int64_t blocks = items / per_block + (items % per_block != 0);
    *grid = static_cast<unsigned>(blocks);
    return blocks <= 0x7fffffff
               ? GM_STATUS_OK
               : gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld blocks: a grid holds 2^31 - 1",
                              static_cast<long long>(blocks));
}

} // namespace gm
