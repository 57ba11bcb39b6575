/* What gm_potts_run hands to a backend, checked, and the decisions that all backends share. */
#ifndef GENMATH_HOST_POTTS_ARGS_H
#define GENMATH_HOST_POTTS_ARGS_H

#include <genmath/potts.h>

#include "host/chain_args.h"
#include "host/ising_args.h"

enum {
    GM_POTTS_MOST_LABELS = 256,
    GM_POTTS_TABLE_SPAN = 511 /* no table of weights for larger gaps: they are computed */
};

typedef struct gm_potts_problem {
    int32_t q;
    gm_potts_update update;
    gm_ising_order order;
    uint32_t span; /* no gap is larger */
    gm_chain_graph graph;
} gm_potts_problem;

typedef struct gm_potts_arrays {
    uint64_t seed, first_chain, first_sweep;
    int64_t sweeps, chains;
    const double *beta;
    int64_t beta_stride;
    uint8_t *labels;
    int64_t chain_stride, site_stride;
    uint64_t *sums; /* NULL: not wanted */
    int64_t sums_stride[3];
    int32_t *status; /* NULL: not wanted */
    int64_t status_stride;
    int64_t *energy; /* NULL: not wanted */
    int64_t energy_stride;
    void *workspace;
} gm_potts_arrays;

GM_INLINE int32_t gm_potts_has_table(const gm_potts_problem *p) {
    return p->span <= GM_POTTS_TABLE_SPAN;
}

/* 2^48 exp(-|beta| quantum gap), rounded: products, one exponential, one sum with the same bits
 * everywhere. */
GM_INLINE uint64_t gm_potts_weight(double quantum, double beta, uint32_t gap) {
    const double cost = (double)gap * quantum * gm_from_bits_f64(gm_bits_f64(beta) << 1 >> 1);
    return (uint64_t)(int64_t)(gm_exp_f64(-cost) * 0x1p48 + 0.5);
}

/* How far a field is below another; both have the sign of beta. */
GM_INLINE uint32_t gm_potts_gap(int32_t best, int32_t field) {
    return (uint32_t)best - (uint32_t)field;
}

/* The integer part of total * word / 2^32; total <= 2^56. */
GM_INLINE uint64_t gm_potts_point(uint64_t total, uint32_t word) {
    return (total >> 32) * word + ((total & 0xffffffffu) * word >> 32);
}

/* The label that Metropolis proposes, none of them twice: the others in ascending order share the
 * 2^32 words evenly. */
GM_INLINE int32_t gm_potts_propose(int32_t q, int32_t old, uint32_t word) {
    const int32_t other = (int32_t)((uint64_t)word * (uint64_t)(uint32_t)(q - 1) >> 32);
    return other + (other >= old);
}

/* Whether it is taken at a cost of that weight: what the proposal leaves of the word decides. */
GM_INLINE uint32_t gm_potts_accept(int32_t q, uint32_t word, uint64_t weight) {
    const uint32_t rest = word * (uint32_t)(q - 1);
    return (uint64_t)rest << 16 < weight;
}

/* M of a state whose most frequent label is at `most` sites. */
GM_INLINE int64_t gm_potts_order(const gm_potts_problem *p, int64_t most) {
    return p->q * most - p->graph.sites;
}

/* Adds what a sweep led to: from energy and order parameter (e0, m0) to (e, m). */
GM_INLINE void gm_potts_measure(uint64_t *sums, int64_t e0, int64_t m0, int64_t e, int64_t m) {
    gm_ising_add_product(sums + 2 * GM_POTTS_E, e, 1);
    gm_ising_add_product(sums + 2 * GM_POTTS_E2, e, e);
    gm_ising_add_product(sums + 2 * GM_POTTS_E_LAG, e, e0);
    gm_ising_add_product(sums + 2 * GM_POTTS_M, m, 1);
    gm_ising_add_product(sums + 2 * GM_POTTS_M2, m, m);
    gm_ising_add_product(sums + 2 * GM_POTTS_M4, m * m, m * m);
    gm_ising_add_product(sums + 2 * GM_POTTS_M_LAG, m, m0);
}

/* What becomes of a chain. */
GM_INLINE void gm_potts_store(const gm_potts_arrays *a, int64_t chain, gm_status status,
                              const uint64_t *sums, int64_t energy) {
    for (int64_t k = 0; k < 2 * GM_POTTS_SUMS && a->sums != NULL; ++k) {
        a->sums[chain * a->sums_stride[0] + k / 2 * a->sums_stride[1] + k % 2 * a->sums_stride[2]] =
            status == GM_STATUS_OK ? sums[k] : 0;
    }
    if (a->status != NULL) {
        a->status[chain * a->status_stride] = status;
    }
    if (a->energy != NULL) {
        a->energy[chain * a->energy_stride] = status == GM_STATUS_OK ? energy : 0;
    }
}

#endif
