/* Checks that the runs of Ising chains share, packed or not: ising.c. */
#ifndef GENMATH_HOST_ISING_CHECK_H
#define GENMATH_HOST_ISING_CHECK_H

#include "host/chain_check.h"
#include "host/ising_args.h"

/* `name` is what the user calls the spins; result may be NULL. */
gm_chain_tensors gm_ising_tensors(const char *name, const gm_tensor *spins, const gm_tensor *beta,
                                  const gm_ising_result *result);

/* Checks the result and enters it into a, whose number of chains is set. */
gm_status gm_ising_check_result(gm_context *context, const gm_chain_tensors *t, gm_ising_arrays *a);

#endif
