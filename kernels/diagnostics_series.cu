/*
 * The draws of a quantity as series, and their means, variances and moments. Every number is in
 * double.
 *
 * Kernels:
 *   load      a block a tile of 32 x 32, so that draws are read along their axis of smaller stride;
 *             the series, or what a diagnostic makes of them (indicator, distance)
 *   survey    a block a range of the series: smallest, largest, sum; survey_end folds the blocks'
 *   moments   second and fourth powers about the mean; moments_end
 *   chains    a warp, for long chains a block, has a chain: mean and variance, and takes the mean
 *             off where autocovariances are to follow; across has one block for all of them
 * Shared memory: load 8.25 KiB; survey 10 KiB; others 2 KiB. Not yet timed on a GPU.
 */
#include "kernels/diagnostics.cuh"

#include <float.h>

namespace gm {
namespace diagnostics {
namespace {

constexpr int TILE = 32;             /* of load: iterations and chains */
constexpr int64_t LONG_CHAIN = 1024; /* iterations from which a block, not a warp, has a chain */

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

struct chain_shared {
    double sums[THREADS];
};

/* A mean in one pass would lose what the entries' size hides: a second one adds what is missing, as
 * in ref. lanes of the block work on x, the warp (lanes 32) or all of it. */
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

__device__ __forceinline__ double transformed(transform how, double x, double c) {
    return how == AS_IT_IS   ? x
           : how == AT_MOST  ? (x <= c ? 1 : 0)
           : how == DISTANCE ? fabs(x - c)
                             : (x - c) * (x - c);
}

struct load_shared {
    double tile[TILE][TILE + 1];
};

/* split: halves of n / 2 iterations. c, for the transform, is in a slot. */
__global__ void __launch_bounds__(THREADS)
    load_draws(const GM_GRID_CONSTANT gm_diagnose_args args, layout where, int64_t first_quantity,
               int32_t split, transform how, slot centre) {
    GM_SHARED(load_shared, shared);
    const area a = area_of(where);
    const int64_t n = args.iterations, m = args.chains, half = n / 2;
    const int64_t tiles = (n + TILE - 1) / TILE;
    const int64_t t0 = blockIdx.x % tiles * TILE, c0 = blockIdx.x / tiles * TILE;
    const int64_t from = gm_layout_offset(&args.quantities, 0, first_quantity + blockIdx.y);
    const int lane = static_cast<int>(gm_lane());
    const bool chains_inside = llabs(args.chain_stride) <= llabs(args.iteration_stride);
    const double point = a.now->slot[centre];
    for (int row = static_cast<int>(gm_warp()); row < TILE; row += WARPS) {
        const int t_in = chains_inside ? row : lane, c_in = chains_inside ? lane : row;
        const int64_t t = t0 + t_in, c = c0 + c_in;
        if (t < n && c < m) {
            const int64_t at = from + t * args.iteration_stride + c * args.chain_stride;
            shared.tile[t_in][c_in] =
                args.dtype == GM_F64
                    ? static_cast<const double *>(args.draws)[at]
                    : static_cast<double>(static_cast<const float *>(args.draws)[at]);
        }
    }
    __syncthreads();
    for (int row = static_cast<int>(gm_warp()); row < TILE; row += WARPS) {
        const int64_t t = t0 + lane, c = c0 + row;
        if (t < n && c < m && (!split || t < half || t >= n - half)) {
            const double x = transformed(how, shared.tile[lane][row], point);
            const int64_t first = split ? 2 * c * half : c * n;
            a.x[split && t >= half ? first + t - (n - 2 * half) : first + t] = x;
        }
    }
}

struct survey_shared {
    tally tallies[THREADS];
};

__global__ void __launch_bounds__(THREADS) survey(layout where, series s) {
    GM_SHARED(survey_shared, shared);
    const area a = area_of(where);
    const int64_t begin = blockIdx.x * s.range(), count = s.count();
    tally own = empty_tally();
    for (int64_t i = begin + threadIdx.x; i < begin + s.range() && i < count; i += THREADS) {
        const double x = a.x[i];
        own.low = fmin(own.low, x);
        own.high = fmax(own.high, x);
        own.bad |= !(fabs(x) <= DBL_MAX);
        add_exactly(&own.sum, &own.rest, x);
    }
    own = fold(own, shared.tallies, join_tallies());
    if (threadIdx.x == 0) {
        a.tallies[blockIdx.x] = own;
    }
}

__global__ void __launch_bounds__(THREADS) survey_end(layout where, series s) {
    GM_SHARED(survey_shared, shared);
    const area a = area_of(where);
    tally all = empty_tally();
    for (int64_t b = threadIdx.x; b < s.blocks(); b += THREADS) {
        all = join_tallies()(all, a.tallies[b]);
    }
    all = fold(all, shared.tallies, join_tallies());
    if (threadIdx.x == 0) {
        a.now->bad = all.bad;
        a.now->silent = all.bad != 0 || !(all.high - all.low >= DBL_EPSILON);
        a.now->slot[MEAN] =
            all.bad != 0 ? NAN : (all.sum + all.rest) / static_cast<double>(s.count());
    }
}

__global__ void __launch_bounds__(THREADS) moments(layout where, series s) {
    GM_SHARED(chain_shared, shared);
    const area a = area_of(where);
    const int64_t begin = blockIdx.x * s.range(), count = s.count();
    const double mean = a.now->slot[MEAN];
    double second = 0, fourth = 0;
    for (int64_t i = begin + threadIdx.x; i < begin + s.range() && i < count; i += THREADS) {
        const double square = (a.x[i] - mean) * (a.x[i] - mean);
        second += square;
        fourth += square * square;
    }
    second = fold(second, shared.sums, add());
    fourth = fold(fourth, shared.sums, add());
    if (threadIdx.x == 0) {
        a.tallies[blockIdx.x].sum = second;
        a.tallies[blockIdx.x].rest = fourth;
    }
}

__global__ void __launch_bounds__(THREADS) moments_end(layout where, series s) {
    GM_SHARED(chain_shared, shared);
    const area a = area_of(where);
    double second = 0, fourth = 0;
    for (int64_t b = threadIdx.x; b < s.blocks(); b += THREADS) {
        second += a.tallies[b].sum;
        fourth += a.tallies[b].rest;
    }
    second = fold(second, shared.sums, add());
    fourth = fold(fourth, shared.sums, add());
    if (threadIdx.x == 0) {
        a.now->slot[SQUARES] = second;
        a.now->slot[FOURTHS] = fourth;
    }
}

template <bool wide>
__global__ void __launch_bounds__(THREADS) chains(layout where, series s, centring how) {
    GM_SHARED(chain_shared, shared);
    const area a = area_of(where);
    const int64_t chain = wide ? blockIdx.x : static_cast<int64_t>(blockIdx.x) * WARPS + gm_warp();
    if (chain >= s.chains) {
        return; /* the whole warp */
    }
    double *const x = a.x + chain * s.n;
    const double mean = mean_of<wide>(x, s.n, shared);
    const double squares = squares_of<wide>(x, s.n, mean, shared);
    const int lanes = wide ? THREADS : 32, lane = static_cast<int>(threadIdx.x) % lanes;
    const double length = how == OF_LENGTH_1 ? sqrt(squares) : 1;
    for (int64_t t = lane; t < s.n && how != KEPT; t += lanes) {
        x[t] = (x[t] - mean) / length;
    }
    if (lane == 0) {
        a.means[chain] = mean;
        a.variances[chain] = s.n > 1 ? squares / static_cast<double>(s.n - 1) : NAN;
    }
}

/* A warp has a superchain: its mean and the variance within it go behind the chains' own. */
__global__ void __launch_bounds__(THREADS)
    superchains(layout where, series s, int64_t superchain_count) {
    GM_SHARED(chain_shared, shared);
    const area a = area_of(where);
    const int64_t k = static_cast<int64_t>(blockIdx.x) * WARPS + gm_warp();
    const int64_t each = s.chains / superchain_count;
    if (k >= superchain_count) {
        return;
    }
    const double mean = mean_of<false>(a.means + k * each, each, shared);
    const double of_means = variance_of<false>(a.means + k * each, each, shared);
    const double inside = s.n > 1 ? mean_of<false>(a.variances + k * each, each, shared) : 0;
    if (gm_lane() == 0) {
        a.means[s.chains + k] = mean;
        a.variances[s.chains + k] = inside + (each > 1 ? of_means : 0);
    }
}

/* BETWEEN: the variance of `count` means from `first` on; WITHIN: the mean of their variances. */
__global__ void __launch_bounds__(THREADS) across(layout where, int64_t first, int64_t count) {
    GM_SHARED(chain_shared, shared);
    const area a = area_of(where);
    const double between = variance_of<true>(a.means + first, count, shared);
    const double within = mean_of<true>(a.variances + first, count, shared);
    if (threadIdx.x == 0) {
        a.now->slot[BETWEEN] = between;
        a.now->slot[WITHIN] = within;
    }
}

} // namespace

void survey_series(const batch &b, const series &s) {
    GM_LAUNCH(survey, b.grid(s.blocks()), THREADS, sizeof(survey_shared), b.stream, b.where, s);
    GM_LAUNCH(survey_end, b.grid(1), THREADS, sizeof(survey_shared), b.stream, b.where, s);
}

void load_series(const batch &b, const gm_diagnose_args &args, int64_t first_quantity,
                 const series &s, transform how, slot centre) {
    const int64_t n = args.iterations, m = args.chains;
    const int64_t tiles = (n + TILE - 1) / TILE * ((m + TILE - 1) / TILE);
    const int32_t split = s.n != n;
    GM_LAUNCH(load_draws, b.grid(tiles), THREADS, sizeof(load_shared), b.stream, args, b.where,
              first_quantity, split, how, centre);
    survey_series(b, s);
}

void find_moments(const batch &b, const series &s) {
    GM_LAUNCH(moments, b.grid(s.blocks()), THREADS, sizeof(chain_shared), b.stream, b.where, s);
    GM_LAUNCH(moments_end, b.grid(1), THREADS, sizeof(chain_shared), b.stream, b.where, s);
}

void find_chains(const batch &b, const series &s, centring how) {
    if (s.n >= LONG_CHAIN) {
        GM_LAUNCH((chains<true>), b.grid(s.chains), THREADS, sizeof(chain_shared), b.stream,
                  b.where, s, how);
    } else {
        GM_LAUNCH((chains<false>), b.grid((s.chains + WARPS - 1) / WARPS), THREADS,
                  sizeof(chain_shared), b.stream, b.where, s, how);
    }
    GM_LAUNCH(across, b.grid(1), THREADS, sizeof(chain_shared), b.stream, b.where, int64_t{0},
              s.chains);
}

void find_superchains(const batch &b, const series &s, int64_t superchain_count) {
    GM_LAUNCH(superchains, b.grid((superchain_count + WARPS - 1) / WARPS), THREADS,
              sizeof(chain_shared), b.stream, b.where, s, superchain_count);
    GM_LAUNCH(across, b.grid(1), THREADS, sizeof(chain_shared), b.stream, b.where, s.chains,
              superchain_count);
}

} // namespace diagnostics
} // namespace gm
