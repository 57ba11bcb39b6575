/* gm_mcmc_*: checks, the plan, dispatch. */
#include <genmath/mcmc.h>

#include <stdlib.h>
#include <string.h>

#include "host/density_check.h"
#include "host/internal.h"
#include "host/mcmc_args.h"

#define MOST_STEPS (1LL << 40)
#define MOST_LEAPFROGS (1 << 20)

struct gm_mcmc_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_mcmc_problem problem;
    void *state; /* the backend's */
};

static gm_status check_options(gm_context *context, const gm_mcmc_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32, GM_STATUS_INVALID_ARGUMENT,
             "options.dtype = %s: must be f64 or f32", gm_dtype_name(o->dtype));
    GM_CHECK(context, (int)o->method >= GM_MCMC_RWM && o->method <= GM_MCMC_COMPONENT,
             GM_STATUS_INVALID_ARGUMENT, "options.method = %d is no gm_mcmc_method",
             (int)o->method);
    GM_CHECK(context, o->steps >= 1 && o->steps <= MOST_STEPS, GM_STATUS_INVALID_ARGUMENT,
             "options.steps = %lld is not in 1 .. 2^40", (long long)o->steps);
    GM_CHECK(context, o->thin >= 0, GM_STATUS_INVALID_ARGUMENT, "options.thin = %lld is negative",
             (long long)o->thin);
    GM_CHECK(context, o->target >= 0 && o->target < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.target = %g is not in [0, 1)", o->target);
    GM_CHECK(context, o->target == 0 || o->method != GM_MCMC_ULA, GM_STATUS_INVALID_ARGUMENT,
             "options.target = %g: ULA accepts every proposal", o->target);
    const bool is_hmc = o->method == GM_MCMC_HMC;
    GM_CHECK(context, !is_hmc || (o->leapfrogs >= 1 && o->leapfrogs <= MOST_LEAPFROGS),
             GM_STATUS_INVALID_ARGUMENT, "options.leapfrogs = %d is not in 1 .. 2^20",
             (int)o->leapfrogs);
    GM_CHECK(context, is_hmc || o->leapfrogs == 0, GM_STATUS_INVALID_ARGUMENT,
             "options.leapfrogs = %d: only HMC has any, others 0", (int)o->leapfrogs);
    GM_CHECK(context, o->jitter == 0 || o->jitter == 1, GM_STATUS_INVALID_ARGUMENT,
             "options.jitter = %d is neither 0 nor 1", (int)o->jitter);
    GM_CHECK(context, o->jitter == 0 || is_hmc || o->method == GM_MCMC_COMPONENT,
             GM_STATUS_INVALID_ARGUMENT, "options.jitter = %d: only HMC and COMPONENT have one",
             (int)o->jitter);
    return GM_STATUS_OK;
}

