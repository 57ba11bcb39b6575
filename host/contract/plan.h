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

/* Everything that gm_contract_plan_create asks of its arguments but what the expression says. */
gm_status gm_contract_check(gm_context *context, const char *expression, int32_t count,
                            const gm_tensor *inputs, const gm_tensor *output,
                            const gm_contract_options *options);

/* The type and shape of a bias; its data is not looked at. */
gm_status gm_contract_check_bias(gm_context *context, const char *name, const gm_tensor *bias,
                                 const gm_tensor *output);

/* contract.c: alpha and beta of an output of this type. */
gm_status gm_contract_check_scale(gm_context *context, const gm_contract_scale *scale,
                                  gm_dtype output);

/* What an execution may have other than its plan's epilogue. */
typedef struct gm_contract_draw {
    const void *bias; /* its elements, laid out as the plan's; NULL: the plan's own */
    uint64_t seed, first;
} gm_contract_draw;

/* contract.c: gm_contract_execute with the draw's values in place of the epilogue's; NULL: without.
 */
gm_status gm_contract_execute_as(const gm_contract_plan *plan, const gm_contract_draw *draw,
                                 const gm_contract_scale *scale, const gm_tensor *inputs,
                                 const gm_tensor *addend, const gm_tensor *output, void *workspace,
                                 size_t workspace_bytes);

/* Whether beta is not 0: of a real type its imaginary part is not looked at. */
bool gm_contract_adds(const gm_contract_scale *scale, gm_dtype output);

/* An expression at once, for a backend with contract_direct: all but the addend, addresses and
 * scale. epilogue may be NULL. */
void gm_contract_fill_direct(const gm_expression *expression, const gm_tensor *inputs,
                             const gm_tensor *output, gm_contract_math math,
                             const gm_contract_epilogue *epilogue, gm_contract_direct *direct);

/* cache.c: the plans that gm_contract keeps in its context. */

/* The plan for a call, made if need be, and the workspace it needs. */
gm_status gm_contract_cache_find(gm_context *context, const char *expression, int32_t count,
                                 const gm_tensor *inputs, const gm_tensor *output,
                                 const gm_contract_plan **plan, void **workspace, size_t *bytes);

/* Frees the workspace: kernels of an earlier stream may still be using it. */
void gm_contract_cache_forget_workspace(struct gm_contract_cache *cache);
void gm_contract_cache_destroy(struct gm_contract_cache *cache); /* NULL is fine */

/* The type, shape and strides of a tensor, mixed into a hash, and compared. */
uint64_t gm_contract_mix_layout(uint64_t hash, const gm_tensor *tensor);
bool gm_contract_same_layout(const gm_tensor *a, const gm_tensor *b);

#endif
