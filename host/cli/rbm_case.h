/* Boltzmann machines that the conformance cases and the benchmarks share. */
#ifndef GENMATH_HOST_CLI_RBM_CASE_H
#define GENMATH_HOST_CLI_RBM_CASE_H

#include <math.h>
#include <stdlib.h>

#include <genmath/philox.h>
#include <genmath/rbm.h>

#include "host/cli/cases.h"

enum { RBM_W, RBM_B, RBM_C, RBM_SIGMA, RBM_DW, RBM_DB, RBM_DC, RBM_DATA, RBM_CHAINS, RBM_ARRAYS };

/* A machine in a context, with all that a step of training needs. */
typedef struct rbm_machine {
    gm_rbm_options options;
    gm_rbm_plan *plan;
    gm_tensor array[RBM_ARRAYS], scratch;
} rbm_machine;

static inline void rbm_close(gm_context *context, rbm_machine *m) {
    gm_rbm_plan_destroy(m->plan);
    for (int i = 0; i < RBM_ARRAYS; ++i) {
        gm_case_free(context, &m->array[i]);
    }
    gm_case_free(context, &m->scratch);
}

static inline int64_t rbm_count(const gm_tensor *t) {
    return t->shape[0] * (t->ndim > 1 ? t->shape[1] : 1);
}

/* Normals times size; data and chains are 0 and 1, of a potts site one colour in each row. */
static inline double rbm_number(const gm_rbm_options *o, int which, int64_t e, double size) {
    if (which == RBM_SIGMA) {
        return 0.75 + 0.25 * (double)(e % 3);
    }
    if (which < RBM_DATA) {
        return which >= RBM_DW
                   ? 0
                   : size * gm_normal_f64(17, (uint64_t)e, GM_STREAM_USER, (uint64_t)which);
    }
    const int64_t q = o->kind == GM_RBM_POTTS ? o->colours : 1, unit = e % o->visible;
    const uint32_t word =
        gm_philox_block(18 + (uint64_t)which, (uint64_t)(e / q), GM_STREAM_USER, 0).w0;
    return q > 1 ? (double)(word % (uint32_t)q == (uint32_t)(unit % q)) : (double)(word >> 31);
}

static inline gm_status rbm_fill(gm_context *context, rbm_machine *m, int which, int32_t ndim,
                                 const int64_t *shape, double size) {
    const gm_dtype dtype = m->options.dtype;
    const int64_t count = shape[0] * (ndim > 1 ? shape[1] : 1);
    double *numbers = malloc((size_t)(count + 1) * sizeof *numbers);
    if (numbers == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    float *narrow = (float *)(void *)numbers; /* each is written after it was read */
    for (int64_t e = 0; e < count; ++e) {
        const double x = rbm_number(&m->options, which, e, size);
        if (dtype == GM_F64) {
            numbers[e] = x;
        } else {
            narrow[e] = (float)x;
        }
    }
    const gm_status status = gm_case_upload(context, numbers, dtype, ndim, shape, &m->array[which]);
    free(numbers);
    return status;
}

static inline gm_status rbm_open(gm_context *context, const gm_rbm_options *options, double size,
                                 rbm_machine *m) {
    m->options = *options;
    CASE_TRY(gm_rbm_plan_create(context, options, &m->plan));
    const int64_t w[2] = {options->visible, options->hidden}, *hidden = &options->hidden;
    const int64_t v[2] = {options->rows, options->visible}, *visible = &options->visible;
    const struct {
        int32_t ndim;
        const int64_t *shape;
    } arrays[RBM_ARRAYS] = {{2, w},       {1, visible}, {1, hidden}, {1, visible}, {2, w},
                            {1, visible}, {1, hidden},  {2, v},      {2, v}};
    for (int i = 0; i < RBM_ARRAYS; ++i) {
        CASE_TRY(rbm_fill(context, m, i, arrays[i].ndim, arrays[i].shape, size));
    }
    const int64_t bytes = (int64_t)gm_rbm_workspace(m->plan);
    return gm_case_alloc(context, GM_U8, 1, &bytes, &m->scratch);
}

static inline gm_rbm_model rbm_model(const rbm_machine *m) {
    return (gm_rbm_model){&m->array[RBM_W], &m->array[RBM_B], &m->array[RBM_C],
                          m->options.kind == GM_RBM_GAUSSIAN ? &m->array[RBM_SIGMA] : NULL};
}

static inline gm_status rbm_train(rbm_machine *m, const gm_rbm_step *step) {
    const gm_rbm_model model = rbm_model(m);
    const gm_rbm_velocity velocity = {&m->array[RBM_DW], &m->array[RBM_DB], &m->array[RBM_DC]};
    return gm_rbm_train(m->plan, step, &model, &velocity, &m->array[RBM_DATA],
                        &m->array[RBM_CHAINS], m->scratch.data, (size_t)m->scratch.shape[0]);
}

/* The largest difference of an array of two machines, or with `flips` how many elements differ. */
static inline gm_status rbm_difference(gm_context *a_context, const gm_tensor *a,
                                       gm_context *b_context, const gm_tensor *b, int flips,
                                       double *difference) {
    const int64_t count = rbm_count(a);
    void *x = malloc((size_t)count * 8 + 8), *y = malloc((size_t)count * 8 + 8);
    gm_status status =
        x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(a_context, a, x);
    status = status == GM_STATUS_OK ? gm_case_download(b_context, b, y) : status;
    if (status == GM_STATUS_OK) {
        *difference =
            flips != 0 ? (double)gm_case_bit_differences(gm_dtype_size(a->dtype), x, y, count, NULL)
                       : gm_case_difference(a->dtype, x, y, count, NULL);
    }
    free(x);
    free(y);
    return status;
}

#endif
