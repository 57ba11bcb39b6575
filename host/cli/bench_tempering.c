/* Benchmarks of tempering: attempted updates of spins with exchanges after every 1, 10 and 100
 * sweeps; the ratio to the last is what exchanging costs. */
#include "host/cli/bench.h"
#include "host/cli/tempering_case.h"

enum { LADDERS = 16, LEVELS = 16, SITES = 512, SWEEPS = 100 };

typedef struct ladder_state {
    ising_model model;
    case_ladders ladders;
    int64_t between;
} ladder_state;

/* A cube of couplings +-1. */
static gm_status make_cube(ising_model *m) {
    const int64_t size[3] = {8, 8, 8};
    CASE_TRY(ising_make_lattice(3, size, m));
    m->coupling = malloc(sizeof *m->coupling * (size_t)m->model.edges);
    if (m->coupling == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t e = 0; e < m->model.edges; ++e) {
        m->coupling[e] = gm_philox_block(7, (uint64_t)e, GM_STREAM_USER, 0).w0 >> 31 != 0 ? 1 : -1;
    }
    m->model.coupling = m->coupling;
    return GM_STATUS_OK;
}

static gm_status setup_ladders(gm_context *context, int64_t between, void **state) {
    ladder_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->between = between;
    CASE_TRY(make_cube(&made->model));
    return case_ladders_open(context, &made->model.model, LADDERS, LEVELS, &made->ladders);
}

static gm_status run_ladders(gm_context *context, void *state, int64_t round) {
    (void)context;
    ladder_state *s = state;
    const int64_t swaps = SWEEPS / s->between;
    return case_ladders_run(&s->ladders, round * swaps, swaps, s->between);
}

/* All of the first round again by the reference. */
static gm_status verify_ladders(gm_context *reference, gm_context *context, void *state,
                                gm_case_result *result) {
    ladder_state *s = state;
    case_ladders expected = {0};
    gm_status status = case_ladders_open(reference, &s->model.model, LADDERS, LEVELS, &expected);
    status = status == GM_STATUS_OK
                 ? case_ladders_run(&expected, 0, SWEEPS / s->between, s->between)
                 : status;
    if (status == GM_STATUS_OK) {
        status = case_ladders_compare(reference, &expected, context, &s->ladders, result);
    }
    case_ladders_close(reference, &expected);
    return status;
}

static void teardown_ladders(gm_context *context, void *state) {
    ladder_state *s = state;
    if (s != NULL) {
        case_ladders_close(context, &s->ladders);
        ising_model_free(&s->model);
    }
    free(s);
}

#define BENCHES(X)                                                                                 \
    X(every, "8x8x8 16x16 swap/1", 1)                                                              \
    X(ten, "8x8x8 16x16 swap/10", 10)                                                              \
    X(hundred, "8x8x8 16x16 swap/100", 100)

#define DEFINE(name, shape, between)                                                               \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_ladders(context, between, state);                                             \
    }
BENCHES(DEFINE)

#define UPDATES (1.0 * LADDERS * LEVELS * SITES * SWEEPS)
#define ENTRY(name, shape, between)                                                                \
    {"ising tempering", "i8", shape,   setup_##name, run_ladders, verify_ladders,                  \
     teardown_ladders,  0,    UPDATES, UPDATES,      "updates"},
const gm_bench_case gm_tempering_bench[] = {BENCHES(ENTRY)};
const int gm_tempering_bench_count = sizeof gm_tempering_bench / sizeof gm_tempering_bench[0];
