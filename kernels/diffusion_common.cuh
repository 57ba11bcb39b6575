/*
 * What the diffusion kernels share: the arguments in one precision, the constants of a time and of
 * a component, noise, and the update of a state by a row of the table of steps.
 *
 * Products that feed a sum are explicit fused multiply-adds, so that every compiler gives the same
 * bits.
 */
#pragma once

#include <genmath/philox.h>

#include "host/diffusion_args.h"
#include "kernels/ensemble.cuh"

namespace gm {
namespace diffusion {

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

template <typename real> struct rows_view {
    real *data; /* NULL where the user gave none */
    int64_t row, column;

    __device__ __forceinline__ real &at(int64_t i, int64_t j) const {
        return data[i * row + j * column];
    }
};

template <typename real> struct mixture {
    rows_view<const real> means, weights, deviations;
    int64_t components;
    int dim;
    real bandwidth2;
    bool packed; /* the means can be read 16 bytes at a time */
};

/*
 * A score (`rows` = 1, alpha and variance given) or a whole path (both in the table, row by row).
 */
template <typename real> struct job {
    mixture<real> model;
    int64_t count;
    real alpha, variance, log_unit; /* score */
    rows_view<const real> x;        /* where to score, or the starts of the paths */
    rows_view<real> out;            /* scores, or samples */
    rows_view<real> log_density;    /* score */
    int64_t rows;                   /* path: of the table */
    const real *table;
    rows_view<int32_t> status;
    uint64_t seed, first_index;
    real *workspace; /* path: (count, 2, dim) where a row does not fit on the chip */
};

template <typename real> __device__ __forceinline__ real lowest();
template <> __device__ __forceinline__ float lowest<float>() {
    return -3.402823466e+38f;
}
template <> __device__ __forceinline__ double lowest<double>() {
    return -1.7976931348623157e+308;
}

template <typename real> __device__ __forceinline__ real minus_infinity();
template <> __device__ __forceinline__ float minus_infinity<float>() {
    return -GM_INF_F32;
}
template <> __device__ __forceinline__ double minus_infinity<double>() {
    return -GM_INF_F64;
}

/* Normal number `draw` of a sample. */
__device__ __forceinline__ void normal(uint64_t seed, uint64_t index, uint32_t stream, int64_t draw,
                                       float &z) {
    z = gm_normal_f32(seed, index, stream, static_cast<uint64_t>(draw));
}
__device__ __forceinline__ void normal(uint64_t seed, uint64_t index, uint32_t stream, int64_t draw,
                                       double &z) {
    z = gm_normal_f64(seed, index, stream, static_cast<uint64_t>(draw));
}

/* The forward process at one time. */
template <typename real> struct moment {
    real alpha, alpha2, narrowest, unit; /* v_k without a deviation; the same, or 1 if that is 0 */
};

template <typename real>
__device__ __forceinline__ moment<real> moment_at(const mixture<real> &model, real alpha,
                                                  real variance) {
    moment<real> m;
    m.alpha = alpha;
    m.alpha2 = alpha * alpha;
    m.narrowest = multiply_add(m.alpha2, model.bandwidth2, variance);
    m.unit = m.narrowest > 0 ? m.narrowest : static_cast<real>(1);
    return m;
}

/* 1 / v_k and log w_k - d/2 log(v_k / unit) of component k. */
template <typename real>
__device__ __forceinline__ void component(const mixture<real> &model, const moment<real> &at,
                                          int64_t k, real &inverse, real &bias) {
    const real s = model.deviations.data != nullptr ? model.deviations.at(k, 0) : 0;
    const real w = model.weights.data != nullptr ? model.weights.at(k, 0) : 1;
    const real v = multiply_add(at.alpha2 * s, s, at.narrowest);
    inverse = 1 / v;
    bias = multiply_add(static_cast<real>(model.dim) / 2, -gm_log(v / at.unit), gm_log(w));
}

/* A row of the table in registers. */
template <typename real> struct step_row {
    real alpha, variance, a, b, c, e;
    bool save;
};

template <typename real>
__device__ __forceinline__ step_row<real> load_step(const real *__restrict__ table, int64_t row) {
    const real *fields = table + row * GM_STEP_FIELDS;
    return {fields[GM_STEP_ALPHA],    fields[GM_STEP_VARIANCE], fields[GM_STEP_A],
            fields[GM_STEP_B],        fields[GM_STEP_C],        fields[GM_STEP_E],
            fields[GM_STEP_SAVE] != 0};
}

/* One component: y + a y + b s + c z + e (saved - y); `saved` becomes y where the row says so. */
template <typename real>
__device__ __forceinline__ real updated(const job<real> &j, const step_row<real> &step, int64_t row,
                                        uint64_t index, int component, real y, real score,
                                        real &saved) {
    real change = multiply_add(step.b, score, step.a * y);
    if (step.c != 0) {
        real z;
        normal(j.seed, index, GM_STREAM_DIFFUSION, row * j.model.dim + component, z);
        change = multiply_add(step.c, z, change);
    }
    if (step.e != 0) {
        change = multiply_add(step.e, saved - y, change);
    }
    saved = step.save ? y : saved;
    return y + change;
}

/* Component `component` of the state at t_start. */
template <typename real>
__device__ __forceinline__ real first_state(const job<real> &j, int64_t i, int component) {
    if (j.x.data != nullptr) {
        return j.x.at(i, component);
    }
    real z;
    normal(j.seed, j.first_index + static_cast<uint64_t>(i), GM_STREAM_DIFFUSION_START, component,
           z);
    return z;
}

} // namespace diffusion
} // namespace gm
