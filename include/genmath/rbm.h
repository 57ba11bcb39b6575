/*
 * Restricted Boltzmann machines: two layers of units, each unit joined to every one of the other
 * layer and to none of its own,
 *
 *     p(v, h) = exp(-beta E(v, h)) / Z,   hidden units h_j in {0, 1}, and by the kind of v
 *
 *     binary    E = -b.v - c.h - v W h                                  v_i in {0, 1}
 *     gaussian  E = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - c.h - sum_ij (v_i / sigma_i) W_ij h_j
 *     potts     as binary; the visible units are groups of `colours`, of each of which one is 1
 *
 * so that given one layer the units of the other are independent, sigma(x) = 1 / (1 + e^-x):
 *
 *     h_j = 1 with probability sigma(beta (c_j + sum_i v_i W_ij)), gaussian v_i / sigma_i for v_i;
 *     v_i = 1 with probability sigma(beta (b_i + sum_j W_ij h_j)); gaussian v_i normal of mean
 *     b_i + sigma_i sum_j W_ij h_j and variance sigma_i^2 / beta; the colours of a potts site with
 *     probabilities in proportion to exp(beta (b_i + sum_j W_ij h_j)).
 *
 * A machine of units x = +-1 with E = -a.x - d.y - x J y is the one of {0, 1} with x = 2 v - 1:
 * W = 4 J, b = 2 a - 2 rowsums(J), c = 2 d - 2 columnsums(J), log Z up to a constant.
 *
 * A layer is a contraction with bias, sigmoid and draw in its epilogue (contract.h); many chains
 * are the rows of a matrix. All tensors are row-major without gaps, of the plan's type, in the
 * backend's memory; w (visible, hidden), b (visible), c (hidden), sigma (visible, above 0). The
 * model is given to each call, so that it may change between them.
 *
 * Noise: a pure function of (seed, first_chain + row, sweep, unit): each half sweep has a key, the
 * words 0 and 1 of block `layer` of (seed, sweep, GM_STREAM_CHAIN), layer 0 hidden, 1 visible, and
 * unit u of chain c is element c units + u of the contraction's samples (or of the normals and
 * uniforms by the same address) under that key. Results do not depend on how sweeps are cut, on the
 * other rows, on threads or on the grid. Between backends, and between plans of other numbers of
 * rows, the fields differ by rounding, and a unit by one draw in some 2^24 (f64 2^52): where its
 * uniform falls between two probabilities.
 *
 * Errors of all functions: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED, WORKSPACE_TOO_SMALL,
 * OUT_OF_MEMORY (plans), DEVICE_ERROR; except after the last nothing is written. Outputs overlap
 * nothing else. No call but gm_rbm_plan_create allocates; on a GPU calls are enqueued. A weight, a
 * bias or a start that is no finite number: the units it reaches draw 0, and free energies, means
 * and sums are NaN, which is how to see it.
 *
 * Source: Smolensky, Parallel Distributed Processing 1, 1986; Hinton, Neural Computation 14, 2002.
 */
#ifndef GENMATH_RBM_H
#define GENMATH_RBM_H

#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gm_rbm_kind { GM_RBM_BINARY, GM_RBM_GAUSSIAN, GM_RBM_POTTS } gm_rbm_kind;

typedef struct gm_rbm_options {
    gm_dtype dtype;   /* F64, F32; BF16: binary, gm_rbm_gibbs without clamp and the means alone */
    gm_rbm_kind kind; /* of the visible units */
    int64_t rows;     /* chains, or data, of a call */
    int64_t visible, hidden;
    int64_t colours;   /* potts: at least 2, a divisor of visible; else 0 */
    int32_t partition; /* 1: for gm_rbm_log_partition too */
} gm_rbm_options;

typedef struct gm_rbm_model {
    const gm_tensor *w, *b, *c;
    const gm_tensor *sigma; /* gaussian; else NULL */
} gm_rbm_model;

typedef struct gm_rbm_plan gm_rbm_plan;

/*
 * Plans every operation for matrices of `rows` rows. options: copied. *plan is NULL on failure. The
 * context must outlive the plan.
 */
