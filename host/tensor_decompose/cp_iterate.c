/* An iteration of gm_cp_als: least squares of each mode in turn, then the error. */
#include <math.h>

#include <genmath/contract.h>
#include <genmath/decompose.h>
#include <genmath/elementwise.h>
#include <genmath/reduce.h>

#include "host/tensor_decompose/cp.h"

/* ---- an iteration ------------------------------------------------------------------------------
 */

/* Columns of F_k to norm 1, their norms the weights; columns of zeros stay. Then its Gram matrix.
 */
gm_status gm_cp_normalize(gm_cp_job *j, int32_t k) {
    gm_context *context = j->td.context;
    const gm_reduce_options norm2 = {.reduction = GM_REDUCE_NORM2,
                                     .axes = (uint32_t)1 << j->batch_axes};
    const double least = j->td.dtype == GM_F32 ? 0x1p-126 : 0x1p-1022;
    const gm_tensor f = gm_cp_factor(j, k), g = gm_cp_square(j, j->gram[k]);
    const gm_tensor w = gm_cp_batch(j, j->weight, 2, 1, j->r);
    const gm_tensor divisor = gm_cp_batch(j, j->divisor, 2, 1, j->r);
    gm_tensor smallest;
    GM_TRY(gm_reduce(context, &norm2, &f, &w));
    GM_TRY(gm_td_number(&j->td, least, &smallest));
    GM_TRY(gm_combine(context, GM_COMBINE_MAXIMUM, 1, &w, &smallest, 0, &divisor));
    GM_TRY(gm_combine(context, GM_COMBINE_DIVIDE, 1, &f, &divisor, 0, &f));
    return gm_contract(context, "...ir,...is->...rs", 2, (gm_tensor[]){f, f}, &g);
}

/* V = the entrywise product of all Gram matrices but that of mode k (k < 0: of all). */
static gm_status multiply_grams(gm_cp_job *j, int32_t k) {
    const gm_tensor v = gm_cp_square(j, j->v);
    int multiplied = 0;
    for (int32_t i = 0; i < j->d; ++i) {
        if (i != k) {
            const gm_tensor g = gm_cp_square(j, j->gram[i]);
            GM_TRY(multiplied++ == 0
                       ? gm_td_copy(&j->td, &g, &v)
                       : gm_combine(j->td.context, GM_COMBINE_MULTIPLY, 1, &v, &g, 0, &v));
        }
    }
    return GM_STATUS_OK;
}

/* "...abc,...br,...cr->...ar": x, the factors but that of mode k, and what is left. */
static void write_expression(int32_t d, int32_t k, char *text) {
    text += sprintf(text, "...");
    for (int32_t i = 0; i < d; ++i) {
        *text++ = (char)('a' + i);
    }
    for (int32_t i = 0; i < d; ++i) {
        if (i != k) {
            text += sprintf(text, ",...%cz", 'a' + i);
        }
    }
    sprintf(text, "->...%cz", 'a' + k);
}

/* M = the unfolding of mode k times the Khatri–Rao product of the other factors. */
static gm_status project(gm_cp_job *j, int32_t k, const gm_tensor *m) {
    gm_tensor inputs[GM_TD_MOST_MODES] = {*j->x};
    char expression[GM_CP_EXPRESSION];
    int32_t count = 1;
    for (int32_t i = 0; i < j->d; ++i) {
        if (i != k) {
            inputs[count++] = gm_cp_factor(j, i);
        }
    }
    write_expression(j->d, k, expression);
    return gm_contract(j->td.context, expression, count, inputs, m);
}

/* F = M V^+ for the problems whose V Cholesky's method could not take. */
static gm_status solve_singular(gm_cp_job *j, const gm_tensor *m, const gm_tensor *f) {
    gm_workspace workspace = gm_td_linalg(&j->td);
    const gm_tensor v = gm_cp_square(j, j->v), inverse = gm_cp_square(j, j->inverse);
    bool inverted = false;
    double rcond[GM_TD_FETCH];
    int32_t went[GM_TD_FETCH];
    for (int64_t p = 0; p < j->problems; ++p) {
        const int64_t at = p % GM_TD_FETCH, left = j->problems - p;
        if (at == 0) {
            const int64_t count = left < GM_TD_FETCH ? left : GM_TD_FETCH;
            GM_TRY(gm_td_fetch(&j->td, j->rcond, p, count, rcond));
            GM_TRY(gm_memory_download(j->td.context, went, (int32_t *)j->status + p,
                                      (size_t)count * sizeof *went));
        }
        if (went[at] != GM_STATUS_SINGULAR &&
            !(rcond[at] < 16 * (double)j->r * gm_td_eps(j->td.dtype))) {
            continue;
        }
        if (!inverted) {
            GM_TRY(gm_linalg_pseudoinverse(j->td.context, 0, &v, &inverse, NULL, NULL, &workspace));
            inverted = true;
        }
        const gm_tensor inputs[] = {gm_td_problem(m, j->batch_axes, p),
                                    gm_td_problem(&inverse, j->batch_axes, p)};
        const gm_tensor out = gm_td_problem(f, j->batch_axes, p);
        GM_TRY(gm_contract(j->td.context, "ir,rs->is", 2, inputs, &out));
    }
    return GM_STATUS_OK;
}

