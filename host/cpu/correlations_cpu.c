/*
 * gm_correlations_add by threads and vectors of 64 bytes. A thread loads a tile of chains, looks
 * through it and counts its groups; of fewer tiles than threads these share the groups.
 *
 *     lanes  a tile is 64 chains, those of a site side by side: a pair compares 64 chains at once
 *     sites  a tile is one chain, for few or large ones: a run of pairs (i, j), (i + 1, j + 1) ..
 *            compares 64 of them at once
 *
 * Matches are counted in a byte for each place of the vector, at most 255, then added to 32 bits.
 */
#include <stdbool.h>
#include <string.h>

#include "host/correlations_args.h"
#include "host/cpu/cpu.h"
#include "host/internal.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

enum {
    LANES = 64,
    FEWEST_LANES = 16,      /* fewer chains, or tiles larger than this, go by sites */
    LARGEST_TILE = 1 << 20, /* bytes, of the second-level cache */
    SHORTEST_RUN = 16,      /* unless the runs are shorter on average */
    PARTS = 16              /* of the groups, for the threads to take */
};

typedef uint8_t vector __attribute__((vector_size(LANES), may_alias));
typedef uint8_t anywhere __attribute__((vector_size(LANES), may_alias, aligned(1)));

/* How many lanes of a vector from ALL - n on are all ones: n. */
static const uint8_t ones[2 * LANES] = {
#define EIGHT 255, 255, 255, 255, 255, 255, 255, 255
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
    EIGHT, EIGHT, EIGHT
#undef EIGHT
};

/* ---- counting -------------------------------------------------------------------------------- */

/* The matches of a group's runs in each lane of a tile of chains. */
GM_INLINE void count_lanes(const uint8_t *tile, const gm_pair_run *runs, int64_t count, bool both,
                           uint32_t *matches) {
    vector held = {0};
    int32_t room = 255;
    for (int64_t r = 0; r < count; ++r) {
        const vector *a = (const vector *)(const void *)tile + runs[r].a;
        const vector *b = (const vector *)(const void *)tile + runs[r].b;
        for (int32_t left = runs[r].length; left > 0;) {
            const int32_t n = left < room ? left : room;
            for (int32_t k = 0; k < n; ++k) {
                held = both ? held + (a[k] & b[k]) : held - (vector)(a[k] == b[k]);
            }
            a += n;
            b += n;
            left -= n;
            room -= n;
            for (int l = 0; l < LANES && room == 0; ++l) {
                matches[l] += held[l];
            }
            held = room == 0 ? (vector){0} : held;
            room = room == 0 ? 255 : room;
        }
    }
    for (int l = 0; l < LANES; ++l) {
        matches[l] += held[l];
    }
}

/* Those of a tile that is one chain, with 64 bytes to spare behind it. */
GM_INLINE void count_sites(const uint8_t *tile, const gm_pair_run *runs, int64_t count, bool both,
                           uint32_t *matches) {
    vector held = {0};
    uint32_t lanes[LANES] = {0};
    int32_t room = 255;
    for (int64_t r = 0; r < count; ++r) {
        const uint8_t *a = tile + runs[r].a, *b = tile + runs[r].b;
        for (int32_t left = runs[r].length; left > 0; left -= LANES) {
            const vector x = *(const anywhere *)(const void *)a;
            const vector y = *(const anywhere *)(const void *)b;
            const vector here =
                *(const anywhere *)(const void *)(ones + (left < LANES ? LANES - left : 0));
            held = both ? held + (x & y & here) : held - ((vector)(x == y) & here);
            a += LANES;
            b += LANES;
            room -= 1;
            for (int l = 0; l < LANES && room == 0; ++l) {
                lanes[l] += held[l];
            }
            held = room == 0 ? (vector){0} : held;
            room = room == 0 ? 255 : room;
        }
    }
    for (int l = 0; l < LANES; ++l) {
        *matches += lanes[l] + held[l];
    }
}

/* Whether any place of sites that follow each other has a value that is none: a byte for each lane
 * that is not 0 then. */
GM_INLINE void look_through(const gm_correlations_problem *p, const uint8_t *tile, int64_t vectors,
                            uint8_t *bad) {
    const uint8_t shift = p->q == 0 && p->spins == GM_ISING_SIGNS, last = (uint8_t)(p->q - 1);
    const uint8_t outside = shift != 0 ? 0xfd : 0xfe; /* -1, 1 plus 1 are 0, 2 */
    vector found = {0};
    for (int64_t i = 0; i < vectors; ++i) {
        const vector x = ((const vector *)(const void *)tile)[i];
        found |= p->q > 0 ? (vector)(x > last) : (vector)((x + shift) & outside);
    }
    memcpy(bad, &found, sizeof found);
}

