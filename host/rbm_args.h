/* What the API layer hands a backend for a Boltzmann machine: what contractions do not do. */
#ifndef GENMATH_HOST_RBM_ARGS_H
#define GENMATH_HOST_RBM_ARGS_H

#include <stdint.h>

#include <genmath/rbm.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Arrays are row-major without gaps, of the args' dtype, f64 or f32. T(x, b) of unit u of `kind`:
 *
 *     binary    log(1 + exp(x + beta b))
 *     gaussian  beta (b x / sigma + x^2 / 2) + log(2 pi sigma^2 / beta) / 2
 *     potts     log sum_q exp(x_q + beta b_q), of the colours of a site
 */
typedef enum gm_rbm_work {
    /* out[r] = keep out[r] + sign (sum_u [T(gain field[r, u], bias[u]) - T(from field[r, u], ..)]
     * + beta S(state[r])), S = sum_i state_bias[i] state[r, i] or, of a gaussian state,
     * -sum_i (state[r, i] - state_bias[i])^2 / (2 sigma[i]^2). The second T with `difference`
     * alone. No field: 0. sigma belongs to whichever of the two is gaussian. */
    GM_RBM_TERMS,
    /* out[r, u]: a draw or, with `mean`, the mean of a visible unit, x = gain field[r, u]: gaussian
     * bias[u] + sigma[u] x + sigma[u] z / sqrt(beta), potts by exp(x + beta bias[u]), binary
     * field[r, u] itself. Units that `clamp` marks stay. */
    GM_RBM_VISIBLE,
    GM_RBM_STATES, /* out[r, u] = bit u of first + r, 0 from bit 64 on */
    /* out = (m, s), m the maximum and s the sum of exp(field[r] - m) over all rows since `restart`;
     * result = m + log s */
    GM_RBM_FOLD,
    /* out[r] = sum_i log p(state[r, i] | the others), by flipping each of the `others` units, with
     * hidden fields field[r, u] and w[i, u]; binary */
    GM_RBM_FLIPS,
    GM_RBM_DIVIDE /* out[r, u] = field[r, u] / sigma[u] */
} gm_rbm_work;

typedef struct gm_rbm_args {
    gm_rbm_work work;
    gm_dtype dtype;
    gm_rbm_kind kind, state_kind;
    int64_t rows, units, others; /* others: columns of state */
    int64_t colours;             /* of a site; 1 unless potts */
    double gain, from, beta, sign, keep;
    int32_t difference, mean, restart;
    uint64_t seed,
        first; /* first: number of the first state; of the first element, for the noise */
    const void *field, *bias, *sigma, *state, *state_bias, *w;
    const uint8_t *clamp; /* (units); NULL: none */
    void *out, *result;
} gm_rbm_args;

#ifdef __cplusplus
}
#endif
#endif
