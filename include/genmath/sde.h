/*
 * Ensembles of stochastic differential equations dy = f(y, t; p) dt + g(y, t; p) dW (Itô).
 *
 * The noise of trajectory i is a pure function of (seed, first_index + i, step, component): results
 * do not depend on the ensemble's size, order, threads, blocks or cut. See philox.h for the
 * addresses.
 */
#ifndef GENMATH_SDE_H
#define GENMATH_SDE_H

#include <genmath/system.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_sde_options {
    gm_dtype dtype;       /* GM_F64 or GM_F32 */
    double t0, t1;        /* t1 > t0, or t1 = t0, which returns y0 */
    int64_t steps;        /* of equal size, >= 1; steps * noises < 2^50 */
    uint64_t seed;        /* the key of the noise */
    uint64_t first_index; /* of trajectory 0 in the ensemble this call is a slice of */
    int64_t save_every;   /* 0: only the end; k: the states after steps k, 2k, ... */
} gm_sde_options;

typedef struct gm_sde_plan gm_sde_plan;

/* As gm_ode_plan_create. */
gm_status gm_sde_plan_create(gm_context *context, const gm_sde *sde, const gm_sde_options *options,
                             gm_sde_plan **plan);
void gm_sde_plan_destroy(gm_sde_plan *plan); /* NULL is fine */

typedef struct gm_sde_result {
    const gm_tensor *end;    /* (dim, n): the state at t1, or the last finite one */
    const gm_tensor *saved;  /* (steps / save_every, dim, n); NaN past a failure */
    const gm_tensor *time;   /* (n): the time of `end`, t1 exactly where status is OK */
    const gm_tensor *status; /* (n), I32: OK or NON_FINITE */
} gm_sde_result;

/*
 * Euler–Maruyama: y_{k+1} = y_k + f(y_k, t_k) h + g(y_k, t_k) sqrt(h) z_k, h = (t1 - t0) / steps,
 * t_k = t0 + k h, z_k standard normals: strong order 1/2 (1 if g is constant), weak order 1.
 *
 * y0, params, result as in gm_ode_solve; result->end may be y0 itself. Errors likewise.
 * A trajectory whose state is not finite ends with NON_FINITE at its last finite state.
 * Cost per step and trajectory: one f, one g, `noises` normals. Allocates nothing.
 * Source: Kloeden and Platen, Numerical Solution of Stochastic Differential Equations, 10.2.
 */
gm_status gm_sde_solve(const gm_sde_plan *plan, const gm_tensor *y0, const gm_tensor *params,
                       const gm_sde_result *result);

/*
 * An SDE compiled into the library for every backend: "gbm" (1 state; mu, sigma), "ou" (1; lambda,
 * D), "double_well_langevin" (1; D), "heston" (2 states, 2 correlated noises; mu, kappa, theta, xi,
 * rho), "brownian" (1; D). NULL for another name.
 */
const gm_sde *gm_sde_builtin(const char *name);

/* The names above, one by one; NULL past the last. */
const char *gm_sde_builtin_name(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
