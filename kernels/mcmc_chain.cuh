/*
 * Markov chains over a density, see genmath/mcmc.h. Every method is a leapfrog trajectory in units
 * of the scale S, v = S^T momentum:
 *
 *     v += e/2 b S^T g(y);  L times: y += e S v, v += e b S^T g(y), half of that the last time
 *
 * with b the inverse temperature, e = h for HMC; L = 1 and e = sqrt(2 h) for the Langevin methods;
 * a random walk is y + h S v. COMPONENT moves one coordinate after the other.
 *
 * Grid: one thread a chain, blocks of 128. Shared memory: none. State, gradient and velocity in
 * registers for all steps; noise is made where it is used: a pure function of (seed, chain, step).
 * The number of leapfrog steps is the same for all chains of a step, so that a warp parts only
 * where a body does; a rejected proposal is a choice, no branch.
 *
 * Bound: instruction issue of the gradient; at most 5 dim registers (doubles: twice that) are live,
 * so that from about 40 floats on they spill to local memory. A factor is read where it lies, by
 * all threads of a warp at once if they share it; what it multiplies goes through local memory, so
 * that the arrays above stay registers. Over data the rows of density_rows.cuh are the bound: as
 * many loads as columns a row and evaluation.
 */
#pragma once

#include <genmath/detail/chain_noise.h>

#include "kernels/density_rows.cuh"
#include "kernels/functions.cuh"

namespace gm {

/* As gm_mcmc_method. */
constexpr int MCMC_RWM = 0, MCMC_ULA = 1, MCMC_MALA = 2, MCMC_HMC = 3, MCMC_COMPONENT = 4;
constexpr int INVALID_ARGUMENT = 1; /* as in genmath/status.h */

template <typename real> struct mcmc_params {
    int64_t n, first_step, steps, thin;
    uint64_t seed, first_index;
    int32_t method, leapfrogs, jitter;
    const real *start, *params, *step, *scale, *beta, *factor;
    real target, *end, *draws, *mean, *variance, *end_step, *end_scale, *logp;
    int32_t *accepted, *outside, *status;
    int64_t start_stride[2], params_stride[2], step_stride[1], scale_stride[2], beta_stride[1];
    int64_t factor_stride[3];
    int64_t end_stride[2], draws_stride[3], mean_stride[2], variance_stride[2];
    int64_t end_step_stride[1], accepted_stride[1], outside_stride[1], status_stride[1],
        logp_stride[1], end_scale_stride[2];
    data_rows<real> data;
};

/* Noise in the precision asked for. */
template <typename real> struct chain_noise;
template <> struct chain_noise<float> {
    static constexpr int per_block = 4;
    static __device__ __forceinline__ void block(uint64_t seed, uint64_t index, uint64_t number,
                                                 float *z) {
        gm_normal4_f32(seed, index, GM_STREAM_CHAIN, number, z, z + 1, z + 2, z + 3);
    }
    static __device__ __forceinline__ float exponential(uint64_t seed, uint64_t index,
                                                        int64_t step) {
        return gm_chain_exponential_f32(seed, index, step);
    }
};
template <> struct chain_noise<double> {
    static constexpr int per_block = 2;
    static __device__ __forceinline__ void block(uint64_t seed, uint64_t index, uint64_t number,
                                                 double *z) {
        gm_normal2_f64(seed, index, GM_STREAM_CHAIN, number, z, z + 1);
    }
    static __device__ __forceinline__ double exponential(uint64_t seed, uint64_t index,
                                                         int64_t step) {
        return gm_chain_exponential_f64(seed, index, step);
    }
};

/* A chain in registers. *_new: along the trajectory. */
template <class Density, typename real> struct chain {
    real y[Density::max_dim], g[Density::max_dim], scale[Density::max_dim];
    real y_new[Density::max_dim], g_new[Density::max_dim], v[Density::max_dim];
    real mean[Density::max_dim], square[Density::max_dim];
    real p[Density::max_params > 0 ? Density::max_params : 1];
    const real *factor; /* nullptr: diagonal */
    real size, beta, logp, logp_new, kinetic;
    real log_start, error, log_mean; /* of the adaptation */
    int64_t made, accepted, outside;
    int status;
};

template <class Density, typename real>
__device__ __forceinline__ void draw_velocity(const Density &density, const mcmc_params<real> &a,
                                              uint64_t index, int64_t step,
                                              chain<Density, real> &s) {
    constexpr int per_block = chain_noise<real>::per_block;
    const int64_t blocks = gm_chain_blocks(density.dim(), per_block);
    GM_UNROLL for (int b = 0; b * per_block < density.dim(); ++b) {
        real z[per_block];
        chain_noise<real>::block(a.seed, index, static_cast<uint64_t>(step * blocks + b), z);
        GM_UNROLL for (int k = 0; k < per_block; ++k) {
            if (b * per_block + k < density.dim()) {
                s.v[b * per_block + k] = z[k];
            }
        }
    }
}

template <class Density, typename real>
__device__ __forceinline__ void add_kinetic(const Density &density, real factor,
                                            chain<Density, real> &s) {
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        s.kinetic += factor * (s.v[c] * s.v[c]);
    }
}

