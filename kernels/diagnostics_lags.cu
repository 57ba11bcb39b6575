/*
 * How long the chains remember: sums over autocovariances up to the lag where noise begins.
 *
 * A block a range of the series, a warp four lags at a time, in batches that double up to 256 (or
 * n / 512) lags; a block then folds the ranges' sums, and its first thread goes on with Geyer's or
 * Sokal's sum from where the batch before has left it. What is summed directly ends at some ten
 * correlation times, so that this is less than an FFT for any chain worth looking at. Shared
 * memory: none. Not yet timed on a GPU.
 */
#include "kernels/diagnostics.cuh"

namespace gm {
namespace diagnostics {
namespace {

constexpr int64_t FIRST_LAGS = 8, MOST_LAGS = 256, LAG_LAUNCHES = 512;
constexpr int LAGS_AT_ONCE = 4; /* of a warp: five loads for four products */

/* Sums of x[t] x[t + lag] within each chain for the lags first ... first + count - 1 over the
 * block's range, the chains' means taken off before: lag i at lag_sums[i blocks + block]. */
__device__ void sum_lags(const area &a, const series &s, int64_t first, int64_t count) {
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
__device__ void gather_lags(const area &a, int64_t blocks, int64_t count) {
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

__device__ void geyer_start(const area &a, const series &s) {
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
__device__ void geyer_go_on(const area &a, const series &s, int64_t first, int64_t end, slot to) {
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
__device__ void sokal_go_on(const area &a, const series &s, int64_t first, int64_t end, slot to) {
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

__global__ void __launch_bounds__(THREADS)
    lags(layout where, series s, int64_t first, int64_t count) {
    const area a = area_of(where);
    if (first > 0 && a.now->done != 0) {
        return;
    }
    sum_lags(a, s, first, count);
}

template <bool sokal>
__global__ void __launch_bounds__(THREADS)
    lags_end(layout where, series s, int64_t first, int64_t count, slot to) {
    const area a = area_of(where);
    if (first > 0 && a.now->done != 0) {
        return;
    }
    gather_lags(a, s.blocks(), count);
    if (threadIdx.x == 0) {
        if (sokal) {
            sokal_go_on(a, s, first, first + count, to);
        } else {
            geyer_go_on(a, s, first, first + count, to);
        }
    }
}

} // namespace

int64_t lags_of(int64_t n) {
    const int64_t many = (n + LAG_LAUNCHES - 1) / LAG_LAUNCHES;
    return many > MOST_LAGS ? many : MOST_LAGS;
}

/* Batches of lags to the end of the chain; those after the last that counts do nothing. */
void sum_over_lags(const batch &b, const series &s, int64_t iterations, bool sokal, slot to) {
    const int64_t most = lags_of(iterations);
    for (int64_t lag = 0, many = FIRST_LAGS; lag < s.n; lag += many) {
        const int64_t wanted = lag < FIRST_LAGS ? FIRST_LAGS : lag < most ? lag : most;
        many = wanted < s.n - lag ? wanted : s.n - lag;
        GM_LAUNCH(lags, b.grid(s.blocks()), THREADS, 0, b.stream, b.where, s, lag, many);
        if (sokal) {
            GM_LAUNCH((lags_end<true>), b.grid(1), THREADS, 0, b.stream, b.where, s, lag, many, to);
        } else {
            GM_LAUNCH((lags_end<false>), b.grid(1), THREADS, 0, b.stream, b.where, s, lag, many,
                      to);
        }
    }
}

} // namespace diagnostics
} // namespace gm
