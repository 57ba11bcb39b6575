/* What gm_tempering_run hands to a backend, checked, and the decisions that all backends share. */
#ifndef GENMATH_HOST_TEMPERING_ARGS_H
#define GENMATH_HOST_TEMPERING_ARGS_H

#include <genmath/philox.h>
#include <genmath/tempering.h>

#define GM_TEMPERING_MOST 4096 /* temperatures */

/* Labels. */
enum { GM_TEMPERING_NOWHERE, GM_TEMPERING_FIRST, GM_TEMPERING_LAST };

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
