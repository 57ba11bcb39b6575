/*
 * Conformance cases of the random fills: not one bit may differ from the reference, whatever the
 * size, the first index, the strides or the cut into slices, and nothing beside the tensor may
 * change.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/philox.h>
#include <genmath/random.h>

#include "host/cli/cases.h"

typedef gm_status (*fill_function)(gm_context *context, const gm_random_stream *stream,
                                   const gm_tensor *out);

/* Elements after the tensor that must stay as they are: more than a block of any kernel. */
enum { GUARD = 1024 };

/*
 * Fills a part of a fresh buffer of `size` elements and brings all of it to the host, to be freed.
 * The view covers the elements of `buffer_view` moved by start; with cut > 0 it is one-dimensional
 * and filled in two calls.
 */
static gm_status fill_buffer(gm_context *context, fill_function fill,
                             const gm_random_stream *stream, const gm_tensor *buffer_view,
                             int64_t start, int64_t cut, int64_t size, void **host) {
    const size_t element = gm_dtype_size(buffer_view->dtype);
    gm_tensor buffer = {0};
    gm_status status = gm_case_alloc(context, buffer_view->dtype, 1, &size, &buffer);
    void *copy = malloc((size_t)size * element);
    if (status == GM_STATUS_OK && copy == NULL) {
        status = GM_STATUS_OUT_OF_MEMORY;
    }
    if (status == GM_STATUS_OK) {
        gm_tensor view = *buffer_view;
        view.data = (char *)buffer.data + start * (int64_t)element;
        if (cut > 0) {
            gm_tensor tail = view;
            gm_random_stream later = *stream;
            view.shape[0] = cut;
            tail.shape[0] -= cut;
            tail.data = (char *)view.data + cut * (int64_t)element;
            later.index += (uint64_t)cut;
            status = fill(context, &later, &tail);
        }
        status = status == GM_STATUS_OK ? fill(context, stream, &view) : status;
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &buffer, copy);
    }
    gm_case_free(context, &buffer);
    if (status == GM_STATUS_OK) {
        *host = copy;
    } else {
        free(copy);
    }
    return status;
}

/* Adds the number of differing elements between a plain fill by the reference and one by the
 * subject. */
static gm_status compare(gm_context *reference, gm_context *subject, fill_function fill,
                         const gm_random_stream *stream, const gm_tensor *view, int64_t start,
                         int64_t cut, int64_t size, gm_case_result *result) {
    void *expected, *got;
    gm_status status = fill_buffer(reference, fill, stream, view, start, 0, size, &expected);
    if (status != GM_STATUS_OK) {
        return status;
    }
    status = fill_buffer(subject, fill, stream, view, start, cut, size, &got);
    if (status == GM_STATUS_OK) {
        int64_t where;
        const int64_t count =
            gm_case_bit_differences(gm_dtype_size(view->dtype), expected, got, size, &where);
        if (count > 0 && result->error == 0) {
            snprintf(
                result->detail, sizeof result->detail,
                "%lld of %lld elements differ, first at %lld (index %llu, %d dimensions, cut %lld)",
                (long long)count, (long long)size, (long long)where,
                (unsigned long long)stream->index, (int)view->ndim, (long long)cut);
        }
        result->error += (double)count;
        free(got);
    }
    free(expected);
    return status;
}

