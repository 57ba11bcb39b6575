/* Conformance cases of gm_potts_run: not one label and not one bit of a sum may differ from the
 * reference after many sweeps. */
#include "host/cli/potts_case.h"

enum { CHAINS = 35, SWEEPS = 12 };

static gm_status compare_model(gm_context *reference, gm_context *subject, const ising_model *m,
                               int32_t q, gm_potts_update update, gm_case_result *result) {
    potts_chains a = {0}, b = {0};
    gm_status status = potts_chains_open(reference, m, q, update, CHAINS, &a);
    status = status == GM_STATUS_OK ? potts_chains_open(subject, m, q, update, CHAINS, &b) : status;
    status = status == GM_STATUS_OK ? potts_chains_run(&a, 0, SWEEPS) : status;
    status = status == GM_STATUS_OK ? potts_chains_run(&b, 0, SWEEPS) : status;
    if (status == GM_STATUS_OK) {
        status = potts_compare(reference, &a, subject, &b, result);
    }
    potts_chains_close(reference, &a);
    potts_chains_close(subject, &b);
    return status;
}

/* side > 0: a square lattice; else a graph of degree 6. */
static gm_status run_case(gm_context *reference, gm_context *subject, int64_t side, int real,
                          int32_t q, gm_potts_update update, gm_ising_order order,
                          gm_case_result *result) {
    ising_model m = {0};
    gm_status status = side > 0 ? ising_make_lattice(2, (const int64_t[]){side, side}, &m)
                                : ising_make_graph(61, real, &m);
    m.model.order = order;
    status =
        status == GM_STATUS_OK ? compare_model(reference, subject, &m, q, update, result) : status;
    ising_model_free(&m);
    return status;
}

/* name, what it is called, side, real, q, update, order */
#define CASES(X)                                                                                   \
    X(three, "square/q=3", 10, 0, 3, GM_POTTS_HEAT_BATH, GM_ISING_COLOURED)                        \
    X(many, "square/q=37", 6, 0, 37, GM_POTTS_HEAT_BATH, GM_ISING_COLOURED)                        \
    X(metropolis, "square/q=5-metropolis", 7, 0, 5, GM_POTTS_METROPOLIS, GM_ISING_COLOURED)        \
    X(random, "square/q=4-random-order", 6, 0, 4, GM_POTTS_HEAT_BATH, GM_ISING_RANDOM)             \
    X(glass, "graph/q=3-signs", 0, 0, 3, GM_POTTS_HEAT_BATH, GM_ISING_COLOURED)                    \
    X(real, "graph/q=4-real", 0, 1, 4, GM_POTTS_HEAT_BATH, GM_ISING_COLOURED)                      \
    X(raster, "graph/q=9-raster-metropolis", 0, 1, 9, GM_POTTS_METROPOLIS, GM_ISING_RASTER)

#define DEFINE(name, text, side, real, q, update, order)                                           \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return run_case(reference, subject, side, real, q, update, order, result);                 \
    }
CASES(DEFINE)

#define ENTRY(name, text, side, real, q, update, order) {"potts_run/" text, run_##name},
const gm_case gm_potts_cases[] = {CASES(ENTRY)};
const int gm_potts_cases_count = sizeof gm_potts_cases / sizeof gm_potts_cases[0];
