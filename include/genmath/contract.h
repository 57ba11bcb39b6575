/*
 * Einstein summation over strided tensors: any number of operands, any permutation of the output,
 *
 *     D[out] = epilogue(alpha * sum over the labels not in `out` of prod_i operand_i[labels_i]
 *                       + beta * C[out])
 *
 * Expressions are NumPy's: one letter a dimension, operands separated by commas, "->" and the
 * output's labels ("bij,bjk->bik"). Without "->" the output has the dimensions of "..." and then,
 * in alphabetical order with capitals first, the labels that appear once. A label repeated within
 * an operand takes its diagonal. "..." stands for the dimensions without a label, aligned at the
 * right as in broadcasting; they are in the output or, with "->" and no "..." after it, an error. A
 * size of 1 broadcasts against any size. An operand without labels is a scalar. Letters a-z and
 * A-Z; at most GM_MAX_LABELS of them, those of "..." included. Spaces are ignored.
 *
 * Types: all operands alike. f64 and f32 accumulate in their own type (f32 is true single
 * precision: TF32 is used where it is asked for by name); f16 and bf16 accumulate in f32 and give
 * f16, bf16 or f32; c64 and c128 in their own; i8 gives i32, of two operands at most, and i32 gives
 * i32, both wrapping as two's complement does. Of three and more f16 or bf16 operands the partial
 * products are rounded to their type.
 *
 * Results are deterministic: the same plan on the same backend gives the same bits whatever the
 * number of threads, and an element of a batch does not depend on the batch around it.
 */
#ifndef GENMATH_CONTRACT_H
#define GENMATH_CONTRACT_H

#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_MAX_LABELS 32
#define GM_MAX_OPERANDS 64

typedef enum gm_contract_math {
    GM_CONTRACT_STANDARD,   /* the type's own arithmetic: the default */
    GM_CONTRACT_TF32,       /* f32: products of 11-bit significands on tensor cores, f32 sums */
    GM_CONTRACT_TF32X3,     /* f32: three such products an element, close to single precision */
    GM_CONTRACT_COMPENSATED /* f64, f32: compensated sums, their error independent of the length */
} gm_contract_math;

/*
 * The order in which pairs of operands are contracted. Source of the search by subsets: Pfeifer,
 * Haegeman, Verstraete, Phys. Rev. E 90, 033315 (2014); of the greedy one: Gray and Kourtis,
 * Quantum 5, 410 (2021).
 */
typedef enum gm_contract_order {
    GM_CONTRACT_AUTO,   /* exact up to 10 operands, greedy beyond */
    GM_CONTRACT_EXACT,  /* the fewest operations, by dynamic programming; at most 16 operands */
    GM_CONTRACT_GREEDY, /* greedy with randomised restarts, fixed seed */
    GM_CONTRACT_LEFT_TO_RIGHT /* as written */
} gm_contract_order;

typedef enum gm_activation {
    GM_ACTIVATION_NONE,
    GM_ACTIVATION_RELU,    /* max(x, 0) */
    GM_ACTIVATION_SIGMOID, /* 1 / (1 + exp(-x)) */
    GM_ACTIVATION_TANH,
    GM_ACTIVATION_SILU, /* x sigmoid(x) */
    GM_ACTIVATION_GELU  /* x Phi(x), by the tanh form */
} gm_activation;

/*
 * What happens to an element on its way out, in the pass that computes it; f64, f32, f16, bf16:
 * x = alpha sum + beta C; x += bias; x = activation(x); and, where `sample` is set, x becomes 1
 * with probability x, else 0. That is u < x, u = k 2^-24 in [0, 1) with k the 24 high bits of the
 * word that gm_random_fill_u32 draws for element first + e of (seed, GM_STREAM_CONTRACT), e the
 * row-major index of the element; for an f64 output u = k 2^-52, k the 52 high bits of the words of
 * elements 2 (first + e) and 2 (first + e) + 1. Zero is the default of every field.
 */
typedef struct gm_contract_epilogue {
    /* The output's dtype, ndim and, but for sizes of 1, its shape; NULL: none. The plan keeps the
     * view; its data is read by each execute. */
    const gm_tensor *bias;
    gm_activation activation;
    int32_t sample;
    uint64_t seed, first;
} gm_contract_epilogue;

