/*
 * gm_factor_graph_run for few chains: the threads share each colour of one chain, and what is
 * measured after a sweep, in spans that do not depend on their number. The words of 64 positions
 * are drawn at once, in vectors. What a thread adds up are integers, so the order does not matter.
 */
#include <math.h>
#include <string.h>

#include "host/cpu/factor_cpu.h"
#include "host/cpu/sites_cpu.h"

enum {
    BLOCKS = 32,        /* of Philox, drawn at once */
    DRAWN = 2 * BLOCKS, /* positions that they are for */
    MOST_LABELS = 256
};

/* What a thread has found since it was collected. */
typedef struct found {
    int64_t potential;
    bool stuck; /* a variable without a possible label was met */
} found;
_Static_assert(sizeof(found) <= GM_SITES_LINE, "one line a thread");

typedef struct chain {
    const gm_factor_problem *problem;
    const gm_factor_arrays *arrays;
    uint8_t *labels; /* (positions) */
    char *lines;     /* what a thread has found at GM_SITES_LINE * thread */
    int64_t index;
    uint64_t number, sweep;
    double beta, scale;
    int32_t first, last; /* positions of the colour at hand */
    void (*update)(struct chain *c, int32_t first, int32_t last, bool *stuck);
} chain;

size_t gm_cpu_factor_sites_workspace(gm_call *call, const gm_factor_problem *problem) {
    return gm_sites_padded((size_t)problem->positions) +
           GM_SITES_LINE * (size_t)gm_pool_threads(call->pool);
}

static found *found_by(const chain *c, int32_t thread) {
    return (found *)(void *)(c->lines + GM_SITES_LINE * thread);
}

static int32_t end_of(int32_t first, int32_t last) {
    return last - first < GM_SITES_SPAN ? last : first + GM_SITES_SPAN;
}

/* ---- a colour -------------------------------------------------------------------------------- */

/* The entry of a factor, as its variables are. */
GM_INLINE const int64_t *entry_of(const chain *c, int32_t factor) {
    const gm_factor_problem *p = c->problem;
    int64_t index = p->base[factor];
    for (int32_t k = p->first_member[factor]; k < p->first_member[factor + 1]; ++k) {
        index += (int64_t)p->member[k].step * c->labels[p->member[k].place];
    }
    return p->table + index;
}

/* The sums of all labels of a position; returns the likeliest. */
GM_INLINE int64_t sum_labels(const chain *c, int32_t at, int64_t *sums) {
    const gm_factor_problem *p = c->problem;
    const int32_t cardinality = p->cardinality[at];
    int64_t likeliest = GM_FACTOR_FORBIDDEN;
    for (int32_t v = 0; v < cardinality; ++v) {
        sums[v] = 0;
    }
    for (int32_t k = p->first[at]; k < p->first[at + 1]; ++k) {
        const int64_t step = p->link[k].step;
        const int64_t *entry = entry_of(c, p->link[k].factor) - step * c->labels[at];
        for (int32_t v = 0; v < cardinality; ++v) {
            sums[v] = gm_factor_add(sums[v], entry[v * step]);
        }
    }
    for (int32_t v = 0; v < cardinality; ++v) {
        likeliest = gm_factor_likelier(likeliest, sums[v], c->beta);
    }
    return likeliest;
}

/* Draws the label of a position anew; false if none is possible. */
GM_INLINE bool draw_label(const chain *c, int32_t at, uint64_t random) {
    const int32_t cardinality = c->problem->cardinality[at];
    int64_t sums[MOST_LABELS];
    uint64_t weights[MOST_LABELS], total = 0;
    const int64_t likeliest = sum_labels(c, at, sums);
    if (likeliest == GM_FACTOR_FORBIDDEN) {
        return false;
    }
    GM_LANE_LOOP
    for (int32_t v = 0; v < cardinality; ++v) {
        weights[v] = gm_factor_weight(sums[v], likeliest, c->scale);
    }
    for (int32_t v = 0; v < cardinality; ++v) {
        total += weights[v];
    }
    const uint64_t target = gm_factor_target(total, random);
    int32_t label = 0;
    for (uint64_t below = weights[0]; below <= target; below += weights[label]) {
        ++label;
    }
    c->labels[at] = (uint8_t)label;
    return true;
}

/* Positions first to last - 1; first is even. */
GM_INLINE void update_span(const chain *c, int32_t first, int32_t last, bool *stuck) {
    for (int32_t at = first; at < last; at += DRAWN) {
        uint64_t random[2][BLOCKS];
        GM_LANE_LOOP
        for (int32_t b = 0; b < BLOCKS; ++b) {
            const gm_words words = gm_factor_words(c->arrays->seed, c->number, c->sweep,
                                                   c->problem->blocks, at / 2 + b);
            random[0][b] = gm_factor_random(words, 0);
            random[1][b] = gm_factor_random(words, 1);
        }
        for (int32_t i = 0; i < DRAWN && at + i < last; ++i) {
            *stuck = !draw_label(c, at + i, random[i % 2][i / 2]) || *stuck;
        }
    }
}

#define DEFINE_UPDATE(isa, target)                                                                 \
    target static void update_##isa(chain *c, int32_t first, int32_t last, bool *stuck) {          \
        update_span(c, first, last, stuck);                                                        \
    }
DEFINE_UPDATE(base, GM_TARGET_BASE)
DEFINE_UPDATE(avx2, GM_TARGET_AVX2)
DEFINE_UPDATE(avx512, GM_TARGET_AVX512)

