/* The oracle of gm_correlations_add and gm_multispin_correlations: one pair after the other. */
#include <stdbool.h>

#include "host/correlations_args.h"
#include "host/ref/ref.h"

/* ---- pairs of any sites ---------------------------------------------------------------------- */

static void add_chain(const gm_correlations_problem *p, const gm_correlations_arrays *a,
                      int64_t chain) {
    const uint8_t *states = a->states + chain * a->states_stride[0];
    bool good = true;
    for (int64_t i = 0; i < p->sites; ++i) {
        good = good && gm_is_state(p, states[i * a->states_stride[1]]);
    }
    a->status[chain * a->status_stride] = good ? GM_STATUS_OK : GM_STATUS_INVALID_ARGUMENT;
    for (int64_t g = 0; g < p->groups && good; ++g) {
        int64_t sum = 0;
        for (int64_t k = p->first[g]; k < p->first[g + 1]; ++k) {
            const uint8_t x = states[p->ends[2 * k] * a->states_stride[1]];
            const uint8_t y = states[p->ends[2 * k + 1] * a->states_stride[1]];
            sum += p->q > 0 ? x == y : (int8_t)x * (int8_t)y;
        }
        gm_add_wrapping(&a->sums[chain * a->sums_stride[0] + g * a->sums_stride[1]], sum);
    }
}

gm_status gm_ref_correlations_add(gm_call *call, const gm_correlations_problem *problem,
                                  void *state, const gm_correlations_arrays *arrays) {
    (void)state;
    call->kernel = "correlations_ref";
    for (int64_t i = 0; i < arrays->chains; ++i) {
        add_chain(problem, arrays, i);
    }
    return GM_STATUS_OK;
}

/* ---- packed lattices ------------------------------------------------------------------------- */

static int32_t spin_at(const gm_multispin_problem *p, const uint32_t *packed, int64_t stride,
                       const int32_t *at) {
    int32_t word, bit;
    gm_multispin_place(p, at[0], at[1], at[2], &word, &bit);
    return 2 * (int32_t)(packed[word * stride] >> bit & 1) - 1;
}

static int64_t sum_pairs(const gm_multispin_problem *p, const gm_multispin_pairs *a, int64_t chain,
                         int32_t distance) {
    const uint32_t *packed = a->packed + chain * a->packed_stride[0];
    const int64_t stride = a->packed_stride[1];
    int64_t sum = 0;
    for (int32_t i = 0; i < p->sites; ++i) {
        const int32_t at[3] = {i / p->size[2] / p->size[1], i / p->size[2] % p->size[1],
                               i % p->size[2]};
        int32_t to[3] = {at[0], at[1], at[2]};
        to[a->axis] += distance;
        if (to[a->axis] < p->size[a->axis] || p->periodic[a->axis]) {
            to[a->axis] %= p->size[a->axis];
            sum += spin_at(p, packed, stride, at) * spin_at(p, packed, stride, to);
        }
    }
    return sum;
}

gm_status gm_ref_multispin_correlate(gm_call *call, const gm_multispin_problem *problem,
                                     void *state, const gm_multispin_pairs *arrays) {
    (void)state;
    const gm_multispin_pairs *a = arrays;
    call->kernel = "multispin_correlations_ref";
    for (int64_t i = 0; i < a->chains; ++i) {
        for (int32_t k = 0; k < a->count; ++k) {
            gm_add_wrapping(&a->sums[i * a->sums_stride[0] + k * a->sums_stride[1]],
                            sum_pairs(problem, a, i, a->first + k));
        }
    }
    return GM_STATUS_OK;
}
