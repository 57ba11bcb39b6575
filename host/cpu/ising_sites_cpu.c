/*
 * gm_ising_run for few chains: the threads share each colour of one chain, in spans that do not
 * depend on their number. The words of 128 positions are drawn at once, in vectors; the updates are
 * scalar. What a thread adds up are integers, so the order does not matter.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/ising_cpu.h"
#include "host/cpu/sites_cpu.h"

typedef struct totals {
    int64_t energy, magnetisation, flips;
} totals;
_Static_assert(sizeof(totals) <= GM_SITES_LINE, "one line a thread");

typedef struct chain {
    const gm_ising_problem *problem;
    int8_t *spins;   /* (positions) */
    uint32_t *table; /* (reach + 1); NULL: computed */
    char *lines;     /* a thread's totals at GM_SITES_LINE * thread */
    uint64_t seed, number, sweep;
    double beta;
    int32_t sign;
    int32_t first, last; /* positions of the colour at hand */
    void (*update)(struct chain *c, int32_t first, int32_t last, totals *sum);
} chain;

static size_t table_bytes(const gm_ising_problem *p) {
    return gm_ising_has_table(p) ? gm_sites_padded(((size_t)p->reach + 1) * sizeof(uint32_t)) : 0;
}

size_t gm_cpu_ising_sites_workspace(gm_call *call, const gm_ising_problem *problem) {
    return gm_sites_padded((size_t)problem->positions) + table_bytes(problem) +
           GM_SITES_LINE * (size_t)gm_pool_threads(call->pool);
}

/* ---- a colour -------------------------------------------------------------------------------- */

static int32_t neighbour_sum(const chain *c, int32_t at) {
    const gm_ising_problem *p = c->problem;
    int32_t sum = 0;
    for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k) {
        sum += p->coupling[k] * c->spins[p->neighbour[k]];
    }
    return sum;
}

GM_INLINE void update_site(chain *c, int32_t at, uint32_t word, totals *sum) {
    const gm_ising_problem *p = c->problem;
    const int32_t field = neighbour_sum(c, at) + p->field[at];
    const int32_t magnitude = abs(field), old = c->spins[at];
    const uint32_t threshold = c->table != NULL
                                   ? c->table[magnitude]
                                   : gm_ising_threshold(p->update, p->log_odds, c->beta, magnitude);
    const uint32_t up = gm_ising_decide(p->update, c->sign * field, old == 1, word, threshold);
    const int32_t change = gm_ising_value(p->spins, up) - old;
    c->spins[at] = (int8_t)(old + change);
    sum->energy -= (int64_t)change * field;
    sum->magnetisation += change;
    sum->flips += change != 0;
}

/* Positions first to last - 1; first is a multiple of four. */
GM_INLINE void update_span(chain *c, int32_t first, int32_t last, totals *sum) {
    for (int32_t at = first; at < last; at += GM_SITES_DRAWN) {
        uint32_t words[4][GM_SITES_QUADS];
        gm_sites_draw(c->seed, c->number, c->sweep, c->problem->blocks, at, words);
        const int32_t count = last - at < GM_SITES_DRAWN ? last - at : GM_SITES_DRAWN;
        for (int32_t i = 0; i < count; ++i) {
            update_site(c, at + i, words[i % 4][i / 4], sum);
        }
    }
}

#define DEFINE_UPDATE(isa, target)                                                                 \
    target static void update_##isa(chain *c, int32_t first, int32_t last, totals *sum) {          \
        update_span(c, first, last, sum);                                                          \
    }
DEFINE_UPDATE(base, GM_TARGET_BASE)
DEFINE_UPDATE(avx2, GM_TARGET_AVX2)
DEFINE_UPDATE(avx512, GM_TARGET_AVX512)

/* Task `number` of the colour at hand. */
static void run_span(void *argument, int64_t number, int32_t thread) {
    chain *c = argument;
    const int32_t first = c->first + (int32_t)number * GM_SITES_SPAN;
    const int32_t last = c->last - first < GM_SITES_SPAN ? c->last : first + GM_SITES_SPAN;
    totals *shared = (totals *)(void *)(c->lines + GM_SITES_LINE * thread);
    totals sum = *shared;
    c->update(c, first, last, &sum);
    *shared = sum;
}

/* ---- a chain --------------------------------------------------------------------------------- */

