/*
 * Conformance cases of the functions of matrices and of Kronecker products: a case for each
 * operation and size, all four types in it. The matrices are I + N / (4 sqrt(n)) with normals N, of
 * a condition number of about 3 and a norm of about 1.5, so that results may be compared entry by
 * entry.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/matrix_function.h>
#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/cases.h"

enum { PROBLEMS = 3, COLUMNS = 2, INNER = 3, MOST_AXES = 5 };

/* What a call reads and writes. Shapes as letters behind the batch: n, k = COLUMNS, i = INNER, x =
 * INNER n, or a digit. */
enum { A, B, X, OUT, TENSORS };
typedef struct operation {
    const char *name, *shape[TENSORS];
    gm_status (*run)(gm_context *c, const gm_tensor *t, gm_workspace *w);
} operation;

#define DEFINE(name, call)                                                                         \
    static gm_status run_##name(gm_context *c, const gm_tensor *t, gm_workspace *w) {              \
        return call;                                                                               \
    }
DEFINE(exp, gm_linalg_exp(c, 0.75, &t[A], &t[OUT], NULL, w))
DEFINE(exp_apply, gm_linalg_exp_apply(c, -1.25, &t[A], &t[X], &t[OUT], NULL, w))
DEFINE(power, gm_linalg_power(c, -5, &t[A], &t[OUT], NULL, w))
DEFINE(phi, gm_linalg_phi(c, 2, &t[A], &t[OUT], NULL, w))
DEFINE(magnus, gm_linalg_magnus(c, 0.5, &t[A], &t[OUT], NULL, w))
DEFINE(kronecker_apply, gm_linalg_kronecker_apply(c, &t[A], &t[B], &t[X], &t[OUT], NULL, w))
DEFINE(kronecker_solve, gm_linalg_kronecker_solve(c, &t[A], &t[B], &t[X], &t[OUT], NULL, w))

static const operation operations[] = {
    {"exp", {"nn", NULL, NULL, "nn"}, run_exp},
    {"exp_apply", {"nn", NULL, "nk", "nk"}, run_exp_apply},
    {"power", {"nn", NULL, NULL, "nn"}, run_power},
    {"phi", {"nn", NULL, NULL, "3nn"}, run_phi},
    {"magnus", {"22nn", NULL, NULL, "nn"}, run_magnus},
    {"kronecker_apply", {"nn", "ii", "xk", "xk"}, run_kronecker_apply},
    {"kronecker_solve", {"nn", "ii", "xk", "xk"}, run_kronecker_solve},
};

static int32_t shape_of(const char *letters, int64_t n, int64_t *shape) {
    int32_t axes = 1;
    shape[0] = PROBLEMS;
    for (; *letters != '\0'; ++letters) {
        shape[axes++] = *letters == 'n'   ? n
                        : *letters == 'k' ? COLUMNS
                        : *letters == 'i' ? INNER
                        : *letters == 'x' ? INNER * n
                                          : *letters - '0';
    }
    return axes;
}

/* The numbers of one input in the real type, the same for every context: normals, of matrices
 * scaled beside the identity. */
static gm_status make_numbers(gm_context *reference, gm_dtype real, int64_t parts, int32_t axes,
                              const int64_t *shape, bool matrix, uint64_t seed, void **numbers) {
    int64_t count = parts;
    for (int32_t axis = 0; axis < axes; ++axis) {
        count *= shape[axis];
    }
    const int64_t n = shape[axes - 1];
    const gm_random_stream stream = {.seed = seed, .stream = GM_STREAM_FILL};
    const double scale = matrix ? 1 / (4 * sqrt((double)n)) : 1;
    gm_tensor t = {0};
    *numbers = malloc((size_t)count * gm_dtype_size(real));
    gm_status status =
        *numbers == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_alloc(reference, real, 1, &count, &t);
    status =
        status == GM_STATUS_OK ? gm_random_fill_normal(reference, &stream, 0, scale, &t) : status;
    status = status == GM_STATUS_OK ? gm_case_download(reference, &t, *numbers) : status;
    gm_case_free(reference, &t);
    for (int64_t e = 0; matrix && status == GM_STATUS_OK && e < count; e += parts) {
        if (e / parts % (n * n) % (n + 1) == 0 && real == GM_F64) {
            ((double *)*numbers)[e] += 1;
        } else if (e / parts % (n * n) % (n + 1) == 0) {
            ((float *)*numbers)[e] += 1;
        }
    }
    return status;
}

/* Runs with a fresh result and a workspace of the size that is asked for. */
static gm_status run_on(gm_context *c, const operation *o, gm_dtype dtype, int64_t n,
                        void *const *numbers, gm_tensor *t, gm_tensor *scratch) {
    for (int i = 0; i < TENSORS; ++i) {
        int64_t shape[MOST_AXES];
        if (o->shape[i] == NULL) {
            continue;
        }
        const int32_t axes = shape_of(o->shape[i], n, shape);
        CASE_TRY(i == OUT ? gm_case_alloc(c, dtype, axes, shape, &t[i])
                          : gm_case_upload(c, numbers[i], dtype, axes, shape, &t[i]));
    }
    gm_workspace workspace = {0};
    CASE_TRY(o->run(c, t, &workspace));
    const int64_t bytes = ((int64_t)workspace.bytes + 127) / 64 * 64;
    CASE_TRY(gm_case_alloc(c, GM_U8, 1, &bytes, scratch));
    workspace.data = (void *)(((uintptr_t)scratch->data + 63) / 64 * 64);
    return o->run(c, t, &workspace);
}

