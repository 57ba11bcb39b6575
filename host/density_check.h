/* Checks of densities. */
#ifndef GENMATH_HOST_DENSITY_CHECK_H
#define GENMATH_HOST_DENSITY_CHECK_H

#include <genmath/density.h>

#include "host/density_data.h"
#include "host/internal.h"

/* Not null, of this version, its sizes in range. */
gm_status gm_check_density(gm_context *context, const char *name, const gm_density *density);

/* The argument `data`, there where the density (NULL: none) wants it and nowhere else, taken over.
 */
gm_status gm_check_density_data(gm_context *context, const char *name, const gm_tensor *data,
                                const gm_density *density, gm_dtype dtype, gm_density_data *taken);

#endif
