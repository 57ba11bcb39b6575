/*
 * The reference of the diffusion operations: loops in the order of the formula, everything in
 * double. A sample's path stays in double from its start to its end; only the given data, the noise
 * and the result have the tensors' type. Noise is that of philox.h, in the tensors' precision.
 */
#include <genmath/diffusion.h>
#include <genmath/philox.h>

#include <math.h>
#include <stdlib.h>

#include "host/diffusion_args.h"
#include "host/ref/ref.h"

static double read(gm_dtype dtype, const gm_diffusion_view *view, int64_t row, int64_t column) {
    const int64_t at = row * view->stride[0] + column * view->stride[1];
    return dtype == GM_F32 ? (double)((const float *)view->data)[at]
                           : ((const double *)view->data)[at];
}

static void write(gm_dtype dtype, const gm_diffusion_view *view, int64_t row, int64_t column,
                  double value) {
    const int64_t at = row * view->stride[0] + column * view->stride[1];
    if (dtype == GM_F32) {
        ((float *)view->data)[at] = (float)value;
    } else {
        ((double *)view->data)[at] = value;
    }
}

static double normal(gm_dtype dtype, uint64_t seed, uint64_t index, uint32_t stream, int64_t draw) {
    return dtype == GM_F32 ? (double)gm_normal_f32(seed, index, stream, (uint64_t)draw)
                           : gm_normal_f64(seed, index, stream, (uint64_t)draw);
}

gm_status gm_ref_diffusion_perturb(gm_call *call, const struct gm_diffusion_perturb_args *args) {
    call->kernel = "ref";
    for (int64_t i = 0; i < args->count; ++i) {
        const double t = read(args->dtype, &args->t, i, 0);
        const double slope = args->beta_max - args->beta_min;
        const double integral =
            t >= 0.0 && t <= 1.0 ? args->beta_min * t + 0.5 * slope * t * t : (double)NAN;
        const double alpha = exp(-0.5 * integral), deviation = sqrt(-expm1(-integral));
        for (int64_t j = 0; j < args->dim; ++j) {
            const double z = normal(args->dtype, args->seed, args->first_index + (uint64_t)i,
                                    GM_STREAM_PERTURB, j);
            const double x0 = read(args->dtype, &args->x0, i, j);
            write(args->dtype, &args->xt, i, j, alpha * x0 + deviation * z);
            if (args->z.data != NULL) {
                write(args->dtype, &args->z, i, j, z);
            }
        }
    }
    return GM_STATUS_OK;
}

/* The variance of component k at the time of alpha and variance. */
static double component_variance(const gm_diffusion_model_args *model, int64_t k, double alpha,
                                 double variance) {
    const double s =
        model->deviations.data != NULL ? read(model->dtype, &model->deviations, k, 0) : 0.0;
    return alpha * alpha * (s * s + model->bandwidth2) + variance;
}

/* log w_k - d/2 log v_k - |x - alpha m_k|^2 / (2 v_k). */
static double component_logit(const gm_diffusion_model_args *model, int64_t k, double alpha,
                              double variance, const double *x) {
    const double w = model->weights.data != NULL ? read(model->dtype, &model->weights, k, 0)
                                                 : 1.0 / (double)model->components;
    const double v = component_variance(model, k, alpha, variance);
    double distance2 = 0.0;
    for (int64_t j = 0; j < model->dim; ++j) {
        const double difference = x[j] - alpha * read(model->dtype, &model->means, k, j);
        distance2 += difference * difference;
    }
    return log(w) - 0.5 * (double)model->dim * log(v) - distance2 / (2.0 * v);
}

/*
 * The score at x, and the log-density: the largest logit first, then the sums with every weight
 * divided by its exponential, which keeps them from overflowing.
 */
