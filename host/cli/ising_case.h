/* Ising models and runs that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_ISING_CASE_H
#define GENMATH_HOST_CLI_ISING_CASE_H

#include <stdlib.h>

#include <genmath/ising.h>
#include <genmath/philox.h>

#include "host/cli/bits_case.h"

/* A model with its arrays, which ising_model_free releases. */
typedef struct ising_model {
    gm_ising_model model;
    int32_t *ends;
    double *coupling, *field;
} ising_model;

static inline void ising_model_free(ising_model *m) {
    free(m->ends);
    free(m->coupling);
    free(m->field);
}

/* A periodic lattice; J = 1. */
static inline gm_status ising_make_lattice(int32_t axes, const int64_t *size, ising_model *m) {
    static const int32_t periodic[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    gm_status status = gm_ising_lattice(axes, size, periodic, NULL, &m->model.edges);
    m->ends = malloc(sizeof *m->ends * 2 * (size_t)m->model.edges);
    if (status == GM_STATUS_OK && m->ends == NULL) {
        status = GM_STATUS_OUT_OF_MEMORY;
    }
    if (status == GM_STATUS_OK) {
        status = gm_ising_lattice(axes, size, periodic, m->ends, &m->model.edges);
    }
    m->model.ends = m->ends;
    m->model.sites = 1;
    for (int32_t a = 0; a < axes; ++a) {
        m->model.sites *= size[a];
    }
    return status;
}

/* A ring of n sites with chords to the sites step[1], step[2] further: of degree 6, with odd
 * cycles. Couplings and fields are normal if real, else +-1 and 0. */
static inline gm_status ising_make_graph(int32_t n, int real, ising_model *m) {
    const int32_t step[3] = {1, n / 5 + 2, n / 3 + 1};
    m->ends = malloc(sizeof *m->ends * 6 * (size_t)n);
    m->coupling = malloc(sizeof *m->coupling * 3 * (size_t)n);
    m->field = calloc((size_t)n, sizeof *m->field);
    if (m->ends == NULL || m->coupling == NULL || m->field == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int32_t e = 0; e < 3 * n; ++e) {
        m->ends[2 * e] = e % n;
        m->ends[2 * e + 1] = (e % n + step[e / n]) % n;
        const double z = gm_normal_f64(7, (uint64_t)e, GM_STREAM_USER, 0);
        m->coupling[e] = real ? z : z < 0 ? -1 : 1;
    }
    for (int32_t i = 0; i < n && real; ++i) {
        m->field[i] = gm_normal_f64(8, (uint64_t)i, GM_STREAM_USER, 0);
    }
    m->model.sites = n;
    m->model.edges = 3 * (int64_t)n;
    m->model.ends = m->ends;
    m->model.coupling = m->coupling;
    m->model.field = m->field;
    return GM_STATUS_OK;
}

/* Chains of a model in a context. */
typedef struct ising_chains {
    gm_ising_plan *plan;
    gm_tensor beta, spins, sums;
    gm_tensor scratch;
    gm_workspace workspace;
} ising_chains;

static inline void ising_chains_close(gm_context *context, ising_chains *c) {
    gm_ising_plan_destroy(c->plan);
    gm_case_free(context, &c->beta);
    gm_case_free(context, &c->spins);
    gm_case_free(context, &c->sums);
    gm_case_free(context, &c->scratch);
}

static inline gm_status ising_fill(gm_context *context, int64_t chains, int64_t sites,
                                   ising_chains *c) {
    double *beta = malloc(sizeof *beta * (size_t)chains);
    int8_t *spins = malloc((size_t)(chains * sites) + 1);
    if (beta == NULL || spins == NULL) {
        free(beta);
        free(spins);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < chains; ++i) {
        beta[i] = 0.2 + 0.4 * (double)i / (double)chains;
    }
    for (int64_t i = 0; i < chains * sites; ++i) {
        spins[i] = gm_philox_block(9, (uint64_t)i, GM_STREAM_USER, 0).w0 >> 31 != 0 ? 1 : -1;
    }
    const int64_t shape[2] = {chains, sites};
    gm_status status = gm_case_upload(context, beta, GM_F64, 1, shape, &c->beta);
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, spins, GM_I8, 2, shape, &c->spins);
    }
    free(beta);
    free(spins);
    return status;
}

/* Random spins, betas from 0.2 to 0.6, and the workspace. */
static inline gm_status ising_chains_open(gm_context *context, const gm_ising_model *model,
                                          int64_t chains, ising_chains *c) {
    const int64_t sums[3] = {chains, GM_ISING_SUMS, 2};
    gm_status status = gm_ising_plan_create(context, model, &c->plan);
    status = status == GM_STATUS_OK ? ising_fill(context, chains, model->sites, c) : status;
    status = status == GM_STATUS_OK ? gm_case_alloc(context, GM_U64, 3, sums, &c->sums) : status;
    if (status == GM_STATUS_OK) {
        const gm_ising_sweeps none = {0};
        status = gm_ising_run(c->plan, &none, &c->beta, &c->spins, NULL, &c->workspace);
    }
    if (status == GM_STATUS_OK) {
        const int64_t bytes = (int64_t)c->workspace.bytes;
        status = gm_case_alloc(context, GM_U8, 1, &bytes, &c->scratch);
        c->workspace.data = c->scratch.data;
    }
    return status;
}

static inline gm_status ising_chains_run(ising_chains *c, int64_t first_sweep, int64_t sweeps) {
    const gm_ising_sweeps run = {
        .seed = 31, .first_sweep = (uint64_t)first_sweep, .sweeps = sweeps};
    const gm_ising_result result = {.sums = &c->sums};
    return gm_ising_run(c->plan, &run, &c->beta, &c->spins, &result, &c->workspace);
}

/* Adds the number of differing spins and words of sums to the error. */
static inline gm_status ising_compare(gm_context *reference, const ising_chains *a,
                                      gm_context *subject, const ising_chains *b,
                                      gm_case_result *result) {
    CASE_TRY(gm_case_compare_bits(reference, &a->spins, subject, &b->spins, result));
    return gm_case_compare_bits(reference, &a->sums, subject, &b->sums, result);
}

#endif
