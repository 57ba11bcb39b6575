/*
 * Noise as a pure function: Philox4x32-10, and uniforms, normals, exponentials, Bernoulli variables
 * and bounded integers made from its words. The same header is compiled into the CPU library, the
 * kernels and the emulator, and gives the same bits in all of them: it has no state, no branch in
 * what a lane loop calls, no call into a math library.
 *
 * Which number is which. A draw is named by (seed, index, stream, draw):
 *
 *     key            seed, low word first
 *     counter 0, 1   index, low word first: the trajectory, chain, site or sample, 64 bit
 *     counter 2      low 32 bits of the block number
 *     counter 3      stream (8 bits, at the top) and the high 24 bits of the block number
 *
 * A block is one call of Philox, four words: 4 draws of 32-bit integers or floats, 2 of doubles.
 * Draw k of an index is lane k % 4 of block k / 4 (doubles: k % 2 of k / 2). A system with m noises
 * at step n uses draws n m .. n m + m - 1, so a one-dimensional one uses every word of a block.
 * Block numbers go to 2^56; those from 2^48 on are kept for the retries of gm_bounded_u32.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef GENMATH_PHILOX_H
#define GENMATH_PHILOX_H

#include <genmath/compiler.h>
#include <genmath/math.h>

/* Streams keep apart what one index draws for different purposes. 128 to 255 are the user's. */
typedef enum gm_stream {
    GM_STREAM_FILL = 0,            /* gm_random_fill_* */
    GM_STREAM_SDE = 1,             /* increments of a trajectory */
    GM_STREAM_DIFFUSION_START = 2, /* the noise a diffusion sampler starts from */
    GM_STREAM_DIFFUSION = 3,       /* the noise it adds in each step */
    GM_STREAM_BROWNIAN = 4,        /* nodes of an addressable Brownian path */
    GM_STREAM_CHAIN = 5,           /* proposals of a Markov chain */
    GM_STREAM_CHAIN_ACCEPT = 6,    /* and its acceptances */
    GM_STREAM_CHAIN_START = 7,     /* and its starting point */
    GM_STREAM_PERTURB = 8,         /* the noise of a forward diffusion or of training data */
    GM_STREAM_CONTRACT = 9,        /* the samples that a contraction takes of its results */
    GM_STREAM_CHAIN_LENGTH = 10,   /* the number of leapfrog steps, one for all chains */
    GM_STREAM_CHAIN_SWAP = 11,     /* exchanges of temperatures between chains */
    GM_STREAM_IMPORTANCE = 12,     /* samples of a proposal */
    GM_STREAM_RESAMPLE = 13,       /* which of them are drawn again */
    GM_STREAM_USER = 128
} gm_stream;

/* Multipliers of the two products and increments of the two key words, from round to round. */
#define GM_PHILOX_MULTIPLIER_0 0xD2511F53u
#define GM_PHILOX_MULTIPLIER_1 0xCD9E8D57u
#define GM_PHILOX_KEY_STEP_0 0x9E3779B9u
#define GM_PHILOX_KEY_STEP_1 0xBB67AE85u

typedef struct gm_words {
    uint32_t w0, w1, w2, w3;
} gm_words;

/*
 * One round. Words travel in 64-bit variables of which the low half counts: the low half of a
 * product needs no mask, and a vector unit multiplies 32-bit numbers in 64-bit lanes.
 */
#define GM_PHILOX_ROUND(round)                                                                     \
    do {                                                                                           \
        const uint64_t product0 = (uint64_t)(uint32_t)x0 * GM_PHILOX_MULTIPLIER_0;                 \
        const uint64_t product1 = (uint64_t)(uint32_t)x2 * GM_PHILOX_MULTIPLIER_1;                 \
        x0 = (product1 >> 32) ^ x1 ^ (key0 + (uint32_t)((round)*GM_PHILOX_KEY_STEP_0));            \
        x2 = (product0 >> 32) ^ x3 ^ (key1 + (uint32_t)((round)*GM_PHILOX_KEY_STEP_1));            \
        x1 = product1;                                                                             \
        x3 = product0;                                                                             \
    } while (0)

