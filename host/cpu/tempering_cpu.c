/* The exchanges of gm_tempering_run: those of the reference, a thread taking some ladders at a
 * time. */
#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/ref/ref.h"
#include "host/tempering_args.h"

enum { CHAINS_AT_ONCE = 256 }; /* tens of microseconds; fewer are not worth a thread */

typedef struct job {
    const gm_tempering_args *args;
    int64_t at_once; /* ladders of a block */
    void (*run)(const gm_tempering_args *args, int64_t ladder);
} job;

static void run_ladders(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    const job *j = argument;
    const int64_t first = block * j->at_once, left = j->args->ladders - first;
    for (int64_t l = first; l < first + (left < j->at_once ? left : j->at_once); ++l) {
        j->run(j->args, l);
    }
}

static gm_status run_all(gm_call *call, const gm_tempering_args *args,
                         void (*run)(const gm_tempering_args *args, int64_t ladder)) {
    call->kernel = "tempering_ladders";
    const int64_t at_once = (CHAINS_AT_ONCE + args->temperatures - 1) / args->temperatures;
    job j = {args, at_once, run};
    gm_parallel_for(call->pool, (args->ladders + at_once - 1) / at_once, run_ladders, &j);
    return GM_STATUS_OK;
}

gm_status gm_cpu_tempering_begin(gm_call *call, const gm_tempering_args *args) {
    return run_all(call, args, gm_ref_tempering_begin_ladder);
}

gm_status gm_cpu_tempering_swap(gm_call *call, const gm_tempering_args *args) {
    return run_all(call, args, gm_ref_tempering_swap_ladder);
}
