/*
 * The cross-entropy method: a normal proposal that is fitted, iteration by iteration, to the
 * samples of the highest scores; for the probability of a rare event, and for the largest score.
 *
 * Source: Rubinstein and Kroese, The Cross-Entropy Method (2004); de Boer et al., Ann. Oper. Res.
 * 134, 19 (2005).
 */
#ifndef GENMATH_CROSS_ENTROPY_H
#define GENMATH_CROSS_ENTROPY_H

#include <genmath/context.h>
#include <genmath/density.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Scores of n points: coordinate c of point i at points[c n + i]. A status other than OK ends the
 * call, which returns it. */
typedef gm_status (*gm_score_function)(void *user, int64_t n, const double *points, double *scores);

/*
 * FIT: self-normalised adaptive importance sampling: the proposal is fitted to the target itself,
 * with weights target / proposal.
 * RARE_EVENT: the target is the normal law N(mean, factor factor^T) and the event, score >= level.
 * In iteration t the threshold is the smaller of the level and the (1 - elite) quantile of the
 * scores; the samples at or above it, weighted by target / proposal, give the next proposal, and
 * when the threshold is the level, iterations end.
 * OPTIMIZE: the samples at or above the (1 - elite) quantile, without weights, until no standard
 * deviation exceeds the tolerance.
 */
typedef enum gm_cross_entropy_goal {
    GM_CROSS_ENTROPY_FIT,
    GM_CROSS_ENTROPY_RARE_EVENT,
    GM_CROSS_ENTROPY_OPTIMIZE
} gm_cross_entropy_goal;

/*
 * The next proposal's mean and covariance are a * fitted + (1 - a) * present with a = smoothing,
 * and the standard deviation in no direction falls below the floor: eigenvalues are raised to it.
 *
 * For a rare event the samples that reach the level lie close together. A proposal fitted to their
 * spread has lighter tails than the target, so that the estimate's variance is infinite while its
 * standard error looks small: the floor should be the target's standard deviation (at least 0.71 of
 * it, for a variance at all).
 */
typedef struct gm_cross_entropy_options {
    gm_cross_entropy_goal goal;
    int32_t dim;           /* 1 to 64 */
    int32_t dense;         /* 0: independent coordinates; 1: a full covariance */
    int32_t iterations;    /* at most, >= 1 */
    int64_t samples;       /* of an iteration, 2 to 2^31 - 1 */
    int64_t final_samples; /* RARE_EVENT: for the estimate, >= 2 */
    double elite;          /* in (0, 1); not of FIT */
    double smoothing;      /* in (0, 1] */
    double floor;          /* >= 0 */
    double level;          /* RARE_EVENT: the event's, finite */
    double tolerance;      /* OPTIMIZE: >= 0 */
    uint64_t seed;
} gm_cross_entropy_options;

/* What gives the scores: a function of the host, or the logarithm of a density, evaluated by the
 * context's backend. FIT takes the density as its target, or the function as its logarithm. */
typedef struct gm_cross_entropy_score {
    gm_score_function function; /* or NULL and: */
    void *user;
    const gm_density *density;
    const double *params; /* of the density, on the host */
} gm_cross_entropy_score;

/* Row of the report of each iteration. */
typedef struct gm_cross_entropy_iteration {
    double threshold; /* RARE_EVENT, OPTIMIZE */
    double ess;       /* 1 / sum w^2 over the samples that were fitted to */
    int64_t elites;   /* how many they were */
} gm_cross_entropy_iteration;

typedef struct gm_cross_entropy_result {
    double *mean, *factor; /* dim and dim x dim: the last proposal; the lower triangle */
    gm_cross_entropy_iteration *history; /* `iterations` rows, or NULL */
    int32_t iterations;                  /* made */
    double probability, error;           /* RARE_EVENT: the estimate and its standard error */
    double ess;                          /* of the event's samples: (sum w)^2 / sum w^2 */
    double best;                         /* OPTIMIZE: the largest score seen */
    double *best_point;                  /* dim, or NULL */
} gm_cross_entropy_result;

/*
 * mean, factor [in]  dim; dim x dim, row-major, of which the lower triangle with a positive
 * diagonal is read (its diagonal alone where dense is 0): the first proposal. RARE_EVENT: N(mean,
 * factor factor^T) is the target too result       [in,out]  arrays of the caller, numbers set here
 *
 * Sample i of iteration t is that of gm_importance_draw (f64) with index 2^32 t + i; the estimate
 * uses iteration `iterations`. The fit is done on the host, in the order of the samples. A score
 * that is NaN counts as the lowest.
 *
 * Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY, COMPILE_ERROR; NOT_CONVERGED: the level was
 * not reached in time, or (OPTIMIZE) the tolerance (result says where it stood); SINGULAR: the
 * fitted covariance is none; NON_FINITE: no sample has a weight. Memory: (dim + 3) doubles a
 * sample. Cost: samples x (dim^2 + a score) an iteration.
 */
gm_status gm_cross_entropy(gm_context *context, const gm_cross_entropy_options *options,
                           const gm_cross_entropy_score *score, const double *mean,
                           const double *factor, gm_cross_entropy_result *result);

#ifdef __cplusplus
}
#endif
#endif