/* The bijection itself: ten rounds over a counter of four words with a key of two. */
GM_INLINE gm_words gm_philox4x32_10(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                                    uint32_t key0, uint32_t key1) {
    uint64_t x0 = c0, x1 = c1, x2 = c2, x3 = c3;
    GM_PHILOX_ROUND(0u);
    GM_PHILOX_ROUND(1u);
    GM_PHILOX_ROUND(2u);
    GM_PHILOX_ROUND(3u);
    GM_PHILOX_ROUND(4u);
    GM_PHILOX_ROUND(5u);
    GM_PHILOX_ROUND(6u);
    GM_PHILOX_ROUND(7u);
    GM_PHILOX_ROUND(8u);
    GM_PHILOX_ROUND(9u);
    const gm_words words = {(uint32_t)x0, (uint32_t)x1, (uint32_t)x2, (uint32_t)x3};
    return words;
}

#undef GM_PHILOX_ROUND

/* Counter word 3: the stream and the high bits of the block number. */
GM_INLINE uint32_t gm_philox_word3(uint32_t stream, uint64_t block) {
    return (stream << 24) | ((uint32_t)(block >> 32) & 0x00ffffffu);
}

/* The four words of a block: see the top of this file. */
GM_INLINE gm_words gm_philox_block(uint64_t seed, uint64_t index, uint32_t stream, uint64_t block) {
    return gm_philox4x32_10((uint32_t)index, (uint32_t)(index >> 32), (uint32_t)block,
                            gm_philox_word3(stream, block), (uint32_t)seed, (uint32_t)(seed >> 32));
}

/* Word `lane` of a block, 0 to 3, by selection. */
GM_INLINE uint32_t gm_word(gm_words words, uint32_t lane) {
    const uint32_t low = (lane & 1u) != 0 ? words.w1 : words.w0;
    const uint32_t high = (lane & 1u) != 0 ? words.w3 : words.w2;
    return (lane & 2u) != 0 ? high : low;
}

/* 64 bits of two words; the pair is written most significant first. */
GM_INLINE uint64_t gm_join(uint32_t high, uint32_t low) {
    return (uint64_t)high << 32 | low;
}

/* ---- uniforms ----------------------------------------------------------------------------------
 */

/*
 * (k + 1/2) 2^-24 with k = word >> 8, rounded to float: exact for k < 2^23, above that a tie, which
 * goes to the even multiple of 2^-24. The values are the odd multiples of 2^-25 below 1/2, and the
 * even multiples of 2^-24 from 1/2 to 1, both inclusive: never 0; 1/2 and 1 with probability 2^-24,
 * the even multiples between with 2^-23. Mean exactly 1/2.
 */
GM_INLINE float gm_uniform_f32(uint32_t word) {
    return gm_fma_f32((float)(int32_t)(word >> 8), 0x1p-24f, 0x1p-25f);
}

/* (k + 1/2) 2^-52 with k the 52 high bits of the pair: exact, in (0, 1), symmetric about 1/2. */
GM_INLINE double gm_uniform_f64(uint32_t high, uint32_t low) {
    /* 1 + k 2^-52 by its bits: no vector unit is asked for a conversion of 64-bit integers. */
    const double above_one = gm_from_bits_f64(gm_join(high, low) >> 12 | 0x3ff0000000000000u);
    return above_one - (1.0 - 0x1p-53);
}

/*
 * The uniform under a logarithm: (k + 1/2) 2^-31 with k = word >> 1, rounded to float. It reaches
 * down to 2^-32, so that a normal reaches 6.66 standard deviations and an exponential 22.2.
 */
GM_INLINE float gm_uniform_fine_f32(uint32_t word) {
    return gm_fma_f32((float)(int32_t)(word >> 1), 0x1p-31f, 0x1p-32f);
}

/* ---- normals and exponentials ------------------------------------------------------------------
 */

/*
 * sin and cos of 2 pi v, v = angle / 2^32: the nearest quarter turn from the top bits, and the
 * signed rest of it, which is rounded to float (24 of its 29 bits at most).
 */
