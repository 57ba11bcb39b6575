/* From an expression and an order to steps that a backend can run. */
#ifndef GENMATH_HOST_CONTRACT_LOWER_H
#define GENMATH_HOST_CONTRACT_LOWER_H

#include "host/contract/order.h"
#include "host/contract_args.h"

/* A step in terms of labels: those of each tensor, and the strides along them (0 for others). */
typedef struct gm_step_view {
    gm_labels a, b, d;
    int64_t a_stride[GM_MAX_LABELS], b_stride[GM_MAX_LABELS];
    int64_t c_stride[GM_MAX_LABELS], d_stride[GM_MAX_LABELS];
    int64_t bias_stride[GM_MAX_LABELS], index_stride[GM_MAX_LABELS];
} gm_step_view;

typedef struct gm_contract_step {
    /* Terms: operand i is i, the result of step s is operands + s. b is -1 with one operand; so is
     * a where the sum is empty. */
    int32_t a, b;
    gm_step_view view;
    gm_contraction contraction;
    gm_contract_choice choice;
    int64_t d_bytes;          /* of a partial product; 0: the output */
    int64_t d_at, scratch_at; /* bytes from the start of the workspace */
    double operations, bytes; /* bytes that it reads and writes at the least */
} gm_contract_step;

typedef struct gm_contract_steps {
    int32_t count, operands;
    gm_contract_step *step;
} gm_contract_steps;

/*
 * Makes the steps of a path; the last one writes the output and has the epilogue. steps->step is to
 * be freed, after an error too. Errors: OUT_OF_MEMORY, INVALID_ARGUMENT (a step of over 2^63 - 1
 * products).
 */
gm_status gm_contract_lower(gm_context *context, const gm_expression *expression,
                            const gm_tensor *inputs, const gm_tensor *output,
                            const gm_contract_options *options, const gm_path *path,
                            gm_contract_steps *steps);

/*
 * The modes of a step: labels of a kind sorted, and those that every tensor walks with one stride
 * fused. Only the fields of modes are set. False where an extent overflows.
 */
bool gm_contract_build(const gm_expression *expression, const gm_step_view *view,
                       gm_contraction *contraction);

/* The strides of a view of the output's dimensions along each label; 0 along its sizes of 1. */
void gm_contract_output_strides(const gm_expression *expression, const gm_tensor *view,
                                int64_t stride[GM_MAX_LABELS]);

/* Places the partial product of each step and its scratch memory, 64-byte aligned, where nothing
 * alive lies; *bytes is the size of the whole. Errors: OUT_OF_MEMORY (over 2^63 - 1 bytes). */
gm_status gm_contract_place(gm_context *context, gm_contract_steps *steps, int64_t *bytes);

#endif
