/* gm_inverse_ising_*: a convex problem for each site, by proximal Newton steps. */
#include <genmath/inverse_ising.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/careful_sum.h"
#include "host/internal.h"

enum { MOST_SITES = 1 << 12, MOST_STEPS = 100, DESCENTS = 500, HALVINGS = 40 };
static const double SMALL_STEP = 1e-3;

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_method(gm_context *context, const char *name,
                              gm_inverse_ising_method method) {
    GM_CHECK(context, (unsigned)method <= GM_INVERSE_ISING_LOG_RISE, GM_STATUS_INVALID_ARGUMENT,
             "%s = %d is none", name, (int)method);
    return GM_STATUS_OK;
}

/* total: the sum of the weights. */
static gm_status check_data(gm_context *context, const gm_inverse_ising_data *d, double *total) {
    GM_CHECK(context, d != NULL, GM_STATUS_INVALID_ARGUMENT, "data is NULL");
    GM_CHECK(context, d->sites >= 1 && d->sites <= MOST_SITES, GM_STATUS_INVALID_ARGUMENT,
             "data.sites = %lld: must be in 1 .. 2^12", (long long)d->sites);
    GM_CHECK(context, d->samples >= 1 && d->samples <= ((int64_t)1 << 31) / d->sites,
             GM_STATUS_INVALID_ARGUMENT, "data.samples = %lld: must be in 1 .. 2^31 / sites",
             (long long)d->samples);
    GM_CHECK(context, d->spins != NULL, GM_STATUS_INVALID_ARGUMENT, "data.spins is NULL");
    for (int64_t k = 0; k < d->samples * d->sites; ++k) {
        GM_CHECK(context, d->spins[k] == 1 || d->spins[k] == -1, GM_STATUS_INVALID_ARGUMENT,
                 "data.spins[%lld] = %d: must be -1 or +1", (long long)k, (int)d->spins[k]);
    }
    *total = 0;
    for (int64_t s = 0; s < d->samples; ++s) {
        const double w = d->weights != NULL ? d->weights[s] : 1;
        GM_CHECK(context, w >= 0 && w < INFINITY, GM_STATUS_INVALID_ARGUMENT,
                 "data.weights[%lld] = %g: must be finite and not negative", (long long)s, w);
        *total += w;
    }
    GM_CHECK(context, *total >= DBL_MIN && *total < INFINITY, GM_STATUS_INVALID_ARGUMENT,
             "data.weights: their sum is %g", *total);
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_inverse_ising_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_TRY(check_method(context, "options.method", o->method));
    GM_CHECK(context, o->lambda >= 0 && o->lambda < INFINITY, GM_STATUS_INVALID_ARGUMENT,
             "options.lambda = %g: must be finite and not negative", o->lambda);
    GM_CHECK(context, o->tolerance >= 0 && o->tolerance < INFINITY, GM_STATUS_INVALID_ARGUMENT,
             "options.tolerance = %g: must be finite and not negative", o->tolerance);
    GM_CHECK(context, o->most_steps >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.most_steps = %d is negative", (int)o->most_steps);
    return GM_STATUS_OK;
}

/* ---- one site's problem ---------------------------------------------------------------------- */

/* The samples as numbers: (samples, sites) and their weights, which sum to 1. */
typedef struct numbers {
    int64_t sites, samples;
    double *x, *weight;
} numbers;

typedef struct problem {
    const numbers *n;
    gm_inverse_ising_method method;
    int64_t site;
    double *curvature; /* (samples) of the loss, times the weight */
    double *row;       /* (sites) scratch */
} problem;

/* Loss, slope and curvature in the margin; of LOG_RISE those of RISE. */
static void loss_of(gm_inverse_ising_method method, double u, double *loss, double *slope,
                    double *curvature) {
    if (method == GM_INVERSE_ISING_PSEUDO_LIKELIHOOD) {
        const double e = exp(-2 * fabs(u)); /* of the margin's size: nothing overflows */
        const double against = u >= 0 ? e / (1 + e) : 1 / (1 + e);
        *loss = log1p(e) + (u >= 0 ? 0 : -2 * u);
        *slope = -2 * against;
        *curvature = 4 * e / ((1 + e) * (1 + e));
    } else {
        *loss = exp(-u);
        *slope = -*loss;
        *curvature = *loss;
    }
}

/* x_s with the site's own spin replaced by 1, whose parameter is the field. */
static const double *row_of(const problem *p, int64_t sample) {
    memcpy(p->row, p->n->x + sample * p->n->sites, (size_t)p->n->sites * sizeof *p->row);
    p->row[p->site] = 1;
    return p->row;
}

/* The smooth part; gradient and p->curvature too if gradient is not NULL. */
static double evaluate(const problem *p, const double *theta, double *gradient) {
    const numbers *n = p->n;
    gm_careful_sum sum = {0, 0}; /* the line search sees the last digits */
    if (gradient != NULL) {
        memset(gradient, 0, (size_t)n->sites * sizeof *gradient);
    }
    for (int64_t s = 0; s < n->samples; ++s) {
        const double *z = row_of(p, s), y = n->x[s * n->sites + p->site];
        double field = 0, loss, slope, curvature;
        for (int64_t b = 0; b < n->sites; ++b) {
            field += theta[b] * z[b];
        }
        loss_of(p->method, y * field, &loss, &slope, &curvature);
        gm_careful_add(&sum, n->weight[s] * loss);
        if (gradient != NULL) {
            const double pull = n->weight[s] * slope * y;
            p->curvature[s] = n->weight[s] * curvature;
            for (int64_t b = 0; b < n->sites; ++b) {
                gradient[b] += pull * z[b];
            }
        }
    }
    const double value = gm_careful_value(sum);
    if (p->method != GM_INVERSE_ISING_LOG_RISE) {
        return value;
    }
    for (int64_t b = 0; b < n->sites && gradient != NULL; ++b) {
        gradient[b] /= value;
    }
    for (int64_t s = 0; s < n->samples && gradient != NULL; ++s) {
        p->curvature[s] /= value;
    }
    return log(value);
}

/* The second derivatives where evaluate was last called. hessian: (sites, sites), all of it. */
static void make_hessian(const problem *p, const double *gradient, double *hessian) {
    const int64_t n = p->n->sites;
    memset(hessian, 0, (size_t)(n * n) * sizeof *hessian);
    for (int64_t s = 0; s < p->n->samples; ++s) {
        const double *z = row_of(p, s), c = p->curvature[s];
        for (int64_t i = 0; i < n && c > 0; ++i) {
            const double factor = c * z[i];
            for (int64_t j = 0; j <= i; ++j) {
                hessian[i * n + j] += factor * z[j];
            }
        }
    }
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
            if (p->method == GM_INVERSE_ISING_LOG_RISE) {
                hessian[i * n + j] -= gradient[i] * gradient[j];
            }
            hessian[j * n + i] = hessian[i * n + j];
        }
    }
}

