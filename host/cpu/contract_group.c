/*
 * Groups of contractions on threads: one parallel region over the units of all problems. A unit is
 * some tens of microseconds: a part of a large problem, cut as it would be alone, or a window of
 * tiny ones that follow one another in the user's order, and so mostly in memory. Within a window
 * they are taken kind by kind, and what the kernels need to know of a kind is worked out once.
 *
 * The ladder, one core of an AMD EPYC, Zen 4, others at work on it, 14000 products of 3 to 16
 * square, f64, in turn: 12.0 ms by a call each; 8.6 kind by kind, which reads memory in pieces of
 * every 14th; 5.3 by windows. (With the widths sorted in memory: 1.7.)
 */
#include <stdlib.h>

#include "host/cpu/contract_cpu.h"
#include "host/cpu/cpu.h"
#include "host/internal.h"

enum {
    TASK_PRODUCTS = 1 << 17,   /* of a unit: tens of microseconds; below it a problem is tiny */
    WINDOW_PRODUCTS = 1 << 19, /* tiny ones are slower */
    WINDOW_BYTES = 1 << 19,    /* of a window's tensors: half the second-level cache */
    PARTS_PER_THREAD = 4       /* problems larger than such a part of the whole are cut */
};

/* Problems of a kind, by their number in it. */
typedef struct segment {
    int64_t first, count;
    int64_t kind;
} segment;

/* The tiny problems, window by window. */
typedef struct windows {
    int64_t large_units; /* those before the windows' */
    int64_t count;
    int64_t *first; /* segment of each window, and the end */
    segment *segments;
} windows;

static double products_of(const gm_contraction *x) {
    return (double)x->batch * (double)x->m * (double)x->n * (double)(x->k > 0 ? x->k : 1);
}

static double bytes_of(const gm_contraction *x) {
    const double a = (double)x->m * (double)x->k, b = (double)x->n * (double)x->k;
    return (double)x->batch * ((a + b) * (double)gm_dtype_size(x->input) +
                               (double)x->m * (double)x->n * (double)gm_dtype_size(x->output));
}

static bool is_tiny(const gm_group_kind *kind) {
    return products_of(&kind->contraction) < TASK_PRODUCTS;
}

