/*
 * gm_diagnose: the formulas of genmath/diagnostics.h, every number in double, in the steps of ref's
 * functions, each a kernel over many quantities at once (grid.y). Which kernels follow one another
 * depends on the sizes alone: what depends on the numbers, such as the lag at which a sum of
 * autocovariances ends, is decided on the device, and kernels that are no more needed return at
 * once.
 *
 * Layout: the draws of a quantity are brought into its part of the workspace, chain after chain,
 * through a tile of 32 x 32 so that they are read along their axis of smaller stride.
 *
 * Kernels:
 *   load      a block a tile; the series, or what a diagnostic makes of them (indicator, distance)
 *   survey    a block a range of the series: smallest, largest, sum; survey_end folds the blocks'
 *   moments   second and fourth powers about the mean; moments_end
 *   chains    a warp, for long chains a block, has a chain: mean and variance, and takes the mean
 *             off where autocovariances are to follow; across has one block for all of them
 *   lags      a block a range, a warp four lags at a time, in batches that double up to 256 (or
 *             n / 512) lags; geyer and sokal go on from batch to batch
 *   sort      radix_sort.cuh; pick takes quantiles, ranks writes the normal quantiles of the ranks
 * Autocovariances are summed directly: the sums end where noise begins, at some ten correlation
 * times, so that this is less than an FFT for any chain worth looking at.
 * Shared memory: load 8.25 KiB; scatter 8 KiB; survey 10 KiB; others 2 KiB.
 *
 * Not yet timed on a GPU.
 */
#include "kernels/diagnostics.cuh"

#include "host/quantile_law.h"
#include "kernels/module.cuh"

