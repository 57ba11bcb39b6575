/*
 * gm_ising_run on vectors and threads: 32 chains go through the sweep side by side, one lane each,
 * so that a site's neighbours, couplings and Philox block number are the same in all lanes and
 * every load but the one from the table of thresholds is contiguous, on any graph. A thread takes
 * one group of chains after another. Few chains are run by ising_sites_cpu.c; the random order, in
 * which each chain is at another site, as the reference does it, a thread a chain.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/cpu/ising_cpu.h"
#include "host/ref/ref.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

enum {
    LANES = 32,
    FEWEST_LANES = 4, /* below, a chain by itself is faster */
    TRANSPOSED = 256,
    QUADS_AT_ONCE = 1 << 17 /* 2^19 updates by |2 f| <= 2046 stay below 2^31 */
};

/* A group of chains; arrays of LANES numbers by lane. */
typedef struct group {
    const gm_ising_problem *problem;
    int8_t *spins;   /* (positions, LANES) */
    uint32_t *table; /* (reach + 1, LANES) thresholds; NULL: computed */
    uint64_t seed;
    uint64_t chain[LANES];
    double beta[LANES];
    int32_t sign[LANES];
    int32_t change[LANES]; /* of the energy, table only, since energy was brought up to date */
    int32_t risen[LANES];  /* of the magnetisation */
    int32_t flipped[LANES];
    int64_t energy[LANES], magnetisation[LANES], flips[LANES];
} group;

typedef struct job {
    const gm_ising_problem *problem;
    const gm_ising_arrays *arrays;
    gm_isa isa;
    int32_t threads;
} job;

/* What a group leaves for the call that resumes, behind its spins. */
typedef struct held {
    int64_t energy[LANES], magnetisation[LANES];
    bool good[LANES];
} held;

static size_t spins_of(const gm_ising_problem *p) {
    return ((size_t)p->positions * LANES + (p->keeps ? sizeof(held) : 0) + 63) / 64 * 64;
}

static size_t table_of(const gm_ising_problem *p) {
    return gm_ising_has_table(p) ? ((size_t)p->reach + 1) * LANES * sizeof(uint32_t) : 0;
}

static int64_t groups_of(int64_t chains) {
    return (chains + LANES - 1) / LANES;
}

/* The workspace: spins of each group if they are kept, else of each thread; a table a thread. */
static size_t tables_at(const gm_ising_problem *p, int64_t chains, int32_t threads) {
    return spins_of(p) * (size_t)(p->keeps ? groups_of(chains) : threads);
}

/* Fewer chains than this are faster one by one: where its threads can share a chain, they are. */
static bool runs_in_lanes(const gm_ising_problem *p, int64_t chains) {
    return p->order != GM_ISING_RANDOM && chains >= FEWEST_LANES;
}

size_t gm_cpu_ising_workspace(gm_call *call, const gm_ising_problem *problem, void *state,
                              int64_t chains) {
    (void)state;
    if (runs_in_lanes(problem, chains)) {
        const int32_t threads = gm_pool_threads(call->pool);
        return tables_at(problem, chains, threads) + table_of(problem) * (size_t)threads;
    }
    return problem->order == GM_ISING_COLOURED ? gm_cpu_ising_sites_workspace(call, problem) : 0;
}

/* ---- a sweep --------------------------------------------------------------------------------- */

/* The local fields of a position. */
GM_INLINE void add_neighbours(const group *g, int32_t at, int32_t *field) {
    const gm_ising_problem *p = g->problem;
    for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k) {
        const int32_t coupling = p->coupling[k];
        const int8_t *spins = g->spins + (int64_t)p->neighbour[k] * LANES;
        GM_LANE_LOOP
        for (int l = 0; l < LANES; ++l) {
            field[l] += coupling * spins[l];
        }
    }
}

