/* Benchmarks of correlations: pairs of sites and chains that a measurement compares. */
#include "host/cli/bench.h"
#include "host/cli/correlations_case.h"

static gm_status setup_correlations(gm_context *context, const correlations_shape *shape,
                                    void **state) {
    correlations_run *made = calloc(1, sizeof *made);
    *state = made;
    return made == NULL ? GM_STATUS_OUT_OF_MEMORY : correlations_open(context, shape, made);
}

static gm_status run_correlations(gm_context *context, void *state, int64_t round) {
    (void)context;
    (void)round;
    return correlations_add(state);
}

/* The first chains after the first round, about 2^24 pairs of them, again by the reference. */
static gm_status verify_correlations(gm_context *reference, gm_context *context, void *state,
                                     gm_case_result *result) {
    correlations_run *r = state, expected = {.plan = NULL};
    correlations_shape few = r->shape;
    const int64_t most = (INT64_C(1) << 24) / (2 * few.rows * few.columns * few.reach);
    few.chains = most < 1 ? 1 : most < few.chains ? most : few.chains;
    gm_status status = correlations_open(reference, &few, &expected);
    status = status == GM_STATUS_OK ? correlations_add(&expected) : status;
    if (status == GM_STATUS_OK) {
        status = correlations_compare(reference, &expected, context, r, result);
    }
    correlations_close(reference, &expected);
    return status;
}

static void teardown_correlations(gm_context *context, void *state) {
    if (state != NULL) {
        correlations_close(context, state);
    }
    free(state);
}

/* name, operation, dtype, shape, rows, columns, chains, reach, q */
#define BENCHES(X)                                                                                 \
    X(many, "correlations", "i8", "64x64 chains=1024 reach=16", 64, 64, 1024, 16, 0)               \
    X(few, "correlations", "i8", "64x64 chains=8 reach=16", 64, 64, 8, 16, 0)                      \
    X(large, "correlations", "i8", "1024x1024 chains=1 reach=16", 1024, 1024, 1, 16, 0)            \
    X(labels, "correlations", "u8", "64x64 chains=1024 reach=16 q=4", 64, 64, 1024, 16, 4)         \
    X(packed_many, "correlations packed", "u32", "64x64 chains=1024 reach=16", 64, 64, 1024, 16,   \
      -1)                                                                                          \
    X(packed_one, "correlations packed", "u32", "1024x1024 chains=1 reach=64", 1024, 1024, 1, 64,  \
      -1)                                                                                          \
    X(packed_huge, "correlations packed", "u32", "8192x8192 chains=1 reach=64", 8192, 8192, 1, 64, \
      -1)

#define DEFINE(name, operation, dtype, shape, rows, columns, chains, reach, q)                     \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        const correlations_shape own = {rows, columns, chains, reach, q, GM_ISING_SIGNS};          \
        return setup_correlations(context, &own, state);                                           \
    }
BENCHES(DEFINE)

/* Both axes, but of packed spins, which are a bit a site; the states are read once. */
#define PAIRS(rows, columns, chains, reach, q)                                                     \
    ((double)(rows) * (columns) * (chains) * (reach) * ((q) < 0 ? 1 : 2))
#define BYTES(rows, columns, chains, q) ((double)(rows) * (columns) * (chains) / ((q) < 0 ? 8 : 1))
#define ENTRY(name, operation, dtype, shape, rows, columns, chains, reach, q)                      \
    {operation,                                                                                    \
     dtype,                                                                                        \
     shape,                                                                                        \
     setup_##name,                                                                                 \
     run_correlations,                                                                             \
     verify_correlations,                                                                          \
     teardown_correlations,                                                                        \
     0,                                                                                            \
     BYTES(rows, columns, chains, q),                                                              \
     PAIRS(rows, columns, chains, reach, q),                                                       \
     "pairs"},
const gm_bench_case gm_correlations_bench[] = {BENCHES(ENTRY)};
const int gm_correlations_bench_count =
    sizeof gm_correlations_bench / sizeof gm_correlations_bench[0];
