/*
 * The oracle of gm_mcmc_run: one chain after the other, every operation but the noise in double,
 * each method by its own formula. A proposal's q comes from its density, not from what the normals
 * were.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <genmath/detail/chain_noise.h>

#include "host/mcmc_args.h"
#include "host/ref/density_terms.h"
#include "host/ref/ref.h"
#include "host/strided.h"

#define DIM GM_MAX_SYSTEM_DIM

typedef struct chain {
    const gm_mcmc_problem *problem;
    const gm_density_data *data;
    uint64_t index;
    double y[DIM], params[GM_MAX_SYSTEM_PARAMS], factor[DIM][DIM], h, beta;
    double mean[DIM], square[DIM];   /* of the steps made: mean, sum of squares about it */
    double start_h, error, log_mean; /* of the adaptation */
    int64_t made, accepted, outside;
    gm_status status;
} chain;

static double log_density(const chain *c, const double *y) {
    return gm_ref_log_density(c->problem->density, c->data, c->problem->dtype, y, c->params);
}

static void gradient(const chain *c, const double *y, double *g) {
    gm_ref_gradient(c->problem->density, c->data, c->problem->dtype, y, c->params, g);
}

/* What a chain samples: p to the power of beta. */
static double log_target(const chain *c, const double *y) {
    return c->beta * log_density(c, y);
}

static void target_gradient(const chain *c, const double *y, double *g) {
    gradient(c, y, g);
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        g[i] *= c->beta;
    }
}

/* S x and S^T x. */
static void multiply(const chain *c, const double *x, double *out) {
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        out[i] = 0;
        for (int32_t j = 0; j <= i; ++j) {
            out[i] += c->factor[i][j] * x[j];
        }
    }
}

static void multiply_transposed(const chain *c, const double *x, double *out) {
    for (int32_t j = 0; j < c->problem->density->dim; ++j) {
        out[j] = 0;
        for (int32_t i = j; i < c->problem->density->dim; ++i) {
            out[j] += c->factor[i][j] * x[i];
        }
    }
}

/* S S^T x: the covariance, or inverse mass. */
static void multiply_covariance(const chain *c, const double *x, double *out) {
    double half[DIM];
    multiply_transposed(c, x, half);
    multiply(c, half, out);
}

/* S^-1 x and S^-T x. */
static void solve(const chain *c, const double *x, double *out) {
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        out[i] = x[i];
        for (int32_t j = 0; j < i; ++j) {
            out[i] -= c->factor[i][j] * out[j];
        }
        out[i] /= c->factor[i][i];
    }
}

static void solve_transposed(const chain *c, const double *x, double *out) {
    for (int32_t j = c->problem->density->dim - 1; j >= 0; --j) {
        out[j] = x[j];
        for (int32_t i = j + 1; i < c->problem->density->dim; ++i) {
            out[j] -= c->factor[i][j] * out[i];
        }
        out[j] /= c->factor[j][j];
    }
}

static double half_square(const chain *c, const double *x) {
    double sum = 0;
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        sum += x[i] * x[i] / 2;
    }
    return sum;
}

/* Normal number c of a step, in the precision asked for. */
static double normal(const chain *c, int64_t step, int32_t i) {
    const gm_mcmc_problem *p = c->problem;
    const int m = p->dtype == GM_F64 ? 2 : 4;
    const uint64_t draw = (uint64_t)(step * gm_chain_blocks(p->density->dim, m) * m) + (uint64_t)i;
    return p->dtype == GM_F64 ? gm_normal_f64(p->seed, c->index, GM_STREAM_CHAIN, draw)
                              : (double)gm_normal_f32(p->seed, c->index, GM_STREAM_CHAIN, draw);
}

static bool all_finite(const chain *c, const double *y) {
    bool finite = true;
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        finite = finite && (c->problem->dtype == GM_F64 ? isfinite(y[i]) : isfinite((float)y[i]));
    }
    return finite;
}

