/*
 * Benchmark cases of Markov chains: Hamiltonian steps of ten leapfrogs on the built-in funnel and
 * on a Gaussian of 25 correlated coordinates as a user would define it, of five on a logistic
 * regression over 1,000 rows of data, and random-walk steps, of which the noise is the most.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/mcmc.h>
#include <genmath/philox.h>

#include "host/cli/bench.h"

/* A chain of neighbours: precision 2 on the diagonal, p[0] beside it. */
GM_DENSITY(
    neighbours, 25, 1,
    {
        logp[0] = -y[0] * y[0];
        GM_UNROLL for (int c = 1; c < 25; ++c) {
            logp[0] -= y[c] * (y[c] + p[0] * y[c - 1]);
        }
    },
    {
        GM_UNROLL for (int c = 0; c < 25; ++c) {
            grad[c] = -2 * y[c];
        }
        GM_UNROLL for (int c = 1; c < 25; ++c) {
            grad[c] -= p[0] * y[c - 1];
            grad[c - 1] -= p[0] * y[c];
        }
    })

/* Logistic regression: weights of precision p[0] a priori, 25 inputs and an answer a row. */
GM_DENSITY_DATA(
    regression, 25, 1, 26,
    {
        logp[0] = 0;
        GM_UNROLL for (int c = 0; c < 25; ++c) {
            logp[0] -= (real)0.5 * p[0] * y[c] * y[c];
        }
    },
    {
        GM_UNROLL for (int c = 0; c < 25; ++c) {
            grad[c] = -p[0] * y[c];
        }
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            eta += d[c] * y[c] + d[5 + c] * y[5 + c] + d[10 + c] * y[10 + c] +
                   d[15 + c] * y[15 + c] + d[20 + c] * y[20 + c];
        }
        const real size = eta < 0 ? -eta : eta;
        logp[0] = d[25] * eta - (real)0.5 * (eta + size) - gm_log(1 + gm_exp(-size));
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            eta += d[c] * y[c] + d[5 + c] * y[5 + c] + d[10 + c] * y[10 + c] +
                   d[15 + c] * y[15 + c] + d[20 + c] * y[20 + c];
        }
        const real rest = d[25] - 1 / (1 + gm_exp(-eta));
        GM_UNROLL for (int c = 0; c < 25; ++c) {
            grad[c] = rest * d[c];
        }
    })

typedef enum target { FUNNEL, NEIGHBOURS, REGRESSION } target;

typedef struct problem {
    gm_backend_id backend; /* that this size is for */
    target target;
    gm_dtype dtype;
    gm_mcmc_method method;
    int32_t leapfrogs;
    double h;
    int64_t n, steps;
} problem;

typedef struct state {
    const problem *problem;
    int64_t n;
    gm_tensor start, end, params, step, accepted, data;
    gm_mcmc_plan *plan;
} state;

enum { SLICE = 256, SEED = 1, ROWS = 1000 };

static const gm_density *density_of(const problem *p) {
    return p->target == FUNNEL       ? gm_density_builtin("funnel")
           : p->target == NEIGHBOURS ? &neighbours
                                     : &regression;
}

static void teardown(gm_context *context, void *opaque) {
    state *s = opaque;
    if (s != NULL) {
        gm_mcmc_plan_destroy(s->plan);
        gm_case_free(context, &s->start);
        gm_case_free(context, &s->end);
        gm_case_free(context, &s->params);
        gm_case_free(context, &s->step);
        gm_case_free(context, &s->accepted);
        gm_case_free(context, &s->data);
        free(s);
    }
}

/* One number read by all n chains with a stride of 0. */
static gm_status upload_shared(gm_context *context, gm_dtype dtype, double value, int32_t ndim,
                               int64_t n, gm_tensor *tensor) {
    const float narrow = (float)value;
    const int64_t one[] = {1, 1};
    const gm_status status = gm_case_upload(
        context, dtype == GM_F64 ? (const void *)&value : &narrow, dtype, ndim, one, tensor);
    tensor->shape[ndim - 1] = n;
    tensor->stride[ndim - 1] = 0;
    return status;
}

