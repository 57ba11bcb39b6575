/* gm_tt_svd and gm_tt_round: tensor trains by truncation from the left. */
#include "host/tensor_decompose/tt.h"

#include <math.h>

#include <genmath/contract.h>
#include <genmath/linalg.h>

/* ---- checks ---------------------------------------------------------------------------------- */

gm_status gm_tt_check(gm_context *context, const char *name, int32_t count, const gm_tensor *cores,
                      bool found) {
    char text[48];
    GM_CHECK(context, count >= 1 && count <= GM_TT_MOST_CORES, GM_STATUS_INVALID_ARGUMENT,
             "count = %d: must be 1 to %d", (int)count, GM_TT_MOST_CORES);
    GM_CHECK(context, cores != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", name);
    for (int32_t k = 0; k < count; ++k) {
        const gm_tensor *core = &cores[k];
        snprintf(text, sizeof text, "%s[%d]", name, (int)k);
        GM_TRY(gm_td_check_input(context, text, core, 3));
        GM_CHECK(context, core->dtype == cores[0].dtype, GM_STATUS_INVALID_ARGUMENT,
                 "%s.dtype = %s: must be %s, as that of the first", text,
                 gm_dtype_name(core->dtype), gm_dtype_name(cores[0].dtype));
        if (found) {
            GM_TRY(gm_td_check_found(context, text, core, 3, cores[0].dtype));
        }
        GM_CHECK(context, core->shape[2] <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
                 "%s.shape[2] = %lld: at most %d", text, (long long)core->shape[2],
                 GM_LINALG_MAX_SIZE);
        GM_TRY(gm_check_size(context, text, core, 0, k > 0 ? cores[k - 1].shape[2] : 1,
                             k > 0 ? "the last size of the core before" : "the end of a train"));
    }
    snprintf(text, sizeof text, "%s[%d]", name, (int)count - 1);
    return gm_check_size(context, text, &cores[count - 1], 2, 1, "the end of a train");
}

gm_status gm_tt_check_disjoint(gm_context *context, int32_t count, const gm_tensor *cores,
                               const gm_tensor *x, const gm_tensor *others) {
    for (int32_t k = 0; k < count; ++k) {
        GM_TRY(gm_check_disjoint(context, "a core", &cores[k], "x", x, false));
        for (int32_t i = 0; i < k; ++i) {
            GM_TRY(gm_check_disjoint(context, "a core", &cores[k], "another", &cores[i], false));
        }
        for (int32_t i = 0; others != NULL && i < count; ++i) {
            GM_TRY(
                gm_check_disjoint(context, "a core", &cores[k], "a core of x", &others[i], false));
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_tt_workspace(gm_td *td, gm_workspace *workspace, int32_t count, const gm_tensor *cores,
                          const gm_tensor *x, const gm_tensor *others, bool *sized) {
    const size_t bytes = td->arena.used;
    const gm_td_operand first = {"x", x, false};
    GM_TRY(gm_td_workspace(td, workspace, &first, 1, sized));
    const gm_tensor memory = gm_tensor_1d(workspace->data, GM_U8, (int64_t)bytes);
    for (int32_t k = 0; k < count && !*sized; ++k) {
        GM_TRY(gm_check_disjoint(td->context, "workspace", &memory, "a core", &cores[k], false));
        GM_TRY(gm_check_disjoint(td->context, "workspace", &memory, "a core",
                                 others != NULL ? &others[k] : NULL, false));
    }
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_tt_options *o) {
    GM_CHECK(context, o->tolerance >= 0 && o->tolerance < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.tolerance = %g: must be in [0, 1)", o->tolerance);
    return GM_STATUS_OK;
}

/* ---- what both share ---------------------------------------------------------------------------
 */

/* A train that is being found, its cores from the first on. On entry to a core its last size is the
 * rank allowed. */
typedef struct job {
    gm_td td;
    int32_t d;
    const gm_tensor *x; /* the tensor, or the cores of a train */
    gm_tensor *cores;
    double share; /* of |x|^2 that an unfolding may lose; < 0: the ranks allowed */
    gm_approximation_report *report; /* bound is squared until the end */
    gm_td_rows rows;
    void *rest[2];          /* what is left to decompose, in turn */
    void *small, *triangle; /* rounding: U^T of it; R of a QR factorization */
    void *orthogonal;       /* rounding: the cores made orthogonal, one after the other */
} job;

static int64_t least_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static job begin(gm_context *context, double tolerance, int32_t d, const gm_tensor *x,
                 gm_tensor *cores, gm_approximation_report *report) {
    return (job){.td = {.context = context, .dtype = x->dtype},
                 .d = d,
                 .x = x,
                 .cores = cores,
                 .share = tolerance > 0 ? tolerance * tolerance / (d > 1 ? d - 1 : 1) : -1,
                 .report = report};
}

static void shape_core(job *j, int32_t k, int64_t left, int64_t right) {
    gm_tensor *core = &j->cores[k];
    *core = gm_tensor_3d(core->data, core->dtype, left, core->shape[1], right);
}

/* Core k from what is left, c (left n_k, others): its leading left singular vectors U, *u. */
static gm_status truncate(job *j, int32_t k, int64_t left, const gm_tensor *c, gm_tensor *u) {
    const gm_tensor rows = gm_td_transposed(c);
    GM_TRY(gm_td_rows_run(&j->td, &j->rows, &rows, &j->report->status));
    shape_core(j, k, left, j->cores[k].shape[2]);
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    double discarded;
    int64_t rank;
    GM_TRY(gm_td_choose_rank(&j->td, j->rows.s, j->rows.count,
                             least_of(j->cores[k].shape[2], j->rows.count), j->report->norm,
                             j->share, &rank, &discarded));
    j->report->bound += discarded;
    shape_core(j, k, left, rank);
    *u = gm_td_matrix(&j->td, j->cores[k].data, c->shape[0], rank);
    const gm_tensor vt = gm_td_matrix(&j->td, j->rows.vt, rank, c->shape[0]);
    const gm_tensor leading = gm_td_transposed(&vt);
    return gm_td_copy(&j->td, &leading, u);
}

/* The last core is what is left. */
static gm_status end(job *j, int64_t left, const gm_tensor *c) {
    shape_core(j, j->d - 1, left, 1);
    const gm_tensor out = gm_td_matrix(&j->td, j->cores[j->d - 1].data, c->shape[0], c->shape[1]);
    return gm_td_copy(&j->td, c, &out);
}

/* The error, or NaN in all cores. */
static gm_status finish(job *j, double tolerance) {
    gm_approximation_report *report = j->report;
    if (report->status != GM_STATUS_OK) {
        report->error = report->bound = NAN;
        for (int32_t k = 0; k < j->d; ++k) {
            GM_TRY(gm_td_fill(&j->td, NAN, &j->cores[k]));
        }
        return GM_STATUS_OK;
    }
    report->error = report->bound = sqrt(report->bound);
    if (tolerance > 0 && !(report->error <= tolerance)) {
        report->status = GM_STATUS_NOT_CONVERGED;
    }
    return GM_STATUS_OK;
}

/* ---- of a tensor -------------------------------------------------------------------------------
 */

static gm_status take_svd(job *j) {
    gm_td *td = &j->td;
    const bool copied = !gm_tensor_is_contiguous(j->x);
    int64_t others = gm_td_elements(j->x), left = 1, most = 1;
    const int64_t elements = others;
    gm_td_begin(td);
    j->rows = (gm_td_rows){.count = 0};
    for (int32_t k = 0; k + 1 < j->d; ++k) {
        const int64_t m = left * j->x->shape[k];
        others /= j->x->shape[k];
        GM_TRY(gm_td_rows_need(td, others, m, &j->rows));
        left = least_of(least_of(m, others), j->cores[k].shape[2]);
        most = left * others > most ? left * others : most;
    }
    gm_td_rows_take(td, &j->rows);
    j->rest[0] = gm_td_take(td, copied ? elements : most);
    j->rest[1] = gm_td_take(td, most);
    gm_td_end(td);
    return GM_STATUS_OK;
}

static gm_status run_svd(job *j) {
    gm_td *td = &j->td;
    int64_t others = gm_td_elements(j->x), left = 1;
    const void *data = j->x->data;
    int place = 0;
    if (!gm_tensor_is_contiguous(j->x)) {
        const gm_tensor copy = gm_td_batch(td, j->rest[0], j->x, 0, j->d, j->x->shape);
        GM_TRY(gm_td_copy(td, j->x, &copy));
        data = j->rest[0];
        place = 1;
    }
    gm_tensor c = gm_td_matrix(td, (void *)(uintptr_t)data, 1, others);
    for (int32_t k = 0; k + 1 < j->d; ++k) {
        const int64_t n = j->x->shape[k];
        gm_tensor u;
        others /= n;
        c = gm_td_matrix(td, c.data, left * n, others);
        GM_TRY(truncate(j, k, left, &c, &u));
        if (j->report->status != GM_STATUS_OK) {
            return GM_STATUS_OK;
        }
        left = u.shape[1];
        const gm_tensor next = gm_td_matrix(td, j->rest[place], left, others);
        GM_TRY(gm_contract(td->context, "ij,ik->jk", 2, (gm_tensor[]){u, c}, &next));
        c = next;
        place = 1 - place;
    }
    return end(j, left, &c);
}

gm_status gm_tt_svd(gm_context *context, const gm_tt_options *options, const gm_tensor *x,
                    gm_tensor *cores, gm_approximation_report *report, gm_workspace *workspace) {
    static const gm_tt_options defaults;
    const gm_tt_options *o = options != NULL ? options : &defaults;
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_options(context, o));
    GM_TRY(gm_td_check_input(context, "x", x, x != NULL ? x->ndim : 0));
    GM_CHECK(context, x->ndim >= 1, GM_STATUS_SHAPE_MISMATCH, "x.ndim = 0: must be 1 or more");
    GM_TRY(gm_tt_check(context, "cores", x->ndim, cores, true));
    GM_CHECK(context, cores[0].dtype == x->dtype, GM_STATUS_INVALID_ARGUMENT,
             "cores[0].dtype = %s: must be %s, as that of x", gm_dtype_name(cores[0].dtype),
             gm_dtype_name(x->dtype));
    for (int32_t k = 0; k < x->ndim; ++k) {
        GM_TRY(gm_check_size(context, "a core", &cores[k], 1, x->shape[k], "a size of x"));
    }
    GM_TRY(gm_tt_check_disjoint(context, x->ndim, cores, x, NULL));
    job j = begin(context, o->tolerance, x->ndim, x, cores, report);
    GM_TRY(take_svd(&j));
    bool sized;
    GM_TRY(gm_tt_workspace(&j.td, workspace, x->ndim, cores, x, NULL, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    GM_TRY(take_svd(&j));
    *report = (gm_approximation_report){.status = GM_STATUS_OK};
    GM_TRY(gm_td_norm(&j.td, x, &report->norm));
    report->status = isfinite(report->norm) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    if (report->status == GM_STATUS_OK) {
        GM_TRY(run_svd(&j));
    }
    return finish(&j, o->tolerance);
}

/* ---- of a train --------------------------------------------------------------------------------
 */

/* The rank between cores k - 1 and k once what is right of it is orthogonal. */
static int64_t rank_from_right(const gm_tensor *core, int64_t right) {
    return least_of(core->shape[0], core->shape[1] * right);
}

static gm_status take_round(job *j) {
    gm_td *td = &j->td;
    int64_t left = 1, widest = 1, largest = 1, all = 0;
    gm_td_begin(td);
    j->rows = (gm_td_rows){.count = 0};
    for (int32_t k = 0; k < j->d; ++k) {
        const int64_t *s = j->x[k].shape;
        const int64_t size = gm_td_elements(&j->x[k]);
        widest = s[0] > widest ? s[0] : widest;
        largest = size > largest ? size : largest;
        all += size;
        if (k > 0) {
            GM_TRY(gm_td_need_qr(td, 1, s[1] * s[2], s[0], true, true));
        }
        if (k + 1 < j->d) {
            GM_TRY(gm_td_rows_need(td, s[2], left * s[1], &j->rows));
            left = least_of(least_of(left * s[1], s[2]), j->cores[k].shape[2]);
        }
    }
    gm_td_rows_take(td, &j->rows);
    j->orthogonal = gm_td_take(td, all);
    j->triangle = gm_td_take(td, widest * widest);
    j->small = gm_td_take(td, widest * widest);
    j->rest[0] = gm_td_take(td, largest);
    j->rest[1] = gm_td_take(td, largest);
    gm_td_end(td);
    return GM_STATUS_OK;
}

/*
 * Cores d - 1 .. 1 with orthonormal rows as (r_(k-1), n_k r_k), their ranks in `ranks` (of the
 * boundary left of core k), and the first with all that they gave up in rest[0].
 */
static gm_status orthogonalize(job *j, int64_t *ranks) {
    gm_td *td = &j->td;
    gm_tensor last =
        gm_tensor_3d(j->rest[0], td->dtype, j->x[j->d - 1].shape[0], j->x[j->d - 1].shape[1], 1);
    int64_t right = 1, offset = 0;
    GM_TRY(gm_td_copy(td, &j->x[j->d - 1], &last));
    for (int32_t k = 0; k < j->d; ++k) {
        offset += gm_td_elements(&j->x[k]);
    }
    for (int32_t k = j->d - 1; k > 0; --k) {
        const gm_tensor *before = &j->x[k - 1];
        const int64_t n = j->x[k].shape[1], wide = j->x[k].shape[0];
        const gm_tensor m = gm_td_matrix(td, j->rest[0], wide, n * right);
        const gm_tensor tall = gm_td_transposed(&m);
        gm_workspace workspace = gm_td_linalg(td);
        ranks[k] = rank_from_right(&j->x[k], right);
        offset -= gm_td_elements(&j->x[k]);
        const gm_tensor rows =
            gm_td_matrix(td, gm_td_at(td, j->orthogonal, offset), ranks[k], n * right);
        const gm_tensor q = gm_td_transposed(&rows);
        const gm_tensor r = gm_td_matrix(td, j->triangle, ranks[k], wide);
        GM_TRY(gm_linalg_qr(td->context, &tall, &q, &r, NULL, &workspace));
        right = ranks[k];
        const gm_tensor next =
            gm_tensor_3d(j->rest[0], td->dtype, before->shape[0], before->shape[1], right);
        GM_TRY(gm_contract(td->context, "aib,cb->aic", 2, (gm_tensor[]){*before, r}, &next));
    }
    ranks[0] = 1;
    return GM_STATUS_OK;
}

/* From the left: what is left times the next core of `orthogonal`, as long as there is one. */
static gm_status run_round(job *j, const int64_t *ranks) {
    gm_td *td = &j->td;
    int64_t left = 1, offset = gm_td_elements(&j->x[0]);
    gm_tensor c = gm_td_matrix(td, j->rest[0], 1, 1);
    int place = 1;
    for (int32_t k = 0; k + 1 < j->d; ++k) {
        const int64_t right = ranks[k + 1], next_n = j->x[k + 1].shape[1];
        const int64_t next_right = k + 2 < j->d ? ranks[k + 2] : 1;
        gm_tensor u;
        c = gm_td_matrix(td, c.data, left * j->x[k].shape[1], right);
        GM_TRY(truncate(j, k, left, &c, &u));
        if (j->report->status != GM_STATUS_OK) {
            return GM_STATUS_OK;
        }
        left = u.shape[1];
        const gm_tensor part = gm_td_matrix(td, j->small, left, right);
        const gm_tensor core =
            gm_td_matrix(td, gm_td_at(td, j->orthogonal, offset), right, next_n * next_right);
        const gm_tensor next = gm_td_matrix(td, j->rest[place], left, next_n * next_right);
        GM_TRY(gm_contract(td->context, "ij,ik->jk", 2, (gm_tensor[]){u, c}, &part));
        GM_TRY(gm_contract(td->context, "ij,jk->ik", 2, (gm_tensor[]){part, core}, &next));
        offset += gm_td_elements(&j->x[k + 1]);
        c = next;
        place = 1 - place;
    }
    c = gm_td_matrix(td, c.data, left * j->x[j->d - 1].shape[1], 1);
    return end(j, left, &c);
}

gm_status gm_tt_round(gm_context *context, const gm_tt_options *options, int32_t count,
                      const gm_tensor *x, gm_tensor *cores, gm_approximation_report *report,
                      gm_workspace *workspace) {
    static const gm_tt_options defaults;
    const gm_tt_options *o = options != NULL ? options : &defaults;
    int64_t ranks[GM_TT_MOST_CORES];
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(check_options(context, o));
    GM_TRY(gm_tt_check(context, "x", count, x, false));
    GM_TRY(gm_tt_check(context, "cores", count, cores, true));
    GM_CHECK(context, cores[0].dtype == x[0].dtype, GM_STATUS_INVALID_ARGUMENT,
             "cores[0].dtype = %s: must be %s, as that of x", gm_dtype_name(cores[0].dtype),
             gm_dtype_name(x[0].dtype));
    for (int32_t k = 0; k < count; ++k) {
        GM_TRY(gm_check_size(context, "a core", &cores[k], 1, x[k].shape[1], "as x has it"));
    }
    GM_TRY(gm_tt_check_disjoint(context, count, cores, NULL, x));
    job j = begin(context, o->tolerance, count, x, cores, report);
    GM_TRY(take_round(&j));
    bool sized;
    GM_TRY(gm_tt_workspace(&j.td, workspace, count, cores, NULL, x, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    GM_TRY(take_round(&j));
    *report = (gm_approximation_report){.status = GM_STATUS_OK};
    GM_TRY(orthogonalize(&j, ranks));
    const gm_tensor first = gm_td_matrix(&j.td, j.rest[0], x[0].shape[1], count > 1 ? ranks[1] : 1);
    GM_TRY(gm_td_norm(&j.td, &first, &report->norm));
    report->status = isfinite(report->norm) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    if (report->status == GM_STATUS_OK) {
        GM_TRY(run_round(&j, ranks));
    }
    return finish(&j, o->tolerance);
}
