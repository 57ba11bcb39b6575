/*
 * TAPP, the open C standard for tensor contraction, on genmath's contractions:
 *
 *     D[idx_D] = op_D(alpha * sum over the indices not in idx_D of op_A(A[idx_A]) op_B(B[idx_B])
 *                     + beta * op_C(C[idx_D]))
 *
 * An index is any int64_t. One in A, B and D is a batch, in A and B alone a contraction, in one of
 * them and D free; one in A alone or B alone is summed. An index repeated within a tensor walks its
 * diagonal; in D nothing but that diagonal is written. C has the indices of D, in their order, and
 * strides of its own. Equal indices have equal extents: 1 does not broadcast. An extent of 0 is
 * fine: D without elements is left alone, and a sum over nothing is 0. Strides are in elements and
 * may be negative or 0; those of D must keep its elements apart, which holds for every permuted,
 * sliced or padded array: sorted by size, each stride steps over all that those below it reach.
 *
 * Memory: pointers are to where the handle's backend computes, host memory for ref and cpu, device
 * memory for cuda and emu, where TAPP_C64 is aligned to 16 bytes; a program that keeps its tensors
 * in host memory sets GENMATH_BACKEND=cpu. alpha and beta are always in host memory and have the
 * type of D. D overlaps neither A nor B, from its lowest address to its highest, and C only where C
 * is D: the same pointer and the same strides ("in place").
 *
 * Types: all six for each tensor. The sum is computed in the widest of what the types of A, B and D
 * and the precision ask for: f64 if one of them is, else f32; complex if one tensor is. f16 alone
 * and bf16 alone are multiplied as they are, exactly, with f32 sums. A tensor of another type is
 * converted by a copy. Such copies need a host backend, but for f16 and bf16 to f32. Results are
 * deterministic, to the bit.
 *
 * A precision is the least the caller accepts. DEFAULT_PREC and those of f16, bf16, f32 and up to
 * 7 digits ask for f32 sums, those of f64 and up to 16 digits for f64. With 3 digits f32 may be
 * multiplied as TF32 on a GPU.
 *
 * TAPP_CONJUGATE costs one more pass over a tensor and for A, B and C a copy of it; of the two ways
 * to place the conjugations (conj(x) conj(y) = conj(x y)) the one with less to copy is taken. On
 * real tensors it costs nothing.
 *
 * TAPP_ERR_NOT_IMPLEMENTED: more than 32 indices with an extent other than 1 (31 where D is
 * conjugated), 34 digits, a complex A, B or C with a real D, a conversion on a device backend.
 *
 * Handles of objects are checked: one that is wrong, or whose object is destroyed, gives an error.
 * All functions may be called from any thread; an object must not be changed or destroyed while
 * another thread uses it. Products of one TAPP_handle take turns, each using all threads of the
 * machine; for products side by side make one handle each.
 */
#ifndef TAPP_H
#define TAPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is never a handle. */
typedef intptr_t TAPP_handle;
typedef intptr_t TAPP_executor;
typedef intptr_t TAPP_status;
typedef intptr_t TAPP_attr;
typedef intptr_t TAPP_tensor_info;
typedef intptr_t TAPP_tensor_product;

typedef int TAPP_key;
typedef int TAPP_datatype;
typedef int TAPP_prectype;
typedef int TAPP_element_op;
typedef int TAPP_completion;

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct TAPP_error {
    int type; /* whose code it is */
    int code;
} TAPP_error;

#define TAPP_ERROR_TYPE_TAPP 0
#define TAPP_ERROR_TYPE_CUDA 1
#define TAPP_ERROR_TYPE_CUTENSOR 2
#define TAPP_ERROR_TYPE_CUBLAS 3
#define TAPP_ERROR_TYPE_TBLIS 4
/* genmath's own: code is a gm_status. A null pointer and a wrong handle are INVALID_ARGUMENT. */
#define TAPP_ERROR_TYPE_GENMATH 0x1000

#ifdef __cplusplus
#define TAPP_SUCCESS (TAPP_error{0, 0})
#else
#define TAPP_SUCCESS ((TAPP_error){0, 0})
#endif

#define TAPP_ERR_SUCCESS 0
#define TAPP_ERR_EXTENTS_AB 1        /* an index has one extent in A and another in B */
#define TAPP_ERR_EXTENTS_AD 2        /* ... in A and in D */
#define TAPP_ERR_EXTENTS_BD 3        /* ... in B and in D */
#define TAPP_ERR_D_UNSHARED_IDX 4    /* an index of D is in neither A nor B */
#define TAPP_ERR_CD_NDIM 5           /* C has more or fewer modes than D */
#define TAPP_ERR_CD_IDX 6            /* idx_C is not idx_D */
#define TAPP_ERR_EXTENTS_CD 7        /* the extents of C are not those of D */
#define TAPP_ERR_D_ALIASING 8        /* two elements of D share memory */
#define TAPP_ERR_A_IDX_EXTENTS 9     /* an index that is repeated in A has two extents */
#define TAPP_ERR_B_IDX_EXTENTS 10    /* ... in B */
#define TAPP_ERR_D_IDX_EXTENTS 11    /* ... in D */
#define TAPP_ERR_C_NULL_BETA 12      /* C is NULL and beta is not 0 */
#define TAPP_ERR_NMODE_NEGATIVE 13   /* a negative number of modes */
#define TAPP_ERR_EXTENTS_NEGATIVE 14 /* a negative extent */
#define TAPP_ERR_INVALID_KEY 15      /* a negative key, or one without a value */
#define TAPP_ERR_NO_EXECUTOR 16      /* the executor is none */
#define TAPP_ERR_NOT_IMPLEMENTED 17  /* see above */

