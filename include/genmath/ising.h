/*
 * Markov chains of the Ising model on any graph, many at once: heat bath and Metropolis.
 *
 *     E(x) = - sum over edges (i, j) of J_ij x_i x_j - sum over sites of h_i x_i,
 *     P(x) proportional to exp(-beta E(x)),    f_i = sum_j J_ij x_j + h_i, the local field.
 *
 * x is -1 or +1 (GM_ISING_SIGNS), or 0 or 1 (GM_ISING_BITS): the same formula, other models.
 *
 * No rounding error decides. Couplings and fields are integer multiples of a quantum: of the
 * smallest of them divided by 1 to 100, if all are multiples of it to 2^-50 (+-J glasses and
 * lattices are), else of a power of two 2^-29 to 2^-30 times the largest local field, to which they
 * are rounded. The chain is that of the model with these integers, and its energies and local
 * fields are integers. A spin is drawn by comparing 32 random bits with a probability rounded to a
 * multiple of 2^-32, computed by math.h: so the spins have the same bits on every backend. An
 * acceptance probability is off by 2^-33 at the most (by 2^-32 for Metropolis just below 1).
 *
 * The noise of a decision is a pure function of (seed, first_chain + chain, first_sweep + sweep,
 * place of the site in the order), in the streams GM_STREAM_CHAIN_ACCEPT for decisions and
 * GM_STREAM_CHAIN for the sites of RANDOM: results do not depend on threads, blocks, the number of
 * chains or how chains and sweeps are cut into calls.
 */
#ifndef GENMATH_ISING_H
#define GENMATH_ISING_H

#include <genmath/context.h>
#include <genmath/lattices.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_ising_spins {
    GM_ISING_SIGNS, /* -1 and +1 */
    GM_ISING_BITS   /* 0 and 1 */
} gm_ising_spins;

/*
 *     HEAT_BATH   x_i is +1 (or 1) with probability 1 / (1 + exp(-beta d f_i)), d = 2 (bits: 1)
 *     METROPOLIS  x_i is flipped with probability min(1, exp(-beta dE))
 *     GLAUBER     x_i is flipped with probability 1 / (1 + exp(beta dE)): for two states that is
 *                 the heat bath, and it is run as such
 *     LAZY_METROPOLIS  x_i is flipped with probability min(1, exp(-beta dE)) / 2
 *
 * Metropolis in a systematic order is not irreducible, because dE = 0 is always accepted: on a
 * square lattice with L a multiple of 4 and no field, period-4 diagonal stripes (all f_i = 0) go
 * over into each other forever at any temperature under COLOURED, and with beta = 0 every spin
 * flips in every sweep. Use it with RANDOM, which is ergodic; the heat bath is in every order, and
 * so is the lazy variant, at half the rate: a sweep leaves every site as it is with probability
 * 2^-sites or more, which makes the chain aperiodic, and flips any one of them alone with positive
 * probability (that of the flip, if it is not rounded to 0, times 2^(1-sites) or more), which makes
 * it irreducible; each update leaves P as it is, as half of Metropolis and half of none do.
 */
typedef enum gm_ising_update {
    GM_ISING_HEAT_BATH,
    GM_ISING_METROPOLIS,
    GM_ISING_GLAUBER,
    GM_ISING_LAZY_METROPOLIS
} gm_ising_update;

/*
 * What a sweep is: as many updates as there are sites that are not clamped.
 *     COLOURED  colour by colour; a site's neighbours have other colours, so a colour is updated
 *               at once. A bipartite graph has two (the checkerboard), others are coloured by
 *               DSATUR (Brelaz, Comm. ACM 22, 1979).
 *     RANDOM    a site drawn uniformly for each update. One chain is one thread.
 *     RASTER    by ascending number. One chain is one thread.
 */
typedef enum gm_ising_order { GM_ISING_COLOURED, GM_ISING_RANDOM, GM_ISING_RASTER } gm_ising_order;

/* Host arrays, which the plan copies. Zero is the default of the last six. */
typedef struct gm_ising_model {
    int64_t sites;       /* 0 .. 2^30 */
    int64_t edges;       /* 0 .. 2^29 */
    const int32_t *ends; /* (edges, 2): two different sites; no pair twice, in either direction */
    const double *coupling; /* (edges) J; NULL: 1 */
    const double *field;    /* (sites) h; NULL: 0 */
    const uint8_t *clamped; /* (sites): not 0 where the spin stays as it is; NULL: nowhere */
    gm_ising_spins spins;
    gm_ising_update update;
    gm_ising_order order;
    int32_t connected; /* not 0: a graph in several parts that no edge joins is refused */
} gm_ising_model;

