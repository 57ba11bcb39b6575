/* Colours for the sites of a graph, so that all sites of a colour may be updated at once. */
#ifndef GENMATH_HOST_COLOURING_H
#define GENMATH_HOST_COLOURING_H

#include "host/internal.h"

/* neighbour[first[i]] to neighbour[first[i + 1] - 1]: the neighbours of site i, each once. */
typedef struct gm_adjacency {
    int32_t sites;
    const int32_t *first, *neighbour;
    const uint8_t *clamped; /* (sites): not 0 where no colour is wanted; NULL: nowhere */
} gm_adjacency;

/*
 * colour: (sites) [out] -1 where clamped, else from 0 on, no two free neighbours alike. Two colours
 * if there is no odd cycle, else as DSATUR finds them (Brelaz, Comm. ACM 22, 1979).
 * scratch: (sites). Errors: OUT_OF_MEMORY.
 */
gm_status gm_colour_sites(gm_context *context, const gm_adjacency *graph, int32_t *colour,
                          int32_t *scratch);

/* How many colours there are, and how many sites have each, the clamped ones last: to be freed.
 * Errors: OUT_OF_MEMORY. */
gm_status gm_count_colours(gm_context *context, const int32_t *colour, int32_t sites,
                           int32_t *colours, int32_t **count);

/*
 * Positions for the sites, colour by colour, each from a multiple of `multiple` on, the clamped
 * ones last. count: as above, becomes the position of the first site of each; range: (colours, 2)
 * [out] the first position of a colour and that after its last.
 */
void gm_place_colours(int32_t *count, int32_t colours, int32_t multiple, int32_t *range);

#endif
