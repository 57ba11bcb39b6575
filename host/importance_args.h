/* What the functions of genmath/importance.h hand to a backend, checked; and the integers of
 * resampling. */
#ifndef GENMATH_HOST_IMPORTANCE_ARGS_H
#define GENMATH_HOST_IMPORTANCE_ARGS_H

#include <genmath/importance.h>
#include <genmath/philox.h>

#include "host/density_data.h"

typedef struct gm_importance_problem {
    const gm_density *density; /* NULL: none */
    int32_t dim, params;
    gm_dtype dtype;
    uint64_t seed, first_index;
} gm_importance_problem;

/* NULL for what is absent. Strides in elements, of the problem first. */
typedef struct gm_importance_arrays {
    int64_t problems, n;
    const void *mean, *scale, *factor, *points, *params;
    void *drawn, *log_target, *log_proposal;
    int64_t mean_stride[2], scale_stride[2], factor_stride[3], points_stride[3], params_stride[2];
    int64_t drawn_stride[3], log_target_stride[2], log_proposal_stride[2];
    gm_density_data data;
} gm_importance_arrays;

/* Estimates of a problem, and of each function. */
enum {
    GM_LOG_NORMALIZER,
    GM_LOG_NORMALIZER_ERROR,
    GM_ESS,
    GM_MAX_WEIGHT,
    GM_PARETO_K,
    GM_WEIGH_SINGLES
};
enum { GM_MEAN, GM_MEAN_ERROR, GM_VARIANCE, GM_INTEGRAL, GM_INTEGRAL_ERROR, GM_WEIGH_FUNCTIONALS };

typedef struct gm_weigh_args {
    gm_dtype dtype;
    int64_t problems, n, functions;
    const void *log_target, *log_proposal, *values;
    double *weights, *single[GM_WEIGH_SINGLES], *functional[GM_WEIGH_FUNCTIONALS];
    int32_t *status;
    int64_t log_target_stride[2], log_proposal_stride[2], values_stride[3], weights_stride[2];
    int64_t single_stride[GM_WEIGH_SINGLES][1], functional_stride[GM_WEIGH_FUNCTIONALS][2];
    int64_t status_stride[1];
    void *workspace;
} gm_weigh_args;

typedef struct gm_resample_args {
    gm_resampling method;
    uint64_t seed, first_index;
    int64_t problems, n, count;
    const double *weights;
    int32_t *indices, *status;
    int64_t weights_stride[2], indices_stride[2], status_stride[1];
    void *workspace;
} gm_resample_args;

/* gm_importance_draw with `first` added to the plan's first index: of the host library alone. */
gm_status gm_importance_draw_from(const gm_importance_plan *plan, uint64_t first,
                                  const gm_importance_input *input,
                                  const gm_importance_samples *samples);

/* How many of the largest weights make the tail that pareto_k is fitted to; the points of its
 * profile likelihood; and the weight of the prior of k = 1/2 in samples. */
GM_INLINE int64_t gm_pareto_tail(int64_t n) {
    const double fifth = (double)n / 5, root = 3 * gm_sqrt_f64((double)n);
    const double most = fifth < root ? fifth : root;
    const int64_t whole = (int64_t)most;
    return (double)whole < most ? whole + 1 : whole;
}

GM_INLINE int64_t gm_pareto_points(int64_t tail) {
    return 30 + (int64_t)gm_sqrt_f64((double)tail);
}

#define GM_PARETO_LEAST 5
#define GM_PARETO_PRIOR 10

/* Point j of the profile: theta of a tail with this largest excess and this quartile. */
GM_INLINE double gm_pareto_theta(int64_t j, int64_t points, double largest, double quartile) {
    return 1 / largest + (1 - gm_sqrt_f64((double)points / ((double)j + 0.5))) / 3 / quartile;
}

/* The bits a weight is cut to so that n of them stay below 2^62 together. */
GM_INLINE int gm_resample_bits(int64_t n) {
    int bits = 62;
    while (bits > 0 && (1LL << (62 - bits)) < n) {
        --bits;
    }
    return bits;
}

/* The high half of a product. */
GM_INLINE uint64_t gm_high_product(uint64_t a, uint64_t b) {
    const uint64_t mask = 0xffffffffu, low = (a & mask) * (b & mask);
    const uint64_t one = (a >> 32) * (b & mask) + (low >> 32);
    const uint64_t other = (a & mask) * (b >> 32) + (one & mask);
    return (a >> 32) * (b >> 32) + (one >> 32) + (other >> 32);
}

/* Where draw j of `count` is in the cumulative weights 0 ... total - 1. */
GM_INLINE uint64_t gm_resample_place(gm_resampling method, uint64_t seed, uint64_t index, int64_t j,
                                     int64_t count, uint64_t total) {
    const int multinomial = method == GM_RESAMPLE_MULTINOMIAL;
    const gm_words words =
        gm_philox_block(seed, index, GM_STREAM_RESAMPLE, multinomial ? (uint64_t)j / 2 : 0);
    const int second = multinomial && j % 2 != 0;
    const uint64_t word = second ? gm_join(words.w2, words.w3) : gm_join(words.w0, words.w1);
    const uint64_t start = gm_high_product(word, total);
    if (multinomial) {
        return start;
    }
    /* (j total + start) / count without a product of over 64 bits. */
    const uint64_t each = total / (uint64_t)count, rest = total % (uint64_t)count;
    return (uint64_t)j * each + ((uint64_t)j * rest + start) / (uint64_t)count;
}

/* The first sample whose cumulative weight exceeds a place. */
GM_INLINE int64_t gm_resample_find(const uint64_t *cumulative, int64_t n, uint64_t place) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (cumulative[middle] > place) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

#endif
