/* gm_ode_*: checks, the plan, dispatch. */
#include <genmath/ode.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/internal.h"
#include "host/ode_args.h"
#include "host/system_check.h"
#include "host/tableau.h"

struct gm_ode_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_ode_problem problem;
    gm_tableau_f32 tableau_f32;
    double *save_times;
    int64_t *save_step;
    double *save_theta;
    void *state; /* the backend's */
};

static gm_status check_tolerances(gm_context *context, const gm_ode_options *o) {
    GM_CHECK(context, isfinite(o->rtol) && o->rtol >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.rtol = %g: must be finite and >= 0", o->rtol);
    GM_CHECK(context, isfinite(o->atol) && o->atol >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.atol = %g: must be finite and >= 0", o->atol);
    GM_CHECK(context, isfinite(o->first_step) && o->first_step >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.first_step = %g: must be finite and >= 0", o->first_step);
    GM_CHECK(context, isfinite(o->min_step) && o->min_step >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.min_step = %g: must be finite and >= 0", o->min_step);
    GM_CHECK(context, o->max_steps >= 0 && o->max_steps <= INT32_MAX, GM_STATUS_INVALID_ARGUMENT,
             "options.max_steps = %lld is not in 0 .. 2^31 - 1", (long long)o->max_steps);
    GM_CHECK(context, o->steps == 0, GM_STATUS_INVALID_ARGUMENT,
             "options.steps = %lld: an adaptive method chooses its steps, set max_steps instead",
             (long long)o->steps);
    return GM_STATUS_OK;
}

static gm_status check_save_times(gm_context *context, const gm_ode_options *o) {
    GM_CHECK(context, o->save_count >= 0 && o->save_count <= INT64_MAX / 64,
             GM_STATUS_INVALID_ARGUMENT, "options.save_count = %lld is out of range",
             (long long)o->save_count);
    GM_CHECK(context, o->save_times != NULL || o->save_count == 0, GM_STATUS_INVALID_ARGUMENT,
             "options.save_times is NULL");
    const double low = fmin(o->t0, o->t1), high = fmax(o->t0, o->t1);
    for (int64_t m = 0; m < o->save_count; ++m) {
        const double t = o->save_times[m];
        GM_CHECK(context, t >= low && t <= high, GM_STATUS_INVALID_ARGUMENT,
                 "options.save_times[%lld] = %g is not between t0 = %g and t1 = %g", (long long)m,
                 t, o->t0, o->t1);
        GM_CHECK(context,
                 m == 0 || (o->t1 >= o->t0 ? t >= o->save_times[m - 1] : t <= o->save_times[m - 1]),
                 GM_STATUS_INVALID_ARGUMENT,
                 "options.save_times[%lld] = %g comes after %g: they must follow the integration",
                 (long long)m, t, m > 0 ? o->save_times[m - 1] : t);
    }
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_ode_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32, GM_STATUS_INVALID_ARGUMENT,
             "options.dtype = %s: must be f64 or f32", gm_dtype_name(o->dtype));
    GM_CHECK(context, (unsigned)o->method <= GM_ODE_RK4, GM_STATUS_INVALID_ARGUMENT,
             "options.method = %d is not a method", (int)o->method);
    GM_CHECK(context, isfinite(o->t0) && isfinite(o->t1) && isfinite(o->t1 - o->t0),
             GM_STATUS_INVALID_ARGUMENT, "options.t0 = %g, t1 = %g: must be finite", o->t0, o->t1);
    if (o->method == GM_ODE_RK4) {
        GM_CHECK(context, o->steps >= 1 && o->steps < (1LL << 53), GM_STATUS_INVALID_ARGUMENT,
                 "options.steps = %lld: RK4 takes 1 .. 2^53 - 1 steps", (long long)o->steps);
    } else {
        GM_TRY(check_tolerances(context, o));
    }
    return check_save_times(context, o);
}

/* Where each save time lies among the steps of RK4. */
static void place_save_times(gm_ode_plan *plan) {
    const gm_ode_problem *p = &plan->problem;
    for (int64_t m = 0; m < p->save_count; ++m) {
        const double length = p->t1 - p->t0;
        const double position =
            length != 0 ? (plan->save_times[m] - p->t0) / length * (double)p->steps : 0;
        const double nearest = nearbyint(position);
        const bool on_grid = fabs(position - nearest) < 1e-9;
        plan->save_step[m] = (int64_t)(on_grid ? nearest : floor(position));
        plan->save_theta[m] = on_grid ? 0 : position - floor(position);
    }
}

static gm_status fill_plan(gm_ode_plan *plan, const gm_system *system, const gm_ode_options *o) {
    gm_context *context = plan->context;
    const size_t count = (size_t)o->save_count + 1; /* never 0: malloc(0) may be NULL */
    plan->save_times = calloc(count, sizeof *plan->save_times);
    plan->save_step = calloc(count, sizeof *plan->save_step);
    plan->save_theta = calloc(count, sizeof *plan->save_theta);
    GM_CHECK(context,
             plan->save_times != NULL && plan->save_step != NULL && plan->save_theta != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for %lld save times", (long long)o->save_count);
    if (o->save_count > 0) {
        memcpy(plan->save_times, o->save_times, (count - 1) * sizeof *plan->save_times);
    }
    /* What the precision holds: a scale is never 0, and a step is one that moves the time from 0.
     */
    const double least = o->dtype == GM_F64 ? DBL_MIN : (double)FLT_MIN;
    plan->problem = (gm_ode_problem){
        .system = system,
        .tableau_f64 = gm_tableau_of(o->method),
        .dtype = o->dtype,
        .t0 = o->t0,
        .t1 = o->t1,
        .steps = o->steps,
        .rtol = o->rtol > 0 ? o->rtol : 1e-6,
        .atol = o->atol > 0 ? fmax(o->atol, least) : 1e-9,
        .first_step = o->first_step > 0 ? fmax(o->first_step, least) : 0,
        .min_step = fmax(o->min_step, least),
        .max_steps = o->max_steps > 0 ? o->max_steps : 100000,
        .save_times = plan->save_times,
        .save_count = o->save_count,
        .save_step = plan->save_step,
        .save_theta = plan->save_theta,
    };
    if (plan->problem.tableau_f64 != NULL) {
        plan->tableau_f32 = gm_tableau_to_f32(plan->problem.tableau_f64);
        plan->problem.tableau_f32 = &plan->tableau_f32;
    } else {
        place_save_times(plan);
    }
    return plan->backend->ode_prepare != NULL
               ? plan->backend->ode_prepare(&context->call, &plan->problem, &plan->state)
               : GM_STATUS_OK;
}

gm_status gm_ode_plan_create(gm_context *context, const gm_system *system,
                             const gm_ode_options *options, gm_ode_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(gm_check_system(context, "system", system));
    GM_TRY(check_options(context, options));
    gm_ode_plan *made;
    GM_NEW_PLAN(context, ode_solve, made);
    const gm_status status = fill_plan(made, system, options);
    if (status != GM_STATUS_OK) {
        gm_ode_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_ode_plan_destroy(gm_ode_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->ode_release != NULL) {
        plan->backend->ode_release(&plan->context->call, plan->state);
    }
    free(plan->save_times);
    free(plan->save_step);
    free(plan->save_theta);
    free(plan);
}

gm_status gm_ode_solve(const gm_ode_plan *plan, const gm_tensor *y0, const gm_tensor *params,
                       const gm_ode_result *result) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_ode_problem *problem = &plan->problem;
    gm_ensemble_arrays arrays = {0};
    const gm_ensemble_view outputs[] = {
        {"result.end", result != NULL ? result->end : NULL, 2, problem->dtype, &arrays.end,
         arrays.end_stride, 0},
        {"result.saved", result != NULL ? result->saved : NULL, 3, problem->dtype, &arrays.saved,
         arrays.saved_stride, problem->save_count},
        {"result.time", result != NULL ? result->time : NULL, 1, problem->dtype, &arrays.time,
         &arrays.time_stride, 0},
        {"result.status", result != NULL ? result->status : NULL, 1, GM_I32,
         (void **)&arrays.status, &arrays.status_stride, 0},
        {"result.accepted", result != NULL ? result->accepted : NULL, 1, GM_I32,
         (void **)&arrays.accepted, &arrays.accepted_stride, 0},
        {"result.rejected", result != NULL ? result->rejected : NULL, 1, GM_I32,
         (void **)&arrays.rejected, &arrays.rejected_stride, 0},
        {"result.evaluations", result != NULL ? result->evaluations : NULL, 1, GM_I32,
         (void **)&arrays.evaluations, &arrays.evaluations_stride, 0},
    };
    GM_TRY(gm_check_ensemble(context, problem->system, problem->dtype, y0, params, result, outputs,
                             sizeof outputs / sizeof outputs[0], &arrays));
    return arrays.n == 0 ? GM_STATUS_OK
                         : plan->backend->ode_solve(&context->call, problem, plan->state, &arrays);
}
