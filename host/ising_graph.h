/* From a model as the user gives it to the problem that backends run. */
#ifndef GENMATH_HOST_ISING_GRAPH_H
#define GENMATH_HOST_ISING_GRAPH_H

#include "host/internal.h"
#include "host/ising_args.h"

/* Checks and plans a model. *memory holds the problem's arrays, to be freed, NULL on failure. */
gm_status gm_ising_graph(gm_context *context, const gm_ising_model *model,
                         gm_ising_problem *problem, gm_ising_info *info, void **memory);

#endif