/* ---- proximal Newton ------------------------------------------------------------------------- */

/* What one site's fit works with; arrays of (sites) but for the last. */
typedef struct fit {
    problem p;
    const gm_inverse_ising_options *options;
    double tolerance;
    double *theta, *gradient, *step, *trial, *product, *hessian;
    double residual, moved; /* moved: the largest change of the last step */
    int32_t steps;
    gm_status status;
} fit;

static bool is_free(const fit *f, int64_t b) {
    const uint8_t *allowed = f->options->allowed;
    return b == f->p.site || allowed == NULL || allowed[f->p.site * f->p.n->sites + b] != 0;
}

static double lambda_of(const fit *f, int64_t b) {
    return b == f->p.site ? 0 : f->options->lambda;
}

static double residual_of(const fit *f) {
    double largest = 0;
    for (int64_t b = 0; b < f->p.n->sites; ++b) {
        const double g = f->gradient[b], t = f->theta[b], lambda = lambda_of(f, b);
        const double violation = t > 0   ? fabs(g + lambda)
                                 : t < 0 ? fabs(g - lambda)
                                         : fmax(fabs(g) - lambda, 0);
        largest = is_free(f, b) ? fmax(largest, violation) : largest;
    }
    return largest;
}

static double penalty(const fit *f, const double *theta) {
    double sum = 0;
    for (int64_t b = 0; b < f->p.n->sites; ++b) {
        sum += lambda_of(f, b) * fabs(theta[b]);
    }
    return sum;
}

