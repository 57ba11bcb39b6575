/*
 * gm_importance_weigh and gm_importance_resample.
 *
 * Weigh, u = exp(log p - log q - peak), each a kernel over (range of samples, problem), see
 * ranges.cuh, followed by one that folds the ranges' results:
 *   peak     the largest log weight, and whether all are good
 *   sums     sum u, sum u^2, and sum u f for each function
 *   spreads  the weights; sum w (f - m)^2, sum w^2 (f - m)^2, sum (u f - c)^2, c their mean, for
 *            each function
 * Log weights are made anew in every pass: an exponential costs less than to store and read them.
 *
 * The tail's shape: radix_sort.cuh of the log weights, then a block a problem, whose warps have a
 * point of the profile likelihood each.
 *
 * Resample: the largest weight, the integers' sum in each range, where a range begins, the
 * cumulative integers by prefix sums of 256, then a thread for each draw, which finds it by
 * bisection. Integers add up to the same in any order.
 *
 * Shared memory: a number for each thread, 2 KiB; of the fit 10 KiB; of the sort 8 KiB. In double.
 * Not yet timed on a GPU.
 */
#include <math.h>

#include "host/importance_args.h"
#include "kernels/module.cuh"
#include "kernels/radix_sort.cuh"
#include "kernels/ranges.cuh"

namespace gm {
namespace {

using namespace ranges;

constexpr int64_t MOST_AT_ONCE = 1024;        /* problems of a launch */
constexpr int64_t RANGES_AT_ONCE = 1 << 18;   /* numbers that their ranges leave */
constexpr int64_t RESAMPLE_AT_ONCE = 1 << 19; /* weights of a launch, where a problem has fewer */

struct sum_shared {
    double values[THREADS];
};

struct larger {
    __device__ double operator()(double a, double b) const {
        return isnan(a) || isnan(b) ? NAN : fmax(a, b);
    }
};

__device__ __forceinline__ double load(const void *data, gm_dtype dtype, int64_t at) {
    return dtype == GM_F64 ? static_cast<const double *>(data)[at]
                           : static_cast<double>(static_cast<const float *>(data)[at]);
}

/* ---- estimates ------------------------------------------------------------------------------- */

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

__device__ __forceinline__ weigh_part part_of(const weigh_call &w) {
    unsigned char *const at = static_cast<unsigned char *>(w.args.workspace) + blockIdx.y * w.bytes;
    weigh_part p;
    p.now = reinterpret_cast<weigh_state *>(at);
    p.means = reinterpret_cast<double *>(at + sizeof(weigh_state));
    p.ranges = p.means + w.args.functions;
    return p;
}

/* Rows of ranges: two sums and one of each function; then three of each. */
__host__ __device__ inline int64_t range_rows(int64_t functions) {
    return functions > 0 ? 3 * functions + 2 : 2;
}

/* The samples of this block. */
struct own_range {
    int64_t begin, end;
};

__device__ __forceinline__ own_range range_here(int64_t n) {
    const int64_t length = range_of(n), begin = blockIdx.x * length;
    return {begin, begin + length < n ? begin + length : n};
}

__device__ __forceinline__ double log_weight(const gm_weigh_args &a, int64_t k, int64_t i) {
    const double target =
        load(a.log_target, a.dtype, k * a.log_target_stride[0] + i * a.log_target_stride[1]);
    return a.log_proposal == nullptr
               ? target
               : target - load(a.log_proposal, a.dtype,
                               k * a.log_proposal_stride[0] + i * a.log_proposal_stride[1]);
}

/* A value that has no weight counts for nothing. */
__device__ __forceinline__ double value(const gm_weigh_args &a, int64_t k, int64_t f, int64_t i,
                                        double u) {
    return u == 0 ? 0
                  : load(a.values, a.dtype,
                         k * a.values_stride[0] + f * a.values_stride[1] + i * a.values_stride[2]);
}

__global__ void __launch_bounds__(THREADS) weigh_peak(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const own_range own = range_here(w.args.n);
    double peak = -INFINITY;
    for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
        peak = larger()(peak, log_weight(w.args, w.first + blockIdx.y, i));
    }
    peak = fold(peak, shared.values, larger());
    if (threadIdx.x == 0) {
        part_of(w).ranges[blockIdx.x] = peak;
    }
}

/* What the ranges left in a row, folded; to be called by a whole block. */
template <class Join>
__device__ double gather(const weigh_call &w, const double *row, double neutral, Join join,
                         sum_shared &shared) {
    double all = neutral;
    for (int64_t b = threadIdx.x; b < w.blocks; b += THREADS) {
        all = join(all, row[b]);
    }
    return fold(all, shared.values, join);
}

__global__ void __launch_bounds__(THREADS) weigh_peak_end(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const weigh_part p = part_of(w);
    const double peak = gather(w, p.ranges, -INFINITY, larger(), shared);
    if (threadIdx.x == 0) {
        p.now->peak = peak;
        p.now->good = fabs(peak) < INFINITY;
    }
}

__global__ void __launch_bounds__(THREADS) weigh_sums(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const weigh_part p = part_of(w);
    const own_range own = range_here(w.args.n);
    const int64_t k = w.first + blockIdx.y;
    const double peak = p.now->peak;
    if (p.now->good == 0) {
        return; /* the whole block */
    }
    double sum = 0, squares = 0;
    for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
        const double u = gm_exp_f64(log_weight(w.args, k, i) - peak);
        sum += u;
        squares += u * u;
    }
    sum = fold(sum, shared.values, add());
    squares = fold(squares, shared.values, add());
    if (threadIdx.x == 0) {
        p.ranges[blockIdx.x] = sum;
        p.ranges[w.blocks + blockIdx.x] = squares;
    }
    for (int64_t f = 0; f < w.args.functions; ++f) {
        double moment = 0;
        for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
            const double u = gm_exp_f64(log_weight(w.args, k, i) - peak);
            moment += u * value(w.args, k, f, i, u);
        }
        moment = fold(moment, shared.values, add());
        if (threadIdx.x == 0) {
            p.ranges[(2 + f) * w.blocks + blockIdx.x] = moment;
        }
    }
}

