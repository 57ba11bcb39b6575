/*
 * The oracle of gm_fft_execute: the sums of the header, one output after the other, in double. The
 * roots of unity are those of j k mod n, so no argument is large, and the sums are compensated
 * (Knuth's two-sum), so that an error of n terms is not n times that of one.
 */
#include <math.h>
#include <stdlib.h>

#include "host/fft_args.h"
#include "host/ref/ref.h"

typedef struct axis_table {
    int64_t period;        /* n, or 4n for a cosine transform */
    double *cosine, *sine; /* of 2 pi m / period */
} axis_table;

typedef struct fft_state {
    axis_table axes[GM_FFT_MAX_AXES];
    int64_t item;    /* entries of one transform, the last axis whole */
    int64_t longest; /* axis */
} fft_state;

typedef struct value {
    double re, im;
} value;

/* cos and sin of 2 pi m / n, 0 <= m < n, from an argument of at most pi/4. */
static void root(int64_t m, int64_t n, double *cosine, double *sine) {
    const int64_t octant = 8 * m / n;
    const int64_t quarter = (octant + 1) / 2; /* the nearest multiple of pi/2 */
    const double angle = (double)(4 * m - quarter * n) / (double)(2 * n) * acos(-1.0);
    const double c = cos(angle), s = sin(angle);
    *cosine = quarter % 4 == 0 ? c : quarter % 4 == 1 ? -s : quarter % 4 == 2 ? -c : s;
    *sine = quarter % 4 == 0 ? s : quarter % 4 == 1 ? c : quarter % 4 == 2 ? -s : -c;
}

static int is_cosine(gm_fft_kind kind) {
    return kind == GM_FFT_DCT2 || kind == GM_FFT_DCT3;
}

static gm_status make_table(gm_call *call, axis_table *table, int64_t period) {
    table->period = period;
    table->cosine = malloc((size_t)(period > 0 ? period : 1) * sizeof(double));
    table->sine = malloc((size_t)(period > 0 ? period : 1) * sizeof(double));
    if (table->cosine == NULL || table->sine == NULL) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for %lld roots of unity",
                            (long long)period);
    }
    for (int64_t m = 0; m < period; ++m) {
        root(m, period, &table->cosine[m], &table->sine[m]);
    }
    return GM_STATUS_OK;
}

gm_status gm_ref_fft_prepare(gm_call *call, const struct gm_fft_problem *problem, void **state,
                             int64_t *workspace_bytes) {
    fft_state *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = made;
    made->item = 1;
    for (int32_t a = 0; a < problem->axes; ++a) {
        const int64_t n = problem->length[a];
        made->item *= n;
        made->longest = n > made->longest ? n : made->longest;
        const gm_status status =
            make_table(call, &made->axes[a], is_cosine(problem->kind) ? 4 * n : n);
        if (status != GM_STATUS_OK) {
            return status; /* the caller releases the state */
        }
    }
    const int64_t bytes = (made->item + 2 * made->longest) * (int64_t)sizeof(value);
    *workspace_bytes = (bytes + 63) / 64 * 64;
    return GM_STATUS_OK;
}

void gm_ref_fft_release(gm_call *call, void *state) {
    fft_state *s = state;
    (void)call;
    for (int a = 0; a < GM_FFT_MAX_AXES; ++a) {
        free(s->axes[a].cosine);
        free(s->axes[a].sine);
    }
    free(s);
}

/* sum + correction is the sum of everything added, rounded about once. */
typedef struct accumulator {
    double sum, correction;
} accumulator;

static void add(accumulator *a, double term) {
    const double sum = a->sum + term, part = sum - a->sum;
    a->correction += (a->sum - (sum - part)) + (term - part);
    a->sum = sum;
}

/* An infinite sum has no correction that means anything. */
static double total(const accumulator *a) {
    return isfinite(a->sum) ? a->sum + a->correction : a->sum;
}

/* X_k = sum_j x_j exp(sign 2 pi i j k / n). */
static void fourier(const axis_table *table, int sign, int64_t n, const value *x, value *out) {
    for (int64_t k = 0; k < n; ++k) {
        accumulator re = {0, 0}, im = {0, 0};
        int64_t m = 0; /* j k mod n */
        for (int64_t j = 0; j < n; ++j) {
            const double c = table->cosine[m], s = sign * table->sine[m];
            add(&re, x[j].re * c);
            add(&re, -(x[j].im * s));
            add(&im, x[j].re * s);
            add(&im, x[j].im * c);
            m = m + k < n ? m + k : m + k - n;
        }
        out[k] = (value){total(&re), total(&im)};
    }
}

/* y_k = 2 sum_j x_j cos(pi k (2j + 1) / 2n). */
static void cosine2(const axis_table *table, int ortho, int64_t n, const value *x, value *out) {
    for (int64_t k = 0; k < n; ++k) {
        accumulator sum = {0, 0};
        for (int64_t j = 0; j < n; ++j) {
            add(&sum, 2 * x[j].re * table->cosine[k * (2 * j + 1) % (4 * n)]);
        }
        out[k] = (value){total(&sum) * (ortho && k == 0 ? sqrt(0.5) : 1), 0};
    }
}

