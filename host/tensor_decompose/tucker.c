/* gm_tucker: HOSVD, ST-HOSVD and HOOI. */
#include <math.h>

#include <genmath/contract.h>
#include <genmath/elementwise.h>

#include "host/tensor_decompose/tools.h"

enum { ITERATIONS = 50, EXPRESSION = 128 };

typedef struct job {
    gm_td td;
    const gm_tensor *x;
    gm_tensor *core, *factors;
    int32_t d;
    int64_t most[GM_TD_MOST_MODES], rank[GM_TD_MOST_MODES]; /* allowed, found */
    gm_tucker_options options;
    gm_approximation_report *report;
    gm_td_rows rows;
    void *unfolding;  /* as many numbers as x: what is decomposed, then x - the result */
    void *reduced[2]; /* x with some modes truncated */
} job;

static bool kept(const job *j, int32_t mode) {
    return (j->options.keep >> mode & 1u) != 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_options(gm_context *context, const gm_tucker_options *o, int32_t d) {
    GM_CHECK(context, (unsigned)o->method <= GM_TUCKER_HOOI, GM_STATUS_INVALID_ARGUMENT,
             "options.method = %d is not a method", (int)o->method);
    GM_CHECK(context, o->tolerance >= 0 && o->tolerance < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.tolerance = %g: must be in [0, 1)", o->tolerance);
    GM_CHECK(context, o->keep >> d == 0, GM_STATUS_INVALID_ARGUMENT,
             "options.keep = %#x: x has %d modes", (unsigned)o->keep, (int)d);
    GM_CHECK(context, o->max_iterations >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.max_iterations = %lld: must be 0 or more", (long long)o->max_iterations);
    GM_CHECK(context, o->convergence >= 0 && o->convergence < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.convergence = %g: must be in [0, 1)", o->convergence);
    return GM_STATUS_OK;
}

static gm_status check(gm_context *context, job *j) {
    const gm_tensor *x = j->x;
    GM_TRY(gm_td_check_input(context, "x", x, x != NULL ? x->ndim : 0));
    j->d = x->ndim;
    j->td.dtype = x->dtype;
    GM_CHECK(context, j->d >= 1 && j->d <= GM_TD_MOST_MODES, GM_STATUS_INVALID_ARGUMENT,
             "x.ndim = %d: must be 1 to %d", (int)j->d, GM_TD_MOST_MODES);
    GM_TRY(check_options(context, &j->options, j->d));
    GM_TRY(gm_td_check_found(context, "core", j->core, j->d, x->dtype));
    GM_CHECK(context, j->factors != NULL, GM_STATUS_INVALID_ARGUMENT, "factors is NULL");
    for (int32_t k = 0; k < j->d; ++k) {
        char name[24];
        snprintf(name, sizeof name, "factors[%d]", (int)k);
        GM_TRY(gm_td_check_found(context, name, &j->factors[k], 2, x->dtype));
        GM_TRY(gm_check_size(context, name, &j->factors[k], 0, x->shape[k], "a size of x"));
        GM_TRY(
            gm_check_size(context, name, &j->factors[k], 1, j->core->shape[k], "as the core has"));
        j->most[k] = j->core->shape[k] < x->shape[k] ? j->core->shape[k] : x->shape[k];
        GM_CHECK(context, !kept(j, k) || j->most[k] == x->shape[k], GM_STATUS_SHAPE_MISMATCH,
                 "core.shape[%d] = %lld: must be %lld, options.keep names this mode", (int)k,
                 (long long)j->core->shape[k], (long long)x->shape[k]);
    }
    return GM_STATUS_OK;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static gm_status take(job *j) {
    gm_td *td = &j->td;
    const int64_t elements = gm_td_elements(j->x);
    gm_td_begin(td);
    j->rows = (gm_td_rows){.count = 0};
    for (int32_t k = 0; k < j->d; ++k) {
        if (!kept(j, k)) {
            GM_TRY(gm_td_rows_need(td, elements / j->x->shape[k], j->x->shape[k], &j->rows));
        }
    }
    gm_td_rows_take(td, &j->rows);
    j->unfolding = gm_td_take(td, elements);
    j->reduced[0] = gm_td_take(td, elements);
    j->reduced[1] = gm_td_take(td, elements);
    gm_td_end(td);
    return GM_STATUS_OK;
}

/* ---- parts -------------------------------------------------------------------------------------
 */

/* "abc,bB,cC->aBC" and the like: the operand, then U_k of the modes in `modes` (bit k), then the
 * result, with mode `last` at the end (-1: in order). */
static void write_expression(int32_t d, uint32_t modes, int32_t last, char *text) {
    for (int32_t k = 0; k < d; ++k) {
        *text++ = (char)('a' + k);
    }
    for (int32_t k = 0; k < d; ++k) {
        if (modes >> k & 1u) {
            *text++ = ',';
            *text++ = (char)('a' + k);
            *text++ = (char)('A' + k);
        }
    }
    *text++ = '-';
    *text++ = '>';
    for (int32_t i = 0; i < d; ++i) {
        if (i != last) {
            *text++ = (char)((modes >> i & 1u ? 'A' : 'a') + i);
        }
    }
    if (last >= 0) {
        *text++ = (char)((modes >> last & 1u ? 'A' : 'a') + last);
    }
    *text = '\0';
}

/* A row-major view with the sizes of `like`, but the rank in the modes named, and `last` last. */
static gm_tensor shaped(const job *j, void *data, const gm_tensor *like, uint32_t modes,
                        int32_t last) {
    int64_t sizes[GM_TD_MOST_MODES];
    int32_t to = 0;
    for (int32_t k = 0; k < j->d; ++k) {
        if (k != last) {
            sizes[to++] = modes >> k & 1u ? j->rank[k] : like->shape[k];
        }
    }
    if (last >= 0) {
        sizes[to] = modes >> last & 1u ? j->rank[last] : like->shape[last];
    }
    return gm_td_batch(&j->td, data, like, 0, j->d, sizes);
}

/* out = in x_k U_k^T over the modes named, with mode `last` at the end. */
static gm_status multiply(const job *j, const gm_tensor *in, uint32_t modes, int32_t last,
                          const gm_tensor *out) {
    gm_tensor inputs[GM_TD_MOST_MODES + 1] = {*in};
    char expression[EXPRESSION];
    int32_t count = 1;
    for (int32_t k = 0; k < j->d; ++k) {
        if (modes >> k & 1u) {
            inputs[count++] = j->factors[k];
        }
    }
    write_expression(j->d, modes, last, expression);
    return gm_contract(j->td.context, expression, count, inputs, out);
}

static uint32_t reduced_modes(const job *j) {
    return (((uint32_t)1 << j->d) - 1) & ~j->options.keep;
}

/* The unfolding of mode k as rows of n_k: a view where two strides can walk it, else a copy. */
static gm_status unfold(job *j, const gm_tensor *t, int32_t k, gm_tensor *rows) {
    const int64_t n = t->shape[k], others = gm_td_elements(t) / n;
    const bool whole = gm_tensor_is_contiguous(t);
    *rows = gm_td_matrix(&j->td, whole ? t->data : j->unfolding, others, n);
    if (whole && k == 0) {
        rows->stride[0] = 1;
        rows->stride[1] = others;
    }
    if (whole && (k == 0 || k == j->d - 1)) {
        return GM_STATUS_OK;
    }
    int32_t order[GM_TD_MOST_MODES], to = 0;
    for (int32_t i = 0; i < j->d; ++i) {
        if (i != k) {
            order[to++] = i;
        }
    }
    order[to] = k;
    gm_tensor permuted;
    GM_TRY(gm_tensor_permute(t, order, &permuted));
    const gm_tensor copy = shaped(j, j->unfolding, t, 0, k);
    rows->data = j->unfolding;
    return gm_td_copy(&j->td, &permuted, &copy);
}

/* U_k from the rows of an unfolding, of at most `most` columns. */
static gm_status find_factor(job *j, int32_t k, const gm_tensor *rows, int64_t most, double share,
                             double *discarded) {
    GM_TRY(gm_td_rows_run(&j->td, &j->rows, rows, &j->report->status));
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    const int64_t allowed = most < j->rows.count ? most : j->rows.count;
    GM_TRY(gm_td_choose_rank(&j->td, j->rows.s, j->rows.count, allowed, j->report->norm, share,
                             &j->rank[k], discarded));
    j->factors[k] = gm_td_matrix(&j->td, j->factors[k].data, rows->shape[1], j->rank[k]);
    const gm_tensor vt = gm_td_matrix(&j->td, j->rows.vt, j->rank[k], rows->shape[1]);
    const gm_tensor u = gm_td_transposed(&vt);
    return gm_td_copy(&j->td, &u, &j->factors[k]);
}

static gm_status set_identity(job *j, int32_t k) {
    gm_tensor *u = &j->factors[k], diagonal = *u;
    j->rank[k] = u->shape[0];
    *u = gm_td_matrix(&j->td, u->data, j->rank[k], j->rank[k]);
    diagonal = gm_tensor_1d(u->data, u->dtype, j->rank[k]);
    diagonal.stride[0] = j->rank[k] + 1;
    GM_TRY(gm_td_fill(&j->td, 0, u));
    return gm_td_fill(&j->td, 1, &diagonal);
}

static void set_core(job *j) {
    *j->core = gm_td_batch(&j->td, j->core->data, j->core, 0, j->d, j->rank);
}

/* ---- the methods -------------------------------------------------------------------------------
 */

/* The part of |x|^2 that a mode may lose. */
static double share_of(const job *j) {
    const double e = j->options.tolerance;
    return e > 0 ? e * e / j->d : -1;
}

/* Adds what a mode discarded to report->bound, which is squared until the end. */
static gm_status truncate(job *j, int32_t k, const gm_tensor *t) {
    gm_tensor rows;
    double discarded = 0;
    if (kept(j, k)) {
        return set_identity(j, k);
    }
    GM_TRY(unfold(j, t, k, &rows));
    GM_TRY(find_factor(j, k, &rows, j->most[k], share_of(j), &discarded));
    j->report->bound += discarded;
    return GM_STATUS_OK;
}

static gm_status sequentially(job *j) {
    gm_tensor now = *j->x;
    int place = 0;
    for (int32_t k = 0; k < j->d && j->report->status == GM_STATUS_OK; ++k) {
        GM_TRY(truncate(j, k, &now));
        if (j->report->status == GM_STATUS_OK && !kept(j, k)) {
            const uint32_t mode = (uint32_t)1 << k;
            const gm_tensor next = shaped(j, j->reduced[place], &now, mode, -1);
            GM_TRY(multiply(j, &now, mode, -1, &next));
            now = next;
            place = 1 - place;
        }
    }
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    set_core(j);
    return gm_td_copy(&j->td, &now, j->core);
}

static gm_status at_once(job *j) {
    for (int32_t k = 0; k < j->d && j->report->status == GM_STATUS_OK; ++k) {
        GM_TRY(truncate(j, k, j->x));
    }
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    set_core(j);
    return multiply(j, j->x, reduced_modes(j), -1, j->core);
}

/* One pass over the modes: each factor the best for the others as they are. */
static gm_status improve(job *j) {
    for (int32_t k = 0; k < j->d && j->report->status == GM_STATUS_OK; ++k) {
        if (!kept(j, k)) {
            const uint32_t others = reduced_modes(j) & ~((uint32_t)1 << k);
            const gm_tensor part = shaped(j, j->reduced[0], j->x, others, k);
            const int64_t n = j->x->shape[k];
            const gm_tensor rows = gm_td_matrix(&j->td, part.data, gm_td_elements(&part) / n, n);
            double discarded;
            GM_TRY(multiply(j, j->x, others, k, &part));
            GM_TRY(find_factor(j, k, &rows, j->rank[k], -1, &discarded));
        }
    }
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    set_core(j);
    return multiply(j, j->x, reduced_modes(j), -1, j->core);
}

static gm_status iterate(job *j) {
    const double goal = j->options.convergence > 0 ? j->options.convergence
                        : j->td.dtype == GM_F32    ? 1e-6
                                                   : 1e-10;
    const int64_t most = j->options.max_iterations > 0 ? j->options.max_iterations : ITERATIONS;
    double before, now;
    GM_TRY(sequentially(j));
    if (j->report->status != GM_STATUS_OK) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_td_norm(&j->td, j->core, &before));
    while (reduced_modes(j) != 0) {
        GM_TRY(improve(j));
        ++j->report->iterations;
        if (j->report->status != GM_STATUS_OK) {
            return GM_STATUS_OK;
        }
        GM_TRY(gm_td_norm(&j->td, j->core, &now));
        if (!(now - before > goal * j->report->norm)) {
            break;
        }
        before = now;
        if (j->report->iterations == most) {
            j->report->status = GM_STATUS_NOT_CONVERGED;
            break;
        }
    }
    return GM_STATUS_OK;
}

/* ---- how it went -------------------------------------------------------------------------------
 */

static gm_status fail(job *j) {
    for (int32_t k = 0; k < j->d; ++k) {
        j->rank[k] = j->most[k];
        j->factors[k] = gm_td_matrix(&j->td, j->factors[k].data, j->x->shape[k], j->rank[k]);
        GM_TRY(gm_td_fill(&j->td, NAN, &j->factors[k]));
    }
    set_core(j);
    j->report->bound = j->report->error = NAN;
    return gm_td_fill(&j->td, NAN, j->core);
}

static gm_status measure(job *j) {
    gm_tensor rest = *j->x;
    double norm;
    rest = gm_td_batch(&j->td, j->unfolding, &rest, 0, j->d, rest.shape);
    GM_TRY(gm_tucker_reconstruct(j->td.context, j->core, j->factors, &rest));
    GM_TRY(gm_combine(j->td.context, GM_COMBINE_SUBTRACT, 1, j->x, &rest, 0, &rest));
    GM_TRY(gm_td_norm(&j->td, &rest, &norm));
    j->report->error = j->report->norm > 0 ? norm / j->report->norm : 0;
    j->report->bound = sqrt(j->report->bound);
    return GM_STATUS_OK;
}

static gm_status run(job *j) {
    *j->report = (gm_approximation_report){.status = GM_STATUS_OK};
    GM_TRY(gm_td_norm(&j->td, j->x, &j->report->norm));
    if (!isfinite(j->report->norm)) {
        j->report->status = GM_STATUS_NON_FINITE;
        return fail(j);
    }
    GM_TRY(j->options.method == GM_TUCKER_HOSVD  ? at_once(j)
           : j->options.method == GM_TUCKER_HOOI ? iterate(j)
                                                 : sequentially(j));
    const gm_status went = j->report->status;
    if (went != GM_STATUS_OK && j->report->iterations == 0) {
        return fail(j);
    }
    GM_TRY(measure(j));
    const double allowed = j->options.tolerance;
    if (allowed > 0 && !(j->report->bound <= allowed)) {
        j->report->status = GM_STATUS_NOT_CONVERGED;
    }
    return GM_STATUS_OK;
}

gm_status gm_tucker(gm_context *context, const gm_tucker_options *options, const gm_tensor *x,
                    gm_tensor *core, gm_tensor *factors, gm_approximation_report *report,
                    gm_workspace *workspace) {
    static const gm_tucker_options defaults;
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    job j = {.td = {.context = context},
             .x = x,
             .core = core,
             .factors = factors,
             .options = options != NULL ? *options : defaults,
             .report = report};
    GM_TRY(check(context, &j));
    gm_td_operand operands[GM_TD_MOST_MODES + 2] = {{"x", x, false}, {"core", core, true}};
    for (int32_t k = 0; k < j.d; ++k) {
        operands[2 + k] = (gm_td_operand){"a factor", &factors[k], true};
    }
    GM_TRY(gm_td_check_disjoint(context, operands, 2 + j.d));
    GM_TRY(take(&j));
    bool sized;
    GM_TRY(gm_td_workspace(&j.td, workspace, operands, 2 + j.d, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    GM_TRY(take(&j));
    return run(&j);
}

gm_status gm_tucker_reconstruct(gm_context *context, const gm_tensor *core,
                                const gm_tensor *factors, const gm_tensor *out) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, core != NULL && factors != NULL, GM_STATUS_INVALID_ARGUMENT, "%s is NULL",
             core == NULL ? "core" : "factors");
    const int32_t d = core->ndim;
    GM_CHECK(context, d >= 1 && d <= GM_TD_MOST_MODES, GM_STATUS_INVALID_ARGUMENT,
             "core.ndim = %d: must be 1 to %d", (int)d, GM_TD_MOST_MODES);
    gm_tensor inputs[GM_TD_MOST_MODES + 1] = {*core};
    char expression[EXPRESSION], *text = expression;
    for (int32_t k = 0; k < d; ++k) {
        *text++ = (char)('A' + k);
    }
    for (int32_t k = 0; k < d; ++k) {
        inputs[1 + k] = factors[k];
        *text++ = ',';
        *text++ = (char)('a' + k);
        *text++ = (char)('A' + k);
    }
    *text++ = '-';
    *text++ = '>';
    for (int32_t k = 0; k < d; ++k) {
        *text++ = (char)('a' + k);
    }
    *text = '\0';
    return gm_contract(context, expression, d + 1, inputs, out);
}
