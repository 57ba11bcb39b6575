/* Benchmarks of multi-spin coded Ising chains: attempted updates, with the sums of every sweep. */
#include "host/cli/bench.h"
#include "host/cli/multispin_case.h"

typedef struct multispin_state {
    gm_multispin_model model;
    multispin_chains chains;
    int64_t sweeps;
} multispin_state;

/* A periodic lattice of two axes, or of three. */
static gm_status setup_multispin(gm_context *context, gm_multispin_lattice lattice, int32_t axes,
                                 double field, int64_t side, int64_t chains, int64_t sweeps,
                                 void **state) {
    multispin_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->sweeps = sweeps;
    made->model = (gm_multispin_model){.lattice = lattice,
                                       .axes = axes,
                                       .size = {side, side, side},
                                       .periodic = {1, 1, 1},
                                       .field = field};
    return multispin_open(context, &made->model, chains, &made->chains);
}

static gm_status run_multispin(gm_context *context, void *state, int64_t round) {
    (void)context;
    multispin_state *s = state;
    return multispin_run(&s->chains, 0, round * s->sweeps, s->sweeps);
}

/* The last chains after the first round, about 2^17 updates of them, again by the reference: which
 * needs as many sweeps, so that one large lattice is verified with the sweeps of a benchmark. */
static gm_status verify_multispin(gm_context *reference, gm_context *context, void *state,
                                  gm_case_result *result) {
    multispin_state *s = state;
    const int64_t chains = s->chains.packed.shape[0], words = s->chains.packed.shape[1];
    const int64_t most = (INT64_C(1) << 17) / (32 * words * s->sweeps);
    const int64_t compared = most < 1 ? 1 : most < chains ? most : chains;
    multispin_chains expected = {0};
    gm_status status = multispin_open(reference, &s->model, chains, &expected);
    if (status == GM_STATUS_OK) { /* a view of the last ones */
        gm_tensor *const all[] = {&expected.beta, &expected.packed, &expected.sums};
        gm_tensor whole[3];
        for (int i = 0; i < 3; ++i) {
            whole[i] = *all[i];
            const int64_t offset = (chains - compared) * all[i]->stride[0];
            all[i]->data = (char *)all[i]->data + offset * (int64_t)gm_dtype_size(all[i]->dtype);
            all[i]->shape[0] = compared;
        }
        status = multispin_run(&expected, chains - compared, 0, s->sweeps);
        if (status == GM_STATUS_OK) {
            status = multispin_compare(reference, &expected, context, &s->chains, result);
        }
        for (int i = 0; i < 3; ++i) {
            *all[i] = whole[i];
        }
    }
    multispin_close(reference, &expected);
    return status;
}

static void teardown_multispin(gm_context *context, void *state) {
    multispin_state *s = state;
    if (s != NULL) {
        multispin_close(context, &s->chains);
    }
    free(s);
}

/*
 * name, operation, shape, lattice, axes, field, side, chains, sweeps. The table of small chains: 64
 * to 4,096 spins, 1e2 to 1e6 chains, as far as 2^29 spins.
 */
