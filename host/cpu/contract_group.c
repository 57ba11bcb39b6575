/*
 * Groups of contractions on threads: one parallel region over the units of all problems. A unit is
 * some tens of microseconds of one layout: a part of a large problem, cut as it would be alone, or
 * many tiny ones. What the kernels need to know of a layout is worked out once a unit.
 */
#include "host/cpu/contract_cpu.h"
#include "host/cpu/cpu.h"
#include "host/internal.h"

enum {
    TASK_PRODUCTS = 1 << 17, /* of a unit: tens of microseconds */
    PARTS_PER_THREAD = 4     /* problems larger than such a part of the whole are cut */
};

static double products_of(const gm_contraction *x) {
    return (double)x->batch * (double)x->m * (double)x->n * (double)(x->k > 0 ? x->k : 1);
}

static double products_of_all(const gm_group_args *args) {
    double products = 0;
    for (int64_t i = 0; i < args->kinds; ++i) {
        products += (double)args->kind[i].count * products_of(&args->kind[i].contraction);
    }
    return products;
}

/* Cuts a kind into units; returns the bytes that a thread needs for it. */
static int64_t cut(const gm_call *call, double all, gm_group_kind *kind) {
    const gm_contraction *x = &kind->contraction;
    const gm_contract_row *row = &gm_contract_rows[kind->row];
    const int32_t threads = gm_pool_threads(call->pool);
    const double products = products_of(x);
    kind->threads = products * PARTS_PER_THREAD * threads > all ? threads : 1;
    kind->blocks = row->blocks(call->isa, x, kind->threads);
    const double of_block = products / (double)kind->blocks;
    kind->run = of_block < TASK_PRODUCTS ? (int64_t)(TASK_PRODUCTS / of_block) : 1;
    const int64_t share = gm_parts(kind->count * kind->blocks, PARTS_PER_THREAD * threads);
    kind->run = gm_min(kind->run, share);
    return row->workspace(call->isa, x, kind->threads) / kind->threads;
}

gm_status gm_cpu_contract_group_choose(gm_call *call, gm_group_args *args, const char *kernel) {
    const double all = products_of_all(args);
    int64_t bytes = 0;
    args->units = 0;
    for (int64_t i = 0; i < args->kinds; ++i) {
        gm_group_kind *kind = &args->kind[i];
        gm_contract_choice choice;
        const gm_status status = gm_cpu_contract_choose(call, &kind->contraction, kernel, &choice);
        if (status != GM_STATUS_OK) {
            return status;
        }
        kind->row = choice.row;
        kind->kernel = choice.kernel;
        const int64_t needed = gm_align_64(cut(call, all, kind));
        bytes = needed > bytes ? needed : bytes;
        kind->first_unit = args->units;
        args->units += gm_group_units(kind);
    }
    args->workspace_bytes = bytes * gm_pool_threads(call->pool);
    return GM_STATUS_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct group_job {
    const gm_group_args *args;
    gm_isa isa;
    int64_t bytes; /* of the workspace, a thread's */
} group_job;

/* The last kind whose first unit is not behind this one. */
static const gm_group_kind *kind_of(const gm_group_args *args, int64_t unit) {
    int64_t low = 0, high = args->kinds;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (args->kind[middle].first_unit <= unit) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &args->kind[low];
}

static void run_unit(void *argument, int64_t unit, int32_t thread) {
    const group_job *job = argument;
    const gm_group_kind *kind = kind_of(job->args, unit);
    const int64_t first = (unit - kind->first_unit) * kind->run;
    const gm_contract_some some = {.isa = job->isa,
                                   .x = &kind->contraction,
                                   .problem = &job->args->problem[kind->first],
                                   .blocks = kind->blocks,
                                   .first = first,
                                   .last = gm_min(first + kind->run, kind->count * kind->blocks),
                                   .threads = kind->threads,
                                   .workspace = (char *)job->args->workspace + thread * job->bytes};
    gm_contract_rows[kind->row].some(&some);
}

gm_status gm_cpu_contract_group_run(gm_call *call, const gm_group_args *args) {
    group_job job = {.args = args,
                     .isa = call->isa,
                     .bytes = args->workspace_bytes / gm_pool_threads(call->pool)};
    call->kernel = "contract_group";
    gm_parallel_for(call->pool, args->units, run_unit, &job);
    return GM_STATUS_OK;
}
