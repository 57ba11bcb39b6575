/*
 * Benchmarks of gm_gibbs_run: the built-in pair of normals, of which the noise is the most, and a
 * hierarchical normal model of eight groups as a user would define it, with a gamma step.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/gibbs.h>

#include "host/cli/bench.h"

/* y: mean, variance, eight effects; p: their measurements and variances. */
GM_GIBBS(groups, 10, 16, 3, 8, 1, {
    switch (block) {
    case 0: {
        real sum = 0;
        for (int j = 0; j < 8; ++j) {
            sum += y[2 + j];
        }
        const real v = 1 / (8 / y[1] + (real)0.04);
        next[0] = v * sum / y[1] + gm_sqrt(v) * z[0];
        break;
    }
    case 1: {
        real sum = 0;
        for (int j = 0; j < 8; ++j) {
            sum += (y[2 + j] - y[0]) * (y[2 + j] - y[0]);
        }
        const real rate = 20 + (real)0.5 * sum;
        next[1] = rate / gm_gamma_step(rate / y[1], (real)6.5, z[0], u[0]);
        break;
    }
    default: {
        for (int j = 0; j < 8; ++j) {
            const real v = 1 / (1 / y[1] + 1 / p[8 + j]);
            next[2 + j] = v * (y[0] / y[1] + p[j] / p[8 + j]) + gm_sqrt(v) * z[j];
        }
    }
    }
})

typedef struct problem {
    gm_backend_id backend; /* that this size is for */
    bool is_pair;
    gm_dtype dtype;
    int64_t n;
} problem;

typedef struct state {
    const problem *problem;
    int64_t n;
    gm_tensor start, end, params;
    gm_gibbs_plan *plan;
} state;

enum { SWEEPS = 64, SLICE = 256, SEED = 1 };

static const gm_gibbs *gibbs_of(const problem *p) {
    return p->is_pair ? gm_gibbs_builtin("normal_pair") : &groups;
}

static void teardown(gm_context *context, void *opaque) {
    state *s = opaque;
    if (s != NULL) {
        gm_gibbs_plan_destroy(s->plan);
        gm_case_free(context, &s->start);
        gm_case_free(context, &s->end);
        gm_case_free(context, &s->params);
        free(s);
    }
}

/* Rows of n numbers from low to low + 1; number i of a row is the same for any n. */
static gm_status upload(gm_context *context, gm_dtype dtype, int64_t rows, int64_t n, double low,
                        gm_tensor *tensor) {
    const int64_t shape[] = {rows, n};
    void *host = malloc((size_t)(rows * n) * gm_dtype_size(dtype));
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t k = 0; k < rows * n; ++k) {
        const double x = low + (double)(((k / n + 1) * 7919 + k % n * 104729) % 2001) / 2000;
        if (dtype == GM_F64) {
            ((double *)host)[k] = x;
        } else {
            ((float *)host)[k] = (float)x;
        }
    }
    const gm_status status = gm_case_upload(context, host, dtype, 2, shape, tensor);
    free(host);
    return status;
}

static gm_status make_state(gm_context *context, const problem *p, int64_t n, void **opaque) {
    const gm_gibbs *gibbs = gibbs_of(p);
    const gm_gibbs_options options = {.dtype = p->dtype, .sweeps = SWEEPS, .seed = SEED};
    const int64_t shape[] = {gibbs->dim, n};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    *opaque = s;
    s->problem = p;
    s->n = n;
    CASE_TRY(gm_gibbs_plan_create(context, gibbs, &options, &s->plan));
    CASE_TRY(upload(context, p->dtype, gibbs->dim, n, 0.5, &s->start));
    CASE_TRY(gm_case_alloc(context, p->dtype, 2, shape, &s->end));
    CASE_TRY(upload(context, p->dtype, gibbs->params, 1, p->is_pair ? 0 : 0.5, &s->params));
    s->params.shape[1] = n; /* one column for all */
    s->params.stride[1] = 0;
    return GM_STATUS_OK;
}

static gm_status setup(gm_context *context, void **opaque, const problem *p) {
    return gm_context_backend(context) != p->backend ? GM_STATUS_UNSUPPORTED
                                                     : make_state(context, p, p->n, opaque);
}

