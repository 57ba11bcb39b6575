/* gm_cross_entropy: samples and densities by the context's backend, the fit on the host. */
#include <genmath/cross_entropy.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lapack.h>

#include "host/importance_args.h"
#include "host/internal.h"

#define MOST_SAMPLES 0x7fffffff
#define MOST GM_MAX_SYSTEM_DIM

/* A normal law: mean and the lower triangle of its factor. */
typedef struct normal_law {
    int32_t dim;
    double mean[MOST], factor[MOST * MOST];
} normal_law;

typedef struct search {
    gm_context *context;
    const gm_cross_entropy_options *options;
    const gm_cross_entropy_score *score;
    gm_importance_plan *plan;
    normal_law nominal, law;
    double *points, *log_proposal, *scores, *log_weights; /* of an iteration, on the host */
    double *memory;                                       /* of the backend */
    void *block;                                          /* of the host */
} search;

/* ---- arguments ------------------------------------------------------------------------------- */

static gm_status check_numbers(gm_context *context, const gm_cross_entropy_options *o) {
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    const bool rare = o->goal == GM_CROSS_ENTROPY_RARE_EVENT;
    GM_CHECK(context, (unsigned)o->goal <= GM_CROSS_ENTROPY_OPTIMIZE, invalid,
             "options.goal = %d is no gm_cross_entropy_goal", (int)o->goal);
    GM_CHECK(context, o->dim >= 1 && o->dim <= MOST, invalid, "options.dim = %d is not in 1 .. %d",
             (int)o->dim, MOST);
    GM_CHECK(context, o->dense == 0 || o->dense == 1, invalid,
             "options.dense = %d is neither 0 nor 1", (int)o->dense);
    GM_CHECK(context, o->iterations >= 1, invalid, "options.iterations = %d: at least 1",
             (int)o->iterations);
    GM_CHECK(context, o->samples >= 2 && o->samples <= MOST_SAMPLES, invalid,
             "options.samples = %lld is not in 2 .. 2^31 - 1", (long long)o->samples);
    GM_CHECK(context, !rare || (o->final_samples >= 2 && o->final_samples <= MOST_SAMPLES), invalid,
             "options.final_samples = %lld is not in 2 .. 2^31 - 1", (long long)o->final_samples);
    GM_CHECK(context, o->goal == GM_CROSS_ENTROPY_FIT || (o->elite > 0 && o->elite < 1), invalid,
             "options.elite = %g is not in (0, 1)", o->elite);
    GM_CHECK(context, o->smoothing > 0 && o->smoothing <= 1, invalid,
             "options.smoothing = %g is not in (0, 1]", o->smoothing);
    GM_CHECK(context, o->floor >= 0 && isfinite(o->floor), invalid,
             "options.floor = %g: finite, at least 0", o->floor);
    GM_CHECK(context, !rare || isfinite(o->level), invalid, "options.level = %g is not finite",
             o->level);
    GM_CHECK(context, o->goal != GM_CROSS_ENTROPY_OPTIMIZE || o->tolerance >= 0, invalid,
             "options.tolerance = %g: at least 0", o->tolerance);
    return GM_STATUS_OK;
}

static gm_status check_score(gm_context *context, int32_t dim,
                             const gm_cross_entropy_score *score) {
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    GM_CHECK(context, score != NULL, invalid, "score is NULL");
    GM_CHECK(context, (score->function != NULL) != (score->density != NULL), invalid,
             "score.function and score.density: one of the two is given, the other NULL");
    GM_CHECK(context, score->density == NULL || score->density->dim == dim, invalid,
             "options.dim = %d: the density has %d coordinates", (int)dim,
             (int)(score->density != NULL ? score->density->dim : 0));
    GM_CHECK(context,
             score->density == NULL || score->density->params == 0 || score->params != NULL,
             invalid, "score.params is NULL: the density has parameters");
    GM_CHECK(context, score->density == NULL || score->density->columns == 0, invalid,
             "score.density is one over data, which is not taken here");
    return GM_STATUS_OK;
}

