/*
 * What the diffusion tests share: the backends there are, arrays in their memory with guard words
 * around every row, and random numbers that are not the library's.
 */
#ifndef GENMATH_TESTS_DIFFUSION_FIXTURE_H
#define GENMATH_TESTS_DIFFUSION_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <genmath/diffusion.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static gm_context *backends[4]; /* ref, cpu, emu, cuda; NULL if it cannot be had */
enum { REF, CPU, EMU, CUDA };

#define FOR_EACH_BACKEND(context)                                                                  \
    for (size_t backend_at = 0; backend_at < COUNT(backends); ++backend_at)                        \
        for (gm_context *context = backends[backend_at]; context != NULL; context = NULL)

static int open_backends(void **state) {
    static const gm_backend_id ids[] = {GM_BACKEND_REF, GM_BACKEND_CPU, GM_BACKEND_EMU,
                                        GM_BACKEND_CUDA};
    (void)state;
    for (size_t i = 0; i < COUNT(ids); ++i) {
        const gm_context_options options = {.backend = ids[i], .threads = 2};
        if (gm_context_create(&options, &backends[i]) != GM_STATUS_OK) {
            printf("skip: %s\n", gm_last_error(NULL));
        }
    }
    return backends[REF] == NULL || backends[CPU] == NULL;
}

static int close_backends(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(backends); ++i) {
        gm_context_destroy(backends[i]);
    }
    return 0;
}

#define assert_ok(context, call)                                                                   \
    do {                                                                                           \
        const gm_status assert_status = (call);                                                    \
        if (assert_status != GM_STATUS_OK) {                                                       \
            fail_msg("%s: %s: %s", gm_context_backend_name(context),                               \
                     gm_status_name(assert_status), gm_last_error(context));                       \
        }                                                                                          \
    } while (0)

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t random_state = 1;
static double random_in(double low, double high) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return low + (high - low) * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Random values that both precisions hold. */
__attribute__((unused)) static double *random_values(int64_t n, double low, double high) {
    double *values = malloc((size_t)n * sizeof *values + 1);
    for (int64_t i = 0; i < n; ++i) {
        values[i] = (double)(float)random_in(low, high);
    }
    return values;
}

/* ---- arrays with guard words ----------------------------------------------------------------- */

typedef enum layout { CONTIGUOUS, PADDED, TRANSPOSED, LAYOUTS } layout;

typedef struct array {
    gm_context *context;
    void *memory;
    gm_tensor tensor; /* (rows, columns), or (rows) */
    size_t bytes;
    unsigned char *before; /* what was uploaded */
} array;

static int64_t columns_of(const array *a) {
    return a->tensor.ndim == 2 ? a->tensor.shape[1] : 1;
}

static size_t offset_of(const array *a, int64_t i, int64_t j) {
    const gm_tensor *t = &a->tensor;
    const int64_t at = i * t->stride[0] + (t->ndim == 2 ? j * t->stride[1] : 0);
    const ptrdiff_t base = (const unsigned char *)t->data - (const unsigned char *)a->memory;
    return (size_t)(base + at * (int64_t)gm_dtype_size(t->dtype));
}

/*
 * values: rows x columns, or NULL for an output, which is filled with NaN. Every byte that is no
 * element is a guard. ndim 1 takes columns = 1.
 */
static array make_array(gm_context *context, gm_dtype dtype, int32_t ndim, int64_t rows,
                        int64_t columns, layout how, const double *values) {
    const int64_t size = (int64_t)gm_dtype_size(dtype), guard = 16;
    const int64_t pad = how == CONTIGUOUS ? 0 : 3;
    array a = {.context = context};
    a.bytes = (size_t)((rows + pad) * (columns + pad) * size + 2 * guard * size);
    assert_ok(context, gm_memory_alloc(context, a.bytes, &a.memory));
    unsigned char *data = (unsigned char *)a.memory + guard * size;
    a.tensor =
        ndim == 1 ? gm_tensor_1d(data, dtype, rows) : gm_tensor_2d(data, dtype, rows, columns);
    a.tensor.stride[0] = how == TRANSPOSED ? 1 : columns + pad;
    a.tensor.stride[1] = how == TRANSPOSED ? rows + pad : 1;
    a.before = malloc(a.bytes);
    memset(a.before, 0xa5, a.bytes);
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            unsigned char *to = a.before + offset_of(&a, i, j);
            const double value = values != NULL ? values[i * columns + j] : (double)NAN;
            const float narrow = (float)value;
            memset(to, 0xff, (size_t)size);
            if (dtype == GM_F32) {
                memcpy(to, &narrow, sizeof narrow);
            } else if (dtype == GM_F64) {
                memcpy(to, &value, sizeof value);
            }
        }
    }
    assert_ok(context, gm_memory_upload(context, a.memory, a.before, a.bytes));
    return a;
}

/*
 * The elements as doubles; frees the array, after looking at its guards (and at all of an input).
 */
