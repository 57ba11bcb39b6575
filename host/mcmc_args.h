/* What gm_mcmc_run hands to a backend, checked; and the addresses of a chain's noise. */
#ifndef GENMATH_HOST_MCMC_ARGS_H
#define GENMATH_HOST_MCMC_ARGS_H

#include <genmath/mcmc.h>

typedef struct gm_mcmc_problem {
    const gm_density *density;
    gm_dtype dtype;
    gm_mcmc_method method;
    int64_t steps, thin;
    int32_t leapfrogs, jitter;
    double target; /* 0: no adaptation */
    uint64_t seed, first_index;
} gm_mcmc_problem;

/* Constants of the adaptation: what slows its first steps, and what their mean error counts. */
#define GM_ADAPT_OFFSET 10
#define GM_ADAPT_GAIN 20

/* NULL for what is not wanted, and for params, scale and beta where there are none. Strides in
 * elements: of the component, then of the chain; draws has the draw's first. */
typedef struct gm_mcmc_arrays {
    int64_t n, first_step;
    const void *start, *params, *step, *scale, *beta;
    void *end, *draws, *mean, *variance, *end_step, *logp;
    int32_t *accepted, *outside, *status;
    int64_t start_stride[2], params_stride[2], step_stride[1], scale_stride[2], beta_stride[1];
    int64_t end_stride[2], draws_stride[3], mean_stride[2], variance_stride[2];
    int64_t end_step_stride[1], accepted_stride[1], outside_stride[1], status_stride[1],
        logp_stride[1];
} gm_mcmc_arrays;

/* mcmc.c: what a plan is for, and whose it is. */
const gm_mcmc_problem *gm_mcmc_plan_problem(const gm_mcmc_plan *plan, gm_context **context);

#endif