/* x_j = y_0 + 2 sum_{k > 0} y_k cos(pi k (2j + 1) / 2n). */
static void cosine3(const axis_table *table, int ortho, int64_t n, const value *y, value *out) {
    for (int64_t j = 0; j < n; ++j) {
        accumulator sum = {0, 0};
        add(&sum, y[0].re * (ortho ? sqrt(2.0) : 1));
        for (int64_t k = 1; k < n; ++k) {
            add(&sum, 2 * y[k].re * table->cosine[k * (2 * j + 1) % (4 * n)]);
        }
        out[j] = (value){total(&sum), 0};
    }
}

/* The half that a real result makes the conjugate of the other. */
static void complete_half(int64_t n, value *x) {
    x[0].im = 0;
    for (int64_t k = 1; k <= n / 2; ++k) {
        x[n - k] = 2 * k == n ? (value){x[k].re, 0} : (value){x[k].re, -x[k].im};
    }
}

/* The transform along axis a of an item whose last axis is whole. */
static void transform_axis(const gm_fft_problem *p, const fft_state *s, int32_t a, value *item) {
    value *line = item + s->item, *out = line + s->longest;
    const int64_t n = p->length[a];
    int64_t inner = 1;
    for (int32_t b = a + 1; b < p->axes; ++b) {
        inner *= p->length[b];
    }
    for (int64_t l = 0; l < s->item / n; ++l) {
        value *first = item + l / inner * inner * n + l % inner;
        for (int64_t j = 0; j < n; ++j) {
            line[j] = first[j * inner];
        }
        if (p->kind == GM_FFT_DCT2) {
            cosine2(&s->axes[a], p->ortho, n, line, out);
        } else if (p->kind == GM_FFT_DCT3) {
            cosine3(&s->axes[a], p->ortho, n, line, out);
        } else {
            if (p->kind == GM_FFT_COMPLEX_TO_REAL && a == p->axes - 1) {
                complete_half(n, line);
            }
            fourier(&s->axes[a], gm_fft_inverse(p->kind) ? 1 : -1, n, line, out);
        }
        for (int64_t j = 0; j < n; ++j) {
            first[j * inner] = out[j];
        }
    }
}

static value load(gm_dtype dtype, int is_complex, const void *data, int64_t at) {
    const int64_t i = is_complex ? 2 * at : at;
    if (dtype == GM_F64) {
        const double *x = data;
        return (value){x[i], is_complex ? x[i + 1] : 0};
    }
    const float *x = data;
    return (value){x[i], is_complex ? x[i + 1] : 0};
}

static void store(gm_dtype dtype, int is_complex, void *data, int64_t at, value v) {
    const int64_t i = is_complex ? 2 * at : at;
    if (dtype == GM_F64) {
        double *x = data;
        x[i] = v.re;
        if (is_complex) {
            x[i + 1] = v.im;
        }
    } else {
        float *x = data;
        x[i] = (float)v.re;
        if (is_complex) {
            x[i + 1] = (float)v.im;
        }
    }
}

/*
 * The offset of entry e of an item, whose last axis is whole, in a tensor with these strides; false
 * if the tensor holds half of the last axis and not this entry.
 */
static int entry_offset(const gm_fft_problem *p, const int64_t *stride, int halved, int64_t e,
                        int64_t *offset) {
    *offset = 0;
    for (int32_t a = p->axes - 1; a >= 0; --a) {
        const int64_t i = e % p->length[a];
        e /= p->length[a];
        if (halved && a == p->axes - 1 && i >= gm_fft_half(p->length[a])) {
            return 0;
        }
        *offset += i * stride[a];
    }
    return 1;
}

gm_status gm_ref_fft_run(gm_call *call, const struct gm_fft_problem *problem, void *state,
                         const struct gm_fft_arrays *arrays) {
    const fft_state *s = state;
    value *item = arrays->workspace;
    const int c_in = gm_fft_complex_in(problem->kind), c_out = gm_fft_complex_out(problem->kind);
    call->kernel = "fft_ref";
    for (int64_t b = 0; b < arrays->batch; ++b) {
        int64_t from = 0, to = 0, rest = b, at;
        for (int32_t axis = arrays->batch_axes - 1; axis >= 0; --axis) {
            from += rest % arrays->batch_shape[axis] * arrays->batch_in[axis];
            to += rest % arrays->batch_shape[axis] * arrays->batch_out[axis];
            rest /= arrays->batch_shape[axis];
        }
        for (int64_t e = 0; e < s->item; ++e) {
            const int there = entry_offset(problem, arrays->in_stride, c_in && !c_out, e, &at);
            item[e] = there ? load(problem->dtype, c_in, arrays->in, from + at) : (value){0, 0};
        }
        for (int32_t i = 0; i < problem->axes; ++i) {
            /* Forward the real axis comes first, inverse last. */
            const int32_t a = gm_fft_inverse(problem->kind) ? i : problem->axes - 1 - i;
            transform_axis(problem, s, a, item);
        }
        for (int64_t e = 0; e < s->item; ++e) {
            const value v = {item[e].re * problem->scale, item[e].im * problem->scale};
            if (entry_offset(problem, arrays->out_stride, c_out && !c_in, e, &at)) {
                store(problem->dtype, c_out, arrays->out, to + at, v);
            }
        }
    }
    return GM_STATUS_OK;
}
