/*
 * What happens to an element of a contraction after the sum: one source for the reference, the CPU
 * and the kernels, so that equal arguments give equal bits everywhere. Every function is
 * straight-line code that a lane loop can inline.
 *
 * Precision: f64 outputs use the f64 functions; f32, f16 and bf16 outputs the f32 ones, before the
 * rounding to the output's type.
 */
#ifndef GENMATH_HOST_CONTRACT_EPILOGUE_H
#define GENMATH_HOST_CONTRACT_EPILOGUE_H

#include <genmath/contract.h>
#include <genmath/detail/activation.h>
#include <genmath/philox.h>

/* `activation` is a gm_activation. A NaN stays a NaN. */
GM_INLINE float gm_contract_activate_f32(int activation, float x) {
    switch (activation) {
    case GM_ACTIVATION_RELU:
        return gm_relu_f32(x);
    case GM_ACTIVATION_SIGMOID:
        return gm_sigmoid_f32(x);
    case GM_ACTIVATION_TANH:
        return gm_tanh_f32(x);
    case GM_ACTIVATION_SILU:
        return gm_silu_f32(x);
    case GM_ACTIVATION_GELU:
        return gm_gelu_f32(x);
    default:
        return x;
    }
}

GM_INLINE double gm_contract_activate_f64(int activation, double x) {
    switch (activation) {
    case GM_ACTIVATION_RELU:
        return gm_relu_f64(x);
    case GM_ACTIVATION_SIGMOID:
        return gm_sigmoid_f64(x);
    case GM_ACTIVATION_TANH:
        return gm_tanh_f64(x);
    case GM_ACTIVATION_SILU:
        return gm_silu_f64(x);
    case GM_ACTIVATION_GELU:
        return gm_gelu_f64(x);
    default:
        return x;
    }
}

/*
 * 1 with the given probability, else 0: u < probability, with u = k 2^-24, k the 24 high bits of
 * the word that gm_random_fill_u32 draws for element `index` of (seed, GM_STREAM_CONTRACT).
 * Probability 0 and below never gives 1, 1 and above always does, a NaN never; multiples of 2^-24
 * are met exactly.
 */
GM_INLINE float gm_contract_decide_f32(uint32_t word, float probability) {
    return (float)(int32_t)(word >> 8) < probability * 0x1p24f ? 1.0f : 0.0f;
}

GM_INLINE float gm_contract_sample_f32(uint64_t seed, uint64_t index, float probability) {
    const gm_words words = gm_philox_block(seed, index / 4, GM_STREAM_CONTRACT, 0);
    return gm_contract_decide_f32(gm_word(words, (uint32_t)(index % 4)), probability);
}

/*
 * As the f32 form with u = k 2^-52, k the 52 high bits of words 2 index and 2 index + 1 of the same
 * sequence, the first on top.
 */
GM_INLINE double gm_contract_decide_f64(uint32_t high, uint32_t low, double probability) {
    const double above_one = gm_from_bits_f64(gm_join(high, low) >> 12 | 0x3ff0000000000000u);
    return above_one - 1.0 < probability ? 1.0 : 0.0;
}

GM_INLINE double gm_contract_sample_f64(uint64_t seed, uint64_t index, double probability) {
    const gm_words w = gm_philox_block(seed, index / 2, GM_STREAM_CONTRACT, 0);
    return index % 2 == 0 ? gm_contract_decide_f64(w.w0, w.w1, probability)
                          : gm_contract_decide_f64(w.w2, w.w3, probability);
}

#endif
