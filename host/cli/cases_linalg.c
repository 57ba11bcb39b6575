/*
 * Conformance cases of the factorizations and solves: a case for each operation and each row of a
 * device's table, all four types in it, of the large one only one type. The matrices are I + N / (4
 * sqrt(n)) with normals N, of a condition number of about 3, so that results may be compared entry
 * by entry; where there is pivoting their rows are moved on by one.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/linalg.h>
#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/cases.h"

enum { MOST_PROBLEMS = 5, RIGHT_SIDES = 3, RESULTS = 6 };

static int64_t problems_of(int64_t n) {
    return n < 200 ? MOST_PROBLEMS : 1;
}

/* What a call reads and writes; the results are out, then the report: rcond, residual, status. */
typedef struct operands {
    gm_tensor a, b, result[RESULTS];
    gm_tensor workspace;
} operands;

typedef struct operation {
    const char *name;
    bool pivots;   /* the rows of A are moved */
    int results;   /* outputs that there are */
    char shape[3]; /* of each: m n x n, k n x 3, v vector of I32, s number, r real number */
    bool residual; /* the report has one */
    gm_status (*run)(gm_context *context, const operands *o, const gm_linalg_report *report,
                     gm_workspace *workspace);
} operation;

#define DEFINE(name, call)                                                                         \
    static gm_status run_##name(gm_context *c, const operands *o, const gm_linalg_report *r,       \
                                gm_workspace *w) {                                                 \
        return call;                                                                               \
    }
DEFINE(lu, gm_linalg_lu(c, &o->a, &o->result[0], &o->result[1], r, w))
DEFINE(cholesky, gm_linalg_cholesky(c, &o->a, &o->result[0], r, w))
DEFINE(qr, gm_linalg_qr(c, &o->a, &o->result[0], &o->result[1], r, w))
DEFINE(solve, gm_linalg_solve(c, &o->a, &o->b, &o->result[0], r, w))
DEFINE(triangular, gm_linalg_triangular_solve(c, NULL, &o->a, &o->b, &o->result[0], r, w))
DEFINE(inverse, gm_linalg_inverse(c, &o->a, &o->result[0], r, w))
DEFINE(determinant,
       gm_linalg_determinant(c, &o->a,
                             &(gm_determinant_result){&o->result[0], &o->result[1], &o->result[2]},
                             r, w))

static const operation operations[] = {
    {"lu", true, 2, {'m', 'v'}, true, run_lu},
    {"cholesky", false, 1, {'m'}, true, run_cholesky},
    {"qr", false, 2, {'m', 'm'}, true, run_qr},
    {"solve", true, 1, {'k'}, true, run_solve},
    {"triangular_solve", false, 1, {'k'}, true, run_triangular},
    {"inverse", true, 1, {'m'}, true, run_inverse},
    {"determinant", true, 3, {'s', 's', 'r'}, false, run_determinant},
};

static bool is_complex(gm_dtype dtype) {
    return dtype == GM_C64 || dtype == GM_C128;
}

static gm_dtype real_of(gm_dtype dtype) {
    return dtype == GM_C64 ? GM_F32 : dtype == GM_C128 ? GM_F64 : dtype;
}

/* Normals as many numbers of the real type, the same for every context. */
static gm_status make_normals(gm_context *reference, gm_dtype dtype, int64_t count, uint64_t seed,
                              void *to) {
    gm_tensor t = {0};
    const gm_random_stream stream = {.seed = seed, .stream = GM_STREAM_FILL};
    gm_status status = gm_case_alloc(reference, dtype, 1, &count, &t);
    status = status == GM_STATUS_OK ? gm_random_fill_normal(reference, &stream, 0, 1, &t) : status;
    status = status == GM_STATUS_OK ? gm_case_download(reference, &t, to) : status;
    gm_case_free(reference, &t);
    return status;
}

static double read_real(const void *values, gm_dtype dtype, int64_t at) {
    return dtype == GM_F64 ? ((const double *)values)[at] : (double)((const float *)values)[at];
}

static void write_real(void *values, gm_dtype dtype, int64_t at, double value) {
    if (dtype == GM_F64) {
        ((double *)values)[at] = value;
    } else {
        ((float *)values)[at] = (float)value;
    }
}

/* Matrices from normals; parts: real numbers of an entry. */
static void make_matrices(const operation *o, gm_dtype real, int64_t n, int64_t parts,
                          const void *normals, void *a) {
    for (int64_t e = 0; e < problems_of(n) * n * n * parts; ++e) {
        const int64_t part = e % parts, j = e / parts % n, i = e / parts / n % n;
        const int64_t row = o->pivots ? (i + 1) % n : i, problem = e / parts / n / n;
        const double value = read_real(normals, real, e) / (4 * sqrt((double)n));
        write_real(a, real, ((problem * n + row) * n + j) * parts + part,
                   value + (i == j && part == 0 ? 1 : 0));
    }
}

