/* A CP decomposition at work: what its start, its iteration and its end share. */
#ifndef GENMATH_HOST_TENSOR_DECOMPOSE_CP_H
#define GENMATH_HOST_TENSOR_DECOMPOSE_CP_H

#include "host/tensor_decompose/tools.h"

enum { GM_CP_EXPRESSION = 160 };

/* A call. Arrays of every problem of the batch, row-major, the batch in front. */
typedef struct gm_cp_job {
    gm_td td;
    const gm_tensor *x, *weights, *factors;
    int32_t d, batch_axes;
    int64_t problems, r;
    int64_t size[GM_TD_MOST_MODES];
    gm_cp_options options;
    double goal;
    gm_approximation_report *report;
    void *factor[GM_TD_MOST_MODES], *gram[GM_TD_MOST_MODES]; /* (n_k, r), (r, r) */
    void *v, *triangle, *inverse;                            /* (r, r) */
    void *m;                                                 /* (n_k, r) of the largest n_k */
    void *weight, *divisor;                                  /* (r) */
    void *status, *rcond, *inner, *square;                   /* a number */
    void *rest;                                              /* (n_1, ..., n_d): x - the sum */
    void *order, *column;                                    /* r I64; (n_k, r) of one problem */
    gm_td_rows rows;
} gm_cp_job;

static inline gm_tensor gm_cp_batch(const gm_cp_job *j, void *data, int32_t core, int64_t rows,
                                    int64_t columns) {
    return gm_td_batch(&j->td, data, j->x, j->batch_axes, core, (int64_t[]){rows, columns});
}

static inline gm_tensor gm_cp_factor(const gm_cp_job *j, int32_t k) {
    return gm_cp_batch(j, j->factor[k], 2, j->size[k], j->r);
}

static inline gm_tensor gm_cp_square(const gm_cp_job *j, void *data) {
    return gm_cp_batch(j, data, 2, j->r, j->r);
}

static inline bool gm_cp_active(const gm_cp_job *j, int64_t problem) {
    return j->report[problem].status == GM_STATUS_NOT_CONVERGED;
}

/* cp_iterate.c: columns of F_k to norm 1, their norms the weights; then its Gram matrix. */
gm_status gm_cp_normalize(gm_cp_job *j, int32_t k);
/* F_k from the others. */
gm_status gm_cp_improve(gm_cp_job *j, int32_t k);
/* The square of the relative error after the last mode, into report->bound of every problem. */
gm_status gm_cp_measure(gm_cp_job *j);

#endif
