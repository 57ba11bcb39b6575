/*
 * Benchmarks of linear algebra on batches of matrices: thousands of tiny ones, where what a call
 * costs decides, to a few that fill a cache. Entries are in [-1, 1) with n added to the diagonal:
 * far from singular, and what is read of them by Cholesky is positive definite.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/decompose.h>
#include <genmath/matrix_function.h>

#include "host/cli/bench.h"
#include "host/cli/ensemble_case.h"

enum { COMPARED = 2 }; /* problems of a batch */

/* The operands of every operation; (batch, n, n) unless said otherwise. */
typedef struct linalg_operands {
    gm_tensor a, first, second;
    gm_tensor column, solution; /* (batch, n, 1) */
    gm_tensor values;           /* (batch, n) */
    gm_tensor permutation;      /* (batch, n) i32 */
} linalg_operands;

typedef struct linalg_state {
    linalg_operands on;
    gm_workspace workspace;
} linalg_state;

/* name, multiplications and additions over n^3, which of the outputs is unique, the call */
#define OPERATIONS(X)                                                                              \
    X(lu, 2.0 / 3, first, gm_linalg_lu(context, &o->a, &o->first, &o->permutation, NULL, w))       \
    X(cholesky, 1.0 / 3, first, gm_linalg_cholesky(context, &o->a, &o->first, NULL, w))            \
    X(qr, 8.0 / 3, second, gm_linalg_qr(context, &o->a, &o->first, &o->second, NULL, w))           \
    X(solve, 2.0 / 3, solution,                                                                    \
      gm_linalg_solve(context, &o->a, &o->column, &o->solution, NULL, w))                          \
    X(inverse, 2.0, first, gm_linalg_inverse(context, &o->a, &o->first, NULL, w))                  \
    X(eigen_hermitian, 9.0, values,                                                                \
      gm_linalg_eigen_hermitian(context, &o->a, &o->values, &o->first, NULL, w))                   \
    X(svd, 26.0, values,                                                                           \
      gm_linalg_svd(context, &o->a, &o->first, &o->values, &o->second, NULL, w))                   \
    X(exp, 0, first, gm_linalg_exp(context, 1.0 / (double)o->a.shape[1], &o->a, &o->first, NULL, w))

typedef gm_status (*linalg_call)(gm_context *context, const linalg_operands *o, gm_workspace *w);

static gm_status upload(gm_context *context, gm_dtype dtype, int64_t batch, int64_t n,
                        linalg_operands *on) {
    const int64_t shape[] = {batch, n, n}, thin[] = {batch, n, 1}, entries = batch * n * n;
    double *values = malloc((size_t)entries * sizeof *values);
    if (values == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    uint64_t seed = 7;
    for (int64_t i = 0; i < entries; ++i) {
        const double x = case_random(&seed, -1, 1) + (i % (n * n) % (n + 1) == 0 ? (double)n : 0);
        if (dtype == GM_F64) {
            values[i] = x;
        } else {
            ((float *)values)[i] = (float)x;
        }
    }
    gm_status status = gm_case_upload(context, values, dtype, 3, shape, &on->a);
    status = status == GM_STATUS_OK ? gm_case_upload(context, values, dtype, 3, thin, &on->column)
                                    : status;
    free(values);
    return status;
}

static gm_status prepare(gm_context *context, gm_dtype dtype, int64_t batch, int64_t n,
                         linalg_operands *on) {
    const int64_t shape[] = {batch, n, n}, thin[] = {batch, n, 1};
    const struct {
        gm_tensor *tensor;
        gm_dtype dtype;
        int32_t ndim;
        const int64_t *shape;
    } outputs[] = {{&on->first, dtype, 3, shape},
                   {&on->second, dtype, 3, shape},
                   {&on->solution, dtype, 3, thin},
                   {&on->values, dtype, 2, shape},
                   {&on->permutation, GM_I32, 2, shape}};
    gm_status status = upload(context, dtype, batch, n, on);
    for (size_t i = 0; status == GM_STATUS_OK && i < sizeof outputs / sizeof outputs[0]; ++i) {
        status = gm_case_alloc(context, outputs[i].dtype, outputs[i].ndim, outputs[i].shape,
                               outputs[i].tensor);
    }
    return status;
}

static void release(gm_context *context, linalg_operands *on) {
    gm_tensor *const all[] = {&on->a,        &on->first,  &on->second,     &on->column,
                              &on->solution, &on->values, &on->permutation};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        gm_case_free(context, all[i]);
    }
}

static gm_status setup_linalg(gm_context *context, gm_dtype dtype, int64_t batch, int64_t n,
                              linalg_call call, void **state) {
    linalg_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = prepare(context, dtype, batch, n, &made->on);
    status = status == GM_STATUS_OK ? call(context, &made->on, &made->workspace) : status;
    return status == GM_STATUS_OK
               ? gm_memory_alloc(context, made->workspace.bytes, &made->workspace.data)
               : status;
}

static void teardown_linalg(gm_context *context, void *state) {
    linalg_state *s = state;
    if (s != NULL) {
        release(context, &s->on);
        gm_memory_free(context, s->workspace.data);
    }
    free(s);
}

