/* What gm_tempering_run hands to a backend, checked, and the decisions that all backends share. */
#ifndef GENMATH_HOST_TEMPERING_ARGS_H
#define GENMATH_HOST_TEMPERING_ARGS_H

#include <genmath/philox.h>
#include <genmath/tempering.h>

#define GM_TEMPERING_MOST 4096 /* temperatures */

/* Labels. */
enum { GM_TEMPERING_NOWHERE, GM_TEMPERING_FIRST, GM_TEMPERING_LAST };

/* A ladder over a density, in its precision. */
typedef struct gm_tempering_density {
    gm_dtype dtype;
    int64_t dim, draw_level;
    const double *level_step; /* (temperatures) */
    void *beta, *step;        /* (chains), written: NaN where nothing is to be run */
    const void *state;        /* (dim, chains) */
    void *log_density;        /* (chains) */
    int32_t *chain_accepted;  /* (chains) */
    void *draws;              /* (dim, ladders) of this swap; strides of all draws */
    double *sums;
    int64_t *accepted;
    int64_t state_stride[2], log_density_stride, draws_stride[3], sums_stride[2],
        accepted_stride[2];
} gm_tempering_density;

/* Nothing here is a model's: energies, temperatures, and sums that are only added up. NULL for what
 * is not wanted. */
typedef struct gm_tempering_args {
    int64_t ladders, temperatures;
    gm_tempering_pairs pairs;
    uint64_t seed, first_ladder, swap;
    double quantum;
    const double *ladder; /* (temperatures) */
    /* The chains: (ladders * temperatures), one after the other. */
    double *beta; /* written: NaN where nothing is to be swept */
    int64_t *energy;
    int64_t energy_stride;
    const int32_t *chain_status; /* begin only */
    const uint64_t *chain_sums;  /* (chains, sums_count, 2) */
    int64_t sums_count;
    int32_t *ladder_status; /* (ladders) */
    /* The user's. */
    int32_t *level, *label, *status;
    uint64_t *sums;
    int64_t *swaps, *trips;
    int64_t level_stride[2], label_stride[2], status_stride, sums_stride[4], swaps_stride[3],
        trips_stride[2];
    int32_t is_density; /* then beta, energy, chain_status, chain_sums and sums are not used */
    gm_tempering_density density;
} gm_tempering_args;

/* (low - high) (a - b) quantum, for levels whose temperatures are low and high and whose energies
 * are a and b. Products and one difference: the same bits everywhere. */
GM_INLINE double gm_tempering_exponent(double low, double high, double quantum, int64_t a,
                                       int64_t b) {
    const uint64_t gap = a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
    const double size = (low - high) * quantum * (double)gap;
    return a < b ? -size : size;
}

/* 2^32 min(1, exp(exponent)), rounded. A NaN is infinity times a difference of energies of 0. */
GM_INLINE uint64_t gm_tempering_threshold(double exponent) {
    return exponent < 0 ? gm_bernoulli_threshold(gm_exp_f64(exponent)) : UINT64_C(1) << 32;
}

