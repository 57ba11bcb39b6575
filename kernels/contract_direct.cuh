/*
 * Contractions that are no matrix product worth a tile: reductions and permutations of one operand,
 * outer products, a matrix and a vector, few outputs of long sums; and the second stage of those
 * that cut k into pieces.
 *
 *   direct     a thread for an output element (and piece of k), neighbouring threads along the mode
 *              that is innermost in d; k ascending, one fused operation each
 *   reduce     a warp for an output element (and piece of k), lanes along k; the lanes' sums are
 *              added by shuffles in a fixed order
 *   transpose  one operand, no sum, another mode innermost in d than in a: 32 x 32 elements through
 *              shared memory, read along one mode and written along the other (8.25 KiB at 8 bytes;
 *              a pad of one element keeps columns off one bank)
 *   combine    a thread for an output element adds the pieces in their order
 *
 * Grid: blocks of 256 threads, as many as cover the work; at the grid's limit they go over the rest
 * in a loop. An element does not depend on who computes it.
 *
 * `direct`, `reduce` and `transpose` do not care which modes are batch, m or n: theirs are sorted
 * by their stride in d, all as m.
 */
#pragma once

#include "kernels/contract_job.cuh"

namespace gm {
namespace contract {

constexpr int DIRECT_THREADS = 256;
constexpr int REDUCE_WARPS = DIRECT_THREADS / 32;
constexpr int TRANSPOSE_TILE = 32;
constexpr int TRANSPOSE_LINES = DIRECT_THREADS / TRANSPOSE_TILE;

/* Which piece of which output element a thread or a warp computes. */
struct piece_place {
    int64_t element, split, k, end;
};

template <class value>
__device__ __forceinline__ piece_place piece_of(const job<value> &job, int64_t index) {
    piece_place at;
    at.split = job.splits == 1 ? 0 : quotient(index, job.m);
    at.element = index - at.split * job.m;
    at.k = at.split * job.piece;
    at.end = at.k + job.piece < job.k ? at.k + job.piece : job.k;
    return at;
}

template <class arith>
__device__ __forceinline__ void leave_piece(const job<typename arith::value> &job,
                                            const piece_place &at, typename arith::sum sum) {
    if (job.splits > 1) {
        static_cast<typename arith::sum *>(job.partials)[at.split * job.m + at.element] = sum;
    } else {
        finish(job, arith::total(sum), walk<places>(job.m_modes(), job.ms, at.element));
    }
}

template <class arith, bool two>
__device__ __forceinline__ void add_term(typename arith::sum &sum, const void *a, const void *b,
                                         const sources &at) {
    typedef typename arith::element element;
    const typename arith::scalar x = arith::load(static_cast<const element *>(a)[at.a]);
    arith::multiply_add(sum, x,
                        two ? arith::load(static_cast<const element *>(b)[at.b]) : arith::one());
}

/* The sum over k, k + stride ... below end, for the operands' rows at `row`. */
template <class arith, bool two>
__device__ __forceinline__ typename arith::sum sum_over(const job<typename arith::value> &job,
                                                        const sources &row, int64_t k, int64_t end,
                                                        int stride) {
    typename arith::sum sum = arith::zero();
    if (job.ks <= 1) {
        sources at = row + walk<sources>(job.k_modes(), job.ks, k);
        const int64_t step_a = job.ks == 0 ? 0 : stride * job.k_modes()[0].a;
        const int64_t step_b = job.ks == 0 ? 0 : stride * job.k_modes()[0].b;
#pragma unroll 4
        for (; k < end; k += stride) {
            add_term<arith, two>(sum, job.a, job.b, at);
            at.a += step_a;
            at.b += step_b;
        }
    } else {
        for (; k < end; k += stride) {
            add_term<arith, two>(sum, job.a, job.b, row + walk<sources>(job.k_modes(), job.ks, k));
        }
    }
    return sum;
}

template <class arith, bool two>
__global__ void __launch_bounds__(DIRECT_THREADS, 2)
    direct(const __grid_constant__ job<typename arith::value> job) {
    const int64_t work = job.m * job.splits;
    const int64_t all = static_cast<int64_t>(gridDim.x) * DIRECT_THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * DIRECT_THREADS + threadIdx.x; i < work;
         i += all) {
        const piece_place at = piece_of(job, i);
        const sources row = walk<sources>(job.m_modes(), job.ms, at.element);
        leave_piece<arith>(job, at, sum_over<arith, two>(job, row, at.k, at.end, 1));
    }
}

/* Warps, not threads, leave the loop: the shuffles need all lanes. */
template <class arith, bool two>
__global__ void __launch_bounds__(DIRECT_THREADS, 2)
    reduce(const __grid_constant__ job<typename arith::value> job) {
    const int64_t work = job.m * job.splits;
    const int64_t all = static_cast<int64_t>(gridDim.x) * REDUCE_WARPS;
    const int lane = static_cast<int>(threadIdx.x % 32);
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * REDUCE_WARPS + threadIdx.x / 32; i < work;
         i += all) {
        const piece_place at = piece_of(job, i);
        const sources row = walk<sources>(job.m_modes(), job.ms, at.element);
        const typename arith::sum sum =
            warp_total<arith>(sum_over<arith, two>(job, row, at.k + lane, at.end, 32));
        if (lane == 0) {
            leave_piece<arith>(job, at, sum);
        }
    }
}

