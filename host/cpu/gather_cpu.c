/*
 * gm_gather and gm_scatter_add on threads. Taking: a thread has a range of the indices and copies
 * run by run. Adding: a thread has a range of the positions indexed and goes through all indices in
 * their order, so no position is written by two threads and the order of the sums is that of the
 * indices, whatever the number of threads. Halves add up in f32 in a row of sums, which is written
 * back at the end, and are rounded once.
 */
#include <stdbool.h>
#include <string.h>

#include "host/check_indices.h"
#include "host/cpu/cpu.h"
#include "host/half.h"
#include "host/internal.h"

enum {
    COPY_BYTES = 1 << 17, /* of a task */
    SUMS = 256,           /* elements of the innermost axis that halves are summed for at once */
};

typedef struct job {
    const gm_gather_args *args;
    int64_t step[2], run, runs; /* the innermost of the other axes, and how often it is walked */
    int64_t per_task;           /* indices, or positions */
} job;

static job job_of(const gm_gather_args *args) {
    const gm_layout *l = &args->others;
    job j = {.args = args, .run = l->axes > 0 ? l->shape[l->axes - 1] : 1};
    j.step[0] = gm_layout_step(l, 0);
    j.step[1] = gm_layout_step(l, 1);
    j.runs = j.run > 0 ? l->elements / j.run : 0;
    return j;
}

#define COPY(type)                                                                                 \
    for (int64_t i = 0; i < n; ++i) {                                                              \
        ((type *)to)[i * to_step] = ((const type *)from)[i * from_step];                           \
    }

static void copy_run(int64_t size, int64_t n, void *to, int64_t to_step, const void *from,
                     int64_t from_step) {
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)(n * size));
    } else if (size == 8) {
        COPY(uint64_t)
    } else if (size == 4) {
        COPY(uint32_t)
    } else if (size == 2) {
        COPY(uint16_t)
    } else {
        COPY(uint8_t)
    }
}

static void gather_task(void *argument, int64_t task, int32_t thread) {
    const job *j = argument;
    const gm_gather_args *args = j->args;
    const int64_t size = (int64_t)gm_dtype_size(args->dtype), first = task * j->per_task;
    const int64_t end = first + j->per_task < args->count ? first + j->per_task : args->count;
    (void)thread;
    for (int64_t k = first; k < end; ++k) {
        const int64_t index = gm_checked_index(args, k);
        for (int64_t r = 0; r < j->runs; ++r) {
            const int64_t from = gm_layout_offset(&args->others, 0, r * j->run);
            const int64_t to = gm_layout_offset(&args->others, 1, r * j->run);
            copy_run(size, j->run, (char *)args->out + (to + k * args->out_stride) * size,
                     j->step[1], (const char *)args->in + (from + index * args->in_stride) * size,
                     j->step[0]);
        }
    }
}

gm_status gm_cpu_gather(gm_call *call, const gm_gather_args *args) {
    job j = job_of(args);
    const gm_status status = gm_check_indices(call, args);
    call->kernel = "gather_cpu";
    if (status != GM_STATUS_OK || args->others.elements == 0) {
        return status;
    }
    const int64_t bytes = args->others.elements * (int64_t)gm_dtype_size(args->dtype);
    j.per_task = bytes < COPY_BYTES ? COPY_BYTES / bytes : 1;
    gm_parallel_for(call->pool, (args->count + j.per_task - 1) / j.per_task, gather_task, &j);
    return GM_STATUS_OK;
}

#define ADD(type)                                                                                  \
    for (int64_t i = 0; i < n; ++i) {                                                              \
        ((type *)to)[i * to_step] += ((const type *)from)[i * from_step];                          \
    }

/* All indices in their order, into the positions first .. end - 1. */
static void add_in_order(const job *j, int64_t first, int64_t end) {
    const gm_gather_args *args = j->args;
    const int64_t n = j->run, to_step = j->step[1], from_step = j->step[0];
    const int64_t size = (int64_t)gm_dtype_size(args->dtype);
    for (int64_t k = 0; k < args->count; ++k) {
        const int64_t index = gm_checked_index(args, k);
        for (int64_t r = 0; index >= first && index < end && r < j->runs; ++r) {
            const void *from =
                (const char *)args->in +
                (gm_layout_offset(&args->others, 0, r * n) + k * args->in_stride) * size;
            void *to =
                (char *)args->out +
                (gm_layout_offset(&args->others, 1, r * n) + index * args->out_stride) * size;
            if (args->dtype == GM_F64) {
                ADD(double)
            } else {
                ADD(float)
            }
        }
    }
}

static float half_to_float(gm_dtype dtype, uint16_t half) {
    return dtype == GM_F16 ? gm_f32_from_f16(half) : gm_f32_from_bf16(half);
}

/* Halves: a position's elements, up to SUMS of them at once, over all indices. */
static void add_halves(const job *j, int64_t place) {
    const gm_gather_args *args = j->args;
    const uint16_t *in = args->in;
    uint16_t *out = args->out;
    float sums[SUMS];
    for (int64_t e = 0; e < args->others.elements; e += SUMS) {
        const int64_t left = args->others.elements - e, n = left < SUMS ? left : SUMS;
        int64_t from[SUMS], to[SUMS];
        for (int64_t i = 0; i < n; ++i) {
            from[i] = gm_layout_offset(&args->others, 0, e + i);
            to[i] = gm_layout_offset(&args->others, 1, e + i) + place * args->out_stride;
            sums[i] = half_to_float(args->dtype, out[to[i]]);
        }
        for (int64_t k = 0; k < args->count; ++k) {
            for (int64_t i = 0; gm_checked_index(args, k) == place && i < n; ++i) {
                sums[i] += half_to_float(args->dtype, in[from[i] + k * args->in_stride]);
            }
        }
        for (int64_t i = 0; i < n; ++i) {
            out[to[i]] =
                args->dtype == GM_F16 ? gm_f16_from_f32(sums[i]) : gm_bf16_from_f32(sums[i]);
        }
    }
}

static void scatter_task(void *argument, int64_t task, int32_t thread) {
    const job *j = argument;
    const int64_t first = task * j->per_task, last = first + j->per_task;
    const int64_t end = last < j->args->size ? last : j->args->size;
    (void)thread;
    if (j->args->dtype == GM_F64 || j->args->dtype == GM_F32) {
        add_in_order(j, first, end);
        return;
    }
    for (int64_t place = first; place < end; ++place) {
        add_halves(j, place);
    }
}

gm_status gm_cpu_scatter_add(gm_call *call, const gm_gather_args *args) {
    job j = job_of(args);
    const gm_status status = gm_check_indices(call, args);
    call->kernel = "scatter_add_cpu";
    if (status != GM_STATUS_OK || args->others.elements == 0 || args->size == 0) {
        return status;
    }
    /* A task for each thread: more would read the indices more often. */
    const int64_t threads = gm_pool_threads(call->pool);
    j.per_task = (args->size + threads - 1) / threads;
    gm_parallel_for(call->pool, (args->size + j.per_task - 1) / j.per_task, scatter_task, &j);
    return GM_STATUS_OK;
}
