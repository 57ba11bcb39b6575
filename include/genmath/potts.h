/*
 * Markov chains of the Potts model on any graph, many at once: heat bath and Metropolis.
 *
 *     E(x) = - sum over edges (i, j) of J_ij [x_i = x_j] - sum over sites of h_i(x_i),
 *     P(x) proportional to exp(-beta E(x)),    x_i in 0 .. q - 1,
 *     f_i(k) = sum over neighbours j with x_j = k of J_ij + h_i(k), the local field of label k.
 *
 * With q = 2 this is the Ising model of signs with J / 2 and the field (h(1) - h(0)) / 2, but for a
 * constant in E. Orders, sweeps and the noise's addresses are those of ising.h.
 *
 * No rounding error decides. Couplings and fields are integer multiples of a quantum, found as in
 * ising.h (if it must be a power of two, of 2^-28 to 2^-29 times the largest local field), so that
 * energies and local fields are integers, and so are the weights of the labels: 2^48 exp(-|beta|
 * quantum gap), rounded, where gap is the number of quanta to the likeliest label. Of the weights'
 * sum W the label is drawn at the integer part of W u / 2^32 from 32 random bits u: it has the same
 * bits on every backend. The probability of a label is off by less than 2^-32 + 2^-40, of which the
 * draw has 2^-32 and the weights the rest.
 *
 * Source of the model: R. B. Potts, Proc. Camb. Phil. Soc. 48, 106 (1952); F. Y. Wu, Rev. Mod.
 * Phys. 54, 235 (1982).
 */
#ifndef GENMATH_POTTS_H
#define GENMATH_POTTS_H

#include <genmath/ising.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *     HEAT_BATH   x_i is k with probability proportional to exp(beta f_i(k))
 *     METROPOLIS  one of the other labels is proposed, each as likely, and taken with probability
 *                 min(1, exp(-beta dE)); proposal and decision share the 32 bits
 *
 * The heat bath is irreducible and aperiodic in every order. Metropolis in a systematic order need
 * not be: with q = 2 it is that of the Ising model, which is not (ising.h). In the order RANDOM it
 * is where some update costs energy and beta is not 0.
 */
typedef enum gm_potts_update { GM_POTTS_HEAT_BATH, GM_POTTS_METROPOLIS } gm_potts_update;

/* Host arrays, which the plan copies. Zero is the default of all but sites, edges, ends and q. */
typedef struct gm_potts_model {
    int64_t sites;       /* 0 .. 2^30 */
    int64_t edges;       /* 0 .. 2^29 */
    const int32_t *ends; /* (edges, 2): two different sites; no pair twice, in either direction */
    int32_t q;           /* labels, 2 .. 256 */
    const double *coupling; /* (edges) J; NULL: 1 */
    const double *field;    /* (sites, q) h; NULL: 0 */
    const uint8_t *clamped; /* (sites): not 0 where the label stays as it is; NULL: nowhere */
    gm_potts_update update;
    gm_ising_order order;
    int32_t connected; /* not 0: a graph in several parts that no edge joins is refused */
} gm_potts_model;

typedef struct gm_potts_plan gm_potts_plan;

/*
 * Checks the model, rounds it to its quantum, colours it and copies it to the backend.
 * Errors: INVALID_ARGUMENT (a null argument, a number out of range or not finite, a self-loop, a
 * pair given twice, several parts where one is asked for), OUT_OF_MEMORY, UNSUPPORTED. Cost: edges
 * log(edges); for a graph with an odd cycle the sum of the squared degrees.
 */
gm_status gm_potts_plan_create(gm_context *context, const gm_potts_model *model,
                               gm_potts_plan **plan);
void gm_potts_plan_destroy(gm_potts_plan *plan); /* NULL is fine */

typedef struct gm_potts_info {
    int64_t colours;      /* of COLOURED, else 0 */
    double quantum;       /* of energies: E = quantum * integer; 1 if J = h = 0 */
    double rounding;      /* the largest |J or h - its multiple of the quantum| */
    int64_t span;         /* the largest difference of local fields there can be, in quanta */
    int64_t energy_bound; /* no |E| / quantum is larger */
    int64_t components;   /* connected parts of the graph, clamped sites included */
} gm_potts_info;

gm_status gm_potts_plan_info(const gm_potts_plan *plan, gm_potts_info *info);

/*
 * Sums over the sweeps of a call of what the state is after each, exact: E in quanta, and with n_k
 * sites of label k
 *
 *     M = q max_k n_k - sites,    the order parameter M / (sites (q - 1)) is in 0 .. 1;
 *
 * of the Ising model, q = 2, that is |M|. LAG is the product with the value before the sweep. The
 * sums of two calls that cut a run add up to those of the run.
 */
typedef enum gm_potts_sum {
    GM_POTTS_E,
    GM_POTTS_E2,
    GM_POTTS_E_LAG,
    GM_POTTS_M,
    GM_POTTS_M2,
    GM_POTTS_M4,
    GM_POTTS_M_LAG,
    GM_POTTS_FLIPS, /* changed labels */
    GM_POTTS_SUMS
} gm_potts_sum;

typedef struct gm_potts_result {
    /* (chains, GM_POTTS_SUMS, 2) U64: each sum as a 128-bit integer in two's complement, low word
     * first (gm_ising_sum_value); 0 where the status is not OK. NULL: not wanted */
    const gm_tensor *sums;
    /* (chains) I32: OK; NON_FINITE: its beta is not finite; INVALID_ARGUMENT: a label is q or more.
     * Such a chain is left as it is. NULL: not wanted */
    const gm_tensor *status;
    /* (chains) I64: E in quanta of the state after the last sweep; 0 where the status is not OK.
     * NULL: not wanted */
    const gm_tensor *energy;
} gm_potts_result;

/*
 * Runs the sweeps of every chain.
 *     run        [in]
 *     beta       [in]      (chains) F64, a stride of 0 for one beta; any sign
 *     labels     [in,out]  (chains, sites) U8, any strides
 *     result     [out]     NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed, which
 *                          depends on the plan, the number of chains and the threads
 *
 * Errors: INVALID_ARGUMENT (a null argument, an overlap, more sweeps than the noise or a 128-bit
 * sum has room for), SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written then. Allocates
 * nothing. Determinism: see the top. Cost: per update one pass over the site's neighbours, a
 * quarter of a Philox block (RANDOM: one and a quarter) and, but for Metropolis, two passes over
 * the labels.
 */
gm_status gm_potts_run(const gm_potts_plan *plan, const gm_ising_sweeps *run, const gm_tensor *beta,
                       const gm_tensor *labels, const gm_potts_result *result,
                       gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