namespace gm {
namespace {

using namespace diagnostics;

constexpr int TILE = 32;                   /* of load: iterations and chains */
constexpr int64_t AT_ONCE = 1 << 19;       /* draws that the quantities of one launch have */
constexpr int64_t MOST_QUANTITIES = 256;   /* and how many quantities at most */
constexpr int64_t MOST_DRAWS = 0x7fffffff; /* of one quantity: places are 32 bits */
constexpr int64_t FIRST_LAGS = 8, MOST_LAGS = 256, LAG_LAUNCHES = 512;

enum transform { AS_IT_IS, AT_MOST, DISTANCE, SQUARE };

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

/* What chains leaves in the series: themselves; less their means; that, of length 1. */
enum centring { KEPT, CENTRED, OF_LENGTH_1 };

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

/* ---- order ----------------------------------------------------------------------------------- */

__global__ void __launch_bounds__(THREADS) make_keys(layout where, int64_t count) {
    const area a = area_of(where);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) {
        a.sort.keys[0][i] = radix::key_of(a.x[i]);
        a.sort.from[0][i] = static_cast<uint32_t>(i);
    }
}

__global__ void __launch_bounds__(THREADS) sort_count(layout where, int64_t count, int32_t pass) {
    GM_SHARED(radix::count_shared, shared);
    radix::count_digits(area_of(where).sort, count, pass, shared);
}

__global__ void __launch_bounds__(THREADS) sort_tiles(layout where, int64_t count) {
    radix::sum_tiles(area_of(where).sort, count);
}

__global__ void __launch_bounds__(THREADS) sort_tops(layout where, int64_t count) {
    GM_SHARED(radix::tops_shared, shared);
    radix::sum_tops(area_of(where).sort, count, shared);
}

__global__ void __launch_bounds__(THREADS) sort_scatter(layout where, int64_t count, int32_t pass) {
    GM_SHARED(radix::scatter_shared, shared);
    radix::scatter_keys(area_of(where).sort, count, pass, shared);
}

/* The first place whose key is not below (or, beyond, is above) a key. */
__device__ int64_t bound_of(const uint64_t *keys, int64_t low, int64_t high, uint64_t key,
                            bool beyond) {
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (keys[middle] < key || (beyond && keys[middle] == key)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The normal quantile of each draw's rank, in its place; NaN if the draws say nothing. */
__global__ void __launch_bounds__(THREADS) ranks(layout where, int64_t count) {
    const area a = area_of(where);
    const uint64_t *const keys = a.sort.keys[0];
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count) {
        return;
    }
    const uint64_t key = keys[i];
    const bool tied = (i > 0 && keys[i - 1] == key) || (i + 1 < count && keys[i + 1] == key);
    const int64_t first = tied ? bound_of(keys, 0, i, key, false) : i;
    const int64_t end = tied ? bound_of(keys, i, count, key, true) : i + 1;
    const double rank = static_cast<double>(first + 1 + end) / 2;
    const double z =
        gm_normal_quantile_inside((rank - 0.375) / (static_cast<double>(count) + 0.25));
    a.x[a.sort.from[0][i]] = a.now->silent != 0 ? NAN : z;
}

/* Of the sorted draws, between neighbours linearly; equal draws have quantiles too. */
__global__ void pick(layout where, int64_t count, double p, slot to) {
    const area a = area_of(where);
    const double at = static_cast<double>(count - 1) * p;
    const int64_t below = static_cast<int64_t>(floor(at)), above = static_cast<int64_t>(ceil(at));
    const double weight = at - static_cast<double>(below);
    const double low = radix::value_of(a.sort.keys[0][below]);
    const double high = radix::value_of(a.sort.keys[0][above]);
    if (threadIdx.x == 0) {
        const double inside = weight > 0 ? (1 - weight) * low + weight * high : low;
        a.now->slot[to] = a.now->silent != 0 ? a.now->slot[MEAN] : inside;
    }
}

/* Half the distance of two of the sorted draws; FIRST is the effective sample size. */
__device__ double quantile_error(const area &a, int64_t count, double p) {
    const double ess = a.now->slot[FIRST], draws = static_cast<double>(count);
    if (isnan(ess)) {
        return NAN;
    }
    const double low = gm_beta_quantile_inside(0.1586553, ess * p + 1, ess * (1 - p) + 1);
    const double high = gm_beta_quantile_inside(0.8413447, ess * p + 1, ess * (1 - p) + 1);
    const double first = fmax(floor(low * draws), 1.0), last = fmin(ceil(high * draws), draws);
    return (radix::value_of(a.sort.keys[0][static_cast<int64_t>(last) - 1]) -
            radix::value_of(a.sort.keys[0][static_cast<int64_t>(first) - 1])) /
           2;
}

/* ---- results --------------------------------------------------------------------------------- */

/* R-hat of the split chains, from BETWEEN and WITHIN. */
__global__ void finish_rhat(layout where, series s, slot to) {
    state &now = *area_of(where).now;
    const double n = static_cast<double>(s.n);
    if (threadIdx.x == 0) {
        const double ratio = n * now.slot[BETWEEN] / now.slot[WITHIN];
        now.slot[to] = now.silent != 0 ? NAN : sqrt((ratio + n - 1) / n);
    }
}

__device__ double result_of(const gm_diagnose_args &args, const area &a, int64_t count) {
    const state &now = *a.now;
    const double one = now.slot[FIRST], other = now.slot[SECOND];
    const double draws = static_cast<double>(count);
    switch (args.diagnostic) {
    case GM_DIAGNOSTIC_RHAT:
        return one > other ? one : isnan(one) ? one : other; /* NaN if either is */
    case GM_DIAGNOSTIC_ESS_TAIL:
        return one < other ? one : isnan(one) ? one : other;
    case GM_DIAGNOSTIC_RHAT_NESTED:
        return now.silent != 0 ? NAN : sqrt(1 + now.slot[BETWEEN] / now.slot[WITHIN]);
    case GM_DIAGNOSTIC_MCSE_MEAN:
        return sqrt(now.slot[SQUARES] / (draws - 1) / one);
    case GM_DIAGNOSTIC_MCSE_SD: {
        const double second = now.slot[SQUARES] / draws, fourth = now.slot[FOURTHS] / draws;
        return sqrt((fourth - second * second) / one / second / 4);
    }
    case GM_DIAGNOSTIC_MCSE_QUANTILE:
        return quantile_error(a, count, args.probability);
    default:
        return one;
    }
}

/* One thread: a quantity that has no draws has no diagnostic. */
__global__ void finish(const GM_GRID_CONSTANT gm_diagnose_args args, layout where,
                       int64_t first_quantity) {
    const int64_t count = args.iterations * args.chains;
    const int64_t to = gm_layout_offset(&args.quantities, 1, first_quantity + blockIdx.y);
    if (threadIdx.x == 0) {
        args.out[to] = count == 0 ? NAN : result_of(args, area_of(where), count);
    }
}

/* ---- the steps, as ref has them -------------------------------------------------------------- */

size_t place(size_t *bytes, int64_t count, size_t size) {
    const size_t at = *bytes;
    *bytes += (static_cast<size_t>(count) * size + 63) / 64 * 64;
    return at;
}

/* How many lags a batch has at most. */
int64_t lags_at_once(int64_t n) {
    const int64_t many = (n + LAG_LAUNCHES - 1) / LAG_LAUNCHES;
    return many > MOST_LAGS ? many : MOST_LAGS;
}

layout layout_of(const gm_diagnose_args &args) {
    const int64_t n = args.iterations, m = args.chains, draws = n * m;
    const int64_t least = (draws + LEAST_RANGE - 1) / LEAST_RANGE; /* halves can take more blocks */
    const int64_t blocks = least < MOST_BLOCKS ? least : MOST_BLOCKS;
    const int64_t lag_count = n < lags_at_once(n) ? n : lags_at_once(n);
    layout l;
    size_t bytes = 0;
    l.memory = static_cast<unsigned char *>(args.workspace);
    (void)place(&bytes, 1, sizeof(state));
    l.x = place(&bytes, draws, sizeof(double));
    l.means = place(&bytes, 2 * m, sizeof(double));
    l.variances = place(&bytes, 2 * m, sizeof(double));
    l.lags = place(&bytes, lag_count, sizeof(double));
    l.lag_sums = place(&bytes, lag_count * blocks, sizeof(double));
    l.tallies = place(&bytes, blocks, sizeof(tally));
    for (int i = 0; i < 2; ++i) {
        l.keys[i] = place(&bytes, draws, sizeof(uint64_t));
        l.from[i] = place(&bytes, draws, sizeof(uint32_t));
    }
    l.counts = place(&bytes, radix::tiles_of(draws) * radix::DIGITS, sizeof(uint32_t));
    l.tops = place(&bytes, radix::groups_of(draws) * radix::DIGITS, sizeof(uint32_t));
    l.bytes = bytes;
    return l;
}

int64_t quantities_at_once(const gm_diagnose_args &args) {
    const int64_t draws = args.iterations * args.chains, fit = AT_ONCE / (draws > 0 ? draws : 1);
    return fit < 1 ? 1 : fit > MOST_QUANTITIES ? MOST_QUANTITIES : fit;
}

/* The launches for some quantities. */
class steps {
  public:
    steps(gm_call *call, const gm_diagnose_args &given, const layout &l, int64_t from, int64_t many)
        : args(given), where(l), first(from), quantities(static_cast<unsigned>(many)),
          stream(stream_of(call)), whole{given.iterations, given.chains} {
        const int64_t n = given.iterations;
        halves = n > 1 ? series{n / 2, 2 * given.chains} : whole;
    }

    void diagnose();

  private:
    const gm_diagnose_args &args;
    const layout where;
    const int64_t first;
    const unsigned quantities;
    const cudaStream_t stream;
    const series whole; /* the chains */
    series halves;      /* split */

    dim3 grid(int64_t blocks) const {
        return dim3(static_cast<unsigned>(blocks), quantities);
    }
    dim3 threads_for(int64_t count) const {
        return grid((count + THREADS - 1) / THREADS);
    }

    /* Of the series that are loaded: whether they say something, and their mean. */
    void survey_of(const series &s) {
        GM_LAUNCH(survey, grid(s.blocks()), THREADS, sizeof(survey_shared), stream, where, s);
        GM_LAUNCH(survey_end, grid(1), THREADS, sizeof(survey_shared), stream, where, s);
    }

    void load(const series &s, transform how = AS_IT_IS, slot centre = MEAN) {
        const int64_t tiles = (whole.n + TILE - 1) / TILE * ((whole.chains + TILE - 1) / TILE);
        const int32_t split = s.n != whole.n;
        GM_LAUNCH(load_draws, grid(tiles), THREADS, sizeof(load_shared), stream, args, where, first,
                  split, how, centre);
        survey_of(s);
    }

    void moments_of(const series &s) {
        GM_LAUNCH(moments, grid(s.blocks()), THREADS, sizeof(chain_shared), stream, where, s);
        GM_LAUNCH(moments_end, grid(1), THREADS, sizeof(chain_shared), stream, where, s);
    }

    void across_chains(int64_t from, int64_t count) {
        GM_LAUNCH(across, grid(1), THREADS, sizeof(chain_shared), stream, where, from, count);
    }

    void chains_of(const series &s, centring how) {
        if (s.n >= LONG_CHAIN) {
            GM_LAUNCH((chains<true>), grid(s.chains), THREADS, sizeof(chain_shared), stream, where,
                      s, how);
        } else {
            GM_LAUNCH((chains<false>), grid((s.chains + WARPS - 1) / WARPS), THREADS,
                      sizeof(chain_shared), stream, where, s, how);
        }
        across_chains(0, s.chains);
    }

    void rhat_of(const series &s, slot to) {
        chains_of(s, KEPT);
        GM_LAUNCH(finish_rhat, grid(1), 32, 0, stream, where, s, to);
    }

    /* Batches of lags to the end of the chain; those after the last that counts do nothing. */
    template <bool sokal> void sum_over_lags(const series &s, slot to) {
        const int64_t most = lags_at_once(whole.n);
        for (int64_t lag = 0, many = FIRST_LAGS; lag < s.n; lag += many) {
            const int64_t wanted = lag < FIRST_LAGS ? FIRST_LAGS : lag < most ? lag : most;
            many = wanted < s.n - lag ? wanted : s.n - lag;
            GM_LAUNCH(lags, grid(s.blocks()), THREADS, 0, stream, where, s, lag, many);
            GM_LAUNCH((lags_end<sokal>), grid(1), THREADS, 0, stream, where, s, lag, many, to);
        }
    }

    void ess_of(const series &s, slot to) {
        chains_of(s, CENTRED);
        sum_over_lags<false>(s, to);
    }

    void sort(int64_t count) {
        GM_LAUNCH(make_keys, threads_for(count), THREADS, 0, stream, where, count);
        const int64_t tiles = radix::tiles_of(count), groups = radix::groups_of(count);
        for (int32_t pass = 0; pass < radix::PASSES; ++pass) {
            GM_LAUNCH(sort_count, grid(tiles), THREADS, sizeof(radix::count_shared), stream, where,
                      count, pass);
            GM_LAUNCH(sort_tiles, grid(groups), THREADS, 0, stream, where, count);
            GM_LAUNCH(sort_tops, grid(1), THREADS, sizeof(radix::tops_shared), stream, where,
                      count);
            GM_LAUNCH(sort_scatter, grid(tiles), THREADS, sizeof(radix::scatter_shared), stream,
                      where, count, pass);
        }
    }

    void quantile(double p, slot to) {
        GM_LAUNCH(pick, grid(1), 32, 0, stream, where, whole.count(), p, to);
    }

    /* Of the sorted series s: their normal scores in their place. */
    void scores(const series &s) {
        GM_LAUNCH(ranks, threads_for(s.count()), THREADS, 0, stream, where, s.count());
        survey_of(s);
    }

    void sorted_scores(const series &s) {
        sort(s.count());
        scores(s);
    }

    void ess_of_quantile(slot bound, slot to) {
        load(halves, AT_MOST, bound);
        ess_of(halves, to);
    }

    /* All draws in order, and the bound that their indicators are taken of. */
    void bounds(double low, double high) {
        const double draws = static_cast<double>(whole.count());
        load(whole);
        sort(whole.count());
        quantile(low == 1 ? (draws - 0.5) / draws : low, LOW);
        quantile(high, HIGH);
    }

    void rhat();
    void rhat_nested();
};

void steps::rhat() {
    load(whole);
    sort(whole.count());
    quantile(0.5, LOW);
    if (halves.count() == whole.count()) { /* the same draws in the same places */
        scores(halves);
    } else {
        load(halves);
        sorted_scores(halves);
    }
    rhat_of(halves, FIRST);
    load(halves, DISTANCE, LOW);
    sorted_scores(halves);
    rhat_of(halves, SECOND);
}

void steps::rhat_nested() {
    load(whole);
    chains_of(whole, KEPT);
    GM_LAUNCH(superchains, grid((args.superchains + WARPS - 1) / WARPS), THREADS,
              sizeof(chain_shared), stream, where, whole, args.superchains);
    across_chains(whole.chains, args.superchains);
}

void steps::diagnose() {
    switch (args.diagnostic) {
    case GM_DIAGNOSTIC_RHAT:
        rhat();
        break;
    case GM_DIAGNOSTIC_RHAT_BASIC:
        load(halves);
        rhat_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_RHAT_NESTED:
        rhat_nested();
        break;
    case GM_DIAGNOSTIC_ESS_BULK:
        load(halves);
        sorted_scores(halves);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_TAIL:
        bounds(0.05, 0.95);
        ess_of_quantile(LOW, FIRST);
        ess_of_quantile(HIGH, SECOND);
        break;
    case GM_DIAGNOSTIC_ESS_MEAN:
    case GM_DIAGNOSTIC_MCSE_MEAN:
        load(halves);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_SD:
    case GM_DIAGNOSTIC_MCSE_SD:
        load(whole);
        load(halves, args.diagnostic == GM_DIAGNOSTIC_ESS_SD ? DISTANCE : SQUARE, MEAN);
        ess_of(halves, FIRST);
        break;
    case GM_DIAGNOSTIC_ESS_QUANTILE:
    case GM_DIAGNOSTIC_MCSE_QUANTILE:
        bounds(args.probability, args.probability);
        ess_of_quantile(LOW, FIRST);
        break;
    case GM_DIAGNOSTIC_QUANTILE:
        load(whole);
        sort(whole.count());
        quantile(args.probability, FIRST);
        break;
    default:
        load(whole);
        chains_of(whole, OF_LENGTH_1);
        sum_over_lags<true>(whole, FIRST);
    }
    if (args.diagnostic == GM_DIAGNOSTIC_MCSE_MEAN || args.diagnostic == GM_DIAGNOSTIC_MCSE_SD) {
        load(whole);
        moments_of(whole);
    }
}

} // namespace

size_t diagnose_workspace(gm_call *call, const gm_diagnose_args *args) {
    (void)call;
    return layout_of(*args).bytes * static_cast<size_t>(quantities_at_once(*args));
}

gm_status diagnose(gm_call *call, const gm_diagnose_args *args) {
    call->kernel = "diagnose_steps";
    const int64_t draws = args->iterations * args->chains;
    if (draws > MOST_DRAWS) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                            "%lld draws of a quantity: this backend takes 2^31 - 1",
                            static_cast<long long>(draws));
    }
    const layout where = layout_of(*args);
    const int64_t quantities = args->quantities.elements, at_once = quantities_at_once(*args);
    for (int64_t first = 0; first < quantities; first += at_once) {
        const int64_t many = quantities - first < at_once ? quantities - first : at_once;
        if (draws > 0) {
            steps(call, *args, where, first, many).diagnose();
        }
        GM_LAUNCH(finish, dim3(1, static_cast<unsigned>(many)), 32, 0, stream_of(call), *args,
                  where, first);
    }
    return check_cuda(call, cudaGetLastError(), "diagnose kernel launch");
}

} // namespace gm