static gm_status take_law(gm_context *context, const gm_cross_entropy_options *o,
                          const double *mean, const double *factor, normal_law *law) {
    GM_CHECK(context, mean != NULL, GM_STATUS_INVALID_ARGUMENT, "mean is NULL");
    GM_CHECK(context, factor != NULL, GM_STATUS_INVALID_ARGUMENT, "factor is NULL");
    *law = (normal_law){.dim = o->dim};
    for (int32_t r = 0; r < o->dim; ++r) {
        law->mean[r] = mean[r];
        GM_CHECK(context, isfinite(mean[r]), GM_STATUS_INVALID_ARGUMENT,
                 "mean[%d] = %g is not finite", (int)r, mean[r]);
        for (int32_t c = o->dense != 0 ? 0 : r; c <= r; ++c) {
            const double entry = factor[r * o->dim + c];
            law->factor[r * o->dim + c] = entry;
            GM_CHECK(context, isfinite(entry) && (c < r || entry > 0), GM_STATUS_INVALID_ARGUMENT,
                     "factor[%d][%d] = %g: finite, and positive on the diagonal", (int)r, (int)c,
                     entry);
        }
    }
    return GM_STATUS_OK;
}

/* ---- samples --------------------------------------------------------------------------------- */

static double log_density(const normal_law *law, const double *points, int64_t n, int64_t i) {
    double y[MOST], sum = -0.5 * log(2 * M_PI) * law->dim;
    for (int32_t r = 0; r < law->dim; ++r) {
        y[r] = points[r * n + i] - law->mean[r];
        for (int32_t c = 0; c < r; ++c) {
            y[r] -= law->factor[r * law->dim + c] * y[c];
        }
        y[r] /= law->factor[r * law->dim + r];
        sum -= y[r] * y[r] / 2 + log(law->factor[r * law->dim + r]);
    }
    return sum;
}

/* Where the arrays of the backend's memory begin, in doubles. */
typedef struct parts {
    int64_t mean, factor, params, points, log_proposal, log_target, all;
} parts;

static parts parts_of(const search *s) {
    const int64_t dim = s->options->dim, n = s->options->samples;
    const int64_t params = s->score->density != NULL ? s->score->density->params : 0;
    parts p = {.factor = dim, .params = dim + dim * dim};
    p.points = p.params + params;
    p.log_proposal = p.points + dim * n;
    p.log_target = p.log_proposal + n;
    p.all = p.log_target + n;
    return p;
}

/* n samples of the law, from `first` on, with their scores and weights. */
static gm_status sample(search *s, uint64_t first, int64_t n) {
    const gm_cross_entropy_options *o = s->options;
    const parts p = parts_of(s);
    const bool dense = s->score->density != NULL;
    const size_t size = sizeof(double);
    double *const m = s->memory;
    GM_TRY(gm_memory_upload(s->context, m + p.mean, s->law.mean, (size_t)o->dim * size));
    GM_TRY(gm_memory_upload(s->context, m + p.factor, s->law.factor,
                            (size_t)(o->dim * o->dim) * size));
    const gm_tensor mean = gm_tensor_2d(m + p.mean, GM_F64, 1, o->dim);
    const gm_tensor factor = gm_tensor_3d(m + p.factor, GM_F64, 1, o->dim, o->dim);
    const gm_tensor params = gm_tensor_2d(m + p.params, GM_F64, 1, p.points - p.params);
    const gm_tensor points = gm_tensor_3d(m + p.points, GM_F64, 1, o->dim, n);
    const gm_tensor log_q = gm_tensor_2d(m + p.log_proposal, GM_F64, 1, n);
    const gm_tensor log_p = gm_tensor_2d(m + p.log_target, GM_F64, 1, n);
    const gm_importance_input in = {
        .mean = &mean, .factor = &factor, .params = p.points > p.params ? &params : NULL};
    GM_TRY(gm_importance_draw_from(s->plan, first, &in,
                                   &(gm_importance_samples){.points = &points,
                                                            .log_target = dense ? &log_p : NULL,
                                                            .log_proposal = &log_q}));
    GM_TRY(gm_memory_download(s->context, s->points, points.data, (size_t)(o->dim * n) * size));
    GM_TRY(gm_memory_download(s->context, s->log_proposal, log_q.data, (size_t)n * size));
    if (dense) {
        GM_TRY(gm_memory_download(s->context, s->scores, log_p.data, (size_t)n * size));
    } else {
        const gm_status status = s->score->function(s->score->user, n, s->points, s->scores);
        GM_CHECK(s->context, status == GM_STATUS_OK, status, "the score function returned %s",
                 gm_status_name(status));
    }
    for (int64_t i = 0; i < n; ++i) {
        s->scores[i] = isnan(s->scores[i]) ? (double)-INFINITY : s->scores[i];
        s->log_weights[i] = o->goal == GM_CROSS_ENTROPY_OPTIMIZE ? 0
                            : o->goal == GM_CROSS_ENTROPY_FIT
                                ? s->scores[i] - s->log_proposal[i]
                                : log_density(&s->nominal, s->points, n, i) - s->log_proposal[i];
    }
    return GM_STATUS_OK;
}

