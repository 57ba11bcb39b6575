/*
 * The exchanges of gm_tempering_run; include/genmath/tempering.h has the formula,
 * host/tempering_args.h the decisions, which are integers, so that the levels are those of the CPU
 * to the bit.
 *
 * Layout: chain r of ladder l is chain l R + r; its energy and sums come from the kernel that swept
 * it, its temperature goes to that kernel. Levels, labels and counts are the user's, with strides.
 *
 * Parallelised: a block a ladder.
 *   begin_ladders  a thread a chain: are the levels a permutation, did every chain start?
 *   swap_ladders   a thread a chain (of a density its draw too), then a thread a word of sums,
 *                  then a thread a pair; the pairs of one parity have no level in common, so that
 *                  no two threads write the same chain.
 *
 * Shared memory: tempering_shared, then a number for each level: 4 R bytes.
 *
 * Numerical choices: one exponential in double for a pair.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/tempering_args.h"
#include "kernels/block.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned THREADS = 128;

struct tempering_shared {
    gm_block_reduce_shared<int> reduce;
};

__device__ inline int32_t &level_of(const gm_tempering_args &a, int64_t ladder, int64_t r) {
    return a.level[ladder * a.level_stride[0] + r * a.level_stride[1]];
}

__device__ inline int32_t &label_of(const gm_tempering_args &a, int64_t ladder, int64_t r) {
    return a.label[ladder * a.label_stride[0] + r * a.label_stride[1]];
}

__device__ inline int64_t &count_of(const gm_tempering_args &a, int64_t ladder, int64_t pair,
                                    int64_t which) {
    return a
        .swaps[ladder * a.swaps_stride[0] + pair * a.swaps_stride[1] + which * a.swaps_stride[2]];
}

__device__ inline int64_t &trips_of(const gm_tempering_args &a, int64_t ladder, int64_t r) {
    return a.trips[ladder * a.trips_stride[0] + r * a.trips_stride[1]];
}

/* Sum `which` at a level: its two words. */
struct sum_words {
    uint64_t *low, *high;
};

__device__ inline sum_words sum_at(const gm_tempering_args &a, int64_t ladder, int64_t level,
                                   int64_t which) {
    uint64_t *low =
        &a.sums[ladder * a.sums_stride[0] + level * a.sums_stride[1] + which * a.sums_stride[2]];
    return {low, low + a.sums_stride[3]};
}

/* ---- the first stretch ----------------------------------------------------------------------- */

/* 1 in every thread if the ladder cannot be run. count: as many numbers as there are levels. */
__device__ inline int is_bad(const gm_tempering_args &a, int64_t ladder, tempering_shared &shared,
                             int *count) {
    for (int64_t r = threadIdx.x; r < a.temperatures; r += blockDim.x) {
        count[r] = 0;
    }
    __syncthreads();
    int bad = 0;
    for (int64_t r = threadIdx.x; r < a.temperatures; r += blockDim.x) {
        const int32_t level = level_of(a, ladder, r), label = label_of(a, ladder, r);
        const bool exists = level >= 0 && level < a.temperatures;
        if (exists) {
            atomicAdd(&count[level], 1);
        }
        bad |= !exists || label < GM_TEMPERING_NOWHERE || label > GM_TEMPERING_LAST ||
               (a.is_density == 0 && a.chain_status[ladder * a.temperatures + r] != GM_STATUS_OK);
    }
    __syncthreads();
    for (int64_t r = threadIdx.x; r < a.temperatures; r += blockDim.x) {
        bad |= count[r] != 1;
    }
    return gm_block_max(bad, shared.reduce);
}

__device__ inline void place(const gm_tempering_args &a, int64_t chain, int64_t level) {
    const double step = a.is_density != 0 ? a.density.level_step[level] : 0.0;
    gm_tempering_place(&a, chain, a.ladder[level], step);
}

__device__ inline void clear_results(const gm_tempering_args &a, int64_t ladder, int64_t r) {
    for (int64_t which = 0; which < a.sums_count && a.sums != nullptr; ++which) {
        const sum_words sum = sum_at(a, ladder, r, which);
        *sum.low = *sum.high = 0;
    }
    for (int64_t k = 0; k < GM_TEMPERING_COUNTS && a.swaps != nullptr && r > 0; ++k) {
        count_of(a, ladder, r - 1, k) = 0;
    }
    if (a.trips != nullptr) {
        trips_of(a, ladder, r) = 0;
    }
}

