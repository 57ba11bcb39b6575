/* Conformance cases of the diffusion operations. */
#include <stdio.h>
#include <string.h>

#include <genmath/diffusion.h>

#include "host/cli/cases.h"
#include "host/cli/diffusion_bound.h"

/*
 * One problem in host memory: values that float and double both hold, and them in the case's type.
 */
typedef struct problem {
    gm_dtype dtype;
    int64_t n, components, dim;
    double *means, *weights, *deviations, *x;
    double bandwidth;
} problem;

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), as a number in [low, high) that a float holds. */
static double next_value(uint64_t *state, double low, double high) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)(float)(low + (high - low) * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53);
}

static double *new_values(uint64_t *state, int64_t count, double low, double high) {
    double *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; i < count && values != NULL; ++i) {
        values[i] = next_value(state, low, high);
    }
    return values;
}

static void free_problem(problem *p) {
    free(p->means);
    free(p->weights);
    free(p->deviations);
    free(p->x);
}

static gm_status make_problem(gm_dtype dtype, int64_t n, int64_t components, int64_t dim,
                              problem *p) {
    uint64_t state = (uint64_t)(n + 1000 * components + 1000000 * dim);
    *p = (problem){.dtype = dtype, .n = n, .components = components, .dim = dim, .bandwidth = 0.2};
    p->means = new_values(&state, components * dim, -2, 2);
    p->weights = new_values(&state, components, 0.1, 2);
    p->deviations = new_values(&state, components, 0, 0.5);
    p->x = new_values(&state, n * dim, -2, 2);
    if (p->means == NULL || p->weights == NULL || p->deviations == NULL || p->x == NULL) {
        free_problem(p);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    return GM_STATUS_OK;
}

/*
 * Doubles to memory of a context in another type; the tensor is (rows, columns), or (rows) for
 * columns 0.
 */
static gm_status upload(gm_context *context, gm_dtype dtype, const double *values, int64_t rows,
                        int64_t columns, gm_tensor *tensor) {
    const int64_t shape[] = {rows, columns}, count = rows * (columns > 0 ? columns : 1);
    const int32_t ndim = columns > 0 ? 2 : 1;
    if (dtype == GM_F64) {
        return gm_case_upload(context, values, dtype, ndim, shape, tensor);
    }
    float *narrow = malloc((size_t)count * sizeof *narrow);
    if (narrow == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < count; ++i) {
        narrow[i] = (float)values[i];
    }
    const gm_status status = gm_case_upload(context, narrow, dtype, ndim, shape, tensor);
    free(narrow);
    return status;
}

/* A tensor's elements as doubles, to be freed; NULL on failure. */
static double *download(gm_context *context, const gm_tensor *tensor, int64_t count) {
    double *values = malloc((size_t)count * sizeof *values);
    if (values != NULL && gm_case_download(context, tensor, values) != GM_STATUS_OK) {
        free(values);
        return NULL;
    }
    for (int64_t i = count - 1; i >= 0 && values != NULL && tensor->dtype == GM_F32; --i) {
        float narrow; /* widened in place, from the end */
        memcpy(&narrow, (const float *)(const void *)values + i, sizeof narrow);
        values[i] = (double)narrow;
    }
    return values;
}

/* What a case holds in one context's memory. */
typedef struct place {
    gm_context *context;
    gm_tensor means, weights, deviations, in, out, column;
    gm_diffusion_model model;
    gm_diffusion_plan *plan;
    void *workspace;
} place;

static gm_status open_place(gm_context *context, gm_dtype dtype, const problem *p, place *at) {
    const int64_t rows[] = {p->n, p->dim};
    *at = (place){.context = context};
    gm_status status = upload(context, dtype, p->means, p->components, p->dim, &at->means);
    if (status == GM_STATUS_OK) {
        status = upload(context, dtype, p->weights, p->components, 0, &at->weights);
    }
    if (status == GM_STATUS_OK) {
        status = upload(context, dtype, p->deviations, p->components, 0, &at->deviations);
    }
    if (status == GM_STATUS_OK) {
        status = upload(context, dtype, p->x, p->n, p->dim, &at->in);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 2, rows, &at->out);
    }
    if (status == GM_STATUS_OK) {
        status = gm_case_alloc(context, dtype, 1, rows, &at->column);
    }
    at->model = (gm_diffusion_model){&at->means, &at->weights, &at->deviations, p->bandwidth};
    return status;
}