/* ---- the fit --------------------------------------------------------------------------------- */

static int descending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The smallest of the highest scores; their array is destroyed. */
static double quantile(const gm_cross_entropy_options *o, double *scores) {
    const double wanted = ceil(o->elite * (double)o->samples);
    qsort(scores, (size_t)o->samples, sizeof *scores, descending);
    return scores[wanted < 1 ? 0 : (int64_t)wanted - 1];
}

/* Weights, 0 below the threshold, in place of their logarithms, and their sum. */
static double normalize(search *s, double threshold, gm_cross_entropy_iteration *row) {
    const int64_t n = s->options->samples;
    double peak = -INFINITY, sum = 0, squares = 0;
    row->elites = 0;
    for (int64_t i = 0; i < n; ++i) {
        const bool elite = s->scores[i] >= threshold;
        s->log_weights[i] = elite ? s->log_weights[i] : (double)-INFINITY;
        row->elites += elite;
        peak = fmax(peak, s->log_weights[i]);
    }
    if (!isfinite(peak)) {
        return 0;
    }
    for (int64_t i = 0; i < n; ++i) {
        const double w = exp(s->log_weights[i] - peak);
        s->log_weights[i] = w;
        sum += w;
        squares += w * w;
    }
    row->ess = sum / squares * sum;
    return sum;
}

/* Raises what is below floor^2: variances, or the eigenvalues of the lower triangle. */
static gm_status raise_to_floor(const search *s, double *covariance) {
    const int32_t dim = s->options->dim;
    const double least = s->options->floor * s->options->floor;
    lapack_int n = dim, room = 3 * MOST, info = 0;
    double vectors[MOST * MOST], values[MOST], work[3 * MOST];
    if (s->options->dense == 0 || least == 0) {
        for (int32_t r = 0; r < dim; ++r) {
            covariance[r * dim + r] = fmax(covariance[r * dim + r], least);
        }
        return GM_STATUS_OK;
    }
    memcpy(vectors, covariance, sizeof vectors);
    LAPACK_dsyev("V", "U", &n, vectors, &n, values, work, &room, &info); /* by columns: upper */
    GM_CHECK(s->context, info == 0, GM_STATUS_NOT_CONVERGED,
             "the eigenvalues of the fitted covariance were not found");
    for (int32_t r = 0; r < dim; ++r) {
        for (int32_t c = 0; c <= r; ++c) {
            double sum = 0;
            for (int32_t k = 0; k < dim; ++k) {
                sum += fmax(values[k], least) * vectors[k * dim + r] * vectors[k * dim + c];
            }
            covariance[r * dim + c] = sum;
        }
    }
    return GM_STATUS_OK;
}

/* L L^T = a in the lower triangle, in place; false if a is not positive definite. */
static bool cholesky(double *a, int32_t dim) {
    for (int32_t c = 0; c < dim; ++c) {
        for (int32_t r = c; r < dim; ++r) {
            double sum = a[r * dim + c];
            for (int32_t k = 0; k < c; ++k) {
                sum -= a[r * dim + k] * a[c * dim + k];
            }
            if (r == c && !(sum > 0)) {
                return false;
            }
            a[r * dim + c] = r == c ? sqrt(sum) : sum / a[c * dim + c];
        }
    }
    return true;
}

