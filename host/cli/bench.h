/*
 * Benchmark cases: each prepares its data, is verified, and only then timed. A capability adds a
 * file bench_<name>.c with one table, declared here and listed in bench.c.
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

extern const gm_bench_case gm_random_bench[], gm_ode_bench[], gm_diffusion_bench[],
    gm_contract_bench[], gm_tensor_bench[], gm_linalg_bench[], gm_ising_bench[];
extern const int gm_random_bench_count, gm_ode_bench_count, gm_diffusion_bench_count,
    gm_contract_bench_count, gm_tensor_bench_count, gm_linalg_bench_count,
    gm_ising_bench_count;

/* What this machine can do at most, with the threads and instructions of a context; 0: not
 * measured. */
typedef struct gm_ceilings {
    double copy_bytes_per_second; /* bytes read plus bytes written */
    double f32_flops_per_second, f64_flops_per_second;
} gm_ceilings;

/* ceilings.c. Takes about a second. On a device backend what has no measurement stays 0. */
gm_status gm_ceilings_measure(gm_context *context, gm_ceilings *ceilings);

#endif
