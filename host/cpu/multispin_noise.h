/* The noise of multi-spin coded chains on the CPU: one block of Philox, or one for each word of a
 * vector. noise_<isa> is what stays the same, draw_<isa> gives the planes of a block. */
#ifndef GENMATH_HOST_CPU_MULTISPIN_NOISE_H
#define GENMATH_HOST_CPU_MULTISPIN_NOISE_H

#include <genmath/philox.h>

typedef struct noise_base {
    uint64_t seed, chain;
} noise_base;

static void set_noise_base(noise_base *n, uint64_t seed, const uint64_t *chains, uint64_t step) {
    (void)step;
    *n = (noise_base){seed, chains[0]};
}

GM_INLINE void draw_base(const noise_base *n, uint64_t block, bool side, uint32_t planes[4]) {
    (void)side;
    const gm_words words = gm_philox_block(n->seed, n->chain, GM_STREAM_CHAIN_ACCEPT, block);
    planes[0] = words.w0;
    planes[1] = words.w1;
    planes[2] = words.w2;
    planes[3] = words.w3;
}

/*
 * Philox in the 64-bit lanes of two vectors, of the even and of the odd words. What is the same in
 * all blocks, the keys and the chain's halves of the counter, is made once.
 */
#define DEFINE_NOISE(isa, target, VECTOR, LANES64, LOAD, SET1, ADD, SHIFT_RIGHT, MULTIPLY, XOR3,   \
                     JOIN)                                                                         \
    typedef struct noise_##isa {                                                                   \
        VECTOR key[10][2];  /* those of the first round are in what follows */                     \
        VECTOR start[2][3]; /* even or odd words: of x0, x2 and x3 after the first round */        \
        VECTOR step[2];     /* added to the number of the block */                                 \
    } noise_##isa;                                                                                 \
    target static void set_noise_##isa(noise_##isa *n, uint64_t seed, const uint64_t *chains,      \
                                       uint64_t step) {                                            \
        uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);                             \
        for (int round = 0; round < 10; ++round) {                                                 \
            n->key[round][0] = SET1((long long)key0);                                              \
            n->key[round][1] = SET1((long long)key1);                                              \
            key0 += GM_PHILOX_KEY_STEP_0;                                                          \
            key1 += GM_PHILOX_KEY_STEP_1;                                                          \
        }                                                                                          \
        for (int odd = 0; odd < 2; ++odd) {                                                        \
            uint64_t low[LANES64], high[LANES64], steps[LANES64];                                  \
            for (int l = 0; l < (LANES64); ++l) {                                                  \
                low[l] = (uint32_t)chains[2 * l + odd];                                            \
                high[l] = chains[2 * l + odd] >> 32;                                               \
                steps[l] = step * (uint64_t)(2 * l + odd);                                         \
            }                                                                                      \
            const VECTOR product =                                                                 \
                MULTIPLY(LOAD((const void *)low), SET1((long long)GM_PHILOX_MULTIPLIER_0));        \
            n->start[odd][0] = XOR3(LOAD((const void *)high), n->key[0][0], SET1(0));              \
            n->start[odd][1] = XOR3(SHIFT_RIGHT(product, 32), n->key[0][1],                        \
                                    SET1((long long)GM_STREAM_CHAIN_ACCEPT << 24));                \
            n->start[odd][2] = product;                                                            \
            n->step[odd] = LOAD((const void *)steps);                                              \
        }                                                                                          \
    }                                                                                              \
    target GM_INLINE void draw_##isa(const noise_##isa *n, uint64_t block, bool side,              \
                                     word_##isa planes[4]) {                                       \
        __asm__("" : "+r"(n)); /* keeps the keys in memory: there is no room in the registers */   \
        const VECTOR m0 = SET1((long long)GM_PHILOX_MULTIPLIER_0);                                 \
        const VECTOR m1 = SET1((long long)GM_PHILOX_MULTIPLIER_1);                                 \
        VECTOR x[2][4];                                                                            \
        GM_UNROLL                                                                                  \
        for (int odd = 0; odd < 2; ++odd) {                                                        \
            const VECTOR number =                                                                  \
                side ? SET1((long long)block) : ADD(SET1((long long)block), n->step[odd]);         \
            const VECTOR product = MULTIPLY(number, m1);                                           \
            x[odd][0] = n->start[odd][0] ^ SHIFT_RIGHT(product, 32);                               \
            x[odd][1] = product;                                                                   \
            x[odd][2] = n->start[odd][1] ^ SHIFT_RIGHT(number, 32);                                \
            x[odd][3] = n->start[odd][2];                                                          \
        }                                                                                          \
        GM_UNROLL                                                                                  \
        for (int round = 1; round < 10; ++round) {                                                 \
            GM_UNROLL                                                                              \
            for (int odd = 0; odd < 2; ++odd) {                                                    \
                const VECTOR p0 = MULTIPLY(x[odd][0], m0), p1 = MULTIPLY(x[odd][2], m1);           \
                x[odd][0] = XOR3(SHIFT_RIGHT(p1, 32), x[odd][1], n->key[round][0]);                \
                x[odd][2] = XOR3(SHIFT_RIGHT(p0, 32), x[odd][3], n->key[round][1]);                \
                x[odd][1] = p1;                                                                    \
                x[odd][3] = p0;                                                                    \
            }                                                                                      \
        }                                                                                          \
        GM_UNROLL                                                                                  \
        for (int i = 0; i < 4; ++i) {                                                              \
            planes[i] = (word_##isa)JOIN(x[0][i], x[1][i]);                                        \
        }                                                                                          \
    }

#endif
