/*
 * Parallel tempering of a density: as tempering.h, with chains of gm_mcmc_run at p^beta_k, the laws
 *
 *     P(x_0, ..., x_(R-1)) proportional to the product of p(x_k)^beta_k,
 *     a = min(1, (p(x_(k+1)) / p(x_k))^(beta_k - beta_(k+1)))
 *
 * for an exchange of levels k and k + 1. A chain takes the step size of the level it is at.
 *
 * The exchange compares 32 random bits with a, computed in double from the log densities of the
 * chains: floats decide here, as they do in every step of the chains, so that backends agree in
 * distribution, and bit for bit where those of gm_mcmc_run do. Results depend on neither threads,
 * blocks nor how ladders and swaps are cut into calls. A chain whose log density is not finite
 * exchanges nothing.
 */
#ifndef GENMATH_DENSITY_TEMPERING_H
#define GENMATH_DENSITY_TEMPERING_H

#include <genmath/mcmc.h>
#include <genmath/tempering.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_density_tempering {
    /* What a chain does between two swaps: its options' steps. thin and target must be 0, and
     * first_index a multiple of R: that of chain 0 of the first ladder. Its seed is that of the
     * swaps too. It must outlive the plan. */
    const gm_mcmc_plan *mcmc;
    int64_t temperatures; /* R: 1 .. 4096 */
    const double *beta;   /* (R) host array, finite and > 0; in f32 rounded to it */
    const double *step;   /* (R) host array, finite and > 0: the step size at each level */
    int64_t draw_level;   /* the level that result.draws are from, 0 .. R - 1 */
    gm_tempering_pairs pairs;
} gm_density_tempering;

typedef struct gm_density_tempering_plan gm_density_tempering_plan;

/* Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY. *plan is NULL then. */
gm_status gm_density_tempering_plan_create(gm_context *context,
                                           const gm_density_tempering *tempering,
                                           gm_density_tempering_plan **plan);
void gm_density_tempering_plan_destroy(gm_density_tempering_plan *plan); /* NULL is fine */

/* Chain r of ladder l is column l R + r. Level and label as in gm_tempering_state. */
typedef struct gm_density_tempering_state {
    const gm_tensor *state;  /* [in,out] (dim, ladders * R) in the plan's type */
    const gm_tensor *level;  /* [in,out] (ladders, R) I32 */
    const gm_tensor *label;  /* [in,out] (ladders, R) I32 */
    const gm_tensor *params; /* [in] (params, ladders * R), the same for all chains of a ladder;
                              * NULL for a density without */
    const gm_tensor *scale;  /* [in] (dim, ladders * R); NULL: 1 */
    const gm_tensor *data; /* [in] (rows, columns): of the density, shared by all chains; NULL for a
                            * density without */
} gm_density_tempering_state;

/* Each may be NULL: not wanted. Counts and sums are of this call and 0 in a ladder whose levels are
 * no permutation or labels none. */
typedef struct gm_density_tempering_result {
    const gm_tensor *draws; /* (swaps, dim, ladders): the state at draw_level before each swap; left
                             * as it is in such a ladder */
    const gm_tensor *log_density; /* (ladders * R): of each chain's state; NaN if its status is not
                                   * OK */
    const gm_tensor *sums;        /* (ladders, R) F64: of log p at each level before each swap; NaN
                                   * where one is */
    const gm_tensor *accepted;    /* (ladders, R) I64: proposals accepted at each level */
    const gm_tensor *swaps;       /* as in gm_tempering_result */
    const gm_tensor *trips;
    const gm_tensor *status; /* (ladders * R) I32: of each chain, as in gm_mcmc_result; in such a
                              * ladder INVALID_ARGUMENT */
} gm_density_tempering_result;

/*
 * Swaps number first_swap to first_swap + swaps - 1, each after the steps of the plan's chains; the
 * first of these has number first_swap * steps.
 *     swaps      [in]      1 .. 2^30; (first_swap + swaps) * steps <= 2^40
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written then. Allocates
 * nothing; on a device all of it is enqueued, and the host is not waited for.
 */
gm_status gm_density_tempering_run(const gm_density_tempering_plan *plan, int64_t first_swap,
                                   int64_t swaps, const gm_density_tempering_state *state,
                                   const gm_density_tempering_result *result,
                                   gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