/* S x, or S^T x, for a factor of the given strides. */
template <typename real>
__device__ inline void multiply_factor(const real *factor, const int64_t *stride, int dim,
                                       bool transposed, const real *x, real *out) {
    for (int c = 0; c < dim; ++c) {
        real sum = 0;
        const int first = transposed ? c : 0, last = transposed ? dim - 1 : c;
        const real *entry = factor + c * stride[transposed ? 1 : 0];
        for (int k = first; k <= last; ++k) {
            sum += entry[k * stride[transposed ? 0 : 1]] * x[k];
        }
        out[c] = sum;
    }
}

/* out = S in, or S^T in. */
template <class Density, typename real>
__device__ __forceinline__ void apply_scale(const Density &density, const mcmc_params<real> &a,
                                            const chain<Density, real> &s, bool transposed,
                                            const real *in, real *out) {
    if (s.factor == nullptr) {
        GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
            out[c] = s.scale[c] * in[c];
        }
        return;
    }
    real x[Density::max_dim], product[Density::max_dim];
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        x[c] = in[c];
    }
    multiply_factor(s.factor, a.factor_stride, density.dim(), transposed, x, product);
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        out[c] = product[c];
    }
}

template <class Density, typename real>
__device__ __forceinline__ void kick(const Density &density, const mcmc_params<real> &a,
                                     const real *g, real factor, chain<Density, real> &s) {
    const real push = factor * s.size * s.beta;
    real pull[Density::max_dim];
    apply_scale(density, a, s, true, g, pull);
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        s.v[c] += push * pull[c];
    }
}

template <class Density, typename real>
__device__ __forceinline__ void drift(const Density &density, const mcmc_params<real> &a,
                                      const real *from, chain<Density, real> &s) {
    real way[Density::max_dim];
    apply_scale(density, a, s, false, s.v, way);
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        s.y_new[c] = from[c] + s.size * way[c];
    }
}

/* The proposal into y_new; returns the log of the ratio that decides upon it. */
template <class Density, typename real>
__device__ __forceinline__ real propose(const Density &density, const mcmc_params<real> &a,
                                        int64_t step, chain<Density, real> &s) {
    const real half = static_cast<real>(0.5);
    s.kinetic = 0;
    if (a.method == MCMC_RWM) {
        drift(density, a, s.y, s);
    } else {
        const int32_t length = gm_chain_length(a.seed, step, a.leapfrogs, a.jitter);
        add_kinetic(density, half, s);
        kick(density, a, s.g, half, s);
        drift(density, a, s.y, s);
        gradient_of(density, a.data, s.y_new, s.p, s.g_new);
        for (int32_t l = 1; l < length; ++l) {
            kick(density, a, s.g_new, static_cast<real>(1), s);
            drift(density, a, s.y_new, s);
            gradient_of(density, a.data, s.y_new, s.p, s.g_new);
        }
    }
    if (a.method == MCMC_ULA) {
        return 0;
    }
    log_density_of(density, a.data, s.y_new, s.p, &s.logp_new);
    if (a.method != MCMC_RWM) {
        kick(density, a, s.g_new, half, s);
        add_kinetic(density, -half, s);
    }
    return s.beta * (s.logp_new - s.logp) + s.kinetic;
}

/* Welford's update by the state after a step. */
template <class Density, typename real>
__device__ __forceinline__ void add_moments(const Density &density, chain<Density, real> &s) {
    const real weight = 1 / static_cast<real>(s.made);
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        const real apart = s.y[c] - s.mean[c];
        s.square[c] += apart * (apart - weight * apart);
        s.mean[c] += weight * apart;
    }
}

