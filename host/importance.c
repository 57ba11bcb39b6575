/* gm_importance_*: checks, the plan, dispatch. */
#include <genmath/importance.h>

#include <stdlib.h>
#include <string.h>

#include "host/density_check.h"
#include "host/importance_args.h"
#include "host/internal.h"

#define MOST_SAMPLES 0x7fffffff /* of a problem where they are counted in 32 bits */

struct gm_importance_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_importance_problem problem;
    void *state; /* the backend's */
};

/* An argument that may be absent: its shape, and where its pointer and strides go. */
typedef struct array_view {
    const char *name;
    const gm_tensor *tensor;
    gm_dtype dtype;
    int32_t ndim;
    int64_t shape[3];
    const char *because; /* of the sizes behind the number of problems */
    void **data;
    int64_t *stride;
} array_view;

static gm_status check_view(gm_context *context, const array_view *v, bool written) {
    const unsigned dtypes = GM_DTYPE_BIT(v->dtype);
    GM_TRY(written ? gm_check_output(context, v->name, v->tensor, v->ndim, dtypes)
                   : gm_check_tensor(context, v->name, v->tensor, v->ndim, dtypes));
    for (int32_t axis = 0; axis < v->ndim; ++axis) {
        GM_TRY(gm_check_size(context, v->name, v->tensor, axis, v->shape[axis],
                             axis == 0 ? "the number of problems" : v->because));
    }
    return GM_STATUS_OK;
}

/* Checks all that are there, outputs against everything else, and takes them over. */
static gm_status take_views(gm_context *context, const array_view *inputs, int input_count,
                            const array_view *outputs, int output_count) {
    for (int i = 0; i < input_count; ++i) {
        if (inputs[i].tensor != NULL) {
            GM_TRY(check_view(context, &inputs[i], false));
        }
    }
    for (int i = 0; i < output_count; ++i) {
        if (outputs[i].tensor == NULL) {
            continue;
        }
        GM_TRY(check_view(context, &outputs[i], true));
        for (int j = 0; j < input_count; ++j) {
            GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, inputs[j].name,
                                     inputs[j].tensor, false));
        }
        for (int j = 0; j < i; ++j) {
            GM_TRY(gm_check_disjoint(context, outputs[i].name, outputs[i].tensor, outputs[j].name,
                                     outputs[j].tensor, false));
        }
    }
    for (int i = 0; i < input_count + output_count; ++i) {
        const array_view *v = i < input_count ? &inputs[i] : &outputs[i - input_count];
        if (v->tensor != NULL) {
            *v->data = v->tensor->data;
            memcpy(v->stride, v->tensor->stride, (size_t)v->ndim * sizeof(int64_t));
        }
    }
    return GM_STATUS_OK;
}

/* ---- samples --------------------------------------------------------------------------------- */

static gm_status check_plan(gm_context *context, const gm_density *density, int32_t dim,
                            const gm_importance_options *options) {
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, options->dtype == GM_F64 || options->dtype == GM_F32,
             GM_STATUS_INVALID_ARGUMENT, "options.dtype = %s: must be f64 or f32",
             gm_dtype_name(options->dtype));
    if (density != NULL) {
        GM_TRY(gm_check_density(context, "density", density));
        GM_CHECK(context, dim == 0 || dim == density->dim, GM_STATUS_INVALID_ARGUMENT,
                 "dim = %d: the density has %d coordinates", (int)dim, (int)density->dim);
        return GM_STATUS_OK;
    }
    GM_CHECK(context, dim >= 1 && dim <= GM_MAX_SYSTEM_DIM, GM_STATUS_INVALID_ARGUMENT,
             "dim = %d is not in 1 .. %d", (int)dim, GM_MAX_SYSTEM_DIM);
    return GM_STATUS_OK;
}

