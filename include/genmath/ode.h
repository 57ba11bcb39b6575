/*
 * Ensembles of ordinary differential equations dy/dt = f(t, y; p): n trajectories of one system,
 * each with its own initial state, parameters, step sizes, status and statistics.
 *
 * A trajectory's result depends on its own data alone: not on the ensemble's size or order, the
 * number of threads, or how a large ensemble was cut into calls. It does depend, within rounding,
 * on the backend and the instruction set.
 */
#ifndef GENMATH_ODE_H
#define GENMATH_ODE_H

#include <genmath/system.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_ode_method {
    GM_ODE_TSIT5,  /* Tsitouras 5(4), adaptive: the default */
    GM_ODE_DOPRI5, /* Dormand–Prince 5(4), adaptive */
    GM_ODE_RK4     /* the classical Runge–Kutta method of order 4, fixed steps */
} gm_ode_method;

/* Zero is the default of every field but t1 and, for RK4, steps. */
typedef struct gm_ode_options {
    gm_dtype dtype; /* GM_F64 or GM_F32: of every state, parameter and operation */
    gm_ode_method method;
    double t0, t1;            /* t1 < t0 integrates backwards; t1 = t0 returns y0 */
    int64_t steps;            /* RK4: number of equal steps, >= 1, < 2^53. Adaptive: must be 0 */
    double rtol, atol;        /* adaptive; 0: 1e-6 and 1e-9. An entry's scale is atol + rtol |y| */
    double first_step;        /* adaptive, its size; 0: chosen from the first derivatives */
    double min_step;          /* adaptive; 0: what the precision resolves at the current time */
    int64_t max_steps;        /* adaptive, attempts; 0: 100,000. At most 2^31 - 1 */
    const double *save_times; /* between t0 and t1, in the order of integration; copied */
    int64_t save_count;
} gm_ode_options;

typedef struct gm_ode_plan gm_ode_plan;

/*
 * Prepares a method for a system: checks, compiles the system for a GPU (cached on disk, see
 * $GENMATH_CACHE), copies the save times.
 * context [in] must outlive the plan. system [in] must too.
 * plan [out] NULL on failure.
 * Errors: INVALID_ARGUMENT, UNSUPPORTED, COMPILE_ERROR with the compiler's text, OUT_OF_MEMORY.
 */
gm_status gm_ode_plan_create(gm_context *context, const gm_system *system,
                             const gm_ode_options *options, gm_ode_plan **plan);
void gm_ode_plan_destroy(gm_ode_plan *plan); /* NULL is fine */

/* Where results go; NULL for what is not wanted. Shapes in n trajectories, m save times. */
typedef struct gm_ode_result {
    const gm_tensor *end;      /* (dim, n): the state at t1, or the last one reached */
    const gm_tensor *saved;    /* (m, dim, n): the states at the save times; NaN past a failure */
    const gm_tensor *time;     /* (n): the time of `end`, t1 exactly where status is OK */
    const gm_tensor *status;   /* (n), I32: a gm_status */
    const gm_tensor *accepted; /* (n), I32: accepted steps */
    const gm_tensor *rejected; /* (n), I32: rejected attempts */
    const gm_tensor *evaluations; /* (n), I32: calls of f; saturates at 2^31 - 1 */
} gm_ode_result;

/*
 * Solves n problems. Allocates nothing; on a GPU it enqueues on the context's stream and returns.
 *
 * y0     [in]  (dim, n). Its layout is free; (dim, n) row-major, a structure of arrays, is fastest
 * params [in]  (params, n), a stride of 0 shares a parameter; NULL for a system without
 * result [out] result->end may be y0 itself; other outputs overlap nothing
 *
 * RK4: y_{k+1} = y_k + h/6 (k1 + 2 k2 + 2 k3 + k4), h = (t1 - t0) / steps, times t0 + k h. States
 * at save times between steps by cubic Hermite interpolation.
 *
 * Adaptive: an attempt of size h is accepted if E <= 1, E the root mean square over components of
 * error_i / (atol + rtol max(|y_i|, |y_new,i|)); the next size is h min(5, max(0.2, 0.9 E^(-1/5))).
 * The last step ends at t1 exactly. States at save times from the pair's interpolant, order 4.
 *
 * Status of a trajectory: OK; NON_FINITE (f or the state is not finite: `end` is the last finite
 * state); STEP_TOO_SMALL (a singularity, or tolerances that the precision cannot hold);
 * NOT_CONVERGED (max_steps used up). One that fails ends there and disturbs no other.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, DEVICE_ERROR; nothing is written. A trajectory's own
 * failure is no error of this call.
 * Cost: RK4 4 evaluations a step; adaptive 6 an attempt, and 1 or 2 to start.
 * Source: Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, II.4.
 */
gm_status gm_ode_solve(const gm_ode_plan *plan, const gm_tensor *y0, const gm_tensor *params,
                       const gm_ode_result *result);

/*
 * A system that is compiled into the library for every backend: "lorenz" (3 states; sigma, rho,
 * beta), "pendulum" (2; g/l, damping), "double_well" (2; damping), "spiral" (2; alpha, omega),
 * "oscillator" (2; gamma, omega), "van_der_pol" (2; mu), "lotka_volterra" (2; a, b, c, d). NULL for
 * another name.
 */
const gm_system *gm_system_builtin(const char *name);

/* The names above, one by one; NULL past the last. */
const char *gm_system_builtin_name(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
