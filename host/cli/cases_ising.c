/* Conformance cases of gm_ising_run: not one spin and not one bit of a sum may differ from the
 * reference after many sweeps. */
#include "host/cli/ising_case.h"

enum { CHAINS = 35, SWEEPS = 30 };

static gm_status compare_model(gm_context *reference, gm_context *subject, const ising_model *m,
                               gm_case_result *result) {
    ising_chains a = {0}, b = {0};
    gm_status status = ising_chains_open(reference, &m->model, CHAINS, &a);
    status = status == GM_STATUS_OK ? ising_chains_open(subject, &m->model, CHAINS, &b) : status;
    status = status == GM_STATUS_OK ? ising_chains_run(&a, 0, SWEEPS) : status;
    status = status == GM_STATUS_OK ? ising_chains_run(&b, 0, SWEEPS) : status;
    if (status == GM_STATUS_OK) {
        status = ising_compare(reference, &a, subject, &b, result);
    }
    ising_chains_close(reference, &a);
    ising_chains_close(subject, &b);
    return status;
}

static gm_status run_lattice(gm_context *reference, gm_context *subject, int32_t axes,
                             const int64_t *size, gm_ising_update update, gm_ising_order order,
                             gm_case_result *result) {
    ising_model m = {0};
    gm_status status = ising_make_lattice(axes, size, &m);
    m.model.update = update;
    m.model.order = order;
    status = status == GM_STATUS_OK ? compare_model(reference, subject, &m, result) : status;
    ising_model_free(&m);
    return status;
}

static gm_status run_graph(gm_context *reference, gm_context *subject, int32_t sites, int real,
                           gm_ising_update update, gm_ising_order order, gm_case_result *result) {
    ising_model m = {0};
    gm_status status = ising_make_graph(sites, real, &m);
    m.model.update = update;
    m.model.order = order;
    status = status == GM_STATUS_OK ? compare_model(reference, subject, &m, result) : status;
    ising_model_free(&m);
    return status;
}

/* name, what it is called, the call */
#define CASES(X)                                                                                   \
    X(square, "square/heat-bath",                                                                  \
      run_lattice(reference, subject, 2, (const int64_t[]){12, 10}, GM_ISING_HEAT_BATH,            \
                  GM_ISING_COLOURED, result))                                                      \
    X(odd, "square/odd-metropolis",                                                                \
      run_lattice(reference, subject, 2, (const int64_t[]){7, 9}, GM_ISING_METROPOLIS,             \
                  GM_ISING_COLOURED, result))                                                      \
    X(cube, "cube/random-order",                                                                   \
      run_lattice(reference, subject, 3, (const int64_t[]){3, 4, 5}, GM_ISING_METROPOLIS,          \
                  GM_ISING_RANDOM, result))                                                        \
    X(glass, "graph/signs",                                                                        \
      run_graph(reference, subject, 131, 0, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, result))        \
    X(real, "graph/real",                                                                          \
      run_graph(reference, subject, 131, 1, GM_ISING_HEAT_BATH, GM_ISING_COLOURED, result))        \
    X(raster, "graph/raster-metropolis",                                                           \
      run_graph(reference, subject, 61, 1, GM_ISING_METROPOLIS, GM_ISING_RASTER, result))

#define DEFINE(name, text, call)                                                                   \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return call;                                                                               \
    }
CASES(DEFINE)

#define ENTRY(name, text, call) {"ising_run/" text, run_##name},
const gm_case gm_ising_cases[] = {CASES(ENTRY)};
const int gm_ising_cases_count = sizeof gm_ising_cases / sizeof gm_ising_cases[0];