static double products_of_all(const gm_group_args *args) {
    double products = 0;
    for (int64_t i = 0; i < args->kinds; ++i) {
        products += (double)args->kind[i].count * products_of(&args->kind[i].contraction);
    }
    return products;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* What is being put together. */
typedef struct builder {
    const gm_group_args *args;
    windows *to;
    int64_t segments;
    int64_t *done, *here; /* of each kind: problems in windows before, and in this one */
    int64_t *touched;     /* kinds of this window */
    int64_t touches;
} builder;

static void close_window(builder *b) {
    for (int64_t i = 0; i < b->touches; ++i) {
        const int64_t kind = b->touched[i];
        b->to->segments[b->segments++] = (segment){b->done[kind], b->here[kind], kind};
        b->done[kind] += b->here[kind];
        b->here[kind] = 0;
    }
    if (b->touches > 0) {
        b->to->first[++b->to->count] = b->segments;
    }
    b->touches = 0;
}

/* So much of the work at most that every thread has some windows. */
static double largest_window(const gm_group_args *args, int32_t threads) {
    double tiny = 0;
    for (int64_t i = 0; i < args->kinds; ++i) {
        const gm_group_kind *kind = &args->kind[i];
        tiny += is_tiny(kind) ? (double)kind->count * products_of(&kind->contraction) : 0;
    }
    const double share = tiny / (PARTS_PER_THREAD * (double)threads);
    return share < WINDOW_PRODUCTS ? share : WINDOW_PRODUCTS;
}

static void build_windows(builder *b, int32_t threads) {
    const double most = largest_window(b->args, threads);
    double products = 0, bytes = 0;
    for (int64_t p = 0; p < b->args->problems; ++p) {
        const int64_t k = b->args->kind_of[p];
        const gm_group_kind *kind = &b->args->kind[k];
        if (!is_tiny(kind)) {
            continue;
        }
        b->touched[b->touches] = k;
        b->touches += b->here[k]++ == 0;
        products += products_of(&kind->contraction);
        bytes += bytes_of(&kind->contraction);
        if (products >= most || bytes >= WINDOW_BYTES) {
            close_window(b);
            products = bytes = 0;
        }
    }
    close_window(b);
}

/* The windows in one piece of memory, there for the builder too; NULL: none. */
static windows *make_windows(const gm_group_args *args, int32_t threads) {
    const size_t problems = (size_t)args->problems, kinds = (size_t)args->kinds;
    const size_t numbers = problems + 1 + 3 * (kinds + 1);
    windows *w = calloc(1, sizeof *w + problems * sizeof(segment) + numbers * sizeof(int64_t));
    if (w == NULL) {
        return NULL;
    }
    w->segments = (segment *)(void *)(w + 1);
    w->first = (int64_t *)(void *)(w->segments + problems);
    builder b = {.args = args, .to = w, .done = w->first + problems + 1};
    b.here = b.done + kinds + 1;
    b.touched = b.here + kinds + 1;
    build_windows(&b, threads);
    return w;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Cuts a kind into blocks, and into units if it is large; returns the bytes that a thread needs. */
static int64_t cut(const gm_call *call, double all, gm_group_kind *kind) {
    const gm_contraction *x = &kind->contraction;
    const gm_contract_row *row = &gm_contract_rows[kind->row];
    const int32_t threads = gm_pool_threads(call->pool);
    const double products = products_of(x);
    const bool large = !is_tiny(kind) && products * PARTS_PER_THREAD * threads > all;
    kind->threads = large ? threads : 1;
    kind->blocks = row->blocks(call->isa, x, kind->threads);
    if (is_tiny(kind)) {
        return row->workspace(call->isa, x, 1); /* its units are the windows */
    }
    const double of_block = products / (double)kind->blocks;
    kind->run = of_block < TASK_PRODUCTS ? (int64_t)(TASK_PRODUCTS / of_block) : 1;
    const int64_t share = gm_parts(kind->count * kind->blocks, PARTS_PER_THREAD * threads);
    kind->run = gm_min(kind->run, share);
    return row->workspace(call->isa, x, kind->threads) / kind->threads;
}

gm_status gm_cpu_contract_group_choose(gm_call *call, gm_group_args *args, const char *kernel) {
    const double all = products_of_all(args);
    const int32_t threads = gm_pool_threads(call->pool);
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
        args->units += is_tiny(kind) ? 0 : gm_group_units(kind);
    }
    windows *w = make_windows(args, threads);
    if (w == NULL) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    w->large_units = args->units;
    args->units += w->count;
    args->state = w;
    args->workspace_bytes = bytes * threads;
    return GM_STATUS_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct group_job {
    const gm_group_args *args;
    const windows *windows;
    gm_isa isa;
    int64_t bytes; /* of the workspace, a thread's */
} group_job;

/* The last kind whose first unit is not behind this one; the tiny ones, without units, are last. */
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

static void run_blocks(const group_job *job, const gm_group_kind *kind, int64_t first, int64_t last,
                       int32_t thread) {
    const gm_contract_some some = {.isa = job->isa,
                                   .x = &kind->contraction,
                                   .problem = &job->args->problem[kind->first],
                                   .blocks = kind->blocks,
                                   .first = first,
                                   .last = last,
                                   .threads = kind->threads,
                                   .workspace = (char *)job->args->workspace + thread * job->bytes};
    gm_contract_rows[kind->row].some(&some);
}

static void run_unit(void *argument, int64_t unit, int32_t thread) {
    const group_job *job = argument;
    const windows *w = job->windows;
    if (unit < w->large_units) {
        const gm_group_kind *kind = kind_of(job->args, unit);
        const int64_t first = (unit - kind->first_unit) * kind->run;
        run_blocks(job, kind, first, gm_min(first + kind->run, kind->count * kind->blocks), thread);
        return;
    }
    const int64_t window = unit - w->large_units;
    for (int64_t i = w->first[window]; i < w->first[window + 1]; ++i) {
        const segment *s = &w->segments[i];
        const gm_group_kind *kind = &job->args->kind[s->kind];
        run_blocks(job, kind, s->first * kind->blocks, (s->first + s->count) * kind->blocks,
                   thread);
    }
}

gm_status gm_cpu_contract_group_run(gm_call *call, const gm_group_args *args) {
    group_job job = {.args = args,
                     .windows = args->state,
                     .isa = call->isa,
                     .bytes = args->workspace_bytes / gm_pool_threads(call->pool)};
    call->kernel = "contract_group";
    gm_parallel_for(call->pool, args->units, run_unit, &job);
    return GM_STATUS_OK;
}
