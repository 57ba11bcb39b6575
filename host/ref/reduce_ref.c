/* gm_reduce, gm_softmax: the formulas of reduce.h, element by element, accumulated in double. */
#include <math.h>

#include "host/reduce_args.h"
#include "host/ref/element.h"
#include "host/ref/ref.h"

/* Element k of a row. */
static double element(const gm_reduce_args *args, int64_t row, int64_t k) {
    return gm_load_element(args->in, args->dtype,
                           gm_layout_offset(&args->outer, 0, row) +
                               gm_layout_offset(&args->inner, 0, k));
}

/* The sum of f(x_k - p) over a row. */
static double sum(const gm_reduce_args *args, int64_t row, double p, double (*f)(double)) {
    double total = 0;
    for (int64_t k = 0; k < args->inner.elements; ++k) {
        total += f(element(args, row, k) - p);
    }
    return total;
}

static double same(double x) {
    return x;
}

static double square(double x) {
    return x * x;
}

static double product(const gm_reduce_args *args, int64_t row) {
    double total = 1;
    for (int64_t k = 0; k < args->inner.elements; ++k) {
        total *= element(args, row, k);
    }
    return total;
}

/* The first index of the largest sign * x, or of a NaN. */
static int64_t arg_largest(const gm_reduce_args *args, int64_t row, double sign) {
    int64_t at = 0;
    for (int64_t k = 1; k < args->inner.elements; ++k) {
        const double best = sign * element(args, row, at), x = sign * element(args, row, k);
        if (!isnan(best) && (isnan(x) || x > best)) {
            at = k;
        }
    }
    return at;
}

static double largest_magnitude(const gm_reduce_args *args, int64_t row) {
    double largest = 0;
    for (int64_t k = 0; k < args->inner.elements; ++k) {
        const double x = fabs(element(args, row, k));
        largest = isnan(largest) || x <= largest ? largest : x;
    }
    return largest;
}

static double maximum(const gm_reduce_args *args, int64_t row) {
    return element(args, row, arg_largest(args, row, 1));
}

/* sum exp((x - m) / t) */
static double sum_of_weights(const gm_reduce_args *args, int64_t row, double m) {
    double total = 0;
    for (int64_t k = 0; k < args->inner.elements; ++k) {
        total += exp((element(args, row, k) - m) * args->scale);
    }
    return total;
}

static double log_sum_exp(const gm_reduce_args *args, int64_t row) {
    if (args->inner.elements == 0) {
        return -INFINITY;
    }
    const double m = maximum(args, row);
    return isfinite(m) ? m + log(sum_of_weights(args, row, m)) : m;
}

/* Scaled by a power of two, so that no square overflows or underflows. */
static double norm2(const gm_reduce_args *args, int64_t row) {
    const double largest = largest_magnitude(args, row);
    if (largest == 0 || !isfinite(largest)) {
        return largest;
    }
    int exponent;
    frexp(largest, &exponent);
    double total = 0;
    for (int64_t k = 0; k < args->inner.elements; ++k) {
        total += square(ldexp(element(args, row, k), -exponent));
    }
    return ldexp(sqrt(total), exponent);
}

static double variance(const gm_reduce_args *args, int64_t row) {
    const int64_t n = args->inner.elements;
    if (n <= args->unbiased) {
        return NAN;
    }
    /* The rounding of a large mean is taken out again: the corrected two-pass formula. */
    const double mean = sum(args, row, 0, same) / (double)n, rest = sum(args, row, mean, same);
    return (sum(args, row, mean, square) - rest * rest / (double)n) / (double)(n - args->unbiased);
}

static double reduce_row(const gm_reduce_args *args, int64_t row) {
    switch (args->reduction) {
    case GM_REDUCE_SUM:
        return sum(args, row, 0, same);
    case GM_REDUCE_MEAN:
        return sum(args, row, 0, same) / (double)args->inner.elements;
    case GM_REDUCE_PRODUCT:
        return product(args, row);
    case GM_REDUCE_MAX:
        return maximum(args, row) + 0;
    case GM_REDUCE_MIN:
        return -(-element(args, row, arg_largest(args, row, -1)) + 0);
    case GM_REDUCE_LOGSUMEXP:
        return log_sum_exp(args, row);
    case GM_REDUCE_NORM1:
        return sum(args, row, 0, fabs);
    case GM_REDUCE_NORM2:
        return norm2(args, row);
    case GM_REDUCE_NORM_INF:
        return largest_magnitude(args, row);
    default:
        return variance(args, row);
    }
}

gm_status gm_ref_reduce(gm_call *call, const gm_reduce_args *args) {
    for (int64_t row = 0; row < args->outer.elements; ++row) {
        const int64_t to = gm_layout_offset(&args->outer, 1, row);
        if (args->reduction == GM_REDUCE_ARGMAX || args->reduction == GM_REDUCE_ARGMIN) {
            ((int64_t *)args->out)[to] =
                arg_largest(args, row, args->reduction == GM_REDUCE_ARGMAX ? 1 : -1);
        } else {
            gm_store_element(args->out, args->out_dtype, to, reduce_row(args, row));
        }
    }
    call->kernel = "reduce_ref";
    return GM_STATUS_OK;
}

gm_status gm_ref_softmax(gm_call *call, const gm_reduce_args *args) {
    for (int64_t row = 0; row < args->outer.elements; ++row) {
        const double m = maximum(args, row), total = sum_of_weights(args, row, m);
        for (int64_t k = 0; k < args->inner.elements; ++k) {
            const double x = (element(args, row, k) - m) * args->scale;
            const int64_t to =
                gm_layout_offset(&args->outer, 1, row) + gm_layout_offset(&args->inner, 1, k);
            gm_store_element(args->out, args->dtype, to,
                             args->logarithm ? x - log(total) : exp(x) / total);
        }
    }
    call->kernel = args->logarithm ? "log_softmax_ref" : "softmax_ref";
    return GM_STATUS_OK;
}