#define DEFINE_METHODS(isa, target)                                                                \
    target static void count_lanes_##isa(const uint8_t *tile, const gm_pair_run *runs,             \
                                         int64_t count, bool both, uint32_t *matches) {            \
        if (both) {                                                                                \
            count_lanes(tile, runs, count, true, matches);                                         \
        } else {                                                                                   \
            count_lanes(tile, runs, count, false, matches);                                        \
        }                                                                                          \
    }                                                                                              \
    target static void count_sites_##isa(const uint8_t *tile, const gm_pair_run *runs,             \
                                         int64_t count, bool both, uint32_t *matches) {            \
        if (both) {                                                                                \
            count_sites(tile, runs, count, true, matches);                                         \
        } else {                                                                                   \
            count_sites(tile, runs, count, false, matches);                                        \
        }                                                                                          \
    }                                                                                              \
    target static void look_through_##isa(const gm_correlations_problem *p, const uint8_t *tile,   \
                                          int64_t vectors, uint8_t *bad) {                         \
        look_through(p, tile, vectors, bad);                                                       \
    }
DEFINE_METHODS(base, GM_TARGET_BASE)
DEFINE_METHODS(avx2, GM_TARGET_AVX2)
DEFINE_METHODS(avx512, GM_TARGET_AVX512)

typedef struct methods {
    const char *names[2]; /* sites, lanes */
    void (*count[2])(const uint8_t *tile, const gm_pair_run *runs, int64_t count, bool both,
                     uint32_t *matches);
    void (*look_through)(const gm_correlations_problem *p, const uint8_t *tile, int64_t vectors,
                         uint8_t *bad);
} methods;

#define METHODS(isa)                                                                               \
    {                                                                                              \
        {"correlations_sites_" #isa, "correlations_lanes_" #isa},                                  \
            {count_sites_##isa, count_lanes_##isa}, look_through_##isa                             \
    }
static const methods table[] = {[GM_ISA_BASE] = METHODS(base),
                                [GM_ISA_AVX2] = METHODS(avx2),
                                [GM_ISA_AVX512] = METHODS(avx512)};

/* ---- loading --------------------------------------------------------------------------------- */

typedef struct job {
    const gm_correlations_problem *problem;
    const gm_correlations_arrays *arrays;
    const methods *methods;
    int lanes;          /* chains of a tile: 1 or LANES */
    int64_t tile_bytes; /* of a slot; then LANES bytes that say which are bad */
    int64_t parts;
} job;

/* All states of chains first .. first + LANES - 1, the last one for those that are not there; a
 * few sites at a time, so that they stay in the first-level cache. */
static void interleave(const gm_correlations_problem *p, const gm_correlations_arrays *a,
                       int64_t first, int64_t from, uint8_t *tile) {
    enum { SITES = 64 };
    for (int64_t start = from; start < p->sites; start += SITES) {
        const int64_t end = start + SITES < p->sites ? start + SITES : p->sites;
        for (int64_t l = 0; l < LANES; ++l) {
            const int64_t chain = first + l < a->chains ? first + l : a->chains - 1;
            const uint8_t *states = a->states + chain * a->states_stride[0];
            for (int64_t i = start; i < end; ++i) {
                tile[i * LANES + l] = states[i * a->states_stride[1]];
            }
        }
    }
}

#if GM_HAVE_X86_TARGETS
/* The same for sites side by side, 16 of 16 chains at a time; returns how many sites are done. Rows
 * i and i + 8 are interleaved byte by byte, and so four times: 16 x 16 bytes are transposed. */
static int64_t transpose(const gm_correlations_problem *p, const gm_correlations_arrays *a,
                         int64_t first, uint8_t *tile) {
    const int64_t whole = a->states_stride[1] == 1 ? p->sites / 16 * 16 : 0;
    for (int64_t block = 0; block < whole / 16 * (LANES / 16); ++block) {
        const int64_t site = block / (LANES / 16) * 16, lane = block % (LANES / 16) * 16;
        __m128i rows[2][16];
        for (int64_t l = 0; l < 16; ++l) {
            const int64_t chain = first + lane + l < a->chains ? first + lane + l : a->chains - 1;
            rows[0][l] = _mm_loadu_si128(
                (const __m128i *)(const void *)(a->states + chain * a->states_stride[0] + site));
        }
        for (int round = 0; round < 4; ++round) {
            const __m128i *from = rows[round % 2];
            __m128i *to = rows[1 - round % 2];
            for (int i = 0; i < 8; ++i) {
                to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + 8]);
                to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + 8]);
            }
        }
        for (int64_t i = 0; i < 16; ++i) {
            _mm_store_si128((__m128i *)(void *)(tile + (site + i) * LANES + lane), rows[0][i]);
        }
    }
    return whole;
}
#else
static int64_t transpose(const gm_correlations_problem *p, const gm_correlations_arrays *a,
                         int64_t first, uint8_t *tile) {
    (void)p;
    (void)a;
    (void)first;
    (void)tile;
    return 0;
}
#endif