gm_status gm_importance_plan_create(gm_context *context, const gm_density *density, int32_t dim,
                                    const gm_importance_options *options,
                                    gm_importance_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(check_plan(context, density, dim, options));
    const gm_backend *backend = GM_BACKEND_WITH(context, importance_draw);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_importance_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    made->problem = (gm_importance_problem){.density = density,
                                            .dim = density != NULL ? density->dim : dim,
                                            .params = density != NULL ? density->params : 0,
                                            .dtype = options->dtype,
                                            .seed = options->seed,
                                            .first_index = options->first_index};
    const gm_status status =
        backend->importance_prepare != NULL
            ? backend->importance_prepare(&context->call, &made->problem, &made->state)
            : GM_STATUS_OK;
    if (status != GM_STATUS_OK) {
        gm_importance_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_importance_plan_destroy(gm_importance_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->importance_release != NULL) {
        plan->backend->importance_release(&plan->context->call, plan->state);
    }
    free(plan);
}

static gm_status check_draw(gm_context *context, const gm_importance_problem *problem,
                            const gm_importance_input *in, const gm_importance_samples *out) {
    const gm_status invalid = GM_STATUS_INVALID_ARGUMENT;
    GM_CHECK(context, in != NULL, invalid, "input is NULL");
    GM_CHECK(context, out != NULL, invalid, "samples is NULL");
    GM_CHECK(context, (in->params != NULL) == (problem->params > 0), invalid,
             "input.params %s: the density has %d parameters",
             in->params == NULL ? "is NULL" : "must be NULL", (int)problem->params);
    GM_CHECK(context, out->log_target == NULL || problem->density != NULL, invalid,
             "samples.log_target is given, and the plan has no density");
    GM_CHECK(context, out->points != NULL || out->log_target != NULL || out->log_proposal != NULL,
             invalid, "samples: nothing is wanted");
    if (in->mean == NULL) {
        GM_CHECK(context, in->points != NULL, invalid, "input.mean and input.points are NULL");
        GM_CHECK(context, in->scale == NULL && in->factor == NULL, invalid,
                 "input.%s is given without input.mean", in->scale != NULL ? "scale" : "factor");
        GM_CHECK(context, out->points == NULL && out->log_proposal == NULL, invalid,
                 "samples.%s is given: input.points has the samples, and no proposal is known",
                 out->points != NULL ? "points" : "log_proposal");
        return GM_STATUS_OK;
    }
    GM_CHECK(context, in->points == NULL, invalid, "input.points is given besides input.mean");
    GM_CHECK(context, (in->scale != NULL) != (in->factor != NULL), invalid,
             "input.scale and input.factor: one of the two is given, the other NULL");
    return GM_STATUS_OK;
}

gm_status gm_importance_draw(const gm_importance_plan *plan, const gm_importance_input *input,
                             const gm_importance_samples *samples) {
    return gm_importance_draw_from(plan, 0, input, samples);
}

gm_status gm_importance_draw_from(const gm_importance_plan *plan, uint64_t first,
                                  const gm_importance_input *input,
                                  const gm_importance_samples *samples) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_importance_problem problem = plan->problem;
    const gm_importance_problem *p = &problem;
    problem.first_index += first;
    GM_TRY(check_draw(context, p, input, samples));
    const gm_tensor *leading = input->mean != NULL ? input->mean : input->points;
    const gm_tensor *last = samples->points != NULL       ? samples->points
                            : samples->log_target != NULL ? samples->log_target
                                                          : samples->log_proposal;
    const int32_t last_ndim = samples->points != NULL ? 3 : 2;
    GM_TRY(gm_check_layout(context, input->mean != NULL ? "input.mean" : "input.points", leading,
                           input->mean != NULL ? 2 : 3, GM_DTYPE_BIT(p->dtype)));
    GM_TRY(gm_check_layout(context, "samples", last, last_ndim, GM_DTYPE_BIT(p->dtype)));
    const int64_t k = leading->shape[0], n = last->shape[last_ndim - 1], dim = p->dim;
    GM_CHECK(context, n <= (1LL << 32), GM_STATUS_INVALID_ARGUMENT,
             "%lld samples of a problem: 2^32 at most", (long long)n);
    gm_importance_arrays a = {.problems = k, .n = n};
    GM_TRY(
        gm_check_density_data(context, "input.data", input->data, p->density, p->dtype, &a.data));
    const char *const because = "the density's sizes, and the number of samples";
    const array_view inputs[] = {
        {"input.mean",
         input->mean,
         p->dtype,
         2,
         {k, dim},
         because,
         (void **)&a.mean,
         a.mean_stride},
        {"input.scale",
         input->scale,
         p->dtype,
         2,
         {k, dim},
         because,
         (void **)&a.scale,
         a.scale_stride},
        {"input.factor",
         input->factor,
         p->dtype,
         3,
         {k, dim, dim},
         because,
         (void **)&a.factor,
         a.factor_stride},
        {"input.points",
         input->points,
         p->dtype,
         3,
         {k, dim, n},
         because,
         (void **)&a.points,
         a.points_stride},
        {"input.params",
         input->params,
         p->dtype,
         2,
         {k, p->params},
         because,
         (void **)&a.params,
         a.params_stride},
        {"input.data",
         input->data,
         p->dtype,
         2,
         {a.data.rows, p->density != NULL ? p->density->columns : 0},
         because,
         (void **)&a.data.data,
         a.data.stride},
    };
    const array_view outputs[] = {
        {"samples.points",
         samples->points,
         p->dtype,
         3,
         {k, dim, n},
         because,
         &a.drawn,
         a.drawn_stride},
        {"samples.log_target",
         samples->log_target,
         p->dtype,
         2,
         {k, n},
         because,
         &a.log_target,
         a.log_target_stride},
        {"samples.log_proposal",
         samples->log_proposal,
         p->dtype,
         2,
         {k, n},
         because,
         &a.log_proposal,
         a.log_proposal_stride},
    };
    GM_TRY(take_views(context, inputs, 6, outputs, 3));
    return k == 0 || n == 0 ? GM_STATUS_OK
                            : plan->backend->importance_draw(&context->call, p, plan->state, &a);
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* The workspace of a call: true, and *status, if the call is at its end. */
static bool has_no_workspace(gm_context *context, const char *what, size_t needed,
                             gm_workspace *workspace, const array_view *views, int count,
                             void **data, gm_status *status) {
    if (workspace->data == NULL) {
        workspace->bytes = needed > 0 ? needed : 1;
        *status = GM_STATUS_OK;
        return true;
    }
    gm_tensor scratch;
    *status =
        gm_check_workspace(context, what, needed, workspace->data, workspace->bytes, &scratch);
    for (int i = 0; i < count && *status == GM_STATUS_OK; ++i) {
        *status = gm_check_disjoint(context, "workspace", &scratch, views[i].name, views[i].tensor,
                                    false);
    }
    *data = workspace->data;
    return *status != GM_STATUS_OK;
}

gm_status gm_importance_weigh(gm_context *context, const gm_tensor *log_target,
                              const gm_tensor *log_proposal, const gm_tensor *values,
                              const gm_importance_estimates *e, gm_workspace *workspace) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, e != NULL, GM_STATUS_INVALID_ARGUMENT, "estimates is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_check_tensor(context, "log_target", log_target, 2, GM_FLOATS));
    if (values != NULL) {
        GM_TRY(gm_check_tensor(context, "values", values, 3, GM_DTYPE_BIT(log_target->dtype)));
    }
    const gm_dtype type = log_target->dtype;
    const int64_t k = log_target->shape[0], n = log_target->shape[1];
    const int64_t f = values != NULL ? values->shape[1] : 0;
    gm_weigh_args a = {.dtype = type, .problems = k, .n = n, .functions = f};
    const array_view inputs[] = {
        {"log_target",
         log_target,
         type,
         2,
         {k, n},
         "its own",
         (void **)&a.log_target,
         a.log_target_stride},
        {"log_proposal",
         log_proposal,
         type,
         2,
         {k, n},
         "the number of samples in log_target",
         (void **)&a.log_proposal,
         a.log_proposal_stride},
        {"values",
         values,
         type,
         3,
         {k, f, n},
         "the number of samples in log_target",
         (void **)&a.values,
         a.values_stride},
    };
    enum { OUTPUTS = 2 + GM_WEIGH_SINGLES + GM_WEIGH_FUNCTIONALS };
    static const char *const names[] = {"estimates.log_normalizer",
                                        "estimates.log_normalizer_error",
                                        "estimates.ess",
                                        "estimates.max_weight",
                                        "estimates.pareto_k",
                                        "estimates.mean",
                                        "estimates.mean_error",
                                        "estimates.variance",
                                        "estimates.integral",
                                        "estimates.integral_error"};
    const gm_tensor *const wanted[] = {
        e->log_normalizer, e->log_normalizer_error, e->ess,      e->max_weight, e->pareto_k,
        e->mean,           e->mean_error,           e->variance, e->integral,   e->integral_error};
    array_view outputs[OUTPUTS] = {
        {"estimates.weights",
         e->weights,
         GM_F64,
         2,
         {k, n},
         "the number of samples in log_target",
         (void **)&a.weights,
         a.weights_stride},
        {"estimates.status", e->status, GM_I32, 1, {k}, NULL, (void **)&a.status, a.status_stride},
    };
    for (int i = 0; i < GM_WEIGH_SINGLES + GM_WEIGH_FUNCTIONALS; ++i) {
        const bool single = i < GM_WEIGH_SINGLES;
        const int j = single ? i : i - GM_WEIGH_SINGLES;
        outputs[2 + i] = (array_view){names[i],
                                      wanted[i],
                                      GM_F64,
                                      single ? 1 : 2,
                                      {k, f},
                                      "the number of functions in values",
                                      single ? (void **)&a.single[j] : (void **)&a.functional[j],
                                      single ? a.single_stride[j] : a.functional_stride[j]};
    }
    GM_TRY(take_views(context, inputs, 3, outputs, OUTPUTS));
    const gm_backend *backend = GM_BACKEND_WITH(context, importance_weigh);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_status status;
    array_view all[3 + OUTPUTS];
    memcpy(all, inputs, sizeof inputs);
    memcpy(all + 3, outputs, sizeof outputs);
    const size_t needed = backend->importance_weigh_workspace != NULL
                              ? backend->importance_weigh_workspace(&context->call, &a)
                              : 0;
    if (has_no_workspace(context, "importance_weigh", needed, workspace, all, 3 + OUTPUTS,
                         &a.workspace, &status)) {
        return status;
    }
    return k == 0 ? GM_STATUS_OK : backend->importance_weigh(&context->call, &a);
}

