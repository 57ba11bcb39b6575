/*
 * Hopfield networks: memories that are found again from parts of themselves, many probes at once.
 *
 *     E(x) = - x^T W x / 2 - b^T x,    x_i = -1 or +1,    f = W x + b, the local fields,
 *     asynchronous: one neuron after the other, by ascending number, x_i = sign(f_i)
 *     synchronous:  all at once, x = sign(f)
 *
 * W is symmetric with a zero diagonal, made of P patterns xi of N neurons:
 *     HEBB            W_ij = (1/N) sum_p xi_pi xi_pj; recalls up to about 0.138 N random patterns
 *     PSEUDO_INVERSE  W = xi^T (xi xi^T)^-1 xi, its diagonal dropped; every pattern is a fixed
 *                     point, correlated ones too, but they must be linearly independent
 *
 * A sweep of asynchronous updates never raises E, so that it ends in a fixed point; synchronous
 * updates may end in a cycle of two. W and b are held as integer multiples of a quantum (HEBB: of
 * 1/N, exactly, if the biases are multiples too; else of a power of two, 2^-28 to 2^-29 times the
 * largest sum of |W_ij| and |b_i| at a neuron), so that fields, ties and energies are integers and
 * every backend finds the same states to the bit.
 *
 * The stochastic (Glauber) dynamics at a temperature is that of an Ising model on the complete
 * graph: gm_hopfield_ising gives it.
 *
 * Sources: Hopfield, PNAS 79, 1982; Amit, Gutfreund, Sompolinsky, Phys. Rev. Lett. 55, 1985;
 * Personnaz, Guyon, Dreyfus, J. Physique Lett. 46, 1985.
 */
#ifndef GENMATH_HOPFIELD_H
#define GENMATH_HOPFIELD_H

#include <genmath/context.h>
#include <genmath/ising.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_hopfield_rule { GM_HOPFIELD_HEBB, GM_HOPFIELD_PSEUDO_INVERSE } gm_hopfield_rule;

/* Host arrays, which the plan copies. Zero is the default of the last two. */
typedef struct gm_hopfield_model {
    int64_t neurons;       /* 1 .. 2^14 */
    int64_t patterns;      /* 0 .. 2^15; patterns * neurons < 2^29 */
    const int8_t *pattern; /* (patterns, neurons) -1 and +1 */
    int64_t probes;        /* 0 .. 2^30: of every run of the plan */
    const double *bias;    /* (neurons); NULL: 0 */
    gm_hopfield_rule rule;
} gm_hopfield_model;

typedef struct gm_hopfield_plan gm_hopfield_plan;

/*
 * Makes the couplings and copies them to the backend.
 * Errors: INVALID_ARGUMENT (a null argument, a number out of range or not finite, a pattern that is
 * not of -1 and +1, linearly dependent patterns of the pseudo-inverse), OUT_OF_MEMORY, UNSUPPORTED.
 * Cost: patterns neurons^2, on the host.
 */
gm_status gm_hopfield_plan_create(gm_context *context, const gm_hopfield_model *model,
                                  gm_hopfield_plan **plan);
void gm_hopfield_plan_destroy(gm_hopfield_plan *plan); /* NULL is fine */

typedef struct gm_hopfield_info {
    double quantum;  /* of W, b and f; energies are multiples of its half */
    double rounding; /* the largest |W_ij or b_i - its multiple of the quantum| */
    double rcond;    /* of the patterns' correlation matrix; HEBB: 1 */
} gm_hopfield_info;

gm_status gm_hopfield_plan_info(const gm_hopfield_plan *plan, gm_hopfield_info *info);

/* W as it is run: coupling (neurons, neurons) [out], on the host. */
gm_status gm_hopfield_couplings(const gm_hopfield_plan *plan, double *coupling);

/*
 * The network as an Ising model of signs: edges between neurons with W_ij not 0, J = W, h = b; the
 * heat bath in raster order. Its arrays are the plan's and live as long. Errors: INVALID_ARGUMENT.
 */
gm_status gm_hopfield_ising(const gm_hopfield_plan *plan, gm_ising_model *model);

/* Zero is the default: asynchronous, a neuron without a field stays. */
typedef struct gm_hopfield_run_options {
    int32_t synchronous; /* 1: all neurons at once */
    int32_t tie_is_up;   /* 1: a neuron without a field becomes +1 */
    int64_t sweeps;      /* at most, >= 0 */
} gm_hopfield_run_options;

typedef struct gm_hopfield_result {
    /* (probes) F64: E of the final states; NaN where the status is INVALID_ARGUMENT. NULL: not
     * wanted, as below */
    const gm_tensor *energy;
    /* (probes, patterns) I32, row-major: N times the overlaps, sum_i x_i xi_pi; 0 where the status
     * is INVALID_ARGUMENT */
    const gm_tensor *overlap;
    const gm_tensor *sweeps; /* (probes) I32: that changed something */
    /* (probes) I32: OK: a fixed point; NOT_CONVERGED: no sweep yet that changed nothing;
     * INVALID_ARGUMENT: an entry is neither -1 nor +1: the probe is left as it is */
    const gm_tensor *status;
} gm_hopfield_result;

/*
 * Lets every probe run into its fixed point.
 *     options    [in]      NULL: 100 asynchronous sweeps
 *     states     [in,out]  (probes, neurons) I8, any strides
 *     result     [out]     NULL: not wanted
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed
 *
 * Errors: INVALID_ARGUMENT (a null argument, an overlap), SHAPE_MISMATCH, WORKSPACE_TOO_SMALL;
 * nothing is written then. Allocates nothing. Determinism: the same bits on every backend, for any
 * number of threads and probes. Cost: one product of (probes, neurons) with (neurons, neurons) in
 * integers for the first fields, by the contraction engine; then neurons for each flip.
 */
gm_status gm_hopfield_run(const gm_hopfield_plan *plan, const gm_hopfield_run_options *options,
                          const gm_tensor *states, const gm_hopfield_result *result,
                          gm_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif
