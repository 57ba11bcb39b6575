/*
 * The inverse Ising problem: couplings and fields from samples of
 *
 *     P(x) proportional to exp(sum over pairs of J_ab x_a x_b + sum over sites of h_a x_a),
 *     x_a = -1 or +1.
 *
 * One convex problem for each site, in its own h_a and J_ab: with the samples' weights w_s, which
 * are scaled to sum to 1, and the margins u_s = x_sa (h_a + sum_b J_ab x_sb),
 *
 *     PSEUDO_LIKELIHOOD   sum_s w_s log(1 + exp(-2 u_s))      + lambda sum_b |J_ab|
 *     RISE                sum_s w_s exp(-u_s)                 + lambda sum_b |J_ab|
 *     LOG_RISE            log of RISE's sum                   + lambda sum_b |J_ab|
 *
 * The 2 is that of spins -1 and +1: x_a given the others is a logistic regression on 2 J_ab. With
 * lambda = 0 and exact weights all three are minimal at the model itself. Fields are not penalised.
 * For exact recovery of a graph from M samples of n sites lambda = c sqrt(log(n^2 / 0.05) / M) with
 * c about 0.2 for the pseudo-likelihood, 0.4 for RISE and 0.8 for LOG_RISE is what Lokhov et al.
 * found.
 *
 * Solved by Newton steps on the smooth part, each with the penalty kept whole (coordinate descent
 * on the quadratic model, then a line search), until the optimality conditions hold to a tolerance.
 *
 * Host functions: arrays are the host's, row-major; they allocate. Results have the same bits for
 * any number of threads.
 *
 * Sources: Ravikumar, Wainwright, Lafferty, Ann. Statist. 38, 2010; Vuffray, Misra, Lokhov,
 * Chertkov, NIPS 2016; Lokhov, Vuffray, Misra, Chertkov, Science Advances 4, 2018; Lee, Sun,
 * Saunders, SIAM J. Optim. 24, 2014 (proximal Newton).
 */
#ifndef GENMATH_INVERSE_ISING_H
#define GENMATH_INVERSE_ISING_H

#include <genmath/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_inverse_ising_method {
    GM_INVERSE_ISING_PSEUDO_LIKELIHOOD,
    GM_INVERSE_ISING_RISE,
    GM_INVERSE_ISING_LOG_RISE
} gm_inverse_ising_method;

typedef struct gm_inverse_ising_data {
    int64_t sites;         /* 1 .. 2^12 */
    int64_t samples;       /* 1 .. 2^31 / sites */
    const int8_t *spins;   /* (samples, sites) -1 and +1 */
    const double *weights; /* (samples) >= 0, not all 0; NULL: all alike */
} gm_inverse_ising_data;

/* Zero is the default of every field. */
typedef struct gm_inverse_ising_options {
    gm_inverse_ising_method method;
    double lambda;          /* >= 0 */
    double tolerance;       /* of the optimality conditions; 0: 1e-9 */
    int32_t most_steps;     /* of Newton, of each site; 0: 100 */
    const uint8_t *allowed; /* (sites, sites): 0 where J_ab of site a's problem is held at 0, for a
                             * second fit on the graph that a first one found; NULL: nowhere */
} gm_inverse_ising_options;

/* Arrays of the caller's; NULL: not wanted. */
typedef struct gm_inverse_ising_result {
    double *field;    /* (sites) h */
    double *coupling; /* (sites, sites) (J_ab + J_ba) / 2 of the two sites' problems; diagonal 0 */
    double *directed; /* (sites, sites) row a: J_ab of site a's problem */
    /* (sites) the largest violation of the optimality conditions: |dF/dh|; |dF/dJ + lambda sign(J)|
     * where J is not 0; |dF/dJ| - lambda, if positive, where it is */
    double *residual;
    int32_t *steps; /* (sites) */
    /* (sites) OK: the residual is within the tolerance and the last step was below 1e-3; or
     * NOT_CONVERGED, as where parameters run off to infinity: a spin that never changes, data that
     * can be separated */
    int32_t *status;
} gm_inverse_ising_result;

/*
 * Fits all sites. Errors: INVALID_ARGUMENT (a null argument, a number out of range or not finite,
 * a spin that is neither -1 nor +1), OUT_OF_MEMORY; nothing is written then. Cost of a site's step:
 * samples sites^2 / 2.
 */
gm_status gm_inverse_ising_fit(gm_context *context, const gm_inverse_ising_data *data,
                               const gm_inverse_ising_options *options,
                               const gm_inverse_ising_result *result);

/*
 * The smooth part of a site's problem (lambda is not looked at) and its gradient.
 *     parameters  [in]   (sites): J_ab, and h_a at the site's own place
 *     value       [out]  NULL: not wanted
 *     gradient    [out]  (sites) NULL: not wanted
 * Errors: as gm_inverse_ising_fit. Cost: samples sites.
 */
gm_status gm_inverse_ising_objective(gm_context *context, const gm_inverse_ising_data *data,
                                     gm_inverse_ising_method method, int64_t site,
                                     const double *parameters, double *value, double *gradient);

typedef struct gm_graph_score {
    int64_t found_right, found_wrong, missed; /* pairs a < b */
    double precision, recall, f1; /* 1 where there is nothing to find and nothing was found */
} gm_graph_score;

/*
 * How well the edges of a coupling matrix are found: |coupling| > threshold against truth not 0.
 *     truth, coupling  [in]   (sites, sites), finite; pairs a < b are read
 * F1 = 2 right / (2 right + wrong + missed). Errors: INVALID_ARGUMENT.
 */
gm_status gm_graph_compare(gm_context *context, int64_t sites, const double *truth,
                           const double *coupling, double threshold, gm_graph_score *score);

#ifdef __cplusplus
}
#endif
#endif