/* The least-squares problem of mode k: V F^T = M^T, V + mu I by Cholesky. */
gm_status gm_cp_improve(gm_cp_job *j, int32_t k) {
    gm_context *context = j->td.context;
    gm_workspace workspace = gm_td_linalg(&j->td);
    const gm_tensor m = gm_cp_batch(j, j->m, 2, j->size[k], j->r), f = gm_cp_factor(j, k);
    const gm_tensor v = gm_cp_square(j, j->v), l = gm_cp_square(j, j->triangle);
    const gm_tensor right = gm_td_transposed(&m), left = gm_td_transposed(&f);
    gm_tensor status = gm_cp_batch(j, j->status, 0, 0, 0),
              rcond = gm_cp_batch(j, j->rcond, 0, 0, 0);
    status.dtype = GM_I32;
    const gm_linalg_report report = {.status = &status, .rcond = &rcond};
    const gm_triangular_options transposed = {.transpose = GM_TRANSPOSE};
    GM_TRY(project(j, k, &m));
    GM_TRY(multiply_grams(j, k));
    if (j->options.regularization > 0) {
        gm_tensor diagonal = v, mu;
        diagonal.ndim -= 1;
        diagonal.stride[diagonal.ndim - 1] = j->r + 1;
        GM_TRY(gm_td_number(&j->td, j->options.regularization, &mu));
        GM_TRY(gm_combine(context, GM_COMBINE_ADD, 1, &diagonal, &mu, 0, &diagonal));
    }
    GM_TRY(gm_linalg_cholesky(context, &v, &l, &report, &workspace));
    GM_TRY(gm_linalg_triangular_solve(context, NULL, &l, &right, &left, NULL, &workspace));
    GM_TRY(gm_linalg_triangular_solve(context, &transposed, &l, &left, &left, NULL, &workspace));
    GM_TRY(solve_singular(j, &m, &f));
    return gm_cp_normalize(j, k);
}

/* ---- the error ---------------------------------------------------------------------------------
 */

/* Stores f(number of problem p) ... the numbers of all problems, fetched by and by. */
typedef void (*use_numbers)(gm_cp_job *j, int64_t problem, double first, double second);

static gm_status for_all(gm_cp_job *j, const void *first, const void *second, use_numbers use) {
    double a[GM_TD_FETCH], b[GM_TD_FETCH];
    for (int64_t p = 0; p < j->problems; p += GM_TD_FETCH) {
        const int64_t left = j->problems - p, count = left < GM_TD_FETCH ? left : GM_TD_FETCH;
        GM_TRY(gm_td_fetch(&j->td, first, p, count, a));
        GM_TRY(gm_td_fetch(&j->td, second, p, count, b));
        for (int64_t i = 0; i < count; ++i) {
            use(j, p + i, a[i], b[i]);
        }
    }
    return GM_STATUS_OK;
}

/* report->bound holds the square of the new error for the length of an iteration. */
static void take_products(gm_cp_job *j, int64_t p, double inner, double square) {
    const double norm = j->report[p].norm;
    j->report[p].bound = norm > 0 ? 1 - 2 * (inner / norm / norm) + square / norm / norm : 0;
}

/* Below this the products have too few digits left: the change of the error would be noise. */
static bool cancels(const gm_cp_job *j, int64_t p) {
    return j->report[p].bound < 64 * sqrt(gm_td_eps(j->td.dtype));
}

static void take_rest(gm_cp_job *j, int64_t p, double rest, double unused) {
    (void)unused;
    if (cancels(j, p)) {
        const double ratio = j->report[p].norm > 0 ? rest / j->report[p].norm : 0;
        j->report[p].bound = ratio * ratio;
    }
}

/* |x - y|, y the sum as it is now, of every problem. */
static gm_status measure_rest(gm_cp_job *j) {
    gm_context *context = j->td.context;
    gm_tensor factors[GM_TD_MOST_MODES];
    const gm_reduce_options norm2 = {.reduction = GM_REDUCE_NORM2,
                                     .axes = (((uint32_t)1 << j->d) - 1) << j->batch_axes};
    const gm_tensor w = gm_cp_batch(j, j->weight, 1, j->r, 0),
                    norm = gm_cp_batch(j, j->inner, 0, 0, 0);
    const gm_tensor rest = gm_td_batch(&j->td, j->rest, j->x, j->batch_axes, j->d, j->size);
    for (int32_t k = 0; k < j->d; ++k) {
        factors[k] = gm_cp_factor(j, k);
    }
    GM_TRY(gm_cp_reconstruct(context, j->d, &w, factors, &rest));
    GM_TRY(gm_combine(context, GM_COMBINE_SUBTRACT, 1, j->x, &rest, 0, &rest));
    return gm_reduce(context, &norm2, &rest, &norm);
}

/* After the last mode, whose M is still there: <x, y> = sum M F w, |y|^2 = w^T (product of G) w. */
gm_status gm_cp_measure(gm_cp_job *j) {
    gm_context *context = j->td.context;
    const int32_t last = j->d - 1;
    const gm_tensor m = gm_cp_batch(j, j->m, 2, j->size[last], j->r), f = gm_cp_factor(j, last);
    const gm_tensor w = gm_cp_batch(j, j->weight, 1, j->r, 0), v = gm_cp_square(j, j->v);
    const gm_tensor inner = gm_cp_batch(j, j->inner, 0, 0, 0);
    const gm_tensor square = gm_cp_batch(j, j->square, 0, 0, 0);
    GM_TRY(multiply_grams(j, -1));
    GM_TRY(gm_contract(context, "...ir,...ir,...r->...", 3, (gm_tensor[]){m, f, w}, &inner));
    GM_TRY(gm_contract(context, "...rs,...r,...s->...", 3, (gm_tensor[]){v, w, w}, &square));
    GM_TRY(for_all(j, j->inner, j->square, take_products));
    bool wanted = false;
    for (int64_t p = 0; p < j->problems; ++p) {
        wanted = wanted || (gm_cp_active(j, p) && cancels(j, p));
    }
    if (!wanted) {
        return GM_STATUS_OK;
    }
    GM_TRY(measure_rest(j));
    return for_all(j, j->inner, j->inner, take_rest);
}