/* Dual averaging after step number s.made of the call; t^(3/4) by roots. */
template <class Density, typename real>
__device__ __forceinline__ void adapt(const mcmc_params<real> &a, real ratio, bool finite,
                                      chain<Density, real> &s) {
    constexpr int offset = 10, gain = 20; /* GM_ADAPT_* of host/mcmc_args.h */
    const real t = static_cast<real>(s.made), root_t = root(t);
    const real accept = finite ? exponential(ratio < 0 ? ratio : static_cast<real>(0)) : 0;
    s.error += (a.target - accept - s.error) / (t + offset);
    const real log_h = s.log_start - root_t * gain * s.error;
    s.log_mean += (log_h - s.log_mean) / (root_t * root(root_t));
    const real h = exponential(log_h);
    s.size = a.method == MCMC_MALA ? root(2 * h) : h;
}

/* Metropolis within Gibbs. Coordinates are chosen by comparison: an index would send the arrays to
 * local memory. */
template <class Density, typename real>
__device__ __forceinline__ void sweep(const Density &density, const mcmc_params<real> &a,
                                      uint64_t index, int64_t step, chain<Density, real> &s) {
    constexpr int gain = 2; /* GM_ADAPT_COMPONENT of host/mcmc_args.h */
    const real root_t = root(static_cast<real>(s.made + 1)), rate = gain / (root_t * root(root_t));
    for (int u = 0; u < density.dim(); ++u) {
        const int at = gm_chain_coordinate(a.seed, step, u, density.dim(), a.jitter);
        real to = 0;
        GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
            to = c == u ? s.v[c] : to;
        }
        GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
            s.y_new[c] = c == at ? s.y[c] + s.size * (s.scale[c] * to) : s.y[c];
        }
        log_density_of(density, a.data, s.y_new, s.p, &s.logp_new);
        const real ratio = s.beta * (s.logp_new - s.logp);
        const bool finite = all_finite(density, s.y_new) && is_finite(ratio);
        const int64_t decision = step * density.dim() + u;
        const bool yes =
            finite && ratio >= -chain_noise<real>::exponential(a.seed, index, decision);
        const real accept = finite ? exponential(ratio < 0 ? ratio : static_cast<real>(0)) : 0;
        const real growth = a.target > 0 ? exponential(rate * (accept - a.target)) : 1;
        GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
            s.y[c] = yes ? s.y_new[c] : s.y[c];
            s.scale[c] = c == at ? s.scale[c] * growth : s.scale[c];
        }
        s.logp = yes ? s.logp_new : s.logp;
        s.accepted += yes;
        s.outside += !finite;
    }
    ++s.made;
    if (a.mean != nullptr || a.variance != nullptr) {
        add_moments(density, s);
    }
}

template <class Density, typename real>
__device__ __forceinline__ void make_step(const Density &density, const mcmc_params<real> &a,
                                          uint64_t index, int64_t step, chain<Density, real> &s) {
    draw_velocity(density, a, index, step, s);
    if (a.method == MCMC_COMPONENT) {
        sweep(density, a, index, step, s);
        return;
    }
    const real ratio = propose(density, a, step, s);
    const bool finite = all_finite(density, s.y_new) && is_finite(ratio);
    if (a.method == MCMC_ULA && !finite) {
        s.status = NON_FINITE;
        ++s.outside;
        return;
    }
    const bool yes = finite && ratio >= -chain_noise<real>::exponential(a.seed, index, step);
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        s.y[c] = yes ? s.y_new[c] : s.y[c];
        s.g[c] = yes ? s.g_new[c] : s.g[c];
    }
    s.logp = yes ? s.logp_new : s.logp;
    s.accepted += yes;
    s.outside += !finite;
    ++s.made;
    if (a.mean != nullptr || a.variance != nullptr) {
        add_moments(density, s);
    }
    if (a.target > 0) {
        adapt(a, ratio, finite, s);
    }
}

