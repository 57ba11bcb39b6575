/* gm_sde_solve on the device: which kernel runs an SDE, and its launch. The kernel is in
 * sde_em.cuh. */
#include <math.h>
#include <new>

#include "host/sde_args.h"
#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"
#include "kernels/sde_em.cuh"
#include "kernels/systems.cuh"

namespace gm {
namespace {

template <class Sde, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK) sde_em(Sde sde, em_params<real> a) {
    em_trajectory(sde, a);
}

template <class Sde>
void launch(const Sde &sde, gm_dtype dtype, unsigned blocks, cudaStream_t stream,
            const void *params) {
    if (dtype == GM_F64) {
        GM_LAUNCH((sde_em<Sde, double>), blocks, ENSEMBLE_BLOCK, 0, stream, sde,
                  *static_cast<const em_params<double> *>(params));
    } else {
        GM_LAUNCH((sde_em<Sde, float>), blocks, ENSEMBLE_BLOCK, 0, stream, sde,
                  *static_cast<const em_params<float> *>(params));
    }
}

typedef void (*builtin_launch)(gm_dtype, unsigned, cudaStream_t, const void *);

template <class Sde>
void launch_builtin(gm_dtype dtype, unsigned blocks, cudaStream_t stream, const void *params) {
    launch(Sde(), dtype, blocks, stream, params);
}

/* The SDEs compiled into the module, known by the text of their bodies. */
struct builtin_row {
    const char *(*drift)();
    const char *(*diffusion)();
    int dim, params, noises;
    bool diagonal;
    builtin_launch launch;
};

#define GM_ROW(name)                                                                               \
    {builtin::name::source,                                                                        \
     builtin::name##_sde::diffusion_source,                                                        \
     builtin::name::max_dim,                                                                       \
     builtin::name::max_params,                                                                    \
     builtin::name##_sde::noises(),                                                                \
     builtin::name##_sde::is_diagonal(),                                                           \
     launch_builtin<builtin::name##_sde>},
const builtin_row builtin_rows[] = {GM_BUILTIN_SDES(GM_ROW)};
#undef GM_ROW

builtin_launch find_builtin(const gm_sde &sde) {
    for (const builtin_row &row : builtin_rows) {
        if (row.dim == sde.drift->dim && row.params == sde.drift->params &&
            row.noises == sde.noises && row.diagonal == (sde.diagonal != 0) &&
            strcmp(row.drift(), sde.drift->source) == 0 &&
            strcmp(row.diffusion(), sde.source) == 0) {
            return row.launch;
        }
    }
    return nullptr;
}

struct sde_plan {
    builtin_launch builtin = nullptr;
    jit_kernel *jit = nullptr;
    const char *name = "";
};

/* By precision, and whether the SDE is the user's. Static: they outlive the plan. */
const char *const kernel_names[2][2] = {
    {"sde_em_f64_builtin", "sde_em_f64_" GM_USER_KERNEL_KIND},
    {"sde_em_f32_builtin", "sde_em_f32_" GM_USER_KERNEL_KIND},
};

template <typename real>
em_params<real> make_params(const gm_sde_problem &p, const gm_ensemble_arrays &arrays) {
    const double h = (p.t1 - p.t0) / static_cast<double>(p.steps);
    em_params<real> a;
    a.e = typed_ensemble<real>(arrays);
    a.t0 = static_cast<real>(p.t0);
    a.t1 = static_cast<real>(p.t1);
    a.h = static_cast<real>(h);
    a.root_h = static_cast<real>(sqrt(h));
    a.steps = p.steps;
    a.save_every = p.save_every;
    a.seed = p.seed;
    a.first_index = p.first_index;
    return a;
}

template <class Params>
gm_status run(gm_call *call, const gm_sde_problem &problem, const sde_plan &plan, int64_t n,
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
        launch(host_sde(problem.sde), problem.dtype, blocks, stream_of(call), &params);
#endif
    }
    return check_cuda(call, cudaGetLastError(), "sde kernel launch");
}

} // namespace

gm_status sde_prepare(gm_call *call, const gm_sde_problem *problem, void **state) {
    sde_plan *plan = new (std::nothrow) sde_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    plan->builtin = find_builtin(*problem->sde);
    plan->name = kernel_names[problem->dtype == GM_F32][plan->builtin == nullptr];
#ifdef __CUDACC__
    if (plan->builtin == nullptr) {
        const gm_status status = jit_sde(call, *problem->sde, problem->dtype, &plan->jit);
        if (status != GM_STATUS_OK) {
            sde_release(call, plan);
            return status;
        }
    }
#endif
    *state = plan;
    return GM_STATUS_OK;
}

gm_status sde_solve(gm_call *call, const gm_sde_problem *problem, void *state,
                    const gm_ensemble_arrays *arrays) {
    const sde_plan &plan = *static_cast<const sde_plan *>(state);
    call->kernel = plan.name;
    return problem->dtype == GM_F64
               ? run(call, *problem, plan, arrays->n, make_params<double>(*problem, *arrays))
               : run(call, *problem, plan, arrays->n, make_params<float>(*problem, *arrays));
}

void sde_release(gm_call *call, void *state) {
    (void)call;
    sde_plan *plan = static_cast<sde_plan *>(state);
#ifdef __CUDACC__
    jit_release(plan->jit);
#endif
    delete plan;
}

} // namespace gm