/* The step that minimises gradient . step + step . H step / 2 + lambda |theta + step|. */
static void descend(fit *f) {
    const int64_t n = f->p.n->sites;
    memset(f->step, 0, (size_t)n * sizeof *f->step);
    memset(f->product, 0, (size_t)n * sizeof *f->product); /* H step */
    double largest = INFINITY;
    for (int k = 0; k < DESCENTS && largest > 0.01 * f->tolerance; ++k) {
        largest = 0;
        for (int64_t b = 0; b < n; ++b) {
            const double h = f->hessian[b * n + b] + 1e-14;
            const double at = f->theta[b] + f->step[b];
            const double goal = at - (f->gradient[b] + f->product[b]) / h;
            const double shrunk = fmax(fabs(goal) - lambda_of(f, b) / h, 0);
            const double change = copysign(shrunk, goal) - at;
            if (change != 0 && is_free(f, b)) {
                f->step[b] += change;
                for (int64_t j = 0; j < n; ++j) {
                    f->product[j] += change * f->hessian[b * n + j];
                }
                largest = fmax(largest, fabs(change) * h);
            }
        }
    }
}

/* theta moves along the step as far as the objective falls; false if it does not. */
static bool search_line(fit *f, double *value) {
    const int64_t n = f->p.n->sites;
    double decrease = -penalty(f, f->theta);
    for (int64_t b = 0; b < n; ++b) {
        f->trial[b] = f->theta[b] + f->step[b];
        decrease += f->gradient[b] * f->step[b];
    }
    decrease += penalty(f, f->trial); /* of the linear model: not positive */
    const double before = *value + penalty(f, f->theta);
    double length = 1;
    for (int k = 0; k < HALVINGS; ++k, length /= 2) {
        for (int64_t b = 0; b < n; ++b) {
            f->trial[b] = f->theta[b] + length * f->step[b];
        }
        const double after = evaluate(&f->p, f->trial, NULL) + penalty(f, f->trial);
        const double noise = 16 * DBL_EPSILON * (fabs(before) + 1);
        if (after <= before + 1e-4 * length * decrease + noise) {
            f->moved = 0;
            for (int64_t b = 0; b < n; ++b) {
                f->moved = fmax(f->moved, length * fabs(f->step[b]));
            }
            memcpy(f->theta, f->trial, (size_t)n * sizeof *f->theta);
            return true;
        }
    }
    return false;
}

/* Where parameters run off to infinity the gradient vanishes too, but the steps do not. */
static bool has_converged(const fit *f) {
    return f->residual <= f->tolerance && f->moved <= SMALL_STEP;
}

static void fit_site(fit *f) {
    const int32_t most = f->options->most_steps > 0 ? f->options->most_steps : MOST_STEPS;
    memset(f->theta, 0, (size_t)f->p.n->sites * sizeof *f->theta);
    double value = evaluate(&f->p, f->theta, f->gradient);
    f->residual = residual_of(f);
    for (f->steps = 0; !has_converged(f) && f->steps < most; ++f->steps) {
        make_hessian(&f->p, f->gradient, f->hessian);
        descend(f);
        if (!search_line(f, &value)) {
            break;
        }
        value = evaluate(&f->p, f->theta, f->gradient);
        f->residual = residual_of(f);
    }
    f->status = has_converged(f) ? GM_STATUS_OK : GM_STATUS_NOT_CONVERGED;
}

/* ---- all sites ------------------------------------------------------------------------------- */

typedef struct job {
    const numbers *n;
    const gm_inverse_ising_options *options;
    double *scratch; /* of each thread */
    size_t scratch_size;
    double *directed, *residual; /* (sites, sites), the field on the diagonal; (sites) */
    int32_t *steps, *status;
} job;

