/* Benchmarks of the tensor operations on a 4096 x 4096 matrix of f32, 64 MiB, larger than a cache.
 */
#include <stddef.h>
#include <stdlib.h>

#include "host/cli/bench.h"
#include "host/cli/tensor_case.h"

enum { SIDE = 4096 };

static gm_status setup(gm_context *context, void **state) {
    *state = calloc(1, sizeof(gm_tensor_operands));
    return *state == NULL ? GM_STATUS_OUT_OF_MEMORY
                          : gm_tensor_operands_make(context, GM_F32, SIDE, SIDE, *state);
}

static void teardown(gm_context *context, void *state) {
    if (state != NULL) {
        gm_tensor_operands_free(context, state);
    }
    free(state);
}

/* What one run must move: x in, and y out if that is what is written. */
#define DEFINE(name, written, call)                                                                \
    static gm_status run_##name(gm_context *context, void *state, int64_t round) {                 \
        (void)round;                                                                               \
        return gm_tensor_call_##name(context, state);                                              \
    }                                                                                              \
    static gm_status verify_##name(gm_context *reference, gm_context *context, void *state,        \
                                   gm_case_result *result) {                                       \
        result->bound = 0x1p-18;                                                                   \
        return gm_tensor_compare(reference, context, gm_tensor_call_##name, state,                 \
                                 offsetof(gm_tensor_operands, written), result);                   \
    }
GM_TENSOR_OPERATIONS(DEFINE)

#define MATRIX (4.0 * SIDE * SIDE)
#define ENTRY(name, written, call)                                                                 \
    {"tensor " #name,                                                                              \
     "f32",                                                                                        \
     "4096x4096",                                                                                  \
     setup,                                                                                        \
     run_##name,                                                                                   \
     verify_##name,                                                                                \
     teardown,                                                                                     \
     0,                                                                                            \
     offsetof(gm_tensor_operands, written) == offsetof(gm_tensor_operands, y) ? 2 * MATRIX         \
                                                                              : MATRIX,            \
     0,                                                                                            \
     NULL},
const gm_bench_case gm_tensor_bench[] = {GM_TENSOR_OPERATIONS(ENTRY)};
const int gm_tensor_bench_count = sizeof gm_tensor_bench / sizeof gm_tensor_bench[0];