gm_status gm_mcmc_plan_create(gm_context *context, const gm_density *density,
                              const gm_mcmc_options *options, gm_mcmc_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(gm_check_density(context, "density", density));
    GM_TRY(check_options(context, options));
    if (options->check != NULL) {
        char message[256];
        const double *params = options->check + density->dim;
        const gm_status found = density->columns == 0
                                    ? gm_density_check(density, options->check, params, message)
                                    : gm_density_check_data(density, options->check, params, 1,
                                                            params + density->params, message);
        GM_CHECK(context, found == GM_STATUS_OK, GM_STATUS_INVALID_ARGUMENT,
                 "density %s at options.check: %s", density->name, message);
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, mcmc_run);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_mcmc_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    made->problem =
        (gm_mcmc_problem){.density = density,
                          .dtype = options->dtype,
                          .method = options->method,
                          .steps = options->steps,
                          .thin = options->thin,
                          .leapfrogs = options->method == GM_MCMC_HMC ? options->leapfrogs : 1,
                          .jitter = options->jitter,
                          .target = options->target,
                          .seed = options->seed,
                          .first_index = options->first_index};
    const gm_status status =
        backend->mcmc_prepare != NULL
            ? backend->mcmc_prepare(&context->call, &made->problem, &made->state)
            : GM_STATUS_OK;
    if (status != GM_STATUS_OK) {
        gm_mcmc_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_mcmc_plan_destroy(gm_mcmc_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->mcmc_release != NULL) {
        plan->backend->mcmc_release(&plan->context->call, plan->state);
    }
    free(plan);
}

const gm_mcmc_problem *gm_mcmc_plan_problem(const gm_mcmc_plan *plan, gm_context **context) {
    *context = plan->context;
    return &plan->problem;
}

/* An argument: sizes (n), (rows, n) or (draws, rows, n) by ndim; where its pointer and strides go.
 */
typedef struct array_view {
    const char *name;
    const gm_tensor *tensor; /* NULL: absent */
    int32_t ndim;
    gm_dtype dtype;
    int64_t rows;
    const char *because;
    void **data;
    int64_t *stride;
} array_view;

static gm_status check_view(gm_context *context, const array_view *view, bool written, int64_t n) {
    const unsigned dtypes = GM_DTYPE_BIT(view->dtype);
    GM_TRY(written ? gm_check_output(context, view->name, view->tensor, view->ndim, dtypes)
                   : gm_check_tensor(context, view->name, view->tensor, view->ndim, dtypes));
    GM_TRY(gm_check_size(context, view->name, view->tensor, view->ndim - 1, n,
                         "the number of chains in input.state"));
    if (view->ndim >= 2) {
        GM_TRY(gm_check_size(context, view->name, view->tensor, view->ndim - 2, view->rows,
                             view->because));
    }
    return GM_STATUS_OK;
}

enum { INPUTS = 6, OUTPUTS = 10 };

static gm_status check_views(gm_context *context, const array_view *inputs, const gm_tensor *data,
                             const array_view *outputs) {
    const gm_tensor *state = inputs[0].tensor;
    GM_TRY(gm_check_tensor(context, "input.state", state, 2, GM_DTYPE_BIT(inputs[0].dtype)));
    for (int i = 0; i < INPUTS; ++i) {
        if (inputs[i].tensor != NULL) {
            GM_TRY(check_view(context, &inputs[i], false, state->shape[1]));
        }
    }
    for (int i = 0; i < OUTPUTS; ++i) {
        if (outputs[i].tensor == NULL) {
            continue;
        }
        GM_TRY(check_view(context, &outputs[i], true, state->shape[1]));
        for (int j = 0; j < INPUTS; ++j) {
            GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, inputs[j].name,
                                     inputs[j].tensor, i == 0 && j == 0));
        }
        GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, "input.data", data,
                                 false));
        for (int j = 0; j < i; ++j) {
            GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, outputs[j].name,
                                     outputs[j].tensor, false));
        }
    }
    return GM_STATUS_OK;
}

/* The first of three sizes. */
static gm_status check_firsts(gm_context *context, const gm_mcmc_problem *problem,
                              const gm_mcmc_input *input, const gm_mcmc_result *result) {
    if (input->factor != NULL) {
        GM_TRY(gm_check_size(context, "input.factor", input->factor, 0, problem->density->dim,
                             "the density's dim"));
    }
    return result->draws == NULL
               ? GM_STATUS_OK
               : gm_check_size(context, "result.draws", result->draws, 0,
                               problem->steps / problem->thin, "options.steps / options.thin");
}

static void take(const array_view *views, int count) {
    for (int i = 0; i < count; ++i) {
        if (views[i].tensor != NULL) {
            *views[i].data = views[i].tensor->data;
            memcpy(views[i].stride, views[i].tensor->stride,
                   (size_t)views[i].ndim * sizeof(int64_t));
        }
    }
}

