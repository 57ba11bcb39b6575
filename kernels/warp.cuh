// Reductions over a warp by shuffles, in a fixed order: the result depends on the values alone and
// is the same, to the bit, in every lane.
//
// All 32 lanes of the warp must call; a kernel gives lanes without work the neutral element.
#ifndef GENMATH_KERNELS_WARP_CUH
#define GENMATH_KERNELS_WARP_CUH

#include "kernels/device.cuh"

constexpr int GM_WARP_SIZE = 32;
constexpr unsigned GM_FULL_MASK = 0xffffffffu;

// Lane and warp of this thread in a block of any shape.
__device__ inline unsigned gm_thread_in_block() {
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

__device__ inline unsigned gm_lane() {
    return gm_thread_in_block() % 32u;
}

__device__ inline unsigned gm_warp() {
    return gm_thread_in_block() / 32u;
}

// An exchange with lane ^ offset adds the same two numbers in both lanes, and addition commutes, so
// after each step the lanes of a group agree to the bit.
template <class T> __device__ inline T gm_warp_sum(T value) {
#pragma unroll
    for (int offset = GM_WARP_SIZE / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(GM_FULL_MASK, value, offset);
    }
    return value;
}

template <class T> __device__ inline T gm_warp_max(T value) {
#pragma unroll
    for (int offset = GM_WARP_SIZE / 2; offset > 0; offset /= 2) {
        value = max(value, __shfl_xor_sync(GM_FULL_MASK, value, offset));
    }
    return value;
}

template <class T> __device__ inline T gm_warp_min(T value) {
#pragma unroll
    for (int offset = GM_WARP_SIZE / 2; offset > 0; offset /= 2) {
        value = min(value, __shfl_xor_sync(GM_FULL_MASK, value, offset));
    }
    return value;
}

// The sum over each aligned group of `width` lanes, a power of two from 1 to 32: the four lanes
// that share a row of an mma accumulator, for instance.
template <int width, class T> __device__ inline T gm_group_sum(T value) {
    static_assert(width >= 1 && width <= 32 && (width & (width - 1)) == 0, "a power of two");
#pragma unroll
    for (int offset = width / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(GM_FULL_MASK, value, offset);
    }
    return value;
}

template <int width, class T> __device__ inline T gm_group_max(T value) {
    static_assert(width >= 1 && width <= 32 && (width & (width - 1)) == 0, "a power of two");
#pragma unroll
    for (int offset = width / 2; offset > 0; offset /= 2) {
        value = max(value, __shfl_xor_sync(GM_FULL_MASK, value, offset));
    }
    return value;
}

// Inclusive prefix sum: lane i gets the sum of lanes 0 ... i, each added from the left in the
// binary-tree order of the steps.
template <class T> __device__ inline T gm_warp_prefix_sum(T value) {
    const unsigned lane = gm_lane();
#pragma unroll
    for (unsigned offset = 1; offset < 32; offset *= 2) {
        T below = __shfl_up_sync(GM_FULL_MASK, value, offset);
        if (lane >= offset) {
            value = below + value;
        }
    }
    return value;
}

#endif
