/* Benchmarks of Ising chains: attempted updates, with the sums of every sweep. */
#include "host/cli/bench.h"
#include "host/cli/ising_case.h"

typedef struct ising_state {
    ising_model model;
    ising_chains chains;
    int64_t sweeps;
} ising_state;

/* lattice of side x side, or with side = 0 a graph of `sites` sites. */
static gm_status setup_ising(gm_context *context, int64_t side, int32_t sites, int real,
                             int64_t chains, int64_t sweeps, void **state) {
    ising_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->sweeps = sweeps;
    const int64_t size[2] = {side, side};
    const gm_status status = side > 0 ? ising_make_lattice(2, size, &made->model)
                                      : ising_make_graph(sites, real, &made->model);
    return status == GM_STATUS_OK
               ? ising_chains_open(context, &made->model.model, chains, &made->chains)
               : status;
}

static gm_status run_ising(gm_context *context, void *state, int64_t round) {
    (void)context;
    ising_state *s = state;
    return ising_chains_run(&s->chains, round * s->sweeps, s->sweeps);
}

/* The spins after the first round; all of it again by the reference. */
static gm_status verify_ising(gm_context *reference, gm_context *context, void *state,
                              gm_case_result *result) {
    ising_state *s = state;
    ising_chains expected = {0};
    gm_status status =
        ising_chains_open(reference, &s->model.model, s->chains.spins.shape[0], &expected);
    status = status == GM_STATUS_OK ? ising_chains_run(&expected, 0, s->sweeps) : status;
    if (status == GM_STATUS_OK) {
        status = ising_compare(reference, &expected, context, &s->chains, result);
    }
    ising_chains_close(reference, &expected);
    return status;
}

static void teardown_ising(gm_context *context, void *state) {
    ising_state *s = state;
    if (s != NULL) {
        ising_chains_close(context, &s->chains);
        ising_model_free(&s->model);
    }
    free(s);
}

/* name, operation, shape, side, sites, real, chains, sweeps, updates of a run */
#define BENCHES(X)                                                                                 \
    X(tiny, "ising square", "8x8 chains=8192 sweeps=16", 8, 0, 0, 8192, 16, 64.0 * 8192 * 16)      \
    X(small, "ising square", "32x32 chains=256 sweeps=32", 32, 0, 0, 256, 32, 1024.0 * 256 * 32)   \
    X(large, "ising square", "256x256 chains=32 sweeps=16", 256, 0, 0, 32, 16, 65536.0 * 32 * 16)  \
    X(one, "ising square", "512x512 chains=1 sweeps=8", 512, 0, 0, 1, 8, 262144.0 * 8)             \
    X(glass, "ising degree 6", "n=1000 chains=64 sweeps=64", 0, 1000, 0, 64, 64, 1000.0 * 64 * 64) \
    X(real, "ising degree 6 real", "n=1000 chains=64 sweeps=16", 0, 1000, 1, 64, 16,               \
      1000.0 * 64 * 16)

#define DEFINE(name, operation, shape, side, sites, real, chains, sweeps, updates)                 \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_ising(context, side, sites, real, chains, sweeps, state);                     \
    }
BENCHES(DEFINE)

#define ENTRY(name, operation, shape, side, sites, real, chains, sweeps, updates)                  \
    {operation,      "i8", shape,   setup_##name, run_ising, verify_ising,                         \
     teardown_ising, 0,    updates, updates,      "updates"},
const gm_bench_case gm_ising_bench[] = {BENCHES(ENTRY)};
const int gm_ising_bench_count = sizeof gm_ising_bench / sizeof gm_ising_bench[0];