static totals begin(const chain *c) {
    const gm_ising_problem *p = c->problem;
    totals sum = {0};
    for (int32_t at = 0; at < p->positions; ++at) {
        if (p->site[at] >= 0) {
            const int64_t x = c->spins[at];
            sum.energy -= x * (neighbour_sum(c, at) + 2 * (int64_t)p->field[at]);
            sum.magnetisation += x;
        }
    }
    sum.energy /= 2;
    return sum;
}

/* Adds up and clears what the threads have. */
static void collect(const chain *c, int32_t threads, totals *now) {
    for (int32_t t = 0; t < threads; ++t) {
        totals *shared = (totals *)(void *)(c->lines + GM_SITES_LINE * t);
        now->energy += shared->energy;
        now->magnetisation += shared->magnetisation;
        now->flips += shared->flips;
        *shared = (totals){0};
    }
}

/* Returns the energy after the last sweep. */
static int64_t run_sweeps(gm_call *call, chain *c, const gm_ising_arrays *a, uint64_t *sums) {
    const gm_ising_problem *p = c->problem;
    totals now = begin(c);
    for (int64_t s = 0; s < a->sweeps; ++s) {
        const totals before = now;
        c->sweep = a->first_sweep + (uint64_t)s;
        for (int32_t colour = 0; colour < p->colours; ++colour) {
            c->first = p->colour[2 * colour];
            c->last = p->colour[2 * colour + 1];
            gm_parallel_for(call->pool, gm_sites_tasks(c->last - c->first), run_span, c);
        }
        collect(c, gm_pool_threads(call->pool), &now);
        gm_ising_measure(sums, before.energy, before.magnetisation, now.energy, now.magnetisation);
    }
    gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, now.flips, 1);
    return now.energy;
}

static bool load(const chain *c, const int8_t *spins, int64_t stride) {
    const gm_ising_problem *p = c->problem;
    const int8_t down = (int8_t)gm_ising_down(p->spins);
    for (int32_t at = 0; at < p->positions; ++at) {
        const int8_t x = p->site[at] < 0 ? down : spins[p->site[at] * stride];
        if (x != 1 && x != down) {
            return false;
        }
        c->spins[at] = x;
    }
    return true;
}

static void run_chain(gm_call *call, chain *c, const gm_ising_arrays *a, int64_t i) {
    const gm_ising_problem *p = c->problem;
    int8_t *spins = a->spins + i * a->chain_stride;
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    int64_t energy = 0;
    c->number = a->first_chain + (uint64_t)i;
    c->beta = a->beta[i * a->beta_stride];
    c->sign = gm_ising_sign(c->beta);
    const gm_status status = !isfinite(c->beta)                ? GM_STATUS_NON_FINITE
                             : !load(c, spins, a->site_stride) ? GM_STATUS_INVALID_ARGUMENT
                                                               : GM_STATUS_OK;
    if (status == GM_STATUS_OK) {
        for (int32_t f = 0; f <= p->reach && c->table != NULL; ++f) {
            c->table[f] = gm_ising_threshold(p->update, p->log_odds, c->beta, f);
        }
        energy = run_sweeps(call, c, a, sums);
        for (int32_t at = 0; at < p->positions; ++at) {
            if (p->site[at] >= 0) {
                spins[p->site[at] * a->site_stride] = c->spins[at];
            }
        }
    }
    gm_ising_store(a, i, status, sums, energy);
}

void gm_cpu_ising_sites(gm_call *call, const gm_ising_problem *problem,
                        const gm_ising_arrays *arrays) {
    char *memory = arrays->workspace;
    const size_t spins = gm_sites_padded((size_t)problem->positions);
    chain c = {.problem = problem, .spins = (int8_t *)memory, .seed = arrays->seed};
    c.table =
        gm_ising_rows(problem, arrays->sweeps) > 0 ? (uint32_t *)(void *)(memory + spins) : NULL;
    c.lines = memory + spins + table_bytes(problem);
    c.update = call->isa == GM_ISA_AVX512 ? update_avx512
               : call->isa == GM_ISA_AVX2 ? update_avx2
                                          : update_base;
    memset(c.lines, 0, GM_SITES_LINE * (size_t)gm_pool_threads(call->pool));
    for (int64_t i = 0; i < arrays->chains; ++i) {
        run_chain(call, &c, arrays, i);
    }
}
