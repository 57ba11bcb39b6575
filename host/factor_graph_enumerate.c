/* gm_factor_graph_enumerate: all joint states of a factor graph. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/careful_sum.h"
#include "host/factor_graph_model.h"

static const int64_t MOST_STATES = 1 << 20;

/* What is gone through. */
typedef struct walk {
    const gm_factor_graph_model *model;
    double beta;
    uint8_t *labels; /* (variables) */
    int32_t *free;   /* (free variables) */
    int32_t free_count;
    double joint;             /* states, infinite where there are too many for a double */
    int64_t *column;          /* (variables) the first of the variable's marginals */
    gm_careful_sum *marginal; /* (columns) */
    int64_t columns;
    gm_careful_sum z;
} walk;

/* beta L; -INFINITY where an entry is forbidden, NaN where it overflows. */
static double exponent_of(const walk *w) {
    const gm_factor_graph_model *m = w->model;
    gm_careful_sum sum = {0, 0};
    const double *table = m->table;
    for (int64_t a = 0; a < m->factors; ++a) {
        int32_t steps[GM_FACTOR_MOST_MEMBERS];
        const int64_t entries = gm_factor_entries(m, a, steps);
        int64_t index = 0;
        for (int64_t k = m->first[a]; k < m->first[a + 1]; ++k) {
            index += (int64_t)steps[k - m->first[a]] * w->labels[m->member[k]];
        }
        if (table[index] == -INFINITY) {
            return -INFINITY;
        }
        gm_careful_add(&sum, table[index]);
        table += entries;
    }
    const double exponent = w->beta * gm_careful_value(sum);
    return isfinite(exponent) ? exponent : NAN;
}

/* The next joint state; the first again after the last. */
static void advance(const walk *w) {
    for (int32_t k = w->free_count; k-- > 0;) {
        uint8_t *label = &w->labels[w->free[k]];
        if (*label + 1 < w->model->cardinality[w->free[k]]) {
            *label = (uint8_t)(*label + 1);
            return;
        }
        *label = 0;
    }
}

static gm_status sum_up(gm_context *context, walk *w, double *largest) {
    const int64_t joint = (int64_t)w->joint;
    *largest = -INFINITY;
    for (int64_t s = 0; s < joint; ++s, advance(w)) {
        const double exponent = exponent_of(w);
        GM_CHECK(context, !isnan(exponent), GM_STATUS_NON_FINITE, "beta L overflows");
        *largest = fmax(*largest, exponent);
    }
    GM_CHECK(context, *largest > -INFINITY, GM_STATUS_NON_FINITE,
             "no joint state is possible: each has a forbidden entry");
    for (int64_t s = 0; s < joint; ++s, advance(w)) {
        const double weight = exp(exponent_of(w) - *largest);
        gm_careful_add(&w->z, weight);
        for (int64_t i = 0; i < w->model->variables && w->marginal != NULL; ++i) {
            gm_careful_add(&w->marginal[w->column[i] + w->labels[i]], weight);
        }
    }
    return GM_STATUS_OK;
}

static gm_status begin(gm_context *context, walk *w, const uint8_t *labels) {
    const gm_factor_graph_model *m = w->model;
    w->joint = 1;
    for (int64_t i = 0; i < m->variables; ++i) {
        w->column[i] = w->columns;
        w->columns += m->cardinality[i];
        if (m->clamped != NULL && m->clamped[i] != 0) {
            GM_CHECK(context, labels != NULL, GM_STATUS_INVALID_ARGUMENT,
                     "labels is NULL: variable %lld is clamped", (long long)i);
            GM_CHECK(context, labels[i] < m->cardinality[i], GM_STATUS_INVALID_ARGUMENT,
                     "labels[%lld] = %d: the variable has %d", (long long)i, (int)labels[i],
                     (int)m->cardinality[i]);
            w->labels[i] = labels[i];
            continue;
        }
        w->free[w->free_count++] = (int32_t)i;
        w->joint *= m->cardinality[i];
    }
    GM_CHECK(context, w->joint <= (double)MOST_STATES, GM_STATUS_INVALID_ARGUMENT,
             "model: %.9g joint states of the variables that are not clamped: at most 2^20",
             w->joint);
    return GM_STATUS_OK;
}

static gm_status enumerate(gm_context *context, walk *w, const uint8_t *labels, double *log_z,
                           double *marginal) {
    GM_TRY(begin(context, w, labels));
    w->marginal = calloc((size_t)w->columns + 1, sizeof *w->marginal);
    GM_CHECK(context, w->marginal != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory to enumerate");
    double largest;
    GM_TRY(sum_up(context, w, &largest));
    const double z = gm_careful_value(w->z);
    if (log_z != NULL) {
        *log_z = largest + log(z);
    }
    for (int64_t k = 0; k < w->columns && marginal != NULL; ++k) {
        marginal[k] = gm_careful_value(w->marginal[k]) / z;
    }
    return GM_STATUS_OK;
}

gm_status gm_factor_graph_enumerate(gm_context *context, const gm_factor_graph_model *model,
                                    const uint8_t *labels, double beta, double *log_z,
                                    double *marginal) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    GM_CHECK(context, isfinite(beta), GM_STATUS_INVALID_ARGUMENT, "beta = %g: must be finite",
             beta);
    GM_TRY(gm_factor_check(context, model));
    const size_t n = (size_t)model->variables + 1;
    walk w = {.model = model, .beta = beta};
    w.labels = calloc(n, sizeof *w.labels);
    w.free = malloc(n * sizeof *w.free);
    w.column = malloc(n * sizeof *w.column);
    const gm_status status =
        w.labels != NULL && w.free != NULL && w.column != NULL
            ? enumerate(context, &w, labels, log_z, marginal)
            : gm_fail(context, GM_STATUS_OUT_OF_MEMORY, "no memory to enumerate");
    free(w.labels);
    free(w.free);
    free(w.column);
    free(w.marginal);
    return status;
}
