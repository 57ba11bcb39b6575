/* Checks that the runs of discrete models share. */
#ifndef GENMATH_HOST_CHAIN_CHECK_H
#define GENMATH_HOST_CHAIN_CHECK_H

#include <genmath/ising.h>

#include "host/internal.h"

/* The arrays of a run; sums, status and energy may be NULL. */
typedef struct gm_chain_tensors {
    const char *name; /* of the state: "spins" */
    const gm_tensor *state, *beta, *sums, *status, *energy;
    int64_t count;          /* of sums of a chain */
    const char *count_name; /* its name in the header */
} gm_chain_tensors;

/* The noise has an address for every decision of blocks Philox blocks a sweep, and sums of numbers
 * below 2^bits stay below 2^126; bits < 0: no sums. */
gm_status gm_check_sweeps(gm_context *context, const gm_ising_sweeps *run, int32_t blocks,
                          double bits);

/* The latter alone; bits >= 0. */
gm_status gm_check_sums(gm_context *context, const gm_ising_sweeps *run, double bits);

/* The state (chains, sites) and beta. */
gm_status gm_check_chains(gm_context *context, const gm_chain_tensors *t, gm_dtype dtype,
                          int64_t sites);
gm_status gm_check_chain_sums(gm_context *context, const gm_chain_tensors *t);
gm_status gm_check_chain_status(gm_context *context, const gm_chain_tensors *t);
gm_status gm_check_chain_energy(gm_context *context, const gm_chain_tensors *t);
gm_status gm_check_chain_scratch(gm_context *context, const gm_chain_tensors *t, size_t bytes,
                                 const gm_workspace *workspace);

#endif
