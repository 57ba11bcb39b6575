/* gm_density_annealing_*: checks, the plan, and the run: steps of chains with weights between. */
#include <genmath/density_annealing.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/chain_model.h"
#include "host/density_annealing_args.h"
#include "host/density_check.h"
#include "host/importance_args.h"
#include "host/internal.h"
#include "host/mcmc_args.h"
#include "host/strided.h"

enum { MOST_STEPS = 1 << 24 };
#define MOST_MCMC_STEPS (INT64_C(1) << 40)

struct gm_density_annealing_plan {
    gm_context *context;
    const gm_backend *backend;
    const gm_mcmc_plan *mcmc;
    const gm_mcmc_problem *problem;
    gm_importance_plan *density; /* for log densities at the states */
    int64_t steps;
    int32_t moving;
    int8_t place[GM_MAX_SYSTEM_PARAMS]; /* which value a parameter has; -1: none */
    bool has_beta;
    double *beta;   /* (steps) on the host, as the chains have it */
    void *schedule; /* in the backend's memory and the plan's type: (steps) beta, (steps) step,
                     * (steps, moving) values */
};

/* ---- the plan -------------------------------------------------------------------------------- */

static bool fits(gm_dtype dtype, double value, bool positive) {
    const double rounded = dtype == GM_F32 ? (double)(float)value : value;
    return isfinite(rounded) && (!positive || rounded > 0);
}

static gm_status check_schedule(gm_context *context, const gm_density_annealing *a,
                                gm_dtype dtype) {
    for (int64_t t = 0; t < a->steps; ++t) {
        GM_CHECK(context, a->beta == NULL || fits(dtype, a->beta[t], true),
                 GM_STATUS_INVALID_ARGUMENT, "annealing.beta[%lld] = %g: must be finite and > 0",
                 (long long)t, a->beta[t]);
        GM_CHECK(context, fits(dtype, a->step[t], true), GM_STATUS_INVALID_ARGUMENT,
                 "annealing.step[%lld] = %g: must be finite and > 0", (long long)t, a->step[t]);
        for (int32_t i = 0; i < a->moving; ++i) {
            const double value = a->values[t * a->moving + i];
            GM_CHECK(context, fits(dtype, value, false), GM_STATUS_INVALID_ARGUMENT,
                     "annealing.values[%lld][%d] = %g: must be finite", (long long)t, (int)i,
                     value);
        }
    }
    return GM_STATUS_OK;
}

/* place: which of the values each parameter has. */
static gm_status check_moving(gm_context *context, const gm_density_annealing *a, int32_t params,
                              int8_t *place) {
    memset(place, -1, GM_MAX_SYSTEM_PARAMS);
    GM_CHECK(context, a->moving >= 0 && a->moving <= params, GM_STATUS_INVALID_ARGUMENT,
             "annealing.moving = %d: the density has %d parameters", (int)a->moving, (int)params);
    GM_CHECK(context, a->moving == 0 || (a->which != NULL && a->values != NULL),
             GM_STATUS_INVALID_ARGUMENT, "annealing.%s is NULL: annealing.moving is %d",
             a->which == NULL ? "which" : "values", (int)a->moving);
    for (int32_t i = 0; i < a->moving; ++i) {
        const int32_t k = a->which[i];
        GM_CHECK(context, k >= 0 && k < params, GM_STATUS_INVALID_ARGUMENT,
                 "annealing.which[%d] = %d: the density has %d parameters", (int)i, (int)k,
                 (int)params);
        GM_CHECK(context, place[k] < 0, GM_STATUS_INVALID_ARGUMENT,
                 "annealing.which[%d] = %d: is there twice", (int)i, (int)k);
        place[k] = (int8_t)i;
    }
    return GM_STATUS_OK;
}

