/* linalg.h: checks and dispatch of factorizations, solves, inverses, determinants. */
#include <genmath/linalg.h>

#include "host/linalg/check.h"

enum { BOTH = GM_LINALG_RCOND | GM_LINALG_RESIDUAL };

gm_status gm_linalg_lu(gm_context *context, const gm_tensor *a, const gm_tensor *lu,
                       const gm_tensor *permutation, const gm_linalg_report *report,
                       gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_LU, a, 2, &args));
    const int64_t m = args.in[0].rows, n = args.in[0].columns;
    const gm_linalg_operand operands[] = {
        {"lu", lu, &args.out[0], 2, {m, n}, "the sizes of a", .number = GM_LINALG_SAME},
        {"permutation",
         permutation,
         &args.out[1],
         1,
         {m},
         "the rows of a",
         .number = GM_LINALG_INTEGER},
    };
    return gm_linalg_run(context, &args, a, operands, 2, report, m == n ? BOTH : GM_LINALG_RESIDUAL,
                         workspace);
}

gm_status gm_linalg_cholesky(gm_context *context, const gm_tensor *a, const gm_tensor *l,
                             const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_CHOLESKY, a, 2, &args));
    GM_TRY(gm_linalg_square(context, &args));
    const int64_t n = args.in[0].rows;
    const gm_linalg_operand operands[] = {
        {"l", l, &args.out[0], 2, {n, n}, "the sizes of a", .number = GM_LINALG_SAME},
    };
    return gm_linalg_run(context, &args, a, operands, 1, report, BOTH, workspace);
}

gm_status gm_linalg_qr(gm_context *context, const gm_tensor *a, const gm_tensor *q,
                       const gm_tensor *r, const gm_linalg_report *report,
                       gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_QR, a, 2, &args));
    const int64_t m = args.in[0].rows, n = args.in[0].columns, least = m < n ? m : n;
    const bool complete = q != NULL ? gm_linalg_axis(q, -1) == m : gm_linalg_axis(r, -2) == m;
    const int64_t k = complete ? m : least;
    const gm_linalg_operand operands[] = {
        {"q", q, &args.out[0], 2, {m, k}, "rows of a x min(m, n), or m", .number = GM_LINALG_SAME},
        {"r", r, &args.out[1], 2, {k, n}, "columns of q x columns of a", .number = GM_LINALG_SAME},
    };
    const int reported = (m >= n ? GM_LINALG_RCOND : 0) | (q != NULL ? GM_LINALG_RESIDUAL : 0);
    return gm_linalg_run(context, &args, a, operands, 2, report, reported, workspace);
}

/* A X = B and its relatives: a, b and x. */
static gm_status solve(gm_context *context, gm_linalg_args *args, const gm_tensor *a,
                       const gm_tensor *b, const gm_tensor *x, const gm_linalg_report *report,
                       gm_workspace *workspace) {
    GM_TRY(gm_linalg_square(context, args));
    GM_CHECK(context, gm_linalg_axis(b, -1) <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
             "b has %lld columns: at most %d", (long long)gm_linalg_axis(b, -1),
             GM_LINALG_MAX_SIZE);
    const int64_t n = args->in[0].rows, k = gm_linalg_axis(b, -1);
    const gm_linalg_operand operands[] = {
        {"b", b, &args->in[1], 2, {n, k}, "the rows of a", .input = true, .needed = true},
        {"x", x, &args->out[0], 2, {n, k}, "the sizes of b", .number = GM_LINALG_SAME},
    };
    return gm_linalg_run(context, args, a, operands, 2, report, BOTH, workspace);
}

gm_status gm_linalg_solve(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                          const gm_tensor *x, const gm_linalg_report *report,
                          gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_SOLVE, a, 2, &args));
    return solve(context, &args, a, b, x, report, workspace);
}

