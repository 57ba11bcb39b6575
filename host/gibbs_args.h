/* What gm_gibbs_run hands to a backend, checked. */
#ifndef GENMATH_HOST_GIBBS_ARGS_H
#define GENMATH_HOST_GIBBS_ARGS_H

#include <genmath/gibbs.h>

typedef struct gm_gibbs_problem {
    const gm_gibbs *gibbs;
    gm_dtype dtype;
    gm_gibbs_order order;
    int64_t sweeps, thin;
    uint64_t seed, first_index;
} gm_gibbs_problem;

/* NULL for what is not wanted, and for params where there are none. Strides in elements: of the
 * component, then of the chain; draws has the draw's first. */
typedef struct gm_gibbs_arrays {
    int64_t n, first_sweep;
    const void *start, *params;
    void *end, *draws, *mean, *variance;
    int32_t *status;
    int64_t start_stride[2], params_stride[2];
    int64_t end_stride[2], draws_stride[3], mean_stride[2], variance_stride[2], status_stride[1];
} gm_gibbs_arrays;

#endif