GM_INLINE void gm_sincos_turn_f32(uint32_t angle, float *sine, float *cosine) {
    const uint32_t quarter = angle + 0x20000000u;
    const float s = (float)(int32_t)(angle << 2) * 0x1p-31f; /* in [-1, 1): eighths of a turn */
    const float t = s * s;
    float p = -0x1.2db5d8p-15f; /* sin(pi/4 s); relative error of the fit 2^-27.9 */
    p = gm_fma_f32(p, t, 0x1.465facp-9f);
    p = gm_fma_f32(p, t, -0x1.4abbbep-4f);
    p = gm_fma_f32(p, t, -0x1.777a5cp-26f);
    const float s_poly = gm_fma_f32(s, 0x1.921fb6p-1f, gm_multiply_f32(s, p));
    float q = 0x1.d4f7eep-19f; /* cos(pi/4 s); 2^-31 */
    q = gm_fma_f32(q, t, -0x1.55b2b6p-12f);
    q = gm_fma_f32(q, t, 0x1.03c1bp-6f);
    q = gm_fma_f32(q, t, -0x1.3bd3ccp-2f);
    const float c_poly = gm_fma_f32(q, t, 1.0f);
    const uint32_t s_bits = gm_bits_f32(s_poly), c_bits = gm_bits_f32(c_poly);
    const int odd = (quarter & 0x40000000u) != 0;
    *sine = gm_from_bits_f32((odd ? c_bits : s_bits) ^ (quarter & GM_SIGN_F32));
    *cosine = gm_from_bits_f32((odd ? s_bits : c_bits) ^ ((quarter + 0x40000000u) & GM_SIGN_F32));
}

/* sin and cos of 2 pi a / 2^54 with a the 54 high bits of angle. */
GM_INLINE void gm_sincos_turn_f64(uint64_t angle, double *sine, double *cosine) {
    const uint64_t quarter = angle + 0x2000000000000000u;
    /* In [-1/2, 1/2), quarters of a turn, by the bits of a number in [1, 2). */
    const uint64_t fraction = ((angle << 2) ^ GM_SIGN_F64) >> 12;
    const double s = gm_from_bits_f64(fraction | 0x3ff0000000000000u) - 1.5;
    const double t = s * s;
    double p = 0x1.e3fbda736c92cp-25; /* sin(pi/2 s); relative error of the fit 2^-57.9 */
    p = gm_fma_f64(p, t, -0x1.e3008f9cf240ap-19);
    p = gm_fma_f64(p, t, 0x1.507830033e093p-13);
    p = gm_fma_f64(p, t, -0x1.32d2cce31bed2p-8);
    p = gm_fma_f64(p, t, 0x1.466bc67758c4cp-4);
    p = gm_fma_f64(p, t, -0x1.4abbce625be46p-1);
    p = gm_fma_f64(p, t, 0x1.1a62633145c07p-54);
    const double s_poly = gm_fma_f64(s, 0x1.921fb54442d18p+0, gm_multiply_f64(s, p));
    double q = -0x1.b03448bbb7865p-28; /* cos(pi/2 s); 2^-61.4 */
    q = gm_fma_f64(q, t, 0x1.f9c4ad83f452ep-22);
    q = gm_fma_f64(q, t, -0x1.a6d1e238b1d5ep-16);
    q = gm_fma_f64(q, t, 0x1.e1f50675b1d8ap-11);
    q = gm_fma_f64(q, t, -0x1.55d3c7e3bfe55p-6);
    q = gm_fma_f64(q, t, 0x1.03c1f081b5a52p-2);
    q = gm_fma_f64(q, t, -0x1.3bd3cc9be45dep+0);
    const double c_poly = gm_fma_f64(q, t, 1.0);
    const uint64_t s_bits = gm_bits_f64(s_poly), c_bits = gm_bits_f64(c_poly);
    const int odd = (quarter & 0x4000000000000000u) != 0;
    *sine = gm_from_bits_f64((odd ? c_bits : s_bits) ^ (quarter & GM_SIGN_F64));
    *cosine =
        gm_from_bits_f64((odd ? s_bits : c_bits) ^ ((quarter + 0x4000000000000000u) & GM_SIGN_F64));
}

/*
 * Box and Muller (Ann. Math. Stat. 29, 1958): two independent standard normals
 *     z0 = sqrt(-2 log u) cos(2 pi v), z1 = sqrt(-2 log u) sin(2 pi v).
 * u = gm_uniform_fine_f32(radius), v = angle / 2^32 as gm_sincos_turn_f32 rounds it. Error:
 * 1.98 ulp, over 2e9 pairs of words.
 *
 * What rounding took from the logarithm t and from its root r is put back to first order, divided
 * by 2 r with a reciprocal good to 12 % from the bits of r: two thirds of an ulp less error for a
 * few instructions.
 */
