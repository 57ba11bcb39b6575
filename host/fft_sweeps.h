/*
 * What every backend with fast transforms shares: the lengths it may choose, and a transform over
 * several axes as sweeps, each along one axis of all lines. Read by the cpu backend and, as C++, by
 * the modules.
 */
#ifndef GENMATH_HOST_FFT_SWEEPS_H
#define GENMATH_HOST_FFT_SWEEPS_H

#include <stdbool.h>
#include <string.h>

#include "host/fft_args.h"

enum {
    GM_FFT_LARGEST_RADIX = 47, /* a larger prime factor needs Bluestein's chirp */
    GM_FFT_LINE_DIMS = GM_MAX_DIMS + GM_FFT_MAX_AXES
};

/* n's largest prime factor; 1 for n = 1. */
static inline int64_t gm_fft_largest_factor(int64_t n) {
    int64_t largest = 1;
    for (int64_t p = 2; p * p <= n; ++p) {
        for (; n % p == 0; n /= p) {
            largest = p;
        }
    }
    return n > 1 ? n : largest;
}

/* The largest divisor of n that is at most its root: 1 for a prime. */
static inline int64_t gm_fft_middle_divisor(int64_t n) {
    int64_t d = 1;
    while ((d + 1) * (d + 1) <= n) {
        ++d;
    }
    while (n % d != 0) {
        --d;
    }
    return d;
}

/* The least of `count` odd numbers times a power of two, from `least` on, that is at least n. */
static inline int64_t gm_fft_smooth_length(int64_t n, const int64_t *odd, int count,
                                           int64_t least) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < count; ++i) {
        int64_t length = odd[i] * least;
        while (length < n) {
            length *= 2;
        }
        best = length < best ? length : best;
    }
    return best;
}

/* A length whose circular convolution holds the chirp of a line of n. */
static inline int64_t gm_fft_bluestein_length(int64_t n) {
    static const int64_t odd[] = {1, 3, 5};
    return gm_fft_smooth_length(2 * n - 1, odd, 3, 32);
}

/* The lines of a call along one axis: line l has offsets of its own in both tensors. */
typedef struct gm_fft_line_set {
    int32_t dims;
    int64_t shape[GM_FFT_LINE_DIMS], in[GM_FFT_LINE_DIMS], out[GM_FFT_LINE_DIMS];
    int64_t in_base, out_base; /* of line 0 */
    int64_t in_step, out_step; /* from one entry of a line to the next */
    int64_t first, count;
} gm_fft_line_set;

/* One sweep along one axis. */
typedef struct gm_fft_sweep {
    int32_t axis;     /* of the plan */
    gm_fft_kind kind; /* of this sweep */
    double scale;
    const void *in;
    void *out;
    gm_fft_line_set lines;
} gm_fft_sweep;

typedef gm_status (*gm_fft_run_sweep)(void *context, const gm_fft_sweep *sweep);

/* The lines along axis a for transforms `begin` to `end` of the batch. The sizes of the other axes
 * of the plan are those of the side that is halved, if one is. */
static inline void gm_fft_set_lines(const gm_fft_problem *problem, const gm_fft_arrays *arrays,
                                    int32_t a, bool from_out, int64_t begin, int64_t end,
                                    gm_fft_line_set *set) {
    memset(set, 0, sizeof *set);
    set->in_step = from_out ? arrays->out_stride[a] : arrays->in_stride[a];
    set->out_step = arrays->out_stride[a];
    for (int32_t b = 0; b < arrays->batch_axes; ++b, ++set->dims) {
        set->shape[b] = arrays->batch_shape[b];
        set->in[b] = from_out ? arrays->batch_out[b] : arrays->batch_in[b];
        set->out[b] = arrays->batch_out[b];
    }
    const bool halved = gm_fft_complex_in(problem->kind) != gm_fft_complex_out(problem->kind);
    int64_t others = 1;
    for (int32_t b = 0; b < problem->axes; ++b) {
        if (b != a) {
            const bool half = halved && b == problem->axes - 1;
            const int32_t d = set->dims++;
            set->shape[d] = half ? gm_fft_half(problem->length[b]) : problem->length[b];
            set->in[d] = from_out ? arrays->out_stride[b] : arrays->in_stride[b];
            set->out[d] = arrays->out_stride[b];
            others *= set->shape[d];
        }
    }
    set->first = begin * others;
    set->count = (end - begin) * others;
}

