/* From a model as the user gives it to the problem that backends run. */
#ifndef GENMATH_HOST_MULTISPIN_LATTICE_H
#define GENMATH_HOST_MULTISPIN_LATTICE_H

#include "host/internal.h"
#include "host/multispin_args.h"

/* Checks and plans a model. *masks holds the problem's masks, to be freed, NULL on failure. */
gm_status gm_multispin_lattice_plan(gm_context *context, const gm_multispin_model *model,
                                    gm_multispin_problem *problem, gm_multispin_info *info,
                                    uint32_t **masks);

/* What a plan holds, for the operations beside gm_multispin_run: multispin.c. */
typedef struct gm_multispin_parts {
    gm_context *context;
    const gm_backend *backend;
    const gm_multispin_problem *problem;
    int32_t axes;
    void *state;
} gm_multispin_parts;

gm_multispin_parts gm_multispin_plan_parts(const gm_multispin_plan *plan);

#endif