/* Entry (r, c) of the covariance about `mean` of the weighted samples, and of the law. */
static double fitted_covariance(const search *s, const double *mean, double sum, int32_t r,
                                int32_t c) {
    const int64_t n = s->options->samples;
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
        total += s->log_weights[i] / sum * (s->points[r * n + i] - mean[r]) *
                 (s->points[c * n + i] - mean[c]);
    }
    return total;
}

static double present_covariance(const normal_law *law, int32_t r, int32_t c) {
    double total = 0;
    for (int32_t k = 0; k <= (r < c ? r : c); ++k) {
        total += law->factor[r * law->dim + k] * law->factor[c * law->dim + k];
    }
    return total;
}

/* The next law, from weights with this sum. */
static gm_status fit(search *s, double sum) {
    const gm_cross_entropy_options *o = s->options;
    const int64_t n = o->samples;
    const double a = o->smoothing;
    double mean[MOST], covariance[MOST * MOST] = {0};
    for (int32_t r = 0; r < o->dim; ++r) {
        mean[r] = 0;
        for (int64_t i = 0; i < n; ++i) {
            mean[r] += s->log_weights[i] / sum * s->points[r * n + i];
        }
    }
    for (int32_t r = 0; r < o->dim; ++r) {
        for (int32_t c = o->dense != 0 ? 0 : r; c <= r; ++c) {
            covariance[r * o->dim + c] = a * fitted_covariance(s, mean, sum, r, c) +
                                         (1 - a) * present_covariance(&s->law, r, c);
        }
    }
    GM_TRY(raise_to_floor(s, covariance));
    GM_CHECK(s->context, cholesky(covariance, o->dim), GM_STATUS_SINGULAR,
             "the covariance of the samples fitted to is singular: too few of them, or no floor");
    for (int32_t r = 0; r < o->dim; ++r) {
        s->law.mean[r] = a * mean[r] + (1 - a) * s->law.mean[r];
    }
    memcpy(s->law.factor, covariance, sizeof covariance);
    return GM_STATUS_OK;
}

static void note_best(const search *s, gm_cross_entropy_result *result) {
    const int64_t n = s->options->samples;
    for (int64_t i = 0; i < n; ++i) {
        if (s->scores[i] > result->best) {
            result->best = s->scores[i];
            for (int32_t r = 0; r < s->options->dim && result->best_point != NULL; ++r) {
                result->best_point[r] = s->points[r * n + i];
            }
        }
    }
}

static double largest_deviation(const normal_law *law) {
    double most = 0;
    for (int32_t r = 0; r < law->dim; ++r) {
        most = fmax(most, sqrt(present_covariance(law, r, r)));
    }
    return most;
}

/* One iteration; *ended: no further one is wanted. */
static gm_status iterate(search *s, int32_t iteration, gm_cross_entropy_result *result,
                         bool *ended) {
    const gm_cross_entropy_options *o = s->options;
    gm_cross_entropy_iteration row = {.threshold = -INFINITY};
    GM_TRY(sample(s, (uint64_t)iteration << 32, o->samples));
    note_best(s, result);
    if (o->goal != GM_CROSS_ENTROPY_FIT) {
        memcpy(s->log_proposal, s->scores, (size_t)o->samples * sizeof *s->scores);
        row.threshold = quantile(o, s->log_proposal);
    }
    const bool reached = o->goal == GM_CROSS_ENTROPY_RARE_EVENT && row.threshold >= o->level;
    row.threshold = reached ? o->level : row.threshold;
    const double sum = normalize(s, row.threshold, &row);
    GM_CHECK(s->context, sum > 0, GM_STATUS_NON_FINITE, "iteration %d: no sample has a weight",
             (int)iteration);
    GM_TRY(fit(s, sum));
    if (result->history != NULL) {
        result->history[iteration] = row;
    }
    result->iterations = iteration + 1;
    *ended = reached ||
             (o->goal == GM_CROSS_ENTROPY_OPTIMIZE && largest_deviation(&s->law) <= o->tolerance);
    return GM_STATUS_OK;
}

