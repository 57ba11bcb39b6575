/* Benchmarks of Potts chains: attempted updates, with the sums of every sweep. */
#include "host/cli/bench.h"
#include "host/cli/potts_case.h"

typedef struct potts_state {
    ising_model graph;
    potts_chains chains;
    int32_t q;
    int64_t sweeps;
} potts_state;

/* lattice of side x side, or with side = 0 a graph of 1000 sites. */
static gm_status setup_potts(gm_context *context, int64_t side, int real, int32_t q, int64_t chains,
                             int64_t sweeps, void **state) {
    potts_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->q = q;
    made->sweeps = sweeps;
    const int64_t size[2] = {side, side};
    const gm_status status = side > 0 ? ising_make_lattice(2, size, &made->graph)
                                      : ising_make_graph(1000, real, &made->graph);
    return status == GM_STATUS_OK ? potts_chains_open(context, &made->graph, q, GM_POTTS_HEAT_BATH,
                                                      chains, &made->chains)
                                  : status;
}

static gm_status run_potts(gm_context *context, void *state, int64_t round) {
    (void)context;
    potts_state *s = state;
    return potts_chains_run(&s->chains, round * s->sweeps, s->sweeps);
}

/* The labels after the first round; all of it again by the reference. */
static gm_status verify_potts(gm_context *reference, gm_context *context, void *state,
                              gm_case_result *result) {
    potts_state *s = state;
    potts_chains expected = {0};
    gm_status status = potts_chains_open(reference, &s->graph, s->q, GM_POTTS_HEAT_BATH,
                                         s->chains.labels.shape[0], &expected);
    status = status == GM_STATUS_OK ? potts_chains_run(&expected, 0, s->sweeps) : status;
    if (status == GM_STATUS_OK) {
        status = potts_compare(reference, &expected, context, &s->chains, result);
    }
    potts_chains_close(reference, &expected);
    return status;
}

static void teardown_potts(gm_context *context, void *state) {
    potts_state *s = state;
    if (s != NULL) {
        potts_chains_close(context, &s->chains);
        ising_model_free(&s->graph);
    }
    free(s);
}

/* name, operation, shape, side, real, q, chains, sweeps, updates of a run */
#define BENCHES(X)                                                                                 \
    X(three, "potts square", "q=3 32x32 chains=256 sweeps=8", 32, 0, 3, 256, 8, 1024.0 * 256 * 8)  \
    X(ten, "potts square", "q=10 32x32 chains=256 sweeps=4", 32, 0, 10, 256, 4, 1024.0 * 256 * 4)  \
    X(many, "potts square", "q=64 32x32 chains=64 sweeps=2", 32, 0, 64, 64, 2, 1024.0 * 64 * 2)    \
    X(glass, "potts degree 6", "q=3 n=1000 chains=64 sweeps=16", 0, 0, 3, 64, 16,                  \
      1000.0 * 64 * 16)                                                                            \
    X(real, "potts degree 6 real", "q=3 n=1000 chains=64 sweeps=4", 0, 1, 3, 64, 4,                \
      1000.0 * 64 * 4)                                                                             \
    X(large, "potts square", "q=3 512x512 chains=1 sweeps=4", 512, 0, 3, 1, 4, 262144.0 * 4)

#define DEFINE(name, operation, shape, side, real, q, chains, sweeps, updates)                     \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_potts(context, side, real, q, chains, sweeps, state);                         \
    }
BENCHES(DEFINE)

#define ENTRY(name, operation, shape, side, real, q, chains, sweeps, updates)                      \
    {operation,      "u8", shape,   setup_##name, run_potts, verify_potts,                         \
     teardown_potts, 0,    updates, updates,      "updates"},
const gm_bench_case gm_potts_bench[] = {BENCHES(ENTRY)};
const int gm_potts_bench_count = sizeof gm_potts_bench / sizeof gm_potts_bench[0];