gm_status gm_rbm_plan_create(gm_context *context, const gm_rbm_options *options,
                             gm_rbm_plan **plan);
void gm_rbm_plan_destroy(gm_rbm_plan *plan); /* NULL is fine */

/* Bytes that each call needs as workspace, from gm_memory_alloc. */
size_t gm_rbm_workspace(const gm_rbm_plan *plan);

/* ---- chains ---------------------------------------------------------------------------------- */

typedef struct gm_rbm_sweeps {
    uint64_t seed, first_chain, first_sweep;
    int64_t sweeps;
    double beta;            /* above 0; 0: 1 */
    const gm_tensor *clamp; /* U8 (visible): units where it is not 0 keep their value, sites by
                               their first colour; NULL: none */
} gm_rbm_sweeps;

/*
 * Block Gibbs: `sweeps` times h from v, then v from h.
 *
 *     v  [in,out]  (rows, visible)
 *     h  [out]     (rows, hidden): the layer that v was drawn from, of 0 sweeps untouched; or NULL
 *
 * Cost: 4 rows visible hidden operations a sweep.
 */
gm_status gm_rbm_gibbs(const gm_rbm_plan *plan, const gm_rbm_sweeps *run, const gm_rbm_model *model,
                       const gm_tensor *v, const gm_tensor *h, void *workspace,
                       size_t workspace_bytes);

/* mean (rows, hidden) = P(h_j = 1 | v); beta above 0, 0: 1. */
gm_status gm_rbm_hidden_mean(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                             const gm_tensor *v, const gm_tensor *mean, void *workspace,
                             size_t workspace_bytes);

/* mean (rows, visible) = E[v_i | h]. */
gm_status gm_rbm_visible_mean(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                              const gm_tensor *h, const gm_tensor *mean, void *workspace,
                              size_t workspace_bytes);

/* ---- likelihood ------------------------------------------------------------------------------ */

/*
 * energy (rows) = F(v) = -log sum_h exp(-beta E(v, h)), so that log p(v) = -F(v) - log Z.
 */
gm_status gm_rbm_free_energy(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                             const gm_tensor *v, const gm_tensor *energy, void *workspace,
                             size_t workspace_bytes);

/*
 * log_z (1) = log Z by all states of one layer, the other summed in closed form: the smaller layer
 * of a binary machine, the hidden one else. At most 2^18 states on ref and cpu, 2^24 on cuda and
 * emu, else gm_rbm_plan_create says UNSUPPORTED. The plan has options.partition.
 * Error: some units of the type's last place of the largest exponents; sums in blocks of 4096.
 */
gm_status gm_rbm_log_partition(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                               const gm_tensor *log_z, void *workspace, size_t workspace_bytes);

/*
 * out (rows) = sum_i log p(v_i | the other v), all units flipped in turn: a log-likelihood of the
 * conditionals, not scaled by anything. Binary. Cost: rows visible hidden softplus.
 * Source: Besag, The Statistician 24, 1975.
 */
gm_status gm_rbm_pseudo_likelihood(const gm_rbm_plan *plan, const gm_rbm_model *model,
                                   const gm_tensor *v, const gm_tensor *out, void *workspace,
                                   size_t workspace_bytes);

/*
 * Annealed importance sampling of log Z, one chain a row, along p_t(v, h) with W replaced by t W, t
 * from 0, where Z is known, to 1.
 */
typedef struct gm_rbm_anneal {
    uint64_t seed, first_chain;
    int64_t steps;   /* K >= 1: 1 + K values of t */
    const double *t; /* (1 + K) in host memory: rising, t[0] = 0, t[K] = 1; NULL: even steps */
    int32_t reverse;
} gm_rbm_anneal;

