/* What gm_mcmc_run hands to a backend, checked; and the addresses of a chain's noise. */
#ifndef GENMATH_HOST_MCMC_ARGS_H
#define GENMATH_HOST_MCMC_ARGS_H

#include <genmath/mcmc.h>

#include "host/density_data.h"

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
#define GM_ADAPT_COMPONENT 2 /* of a coordinate's scale */

/* NULL for what is not wanted, and for params, scale, beta and factor where there are none. Strides
 * in elements: of the component, then of the chain; draws has the draw's first. */
typedef struct gm_mcmc_arrays {
    int64_t n, first_step;
    const void *start, *params, *step, *scale, *beta, *factor;
    void *end, *draws, *mean, *variance, *end_step, *end_scale, *logp;
    int32_t *accepted, *outside, *status;
    int64_t start_stride[2], params_stride[2], step_stride[1], scale_stride[2], beta_stride[1];
    int64_t factor_stride[3]; /* row, column, chain */
    int64_t end_stride[2], draws_stride[3], mean_stride[2], variance_stride[2];
    int64_t end_step_stride[1], accepted_stride[1], outside_stride[1], status_stride[1],
        logp_stride[1], end_scale_stride[2];
    gm_density_data data;
} gm_mcmc_arrays;

/* gm_mcmc_mass. NULL: not wanted. Strides in elements: of draw, component, chain; row, column. */
typedef struct gm_mcmc_mass_args {
    gm_dtype dtype;
    int64_t draws, dim, n;
    const void *points;
    void *scale, *factor;
    int64_t points_stride[3], scale_stride[1], factor_stride[2];
} gm_mcmc_mass_args;

/* The shrinkage: weight of the estimate N / (N + count), the rest of it for `towards`. */
#define GM_SHRINK_COUNT 5
#define GM_SHRINK_TOWARDS 1e-3

/* The square roots of the diagonal, and the factor, of a shrunk covariance, of which the lower
 * triangle is given and made the factor; on the host. */
void gm_mcmc_mass_finish(const gm_mcmc_mass_args *args, double (*matrix)[GM_MAX_SYSTEM_DIM]);
/* mcmc.c: what a plan is for, and whose it is. */
const gm_mcmc_problem *gm_mcmc_plan_problem(const gm_mcmc_plan *plan, gm_context **context);

#endif
