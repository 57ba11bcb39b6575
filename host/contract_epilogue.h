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
#include <genmath/math.h>
#include <genmath/philox.h>

/*
 * x / (1 + exp(-w)), and its limit -0 at x = -infinity, where w is -infinity too. Where exp(-w)
 * overflows the result is -0: off by less than the smallest normal number times |x|.
 */
GM_INLINE float gm_contract_gate_f32(float x, float w) {
    const float gated = gm_divide_f32(x, 1.0f + gm_exp_f32(-w));
    return x == -GM_INF_F32 ? -0.0f : gated;
}

GM_INLINE double gm_contract_gate_f64(double x, double w) {
    const double gated = x / (1.0 + gm_exp_f64(-w));
    return x == -GM_INF_F64 ? -0.0 : gated;
}

/*
 * `activation` is a gm_activation. A NaN stays a NaN. GELU in its tanh form,
 *     x (1 + tanh(s (x + 0.044715 x^3))) / 2 = x / (1 + exp(-2 s (x + 0.044715 x^3))),
 * s = sqrt(2 / pi): the second way of writing it does not cancel in the negative tail. Source:
 * Hendrycks and Gimpel, arXiv 1606.08415.
 */
GM_INLINE float gm_contract_activate_f32(int activation, float x) {
    switch (activation) {
    case GM_ACTIVATION_RELU:
        return x < 0.0f ? 0.0f : x;
    case GM_ACTIVATION_SIGMOID:
        return gm_divide_f32(1.0f, 1.0f + gm_exp_f32(-x));
    case GM_ACTIVATION_TANH:
        return gm_tanh_f32(x);
    case GM_ACTIVATION_SILU:
        return gm_contract_gate_f32(x, x);
    case GM_ACTIVATION_GELU:
        return gm_contract_gate_f32(x, x * gm_fma_f32(0.0713548163f, x * x, 1.59576912f));
    default:
        return x;
    }
}

GM_INLINE double gm_contract_activate_f64(int activation, double x) {
    switch (activation) {
    case GM_ACTIVATION_RELU:
        return x < 0.0 ? 0.0 : x;
    case GM_ACTIVATION_SIGMOID:
        return 1.0 / (1.0 + gm_exp_f64(-x));
    case GM_ACTIVATION_TANH:
        return gm_tanh_f64(x);
    case GM_ACTIVATION_SILU:
        return gm_contract_gate_f64(x, x);
    case GM_ACTIVATION_GELU:
        return gm_contract_gate_f64(x,
                                    x * gm_fma_f64(0.07135481627260025, x * x, 1.5957691216057308));
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
GM_INLINE float gm_contract_sample_f32(uint64_t seed, uint64_t index, float probability) {
    const gm_words words = gm_philox_block(seed, index / 4, GM_STREAM_CONTRACT, 0);
    const uint32_t word = gm_word(words, (uint32_t)(index % 4));
    return (float)(int32_t)(word >> 8) < probability * 0x1p24f ? 1.0f : 0.0f;
}

/*
 * As the f32 form with u = k 2^-52, k the 52 high bits of words 2 index and 2 index + 1 of the same
 * sequence, the first on top.
 */
GM_INLINE double gm_contract_sample_f64(uint64_t seed, uint64_t index, double probability) {
    const gm_words words = gm_philox_block(seed, index / 2, GM_STREAM_CONTRACT, 0);
    const uint64_t pair =
        index % 2 == 0 ? gm_join(words.w0, words.w1) : gm_join(words.w2, words.w3);
    const double above_one = gm_from_bits_f64(pair >> 12 | 0x3ff0000000000000u);
    return above_one - 1.0 < probability ? 1.0 : 0.0;
}

#endif
