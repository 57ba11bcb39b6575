/*
 * Systems as types for the kernels: the bodies of host/systems_list.h, and any system of the user's
 * where kernels run on the host.
 */
#pragma once

#include "kernels/ensemble.cuh"

#ifndef GM_KERNEL_SYSTEMS
#error "kernels are compiled with GM_KERNEL_SYSTEMS: GM_SYSTEM then makes types, not steppers for the host"
#endif

#include <genmath/sde.h>

#define GM_SYSTEM(name, dimension, parameters, ...)                                               \
    struct name {                                                                                 \
        static constexpr int max_dim = dimension, max_params = parameters;                        \
        static const char *source() {                                                             \
            return #__VA_ARGS__;                                                                  \
        }                                                                                         \
        __device__ static constexpr int dim() {                                                   \
            return dimension;                                                                     \
        }                                                                                         \
        __device__ static constexpr int params() {                                                \
            return parameters;                                                                    \
        }                                                                                         \
        template <typename real>                                                                  \
        __device__ __forceinline__ static void rhs([[maybe_unused]] real t,                       \
                                                   [[maybe_unused]] const real *y,                \
                                                   [[maybe_unused]] const real *p, real *dydt) {  \
            __VA_ARGS__                                                                           \
        }                                                                                         \
    };

#define GM_KERNEL_DIFFUSION(name, noise_count, diagonal, ...)                                     \
    struct name##_sde : name {                                                                    \
        static constexpr int max_noises = noise_count;                                            \
        static const char *diffusion_source() {                                                   \
            return #__VA_ARGS__;                                                                  \
        }                                                                                         \
        __device__ static constexpr int noises() {                                                \
            return noise_count;                                                                   \
        }                                                                                         \
        __device__ static constexpr bool is_diagonal() {                                          \
            return diagonal;                                                                      \
        }                                                                                         \
        template <typename real>                                                                  \
        __device__ __forceinline__ static void diffusion([[maybe_unused]] real t,                 \
                                                         [[maybe_unused]] const real *y,          \
                                                         [[maybe_unused]] const real *p,          \
                                                         real *g) {                               \
            __VA_ARGS__                                                                           \
        }                                                                                         \
    };
#define GM_DIFFUSION_DIAGONAL(name, dimension, parameters, ...) \
    GM_KERNEL_DIFFUSION(name, dimension, true, __VA_ARGS__)
#define GM_DIFFUSION_MATRIX(name, dimension, parameters, noise_count, ...) \
    GM_KERNEL_DIFFUSION(name, noise_count, false, __VA_ARGS__)

namespace gm {
namespace builtin {
#include "host/systems_list.h"
}

#ifndef __CUDACC__
/* A user's system through its scalar functions: what the emulator runs in place of a compiled body. */
struct host_system {
    static constexpr int max_dim = GM_MAX_SYSTEM_DIM, max_params = GM_MAX_SYSTEM_PARAMS;
    const gm_system *system;
    int dim() const {
        return system->dim;
    }
    int params() const {
        return system->params;
    }
    void rhs(float t, const float *y, const float *p, float *dydt) const {
        system->rhs_f32(t, y, p, dydt);
    }
    void rhs(double t, const double *y, const double *p, double *dydt) const {
        system->rhs_f64(t, y, p, dydt);
    }
};

struct host_sde : host_system {
    static constexpr int max_noises = GM_MAX_SYSTEM_DIM;
    const gm_sde *sde;
    explicit host_sde(const gm_sde *user_sde) : host_system{user_sde->drift}, sde(user_sde) {
    }
    int noises() const {
        return sde->noises;
    }
    bool is_diagonal() const {
        return sde->diagonal != 0;
    }
    void diffusion(float t, const float *y, const float *p, float *g) const {
        sde->diffusion_f32(t, y, p, g);
    }
    void diffusion(double t, const double *y, const double *p, double *g) const {
        sde->diffusion_f64(t, y, p, g);
    }
};
#endif

} // namespace gm
