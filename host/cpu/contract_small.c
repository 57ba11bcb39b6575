/*
 * Batches of tiny products, up to GM_SMALL in m, n and k: no panels, no blocks; an item is a few
 * dozen to a few thousand cycles, so what is the same for all items is worked out once a run.
 */
#include <stddef.h>

#include "host/cpu/contract_kernel.h"
#include "host/internal.h"

enum {
    TASK_PRODUCTS = 1 << 18, /* of a run of items: some tens of microseconds */
    MOST_AHEAD = 1024        /* bytes; longer items the hardware itself fetches in time */
};

typedef struct small_job {
    const gm_contraction *x;
    const gm_contract_arrays *arrays;
    const gm_contract_kernel *kernel;
    int64_t run; /* items of a task */
} small_job;

typedef struct small_tables {
    int64_t row[5][GM_SMALL], column[5][GM_SMALL], k_a[GM_SMALL], k_b[GM_SMALL];
} small_tables;

/* What is the same for all items of a shape, and where a run of them stands. */
typedef struct small_run {
    small_tables tables;
    gm_contract_part part;
    gm_small_items items;
    int64_t inner; /* items of the innermost mode of the batch */
    bool d_lies;   /* the product could write d as it lies */
} small_run;

bool gm_contract_small_can_run(const gm_contraction *x) {
    return gm_contract_direct_can_run(x) && x->operands == 2 && !gm_is_complex(x->input) &&
           x->m <= GM_SMALL && x->n <= GM_SMALL && x->k <= GM_SMALL && x->k >= 1;
}

bool gm_contract_small_suits(const gm_contraction *x) {
    return gm_contract_small_can_run(x) && x->m > 1 && x->n > 1 && x->k > 1;
}

int64_t gm_contract_small_workspace(gm_isa isa, const gm_contraction *x, int32_t threads) {
    (void)isa;
    (void)x;
    (void)threads;
    return 0;
}

static void fill_tables(const gm_contraction *x, small_tables *tables, gm_contract_part *part) {
    part->m = (gm_offsets){.a = tables->row[0],
                           .c = tables->row[1],
                           .d = tables->row[2],
                           .bias = tables->row[3],
                           .index = tables->row[4]};
    part->n = (gm_offsets){.b = tables->column[0],
                           .c = tables->column[1],
                           .d = tables->column[2],
                           .bias = tables->column[3],
                           .index = tables->column[4]};
    part->k_a = tables->k_a;
    part->k_b = tables->k_b;
    const gm_offsets k = {.a = tables->k_a, .b = tables->k_b};
    gm_contract_offsets(gm_m_modes(x), x->ms, 0, x->m, &part->m);
    gm_contract_offsets(gm_n_modes(x), x->ns, 0, x->n, &part->n);
    gm_contract_offsets(gm_k_modes(x), x->ks, 0, x->k, &k);
}

/* Of an item that the next one follows in memory, if it is short; else 0. */
static int64_t bytes_ahead(int64_t step, int64_t elements, int64_t size) {
    return step == elements && elements * size <= MOST_AHEAD ? elements * size : 0;
}

/* What the product can take as it lies. */
static void find_strides(const gm_contraction *x, small_run *run) {
    const gm_mode none = {.extent = 1};
    const gm_mode *m = x->ms > 0 ? gm_m_modes(x) : &none, *n = x->ns > 0 ? gm_n_modes(x) : &none;
    const gm_mode *k = x->ks > 0 ? gm_k_modes(x) : &none;
    const bool same = x->input == GM_F64 || x->input == GM_F32 || x->input == GM_I32;
    gm_small_items *items = &run->items;
    items->a_m = m->a;
    items->a_k = k->a;
    items->b_k = k->b;
    items->d_m = m->d;
    items->a_fits = same && x->ms <= 1 && x->ks <= 1;
    items->b_fits = same && x->ns == 1 && x->ks <= 1 && n->b == 1;
    run->d_lies = same && x->input == x->output && x->ms <= 1 && x->ns == 1 && n->d == 1;
    const int64_t input = (int64_t)gm_dtype_size(x->input);
    const int64_t output = (int64_t)gm_dtype_size(x->output);
    items->a_bytes = bytes_ahead(items->step.a, x->m * x->k, input);
    items->b_bytes = bytes_ahead(items->step.b, x->k * x->n, input);
    items->d_bytes = bytes_ahead(items->step.d, x->m * x->n, output);
}

