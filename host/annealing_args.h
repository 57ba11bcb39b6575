/* What gm_annealing_run hands to a backend after each stretch of sweeps, checked. */
#ifndef GENMATH_HOST_ANNEALING_ARGS_H
#define GENMATH_HOST_ANNEALING_ARGS_H

#include <genmath/annealing.h>
#include <genmath/math.h>

/* NULL for what is not wanted. */
typedef struct gm_annealing_args {
    int64_t chains, sites;
    int32_t begins; /* 1: results are set, not continued */
    double change;  /* of beta before the next step: 0 if there is none in this call */
    double quantum;
    const int8_t *spins;
    const int64_t *energy;       /* (chains) */
    const int32_t *chain_status; /* (chains) */
    int8_t *best;
    int64_t *best_energy;
    double *log_weight;
    int64_t spins_stride[2], best_stride[2], energy_stride, status_stride, best_energy_stride,
        log_weight_stride;
} gm_annealing_args;

/* The weight of a chain whose energy is `energy` quanta, its beta about to change. One rounding of
 * the energy and an fma: the same bits everywhere. */
GM_INLINE double gm_annealing_weigh(const gm_annealing_args *a, double log_weight, int64_t energy) {
    return gm_fma_f64(-a->change, a->quantum * (double)energy, log_weight);
}

#endif
