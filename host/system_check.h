/* Checks that ODE and SDE ensembles share. */
#ifndef GENMATH_HOST_SYSTEM_CHECK_H
#define GENMATH_HOST_SYSTEM_CHECK_H

#include <genmath/system.h>

#include "host/ensemble_args.h"
#include "host/internal.h"

/* Not null, of this version, its sizes in range. */
gm_status gm_check_system(gm_context *context, const char *name, const gm_system *system);

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