/*
 *     v            [in,out]  (rows, visible). Forward: drawn at t = 0, the values on entry are not
 *                            read. Reverse: on entry draws from the machine itself
 *     log_weights  [out]     (rows): log Z_0 + sum_k log f_(t_k)(v_k) / f_(t_(k - 1))(v_k), f the
 *                            unnormalised p(v)
 *
 * Forward E exp(log_weights) = Z, so their mean is below log Z on average; reverse, from exact
 * draws, E exp(-log_weights) = 1 / Z and their mean is above it: together a bracket. With W = 0
 * every weight is Z. Cost: 4 rows visible hidden operations a step.
 * Source: Neal, Statistics and Computing 11, 2001; Salakhutdinov and Murray, ICML 2008; Grosse,
 * Ghahramani, Adams, arXiv 1511.02543 (the bracket).
 */
gm_status gm_rbm_ais(const gm_rbm_plan *plan, const gm_rbm_anneal *run, const gm_rbm_model *model,
                     const gm_tensor *v, const gm_tensor *log_weights, void *workspace,
                     size_t workspace_bytes);

/* What log weights in host memory say of log Z. */
typedef struct gm_rbm_estimate {
    double log_z; /* log mean exp(w); reverse: -log mean exp(-w) */
    double error; /* its standard error by the delta method: sd(e^w) / (mean(e^w) sqrt n) */
    double mean;  /* of the weights: a bound of log Z on average */
    double ess;   /* (sum e^w)^2 / sum e^2w */
} gm_rbm_estimate;

/* n >= 1. A weight that is no number: NON_FINITE. */
gm_status gm_rbm_ais_estimate(const double *log_weights, int64_t n, int32_t reverse,
                              gm_rbm_estimate *estimate);

/* ---- training -------------------------------------------------------------------------------- */

/* A step of contrastive divergence. Zero is the default of every field but k and rate. */
typedef struct gm_rbm_step {
    uint64_t seed, first_chain, first_sweep;
    int64_t k;          /* sweeps, at least 1 */
    double rate;        /* of learning */
    double momentum;    /* in [0, 1) */
    double decay;       /* of W: lambda >= 0 */
    int32_t persistent; /* 1: the chains go on from where they are; 0: they start at the data */
    int32_t sampled;    /* 1: hidden units drawn in the gradient; 0: their means */
} gm_rbm_step;

/* Of w, b and c: zero before the first step. */
typedef struct gm_rbm_velocity {
    const gm_tensor *w, *b, *c;
} gm_rbm_velocity;

/*
 * One step on a minibatch of `rows` data with as many chains:
 *
 *     dW = momentum dW + rate (<u h>_data - <u h>_chains),  W = (1 - rate lambda) W + dW
 *     db = momentum db + rate (<v>_data - <v>_chains),      b = b + db; c likewise with h
 *
 * <> means over the rows, u = v (gaussian v / sigma; there db is the gradient times sigma^2), h of
 * the data P(h | v), h of the chains that of the k-th v. This is the gradient of log p as k grows.
 *
 *     model, velocity  [in,out]
 *     data             [in]      (rows, visible)
 *     chains           [in,out]  (rows, visible): the v of the negative phase
 *
 * Sweeps first_sweep .. first_sweep + k - 1 of `seed` are used (layers 2 and 3 for the hidden units
 * of the data and of the chains in the gradient): let first_sweep grow by k from step to step.
 * Cost: 2 rows visible hidden (2 k + 4) operations (2 k + 3 for CD with sampled units).
 *
 * Source: Hinton, 2002; Tieleman, ICML 2008.
 */
gm_status gm_rbm_train(const gm_rbm_plan *plan, const gm_rbm_step *step, const gm_rbm_model *model,
                       const gm_rbm_velocity *velocity, const gm_tensor *data,
                       const gm_tensor *chains, void *workspace, size_t workspace_bytes);

/* rate / (1 + step / half_life): Robbins and Monro's conditions hold. half_life 0: constant. */
double gm_rbm_rate(double rate, double half_life, int64_t step);

/*
 * order (n) becomes a permutation of 0 .. n - 1, a pure function of (seed, epoch): the order in
 * which an epoch takes its data. Host memory.
 */
gm_status gm_rbm_shuffle(uint64_t seed, uint64_t epoch, int64_t n, int64_t *order);

#ifdef __cplusplus
}
#endif
#endif
