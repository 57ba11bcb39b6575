/*
 * What the kernels of gm_diagnose work on, and their launches. A quantity (blockIdx.y) has a
 * part of the workspace of its own; its draws lie there chain after chain, as "series" x.
 *
 * Sums over all draws are those of ranges.cuh.
 */
#pragma once

#include <math.h>

#include "host/diagnostics_args.h"
#include "kernels/radix_sort.cuh"
#include "kernels/ranges.cuh"

namespace gm {
namespace diagnostics {

using namespace ranges;

/* Numbers that one kernel leaves to the next. */
enum slot { MEAN, LOW, HIGH, FIRST, SECOND, BETWEEN, WITHIN, SQUARES, FOURTHS, SLOTS };

struct state {
    double slot[SLOTS];
    int32_t bad, silent; /* a draw that is not finite; that, or all are equal */
    /* The autocovariances' sum so far. */
    int32_t done;
    int64_t lag;
    double within, total, even, odd, pair, sum;
};

struct tally {
    double low, high, sum, rest;
    int32_t bad;
};

/* A part of the workspace, and how it is laid out. */
struct area {
    double *x, *means, *variances, *lags, *lag_sums;
    tally *tallies;
    radix::arrays sort;
    state *now;
};

struct layout {
    unsigned char *memory;
    size_t bytes; /* of a quantity */
    size_t x, keys[2], from[2], counts, tops, means, variances, lags, lag_sums, tallies;
};

/* Of quantity `which` of the launch. */
__host__ __device__ inline area area_at(const layout &l, size_t which) {
    unsigned char *const at = l.memory + which * l.bytes;
    area a;
    a.now = reinterpret_cast<state *>(at);
    a.x = reinterpret_cast<double *>(at + l.x);
    a.means = reinterpret_cast<double *>(at + l.means);
    a.variances = reinterpret_cast<double *>(at + l.variances);
    a.lags = reinterpret_cast<double *>(at + l.lags);
    a.lag_sums = reinterpret_cast<double *>(at + l.lag_sums);
    a.tallies = reinterpret_cast<tally *>(at + l.tallies);
    for (int i = 0; i < 2; ++i) {
        a.sort.keys[i] = reinterpret_cast<uint64_t *>(at + l.keys[i]);
        a.sort.from[i] = reinterpret_cast<uint32_t *>(at + l.from[i]);
    }
    a.sort.counts = reinterpret_cast<uint32_t *>(at + l.counts);
    a.sort.tops = reinterpret_cast<uint32_t *>(at + l.tops);
    return a;
}

__device__ __forceinline__ area area_of(const layout &l) {
    return area_at(l, blockIdx.y);
}

/* chains series of n entries each. */
struct series {
    int64_t n, chains;
    __host__ __device__ int64_t count() const {
        return n * chains;
    }
    /* Entries of a block, and how many blocks there are. */
    __host__ __device__ int64_t range() const {
        return range_of(count());
    }
    __host__ __device__ int64_t blocks() const {
        return blocks_of(count());
    }
};

/* ---- launches -------------------------------------------------------------------------------- */

/* For some quantities at once. */
struct batch {
    layout where;
    unsigned quantities;
    cudaStream_t stream;

    dim3 grid(int64_t blocks) const {
        return dim3(static_cast<unsigned>(blocks), quantities);
    }
    dim3 threads_for(int64_t count) const {
        return grid((count + THREADS - 1) / THREADS);
    }
};

enum transform { AS_IT_IS, AT_MOST, DISTANCE, SQUARE };

/* What chains leaves in the series: themselves; less their means; that, of length 1. */
enum centring { KEPT, CENTRED, OF_LENGTH_1 };

/* diagnostics_series.cu: draws into series, and what is said of these. LOW or another slot has the
 * number that a transform needs. */
void load_series(const batch &b, const gm_diagnose_args &args, int64_t first_quantity,
                 const series &s, transform how, slot centre);
void survey_series(const batch &b, const series &s); /* MEAN, and whether they say something */
void find_moments(const batch &b, const series &s);  /* SQUARES, FOURTHS */
void find_chains(const batch &b, const series &s, centring how);
void find_superchains(const batch &b, const series &s, int64_t superchains);

/* diagnostics_lags.cu: the effective sample size of centred series (Geyer), or the autocorrelation
 * time of series of length 1 (Sokal). lags_of: how many lags the workspace has room for. */
int64_t lags_of(int64_t iterations);
void sum_over_lags(const batch &b, const series &s, int64_t iterations, bool sokal, slot to);

/* diagnostics_order.cu: the draws in order, without moving the series; then a quantile of them, or
 * the normal scores of their ranks in place of the series. */
void sort_draws(const batch &b, int64_t count);
void find_quantile(const batch &b, int64_t count, double p, slot to);
void find_scores(const batch &b, int64_t count);

} // namespace diagnostics
} // namespace gm