GM_INLINE void update_lanes(group *g, int32_t at, const uint32_t *words, gm_ising_update update,
                            bool table) {
    const gm_ising_problem *p = g->problem;
    const int32_t down = gm_ising_down(p->spins), rise = 1 - down;
    int8_t *spins = g->spins + (int64_t)at * LANES;
    int32_t field[LANES];
    for (int l = 0; l < LANES; ++l) {
        field[l] = p->field[at];
    }
    add_neighbours(g, at, field);
    uint32_t thresholds[LANES];
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        const int32_t magnitude = field[l] < 0 ? -field[l] : field[l];
        thresholds[l] = table ? g->table[magnitude * LANES + l]
                              : gm_ising_threshold(update, p->log_odds, g->beta[l], magnitude);
    }
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        const int32_t old = spins[l];
        const uint32_t up =
            gm_ising_decide(update, g->sign[l] * field[l], old == 1, words[l], thresholds[l]);
        const int32_t change = down + rise * (int32_t)up - old;
        if (table) {
            g->change[l] -= change * field[l];
        } else {
            g->energy[l] -= (int64_t)change * field[l];
        }
        g->risen[l] += change;
        g->flipped[l] += change != 0;
        spins[l] = (int8_t)(old + change);
    }
}

GM_INLINE void draw_words(const group *g, uint64_t sweep, int32_t quad, uint32_t words[4][LANES]) {
    GM_LANE_LOOP
    for (int l = 0; l < LANES; ++l) {
        const gm_words w = gm_ising_words(g->seed, g->chain[l], sweep, g->problem->blocks, quad);
        words[0][l] = w.w0;
        words[1][l] = w.w1;
        words[2][l] = w.w2;
        words[3][l] = w.w3;
    }
}

static void bring_up_to_date(group *g) {
    for (int l = 0; l < LANES; ++l) {
        g->energy[l] += g->change[l];
        g->magnetisation[l] += g->risen[l];
        g->flips[l] += g->flipped[l];
        g->change[l] = g->risen[l] = g->flipped[l] = 0;
    }
}

/* Positions first to last - 1 of one colour; first is a multiple of four. */
GM_INLINE void update_run(group *g, uint64_t sweep, int32_t first, int32_t last,
                          gm_ising_update update, bool table) {
    for (int32_t at = first; at < last; at += 4) {
        uint32_t words[4][LANES];
        draw_words(g, sweep, at / 4, words);
        for (int32_t i = 0; i < 4 && at + i < last; ++i) {
            update_lanes(g, at + i, words[i], update, table);
        }
    }
}

#if GM_HAVE_X86_TARGETS
/* ---- AVX-512, fields of 16 bits -------------------------------------------------------------- */

enum { MOST_ROWS = 12 }; /* of the table that are compared one by one; more are gathered */

/* What the updates of a quad add to; |2 f| <= 2046, so that 16 bits hold four. */
typedef struct quad_sums {
    __m512i change, risen, flipped;
} quad_sums;

/* Where the word is below the threshold of the lane's |field|. reach: of this position; fields of
 * signs have its parity. */
GM_TARGET_AVX512 static inline __mmask32 against_avx512(const group *g, __m512i magnitude,
                                                        int32_t reach, const uint32_t *words) {
    const int32_t step = g->problem->spins == GM_ISING_SIGNS ? 2 : 1;
    const __m512i w0 = _mm512_loadu_si512(words), w1 = _mm512_loadu_si512(words + 16);
    if (reach / step < MOST_ROWS) {
        __mmask32 against = 0;
        for (int32_t row = step == 2 ? reach % 2 : 0; row <= reach; row += step) {
            const uint32_t *t = g->table + row * LANES;
            const __mmask16 m0 = _mm512_cmplt_epu32_mask(w0, _mm512_loadu_si512(t));
            const __mmask16 m1 = _mm512_cmplt_epu32_mask(w1, _mm512_loadu_si512(t + 16));
            against |= _mm512_cmpeq_epi16_mask(magnitude, _mm512_set1_epi16((short)row)) &
                       _mm512_kunpackw(m1, m0);
        }
        return against;
    }
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i f0 = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(magnitude));
    const __m512i f1 = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(magnitude, 1));
    const __m512i i0 = _mm512_add_epi32(_mm512_slli_epi32(f0, 5), lane);
    const __m512i i1 = _mm512_add_epi32(_mm512_slli_epi32(f1, 5), lane);
    const __m512i t0 = _mm512_i32gather_epi32(i0, g->table, 4);
    const __m512i t1 = _mm512_i32gather_epi32(i1, g->table + 16, 4);
    return _mm512_kunpackw(_mm512_cmplt_epu32_mask(w1, t1), _mm512_cmplt_epu32_mask(w0, t0));
}