/* y + h S S^T g(y), where a Langevin step from y is centred. */
static void langevin_mean(const chain *c, const double *y, double *mean) {
    double g[DIM], drift[DIM];
    target_gradient(c, y, g);
    multiply_covariance(c, g, drift);
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        mean[i] = y[i] + c->h * drift[i];
    }
}

/* log q(to | from) up to a constant: normal, covariance 2 h S S^T. */
static double langevin_log_q(const chain *c, const double *to, const double *from) {
    double apart[DIM], z[DIM];
    langevin_mean(c, from, apart);
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        apart[i] = to[i] - apart[i];
    }
    solve(c, apart, z);
    return -half_square(c, z) / (2 * c->h);
}

/* The proposal from c->y into y; returns the log of what decides upon it. */
static double propose_random_walk(const chain *c, const double *z, double *y) {
    double jump[DIM];
    multiply(c, z, jump);
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        y[i] = c->y[i] + c->h * jump[i];
    }
    return log_target(c, y) - log_target(c, c->y);
}

static double propose_langevin(const chain *c, const double *z, double *y) {
    double mean[DIM], jump[DIM];
    langevin_mean(c, c->y, mean);
    multiply(c, z, jump);
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        y[i] = mean[i] + sqrt(2 * c->h) * jump[i];
    }
    return c->problem->method == GM_MCMC_ULA
               ? 0
               : log_target(c, y) - log_target(c, c->y) + langevin_log_q(c, c->y, y) -
                     langevin_log_q(c, y, c->y);
}

static double propose_hamiltonian(const chain *c, const double *z, int32_t leapfrogs, double *y) {
    const int32_t dim = c->problem->density->dim;
    double g[DIM], momentum[DIM], velocity[DIM];
    memcpy(y, c->y, (size_t)dim * sizeof *y);
    solve_transposed(c, z, momentum);
    multiply_transposed(c, momentum, velocity);
    const double kinetic = half_square(c, velocity);
    for (int32_t l = 0; l < leapfrogs; ++l) {
        target_gradient(c, y, g);
        for (int32_t i = 0; i < dim; ++i) {
            momentum[i] += c->h / 2 * g[i];
        }
        multiply_covariance(c, momentum, velocity);
        for (int32_t i = 0; i < dim; ++i) {
            y[i] += c->h * velocity[i];
        }
        target_gradient(c, y, g);
        for (int32_t i = 0; i < dim; ++i) {
            momentum[i] += c->h / 2 * g[i];
        }
    }
    multiply_transposed(c, momentum, velocity);
    return (kinetic - log_target(c, c->y)) - (half_square(c, velocity) - log_target(c, y));
}

/* As it will be read from the result, so that a run can be cut. */
static double as_stored(const chain *c, double y) {
    return c->problem->dtype == GM_F64 ? y : (double)(float)y;
}

static double patience(const chain *c, int64_t decision) {
    const gm_mcmc_problem *p = c->problem;
    return p->dtype == GM_F64 ? gm_chain_exponential_f64(p->seed, c->index, decision)
                              : (double)gm_chain_exponential_f32(p->seed, c->index, decision);
}

static void add_moments(chain *c) {
    ++c->made;
    for (int32_t i = 0; i < c->problem->density->dim; ++i) {
        const double apart = c->y[i] - c->mean[i];
        c->mean[i] += apart / (double)c->made;
        c->square[i] += apart * (c->y[i] - c->mean[i]);
    }
}

static void count_step(chain *c, const double *y, bool accept, bool finite) {
    c->accepted += accept;
    c->outside += !finite;
    for (int32_t i = 0; i < c->problem->density->dim && accept; ++i) {
        c->y[i] = as_stored(c, y[i]);
    }
    add_moments(c);
}

