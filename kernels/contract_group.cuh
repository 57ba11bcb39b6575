/*
 * Many products of different sizes in one launch,
 *
 *     d_p[b, m, n] = epilogue(alpha_p sum_k a_p[b, m, k] b_p[b, k, n] + beta_p c_p[b, m, n]).
 *
 * What a launch needs to know lies in the workspace, put there by one copy: kinds (sizes and modes
 * that several problems share), the first unit of each kind, and members, the addresses of each
 * problem. A unit is what a block of 256 threads does at a time:
 *
 *     tile    one tile of policy::ROWS x policy::COLS of one batch of one member, exactly as
 *             contract_tile.cuh computes it
 *     small   m, n, k <= 32: as many batches of members of one kind as fit into shared memory, as
 *             contract_small.cuh computes them
 *
 * Which of the two a kind takes depends on its own sizes alone, and tiles are not cut along k: so a
 * problem has the bits that the kernel of that name gives it alone, whatever is around it.
 *
 * Grid: a block for each unit, GROUP_GRID at most; then block i takes units i, i + GROUP_GRID, ...
 * The kinds with the most work come first, so the last to start are short. The first warp finds the
 * kind of a unit, 32 places of the table at a time: two reads of it for a thousand kinds. Then all
 * bring the kind's sizes and modes to shared memory.
 *
 * Shared: the kind, 2.0 KiB, and the larger of the two: contract_tile.cuh's 22 to 63 KiB, or 24
 * (complex double 48) and 14 for the places of 256 problems. group_small, for groups of small
 * kinds alone, is without the tile.
 *
 * Ladder: (1) a block finds its problem by a walk over all; (2) by a search over kinds, tiny
 * problems of a kind packed into one block. Next: bring the next unit's kind while this one is
 * multiplied. Not yet run on a GPU.
 */
#pragma once

#include "kernels/contract_small.cuh"
#include "kernels/contract_tile.cuh"

