/* The steps of gm_density_annealing_run: those of the reference, a thread taking some chains at a
 * time. */
#include "host/cpu/cpu.h"
#include "host/density_annealing_args.h"
#include "host/internal.h"
#include "host/ref/ref.h"

enum { AT_ONCE = 4096 }; /* tens of microseconds; fewer are not worth a thread */

static void run_chains(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    const gm_density_annealing_args *a = argument;
    const int64_t first = block * AT_ONCE, left = a->n - first;
    for (int64_t c = first; c < first + (left < AT_ONCE ? left : AT_ONCE); ++c) {
        gm_ref_density_annealing_chain(a, c);
    }
}

gm_status gm_cpu_density_annealing_step(gm_call *call, const gm_density_annealing_args *args) {
    call->kernel = "density_annealing_chains";
    gm_density_annealing_args a = *args;
    gm_parallel_for(call->pool, (a.n + AT_ONCE - 1) / AT_ONCE, run_chains, &a);
    return GM_STATUS_OK;
}
