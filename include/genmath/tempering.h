/*
 * Parallel tempering (replica exchange): chains of one model at a ladder of temperatures, which
 * neighbours in the ladder exchange now and then, so that a cold chain gets out of a valley by way
 * of the hot ones.
 *
 *     beta_0, ..., beta_(R-1)    the ladder: R inverse temperatures, the same for all ladders
 *     P(x_0, ..., x_(R-1)) proportional to the product of exp(-beta_k E(x_k)),
 *
 * which an exchange of levels k and k + 1 leaves invariant that is accepted with probability
 *
 *     a = min(1, exp((beta_k - beta_(k+1)) (E(x_k) - E(x_(k+1))))),
 *
 * E the whole energy of a state. Many independent ladders run at once, R chains each. Temperatures
 * are exchanged, not states: chain r of a ladder keeps its spins and its noise and moves from level
 * to level.
 *
 * After every `sweeps` sweeps the pairs (0, 1), (2, 3), ... or (1, 2), (3, 4), ... are tried, in
 * turns. No rounding error decides: 32 random bits are compared with a rounded to a multiple of
 * 2^-32, computed from integer energies by math.h, so that levels and spins have the same bits on
 * every backend. On a device the whole run is enqueued at once; the host is not waited for.
 *
 * The noise of a swap is a pure function of (seed, first_ladder + ladder, first_swap + swap, pair),
 * in the stream GM_STREAM_CHAIN_SWAP; that of the sweeps is the model's, chain r of ladder l having
 * number (first_ladder + l) R + r. Results do not depend on threads, blocks, the number of ladders
 * or how ladders and swaps are cut into calls.
 *
 * Sources: Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996); even and odd pairs in turns:
 * Okabe et al., Chem. Phys. Lett. 335, 435 (2001); Syed et al., J. R. Stat. Soc. B 84, 321 (2022).
 */
#ifndef GENMATH_TEMPERING_H
#define GENMATH_TEMPERING_H

#include <genmath/context.h>
#include <genmath/linalg.h>
#include <genmath/potts.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_tempering_pairs {
    GM_TEMPERING_ALTERNATE, /* even pairs at even numbers of the swap, odd ones at odd */
    GM_TEMPERING_RANDOM     /* even or odd by a random bit of the ladder: reversible, slower */
} gm_tempering_pairs;

typedef struct gm_tempering {
    const gm_ising_plan *ising; /* the model: one of these two; it must outlive the plan */
    const gm_potts_plan *potts;
    int64_t temperatures; /* R: 1 .. 4096 */
    const double *beta;   /* (R) host array, finite, any sign and order; it is copied */
    gm_tempering_pairs pairs;
} gm_tempering;

typedef struct gm_tempering_plan gm_tempering_plan;

/* Errors: INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY. *plan is NULL then. */
gm_status gm_tempering_plan_create(gm_context *context, const gm_tempering *tempering,
                                   gm_tempering_plan **plan);
void gm_tempering_plan_destroy(gm_tempering_plan *plan); /* NULL is fine */

/* Which swaps of which ladders. */
typedef struct gm_tempering_swaps {
    uint64_t seed;
    uint64_t first_ladder; /* the number of ladder 0 of this call */
    uint64_t first_swap; /* the number of its first swap; first_swap * sweeps sweeps were before */
    int64_t swaps;       /* 0 .. 2^30 */
    int64_t sweeps;      /* before each swap, >= 1 */
} gm_tempering_swaps;

/*
 * What is kept from one call to the next. At the start chain r is at level r (or at that of any
 * permutation) and the labels are 0.
 */
typedef struct gm_tempering_state {
    /* (ladders * R, sites) I8, labels of Potts U8: chain r of ladder l is row l R + r */
    const gm_tensor *spins;
    const gm_tensor *level; /* (ladders, R) I32: where each chain is; a permutation of 0 .. R - 1 */
    const gm_tensor *label; /* (ladders, R) I32: the end of the ladder that each chain was at last:
                             * 1: level 0; 2: level R - 1; 0: none yet */
} gm_tempering_state;

