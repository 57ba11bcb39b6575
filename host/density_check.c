/* Checks of densities: of their use, and of what the user wrote. */
#include "host/density_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/system_check.h"

#define MOST GM_MAX_SYSTEM_DIM

gm_status gm_check_density(gm_context *context, const char *name, const gm_density *density) {
    GM_CHECK(context, density != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    GM_CHECK(context, density->version == GM_DENSITY_VERSION, GM_STATUS_INVALID_ARGUMENT,
             "%s was compiled against version %d of GM_DENSITY, the library has %d", name,
             (int)density->version, GM_DENSITY_VERSION);
    GM_CHECK(context, density->dim >= 1 && density->dim <= GM_MAX_SYSTEM_DIM,
             GM_STATUS_INVALID_ARGUMENT, "%s->dim = %d is not in 1 .. %d", name, (int)density->dim,
             GM_MAX_SYSTEM_DIM);
    GM_CHECK(context, density->params >= 0 && density->params <= GM_MAX_SYSTEM_PARAMS,
             GM_STATUS_INVALID_ARGUMENT, "%s->params = %d is not in 0 .. %d", name,
             (int)density->params, GM_MAX_SYSTEM_PARAMS);
    GM_CHECK(context, density->columns >= 0 && density->columns <= GM_MAX_DATA_COLUMNS,
             GM_STATUS_INVALID_ARGUMENT, "%s->columns = %d is not in 0 .. %d", name,
             (int)density->columns, GM_MAX_DATA_COLUMNS);
    const bool rows = density->row_source != NULL && density->row_gradient_source != NULL &&
                      density->row_f64 != NULL && density->row_gradient_f64 != NULL &&
                      density->row_f32 != NULL && density->row_gradient_f32 != NULL;
    GM_CHECK(context,
             density->log_density_f64 != NULL && density->log_density_f32 != NULL &&
                 density->gradient_f64 != NULL && density->gradient_f32 != NULL &&
                 density->source != NULL && density->gradient_source != NULL &&
                 (rows || density->columns == 0),
             GM_STATUS_INVALID_ARGUMENT, "%s was not made by GM_DENSITY%s", name,
             density->columns == 0 ? "" : "_DATA");
    return GM_STATUS_OK;
}

gm_status gm_check_density_data(gm_context *context, const char *name, const gm_tensor *data,
                                const gm_density *density, gm_dtype dtype, gm_density_data *taken) {
    const int32_t columns = density != NULL ? density->columns : 0;
    *taken = (gm_density_data){0};
    GM_CHECK(context, (data != NULL) == (columns > 0), GM_STATUS_INVALID_ARGUMENT,
             data == NULL ? "%s is NULL: the density is one over data of %d columns"
                          : "%s must be NULL: the density has %d columns of data",
             name, (int)columns);
    if (data == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_tensor(context, name, data, 2, GM_DTYPE_BIT(dtype)));
    GM_TRY(gm_check_size(context, name, data, 1, columns, "the density's columns"));
    *taken = (gm_density_data){data->data, data->shape[0], {data->stride[0], data->stride[1]}};
    return GM_STATUS_OK;
}

/* ---- what the user wrote --------------------------------------------------------------------- */

/* What is tried: the density, or if d is given, the term of this row. */
typedef struct part {
    const gm_density *density;
    const double *y, *p, *d;
} part;

static void evaluate(const part *t, const double *y, double *logp, double *grad) {
    const gm_density *density = t->density;
    if (t->d != NULL) {
        density->row_f64(t->d, y, t->p, logp);
        density->row_gradient_f64(t->d, y, t->p, grad);
    } else {
        density->log_density_f64(0, y, t->p, logp);
        density->gradient_f64(0, y, t->p, grad);
    }
}

/* Entry 0 is the log density, entry i + 1 that of the gradient. */
static void entry_name(int32_t entry, char *name, size_t size) {
    if (entry == 0) {
        snprintf(name, size, "logp[0]");
    } else {
        snprintf(name, size, "grad[%d]", (int)entry - 1);
    }
}

static gm_status compare(const char *path, const double *expected, const double *got,
                         int32_t stride, int32_t dim, double tolerance, char *message) {
    int32_t entry = gm_first_difference(expected, got, stride, 1, tolerance);
    if (entry == 1) {
        entry += gm_first_difference(expected + 1, got + stride, stride, dim, tolerance);
    }
    if (entry <= dim) {
        char name[24];
        entry_name(entry, name, sizeof name);
        snprintf(message, GM_CHECK_MESSAGE, "%s is %.9g by %s and %.9g by the scalar function",
                 name, got[entry * stride], path, expected[entry]);
        return GM_STATUS_INTERNAL;
    }
    return GM_STATUS_OK;
}

/* The lanes' functions: of a term for as many rows as make a tile and one more, all the same. */
static gm_status check_lanes(const part *t, gm_isa isa, const double *expected, char *message) {
    static _Thread_local double rows_y[MOST * GM_LANES_F64], rows_p[MOST * GM_LANES_F64],
        rows_out[(MOST + 1) * GM_LANES_F64];
    const gm_density *d = t->density;
    const gm_density_lanes_f64 *lanes = &d->lanes_f64[isa - 1];
    for (int lane = 0; lane < GM_LANES_F64; ++lane) {
        for (int32_t c = 0; c < d->dim; ++c) {
            rows_y[c * GM_LANES_F64 + lane] = t->y[c];
        }
        for (int32_t c = 0; c < d->params; ++c) {
            rows_p[c * GM_LANES_F64 + lane] = t->p[c];
        }
    }
    if (t->d == NULL) {
        lanes->log_density(rows_y, rows_p, rows_out);
        lanes->gradient(rows_y, rows_p, rows_out + GM_LANES_F64);
    } else {
        const int64_t rows = GM_ROW_TILE + 1, stride[] = {0, 1};
        memset(rows_out, 0, sizeof rows_out);
        lanes->add_rows(rows_y, rows_p, t->d, rows, stride, rows_out);
        lanes->add_gradients(rows_y, rows_p, t->d, rows, stride, rows_out + GM_LANES_F64);
        for (int i = 0; i < (d->dim + 1) * GM_LANES_F64; ++i) {
            rows_out[i] /= (double)rows;
        }
    }
    return compare(gm_isa_name(isa), expected, rows_out, GM_LANES_F64, d->dim, 1e-12, message);
}

static gm_status check_float(const part *t, const double *expected, char *message) {
    float y[MOST], p[GM_MAX_SYSTEM_PARAMS] = {0}, row[GM_MAX_DATA_COLUMNS], got[MOST + 1];
    double wide[MOST + 1];
    const gm_density *d = t->density;
    for (int32_t c = 0; c < d->dim; ++c) {
        y[c] = (float)t->y[c];
    }
    for (int32_t c = 0; c < d->params; ++c) {
        p[c] = (float)t->p[c];
    }
    for (int c = 0; c <= MOST; ++c) {
        got[c] = NAN;
    }
    if (t->d == NULL) {
        d->log_density_f32(0, y, p, got);
        d->gradient_f32(0, y, p, got + 1);
    } else {
        for (int32_t c = 0; c < d->columns; ++c) {
            row[c] = (float)t->d[c];
        }
        d->row_f32(row, y, p, got);
        d->row_gradient_f32(row, y, p, got + 1);
    }
    for (int32_t c = 0; c <= d->dim; ++c) {
        wide[c] = (double)got[c];
    }
    return compare("the float function", expected, wide, 1, d->dim, 1e-4, message);
}

static gm_status check_gradient(const part *t, const double *gradient, char *message) {
    double at[MOST], unused[MOST];
    const int32_t dim = t->density->dim;
    memcpy(at, t->y, (size_t)dim * sizeof *at);
    for (int32_t i = 0; i < dim; ++i) {
        const double step = gm_difference_step(t->y[i]);
        double above = NAN, below = NAN, numeric;
        at[i] = t->y[i] + step;
        evaluate(t, at, &above, unused);
        at[i] = t->y[i] - step;
        evaluate(t, at, &below, unused);
        at[i] = t->y[i];
        if (!gm_derivative_is(gradient[i], above, below, step, &numeric)) {
            snprintf(message, GM_CHECK_MESSAGE, "grad[%d] = %.9g: central differences give %.9g",
                     (int)i, gradient[i], numeric);
            return GM_STATUS_NOT_CONVERGED;
        }
    }
    return GM_STATUS_OK;
}

static gm_status check_part(const part *t, char *message) {
    double expected[MOST + 1];
    for (int c = 0; c <= MOST; ++c) {
        expected[c] = NAN; /* an entry that a body does not write is seen */
    }
    evaluate(t, t->y, expected, expected + 1);
    for (int32_t c = 0; c <= t->density->dim; ++c) {
        if (!isfinite(expected[c])) {
            char name[24];
            entry_name(c, name, sizeof name);
            snprintf(message, GM_CHECK_MESSAGE, "%s = %g", name, expected[c]);
            return GM_STATUS_NON_FINITE;
        }
    }
    GM_TRY(check_float(t, expected, message));
    for (int isa = GM_ISA_BASE; isa <= (int)gm_isa_detect(); ++isa) {
        GM_TRY(check_lanes(t, (gm_isa)isa, expected, message));
    }
    return check_gradient(t, expected + 1, message);
}

/* What is asked of all arguments but the data. */
static gm_status check_arguments(const gm_density *density, const double *y, const double *p,
                                 char *message) {
    GM_CHECK(NULL, message != NULL, GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    message[0] = '\0';
    GM_TRY(gm_check_density(NULL, "density", density));
    GM_CHECK(NULL, y != NULL && (p != NULL || density->params == 0), GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", y == NULL ? "y" : "p");
    return GM_STATUS_OK;
}

gm_status gm_density_check(const gm_density *density, const double *y, const double *p,
                           char *message) {
    GM_TRY(check_arguments(density, y, p, message));
    GM_CHECK(NULL, density->columns == 0, GM_STATUS_INVALID_ARGUMENT,
             "density is one over data: gm_density_check_data is for it");
    return check_part(&(part){density, y, p, NULL}, message);
}

gm_status gm_density_check_data(const gm_density *density, const double *y, const double *p,
                                int64_t rows, const double *data, char *message) {
    GM_TRY(check_arguments(density, y, p, message));
    GM_CHECK(NULL, density->columns > 0, GM_STATUS_INVALID_ARGUMENT,
             "density has no data: gm_density_check is for it");
    GM_CHECK(NULL, rows >= 0, GM_STATUS_INVALID_ARGUMENT, "rows = %lld is negative",
             (long long)rows);
    GM_CHECK(NULL, rows == 0 || data != NULL, GM_STATUS_INVALID_ARGUMENT, "data is NULL");
    gm_status status = check_part(&(part){density, y, p, NULL}, message);
    for (int64_t r = 0; r < rows && status == GM_STATUS_OK; ++r) {
        char found[GM_CHECK_MESSAGE];
        found[0] = '\0';
        status = check_part(&(part){density, y, p, data + r * density->columns}, found);
        if (status != GM_STATUS_OK) {
            snprintf(message, GM_CHECK_MESSAGE, "row %lld: %.200s", (long long)r, found);
        }
    }
    return status;
}
