/* The oracle of gm_potts_run: one chain after the other, one site after the other. */
#include <math.h>
#include <stdbool.h>

#include "host/potts_args.h"
#include "host/ref/ref.h"

/* One chain. */
typedef struct chain {
    const gm_potts_problem *problem;
    uint8_t *labels; /* of this chain, the user's */
    int64_t stride;
    double beta;
    uint64_t seed, number;
    int64_t energy, flips;
    int64_t count[GM_POTTS_MOST_LABELS]; /* sites of each label */
} chain;

static uint8_t *label_at(const chain *c, int32_t position) {
    return &c->labels[c->problem->graph.site[position] * c->stride];
}

/* Sum of J over the neighbours with a label. */
static int64_t neighbour_sum(const chain *c, int32_t position, int32_t label) {
    const gm_chain_graph *g = &c->problem->graph;
    int64_t sum = 0;
    for (int32_t k = g->first[position]; k < g->first[position + 1]; ++k) {
        sum += *label_at(c, g->neighbour[k]) == label ? g->coupling[k] : 0;
    }
    return sum;
}

static int64_t field_at(const chain *c, int32_t position, int32_t label) {
    const gm_chain_graph *g = &c->problem->graph;
    return g->labels > 0 ? g->field[(int64_t)position * g->labels + label] : 0;
}

static int64_t largest_count(const chain *c) {
    int64_t most = 0;
    for (int32_t k = 0; k < c->problem->q; ++k) {
        most = c->count[k] > most ? c->count[k] : most;
    }
    return most;
}

static void begin(chain *c) {
    const gm_chain_graph *g = &c->problem->graph;
    int64_t twice = 0;
    for (int32_t at = 0; at < g->positions; ++at) {
        if (g->site[at] >= 0) {
            const int32_t x = *label_at(c, at);
            c->count[x] += 1;
            c->energy -= field_at(c, at, x);
            twice += neighbour_sum(c, at, x);
        }
    }
    c->energy -= twice / 2;
}

/* The label that the heat bath draws. */
static int32_t draw(const chain *c, int32_t position, uint32_t word) {
    const gm_potts_problem *p = c->problem;
    const int32_t sign = gm_ising_sign(c->beta);
    int32_t field[GM_POTTS_MOST_LABELS], best = INT32_MIN;
    uint64_t weight[GM_POTTS_MOST_LABELS], total = 0;
    for (int32_t k = 0; k < p->q; ++k) {
        field[k] = sign * (int32_t)(neighbour_sum(c, position, k) + field_at(c, position, k));
        best = field[k] > best ? field[k] : best;
    }
    for (int32_t k = 0; k < p->q; ++k) {
        weight[k] = gm_potts_weight(p->graph.quantum, c->beta, gm_potts_gap(best, field[k]));
        total += weight[k];
    }
    const uint64_t point = gm_potts_point(total, word);
    int32_t label = 0;
    for (uint64_t sum = weight[0]; sum <= point; sum += weight[label]) {
        ++label;
    }
    return label;
}

/* The label after a step of Metropolis; cost is its energy times the sign of beta. */
static int32_t propose(const chain *c, int32_t position, int32_t old, uint32_t word) {
    const gm_potts_problem *p = c->problem;
    const int32_t label = gm_potts_propose(p->q, old, word);
    const int64_t gain = neighbour_sum(c, position, label) + field_at(c, position, label) -
                         neighbour_sum(c, position, old) - field_at(c, position, old);
    const int64_t cost = -gain * gm_ising_sign(c->beta);
    const uint64_t weight =
        gm_potts_weight(p->graph.quantum, c->beta, cost > 0 ? (uint32_t)cost : 0);
    return gm_potts_accept(p->q, word, weight) ? label : old;
}

/* Update number `number` of a sweep, at a position. */
static void update(chain *c, uint64_t sweep, int32_t number, int32_t position) {
    const gm_potts_problem *p = c->problem;
    uint8_t *label = label_at(c, position);
    const int32_t old = *label;
    const uint32_t word =
        gm_word(gm_ising_words(c->seed, c->number, sweep, p->graph.blocks, number / 4),
                (uint32_t)number % 4);
    const int32_t now = p->update == GM_POTTS_METROPOLIS ? propose(c, position, old, word)
                                                         : draw(c, position, word);
    if (now != old) {
        c->energy += neighbour_sum(c, position, old) + field_at(c, position, old) -
                     neighbour_sum(c, position, now) - field_at(c, position, now);
        c->count[old] -= 1;
        c->count[now] += 1;
        c->flips += 1;
        *label = (uint8_t)now;
    }
}

static void sweep_once(chain *c, uint64_t sweep) {
    const gm_potts_problem *p = c->problem;
    const gm_chain_graph *g = &p->graph;
    if (p->order == GM_ISING_RANDOM) {
        for (int32_t k = 0; k < g->free_sites; ++k) {
            update(c, sweep, k,
                   gm_ising_choose(c->seed, c->number, sweep, g->blocks, k, g->free_sites));
        }
        return;
    }
    for (int32_t colour = 0; colour < g->colours; ++colour) {
        for (int32_t at = g->colour[2 * colour]; at < g->colour[2 * colour + 1]; ++at) {
            update(c, sweep, at, at);
        }
    }
}

static gm_status check_chain(const chain *c) {
    if (!isfinite(c->beta)) {
        return GM_STATUS_NON_FINITE;
    }
    for (int32_t i = 0; i < c->problem->graph.sites; ++i) {
        if (c->labels[i * c->stride] >= c->problem->q) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
    }
    return GM_STATUS_OK;
}

void gm_ref_potts_chain(const gm_potts_problem *problem, const gm_potts_arrays *a, int64_t i) {
    chain c = {.problem = problem,
               .labels = a->labels + i * a->chain_stride,
               .stride = a->site_stride,
               .beta = a->beta[i * a->beta_stride],
               .seed = a->seed,
               .number = a->first_chain + (uint64_t)i};
    uint64_t sums[2 * GM_POTTS_SUMS] = {0};
    const gm_status status = check_chain(&c);
    if (status == GM_STATUS_OK) {
        begin(&c);
        for (int64_t s = 0; s < a->sweeps; ++s) {
            const int64_t energy = c.energy, order = gm_potts_order(problem, largest_count(&c));
            sweep_once(&c, a->first_sweep + (uint64_t)s);
            if (a->sums != NULL) {
                gm_potts_measure(sums, energy, order, c.energy,
                                 gm_potts_order(problem, largest_count(&c)));
            }
        }
        gm_ising_add_product(sums + 2 * GM_POTTS_FLIPS, c.flips, 1);
    }
    gm_potts_store(a, i, status, sums, c.energy);
}

gm_status gm_ref_potts_run(gm_call *call, const gm_potts_problem *problem, void *state,
                           const gm_potts_arrays *arrays) {
    (void)state;
    call->kernel = "potts_ref";
    for (int64_t i = 0; i < arrays->chains; ++i) {
        gm_ref_potts_chain(problem, arrays, i);
    }
    return GM_STATUS_OK;
}