bool TAPP_check_success(TAPP_error error);

/*
 * What an error means. For the last failure of this thread the text says which argument and why.
 *
 *     maxlen   [in]   bytes of message, the null at the end included; the text is cut to fit
 *     message  [out]  NULL is fine with maxlen 0
 *
 * Returns the characters written, without the null; with maxlen 0 writes nothing and returns the
 * length of the whole text.
 */
size_t TAPP_explain_error(TAPP_error error, size_t maxlen, char *message);

/* ---- types and precisions -------------------------------------------------------------------- */

#define TAPP_F32 0
#define TAPP_F64 1
#define TAPP_C32 2 /* complex of two f32 */
#define TAPP_C64 3 /* complex of two f64 */
#define TAPP_F16 4
#define TAPP_BF16 5
#define TAPP_FLOAT TAPP_F32
#define TAPP_DOUBLE TAPP_F64
#define TAPP_SCOMPLEX TAPP_C32
#define TAPP_DCOMPLEX TAPP_C64

#define TAPP_DEFAULT_PREC (-1)
#define TAPP_F32F32_ACCUM_F32 TAPP_F32
#define TAPP_F64F64_ACCUM_F64 TAPP_F64
#define TAPP_F16F16_ACCUM_F16 TAPP_F16
#define TAPP_F16F16_ACCUM_F32 5
#define TAPP_BF16BF16_ACCUM_F32 6
/* At least n decimal digits, of real numbers and of complex ones; taken alike. */
#define TAPP_F_3_DIGITS 1003
#define TAPP_F_4_DIGITS 1004
#define TAPP_F_5_DIGITS 1005
#define TAPP_F_6_DIGITS 1006
#define TAPP_F_7_DIGITS 1007
#define TAPP_F_8_DIGITS 1008
#define TAPP_F_9_DIGITS 1009
#define TAPP_F_10_DIGITS 1010
#define TAPP_F_11_DIGITS 1011
#define TAPP_F_12_DIGITS 1012
#define TAPP_F_13_DIGITS 1013
#define TAPP_F_14_DIGITS 1014
#define TAPP_F_15_DIGITS 1015
#define TAPP_F_16_DIGITS 1016
#define TAPP_F_34_DIGITS 1034
#define TAPP_C_3_DIGITS 2003
#define TAPP_C_4_DIGITS 2004
#define TAPP_C_5_DIGITS 2005
#define TAPP_C_6_DIGITS 2006
#define TAPP_C_7_DIGITS 2007
#define TAPP_C_8_DIGITS 2008
#define TAPP_C_9_DIGITS 2009
#define TAPP_C_10_DIGITS 2010
#define TAPP_C_11_DIGITS 2011
#define TAPP_C_12_DIGITS 2012
#define TAPP_C_13_DIGITS 2013
#define TAPP_C_14_DIGITS 2014
#define TAPP_C_15_DIGITS 2015
#define TAPP_C_16_DIGITS 2016
#define TAPP_C_34_DIGITS 2034

#define TAPP_IDENTITY 0
#define TAPP_CONJUGATE 1

/* ---- handles --------------------------------------------------------------------------------- */

/*
 * Opens genmath: the backend that GENMATH_BACKEND (ref, cpu, cuda, emu) names, else cuda where a
 * device is usable, else cpu. lib_id is not looked at. Products keep what they need of a handle
 * that is destroyed before them.
 */
TAPP_error TAPP_create_handle(uint64_t lib_id, TAPP_handle *handle);
TAPP_error TAPP_destroy_handle(TAPP_handle handle);

/* ---- executors and statuses ------------------------------------------------------------------ */

#define TAPP_INCOMPLETE 0
#define TAPP_COMPLETE 1
#define TAPP_FAILED 2

/* What executes products. The host backends are done when a call returns; on a device backend calls
 * return at once, and TAPP_executor_wait waits for all that went through the executor. */
TAPP_error TAPP_create_executor(TAPP_executor *executor);
TAPP_error TAPP_destroy_executor(TAPP_executor executor);
TAPP_error TAPP_executor_wait(TAPP_executor executor);

/* The status of all that went through the executor so far. Destroy it. */
TAPP_error TAPP_executor_get_status(TAPP_executor executor, TAPP_status *status);