static void close_place(place *at) {
    gm_tensor *const tensors[] = {&at->means, &at->weights, &at->deviations,
                                  &at->in,    &at->out,     &at->column};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; ++i) {
        gm_case_free(at->context, tensors[i]);
    }
    gm_memory_free(at->context, at->workspace);
    gm_diffusion_plan_destroy(at->plan);
}

/* ---- score ----------------------------------------------------------------------------------- */

/* Scores at t and log-densities of the problem in one context and type, to be freed. */
static gm_status run_score(gm_context *context, gm_dtype dtype, const problem *p, double t,
                           double **score, double **density) {
    place at;
    gm_status status = open_place(context, dtype, p, &at);
    if (status == GM_STATUS_OK) {
        status = gm_diffusion_score(context, &at.model, NULL, t, &at.in, &at.out, &at.column);
    }
    if (status == GM_STATUS_OK) {
        *score = download(context, &at.out, p->n * p->dim);
        *density = download(context, &at.column, p->n);
        status = *score != NULL && *density != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    }
    close_place(&at);
    return status;
}

static double worse(double residual, double difference, double bound) {
    const double ratio = fabs(difference) / bound;
    return ratio <= residual ? residual : ratio; /* a NaN becomes the residual */
}

static gm_status compare_scores(const problem *p, double t, const double *exact,
                                const double *score, const double *exact_density,
                                const double *density, gm_case_result *result) {
    const gm_bound_model model = {p->components, p->dim,        p->means,
                                  p->weights,    p->deviations, p->bandwidth};
    double *bound = malloc((size_t)p->dim * sizeof *bound);
    gm_vp_point point;
    if (bound == NULL || gm_vp_marginal(NULL, t, &point) != GM_STATUS_OK) {
        free(bound);
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < p->n; ++i) {
        const int64_t at = i * p->dim;
        const double of_density = gm_bound_score(p->dtype, &model, point.alpha, point.variance,
                                                 p->x + at, exact + at, bound);
        result->error = worse(result->error, density[i] - exact_density[i], of_density);
        for (int64_t j = 0; j < p->dim; ++j) {
            result->error = worse(result->error, score[at + j] - exact[at + j], bound[j]);
        }
    }
    result->bound = 1;
    snprintf(result->detail, sizeof result->detail, "largest error over its rounding bound");
    free(bound);
    return GM_STATUS_OK;
}

/* The exact score is that of the reference in double on the same values. */
static gm_status score_case(gm_context *reference, gm_context *subject, gm_case_result *result,
                            gm_dtype dtype, int64_t n, int64_t components, int64_t dim, double t) {
    problem p;
    double *exact = NULL, *exact_density = NULL, *score = NULL, *density = NULL;
    gm_status status = make_problem(dtype, n, components, dim, &p);
    if (status != GM_STATUS_OK) {
        return status;
    }
    status = run_score(subject, dtype, &p, t, &score, &density);
    if (status == GM_STATUS_OK) {
        status = run_score(reference, GM_F64, &p, t, &exact, &exact_density);
    }
    if (status == GM_STATUS_OK) {
        status = compare_scores(&p, t, exact, score, exact_density, density, result);
    }
    free(exact);
    free(exact_density);
    free(score);
    free(density);
    free_problem(&p);
    return status;
}

/* ---- forward noising: the noise to the bit --------------------------------------------------- */

static gm_status run_noise(gm_context *context, const problem *p, double **z) {
    const gm_diffusion_noise noise = {20, 1ull << 40};
    place at;
    gm_status status = open_place(context, p->dtype, p, &at);
    if (status == GM_STATUS_OK) {
        gm_tensor times =
            at.weights; /* one number in (0.1, 2): rows whose time is past 1 are NaN */
        times.shape[0] = p->n;
        times.stride[0] = 0;
        status = gm_diffusion_perturb(context, NULL, &noise, &times, &at.in, &at.in, &at.out);
    }
    if (status == GM_STATUS_OK) {
        *z = download(context, &at.out, p->n * p->dim);
        status = *z != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    }
    close_place(&at);
    return status;
}