static void begin(const gm_contraction *x, small_run *run) {
    const gm_mode still = {.extent = INT64_MAX};
    run->part = (gm_contract_part){.rows = x->m, .columns = x->n, .k = x->k};
    run->items = (gm_small_items){.part = &run->part,
                                  .step = x->batches > 0 ? x->modes[x->batches - 1] : still};
    run->inner = run->items.step.extent;
    fill_tables(x, &run->tables, &run->part);
    find_strides(x, run);
}

/* The part of an item. */
static void place(const gm_contraction *x, const gm_contract_arrays *arrays, int64_t item,
                  gm_contract_part *part) {
    const size_t input = gm_dtype_size(x->input), output = gm_dtype_size(x->output);
    const gm_mode at = gm_contract_position(x->modes, x->batches, item);
    part->a = gm_moved(arrays->a, at.a, input);
    part->b = gm_moved(arrays->b, at.b, input);
    part->c = gm_moved(arrays->c, at.c, output);
    part->bias = x->has_bias ? gm_moved(arrays->bias, at.bias, output) : NULL;
    part->d = (char *)arrays->d + at.d * (int64_t)output;
    part->number = x->first + (uint64_t)at.index;
}

/* Items first .. last - 1 of the batch. */
static void run_some(const gm_contraction *x, const gm_contract_arrays *arrays,
                     const gm_contract_kernel *kernel, int64_t first, int64_t last,
                     small_run *run) {
    gm_contract_part *part = &run->part;
    part->x = x;
    part->scale = arrays->scale;
    part->plain = gm_contract_is_plain(x, arrays);
    run->items.d_fits = run->d_lies && part->plain;
    for (int64_t item = first; item < last; item += run->items.step.extent) {
        place(x, arrays, item, part);
        run->items.step.extent = gm_min(run->inner - item % run->inner, last - item);
        kernel->items(&run->items);
    }
}

static void run_items(void *argument, int64_t block, int32_t thread) {
    const small_job *job = argument;
    small_run run;
    (void)thread;
    begin(job->x, &run);
    run_some(job->x, job->arrays, job->kernel, block * job->run,
             gm_min((block + 1) * job->run, job->x->batch), &run);
}

void gm_contract_small_run(gm_call *call, const gm_contraction *x,
                           const gm_contract_arrays *arrays) {
    small_job job = {.x = x, .arrays = arrays, .kernel = gm_contract_kernel_for(call->isa, x)};
    const int64_t wanted = TASK_PRODUCTS / (x->m * x->n * x->k);
    const int32_t threads = gm_pool_threads(call->pool);
    job.run = gm_min(wanted, gm_parts(x->batch, threads));
    gm_parallel_for(call->pool, gm_parts(x->batch, job.run), run_items, &job);
}

/* A block is an item. */
int64_t gm_contract_small_blocks(gm_isa isa, const gm_contraction *x, int32_t threads) {
    (void)isa;
    (void)threads;
    return x->batch;
}

void gm_contract_small_some(const gm_contract_some *some) {
    const gm_contract_kernel *kernel = gm_contract_kernel_for(some->isa, some->x);
    const int64_t batch = some->blocks;
    gm_contraction own;
    gm_contract_arrays arrays;
    small_run run;
    begin(some->x, &run);
    for (int64_t block = some->first, end; block < some->last; block = end) {
        end = gm_min((block / batch + 1) * batch, some->last);
        const gm_contraction *x = gm_contract_problem_of(some, block, &own, &arrays);
        run_some(x, &arrays, kernel, block % batch, block % batch + (end - block), &run);
    }
}
