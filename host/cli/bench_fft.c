/*
 * Benchmarks of transforms, and of convolution by the sum and by transforms on either side of where
 * they cross. Operations are 5 n log2 n for a complex transform and half that for a real one; those
 * of a convolution are the sum's, for both. Verified: 16 entries of the last transform against
 * their sums; a sample's first channel of a convolution against the reference.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <genmath/conv.h>
#include <genmath/fft.h>
#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/bench.h"

static gm_status make_normals(gm_context *context, gm_dtype dtype, int32_t ndim,
                              const int64_t *shape, gm_tensor *tensor) {
    const gm_random_stream normals = {.seed = 3, .stream = GM_STREAM_FILL};
    int64_t elements;
    CASE_TRY(gm_case_alloc(context, dtype, ndim, shape, tensor));
    CASE_TRY(gm_tensor_elements(tensor, &elements));
    const bool pairs = dtype == GM_C64 || dtype == GM_C128;
    const gm_dtype real = dtype == GM_F32 || dtype == GM_C64 ? GM_F32 : GM_F64;
    const gm_tensor all = gm_tensor_1d(tensor->data, real, elements * (pairs ? 2 : 1));
    return gm_random_fill_normal(context, &normals, 0, 1, &all);
}

/* Element i of memory of the precision. */
static double number(const void *data, gm_dtype real, int64_t i) {
    return real == GM_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

/* ---- transforms ------------------------------------------------------------------------------ */

typedef struct fft_bench {
    gm_fft_options options;
    gm_fft_plan *plan;
    gm_tensor x, y;
    void *workspace;
    int64_t bytes;
} fft_bench;

static void teardown_fft(gm_context *context, void *state) {
    fft_bench *s = state;
    if (s != NULL) {
        gm_fft_plan_destroy(s->plan);
        gm_case_free(context, &s->x);
        gm_case_free(context, &s->y);
        gm_memory_free(context, s->workspace);
    }
    free(s);
}

/* `batch` transforms of (rows, columns), or of columns alone where rows is 0. */
static gm_status setup_fft(gm_context *context, gm_fft_kind kind, gm_dtype dtype, int64_t batch,
                           int64_t rows, int64_t columns, void **state) {
    fft_bench *s = calloc(1, sizeof *s);
    *state = s;
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    const gm_dtype pair = dtype == GM_F32 ? GM_C64 : GM_C128;
    const int32_t last = rows > 0 ? 2 : 1;
    s->options = (gm_fft_options){.dtype = dtype, .kind = kind, .axis_count = last, .axes = {1, 2}};
    s->options.length[0] = rows > 0 ? rows : columns;
    s->options.length[1] = rows > 0 ? columns : 0;
    int64_t in[] = {batch, s->options.length[0], columns}, out[] = {batch, in[1], columns};
    out[last] = kind == GM_FFT_REAL_TO_COMPLEX ? columns / 2 + 1 : columns;
    CASE_TRY(make_normals(context, kind == GM_FFT_FORWARD ? pair : dtype, 1 + last, in, &s->x));
    CASE_TRY(gm_case_alloc(context, kind == GM_FFT_DCT2 ? dtype : pair, 1 + last, out, &s->y));
    CASE_TRY(gm_fft_plan_create(context, &s->options, &s->plan));
    CASE_TRY(gm_fft_workspace_size(s->plan, &s->bytes));
    return gm_memory_alloc(context, (size_t)s->bytes, &s->workspace);
}

static gm_status run_fft(gm_context *context, void *state, int64_t round) {
    fft_bench *s = state;
    (void)context, (void)round;
    return gm_fft_execute(s->plan, &s->x, s->workspace, s->bytes, &s->y);
}

/* Entry (p, k) of the last transform, by its sum over x; *norm is |x|. */
static void entry_sum(const fft_bench *s, const void *x, int64_t p, int64_t k, double *sum,
                      double *norm) {
    const bool two = s->options.axis_count == 2, pairs = s->options.kind == GM_FFT_FORWARD;
    const int64_t rows = two ? s->x.shape[1] : 1, n = s->x.shape[two ? 2 : 1];
    const int64_t first = (s->x.shape[0] - 1) * rows * n;
    long double re = 0, im = 0, size = 0;
    for (int64_t e = 0; e < rows * n; ++e) {
        const int64_t i = e / n, j = e % n, at = first + e;
        const double a = number(x, s->options.dtype, pairs ? 2 * at : at);
        const double b = pairs ? number(x, s->options.dtype, 2 * at + 1) : 0;
        const double turn =
            s->options.kind == GM_FFT_DCT2
                ? (double)((2 * j + 1) * k % (4 * n)) / (double)(4 * n)
                : (double)(i * p % rows) / (double)rows + (double)(j * k % n) / (double)n;
        const double angle = 2 * acos(-1.0) * turn, c = cos(angle), d = -sin(angle);
        re += (long double)a * c - (long double)b * d;
        im += (long double)a * d + (long double)b * c;
        size += (long double)a * a + (long double)b * b;
    }
    sum[0] = (double)(s->options.kind == GM_FFT_DCT2 ? 2 * re : re);
    sum[1] = (double)im;
    *norm = (double)sqrtl(size);
}

/* The root mean square of the entries' errors: fft.h bounds that of all of them together. */
static gm_status verify_fft(gm_context *reference, gm_context *context, void *state,
                            gm_case_result *result) {
    enum { ENTRIES = 16 };
    const fft_bench *s = state;
    const gm_dtype real = s->options.dtype;
    const bool two = s->options.axis_count == 2, pairs = s->options.kind != GM_FFT_DCT2;
    const int64_t rows = two ? s->y.shape[1] : 1, columns = s->y.shape[two ? 2 : 1];
    int64_t in, out;
    (void)reference;
    CASE_TRY(gm_tensor_elements(&s->x, &in));
    CASE_TRY(gm_tensor_elements(&s->y, &out));
    void *x = malloc((size_t)in * gm_dtype_size(s->x.dtype));
    void *y = malloc((size_t)out * gm_dtype_size(s->y.dtype));
    gm_status status =
        x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(context, &s->x, x);
    status = status == GM_STATUS_OK ? gm_case_download(context, &s->y, y) : status;
    double error = 0, norm = 0;
    for (int64_t i = 0; i < ENTRIES && status == GM_STATUS_OK; ++i) {
        const int64_t p = i * (rows - 1) / 7 % rows, k = i * (columns - 1) / (ENTRIES - 1);
        const int64_t at = out - rows * columns + p * columns + k;
        double sum[2];
        entry_sum(s, x, p, k, sum, &norm);
        error += pow(number(y, real, pairs ? 2 * at : at) - sum[0], 2);
        error += pairs ? pow(number(y, real, 2 * at + 1) - sum[1], 2) : 0;
    }
    free(x);
    free(y);
    const double n = (double)(two ? s->x.shape[1] * s->x.shape[2] : s->x.shape[1]);
    result->error = sqrt(error / ENTRIES);
    result->bound = 3 * (real == GM_F32 ? (double)FLT_EPSILON : DBL_EPSILON) * (1 + log2(4 * n)) *
                    norm; /* the bound of a prime n, at least that of the others */
    return status;
}

/* ---- convolution ----------------------------------------------------------------------------- */

typedef struct conv_bench {
    gm_conv_options options;
    gm_conv_plan *plan;
    gm_tensor x, w, y;
    void *workspace;
} conv_bench;

static void teardown_conv(gm_context *context, void *state) {
    conv_bench *s = state;
    if (s != NULL) {
        gm_conv_plan_destroy(s->plan);
        gm_case_free(context, &s->x);
        gm_case_free(context, &s->w);
        gm_case_free(context, &s->y);
        gm_memory_free(context, s->workspace);
    }
    free(s);
}

/* As many results as x has elements: `channels` in and out. */
static gm_status setup_conv(gm_context *context, gm_conv_algorithm algorithm, int32_t dims,
                            int64_t samples, int64_t channels, int64_t side, int64_t taps,
                            void **state) {
    conv_bench *s = calloc(1, sizeof *s);
    *state = s;
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    const int64_t x[] = {samples, channels, side, side}, w[] = {channels, channels, taps, taps};
    s->options = (gm_conv_options){.algorithm = algorithm};
    for (int32_t i = 0; i < dims; ++i) {
        s->options.pad_before[i] = (taps - 1) / 2;
        s->options.pad_after[i] = taps - 1 - (taps - 1) / 2;
    }
    CASE_TRY(make_normals(context, GM_F32, 2 + dims, x, &s->x));
    CASE_TRY(make_normals(context, GM_F32, 2 + dims, w, &s->w));
    CASE_TRY(gm_case_alloc(context, GM_F32, 2 + dims, x, &s->y));
    CASE_TRY(
        gm_conv_plan_create(context, GM_CONV_FORWARD, &s->x, &s->w, &s->y, &s->options, &s->plan));
    return gm_memory_alloc(context, gm_conv_workspace(s->plan), &s->workspace);
}

static gm_status run_conv(gm_context *context, void *state, int64_t round) {
    conv_bench *s = state;
    (void)context, (void)round;
    return gm_conv_execute(s->plan, NULL, &s->x, &s->w, &s->y, s->workspace,
                           gm_conv_workspace(s->plan));
}

/* The first output of the first sample on the reference: want. All tensors are in host memory. */
static gm_status reference_slice(gm_context *reference, const conv_bench *s, gm_tensor *x,
                                 gm_tensor *w, gm_tensor *want) {
    gm_conv_options o = s->options;
    o.algorithm = GM_CONV_CONTRACTION;
    gm_conv_plan *plan;
    void *workspace = NULL;
    CASE_TRY(gm_conv_plan_create(reference, GM_CONV_FORWARD, x, w, want, &o, &plan));
    const size_t bytes = gm_conv_workspace(plan);
    gm_status status = gm_memory_alloc(reference, bytes, &workspace);
    if (status == GM_STATUS_OK) {
        status = gm_conv_execute(plan, NULL, x, w, want, workspace, bytes);
    }
    gm_memory_free(reference, workspace);
    gm_conv_plan_destroy(plan);
    return status;
}

static gm_status verify_conv(gm_context *reference, gm_context *context, void *state,
                             gm_case_result *result) {
    const conv_bench *s = state;
    gm_tensor x = s->x, w = s->w, y = s->y, want = {0}, hosts[3] = {{0}};
    x.shape[0] = w.shape[0] = y.shape[0] = y.shape[1] = 1;
    const gm_tensor *const parts[] = {&x, &w, &y};
    gm_status status = GM_STATUS_OK;
    for (int i = 0; i < 3 && status == GM_STATUS_OK; ++i) {
        status = gm_case_alloc(reference, GM_F32, parts[i]->ndim, parts[i]->shape, &hosts[i]);
        status =
            status == GM_STATUS_OK ? gm_case_download(context, parts[i], hosts[i].data) : status;
    }
    status =
        status == GM_STATUS_OK ? gm_case_alloc(reference, GM_F32, y.ndim, y.shape, &want) : status;
    status = status == GM_STATUS_OK ? reference_slice(reference, s, &hosts[0], &hosts[1], &want)
                                    : status;
    int64_t elements = 0, terms = 0;
    if (status == GM_STATUS_OK && gm_tensor_elements(&want, &elements) == GM_STATUS_OK &&
        gm_tensor_elements(&hosts[1], &terms) == GM_STATUS_OK) {
        result->error = gm_case_difference(GM_F32, want.data, hosts[2].data, elements, NULL);
        /* conv.h's, with the norms of normals: |x| |w|, which bounds the sum's error too. */
        result->bound = 4 * (double)FLT_EPSILON * (1 + log2(4 * (double)elements)) *
                        sqrt((double)elements * (double)s->x.shape[1] * (double)terms);
    }
    gm_case_free(reference, &want);
    for (int i = 0; i < 3; ++i) {
        gm_case_free(reference, &hosts[i]);
    }
    return status;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* name, operation, kind, batch, rows (0: one axis), columns, shape, operations of one / (n log2 n),
 * log2 n, reals in and out of one */
#define TRANSFORMS(X)                                                                              \
    X(line_256, "fft", FORWARD, 16384, 0, 256, "b=16384 n=256", 5, 8, 1024)                        \
    X(line_1024, "fft", FORWARD, 4096, 0, 1024, "b=4096 n=1024", 5, 10, 4096)                      \
    X(line_4096, "fft", FORWARD, 1024, 0, 4096, "b=1024 n=4096", 5, 12, 16384)                     \
    X(line_65536, "fft", FORWARD, 64, 0, 65536, "b=64 n=65536", 5, 16, 262144)                     \
    X(line_2_20, "fft", FORWARD, 4, 0, 1048576, "b=4 n=2^20", 5, 20, 4194304)                      \
    X(prime, "fft", FORWARD, 4096, 0, 1021, "b=4096 n=1021", 5, 9.9958, 4084)                      \
    X(real, "fft real", REAL_TO_COMPLEX, 8192, 0, 1024, "b=8192 n=1024", 2.5, 10, 2050)            \
    X(cosine, "fft dct2", DCT2, 8192, 0, 1024, "b=8192 n=1024", 2.5, 10, 2048)                     \
    X(plane, "fft 2 axes", FORWARD, 4, 1024, 1024, "b=4 n=1024x1024", 5, 20, 4194304)

#define DEFINE(name, operation, kind, batch, rows, columns, shape, each, log_n, reals)             \
    static gm_status setup_##name##_f64(gm_context *context, void **state) {                       \
        return setup_fft(context, GM_FFT_##kind, GM_F64, batch, rows, columns, state);             \
    }                                                                                              \
    static gm_status setup_##name##_f32(gm_context *context, void **state) {                       \
        return setup_fft(context, GM_FFT_##kind, GM_F32, batch, rows, columns, state);             \
    }
TRANSFORMS(DEFINE)
#undef DEFINE

/* name, dimensions, samples, channels, side, taps, shape, results, products of each */
#define CONVOLUTIONS(X)                                                                            \
    X(short_line, 1, 1, 1, 65536, 64, "x=65536 k=64", 65536, 64)                                   \
    X(long_line, 1, 1, 1, 65536, 1024, "x=65536 k=1024", 65536, 1024)                              \
    X(short_lines, 1, 8, 8, 4096, 16, "nc=8 x=4096 k=16", 262144, 128)                             \
    X(long_lines, 1, 8, 8, 4096, 256, "nc=8 x=4096 k=256", 262144, 2048)                           \
    X(small_window, 2, 4, 8, 128, 5, "n=4 c=8 x=128x128 k=5x5", 524288, 200)                       \
    X(large_window, 2, 4, 8, 128, 31, "n=4 c=8 x=128x128 k=31x31", 524288, 7688)

#define DEFINE(name, dims, samples, channels, side, taps, shape, results, products)                \
    static gm_status setup_##name##_sum(gm_context *context, void **state) {                       \
        return setup_conv(context, GM_CONV_CONTRACTION, dims, samples, channels, side, taps,       \
                          state);                                                                  \
    }                                                                                              \
    static gm_status setup_##name##_fft(gm_context *context, void **state) {                       \
        return setup_conv(context, GM_CONV_FFT, dims, samples, channels, side, taps, state);       \
    }
