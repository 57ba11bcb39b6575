/* A sum of doubles whose error does not grow with its length. */
#ifndef GENMATH_HOST_CAREFUL_SUM_H
#define GENMATH_HOST_CAREFUL_SUM_H

#include <math.h>

/* A sum with what its roundings lost (Neumaier, ZAMM 54, 1974); zero is the empty one. */
typedef struct gm_careful_sum {
    double sum, lost;
} gm_careful_sum;

static inline void gm_careful_add(gm_careful_sum *s, double x) {
    const double sum = s->sum + x;
    s->lost += fabs(s->sum) >= fabs(x) ? (s->sum - sum) + x : (x - sum) + s->sum;
    s->sum = sum;
}

static inline double gm_careful_value(gm_careful_sum s) {
    return s.sum + s.lost;
}

#endif
