/*
 * Many Markov chains at once over a density of density.h: random-walk Metropolis, the unadjusted
 * and the Metropolis-adjusted Langevin algorithm, Hamiltonian Monte Carlo.
 *
 * The noise of chain i in step k is a pure function of (seed, first_index + i, k): results do not
 * depend on the number of chains, threads, blocks, or into how many calls a run is cut.
 */
#ifndef GENMATH_MCMC_H
#define GENMATH_MCMC_H

#include <genmath/density.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One step from y, with h the chain's step size, S its scale, z standard normals and g the gradient
 * of log p; S is diagonal, or the lower triangular factor S S^T of a covariance:
 *
 *     RWM     y' = y + h S z, accepted with probability min(1, p(y') / p(y))
 *     ULA     y' = y + h S S^T g(y) + sqrt(2 h) S z, always accepted: its stationary law is not p;
 *             of N(0, 1) it is N(0, 1 / (1 - h / 2))
 *     MALA    the same y', accepted with probability min(1, p(y') q(y | y') / (p(y) q(y' | y)))
 *     HMC     L leapfrog steps of size h in the mass (S S^T)^-1 from the momentum S^-T z, accepted
 *             with probability min(1, exp(H - H')), H = -log p + |z|^2 / 2
 *
 *     COMPONENT  Metropolis within Gibbs: dim updates one after the other, each a random walk of
 *             one coordinate, y_c' = y_c + h s_c z, with a decision of its own
 *
 * A proposal whose log density is not finite is rejected: it lies outside of the support, or the
 * trajectory diverged. MALA is HMC with one leapfrog step of size sqrt(2 h).
 *
 * A chain with an inverse temperature b samples p^b: everywhere above log p and g are then b times
 * what the density says. What is reported is log p itself, so that tempered chains can be compared.
 *
 * Sources: Metropolis et al., J. Chem. Phys. 21 (1953); Roberts and Tweedie, Bernoulli 2 (1996);
 * Neal, Handbook of Markov Chain Monte Carlo (2011), chapter 5.
 */
typedef enum gm_mcmc_method {
    GM_MCMC_RWM,
    GM_MCMC_ULA,
    GM_MCMC_MALA,
    GM_MCMC_HMC,
    GM_MCMC_COMPONENT
} gm_mcmc_method;

typedef struct gm_mcmc_options {
    gm_dtype dtype; /* GM_F64 or GM_F32 */
    gm_mcmc_method method;
    int64_t steps;     /* of one call, >= 1 */
    int64_t thin;      /* 0: no draws; k: the states after steps k, 2k, ... of a call */
    int32_t leapfrogs; /* HMC: L, 1 to 2^20; others: 0 */
    int32_t jitter;    /* HMC: 0, or 1: each step has a length of its own, uniform in 1 .. L and
                        * the same for all chains, so that none waits for another.
                        * COMPONENT: 0, coordinates in their order, or 1: each update is of one
                        * drawn uniformly, the same for all chains */
    double target;     /* 0, or in (0, 1), not for ULA: the acceptance that each chain's step size
                        * (COMPONENT: each scale) is adapted to during this call, see below */
    uint64_t seed;     /* the key of the noise */
    uint64_t first_index; /* of chain 0 among the chains this call has a slice of */
    const double *check;  /* NULL, or a state, then the parameters, then of a density over data one
                           * row of it, in host memory: the plan tries the density there first, see
                           * gm_density_check */
} gm_mcmc_options;

typedef struct gm_mcmc_plan gm_mcmc_plan;

/*
 * The density must outlive the plan. On a GPU a user's density is compiled here.
 * Errors: INVALID_ARGUMENT (also a density that fails the check), UNSUPPORTED, OUT_OF_MEMORY,
 * COMPILE_ERROR. *plan is NULL then.
 */
gm_status gm_mcmc_plan_create(gm_context *context, const gm_density *density,
                              const gm_mcmc_options *options, gm_mcmc_plan **plan);
void gm_mcmc_plan_destroy(gm_mcmc_plan *plan); /* NULL is fine */

/* n chains. Any strides, 0 too, so that chains can share parameters or a step size. */
typedef struct gm_mcmc_input {
    const gm_tensor *state;  /* (dim, n): where the chains are */
    const gm_tensor *params; /* (params, n); NULL for a density without */
    const gm_tensor *step;   /* (n): h > 0 */
    const gm_tensor *scale;  /* (dim, n): the diagonal of S, not 0; NULL: 1 */
    const gm_tensor *beta;   /* (n): inverse temperature, > 0; NULL: 1 */
    const gm_tensor *factor; /* (dim, dim, n): S, in place of scale; NULL: diagonal; not for
                              * COMPONENT. What is above the diagonal is not read */
    const gm_tensor *data;   /* (rows, columns): of the density, shared by all chains; rows may be
                              * 0; NULL for a density without */
} gm_mcmc_input;

/*
 * Adaptation. A chain's step size is the input's before the first step of a call, and after its
 * step t, with a the probability of acceptance in that step (0 for a proposal outside),
 *
 *     e += (target - a - e) / (t + 10),   log h = log(10 h_0) - sqrt(t) e / 0.05,
 *     m += (log h - m) / t^(3/4),         result.step = exp(m);
 *
 * NaN for a chain that did not start. COMPONENT leaves the step size and adapts each scale, after
 * its updates in step t, to result.scale, and result.step is not for it:
 *
 *     log |s_c| += 2 (a - target) / t^(3/4)
 *
 * A chain whose step size depends on its past is none of a Markov process: its draws are a warm-up.
 * A second plan without a target goes on from result.state with result.step, or result.scale, which
 * stays as it is. A warm-up is one call; cut in two it begins anew.
 *
 * Sources: Hoffman and Gelman, The No-U-Turn Sampler, J. Mach. Learn. Res. 15, 1593 (2014), 3.2;
 * Andrieu and Thoms, A tutorial on adaptive MCMC, Statistics and Computing 18, 343 (2008), 4.2.
 */

/* Each may be NULL: not wanted. A mean over steps is over those of this call that a chain made. */
typedef struct gm_mcmc_result {
    const gm_tensor *state;    /* (dim, n): after the last step */
    const gm_tensor *draws;    /* (steps / thin, dim, n); NaN past a failure */
    const gm_tensor *mean;     /* (dim, n): of the states after each step; NaN if there is none */
    const gm_tensor *variance; /* (dim, n): mean square of their distance from it */
    const gm_tensor *step;     /* (n): the adapted step size; options.target must not be 0 */
    const gm_tensor *accepted; /* (n), I32: accepted proposals, of COMPONENT dim a step */
    const gm_tensor *outside; /* (n), I32: proposals with a ratio that is not finite, all refused */
    const gm_tensor *status;  /* (n), I32: OK, NON_FINITE or INVALID_ARGUMENT */
    const gm_tensor *scale; /* (dim, n): COMPONENT's adapted scales; options.target must not be 0 */
    const gm_tensor *log_density; /* (n): log p at result.state; NaN unless the status is OK */
} gm_mcmc_result;

/*
 * steps steps of every chain, the first with number first_step: a run is continued, to the bit, by
 * a call from its state with first_step + steps (0 <= first_step, first_step + steps <= 2^40).
 * result->state may be input->state itself; no other two arrays may overlap.
 *
 * A chain that starts where its state, its log density (ULA: none is computed) or its gradient
 * (RWM, COMPONENT: none) is not finite, or whose ULA step leads to no finite state, ends there with
 * NON_FINITE; one whose step size, scale, factor or beta is not finite, or not as above (the
 * factor's diagonal: not 0), does not start: INVALID_ARGUMENT. Others are not touched by it.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED. On an error nothing is written.
 * Determinism: equal bits for any number of threads and any batch; an accept decision compares
 * floats, so that backends agree in distribution, and bit for bit only where their rounding does.
 * Cost per step and chain: dim normals, a log density (COMPONENT: dim), a gradient per leapfrog
 * step, each over all rows of the data; with a factor two products by a triangle for each. A factor
 * that chains share (stride 0) is the fast one. Allocates nothing.
 */
gm_status gm_mcmc_run(const gm_mcmc_plan *plan, int64_t first_step, const gm_mcmc_input *input,
                      const gm_mcmc_result *result);

/*
 * Scales from a warm-up: draws (m, dim, n), such as result.draws, or result.state with m = 1, are
 * taken for one sample of N = m n points. With V their covariance (of N - 1; 0 of less than two),
 * shrunk a little towards a small one as Stan does,
 *
 *     scale  (dim)       sqrt(w V_cc + (1 - w) / 1000),            w = N / (N + 5)
 *     factor (dim, dim)  L, L L^T = w V + (1 - w) / 1000 I,        0 above the diagonal
 *
 * which gm_mcmc_run takes with strides of 0 over the chains. Either may be NULL. For an entry of V,
 * points where one of its two coordinates is not finite are left out: those of failed chains. A
 * matrix that rounding, or such gaps, made indefinite gives a factor with NaN, from which no chain
 * starts.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH (dim is 1 to 64), UNSUPPORTED. On an error nothing is
 * written. Determinism: equal bits for any number of threads. Cost: N dim^2 / 2 multiplications
 * with a factor, N dim without. Allocates nothing. No two arrays may overlap.
 */
gm_status gm_mcmc_mass(gm_context *context, const gm_tensor *draws, const gm_tensor *scale,
                       const gm_tensor *factor);

#ifdef __cplusplus
}
#endif
#endif
