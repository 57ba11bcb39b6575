/* What genmath chain ising and potts do with --annealing: from infinite temperature through those
 * asked for, the lowest energies on the way, and log Z. */
#ifndef GENMATH_HOST_CLI_CHAIN_ANNEALING_H
#define GENMATH_HOST_CLI_CHAIN_ANNEALING_H

#include <genmath/annealing.h>

#include "host/cli/chain_lattice.h"

typedef struct gm_chain_annealing {
    int64_t steps; /* 0: none */
    bool log_z;
    const char *picture; /* of the best state; NULL: none */
} gm_chain_annealing;

/* The parser of --annealing and --log-z: a child whose input is a gm_chain_annealing. */
extern const struct argp gm_chain_annealing_argp;
#define GM_CHAIN_ANNEALING_CHILD                                                                   \
    { &gm_chain_annealing_argp, 0, NULL, 0 }

/* argp_error if an option of the chains, or of the model, does not go with it. */
void gm_chain_annealing_check(struct argp_state *state, const gm_chain_annealing *how,
                              const gm_chain_settings *chain, bool other_runs);

/* Of a model: its plan, and its labels (q), or spins of two values (q = 2). */
typedef struct gm_chain_annealed_model {
    const gm_ising_plan *ising;
    const gm_potts_plan *potts;
    int32_t q;
    double field; /* at every site, of spins */
    const char *name, *update;
} gm_chain_annealed_model;

/* Runs, prints and writes; an exit code. w has its lattice, state type and quantum. */
int gm_chain_anneal(gm_chain_place *w, const gm_chain_annealing *how,
                    const gm_chain_annealed_model *model);

/* chain_annealing_exact.c: log Z of the lattice by going through its states; NaN if they are more
 * than 2^18. */
gm_status gm_chain_exact_log_z(const gm_chain_place *w, const gm_chain_annealed_model *model,
                               double beta, double *log_z);

#endif
