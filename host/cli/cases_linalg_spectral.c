/*
 * Conformance cases of singular values and eigenvalues, pseudoinverses and roots. What is unique is
 * compared with the reference: values. Vectors are not; they are held to what defines them, as
 * LAPACK's tests do: |A - U S V^H|, |A V - V W|, |Q^H Q - I|, each over eps max(m, n) and the
 * norms that it may grow with. The bound is theirs, 30. Sizes take every row of the tables.
 */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/decompose.h>

#include "host/cli/cases.h"
#include "host/cli/ensemble_case.h"

typedef double complex number;

typedef enum spectral_kind {
    SVD,
    HERMITIAN,
    EIGEN,
    PSEUDOINVERSE,
    SQRT,
    INVERSE_SQRT
} spectral_kind;

enum { PROBLEMS = 3, OUTPUTS = 3 };

/* A batch of problems on the host: a, and the outputs in the order of the function's arguments. */
typedef struct spectral_case {
    spectral_kind kind;
    gm_dtype dtype;
    int64_t m, n, k;
    number *a, *out[OUTPUTS];
    gm_tensor device_a, device_out[OUTPUTS];
    int64_t rows[OUTPUTS], columns[OUTPUTS]; /* 0 rows: there is none */
} spectral_case;

static bool single_precision(gm_dtype dtype) {
    return dtype == GM_F32 || dtype == GM_C64;
}

static gm_dtype real_type(gm_dtype dtype) {
    return single_precision(dtype) ? GM_F32 : GM_F64;
}

static gm_dtype complex_type(gm_dtype dtype) {
    return single_precision(dtype) ? GM_C64 : GM_C128;
}

static number fetch(const void *data, gm_dtype dtype, int64_t i) {
    const double *d = data;
    const float *f = data;
    return dtype == GM_F64    ? d[i]
           : dtype == GM_F32  ? (double)f[i]
           : dtype == GM_C128 ? CMPLX(d[2 * i], d[2 * i + 1])
                              : CMPLX((double)f[2 * i], (double)f[2 * i + 1]);
}

static void keep(void *data, gm_dtype dtype, int64_t i, number x) {
    double *d = data;
    float *f = data;
    if (dtype == GM_F64) {
        d[i] = creal(x);
    } else if (dtype == GM_F32) {
        f[i] = (float)creal(x);
    } else if (dtype == GM_C128) {
        d[2 * i] = creal(x);
        d[2 * i + 1] = cimag(x);
    } else {
        f[2 * i] = (float)creal(x);
        f[2 * i + 1] = (float)cimag(x);
    }
}

/* ---- the problems ---------------------------------------------------------------------------- */

/* Random entries in (-1, 1); of a Hermitian kind B B^H / n + I / 10. */
static void fill(spectral_case *c) {
    uint64_t seed = 31 + (uint64_t)c->kind;
    const bool pairs = c->dtype == GM_C64 || c->dtype == GM_C128;
    const bool hermitian = c->kind == HERMITIAN || c->kind >= SQRT;
    const int64_t n = c->n;
    for (int64_t p = 0; p < PROBLEMS; ++p) {
        number *a = c->a + p * c->m * n, *b = c->out[0]; /* out[0] is room for a matrix */
        for (int64_t e = 0; e < c->m * n; ++e) {
            const double real = case_random(&seed, -1, 1), other = case_random(&seed, -1, 1);
            a[e] = b[e] = CMPLX(real, pairs ? other : 0);
        }
        for (int64_t e = 0; hermitian && e < n * n; ++e) {
            a[e] = e / n == e % n ? 0.1 : 0;
            for (int64_t l = 0; l < n; ++l) {
                a[e] += b[e / n * n + l] * conj(b[e % n * n + l]) / (double)n;
            }
        }
    }
}

