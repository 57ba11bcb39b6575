/*
 * Score and reverse process in few dimensions: one thread a sample, everything of it in registers.
 *
 * Grid: count / 128 blocks of 128 threads. A thread owns a sample for the whole path. The
 * components stream through shared memory in tiles of 256; all threads read the same one, which is
 * a broadcast. Weights are summed online in groups of 8: one exponential rescales for 8 that weigh.
 * Shared: 256 (D + 2) reals, 10 KiB of float at D = 8. Registers, none spilled: float 72 to 150,
 * double up to 252, which set the occupancy: 3 to 7 blocks of float on a multiprocessor.
 *
 * Counted per sample, component and step: 3 D + 2 multiply-adds and 9/8 exponentials of about 15
 * instructions: at D = 2 the exponential is most of the work. A multiprocessor wants 512 samples at
 * least; with fewer than 67000 an H200 is not full, and that is the limit of this layout.
 */
#pragma once

#include "kernels/device.cuh"
#include "kernels/diffusion_common.cuh"

namespace gm {
namespace diffusion {

constexpr int THREAD_BLOCK = 128;
constexpr int THREAD_DATA = 256; /* components of a tile */
constexpr int THREAD_GROUP = 8;
static_assert(THREAD_DATA % THREAD_GROUP == 0, "a tile is whole groups");

template <typename real, int D> struct thread_shared {
    real data[THREAD_DATA][D];
    real inverse[THREAD_DATA], bias[THREAD_DATA];
};

template <typename real, int D> struct thread_sums {
    real largest, sum, pull; /* logit; of p; of p / v */
    real mean[D];            /* sum of p / v m */
};

/* Loads components first .. and fills the last group with ones of weight 0. Ends with a barrier. */
template <typename real, int D>
__device__ __forceinline__ void load_components(const mixture<real> &model, const moment<real> &at,
                                                int64_t first, int count,
                                                thread_shared<real, D> &shared) {
    const int padded = (count + THREAD_GROUP - 1) / THREAD_GROUP * THREAD_GROUP;
    for (int k = static_cast<int>(threadIdx.x); k < padded; k += THREAD_BLOCK) {
        real inverse = 0, bias = minus_infinity<real>();
        if (k < count) {
            component(model, at, first + k, inverse, bias);
        }
        shared.inverse[k] = inverse;
        shared.bias[k] = bias;
        GM_UNROLL for (int j = 0; j < D; ++j) {
            shared.data[k][j] =
                k < count && j < model.dim ? at.alpha * model.means.at(first + k, j) : 0;
        }
    }
    __syncthreads();
}

template <typename real, int D>
__device__ __forceinline__ void add_group(const thread_shared<real, D> &shared, int k,
                                          const real *y, thread_sums<real, D> &sums) {
    real logit[THREAD_GROUP], largest = sums.largest;
    GM_UNROLL for (int i = 0; i < THREAD_GROUP; ++i) {
        real distance2 = 0;
        GM_UNROLL for (int j = 0; j < D; ++j) {
            const real difference = y[j] - shared.data[k + i][j];
            distance2 = multiply_add(difference, difference, distance2);
        }
        logit[i] = multiply_add(static_cast<real>(-0.5) * shared.inverse[k + i], distance2,
                                shared.bias[k + i]);
        largest = logit[i] > largest ? logit[i] : largest;
    }
    const real base = largest < lowest<real>() ? 0 : largest;
    const real scale = gm_exp(sums.largest - base);
    sums.largest = largest;
    sums.sum *= scale;
    sums.pull *= scale;
    GM_UNROLL for (int j = 0; j < D; ++j) {
        sums.mean[j] *= scale;
    }
    GM_UNROLL for (int i = 0; i < THREAD_GROUP; ++i) {
        const real p = gm_exp(logit[i] - base), q = p * shared.inverse[k + i];
        sums.sum += p;
        sums.pull = multiply_add(p, shared.inverse[k + i], sums.pull);
        GM_UNROLL for (int j = 0; j < D; ++j) {
            sums.mean[j] = multiply_add(q, shared.data[k + i][j], sums.mean[j]);
        }
    }
}

/* Sums over all components. Every thread of the block takes part. */
template <typename real, int D>
__device__ __forceinline__ void thread_sweep(const mixture<real> &model, const moment<real> &at,
                                             thread_shared<real, D> &shared, const real *y,
                                             thread_sums<real, D> &sums) {
    sums.largest = minus_infinity<real>();
    sums.sum = sums.pull = 0;
    GM_UNROLL for (int j = 0; j < D; ++j) {
        sums.mean[j] = 0;
    }
    for (int64_t first = 0; first < model.components; first += THREAD_DATA) {
        const int64_t left = model.components - first;
        const int count = left < THREAD_DATA ? static_cast<int>(left) : THREAD_DATA;
        __syncthreads();
        load_components<real, D>(model, at, first, count, shared);
        for (int k = 0; k < count; k += THREAD_GROUP) {
            add_group<real, D>(shared, k, y, sums);
        }
    }
}

template <typename real, int D>
__device__ __forceinline__ real score_of(const thread_sums<real, D> &sums, int j, real y) {
    return multiply_add(-sums.pull, y, sums.mean[j]) / sums.sum;
}

template <typename real, int D>
__global__ void __launch_bounds__(THREAD_BLOCK, 2) thread_score(job<real> job) {
    typedef thread_shared<real, D> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREAD_BLOCK + threadIdx.x;
    const int64_t row =
        i < job.count ? i : job.count - 1; /* the threads past the last keep the barriers */
    real y[D];
    GM_UNROLL for (int j = 0; j < D; ++j) {
        y[j] = j < job.model.dim ? job.x.at(row, j) : 0;
    }
    thread_sums<real, D> sums;
    thread_sweep<real, D>(job.model, moment_at(job.model, job.alpha, job.variance), shared, y,
                          sums);
    if (i >= job.count) {
        return;
    }
    GM_UNROLL for (int j = 0; j < D; ++j) {
        if (j < job.model.dim) {
            job.out.at(i, j) = score_of<real, D>(sums, j, y[j]);
        }
    }
    if (job.log_density.data != nullptr) {
        job.log_density.at(i, 0) = sums.largest + gm_log(sums.sum) + job.log_unit;
    }
}

template <typename real, int D>
__global__ void __launch_bounds__(THREAD_BLOCK, 2) thread_path(job<real> job) {
    typedef thread_shared<real, D> shared_struct;
    GM_SHARED(shared_struct, shared);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREAD_BLOCK + threadIdx.x;
    const int64_t sample = i < job.count ? i : job.count - 1;
    const uint64_t index = job.first_index + static_cast<uint64_t>(sample);
    real y[D], saved[D];
    GM_UNROLL for (int j = 0; j < D; ++j) {
        y[j] = j < job.model.dim ? first_state(job, sample, j) : 0;
        saved[j] = 0;
    }
    for (int64_t row = 0; row < job.rows; ++row) {
        const step_row<real> step = load_step(job.table, row);
        thread_sums<real, D> sums;
        thread_sweep<real, D>(job.model, moment_at(job.model, step.alpha, step.variance), shared, y,
                              sums);
        GM_UNROLL for (int j = 0; j < D; ++j) {
            if (j < job.model.dim) {
                y[j] = updated(job, step, row, index, j, y[j], score_of<real, D>(sums, j, y[j]),
                               saved[j]);
            }
        }
    }
    if (i >= job.count) {
        return;
    }
    bool finite = true;
    GM_UNROLL for (int j = 0; j < D; ++j) {
        if (j < job.model.dim) {
            finite = finite && is_finite(y[j]);
            job.out.at(i, j) = y[j];
        }
    }
    if (job.status.data != nullptr) {
        job.status.at(i, 0) = finite ? OK : NON_FINITE;
    }
}

} // namespace diffusion
} // namespace gm
