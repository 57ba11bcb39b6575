/* What the files of genmath chain ising share. */
#ifndef GENMATH_HOST_CLI_CHAIN_ISING_H
#define GENMATH_HOST_CLI_CHAIN_ISING_H

#include <genmath/multispin.h>

#include "host/cli/chain_annealing.h"
#include "host/cli/chain_ladders.h"

typedef struct gm_ising_settings {
    gm_chain_settings chain;
    gm_chain_annealing annealing;
    double field;
    int64_t tempering; /* sweeps between exchanges; 0: none */
    gm_ising_update update;
    bool packed;
} gm_ising_settings;

/* What a run holds. */
typedef struct gm_ising_workplace {
    gm_chain_place chain;
    gm_multispin_plan *packed; /* these only with --packed */
    gm_tensor device_packed, device_status;
    gm_chain_ladders ladders;
} gm_ising_workplace;

/* chain_ising_packed.c: with --packed. The plan takes the place of the other's. */
gm_status gm_packed_plan(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_packed_pack(gm_ising_workplace *w);
gm_status gm_packed_unpack(gm_ising_workplace *w);
void gm_packed_close(gm_ising_workplace *w); /* also without */

#endif
