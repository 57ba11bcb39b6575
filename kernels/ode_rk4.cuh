/*
 * The classical Runge–Kutta method over an ensemble:
 *     y_{k+1} = y_k + h/6 (k1 + 2 k2 + 2 k3 + k4)
 *
 * Grid: one thread a trajectory, blocks of 128. Shared memory: none. State, slopes and the sum of
 * slopes stay in registers (4 dim + params of them) over all steps; a step costs its four
 * evaluations and 8 dim multiply-adds, and touches no memory, so the kernel is bound by the
 * floating-point pipe: for Lorenz 44 instructions (75 operations) a step.
 *
 * Finiteness is checked after every 64 steps; a segment that has gone bad is taken again step by
 * step to find the last finite state. That keeps the check, 3 % of a Lorenz step if made each time,
 * off the path that matters.
 */
#pragma once

#include "kernels/ensemble.cuh"

namespace gm {

template <typename real> struct rk4_params {
    ensemble<real> e;
    real t0, t1, h;
    int64_t steps;            /* 0 where t1 = t0 */
    const int64_t *save_step; /* save m lies save_theta[m] of a step after step save_step[m] */
    const real *save_theta;
    int64_t save_count;
};

/* Times come from the step's number, so they neither drift nor overshoot. */
template <typename real> __device__ __forceinline__ real step_time(real t0, real h, int64_t step) {
    return multiply_add(static_cast<real>(step), h, t0);
}

template <class System, typename real>
__device__ __forceinline__ void rk4_step(const System &system, real t, real h, real *y,
                                         const real *p) {
    real slope[System::max_dim], sum[System::max_dim], at[System::max_dim];
    const real half = h / 2, sixth = h / 6;
    system.rhs(t, y, p, slope);
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        sum[c] = slope[c];
        at[c] = y[c] + half * slope[c];
    }
    system.rhs(t + half, at, p, slope);
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        sum[c] += 2 * slope[c];
        at[c] = y[c] + half * slope[c];
    }
    system.rhs(t + half, at, p, slope);
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        sum[c] += 2 * slope[c];
        at[c] = y[c] + h * slope[c];
    }
    system.rhs(t + h, at, p, slope);
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        y[c] += sixth * (sum[c] + slope[c]);
    }
}

/* Takes steps first .. last - 1; returns the number of the first step whose result is not finite,
 * with y before it, or `last`. */
template <class System, typename real>
__device__ __forceinline__ int64_t rk4_advance(const System &system, const rk4_params<real> &a,
                                               int64_t first, int64_t last, real *y,
                                               const real *p) {
    real before[System::max_dim];
    for (int64_t step = first; step < last;) {
        const int length = static_cast<int>(last - step < 64 ? last - step : 64);
        copy_state(system, y, before);
        for (int k = 0; k < length; ++k) {
            rk4_step(system, step_time(a.t0, a.h, step + k), a.h, y, p);
        }
        if (!all_finite(system, y)) {
            copy_state(system, before, y);
            for (int k = 0; k < length; ++k) {
                copy_state(system, y, before);
                rk4_step(system, step_time(a.t0, a.h, step + k), a.h, y, p);
                if (!all_finite(system, y)) {
                    copy_state(system, before, y);
                    return step + k;
                }
            }
        }
        step += length;
    }
    return last;
}

/* The state a fraction x of a step after `old`: the cubic through both ends and their slopes. */
template <class System, typename real>
__device__ __forceinline__ void rk4_hermite(const System &system, real t, real h, real x,
                                            const real *old, const real *y, const real *p,
                                            real *at) {
    real k[System::max_dim], k_new[System::max_dim];
    system.rhs(t, old, p, k);
    system.rhs(t + h, y, p, k_new);
    const real rest = 1 - x;
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        at[c] = rest * rest * ((1 + 2 * x) * old[c] + x * h * k[c]) +
                x * x * ((3 - 2 * x) * y[c] - rest * h * k_new[c]);
    }
}

template <class System, typename real>
__device__ __forceinline__ void rk4_trajectory(const System &system, const rk4_params<real> &a) {
    const int64_t i = trajectory_index();
    if (i >= a.e.n) {
        return;
    }
    real y[System::max_dim], p[System::max_params > 0 ? System::max_params : 1];
    load_column(a.e.y0, a.e.y0_stride, i, system.dim(), y);
    load_column(a.e.params, a.e.params_stride, i, system.params(), p);
    bool ok = all_finite(system, y);
    int64_t step = 0, m = 0;
    bool evaluated_bad_step = false;
    while (ok) {
        const int64_t target = m < a.save_count ? a.save_step[m] : a.steps;
        step = rk4_advance(system, a, step, target, y, p);
        ok = step == target;
        evaluated_bad_step = !ok;
        if (!ok || m >= a.save_count) {
            break;
        }
        if (a.save_theta[m] == 0) {
            save_state(system, a.e, m++, i, y);
            continue;
        }
        real old[System::max_dim], at[System::max_dim];
        copy_state(system, y, old);
        ok = rk4_advance(system, a, step, step + 1, y, p) == step + 1;
        evaluated_bad_step = !ok;
        for (; ok && m < a.save_count && a.save_step[m] == step; ++m) {
            rk4_hermite(system, step_time(a.t0, a.h, step), a.h, a.save_theta[m], old, y, p, at);
            save_state(system, a.e, m, i, at);
        }
        step += ok ? 1 : 0;
    }
    save_nan(system, a.e, m, a.save_count, i);
    store_end(system, a.e, i, y, ok ? a.t1 : step_time(a.t0, a.h, step));
    store_outcome(a.e, i, ok ? OK : NON_FINITE, step, 0, 4 * (step + (evaluated_bad_step ? 1 : 0)));
}

} // namespace gm
