/* Checks that the runs of Ising chains share: ising.c. `name` is what the user calls the spins. */
#ifndef GENMATH_HOST_ISING_CHECK_H
#define GENMATH_HOST_ISING_CHECK_H

#include "host/internal.h"
#include "host/ising_args.h"

/* The sums of so many sweeps stay below 2^126. */
gm_status gm_ising_check_sums(gm_context *context, int64_t sweeps, int64_t sites,
                              int64_t energy_bound);

/* Checks the result, which may be NULL, and enters it into a, whose number of chains is set. */
gm_status gm_ising_check_result(gm_context *context, const gm_ising_result *result,
                                const gm_tensor *beta, const char *name, const gm_tensor *spins,
                                gm_ising_arrays *a);

/* The workspace has `bytes` and overlaps nothing. */
gm_status gm_ising_check_scratch(gm_context *context, size_t bytes, const gm_tensor *beta,
                                 const char *name, const gm_tensor *spins,
                                 const gm_ising_result *result, const gm_workspace *workspace);

#endif
