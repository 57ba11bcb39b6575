/*
 * Conformance cases of Fourier and cosine transforms, structured products and convolution by
 * transforms, each against the reference's sums. The error printed is the largest part of its
 * bound: that of a transform in the 2-norm is fft.h's, of a product structured.h's with c = 4, of a
 * convolution conv.h's.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/conv.h>
#include <genmath/fft.h>
#include <genmath/philox.h>
#include <genmath/random.h>
#include <genmath/structured.h>

#include "host/cli/cases.h"

enum { MOST_TENSORS = 4 };

/* Tensors in a context's memory, the last one the result; complex ones are filled as reals. */
typedef struct fft_tensors {
    gm_tensor tensor[MOST_TENSORS];
    void *workspace;
} fft_tensors;

static gm_status make_random(gm_context *context, gm_dtype dtype, int32_t ndim,
                             const int64_t *shape, uint64_t seed, gm_tensor *tensor) {
    const gm_random_stream normals = {.seed = seed, .stream = GM_STREAM_FILL};
    CASE_TRY(gm_case_alloc(context, dtype, ndim, shape, tensor));
    int64_t elements;
    CASE_TRY(gm_tensor_elements(tensor, &elements));
    const bool complex_type = dtype == GM_C128 || dtype == GM_C64;
    const gm_tensor reals =
        gm_tensor_1d(tensor->data, dtype == GM_F32 || dtype == GM_C64 ? GM_F32 : GM_F64,
                     elements * (complex_type ? 2 : 1));
    return gm_random_fill_normal(context, &normals, 0, 1, &reals);
}

static void free_tensors(gm_context *context, fft_tensors *t) {
    for (int i = 0; i < MOST_TENSORS; ++i) {
        gm_case_free(context, &t->tensor[i]);
    }
    gm_memory_free(context, t->workspace);
}

/* Makes the tensors of a case, runs it and leaves the result in tensor[result]. */
typedef gm_status (*fft_case_run)(gm_context *context, const void *problem, fft_tensors *t);

/* The elements of the result as doubles; *count of them. */
static gm_status result_of(gm_context *context, fft_case_run run, const void *problem,
                           double **values, int64_t *count) {
    fft_tensors t = {0};
    gm_status status = run(context, problem, &t);
    const gm_tensor *r = &t.tensor[MOST_TENSORS - 1];
    if (status == GM_STATUS_OK) {
        status = gm_tensor_elements(r, count);
    }
    if (status == GM_STATUS_OK) {
        *count *= r->dtype == GM_C128 || r->dtype == GM_C64 ? 2 : 1;
        *values = malloc((size_t)*count * sizeof(double) + 1);
        status = *values == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(context, r, *values);
    }
    if (status == GM_STATUS_OK && (r->dtype == GM_F32 || r->dtype == GM_C64)) {
        for (int64_t i = *count; i-- > 0;) { /* from the end: in place */
            float single;
            memcpy(&single, (const char *)*values + (size_t)i * sizeof single, sizeof single);
            (*values)[i] = (double)single;
        }
    }
    free_tensors(context, &t);
    return status;
}

/* The error of the subject's result in the 2-norm or, with `each`, of its worst element. */
static gm_status compare_results(gm_context *reference, gm_context *subject, fft_case_run run,
                                 const void *problem, bool each, double scale,
                                 gm_case_result *result) {
    double *want = NULL, *got = NULL, error = 0, size = 0;
    int64_t count = 0;
    gm_status status = result_of(reference, run, problem, &want, &count);
    if (status == GM_STATUS_OK) {
        status = result_of(subject, run, problem, &got, &count);
    }
    for (int64_t i = 0; status == GM_STATUS_OK && i < count; ++i) {
        const double apart = got[i] - want[i];
        error = each ? fmax(error, apart * apart) : error + apart * apart;
        error = isnan(apart) ? NAN : error;
        size += want[i] * want[i];
    }
    free(want);
    free(got);
    if (status == GM_STATUS_OK) {
        const double part = sqrt(error) / (scale * (each ? 1 : sqrt(size)));
        result->error = isnan(part) || part > result->error ? part : result->error;
        result->bound = 1;
    }
    return status;
}