GM_TARGET_AVX512 static inline void update_avx512(group *g, int32_t at, const uint32_t *words,
                                                  __m512i sign, gm_ising_update update,
                                                  quad_sums *sums) {
    const gm_ising_problem *p = g->problem;
    const short down = (short)gm_ising_down(p->spins), rise = (short)(1 - down);
    __m256i *spins = (__m256i *)(void *)(g->spins + (int64_t)at * LANES);
    __m512i field = _mm512_set1_epi16((short)p->field[at]);
    int32_t reach = abs(p->field[at]);
    for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k) {
        const void *from = g->spins + (int64_t)p->neighbour[k] * LANES;
        const __m512i spin = _mm512_cvtepi8_epi16(_mm256_loadu_si256(from));
        const __m512i coupling = _mm512_set1_epi16((short)p->coupling[k]);
        field = _mm512_add_epi16(field, _mm512_mullo_epi16(spin, coupling));
        reach += abs(p->coupling[k]);
    }
    const __m512i aligned = _mm512_mullo_epi16(field, sign);
    const __mmask32 likely = ~_mm512_movepi16_mask(aligned);
    const __mmask32 against = against_avx512(g, _mm512_abs_epi16(field), reach, words);
    const __mmask32 up = _mm256_cmpeq_epi8_mask(_mm256_loadu_si256(spins), _mm256_set1_epi8(1));
    const __mmask32 drawn = likely ^ against;
    __mmask32 now = drawn;
    if (update == GM_ISING_LAZY_METROPOLIS) {
        const __mmask32 upper =
            _mm512_kunpackw(_mm512_movepi32_mask(_mm512_loadu_si512(words + 16)),
                            _mm512_movepi32_mask(_mm512_loadu_si512(words)));
        now = up ^ (((up ^ likely) & ~upper) | (~(up ^ likely) & against));
    } else if (update == GM_ISING_METROPOLIS) {
        const __mmask32 tied = _mm512_cmpeq_epi16_mask(aligned, _mm512_setzero_si512());
        const __mmask32 downhill = up ^ likely;
        now = (tied & ~up) | (~tied & ((downhill & likely) | (~downhill & drawn)));
    }
    _mm256_storeu_si256(
        spins, _mm256_mask_blend_epi8(now, _mm256_set1_epi8((char)down), _mm256_set1_epi8(1)));
    const __mmask32 flip = now ^ up;
    const __m512i step =
        _mm512_mask_blend_epi16(now, _mm512_set1_epi16((short)-rise), _mm512_set1_epi16(rise));
    const __m512i change = _mm512_maskz_mov_epi16(flip, step);
    sums->risen = _mm512_add_epi16(sums->risen, change);
    sums->change = _mm512_sub_epi16(sums->change, _mm512_mullo_epi16(change, field));
    sums->flipped = _mm512_mask_add_epi16(sums->flipped, flip, sums->flipped, _mm512_set1_epi16(1));
}

GM_TARGET_AVX512 static inline void widen_avx512(int32_t *total, __m512i sum) {
    const __m512i low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(sum));
    const __m512i high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(sum, 1));
    _mm512_storeu_si512(total, _mm512_add_epi32(_mm512_loadu_si512(total), low));
    _mm512_storeu_si512(total + 16, _mm512_add_epi32(_mm512_loadu_si512(total + 16), high));
}

