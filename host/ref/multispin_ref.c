/* The oracle of gm_multispin_*: one chain after the other, one site after the other, by its
 * coordinates, with all 32 bits of its noise. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "host/multispin_args.h"
#include "host/ref/ref.h"

/* One chain. */
typedef struct chain {
    const gm_multispin_problem *problem;
    uint32_t *packed; /* of this chain, the user's */
    int64_t stride;
    double beta;
    uint64_t seed, number;
    int64_t energy, magnetisation, flips;
} chain;

/* ---- spins ----------------------------------------------------------------------------------- */

static int32_t spin_at(const chain *c, int32_t z, int32_t y, int32_t x) {
    int32_t word, bit;
    gm_multispin_place(c->problem, z, y, x, &word, &bit);
    return 2 * (int32_t)(c->packed[word * c->stride] >> bit & 1) - 1;
}

/* The spin after `step` sites along an axis; 0 beyond a free boundary. */
static int32_t spin_beside(const chain *c, const int32_t *at, int axis, int32_t step) {
    const gm_multispin_problem *p = c->problem;
    int32_t to[3] = {at[0], at[1], at[2]};
    to[axis] += step;
    if (to[axis] < 0 || to[axis] >= p->size[axis]) {
        if (!p->periodic[axis]) {
            return 0;
        }
        to[axis] = (to[axis] + p->size[axis]) % p->size[axis];
    }
    return spin_at(c, to[0], to[1], to[2]);
}

static int32_t neighbour_sum(const chain *c, const int32_t *at) {
    const bool honeycomb = c->problem->lattice == GM_MULTISPIN_HONEYCOMB;
    int32_t sum = 0;
    for (int axis = 0; axis < 3; ++axis) {
        for (int32_t step = -1; step <= 1; step += 2) {
            const bool joined = !honeycomb || axis == 2 || ((at[1] + at[2]) % 2 == 0) == (step > 0);
            sum += joined ? spin_beside(c, at, axis, step) : 0;
        }
    }
    return sum;
}

static int32_t field_at(const chain *c, const int32_t *at) {
    return gm_multispin_field(c->problem, neighbour_sum(c, at));
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

static void begin(chain *c) {
    const gm_multispin_problem *p = c->problem;
    int64_t twice = 0; /* a bond counts at both of its ends */
    c->magnetisation = c->flips = 0;
    for (int32_t i = 0; i < p->sites; ++i) {
        const int32_t at[3] = {i / p->size[2] / p->size[1], i / p->size[2] % p->size[1],
                               i % p->size[2]};
        const int32_t spin = spin_at(c, at[0], at[1], at[2]);
        c->magnetisation += spin;
        twice += (int64_t)spin * field_at(c, at);
    }
    c->energy = -(twice + p->field * c->magnetisation) / 2;
}

/* The number of the site at a bit of a word: its planes, the most significant first. */
static uint32_t noise_of(const chain *c, uint64_t sweep, int32_t word, int32_t bit) {
    uint32_t number = 0;
    for (int32_t quad = 0; quad < GM_MULTISPIN_PLANES / 4; ++quad) {
        const gm_words words = gm_philox_block(c->seed, c->number, GM_STREAM_CHAIN_ACCEPT,
                                               gm_multispin_block(c->problem, sweep, word, quad));
        for (uint32_t plane = 0; plane < 4; ++plane) {
            number = number << 1 | (gm_word(words, plane) >> bit & 1);
        }
    }
    return number;
}

static void update(chain *c, uint64_t sweep, const int32_t *at) {
    const gm_multispin_problem *p = c->problem;
    int32_t word, bit;
    gm_multispin_place(p, at[0], at[1], at[2], &word, &bit);
    const int32_t field = field_at(c, at), old = spin_at(c, at[0], at[1], at[2]);
    const uint32_t up = gm_ising_decide(
        p->update, gm_ising_sign(c->beta) * field, old == 1, noise_of(c, sweep, word, bit),
        gm_ising_threshold(p->update, p->log_odds, c->beta, abs(field)));
    const int32_t change = gm_ising_value(GM_ISING_SIGNS, up) - old;
    c->energy -= (int64_t)change * field;
    c->magnetisation += change;
    c->flips += change != 0;
    c->packed[word * c->stride] ^= (uint32_t)(change != 0) << bit;
}

static void sweep_once(chain *c, uint64_t sweep) {
    const gm_multispin_problem *p = c->problem;
    for (int32_t colour = 0; colour < 2; ++colour) {
        for (int32_t z = 0; z < p->size[0]; ++z) {
            for (int32_t y = 0; y < p->size[1]; ++y) {
                for (int32_t x = (z + y + colour) % 2; x < p->size[2]; x += 2) {
                    update(c, sweep, (const int32_t[3]){z, y, x});
                }
            }
        }
    }
}

/* Bits that are no site's become 0. */
static void clear_holes(const chain *c) {
    const gm_multispin_problem *p = c->problem;
    for (int32_t colour = 0; colour < 2; ++colour) {
        for (int32_t place = 0; place < 32 * p->words; ++place) {
            int32_t z, y, x;
            gm_multispin_site(p, colour, place, &z, &y, &x);
            if (place >= p->places || x >= p->size[2]) {
                c->packed[(colour * p->words + place / 32) * c->stride] &= ~(1u << place % 32);
            }
        }
    }
}

static void run_chain(const gm_multispin_problem *problem, const gm_multispin_arrays *a,
                      int64_t i) {
    const gm_ising_arrays *run = &a->run;
    chain c = {.problem = problem,
               .packed = a->packed + i * a->chain_stride,
               .stride = a->word_stride,
               .beta = run->beta[i * run->beta_stride],
               .seed = run->seed,
               .number = run->first_chain + (uint64_t)i};
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    if (!isfinite(c.beta)) {
        gm_ising_store(run, i, GM_STATUS_NON_FINITE, sums, 0);
        return;
    }
    begin(&c);
    for (int64_t s = 0; s < run->sweeps; ++s) {
        const int64_t energy = c.energy, magnetisation = c.magnetisation;
        sweep_once(&c, run->first_sweep + (uint64_t)s);
        gm_ising_measure(sums, energy, magnetisation, c.energy, c.magnetisation);
    }
    gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, c.flips, 1);
    clear_holes(&c);
    gm_ising_store(run, i, GM_STATUS_OK, sums, c.energy);
}

