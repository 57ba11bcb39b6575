/*
 * Benchmarks of grouped contractions, each beside the same problems by a call of gm_contract a
 * problem: experts with uneven numbers of tokens, and thousands of tiny nets of several widths.
 */
#include <math.h>
#include <stdlib.h>

#include "host/cli/bench.h"
#include "host/cli/ensemble_case.h"
#include "host/cli/group_case.h"

enum { EXPERTS = 32, DEEP = 256, WIDE = 512, TOKENS = 1563, NETS = 14000, CHECKED = 8 };

/* 0 to 90 tokens, 1563 of them. */
static gm_group_sizes expert(int64_t p) {
    return (gm_group_sizes){p * p * 37 % 97, DEEP, WIDE};
}

/* Widths 3 to 16, a thousand nets each. */
static gm_group_sizes net(int64_t p) {
    const int64_t width = 3 + p % 14;
    return (gm_group_sizes){width, width, width};
}

static gm_status setup(gm_context *context, gm_dtype dtype, int64_t problems,
                       gm_group_sizes (*sizes)(int64_t), void **state) {
    gm_group_case *made = calloc(1, sizeof *made);
    *state = made;
    return made == NULL ? GM_STATUS_OUT_OF_MEMORY
                        : gm_group_make(context, dtype, dtype, NULL, problems, sizes, false, made);
}

static gm_status run_group(gm_context *context, void *state, int64_t round) {
    const gm_group_case *g = state;
    (void)context;
    (void)round;
    return gm_contract_group_execute(g->plan);
}

static gm_status run_calls(gm_context *context, void *state, int64_t round) {
    const gm_group_case *g = state;
    gm_status status = GM_STATUS_OK;
    (void)round;
    for (int64_t p = 0; p < g->problems && status == GM_STATUS_OK; ++p) {
        status = gm_contract(context, "ij,jk->ik", 2, &g->inputs[2 * p], &g->outputs[p]);
    }
    return status;
}

static void teardown(gm_context *context, void *state) {
    if (state != NULL) {
        gm_group_drop(context, state);
        free(state);
    }
}

/* A buffer on the host, and the view of a problem's part there. */
static gm_status bring(gm_context *context, const gm_tensor *buffer, void **host) {
    *host = malloc((size_t)buffer->shape[0] * gm_dtype_size(buffer->dtype));
    return *host != NULL ? gm_case_download(context, buffer, *host) : GM_STATUS_OUT_OF_MEMORY;
}

static gm_tensor view_at(const gm_tensor *view, const gm_tensor *buffer, void *host) {
    gm_tensor there = *view;
    there.data = (char *)host + ((const char *)view->data - (const char *)buffer->data);
    return there;
}

static double number(const gm_tensor *t, int64_t i) {
    return t->dtype == GM_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

static gm_status compare(gm_context *reference, const gm_group_case *g, void *const hosts[3],
                         int64_t p, gm_case_result *result) {
    const gm_tensor inputs[] = {view_at(&g->inputs[2 * p], &g->a, hosts[0]),
                                view_at(&g->inputs[2 * p + 1], &g->b, hosts[1])};
    const gm_tensor got = view_at(&g->outputs[p], &g->d, hosts[2]);
    gm_tensor expected = {0};
    gm_status status = gm_case_alloc(reference, got.dtype, got.ndim, got.shape, &expected);
    status =
        status == GM_STATUS_OK ? gm_contract(reference, "ij,jk->ik", 2, inputs, &expected) : status;
    for (int64_t i = 0; status == GM_STATUS_OK && i < got.shape[0] * got.shape[1]; ++i) {
        const double error = fabs(number(&got, i) - number(&expected, i)) /
                             (case_unit(got.dtype) * ((double)inputs[0].shape[1] + 3));
        result->error = error <= result->error ? result->error : error; /* a NaN stays */
    }
    gm_case_free(reference, &expected);
    return status;
}

/* Operands are in [-2, 2]: an error is at most 4 u (K + 3) K, and rarely above 4 u (K + 3). */
static gm_status verify(gm_context *reference, gm_context *context, void *state,
                        gm_case_result *result) {
    const gm_group_case *g = state;
    const gm_tensor *buffers[] = {&g->a, &g->b, &g->d};
    void *hosts[3] = {NULL};
    gm_status status = GM_STATUS_OK;
    result->bound = 64;
    for (int i = 0; i < 3 && status == GM_STATUS_OK; ++i) {
        status = bring(context, buffers[i], &hosts[i]);
    }
    for (int64_t i = 0; i < CHECKED && status == GM_STATUS_OK; ++i) {
        status = compare(reference, g, hosts, g->problems * i / CHECKED + i % 5, result);
    }
    for (int i = 0; i < 3; ++i) {
        free(hosts[i]);
    }
    return status;
}

/* The sum of 3^3 .. 16^3 is 18487, that of 3^2 .. 16^2 is 1491. */
#define GROUPS(X)                                                                                  \
    X(experts, "experts", "32 of 0 to 90 x 256 x 512", EXPERTS, expert,                            \
      2.0 * TOKENS * DEEP * WIDE, 31.0 * DEEP * WIDE + (double)TOKENS * (DEEP + WIDE))             \
    X(nets, "tiny nets", "14000 of 3 to 16 square", NETS, net, 2.0 * 18487 * 1000,                 \
      3.0 * 1491 * 1000)

#define DEFINE_TYPE(name, type, TYPE, problems, sizes)                                             \
    static gm_status setup_##name##_##type(gm_context *context, void **state) {                    \
        return setup(context, TYPE, problems, sizes, state);                                       \
    }
#define DEFINE(name, operation, shape, problems, sizes, flops, elements)                           \
    DEFINE_TYPE(name, f64, GM_F64, problems, sizes)                                                \
    DEFINE_TYPE(name, f32, GM_F32, problems, sizes)
GROUPS(DEFINE)

#define ENTRY_TYPE(operation, type, shape, setup_it, run_it, flops, bytes)                         \
    {operation, type, shape, setup_it, run_it, verify, teardown, flops, bytes, 0, NULL},
#define ENTRY(name, operation, shape, problems, sizes, flops, elements)                            \
    ENTRY_TYPE("contract group " operation, "f64", shape, setup_##name##_f64, run_group, flops,    \
               8 * (elements))                                                                     \
    ENTRY_TYPE("contract a call each " operation, "f64", shape, setup_##name##_f64, run_calls,     \
               flops, 8 * (elements))                                                              \
    ENTRY_TYPE("contract group " operation, "f32", shape, setup_##name##_f32, run_group, flops,    \
               4 * (elements))                                                                     \
    ENTRY_TYPE("contract a call each " operation, "f32", shape, setup_##name##_f32, run_calls,     \
               flops, 4 * (elements))
const gm_bench_case gm_contract_group_bench[] = {GROUPS(ENTRY)};
const int gm_contract_group_bench_count =
    sizeof gm_contract_group_bench / sizeof gm_contract_group_bench[0];
