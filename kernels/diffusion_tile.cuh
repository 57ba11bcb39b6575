/*
 * Score and reverse process as one attention over the data: a warp owns 4 samples.
 *
 * Queries are the states, keys and values are both the data, logits are -|x - alpha m|^2 / (2 v).
 * Grid: count / 32 blocks of 8 warps. All warps use the same tile of data from shared memory; what
 * belongs to a sample stays inside its warp, so the block's barriers guard the tile alone.
 *   distances  lane l has data l, l + 32 ...: a register tile of 4 samples by 4 data (D = 128 or
 *              double: 2; both: 1); per 16-byte step 4 broadcast loads and 4 conflict-free ones
 *              feed 128 operations
 *   softmax    the largest logit by shuffles over the warp; sums stay per lane until the end
 *   gather     lane l has D / 32 neighbouring dimensions; the weights come through the warp's slice
 *              of shared memory, one broadcast of 4 samples per datum
 * Rows in shared memory are 16 bytes longer than D, so that 8 lanes reading 16 bytes of 8 rows
 * touch all banks.
 *
 * The ladder: (1) a launch per step, states through global memory; (2) the whole path in one
 * launch, states in shared memory: 2 d reals of traffic per sample in all, beside the data, K d
 * reals per block and step from the second-level cache, on which the block computes 5 * 32 K d
 * operations: 40 per byte of float; (3) this: two stages, the next tile copied while one is used,
 * so that its latency is hidden with one block on a multiprocessor, which is what 4096 samples are.
 *
 * Shared: float 58.5, 94.5 and 91.5 KiB at D = 32, 64, 128; double 60.5, 100.5 and 106.5.
 * Registers: 114 to 182 of float, up to 238 of double, none spilled: 1 block of a path on a
 * multiprocessor, 2 of a score; 16 or 8 independent sums per thread, not warps, hide the
 * arithmetic's latency. Expected on an H200, counted and not measured: 3 n K d instructions on the
 * 16896 lanes of 132 multiprocessors at 1.7 GHz are 25 ms for 4096 samples, 500 steps, 1797 data, d
 * = 64, at best; shared memory delivers what the gather needs at two thirds of that rate.
 */
#pragma once

#include "kernels/cp_async.cuh"
#include "kernels/device.cuh"
#include "kernels/diffusion_common.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace diffusion {

constexpr int TILE_WARPS = 8;
constexpr int TILE_BLOCK = TILE_WARPS * WARP;
constexpr int TILE_ROWS = 4; /* samples of a warp */
constexpr int TILE_SAMPLES = TILE_WARPS * TILE_ROWS;

/* Sizes that depend on the type and on the dimensions D of a row in shared memory. */
template <typename real, int D> struct shape {
    static constexpr int pack = 16 / static_cast<int>(sizeof(real)); /* reals of a 16-byte access */
    /* Data: a stage of at most 35 KiB, so that two and the rest fit on an A100 too. */
    static constexpr int per_lane = (sizeof(real) == 4 ? 4 : 2) / (D > 64 ? 2 : 1);
    static constexpr int data = per_lane * WARP;
    static constexpr int dims = D / WARP; /* of a lane, when it gathers */
    static constexpr int stride = D + pack;
    static_assert(D % WARP == 0 && D % pack == 0, "lanes and packs divide a row");
};

template <typename real> struct alignas(16) pack16 { real v[16 / sizeof(real)]; };

template <typename real> __device__ __forceinline__ pack16<real> load_pack(const real *from) {
    return *reinterpret_cast<const pack16<real> *>(from);
}

/* A tile of data and the constants of its components. */
template <typename real, int D> struct alignas(16) tile_stage {
    real data[shape<real, D>::data][shape<real, D>::stride];
    real inverse[shape<real, D>::data], bias[shape<real, D>::data];
};

template <typename real, int D> struct alignas(16) tile_shared {
    tile_stage<real, D> stage[2]; /* one is used while the other is filled */
    real x[TILE_SAMPLES][shape<real, D>::stride];
    real weight[TILE_WARPS][shape<real, D>::data][TILE_ROWS]; /* p / v */
};

