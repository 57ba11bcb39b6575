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

/* Of a block of Philox. */
template <typename real> constexpr int noise_per_block = sizeof(real) == 4 ? 4 : 2;

/* `most` numbers of noise, and the block of Philox that the last of them is of: the next update may
 * begin in it. */
template <int most, typename real> struct noise_numbers {
    real values[most > 0 ? most : 1], held[noise_per_block<real>];
    int64_t held_block;
};

/* A chain in registers, and the noise of an update. */
template <class Gibbs, typename real> struct gibbs_state {
    real y[Gibbs::max_dim], p[Gibbs::max_params > 0 ? Gibbs::max_params : 1];
    real mean[Gibbs::max_dim], square[Gibbs::max_dim];
    noise_numbers<Gibbs::max_normals, real> z;
    noise_numbers<Gibbs::max_uniforms, real> u;
    int64_t made;
    int status;
};

/* A block of one stream or the other. */
struct normal_block {
    static __device__ __forceinline__ void make(uint64_t seed, uint64_t index, int64_t block,
                                                float *z) {
        gm_normal4_f32(seed, index, GM_STREAM_CHAIN, static_cast<uint64_t>(block), z, z + 1, z + 2,
                       z + 3);
    }
    static __device__ __forceinline__ void make(uint64_t seed, uint64_t index, int64_t block,
                                                double *z) {
        gm_normal2_f64(seed, index, GM_STREAM_CHAIN, static_cast<uint64_t>(block), z, z + 1);
    }
};

struct uniform_block {
    static __device__ __forceinline__ void make(uint64_t seed, uint64_t index, int64_t block,
                                                float *u) {
        gm_gibbs_uniform4_f32(seed, index, static_cast<uint64_t>(block), u, u + 1, u + 2, u + 3);
    }
    static __device__ __forceinline__ void make(uint64_t seed, uint64_t index, int64_t block,
                                                double *u) {
        gm_gibbs_uniform2_f64(seed, index, static_cast<uint64_t>(block), u, u + 1);
    }
};

/* The numbers of an update. Where in a block they begin is the same in all threads; they are moved
 * there by choices, as an index would send them to local memory. */
template <class Block, int most, typename real>
__device__ __forceinline__ void draw_numbers(uint64_t seed, uint64_t index, int64_t update,
                                             int count, noise_numbers<most, real> &noise) {
    constexpr int m = noise_per_block<real>;
    if (count == 0) {
        return;
    }
    const gm_gibbs_span span = gm_gibbs_span_of(update, count, m);
    real made[most + 2 * m];
    GM_UNROLL for (int b = 0; b * m < count + m - 1; ++b) {
        if (b == 0 && span.first == noise.held_block) {
            GM_UNROLL for (int k = 0; k < m; ++k) {
                made[k] = noise.held[k];
            }
        } else if (span.first + b <= span.last) {
            Block::make(seed, index, span.first + b, made + b * m);
        }
        if (span.first + b == span.last) {
            GM_UNROLL for (int k = 0; k < m; ++k) {
                noise.held[k] = made[b * m + k];
            }
        }
    }
    noise.held_block = span.last;
    GM_UNROLL for (int c = 0; c < count; ++c) {
        noise.values[c] = made[c];
        GM_UNROLL for (int k = 1; k < m; ++k) {
            noise.values[c] = k == span.offset ? made[c + k] : noise.values[c];
        }
    }
}

/* Update u of a sweep, of the same block in all chains. */
template <class Gibbs, typename real>
__device__ __forceinline__ void update_chain(const Gibbs &gibbs, const gibbs_params<real> &a,
                                             uint64_t index, int64_t sweep, int u,
                                             gibbs_state<Gibbs, real> &s) {
    const int block = gm_chain_coordinate(a.seed, sweep, u, gibbs.blocks(), a.is_random);
    real next[Gibbs::max_dim];
    const int64_t number = sweep * gibbs.blocks() + u;
    draw_numbers<normal_block>(a.seed, index, number, gibbs.normals(), s.z);
    draw_numbers<uniform_block>(a.seed, index, number, gibbs.uniforms(), s.u);
    copy_state(gibbs, s.y, next);
    GM_UNROLL for (int b = 0; b < gibbs.blocks(); ++b) {
        if (b == block) {
            gibbs.update(b, s.y, s.p, s.z.values, s.u.values, next);
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
    s.z.held_block = s.u.held_block = -1;
    GM_UNROLL for (int k = 0; k < noise_per_block<real>; ++k) {
        s.z.held[k] = s.u.held[k] = 0;
    }
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
