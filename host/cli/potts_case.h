/* Potts models and runs that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_POTTS_CASE_H
#define GENMATH_HOST_CLI_POTTS_CASE_H

#include <genmath/potts.h>

#include "host/cli/ising_case.h"

/* Chains of a model in a context. */
typedef struct potts_chains {
    gm_potts_plan *plan;
    gm_tensor beta, labels, sums;
    gm_tensor scratch;
    gm_workspace workspace;
} potts_chains;

static inline void potts_chains_close(gm_context *context, potts_chains *c) {
    gm_potts_plan_destroy(c->plan);
    gm_case_free(context, &c->beta);
    gm_case_free(context, &c->labels);
    gm_case_free(context, &c->sums);
    gm_case_free(context, &c->scratch);
}

static inline gm_status potts_fill(gm_context *context, int64_t chains, int64_t sites, int32_t q,
                                   potts_chains *c) {
    double *beta = malloc(sizeof *beta * (size_t)chains);
    uint8_t *labels = malloc((size_t)(chains * sites) + 1);
    if (beta == NULL || labels == NULL) {
        free(beta);
        free(labels);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < chains; ++i) {
        beta[i] = 0.5 + (double)i / (double)chains;
    }
    for (int64_t i = 0; i < chains * sites; ++i) {
        const uint64_t word = gm_philox_block(9, (uint64_t)i, GM_STREAM_USER, 0).w0;
        labels[i] = (uint8_t)(word * (uint64_t)q >> 32);
    }
    const int64_t shape[2] = {chains, sites};
    gm_status status = gm_case_upload(context, beta, GM_F64, 1, shape, &c->beta);
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, labels, GM_U8, 2, shape, &c->labels);
    }
    free(beta);
    free(labels);
    return status;
}

/* Chains of a Potts model on the graph of an Ising model, with its couplings; real: a field too,
 * label by label that of another site. Random labels, betas from 0.5 to 1.5, and the workspace. */
static inline gm_status potts_chains_open(gm_context *context, const ising_model *graph, int32_t q,
                                          gm_potts_update update, int64_t chains, potts_chains *c) {
    const gm_ising_model *m = &graph->model;
    double *field =
        graph->field != NULL ? malloc((size_t)m->sites * (size_t)q * sizeof *graph->field) : NULL;
    if (graph->field != NULL && field == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < m->sites * q && field != NULL; ++i) {
        field[i] = graph->field[(i / q + i % q) % m->sites];
    }
    const gm_potts_model model = {.sites = m->sites,
                                  .edges = m->edges,
                                  .ends = m->ends,
                                  .q = q,
                                  .coupling = m->coupling,
                                  .field = field,
                                  .update = update,
                                  .order = m->order};
    const int64_t sums[3] = {chains, GM_POTTS_SUMS, 2};
    gm_status status = gm_potts_plan_create(context, &model, &c->plan);
    free(field);
    status = status == GM_STATUS_OK ? potts_fill(context, chains, m->sites, q, c) : status;
    status = status == GM_STATUS_OK ? gm_case_alloc(context, GM_U64, 3, sums, &c->sums) : status;
    if (status == GM_STATUS_OK) {
        const gm_ising_sweeps none = {0};
        status = gm_potts_run(c->plan, &none, &c->beta, &c->labels, NULL, &c->workspace);
    }
    if (status == GM_STATUS_OK) {
        const int64_t bytes = (int64_t)c->workspace.bytes;
        status = gm_case_alloc(context, GM_U8, 1, &bytes, &c->scratch);
        c->workspace.data = c->scratch.data;
    }
    return status;
}

static inline gm_status potts_chains_run(potts_chains *c, int64_t first_sweep, int64_t sweeps) {
    const gm_ising_sweeps run = {
        .seed = 31, .first_sweep = (uint64_t)first_sweep, .sweeps = sweeps};
    const gm_potts_result result = {.sums = &c->sums};
    return gm_potts_run(c->plan, &run, &c->beta, &c->labels, &result, &c->workspace);
}

/* Adds the number of differing labels and words of sums to the error. */
static inline gm_status potts_compare(gm_context *reference, const potts_chains *a,
                                      gm_context *subject, const potts_chains *b,
                                      gm_case_result *result) {
    CASE_TRY(gm_case_compare_bits(reference, &a->labels, subject, &b->labels, result));
    return gm_case_compare_bits(reference, &a->sums, subject, &b->sums, result);
}

#endif