static bool is_single(gm_dtype dtype) {
    return dtype == GM_F32 || dtype == GM_C64;
}

static double epsilon_of(gm_dtype dtype) {
    return is_single(dtype) ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* ---- transforms ------------------------------------------------------------------------------ */

static gm_status run_fft(gm_context *context, const void *problem, fft_tensors *t) {
    const gm_fft_options *o = problem;
    const bool single = o->dtype == GM_F32;
    const bool in_complex = o->kind <= GM_FFT_INVERSE || o->kind == GM_FFT_COMPLEX_TO_REAL;
    const bool out_complex = o->kind <= GM_FFT_REAL_TO_COMPLEX;
    const int32_t last = o->axis_count;
    const int64_t half = o->length[last - 1] / 2 + 1;
    int64_t in[3] = {3, o->length[0], o->length[1]}, out[3] = {3, o->length[0], o->length[1]};
    in[last] = o->kind == GM_FFT_COMPLEX_TO_REAL ? half : in[last];
    out[last] = o->kind == GM_FFT_REAL_TO_COMPLEX ? half : out[last];
    const gm_dtype real = single ? GM_F32 : GM_F64, pair = single ? GM_C64 : GM_C128;
    gm_tensor *x = &t->tensor[0], *y = &t->tensor[MOST_TENSORS - 1];
    CASE_TRY(make_random(context, in_complex ? pair : real, 1 + last, in, 11, x));
    CASE_TRY(gm_case_alloc(context, out_complex ? pair : real, 1 + last, out, y));
    gm_fft_plan *plan;
    CASE_TRY(gm_fft_plan_create(context, o, &plan));
    int64_t bytes;
    gm_status status = gm_fft_workspace_size(plan, &bytes);
    status =
        status == GM_STATUS_OK ? gm_memory_alloc(context, (size_t)bytes, &t->workspace) : status;
    status = status == GM_STATUS_OK ? gm_fft_execute(plan, x, t->workspace, bytes, y) : status;
    status = status == GM_STATUS_OK ? gm_context_synchronize(context) : status;
    gm_fft_plan_destroy(plan);
    return status;
}

static gm_status fft_lengths(gm_context *reference, gm_context *subject, gm_fft_kind kind,
                             gm_dtype dtype, gm_case_result *result) {
    static const int64_t lengths[][2] = {{1, 0},   {8, 0},   {60, 0},   {101, 0}, {128, 0},
                                         {210, 0}, {517, 0}, {1024, 0}, {12, 31}, {20, 16}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        const int64_t a = lengths[i][0], b = lengths[i][1];
        const gm_fft_options o = {.dtype = dtype,
                                  .kind = kind,
                                  .axis_count = b > 0 ? 2 : 1,
                                  .axes = {1, 2},
                                  .length = {a, b}};
        const double n = (double)(b > 0 ? a * b : a);
        const bool prime = a == 101; /* over 47: Bluestein's */
        const double log_n = 1 + log2(prime ? 4 * n : n);
        CASE_TRY(compare_results(reference, subject, run_fft, &o, false,
                                 (prime ? 3 : 1) * epsilon_of(dtype) * log_n, result));
    }
    return GM_STATUS_OK;
}

/* ---- structured products --------------------------------------------------------------------- */

static gm_status run_structured(gm_context *context, const void *problem, fft_tensors *t) {
    const gm_structured_options *o = problem;
    const bool circulant = o->kind <= GM_CIRCULANT_EIGENVALUES;
    const int64_t m = circulant ? o->n : o->m;
    const int64_t results = o->kind == GM_CONVOLVE_FULL    ? m + o->n - 1
                            : o->kind == GM_CONVOLVE_VALID ? o->n - m + 1
                            : o->kind == GM_TOEPLITZ_APPLY ? m
                                                           : o->n;
    const gm_dtype out = o->kind != GM_CIRCULANT_EIGENVALUES ? o->dtype
                         : is_single(o->dtype)               ? GM_C64
                                                             : GM_C128;
    gm_tensor *k = &t->tensor[0], *x = &t->tensor[1], *row = &t->tensor[2];
    gm_tensor *y = &t->tensor[MOST_TENSORS - 1];
    CASE_TRY(make_random(context, o->dtype, 2, (int64_t[]){5, m}, 1, k));
    CASE_TRY(make_random(context, o->dtype, 2, (int64_t[]){5, o->n}, 2, x));
    CASE_TRY(make_random(context, o->dtype, 2, (int64_t[]){5, o->n}, 3, row));
    CASE_TRY(gm_case_alloc(context, out, 2, (int64_t[]){5, results}, y));
    const gm_structured_arrays arrays = {.kernel = k,
                                         .row = o->kind == GM_TOEPLITZ_APPLY ? row : NULL,
                                         .x = o->kind == GM_CIRCULANT_EIGENVALUES ? NULL : x,
                                         .y = y};
    gm_structured_plan *plan;
    CASE_TRY(gm_structured_plan_create(context, o, &plan));
    int64_t bytes;
    gm_status status = gm_structured_workspace_size(plan, &bytes);
    status =
        status == GM_STATUS_OK ? gm_memory_alloc(context, (size_t)bytes, &t->workspace) : status;
    status =
        status == GM_STATUS_OK ? gm_structured_execute(plan, &arrays, t->workspace, bytes) : status;
    status = status == GM_STATUS_OK ? gm_context_synchronize(context) : status;
    gm_structured_plan_destroy(plan);
    return status;
}

/* Normals: |kernel| and |x| of a row of length n are about sqrt(n), and no less than half of it. */
static gm_status structured_lengths(gm_context *reference, gm_context *subject,
                                    gm_structured_kind kind, gm_dtype dtype,
                                    gm_case_result *result) {
    static const int64_t lengths[][2] = {{16, 40}, {31, 101}, {128, 200}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        const gm_structured_options o = {
            .dtype = dtype, .kind = kind, .m = lengths[i][0], .n = lengths[i][1]};
        const double m = (double)(kind <= GM_CIRCULANT_EIGENVALUES ? o.n : o.m), n = (double)o.n;
        const double norms = kind == GM_CIRCULANT_EIGENVALUES ? m : 0.25 * sqrt(m * n);
        const double prime = o.n == 101 && kind <= GM_CIRCULANT_EIGENVALUES ? 3 : 1;
        CASE_TRY(compare_results(reference, subject, run_structured, &o, true,
                                 4 * prime * epsilon_of(dtype) * (1 + log2(4 * (m + n))) * norms,
                                 result));
    }
    return GM_STATUS_OK;
}

/* ---- convolution ----------------------------------------------------------------------------- */

typedef struct conv_problem {
    gm_conv_operation operation;
    gm_dtype dtype;
} conv_problem;

enum { SAMPLES = 2, INNER = 4, OUTER = 6, GROUPS = 2, SIDE = 19, TAPS = 7, STRIDE = 2, PAD = 3 };

static gm_status run_conv(gm_context *context, const void *problem, fft_tensors *t) {
    const conv_problem *p = problem;
    const int64_t out = (SIDE + 2 * PAD - TAPS) / STRIDE + 1;
    const int64_t x[] = {SAMPLES, INNER, SIDE, SIDE}, w[] = {OUTER, INNER / GROUPS, TAPS, TAPS};
    const int64_t y[] = {SAMPLES, OUTER, out, out};
    const int64_t *const shapes[] = {y, x, w}; /* the results of the operations */
    gm_tensor *tensors[3];
    int next = 0;
    for (int i = 0; i < 3; ++i) {
        const bool is_result = i == (int)p->operation;
        tensors[i] = is_result ? &t->tensor[MOST_TENSORS - 1] : &t->tensor[next++];
        CASE_TRY(is_result
                     ? gm_case_alloc(context, p->dtype, 4, shapes[i], tensors[i])
                     : make_random(context, p->dtype, 4, shapes[i], (uint64_t)(5 + i), tensors[i]));
    }
    const gm_conv_options o = {.stride = {STRIDE, STRIDE},
                               .pad_before = {PAD, PAD},
                               .pad_after = {PAD, PAD},
                               .groups = GROUPS,
                               .algorithm = gm_context_backend(context) == GM_BACKEND_REF
                                                ? GM_CONV_CONTRACTION
                                                : GM_CONV_FFT};
    gm_conv_plan *plan;
    CASE_TRY(
        gm_conv_plan_create(context, p->operation, tensors[1], tensors[2], tensors[0], &o, &plan));
    const size_t bytes = gm_conv_workspace(plan);
    gm_status status = gm_memory_alloc(context, bytes, &t->workspace);
    if (status == GM_STATUS_OK) {
        status =
            gm_conv_execute(plan, NULL, tensors[1], tensors[2], tensors[0], t->workspace, bytes);
    }
    status = status == GM_STATUS_OK ? gm_context_synchronize(context) : status;
    gm_conv_plan_destroy(plan);
    return status;
}

/* Normals: half the square root of the number of terms is no more than either norm. */
static gm_status conv_operation(gm_context *reference, gm_context *subject,
                                gm_conv_operation operation, gm_dtype dtype,
                                gm_case_result *result) {
    const conv_problem p = {operation, dtype};
    const double out = (SIDE + 2 * PAD - TAPS) / STRIDE + 1;
    const double x = SIDE * SIDE, y = out * out, w = TAPS * TAPS;
    const double terms[] = {x * w * INNER * INNER / (GROUPS * GROUPS),
                            y * w * OUTER * OUTER / (GROUPS * GROUPS), x * y * SAMPLES * SAMPLES};
    return compare_results(reference, subject, run_conv, &p, true,
                           4 * epsilon_of(dtype) * (1 + 2 * log2(SIDE + TAPS)) * 0.25 *
                               sqrt(terms[operation]),
                           result);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define TRANSFORMS(X)                                                                              \
    X(forward, GM_FFT_FORWARD)                                                                     \
    X(inverse, GM_FFT_INVERSE)                                                                     \
    X(real_to_complex, GM_FFT_REAL_TO_COMPLEX)                                                     \
    X(complex_to_real, GM_FFT_COMPLEX_TO_REAL) X(dct2, GM_FFT_DCT2) X(dct3, GM_FFT_DCT3)
#define PRODUCTS(X)                                                                                \
    X(circulant, GM_CIRCULANT_APPLY)                                                               \
    X(eigenvalues, GM_CIRCULANT_EIGENVALUES)                                                       \
    X(toeplitz, GM_TOEPLITZ_APPLY)                                                                 \
    X(full, GM_CONVOLVE_FULL) X(valid, GM_CONVOLVE_VALID) X(causal, GM_CONVOLVE_CAUSAL)
#define CONVOLUTIONS(X)                                                                            \
    X(conv_forward, GM_CONV_FORWARD) X(conv_data, GM_CONV_DATA) X(conv_weights, GM_CONV_WEIGHTS)

#define DEFINE(check, name, what)                                                                  \
    static gm_status name##_f64(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return check(reference, subject, what, GM_F64, result);                                    \
    }                                                                                              \
    static gm_status name##_f32(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return check(reference, subject, what, GM_F32, result);                                    \
    }
#define DEFINE_TRANSFORM(name, what) DEFINE(fft_lengths, name, what)
#define DEFINE_PRODUCT(name, what) DEFINE(structured_lengths, name, what)
#define DEFINE_CONVOLUTION(name, what) DEFINE(conv_operation, name, what)
TRANSFORMS(DEFINE_TRANSFORM)
PRODUCTS(DEFINE_PRODUCT)
CONVOLUTIONS(DEFINE_CONVOLUTION)

#define ENTRIES(operation, name)                                                                   \
    {operation "/f64/" #name, name##_f64}, {operation "/f32/" #name, name##_f32},
#define TRANSFORM_ENTRY(name, what) ENTRIES("fft", name)
#define PRODUCT_ENTRY(name, what) ENTRIES("structured", name)
#define CONVOLUTION_ENTRY(name, what) ENTRIES("conv by transforms", name)
const gm_case gm_fft_cases[] = {TRANSFORMS(TRANSFORM_ENTRY) PRODUCTS(PRODUCT_ENTRY)
                                    CONVOLUTIONS(CONVOLUTION_ENTRY)};
const int gm_fft_cases_count = sizeof gm_fft_cases / sizeof gm_fft_cases[0];