static gm_status check_annealing(gm_context *context, const gm_density_annealing *a,
                                 gm_density_annealing_plan *made) {
    GM_CHECK(context, a != NULL, GM_STATUS_INVALID_ARGUMENT, "annealing is NULL");
    GM_CHECK(context, a->mcmc != NULL, GM_STATUS_INVALID_ARGUMENT, "annealing.mcmc is NULL");
    gm_context *owner;
    const gm_mcmc_problem *p = gm_mcmc_plan_problem(a->mcmc, &owner);
    GM_CHECK(context, owner == context, GM_STATUS_INVALID_ARGUMENT,
             "annealing.mcmc: is a plan of another context");
    GM_CHECK(context, p->thin == 0 && p->target == 0, GM_STATUS_INVALID_ARGUMENT,
             "annealing.mcmc: its thin and target must be 0");
    GM_CHECK(context, a->steps >= 1 && a->steps <= MOST_STEPS, GM_STATUS_INVALID_ARGUMENT,
             "annealing.steps = %lld: must be in 1 .. 2^24", (long long)a->steps);
    GM_CHECK(context, a->steps <= MOST_MCMC_STEPS / p->steps, GM_STATUS_INVALID_ARGUMENT,
             "annealing.steps = %lld: over 2^40 steps with the %lld of annealing.mcmc each",
             (long long)a->steps, (long long)p->steps);
    GM_CHECK(context, a->step != NULL, GM_STATUS_INVALID_ARGUMENT, "annealing.step is NULL");
    GM_TRY(check_moving(context, a, p->density->params, made->place));
    GM_TRY(check_schedule(context, a, p->dtype));
    made->mcmc = a->mcmc;
    made->problem = p;
    made->steps = a->steps;
    made->moving = a->moving;
    made->has_beta = a->beta != NULL;
    return GM_STATUS_OK;
}

/* The chains are at values of their own precision. */
static gm_status copy_schedule(gm_context *context, const gm_density_annealing *a,
                               gm_density_annealing_plan *made) {
    const gm_dtype dtype = made->problem->dtype;
    const int64_t n = a->steps, count = n * (2 + a->moving);
    const size_t bytes = (size_t)count * gm_dtype_size(dtype);
    made->beta = malloc((size_t)n * sizeof *made->beta);
    void *copy = malloc(bytes);
    GM_CHECK(context, made->beta != NULL && copy != NULL, (free(copy), GM_STATUS_OUT_OF_MEMORY),
             "no memory for the schedule");
    for (int64_t t = 0; t < n; ++t) {
        gm_store_real(copy, dtype, t, a->beta != NULL ? a->beta[t] : 1);
        made->beta[t] = gm_load_real(copy, dtype, t);
        gm_store_real(copy, dtype, n + t, a->step[t]);
    }
    for (int64_t i = 0; i < n * a->moving; ++i) {
        gm_store_real(copy, dtype, 2 * n + i, a->values[i]);
    }
    gm_status status = gm_memory_alloc(context, bytes, &made->schedule);
    status =
        status == GM_STATUS_OK ? gm_memory_upload(context, made->schedule, copy, bytes) : status;
    free(copy);
    return status;
}

static gm_status fill_plan(gm_context *context, const gm_density_annealing *annealing,
                           gm_density_annealing_plan *made) {
    const gm_importance_options options = {.dtype = made->problem->dtype};
    GM_TRY(copy_schedule(context, annealing, made));
    return gm_importance_plan_create(context, made->problem->density, 0, &options, &made->density);
}

