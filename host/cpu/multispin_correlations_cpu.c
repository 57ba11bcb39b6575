/*
 * gm_multispin_correlations by threads: the two colours of each row are put side by side, so that
 * bit x of 64-bit words is site x, around a periodic row as far as the distances reach. Word c of
 * all rows is column c, one row after the other: so neighbours along the other axes are other
 * places of the same column, those along the rows the same place of two columns, shifted by the
 * same number of bits for all rows, and the loops over a column are plain ones.
 *
 * A thread has a chain and all its distances; of fewer chains than threads these share the
 * distances.
 */
#include <stdbool.h>
#include <string.h>

#include "host/correlations_args.h"
#include "host/cpu/cpu.h"
#include "host/cpu/target_popcount.h"
#include "host/internal.h"

enum { WORD = 64 };

/* ---- counting -------------------------------------------------------------------------------- */

/* The pairs that differ, of places 0 .. n - 1 of a and b, of which a 1 in the mask is asked for;
 * the spins of b are `shift` bits further in low, then high, which at 0 is not read. */
GM_INLINE int64_t count_different(const uint64_t *a, const uint64_t *low, const uint64_t *high,
                                  int shift, uint64_t mask, int64_t n) {
    int64_t sum = 0;
    if (shift == 0) {
        for (int64_t i = 0; i < n; ++i) {
            sum += __builtin_popcountll((a[i] ^ low[i]) & mask);
        }
    } else {
        for (int64_t i = 0; i < n; ++i) {
            const uint64_t b = low[i] >> shift | high[i] << (WORD - shift);
            sum += __builtin_popcountll((a[i] ^ b) & mask);
        }
    }
    return sum;
}

/* avx2 has an instruction for the ones of 64 bits, avx512vpopcntdq one for eight times as many. */
#define DEFINE_COUNT(isa, target)                                                                  \
    target static int64_t count_##isa(const uint64_t *a, const uint64_t *low,                      \
                                      const uint64_t *high, int shift, uint64_t mask, int64_t n) { \
        return count_different(a, low, high, shift, mask, n);                                      \
    }
DEFINE_COUNT(base, GM_TARGET_BASE)
DEFINE_COUNT(avx2, GM_TARGET_AVX2)
DEFINE_COUNT(avx512, GM_TARGET_POPCOUNT)

typedef struct methods {
    const char *name;
    int64_t (*count)(const uint64_t *a, const uint64_t *low, const uint64_t *high, int shift,
                     uint64_t mask, int64_t n);
} methods;

