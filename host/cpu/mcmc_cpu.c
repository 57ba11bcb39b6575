/*
 * gm_mcmc_run on the CPU: blocks of 64 (double) or 128 (float) chains advance together, one vector
 * lane each, through the lane functions that GM_DENSITY compiled. Every method is a leapfrog
 * trajectory in units of the scale: Langevin steps have one of size sqrt(2 h), a random walk one
 * without a gradient. So lanes never part: a rejected proposal is a choice by mask.
 */
#include <math.h>
#include <string.h>

#include <genmath/detail/chain_noise.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/mcmc_args.h"
#include "host/strided.h"

typedef struct mcmc_job {
    const gm_mcmc_problem *problem;
    const gm_mcmc_arrays *arrays;
    gm_isa isa;
} mcmc_job;

#define real double
#define GM_REAL(name) name##_f64
#define NORMALS_PER_BLOCK 2
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal2_f64((seed), (index), GM_STREAM_CHAIN, (block), (z), (z) + LANES)
#include "host/cpu/mcmc_lanes.inc"
#undef real
#undef GM_REAL
#undef NORMALS_PER_BLOCK
#undef NORMALS_OF_BLOCK
#define real float
#define GM_REAL(name) name##_f32
#define NORMALS_PER_BLOCK 4
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal4_f32((seed), (index), GM_STREAM_CHAIN, (block), (z), (z) + LANES, (z) + 2 * LANES,   \
                   (z) + 3 * LANES)
#include "host/cpu/mcmc_lanes.inc"
#undef real
#undef GM_REAL

gm_status gm_cpu_mcmc_run(gm_call *call, const gm_mcmc_problem *problem, void *state,
                          const gm_mcmc_arrays *arrays) {
    (void)state;
    static const char *const names[] = {"mcmc_base", "mcmc_avx2", "mcmc_avx512"};
    const int64_t lanes = problem->dtype == GM_F64 ? GM_LANES_F64 : GM_LANES_F32;
    mcmc_job job = {problem, arrays, call->isa};
    gm_parallel_for(call->pool, (arrays->n + lanes - 1) / lanes,
                    problem->dtype == GM_F64 ? mcmc_block_f64 : mcmc_block_f32, &job);
    call->kernel = names[call->isa - 1];
    return GM_STATUS_OK;
}
