/*
 * gm_potts_run for few chains: the threads share each colour of one chain, in spans that do not
 * depend on their number. The words of 128 positions are drawn at once, in vectors; the updates are
 * scalar, with weights from a table where there is one. What a thread adds up are integers, so the
 * order does not matter.
 */
#include <math.h>
#include <string.h>

#include "host/cpu/potts_cpu.h"
#include "host/cpu/sites_cpu.h"

/* What a thread has changed since it was collected. */
typedef struct totals {
    int64_t energy, flips;
    int64_t count[GM_POTTS_MOST_LABELS]; /* sites of each label */
} totals;

typedef struct chain {
    const gm_potts_problem *problem;
    uint8_t *labels; /* (positions) */
    uint64_t *table; /* (span + 1) weights; NULL: computed */
    char *lines;     /* a thread's totals at line_bytes() * thread */
    uint64_t seed, number, sweep;
    double beta;
    int32_t sign;
    int32_t first, last; /* positions of the colour at hand */
    void (*update)(struct chain *c, int32_t first, int32_t last, totals *sum);
} chain;

static size_t line_bytes(void) {
    return gm_sites_padded(sizeof(totals));
}

static size_t table_bytes(const gm_potts_problem *p) {
    return gm_potts_has_table(p) ? gm_sites_padded(((size_t)p->span + 1) * sizeof(uint64_t)) : 0;
}

size_t gm_cpu_potts_sites_workspace(gm_call *call, const gm_potts_problem *problem) {
    return gm_sites_padded((size_t)problem->graph.positions) + table_bytes(problem) +
           line_bytes() * (size_t)gm_pool_threads(call->pool);
}

static totals *totals_of(const chain *c, int32_t thread) {
    return (totals *)(void *)(c->lines + line_bytes() * (size_t)thread);
}

/* ---- a colour -------------------------------------------------------------------------------- */

GM_INLINE int32_t field_at(const gm_chain_graph *g, int32_t at, int32_t label) {
    return g->labels > 0 ? g->field[(int64_t)at * g->labels + label] : 0;
}

GM_INLINE uint64_t weight_of(const chain *c, uint32_t gap) {
    return c->table != NULL ? c->table[gap]
                            : gm_potts_weight(c->problem->graph.quantum, c->beta, gap);
}

/* The label that the heat bath draws, and what it gains in field. */
GM_INLINE int32_t draw_label(const chain *c, int32_t at, int32_t old, uint32_t word,
                             int32_t *gain) {
    const gm_chain_graph *g = &c->problem->graph;
    const int32_t q = c->problem->q;
    int32_t field[GM_POTTS_MOST_LABELS], best = INT32_MIN, label = 0;
    uint64_t weight[GM_POTTS_MOST_LABELS], total = 0;
    for (int32_t k = 0; k < q; ++k) {
        field[k] = field_at(g, at, k);
    }
    for (int32_t n = g->first[at]; n < g->first[at + 1]; ++n) {
        field[c->labels[g->neighbour[n]]] += g->coupling[n];
    }
    for (int32_t k = 0; k < q; ++k) {
        const int32_t aligned = c->sign * field[k];
        best = aligned > best ? aligned : best;
    }
    for (int32_t k = 0; k < q; ++k) {
        weight[k] = weight_of(c, gm_potts_gap(best, c->sign * field[k]));
        total += weight[k];
    }
    const uint64_t point = gm_potts_point(total, word);
    for (uint64_t sum = weight[0]; sum <= point; sum += weight[label]) {
        ++label;
    }
    *gain = field[label] - field[old];
    return label;
}

/* As draw_label, by Metropolis. */
GM_INLINE int32_t propose_label(const chain *c, int32_t at, int32_t old, uint32_t word,
                                int32_t *gain) {
    const gm_chain_graph *g = &c->problem->graph;
    const int32_t label = gm_potts_propose(c->problem->q, old, word);
    int32_t rise = field_at(g, at, label) - field_at(g, at, old);
    for (int32_t n = g->first[at]; n < g->first[at + 1]; ++n) {
        const int32_t x = c->labels[g->neighbour[n]];
        rise += (x == label ? g->coupling[n] : 0) - (x == old ? g->coupling[n] : 0);
    }
    const int32_t aligned = c->sign * rise;
    const uint32_t gap = aligned < 0 ? 0u - (uint32_t)aligned : 0;
    const bool taken = gm_potts_accept(c->problem->q, word, weight_of(c, gap)) != 0;
    *gain = taken ? rise : 0;
    return taken ? label : old;
}

/* Positions first to last - 1; first is a multiple of four. */
GM_INLINE void update_span(chain *c, int32_t first, int32_t last, totals *sum) {
    const bool metropolis = c->problem->update == GM_POTTS_METROPOLIS;
    int64_t energy = 0, flips = 0;
    for (int32_t at = first; at < last; at += GM_SITES_DRAWN) {
        uint32_t words[4][GM_SITES_QUADS];
        gm_sites_draw(c->seed, c->number, c->sweep, c->problem->graph.blocks, at, words);
        const int32_t count = last - at < GM_SITES_DRAWN ? last - at : GM_SITES_DRAWN;
        for (int32_t i = 0; i < count; ++i) {
            const int32_t old = c->labels[at + i];
            int32_t gain;
            const int32_t now = metropolis
                                    ? propose_label(c, at + i, old, words[i % 4][i / 4], &gain)
                                    : draw_label(c, at + i, old, words[i % 4][i / 4], &gain);
            c->labels[at + i] = (uint8_t)now;
            energy -= gain;
            flips += now != old;
            sum->count[old] -= 1;
            sum->count[now] += 1;
        }
    }
    sum->energy += energy;
    sum->flips += flips;
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
    c->update(c, first, last, totals_of(c, thread));
}

