/*
 * What the kernels over ensembles of trajectories share: one thread a trajectory, its state in
 * registers for the whole integration, global memory touched once at each end and at saves. Read by
 * nvcc, by the emulator's compiler and by NVRTC, so it includes no host header.
 *
 * A System has static constexpr int max_dim, max_params (sizes of the local arrays), dim() and
 * params() (constants of a compiled system, so that every loop unrolls and the arrays become
 * registers), and rhs(t, y, p, dydt) in float and double. An Sde adds max_noises, noises(),
 * is_diagonal() and diffusion(t, y, p, g).
 */
#pragma once

#include <genmath/compiler.h>
#include <genmath/math.h>

namespace gm {

constexpr int ENSEMBLE_BLOCK =
    128; /* threads: 4 warps, one for each scheduler of a multiprocessor */

/* Statuses of a trajectory, as in genmath/status.h. */
constexpr int OK = 0, NOT_CONVERGED = 9, STEP_TOO_SMALL = 10, NON_FINITE = 11;

/* gm_ensemble_arrays with types; see host/ensemble_args.h. */
template <typename real> struct ensemble {
    int64_t n;
    const real *y0, *params;
    real *end, *saved, *time;
    int32_t *status, *accepted, *rejected, *evaluations;
    int64_t y0_stride[2], params_stride[2], end_stride[2], saved_stride[3];
    int64_t time_stride, status_stride, accepted_stride, rejected_stride, evaluations_stride;
};

/* By the exponent's bits: integer instructions leave the floating-point pipe to the solver. */
__device__ __forceinline__ bool is_finite(float value) {
    return (gm_bits_f32(value) & 0x7f800000u) != 0x7f800000u;
}

__device__ __forceinline__ bool is_finite(double value) {
    return (static_cast<uint32_t>(gm_bits_f64(value) >> 32) & 0x7ff00000u) != 0x7ff00000u;
}

__device__ __forceinline__ float multiply_add(float a, float b, float c) {
    return gm_fma_f32(a, b, c);
}

__device__ __forceinline__ double multiply_add(double a, double b, double c) {
    return gm_fma_f64(a, b, c);
}

/* The trajectory of this thread; n and above for the threads past the last. */
__device__ __forceinline__ int64_t trajectory_index() {
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <typename real>
__device__ __forceinline__ void load_column(const real *rows, const int64_t *stride, int64_t i,
                                            int count, real *values) {
    GM_UNROLL for (int c = 0; c < count; ++c) {
        values[c] = rows[c * stride[0] + i * stride[1]];
    }
}

template <class System, typename real>
__device__ __forceinline__ bool all_finite(const System &system, const real *y) {
    bool finite = true;
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        finite = finite && is_finite(y[c]);
    }
    return finite;
}

template <class System, typename real>
__device__ __forceinline__ void copy_state(const System &system, const real *from, real *to) {
    GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
        to[c] = from[c];
    }
}

template <class System, typename real>
__device__ __forceinline__ void save_state(const System &system, const ensemble<real> &e, int64_t m,
                                           int64_t i, const real *y) {
    if (e.saved != nullptr) {
        GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
            e.saved[m * e.saved_stride[0] + c * e.saved_stride[1] + i * e.saved_stride[2]] = y[c];
        }
    }
}

/* Marks the saves that a failed trajectory never reached. */
template <class System, typename real>
__device__ __forceinline__ void save_nan(const System &system, const ensemble<real> &e,
                                         int64_t from, int64_t count, int64_t i) {
    for (int64_t m = from; m < count && e.saved != nullptr; ++m) {
        for (int c = 0; c < system.dim(); ++c) {
            e.saved[m * e.saved_stride[0] + c * e.saved_stride[1] + i * e.saved_stride[2]] =
                static_cast<real>(gm_from_bits_f32(0x7fc00000u));
        }
    }
}

template <class System, typename real>
__device__ __forceinline__ void store_end(const System &system, const ensemble<real> &e, int64_t i,
                                          const real *y, real time) {
    if (e.end != nullptr) {
        GM_UNROLL for (int c = 0; c < system.dim(); ++c) {
            e.end[c * e.end_stride[0] + i * e.end_stride[1]] = y[c];
        }
    }
    if (e.time != nullptr) {
        e.time[i * e.time_stride] = time;
    }
}

__device__ __forceinline__ void store_count(int32_t *counts, int64_t stride, int64_t i,
                                            int64_t value) {
    if (counts != nullptr) {
        counts[i * stride] = static_cast<int32_t>(value < 0x7fffffff ? value : 0x7fffffff);
    }
}

template <typename real>
__device__ __forceinline__ void store_outcome(const ensemble<real> &e, int64_t i, int status,
                                              int64_t accepted, int64_t rejected,
                                              int64_t evaluations) {
    store_count(e.status, e.status_stride, i, status);
    store_count(e.accepted, e.accepted_stride, i, accepted);
    store_count(e.rejected, e.rejected_stride, i, rejected);
    store_count(e.evaluations, e.evaluations_stride, i, evaluations);
}

} // namespace gm