/*
 * Whether the work is done; on a device backend by waiting for it, so that the answer is COMPLETE
 * or FAILED.
 *
 *     completion  [out]  NULL: not wanted
 *     error       [out]  of the work; success unless it FAILED. NULL: not wanted
 */
TAPP_error TAPP_status_check_completion(TAPP_status status, TAPP_completion *completion,
                                        TAPP_error *error);
/* The error of the work as far as it is known, without waiting. */
TAPP_error TAPP_status_get_error(TAPP_status status);
TAPP_error TAPP_destroy_status(TAPP_status status);

/* ---- attributes ------------------------------------------------------------------------------ */

/* Values by key, for the caller's use: genmath looks at none. Keys are from 0; a value is copied,
 * and what TAPP_get_attr points to lives until the key is set or cleared. */
TAPP_error TAPP_create_attr(TAPP_attr *attr);
TAPP_error TAPP_destroy_attr(TAPP_attr *attr); /* *attr becomes 0 */
TAPP_error TAPP_set_attr(TAPP_attr attr, TAPP_key key, size_t size, void *value);
TAPP_error TAPP_get_attr(TAPP_attr attr, TAPP_key key, size_t *size, void **value);
TAPP_error TAPP_clear_attr(TAPP_attr attr, TAPP_key key);

/* ---- the shape of a tensor ------------------------------------------------------------------- */

/*
 *     nmode    [in]   0: a scalar
 *     extents  [in]   nmode of them, each >= 0; copied. NULL is fine with nmode 0
 *     strides  [in]   in elements; the same
 */
TAPP_error TAPP_create_tensor_info(TAPP_tensor_info *info, TAPP_handle handle, TAPP_datatype type,
                                   int nmode, const int64_t *extents, const int64_t *strides);
TAPP_error TAPP_destroy_tensor_info(TAPP_tensor_info info);

/* Of a wrong handle nothing is read: -1, and the arrays stay as they are. A change does not touch
 * the products that were made before. Modes that TAPP_set_nmodes adds have extent 1, stride 0. */
int TAPP_get_nmodes(TAPP_tensor_info info);
TAPP_error TAPP_set_nmodes(TAPP_tensor_info info, int nmode);
void TAPP_get_extents(TAPP_tensor_info info, int64_t *extents);
TAPP_error TAPP_set_extents(TAPP_tensor_info info, const int64_t *extents);
void TAPP_get_strides(TAPP_tensor_info info, int64_t *strides);
TAPP_error TAPP_set_strides(TAPP_tensor_info info, const int64_t *strides);

/* ---- products -------------------------------------------------------------------------------- */

/*
 * Checks the tensors against each other, chooses the kernels, allocates the workspace.
 *
 *     op_*       [in]  TAPP_IDENTITY or TAPP_CONJUGATE
 *     A, B, D    [in]  not looked at after the call
 *     C          [in]  0: none, or as D
 *     idx_*      [in]  the indices of the modes; NULL is fine without modes. Copied
 *     precision  [in]  see above
 */
TAPP_error
TAPP_create_tensor_product(TAPP_tensor_product *product, TAPP_handle handle, TAPP_element_op op_A,
                           TAPP_tensor_info A, const int64_t *idx_A, TAPP_element_op op_B,
                           TAPP_tensor_info B, const int64_t *idx_B, TAPP_element_op op_C,
                           TAPP_tensor_info C, const int64_t *idx_C, TAPP_element_op op_D,
                           TAPP_tensor_info D, const int64_t *idx_D, TAPP_prectype precision);
TAPP_error TAPP_destroy_tensor_product(TAPP_tensor_product product);

#define TAPP_IN_PLACE NULL

/*
 * Runs a product; allocates nothing but the status.
 *
 *     status       [out]  NULL: none wanted; else to be destroyed, 0 on failure
 *     alpha, beta  [in]   of the type of D. NULL for beta is 0
 *     C            [in]   NULL where beta is 0: C is then not read. May be D
 */
TAPP_error TAPP_execute_product(TAPP_tensor_product product, TAPP_executor executor,
                                TAPP_status *status, const void *alpha, const void *A,
                                const void *B, const void *beta, const void *C, void *D);

/*
 * The same for num_batches (>= 0) sets of tensors. Where the pointers of each kind are equally
 * spaced, and the D as a whole lie apart from the A and from the B, it is one contraction with one
 * index more; its plan is made at the first such call and kept in the product, for the last four
 * spacings. Else the batches run one after the other.
 *
 *     A, B, C, D   [in]   arrays of num_batches pointers, in host memory; C NULL where beta is 0
 */
TAPP_error TAPP_execute_batched_product(TAPP_tensor_product product, TAPP_executor executor,
                                        TAPP_status *status, int num_batches, const void *alpha,
                                        const void **A, const void **B, const void *beta,
                                        const void **C, void **D);

#ifdef __cplusplus
}
#endif
#endif
