/*
 * Sums over long rows by many blocks, the bits of which depend on no grid and no batch: a block
 * adds up a range whose length depends on the row's alone, its threads every 256th element, folded
 * in pairs; what the blocks leave, at most 1024 results, one block folds after them.
 */
#pragma once

#include "kernels/launch.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace ranges {

constexpr int THREADS = 256, WARPS = THREADS / 32;
constexpr int64_t LEAST_RANGE = 4096, MOST_BLOCKS = 1024;

/* Elements of a block. */
__host__ __device__ inline int64_t range_of(int64_t count) {
    const int64_t least = (count + MOST_BLOCKS - 1) / MOST_BLOCKS;
    const int64_t whole = (least + THREADS - 1) / THREADS * THREADS;
    return whole > LEAST_RANGE ? whole : LEAST_RANGE;
}

/* Blocks of a row: at most MOST_BLOCKS, and at most one for each LEAST_RANGE begun. */
__host__ __device__ inline int64_t blocks_of(int64_t count) {
    return (count + range_of(count) - 1) / range_of(count);
}

/* Folds what the threads of a block have, in pairs; thread 0 gets the result. */
template <class T, class Join> __device__ T fold(T value, T *shared, Join join) {
    shared[threadIdx.x] = value;
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half]);
        }
    }
    __syncthreads();
    const T result = shared[0];
    __syncthreads();
    return result;
}

struct add {
    __device__ double operator()(double a, double b) const {
        return a + b;
    }
};

} // namespace ranges
} // namespace gm
