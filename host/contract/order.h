/* The order in which the operands of an expression are contracted, two at a time. */
#ifndef GENMATH_HOST_CONTRACT_ORDER_H
#define GENMATH_HOST_CONTRACT_ORDER_H

#include "host/contract/expression.h"

/* Terms are numbered: the operands, then the results of the steps. */
typedef struct gm_path {
    int32_t steps; /* operands - 1 */
    struct {
        int32_t a, b;
    } step[GM_MAX_OPERANDS];
    bool whole;  /* every pair is one step: labels of one operand alone are not summed before */
    double cost; /* multiply-adds */
    double peak; /* bytes of the partial products that are alive at once, at most */
} gm_path;

/* What a path is to be best in. Ties go to the other measure. */
typedef enum gm_path_goal {
    GM_PATH_COST,        /* the fewest multiply-adds */
    GM_PATH_COST_WITHIN, /* the same, of the paths found whose peak fits the limit */
    GM_PATH_PEAK         /* the least memory */
} gm_path_goal;

/*
 * order is EXACT, GREEDY or LEFT_TO_RIGHT (which has but one path). element is the size of an
 * element of a partial product. Errors: OUT_OF_MEMORY (for the search itself).
 */
gm_status gm_path_find(gm_context *context, const gm_expression *expression,
                       gm_contract_order order, gm_path_goal goal, double limit, size_t element,
                       gm_path *path);

#endif
