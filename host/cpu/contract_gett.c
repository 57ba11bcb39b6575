/*
 * The blocked contraction: GETT, the loops of a matrix product by panels in which only packing and
 * the way out see the strides.
 *
 * A task is a part of the output, at most PART by PART numbers, for a run of batch items; tasks go
 * to the threads, k is never split among them. For each block of k a task packs its part of B (in
 * the third-level cache, where it does not fit the second), then block by block its part of A, and
 * multiplies tile by tile. Where k is longer than a block the sums are carried in the workspace,
 * tile by tile, and leave once: an output narrower than its sums is rounded once, and strided
 * output is written once.
 *
 * Each thread's part of the workspace: offsets of rows, columns and k; the panels of A and B; the
 * carried sums.
 */
#include <stddef.h>

#include "host/cpu/contract_kernel.h"
#include "host/internal.h"

enum {
    PART = 1024,    /* numbers: packing costs under 1/100 of the products of a full part */
    ROW_TABLES = 5, /* a, c, d, bias, index */
    TABLES = 2 * ROW_TABLES,
    K_TABLES = 2,
    INNER = 64,      /* of the innermost mode's values, where another mode is to lie next to it */
    ROWS_INNER = 12, /* of rows, of which a block of A has fewer, if the output does not mind: */
    LEAST_RUN = 32,  /* its columns lie in runs of so many at least */
    LEAST_NEAR = 8,  /* neighbours: half a cache line */
    TASKS_PER_THREAD = 3,   /* at least, where the work allows */
    TASK_PRODUCTS = 1 << 17 /* of a run of batch items: tens of microseconds */
};

typedef struct gett_layout {
    int64_t rows, columns;                 /* elements of a part */
    int64_t k;                             /* of a block, elements */
    int64_t m_parts, n_parts, runs, run;   /* batch items in runs */
    int64_t tables, pack_a, pack_b, tiles; /* bytes */
} gett_layout;

typedef struct gett_job {
    const gm_contraction *x;
    const gm_contract_arrays *arrays;
    const gm_contract_kernel *kernel;
    gett_layout layout;
    gm_mode m[GM_MAX_LABELS], n[GM_MAX_LABELS], k[GM_MAX_LABELS]; /* ordered anew */
    int32_t ms, ns;
    int64_t near_a, near_b;
    size_t input, output; /* bytes of an element */
} gett_job;

static int64_t round_up(int64_t x, int64_t unit) {
    return (x + unit - 1) / unit * unit;
}

/* Halves a part's rows, then its columns, until every thread has work. */
static void split(const gm_contraction *x, const gm_contract_kernel *kernel, int32_t threads,
                  gett_layout *l) {
    const int64_t least_rows = 2 * kernel->mr, least_columns = kernel->nr;
    for (;;) {
        const int64_t tasks = gm_parts(x->m, l->rows) * gm_parts(x->n, l->columns);
        if (threads == 1 || tasks >= TASKS_PER_THREAD * threads ||
            x->batch >= TASKS_PER_THREAD * threads) {
            return;
        }
        if (l->rows > least_rows) {
            l->rows = round_up(gm_parts(l->rows, 2), kernel->mr);
        } else if (l->columns > least_columns) {
            l->columns = round_up(gm_parts(l->columns, 2), kernel->nr);
        } else {
            return;
        }
    }
}

static gett_layout lay_out(const gm_contract_kernel *kernel, const gm_contraction *x,
                           int32_t threads) {
    const int64_t twice = gm_is_complex(x->input) ? 2 : 1;
    gett_layout l = {.k = kernel->kc / twice};
    l.rows = gm_min(round_up(x->m, kernel->mr), PART / kernel->mr * kernel->mr);
    l.columns = gm_min(round_up(x->n, kernel->nr), PART / twice);
    split(x, kernel, threads, &l);
    l.k = gm_min(l.k, x->k > 0 ? x->k : 1);
    l.m_parts = gm_parts(x->m, l.rows);
    l.n_parts = gm_parts(x->n, l.columns);
    const double products = (double)gm_min(x->m, l.rows) * (double)gm_min(x->n, l.columns) *
                            (double)(x->k > 0 ? x->k : 1);
    l.run = products < TASK_PRODUCTS ? (int64_t)(TASK_PRODUCTS / products) : 1;
    l.run = gm_min(l.run, gm_parts(x->batch, 4 * (int64_t)threads));
    l.runs = gm_parts(x->batch, l.run);
    const int64_t wide = round_up(twice * l.columns, kernel->nr);
    const int64_t block_rows = gm_min(l.rows, kernel->mc);
    const int64_t words = ROW_TABLES * (l.rows + l.columns) + K_TABLES * l.k;
    l.tables = gm_align_64(words * (int64_t)sizeof(int64_t));
    l.pack_a = gm_align_64(block_rows * twice * l.k * kernel->real);
    l.pack_b = gm_align_64(wide * twice * l.k * kernel->real);
    l.tiles = x->k > l.k ? l.rows * wide * kernel->real * kernel->carry : 0;
    return l;
}

