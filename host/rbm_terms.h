/* The elementwise parts of a Boltzmann machine: one source for the CPU and the kernels. */
#ifndef GENMATH_HOST_RBM_TERMS_H
#define GENMATH_HOST_RBM_TERMS_H

#include <genmath/philox.h>

/* log(1 + e^x). A NaN stays a NaN. */
GM_INLINE float gm_softplus_f32(float x) {
    return (x < 0.0f ? 0.0f : x) + gm_log_f32(1.0f + gm_exp_f32(-gm_abs_f32(x)));
}

GM_INLINE double gm_softplus_f64(double x) {
    return (x < 0.0 ? 0.0 : x) + gm_log_f64(1.0 + gm_exp_f64(-gm_abs_f64(x)));
}

/* What an element draws: a standard normal, a uniform in (0, 1]. Element e has draw e % 4 of block
 * e / 4, of doubles e % 2 of e / 2, as the samples of a contraction have. */
GM_INLINE float gm_rbm_normal_f32(uint64_t seed, uint64_t e) {
    return gm_normal_f32(seed, e / 4, GM_STREAM_CONTRACT, e % 4);
}

GM_INLINE double gm_rbm_normal_f64(uint64_t seed, uint64_t e) {
    return gm_normal_f64(seed, e / 2, GM_STREAM_CONTRACT, e % 2);
}

GM_INLINE float gm_rbm_uniform_f32(uint64_t seed, uint64_t e) {
    const gm_words words = gm_philox_block(seed, e / 4, GM_STREAM_CONTRACT, 0);
    return gm_uniform_f32(gm_word(words, (uint32_t)(e % 4)));
}

GM_INLINE double gm_rbm_uniform_f64(uint64_t seed, uint64_t e) {
    const gm_words w = gm_philox_block(seed, e / 2, GM_STREAM_CONTRACT, 0);
    return e % 2 == 0 ? gm_uniform_f64(w.w0, w.w1) : gm_uniform_f64(w.w2, w.w3);
}

#endif
