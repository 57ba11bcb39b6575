/*
 * gm_multispin_run on vectors and threads. Many chains: as many side by side as a vector has lanes
 * of 32 bits, a word of each, so that every shift and mask is the same in all lanes. Few: a vector
 * is consecutive words of one chain, and the threads take a chain each or share each colour of one.
 * Half of the work and more is Philox: two vectors of blocks in 64-bit lanes give four planes of a
 * vector of words. What is added up are integers, so the order does not matter.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/multispin_args.h"
#include "host/ref/ref.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

enum {
    MOST_LANES = 16,
    SPAN = 1024,   /* words a task of one colour: some microseconds */
    MARGIN = 32,   /* words beside a colour that a vector may touch */
    STARTING = 10, /* what it costs to begin a colour of one chain, in vectors */
    SHARING = 100, /* what it costs to share a colour, in vectors */
    LINE = 64      /* bytes that no two threads write into */
};

/* Energy, sites that are up, flips. */
typedef struct totals {
    int64_t energy, up, flips;
} totals;
_Static_assert(sizeof(totals) <= LINE, "one line a thread");

typedef struct job {
    const gm_multispin_problem *problem;
    const gm_multispin_arrays *arrays;
    size_t scratch; /* of a thread */
} job;

static void measure(const gm_multispin_problem *p, const totals *before, const totals *now,
                    uint64_t *sums) {
    gm_ising_measure(sums, before->energy, 2 * before->up - p->sites, now->energy,
                     2 * now->up - p->sites);
}

/* Sweeps whose sums are below 2^62: the fourth power of the magnetisation is the largest, or the
 * square of the energy. 0 of large lattices, whose sweeps take so long that it does not matter. */
static int64_t sweeps_in_words(const gm_multispin_problem *p) {
    const double square = (double)p->sites * p->sites;
    const double sweeps = 0x1p62 / (square * square + 9 * square);
    return sweeps < 0x1p30 ? (int64_t)sweeps : 1 << 30;
}

/* What becomes of a chain. */
static void store(const job *j, int64_t chain, double beta, int64_t flips, uint64_t *sums,
                  int64_t energy) {
    static const uint64_t none[2 * GM_ISING_SUMS];
    const bool good = isfinite(beta);
    gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, flips, 1);
    gm_ising_store(&j->arrays->run, chain, good ? GM_STATUS_OK : GM_STATUS_NON_FINITE,
                   good ? sums : none, energy);
}

/* Chains side by side from the user's array; back into it, where their betas are given and finite.
 */
static void copy_lanes(const job *j, int64_t first, int count, int lanes, uint32_t *const spins[2],
                       const double *beta) {
    const gm_multispin_arrays *a = j->arrays;
    const int32_t words = j->problem->words;
    for (int l = 0; l < (beta != NULL ? count : lanes); ++l) {
        uint32_t *user = a->packed + (first + (l < count ? l : count - 1)) * a->chain_stride;
        for (int32_t w = 0; w < 2 * words; ++w) {
            uint32_t *own = spins[w / words] + (int64_t)(w % words) * lanes + l;
            if (beta == NULL) {
                *own = user[w * a->word_stride];
            } else if (isfinite(beta[l])) {
                user[w * a->word_stride] = *own;
            }
        }
        for (int colour = 0; colour < 2 && beta == NULL; ++colour) {
            spins[colour][l - lanes] = spins[colour][(int64_t)words * lanes + l] = 0;
        }
    }
}

/* ---- instruction sets ------------------------------------------------------------------------ */

#define MS_TARGET GM_TARGET_BASE
#define MS_INLINE GM_INLINE
#define MS(name) name##_base
#define MS_WORD uint32_t
#define MS_LANES 1
#define MS_POPCOUNT(word) ((uint32_t)__builtin_popcount(word))
#define MS_IS_ZERO(word) ((word) == 0)
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
#include "host/multispin_word.inc"

#include "host/cpu/multispin_isa.inc"
#undef MS_TARGET
#undef MS_INLINE
#undef MS
#undef MS_WORD
#undef MS_LANES
#undef MS_POPCOUNT
#undef MS_IS_ZERO

#if GM_HAVE_X86_TARGETS
/*
 * Philox in the 64-bit lanes of two vectors, of the even and of the odd words. What is the same in
 * all blocks, the keys and the chain's halves of the counter, is made once.
 */
