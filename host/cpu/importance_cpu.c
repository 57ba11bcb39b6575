/*
 * gm_importance_* on the CPU: blocks of 64 (double) or 128 (float) samples at once, one vector lane
 * each, through the lane functions that GM_DENSITY compiled; problems of weights one after another
 * on threads.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/importance_args.h"
#include "host/internal.h"
#include "host/ref/ref.h"

enum { BLOCK = 1024 }; /* samples that a thread takes at once: whole blocks of lanes */
enum { FEW = 64 };     /* samples of a problem that would leave lanes empty */

typedef struct draw_job {
    const gm_importance_problem *problem;
    const gm_importance_arrays *arrays;
    gm_isa isa;
} draw_job;

#define real double
#define GM_REAL(name) name##_f64
#define NORMALS_PER_BLOCK 2
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal2_f64((seed), (index), GM_STREAM_IMPORTANCE, (block), (z), (z) + LANES)
#include "host/cpu/importance_lanes.inc"
#undef real
#undef GM_REAL
#undef NORMALS_PER_BLOCK
#undef NORMALS_OF_BLOCK
#define real float
#define GM_REAL(name) name##_f32
#define NORMALS_PER_BLOCK 4
#define NORMALS_OF_BLOCK(seed, index, block, z)                                                    \
    gm_normal4_f32((seed), (index), GM_STREAM_IMPORTANCE, (block), (z), (z) + LANES,               \
                   (z) + 2 * LANES, (z) + 3 * LANES)
#include "host/cpu/importance_lanes.inc"
#undef real
#undef GM_REAL

gm_status gm_cpu_importance_draw(gm_call *call, const gm_importance_problem *problem, void *state,
                                 const gm_importance_arrays *arrays) {
    (void)state;
    static const char *const names[] = {"importance_draw_base", "importance_draw_avx2",
                                        "importance_draw_avx512"};
    draw_job job = {problem, arrays, call->isa};
    const bool wide = problem->dtype == GM_F64;
    if (arrays->points != NULL && arrays->n < FEW) {
        gm_parallel_for(call->pool, (arrays->problems * arrays->n + BLOCK - 1) / BLOCK,
                        wide ? point_block_of_f64 : point_block_of_f32, &job);
    } else {
        gm_parallel_for(call->pool, arrays->problems * ((arrays->n + BLOCK - 1) / BLOCK),
                        wide ? sample_block_of_f64 : sample_block_of_f32, &job);
    }
    call->kernel = names[call->isa - 1];
    return GM_STATUS_OK;
}

/* A thread's part of a workspace: whole cache lines. */
static size_t lines_of(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

size_t gm_cpu_importance_weigh_workspace(gm_call *call, const gm_weigh_args *args) {
    return lines_of(gm_ref_importance_weigh_workspace(call, args)) *
           (size_t)gm_pool_threads(call->pool);
}

typedef struct weigh_job {
    const gm_weigh_args *args;
    size_t scratch;
} weigh_job;

static void weigh_problem(void *argument, int64_t k, int32_t thread) {
    const weigh_job *j = argument;
    gm_ref_importance_weigh_problem(j->args, k,
                                    (char *)j->args->workspace + (size_t)thread * j->scratch);
}

gm_status gm_cpu_importance_weigh(gm_call *call, const gm_weigh_args *args) {
    call->kernel = "importance_weigh_threads";
    weigh_job j = {args, lines_of(gm_ref_importance_weigh_workspace(call, args))};
    gm_parallel_for(call->pool, args->problems, weigh_problem, &j);
    return GM_STATUS_OK;
}

static size_t scratch_of(const gm_resample_args *args) {
    return lines_of((size_t)args->n * sizeof(uint64_t));
}

size_t gm_cpu_importance_resample_workspace(gm_call *call, const gm_resample_args *args) {
    return scratch_of(args) * (size_t)gm_pool_threads(call->pool);
}

static void resample_problem(void *argument, int64_t k, int32_t thread) {
    const gm_resample_args *args = argument;
    gm_ref_importance_resample_problem(args, k,
                                       (char *)args->workspace + (size_t)thread * scratch_of(args));
}

gm_status gm_cpu_importance_resample(gm_call *call, const gm_resample_args *args) {
    call->kernel = "importance_resample_threads";
    gm_resample_args own = *args;
    gm_parallel_for(call->pool, args->problems, resample_problem, &own);
    return GM_STATUS_OK;
}