/* ---- resampling ------------------------------------------------------------------------------ */

gm_status gm_importance_resample(gm_context *context, const gm_resample_options *options,
                                 const gm_tensor *weights, const gm_tensor *indices,
                                 const gm_tensor *status, gm_workspace *workspace) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, options != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_CHECK(context, (unsigned)options->method <= GM_RESAMPLE_MULTINOMIAL,
             GM_STATUS_INVALID_ARGUMENT, "options.method = %d is no gm_resampling",
             (int)options->method);
    GM_TRY(gm_check_tensor(context, "weights", weights, 2, GM_DTYPE_BIT(GM_F64)));
    GM_TRY(gm_check_output(context, "indices", indices, 2, GM_DTYPE_BIT(GM_I32)));
    const int64_t k = weights->shape[0], n = weights->shape[1], count = indices->shape[1];
    GM_CHECK(context, n <= MOST_SAMPLES, GM_STATUS_INVALID_ARGUMENT,
             "weights.shape[1] = %lld: indices are 32 bits", (long long)n);
    GM_CHECK(context, count <= MOST_SAMPLES, GM_STATUS_INVALID_ARGUMENT,
             "indices.shape[1] = %lld: 2^31 - 1 at most", (long long)count);
    gm_resample_args a = {.method = options->method,
                          .seed = options->seed,
                          .first_index = options->first_index,
                          .problems = k,
                          .n = n,
                          .count = count};
    const array_view views[] = {
        {"weights", weights, GM_F64, 2, {k, n}, "its own", (void **)&a.weights, a.weights_stride},
        {"indices",
         indices,
         GM_I32,
         2,
         {k, count},
         "its own",
         (void **)&a.indices,
         a.indices_stride},
        {"status", status, GM_I32, 1, {k}, NULL, (void **)&a.status, a.status_stride},
    };
    GM_TRY(take_views(context, views, 1, views + 1, 2));
    const gm_backend *backend = GM_BACKEND_WITH(context, importance_resample);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_status end;
    const size_t needed = backend->importance_resample_workspace(&context->call, &a);
    if (has_no_workspace(context, "importance_resample", needed, workspace, views, 3, &a.workspace,
                         &end)) {
        return end;
    }
    return k == 0 ? GM_STATUS_OK : backend->importance_resample(&context->call, &a);
}
