/* Conformance cases of gm_correlations_add and gm_multispin_correlations: not one bit of a sum may
 * differ from the reference, of two measurements. */
#include "host/cli/correlations_case.h"

static gm_status compare_shape(gm_context *reference, gm_context *subject,
                               const correlations_shape *shape, gm_case_result *result) {
    correlations_run a = {.plan = NULL}, b = {.plan = NULL};
    gm_status status = correlations_open(reference, shape, &a);
    status = status == GM_STATUS_OK ? correlations_open(subject, shape, &b) : status;
    for (int k = 0; k < 2 && status == GM_STATUS_OK; ++k) {
        status = correlations_add(&a);
        status = status == GM_STATUS_OK ? correlations_add(&b) : status;
    }
    if (status == GM_STATUS_OK) {
        status = correlations_compare(reference, &a, subject, &b, result);
    }
    correlations_close(reference, &a);
    correlations_close(subject, &b);
    return status;
}

/* name, operation, what it is called, rows, columns, chains, reach, q, spins */
#define CASES(X)                                                                                   \
    X(signs, "correlations_add", "i8/signs", 12, 10, 70, 9, 0, GM_ISING_SIGNS)                     \
    X(bits, "correlations_add", "i8/bits-few", 21, 17, 3, 16, 0, GM_ISING_BITS)                    \
    X(labels, "correlations_add", "u8/labels", 9, 31, 33, 8, 5, GM_ISING_SIGNS)                    \
    X(large, "correlations_add", "i8/large", 251, 249, 2, 2, 0, GM_ISING_SIGNS)                    \
    X(packed, "multispin_correlations", "u32/packed", 12, 10, 35, 9, -1, GM_ISING_SIGNS)           \
    X(wide, "multispin_correlations", "u32/packed-wide", 6, 1030, 3, 600, -1, GM_ISING_SIGNS)

#define DEFINE(name, operation, text, rows, columns, chains, reach, q, spins)                      \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        const correlations_shape shape = {rows, columns, chains, reach, q, spins};                 \
        return compare_shape(reference, subject, &shape, result);                                  \
    }
CASES(DEFINE)

#define ENTRY(name, operation, text, rows, columns, chains, reach, q, spins)                       \
    {operation "/" text, run_##name},
const gm_case gm_correlations_cases[] = {CASES(ENTRY)};
const int gm_correlations_cases_count =
    sizeof gm_correlations_cases / sizeof gm_correlations_cases[0];
