// Reductions over a block, in a fixed order: warps by shuffles, then the warps' results by the
// first warp. The result is the same, to the bit, in every thread.
//
// Each function takes the shared memory it uses and ends with a barrier, so the memory may be used
// again at once, in a loop as well. Every thread of the block must call, and the number of threads
// must be a multiple of 32; a thread without work gives the neutral element.
#ifndef GENMATH_KERNELS_BLOCK_CUH
#define GENMATH_KERNELS_BLOCK_CUH

#include "kernels/warp.cuh"

// One result for each warp, and the block's.
template <class T> struct gm_block_reduce_shared {
    T warp[32];
    T block;
};

template <class T> __device__ inline T gm_block_sum(T value, gm_block_reduce_shared<T> &shared) {
    const unsigned lane = gm_lane();
    const unsigned warp = gm_warp();
    const unsigned warps = blockDim.x * blockDim.y * blockDim.z / 32u;
    value = gm_warp_sum(value);
    if (lane == 0) {
        shared.warp[warp] = value;
    }
    __syncthreads();
    if (warp == 0) {
        const T total = gm_warp_sum(lane < warps ? shared.warp[lane] : T(0));
        if (lane == 0) {
            shared.block = total;
        }
    }
    __syncthreads();
    const T result = shared.block;
    __syncthreads();
    return result;
}

// Lanes beyond the last warp repeat the first warp's value, so that no type needs a lowest one.
template <class T> __device__ inline T gm_block_max(T value, gm_block_reduce_shared<T> &shared) {
    const unsigned lane = gm_lane();
    const unsigned warp = gm_warp();
    const unsigned warps = blockDim.x * blockDim.y * blockDim.z / 32u;
    value = gm_warp_max(value);
    if (lane == 0) {
        shared.warp[warp] = value;
    }
    __syncthreads();
    if (warp == 0) {
        const T total = gm_warp_max(shared.warp[lane < warps ? lane : 0]);
        if (lane == 0) {
            shared.block = total;
        }
    }
    __syncthreads();
    const T result = shared.block;
    __syncthreads();
    return result;
}

#endif
