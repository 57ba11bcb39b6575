/*
 * What the kernels of weights share: a problem (blockIdx.y) has a part of the workspace of its own;
 * sums over its samples are those of ranges.cuh.
 */
#pragma once

#include <math.h>

#include "host/importance_args.h"
#include "kernels/ranges.cuh"

namespace gm {
namespace importance {

using namespace ranges;

constexpr int64_t MOST_AT_ONCE = 1024; /* problems of a launch */

struct sum_shared {
    double values[THREADS];
};

struct larger {
    __device__ double operator()(double a, double b) const {
        return isnan(a) || isnan(b) ? NAN : fmax(a, b);
    }
};

/* The samples of this block. */
struct own_range {
    int64_t begin, end;
};

__device__ __forceinline__ own_range range_here(int64_t n) {
    const int64_t length = range_of(n), begin = blockIdx.x * length;
    return {begin, begin + length < n ? begin + length : n};
}

/* ---- a problem's weights --------------------------------------------------------------------- */

/* The workspace of a problem: numbers for all its ranges, then the sums of each function and of
 * each range. */
struct weigh_state {
    double peak, sum, squares;
    int32_t good;
};

struct weigh_part {
    weigh_state *now;
    double *means;  /* of a function: sum u f / sum u */
    double *ranges; /* row r, block b at r blocks + b */
};

struct weigh_call {
    gm_weigh_args args;
    int64_t first; /* problem of blockIdx.y = 0 */
    int64_t blocks;
    size_t bytes; /* of a problem's workspace */
};

/* Of problem `at` of the launch. */
__host__ __device__ inline weigh_part part_at(const weigh_call &w, size_t at) {
    unsigned char *const begin = static_cast<unsigned char *>(w.args.workspace) + at * w.bytes;
    weigh_part p;
    p.now = reinterpret_cast<weigh_state *>(begin);
    p.means = reinterpret_cast<double *>(begin + sizeof(weigh_state));
    p.ranges = p.means + w.args.functions;
    return p;
}

__device__ __forceinline__ weigh_part part_of(const weigh_call &w) {
    return part_at(w, blockIdx.y);
}

/* Rows of ranges: two sums and one of each function; then three of each. */
__host__ __device__ inline int64_t range_rows(int64_t functions) {
    return functions > 0 ? 3 * functions + 2 : 2;
}

/* Numbers of a problem behind its state; then what its tail takes. */
__host__ __device__ inline int64_t sums_of(const gm_weigh_args &args) {
    return args.functions + range_rows(args.functions) * blocks_of(args.n);
}

__device__ __forceinline__ double load(const void *data, gm_dtype dtype, int64_t at) {
    return dtype == GM_F64 ? static_cast<const double *>(data)[at]
                           : static_cast<double>(static_cast<const float *>(data)[at]);
}

__device__ __forceinline__ double log_weight(const gm_weigh_args &a, int64_t k, int64_t i) {
    const double target =
        load(a.log_target, a.dtype, k * a.log_target_stride[0] + i * a.log_target_stride[1]);
    return a.log_proposal == nullptr
               ? target
               : target - load(a.log_proposal, a.dtype,
                               k * a.log_proposal_stride[0] + i * a.log_proposal_stride[1]);
}

__device__ __forceinline__ void store_single(const gm_weigh_args &a, int which, int64_t k,
                                             double x) {
    if (a.single[which] != nullptr) {
        a.single[which][k * a.single_stride[which][0]] = x;
    }
}

/* ---- the tail of the weights: importance_tail.cu --------------------------------------------- */

inline bool wants_tail(const gm_weigh_args &args) {
    return args.single[GM_PARETO_K] != nullptr && gm_pareto_tail(args.n) >= GM_PARETO_LEAST;
}

size_t tail_bytes(int64_t n);

/* pareto_k of the launch's problems, `many`. */
void fit_tails(const weigh_call &w, unsigned many, cudaStream_t stream);

} // namespace importance
} // namespace gm
