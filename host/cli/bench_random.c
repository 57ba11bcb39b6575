/* Benchmarks of the random fills. */
#include <stdio.h>
#include <stdlib.h>

#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/bench.h"

/* Two outputs of which each is larger than a cache, in turn. */
enum { ELEMENTS = 1 << 24, SETS = 2, CHECKED = 1 << 16 };

typedef struct fill_state {
    gm_tensor sets[SETS];
} fill_state;

typedef gm_status (*fill_function)(gm_context *context, const gm_random_stream *stream,
                                   const gm_tensor *out);

static gm_random_stream stream_from(uint64_t index) {
    return (gm_random_stream){.seed = 20240501, .index = index, .stream = GM_STREAM_FILL};
}

static gm_status setup_fill(gm_context *context, gm_dtype dtype, void **state) {
    fill_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    const int64_t shape[1] = {ELEMENTS};
    gm_status status = GM_STATUS_OK;
    for (int i = 0; i < SETS && status == GM_STATUS_OK; ++i) {
        status = gm_case_alloc(context, dtype, 1, shape, &made->sets[i]);
    }
    return status;
}

static void teardown_fill(gm_context *context, void *state) {
    fill_state *made = state;
    for (int i = 0; i < SETS && made != NULL; ++i) {
        gm_case_free(context, &made->sets[i]);
    }
    free(made);
}

/* Element i is a function of i alone, so the reference makes any part by itself. */
static gm_status compare_part(gm_context *reference, gm_context *context, fill_function fill,
                              const gm_tensor *whole, int64_t first, gm_case_result *result) {
    const int64_t shape[1] = {CHECKED};
    const size_t size = gm_dtype_size(whole->dtype);
    gm_tensor expected = {0}, part = gm_tensor_1d((char *)whole->data + first * (int64_t)size,
                                                  whole->dtype, CHECKED);
    void *a = malloc(CHECKED * size), *b = malloc(CHECKED * size);
    const gm_random_stream stream = stream_from((uint64_t)first);
    gm_status status = a == NULL || b == NULL
                           ? GM_STATUS_OUT_OF_MEMORY
                           : gm_case_alloc(reference, whole->dtype, 1, shape, &expected);
    status = status == GM_STATUS_OK ? fill(reference, &stream, &expected) : status;
    status = status == GM_STATUS_OK ? gm_case_download(reference, &expected, a) : status;
    status = status == GM_STATUS_OK ? gm_case_download(context, &part, b) : status;
    if (status == GM_STATUS_OK) {
        result->error += (double)gm_case_bit_differences(size, a, b, CHECKED, NULL);
    }
    gm_case_free(reference, &expected);
    free(a);
    free(b);
    return status;
}

static gm_status verify_fill(gm_context *reference, gm_context *context, fill_function fill,
                             void *state, gm_case_result *result) {
    const gm_tensor *whole = &((fill_state *)state)->sets[0];
    static const int64_t firsts[] = {0, ELEMENTS / 2 - CHECKED / 2, ELEMENTS - CHECKED};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; ++i) {
        const gm_status status = compare_part(reference, context, fill, whole, firsts[i], result);
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    return GM_STATUS_OK;
}

/* name, operation, dtype, its text, bytes of an element, what is counted, the call */
#define FILLS(X)                                                                                   \
    X(u32, "random_fill u32", GM_U32, "u32", 4, "words", gm_random_fill_u32(context, stream, out)) \
    X(uniform_f32, "random_fill uniform", GM_F32, "f32", 4, "uniforms",                            \
      gm_random_fill_uniform(context, stream, 0, 1, out))                                          \
    X(uniform_f64, "random_fill uniform", GM_F64, "f64", 8, "uniforms",                            \
      gm_random_fill_uniform(context, stream, 0, 1, out))                                          \
    X(normal_f32, "random_fill normal", GM_F32, "f32", 4, "normals",                               \
      gm_random_fill_normal(context, stream, 0, 1, out))                                           \
    X(normal_f64, "random_fill normal", GM_F64, "f64", 8, "normals",                               \
      gm_random_fill_normal(context, stream, 0, 1, out))                                           \
    X(exponential_f32, "random_fill exponential", GM_F32, "f32", 4, "draws",                       \
      gm_random_fill_exponential(context, stream, 1, out))                                         \
    X(bernoulli_u8, "random_fill bernoulli", GM_U8, "u8", 1, "draws",                              \
      gm_random_fill_bernoulli(context, stream, 0.3, out))                                         \
    X(integers_i32, "random_fill integers", GM_I32, "i32", 4, "draws",                             \
      gm_random_fill_integers(context, stream, 0, 1000, out))

#define DEFINE(name, operation, dtype, text, size, item, call)                                     \
    static gm_status fill_##name(gm_context *context, const gm_random_stream *stream,              \
                                 const gm_tensor *out) {                                           \
        return call;                                                                               \
    }                                                                                              \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_fill(context, dtype, state);                                                  \
    }                                                                                              \
    static gm_status run_##name(gm_context *context, void *state, int64_t round) {                 \
        const gm_random_stream stream = stream_from((uint64_t)round * ELEMENTS);                   \
        return fill_##name(context, &stream, &((fill_state *)state)->sets[round % SETS]);          \
    }                                                                                              \
    static gm_status verify_##name(gm_context *reference, gm_context *context, void *state,        \
                                   gm_case_result *result) {                                       \
        return verify_fill(reference, context, fill_##name, state, result);                        \
    }
FILLS(DEFINE)

#define ENTRY(name, operation, dtype, text, size, item, call)                                      \
    {operation,     text,       "n=16777216",                                                      \
     setup_##name,  run_##name, verify_##name,                                                     \
     teardown_fill, 0,          (double)ELEMENTS * (size),                                         \
     ELEMENTS,      item},
const gm_bench_case gm_random_bench[] = {FILLS(ENTRY)};
const int gm_random_bench_count = sizeof gm_random_bench / sizeof gm_random_bench[0];
