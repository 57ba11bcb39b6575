/*
 * Boltzmann machines, what contractions do not do (host/rbm_args.h): sums of log(1 + e^x) and their
 * like along rows, pseudo-likelihoods, draws of visible units that are not binary, states written
 * out, and the logarithm of a sum of exponentials. The layers themselves are contractions.
 *
 * Parallelised:
 *   terms    a warp takes a row, its lanes the units; a block 8 rows
 *   flips    a block takes a row, its warps the units that are flipped in turn, lanes the hidden
 *   visible  a thread takes a unit, of potts a site with its colours
 *   states, divide  a thread takes an element
 *   fold     one block: its threads take rows in turn, with a maximum and a sum each
 * Shared memory: flips 64 bytes at most, a partial sum for each warp; fold 4 KiB at most.
 *
 * Numerical choices: log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) does not overflow; the difference
 * of two such terms is taken term by term, so that it vanishes where they are equal. Sums go
 * through the lanes and then the shuffles of a warp, in an order that depends on the number of
 * units alone. Not yet timed on a GPU.
 */
#include "host/rbm_args.h"
#include "host/rbm_terms.h"
#include "kernels/block.cuh"
#include "kernels/elements.cuh"
#include "kernels/functions.cuh"
#include "kernels/module.cuh"

#include <math.h>

namespace gm {
namespace {

constexpr int WARPS = 8, THREADS = 32 * WARPS;

__device__ __forceinline__ float softplus(float x) {
    return gm_softplus_f32(x);
}
__device__ __forceinline__ double softplus(double x) {
    return gm_softplus_f64(x);
}
__device__ __forceinline__ float quotient(float x, float y) {
    return gm_divide_f32(x, y);
}
__device__ __forceinline__ double quotient(double x, double y) {
    return gm_divide_f64(x, y);
}
__device__ __forceinline__ float normal(uint64_t seed, uint64_t e, float) {
    return gm_rbm_normal_f32(seed, e);
}
__device__ __forceinline__ double normal(uint64_t seed, uint64_t e, double) {
    return gm_rbm_normal_f64(seed, e);
}
__device__ __forceinline__ float uniform(uint64_t seed, uint64_t e, float) {
    return gm_rbm_uniform_f32(seed, e);
}
__device__ __forceinline__ double uniform(uint64_t seed, uint64_t e, double) {
    return gm_rbm_uniform_f64(seed, e);
}

/* The args in the type of the arrays. */
template <class real> struct params {
    int kind, state_kind, difference, mean, restart;
    int64_t rows, units, others, colours;
    real gain, from, beta, sign, keep, noise;
    uint64_t seed, first;
    const real *field, *bias, *sigma, *state, *state_bias, *w;
    const uint8_t *clamp;
    real *out, *result;

    /* A field that is not there is 0. */
    __device__ __forceinline__ real field_at(int64_t row, int64_t unit) const {
        return field != nullptr ? field[row * units + unit] : real(0);
    }
    __device__ __forceinline__ real colour(int64_t row, int64_t unit, real own_gain) const {
        return own_gain * field_at(row, unit) + beta * bias[unit];
    }
};

/* log sum_q exp(..) over the colours of the site that begins at a unit. */
template <class real>
__device__ real log_colours(const params<real> &a, int64_t row, int64_t unit, real gain) {
    real most = a.colour(row, unit, gain), sum = 0;
    for (int64_t q = unit + 1; q < unit + a.colours; ++q) {
        const real x = a.colour(row, q, gain);
        most = x <= most ? most : x;
    }
    for (int64_t q = unit; q < unit + a.colours; ++q) {
        sum += exponential(a.colour(row, q, gain) - most);
    }
    return most + logarithm(sum);
}

template <class real>
__device__ real term(const params<real> &a, int64_t row, int64_t unit, real gain) {
    if (a.kind == GM_RBM_POTTS) {
        return log_colours(a, row, unit, gain);
    }
    if (a.kind == GM_RBM_BINARY) {
        return softplus(a.colour(row, unit, gain));
    }
    const real x = gain * a.field_at(row, unit), sigma = a.sigma[unit];
    const real two_pi = real(6.283185307179586476925286766559);
    return a.beta * (quotient(a.bias[unit] * x, sigma) + x * x * real(0.5)) +
           logarithm(quotient(two_pi * sigma * sigma, a.beta)) * real(0.5);
}

template <class real> __device__ real state_term(const params<real> &a, int64_t row, int64_t i) {
    const real s = a.state[row * a.others + i], b = a.state_bias[i];
    if (a.state_kind != GM_RBM_GAUSSIAN) {
        return b * s;
    }
    const real z = quotient(s - b, a.sigma[i]);
    return -z * z * real(0.5);
}

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_terms(const GM_GRID_CONSTANT params<real> a) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * WARPS + gm_warp();
    if (row >= a.rows) {
        return; /* the whole warp */
    }
    real sum = 0, states = 0;
    for (int64_t u = gm_lane() * a.colours; u < a.units; u += 32 * a.colours) {
        sum += a.difference != 0 ? term(a, row, u, a.gain) - term(a, row, u, a.from)
                                 : term(a, row, u, a.gain);
    }
    for (int64_t i = gm_lane(); i < a.others; i += 32) {
        states += state_term(a, row, i);
    }
    sum = gm_warp_sum(sum) + a.beta * gm_warp_sum(states);
    if (gm_lane() == 0) {
        a.out[row] = (a.keep != real(0) ? a.keep * a.out[row] : real(0)) + a.sign * sum;
    }
}

template <class real> struct flips_shared { real warp[WARPS]; };

/* The rise of log p by the flip of unit i, in every lane. */
template <class real> __device__ real rise_of(const params<real> &a, int64_t row, int64_t i) {
    const real flip = real(1) - real(2) * a.state[row * a.others + i];
    real sum = 0;
    for (int64_t u = gm_lane(); u < a.units; u += 32) {
        const real x = a.field_at(row, u) + a.bias[u];
        sum += softplus(x + flip * a.w[i * a.units + u]) - softplus(x);
    }
    return gm_warp_sum(sum) + flip * a.state_bias[i];
}

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_flips(const GM_GRID_CONSTANT params<real> a) {
    GM_SHARED(flips_shared<real>, shared);
    const int64_t row = blockIdx.x;
    real sum = 0;
    for (int64_t i = gm_warp(); i < a.others; i += WARPS) {
        sum -= softplus(rise_of(a, row, i));
    }
    if (gm_lane() == 0) {
        shared.warp[gm_warp()] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < WARPS; ++w) {
            sum += shared.warp[w];
        }
        a.out[row] = sum;
    }
}

