/* Chains on one subject from host arrays, with guard words around every output. */
#ifndef GENMATH_TESTS_MCMC_FIXTURE_H
#define GENMATH_TESTS_MCMC_FIXTURE_H

#include "tests/ensemble.h"

#include <genmath/detail/chain_noise.h>
#include <genmath/mcmc.h>

typedef struct chains {
    const gm_density *density;
    gm_mcmc_options options;
    int64_t n, first_step;
    const double *state, *params, *step, *scale, *beta; /* row-major; the last two may be NULL */
    const double *factor;                               /* (dim, dim, chains), or NULL */
    bool shared; /* params, step, scale, beta and factor have one column, read with a stride of 0 */
    bool turned; /* a chain's components side by side in every array */
    bool in_place;      /* result.state is input.state */
    const double *data; /* (rows, columns), row-major, of a density over data */
    int64_t rows;
    int data_layout; /* see data_upload */
} chains;

typedef struct chains_result {
    double *state, *draws, *mean, *variance, *step, *scale, *logp; /* row-major; floats widened */
    int32_t *accepted, *outside, *status;
} chains_result;

enum { CHAIN_GUARD = 64 };

typedef struct chain_array {
    unsigned char *memory;
    gm_tensor tensor;
    size_t bytes;
} chain_array;

/* The last ndim of (draws, rows, n); values NULL: an output, of NaN. */
static inline chain_array chain_upload(gm_context *context, gm_dtype dtype, int32_t ndim,
                                       int64_t draws, int64_t rows, int64_t n, bool shared,
                                       bool turned, const double *values) {
    const int64_t held = shared ? 1 : n, size = (int64_t)gm_dtype_size(dtype);
    const int64_t shape[] = {draws, rows, n};
    const int64_t stride[] = {rows * held, turned ? 1 : held, shared ? 0 : turned ? rows : 1};
    chain_array a = {.bytes = (size_t)(draws * rows * held * size + 2 * CHAIN_GUARD)};
    unsigned char *host = malloc(a.bytes);
    void *memory;
    assert_non_null(host);
    memset(host, 0xff, a.bytes);
    for (int64_t i = 0; i < rows * held && values != NULL; ++i) {
        const int64_t at = i / held * stride[1] + i % held * (shared ? 1 : stride[2]);
        const float narrow = (float)values[i];
        memcpy(host + CHAIN_GUARD + at * size, dtype == GM_F64 ? (const void *)&values[i] : &narrow,
               (size_t)size);
    }
    ASSERT_OK(context, gm_memory_alloc(context, a.bytes, &memory));
    ASSERT_OK(context, gm_memory_upload(context, memory, host, a.bytes));
    free(host);
    a.memory = memory;
    a.tensor = (gm_tensor){.data = a.memory + CHAIN_GUARD, .dtype = dtype, .ndim = ndim};
    for (int32_t axis = 0; axis < ndim; ++axis) {
        a.tensor.shape[axis] = shape[axis + 3 - ndim];
        a.tensor.stride[axis] = stride[axis + 3 - ndim];
    }
    return a;
}

/* The numbers of a (draws, rows, n) output, row-major, as doubles or as integers. */
static inline void *chain_download(gm_context *context, chain_array *a, int64_t draws, int64_t rows,
                                   int64_t n, bool turned) {
    unsigned char *host = malloc(a->bytes);
    double *values = malloc((size_t)(draws * rows * n + 1) * sizeof *values);
    int32_t *counts = (int32_t *)(void *)values;
    assert_true(host != NULL && values != NULL);
    ASSERT_OK(context, gm_memory_download(context, host, a->memory, a->bytes));
    for (size_t i = 0; i < CHAIN_GUARD; ++i) {
        assert_true(host[i] == 0xff && host[a->bytes - 1 - i] == 0xff);
    }
    for (int64_t i = 0; i < draws * rows * n; ++i) {
        const int64_t m = i / (rows * n), row = i / n % rows, k = i % n;
        const int64_t at = m * rows * n + (turned ? k * rows + row : row * n + k);
        const unsigned char *from =
            host + CHAIN_GUARD + at * (int64_t)gm_dtype_size(a->tensor.dtype);
        float narrow;
        memcpy(&narrow, from, sizeof narrow);
        switch (a->tensor.dtype) {
        case GM_F64:
            memcpy(&values[i], from, sizeof values[i]);
            break;
        case GM_F32:
            values[i] = (double)narrow;
            break;
        default:
            memcpy(&counts[i], from, sizeof counts[i]);
        }
    }
    ASSERT_OK(context, gm_memory_free(context, a->memory));
    free(host);
    return values;
}

