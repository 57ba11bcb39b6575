/*
 * What gm_density_annealing_run does before each step: weights, statuses, the best states, the
 * parameters of a later step; include/genmath/density_annealing.h has the formula.
 *
 * Layout: chains as in gm_mcmc_run, any strides; log densities (n) from gm_importance_draw;
 * parameters placed as (params, columns), a column a chain, or one for all.
 *
 * Parallelised: a thread a chain. A column is placed by the thread of its number; nothing that is
 * read here is written by another thread.
 *
 * Shared memory: none.
 *
 * Numerical choices: weights in double, one addition a step.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/density_annealing_args.h"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

__device__ inline double infinity_below() {
    return gm_from_bits_f64(UINT64_C(0xfff0000000000000));
}

template <typename real> __device__ inline real at(const void *array, int64_t i) {
    return static_cast<const real *>(array)[i];
}

template <typename real> __device__ inline void set(void *array, int64_t i, real value) {
    static_cast<real *>(array)[i] = value;
}

template <typename real>
__device__ inline void place_params(const gm_density_annealing_args &a, int64_t column) {
    for (int i = 0; i < a.params; ++i) {
        const real value =
            a.place[i] >= 0 ? at<real>(a.values, a.place[i])
                            : at<real>(a.given, i * a.given_stride[0] + column * a.given_stride[1]);
        set(a.placed, i * a.columns + column, value);
    }
}

template <typename real>
__device__ inline void keep_best(const gm_density_annealing_args &a, int64_t chain) {
    const int64_t kept = chain * a.best_log_density_stride;
    const real now = at<real>(a.from, chain);
    const real best =
        a.begins != 0 ? static_cast<real>(infinity_below()) : at<real>(a.best_log_density, kept);
    const bool better = now > best;
    if (!better && a.begins == 0) {
        return;
    }
    set(a.best_log_density, kept, better ? now : best);
    for (int i = 0; i < a.dim && a.best != nullptr; ++i) {
        set(a.best, i * a.best_stride[0] + chain * a.best_stride[1],
            at<real>(a.state, i * a.state_stride[0] + chain * a.state_stride[1]));
    }
}

/* The weight of a chain that has one; what its status becomes. */
template <typename real>
__device__ inline int32_t weigh(const gm_density_annealing_args &a, int64_t chain, int32_t status) {
    double &log_weight = a.log_weight[chain * a.log_weight_stride];
    double w = a.begins != 0 ? 0.0 : log_weight;
    if (a.weighs != 0 && status == GM_STATUS_OK) {
        const double from = static_cast<double>(at<real>(a.from, chain));
        const double to = a.to != nullptr ? static_cast<double>(at<real>(a.to, chain)) : from;
        w = gm_density_annealing_weigh(&a, w, from, to);
        status = w == w ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    }
    log_weight = status == GM_STATUS_OK ? w : gm_from_bits_f64(UINT64_C(0x7ff8000000000000));
    return status;
}

template <typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK)
    step_densities(const GM_GRID_CONSTANT gm_density_annealing_args a) {
    const int64_t chain = trajectory_index();
    if (chain >= a.n) {
        return;
    }
    if (a.placed != nullptr && chain < a.columns) {
        place_params<real>(a, chain);
    }
    if (a.status == nullptr) {
        return;
    }
    const bool left = a.log_weight != nullptr && a.begins == 0 &&
                      a.log_weight[chain * a.log_weight_stride] == infinity_below();
    int32_t &kept = a.status[chain * a.status_stride];
    int32_t status = a.clears != 0 ? GM_STATUS_OK : kept;
    if (!left && status == GM_STATUS_OK && a.chain_status != nullptr) {
        status = a.chain_status[chain];
    }
    kept = !left && a.log_weight != nullptr ? weigh<real>(a, chain, status) : status;
    if (a.best_log_density != nullptr) {
        keep_best<real>(a, chain);
    }
}

} // namespace

gm_status density_annealing_step(gm_call *call, const gm_density_annealing_args *args) {
    call->kernel = "density_annealing_threads";
    unsigned blocks = 0;
    const gm_status status = ensemble_grid(call, args->n, &blocks);
    if (status != GM_STATUS_OK) {
        return status;
    }
    if (args->dtype == GM_F64) {
        GM_LAUNCH(step_densities<double>, blocks, ENSEMBLE_BLOCK, 0, stream_of(call), *args);
    } else {
        GM_LAUNCH(step_densities<float>, blocks, ENSEMBLE_BLOCK, 0, stream_of(call), *args);
    }
    return check_cuda(call, cudaGetLastError(), "density annealing kernel launch");
}

} // namespace gm
