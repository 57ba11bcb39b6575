/* gm_cp_als: the canonical polyadic decomposition by alternating least squares. */
#include <math.h>
#include <stdlib.h>

#include <genmath/contract.h>
#include <genmath/gather.h>
#include <genmath/random.h>
#include <genmath/reduce.h>

#include "host/tensor_decompose/cp.h"

enum { ITERATIONS = 500, MOST_COMPONENTS = 4096 };

/* ---- checks ---------------------------------------------------------------------------------- */

static gm_status check_options(gm_context *context, const gm_cp_options *o) {
    GM_CHECK(context, (unsigned)o->start <= GM_CP_START_GIVEN, GM_STATUS_INVALID_ARGUMENT,
             "options.start = %d is not a start", (int)o->start);
    GM_CHECK(context, o->tolerance >= 0 && o->tolerance < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.tolerance = %g: must be in [0, 1)", o->tolerance);
    GM_CHECK(context, o->max_iterations >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.max_iterations = %lld: must be 0 or more", (long long)o->max_iterations);
    GM_CHECK(context, o->regularization >= 0 && o->regularization <= 1e6,
             GM_STATUS_INVALID_ARGUMENT, "options.regularization = %g: must be in [0, 1e6]",
             o->regularization);
    GM_CHECK(context, o->history_size >= 0 && (o->history != NULL || o->history_size == 0),
             GM_STATUS_INVALID_ARGUMENT, "options.history is NULL or its size is negative");
    return GM_STATUS_OK;
}

static gm_status check_batch(const gm_cp_job *j, const char *name, const gm_tensor *tensor,
                             int32_t core) {
    GM_TRY(gm_check_output(j->td.context, name, tensor, j->batch_axes + core,
                           GM_DTYPE_BIT(j->td.dtype)));
    for (int32_t axis = 0; axis < j->batch_axes; ++axis) {
        GM_TRY(
            gm_check_size(j->td.context, name, tensor, axis, j->x->shape[axis], "the batch of x"));
    }
    return GM_STATUS_OK;
}

static gm_status check(gm_context *context, int32_t modes, gm_cp_job *j) {
    GM_TRY(check_options(context, &j->options));
    GM_CHECK(context, modes >= 2 && modes <= GM_TD_MOST_MODES, GM_STATUS_INVALID_ARGUMENT,
             "modes = %d: must be 2 to %d", (int)modes, GM_TD_MOST_MODES);
    GM_TRY(gm_td_check_input(context, "x", j->x, j->x != NULL ? j->x->ndim : 0));
    GM_CHECK(context, j->x->ndim >= modes && j->x->ndim < GM_MAX_LABELS, GM_STATUS_SHAPE_MISMATCH,
             "x.ndim = %d: must be modes = %d or more, at most %d", (int)j->x->ndim, (int)modes,
             GM_MAX_LABELS - 1);
    GM_CHECK(context, j->weights != NULL && j->factors != NULL, GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", j->weights == NULL ? "weights" : "factors");
    j->td.dtype = j->x->dtype;
    j->d = modes;
    j->batch_axes = j->x->ndim - modes;
    GM_TRY(check_batch(j, "weights", j->weights, 1));
    j->r = j->weights->shape[j->batch_axes];
    GM_CHECK(context, j->r >= 1 && j->r <= MOST_COMPONENTS, GM_STATUS_INVALID_ARGUMENT,
             "weights has %lld components: must be 1 to %d", (long long)j->r, MOST_COMPONENTS);
    j->problems = gm_td_elements(j->x);
    for (int32_t k = 0; k < modes; ++k) {
        char name[24];
        snprintf(name, sizeof name, "factors[%d]", (int)k);
        const gm_tensor *f = &j->factors[k];
        j->size[k] = j->x->shape[j->batch_axes + k];
        j->problems /= j->size[k];
        GM_CHECK(context, j->size[k] <= GM_LINALG_MAX_SIZE, GM_STATUS_INVALID_ARGUMENT,
                 "mode %d of x has %lld entries: at most %d", (int)k, (long long)j->size[k],
                 GM_LINALG_MAX_SIZE);
        GM_TRY(check_batch(j, name, f, 2));
        GM_TRY(gm_check_size(context, name, f, j->batch_axes, j->size[k], "a size of x"));
        GM_TRY(gm_check_size(context, name, f, j->batch_axes + 1, j->r, "as weights has"));
    }
    j->goal = j->options.tolerance > 0 ? j->options.tolerance : j->td.dtype == GM_F32 ? 1e-5 : 1e-8;
    return GM_STATUS_OK;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static gm_status need(gm_cp_job *j, int64_t longest) {
    const gm_linalg_matrix v = gm_td_described(&j->td, j->r, j->r, true),
                           b = gm_td_described(&j->td, j->r, longest, true);
    const gm_linalg_matrix number = gm_td_described(&j->td, 1, 1, true);
    gm_linalg_args args = {.in = {v}, .out = {v}, .status = number, .rcond = number};
    GM_TRY(gm_td_need(&j->td, GM_LINALG_CHOLESKY, j->problems, args));
    args = (gm_linalg_args){.in = {v, b}, .out = {b}};
    GM_TRY(gm_td_need(&j->td, GM_LINALG_TRIANGULAR_SOLVE, j->problems, args));
    args = (gm_linalg_args){.in = {v}, .out = {v}, .cutoff = (double)j->r * gm_td_eps(j->td.dtype)};
    return gm_td_need(&j->td, GM_LINALG_PSEUDOINVERSE, j->problems, args);
}

static gm_status take(gm_cp_job *j) {
    gm_td *td = &j->td;
    const int64_t p = j->problems, square = p * j->r * j->r;
    int64_t elements = 1, longest = 1;
    gm_td_begin(td);
    for (int32_t k = 0; k < j->d; ++k) {
        elements *= j->size[k];
        longest = j->size[k] > longest ? j->size[k] : longest;
        j->factor[k] = gm_td_take(td, p * j->size[k] * j->r);
        j->gram[k] = gm_td_take(td, square);
    }
    void **const squares[] = {&j->v, &j->triangle, &j->inverse};
    for (int i = 0; i < 3; ++i) {
        *squares[i] = gm_td_take(td, square);
    }
    j->m = gm_td_take(td, p * longest * j->r);
    j->column = gm_td_take(td, longest * j->r);
    j->weight = gm_td_take(td, p * j->r);
    j->divisor = gm_td_take(td, p * j->r);
    j->order = gm_arena_take(&td->arena, j->r, sizeof(int64_t));
    j->status = gm_arena_take(&td->arena, p, sizeof(int32_t));
    j->rcond = gm_td_take(td, p);
    j->inner = gm_td_take(td, p);
    j->square = gm_td_take(td, p);
    j->rest = gm_td_take(td, p * elements);
    GM_TRY(need(j, longest));
    if (j->options.start == GM_CP_START_HOSVD) {
        j->rows = (gm_td_rows){.count = 0};
        for (int32_t k = 0; k < j->d; ++k) {
            GM_TRY(gm_td_rows_need(td, elements / j->size[k], j->size[k], &j->rows));
        }
        gm_td_rows_take(td, &j->rows);
    }
    gm_td_end(td);
    return GM_STATUS_OK;
}

/* ---- the start ---------------------------------------------------------------------------------
 */

/* Normals in every factor, the same for every problem: mode after mode of one sequence. */
static gm_status start_random(gm_cp_job *j) {
    gm_random_stream stream = {.seed = j->options.seed};
    for (int32_t k = 0; k < j->d; ++k) {
        const gm_tensor one = gm_td_matrix(&j->td, j->column, j->size[k], j->r);
        const gm_tensor all = gm_cp_factor(j, k);
        GM_TRY(gm_random_fill_normal(j->td.context, &stream, 0, 1, &one));
        GM_TRY(gm_td_copy(&j->td, &one, &all));
        stream.index += (uint64_t)(j->size[k] * j->r);
    }
    return GM_STATUS_OK;
}

/* The leading left singular vectors of the unfolding of mode k of one problem. */
static gm_status start_mode(gm_cp_job *j, int64_t problem, int32_t k) {
    const gm_tensor x = gm_td_problem(j->x, j->batch_axes, problem);
    int32_t order[GM_TD_MOST_MODES], to = 0;
    for (int32_t i = 0; i < j->d; ++i) {
        if (i != k) {
            order[to++] = i;
        }
    }
    order[to] = k;
    gm_tensor permuted;
    GM_TRY(gm_tensor_permute(&x, order, &permuted));
    const gm_tensor copy = gm_td_batch(&j->td, j->rest, &x, 0, j->d, permuted.shape);
    const int64_t n = j->size[k];
    const gm_tensor rows = gm_td_matrix(&j->td, j->rest, gm_td_elements(&x) / n, n);
    gm_status went;
    GM_TRY(gm_td_copy(&j->td, &permuted, &copy));
    GM_TRY(gm_td_rows_run(&j->td, &j->rows, &rows, &went));
    if (went != GM_STATUS_OK) { /* what is there stays; bad entries show in the first iteration */
        return GM_STATUS_OK;
    }
    const int64_t found = j->rows.count < j->r ? j->rows.count : j->r;
    const gm_tensor vt = gm_td_matrix(&j->td, j->rows.vt, found, n);
    const gm_tensor u = gm_td_transposed(&vt), all = gm_cp_factor(j, k);
    const gm_tensor mine = gm_td_problem(&all, j->batch_axes, problem);
    const gm_tensor leading = gm_td_slice(&mine, 1, 0, found);
    return gm_td_copy(&j->td, &u, &leading);
}

static gm_status start(gm_cp_job *j) {
    if (j->options.start == GM_CP_START_GIVEN) {
        for (int32_t k = 1; k < j->d; ++k) {
            const gm_tensor f = gm_cp_factor(j, k);
            GM_TRY(gm_td_copy(&j->td, &j->factors[k], &f));
        }
        return GM_STATUS_OK;
    }
    GM_TRY(start_random(j));
    for (int64_t p = 0; j->options.start == GM_CP_START_HOSVD && p < j->problems; ++p) {
        for (int32_t k = 1; k < j->d; ++k) {
            GM_TRY(start_mode(j, p, k));
        }
    }
    return GM_STATUS_OK;
}

/* ---- the end of a problem ----------------------------------------------------------------------
 */

typedef struct component {
    double weight;
    int64_t index;
} component;

static int by_weight(const void *a, const void *b) {
    const component *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight) - (x->weight > y->weight)
                                  : (x->index > y->index) - (x->index < y->index);
}

/* The components of a problem into the user's arrays, the largest weight first. */
static gm_status store(gm_cp_job *j, int64_t p) {
    component components[MOST_COMPONENTS];
    int64_t order[MOST_COMPONENTS];
    double numbers[GM_TD_FETCH];
    for (int64_t i = 0; i < j->r; ++i) {
        const int64_t at = i % GM_TD_FETCH, left = j->r - i;
        if (at == 0) {
            GM_TRY(gm_td_fetch(&j->td, j->weight, p * j->r + i,
                               left < GM_TD_FETCH ? left : GM_TD_FETCH, numbers));
        }
        components[i] = (component){numbers[at], i};
    }
    qsort(components, (size_t)j->r, sizeof *components, by_weight);
    for (int64_t i = 0; i < j->r; ++i) {
        order[i] = components[i].index;
    }
    GM_TRY(gm_memory_upload(j->td.context, j->order, order, (size_t)j->r * sizeof *order));
    const gm_tensor indices = gm_tensor_1d(j->order, GM_I64, j->r);
    const gm_tensor all = gm_cp_batch(j, j->weight, 1, j->r, 0);
    const gm_tensor w = gm_td_problem(&all, j->batch_axes, p);
    const gm_tensor out = gm_td_problem(j->weights, j->batch_axes, p);
    GM_TRY(gm_gather(j->td.context, -1, &w, &indices, &out, NULL));
    for (int32_t k = 0; k < j->d; ++k) {
        const gm_tensor factors = gm_cp_factor(j, k);
        const gm_tensor f = gm_td_problem(&factors, j->batch_axes, p);
        const gm_tensor to = gm_td_problem(&j->factors[k], j->batch_axes, p);
        GM_TRY(gm_gather(j->td.context, -1, &f, &indices, &to, NULL));
    }
    return GM_STATUS_OK;
}

static gm_status fail(gm_cp_job *j, int64_t p) {
    gm_approximation_report *report = &j->report[p];
    report->status = GM_STATUS_NON_FINITE;
    report->error = NAN;
    const gm_tensor w = gm_td_problem(j->weights, j->batch_axes, p);
    GM_TRY(gm_td_fill(&j->td, NAN, &w));
    for (int32_t k = 0; k < j->d; ++k) {
        const gm_tensor f = gm_td_problem(&j->factors[k], j->batch_axes, p);
        GM_TRY(gm_td_fill(&j->td, NAN, &f));
    }
    return GM_STATUS_OK;
}

/* What the iteration did to a problem that is still at work. */
static gm_status judge(gm_cp_job *j, int64_t p) {
    gm_approximation_report *report = &j->report[p];
    const double before = report->error;
    ++report->iterations;
    if (!isfinite(report->bound)) {
        return fail(j, p);
    }
    report->error = sqrt(fmax(report->bound, 0));
    if (report->iterations <= j->options.history_size) {
        j->options.history[p * j->options.history_size + report->iterations - 1] = report->error;
    }
    if (fabs(before - report->error) <= j->goal) {
        report->status = GM_STATUS_OK;
        return store(j, p);
    }
    return GM_STATUS_OK;
}

/* ---- the method --------------------------------------------------------------------------------
 */

static gm_status begin(gm_cp_job *j, int64_t *at_work) {
    const gm_tensor norm = gm_cp_batch(j, j->inner, 0, 0, 0);
    const gm_reduce_options norm2 = {.reduction = GM_REDUCE_NORM2,
                                     .axes = (((uint32_t)1 << j->d) - 1) << j->batch_axes};
    GM_TRY(start(j));
    for (int32_t k = 1; k < j->d; ++k) {
        GM_TRY(gm_cp_normalize(j, k));
    }
    GM_TRY(gm_reduce(j->td.context, &norm2, j->x, &norm));
    *at_work = 0;
    for (int64_t p = 0; p < j->problems; ++p) {
        j->report[p] =
            (gm_approximation_report){.status = GM_STATUS_NOT_CONVERGED, .error = INFINITY};
        GM_TRY(gm_td_fetch(&j->td, j->inner, p, 1, &j->report[p].norm));
        if (!isfinite(j->report[p].norm)) {
            GM_TRY(fail(j, p));
        }
        *at_work += gm_cp_active(j, p);
    }
    return GM_STATUS_OK;
}

static gm_status run(gm_cp_job *j) {
    const int64_t most = j->options.max_iterations > 0 ? j->options.max_iterations : ITERATIONS;
    int64_t at_work;
    GM_TRY(begin(j, &at_work));
    for (int64_t i = 0; i < most && at_work > 0; ++i) {
        for (int32_t k = 0; k < j->d; ++k) {
            GM_TRY(gm_cp_improve(j, k));
        }
        GM_TRY(gm_cp_measure(j));
        at_work = 0;
        for (int64_t p = 0; p < j->problems; ++p) {
            if (gm_cp_active(j, p)) {
                GM_TRY(judge(j, p));
                at_work += gm_cp_active(j, p);
            }
        }
    }
    for (int64_t p = 0; p < j->problems; ++p) {
        j->report[p].bound = NAN;
        if (gm_cp_active(j, p)) {
            GM_TRY(store(j, p));
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_cp_als(gm_context *context, const gm_cp_options *options, const gm_tensor *x,
                    int32_t modes, const gm_tensor *weights, const gm_tensor *factors,
                    gm_approximation_report *report, gm_workspace *workspace) {
    static const gm_cp_options defaults;
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    gm_cp_job j = {.td = {.context = context},
                   .x = x,
                   .weights = weights,
                   .factors = factors,
                   .options = options != NULL ? *options : defaults,
                   .report = report};
    GM_TRY(check(context, modes, &j));
    gm_td_operand operands[GM_TD_MOST_MODES + 2] = {{"x", x, false}, {"weights", weights, true}};
    for (int32_t k = 0; k < modes; ++k) {
        operands[2 + k] = (gm_td_operand){"a factor", &factors[k], true};
    }
    GM_TRY(gm_td_check_disjoint(context, operands, 2 + modes));
    GM_TRY(take(&j));
    bool sized;
    GM_TRY(gm_td_workspace(&j.td, workspace, operands, 2 + modes, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    GM_TRY(take(&j));
    return run(&j);
}

gm_status gm_cp_reconstruct(gm_context *context, int32_t modes, const gm_tensor *weights,
                            const gm_tensor *factors, const gm_tensor *out) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, factors != NULL, GM_STATUS_INVALID_ARGUMENT, "factors is NULL");
    GM_CHECK(context, modes >= 1 && modes <= GM_TD_MOST_MODES, GM_STATUS_INVALID_ARGUMENT,
             "modes = %d: must be 1 to %d", (int)modes, GM_TD_MOST_MODES);
    gm_tensor inputs[GM_TD_MOST_MODES + 1];
    char expression[GM_CP_EXPRESSION], *text = expression;
    int32_t count = 0;
    if (weights != NULL) {
        inputs[count++] = *weights;
        text += sprintf(text, "...z,");
    }
    for (int32_t k = 0; k < modes; ++k) {
        inputs[count++] = factors[k];
        text += sprintf(text, "...%cz%s", 'a' + k, k < modes - 1 ? "," : "->...");
    }
    for (int32_t k = 0; k < modes; ++k) {
        *text++ = (char)('a' + k);
    }
    *text = '\0';
    return gm_contract(context, expression, count, inputs, out);
}
