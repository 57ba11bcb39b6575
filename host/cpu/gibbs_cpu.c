/*
 * gm_gibbs_run on the CPU: blocks of 64 (double) or 128 (float) chains advance together, one vector
 * lane each, through the lane functions that GM_GIBBS compiled. All lanes update the same block of
 * coordinates at a time, so that they never part; a chain that fails is held by a mask.
 */
#include <math.h>
#include <string.h>

#include <genmath/detail/gibbs_noise.h>

#include "host/cpu/cpu.h"
#include "host/gibbs_args.h"
#include "host/internal.h"
#include "host/strided.h"

typedef struct gibbs_job {
    const gm_gibbs_problem *problem;
    const gm_gibbs_arrays *arrays;
    gm_isa isa;
} gibbs_job;

#define real double
#define GM_REAL(name) name##_f64
#define NOISE_PER_BLOCK 2
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal2_f64((seed), (index), GM_STREAM_CHAIN, (block), (z), (z) + LANES)
#define UNIFORMS_OF_BLOCK(seed, index, block, u)                                                   \
    gm_gibbs_uniform2_f64((seed), (index), (block), (u), (u) + LANES)
#include "host/cpu/gibbs_lanes.inc"
#undef real
#undef GM_REAL
#undef NOISE_PER_BLOCK
#undef NORMALS_OF_BLOCK
#undef UNIFORMS_OF_BLOCK
#define real float
#define GM_REAL(name) name##_f32
#define NOISE_PER_BLOCK 4
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal4_f32((seed), (index), GM_STREAM_CHAIN, (block), (z), (z) + LANES, (z) + 2 * LANES,   \
                   (z) + 3 * LANES)
#define UNIFORMS_OF_BLOCK(seed, index, block, u)                                                   \
    gm_gibbs_uniform4_f32((seed), (index), (block), (u), (u) + LANES, (u) + 2 * LANES,             \
                          (u) + 3 * LANES)
#include "host/cpu/gibbs_lanes.inc"
#undef real
#undef GM_REAL

gm_status gm_cpu_gibbs_run(gm_call *call, const gm_gibbs_problem *problem, void *state,
                           const gm_gibbs_arrays *arrays) {
    (void)state;
    static const char *const names[] = {"gibbs_base", "gibbs_avx2", "gibbs_avx512"};
    const int64_t lanes = problem->dtype == GM_F64 ? GM_LANES_F64 : GM_LANES_F32;
    gibbs_job job = {problem, arrays, call->isa};
    gm_parallel_for(call->pool, (arrays->n + lanes - 1) / lanes,
                    problem->dtype == GM_F64 ? gibbs_block_f64 : gibbs_block_f32, &job);
    call->kernel = names[call->isa - 1];
    return GM_STATUS_OK;
}