static gm_status run(gm_context *context, void *opaque, int64_t round) {
    (void)context;
    (void)round; /* the same chains each time: what is timed has no state that would drift */
    const state *s = opaque;
    return gm_gibbs_run(s->plan, 0, &(gm_gibbs_input){&s->start, &s->params},
                        &(gm_gibbs_result){.state = &s->end});
}

/* The states of the first chains against the reference's: the part of them that is elsewhere.
 * Within 64 gamma steps a float decision is within rounding of its noise for one chain in a
 * thousand. */
static gm_status verify(gm_context *reference, gm_context *context, void *opaque,
                        gm_case_result *result) {
    const state *s = opaque;
    const gm_dtype dtype = s->problem->dtype;
    const int64_t dim = gibbs_of(s->problem)->dim;
    double *exact = malloc((size_t)(dim * SLICE) * sizeof *exact);
    double *got = malloc((size_t)(dim * s->n) * sizeof *got);
    void *right = NULL;
    gm_status status = got != NULL && exact != NULL
                           ? make_state(reference, s->problem, SLICE, &right)
                           : GM_STATUS_OUT_OF_MEMORY;
    if (status == GM_STATUS_OK) {
        status = run(reference, right, 0);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(reference, &((state *)right)->end, exact);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &s->end, got);
    }
    for (int64_t i = 0; i < SLICE && status == GM_STATUS_OK; ++i) {
        bool same = true;
        for (int64_t c = 0; c < dim; ++c) {
            const int64_t a = c * SLICE + i, b = c * s->n + i;
            const double x = dtype == GM_F64 ? exact[a] : (double)((float *)(void *)exact)[a];
            const double y = dtype == GM_F64 ? got[b] : (double)((float *)(void *)got)[b];
            same = same && fabs(x - y) <= (dtype == GM_F64 ? 1e-10 : 1e-2) * (1 + fabs(x));
        }
        result->error += same ? 0 : 1.0 / SLICE;
    }
    result->bound = dtype == GM_F64 ? 0 : 0.02;
    snprintf(result->detail, sizeof result->detail,
             "part of %d chains that are elsewhere than the reference's", SLICE);
    teardown(reference, right);
    free(exact);
    free(got);
    return status;
}

#define PROBLEM(name, ...)                                                                         \
    static gm_status setup_##name(gm_context *context, void **opaque) {                            \
        static const problem p = {__VA_ARGS__};                                                    \
        return setup(context, opaque, &p);                                                         \
    }
PROBLEM(pair_f32, GM_BACKEND_CPU, true, GM_F32, 65536)
PROBLEM(pair_f64, GM_BACKEND_CPU, true, GM_F64, 65536)
PROBLEM(groups_f32, GM_BACKEND_CPU, false, GM_F32, 8192)
PROBLEM(groups_f64, GM_BACKEND_CPU, false, GM_F64, 8192)
PROBLEM(pair_f32_gpu, GM_BACKEND_CUDA, true, GM_F32, 4194304)
PROBLEM(groups_f32_gpu, GM_BACKEND_CUDA, false, GM_F32, 1048576)

#define CASE(what, type, size, name, dim, count, updates)                                          \
    {                                                                                              \
        .operation = what, .dtype = type, .shape = "n=" #count " sweeps=64",                       \
        .setup = setup_##name, .run = run, .verify = verify, .teardown = teardown,                 \
        .bytes = 2.0 * dim * size * count, .items = (updates)*64.0 * count, .item = "updates"      \
    }
const gm_bench_case gm_gibbs_bench[] = {
    CASE("gibbs two normals", "f32", 4, pair_f32, 2, 65536, 2),
    CASE("gibbs two normals", "f64", 8, pair_f64, 2, 65536, 2),
    CASE("gibbs eight groups dim 10", "f32", 4, groups_f32, 10, 8192, 3),
    CASE("gibbs eight groups dim 10", "f64", 8, groups_f64, 10, 8192, 3),
    CASE("gibbs two normals", "f32", 4, pair_f32_gpu, 2, 4194304, 2),
    CASE("gibbs eight groups dim 10", "f32", 4, groups_f32_gpu, 10, 1048576, 3),
};
const int gm_gibbs_bench_count = sizeof gm_gibbs_bench / sizeof gm_gibbs_bench[0];
