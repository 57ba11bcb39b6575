/*
 * gm_ode_solve on the CPU: blocks of 64 (double) or 128 (float) trajectories advance together, one
 * vector lane each, through the steppers that GM_SYSTEM compiled; see ode_lanes.inc. Every
 * trajectory, a lone one too, runs in a full block, so its bits depend on the instruction set
 * alone.
 */
#include <math.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/ode_args.h"
#include "host/step_factor.h"
#include "host/strided.h"
#include "host/tableau.h"

typedef struct ode_job {
    const gm_ode_problem *problem;
    const gm_ensemble_arrays *arrays;
    gm_isa isa;
    int64_t chunk; /* trajectories per block of gm_parallel_for */
} ode_job;

/* The counts of one trajectory, and how it ended. */
static void store_outcome(const gm_ensemble_arrays *a, int64_t i, gm_status status,
                          int64_t accepted, int64_t rejected, int64_t evaluations) {
    gm_store_i32(a->status, i * a->status_stride, (int64_t)status);
    gm_store_i32(a->accepted, i * a->accepted_stride, accepted);
    gm_store_i32(a->rejected, i * a->rejected_stride, rejected);
    gm_store_i32(a->evaluations, i * a->evaluations_stride, evaluations);
}

#define real double
#define GM_REAL(name) name##_f64
#include "host/cpu/ode_lanes.inc"
#undef real
#undef GM_REAL
#define real float
#define GM_REAL(name) name##_f32
#include "host/cpu/ode_lanes.inc"
#undef real
#undef GM_REAL

gm_status gm_cpu_ode_solve(gm_call *call, const gm_ode_problem *problem, void *state,
                           const gm_ensemble_arrays *arrays) {
    (void)state;
    typedef void (*block_function)(void *, int64_t, int32_t);
    static const struct {
        const char *name;
        block_function f64, f32;
    } paths[2][GM_ISA_COUNT] = {
        {{"ode_rk4_base", rk4_block_f64, rk4_block_f32},
         {"ode_rk4_avx2", rk4_block_f64, rk4_block_f32},
         {"ode_rk4_avx512", rk4_block_f64, rk4_block_f32}},
        {{"ode_erk_base", erk_block_base_f64, erk_block_base_f32},
         {"ode_erk_avx2", erk_block_avx2_f64, erk_block_avx2_f32},
         {"ode_erk_avx512", erk_block_avx512_f64, erk_block_avx512_f32}},
    };
    const int64_t lanes = problem->dtype == GM_F64 ? GM_LANES_F64 : GM_LANES_F32;
    const bool adaptive = problem->tableau_f64 != NULL;
    ode_job job = {problem, arrays, call->isa, lanes};
    if (adaptive) {
        /* A long chunk keeps lanes busy: as one trajectory ends its lane takes the next. A short
         * one keeps threads busy. */
        const int64_t per_thread = arrays->n / (4 * gm_pool_threads(call->pool)) / lanes;
        job.chunk = lanes * (per_thread < 1 ? 1 : per_thread > 64 ? 64 : per_thread);
    }
    const int path = (int)call->isa - 1;
    const block_function run =
        problem->dtype == GM_F64 ? paths[adaptive][path].f64 : paths[adaptive][path].f32;
    gm_parallel_for(call->pool, (arrays->n + job.chunk - 1) / job.chunk, run, &job);
    call->kernel = paths[adaptive][path].name;
    return GM_STATUS_OK;
}
