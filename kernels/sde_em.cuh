/*
 * Euler–Maruyama over an ensemble: y += f(y, t) h + g(y, t) sqrt(h) z.
 *
 * Grid: one thread a trajectory, blocks of 128. Shared memory: none. State in registers; noise is
 * made where it is used, never stored: a pure function of (seed, trajectory, draw). A Philox block
 * gives 4 float or 2 double normals, so steps are taken in groups of 4 or 2, after which any number
 * of noises begins a new block: no normal is thrown away, and the group's normals stay in
 * registers.
 *
 * Bound: integer and floating-point instruction issue. A float normal costs about 10 wide
 * multiplies (a quarter of ten Philox rounds of two, each a pair of instructions) and 25 for
 * Box–Muller.
 */
#pragma once

#include <genmath/philox.h>

#include "kernels/ensemble.cuh"

namespace gm {

template <typename real> struct em_params {
    ensemble<real> e;
    real t0, t1, h, root_h;
    int64_t steps, save_every;
    uint64_t seed, first_index;
};

/* Normals of a block, in the precision asked for. */
template <typename real> struct normals;
template <> struct normals<float> {
    static constexpr int per_block = 4;
    static __device__ __forceinline__ void block(uint64_t seed, uint64_t index, uint64_t number,
                                                 float *z) {
        gm_normal4_f32(seed, index, GM_STREAM_SDE, number, z, z + 1, z + 2, z + 3);
    }
};
template <> struct normals<double> {
    static constexpr int per_block = 2;
    static __device__ __forceinline__ void block(uint64_t seed, uint64_t index, uint64_t number,
                                                 double *z) {
        gm_normal2_f64(seed, index, GM_STREAM_SDE, number, z, z + 1);
    }
};

/* One step with normals z; y_new may not be y. */
template <class Sde, typename real>
__device__ __forceinline__ void em_step(const Sde &sde, const em_params<real> &a, real t,
                                        const real *y, const real *p, const real *z, real *y_new) {
    real f[Sde::max_dim], g[Sde::max_dim * Sde::max_noises];
    sde.rhs(t, y, p, f);
    sde.diffusion(t, y, p, g);
    GM_UNROLL for (int c = 0; c < sde.dim(); ++c) {
        real kick = 0;
        if (sde.is_diagonal()) {
            kick = g[c] * z[c];
        } else {
            GM_UNROLL for (int j = 0; j < sde.noises(); ++j) {
                kick += g[c * sde.noises() + j] * z[j];
            }
        }
        y_new[c] = y[c] + a.h * f[c] + a.root_h * kick;
    }
}

template <class Sde, typename real>
__device__ __forceinline__ void em_trajectory(const Sde &sde, const em_params<real> &a) {
    constexpr int group = normals<real>::per_block;
    const int64_t i = trajectory_index();
    if (i >= a.e.n) {
        return;
    }
    const uint64_t index = a.first_index + static_cast<uint64_t>(i);
    real y[Sde::max_dim], p[Sde::max_params > 0 ? Sde::max_params : 1];
    load_column(a.e.y0, a.e.y0_stride, i, sde.dim(), y);
    load_column(a.e.params, a.e.params_stride, i, sde.params(), p);
    const int64_t saves = a.save_every > 0 ? a.steps / a.save_every : 0;
    const bool moves = a.root_h != 0; /* t1 may differ from t0 by less than `real` shows */
    bool ok = all_finite(sde, y);
    int64_t step = 0, m = 0, next_save = saves > 0 ? a.save_every : a.steps + 1;
    while (ok && step < a.steps) {
        real z[group * Sde::max_noises];
        const uint64_t first =
            static_cast<uint64_t>(step / group) * static_cast<uint64_t>(sde.noises());
        GM_UNROLL for (int b = 0; b < sde.noises(); ++b) {
            normals<real>::block(a.seed, index, first + static_cast<uint64_t>(b), z + group * b);
        }
        GM_UNROLL for (int k = 0; k < group; ++k) {
            if (ok && step < a.steps) {
                real y_new[Sde::max_dim];
                em_step(sde, a, multiply_add(static_cast<real>(step), a.h, a.t0), y, p,
                        z + k * sde.noises(), y_new);
                ok = !moves || all_finite(sde, y_new);
                if (ok) {
                    if (moves) {
                        copy_state(sde, y_new, y);
                    }
                    ++step;
                    if (step == next_save) {
                        save_state(sde, a.e, m++, i, y);
                        next_save += m < saves ? a.save_every : a.steps + 1;
                    }
                }
            }
        }
    }
    save_nan(sde, a.e, m, saves, i);
    store_end(sde, a.e, i, y, ok ? a.t1 : multiply_add(static_cast<real>(step), a.h, a.t0));
    store_count(a.e.status, a.e.status_stride, i, ok ? OK : NON_FINITE);
}

} // namespace gm
