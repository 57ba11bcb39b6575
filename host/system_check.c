/* Checks of systems: of their use in an ensemble, and of what the user wrote. */
#include "host/system_check.h"

#include <math.h>
#include <string.h>

gm_status gm_check_system(gm_context *context, const char *name, const gm_system *system) {
    GM_CHECK(context, system != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    GM_CHECK(context, system->version == GM_SYSTEM_VERSION, GM_STATUS_INVALID_ARGUMENT,
             "%s was compiled against version %d of GM_SYSTEM, the library has %d", name,
             (int)system->version, GM_SYSTEM_VERSION);
    GM_CHECK(context, system->dim >= 1 && system->dim <= GM_MAX_SYSTEM_DIM,
             GM_STATUS_INVALID_ARGUMENT, "%s->dim = %d is not in 1 .. %d", name, (int)system->dim,
             GM_MAX_SYSTEM_DIM);
    GM_CHECK(context, system->params >= 0 && system->params <= GM_MAX_SYSTEM_PARAMS,
             GM_STATUS_INVALID_ARGUMENT, "%s->params = %d is not in 0 .. %d", name,
             (int)system->params, GM_MAX_SYSTEM_PARAMS);
    GM_CHECK(context, system->rhs_f64 != NULL && system->rhs_f32 != NULL && system->source != NULL,
             GM_STATUS_INVALID_ARGUMENT, "%s was not made by GM_SYSTEM", name);
    return GM_STATUS_OK;
}

static gm_status check_output_view(gm_context *context, const gm_system *system, int64_t n,
                                   const gm_ensemble_view *view) {
    GM_TRY(
        gm_check_output(context, view->name, view->tensor, view->ndim, GM_DTYPE_BIT(view->dtype)));
    GM_TRY(gm_check_size(context, view->name, view->tensor, view->ndim - 1, n,
                         "the number of trajectories in y0"));
    if (view->ndim >= 2) {
        GM_TRY(gm_check_size(context, view->name, view->tensor, view->ndim - 2, system->dim,
                             "the system's dim"));
    }
    return view->ndim < 3 ? GM_STATUS_OK
                          : gm_check_size(context, view->name, view->tensor, 0, view->saves,
                                          "the number of saved states");
}

gm_status gm_check_ensemble(gm_context *context, const gm_system *system, gm_dtype dtype,
                            const gm_tensor *y0, const gm_tensor *params, const void *result,
                            const gm_ensemble_view *outputs, size_t count,
                            gm_ensemble_arrays *arrays) {
    const unsigned dtypes = GM_DTYPE_BIT(dtype);
    GM_TRY(gm_check_tensor(context, "y0", y0, 2, dtypes));
    GM_TRY(gm_check_size(context, "y0", y0, 0, system->dim, "the system's dim"));
    if (system->params > 0) {
        GM_TRY(gm_check_tensor(context, "params", params, 2, dtypes));
        GM_TRY(gm_check_size(context, "params", params, 0, system->params, "the system's params"));
        GM_TRY(gm_check_size(context, "params", params, 1, y0->shape[1],
                             "the number of trajectories in y0"));
    } else {
        GM_CHECK(context, params == NULL, GM_STATUS_INVALID_ARGUMENT,
                 "params must be NULL: the system has none");
    }
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    for (size_t i = 0; i < count; ++i) {
        if (outputs[i].tensor == NULL) {
            continue;
        }
        GM_TRY(check_output_view(context, system, y0->shape[1], &outputs[i]));
        GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, "y0", y0, i == 0));
        GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, "params", params,
                                 false));
        for (size_t j = 0; j < i; ++j) {
            GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, outputs[j].name,
                                     outputs[j].tensor, false));
        }
    }
    for (size_t i = 0; i < count; ++i) {
        if (outputs[i].tensor != NULL) {
            *outputs[i].data = outputs[i].tensor->data;
            memcpy(outputs[i].stride, outputs[i].tensor->stride,
                   (size_t)outputs[i].ndim * sizeof(int64_t));
        }
    }
    arrays->n = y0->shape[1];
    arrays->y0 = y0->data;
    memcpy(arrays->y0_stride, y0->stride, sizeof arrays->y0_stride);
    if (params != NULL) {
        arrays->params = params->data;
        memcpy(arrays->params_stride, params->stride, sizeof arrays->params_stride);
    }
    return GM_STATUS_OK;
}

int32_t gm_first_difference(const double *expected, const double *got, int32_t stride, int32_t dim,
                            double tolerance) {
    double scale = 0;
    for (int32_t c = 0; c < dim; ++c) {
        scale = fmax(scale, fabs(expected[c]));
    }
    int32_t first = 0;
    while (first < dim && fabs(got[first * stride] - expected[first]) <= tolerance * (scale + 1)) {
        ++first;
    }
    return first;
}

bool gm_derivative_is(double given, double above, double below, double step, double *numeric) {
    *numeric = (above - below) / (2 * step);
    return fabs(given - *numeric) <= 1e-5 * (fabs(*numeric) + fabs(above) + fabs(below) + 1);
}

