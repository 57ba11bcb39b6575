/* matrix_function.h: checks and dispatch. */
#include <genmath/matrix_function.h>

#include <math.h>

#include "host/linalg/check.h"

static gm_status open_square(gm_context *context, gm_linalg_kind kind, double t, const gm_tensor *a,
                             int32_t core, gm_linalg_args *args) {
    GM_TRY(gm_linalg_open(context, kind, a, core, args));
    GM_TRY(gm_linalg_square(context, args));
    GM_CHECK(context, isfinite(t), GM_STATUS_INVALID_ARGUMENT, "%s = %g: must be finite",
             kind == GM_LINALG_MAGNUS ? "h" : "t", t);
    args->t = t;
    return GM_STATUS_OK;
}

/* One square result of the sizes of a. */
static gm_status run_square(gm_context *context, gm_linalg_args *args, const gm_tensor *a,
                            const gm_tensor *out, const gm_linalg_report *report,
                            gm_workspace *workspace) {
    const int64_t n = args->in[0].rows;
    const gm_linalg_operand operands[] = {
        {"out", out, &args->out[0], 2, {n, n}, "the sizes of a", .needed = true},
    };
    return gm_linalg_run(context, args, a, operands, 1, report, 0, workspace);
}

gm_status gm_linalg_exp(gm_context *context, double t, const gm_tensor *a, const gm_tensor *out,
                        const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(open_square(context, GM_LINALG_EXP, t, a, 2, &args));
    return run_square(context, &args, a, out, report, workspace);
}

gm_status gm_linalg_power(gm_context *context, int64_t power, const gm_tensor *a,
                          const gm_tensor *out, const gm_linalg_report *report,
                          gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(open_square(context, GM_LINALG_POWER, 0, a, 2, &args));
    args.power = power;
    return run_square(context, &args, a, out, report, workspace);
}

gm_status gm_linalg_magnus(gm_context *context, double h, const gm_tensor *a, const gm_tensor *out,
                           const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(open_square(context, GM_LINALG_MAGNUS, h, a, 4, &args));
    GM_CHECK(context, args.in[0].extra[1] == 1 || args.in[0].extra[1] == 2,
             GM_STATUS_SHAPE_MISMATCH, "a has %lld samples in a step: must be 1 or 2",
             (long long)args.in[0].extra[1]);
    return run_square(context, &args, a, out, report, workspace);
}

gm_status gm_linalg_exp_apply(gm_context *context, double t, const gm_tensor *a, const gm_tensor *b,
                              const gm_tensor *out, const gm_linalg_report *report,
                              gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(open_square(context, GM_LINALG_EXP_APPLY, t, a, 2, &args));
    const int64_t n = args.in[0].rows, k = gm_linalg_axis(b, -1);
    GM_CHECK(context, k <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
             "b has %lld columns: at most %d", (long long)k, GM_LINALG_MAX_SIZE);
    const gm_linalg_operand operands[] = {
        {"b", b, &args.in[1], 2, {n, k}, "the rows of a", .input = true, .needed = true},
        {"out", out, &args.out[0], 2, {n, k}, "the sizes of b", .needed = true},
    };
    return gm_linalg_run(context, &args, a, operands, 2, report, 0, workspace);
}

gm_status gm_linalg_phi(gm_context *context, double t, const gm_tensor *a, const gm_tensor *out,
                        const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(open_square(context, GM_LINALG_PHI, t, a, 2, &args));
    const int64_t n = args.in[0].rows, count = gm_linalg_axis(out, -3);
    GM_CHECK(context, out == NULL || (count >= 1 && count <= GM_LINALG_MAX_PHI + 1),
             GM_STATUS_SHAPE_MISMATCH, "out holds %lld functions: must be 1 to %d",
             (long long)count, GM_LINALG_MAX_PHI + 1);
    GM_CHECK(context, n * count <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
             "%lld functions of %lld rows: the product must be at most %d", (long long)count,
             (long long)n, GM_LINALG_MAX_SIZE);
    const gm_linalg_operand operands[] = {
        {"out", out, &args.out[0], 3, {n, n}, "the sizes of a", .needed = true},
    };
    return gm_linalg_run(context, &args, a, operands, 1, report, 0, workspace);
}

gm_status gm_linalg_magnus_times(double t0, double t1, int64_t steps, int32_t samples,
                                 double *times) {
    GM_CHECK(NULL, times != NULL, GM_STATUS_INVALID_ARGUMENT, "times is NULL");
    GM_CHECK(NULL, isfinite(t0) && isfinite(t1) && isfinite(t1 - t0), GM_STATUS_INVALID_ARGUMENT,
             "t0 = %g, t1 = %g: must be finite", t0, t1);
    GM_CHECK(NULL, steps >= 1, GM_STATUS_INVALID_ARGUMENT, "steps = %lld: must be 1 or more",
             (long long)steps);
    GM_CHECK(NULL, samples == 1 || samples == 2, GM_STATUS_INVALID_ARGUMENT,
             "samples = %d: must be 1 or 2", (int)samples);
    const double h = (t1 - t0) / (double)steps;
    for (int64_t k = 0; k < steps; ++k) {
        const double middle = t0 + ((double)k + 0.5) * h, away = sqrt(3) / 6 * h;
        if (samples == 1) {
            times[k] = middle;
        } else {
            times[2 * k] = middle - away;
            times[2 * k + 1] = middle + away;
        }
    }
    return GM_STATUS_OK;
}