__device__ __forceinline__ void store_single(const gm_weigh_args &a, int which, int64_t k,
                                             double x) {
    if (a.single[which] != nullptr) {
        a.single[which][k * a.single_stride[which][0]] = x;
    }
}

__device__ __forceinline__ void store_functional(const gm_weigh_args &a, int which, int64_t k,
                                                 int64_t f, double x) {
    if (a.functional[which] != nullptr) {
        const int64_t *stride = a.functional_stride[which];
        a.functional[which][k * stride[0] + f * stride[1]] = x;
    }
}

/* Sums of the weights into the state, with what follows from them; each function's mean. */
__global__ void __launch_bounds__(THREADS) weigh_sums_end(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const weigh_part p = part_of(w);
    const int64_t k = w.first + blockIdx.y;
    const double n = static_cast<double>(w.args.n), peak = p.now->peak;
    if (p.now->good == 0) {
        if (threadIdx.x == 0) {
            for (int which = 0; which < GM_WEIGH_SINGLES; ++which) {
                const bool empty = which == GM_LOG_NORMALIZER && peak < 0;
                store_single(w.args, which, k, empty ? -INFINITY : NAN);
            }
        }
        return;
    }
    const double sum = gather(w, p.ranges, 0.0, add(), shared);
    const double squares = gather(w, p.ranges + w.blocks, 0.0, add(), shared);
    for (int64_t f = 0; f < w.args.functions; ++f) {
        const double moment = gather(w, p.ranges + (2 + f) * w.blocks, 0.0, add(), shared);
        if (threadIdx.x == 0) {
            p.means[f] = moment / sum;
        }
    }
    if (threadIdx.x == 0) {
        const double excess = n * (squares / sum / sum) - 1;
        p.now->sum = sum;
        p.now->squares = squares;
        store_single(w.args, GM_LOG_NORMALIZER, k, peak + gm_log_f64(sum / n));
        store_single(w.args, GM_LOG_NORMALIZER_ERROR, k, sqrt(fmax(excess, 0.0) / (n - 1)));
        store_single(w.args, GM_ESS, k, sum / squares * sum);
        store_single(w.args, GM_MAX_WEIGHT, k, 1 / sum);
        store_single(w.args, GM_PARETO_K, k, NAN); /* until it is fitted */
    }
}

