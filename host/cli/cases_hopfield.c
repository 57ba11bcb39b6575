/* Conformance cases of gm_hopfield_run: not one neuron, overlap or number of sweeps may differ from
 * the reference. */
#include "host/cli/hopfield_case.h"

static gm_status run_hopfield(gm_context *reference, gm_context *subject, int64_t neurons,
                              int64_t patterns, gm_hopfield_rule rule, int32_t synchronous,
                              gm_case_result *result) {
    const gm_hopfield_run_options options = {.synchronous = synchronous, .sweeps = 20};
    hopfield_probes a = {0}, b = {0};
    gm_status status = hopfield_open(reference, neurons, patterns, 23, rule, options, &a);
    status = status == GM_STATUS_OK
                 ? hopfield_open(subject, neurons, patterns, 23, rule, options, &b)
                 : status;
    status = status == GM_STATUS_OK ? hopfield_run(&a) : status;
    status = status == GM_STATUS_OK ? hopfield_run(&b) : status;
    if (status == GM_STATUS_OK) {
        status = hopfield_compare(reference, &a, subject, &b, result);
    }
    hopfield_close(reference, &a);
    hopfield_close(subject, &b);
    return status;
}

/* name, what it is called, neurons, patterns, rule, synchronous */
#define CASES(X)                                                                                   \
    X(hebb, "hebb/asynchronous", 131, 14, GM_HOPFIELD_HEBB, 0)                                     \
    X(hebb_all, "hebb/synchronous", 200, 40, GM_HOPFIELD_HEBB, 1)                                  \
    X(inverse, "pseudo-inverse/asynchronous", 97, 45, GM_HOPFIELD_PSEUDO_INVERSE, 0)               \
    X(inverse_all, "pseudo-inverse/synchronous", 97, 45, GM_HOPFIELD_PSEUDO_INVERSE, 1)

#define DEFINE(name, text, neurons, patterns, rule, synchronous)                                   \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return run_hopfield(reference, subject, neurons, patterns, rule, synchronous, result);     \
    }
CASES(DEFINE)

#define ENTRY(name, text, neurons, patterns, rule, synchronous) {"hopfield_run/" text, run_##name},
const gm_case gm_hopfield_cases[] = {CASES(ENTRY)};
const int gm_hopfield_cases_count = sizeof gm_hopfield_cases / sizeof gm_hopfield_cases[0];
