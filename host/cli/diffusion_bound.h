/*
 * How far a score computed in a precision may be from the exact one: a first-order rounding
 * analysis, evaluated in double for each sample. Shared by the conformance cases and the tests.
 *
 * Logit k, L_k = bias_k - D_k / (2 v_k), D_k = |x - alpha m_k|^2, is off by at most
 *
 *     e_k = u (2 h sum_j |x_j - a_j| (|x_j| + 2 |a_j|) + (2 C + 16) h D_k + 8 |bias_k| + 8 d),
 *           a = alpha m_k, h = 1 / (2 v_k),
 *
 * the rounding of the inputs of a difference; of the difference, square and sum, in chunks of
 * C = min(d, 128) and over the chunks; and of v_k and the logarithms. With g_k = (a - x) / v_k and
 * r the weights, the score sum_k r_k g_k is then off by at most
 *
 *     sum_k r_k (e_k + sum_l r_l e_l) |g_k - s|  +  u (2 N + 24) sum_k r_k (|a_j| + |x_j|) / v_k,
 *
 * N = min(K, 128) + K / 64 being the longest chain of additions, 24 for the exponential and the
 * rest. The log-density is off by at most sum_k r_k e_k + u (|log p| + N + 8 + d). u is half an ulp
 * of 1.
 */
#ifndef GENMATH_HOST_CLI_DIFFUSION_BOUND_H
#define GENMATH_HOST_CLI_DIFFUSION_BOUND_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <genmath/tensor.h>

/* A mixture in double, contiguous: the values the tested precision holds. */
typedef struct gm_bound_model {
    int64_t components, dim;
    const double *means, *weights, *deviations; /* the last two may be NULL */
    double bandwidth;
} gm_bound_model;

static inline double gm_bound_unit(gm_dtype dtype) {
    return dtype == GM_F32 ? 0x1p-24 : 0x1p-53;
}

/*
 * Bounds for one sample x (d).
 * score       [in]  (d): the exact score
 * score_bound [out] (d)
 * Returns the bound of the log-density, NaN if there is no memory.
 */
static inline double gm_bound_score(gm_dtype dtype, const gm_bound_model *model, double alpha,
                                    double variance, const double *x, const double *score,
                                    double *score_bound) {
    const int64_t components = model->components, dim = model->dim;
    const double u = gm_bound_unit(dtype),
                 chunk = (double)(dim < 128 ? dim : 128) + (double)dim / 64.0;
    const double chain = (double)(components < 128 ? components : 128) + (double)components / 64.0;
    const double narrowest = alpha * alpha * model->bandwidth * model->bandwidth + variance;
    double *logit = malloc((size_t)components * 3 * sizeof *logit);
    if (logit == NULL) {
        return (double)NAN;
    }
    double *error = logit + components, *v = error + components, largest = -INFINITY, sum = 0.0;
    for (int64_t k = 0; k < components; ++k) {
        const double s = model->deviations != NULL ? model->deviations[k] : 0.0;
        const double w = model->weights != NULL ? model->weights[k] : 1.0;
        double distance2 = 0.0, inputs = 0.0;
        v[k] = alpha * alpha * s * s + narrowest;
        for (int64_t j = 0; j < dim; ++j) {
            const double a = alpha * model->means[k * dim + j], difference = fabs(x[j] - a);
            distance2 += difference * difference;
            inputs += difference * (fabs(x[j]) + 2.0 * fabs(a));
        }
        const double bias =
            log(w) - 0.5 * (double)dim * log(v[k] / (narrowest > 0.0 ? narrowest : 1.0));
        const double h = 0.5 / v[k];
        logit[k] = bias - h * distance2;
        error[k] = u * (2.0 * h * inputs + (2.0 * chunk + 16.0) * h * distance2 +
                        (w > 0.0 ? 8.0 * fabs(bias) : 0.0) + 8.0 * (double)dim);
        largest = fmax(largest, logit[k]);
    }
    double mean_error = 0.0;
    for (int64_t k = 0; k < components; ++k) {
        logit[k] = exp(logit[k] - largest);
        sum += logit[k];
        mean_error += logit[k] > 0.0 ? logit[k] * error[k] : 0.0;
    }
    mean_error /= sum;
    for (int64_t j = 0; j < dim; ++j) {
        double bound = 0.0;
        for (int64_t k = 0; k < components; ++k) {
            const double r = logit[k] / sum, a = alpha * model->means[k * dim + j];
            if (r > 0.0) {
                bound += r * (error[k] + mean_error) * fabs((a - x[j]) / v[k] - score[j]);
                bound += r * u * (2.0 * chain + 24.0) * (fabs(a) + fabs(x[j])) / v[k];
            }
        }
        score_bound[j] = bound;
    }
    free(logit);
    return mean_error +
           u * (fabs(largest) + chain + 8.0 + (double)dim * (1.0 + fabs(log(narrowest))));
}

#endif
