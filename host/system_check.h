/* Checks that ODE and SDE ensembles share. */
#ifndef GENMATH_HOST_SYSTEM_CHECK_H
#define GENMATH_HOST_SYSTEM_CHECK_H

#include <math.h>

#include <genmath/system.h>

#include "host/ensemble_args.h"
#include "host/internal.h"

/* Not null, of this version, its sizes in range. */
gm_status gm_check_system(gm_context *context, const char *name, const gm_system *system);

#define GM_CHECK_MESSAGE 256 /* bytes that a checker may write to a message */

/* The first of dim entries that differs by over tolerance * (1 + the largest), NaN too; dim if none
 * does. */
int32_t gm_first_difference(const double *expected, const double *got, int32_t stride, int32_t dim,
                            double tolerance);

/* The step of a central difference at y: the cube root of the rounding unit balances truncation and
 * cancellation. */
static inline double gm_difference_step(double y) {
    return 6e-6 * (fabs(y) + 1);
}

/* Whether a derivative is that of a function's values at y + step and y - step. */
bool gm_derivative_is(double given, double above, double below, double step, double *numeric);

/* An output of an ensemble: (n), (dim, n) or (saves, dim, n) by ndim; where its pointer and strides
 * go. */
typedef struct gm_ensemble_view {
    const char *name;
    const gm_tensor *tensor; /* NULL: not wanted */
    int32_t ndim;
    gm_dtype dtype;
    void **data;
    int64_t *stride;
    int64_t saves;
} gm_ensemble_view;

/*
 * Checks y0, params and the outputs of an ensemble of `system` and, all being well, fills in the
 * arrays. The first output is `end`, the one that may be y0 itself.
 */
gm_status gm_check_ensemble(gm_context *context, const gm_system *system, gm_dtype dtype,
                            const gm_tensor *y0, const gm_tensor *params, const void *result,
                            const gm_ensemble_view *outputs, size_t count,
                            gm_ensemble_arrays *arrays);

#endif
