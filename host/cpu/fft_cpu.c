/*
 * Fourier transforms on threads and vectors. Lanes of a vector hold different lines, or different
 * columns of one long line, with real and imaginary parts apart, so every butterfly is plain vector
 * arithmetic without a shuffle. A line of n entries goes one of three ways, which n alone decides:
 *
 *     direct     n small: a vector of lines at once through Stockham passes of radix 4, 2, 3, 5 ...
 *     split      n = n1 n2: columns of length n1, n roots of unity, rows of length n2 (Bailey); a
 *                pass over the line each, while a vector of columns or rows stays in cache
 *     Bluestein  n has a prime factor over 47: a circular convolution of a smooth length >= 2n - 1
 *
 * Source: Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7, 3.3, 4.2.3.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/compiler.h>

#include "host/cpu/cpu.h"
#include "host/fft_roots.h"
#include "host/fft_sweeps.h"
#include "host/internal.h"

enum {
    MAX_PASSES = 32,
    LARGEST_RADIX = GM_FFT_LARGEST_RADIX,
    VECTOR = 64,            /* bytes of the widest vector: every path's buffers have room for it */
    LEAST_PART = 6,         /* of a split line: fewer columns than that leave most lanes empty */
    LEAST_SPLIT = 64,       /* shorter lines are not worth two sweeps */
    TASK_ENTRIES = 8192,    /* about what a task of a thread transforms at least */
    GROUP_ENTRIES = 1 << 18 /* several axes: transforms that go through all of them together */
};

typedef enum line_method { METHOD_DIRECT, METHOD_SPLIT, METHOD_BLUESTEIN } line_method;

/* The plan's memory: blocks that go together. */
typedef struct memory_block {
    _Alignas(VECTOR) struct memory_block *next;
} memory_block;

/* bytes of 64-byte aligned zeros, VECTOR bytes more than asked for so that a vector may be read at
 * the last entry; NULL if there are none. */
static void *keep(memory_block **blocks, int64_t bytes) {
    const size_t size = sizeof(memory_block) + ((size_t)bytes + 2 * VECTOR - 1) / VECTOR * VECTOR;
    memory_block *block = aligned_alloc(VECTOR, size);
    if (block == NULL) {
        return NULL;
    }
    memset(block, 0, size);
    block->next = *blocks;
    *blocks = block;
    return block + 1;
}

static line_method method_of(int64_t n) {
    if (gm_fft_largest_factor(n) > LARGEST_RADIX) {
        return METHOD_BLUESTEIN;
    }
    return n >= LEAST_SPLIT && gm_fft_middle_divisor(n) >= LEAST_PART ? METHOD_SPLIT
                                                                      : METHOD_DIRECT;
}

/* The offsets of `count` lines from `first` on: one division for each axis, then an odometer. */
static void line_offsets(const gm_fft_line_set *set, int64_t first, int64_t count, int64_t *in,
                         int64_t *out) {
    int64_t index[GM_FFT_LINE_DIMS], from = set->in_base, to = set->out_base;
    for (int32_t d = set->dims - 1; d >= 0; --d) {
        index[d] = first % set->shape[d];
        first /= set->shape[d];
        from += index[d] * set->in[d];
        to += index[d] * set->out[d];
    }
    for (int64_t l = 0; l < count; ++l) {
        in[l] = from;
        out[l] = to;
        for (int32_t d = set->dims - 1; d >= 0; --d) {
            from += set->in[d];
            to += set->out[d];
            if (++index[d] < set->shape[d]) {
                break;
            }
            from -= set->shape[d] * set->in[d];
            to -= set->shape[d] * set->out[d];
            index[d] = 0;
        }
    }
}

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define REAL float
#define TYPE f32
#include "host/cpu/fft_type.inc"

#define REAL double
#define TYPE f64
#include "host/cpu/fft_type.inc"

gm_status gm_cpu_fft_prepare(gm_call *call, const struct gm_fft_problem *problem, void **state,
                             int64_t *workspace_bytes) {
    return problem->dtype == GM_F32 ? prepare_f32(call, problem, state, workspace_bytes)
                                    : prepare_f64(call, problem, state, workspace_bytes);
}

gm_status gm_cpu_fft_run(gm_call *call, const struct gm_fft_problem *problem, void *state,
                         const struct gm_fft_arrays *arrays) {
    return problem->dtype == GM_F32 ? run_f32(call, problem, state, arrays)
                                    : run_f64(call, problem, state, arrays);
}

/* Every type's state begins with its blocks, one of which is the state itself. */
void gm_cpu_fft_release(gm_call *call, void *state) {
    (void)call;
    memory_block *block = *(memory_block **)state;
    while (block != NULL) {
        memory_block *next = block->next;
        free(block);
        block = next;
    }
}
