/* Benchmarks of gm_density_annealing_run: two random-walk steps and a weight, of which a path that
 * moves a parameter takes two log densities and one of inverse temperatures one. */
#include "host/cli/bench.h"
#include "host/cli/density_annealing_case.h"

enum { SLICE = 256 };
#define CHAINS 65536

static gm_status setup_chains(gm_context *context, gm_dtype dtype, bool moves, void **state) {
    path_chains *made = calloc(1, sizeof *made);
    *state = made;
    return made == NULL ? GM_STATUS_OUT_OF_MEMORY : path_open(context, dtype, moves, CHAINS, made);
}

static gm_status run_chains(gm_context *context, void *state, int64_t round) {
    (void)context;
    (void)round;
    return path_run(state);
}

/* The first chains again by the reference; as the conformance cases. */
static gm_status verify_chains(gm_context *reference, gm_context *context, void *state,
                               gm_case_result *result) {
    path_chains *s = state, expected = {0};
    const gm_dtype dtype = s->state.dtype;
    gm_status status = path_open(reference, dtype, s->moves, SLICE, &expected);
    status = status == GM_STATUS_OK ? path_run(&expected) : status;
    if (status == GM_STATUS_OK) {
        status = path_compare(reference, &expected, context, s, result);
    }
    result->bound = (dtype == GM_F64 ? 0x1p-53 : 0x1p-24) * 256;
    path_close(reference, &expected);
    return status;
}

static void teardown_chains(gm_context *context, void *state) {
    if (state != NULL) {
        path_close(context, state);
    }
    free(state);
}

#define BENCHES(X)                                                                                 \
    X(path, "density_annealing path", "f64", GM_F64, true)                                         \
    X(power, "density_annealing power", "f64", GM_F64, false)

#define DEFINE(name, operation, type, dtype, moves)                                                \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_chains(context, dtype, moves, state);                                         \
    }
BENCHES(DEFINE)

#define STEPS (1.0 * CHAINS * CASE_PATH)
#define ENTRY(name, operation, type, dtype, moves)                                                 \
    {operation,       type,       "ridge n=65536 steps=12x2",                                      \
     setup_##name,    run_chains, verify_chains,                                                   \
     teardown_chains, 0,          2.0 * sizeof(double) * CASE_PATH_DIM * STEPS,                    \
     STEPS,           "steps"},
const gm_bench_case gm_density_annealing_bench[] = {BENCHES(ENTRY)};
const int gm_density_annealing_bench_count =
    sizeof gm_density_annealing_bench / sizeof gm_density_annealing_bench[0];
