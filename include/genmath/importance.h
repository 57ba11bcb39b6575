/*
 * Importance sampling: expectations under a target p from samples of a proposal q, weighted by
 * w = p / q; many problems in one call. gm_importance_draw makes samples of a normal proposal and
 * takes a density of density.h as the target; gm_importance_weigh makes estimates of log densities,
 * whoever computed them; gm_importance_resample draws from the weighted samples.
 *
 * Sources: Kahn and Marshall, J. Oper. Res. Soc. Am. 1, 263 (1953); Geweke, Econometrica 57, 1317
 * (1989) for the errors; Kitagawa, J. Comput. Graph. Stat. 5, 1 (1996) for systematic resampling.
 */
#ifndef GENMATH_IMPORTANCE_H
#define GENMATH_IMPORTANCE_H

#include <genmath/density.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct gm_importance_options {
    gm_dtype dtype; /* GM_F64 or GM_F32 */
    uint64_t seed;
    uint64_t first_index; /* of sample 0 of problem 0; sample i of problem k has
                           * first_index + 2^32 k + i */
} gm_importance_options;

typedef struct gm_importance_plan gm_importance_plan;

/*
 * density: the target, NULL for none (only samples and their proposal's density are wanted, dim
 * then counts); else dim is that of the density, or 0. It must outlive the plan. On a GPU a user's
 * density is compiled here.
 * Errors: INVALID_ARGUMENT (dim not in 1 .. 64), UNSUPPORTED, OUT_OF_MEMORY, COMPILE_ERROR. *plan
 * is NULL then.
 */
gm_status gm_importance_plan_create(gm_context *context, const gm_density *density, int32_t dim,
                                    const gm_importance_options *options,
                                    gm_importance_plan **plan);
void gm_importance_plan_destroy(gm_importance_plan *plan); /* NULL is fine */

/* Of k problems. Any strides, 0 too, so that problems can share what they have in common. */
typedef struct gm_importance_input {
    const gm_tensor *mean;   /* (k, dim): of the proposal; NULL: the samples are given in points */
    const gm_tensor *scale;  /* (k, dim): its standard deviations s > 0; or */
    const gm_tensor *factor; /* (k, dim, dim): the lower triangle L of its covariance L L^T, with a
                              * positive diagonal; what is above it is not read */
    const gm_tensor *points; /* (k, dim, n): where mean is NULL */
    const gm_tensor *params; /* (k, params); NULL for a density without */
    const gm_tensor *data;   /* (rows, columns): of the density, shared by all problems; NULL for a
                              * density without */
} gm_importance_input;

/* Each may be NULL: not wanted. points gives n, or log_target or log_proposal if it is NULL. */
typedef struct gm_importance_samples {
    const gm_tensor *points;       /* (k, dim, n) */
    const gm_tensor *log_target;   /* (k, n): the density's logarithm, up to its constant */
    const gm_tensor *log_proposal; /* (k, n): of the normal density, with its constant */
} gm_importance_samples;

/*
 *     x = mean + L z (or mean + s z),  log q = -|z|^2 / 2 - sum log L_jj - dim / 2 log 2 pi
 *
 * with z standard normals, draws 0 ... dim - 1 of the sample's index on GM_STREAM_IMPORTANCE. A
 * proposal with a mean that is not finite or a factor that is not as above gives samples of NaN,
 * which gm_importance_weigh reports.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED. On an error nothing is written.
 * Determinism: equal bits for any number of threads, problems and samples. Cost: dim normals and
 * dim^2 / 2 products a sample, and the density. Allocates nothing.
 */
gm_status gm_importance_draw(const gm_importance_plan *plan, const gm_importance_input *input,
                             const gm_importance_samples *samples);

/* ---- estimates ------------------------------------------------------------------------------- */

/*
 * Of k problems with n samples each; u_i = exp(log p_i - log q_i). Each may be NULL. All F64 but
 * status.
 */
