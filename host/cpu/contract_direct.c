/*
 * Contractions that are no matrix product: steps with one operand (permutations, sums, diagonals),
 * outer products, products element by element, dots, matrix times vector. What they cost is their
 * memory traffic, so the loops follow the larger operand and the output:
 *
 *     lane   the output mode along which the larger operand has neighbours, or, where the output
 *            is larger by far, the output itself
 *     other  the mode along which the output has neighbours, if that is another one
 *     dot    where the larger operand has its neighbours along k: k innermost, by vector sums
 *
 * The remaining output modes are walked tile by tile, in the order of the output; tiles go to the
 * threads in runs.
 */
#include <stddef.h>

#include "host/cpu/contract_kernel.h"
#include "host/internal.h"

enum {
    OTHERS = 32,             /* of a tile at most, where there are lanes enough: two cache lines */
    SLIMMEST = 3,            /* m, n or k up to here: no matrix product */
    TASK_PRODUCTS = 1 << 18, /* of a run of tiles: some tens of microseconds */
    TURNED = 16384,          /* bytes of a tile that is transposed: half the first-level cache */
    LONGEST = 4096,
    TABLES = 4,
    LARGER = 4,        /* times the larger operand: the output */
    SHORTEST = 256,    /* lanes, for a thread's sake */
    STREAMED = 1 << 25 /* bytes of output from which on no cache keeps it until it is read */
};

typedef struct direct_job {
    const gm_contraction *x;
    const gm_contract_arrays *arrays;
    const gm_contract_kernel *kernel;
    gm_mode outer[GM_MAX_LABELS]; /* output modes but lane and other */
    gm_mode k[GM_MAX_LABELS];
    int32_t outers, ks;
    gm_mode lane, other;
    bool dot;
    int64_t lanes, others;           /* of a tile */
    int64_t lane_tiles, other_tiles; /* all of them, with the other modes fixed */
    int64_t tiles, run, sums;
    int64_t bytes; /* of the output */
} direct_job;

bool gm_contract_direct_can_run(const gm_contraction *x) {
    return x->math != GM_CONTRACT_COMPENSATED || (x->input != GM_F64 && x->input != GM_F32);
}

bool gm_contract_direct_suits(const gm_contraction *x) {
    return x->operands == 1 || x->m == 1 || x->n == 1 || x->k <= SLIMMEST;
}

/*
 * The memory of a thread: offsets of rows and of columns, a tile's sums, the same turned. A small
 * output needs little of it.
 */
typedef struct direct_scratch {
    int64_t row, sums, bytes; /* entries of a table; bytes of the sums, of all */
} direct_scratch;

static direct_scratch scratch_of(const gm_contraction *x) {
    const int64_t outputs = x->batch * x->m * x->n, element = (int64_t)gm_dtype_size(x->output);
    const int64_t wide = element < 4 ? 4 : element; /* sums of narrow outputs are floats */
    direct_scratch s = {.row = gm_min(outputs, LONGEST)};
    s.sums = gm_align_64(gm_min(outputs, GM_DIRECT_BYTES / wide) * wide);
    s.bytes = gm_align_64(2 * TABLES * s.row * (int64_t)sizeof(int64_t)) + 2 * s.sums;
    return s;
}

int64_t gm_contract_direct_workspace(gm_isa isa, const gm_contraction *x, int32_t threads) {
    (void)isa;
    return scratch_of(x).bytes * threads;
}

/* Of the operand with more elements: the stride of a mode in it. */
static int64_t stride_in(const gm_mode *mode, bool b) {
    return gm_magnitude(b ? mode->b : mode->a);
}

static bool is_b_larger(const gm_contraction *x) {
    return x->operands == 2 && x->n > x->m;
}

/* Takes out the mode with the smallest stride: of d, or of an operand; one of extent 1 if none has
 * a stride there. */
static gm_mode take(gm_mode *modes, int32_t *count, bool of_d, bool b) {
    int32_t best = -1;
    for (int32_t i = 0; i < *count; ++i) {
        const int64_t stride = of_d ? gm_magnitude(modes[i].d) : stride_in(&modes[i], b);
        const int64_t least = best < 0 ? INT64_MAX
                              : of_d   ? gm_magnitude(modes[best].d)
                                       : stride_in(&modes[best], b);
        best = stride > 0 && stride < least ? i : best;
    }
    if (best < 0) {
        return (gm_mode){.extent = 1};
    }
    const gm_mode taken = modes[best];
    for (int32_t i = best + 1; i < *count; ++i) {
        modes[i - 1] = modes[i];
    }
    --*count;
    return taken;
}

