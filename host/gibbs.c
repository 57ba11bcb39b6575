/* gm_gibbs_*: checks, the plan, dispatch. */
#include <genmath/gibbs.h>

#include <stdlib.h>
#include <string.h>

#include "host/gibbs_args.h"
#include "host/gibbs_check.h"
#include "host/internal.h"

#define MOST_SWEEPS (1LL << 40)

struct gm_gibbs_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_gibbs_problem problem;
    void *state; /* the backend's */
};

static gm_status check_options(gm_context *context, const gm_gibbs_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32, GM_STATUS_INVALID_ARGUMENT,
             "options.dtype = %s: must be f64 or f32", gm_dtype_name(o->dtype));
    GM_CHECK(context, o->order == GM_GIBBS_SYSTEMATIC || o->order == GM_GIBBS_RANDOM,
             GM_STATUS_INVALID_ARGUMENT, "options.order = %d is no gm_gibbs_order", (int)o->order);
    GM_CHECK(context, o->sweeps >= 1 && o->sweeps <= MOST_SWEEPS, GM_STATUS_INVALID_ARGUMENT,
             "options.sweeps = %lld is not in 1 .. 2^40", (long long)o->sweeps);
    GM_CHECK(context, o->thin >= 0, GM_STATUS_INVALID_ARGUMENT, "options.thin = %lld is negative",
             (long long)o->thin);
    return GM_STATUS_OK;
}

gm_status gm_gibbs_plan_create(gm_context *context, const gm_gibbs *gibbs,
                               const gm_gibbs_options *options, gm_gibbs_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(gm_check_gibbs(context, "gibbs", gibbs));
    GM_TRY(check_options(context, options));
    if (options->check != NULL) {
        char message[256];
        const gm_status found =
            gm_gibbs_check(gibbs, options->check, options->check + gibbs->dim, message);
        GM_CHECK(context, found == GM_STATUS_OK, GM_STATUS_INVALID_ARGUMENT,
                 "sampler %s at options.check: %s", gibbs->name, message);
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, gibbs_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_gibbs_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    made->problem =
        (gm_gibbs_problem){gibbs,         options->dtype, options->order,      options->sweeps,
                           options->thin, options->seed,  options->first_index};
    const gm_status status =
        backend->gibbs_prepare != NULL
            ? backend->gibbs_prepare(&context->call, &made->problem, &made->state)
            : GM_STATUS_OK;
    if (status != GM_STATUS_OK) {
        gm_gibbs_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_gibbs_plan_destroy(gm_gibbs_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->gibbs_release != NULL) {
        plan->backend->gibbs_release(&plan->context->call, plan->state);
    }
    free(plan);
}

/* An argument of shape (n), (rows, n) or (draws, rows, n), and where its address and strides go. */
typedef struct array_view {
    const char *name;
    const gm_tensor *tensor; /* NULL: absent */
    int32_t ndim;
    gm_dtype dtype;
    int64_t draws, rows;
    const char *because; /* of the rows */
    void **data;
    int64_t *stride;
} array_view;

enum { INPUTS = 2, VIEWS = 7 };

static gm_status check_view(gm_context *context, const array_view *v, bool written, int64_t n) {
    const unsigned dtypes = GM_DTYPE_BIT(v->dtype);
    GM_TRY(written ? gm_check_output(context, v->name, v->tensor, v->ndim, dtypes)
                   : gm_check_tensor(context, v->name, v->tensor, v->ndim, dtypes));
    GM_TRY(gm_check_size(context, v->name, v->tensor, v->ndim - 1, n,
                         "the number of chains in input.state"));
    if (v->ndim >= 2) {
        GM_TRY(gm_check_size(context, v->name, v->tensor, v->ndim - 2, v->rows, v->because));
    }
    return v->ndim < 3 ? GM_STATUS_OK
                       : gm_check_size(context, v->name, v->tensor, 0, v->draws,
                                       "options.sweeps / options.thin");
}

/* The inputs come first; the first output, result.state, may be the first of them. */
static gm_status check_views(gm_context *context, const array_view *views) {
    GM_TRY(
        gm_check_tensor(context, views[0].name, views[0].tensor, 2, GM_DTYPE_BIT(views[0].dtype)));
    for (int i = 0; i < VIEWS; ++i) {
        if (views[i].tensor == NULL) {
            continue;
        }
        GM_TRY(check_view(context, &views[i], i >= INPUTS, views[0].tensor->shape[1]));
        for (int j = 0; i >= INPUTS && j < i; ++j) {
            GM_TRY(gm_check_disjoint(context, views[i].name, views[i].tensor, views[j].name,
                                     views[j].tensor, i == INPUTS && j == 0));
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_gibbs_run(const gm_gibbs_plan *plan, int64_t first_sweep, const gm_gibbs_input *input,
                       const gm_gibbs_result *result) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_gibbs_problem *problem = &plan->problem;
    const gm_dtype type = problem->dtype;
    const int64_t dim = problem->gibbs->dim, params = problem->gibbs->params;
    GM_CHECK(
        context, first_sweep >= 0 && first_sweep <= MOST_SWEEPS - problem->sweeps,
        GM_STATUS_INVALID_ARGUMENT,
        "first_sweep = %lld: it must be at least 0, and 2^40 at most with the plan's %lld sweeps",
        (long long)first_sweep, (long long)problem->sweeps);
    GM_CHECK(context, input != NULL, GM_STATUS_INVALID_ARGUMENT, "input is NULL");
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    GM_CHECK(context, (input->params != NULL) == (params > 0), GM_STATUS_INVALID_ARGUMENT,
             "input.params %s: the sampler has %d parameters",
             input->params == NULL ? "is NULL" : "must be NULL", (int)params);
    GM_CHECK(context, result->draws == NULL || problem->thin > 0, GM_STATUS_INVALID_ARGUMENT,
             "result.draws is given, and options.thin is 0");
    const int64_t draws = problem->thin > 0 ? problem->sweeps / problem->thin : 0;
    const char *const by_dim = "the sampler's dim";
    gm_gibbs_arrays a = {.first_sweep = first_sweep};
    const array_view views[VIEWS] = {
        {"input.state", input->state, 2, type, 0, dim, by_dim, (void **)&a.start, a.start_stride},
        {"input.params", input->params, 2, type, 0, params, "the sampler's params",
         (void **)&a.params, a.params_stride},
        {"result.state", result->state, 2, type, 0, dim, by_dim, &a.end, a.end_stride},
        {"result.draws", result->draws, 3, type, draws, dim, by_dim, &a.draws, a.draws_stride},
        {"result.mean", result->mean, 2, type, 0, dim, by_dim, &a.mean, a.mean_stride},
        {"result.variance", result->variance, 2, type, 0, dim, by_dim, &a.variance,
         a.variance_stride},
        {"result.status", result->status, 1, GM_I32, 0, 0, NULL, (void **)&a.status,
         a.status_stride},
    };
    GM_TRY(check_views(context, views));
    for (int i = 0; i < VIEWS; ++i) {
        if (views[i].tensor != NULL) {
            *views[i].data = views[i].tensor->data;
            memcpy(views[i].stride, views[i].tensor->stride,
                   (size_t)views[i].ndim * sizeof(int64_t));
        }
    }
    a.n = input->state->shape[1];
    return a.n == 0 ? GM_STATUS_OK
                    : plan->backend->gibbs_run(&context->call, problem, plan->state, &a);
}
