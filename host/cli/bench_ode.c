/*
 * Benchmark cases of ODE and SDE ensembles, on systems defined here as a user would define them: on
 * a GPU they are compiled when the case is set up, on the CPU they are vectorised where this file
 * is.
 *
 * Every trajectory stays in registers for its whole path, so inputs and outputs are a vanishing
 * part of a run and one set of them will do. Sizes that fill a GPU would take the CPU minutes and
 * the other way round measure nothing, so each size is for one of the two and unsupported on the
 * other.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/ode.h>
#include <genmath/sde.h>

#include "host/cli/bench.h"

/* The names keep the text apart from the built-in system of the same equations. */
GM_SYSTEM(user_lorenz, 3, 3, {
    const real a = y[0], b = y[1], c = y[2];
    dydt[0] = p[0] * (b - a);
    dydt[1] = a * (p[1] - c) - b;
    dydt[2] = a * b - p[2] * c;
})

GM_SYSTEM(user_gbm, 1, 2, {
    const real price = y[0];
    dydt[0] = p[0] * price;
})
GM_DIFFUSION_DIAGONAL(user_gbm, 1, 2, {
    const real price = y[0];
    g[0] = p[1] * price;
})

GM_SYSTEM(user_gbm3, 3, 2, {
    dydt[0] = p[0] * y[0];
    dydt[1] = p[0] * y[1];
    dydt[2] = p[0] * y[2];
})
GM_DIFFUSION_DIAGONAL(user_gbm3, 3, 2, {
    g[0] = p[1] * y[0];
    g[1] = p[1] * y[1];
    g[2] = p[1] * y[2];
})

GM_SYSTEM(user_ou, 1, 2, {
    const real position = y[0];
    dydt[0] = -p[0] * position;
})
GM_DIFFUSION_DIAGONAL(user_ou, 1, 2, {
    const real size = gm_sqrt(2 * p[1]);
    g[0] = size;
})

/* What a case integrates, from t = 0 to 1. */
typedef struct problem {
    gm_backend_id backend;   /* that this size is for */
    const gm_system *system; /* Lorenz; NULL for an SDE */
    const gm_sde *sde;       /* parameters 0.05, 0.2 (geometric Brownian motion) or 1, 0.5 */
    double params[2];        /* of the SDE */
    gm_dtype dtype;
    gm_ode_method method;
    int64_t n, steps;
    double rtol;
    double bound;
} problem;

typedef struct state {
    const problem *problem;
    int64_t n;
    gm_tensor y0, params, end;
    gm_ode_plan *ode;
    gm_sde_plan *sde;
} state;

enum { SLICE = 256, SAMPLES = 1024, SEED = 1 };

static int64_t dimension(const problem *p) {
    return p->system != NULL ? p->system->dim : p->sde->drift->dim;
}

/*
 * Lorenz: the protocol of the published GPU figures, sigma = 10, beta = 8/3, rho = linspace(0, 21,
 * n), y0 = (1, 0, 0). SDE: shared parameters, starts between 1 and 2.
 */
static double start_value(const problem *p, int64_t component, int64_t trajectory) {
    if (p->system == NULL) {
        return 1 + (double)(trajectory % 997) / 997;
    }
    return component == 0 ? 1 : 0;
}

static double parameter(const problem *p, int64_t row, int64_t trajectory) {
    if (p->system == NULL) {
        return p->params[row];
    }
    const double lorenz[] = {10, 21 * (double)trajectory / (double)(p->n - 1), 8.0 / 3};
    return lorenz[row];
}

/* Trajectories 0, stride, 2 stride, ... of the problem. */
static gm_status fill(gm_context *context, const problem *p, gm_dtype dtype, int64_t rows,
                      int64_t n, int64_t stride, double (*value)(const problem *, int64_t, int64_t),
                      gm_tensor *tensor) {
    const int64_t shape[] = {rows, n};
    void *host = malloc((size_t)(rows * n) * gm_dtype_size(dtype));
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < n; ++i) {
            const double x = value(p, row, i * stride);
            if (dtype == GM_F64) {
                ((double *)host)[row * n + i] = x;
            } else {
                ((float *)host)[row * n + i] = (float)x;
            }
        }
    }
    const gm_status status = gm_case_upload(context, host, dtype, 2, shape, tensor);
    free(host);
    return status;
}

