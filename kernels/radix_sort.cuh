/*
 * Sorting of doubles with where they came from, many arrays at once: stable, by the eight bytes of
 * a 64-bit key from the lowest on.
 *
 * A pass, for each array (blockIdx.y):
 *   count     a block counts the digits of its tile of 4096 keys, in shared memory.
 *   tiles     a thread for each digit: where the digit begins in each of up to 32 tiles, from the
 *             first of them; and their sum.
 *   tops      a thread for each digit: where it begins in each group of 32 tiles.
 *   scatter   a block moves its tile: a warp ranks 512 keys, 32 at a time, those of one digit among
 *             themselves by a match of the warp, so that equal digits keep their order.
 * Nothing waits for another block: the counts of a pass are complete before the next kernel.
 * Shared memory: 1 KiB (count), 8 KiB (scatter).
 */
#pragma once

#include "kernels/launch.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace radix {

constexpr int THREADS = 256, WARPS = THREADS / 32, DIGITS = 256, PASSES = 8;
constexpr int ROUNDS = 16;           /* keys of a lane */
constexpr int OF_WARP = 32 * ROUNDS; /* of a warp, side by side */
constexpr int TILE = WARPS * OF_WARP;
constexpr int GROUP = 32; /* tiles whose counts one thread sums */
static_assert(DIGITS == THREADS, "a thread for each digit");
static_assert(PASSES % 2 == 0, "the last pass ends where the first began");

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

__device__ __forceinline__ uint32_t digit_of(uint64_t key, int pass) {
    return static_cast<uint32_t>(key >> (8 * pass)) & (DIGITS - 1);
}

struct count_shared {
    unsigned bins[DIGITS];
};

__device__ inline void count_digits(const arrays &a, int64_t count, int pass,
                                    count_shared &shared) {
    const int64_t tile = blockIdx.x;
    shared.bins[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = tile * TILE + threadIdx.x; i < (tile + 1) * TILE && i < count; i += THREADS) {
        atomicAdd(&shared.bins[digit_of(a.keys[pass % 2][i], pass)], 1u);
    }
    __syncthreads();
    a.counts[tile * DIGITS + threadIdx.x] = shared.bins[threadIdx.x];
}

__device__ inline void sum_tiles(const arrays &a, int64_t count) {
    const int64_t group = blockIdx.x, tiles = tiles_of(count);
    uint32_t sum = 0;
    for (int64_t tile = group * GROUP; tile < (group + 1) * GROUP && tile < tiles; ++tile) {
        uint32_t *const at = a.counts + tile * DIGITS + threadIdx.x;
        const uint32_t own = *at;
        *at = sum;
        sum += own;
    }
    a.tops[group * DIGITS + threadIdx.x] = sum;
}

struct tops_shared {
    uint32_t warps[WARPS];
};

__device__ inline void sum_tops(const arrays &a, int64_t count, tops_shared &shared) {
    const int64_t groups = groups_of(count);
    uint32_t sum = 0;
    for (int64_t group = 0; group < groups; ++group) {
        sum += a.tops[group * DIGITS + threadIdx.x];
    }
    const uint32_t with_own = gm_warp_prefix_sum(sum);
    if (gm_lane() == 31) {
        shared.warps[gm_warp()] = with_own;
    }
    __syncthreads();
    uint32_t start = with_own - sum;
    for (unsigned w = 0; w < gm_warp(); ++w) {
        start += shared.warps[w];
    }
    for (int64_t group = 0; group < groups; ++group) {
        uint32_t *const at = a.tops + group * DIGITS + threadIdx.x;
        const uint32_t own = *at;
        *at = start;
        start += own;
    }
}

struct scatter_shared {
    uint32_t starts[WARPS][DIGITS]; /* counts at first */
};

/* Ranks of a warp's keys among those of the same digit before them in the warp. */
__device__ inline void rank_keys(const uint64_t *keys, int64_t first, int64_t count, int pass,
                                 uint32_t *counts, uint32_t *rank) {
    const unsigned below = (1u << gm_lane()) - 1;
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
        if (first + 32 * r >= count) {
            continue; /* the whole warp */
        }
        const int64_t i = first + 32 * r + gm_lane();
        const uint32_t digit = i < count ? digit_of(keys[i], pass) : DIGITS;
        const unsigned same = __match_any_sync(GM_FULL_MASK, digit);
        const uint32_t before = static_cast<uint32_t>(__popc(same & below));
        rank[r] = digit < DIGITS ? counts[digit] + before : 0;
        __syncwarp();
        if (digit < DIGITS && before == 0) {
            counts[digit] += static_cast<uint32_t>(__popc(same));
        }
        __syncwarp();
    }
}

__device__ inline void scatter_keys(const arrays &a, int64_t count, int pass,
                                    scatter_shared &shared) {
    const int64_t tile = blockIdx.x, first = tile * TILE + gm_warp() * OF_WARP;
    const uint64_t *const keys = a.keys[pass % 2];
    for (int w = 0; w < WARPS; ++w) {
        shared.starts[w][threadIdx.x] = 0;
    }
    __syncthreads();
    uint32_t rank[ROUNDS];
    rank_keys(keys, first, count, pass, shared.starts[gm_warp()], rank);
    __syncthreads();
    uint32_t start =
        a.counts[tile * DIGITS + threadIdx.x] + a.tops[tile / GROUP * DIGITS + threadIdx.x];
    for (int w = 0; w < WARPS; ++w) {
        const uint32_t own = shared.starts[w][threadIdx.x];
        shared.starts[w][threadIdx.x] = start;
        start += own;
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
        const int64_t i = first + 32 * r + gm_lane();
        if (i < count) {
            const uint64_t key = keys[i];
            const uint32_t to = shared.starts[gm_warp()][digit_of(key, pass)] + rank[r];
            a.keys[1 - pass % 2][to] = key;
            a.from[1 - pass % 2][to] = a.from[pass % 2][i];
        }
    }
}

} // namespace radix
} // namespace gm
