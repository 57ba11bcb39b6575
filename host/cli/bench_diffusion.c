/* Benchmark cases of the diffusion operations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/diffusion.h>

#include "host/cli/bench.h"

/*
 * Samples of K data of d dimensions by the reverse SDE. Data and states of a user fit in the
 * last-level cache as these do, so there is one set.
 */
typedef struct state {
    int64_t n, components, dim, steps;
    gm_dtype dtype;
    double *means; /* on the host, for the reference */
    gm_tensor data, samples;
    gm_diffusion_plan *plan;
    void *workspace;
    int64_t workspace_bytes;
} state;

static void teardown(gm_context *context, void *opaque) {
    state *s = opaque;
    if (s == NULL) {
        return;
    }
    gm_case_free(context, &s->data);
    gm_case_free(context, &s->samples);
    gm_memory_free(context, s->workspace);
    gm_diffusion_plan_destroy(s->plan);
    free(s->means);
    free(s);
}

/* Data of spread 1 about clusters of spread 1, as numbers that a float holds. */
static gm_status fill_data(gm_context *context, state *s) {
    const int64_t count = s->components * s->dim, shape[] = {s->components, s->dim};
    float *narrow = malloc((size_t)count * sizeof *narrow);
    s->means = malloc((size_t)count * sizeof *s->means);
    if (narrow == NULL || s->means == NULL) {
        free(narrow);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    uint64_t word = 1;
    for (int64_t i = 0; i < count; ++i) {
        word = word * 6364136223846793005u + 1442695040888963407u; /* Knuth, TAOCP 2, 3.3.4 */
        narrow[i] = (float)((double)(word >> 11) * 0x1p-53 * 3.4 - 1.7);
        s->means[i] = (double)narrow[i];
    }
    const void *values = s->dtype == GM_F32 ? (const void *)narrow : (const void *)s->means;
    const gm_status status = gm_case_upload(context, values, s->dtype, 2, shape, &s->data);
    free(narrow);
    return status;
}

static gm_status setup(gm_context *context, void **opaque, gm_dtype dtype, int64_t n,
                       int64_t components, int64_t dim, int64_t steps) {
    const int64_t shape[] = {n, dim};
    const gm_diffusion_options options = {.steps = steps};
    state *s = calloc(1, sizeof *s);
    *opaque = s;
    if (s == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    *s = (state){.n = n, .components = components, .dim = dim, .steps = steps, .dtype = dtype};
    gm_status status = fill_data(context, s);
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 2, shape, &s->samples);
    }
    if (status == GM_STATUS_OK) {
        status = gm_diffusion_plan_create(context, &options, &s->plan);
    }
    if (status == GM_STATUS_OK) {
        status = gm_diffusion_workspace_size(s->plan, dtype, n, dim, &s->workspace_bytes);
    }
    if (status == GM_STATUS_OK) {
        status = gm_memory_alloc(context, (size_t)s->workspace_bytes, &s->workspace);
    }
    return status;
}

static gm_status run(gm_context *context, void *opaque, int64_t round) {
    const state *s = opaque;
    const gm_diffusion_model model = {.means = &s->data, .bandwidth = 0.3};
    const gm_diffusion_noise noise = {1, (uint64_t)(round * s->n)};
    (void)context;
    return gm_diffusion_sample(s->plan, &model, &noise, NULL, s->workspace, s->workspace_bytes,
                               &s->samples, NULL);
}

/*
 * The nearest datum's distance over its expectation, which for a sample of the kernel density is 1.
 */
static double distance_ratio(const state *s, const double *sample) {
    double best = INFINITY;
    for (int64_t k = 0; k < s->components; ++k) {
        double distance2 = 0.0;
        for (int64_t j = 0; j < s->dim; ++j) {
            const double difference = sample[j] - s->means[k * s->dim + j];
            distance2 += difference * difference;
        }
        best = distance2 < best ? distance2 : best;
    }
    return best / (0.09 * (double)s->dim);
}

/*
 * The reference takes the whole path of the first samples in double; over that length single
 * numbers may part at a choice between data, so what is compared is that all but a tenth of the
 * paths agree to 0.01, and that the law is right: near its datum a sample is a normal of the
 * bandwidth.
 */