/* Loads a chain and sees whether it can start. */
template <class Density, typename real>
__device__ __forceinline__ void start_chain(const Density &density, const mcmc_params<real> &a,
                                            int64_t i, chain<Density, real> &s) {
    const real h = a.step[i * a.step_stride[0]];
    s.beta = a.beta != nullptr ? a.beta[i * a.beta_stride[0]] : static_cast<real>(1);
    bool valid = is_finite(h) && h > 0 && is_finite(s.beta) && s.beta > 0;
    s.size = a.method == MCMC_ULA || a.method == MCMC_MALA ? root(2 * h) : h;
    s.made = s.accepted = s.outside = 0;
    s.log_start = logarithm(10 * h);
    s.error = s.log_mean = 0;
    s.logp = s.logp_new = 0;
    load_column(a.start, a.start_stride, i, density.dim(), s.y);
    load_column(a.params, a.params_stride, i, density.params(), s.p);
    s.factor = a.factor != nullptr ? a.factor + i * a.factor_stride[2] : nullptr;
    for (int c = 0; a.factor != nullptr && c < density.dim(); ++c) {
        const real *row = s.factor + c * a.factor_stride[0];
        for (int k = 0; k <= c; ++k) {
            valid = valid && is_finite(row[k * a.factor_stride[1]]);
        }
        valid = valid && row[c * a.factor_stride[1]] != 0;
    }
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        s.scale[c] = a.scale != nullptr ? a.scale[c * a.scale_stride[0] + i * a.scale_stride[1]]
                                        : static_cast<real>(1);
        valid = valid && is_finite(s.scale[c]) && s.scale[c] != 0;
        s.g[c] = s.g_new[c] = s.mean[c] = s.square[c] = 0;
    }
    if (a.method != MCMC_ULA) {
        log_density_of(density, a.data, s.y, s.p, &s.logp);
    }
    if (a.method != MCMC_RWM && a.method != MCMC_COMPONENT) {
        gradient_of(density, a.data, s.y, s.p, s.g);
    }
    const bool finite = all_finite(density, s.y) && all_finite(density, s.g) && is_finite(s.logp);
    s.status = !valid ? INVALID_ARGUMENT : finite ? OK : NON_FINITE;
}

template <class Density, typename real>
__device__ __forceinline__ void save_draw(const Density &density, const mcmc_params<real> &a,
                                          int64_t m, int64_t i, const chain<Density, real> &s) {
    const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        a.draws[m * a.draws_stride[0] + c * a.draws_stride[1] + i * a.draws_stride[2]] =
            s.status == OK ? s.y[c] : nan;
    }
}

template <class Density, typename real>
__device__ __forceinline__ void store_chain(const Density &density, const mcmc_params<real> &a,
                                            int64_t i, const chain<Density, real> &s) {
    const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
    GM_UNROLL for (int c = 0; c < density.dim(); ++c) {
        if (a.end != nullptr) {
            a.end[c * a.end_stride[0] + i * a.end_stride[1]] = s.y[c];
        }
        if (a.end_scale != nullptr) {
            a.end_scale[c * a.end_scale_stride[0] + i * a.end_scale_stride[1]] =
                s.made > 0 ? s.scale[c] : nan;
        }
        if (a.mean != nullptr) {
            a.mean[c * a.mean_stride[0] + i * a.mean_stride[1]] = s.made > 0 ? s.mean[c] : nan;
        }
        if (a.variance != nullptr) {
            a.variance[c * a.variance_stride[0] + i * a.variance_stride[1]] =
                s.made > 0 ? s.square[c] / static_cast<real>(s.made) : nan;
        }
    }
    if (a.end_step != nullptr) {
        a.end_step[i * a.end_step_stride[0]] = s.made > 0 ? exponential(s.log_mean) : nan;
    }
    if (a.logp != nullptr) {
        a.logp[i * a.logp_stride[0]] = s.status == OK ? s.logp : nan;
    }
    store_count(a.accepted, a.accepted_stride[0], i, s.accepted);
    store_count(a.outside, a.outside_stride[0], i, s.outside);
    store_count(a.status, a.status_stride[0], i, s.status);
}

template <class Density, typename real>
__device__ __forceinline__ void mcmc_chain(const Density &density, const mcmc_params<real> &a) {
    const int64_t i = trajectory_index();
    if (i >= a.n) {
        return;
    }
    chain<Density, real> s;
    start_chain(density, a, i, s);
    int64_t next_draw = a.draws != nullptr ? a.thin : a.steps + 1, m = 0;
    for (int64_t step = 1; step <= a.steps; ++step) {
        if (s.status == OK) {
            make_step(density, a, a.first_index + static_cast<uint64_t>(i), a.first_step + step - 1,
                      s);
        }
        if (step == next_draw) {
            save_draw(density, a, m++, i, s);
            next_draw += a.thin;
        }
    }
    if (a.method == MCMC_ULA && a.logp != nullptr) {
        log_density_of(density, a.data, s.y, s.p, &s.logp);
    }
    store_chain(density, a, i, s);
}

} // namespace gm
