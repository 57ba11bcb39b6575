/* Chains along a path of densities from host arrays, with guard words, on any subject. */
#ifndef GENMATH_TESTS_DENSITY_ANNEALING_FIXTURE_H
#define GENMATH_TESTS_DENSITY_ANNEALING_FIXTURE_H

#include "tests/mcmc_fixture.h"

#include <genmath/density_annealing.h>

typedef struct annealed {
    const gm_density *density;
    gm_mcmc_options options;
    int64_t n, steps;
    const double *beta, *step, *values; /* the schedule */
    int32_t moving;
    const int32_t *which;
    const double *params, *scale, *factor; /* (params, n), (dim, n); NULL where they may be */
    int64_t rows;
    const double *data;      /* (rows, columns) */
    bool shared;             /* one column of each */
    bool turned;             /* a chain's components side by side */
    int64_t first, count;    /* steps of this run */
    bool no_status, no_best; /* not wanted; best neither where parameters move */
    /* Replaced by a run; floats widened. */
    double *state, *log_weight, *best, *best_logp;
    int32_t *accepted, *status; /* accepted (steps, n): the rows of a run */
} annealed;

static annealed make_annealed(const gm_density *density, int64_t n, int64_t steps) {
    const size_t m = (size_t)n + 1, points = m * (size_t)density->dim;
    annealed a = {.density = density,
                  .options = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1, .seed = 5},
                  .n = n,
                  .steps = steps,
                  .count = steps};
    a.state = calloc(points, sizeof *a.state);
    a.log_weight = calloc(m, sizeof *a.log_weight);
    a.best = calloc(points, sizeof *a.best);
    a.best_logp = calloc(m, sizeof *a.best_logp);
    a.accepted = calloc(m * (size_t)steps, sizeof *a.accepted);
    a.status = calloc(m, sizeof *a.status);
    assert_true(a.state && a.log_weight && a.best && a.best_logp && a.accepted && a.status);
    for (size_t i = 0; i < m; ++i) { /* which a run that begins does not read */
        a.log_weight[i] = a.best_logp[i] = (double)NAN;
        a.status[i] = GM_STATUS_INTERNAL;
    }
    return a;
}

static void free_annealed(annealed *a) {
    free(a->state);
    free(a->log_weight);
    free(a->best);
    free(a->best_logp);
    free(a->accepted);
    free(a->status);
}

/* Into host; frees what chain_download gave. */
static inline void take_back(gm_context *context, chain_array *from, int64_t rows, int64_t n,
                             bool turned, void *host, size_t size) {
    void *got = chain_download(context, from, 1, rows, n, turned);
    memcpy(host, got, (size_t)(rows * n) * size);
    free(got);
}

static gm_density_annealing schedule_of(const annealed *a, const gm_mcmc_plan *mcmc) {
    return (gm_density_annealing){mcmc, a->steps, a->beta, a->step, a->moving, a->which, a->values};
}