#define METHODS(isa)                                                                               \
    { "multispin_correlations_" #isa, count_##isa }
static const methods table[] = {METHODS(base), METHODS(avx2), METHODS(avx512)};

static const methods *choose_methods(const gm_call *call) {
    if (call->isa == GM_ISA_AVX512 && gm_has_popcount()) {
        return &table[2];
    }
    return &table[call->isa == GM_ISA_AVX512 || call->isa == GM_ISA_AVX2];
}

/* ---- layout ---------------------------------------------------------------------------------- */

typedef struct job {
    const gm_multispin_problem *problem;
    const gm_multispin_pairs *pairs;
    const methods *methods;
    int64_t rows, columns, row_words; /* row_words: of the sites alone */
} job;

static job plan_job(const gm_multispin_problem *p, const gm_multispin_pairs *a) {
    job j = {.problem = p, .pairs = a, .rows = (int64_t)p->size[0] * p->size[1]};
    j.row_words = (p->size[2] + WORD - 1) / WORD;
    const int64_t reach = a->axis == 2 ? (int64_t)a->first + a->count : 0;
    j.columns = (p->size[2] + reach + WORD - 1) / WORD + (reach > 0); /* and the one read above */
    return j;
}

static uint64_t *layout_of(const job *j, int64_t slot) {
    return (uint64_t *)j->pairs->workspace + slot * ((j->rows * j->columns + 7) / 8 * 8);
}

/* 32 places of a colour from `start` on, of which those from `end` on are 0. */
static uint64_t take_places(const uint32_t *colour, int64_t stride, int64_t start, int64_t end) {
    const int64_t word = start / 32, shift = start % 32, left = end - start;
    if (left <= 0) {
        return 0;
    }
    uint64_t bits = colour[word * stride] >> shift;
    if (shift > 0 && left > 32 - shift) {
        bits |= (uint64_t)colour[(word + 1) * stride] << (32 - shift);
    }
    return bits & (left >= 32 ? 0xffffffffu : (UINT64_C(1) << left) - 1);
}

/* Bit k goes to bit 2 k. */
static uint64_t spread(uint64_t x) {
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = (x | x << 2) & UINT64_C(0x3333333333333333);
    return (x | x << 1) & UINT64_C(0x5555555555555555);
}

/* The row goes on with itself: bit size + i is bit i. What is further than twice its size is not
 * looked at. */
static void extend_row(const job *j, uint64_t *row) {
    const int64_t size = j->problem->size[2], words = j->row_words;
    for (int64_t c = size / WORD; c < j->columns; ++c) {
        const int64_t from = WORD * c - size;
        uint64_t bits;
        if (from < 0) {
            bits = row[c * j->rows] | row[0] << -from;
        } else {
            const int64_t word = from / WORD, shift = from % WORD;
            bits = word < words ? row[word * j->rows] >> shift : 0;
            bits |= shift > 0 && word + 1 < words ? row[(word + 1) * j->rows] << (WORD - shift) : 0;
        }
        row[c * j->rows] = bits;
    }
}

/* A chain into a slot. */
static void lay_out(const job *j, int64_t chain, int64_t slot) {
    const gm_multispin_problem *p = j->problem;
    const gm_multispin_pairs *a = j->pairs;
    const int64_t stride = a->packed_stride[1], size = p->size[2];
    const uint32_t *packed = a->packed + chain * a->packed_stride[0];
    const uint32_t *const colours[2] = {packed, packed + p->words * stride};
    uint64_t *layout = layout_of(j, slot);
    for (int64_t r = 0; r < j->rows; ++r) {
        const int64_t even = (r / p->size[1] + r % p->size[1]) % 2; /* the colour of even x */
        const int64_t start = r * p->row;
        for (int64_t c = 0; c < j->columns; ++c) {
            const int64_t at = start + WORD / 2 * c;
            layout[c * j->rows + r] =
                spread(take_places(colours[even], stride, at, start + (size + 1) / 2)) |
                spread(take_places(colours[1 - even], stride, at, start + size / 2)) << 1;
        }
        if (p->periodic[2] && a->axis == 2) {
            extend_row(j, layout + r);
        }
    }
}

/* ---- distances ------------------------------------------------------------------------------- */

/* Along the rows, of all of them. */
static int64_t count_along(const job *j, const uint64_t *layout, int32_t distance) {
    const gm_multispin_problem *p = j->problem;
    const int64_t pairs = p->periodic[2] ? p->size[2] : p->size[2] - distance; /* of a row */
    int64_t sum = 0;
    for (int64_t c = 0; c * WORD < pairs; ++c) {
        const int64_t left = pairs - c * WORD;
        const uint64_t *to = layout + (c + distance / WORD) * j->rows;
        sum += j->methods->count(layout + c * j->rows, to, to + j->rows, distance % WORD,
                                 left >= WORD ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1, j->rows);
    }
    return sum;
}

/* From row to row or, if `rows` is those of a layer, from layer to layer: of `count` blocks that
 * have `size` of them each. */
static int64_t count_across(const job *j, const uint64_t *layout, int64_t blocks, int64_t size,
                            int64_t rows, bool periodic, int32_t distance) {
    int64_t sum = 0;
    for (int64_t k = 0; k < j->row_words * blocks; ++k) {
        const uint64_t *first = layout + k / blocks * j->rows + k % blocks * size * rows;
        const int64_t direct = (size - distance) * rows;
        sum += j->methods->count(first, first + distance * rows, NULL, 0, ~UINT64_C(0), direct);
        if (periodic) {
            sum += j->methods->count(first + direct, first, NULL, 0, ~UINT64_C(0), distance * rows);
        }
    }
    return sum;
}

/* Distance k of a chain, which is in a slot. */
static void count_distance(const job *j, int64_t chain, int64_t slot, int64_t k) {
    const gm_multispin_problem *p = j->problem;
    const gm_multispin_pairs *a = j->pairs;
    const int32_t distance = a->first + (int32_t)k;
    const uint64_t *layout = layout_of(j, slot);
    const int64_t different =
        a->axis == 2 ? count_along(j, layout, distance)
        : a->axis == 1
            ? count_across(j, layout, p->size[0], p->size[1], 1, p->periodic[1] != 0, distance)
            : count_across(j, layout, 1, p->size[0], p->size[1], p->periodic[0] != 0, distance);
    gm_add_wrapping(&a->sums[chain * a->sums_stride[0] + k * a->sums_stride[1]],
                    gm_multispin_pair_count(p, a->axis, distance) - 2 * different);
}

static void measure_chain(void *argument, int64_t chain, int32_t thread) {
    const job *j = argument;
    lay_out(j, chain, thread);
    for (int64_t k = 0; k < j->pairs->count; ++k) {
        count_distance(j, chain, thread, k);
    }
}

static void lay_out_one(void *argument, int64_t chain, int32_t thread) {
    (void)thread;
    lay_out(argument, chain, chain);
}

static void count_one(void *argument, int64_t number, int32_t thread) {
    (void)thread;
    const job *j = argument;
    const int64_t chain = number / j->pairs->count;
    count_distance(j, chain, chain, number % j->pairs->count);
}

size_t gm_cpu_multispin_correlate_workspace(gm_call *call, const gm_multispin_problem *problem,
                                            const gm_multispin_pairs *arrays) {
    const job j = plan_job(problem, arrays);
    return (size_t)((j.rows * j.columns + 7) / 8 * 8) * sizeof(uint64_t) *
           (size_t)gm_pool_threads(call->pool);
}

gm_status gm_cpu_multispin_correlate(gm_call *call, const gm_multispin_problem *problem,
                                     void *state, const gm_multispin_pairs *arrays) {
    (void)state;
    job j = plan_job(problem, arrays);
    j.methods = choose_methods(call);
    call->kernel = j.methods->name;
    const int64_t chains = arrays->chains;
    if (chains < gm_pool_threads(call->pool)) {
        gm_parallel_for(call->pool, chains, lay_out_one, &j);
        gm_parallel_for(call->pool, chains * arrays->count, count_one, &j);
    } else {
        gm_parallel_for(call->pool, chains, measure_chain, &j);
    }
    return GM_STATUS_OK;
}