CONVOLUTIONS(DEFINE)

#define FFT_ENTRY(operation, dtype, name, shape, flops, bytes)                                     \
    {operation, #dtype, shape, setup_##name##_##dtype, run_fft, verify_fft, teardown_fft, flops,   \
     bytes,     0,      NULL},
#define ENTRY(name, operation, kind, batch, rows, columns, shape, each, log_n, reals)              \
    FFT_ENTRY(operation, f64, name, shape,                                                         \
              (each) * (log_n) * (batch) * (columns) * ((rows) > 0 ? (rows) : 1),                  \
              8.0 * (batch) * (reals))                                                             \
    FFT_ENTRY(operation, f32, name, shape,                                                         \
              (each) * (log_n) * (batch) * (columns) * ((rows) > 0 ? (rows) : 1),                  \
              4.0 * (batch) * (reals))
#define CONV_ENTRY(operation, way, name, shape, results, products)                                 \
    {operation,       "f32",       shape,         setup_##name##_##way,                            \
     run_conv,        verify_conv, teardown_conv, 2.0 * (results) * (products),                    \
     8.0 * (results), 0,           NULL},
#define CONV_ENTRIES(name, dims, samples, channels, side, taps, shape, results, products)          \
    CONV_ENTRY("conv by the sum", sum, name, shape, results, products)                             \
    CONV_ENTRY("conv by transforms", fft, name, shape, results, products)
const gm_bench_case gm_fft_bench[] = {TRANSFORMS(ENTRY) CONVOLUTIONS(CONV_ENTRIES)};
const int gm_fft_bench_count = sizeof gm_fft_bench / sizeof gm_fft_bench[0];
