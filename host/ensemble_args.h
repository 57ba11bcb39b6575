/* The arrays of an ensemble of trajectories, checked: what gm_ode_solve and gm_sde_solve hand to a backend. */
#ifndef GENMATH_HOST_ENSEMBLE_ARGS_H
#define GENMATH_HOST_ENSEMBLE_ARGS_H

#include <stdint.h>

/*
 * NULL for a result that is not wanted, and for what an SDE does not have. Strides in elements: of
 * the component, then of the trajectory; saved has the save's first.
 */
typedef struct gm_ensemble_arrays {
    int64_t n;
    const void *y0, *params;
    void *end, *saved, *time;
    int32_t *status, *accepted, *rejected, *evaluations;
    int64_t y0_stride[2], params_stride[2], end_stride[2], saved_stride[3];
    int64_t time_stride, status_stride, accepted_stride, rejected_stride, evaluations_stride;
} gm_ensemble_arrays;

#endif