GM_INLINE void gm_box_muller_f32(uint32_t radius, uint32_t angle, float *z0, float *z1) {
    float rest;
    const float t = -2.0f * gm_log_core_f32(gm_uniform_fine_f32(radius), 0, &rest);
    const float r = gm_sqrt_f32(t);
    const float half_inverse = gm_from_bits_f32(0x7e7311c3u - gm_bits_f32(r));
    const float r_low = gm_fma_f32(-2.0f, rest, gm_fma_f32(-r, r, t)) * half_inverse;
    float sine, cosine;
    gm_sincos_turn_f32(angle, &sine, &cosine);
    *z0 = gm_fma_f32(r, cosine, gm_multiply_f32(r_low, cosine));
    *z1 = gm_fma_f32(r, sine, gm_multiply_f32(r_low, sine));
}

/*
 * As the float form with u = gm_uniform_f64 of the first pair of words, down to 2^-53 (8.57
 * standard deviations), and v = the 54 high bits of the second pair / 2^54. Error: 1.80 ulp.
 */
GM_INLINE void gm_box_muller_f64(gm_words words, double *z0, double *z1) {
    double rest;
    const double t = -2.0 * gm_log_core_f64(gm_uniform_f64(words.w0, words.w1), 0.0, &rest);
    const double r = gm_sqrt_f64(t);
    const double half_inverse = gm_from_bits_f64(0x7fce6238da3c2118u - gm_bits_f64(r));
    const double r_low = gm_fma_f64(-2.0, rest, gm_fma_f64(-r, r, t)) * half_inverse;
    double sine, cosine;
    gm_sincos_turn_f64(gm_join(words.w2, words.w3), &sine, &cosine);
    *z0 = gm_fma_f64(r, cosine, gm_multiply_f64(r_low, cosine));
    *z1 = gm_fma_f64(r, sine, gm_multiply_f64(r_low, sine));
}

/* The four float or two double normals of a block. In a lane loop over `index` it vectorises. */
GM_INLINE void gm_normal4_f32(uint64_t seed, uint64_t index, uint32_t stream, uint64_t block,
                              float *z0, float *z1, float *z2, float *z3) {
    const gm_words words = gm_philox_block(seed, index, stream, block);
    gm_box_muller_f32(words.w0, words.w1, z0, z1);
    gm_box_muller_f32(words.w2, words.w3, z2, z3);
}

GM_INLINE void gm_normal2_f64(uint64_t seed, uint64_t index, uint32_t stream, uint64_t block,
                              double *z0, double *z1) {
    gm_box_muller_f64(gm_philox_block(seed, index, stream, block), z0, z1);
}

/* Normal number `draw` of an index. Half (float: three quarters) of the block's work is thrown
 * away. */
GM_INLINE float gm_normal_f32(uint64_t seed, uint64_t index, uint32_t stream, uint64_t draw) {
    const gm_words words = gm_philox_block(seed, index, stream, draw / 4);
    const int upper = (draw & 2u) != 0;
    float even, odd;
    gm_box_muller_f32(upper ? words.w2 : words.w0, upper ? words.w3 : words.w1, &even, &odd);
    return (draw & 1u) != 0 ? odd : even;
}

GM_INLINE double gm_normal_f64(uint64_t seed, uint64_t index, uint32_t stream, uint64_t draw) {
    double even, odd;
    gm_normal2_f64(seed, index, stream, draw / 2, &even, &odd);
    return (draw & 1u) != 0 ? odd : even;
}

/*
 * -log(u), the exponential distribution of mean 1: u = gm_uniform_fine_f32(word), so up to 22.18,
 * and 0 with probability 2^-25. Error: 0.89 ulp.
 */
GM_INLINE float gm_exponential_f32(uint32_t word) {
    float rest;
    return 0.0f - gm_log_core_f32(gm_uniform_fine_f32(word), 0, &rest);
}

/* u = gm_uniform_f64(high, low), so from 2^-53 to 36.74. Error: that of gm_log_f64. */
GM_INLINE double gm_exponential_f64(uint32_t high, uint32_t low) {
    double rest;
    return 0.0 - gm_log_core_f64(gm_uniform_f64(high, low), 0.0, &rest);
}

