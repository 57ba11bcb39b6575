/*
 * Conformance cases of contractions. The bound is the usual one of a sum of K products, whatever
 * its order, u (K + 3) sum |a| |b|, plus the roundings of partial products and of the result;
 * integers must agree in every bit. The error printed is the largest part of its bound.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/contract.h>

#include "host/cli/cases.h"
#include "host/cli/ensemble_case.h"
#include "host/cli/number_case.h"

enum { MOST_OPERANDS = 5 };

typedef struct contraction_case {
    const char *expression;
    int32_t count, ndims[MOST_OPERANDS];
    int64_t shapes[12];
    double terms; /* products in the longest sum */
} contraction_case;

typedef struct number_type {
    gm_dtype input, output;
    gm_contract_math math;
    double unit, result_unit; /* of the sums, of the result */
} number_type;

static bool is_complex(gm_dtype dtype) {
    return dtype == GM_C64 || dtype == GM_C128;
}

/* An operand, as it is or with its magnitudes alone: for |re| + |im| a complex number has both. */
static gm_status make_operand(gm_context *context, gm_dtype dtype, int32_t ndim,
                              const int64_t *shape, uint64_t seed, bool magnitudes,
                              gm_tensor *tensor) {
    int64_t elements = 1;
    for (int32_t axis = 0; axis < ndim; ++axis) {
        elements *= shape[axis];
    }
    const bool pairs = is_complex(dtype);
    double *host = calloc((size_t)elements + 1, 2 * sizeof *host);
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < elements; ++i) {
        const double real = case_random(&seed, -2, 2), imaginary = case_random(&seed, -2, 2);
        if (!pairs) {
            case_set_number(host, dtype, i, magnitudes ? fabs(real) : real);
        } else {
            case_set_number(host, dtype, 2 * i, magnitudes ? fabs(real) + fabs(imaginary) : real);
            case_set_number(host, dtype, 2 * i + 1, magnitudes ? 0 : imaginary);
        }
    }
    const gm_status status = gm_case_upload(context, host, dtype, ndim, shape, tensor);
    free(host);
    return status;
}

/* Runs a case and brings the result, of *elements, to the host, to be freed. */
static gm_status contract(gm_context *context, const contraction_case *c, const number_type *type,
                          bool magnitudes, void **host, int64_t *elements) {
    gm_tensor inputs[MOST_OPERANDS] = {{0}}, output = {0}, shape;
    gm_contract_plan *plan = NULL;
    void *workspace = NULL;
    gm_status status = GM_STATUS_OK;
    const int64_t *sizes = c->shapes;
    const gm_contract_options options = {.math = magnitudes ? GM_CONTRACT_STANDARD : type->math};
    *host = NULL;
    for (int32_t i = 0; i < c->count && status == GM_STATUS_OK; ++i) {
        status = make_operand(context, type->input, c->ndims[i], sizes, 77 + (uint64_t)i,
                              magnitudes, &inputs[i]);
        sizes += c->ndims[i];
    }
    status = status == GM_STATUS_OK
                 ? gm_contract_output(context, c->expression, c->count, inputs, &shape)
                 : status;
    status = status == GM_STATUS_OK
                 ? gm_case_alloc(context, type->output, shape.ndim, shape.shape, &output)
                 : status;
    status = status == GM_STATUS_OK ? gm_contract_plan_create(context, c->expression, c->count,
                                                              inputs, &output, &options, &plan)
                                    : status;
    const size_t bytes = gm_contract_workspace(plan);
    status = status == GM_STATUS_OK ? gm_memory_alloc(context, bytes, &workspace) : status;
    status = status == GM_STATUS_OK
                 ? gm_contract_execute(plan, NULL, inputs, NULL, &output, workspace, bytes)
                 : status;
    if (status == GM_STATUS_OK) {
        gm_tensor_elements(&output, elements);
        *host = malloc((size_t)*elements * gm_dtype_size(type->output) + 1);
        status =
            *host != NULL ? gm_case_download(context, &output, *host) : GM_STATUS_OUT_OF_MEMORY;
    }
    gm_contract_plan_destroy(plan);
    gm_memory_free(context, workspace);
    gm_case_free(context, &output);
    for (int32_t i = 0; i < c->count; ++i) {
        gm_case_free(context, &inputs[i]);
    }
    return status;
}

static double relative_bound(const contraction_case *c, const number_type *type) {
    const double partial =
        c->count > 2 && type->result_unit > type->unit ? type->result_unit * 1.1 : 0;
    const double products = type->math == GM_CONTRACT_TF32     ? 0x1p-9
                            : type->math == GM_CONTRACT_TF32X3 ? 0x1p-19
                                                               : 0;
    return type->unit * (c->terms + 3) + 2 * type->result_unit + partial + products;
}

static void compare(const contraction_case *c, const number_type *type, const void *expected,
                    const void *got, const void *magnitude, int64_t elements,
                    gm_case_result *result) {
    const double relative = relative_bound(c, type);
    const int parts = is_complex(type->output) ? 2 : 1;
    for (int64_t i = 0; i < elements * parts; ++i) {
        const double scale = case_number(magnitude, type->output, i / parts * parts);
        const double difference =
            fabs(case_number(expected, type->output, i) - case_number(got, type->output, i));
        const double error = difference == 0 ? 0 : difference / (relative * scale);
        if (!(error <= result->error)) {
            result->error = error;
            snprintf(result->detail, sizeof result->detail,
                     "element %lld is %.9g, the reference has %.9g", (long long)(i / parts),
                     case_number(got, type->output, i), case_number(expected, type->output, i));
        }
    }
}

