/* Boltzmann machines on threads and vectors: a thread takes rows, a vector the units of one. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/rbm_args.h"
#include "host/rbm_terms.h"

enum { LANES = 16, TASK_TERMS = 1 << 13 /* tens of microseconds */ };

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define BOTH_REALS "host/cpu/rbm_rows.inc"
#include "host/cpu/both_reals.inc"

typedef struct rbm_job {
    const gm_rbm_args *args;
    gm_isa isa;
    int64_t rows; /* of a block */
} rbm_job;

static void run_rows(void *argument, int64_t block, int32_t thread) {
    (void)thread;
    const rbm_job *job = argument;
    const gm_rbm_args *a = job->args;
    const int64_t first = block * job->rows;
    for (int64_t r = first; r < first + job->rows && r < a->rows; ++r) {
        if (a->dtype == GM_F64) {
            row_of_f64[a->work](a, job->isa, r);
        } else {
            row_of_f32[a->work](a, job->isa, r);
        }
    }
}

gm_status gm_cpu_rbm_run(gm_call *call, const gm_rbm_args *args) {
    static const char *const names[] = {"rbm_base", "rbm_base", "rbm_avx2", "rbm_avx512"};
    call->kernel = names[call->isa];
    if (args->work == GM_RBM_FOLD) {
        if (args->dtype == GM_F64) {
            fold_f64(args);
        } else {
            fold_f32(args);
        }
        return GM_STATUS_OK;
    }
    const int64_t cost =
        (args->units + args->others) * (args->work == GM_RBM_FLIPS ? args->others : 1) + 1;
    rbm_job job = {args, call->isa, cost < TASK_TERMS ? TASK_TERMS / cost : 1};
    gm_parallel_for(call->pool, (args->rows + job.rows - 1) / job.rows, run_rows, &job);
    return GM_STATUS_OK;
}
