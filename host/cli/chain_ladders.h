/* What genmath chain ising and potts do with --tempering: --chains ladders, of a chain at each
 * temperature, their state in a file, their exchanges. */
#ifndef GENMATH_HOST_CLI_CHAIN_LADDERS_H
#define GENMATH_HOST_CLI_CHAIN_LADDERS_H

#include <genmath/tempering.h>

#include "host/cli/chain_lattice.h"

typedef struct gm_chain_ladders {
    int64_t between;            /* sweeps between exchanges; 0: no ladders */
    const gm_ising_plan *ising; /* the model: one of these two, */
    const gm_potts_plan *potts; /* with */
    int32_t labels;             /* as many; 0: spins */
    gm_tempering_plan *plan;    /* from here on as gm_ladders_open made it */
    int32_t *place;             /* (2, chains): levels, then labels of direction */
    int64_t *swaps, *trips;
    gm_tensor device_place, device_swaps, device_trips;
} gm_chain_ladders;

#define GM_LADDERS_OPTION(key)                                                                     \
    {                                                                                              \
        "tempering", key, "K", 0,                                                                  \
            "exchange neighbouring temperatures after every K sweeps: --chains ladders of one "    \
            "chain at "                                                                            \
            "each temperature (default: 0, never); --out and --start then are int32, level and "   \
            "label of "                                                                            \
            "the chain before its spins or labels",                                                \
            0                                                                                      \
    }

/* argp_error unless sweeps and burn-in are whole stretches and no correlations are asked for. */
void gm_ladders_check(struct argp_state *state, int64_t between, const gm_chain_settings *chain);

/* The levels in ascending order, or with the states those of the file --start. */
gm_status gm_ladders_start(gm_chain_place *w, gm_chain_ladders *l);
gm_status gm_ladders_load(gm_chain_place *w, gm_chain_ladders *l);

gm_status gm_ladders_open(gm_chain_place *w, gm_chain_ladders *l);
gm_status gm_ladders_run(gm_chain_place *w, gm_chain_ladders *l);              /* all the sweeps */
gm_status gm_ladders_save(const gm_chain_place *w, const gm_chain_ladders *l); /* to --out */
void gm_ladders_close(gm_chain_place *w, gm_chain_ladders *l);                 /* also without */

/* The chain of the first ladder that is at a temperature. */
int64_t gm_ladders_chain(const gm_chain_place *w, const gm_chain_ladders *l, int64_t temperature);

/* The line above the table, and the members of a JSON object; nothing without ladders. */
void gm_ladders_print(const gm_chain_place *w, const gm_chain_ladders *l);
void gm_ladders_json(const gm_chain_place *w, const gm_chain_ladders *l, cJSON *object);

/* Of exchanges of a temperature with the next, over all ladders; NaN if there were none. */
double gm_ladders_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair);

/* That, at the end of a row: nothing if there were none. */
void gm_ladders_print_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair);
void gm_ladders_json_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair,
                                cJSON *row);

#endif