/* Which outputs there are, and how large. */
static void shape(spectral_case *c) {
    const int64_t m = c->m, n = c->n, k = m < n ? m : n;
    const int64_t sizes[][OUTPUTS][2] = {
        [SVD] = {{m, k}, {k, 1}, {k, n}},
        [HERMITIAN] = {{n, 1}, {n, n}},
        [EIGEN] = {{n, 1}, {n, n}},
        [PSEUDOINVERSE] = {{n, m}},
        [SQRT] = {{n, n}},
        [INVERSE_SQRT] = {{n, n}},
    };
    c->k = k;
    for (int i = 0; i < OUTPUTS; ++i) {
        c->rows[i] = sizes[c->kind][i][0];
        c->columns[i] = sizes[c->kind][i][1];
    }
}

/* Singular values and eigenvalues; the rest are matrices. */
static bool is_vector(const spectral_case *c, int i) {
    return c->kind == SVD ? i == 1 : (c->kind == HERMITIAN || c->kind == EIGEN) && i == 0;
}

static gm_dtype output_type(const spectral_case *c, int i) {
    return c->kind == EIGEN  ? complex_type(c->dtype)
           : is_vector(c, i) ? real_type(c->dtype)
                             : c->dtype;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static gm_status call(gm_context *context, const spectral_case *c, gm_workspace *workspace) {
    const gm_tensor *a = &c->device_a, *o = c->device_out;
    switch (c->kind) {
    case SVD:
        return gm_linalg_svd(context, a, &o[0], &o[1], &o[2], NULL, workspace);
    case HERMITIAN:
        return gm_linalg_eigen_hermitian(context, a, &o[0], &o[1], NULL, workspace);
    case EIGEN:
        return gm_linalg_eigen(context, a, &o[0], &o[1], NULL, workspace);
    case PSEUDOINVERSE:
        return gm_linalg_pseudoinverse(context, 0, a, &o[0], NULL, NULL, workspace);
    case SQRT:
        return gm_linalg_sqrt_psd(context, a, &o[0], NULL, workspace);
    default:
        return gm_linalg_inverse_sqrt_psd(context, a, &o[0], NULL, workspace);
    }
}

static gm_status place(gm_context *context, spectral_case *c, void *staging) {
    const int64_t of_a[] = {PROBLEMS, c->m, c->n};
    for (int64_t e = 0; e < PROBLEMS * c->m * c->n; ++e) {
        keep(staging, c->dtype, e, c->a[e]);
        c->a[e] = fetch(staging, c->dtype, e); /* as rounded */
    }
    gm_status status = gm_case_upload(context, staging, c->dtype, 3, of_a, &c->device_a);
    for (int i = 0; i < OUTPUTS && c->rows[i] > 0 && status == GM_STATUS_OK; ++i) {
        const int64_t of_out[] = {PROBLEMS, c->rows[i], c->columns[i]};
        status = gm_case_alloc(context, output_type(c, i), is_vector(c, i) ? 2 : 3, of_out,
                               &c->device_out[i]);
    }
    return status;
}

static gm_status run_on(gm_context *context, spectral_case *c, void *staging) {
    gm_workspace workspace = {0};
    void *memory = NULL;
    gm_status status = place(context, c, staging);
    status = status == GM_STATUS_OK ? call(context, c, &workspace) : status;
    if (status == GM_STATUS_OK) { /* the workspace starts at a multiple of 64 */
        status = gm_memory_alloc(context, workspace.bytes + 64, &memory);
        workspace.data = (char *)memory + (64 - (uintptr_t)memory % 64) % 64;
        status = status == GM_STATUS_OK ? call(context, c, &workspace) : status;
    }
    for (int i = 0; i < OUTPUTS && c->rows[i] > 0 && status == GM_STATUS_OK; ++i) {
        status = gm_case_download(context, &c->device_out[i], staging);
        for (int64_t e = 0; e < PROBLEMS * c->rows[i] * c->columns[i]; ++e) {
            c->out[i][e] = fetch(staging, output_type(c, i), e);
        }
    }
    gm_memory_free(context, memory);
    gm_case_free(context, &c->device_a);
    for (int i = 0; i < OUTPUTS; ++i) {
        gm_case_free(context, &c->device_out[i]);
    }
    return status;
}

/* ---- the judge ------------------------------------------------------------------------------- */

/* A matrix by rows, or its adjoint. */
typedef struct matrix {
    const number *x;
    int64_t columns;
    bool adjoint;
    const number *scale; /* of the columns; NULL: none */
} matrix;

static number entry(const matrix *a, int64_t i, int64_t j) {
    const number x = a->adjoint ? conj(a->x[j * a->columns + i]) : a->x[i * a->columns + j];
    return a->scale != NULL ? x * a->scale[j] : x;
}

/* |x y - z|; z NULL: I */
static double distance(int64_t rows, int64_t columns, int64_t inner, matrix x, matrix y,
                       const matrix *z) {
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            number value = z != NULL ? -entry(z, i, j) : i == j ? -1 : 0;
            for (int64_t l = 0; l < inner; ++l) {
                value += entry(&x, i, l) * entry(&y, l, j);
            }
            sum += creal(value * conj(value));
        }
    }
    return sqrt(sum);
}

