/* Conformance cases of gm_diagnose. */
#include "host/cli/diagnose_case.h"

static gm_status compare(gm_context *reference, gm_context *subject, gm_diagnostic diagnostic,
                         gm_dtype dtype, int64_t n, int64_t m, gm_case_result *result) {
    const gm_diagnose_options options = {diagnostic, 0.1, m / 2};
    const int64_t shape[] = {3, n, m};
    diagnose_arrays a = {0}, b = {0};
    gm_status status = diagnose_open(reference, &options, dtype, shape, &a);
    status = status == GM_STATUS_OK ? diagnose_open(subject, &options, dtype, shape, &b) : status;
    if (status == GM_STATUS_OK) {
        status = gm_diagnose(reference, &options, &a.draws, &a.out, &a.workspace);
    }
    if (status == GM_STATUS_OK) {
        status = gm_diagnose(subject, &options, &b.draws, &b.out, &b.workspace);
    }
    status = status == GM_STATUS_OK ? diagnose_compare(reference, &a, subject, &b, result) : status;
    diagnose_close(reference, &a);
    diagnose_close(subject, &b);
    return status;
}

/* name, what it is called, diagnostic, type, iterations, chains */
#define CASES(X)                                                                                   \
    X(rhat, "f64/rhat", RHAT, GM_F64, 101, 6)                                                      \
    X(nested, "f32/rhat-nested", RHAT_NESTED, GM_F32, 3, 400)                                      \
    X(bulk, "f32/ess-bulk", ESS_BULK, GM_F32, 30, 40)                                              \
    X(tail, "f64/ess-tail", ESS_TAIL, GM_F64, 250, 4)                                              \
    X(mcse, "f64/mcse-quantile", MCSE_QUANTILE, GM_F64, 64, 8)                                     \
    X(time, "f64/autocorrelation-time", AUTOCORRELATION_TIME, GM_F64, 1500, 2)

#define DEFINE(name, text, diagnostic, dtype, n, m)                                                \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return compare(reference, subject, GM_DIAGNOSTIC_##diagnostic, dtype, n, m, result);       \
    }
CASES(DEFINE)

#define ENTRY(name, text, diagnostic, dtype, n, m) {"diagnose/" text, run_##name},
const gm_case gm_diagnostics_cases[] = {CASES(ENTRY)};
const int gm_diagnostics_cases_count = sizeof gm_diagnostics_cases / sizeof gm_diagnostics_cases[0];
