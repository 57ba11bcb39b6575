/* A density and its gradient in double, as the reference evaluates them: the prior, then the rows
 * of the data, one after the other. */
#ifndef GENMATH_HOST_REF_DENSITY_TERMS_H
#define GENMATH_HOST_REF_DENSITY_TERMS_H

#include <math.h>

#include <genmath/density.h>

#include "host/density_data.h"
#include "host/strided.h"

static inline void gm_ref_load_row(const gm_density *density, const gm_density_data *data,
                                   gm_dtype dtype, int64_t r, double *d) {
    for (int32_t c = 0; c < density->columns; ++c) {
        d[c] = gm_load_real(data->data, dtype, r * data->stride[0] + c * data->stride[1]);
    }
}

static inline double gm_ref_log_density(const gm_density *density, const gm_density_data *data,
                                        gm_dtype dtype, const double *y, const double *p) {
    double value = NAN, d[GM_MAX_DATA_COLUMNS];
    density->log_density_f64(0, y, p, &value);
    for (int64_t r = 0; r < data->rows; ++r) {
        double term = NAN;
        gm_ref_load_row(density, data, dtype, r, d);
        density->row_f64(d, y, p, &term);
        value += term;
    }
    return value;
}

static inline void gm_ref_gradient(const gm_density *density, const gm_density_data *data,
                                   gm_dtype dtype, const double *y, const double *p, double *grad) {
    double term[GM_MAX_SYSTEM_DIM], d[GM_MAX_DATA_COLUMNS];
    density->gradient_f64(0, y, p, grad);
    for (int64_t r = 0; r < data->rows; ++r) {
        gm_ref_load_row(density, data, dtype, r, d);
        density->row_gradient_f64(d, y, p, term);
        for (int32_t c = 0; c < density->dim; ++c) {
            grad[c] += term[c];
        }
    }
}

#endif
