/* Checks of densities: of their use, and of what the user wrote. */
#include "host/density_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/system_check.h"

#define MOST GM_MAX_SYSTEM_DIM

gm_status gm_check_density(gm_context *context, const char *name, const gm_density *density) {
    GM_CHECK(context, density != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    GM_CHECK(context, density->version == GM_SYSTEM_VERSION, GM_STATUS_INVALID_ARGUMENT,
             "%s was compiled against version %d of GM_DENSITY, the library has %d", name,
             (int)density->version, GM_SYSTEM_VERSION);
    GM_CHECK(context, density->dim >= 1 && density->dim <= GM_MAX_SYSTEM_DIM,
             GM_STATUS_INVALID_ARGUMENT, "%s->dim = %d is not in 1 .. %d", name, (int)density->dim,
             GM_MAX_SYSTEM_DIM);
    GM_CHECK(context, density->params >= 0 && density->params <= GM_MAX_SYSTEM_PARAMS,
             GM_STATUS_INVALID_ARGUMENT, "%s->params = %d is not in 0 .. %d", name,
             (int)density->params, GM_MAX_SYSTEM_PARAMS);
    GM_CHECK(context,
             density->log_density_f64 != NULL && density->log_density_f32 != NULL &&
                 density->gradient_f64 != NULL && density->gradient_f32 != NULL &&
                 density->source != NULL && density->gradient_source != NULL,
             GM_STATUS_INVALID_ARGUMENT, "%s was not made by GM_DENSITY", name);
    return GM_STATUS_OK;
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

static gm_status check_lanes(const gm_density *d, gm_isa isa, const double *y, const double *p,
                             const double *expected, char *message) {
    static _Thread_local double rows_y[MOST * GM_LANES_F64], rows_p[MOST * GM_LANES_F64],
        rows_out[(MOST + 1) * GM_LANES_F64];
    for (int lane = 0; lane < GM_LANES_F64; ++lane) {
        for (int32_t c = 0; c < d->dim; ++c) {
            rows_y[c * GM_LANES_F64 + lane] = y[c];
        }
        for (int32_t c = 0; c < d->params; ++c) {
            rows_p[c * GM_LANES_F64 + lane] = p[c];
        }
    }
    d->lanes_f64[isa - 1].log_density(rows_y, rows_p, rows_out);
    d->lanes_f64[isa - 1].gradient(rows_y, rows_p, rows_out + GM_LANES_F64);
    return compare(gm_isa_name(isa), expected, rows_out, GM_LANES_F64, d->dim, 1e-12, message);
}

static gm_status check_float(const gm_density *d, const double *y, const double *p,
                             const double *expected, char *message) {
    float y_f32[MOST], p_f32[GM_MAX_SYSTEM_PARAMS] = {0}, got[MOST + 1];
    double wide[MOST + 1];
    for (int32_t c = 0; c < d->dim; ++c) {
        y_f32[c] = (float)y[c];
    }
    for (int32_t c = 0; c < d->params; ++c) {
        p_f32[c] = (float)p[c];
    }
    for (int c = 0; c <= MOST; ++c) {
        got[c] = NAN;
    }
    d->log_density_f32(0, y_f32, p_f32, got);
    d->gradient_f32(0, y_f32, p_f32, got + 1);
    for (int32_t c = 0; c <= d->dim; ++c) {
        wide[c] = (double)got[c];
    }
    return compare("the float function", expected, wide, 1, d->dim, 1e-4, message);
}

static gm_status check_gradient(const gm_density *d, const double *y, const double *p,
                                const double *gradient, char *message) {
    double at[MOST];
    memcpy(at, y, (size_t)d->dim * sizeof *at);
    for (int32_t i = 0; i < d->dim; ++i) {
        const double step = gm_difference_step(y[i]);
        double above = NAN, below = NAN, numeric;
        at[i] = y[i] + step;
        d->log_density_f64(0, at, p, &above);
        at[i] = y[i] - step;
        d->log_density_f64(0, at, p, &below);
        at[i] = y[i];
        if (!gm_derivative_is(gradient[i], above, below, step, &numeric)) {
            snprintf(message, GM_CHECK_MESSAGE, "grad[%d] = %.9g: central differences give %.9g",
                     (int)i, gradient[i], numeric);
            return GM_STATUS_NOT_CONVERGED;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_density_check(const gm_density *density, const double *y, const double *p,
                           char *message) {
    GM_CHECK(NULL, message != NULL, GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    GM_TRY(gm_check_density(NULL, "density", density));
    GM_CHECK(NULL, y != NULL && (p != NULL || density->params == 0), GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", y == NULL ? "y" : "p");
    message[0] = '\0';
    double expected[MOST + 1];
    for (int c = 0; c <= MOST; ++c) {
        expected[c] = NAN; /* an entry that a body does not write is seen */
    }
    density->log_density_f64(0, y, p, expected);
    density->gradient_f64(0, y, p, expected + 1);
    for (int32_t c = 0; c <= density->dim; ++c) {
        if (!isfinite(expected[c])) {
            char name[24];
            entry_name(c, name, sizeof name);
            snprintf(message, GM_CHECK_MESSAGE, "%s = %g", name, expected[c]);
            return GM_STATUS_NON_FINITE;
        }
    }
    GM_TRY(check_float(density, y, p, expected, message));
    for (int isa = GM_ISA_BASE; isa <= (int)gm_isa_detect(); ++isa) {
        GM_TRY(check_lanes(density, (gm_isa)isa, y, p, expected, message));
    }
    return check_gradient(density, y, p, expected + 1, message);
}
