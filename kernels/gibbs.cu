/* gm_gibbs_run on the device: which kernel runs a sampler, and its launch. The kernel is in
 * gibbs_chain.cuh. */
#include <new>

#include "host/gibbs_args.h"
#include "kernels/device.cuh"
#include "kernels/gibbs_chain.cuh"
#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

/* A sampler as a type. */
#define GM_GIBBS(name, dimension, parameters, block_count, normal_count, uniform_count, ...)       \
    struct name {                                                                                  \
        static constexpr int max_dim = dimension, max_params = parameters;                         \
        static constexpr int max_normals = normal_count, max_uniforms = uniform_count;             \
        static const char *source() {                                                              \
            return #__VA_ARGS__;                                                                   \
        }                                                                                          \
        __device__ static constexpr int dim() {                                                    \
            return dimension;                                                                      \
        }                                                                                          \
        __device__ static constexpr int params() {                                                 \
            return parameters;                                                                     \
        }                                                                                          \
        __device__ static constexpr int blocks() {                                                 \
            return block_count;                                                                    \
        }                                                                                          \
        __device__ static constexpr int normals() {                                                \
            return normal_count;                                                                   \
        }                                                                                          \
        __device__ static constexpr int uniforms() {                                               \
            return uniform_count;                                                                  \
        }                                                                                          \
        template <typename real>                                                                   \
        __device__ __forceinline__ static void                                                     \
        update([[maybe_unused]] int block, [[maybe_unused]] const real *y,                         \
               [[maybe_unused]] const real *p, [[maybe_unused]] const real *z,                     \
               [[maybe_unused]] const real *u, real *next) {                                       \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    };

namespace gm {
namespace builtin {
#include "host/gibbs_list.h"
}

namespace {

#ifndef __CUDACC__
/* A user's sampler through its scalar functions: what the emulator runs in place of a compiled
 * body. */
struct host_gibbs {
    static constexpr int max_dim = GM_MAX_SYSTEM_DIM, max_params = GM_MAX_SYSTEM_PARAMS;
    static constexpr int max_normals = GM_MAX_GIBBS_NOISE, max_uniforms = GM_MAX_GIBBS_NOISE;
    const gm_gibbs *gibbs;
    int dim() const {
        return gibbs->dim;
    }
    int params() const {
        return gibbs->params;
    }
    int blocks() const {
        return gibbs->blocks;
    }
    int normals() const {
        return gibbs->normals;
    }
    int uniforms() const {
        return gibbs->uniforms;
    }
    void update(int block, const float *y, const float *p, const float *z, const float *u,
                float *next) const {
        gibbs->update_f32(block, y, p, z, u, next);
    }
    void update(int block, const double *y, const double *p, const double *z, const double *u,
                double *next) const {
        gibbs->update_f64(block, y, p, z, u, next);
    }
};
#endif

template <class Gibbs, typename real>
__global__ void __launch_bounds__(ENSEMBLE_BLOCK) run_gibbs(Gibbs gibbs, gibbs_params<real> a) {
    gibbs_chain(gibbs, a);
}

template <class Gibbs>
void launch(const Gibbs &gibbs, gm_dtype dtype, unsigned blocks, cudaStream_t stream,
            const void *params) {
    if (dtype == GM_F64) {
        GM_LAUNCH((run_gibbs<Gibbs, double>), blocks, ENSEMBLE_BLOCK, 0, stream, gibbs,
                  *static_cast<const gibbs_params<double> *>(params));
    } else {
        GM_LAUNCH((run_gibbs<Gibbs, float>), blocks, ENSEMBLE_BLOCK, 0, stream, gibbs,
                  *static_cast<const gibbs_params<float> *>(params));
    }
}

typedef void (*builtin_launch)(gm_dtype, unsigned, cudaStream_t, const void *);

template <class Gibbs>
void launch_builtin(gm_dtype dtype, unsigned blocks, cudaStream_t stream, const void *params) {
    launch(Gibbs(), dtype, blocks, stream, params);
}

/* Whether a sampler is one that is compiled into the module: by its text and its sizes. */
template <class Gibbs> bool is_builtin(const gm_gibbs &g) {
    return g.dim == Gibbs::dim() && g.params == Gibbs::params() && g.blocks == Gibbs::blocks() &&
           g.normals == Gibbs::normals() && g.uniforms == Gibbs::uniforms() &&
           strcmp(g.source, Gibbs::source()) == 0;
}

builtin_launch find_builtin(const gm_gibbs &gibbs) {
    builtin_launch found = nullptr;
#define GM_FIND(name)                                                                              \
    found = is_builtin<builtin::name>(gibbs) ? launch_builtin<builtin::name> : found;
    GM_BUILTIN_GIBBS(GM_FIND)
#undef GM_FIND
    return found;
}

struct gibbs_plan {
    builtin_launch builtin = nullptr;
    jit_kernel *jit = nullptr;
    const char *name = "";
};

/* By precision, and whether the sampler is the user's. Static: they outlive the plan. */
const char *const kernel_names[2][2] = {
    {"gibbs_f64_builtin", "gibbs_f64_" GM_USER_KERNEL_KIND},
    {"gibbs_f32_builtin", "gibbs_f32_" GM_USER_KERNEL_KIND},
};

template <typename real>
gibbs_params<real> make_params(const gm_gibbs_problem &p, const gm_gibbs_arrays &a) {
    gibbs_params<real> k;
    k.n = a.n;
    k.first_sweep = a.first_sweep;
    k.sweeps = p.sweeps;
    k.thin = p.thin;
    k.seed = p.seed;
    k.first_index = p.first_index;
    k.is_random = p.order == GM_GIBBS_RANDOM;
    k.start = static_cast<const real *>(a.start);
    k.params = static_cast<const real *>(a.params);
    k.end = static_cast<real *>(a.end);
    k.draws = static_cast<real *>(a.draws);
    k.mean = static_cast<real *>(a.mean);
    k.variance = static_cast<real *>(a.variance);
    k.status = a.status;
    memcpy(k.start_stride, a.start_stride, sizeof k.start_stride);
    memcpy(k.params_stride, a.params_stride, sizeof k.params_stride);
    memcpy(k.end_stride, a.end_stride, sizeof k.end_stride);
    memcpy(k.draws_stride, a.draws_stride, sizeof k.draws_stride);
    memcpy(k.mean_stride, a.mean_stride, sizeof k.mean_stride);
    memcpy(k.variance_stride, a.variance_stride, sizeof k.variance_stride);
    memcpy(k.status_stride, a.status_stride, sizeof k.status_stride);
    return k;
}

template <class Params>
gm_status run(gm_call *call, const gm_gibbs_problem &problem, const gibbs_plan &plan, int64_t n,
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
        launch(host_gibbs{problem.gibbs}, problem.dtype, blocks, stream_of(call), &params);
#endif
    }
    return check_cuda(call, cudaGetLastError(), "gibbs kernel launch");
}

} // namespace

gm_status gibbs_prepare(gm_call *call, const gm_gibbs_problem *problem, void **state) {
    gibbs_plan *plan = new (std::nothrow) gibbs_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    plan->builtin = find_builtin(*problem->gibbs);
    plan->name = kernel_names[problem->dtype == GM_F32][plan->builtin == nullptr];
#ifdef __CUDACC__
    if (plan->builtin == nullptr) {
        const gm_status status = jit_gibbs(call, *problem->gibbs, problem->dtype, &plan->jit);
        if (status != GM_STATUS_OK) {
            gibbs_release(call, plan);
            return status;
        }
    }
#endif
    *state = plan;
    return GM_STATUS_OK;
}

gm_status gibbs_run(gm_call *call, const gm_gibbs_problem *problem, void *state,
                    const gm_gibbs_arrays *arrays) {
    const gibbs_plan &plan = *static_cast<const gibbs_plan *>(state);
    call->kernel = plan.name;
    return problem->dtype == GM_F64
               ? run(call, *problem, plan, arrays->n, make_params<double>(*problem, *arrays))
               : run(call, *problem, plan, arrays->n, make_params<float>(*problem, *arrays));
}

void gibbs_release(gm_call *call, void *state) {
    (void)call;
    gibbs_plan *plan = static_cast<gibbs_plan *>(state);
#ifdef __CUDACC__
    jit_release(plan->jit);
#endif
    delete plan;
}

} // namespace gm
