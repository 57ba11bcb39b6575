/* From a factor graph as the user gives it to the problem that backends run. */
#ifndef GENMATH_HOST_FACTOR_GRAPH_MODEL_H
#define GENMATH_HOST_FACTOR_GRAPH_MODEL_H

#include "host/factor_graph_args.h"
#include "host/internal.h"

enum { GM_FACTOR_MOST_MEMBERS = 16 };

/* Everything but the order. */
gm_status gm_factor_check(gm_context *context, const gm_factor_graph_model *model);

/* The number of entries of a factor's table; steps: (its members) of the index with each label. */
int64_t gm_factor_entries(const gm_factor_graph_model *model, int64_t factor, int32_t *steps);

/* Checks and plans a model. problem->memory is to be freed, NULL on failure. */
gm_status gm_factor_plan(gm_context *context, const gm_factor_graph_model *model,
                         gm_factor_problem *problem, gm_factor_graph_info *info);

#endif
