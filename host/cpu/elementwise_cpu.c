/*
 * gm_map and gm_combine on threads and vectors. The elements are walked along the innermost axis of
 * out in runs that stay in the first-level cache; what is not next to each other, or is a half,
 * goes through a buffer. Where an operand lies together along another axis, as in a transposition,
 * the innermost axis is cut into blocks, and rows of blocks are turned in a buffer, so that each
 * cache line of the operand is read once: lines a power of two apart share a set of the cache.
 */
#include <stdbool.h>
#include <string.h>

#include "host/cast.h"
#include "host/cpu/cpu.h"
#include "host/elementwise_op.h"
#include "host/internal.h"

enum {
    RUN = 1024,              /* elements: four buffers of double are 32 KiB */
    BLOCK = 32,              /* of the innermost axis, in a transposition */
    TURNED = 512,            /* bytes next to each other that are turned at once */
    TASK_ELEMENTS = 1 << 16, /* tens of microseconds */
};

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define MAPS(X)                                                                                    \
    X(COPY)                                                                                        \
    X(NEGATE)                                                                                      \
    X(ABS) X(SQUARE) X(SQRT) X(RSQRT) X(RECIPROCAL) X(EXP) X(LOG) X(TANH) X(SIGMOID) X(RELU)       \
        X(SILU) X(GELU) X(SIN) X(COS)
#define COMBINES(X) X(ADD) X(SUBTRACT) X(MULTIPLY) X(DIVIDE) X(MINIMUM) X(MAXIMUM) X(POWER)

/* Where a run begins. */
typedef struct place {
    void *out;
    const void *in[2];
    int64_t step[GM_LAYOUT_TENSORS];
} place;

#define BOTH_REALS "host/cpu/elementwise_type.inc"
#include "host/cpu/both_reals.inc"

#define COPY_LOOP(type)                                                                            \
    for (int32_t i = 0; i < n; ++i) {                                                              \
        ((type *)at->out)[i * at->step[0]] = ((const type *)at->in[0])[i * at->step[1]];           \
    }

/* The bits of n elements. */
static void copy_run(size_t size, const place *at, int32_t n) {
    if (at->step[0] == 1 && at->step[1] == 1) {
        memmove(at->out, at->in[0], (size_t)n * size);
    } else if (size == 8) {
        COPY_LOOP(uint64_t)
    } else if (size == 4) {
        COPY_LOOP(uint32_t)
    } else if (size == 2) {
        COPY_LOOP(uint16_t)
    } else {
        COPY_LOOP(uint8_t)
    }
}

/* Between any dtypes. */
static void cast_run(const gm_elementwise_args *args, const place *at, int32_t n) {
    for (int32_t i = 0; i < n; ++i) {
        gm_number_store(gm_number_load(at->in[0], args->dtype, i * at->step[1]), args->dtype,
                        at->out, args->out_dtype, i * at->step[0]);
    }
}

typedef struct job {
    const gm_elementwise_args *args;
    gm_isa isa;
    gm_layout layout;
} job;

static void run_at(const job *j, const place *at, int32_t n) {
    const gm_elementwise_args *args = j->args;
    const bool copies = args->operands == 1 && args->operation == GM_MAP_COPY && !args->scaled;
    const bool floats = gm_dtype_is_floating(args->dtype) &&
                        gm_dtype_is_floating(args->out_dtype) &&
                        (args->dtype == GM_F64) == (args->out_dtype == GM_F64);
    if (copies && args->dtype == args->out_dtype) {
        copy_run(gm_dtype_size(args->dtype), at, n);
    } else if (!floats) {
        cast_run(args, at, n);
    } else if (args->dtype == GM_F64) {
        run_f64(args, j->isa, at, n);
    } else {
        run_f32(args, j->isa, at, n);
    }
}

/* Neighbours in tensor t are along the axis before the innermost, which is short. */
static bool is_turned(const gm_layout *l, int32_t t) {
    const int32_t last = l->axes - 1;
    return last > 0 && l->shape[last] <= BLOCK && l->stride[t][last] != 0 &&
           l->stride[t][last] != 1 && l->stride[t][last - 1] == 1;
}

