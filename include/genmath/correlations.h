/*
 * Spatial correlations of the states of Markov chains, summed on line: what is called between two
 * runs of ising.h, potts.h or multispin.h, instead of storing states. Of a group of pairs of sites
 *
 *     spins   sum over the group's pairs (i, j) of x_i x_j          (-1 and +1, or 0 and 1)
 *     labels  the number of the group's pairs (i, j) with x_i = x_j
 *
 * is added to a 64-bit integer of the chain: exact, in whatever order, the same bits on every
 * backend. Divided by pairs and measurements it is the mean <x_i x_j>; the connected correlation
 * takes the square of <x_i> off, which the run's sum of M has.
 */
#ifndef GENMATH_CORRELATIONS_H
#define GENMATH_CORRELATIONS_H

#include <genmath/multispin.h>
#include <genmath/potts.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Host arrays, which the plan copies. Groups may be empty; a pair may be there any number of times
 * and be of a site with itself. gm_lattice_pairs (lattices.h) makes those of a lattice. */
typedef struct gm_correlations_model {
    int64_t sites;        /* 0 .. 2^30 */
    int64_t groups;       /* 0 .. 2^24 */
    const int64_t *first; /* (groups + 1), from 0 up: group g has the pairs first[g] to
                             first[g + 1] - 1, fewer than 2^31 */
    const int32_t *ends;  /* (first[groups], 2) sites */
    int32_t q;            /* 0: spins of ising.h; 2 .. 256: labels of potts.h, 0 .. q - 1 */
    gm_ising_spins spins; /* of the spins */
} gm_correlations_model;

typedef struct gm_correlations_plan gm_correlations_plan;

/*
 * Checks the pairs and copies them to the backend. Errors: INVALID_ARGUMENT (a null argument, a
 * number out of range), OUT_OF_MEMORY, UNSUPPORTED. Cost: a pass over the pairs; 20 bytes each at
 * the most, 8 where (i, j), (i + 1, j + 1), ... follow each other, as on a lattice.
 */
gm_status gm_correlations_plan_create(gm_context *context, const gm_correlations_model *model,
                                      gm_correlations_plan **plan);
void gm_correlations_plan_destroy(gm_correlations_plan *plan); /* NULL is fine */

/*
 * Adds a measurement of every chain.
 *     states     [in]      (chains, sites) I8 spins or U8 labels, any strides
 *     sums       [in,out]  (chains, groups) I64, any strides. A measurement is less than 2^31 in
 *                          size, so that 2^32 of them fit; beyond it wraps around modulo 2^64
 *     status     [out]     (chains) I32: OK; INVALID_ARGUMENT: a site has a value that is none, and
 *                          the chain's sums are left as they are
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed, which
 *                          depends on the plan, the number of chains and the threads
 *
 * Errors: INVALID_ARGUMENT (a null argument, an overlap), SHAPE_MISMATCH, WORKSPACE_TOO_SMALL;
 * nothing is written then. Allocates nothing. Deterministic: the same bits for any threads, blocks
 * and cuts of the chains. Cost: the states are read once, then two bytes for each pair and chain;
 * the CPU compares 64 at once, of as many chains or, of few, of sites that follow each other.
 */
gm_status gm_correlations_add(const gm_correlations_plan *plan, const gm_tensor *states,
                              const gm_tensor *sums, const gm_tensor *status,
                              gm_workspace *workspace);

/* The distances first to first + count - 1 along an axis of a packed lattice. */
typedef struct gm_multispin_distances {
    int32_t axis;         /* of the model's */
    int64_t first, count; /* >= 0, first + count at most the size of the axis */
} gm_multispin_distances;

/*
 * Adds, of packed chains and for each distance r, the sum over the sites i that have an r-th next
 * site along the axis, around a periodic one, of x_i times its spin: the pairs of gm_lattice_pairs.
 *     packed     [in]      (chains, words) U32, any strides; bits that are no site's are ignored
 *     sums       [in,out]  (chains, count) I64, any strides; as of gm_correlations_add
 *     workspace  [in,out]  as of gm_correlations_add
 *
 * Errors, determinism: as of gm_correlations_add. Cost: a pass that puts the two colours of a row
 * side by side, 64 bits for 64 sites, then for 64 pairs a few operations on a word and a count of
 * ones.
 */
gm_status gm_multispin_correlations(const gm_multispin_plan *plan,
                                    const gm_multispin_distances *distances,
                                    const gm_tensor *packed, const gm_tensor *sums,
                                    gm_workspace *workspace);

/*
 * The correlations <x_0 x_r> of the infinite square lattice along an axis, exact but for rounding:
 * the determinant of the r by r matrix a_(i - j), of which
 *
 *     a_n = 1 / pi * integral over 0 .. pi of cos(A(z (1 - z) / (1 + z)) - A((1 - z) / (z (1 + z)))
 *                                                 - n t) dt,
 *     A(c) = arg(1 - c exp(i t)),    z = tanh(|coupling|).
 *
 *     coupling  [in]   beta J, finite; with a negative one the sign is (-1)^r
 *     most      [in]   0 .. 256
 *     values    [out]  (most + 1): r = 0 .. most; off by less than 1e-11
 * Errors: INVALID_ARGUMENT, OUT_OF_MEMORY; nothing is written then. Cost: most^4 / 12 operations.
 * Source: B. M. McCoy, T. T. Wu, The Two-Dimensional Ising Model (1973), chapter VIII.
 */
gm_status gm_ising_square_correlations(double coupling, int32_t most, double *values);

#ifdef __cplusplus
}
#endif
#endif