/* The pieces of `count` batches, [split][batch][m][n]. */
template <class arith>
__global__ void __launch_bounds__(DIRECT_THREADS, 2)
    combine(const __grid_constant__ job<typename arith::value> job) {
    const int64_t work = job.count * job.m * job.n;
    const int64_t all = static_cast<int64_t>(gridDim.x) * DIRECT_THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * DIRECT_THREADS + threadIdx.x; i < work;
         i += all) {
        const typename arith::sum *piece =
            static_cast<const typename arith::sum *>(job.partials) + i;
        typename arith::sum sum = piece[0];
        for (int64_t split = 1; split < job.splits; ++split) {
            arith::merge(sum, piece[split * work]);
        }
        const int64_t line = quotient(i, job.n), batch = quotient(line, job.m);
        finish(job, arith::total(sum),
               walk<places>(job.batch_modes(), job.batches, job.first_batch + batch) +
                   walk<places>(job.m_modes(), job.ms, line - batch * job.m) +
                   walk<places>(job.n_modes(), job.ns, i - line * job.n));
    }
}

template <class arith> struct transpose_shared {
    alignas(16) typename arith::element tile[TRANSPOSE_TILE][TRANSPOSE_TILE + 1];
};

/* Modes: m the one innermost in a, n the one innermost in d, each alone; all others are batch. */
template <class arith>
__global__ void __launch_bounds__(DIRECT_THREADS, 2)
    transpose(const __grid_constant__ job<typename arith::value> job) {
    typedef transpose_shared<arith> shared_struct;
    typedef typename arith::element element;
    GM_SHARED(shared_struct, shared);
    const int fast = static_cast<int>(threadIdx.x) % TRANSPOSE_TILE;
    const int slow = static_cast<int>(threadIdx.x) / TRANSPOSE_TILE;
    const gm_mode &from = *job.m_modes(), &to = *job.n_modes();
    const int64_t down = (job.m + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    const int64_t across = (job.n + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    const int64_t tiles = job.batch * down * across;
    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        const int64_t line = quotient(index, across), batch = quotient(line, down);
        const int64_t m = (line - batch * down) * TRANSPOSE_TILE;
        const int64_t n = (index - line * across) * TRANSPOSE_TILE;
        const element *source = static_cast<const element *>(job.a) +
                                walk<sources>(job.batch_modes(), job.batches, batch).a;
        for (int i = slow; i < TRANSPOSE_TILE; i += TRANSPOSE_LINES) {
            if (n + i < job.n && m + fast < job.m) {
                shared.tile[i][fast] = source[(n + i) * to.a + (m + fast) * from.a];
            }
        }
        __syncthreads();
        const places origin = walk<places>(job.batch_modes(), job.batches, batch);
        for (int i = slow; i < TRANSPOSE_TILE; i += TRANSPOSE_LINES) {
            if (m + i < job.m && n + fast < job.n) {
                places at = origin;
                at.step(from, m + i);
                at.step(to, n + fast);
                typename arith::sum sum = arith::zero();
                arith::multiply_add(sum, arith::load(shared.tile[fast][i]), arith::one());
                finish(job, arith::total(sum), at);
            }
        }
        __syncthreads(); /* the tile may be overwritten */
    }
}

} // namespace contract
} // namespace gm
