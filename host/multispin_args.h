/* What gm_multispin_* hand to a backend, checked, and what all backends share. */
#ifndef GENMATH_HOST_MULTISPIN_ARGS_H
#define GENMATH_HOST_MULTISPIN_ARGS_H

#include <genmath/multispin.h>

#include "host/ising_args.h"

enum {
    GM_MULTISPIN_NEIGHBOURS = 6,
    GM_MULTISPIN_TERMS =
        13, /* of the cubic lattice: one, and two masked pairs for each direction */
    GM_MULTISPIN_CLASSES = GM_MULTISPIN_NEIGHBOURS + 1, /* |sum of neighbours|: 0 .. 6 */
    GM_MULTISPIN_ROWS = 2 * GM_MULTISPIN_CLASSES, /* [m]: of the sum m, [CLASSES + m]: of -m */
    GM_MULTISPIN_PLANES = 32,
    GM_MULTISPIN_MASK_ALIGN = 16, /* words: a vector from a multiple of it on is in one period */
    GM_MULTISPIN_NO_MASK = -1
};

/*
 * Part of one neighbour of the places of a colour: that of place i is place i + 32 whole + shift of
 * the other colour, for the places first .. last - 1 whose bit in the mask is set. The terms of a
 * neighbour follow each other and have no place in common.
 */
typedef struct gm_multispin_term {
    int32_t whole;       /* words, rounded down */
    int32_t shift;       /* bits, 0 .. 31 */
    int32_t first, last; /* places */
    int32_t mask;        /* word w has masks[mask + w % period[kind]]; NO_MASK: all bits */
    int32_t kind;        /* 0: repeats with the rows, 1: with the layers */
    int32_t is_last;     /* of its neighbour */
} gm_multispin_term;

/* The places of a colour are the bits 0 .. places - 1 of its words; with an odd size of the last
 * axis some are holes, no site's. */
typedef struct gm_multispin_problem {
    gm_multispin_lattice lattice;
    gm_ising_update update;
    int32_t size[3], periodic[3]; /* z, y, x: axes that are missing have size 1 */
    int32_t coupling, field;      /* J and h in quanta */
    double log_odds;              /* as of gm_ising_problem */
    int64_t energy_bound;
    int32_t sites, row;    /* row: places in a row */
    int32_t places, words; /* of a colour */
    int32_t neighbours;    /* of a site in the bulk: 2, 3, 4 or 6 */
    int32_t is_open;       /* some sites have fewer */
    int32_t terms[2];      /* of a colour */
    gm_multispin_term term[2][GM_MULTISPIN_TERMS];
    int32_t valid[2];  /* of a colour: the mask (kind 0) of its places that are sites, or NO_MASK */
    int32_t period[2]; /* words */
    int32_t mask_words;
    const uint32_t *masks;
} gm_multispin_problem;

typedef struct gm_multispin_arrays {
    gm_ising_arrays run; /* its spins are not used */
    uint32_t *packed;
    int64_t chain_stride, word_stride;
} gm_multispin_arrays;

typedef struct gm_multispin_spins {
    int64_t chains;
    int8_t *spins;
    int64_t spins_stride[2];
    uint32_t *packed;
    int64_t packed_stride[2];
    int32_t *status; /* packs; NULL: unpacks */
    int64_t status_stride;
} gm_multispin_spins;

/* Planes 4 quad to 4 quad + 3 of word `word` of 2 words in a sweep. */
GM_INLINE uint64_t gm_multispin_block(const gm_multispin_problem *p, uint64_t sweep, int32_t word,
                                      int32_t quad) {
    return (sweep * (uint64_t)(2 * p->words) + (uint64_t)word) * (GM_MULTISPIN_PLANES / 4) +
           (uint64_t)quad;
}

/* Where the site with these coordinates is. */
GM_INLINE void gm_multispin_place(const gm_multispin_problem *p, int32_t z, int32_t y, int32_t x,
                                  int32_t *word, int32_t *bit) {
    const int32_t number = (z * p->size[1] + y) * p->row + x / 2;
    *word = (z + y + x) % 2 * p->words + number / 32;
    *bit = number % 32;
}

/* The coordinates of a place: x may be size[2], of a hole. */
GM_INLINE void gm_multispin_site(const gm_multispin_problem *p, int32_t colour, int32_t place,
                                 int32_t *z, int32_t *y, int32_t *x) {
    const int32_t row = place / p->row;
    *z = row / p->size[1];
    *y = row % p->size[1];
    *x = 2 * (place % p->row) + (*z + *y + colour) % 2;
}

/* Bits of word w that are places first .. last - 1. */
GM_INLINE uint32_t gm_multispin_range(int32_t w, int32_t first, int32_t last) {
    const int32_t low = first - 32 * w, high = last - 32 * w;
    const uint32_t above = low <= 0 ? ~0u : low < 32 ? ~0u << low : 0u;
    const uint32_t below = high >= 32 ? ~0u : high > 0 ? ~(~0u << high) : 0u;
    return above & below;
}

/* The local field, in quanta, of a site whose neighbours have this sum. */
GM_INLINE int32_t gm_multispin_field(const gm_multispin_problem *p, int32_t sum) {
    return p->coupling * sum + p->field;
}

/* The energy, in quanta, of a state with so many equal pairs of neighbours less the unequal ones,
 * and so many sites that are up. */
GM_INLINE int64_t gm_multispin_energy(const gm_multispin_problem *p, int64_t bonds, int64_t up) {
    return -(p->coupling * bonds + p->field * (2 * up - p->sites));
}

/* Whether the sum of a site's neighbours can be +-m. */
GM_INLINE int gm_multispin_has_class(int32_t neighbours, int is_open, int32_t m) {
    return m <= neighbours && (is_open || (neighbours - m) % 2 == 0);
}

#endif
