/*
 * gm_ising_run on vectors and threads: 32 chains go through the sweep side by side, one lane each,
 * so that a site's neighbours, couplings and Philox block number are the same in all lanes and
 * every load but the one from the table of thresholds is contiguous, on any graph. A thread takes
 * one group of chains after another. The random order, in which each chain is at another site, and
 * fewer than 4 chains run as the reference does, a thread a chain.
 */
#include <math.h>
#include <stdlib.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/ising_args.h"
#include "host/ref/ref.h"

enum {
    LANES = 32,
    FEWEST_LANES = 4,       /* below, a chain by itself is faster */
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
    size_t scratch; /* of a thread */
} job;

static bool has_table(const gm_ising_problem *p) {
    return p->reach <= GM_ISING_TABLE_REACH;
}

static size_t scratch_of(const gm_ising_problem *p) {
    const size_t rows = has_table(p) ? (size_t)p->reach + 1 : 0;
    return ((size_t)p->positions * LANES + rows * LANES * sizeof(uint32_t) + 63) / 64 * 64;
}

static bool runs_in_lanes(const gm_ising_problem *p, int64_t chains) {
    return p->order != GM_ISING_RANDOM && chains >= FEWEST_LANES;
}

size_t gm_cpu_ising_workspace(gm_call *call, const gm_ising_problem *problem, void *state,
                              int64_t chains) {
    (void)state;
    return runs_in_lanes(problem, chains)
               ? scratch_of(problem) * (size_t)gm_pool_threads(call->pool)
               : 0;
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

#define DEFINE_RUN(isa, target)                                                                    \
    target static void run_##isa(group *g, uint64_t sweep, int32_t first, int32_t last) {          \
        if (g->problem->update == GM_ISING_METROPOLIS) {                                           \
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

static run_function choose_run(gm_isa isa) {
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

/* The chain's spins into its lane; false, with other spins there, if one is no spin. */
static bool load_lane(group *g, const gm_ising_arrays *a, int64_t chain, int lane) {
    const gm_ising_problem *p = g->problem;
    const int8_t down = (int8_t)gm_ising_down(p->spins);
    bool good = true;
    for (int32_t at = 0; at < p->positions; ++at) {
        const int32_t site = p->site[at];
        const int8_t x =
            site < 0 ? down : a->spins[chain * a->chain_stride + site * a->site_stride];
        const bool is_spin = x == 1 || x == down;
        g->spins[(int64_t)at * LANES + lane] = is_spin ? x : down;
        good = good && is_spin;
    }
    return good;
}

static void store_lane(const group *g, const gm_ising_arrays *a, int64_t chain, int lane) {
    for (int32_t at = 0; at < g->problem->positions; ++at) {
        const int32_t site = g->problem->site[at];
        if (site >= 0) {
            a->spins[chain * a->chain_stride + site * a->site_stride] =
                g->spins[(int64_t)at * LANES + lane];
        }
    }
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
    for (int32_t f = 0; f <= p->reach && g->table != NULL; ++f) {
        for (int l = 0; l < LANES; ++l) {
            g->table[f * LANES + l] = gm_ising_threshold(p->update, p->log_odds, g->beta[l], f);
        }
    }
}

static void run_group(void *argument, int64_t number, int32_t thread) {
    const job *j = argument;
    const gm_ising_arrays *a = j->arrays;
    const gm_ising_problem *p = j->problem;
    const int64_t first = number * LANES;
    const int lanes = (int)(a->chains - first < LANES ? a->chains - first : LANES);
    char *scratch = (char *)a->workspace + (size_t)thread * j->scratch;
    group g = {.problem = p, .spins = (int8_t *)scratch, .seed = a->seed};
    g.table = has_table(p) ? (uint32_t *)(void *)(scratch + (size_t)p->positions * LANES) : NULL;
    gm_status status[LANES];
    for (int l = 0; l < LANES; ++l) { /* the last chain fills the lanes that are left */
        const int64_t chain = first + (l < lanes ? l : lanes - 1);
        const double beta = a->beta[chain * a->beta_stride];
        status[l] = !load_lane(&g, a, chain, l) ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
        status[l] = isfinite(beta) ? status[l] : GM_STATUS_NON_FINITE;
        g.chain[l] = a->first_chain + (uint64_t)chain;
        g.beta[l] = isfinite(beta) ? beta : 0;
        g.sign[l] = gm_ising_sign(g.beta[l]);
    }
    begin(&g);
    uint64_t sums[LANES][2 * GM_ISING_SUMS] = {{0}};
    for (int64_t s = 0; s < a->sweeps; ++s) {
        int64_t energy[LANES], magnetisation[LANES];
        for (int l = 0; l < LANES; ++l) {
            energy[l] = g.energy[l];
            magnetisation[l] = g.magnetisation[l];
        }
        sweep_once(&g, a->first_sweep + (uint64_t)s, choose_run(j->isa));
        for (int l = 0; l < lanes && a->sums != NULL; ++l) {
            gm_ising_measure(sums[l], energy[l], magnetisation[l], g.energy[l], g.magnetisation[l]);
        }
    }
    for (int l = 0; l < lanes; ++l) {
        static const uint64_t none[2 * GM_ISING_SUMS];
        const bool good = status[l] == GM_STATUS_OK;
        gm_ising_add_product(sums[l] + 2 * GM_ISING_FLIPS, g.flips[l], 1);
        if (good) {
            store_lane(&g, a, first + l, l);
        }
        gm_ising_store(a, first + l, status[l], good ? sums[l] : none);
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
    job j = {problem, arrays, call->isa, scratch_of(problem)};
    if (runs_in_lanes(problem, arrays->chains)) {
        call->kernel = "ising_lanes";
        gm_parallel_for(call->pool, (arrays->chains + LANES - 1) / LANES, run_group, &j);
    } else {
        call->kernel = "ising_chains";
        gm_parallel_for(call->pool, arrays->chains, run_chain, &j);
    }
    return GM_STATUS_OK;
}
