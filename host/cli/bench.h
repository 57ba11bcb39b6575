/*
 * Benchmark cases: each prepares its data, is verified, and only then timed. A capability adds a
 * file bench_<name>.c with one table and a line in GM_BENCH_LIST.
 */
#ifndef GENMATH_HOST_CLI_BENCH_H
#define GENMATH_HOST_CLI_BENCH_H

#include <stdint.h>

#include "host/cli/cases.h"

typedef struct gm_bench_case {
    const char *operation; /* "random_fill normal" */
    const char *dtype;     /* "f32" or "f64": also chooses the multiply-add ceiling */
    const char *shape;     /* as printed: "n=16777216" */

    /* Random data, never zeros. Where a run's inputs and outputs fit in the last-level cache but a
     * user's would not, several sets, of which run takes set `round` modulo their number. */
    gm_status (*setup)(gm_context *context, void **state);

    /* What is timed: one call of the operation, not waited for. round counts up from 0. */
    gm_status (*run)(gm_context *context, void *state, int64_t round);

    /* Compares what run made with the reference, on a part of it where all of it would take
     * minutes; error and bound as for a conformance case. Called after one run with round 0. */
    gm_status (*verify)(gm_context *reference, gm_context *context, void *state,
                        gm_case_result *result);

    void (*teardown)(gm_context *context, void *state); /* state may be NULL after a failed setup */

    double flops; /* floating-point operations of one run, an fma counting 2; 0 if not meaningful */
    double bytes; /* bytes one run must read and write at the least */
    double items; /* what a user counts in one run, 0 if nothing */
    const char *item; /* "steps", "normals", "attempts"; NULL if items is 0 */
} gm_bench_case;

/* The tables, in their order: gm_<name>_bench[] and gm_<name>_bench_count. */
#define GM_BENCH_LIST(X)                                                                           \
    X(random)                                                                                      \
    X(ode)                                                                                         \
    X(diffusion)                                                                                   \
    X(contract)                                                                                    \
    X(contract_group)                                                                              \
    X(tensor)                                                                                      \
    X(linalg)                                                                                      \
    X(fft)                                                                                         \
    X(ising)                                                                                       \
    X(mcmc)                                                                                        \
    X(potts)                                                                                       \
    X(factor)                                                                                      \
    X(rbm)                                                                                         \
    X(diagnostics)                                                                                 \
    X(tempering)                                                                                   \
    X(importance)                                                                                  \
    X(hopfield)                                                                                    \
    X(multispin)                                                                                   \
    X(gibbs)                                                                                       \
    X(correlations)                                                                                \
    X(density_annealing)

#define GM_BENCH_DECLARE(name)                                                                     \
    extern const gm_bench_case gm_##name##_bench[];                                                \
    extern const int gm_##name##_bench_count;
GM_BENCH_LIST(GM_BENCH_DECLARE)
#undef GM_BENCH_DECLARE

/* What this machine can do at most, with the threads and instructions of a context; 0: not
 * measured. */
typedef struct gm_ceilings {
    double copy_bytes_per_second; /* bytes read plus bytes written */
    double f32_flops_per_second, f64_flops_per_second;
} gm_ceilings;

/* ceilings.c. Takes about a second. On a device backend what has no measurement stays 0. */
gm_status gm_ceilings_measure(gm_context *context, gm_ceilings *ceilings);

#endif
