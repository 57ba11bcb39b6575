/*
 * d[b, m, n] = epilogue(alpha sum_k a[b, m, k] b[b, k, n] + beta c[b, m, n]) by tiles: what the
 * tensor-core and the plain kernels have in common. A policy says how a stage is multiplied.
 *
 * Grid: a block of 256 threads for each tile of policy::ROWS x policy::COLS of each batch and each
 * piece of k, eight rows of tiles side by side so that neighbouring blocks share their operands in
 * the second-level cache. A grid that is too small, or at its limit, goes over the rest in a loop;
 * what a tile gives does not depend on who computes it.
 *
 * No operand is rearranged in memory (GETT): a block finds the offsets of its rows and columns once
 * by dividing their number by the extents of the modes, those of the next DEPTH values of k while
 * the stage before is multiplied, and an element is at the sum of two offsets. Where modes of
 * stride 1 and addresses allow it 16 bytes are copied at a time, else single elements, with
 * neighbouring threads along the direction of the smaller stride. Elements of 4 bytes and more go
 * to shared memory asynchronously, STAGES - 1 stages ahead; single elements of 2 bytes or 1 go
 * through registers.
 *
 * The sums leave through shared memory, CHUNK rows at a time: stores are then coalesced along n and
 * the code of the epilogue is there once, not once for each of a thread's sums.
 */
#pragma once

#include <type_traits>

#include "kernels/contract_job.cuh"

