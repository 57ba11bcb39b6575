/*
 * Adaptive seven-stage pairs (Tsitouras 5(4), Dormand–Prince 5(4)) over an ensemble:
 *     k_i = f(t + c_i h, y + h sum_{j<i} a_ij k_j)
 *     y_new = y + h sum_i b_i k_i,  error = h sum_i e_i k_i
 *
 * Grid: one thread a trajectory, blocks of 128, each thread loops until its own trajectory ends.
 * Shared memory: none. All seven stages stay in registers (9 dim + params); FSAL gives six
 * evaluations an attempt. The tableau is a kernel argument: coefficients are then operands from
 * constant memory, which cost nothing beside the multiply-add that uses them, and one kernel serves
 * every pair.
 *
 * Numerics: the state, the stages and the error are in the trajectory's precision, the controller
 * in float: only the next step's size sees it, and in double its pow, divisions and root would take
 * 110 of 275 instructions of a Lorenz attempt. Time is t + t_low (Kahan), so that float does not
 * lose short steps, and the last step ends at t1 exactly.
 *
 * Trajectories of one warp wait for the slowest: neighbours in memory should be neighbours in
 * parameters. For Lorenz with rho sorted, 99 % of the lanes of a warp are busy on average.
 */
#pragma once

#include "host/step_factor.h"
#include "kernels/ensemble.cuh"

namespace gm {

constexpr int ERK_STAGES = 7;

/* The layout of gm_tableau_f64 and gm_tableau_f32. */
template <typename real> struct tableau { real c[7], a[7][6], b[7], e[7], interpolant[7][4]; };

template <typename real> struct erk_params {
    ensemble<real> e;
    tableau<real> table;
    real t0, t1, t0_low, t1_low; /* the times are t0 + t0_low and t1 + t1_low */
    real rtol, atol, first_step, min_step;
    int32_t max_steps;
    const real *save_times;
    int64_t save_count;
};

__device__ __forceinline__ float resolution(float) {
    return 0x1p-21f;
}

__device__ __forceinline__ double resolution(double) {
    return 0x1p-50;
}

template <typename real> __device__ __forceinline__ real signed_length(const erk_params<real> &a) {
    return (a.t1 - a.t0) + (a.t1_low - a.t0_low);
}

/* (v / scale)^2 in float; a scale that float cannot hold is divided by in full precision. */
template <typename real> __device__ __forceinline__ float scaled_square(real v, real scale) {
    const float size = static_cast<float>(scale);
    const float ratio = size > 1e-30f && size < 1e30f ? static_cast<float>(v) / size
                                                      : static_cast<float>(v / scale);
    return ratio * ratio;
}

template <typename real> __device__ __forceinline__ real magnitude(real value) {
    return value < 0 ? -value : value;
}

/* Root mean square of v_c / (atol + rtol |y_c|). */
template <class System, typename real>
__device__ __forceinline__ float start_norm(const System &system, const erk_params<real> &a,
                                            const real *v, const real *y) {
    float sum = 0;
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        sum += scaled_square(v[c], a.atol + a.rtol * magnitude(y[c]));
    }
    return gm_sqrt_f32(sum / static_cast<float>(system.dim()));
}

/* The first step's size, from the sizes of y, y' and y'' (Hairer, Nørsett, Wanner, II.4). */
template <class System, typename real>
__device__ __forceinline__ real first_step(const System &system, const erk_params<real> &a,
                                           real direction, const real *y, const real *p,
                                           const real *k1) {
    const real length = magnitude(signed_length(a));
    if (a.first_step > 0) {
        return a.first_step < length ? a.first_step : length;
    }
    const float d0 = start_norm(system, a, y, y), d1 = start_norm(system, a, k1, y);
    real h0 = static_cast<real>(d0 < 1e-5f || d1 < 1e-5f ? 1e-6f : 0.01f * d0 / d1);
    h0 = h0 < length ? h0 : length;
    real at[System::max_dim], k[System::max_dim];
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        at[c] = y[c] + direction * h0 * k1[c];
    }
    system.rhs(a.t0 + direction * h0, at, p, k);
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        k[c] -= k1[c];
    }
    const float d2 = start_norm(system, a, k, y) / static_cast<float>(h0);
    const real guess = static_cast<real>(gm_first_step_guess(d1 > d2 ? d1 : d2));
    const real h1 = guess < 100 * h0 ? guess : 100 * h0;
    const real h = h1 < length ? h1 : length;
    return is_finite(h) && h > 0 ? h : h0 > a.min_step ? h0 : a.min_step;
}

/* The integration of one trajectory: what an attempt reads and changes. */
template <class System, typename real> struct erk_state {
    real t, t_low, h;
    real y[System::max_dim], y_new[System::max_dim], error[System::max_dim];
    real p[System::max_params > 0 ? System::max_params : 1];
    real k[ERK_STAGES][System::max_dim];
    int64_t saves;
};

template <class System, typename real>
__device__ __forceinline__ void attempt(const System &system, const tableau<real> &table, real step,
                                        erk_state<System, real> &s) {
    GM_UNROLL for (int i = 1; i < ERK_STAGES; ++i) {
        GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
            real sum = 0;
            GM_UNROLL for (int j = 0; j < i; ++j) {
                sum += table.a[i][j] * s.k[j][c];
            }
            s.y_new[c] = s.y[c] + step * sum;
        }
        /* The last stage stands at the new state (FSAL): y_new is right when the loop ends. */
        system.rhs(s.t + table.c[i] * step, s.y_new, s.p, s.k[i]);
    }
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        real sum = 0;
        GM_UNROLL for (int j = 0; j < ERK_STAGES; ++j) {
            sum += table.e[j] * s.k[j][c];
        }
        s.error[c] = step * sum;
    }
}