/* Falling strides of d: tiles are written in order. */
static void sort_outer(direct_job *job) {
    for (int32_t i = 1; i < job->outers; ++i) {
        const gm_mode mode = job->outer[i];
        int32_t at = i;
        for (; at > 0 && gm_magnitude(job->outer[at - 1].d) < gm_magnitude(mode.d); --at) {
            job->outer[at] = job->outer[at - 1];
        }
        job->outer[at] = mode;
    }
}

static void choose_modes(const gm_contraction *x, direct_job *job) {
    const bool b = is_b_larger(x);
    job->outers = x->batches + x->ms + x->ns;
    job->ks = x->ks;
    for (int32_t i = 0; i < job->outers; ++i) {
        job->outer[i] = x->modes[i];
    }
    for (int32_t i = 0; i < job->ks; ++i) {
        job->k[i] = gm_k_modes(x)[i];
    }
    gm_mode along_d = take(job->outer, &job->outers, true, false);
    gm_mode rest[GM_MAX_LABELS];
    int32_t rests = job->ks;
    for (int32_t i = 0; i < rests; ++i) {
        rest[i] = job->k[i];
    }
    const gm_mode k = take(rest, &rests, false, b);
    int64_t nearest = stride_in(&along_d, b);
    for (int32_t i = 0; i < job->outers; ++i) {
        const int64_t stride = stride_in(&job->outer[i], b);
        nearest = stride > 0 && (nearest == 0 || stride < nearest) ? stride : nearest;
    }
    job->other = (gm_mode){.extent = 1};
    job->dot =
        k.extent > 1 && !gm_is_complex(x->input) && (nearest == 0 || stride_in(&k, b) < nearest);
    if (job->dot) {
        job->lane = take(job->k, &job->ks, false, b);
        job->other = along_d;
    } else if (nearest == 0 || stride_in(&along_d, b) == nearest ||
               gm_min(x->m, x->n) >= LARGER * x->k) {
        job->lane = along_d;
    } else {
        job->lane = take(job->outer, &job->outers, false, b);
        job->other = along_d;
    }
    sort_outer(job);
}

/* A row of lanes for which every thread has some. */
static int64_t lanes_of_row(int64_t rows, int64_t extent, int64_t room, int32_t threads) {
    int64_t lanes = gm_min(extent, gm_min(room, LONGEST));
    while (lanes > SHORTEST && rows * gm_parts(extent, lanes) < 2 * (int64_t)threads &&
           threads > 1) {
        lanes = gm_parts(lanes, 2);
    }
    return lanes;
}

static void size_tiles(const gm_contraction *x, int32_t threads, direct_job *job) {
    const int64_t element = job->kernel->real * (gm_is_complex(x->input) ? 2 : 1);
    const int64_t outputs = x->batch * x->m * x->n;
    job->bytes = outputs * (int64_t)gm_dtype_size(x->output);
    int64_t products = x->k > 0 ? x->k : 1;
    job->sums = x->k;
    job->lanes = job->lane.extent;
    job->others = gm_min(job->other.extent, OTHERS);
    if (job->dot) {
        job->sums /= job->lane.extent;
        products *= job->others;
    } else if (job->other.extent == 1) {
        job->lanes = lanes_of_row(outputs / job->lane.extent, job->lane.extent,
                                  (x->k <= SLIMMEST ? TURNED : GM_DIRECT_BYTES) / element, threads);
        products *= job->lanes;
    } else {
        const int64_t room = TURNED / element;
        const int64_t others = room / gm_min(job->lane.extent, room);
        job->others = gm_min(job->other.extent, others > OTHERS ? others : OTHERS);
        job->lanes = gm_min(job->lane.extent, room / job->others);
        products *= job->lanes * job->others;
    }
    job->lane_tiles = gm_parts(job->lane.extent, job->lanes);
    job->other_tiles = gm_parts(job->other.extent, job->others);
    job->tiles = outputs / (job->other.extent * (job->dot ? 1 : job->lane.extent));
    job->tiles *= job->lane_tiles * job->other_tiles;
    job->run = products < TASK_PRODUCTS ? TASK_PRODUCTS / products : 1;
    job->run = gm_min(job->run, gm_parts(job->tiles, 4 * (int64_t)threads));
}

/* ---- a run of tiles -------------------------------------------------------------------------- */

/* Only what is read: a table is as much traffic as the row itself. */
static gm_offsets fill(const direct_job *job, int64_t *tables, int64_t size, const gm_mode *mode,
                       int64_t count) {
    const gm_contraction *x = job->x;
    const gm_offsets wanted = {.d = tables,
                               .c = job->arrays->c != NULL ? tables + size : NULL,
                               .bias = x->has_bias ? tables + 2 * size : NULL,
                               .index = x->sample ? tables + 3 * size : NULL};
    gm_contract_offsets(mode, 1, 0, count, &wanted);
    return wanted;
}

