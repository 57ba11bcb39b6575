/* gm_sde_*: checks, the plan, dispatch. */
#include <genmath/sde.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/internal.h"
#include "host/sde_args.h"
#include "host/system_check.h"

struct gm_sde_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_sde_problem problem;
    void *state; /* the backend's */
};

static gm_status check_sde(gm_context *context, const gm_sde *sde) {
    GM_CHECK(context, sde != NULL, GM_STATUS_INVALID_ARGUMENT, "sde is NULL");
    GM_CHECK(context, sde->version == GM_SYSTEM_VERSION, GM_STATUS_INVALID_ARGUMENT,
             "sde was compiled against version %d of GM_SYSTEM, the library has %d",
             (int)sde->version, GM_SYSTEM_VERSION);
    GM_TRY(gm_check_system(context, "sde->drift", sde->drift));
    GM_CHECK(context, sde->noises >= 1 && sde->noises <= GM_MAX_SYSTEM_DIM,
             GM_STATUS_INVALID_ARGUMENT, "sde->noises = %d is not in 1 .. %d", (int)sde->noises,
             GM_MAX_SYSTEM_DIM);
    GM_CHECK(context, !sde->diagonal || sde->noises == sde->drift->dim, GM_STATUS_INVALID_ARGUMENT,
             "sde->noises = %d: diagonal noise has one per component, %d", (int)sde->noises,
             (int)sde->drift->dim);
    GM_CHECK(context,
             sde->diffusion_f64 != NULL && sde->diffusion_f32 != NULL && sde->source != NULL,
             GM_STATUS_INVALID_ARGUMENT, "sde was not made by GM_DIFFUSION_*");
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_sde *sde, const gm_sde_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32, GM_STATUS_INVALID_ARGUMENT,
             "options.dtype = %s: must be f64 or f32", gm_dtype_name(o->dtype));
    GM_CHECK(context, isfinite(o->t0) && isfinite(o->t1) && isfinite(o->t1 - o->t0),
             GM_STATUS_INVALID_ARGUMENT, "options.t0 = %g, t1 = %g: must be finite", o->t0, o->t1);
    GM_CHECK(context, o->t1 >= o->t0, GM_STATUS_INVALID_ARGUMENT,
             "options.t1 = %g is before t0 = %g: a reverse-time SDE has another drift", o->t1,
             o->t0);
    GM_CHECK(context, o->steps >= 1 && o->steps < (1LL << 50) / sde->noises,
             GM_STATUS_INVALID_ARGUMENT, "options.steps = %lld is not in 1 .. 2^50 / noises",
             (long long)o->steps);
    GM_CHECK(context, o->save_every >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.save_every = %lld is negative", (long long)o->save_every);
    return GM_STATUS_OK;
}

gm_status gm_sde_plan_create(gm_context *context, const gm_sde *sde, const gm_sde_options *options,
                             gm_sde_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(check_sde(context, sde));
    GM_TRY(check_options(context, sde, options));
    gm_sde_plan *made;
    GM_NEW_PLAN(context, sde_solve, made);
    made->problem = (gm_sde_problem){.sde = sde,
                                     .dtype = options->dtype,
                                     .t0 = options->t0,
                                     .t1 = options->t1,
                                     .steps = options->steps,
                                     .seed = options->seed,
                                     .first_index = options->first_index,
                                     .save_every = options->save_every};
    const gm_status status =
        made->backend->sde_prepare != NULL
            ? made->backend->sde_prepare(&context->call, &made->problem, &made->state)
            : GM_STATUS_OK;
    if (status != GM_STATUS_OK) {
        gm_sde_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_sde_plan_destroy(gm_sde_plan *plan) {
    if (plan == NULL) {
        return;
    }
    if (plan->state != NULL && plan->backend->sde_release != NULL) {
        plan->backend->sde_release(&plan->context->call, plan->state);
    }
    free(plan);
}

gm_status gm_sde_solve(const gm_sde_plan *plan, const gm_tensor *y0, const gm_tensor *params,
                       const gm_sde_result *result) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    const gm_sde_problem *problem = &plan->problem;
    gm_ensemble_arrays arrays = {0};
    const int64_t saves = problem->save_every > 0 ? problem->steps / problem->save_every : 0;
    const gm_ensemble_view outputs[] = {
        {"result.end", result != NULL ? result->end : NULL, 2, problem->dtype, &arrays.end,
         arrays.end_stride, 0},
        {"result.saved", result != NULL ? result->saved : NULL, 3, problem->dtype, &arrays.saved,
         arrays.saved_stride, saves},
        {"result.time", result != NULL ? result->time : NULL, 1, problem->dtype, &arrays.time,
         &arrays.time_stride, 0},
        {"result.status", result != NULL ? result->status : NULL, 1, GM_I32,
         (void **)&arrays.status, &arrays.status_stride, 0},
    };
    GM_TRY(gm_check_ensemble(context, problem->sde->drift, problem->dtype, y0, params, result,
                             outputs, sizeof outputs / sizeof outputs[0], &arrays));
    return arrays.n == 0 ? GM_STATUS_OK
                         : plan->backend->sde_solve(&context->call, problem, plan->state, &arrays);
}