/* The squared error norm; NaN if the new state or its slope is not finite. */
template <class System, typename real>
__device__ __forceinline__ float error_norm(const System &system, const erk_params<real> &a,
                                            const erk_state<System, real> &s) {
    float sum = 0;
    bool finite = true;
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        const real old_size = magnitude(s.y[c]), new_size = magnitude(s.y_new[c]);
        const real scale = a.atol + a.rtol * (old_size > new_size ? old_size : new_size);
        sum += scaled_square(s.error[c], scale);
        finite = finite && is_finite(s.y_new[c]) && is_finite(s.k[ERK_STAGES - 1][c]);
    }
    return finite ? sum / static_cast<float>(system.dim()) : gm_from_bits_f32(0x7fc00000u);
}

/* States at the save times that an accepted attempt has passed; before y moves on. */
template <class System, typename real>
__device__ __forceinline__ void save_passed(const System &system, const erk_params<real> &a,
                                            int64_t i, real direction, real step, bool last,
                                            erk_state<System, real> &s) {
    for (; s.saves < a.save_count; ++s.saves) {
        const real t = a.save_times[s.saves];
        const real offset = (t - s.t) - s.t_low;
        if (!last && direction * offset > s.h) {
            return;
        }
        const real x = offset / step;
        real at[System::max_dim];
        GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
            real sum = 0;
            GM_UNROLL for (int j = 0; j < ERK_STAGES; ++j) {
                const real *q = a.table.interpolant[j];
                sum += x * (q[0] + x * (q[1] + x * (q[2] + x * q[3]))) * s.k[j][c];
            }
            at[c] = last && t == a.t1 ? s.y_new[c] : s.y[c] + step * sum;
        }
        save_state(system, a.e, s.saves, i, at);
    }
}

/* Attempts steps until t1 or a failure; returns the status. */
template <class System, typename real>
__device__ __forceinline__ int erk_integrate(const System &system, const erk_params<real> &a,
                                             int64_t i, real direction, erk_state<System, real> &s,
                                             int32_t &accepted, int32_t &attempts) {
    for (;;) {
        const real remaining = direction * ((a.t1 - s.t) + (a.t1_low - s.t_low));
        const bool last = s.h >= remaining;
        s.h = last ? remaining : s.h;
        const real step = direction * s.h;
        attempt(system, a.table, step, s);
        const float norm = error_norm(system, a, s);
        ++attempts;
        if (norm <= 1.0f) {
            save_passed(system, a, i, direction, step, last, s);
            ++accepted;
            copy_state(system, s.y_new, s.y);
            copy_state(system, s.k[ERK_STAGES - 1], s.k[0]);
            if (last) {
                s.t = a.t1;
                return OK;
            }
            const real move = step + s.t_low, t_new = s.t + move;
            s.t_low = move - (t_new - s.t);
            s.t = t_new;
        }
        s.h *= static_cast<real>(gm_step_factor(norm));
        const real resolved = resolution(s.t) * magnitude(s.t);
        if (s.h < (resolved > a.min_step ? resolved : a.min_step)) {
            return is_finite(norm) ? STEP_TOO_SMALL : NON_FINITE;
        }
        if (attempts >= a.max_steps) {
            return is_finite(norm) ? NOT_CONVERGED : NON_FINITE;
        }
    }
}

template <class System, typename real>
__device__ __forceinline__ void erk_trajectory(const System &system, const erk_params<real> &a) {
    const int64_t i = trajectory_index();
    if (i >= a.e.n) {
        return;
    }
    erk_state<System, real> s;
    load_column(a.e.y0, a.e.y0_stride, i, system.dim(), s.y);
    load_column(a.e.params, a.e.params_stride, i, system.params(), s.p);
    s.t = a.t0;
    s.t_low = a.t0_low;
    int status = OK;
    int32_t accepted = 0, attempts = 0;
    int64_t evaluations = 0;
    for (s.saves = 0; s.saves < a.save_count && a.save_times[s.saves] == a.t0; ++s.saves) {
        save_state(system, a.e, s.saves, i, s.y);
    }
    if (signed_length(a) != 0) {
        system.rhs(s.t, s.y, s.p, s.k[0]);
        evaluations = 1;
        if (all_finite(system, s.y) && all_finite(system, s.k[0])) {
            const real direction = static_cast<real>(signed_length(a) > 0 ? 1 : -1);
            s.h = first_step(system, a, direction, s.y, s.p, s.k[0]);
            status = erk_integrate(system, a, i, direction, s, accepted, attempts);
            evaluations = (a.first_step > 0 ? 1 : 2) + static_cast<int64_t>(attempts) * 6;
        } else {
            status = NON_FINITE;
        }
    }
    save_nan(system, a.e, s.saves, a.save_count, i);
    store_end(system, a.e, i, s.y, s.t);
    store_outcome(a.e, i, status, accepted, attempts - accepted, evaluations);
}

} // namespace gm