/* One chain, and behind it the first site again, up to whole vectors. */
static void copy_chain(const gm_correlations_problem *p, const gm_correlations_arrays *a,
                       int64_t chain, uint8_t *tile) {
    const uint8_t *states = a->states + chain * a->states_stride[0];
    if (a->states_stride[1] == 1) {
        memcpy(tile, states, (size_t)p->sites);
    }
    for (int64_t i = 0; i < p->sites && a->states_stride[1] != 1; ++i) {
        tile[i] = states[i * a->states_stride[1]];
    }
    memset(tile + p->sites, tile[0], (size_t)((p->sites + LANES - 1) / LANES * LANES - p->sites));
}

static uint8_t *tile_at(const job *j, int64_t slot) {
    return (uint8_t *)j->arrays->workspace + slot * (j->tile_bytes + LANES);
}

/* The chains of a tile into a slot. */
static void load_tile(const job *j, int64_t number, int64_t slot) {
    const gm_correlations_problem *p = j->problem;
    const gm_correlations_arrays *a = j->arrays;
    const int64_t first = number * j->lanes;
    uint8_t *tile = tile_at(j, slot), *bad = tile + j->tile_bytes;
    memset(bad, 0, LANES);
    if (p->sites > 0 && j->lanes > 1) {
        interleave(p, a, first, transpose(p, a, first, tile), tile);
        j->methods->look_through(p, tile, p->sites, bad);
    } else if (p->sites > 0) {
        copy_chain(p, a, first, tile);
        j->methods->look_through(p, tile, (p->sites + LANES - 1) / LANES, bad);
        for (int l = 1; l < LANES; ++l) {
            bad[0] |= bad[l];
        }
    }
    for (int64_t l = 0; l < j->lanes && first + l < a->chains; ++l) {
        a->status[(first + l) * a->status_stride] =
            bad[l] != 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
    }
}

/* Groups begin .. end - 1 of the tile in a slot. */
static void count_groups(const job *j, int64_t number, int64_t slot, int64_t begin, int64_t end) {
    const gm_correlations_problem *p = j->problem;
    const gm_correlations_arrays *a = j->arrays;
    const int64_t first = number * j->lanes;
    const uint8_t *tile = tile_at(j, slot), *bad = tile + j->tile_bytes;
    for (int64_t g = begin; g < end; ++g) {
        uint32_t matches[LANES] = {0};
        j->methods->count[j->lanes > 1](tile, p->runs + p->first_run[g],
                                        p->first_run[g + 1] - p->first_run[g],
                                        gm_matches_ones(p) != 0, matches);
        for (int64_t l = 0; l < j->lanes && first + l < a->chains; ++l) {
            if (bad[l] == 0) {
                gm_add_wrapping(&a->sums[(first + l) * a->sums_stride[0] + g * a->sums_stride[1]],
                                gm_group_value(p, matches[l], p->first[g + 1] - p->first[g]));
            }
        }
    }
}

/* ---- a measurement --------------------------------------------------------------------------- */

static void measure_tile(void *argument, int64_t number, int32_t thread) {
    const job *j = argument;
    load_tile(j, number, thread);
    count_groups(j, number, thread, 0, j->problem->groups);
}

static void load_one(void *argument, int64_t number, int32_t thread) {
    (void)thread;
    load_tile(argument, number, number);
}

static void count_part(void *argument, int64_t number, int32_t thread) {
    (void)thread;
    const job *j = argument;
    const int64_t tile = number / j->parts, part = number % j->parts, groups = j->problem->groups;
    count_groups(j, tile, tile, groups * part / j->parts, groups * (part + 1) / j->parts);
}

static bool goes_by_lanes(const gm_correlations_problem *p, int64_t chains) {
    return chains >= FEWEST_LANES &&
           (p->sites * LANES <= LARGEST_TILE || p->pairs < SHORTEST_RUN * p->run_count);
}

static job plan_job(const gm_correlations_problem *p, int64_t chains) {
    job j = {.problem = p, .parts = p->groups < PARTS ? p->groups : PARTS};
    const int64_t padded = (p->sites + LANES - 1) / LANES * LANES;
    j.lanes = goes_by_lanes(p, chains) ? LANES : 1;
    j.tile_bytes = j.lanes > 1 ? p->sites * LANES : padded + LANES;
    return j;
}

size_t gm_cpu_correlations_workspace(gm_call *call, const gm_correlations_problem *problem,
                                     int64_t chains) {
    const job j = plan_job(problem, chains);
    return (size_t)(j.tile_bytes + LANES) * (size_t)gm_pool_threads(call->pool);
}

gm_status gm_cpu_correlations_add(gm_call *call, const gm_correlations_problem *problem,
                                  void *state, const gm_correlations_arrays *arrays) {
    (void)state;
    job j = plan_job(problem, arrays->chains);
    j.arrays = arrays;
    j.methods = &table[call->isa];
    call->kernel = j.methods->names[j.lanes > 1];
    const int64_t tiles = (arrays->chains + j.lanes - 1) / j.lanes;
    if (tiles < gm_pool_threads(call->pool)) {
        gm_parallel_for(call->pool, tiles, load_one, &j);
        gm_parallel_for(call->pool, tiles * j.parts, count_part, &j);
    } else {
        gm_parallel_for(call->pool, tiles, measure_tile, &j);
    }
    return GM_STATUS_OK;
}