static gm_status alloc_results(gm_context *c, const operation *o, gm_dtype dtype, int64_t n,
                               operands *to) {
    for (int i = 0; i < o->results; ++i) {
        const char kind = o->shape[i];
        const int64_t shape[] = {problems_of(n), n, kind == 'k' ? RIGHT_SIDES : n};
        CASE_TRY(gm_case_alloc(c,
                               kind == 'v'   ? GM_I32
                               : kind == 'r' ? real_of(dtype)
                                             : dtype,
                               kind == 'm' || kind == 'k' ? 3
                               : kind == 'v'              ? 2
                                                          : 1,
                               shape, &to->result[i]));
    }
    const int64_t problems = problems_of(n);
    CASE_TRY(gm_case_alloc(c, real_of(dtype), 1, &problems, &to->result[3]));
    CASE_TRY(gm_case_alloc(c, real_of(dtype), 1, &problems, &to->result[4]));
    return gm_case_alloc(c, GM_I32, 1, &problems, &to->result[5]);
}

/* Runs with fresh results and a workspace of the size that is asked for. */
static gm_status run_on(gm_context *c, const operation *o, gm_dtype dtype, int64_t n, const void *a,
                        const void *b, operands *to) {
    CASE_TRY(gm_case_upload(c, a, dtype, 3, (const int64_t[]){problems_of(n), n, n}, &to->a));
    CASE_TRY(
        gm_case_upload(c, b, dtype, 3, (const int64_t[]){problems_of(n), n, RIGHT_SIDES}, &to->b));
    CASE_TRY(alloc_results(c, o, dtype, n, to));
    const gm_linalg_report report = {&to->result[5], &to->result[3],
                                     o->residual ? &to->result[4] : NULL};
    gm_workspace workspace = {0};
    CASE_TRY(o->run(c, to, &report, &workspace));
    const int64_t bytes = ((int64_t)workspace.bytes + 63) / 64 * 64;
    CASE_TRY(gm_case_alloc(c, GM_U8, 1, &bytes, &to->workspace));
    workspace.data = to->workspace.data;
    return o->run(c, to, &report, &workspace);
}

static void free_operands(gm_context *c, operands *o) {
    gm_case_free(c, &o->a);
    gm_case_free(c, &o->b);
    gm_case_free(c, &o->workspace);
    for (int i = 0; i < RESULTS; ++i) {
        gm_case_free(c, &o->result[i]);
    }
}

/* The largest difference over the largest magnitude of real numbers; I32: infinite if any. */
static double distance(gm_dtype dtype, int64_t count, const void *want, const void *got) {
    if (dtype == GM_I32) {
        return gm_case_bit_differences(sizeof(int32_t), want, got, count, NULL) == 0 ? 0 : INFINITY;
    }
    const gm_dtype real = real_of(dtype);
    const int64_t numbers = count * (is_complex(dtype) ? 2 : 1);
    double largest = 0;
    for (int64_t i = 0; i < numbers; ++i) {
        largest = fmax(largest, fabs(read_real(want, real, i)));
    }
    const double apart = gm_case_difference(real, want, got, numbers, NULL);
    return largest > 0 ? apart / largest : apart;
}

static gm_status compare(gm_context *reference, gm_context *subject, const gm_tensor *want,
                         const gm_tensor *got, double *error) {
    int64_t count;
    CASE_TRY(gm_tensor_elements(want, &count));
    const size_t bytes = (size_t)count * gm_dtype_size(want->dtype) + 1;
    void *left = malloc(bytes), *right = malloc(bytes);
    gm_status status = left == NULL || right == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    status = status == GM_STATUS_OK ? gm_case_download(reference, want, left) : status;
    status = status == GM_STATUS_OK ? gm_case_download(subject, got, right) : status;
    if (status == GM_STATUS_OK) {
        *error = fmax(*error, distance(want->dtype, count, left, right));
    }
    free(left);
    free(right);
    return status;
}

/* The report: a condition number may be an estimate, up to 3 times too good (linalg.h), and a
 * residual is rounding itself, which is compared with 0. */