/* The probability of the event under the target, from samples of the law. */
static gm_status estimate(search *s, gm_cross_entropy_result *result) {
    const gm_cross_entropy_options *o = s->options;
    const double n = (double)o->final_samples;
    double sum = 0, squares = 0;
    for (int64_t done = 0, many; done < o->final_samples; done += many) {
        many = o->final_samples - done < o->samples ? o->final_samples - done : o->samples;
        GM_TRY(sample(s, ((uint64_t)result->iterations << 32) + (uint64_t)done, many));
        for (int64_t i = 0; i < many; ++i) {
            const double w = s->scores[i] >= o->level ? exp(s->log_weights[i]) : 0;
            sum += w;
            squares += w * w;
        }
    }
    result->probability = sum / n;
    result->error = sqrt(fmax(squares / n - sum / n * (sum / n), 0) / (n - 1));
    result->ess = squares > 0 ? sum / squares * sum : 0;
    return GM_STATUS_OK;
}

static gm_status run(search *s, gm_cross_entropy_result *result) {
    const gm_cross_entropy_options *o = s->options;
    bool ended = false;
    for (int32_t t = 0; t < o->iterations && !ended; ++t) {
        GM_TRY(iterate(s, t, result, &ended));
    }
    if (o->goal == GM_CROSS_ENTROPY_RARE_EVENT && ended) {
        return estimate(s, result);
    }
    GM_CHECK(s->context, ended || o->goal == GM_CROSS_ENTROPY_FIT, GM_STATUS_NOT_CONVERGED,
             "%d iterations: %s", (int)o->iterations,
             o->goal == GM_CROSS_ENTROPY_OPTIMIZE ? "a standard deviation exceeds the tolerance"
                                                  : "the level was not reached");
    return GM_STATUS_OK;
}

static gm_status open_search(search *s) {
    const gm_cross_entropy_options *o = s->options;
    const gm_density *density = s->score->density;
    const gm_importance_options options = {.dtype = GM_F64, .seed = o->seed};
    const parts p = parts_of(s);
    GM_TRY(gm_importance_plan_create(s->context, density, o->dim, &options, &s->plan));
    s->block = malloc((size_t)(o->dim + 3) * (size_t)o->samples * sizeof(double));
    GM_CHECK(s->context, s->block != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the samples");
    s->points = s->block;
    s->log_proposal = s->points + o->dim * o->samples;
    s->scores = s->log_proposal + o->samples;
    s->log_weights = s->scores + o->samples;
    void *memory;
    GM_TRY(gm_memory_alloc(s->context, (size_t)p.all * sizeof(double), &memory));
    s->memory = memory;
    return density != NULL && density->params > 0
               ? gm_memory_upload(s->context, s->memory + p.params, s->score->params,
                                  (size_t)density->params * sizeof(double))
               : GM_STATUS_OK;
}

gm_status gm_cross_entropy(gm_context *context, const gm_cross_entropy_options *options,
                           const gm_cross_entropy_score *score, const double *mean,
                           const double *factor, gm_cross_entropy_result *result) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_TRY(check_numbers(context, options));
    GM_TRY(check_score(context, options->dim, score));
    GM_CHECK(context, result != NULL && result->mean != NULL && result->factor != NULL,
             GM_STATUS_INVALID_ARGUMENT, "result, its mean or its factor is NULL");
    search *s = calloc(1, sizeof *s);
    GM_CHECK(context, s != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the proposal");
    *s = (search){.context = context, .options = options, .score = score};
    gm_status status = take_law(context, options, mean, factor, &s->nominal);
    s->law = s->nominal;
    status = status == GM_STATUS_OK ? open_search(s) : status;
    if (status == GM_STATUS_OK) {
        result->iterations = 0;
        result->probability = result->error = result->ess = NAN;
        result->best = -INFINITY;
        status = run(s, result);
        memcpy(result->mean, s->law.mean, (size_t)options->dim * sizeof(double));
        memcpy(result->factor, s->law.factor,
               (size_t)(options->dim * options->dim) * sizeof(double));
    }
    if (s->memory != NULL) {
        (void)gm_memory_free(context, s->memory);
    }
    gm_importance_plan_destroy(s->plan);
    free(s->block);
    free(s);
    return status;
}
