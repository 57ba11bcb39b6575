/* gm_structured_*: checks, the plan, quick return, dispatch. */
#include "host/frame.h"
#include "host/structured_args.h"

#define LONGEST (INT64_C(1) << 29)

struct gm_structured_plan {
    gm_frame frame;
    gm_structured_problem problem;
};

static gm_status fill_problem(gm_context *context, const gm_structured_options *o,
                              gm_structured_problem *p) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context,
             o->dtype == GM_F64 || o->dtype == GM_F32 || o->dtype == GM_C128 || o->dtype == GM_C64,
             GM_STATUS_INVALID_ARGUMENT, "options.dtype = %s: must be f64, f32, c128 or c64",
             gm_dtype_name(o->dtype));
    GM_CHECK(context, (unsigned)o->kind <= GM_CONVOLVE_CAUSAL, GM_STATUS_INVALID_ARGUMENT,
             "options.kind = %d is not a kind", (int)o->kind);
    const bool circulant = gm_is_circulant(o->kind);
    const int64_t m = circulant ? o->n : o->m, n = o->n;
    GM_CHECK(context, n >= 0 && n <= LONGEST, GM_STATUS_INVALID_ARGUMENT,
             "options.n = %lld: must be 0 to 2^29", (long long)n);
    GM_CHECK(context, m >= 0 && (circulant || m + n <= LONGEST), GM_STATUS_INVALID_ARGUMENT,
             "options.m = %lld: must be >= 0, and m + n at most 2^29", (long long)m);
    *p =
        (gm_structured_problem){.kind = o->kind,
                                .real = o->dtype == GM_F64 || o->dtype == GM_C128 ? GM_F64 : GM_F32,
                                .is_complex = o->dtype == GM_C128 || o->dtype == GM_C64,
                                .m = m,
                                .n = n,
                                .results = o->kind == GM_TOEPLITZ_APPLY ? m : n};
    if (o->kind == GM_CONVOLVE_FULL) {
        p->results = m > 0 && n > 0 ? m + n - 1 : 0;
    } else if (o->kind == GM_CONVOLVE_SAME) {
        p->offset = m > 0 ? (m - 1) / 2 : 0;
    } else if (o->kind == GM_CONVOLVE_VALID) {
        p->offset = m > 0 ? m - 1 : 0;
        p->results = m > 0 && n >= m ? n - m + 1 : 0;
    }
    return GM_STATUS_OK;
}

gm_status gm_structured_plan_create(gm_context *context, const gm_structured_options *options,
                                    gm_structured_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    gm_structured_problem problem;
    GM_TRY(fill_problem(context, options, &problem));
    const gm_backend *backend = GM_BACKEND_WITH(context, structured_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    void *memory = NULL;
    GM_TRY(gm_frame_make(context, backend, sizeof(gm_structured_plan), &memory));
    gm_structured_plan *made = memory;
    made->problem = problem;
    if (problem.results > 0) {
        const gm_status status = backend->structured_prepare(
            &context->call, &problem, &made->frame.state, &made->frame.workspace_bytes);
        if (status != GM_STATUS_OK) {
            gm_structured_plan_destroy(made);
            return status;
        }
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_structured_plan_destroy(gm_structured_plan *plan) {
    if (plan != NULL) {
        gm_frame_destroy(&plan->frame, plan->frame.backend->structured_release);
    }
}

gm_status gm_structured_workspace_size(const gm_structured_plan *plan, int64_t *bytes) {
    return gm_frame_workspace_size(plan != NULL ? &plan->frame : NULL, bytes);
}

/* A tensor of the call: what it must be, and where the backend finds it. */
typedef struct argument {
    const char *name;
    const gm_tensor *tensor;
    bool needed, output;
    int32_t ndim;
    gm_dtype dtype;
    int64_t length;
    gm_structured_view *view;
} argument;

static gm_status check_argument(gm_context *context, const argument *a, int64_t batch) {
    GM_CHECK(context, a->tensor == NULL || a->view != NULL, GM_STATUS_INVALID_ARGUMENT,
             "%s: this kind has none", a->name);
    if (a->tensor == NULL && !a->needed) {
        return GM_STATUS_OK;
    }
    GM_TRY((a->output ? gm_check_output : gm_check_tensor)(context, a->name, a->tensor, a->ndim,
                                                           GM_DTYPE_BIT(a->dtype)));
    GM_TRY(gm_check_size(context, a->name, a->tensor, 0, batch, "the batch"));
    if (a->ndim == 2) {
        GM_TRY(gm_check_size(context, a->name, a->tensor, 1, a->length, "by the plan"));
    }
    *a->view = (gm_structured_view){a->tensor->data, {a->tensor->stride[0], a->tensor->stride[1]}};
    return GM_STATUS_OK;
}

static gm_status check_workspace(const gm_structured_plan *plan, const argument *a, int count,
                                 void *workspace, int64_t bytes) {
    gm_context *context = plan->frame.context;
    gm_tensor view;
    GM_TRY(gm_frame_check_workspace(&plan->frame, workspace, bytes, &view));
    for (int i = 0; i < count; ++i) {
        GM_TRY(gm_check_disjoint(context, "workspace", &view, a[i].name, a[i].tensor, false));
        for (int j = 0; j < i; ++j) {
            if (a[i].output || a[j].output) {
                GM_TRY(gm_check_disjoint(context, a[j].name, a[j].tensor, a[i].name, a[i].tensor,
                                         false));
            }
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_structured_execute(const gm_structured_plan *plan, const gm_structured_arrays *arrays,
                                void *workspace, int64_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->frame.context;
    GM_CHECK(context, arrays != NULL, GM_STATUS_INVALID_ARGUMENT, "arrays is NULL");
    const gm_structured_problem *p = &plan->problem;
    const bool solve = p->kind == GM_CIRCULANT_SOLVE, values = p->kind == GM_CIRCULANT_EIGENVALUES;
    const bool toeplitz = p->kind == GM_TOEPLITZ_APPLY;
    const gm_dtype complex_type = p->real == GM_F64 ? GM_C128 : GM_C64;
    const gm_dtype type = p->is_complex ? complex_type : p->real;
    gm_structured_call call = {.workspace = workspace};
    const argument list[] = {
        {"kernel", arrays->kernel, true, false, 2, type, p->m, &call.kernel},
        {"row", arrays->row, toeplitz, false, 2, type, p->n, toeplitz ? &call.row : NULL},
        {"x", arrays->x, !values, false, 2, type, p->n, values ? NULL : &call.x},
        {"y", arrays->y, true, true, 2, values ? complex_type : type, p->results, &call.y},
        {"status", arrays->status, false, true, 1, GM_I32, 0, solve ? &call.status : NULL},
        {"rcond", arrays->rcond, false, true, 1, p->real, 0, solve ? &call.rcond : NULL},
    };
    enum { COUNT = sizeof list / sizeof *list };
    GM_CHECK(context, arrays->y != NULL && arrays->y->ndim == 2, GM_STATUS_INVALID_ARGUMENT,
             "y is NULL or not of two dimensions");
    call.batch = arrays->y->shape[0];
    for (int i = 0; i < COUNT; ++i) {
        GM_TRY(check_argument(context, &list[i], call.batch));
    }
    GM_TRY(check_workspace(plan, list, COUNT, workspace, workspace_bytes));
    return call.batch == 0 || p->results == 0
               ? GM_STATUS_OK
               : plan->frame.backend->structured_run(&context->call, p, plan->frame.state, &call);
}
