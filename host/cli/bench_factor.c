/* Benchmarks of chains of factor graphs: attempted updates, with the counts of every sweep. */
#include "host/cli/bench.h"
#include "host/cli/factor_case.h"

typedef struct factor_state {
    factor_model model;
    factor_chains chains;
    int64_t sweeps;
} factor_state;

static gm_status setup_factor(gm_context *context, int32_t variables, int32_t labels, int triples,
                              int64_t chains, int64_t sweeps, void **state) {
    factor_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->sweeps = sweeps;
    const gm_status status =
        factor_make(variables, labels, triples, GM_ISING_COLOURED, &made->model);
    return status == GM_STATUS_OK
               ? factor_chains_open(context, &made->model.model, chains, &made->chains)
               : status;
}

static gm_status run_factor(gm_context *context, void *state, int64_t round) {
    (void)context;
    factor_state *s = state;
    return factor_chains_run(&s->chains, round * s->sweeps, s->sweeps);
}

/* The labels after the first round; all of it again by the reference. */
static gm_status verify_factor(gm_context *reference, gm_context *context, void *state,
                               gm_case_result *result) {
    factor_state *s = state;
    factor_chains expected = {0};
    gm_status status =
        factor_chains_open(reference, &s->model.model, s->chains.labels.shape[0], &expected);
    status = status == GM_STATUS_OK ? factor_chains_run(&expected, 0, s->sweeps) : status;
    if (status == GM_STATUS_OK) {
        status = factor_compare(reference, &expected, context, &s->chains, result);
    }
    factor_chains_close(reference, &expected);
    return status;
}

static void teardown_factor(gm_context *context, void *state) {
    factor_state *s = state;
    if (s != NULL) {
        factor_chains_close(context, &s->chains);
        factor_model_free(&s->model);
    }
    free(s);
}

/* name, operation, shape, variables, labels, triples, chains, sweeps, updates of a run */
#define BENCHES(X)                                                                                 \
    X(pairs, "factor graph pairs", "n=1000 labels=2 chains=64 sweeps=16", 1000, 2, 0, 64, 16,      \
      1000.0 * 64 * 16)                                                                            \
    X(triples, "factor graph triples", "n=200 labels=5 chains=256 sweeps=4", 200, 5, 1, 256, 4,    \
      200.0 * 256 * 4)                                                                             \
    X(large, "factor graph pairs", "n=100000 labels=2 chains=1 sweeps=4", 100000, 2, 0, 1, 4,      \
      100000.0 * 4)

#define DEFINE(name, operation, shape, variables, labels, triples, chains, sweeps, updates)        \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_factor(context, variables, labels, triples, chains, sweeps, state);           \
    }
BENCHES(DEFINE)

#define ENTRY(name, operation, shape, variables, labels, triples, chains, sweeps, updates)         \
    {operation,       "u8", shape,   setup_##name, run_factor, verify_factor,                      \
     teardown_factor, 0,    updates, updates,      "updates"},
const gm_bench_case gm_factor_bench[] = {BENCHES(ENTRY)};
const int gm_factor_bench_count = sizeof gm_factor_bench / sizeof gm_factor_bench[0];
