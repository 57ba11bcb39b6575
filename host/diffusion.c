/* Diffusion models with a known score: checks, the table of step coefficients, dispatch. */
#include <genmath/diffusion.h>

#include <math.h>
#include <stdlib.h>

#include "host/diffusion_args.h"
#include "host/internal.h"

struct gm_diffusion_plan {
    gm_context *context;
    gm_diffusion_options options; /* with the defaults filled in */
    int64_t rows;
    void *table_f64, *table_f32; /* in the backend's memory */
};

#define GM_CHECK_CONTEXT(context)                                                                  \
    GM_CHECK(NULL, (context) != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL")

/* ---- the schedule ---------------------------------------------------------------------------- */

static gm_status check_beta(gm_context *context, const char *name, double *beta, double standard) {
    *beta = *beta == 0.0 ? standard : *beta;
    GM_CHECK(context, *beta > 0.0 && isfinite(*beta), GM_STATUS_INVALID_ARGUMENT,
             "schedule.%s = %g: must be positive and finite", name, *beta);
    return GM_STATUS_OK;
}

static gm_status complete_schedule(gm_context *context, const gm_vp_schedule *given,
                                   gm_vp_schedule *schedule) {
    static const gm_vp_schedule defaults;
    *schedule = given != NULL ? *given : defaults;
    GM_TRY(check_beta(context, "beta_min", &schedule->beta_min, 0.1));
    return check_beta(context, "beta_max", &schedule->beta_max, 20.0);
}

static gm_vp_point point_at(const gm_vp_schedule *schedule, double t) {
    const double slope = schedule->beta_max - schedule->beta_min;
    gm_vp_point point;
    point.beta = schedule->beta_min + t * slope;
    point.integral = t * (schedule->beta_min + 0.5 * t * slope);
    point.alpha = exp(-0.5 * point.integral);
    point.variance = -expm1(-point.integral);
    return point;
}

gm_status gm_vp_marginal(const gm_vp_schedule *schedule, double t, gm_vp_point *point) {
    gm_vp_schedule complete;
    GM_CHECK(NULL, point != NULL, GM_STATUS_INVALID_ARGUMENT, "point is NULL");
    GM_CHECK(NULL, t >= 0.0 && t <= 1.0, GM_STATUS_INVALID_ARGUMENT, "t = %g: must be in [0, 1]",
             t);
    GM_TRY(complete_schedule(NULL, schedule, &complete));
    *point = point_at(&complete, t);
    return GM_STATUS_OK;
}

/* ---- checks shared by the operations --------------------------------------------------------- */

static gm_diffusion_view view_of(const gm_tensor *tensor) {
    gm_diffusion_view view = {NULL, {0, 0}};
    if (tensor != NULL) {
        view.data = tensor->data;
        for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
            view.stride[axis] = tensor->stride[axis];
        }
    }
    return view;
}

static const gm_diffusion_noise no_noise;

/* An optional vector of the model: (K), of the means' dtype. */
static gm_status check_component_vector(gm_context *context, const char *name,
                                        const gm_tensor *tensor, const gm_tensor *means) {
    if (tensor == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_tensor(context, name, tensor, 1, GM_DTYPE_BIT(means->dtype)));
    return gm_check_size(context, name, tensor, 0, means->shape[0], "one for each of the means");
}

