/*
 * Gibbs sampling of any discrete model with small tables, many chains at once: Bayesian networks,
 * hidden Markov models, Potts models, codes, constraint problems.
 *
 *     P(x) proportional to exp(beta L(x)),    L(x) = sum over factors a of theta_a(x_a),
 *
 * x_i is a label 0 .. cardinality_i - 1, theta_a a table of log-potentials over the labels of the
 * factor's variables x_a. -INFINITY forbids an entry, at any beta (0 and negative too).
 *
 * A variable is drawn from its conditional given all others (the heat bath). No rounding order
 * decides: the tables are rounded to multiples of a quantum, a power of two so small that every sum
 * of entries is a 64-bit integer, below 2^-61 of the sum over factors of the largest |theta_a|. The
 * chain is that of the model with these integers. The weight of a label is math.h's
 * exp(-|beta| quantum d), d the integer distance from the likeliest label, rounded to a multiple
 * of 2^-52; 64 random bits choose among the integers. So the labels have the same bits on every
 * backend, and a conditional probability is off by the variable's cardinality times 2^-52 at the
 * most, but for the tables' rounding; a label below 2^-53 of the likeliest one is never drawn.
 *
 * Hard constraints may cut the states into parts between which no single variable leads: the words
 * of a parity code are one each. The chain then stays in its part; join variables into one of more
 * labels, or soften the constraint and temper.
 *
 * The noise of a decision is a pure function of (seed, first_chain + chain, first_sweep + sweep,
 * place of the variable in the order), as for ising.h: results do not depend on threads, blocks,
 * the number of chains or how chains and sweeps are cut into calls.
 *
 * Source: Geman and Geman, IEEE PAMI 6, 1984; orders and colours as in ising.h.
 */
#ifndef GENMATH_FACTOR_GRAPH_H
#define GENMATH_FACTOR_GRAPH_H

#include <genmath/context.h>
#include <genmath/ising.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Host arrays, which the plan copies. Zero is the default of the last two. */
typedef struct gm_factor_graph_model {
    int64_t variables;          /* 0 .. 2^24 */
    const int32_t *cardinality; /* (variables) 2 .. 256 */
    int64_t factors;            /* 0 .. 2^28 */
    const int64_t *first;       /* (factors + 1): factor a is of the variables member[first[a]] to
                                 * member[first[a + 1] - 1]: 1 to 16 different ones */
    const int32_t *member;
    const double *table; /* of one factor after the other, each row-major over its variables, the
                          * last varying fastest; finite or -INFINITY; at most 2^30 in all */
    const uint8_t
        *clamped;         /* (variables): not 0 where the label is evidence and stays; NULL: none */
    gm_ising_order order; /* COLOURED: variables of one factor have different colours */
} gm_factor_graph_model;

typedef struct gm_factor_graph_plan gm_factor_graph_plan;

/*
 * Checks the model, rounds it to its quantum, colours it and copies it to the backend.
 * Errors: INVALID_ARGUMENT (a null argument, a number out of range, NaN or +infinite, a variable
 * twice in a factor), OUT_OF_MEMORY, UNSUPPORTED. Cost: that of the tables, and of sorting each
 * variable's neighbours.
 */
gm_status gm_factor_graph_plan_create(gm_context *context, const gm_factor_graph_model *model,
                                      gm_factor_graph_plan **plan);
void gm_factor_graph_plan_destroy(gm_factor_graph_plan *plan); /* NULL is fine */

typedef struct gm_factor_graph_info {
    int64_t states;  /* the sum of the cardinalities: the columns of counts */
    int64_t colours; /* of COLOURED, else 0 */
    double quantum;  /* of L; 1 without a finite entry that is not 0 */
    double rounding; /* the largest |entry - its multiple of the quantum| */
} gm_factor_graph_info;

gm_status gm_factor_graph_plan_info(const gm_factor_graph_plan *plan, gm_factor_graph_info *info);

typedef struct gm_factor_graph_result {
    /* (chains, states) or (states) U64: how often each label of each variable was there after a
     * sweep of this call, variable after variable; the second form adds all chains. NULL: not
     * wanted. The counts of two calls that cut a run add up to those of the run. */
    const gm_tensor *counts;
    /* (chains, sweeps) F64: L after each sweep, exactly rounded from the integer; -INFINITY where
     * the state is forbidden; NaN where the chain had stopped. NULL: not wanted */
    const gm_tensor *log_potential;
    /* (chains) I32. NULL: not wanted
     *     OK
     *     INVALID_ARGUMENT  a label is not below its cardinality: the chain is left as it is
     *     NON_FINITE        beta is not finite, or so large that beta L overflows: the chain is
     *                       left as it is; or a variable was met that has no possible label: it
     *                       keeps its own, the sweep is finished but not counted, the chain stops
     */
    const gm_tensor *status;
} gm_factor_graph_result;

/*
 * Runs the sweeps of every chain.
 *     run        [in]      (first_sweep + sweeps) * (variables / 2 + colours) < 2^48
 *     beta       [in]      (chains) F64, a stride of 0 for one beta; any sign
 *     labels     [in,out]  (chains, variables) U8, any strides; clamped ones are read
 *     result     [out]     NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed, which
 *                          depends on the plan, the number of chains and the threads
 *
 * Errors: INVALID_ARGUMENT (a null argument, an overlap, more sweeps than the noise has room for),
 * SHAPE_MISMATCH, WORKSPACE_TOO_SMALL; nothing is written then. Allocates nothing. Determinism: see
 * the top. Cost: per update and label one entry of each of the variable's tables and one
 * exponential, and half a Philox block (RANDOM: one and a half).
 */
gm_status gm_factor_graph_run(const gm_factor_graph_plan *plan, const gm_ising_sweeps *run,
                              const gm_tensor *beta, const gm_tensor *labels,
                              const gm_factor_graph_result *result, gm_workspace *workspace);

/*
 * The exact law, by going through all labels of the variables that are not clamped, on the host.
 *     model     [in]   its tables as they are, not rounded; order is not looked at
 *     labels    [in]   (variables) of the clamped ones; NULL where none is
 *     beta      [in]   finite
 *     log_z     [out]  log of the sum of exp(beta L) over the joint states; NULL: not wanted
 *     marginal  [out]  (sum of the cardinalities) the probability of each label; NULL: not wanted
 * Errors: INVALID_ARGUMENT (as plan_create; a label that is none; more than 2^20 joint states),
 * NON_FINITE (no state is possible, or beta L overflows), OUT_OF_MEMORY; nothing is written then.
 * Error: sums are compensated; that of L and of exp remains. Cost: joint states times factors.
 */
gm_status gm_factor_graph_enumerate(gm_context *context, const gm_factor_graph_model *model,
                                    const uint8_t *labels, double beta, double *log_z,
                                    double *marginal);

#ifdef __cplusplus
}
#endif
#endif
