/*
 * gm_multispin_run on vectors and threads. Many chains: as many side by side as a vector has lanes
 * of 32 bits, a word of each, so that every shift and mask is the same in all lanes. Few: a vector
 * is consecutive words of one chain, in the user's memory if it has them side by side, and the
 * threads take a chain each or share each colour of one. What a call begins with is counted along
 * with its first sweep.
 * Half of the work and more is Philox: two vectors of blocks in 64-bit lanes give four planes of a
 * vector of words. What is added up are integers, so the order does not matter.
 */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/cpu/multispin_noise.h"
#include "host/cpu/target_popcount.h"
#include "host/multispin_args.h"
#include "host/ref/ref.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

enum {
    MOST_LANES = 16,
    SPAN = 1024,        /* words a task of one colour at the most: some microseconds */
    SHORTEST = 64,      /* words of a task of a colour that is shared, as long as it has as many */
    TASKS = 8,          /* a thread has of a colour, if they are short enough */
    STARTING = 10,      /* what it costs to begin a colour of one chain, in vectors */
    SHARING = 64,       /* what it costs to share a colour, in vectors */
    SPINS = 1000,       /* before a thread that waits lets another one run: some microseconds */
    SWEEPS = 63,        /* of one chain that threads run without a meeting */
    TALLY = SWEEPS + 1, /* totals of a thread: as it was before, then after each sweep */
    LINE = 64           /* bytes that no two threads write into */
};

/* Equal pairs of neighbours less unequal ones, sites that are up, flips. */
typedef struct totals {
    int64_t bonds, up, flips;
} totals;
_Static_assert(TALLY * sizeof(totals) % LINE == 0, "whole lines a thread");

typedef struct job {
    const gm_multispin_problem *problem;
    const gm_multispin_arrays *arrays;
    size_t scratch; /* of a thread */
} job;

static void measure(const gm_multispin_problem *p, const totals *before, const totals *now,
                    uint64_t *sums) {
    gm_ising_measure(sums, gm_multispin_energy(p, before->bonds, before->up),
                     2 * before->up - p->sites, gm_multispin_energy(p, now->bonds, now->up),
                     2 * now->up - p->sites);
}

/* Sweeps whose sums are below 2^62: the fourth power of the magnetisation is the largest, or the
 * square of the energy. 0 of large lattices, whose sweeps take so long that it does not matter. */
static int64_t sweeps_in_words(const gm_multispin_problem *p) {
    const double square = (double)p->sites * p->sites, energy = (double)p->energy_bound;
    const double sweeps = 0x1p62 / (square * square + energy * energy);
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
        for (int colour = 0; colour < 2; ++colour) {
            uint32_t *user = a->packed + (first + (l < count ? l : count - 1)) * a->chain_stride +
                             (int64_t)colour * words * a->word_stride;
            uint32_t *own = spins[colour] + l;
            for (int32_t w = 0; w < words && beta == NULL; ++w) {
                own[(int64_t)w * lanes] = user[w * a->word_stride];
            }
            for (int32_t w = 0; w < words && beta != NULL && isfinite(beta[l]); ++w) {
                user[w * a->word_stride] = own[(int64_t)w * lanes];
            }
            if (beta == NULL) {
                own[-lanes] = own[(int64_t)words * lanes] = 0;
            }
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
typedef uint32_t word_avx2 __attribute__((vector_size(32), may_alias));
#define MS_TARGET GM_TARGET_AVX2
#define MS_INLINE GM_TARGET_AVX2 GM_INLINE
#define MS(name) name##_avx2
#define MS_WORD word_avx2
#define MS_LANES 8
#define XOR3_AVX2(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define JOIN_AVX2(even, odd) _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)
DEFINE_NOISE(avx2, GM_TARGET_AVX2, __m256i, 4, _mm256_loadu_si256, _mm256_set1_epi64x,
             _mm256_add_epi64, _mm256_srli_epi64, _mm256_mul_epu32, XOR3_AVX2, JOIN_AVX2)

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

typedef uint32_t word_avx512 __attribute__((vector_size(64), may_alias));
#define MS_TARGET GM_TARGET_POPCOUNT
#define MS_INLINE GM_TARGET_POPCOUNT GM_INLINE
#define MS(name) name##_avx512
#define MS_WORD word_avx512
#define MS_LANES 16
#define XOR3_AVX512(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define JOIN_AVX512(even, odd) _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, (_MM_PERM_ENUM)0xa0)
DEFINE_NOISE(avx512, GM_TARGET_POPCOUNT, __m512i, 8, _mm512_loadu_si512, _mm512_set1_epi64,
             _mm512_add_epi64, _mm512_srli_epi64, _mm512_mul_epu32, XOR3_AVX512, JOIN_AVX512)
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
                        int32_t last, totals *before, totals *to);
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
    if (call->isa == GM_ISA_AVX512 && gm_has_popcount()) {
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
    const int64_t vectors = divided(p->words, m->lanes);
    const int64_t lanes = divided(divided(chains, m->lanes), threads) * p->words;
    const int64_t words = divided(chains, threads) * (vectors + vectors / 8 + STARTING);
    const int64_t shared = chains * (divided(vectors + vectors / 8, threads) + SHARING);
    const way alone = lanes <= words ? LANES : WORDS;
    return threads > 1 && shared < (lanes <= words ? lanes : words) ? SHARED : alone;
}

static size_t padded(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

/* Bytes of a thread; SHARED: of all. */
static size_t scratch_of(const gm_multispin_problem *p, const methods *m, way w) {
    return w == LANES ? padded(2 * ((size_t)p->words + 2) * (size_t)m->lanes * sizeof(uint32_t))
                      : padded(2 * (size_t)p->words * sizeof(uint32_t));
}

size_t gm_cpu_multispin_workspace(gm_call *call, const gm_multispin_problem *problem, void *state,
                                  int64_t chains) {
    (void)state;
    const methods *m = choose_methods(call);
    const int32_t threads = gm_pool_threads(call->pool);
    const way w = choose_way(problem, m, threads, chains);
    const size_t scratch = scratch_of(problem, m, w);
    return w == SHARED ? scratch + TALLY * sizeof(totals) * (size_t)threads
                       : scratch * (size_t)threads;
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

/* Some sweeps of a chain. */
typedef struct chain_job {
    const methods *methods;
    const void *group;
    uint64_t first_sweep;
    int64_t sweeps;
    bool draws;       /* false: one sweep that only counts */
    bool wants_start; /* count also what the first sweep begins with */
    int32_t words, span, spans;
    totals *tally;                        /* TALLY of each thread */
    _Alignas(LINE) atomic_llong next;     /* task: a span of a colour of a sweep */
    _Alignas(LINE) atomic_llong finished; /* tasks */
} chain_job;

/* A span of colour half % 2 of sweep half / 2. */
static void run_span(const chain_job *c, int64_t half, int64_t span, int32_t thread) {
    const int32_t first = (int32_t)span * c->span;
    const int32_t last = c->words - first < c->span ? c->words : first + c->span;
    const uint64_t sweep = c->first_sweep + (uint64_t)half / 2;
    totals *own = c->tally + (int64_t)thread * TALLY;
    c->methods->update_span(c->group, c->draws ? &sweep : NULL, (int)(half % 2), first, last,
                            c->wants_start && half < 2 ? own : NULL, own + 1 + half / 2);
}

static void wait_for(const atomic_llong *count, int64_t wanted) {
    for (int32_t round = 0; atomic_load_explicit(count, memory_order_acquire) < wanted; ++round) {
        if (round >= SPINS) {
            sched_yield();
        } else {
#if GM_HAVE_X86_TARGETS
            _mm_pause();
#endif
        }
    }
}

/*
 * A thread takes the next task and waits until all of the colours before are finished. Tasks are
 * taken in order, so whoever has one of those is at work: it does not matter how many threads come.
 */
static void share_sweeps(void *argument, int64_t number, int32_t thread) {
    (void)number;
    chain_job *c = argument;
    for (;;) {
        const int64_t task = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
        const int64_t half = task / c->spans;
        if (half >= 2 * c->sweeps) {
            return;
        }
        wait_for(&c->finished, half * c->spans);
        run_span(c, half, task % c->spans, thread);
        atomic_fetch_add_explicit(&c->finished, 1, memory_order_release);
    }
}

/* By the threads of the pool or, if it is NULL, by this one. */
static void run_sweeps(gm_pool *pool, chain_job *c) {
    const int32_t threads = pool != NULL ? gm_pool_threads(pool) : 1;
    memset(c->tally, 0, (size_t)threads * TALLY * sizeof *c->tally);
    if (pool != NULL) {
        atomic_init(&c->next, 0);
        atomic_init(&c->finished, 0);
        gm_parallel_for(pool, threads, share_sweeps, c);
    }
    for (int64_t half = 0; half < 2 * c->sweeps && pool == NULL; ++half) {
        for (int64_t span = 0; span < c->spans; ++span) {
            run_span(c, half, span, 0);
        }
    }
}

/* The totals of each sweep become the sums of the chain. */
static void take_over(const gm_multispin_problem *p, const chain_job *c, int32_t threads,
                      totals *now, uint64_t *sums) {
    for (int64_t i = c->wants_start ? 0 : 1; i <= c->sweeps; ++i) {
        const totals before = *now;
        now->bonds = now->up = 0;
        for (int32_t t = 0; t < threads; ++t) {
            const totals *part = c->tally + (int64_t)t * TALLY + i;
            now->bonds += part->bonds;
            now->up += part->up;
            now->flips += part->flips;
        }
        if (i > 0 && c->draws) {
            measure(p, &before, now, sums);
        }
    }
}

/* Words of a task, a multiple of a vector's. */
static int32_t span_of(const gm_multispin_problem *p, int32_t threads) {
    const int64_t even = divided(p->words, (int64_t)threads * TASKS);
    const int64_t whole = divided(even, MOST_LANES) * MOST_LANES;
    return threads == 1 || whole > SPAN ? SPAN : whole < SHORTEST ? SHORTEST : (int32_t)whole;
}

static void copy_chain(const job *j, int64_t chain, uint32_t *const spins[2], bool in) {
    const gm_multispin_arrays *a = j->arrays;
    const int32_t words = j->problem->words;
    for (int colour = 0; colour < 2; ++colour) {
        uint32_t *user =
            a->packed + chain * a->chain_stride + (int64_t)colour * words * a->word_stride;
        for (int32_t w = 0; w < words; ++w) {
            *(in ? spins[colour] + w : user + w * a->word_stride) =
                *(in ? user + w * a->word_stride : spins[colour] + w);
        }
    }
}

/* In the user's memory if the words are side by side, else in the workspace. */
static void run_chain(gm_pool *pool, const parallel_job *j, int64_t chain, uint32_t *scratch,
                      totals *tally) {
    const gm_multispin_problem *p = j->own.problem;
    const gm_multispin_arrays *a = j->own.arrays;
    const double beta = a->run.beta[chain * a->run.beta_stride];
    const bool copies = a->word_stride != 1;
    uint32_t *first = copies ? scratch : a->packed + chain * a->chain_stride;
    uint32_t *spins[2] = {first, first + p->words};
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    totals now = {0};
    if (isfinite(beta)) {
        const int32_t threads = pool != NULL ? gm_pool_threads(pool) : 1;
        const int32_t span = span_of(p, threads);
        any_group group;
        if (copies) {
            copy_chain(&j->own, chain, spins, true);
        }
        j->methods->set_chain(&group, &j->own, chain, spins);
        chain_job c = {.methods = j->methods,
                       .group = &group,
                       .draws = a->run.sweeps > 0,
                       .words = p->words,
                       .span = span,
                       .spans = (int32_t)divided(p->words, span),
                       .tally = tally};
        for (int64_t s = 0; s == 0 || s < a->run.sweeps; s += SWEEPS) {
            const int64_t left = a->run.sweeps - s;
            c.first_sweep = a->run.first_sweep + (uint64_t)s;
            c.sweeps = left > SWEEPS ? SWEEPS : left > 0 ? left : 1;
            c.wants_start = s == 0 && c.draws;
            run_sweeps(pool, &c);
            take_over(p, &c, threads, &now, sums);
        }
        if (copies) {
            copy_chain(&j->own, chain, spins, false);
        }
    }
    store(&j->own, chain, beta, now.flips, sums, gm_multispin_energy(p, now.bonds, now.up));
}

static void run_alone(void *argument, int64_t chain, int32_t thread) {
    const parallel_job *j = argument;
    totals tally[TALLY];
    run_chain(NULL, j, chain,
              (uint32_t *)j->own.arrays->run.workspace +
                  (size_t)thread * (j->own.scratch / sizeof(uint32_t)),
              tally);
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
            run_chain(call->pool, &j, i, (uint32_t *)(void *)memory,
                      (totals *)(void *)(memory + j.own.scratch));
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
