/*
 * What the kernels of gm_diagnose work on, and the sums among them. A quantity (blockIdx.y) has a
 * part of the workspace of its own; its draws lie there chain after chain, as "series" x.
 *
 * Sums over all draws are those of ranges.cuh.
 */
#pragma once

#include <float.h>
#include <math.h>

#include "host/diagnostics_args.h"
#include "kernels/radix_sort.cuh"
#include "kernels/ranges.cuh"

namespace gm {
namespace diagnostics {

using namespace ranges;
static_assert(THREADS == radix::THREADS, "one size of blocks");
constexpr int64_t LONG_CHAIN = 1024; /* iterations from which a block, not a warp, has a chain */
constexpr int LAGS_AT_ONCE = 4;      /* of a warp: five loads for four products */

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

__device__ __forceinline__ area area_of(const layout &l) {
    unsigned char *const at = l.memory + blockIdx.y * l.bytes;
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

/* sum + rest += x without error but in rest (Knuth's two-sum). */
__device__ __forceinline__ void add_exactly(double *sum, double *rest, double x) {
    const double s = *sum + x, part = s - *sum;
    *rest += (*sum - (s - part)) + (x - part);
    *sum = s;
}

struct join_tallies {
    __device__ tally operator()(tally a, const tally &b) const {
        a.low = fmin(a.low, b.low);
        a.high = fmax(a.high, b.high);
        add_exactly(&a.sum, &a.rest, b.sum);
        a.rest += b.rest;
        a.bad |= b.bad;
        return a;
    }
};

__device__ __forceinline__ tally empty_tally() {
    return {INFINITY, -INFINITY, 0, 0, 0};
}

/* A mean in one pass would lose what the entries' size hides: a second one adds what is missing, as
 * in ref. lanes of the block work on x, the warp (lanes 32) or all of it. */
struct chain_shared {
    double sums[THREADS];
};

template <bool wide> __device__ double chain_sum(double value, chain_shared &shared) {
    if (wide) {
        return fold(value, shared.sums, add());
    }
    return gm_warp_sum(value);
}

template <bool wide> __device__ double mean_of(const double *x, int64_t n, chain_shared &shared) {
    const int lanes = wide ? THREADS : 32, lane = static_cast<int>(threadIdx.x) % lanes;
    double sum = 0, rest = 0;
    for (int64_t t = lane; t < n; t += lanes) {
        sum += x[t];
    }
    sum = chain_sum<wide>(sum, shared);
    const double rough = sum / static_cast<double>(n);
    for (int64_t t = lane; t < n; t += lanes) {
        rest += x[t] - rough;
    }
    return (sum + chain_sum<wide>(rest, shared)) / static_cast<double>(n);
}

/* Sum of squares about the mean. */
template <bool wide>
__device__ double squares_of(const double *x, int64_t n, double mean, chain_shared &shared) {
    const int lanes = wide ? THREADS : 32, lane = static_cast<int>(threadIdx.x) % lanes;
    double sum = 0;
    for (int64_t t = lane; t < n; t += lanes) {
        sum += (x[t] - mean) * (x[t] - mean);
    }
    return chain_sum<wide>(sum, shared);
}

/* With n - 1: NaN for a single entry. */
template <bool wide>
__device__ double variance_of(const double *x, int64_t n, chain_shared &shared) {
    const double mean = mean_of<wide>(x, n, shared), squares = squares_of<wide>(x, n, mean, shared);
    return n > 1 ? squares / static_cast<double>(n - 1) : NAN;
}

/* ---- autocovariances ------------------------------------------------------------------------- */

/* Sums of x[t] x[t + lag] within each chain for the lags first ... first + count - 1 over the
 * block's range, the chains' means taken off before: lag i at lag_sums[i blocks + block]. */
__device__ inline void sum_lags(const area &a, const series &s, int64_t first, int64_t count) {
    const int64_t begin = blockIdx.x * s.range(), own_end = begin + s.range();
    const int64_t end = own_end < s.count() ? own_end : s.count(), n = s.n;
    const int64_t stride = 32 % n, start = (begin + gm_lane()) % n;
    for (int64_t i = LAGS_AT_ONCE * gm_warp(); i < count; i += LAGS_AT_ONCE * WARPS) {
        double sum[LAGS_AT_ONCE] = {};
        int64_t t = start;
        for (int64_t e = begin + gm_lane(); e < end; e += 32) {
            const double x = a.x[e];
#pragma unroll
            for (int j = 0; j < LAGS_AT_ONCE; ++j) {
                const int64_t lag = first + i + j;
                sum[j] += t + lag < n ? x * a.x[e + lag] : 0;
            }
            t += stride;
            t = t >= n ? t - n : t;
        }
#pragma unroll
        for (int j = 0; j < LAGS_AT_ONCE; ++j) {
            const double total = gm_warp_sum(sum[j]);
            if (gm_lane() == 0 && i + j < count) {
                a.lag_sums[(i + j) * gridDim.x + blockIdx.x] = total;
            }
        }
    }
}

/* The blocks' sums of each lag into a.lags. */
__device__ inline void gather_lags(const area &a, int64_t blocks, int64_t count) {
    for (int64_t i = gm_warp(); i < count; i += WARPS) {
        double sum = 0;
        for (int64_t b = gm_lane(); b < blocks; b += 32) {
            sum += a.lag_sums[i * blocks + b];
        }
        sum = gm_warp_sum(sum);
        if (gm_lane() == 0) {
            a.lags[i] = sum;
        }
    }
    __syncthreads();
}

__device__ __forceinline__ double autocovariance(const area &a, const series &s, int64_t at) {
    return a.lags[at] / static_cast<double>(s.n) / static_cast<double>(s.chains);
}

/* rho of the lag at place `at` of this batch. */
__device__ __forceinline__ double correlation(const area &a, const series &s, int64_t at) {
    return 1 - (a.now->within - autocovariance(a, s, at)) / a.now->total;
}

__device__ inline void geyer_start(const area &a, const series &s) {
    state &now = *a.now;
    const double n = static_cast<double>(s.n), zero = autocovariance(a, s, 0);
    now.within = zero * n / (n - 1);
    now.total = zero + (s.chains > 1 ? now.slot[BETWEEN] : 0);
    now.lag = 0;
    now.even = 1;
    now.odd = correlation(a, s, 1);
    now.sum = 0;
}

/* Geyer's initial monotone sequence over the lags up to `end`, of which a.lags has those from
 * `first` on: a pair is at most the one before it. Thread 0. */
__device__ inline void geyer_go_on(const area &a, const series &s, int64_t first, int64_t end,
                                   slot to) {
    state &now = *a.now;
    if (first == 0) {
        now.done = s.n < 3 || now.silent != 0;
        if (now.done) {
            now.slot[to] = NAN;
            return;
        }
        geyer_start(a, s);
    }
    while (now.lag < s.n - 5 && now.even + now.odd > 0) {
        if (now.lag + 3 >= end) {
            return; /* the next batch of lags goes on here */
        }
        const double pair = now.even + now.odd;
        now.pair = now.lag == 0 || pair < now.pair ? pair : now.pair;
        now.sum += now.pair;
        now.lag += 2;
        now.even = correlation(a, s, now.lag - first);
        now.odd = correlation(a, s, now.lag + 1 - first);
    }
    const double last = now.even > 0 || now.even + now.odd >= 0 ? now.even : 0;
    const double tau = -1 + last + 2 * now.sum, draws = static_cast<double>(s.count());
    now.slot[to] = draws / fmax(tau, 1 / log10(draws));
    now.done = 1;
}

/* Sokal's window: the series' chains have length 1, so that a sum is an autocorrelation. */
__device__ inline void sokal_go_on(const area &a, const series &s, int64_t first, int64_t end,
                                   slot to) {
    state &now = *a.now;
    if (first == 0) {
        now.done = s.n < 2 || now.silent != 0;
        now.sum = now.done ? NAN : 1;
        now.lag = 1;
    }
    for (; now.lag < end && static_cast<double>(now.lag - 1) < 5 * now.sum; ++now.lag) {
        now.sum += 2 * (a.lags[now.lag - first] / static_cast<double>(s.chains));
    }
    now.done = now.done != 0 || now.lag < end || end == s.n;
    now.slot[to] = now.sum;
}

} // namespace diagnostics
} // namespace gm
