/* decompose.h: checks and dispatch of singular values, eigenvalues and what is made of them. */
#include <genmath/decompose.h>

#include <float.h>

#include "host/linalg/check.h"

enum { BOTH = GM_LINALG_RCOND | GM_LINALG_RESIDUAL };

gm_status gm_linalg_svd(gm_context *context, const gm_tensor *a, const gm_tensor *u,
                        const gm_tensor *s, const gm_tensor *vh, const gm_linalg_report *report,
                        gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_SVD, a, 2, &args));
    const int64_t m = args.in[0].rows, n = args.in[0].columns, k = m < n ? m : n;
    GM_CHECK(context, s != NULL, GM_STATUS_INVALID_ARGUMENT, "s is NULL");
    const int64_t r = gm_linalg_axis(s, -1);
    GM_CHECK(context, r <= k, GM_STATUS_SHAPE_MISMATCH,
             "s has %lld values: a has at most min(m, n) = %lld", (long long)r, (long long)k);
    const int64_t left = gm_linalg_axis(u, -1) == m ? m : r;
    const int64_t right = gm_linalg_axis(vh, -2) == n ? n : r;
    const gm_linalg_operand operands[] = {
        {"u",
         u,
         &args.out[0],
         2,
         {m, left},
         "rows of a x the size of s, or complete",
         .number = GM_LINALG_SAME},
        {"s",
         s,
         &args.out[1],
         1,
         {r},
         "min(m, n) or less",
         .number = GM_LINALG_REAL,
         .needed = true},
        {"vh",
         vh,
         &args.out[2],
         2,
         {right, n},
         "the size of s, or complete, x columns of a",
         .number = GM_LINALG_SAME},
    };
    const bool whole = u != NULL && vh != NULL && r == k;
    return gm_linalg_run(context, &args, a, operands, 3, report,
                         GM_LINALG_RCOND | (whole ? GM_LINALG_RESIDUAL : 0), workspace);
}

/* Values w and vectors v of a square matrix. */
static gm_status eigen(gm_context *context, gm_linalg_args *args, gm_linalg_number values,
                       gm_linalg_number vectors, bool rcond_of_vectors, const gm_tensor *a,
                       const gm_tensor *w, const gm_tensor *v, const gm_linalg_report *report,
                       gm_workspace *workspace) {
    GM_TRY(gm_linalg_square(context, args));
    const int64_t n = args->in[0].rows;
    const gm_linalg_operand operands[] = {
        {"w", w, &args->out[0], 1, {n}, "the rows of a", .number = values, .needed = true},
        {"v", v, &args->out[1], 2, {n, n}, "the sizes of a", .number = vectors},
    };
    const int without = rcond_of_vectors ? 0 : GM_LINALG_RCOND;
    return gm_linalg_run(context, args, a, operands, 2, report, v != NULL ? BOTH : without,
                         workspace);
}

gm_status gm_linalg_eigen_hermitian(gm_context *context, const gm_tensor *a, const gm_tensor *w,
                                    const gm_tensor *v, const gm_linalg_report *report,
                                    gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_EIGEN_HERMITIAN, a, 2, &args));
    return eigen(context, &args, GM_LINALG_REAL, GM_LINALG_SAME, false, a, w, v, report, workspace);
}

gm_status gm_linalg_eigen(gm_context *context, const gm_tensor *a, const gm_tensor *w,
                          const gm_tensor *v, const gm_linalg_report *report,
                          gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_EIGEN, a, 2, &args));
    return eigen(context, &args, GM_LINALG_COMPLEX, GM_LINALG_COMPLEX, true, a, w, v, report,
                 workspace);
}

static gm_status set_cutoff(gm_context *context, double cutoff, gm_linalg_args *args) {
    GM_CHECK(context, cutoff >= 0 && cutoff < 1, GM_STATUS_INVALID_ARGUMENT,
             "cutoff = %g: must be in [0, 1)", cutoff);
    const gm_linalg_matrix *a = &args->in[0];
    const bool single = args->dtype == GM_F32 || args->dtype == GM_C64;
    const double size = (double)(a->rows > a->columns ? a->rows : a->columns);
    args->cutoff = cutoff > 0 ? cutoff : size * (single ? (double)FLT_EPSILON : DBL_EPSILON);
    args->cutoff_f32 = (float)args->cutoff;
    return GM_STATUS_OK;
}

gm_status gm_linalg_least_squares(gm_context *context, double cutoff, const gm_tensor *a,
                                  const gm_tensor *b, const gm_tensor *x, const gm_tensor *rank,
                                  const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_LEAST_SQUARES, a, 2, &args));
    GM_TRY(set_cutoff(context, cutoff, &args));
    const int64_t m = args.in[0].rows, n = args.in[0].columns, k = gm_linalg_axis(b, -1);
    GM_CHECK(context, k <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
             "b has %lld columns: at most %d", (long long)k, GM_LINALG_MAX_SIZE);
    const gm_linalg_operand operands[] = {
        {"b", b, &args.in[1], 2, {m, k}, "the rows of a", .input = true, .needed = true},
        {"x", x, &args.out[0], 2, {n, k}, "columns of a x columns of b", .number = GM_LINALG_SAME},
        {"rank", rank, &args.rank, .number = GM_LINALG_INTEGER},
    };
    return gm_linalg_run(context, &args, a, operands, 3, report, BOTH, workspace);
}

gm_status gm_linalg_pseudoinverse(gm_context *context, double cutoff, const gm_tensor *a,
                                  const gm_tensor *out, const gm_tensor *rank,
                                  const gm_linalg_report *report, gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, GM_LINALG_PSEUDOINVERSE, a, 2, &args));
    GM_TRY(set_cutoff(context, cutoff, &args));
    const int64_t m = args.in[0].rows, n = args.in[0].columns;
    const gm_linalg_operand operands[] = {
        {"out", out, &args.out[0], 2, {n, m}, "columns of a x rows of a", .number = GM_LINALG_SAME},
        {"rank", rank, &args.rank, .number = GM_LINALG_INTEGER},
    };
    return gm_linalg_run(context, &args, a, operands, 2, report, BOTH, workspace);
}

static gm_status root(gm_context *context, gm_linalg_kind kind, const gm_tensor *a,
                      const gm_tensor *out, const gm_linalg_report *report,
                      gm_workspace *workspace) {
    gm_linalg_args args;
    GM_TRY(gm_linalg_open(context, kind, a, 2, &args));
    GM_TRY(gm_linalg_square(context, &args));
    GM_TRY(set_cutoff(context, 0, &args));
    const int64_t n = args.in[0].rows;
    const gm_linalg_operand operands[] = {
        {"out", out, &args.out[0], 2, {n, n}, "the sizes of a", .number = GM_LINALG_SAME},
    };
    return gm_linalg_run(context, &args, a, operands, 1, report, BOTH, workspace);
}

gm_status gm_linalg_sqrt_psd(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                             const gm_linalg_report *report, gm_workspace *workspace) {
    return root(context, GM_LINALG_SQRT_PSD, a, out, report, workspace);
}

gm_status gm_linalg_inverse_sqrt_psd(gm_context *context, const gm_tensor *a, const gm_tensor *out,
                                     const gm_linalg_report *report, gm_workspace *workspace) {
    return root(context, GM_LINALG_INVERSE_SQRT_PSD, a, out, report, workspace);
}
