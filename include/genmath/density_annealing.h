/*
 * Annealing of a density: as annealing.h, with chains of gm_mcmc_run that are taken along a path of
 * densities f_0, ..., f_T, from one that is easily drawn from to one that is not:
 *
 *     f_t(x) = p(x; theta_t)^beta_t
 *     step t:   log w += log f_t(x) - log f_(t-1)(x)   (but for t = 0), then MCMC steps at f_t
 *
 * with an inverse temperature for each step, with parameters of the density that have a value for
 * each step, or both. The usual path from a normal law to any other is a parameter of the density:
 *
 *     logp[0] = (1 - p[0]) * base + p[0] * target;      p[0]: 0, ..., 1
 *
 * Annealed importance sampling: if the chains start from independent draws of the law f_0, the mean
 * of w is Z_T / Z_0, Z_t the integral of f_t; so the mean of log w is below log(Z_T / Z_0) on
 * average, and that of a run the other way, from draws of f_T by the schedule backwards, is below
 * minus that. The two bracket it; gm_log_weights_mean (annealing.h) makes both from the weights.
 * The states after the run, weighted by w, are draws of f_T. GM_MCMC_ULA leaves no f_t as it is:
 * its weights are wrong by as much.
 *
 * Simulated annealing: of rising beta, the state of largest p that a chain had after any step is
 * kept.
 *
 * Log weights are in double, a difference of two log densities added at each step. The noise is
 * that of the MCMC plan, step k of step t having number t * steps + k. Results do not depend on
 * threads, blocks or how chains and steps are cut into calls. Backends agree as those of
 * gm_mcmc_run do. On a device the run is enqueued at once; the host is not waited for.
 *
 * Sources: Neal, Annealed importance sampling, Stat. Comput. 11, 125 (2001); Jarzynski, Phys. Rev.
 * Lett. 78, 2690 (1997); the bracket: Grosse, Ghahramani and Adams, arXiv:1511.02543.
 */
#ifndef GENMATH_DENSITY_ANNEALING_H
#define GENMATH_DENSITY_ANNEALING_H

#include <genmath/annealing.h>
#include <genmath/mcmc.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_density_annealing {
    /* What a chain does at each step: its options' steps. thin and target must be 0. It must
     * outlive the plan. */
    const gm_mcmc_plan *mcmc;
    int64_t steps; /* T + 1: 1 .. 2^24; with those of the MCMC plan 2^40 at most */
    /* Host arrays, copied, finite in the plan's type, which they are rounded to. */
    const double *beta;   /* (steps), > 0; NULL: 1 */
    const double *step;   /* (steps), > 0: the step size at each */
    int32_t moving;       /* how many parameters have a value for each step: 0 .. all */
    const int32_t *which; /* (moving): their numbers, different ones */
    const double *values; /* (steps, moving) */
} gm_density_annealing;

typedef struct gm_density_annealing_plan gm_density_annealing_plan;

/* On a GPU a user's density is compiled here. Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY,
 * COMPILE_ERROR. *plan is NULL then. */
gm_status gm_density_annealing_plan_create(gm_context *context,
                                           const gm_density_annealing *annealing,
                                           gm_density_annealing_plan **plan);
void gm_density_annealing_plan_destroy(gm_density_annealing_plan *plan); /* NULL is fine */

/* n chains, as in gm_mcmc_input: any strides, of all but state 0 too. */
typedef struct gm_density_annealing_state {
    const gm_tensor *state;  /* [in,out] (dim, n) in the plan's type */
    const gm_tensor *params; /* [in] (params, n); those that move are not read. NULL for a density
                              * without, and allowed where all of them move */
    const gm_tensor *scale;  /* [in] (dim, n); NULL: 1 */
    const gm_tensor *factor; /* [in] (dim, dim, n), in place of scale; NULL: diagonal */
    const gm_tensor *data;   /* [in] (rows, columns), as in gm_mcmc_input */
} gm_density_annealing_state;

/* Each may be NULL: not wanted. [in,out] where a call goes on from an earlier one. */
typedef struct gm_density_annealing_result {
    /* (n) F64: log w. Minus infinity, a weight of 0, from where log f_t of a chain's state is that:
     * the chain has left the support and stays there. NaN if its status is not OK. */
    const gm_tensor *log_weight;
    const gm_tensor *best; /* (dim, n): the state of largest log p, the first of several, the one
                            * before step 0 among them; with best_log_density */
    /* (n): its log p, without beta; minus infinity: none was a number. Not where parameters move.
     */
    const gm_tensor *best_log_density;
    const gm_tensor *accepted; /* [out] (steps of this call, n) I32: proposals accepted in each */
    /* (n) I32: OK, or the first that gm_mcmc_result.status says otherwise; NON_FINITE too where log
     * f_t is NaN or infinity. */
    const gm_tensor *status;
} gm_density_annealing_result;

/*
 * Steps first_step to first_step + steps - 1 of the schedule.
 *     first_step  [in]      0 begins, else the results go on from what they are
 *     steps       [in]      >= 0; first_step + steps <= those of the schedule
 *     state       [in,out]
 *     result      [in,out]  NULL: not wanted
 *     workspace   [in,out]  as in linalg.h: called with data NULL it says how much is needed
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written then. Allocates
 * nothing. No two arrays may overlap. Cost: for each step that of gm_mcmc_run, and one log density
 * of each chain for best or for weights by beta alone, two for weights where parameters move.
 */
gm_status gm_density_annealing_run(const gm_density_annealing_plan *plan, int64_t first_step,
                                   int64_t steps, const gm_density_annealing_state *state,
                                   const gm_density_annealing_result *result,
                                   gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