__device__ void store_weights(const weigh_call &w, const weigh_part &p, const own_range &own,
                              int64_t k) {
    const int64_t *stride = w.args.weights_stride;
    for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
        w.args.weights[k * stride[0] + i * stride[1]] =
            p.now->good != 0 ? gm_exp_f64(log_weight(w.args, k, i) - p.now->peak) / p.now->sum
                             : NAN;
    }
}

__global__ void __launch_bounds__(THREADS) weigh_spreads(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const weigh_part p = part_of(w);
    const own_range own = range_here(w.args.n);
    const int64_t k = w.first + blockIdx.y;
    if (w.args.weights != nullptr) {
        store_weights(w, p, own, k);
    }
    if (p.now->good == 0) {
        return;
    }
    const double peak = p.now->peak, sum = p.now->sum;
    for (int64_t f = 0; f < w.args.functions; ++f) {
        const double mean = p.means[f], middle = mean * sum / static_cast<double>(w.args.n);
        double variance = 0, squares = 0, spread = 0;
        for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
            const double u = gm_exp_f64(log_weight(w.args, k, i) - peak);
            const double x = value(w.args, k, f, i, u), away = u * x - middle;
            variance += u / sum * (x - mean) * (x - mean);
            squares += u / sum * (u / sum) * (x - mean) * (x - mean);
            spread += away * away;
        }
        variance = fold(variance, shared.values, add());
        squares = fold(squares, shared.values, add());
        spread = fold(spread, shared.values, add());
        if (threadIdx.x == 0) {
            double *const to = p.ranges + (2 + 3 * f) * w.blocks + blockIdx.x;
            to[0] = variance;
            to[w.blocks] = squares;
            to[2 * w.blocks] = spread;
        }
    }
}

__device__ bool store_function(const weigh_call &w, const weigh_part &p, int64_t k, int64_t f,
                               double variance, double squares, double spread) {
    const double n = static_cast<double>(w.args.n), mean = p.means[f], sum = p.now->sum;
    const bool finite = fabs(mean) < INFINITY && fabs(spread) < INFINITY;
    const double scale = finite ? gm_exp_f64(p.now->peak) : NAN, none = finite ? 0 : NAN;
    store_functional(w.args, GM_MEAN, k, f, mean + none);
    store_functional(w.args, GM_MEAN_ERROR, k, f, sqrt(squares) + none);
    store_functional(w.args, GM_VARIANCE, k, f, variance + none);
    store_functional(w.args, GM_INTEGRAL, k, f, scale * (mean * sum / n));
    store_functional(w.args, GM_INTEGRAL_ERROR, k, f, scale * sqrt(spread / n / (n - 1)));
    return finite;
}

__global__ void __launch_bounds__(THREADS) weigh_end(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(sum_shared, shared);
    const weigh_part p = part_of(w);
    const int64_t k = w.first + blockIdx.y;
    bool good = p.now->good != 0;
    for (int64_t f = 0; f < w.args.functions; ++f) {
        double sums[3];
        for (int j = 0; j < 3; ++j) {
            sums[j] = gather(w, p.ranges + (2 + 3 * f + j) * w.blocks, 0.0, add(), shared);
        }
        if (threadIdx.x != 0) {
            continue;
        }
        if (p.now->good != 0) {
            good = store_function(w, p, k, f, sums[0], sums[1], sums[2]) && good;
        } else {
            for (int which = 0; which < GM_WEIGH_FUNCTIONALS; ++which) {
                store_functional(w.args, which, k, f, NAN);
            }
        }
    }
    if (threadIdx.x == 0 && w.args.status != nullptr) {
        w.args.status[k * w.args.status_stride[0]] = good ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    }
}

/* ---- the tail of the weights ----------------------------------------------------------------- */

/* Where the arrays of the sort begin, in doubles, behind the sums. */
__host__ __device__ inline int64_t sums_of(const gm_weigh_args &args) {
    return args.functions + range_rows(args.functions) * blocks_of(args.n);
}

__device__ __forceinline__ radix::arrays sort_of(const weigh_call &w) {
    radix::arrays a;
    uint64_t *at = reinterpret_cast<uint64_t *>(part_of(w).means + sums_of(w.args));
    const int64_t n = w.args.n;
    a.keys[0] = at;
    a.keys[1] = at + n;
    a.from[0] = reinterpret_cast<uint32_t *>(at + 2 * n);
    a.from[1] = a.from[0] + n;
    a.counts = a.from[1] + n;
    a.tops = a.counts + radix::tiles_of(n) * radix::DIGITS;
    return a;
}