/* As draw_words: gcc does not see that a product of words is one vpmuludq. */
GM_TARGET_AVX512 static inline void draw_words_avx512(const group *g, uint64_t sweep, int32_t quad,
                                                      uint32_t words[4][LANES]) {
    const uint64_t block = sweep * (uint64_t)g->problem->blocks + (uint64_t)quad;
    const __m512i m0 = _mm512_set1_epi64((long long)GM_PHILOX_MULTIPLIER_0);
    const __m512i m1 = _mm512_set1_epi64((long long)GM_PHILOX_MULTIPLIER_1);
    uint32_t key0 = (uint32_t)g->seed, key1 = (uint32_t)(g->seed >> 32);
    __m512i x[4][LANES / 8];
    for (int v = 0; v < LANES / 8; ++v) {
        x[0][v] = _mm512_loadu_si512(g->chain + 8 * v);
        x[1][v] = _mm512_srli_epi64(x[0][v], 32);
        x[2][v] = _mm512_set1_epi64((long long)(uint32_t)block);
        x[3][v] = _mm512_set1_epi64((long long)gm_philox_word3(GM_STREAM_CHAIN_ACCEPT, block));
    }
    for (int round = 0; round < 10; ++round) {
        const __m512i k0 = _mm512_set1_epi64((long long)key0);
        const __m512i k1 = _mm512_set1_epi64((long long)key1);
        for (int v = 0; v < LANES / 8; ++v) {
            const __m512i p0 = _mm512_mul_epu32(x[0][v], m0), p1 = _mm512_mul_epu32(x[2][v], m1);
            /* 0x96: the exclusive or of three */
            x[0][v] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), x[1][v], k0, 0x96);
            x[2][v] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), x[3][v], k1, 0x96);
            x[1][v] = p1;
            x[3][v] = p0;
        }
        key0 += GM_PHILOX_KEY_STEP_0;
        key1 += GM_PHILOX_KEY_STEP_1;
    }
    for (int w = 0; w < 4; ++w) {
        for (int v = 0; v < LANES / 8; ++v) {
            _mm256_storeu_si256((__m256i *)(void *)(words[w] + 8 * v),
                                _mm512_cvtepi64_epi32(x[w][v]));
        }
    }
}

GM_TARGET_AVX512 static void run_table_avx512(group *g, uint64_t sweep, int32_t first,
                                              int32_t last) {
    const gm_ising_update update = g->problem->update;
    const __m256i s0 = _mm512_cvtepi32_epi16(_mm512_loadu_si512(g->sign));
    const __m256i s1 = _mm512_cvtepi32_epi16(_mm512_loadu_si512(g->sign + 16));
    const __m512i sign = _mm512_inserti64x4(_mm512_castsi256_si512(s0), s1, 1);
    for (int32_t at = first; at < last; at += 4) {
        const __m512i zero = _mm512_setzero_si512();
        uint32_t words[4][LANES];
        quad_sums sums = {zero, zero, zero};
        draw_words_avx512(g, sweep, at / 4, words);
        for (int32_t i = 0; i < 4 && at + i < last; ++i) {
            update_avx512(g, at + i, words[i], sign, update, &sums);
        }
        widen_avx512(g->change, sums.change);
        widen_avx512(g->risen, sums.risen);
        widen_avx512(g->flipped, sums.flipped);
    }
}
#endif

