/* Linear algebra on the CPU: the batch over the threads, and what the element types share. */
#include "host/cpu/linalg_cpu.h"

#include <pthread.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/cpu/linalg_small.h"
#include "host/internal.h"

#define GM_LINALG_EACH "host/cpu/linalg_base.inc"
#include "host/cpu/linalg_each_type.inc"

#define TYPED(kind, name)                                                                          \
    {gm_cpu_##name##_f64, gm_cpu_##name##_f32, gm_cpu_##name##_c128, gm_cpu_##name##_c64},
static const gm_linalg_item items[][4] = {GM_LINALG_LIST(TYPED)};

#define KERNEL(kind, name) "linalg_" #name "_lapack",
static const char *const kernels[] = {GM_LINALG_LIST(KERNEL)};

static gm_linalg_item item_of(const gm_linalg_args *args) {
    const int type = args->dtype == GM_F64    ? 0
                     : args->dtype == GM_F32  ? 1
                     : args->dtype == GM_C128 ? 2
                                              : 3;
    return items[args->kind][type];
}

/* ---- OpenBLAS's threads ------------------------------------------------------------------------
 * A batch is spread over our own threads, so each call of LAPACK must stay on the one that makes
 * it. OpenBLAS knows only one number of threads for the whole process: the first call in sets it to
 * 1, the last one out puts back what the program had chosen.
 */
static pthread_mutex_t blas_lock = PTHREAD_MUTEX_INITIALIZER;
static int blas_users, blas_threads;

static void enter_blas(void) {
    pthread_mutex_lock(&blas_lock);
    if (blas_users++ == 0) {
        blas_threads = openblas_get_num_threads();
        openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&blas_lock);
}

static void leave_blas(void) {
    pthread_mutex_lock(&blas_lock);
    if (--blas_users == 0) {
        openblas_set_num_threads(blas_threads);
    }
    pthread_mutex_unlock(&blas_lock);
}

/* ---- the batch ------------------------------------------------------------------------------- */

typedef struct job {
    const gm_linalg_args *args;
    gm_linalg_item item;
    size_t scratch; /* of a thread, a multiple of 64 bytes: results do not hang on alignment */
    int64_t block_problems; /* that a thread takes at once */
} job;

/* In front of a thread's scratch is its gm_arena.prepared. */
enum { HEADER = 64 };

static size_t scratch_of(const gm_linalg_args *args) {
    return HEADER + gm_linalg_item_bytes(item_of(args), args);
}

size_t gm_cpu_linalg_workspace(gm_call *call, const gm_linalg_args *args) {
    if (gm_cpu_linalg_small_suits(args)) {
        return 1; /* what a group of problems needs fits onto the stack */
    }
    return (size_t)gm_pool_threads(call->pool) * scratch_of(args);
}

static void run_block(void *argument, int64_t block, int32_t thread) {
    const job *j = argument;
    const int64_t first = block * j->block_problems;
    const int64_t end = gm_cpu_min(first + j->block_problems, j->args->problems);
    char *header = (char *)j->args->workspace + (size_t)thread * j->scratch;
    for (int64_t problem = first; problem < end; ++problem) {
        gm_arena arena = {header + HEADER, 0, (int32_t *)(void *)header};
        const gm_linalg_outcome outcome = j->item(j->args, problem, &arena);
        gm_linalg_finish(j->args, problem, &outcome);
    }
}

gm_status gm_cpu_linalg(gm_call *call, const gm_linalg_args *args) {
    if (gm_cpu_linalg_small_suits(args)) {
        return gm_cpu_linalg_small(call, args);
    }
    const int64_t entries = args->in[0].rows * args->in[0].columns;
    job j = {.args = args,
             .item = item_of(args),
             .scratch = scratch_of(args),
             .block_problems = 1 + 4096 / (entries + 16)};
    for (int32_t thread = 0; thread < gm_pool_threads(call->pool); ++thread) {
        *(int32_t *)(void *)((char *)args->workspace + (size_t)thread * j.scratch) = 0;
    }
    enter_blas();
    gm_parallel_for(call->pool, (args->problems + j.block_problems - 1) / j.block_problems,
                    run_block, &j);
    leave_blas();
    call->kernel = kernels[args->kind];
    return GM_STATUS_OK;
}
