/* A group of matrix products in one buffer an operand, for cases and benchmarks. */
#ifndef GENMATH_HOST_CLI_GROUP_CASE_H
#define GENMATH_HOST_CLI_GROUP_CASE_H

#include <stdbool.h>

#include <genmath/contract_group.h>

#include "host/cli/cases.h"

/* Problem p is rows x sum times sum x columns. */
typedef struct gm_group_sizes {
    int64_t rows, sum, columns;
} gm_group_sizes;

typedef struct gm_group_case {
    int64_t problems;
    gm_tensor a, b, d;       /* the buffers, one-dimensional, in the context's memory */
    gm_tensor *inputs;       /* 2 problems: views with data */
    gm_tensor *outputs;      /* problems */
    const void **input_data; /* 2 problems */
    void **output_data;      /* problems */
    gm_contract_group_plan *plan;
    void *workspace;
} gm_group_case;

/*
 * Makes the operands, random in [-2, 2) or their magnitudes, the plan, and binds it. gm_group_drop
 * frees what there is, after a failure too.
 */
gm_status gm_group_make(gm_context *context, gm_dtype input, gm_dtype output,
                        const gm_contract_group_options *options, int64_t problems,
                        gm_group_sizes (*sizes)(int64_t problem), bool magnitudes,
                        gm_group_case *out);
void gm_group_drop(gm_context *context, gm_group_case *group);

#endif
