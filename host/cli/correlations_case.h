/* Measurements of correlations that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_CORRELATIONS_CASE_H
#define GENMATH_HOST_CLI_CORRELATIONS_CASE_H

#include <stdbool.h>
#include <stdlib.h>

#include <genmath/correlations.h>
#include <genmath/philox.h>

#include "host/cli/cases.h"

/* A periodic lattice of rows and columns; distances 1 to reach along both axes, or only the rows of
 * packed spins. */
typedef struct correlations_shape {
    int64_t rows, columns, chains, reach;
    int32_t q; /* 0: spins; -1: packed */
    gm_ising_spins spins;
} correlations_shape;

typedef struct correlations_run {
    correlations_shape shape;
    gm_correlations_plan *plan;
    gm_multispin_plan *packed;
    gm_tensor states, sums, status, scratch;
    gm_workspace workspace;
} correlations_run;

static inline void correlations_close(gm_context *context, correlations_run *r) {
    gm_correlations_plan_destroy(r->plan);
    gm_multispin_plan_destroy(r->packed);
    gm_case_free(context, &r->states);
    gm_case_free(context, &r->sums);
    gm_case_free(context, &r->status);
    gm_case_free(context, &r->scratch);
}

static inline gm_status correlations_add(correlations_run *r) {
    const gm_multispin_distances rows = {1, 1, r->shape.reach};
    return r->packed != NULL
               ? gm_multispin_correlations(r->packed, &rows, &r->states, &r->sums, &r->workspace)
               : gm_correlations_add(r->plan, &r->states, &r->sums, &r->status, &r->workspace);
}

/* Random spins, labels or words, and sums of 0. */
static inline gm_status correlations_fill(gm_context *context, int64_t chains, int64_t places,
                                          correlations_run *r) {
    const correlations_shape *s = &r->shape;
    const bool packed = s->q < 0;
    const int64_t groups = packed ? s->reach : 2 * s->reach;
    uint32_t *words = malloc(sizeof *words * (size_t)(chains * places));
    int64_t *sums = calloc((size_t)(chains * groups), sizeof *sums);
    gm_status status = words == NULL || sums == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    for (int64_t i = 0; i < chains * places && status == GM_STATUS_OK; ++i) {
        const uint32_t word = gm_philox_block(9, (uint64_t)i, GM_STREAM_USER, 0).w0;
        if (packed) {
            words[i] = word;
        } else {
            ((uint8_t *)words)[i] =
                (uint8_t)(s->q > 0                     ? (uint64_t)word * (uint64_t)s->q >> 32
                          : s->spins == GM_ISING_SIGNS ? (word >> 31 != 0 ? 1u : 255u)
                                                       : word >> 31);
        }
    }
    const int64_t shape[2] = {chains, places}, out[2] = {chains, groups};
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, words,
                                packed     ? GM_U32
                                : s->q > 0 ? GM_U8
                                           : GM_I8,
                                2, shape, &r->states);
    }
    status =
        status == GM_STATUS_OK ? gm_case_upload(context, sums, GM_I64, 2, out, &r->sums) : status;
    free(words);
    free(sums);
    return status;
}

/* The pairs of both axes, a group a distance, and their plan. */
static inline gm_status correlations_plan_pairs(gm_context *context, correlations_run *r) {
    const correlations_shape *s = &r->shape;
    const int64_t size[2] = {s->rows, s->columns}, sites = s->rows * s->columns;
    const int32_t periodic[2] = {1, 1};
    int64_t *first = malloc(sizeof *first * (size_t)(2 * s->reach + 1));
    int32_t *ends = malloc(sizeof *ends * (size_t)(4 * s->reach * sites));
    gm_status status = first == NULL || ends == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    for (int64_t g = 0; g <= 2 * s->reach && status == GM_STATUS_OK; ++g) {
        int64_t pairs;
        first[g] = g * sites;
        status = g == 2 * s->reach
                     ? GM_STATUS_OK
                     : gm_lattice_pairs(GM_LATTICE_CUBIC, 2, size, periodic, (int32_t)(g % 2),
                                        g / 2 + 1, ends + 2 * first[g], &pairs);
    }
    const gm_correlations_model model = {.sites = sites,
                                         .groups = 2 * s->reach,
                                         .first = first,
                                         .ends = ends,
                                         .q = s->q,
                                         .spins = s->spins};
    status =
        status == GM_STATUS_OK ? gm_correlations_plan_create(context, &model, &r->plan) : status;
    free(first);
    free(ends);
    return status;
}

static inline gm_status correlations_open(gm_context *context, const correlations_shape *shape,
                                          correlations_run *r) {
    r->shape = *shape;
    const gm_multispin_model model = {
        .axes = 2, .size = {shape->rows, shape->columns}, .periodic = {1, 1}};
    gm_multispin_info info = {.words = shape->rows * shape->columns};
    if (shape->q < 0) {
        CASE_TRY(gm_multispin_plan_create(context, &model, &r->packed));
        CASE_TRY(gm_multispin_plan_info(r->packed, &info));
    } else {
        CASE_TRY(correlations_plan_pairs(context, r));
    }
    CASE_TRY(correlations_fill(context, shape->chains, info.words, r));
    CASE_TRY(gm_case_alloc(context, GM_I32, 1, &shape->chains, &r->status));
    CASE_TRY(correlations_add(r)); /* only asks */
    const int64_t bytes = (int64_t)r->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &r->scratch));
    r->workspace.data = r->scratch.data;
    return GM_STATUS_OK;
}

/* The sums of a's chains, which b's begin with: the number that differ is added to the error. */
static inline gm_status correlations_compare(gm_context *reference, const correlations_run *a,
                                             gm_context *subject, const correlations_run *b,
                                             gm_case_result *result) {
    const int64_t chains = a->sums.shape[0], groups = a->sums.shape[1];
    int64_t *x = malloc(sizeof *x * (size_t)(b->sums.shape[0] * groups));
    int64_t *y = malloc(sizeof *y * (size_t)(b->sums.shape[0] * groups));
    gm_status status =
        x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(reference, &a->sums, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, &b->sums, y) : status;
    if (status == GM_STATUS_OK) {
        result->error += (double)gm_case_bit_differences(8, x, y, chains * groups, NULL);
    }
    free(x);
    free(y);
    return status;
}

#endif
