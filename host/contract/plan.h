/* A plan, and what its parts share. */
#ifndef GENMATH_HOST_CONTRACT_PLAN_H
#define GENMATH_HOST_CONTRACT_PLAN_H

#include "host/contract/lower.h"
#include "host/internal.h"

struct gm_contract_plan {
    gm_context *context;
    const gm_backend *backend;
    char *text;        /* the expression */
    gm_tensor *inputs; /* as planned, without data */
    gm_tensor output, bias;
    bool has_bias; /* then bias has data */
    gm_expression expression;
    gm_contract_steps steps;
    gm_contract_direct *direct; /* of a backend that runs expressions whole; else NULL */
    int64_t workspace;
    double operations;
    char *explanation;
};

/* The text of gm_contract_explain, to be freed; NULL if out of memory. */
char *gm_contract_describe(const gm_contract_plan *plan);

/* cache.c: the plans that gm_contract keeps in its context. */

/* The plan for a call, made if need be, and the workspace it needs. */
gm_status gm_contract_cache_find(gm_context *context, const char *expression, int32_t count,
                                 const gm_tensor *inputs, const gm_tensor *output,
                                 const gm_contract_plan **plan, void **workspace, size_t *bytes);

/* Frees the workspace: kernels of an earlier stream may still be using it. */
void gm_contract_cache_forget_workspace(struct gm_contract_cache *cache);
void gm_contract_cache_destroy(struct gm_contract_cache *cache); /* NULL is fine */

#endif