size_t tail_bytes(int64_t n) {
    const int64_t counts = (radix::tiles_of(n) + radix::groups_of(n)) * radix::DIGITS;
    return static_cast<size_t>(n) * 24 + static_cast<size_t>(counts) * sizeof(uint32_t);
}

__global__ void __launch_bounds__(THREADS) tail_keys(const GM_GRID_CONSTANT weigh_call w) {
    const radix::arrays a = sort_of(w);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < w.args.n) {
        a.keys[0][i] = radix::key_of(log_weight(w.args, w.first + blockIdx.y, i));
        a.from[0][i] = static_cast<uint32_t>(i);
    }
}

__global__ void __launch_bounds__(THREADS)
    tail_count(const GM_GRID_CONSTANT weigh_call w, int32_t pass) {
    GM_SHARED(radix::count_shared, shared);
    radix::count_digits(sort_of(w), w.args.n, pass, shared);
}

__global__ void __launch_bounds__(THREADS) tail_tiles(const GM_GRID_CONSTANT weigh_call w) {
    radix::sum_tiles(sort_of(w), w.args.n);
}

__global__ void __launch_bounds__(THREADS) tail_tops(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(radix::tops_shared, shared);
    radix::sum_tops(sort_of(w), w.args.n, shared);
}

__global__ void __launch_bounds__(THREADS)
    tail_scatter(const GM_GRID_CONSTANT weigh_call w, int32_t pass) {
    GM_SHARED(radix::scatter_shared, shared);
    radix::scatter_keys(sort_of(w), w.args.n, pass, shared);
}

constexpr int64_t MOST_POINTS = 512; /* of a profile: 30 + 373 for n = 2^31 */

struct fit_shared {
    double values[THREADS];
    double theta[MOST_POINTS], profile[MOST_POINTS];
};

/* mean log(1 - theta x) by a warp. */
__device__ double warp_mean_log(double theta, const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = gm_lane(); i < n; i += 32) {
        sum += log1p(-theta * x[i]);
    }
    return gm_warp_sum(sum) / static_cast<double>(n);
}

/* One thread: the mean of theta under its profile likelihood. */
__device__ double mean_theta(const fit_shared &shared, int64_t points) {
    double most = -INFINITY, weights = 0, theta = 0;
    for (int64_t j = 0; j < points; ++j) {
        most = fmax(most, shared.profile[j]);
    }
    for (int64_t j = 0; j < points; ++j) {
        const double weight = exp(shared.profile[j] - most);
        weights += weight;
        theta += shared.theta[j] * weight;
    }
    return theta / weights;
}

/* The excesses of the largest weights into x: the sort's other buffer. */
__device__ void tail_excesses(const weigh_part &p, const uint64_t *keys, int64_t n, int64_t tail,
                              double *x) {
    const double below = exp(radix::value_of(keys[n - tail - 1]) - p.now->peak);
    for (int64_t i = threadIdx.x; i < tail; i += THREADS) {
        x[i] = exp(radix::value_of(keys[n - tail + i]) - p.now->peak) - below;
    }
    __syncthreads();
}

/* A block a problem: a warp a point of the profile. */
__global__ void __launch_bounds__(THREADS) tail_fit(const GM_GRID_CONSTANT weigh_call w) {
    GM_SHARED(fit_shared, shared);
    const weigh_part p = part_of(w);
    const radix::arrays a = sort_of(w);
    const int64_t n = w.args.n, tail = gm_pareto_tail(n), points = gm_pareto_points(tail);
    if (p.now->good == 0) {
        return; /* the whole block; NaN is there */
    }
    double *const x = reinterpret_cast<double *>(a.keys[1]);
    tail_excesses(p, a.keys[0], n, tail, x);
    const double quartile = x[static_cast<int64_t>(static_cast<double>(tail) / 4 + 0.5) - 1];
    for (int64_t j = gm_warp(); j < points; j += WARPS) {
        const double theta = gm_pareto_theta(j, points, x[tail - 1], quartile);
        const double k = warp_mean_log(theta, x, tail);
        if (gm_lane() == 0) {
            shared.theta[j] = theta;
            shared.profile[j] = static_cast<double>(tail) * (log(-theta / k) - k - 1);
        }
    }
    __syncthreads();
    if (gm_warp() == 0) {
        const double theta = mean_theta(shared, points), k = warp_mean_log(theta, x, tail);
        if (gm_lane() == 0) {
            const double all = static_cast<double>(tail) * k + 0.5 * GM_PARETO_PRIOR;
            store_single(w.args, GM_PARETO_K, w.first + blockIdx.y,
                         quartile > 0 ? all / static_cast<double>(tail + GM_PARETO_PRIOR) : NAN);
        }
    }
}