static gm_status make_plan(gm_context *context, const problem *p, gm_dtype dtype, double rtol,
                           state *s) {
    if (p->system == NULL) {
        const gm_sde_options options = {.dtype = dtype, .t1 = 1, .steps = p->steps, .seed = SEED};
        return gm_sde_plan_create(context, p->sde, &options, &s->sde);
    }
    const gm_ode_options fixed = {.dtype = dtype, .method = p->method, .t1 = 1, .steps = p->steps};
    const gm_ode_options adaptive = {.dtype = dtype,
                                     .method = p->method,
                                     .t1 = 1,
                                     .rtol = rtol,
                                     .atol = 1e-3 * rtol,
                                     .first_step = 0.01};
    return gm_ode_plan_create(context, p->system, p->method == GM_ODE_RK4 ? &fixed : &adaptive,
                              &s->ode);
}

static gm_status make_state(gm_context *context, const problem *p, gm_dtype dtype, double rtol,
                            int64_t n, int64_t stride, void **opaque) {
    const int64_t dim = dimension(p), params = p->system != NULL ? 3 : 2, shape[] = {dim, n};
    state *s = calloc(1, sizeof *s);
    *opaque = s;
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    s->problem = p;
    s->n = n;
    gm_status status = fill(context, p, dtype, dim, n, stride, start_value, &s->y0);
    if (status == GM_STATUS_OK) {
        status = fill(context, p, dtype, params, n, stride, parameter, &s->params);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 2, shape, &s->end);
    }
    return status == GM_STATUS_OK ? make_plan(context, p, dtype, rtol, s) : status;
}

static gm_status setup(gm_context *context, void **opaque, const problem *p) {
    *opaque = NULL;
    if (gm_context_backend(context) != p->backend) {
        return GM_STATUS_UNSUPPORTED;
    }
    return make_state(context, p, p->dtype, p->rtol, p->n, 1, opaque);
}

static gm_status run(gm_context *context, void *opaque, int64_t round) {
    const state *s = opaque;
    (void)context;
    (void)round;
    if (s->problem->system == NULL) {
        const gm_sde_result result = {.end = &s->end};
        return gm_sde_solve(s->sde, &s->y0, &s->params, &result);
    }
    const gm_ode_result result = {.end = &s->end};
    return gm_ode_solve(s->ode, &s->y0, &s->params, &result);
}

static void teardown(gm_context *context, void *opaque) {
    state *s = opaque;
    if (s == NULL) {
        return;
    }
    gm_ode_plan_destroy(s->ode);
    gm_sde_plan_destroy(s->sde);
    gm_case_free(context, &s->y0);
    gm_case_free(context, &s->params);
    gm_case_free(context, &s->end);
    free(s);
}

/* ---- verification ---- */

/* The end states of `count` trajectories, `stride` apart, as doubles (dim, count). */
static gm_status end_states(gm_context *context, const state *s, int64_t count, int64_t stride,
                            double *values) {
    const size_t size = gm_dtype_size(s->end.dtype);
    const int64_t length = (count - 1) * stride + 1;
    char *row = malloc((size_t)length * size);
    gm_status status = row != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    for (int64_t c = 0; c < dimension(s->problem) && status == GM_STATUS_OK; ++c) {
        status =
            gm_memory_download(context, row, (const char *)s->end.data + (size_t)(c * s->n) * size,
                               (size_t)length * size);
        for (int64_t i = 0; i < count && status == GM_STATUS_OK; ++i) {
            values[c * count + i] = size == 8
                                        ? ((const double *)(const void *)row)[i * stride]
                                        : (double)((const float *)(const void *)row)[i * stride];
        }
    }
    free(row);
    return status;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* |got - expected|_2 / |expected|_2 of each trajectory, in increasing order. */
static void relative_errors(const double *expected, const double *got, int64_t dim, int64_t count,
                            double *errors) {
    for (int64_t i = 0; i < count; ++i) {
        double difference = 0, size = 0;
        for (int64_t c = 0; c < dim; ++c) {
            const double right = expected[c * count + i], apart = got[c * count + i] - right;
            difference += apart * apart;
            size += right * right;
        }
        const double error = sqrt(difference / size);
        errors[i] = isnan(error) ? (double)INFINITY : error;
    }
    qsort(errors, (size_t)count, sizeof *errors, compare_doubles);
}

/*
 * Fixed steps: the largest error of the first trajectories against the same steps of the reference.
 * Adaptive: the median error against a solution ten million times as accurate, which is what the
 * published figures state beside a time.
 */
static gm_status verify(gm_context *reference, gm_context *context, void *opaque,
                        gm_case_result *result) {
    const state *s = opaque;
    const problem *p = s->problem;
    const bool adaptive = p->system != NULL && p->method != GM_ODE_RK4;
    const int64_t dim = dimension(p), count = adaptive ? SAMPLES : SLICE;
    const int64_t stride = adaptive ? s->n / count : 1;
    void *right = NULL;
    double *numbers = malloc((size_t)((2 * dim + 1) * count) * sizeof *numbers);
    double *expected = numbers, *got = numbers + dim * count, *errors = got + dim * count;
    gm_status status = numbers != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    if (status == GM_STATUS_OK) {
        status =
            make_state(reference, p, adaptive ? GM_F64 : p->dtype, 1e-13, count, stride, &right);
    }
    if (status == GM_STATUS_OK) {
        status = run(reference, right, 0);
    }
    if (status == GM_STATUS_OK) {
        status = end_states(reference, right, count, 1, expected);
    }
    if (status == GM_STATUS_OK) {
        status = end_states(context, s, count, stride, got);
    }
    if (status == GM_STATUS_OK) {
        relative_errors(expected, got, dim, count, errors);
        result->error =
            adaptive ? 0.5 * (errors[count / 2 - 1] + errors[count / 2]) : errors[count - 1];
        result->bound = p->bound;
        snprintf(result->detail, sizeof result->detail, "%s relative error of %lld end states",
                 adaptive ? "median" : "largest", (long long)count);
    }
    teardown(reference, right);
    free(numbers);
    return status;
}

/* ---- the cases ---- */

/*
 * Bounds. Fixed steps: rounding of k steps, about sqrt(k) to k times eps, with room for a different
 * order of operations. Adaptive: rtol 9e-7 is where the error meets the 3.2e-7 of the fastest
 * published solver at its rtol 1e-6; other tolerances have twice the error measured.
 */
#define PROBLEM(name, ...)                                                                         \
    static gm_status setup_##name(gm_context *context, void **opaque) {                            \
        static const problem p = {__VA_ARGS__};                                                    \
        return setup(context, opaque, &p);                                                         \
    }

