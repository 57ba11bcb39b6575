/* Multi-spin coded runs that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_MULTISPIN_CASE_H
#define GENMATH_HOST_CLI_MULTISPIN_CASE_H

#include <stdlib.h>

#include <genmath/multispin.h>
#include <genmath/philox.h>

#include "host/cli/cases.h"

/* Chains of a model in a context. */
typedef struct multispin_chains {
    gm_multispin_plan *plan;
    gm_tensor beta, packed, sums;
    gm_tensor scratch;
    gm_workspace workspace;
} multispin_chains;

static inline void multispin_close(gm_context *context, multispin_chains *c) {
    gm_multispin_plan_destroy(c->plan);
    gm_case_free(context, &c->beta);
    gm_case_free(context, &c->packed);
    gm_case_free(context, &c->sums);
    gm_case_free(context, &c->scratch);
}

/* Random bits, and betas from 0.2 to 0.6. */
static inline gm_status multispin_fill(gm_context *context, int64_t chains, int64_t words,
                                       multispin_chains *c) {
    double *beta = malloc(sizeof *beta * (size_t)chains);
    uint32_t *packed = malloc(sizeof *packed * (size_t)(chains * words));
    if (beta == NULL || packed == NULL) {
        free(beta);
        free(packed);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < chains; ++i) {
        beta[i] = 0.2 + 0.4 * (double)i / (double)chains;
    }
    for (int64_t i = 0; i < chains * words; ++i) {
        packed[i] = gm_philox_block(9, (uint64_t)i, GM_STREAM_USER, 0).w0;
    }
    const int64_t shape[2] = {chains, words};
    gm_status status = gm_case_upload(context, beta, GM_F64, 1, shape, &c->beta);
    if (status == GM_STATUS_OK) {
        status = gm_case_upload(context, packed, GM_U32, 2, shape, &c->packed);
    }
    free(beta);
    free(packed);
    return status;
}

static inline gm_status multispin_open(gm_context *context, const gm_multispin_model *model,
                                       int64_t chains, multispin_chains *c) {
    const int64_t sums[3] = {chains, GM_ISING_SUMS, 2};
    gm_multispin_info info;
    CASE_TRY(gm_multispin_plan_create(context, model, &c->plan));
    CASE_TRY(gm_multispin_plan_info(c->plan, &info));
    CASE_TRY(multispin_fill(context, chains, info.words, c));
    CASE_TRY(gm_case_alloc(context, GM_U64, 3, sums, &c->sums));
    const gm_ising_sweeps none = {0};
    CASE_TRY(gm_multispin_run(c->plan, &none, &c->beta, &c->packed, NULL, &c->workspace));
    const int64_t bytes = (int64_t)c->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &c->scratch));
    c->workspace.data = c->scratch.data;
    return GM_STATUS_OK;
}

/* Chains first .. first + chains - 1 of those, of the noise of these numbers. */
static inline gm_status multispin_run(multispin_chains *c, int64_t first_chain, int64_t first_sweep,
                                      int64_t sweeps) {
    const gm_ising_sweeps run = {.seed = 31,
                                 .first_chain = (uint64_t)first_chain,
                                 .first_sweep = (uint64_t)first_sweep,
                                 .sweeps = sweeps};
    const gm_ising_result result = {.sums = &c->sums};
    return gm_multispin_run(c->plan, &run, &c->beta, &c->packed, &result, &c->workspace);
}

/* The last of b's chains against those of a, which are as many or fewer: the number of words of
 * packed spins and of sums that differ is added to the error. */
static inline gm_status multispin_compare(gm_context *reference, const multispin_chains *a,
                                          gm_context *subject, const multispin_chains *b,
                                          gm_case_result *result) {
    const int64_t chains = a->packed.shape[0], skipped = b->packed.shape[0] - chains;
    const int64_t words = a->packed.shape[1], sums = GM_ISING_SUMS * 2;
    const size_t bytes = (size_t)((chains + skipped) * (words > 2 * sums ? 4 * words : 8 * sums));
    char *x = malloc(bytes), *y = malloc(bytes);
    gm_status status = x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY
                                              : gm_case_download(reference, &a->packed, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, &b->packed, y) : status;
    if (status == GM_STATUS_OK) {
        result->error +=
            (double)gm_case_bit_differences(4, x, y + 4 * skipped * words, chains * words, NULL);
        status = gm_case_download(reference, &a->sums, x);
    }
    status = status == GM_STATUS_OK ? gm_case_download(subject, &b->sums, y) : status;
    if (status == GM_STATUS_OK) {
        result->error +=
            (double)gm_case_bit_differences(8, x, y + 8 * skipped * sums, chains * sums, NULL);
    }
    free(x);
    free(y);
    return status;
}

#endif
