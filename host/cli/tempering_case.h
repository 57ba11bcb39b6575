/* Ladders of an Ising glass that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_TEMPERING_CASE_H
#define GENMATH_HOST_CLI_TEMPERING_CASE_H

#include <genmath/tempering.h>

#include "host/cli/bits_case.h"
#include "host/cli/ising_case.h"

/* Ladders in a context: the chains of ising_case.h, their places and counts. */
typedef struct case_ladders {
    int64_t ladders, levels;
    ising_chains chains;
    gm_tempering_plan *plan;
    gm_tensor level, label, sums, swaps, scratch;
    gm_workspace workspace;
} case_ladders;

static inline void case_ladders_close(gm_context *context, case_ladders *l) {
    gm_tempering_plan_destroy(l->plan);
    ising_chains_close(context, &l->chains);
    gm_case_free(context, &l->level);
    gm_case_free(context, &l->label);
    gm_case_free(context, &l->sums);
    gm_case_free(context, &l->swaps);
    gm_case_free(context, &l->scratch);
}

static inline gm_status case_ladders_run(case_ladders *l, int64_t first_swap, int64_t swaps,
                                         int64_t sweeps) {
    const gm_tempering_swaps run = {
        .seed = 31, .first_swap = (uint64_t)first_swap, .swaps = swaps, .sweeps = sweeps};
    const gm_tempering_state state = {&l->chains.spins, &l->level, &l->label};
    const gm_tempering_result result = {.sums = &l->sums, .swaps = &l->swaps};
    return gm_tempering_run(l->plan, &run, &state, &result, &l->workspace);
}

static inline gm_status case_ladders_place(gm_context *context, case_ladders *l) {
    const int64_t shape[2] = {l->ladders, l->levels}, n = l->ladders * l->levels;
    int32_t *place = calloc((size_t)n + 1, sizeof *place);
    if (place == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = gm_case_upload(context, place, GM_I32, 2, shape, &l->label);
    for (int64_t i = 0; i < n; ++i) {
        place[i] = (int32_t)(i % l->levels);
    }
    status = status == GM_STATUS_OK ? gm_case_upload(context, place, GM_I32, 2, shape, &l->level)
                                    : status;
    free(place);
    return status;
}

/* A ladder of `levels` betas from 0.3 to 1.2, for each of `ladders`. */
static inline gm_status case_ladders_open(gm_context *context, const gm_ising_model *model,
                                          int64_t ladders, int64_t levels, case_ladders *l) {
    double beta[64];
    const int64_t sums[4] = {ladders, levels, GM_ISING_SUMS, 2};
    const int64_t swaps[3] = {ladders, levels - 1, GM_TEMPERING_COUNTS};
    l->ladders = ladders;
    l->levels = levels;
    CASE_TRY(gm_ladder_geometric(levels, 0.3, 1.2, beta));
    CASE_TRY(ising_chains_open(context, model, ladders * levels, &l->chains));
    const gm_tempering tempering = {.ising = l->chains.plan, .temperatures = levels, .beta = beta};
    CASE_TRY(gm_tempering_plan_create(context, &tempering, &l->plan));
    CASE_TRY(case_ladders_place(context, l));
    CASE_TRY(gm_case_alloc(context, GM_U64, 4, sums, &l->sums));
    CASE_TRY(gm_case_alloc(context, GM_I64, 3, swaps, &l->swaps));
    CASE_TRY(case_ladders_run(l, 0, 0, 1)); /* only asks */
    const int64_t bytes = (int64_t)l->workspace.bytes;
    CASE_TRY(gm_case_alloc(context, GM_U8, 1, &bytes, &l->scratch));
    l->workspace.data = l->scratch.data;
    return GM_STATUS_OK;
}

static inline gm_status case_ladders_compare(gm_context *reference, const case_ladders *a,
                                             gm_context *subject, const case_ladders *b,
                                             gm_case_result *result) {
    CASE_TRY(gm_case_compare_bits(reference, &a->chains.spins, subject, &b->chains.spins, result));
    CASE_TRY(gm_case_compare_bits(reference, &a->level, subject, &b->level, result));
    CASE_TRY(gm_case_compare_bits(reference, &a->label, subject, &b->label, result));
    CASE_TRY(gm_case_compare_bits(reference, &a->sums, subject, &b->sums, result));
    return gm_case_compare_bits(reference, &a->swaps, subject, &b->swaps, result);
}

#endif
