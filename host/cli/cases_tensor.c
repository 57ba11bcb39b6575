/* Conformance cases of the tensor operations: each on matrices of several sizes. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/philox.h>

#include "host/cli/tensor_case.h"

#define DEFINE(name, written, call)                                                                \
    gm_status gm_tensor_call_##name(gm_context *context, const gm_tensor_operands *t) {            \
        const gm_tensor *x = &t->x, *y = &t->y, *r = &t->r, *s = &t->s;                            \
        (void)x, (void)y, (void)r, (void)s;                                                        \
        return call;                                                                               \
    }
GM_TENSOR_OPERATIONS(DEFINE)
#undef DEFINE

gm_status gm_tensor_operands_make(gm_context *context, gm_dtype dtype, int64_t rows,
                                  int64_t columns, gm_tensor_operands *t) {
    const int64_t shape[2] = {rows, columns};
    const gm_random_stream normals = {.seed = 7, .stream = GM_STREAM_FILL};
    const gm_random_stream places = {.seed = 8, .stream = GM_STREAM_FILL};
    CASE_TRY(gm_case_alloc(context, dtype, 2, shape, &t->x));
    CASE_TRY(gm_case_alloc(context, dtype, 2, shape, &t->y));
    CASE_TRY(gm_case_alloc(context, dtype, 1, &rows, &t->r));
    CASE_TRY(gm_case_alloc(context, dtype, 1, &columns, &t->s));
    CASE_TRY(gm_case_alloc(context, GM_I32, 1, &rows, &t->indices));
    CASE_TRY(gm_random_fill_normal(context, &normals, 0.5, 2, &t->x));
    CASE_TRY(gm_random_fill_uniform(context, &places, 0, 1, &t->y));
    CASE_TRY(gm_random_fill_integers(context, &places, 0, rows, &t->indices));
    CASE_TRY(gm_tensor_permute(&t->x, (const int32_t[]){1, 0}, &t->transposed));
    t->row = gm_tensor_1d(t->x.data, dtype, columns);
    return GM_STATUS_OK;
}

void gm_tensor_operands_free(gm_context *context, gm_tensor_operands *t) {
    gm_tensor *const owned[] = {&t->x, &t->y, &t->r, &t->s, &t->indices};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; ++i) {
        gm_case_free(context, owned[i]);
    }
    *t = (gm_tensor_operands){0};
}

/* The largest magnitude of n elements, which differences are measured by. */
static double magnitude(gm_dtype dtype, const void *values, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double x =
            dtype == GM_F64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
        largest = fmax(largest, fabs(x));
    }
    return largest;
}

static gm_status compare_written(gm_context *reference, gm_context *subject, const gm_tensor *a,
                                 const gm_tensor *b, gm_case_result *result) {
    int64_t n;
    CASE_TRY(gm_tensor_elements(a, &n));
    const size_t bytes = (size_t)n * gm_dtype_size(a->dtype) + 1;
    void *want = malloc(bytes), *got = malloc(bytes);
    gm_status status = want == NULL || got == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    status = status == GM_STATUS_OK ? gm_case_download(reference, a, want) : status;
    status = status == GM_STATUS_OK ? gm_case_download(subject, b, got) : status;
    if (status == GM_STATUS_OK) {
        const double scale = magnitude(a->dtype, want, n);
        const double apart = gm_case_difference(a->dtype, want, got, n, NULL);
        result->error = fmax(result->error, scale > 0 ? apart / scale : apart);
    }
    free(want);
    free(got);
    return status;
}

gm_status gm_tensor_compare(gm_context *reference, gm_context *subject, gm_tensor_call call,
                            const gm_tensor_operands *t, size_t written, gm_case_result *result) {
    gm_tensor_operands own = {0};
    const gm_tensor *mine = (const gm_tensor *)(const void *)((const char *)&own + written);
    const gm_tensor *theirs = (const gm_tensor *)(const void *)((const char *)t + written);
    gm_status status =
        gm_tensor_operands_make(reference, t->x.dtype, t->x.shape[0], t->x.shape[1], &own);
    status = status == GM_STATUS_OK ? call(reference, &own) : status;
    status =
        status == GM_STATUS_OK ? compare_written(reference, subject, mine, theirs, result) : status;
    gm_tensor_operands_free(reference, &own);
    return status;
}

static gm_status run(gm_context *reference, gm_context *subject, gm_tensor_call call,
                     size_t written, gm_dtype dtype, gm_case_result *result) {
    static const int64_t sizes[] = {1, 31, 33, 129, 200};
    gm_status status = GM_STATUS_OK;
    /* 64 roundings of the largest number, and in double what the reference's own order leaves. */
    result->bound = dtype == GM_F64 ? 0x1p-46 : 0x1p-18;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && status == GM_STATUS_OK; ++i) {
        gm_tensor_operands t = {0};
        status = gm_tensor_operands_make(subject, dtype, sizes[i], sizes[i], &t);
        status = status == GM_STATUS_OK ? call(subject, &t) : status;
        snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
        status = status == GM_STATUS_OK
                     ? gm_tensor_compare(reference, subject, call, &t, written, result)
                     : status;
        gm_tensor_operands_free(subject, &t);
    }
    return status;
}

#define DEFINE(name, written, call)                                                                \
    static gm_status run_##name##_f32(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run(reference, subject, gm_tensor_call_##name,                                      \
                   offsetof(gm_tensor_operands, written), GM_F32, result);                         \
    }                                                                                              \
    static gm_status run_##name##_f64(gm_context *reference, gm_context *subject,                  \
                                      gm_case_result *result) {                                    \
        return run(reference, subject, gm_tensor_call_##name,                                      \
                   offsetof(gm_tensor_operands, written), GM_F64, result);                         \
    }
GM_TENSOR_OPERATIONS(DEFINE)

#define ENTRY(name, written, call)                                                                 \
    {"tensor/f32/" #name, run_##name##_f32}, {"tensor/f64/" #name, run_##name##_f64},
const gm_case gm_tensor_cases[] = {GM_TENSOR_OPERATIONS(ENTRY)};
const int gm_tensor_cases_count = sizeof gm_tensor_cases / sizeof gm_tensor_cases[0];
