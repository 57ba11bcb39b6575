/*
 * gm_importance_resample: the largest weight, the integers' sum in each range of samples
 * (ranges.cuh), where a range begins, the cumulative integers by prefix sums of 256, then a thread
 * for each draw, which finds it by bisection. Integers add up to the same in any order.
 *
 * Shared memory: a number for each thread, 2 KiB. In double and integers. Not yet timed on a GPU.
 */
#include "kernels/importance.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

using namespace importance;

constexpr int64_t AT_ONCE = 1 << 19; /* weights of a launch, where a problem has fewer */

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
    const int64_t fit = AT_ONCE / (args.n > 0 ? args.n : 1);
    return fit < 1 ? 1 : fit > MOST_AT_ONCE ? MOST_AT_ONCE : fit;
}

} // namespace

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
