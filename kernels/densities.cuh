/*
 * Densities as types for the kernels: the bodies of host/densities_list.h, and any density of the
 * user's where kernels run on the host. Read after systems.cuh.
 */
#pragma once

#include <string.h>

#include "kernels/device.cuh"
#include "kernels/systems.cuh"

#include <genmath/density.h>

#include "host/density_data.h"
#include "kernels/density_rows.cuh"

#define GM_KERNEL_BODY(function, out, ...)                                                         \
    template <typename real>                                                                       \
    __device__ __forceinline__ static void function([[maybe_unused]] real t,                       \
                                                    [[maybe_unused]] const real *y,                \
                                                    [[maybe_unused]] const real *p, real *out) {   \
        __VA_ARGS__                                                                                \
    }

#define GM_DENSITY(name, dimension, parameters, log_p, ...)                                        \
    struct name {                                                                                  \
        static constexpr int max_dim = dimension;                                                  \
        static constexpr int max_params = parameters;                                              \
        static constexpr int max_columns = 0;                                                      \
        static const char *source() {                                                              \
            return #log_p;                                                                         \
        }                                                                                          \
        static const char *gradient_source() {                                                     \
            return #__VA_ARGS__;                                                                   \
        }                                                                                          \
        __device__ static constexpr int dim() {                                                    \
            return dimension;                                                                      \
        }                                                                                          \
        __device__ static constexpr int params() {                                                 \
            return parameters;                                                                     \
        }                                                                                          \
        GM_KERNEL_BODY(log_density, logp, log_p)                                                   \
        GM_KERNEL_BODY(gradient, grad, __VA_ARGS__)                                                \
    };

namespace gm {
namespace builtin {
#include "host/densities_list.h"
}

/* Launches a kernel for a density: type, blocks, stream, the kernel's parameters. */
typedef void (*density_launch)(gm_dtype, unsigned, cudaStream_t, const void *);

/*
 * Launcher<D>::run for the density D that is compiled into the module and has these bodies, known
 * by their text; null for a user's. Static: launchers of unnamed namespaces have the same name in
 * every file, and g++ gives functions that have such a template as their argument to the linker,
 * which would keep those of one file for all.
 */
template <template <class> class Launcher>
static density_launch find_builtin(const gm_density &density) {
    struct row {
        const char *(*source)();
        const char *(*gradient_source)();
        int dim, params;
        density_launch launch;
    };
#define GM_ROW(name)                                                                               \
    {builtin::name::source, builtin::name::gradient_source, builtin::name::max_dim,                \
     builtin::name::max_params, Launcher<builtin::name>::run},
    const row rows[] = {GM_BUILTIN_DENSITIES(GM_ROW)};
#undef GM_ROW
    for (const row &r : rows) {
        if (density.columns == 0 && r.dim == density.dim && r.params == density.params &&
            strcmp(r.source(), density.source) == 0 &&
            strcmp(r.gradient_source(), density.gradient_source) == 0) {
            return r.launch;
        }
    }
    return nullptr;
}

static_assert(ROW_BLOCK == GM_ROW_BLOCK, "the same sums on every backend");

template <typename real> data_rows<real> rows_of(const gm_density_data &data) {
    return {static_cast<const real *>(data.data), data.rows, {data.stride[0], data.stride[1]}};
}

#ifndef __CUDACC__
/* A user's density through its scalar functions: what the emulator runs in place of a compiled
 * body. */
struct host_density {
    static constexpr int max_dim = GM_MAX_SYSTEM_DIM, max_params = GM_MAX_SYSTEM_PARAMS;
    static constexpr int max_columns = GM_MAX_DATA_COLUMNS;
    const gm_density *density;
    int dim() const {
        return density->dim;
    }
    int params() const {
        return density->params;
    }
    int columns() const {
        return density->columns;
    }
    void row(const float *d, const float *y, const float *p, float *logp) const {
        density->row_f32(d, y, p, logp);
    }
    void row(const double *d, const double *y, const double *p, double *logp) const {
        density->row_f64(d, y, p, logp);
    }
    void row_gradient(const float *d, const float *y, const float *p, float *grad) const {
        density->row_gradient_f32(d, y, p, grad);
    }
    void row_gradient(const double *d, const double *y, const double *p, double *grad) const {
        density->row_gradient_f64(d, y, p, grad);
    }
    void log_density(float t, const float *y, const float *p, float *logp) const {
        density->log_density_f32(t, y, p, logp);
    }
    void log_density(double t, const double *y, const double *p, double *logp) const {
        density->log_density_f64(t, y, p, logp);
    }
    void gradient(float t, const float *y, const float *p, float *grad) const {
        density->gradient_f32(t, y, p, grad);
    }
    void gradient(double t, const double *y, const double *p, double *grad) const {
        density->gradient_f64(t, y, p, grad);
    }
};
#endif

} // namespace gm