__global__ void __launch_bounds__(THREADS)
    begin_ladders(const GM_GRID_CONSTANT gm_tempering_args a) {
    GM_SHARED(tempering_shared, shared);
    const int64_t ladder = blockIdx.x;
    const int bad = is_bad(a, ladder, shared, reinterpret_cast<int *>(&shared + 1));
    for (int64_t r = threadIdx.x; r < a.temperatures; r += blockDim.x) {
        const int64_t chain = ladder * a.temperatures + r;
        if (bad != 0) {
            const double none = gm_from_bits_f64(UINT64_C(0x7ff8000000000000));
            gm_tempering_place(&a, chain, none, none);
        } else {
            place(a, chain, level_of(a, ladder, r));
        }
        if (bad != 0 && a.is_density == 0) {
            a.energy[chain * a.energy_stride] = 0;
        }
        gm_tempering_clear(&a, ladder, r);
        clear_results(a, ladder, r);
    }
    if (threadIdx.x == 0) {
        const gm_status status = bad != 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
        a.ladder_status[ladder] = status;
        if (a.status != nullptr) {
            a.status[ladder * a.status_stride] = status;
        }
    }
}

/* ---- an exchange ----------------------------------------------------------------------------- */

/* Adds what each level's chain summed up; at: the chain of a level. */
__device__ inline void add_sums(const gm_tempering_args &a, int64_t ladder, const int32_t *at) {
    for (int64_t i = threadIdx.x; i < a.temperatures * a.sums_count; i += blockDim.x) {
        const int64_t level = i / a.sums_count, which = i % a.sums_count;
        const int64_t chain = ladder * a.temperatures + at[level];
        const uint64_t *from = a.chain_sums + 2 * (chain * a.sums_count + which);
        const sum_words to = sum_at(a, ladder, level, which);
        const uint64_t low = *to.low + from[0];
        *to.low = low;
        *to.high += from[1] + (low < from[0]);
    }
}

/* Levels pair and pair + 1, where chains low and high of the ladder are. */
__device__ inline void exchange(const gm_tempering_args &a, int64_t ladder, int64_t pair,
                                int32_t low, int32_t high) {
    const int64_t first = ladder * a.temperatures;
    const uint64_t threshold = gm_tempering_odds(&a, pair, first + low, first + high);
    const bool accepted = gm_tempering_word(&a, ladder, pair) < threshold;
    if (accepted) {
        level_of(a, ladder, low) = static_cast<int32_t>(pair + 1);
        level_of(a, ladder, high) = static_cast<int32_t>(pair);
        place(a, first + low, pair + 1);
        place(a, first + high, pair);
    }
    if (a.swaps != nullptr) {
        count_of(a, ladder, pair, GM_TEMPERING_TRIED) += 1;
        count_of(a, ladder, pair, GM_TEMPERING_ACCEPTED) += accepted;
        count_of(a, ladder, pair, GM_TEMPERING_PROBABILITY) += static_cast<int64_t>(threshold);
    }
}

__global__ void __launch_bounds__(THREADS)
    swap_ladders(const GM_GRID_CONSTANT gm_tempering_args a) {
    GM_SHARED(tempering_shared, shared);
    int32_t *at = reinterpret_cast<int32_t *>(&shared + 1);
    const int64_t ladder = blockIdx.x;
    if (a.ladder_status[ladder] != GM_STATUS_OK) {
        return;
    }
    for (int64_t r = threadIdx.x; r < a.temperatures; r += blockDim.x) {
        const int32_t level = level_of(a, ladder, r);
        int64_t trips;
        label_of(a, ladder, r) =
            gm_tempering_label(a.temperatures, level, label_of(a, ladder, r), &trips);
        if (a.trips != nullptr) {
            trips_of(a, ladder, r) += trips;
        }
        if (a.is_density != 0) {
            gm_tempering_add(&a, ladder, r, level);
        }
        at[level] = static_cast<int32_t>(r);
    }
    __syncthreads();
    if (a.sums != nullptr) {
        add_sums(a, ladder, at);
    }
    const int64_t step = 2 * static_cast<int64_t>(blockDim.x);
    int64_t pair = gm_tempering_parity(&a, ladder) + 2 * static_cast<int64_t>(threadIdx.x);
    for (; pair + 1 < a.temperatures; pair += step) {
        exchange(a, ladder, pair, at[pair], at[pair + 1]);
    }
}

gm_status check_grid(gm_call *call, const gm_tempering_args *args) {
    call->kernel = "tempering_blocks";
    return args->ladders <= 0x7fffffff
               ? GM_STATUS_OK
               : gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld ladders: too many for one call",
                              static_cast<long long>(args->ladders));
}

size_t shared_bytes(const gm_tempering_args *args) {
    return sizeof(tempering_shared) + static_cast<size_t>(args->temperatures) * sizeof(int32_t);
}

} // namespace

gm_status tempering_begin(gm_call *call, const gm_tempering_args *args) {
    const gm_status status = check_grid(call, args);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(begin_ladders, static_cast<unsigned>(args->ladders), THREADS, shared_bytes(args),
              stream_of(call), *args);
    return check_cuda(call, cudaGetLastError(), "tempering kernel launch");
}

gm_status tempering_swap(gm_call *call, const gm_tempering_args *args) {
    const gm_status status = check_grid(call, args);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(swap_ladders, static_cast<unsigned>(args->ladders), THREADS, shared_bytes(args),
              stream_of(call), *args);
    return check_cuda(call, cudaGetLastError(), "tempering kernel launch");
}

} // namespace gm
