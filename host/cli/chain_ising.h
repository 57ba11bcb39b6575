/* What the files of genmath chain ising share. */
#ifndef GENMATH_HOST_CLI_CHAIN_ISING_H
#define GENMATH_HOST_CLI_CHAIN_ISING_H

#include <genmath/multispin.h>
#include <genmath/tempering.h>

#include "host/cli/chain_annealing.h"
#include "host/cli/chain_lattice.h"

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
    gm_multispin_plan *packed; /* these three only with --packed */
    gm_tensor device_packed, device_status;
    gm_tempering_plan *tempering; /* from here on only with --tempering */
    int32_t *place;               /* (2, chains): levels, then labels */
    int64_t *swaps, *trips;
    gm_tensor device_place, device_swaps, device_trips;
} gm_ising_workplace;

/* chain_ising_ladders.c: with --tempering. The first also without. */
gm_status gm_ladders_start(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_ladders_read(const gm_ising_settings *s, gm_ising_workplace *w, const gm_tensor *file);
gm_status gm_ladders_save(const gm_ising_settings *s, const gm_ising_workplace *w);
gm_status gm_ladders_open(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_ladders_run(const gm_ising_settings *s, gm_ising_workplace *w);
void gm_ladders_close(gm_ising_workplace *w);

/* chain_ising_packed.c: with --packed. The plan takes the place of the other's. */
gm_status gm_packed_plan(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_packed_pack(gm_ising_workplace *w);
gm_status gm_packed_unpack(gm_ising_workplace *w);
void gm_packed_close(gm_ising_workplace *w); /* also without */

/* Of exchanges of a temperature with the next, over all ladders; NaN if there were none. */
double gm_ladders_acceptance(const gm_ising_settings *s, const gm_ising_workplace *w, int64_t pair);

/* Of all chains. */
double gm_ladders_trips(const gm_ising_workplace *w);

#endif
