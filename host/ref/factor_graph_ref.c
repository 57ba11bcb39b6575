/* The oracle of gm_factor_graph_run: one chain after the other, one variable after the other. */
#include <math.h>
#include <stdbool.h>

#include "host/factor_graph_args.h"
#include "host/ref/ref.h"

/* One chain. */
typedef struct chain {
    const gm_factor_problem *problem;
    uint8_t *labels; /* of this chain, the user's */
    int64_t stride;
    double beta, scale;
    uint64_t seed, number;
    bool stuck; /* a variable without a possible label was met */
} chain;

static uint8_t *label_at(const chain *c, int32_t position) {
    return &c->labels[c->problem->variable[position] * c->stride];
}

/* theta of a factor, as its variables are now. */
static int64_t theta(const chain *c, int32_t factor) {
    const gm_factor_problem *p = c->problem;
    int64_t index = p->base[factor];
    for (int32_t k = p->first_member[factor]; k < p->first_member[factor + 1]; ++k) {
        index += (int64_t)p->member[k].step * *label_at(c, p->member[k].place);
    }
    return p->table[index];
}

/* The log-potential of the factors of a variable, as they are now. */
static int64_t local_sum(const chain *c, int32_t position) {
    const gm_factor_problem *p = c->problem;
    int64_t sum = 0;
    for (int32_t l = p->first[position]; l < p->first[position + 1]; ++l) {
        sum = gm_factor_add(sum, theta(c, p->link[l].factor));
    }
    return sum;
}

static void update(chain *c, uint64_t sweep, int32_t number, int32_t position) {
    const gm_factor_problem *p = c->problem;
    const int32_t cardinality = p->cardinality[position];
    uint8_t *label = label_at(c, position);
    const uint8_t old = *label;
    int64_t sums[256], likeliest = GM_FACTOR_FORBIDDEN;
    for (int32_t v = 0; v < cardinality; ++v) {
        *label = (uint8_t)v;
        sums[v] = local_sum(c, position);
        likeliest = gm_factor_likelier(likeliest, sums[v], c->beta);
    }
    *label = old;
    if (likeliest == GM_FACTOR_FORBIDDEN) {
        c->stuck = true;
        return;
    }
    uint64_t total = 0;
    for (int32_t v = 0; v < cardinality; ++v) {
        total += gm_factor_weight(sums[v], likeliest, c->scale);
    }
    const gm_words words = gm_factor_words(c->seed, c->number, sweep, p->blocks, number / 2);
    const uint64_t target = gm_factor_target(total, gm_factor_random(words, number % 2));
    uint64_t below = 0;
    int32_t v = 0;
    while ((below += gm_factor_weight(sums[v], likeliest, c->scale)) <= target) {
        ++v;
    }
    *label = (uint8_t)v;
}

static void sweep_once(chain *c, uint64_t sweep) {
    const gm_factor_problem *p = c->problem;
    if (p->order == GM_ISING_RANDOM) {
        for (int32_t k = 0; k < p->free_variables; ++k) {
            update(c, sweep, k,
                   gm_factor_choose(c->seed, c->number, sweep, p->blocks, k, p->free_variables));
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
    const gm_factor_problem *p = c->problem;
    if (!gm_factor_beta_is_fine(p, c->beta)) {
        return GM_STATUS_NON_FINITE;
    }
    for (int32_t at = 0; at < p->positions; ++at) {
        if (p->variable[at] >= 0 && *label_at(c, at) >= p->cardinality[at]) {
            return GM_STATUS_INVALID_ARGUMENT;
        }
    }
    return GM_STATUS_OK;
}

/* What the state after a sweep adds to the results. */
static void measure(const chain *c, const gm_factor_arrays *a, int64_t i, int64_t sweep) {
    const gm_factor_problem *p = c->problem;
    for (int32_t at = 0; at < p->positions && a->counts != NULL; ++at) {
        if (p->variable[at] >= 0) {
            const int64_t column = p->state[at] + *label_at(c, at);
            a->counts[i * a->count_chain_stride + column * a->count_stride] += 1;
        }
    }
    if (a->log_potential != NULL) {
        int64_t sum = 0;
        for (int32_t f = 0; f < p->factors; ++f) {
            sum = gm_factor_add(sum, theta(c, f));
        }
        a->log_potential[i * a->potential_stride[0] + sweep * a->potential_stride[1]] =
            gm_factor_potential(p, sum);
    }
}

void gm_ref_factor_chain(const gm_factor_problem *problem, const gm_factor_arrays *a, int64_t i) {
    const double beta = a->beta[i * a->beta_stride];
    chain c = {.problem = problem,
               .labels = a->labels + i * a->chain_stride,
               .stride = a->variable_stride,
               .beta = beta,
               .scale = fabs(beta) * problem->quantum,
               .seed = a->seed,
               .number = a->first_chain + (uint64_t)i};
    gm_status status = check_chain(&c);
    bool runs = status == GM_STATUS_OK;
    for (int64_t s = 0; s < a->sweeps; ++s) {
        if (runs) {
            sweep_once(&c, a->first_sweep + (uint64_t)s);
            runs = !c.stuck;
        }
        if (runs) {
            measure(&c, a, i, s);
        } else if (a->log_potential != NULL) {
            a->log_potential[i * a->potential_stride[0] + s * a->potential_stride[1]] = NAN;
        }
    }
    status = c.stuck ? GM_STATUS_NON_FINITE : status;
    if (a->status != NULL) {
        a->status[i * a->status_stride] = status;
    }
}

void gm_ref_factor_clear(const gm_factor_problem *problem, const gm_factor_arrays *a) {
    const int64_t rows = a->counts == NULL ? 0 : a->reduced ? 1 : a->chains;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t k = 0; k < problem->states; ++k) {
            a->counts[i * a->count_chain_stride + k * a->count_stride] = 0;
        }
    }
}

gm_status gm_ref_factor_run(gm_call *call, const gm_factor_problem *problem, void *state,
                            const gm_factor_arrays *a) {
    (void)state;
    call->kernel = "factor_graph_ref";
    gm_ref_factor_clear(problem, a);
    for (int64_t i = 0; i < a->chains; ++i) {
        gm_ref_factor_chain(problem, a, i);
    }
    return GM_STATUS_OK;
}
