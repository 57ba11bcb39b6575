/*
 * gm_mcmc_mass on the device: the shrunk covariance of the points of many chains,
 *
 *     A_ij = w sum_k (x_ik - m_i)(x_jk - m_j) / (N - 1) + [i = j] (1 - w) / 1000,  w = N / (N + 5),
 *
 * the square roots of its diagonal, and its Cholesky factor. Points lie (draw, component, chain).
 *
 * entries: a block of 256 threads an entry of the lower triangle; the threads take points in turn
 * and go through them twice, the mean first. It is left in the factor's own memory.
 * factor: one block of 64 threads, a row each; column by column, what is left of a row less its
 * product with the pivot's.
 * Shared memory: entries, a block reduction's 132 or 264 bytes; factor, the matrix, 16 or 32 KiB.
 *
 * Sums have a fixed order and the precision of the points, counts too: over 2^24 floats N is
 * rounded.
 * Bound: memory, 4 reads of a point an entry, of which the caches serve most. Not yet timed on a
 * GPU.
 */
#include "host/mcmc_args.h"
#include "kernels/block.cuh"
#include "kernels/device.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr int THREADS = 256, MOST = GM_MAX_SYSTEM_DIM;

template <class real> struct points {
    const real *data;
    int64_t draws, n, stride[3];
};

template <class real> struct estimate {
    points<real> from;
    real *scale, *factor; /* nullptr: not wanted */
    int64_t scale_stride, factor_stride[2];
    int32_t dim;
};

__device__ __forceinline__ float square_root(float x) {
    return gm_sqrt_f32(x);
}

__device__ __forceinline__ double square_root(double x) {
    return gm_sqrt_f64(x);
}

template <class real> struct pair_sums { real count, x, y, product; };

/* This thread's part of the sums over the points where both coordinates are finite. */
template <class real>
__device__ __forceinline__ pair_sums<real> add_points(const points<real> &p, int i, int j,
                                                      real mean_x, real mean_y) {
    pair_sums<real> sums = {0, 0, 0, 0};
    for (int64_t m = 0; m < p.draws; ++m) {
        for (int64_t k = threadIdx.x; k < p.n; k += THREADS) {
            const real *point = p.data + m * p.stride[0] + k * p.stride[2];
            const real x = point[i * p.stride[1]], y = point[j * p.stride[1]];
            if (is_finite(x) && is_finite(y)) {
                sums.count += 1;
                sums.x += x;
                sums.y += y;
                sums.product += (x - mean_x) * (y - mean_y);
            }
        }
    }
    return sums;
}

template <class real> __global__ void __launch_bounds__(THREADS) mass_entries(estimate<real> e) {
    GM_SHARED(gm_block_reduce_shared<real>, shared);
    int i = blockIdx.x, j = blockIdx.x;
    if (e.factor != nullptr) { /* blocks number the lower triangle, row by row */
        for (i = 0; j > i; ++i) {
            j -= i + 1;
        }
    }
    const pair_sums<real> first = add_points(e.from, i, j, real(0), real(0));
    const real n = gm_block_sum(first.count, shared);
    const real x = gm_block_sum(first.x, shared) / n, y = gm_block_sum(first.y, shared) / n;
    const pair_sums<real> second = add_points(e.from, i, j, x, y);
    const real product = gm_block_sum(second.product, shared);
    if (threadIdx.x == 0) {
        const real rest = GM_SHRINK_COUNT / (n + GM_SHRINK_COUNT);
        const real covariance = n < 2 ? real(0) : product / (n - 1);
        const real entry =
            (1 - rest) * covariance + (i == j ? real(GM_SHRINK_TOWARDS) * rest : real(0));
        if (e.factor != nullptr) {
            e.factor[i * e.factor_stride[0] + j * e.factor_stride[1]] = entry;
        }
        if (e.scale != nullptr && i == j) {
            e.scale[i * e.scale_stride] = square_root(entry);
        }
    }
}

template <class real> struct factor_shared {
    real entry[MOST][MOST + 1]; /* a row more than a bank apart */
};

template <class real> __global__ void __launch_bounds__(MOST) mass_factor(estimate<real> e) {
    GM_SHARED(factor_shared<real>, shared);
    const int i = threadIdx.x;
    real *row = e.factor + i * e.factor_stride[0];
    for (int j = 0; i < e.dim && j <= i; ++j) {
        shared.entry[i][j] = row[j * e.factor_stride[1]];
    }
    __syncthreads();
    for (int j = 0; j < e.dim; ++j) {
        real rest = 0;
        if (i >= j && i < e.dim) {
            rest = shared.entry[i][j];
            for (int k = 0; k < j; ++k) {
                rest -= shared.entry[i][k] * shared.entry[j][k];
            }
        }
        if (i == j) {
            const real nan = static_cast<real>(gm_from_bits_f32(0x7fc00000u));
            shared.entry[j][j] = rest > 0 ? square_root(rest) : nan;
        }
        __syncthreads();
        if (i > j && i < e.dim) {
            shared.entry[i][j] = rest / shared.entry[j][j];
        }
        __syncthreads();
    }
    for (int j = 0; i < e.dim && j < e.dim; ++j) {
        row[j * e.factor_stride[1]] = j <= i ? shared.entry[i][j] : real(0);
    }
}

template <class real> gm_status run(gm_call *call, const gm_mcmc_mass_args &a) {
    estimate<real> e;
    e.from = {static_cast<const real *>(a.points), a.draws, a.n, {}};
    memcpy(e.from.stride, a.points_stride, sizeof e.from.stride);
    e.scale = static_cast<real *>(a.scale);
    e.factor = static_cast<real *>(a.factor);
    e.scale_stride = a.scale_stride[0];
    memcpy(e.factor_stride, a.factor_stride, sizeof e.factor_stride);
    e.dim = static_cast<int32_t>(a.dim);
    const unsigned entries =
        static_cast<unsigned>(a.factor != nullptr ? a.dim * (a.dim + 1) / 2 : a.dim);
    GM_LAUNCH((mass_entries<real>), entries, THREADS, sizeof(gm_block_reduce_shared<real>),
              stream_of(call), e);
    if (a.factor != nullptr) {
        GM_LAUNCH((mass_factor<real>), 1, MOST, sizeof(factor_shared<real>), stream_of(call), e);
    }
    return check_cuda(call, cudaGetLastError(), "mcmc_mass kernel launch");
}

} // namespace

gm_status mcmc_mass(gm_call *call, const gm_mcmc_mass_args *args) {
    call->kernel = args->dtype == GM_F64 ? "mcmc_mass_f64" : "mcmc_mass_f32";
    return args->dtype == GM_F64 ? run<double>(call, *args) : run<float>(call, *args);
}

} // namespace gm