gm_status gm_ref_multispin_run(gm_call *call, const gm_multispin_problem *problem, void *state,
                               const gm_multispin_arrays *arrays) {
    (void)state;
    call->kernel = "multispin_ref";
    for (int64_t i = 0; i < arrays->run.chains; ++i) {
        run_chain(problem, arrays, i);
    }
    return GM_STATUS_OK;
}

/* ---- packing --------------------------------------------------------------------------------- */

static void pack_chain(const gm_multispin_problem *p, const gm_multispin_spins *a, int64_t i) {
    const int8_t *spins = a->spins + i * a->spins_stride[0];
    uint32_t *packed = a->packed + i * a->packed_stride[0];
    bool good = true;
    for (int64_t k = 0; k < p->sites; ++k) {
        const int8_t x = spins[k * a->spins_stride[1]];
        good = good && (x == 1 || x == -1);
    }
    a->status[i * a->status_stride] = good ? GM_STATUS_OK : GM_STATUS_INVALID_ARGUMENT;
    for (int32_t w = 0; w < 2 * p->words && good; ++w) {
        packed[w * a->packed_stride[1]] = 0;
    }
    for (int32_t k = 0; k < p->sites && good; ++k) {
        const int32_t row = k / p->size[2];
        int32_t word, bit;
        gm_multispin_place(p, row / p->size[1], row % p->size[1], k % p->size[2], &word, &bit);
        packed[word * a->packed_stride[1]] |= (uint32_t)(spins[k * a->spins_stride[1]] == 1) << bit;
    }
}

static void unpack_chain(const gm_multispin_problem *p, const gm_multispin_spins *a, int64_t i) {
    for (int32_t k = 0; k < p->sites; ++k) {
        const int32_t row = k / p->size[2];
        int32_t word, bit;
        gm_multispin_place(p, row / p->size[1], row % p->size[1], k % p->size[2], &word, &bit);
        const uint32_t packed = a->packed[i * a->packed_stride[0] + word * a->packed_stride[1]];
        a->spins[i * a->spins_stride[0] + k * a->spins_stride[1]] =
            (int8_t)gm_ising_value(GM_ISING_SIGNS, packed >> bit & 1);
    }
}

void gm_ref_multispin_convert_chain(const gm_multispin_problem *problem,
                                    const gm_multispin_spins *spins, int64_t number) {
    if (spins->status != NULL) {
        pack_chain(problem, spins, number);
    } else {
        unpack_chain(problem, spins, number);
    }
}

gm_status gm_ref_multispin_convert(gm_call *call, const gm_multispin_problem *problem, void *state,
                                   const gm_multispin_spins *spins) {
    (void)state;
    call->kernel = spins->status != NULL ? "multispin_pack_ref" : "multispin_unpack_ref";
    for (int64_t i = 0; i < spins->chains; ++i) {
        gm_ref_multispin_convert_chain(problem, spins, i);
    }
    return GM_STATUS_OK;
}