static gm_status compare(const char *path, const double *expected, const double *got,
                         int32_t stride, int32_t dim, double tolerance, char *message) {
    const int32_t c = gm_first_difference(expected, got, stride, dim, tolerance);
    if (c < dim) {
        snprintf(message, GM_CHECK_MESSAGE,
                 "dydt[%d] is %.9g by %s and %.9g by the scalar function", (int)c, got[c * stride],
                 path, expected[c]);
        return GM_STATUS_INTERNAL;
    }
    return GM_STATUS_OK;
}

static gm_status check_lanes(const gm_system *s, gm_isa isa, double t, const double *y,
                             const double *p, const double *expected, char *message) {
    static _Thread_local double rows_y[GM_MAX_SYSTEM_DIM * GM_LANES_F64],
        rows_p[GM_MAX_SYSTEM_PARAMS * GM_LANES_F64], rows_k[GM_MAX_SYSTEM_DIM * GM_LANES_F64],
        rows_t[GM_LANES_F64];
    for (int lane = 0; lane < GM_LANES_F64; ++lane) {
        rows_t[lane] = t;
        for (int32_t c = 0; c < s->dim; ++c) {
            rows_y[c * GM_LANES_F64 + lane] = y[c];
        }
        for (int32_t c = 0; c < s->params; ++c) {
            rows_p[c * GM_LANES_F64 + lane] = p[c];
        }
    }
    s->lanes_f64[isa - 1].rhs(rows_t, rows_y, rows_p, rows_k);
    return compare(gm_isa_name(isa), expected, rows_k, GM_LANES_F64, s->dim, 1e-12, message);
}

gm_status gm_system_check(const gm_system *system, double t, const double *y, const double *p,
                          char *message) {
    GM_CHECK(NULL, message != NULL, GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    GM_TRY(gm_check_system(NULL, "system", system));
    GM_CHECK(NULL, y != NULL && (p != NULL || system->params == 0), GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", y == NULL ? "y" : "p");
    message[0] = '\0';
    double expected[GM_MAX_SYSTEM_DIM], single[GM_MAX_SYSTEM_DIM];
    float y_f32[GM_MAX_SYSTEM_DIM], p_f32[GM_MAX_SYSTEM_PARAMS] = {0}, got_f32[GM_MAX_SYSTEM_DIM];
    for (int c = 0; c < GM_MAX_SYSTEM_DIM; ++c) {
        expected[c] = NAN; /* an entry that the body does not write is seen */
        got_f32[c] = NAN;
    }
    system->rhs_f64(t, y, p, expected);
    for (int32_t c = 0; c < system->dim; ++c) {
        if (!isfinite(expected[c])) {
            snprintf(message, GM_CHECK_MESSAGE, "dydt[%d] = %g", (int)c, expected[c]);
            return GM_STATUS_NON_FINITE;
        }
        y_f32[c] = (float)y[c];
    }
    for (int32_t c = 0; c < system->params; ++c) {
        p_f32[c] = (float)p[c];
    }
    system->rhs_f32((float)t, y_f32, p_f32, got_f32);
    for (int32_t c = 0; c < system->dim; ++c) {
        single[c] = (double)got_f32[c];
    }
    GM_TRY(compare("the float function", expected, single, 1, system->dim, 1e-4, message));
    for (int isa = GM_ISA_BASE; isa <= (int)gm_isa_detect(); ++isa) {
        GM_TRY(check_lanes(system, (gm_isa)isa, t, y, p, expected, message));
    }
    return GM_STATUS_OK;
}

gm_status gm_system_check_jacobian(const gm_system *system, double t, const double *y,
                                   const double *p, const double *jacobian, char *message) {
    GM_CHECK(NULL, jacobian != NULL, GM_STATUS_INVALID_ARGUMENT, "jacobian is NULL");
    GM_TRY(gm_system_check(system, t, y, p, message));
    const int32_t dim = system->dim;
    double at[GM_MAX_SYSTEM_DIM], above[GM_MAX_SYSTEM_DIM], below[GM_MAX_SYSTEM_DIM];
    memcpy(at, y, (size_t)dim * sizeof *at);
    for (int32_t j = 0; j < dim; ++j) {
        const double step = gm_difference_step(y[j]);
        at[j] = y[j] + step;
        system->rhs_f64(t, at, p, above);
        at[j] = y[j] - step;
        system->rhs_f64(t, at, p, below);
        at[j] = y[j];
        for (int32_t i = 0; i < dim; ++i) {
            const double given = jacobian[i * dim + j];
            double numeric;
            if (!gm_derivative_is(given, above[i], below[i], step, &numeric)) {
                snprintf(message, GM_CHECK_MESSAGE,
                         "jacobian[%d][%d] = %.9g: central differences give %.9g", (int)i, (int)j,
                         given, numeric);
                return GM_STATUS_NOT_CONVERGED;
            }
        }
    }
    return GM_STATUS_OK;
}
