/* Factor graphs and runs that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_FACTOR_CASE_H
#define GENMATH_HOST_CLI_FACTOR_CASE_H

#include <math.h>
#include <stdlib.h>

#include <genmath/factor_graph.h>
#include <genmath/philox.h>

#include "host/cli/bits_case.h"

/* A model with its arrays, which factor_model_free releases. */
typedef struct factor_model {
    gm_factor_graph_model model;
    int32_t *cardinality, *member;
    int64_t *first;
    double *table;
} factor_model;

static inline void factor_model_free(factor_model *m) {
    free(m->cardinality);
    free(m->member);
    free(m->first);
    free(m->table);
}

/*
 * A ring of n variables with `labels` each and two chords a variable, pairs of normal potentials;
 * with `triples` the chords become factors of three variables, and a tenth of their entries with
 * label 0 first is forbidden.
 */
static inline gm_status factor_make(int32_t n, int32_t labels, int triples, gm_ising_order order,
                                    factor_model *m) {
    const int64_t pair = (int64_t)labels * labels, large = triples ? pair * labels : pair;
    const int64_t factors = 2 * (int64_t)n;
    m->cardinality = malloc(sizeof *m->cardinality * (size_t)n);
    m->member = malloc(sizeof *m->member * 5 * (size_t)n);
    m->first = malloc(sizeof *m->first * ((size_t)factors + 1));
    m->table = malloc(sizeof *m->table * (size_t)(n * (pair + large)));
    if (m->cardinality == NULL || m->member == NULL || m->first == NULL || m->table == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    int64_t k = 0, entry = 0;
    for (int64_t a = 0; a < factors; ++a) {
        const int32_t i = (int32_t)(a % n);
        const int chord = a >= n;
        m->first[a] = k;
        m->member[k++] = i;
        m->member[k++] = (i + (chord ? n / 3 + 1 : 1)) % n;
        if (chord && triples) {
            m->member[k++] = (i + n / 5 + 2) % n;
        }
        for (int64_t e = 0; e < (chord ? large : pair); ++e, ++entry) {
            const double z = gm_normal_f64(17, (uint64_t)entry, GM_STREAM_USER, 0);
            m->table[entry] = chord && triples && e < pair && z > 1.28 ? -INFINITY : z;
        }
        m->cardinality[i] = labels;
    }
    m->first[factors] = k;
    m->model = (gm_factor_graph_model){.variables = n,
                                       .cardinality = m->cardinality,
                                       .factors = factors,
                                       .first = m->first,
                                       .member = m->member,
                                       .table = m->table,
                                       .order = order};
    return GM_STATUS_OK;
}

/* Chains of a model in a context. */
typedef struct factor_chains {
    gm_factor_graph_plan *plan;
    gm_tensor beta, labels, counts, status;
    gm_tensor scratch;
    gm_workspace workspace;
} factor_chains;

static inline void factor_chains_close(gm_context *context, factor_chains *c) {
    gm_factor_graph_plan_destroy(c->plan);
    gm_case_free(context, &c->beta);
    gm_case_free(context, &c->labels);
    gm_case_free(context, &c->counts);
    gm_case_free(context, &c->status);
    gm_case_free(context, &c->scratch);
}

static inline gm_status factor_fill(gm_context *context, int64_t chains,
                                    const gm_factor_graph_model *model, factor_chains *c) {
    const int64_t shape[2] = {chains, model->variables};
    double *beta = malloc(sizeof *beta * (size_t)chains);
    uint8_t *labels = malloc((size_t)(chains * model->variables) + 1);
    gm_status status = beta != NULL && labels != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    for (int64_t i = 0; i < chains && status == GM_STATUS_OK; ++i) {
        beta[i] = 0.4 + 0.4 * (double)i / (double)chains;
    }
    for (int64_t i = 0; i < chains * model->variables && status == GM_STATUS_OK; ++i) {
        /* not 0, where nothing is forbidden */
        labels[i] = (uint8_t)(1 + i % (model->cardinality[0] - 1));
    }
    status =
        status == GM_STATUS_OK ? gm_case_upload(context, beta, GM_F64, 1, shape, &c->beta) : status;
    status = status == GM_STATUS_OK ? gm_case_upload(context, labels, GM_U8, 2, shape, &c->labels)
                                    : status;
    free(beta);
    free(labels);
    return status;
}

static inline gm_status factor_chains_run(factor_chains *c, int64_t first_sweep, int64_t sweeps) {
    const gm_ising_sweeps run = {
        .seed = 33, .first_sweep = (uint64_t)first_sweep, .sweeps = sweeps};
    const gm_factor_graph_result result = {.counts = &c->counts, .status = &c->status};
    return gm_factor_graph_run(c->plan, &run, &c->beta, &c->labels, &result, &c->workspace);
}

/* Labels that nothing forbids, betas from 0.4 to 0.8, and the workspace. */
static inline gm_status factor_chains_open(gm_context *context, const gm_factor_graph_model *model,
                                           int64_t chains, factor_chains *c) {
    gm_factor_graph_info info = {0};
    gm_status status = gm_factor_graph_plan_create(context, model, &c->plan);
    status = status == GM_STATUS_OK ? gm_factor_graph_plan_info(c->plan, &info) : status;
    status = status == GM_STATUS_OK ? factor_fill(context, chains, model, c) : status;
    status = status == GM_STATUS_OK ? gm_case_alloc(context, GM_U64, 1, &info.states, &c->counts)
                                    : status;
    status =
        status == GM_STATUS_OK ? gm_case_alloc(context, GM_I32, 1, &chains, &c->status) : status;
    status = status == GM_STATUS_OK ? factor_chains_run(c, 0, 0) : status; /* the workspace */
    if (status == GM_STATUS_OK) {
        const int64_t bytes = (int64_t)c->workspace.bytes;
        status = gm_case_alloc(context, GM_U8, 1, &bytes, &c->scratch);
        c->workspace.data = c->scratch.data;
    }
    return status;
}

static inline gm_status factor_compare(gm_context *reference, const factor_chains *a,
                                       gm_context *subject, const factor_chains *b,
                                       gm_case_result *result) {
    gm_status status = gm_case_compare_bits(reference, &a->labels, subject, &b->labels, result);
    status = status == GM_STATUS_OK
                 ? gm_case_compare_bits(reference, &a->counts, subject, &b->counts, result)
                 : status;
    return status == GM_STATUS_OK
               ? gm_case_compare_bits(reference, &a->status, subject, &b->status, result)
               : status;
}

#endif
