/* What gm_factor_graph_run hands to a backend, checked, and what all backends decide alike. */
#ifndef GENMATH_HOST_FACTOR_GRAPH_ARGS_H
#define GENMATH_HOST_FACTOR_GRAPH_ARGS_H

#include <genmath/factor_graph.h>
#include <genmath/philox.h>

/* A forbidden entry; every sum of allowed ones is far above. */
#define GM_FACTOR_FORBIDDEN INT64_MIN

/* One factor that a variable is in. */
typedef struct gm_factor_link {
    int32_t factor;
    int32_t step; /* of the table's index with the variable's label */
} gm_factor_link;

/* One variable that a factor is of. */
typedef struct gm_factor_member {
    int32_t place; /* position */
    int32_t step;
} gm_factor_member;

/*
 * A planned model. A variable lives at a position: COLOURED, colour by colour in ascending order of
 * the variables, each colour from an even position on, so that a Philox block serves one colour;
 * else the free variables by number. The clamped ones come last and are never updated.
 */
typedef struct gm_factor_problem {
    gm_ising_order order;
    int32_t variables, positions, free_variables, colours;
    int32_t factors, links, members, entries; /* the lengths of the arrays below */
    int64_t states;
    int32_t blocks; /* of Philox in a sweep */
    double quantum; /* of the tables */
    double reach;   /* |L| <= reach quantum, and any conditional's distance <= 2 reach */
    void *memory;   /* of all arrays, in one piece */
    size_t bytes;
    const int64_t *table;       /* (entries) in quanta */
    const int64_t *state;       /* (positions) the first of the variable's columns of counts */
    const int32_t *variable;    /* (positions) that lives there, -1 for a gap */
    const int32_t *cardinality; /* (positions) */
    const int32_t *colour;      /* (colours, 2) first position and the one after the last */
    const int32_t *first;       /* (positions + 1) into link */
    const gm_factor_link *link;
    const int32_t *base;         /* (factors) into table */
    const int32_t *first_member; /* (factors + 1) into member */
    const gm_factor_member *member;
} gm_factor_problem;

typedef struct gm_factor_arrays {
    uint64_t seed, first_chain, first_sweep;
    int64_t sweeps, chains;
    const double *beta;
    int64_t beta_stride;
    uint8_t *labels;
    int64_t chain_stride, variable_stride;
    uint64_t *counts; /* NULL: not wanted */
    int64_t count_chain_stride, count_stride;
    int reduced;           /* counts adds all chains; count_chain_stride is 0 */
    double *log_potential; /* NULL: not wanted */
    int64_t potential_stride[2];
    int32_t *status; /* NULL: not wanted */
    int64_t status_stride;
    void *workspace;
} gm_factor_arrays;

/* a + b, forbidden if one of them is. */
GM_INLINE int64_t gm_factor_add(int64_t a, int64_t b) {
    return a == GM_FACTOR_FORBIDDEN || b == GM_FACTOR_FORBIDDEN ? GM_FACTOR_FORBIDDEN : a + b;
}

/* Of two sums of log-potentials the likelier one: for a negative beta the lower. */
GM_INLINE int64_t gm_factor_likelier(int64_t a, int64_t b, double beta) {
    const int takes_b =
        b != GM_FACTOR_FORBIDDEN && (a == GM_FACTOR_FORBIDDEN || (beta < 0 ? b < a : b > a));
    return takes_b ? b : a;
}

/*
 * 2^52 times the weight of a label beside the likeliest one. scale: |beta| quantum. A difference of
 * integers, a product, math.h's exp, a product with a power of two and a sum: no compiler can fuse
 * two of them into other bits.
 */
GM_INLINE uint64_t gm_factor_weight(int64_t sum, int64_t likeliest, double scale) {
    const int64_t own = sum == GM_FACTOR_FORBIDDEN ? likeliest : sum;
    const int64_t distance = own < likeliest ? likeliest - own : own - likeliest;
    const double cost = (double)distance * scale;
    const double weight = gm_exp_f64(-cost) * 0x1p52;
    return sum == GM_FACTOR_FORBIDDEN ? 0 : (uint64_t)(weight + 0.5);
}

/* floor(total random / 2^64), for 0 < total: a number below total. */
GM_INLINE uint64_t gm_factor_target(uint64_t total, uint64_t random) {
    const uint64_t low = (total & 0xffffffffu) * (random & 0xffffffffu);
    const uint64_t left = (total >> 32) * (random & 0xffffffffu);
    const uint64_t right = (total & 0xffffffffu) * (random >> 32);
    const uint64_t middle = (low >> 32) + (left & 0xffffffffu) + (right & 0xffffffffu);
    return (total >> 32) * (random >> 32) + (left >> 32) + (right >> 32) + (middle >> 32);
}

/* The words of positions (or updates) 2 pair and 2 pair + 1 of a sweep. */
GM_INLINE gm_words gm_factor_words(uint64_t seed, uint64_t chain, uint64_t sweep, int32_t blocks,
                                   int32_t pair) {
    return gm_philox_block(seed, chain, GM_STREAM_CHAIN_ACCEPT,
                           sweep * (uint64_t)blocks + (uint64_t)pair);
}

/* The 64 bits of the first (0) or second of a pair. */
GM_INLINE uint64_t gm_factor_random(gm_words words, int32_t which) {
    return which == 0 ? (uint64_t)words.w1 << 32 | words.w0 : (uint64_t)words.w3 << 32 | words.w2;
}

/* The position that update `number` of a sweep of RANDOM takes. */
GM_INLINE int32_t gm_factor_choose(uint64_t seed, uint64_t chain, uint64_t sweep, int32_t blocks,
                                   int32_t number, int32_t free_variables) {
    return (int32_t)gm_bounded_u32(seed, chain, GM_STREAM_CHAIN,
                                   2 * sweep * (uint64_t)blocks + (uint64_t)number,
                                   (uint64_t)free_variables);
}

/* Whether a chain with this beta can be run: no product with a distance overflows. */
GM_INLINE int gm_factor_beta_is_fine(const gm_factor_problem *p, double beta) {
    const double most = gm_abs_f64(beta) * p->quantum * (2 * p->reach + 1);
    return most - most == 0;
}

/* L as a number. */
GM_INLINE double gm_factor_potential(const gm_factor_problem *p, int64_t sum) {
    return sum == GM_FACTOR_FORBIDDEN ? -GM_INF_F64 : (double)sum * p->quantum;
}

#endif
