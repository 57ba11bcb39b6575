/* What gm_ising_run hands to a backend, checked, and the decisions that all backends share. */
#ifndef GENMATH_HOST_ISING_ARGS_H
#define GENMATH_HOST_ISING_ARGS_H

#include <genmath/ising.h>
#include <genmath/philox.h>

/* No table of thresholds for fields that reach further: they are computed when needed. Nor is one
 * made that is longer than the updates it would serve. */
#define GM_ISING_TABLE_REACH 1023

/*
 * A planned model. A site lives at a position: COLOURED, colour by colour in ascending order of the
 * sites, each colour from a multiple of four on, so that a Philox block serves one colour; else
 * the free sites by number. The clamped sites come last and are never updated.
 */
typedef struct gm_ising_problem {
    gm_ising_spins spins;
    gm_ising_update update;
    gm_ising_order order;
    int32_t sites, positions, free_sites, colours;
    int32_t reach;            /* |f| <= reach, in quanta */
    int32_t blocks;           /* of Philox in a sweep */
    int64_t neighbours;       /* entries of neighbour and coupling: twice the edges */
    int32_t keeps;            /* the workspace has room for what gm_ising_arrays.holds leaves */
    double log_odds;          /* of up against down for a field of one quantum and beta = 1 */
    const int32_t *site;      /* (positions) the site that lives there, -1 for a gap */
    const int32_t *colour;    /* (colours, 2) first position and the one after the last */
    const int32_t *first;     /* (positions + 1) into neighbour and coupling */
    const int32_t *neighbour; /* positions */
    const int32_t *coupling;  /* in quanta */
    const int32_t *field;     /* (positions) in quanta */
} gm_ising_problem;

typedef struct gm_ising_arrays {
    uint64_t seed, first_chain, first_sweep;
    int64_t sweeps, chains;
    const double *beta;
    int64_t beta_stride;
    int8_t *spins;
    int64_t chain_stride, site_stride;
    uint64_t *sums; /* NULL: not wanted */
    int64_t sums_stride[3];
    int32_t *status; /* NULL: not wanted */
    int64_t status_stride;
    int64_t *energy; /* NULL: not wanted */
    int64_t energy_stride;
    void *workspace;
    /* A run in several calls on one workspace, nothing else in between. holds: the spins need not
     * be written back, the next call resumes. resumes: they, the energies and what chains are bad
     * may be taken from the workspace. A path that does neither is right too, if it is the path
     * of all the calls. */
    int32_t holds, resumes;
} gm_ising_arrays;

/* The lower of the two values of a spin. */
GM_INLINE int32_t gm_ising_down(gm_ising_spins spins) {
    return spins == GM_ISING_SIGNS ? -1 : 0;
}

/* The value of a spin that is up or not. */
GM_INLINE int32_t gm_ising_value(gm_ising_spins spins, uint32_t up) {
    return spins == GM_ISING_SIGNS ? 2 * (int32_t)up - 1 : (int32_t)up;
}

/*
 * 2^32 times the probability of what is less likely in a field of |f| quanta: for the heat bath the
 * value against the field, at most 2^31; for Metropolis the flip that costs energy, for the lazy
 * one half of that. Products, one sum, one quotient: the same bits everywhere.
 */
GM_INLINE uint32_t gm_ising_threshold(gm_ising_update update, double log_odds, double beta,
                                      int32_t magnitude) {
    const double cost =
        (double)magnitude * log_odds * gm_from_bits_f64(gm_bits_f64(beta) << 1 >> 1);
    const double e = gm_exp_f64(-cost);
    const double p = update == GM_ISING_METROPOLIS        ? e
                     : update == GM_ISING_LAZY_METROPOLIS ? 0.5 * e
                                                          : e / (1.0 + e);
    const double scaled = p * 0x1p32 + 0.5;
    return scaled < 0x1p32 ? (uint32_t)scaled : 0xffffffffu;
}

/* The rows of a chain's table of thresholds. */
GM_INLINE int32_t gm_ising_rows(const gm_ising_problem *p, int64_t sweeps) {
    const int64_t rows = (int64_t)p->reach + 1;
    return p->reach <= GM_ISING_TABLE_REACH && (sweeps > rows || rows <= sweeps * p->positions)
               ? (int32_t)rows
               : 0;
}

/* Fields are multiplied with this, so that they point where the spin would be. */
GM_INLINE int32_t gm_ising_sign(double beta) {
    return beta > 0 ? 1 : beta < 0 ? -1 : 0;
}

