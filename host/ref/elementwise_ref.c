/* gm_map, gm_combine: element by element, computed in double by the C library's functions. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/cast.h"
#include "host/elementwise_args.h"
#include "host/ref/element.h"
#include "host/ref/ref.h"

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double map(gm_map_operation operation, double x) {
    switch (operation) {
    case GM_MAP_NEGATE:
        return -x;
    case GM_MAP_ABS:
        return fabs(x);
    case GM_MAP_SQUARE:
        return x * x;
    case GM_MAP_SQRT:
        return sqrt(x);
    case GM_MAP_RSQRT:
        return 1 / sqrt(x);
    case GM_MAP_RECIPROCAL:
        return 1 / x;
    case GM_MAP_EXP:
        return exp(x);
    case GM_MAP_LOG:
        return log(x);
    case GM_MAP_TANH:
        return tanh(x);
    case GM_MAP_SIGMOID:
        return sigmoid(x);
    case GM_MAP_RELU:
        return x < 0 ? 0 : x;
    case GM_MAP_SILU: /* 0 is the limit where x is -infinity */
        return x == -INFINITY ? -0.0 : x * sigmoid(x);
    case GM_MAP_GELU: /* x/2 (1 + tanh(z)) = x sigmoid(2 z) */
        return x == -INFINITY
                   ? -0.0
                   : x * sigmoid(sqrt(8 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case GM_MAP_SIN:
        return sin(x);
    case GM_MAP_COS:
        return cos(x);
    default:
        return x;
    }
}

static double combine(gm_combine_operation operation, double a, double b) {
    switch (operation) {
    case GM_COMBINE_ADD:
        return a + b;
    case GM_COMBINE_SUBTRACT:
        return a - b;
    case GM_COMBINE_MULTIPLY:
        return a * b;
    case GM_COMBINE_DIVIDE:
        return a / b;
    case GM_COMBINE_MINIMUM:
        return a < b || isnan(a) ? a : b;
    case GM_COMBINE_MAXIMUM:
        return a > b || isnan(a) ? a : b;
    default:
        return pow(a, b);
    }
}

static void copy(const gm_elementwise_args *args, int64_t from, int64_t to) {
    if (args->dtype == args->out_dtype) {
        const size_t size = gm_dtype_size(args->dtype);
        memmove((char *)args->out + to * (int64_t)size,
                (const char *)args->in[0] + from * (int64_t)size, size);
    } else {
        gm_number_store(gm_number_load(args->in[0], args->dtype, from), args->dtype, args->out,
                        args->out_dtype, to);
    }
}

gm_status gm_ref_elementwise(gm_call *call, const gm_elementwise_args *args) {
    const bool plain_copy = args->operands == 1 && args->operation == GM_MAP_COPY && !args->scaled;
    call->kernel = args->operands == 1 ? "map_ref" : "combine_ref";
    for (int64_t e = 0; e < args->layout.elements; ++e) {
        const int64_t to = gm_layout_offset(&args->layout, 0, e);
        const int64_t from = gm_layout_offset(&args->layout, 1, e);
        if (plain_copy) {
            copy(args, from, to);
            continue;
        }
        const double a = gm_load_element(args->in[0], args->dtype, from);
        double y = args->operands == 1
                       ? map((gm_map_operation)args->operation, a)
                       : combine((gm_combine_operation)args->operation, a,
                                 gm_load_element(args->in[1], args->dtype,
                                                 gm_layout_offset(&args->layout, 2, e)));
        if (args->scaled) {
            y *= args->alpha;
            y += args->beta == 0 ? 0 : args->beta * gm_load_element(args->out, args->dtype, to);
        }
        gm_store_element(args->out, args->dtype, to, y);
    }
    return GM_STATUS_OK;
}