static double norm(int64_t count, const number *x) {
    double sum = 0;
    for (int64_t e = 0; e < count; ++e) {
        sum += creal(x[e] * conj(x[e]));
    }
    return sqrt(sum);
}

static double apart(int64_t count, const number *x, const number *y) {
    double most = 0;
    for (int64_t e = 0; e < count; ++e) {
        const double distance_here = cabs(x[e] - y[e]);
        most = distance_here > most || isnan(distance_here) ? distance_here : most;
    }
    return most;
}

/* |q^H q - I| of rows x columns. */
static double orthogonality(int64_t rows, int64_t columns, const number *q) {
    return distance(columns, columns, rows, (matrix){q, columns, true, NULL},
                    (matrix){q, columns, false, NULL}, NULL);
}

/* The largest relative error of a problem. */
static double judge(const spectral_case *c, const spectral_case *expected, int64_t p) {
    const int64_t m = c->m, n = c->n, k = c->k;
    const number *o[OUTPUTS], *a = c->a + p * m * n;
    const number *values = expected->out[c->kind == SVD ? 1 : 0];
    for (int i = 0; i < OUTPUTS; ++i) {
        o[i] = c->out[i] + p * c->rows[i] * c->columns[i];
    }
    const double size = norm(m * n, a), out_size = norm(c->rows[0] * c->columns[0], o[0]);
    const matrix whole = {a, n, false, NULL}, first = {o[0], c->columns[0], false, NULL};
    const matrix second = {o[1], n, false, NULL}, scaled = {o[1], n, false, o[0]};
    double error;
    switch (c->kind) {
    case SVD:
        error =
            fmax(apart(k, o[1], values + p * k), distance(m, n, k, (matrix){o[0], k, false, o[1]},
                                                          (matrix){o[2], n, false, NULL}, &whole));
        error = fmax(error / size, orthogonality(m, k, o[0]));
        return fmax(error, distance(k, k, n, (matrix){o[2], n, false, NULL},
                                    (matrix){o[2], n, true, NULL}, NULL));
    case HERMITIAN:
        error = fmax(apart(n, o[0], values + p * n), distance(n, n, n, whole, second, &scaled));
        return fmax(error / size, orthogonality(n, n, o[1]));
    case EIGEN:
        error = distance(n, n, n, whole, second, &scaled) / size;
        return fmax(error, fabs(norm(n * n, o[1]) / sqrt((double)n) - 1));
    case PSEUDOINVERSE: /* it moves by |A^+|^2 |A| */
        return apart(n * m, o[0], expected->out[0] + p * n * m) / (out_size * out_size * size);
    case SQRT:
        return distance(n, n, n, first, first, &whole) / size;
    default: { /* T A from its own definition, then T A T - I */
        number *product = malloc((size_t)(n * n) * sizeof *product);
        if (product == NULL) {
            return INFINITY;
        }
        for (int64_t e = 0; e < n * n; ++e) {
            product[e] = 0;
            for (int64_t l = 0; l < n; ++l) {
                product[e] += o[0][e / n * n + l] * a[l * n + e % n];
            }
        }
        error = distance(n, n, n, (matrix){product, n, false, NULL}, first, NULL);
        free(product);
        return error / (out_size * out_size * size);
    }
    }
}

