/*
 * gm_reduce and gm_softmax on threads and vectors. The work is a read of memory once: a chunk of
 * 4096 elements stays in the first-level cache for the passes over it (a sum takes one, a softmax
 * three), so only the first of them waits for memory.
 */
#include <stdbool.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/reduce_state.h"
#include "host/ref/element.h"

enum {
    ROWS = 16,               /* that lie side by side: a cache line of f32 */
    MOST_GROUPS = 128,       /* of one row: enough for any number of threads to share evenly */
    TASK_ELEMENTS = 1 << 16, /* tens of microseconds */
};

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define BOTH_REALS "host/cpu/reduce_type.inc"
#include "host/cpu/both_reals.inc"

/* Named by what runs: the vector instructions. */
static const char *const reduce_names[] = {"reduce_base", "reduce_base", "reduce_avx2",
                                           "reduce_avx512"};
static const char *const softmax_names[] = {"softmax_base", "softmax_base", "softmax_avx2",
                                            "softmax_avx512"};

gm_status gm_cpu_reduce(gm_call *call, const gm_reduce_args *args) {
    call->kernel = reduce_names[call->isa];
    return args->dtype == GM_F64 ? run_f64(call, args, args->scale, false)
                                 : run_f32(call, args, args->scale_f32, false);
}

gm_status gm_cpu_softmax(gm_call *call, const gm_reduce_args *args) {
    call->kernel = softmax_names[call->isa];
    return args->dtype == GM_F64 ? run_f64(call, args, args->scale, true)
                                 : run_f32(call, args, args->scale_f32, true);
}