static gm_status run_fill(gm_context *reference, gm_context *subject, fill_function fill,
                          gm_dtype dtype, gm_case_result *result) {
    static const int64_t sizes[] = {0, 1, 2, 3, 4, 5, 31, 32, 33, 255, 257, 1023, 4099, 20011};
    static const uint64_t indices[] = {0, 1, 2, 7, (UINT64_C(1) << 32) - 3, UINT64_MAX - 30000};
    gm_status status = GM_STATUS_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && status == GM_STATUS_OK; ++i) {
        const gm_random_stream stream = {.seed = 0x9e3779b97f4a7c15u + i,
                                         .index = indices[i % (sizeof indices / sizeof indices[0])],
                                         .stream =
                                             i % 2 == 0 ? GM_STREAM_FILL : GM_STREAM_USER + 3};
        const gm_tensor view = gm_tensor_1d(NULL, dtype, sizes[i]);
        status = compare(reference, subject, fill, &stream, &view, 0, sizes[i] / 3,
                         sizes[i] + GUARD, result);
    }
    /* A transposed, a padded and a backwards view. */
    static const struct {
        int64_t shape[3], stride[3], start;
    } views[] = {{{7, 5, 33}, {1, 7, 35}, 0},
                 {{4, 3, 257}, {1200, 300, 1}, 5},
                 {{9, 1, 101}, {-101, 0, -1}, 908}};
    for (size_t i = 0; i < sizeof views / sizeof views[0] && status == GM_STATUS_OK; ++i) {
        const gm_random_stream stream = {.seed = 12345, .index = 1 + i, .stream = GM_STREAM_FILL};
        gm_tensor view = {.dtype = dtype, .ndim = 3};
        for (int axis = 0; axis < 3; ++axis) {
            view.shape[axis] = views[i].shape[axis];
            view.stride[axis] = views[i].stride[axis];
        }
        status = compare(reference, subject, fill, &stream, &view, views[i].start, 0, 6000, result);
    }
    return status;
}

/* name, dtype, the call */
#define FILLS(X)                                                                                   \
    X(u32, GM_U32, gm_random_fill_u32(context, stream, out))                                       \
    X(uniform_f32, GM_F32, gm_random_fill_uniform(context, stream, -0.3, 2.7, out))                \
    X(uniform_f64, GM_F64, gm_random_fill_uniform(context, stream, -0.3, 2.7, out))                \
    X(normal_f32, GM_F32, gm_random_fill_normal(context, stream, 0.1, 1.7, out))                   \
    X(normal_f64, GM_F64, gm_random_fill_normal(context, stream, 0.1, 1.7, out))                   \
    X(exponential_f32, GM_F32, gm_random_fill_exponential(context, stream, 0.7, out))              \
    X(exponential_f64, GM_F64, gm_random_fill_exponential(context, stream, 0.7, out))              \
    X(bernoulli_u8, GM_U8, gm_random_fill_bernoulli(context, stream, 0.3, out))                    \
    X(bernoulli_bool, GM_BOOL, gm_random_fill_bernoulli(context, stream, 0.5, out))                \
    X(integers_i32, GM_I32, gm_random_fill_integers(context, stream, -10, 2147483647, out))        \
    X(integers_u32, GM_U32, gm_random_fill_integers(context, stream, 3, 4294967296, out))          \
    X(integers_i64, GM_I64,                                                                        \
      gm_random_fill_integers(context, stream, -5000000000, -705032704, out))                      \
    X(curand_u32, GM_U32, gm_random_fill_curand_u32(context, stream->seed, 3, stream->index, out)) \
    X(curand_f32, GM_F32,                                                                          \
      gm_random_fill_curand_uniform(context, stream->seed, 0, stream->index, out))                 \
    X(curand_f64, GM_F64,                                                                          \
      gm_random_fill_curand_uniform(context, stream->seed, 5, stream->index, out))

#define DEFINE(name, dtype, call)                                                                  \
    static gm_status fill_##name(gm_context *context, const gm_random_stream *stream,              \
                                 const gm_tensor *out) {                                           \
        return call;                                                                               \
    }                                                                                              \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return run_fill(reference, subject, fill_##name, dtype, result);                           \
    }
FILLS(DEFINE)

#define ENTRY(name, dtype, call) {"random_fill/" #name, run_##name},
const gm_case gm_random_cases[] = {FILLS(ENTRY)};
const int gm_random_cases_count = sizeof gm_random_cases / sizeof gm_random_cases[0];
