/*
 * What the API layer hands a backend for a group of contractions: kinds, which are contractions
 * without addresses, and the problems of each kind, one kind after the other.
 */
#ifndef GENMATH_HOST_CONTRACT_GROUP_ARGS_H
#define GENMATH_HOST_CONTRACT_GROUP_ARGS_H

#include "host/contract_args.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Problems of one layout; every one has output elements. A problem is cut into `blocks`, those of
 * all problems of the kind are numbered one after the other, and `run` of them make a unit of work.
 */
typedef struct gm_group_kind {
    gm_contraction contraction;
    int64_t first, count; /* of its problems */
    /* contract_group_choose sets these: */
    int64_t blocks, run, first_unit;
    const char *kernel;
    int32_t row;
    int32_t threads; /* that the blocks were made for; the cpu's */
} gm_group_kind;

typedef struct gm_group_problem {
    gm_contract_arrays arrays; /* `workspace` is not used */
    uint64_t first;            /* in place of the contraction's */
} gm_group_problem;

typedef struct gm_group_args {
    int64_t kinds, problems;
    gm_group_kind *kind; /* those with the most products in a problem come first */
    gm_group_problem *problem;
    const int32_t *kind_of; /* of each problem, in the order in which the user has them; within a
                               kind that is also the order of `problem` */
    void *workspace, *staging;
    /* contract_group_choose sets these: */
    void *state; /* the backend's own, from malloc, or NULL; the plan frees it */
    int64_t units;
    int64_t workspace_bytes;
    int64_t staging_bytes; /* of host memory, to make what goes into the workspace */
    /* contract_group_bind sets it, for contract_group_run: */
    int32_t variant;
} gm_group_args;

/* Units of a kind. */
static inline int64_t gm_group_units(const gm_group_kind *kind) {
    return (kind->count * kind->blocks + kind->run - 1) / kind->run;
}

#ifdef __cplusplus
}
#endif
#endif