/* Metropolis within Gibbs: an update after the other. */
static void sweep(chain *c, int64_t step) {
    const gm_mcmc_problem *p = c->problem;
    const int32_t dim = p->density->dim;
    double y[DIM];
    memcpy(y, c->y, sizeof y);
    for (int32_t u = 0; u < dim; ++u) {
        const int32_t i = gm_chain_coordinate(p->seed, step, u, dim, p->jitter);
        y[i] += c->h * (c->factor[i][i] * normal(c, step, u));
        const double ratio = log_target(c, y) - log_target(c, c->y);
        const bool finite = all_finite(c, y) && isfinite(ratio);
        const bool accept = finite && ratio >= -patience(c, step * dim + u);
        c->accepted += accept;
        c->outside += !finite;
        c->y[i] = y[i] = accept ? as_stored(c, y[i]) : c->y[i];
        if (p->target > 0) {
            const double acceptance = finite ? exp(fmin(0, ratio)) : 0;
            c->factor[i][i] *= exp(GM_ADAPT_COMPONENT * (acceptance - p->target) *
                                   pow((double)(c->made + 1), -0.75));
        }
    }
    add_moments(c);
}

/* Dual averaging, after step number c->made of the call. */
static void adapt(chain *c, double ratio, bool finite) {
    const double t = (double)c->made, acceptance = finite ? exp(fmin(0, ratio)) : 0;
    c->error = (1 - 1 / (t + GM_ADAPT_OFFSET)) * c->error +
               (c->problem->target - acceptance) / (t + GM_ADAPT_OFFSET);
    const double log_h = log(10 * c->start_h) - sqrt(t) * GM_ADAPT_GAIN * c->error;
    c->log_mean = pow(t, -0.75) * log_h + (1 - pow(t, -0.75)) * c->log_mean;
    c->h = exp(log_h);
}

static void step_once(chain *c, int64_t step) {
    const gm_mcmc_problem *p = c->problem;
    if (p->method == GM_MCMC_COMPONENT) {
        sweep(c, step);
        return;
    }
    double z[DIM], y[DIM] = {0};
    for (int32_t i = 0; i < p->density->dim; ++i) {
        z[i] = normal(c, step, i);
    }
    const double ratio =
        p->method == GM_MCMC_RWM ? propose_random_walk(c, z, y)
        : p->method == GM_MCMC_HMC
            ? propose_hamiltonian(c, z, gm_chain_length(p->seed, step, p->leapfrogs, p->jitter), y)
            : propose_langevin(c, z, y);
    const bool finite = all_finite(c, y) && isfinite(ratio);
    if (p->method == GM_MCMC_ULA && !finite) {
        ++c->outside;
        c->status = GM_STATUS_NON_FINITE;
        return;
    }
    count_step(c, y, finite && ratio >= -patience(c, step), finite);
    if (p->target > 0) {
        adapt(c, ratio, finite);
    }
}

/* Whether a chain can start, and why not. */
static gm_status start_status(const chain *c) {
    const gm_mcmc_problem *p = c->problem;
    double g[DIM] = {0};
    bool valid = isfinite(c->h) && c->h > 0 && isfinite(c->beta) && c->beta > 0;
    for (int32_t i = 0; i < p->density->dim; ++i) {
        for (int32_t j = 0; j < i; ++j) {
            valid = valid && isfinite(c->factor[i][j]);
        }
        valid = valid && isfinite(c->factor[i][i]) && c->factor[i][i] != 0;
    }
    if (!valid) {
        return GM_STATUS_INVALID_ARGUMENT;
    }
    if (p->method != GM_MCMC_RWM && p->method != GM_MCMC_COMPONENT) {
        gradient(c, c->y, g);
    }
    const bool inside = p->method == GM_MCMC_ULA || isfinite(log_density(c, c->y));
    return all_finite(c, c->y) && inside && all_finite(c, g) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
}

/* S from the factor, or from the scale. */
static void load_factor(chain *c, const gm_mcmc_arrays *a, int64_t i) {
    const gm_dtype dtype = c->problem->dtype;
    memset(c->factor, 0, sizeof c->factor);
    for (int32_t k = 0; k < c->problem->density->dim; ++k) {
        c->factor[k][k] = 1;
        if (a->scale != NULL) {
            c->factor[k][k] =
                gm_load_real(a->scale, dtype, k * a->scale_stride[0] + i * a->scale_stride[1]);
        }
        for (int32_t j = 0; j <= k && a->factor != NULL; ++j) {
            c->factor[k][j] = gm_load_real(a->factor, dtype,
                                           k * a->factor_stride[0] + j * a->factor_stride[1] +
                                               i * a->factor_stride[2]);
        }
    }
}

