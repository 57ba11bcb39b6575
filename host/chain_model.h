/* What tempering and annealing know of a model: chains that are swept at a temperature of their own
 * each, and whose energies are integers. A model is one function that fills this in. */
#ifndef GENMATH_HOST_CHAIN_MODEL_H
#define GENMATH_HOST_CHAIN_MODEL_H

#include <stdbool.h>

#include <genmath/potts.h>

/* Sweeps of chains. The tensors are as in gm_ising_run; NULL where they may be there. */
typedef struct gm_chain_sweeps {
    uint64_t seed, first_chain, first_sweep;
    int64_t sweeps;
    const gm_tensor *beta, *spins, *sums, *status, *energy;
    /* A run in several calls: the workspace keeps the chains; a call that holds need not write the
     * spins back, the next one resumes; nothing else uses workspace or spins in between. */
    bool keeps, holds, resumes;
} gm_chain_sweeps;

typedef struct gm_chain_model {
    gm_context *context;
    const void *plan;
    int64_t sites;
    int64_t sums;   /* of a chain, 128 bits each */
    gm_dtype dtype; /* of a state: a byte a site */
    double quantum;
    /* Whether all these sweeps can be run one stretch after another and their sums added up: only
     * the numbers are looked at. */
    gm_status (*check)(const void *plan, const gm_chain_sweeps *all, bool sums);
    gm_status (*run)(const void *plan, const gm_chain_sweeps *sweeps, gm_workspace *workspace);
} gm_chain_model;

void gm_ising_chain_model(const gm_ising_plan *plan, gm_chain_model *model); /* ising.c */
void gm_potts_chain_model(const gm_potts_plan *plan, gm_chain_model *model); /* potts.c */

/* That of whichever plan is given: one of the two, of this context. `name` is what they are fields
 * of. */
gm_status gm_choose_chain_model(gm_context *context, const char *name, const gm_ising_plan *ising,
                                const gm_potts_plan *potts, gm_chain_model *model);

/* ---- the arrays of a call, no two of which may overlap: chain_model.c -------------------------
 */

enum { GM_MOST_ARRAYS = 12 };

typedef struct gm_array_list {
    const char *name[GM_MOST_ARRAYS];
    const gm_tensor *tensor[GM_MOST_ARRAYS];
    int count;
} gm_array_list;

/* Checks an array that is written, with these sizes and apart from those before; its strides are
 * copied out. NULL passes. */
gm_status gm_list_array(gm_context *context, gm_array_list *list, const char *name,
                        const gm_tensor *tensor, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                        int64_t *strides);

/* Checks a workspace, which must be apart from all. */
gm_status gm_list_workspace(gm_context *context, const gm_array_list *list, size_t bytes,
                            const gm_workspace *workspace);

/* The next `bytes` of a workspace that is laid out in lines of 64; NULL while it is measured. */
static inline void *gm_take_lines(char *data, size_t *used, size_t bytes) {
    char *taken = data != NULL ? data + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return taken;
}

#endif
