/* Benchmarks of gm_importance_*: one problem of many samples, and many of few. */
#include "host/cli/bench.h"
#include "host/cli/importance_case.h"

typedef struct importance_state {
    importance_arrays arrays;
    int kind; /* 0: weigh, 1: resample, 2: draw */
    int64_t k, n;
} importance_state;

static gm_status open_kind(gm_context *context, const importance_state *s, importance_arrays *a) {
    return s->kind == 0 ? importance_weigh_open(context, GM_F64, s->k, s->n, a)
           : s->kind == 1
               ? importance_resample_open(context, GM_RESAMPLE_MULTINOMIAL, s->k, s->n, a)
               : importance_draw_open(context, gm_density_builtin("funnel"), GM_F32, s->k, s->n, a);
}

static gm_status run_kind(gm_context *context, int kind, importance_arrays *a) {
    return kind == 0   ? importance_weigh_run(context, a)
           : kind == 1 ? importance_resample_run(context, a)
                       : importance_draw_run(context, a);
}

static gm_status setup_importance(gm_context *context, int kind, int64_t k, int64_t n,
                                  void **state) {
    importance_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->kind = kind;
    made->k = k;
    made->n = n;
    return open_kind(context, made, &made->arrays);
}

static gm_status run_importance(gm_context *context, void *state, int64_t round) {
    (void)round;
    importance_state *s = state;
    return run_kind(context, s->kind, &s->arrays);
}

/* As the conformance cases. */
static gm_status verify_importance(gm_context *reference, gm_context *context, void *state,
                                   gm_case_result *result) {
    importance_state *s = state;
    importance_arrays expected = {0};
    gm_status status = open_kind(reference, s, &expected);
    status = status == GM_STATUS_OK ? run_kind(reference, s->kind, &expected) : status;
    for (int i = 0; i < 4 && status == GM_STATUS_OK && expected.out[i].data != NULL; ++i) {
        status =
            importance_compare(reference, &expected.out[i], context, &s->arrays.out[i], result);
    }
    result->bound = s->kind == 0   ? 64 * (double)(s->n + 16) * 0x1p-53
                    : s->kind == 1 ? 0
                                   : 64 * 0x1p-24;
    importance_close(reference, &expected);
    return status;
}

static void teardown_importance(gm_context *context, void *state) {
    importance_state *s = state;
    if (s != NULL) {
        importance_close(context, &s->arrays);
    }
    free(s);
}

/* name, kind, operation, dtype, shape, problems, samples, bytes of a sample */
#define BENCHES(X)                                                                                 \
    X(weigh_one, 0, "importance_weigh", "f64", "1 x n=1000000 functions=2", 1, 1000000, 40.0)      \
    X(weigh_many, 0, "importance_weigh", "f64", "1000 x n=1000 functions=2", 1000, 1000, 40.0)     \
    X(resample, 1, "importance_resample", "f64", "8 x n=100000", 8, 100000, 12.0)                  \
    X(draw, 2, "importance_draw funnel", "f32", "16 x n=65536", 16, 65536, 20.0)

#define DEFINE(name, kind, operation, dtype, shape, k, n, bytes)                                   \
    static gm_status setup_##name(gm_context *context, void **state) {                             \
        return setup_importance(context, kind, k, n, state);                                       \
    }
BENCHES(DEFINE)

#define ENTRY(name, kind, operation, dtype, shape, k, n, bytes)                                    \
    {operation,                                                                                    \
     dtype,                                                                                        \
     shape,                                                                                        \
     setup_##name,                                                                                 \
     run_importance,                                                                               \
     verify_importance,                                                                            \
     teardown_importance,                                                                          \
     0,                                                                                            \
     (bytes) * (k) * (n),                                                                          \
     1.0 * (k) * (n),                                                                              \
     "samples"},
const gm_bench_case gm_importance_bench[] = {BENCHES(ENTRY)};
const int gm_importance_bench_count = sizeof gm_importance_bench / sizeof gm_importance_bench[0];