/* The entries of one transform of COMPLEX_TO_REAL over several axes between its sweeps; 0 where
 * nothing lies between. */
static inline int64_t gm_fft_between(const gm_fft_problem *problem) {
    const int32_t last = problem->axes - 1;
    int64_t item = last > 0 && problem->kind == GM_FFT_COMPLEX_TO_REAL
                       ? gm_fft_half(problem->length[last])
                       : 0;
    for (int32_t a = 0; a < last; ++a) {
        item *= problem->length[a];
    }
    return item;
}

/* COMPLEX_TO_REAL over several axes: all but the last into an array of their own, then the last. */
static inline gm_status gm_fft_sweep_to_real(const gm_fft_problem *problem,
                                             const gm_fft_arrays *arrays, int64_t begin,
                                             int64_t end, void *between, gm_fft_run_sweep run,
                                             void *context) {
    const int32_t last = problem->axes - 1;
    gm_fft_arrays dense = *arrays, to_out = *arrays;
    int64_t item = 1;
    for (int32_t a = last; a >= 0; --a) {
        dense.out_stride[a] = item;
        item *= a == last ? gm_fft_half(problem->length[a]) : problem->length[a];
    }
    int64_t stride = item;
    for (int32_t b = arrays->batch_axes - 1; b >= 0; --b) {
        dense.batch_out[b] = stride;
        stride *= arrays->batch_shape[b];
    }
    gm_fft_sweep sweep;
    for (int32_t a = 0; a < last; ++a) {
        sweep.axis = a;
        sweep.kind = GM_FFT_INVERSE;
        sweep.scale = 1;
        sweep.in = a > 0 ? between : arrays->in;
        sweep.out = between;
        gm_fft_set_lines(problem, &dense, a, a > 0, begin, end, &sweep.lines);
        sweep.lines.in_base = a > 0 ? -begin * item : 0;
        sweep.lines.out_base = -begin * item;
        const gm_status status = run(context, &sweep);
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    memcpy(to_out.in_stride, dense.out_stride, sizeof to_out.in_stride);
    memcpy(to_out.batch_in, dense.batch_out, sizeof to_out.batch_in);
    sweep.axis = last;
    sweep.kind = GM_FFT_COMPLEX_TO_REAL;
    sweep.scale = problem->scale;
    sweep.in = between;
    sweep.out = arrays->out;
    gm_fft_set_lines(problem, &to_out, last, false, begin, end, &sweep.lines);
    sweep.lines.in_base = -begin * item;
    return run(context, &sweep);
}

/* A transform of the whole batch: `group` transforms at a time go through all axes together.
 * between: room for a group, where gm_fft_between says so. */
static inline gm_status gm_fft_each_sweep(const gm_fft_problem *problem,
                                          const gm_fft_arrays *arrays, int64_t group, void *between,
                                          gm_fft_run_sweep run, void *context) {
    const int32_t last = problem->axes - 1;
    const int64_t step = problem->axes > 1 ? group : arrays->batch;
    gm_status status = GM_STATUS_OK;
    for (int64_t begin = 0; begin < arrays->batch && status == GM_STATUS_OK; begin += step) {
        const int64_t end = arrays->batch - begin < step ? arrays->batch : begin + step;
        if (gm_fft_between(problem) > 0) {
            status = gm_fft_sweep_to_real(problem, arrays, begin, end, between, run, context);
            continue;
        }
        for (int32_t a = last; a >= 0 && status == GM_STATUS_OK; --a) {
            gm_fft_sweep sweep;
            sweep.axis = a;
            sweep.kind = problem->kind == GM_FFT_REAL_TO_COMPLEX && a < last ? GM_FFT_FORWARD
                                                                             : problem->kind;
            sweep.scale = a == 0 ? problem->scale : 1;
            sweep.in = a < last ? arrays->out : arrays->in;
            sweep.out = arrays->out;
            gm_fft_set_lines(problem, arrays, a, a < last, begin, end, &sweep.lines);
            status = run(context, &sweep);
        }
    }
    return status;
}

#endif
