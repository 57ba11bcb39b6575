/*
 * LU, Cholesky, solve, inverse and determinant of at most 8 x 8, real. A call of LAPACK for each
 * costs more than the arithmetic, so LANES problems run at once, a problem a lane of the vectors:
 * all loops over rows and columns are the same for all of them, and what differs, the pivots, is
 * chosen lane by lane with selections. A lane without a problem repeats the first of its group; no
 * operation mixes lanes, so a problem's bits do not hang on its neighbours.
 *
 * Condition numbers are those of the computed inverse, as the reference's are, not an estimate.
 */
#include "host/cpu/linalg_small.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <genmath/compiler.h>

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/linalg/host.h"

enum {
    MOST = 8, /* rows, and columns of a right-hand side */
    SQUARE = MOST * MOST,
    MOST_LANES = 16,
    TASK_ENTRIES = 1 << 15 /* of a run of groups: tens of microseconds */
};

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

/* Up to a vector of problems of a batch. */
typedef struct group {
    const gm_linalg_args *args;
    int64_t first;
    int count;
} group;

/* Where the problems of a group begin in a matrix's memory. */
static void find_problems(const group *g, const gm_linalg_matrix *m, int64_t at[MOST_LANES]) {
    const gm_linalg_args *args = g->args;
    at[0] = gm_linalg_offset(args, m, g->first);
    for (int l = 1; l < MOST_LANES; ++l) {
        at[l] = l >= g->count           ? at[0]
                : args->batch_axes == 1 ? at[l - 1] + m->batch_stride[0]
                                        : gm_linalg_offset(args, m, g->first + l);
    }
}

/* How the problems of a group went. */
typedef struct outcomes {
    bool outputs_hold; /* of those that are singular */
    gm_status status[MOST_LANES];
    double rcond[MOST_LANES], residual[MOST_LANES];
} outcomes;

static void report_numbers(const group *g, const gm_linalg_matrix *m, const double *numbers) {
    int64_t at[MOST_LANES];
    if (m->data == NULL) {
        return;
    }
    find_problems(g, m, at);
    for (int l = 0; l < g->count; ++l) {
        if (m->dtype == GM_F64) {
            ((double *)m->data)[at[l]] = numbers[l];
        } else {
            ((float *)m->data)[at[l]] = (float)numbers[l];
        }
    }
}

/* The report, and NaN in the outputs of problems that failed. */
static void report(const group *g, const outcomes *o) {
    const gm_linalg_args *args = g->args;
    report_numbers(g, &args->rcond, o->rcond);
    report_numbers(g, &args->residual, o->residual);
    if (args->status.data != NULL) {
        int64_t at[MOST_LANES];
        find_problems(g, &args->status, at);
        for (int l = 0; l < g->count; ++l) {
            ((int32_t *)args->status.data)[at[l]] = (int32_t)o->status[l];
        }
    }
    for (int l = 0; l < g->count; ++l) {
        if (o->status[l] != GM_STATUS_OK) {
            gm_linalg_outcome outcome = gm_linalg_failed(o->status[l]);
            if (o->status[l] == GM_STATUS_SINGULAR) {
                outcome.rcond = 0;
                outcome.outputs_hold = o->outputs_hold;
                outcome.residual = o->outputs_hold ? o->residual[l] : (double)NAN;
            }
            gm_linalg_finish(args, g->first + l, &outcome);
        }
    }
}

static void divide_lanes(int lanes, double *error, const double *scale) {
    for (int l = 0; l < lanes; ++l) {
        error[l] = scale[l] > 0 ? error[l] / scale[l] : 0;
    }
}

/* log |product|: mantissas and exponents apart, so that nothing is out of range and the logarithm
 * of a product of 1 is exactly 0. */
static double log_product(int n, const double *factors) {
    double product = 1;
    int exponents = 0, exponent;
    for (int i = 0; i < n; ++i) {
        product = frexp(product * fabs(factors[i]), &exponent);
        exponents += exponent;
    }
    if (product < 0.70710678118654752) { /* else up to sqrt(2) and down to sqrt(1/2) */
        product *= 2;
        exponents -= 1;
    }
    return log(product) + exponents * 0.69314718055994531;
}

