/* What gm_sde_solve hands to a backend, checked. */
#ifndef GENMATH_HOST_SDE_ARGS_H
#define GENMATH_HOST_SDE_ARGS_H

#include <genmath/sde.h>

#include "host/ensemble_args.h"

typedef struct gm_sde_problem {
    const gm_sde *sde;
    gm_dtype dtype;
    double t0, t1;
    int64_t steps;
    uint64_t seed, first_index;
    int64_t save_every; /* 0: never */
} gm_sde_problem;

#endif