void fit_tails(const weigh_call &w, unsigned many, cudaStream_t stream) {
    const int64_t n = w.args.n;
    const dim3 tiles(static_cast<unsigned>(radix::tiles_of(n)), many);
    const dim3 groups(static_cast<unsigned>(radix::groups_of(n)), many), each(1, many);
    const dim3 all(static_cast<unsigned>((n + THREADS - 1) / THREADS), many);
    GM_LAUNCH(tail_keys, all, THREADS, 0, stream, w);
    for (int32_t pass = 0; pass < radix::PASSES; ++pass) {
        GM_LAUNCH(tail_count, tiles, THREADS, sizeof(radix::count_shared), stream, w, pass);
        GM_LAUNCH(tail_tiles, groups, THREADS, 0, stream, w);
        GM_LAUNCH(tail_tops, each, THREADS, sizeof(radix::tops_shared), stream, w);
        GM_LAUNCH(tail_scatter, tiles, THREADS, sizeof(radix::scatter_shared), stream, w, pass);
    }
    GM_LAUNCH(tail_fit, each, THREADS, sizeof(fit_shared), stream, w);
}

bool wants_tail(const gm_weigh_args &args) {
    return args.single[GM_PARETO_K] != nullptr && gm_pareto_tail(args.n) >= GM_PARETO_LEAST;
}

size_t weigh_bytes(const gm_weigh_args &args) {
    const size_t sums = sizeof(weigh_state) + static_cast<size_t>(sums_of(args)) * sizeof(double);
    return (sums + (wants_tail(args) ? tail_bytes(args.n) : 0) + 63) / 64 * 64;
}

int64_t weigh_at_once(const gm_weigh_args &args) {
    const int64_t numbers = range_rows(args.functions) * blocks_of(args.n);
    const int64_t sorted = wants_tail(args) ? args.n / 2 : 0; /* 2^19 samples at once */
    const int64_t most = numbers > sorted ? numbers : sorted;
    const int64_t fit = RANGES_AT_ONCE / (most > 0 ? most : 1);
    return fit < 1 ? 1 : fit > MOST_AT_ONCE ? MOST_AT_ONCE : fit;
}

/* ---- resampling ------------------------------------------------------------------------------ */

struct resample_state {
    double peak;
    uint64_t total; /* 0: no weights */
    int32_t shift;
};

struct resample_part {
    resample_state *now;
    uint64_t *cumulative, *starts; /* of a sample, of a range */
    double *peaks;                 /* of a range */
};

struct resample_call {
    gm_resample_args args;
    int64_t first, blocks;
    size_t bytes;
};

__device__ __forceinline__ resample_part part_of(const resample_call &r) {
    unsigned char *const at = static_cast<unsigned char *>(r.args.workspace) + blockIdx.y * r.bytes;
    resample_part p;
    p.now = reinterpret_cast<resample_state *>(at);
    p.cumulative = reinterpret_cast<uint64_t *>(at + sizeof(resample_state));
    p.starts = p.cumulative + r.args.n;
    p.peaks = reinterpret_cast<double *>(p.starts + r.blocks);
    return p;
}

__device__ __forceinline__ double weight(const resample_call &r, int64_t i) {
    return r.args
        .weights[(r.first + blockIdx.y) * r.args.weights_stride[0] + i * r.args.weights_stride[1]];
}

__device__ __forceinline__ uint64_t integer_weight(const resample_call &r, const resample_part &p,
                                                   int64_t i) {
    return p.now->shift == INT32_MIN ? 0 : static_cast<uint64_t>(ldexp(weight(r, i), p.now->shift));
}