static void load(chain *c, const gm_mcmc_arrays *a, int64_t i) {
    const gm_mcmc_problem *p = c->problem;
    c->beta = a->beta == NULL ? 1 : gm_load_real(a->beta, p->dtype, i * a->beta_stride[0]);
    c->h = c->start_h = gm_load_real(a->step, p->dtype, i * a->step_stride[0]);
    for (int32_t k = 0; k < p->density->dim; ++k) {
        c->y[k] = gm_load_real(a->start, p->dtype, k * a->start_stride[0] + i * a->start_stride[1]);
    }
    load_factor(c, a, i);
    for (int32_t k = 0; k < p->density->params; ++k) {
        c->params[k] =
            gm_load_real(a->params, p->dtype, k * a->params_stride[0] + i * a->params_stride[1]);
    }
    c->status = start_status(c);
}

static void store(const chain *c, const gm_mcmc_arrays *a, int64_t i) {
    const gm_dtype dtype = c->problem->dtype;
    for (int32_t k = 0; k < c->problem->density->dim; ++k) {
        const double none = c->made > 0 ? 0 : (double)NAN;
        if (a->end != NULL) {
            gm_store_real(a->end, dtype, k * a->end_stride[0] + i * a->end_stride[1], c->y[k]);
        }
        if (a->mean != NULL) {
            gm_store_real(a->mean, dtype, k * a->mean_stride[0] + i * a->mean_stride[1],
                          c->mean[k] + none);
        }
        if (a->variance != NULL) {
            gm_store_real(a->variance, dtype, k * a->variance_stride[0] + i * a->variance_stride[1],
                          c->square[k] / (double)c->made + none);
        }
    }
    for (int32_t k = 0; a->end_scale != NULL && k < c->problem->density->dim; ++k) {
        gm_store_real(a->end_scale, dtype, k * a->end_scale_stride[0] + i * a->end_scale_stride[1],
                      c->made > 0 ? c->factor[k][k] : (double)NAN);
    }
    if (a->end_step != NULL) {
        gm_store_real(a->end_step, dtype, i * a->end_step_stride[0],
                      c->made > 0 ? exp(c->log_mean) : (double)NAN);
    }
    if (a->logp != NULL) {
        gm_store_real(a->logp, dtype, i * a->logp_stride[0],
                      c->status == GM_STATUS_OK ? log_density(c, c->y) : (double)NAN);
    }
    gm_store_i32(a->accepted, i * a->accepted_stride[0], c->accepted);
    gm_store_i32(a->outside, i * a->outside_stride[0], c->outside);
    gm_store_i32(a->status, i * a->status_stride[0], c->status);
}

static void run_one(const gm_mcmc_problem *p, const gm_mcmc_arrays *a, int64_t i) {
    chain c = {.problem = p, .data = &a->data, .index = p->first_index + (uint64_t)i};
    load(&c, a, i);
    for (int64_t step = 0; step < p->steps; ++step) {
        if (c.status == GM_STATUS_OK) {
            step_once(&c, a->first_step + step);
        }
        if (a->draws != NULL && (step + 1) % p->thin == 0) {
            for (int32_t k = 0; k < p->density->dim; ++k) {
                gm_store_real(a->draws, p->dtype,
                              ((step + 1) / p->thin - 1) * a->draws_stride[0] +
                                  k * a->draws_stride[1] + i * a->draws_stride[2],
                              c.status == GM_STATUS_OK ? c.y[k] : (double)NAN);
            }
        }
    }
    store(&c, a, i);
}

gm_status gm_ref_mcmc_run(gm_call *call, const gm_mcmc_problem *problem, void *state,
                          const gm_mcmc_arrays *arrays) {
    (void)state;
    for (int64_t i = 0; i < arrays->n; ++i) {
        run_one(problem, arrays, i);
    }
    call->kernel = "mcmc_ref";
    return GM_STATUS_OK;
}