static int64_t bytes_of(const gett_layout *l) {
    return l->tables + l->pack_a + l->pack_b + gm_align_64(l->tiles);
}

int64_t gm_contract_gett_workspace(gm_isa isa, const gm_contraction *x, int32_t threads) {
    const gett_layout l = lay_out(gm_contract_kernel_for(isa, x), x, threads);
    return bytes_of(&l) * threads;
}

bool gm_contract_gett_can_run(const gm_contraction *x) {
    (void)x;
    return true;
}

/* ---- a task ---------------------------------------------------------------------------------- */

/* Hands out the workspace of a thread. */
static void divide(const gett_job *job, int32_t thread, gm_contract_part *part) {
    const gett_layout *l = &job->layout;
    char *at = (char *)job->arrays->workspace + thread * bytes_of(l);
    int64_t *table = (int64_t *)(void *)at;
    int64_t **const of_rows[] = {&part->m.a, &part->m.c, &part->m.d, &part->m.bias, &part->m.index};
    int64_t **const of_columns[] = {&part->n.b, &part->n.c, &part->n.d, &part->n.bias,
                                    &part->n.index};
    for (int t = 0; t < ROW_TABLES; ++t) {
        *of_rows[t] = table;
        *of_columns[t] = table + l->rows;
        table += l->rows + l->columns;
    }
    part->k_a = table;
    part->k_b = table + l->k;
    part->pack_a = at + l->tables;
    part->pack_b = at + l->tables + l->pack_a;
    part->tiles = l->tiles > 0 ? at + l->tables + l->pack_a + l->pack_b : NULL;
}

static void set_k(const gett_job *job, int64_t first, gm_contract_part *part) {
    const gm_contraction *x = job->x;
    const gm_offsets tables = {.a = part->k_a, .b = part->k_b};
    part->k = gm_min(job->layout.k, x->k - first);
    part->first = first == 0;
    part->last = first + part->k >= x->k;
    gm_contract_offsets(job->k, x->ks, first, part->k, &tables);
}

static void set_item(const gett_job *job, int64_t item, gm_contract_part *part) {
    const gm_contraction *x = job->x;
    const gm_contract_arrays *arrays = job->arrays;
    const gm_mode at = gm_contract_position(x->modes, x->batches, item);
    part->a = gm_moved(arrays->a, at.a, job->input);
    part->b = gm_moved(arrays->b, at.b, job->input);
    part->c = gm_moved(arrays->c, at.c, job->output);
    part->bias = x->has_bias ? gm_moved(arrays->bias, at.bias, job->output) : NULL;
    part->d = (char *)arrays->d + at.d * (int64_t)job->output;
    part->number = x->first + (uint64_t)at.index;
}

static void run_task(void *argument, int64_t block, int32_t thread) {
    const gett_job *job = argument;
    const gm_contraction *x = job->x;
    const gett_layout *l = &job->layout;
    const int64_t n_part = block % l->n_parts, m_part = block / l->n_parts % l->m_parts;
    const int64_t first = block / (l->n_parts * l->m_parts) * l->run;
    const int64_t last = gm_min(first + l->run, x->batch);
    gm_contract_part part = {
        .x = x, .scale = job->arrays->scale, .near_a = job->near_a, .near_b = job->near_b};
    divide(job, thread, &part);
    part.first_row = m_part * l->rows;
    part.first_column = n_part * l->columns;
    part.rows = gm_min(l->rows, x->m - part.first_row);
    part.columns = gm_min(l->columns, x->n - part.first_column);
    gm_contract_offsets(job->m, job->ms, part.first_row, part.rows, &part.m);
    gm_contract_offsets(job->n, job->ns, part.first_column, part.columns, &part.n);
    part.plain = gm_contract_is_plain(x, job->arrays);
    if (x->k <= l->k) {
        set_k(job, 0, &part);
    }
    for (int64_t item = first; item < last; ++item) {
        set_item(job, item, &part);
        for (int64_t k = 0; k == 0 || k < x->k; k += l->k) {
            if (x->k > l->k) {
                set_k(job, k, &part);
            }
            job->kernel->block(&part);
        }
    }
}

typedef enum tensor { A, B, D } tensor;

static int64_t stride_in(const gm_mode *mode, tensor of) {
    return gm_magnitude(of == A ? mode->a : of == B ? mode->b : mode->d);
}

/* Stable, by falling strides in a tensor. */
static void sort_modes(gm_mode *modes, int32_t count, tensor of) {
    for (int32_t i = 1; i < count; ++i) {
        const gm_mode mode = modes[i];
        int32_t at = i;
        for (; at > 0 && stride_in(&modes[at - 1], of) < stride_in(&mode, of); --at) {
            modes[at] = modes[at - 1];
        }
        modes[at] = mode;
    }
}