static double *take_array(array *a, bool is_input) {
    const int64_t rows = a->tensor.shape[0], columns = columns_of(a);
    const size_t size = gm_dtype_size(a->tensor.dtype);
    unsigned char *after = malloc(a->bytes);
    double *values = malloc((size_t)(rows * columns) * sizeof *values + 1);
    assert_ok(a->context, gm_memory_download(a->context, after, a->memory, a->bytes));
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            unsigned char *from = after + offset_of(a, i, j);
            float narrow;
            int32_t whole;
            memcpy(&narrow, from, sizeof narrow);
            memcpy(&whole, from, sizeof whole);
            values[i * columns + j] = a->tensor.dtype == GM_I32 ? (double)whole : (double)narrow;
            if (a->tensor.dtype == GM_F64) {
                memcpy(&values[i * columns + j], from, sizeof *values);
            }
            if (!is_input) {
                memcpy(from, a->before + offset_of(a, i, j), size);
            }
        }
    }
    assert_memory_equal(after, a->before, a->bytes);
    assert_ok(a->context, gm_memory_free(a->context, a->memory));
    free(after);
    free(a->before);
    return values;
}

static void drop_array(array *a, bool is_input) {
    free(take_array(a, is_input));
}

/* True if two arrays hold the same bits; a NaN equals a NaN. */
__attribute__((unused)) static bool same_bits(const double *a, const double *b, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

/* ---- a model and the operations on host arrays ----------------------------------------------- */

typedef struct mixture {
    int64_t components, dim;
    const double *means, *weights, *deviations; /* the last two may be NULL */
    double bandwidth;
} mixture;

typedef struct model_arrays {
    array means, weights, deviations;
    gm_diffusion_model model;
} model_arrays;

static void make_model(gm_context *context, gm_dtype dtype, const mixture *m, layout how,
                       model_arrays *arrays) {
    arrays->means = make_array(context, dtype, 2, m->components, m->dim, how, m->means);
    arrays->model = (gm_diffusion_model){.means = &arrays->means.tensor, .bandwidth = m->bandwidth};
    if (m->weights != NULL) {
        arrays->weights = make_array(context, dtype, 1, m->components, 1, how, m->weights);
        arrays->model.weights = &arrays->weights.tensor;
    }
    if (m->deviations != NULL) {
        arrays->deviations = make_array(context, dtype, 1, m->components, 1, how, m->deviations);
        arrays->model.deviations = &arrays->deviations.tensor;
    }
}

static void drop_model(model_arrays *arrays) {
    drop_array(&arrays->means, true);
    if (arrays->model.weights != NULL) {
        drop_array(&arrays->weights, true);
    }
    if (arrays->model.deviations != NULL) {
        drop_array(&arrays->deviations, true);
    }
}

/* The score (n, d), to be freed; the log-density too if asked for. */
__attribute__((unused)) static double *score_of(gm_context *context, gm_dtype dtype,
                                                const mixture *m, layout how, double t,
                                                const double *x, int64_t n, double **log_density) {
    model_arrays model;
    make_model(context, dtype, m, how, &model);
    array at = make_array(context, dtype, 2, n, m->dim, how, x);
    array score = make_array(context, dtype, 2, n, m->dim, how, NULL);
    array density = make_array(context, dtype, 1, n, 1, how, NULL);
    assert_ok(context, gm_diffusion_score(context, &model.model, NULL, t, &at.tensor, &score.tensor,
                                          log_density != NULL ? &density.tensor : NULL));
    assert_ok(context, gm_context_synchronize(context));
    drop_model(&model);
    drop_array(&at, true);
    double *densities = take_array(&density, false);
    if (log_density != NULL) {
        *log_density = densities;
    } else {
        free(densities);
    }
    return take_array(&score, false);
}

/* Samples (n, d), to be freed; start and status may be NULL. */
__attribute__((unused)) static double *samples_of(gm_context *context, gm_dtype dtype,
                                                  const mixture *m, layout how,
                                                  const gm_diffusion_options *options,
                                                  uint64_t seed, uint64_t first,
                                                  const double *start, int64_t n, double *status) {
    const gm_diffusion_noise noise = {seed, first};
    gm_diffusion_plan *plan;
    model_arrays model;
    void *workspace;
    int64_t bytes;
    array from = {0};
    make_model(context, dtype, m, how, &model);
    array samples = make_array(context, dtype, 2, n, m->dim, how, NULL);
    array statuses = make_array(context, GM_I32, 1, n, 1, how, NULL);
    if (start != NULL) {
        from = make_array(context, dtype, 2, n, m->dim, how, start);
    }
    assert_ok(context, gm_diffusion_plan_create(context, options, &plan));
    assert_ok(context, gm_diffusion_workspace_size(plan, dtype, n, m->dim, &bytes));
    assert_ok(context, gm_memory_alloc(context, (size_t)bytes, &workspace));
    assert_ok(context,
              gm_diffusion_sample(plan, &model.model, &noise, start != NULL ? &from.tensor : NULL,
                                  workspace, bytes, &samples.tensor, &statuses.tensor));
    assert_ok(context, gm_context_synchronize(context));
    assert_ok(context, gm_memory_free(context, workspace));
    gm_diffusion_plan_destroy(plan);
    drop_model(&model);
    if (start != NULL) {
        drop_array(&from, true);
    }
    double *codes = take_array(&statuses, false);
    if (status != NULL) {
        memcpy(status, codes, (size_t)n * sizeof *status);
    }
    free(codes);
    return take_array(&samples, false);
}

#endif
