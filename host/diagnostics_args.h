/* What gm_diagnose hands to a backend, checked. */
#ifndef GENMATH_HOST_DIAGNOSTICS_ARGS_H
#define GENMATH_HOST_DIAGNOSTICS_ARGS_H

#include <genmath/diagnostics.h>

#include "host/layout.h"

typedef struct gm_diagnose_args {
    gm_diagnostic diagnostic;
    gm_dtype dtype; /* of the draws */
    double probability;
    int64_t superchains; /* divides chains where it counts */
    const void *draws;
    double *out;
    int64_t iterations, chains, iteration_stride, chain_stride;
    gm_layout quantities; /* draws, out */
    void *workspace;
} gm_diagnose_args;

#endif