/* Runs and fails the test unless the call succeeds. */
static void anneal(const subject *s, annealed *a) {
    gm_context *c = s->context;
    const gm_dtype real = a->options.dtype;
    const int64_t n = a->n, dim = a->density->dim, params = a->density->params;
    gm_mcmc_plan *mcmc;
    gm_density_annealing_plan *plan;
    ASSERT_OK(c, gm_mcmc_plan_create(c, a->density, &a->options, &mcmc));
    const gm_density_annealing schedule = schedule_of(a, mcmc);
    ASSERT_OK(c, gm_density_annealing_plan_create(c, &schedule, &plan));
    const bool turned = a->turned, has_best = !a->no_best && a->moving == 0;
    chain_array x = chain_upload(c, real, 2, 1, dim, n, false, turned, a->state);
    chain_array p = chain_upload(c, real, 2, 1, params, n, a->shared, turned, a->params);
    chain_array scale = chain_upload(c, real, 2, 1, dim, n, a->shared, turned, a->scale);
    chain_array factor = chain_upload(c, real, 2, 1, dim * dim, n, a->shared, turned, a->factor);
    const int64_t *entry = factor.tensor.stride;
    const gm_tensor factors = {
        factor.tensor.data, real, 3, {dim, dim, n}, {dim * entry[0], entry[0], entry[1]}};
    chain_array data = data_upload(c, real, a->rows, a->density->columns, 0, a->data);
    chain_array w = chain_upload(c, GM_F64, 1, 1, 1, n, false, false, a->log_weight);
    chain_array best = chain_upload(c, real, 2, 1, dim, n, false, turned, a->best);
    chain_array logp = chain_upload(c, real, 1, 1, 1, n, false, false, a->best_logp);
    chain_array accepted = chain_upload(c, GM_I32, 2, 1, a->count, n, false, turned, NULL);
    chain_array status = chain_upload(c, GM_I32, 1, 1, 1, n, false, false, NULL);
    ASSERT_OK(c, gm_memory_upload(c, status.tensor.data, a->status, (size_t)n * sizeof(int32_t)));
    const gm_density_annealing_state state = {
        &x.tensor, a->params != NULL ? &p.tensor : NULL, a->scale != NULL ? &scale.tensor : NULL,
        a->factor != NULL ? &factors : NULL, a->data != NULL ? &data.tensor : NULL};
    const gm_density_annealing_result result = {&w.tensor, has_best ? &best.tensor : NULL,
                                                has_best ? &logp.tensor : NULL, &accepted.tensor,
                                                a->no_status ? NULL : &status.tensor};
    gm_workspace workspace = {0};
    ASSERT_OK(c, gm_density_annealing_run(plan, a->first, a->count, &state, &result, &workspace));
    ASSERT_OK(c, gm_memory_alloc(c, workspace.bytes, &workspace.data));
    ASSERT_OK(c, gm_density_annealing_run(plan, a->first, a->count, &state, &result, &workspace));
    ASSERT_OK(c, gm_memory_free(c, workspace.data));
    ASSERT_OK(c, gm_memory_free(c, p.memory));
    ASSERT_OK(c, gm_memory_free(c, scale.memory));
    ASSERT_OK(c, gm_memory_free(c, factor.memory));
    ASSERT_OK(c, gm_memory_free(c, data.memory));
    take_back(c, &x, dim, n, turned, a->state, sizeof *a->state);
    take_back(c, &w, 1, n, false, a->log_weight, sizeof *a->log_weight);
    take_back(c, &best, dim, n, turned, a->best, sizeof *a->best);
    take_back(c, &logp, 1, n, false, a->best_logp, sizeof *a->best_logp);
    take_back(c, &accepted, a->count, n, turned, a->accepted + a->first * n, sizeof *a->accepted);
    take_back(c, &status, 1, n, false, a->status, sizeof *a->status);
    gm_density_annealing_plan_destroy(plan);
    gm_mcmc_plan_destroy(mcmc);
}

/* Chains c to c + count of a run, with the noise that they have there. */
static annealed part_of(const annealed *a, int64_t c, int64_t count) {
    annealed part = make_annealed(a->density, count, a->steps);
    double *state = part.state, *w = part.log_weight, *best = part.best, *logp = part.best_logp;
    int32_t *accepted = part.accepted, *status = part.status;
    part = *a;
    part.n = count;
    part.options.first_index += (uint64_t)c;
    part.state = state;
    part.log_weight = w;
    part.best = best;
    part.best_logp = logp;
    part.accepted = accepted;
    part.status = status;
    for (int64_t i = 0; i < count; ++i) {
        for (int64_t d = 0; d < a->density->dim; ++d) {
            state[d * count + i] = a->state[d * a->n + c + i];
        }
    }
    return part;
}