/* What a warp knows of its samples while it goes over the data. sum and pull: this lane's part. */
template <typename real> struct row_sums {
    real largest[TILE_ROWS], sum[TILE_ROWS], pull[TILE_ROWS], scale[TILE_ROWS];
};

template <typename real> __device__ __forceinline__ void clear(row_sums<real> &sums) {
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        sums.largest[r] = minus_infinity<real>();
        sums.sum[r] = sums.pull[r] = 0;
    }
}

/*
 * Begins to copy dimensions from .. from + D - 1 of `count` data to a stage, zeros beyond them, and
 * commits the group. Rows that allow it go 16 bytes at a time.
 */
template <typename real, int D>
__device__ __forceinline__ void copy_data(const mixture<real> &model, int64_t first, int count,
                                          int from, tile_stage<real, D> &stage) {
    typedef shape<real, D> S;
    const real *origin = &model.means.at(first, 0);
    if (model.packed) {
        for (int at = static_cast<int>(threadIdx.x); at < S::data * (D / S::pack);
             at += TILE_BLOCK) {
            const int k = at / (D / S::pack), j = at % (D / S::pack) * S::pack;
            const bool valid = k < count && from + j < model.dim;
            gm_cp_async_if<16>(&stage.data[k][j],
                               valid ? &model.means.at(first + k, from + j) : origin, valid);
        }
    } else {
        for (int at = static_cast<int>(threadIdx.x); at < S::data * D; at += TILE_BLOCK) {
            const int k = at / D, j = at % D;
            const bool valid = k < count && from + j < model.dim;
            gm_cp_async_if<sizeof(real)>(
                &stage.data[k][j], valid ? &model.means.at(first + k, from + j) : origin, valid);
        }
    }
    gm_cp_async_commit();
}

template <typename real, int D>
__device__ __forceinline__ void load_constants(const mixture<real> &model, const moment<real> &at,
                                               int64_t first, int count,
                                               tile_stage<real, D> &stage) {
    for (int k = static_cast<int>(threadIdx.x); k < shape<real, D>::data; k += TILE_BLOCK) {
        real inverse = 0, bias = minus_infinity<real>();
        if (k < count) {
            component(model, at, first + k, inverse, bias);
        }
        stage.inverse[k] = inverse;
        stage.bias[k] = bias;
    }
}

/* The number of data in the tile that begins at `first`. */
template <typename real, int D>
__device__ __forceinline__ int tile_count(const mixture<real> &model, int64_t first) {
    const int64_t left = model.components - first;
    return left < shape<real, D>::data ? static_cast<int>(left) : shape<real, D>::data;
}

/* Adds |x - alpha m|^2 over the dimensions in shared memory for this lane's data. */
template <typename real, int D>
__device__ __forceinline__ void
add_distances(const tile_shared<real, D> &shared, const tile_stage<real, D> &stage, real alpha,
              int warp, int lane, real (&total)[TILE_ROWS][shape<real, D>::per_lane]) {
    typedef shape<real, D> S;
    real part[TILE_ROWS][S::per_lane] = {};
#pragma unroll 2
    for (int j = 0; j < D; j += S::pack) {
        pack16<real> x[TILE_ROWS], m[S::per_lane];
        GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
            x[r] = load_pack(&shared.x[warp * TILE_ROWS + r][j]);
        }
        GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
            m[i] = load_pack(&stage.data[lane + i * WARP][j]);
        }
        GM_UNROLL for (int c = 0; c < S::pack; ++c) {
            GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
                GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
                    const real difference = multiply_add(-alpha, m[i].v[c], x[r].v[c]);
                    part[r][i] = multiply_add(difference, difference, part[r][i]);
                }
            }
        }
    }
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
            total[r][i] += part[r][i];
        }
    }
}

/*
 * The tile's part of the softmax. Leaves p / v in the warp's slice of shared memory and in `scale`
 * what earlier sums are to be multiplied with. Ends with a barrier of the warp.
 */
