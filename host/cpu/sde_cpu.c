/*
 * gm_sde_solve on the CPU: blocks of 64 (double) or 128 (float) trajectories advance together, one
 * vector lane each. Normals are made for a few steps of the whole block at a time, in rows that
 * stay in the first-level cache, then used by the stepper that GM_DIFFUSION_* compiled.
 */
#include <math.h>
#include <string.h>

#include <genmath/philox.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/sde_args.h"
#include "host/strided.h"

typedef struct sde_job {
    const gm_sde_problem *problem;
    const gm_ensemble_arrays *arrays;
    gm_isa isa;
} sde_job;

#define real double
#define GM_REAL(name) name##_f64
#define NORMALS_PER_BLOCK 2
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal2_f64((seed), (index), GM_STREAM_SDE, (block), (z), (z) + LANES)
#include "host/cpu/sde_lanes.inc"
#undef real
#undef GM_REAL
#undef NORMALS_PER_BLOCK
#undef NORMALS_OF_BLOCK
#define real float
#define GM_REAL(name) name##_f32
#define NORMALS_PER_BLOCK 4
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal4_f32((seed), (index), GM_STREAM_SDE, (block), (z), (z) + LANES, (z) + 2 * LANES,     \
                   (z) + 3 * LANES)
#include "host/cpu/sde_lanes.inc"
#undef real
#undef GM_REAL

gm_status gm_cpu_sde_solve(gm_call *call, const gm_sde_problem *problem, void *state,
                           const gm_ensemble_arrays *arrays) {
    (void)state;
    static const char *const names[] = {"sde_em_base", "sde_em_avx2", "sde_em_avx512"};
    const int64_t lanes = problem->dtype == GM_F64 ? GM_LANES_F64 : GM_LANES_F32;
    sde_job job = {problem, arrays, call->isa};
    gm_parallel_for(call->pool, (arrays->n + lanes - 1) / lanes,
                    problem->dtype == GM_F64 ? sde_block_f64 : sde_block_f32, &job);
    call->kernel = names[call->isa - 1];
    return GM_STATUS_OK;
}