namespace gm {
namespace contract {

constexpr unsigned GROUP_GRID = 4096; /* some fifteen blocks for each that runs at once */
constexpr int GROUP_R = 2;            /* of a small problem a thread computes R x R */
static_assert(SMALL_THREADS == TILE_THREADS, "one block does either");

/* What the problems of a kind share. */
struct group_kind {
    int64_t batch, m, n, k;
    int64_t first_mode, first_member;
    int64_t blocks, all; /* of a member: tiles, or batches where small; of all members */
    int32_t batches, ms, ns, ks;
    int32_t small, run; /* run: blocks of a unit */
    int32_t order_a, order_b, order_d;
};

template <class value> struct group_member : way_out<value> {
    const void *a, *b;
    loading load_a, load_b;
};

template <class value> struct group_job {
    const int64_t *first_unit; /* of each kind */
    const group_kind *kinds;
    const gm_mode *modes;
    const group_member<value> *members;
    int64_t count, units; /* kinds; units of all */
};

/* A unit: which blocks of which kind. */
struct group_place {
    int64_t first_member;
    int64_t blocks, first; /* of a member; the unit's first, counted over all members */
    int32_t small, here;   /* blocks of the unit */
};

/* A small problem of a block. */
template <class arith> struct group_item {
    small_source<typename arith::element> from;
    int64_t member;
    places at;
};

template <class arith> struct group_small_shared {
    small_shared<arith> matrices;
    group_item<arith> items[SMALL_PROBLEMS];
};

/* What the two kernels have in common. */
template <class arith> struct group_shared {
    small_job<typename arith::value> kind;
    group_place at;
};

/* The last kind whose first unit is not behind `unit`. Called by a whole warp. */
__device__ __forceinline__ int64_t find_kind(const int64_t *first_unit, int64_t count,
                                             int64_t unit) {
    const int64_t lane = static_cast<int64_t>(threadIdx.x % 32);
    int64_t low = 0;
    while (count > 1) {
        const int64_t step = (count + 31) / 32, at = lane * step;
        const bool reached = at < count && first_unit[low + at] <= unit;
        const int64_t last = __popc(__ballot_sync(GM_FULL_MASK, reached)) - 1;
        low += last * step;
        count = smaller(step, count - last * step);
    }
    return low;
}

/* What a block does next: its kind, but the modes. By one thread. */
template <class arith>
__device__ __forceinline__ void enter_kind(const group_job<typename arith::value> &group,
                                           group_shared<arith> &shared, int64_t index,
                                           int64_t unit) {
    const group_kind &kind = group.kinds[index];
    small_job<typename arith::value> &to = shared.kind;
    to.common.batch = to.common.count = kind.batch;
    to.common.m = kind.m;
    to.common.n = kind.n;
    to.common.k = to.common.piece = kind.k;
    to.common.batches = kind.batches;
    to.common.ms = kind.ms;
    to.common.ns = kind.ns;
    to.common.ks = kind.ks;
    to.common.splits = 1;
    to.common.first_batch = 0;
    to.order_a = kind.order_a;
    to.order_b = kind.order_b;
    to.order_d = kind.order_d;
    shared.at.first_member = kind.first_member;
    shared.at.blocks = kind.blocks;
    shared.at.first = (unit - group.first_unit[index]) * kind.run;
    shared.at.small = kind.small;
    shared.at.here = static_cast<int32_t>(smaller(kind.run, kind.all - shared.at.first));
    if (!kind.small) {
        const int64_t member = quotient(shared.at.first, kind.blocks);
        const group_member<typename arith::value> &from = group.members[kind.first_member + member];
        static_cast<way_out<typename arith::value> &>(to.common) = from;
        to.common.a = from.a;
        to.common.b = from.b;
        to.common.load_a = from.load_a;
        to.common.load_b = from.load_b;
        shared.at.first -= member * kind.blocks;
    }
}

/* Finds the unit. Ends with a barrier. */
template <class arith>
__device__ __forceinline__ void find_unit(const group_job<typename arith::value> &group,
                                          group_shared<arith> &shared, int64_t unit) {
    if (threadIdx.x < 32) {
        const int64_t index = find_kind(group.first_unit, group.count, unit);
        const group_kind &kind = group.kinds[index];
        const int modes = kind.batches + kind.ms + kind.ns + kind.ks;
        for (int i = static_cast<int>(threadIdx.x); i < modes; i += 32) {
            shared.kind.common.modes[i] = group.modes[kind.first_mode + i];
        }
        if (threadIdx.x == 0) {
            enter_kind<arith>(group, shared, index, unit);
        }
    }
    __syncthreads();
}

/* Where the small problems of the unit are. Ends with a barrier. */
template <class arith>
__device__ __forceinline__ void find_items(const group_job<typename arith::value> &group,
                                           const group_shared<arith> &shared,
                                           group_small_shared<arith> &small) {
    typedef typename arith::element element;
    const job<typename arith::value> &job = shared.kind.common;
    for (int i = static_cast<int>(threadIdx.x); i < shared.at.here; i += SMALL_THREADS) {
        const int64_t block = shared.at.first + i;
        const int64_t member = quotient(block, shared.at.blocks);
        const int64_t batch = block - member * shared.at.blocks;
        const sources from = walk<sources>(job.batch_modes(), job.batches, batch);
        group_item<arith> &item = small.items[i];
        item.member = shared.at.first_member + member;
        item.from.a = static_cast<const element *>(group.members[item.member].a) + from.a;
        item.from.b = static_cast<const element *>(group.members[item.member].b) + from.b;
        item.at = walk<places>(job.batch_modes(), job.batches, batch);
    }
    __syncthreads();
}

template <class arith>
__device__ __forceinline__ void do_small(const group_job<typename arith::value> &group,
                                         const group_shared<arith> &shared,
                                         group_small_shared<arith> &small) {
    const job<typename arith::value> &job = shared.kind.common;
    const int m = static_cast<int>(job.m), n = static_cast<int>(job.n), k = static_cast<int>(job.k);
    const int problems = shared.at.here;
    find_items(group, shared, small);
    small_fill<arith>(shared.kind, small.matrices, problems, m, n, k,
                      [&](int problem) { return small.items[problem].from; });
    small_multiply_all<arith, GROUP_R>(small.matrices, problems, m, n, k);
    small_store<arith>(shared.kind, small.matrices, problems, m, n,
                       [&](int problem, const typename arith::value &sum, const places &place) {
                           const group_item<arith> &item = small.items[problem];
                           finish(group.members[item.member], sum, item.at + place);
                       });
}

template <class arith> struct group_small_block {
    group_shared<arith> common;
    group_small_shared<arith> small;
};

template <class arith>
__global__ void __launch_bounds__(SMALL_THREADS, 2)
    group_small(const __grid_constant__ group_job<typename arith::value> group) {
    typedef group_small_block<arith> shared_struct;
    GM_SHARED(shared_struct, shared);
    for (int64_t unit = blockIdx.x; unit < group.units; unit += gridDim.x) {
        find_unit<arith>(group, shared.common, unit);
        do_small<arith>(group, shared.common, shared.small);
    }
}

template <class policy, bool AK, bool BK> struct group_block {
    group_shared<typename policy::arith> common;
    union {
        tile_shared<policy, AK, BK> tile;
        group_small_shared<typename policy::arith> small;
    };
};

template <class policy, bool AK, bool BK>
__global__ void __launch_bounds__(TILE_THREADS, policy::BLOCKS)
    group_tiles(const __grid_constant__ group_job<typename policy::arith::value> group) {
    typedef group_block<policy, AK, BK> shared_struct;
    typedef typename policy::arith arith;
    GM_SHARED(shared_struct, shared);
    const job<typename arith::value> &job = shared.common.kind.common;
    for (int64_t unit = blockIdx.x; unit < group.units; unit += gridDim.x) {
        find_unit<arith>(group, shared.common, unit);
        if (shared.common.at.small) {
            do_small<arith>(group, shared.common, shared.small);
        } else {
            typename policy::sums sums;
            policy::clear(sums);
            find_tile<policy>(job, shared.tile, shared.common.at.first);
            add_products<policy>(job, shared.tile, sums);
            store_tile<policy>(job, shared.tile, sums);
        }
    }
}

} // namespace contract
} // namespace gm
