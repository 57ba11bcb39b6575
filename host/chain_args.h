/* The graph of a discrete model as backends see it. */
#ifndef GENMATH_HOST_CHAIN_ARGS_H
#define GENMATH_HOST_CHAIN_ARGS_H

#include <stdint.h>

/*
 * A site lives at a position: coloured, colour by colour in ascending order of the sites, each
 * colour from a multiple of four on, so that a Philox block serves one colour; else the free sites
 * by number. The clamped sites come last and are never updated.
 */
typedef struct gm_chain_graph {
    int32_t labels; /* fields of a position; 0: a model of more labels than one without fields */
    int32_t sites, positions, free_sites, colours, components;
    int32_t blocks;           /* of Philox in a sweep */
    int64_t neighbours;       /* entries of neighbour and coupling: twice the edges */
    double quantum, rounding; /* of couplings and fields; the largest change by it */
    int64_t reach;            /* the largest sum of |J| and one |h| at a site, in quanta */
    int64_t energy_bound;     /* the sum of |J| and the largest |h| of each site, in quanta */
    const int32_t *site;      /* (positions) the site that lives there, -1 for a gap */
    const int32_t *colour;    /* (colours, 2) first position and the one after the last */
    const int32_t *first;     /* (positions + 1) into neighbour and coupling */
    const int32_t *neighbour; /* positions */
    const int32_t *coupling;  /* in quanta */
    const int32_t *field;     /* (positions, labels) in quanta */
    void *memory;             /* of the arrays */
} gm_chain_graph;

#endif