/* The number of chains of `part` that differ in any bit from those of `all` from c on. */
static int64_t different_chains(const annealed *all, int64_t c, const annealed *part) {
    int64_t different = 0;
    for (int64_t i = 0; i < part->n; ++i) {
        bool same = memcmp(&all->log_weight[c + i], &part->log_weight[i], 8) == 0 &&
                    memcmp(&all->best_logp[c + i], &part->best_logp[i], 8) == 0 &&
                    all->status[c + i] == part->status[i];
        for (int64_t d = 0; d < all->density->dim; ++d) {
            const int64_t from = d * all->n + c + i, to = d * part->n + i;
            same = same && memcmp(&all->state[from], &part->state[to], 8) == 0 &&
                   memcmp(&all->best[from], &part->best[to], 8) == 0;
        }
        for (int64_t t = 0; t < all->steps; ++t) {
            same = same && all->accepted[t * all->n + c + i] == part->accepted[t * part->n + i];
        }
        different += !same;
    }
    return different;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* From N(0, 1) at p[0] = 0 to exp(-(x - m)^2 / (2 s^2)) at 1: Z_1 / Z_0 = s. p: path, m, s. */
GM_DENSITY(
    bridge, 1, 3,
    {
        const real u = (y[0] - p[1]) / p[2];
        logp[0] = (real)-0.5 * ((1 - p[0]) * y[0] * y[0] + p[0] * u * u);
    },
    { grad[0] = -(1 - p[0]) * y[0] - p[0] * (y[0] - p[1]) / (p[2] * p[2]); })

/* From N(0, I) to a double well of height p[0] whose second coordinate follows; path p[1], tilt
 * p[2]. */
GM_DENSITY(
    to_wells, 2, 3,
    {
        const real w = y[0] * y[0] - 1;
        const real d = y[1] - y[0];
        const real base = (real)-0.5 * (y[0] * y[0] + y[1] * y[1]);
        const real target = p[2] * y[0] - p[0] * w * w - (real)2 * d * d;
        logp[0] = base + p[1] * (target - base);
    },
    {
        const real w = y[0] * y[0] - 1;
        const real d = y[1] - y[0];
        grad[0] = -y[0] + p[1] * (p[2] - (real)4 * p[0] * w * y[0] + (real)4 * d + y[0]);
        grad[1] = -y[1] + p[1] * (y[1] - (real)4 * d);
    })

static const int32_t first_moves[] = {0};

static void draw_normals(annealed *a, uint64_t seed, double mean, double sd) {
    for (int64_t i = 0; i < a->n * a->density->dim; ++i) {
        a->state[i] =
            (double)(float)(mean + sd * gm_normal_f64(seed, (uint64_t)i, GM_STREAM_USER, 0));
    }
}

enum { CHAINS = 70, STEPS = 7 };

enum { KINDS = 5 };

/* Of the bridge with a moving path (kind 0: shared parameters, 1: a chain's own), the same with
 * rising beta besides (2), of the second density by beta alone (3), of the bridge with all that it
 * has moving (4). */
static annealed replayed(int kind, gm_dtype dtype) {
    static const double path[STEPS] = {0, 0.3, 0.1, 0.5, 0.5, 0.9, 1},
                        beta[STEPS] = {0.25, 0.5, 0.3, 1, 1, 2, 1.7},
                        step[STEPS] = {1, 0.5, 2, 0.7, 0.3, 0.9, 1.2}, one[] = {7, 1.5, 0.7},
                        wells[] = {2, 0.75, 0.3}, scale[] = {1, 0.5};
    static const int32_t all[] = {2, 0, 1};
    static const double values[3 * STEPS] = {0.7, 0,   1,   0.6, 0.2, 1.1, 0.9, 0.1, 1.3, 0.8, 0.5,
                                             1.5, 0.8, 0.5, 1.5, 1.2, 0.8, 1.1, 1,   1,   0.7};
    static double own[3 * CHAINS];
    annealed a = make_annealed(kind == 3 ? &to_wells : &bridge, CHAINS, STEPS);
    a.options = (gm_mcmc_options){.dtype = dtype,
                                  .method = kind == 2 ? GM_MCMC_HMC : GM_MCMC_RWM,
                                  .steps = 3,
                                  .leapfrogs = kind == 2 ? 3 : 0,
                                  .seed = 12,
                                  .first_index = 1000};
    a.step = step;
    a.shared = kind != 1;
    a.params = kind == 3 ? wells : one;
    if (kind != 3) {
        a.moving = kind == 4 ? 3 : 1;
        a.which = kind == 4 ? all : first_moves;
        a.values = kind == 4 ? values : path;
    }
    a.beta = kind == 2 || kind == 3 ? beta : NULL;
    a.scale = kind == 3 ? scale : NULL;
    for (int i = 0; i < 3 * CHAINS; ++i) {
        own[i] = (double)(float)(one[i / CHAINS] + 0.01 * (i % CHAINS));
    }
    a.params = kind == 1 ? own : kind == 4 ? NULL : a.params;
    draw_normals(&a, 3, 0, 1);
    return a;
}

#endif
