/*
 * Sorting of doubles with where they came from, many arrays at once: radix_sort.cu. What a caller
 * needs: where an array and the scratch of its sort are, and keys in the order of the numbers.
 */
#pragma once

#include <stdint.h>

#include "kernels/launch.cuh"

namespace gm {
namespace radix {

constexpr int DIGITS = 256; /* of a byte */
constexpr int TILE = 4096;  /* keys of a block */
constexpr int GROUP = 32;   /* tiles whose counts one thread sums */

/* One array, and the scratch of its sort. */
struct arrays {
    uint64_t *keys[2];
    uint32_t *from[2];
    uint32_t *counts; /* of (tile, digit) */
    uint32_t *tops;   /* of (group of tiles, digit) */
};

__host__ __device__ inline int64_t tiles_of(int64_t count) {
    return (count + TILE - 1) / TILE;
}
__host__ __device__ inline int64_t groups_of(int64_t count) {
    return (tiles_of(count) + GROUP - 1) / GROUP;
}

/* A key in the order of the numbers; -0 and 0 have one. */
__device__ __forceinline__ uint64_t key_of(double x) {
    const uint64_t bits = static_cast<uint64_t>(__double_as_longlong(x == 0 ? 0 : x));
    return (bits >> 63) != 0 ? ~bits : bits | 0x8000000000000000u;
}

__device__ __forceinline__ double value_of(uint64_t key) {
    const uint64_t bits = (key >> 63) != 0 ? key & 0x7fffffffffffffffu : ~key;
    return __longlong_as_double(static_cast<long long>(bits));
}

/* Sorts the first `count` keys of each of `many` arrays, at most 65535, with their places; those of
 * an array lie `bytes` behind those of the one before. They end where they began. */
void sort(const arrays &first, size_t bytes, int64_t count, unsigned many, cudaStream_t stream);

} // namespace radix
} // namespace gm