/* A site's colours: their probabilities, or 1 for the first whose cumulative one reaches a uniform.
 * A NaN among them leaves all 0. */
template <class real>
__device__ void set_site(const params<real> &a, int64_t row, int64_t unit, uint64_t site) {
    const real whole = log_colours(a, row, unit, a.gain);
    const real u = a.mean != 0 ? real(0) : uniform(a.seed, a.first + site, real());
    real below = 0, *out = a.out + row * a.units;
    for (int64_t q = unit; q < unit + a.colours; ++q) {
        const real p = exponential(a.colour(row, q, a.gain) - whole);
        const bool last = q + 1 == unit + a.colours && p == p;
        const bool chosen = below < u && (below + p >= u || last);
        below = chosen ? real(2) : below + p;
        out[q] = a.mean != 0 ? p : chosen ? real(1) : real(0);
    }
}

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_visible(const GM_GRID_CONSTANT params<real> a) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const int64_t sites = a.units / a.colours;
    if (e >= a.rows * sites) {
        return;
    }
    const int64_t row = e / sites, u = e % sites * a.colours;
    if (a.clamp != nullptr && a.clamp[u] != 0) {
        return;
    }
    if (a.kind == GM_RBM_POTTS) {
        set_site(a, row, u, static_cast<uint64_t>(e));
    } else if (a.kind == GM_RBM_BINARY) {
        a.out[e] = a.field_at(row, u);
    } else {
        const uint64_t number = a.first + static_cast<uint64_t>(e);
        const real z = a.mean != 0 ? real(0) : normal(a.seed, number, real()) * a.noise;
        a.out[e] = a.bias[u] + a.sigma[u] * (a.gain * a.field_at(row, u) + z);
    }
}

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_states(const GM_GRID_CONSTANT params<real> a) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < a.rows * a.units) {
        const int64_t u = e % a.units;
        const uint64_t state = a.first + static_cast<uint64_t>(e / a.units);
        a.out[e] = u < 64 && (state >> u & 1) != 0 ? real(1) : real(0);
    }
}

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_divide(const GM_GRID_CONSTANT params<real> a) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < a.rows * a.units) {
        a.out[e] = quotient(a.field[e], a.sigma[e % a.units]);
    }
}

template <class real> struct fold_shared { gm_block_reduce_shared<real> reduce; };

