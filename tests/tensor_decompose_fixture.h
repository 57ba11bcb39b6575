/*
 * What the tests of low-rank approximation share: contexts, arrays in the memory of each backend,
 * calls with a workspace that is poisoned before and guarded behind, and sums over all indices.
 */
#ifndef GENMATH_TESTS_TENSOR_DECOMPOSE_FIXTURE_H
#define GENMATH_TESTS_TENSOR_DECOMPOSE_FIXTURE_H

#include "support.h"

#include <float.h>
#include <math.h>

#include <genmath/decompose.h>
#include <genmath/random.h>
#include <genmath/tensor_decompose.h>

enum { REF, CPU, CPU_3, EMU, PLACES };
static gm_context *contexts[PLACES]; /* NULL: not here */

static int open_places(void **state) {
    static const gm_context_options options[PLACES] = {
        {.backend = GM_BACKEND_REF},
        {.backend = GM_BACKEND_CPU, .threads = 1},
        {.backend = GM_BACKEND_CPU, .threads = 3},
        {.backend = GM_BACKEND_EMU},
    };
    (void)state;
    for (int i = 0; i < PLACES; ++i) {
        const gm_status status = gm_context_create(&options[i], &contexts[i]);
        if (status != GM_STATUS_OK) {
            contexts[i] = NULL;
            printf("skip: %s\n", gm_last_error(NULL));
            assert_int_equal(i, EMU);
        }
    }
    return 0;
}

static int close_places(void **state) {
    (void)state;
    for (int i = 0; i < PLACES; ++i) {
        gm_context_destroy(contexts[i]);
    }
    return 0;
}

/* Every host; the emulator has tests of its own. */
#define FOR_HOSTS(c) for (gm_context **at = contexts, *c = *at; at < contexts + EMU; c = *++at)

/* A call that takes &workspace: its size first, then with memory that is poisoned and guarded. */
#define RUN(c, call)                                                                               \
    do {                                                                                           \
        gm_workspace workspace = {NULL, 0};                                                        \
        ASSERT_OK(c, call);                                                                        \
        workspace = poisoned_workspace(c, workspace.bytes);                                        \
        ASSERT_OK(c, call);                                                                        \
        check_guard(c, &workspace);                                                                \
    } while (0)

/* Whether a backend has what the decompositions are built of; else a skip is printed. */
__attribute__((unused)) static bool has_linear_algebra(gm_context *c) {
    void *memory = NULL;
    gm_approximation_report report;
    gm_workspace none = {NULL, 0};
    ASSERT_OK(c, gm_memory_alloc(c, 256, &memory));
    const gm_tensor a = gm_tensor_2d(memory, GM_F64, 2, 2);
    const gm_tensor s = gm_tensor_1d((double *)memory + 8, GM_F64, 1);
    const gm_svd_options o = {.method = GM_SVD_RANDOMIZED};
    const gm_status status = gm_svd_truncated(c, &o, &a, NULL, &s, NULL, &report, &none);
    ASSERT_OK(c, gm_memory_free(c, memory));
    if (status == GM_STATUS_UNSUPPORTED) {
        printf("skip: %s\n", gm_last_error(c));
        return false;
    }
    assert_int_equal(status, GM_STATUS_OK);
    return true;
}

enum { GUARD = 64 };

static gm_workspace poisoned_workspace(gm_context *c, size_t bytes) {
    gm_workspace workspace = {NULL, bytes};
    assert_true(bytes > 0);
    uint8_t *poison = malloc(bytes + GUARD);
    memset(poison, 0xff, bytes + GUARD);
    ASSERT_OK(c, gm_memory_alloc(c, bytes + GUARD, &workspace.data));
    ASSERT_OK(c, gm_memory_upload(c, workspace.data, poison, bytes + GUARD));
    free(poison);
    return workspace;
}

static void check_guard(gm_context *c, const gm_workspace *workspace) {
    uint8_t guard[GUARD];
    ASSERT_OK(c, gm_memory_download(c, guard, (char *)workspace->data + workspace->bytes, GUARD));
    for (int i = 0; i < GUARD; ++i) {
        assert_int_equal(guard[i], 0xff);
    }
    ASSERT_OK(c, gm_memory_free(c, workspace->data));
}

/* ---- arrays ------------------------------------------------------------------------------------
 */

static int64_t count_of(const gm_tensor *t) {
    int64_t count = 0;
    assert_int_equal(gm_tensor_elements(t, &count), GM_STATUS_OK);
    return count;
}