#define TURN_LOOP(type)                                                                            \
    for (int64_t c = 0; c < columns; ++c) {                                                        \
        for (int64_t r = 0; r < rows; ++r) {                                                       \
            ((type *)to)[r * columns + c] = ((const type *)from)[c * step + r];                    \
        }                                                                                          \
    }

/* Columns `step` apart, in each the rows next to each other, become rows. */
static void turn(int64_t size, const void *from, int64_t step, int64_t rows, int64_t columns,
                 void *to) {
    if (size == 8) {
        TURN_LOOP(uint64_t)
    } else if (size == 4) {
        TURN_LOOP(uint32_t)
    } else if (size == 2) {
        TURN_LOOP(uint16_t)
    } else {
        TURN_LOOP(uint8_t)
    }
}

/* Rows of the innermost axis from element e on; a place moves from one to the next by `next`. */
static void run_rows(const job *j, int64_t e, int64_t rows) {
    const gm_elementwise_args *args = j->args;
    const gm_layout *l = &j->layout;
    const int64_t size = (int64_t)gm_dtype_size(args->dtype), n = l->shape[l->axes - 1];
    const int64_t out_size = (int64_t)gm_dtype_size(args->out_dtype);
    unsigned char turned[2][TURNED * BLOCK] __attribute__((aligned(64)));
    place at = {.out = (char *)args->out + gm_layout_offset(l, 0, e) * out_size,
                .step = {gm_layout_step(l, 0)}};
    int64_t next[GM_LAYOUT_TENSORS] = {l->stride[0][l->axes - 2] * out_size};
    for (int32_t i = 0; i < args->operands; ++i) {
        at.in[i] = (const char *)args->in[i] + gm_layout_offset(l, i + 1, e) * size;
        at.step[i + 1] = gm_layout_step(l, i + 1);
        next[i + 1] = l->stride[i + 1][l->axes - 2] * size;
        if (is_turned(l, i + 1)) {
            turn(size, at.in[i], at.step[i + 1], rows, n, turned[i]);
            at.in[i] = turned[i];
            at.step[i + 1] = 1;
            next[i + 1] = n * size;
        }
    }
    for (int64_t r = 0; r < rows; ++r) {
        run_at(j, &at, (int32_t)n);
        at.out = (char *)at.out + next[0];
        for (int32_t i = 0; i < args->operands; ++i) {
            at.in[i] = (const char *)at.in[i] + next[i + 1];
        }
    }
}

static void run_turned_task(void *argument, int64_t task, int32_t thread) {
    const job *j = argument;
    const gm_layout *l = &j->layout;
    const int64_t n = l->shape[l->axes - 1], across = l->shape[l->axes - 2];
    const int64_t most = TURNED / (int64_t)gm_dtype_size(j->args->dtype), all = l->elements / n;
    const int64_t first = task * (TASK_ELEMENTS / BLOCK);
    const int64_t end = first + TASK_ELEMENTS / BLOCK < all ? first + TASK_ELEMENTS / BLOCK : all;
    (void)thread;
    for (int64_t row = first, rows; row < end; row += rows) {
        rows = across - row % across;
        rows = rows < most ? rows : most;
        rows = rows < end - row ? rows : end - row;
        run_rows(j, row * n, rows);
    }
}

static void run_task(void *argument, int64_t task, int32_t thread) {
    const job *j = argument;
    const gm_elementwise_args *args = j->args;
    const gm_layout *l = &j->layout;
    const int64_t size = (int64_t)gm_dtype_size(args->dtype);
    const int64_t out_size = (int64_t)gm_dtype_size(args->out_dtype);
    const int64_t axis = l->axes > 0 ? l->shape[l->axes - 1] : 1, first = task * TASK_ELEMENTS;
    const int64_t end = first + TASK_ELEMENTS < l->elements ? first + TASK_ELEMENTS : l->elements;
    place at;
    (void)thread;
    for (int32_t i = 0; i < GM_LAYOUT_TENSORS; ++i) {
        at.step[i] = i < l->tensors ? gm_layout_step(l, i) : 0;
    }
    for (int64_t e = first; e < end;) {
        int64_t n = axis - e % axis;
        n = n < end - e ? n : end - e;
        n = n < RUN ? n : RUN;
        at.out = (char *)args->out + gm_layout_offset(l, 0, e) * out_size;
        for (int32_t i = 0; i < args->operands; ++i) {
            at.in[i] = (const char *)args->in[i] + gm_layout_offset(l, i + 1, e) * size;
        }
        run_at(j, &at, (int32_t)n);
        e += n;
    }
}