/* Element i of an array in either precision. */
GM_INLINE double gm_tempering_real(const void *array, gm_dtype dtype, int64_t i) {
    return dtype == GM_F32 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

GM_INLINE void gm_tempering_set(void *array, gm_dtype dtype, int64_t i, double value) {
    if (dtype == GM_F32) {
        ((float *)array)[i] = (float)value;
    } else {
        ((double *)array)[i] = value;
    }
}

/* A chain is put at a level; the arguments of the next sweeps. */
GM_INLINE void gm_tempering_place(const gm_tempering_args *a, int64_t chain, double beta,
                                  double step) {
    if (a->is_density) {
        gm_tempering_set(a->density.beta, a->density.dtype, chain, beta);
        gm_tempering_set(a->density.step, a->density.dtype, chain, step);
    } else {
        a->beta[chain] = beta;
    }
}

/* 2^32 times the probability that chains low and high, at levels pair and pair + 1, exchange. */
GM_INLINE uint64_t gm_tempering_odds(const gm_tempering_args *a, int64_t pair, int64_t low,
                                     int64_t high) {
    const double below = a->ladder[pair], above = a->ladder[pair + 1];
    if (a->is_density) {
        const gm_tempering_density *d = &a->density;
        const double p = gm_tempering_real(d->log_density, d->dtype, low * d->log_density_stride);
        const double q = gm_tempering_real(d->log_density, d->dtype, high * d->log_density_stride);
        const double exponent = (below - above) * (q - p);
        return exponent - exponent == 0 ? gm_tempering_threshold(exponent) : 0;
    }
    return gm_tempering_threshold(gm_tempering_exponent(below, above, a->quantum,
                                                        a->energy[low * a->energy_stride],
                                                        a->energy[high * a->energy_stride]));
}

/* What a chain at a level adds to that: log density, acceptances, a draw. */
GM_INLINE void gm_tempering_add(const gm_tempering_args *a, int64_t ladder, int64_t r,
                                int64_t level) {
    const gm_tempering_density *d = &a->density;
    const int64_t chain = ladder * a->temperatures + r;
    if (d->sums != NULL) {
        d->sums[ladder * d->sums_stride[0] + level * d->sums_stride[1]] +=
            gm_tempering_real(d->log_density, d->dtype, chain * d->log_density_stride);
    }
    if (d->accepted != NULL) {
        d->accepted[ladder * d->accepted_stride[0] + level * d->accepted_stride[1]] +=
            d->chain_accepted[chain];
    }
    for (int64_t i = 0; i < d->dim && d->draws != NULL && level == d->draw_level; ++i) {
        gm_tempering_set(d->draws, d->dtype, i * d->draws_stride[1] + ladder * d->draws_stride[2],
                         gm_tempering_real(d->state, d->dtype,
                                           i * d->state_stride[0] + chain * d->state_stride[1]));
    }
}

/* Before the first swap. */
GM_INLINE void gm_tempering_clear(const gm_tempering_args *a, int64_t ladder, int64_t level) {
    const gm_tempering_density *d = &a->density;
    if (d->sums != NULL) {
        d->sums[ladder * d->sums_stride[0] + level * d->sums_stride[1]] = 0;
    }
    if (d->accepted != NULL) {
        d->accepted[ladder * d->accepted_stride[0] + level * d->accepted_stride[1]] = 0;
    }
}

/* Philox blocks of a swap: a word for each pair, and the last one for the parity. */
GM_INLINE int64_t gm_tempering_blocks(int64_t temperatures) {
    return (temperatures + 3) / 4;
}

GM_INLINE uint32_t gm_tempering_word(const gm_tempering_args *a, int64_t ladder, int64_t place) {
    const uint64_t block =
        a->swap * (uint64_t)gm_tempering_blocks(a->temperatures) + (uint64_t)place / 4;
    return gm_word(
        gm_philox_block(a->seed, a->first_ladder + (uint64_t)ladder, GM_STREAM_CHAIN_SWAP, block),
        (uint32_t)place % 4);
}

/* The first of the pairs that are tried: 0 or 1. */
GM_INLINE int64_t gm_tempering_parity(const gm_tempering_args *a, int64_t ladder) {
    return a->pairs == GM_TEMPERING_ALTERNATE
               ? (int64_t)(a->swap & 1)
               : (int64_t)(gm_tempering_word(a, ladder, a->temperatures - 1) & 1);
}

/* The label of a chain at a level, and whether it has come round. */
GM_INLINE int32_t gm_tempering_label(int64_t temperatures, int32_t level, int32_t label,
                                     int64_t *trips) {
    *trips = level == 0 && temperatures > 1 && label == GM_TEMPERING_LAST;
    return level == 0 ? GM_TEMPERING_FIRST : level == temperatures - 1 ? GM_TEMPERING_LAST : label;
}

#endif
