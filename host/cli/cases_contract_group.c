/*
 * Conformance cases of grouped contractions: problems around every tile, empty ones among them. The
 * bound of an element is that of a sum, u (K + 3) sum |a| |b| + the rounding of the result;
 * integers must agree in every bit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/cli/ensemble_case.h"
#include "host/cli/group_case.h"
#include "host/cli/number_case.h"

/* ---- a group, also for benchmarks ------------------------------------------------------------ */

static gm_status make_operand(gm_context *context, gm_dtype dtype, int64_t elements, uint64_t seed,
                              bool magnitudes, gm_tensor *tensor) {
    unsigned char *host = malloc(((size_t)elements + 1) * gm_dtype_size(dtype));
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < elements; ++i) {
        const double x = case_random(&seed, -2, 2);
        case_set_number(host, dtype, i, magnitudes ? fabs(x) : x);
    }
    const gm_status status = gm_case_upload(context, host, dtype, 1, &elements, tensor);
    free(host);
    return status;
}

static void *element_at(const gm_tensor *tensor, int64_t at) {
    return (char *)tensor->data + at * (int64_t)gm_dtype_size(tensor->dtype);
}

static void place(gm_group_case *g, gm_group_sizes (*sizes)(int64_t)) {
    int64_t a = 0, b = 0, d = 0;
    for (int64_t p = 0; p < g->problems; ++p) {
        const gm_group_sizes s = sizes(p);
        gm_tensor *inputs = &g->inputs[2 * p];
        inputs[0] = gm_tensor_2d(element_at(&g->a, a), g->a.dtype, s.rows, s.sum);
        inputs[1] = gm_tensor_2d(element_at(&g->b, b), g->b.dtype, s.sum, s.columns);
        g->outputs[p] = gm_tensor_2d(element_at(&g->d, d), g->d.dtype, s.rows, s.columns);
        g->input_data[2 * p] = inputs[0].data;
        g->input_data[2 * p + 1] = inputs[1].data;
        g->output_data[p] = g->outputs[p].data;
        a += s.rows * s.sum;
        b += s.sum * s.columns;
        d += s.rows * s.columns;
    }
}

static gm_status plan_and_bind(gm_context *context, const gm_contract_group_options *options,
                               gm_group_case *g) {
    const gm_contract_group group = {.operands = 2,
                                     .problems = g->problems,
                                     .layouts = g->problems,
                                     .inputs = g->inputs,
                                     .outputs = g->outputs};
    const gm_contract_group_arrays arrays = {.inputs = g->input_data, .outputs = g->output_data};
    gm_status status =
        gm_contract_group_plan_create(context, "ij,jk->ik", &group, options, &g->plan);
    const size_t bytes = gm_contract_group_workspace(g->plan);
    status = status == GM_STATUS_OK ? gm_memory_alloc(context, bytes, &g->workspace) : status;
    return status == GM_STATUS_OK ? gm_contract_group_bind(g->plan, &arrays, g->workspace, bytes)
                                  : status;
}