static double entry(const gm_tensor *tensor, const void *data, int64_t i) {
    return tensor->dtype == GM_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* The largest difference of magnitudes, a factor of modulus 1 being free in some, over the largest
 * magnitude, in units of the roundoff times n. */
static gm_status compare(gm_context *reference, gm_context *context, const gm_tensor *wanted,
                         const gm_tensor *got, int64_t n, gm_case_result *result) {
    int64_t all = 0, compared = 0;
    gm_tensor_elements(got, &all);
    gm_tensor_elements(wanted, &compared);
    const size_t size = gm_dtype_size(got->dtype);
    char *const host = malloc((size_t)(all + compared) * size), *const want =
                                                                    host + (size_t)all * size;
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = gm_case_download(context, got, host);
    status = status == GM_STATUS_OK ? gm_case_download(reference, wanted, want) : status;
    double largest = 0, apart = 0;
    for (int64_t i = 0; status == GM_STATUS_OK && i < compared; ++i) {
        const double difference = fabs(fabs(entry(got, host, i)) - fabs(entry(wanted, want, i)));
        largest = fmax(largest, fabs(entry(wanted, want, i)));
        apart = difference <= apart ? apart : difference; /* a NaN stays */
    }
    free(host);
    result->error = apart / (largest * case_unit(got->dtype) * (double)n);
    result->bound = 8;
    return status;
}

static gm_status verify_linalg(gm_context *reference, gm_context *context, linalg_state *s,
                               linalg_call call, size_t unique, gm_case_result *result) {
    const int64_t batch = s->on.a.shape[0] < COMPARED ? s->on.a.shape[0] : COMPARED;
    const int64_t n = s->on.a.shape[1];
    linalg_state expected = {0};
    /* Fewer problems are the first ones: their numbers are drawn in order. */
    gm_status status = prepare(reference, s->on.a.dtype, batch, n, &expected.on);
    status = status == GM_STATUS_OK ? call(reference, &expected.on, &expected.workspace) : status;
    status = status == GM_STATUS_OK
                 ? gm_memory_alloc(reference, expected.workspace.bytes, &expected.workspace.data)
                 : status;
    status = status == GM_STATUS_OK ? call(reference, &expected.on, &expected.workspace) : status;
    if (status == GM_STATUS_OK) {
        status = compare(reference, context, (const gm_tensor *)((char *)&expected.on + unique),
                         (const gm_tensor *)((char *)&s->on + unique), n, result);
    }
    release(reference, &expected.on);
    gm_memory_free(reference, expected.workspace.data);
    return status;
}

#define DEFINE(name, flops, unique, expression)                                                    \
    static gm_status call_##name(gm_context *context, const linalg_operands *o, gm_workspace *w) { \
        return expression;                                                                         \
    }                                                                                              \
    static gm_status run_##name(gm_context *context, void *state, int64_t round) {                 \
        linalg_state *s = state;                                                                   \
        (void)round;                                                                               \
        return call_##name(context, &s->on, &s->workspace);                                        \
    }                                                                                              \
    static gm_status verify_##name(gm_context *reference, gm_context *context, void *state,        \
                                   gm_case_result *result) {                                       \
        return verify_linalg(reference, context, state, call_##name,                               \
                             offsetof(linalg_operands, unique), result);                           \
    }
OPERATIONS(DEFINE)

#define SIZED(name, type, dtype, batch, n)                                                         \
    static gm_status setup_##name##_##type##_##n(gm_context *context, void **state) {              \
        return setup_linalg(context, dtype, batch, n, call_##name, state);                         \
    }
#define ALL_SIZES(name, flops, unique, expression)                                                 \
    SIZED(name, f32, GM_F32, 16384, 8)                                                             \
    SIZED(name, f32, GM_F32, 1024, 32)                                                             \
    SIZED(name, f64, GM_F64, 16384, 8)                                                             \
    SIZED(name, f64, GM_F64, 1024, 32)                                                             \
    SIZED(name, f64, GM_F64, 16, 128)
OPERATIONS(ALL_SIZES)

/* Two matrices or more are read and written. */
#define ENTRY(name, type, size, batch, n, count)                                                   \
    {"linalg " #name,                                                                              \
     #type,                                                                                        \
     "batch=" #batch " n=" #n,                                                                     \
     setup_##name##_##type##_##n,                                                                  \
     run_##name,                                                                                   \
     verify_##name,                                                                                \
     teardown_linalg,                                                                              \
     (count) * (batch) * (n) * (n) * (n),                                                          \
     2.0 * (size) * (batch) * (n) * (n),                                                           \
     batch,                                                                                        \
     "matrices"},
#define ALL_ENTRIES(name, flops, unique, expression)                                               \
    ENTRY(name, f32, 4, 16384, 8, flops)                                                           \
    ENTRY(name, f32, 4, 1024, 32, flops)                                                           \
    ENTRY(name, f64, 8, 16384, 8, flops)                                                           \
    ENTRY(name, f64, 8, 1024, 32, flops)                                                           \
    ENTRY(name, f64, 8, 16, 128, flops)
const gm_bench_case gm_linalg_bench[] = {OPERATIONS(ALL_ENTRIES)};
const int gm_linalg_bench_count = sizeof gm_linalg_bench / sizeof gm_linalg_bench[0];