/* Starts between -1 and 1; chain i of n is the same for any n. */
static gm_status upload_start(gm_context *context, const problem *p, int64_t n, gm_tensor *tensor) {
    const int64_t dim = density_of(p)->dim, shape[] = {dim, n};
    void *host = malloc((size_t)(dim * n) * gm_dtype_size(p->dtype));
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t k = 0; k < dim * n; ++k) {
        const double x = (double)(((k / n + 1) * 7919 + k % n * 104729) % 2001 - 1000) / 1000;
        if (p->dtype == GM_F64) {
            ((double *)host)[k] = x;
        } else {
            ((float *)host)[k] = (float)x;
        }
    }
    const gm_status status = gm_case_upload(context, host, p->dtype, 2, shape, tensor);
    free(host);
    return status;
}

/* Rows of noise and of an answer that depends on them. */
static gm_status upload_data(gm_context *context, gm_dtype dtype, gm_tensor *tensor) {
    enum { WIDTH = 26 };
    static double wide[ROWS * WIDTH];
    static float narrow[ROWS * WIDTH];
    const int64_t shape[] = {ROWS, WIDTH};
    for (int i = 0; i < ROWS * WIDTH; ++i) {
        const double x = i % WIDTH == 0 ? 1 : gm_normal_f64(26, (uint64_t)i, GM_STREAM_USER, 0);
        narrow[i] = (float)(i % WIDTH < WIDTH - 1 ? x : wide[i - 1] + wide[i - 2] + x > 0);
        wide[i] = (double)narrow[i];
    }
    return gm_case_upload(context, dtype == GM_F64 ? (const void *)wide : narrow, dtype, 2, shape,
                          tensor);
}

static gm_status make_state(gm_context *context, const problem *p, int64_t n, void **opaque) {
    const gm_mcmc_options options = {.dtype = p->dtype,
                                     .method = p->method,
                                     .steps = p->steps,
                                     .leapfrogs = p->leapfrogs,
                                     .seed = SEED};
    const int64_t shape[] = {density_of(p)->dim, n};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    *opaque = s;
    s->problem = p;
    s->n = n;
    gm_status status = gm_mcmc_plan_create(context, density_of(p), &options, &s->plan);
    if (status == GM_STATUS_OK) {
        status = upload_start(context, p, n, &s->start);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, p->dtype, 2, shape, &s->end);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, GM_I32, 1, &n, &s->accepted);
    }
    if (status == GM_STATUS_OK) {
        status = upload_shared(context, p->dtype, p->target == FUNNEL ? 1 : 0.8, 2, n, &s->params);
    }
    if (status == GM_STATUS_OK && p->target == REGRESSION) {
        status = upload_data(context, p->dtype, &s->data);
    }
    return status == GM_STATUS_OK ? upload_shared(context, p->dtype, p->h, 1, n, &s->step) : status;
}

static gm_status setup(gm_context *context, void **opaque, const problem *p) {
    return gm_context_backend(context) != p->backend ? GM_STATUS_UNSUPPORTED
                                                     : make_state(context, p, p->n, opaque);
}

static gm_status run(gm_context *context, void *opaque, int64_t round) {
    (void)context;
    (void)round; /* the same chains each time: what is timed has no state that would drift */
    const state *s = opaque;
    const gm_mcmc_input input = {.state = &s->start,
                                 .params = &s->params,
                                 .step = &s->step,
                                 .data = s->problem->target == REGRESSION ? &s->data : NULL};
    const gm_mcmc_result result = {.state = &s->end, .accepted = &s->accepted};
    return gm_mcmc_run(s->plan, 0, &input, &result);
}

/* The accepted counts of the first chains against the reference's: the part of them that differs.
 * Within 64 steps a float decision is within rounding of its noise for one chain in a hundred. */
static gm_status verify(gm_context *reference, gm_context *context, void *opaque,
                        gm_case_result *result) {
    const state *s = opaque;
    int32_t exact[SLICE], *got = malloc((size_t)s->n * sizeof *got);
    void *right = NULL;
    gm_status status =
        got != NULL ? make_state(reference, s->problem, SLICE, &right) : GM_STATUS_OUT_OF_MEMORY;
    if (status == GM_STATUS_OK) {
        status = run(reference, right, 0);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(reference, &((state *)right)->accepted, exact);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &s->accepted, got);
    }
    for (int i = 0; i < SLICE && status == GM_STATUS_OK; ++i) {
        result->error += got[i] != exact[i] ? 1.0 / SLICE : 0;
    }
    result->bound = s->problem->dtype == GM_F64 ? 0 : 0.05;
    snprintf(result->detail, sizeof result->detail,
             "part of %d chains that accept otherwise than the reference", SLICE);
    teardown(reference, right);
    free(got);
    return status;
}

