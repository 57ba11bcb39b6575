/*
 * Circulant and Toeplitz products and convolutions through transforms: groups of problems, padded
 * to a length whose circular convolution has no wrapped term among the results that are kept, are
 * transformed, multiplied, transformed back and cut out. A kernel that all problems share is
 * transformed once.
 */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/structured_args.h"

enum { GROUP_ENTRIES = 1 << 17 };

typedef struct structured_state {
    gm_fft_problem forward, inverse;
    void *forward_state, *inverse_state;
    int64_t length;     /* of the transforms */
    int64_t spectrum;   /* entries of one */
    int64_t group;      /* problems at once */
    int64_t fft_bytes;  /* workspace of either transform */
    int64_t line_bytes; /* of padded lines of a group, and of their spectra */
    int64_t spectrum_bytes;
} structured_state;

/* A step over the problems of a group: a row each. */
typedef struct step_job {
    const gm_structured_problem *problem;
    const structured_state *state;
    const gm_structured_call *call;
    int64_t first;  /* problem of row 0 */
    int64_t shared; /* 1: row 0 of the kernel's spectra serves all */
    char *lines;
    void *spectra, *kernels;
} step_job;

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define REAL float
#define TYPE f32
#define EPSILON FLT_EPSILON
#include "host/cpu/structured_type.inc"

#define REAL double
#define TYPE f64
#define EPSILON DBL_EPSILON
#include "host/cpu/structured_type.inc"

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t rounded(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

gm_status gm_cpu_structured_prepare(gm_call *call, const struct gm_structured_problem *problem,
                                    void **state, int64_t *workspace_bytes) {
    structured_state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = s;
    const int complex_lines = problem->is_complex;
    const int64_t size = problem->real == GM_F64 ? 8 : 4;
    s->length = gm_structured_length(problem);
    s->spectrum = complex_lines ? s->length : gm_fft_half(s->length);
    s->group = largest(1, GROUP_ENTRIES / s->length);
    gm_structured_transforms(problem, &s->forward, &s->inverse);
    int64_t forward_bytes, inverse_bytes;
    gm_status status = gm_cpu_fft_prepare(call, &s->forward, &s->forward_state, &forward_bytes);
    if (status == GM_STATUS_OK) {
        status = gm_cpu_fft_prepare(call, &s->inverse, &s->inverse_state, &inverse_bytes);
    }
    if (status != GM_STATUS_OK) {
        return status; /* the caller releases the state */
    }
    s->fft_bytes = rounded(largest(forward_bytes, inverse_bytes));
    s->line_bytes = rounded(s->group * s->length * size * (complex_lines ? 2 : 1));
    s->spectrum_bytes = rounded(s->group * s->spectrum * size * 2);
    *workspace_bytes = s->fft_bytes + s->line_bytes + 2 * s->spectrum_bytes;
    return GM_STATUS_OK;
}

void gm_cpu_structured_release(gm_call *call, void *state) {
    structured_state *s = state;
    if (s->forward_state != NULL) {
        gm_cpu_fft_release(call, s->forward_state);
    }
    if (s->inverse_state != NULL) {
        gm_cpu_fft_release(call, s->inverse_state);
    }
    free(s);
}

/* `rows` transforms between dense arrays. */
static void transform(gm_call *call, const structured_state *s, bool forward, int64_t rows,
                      const void *in, void *out, void *workspace) {
    const gm_fft_arrays arrays = {.in = in,
                                  .out = out,
                                  .workspace = workspace,
                                  .in_stride = {1},
                                  .out_stride = {1},
                                  .batch = rows,
                                  .batch_axes = 1,
                                  .batch_shape = {rows},
                                  .batch_in = {forward ? s->length : s->spectrum},
                                  .batch_out = {forward ? s->spectrum : s->length}};
    (void)gm_cpu_fft_run(call, forward ? &s->forward : &s->inverse,
                         forward ? s->forward_state : s->inverse_state, &arrays);
}

gm_status gm_cpu_structured_run(gm_call *call, const struct gm_structured_problem *problem,
                                void *state, const struct gm_structured_call *c) {
    const structured_state *s = state;
    const bool f32 = problem->real == GM_F32;
    char *workspace = c->workspace;
    step_job job = {.problem = problem, .state = s, .call = c};
    job.lines = workspace + s->fft_bytes;
    job.spectra = job.lines + s->line_bytes;
    job.kernels = (char *)job.spectra + s->spectrum_bytes;
    job.shared = c->kernel.stride[0] == 0 && (c->row.data == NULL || c->row.stride[0] == 0) &&
                 problem->kind != GM_CIRCULANT_EIGENVALUES;
    for (job.first = 0; job.first < c->batch; job.first += s->group) {
        const int64_t rows = c->batch - job.first < s->group ? c->batch - job.first : s->group;
        if (!job.shared || job.first == 0) {
            const int64_t kernels = job.shared ? 1 : rows;
            gm_parallel_for(call->pool, kernels, f32 ? pad_kernel_f32 : pad_kernel_f64, &job);
            transform(call, s, true, kernels, job.lines, job.kernels, workspace);
        }
        if (problem->kind == GM_CIRCULANT_EIGENVALUES) {
            gm_parallel_for(call->pool, rows, f32 ? eigenvalues_f32 : eigenvalues_f64, &job);
            continue;
        }
        gm_parallel_for(call->pool, rows, f32 ? pad_x_f32 : pad_x_f64, &job);
        transform(call, s, true, rows, job.lines, job.spectra, workspace);
        gm_parallel_for(call->pool, rows, f32 ? multiply_f32 : multiply_f64, &job);
        transform(call, s, false, rows, job.spectra, job.lines, workspace);
        gm_parallel_for(call->pool, rows, f32 ? cut_f32 : cut_f64, &job);
    }
    call->kernel = "structured_fft";
    return GM_STATUS_OK;
}