static void run_layout(gm_call *call, const gm_elementwise_args *args, const gm_layout *layout) {
    job j = {.args = args, .isa = call->isa, .layout = *layout};
    for (int32_t i = 0; i < args->operands; ++i) {
        if (is_turned(layout, i + 1)) {
            const int64_t rows = layout->elements / layout->shape[layout->axes - 1];
            const int64_t of_task = TASK_ELEMENTS / BLOCK;
            gm_parallel_for(call->pool, (rows + of_task - 1) / of_task, run_turned_task, &j);
            return;
        }
    }
    gm_parallel_for(call->pool, (layout->elements + TASK_ELEMENTS - 1) / TASK_ELEMENTS, run_task,
                    &j);
}

/* The axis along which an operand that does not lie along the innermost one does; -1 if none. */
static int32_t axis_across(const gm_layout *l) {
    for (int32_t axis = l->axes - 2; axis >= 0; --axis) {
        for (int32_t t = 1; t < l->tensors; ++t) {
            if (l->stride[t][axis] == 1 && l->stride[t][l->axes - 1] != 1 &&
                l->stride[t][l->axes - 1] != 0) {
                return axis;
            }
        }
    }
    return -1;
}

/* The axes [..., across, ..., n] as [..., n / BLOCK, across, BLOCK]; n is a multiple of BLOCK. */
static gm_layout blocked(const gm_layout *l, int32_t across) {
    gm_layout b = gm_layout_begin(l->tensors);
    const int32_t last = l->axes - 1;
    int64_t strides[GM_LAYOUT_TENSORS];
    for (int32_t i = 0; i <= last + 1; ++i) {
        const int32_t axis = i == last + 1 ? last : i < across ? i : i < last ? i + 1 : across;
        const bool outer_part = axis == last && i != last + 1;
        for (int32_t t = 0; t < l->tensors; ++t) {
            strides[t] = l->stride[t][axis] * (outer_part ? BLOCK : 1);
        }
        gm_layout_add(&b,
                      axis != last ? l->shape[axis]
                      : outer_part ? l->shape[last] / BLOCK
                                   : BLOCK,
                      strides);
    }
    return b;
}

static const char *const names[] = {"elementwise_base", "elementwise_base", "elementwise_avx2",
                                    "elementwise_avx512"};

gm_status gm_cpu_elementwise(gm_call *call, const gm_elementwise_args *args) {
    const int32_t across = args->layout.axes < GM_MAX_DIMS ? axis_across(&args->layout) : -1;
    call->kernel = names[call->isa];
    if (across < 0) {
        run_layout(call, args, &args->layout);
        return GM_STATUS_OK;
    }
    /* The whole blocks, then what is left of the innermost axis. */
    const int32_t last = args->layout.axes - 1;
    const int64_t whole = args->layout.shape[last] / BLOCK * BLOCK;
    gm_layout part = args->layout;
    part.elements = part.elements / part.shape[last] * whole;
    part.shape[last] = whole;
    if (whole > 0) {
        const gm_layout blocks = blocked(&part, across);
        run_layout(call, args, &blocks);
    }
    if (whole < args->layout.shape[last]) {
        gm_elementwise_args rest = *args;
        rest.layout.shape[last] -= whole;
        rest.layout.elements -= part.elements;
        rest.out = (char *)args->out +
                   whole * args->layout.stride[0][last] * (int64_t)gm_dtype_size(args->out_dtype);
        for (int32_t i = 0; i < args->operands; ++i) {
            rest.in[i] = (const char *)args->in[i] + whole * args->layout.stride[i + 1][last] *
                                                         (int64_t)gm_dtype_size(args->dtype);
        }
        run_layout(call, &rest, &rest.layout);
    }
    return GM_STATUS_OK;
}