#define SQUARE GM_MULTISPIN_GRID, 2, 0
#define BENCHES(X)                                                                                 \
    X(one, "multispin square", "1024x1024 chains=1 sweeps=16", SQUARE, 1024, 1, 16)                \
    X(many, "multispin square", "256x256 chains=64 sweeps=16", SQUARE, 256, 64, 16)                \
    X(huge, "multispin square", "8192x8192 chains=1 sweeps=1", SQUARE, 8192, 1, 1)                 \
    X(cube, "multispin cubic", "32x32x32 chains=64 sweeps=16", GM_MULTISPIN_GRID, 3, 0, 32, 64,    \
      16)                                                                                          \
    X(comb, "multispin honeycomb", "256x256 chains=64 sweeps=16", GM_MULTISPIN_HONEYCOMB, 2, 0,    \
      256, 64, 16)                                                                                 \
    X(field, "multispin field", "1024x1024 h=0.5 chains=1 sweeps=16", GM_MULTISPIN_GRID, 2, 0.5,   \
      1024, 1, 16)                                                                                 \
    X(c64_1e2, "multispin small", "8x8 chains=100 sweeps=1024", SQUARE, 8, 100, 1024)              \
    X(c64_1e3, "multispin small", "8x8 chains=1000 sweeps=256", SQUARE, 8, 1000, 256)              \
    X(c64_1e4, "multispin small", "8x8 chains=10000 sweeps=64", SQUARE, 8, 10000, 64)              \
    X(c64_1e5, "multispin small", "8x8 chains=100000 sweeps=16", SQUARE, 8, 100000, 16)            \
    X(c64_1e6, "multispin small", "8x8 chains=1000000 sweeps=16", SQUARE, 8, 1000000, 16)          \
    X(c256_1e2, "multispin small", "16x16 chains=100 sweeps=1024", SQUARE, 16, 100, 1024)          \
    X(c256_1e3, "multispin small", "16x16 chains=1000 sweeps=256", SQUARE, 16, 1000, 256)          \
    X(c256_1e4, "multispin small", "16x16 chains=10000 sweeps=64", SQUARE, 16, 10000, 64)          \
    X(c256_1e5, "multispin small", "16x16 chains=100000 sweeps=16", SQUARE, 16, 100000, 16)        \
    X(c256_1e6, "multispin small", "16x16 chains=1000000 sweeps=16", SQUARE, 16, 1000000, 16)      \
    X(c1024_1e2, "multispin small", "32x32 chains=100 sweeps=256", SQUARE, 32, 100, 256)           \
    X(c1024_1e3, "multispin small", "32x32 chains=1000 sweeps=64", SQUARE, 32, 1000, 64)           \
    X(c1024_1e4, "multispin small", "32x32 chains=10000 sweeps=16", SQUARE, 32, 10000, 16)         \
    X(c1024_1e5, "multispin small", "32x32 chains=100000 sweeps=16", SQUARE, 32, 100000, 16)       \
    X(c4096_1e2, "multispin small", "64x64 chains=100 sweeps=64", SQUARE, 64, 100, 64)             \
    X(c4096_1e3, "multispin small", "64x64 chains=1000 sweeps=16", SQUARE, 64, 1000, 16)           \
    X(c4096_1e4, "multispin small", "64x64 chains=10000 sweeps=16", SQUARE, 64, 10000, 16)         \
    X(c4096_1e5, "multispin small", "64x64 chains=100000 sweeps=8", SQUARE, 64, 100000, 8)

#define DEFINE(name, operation, shape, lattice, axes, field, side, chains, sweeps)                 \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_multispin(context, lattice, axes, field, side, chains, sweeps, state);        \
    }
#define DEFINE_ARGUMENTS(...) DEFINE(__VA_ARGS__)
BENCHES(DEFINE_ARGUMENTS)

#define UPDATES(axes, side, chains, sweeps)                                                        \
    ((axes) == 3 ? (double)(side) * (side) * (side) * (chains) * (sweeps)                          \
                 : (double)(side) * (side) * (chains) * (sweeps))
/* Reads and writes a bit a spin, once. */
#define ENTRY(name, operation, shape, lattice, axes, field, side, chains, sweeps)                  \
    {operation,                                                                                    \
     "u32",                                                                                        \
     shape,                                                                                        \
     setup_##name,                                                                                 \
     run_multispin,                                                                                \
     verify_multispin,                                                                             \
     teardown_multispin,                                                                           \
     0,                                                                                            \
     UPDATES(axes, side, chains, sweeps) / (sweeps) / 4,                                           \
     UPDATES(axes, side, chains, sweeps),                                                          \
     "updates"},
#define ENTRY_ARGUMENTS(...) ENTRY(__VA_ARGS__)
const gm_bench_case gm_multispin_bench[] = {BENCHES(ENTRY_ARGUMENTS)};
const int gm_multispin_bench_count = sizeof gm_multispin_bench / sizeof gm_multispin_bench[0];
