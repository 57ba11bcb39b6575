/*
 * The draws in order (radix_sort.cuh), their quantiles, and the normal scores of their ranks.
 * Shared memory: none but the sort's. Not yet timed on a GPU.
 */
#include "kernels/diagnostics.cuh"

#include "host/quantile_law.h"

namespace gm {
namespace diagnostics {
namespace {

__global__ void __launch_bounds__(THREADS) make_keys(layout where, int64_t count) {
    const area a = area_of(where);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) {
        a.sort.keys[0][i] = radix::key_of(a.x[i]);
        a.sort.from[0][i] = static_cast<uint32_t>(i);
    }
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

} // namespace

void sort_draws(const batch &b, int64_t count) {
    GM_LAUNCH(make_keys, b.threads_for(count), THREADS, 0, b.stream, b.where, count);
    radix::sort(area_at(b.where, 0).sort, b.where.bytes, count, b.quantities, b.stream);
}

void find_quantile(const batch &b, int64_t count, double p, slot to) {
    GM_LAUNCH(pick, b.grid(1), 32, 0, b.stream, b.where, count, p, to);
}

void find_scores(const batch &b, int64_t count) {
    GM_LAUNCH(ranks, b.threads_for(count), THREADS, 0, b.stream, b.where, count);
}

} // namespace diagnostics
} // namespace gm