/* The new spin (1: up) in a field that already has the sign of beta, from 32 random bits. */
GM_INLINE uint32_t gm_ising_decide(gm_ising_update update, int32_t field, uint32_t up,
                                   uint32_t word, uint32_t threshold) {
    const uint32_t likely = field >= 0;
    const uint32_t against = word < threshold;
    const uint32_t drawn = likely ^ against;
    if (update == GM_ISING_LAZY_METROPOLIS) {
        return up ^ (up == likely ? against : (word >> 31) ^ 1u);
    }
    if (update != GM_ISING_METROPOLIS) {
        return drawn;
    }
    const uint32_t downhill = up != likely ? likely : drawn;
    return field == 0 ? up ^ 1u : downhill;
}

/* The four words of positions (or updates) 4 quad to 4 quad + 3 of a sweep. */
GM_INLINE gm_words gm_ising_words(uint64_t seed, uint64_t chain, uint64_t sweep, int32_t blocks,
                                  int32_t quad) {
    return gm_philox_block(seed, chain, GM_STREAM_CHAIN_ACCEPT,
                           sweep * (uint64_t)blocks + (uint64_t)quad);
}

/* The position that update `number` of a sweep of RANDOM takes. */
GM_INLINE int32_t gm_ising_choose(uint64_t seed, uint64_t chain, uint64_t sweep, int32_t blocks,
                                  int32_t number, int32_t free_sites) {
    return (int32_t)gm_bounded_u32(seed, chain, GM_STREAM_CHAIN,
                                   4 * sweep * (uint64_t)blocks + (uint64_t)number,
                                   (uint64_t)free_sites);
}

/* sum += a b, in 128 bits, two's complement, low word first. |a|, |b| < 2^63. */
GM_INLINE void gm_ising_add_product(uint64_t *sum, int64_t a, int64_t b) {
    const uint64_t x = a < 0 ? 0u - (uint64_t)a : (uint64_t)a;
    const uint64_t y = b < 0 ? 0u - (uint64_t)b : (uint64_t)b;
    const uint64_t low = (x & 0xffffffffu) * (y & 0xffffffffu);
    const uint64_t left = (x >> 32) * (y & 0xffffffffu), right = (x & 0xffffffffu) * (y >> 32);
    const uint64_t middle = (low >> 32) + (left & 0xffffffffu) + (right & 0xffffffffu);
    uint64_t p0 = middle << 32 | (low & 0xffffffffu);
    uint64_t p1 = (x >> 32) * (y >> 32) + (left >> 32) + (right >> 32) + (middle >> 32);
    if ((a < 0) != (b < 0)) {
        p0 = 0u - p0;
        p1 = ~p1 + (p0 == 0);
    }
    sum[0] += p0;
    sum[1] += p1 + (sum[0] < p0);
}

/* Adds what a sweep led to: from energy and magnetisation (e0, m0) to (e, m). */
GM_INLINE void gm_ising_measure(uint64_t *sums, int64_t e0, int64_t m0, int64_t e, int64_t m) {
    gm_ising_add_product(sums + 2 * GM_ISING_E, e, 1);
    gm_ising_add_product(sums + 2 * GM_ISING_E2, e, e);
    gm_ising_add_product(sums + 2 * GM_ISING_E_LAG, e, e0);
    gm_ising_add_product(sums + 2 * GM_ISING_M, m, 1);
    gm_ising_add_product(sums + 2 * GM_ISING_ABS_M, m < 0 ? -m : m, 1);
    gm_ising_add_product(sums + 2 * GM_ISING_M2, m, m);
    gm_ising_add_product(sums + 2 * GM_ISING_M4, m * m, m * m);
    gm_ising_add_product(sums + 2 * GM_ISING_M_LAG, m, m0);
}

/* What becomes of a chain. */
GM_INLINE void gm_ising_store(const gm_ising_arrays *a, int64_t chain, gm_status status,
                              const uint64_t *sums, int64_t energy) {
    for (int64_t k = 0; k < 2 * GM_ISING_SUMS && a->sums != NULL; ++k) {
        a->sums[chain * a->sums_stride[0] + k / 2 * a->sums_stride[1] + k % 2 * a->sums_stride[2]] =
            sums[k];
    }
    if (a->status != NULL) {
        a->status[chain * a->status_stride] = status;
    }
    if (a->energy != NULL) {
        a->energy[chain * a->energy_stride] = status == GM_STATUS_OK ? energy : 0;
    }
}

#endif
