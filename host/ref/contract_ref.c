/*
 * Contractions: nested loops over the output's labels, then over the labels summed, products from
 * the first operand to the last. Sums are in double (complex in two), of integers modulo 2^32.
 */
#include <stdbool.h>

#include "host/contract_args.h"
#include "host/contract_epilogue.h"
#include "host/ref/half.h"
#include "host/ref/ref.h"

typedef struct complex_number {
    double real, imaginary;
} complex_number;

/* A sum; with `lost`, what rounding took from it is kept beside it (Neumaier, ZAMM 54, 1974). */
typedef struct sum {
    double total, lost;
} sum;

static void add(sum *s, double x, gm_contract_math math) {
    const double total = s->total + x;
    if (math == GM_CONTRACT_COMPENSATED) {
        s->lost +=
            gm_abs_f64(s->total) >= gm_abs_f64(x) ? (s->total - total) + x : (x - total) + s->total;
    }
    s->total = total;
}

/* Of an infinite total the loss is a NaN. */
static double value_of(const sum *s) {
    return gm_abs_f64(s->total) < GM_INF_F64 ? s->total + s->lost : s->total;
}

static complex_number load(const void *data, gm_dtype dtype, int64_t at) {
    complex_number x = {0, 0};
    switch (dtype) {
    case GM_F64:
        x.real = ((const double *)data)[at];
        break;
    case GM_F32:
        x.real = (double)((const float *)data)[at];
        break;
    case GM_F16:
        x.real = gm_half_value(((const uint16_t *)data)[at]);
        break;
    case GM_BF16:
        x.real = gm_bfloat_value(((const uint16_t *)data)[at]);
        break;
    case GM_C64:
        x.real = (double)((const float *)data)[2 * at];
        x.imaginary = (double)((const float *)data)[2 * at + 1];
        break;
    default: /* C128 */
        x.real = ((const double *)data)[2 * at];
        x.imaginary = ((const double *)data)[2 * at + 1];
        break;
    }
    return x;
}

static void store(void *data, gm_dtype dtype, int64_t at, complex_number x) {
    switch (dtype) {
    case GM_F64:
        ((double *)data)[at] = x.real;
        break;
    case GM_F32:
        ((float *)data)[at] = (float)x.real;
        break;
    case GM_F16:
        ((uint16_t *)data)[at] = gm_half_from(x.real);
        break;
    case GM_BF16:
        ((uint16_t *)data)[at] = gm_bfloat_from(x.real);
        break;
    case GM_C64:
        ((float *)data)[2 * at] = (float)x.real;
        ((float *)data)[2 * at + 1] = (float)x.imaginary;
        break;
    default: /* C128 */
        ((double *)data)[2 * at] = x.real;
        ((double *)data)[2 * at + 1] = x.imaginary;
        break;
    }
}

static complex_number product(complex_number x, complex_number y) {
    return (complex_number){x.real * y.real - x.imaginary * y.imaginary,
                            x.real * y.imaginary + x.imaginary * y.real};
}

/* The next value of the labels first .. first + count - 1, the last one fastest; false after the
 * last. */
static bool next(const gm_contract_direct *e, int32_t first, int32_t count, int64_t *index) {
    for (int32_t l = first + count - 1; l >= first; --l) {
        if (++index[l] < e->extent[l]) {
            return true;
        }
        index[l] = 0;
    }
    return false;
}

static int64_t offset(const int64_t *stride, const int64_t *index, int32_t labels) {
    int64_t at = 0;
    for (int32_t l = 0; l < labels; ++l) {
        at += stride[l] * index[l];
    }
    return at;
}

static bool has_summands(const gm_contract_direct *e) {
    for (int32_t l = e->outputs; l < e->outputs + e->sums; ++l) {
        if (e->extent[l] == 0) {
            return false;
        }
    }
    return true;
}

