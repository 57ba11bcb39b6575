/* The oracle of gm_importance_*: a sample, a problem after the other, every operation but the noise
 * in double. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "host/importance_args.h"
#include "host/ref/density_terms.h"
#include "host/ref/ref.h"
#include "host/strided.h"

/* ---- samples --------------------------------------------------------------------------------- */

/* Row i, column j of the proposal's factor. */
static double factor(const gm_importance_problem *p, const gm_importance_arrays *a, int64_t k,
                     int64_t i, int64_t j) {
    if (a->scale != NULL) {
        return i == j ? gm_load_real(a->scale, p->dtype,
                                     k * a->scale_stride[0] + i * a->scale_stride[1])
                      : 0;
    }
    return gm_load_real(a->factor, p->dtype,
                        k * a->factor_stride[0] + i * a->factor_stride[1] +
                            j * a->factor_stride[2]);
}

static double normal(const gm_importance_problem *p, uint64_t index, int32_t draw) {
    return p->dtype == GM_F64
               ? gm_normal_f64(p->seed, index, GM_STREAM_IMPORTANCE, (uint64_t)draw)
               : (double)gm_normal_f32(p->seed, index, GM_STREAM_IMPORTANCE, (uint64_t)draw);
}

/* A sample of the proposal, rounded to the type, and the logarithm of its density. */
static double propose(const gm_importance_problem *p, const gm_importance_arrays *a, int64_t k,
                      int64_t i, double *x) {
    const uint64_t index = p->first_index + ((uint64_t)k << 32) + (uint64_t)i;
    double z[GM_MAX_SYSTEM_DIM], log_q = -0.5 * log(2 * M_PI) * p->dim;
    bool good = true;
    for (int32_t r = 0; r < p->dim; ++r) {
        z[r] = normal(p, index, r);
        x[r] = gm_load_real(a->mean, p->dtype, k * a->mean_stride[0] + r * a->mean_stride[1]);
        good = good && isfinite(x[r]) && factor(p, a, k, r, r) > 0;
        for (int32_t c = 0; c <= r; ++c) {
            x[r] += factor(p, a, k, r, c) * z[c];
            good = good && isfinite(factor(p, a, k, r, c));
        }
        log_q -= z[r] * z[r] / 2 + log(factor(p, a, k, r, r));
    }
    for (int32_t r = 0; r < p->dim; ++r) {
        x[r] = !good ? (double)NAN : p->dtype == GM_F64 ? x[r] : (double)(float)x[r];
    }
    return good ? log_q : (double)NAN;
}

void gm_ref_importance_sample(const gm_importance_problem *p, const gm_importance_arrays *a,
                              int64_t k, int64_t i) {
    double x[GM_MAX_SYSTEM_DIM] = {0}, params[GM_MAX_SYSTEM_PARAMS], log_q = NAN;
    if (a->points == NULL) {
        log_q = propose(p, a, k, i, x);
    }
    for (int32_t r = 0; r < p->dim; ++r) {
        if (a->points != NULL) {
            x[r] = gm_load_real(a->points, p->dtype,
                                k * a->points_stride[0] + r * a->points_stride[1] +
                                    i * a->points_stride[2]);
        }
        if (a->drawn != NULL) {
            gm_store_real(a->drawn, p->dtype,
                          k * a->drawn_stride[0] + r * a->drawn_stride[1] + i * a->drawn_stride[2],
                          x[r]);
        }
    }
    if (a->log_proposal != NULL) {
        gm_store_real(a->log_proposal, p->dtype,
                      k * a->log_proposal_stride[0] + i * a->log_proposal_stride[1], log_q);
    }
    if (a->log_target == NULL) {
        return;
    }
    for (int32_t r = 0; r < p->params; ++r) {
        params[r] =
            gm_load_real(a->params, p->dtype, k * a->params_stride[0] + r * a->params_stride[1]);
    }
    const double log_p = gm_ref_log_density(p->density, &a->data, p->dtype, x, params);
    gm_store_real(a->log_target, p->dtype,
                  k * a->log_target_stride[0] + i * a->log_target_stride[1], log_p);
}

gm_status gm_ref_importance_draw(gm_call *call, const gm_importance_problem *problem, void *state,
                                 const gm_importance_arrays *arrays) {
    (void)state;
    call->kernel = "importance_draw_ref";
    for (int64_t k = 0; k < arrays->problems; ++k) {
        for (int64_t i = 0; i < arrays->n; ++i) {
            gm_ref_importance_sample(problem, arrays, k, i);
        }
    }
    return GM_STATUS_OK;
}

/* ---- estimates ------------------------------------------------------------------------------- */

static double log_weight(const gm_weigh_args *a, int64_t k, int64_t i) {
    const double target = gm_load_real(a->log_target, a->dtype,
                                       k * a->log_target_stride[0] + i * a->log_target_stride[1]);
    return a->log_proposal == NULL ? target
                                   : target - gm_load_real(a->log_proposal, a->dtype,
                                                           k * a->log_proposal_stride[0] +
                                                               i * a->log_proposal_stride[1]);
}

