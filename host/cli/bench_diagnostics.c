/* Benchmarks of gm_diagnose: few long chains and many short ones. */
#include "host/cli/bench.h"
#include "host/cli/diagnose_case.h"

typedef struct diagnose_state {
    gm_diagnose_options options;
    diagnose_arrays arrays;
} diagnose_state;

static gm_status setup_diagnose(gm_context *context, gm_diagnostic diagnostic, int64_t q, int64_t n,
                                int64_t m, void **state) {
    diagnose_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->options = (gm_diagnose_options){diagnostic, 0.1, m / 4};
    return diagnose_open(context, &made->options, GM_F64, (const int64_t[]){q, n, m},
                         &made->arrays);
}

static gm_status run_diagnose(gm_context *context, void *state, int64_t round) {
    (void)round;
    diagnose_state *s = state;
    return gm_diagnose(context, &s->options, &s->arrays.draws, &s->arrays.out,
                       &s->arrays.workspace);
}

static gm_status verify_diagnose(gm_context *reference, gm_context *context, void *state,
                                 gm_case_result *result) {
    diagnose_state *s = state;
    diagnose_arrays expected = {0};
    gm_status status =
        diagnose_open(reference, &s->options, GM_F64, s->arrays.draws.shape, &expected);
    if (status == GM_STATUS_OK) {
        status = gm_diagnose(reference, &s->options, &expected.draws, &expected.out,
                             &expected.workspace);
    }
    if (status == GM_STATUS_OK) {
        status = diagnose_compare(reference, &expected, context, &s->arrays, result);
    }
    diagnose_close(reference, &expected);
    return status;
}

static void teardown_diagnose(gm_context *context, void *state) {
    diagnose_state *s = state;
    if (s != NULL) {
        diagnose_close(context, &s->arrays);
    }
    free(s);
}

/* name, diagnostic, operation, shape, quantities, iterations, chains */
#define BENCHES(X)                                                                                 \
    X(rhat_long, RHAT, "diagnose rhat", "25 x n=2000 chains=4", 25, 2000, 4)                       \
    X(rhat_many, RHAT, "diagnose rhat", "1 x n=8 chains=100000", 1, 8, 100000)                     \
    X(nested, RHAT_NESTED, "diagnose rhat_nested", "4 x n=8 chains=100000", 4, 8, 100000)          \
    X(bulk_long, ESS_BULK, "diagnose ess_bulk", "25 x n=2000 chains=4", 25, 2000, 4)               \
    X(bulk_many, ESS_BULK, "diagnose ess_bulk", "1 x n=8 chains=100000", 1, 8, 100000)

#define DEFINE(name, diagnostic, operation, shape, q, n, m)                                        \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_diagnose(context, GM_DIAGNOSTIC_##diagnostic, q, n, m, state);                \
    }
BENCHES(DEFINE)

#define ENTRY(name, diagnostic, operation, shape, q, n, m)                                         \
    {operation,                                                                                    \
     "f64",                                                                                        \
     shape,                                                                                        \
     setup_##name,                                                                                 \
     run_diagnose,                                                                                 \
     verify_diagnose,                                                                              \
     teardown_diagnose,                                                                            \
     0,                                                                                            \
     8.0 * (q) * (n) * (m),                                                                        \
     1.0 * (q) * (n) * (m),                                                                        \
     "draws"},
const gm_bench_case gm_diagnostics_bench[] = {BENCHES(ENTRY)};
const int gm_diagnostics_bench_count = sizeof gm_diagnostics_bench / sizeof gm_diagnostics_bench[0];