static gm_status check_run(gm_context *context, const gm_mcmc_problem *problem, int64_t first_step,
                           const gm_mcmc_input *input, const gm_mcmc_result *result) {
    GM_CHECK(
        context, first_step >= 0 && first_step <= MOST_STEPS - problem->steps,
        GM_STATUS_INVALID_ARGUMENT,
        "first_step = %lld: it must be at least 0, and 2^40 at most with the plan's %lld steps",
        (long long)first_step, (long long)problem->steps);
    GM_CHECK(context, input != NULL, GM_STATUS_INVALID_ARGUMENT, "input is NULL");
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    GM_CHECK(context, input->step != NULL, GM_STATUS_INVALID_ARGUMENT, "input.step is NULL");
    GM_CHECK(context, (input->params != NULL) == (problem->density->params > 0),
             GM_STATUS_INVALID_ARGUMENT, "input.params %s: the density has %d parameters",
             input->params == NULL ? "is NULL" : "must be NULL", (int)problem->density->params);
    GM_CHECK(context, input->scale == NULL || input->factor == NULL, GM_STATUS_INVALID_ARGUMENT,
             "input.factor is given, and input.scale too");
    const bool component = problem->method == GM_MCMC_COMPONENT;
    GM_CHECK(context, input->factor == NULL || !component, GM_STATUS_INVALID_ARGUMENT,
             "input.factor is given: COMPONENT has a scale for each coordinate");
    GM_CHECK(context, result->scale == NULL || (component && problem->target > 0),
             GM_STATUS_INVALID_ARGUMENT, "result.scale is given: %s",
             component ? "options.target is 0" : "only COMPONENT adapts scales");
    GM_CHECK(context, result->step == NULL || !component, GM_STATUS_INVALID_ARGUMENT,
             "result.step is given: COMPONENT adapts result.scale");
    GM_CHECK(context, result->draws == NULL || problem->thin > 0, GM_STATUS_INVALID_ARGUMENT,
             "result.draws is given, and options.thin is 0");
    GM_CHECK(context, result->step == NULL || problem->target > 0, GM_STATUS_INVALID_ARGUMENT,
             "result.step is given, and options.target is 0");
    return GM_STATUS_OK;
}

gm_status gm_mcmc_run(const gm_mcmc_plan *plan, int64_t first_step, const gm_mcmc_input *input,
                      const gm_mcmc_result *result) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_mcmc_problem *problem = &plan->problem;
    GM_TRY(check_run(context, problem, first_step, input, result));
    const gm_dtype type = problem->dtype;
    const int64_t dim = problem->density->dim;
    const char *const by_dim = "the density's dim";
    gm_mcmc_arrays a = {.first_step = first_step};
    const array_view inputs[INPUTS] = {
        {"input.state", input->state, 2, type, dim, by_dim, (void **)&a.start, a.start_stride},
        {"input.params", input->params, 2, type, problem->density->params, "the density's params",
         (void **)&a.params, a.params_stride},
        {"input.step", input->step, 1, type, 0, NULL, (void **)&a.step, a.step_stride},
        {"input.scale", input->scale, 2, type, dim, by_dim, (void **)&a.scale, a.scale_stride},
        {"input.beta", input->beta, 1, type, 0, NULL, (void **)&a.beta, a.beta_stride},
        {"input.factor", input->factor, 3, type, dim, by_dim, (void **)&a.factor, a.factor_stride},
    };
    const array_view outputs[OUTPUTS] = {
        {"result.state", result->state, 2, type, dim, by_dim, &a.end, a.end_stride},
        {"result.draws", result->draws, 3, type, dim, by_dim, &a.draws, a.draws_stride},
        {"result.mean", result->mean, 2, type, dim, by_dim, &a.mean, a.mean_stride},
        {"result.variance", result->variance, 2, type, dim, by_dim, &a.variance, a.variance_stride},
        {"result.step", result->step, 1, type, 0, NULL, &a.end_step, a.end_step_stride},
        {"result.accepted", result->accepted, 1, GM_I32, 0, NULL, (void **)&a.accepted,
         a.accepted_stride},
        {"result.outside", result->outside, 1, GM_I32, 0, NULL, (void **)&a.outside,
         a.outside_stride},
        {"result.status", result->status, 1, GM_I32, 0, NULL, (void **)&a.status, a.status_stride},
        {"result.scale", result->scale, 2, type, dim, by_dim, &a.end_scale, a.end_scale_stride},
        {"result.log_density", result->log_density, 1, type, 0, NULL, &a.logp, a.logp_stride},
    };
    GM_TRY(
        gm_check_density_data(context, "input.data", input->data, problem->density, type, &a.data));
    GM_TRY(check_views(context, inputs, input->data, outputs));
    GM_TRY(check_firsts(context, problem, input, result));
    take(inputs, INPUTS);
    take(outputs, OUTPUTS);
    a.n = input->state->shape[1];
    return a.n == 0 ? GM_STATUS_OK
                    : plan->backend->mcmc_run(&context->call, problem, plan->state, &a);
}
