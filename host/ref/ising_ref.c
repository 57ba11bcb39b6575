/* The oracle of gm_ising_run: one chain after the other, one site after the other. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "host/ising_args.h"
#include "host/ref/ref.h"

/* One chain. */
typedef struct chain {
    const gm_ising_problem *problem;
    int8_t *spins; /* of this chain, the user's */
    int64_t stride;
    double beta;
    uint64_t seed, number;
    int64_t energy, magnetisation, flips; /* from begin on */
} chain;

static int8_t *spin_at(const chain *c, int32_t position) {
    return &c->spins[c->problem->site[position] * c->stride];
}

/* The sum over neighbours alone. */
static int64_t neighbour_sum(const chain *c, int32_t position) {
    const gm_ising_problem *p = c->problem;
    int64_t sum = 0;
    for (int32_t k = p->first[position]; k < p->first[position + 1]; ++k) {
        sum += (int64_t)p->coupling[k] * *spin_at(c, p->neighbour[k]);
    }
    return sum;
}

static void begin(chain *c) {
    const gm_ising_problem *p = c->problem;
    int64_t twice = 0;
    c->energy = c->magnetisation = c->flips = 0;
    for (int32_t at = 0; at < p->positions; ++at) {
        if (p->site[at] >= 0) {
            const int64_t x = *spin_at(c, at);
            c->magnetisation += x;
            c->energy -= x * p->field[at];
            twice += x * neighbour_sum(c, at);
        }
    }
    c->energy -= twice / 2;
}

/* Update number `number` of a sweep, at a position. */
static void update(chain *c, uint64_t sweep, int32_t number, int32_t position) {
    const gm_ising_problem *p = c->problem;
    int8_t *spin = spin_at(c, position);
    const int32_t field = (int32_t)(neighbour_sum(c, position) + p->field[position]);
    const uint32_t word = gm_word(gm_ising_words(c->seed, c->number, sweep, p->blocks, number / 4),
                                  (uint32_t)number % 4);
    const uint32_t threshold = gm_ising_threshold(p->update, p->log_odds, c->beta, abs(field));
    const uint32_t up =
        gm_ising_decide(p->update, gm_ising_sign(c->beta) * field, *spin == 1, word, threshold);
    const int32_t change = gm_ising_value(p->spins, up) - *spin;
    c->energy -= (int64_t)change * field;
    c->magnetisation += change;
    c->flips += change != 0;
    *spin = (int8_t)(*spin + change);
}

static void sweep_once(chain *c, uint64_t sweep) {
    const gm_ising_problem *p = c->problem;
    if (p->order == GM_ISING_RANDOM) {
        for (int32_t k = 0; k < p->free_sites; ++k) {
            update(c, sweep, k,
                   gm_ising_choose(c->seed, c->number, sweep, p->blocks, k, p->free_sites));
        }
        return;
    }
    for (int32_t colour = 0; colour < p->colours; ++colour) {
        for (int32_t at = p->colour[2 * colour]; at < p->colour[2 * colour + 1]; ++at) {
            update(c, sweep, at, at);
        }
    }
}

static gm_status check_chain(const chain *c) {
    if (!isfinite(c->beta)) {
        return GM_STATUS_NON_FINITE;
    }
    for (int32_t i = 0; i < c->problem->sites; ++i) {
        const int8_t x = c->spins[i * c->stride];
        if (x != 1 && x != gm_ising_down(c->problem->spins)) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
    }
    return GM_STATUS_OK;
}

void gm_ref_ising_chain(const gm_ising_problem *problem, const gm_ising_arrays *a, int64_t i) {
    chain c = {.problem = problem,
               .spins = a->spins + i * a->chain_stride,
               .stride = a->site_stride,
               .beta = a->beta[i * a->beta_stride],
               .seed = a->seed,
               .number = a->first_chain + (uint64_t)i};
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    const gm_status status = check_chain(&c);
    if (status == GM_STATUS_OK) {
        begin(&c);
        for (int64_t s = 0; s < a->sweeps; ++s) {
            const int64_t energy = c.energy, magnetisation = c.magnetisation;
            sweep_once(&c, a->first_sweep + (uint64_t)s);
            gm_ising_measure(sums, energy, magnetisation, c.energy, c.magnetisation);
        }
        gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, c.flips, 1);
    }
    gm_ising_store(a, i, status, sums, c.energy);
}

gm_status gm_ref_ising_run(gm_call *call, const gm_ising_problem *problem, void *state,
                           const gm_ising_arrays *arrays) {
    (void)state;
    call->kernel = "ising_ref";
    for (int64_t i = 0; i < arrays->chains; ++i) {
        gm_ref_ising_chain(problem, arrays, i);
    }
    return GM_STATUS_OK;
}
