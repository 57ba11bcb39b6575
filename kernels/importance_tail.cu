/*
 * The shape of the weights' tail, pareto_k of gm_importance_weigh: the log weights sorted, then a
 * generalised Pareto law fitted to the largest, a block a problem, whose warps have a point of the
 * profile likelihood each.
 *
 * Shared memory: 8 KiB. In double. Not yet timed on a GPU.
 */
#include "kernels/importance.cuh"
#include "kernels/radix_sort.cuh"

namespace gm {
namespace importance {
namespace {

/* Of problem `which` of the launch, behind its sums. */
__host__ __device__ inline radix::arrays sort_at(const weigh_call &w, size_t which) {
    radix::arrays a;
    uint64_t *at = reinterpret_cast<uint64_t *>(part_at(w, which).means + sums_of(w.args));
    const int64_t n = w.args.n;
    a.keys[0] = at;
    a.keys[1] = at + n;
    a.from[0] = reinterpret_cast<uint32_t *>(at + 2 * n);
    a.from[1] = a.from[0] + n;
    a.counts = a.from[1] + n;
    a.tops = a.counts + radix::tiles_of(n) * radix::DIGITS;
    return a;
}

__device__ __forceinline__ radix::arrays sort_of(const weigh_call &w) {
    return sort_at(w, blockIdx.y);
}

__global__ void __launch_bounds__(THREADS) tail_keys(const GM_GRID_CONSTANT weigh_call w) {
    const radix::arrays a = sort_of(w);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < w.args.n) {
        a.keys[0][i] = radix::key_of(log_weight(w.args, w.first + blockIdx.y, i));
        a.from[0][i] = static_cast<uint32_t>(i);
    }
}

constexpr int64_t MOST_POINTS = 512; /* of a profile: 30 + 373 for n = 2^31 */

struct fit_shared {
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

} // namespace

size_t tail_bytes(int64_t n) {
    const int64_t counts = (radix::tiles_of(n) + radix::groups_of(n)) * radix::DIGITS;
    return static_cast<size_t>(n) * 24 + static_cast<size_t>(counts) * sizeof(uint32_t);
}

void fit_tails(const weigh_call &w, unsigned many, cudaStream_t stream) {
    const int64_t n = w.args.n;
    const dim3 all(static_cast<unsigned>((n + THREADS - 1) / THREADS), many);
    GM_LAUNCH(tail_keys, all, THREADS, 0, stream, w);
    radix::sort(sort_at(w, 0), w.bytes, n, many, stream);
    GM_LAUNCH(tail_fit, dim3(1, many), THREADS, sizeof(fit_shared), stream, w);
}

} // namespace importance
} // namespace gm
