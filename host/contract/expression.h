/* An einsum expression, parsed and set against the shapes of its operands. */
#ifndef GENMATH_HOST_CONTRACT_EXPRESSION_H
#define GENMATH_HOST_CONTRACT_EXPRESSION_H

#include <stdbool.h>

#include <genmath/contract.h>

typedef uint32_t gm_labels; /* a set of labels: bit l is label l */

typedef struct gm_expression {
    int32_t operands, labels;
    char letter[GM_MAX_LABELS]; /* a dimension of "..." gets a letter that is not used otherwise */
    int64_t extent[GM_MAX_LABELS]; /* after broadcasting */
    int32_t dims[GM_MAX_OPERANDS];
    int8_t axis[GM_MAX_OPERANDS][GM_MAX_DIMS]; /* the label of each dimension */
    int32_t outputs;
    int8_t output[GM_MAX_DIMS];
    /* The labels along which an operand is larger than 1, so that its values depend on them, and
     * those of them in the output. */
    gm_labels used[GM_MAX_OPERANDS], result;
    bool empty_output, empty_sum; /* no elements at all; sums over no elements */
} gm_expression;

/*
 * Parses `text` for operands of these shapes and checks the shape of the output, if that is not
 * NULL.
 * Errors: INVALID_ARGUMENT (the text, with the position), SHAPE_MISMATCH.
 */
gm_status gm_expression_parse(gm_context *context, const char *text, int32_t count,
                              const gm_tensor *inputs, const gm_tensor *output,
                              gm_expression *expression);

/* The strides of an operand along each label: a repeated label walks the diagonal, and a size of 1
 * stands still. */
void gm_expression_strides(const gm_expression *expression, int32_t operand,
                           const gm_tensor *tensor, int64_t stride[GM_MAX_LABELS]);

/* The product of the extents of a set of labels. */
double gm_expression_size(const gm_expression *expression, gm_labels labels);

#endif