template <class real>
__global__ void __launch_bounds__(THREADS) rbm_fold(const GM_GRID_CONSTANT params<real> a) {
    GM_SHARED(fold_shared<real>, shared);
    real most = a.restart != 0 ? a.field[0] : a.out[0];
    const real before = most, sum_before = a.restart != 0 ? real(0) : a.out[1];
    for (int64_t r = threadIdx.x; r < a.rows; r += THREADS) {
        most = a.field[r] > most ? a.field[r] : most;
    }
    most = gm_block_max(most, shared.reduce);
    real sum = 0;
    for (int64_t r = threadIdx.x; r < a.rows; r += THREADS) {
        sum += exponential(a.field[r] - most);
    }
    sum = gm_block_sum(sum, shared.reduce);
    if (threadIdx.x == 0) {
        sum += sum_before * exponential(before - most);
        a.out[0] = most;
        a.out[1] = sum;
        a.result[0] = most + logarithm(sum);
    }
}

template <class real> params<real> params_of(const gm_rbm_args &a) {
    params<real> p;
    p.kind = a.kind;
    p.state_kind = a.state_kind;
    p.difference = a.difference;
    p.mean = a.mean;
    p.restart = a.restart;
    p.rows = a.rows;
    p.units = a.units;
    p.others = a.others;
    p.colours = a.colours > 0 ? a.colours : 1;
    p.gain = static_cast<real>(a.gain);
    p.from = static_cast<real>(a.from);
    p.beta = static_cast<real>(a.beta);
    p.sign = static_cast<real>(a.sign);
    p.keep = static_cast<real>(a.keep);
    p.noise = static_cast<real>(1 / sqrt(a.beta));
    p.seed = a.seed;
    p.first = a.first;
    p.field = static_cast<const real *>(a.field);
    p.bias = static_cast<const real *>(a.bias);
    p.sigma = static_cast<const real *>(a.sigma);
    p.state = static_cast<const real *>(a.state);
    p.state_bias = static_cast<const real *>(a.state_bias);
    p.w = static_cast<const real *>(a.w);
    p.clamp = a.clamp;
    p.out = static_cast<real *>(a.out);
    p.result = static_cast<real *>(a.result);
    return p;
}

/* A kernel: rows of a block (0: elements by its threads), shared memory, name. */
template <class real> struct way {
    void (*launch)(unsigned grid, cudaStream_t stream, const params<real> &p);
    int64_t rows;
    const char *name;
};

#define GM_RBM_LAUNCH(kernel, bytes)                                                               \
    template <class real>                                                                          \
    void launch_##kernel(unsigned grid, cudaStream_t stream, const params<real> &p) {              \
        GM_LAUNCH((kernel<real>), grid, THREADS, bytes, stream, p);                                \
    }
GM_RBM_LAUNCH(rbm_terms, 0)
GM_RBM_LAUNCH(rbm_visible, 0)
GM_RBM_LAUNCH(rbm_states, 0)
GM_RBM_LAUNCH(rbm_fold, sizeof(fold_shared<real>))
GM_RBM_LAUNCH(rbm_flips, sizeof(flips_shared<real>))
GM_RBM_LAUNCH(rbm_divide, 0)

/* In the order of gm_rbm_work. */
template <class real> gm_status run(gm_call *call, const gm_rbm_args &args) {
    static const way<real> ways[] = {
        {launch_rbm_terms<real>, WARPS, "rbm_terms"},
        {launch_rbm_visible<real>, 0, "rbm_visible"},
        {launch_rbm_states<real>, 0, "rbm_states"},
        {launch_rbm_fold<real>, INT64_MAX, "rbm_fold"},
        {launch_rbm_flips<real>, 1, "rbm_flips"},
        {launch_rbm_divide<real>, 0, "rbm_divide"},
    };
    const way<real> &w = ways[args.work];
    unsigned grid = 0;
    const gm_status status = w.rows > 0 ? grid_for(call, args.rows, w.rows, &grid)
                                        : grid_for(call, args.rows * args.units, THREADS, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    call->kernel = w.name;
    w.launch(grid, stream_of(call), params_of<real>(args));
    return check_cuda(call, cudaGetLastError(), "launch of a Boltzmann machine's kernel");
}

} // namespace

gm_status rbm_run(gm_call *call, const gm_rbm_args *args) {
    return args->dtype == GM_F64 ? run<double>(call, *args) : run<float>(call, *args);
}

} // namespace gm
