/*
 * Which noise a Markov chain of mcmc.h takes. Step k has whole blocks of Philox for itself: its
 * normal c is lane c % m of block k * gm_chain_blocks(dim, m) + c / m of stream CHAIN, m = 4 floats
 * or 2 doubles to a block; its acceptance has block k of stream CHAIN_ACCEPT, its length block k of
 * CHAIN_LENGTH at index 0, whatever the chain's index. Where a step has dim updates, of number u,
 * it is block k dim + u of these.
 */
#ifndef GENMATH_DETAIL_CHAIN_NOISE_H
#define GENMATH_DETAIL_CHAIN_NOISE_H

#include <genmath/philox.h>

GM_INLINE int64_t gm_chain_blocks(int dim, int per_block) {
    return (dim + per_block - 1) / per_block;
}

/* -log of the uniform that a proposal is accepted by: it is if log ratio >= -this. */
GM_INLINE float gm_chain_exponential_f32(uint64_t seed, uint64_t index, int64_t step) {
    return gm_exponential_f32(
        gm_philox_block(seed, index, GM_STREAM_CHAIN_ACCEPT, (uint64_t)step).w0);
}

GM_INLINE double gm_chain_exponential_f64(uint64_t seed, uint64_t index, int64_t step) {
    const gm_words words = gm_philox_block(seed, index, GM_STREAM_CHAIN_ACCEPT, (uint64_t)step);
    return gm_exponential_f64(words.w0, words.w1);
}

/* The leapfrog steps of a step: 1 .. most, each with probability 1 / most within 2^-32. */
GM_INLINE int32_t gm_chain_length(uint64_t seed, int64_t step, int32_t most, int32_t jitter) {
    const uint64_t word = gm_philox_block(seed, 0, GM_STREAM_CHAIN_LENGTH, (uint64_t)step).w0;
    return jitter != 0 ? 1 + (int32_t)(word * (uint64_t)most >> 32) : most;
}

/* The coordinate that update u of a step is of: u, or any of dim with the same probability. */
GM_INLINE int32_t gm_chain_coordinate(uint64_t seed, int64_t step, int32_t u, int32_t dim,
                                      int32_t jitter) {
    return jitter != 0 ? gm_chain_length(seed, step * dim + u, dim, 1) - 1 : u;
}

#endif