/* The data of a density in memory row by row (0), column by column (1), or backwards with
 * gaps of NaN (2); a guard on both sides. */
static inline chain_array data_upload(gm_context *context, gm_dtype dtype, int64_t rows,
                                      int64_t columns, int how, const double *values) {
    const int64_t size = (int64_t)gm_dtype_size(dtype), step = 2 * columns + 3;
    const int64_t held = how == 2 ? rows * step : rows * columns;
    const int64_t stride[] = {how == 0   ? columns
                              : how == 1 ? 1
                                         : -step,
                              how == 0   ? 1
                              : how == 1 ? rows
                                         : 2};
    const int64_t base = how == 2 && rows > 0 ? (rows - 1) * step : 0;
    chain_array a = {.bytes = (size_t)(held * size + 2 * CHAIN_GUARD)};
    unsigned char *host = malloc(a.bytes);
    void *memory;
    assert_non_null(host);
    memset(host, 0xff, a.bytes);
    for (int64_t i = 0; i < rows * columns; ++i) {
        const int64_t at = base + i / columns * stride[0] + i % columns * stride[1];
        const float narrow = (float)values[i];
        memcpy(host + CHAIN_GUARD + at * size, dtype == GM_F64 ? (const void *)&values[i] : &narrow,
               (size_t)size);
    }
    ASSERT_OK(context, gm_memory_alloc(context, a.bytes, &memory));
    ASSERT_OK(context, gm_memory_upload(context, memory, host, a.bytes));
    free(host);
    a.memory = memory;
    a.tensor = (gm_tensor){
        a.memory + CHAIN_GUARD + base * size, dtype, 2, {rows, columns}, {stride[0], stride[1]}};
    return a;
}