#define DEFINE_RUN(isa, target)                                                                    \
    target static void run_##isa(group *g, uint64_t sweep, int32_t first, int32_t last) {          \
        if (g->problem->update == GM_ISING_LAZY_METROPOLIS) {                                      \
            if (g->table != NULL) {                                                                \
                update_run(g, sweep, first, last, GM_ISING_LAZY_METROPOLIS, true);                 \
            } else {                                                                               \
                update_run(g, sweep, first, last, GM_ISING_LAZY_METROPOLIS, false);                \
            }                                                                                      \
        } else if (g->problem->update == GM_ISING_METROPOLIS) {                                    \
            if (g->table != NULL) {                                                                \
                update_run(g, sweep, first, last, GM_ISING_METROPOLIS, true);                      \
            } else {                                                                               \
                update_run(g, sweep, first, last, GM_ISING_METROPOLIS, false);                     \
            }                                                                                      \
        } else if (g->table != NULL) {                                                             \
            update_run(g, sweep, first, last, GM_ISING_HEAT_BATH, true);                           \
        } else {                                                                                   \
            update_run(g, sweep, first, last, GM_ISING_HEAT_BATH, false);                          \
        }                                                                                          \
    }
DEFINE_RUN(base, GM_TARGET_BASE)
DEFINE_RUN(avx2, GM_TARGET_AVX2)
DEFINE_RUN(avx512, GM_TARGET_AVX512)

typedef void (*run_function)(group *g, uint64_t sweep, int32_t first, int32_t last);

static run_function choose_run(gm_isa isa, bool table) {
#if GM_HAVE_X86_TARGETS
    if (isa == GM_ISA_AVX512 && table) {
        return run_table_avx512;
    }
#else
    (void)table;
#endif
    return isa == GM_ISA_AVX512 ? run_avx512 : isa == GM_ISA_AVX2 ? run_avx2 : run_base;
}

static void sweep_once(group *g, uint64_t sweep, run_function run) {
    const gm_ising_problem *p = g->problem;
    for (int32_t c = 0; c < p->colours; ++c) {
        const int32_t last = p->colour[2 * c + 1];
        for (int32_t at = p->colour[2 * c]; at < last;) {
            const int32_t end = last - at > 4 * QUADS_AT_ONCE ? at + 4 * QUADS_AT_ONCE : last;
            run(g, sweep, at, end);
            bring_up_to_date(g);
            at = end;
        }
    }
}

/* ---- a group of chains ----------------------------------------------------------------------- */

/* Runs body for every position and lane, a few positions at a time, so that neither the lanes'
 * spins nor those of a chain leave the first-level cache between. */
#define FOR_EACH_SPIN(g, lanes, at, l)                                                             \
    for (int32_t start = 0; start < (g)->problem->positions; start += TRANSPOSED)                  \
        for (int l = 0; l < (lanes); ++l)                                                          \
            for (int32_t at = start; at < (g)->problem->positions && at < start + TRANSPOSED; ++at)

/* The spins of chains first on into the lanes, of the last one into those that are left. good: set
 * false where one is no spin. */
static void load_lanes(group *g, const gm_ising_arrays *a, int64_t first, int lanes, bool *good) {
    const int8_t down = (int8_t)gm_ising_down(g->problem->spins);
    FOR_EACH_SPIN(g, LANES, at, l) {
        const int64_t site = g->problem->site[at], chain = first + (l < lanes ? l : lanes - 1);
        const int8_t x =
            site < 0 ? down : a->spins[chain * a->chain_stride + site * a->site_stride];
        const bool is_spin = x == 1 || x == down;
        g->spins[(int64_t)at * LANES + l] = is_spin ? x : down;
        good[l] = good[l] && is_spin;
    }
}

static void store_lanes(const group *g, const gm_ising_arrays *a, int64_t first, int lanes,
                        const gm_status *status) {
    FOR_EACH_SPIN(g, lanes, at, l) {
        const int64_t site = g->problem->site[at];
        if (site >= 0 && status[l] == GM_STATUS_OK) {
            a->spins[(first + l) * a->chain_stride + site * a->site_stride] =
                g->spins[(int64_t)at * LANES + l];
        }
    }
}