/* The innermost mode, if it is long, becomes two, the inner of `most` or somewhat fewer values. */
static int32_t split_innermost(gm_mode *modes, int32_t count, int64_t most) {
    const gm_mode whole = modes[count - 1];
    int64_t inner = most;
    while (4 * inner >= most && whole.extent % inner != 0) {
        --inner;
    }
    if (whole.extent <= most || 4 * inner < most || count == GM_MAX_LABELS) {
        return count;
    }
    modes[count - 1] =
        (gm_mode){whole.extent / inner, inner * whole.a,    inner * whole.b,    inner * whole.c,
                  inner * whole.d,      inner * whole.bias, inner * whole.index};
    modes[count] = whole;
    modes[count].extent = inner;
    return count + 1;
}

/* Those between move up. */
static void move_mode(gm_mode *modes, int32_t from, int32_t to) {
    const gm_mode mode = modes[from];
    for (int32_t i = from; i < to; ++i) {
        modes[i] = modes[i + 1];
    }
    modes[to] = mode;
}

/*
 * Rows (or columns) of C in the order of one tensor, except that the mode along which a second one
 * has neighbours comes next to the innermost: a block then has whole cache lines of both. Before it
 * comes the mode, if there is one, with which the neighbours go on.
 */
static int32_t order_free(gm_mode *modes, int32_t count, int64_t most, tensor first,
                          tensor second) {
    int32_t near = 0;
    sort_modes(modes, count, first);
    for (int32_t i = 1; i < count; ++i) {
        near = stride_in(&modes[i], second) <= stride_in(&modes[near], second) ? i : near;
    }
    if (count < 2) {
        return count;
    }
    if (near < count - 1) {
        count = split_innermost(modes, count, most);
        move_mode(modes, near, count - 2);
        near = count - 2;
    }
    for (int32_t i = 0; i < near; ++i) {
        if (stride_in(&modes[i], second) == modes[near].extent * stride_in(&modes[near], second)) {
            move_mode(modes, i, near - 1);
        }
    }
    return count;
}

/* How far apart the neighbours in an operand are, if the mode of stride 1 is next to the innermost
 * (and long enough to be worth the trouble); else 1. */
static int64_t distance(const gm_mode *modes, int32_t count, tensor of) {
    if (count < 2 || (of == A ? modes[count - 2].a : modes[count - 2].b) != 1 ||
        modes[count - 2].extent < LEAST_NEAR) {
        return 1;
    }
    return modes[count - 1].extent;
}

/*
 * Columns lie as in the output, so that tiles are written by vectors; so do rows if the output is
 * larger than a. k is in the order of a, or of b if a has its neighbours along the rows.
 */
static void order_modes(const gm_contraction *x, gett_job *job) {
    bool along_rows = false;
    for (int32_t i = 0; i < x->ms; ++i) {
        job->m[i] = gm_m_modes(x)[i];
        along_rows = along_rows || gm_magnitude(job->m[i].a) == 1;
    }
    for (int32_t i = 0; i < x->ns; ++i) {
        job->n[i] = gm_n_modes(x)[i];
    }
    for (int32_t i = 0; i < x->ks; ++i) {
        job->k[i] = gm_k_modes(x)[i];
    }
    job->ns = order_free(job->n, x->ns, INNER, D, B);
    const bool in_runs =
        job->ns > 0 && job->n[job->ns - 1].d == 1 && job->n[job->ns - 1].extent >= LEAST_RUN;
    job->ms = order_free(job->m, x->ms, in_runs ? ROWS_INNER : INNER, x->n >= x->k ? D : A,
                         x->n >= x->k ? A : D);
    job->near_a = distance(job->m, job->ms, A);
    job->near_b = x->operands == 2 ? distance(job->n, job->ns, B) : 1;
    if (along_rows) {
        sort_modes(job->k, x->ks, x->operands == 2 ? B : A);
    }
}

static void prepare(gm_isa isa, const gm_contraction *x, int32_t threads, gett_job *job) {
    job->x = x;
    job->kernel = gm_contract_kernel_for(isa, x);
    job->input = gm_dtype_size(x->input);
    job->output = gm_dtype_size(x->output);
    job->layout = lay_out(job->kernel, x, threads);
    order_modes(x, job);
}

static int64_t tasks_of(const gett_layout *l) {
    return l->m_parts * l->n_parts * l->runs;
}

void gm_contract_gett_run(gm_call *call, const gm_contraction *x,
                          const gm_contract_arrays *arrays) {
    gett_job job = {.arrays = arrays};
    prepare(call->isa, x, gm_pool_threads(call->pool), &job);
    gm_parallel_for(call->pool, tasks_of(&job.layout), run_task, &job);
}

int64_t gm_contract_gett_blocks(gm_isa isa, const gm_contraction *x, int32_t threads) {
    const gett_layout l = lay_out(gm_contract_kernel_for(isa, x), x, threads);
    return tasks_of(&l);
}

void gm_contract_gett_some(const gm_contract_some *some) {
    gm_contraction own;
    gm_contract_arrays arrays;
    gett_job job = {.arrays = &arrays};
    prepare(some->isa, some->x, some->threads, &job);
    for (int64_t block = some->first; block < some->last; ++block) {
        job.x = gm_contract_problem_of(some, block, &own, &arrays);
        run_task(&job, block % some->blocks, 0);
    }
}