/* A row-major array of the backend; values NULL: all NaN. */
static gm_tensor make(gm_context *c, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                      const double *values) {
    gm_tensor t;
    assert_int_equal(gm_tensor_view(NULL, dtype, ndim, shape, &t), GM_STATUS_OK);
    const int64_t count = count_of(&t);
    const size_t bytes = (size_t)count * gm_dtype_size(dtype);
    double *wide = malloc((size_t)count * sizeof *wide + 1);
    float *narrow = (float *)(void *)wide;
    for (int64_t i = 0; i < count; ++i) {
        const double value = values != NULL ? values[i] : (double)NAN;
        if (dtype == GM_F32) {
            narrow[i] = (float)value;
        } else {
            wide[i] = value;
        }
    }
    ASSERT_OK(c, gm_memory_alloc(c, bytes, &t.data));
    ASSERT_OK(c, gm_memory_upload(c, t.data, wide, bytes));
    free(wide);
    return t;
}

static void release(gm_context *c, gm_tensor *t) {
    ASSERT_OK(c, gm_memory_free(c, t->data));
    t->data = NULL;
}

/* The numbers of a row-major array. */
static double *values_of(gm_context *c, const gm_tensor *t) {
    assert_true(gm_tensor_is_contiguous(t));
    const int64_t count = count_of(t);
    double *values = malloc((size_t)count * sizeof *values + 1);
    ASSERT_OK(c, gm_memory_download(c, values, t->data, (size_t)count * gm_dtype_size(t->dtype)));
    for (int64_t i = count - 1; t->dtype == GM_F32 && i >= 0; --i) {
        const float narrow = ((const float *)(const void *)values)[i];
        values[i] = (double)narrow;
    }
    return values;
}

/* The first two axes exchanged: a batch that is not in the order of memory. */
__attribute__((unused)) static gm_tensor exchanged(const gm_tensor *t) {
    gm_tensor out = *t;
    out.shape[0] = t->shape[1];
    out.shape[1] = t->shape[0];
    out.stride[0] = t->stride[1];
    out.stride[1] = t->stride[0];
    return out;
}

/* Normals of a seed, the same everywhere. */
__attribute__((unused)) static void fill_normals(uint64_t seed, int64_t count, double *values) {
    const gm_tensor out = gm_tensor_1d(values, GM_F64, count);
    ASSERT_OK(contexts[REF],
              gm_random_fill_normal(contexts[REF], &(gm_random_stream){.seed = seed}, 0, 1, &out));
}

/* Column j of the n x n orthogonal matrix of the cosine transform (DCT-II). */
__attribute__((unused)) static double cosine(int64_t n, int64_t i, int64_t j) {
    const double pi = acos(-1.0);
    return sqrt((j == 0 ? 1.0 : 2.0) / (double)n) *
           cos(pi * (double)j * ((double)i + 0.5) / (double)n);
}

__attribute__((unused)) static double norm_of(int64_t count, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        sum += x[i] * x[i];
    }
    return sqrt(sum);
}

/* |x - y| / |x| */
__attribute__((unused)) static double distance(int64_t count, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    }
    return sqrt(sum) / norm_of(count, x);
}

/* Q^T Q of a (rows, columns) matrix is the identity to this. */
__attribute__((unused)) static double deviation(int64_t rows, int64_t columns, const double *q) {
    double worst = 0;
    for (int64_t a = 0; a < columns; ++a) {
        for (int64_t b = 0; b < columns; ++b) {
            double sum = 0;
            for (int64_t i = 0; i < rows; ++i) {
                sum += q[i * columns + a] * q[i * columns + b];
            }
            worst = fmax(worst, fabs(sum - (a == b)));
        }
    }
    return worst;
}

/* The indices of row-major element e. */
__attribute__((unused)) static void indices_of(int64_t e, int32_t d, const int64_t *shape,
                                               int64_t *index) {
    for (int32_t k = d - 1; k >= 0; --k) {
        index[k] = e % shape[k];
        e /= shape[k];
    }
}

__attribute__((unused)) static int64_t product_of(int32_t d, const int64_t *shape) {
    int64_t product = 1;
    for (int32_t k = 0; k < d; ++k) {
        product *= shape[k];
    }
    return product;
}

/* Equal to the bit. */
__attribute__((unused)) static void assert_same_report(const gm_approximation_report *a,
                                                       const gm_approximation_report *b) {
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->iterations, b->iterations);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(&a->norm, &b->norm, sizeof a->norm);
    assert_memory_equal(&a->error, &b->error, sizeof a->error);
    assert_memory_equal(&a->bound, &b->bound, sizeof a->bound);
}

#define ASSERT_BELOW(value, limit)                                                                 \
    do {                                                                                           \
        const double got_value = (value), got_limit = (limit);                                     \
        if (!(got_value <= got_limit)) {                                                           \
            fail_msg("%s = %.17g: over %.17g", #value, got_value, got_limit);                      \
        }                                                                                          \
    } while (0)

#endif