#define DEFINE_NOISE(isa, target, VECTOR, LANES64, LOAD, STORE, SET1, ADD, SHIFT_RIGHT, MULTIPLY,  \
                     XOR3, JOIN)                                                                   \
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

typedef uint32_t word_avx2 __attribute__((vector_size(32), may_alias));
#define MS_TARGET GM_TARGET_AVX2
#define MS_INLINE GM_TARGET_AVX2 GM_INLINE
#define MS(name) name##_avx2
#define MS_WORD word_avx2
#define MS_LANES 8
#define XOR3_AVX2(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define JOIN_AVX2(even, odd) _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)
DEFINE_NOISE(avx2, GM_TARGET_AVX2, __m256i, 4, _mm256_loadu_si256, _mm256_storeu_si256,
             _mm256_set1_epi64x, _mm256_add_epi64, _mm256_srli_epi64, _mm256_mul_epu32, XOR3_AVX2,
             JOIN_AVX2)

/* By a table of the ones in four bits. */
MS_INLINE word_avx2 popcount_avx2(word_avx2 word) {
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                          2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i v = (__m256i)word, four = _mm256_set1_epi8(15);
    const __m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(v, four));
    const __m256i high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi32(v, 4), four));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
    return (word_avx2)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#define MS_POPCOUNT(word) popcount_avx2(word)
#define MS_IS_ZERO(word) (_mm256_testz_si256((__m256i)(word), (__m256i)(word)) != 0)
#include "host/multispin_word.inc"

#include "host/cpu/multispin_isa.inc"
#undef MS_TARGET
#undef MS_INLINE
#undef MS
#undef MS_WORD
#undef MS_LANES
#undef MS_POPCOUNT
#undef MS_IS_ZERO

/* Asks for the count of ones too, which comes with all but the first machines of AVX-512. */
#ifdef __clang__
#define TARGET_POPCOUNT                                                                            \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512vpopcntdq,avx2,fma"),          \
                   min_vector_width(512)))
#else
#define TARGET_POPCOUNT                                                                            \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512vpopcntdq,avx2,fma,"           \
                          "prefer-vector-width=512"),                                              \
                   optimize("O3")))
#endif
typedef uint32_t word_avx512 __attribute__((vector_size(64), may_alias));
#define MS_TARGET TARGET_POPCOUNT
#define MS_INLINE TARGET_POPCOUNT GM_INLINE
#define MS(name) name##_avx512
#define MS_WORD word_avx512
#define MS_LANES 16
#define XOR3_AVX512(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define JOIN_AVX512(even, odd) _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, (_MM_PERM_ENUM)0xa0)
DEFINE_NOISE(avx512, TARGET_POPCOUNT, __m512i, 8, _mm512_loadu_si512, _mm512_storeu_si512,
             _mm512_set1_epi64, _mm512_add_epi64, _mm512_srli_epi64, _mm512_mul_epu32, XOR3_AVX512,
             JOIN_AVX512)
#define MS_POPCOUNT(word) ((word_avx512)_mm512_popcnt_epi32((__m512i)(word)))
#define MS_IS_ZERO(word) (_mm512_test_epi32_mask((__m512i)(word), (__m512i)(word)) == 0)
#include "host/multispin_word.inc"

#include "host/cpu/multispin_isa.inc"
#endif

/* One line an instruction set. */
typedef struct methods {
    const char *names[3]; /* of the ways to run */
    int lanes;
    void (*run_lanes)(const job *j, int64_t first, int count, void *scratch);
    void (*set_chain)(void *group, const job *j, int64_t chain, uint32_t **spins);
    void (*update_span)(const void *group, const uint64_t *sweep, int colour, int32_t first,
                        int32_t last, totals *to);
} methods;

