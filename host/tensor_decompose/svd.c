/* gm_svd_truncated: the leading singular values of matrices, directly or by a sketch. */
#include <math.h>

#include <genmath/contract.h>
#include <genmath/decompose.h>
#include <genmath/elementwise.h>
#include <genmath/random.h>
#include <genmath/reduce.h>

#include "host/tensor_decompose/tools.h"

enum {
    OVERSAMPLING = 10,
    POWER_ITERATIONS = 2,
    DIRECT_UP_TO = 64,
    PANEL = 1 << 18 /* numbers of A whose error is measured at once */
};

/* A call: with l the columns of Q, Q (.., m, l) B (.., l, n) is what A is replaced by. */
typedef struct job {
    gm_td td;
    const gm_tensor *a;
    int32_t batch_axes;
    int64_t problems, m, n, r, l, panel_rows, power_iterations;
    bool direct;
    gm_svd_options options;
    gm_approximation_report *report;
    void *sketch, *q, *z, *b;   /* (n, l), (.., m, l), (.., n, l), (.., l, n) */
    void *small_u, *s, *vt;     /* (.., l, l), (.., l), (.., l, n) */
    void *panel, *norm, *error; /* (.., panel_rows, n), (..), (..) */
    void *status;               /* (..) I32 */
} job;

static gm_tensor batch_of(const job *j, void *data, int64_t rows, int64_t columns) {
    return gm_td_batch(&j->td, data, j->a, j->batch_axes, 2, (int64_t[]){rows, columns});
}

