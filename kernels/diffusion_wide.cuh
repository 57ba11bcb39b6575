/*
 * Score and reverse process in any number of dimensions: diffusion_tile.cuh, taken 64 dimensions at
 * a time.
 *
 * A tile of data passes twice through shared memory, chunk by chunk: once for the distances, once
 * to be gathered; the next chunk is copied while one is used. What belongs to a sample and does not
 * fit on the chip is in global memory: the state in the output itself, the weighted sum and Heun's
 * saved state in the workspace (a score gathers into its output). A lane reads no element there
 * that another lane wrote, so the block's barriers are those of the stages. The path of a sample is
 * still one launch.
 * Grid and block as there. Shared: 94.5 KiB of float, 100.5 KiB of double; one block on a
 * multiprocessor.
 */
#pragma once

#include "kernels/diffusion_tile.cuh"

namespace gm {
namespace diffusion {

constexpr int WIDE_CHUNK = 64;

/* Where the rows of a warp are while a kernel works on them. */
template <typename real> struct wide_rows {
    rows_view<const real> x; /* read by the lane that wrote it */
    rows_view<real> mean;
    int64_t sample[TILE_ROWS]; /* clamped: rows past the last are computed and not stored */
    bool valid[TILE_ROWS];
};

/* This lane's part of a chunk of the warp's states, to shared memory. */
template <typename real>
__device__ __forceinline__ void load_states(const job<real> &job, const wide_rows<real> &rows,
                                            int from, int warp, int lane,
                                            tile_shared<real, WIDE_CHUNK> &shared) {
    constexpr int dims = shape<real, WIDE_CHUNK>::dims;
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int c = 0; c < dims; ++c) {
            const int j = lane * dims + c;
            shared.x[warp * TILE_ROWS + r][j] =
                from + j < job.model.dim && rows.valid[r] ? rows.x.at(rows.sample[r], from + j) : 0;
        }
    }
}

/* Rescales what is in global memory of this lane's part of a chunk and adds the tile's. */
template <typename real>
__device__ __forceinline__ void gather_chunk(const job<real> &job, const wide_rows<real> &rows,
                                             int from, bool first_tile, int warp, int lane,
                                             int count, const row_sums<real> &sums,
                                             const tile_shared<real, WIDE_CHUNK> &shared,
                                             const tile_stage<real, WIDE_CHUNK> &stage) {
    constexpr int dims = shape<real, WIDE_CHUNK>::dims;
    real mean[TILE_ROWS][dims];
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int c = 0; c < dims; ++c) {
            const int j = from + lane * dims + c;
            mean[r][c] = !first_tile && j < job.model.dim && rows.valid[r]
                             ? rows.mean.at(rows.sample[r], j)
                             : 0;
        }
    }
    gather<real, WIDE_CHUNK>(shared, stage, warp, lane, count, sums, mean);
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int c = 0; c < dims; ++c) {
            const int j = from + lane * dims + c;
            if (j < job.model.dim && rows.valid[r]) {
                rows.mean.at(rows.sample[r], j) = mean[r][c];
            }
        }
    }
}

/* What is in a stage: chunk `from` of the tile at `first`, for the distances or to be gathered. */
struct wide_part {
    int64_t first;
    int from;
    bool gathers;
};

__device__ __forceinline__ wide_part part_after(wide_part part, int dim, int tile) {
    part.from += WIDE_CHUNK;
    if (part.from >= dim) {
        part.from = 0;
        part.first += part.gathers ? tile : 0;
        part.gathers = !part.gathers;
    }
    return part;
}

template <typename real>
__device__ __forceinline__ void
wide_sweep(const job<real> &job, const moment<real> &at, const wide_rows<real> &rows,
           tile_shared<real, WIDE_CHUNK> &shared, row_sums<real> &sums) {
    typedef shape<real, WIDE_CHUNK> S;
    const mixture<real> &model = job.model;
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    real distance2[TILE_ROWS][S::per_lane] = {};
    wide_part part = {0, 0, false};
    int at_stage = 0;
    clear(sums);
    copy_data<real, WIDE_CHUNK>(model, 0, tile_count<real, WIDE_CHUNK>(model, 0), 0,
                                shared.stage[0]);
    while (part.first < model.components) {
        const int count = tile_count<real, WIDE_CHUNK>(model, part.first);
        const wide_part next = part_after(part, model.dim, S::data);
        const bool weighs = !part.gathers && next.gathers;
        tile_stage<real, WIDE_CHUNK> &stage = shared.stage[at_stage];
        if (weighs) {
            load_constants<real, WIDE_CHUNK>(model, at, part.first, count, stage);
        }
        if (!part.gathers) {
            load_states(job, rows, part.from, warp, lane, shared);
        }
        if (next.first < model.components) {
            copy_data<real, WIDE_CHUNK>(model, next.first,
                                        tile_count<real, WIDE_CHUNK>(model, next.first), next.from,
                                        shared.stage[at_stage ^ 1]);
            gm_cp_async_wait<1>();
        } else {
            gm_cp_async_wait<0>();
        }
        __syncthreads(); /* the stage is filled */
        if (part.gathers) {
            gather_chunk(job, rows, part.from, part.first == 0, warp, lane, count, sums, shared,
                         stage);
        } else {
            add_distances<real, WIDE_CHUNK>(shared, stage, at.alpha, warp, lane, distance2);
        }
        if (weighs) {
            weigh<real, WIDE_CHUNK>(shared, stage, warp, lane, distance2, sums);
            GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
                GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
                    distance2[r][i] = 0;
                }
            }
        }
        __syncthreads(); /* the stage may be overwritten */
        part = next;
        at_stage ^= 1;
    }
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        sums.sum[r] = gm_warp_sum(sums.sum[r]);
        sums.pull[r] = gm_warp_sum(sums.pull[r]);
    }
}

