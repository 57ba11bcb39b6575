/* A plan for a group of contractions, between what makes it and what binds and runs it. */
#ifndef GENMATH_HOST_CONTRACT_GROUP_H
#define GENMATH_HOST_CONTRACT_GROUP_H

#include <genmath/contract_group.h>

#include "host/contract/plan.h"
#include "host/contract_group_args.h"

enum { GM_GROUP_OPERANDS = 2 };

/* The tensors of a problem. */
typedef enum gm_group_role {
    GM_GROUP_A,
    GM_GROUP_B,
    GM_GROUP_C,
    GM_GROUP_BIAS,
    GM_GROUP_D,
    GM_GROUP_ROLES
} gm_group_role;

/* The bytes of a tensor, counted from its element 0; without elements end is 0. */
typedef struct gm_group_extent {
    int64_t low, end;
} gm_group_extent;

/* A layout that differs from all others; problems without output elements have one too. */
typedef struct gm_group_layout {
    gm_group_extent extent[GM_GROUP_ROLES];
    bool addend_like_output; /* the same strides: the two may be one */
    bool swapped;            /* the contraction's a is the second operand */
    int64_t problems;
    int64_t kind;       /* of args.kind; -1: no elements, or no problems */
    gm_tensor *tensors; /* of each role, for a backend that runs expressions whole; else NULL */
} gm_group_layout;

struct gm_contract_group_plan {
    gm_context *context;
    const gm_backend *backend;
    char *text;
    gm_contract_group_options options;
    gm_dtype input, output;
    bool has_addends, has_biases, bound;
    int64_t problems, layouts;
    gm_group_layout *layout;
    int32_t *layout_of; /* of each problem */
    int32_t *slot;      /* of each problem in args.problem; -1: it has no elements */
    int32_t *kind_of;   /* of each problem that has elements */
    gm_group_args args;
    double operations;
    char *explanation;
};

/* "problem 7: " or the like before the message of a failure. */
gm_status gm_group_fail_at(gm_context *context, gm_status status, const char *what, int64_t number);

/* The text of gm_contract_group_explain, to be freed; NULL if out of memory. */
char *gm_group_describe(const gm_contract_group_plan *plan);

#endif
