/* Conformance cases of gm_multispin_run: not one bit of a spin and not one of a sum may differ from
 * the reference after many sweeps. */
#include "host/cli/multispin_case.h"

static gm_status compare_model(gm_context *reference, gm_context *subject,
                               const gm_multispin_model *model, int64_t chains, int64_t sweeps,
                               gm_case_result *result) {
    multispin_chains a = {0}, b = {0};
    gm_status status = multispin_open(reference, model, chains, &a);
    status = status == GM_STATUS_OK ? multispin_open(subject, model, chains, &b) : status;
    status = status == GM_STATUS_OK ? multispin_run(&a, 0, 0, sweeps) : status;
    status = status == GM_STATUS_OK ? multispin_run(&b, 0, 0, sweeps) : status;
    if (status == GM_STATUS_OK) {
        status = multispin_compare(reference, &a, subject, &b, result);
    }
    multispin_close(reference, &a);
    multispin_close(subject, &b);
    return status;
}

/* name, what it is called, chains, sweeps, the model */
#define CASES(X)                                                                                   \
    X(square, "square/heat-bath", 35, 30, (.axes = 2, .size = {12, 10}, .periodic = {1, 1}))       \
    X(open, "square/free-odd", 35, 30,                                                             \
      (.axes = 2, .size = {7, 9}, .update = GM_ISING_METROPOLIS, .antiferromagnetic = 1))          \
    X(one, "square/one-large", 1, 3, (.axes = 2, .size = {260, 270}, .periodic = {1, 1}))          \
    X(ring, "ring/heat-bath", 35, 30, (.axes = 1, .size = {130}, .periodic = {1}))                 \
    X(cube, "cube/mixed", 35, 30, (.axes = 3, .size = {4, 5, 6}, .periodic = {1, 0, 1}))           \
    X(honeycomb, "honeycomb/heat-bath", 35, 30,                                                    \
      (.lattice = GM_MULTISPIN_HONEYCOMB, .axes = 2, .size = {10, 12}, .periodic = {1, 1}))        \
    X(field, "square/field", 35, 30,                                                               \
      (.axes = 2, .size = {12, 10}, .periodic = {1, 1}, .field = 0.3))                             \
    X(field_lazy, "cube/free-field-lazy", 35, 30,                                                  \
      (.axes = 3, .size = {3, 5, 6}, .update = GM_ISING_LAZY_METROPOLIS, .antiferromagnetic = 1,   \
       .field = -1.5))

#define UNPACK(...) __VA_ARGS__
#define DEFINE(name, text, chains, sweeps, fields)                                                 \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        const gm_multispin_model model = {UNPACK fields};                                          \
        return compare_model(reference, subject, &model, chains, sweeps, result);                  \
    }
CASES(DEFINE)

#define ENTRY(name, text, chains, sweeps, fields) {"multispin_run/" text, run_##name},
const gm_case gm_multispin_cases[] = {CASES(ENTRY)};
const int gm_multispin_cases_count = sizeof gm_multispin_cases / sizeof gm_multispin_cases[0];
