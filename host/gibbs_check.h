/* Checks of samplers. */
#ifndef GENMATH_HOST_GIBBS_CHECK_H
#define GENMATH_HOST_GIBBS_CHECK_H

#include <genmath/gibbs.h>

#include "host/internal.h"

/* Not null, of this version, its sizes in range. */
gm_status gm_check_gibbs(gm_context *context, const char *name, const gm_gibbs *gibbs);

#endif