/* ---- the cases ------------------------------------------------------------------------------- */

static gm_status compare(gm_context *reference, gm_context *subject, spectral_case *c,
                         gm_case_result *result) {
    const int64_t most = c->m > c->n ? c->m : c->n, entries = PROBLEMS * most * most;
    number *memory = malloc((size_t)(entries * (2 * OUTPUTS + 2)) * sizeof *memory);
    if (memory == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    spectral_case expected = *c;
    c->a = expected.a = memory;
    for (int i = 0; i < OUTPUTS; ++i) {
        c->out[i] = memory + entries * (1 + i);
        expected.out[i] = memory + entries * (1 + OUTPUTS + i);
    }
    void *staging = memory + entries * (1 + 2 * OUTPUTS);
    shape(c);
    shape(&expected);
    fill(c);
    gm_status status = run_on(subject, c, staging);
    snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
    status = status == GM_STATUS_OK ? run_on(reference, &expected, staging) : status;
    for (int64_t p = 0; p < PROBLEMS && status == GM_STATUS_OK; ++p) {
        const double unit = single_precision(c->dtype) ? (double)FLT_EPSILON : DBL_EPSILON;
        const double error = judge(c, &expected, p) / (unit * (double)most);
        if (!(error <= result->error)) {
            result->error = error;
            snprintf(result->detail, sizeof result->detail, "problem %lld of %lld x %lld",
                     (long long)p, (long long)c->m, (long long)c->n);
        }
    }
    free(memory);
    return status;
}

static gm_status run(gm_context *reference, gm_context *subject, spectral_kind kind, gm_dtype dtype,
                     gm_case_result *result) {
    static const int64_t shapes[][2] = {{7, 5}, {3, 16}, {32, 19}, {33, 40}};
    gm_status status = GM_STATUS_OK;
    result->bound = 30;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && status == GM_STATUS_OK; ++i) {
        const bool square = kind != SVD && kind != PSEUDOINVERSE;
        spectral_case c = {.kind = kind, .dtype = dtype, .n = shapes[i][1]};
        c.m = square ? c.n : shapes[i][0];
        status = compare(reference, subject, &c, result);
    }
    return status;
}

#define KINDS(X, T)                                                                                \
    X(T, SVD, svd)                                                                                 \
    X(T, HERMITIAN, eigen_hermitian)                                                               \
    X(T, EIGEN, eigen)                                                                             \
    X(T, PSEUDOINVERSE, pseudoinverse)                                                             \
    X(T, SQRT, sqrt_psd) X(T, INVERSE_SQRT, inverse_sqrt_psd)

#define DEFINE(T, kind, name)                                                                      \
    static gm_status run_##T##_##name(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run(reference, subject, kind, GM_##T, result);                                      \
    }
KINDS(DEFINE, F64)
KINDS(DEFINE, F32) KINDS(DEFINE, C128) KINDS(DEFINE, C64)

#define ENTRY_F64(T, kind, name) {"linalg/f64/" #name, run_##T##_##name},
#define ENTRY_F32(T, kind, name) {"linalg/f32/" #name, run_##T##_##name},
#define ENTRY_C128(T, kind, name) {"linalg/c128/" #name, run_##T##_##name},
#define ENTRY_C64(T, kind, name) {"linalg/c64/" #name, run_##T##_##name},
    const gm_case gm_linalg_spectral_cases[] = {KINDS(ENTRY_F64, F64) KINDS(ENTRY_F32, F32)
                                                    KINDS(ENTRY_C128, C128) KINDS(ENTRY_C64, C64)};
const int gm_linalg_spectral_cases_count =
    sizeof gm_linalg_spectral_cases / sizeof gm_linalg_spectral_cases[0];
