/* What the files of genmath chain ising share. */
#ifndef GENMATH_HOST_CLI_CHAIN_ISING_H
#define GENMATH_HOST_CLI_CHAIN_ISING_H

#include <stdbool.h>

#include <genmath/ising.h>
#include <genmath/tempering.h>

#include "host/cli/cli.h"

enum { GM_MOST_AXES = 8 };

typedef struct gm_ising_settings {
    gm_cli_options common;
    const char *start, *out;
    int32_t axes;
    int64_t size[GM_MOST_AXES];
    bool free_edges, glass;
    double field, cold, hot;
    int64_t temperatures, replicas, burn_in, sweeps, first_sweep;
    int64_t tempering; /* sweeps between exchanges; 0: none */
    gm_ising_update update;
    gm_ising_order order;
} gm_ising_settings;

/* What a run holds. */
typedef struct gm_ising_workplace {
    gm_context *context;
    gm_ising_plan *plan;
    gm_ising_info info;
    gm_ising_model model;
    int32_t *ends;
    double *coupling, *field;
    int64_t chains;
    double *beta;
    int8_t *spins;
    uint64_t *sums;
    gm_tensor device_beta, device_spins, device_sums;
    gm_workspace workspace;
    gm_tempering_plan *tempering; /* from here on only with --tempering */
    int32_t *place;               /* (2, chains): levels, then labels */
    int64_t *swaps, *trips;
    gm_tensor device_place, device_swaps, device_trips;
    double seconds;
} gm_ising_workplace;

/* chain_ising_ladders.c: with --tempering. The first also without. */
gm_status gm_ladders_start(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_ladders_read(const gm_ising_settings *s, gm_ising_workplace *w, const gm_tensor *file);
gm_status gm_ladders_save(const gm_ising_settings *s, const gm_ising_workplace *w);
gm_status gm_ladders_open(const gm_ising_settings *s, gm_ising_workplace *w);
gm_status gm_ladders_run(const gm_ising_settings *s, gm_ising_workplace *w);
void gm_ladders_close(gm_ising_workplace *w);

/* Of exchanges of a temperature with the next, over all ladders; NaN if there were none. */
double gm_ladders_acceptance(const gm_ising_settings *s, const gm_ising_workplace *w, int64_t pair);

/* Of all chains. */
double gm_ladders_trips(const gm_ising_workplace *w);

#endif
