/* Chains along a path from a normal law to a ridge that the conformance cases and the benchmarks of
 * gm_density_annealing_run share. */
#ifndef GENMATH_HOST_CLI_DENSITY_ANNEALING_CASE_H
#define GENMATH_HOST_CLI_DENSITY_ANNEALING_CASE_H

#include <stdbool.h>

#include <genmath/density_annealing.h>
#include <genmath/tempering.h>

#include "host/cli/importance_case.h"

/* Path p[0], sharpness p[1]. */
GM_DENSITY(
    ridge_path, 4, 2,
    {
        const real bend = y[0] - gm_sin(y[1]);
        const real square = y[1] * y[1] + y[2] * y[2] + y[3] * y[3];
        const real base = (real)-0.5 * (y[0] * y[0] + square);
        const real target = -p[1] * bend * bend - (real)0.25 * square;
        logp[0] = base + p[0] * (target - base);
    },
    {
        const real bend = y[0] - gm_sin(y[1]);
        const real side = 1 - p[0] / 2;
        grad[0] = (p[0] - 1) * y[0] - 2 * p[0] * p[1] * bend;
        grad[1] = 2 * p[0] * p[1] * bend * gm_cos(y[1]) - side * y[1];
        grad[2] = -side * y[2];
        grad[3] = -side * y[3];
    })

enum { CASE_PATH = 12, CASE_PATH_DIM = 4 };

typedef struct path_chains {
    int64_t n;
    gm_mcmc_plan *mcmc;
    gm_density_annealing_plan *plan;
    gm_tensor state, params, log_weight, best, best_logp, status, scratch;
    gm_workspace workspace;
    bool moves; /* the path; else p^beta with the best state */
} path_chains;

static inline void path_close(gm_context *context, path_chains *c) {
    gm_tensor *const all[] = {&c->state,     &c->params, &c->log_weight, &c->best,
                              &c->best_logp, &c->status, &c->scratch};
    gm_density_annealing_plan_destroy(c->plan);
    gm_mcmc_plan_destroy(c->mcmc);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        gm_case_free(context, all[i]);
    }
}

static inline gm_status path_run(path_chains *c) {
    const gm_density_annealing_state state = {.state = &c->state, .params = &c->params};
    const gm_density_annealing_result result = {.log_weight = &c->log_weight,
                                                .best = c->moves ? NULL : &c->best,
                                                .best_log_density = c->moves ? NULL : &c->best_logp,
                                                .status = &c->status};
    return gm_density_annealing_run(c->plan, 0, CASE_PATH, &state, &result, &c->workspace);
}

static inline gm_status path_plan(gm_context *context, gm_dtype dtype, path_chains *c) {
    static const int32_t which[] = {0};
    const gm_mcmc_options options = {.dtype = dtype, .method = GM_MCMC_RWM, .steps = 2, .seed = 17};
    double path[CASE_PATH], beta[CASE_PATH], step[CASE_PATH];
    CASE_TRY(gm_ladder_linear(CASE_PATH, 0, 1, path));
    CASE_TRY(gm_ladder_geometric(CASE_PATH, 0.5, 4, beta));
    for (int t = 0; t < CASE_PATH; ++t) {
        step[t] = 0.5;
    }
    CASE_TRY(gm_mcmc_plan_create(context, &ridge_path, &options, &c->mcmc));
    const gm_density_annealing schedule = {.mcmc = c->mcmc,
                                           .steps = CASE_PATH,
                                           .beta = c->moves ? NULL : beta,
                                           .step = step,
                                           .moving = c->moves,
                                           .which = which,
                                           .values = path};
    return gm_density_annealing_plan_create(context, &schedule, &c->plan);
}

/* (dim, n) with the coordinates of a chain side by side. */
static inline void path_turn(gm_tensor *points, int64_t n) {
    points->shape[0] = CASE_PATH_DIM;
    points->shape[1] = n;
    points->stride[0] = 1;
    points->stride[1] = CASE_PATH_DIM;
}

/* n chains; the first of them are the same for any n. */
static inline gm_status path_open(gm_context *context, gm_dtype dtype, bool moves, int64_t n,
                                  path_chains *c) {
    const int64_t flat[] = {n, CASE_PATH_DIM}, two[] = {2, 1};
    c->n = n;
    c->moves = moves;
    CASE_TRY(path_plan(context, dtype, c));
    CASE_TRY(importance_fill(context, dtype, 2, flat, 11, 0, 1, 0, &c->state));
    path_turn(&c->state, n);
    CASE_TRY(importance_fill(context, dtype, 2, two, 12, 1, 0, 0, &c->params));
    c->params.shape[1] = n;
    c->params.stride[1] = 0;
    CASE_TRY(gm_case_alloc(context, GM_F64, 1, flat, &c->log_weight));
    CASE_TRY(gm_case_alloc(context, dtype, 2, flat, &c->best));
    path_turn(&c->best, n);
    CASE_TRY(gm_case_alloc(context, dtype, 1, flat, &c->best_logp));
    CASE_TRY(gm_case_alloc(context, GM_I32, 1, flat, &c->status));
    CASE_TRY(path_run(c)); /* only asks */
    const int64_t bytes = (int64_t)c->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &c->scratch));
    c->workspace.data = c->scratch.data;
    return GM_STATUS_OK;
}

/* Weights, states and the best of the first chains; a has no more than b. */
static inline gm_status path_compare(gm_context *reference, const path_chains *a,
                                     gm_context *subject, const path_chains *b,
                                     gm_case_result *result) {
    const gm_tensor *const ours[] = {&a->log_weight, &a->state, &a->status, &a->best_logp,
                                     &a->best};
    const gm_tensor *const theirs[] = {&b->log_weight, &b->state, &b->status, &b->best_logp,
                                       &b->best};
    for (int i = 0; i < (a->moves ? 3 : 5); ++i) {
        gm_tensor first = *theirs[i];
        first.shape[first.ndim - 1] = a->n;
        CASE_TRY(importance_compare(reference, ours[i], subject, &first, result));
    }
    return GM_STATUS_OK;
}

#endif