static gm_status noise_case(gm_context *reference, gm_context *subject, gm_case_result *result,
                            gm_dtype dtype, int64_t n, int64_t dim) {
    problem p;
    double *expected = NULL, *got = NULL;
    gm_status status = make_problem(dtype, n, 1, dim, &p);
    if (status != GM_STATUS_OK) {
        return status;
    }
    status = run_noise(subject, &p, &got);
    if (status == GM_STATUS_OK) {
        status = run_noise(reference, &p, &expected);
    }
    if (status == GM_STATUS_OK) {
        int64_t where;
        result->error =
            (double)gm_case_bit_differences(sizeof *got, expected, got, n * dim, &where);
        snprintf(result->detail, sizeof result->detail, "normals whose bits differ");
    }
    free(expected);
    free(got);
    free_problem(&p);
    return status;
}

/* ---- the reverse process --------------------------------------------------------------------- */

/* Rows first .. first + n - 1 of the samples of a problem, to be freed. */
static gm_status run_sampler(gm_context *context, const problem *p,
                             const gm_diffusion_options *options, int64_t first, int64_t n,
                             double **samples) {
    const gm_diffusion_noise noise = {3, (uint64_t)first};
    place at;
    int64_t bytes = 0;
    gm_status status = open_place(context, p->dtype, p, &at);
    gm_tensor out = at.out;
    out.shape[0] = n;
    if (status == GM_STATUS_OK) {
        status = gm_diffusion_plan_create(context, options, &at.plan);
    }
    if (status == GM_STATUS_OK) {
        status = gm_diffusion_workspace_size(at.plan, p->dtype, n, p->dim, &bytes);
    }
    if (status == GM_STATUS_OK) {
        status = gm_memory_alloc(context, (size_t)bytes, &at.workspace);
    }
    if (status == GM_STATUS_OK) {
        status =
            gm_diffusion_sample(at.plan, &at.model, &noise, NULL, at.workspace, bytes, &out, NULL);
    }
    if (status == GM_STATUS_OK) {
        *samples = download(context, &at.out, p->n * p->dim);
        status = *samples != NULL ? GM_STATUS_OK : GM_STATUS_OUT_OF_MEMORY;
    }
    close_place(&at);
    return status;
}

/*
 * Four steps down to t = 0.5, where a path does not choose among data yet, so that differences from
 * the reference stay rounding: the bound is 104 u (1 + |y|) / alpha.
 */
static gm_status path_case(gm_context *reference, gm_context *subject, gm_case_result *result,
                           gm_dtype dtype, gm_diffusion_method method, int64_t components,
                           int64_t dim) {
    const gm_diffusion_options options = {.method = method, .steps = 4, .t_end = 0.5};
    problem p;
    double *expected = NULL, *got = NULL;
    gm_vp_point point;
    gm_status status = make_problem(dtype, 35, components, dim, &p);
    if (status != GM_STATUS_OK) {
        return status;
    }
    status = run_sampler(subject, &p, &options, 0, p.n, &got);
    if (status == GM_STATUS_OK) {
        status = run_sampler(reference, &p, &options, 0, p.n, &expected);
    }
    if (status == GM_STATUS_OK) {
        status = gm_vp_marginal(NULL, 0.5, &point);
    }
    for (int64_t i = 0; i < p.n * dim && status == GM_STATUS_OK; ++i) {
        const double bound = 104 * gm_bound_unit(dtype) * (1 + fabs(expected[i])) / point.alpha;
        result->error = worse(result->error, got[i] - expected[i], bound);
    }
    result->bound = 1;
    snprintf(result->detail, sizeof result->detail, "largest error over its rounding bound");
    free(expected);
    free(got);
    free_problem(&p);
    return status;
}