static void run_site(void *argument, int64_t site, int32_t thread) {
    const job *j = argument;
    const int64_t n = j->n->sites;
    double *next = j->scratch + (size_t)thread * j->scratch_size;
    fit f = {.p = {.n = j->n, .method = j->options->method, .site = site},
             .options = j->options,
             .tolerance = j->options->tolerance > 0 ? j->options->tolerance : 1e-9,
             .theta = j->directed + site * n};
    double **const rows[] = {&f.gradient, &f.step, &f.trial, &f.product, &f.p.row};
    for (int i = 0; i < 5; ++i, next += n) {
        *rows[i] = next;
    }
    f.hessian = next;
    f.p.curvature = next + n * n;
    fit_site(&f);
    j->residual[site] = f.residual;
    j->steps[site] = f.steps;
    j->status[site] = f.status;
}

static gm_status make_numbers(gm_context *context, const gm_inverse_ising_data *d, double total,
                              numbers *n) {
    *n = (numbers){.sites = d->sites, .samples = d->samples};
    n->x = malloc((size_t)(d->samples * d->sites) * sizeof *n->x);
    n->weight = malloc((size_t)d->samples * sizeof *n->weight);
    GM_CHECK(context, n->x != NULL && n->weight != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for %lld samples", (long long)d->samples);
    for (int64_t k = 0; k < d->samples * d->sites; ++k) {
        n->x[k] = d->spins[k];
    }
    for (int64_t s = 0; s < d->samples; ++s) {
        n->weight[s] = (d->weights != NULL ? d->weights[s] : 1) / total;
    }
    return GM_STATUS_OK;
}

static void store(const job *j, const gm_inverse_ising_result *r) {
    const int64_t n = j->n->sites;
    for (int64_t a = 0; a < n; ++a) {
        for (int64_t b = 0; b < n; ++b) {
            const double own = a == b ? 0 : j->directed[a * n + b];
            const double other = a == b ? 0 : j->directed[b * n + a];
            if (r->coupling != NULL) {
                r->coupling[a * n + b] = (own + other) / 2;
            }
            if (r->directed != NULL) {
                r->directed[a * n + b] = own;
            }
        }
        if (r->field != NULL) {
            r->field[a] = j->directed[a * n + a];
        }
    }
    const size_t count = (size_t)n;
    if (r->residual != NULL) {
        memcpy(r->residual, j->residual, count * sizeof *r->residual);
    }
    if (r->steps != NULL) {
        memcpy(r->steps, j->steps, count * sizeof *r->steps);
    }
    if (r->status != NULL) {
        memcpy(r->status, j->status, count * sizeof *r->status);
    }
}

static gm_status fit_all(gm_context *context, job *j, const gm_inverse_ising_result *result) {
    gm_pool *pool = context->call.pool;
    const size_t n = (size_t)j->n->sites, threads = (size_t)gm_pool_threads(pool);
    j->scratch_size = 5 * n + n * n + (size_t)j->n->samples;
    j->scratch = malloc(threads * j->scratch_size * sizeof *j->scratch);
    j->directed = malloc((n * n + n) * sizeof *j->directed);
    j->steps = malloc(2 * n * sizeof *j->steps);
    const bool enough = j->scratch != NULL && j->directed != NULL && j->steps != NULL;
    if (enough) {
        j->residual = j->directed + n * n;
        j->status = j->steps + n;
        gm_parallel_for(pool, j->n->sites, run_site, j);
        store(j, result);
    }
    free(j->scratch);
    free(j->directed);
    free(j->steps);
    GM_CHECK(context, enough, GM_STATUS_OUT_OF_MEMORY, "no memory to fit %lld sites",
             (long long)j->n->sites);
    return GM_STATUS_OK;
}

gm_status gm_inverse_ising_fit(gm_context *context, const gm_inverse_ising_data *data,
                               const gm_inverse_ising_options *options,
                               const gm_inverse_ising_result *result) {
    double total;
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    GM_TRY(check_options(context, options));
    GM_TRY(check_data(context, data, &total));
    numbers n;
    gm_status status = make_numbers(context, data, total, &n);
    if (status == GM_STATUS_OK) {
        job j = {.n = &n, .options = options};
        status = fit_all(context, &j, result);
    }
    free(n.x);
    free(n.weight);
    return status;
}

gm_status gm_inverse_ising_objective(gm_context *context, const gm_inverse_ising_data *data,
                                     gm_inverse_ising_method method, int64_t site,
                                     const double *parameters, double *value, double *gradient) {
    double total;
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(check_method(context, "method", method));
    GM_TRY(check_data(context, data, &total));
    GM_CHECK(context, site >= 0 && site < data->sites, GM_STATUS_INVALID_ARGUMENT,
             "site = %lld: there are %lld", (long long)site, (long long)data->sites);
    GM_CHECK(context, parameters != NULL, GM_STATUS_INVALID_ARGUMENT, "parameters is NULL");
    for (int64_t b = 0; b < data->sites; ++b) {
        GM_CHECK(context, isfinite(parameters[b]), GM_STATUS_INVALID_ARGUMENT,
                 "parameters[%lld] = %g: must be finite", (long long)b, parameters[b]);
    }
    numbers n;
    gm_status status = make_numbers(context, data, total, &n);
    double *scratch = malloc((size_t)(2 * data->sites + data->samples) * sizeof *scratch);
    if (status == GM_STATUS_OK && scratch == NULL) {
        status = gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "no memory for the gradient");
    }
    if (status == GM_STATUS_OK) {
        const problem p = {&n, method, site, scratch + 2 * data->sites, scratch};
        double *slopes = scratch + data->sites;
        const double got = evaluate(&p, parameters, slopes);
        if (value != NULL) {
            *value = got;
        }
        if (gradient != NULL) {
            memcpy(gradient, slopes, (size_t)data->sites * sizeof *gradient);
        }
    }
    free(scratch);
    free(n.x);
    free(n.weight);
    return status;
}

