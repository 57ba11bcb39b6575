/* `genmath sample`: new vectors like those of a file, by reverse diffusion with the exact score. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/diffusion.h>
#include <genmath/npy.h>

#include "host/cli/cli.h"
#include "host/cli/sample.h"
#include "host/internal.h"

static const char documentation[] =
    "Draws new vectors like those of a .npy file: starts from noise and runs the diffusion that "
    "turned "
    "the data into noise backwards, with the exact score of the data. Nothing is trained.\v"
    "The data are shifted and scaled by one mean and one standard deviation over all components; "
    "bandwidth "
    "and time are in those units, the output is in the data's own.\n\n"
    "The exact score of the bare data (--bandwidth 0) knows nothing but them: run down to t = "
    "0.001, every "
    "sample is one of the data again. What makes new vectors is to stop early (--t-end) and to "
    "return the "
    "mean of what the state could have come from (unless --no-denoise), which blends the data near "
    "it; the "
    "smaller the time, the fewer data it blends. A bandwidth instead puts a cloud of noise around "
    "every "
    "datum. The distances printed at the end say how new the samples are, beside the distances "
    "between "
    "data, and how many are copies: nearer to a datum than a tenth of the median distance between "
    "data. The "
    "defaults (t-end 0.3, denoised, bandwidth 0) suit images like the digits of samples/data: most "
    "samples "
    "are blends, a few are copies.";

enum {
    KEY_DATA = 0x2001,
    KEY_COUNT,
    KEY_STEPS,
    KEY_METHOD,
    KEY_BANDWIDTH,
    KEY_T_END,
    KEY_RAW,
    KEY_BETA_MIN,
    KEY_BETA_MAX,
    KEY_PRECISION,
    KEY_PICTURE
};

static const struct argp_option option_list[] = {
    {"data", KEY_DATA, "FILE", 0, "the .npy file: (n, d) or (n, height, width), any real type", 0},
    {"out", 'o', "FILE", 0, "write the samples there, as f32 of the data's shape (.npy)", 0},
    {"picture", KEY_PICTURE, "FILE", 0, "draw them there (.png): images, or a plot of d = 1 or 2",
     0},
    {"count", KEY_COUNT, "N", 0, "samples (default: 1024)", 0},
    {"steps", KEY_STEPS, "N", 0, "steps of the solver (default: 500)", 0},
    {"method", KEY_METHOD, "NAME", 0,
     "sde: reverse SDE by Euler-Maruyama (default); ode: probability flow by Euler; heun: by Heun",
     0},
    {"bandwidth", KEY_BANDWIDTH, "S", 0, "standard deviation of each datum's cloud (default: 0)",
     0},
    {"t-end", KEY_T_END, "T", 0, "time at which to stop, below 1 (default: 0.3)", 0},
    {"no-denoise", KEY_RAW, NULL, 0, "return the state at t-end itself, with its noise", 0},
    {"beta-min", KEY_BETA_MIN, "B", 0, "noise rate at t = 0 (default: 0.1)", 0},
    {"beta-max", KEY_BETA_MAX, "B", 0, "noise rate at t = 1 (default: 20)", 0},
    {"precision", KEY_PRECISION, "TYPE", 0, "f32 (default) or f64", 0},
    {0}};

typedef struct settings {
    gm_cli_options common;
    const char *data, *out, *picture;
    int64_t count;
    double bandwidth;
    gm_dtype dtype;
    gm_diffusion_options sampler;
} settings;

static gm_diffusion_method parse_method(const struct argp_state *state, const char *text) {
    static const char *const names[] = {"sde", "ode", "heun"};
    for (int i = 0; i < GM_DIFFUSION_METHOD_COUNT; ++i) {
        if (strcmp(text, names[i]) == 0) {
            return (gm_diffusion_method)i;
        }
    }
    argp_error(state, "--method '%s': must be sde, ode or heun", text);
    return GM_DIFFUSION_REVERSE_SDE;
}

static gm_dtype parse_precision(const struct argp_state *state, const char *text) {
    if (strcmp(text, "f32") != 0 && strcmp(text, "f64") != 0) {
        argp_error(state, "--precision '%s': must be f32 or f64", text);
    }
    return strcmp(text, "f64") == 0 ? GM_F64 : GM_F32;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    settings *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->common;
        return 0;
    case KEY_DATA:
        s->data = text;
        return 0;
    case 'o':
        s->out = text;
        return 0;
    case KEY_PICTURE:
        s->picture = text;
        return 0;
    case KEY_COUNT:
        s->count = gm_cli_parse_integer(state, "count", text, 0, INT32_MAX);
        return 0;
    case KEY_STEPS:
        s->sampler.steps = gm_cli_parse_integer(state, "steps", text, 1, 1 << 24);
        return 0;
    case KEY_METHOD:
        s->sampler.method = parse_method(state, text);
        return 0;
    case KEY_BANDWIDTH:
        s->bandwidth = gm_cli_parse_real(state, "bandwidth", text, 0.0, 1e6);
        return 0;
    case KEY_T_END:
        s->sampler.t_end = gm_cli_parse_real(state, "t-end", text, 1e-12, 0.999999);
        return 0;
    case KEY_RAW:
        s->sampler.denoise = 0;
        return 0;
    case KEY_BETA_MIN:
        s->sampler.schedule.beta_min = gm_cli_parse_real(state, "beta-min", text, 1e-6, 1e6);
        return 0;
    case KEY_BETA_MAX:
        s->sampler.schedule.beta_max = gm_cli_parse_real(state, "beta-max", text, 1e-6, 1e6);
        return 0;
    case KEY_PRECISION:
        s->dtype = parse_precision(state, text);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': takes no arguments; the file goes with --data", text);
        return 0;
    case ARGP_KEY_END:
        if (s->data == NULL) {
            argp_error(state, "--data FILE is needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What one run holds in the backend's memory. */
