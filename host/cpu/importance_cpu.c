/* gm_importance_* on threads: samples in blocks, problems one after another. */
#include "host/cpu/cpu.h"
#include "host/importance_args.h"
#include "host/internal.h"
#include "host/ref/ref.h"

enum { BLOCK = 1024 }; /* samples that a thread takes at once */

typedef struct draw_job {
    const gm_importance_problem *problem;
    const gm_importance_arrays *arrays;
} draw_job;

static void draw_block(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    const draw_job *j = argument;
    const int64_t n = j->arrays->n, blocks = (n + BLOCK - 1) / BLOCK,
                  first = block % blocks * BLOCK;
    for (int64_t i = first; i < first + BLOCK && i < n; ++i) {
        gm_ref_importance_sample(j->problem, j->arrays, block / blocks, i);
    }
}

gm_status gm_cpu_importance_draw(gm_call *call, const gm_importance_problem *problem, void *state,
                                 const gm_importance_arrays *arrays) {
    (void)state;
    call->kernel = "importance_draw_threads";
    draw_job j = {problem, arrays};
    gm_parallel_for(call->pool, arrays->problems * ((arrays->n + BLOCK - 1) / BLOCK), draw_block,
                    &j);
    return GM_STATUS_OK;
}

static void weigh_problem(void *argument, int64_t k, int32_t thread) {
    (void)thread;
    gm_ref_importance_weigh_problem(argument, k);
}

gm_status gm_cpu_importance_weigh(gm_call *call, const gm_weigh_args *args) {
    call->kernel = "importance_weigh_threads";
    gm_weigh_args own = *args;
    gm_parallel_for(call->pool, args->problems, weigh_problem, &own);
    return GM_STATUS_OK;
}

static size_t scratch_of(const gm_resample_args *args) {
    return ((size_t)args->n * sizeof(uint64_t) + 63) / 64 * 64;
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
