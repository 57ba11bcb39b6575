/* gm_diagnose on threads: each takes one quantity after another, with scratch of its own. */
#include "host/cpu/cpu.h"
#include "host/diagnostics_args.h"
#include "host/internal.h"
#include "host/ref/ref.h"

typedef struct job {
    const gm_diagnose_args *args;
    size_t scratch; /* of a thread, whole cache lines */
} job;

static size_t scratch_of(gm_call *call, const gm_diagnose_args *args) {
    return (gm_ref_diagnose_workspace(call, args) + 63) / 64 * 64;
}

size_t gm_cpu_diagnose_workspace(gm_call *call, const gm_diagnose_args *args) {
    return scratch_of(call, args) * (size_t)gm_pool_threads(call->pool);
}

static void diagnose_quantity(void *argument, int64_t quantity, int32_t thread) {
    const job *j = argument;
    gm_ref_diagnose_quantity(j->args, quantity,
                             (char *)j->args->workspace + (size_t)thread * j->scratch);
}

gm_status gm_cpu_diagnose(gm_call *call, const gm_diagnose_args *args) {
    call->kernel = "diagnose_threads";
    job j = {args, scratch_of(call, args)};
    gm_parallel_for(call->pool, args->quantities.elements, diagnose_quantity, &j);
    return GM_STATUS_OK;
}