/* The table of the lanes' betas; of one beta a row is one number. */
GM_INLINE void fill_rows(const group *g, bool one_beta, gm_ising_update update) {
    const gm_ising_problem *p = g->problem;
    for (int32_t f = 0; f <= p->reach; ++f) {
        uint32_t *row = g->table + f * LANES;
        if (one_beta) {
            const uint32_t t = gm_ising_threshold(update, p->log_odds, g->beta[0], f);
            for (int l = 0; l < LANES; ++l) {
                row[l] = t;
            }
        } else {
            GM_LANE_LOOP
            for (int l = 0; l < LANES; ++l) {
                row[l] = gm_ising_threshold(update, p->log_odds, g->beta[l], f);
            }
        }
    }
}

#define DEFINE_FILL(isa, target)                                                                   \
    target static void fill_##isa(const group *g, bool one_beta) {                                 \
        if (g->problem->update == GM_ISING_METROPOLIS) {                                           \
            fill_rows(g, one_beta, GM_ISING_METROPOLIS);                                           \
        } else if (g->problem->update == GM_ISING_LAZY_METROPOLIS) {                               \
            fill_rows(g, one_beta, GM_ISING_LAZY_METROPOLIS);                                      \
        } else {                                                                                   \
            fill_rows(g, one_beta, GM_ISING_HEAT_BATH);                                            \
        }                                                                                          \
    }
DEFINE_FILL(base, GM_TARGET_BASE)
DEFINE_FILL(avx2, GM_TARGET_AVX2)
DEFINE_FILL(avx512, GM_TARGET_AVX512)

static void fill_table(const group *g, gm_isa isa) {
    bool one_beta = true;
    for (int l = 1; l < LANES; ++l) {
        one_beta = one_beta && g->beta[l] == g->beta[0];
    }
    (isa == GM_ISA_AVX512 ? fill_avx512 : isa == GM_ISA_AVX2 ? fill_avx2 : fill_base)(g, one_beta);
}

static void begin(group *g) {
    const gm_ising_problem *p = g->problem;
    int64_t twice[LANES] = {0};
    for (int32_t at = 0; at < p->positions; ++at) {
        int32_t field[LANES] = {0};
        if (p->site[at] < 0) {
            continue;
        }
        add_neighbours(g, at, field);
        for (int l = 0; l < LANES; ++l) {
            const int64_t x = g->spins[(int64_t)at * LANES + l];
            g->magnetisation[l] += x;
            g->energy[l] -= x * p->field[at];
            twice[l] += x * field[l];
        }
    }
    for (int l = 0; l < LANES; ++l) {
        g->energy[l] -= twice[l] / 2;
    }
}

/* The chains of a group, from the user's memory or as they were left. */
static void open_group(group *g, const gm_ising_arrays *a, int64_t first, int lanes, bool *good) {
    const held *h = (const held *)(const void *)(g->spins + (size_t)g->problem->positions * LANES);
    if (g->problem->keeps && a->resumes) {
        memcpy(g->energy, h->energy, sizeof g->energy);
        memcpy(g->magnetisation, h->magnetisation, sizeof g->magnetisation);
        memcpy(good, h->good, sizeof h->good);
    } else {
        memset(good, 1, LANES * sizeof *good);
        load_lanes(g, a, first, lanes, good);
        begin(g);
    }
}

static void close_group(const group *g, const gm_ising_arrays *a, int64_t first, int lanes,
                        const bool *good, const gm_status *status) {
    held *h = (held *)(void *)(g->spins + (size_t)g->problem->positions * LANES);
    if (g->problem->keeps && a->holds) {
        memcpy(h->energy, g->energy, sizeof h->energy);
        memcpy(h->magnetisation, g->magnetisation, sizeof h->magnetisation);
        memcpy(h->good, good, sizeof h->good);
    } else {
        store_lanes(g, a, first, lanes, status);
    }
}