gm_status gm_linalg_triangular_solve(gm_context *context, const gm_triangular_options *options,
                                     const gm_tensor *a, const gm_tensor *b, const gm_tensor *x,
                                     const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_TRIANGULAR_SOLVE, a, 2, &args));
    if (options != NULL) {
        GM_CHECK(context, (unsigned)options->transpose <= GM_TRANSPOSE_CONJUGATE,
                 GM_STATUS_INVALID_ARGUMENT, "options.transpose = %d is not a transpose",
                 (int)options->transpose);
        GM_CHECK(context, (unsigned)options->upper <= 1 && (unsigned)options->unit_diagonal <= 1,
                 GM_STATUS_INVALID_ARGUMENT,
                 "options.upper = %d, options.unit_diagonal = %d: must be 0 or 1",
                 (int)options->upper, (int)options->unit_diagonal);
        args.triangle = *options;
    }
    return solve(context, &args, a, b, x, report, workspace);
}

gm_status gm_linalg_inverse(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                            const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_INVERSE, a, 2, &args));
    GM_TRY(gm_linalg_square(context, &args));
    const int64_t n = args.in[0].rows;
    const gm_linalg_operand operands[] = {
        {"out", out, &args.out[0], 2, {n, n}, "the sizes of a", .number = GM_LINALG_SAME},
    };
    return gm_linalg_run(context, &args, a, operands, 1, report, BOTH, workspace);
}

gm_status gm_linalg_determinant(gm_context *context, const gm_tensor *a,
                                const gm_determinant_result *result, const gm_linalg_report *report,
                                gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_DETERMINANT, a, 2, &args));
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    GM_TRY(gm_linalg_square(context, &args));
    const gm_linalg_operand operands[] = {
        {"result.det", result->det, &args.out[0], .number = GM_LINALG_SAME},
        {"result.sign", result->sign, &args.out[1], .number = GM_LINALG_SAME},
        {"result.log_abs", result->log_abs, &args.out[2], .number = GM_LINALG_REAL},
    };
    return gm_linalg_run(context, &args, a, operands, 3, report, GM_LINALG_RCOND, workspace);
}

static gm_status kronecker(gm_context *context, gm_linalg_args *args, const gm_tensor *a,
                           const gm_tensor *b, const gm_tensor *x, const gm_tensor *out,
                           const gm_linalg_report *report, int reported, gm_workspace *workspace) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns;
    const int64_t p = gm_linalg_axis(b, -2), q = gm_linalg_axis(b, -1), k = gm_linalg_axis(x, -1);
    GM_CHECK(context, p <= GM_LINALG_MAX_SIZE && q <= GM_LINALG_MAX_SIZE && k <= GM_LINALG_MAX_SIZE,
             GM_STATUS_INVALID_ARGUMENT, "b is %lld x %lld, x has %lld columns: at most %d",
             (long long)p, (long long)q, (long long)k, GM_LINALG_MAX_SIZE);
    const gm_linalg_operand operands[] = {
        {"b", b, &args->in[2], 2, {p, q}, "its size", .input = true, .needed = true},
        {"x",
         x,
         &args->in[1],
         2,
         {n * q, k},
         "columns of a times b",
         .input = true,
         .needed = true},
        {"out",
         out,
         &args->out[0],
         2,
         {m * p, k},
         "rows of a times b x columns of x",
         .needed = true},
    };
    return gm_linalg_run(context, args, a, operands, 3, report, reported, workspace);
}

gm_status gm_linalg_kronecker_apply(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                                    const gm_tensor *x, const gm_tensor *out,
                                    const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_KRONECKER_APPLY, a, 2, &args));
    return kronecker(context, &args, a, b, x, out, report, 0, workspace);
}

gm_status gm_linalg_kronecker_solve(gm_context *context, const gm_tensor *a, const gm_tensor *b,
                                    const gm_tensor *x, const gm_tensor *out,
                                    const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_KRONECKER_SOLVE, a, 2, &args));
    GM_TRY(gm_linalg_square(context, &args));
    GM_CHECK(context, gm_linalg_axis(b, -1) == gm_linalg_axis(b, -2), GM_STATUS_SHAPE_MISMATCH,
             "b is a batch of %lld x %lld matrices: must be square",
             (long long)gm_linalg_axis(b, -2), (long long)gm_linalg_axis(b, -1));
    return kronecker(context, &args, a, b, x, out, report, BOTH, workspace);
}