static gm_status check_model(gm_context *context, const gm_diffusion_model *model,
                             gm_diffusion_model_args *args) {
    GM_CHECK(context, model != NULL, GM_STATUS_INVALID_ARGUMENT, "model is NULL");
    GM_TRY(gm_check_tensor(context, "model.means", model->means, 2, GM_FLOATS));
    GM_CHECK(context, model->means->shape[0] >= 1 && model->means->shape[1] >= 1,
             GM_STATUS_INVALID_ARGUMENT,
             "model.means is (%lld, %lld): a mixture has at least one component and one dimension",
             (long long)model->means->shape[0], (long long)model->means->shape[1]);
    GM_TRY(check_component_vector(context, "model.weights", model->weights, model->means));
    GM_TRY(check_component_vector(context, "model.deviations", model->deviations, model->means));
    GM_CHECK(context, model->bandwidth >= 0.0 && isfinite(model->bandwidth),
             GM_STATUS_INVALID_ARGUMENT, "model.bandwidth = %g: must be finite and not negative",
             model->bandwidth);
    *args = (gm_diffusion_model_args){.dtype = model->means->dtype,
                                      .components = model->means->shape[0],
                                      .dim = model->means->shape[1],
                                      .means = view_of(model->means),
                                      .weights = view_of(model->weights),
                                      .deviations = view_of(model->deviations),
                                      .bandwidth2 = model->bandwidth * model->bandwidth};
    return GM_STATUS_OK;
}

/* A (n, d) tensor that goes with the model, read (`output` false) or written. */
static gm_status check_rows(gm_context *context, const char *name, const gm_tensor *tensor,
                            const gm_diffusion_model_args *model, bool output) {
    const unsigned dtypes = GM_DTYPE_BIT(model->dtype);
    GM_TRY(output ? gm_check_output(context, name, tensor, 2, dtypes)
                  : gm_check_tensor(context, name, tensor, 2, dtypes));
    return gm_check_size(context, name, tensor, 1, model->dim, "as model.means.shape[1]");
}

/* An output shares no memory with the model. */
static gm_status check_apart_from_model(gm_context *context, const char *name,
                                        const gm_tensor *output, const gm_diffusion_model *model) {
    GM_TRY(gm_check_disjoint(context, name, output, "model.means", model->means, false));
    GM_TRY(gm_check_disjoint(context, name, output, "model.weights", model->weights, false));
    return gm_check_disjoint(context, name, output, "model.deviations", model->deviations, false);
}

/* ---- forward noising ------------------------------------------------------------------------- */

static gm_status check_perturb(gm_context *context, const gm_tensor *t, const gm_tensor *x0,
                               const gm_tensor *xt, const gm_tensor *z) {
    GM_TRY(gm_check_tensor(context, "x0", x0, 2, GM_FLOATS));
    const unsigned dtype = GM_DTYPE_BIT(x0->dtype);
    GM_TRY(gm_check_tensor(context, "t", t, 1, dtype));
    GM_TRY(gm_check_size(context, "t", t, 0, x0->shape[0], "one time for each row of x0"));
    GM_TRY(gm_check_output(context, "xt", xt, 2, dtype));
    GM_TRY(gm_check_size(context, "xt", xt, 0, x0->shape[0], "as x0.shape[0]"));
    GM_TRY(gm_check_size(context, "xt", xt, 1, x0->shape[1], "as x0.shape[1]"));
    GM_TRY(gm_check_disjoint(context, "xt", xt, "x0", x0, true));
    GM_TRY(gm_check_disjoint(context, "xt", xt, "t", t, false));
    if (z == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, "z", z, 2, dtype));
    GM_TRY(gm_check_size(context, "z", z, 0, x0->shape[0], "as x0.shape[0]"));
    GM_TRY(gm_check_size(context, "z", z, 1, x0->shape[1], "as x0.shape[1]"));
    GM_TRY(gm_check_disjoint(context, "z", z, "x0", x0, false));
    GM_TRY(gm_check_disjoint(context, "z", z, "t", t, false));
    return gm_check_disjoint(context, "z", z, "xt", xt, false);
}

