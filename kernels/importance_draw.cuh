/*
 * Samples of a normal proposal and the log densities of target and proposal, see
 * genmath/importance.h.
 *
 * Grid: one thread a sample, blocks of 128; samples of a problem side by side. Shared memory: none.
 * Normals and point in registers; the factor is read through the caches, the same for all samples
 * of a problem. Bound: the density, or dim^2 / 2 multiply-adds.
 */
#pragma once

#include <genmath/philox.h>

#include "kernels/density_rows.cuh"

namespace gm {

template <typename real> struct importance_params {
    int64_t problems, n;
    uint64_t seed, first_index;
    const real *mean, *scale, *factor, *points, *params;
    real *drawn, *log_target, *log_proposal;
    int64_t mean_stride[2], scale_stride[2], factor_stride[3], points_stride[3], params_stride[2];
    int64_t drawn_stride[3], log_target_stride[2], log_proposal_stride[2];
    data_rows<real> data;
};

__device__ __forceinline__ void proposal_normals(const importance_params<float> &a, uint64_t index,
                                                 int block, float *z) {
    gm_normal4_f32(a.seed, index, GM_STREAM_IMPORTANCE, static_cast<uint64_t>(block), z, z + 1,
                   z + 2, z + 3);
}

__device__ __forceinline__ void proposal_normals(const importance_params<double> &a, uint64_t index,
                                                 int block, double *z) {
    gm_normal2_f64(a.seed, index, GM_STREAM_IMPORTANCE, static_cast<uint64_t>(block), z, z + 1);
}

__device__ __forceinline__ float logarithm_of(float x) {
    return gm_log_f32(x);
}

__device__ __forceinline__ double logarithm_of(double x) {
    return gm_log_f64(x);
}

template <typename real>
__device__ __forceinline__ real factor_at(const importance_params<real> &a, int64_t k, int r,
                                          int c) {
    return a.factor[k * a.factor_stride[0] + r * a.factor_stride[1] + c * a.factor_stride[2]];
}

/* A sample of the proposal into x, and the logarithm of its density; NaN if there is none. */
template <class Density, typename real>
__device__ __forceinline__ real propose_point(const Density &density,
                                              const importance_params<real> &a, int64_t k,
                                              uint64_t index, real *x) {
    constexpr int per_block = sizeof(real) == 4 ? 4 : 2;
    real z[Density::max_dim + per_block - 1];
    GM_UNROLL for (int c = 0; c < density.dim(); c += per_block) {
        proposal_normals(a, index, c / per_block, z + c);
    }
    real log_q = static_cast<real>(-0.91893853320467274178) * static_cast<real>(density.dim());
    bool good = true;
    GM_UNROLL for (int r = 0; r < density.dim(); ++r) {
        const real diagonal = a.scale != nullptr
                                  ? a.scale[k * a.scale_stride[0] + r * a.scale_stride[1]]
                                  : factor_at(a, k, r, r);
        x[r] = a.mean[k * a.mean_stride[0] + r * a.mean_stride[1]];
        good = good && is_finite(x[r]) && diagonal > 0 && is_finite(diagonal);
        GM_UNROLL for (int c = 0; c < r; ++c) {
            if (a.factor != nullptr) {
                const real entry = factor_at(a, k, r, c);
                good = good && is_finite(entry);
                x[r] = multiply_add(entry, z[c], x[r]);
            }
        }
        x[r] = multiply_add(diagonal, z[r], x[r]);
        log_q -= static_cast<real>(0.5) * z[r] * z[r] + logarithm_of(diagonal);
    }
    const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    GM_UNROLL for (int r = 0; r < density.dim(); ++r) {
        x[r] = good ? x[r] : nan;
    }
    return good ? log_q : nan;
}

template <class Density, typename real>
__device__ __forceinline__ void importance_sample(const Density &density,
                                                  const importance_params<real> &a) {
    const int64_t at = trajectory_index(), k = at / a.n, i = at - k * a.n;
    if (k >= a.problems) {
        return;
    }
    real x[Density::max_dim], p[Density::max_params > 0 ? Density::max_params : 1];
    if (a.points == nullptr) {
        const uint64_t index =
            a.first_index + (static_cast<uint64_t>(k) << 32) + static_cast<uint64_t>(i);
        const real log_q = propose_point(density, a, k, index, x);
        if (a.log_proposal != nullptr) {
            a.log_proposal[k * a.log_proposal_stride[0] + i * a.log_proposal_stride[1]] = log_q;
        }
    }
    GM_UNROLL for (int r = 0; r < density.dim(); ++r) {
        if (a.points != nullptr) {
            x[r] =
                a.points[k * a.points_stride[0] + r * a.points_stride[1] + i * a.points_stride[2]];
        }
        if (a.drawn != nullptr) {
            a.drawn[k * a.drawn_stride[0] + r * a.drawn_stride[1] + i * a.drawn_stride[2]] = x[r];
        }
    }
    if (a.log_target == nullptr) {
        return;
    }
    GM_UNROLL for (int r = 0; r < density.params(); ++r) {
        p[r] = a.params[k * a.params_stride[0] + r * a.params_stride[1]];
    }
    real log_p = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    log_density_of(density, a.data, x, p, &log_p);
    a.log_target[k * a.log_target_stride[0] + i * a.log_target_stride[1]] = log_p;
}

} // namespace gm
