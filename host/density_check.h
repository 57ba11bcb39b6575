/* Checks of densities. */
#ifndef GENMATH_HOST_DENSITY_CHECK_H
#define GENMATH_HOST_DENSITY_CHECK_H

#include <genmath/density.h>

#include "host/internal.h"

/* Not null, of this version, its sizes in range. */
gm_status gm_check_density(gm_context *context, const char *name, const gm_density *density);

#endif