/* Runs and fails the test unless the call succeeds. */
static inline chains_result run_chains(const subject *s, const chains *in) {
    gm_context *context = s->context;
    const gm_dtype dtype = in->options.dtype;
    const int64_t dim = in->density->dim, params = in->density->params, n = in->n;
    const int64_t draws = in->options.thin > 0 ? in->options.steps / in->options.thin : 0;
    const bool turned = in->turned;
    gm_mcmc_plan *plan;
    ASSERT_OK(context, gm_mcmc_plan_create(context, in->density, &in->options, &plan));
    chain_array start = chain_upload(context, dtype, 2, 1, dim, n, false, turned, in->state);
    chain_array p = chain_upload(context, dtype, 2, 1, params, n, in->shared, turned, in->params);
    chain_array h = chain_upload(context, dtype, 1, 1, 1, n, in->shared, false, in->step);
    chain_array scale = chain_upload(context, dtype, 2, 1, dim, n, in->shared, turned, in->scale);
    chain_array beta = chain_upload(context, dtype, 1, 1, 1, n, in->shared, false, in->beta);
    chain_array factor =
        chain_upload(context, dtype, 2, 1, dim * dim, n, in->shared, turned, in->factor);
    const int64_t *entry = factor.tensor.stride;
    const gm_tensor factors = {
        factor.tensor.data, dtype, 3, {dim, dim, n}, {dim * entry[0], entry[0], entry[1]}};
    chain_array end =
        in->in_place ? start : chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array kept = chain_upload(context, dtype, 3, draws, dim, n, false, turned, NULL);
    chain_array mean = chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array variance = chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array adapted = chain_upload(context, dtype, 1, 1, 1, n, false, false, NULL);
    chain_array scaled = chain_upload(context, dtype, 2, 1, dim, n, false, turned, NULL);
    chain_array logp = chain_upload(context, dtype, 1, 1, 1, n, false, false, NULL);
    chain_array counts[3];
    for (int i = 0; i < 3; ++i) {
        counts[i] = chain_upload(context, GM_I32, 1, 1, 1, n, false, false, NULL);
    }
    chain_array data =
        data_upload(context, dtype, in->rows, in->density->columns, in->data_layout, in->data);
    const gm_mcmc_input input = {&start.tensor,
                                 params > 0 ? &p.tensor : NULL,
                                 &h.tensor,
                                 in->scale != NULL ? &scale.tensor : NULL,
                                 in->beta != NULL ? &beta.tensor : NULL,
                                 in->factor != NULL ? &factors : NULL,
                                 in->density->columns > 0 ? &data.tensor : NULL};
    const bool adapts = in->options.target > 0, by_scale = in->options.method == GM_MCMC_COMPONENT;
    const gm_mcmc_result result = {.state = &end.tensor,
                                   .draws = draws > 0 ? &kept.tensor : NULL,
                                   .mean = &mean.tensor,
                                   .variance = &variance.tensor,
                                   .step = adapts && !by_scale ? &adapted.tensor : NULL,
                                   .scale = adapts && by_scale ? &scaled.tensor : NULL,
                                   .accepted = &counts[0].tensor,
                                   .outside = &counts[1].tensor,
                                   .status = &counts[2].tensor,
                                   .log_density = &logp.tensor};
    ASSERT_OK(context, gm_mcmc_run(plan, in->first_step, &input, &result));
    gm_mcmc_plan_destroy(plan);
    if (!in->in_place) {
        free(chain_download(context, &start, 1, dim, n, turned));
    }
    ASSERT_OK(context, gm_memory_free(context, p.memory));
    ASSERT_OK(context, gm_memory_free(context, h.memory));
    ASSERT_OK(context, gm_memory_free(context, scale.memory));
    ASSERT_OK(context, gm_memory_free(context, beta.memory));
    ASSERT_OK(context, gm_memory_free(context, factor.memory));
    ASSERT_OK(context, gm_memory_free(context, data.memory));
    return (chains_result){.state = chain_download(context, &end, 1, dim, n, turned),
                           .draws = chain_download(context, &kept, draws, dim, n, turned),
                           .mean = chain_download(context, &mean, 1, dim, n, turned),
                           .variance = chain_download(context, &variance, 1, dim, n, turned),
                           .step = chain_download(context, &adapted, 1, 1, n, false),
                           .scale = chain_download(context, &scaled, 1, dim, n, turned),
                           .logp = chain_download(context, &logp, 1, 1, n, false),
                           .accepted = chain_download(context, &counts[0], 1, 1, n, false),
                           .outside = chain_download(context, &counts[1], 1, 1, n, false),
                           .status = chain_download(context, &counts[2], 1, 1, n, false)};
}

static inline void free_chains(chains_result *r) {
    free(r->state);
    free(r->draws);
    free(r->mean);
    free(r->variance);
    free(r->step);
    free(r->scale);
    free(r->logp);
    free(r->accepted);
    free(r->outside);
    free(r->status);
}

/* The noise of a step, in the precision asked for. */
static inline double chain_normal(const gm_mcmc_options *o, int dim, uint64_t chain, int64_t step,
                                  int component) {
    const int m = o->dtype == GM_F64 ? 2 : 4;
    const uint64_t draw = (uint64_t)(step * ((dim + m - 1) / m * m) + component);
    return o->dtype == GM_F64
               ? gm_normal_f64(o->seed, o->first_index + chain, GM_STREAM_CHAIN, draw)
               : (double)gm_normal_f32(o->seed, o->first_index + chain, GM_STREAM_CHAIN, draw);
}

static inline double chain_patience(const gm_mcmc_options *o, uint64_t chain, int64_t step) {
    return o->dtype == GM_F64
               ? gm_chain_exponential_f64(o->seed, o->first_index + chain, step)
               : (double)gm_chain_exponential_f32(o->seed, o->first_index + chain, step);
}

/* The mean of n independent values is the expected one: within 5.5 of its standard deviations by
 * theirs, which a right program misses with probability 4e-8. */
static inline void check_chain_mean(const subject *s, const char *what, const double *values,
                                    int64_t n, double expected) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        mean += values[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += (values[i] - mean) * (values[i] - mean);
    }
    const double sigma = sqrt(square / (double)(n - 1) / (double)n);
    const double z = (mean - expected) / sigma;
    if (!(fabs(z) <= 5.5)) {
        fail_msg("%s: %s = %.9g, expected %.9g: %.1f standard deviations off", s->name, what, mean,
                 expected, z);
    }
}

#endif