template <typename real, int D>
__device__ __forceinline__ void
weigh(tile_shared<real, D> &shared, const tile_stage<real, D> &stage, int warp, int lane,
      real (&distance2)[TILE_ROWS][shape<real, D>::per_lane], row_sums<real> &sums) {
    typedef shape<real, D> S;
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        real largest = minus_infinity<real>();
        GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
            const int k = lane + i * WARP;
            distance2[r][i] = multiply_add(static_cast<real>(-0.5) * stage.inverse[k],
                                           distance2[r][i], stage.bias[k]);
            largest = distance2[r][i] > largest ? distance2[r][i] : largest;
        }
        largest = gm_warp_max(largest > sums.largest[r] ? largest : sums.largest[r]);
        /* No finite logit so far: any finite base gives weights of 0. */
        const real base = largest < lowest<real>() ? 0 : largest;
        sums.scale[r] = gm_exp(sums.largest[r] - base);
        sums.largest[r] = largest;
        sums.sum[r] *= sums.scale[r];
        sums.pull[r] *= sums.scale[r];
        GM_UNROLL for (int i = 0; i < S::per_lane; ++i) {
            const int k = lane + i * WARP;
            const real p = gm_exp(distance2[r][i] - base);
            sums.sum[r] += p;
            sums.pull[r] = multiply_add(p, stage.inverse[k], sums.pull[r]);
            shared.weight[warp][k][r] = p * stage.inverse[k];
        }
    }
    __syncwarp();
}

/* mean = mean * scale + sum over the tile of p / v m, for this lane's dimensions. */
template <typename real, int D>
__device__ __forceinline__ void
gather(const tile_shared<real, D> &shared, const tile_stage<real, D> &stage, int warp, int lane,
       int count, const row_sums<real> &sums, real (&mean)[TILE_ROWS][shape<real, D>::dims]) {
    typedef shape<real, D> S;
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int c = 0; c < S::dims; ++c) {
            mean[r][c] *= sums.scale[r];
        }
    }
#pragma unroll 4
    for (int k = 0; k < count; ++k) {
        real weight[TILE_ROWS];
        GM_UNROLL for (int r = 0; r < TILE_ROWS; r += S::pack) {
            const pack16<real> w = load_pack(&shared.weight[warp][k][r]);
            GM_UNROLL for (int i = 0; i < S::pack; ++i) {
                weight[r + i] = w.v[i];
            }
        }
        GM_UNROLL for (int c = 0; c < S::dims; ++c) {
            const real m = stage.data[k][lane * S::dims + c];
            GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
                mean[r][c] = multiply_add(weight[r], m, mean[r][c]);
            }
        }
    }
}

/* Sums over all data for states in shared.x. Every thread of the block takes part. */
template <typename real, int D>
__device__ __forceinline__ void tile_sweep(const mixture<real> &model, const moment<real> &at,
                                           tile_shared<real, D> &shared, row_sums<real> &sums,
                                           real (&mean)[TILE_ROWS][shape<real, D>::dims]) {
    typedef shape<real, D> S;
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    clear(sums);
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        GM_UNROLL for (int c = 0; c < S::dims; ++c) {
            mean[r][c] = 0;
        }
    }
    copy_data<real, D>(model, 0, tile_count<real, D>(model, 0), 0, shared.stage[0]);
    int at_stage = 0;
    for (int64_t first = 0; first < model.components; first += S::data, at_stage ^= 1) {
        const int count = tile_count<real, D>(model, first);
        const int64_t next = first + S::data;
        tile_stage<real, D> &stage = shared.stage[at_stage];
        real distance2[TILE_ROWS][S::per_lane] = {};
        load_constants<real, D>(model, at, first, count, stage);
        if (next < model.components) {
            copy_data<real, D>(model, next, tile_count<real, D>(model, next), 0,
                               shared.stage[at_stage ^ 1]);
            gm_cp_async_wait<1>();
        } else {
            gm_cp_async_wait<0>();
        }
        __syncthreads(); /* the stage is filled */
        add_distances<real, D>(shared, stage, at.alpha, warp, lane, distance2);
        weigh<real, D>(shared, stage, warp, lane, distance2, sums);
        gather<real, D>(shared, stage, warp, lane, count, sums, mean);
        __syncthreads(); /* the stage may be overwritten */
    }
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        sums.sum[r] = gm_warp_sum(sums.sum[r]);
        sums.pull[r] = gm_warp_sum(sums.pull[r]);
    }
}