/* The largest difference of two results over the largest magnitude. */
static gm_status compare(gm_context *reference, gm_context *subject, gm_dtype real, int64_t parts,
                         const gm_tensor *want, const gm_tensor *got, double *error) {
    int64_t count;
    CASE_TRY(gm_tensor_elements(want, &count));
    const size_t bytes = (size_t)count * gm_dtype_size(want->dtype);
    void *left = malloc(bytes), *right = malloc(bytes), *zeros = calloc(1, bytes);
    gm_status status =
        left == NULL || right == NULL || zeros == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    status = status == GM_STATUS_OK ? gm_case_download(reference, want, left) : status;
    status = status == GM_STATUS_OK ? gm_case_download(subject, got, right) : status;
    if (status == GM_STATUS_OK) {
        *error = gm_case_difference(real, left, right, count * parts, NULL) /
                 gm_case_difference(real, left, zeros, count * parts, NULL);
    }
    free(left);
    free(right);
    free(zeros);
    return status;
}

static gm_status run_type(gm_context *reference, gm_context *subject, const operation *o,
                          gm_dtype dtype, int64_t n, gm_case_result *result) {
    const gm_dtype real = dtype == GM_F64 || dtype == GM_C128 ? GM_F64 : GM_F32;
    const int64_t parts = dtype == real ? 1 : 2;
    gm_tensor want[TENSORS + 1] = {0}, got[TENSORS + 1] = {0}; /* the last: the workspace */
    void *numbers[TENSORS] = {NULL};
    gm_status status = GM_STATUS_OK;
    for (int i = 0; i < OUT && status == GM_STATUS_OK; ++i) {
        int64_t shape[MOST_AXES];
        if (o->shape[i] != NULL) {
            const int32_t axes = shape_of(o->shape[i], n, shape);
            status = make_numbers(reference, real, parts, axes, shape, i != X, 31 + (uint64_t)i,
                                  &numbers[i]);
        }
    }
    status =
        status == GM_STATUS_OK ? run_on(subject, o, dtype, n, numbers, got, &got[TENSORS]) : status;
    snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
    status = status == GM_STATUS_OK ? run_on(reference, o, dtype, n, numbers, want, &want[TENSORS])
                                    : status;
    double error = 0;
    status = status == GM_STATUS_OK
                 ? compare(reference, subject, real, parts, &want[OUT], &got[OUT], &error)
                 : status;
    error /= (real == GM_F32 ? (double)FLT_EPSILON : DBL_EPSILON) * (double)n;
    result->error = error <= result->error ? result->error : error; /* a NaN stays */
    for (int i = 0; i <= TENSORS; ++i) {
        gm_case_free(reference, &want[i]);
        gm_case_free(subject, &got[i]);
        free(i < TENSORS ? numbers[i] : NULL);
    }
    return status;
}

static gm_status run(gm_context *reference, gm_context *subject, int index, int64_t n,
                     gm_case_result *result) {
    static const gm_dtype dtypes[] = {GM_F64, GM_F32, GM_C128, GM_C64};
    result->bound = 30; /* n eps, the threshold of LAPACK's tests */
    snprintf(result->detail, sizeof result->detail, "in n eps, largest of the types");
    for (int t = 0; t < 4; ++t) {
        CASE_TRY(run_type(reference, subject, &operations[index], dtypes[t], n, result));
    }
    return GM_STATUS_OK;
}

/* The sizes reach each row of a device's tables; phi works on three times as many rows. */
#define SIZES(X, index, name)                                                                      \
    X(index, name, 1) X(index, name, 7) X(index, name, 20) X(index, name, 34)
#define OPERATIONS(X)                                                                              \
    SIZES(X, 0, exp)                                                                               \
    SIZES(X, 1, exp_apply)                                                                         \
    SIZES(X, 2, power)                                                                             \
    SIZES(X, 3, phi)                                                                               \
    SIZES(X, 4, magnus)                                                                            \
    SIZES(X, 5, kronecker_apply)                                                                   \
    SIZES(X, 6, kronecker_solve)

#define DEFINE_CASE(index, name, n)                                                                \
    static gm_status run_##name##_##n(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run(reference, subject, index, n, result);                                          \
    }
OPERATIONS(DEFINE_CASE)

#define ENTRY(index, name, n) {"linalg_" #name "/all/n = " #n, run_##name##_##n},
const gm_case gm_linalg_function_cases[] = {OPERATIONS(ENTRY)};
const int gm_linalg_function_cases_count =
    sizeof gm_linalg_function_cases / sizeof gm_linalg_function_cases[0];
