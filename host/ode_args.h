/* What gm_ode_solve hands to a backend, checked. */
#ifndef GENMATH_HOST_ODE_ARGS_H
#define GENMATH_HOST_ODE_ARGS_H

#include <genmath/ode.h>

#include "host/ensemble_args.h"

/* The defaults are filled in; the tableaus are NULL for RK4. */
typedef struct gm_ode_problem {
    const gm_system *system;
    const gm_tableau_f64 *tableau_f64;
    const gm_tableau_f32 *tableau_f32;
    gm_dtype dtype;
    double t0, t1;
    int64_t steps;
    double rtol, atol, first_step, min_step;
    int64_t max_steps;
    const double *save_times;
    int64_t save_count;
    /* RK4: save time m lies save_theta[m] in [0, 1) of a step after step save_step[m]; a time
     * within 1e-9 of a step from one of its ends is that end, and needs no interpolation. */
    const int64_t *save_step;
    const double *save_theta;
} gm_ode_problem;

#endif