static complex_number sum_products(const gm_contract_direct *e, int64_t *index) {
    const bool is_complex = e->input == GM_C64 || e->input == GM_C128;
    const int32_t labels = e->outputs + e->sums;
    sum real = {0, 0}, imaginary = {0, 0};
    if (!has_summands(e)) {
        return (complex_number){0, 0};
    }
    do {
        complex_number x = load(e->inputs[0], e->input, offset(e->stride[0], index, labels));
        for (int32_t i = 1; i < e->operands; ++i) {
            const complex_number y =
                load(e->inputs[i], e->input, offset(e->stride[i], index, labels));
            x = is_complex ? product(x, y) : (complex_number){x.real * y.real, 0};
        }
        add(&real, x.real, e->math);
        add(&imaginary, x.imaginary, e->math);
    } while (next(e, e->outputs, e->sums, index));
    return (complex_number){value_of(&real), value_of(&imaginary)};
}

/* Everything after the sum. `number` is the element's in row-major order. */
static complex_number finish(const gm_contract_direct *e, const int64_t *index, uint64_t number,
                             complex_number x) {
    const gm_contract_scale *s = &e->scale;
    const bool is_complex = e->output == GM_C64 || e->output == GM_C128;
    x = is_complex ? product((complex_number){s->alpha, s->alpha_imaginary}, x)
                   : (complex_number){s->alpha * x.real, 0};
    if (e->c != NULL) {
        const complex_number c = load(e->c, e->output, offset(e->c_stride, index, e->outputs));
        const complex_number term = is_complex
                                        ? product((complex_number){s->beta, s->beta_imaginary}, c)
                                        : (complex_number){s->beta * c.real, 0};
        x.real += term.real;
        x.imaginary += term.imaginary;
    }
    if (e->bias != NULL) {
        x.real += load(e->bias, e->output, offset(e->bias_stride, index, e->outputs)).real;
    }
    x.real = gm_contract_activate_f64((int)e->activation, x.real);
    if (e->sample != 0) {
        const uint64_t at = e->first + number;
        x.real = e->output == GM_F64 ? gm_contract_sample_f64(e->seed, at, x.real)
                                     : (double)gm_contract_sample_f32(e->seed, at, (float)x.real);
    }
    return x;
}

static uint32_t load_integer(const void *data, gm_dtype dtype, int64_t at) {
    return dtype == GM_I8 ? (uint32_t)(int32_t)((const int8_t *)data)[at]
                          : ((const uint32_t *)data)[at];
}

static void contract_integers(const gm_contract_direct *e, int64_t *index) {
    const int32_t labels = e->outputs + e->sums;
    uint32_t total = 0;
    if (has_summands(e)) {
        do {
            uint32_t x = 1;
            for (int32_t i = 0; i < e->operands; ++i) {
                x *= load_integer(e->inputs[i], e->input, offset(e->stride[i], index, labels));
            }
            total += x;
        } while (next(e, e->outputs, e->sums, index));
    }
    total *= (uint32_t)(int32_t)e->scale.alpha;
    if (e->c != NULL) {
        total += (uint32_t)(int32_t)e->scale.beta *
                 load_integer(e->c, GM_I32, offset(e->c_stride, index, e->outputs));
    }
    ((uint32_t *)e->d)[offset(e->d_stride, index, e->outputs)] = total;
}

gm_status gm_ref_contract_direct(gm_call *call, const gm_contract_direct *expression) {
    const gm_contract_direct *e = expression;
    int64_t index[GM_MAX_LABELS] = {0};
    uint64_t number = 0;
    do {
        if (e->output == GM_I32) {
            contract_integers(e, index);
        } else {
            const complex_number x = finish(e, index, number, sum_products(e, index));
            store(e->d, e->output, offset(e->d_stride, index, e->outputs), x);
        }
        ++number;
    } while (next(e, 0, e->outputs, index));
    call->kernel = gm_ref_contract_kernel(0);
    return GM_STATUS_OK;
}

const char *gm_ref_contract_kernel(int32_t row) {
    return row == 0 ? "contract_ref" : NULL;
}