/* A value that has no weight counts for nothing. */
static double value(const gm_weigh_args *a, int64_t k, int64_t f, int64_t i, double u) {
    return u == 0 ? 0
                  : gm_load_real(a->values, a->dtype,
                                 k * a->values_stride[0] + f * a->values_stride[1] +
                                     i * a->values_stride[2]);
}

static void store_single(const gm_weigh_args *a, int which, int64_t k, double x) {
    if (a->single[which] != NULL) {
        a->single[which][k * a->single_stride[which][0]] = x;
    }
}

static void store_functional(const gm_weigh_args *a, int which, int64_t k, int64_t f, double x) {
    if (a->functional[which] != NULL) {
        const int64_t *stride = a->functional_stride[which];
        a->functional[which][k * stride[0] + f * stride[1]] = x;
    }
}

/* Of weights u over their largest, exp(peak), with this sum. Returns whether they are finite. */
static bool estimate(const gm_weigh_args *a, int64_t k, int64_t f, double peak, double sum) {
    const double n = (double)a->n;
    double mean = 0, square = 0, variance = 0, spread = 0;
    for (int64_t i = 0; i < a->n; ++i) {
        const double u = exp(log_weight(a, k, i) - peak);
        mean += u * value(a, k, f, i, u) / sum;
    }
    for (int64_t i = 0; i < a->n; ++i) {
        const double u = exp(log_weight(a, k, i) - peak), x = value(a, k, f, i, u);
        const double away = u * x - mean * sum / n;
        square += u / sum * u / sum * (x - mean) * (x - mean);
        variance += u / sum * (x - mean) * (x - mean);
        spread += away * away;
    }
    const bool finite = isfinite(mean) && isfinite(spread);
    const double none = finite ? 0 : (double)NAN;
    store_functional(a, GM_MEAN, k, f, mean + none);
    store_functional(a, GM_MEAN_ERROR, k, f, sqrt(square) + none);
    store_functional(a, GM_VARIANCE, k, f, variance + none);
    store_functional(a, GM_INTEGRAL, k, f, exp(peak) * (mean * sum / n) + none);
    store_functional(a, GM_INTEGRAL_ERROR, k, f, exp(peak) * sqrt(spread / n / (n - 1)) + none);
    return finite;
}

static void store_nothing(const gm_weigh_args *a, int64_t k, double log_normalizer) {
    for (int which = 0; which < GM_WEIGH_SINGLES; ++which) {
        store_single(a, which, k, which == GM_LOG_NORMALIZER ? log_normalizer : (double)NAN);
    }
    for (int which = 0; which < GM_WEIGH_FUNCTIONALS; ++which) {
        for (int64_t f = 0; f < a->functions; ++f) {
            store_functional(a, which, k, f, NAN);
        }
    }
    for (int64_t i = 0; i < a->n && a->weights != NULL; ++i) {
        a->weights[k * a->weights_stride[0] + i * a->weights_stride[1]] = NAN;
    }
    if (a->status != NULL) {
        a->status[k * a->status_stride[0]] = GM_STATUS_NON_FINITE;
    }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* -k of the generalised Pareto law with this theta that fits excesses best: mean log(1 - theta x).
 */
static double mean_log(double theta, const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        sum += log1p(-theta * x[i]);
    }
    return sum / (double)n;
}

/* The mean of theta under its profile likelihood, and k with it, pulled towards 1/2. */
static double fit_tail(const double *x, int64_t n) {
    const int64_t points = gm_pareto_points(n);
    const double quartile = x[(int64_t)((double)n / 4 + 0.5) - 1];
    double weights = 0, theta = 0, most = -INFINITY;
    if (!(quartile > 0)) {
        return NAN;
    }
    for (int pass = 0; pass < 2; ++pass) {
        for (int64_t j = 0; j < points; ++j) {
            const double t = gm_pareto_theta(j, points, x[n - 1], quartile);
            const double k = mean_log(t, x, n);
            const double profile = (double)n * (log(-t / k) - k - 1);
            if (pass == 0) {
                most = fmax(most, profile);
            } else {
                weights += exp(profile - most);
                theta += t * exp(profile - most);
            }
        }
    }
    return ((double)n * mean_log(theta / weights, x, n) + 0.5 * GM_PARETO_PRIOR) /
           (double)(n + GM_PARETO_PRIOR);
}

/* Of the excesses of the largest weights, over the largest weight, above the one before them. */
static double pareto_k(const gm_weigh_args *a, int64_t k, double peak, double *u) {
    const int64_t n = a->n, tail = gm_pareto_tail(n);
    if (tail < GM_PARETO_LEAST) {
        return NAN;
    }
    for (int64_t i = 0; i < n; ++i) {
        u[i] = exp(log_weight(a, k, i) - peak);
    }
    qsort(u, (size_t)n, sizeof *u, ascending);
    for (int64_t i = n - tail; i < n; ++i) {
        u[i] -= u[n - tail - 1];
    }
    return fit_tail(u + n - tail, tail);
}

