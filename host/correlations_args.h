/* What gm_correlations_add and gm_multispin_correlations hand to a backend, checked, and what all
 * backends share. */
#ifndef GENMATH_HOST_CORRELATIONS_ARGS_H
#define GENMATH_HOST_CORRELATIONS_ARGS_H

#include <genmath/correlations.h>

#include "host/multispin_args.h"

/* The pairs (a, b), (a + 1, b + 1) .. as many as its length. */
typedef struct gm_pair_run {
    int32_t a, b, length;
} gm_pair_run;

typedef struct gm_correlations_problem {
    int64_t sites, groups, pairs, run_count;
    int32_t q; /* 0: spins */
    gm_ising_spins spins;
    const int64_t *first;     /* (groups + 1) into ends */
    const int32_t *ends;      /* (pairs, 2) */
    const int64_t *first_run; /* (groups + 1) into runs */
    const gm_pair_run *runs;  /* the pairs again */
} gm_correlations_problem;

typedef struct gm_correlations_arrays {
    int64_t chains;
    const uint8_t *states;
    int64_t states_stride[2];
    int64_t *sums;
    int64_t sums_stride[2];
    int32_t *status;
    int64_t status_stride;
    void *workspace;
} gm_correlations_arrays;

typedef struct gm_multispin_pairs {
    int32_t axis; /* of z, y, x */
    int32_t first, count;
    int64_t chains;
    const uint32_t *packed;
    int64_t packed_stride[2];
    int64_t *sums;
    int64_t sums_stride[2];
    void *workspace;
} gm_multispin_pairs;

/* Whether pairs match where both spins are 1, else where the values are the same. */
GM_INLINE int gm_matches_ones(const gm_correlations_problem *p) {
    return p->q == 0 && p->spins == GM_ISING_BITS;
}

GM_INLINE int gm_is_state(const gm_correlations_problem *p, uint32_t byte) {
    return p->q > 0                     ? byte < (uint32_t)p->q
           : p->spins == GM_ISING_SIGNS ? byte == 1 || byte == 255
                                        : byte <= 1;
}

/* What so many matches of a group's pairs add to its sum. */
GM_INLINE int64_t gm_group_value(const gm_correlations_problem *p, int64_t matches, int64_t pairs) {
    return p->q == 0 && p->spins == GM_ISING_SIGNS ? 2 * matches - pairs : matches;
}

/* sum += value, modulo 2^64. */
GM_INLINE void gm_add_wrapping(int64_t *sum, int64_t value) {
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

/* The pairs of a packed lattice at a distance. */
GM_INLINE int64_t gm_multispin_pair_count(const gm_multispin_problem *p, int32_t axis,
                                          int32_t distance) {
    const int64_t lines = p->sites / p->size[axis];
    return p->periodic[axis] ? p->sites : lines * (p->size[axis] - distance);
}

#endif
