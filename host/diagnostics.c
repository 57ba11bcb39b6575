/* gm_diagnose: checks, workspace, dispatch. */
#include <genmath/diagnostics.h>

#include "host/diagnostics_args.h"
#include "host/internal.h"

static const char *const names[] = {
    "rhat",          "rhat_basic", "rhat_nested",         "ess_bulk",  "ess_tail",
    "ess_mean",      "ess_sd",     "ess_quantile",        "mcse_mean", "mcse_sd",
    "mcse_quantile", "quantile",   "autocorrelation_time"};
_Static_assert(sizeof names / sizeof names[0] == GM_DIAGNOSTIC_COUNT, "a name for each");

const char *gm_diagnostic_name(gm_diagnostic diagnostic) {
    return (unsigned)diagnostic < GM_DIAGNOSTIC_COUNT ? names[diagnostic] : NULL;
}

static bool has_probability(gm_diagnostic diagnostic) {
    return diagnostic == GM_DIAGNOSTIC_QUANTILE || diagnostic == GM_DIAGNOSTIC_ESS_QUANTILE ||
           diagnostic == GM_DIAGNOSTIC_MCSE_QUANTILE;
}

static gm_status check_options(gm_context *context, const gm_diagnose_options *o, int64_t chains) {
    GM_CHECK(context, (unsigned)o->diagnostic < GM_DIAGNOSTIC_COUNT, GM_STATUS_INVALID_ARGUMENT,
             "options.diagnostic = %d is none", (int)o->diagnostic);
    GM_CHECK(
        context, !has_probability(o->diagnostic) || (o->probability >= 0 && o->probability <= 1),
        GM_STATUS_INVALID_ARGUMENT, "options.probability = %g: must be in [0, 1]", o->probability);
    GM_CHECK(context,
             o->diagnostic != GM_DIAGNOSTIC_RHAT_NESTED ||
                 (o->superchains > 0 && chains % o->superchains == 0),
             GM_STATUS_INVALID_ARGUMENT, "options.superchains = %lld: must divide the %lld chains",
             (long long)o->superchains, (long long)chains);
    return GM_STATUS_OK;
}

static gm_status check_tensors(gm_context *context, const gm_tensor *draws, const gm_tensor *out,
                               gm_diagnose_args *args) {
    GM_TRY(gm_check_tensor(context, "draws", draws, draws != NULL ? draws->ndim : 0, GM_FLOATS));
    const int32_t axes = draws->ndim - 2;
    GM_CHECK(context, axes >= 0, GM_STATUS_SHAPE_MISMATCH,
             "draws.ndim = %d: must be 2 or more (..., iterations, chains)", (int)draws->ndim);
    GM_TRY(gm_check_output(context, "out", out, axes, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_disjoint(context, "out", out, "draws", draws, false));
    args->quantities = gm_layout_begin(2);
    for (int32_t axis = 0; axis < axes; ++axis) {
        GM_TRY(gm_check_size(context, "out", out, axis, draws->shape[axis], "as in draws"));
        gm_layout_add(&args->quantities, draws->shape[axis],
                      (const int64_t[]){draws->stride[axis], out->stride[axis]});
    }
    args->dtype = draws->dtype;
    args->draws = draws->data;
    args->out = out->data;
    args->iterations = draws->shape[axes];
    args->chains = draws->shape[axes + 1];
    args->iteration_stride = draws->stride[axes];
    args->chain_stride = draws->stride[axes + 1];
    return GM_STATUS_OK;
}

gm_status gm_diagnose(gm_context *context, const gm_diagnose_options *options,
                      const gm_tensor *draws, const gm_tensor *out, gm_workspace *workspace) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    gm_diagnose_args args = {.diagnostic = options->diagnostic,
                             .probability = options->probability,
                             .superchains = options->superchains};
    GM_TRY(check_tensors(context, draws, out, &args));
    GM_TRY(check_options(context, options, args.chains));
    const gm_backend *backend = GM_BACKEND_WITH(context, diagnose);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    const size_t bytes = backend->diagnose_workspace(&context->call, &args);
    if (workspace->data == NULL) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    gm_tensor scratch;
    GM_TRY(gm_check_workspace(context, names[options->diagnostic], bytes, workspace->data,
                              workspace->bytes, &scratch));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "draws", draws, false));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "out", out, false));
    args.workspace = workspace->data;
    return args.quantities.elements == 0 ? GM_STATUS_OK : backend->diagnose(&context->call, &args);
}