__global__ void __launch_bounds__(THREADS) resample_peak(const GM_GRID_CONSTANT resample_call r) {
    GM_SHARED(sum_shared, shared);
    const own_range own = range_here(r.args.n);
    double peak = 0;
    for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
        const double w = weight(r, i);
        peak = larger()(peak, w >= 0 ? w : NAN);
    }
    peak = fold(peak, shared.values, larger());
    if (threadIdx.x == 0) {
        part_of(r).peaks[blockIdx.x] = peak;
    }
}

/* One thread: the shift that makes integers of the weights. */
__global__ void __launch_bounds__(THREADS)
    resample_peak_end(const GM_GRID_CONSTANT resample_call r) {
    GM_SHARED(sum_shared, shared);
    const resample_part p = part_of(r);
    double peak = 0;
    for (int64_t b = threadIdx.x; b < r.blocks; b += THREADS) {
        peak = larger()(peak, p.peaks[b]);
    }
    peak = fold(peak, shared.values, larger());
    if (threadIdx.x == 0) {
        int exponent = 0;
        (void)frexp(peak, &exponent); /* peak < 2^exponent */
        const bool good = peak > 0 && peak < INFINITY;
        p.now->shift = good ? gm_resample_bits(r.args.n) - exponent : INT32_MIN;
    }
}

struct count_shared {
    unsigned long long values[THREADS];
};

struct add_counts {
    __device__ unsigned long long operator()(unsigned long long a, unsigned long long b) const {
        return a + b;
    }
};

__global__ void __launch_bounds__(THREADS) resample_sums(const GM_GRID_CONSTANT resample_call r) {
    GM_SHARED(count_shared, shared);
    const resample_part p = part_of(r);
    const own_range own = range_here(r.args.n);
    unsigned long long sum = 0;
    for (int64_t i = own.begin + threadIdx.x; i < own.end; i += THREADS) {
        sum += integer_weight(r, p, i);
    }
    sum = fold(sum, shared.values, add_counts());
    if (threadIdx.x == 0) {
        p.starts[blockIdx.x] = sum;
    }
}

/* One thread: sums of ranges into where they begin. */
__global__ void resample_starts(const GM_GRID_CONSTANT resample_call r) {
    const resample_part p = part_of(r);
    if (threadIdx.x == 0) {
        uint64_t total = 0;
        for (int64_t b = 0; b < r.blocks; ++b) {
            const uint64_t own = p.starts[b];
            p.starts[b] = total;
            total += own;
        }
        p.now->total = total;
        if (r.args.status != nullptr) {
            r.args.status[(r.first + blockIdx.y) * r.args.status_stride[0]] =
                total == 0 ? GM_STATUS_NON_FINITE : GM_STATUS_OK;
        }
    }
}

struct prefix_shared {
    unsigned long long warps[WARPS];
};

__global__ void __launch_bounds__(THREADS)
    resample_accumulate(const GM_GRID_CONSTANT resample_call r) {
    GM_SHARED(prefix_shared, shared);
    const resample_part p = part_of(r);
    const own_range own = range_here(r.args.n);
    unsigned long long before = p.starts[blockIdx.x];
    for (int64_t base = own.begin; base < own.end; base += THREADS) {
        const int64_t i = base + threadIdx.x;
        unsigned long long sum = i < own.end ? integer_weight(r, p, i) : 0;
        sum = gm_warp_prefix_sum(sum);
        if (gm_lane() == 31) {
            shared.warps[gm_warp()] = sum;
        }
        __syncthreads();
        unsigned long long own_start = before;
        for (unsigned w = 0; w < WARPS; ++w) {
            own_start += w < gm_warp() ? shared.warps[w] : 0;
            before += shared.warps[w];
        }
        if (i < own.end) {
            p.cumulative[i] = own_start + sum;
        }
        __syncthreads();
    }
}

__global__ void __launch_bounds__(THREADS) resample_pick(const GM_GRID_CONSTANT resample_call r) {
    const resample_part p = part_of(r);
    const int64_t j = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const int64_t k = r.first + blockIdx.y;
    if (j >= r.args.count) {
        return;
    }
    int64_t found = -1;
    if (p.now->total > 0) {
        const uint64_t place = gm_resample_place(r.args.method, r.args.seed,
                                                 r.args.first_index + static_cast<uint64_t>(k), j,
                                                 r.args.count, p.now->total);
        found = gm_resample_find(p.cumulative, r.args.n, place);
    }
    r.args.indices[k * r.args.indices_stride[0] + j * r.args.indices_stride[1]] =
        static_cast<int32_t>(found);
}

