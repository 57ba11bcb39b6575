/* What gm_density_annealing_run hands to a backend before each step of the schedule, checked. */
#ifndef GENMATH_HOST_DENSITY_ANNEALING_ARGS_H
#define GENMATH_HOST_DENSITY_ANNEALING_ARGS_H

#include <genmath/density_annealing.h>
#include <genmath/math.h>

/* NULL for what is not wanted. Real arrays are in dtype but log_weight. */
typedef struct gm_density_annealing_args {
    int64_t n;
    gm_dtype dtype;
    int32_t dim, begins;  /* 1: weights and best are set, not continued */
    int32_t clears;       /* 1: so is the status */
    int32_t weighs;       /* 1: a step follows, and another was before it */
    double before, after; /* beta of these two steps */
    const void *state;
    const void *from, *to;       /* (n): log p with the parameters of the two; to NULL: the same */
    const int32_t *chain_status; /* (n): of the steps just made; NULL: none were */
    void *best, *best_log_density;
    double *log_weight;
    int32_t *status;
    int64_t state_stride[2], best_stride[2], best_log_density_stride, log_weight_stride,
        status_stride;
    /* Parameters for a later step, of each column: placed is NULL if there are none to set. */
    int32_t params;
    int64_t columns;
    const void *given; /* NULL: all move */
    int64_t given_stride[2];
    const void *values;                 /* (moving) of that step */
    void *placed;                       /* (params, columns) */
    int8_t place[GM_MAX_SYSTEM_PARAMS]; /* which value a parameter has; -1: the given one */
} gm_density_annealing_args;

/* log w after a step, from log p before and after it: one addition, whose bits are the same
 * everywhere. A NaN, which nothing else is, if there is no such weight. */
GM_INLINE double gm_density_annealing_weigh(const gm_density_annealing_args *a, double log_weight,
                                            double from, double to) {
    const double sum = a->to == NULL ? gm_fma_f64(a->after - a->before, from, log_weight)
                                     : log_weight + gm_fma_f64(a->after, to, -(a->before * from));
    return sum < gm_from_bits_f64(UINT64_C(0x7ff0000000000000))
               ? sum
               : gm_from_bits_f64(UINT64_C(0x7ff8000000000000));
}

#endif
