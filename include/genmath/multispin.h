/*
 * Markov chains of the homogeneous Ising model, multi-spin coded: one bit a spin, 32 updates at a
 * time by operations on words. Many chains, or one large lattice.
 *
 *     E(x) = - J sum over neighbours (i, j) of x_i x_j - h sum over sites of x_i,
 *     P(x) proportional to exp(-beta E(x)),    x_i = -1 or +1,    J = 1 or -1
 *
 * on a ring or chain, a square, honeycomb or cubic lattice. gm_ising_run (ising.h) takes any graph,
 * couplings, fields and orders; the model, its rounding to a quantum, the updates, the sums and the
 * probabilities here are its own (COLOURED, GM_ISING_SIGNS), the noise is another, so the chains
 * are other ones of the same law.
 *
 * Packed spins. A site has coordinates (.., x), the last axis x running fastest, of size L, and the
 * colour (sum of its coordinates) % 2. Rows (all axes but the last, row-major) have K = (L + 1) / 2
 * places for each colour; the site is number row K + x / 2 of its colour, and so bit number % 32 of
 * word number / 32. A chain is the words of colour 0, then as many of colour 1; a bit is 1 where
 * the spin is +1. Bits that are no site's are ignored, and 0 in what a run writes.
 * gm_multispin_pack and gm_multispin_unpack convert from and to a spin a byte.
 *
 * Noise. A site's update compares a number of 32 random bits u with the integer nearest to 2^32
 * times a probability, as gm_ising_run does. Bit `plane` of u (0: the most significant) of the site
 * at bit b of word w (0 .. words - 1, both colours) in a sweep is
 *
 *     bit b of word plane % 4 of Philox block (sweep words + w) 8 + plane / 4
 *
 * of index first_chain + chain, key seed, stream GM_STREAM_CHAIN_ACCEPT (philox.h). Comparing bit
 * by bit from the top decides half of the sites that are left with each plane, so blocks are drawn
 * only while one is left: about 12 planes for a vector of 512 sites instead of 32, and the result
 * is that of comparing all 32 bits. It is a pure function of (seed, chain, sweep, site): spins and
 * sums have the same bits on every backend, for any threads, blocks, and cuts of chains and sweeps.
 * gm_ising_run numbers the same stream otherwise: give the two different seeds where both are used.
 *
 * Source of the method: Zorn, Herrmann, Rebbi, Comput. Phys. Commun. 23 (1981): multi-spin coding;
 * Bhanot, Duke, Salvador, Phys. Rev. B 33 (1986): a bit a spin, neighbours summed by logic.
 */
#ifndef GENMATH_MULTISPIN_H
#define GENMATH_MULTISPIN_H

#include <genmath/ising.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *     GRID       the neighbours of a site are the next along each axis: 2, 4 or 6
 *     HONEYCOMB  two axes, as a brick wall: (y, x) has the neighbours (y, x - 1), (y, x + 1), and
 *                (y + 1, x) if y + x is even, else (y - 1, x)
 */
typedef enum gm_multispin_lattice {
    GM_MULTISPIN_GRID,
    GM_MULTISPIN_HONEYCOMB
} gm_multispin_lattice;

typedef struct gm_multispin_model {
    gm_multispin_lattice lattice;
    int32_t axes;              /* 1 .. 3; 2 of a honeycomb */
    int64_t size[3];           /* of each axis, >= 1; at most 2^30 sites */
    int32_t periodic[3];       /* of each axis: not 0 where the last site is joined to the first,
                                  which takes an even size of 4 or more: two colours */
    int32_t antiferromagnetic; /* 0: J = 1, else J = -1 */
    gm_ising_update update;    /* METROPOLIS is reducible here: see gm_ising_update. From period-4
                                  diagonal stripes of a square lattice without a field it never
                                  leaves E = 0 */
    double field;              /* h, of every site; 0 is the fastest */
} gm_multispin_model;

typedef struct gm_multispin_plan gm_multispin_plan;

/*
 * Errors: INVALID_ARGUMENT (a null argument, a number out of range or not finite, a periodic axis
 * of odd size: gm_ising_run colours that with more than two), OUT_OF_MEMORY, UNSUPPORTED. Cost: a
 * dozen masks for each colour, which repeat with the rows (cubic: with two layers): none is larger
 * than the packed colour, nor than 32 bytes for each site of a row (of two layers).
 */
gm_status gm_multispin_plan_create(gm_context *context, const gm_multispin_model *model,
                                   gm_multispin_plan **plan);
void gm_multispin_plan_destroy(gm_multispin_plan *plan); /* NULL is fine */

typedef struct gm_multispin_info {
    int64_t sites, edges;
    int64_t words;        /* of a packed chain */
    double quantum;       /* of energies, as of gm_ising_info: E = quantum * integer; 1 if h = 0 */
    double rounding;      /* the largest |J or h - its multiple of the quantum| */
    int64_t energy_bound; /* no |E| / quantum is larger */
} gm_multispin_info;

gm_status gm_multispin_plan_info(const gm_multispin_plan *plan, gm_multispin_info *info);

/*
 * Packed words from spins, and spins from packed words.
 *     spins   (chains, sites) I8, -1 or +1, sites numbered row-major; any strides
 *     packed  (chains, words) U32; any strides
 *     status  [out]  (chains) I32: OK; INVALID_ARGUMENT: a spin is none, and the chain's words are
 *                    left as they are
 * Errors: INVALID_ARGUMENT (a null argument, an overlap), SHAPE_MISMATCH; nothing is written then.
 */
gm_status gm_multispin_pack(const gm_multispin_plan *plan, const gm_tensor *spins,
                            const gm_tensor *packed, const gm_tensor *status);
gm_status gm_multispin_unpack(const gm_multispin_plan *plan, const gm_tensor *packed,
                              const gm_tensor *spins);

/*
 * Runs the sweeps of every chain: all sites of colour 0, then all of colour 1.
 *     run        [in]      (first_sweep + sweeps) * words < 2^53
 *     beta       [in]      (chains) F64, a stride of 0 for one beta; any sign
 *     packed     [in,out]  (chains, words) U32, any strides
 *     result     [out]     as of gm_ising_run; a chain's status is OK or, where its beta is not
 *                          finite and it is left as it is, NON_FINITE. NULL: not wanted
 *     workspace  [in,out]  as of gm_ising_run
 *
 * Errors, aliasing: as of gm_ising_run. Allocates nothing. Deterministic: see the top. Cost: for 32
 * updates about 3 Philox blocks, 8 at the most, and 100 operations on words.
 */
gm_status gm_multispin_run(const gm_multispin_plan *plan, const gm_ising_sweeps *run,
                           const gm_tensor *beta, const gm_tensor *packed,
                           const gm_ising_result *result, gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