gm_status gm_group_make(gm_context *context, gm_dtype input, gm_dtype output,
                        const gm_contract_group_options *options, int64_t problems,
                        gm_group_sizes (*sizes)(int64_t problem), bool magnitudes,
                        gm_group_case *out) {
    int64_t a = 0, b = 0, d = 0;
    *out = (gm_group_case){.problems = problems};
    for (int64_t p = 0; p < problems; ++p) {
        const gm_group_sizes s = sizes(p);
        a += s.rows * s.sum;
        b += s.sum * s.columns;
        d += s.rows * s.columns;
    }
    out->inputs = calloc(2 * (size_t)problems, sizeof *out->inputs);
    out->outputs = calloc((size_t)problems, sizeof *out->outputs);
    out->input_data = calloc(2 * (size_t)problems, sizeof *out->input_data);
    out->output_data = calloc((size_t)problems, sizeof *out->output_data);
    if (out->inputs == NULL || out->outputs == NULL || out->input_data == NULL ||
        out->output_data == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    gm_status status = make_operand(context, input, a, 81, magnitudes, &out->a);
    status =
        status == GM_STATUS_OK ? make_operand(context, input, b, 82, magnitudes, &out->b) : status;
    status = status == GM_STATUS_OK ? gm_case_alloc(context, output, 1, &d, &out->d) : status;
    if (status != GM_STATUS_OK) {
        return status;
    }
    place(out, sizes);
    return plan_and_bind(context, options, out);
}

void gm_group_drop(gm_context *context, gm_group_case *group) {
    gm_contract_group_plan_destroy(group->plan);
    gm_memory_free(context, group->workspace);
    gm_case_free(context, &group->a);
    gm_case_free(context, &group->b);
    gm_case_free(context, &group->d);
    free(group->inputs);
    free(group->outputs);
    free(group->input_data);
    free(group->output_data);
    *group = (gm_group_case){.problems = 0};
}

/* ---- cases ----------------------------------------------------------------------------------- */

enum { PROBLEMS = 12 };

static gm_group_sizes sizes_of(int64_t p) {
    static const gm_group_sizes sizes[PROBLEMS] = {
        {67, 131, 61}, {3, 3, 3},  {0, 9, 4},      {129, 64, 130}, {32, 32, 32}, {1, 700, 5},
        {5, 0, 6},     {33, 1, 2}, {128, 128, 64}, {16, 4, 33},    {8, 8, 8},    {2, 31, 65}};
    return sizes[p];
}

typedef struct group_type {
    gm_dtype input, output;
    gm_contract_math math;
    double unit, result_unit; /* of the sums, of the result */
} group_type;

/* Runs the group and brings the output, of *elements, to the host, to be freed. */
static gm_status run_group(gm_context *context, const group_type *type, bool magnitudes,
                           void **host, int64_t *elements) {
    const gm_contract_group_options options = {.math = type->math};
    gm_group_case group;
    gm_status status = gm_group_make(context, type->input, type->output, &options, PROBLEMS,
                                     sizes_of, magnitudes, &group);
    status = status == GM_STATUS_OK ? gm_contract_group_execute(group.plan) : status;
    *host = NULL;
    if (status == GM_STATUS_OK) {
        *elements = group.d.shape[0];
        *host = malloc((size_t)*elements * gm_dtype_size(type->output));
        status =
            *host != NULL ? gm_case_download(context, &group.d, *host) : GM_STATUS_OUT_OF_MEMORY;
    }
    gm_group_drop(context, &group);
    return status;
}

static void compare(const group_type *type, const void *expected, const void *got,
                    const void *magnitude, gm_case_result *result) {
    int64_t i = 0;
    for (int64_t p = 0; p < PROBLEMS; ++p) {
        const gm_group_sizes s = sizes_of(p);
        const double relative = type->unit * ((double)s.sum + 3) + 2 * type->result_unit;
        for (int64_t e = 0; e < s.rows * s.columns; ++e, ++i) {
            const double difference =
                fabs(case_number(expected, type->output, i) - case_number(got, type->output, i));
            const double scale = relative * case_number(magnitude, type->output, i);
            const double error = difference == 0 ? 0 : difference / scale;
            if (!(error <= result->error)) {
                result->error = error;
                snprintf(result->detail, sizeof result->detail,
                         "element %lld of problem %lld is %.9g, the reference has %.9g",
                         (long long)e, (long long)p, case_number(got, type->output, i),
                         case_number(expected, type->output, i));
            }
        }
    }
}

static gm_status run_case(gm_context *reference, gm_context *subject, const group_type *type,
                          gm_case_result *result) {
    void *expected = NULL, *got = NULL, *magnitude = NULL;
    int64_t elements = 0;
    gm_status status = run_group(subject, type, false, &got, &elements);
    snprintf(result->kernel, sizeof result->kernel, "%s", gm_last_kernel(subject));
    if (status == GM_STATUS_OK) {
        status = run_group(reference, type, false, &expected, &elements);
    }
    if (status == GM_STATUS_OK && type->output == GM_I32) {
        result->error = (double)gm_case_bit_differences(4, expected, got, elements, NULL);
    } else if (status == GM_STATUS_OK) {
        result->bound = 1;
        status = run_group(reference, type, true, &magnitude, &elements);
        if (status == GM_STATUS_OK) {
            compare(type, expected, got, magnitude, result);
        }
    }
    free(expected);
    free(got);
    free(magnitude);
    return status;
}

/* name, input, output, arithmetic, unit of the sums, of the result */
#define TYPES(X)                                                                                   \
    X(f64, GM_F64, GM_F64, STANDARD, 0x1p-53, 0x1p-53)                                             \
    X(f32, GM_F32, GM_F32, STANDARD, 0x1p-24, 0x1p-24)                                             \
    X(compensated, GM_F32, GM_F32, COMPENSATED, 0x1p-24, 0x1p-24)                                  \
    X(f16, GM_F16, GM_F16, STANDARD, 0x1p-24, 0x1p-11)                                             \
    X(bf16, GM_BF16, GM_F32, STANDARD, 0x1p-24, 0x1p-24)                                           \
    X(i8, GM_I8, GM_I32, STANDARD, 0, 0)                                                           \
    X(i32, GM_I32, GM_I32, STANDARD, 0, 0)

#define DEFINE(name, input, output, math, unit, result_unit)                                       \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        const group_type type = {input, output, GM_CONTRACT_##math, unit, result_unit};            \
        return run_case(reference, subject, &type, result);                                        \
    }
TYPES(DEFINE)

#define ENTRY(name, input, output, math, unit, result_unit)                                        \
    {"contract_group/" #name "/products", run_##name},
const gm_case gm_contract_group_cases[] = {TYPES(ENTRY)};
const int gm_contract_group_cases_count =
    sizeof gm_contract_group_cases / sizeof gm_contract_group_cases[0];