size_t resample_bytes(const gm_resample_args &args) {
    const int64_t numbers = args.n + 2 * blocks_of(args.n);
    return (sizeof(resample_state) + static_cast<size_t>(numbers) * sizeof(double) + 63) / 64 * 64;
}

int64_t resample_at_once(const gm_resample_args &args) {
    const int64_t fit = RESAMPLE_AT_ONCE / (args.n > 0 ? args.n : 1);
    return fit < 1 ? 1 : fit > MOST_AT_ONCE ? MOST_AT_ONCE : fit;
}

} // namespace

size_t importance_weigh_workspace(gm_call *call, const gm_weigh_args *args) {
    (void)call;
    return weigh_bytes(*args) * static_cast<size_t>(weigh_at_once(*args));
}

gm_status importance_weigh(gm_call *call, const gm_weigh_args *args) {
    call->kernel = "importance_weigh";
    if (wants_tail(*args) && args->n > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                            "pareto_k of %lld samples: this backend sorts 2^31 - 1",
                            static_cast<long long>(args->n));
    }
    weigh_call w = {*args, 0, blocks_of(args->n), weigh_bytes(*args)};
    const int64_t at_once = weigh_at_once(*args);
    for (; w.first < args->problems; w.first += at_once) {
        const int64_t left = args->problems - w.first;
        const unsigned many = static_cast<unsigned>(left < at_once ? left : at_once);
        const dim3 all(static_cast<unsigned>(w.blocks), many), each(1, many);
        const cudaStream_t stream = stream_of(call);
        if (w.blocks > 0) {
            GM_LAUNCH(weigh_peak, all, THREADS, sizeof(sum_shared), stream, w);
        }
        GM_LAUNCH(weigh_peak_end, each, THREADS, sizeof(sum_shared), stream, w);
        if (w.blocks > 0) {
            GM_LAUNCH(weigh_sums, all, THREADS, sizeof(sum_shared), stream, w);
        }
        GM_LAUNCH(weigh_sums_end, each, THREADS, sizeof(sum_shared), stream, w);
        if (w.blocks > 0) {
            GM_LAUNCH(weigh_spreads, all, THREADS, sizeof(sum_shared), stream, w);
        }
        GM_LAUNCH(weigh_end, each, THREADS, sizeof(sum_shared), stream, w);
        if (wants_tail(*args)) {
            fit_tails(w, many, stream);
        }
    }
    return check_cuda(call, cudaGetLastError(), "importance_weigh kernel launch");
}

size_t importance_resample_workspace(gm_call *call, const gm_resample_args *args) {
    (void)call;
    return resample_bytes(*args) * static_cast<size_t>(resample_at_once(*args));
}

gm_status importance_resample(gm_call *call, const gm_resample_args *args) {
    call->kernel = "importance_resample";
    resample_call r = {*args, 0, blocks_of(args->n), resample_bytes(*args)};
    const int64_t at_once = resample_at_once(*args), picks = (args->count + THREADS - 1) / THREADS;
    for (; r.first < args->problems; r.first += at_once) {
        const int64_t left = args->problems - r.first;
        const unsigned many = static_cast<unsigned>(left < at_once ? left : at_once);
        const dim3 all(static_cast<unsigned>(r.blocks), many), each(1, many);
        const cudaStream_t stream = stream_of(call);
        if (r.blocks > 0) {
            GM_LAUNCH(resample_peak, all, THREADS, sizeof(sum_shared), stream, r);
        }
        GM_LAUNCH(resample_peak_end, each, THREADS, sizeof(sum_shared), stream, r);
        if (r.blocks > 0) {
            GM_LAUNCH(resample_sums, all, THREADS, sizeof(count_shared), stream, r);
        }
        GM_LAUNCH(resample_starts, each, 32, 0, stream, r);
        if (r.blocks > 0) {
            GM_LAUNCH(resample_accumulate, all, THREADS, sizeof(prefix_shared), stream, r);
        }
        if (picks > 0) {
            GM_LAUNCH(resample_pick, dim3(static_cast<unsigned>(picks), many), THREADS, 0, stream,
                      r);
        }
    }
    return check_cuda(call, cudaGetLastError(), "importance_resample kernel launch");
}

} // namespace gm