static void set_lanes(group *g, const gm_ising_arrays *a, int64_t first, int lanes,
                      const bool *good, gm_status *status) {
    for (int l = 0; l < LANES; ++l) { /* the last chain fills the lanes that are left */
        const int64_t chain = first + (l < lanes ? l : lanes - 1);
        const double beta = a->beta[chain * a->beta_stride];
        status[l] = !isfinite(beta) ? GM_STATUS_NON_FINITE
                    : !good[l]      ? GM_STATUS_INVALID_ARGUMENT
                                    : GM_STATUS_OK;
        g->chain[l] = a->first_chain + (uint64_t)chain;
        g->beta[l] = isfinite(beta) ? beta : 0;
        g->sign[l] = gm_ising_sign(g->beta[l]);
    }
}

static void run_sweeps(group *g, const gm_ising_arrays *a, int lanes, run_function run,
                       uint64_t sums[LANES][2 * GM_ISING_SUMS]) {
    for (int64_t s = 0; s < a->sweeps; ++s) {
        int64_t energy[LANES], magnetisation[LANES];
        for (int l = 0; l < LANES; ++l) {
            energy[l] = g->energy[l];
            magnetisation[l] = g->magnetisation[l];
        }
        sweep_once(g, a->first_sweep + (uint64_t)s, run);
        for (int l = 0; l < lanes && a->sums != NULL; ++l) {
            gm_ising_measure(sums[l], energy[l], magnetisation[l], g->energy[l],
                             g->magnetisation[l]);
        }
    }
}

static void run_group(void *argument, int64_t number, int32_t thread) {
    const job *j = argument;
    const gm_ising_arrays *a = j->arrays;
    const gm_ising_problem *p = j->problem;
    const int64_t first = number * LANES;
    const int lanes = (int)(a->chains - first < LANES ? a->chains - first : LANES);
    char *spins = (char *)a->workspace + spins_of(p) * (size_t)(p->keeps ? number : thread);
    char *table =
        (char *)a->workspace + tables_at(p, a->chains, j->threads) + table_of(p) * (size_t)thread;
    group g = {.problem = p, .spins = (int8_t *)spins, .seed = a->seed};
    g.table = gm_ising_rows(p, a->sweeps) > 0 ? (uint32_t *)(void *)table : NULL;
    gm_status status[LANES];
    bool good[LANES];
    open_group(&g, a, first, lanes, good);
    set_lanes(&g, a, first, lanes, good, status);
    if (g.table != NULL) {
        fill_table(&g, j->isa);
    }
    uint64_t sums[LANES][2 * GM_ISING_SUMS] = {{0}};
    run_sweeps(&g, a, lanes, choose_run(j->isa, g.table != NULL), sums);
    close_group(&g, a, first, lanes, good, status);
    for (int l = 0; l < lanes; ++l) {
        static const uint64_t none[2 * GM_ISING_SUMS];
        gm_ising_add_product(sums[l] + 2 * GM_ISING_FLIPS, g.flips[l], 1);
        gm_ising_store(a, first + l, status[l], status[l] == GM_STATUS_OK ? sums[l] : none,
                       g.energy[l]);
    }
}

static void run_chain(void *argument, int64_t chain, int32_t thread) {
    (void)thread;
    const job *j = argument;
    gm_ref_ising_chain(j->problem, j->arrays, chain);
}

gm_status gm_cpu_ising_run(gm_call *call, const gm_ising_problem *problem, void *state,
                           const gm_ising_arrays *arrays) {
    (void)state;
    job j = {problem, arrays, call->isa, gm_pool_threads(call->pool)};
    if (runs_in_lanes(problem, arrays->chains)) {
        call->kernel = "ising_lanes";
        gm_parallel_for(call->pool, groups_of(arrays->chains), run_group, &j);
    } else if (problem->order == GM_ISING_COLOURED) {
        call->kernel = "ising_sites";
        gm_cpu_ising_sites(call, problem, arrays);
    } else {
        call->kernel = "ising_chains";
        gm_parallel_for(call->pool, arrays->chains, run_chain, &j);
    }
    return GM_STATUS_OK;
}
