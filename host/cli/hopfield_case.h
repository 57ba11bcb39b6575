/* Hopfield networks and runs that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_HOPFIELD_CASE_H
#define GENMATH_HOST_CLI_HOPFIELD_CASE_H

#include <stdlib.h>

#include <genmath/hopfield.h>
#include <genmath/philox.h>

#include "host/cli/bits_case.h"

/* Probes of a network in a context. */
typedef struct hopfield_probes {
    gm_hopfield_plan *plan;
    gm_hopfield_run_options options;
    int8_t *start; /* as the probes were */
    gm_tensor states, overlap, sweeps;
    gm_tensor scratch;
    gm_workspace workspace;
} hopfield_probes;

static inline void hopfield_close(gm_context *context, hopfield_probes *h) {
    gm_hopfield_plan_destroy(h->plan);
    free(h->start);
    gm_case_free(context, &h->states);
    gm_case_free(context, &h->overlap);
    gm_case_free(context, &h->sweeps);
    gm_case_free(context, &h->scratch);
}

static inline int8_t hopfield_sign(uint64_t seed, int64_t index) {
    return gm_philox_block(seed, (uint64_t)index, GM_STREAM_USER, 0).w0 >> 31 != 0 ? 1 : -1;
}

static inline gm_status hopfield_run(hopfield_probes *h) {
    const gm_hopfield_result result = {.overlap = &h->overlap, .sweeps = &h->sweeps};
    return gm_hopfield_run(h->plan, &h->options, &h->states, &result, &h->workspace);
}

static inline gm_status hopfield_allocate(gm_context *context, int64_t probes, int64_t patterns,
                                          hopfield_probes *h) {
    const int64_t shape[2] = {probes, patterns};
    gm_status status = gm_case_alloc(context, GM_I32, 2, shape, &h->overlap);
    status = status == GM_STATUS_OK ? gm_case_alloc(context, GM_I32, 1, shape, &h->sweeps) : status;
    status = status == GM_STATUS_OK ? hopfield_run(h) : status; /* the workspace */
    if (status == GM_STATUS_OK) {
        const int64_t bytes = (int64_t)h->workspace.bytes;
        status = gm_case_alloc(context, GM_U8, 1, &bytes, &h->scratch);
        h->workspace.data = h->scratch.data;
    }
    return status;
}

/* Random patterns; probes are patterns with a fifth of their neurons drawn anew. */
static inline gm_status hopfield_open(gm_context *context, int64_t neurons, int64_t patterns,
                                      int64_t probes, gm_hopfield_rule rule,
                                      gm_hopfield_run_options options, hopfield_probes *h) {
    int8_t *pattern = malloc((size_t)(patterns * neurons) + 1);
    h->start = malloc((size_t)(probes * neurons) + 1);
    h->options = options;
    gm_status status = pattern != NULL && h->start != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    for (int64_t k = 0; k < patterns * neurons && status == GM_STATUS_OK; ++k) {
        pattern[k] = hopfield_sign(51, k);
    }
    for (int64_t k = 0; k < probes * neurons && status == GM_STATUS_OK; ++k) {
        const int64_t like = k / neurons % patterns * neurons + k % neurons;
        h->start[k] = k % 5 == 0 ? hopfield_sign(52, k) : pattern[like];
    }
    if (status == GM_STATUS_OK) {
        const int64_t shape[2] = {probes, neurons};
        status = gm_case_upload(context, h->start, GM_I8, 2, shape, &h->states);
    }
    if (status == GM_STATUS_OK) {
        const gm_hopfield_model model = {.neurons = neurons,
                                         .patterns = patterns,
                                         .pattern = pattern,
                                         .probes = probes,
                                         .rule = rule};
        status = gm_hopfield_plan_create(context, &model, &h->plan);
    }
    status = status == GM_STATUS_OK ? hopfield_allocate(context, probes, patterns, h) : status;
    free(pattern);
    return status;
}

static inline gm_status hopfield_compare(gm_context *reference, const hopfield_probes *a,
                                         gm_context *subject, const hopfield_probes *b,
                                         gm_case_result *result) {
    gm_status status = gm_case_compare_bits(reference, &a->states, subject, &b->states, result);
    status = status == GM_STATUS_OK
                 ? gm_case_compare_bits(reference, &a->overlap, subject, &b->overlap, result)
                 : status;
    return status == GM_STATUS_OK
               ? gm_case_compare_bits(reference, &a->sweeps, subject, &b->sweeps, result)
               : status;
}

#endif