#define LORENZ(name, where, type, how, count, taken, tolerance, most)                              \
    PROBLEM(name, .backend = where, .system = &user_lorenz, .dtype = type, .method = how,          \
            .n = count, .steps = taken, .rtol = tolerance, .bound = most)

LORENZ(rk4_f32_cpu, GM_BACKEND_CPU, GM_F32, GM_ODE_RK4, 262144, 1000, 0, 1e-5)
LORENZ(rk4_f64_cpu, GM_BACKEND_CPU, GM_F64, GM_ODE_RK4, 262144, 1000, 0, 2e-14)
LORENZ(rk4_f32_gpu, GM_BACKEND_CUDA, GM_F32, GM_ODE_RK4, 8388608, 1000, 0, 1e-5)
LORENZ(rk4_f64_gpu, GM_BACKEND_CUDA, GM_F64, GM_ODE_RK4, 8388608, 1000, 0, 2e-14)
LORENZ(tsit5_f32_cpu, GM_BACKEND_CPU, GM_F32, GM_ODE_TSIT5, 262144, 0, 1e-4, 3.2e-4)
LORENZ(tsit5_f64_cpu, GM_BACKEND_CPU, GM_F64, GM_ODE_TSIT5, 262144, 0, 9e-7, 3.2e-7)
LORENZ(dopri5_f32_cpu, GM_BACKEND_CPU, GM_F32, GM_ODE_DOPRI5, 262144, 0, 1e-4, 1e-4)
LORENZ(dopri5_f64_cpu, GM_BACKEND_CPU, GM_F64, GM_ODE_DOPRI5, 262144, 0, 1e-6, 3.2e-7)
LORENZ(tsit5_f32_gpu, GM_BACKEND_CUDA, GM_F32, GM_ODE_TSIT5, 524288, 0, 1e-4, 3.2e-4)
LORENZ(tsit5_f64_gpu, GM_BACKEND_CUDA, GM_F64, GM_ODE_TSIT5, 524288, 0, 9e-7, 3.2e-7)
LORENZ(tsit5_fine_gpu, GM_BACKEND_CUDA, GM_F64, GM_ODE_TSIT5, 524288, 0, 1e-8, 2.3e-9)
LORENZ(tsit5_small_gpu, GM_BACKEND_CUDA, GM_F64, GM_ODE_TSIT5, 2048, 0, 9e-7, 3.2e-7)
LORENZ(dopri5_f64_gpu, GM_BACKEND_CUDA, GM_F64, GM_ODE_DOPRI5, 524288, 0, 1e-6, 3.2e-7)

#define SDE(name, where, which, first, second, type, count, most)                                  \
    PROBLEM(name, .backend = where, .sde = &which##_sde, .params = {first, second}, .dtype = type, \
            .n = count, .steps = 256, .bound = most)

