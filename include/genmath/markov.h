/*
 * Markov chains on n states by linear algebra: classes and period, stationary law, spectrum and
 * gap, mixing and hitting times. P (n, n) f64 has the probability of going from state i to state j
 * at (i, j): its rows sum to 1, laws are rows and pi P = pi. Norris, Markov Chains, 1997; Levin,
 * Peres, Markov Chains and Mixing Times, 2017.
 *
 * Everything is computed on the host and all tensors are host memory of any strides, whatever the
 * context's backend; but the spectrum, which is gm_linalg_eigen's, needs ref or cpu.
 *
 * Common errors: INVALID_ARGUMENT (a null argument, a type; an entry of p or of a law that is
 * negative or not finite; a sum that is not 1 to n 2^-50, named with its row), SHAPE_MISMATCH,
 * WORKSPACE_TOO_SMALL. On an error nothing is written. The workspace is used as in linalg.h.
 */
#ifndef GENMATH_MARKOV_H
#define GENMATH_MARKOV_H

#include <genmath/context.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_markov_report {
    int64_t classes;        /* communicating ones; 1: irreducible */
    int64_t closed_classes; /* those that are never left */
    int64_t period;         /* of the closed class, 1: aperiodic; 0 if there are several */
    /* max |pi_i P_ij - pi_j P_ji|, the largest net flux between two states: 0 if the chain is in
     * detailed balance. NaN if there are several closed classes. */
    double flux;
    double residual; /* max |(pi P - pi)_j|; NaN likewise */
} gm_markov_report;

/*
 * The law pi with pi P = pi, and what kind of chain it is.
 *
 *     p       [in]   (n, n)
 *     law     [out]  (n); NULL: not wanted. States that are left for good have 0
 *     report  [out]  NULL: not wanted. Written even if the law is not unique
 *
 * Errors: SINGULAR: several closed classes, so no unique law.
 * Accuracy: every entry to a few n^2 units in the last place, small ones too: states are eliminated
 * without a subtraction. Source: Grassmann, Taksar, Heyman, Operations Research 33, 1107 (1985);
 * O'Cinneide, Numer. Math. 65, 109 (1993); classes by Tarjan's depth-first search (1972).
 * Cost: 2/3 n^3.
 */
gm_status gm_markov_stationary(gm_context *context, const gm_tensor *p, const gm_tensor *law,
                               gm_markov_report *report, gm_workspace *workspace);

/*
 * law = start P^k, one step after another, until max |(law P - law)_j| <= tolerance.
 *
 *     start       [in]   (n)
 *     tolerance   [in]   > 0; below n 2^-53 it may never be reached
 *     most_steps  [in]
 *     law         [out]  (n), the last one
 *     steps       [out]  how many; NULL: not wanted
 *
 * Errors: NOT_CONVERGED, law and steps written all the same; the message says so if the chain is
 * periodic, when no number of steps would do.
 */
gm_status gm_markov_power(gm_context *context, const gm_tensor *p, const gm_tensor *start,
                          double tolerance, int64_t most_steps, const gm_tensor *law,
                          int64_t *steps, gm_workspace *workspace);

/*
 * The eigenvalues of P and its spectral gap 1 - max |w_i| over all but one eigenvalue 1. P need not
 * be reversible: they may be complex. The distance from the stationary law falls as (1 - gap)^k.
 *
 *     values  [out]  (n) c128, in no order
 *     gap     [out]  0 for a periodic chain, and for several closed classes
 *
 * Errors: UNSUPPORTED, NOT_CONVERGED (the eigenvalues).
 */
gm_status gm_markov_spectrum(gm_context *context, const gm_tensor *p, const gm_tensor *values,
                             double *gap, gm_workspace *workspace);

/*
 * The mixing time: the least k with max_i 1/2 sum_j |(P^k)_ij - pi_j| <= distance, by squarings.
 *
 *     distance  [in]   in (0, 1); 1/4 is usual
 *     time      [out]
 *
 * Errors: SINGULAR (no unique law), NOT_CONVERGED (a periodic chain, or over 2^62 steps).
 * Cost: 2 n^3 for each of about 2 log2(time) products.
 */
gm_status gm_markov_mixing_time(gm_context *context, const gm_tensor *p, double distance,
                                int64_t *time, gm_workspace *workspace);

/*
 * times_i = the mean number of steps from state i to the first in the set, 0 in it, infinite where
 * it is not reached for certain.
 *
 *     set    [in]   (n) u8: not 0 where the state belongs to it
 *     times  [out]  (n) f64
 *
 * Source: the least solution of h = 1 + P h off the set (Norris 1.3), by elimination.
 */
gm_status gm_markov_hitting_times(gm_context *context, const gm_tensor *p, const gm_tensor *set,
                                  const gm_tensor *times, gm_workspace *workspace);

/*
 * PageRank's chain: with probability `damping` a step along one of the links, chosen by weight,
 * else to a page drawn from `teleport`; from a page without links always the latter. Its stationary
 * law is the rank. Brin and Page, Computer Networks 30, 107 (1998).
 *
 *     links     [in]   (n, n) weights >= 0, from i to j
 *     damping   [in]   in [0, 1); 0.85 is usual
 *     teleport  [in]   (n), a law; NULL: uniform
 *     p         [out]  (n, n)
 */
gm_status gm_markov_pagerank(gm_context *context, const gm_tensor *links, double damping,
                             const gm_tensor *teleport, const gm_tensor *p);

#ifdef __cplusplus
}
#endif
#endif