/* 70 samples in one call, and the last 33 in a call of their own. */
static gm_status cut_case(gm_context *subject, gm_case_result *result, gm_dtype dtype,
                          int64_t dim) {
    const gm_diffusion_options options = {.steps = 3};
    problem p;
    double *all = NULL, *part = NULL;
    gm_status status = make_problem(dtype, 70, 131, dim, &p);
    if (status != GM_STATUS_OK) {
        return status;
    }
    status = run_sampler(subject, &p, &options, 0, 70, &all);
    if (status == GM_STATUS_OK) {
        status = run_sampler(subject, &p, &options, 37, 33, &part);
    }
    if (status == GM_STATUS_OK) {
        int64_t where;
        result->error =
            (double)gm_case_bit_differences(sizeof *all, all + 37 * dim, part, 33 * dim, &where);
        snprintf(result->detail, sizeof result->detail,
                 "numbers that depend on how the batch is cut");
    }
    free(all);
    free(part);
    free_problem(&p);
    return status;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define RUN(id, call)                                                                              \
    static gm_status id(gm_context *reference, gm_context *subject, gm_case_result *result) {      \
        (void)reference;                                                                           \
        return call;                                                                               \
    }
#define SCORE(id, dtype, n, components, dim, t)                                                    \
    RUN(id, score_case(reference, subject, result, dtype, n, components, dim, t))
#define NOISE(id, dtype, n, dim) RUN(id, noise_case(reference, subject, result, dtype, n, dim))
#define PATH(id, dtype, method, components, dim)                                                   \
    RUN(id, path_case(reference, subject, result, dtype, GM_DIFFUSION_##method, components, dim))
#define CUT(id, dtype, dim) RUN(id, cut_case(subject, result, dtype, dim))

NOISE(noise_f32, GM_F32, 65, 67)
NOISE(noise_f64, GM_F64, 65, 67)
SCORE(score_f32_few, GM_F32, 131, 300, 2, 0.05)
SCORE(score_f32_tile, GM_F32, 65, 257, 64, 0.2)
SCORE(score_f32_one, GM_F32, 33, 1, 17, 0.9)
SCORE(score_f32_late, GM_F32, 33, 129, 100, 0.001)
SCORE(score_f32_wide, GM_F32, 33, 140, 200, 0.1)
SCORE(score_f64_few, GM_F64, 131, 300, 7, 0.05)
SCORE(score_f64_tile, GM_F64, 65, 257, 63, 0.2)
SCORE(score_f64_wide, GM_F64, 33, 140, 200, 0.1)
PATH(path_f32_few, GM_F32, REVERSE_SDE, 140, 2)
PATH(path_f32_tile, GM_F32, REVERSE_SDE, 140, 64)
PATH(path_f32_wide, GM_F32, REVERSE_SDE, 70, 130)
PATH(path_f32_euler, GM_F32, PROBABILITY_EULER, 140, 33)
PATH(path_f32_heun, GM_F32, PROBABILITY_HEUN, 140, 65)
PATH(path_f64_tile, GM_F64, REVERSE_SDE, 140, 40)
PATH(path_f64_heun, GM_F64, PROBABILITY_HEUN, 70, 130)
CUT(cut_f32_few, GM_F32, 3)
CUT(cut_f32_tile, GM_F32, 50)
CUT(cut_f64_wide, GM_F64, 150)

const gm_case gm_diffusion_cases[] = {
    {"diffusion_perturb/f32/noise bits", noise_f32},
    {"diffusion_perturb/f64/noise bits", noise_f64},
    {"diffusion_score/f32/d=2", score_f32_few},
    {"diffusion_score/f32/d=64", score_f32_tile},
    {"diffusion_score/f32/one component", score_f32_one},
    {"diffusion_score/f32/t=0.001", score_f32_late},
    {"diffusion_score/f32/d=200", score_f32_wide},
    {"diffusion_score/f64/d=7", score_f64_few},
    {"diffusion_score/f64/d=63", score_f64_tile},
    {"diffusion_score/f64/d=200", score_f64_wide},
    {"diffusion_sample/f32/sde d=2", path_f32_few},
    {"diffusion_sample/f32/sde d=64", path_f32_tile},
    {"diffusion_sample/f32/sde d=130", path_f32_wide},
    {"diffusion_sample/f32/flow by Euler", path_f32_euler},
    {"diffusion_sample/f32/flow by Heun", path_f32_heun},
    {"diffusion_sample/f64/sde d=40", path_f64_tile},
    {"diffusion_sample/f64/flow by Heun", path_f64_heun},
    {"diffusion_sample/f32/cut, d=3", cut_f32_few},
    {"diffusion_sample/f32/cut, d=50", cut_f32_tile},
    {"diffusion_sample/f64/cut, d=150", cut_f64_wide},
};
const int gm_diffusion_cases_count = sizeof gm_diffusion_cases / sizeof gm_diffusion_cases[0];