gm_status gm_graph_compare(gm_context *context, int64_t sites, const double *truth,
                           const double *coupling, double threshold, gm_graph_score *score) {
    GM_CHECK(context, sites >= 0 && sites <= 1 << 20, GM_STATUS_INVALID_ARGUMENT,
             "sites = %lld: must be in 0 .. 2^20", (long long)sites);
    GM_CHECK(context, truth != NULL, GM_STATUS_INVALID_ARGUMENT, "truth is NULL");
    GM_CHECK(context, coupling != NULL, GM_STATUS_INVALID_ARGUMENT, "coupling is NULL");
    GM_CHECK(context, score != NULL, GM_STATUS_INVALID_ARGUMENT, "score is NULL");
    GM_CHECK(context, threshold >= 0, GM_STATUS_INVALID_ARGUMENT,
             "threshold = %g: must not be negative", threshold);
    gm_graph_score s = {0};
    for (int64_t a = 0; a < sites; ++a) {
        for (int64_t b = a + 1; b < sites; ++b) {
            const double t = truth[a * sites + b], c = coupling[a * sites + b];
            GM_CHECK(context, isfinite(t) && isfinite(c), GM_STATUS_INVALID_ARGUMENT,
                     "truth, coupling: entry (%lld, %lld) is not finite", (long long)a,
                     (long long)b);
            const bool found = fabs(c) > threshold;
            s.found_right += found && t != 0;
            s.found_wrong += found && t == 0;
            s.missed += !found && t != 0;
        }
    }
    const double right = (double)s.found_right, wrong = (double)s.found_wrong;
    const double missed = (double)s.missed;
    s.precision = right + wrong > 0 ? right / (right + wrong) : 1;
    s.recall = right + missed > 0 ? right / (right + missed) : 1;
    s.f1 = right + wrong + missed > 0 ? 2 * right / (2 * right + wrong + missed) : 1;
    *score = s;
    return GM_STATUS_OK;
}