static gm_status compare_reports(gm_context *reference, gm_context *subject, const operation *o,
                                 const operands *want, const operands *got, double *error) {
    double wanted[MOST_PROBLEMS], conditions[MOST_PROBLEMS], residuals[MOST_PROBLEMS];
    const gm_dtype real = want->result[3].dtype;
    CASE_TRY(gm_case_download(reference, &want->result[3], wanted));
    CASE_TRY(gm_case_download(subject, &got->result[3], conditions));
    CASE_TRY(gm_case_download(subject, &got->result[4], residuals));
    for (int64_t i = 0; i < want->result[3].shape[0]; ++i) {
        const double truth = read_real(wanted, real, i), rcond = read_real(conditions, real, i);
        if (!(rcond > truth * (1 - 1e-4) && rcond < 3 * truth)) {
            *error = INFINITY;
        }
        const double residual = o->residual ? read_real(residuals, real, i) : 0;
        *error = residual >= 0 ? fmax(*error, residual) : INFINITY;
    }
    return GM_STATUS_OK;
}

static gm_status compare_results(gm_context *reference, gm_context *subject, const operation *o,
                                 const operands *want, const operands *got, double *error) {
    for (int i = 0; i < o->results; ++i) {
        CASE_TRY(compare(reference, subject, &want->result[i], &got->result[i], error));
    }
    CASE_TRY(compare(reference, subject, &want->result[5], &got->result[5], error));
    return compare_reports(reference, subject, o, want, got, error);
}

static gm_status run_type(gm_context *reference, gm_context *subject, const operation *o,
                          gm_dtype dtype, int64_t n, gm_case_result *result) {
    const int64_t parts = is_complex(dtype) ? 2 : 1, count = problems_of(n) * n * n * parts;
    const gm_dtype real = real_of(dtype);
    const size_t bytes = (size_t)count * gm_dtype_size(real);
    const int64_t right = problems_of(n) * n * RIGHT_SIDES * parts;
    void *normals = malloc(bytes), *a = malloc(bytes);
    void *b = malloc((size_t)right * gm_dtype_size(real));
    operands want = {0}, got = {0};
    gm_status status =
        normals == NULL || a == NULL || b == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    status = status == GM_STATUS_OK ? make_normals(reference, real, count, 21, normals) : status;
    status = status == GM_STATUS_OK ? make_normals(reference, real, right, 22, b) : status;
    if (status == GM_STATUS_OK) {
        make_matrices(o, real, n, parts, normals, a);
        status = run_on(subject, o, dtype, n, a, b, &got);
    }
    snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
    status = status == GM_STATUS_OK ? run_on(reference, o, dtype, n, a, b, &want) : status;
    double error = 0;
    status = status == GM_STATUS_OK ? compare_results(reference, subject, o, &want, &got, &error)
                                    : status;
    const double eps = real == GM_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
    result->error = fmax(result->error, error / (eps * (double)n));
    free_operands(reference, &want);
    free_operands(subject, &got);
    free(normals);
    free(a);
    free(b);
    return status;
}

static gm_status run(gm_context *reference, gm_context *subject, int index, int64_t n,
                     gm_case_result *result) {
    static const gm_dtype dtypes[] = {GM_F64, GM_F32, GM_C128, GM_C64};
    result->bound = 30; /* n eps, the threshold of LAPACK's tests */
    snprintf(result->detail, sizeof result->detail, "in n eps, largest of the types");
    for (int t = 0; t < 4; ++t) {
        if (n < 200 || t == index % 4) { /* the reference takes its time with a large one */
            CASE_TRY(run_type(reference, subject, &operations[index], dtypes[t], n, result));
        }
    }
    return GM_STATUS_OK;
}

/* The sizes: one for each row of a device's tables. */
#define SIZES(X, index, name)                                                                      \
    X(index, name, 4)                                                                              \
    X(index, name, 7) X(index, name, 16) X(index, name, 31) X(index, name, 40) X(index, name, 257)
#define OPERATIONS(X)                                                                              \
    SIZES(X, 0, lu)                                                                                \
    SIZES(X, 1, cholesky)                                                                          \
    SIZES(X, 2, qr)                                                                                \
    SIZES(X, 3, solve)                                                                             \
    SIZES(X, 4, triangular_solve)                                                                  \
    SIZES(X, 5, inverse)                                                                           \
    SIZES(X, 6, determinant)

#define DEFINE_CASE(index, name, n)                                                                \
    static gm_status run_##name##_##n(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run(reference, subject, index, n, result);                                          \
    }
OPERATIONS(DEFINE_CASE)

#define ENTRY(index, name, n)                                                                      \
    {n < 200 ? "linalg_" #name "/all/n = " #n : "linalg_" #name "/one/n = " #n, run_##name##_##n},
const gm_case gm_linalg_cases[] = {OPERATIONS(ENTRY)};
const int gm_linalg_cases_count = sizeof gm_linalg_cases / sizeof gm_linalg_cases[0];
