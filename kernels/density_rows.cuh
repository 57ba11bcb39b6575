/*
 * A density over data, prior and the sum of its rows' terms, as kernels with one thread a chain
 * evaluate it; see genmath/density.h. Read by nvcc, by the emulator's compiler and by NVRTC.
 *
 * A Density adds to what ensemble.cuh asks of a System: max_columns and columns(), 0 without data,
 * and else row(d, y, p, logp) and row_gradient(d, y, p, grad). All threads read the same number at
 * the same time, which the read-only path hands to a whole warp at once; a row's sum stays in
 * registers. Blocks of rows are added with their rounding errors carried along, in the order of the
 * rows: sums depend on nothing but the data. Shared memory: none, so that no thread waits.
 */
#pragma once

#include "kernels/ensemble.cuh"

namespace gm {

constexpr int ROW_BLOCK = 64; /* GM_ROW_BLOCK of genmath/density.h */

/* gm_density_data with a type; see host/density_data.h. */
template <typename real> struct data_rows {
    const real *data;
    int64_t rows, stride[2];
};

/* Which of a row's two functions is added up. */
struct row_term {
    template <class Density, typename real>
    static __device__ __forceinline__ void of(const Density &density, const real *d, const real *y,
                                              const real *p, real *term) {
        density.row(d, y, p, term);
    }
};

struct row_slope {
    template <class Density, typename real>
    static __device__ __forceinline__ void of(const Density &density, const real *d, const real *y,
                                              const real *p, real *term) {
        density.row_gradient(d, y, p, term);
    }
};

/* The sum of the terms of rows first to end - 1. */
template <class Term, int most, class Density, typename real>
__device__ __forceinline__ void block_sum(const Density &density, const data_rows<real> &rows,
                                          int64_t first, int64_t end, int outs, const real *y,
                                          const real *p, real *sum) {
    GM_UNROLL for (int c = 0; c < outs; ++c) {
        sum[c] = 0;
    }
    for (int64_t r = first; r < end; ++r) {
        const real *from = rows.data + r * rows.stride[0];
        real d[Density::max_columns], term[most];
        GM_UNROLL for (int c = 0; c < density.columns(); ++c) {
            d[c] = __ldg(from + c * rows.stride[1]);
        }
        Term::of(density, d, y, p, term);
        GM_UNROLL for (int c = 0; c < outs; ++c) {
            sum[c] += term[c];
        }
    }
}

/* out += the terms of all rows. The error of a sum is Knuth's; one that is not finite is none: its
 * sum is not either. */
template <class Term, int most, class Density, typename real>
__device__ __forceinline__ void add_rows(const Density &density, const data_rows<real> &rows,
                                         int outs, const real *y, const real *p, real *out) {
    real part[most], error[most];
    GM_UNROLL for (int c = 0; c < outs; ++c) {
        error[c] = 0;
    }
    for (int64_t first = 0; first < rows.rows; first += ROW_BLOCK) {
        const int64_t left = rows.rows - first;
        block_sum<Term, most>(density, rows, first, first + (left < ROW_BLOCK ? left : ROW_BLOCK),
                              outs, y, p, part);
        GM_UNROLL for (int c = 0; c < outs; ++c) {
            const real sum = out[c] + part[c], other = sum - out[c];
            error[c] += (out[c] - (sum - other)) + (part[c] - other);
            out[c] = sum;
        }
    }
    GM_UNROLL for (int c = 0; c < outs; ++c) {
        out[c] += is_finite(error[c]) ? error[c] : static_cast<real>(0);
    }
}

template <class Density, typename real>
__device__ __forceinline__ void log_density_of(const Density &density, const data_rows<real> &rows,
                                               const real *y, const real *p, real *logp) {
    density.log_density(static_cast<real>(0), y, p, logp);
    if constexpr (Density::max_columns > 0) {
        add_rows<row_term, 1>(density, rows, 1, y, p, logp);
    }
}

template <class Density, typename real>
__device__ __forceinline__ void gradient_of(const Density &density, const data_rows<real> &rows,
                                            const real *y, const real *p, real *grad) {
    density.gradient(static_cast<real>(0), y, p, grad);
    if constexpr (Density::max_columns > 0) {
        add_rows<row_slope, Density::max_dim>(density, rows, density.dim(), y, p, grad);
    }
}

} // namespace gm