static gm_tensor numbers_of(const job *j, void *data) {
    return gm_td_batch(&j->td, data, j->a, j->batch_axes, 0, NULL);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_options(gm_context *context, const gm_svd_options *o) {
    GM_CHECK(context, (unsigned)o->method <= GM_SVD_RANDOMIZED, GM_STATUS_INVALID_ARGUMENT,
             "options.method = %d is not a method", (int)o->method);
    GM_CHECK(context, o->tolerance >= 0 && o->tolerance < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.tolerance = %g: must be in [0, 1)", o->tolerance);
    GM_CHECK(context, o->oversampling >= -1, GM_STATUS_INVALID_ARGUMENT,
             "options.oversampling = %lld: must be -1 or more", (long long)o->oversampling);
    GM_CHECK(context, o->power_iterations >= -1, GM_STATUS_INVALID_ARGUMENT,
             "options.power_iterations = %lld: must be -1 or more", (long long)o->power_iterations);
    return GM_STATUS_OK;
}

/* A tensor beside a: its batch, then its own sizes. */
static gm_status check_output(const job *j, const char *name, const gm_tensor *tensor, int32_t core,
                              int64_t rows, int64_t columns) {
    gm_context *context = j->td.context;
    const int32_t ndim = j->batch_axes + core;
    GM_TRY(gm_check_output(context, name, tensor, ndim, GM_DTYPE_BIT(j->td.dtype)));
    for (int32_t axis = 0; axis < j->batch_axes; ++axis) {
        GM_TRY(gm_check_size(context, name, tensor, axis, j->a->shape[axis], "the batch of a"));
    }
    if (core == 2) {
        GM_TRY(gm_check_size(context, name, tensor, ndim - 2, rows, "as a and s have it"));
    }
    return gm_check_size(context, name, tensor, ndim - 1, columns, "as a and s have it");
}

static gm_status check(gm_context *context, const gm_tensor *a, const gm_tensor *u,
                       const gm_tensor *s, const gm_tensor *vt, job *j) {
    GM_TRY(check_options(context, &j->options));
    GM_TRY(gm_td_check_input(context, "a", a, a != NULL ? a->ndim : 0));
    GM_CHECK(context, a->ndim >= 2, GM_STATUS_SHAPE_MISMATCH, "a.ndim = %d: must be 2 or more",
             (int)a->ndim);
    GM_CHECK(context, s != NULL, GM_STATUS_INVALID_ARGUMENT, "s is NULL");
    j->td.dtype = a->dtype;
    j->batch_axes = a->ndim - 2;
    j->m = a->shape[a->ndim - 2];
    j->n = a->shape[a->ndim - 1];
    j->problems = gm_td_elements(a) / (j->m * j->n);
    const int64_t k = j->m < j->n ? j->m : j->n;
    GM_CHECK(context, s->ndim == j->batch_axes + 1, GM_STATUS_SHAPE_MISMATCH,
             "s.ndim = %d: must be %d", (int)s->ndim, (int)j->batch_axes + 1);
    j->r = s->shape[j->batch_axes];
    GM_CHECK(context, j->r >= 1 && j->r <= k, GM_STATUS_SHAPE_MISMATCH,
             "s has %lld values: must be 1 to min(m, n) = %lld", (long long)j->r, (long long)k);
    GM_TRY(check_output(j, "s", s, 1, 0, j->r));
    if (u != NULL) {
        GM_TRY(check_output(j, "u", u, 2, j->m, j->r));
    }
    if (vt != NULL) {
        GM_TRY(check_output(j, "vt", vt, 2, j->r, j->n));
    }
    return GM_STATUS_OK;
}

/* ---- the method ------------------------------------------------------------------------------ */

static void choose(job *j) {
    const gm_svd_options *o = &j->options;
    const int64_t k = j->m < j->n ? j->m : j->n;
    const int64_t p = o->oversampling == 0    ? OVERSAMPLING
                      : o->oversampling == -1 ? 0
                                              : o->oversampling;
    j->l = p < k - j->r ? j->r + p : k;
    j->power_iterations = o->power_iterations == 0    ? POWER_ITERATIONS
                          : o->power_iterations == -1 ? 0
                                                      : o->power_iterations;
    j->direct = o->method == GM_SVD_DIRECT ||
                (o->method == GM_SVD_AUTO && (k <= DIRECT_UP_TO || 4 * j->l >= k));
    if (j->direct) {
        j->l = j->r;
    }
    j->panel_rows = PANEL / j->n;
    j->panel_rows = j->panel_rows < 1 ? 1 : j->panel_rows < j->m ? j->panel_rows : j->m;
}

static gm_status take(job *j) {
    gm_td *td = &j->td;
    gm_td_begin(td);
    j->q = gm_td_take(td, j->problems * j->m * j->l);
    j->b = gm_td_take(td, j->problems * j->l * j->n);
    j->s = gm_td_take(td, j->problems * j->l);
    j->vt = gm_td_take(td, j->problems * j->l * j->n);
    j->panel = gm_td_take(td, j->problems * j->panel_rows * j->n);
    j->norm = gm_td_take(td, j->problems);
    j->error = gm_td_take(td, j->problems);
    j->status = gm_arena_take(&td->arena, j->problems, sizeof(int32_t));
    if (j->direct) {
        GM_TRY(gm_td_need_svd(td, j->problems, j->m, j->n, j->l, true, true));
    } else {
        j->sketch = gm_td_take(td, j->n * j->l);
        j->z = gm_td_take(td, j->problems * j->n * j->l);
        j->small_u = gm_td_take(td, j->problems * j->l * j->l);
        GM_TRY(gm_td_need_qr(td, j->problems, j->m, j->l, true, false));
        GM_TRY(gm_td_need_qr(td, j->problems, j->n, j->l, true, false));
        GM_TRY(gm_td_need_svd(td, j->problems, j->l, j->n, j->l, true, true));
    }
    gm_td_end(td);
    return GM_STATUS_OK;
}

/* The columns of x, orthonormal, in its place. */
static gm_status orthonormalize(job *j, const gm_tensor *x) {
    gm_workspace workspace = gm_td_linalg(&j->td);
    return gm_linalg_qr(j->td.context, x, x, NULL, NULL, &workspace);
}

static gm_status decompose(job *j, const gm_tensor *matrix, const gm_tensor *u) {
    const gm_tensor s = gm_td_batch(&j->td, j->s, j->a, j->batch_axes, 1, &j->l);
    const gm_tensor vt = batch_of(j, j->vt, j->l, j->n);
    gm_tensor status = numbers_of(j, j->status);
    status.dtype = GM_I32;
    gm_workspace workspace = gm_td_linalg(&j->td);
    return gm_linalg_svd(j->td.context, matrix, u, &s, &vt, &(gm_linalg_report){.status = &status},
                         &workspace);
}

/* Q, B = Q^T A and the decomposition of B. */
static gm_status by_sketch(job *j, const gm_tensor *u) {
    gm_context *context = j->td.context;
    const gm_tensor sketch = gm_td_matrix(&j->td, j->sketch, j->n, j->l);
    const gm_tensor q = batch_of(j, j->q, j->m, j->l), z = batch_of(j, j->z, j->n, j->l);
    const gm_tensor b = batch_of(j, j->b, j->l, j->n), v = batch_of(j, j->small_u, j->l, j->l);
    const gm_random_stream stream = {.seed = j->options.seed};
    GM_TRY(gm_random_fill_normal(context, &stream, 0, 1, &sketch));
    GM_TRY(gm_contract(context, "...ij,jk->...ik", 2, (gm_tensor[]){*j->a, sketch}, &q));
    GM_TRY(orthonormalize(j, &q));
    for (int64_t i = 0; i < j->power_iterations; ++i) {
        GM_TRY(gm_contract(context, "...ij,...ik->...jk", 2, (gm_tensor[]){*j->a, q}, &z));
        GM_TRY(orthonormalize(j, &z));
        GM_TRY(gm_contract(context, "...ij,...jk->...ik", 2, (gm_tensor[]){*j->a, z}, &q));
        GM_TRY(orthonormalize(j, &q));
    }
    GM_TRY(gm_contract(context, "...ik,...ij->...kj", 2, (gm_tensor[]){q, *j->a}, &b));
    GM_TRY(decompose(j, &b, &v));
    if (u == NULL) {
        return GM_STATUS_OK;
    }
    const gm_tensor leading = gm_td_slice(&v, v.ndim - 1, 0, j->r);
    return gm_contract(context, "...ij,...jk->...ik", 2, (gm_tensor[]){q, leading}, u);
}

/* U and B = diag(s) V^T of the whole matrix. */
static gm_status directly(job *j, const gm_tensor *u) {
    const gm_tensor q = batch_of(j, j->q, j->m, j->l), b = batch_of(j, j->b, j->l, j->n);
    const gm_tensor s = gm_td_batch(&j->td, j->s, j->a, j->batch_axes, 2, (int64_t[]){j->l, 1});
    const gm_tensor vt = batch_of(j, j->vt, j->l, j->n);
    GM_TRY(decompose(j, j->a, &q));
    GM_TRY(gm_combine(j->td.context, GM_COMBINE_MULTIPLY, 1, &vt, &s, 0, &b));
    return u != NULL ? gm_td_copy(&j->td, &q, u) : GM_STATUS_OK;
}

/* ---- how it went -------------------------------------------------------------------------------
 */

/* |A - Q B|^2 of every problem, summed over panels of rows, into report->error. */
static gm_status measure(job *j) {
    gm_context *context = j->td.context;
    const gm_reduce_options norm2 = {.reduction = GM_REDUCE_NORM2,
                                     .axes = (uint32_t)3 << j->batch_axes};
    const gm_tensor q = batch_of(j, j->q, j->m, j->l), b = batch_of(j, j->b, j->l, j->n);
    const gm_tensor error = numbers_of(j, j->error);
    double numbers[GM_TD_FETCH];
    for (int64_t row = 0; row < j->m; row += j->panel_rows) {
        const int64_t end = row + j->panel_rows < j->m ? row + j->panel_rows : j->m;
        const gm_tensor panel = batch_of(j, j->panel, end - row, j->n);
        const gm_tensor part = gm_td_slice(&q, j->batch_axes, row, end);
        const gm_tensor of_a = gm_td_slice(j->a, j->batch_axes, row, end);
        GM_TRY(gm_contract(context, "...ij,...jk->...ik", 2, (gm_tensor[]){part, b}, &panel));
        GM_TRY(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &of_a, &panel, 0, &panel));
        GM_TRY(gm_reduce(context, &norm2, &panel, &error));
        for (int64_t p = 0; p < j->problems; ++p) {
            if (p % GM_TD_FETCH == 0) {
                const int64_t left = j->problems - p;
                GM_TRY(gm_td_fetch(&j->td, j->error, p, left < GM_TD_FETCH ? left : GM_TD_FETCH,
                                   numbers));
            }
            /* By the norm, so that no square overflows. */
            const double ratio =
                j->report[p].norm > 0 ? numbers[p % GM_TD_FETCH] / j->report[p].norm : 0;
            j->report[p].error += ratio * ratio;
        }
    }
    return GM_STATUS_OK;
}

static gm_status cut(job *j, int64_t problem, int64_t rank, double value, const gm_tensor *u,
                     const gm_tensor *s, const gm_tensor *vt) {
    const gm_tensor *const outputs[] = {u, s, vt};
    for (int i = 0; i < 3 && rank < j->r; ++i) {
        if (outputs[i] != NULL) {
            const gm_tensor of_problem = gm_td_problem(outputs[i], j->batch_axes, problem);
            const gm_tensor rest = gm_td_slice(&of_problem, i == 0 ? 1 : 0, rank, j->r);
            GM_TRY(gm_td_fill(&j->td, value, &rest));
        }
    }
    return GM_STATUS_OK;
}

/* The rank of a problem, whose measured error holds for all l columns; outputs beyond it. */
static gm_status finish(job *j, int64_t problem, const gm_tensor *u, const gm_tensor *s,
                        const gm_tensor *vt) {
    gm_approximation_report *report = &j->report[problem];
    int32_t went;
    GM_TRY(gm_memory_download(j->td.context, &went, (int32_t *)j->status + problem, sizeof went));
    if (went != GM_STATUS_OK || !isfinite(report->norm) || !isfinite(report->error)) {
        const gm_status why =
            went == GM_STATUS_NOT_CONVERGED ? GM_STATUS_NOT_CONVERGED : GM_STATUS_NON_FINITE;
        *report = (gm_approximation_report){why, 0, 0, report->norm, NAN, NAN};
        return cut(j, problem, 0, NAN, u, s, vt);
    }
    const double tolerance = j->options.tolerance, square = tolerance * tolerance;
    const double share = tolerance > 0 ? square - report->error : -1;
    double discarded;
    GM_TRY(gm_td_choose_rank(&j->td, gm_td_at(&j->td, j->s, problem * j->l), j->l, j->r,
                             report->norm, share, &report->rank, &discarded));
    report->error = sqrt(report->error + discarded);
    if (tolerance > 0 && !(report->error * report->error <= square)) {
        report->status = GM_STATUS_NOT_CONVERGED;
    }
    return cut(j, problem, report->rank, 0, u, s, vt);
}

static gm_status run(job *j, const gm_tensor *u, const gm_tensor *s, const gm_tensor *vt) {
    gm_td *td = &j->td;
    const gm_tensor norm = numbers_of(j, j->norm);
    const gm_reduce_options norm2 = {.reduction = GM_REDUCE_NORM2,
                                     .axes = (uint32_t)3 << j->batch_axes};
    GM_TRY(j->direct ? directly(j, u) : by_sketch(j, u));
    const gm_tensor values = gm_td_batch(td, j->s, j->a, j->batch_axes, 1, &j->l);
    const gm_tensor rows = batch_of(j, j->vt, j->l, j->n);
    const gm_tensor leading = gm_td_slice(&values, j->batch_axes, 0, j->r);
    GM_TRY(gm_td_copy(td, &leading, s));
    if (vt != NULL) {
        const gm_tensor first = gm_td_slice(&rows, j->batch_axes, 0, j->r);
        GM_TRY(gm_td_copy(td, &first, vt));
    }
    GM_TRY(gm_reduce(td->context, &norm2, j->a, &norm));
    for (int64_t p = 0; p < j->problems; ++p) {
        j->report[p] = (gm_approximation_report){.bound = NAN};
        GM_TRY(gm_td_fetch(td, j->norm, p, 1, &j->report[p].norm));
    }
    GM_TRY(measure(j));
    for (int64_t p = 0; p < j->problems; ++p) {
        GM_TRY(finish(j, p, u, s, vt));
    }
    return GM_STATUS_OK;
}

gm_status gm_svd_truncated(gm_context *context, const gm_svd_options *options, const gm_tensor *a,
                           const gm_tensor *u, const gm_tensor *s, const gm_tensor *vt,
                           gm_approximation_report *report, gm_workspace *workspace) {
    static const gm_svd_options defaults;
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    job j = {.td = {.context = context},
             .a = a,
             .options = options != NULL ? *options : defaults,
             .report = report};
    GM_TRY(check(context, a, u, s, vt, &j));
    const gm_td_operand operands[] = {
        {"a", a, false}, {"u", u, true}, {"s", s, true}, {"vt", vt, true}};
    GM_TRY(gm_td_check_disjoint(context, operands, 4));
    choose(&j);
    GM_TRY(take(&j));
    bool sized;
    GM_TRY(gm_td_workspace(&j.td, workspace, operands, 4, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    GM_TRY(take(&j));
    return run(&j, u, s, vt);
}
