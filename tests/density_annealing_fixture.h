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
    bool shared;                           /* one column of each */
    bool turned;                           /* a chain's components side by side */
    int64_t first, count;                  /* steps of this run */
    bool no_status, no_best;               /* not wanted; best neither where parameters move */
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
    chain_array w = chain_upload(c, GM_F64, 1, 1, 1, n, false, false, a->log_weight);
    chain_array best = chain_upload(c, real, 2, 1, dim, n, false, turned, a->best);
    chain_array logp = chain_upload(c, real, 1, 1, 1, n, false, false, a->best_logp);
    chain_array accepted = chain_upload(c, GM_I32, 2, 1, a->count, n, false, turned, NULL);
    chain_array status = chain_upload(c, GM_I32, 1, 1, 1, n, false, false, NULL);
    ASSERT_OK(c, gm_memory_upload(c, status.tensor.data, a->status, (size_t)n * sizeof(int32_t)));
    const gm_density_annealing_state state = {&x.tensor, a->params != NULL ? &p.tensor : NULL,
                                              a->scale != NULL ? &scale.tensor : NULL,
                                              a->factor != NULL ? &factors : NULL};
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

#endif
