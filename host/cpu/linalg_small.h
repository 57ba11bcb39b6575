/* Batches of tiny matrices on the CPU: sixteen problems at once, a problem a lane. */
#ifndef GENMATH_HOST_CPU_LINALG_SMALL_H
#define GENMATH_HOST_CPU_LINALG_SMALL_H

#include <stdbool.h>

#include "host/backend.h"
#include "host/linalg_args.h"

/* Real factorizations, solves, inverses and determinants of at most 8 rows: by the sizes and the
 * type alone, so that a problem's bits do not hang on the batch. */
bool gm_cpu_linalg_small_suits(const gm_linalg_args *args);
gm_status gm_cpu_linalg_small(gm_call *call, const gm_linalg_args *args);

#endif
