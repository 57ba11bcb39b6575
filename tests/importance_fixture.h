/*
 * What the tests of importance sampling share: arrays in a context's memory, workspaces, and a
 * posterior that is known.
 */
#ifndef GENMATH_TESTS_IMPORTANCE_FIXTURE_H
#define GENMATH_TESTS_IMPORTANCE_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/importance.h>
#include <genmath/philox.h>

enum { MOST_ARRAYS = 24 };

/* Arrays in a context's memory, each with guards of 64 bytes, freed together. */
typedef struct arrays {
    gm_context *context;
    struct {
        char *memory, *before;
        size_t bytes;
    } held[MOST_ARRAYS];
    int count;
} arrays;

enum { GUARD = 64 };

static inline gm_tensor put(arrays *all, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                            const void *values) {
    assert_true(all->count < MOST_ARRAYS);
    gm_tensor t = {.dtype = dtype, .ndim = ndim};
    int64_t elements = 1;
    for (int32_t axis = ndim - 1; axis >= 0; --axis) {
        t.shape[axis] = shape[axis];
        t.stride[axis] = elements;
        elements *= shape[axis];
    }
    const size_t bytes = (size_t)elements * gm_dtype_size(dtype);
    char *before = malloc(bytes + 2 * GUARD);
    void *memory;
    assert_non_null(before);
    memset(before, 0xff, bytes + 2 * GUARD);
    if (values != NULL) {
        memcpy(before + GUARD, values, bytes);
    }
    ASSERT_OK(all->context, gm_memory_alloc(all->context, bytes + 2 * GUARD, &memory));
    ASSERT_OK(all->context, gm_memory_upload(all->context, memory, before, bytes + 2 * GUARD));
    all->held[all->count].memory = memory;
    all->held[all->count].before = before;
    all->held[all->count++].bytes = bytes + 2 * GUARD;
    t.data = (char *)memory + GUARD;
    return t;
}

/* Reals given as doubles, in either type. */
static inline gm_tensor put_reals(arrays *all, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                                  const double *values) {
    int64_t n = 1;
    for (int32_t axis = 0; axis < ndim; ++axis) {
        n *= shape[axis];
    }
    float *narrow = malloc((size_t)(n + 1) * sizeof *narrow);
    assert_non_null(narrow);
    for (int64_t i = 0; i < n; ++i) {
        narrow[i] = (float)values[i];
    }
    const gm_tensor t =
        put(all, dtype, ndim, shape, dtype == GM_F64 ? (const void *)values : narrow);
    free(narrow);
    return t;
}

static inline void take(arrays *all, const gm_tensor *t, void *values) {
    size_t bytes = gm_dtype_size(t->dtype);
    for (int32_t axis = 0; axis < t->ndim; ++axis) {
        bytes *= (size_t)t->shape[axis];
    }
    ASSERT_OK(all->context, gm_memory_download(all->context, values, t->data, bytes));
}

static inline void close_arrays(arrays *all) {
    for (int i = 0; i < all->count; ++i) {
        const size_t bytes = all->held[i].bytes;
        char *now = malloc(bytes);
        assert_non_null(now);
        ASSERT_OK(all->context, gm_memory_download(all->context, now, all->held[i].memory, bytes));
        assert_memory_equal(now, all->held[i].before, GUARD);
        assert_memory_equal(now + bytes - GUARD, all->held[i].before + bytes - GUARD, GUARD);
        ASSERT_OK(all->context, gm_memory_free(all->context, all->held[i].memory));
        free(all->held[i].before);
        free(now);
    }
    all->count = 0;
}

static inline bool is_close(double a, double b, double relative) {
    return isnan(a) || isinf(a) ? (isnan(a) ? isnan(b) : a == b)
                                : fabs(a - b) <= relative * fabs(b);
}

/* A workspace of exactly the bytes that a call asks for. */
#define WITH_WORKSPACE(all, call)                                                                  \
    do {                                                                                           \
        gm_workspace work = {0};                                                                   \
        ASSERT_OK((all)->context, call);                                                           \
        assert_true(work.bytes > 0);                                                               \
        const size_t asked = work.bytes;                                                           \
        const gm_tensor room = put((all), GM_U8, 1, (const int64_t[]){(int64_t)asked}, NULL);      \
        work.data = room.data;                                                                     \
        ASSERT_OK((all)->context, call);                                                           \
    } while (0)

/* A likelihood of mean y[0] and one datum p[0], a prior of variance p[1]. */
GM_DENSITY(
    posterior, 1, 2,
    {
        const real away = p[0] - y[0];
        logp[0] = (real)-0.5 * (away * away + y[0] * y[0] / p[1]);
    },
    { grad[0] = p[0] - y[0] - y[0] / p[1]; })

#endif
