/*
 * Contractions on threads and vectors: the table of kernels, scanned from the top. The last row
 * runs everything.
 *
 * f32 with TF32 or TF32X3 asked for runs in full single precision, which is at least as accurate:
 * a CPU has nothing faster.
 */
#include <stddef.h>
#include <string.h>

#include "host/cpu/contract_kernel.h"
#include "host/cpu/cpu.h"
#include "host/internal.h"

static bool is_compensated(const gm_contraction *x) {
    return x->math == GM_CONTRACT_COMPENSATED && (x->input == GM_F64 || x->input == GM_F32);
}

static bool is_standard(const gm_contraction *x) {
    return !is_compensated(x);
}

const gm_contract_row gm_contract_rows[] = {
    {"compensated", is_compensated, is_compensated, gm_contract_gett_workspace,
     gm_contract_gett_run, gm_contract_gett_blocks, gm_contract_gett_some},
    {"small", gm_contract_small_suits, gm_contract_small_can_run, gm_contract_small_workspace,
     gm_contract_small_run, gm_contract_small_blocks, gm_contract_small_some},
    {"direct", gm_contract_direct_suits, gm_contract_direct_can_run, gm_contract_direct_workspace,
     gm_contract_direct_run, gm_contract_direct_blocks, gm_contract_direct_some},
    {"gett", is_standard, is_standard, gm_contract_gett_workspace, gm_contract_gett_run,
     gm_contract_gett_blocks, gm_contract_gett_some},
};
enum { ROWS = sizeof gm_contract_rows / sizeof gm_contract_rows[0] };

const char *gm_cpu_contract_kernel(int32_t row) {
    return row >= 0 && row < ROWS ? gm_contract_rows[row].name : NULL;
}

gm_status gm_cpu_contract_choose(gm_call *call, const gm_contraction *contraction,
                                 const char *kernel, gm_contract_choice *choice) {
    const int32_t threads = gm_pool_threads(call->pool);
    bool known = false;
    for (int32_t i = 0; i < ROWS; ++i) {
        const gm_contract_row *row = &gm_contract_rows[i];
        const bool named = kernel != NULL && strcmp(kernel, row->name) == 0;
        known = known || named;
        if ((kernel == NULL ? row->suits(contraction) : named) && row->can_run(contraction)) {
            choice->row = i;
            choice->kernel = row->name;
            choice->workspace = row->workspace(call->isa, contraction, threads);
            return GM_STATUS_OK;
        }
    }
    return known ? gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                                "kernel \"%s\" cannot run this contraction", kernel)
                 : gm_call_fail(call, GM_STATUS_UNSUPPORTED, "cpu has no kernel \"%s\"", kernel);
}

gm_status gm_cpu_contract_run(gm_call *call, const gm_contraction *contraction, int32_t row,
                              const gm_contract_arrays *arrays) {
    call->kernel = gm_contract_rows[row].name;
    gm_contract_rows[row].run(call, contraction, arrays);
    return GM_STATUS_OK;
}

const gm_contract_kernel *gm_contract_kernel_for(gm_isa isa, const gm_contraction *x) {
    const bool single = x->input == GM_F64 || x->input == GM_C128;
    const gm_contract_kernel *const *table = gm_kernel_f32;
    if (x->output == GM_I32) {
        table = gm_kernel_i32;
    } else if (x->math == GM_CONTRACT_COMPENSATED) {
        table = single ? gm_kernel_compensated_f64 : gm_kernel_compensated_f32;
    } else if (single) {
        table = gm_kernel_f64;
    }
    const int index = isa == GM_ISA_AVX512 ? 2 : isa == GM_ISA_AVX2 ? 1 : 0;
    return table[index] != NULL ? table[index] : table[0];
}

bool gm_contract_is_plain(const gm_contraction *x, const gm_contract_arrays *arrays) {
    return arrays->scale.alpha == 1 &&
           (!gm_is_complex(x->output) || arrays->scale.alpha_imaginary == 0) && arrays->c == NULL &&
           !x->has_bias && !x->sample && x->activation == GM_ACTIVATION_NONE;
}

const gm_contraction *gm_contract_problem_of(const gm_contract_some *some, int64_t block,
                                             gm_contraction *own, gm_contract_arrays *arrays) {
    const gm_group_problem *problem = &some->problem[block / some->blocks];
    *arrays = problem->arrays;
    arrays->workspace = some->workspace;
    if (!some->x->sample) {
        return some->x;
    }
    *own = *some->x;
    own->first = problem->first;
    return own;
}

/* ---- offsets over several modes ----------------------------------------------------------------
 */

gm_mode gm_contract_position(const gm_mode *modes, int32_t count, int64_t index) {
    gm_mode at = {0};
    for (int32_t i = count - 1; i >= 0; --i) {
        const gm_mode *mode = &modes[i];
        const int64_t here = index % mode->extent;
        index /= mode->extent;
        at.a += here * mode->a;
        at.b += here * mode->b;
        at.c += here * mode->c;
        at.d += here * mode->d;
        at.bias += here * mode->bias;
        at.index += here * mode->index;
    }
    return at;
}

static void fill_run(int64_t *to, int64_t start, int64_t step, int64_t n) {
    for (int64_t i = 0; to != NULL && i < n; ++i) {
        to[i] = start + i * step;
    }
}

static int64_t *behind(int64_t *array, int64_t n) {
    return array == NULL ? NULL : array + n;
}

void gm_contract_offsets(const gm_mode *modes, int32_t count, int64_t first, int64_t n,
                         const gm_offsets *out) {
    const gm_mode still = {.extent = INT64_MAX};
    const gm_mode *inner = count > 0 ? &modes[count - 1] : &still;
    for (int64_t done = 0; done < n;) {
        const int64_t index = first + done, left = inner->extent - index % inner->extent;
        const int64_t run = gm_min(left, n - done);
        const gm_mode at = gm_contract_position(modes, count, index);
        fill_run(behind(out->a, done), at.a, inner->a, run);
        fill_run(behind(out->b, done), at.b, inner->b, run);
        fill_run(behind(out->c, done), at.c, inner->c, run);
        fill_run(behind(out->d, done), at.d, inner->d, run);
        fill_run(behind(out->bias, done), at.bias, inner->bias, run);
        fill_run(behind(out->index, done), at.index, inner->index, run);
        done += run;
    }
}