typedef struct gm_importance_estimates {
    const gm_tensor *weights;              /* (k, n): w_i = u_i / sum u */
    const gm_tensor *log_normalizer;       /* (k): log Z, Z = (1/n) sum u: of p over that of q */
    const gm_tensor *log_normalizer_error; /* (k): standard error of Z over Z,
                                            * sqrt((n sum w^2 - 1) / (n - 1)) */
    const gm_tensor *ess;                  /* (k): 1 / sum w^2, from 1 to n */
    const gm_tensor *max_weight;           /* (k) */
    const gm_tensor *mean;                 /* (k, f): m = sum w f */
    const gm_tensor *mean_error; /* (k, f): sqrt(sum w^2 (f - m)^2), by the delta method */
    const gm_tensor *variance;   /* (k, f): sum w (f - m)^2 */
    const gm_tensor *integral;   /* (k, f): I = (1/n) sum u f: unbiased, for densities with their
                                  * constants */
    const gm_tensor *integral_error; /* (k, f): sqrt(sum (u f - I)^2 / (n (n - 1))) */
    const gm_tensor *status;         /* (k), I32: OK; NON_FINITE: a log weight is NaN or infinity, a
                                      * value with a weight is not finite, or no sample has one */
    const gm_tensor *pareto_k;       /* (k): shape of the tail of the weights, below */
} gm_importance_estimates;

/*
 *     log_target    [in]      (k, n) f64 or f32: log p_i; -infinity: a weight of 0
 *     log_proposal  [in]      (k, n) of the same type: log q_i; NULL: log_target has log weights
 *     values        [in]      (k, f, n) of the same type: f functions of the samples; NULL: f = 0
 *     estimates     [out]
 *     workspace     [in,out]  as in linalg.h; depends on n, f, the backend, its
 *                           threads and whether pareto_k is wanted
 *
 * The arithmetic is in double. A problem without good weights has NaN for every estimate, but a log
 * normalizer of -infinity where all weights are 0; a value that is not finite makes NaN of its
 * function's estimates alone. Values without a weight are not looked at.
 *
 * pareto_k is the shape of a generalised Pareto law fitted to the M = ceil(min(n / 5, 3 sqrt(n)))
 * largest weights: E u^j is finite for j < 1 / k only, so that errors are not to be believed from
 * about 0.7 on. NaN if M < 5, or if a quarter of those M equal the largest weight below them. Zhang
 * and Stephens, Technometrics 51, 316 (2009), with the weak prior of Vehtari, Simpson, Gelman, Yao
 * and Gabry, Pareto smoothed importance sampling, J. Mach. Learn. Res. 25 (2024).
 *
 * Effective sample size and errors are blind to what no sample has hit: a proposal with lighter
 * tails than p can look well. For a rare event the weights of all samples say nothing of those in
 * the event: look at integral_error over integral.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED, WORKSPACE_TOO_SMALL. On an error nothing
 * is written. Determinism: equal bits for any batch and number of threads; sums are in the order of
 * the backend. Cost: two exponentials a sample and function, three passes; pareto_k sorts.
 */
gm_status gm_importance_weigh(gm_context *context, const gm_tensor *log_target,
                              const gm_tensor *log_proposal, const gm_tensor *values,
                              const gm_importance_estimates *estimates, gm_workspace *workspace);

/* ---- resampling ------------------------------------------------------------------------------ */

/*
 * MULTINOMIAL: each draw independent. SYSTEMATIC: draw j is at (j + u) / count of the cumulative
 * weights with one u in [0, 1) for all: sample i is drawn floor or ceil of count w_i times, and the
 * indices ascend.
 */
typedef enum gm_resampling { GM_RESAMPLE_SYSTEMATIC, GM_RESAMPLE_MULTINOMIAL } gm_resampling;

typedef struct gm_resample_options {
    gm_resampling method;
    uint64_t seed;
    uint64_t first_index; /* of problem 0: problem k has first_index + k */
} gm_resample_options;

/*
 * weights    [in]   (k, n) f64, of any sum; n < 2^31
 * indices    [out]  (k, count) I32: which samples were drawn; -1 where the status is not OK
 * status     [out]  (k) I32: OK, or NON_FINITE: a weight is negative, NaN or infinite, or all are
 * 0; NULL: not wanted workspace  [in,out]  as above
 *
 * Weights are cut to integers below 2^62 / n' (n' the power of two from n on) by their largest, and
 * all that follows is done in integers: from the same weights the indices are the same on every
 * backend.
 *
 * Errors and determinism as above.
 */
gm_status gm_importance_resample(gm_context *context, const gm_resample_options *options,
                                 const gm_tensor *weights, const gm_tensor *indices,
                                 const gm_tensor *status, gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
