/* Ladders of a density in host arrays, run on any subject. */
#ifndef GENMATH_TESTS_DENSITY_TEMPERING_FIXTURE_H
#define GENMATH_TESTS_DENSITY_TEMPERING_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/density_tempering.h>

typedef struct density_ladders {
    const gm_density *density;
    gm_mcmc_options options;
    int64_t count, temperatures, draw_level;
    const double *beta, *step, *params; /* params: one column */
    gm_tempering_pairs pairs;
    int64_t first_swap, swaps;
    double *state;          /* (dim, chains), replaced */
    int32_t *level, *label; /* (chains), replaced */
    double *draws, *logp, *sums;
    int64_t *accepted, *counts, *trips;
    int32_t *status;
} density_ladders;

static density_ladders make_density_ladders(const gm_density *density, int64_t count,
                                            int64_t temperatures, int64_t swaps) {
    const size_t n = (size_t)(count * temperatures) + 1, dim = (size_t)density->dim;
    density_ladders l = {.density = density,
                         .options = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1},
                         .count = count,
                         .temperatures = temperatures,
                         .swaps = swaps};
    l.state = calloc(n * dim, sizeof *l.state);
    l.level = calloc(n, sizeof *l.level);
    l.label = calloc(n, sizeof *l.label);
    l.draws = calloc((size_t)(swaps * count) * dim + 1, sizeof *l.draws);
    l.logp = calloc(n, sizeof *l.logp);
    l.sums = calloc(n, sizeof *l.sums);
    l.accepted = calloc(n, sizeof *l.accepted);
    l.counts = calloc(n * GM_TEMPERING_COUNTS, sizeof *l.counts);
    l.trips = calloc(n, sizeof *l.trips);
    l.status = calloc(n, sizeof *l.status);
    assert_true(l.state && l.level && l.label && l.draws && l.logp && l.sums && l.accepted &&
                l.counts && l.trips && l.status);
    for (size_t i = 0; i + 1 < n; ++i) {
        l.level[i] = (int32_t)(i % (size_t)temperatures);
    }
    return l;
}

static void free_density_ladders(density_ladders *l) {
    void *const all[] = {l->state, l->level,    l->label,  l->draws, l->logp,
                         l->sums,  l->accepted, l->counts, l->trips, l->status};
    for (int i = 0; i < COUNT(all); ++i) {
        free(all[i]);
    }
}

enum { ARRAYS = 10 };

typedef struct array {
    void *host;
    gm_dtype dtype; /* on the subject: GM_F32 narrows a host array of doubles */
    int64_t shape[3];
    int32_t ndim;
    gm_tensor view;
} array;

/* In the order of density_ladders. */
static void set_arrays(const density_ladders *l, array *a) {
    const int64_t r = l->temperatures, c = l->count, dim = l->density->dim;
    const gm_dtype real = l->options.dtype;
    const array all[ARRAYS] = {{l->state, real, {dim, c * r}, 2, {0}},
                               {l->level, GM_I32, {c, r}, 2, {0}},
                               {l->label, GM_I32, {c, r}, 2, {0}},
                               {l->draws, real, {l->swaps, dim, c}, 3, {0}},
                               {l->logp, real, {c * r}, 1, {0}},
                               {l->sums, GM_F64, {c, r}, 2, {0}},
                               {l->accepted, GM_I64, {c, r}, 2, {0}},
                               {l->counts, GM_I64, {c, r - 1, GM_TEMPERING_COUNTS}, 3, {0}},
                               {l->trips, GM_I64, {c, r}, 2, {0}},
                               {l->status, GM_I32, {c * r}, 1, {0}}};
    memcpy(a, all, sizeof all);
    for (int i = 0; i < ARRAYS; ++i) {
        ASSERT_OK(NULL, gm_tensor_view(NULL, a[i].dtype, a[i].ndim, a[i].shape, &a[i].view));
    }
}

static void move_array(const subject *s, array *a, bool back) {
    int64_t n;
    ASSERT_OK(NULL, gm_tensor_elements(&a->view, &n));
    const size_t bytes = (size_t)n * gm_dtype_size(a->dtype);
    float *narrow = malloc((size_t)n * sizeof *narrow + 1);
    double *wide = a->host;
    void *from = a->dtype == GM_F32 ? (void *)narrow : a->host;
    if (!back) {
        for (int64_t i = 0; i < n && a->dtype == GM_F32; ++i) {
            narrow[i] = (float)wide[i];
        }
        ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes + 8, &a->view.data));
        ASSERT_OK(s->context, gm_memory_upload(s->context, a->view.data, from, bytes));
    } else {
        ASSERT_OK(s->context, gm_memory_download(s->context, from, a->view.data, bytes));
        ASSERT_OK(s->context, gm_memory_free(s->context, a->view.data));
        for (int64_t i = 0; i < n && a->dtype == GM_F32; ++i) {
            wide[i] = (double)narrow[i];
        }
    }
    free(narrow);
}

static void temper(const subject *s, density_ladders *l) {
    gm_mcmc_plan *mcmc;
    gm_density_tempering_plan *plan;
    ASSERT_OK(s->context, gm_mcmc_plan_create(s->context, l->density, &l->options, &mcmc));
    const gm_density_tempering tempering = {mcmc,    l->temperatures, l->beta,
                                            l->step, l->draw_level,   l->pairs};
    ASSERT_OK(s->context, gm_density_tempering_plan_create(s->context, &tempering, &plan));
    array a[ARRAYS],
        p = {(void *)(uintptr_t)l->params, l->options.dtype, {l->density->params}, 1, {0}};
    set_arrays(l, a);
    for (int i = 0; i < ARRAYS; ++i) {
        move_array(s, &a[i], false);
    }
    ASSERT_OK(NULL, gm_tensor_view(NULL, p.dtype, 1, p.shape, &p.view));
    double held[4];
    memcpy(held, l->params, (size_t)l->density->params * sizeof *held);
    p.host = held;
    move_array(s, &p, false);
    gm_tensor params = gm_tensor_2d(p.view.data, p.dtype, p.shape[0], l->count * l->temperatures);
    params.stride[0] = 1;
    params.stride[1] = 0;
    const gm_density_tempering_state state = {&a[0].view, &a[1].view, &a[2].view,
                                              &params,    NULL,       NULL};
    const gm_density_tempering_result result = {&a[3].view, &a[4].view, &a[5].view, &a[6].view,
                                                &a[7].view, &a[8].view, &a[9].view};
    gm_workspace workspace = {0};
    ASSERT_OK(s->context,
              gm_density_tempering_run(plan, l->first_swap, l->swaps, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &workspace.data));
    ASSERT_OK(s->context,
              gm_density_tempering_run(plan, l->first_swap, l->swaps, &state, &result, &workspace));
    ASSERT_OK(s->context, gm_memory_free(s->context, workspace.data));
    ASSERT_OK(s->context, gm_memory_free(s->context, p.view.data));
    for (int i = 0; i < ARRAYS; ++i) {
        move_array(s, &a[i], true);
    }
    gm_density_tempering_plan_destroy(plan);
    gm_mcmc_plan_destroy(mcmc);
}

#endif
