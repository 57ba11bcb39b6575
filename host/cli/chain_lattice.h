/* What the chains of discrete models on lattices share: options, the lattice, the run, means. */
#ifndef GENMATH_HOST_CLI_CHAIN_LATTICE_H
#define GENMATH_HOST_CLI_CHAIN_LATTICE_H

#include <genmath/ising.h>
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
} gm_chain_settings;

/* What is run if no option says otherwise, but for the temperatures. */
#define GM_CHAIN_DEFAULTS                                                                          \
    .axes = 2, .size = {64, 64}, .temperatures = 9, .replicas = 32, .burn_in = 1000, .sweeps = 1000

/* The parser of these options, those of every command included: a child like theirs, whose input is
 * a gm_chain_settings. */
extern const struct argp gm_chain_argp;
#define GM_CHAIN_CHILD                                                                             \
    { &gm_chain_argp, 0, "Options of chains on lattices:", 50 }

/* The index of a word among the names, NULL at their end; else argp_error. */
int gm_chain_parse_word(struct argp_state *state, const char *option, const char *text,
                        const char *const *names);

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

#endif