/* Element 0 of the tile: `lane` and `other` count elements. */
static void place(const direct_job *job, const gm_mode *outer, int64_t lane, int64_t other,
                  gm_contract_part *part) {
    const gm_contraction *x = job->x;
    const gm_contract_arrays *arrays = job->arrays;
    const gm_mode *l = &job->lane, *o = &job->other;
    const size_t input = gm_dtype_size(x->input), output = gm_dtype_size(x->output);
    part->a = gm_moved(arrays->a, outer->a + lane * l->a + other * o->a, input);
    part->b = gm_moved(arrays->b, outer->b + lane * l->b + other * o->b, input);
    part->c = gm_moved(arrays->c, outer->c + lane * l->c + other * o->c, output);
    part->bias = !x->has_bias ? NULL
                              : gm_moved(arrays->bias,
                                         outer->bias + lane * l->bias + other * o->bias, output);
    part->d = (char *)arrays->d + (outer->d + lane * l->d + other * o->d) * (int64_t)output;
    part->number = x->first + (uint64_t)(outer->index + lane * l->index + other * o->index);
}

static void run_tiles(void *argument, int64_t block, int32_t thread) {
    const direct_job *job = argument;
    const int64_t last = gm_min((block + 1) * job->run, job->tiles);
    const gm_mode still = {.extent = INT64_MAX};
    const bool one_row = job->dot || job->other.extent == 1;
    const direct_scratch sizes = scratch_of(job->x);
    char *memory = (char *)job->arrays->workspace + thread * sizes.bytes;
    int64_t *rows = (void *)memory, *columns = rows + TABLES * sizes.row;
    gm_contract_part part = {.x = job->x, .scale = job->arrays->scale};
    gm_direct_tile tile = {.part = &part,
                           .lane = job->lane,
                           .other = job->other,
                           .k = job->k,
                           .ks = job->ks,
                           .dot = job->dot,
                           .one_row = one_row,
                           .two = job->arrays->b != NULL,
                           .sums = job->sums,
                           .sums_memory = memory + sizes.bytes - 2 * sizes.sums,
                           .turned_memory = memory + sizes.bytes - sizes.sums};
    part.plain = gm_contract_is_plain(job->x, job->arrays);
    tile.streams = part.plain && one_row && !job->dot && !gm_is_complex(job->x->input) &&
                   job->lane.d == 1 && job->bytes >= STREAMED;
    part.m = one_row ? fill(job, rows, sizes.row, &still, 1)
                     : fill(job, rows, sizes.row, &job->lane, job->lanes);
    part.n = one_row && !job->dot ? fill(job, columns, sizes.row, &job->lane, job->lanes)
                                  : fill(job, columns, sizes.row, &job->other, job->others);
    for (int64_t at = block * job->run; at < last; ++at) {
        const int64_t inner = at % (job->lane_tiles * job->other_tiles);
        const int64_t lane = inner % job->lane_tiles * job->lanes;
        const int64_t other = inner / job->lane_tiles * job->others;
        const gm_mode outer = gm_contract_position(job->outer, job->outers,
                                                   at / (job->lane_tiles * job->other_tiles));
        place(job, &outer, lane, other, &part);
        tile.lane.extent = gm_min(job->lanes, job->lane.extent - lane);
        tile.other.extent = gm_min(job->others, job->other.extent - other);
        tile.last = at + 1 == last;
        job->kernel->tile(&tile);
    }
}

static void prepare(gm_isa isa, const gm_contraction *x, int32_t threads, direct_job *job) {
    job->x = x;
    job->kernel = gm_contract_kernel_for(isa, x);
    choose_modes(x, job);
    size_tiles(x, threads, job);
}

void gm_contract_direct_run(gm_call *call, const gm_contraction *x,
                            const gm_contract_arrays *arrays) {
    direct_job job = {.arrays = arrays};
    prepare(call->isa, x, gm_pool_threads(call->pool), &job);
    gm_parallel_for(call->pool, gm_parts(job.tiles, job.run), run_tiles, &job);
}

int64_t gm_contract_direct_blocks(gm_isa isa, const gm_contraction *x, int32_t threads) {
    direct_job job = {.arrays = NULL};
    prepare(isa, x, threads, &job);
    return gm_parts(job.tiles, job.run);
}

void gm_contract_direct_some(const gm_contract_some *some) {
    gm_contraction own;
    gm_contract_arrays arrays;
    direct_job job = {.arrays = &arrays};
    prepare(some->isa, some->x, some->threads, &job);
    for (int64_t block = some->first; block < some->last; ++block) {
        job.x = gm_contract_problem_of(some, block, &own, &arrays);
        run_tiles(&job, block % some->blocks, 0);
    }
}