static gm_status compare(const state *s, const double *expected, const double *got, int64_t n,
                         gm_case_result *result) {
    int64_t apart = 0;
    for (int64_t i = 0; i < n; ++i) {
        double difference = 0.0;
        for (int64_t j = 0; j < s->dim; ++j) {
            const double one = fabs(got[i * s->dim + j] - expected[i * s->dim + j]);
            difference = one <= difference ? difference : one;
        }
        apart += !(difference < 0.01) || !(distance_ratio(s, got + i * s->dim) < 4.0);
    }
    result->error = (double)apart / (double)n;
    result->bound = 0.1;
    snprintf(result->detail, sizeof result->detail,
             "share of %lld paths that are over 0.01 from the reference's", (long long)n);
    return GM_STATUS_OK;
}

static gm_status sample_reference(gm_context *reference, const state *s, int64_t n,
                                  double *expected) {
    void *opaque;
    gm_status status = setup(reference, &opaque, s->dtype, n, s->components, s->dim, s->steps);
    if (status == GM_STATUS_OK) {
        status = run(reference, opaque, 0);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_download(reference, &((const state *)opaque)->samples, expected);
    }
    teardown(reference, opaque);
    return status;
}

/* Floats at the front of an array of doubles become doubles. */
static void widen(gm_dtype dtype, double *values, int64_t count) {
    for (int64_t i = count - 1; i >= 0 && dtype == GM_F32; --i) {
        values[i] = (double)((const float *)(const void *)values)[i];
    }
}

static gm_status verify(gm_context *reference, gm_context *context, void *opaque,
                        gm_case_result *result) {
    const state *s = opaque;
    const int64_t n = s->dim > 8 ? 4 : 32;
    double *expected = malloc((size_t)(s->n * s->dim) * sizeof *expected);
    double *got = malloc((size_t)(s->n * s->dim) * sizeof *got);
    gm_status status = expected == NULL || got == NULL ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_OK;
    if (status == GM_STATUS_OK) {
        status = gm_case_download(context, &s->samples, got);
    }
    if (status == GM_STATUS_OK) {
        status = sample_reference(reference, s, n, expected);
    }
    if (status == GM_STATUS_OK) {
        widen(s->dtype, got, n * s->dim);
        widen(s->dtype, expected, n * s->dim);
        status = compare(s, expected, got, n, result);
    }
    free(expected);
    free(got);
    return status;
}

#define SETUP(id, dtype, n, components, dim, steps)                                                \
    static gm_status id(gm_context *context, void **opaque) {                                      \
        return setup(context, opaque, dtype, n, components, dim, steps);                           \
    }
SETUP(setup_digits_f32, GM_F32, 512, 1797, 64, 50)
SETUP(setup_digits_f64, GM_F64, 512, 1797, 64, 50)
SETUP(setup_plane_f32, GM_F32, 65536, 9, 2, 100)
SETUP(setup_images_f32, GM_F32, 256, 2000, 784, 10)

/* Five operations for each sample, datum, dimension and step: the exponentials are not counted. */
#define ENTRY(type, size, text, id, n, components, dim, steps)                                     \
    {                                                                                              \
        "diffusion_sample sde", type, text, id, run, verify, teardown,                             \
            5.0 * (n) * (components) * (dim) * (steps),                                            \
            (size) * (1.0 * (components) * (dim) + 1.0 * (n) * (dim)), 1.0 * (n) * (steps),        \
            "steps"                                                                                \
    }
const gm_bench_case gm_diffusion_bench[] = {
    ENTRY("f32", 4, "n=512 K=1797 d=64 steps=50", setup_digits_f32, 512, 1797, 64, 50),
    ENTRY("f64", 8, "n=512 K=1797 d=64 steps=50", setup_digits_f64, 512, 1797, 64, 50),
    ENTRY("f32", 4, "n=65536 K=9 d=2 steps=100", setup_plane_f32, 65536, 9, 2, 100),
    ENTRY("f32", 4, "n=256 K=2000 d=784 steps=10", setup_images_f32, 256, 2000, 784, 10),
};
const int gm_diffusion_bench_count = sizeof gm_diffusion_bench / sizeof gm_diffusion_bench[0];