#define PROBLEM(name, ...)                                                                         \
    static gm_status setup_##name(gm_context *context, void **opaque) {                            \
        static const problem p = {__VA_ARGS__};                                                    \
        return setup(context, opaque, &p);                                                         \
    }
PROBLEM(funnel_f32, GM_BACKEND_CPU, FUNNEL, GM_F32, GM_MCMC_HMC, 10, 0.15, 8192, 64)
PROBLEM(funnel_f64, GM_BACKEND_CPU, FUNNEL, GM_F64, GM_MCMC_HMC, 10, 0.15, 8192, 64)
PROBLEM(walk_f32, GM_BACKEND_CPU, FUNNEL, GM_F32, GM_MCMC_RWM, 0, 0.5, 65536, 64)
PROBLEM(walk_f64, GM_BACKEND_CPU, FUNNEL, GM_F64, GM_MCMC_RWM, 0, 0.5, 65536, 64)
PROBLEM(near_f32, GM_BACKEND_CPU, NEIGHBOURS, GM_F32, GM_MCMC_HMC, 10, 0.3, 2048, 64)
PROBLEM(near_f64, GM_BACKEND_CPU, NEIGHBOURS, GM_F64, GM_MCMC_HMC, 10, 0.3, 2048, 64)
PROBLEM(rows_f32, GM_BACKEND_CPU, REGRESSION, GM_F32, GM_MCMC_HMC, 5, 0.05, 1024, 8)
PROBLEM(rows_f64, GM_BACKEND_CPU, REGRESSION, GM_F64, GM_MCMC_HMC, 5, 0.05, 1024, 8)
PROBLEM(funnel_f32_gpu, GM_BACKEND_CUDA, FUNNEL, GM_F32, GM_MCMC_HMC, 10, 0.15, 1048576, 64)
PROBLEM(near_f32_gpu, GM_BACKEND_CUDA, NEIGHBOURS, GM_F32, GM_MCMC_HMC, 10, 0.3, 262144, 64)
PROBLEM(rows_f32_gpu, GM_BACKEND_CUDA, REGRESSION, GM_F32, GM_MCMC_HMC, 5, 0.05, 65536, 8)

#define CASE(what, type, size, name, dim, count, made, done, unit)                                 \
    {                                                                                              \
        .operation = what, .dtype = type, .shape = "n=" #count " steps=" #made,                    \
        .setup = setup_##name, .run = run, .verify = verify, .teardown = teardown,                 \
        .bytes = (2.0 * dim * size + 4) * count, .items = (done) * (double)made * count,           \
        .item = unit                                                                               \
    }
const gm_bench_case gm_mcmc_bench[] = {
    CASE("mcmc hmc L=10 funnel dim 3", "f32", 4, funnel_f32, 3, 8192, 64, 10, "leapfrogs"),
    CASE("mcmc hmc L=10 funnel dim 3", "f64", 8, funnel_f64, 3, 8192, 64, 10, "leapfrogs"),
    CASE("mcmc hmc L=10 gaussian dim 25", "f32", 4, near_f32, 25, 2048, 64, 10, "leapfrogs"),
    CASE("mcmc hmc L=10 gaussian dim 25", "f64", 8, near_f64, 25, 2048, 64, 10, "leapfrogs"),
    CASE("mcmc rwm funnel dim 3", "f32", 4, walk_f32, 3, 65536, 64, 1, "draws"),
    CASE("mcmc rwm funnel dim 3", "f64", 8, walk_f64, 3, 65536, 64, 1, "draws"),
    CASE("mcmc hmc L=10 funnel dim 3", "f32", 4, funnel_f32_gpu, 3, 1048576, 64, 10, "leapfrogs"),
    CASE("mcmc hmc L=10 gaussian dim 25", "f32", 4, near_f32_gpu, 25, 262144, 64, 10, "leapfrogs"),
    CASE("mcmc hmc L=5 logistic 25 x 1000", "f32", 4, rows_f32, 25, 1024, 8, 5, "leapfrogs"),
    CASE("mcmc hmc L=5 logistic 25 x 1000", "f64", 8, rows_f64, 25, 1024, 8, 5, "leapfrogs"),
    CASE("mcmc hmc L=5 logistic 25 x 1000", "f32", 4, rows_f32_gpu, 25, 65536, 8, 5, "leapfrogs"),
};
const int gm_mcmc_bench_count = sizeof gm_mcmc_bench / sizeof gm_mcmc_bench[0];