size_t gm_ref_importance_weigh_workspace(gm_call *call, const gm_weigh_args *args) {
    (void)call;
    return args->single[GM_PARETO_K] != NULL ? (size_t)args->n * sizeof(double) : 0;
}

void gm_ref_importance_weigh_problem(const gm_weigh_args *a, int64_t k, void *scratch) {
    const double n = (double)a->n;
    double peak = -INFINITY, sum = 0, squares = 0;
    bool good = true;
    for (int64_t i = 0; i < a->n; ++i) {
        const double lw = log_weight(a, k, i);
        good = good && lw < (double)INFINITY; /* no NaN either */
        peak = fmax(peak, lw);
    }
    if (!good || peak == (double)-INFINITY) {
        store_nothing(a, k, good ? (double)-INFINITY : (double)NAN);
        return;
    }
    for (int64_t i = 0; i < a->n; ++i) {
        const double u = exp(log_weight(a, k, i) - peak);
        sum += u;
        squares += u * u;
    }
    for (int64_t i = 0; i < a->n && a->weights != NULL; ++i) {
        a->weights[k * a->weights_stride[0] + i * a->weights_stride[1]] =
            exp(log_weight(a, k, i) - peak) / sum;
    }
    store_single(a, GM_LOG_NORMALIZER, k, peak + log(sum / n));
    store_single(a, GM_LOG_NORMALIZER_ERROR, k,
                 sqrt(fmax(n * (squares / sum / sum) - 1, 0) / (n - 1)));
    store_single(a, GM_ESS, k, sum / squares * sum);
    store_single(a, GM_MAX_WEIGHT, k, 1 / sum);
    if (a->single[GM_PARETO_K] != NULL) {
        store_single(a, GM_PARETO_K, k, pareto_k(a, k, peak, scratch));
    }
    for (int64_t f = 0; f < a->functions; ++f) {
        good = estimate(a, k, f, peak, sum) && good;
    }
    if (a->status != NULL) {
        a->status[k * a->status_stride[0]] = good ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    }
}

gm_status gm_ref_importance_weigh(gm_call *call, const gm_weigh_args *args) {
    call->kernel = "importance_weigh_ref";
    for (int64_t k = 0; k < args->problems; ++k) {
        gm_ref_importance_weigh_problem(args, k, args->workspace);
    }
    return GM_STATUS_OK;
}

/* ---- resampling ------------------------------------------------------------------------------ */

size_t gm_ref_importance_resample_workspace(gm_call *call, const gm_resample_args *args) {
    (void)call;
    return (size_t)args->n * sizeof(uint64_t);
}

/* The cumulative weights as integers; returns their sum, 0 if they are no weights. */
static uint64_t accumulate(const gm_resample_args *a, int64_t k, uint64_t *cumulative) {
    const double *const w = a->weights + k * a->weights_stride[0];
    double most = 0;
    for (int64_t i = 0; i < a->n; ++i) {
        const double x = w[i * a->weights_stride[1]];
        if (!(x >= 0 && x < (double)INFINITY)) {
            return 0;
        }
        most = fmax(most, x);
    }
    int exponent;
    (void)frexp(most, &exponent); /* most < 2^exponent */
    uint64_t total = 0;
    for (int64_t i = 0; i < a->n; ++i) {
        total += (uint64_t)ldexp(w[i * a->weights_stride[1]], gm_resample_bits(a->n) - exponent);
        cumulative[i] = total;
    }
    return total;
}

void gm_ref_importance_resample_problem(const gm_resample_args *a, int64_t k, void *scratch) {
    uint64_t *const cumulative = scratch;
    const uint64_t total = accumulate(a, k, cumulative);
    for (int64_t j = 0; j < a->count; ++j) {
        const int64_t found = total == 0
                                  ? -1
                                  : gm_resample_find(cumulative, a->n,
                                                     gm_resample_place(a->method, a->seed,
                                                                       a->first_index + (uint64_t)k,
                                                                       j, a->count, total));
        a->indices[k * a->indices_stride[0] + j * a->indices_stride[1]] = (int32_t)found;
    }
    if (a->status != NULL) {
        a->status[k * a->status_stride[0]] = total == 0 ? GM_STATUS_NON_FINITE : GM_STATUS_OK;
    }
}

gm_status gm_ref_importance_resample(gm_call *call, const gm_resample_args *args) {
    call->kernel = "importance_resample_ref";
    for (int64_t k = 0; k < args->problems; ++k) {
        gm_ref_importance_resample_problem(args, k, args->workspace);
    }
    return GM_STATUS_OK;
}
