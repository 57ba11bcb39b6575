/* Benchmarks of Hopfield networks: probes that are run from the same starts into fixed points. */
#include "host/cli/bench.h"
#include "host/cli/hopfield_case.h"

enum { NEURONS = 1000, PATTERNS = 100, PROBES = 256 };

static gm_status setup_hopfield(gm_context *context, int32_t synchronous, void **state) {
    const gm_hopfield_run_options options = {.synchronous = synchronous, .sweeps = 20};
    hopfield_probes *made = calloc(1, sizeof *made);
    *state = made;
    return made == NULL
               ? GM_STATUS_OUT_OF_MEMORY
               : hopfield_open(context, NEURONS, PATTERNS, PROBES, GM_HOPFIELD_HEBB, options, made);
}

static gm_status run_hopfield(gm_context *context, void *state, int64_t round) {
    (void)round;
    hopfield_probes *h = state;
    const gm_status status =
        gm_memory_upload(context, h->states.data, h->start, (size_t)PROBES * NEURONS);
    return status == GM_STATUS_OK ? hopfield_run(h) : status;
}

/* All of it again by the reference. */
static gm_status verify_hopfield(gm_context *reference, gm_context *context, void *state,
                                 gm_case_result *result) {
    hopfield_probes *h = state, expected = {0};
    gm_status status = hopfield_open(reference, NEURONS, PATTERNS, PROBES, GM_HOPFIELD_HEBB,
                                     h->options, &expected);
    status = status == GM_STATUS_OK ? hopfield_run(&expected) : status;
    if (status == GM_STATUS_OK) {
        status = hopfield_compare(reference, &expected, context, h, result);
    }
    hopfield_close(reference, &expected);
    return status;
}

static void teardown_hopfield(gm_context *context, void *state) {
    hopfield_probes *h = state;
    if (h != NULL) {
        hopfield_close(context, h);
    }
    free(h);
}

/* name, operation, synchronous */
#define BENCHES(X)                                                                                 \
    X(one, "hopfield asynchronous", 0)                                                             \
    X(all, "hopfield synchronous", 1)

#define DEFINE(name, operation, synchronous)                                                       \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_hopfield(context, synchronous, state);                                        \
    }
BENCHES(DEFINE)

#define ENTRY(name, operation, synchronous)                                                        \
    {operation,                                                                                    \
     "i8",                                                                                         \
     "n=1000 patterns=100 probes=256",                                                             \
     setup_##name,                                                                                 \
     run_hopfield,                                                                                 \
     verify_hopfield,                                                                              \
     teardown_hopfield,                                                                            \
     0,                                                                                            \
     4.0 * NEURONS * (NEURONS + PROBES),                                                           \
     PROBES,                                                                                       \
     "probes"},
const gm_bench_case gm_hopfield_bench[] = {BENCHES(ENTRY)};
const int gm_hopfield_bench_count = sizeof gm_hopfield_bench / sizeof gm_hopfield_bench[0];
