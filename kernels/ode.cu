/*
 * gm_ode_solve on the device: which kernel runs a system, and its launch. The kernels themselves
 * are in ode_rk4.cuh and ode_erk.cuh, where NVRTC reads them too.
 */
#include <new>
#include <vector>

#include "host/ode_args.h"
#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"
#include "kernels/ode_erk.cuh"
#include "kernels/ode_rk4.cuh"
#include "kernels/systems.cuh"

namespace gm {
namespace {

template <class System, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK) ode_rk4(System system, rk4_params<real> a) {
    rk4_trajectory(system, a);
}

template <class System, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK) ode_erk(System system, erk_params<real> a) {
    erk_trajectory(system, a);
}

template <class System, typename real>
void launch_rk4(const System &system, unsigned blocks, cudaStream_t stream, const void *params) {
    GM_LAUNCH((ode_rk4<System, real>), blocks, ENSEMBLE_BLOCK, 0, stream, system,
              *static_cast<const rk4_params<real> *>(params));
}

template <class System, typename real>
void launch_erk(const System &system, unsigned blocks, cudaStream_t stream, const void *params) {
    GM_LAUNCH((ode_erk<System, real>), blocks, ENSEMBLE_BLOCK, 0, stream, system,
              *static_cast<const erk_params<real> *>(params));
}

template <class System>
void launch(const System &system, bool adaptive, gm_dtype dtype, unsigned blocks,
            cudaStream_t stream, const void *params) {
    if (adaptive) {
        dtype == GM_F64 ? launch_erk<System, double>(system, blocks, stream, params)
                        : launch_erk<System, float>(system, blocks, stream, params);
    } else {
        dtype == GM_F64 ? launch_rk4<System, double>(system, blocks, stream, params)
                        : launch_rk4<System, float>(system, blocks, stream, params);
    }
}

typedef void (*builtin_launch)(bool, gm_dtype, unsigned, cudaStream_t, const void *);

template <class System>
void launch_builtin(bool adaptive, gm_dtype dtype, unsigned blocks, cudaStream_t stream,
                    const void *params) {
    launch(System(), adaptive, dtype, blocks, stream, params);
}

/* The systems compiled into the module, known by the text of their body. */
struct builtin_row {
    const char *(*source)();
    int dim, params;
    builtin_launch launch;
};

#define GM_ROW(name)                                                                               \
    {builtin::name::source, builtin::name::max_dim, builtin::name::max_params,                     \
     launch_builtin<builtin::name>},
const builtin_row builtin_rows[] = {GM_BUILTIN_SYSTEMS(GM_ROW)};
#undef GM_ROW

builtin_launch find_builtin(const gm_system &system) {
    for (const builtin_row &row : builtin_rows) {
        if (row.dim == system.dim && row.params == system.params &&
            strcmp(row.source(), system.source) == 0) {
            return row.launch;
        }
    }
    return nullptr;
}

struct ode_plan {
    builtin_launch builtin = nullptr;
    jit_kernel *jit = nullptr;
    void *save_step = nullptr, *save_theta = nullptr, *save_times = nullptr;
    const char *name = "";
};

/* The numbers in the precision of the trajectories, on the device. */
gm_status device_reals(gm_call *call, gm_dtype dtype, const double *values, int64_t count,
                       void **device) {
    const size_t n = static_cast<size_t>(count);
    if (dtype == GM_F64) {
        return device_copy(call, values, n * sizeof(double), device);
    }
    const std::vector<float> rounded(values, values + n);
    return device_copy(call, rounded.data(), n * sizeof(float), device);
}

gm_status copy_saves(gm_call *call, const gm_ode_problem &problem, ode_plan &plan) {
    const int64_t count = problem.save_count;
    if (problem.tableau_f64 != nullptr) {
        return device_reals(call, problem.dtype, problem.save_times, count, &plan.save_times);
    }
    const gm_status status = device_copy(
        call, problem.save_step, static_cast<size_t>(count) * sizeof(int64_t), &plan.save_step);
    return status != GM_STATUS_OK
               ? status
               : device_reals(call, problem.dtype, problem.save_theta, count, &plan.save_theta);
}

/* By method, precision, and whether the system is the user's. Static: they outlive the plan. */
const char *const kernel_names[2][2][2] = {
    {{"ode_rk4_f64_builtin", "ode_rk4_f64_" GM_USER_KERNEL_KIND},
     {"ode_rk4_f32_builtin", "ode_rk4_f32_" GM_USER_KERNEL_KIND}},
    {{"ode_erk_f64_builtin", "ode_erk_f64_" GM_USER_KERNEL_KIND},
     {"ode_erk_f32_builtin", "ode_erk_f32_" GM_USER_KERNEL_KIND}},
};

