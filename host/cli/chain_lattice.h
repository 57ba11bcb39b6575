/* What the chains of discrete models on lattices share: options, the lattice, the run, means. */
#ifndef GENMATH_HOST_CLI_CHAIN_LATTICE_H
#define GENMATH_HOST_CLI_CHAIN_LATTICE_H

#include <genmath/correlations.h>
#include <genmath/lattices.h>

#include "host/cli/chain.h"

typedef struct gm_chain_settings {
    gm_cli_options common;
    const char *start, *out;
    gm_lattice_kind lattice;
    int32_t axes;
    int64_t size[8];
    bool free_edges, glass;
    double cold, hot;
    int64_t temperatures, replicas, burn_in, sweeps, first_sweep;
    gm_ising_order order;
    int64_t reach, every; /* correlations to this distance, 0: none; sweeps between measurements */
} gm_chain_settings;

/* What is run if no option says otherwise, but for the temperatures. */
#define GM_CHAIN_DEFAULTS                                                                          \
    .axes = 2, .size = {64, 64}, .temperatures = 9, .replicas = 32, .burn_in = 1000,               \
    .sweeps = 1000, .every = 1

/* The parser of these options, those of every command included: a child like theirs, whose input is
 * a gm_chain_settings. */
extern const struct argp gm_chain_argp;
#define GM_CHAIN_CHILD                                                                             \
    { &gm_chain_argp, 0, "Options of chains on lattices:", 50 }

/* The index of a word among the names, NULL at their end; else argp_error. */
int gm_chain_parse_word(struct argp_state *state, const char *option, const char *text,
                        const char *const *names);

/* The correlations of a run with --correlations. */
typedef struct gm_chain_correlations {
    int32_t q;                  /* of labels; 0: spins */
    gm_correlations_plan *plan; /* NULL: of packed chains */
    int64_t *pairs;             /* (reach): at each distance, of all axes */
    int64_t *sums;              /* (chains, reach) */
    gm_tensor device_sums, device_status;
    gm_workspace workspace;
    int64_t measured;
} gm_chain_correlations;

/* What a run holds. A model sets plan, quantum, run, and before gm_chain_open what its state is. */
typedef struct gm_chain_place {
    gm_context *context;
    const gm_chain_settings *settings;

    int64_t sites, edges; /* gm_chain_make_lattice */
    int32_t *ends;
    double *coupling; /* 1, of a glass -1 and 1 by the seed */

    gm_dtype dtype; /* of the state: a byte a site */
    int sum_count;  /* of a chain */
    double quantum;
    void *plan;
    gm_status (*run)(const struct gm_chain_place *w, const gm_ising_sweeps *sweeps, bool sums,
                     gm_workspace *workspace);

    int64_t chains;
    double *beta;
    uint8_t *state; /* (chains, sites) */
    uint64_t *sums; /* (chains, sum_count, 2) */
    gm_tensor device_beta, device_state, device_sums;
    gm_workspace workspace;
    gm_chain_correlations correlations;
    /* Adds a measurement of all axes. */
    gm_status (*correlate)(struct gm_chain_place *w, gm_workspace *workspace);
    double seconds;
    char kernel[64]; /* of the sweeps */
} gm_chain_place;

gm_status gm_chain_make_lattice(gm_chain_place *w);

/* Memory for everything, and the temperatures. */
gm_status gm_chain_open(gm_chain_place *w);

/* The state from the file --start into w->state. */
gm_status gm_chain_load(gm_chain_place *w);

gm_status gm_chain_upload(gm_chain_place *w);
gm_status gm_chain_run(gm_chain_place *w); /* all the sweeps */

/* State and sums. */
gm_status gm_chain_download(gm_chain_place *w);
gm_status gm_chain_save(const gm_chain_place *w); /* to the file --out, if there is one */
void gm_chain_close(gm_chain_place *w);

/* The mean of a sum over the chains of a temperature, and its standard error from their spread: 0
 * of one chain. */
double gm_chain_mean(const gm_chain_place *w, int64_t temperature, int sum, double *error);

/* The temperature of a row. */
double gm_chain_temperature(const gm_chain_place *w, int64_t temperature);

/* The first lines of a table, and of a JSON object everything but the rows. */
void gm_chain_print_head(const gm_chain_place *w);
cJSON *gm_chain_json_head(const gm_chain_place *w, const char *model, const char *update);

/* ---- rows: chain_rows.c ---------------------------------------------------------------------- */

/* Which sums a model's rows are made of. */
typedef struct gm_chain_columns {
    int energy, energy2, order, order2, order4, flips;
    double most;       /* the order of a state of sites that are all alike */
    const char *title; /* of the order: in the table, in JSON */
    const char *name, *error_name;
} gm_chain_columns;

/* Of all chains at one temperature, per site. */
typedef struct gm_chain_row {
    double temperature, energy, energy_error, heat, order, order_error, binder, flip_rate;
} gm_chain_row;

gm_chain_row gm_chain_make_row(const gm_chain_place *w, const gm_chain_columns *columns,
                               int64_t temperature);

/* A row as an object of JSON, and as a line of the table without its end. */
cJSON *gm_chain_json_row(const gm_chain_columns *columns, const gm_chain_row *row);
void gm_chain_print_columns(const gm_chain_columns *columns); /* the line above */
void gm_chain_print_row(const gm_chain_row *row);

/* ---- correlations: chain_correlations.c ------------------------------------------------------ */

/* The axes that correlations go along: of a triangular lattice the diagonal too, of a hexagonal one
 * only the rows. */
typedef struct gm_chain_axes {
    int32_t first, end;
} gm_chain_axes;

gm_chain_axes gm_chain_correlations_axes(const gm_chain_settings *s);

/* What gm_chain_argp does not know until all is read: the distances fit. */
void gm_chain_correlations_check_options(struct argp_state *state, const gm_chain_settings *s);

/* Pairs, plan and memory, after gm_chain_open; nothing without --correlations. q: of labels, or 0;
 * a packed run sets w->correlate itself and needs no plan. */
gm_status gm_chain_correlations_open(gm_chain_place *w, int32_t q);

/* The sweeps that count, measured after every so many; w->sums gets their sums. */
gm_status gm_chain_correlations_run(gm_chain_place *w, gm_ising_sweeps *run);
gm_status gm_chain_correlations_download(gm_chain_place *w);
void gm_chain_correlations_close(gm_chain_place *w);

/* A second table, or another array of JSON; nothing without --correlations. `is_free`: no field. */
void gm_chain_correlations_print(const gm_chain_place *w, bool is_free);
void gm_chain_correlations_json(const gm_chain_place *w, bool is_free, cJSON *object);

#endif
