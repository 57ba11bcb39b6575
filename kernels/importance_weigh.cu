/*
 * gm_importance_weigh, u = exp(log p - log q - peak): kernels over (range of samples, problem), see
 * ranges.cuh, each followed by one that folds the ranges' results:
 *   peak     the largest log weight, and whether all are good
 *   sums     sum u, sum u^2, and sum u f for each function
 *   spreads  the weights; sum w (f - m)^2, sum w^2 (f - m)^2, sum (u f - c)^2, c their mean, for
 *            each function
 * and, where it is wanted, the tail's shape: importance_tail.cu. Log weights are made anew in every
 * pass: an exponential costs less than to store and read them.
 *
 * Shared memory: a number for each thread, 2 KiB. In double. Not yet timed on a GPU.
 */
#include "kernels/importance.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

using namespace importance;

constexpr int64_t RANGES_AT_ONCE = 1 << 18; /* numbers that the ranges of a launch leave */

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

} // namespace gm
