/*
 * Groups of Einstein summations: one expression of two operands, any number of problems, each with
 * its own sizes, in one launch:
 *
 *     D_p[out] = epilogue(alpha_p * sum over the labels not in `out` of A_p[labels] B_p[labels]
 *                         + beta_p * C_p[out])                          p = 0 .. problems - 1
 *
 * Products of experts with uneven numbers of tokens, thousands of small nets of several widths,
 * batches of graphs. Expressions, types, arithmetic and epilogue are those of contract.h; sizes may
 * be 0 for some of the problems.
 *
 * Four calls, so that what runs again and again costs nothing but the launch:
 *
 *     plan     once for given layouts: host memory alone
 *     bind     whenever an address, alpha, beta or `first` changes: checks, and one copy to the
 *              device
 *     execute  any number of times: no copy, no allocation, no wait
 *     destroy
 *
 * Results are deterministic: a problem's bits depend on its own layout and numbers, not on the
 * problems beside it, their order or their number.
 */
#ifndef GENMATH_CONTRACT_GROUP_H
#define GENMATH_CONTRACT_GROUP_H

#include <genmath/contract.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a plan is made for. Problems of the same shapes and strides share a layout; so do layouts
 * that are given twice. Data pointers of the tensors are not looked at.
 */
typedef struct gm_contract_group {
    int32_t operands;         /* of a problem: 2 */
    int64_t problems;         /* 0 .. 2^31 - 1 */
    int64_t layouts;          /* 0 .. 2^31 - 1 */
    const int64_t *layout_of; /* of each problem, 0 .. layouts - 1; NULL: problem p has layout p */
    const gm_tensor *inputs;  /* operand i of layout l is inputs[operands * l + i] */
    const gm_tensor *outputs; /* of each layout; no two elements share memory */
    const gm_tensor *addends; /* C of each layout: the output's dtype and shape, any strides; NULL:
                                 beta is 0 throughout */
    const gm_tensor *biases;  /* of each layout: the output's dtype and, but for sizes of 1, its
                                 shape; NULL: none */
} gm_contract_group;

/* Zero is the default of every field. activation, sample and seed as in gm_contract_epilogue. */
typedef struct gm_contract_group_options {
    gm_contract_math math;
    const char *kernel; /* of every problem, a gm_contract_kernel_name; NULL: chosen for each */
    gm_activation activation;
    int32_t sample;
    uint64_t seed;
} gm_contract_group_options;

/* The addresses, in host memory: element 0 of each tensor in the memory of the backend. */
typedef struct gm_contract_group_arrays {
    const void *const *inputs;       /* operand i of problem p is inputs[operands * p + i] */
    void *const *outputs;            /* of each problem */
    const void *const *addends;      /* of each problem, NULL where its beta is 0; NULL: none */
    const void *const *biases;       /* of each problem; NULL as planned */
    const gm_contract_scale *scales; /* NULL: alpha 1, beta 0 throughout */
    int64_t scale_count;             /* 1: the same for all; else one for each problem */
    const uint64_t *first; /* of each problem: what gm_contract_epilogue.first is. NULL: 0, where
                              nothing is sampled */
} gm_contract_group_arrays;

typedef struct gm_contract_group_plan gm_contract_group_plan;

/*
 * Parses and checks the expression against each layout, and chooses kernels.
 *
 *     context     [in]   must outlive the plan
 *     expression  [in]   as for gm_contract_plan_create, with two operands
 *     group       [in]   see above; copied
 *     options     [in]   NULL for the defaults; copied
 *     plan        [out]  NULL on failure
 *
 * Errors: as gm_contract_plan_create, the message naming the layout; UNSUPPORTED where operands is
 * not 2: of more, contract pairs in groups of their own.
 *
 * Cost: some 3 KB of host memory and some microseconds for each different layout, 200 bytes for
 * each problem.
 */
gm_status gm_contract_group_plan_create(gm_context *context, const char *expression,
                                        const gm_contract_group *group,
                                        const gm_contract_group_options *options,
                                        gm_contract_group_plan **plan);
void gm_contract_group_plan_destroy(gm_contract_group_plan *plan); /* NULL is fine */

/* Bytes that gm_contract_group_bind needs, from gm_memory_alloc; 0 where it needs none. */
size_t gm_contract_group_workspace(const gm_contract_group_plan *plan);

/* Multiplications and additions of all problems. */
double gm_contract_group_operations(const gm_contract_group_plan *plan);

/* The plan as text: a line for each of the first 64 layouts with its sizes, problems and kernel;
 * the workspace and what bind copies. Valid as long as the plan. */
const char *gm_contract_group_explain(const gm_contract_group_plan *plan);

/*
 * Tells the plan where its tensors are.
 *
 * On a GPU it writes the addresses and sizes of all problems into the workspace: one copy from the
 * host on the context's stream, as many bytes as the workspace has, and waits for it; executes
 * enqueued there before see the binding before. On the CPU nothing is copied.
 *
 *     plan             [in,out]
 *     arrays           [in]   see above; copied, the tensors' data is not read. Problems without
 *                             output elements may have NULL anywhere, those of an empty sum NULL
 *                             inputs
 *     workspace        [in]   gm_contract_group_workspace bytes of the backend's memory, 64-byte
 *                             aligned; the plan's until the next bind or its end. NULL if 0
 *     workspace_bytes  [in]
 *
 * The range of bytes of an output overlaps no other tensor of any problem but its own addend, where
 * that is the same view. Inputs and biases may be shared.
 *
 * Errors: INVALID_ARGUMENT (the message names the problem), WORKSPACE_TOO_SMALL, OUT_OF_MEMORY,
 * DEVICE_ERROR; the plan is then not bound. Cost: the ranges are sorted, some 0.3 us a problem.
 */
gm_status gm_contract_group_bind(gm_contract_group_plan *plan,
                                 const gm_contract_group_arrays *arrays, void *workspace,
                                 size_t workspace_bytes);

/*
 * Runs all problems: one parallel region on the CPU, one launch on a GPU, enqueued on the context's
 * stream. Allocates, copies and waits for nothing.
 *
 * Errors: INVALID_ARGUMENT (a plan that is not bound), DEVICE_ERROR. Cost:
 * gm_contract_group_operations.
 */
gm_status gm_contract_group_execute(const gm_contract_group_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
