/* gm_mcmc_run on the device: which kernel runs a density, and its launch. The kernel is in
 * mcmc_chain.cuh. */
#include <new>

#include "host/mcmc_args.h"
#include "kernels/densities.cuh"
#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/mcmc_chain.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

template <class Density, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK) mcmc(Density density, mcmc_params<real> a) {
    mcmc_chain(density, a);
}

template <class Density>
void launch(const Density &density, gm_dtype dtype, unsigned blocks, cudaStream_t stream,
            const void *params) {
    if (dtype == GM_F64) {
        GM_LAUNCH((mcmc<Density, double>), blocks, ENSEMBLE_BLOCK, 0, stream, density,
                  *static_cast<const mcmc_params<double> *>(params));
    } else {
        GM_LAUNCH((mcmc<Density, float>), blocks, ENSEMBLE_BLOCK, 0, stream, density,
                  *static_cast<const mcmc_params<float> *>(params));
    }
}

template <class Density> struct builtin_launcher {
    static void run(gm_dtype dtype, unsigned blocks, cudaStream_t stream, const void *params) {
        launch(Density(), dtype, blocks, stream, params);
    }
};

struct mcmc_plan {
    density_launch builtin = nullptr;
    jit_kernel *jit = nullptr;
    const char *name = "";
};

/* By precision, and whether the density is the user's. Static: they outlive the plan. */
const char *const kernel_names[2][2] = {
    {"mcmc_f64_builtin", "mcmc_f64_" GM_USER_KERNEL_KIND},
    {"mcmc_f32_builtin", "mcmc_f32_" GM_USER_KERNEL_KIND},
};

template <typename real>
mcmc_params<real> make_params(const gm_mcmc_problem &p, const gm_mcmc_arrays &a) {
    mcmc_params<real> k;
    k.n = a.n;
    k.first_step = a.first_step;
    k.steps = p.steps;
    k.thin = p.thin;
    k.seed = p.seed;
    k.first_index = p.first_index;
    k.method = p.method;
    k.leapfrogs = p.leapfrogs;
    k.jitter = p.jitter;
    k.start = static_cast<const real *>(a.start);
    k.params = static_cast<const real *>(a.params);
    k.step = static_cast<const real *>(a.step);
    k.scale = static_cast<const real *>(a.scale);
    k.beta = static_cast<const real *>(a.beta);
    k.factor = static_cast<const real *>(a.factor);
    k.target = static_cast<real>(p.target);
    k.end = static_cast<real *>(a.end);
    k.draws = static_cast<real *>(a.draws);
    k.mean = static_cast<real *>(a.mean);
    k.variance = static_cast<real *>(a.variance);
    k.end_step = static_cast<real *>(a.end_step);
    k.end_scale = static_cast<real *>(a.end_scale);
    k.logp = static_cast<real *>(a.logp);
    k.accepted = a.accepted;
    k.outside = a.outside;
    k.status = a.status;
    memcpy(k.start_stride, a.start_stride, sizeof k.start_stride);
    memcpy(k.params_stride, a.params_stride, sizeof k.params_stride);
    memcpy(k.step_stride, a.step_stride, sizeof k.step_stride);
    memcpy(k.scale_stride, a.scale_stride, sizeof k.scale_stride);
    memcpy(k.beta_stride, a.beta_stride, sizeof k.beta_stride);
    memcpy(k.factor_stride, a.factor_stride, sizeof k.factor_stride);
    memcpy(k.end_stride, a.end_stride, sizeof k.end_stride);
    memcpy(k.draws_stride, a.draws_stride, sizeof k.draws_stride);
    memcpy(k.mean_stride, a.mean_stride, sizeof k.mean_stride);
    memcpy(k.variance_stride, a.variance_stride, sizeof k.variance_stride);
    memcpy(k.end_step_stride, a.end_step_stride, sizeof k.end_step_stride);
    memcpy(k.accepted_stride, a.accepted_stride, sizeof k.accepted_stride);
    memcpy(k.outside_stride, a.outside_stride, sizeof k.outside_stride);
    memcpy(k.status_stride, a.status_stride, sizeof k.status_stride);
    memcpy(k.end_scale_stride, a.end_scale_stride, sizeof k.end_scale_stride);
    memcpy(k.logp_stride, a.logp_stride, sizeof k.logp_stride);
    k.data = rows_of<real>(a.data);
    return k;
}

template <class Params>
gm_status run(gm_call *call, const gm_mcmc_problem &problem, const mcmc_plan &plan, int64_t n,
              const Params &params) {
    unsigned blocks = 0;
    const gm_status status = ensemble_grid(call, n, &blocks);
    if (status != GM_STATUS_OK) {
        return status;
    }
    if (plan.builtin != nullptr) {
        plan.builtin(problem.dtype, blocks, stream_of(call), &params);
    } else {
#ifdef __CUDACC__
        return jit_launch(call, plan.jit, blocks, ENSEMBLE_BLOCK, &params);
#else
        launch(host_density{problem.density}, problem.dtype, blocks, stream_of(call), &params);
#endif
    }
    return check_cuda(call, cudaGetLastError(), "mcmc kernel launch");
}

} // namespace

gm_status mcmc_prepare(gm_call *call, const gm_mcmc_problem *problem, void **state) {
    mcmc_plan *plan = new (std::nothrow) mcmc_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    plan->builtin = find_builtin<builtin_launcher>(*problem->density);
    plan->name = kernel_names[problem->dtype == GM_F32][plan->builtin == nullptr];
#ifdef __CUDACC__
    if (plan->builtin == nullptr) {
        const gm_status status = jit_mcmc(call, *problem->density, problem->dtype, &plan->jit);
        if (status != GM_STATUS_OK) {
            mcmc_release(call, plan);
            return status;
        }
    }
#endif
    *state = plan;
    return GM_STATUS_OK;
}

gm_status mcmc_run(gm_call *call, const gm_mcmc_problem *problem, void *state,
                   const gm_mcmc_arrays *arrays) {
    const mcmc_plan &plan = *static_cast<const mcmc_plan *>(state);
    call->kernel = plan.name;
    return problem->dtype == GM_F64
               ? run(call, *problem, plan, arrays->n, make_params<double>(*problem, *arrays))
               : run(call, *problem, plan, arrays->n, make_params<float>(*problem, *arrays));
}

void mcmc_release(gm_call *call, void *state) {
    (void)call;
    mcmc_plan *plan = static_cast<mcmc_plan *>(state);
#ifdef __CUDACC__
    jit_release(plan->jit);
#endif
    delete plan;
}

} // namespace gm
