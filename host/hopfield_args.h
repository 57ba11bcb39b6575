/* What gm_hopfield_run hands to a backend, checked, and what all backends decide alike. */
#ifndef GENMATH_HOST_HOPFIELD_ARGS_H
#define GENMATH_HOST_HOPFIELD_ARGS_H

#include <genmath/hopfield.h>
#include <genmath/math.h>

typedef struct gm_hopfield_args {
    int64_t probes, sweeps;
    int32_t neurons, synchronous, tie_is_up;
    double quantum;
    const int32_t *coupling; /* (neurons, neurons) in quanta, as the three below */
    const int32_t *bias;     /* (neurons) */
    int32_t *state;          /* (probes, neurons), of integers of the product; 0 in a bad probe */
    int32_t *field;          /* (probes, neurons) of the states when they were loaded */
    int8_t *user;            /* the states outside */
    int64_t probe_stride, neuron_stride;
    double *energy; /* NULL: not wanted, as below */
    int32_t *swept, *status;
    int64_t energy_stride, swept_stride, status_stride;
} gm_hopfield_args;

/* The value of a neuron in a field. */
GM_INLINE int32_t gm_hopfield_sign(const gm_hopfield_args *a, int32_t field, int32_t old) {
    return field > 0 ? 1 : field < 0 ? -1 : a->tie_is_up ? 1 : old;
}

/* The element of the states outside. */
GM_INLINE int8_t *gm_hopfield_user(const gm_hopfield_args *a, int64_t probe, int64_t neuron) {
    return a->user + probe * a->probe_stride + neuron * a->neuron_stride;
}

/* What becomes of a probe; sum: of x_i (f_i + b_i), which is -2 E in quanta. */
GM_INLINE void gm_hopfield_store(const gm_hopfield_args *a, int64_t probe, gm_status status,
                                 int64_t swept, int64_t sum) {
    if (a->energy != 0) {
        a->energy[probe * a->energy_stride] =
            status == GM_STATUS_INVALID_ARGUMENT ? GM_NAN_F64 : -0.5 * a->quantum * (double)sum;
    }
    if (a->swept != 0) {
        a->swept[probe * a->swept_stride] = (int32_t)(swept < INT32_MAX ? swept : INT32_MAX);
    }
    if (a->status != 0) {
        a->status[probe * a->status_stride] = (int32_t)status;
    }
}

#endif
