/*
 * Which noise an update of gibbs.h takes. Update u of sweep k has number n = k * blocks + u. Its
 * normal c is number n * normals + c of stream CHAIN, its uniform c number n * uniforms + c of
 * CHAIN_ACCEPT: number d is lane d % m of Philox block d / m, with 4 floats or 2 doubles to a
 * block. So no word of a block is lost, and one often serves several updates. Which block of
 * coordinates an update is of: gm_chain_coordinate.
 */
#ifndef GENMATH_DETAIL_GIBBS_NOISE_H
#define GENMATH_DETAIL_GIBBS_NOISE_H

#include <genmath/detail/chain_noise.h>

/* Where the noise of an update lies: its first number's block and lane, its last number's block; of
 * count >= 1 numbers. */
typedef struct gm_gibbs_span {
    int64_t first, last;
    int32_t offset;
} gm_gibbs_span;

GM_INLINE gm_gibbs_span gm_gibbs_span_of(int64_t update, int32_t count, int32_t per_block) {
    const int64_t number = update * count;
    const gm_gibbs_span span = {number / per_block, (number + count - 1) / per_block,
                                (int32_t)(number % per_block)};
    return span;
}

/* In (0, 1): a double as gm_uniform_f64; a float reaches down to 2^-32, so that its logarithm is
 * that of gm_exponential_f32, and up to 1 - 2^-24. */
GM_INLINE float gm_gibbs_uniform_f32(uint32_t word) {
    const float u = gm_uniform_fine_f32(word);
    return u < 1.0f ? u : 0x1.fffffep-1f;
}

/* The uniforms of a Philox block. */
GM_INLINE void gm_gibbs_uniform4_f32(uint64_t seed, uint64_t index, uint64_t block, float *u0,
                                     float *u1, float *u2, float *u3) {
    const gm_words words = gm_philox_block(seed, index, GM_STREAM_CHAIN_ACCEPT, block);
    *u0 = gm_gibbs_uniform_f32(words.w0);
    *u1 = gm_gibbs_uniform_f32(words.w1);
    *u2 = gm_gibbs_uniform_f32(words.w2);
    *u3 = gm_gibbs_uniform_f32(words.w3);
}

GM_INLINE void gm_gibbs_uniform2_f64(uint64_t seed, uint64_t index, uint64_t block, double *u0,
                                     double *u1) {
    const gm_words words = gm_philox_block(seed, index, GM_STREAM_CHAIN_ACCEPT, block);
    *u0 = gm_uniform_f64(words.w0, words.w1);
    *u1 = gm_uniform_f64(words.w2, words.w3);
}

#endif