/* ---- Bernoulli variables and bounded integers --------------------------------------------------
 */

/* 1 with probability threshold / 2^32 exactly, else 0; threshold 0 to 2^32. */
GM_INLINE uint32_t gm_bernoulli(uint32_t word, uint64_t threshold) {
    return word < threshold ? 1u : 0u;
}

/* The threshold nearest to a probability in [0, 1]. */
GM_INLINE uint64_t gm_bernoulli_threshold(double probability) {
    return (uint64_t)(probability * 0x1p32 + 0.5);
}

/* 1 with probability threshold / 2^64 exactly, else 0. */
GM_INLINE uint32_t gm_bernoulli_wide(uint32_t high, uint32_t low, uint64_t threshold) {
    return gm_join(high, low) < threshold ? 1u : 0u;
}

/*
 * An integer in 0 .. bound - 1 from one word: the high half of word * bound. It is unbiased if the
 * low half is at least refused = gm_bounded_refused(bound); *accept says so. bound: 1 to 2^32.
 * Source: Lemire, ACM Trans. Model. Comput. Simul. 29 (2019).
 */
GM_INLINE uint32_t gm_bounded_refused(uint64_t bound) {
    return (uint32_t)((1ull << 32) % bound);
}

GM_INLINE uint32_t gm_bounded_try(uint32_t word, uint64_t bound, uint32_t refused, int *accept) {
    const uint64_t product = word * bound;
    *accept = (uint32_t)product >= refused;
    return (uint32_t)(product >> 32);
}

/* A refusal has probability below 1/2, so that all of them refuse with less than 2^-64. */
#define GM_BOUNDED_TRIES 64

/*
 * Draw number `draw` of an index as an unbiased integer in 0 .. bound - 1: the word of the draw,
 * and while that is refused, the same lane of block + 2^48, block + 2 * 2^48 ... of the same index,
 * which nothing else uses. After 64 refusals the last word is taken: the total variation distance
 * from uniform is below 2^-64.
 */
GM_INLINE uint32_t gm_bounded_u32(uint64_t seed, uint64_t index, uint32_t stream, uint64_t draw,
                                  uint64_t bound) {
    const uint32_t refused = gm_bounded_refused(bound);
    uint32_t value = 0;
    int accept = 0;
    for (uint64_t retry = 0; retry < GM_BOUNDED_TRIES && !accept; ++retry) {
        const gm_words words = gm_philox_block(seed, index, stream, draw / 4 + (retry << 48));
        value = gm_bounded_try(gm_word(words, (uint32_t)draw & 3u), bound, refused, &accept);
    }
    return value;
}

/* ---- the stream of cuRAND's Philox4_32_10 -------------------------------------------------------
 */

/*
 * Word n that curand() returns after curand_init(seed, subsequence, offset, &state): key = seed,
 * counter words 0-1 = (offset + n) / 4, words 2-3 = subsequence, lane (offset + n) % 4. Good for
 * offset + n up to 2^66 - 1.
 */
GM_INLINE uint32_t gm_curand_philox_u32(uint64_t seed, uint64_t subsequence, uint64_t offset,
                                        uint64_t n) {
    const uint64_t low = (offset & 3u) + (n & 3u);
    const uint64_t block = (offset >> 2) + (n >> 2) + (low >> 2);
    const gm_words words =
        gm_philox4x32_10((uint32_t)block, (uint32_t)(block >> 32), (uint32_t)subsequence,
                         (uint32_t)(subsequence >> 32), (uint32_t)seed, (uint32_t)(seed >> 32));
    return gm_word(words, (uint32_t)low & 3u);
}

/* What curand_uniform makes of a word: word 2^-32 + 2^-33 in float, in (0, 1]. */
GM_INLINE float gm_curand_uniform_f32(uint32_t word) {
    return gm_fma_f32((float)word, 0x1p-32f, 0x1p-33f);
}

/* What curand_uniform_double makes of a word of Philox4_32_10: word 2^-32 + 2^-32, exact, in (0,
 * 1]. */
GM_INLINE double gm_curand_uniform_f64(uint32_t word) {
    return gm_fma_f64((double)word, 0x1p-32, 0x1p-32);
}

#endif
