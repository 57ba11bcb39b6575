/* gm_mcmc_mass: checks, dispatch; the factorisation that ref and cpu share. */
#include <genmath/mcmc.h>

#include <math.h>
#include <string.h>

#include "host/internal.h"
#include "host/mcmc_args.h"
#include "host/strided.h"

void gm_mcmc_mass_finish(const gm_mcmc_mass_args *a, double (*l)[GM_MAX_SYSTEM_DIM]) {
    for (int64_t i = 0; i < a->dim && a->scale != NULL; ++i) {
        gm_store_real(a->scale, a->dtype, i * a->scale_stride[0], sqrt(l[i][i]));
    }
    for (int64_t j = 0; j < a->dim && a->factor != NULL; ++j) {
        for (int64_t i = j; i < a->dim; ++i) {
            double rest = l[i][j];
            for (int64_t k = 0; k < j; ++k) {
                rest -= l[i][k] * l[j][k];
            }
            l[i][j] = i > j ? rest / l[j][j] : rest > 0 ? sqrt(rest) : (double)NAN;
            const int64_t *stride = a->factor_stride;
            gm_store_real(a->factor, a->dtype, i * stride[0] + j * stride[1], l[i][j]);
            if (i > j) {
                gm_store_real(a->factor, a->dtype, j * stride[0] + i * stride[1], 0);
            }
        }
    }
}

static gm_status check_outputs(gm_context *context, const gm_tensor *draws, const gm_tensor *scale,
                               const gm_tensor *factor) {
    const char *const because = "as draws' components";
    const unsigned type = GM_DTYPE_BIT(draws->dtype);
    if (scale != NULL) {
        GM_TRY(gm_check_output(context, "scale", scale, 1, type));
        GM_TRY(gm_check_size(context, "scale", scale, 0, draws->shape[1], because));
        GM_TRY(gm_check_disjoint(context, "scale", scale, "draws", draws, false));
        GM_TRY(gm_check_disjoint(context, "scale", scale, "factor", factor, false));
    }
    if (factor != NULL) {
        GM_TRY(gm_check_output(context, "factor", factor, 2, type));
        GM_TRY(gm_check_size(context, "factor", factor, 0, draws->shape[1], because));
        GM_TRY(gm_check_size(context, "factor", factor, 1, draws->shape[1], because));
        GM_TRY(gm_check_disjoint(context, "factor", factor, "draws", draws, false));
    }
    return GM_STATUS_OK;
}

gm_status gm_mcmc_mass(gm_context *context, const gm_tensor *draws, const gm_tensor *scale,
                       const gm_tensor *factor) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(gm_check_tensor(context, "draws", draws, 3, GM_FLOATS));
    GM_CHECK(context, draws->shape[1] >= 1 && draws->shape[1] <= GM_MAX_SYSTEM_DIM,
             GM_STATUS_SHAPE_MISMATCH, "draws has %lld components: must be 1 to %d",
             (long long)draws->shape[1], GM_MAX_SYSTEM_DIM);
    GM_TRY(check_outputs(context, draws, scale, factor));
    const gm_backend *backend = GM_BACKEND_WITH(context, mcmc_mass);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_mcmc_mass_args args = {.dtype = draws->dtype,
                              .draws = draws->shape[0],
                              .dim = draws->shape[1],
                              .n = draws->shape[2],
                              .points = draws->data};
    memcpy(args.points_stride, draws->stride, sizeof args.points_stride);
    if (scale != NULL) {
        args.scale = scale->data;
        args.scale_stride[0] = scale->stride[0];
    }
    if (factor != NULL) {
        args.factor = factor->data;
        memcpy(args.factor_stride, factor->stride, sizeof args.factor_stride);
    }
    return scale == NULL && factor == NULL ? GM_STATUS_OK
                                           : backend->mcmc_mass(&context->call, &args);
}