#define METHODS(isa, lanes)                                                                        \
    {                                                                                              \
        {"multispin_lanes_" #isa, "multispin_words_" #isa, "multispin_shared_" #isa}, lanes,       \
            run_lanes_##isa, set_chain_##isa, update_span_##isa                                    \
    }
static const methods table[] = {
    METHODS(base, 1),
#if GM_HAVE_X86_TARGETS
    METHODS(avx2, 8),
    METHODS(avx512, 16),
#endif
};

static const methods *choose_methods(const gm_call *call) {
#if GM_HAVE_X86_TARGETS
    if (call->isa == GM_ISA_AVX512 && __builtin_cpu_supports("avx512vpopcntdq")) {
        return &table[2];
    }
    if (call->isa == GM_ISA_AVX512 || call->isa == GM_ISA_AVX2) {
        return &table[1];
    }
#endif
    (void)call;
    return &table[0];
}

/* A group of any instruction set. */
typedef union any_group {
    group_base base;
#if GM_HAVE_X86_TARGETS
    group_avx2 avx2;
    group_avx512 avx512;
#endif
} any_group;

/* ---- ways to run ----------------------------------------------------------------------------- */

typedef enum way { LANES, WORDS, SHARED } way;

static int64_t divided(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* The one with the fewest vectors of one colour that follow each other. */
static way choose_way(const gm_multispin_problem *p, const methods *m, int32_t threads,
                      int64_t chains) {
    const int64_t vectors = divided(p->words, m->lanes), spans = divided(p->words, SPAN);
    const int64_t lanes = divided(divided(chains, m->lanes), threads) * p->words;
    const int64_t words = divided(chains, threads) * (vectors + vectors / 8 + STARTING);
    const int64_t shared = chains * (divided(spans, threads) * (SPAN / m->lanes) + SHARING);
    const way alone = lanes <= words ? LANES : WORDS;
    return threads > 1 && shared < (lanes <= words ? lanes : words) ? SHARED : alone;
}

static size_t padded(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

/* Words of memory for a colour of one chain. */
static size_t colour_words(const gm_multispin_problem *p) {
    return padded((size_t)p->words) + 2 * MARGIN;
}

/* Bytes of a thread; SHARED: of all. */
static size_t scratch_of(const gm_multispin_problem *p, const methods *m, way w) {
    return w == LANES ? padded(2 * ((size_t)p->words + 2) * (size_t)m->lanes * sizeof(uint32_t))
                      : padded(2 * colour_words(p) * sizeof(uint32_t));
}

size_t gm_cpu_multispin_workspace(gm_call *call, const gm_multispin_problem *problem, void *state,
                                  int64_t chains) {
    (void)state;
    const methods *m = choose_methods(call);
    const int32_t threads = gm_pool_threads(call->pool);
    const way w = choose_way(problem, m, threads, chains);
    const size_t scratch = scratch_of(problem, m, w);
    return w == SHARED ? scratch + LINE * (size_t)threads : scratch * (size_t)threads;
}

/* ---- many chains ----------------------------------------------------------------------------- */

typedef struct parallel_job {
    job own;
    const methods *methods;
} parallel_job;

static void run_group(void *argument, int64_t number, int32_t thread) {
    const parallel_job *j = argument;
    const int lanes = j->methods->lanes;
    const int64_t first = number * lanes, left = j->own.arrays->run.chains - first;
    j->methods->run_lanes(&j->own, first, (int)(left < lanes ? left : lanes),
                          (char *)j->own.arrays->run.workspace + (size_t)thread * j->own.scratch);
}

/* ---- one chain ------------------------------------------------------------------------------- */

/* A colour at hand, for the threads that share it. */
typedef struct colour_job {
    const methods *methods;
    const void *group;
    const uint64_t *sweep;
    int colour;
    int32_t words;
    char *lines; /* a thread's totals at LINE * thread */
} colour_job;

static void run_span(void *argument, int64_t number, int32_t thread) {
    const colour_job *c = argument;
    const int32_t first = (int32_t)number * SPAN;
    const int32_t last = c->words - first < SPAN ? c->words : first + SPAN;
    totals *shared = (totals *)(void *)(c->lines + LINE * thread), sum = *shared;
    c->methods->update_span(c->group, c->sweep, c->colour, first, last, &sum);
    *shared = sum;
}

/* Both colours, by the threads of the pool or, if it is NULL, by this one. */
static void sweep_once(gm_pool *pool, colour_job *c, totals *now) {
    const int32_t threads = pool != NULL ? gm_pool_threads(pool) : 1;
    memset(c->lines, 0, LINE * (size_t)threads);
    for (c->colour = 0; c->colour < 2; ++c->colour) {
        const int64_t spans = divided(c->words, SPAN);
        if (pool != NULL) {
            gm_parallel_for(pool, spans, run_span, c);
        }
        for (int64_t i = 0; i < spans && pool == NULL; ++i) {
            run_span(c, i, 0);
        }
    }
    now->energy = now->up = 0;
    for (int32_t t = 0; t < threads; ++t) {
        const totals *shared = (const totals *)(const void *)(c->lines + LINE * t);
        now->energy += shared->energy;
        now->up += shared->up;
        now->flips += shared->flips;
    }
}

static void copy_chain(const job *j, int64_t chain, uint32_t *const spins[2], bool in) {
    const gm_multispin_arrays *a = j->arrays;
    const int32_t words = j->problem->words;
    uint32_t *user = a->packed + chain * a->chain_stride;
    for (int32_t w = 0; w < 2 * words; ++w) {
        uint32_t *own = spins[w / words] + w % words;
        *(in ? own : user + w * a->word_stride) = *(in ? user + w * a->word_stride : own);
    }
}

static void run_chain(gm_pool *pool, const parallel_job *j, int64_t chain, void *scratch,
                      char *lines) {
    const gm_multispin_problem *p = j->own.problem;
    const gm_ising_arrays *run = &j->own.arrays->run;
    const double beta = run->beta[chain * run->beta_stride];
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    totals now = {0};
    if (isfinite(beta)) {
        uint32_t *spins[2] = {(uint32_t *)scratch + MARGIN,
                              (uint32_t *)scratch + colour_words(p) + MARGIN};
        any_group group;
        memset(scratch, 0, 2 * colour_words(p) * sizeof(uint32_t));
        copy_chain(&j->own, chain, spins, true);
        j->methods->set_chain(&group, &j->own, chain, spins);
        colour_job c = {.methods = j->methods, .group = &group, .words = p->words, .lines = lines};
        sweep_once(pool, &c, &now);
        for (int64_t s = 0; s < run->sweeps; ++s) {
            const totals before = now;
            const uint64_t sweep = run->first_sweep + (uint64_t)s;
            c.sweep = &sweep;
            sweep_once(pool, &c, &now);
            measure(p, &before, &now, sums);
        }
        copy_chain(&j->own, chain, spins, false);
    }
    store(&j->own, chain, beta, now.flips, sums, now.energy);
}

static void run_alone(void *argument, int64_t chain, int32_t thread) {
    const parallel_job *j = argument;
    _Alignas(LINE) char line[LINE];
    run_chain(NULL, j, chain,
              (char *)j->own.arrays->run.workspace + (size_t)thread * j->own.scratch, line);
}

gm_status gm_cpu_multispin_run(gm_call *call, const gm_multispin_problem *problem, void *state,
                               const gm_multispin_arrays *arrays) {
    (void)state;
    const methods *m = choose_methods(call);
    const int64_t chains = arrays->run.chains;
    const way w = choose_way(problem, m, gm_pool_threads(call->pool), chains);
    parallel_job j = {{problem, arrays, scratch_of(problem, m, w)}, m};
    call->kernel = m->names[w];
    if (w == LANES) {
        gm_parallel_for(call->pool, divided(chains, m->lanes), run_group, &j);
    } else if (w == WORDS) {
        gm_parallel_for(call->pool, chains, run_alone, &j);
    } else {
        char *memory = arrays->run.workspace;
        for (int64_t i = 0; i < chains; ++i) {
            run_chain(call->pool, &j, i, memory, memory + j.own.scratch);
        }
    }
    return GM_STATUS_OK;
}

/* ---- packing --------------------------------------------------------------------------------- */

typedef struct convert_job {
    const gm_multispin_problem *problem;
    const gm_multispin_spins *spins;
} convert_job;

static void convert_chain(void *argument, int64_t chain, int32_t thread) {
    (void)thread;
    const convert_job *j = argument;
    gm_ref_multispin_convert_chain(j->problem, j->spins, chain);
}

gm_status gm_cpu_multispin_convert(gm_call *call, const gm_multispin_problem *problem, void *state,
                                   const gm_multispin_spins *spins) {
    (void)state;
    call->kernel = spins->status != NULL ? "multispin_pack_threads" : "multispin_unpack_threads";
    convert_job j = {problem, spins};
    gm_parallel_for(call->pool, spins->chains, convert_chain, &j);
    return GM_STATUS_OK;
}
