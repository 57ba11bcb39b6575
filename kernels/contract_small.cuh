/*
 * Many products of small matrices: m, n, k <= 32, any batch. A block takes as many problems as fit
 * into its shared memory (at most 256) and brings their operands there, neighbouring threads along
 * whatever is innermost in memory: k, rows or, for interleaved problems, the problem itself. A
 * thread then computes R x R elements of one problem, rows and columns as far apart as there are
 * threads for them, so that a warp reads neighbouring columns; k ascending, one fused operation
 * each. The sums leave through shared memory, neighbouring threads along what is innermost in d.
 *
 * With SIZE > 0 all three extents are SIZE and known to the compiler; with 0 they are arguments.
 *
 * Shared: 8 KiB each for a, b and the sums, or 1024 elements where those take more: 24 KiB, complex
 * double 48. Ladder: (1) a thread for an element from global memory reads each operand 32
 * times; (2) through shared memory, R = 1: two loads a multiplication; (3) this one: R = 4 at 16
 * and 32 takes half a load. Not yet run on a GPU.
 */
#pragma once

#include "kernels/contract_job.cuh"

namespace gm {
namespace contract {

constexpr int SMALL_THREADS = 256;
constexpr int SMALL_EXTENT = 32;
constexpr int SMALL_PROBLEMS = 256; /* at most, of a block: enough for the smallest */

template <class arith> struct small_shared {
    typedef typename arith::scalar scalar;
    static constexpr int BYTES = 8 * 1024;
    static constexpr int MATRIX = SMALL_EXTENT * SMALL_EXTENT;
    static constexpr int CAPACITY = BYTES / static_cast<int>(sizeof(scalar)) > MATRIX
                                        ? BYTES / static_cast<int>(sizeof(scalar))
                                        : MATRIX;
    alignas(16) scalar a[CAPACITY], b[CAPACITY];
    alignas(16) typename arith::value d[CAPACITY];
};

/* What neighbouring threads are along: the problem, the row or the column; the fastest first. */
enum small_order { SMALL_PRC, SMALL_PCR, SMALL_RPC, SMALL_RCP, SMALL_CPR, SMALL_CRP };

/* The common arguments, and what is innermost where. */
template <class value> struct small_job {
    job<value> common;
    int32_t problems; /* of a block */
    int32_t order_a, order_b, order_d;
};

struct small_place {
    int problem, row, column;
};

/* Number `i` of problems x rows x columns places in an order. */
__device__ __forceinline__ small_place small_at(int order, int i, int problems, int rows,
                                                int columns) {
    const bool p_first = order == SMALL_PRC || order == SMALL_PCR;
    const bool r_first = order == SMALL_RPC || order == SMALL_RCP;
    const bool p_second = order == SMALL_RPC || order == SMALL_CPR;
    const bool r_second = order == SMALL_PRC || order == SMALL_CRP;
    const unsigned n0 = static_cast<unsigned>(p_first ? problems : r_first ? rows : columns);
    const unsigned n1 = static_cast<unsigned>(p_second ? problems : r_second ? rows : columns);
    const unsigned rest = static_cast<unsigned>(i) / n0;
    const int first = static_cast<int>(static_cast<unsigned>(i) - rest * n0);
    const int third = static_cast<int>(rest / n1);
    const int second = static_cast<int>(rest - static_cast<unsigned>(third) * n1);
    const bool c_first = !p_first && !r_first, c_second = !p_second && !r_second;
    return {p_first    ? first
            : p_second ? second
                       : third,
            r_first    ? first
            : r_second ? second
                       : third,
            c_first    ? first
            : c_second ? second
                       : third};
}

/* The problem innermost last, rows of a problem as they are in C: what a size known to the compiler
 * makes shifts of. */
__device__ __forceinline__ small_place small_plain(int i, int rows, int columns) {
    const unsigned line = static_cast<unsigned>(i) / static_cast<unsigned>(columns);
    const unsigned problem = line / static_cast<unsigned>(rows);
    return {static_cast<int>(problem), static_cast<int>(line) - static_cast<int>(problem) * rows,
            i - static_cast<int>(line) * columns};
}

__device__ __forceinline__ small_place small_in(int order, int i, int problems, int rows,
                                                int columns) {
    return order == SMALL_CRP ? small_plain(i, rows, columns)
                              : small_at(order, i, problems, rows, columns);
}

/* Where a problem's operands begin. */
template <class element> struct small_source { const element *a, *b; };

/* Brings the operands of `problems` problems, the p-th from source(p). Ends with a barrier. */
template <class arith, class F>
__device__ __forceinline__ void small_fill(const small_job<typename arith::value> &small,
                                           small_shared<arith> &shared, int problems, int m, int n,
                                           int k, F source) {
    const job<typename arith::value> &job = small.common;
    const int tid = static_cast<int>(threadIdx.x);
    for (int i = tid; i < problems * m * k; i += SMALL_THREADS) {
        const small_place at = small_in(small.order_a, i, problems, m, k);
        const sources from = walk<sources>(job.m_modes(), job.ms, at.row) +
                             walk<sources>(job.k_modes(), job.ks, at.column);
        shared.a[(at.problem * m + at.row) * k + at.column] =
            arith::load(source(at.problem).a[from.a]);
    }
    for (int i = tid; i < problems * k * n; i += SMALL_THREADS) {
        const small_place at = small_in(small.order_b, i, problems, k, n);
        const sources from = walk<sources>(job.k_modes(), job.ks, at.row) +
                             walk<sources>(job.n_modes(), job.ns, at.column);
        shared.b[(at.problem * k + at.row) * n + at.column] =
            arith::load(source(at.problem).b[from.b]);
    }
    __syncthreads();
}

/* R x R sums of a problem: rows at.row + i * down, columns at.column + j * across. */
template <class arith, int R>
__device__ __forceinline__ void small_multiply(small_shared<arith> &shared, const small_place &at,
                                               int m, int n, int k, int down, int across) {
    typedef typename arith::scalar scalar;
    typename arith::sum sum[R][R];
    int row[R], column[R]; /* beyond the last the first again: computed, not stored */
    GM_UNROLL for (int i = 0; i < R; ++i) {
        row[i] = at.row + i * down < m ? at.row + i * down : at.row;
        column[i] = at.column + i * across < n ? at.column + i * across : at.column;
        GM_UNROLL for (int j = 0; j < R; ++j) {
            sum[i][j] = arith::zero();
        }
    }
    const scalar *a = shared.a + at.problem * m * k, *b = shared.b + at.problem * k * n;
#pragma unroll 4
    for (int c = 0; c < k; ++c) {
        GM_UNROLL for (int i = 0; i < R; ++i) {
            GM_UNROLL for (int j = 0; j < R; ++j) {
                arith::multiply_add(sum[i][j], a[row[i] * k + c], b[c * n + column[j]]);
            }
        }
    }
    GM_UNROLL for (int i = 0; i < R; ++i) {
        GM_UNROLL for (int j = 0; j < R; ++j) {
            if (at.row + i * down < m && at.column + j * across < n) {
                shared.d[(at.problem * m + row[i]) * n + column[j]] = arith::total(sum[i][j]);
            }
        }
    }
}

/* All sums of the problems: R x R of one a thread at a time. Ends with a barrier. */
template <class arith, int R>
__device__ __forceinline__ void small_multiply_all(small_shared<arith> &shared, int problems, int m,
                                                   int n, int k) {
    const int down = (m + R - 1) / R, across = (n + R - 1) / R;
    for (int i = static_cast<int>(threadIdx.x); i < problems * down * across; i += SMALL_THREADS) {
        small_multiply<arith, R>(shared, small_plain(i, down, across), m, n, k, down, across);
    }
    __syncthreads();
}

/* Sums to d: leave(problem, sum, the place of row and column) for each. Ends with a barrier: the
 * operands and the sums may be overwritten. */
template <class arith, class F>
__device__ __forceinline__ void small_store(const small_job<typename arith::value> &small,
                                            const small_shared<arith> &shared, int problems, int m,
                                            int n, F leave) {
    const job<typename arith::value> &job = small.common;
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < problems * m * n; i += SMALL_THREADS) {
        const small_place at = small_in(small.order_d, i, problems, m, n);
        leave(at.problem, shared.d[(at.problem * m + at.row) * n + at.column],
              walk<places>(job.m_modes(), job.ms, at.row) +
                  walk<places>(job.n_modes(), job.ns, at.column));
    }
    __syncthreads();
}

template <class arith, int SIZE, int R>
__global__ void __launch_bounds__(SMALL_THREADS, 2)
    small_batch(const __grid_constant__ small_job<typename arith::value> small) {
    typedef small_shared<arith> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int m = SIZE > 0 ? SIZE : static_cast<int>(small.common.m);
    const int n = SIZE > 0 ? SIZE : static_cast<int>(small.common.n);
    const int k = SIZE > 0 ? SIZE : static_cast<int>(small.common.k);
    typedef typename arith::element element;
    const job<typename arith::value> &job = small.common;
    const int64_t stride = static_cast<int64_t>(gridDim.x) * small.problems;
    for (int64_t first = static_cast<int64_t>(blockIdx.x) * small.problems; first < job.batch;
         first += stride) {
        const int64_t left = job.batch - first;
        const int problems = left < small.problems ? static_cast<int>(left) : small.problems;
        small_fill<arith>(small, shared, problems, m, n, k, [&](int problem) {
            const sources at = walk<sources>(job.batch_modes(), job.batches, first + problem);
            return small_source<element>{static_cast<const element *>(job.a) + at.a,
                                         static_cast<const element *>(job.b) + at.b};
        });
        small_multiply_all<arith, R>(shared, problems, m, n, k);
        small_store<arith>(
            small, shared, problems, m, n,
            [&](int problem, const typename arith::value &sum, const places &place) {
                finish(job, sum,
                       walk<places>(job.batch_modes(), job.batches, first + problem) + place);
            });
    }
}

} // namespace contract
} // namespace gm