gm_status gm_density_annealing_plan_create(gm_context *context,
                                           const gm_density_annealing *annealing,
                                           gm_density_annealing_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    gm_density_annealing_plan checked = {.context = context};
    GM_TRY(check_annealing(context, annealing, &checked));
    checked.backend = GM_BACKEND_WITH(context, density_annealing_step);
    if (checked.backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_density_annealing_plan *made = malloc(sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    *made = checked;
    const gm_status status = fill_plan(context, annealing, made);
    if (status != GM_STATUS_OK) {
        gm_density_annealing_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_density_annealing_plan_destroy(gm_density_annealing_plan *plan) {
    if (plan == NULL) {
        return;
    }
    gm_importance_plan_destroy(plan->density);
    (void)gm_memory_free(plan->context, plan->schedule);
    free(plan->beta);
    free(plan);
}

/* ---- checks of a run ------------------------------------------------------------------------- */

/* An array that is only read, its last axis the chains. */
static gm_status check_input(const gm_density_annealing_plan *plan, const gm_array_list *list,
                             const char *name, const gm_tensor *tensor, int32_t ndim, int64_t rows,
                             int64_t chains) {
    gm_context *c = plan->context;
    if (tensor == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_tensor(c, name, tensor, ndim, GM_DTYPE_BIT(plan->problem->dtype)));
    for (int32_t axis = 0; axis < ndim; ++axis) {
        GM_TRY(gm_check_size(c, name, tensor, axis, axis + 1 < ndim ? rows : chains,
                             axis + 1 < ndim ? "as the density has it"
                                             : "the number of chains in state.state"));
    }
    for (int i = 0; i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(c, list->name[i], list->tensor[i], name, tensor, false));
    }
    return GM_STATUS_OK;
}

static gm_status check_state(const gm_density_annealing_plan *plan,
                             const gm_density_annealing_state *s, gm_density_annealing_args *a,
                             gm_array_list *list) {
    gm_context *c = plan->context;
    const gm_dtype dtype = plan->problem->dtype;
    const gm_density *density = plan->problem->density;
    GM_TRY(gm_check_layout(c, "state.state", s->state, 2, GM_DTYPE_BIT(dtype)));
    a->n = s->state->shape[1];
    const int64_t shape[2] = {density->dim, a->n};
    GM_TRY(gm_list_array(c, list, "state.state", s->state, dtype, 2, shape, a->state_stride));
    GM_CHECK(c, s->params == NULL ? plan->moving == density->params : density->params > 0,
             GM_STATUS_INVALID_ARGUMENT, "state.params %s: the density has %d parameters",
             s->params == NULL ? "is NULL" : "must be NULL", (int)density->params);
    GM_CHECK(c, s->scale == NULL || s->factor == NULL, GM_STATUS_INVALID_ARGUMENT,
             "state.factor is given, and state.scale too");
    GM_CHECK(c, s->factor == NULL || plan->problem->method != GM_MCMC_COMPONENT,
             GM_STATUS_INVALID_ARGUMENT,
             "state.factor is given: COMPONENT has a scale for each coordinate");
    a->state = s->state->data;
    return GM_STATUS_OK;
}

static gm_status check_results(const gm_density_annealing_plan *plan, int64_t steps,
                               const gm_density_annealing_result *r, gm_density_annealing_args *a,
                               gm_array_list *list) {
    gm_context *c = plan->context;
    const gm_dtype dtype = plan->problem->dtype;
    const int64_t points[2] = {plan->problem->density->dim, a->n}, rows[2] = {steps, a->n};
    int64_t unused[2];
    GM_CHECK(c, r->best == NULL || r->best_log_density != NULL, GM_STATUS_INVALID_ARGUMENT,
             "result.best_log_density is NULL: result.best needs it");
    GM_CHECK(c, r->best_log_density == NULL || plan->moving == 0, GM_STATUS_INVALID_ARGUMENT,
             "result.best_log_density is given: parameters of the density move");
    GM_TRY(gm_list_array(c, list, "result.log_weight", r->log_weight, GM_F64, 1, &a->n,
                         &a->log_weight_stride));
    GM_TRY(gm_list_array(c, list, "result.best", r->best, dtype, 2, points, a->best_stride));
    GM_TRY(gm_list_array(c, list, "result.best_log_density", r->best_log_density, dtype, 1, &a->n,
                         &a->best_log_density_stride));
    GM_TRY(gm_list_array(c, list, "result.accepted", r->accepted, GM_I32, 2, rows, unused));
    GM_TRY(gm_list_array(c, list, "result.status", r->status, GM_I32, 1, &a->n, &a->status_stride));
    a->log_weight = r->log_weight != NULL ? r->log_weight->data : NULL;
    a->best = r->best != NULL ? r->best->data : NULL;
    a->best_log_density = r->best_log_density != NULL ? r->best_log_density->data : NULL;
    a->status = r->status != NULL ? r->status->data : NULL;
    return GM_STATUS_OK;
}

static gm_status check_arrays(const gm_density_annealing_plan *plan, int64_t steps,
                              const gm_density_annealing_state *s,
                              const gm_density_annealing_result *result,
                              gm_density_annealing_args *a, gm_array_list *list) {
    const gm_density *density = plan->problem->density;
    GM_TRY(check_state(plan, s, a, list));
    GM_TRY(result != NULL ? check_results(plan, steps, result, a, list) : GM_STATUS_OK);
    GM_TRY(check_input(plan, list, "state.params", s->params, 2, density->params, a->n));
    GM_TRY(check_input(plan, list, "state.scale", s->scale, 2, density->dim, a->n));
    GM_TRY(check_input(plan, list, "state.factor", s->factor, 3, density->dim, a->n));
    gm_density_data unused;
    GM_TRY(gm_check_density_data(plan->context, "state.data", s->data, density,
                                 plan->problem->dtype, &unused));
    for (int i = 0; s->data != NULL && i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(plan->context, list->name[i], list->tensor[i], "state.data",
                                 s->data, false));
    }
    return GM_STATUS_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* What a run hands to the functions that it is made of. */
typedef struct stage {
    gm_mcmc_input input; /* of the next step; these are what it points at */
    gm_tensor params, beta, step, from, to, chain_status;
    gm_importance_input points;
    gm_tensor point, point_params;
    bool moves, evaluates;
} stage;

/* Lays the workspace out; with data NULL it is only measured. Returns its size. */
static size_t set_stage(const gm_density_annealing_plan *plan, const gm_density_annealing_state *s,
                        char *data, gm_density_annealing_args *a, stage *g) {
    const gm_density *density = plan->problem->density;
    const gm_dtype dtype = plan->problem->dtype;
    const size_t n = (size_t)a->n, size = gm_dtype_size(dtype);
    const bool shared = s->params == NULL || s->params->stride[1] == 0 || a->n == 1;
    size_t used = 0;
    g->moves = plan->moving > 0;
    g->evaluates = a->log_weight != NULL || a->best_log_density != NULL;
    a->columns = shared ? 1 : a->n;
    g->from = gm_tensor_1d(g->evaluates ? gm_take_lines(data, &used, n * size) : NULL, dtype, a->n);
    g->to = gm_tensor_1d(a->log_weight != NULL && g->moves ? gm_take_lines(data, &used, n * size)
                                                           : NULL,
                         dtype, a->n);
    g->chain_status = gm_tensor_1d(gm_take_lines(data, &used, n * sizeof(int32_t)), GM_I32, a->n);
    if (a->status == NULL) {
        a->status = gm_take_lines(data, &used, n * sizeof(int32_t));
        a->status_stride = 1;
    }
    if (g->moves) {
        g->params = gm_tensor_2d(
            gm_take_lines(data, &used, (size_t)density->params * (size_t)a->columns * size), dtype,
            density->params, a->n);
        g->params.stride[0] = a->columns;
        g->params.stride[1] = shared ? 0 : 1;
    } else if (s->params != NULL) {
        g->params = *s->params;
    }
    return used > 0 ? used : 64;
}

/* The inputs of the MCMC steps and of the log densities, all chains at once: as one problem of n
 * samples, or as n problems of one where each has parameters of its own. */
static void set_inputs(const gm_density_annealing_plan *plan, const gm_density_annealing_state *s,
                       const gm_density_annealing_args *a, stage *g) {
    const gm_density *density = plan->problem->density;
    const bool shared = a->columns == 1;
    const bool has_params = density->params > 0;
    const int64_t problems = shared ? 1 : a->n;
    g->point = gm_tensor_3d(s->state->data, plan->problem->dtype, problems, density->dim,
                            shared ? a->n : 1);
    g->point.stride[0] = shared ? 0 : a->state_stride[1];
    g->point.stride[1] = a->state_stride[0];
    g->point.stride[2] = a->state_stride[1];
    g->point_params = gm_tensor_2d(g->params.data, plan->problem->dtype, problems, density->params);
    g->point_params.stride[0] = shared ? 0 : g->params.stride[1];
    g->point_params.stride[1] = g->params.stride[0];
    g->points = (gm_importance_input){
        .points = &g->point, .params = has_params ? &g->point_params : NULL, .data = s->data};
    g->input = (gm_mcmc_input){.state = s->state,
                               .params = has_params ? &g->params : NULL,
                               .step = &g->step,
                               .scale = s->scale,
                               .beta = plan->has_beta ? &g->beta : NULL,
                               .factor = s->factor,
                               .data = s->data};
}

/* log p of the states with the parameters as they are now. */
static gm_status evaluate(const gm_density_annealing_plan *plan, const stage *g,
                          const gm_tensor *to) {
    const int64_t problems = g->point.shape[0];
    gm_tensor rows = gm_tensor_2d(to->data, to->dtype, problems, g->point.shape[2]);
    return gm_importance_draw(plan->density, &g->points,
                              &(gm_importance_samples){.log_target = &rows});
}

/* A row of the schedule, which starts at element `first`, for all chains. */
static gm_tensor row_of(const gm_density_annealing_plan *plan, int64_t first, int64_t step,
                        int64_t chains) {
    const gm_dtype dtype = plan->problem->dtype;
    const size_t at = (size_t)(first + step) * gm_dtype_size(dtype);
    gm_tensor row = gm_tensor_1d((char *)plan->schedule + at, dtype, chains);
    row.stride[0] = 0;
    return row;
}

/* The parameters that move get their values of a step. */
static gm_status place_params(const gm_density_annealing_plan *plan,
                              const gm_density_annealing_state *s,
                              const gm_density_annealing_args *run, const stage *g, int64_t t) {
    gm_density_annealing_args a = {.n = run->columns,
                                   .dtype = run->dtype,
                                   .params = plan->problem->density->params,
                                   .columns = run->columns,
                                   .placed = g->params.data};
    const gm_tensor row = row_of(plan, 2 * plan->steps, t * plan->moving, 1);
    a.values = row.data;
    memcpy(a.place, plan->place, sizeof a.place);
    if (s->params != NULL) {
        a.given = s->params->data;
        a.given_stride[0] = s->params->stride[0];
        a.given_stride[1] = s->params->stride[1];
    }
    return plan->backend->density_annealing_step(&plan->context->call, &a);
}

/* What is done before step t of a run, its last step being end - 1. */
static gm_status weigh(const gm_density_annealing_plan *plan, const gm_density_annealing_state *s,
                       int64_t first, int64_t t, int64_t end, gm_density_annealing_args *a,
                       const stage *g) {
    a->begins = t == 0;
    a->clears = a->clears != 0 && t == first;
    a->chain_status = t > first ? g->chain_status.data : NULL;
    a->weighs = a->log_weight != NULL && t > 0 && t < end;
    a->before = t > 0 ? plan->beta[t - 1] : 0;
    a->after = t < end ? plan->beta[t] : 0;
    a->from = g->from.data;
    a->to = NULL;
    if (g->moves && (t == 0 || t == first)) {
        GM_TRY(place_params(plan, s, a, g, t > 0 ? t - 1 : 0));
    }
    if (a->weighs != 0 || a->best_log_density != NULL) {
        GM_TRY(evaluate(plan, g, &g->from));
    }
    if (g->moves && t > 0 && t < end) {
        GM_TRY(place_params(plan, s, a, g, t));
        if (a->weighs != 0) {
            GM_TRY(evaluate(plan, g, &g->to));
            a->to = g->to.data;
        }
    }
    return plan->backend->density_annealing_step(&plan->context->call, a);
}

/* All of it is enqueued; nothing is waited for. */
static gm_status run_steps(const gm_density_annealing_plan *plan, int64_t first, int64_t steps,
                           const gm_density_annealing_state *s, const gm_tensor *accepted,
                           gm_density_annealing_args *a, stage *g) {
    const int64_t end = first + steps;
    gm_tensor count =
        accepted != NULL ? gm_tensor_1d(accepted->data, GM_I32, a->n) : (gm_tensor){0};
    for (int64_t t = first;; ++t) {
        GM_TRY(weigh(plan, s, first, t, end, a, g));
        if (t == end) {
            return GM_STATUS_OK;
        }
        g->beta = row_of(plan, 0, t, a->n);
        g->step = row_of(plan, plan->steps, t, a->n);
        if (accepted != NULL) {
            count.data = (int32_t *)accepted->data + (t - first) * accepted->stride[0];
            count.stride[0] = accepted->stride[1];
        }
        const gm_mcmc_result result = {.state = s->state,
                                       .accepted = accepted != NULL ? &count : NULL,
                                       .status = &g->chain_status};
        GM_TRY(gm_mcmc_run(plan->mcmc, t * plan->problem->steps, &g->input, &result));
    }
}

gm_status gm_density_annealing_run(const gm_density_annealing_plan *plan, int64_t first_step,
                                   int64_t steps, const gm_density_annealing_state *state,
                                   const gm_density_annealing_result *result,
                                   gm_workspace *workspace) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, state != NULL, GM_STATUS_INVALID_ARGUMENT, "state is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_CHECK(context, first_step >= 0 && first_step <= plan->steps, GM_STATUS_INVALID_ARGUMENT,
             "first_step = %lld: the schedule has %lld steps", (long long)first_step,
             (long long)plan->steps);
    GM_CHECK(context, steps >= 0 && steps <= plan->steps - first_step, GM_STATUS_INVALID_ARGUMENT,
             "steps = %lld: the schedule has %lld left", (long long)steps,
             (long long)(plan->steps - first_step));
    gm_density_annealing_args args = {.dtype = plan->problem->dtype,
                                      .dim = plan->problem->density->dim};
    gm_array_list list = {.count = 0};
    GM_TRY(check_arrays(plan, steps, state, result, &args, &list));
    args.clears = first_step == 0 || args.status == NULL;
    gm_density_annealing_args measured = args;
    stage g = {0};
    const size_t bytes = set_stage(plan, state, NULL, &measured, &g);
    if (workspace->data == NULL) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    GM_TRY(gm_list_workspace(context, &list, bytes, workspace));
    set_stage(plan, state, workspace->data, &args, &g);
    set_inputs(plan, state, &args, &g);
    return args.n == 0 ? GM_STATUS_OK
                       : run_steps(plan, first_step, steps, state,
                                   result != NULL ? result->accepted : NULL, &args, &g);
}