SDE(gbm_f32_cpu, GM_BACKEND_CPU, user_gbm, 0.05, 0.2, GM_F32, 262144, 1e-5)
SDE(gbm_f64_cpu, GM_BACKEND_CPU, user_gbm, 0.05, 0.2, GM_F64, 262144, 2e-14)
SDE(ou_f32_cpu, GM_BACKEND_CPU, user_ou, 1, 0.5, GM_F32, 262144, 1e-3)
SDE(ou_f64_cpu, GM_BACKEND_CPU, user_ou, 1, 0.5, GM_F64, 262144, 2e-12)
SDE(gbm_f32_gpu, GM_BACKEND_CUDA, user_gbm3, 0.05, 0.2, GM_F32, 8388608, 1e-5)
SDE(gbm_f64_gpu, GM_BACKEND_CUDA, user_gbm3, 0.05, 0.2, GM_F64, 8388608, 2e-14)
SDE(ou_f32_gpu, GM_BACKEND_CUDA, user_ou, 1, 0.5, GM_F32, 8388608, 1e-3)
SDE(ou_f64_gpu, GM_BACKEND_CUDA, user_ou, 1, 0.5, GM_F64, 8388608, 2e-12)

#define CASE(what, type, sizes, name, work, moved, count, unit)                                    \
    {                                                                                              \
        .operation = what, .dtype = type, .shape = sizes, .setup = setup_##name, .run = run,       \
        .verify = verify, .teardown = teardown, .flops = work, .bytes = moved, .items = count,     \
        .item = unit                                                                               \
    }

/* A step of RK4 is 75 operations, an attempt of a pair 252, as in the published figures. */
#define RK4(type, size, n, name)                                                                   \
    CASE("ode_solve rk4 lorenz", type, "n=" #n " steps=1000", name, 75e3 * n, 9.0 * size * n,      \
         1e3 * n, "steps")
#define PAIR(method, type, size, n, rtol, attempts, name)                                          \
    CASE("ode_solve " method " lorenz", type, "n=" #n " rtol=" rtol, name, 252.0 * attempts * n,   \
         9.0 * size * n, attempts * n, "attempts")
#define EM(system, type, size, n, dim, name)                                                       \
    CASE("sde_solve em " system, type, "n=" #n " steps=256", name, 0, (2.0 * dim + 2) * size * n,  \
         256.0 * dim * n, "normals")

const gm_bench_case gm_ode_bench[] = {
    RK4("f32", 4, 262144, rk4_f32_cpu),
    RK4("f64", 8, 262144, rk4_f64_cpu),
    RK4("f32", 4, 8388608, rk4_f32_gpu),
    RK4("f64", 8, 8388608, rk4_f64_gpu),
    PAIR("tsit5", "f32", 4, 262144, "1e-4", 17.85, tsit5_f32_cpu),
    PAIR("tsit5", "f64", 8, 262144, "9e-7", 39.91, tsit5_f64_cpu),
    PAIR("dopri5", "f32", 4, 262144, "1e-4", 18.86, dopri5_f32_cpu),
    PAIR("dopri5", "f64", 8, 262144, "1e-6", 40.89, dopri5_f64_cpu),
    PAIR("tsit5", "f32", 4, 524288, "1e-4", 17.85, tsit5_f32_gpu),
    PAIR("tsit5", "f64", 8, 524288, "9e-7", 39.91, tsit5_f64_gpu),
    PAIR("tsit5", "f64", 8, 524288, "1e-8", 91.18, tsit5_fine_gpu),
    PAIR("tsit5", "f64", 8, 2048, "9e-7", 39.91, tsit5_small_gpu),
    PAIR("dopri5", "f64", 8, 524288, "1e-6", 40.89, dopri5_f64_gpu),
    EM("gbm", "f32", 4, 262144, 1, gbm_f32_cpu),
    EM("gbm", "f64", 8, 262144, 1, gbm_f64_cpu),
    EM("ou", "f32", 4, 262144, 1, ou_f32_cpu),
    EM("ou", "f64", 8, 262144, 1, ou_f64_cpu),
    EM("gbm dim 3", "f32", 4, 8388608, 3, gbm_f32_gpu),
    EM("gbm dim 3", "f64", 8, 8388608, 3, gbm_f64_gpu),
    EM("ou", "f32", 4, 8388608, 1, ou_f32_gpu),
    EM("ou", "f64", 8, 8388608, 1, ou_f64_gpu),
};
const int gm_ode_bench_count = sizeof gm_ode_bench / sizeof gm_ode_bench[0];
