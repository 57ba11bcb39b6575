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
#include "kernels/radix_sort.cuh"

#include "kernels/warp.cuh"

namespace gm {
namespace radix {
namespace {

constexpr int THREADS = DIGITS, WARPS = THREADS / 32, PASSES = 8;
constexpr int ROUNDS = TILE / THREADS; /* keys of a lane */
constexpr int OF_WARP = 32 * ROUNDS;   /* of a warp, side by side */
static_assert(PASSES % 2 == 0, "the last pass ends where the first began");

template <class T> __device__ __forceinline__ T *moved(T *array, size_t bytes) {
    return reinterpret_cast<T *>(reinterpret_cast<char *>(array) + bytes);
}

/* Those of blockIdx.y. */
__device__ __forceinline__ arrays own_arrays(const arrays &first, size_t bytes) {
    const size_t away = blockIdx.y * bytes;
    return {{moved(first.keys[0], away), moved(first.keys[1], away)},
            {moved(first.from[0], away), moved(first.from[1], away)},
            moved(first.counts, away),
            moved(first.tops, away)};
}

__device__ __forceinline__ uint32_t digit_of(uint64_t key, int pass) {
    return static_cast<uint32_t>(key >> (8 * pass)) & (DIGITS - 1);
}

struct count_shared {
    unsigned bins[DIGITS];
};

__global__ void __launch_bounds__(THREADS)
    count_digits(const GM_GRID_CONSTANT arrays first, size_t bytes, int64_t count, int32_t pass) {
    GM_SHARED(count_shared, shared);
    const arrays a = own_arrays(first, bytes);
    const int64_t tile = blockIdx.x;
    shared.bins[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = tile * TILE + threadIdx.x; i < (tile + 1) * TILE && i < count; i += THREADS) {
        atomicAdd(&shared.bins[digit_of(a.keys[pass % 2][i], pass)], 1u);
    }
    __syncthreads();
    a.counts[tile * DIGITS + threadIdx.x] = shared.bins[threadIdx.x];
}

__global__ void __launch_bounds__(THREADS)
    sum_tiles(const GM_GRID_CONSTANT arrays first, size_t bytes, int64_t count) {
    const arrays a = own_arrays(first, bytes);
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

__global__ void __launch_bounds__(THREADS)
    sum_tops(const GM_GRID_CONSTANT arrays first, size_t bytes, int64_t count) {
    GM_SHARED(tops_shared, shared);
    const arrays a = own_arrays(first, bytes);
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
__device__ void rank_keys(const uint64_t *keys, int64_t first, int64_t count, int pass,
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

__global__ void __launch_bounds__(THREADS)
    scatter_keys(const GM_GRID_CONSTANT arrays first, size_t bytes, int64_t count, int32_t pass) {
    GM_SHARED(scatter_shared, shared);
    const arrays a = own_arrays(first, bytes);
    const int64_t tile = blockIdx.x, own = tile * TILE + gm_warp() * OF_WARP;
    const uint64_t *const keys = a.keys[pass % 2];
    for (int w = 0; w < WARPS; ++w) {
        shared.starts[w][threadIdx.x] = 0;
    }
    __syncthreads();
    uint32_t rank[ROUNDS];
    rank_keys(keys, own, count, pass, shared.starts[gm_warp()], rank);
    __syncthreads();
    uint32_t start =
        a.counts[tile * DIGITS + threadIdx.x] + a.tops[tile / GROUP * DIGITS + threadIdx.x];
    for (int w = 0; w < WARPS; ++w) {
        const uint32_t counted = shared.starts[w][threadIdx.x];
        shared.starts[w][threadIdx.x] = start;
        start += counted;
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
        const int64_t i = own + 32 * r + gm_lane();
        if (i < count) {
            const uint64_t key = keys[i];
            const uint32_t to = shared.starts[gm_warp()][digit_of(key, pass)] + rank[r];
            a.keys[1 - pass % 2][to] = key;
            a.from[1 - pass % 2][to] = a.from[pass % 2][i];
        }
    }
}

} // namespace

void sort(const arrays &first, size_t bytes, int64_t count, unsigned many, cudaStream_t stream) {
    const dim3 tiles(static_cast<unsigned>(tiles_of(count)), many);
    const dim3 groups(static_cast<unsigned>(groups_of(count)), many), each(1, many);
    for (int32_t pass = 0; pass < PASSES; ++pass) {
        GM_LAUNCH(count_digits, tiles, THREADS, sizeof(count_shared), stream, first, bytes, count,
                  pass);
        GM_LAUNCH(sum_tiles, groups, THREADS, 0, stream, first, bytes, count);
        GM_LAUNCH(sum_tops, each, THREADS, sizeof(tops_shared), stream, first, bytes, count);
        GM_LAUNCH(scatter_keys, tiles, THREADS, sizeof(scatter_shared), stream, first, bytes, count,
                  pass);
    }
}

} // namespace radix
} // namespace gm