/* gm_lattice_edges of GM_LATTICE_CUBIC. */
gm_status gm_ising_lattice(int32_t axes, const int64_t *size, const int32_t *periodic,
                           int32_t *ends, int64_t *edges);

typedef struct gm_ising_plan gm_ising_plan;

/*
 * Checks the model, rounds it to its quantum, colours it and copies it to the backend.
 * Errors: INVALID_ARGUMENT (a null argument, a number out of range or not finite, a self-loop, a
 * pair given twice, several parts where one is asked for), OUT_OF_MEMORY, UNSUPPORTED. Cost: edges
 * log(edges); for a graph with an odd cycle the sum of the squared degrees.
 */
gm_status gm_ising_plan_create(gm_context *context, const gm_ising_model *model,
                               gm_ising_plan **plan);
void gm_ising_plan_destroy(gm_ising_plan *plan); /* NULL is fine */

typedef struct gm_ising_info {
    int64_t colours;      /* of COLOURED, else 0 */
    double quantum;       /* of energies: E = quantum * integer; 1 if J = h = 0 */
    double rounding;      /* the largest |J or h - its multiple of the quantum| */
    int64_t reach;        /* the largest |f_i| / quantum there can be */
    int64_t energy_bound; /* no |E| / quantum is larger */
    int64_t components;   /* connected parts of the graph, clamped sites included */
} gm_ising_info;

gm_status gm_ising_plan_info(const gm_ising_plan *plan, gm_ising_info *info);

/* Which sweeps of which chains. */
typedef struct gm_ising_sweeps {
    uint64_t seed;
    uint64_t first_chain; /* the number of chain 0 of this call */
    uint64_t first_sweep; /* the number of its first sweep */
    int64_t sweeps;       /* >= 0; (first_sweep + sweeps) * (sites / 4 + colours) < 2^48 */
} gm_ising_sweeps;

/*
 * Sums over the sweeps of a call of what the state is after each, exact: E in quanta, M the sum of
 * the spins. LAG is the product with the value before the sweep. The sums of two calls that cut a
 * run add up to those of the run.
 */
typedef enum gm_ising_sum {
    GM_ISING_E,
    GM_ISING_E2,
    GM_ISING_E_LAG,
    GM_ISING_M,
    GM_ISING_ABS_M,
    GM_ISING_M2,
    GM_ISING_M4,
    GM_ISING_M_LAG,
    GM_ISING_FLIPS, /* of spins */
    GM_ISING_SUMS
} gm_ising_sum;

typedef struct gm_ising_result {
    /* (chains, GM_ISING_SUMS, 2) U64: each sum as a 128-bit integer in two's complement, low word
     * first; 0 where the status is not OK. NULL: not wanted */
    const gm_tensor *sums;
    /* (chains) I32: OK; NON_FINITE: its beta is not finite; INVALID_ARGUMENT: a spin is none of the
     * two values. Such a chain is left as it is. NULL: not wanted */
    const gm_tensor *status;
    /* (chains) I64: the energy of the state after the last sweep, in quanta; 0 where the status is
     * not OK. NULL: not wanted */
    const gm_tensor *energy;
} gm_ising_result;

/*
 * Runs the sweeps of every chain.
 *     run        [in]
 *     beta       [in]      (chains) F64, a stride of 0 for one beta; any sign
 *     spins      [in,out]  (chains, sites) I8, any strides
 *     result     [out]     NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed, which
 *                          depends on the plan, the number of chains and the threads
 *
 * Errors: INVALID_ARGUMENT (a null argument, an overlap, more sweeps than the noise or a 128-bit
 * sum has room for), SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written then. Allocates
 * nothing. Determinism: see the top. Cost: per update one pass over the site's neighbours and a
 * quarter of a Philox block (RANDOM: one and a quarter).
 */
gm_status gm_ising_run(const gm_ising_plan *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                       const gm_tensor *spins, const gm_ising_result *result,
                       gm_workspace *workspace);

/* A sum as the nearest double: words[0] the low one. */
double gm_ising_sum_value(const uint64_t words[2]);

#ifdef __cplusplus
}
#endif
#endif
