/* The edges of regular lattices, as the models of ising.h and potts.h take them. */
#ifndef GENMATH_LATTICES_H
#define GENMATH_LATTICES_H

#include <genmath/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A site (x_0, x_1, ...) has the row-major number. From it there are edges
 *     CUBIC       to the next site along each of 1 to 8 axes: a chain or ring, the square, the
 *                 cubic lattice ...
 *     TRIANGULAR  to (r, c + 1), (r + 1, c) and (r + 1, c + 1): a square lattice with one diagonal,
 *                 sheared; 6 neighbours, three sublattices
 *     HEXAGONAL   to (r, c + 1) and, where r + c is even, to (r + 1, c): the brick wall, which is
 *                 the honeycomb; 3 neighbours, the sublattices are r + c even and odd
 */
typedef enum gm_lattice_kind {
    GM_LATTICE_CUBIC,
    GM_LATTICE_TRIANGULAR,
    GM_LATTICE_HEXAGONAL
} gm_lattice_kind;

/*
 *     axes      [in]   1 to 8, 2 of TRIANGULAR and HEXAGONAL
 *     size      [in]   of each axis, >= 1
 *     periodic  [in]   of each axis: not 0 where the last site is joined to the first, which takes
 *                      a size of 3 or more, of HEXAGONAL an even one, 2 or more rows and 4 or more
 *                      columns; NULL: nowhere
 *     ends      [out]  (edges, 2); NULL: only counted
 *     edges     [out]  their number
 * Errors: INVALID_ARGUMENT; on an error nothing is written.
 */
gm_status gm_lattice_edges(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                           const int32_t *periodic, int32_t *ends, int64_t *edges);

/*
 * The pairs of sites at a distance along an axis, for gm_correlations_plan_create: (i, j) for every
 * site i that has a distance-th next site j, in the order of i. Around a periodic axis that is
 * every site: the pairs at distances r and size - r are the same, those at size / 2 are there
 * twice. axis      [in]   as of size; of TRIANGULAR 2 as well, from (r, c) to (r + 1, c + 1). Of
 *                      HEXAGONAL the coordinates of the brick wall, edges or not
 *     distance  [in]   0 .. the smallest size of what the axis goes along, less 1
 *     ends      [out]  (pairs, 2); NULL: only counted
 *     pairs     [out]  their number
 * kind, axes, size, periodic, errors: as of gm_lattice_edges.
 */
gm_status gm_lattice_pairs(gm_lattice_kind kind, int32_t axes, const int64_t *size,
                           const int32_t *periodic, int32_t axis, int64_t distance, int32_t *ends,
                           int64_t *pairs);

#ifdef __cplusplus
}
#endif
#endif