/* Task `number` of the colour at hand. */
static void run_span(void *argument, int64_t number, int32_t thread) {
    chain *c = argument;
    const int32_t first = c->first + (int32_t)number * GM_SITES_SPAN;
    bool stuck = false;
    c->update(c, first, end_of(first, c->last), &stuck);
    found *mine = found_by(c, thread);
    mine->stuck = mine->stuck || stuck;
}

/* ---- what the state after a sweep adds to the results -----------------------------------------
 */

/* Of a span of positions, whose columns are their own. */
static void count_span(void *argument, int64_t number, int32_t thread) {
    (void)thread;
    const chain *c = argument;
    const gm_factor_problem *p = c->problem;
    const gm_factor_arrays *a = c->arrays;
    const int32_t first = (int32_t)number * GM_SITES_SPAN, last = end_of(first, p->positions);
    uint64_t *counts = a->counts + c->index * a->count_chain_stride;
    for (int32_t at = first; at < last; ++at) {
        if (p->variable[at] >= 0) {
            counts[(p->state[at] + c->labels[at]) * a->count_stride] += 1;
        }
    }
}

/* Of a span of factors. */
static void potential_span(void *argument, int64_t number, int32_t thread) {
    const chain *c = argument;
    const int32_t first = (int32_t)number * GM_SITES_SPAN,
                  last = end_of(first, c->problem->factors);
    found *mine = found_by(c, thread);
    for (int32_t f = first; f < last; ++f) {
        mine->potential = gm_factor_add(mine->potential, *entry_of(c, f));
    }
}

static void measure(gm_call *call, chain *c, int64_t sweep) {
    const gm_factor_problem *p = c->problem;
    const gm_factor_arrays *a = c->arrays;
    if (a->counts != NULL) {
        gm_parallel_for(call->pool, gm_sites_tasks(p->positions), count_span, c);
    }
    if (a->log_potential == NULL) {
        return;
    }
    gm_parallel_for(call->pool, gm_sites_tasks(p->factors), potential_span, c);
    int64_t sum = 0;
    for (int32_t t = 0; t < gm_pool_threads(call->pool); ++t) {
        sum = gm_factor_add(sum, found_by(c, t)->potential);
        found_by(c, t)->potential = 0;
    }
    a->log_potential[c->index * a->potential_stride[0] + sweep * a->potential_stride[1]] =
        gm_factor_potential(p, sum);
}

/* ---- a chain --------------------------------------------------------------------------------- */

/* Returns whether a variable without a possible label was met. */
static bool sweep_once(gm_call *call, chain *c, uint64_t sweep) {
    const gm_factor_problem *p = c->problem;
    bool stuck = false;
    c->sweep = sweep;
    for (int32_t colour = 0; colour < p->colours; ++colour) {
        c->first = p->colour[2 * colour];
        c->last = p->colour[2 * colour + 1];
        gm_parallel_for(call->pool, gm_sites_tasks(c->last - c->first), run_span, c);
    }
    for (int32_t t = 0; t < gm_pool_threads(call->pool); ++t) {
        stuck = stuck || found_by(c, t)->stuck;
        found_by(c, t)->stuck = false;
    }
    return stuck;
}

static bool load(const chain *c, const uint8_t *labels) {
    const gm_factor_problem *p = c->problem;
    for (int32_t at = 0; at < p->positions; ++at) {
        const int32_t variable = p->variable[at];
        c->labels[at] = variable < 0 ? 0 : labels[variable * c->arrays->variable_stride];
        if (variable >= 0 && c->labels[at] >= p->cardinality[at]) {
            return false;
        }
    }
    return true;
}

static void run_chain(gm_call *call, chain *c) {
    const gm_factor_problem *p = c->problem;
    const gm_factor_arrays *a = c->arrays;
    uint8_t *labels = a->labels + c->index * a->chain_stride;
    c->number = a->first_chain + (uint64_t)c->index;
    c->beta = a->beta[c->index * a->beta_stride];
    c->scale = fabs(c->beta) * p->quantum;
    const gm_status status = !gm_factor_beta_is_fine(p, c->beta) ? GM_STATUS_NON_FINITE
                             : !load(c, labels)                  ? GM_STATUS_INVALID_ARGUMENT
                                                                 : GM_STATUS_OK;
    bool stuck = false;
    for (int64_t s = 0; s < a->sweeps; ++s) {
        const bool runs = status == GM_STATUS_OK && !stuck;
        stuck = stuck || (runs && sweep_once(call, c, a->first_sweep + (uint64_t)s));
        if (runs && !stuck) {
            measure(call, c, s);
        } else if (a->log_potential != NULL) {
            a->log_potential[c->index * a->potential_stride[0] + s * a->potential_stride[1]] = NAN;
        }
    }
    for (int32_t at = 0; at < p->positions && status == GM_STATUS_OK; ++at) {
        if (p->variable[at] >= 0) {
            labels[p->variable[at] * a->variable_stride] = c->labels[at];
        }
    }
    if (a->status != NULL) {
        const gm_status last = stuck ? GM_STATUS_NON_FINITE : status;
        a->status[c->index * a->status_stride] = last;
    }
}

void gm_cpu_factor_sites(gm_call *call, const gm_factor_problem *problem,
                         const gm_factor_arrays *arrays) {
    char *memory = arrays->workspace;
    chain c = {.problem = problem, .arrays = arrays, .labels = (uint8_t *)memory};
    c.lines = memory + gm_sites_padded((size_t)problem->positions);
    c.update = call->isa == GM_ISA_AVX512 ? update_avx512
               : call->isa == GM_ISA_AVX2 ? update_avx2
                                          : update_base;
    memset(c.lines, 0, GM_SITES_LINE * (size_t)gm_pool_threads(call->pool));
    for (c.index = 0; c.index < arrays->chains; ++c.index) {
        run_chain(call, &c);
    }
}
