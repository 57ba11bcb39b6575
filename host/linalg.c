/* What the operations of linear algebra share: binding tensors to a problem, workspace, dispatch.
 */
#include "host/linalg/check.h"

#define NAME(kind, name) "linalg_" #name,
static const char *const names[] = {GM_LINALG_LIST(NAME)};

static gm_dtype dtype_of(gm_linalg_number number, gm_dtype dtype) {
    const bool single = dtype == GM_F32 || dtype == GM_C64;
    switch (number) {
    case GM_LINALG_REAL:
        return single ? GM_F32 : GM_F64;
    case GM_LINALG_COMPLEX:
        return single ? GM_C64 : GM_C128;
    case GM_LINALG_INTEGER:
        return GM_I32;
    default:
        return dtype;
    }
}

/* Describes a checked tensor whose last `core` axes are the matrix and what is in front of it. */
static void describe(const gm_tensor *tensor, int32_t core, gm_linalg_matrix *m) {
    const int32_t batch = tensor->ndim - core;
    const int32_t rows = tensor->ndim - (core >= 2 ? 2 : core), columns = tensor->ndim - 1;
    *m = (gm_linalg_matrix){
        .data = tensor->data, .dtype = tensor->dtype, .rows = 1, .columns = 1, .extra = {1, 1}};
    if (core >= 1) {
        m->rows = tensor->shape[rows];
        m->row_stride = tensor->stride[rows];
    }
    if (core >= 2) {
        m->columns = tensor->shape[columns];
        m->column_stride = tensor->stride[columns];
    }
    for (int32_t i = 0; i < core - 2; ++i) {
        m->extra[i] = tensor->shape[batch + i];
        m->extra_stride[i] = tensor->stride[batch + i];
    }
    for (int32_t axis = 0; axis < batch; ++axis) {
        m->batch_stride[axis] = tensor->stride[axis];
    }
}

gm_status gm_linalg_open(gm_context *context, gm_linalg_kind kind, const gm_tensor *a, int32_t core,
                         gm_linalg_args *args) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_TRY(gm_check_tensor(context, "a", a, a != NULL ? a->ndim : 0, GM_LINALG_DTYPES));
    GM_CHECK(context, a->ndim >= core, GM_STATUS_SHAPE_MISMATCH, "a.ndim = %d: must be %d or more",
             (int)a->ndim, (int)core);
    *args = (gm_linalg_args){.kind = kind, .dtype = a->dtype, .problems = 1};
    describe(a, core, &args->in[0]);
    args->batch_axes = a->ndim - core;
    for (int32_t axis = 0; axis < args->batch_axes; ++axis) {
        args->batch_shape[axis] = a->shape[axis];
        args->problems *= a->shape[axis]; /* an empty matrix hides no overflow: checked above */
    }
    const gm_linalg_matrix *m = &args->in[0];
    GM_CHECK(context, m->rows <= GM_LINALG_MAX_SIZE && m->columns <= GM_LINALG_MAX_SIZE,
             GM_STATUS_INVALID_ARGUMENT, "a is a batch of %lld x %lld matrices: at most %d rows",
             (long long)m->rows, (long long)m->columns, GM_LINALG_MAX_SIZE);
    return GM_STATUS_OK;
}

gm_status gm_linalg_square(gm_context *context, const gm_linalg_args *args) {
    const gm_linalg_matrix *a = &args->in[0];
    GM_CHECK(context, a->rows == a->columns, GM_STATUS_SHAPE_MISMATCH,
             "a is a batch of %lld x %lld matrices: must be square", (long long)a->rows,
             (long long)a->columns);
    return GM_STATUS_OK;
}

int64_t gm_linalg_axis(const gm_tensor *tensor, int32_t from_last) {
    const bool there =
        tensor != NULL && tensor->ndim <= GM_MAX_DIMS && tensor->ndim + from_last >= 0;
    return there ? tensor->shape[tensor->ndim + from_last] : -1;
}