static double score_at(const gm_diffusion_model_args *model, double alpha, double variance,
                       const double *x, double *score) {
    double largest = -INFINITY, sum = 0.0;
    for (int64_t k = 0; k < model->components; ++k) {
        largest = fmax(largest, component_logit(model, k, alpha, variance, x));
    }
    for (int64_t j = 0; j < model->dim; ++j) {
        score[j] = 0.0;
    }
    for (int64_t k = 0; k < model->components; ++k) {
        const double v = component_variance(model, k, alpha, variance);
        const double weight = exp(component_logit(model, k, alpha, variance, x) - largest);
        sum += weight;
        for (int64_t j = 0; j < model->dim; ++j) {
            score[j] += weight * (alpha * read(model->dtype, &model->means, k, j) - x[j]) / v;
        }
    }
    for (int64_t j = 0; j < model->dim; ++j) {
        score[j] /= sum;
    }
    return largest + log(sum) - 0.5 * (double)model->dim * log(2.0 * acos(-1.0));
}

gm_status gm_ref_diffusion_score(gm_call *call, const struct gm_diffusion_score_args *args) {
    const gm_diffusion_model_args *model = &args->model;
    call->kernel = "ref";
    double *x = malloc(2 * (size_t)model->dim * sizeof *x);
    if (x == NULL) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for two rows");
    }
    double *score = x + model->dim;
    for (int64_t i = 0; i < args->count; ++i) {
        for (int64_t j = 0; j < model->dim; ++j) {
            x[j] = read(model->dtype, &args->x, i, j);
        }
        const double log_density = score_at(model, args->alpha, args->variance, x, score);
        for (int64_t j = 0; j < model->dim; ++j) {
            write(model->dtype, &args->score, i, j, score[j]);
        }
        if (args->log_density.data != NULL) {
            write(model->dtype, &args->log_density, i, 0, log_density);
        }
    }
    free(x);
    return GM_STATUS_OK;
}

/* Field `field` of row `row` of the table of steps. */
static double coefficient(const gm_diffusion_sample_args *args, int64_t row, int field) {
    const gm_diffusion_view table = {(void *)(uintptr_t)args->table, {GM_STEP_FIELDS, 1}};
    return read(args->model.dtype, &table, row, field);
}

/* One row of the table: see GM_STEP_ALPHA ... in diffusion_args.h. */
static void advance(const gm_diffusion_sample_args *args, uint64_t index, int64_t row, double *y,
                    double *saved, double *score) {
    const gm_dtype dtype = args->model.dtype;
    const double a = coefficient(args, row, GM_STEP_A), b = coefficient(args, row, GM_STEP_B);
    const double c = coefficient(args, row, GM_STEP_C), e = coefficient(args, row, GM_STEP_E);
    score_at(&args->model, coefficient(args, row, GM_STEP_ALPHA),
             coefficient(args, row, GM_STEP_VARIANCE), y, score);
    for (int64_t j = 0; j < args->model.dim; ++j) {
        double change = a * y[j] + b * score[j];
        if (c != 0.0) {
            change += c * normal(dtype, args->seed, index, GM_STREAM_DIFFUSION,
                                 row * args->model.dim + j);
        }
        if (e != 0.0) {
            change += e * (saved[j] - y[j]);
        }
        if (coefficient(args, row, GM_STEP_SAVE) != 0.0) {
            saved[j] = y[j];
        }
        y[j] += change;
    }
}

gm_status gm_ref_diffusion_sample(gm_call *call, const struct gm_diffusion_sample_args *args) {
    const int64_t dim = args->model.dim;
    const gm_dtype dtype = args->model.dtype;
    call->kernel = "ref";
    double *y = args->workspace, *saved = y + dim, *score = saved + dim;
    for (int64_t i = 0; i < args->count; ++i) {
        const uint64_t index = args->first_index + (uint64_t)i;
        for (int64_t j = 0; j < dim; ++j) {
            y[j] = args->start.data != NULL
                       ? read(dtype, &args->start, i, j)
                       : normal(dtype, args->seed, index, GM_STREAM_DIFFUSION_START, j);
        }
        for (int64_t row = 0; row < args->rows; ++row) {
            advance(args, index, row, y, saved, score);
        }
        int finite = 1;
        for (int64_t j = 0; j < dim; ++j) {
            write(dtype, &args->samples, i, j, y[j]);
            finite &= isfinite(read(dtype, &args->samples, i, j)) != 0;
        }
        if (args->status.data != NULL) {
            ((int32_t *)args->status.data)[i * args->status.stride[0]] =
                finite ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
        }
    }
    return GM_STATUS_OK;
}