typedef struct workplace {
    gm_context *context;
    gm_diffusion_plan *plan;
    void *data, *samples, *status, *workspace;
    int64_t workspace_bytes, slice; /* samples of one call */
} workplace;

/*
 * Samples per call: a call that lasts is a progress line that stands still, and a small one leaves
 * threads without a tile. How it is cut does not change a bit of the result.
 */
static int64_t slice_for(const gm_context *context, int64_t count) {
    const gm_backend_id backend = gm_context_backend(context);
    const int64_t slice = backend == GM_BACKEND_CPU    ? 128 * (int64_t)gm_context_threads(context)
                          : backend == GM_BACKEND_CUDA ? 1 << 18
                                                       : 16;
    return slice < count ? slice : count;
}

/* Copies rows of doubles to the backend in the type asked for. */
static gm_status upload_rows(workplace *place, gm_dtype dtype, const double *rows, int64_t total) {
    if (dtype == GM_F64) {
        return gm_memory_upload(place->context, place->data, rows, (size_t)total * sizeof *rows);
    }
    float *narrow = malloc((size_t)total * sizeof *narrow);
    GM_CHECK(place->context, narrow != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the data");
    for (int64_t i = 0; i < total; ++i) {
        narrow[i] = (float)rows[i];
    }
    const gm_status status =
        gm_memory_upload(place->context, place->data, narrow, (size_t)total * sizeof *narrow);
    free(narrow);
    return status;
}

static gm_status open_workplace(const settings *s, const gm_vectors *data, workplace *place) {
    gm_context *context = place->context;
    const size_t element = gm_dtype_size(s->dtype);
    const size_t row = (size_t)data->dim * element;
    place->slice = slice_for(context, s->count);
    GM_TRY(gm_diffusion_plan_create(context, &s->sampler, &place->plan));
    GM_TRY(gm_diffusion_workspace_size(place->plan, s->dtype, place->slice, data->dim,
                                       &place->workspace_bytes));
    GM_TRY(gm_memory_alloc(context, (size_t)data->count * row, &place->data));
    GM_TRY(gm_memory_alloc(context, (size_t)place->slice * row, &place->samples));
    GM_TRY(gm_memory_alloc(context, (size_t)place->slice * sizeof(int32_t), &place->status));
    GM_TRY(gm_memory_alloc(context, (size_t)place->workspace_bytes, &place->workspace));
    return upload_rows(place, s->dtype, data->values, data->count * data->dim);
}

static void close_workplace(workplace *place) {
    gm_memory_free(place->context, place->data);
    gm_memory_free(place->context, place->samples);
    gm_memory_free(place->context, place->status);
    gm_memory_free(place->context, place->workspace);
    gm_diffusion_plan_destroy(place->plan);
}

/* Samples first .. first + n - 1, standardised, to `rows`; adds those that failed to *failed. */
static gm_status sample_slice(const settings *s, const gm_vectors *data, const workplace *place,
                              int64_t first, int64_t n, void *buffer, float *rows,
                              int64_t *failed) {
    const gm_tensor means = gm_tensor_2d(place->data, s->dtype, data->count, data->dim);
    const gm_tensor samples = gm_tensor_2d(place->samples, s->dtype, n, data->dim);
    const gm_tensor status = gm_tensor_1d(place->status, GM_I32, n);
    const gm_diffusion_model model = {.means = &means, .bandwidth = s->bandwidth};
    const gm_diffusion_noise noise = {s->common.seed, (uint64_t)first};
    GM_TRY(gm_diffusion_sample(place->plan, &model, &noise, NULL, place->workspace,
                               place->workspace_bytes, &samples, &status));
    GM_TRY(gm_memory_download(place->context, buffer, place->status, (size_t)n * sizeof(int32_t)));
    for (int64_t i = 0; i < n; ++i) {
        *failed += ((const int32_t *)buffer)[i] != GM_STATUS_OK;
    }
    GM_TRY(gm_memory_download(place->context, buffer, place->samples,
                              (size_t)(n * data->dim) * gm_dtype_size(s->dtype)));
    for (int64_t i = 0; i < n * data->dim; ++i) {
        rows[i] =
            s->dtype == GM_F32 ? ((const float *)buffer)[i] : (float)((const double *)buffer)[i];
    }
    return GM_STATUS_OK;
}

static gm_status sample_all(const settings *s, const gm_vectors *data, const workplace *place,
                            float *rows, int64_t *failed) {
    void *buffer = malloc((size_t)(place->slice * (data->dim + 1)) * sizeof(double));
    GM_CHECK(place->context, buffer != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the samples");
    gm_progress progress;
    gm_status status = GM_STATUS_OK;
    gm_progress_begin(&progress, s->common.quiet, "sampling", "samples", s->count);
    for (int64_t first = 0; first < s->count && status == GM_STATUS_OK; first += place->slice) {
        const int64_t left = s->count - first, n = left < place->slice ? left : place->slice;
        status = sample_slice(s, data, place, first, n, buffer, rows + first * data->dim, failed);
        gm_progress_update(&progress, first + n);
    }
    gm_progress_end(&progress);
    free(buffer);
    return status;
}

static gm_status save_samples(const settings *s, const gm_vectors *data, float *rows) {
    gm_tensor tensor = gm_tensor_2d(rows, GM_F32, s->count, data->dim);
    if (data->stacked) {
        tensor = gm_tensor_3d(rows, GM_F32, s->count, data->height, data->width);
    }
    return gm_npy_save(NULL, s->out, &tensor);
}

/* ---- what is printed ------------------------------------------------------------------------- */

typedef struct report {
    double seconds;
    int64_t failed;
    const char *backend, *kernel;
    gm_nearness samples, own;
} report;

static void add_nearness(cJSON *parent, const char *name, const gm_nearness *nearness) {
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    cJSON_AddNumberToObject(object, "points", (double)nearness->points);
    cJSON_AddNumberToObject(object, "min", nearness->least);
    cJSON_AddNumberToObject(object, "median", nearness->median);
    cJSON_AddNumberToObject(object, "max", nearness->most);
    cJSON_AddNumberToObject(object, "distinct_nearest", (double)nearness->distinct);
}

static int print_json(const settings *s, const gm_vectors *data, const report *r) {
    static const char *const methods[] = {"sde", "ode", "heun"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "sample");
    cJSON_AddStringToObject(object, "data", s->data);
    cJSON_AddNumberToObject(object, "data_count", (double)data->count);
    cJSON_AddNumberToObject(object, "dim", (double)data->dim);
    cJSON_AddNumberToObject(object, "mean", data->mean);
    cJSON_AddNumberToObject(object, "scale", data->scale);
    cJSON_AddNumberToObject(object, "count", (double)s->count);
    cJSON_AddNumberToObject(object, "steps", (double)s->sampler.steps);
    cJSON_AddStringToObject(object, "method", methods[s->sampler.method]);
    cJSON_AddNumberToObject(object, "bandwidth", s->bandwidth);
    cJSON_AddNumberToObject(object, "t_end", s->sampler.t_end);
    cJSON_AddBoolToObject(object, "denoise", s->sampler.denoise);
    cJSON_AddStringToObject(object, "precision", gm_dtype_name(s->dtype));
    cJSON_AddStringToObject(object, "backend", r->backend);
    cJSON_AddStringToObject(object, "kernel", r->kernel);
    cJSON_AddNumberToObject(object, "seconds", r->seconds);
    cJSON_AddNumberToObject(object, "samples_per_second",
                            r->seconds > 0.0 ? (double)s->count / r->seconds : 0.0);
    cJSON_AddNumberToObject(object, "not_finite", (double)r->failed);
    cJSON_AddNumberToObject(object, "copies", (double)r->samples.copies);
    add_nearness(object, "distance_to_nearest_datum", &r->samples);
    add_nearness(object, "distance_between_data", &r->own);
    return gm_cli_print_json(object);
}

static void print_text(const settings *s, const gm_vectors *data, const report *r) {
    printf("data       %lld vectors of %lld components from %s\n", (long long)data->count,
           (long long)data->dim, s->data);
    printf("           standardised by their mean %.6g and standard deviation %.6g\n", data->mean,
           data->scale);
    printf("samples    %lld in %.2f s on %s (%s): %.4g a second, %.4g steps a second\n",
           (long long)s->count, r->seconds, r->backend, r->kernel,
           (double)s->count / fmax(r->seconds, 1e-9),
           (double)s->count * (double)s->sampler.steps / fmax(r->seconds, 1e-9));
    if (r->failed > 0) {
        printf("           %lld are not finite\n", (long long)r->failed);
    }
    if (r->samples.points > 0) {
        printf("distance   to the nearest datum: min %.4g, median %.4g, max %.4g (%lld samples)\n",
               r->samples.least, r->samples.median, r->samples.most, (long long)r->samples.points);
    }
    if (r->own.points > 0) {
        printf("           between data:         min %.4g, median %.4g, max %.4g (%lld data)\n",
               r->own.least, r->own.median, r->own.most, (long long)r->own.points);
    }
    if (r->samples.points > 0) {
        printf("           median of samples / median of data: %.3g; %lld copies\n",
               r->own.median > 0.0 ? r->samples.median / r->own.median : 0.0,
               (long long)r->samples.copies);
        printf("nearest    %lld different data are the nearest of a sample\n",
               (long long)r->samples.distinct);
    }
    if (s->out != NULL) {
        printf("written    %s\n", s->out);
    }
    if (s->picture != NULL) {
        printf("picture    %s\n", s->picture);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static gm_status search_and_write(const settings *s, const gm_vectors *data, gm_context *context,
                                  float *rows, report *r) {
    GM_TRY(gm_nearness_own(data, &r->own));
    GM_TRY(gm_nearness_of(data, rows, s->count, 0.1 * r->own.median, &r->samples));
    for (int64_t i = 0; i < s->count * data->dim; ++i) {
        rows[i] = (float)(data->mean + data->scale * (double)rows[i]);
    }
    if (s->out != NULL) {
        GM_TRY(save_samples(s, data, rows));
    }
    return s->picture != NULL ? gm_sample_picture(context, s->picture, data, rows, s->count)
                              : GM_STATUS_OK;
}

static int run_with(const settings *s, const gm_vectors *data, gm_context *context, float *rows) {
    workplace place = {.context = context};
    report r = {.backend = gm_context_backend_name(context)};
    gm_status status = open_workplace(s, data, &place);
    if (status == GM_STATUS_OK) {
        const double begin = gm_cli_seconds();
        status = sample_all(s, data, &place, rows, &r.failed);
        r.seconds = gm_cli_seconds() - begin;
        r.kernel = gm_last_kernel(context);
    }
    close_workplace(&place);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(context, status, "sampling");
    }
    status = search_and_write(s, data, context, rows, &r);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(gm_last_error(context)[0] != '\0' ? context : NULL, status, "writing");
    }
    if (s->common.json) {
        return print_json(s, data, &r);
    }
    print_text(s, data, &r);
    return GM_EXIT_OK;
}

static int run_on(const settings *s, const gm_vectors *data) {
    gm_context *context = gm_cli_context(&s->common);
    float *rows = malloc((size_t)s->count * (size_t)data->dim * sizeof *rows + 1);
    int code = GM_EXIT_FAILURE;
    if (context != NULL && rows == NULL) {
        gm_cli_error("no memory for %lld samples", (long long)s->count);
    } else if (context != NULL) {
        code = run_with(s, data, context, rows);
    }
    free(rows);
    gm_context_destroy(context);
    return code;
}

int gm_cli_sample(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = option_list, .parser = parse, .doc = documentation, .children = children};
    settings s = {
        .count = 1024, .dtype = GM_F32, .sampler = {.steps = 500, .t_end = 0.3, .denoise = 1}};
    gm_vectors data;
    gm_cli_parse(&parser, argc, argv, &s);
    const gm_status status = gm_vectors_load(s.data, &data);
    if (status != GM_STATUS_OK) {
        return gm_cli_fail(NULL, status, s.data);
    }
    const char *no_picture = s.picture != NULL ? gm_sample_no_picture(&data, s.count) : NULL;
    int code = GM_EXIT_FAILURE;
    if (no_picture != NULL) {
        gm_cli_error("no picture of %lld samples of %lld components: %s", (long long)s.count,
                     (long long)data.dim, no_picture);
    } else {
        gm_vectors_standardise(&data);
        code = run_on(&s, &data);
    }
    gm_vectors_free(&data);
    return code;
}