/*
 * The first dimension of this lane in the chunk that begins at `from`, and how many it has there.
 */
template <typename real>
__device__ __forceinline__ int lane_dims(int dim, int from, int lane, int *first) {
    constexpr int dims = shape<real, WIDE_CHUNK>::dims;
    *first = from + lane * dims;
    const int left = dim - *first;
    return left < 0 ? 0 : left < dims ? left : dims;
}

template <typename real>
__device__ __forceinline__ wide_rows<real> rows_of(const job<real> &job, int warp) {
    wide_rows<real> rows;
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        const int64_t i = sample_of(warp, r);
        rows.valid[r] = i < job.count;
        rows.sample[r] = clamp_sample(job, i);
    }
    return rows;
}

template <typename real>
__global__ void __launch_bounds__(TILE_BLOCK, 1) wide_score(job<real> job) {
    typedef tile_shared<real, WIDE_CHUNK> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    wide_rows<real> rows = rows_of(job, warp);
    rows.x = job.x;
    rows.mean = job.out;
    row_sums<real> sums;
    wide_sweep(job, moment_at(job.model, job.alpha, job.variance), rows, shared, sums);
    for (int from = 0; from < job.model.dim; from += WIDE_CHUNK) {
        int first;
        const int dims = lane_dims<real>(job.model.dim, from, lane, &first);
        GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
            for (int j = first; j < first + dims && rows.valid[r]; ++j) {
                real &score = rows.mean.at(rows.sample[r], j);
                score = row_score(sums, r, job.alpha, score, rows.x.at(rows.sample[r], j));
            }
        }
    }
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        if (rows.valid[r] && lane == 0 && job.log_density.data != nullptr) {
            job.log_density.at(rows.sample[r], 0) =
                sums.largest[r] + gm_log(sums.sum[r]) + job.log_unit;
        }
    }
}

template <typename real> __global__ void __launch_bounds__(TILE_BLOCK, 1) wide_path(job<real> job) {
    typedef tile_shared<real, WIDE_CHUNK> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    const int64_t pitch = 2 * static_cast<int64_t>(job.model.dim);
    const rows_view<real> saved = {job.workspace + job.model.dim, pitch, 1};
    wide_rows<real> rows = rows_of(job, warp);
    rows.x = {job.out.data, job.out.row, job.out.column};
    rows.mean = {job.workspace, pitch, 1};
    bool finite[TILE_ROWS] = {};
    for (int64_t row = -1; row < job.rows; ++row) { /* row -1 makes the starts */
        const step_row<real> step = row < 0 ? step_row<real>{} : load_step(job.table, row);
        row_sums<real> sums;
        if (row >= 0) {
            wide_sweep(job, moment_at(job.model, step.alpha, step.variance), rows, shared, sums);
        }
        GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
            finite[r] = true;
        }
        for (int from = 0; from < job.model.dim; from += WIDE_CHUNK) {
            int first;
            const int dims = lane_dims<real>(job.model.dim, from, lane, &first);
            GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
                const uint64_t index = job.first_index + static_cast<uint64_t>(rows.sample[r]);
                for (int j = first; j < first + dims && rows.valid[r]; ++j) {
                    real &y = job.out.at(rows.sample[r], j);
                    if (row < 0) {
                        y = first_state(job, rows.sample[r], j);
                        saved.at(rows.sample[r], j) = 0;
                    } else {
                        const real score =
                            row_score(sums, r, step.alpha, rows.mean.at(rows.sample[r], j), y);
                        y = updated(job, step, row, index, j, y, score,
                                    saved.at(rows.sample[r], j));
                    }
                    finite[r] = finite[r] && is_finite(y);
                }
            }
        }
    }
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        finite[r] = __all_sync(ALL_LANES, finite[r]);
        if (rows.valid[r] && lane == 0 && job.status.data != nullptr) {
            job.status.at(rows.sample[r], 0) = finite[r] ? OK : NON_FINITE;
        }
    }
}

} // namespace diffusion
} // namespace gm