gm_status gm_diffusion_perturb(gm_context *context, const gm_vp_schedule *schedule,
                               const gm_diffusion_noise *noise, const gm_tensor *t,
                               const gm_tensor *x0, const gm_tensor *xt, const gm_tensor *z) {
    GM_CHECK_CONTEXT(context);
    gm_vp_schedule complete;
    GM_TRY(complete_schedule(context, schedule, &complete));
    GM_TRY(check_perturb(context, t, x0, xt, z));
    if (x0->shape[0] == 0 || x0->shape[1] == 0) {
        return GM_STATUS_OK;
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, diffusion_perturb);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    noise = noise != NULL ? noise : &no_noise;
    const gm_diffusion_perturb_args args = {.dtype = x0->dtype,
                                            .count = x0->shape[0],
                                            .dim = x0->shape[1],
                                            .t = view_of(t),
                                            .x0 = view_of(x0),
                                            .xt = view_of(xt),
                                            .z = view_of(z),
                                            .beta_min = complete.beta_min,
                                            .beta_max = complete.beta_max,
                                            .seed = noise->seed,
                                            .first_index = noise->first_index};
    return backend->diffusion_perturb(&context->call, &args);
}

/* ---- score ----------------------------------------------------------------------------------- */

gm_status gm_diffusion_score(gm_context *context, const gm_diffusion_model *model,
                             const gm_vp_schedule *schedule, double t, const gm_tensor *x,
                             const gm_tensor *score, const gm_tensor *log_density) {
    GM_CHECK_CONTEXT(context);
    gm_vp_schedule complete;
    gm_diffusion_score_args args = {.count = 0};
    GM_TRY(check_model(context, model, &args.model));
    GM_TRY(complete_schedule(context, schedule, &complete));
    GM_CHECK(context, t >= 0.0 && t <= 1.0, GM_STATUS_INVALID_ARGUMENT, "t = %g: must be in [0, 1]",
             t);
    GM_TRY(check_rows(context, "x", x, &args.model, false));
    GM_TRY(check_rows(context, "score", score, &args.model, true));
    GM_TRY(gm_check_size(context, "score", score, 0, x->shape[0], "as x.shape[0]"));
    GM_TRY(check_apart_from_model(context, "score", score, model));
    GM_TRY(gm_check_disjoint(context, "score", score, "x", x, false));
    if (log_density != NULL) {
        GM_TRY(gm_check_output(context, "log_density", log_density, 1,
                               GM_DTYPE_BIT(args.model.dtype)));
        GM_TRY(gm_check_size(context, "log_density", log_density, 0, x->shape[0], "as x.shape[0]"));
        GM_TRY(check_apart_from_model(context, "log_density", log_density, model));
        GM_TRY(gm_check_disjoint(context, "log_density", log_density, "x", x, false));
        GM_TRY(gm_check_disjoint(context, "log_density", log_density, "score", score, false));
    }
    if (x->shape[0] == 0) {
        return GM_STATUS_OK;
    }
    const gm_backend *backend = GM_BACKEND_WITH(context, diffusion_score);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    const gm_vp_point point = point_at(&complete, t);
    args.count = x->shape[0];
    args.alpha = point.alpha;
    args.variance = point.variance;
    args.x = view_of(x);
    args.score = view_of(score);
    args.log_density = view_of(log_density);
    return backend->diffusion_score(&context->call, &args);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status complete_options(gm_context *context, const gm_diffusion_options *given,
                                  gm_diffusion_options *options) {
    static const gm_diffusion_options defaults;
    *options = given != NULL ? *given : defaults;
    GM_TRY(complete_schedule(context, &options->schedule, &options->schedule));
    options->steps = options->steps == 0 ? 500 : options->steps;
    options->t_start = options->t_start == 0.0 ? 1.0 : options->t_start;
    options->t_end = options->t_end == 0.0 ? 1e-3 : options->t_end;
    GM_CHECK(context, (unsigned)options->method < GM_DIFFUSION_METHOD_COUNT,
             GM_STATUS_INVALID_ARGUMENT, "options.method = %d is not a method",
             (int)options->method);
    GM_CHECK(context, options->steps >= 1 && options->steps <= INT32_MAX / 4,
             GM_STATUS_INVALID_ARGUMENT, "options.steps = %lld: must be in 1 .. 2^29",
             (long long)options->steps);
    GM_CHECK(context, options->t_start > 0.0 && options->t_start <= 1.0, GM_STATUS_INVALID_ARGUMENT,
             "options.t_start = %g: must be in (0, 1]", options->t_start);
    GM_CHECK(context, options->t_end > 0.0 && options->t_end < options->t_start,
             GM_STATUS_INVALID_ARGUMENT, "options.t_end = %g: must be in (0, t_start = %g)",
             options->t_end, options->t_start);
    GM_CHECK(context,
             options->epsilon >= 0.0 && isfinite(options->epsilon) &&
                 (options->epsilon == 0.0 || options->method == GM_DIFFUSION_REVERSE_SDE),
             GM_STATUS_INVALID_ARGUMENT,
             "options.epsilon = %g: must be finite, not negative, and 0 but for the reverse SDE",
             options->epsilon);
    GM_CHECK(context, options->denoise == 0 || options->denoise == 1, GM_STATUS_INVALID_ARGUMENT,
             "options.denoise = %d: must be 0 or 1", (int)options->denoise);
    return GM_STATUS_OK;
}

static double *begin_row(double *table, int64_t row, const gm_vp_point *point) {
    double *fields = table + row * GM_STEP_FIELDS;
    for (int i = 0; i < GM_STEP_FIELDS; ++i) {
        fields[i] = 0.0;
    }
    fields[GM_STEP_ALPHA] = point->alpha;
    fields[GM_STEP_VARIANCE] = point->variance;
    return fields;
}

/*
 * Heun with h = beta dt / 2 at the two ends of a step: the predictor is p = y + h0 (y + s0); then
 * y + (h0 (y + s0) + h1 (p + s1)) / 2 = p + (y - p) / 2 + h1/2 (p + s1).
 */
static void fill_heun_step(double *table, int64_t step, double dt, const gm_vp_point *from,
                           const gm_vp_point *to) {
    double *predictor = begin_row(table, 2 * step, from);
    predictor[GM_STEP_A] = predictor[GM_STEP_B] = 0.5 * from->beta * dt;
    predictor[GM_STEP_SAVE] = 1.0;
    double *corrector = begin_row(table, 2 * step + 1, to);
    corrector[GM_STEP_A] = corrector[GM_STEP_B] = 0.25 * to->beta * dt;
    corrector[GM_STEP_E] = 0.5;
}

static void fill_euler_step(double *table, int64_t step, double dt, const gm_vp_point *from,
                            const gm_diffusion_options *options) {
    double reverse = 0.0; /* the diffusion of the reverse process */
    if (options->method == GM_DIFFUSION_REVERSE_SDE) {
        reverse = options->epsilon > 0.0 ? options->epsilon : from->beta;
    }
    double *fields = begin_row(table, step, from);
    fields[GM_STEP_A] = 0.5 * from->beta * dt;
    fields[GM_STEP_B] = 0.5 * (from->beta + reverse) * dt;
    fields[GM_STEP_C] = sqrt(reverse * dt);
}

static void fill_table(const gm_diffusion_options *options, double *table, int64_t rows) {
    const double dt = (options->t_start - options->t_end) / (double)options->steps;
    gm_vp_point from = point_at(&options->schedule, options->t_start);
    for (int64_t step = 0; step < options->steps; ++step) {
        const double t = step + 1 == options->steps ? options->t_end
                                                    : options->t_start - (double)(step + 1) * dt;
        const gm_vp_point to = point_at(&options->schedule, t);
        if (options->method == GM_DIFFUSION_PROBABILITY_HEUN) {
            fill_heun_step(table, step, dt, &from, &to);
        } else {
            fill_euler_step(table, step, dt, &from, options);
        }
        from = to;
    }
    if (options->denoise) {
        double *fields = begin_row(table, rows - 1, &from);
        fields[GM_STEP_A] = -expm1(-0.5 * from.integral) / from.alpha; /* 1 / alpha - 1 */
        fields[GM_STEP_B] = from.variance / from.alpha;
    }
}

static gm_status upload_table(gm_context *context, gm_diffusion_plan *plan, const double *table) {
    const size_t count = (size_t)plan->rows * GM_STEP_FIELDS;
    float *narrow = malloc(count * sizeof *narrow);
    GM_CHECK(context, narrow != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for %lld steps",
             (long long)plan->rows);
    for (size_t i = 0; i < count; ++i) {
        narrow[i] = (float)table[i];
    }
    gm_status status = gm_memory_alloc(context, count * sizeof(double), &plan->table_f64);
    if (status == GM_STATUS_OK) {
        status = gm_memory_alloc(context, count * sizeof(float), &plan->table_f32);
    }
    if (status == GM_STATUS_OK) {
        status = gm_memory_upload(context, plan->table_f64, table, count * sizeof(double));
    }
    if (status == GM_STATUS_OK) {
        status = gm_memory_upload(context, plan->table_f32, narrow, count * sizeof(float));
    }
    free(narrow);
    return status;
}

static gm_status fill_plan(gm_context *context, gm_diffusion_plan *plan) {
    const gm_diffusion_options *options = &plan->options;
    const int64_t per_step = options->method == GM_DIFFUSION_PROBABILITY_HEUN ? 2 : 1;
    plan->rows = options->steps * per_step + options->denoise;
    double *table = malloc((size_t)plan->rows * GM_STEP_FIELDS * sizeof *table);
    GM_CHECK(context, table != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for %lld steps",
             (long long)plan->rows);
    fill_table(options, table, plan->rows);
    const gm_status status = upload_table(context, plan, table);
    free(table);
    return status;
}

gm_status gm_diffusion_plan_create(gm_context *context, const gm_diffusion_options *options,
                                   gm_diffusion_plan **plan) {
    GM_CHECK_CONTEXT(context);
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    gm_diffusion_options complete;
    GM_TRY(complete_options(context, options, &complete));
    gm_diffusion_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->options = complete;
    const gm_status status = fill_plan(context, made);
    if (status != GM_STATUS_OK) {
        gm_diffusion_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_diffusion_plan_destroy(gm_diffusion_plan *plan) {
    if (plan == NULL) {
        return;
    }
    gm_memory_free(plan->context, plan->table_f64);
    gm_memory_free(plan->context, plan->table_f32);
    free(plan);
}

/* ---- sampling -------------------------------------------------------------------------------- */

gm_status gm_diffusion_workspace_size(const gm_diffusion_plan *plan, gm_dtype dtype, int64_t n,
                                      int64_t d, int64_t *bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    GM_CHECK(context, dtype == GM_F32 || dtype == GM_F64, GM_STATUS_INVALID_ARGUMENT,
             "dtype = %s: must be f32 or f64", gm_dtype_name(dtype));
    GM_CHECK(context, n >= 0, GM_STATUS_INVALID_ARGUMENT, "n = %lld is negative", (long long)n);
    GM_CHECK(context, d >= 0, GM_STATUS_INVALID_ARGUMENT, "d = %lld is negative", (long long)d);
    const bool on_host = context->backend == &gm_backend_ref || context->backend == &gm_backend_cpu;
    int64_t need, units = on_host ? gm_pool_threads(context->call.pool) : n;
    const int64_t unit = on_host ? gm_diffusion_host_scratch(d) : gm_diffusion_device_row(dtype, d);
    GM_CHECK(context,
             unit >= 0 && gm_multiply_sizes(n == 0 ? 0 : units, unit, &need) &&
                 need <= INT64_MAX - 128,
             GM_STATUS_INVALID_ARGUMENT, "n = %lld, d = %lld: more bytes than an int64_t counts",
             (long long)n, (long long)d);
    *bytes = need == 0 ? 0 : (need + 63) / 64 * 64;
    return GM_STATUS_OK;
}

static gm_status check_sample(gm_context *context, const gm_diffusion_model *model,
                              const gm_diffusion_model_args *args, const gm_tensor *start,
                              const gm_tensor *samples, const gm_tensor *status) {
    GM_TRY(check_rows(context, "samples", samples, args, true));
    GM_TRY(check_apart_from_model(context, "samples", samples, model));
    if (start != NULL) {
        GM_TRY(check_rows(context, "start", start, args, false));
        GM_TRY(gm_check_size(context, "start", start, 0, samples->shape[0], "as samples.shape[0]"));
        GM_TRY(gm_check_disjoint(context, "samples", samples, "start", start, true));
    }
    if (status != NULL) {
        GM_TRY(gm_check_output(context, "status", status, 1, GM_DTYPE_BIT(GM_I32)));
        GM_TRY(
            gm_check_size(context, "status", status, 0, samples->shape[0], "as samples.shape[0]"));
        GM_TRY(check_apart_from_model(context, "status", status, model));
        GM_TRY(gm_check_disjoint(context, "status", status, "start", start, false));
        GM_TRY(gm_check_disjoint(context, "status", status, "samples", samples, false));
    }
    return GM_STATUS_OK;
}

static gm_status check_workspace(const gm_diffusion_plan *plan, const gm_tensor *samples,
                                 const void *workspace, int64_t workspace_bytes) {
    gm_context *context = plan->context;
    int64_t need;
    GM_TRY(gm_diffusion_workspace_size(plan, samples->dtype, samples->shape[0], samples->shape[1],
                                       &need));
    GM_CHECK(context, workspace_bytes >= need, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %lld: this call needs %lld", (long long)workspace_bytes,
             (long long)need);
    GM_CHECK(context, need == 0 || workspace != NULL, GM_STATUS_INVALID_ARGUMENT,
             "workspace is NULL");
    GM_CHECK(context, need == 0 || (uintptr_t)workspace % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 64 bytes");
    const gm_tensor bytes = gm_tensor_1d((void *)(uintptr_t)workspace, GM_U8, need);
    GM_TRY(gm_check_tensor(context, "workspace", &bytes, 1, GM_DTYPE_BIT(GM_U8)));
    return gm_check_disjoint(context, "workspace", &bytes, "samples", samples, false);
}

gm_status gm_diffusion_sample(const gm_diffusion_plan *plan, const gm_diffusion_model *model,
                              const gm_diffusion_noise *noise, const gm_tensor *start,
                              void *workspace, int64_t workspace_bytes, const gm_tensor *samples,
                              const gm_tensor *status) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    gm_context *context = plan->context;
    gm_diffusion_sample_args args = {.count = 0};
    GM_TRY(check_model(context, model, &args.model));
    GM_TRY(check_sample(context, model, &args.model, start, samples, status));
    if (samples->shape[0] == 0) {
        return GM_STATUS_OK;
    }
    GM_TRY(check_workspace(plan, samples, workspace, workspace_bytes));
    GM_CHECK(context, args.model.dim <= (INT64_C(1) << 48) / plan->rows, GM_STATUS_INVALID_ARGUMENT,
             "steps times dimensions exceed 2^48, the draws that a sample has");
    const gm_backend *backend = GM_BACKEND_WITH(context, diffusion_sample);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    noise = noise != NULL ? noise : &no_noise;
    args.count = samples->shape[0];
    args.rows = plan->rows;
    args.table = args.model.dtype == GM_F32 ? plan->table_f32 : plan->table_f64;
    args.saves = plan->options.method == GM_DIFFUSION_PROBABILITY_HEUN;
    args.start = view_of(start);
    args.samples = view_of(samples);
    args.status = view_of(status);
    args.seed = noise->seed;
    args.first_index = noise->first_index;
    args.workspace = workspace;
    return backend->diffusion_sample(&context->call, &args);
}