/* sum_k q_k (alpha m_k - x) / sum_k p_k from the sums of a row. */
template <typename real>
__device__ __forceinline__ real row_score(const row_sums<real> &sums, int r, real alpha, real mean,
                                          real x) {
    return multiply_add(-sums.pull[r], x, alpha * mean) / sums.sum[r];
}

/* The sample of row r of a warp. */
__device__ __forceinline__ int64_t sample_of(int warp, int r) {
    return static_cast<int64_t>(blockIdx.x) * TILE_SAMPLES + warp * TILE_ROWS + r;
}

/*
 * Past the last sample the last one again: such rows are computed, to keep the barriers, and not
 * stored.
 */
template <typename real>
__device__ __forceinline__ int64_t clamp_sample(const job<real> &job, int64_t i) {
    return i < job.count ? i : job.count - 1;
}

template <typename real, int D>
__global__ void __launch_bounds__(TILE_BLOCK, 1) tile_score(job<real> job) {
    typedef shape<real, D> S;
    typedef tile_shared<real, D> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        const int64_t i = clamp_sample(job, sample_of(warp, r));
        for (int j = lane; j < D; j += WARP) {
            shared.x[warp * TILE_ROWS + r][j] = j < job.model.dim ? job.x.at(i, j) : 0;
        }
    }
    row_sums<real> sums;
    real mean[TILE_ROWS][S::dims];
    tile_sweep<real, D>(job.model, moment_at(job.model, job.alpha, job.variance), shared, sums,
                        mean);
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        const int64_t i = sample_of(warp, r);
        GM_UNROLL for (int c = 0; c < S::dims; ++c) {
            const int j = lane * S::dims + c;
            if (i < job.count && j < job.model.dim) {
                job.out.at(i, j) =
                    row_score(sums, r, job.alpha, mean[r][c], shared.x[warp * TILE_ROWS + r][j]);
            }
        }
        if (i < job.count && lane == 0 && job.log_density.data != nullptr) {
            job.log_density.at(i, 0) = sums.largest[r] + gm_log(sums.sum[r]) + job.log_unit;
        }
    }
}

template <typename real, int D>
__global__ void __launch_bounds__(TILE_BLOCK, 1) tile_path(job<real> job) {
    typedef shape<real, D> S;
    typedef tile_shared<real, D> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int warp = static_cast<int>(threadIdx.x) / WARP,
              lane = static_cast<int>(threadIdx.x) % WARP;
    real saved[TILE_ROWS][S::dims] = {};
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        const int64_t i = clamp_sample(job, sample_of(warp, r));
        for (int j = lane; j < D; j += WARP) {
            shared.x[warp * TILE_ROWS + r][j] = j < job.model.dim ? first_state(job, i, j) : 0;
        }
    }
    for (int64_t row = 0; row < job.rows; ++row) {
        const step_row<real> step = load_step(job.table, row);
        row_sums<real> sums;
        real mean[TILE_ROWS][S::dims];
        tile_sweep<real, D>(job.model, moment_at(job.model, step.alpha, step.variance), shared,
                            sums, mean);
        GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
            const uint64_t index =
                job.first_index + static_cast<uint64_t>(clamp_sample(job, sample_of(warp, r)));
            GM_UNROLL for (int c = 0; c < S::dims; ++c) {
                const int j = lane * S::dims + c;
                if (j < job.model.dim) {
                    real &y = shared.x[warp * TILE_ROWS + r][j];
                    y = updated(job, step, row, index, j, y,
                                row_score(sums, r, step.alpha, mean[r][c], y), saved[r][c]);
                }
            }
        }
    }
    __syncwarp();
    GM_UNROLL for (int r = 0; r < TILE_ROWS; ++r) {
        const int64_t i = sample_of(warp, r);
        bool finite = true;
        for (int j = lane; j < job.model.dim; j += WARP) {
            const real y = shared.x[warp * TILE_ROWS + r][j];
            finite = finite && is_finite(y);
            if (i < job.count) {
                job.out.at(i, j) = y;
            }
        }
        finite = __all_sync(ALL_LANES, finite);
        if (i < job.count && lane == 0 && job.status.data != nullptr) {
            job.status.at(i, 0) = finite ? OK : NON_FINITE;
        }
    }
}

} // namespace diffusion
} // namespace gm