/* ---- a chain --------------------------------------------------------------------------------- */

/* Energy and labels of the state at hand. */
static void begin(const chain *c, totals *now) {
    const gm_chain_graph *g = &c->problem->graph;
    int64_t twice = 0;
    for (int32_t at = 0; at < g->positions; ++at) {
        const int32_t own = c->labels[at];
        if (g->site[at] < 0) {
            continue;
        }
        now->count[own] += 1;
        now->energy -= field_at(g, at, own);
        for (int32_t n = g->first[at]; n < g->first[at + 1]; ++n) {
            twice += c->labels[g->neighbour[n]] == own ? g->coupling[n] : 0;
        }
    }
    now->energy -= twice / 2;
}

/* Adds up and clears what the threads have. */
static void collect(const chain *c, int32_t threads, totals *now) {
    const int32_t q = c->problem->q;
    for (int32_t t = 0; t < threads; ++t) {
        totals *shared = totals_of(c, t);
        now->energy += shared->energy;
        now->flips += shared->flips;
        shared->energy = shared->flips = 0;
        for (int32_t k = 0; k < q; ++k) {
            now->count[k] += shared->count[k];
            shared->count[k] = 0;
        }
    }
}

static int64_t order_of(const gm_potts_problem *p, const totals *now) {
    int64_t most = 0;
    for (int32_t k = 0; k < p->q; ++k) {
        most = now->count[k] > most ? now->count[k] : most;
    }
    return gm_potts_order(p, most);
}

/* Returns the energy after the last sweep. */
static int64_t run_sweeps(gm_call *call, chain *c, const gm_potts_arrays *a, uint64_t *sums) {
    const gm_chain_graph *g = &c->problem->graph;
    totals now = {0};
    begin(c, &now);
    int64_t order = order_of(c->problem, &now);
    for (int64_t s = 0; s < a->sweeps; ++s) {
        const int64_t energy_before = now.energy, order_before = order;
        c->sweep = a->first_sweep + (uint64_t)s;
        for (int32_t colour = 0; colour < g->colours; ++colour) {
            c->first = g->colour[2 * colour];
            c->last = g->colour[2 * colour + 1];
            gm_parallel_for(call->pool, gm_sites_tasks(c->last - c->first), run_span, c);
        }
        collect(c, gm_pool_threads(call->pool), &now);
        if (a->sums != NULL) {
            order = order_of(c->problem, &now);
            gm_potts_measure(sums, energy_before, order_before, now.energy, order);
        }
    }
    gm_ising_add_product(sums + 2 * GM_POTTS_FLIPS, now.flips, 1);
    return now.energy;
}

static bool load(const chain *c, const uint8_t *labels, int64_t stride) {
    const gm_chain_graph *g = &c->problem->graph;
    for (int32_t at = 0; at < g->positions; ++at) {
        const uint8_t x = g->site[at] < 0 ? 0 : labels[g->site[at] * stride];
        if (x >= c->problem->q) {
            return false;
        }
        c->labels[at] = x;
    }
    return true;
}

static void run_chain(gm_call *call, chain *c, const gm_potts_arrays *a, int64_t i) {
    const gm_potts_problem *p = c->problem;
    uint8_t *labels = a->labels + i * a->chain_stride;
    uint64_t sums[2 * GM_POTTS_SUMS] = {0};
    int64_t energy = 0;
    c->number = a->first_chain + (uint64_t)i;
    c->beta = a->beta[i * a->beta_stride];
    c->sign = gm_ising_sign(c->beta);
    const gm_status status = !isfinite(c->beta)                 ? GM_STATUS_NON_FINITE
                             : !load(c, labels, a->site_stride) ? GM_STATUS_INVALID_ARGUMENT
                                                                : GM_STATUS_OK;
    if (status == GM_STATUS_OK) {
        for (uint32_t gap = 0; c->table != NULL && gap <= p->span; ++gap) {
            c->table[gap] = gm_potts_weight(p->graph.quantum, c->beta, gap);
        }
        energy = run_sweeps(call, c, a, sums);
        for (int32_t at = 0; at < p->graph.positions; ++at) {
            if (p->graph.site[at] >= 0) {
                labels[p->graph.site[at] * a->site_stride] = c->labels[at];
            }
        }
    }
    gm_potts_store(a, i, status, sums, energy);
}

void gm_cpu_potts_sites(gm_call *call, const gm_potts_problem *problem,
                        const gm_potts_arrays *arrays) {
    char *memory = arrays->workspace;
    const size_t labels = gm_sites_padded((size_t)problem->graph.positions);
    chain c = {.problem = problem, .labels = (uint8_t *)memory, .seed = arrays->seed};
    c.table = gm_potts_has_table(problem) ? (uint64_t *)(void *)(memory + labels) : NULL;
    c.lines = memory + labels + table_bytes(problem);
    c.update = call->isa == GM_ISA_AVX512 ? update_avx512
               : call->isa == GM_ISA_AVX2 ? update_avx2
                                          : update_base;
    memset(c.lines, 0, line_bytes() * (size_t)gm_pool_threads(call->pool));
    for (int64_t i = 0; i < arrays->chains; ++i) {
        run_chain(call, &c, arrays, i);
    }
}