namespace gm {
namespace contract {

constexpr int TILE_THREADS = 256;
constexpr int TILE_RASTER = 8; /* rows of tiles side by side */

/*
 * A stage of one operand: rows by DEPTH values of k, k innermost or rows innermost. Rows are longer
 * by a pad that spreads the accesses of a warp over all banks, and keeps 16-byte alignment.
 */
template <class stage_element, int rows, int depth, bool k_inner, int pad> struct panel {
    typedef stage_element stored;
    static constexpr int ROWS = rows, DEPTH = depth;
    static constexpr bool K_INNER = k_inner;
    static constexpr int PITCH = (k_inner ? depth : rows) + pad;
    static constexpr int SIZE = (k_inner ? rows : depth) * PITCH;
    static_assert(PITCH * sizeof(stored) % 16 == 0, "vectors of 16 bytes");

    static __device__ __forceinline__ int at(int row, int k) {
        return k_inner ? row * PITCH + k : k * PITCH + row;
    }
};

/* What a block computes at a time. */
struct tile_place {
    int64_t row, column, batch, split; /* the first row and column */
    int rows, columns;                 /* how many of them exist */
    int64_t k, depth;                  /* the piece of k */
};

/* The panels of an operand under a policy. */
template <class policy, int rows, bool k_inner>
using panel_of = panel<typename policy::stored, rows, policy::DEPTH, k_inner,
                       k_inner ? policy::PAD_K : policy::PAD_ROWS>;

template <class policy, bool a_k_inner, bool b_k_inner> struct tile_shared {
    typedef typename policy::stored stored;
    typedef typename policy::arith::sum sum;
    typedef panel_of<policy, policy::ROWS, a_k_inner> panel_a;
    typedef panel_of<policy, policy::COLS, b_k_inner> panel_b;
    static constexpr int CHUNK = 16 * 1024 / (policy::COLS * static_cast<int>(sizeof(sum)));
    static constexpr int CHUNK_PITCH = policy::COLS + 16 / static_cast<int>(sizeof(sum));
    static_assert(policy::ROWS % CHUNK == 0, "whole chunks");

    struct pipeline {
        alignas(16) stored a[policy::STAGES][panel_a::SIZE];
        alignas(16) stored b[policy::STAGES][panel_b::SIZE];
    };
    struct results {
        places rows[policy::ROWS], columns[policy::COLS];
        alignas(16) sum chunk[CHUNK][CHUNK_PITCH];
    };
    union {
        pipeline in;
        results out;
    };
    tile_place at; /* here, not in registers, which the sums need */
    sources batch;
    int64_t row_a[policy::ROWS], column_b[policy::COLS];
    int64_t k_a[2][policy::DEPTH], k_b[2][policy::DEPTH];
};

__device__ __forceinline__ int64_t smaller(int64_t x, int64_t y) {
    return x < y ? x : y;
}

template <class policy, int raster = TILE_RASTER, class value>
__device__ __forceinline__ tile_place place_of(const job<value> &job, int64_t index) {
    const int64_t down = (job.m + policy::ROWS - 1) / policy::ROWS;
    const int64_t across = (job.n + policy::COLS - 1) / policy::COLS;
    const int64_t matrix = quotient(index, down * across);
    index -= matrix * down * across;
    const int64_t group = quotient(index, raster * across);
    index -= group * raster * across;
    const int64_t height = smaller(down - group * raster, raster);
    const int64_t column = quotient(index, height);
    tile_place at;
    at.row = (group * raster + index - column * height) * policy::ROWS;
    at.column = column * policy::COLS;
    at.split = quotient(matrix, job.count);
    at.batch = job.first_batch + matrix - at.split * job.count;
    at.rows = static_cast<int>(smaller(job.m - at.row, policy::ROWS));
    at.columns = static_cast<int>(smaller(job.n - at.column, policy::COLS));
    at.k = at.split * job.piece;
    at.depth = smaller(job.k - at.k, job.piece);
    return at;
}

/* ---- from global to shared memory -------------------------------------------------------------
 */

/* One element, or zero: asynchronously where the copy is of 4 bytes or more. */
template <class arith, class stored>
__device__ __forceinline__ void copy_element(stored *to, const typename arith::element *from,
                                             bool valid) {
    typedef typename arith::element element;
    if constexpr (std::is_same<stored, element>::value && sizeof(element) >= 4) {
        gm_cp_async_if<sizeof(element)>(to, from, valid);
    } else if constexpr (std::is_same<stored, element>::value) {
        *to = valid ? *from : element{};
    } else {
        *to = valid ? arith::load(*from) : stored{};
    }
}

/* Vectors of `pack` elements, or with pack = 1 elements, neighbouring threads along k or rows. */
template <class arith, class panel, int pack, bool along_k>
__device__ __forceinline__ void
fill_along(typename panel::stored *stage, const typename arith::element *from,
           const int64_t *row_at, int rows, const int64_t *k_at, int depth) {
    constexpr int units = panel::ROWS * panel::DEPTH / pack;
    constexpr int line = (along_k ? panel::DEPTH : panel::ROWS) / pack;
#pragma unroll 1
    for (int unit = static_cast<int>(threadIdx.x); unit < units; unit += TILE_THREADS) {
        const int slow = unit / line, fast = unit % line * pack;
        const int row = along_k ? slow : fast, k = along_k ? fast : slow;
        const bool valid = row < rows && k < depth;
        const typename arith::element *source = valid ? from + (row_at[row] + k_at[k]) : from;
        if constexpr (pack > 1) {
            gm_cp_async_if<16>(stage + panel::at(row, k), source, valid);
        } else {
            copy_element<arith>(stage + panel::at(row, k), source, valid);
        }
    }
}

/* Begins to bring `depth` values of k of one operand, zeros beyond them. */
template <class arith, class panel>
__device__ __forceinline__ void fill(typename panel::stored *stage,
                                     const typename arith::element *from, const int64_t *row_at,
                                     int rows, const int64_t *k_at, int depth, const loading &how) {
    constexpr int pack = 16 / static_cast<int>(sizeof(typename arith::element));
    constexpr bool same = std::is_same<typename panel::stored, typename arith::element>::value;
    if constexpr (same && pack > 1) {
        if (how.vectors) {
            fill_along<arith, panel, pack, panel::K_INNER>(stage, from, row_at, rows, k_at, depth);
            return;
        }
    }
    if (how.along_k) {
        fill_along<arith, panel, 1, true>(stage, from, row_at, rows, k_at, depth);
    } else {
        fill_along<arith, panel, 1, false>(stage, from, row_at, rows, k_at, depth);
    }
}

/* Begins step `step` of the piece of k, if it has that many, into a slot of the pipeline. */
template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void
fill_stage(const job<value> &job, tile_shared<policy, AK, BK> &shared, int64_t step, int slot) {
    typedef tile_shared<policy, AK, BK> S;
    typedef typename policy::arith arith;
    typedef typename arith::element element;
    const int64_t left = shared.at.depth - step * policy::DEPTH;
    if (left > 0) {
        const int depth = static_cast<int>(smaller(left, policy::DEPTH));
        const int table = static_cast<int>(step & 1);
        fill<arith, typename S::panel_a>(
            shared.in.a[slot], static_cast<const element *>(job.a) + shared.batch.a, shared.row_a,
            shared.at.rows, shared.k_a[table], depth, job.load_a);
        fill<arith, typename S::panel_b>(
            shared.in.b[slot], static_cast<const element *>(job.b) + shared.batch.b,
            shared.column_b, shared.at.columns, shared.k_b[table], depth, job.load_b);
    }
    gm_cp_async_commit(); /* an empty group too: the waits count groups */
}

/* ---- offsets ----------------------------------------------------------------------------------
 */

/* Where the values of k of a step are, in the table that the step before does not use. */
template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void find_k(const job<value> &job, tile_shared<policy, AK, BK> &shared,
                                       int64_t step) {
    const tile_place &at = shared.at;
    const int i = static_cast<int>(threadIdx.x);
    const int64_t k = step * policy::DEPTH + i;
    if (i < policy::DEPTH && k < at.depth) {
        const sources source = walk<sources>(job.k_modes(), job.ks, at.k + k);
        shared.k_a[step & 1][i] = source.a;
        shared.k_b[step & 1][i] = source.b;
    }
}

template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void find_rows(const job<value> &job,
                                          tile_shared<policy, AK, BK> &shared) {
    const tile_place &at = shared.at;
    for (int i = static_cast<int>(threadIdx.x); i < at.rows; i += TILE_THREADS) {
        shared.row_a[i] = walk<sources>(job.m_modes(), job.ms, at.row + i).a;
    }
    for (int i = static_cast<int>(threadIdx.x); i < at.columns; i += TILE_THREADS) {
        shared.column_b[i] = walk<sources>(job.n_modes(), job.ns, at.column + i).b;
    }
}

template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void find_places(const job<value> &job,
                                            tile_shared<policy, AK, BK> &shared) {
    const tile_place &at = shared.at;
    const places batch = walk<places>(job.batch_modes(), job.batches, at.batch);
    for (int i = static_cast<int>(threadIdx.x); i < at.rows; i += TILE_THREADS) {
        shared.out.rows[i] = batch + walk<places>(job.m_modes(), job.ms, at.row + i);
    }
    for (int i = static_cast<int>(threadIdx.x); i < at.columns; i += TILE_THREADS) {
        shared.out.columns[i] = walk<places>(job.n_modes(), job.ns, at.column + i);
    }
}

/* ---- a tile -----------------------------------------------------------------------------------
 */

/* The block's next tile. Ends with a barrier. */
template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void find_tile(const job<value> &job,
                                          tile_shared<policy, AK, BK> &shared, int64_t index) {
    if (threadIdx.x == 0) {
        const tile_place at = place_of<policy>(job, index);
        shared.at = at;
        shared.batch = walk<sources>(job.batch_modes(), job.batches, at.batch);
    }
    __syncthreads();
}

/* The sums over the piece of k. Ends with a barrier; the stages may be overwritten. */
template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void add_products(const job<value> &job,
                                             tile_shared<policy, AK, BK> &shared,
                                             typename policy::sums &sums) {
    constexpr int ahead = policy::STAGES - 1;
    typedef tile_shared<policy, AK, BK> S;
    find_rows<policy>(job, shared);
    find_k<policy>(job, shared, 0);
    __syncthreads();
    for (int step = 0; step < ahead; ++step) {
        fill_stage<policy>(job, shared, step, step);
        find_k<policy>(job, shared, step + 1);
        __syncthreads(); /* the next offsets are there, and their table's last ones are used */
    }
    const int64_t steps = (shared.at.depth + policy::DEPTH - 1) / policy::DEPTH;
    int slot = 0, next = ahead; /* of the stages: used now, filled now */
#pragma unroll 1
    for (int64_t step = 0; step < steps; ++step) {
        gm_cp_async_wait<ahead - 1>();
        __syncthreads(); /* the stage is filled, and the one before is used by all */
        fill_stage<policy>(job, shared, step + ahead, next);
        find_k<policy>(job, shared, step + ahead + 1);
        policy::template step<typename S::panel_a, typename S::panel_b>(shared.in.a[slot],
                                                                        shared.in.b[slot], sums);
        slot = slot == ahead ? 0 : slot + 1;
        next = next == ahead ? 0 : next + 1;
    }
    gm_cp_async_wait<0>();
    __syncthreads();
}

/* One sum of a piece of k, or of all of it, on its way to memory. */
template <class policy, class value>
__device__ __forceinline__ void leave(const job<value> &job, const tile_place &at, int row,
                                      int column, const places &place,
                                      const typename policy::arith::sum &sum) {
    typedef typename policy::arith arith;
    if (job.splits > 1) {
        const int64_t matrix = at.split * job.count + at.batch - job.first_batch;
        static_cast<typename arith::sum *>(
            job.partials)[(matrix * job.m + at.row + row) * job.n + at.column + column] = sum;
    } else {
        finish(job, arith::total(sum), place);
    }
}

/* Sums through shared memory to d. Ends with a barrier. */
template <class policy, bool AK, bool BK, class value>
__device__ __forceinline__ void store_tile(const job<value> &job,
                                           tile_shared<policy, AK, BK> &shared,
                                           const typename policy::sums &sums) {
    typedef tile_shared<policy, AK, BK> S;
    const tile_place &at = shared.at;
    const int rows = at.rows; /* after the last barrier `at` may be that of the next tile */
    find_places<policy>(job, shared);
#pragma unroll 1
    for (int first = 0; first < rows; first += S::CHUNK) {
        policy::each(sums, [&](int row, int column, const typename policy::arith::sum &sum) {
            if (row >= first && row < first + S::CHUNK) {
                shared.out.chunk[row - first][column] = sum;
            }
        });
        __syncthreads(); /* the chunk is there; the first time, the places are too */
#pragma unroll 1
        for (int i = static_cast<int>(threadIdx.x); i < S::CHUNK * policy::COLS;
             i += TILE_THREADS) {
            const int row = first + i / policy::COLS, column = i % policy::COLS;
            if (row < rows && column < at.columns) {
                leave<policy>(job, at, row, column,
                              shared.out.rows[row] + shared.out.columns[column],
                              shared.out.chunk[row - first][column]);
            }
        }
        __syncthreads(); /* the chunk may be overwritten */
    }
}

template <class policy, bool AK, bool BK>
__global__ void __launch_bounds__(TILE_THREADS, policy::BLOCKS)
    tile(const __grid_constant__ job<typename policy::arith::value> job) {
    typedef tile_shared<policy, AK, BK> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int64_t down = (job.m + policy::ROWS - 1) / policy::ROWS;
    const int64_t across = (job.n + policy::COLS - 1) / policy::COLS;
    const int64_t tiles = down * across * job.splits * job.count;
    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        typename policy::sums sums;
        policy::clear(sums);
        find_tile<policy>(job, shared, index);
        add_products<policy>(job, shared, sums);
        store_tile<policy>(job, shared, sums);
    }
}

} // namespace contract
} // namespace gm
