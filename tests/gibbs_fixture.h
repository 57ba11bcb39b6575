/* Gibbs chains on one subject from host arrays, with guard words around every output. */
#ifndef GENMATH_TESTS_GIBBS_FIXTURE_H
#define GENMATH_TESTS_GIBBS_FIXTURE_H

#include "tests/mcmc_fixture.h"

#include <genmath/gibbs.h>

typedef struct sweeps {
    const gm_gibbs *gibbs;
    gm_gibbs_options options;
    int64_t n, first_sweep;
    const double *state, *params; /* row-major */
    bool shared;                  /* params has one column, read with a stride of 0 */
    bool turned;                  /* a chain's components side by side in every array */
    bool in_place;                /* result.state is input.state */
} sweeps;

typedef struct sweeps_result {
    double *state, *draws, *mean, *variance; /* row-major; floats widened */
    int32_t *status;
} sweeps_result;

/* Runs and fails the test unless the call succeeds. */
static inline sweeps_result run_sweeps(const subject *s, const sweeps *in) {
    gm_context *context = s->context;
    const gm_dtype dtype = in->options.dtype;
    const int64_t dim = in->gibbs->dim, params = in->gibbs->params, n = in->n;
    const int64_t draws = in->options.thin > 0 ? in->options.sweeps / in->options.thin : 0;
    const bool turned = in->turned;
    gm_gibbs_plan *plan;
    ASSERT_OK(context, gm_gibbs_plan_create(context, in->gibbs, &in->options, &plan));
    chain_array start = chain_upload(context, dtype, 2, 1, dim, n, false, turned, in->state);
    chain_array p = chain_upload(context, dtype, 2, 1, params, n, in->shared, turned, in->params);
    chain_array end =
        in->in_place ? start : chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array kept = chain_upload(context, dtype, 3, draws, dim, n, false, turned, NULL);
    chain_array mean = chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array variance = chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array status = chain_upload(context, GM_I32, 1, 1, 1, n, false, false, NULL);
    const gm_gibbs_input input = {&start.tensor, params > 0 ? &p.tensor : NULL};
    const gm_gibbs_result result = {&end.tensor, draws > 0 ? &kept.tensor : NULL, &mean.tensor,
                                    &variance.tensor, &status.tensor};
    ASSERT_OK(context, gm_gibbs_run(plan, in->first_sweep, &input, &result));
    gm_gibbs_plan_destroy(plan);
    if (!in->in_place) {
        free(chain_download(context, &start, 1, dim, n, turned));
    }
    ASSERT_OK(context, gm_memory_free(context, p.memory));
    return (sweeps_result){.state = chain_download(context, &end, 1, dim, n, turned),
                           .draws = chain_download(context, &kept, draws, dim, n, turned),
                           .mean = chain_download(context, &mean, 1, dim, n, turned),
                           .variance = chain_download(context, &variance, 1, dim, n, turned),
                           .status = chain_download(context, &status, 1, 1, n, false)};
}

static inline void free_sweeps(sweeps_result *r) {
    free(r->state);
    free(r->draws);
    free(r->mean);
    free(r->variance);
    free(r->status);
}

#endif
