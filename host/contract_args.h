/*
 * What the API layer hands a backend for a contraction: one step of a plan, two operands (or one)
 * with every label reduced to a mode, an extent with one stride in each tensor.
 *
 *     d[b, m, n] = epilogue(alpha * sum_k a[b, m, k] b[b, k, n] + beta * c[b, m, n])
 */
#ifndef GENMATH_HOST_CONTRACT_ARGS_H
#define GENMATH_HOST_CONTRACT_ARGS_H

#include <genmath/contract.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Strides are in elements, 0 in a tensor that lacks the mode or broadcasts it; extents are >= 2. c
 * is that of d while a kernel is chosen, and may be any stride (in an m or batch or n mode) when it
 * runs: with other strides than d's, contract_choose is asked again by the kernel's name, and a
 * kernel that cannot take them says UNSUPPORTED.
 */
typedef struct gm_mode {
    int64_t extent;
    int64_t a, b, c, d;
    int64_t bias;  /* stride in the epilogue's bias */
    int64_t index; /* stride in the output's row-major numbering, which counts the samples */
} gm_mode;

/*
 * Modes of a kind follow one another in `modes`: batch, then m, n, k. Within a kind the innermost
 * (the fastest in d; for k, in a) comes last. Modes that can be walked as one have been fused. A
 * mode of a step with one operand is m (in the output) or k (summed over); b is then NULL. Batch
 * modes are in d and in both operands, m in a and d, n in b and d, k in operands alone (summed; in
 * one operand alone too: the other's stride is 0).
 *
 * The operand with the free label that d walks fastest is b: where d has a contiguous free mode it
 * is the last n mode, and a step with free modes in one operand alone (a matrix times a vector) has
 * n modes and no m modes. Partial products are contiguous, laid out for the step that reads them:
 * (batch, m, k) as its a, (batch, k, n) as its b.
 */
typedef struct gm_contraction {
    gm_dtype input;  /* of a and b */
    gm_dtype output; /* of c and d */
    gm_contract_math math;
    int32_t operands;            /* 1 or 2 */
    int32_t batches, ms, ns, ks; /* modes of each kind */
    gm_mode modes[GM_MAX_LABELS];
    int64_t batch, m, n; /* products of the extents; 1 without modes */
    int64_t k;           /* 0, with ks = 0: the sum is empty, a and b are NULL and not read */
    gm_activation activation;
    int32_t has_bias, sample;
    gm_dtype bias_dtype; /* that of the output */
    uint64_t seed, first;
} gm_contraction;

typedef struct gm_contract_arrays {
    const void *a, *b; /* element 0 of each mode: negative strides walk down from it */
    const void *c;     /* NULL with beta = 0; may be d, with the same strides */
    const void *bias;
    void *d;
    void *workspace;         /* as many bytes as the choice said, 64-byte aligned */
    gm_contract_scale scale; /* of an i32 output whole numbers of 32 bits; their products wrap */
} gm_contract_arrays;

/* The kernel that a backend chose for a contraction. */
typedef struct gm_contract_choice {
    int32_t row;        /* of the backend's table */
    const char *kernel; /* its name */
    int64_t workspace;  /* bytes */
} gm_contract_choice;

/*
 * A whole expression, for a backend that has contract_direct in place of kernels for steps. Label l
 * of `outputs` is label l of the array, those summed over follow.
 */
typedef struct gm_contract_direct {
    gm_dtype input, output;
    gm_contract_math math;
    int32_t operands, outputs, sums;
    int64_t extent[GM_MAX_LABELS]; /* >= 1 in the output; a sum over an extent of 0 is empty */
    int64_t stride[GM_MAX_OPERANDS][GM_MAX_LABELS];
    int64_t c_stride[GM_MAX_LABELS], d_stride[GM_MAX_LABELS], bias_stride[GM_MAX_LABELS];
    gm_activation activation;
    int32_t sample;
    uint64_t seed, first; /* output labels in the order of the output's dimensions number it */
    const void *inputs[GM_MAX_OPERANDS];
    const void *c, *bias; /* NULL with beta = 0; NULL without a bias */
    void *d;
    gm_contract_scale scale;
} gm_contract_direct;

#ifdef __cplusplus
}
#endif
#endif