/* Zero is the default of every field. */
typedef struct gm_contract_options {
    gm_contract_math math;
    gm_contract_order order;
    int64_t memory_limit; /* bytes of the workspace; 0: no limit */
    const char *kernel;   /* of every step, a gm_contract_kernel_name; NULL: chosen */
    const gm_contract_epilogue *epilogue;
} gm_contract_options;

/* The factors of the sum and of C; the imaginary parts are used by complex types only. Those of an
 * i32 output are whole numbers of 32 bits. */
typedef struct gm_contract_scale {
    double alpha, alpha_imaginary, beta, beta_imaginary;
} gm_contract_scale;

typedef struct gm_contract_plan gm_contract_plan;

/*
 * Parses, checks, finds the order and chooses the kernels.
 *
 *     context     [in]   must outlive the plan
 *     expression  [in]   see above; copied
 *     count       [in]   operands, 1 to GM_MAX_OPERANDS
 *     inputs      [in]   dtype, shape and strides of each; data is not looked at. Strides may be 0
 *                        or negative
 *     output      [in]   dtype, shape and strides; no two elements share memory
 *     options     [in]   NULL for the defaults; copied
 *     plan        [out]  NULL on failure
 *
 * Errors: INVALID_ARGUMENT (a null argument, the expression, with the position, an option that does
 * not go with the type), SHAPE_MISMATCH ("label k is 3 in operand 0 and 4 in operand 1"),
 * UNSUPPORTED (the type or the forced kernel), OUT_OF_MEMORY (also: no order fits the memory
 * limit).
 *
 * Cost: the exact order of 10 operands takes under 5 ms; of 16, some tenths of a second.
 */
gm_status gm_contract_plan_create(gm_context *context, const char *expression, int32_t count,
                                  const gm_tensor *inputs, const gm_tensor *output,
                                  const gm_contract_options *options, gm_contract_plan **plan);
void gm_contract_plan_destroy(gm_contract_plan *plan); /* NULL is fine */

/*
 * The output that an expression gives for these inputs: its shape, row-major strides, no data, and
 * the type of the inputs, for i8 i32. Arguments and errors as for gm_contract_plan_create.
 *
 *     output  [out]  untouched on failure
 */
gm_status gm_contract_output(gm_context *context, const char *expression, int32_t count,
                             const gm_tensor *inputs, gm_tensor *output);

/* Bytes that gm_contract_execute needs, from gm_memory_alloc; 0 where it needs none. */
size_t gm_contract_workspace(const gm_contract_plan *plan);

/* Multiplications and additions of all steps, as doubles: they may exceed 2^63. */
double gm_contract_operations(const gm_contract_plan *plan);

/* The plan as text: one line a step with its expression, sizes, operations, bytes and kernel; the
 * workspace. Valid as long as the plan. */
const char *gm_contract_explain(const gm_contract_plan *plan);

/* The kernels of the context's backend, by index from 0: NULL past the last. */
const char *gm_contract_kernel_name(const gm_context *context, int32_t index);

/*
 * Runs a plan. Allocates nothing; on a GPU it enqueues on the context's stream and returns.
 *
 *     scale            [in]   NULL: alpha 1, beta 0. With beta = 0 the addend is not read
 *     inputs           [in]   as planned: the same dtype, shapes and strides
 *     addend           [in]   C: the output's dtype and shape, any strides; NULL where beta is 0.
 *                             May be the output, and else overlaps it nowhere
 *     output           [out]  as planned; overlaps no input, no bias
 *     workspace        [in]   gm_contract_workspace bytes of the backend's memory, 64-byte aligned;
 *                             NULL if 0
 *     workspace_bytes  [in]
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL, DEVICE_ERROR; except after the
 * last, nothing is written. Cost: gm_contract_operations. A sum over no elements is 0; an output
 * without elements succeeds and does nothing.
 */
gm_status gm_contract_execute(const gm_contract_plan *plan, const gm_contract_scale *scale,
                              const gm_tensor *inputs, const gm_tensor *addend,
                              const gm_tensor *output, void *workspace, size_t workspace_bytes);

/*
 * Plan and execute in one call, with the default options. The context keeps the plans of its last
 * 64 expressions and one workspace, and finds a plan again for the same expression, types, shapes
 * and strides: only the first call of each allocates. Calls on several streams share the workspace,
 * so gm_context_set_stream waits for the device and gives it back.
 */
gm_status gm_contract(gm_context *context, const char *expression, int32_t count,
                      const gm_tensor *inputs, const gm_tensor *output);

#ifdef __cplusplus
}
#endif
#endif
