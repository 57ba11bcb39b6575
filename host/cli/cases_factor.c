/* Conformance cases of gm_factor_graph_run: not one label, count or status may differ from the
 * reference after some sweeps. */
#include "host/cli/factor_case.h"

enum { CHAINS = 35, SWEEPS = 12 };

static gm_status run_factor(gm_context *reference, gm_context *subject, int32_t variables,
                            int32_t labels, int triples, gm_ising_order order,
                            gm_case_result *result) {
    factor_model m = {0};
    factor_chains a = {0}, b = {0};
    gm_status status = factor_make(variables, labels, triples, order, &m);
    status = status == GM_STATUS_OK ? factor_chains_open(reference, &m.model, CHAINS, &a) : status;
    status = status == GM_STATUS_OK ? factor_chains_open(subject, &m.model, CHAINS, &b) : status;
    status = status == GM_STATUS_OK ? factor_chains_run(&a, 0, SWEEPS) : status;
    status = status == GM_STATUS_OK ? factor_chains_run(&b, 0, SWEEPS) : status;
    if (status == GM_STATUS_OK) {
        status = factor_compare(reference, &a, subject, &b, result);
    }
    factor_chains_close(reference, &a);
    factor_chains_close(subject, &b);
    factor_model_free(&m);
    return status;
}

/* name, what it is called, variables, labels, triples, order */
#define CASES(X)                                                                                   \
    X(pairs, "pairs", 67, 2, 0, GM_ISING_COLOURED)                                                 \
    X(triples, "triples", 41, 5, 1, GM_ISING_COLOURED)                                             \
    X(many, "many-labels", 11, 19, 0, GM_ISING_COLOURED)                                           \
    X(raster, "triples/raster", 23, 4, 1, GM_ISING_RASTER)                                         \
    X(random, "triples/random-order", 23, 3, 1, GM_ISING_RANDOM)

#define DEFINE(name, text, variables, labels, triples, order)                                      \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return run_factor(reference, subject, variables, labels, triples, order, result);          \
    }
CASES(DEFINE)

#define ENTRY(name, text, variables, labels, triples, order) {"factor_graph_run/" text, run_##name},
const gm_case gm_factor_cases[] = {CASES(ENTRY)};
const int gm_factor_cases_count = sizeof gm_factor_cases / sizeof gm_factor_cases[0];
