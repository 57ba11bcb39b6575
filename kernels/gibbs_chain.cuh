/*
 * Gibbs chains, see genmath/gibbs.h: update after update of the body
 *
 *     next = y;  body(block, y, p, z, u, next);  y = next if it is finite
 *
 * Grid: one thread a chain, blocks of 128. Shared memory: none. The state in registers for all
 * sweeps; noise is made where it is used, a pure function of (seed, chain, update). All threads
 * update the same block of coordinates, so that a warp parts only where a body does. The body is
 * compiled once for each block of coordinates, which is a constant in it, so that an index computed
 * from it does not send the state to local memory.
 *
 * Bound: instruction issue of the noise and the body; 4 dim registers are live with moments
 * (doubles: twice that). Not yet timed on a GPU.
 */
#pragma once

#include <genmath/detail/gibbs_math.h>
#include <genmath/detail/gibbs_noise.h>

#include "kernels/ensemble.cuh"

namespace gm {

template <typename real> struct gibbs_params {
    int64_t n, first_sweep, sweeps, thin;
    uint64_t seed, first_index;
    int32_t is_random;
    const real *start, *params;
    real *end, *draws, *mean, *variance;
    int32_t *status;
    int64_t start_stride[2], params_stride[2];
    int64_t end_stride[2], draws_stride[3], mean_stride[2], variance_stride[2], status_stride[1];
};

/* A chain in registers, and the noise of an update: whole blocks of Philox. */
template <class Gibbs, typename real> struct gibbs_state {
    static constexpr int per_block = sizeof(real) == 4 ? 4 : 2;
    real y[Gibbs::max_dim], p[Gibbs::max_params > 0 ? Gibbs::max_params : 1];
    real mean[Gibbs::max_dim], square[Gibbs::max_dim];
    real z[Gibbs::max_normals + per_block], u[Gibbs::max_uniforms + per_block];
    int64_t made;
    int status;
};

__device__ __forceinline__ void gibbs_normals(uint64_t seed, uint64_t index, int64_t block,
                                              float *z) {
    gm_normal4_f32(seed, index, GM_STREAM_CHAIN, static_cast<uint64_t>(block), z, z + 1, z + 2,
                   z + 3);
}

__device__ __forceinline__ void gibbs_normals(uint64_t seed, uint64_t index, int64_t block,
                                              double *z) {
    gm_normal2_f64(seed, index, GM_STREAM_CHAIN, static_cast<uint64_t>(block), z, z + 1);
}

__device__ __forceinline__ void gibbs_uniforms(uint64_t seed, uint64_t index, int64_t block,
                                               float *u) {
    gm_gibbs_uniform4_f32(seed, index, static_cast<uint64_t>(block), u, u + 1, u + 2, u + 3);
}

__device__ __forceinline__ void gibbs_uniforms(uint64_t seed, uint64_t index, int64_t block,
                                               double *u) {
    gm_gibbs_uniform2_f64(seed, index, static_cast<uint64_t>(block), u, u + 1);
}

template <class Gibbs, typename real>
__device__ __forceinline__ void draw_noise(const Gibbs &gibbs, uint64_t seed, uint64_t index,
                                           int64_t update, gibbs_state<Gibbs, real> &s) {
    constexpr int per_block = gibbs_state<Gibbs, real>::per_block;
    const int64_t normals = gm_chain_blocks(gibbs.normals(), per_block);
    const int64_t uniforms = gm_chain_blocks(gibbs.uniforms(), per_block);
    GM_UNROLL for (int b = 0; b * per_block < gibbs.normals(); ++b) {
        gibbs_normals(seed, index, update * normals + b, s.z + b * per_block);
    }
    GM_UNROLL for (int b = 0; b * per_block < gibbs.uniforms(); ++b) {
        gibbs_uniforms(seed, index, update * uniforms + b, s.u + b * per_block);
    }
}

/* Update u of a sweep, of the same block in all chains. */
template <class Gibbs, typename real>
__device__ __forceinline__ void update_chain(const Gibbs &gibbs, const gibbs_params<real> &a,
                                             uint64_t index, int64_t sweep, int u,
                                             gibbs_state<Gibbs, real> &s) {
    const int block = gm_chain_coordinate(a.seed, sweep, u, gibbs.blocks(), a.is_random);
    real next[Gibbs::max_dim];
    draw_noise(gibbs, a.seed, index, sweep * gibbs.blocks() + u, s);
    copy_state(gibbs, s.y, next);
    GM_UNROLL for (int b = 0; b < gibbs.blocks(); ++b) {
        if (b == block) {
            gibbs.update(b, s.y, s.p, s.z, s.u, next);
        }
    }
    if (all_finite(gibbs, next)) {
        copy_state(gibbs, next, s.y);
    } else {
        s.status = NON_FINITE;
    }
}

template <class Gibbs, typename real>
__device__ __forceinline__ void make_sweep(const Gibbs &gibbs, const gibbs_params<real> &a,
                                           uint64_t index, int64_t sweep,
                                           gibbs_state<Gibbs, real> &s) {
    for (int u = 0; u < gibbs.blocks() && s.status == OK; ++u) {
        update_chain(gibbs, a, index, sweep, u, s);
    }
    if (s.status != OK || (a.mean == nullptr && a.variance == nullptr)) {
        return;
    }
    const real share = 1 / static_cast<real>(++s.made);
    GM_UNROLL for (int c = 0; c < gibbs.dim(); ++c) { /* Welford's update */
        const real apart = s.y[c] - s.mean[c], step = share * apart;
        s.mean[c] += step;
        s.square[c] += apart * (apart - step);
    }
}

template <class Gibbs, typename real>
__device__ __forceinline__ void keep_draw(const Gibbs &gibbs, const gibbs_params<real> &a,
                                          int64_t m, int64_t i, const gibbs_state<Gibbs, real> &s) {
    const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    GM_UNROLL for (int c = 0; c < gibbs.dim(); ++c) {
        a.draws[m * a.draws_stride[0] + c * a.draws_stride[1] + i * a.draws_stride[2]] =
            s.status == OK ? s.y[c] : nan;
    }
}

template <class Gibbs, typename real>
__device__ __forceinline__ void store_chain(const Gibbs &gibbs, const gibbs_params<real> &a,
                                            int64_t i, const gibbs_state<Gibbs, real> &s) {
    const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    GM_UNROLL for (int c = 0; c < gibbs.dim(); ++c) {
        if (a.end != nullptr) {
            a.end[c * a.end_stride[0] + i * a.end_stride[1]] = s.y[c];
        }
        if (a.mean != nullptr) {
            a.mean[c * a.mean_stride[0] + i * a.mean_stride[1]] = s.made > 0 ? s.mean[c] : nan;
        }
        if (a.variance != nullptr) {
            a.variance[c * a.variance_stride[0] + i * a.variance_stride[1]] =
                s.made > 0 ? s.square[c] / static_cast<real>(s.made) : nan;
        }
    }
    store_count(a.status, a.status_stride[0], i, s.status);
}

template <class Gibbs, typename real>
__device__ __forceinline__ void gibbs_chain(const Gibbs &gibbs, const gibbs_params<real> &a) {
    const int64_t i = trajectory_index();
    if (i >= a.n) {
        return;
    }
    gibbs_state<Gibbs, real> s;
    load_column(a.start, a.start_stride, i, gibbs.dim(), s.y);
    load_column(a.params, a.params_stride, i, gibbs.params(), s.p);
    s.made = 0;
    s.status = all_finite(gibbs, s.y) ? OK : NON_FINITE;
    GM_UNROLL for (int c = 0; c < gibbs.dim(); ++c) {
        s.mean[c] = s.square[c] = 0;
    }
    int64_t next_draw = a.draws != nullptr ? a.thin : a.sweeps + 1, m = 0;
    for (int64_t sweep = 1; sweep <= a.sweeps; ++sweep) {
        if (s.status == OK) {
            make_sweep(gibbs, a, a.first_index + static_cast<uint64_t>(i),
                       a.first_sweep + sweep - 1, s);
        }
        if (sweep == next_draw) {
            keep_draw(gibbs, a, m++, i, s);
            next_draw += a.thin;
        }
    }
    store_chain(gibbs, a, i, s);
}

} // namespace gm