static gm_status bind(gm_context *context, const gm_linalg_args *args, const gm_linalg_operand *o) {
    if (o->tensor == NULL) {
        GM_CHECK(context, !o->needed, GM_STATUS_INVALID_ARGUMENT, "%s is NULL", o->name);
        return GM_STATUS_OK;
    }
    const int32_t ndim = args->batch_axes + o->core;
    const unsigned dtypes = GM_DTYPE_BIT(dtype_of(o->number, args->dtype));
    GM_TRY(o->input ? gm_check_tensor(context, o->name, o->tensor, ndim, dtypes)
                    : gm_check_output(context, o->name, o->tensor, ndim, dtypes));
    for (int32_t axis = 0; axis < args->batch_axes; ++axis) {
        GM_TRY(gm_check_size(context, o->name, o->tensor, axis, args->batch_shape[axis],
                             "the batch of a"));
    }
    const int32_t sized = o->core < 2 ? o->core : 2;
    for (int32_t i = 0; i < sized; ++i) {
        GM_TRY(
            gm_check_size(context, o->name, o->tensor, ndim - sized + i, o->size[i], o->because));
    }
    describe(o->tensor, o->core, o->to);
    return GM_STATUS_OK;
}

enum { REPORTED = 3, MOST_OPERANDS = 8 };

/* An input and an output may be one view; anything else that touches is refused. */
static gm_status check_overlaps(gm_context *context, const gm_tensor *a, const gm_linalg_operand *o,
                                int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
        if (!o[i].input) {
            GM_TRY(gm_check_disjoint(context, o[i].name, o[i].tensor, "a", a, true));
        }
        for (int32_t j = 0; j < i; ++j) {
            if (!o[i].input || !o[j].input) {
                GM_TRY(gm_check_disjoint(context, o[i].name, o[i].tensor, o[j].name, o[j].tensor,
                                         o[i].input != o[j].input));
            }
        }
    }
    return GM_STATUS_OK;
}

static gm_status check_workspace(gm_context *context, gm_linalg_args *args, size_t bytes,
                                 const gm_tensor *a, const gm_linalg_operand *o, int32_t count,
                                 const gm_workspace *workspace) {
    gm_tensor scratch;
    GM_TRY(gm_check_workspace(context, names[args->kind], bytes, workspace->data, workspace->bytes,
                              &scratch));
    GM_TRY(gm_check_disjoint(context, "workspace", &scratch, "a", a, false));
    for (int32_t i = 0; i < count; ++i) {
        GM_TRY(gm_check_disjoint(context, "workspace", &scratch, o[i].name, o[i].tensor, false));
    }
    args->workspace = workspace->data;
    args->workspace_bytes = workspace->bytes;
    return GM_STATUS_OK;
}

/* As GM_BACKEND_WITH, which cannot name an entry of a table. */
static const gm_linalg_entry *entry_of(gm_context *context, gm_linalg_kind kind) {
    const gm_linalg_entry *entry = &context->backend->linalg[kind];
    if (entry->run == NULL && context->fallback != NULL) {
        entry = &context->fallback->linalg[kind];
    }
    if (entry->run == NULL) {
        gm_fail(context, GM_STATUS_UNSUPPORTED, "%s: the %s backend has no kernel for it",
                names[kind], context->backend->name);
        return NULL;
    }
    return entry;
}

gm_status gm_linalg_run(gm_context *context, gm_linalg_args *args, const gm_tensor *a,
                        const gm_linalg_operand *operands, int32_t count,
                        const gm_linalg_report *report, int reported, gm_workspace *workspace) {
    static const gm_linalg_report none;
    report = report != NULL ? report : &none;
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_CHECK(context, report->rcond == NULL || reported & GM_LINALG_RCOND,
             GM_STATUS_INVALID_ARGUMENT, "report.rcond: %s gives none for these arguments",
             names[args->kind]);
    GM_CHECK(context, report->residual == NULL || reported & GM_LINALG_RESIDUAL,
             GM_STATUS_INVALID_ARGUMENT, "report.residual: %s gives none for these arguments",
             names[args->kind]);
    gm_linalg_operand all[MOST_OPERANDS] = {
        {"report.status", report->status, &args->status, .number = GM_LINALG_INTEGER},
        {"report.rcond", report->rcond, &args->rcond, .number = GM_LINALG_REAL},
        {"report.residual", report->residual, &args->residual, .number = GM_LINALG_REAL},
    };
    for (int32_t i = 0; i < count; ++i) {
        all[REPORTED + i] = operands[i];
    }
    count += REPORTED;
    for (int32_t i = 0; i < count; ++i) {
        GM_TRY(bind(context, args, &all[i]));
    }
    GM_TRY(check_overlaps(context, a, all, count));
    const gm_linalg_entry *entry = entry_of(context, args->kind);
    if (entry == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    const size_t bytes = entry->workspace(&context->call, args);
    if (workspace->data == NULL) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    GM_TRY(check_workspace(context, args, bytes, a, all, count, workspace));
    return args->problems == 0 ? GM_STATUS_OK : entry->run(&context->call, args);
}