static gm_status run_case(gm_context *reference, gm_context *subject, const contraction_case *c,
                          const number_type *type, gm_case_result *result) {
    void *expected = NULL, *got = NULL, *magnitude = NULL;
    int64_t elements = 0;
    gm_status status = contract(subject, c, type, false, &got, &elements);
    snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
    if (status == GM_STATUS_OK) {
        status = contract(reference, c, type, false, &expected, &elements);
    }
    if (status == GM_STATUS_OK && type->output == GM_I32) {
        result->error = (double)gm_case_bit_differences(4, expected, got, elements, NULL);
    } else if (status == GM_STATUS_OK) {
        result->bound = 1;
        status = contract(reference, c, type, true, &magnitude, &elements);
        if (status == GM_STATUS_OK) {
            compare(c, type, expected, got, magnitude, elements, result);
        }
    }
    free(expected);
    free(got);
    free(magnitude);
    return status;
}

/* The expression, operands, their dimensions, their sizes, products in a sum. */
static const contraction_case matmul = {"ij,jk->ik", 2, {2, 2}, {67, 131, 131, 61}, 131};
static const contraction_case transposed = {"ji,kj->ki", 2, {2, 2}, {96, 64, 48, 96}, 96};
static const contraction_case long_sum = {"ij,jk->ik", 2, {2, 2}, {3, 8209, 8209, 2}, 8209};
static const contraction_case batched = {"bij,bjk->bik", 2, {3, 3}, {37, 9, 17, 37, 17, 5}, 17};
static const contraction_case matvec = {"ij,j->i", 2, {2, 1}, {203, 311, 311}, 311};
static const contraction_case dot = {"i,i->", 2, {1, 1}, {9001, 9001}, 9001};
static const contraction_case hadamard = {"ij,ij->ji", 2, {2, 2}, {33, 65, 33, 65}, 1};
static const contraction_case outer = {"i,j->ij", 2, {1, 1}, {63, 70}, 1};
static const contraction_case reduce = {"ijk->j", 1, {3}, {17, 19, 65}, 1105};
static const contraction_case diagonal = {"iij->ji", 1, {3}, {21, 21, 8}, 1};
static const contraction_case scores = {"hd,nhd->hn", 2, {2, 3}, {4, 32, 50, 4, 32}, 32};
static const contraction_case tensors = {"abcd,dbe->eca", 2, {4, 3}, {7, 6, 5, 9, 9, 6, 8}, 54};
static const contraction_case chain = {"ij,jk,kl->il", 3, {2, 2, 2}, {9, 20, 20, 21, 21, 10}, 420};
static const contraction_case network = {
    "ai,bj,ijk,ck->abc", 4, {2, 2, 3, 2}, {4, 5, 3, 6, 5, 6, 4, 5, 4}, 120};

#define PAIRS(X, T)                                                                                \
    X(T, matmul)                                                                                   \
    X(T, transposed)                                                                               \
    X(T, long_sum)                                                                                 \
    X(T, batched)                                                                                  \
    X(T, matvec)                                                                                   \
    X(T, dot) X(T, hadamard) X(T, outer) X(T, reduce) X(T, diagonal) X(T, scores) X(T, tensors)
#define ALL(X, T) PAIRS(X, T) X(T, chain) X(T, network)

static const number_type f64 = {GM_F64, GM_F64, GM_CONTRACT_STANDARD, 0x1p-53, 0x1p-53};
static const number_type f32 = {GM_F32, GM_F32, GM_CONTRACT_STANDARD, 0x1p-24, 0x1p-24};
static const number_type tf32 = {GM_F32, GM_F32, GM_CONTRACT_TF32, 0x1p-24, 0x1p-24};
static const number_type tf32x3 = {GM_F32, GM_F32, GM_CONTRACT_TF32X3, 0x1p-24, 0x1p-24};
static const number_type compensated = {GM_F32, GM_F32, GM_CONTRACT_COMPENSATED, 0x1p-24, 0x1p-24};
static const number_type f16 = {GM_F16, GM_F16, GM_CONTRACT_STANDARD, 0x1p-24, 0x1p-11};
static const number_type bf16 = {GM_BF16, GM_BF16, GM_CONTRACT_STANDARD, 0x1p-24, 0x1p-8};
static const number_type c64 = {GM_C64, GM_C64, GM_CONTRACT_STANDARD, 0x1p-24, 0x1p-24};
static const number_type c128 = {GM_C128, GM_C128, GM_CONTRACT_STANDARD, 0x1p-53, 0x1p-53};
static const number_type i8 = {GM_I8, GM_I32, GM_CONTRACT_STANDARD, 0, 0};
static const number_type i32 = {GM_I32, GM_I32, GM_CONTRACT_STANDARD, 0, 0};

/* Every type with every expression that it takes. */
#define CASES(X)                                                                                   \
    ALL(X, f64)                                                                                    \
    ALL(X, f32)                                                                                    \
    ALL(X, tf32)                                                                                   \
    ALL(X, tf32x3)                                                                                 \
    PAIRS(X, compensated) ALL(X, f16) ALL(X, bf16) ALL(X, c64) ALL(X, c128) PAIRS(X, i8) ALL(X, i32)

#define DEFINE(T, what)                                                                            \
    static gm_status run_##T##_##what(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run_case(reference, subject, &what, &T, result);                                    \
    }
CASES(DEFINE)

#define ENTRY(T, what) {"contract/" #T "/" #what, run_##T##_##what},
const gm_case gm_contract_cases[] = {CASES(ENTRY)};
const int gm_contract_cases_count = sizeof gm_contract_cases / sizeof gm_contract_cases[0];
