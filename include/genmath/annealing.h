/*
 * Annealing: many chains of one model are taken through a schedule of inverse temperatures, step by
 * step. Cooled slowly they end in states of low energy; weighted, they measure a partition
 * function.
 *
 *     step t:   log w += -(beta_t - beta_(t-1)) E(x)   (but for t = 0), then sweeps at beta_t
 *
 * Simulated annealing: the state of lowest energy that a chain had after any step is kept.
 *
 * Annealed importance sampling: if the chains start from independent draws of the law at beta_0,
 *
 *     the mean of w is Z(beta_T) / Z(beta_0),    Z(beta) = sum over x of exp(-beta E(x)),
 *
 * and so the mean of log w is below log(Z(beta_T) / Z(beta_0)) and that of a run the other way,
 * from draws at beta_T by the schedule backwards, is below minus that: the two runs bracket it. At
 * beta = 0 spins are drawn evenly and Z(0) = 2^(sites that are not clamped), whatever the couplings
 * and fields.
 *
 * Noise is the model's: that of chain first_chain + c in sweep t * sweeps + k. Energies are whole
 * numbers and weights are added by one fma each, so that states, best states and weights have the
 * same bits on every backend, thread count and cut of chains and steps into calls. On a device the
 * run is enqueued at once; the host is not waited for.
 *
 * Sources: Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983); Neal, Stat. Comput. 11, 125
 * (2001); Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); the bracket: Grosse, Ghahramani and Adams,
 * arXiv:1511.02543.
 */
#ifndef GENMATH_ANNEALING_H
#define GENMATH_ANNEALING_H

#include <genmath/context.h>
#include <genmath/linalg.h>
#include <genmath/potts.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_annealing {
    const gm_ising_plan *ising; /* the model: one of these two; it must outlive the plan */
    const gm_potts_plan *potts;
    int64_t steps;      /* T + 1: 1 .. 2^24 */
    const double *beta; /* (steps) host array, finite, in any order: gm_ladder_linear and
                         * gm_ladder_geometric make some; it is copied */
} gm_annealing;

typedef struct gm_annealing_plan gm_annealing_plan;

/* Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY. *plan is NULL then. */
gm_status gm_annealing_plan_create(gm_context *context, const gm_annealing *annealing,
                                   gm_annealing_plan **plan);
void gm_annealing_plan_destroy(gm_annealing_plan *plan); /* NULL is fine */

/* Which steps of which chains. */
typedef struct gm_annealing_steps {
    uint64_t seed;
    uint64_t first_chain; /* the number of chain 0 of this call */
    int64_t first_step;   /* of the schedule: 0 begins, else the results go on from what they are */
    int64_t steps;        /* >= 0; first_step + steps <= those of the schedule */
    int64_t sweeps;       /* of each step, >= 1 */
} gm_annealing_steps;

/* Each may be NULL: not wanted. [in,out] where a call goes on from an earlier one. */
typedef struct gm_annealing_result {
    const gm_tensor *best;        /* (chains, sites) I8: the state of lowest energy, the first of
                                   * several, the one before step 0 among them; with best_energy */
    const gm_tensor *best_energy; /* (chains) I64: its energy, in quanta of the model */
    const gm_tensor *log_weight;  /* (chains) F64: log w */
    const gm_tensor *energy;      /* (chains) I64: of the state after the last step */
    /* (chains) I32: OK; INVALID_ARGUMENT: a spin is none. The spins of such a chain and its best
     * are left as they are, its energies are 0 and its weight NaN. */
    const gm_tensor *status;
} gm_annealing_result;

/*
 *     spins      [in,out]  (chains, sites) I8, labels of Potts U8; any strides
 *     result     [in,out]  NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed
 *
 * Errors: those of the model's run; nothing is written then. Allocates nothing. Cost: that of the
 * sweeps and one pass over the spins for each step.
 */
gm_status gm_annealing_run(const gm_annealing_plan *plan, const gm_annealing_steps *run,
                           const gm_tensor *spins, const gm_annealing_result *result,
                           gm_workspace *workspace);

/* What log weights say. */
typedef struct gm_log_weights {
    double log_mean; /* log of the mean of w: log(Z(beta_T) / Z(beta_0)) */
    double error;    /* its standard error, by the spread of w; 0 of one weight */
    double mean_log; /* the mean of log w: a lower bound of log_mean on average */
    double size;     /* effective sample size (sum w)^2 / sum w^2: 1 .. count */
} gm_log_weights;

/*
 * count log weights in a host array. log_mean and error are right where the effective size is
 * large; where it is small both are too low.
 * Errors: INVALID_ARGUMENT (count < 1, a NULL argument), NON_FINITE (a weight is infinite or NaN;
 * minus infinity, w = 0, is fine if not all are).
 */
gm_status gm_log_weights_mean(int64_t count, const double *log_weight, gm_log_weights *mean);

#ifdef __cplusplus
}
#endif
#endif