/* The third axis of gm_tempering_result.swaps. */
typedef enum gm_tempering_count {
    GM_TEMPERING_TRIED,
    GM_TEMPERING_ACCEPTED,
    GM_TEMPERING_PROBABILITY, /* the sum of a over the tries, in units of 2^-32: less noisy */
    GM_TEMPERING_COUNTS
} gm_tempering_count;

/* Each may be NULL: not wanted. Sums and counts are of this call; those of two calls that cut a run
 * add up to those of the run. All but the status are 0 where a ladder's status is not OK. */
typedef struct gm_tempering_result {
    /* (ladders, R, S, 2) U64: the model's sums (S = GM_ISING_SUMS or GM_POTTS_SUMS) over the sweeps
     * at each level */
    const gm_tensor *sums;
    const gm_tensor *swaps; /* (ladders, R - 1, GM_TEMPERING_COUNTS) I64: of levels k and k + 1 */
    /* (ladders, R) I64: round trips of each chain: how often it came to level 0 having been at
     * level R - 1 since it was there before. Where a chain is is seen just before each swap. */
    const gm_tensor *trips;
    const gm_tensor *energy; /* (ladders * R) I64: of each chain's state, in quanta */
    /* (ladders) I32: OK; INVALID_ARGUMENT: a spin is no spin, the levels are no permutation or a
     * label is none. Such a ladder is left as it is. */
    const gm_tensor *status;
} gm_tempering_result;

/*
 * Runs sweeps and swaps of every ladder.
 *     run        [in]
 *     state      [in,out]  any strides
 *     result     [out]     NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed
 *
 * Errors: those of the model's run; nothing is written then. Allocates nothing. Cost: that of the
 * sweeps; a swap adds a pass over the table of thresholds and the sums of each chain, which small
 * lattices notice if `sweeps` is 1.
 */
gm_status gm_tempering_run(const gm_tempering_plan *plan, const gm_tempering_swaps *run,
                           const gm_tempering_state *state, const gm_tempering_result *result,
                           gm_workspace *workspace);

/* ---- ladders (host arrays) ------------------------------------------------------------------- */

/*
 * count values from `first` to `last`, both reached exactly: evenly spaced, or in equal ratios
 * (which takes two values of one sign, not 0).
 * Errors: INVALID_ARGUMENT (count < 2, a value not finite); nothing is written then.
 */
gm_status gm_ladder_linear(int64_t count, double first, double last, double *beta);
gm_status gm_ladder_geometric(int64_t count, double first, double last, double *beta);

/*
 * A ladder from the same first to the same last temperature, of new_count levels, between which
 * exchanges are accepted about equally often, from the mean energies measured on another ladder.
 * Between normal laws of energies a = erfc(d / 2), d^2 = (beta_k - beta_(k+1)) (E_(k+1) - E_k), and
 * d adds up along the ladder: the new levels divide its sum evenly, linear between the old levels.
 *     count, beta    [in]   of the measured ladder, >= 2, monotone
 *     energy         [in]   (count) mean energy at each level, in the units of 1 / beta
 *     new_count      [in]   >= 2
 *     new_beta       [out]  (new_count); may be beta if new_count == count
 *     acceptance     [out]  what the formula says of all new neighbours; NULL: not wanted
 * A pair whose mean energies are in the wrong order (they are noisy) counts with 1/1000 of the sum.
 * Repeat: a run on the new ladder measures it better.
 * Errors: INVALID_ARGUMENT, OUT_OF_MEMORY; nothing is written then.
 * Source: Kofke, J. Chem. Phys. 117, 6911 (2002); Rathore et al., J. Chem. Phys. 122, 024111
 * (2005).
 */
gm_status gm_ladder_adapt(int64_t count, const double *beta, const double *energy,
                          int64_t new_count, double *new_beta, double *acceptance);

#ifdef __cplusplus
}
#endif
#endif