gm_status choose_kernel(gm_call *call, const gm_ode_problem &problem, ode_plan &plan) {
    const bool adaptive = problem.tableau_f64 != nullptr;
    plan.builtin = find_builtin(*problem.system);
    plan.name = kernel_names[adaptive][problem.dtype == GM_F32][plan.builtin == nullptr];
#ifdef __CUDACC__
    if (plan.builtin == nullptr) {
        return jit_ode(call, *problem.system, problem.dtype, adaptive, &plan.jit);
    }
#else
    (void)call;
#endif
    return GM_STATUS_OK;
}

template <typename real>
rk4_params<real> make_rk4_params(const gm_ode_problem &p, const ode_plan &plan,
                                 const gm_ensemble_arrays &arrays) {
    rk4_params<real> a;
    a.e = typed_ensemble<real>(arrays);
    a.t0 = static_cast<real>(p.t0);
    a.t1 = static_cast<real>(p.t1);
    a.h = static_cast<real>((p.t1 - p.t0) / static_cast<double>(p.steps));
    a.steps = p.t1 != p.t0 ? p.steps : 0;
    a.save_step = static_cast<const int64_t *>(plan.save_step);
    a.save_theta = static_cast<const real *>(plan.save_theta);
    a.save_count = p.save_count;
    return a;
}

inline void copy_table(const gm_ode_problem &p, tableau<double> &table) {
    static_assert(sizeof table == sizeof *p.tableau_f64, "the kernels' tableau is the library's");
    memcpy(&table, p.tableau_f64, sizeof table);
}

inline void copy_table(const gm_ode_problem &p, tableau<float> &table) {
    static_assert(sizeof table == sizeof *p.tableau_f32, "the kernels' tableau is the library's");
    memcpy(&table, p.tableau_f32, sizeof table);
}

template <typename real>
erk_params<real> make_erk_params(const gm_ode_problem &p, const ode_plan &plan,
                                 const gm_ensemble_arrays &arrays) {
    erk_params<real> a;
    a.e = typed_ensemble<real>(arrays);
    copy_table(p, a.table);
    a.t0 = static_cast<real>(p.t0);
    a.t1 = static_cast<real>(p.t1);
    a.t0_low = static_cast<real>(p.t0 - static_cast<double>(a.t0));
    a.t1_low = static_cast<real>(p.t1 - static_cast<double>(a.t1));
    a.rtol = static_cast<real>(p.rtol);
    a.atol = static_cast<real>(p.atol);
    a.first_step = static_cast<real>(p.first_step);
    a.min_step = static_cast<real>(p.min_step);
    a.max_steps = static_cast<int32_t>(p.max_steps);
    a.save_times = static_cast<const real *>(plan.save_times);
    a.save_count = p.save_count;
    return a;
}

template <class Params>
gm_status run(gm_call *call, const gm_ode_problem &problem, const ode_plan &plan, int64_t n,
              const Params &params) {
    unsigned blocks = 0;
    const gm_status status = ensemble_grid(call, n, &blocks);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const bool adaptive = problem.tableau_f64 != nullptr;
    if (plan.builtin != nullptr) {
        plan.builtin(adaptive, problem.dtype, blocks, stream_of(call), &params);
    } else {
#ifdef __CUDACC__
        return jit_launch(call, plan.jit, blocks, ENSEMBLE_BLOCK, &params);
#else
        launch(host_system{problem.system}, adaptive, problem.dtype, blocks, stream_of(call),
               &params);
#endif
    }
    return check_cuda(call, cudaGetLastError(), "ode kernel launch");
}

} // namespace

gm_status ode_prepare(gm_call *call, const gm_ode_problem *problem, void **state) {
    ode_plan *plan = new (std::nothrow) ode_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    gm_status status = choose_kernel(call, *problem, *plan);
    if (status == GM_STATUS_OK) {
        status = copy_saves(call, *problem, *plan);
    }
    if (status != GM_STATUS_OK) {
        ode_release(call, plan);
        return status;
    }
    *state = plan;
    return GM_STATUS_OK;
}

gm_status ode_solve(gm_call *call, const gm_ode_problem *problem, void *state,
                    const gm_ensemble_arrays *arrays) {
    const ode_plan &plan = *static_cast<const ode_plan *>(state);
    call->kernel = plan.name;
    const int64_t n = arrays->n;
    if (problem->tableau_f64 != nullptr) {
        return problem->dtype == GM_F64
                   ? run(call, *problem, plan, n, make_erk_params<double>(*problem, plan, *arrays))
                   : run(call, *problem, plan, n, make_erk_params<float>(*problem, plan, *arrays));
    }
    return problem->dtype == GM_F64
               ? run(call, *problem, plan, n, make_rk4_params<double>(*problem, plan, *arrays))
               : run(call, *problem, plan, n, make_rk4_params<float>(*problem, plan, *arrays));
}

void ode_release(gm_call *call, void *state) {
    (void)call;
    ode_plan *plan = static_cast<ode_plan *>(state);
    cudaFree(plan->save_step);
    cudaFree(plan->save_theta);
    cudaFree(plan->save_times);
#ifdef __CUDACC__
    jit_release(plan->jit);
#endif
    delete plan;
}

} // namespace gm
