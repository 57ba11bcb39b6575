/* From the graph of a discrete model as the user gives it to the arrays that backends run on. */
#ifndef GENMATH_HOST_CHAIN_GRAPH_H
#define GENMATH_HOST_CHAIN_GRAPH_H

#include "host/chain_args.h"
#include "host/internal.h"

/* What models have in common; `model.` in messages. */
typedef struct gm_graph_model {
    int64_t sites, edges;
    const int32_t *ends;    /* (edges, 2) */
    const double *coupling; /* (edges); NULL: 1 */
    const double *field;    /* (sites, labels); NULL: 0 */
    const uint8_t *clamped; /* (sites); NULL: nowhere */
    int32_t labels;         /* fields of a site */
    bool coloured;
    bool connected; /* a graph in several parts is refused */
} gm_graph_model;

/* Checks and plans a graph; made->memory is to be freed, on an error as well. */
gm_status gm_chain_graph_make(gm_context *context, const gm_graph_model *model,
                              gm_chain_graph *made);

#endif
