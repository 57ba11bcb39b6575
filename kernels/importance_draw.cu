/* gm_importance_draw on the device: which kernel runs a density, and its launch. The kernel is in
 * importance_draw.cuh. */
#include <new>

#include "host/importance_args.h"
#include "kernels/densities.cuh"
#include "kernels/importance_draw.cuh"
#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

/* No target: samples alone, of as many coordinates as the plan says. */
struct no_density {
    static constexpr int max_dim = GM_MAX_SYSTEM_DIM, max_params = 0, max_columns = 0;
    int coordinates;
    __device__ int dim() const {
        return coordinates;
    }
    __device__ int params() const {
        return 0;
    }
    template <typename real>
    __device__ void log_density(real, const real *, const real *, real *) const {
    }
};

template <class Density, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK)
    importance(Density density, importance_params<real> a) {
    importance_sample(density, a);
}

template <class Density>
void launch(const Density &density, gm_dtype dtype, unsigned blocks, cudaStream_t stream,
            const void *params) {
    if (dtype == GM_F64) {
        GM_LAUNCH((importance<Density, double>), blocks, ENSEMBLE_BLOCK, 0, stream, density,
                  *static_cast<const importance_params<double> *>(params));
    } else {
        GM_LAUNCH((importance<Density, float>), blocks, ENSEMBLE_BLOCK, 0, stream, density,
                  *static_cast<const importance_params<float> *>(params));
    }
}

template <class Density> struct builtin_launcher {
    static void run(gm_dtype dtype, unsigned blocks, cudaStream_t stream, const void *params) {
        launch(Density(), dtype, blocks, stream, params);
    }
};

struct draw_plan {
    density_launch builtin = nullptr;
    jit_kernel *jit = nullptr;
    const char *name = "";
};

/* By precision, and whose density it is. Static: they outlive the plan. */
const char *const kernel_names[2][3] = {
    {"importance_f64_builtin", "importance_f64_" GM_USER_KERNEL_KIND, "importance_f64_no_target"},
    {"importance_f32_builtin", "importance_f32_" GM_USER_KERNEL_KIND, "importance_f32_no_target"},
};

template <typename real>
importance_params<real> make_params(const gm_importance_problem &p, const gm_importance_arrays &a) {
    importance_params<real> k;
    k.problems = a.problems;
    k.n = a.n;
    k.seed = p.seed;
    k.first_index = p.first_index;
    k.mean = static_cast<const real *>(a.mean);
    k.scale = static_cast<const real *>(a.scale);
    k.factor = static_cast<const real *>(a.factor);
    k.points = static_cast<const real *>(a.points);
    k.params = static_cast<const real *>(a.params);
    k.drawn = static_cast<real *>(a.drawn);
    k.log_target = static_cast<real *>(a.log_target);
    k.log_proposal = static_cast<real *>(a.log_proposal);
    memcpy(k.mean_stride, a.mean_stride, sizeof k.mean_stride);
    memcpy(k.scale_stride, a.scale_stride, sizeof k.scale_stride);
    memcpy(k.factor_stride, a.factor_stride, sizeof k.factor_stride);
    memcpy(k.points_stride, a.points_stride, sizeof k.points_stride);
    memcpy(k.params_stride, a.params_stride, sizeof k.params_stride);
    memcpy(k.drawn_stride, a.drawn_stride, sizeof k.drawn_stride);
    memcpy(k.log_target_stride, a.log_target_stride, sizeof k.log_target_stride);
    memcpy(k.log_proposal_stride, a.log_proposal_stride, sizeof k.log_proposal_stride);
    k.data = rows_of<real>(a.data);
    return k;
}

template <class Params>
gm_status run(gm_call *call, const gm_importance_problem &problem, const draw_plan &plan, int64_t n,
              const Params &params) {
    unsigned blocks = 0;
    const gm_status status = ensemble_grid(call, n, &blocks);
    if (status != GM_STATUS_OK) {
        return status;
    }
    if (problem.density == nullptr) {
        launch(no_density{problem.dim}, problem.dtype, blocks, stream_of(call), &params);
    } else if (plan.builtin != nullptr) {
        plan.builtin(problem.dtype, blocks, stream_of(call), &params);
    } else {
#ifdef __CUDACC__
        return jit_launch(call, plan.jit, blocks, ENSEMBLE_BLOCK, &params);
#else
        launch(host_density{problem.density}, problem.dtype, blocks, stream_of(call), &params);
#endif
    }
    return check_cuda(call, cudaGetLastError(), "importance kernel launch");
}

} // namespace

gm_status importance_prepare(gm_call *call, const gm_importance_problem *problem, void **state) {
    draw_plan *plan = new (std::nothrow) draw_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    if (problem->density != nullptr) {
        plan->builtin = find_builtin<builtin_launcher>(*problem->density);
    }
    plan->name = kernel_names[problem->dtype == GM_F32]
                             [problem->density == nullptr ? 2 : plan->builtin == nullptr];
#ifdef __CUDACC__
    if (problem->density != nullptr && plan->builtin == nullptr) {
        const gm_status status =
            jit_importance(call, *problem->density, problem->dtype, &plan->jit);
        if (status != GM_STATUS_OK) {
            importance_release(call, plan);
            return status;
        }
    }
#endif
    *state = plan;
    return GM_STATUS_OK;
}

gm_status importance_draw(gm_call *call, const gm_importance_problem *problem, void *state,
                          const gm_importance_arrays *arrays) {
    const draw_plan &plan = *static_cast<const draw_plan *>(state);
    call->kernel = plan.name;
    const int64_t n = arrays->problems * arrays->n;
    return problem->dtype == GM_F64
               ? run(call, *problem, plan, n, make_params<double>(*problem, *arrays))
               : run(call, *problem, plan, n, make_params<float>(*problem, *arrays));
}

void importance_release(gm_call *call, void *state) {
    (void)call;
    draw_plan *plan = static_cast<draw_plan *>(state);
#ifdef __CUDACC__
    jit_release(plan->jit);
#endif
    delete plan;
}

} // namespace gm