typedef void (*run_group)(const group *g);

typedef struct kind_functions {
    int lanes;
    run_group lu, cholesky, solve, inverse, determinant;
} kind_functions;

/* The operations on registers that are no operators of C. */
#define GENERIC_CHOICE(yes, a, b) ((V)(((yes) & (ISA(bits))(a)) | (~(yes) & (ISA(bits))(b))))

#define FN(name) name##_f64
#define REAL double
#define REAL_MIN DBL_MIN
#define BITS int64_t
#define TYPED(name) name##_pd
#define CHOSEN_512 __mmask8
#define COMPARE_512 _mm512_cmp_pd_mask
#define ROOT_SCALAR sqrt
#define TURNED_256 _mm256_permute2f128_pd
#define TURN_LOW _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11)
#define TURN_HIGH _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15)
#include "host/cpu/linalg_small_type.inc"

#define FN(name) name##_f32
#define REAL float
#define REAL_MIN FLT_MIN
#define BITS int32_t
#define TYPED(name) name##_ps
#define CHOSEN_512 __mmask16
#define COMPARE_512 _mm512_cmp_ps_mask
#define ROOT_SCALAR sqrtf
#define TURNED_256 _mm256_permute2f128_ps
#define TURN_LOW _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define TURN_HIGH _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#include "host/cpu/linalg_small_type.inc"

/* ---- the batch ------------------------------------------------------------------------------- */

bool gm_cpu_linalg_small_suits(const gm_linalg_args *args) {
    const int64_t n = args->in[0].rows, k = args->in[1].columns;
    const bool square = n == args->in[0].columns && n >= 1 && n <= MOST;
    if (!square || (args->dtype != GM_F64 && args->dtype != GM_F32)) {
        return false;
    }
    switch (args->kind) {
    case GM_LINALG_LU:
    case GM_LINALG_CHOLESKY:
    case GM_LINALG_INVERSE:
    case GM_LINALG_DETERMINANT:
        return true;
    case GM_LINALG_SOLVE:
        return k >= 1 && k <= MOST;
    default:
        return false;
    }
}

typedef struct job {
    const gm_linalg_args *args;
    run_group run;
    int lanes;
    int64_t run_problems; /* of a task, a multiple of the lanes */
} job;

static void run_groups(void *argument, int64_t block, int32_t thread) {
    const job *j = argument;
    const int64_t first = block * j->run_problems;
    const int64_t last = first + j->run_problems;
    const int64_t end = last < j->args->problems ? last : j->args->problems;
    (void)thread;
    for (int64_t at = first; at < end; at += j->lanes) {
        const group g = {j->args, at, (int)(end - at < j->lanes ? end - at : j->lanes)};
        j->run(&g);
    }
}

static run_group function_of(const kind_functions *functions, gm_linalg_kind kind,
                             const char **name) {
    switch (kind) {
    case GM_LINALG_LU:
        *name = "linalg_lu_lanes";
        return functions->lu;
    case GM_LINALG_CHOLESKY:
        *name = "linalg_cholesky_lanes";
        return functions->cholesky;
    case GM_LINALG_SOLVE:
        *name = "linalg_solve_lanes";
        return functions->solve;
    case GM_LINALG_INVERSE:
        *name = "linalg_inverse_lanes";
        return functions->inverse;
    default:
        *name = "linalg_determinant_lanes";
        return functions->determinant;
    }
}

gm_status gm_cpu_linalg_small(gm_call *call, const gm_linalg_args *args) {
    const kind_functions *functions =
        args->dtype == GM_F64 ? functions_for_f64(call->isa) : functions_for_f32(call->isa);
    const int64_t entries = args->in[0].rows * args->in[0].rows;
    job j = {.args = args,
             .lanes = functions->lanes,
             .run_problems = TASK_ENTRIES / entries / MOST_LANES * MOST_LANES};
    j.run = function_of(functions, args->kind, &call->kernel);
    gm_parallel_for(call->pool, (args->problems + j.run_problems - 1) / j.run_problems, run_groups,
                    &j);
    return GM_STATUS_OK;
}
