/* genmath chain density: Markov chains over a density of the library. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/mcmc.h>
#include <genmath/npy.h>
#include <genmath/philox.h>

#include "host/cli/chain.h"
#include "host/cli/chain_density.h"
#include "host/internal.h"

enum { MOST_CHAINS = 1 << 24 };
enum {
    KEY_WARM = 0x2001,
    KEY_THIN,
    KEY_STEP,
    KEY_LEAPFROGS,
    KEY_TARGET,
    KEY_MASS,
    KEY_START,
    KEY_FIRST,
    KEY_STATE,
    KEY_OUT,
    KEY_PICTURE
};

static const double targets[] = {0.234, 0, 0.574, 0.8, 0.44};
/* Parameters where none are given. */
static const struct {
    const char *name;
    double params[MOST_PARAMS];
} defaults[] = {
    {"normal", {0, 1}}, {"banana", {0.5, 1}}, {"funnel", {3, 0}}, {"two_wells", {2, 0}}};

static const struct argp_option options[] = {
    {"params", 'p', "A[,B]", 0,
     "the density's parameters (default: normal 0,1; banana 0.5,1; funnel 3; two_wells 2,0)", 0},
    {"method", 'm', "NAME", 0, "rwm, ula, mala, hmc or component (default: hmc)", 0},
    {"mass", KEY_MASS, "NAME", 0,
     "scale of the steps, from the states half way through the warm-up: unit, diagonal or dense "
     "(default: diagonal; component adapts its own, ula has unit)",
     0},
    {"chains", 'n', "N", 0, "how many (default: 64)", 0},
    {"warm-up", KEY_WARM, "N", 0, "steps in which step sizes adapt (default: 500, with --start 0)",
     0},
    {"draws", 's', "N", 0, "of each chain (default: 1000)", 0},
    {"thin", KEY_THIN, "N", 0, "steps to a draw (default: 1)", 0},
    {"step", KEY_STEP, "H", 0, "step size, of ula and before adaptation (default: 0.1)", 0},
    {"leapfrogs", KEY_LEAPFROGS, "N", 0, "of hmc, at most: each step has 1 to N (default: 16)", 0},
    {"target", KEY_TARGET, "P", 0,
     "acceptance to adapt to (default: rwm 0.234, mala 0.574, hmc 0.8, component 0.44)", 0},
    {"start", KEY_START, "FILE", 0,
     "states, step sizes and scales to start from, as --state wrote them (default: standard "
     "normal states)",
     0},
    {"first-step", KEY_FIRST, "N", 0,
     "the number of the first step: as many as were run before (default: 0)", 0},
    {"state", KEY_STATE, "FILE", 0, "write states, step sizes and scales afterwards, as .npy", 0},
    {"out", KEY_OUT, "FILE", 0, "write the draws, (draws, coordinates, chains), as .npy", 0},
    {"picture", KEY_PICTURE, "FILE", 0,
     "draw where the draws of the first two coordinates, or of the only one, lie, as .png", 0},
    {0}};

static int parse_word(struct argp_state *state, const char *option, const char *text,
                      const char *const *names, int count) {
    for (int i = 0; i < count; ++i) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    argp_error(state, "--%s '%s': not one of those in --help", option, text);
    return 0;
}

static void parse_params(struct argp_state *state, const char *text, density_settings *s) {
    const char *at = text;
    for (s->params_given = 0;;) {
        char *end;
        const double value = strtod(at, &end);
        if (s->params_given == MOST_PARAMS || end == at || !isfinite(value) ||
            (*end != ',' && *end != '\0')) {
            argp_error(state, "--params '%s': must be 1 to %d numbers joined by commas", text,
                       MOST_PARAMS);
        }
        s->params[s->params_given++] = value;
        if (*end == '\0') {
            return;
        }
        at = end + 1;
    }
}

static void parse_density(struct argp_state *state, const char *name, density_settings *s) {
    if (s->density != NULL) {
        argp_error(state, "Too many arguments");
    }
    s->density = gm_density_builtin(name);
    if (s->density == NULL) {
        argp_error(state, "no density '%s'", name);
    }
}

/* What depends on more than one option. */
static void finish(struct argp_state *state, density_settings *s) {
    if (s->density == NULL) {
        argp_error(state, "a density is needed");
        return;
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && s->params_given < 0; ++i) {
        if (strcmp(defaults[i].name, s->density->name) == 0) {
            memcpy(s->params, defaults[i].params, sizeof s->params);
            s->params_given = s->density->params;
        }
    }
    if (s->params_given != s->density->params) {
        argp_error(state, "--params: %s has %d", s->density->name, (int)s->density->params);
    }
    if (s->method == GM_MCMC_ULA || s->method == GM_MCMC_COMPONENT) {
        s->mass = s->method == GM_MCMC_ULA ? MASS_UNIT : MASS_DIAGONAL;
    }
    s->target = s->target >= 0 ? s->target : targets[s->method];
    s->warm_up = s->warm_up >= 0 ? s->warm_up : s->start != NULL ? 0 : 500;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    density_settings *s = state->input;
    const int64_t most = INT64_C(1) << 32;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->common;
        return 0;
    case ARGP_KEY_ARG:
        parse_density(state, argument, s);
        return 0;
    case ARGP_KEY_END:
        finish(state, s);
        return 0;
    case 'p':
        parse_params(state, argument, s);
        return 0;
    case 'm':
        s->method = (gm_mcmc_method)parse_word(state, "method", argument, gm_density_methods, 5);
        return 0;
    case 'n':
        s->chains = gm_cli_parse_integer(state, "chains", argument, 1, MOST_CHAINS);
        return 0;
    case 's':
        s->draws = gm_cli_parse_integer(state, "draws", argument, 1, most);
        return 0;
    case KEY_MASS:
        s->mass = (mass_kind)parse_word(state, "mass", argument, gm_density_masses, 3);
        return 0;
    case KEY_WARM:
        s->warm_up = gm_cli_parse_integer(state, "warm-up", argument, 0, most);
        return 0;
    case KEY_THIN:
        s->thin = gm_cli_parse_integer(state, "thin", argument, 1, 1 << 20);
        return 0;
    case KEY_FIRST:
        s->first_step = gm_cli_parse_integer(state, "first-step", argument, 0, INT64_C(1) << 40);
        return 0;
    case KEY_STEP:
        s->step = gm_cli_parse_real(state, "step", argument, 1e-12, 1e6);
        return 0;
    case KEY_LEAPFROGS:
        s->leapfrogs = (int32_t)gm_cli_parse_integer(state, "leapfrogs", argument, 1, 1 << 20);
        return 0;
    case KEY_TARGET:
        s->target = gm_cli_parse_real(state, "target", argument, 0.01, 0.999);
        return 0;
    case KEY_START:
        s->start = argument;
        return 0;
    case KEY_STATE:
        s->state = argument;
        return 0;
    case KEY_OUT:
        s->out = argument;
        return 0;
    case KEY_PICTURE:
        s->picture = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static int64_t rows_of(const density_settings *s) {
    const int64_t dim = s->density->dim;
    return s->mass == MASS_UNIT ? 0 : s->mass == MASS_DIAGONAL ? dim : dim * dim;
}

static gm_status load_start(const density_settings *s, density_run *w) {
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, s->start, &file));
    const bool fits = file.dtype == GM_F64 && file.ndim == 2 && file.shape[0] == w->rows &&
                      file.shape[1] == s->chains;
    for (int64_t i = 0; i < w->rows * s->chains && fits; ++i) {
        w->state[i] =
            ((const double *)
                 file.data)[i / s->chains * file.stride[0] + i % s->chains * file.stride[1]];
    }
    gm_npy_free(&file);
    GM_CHECK(w->context, fits, GM_STATUS_SHAPE_MISMATCH,
             "%s: must be f64 of %lld rows x %lld chains: coordinates, step size, scales", s->start,
             (long long)w->rows, (long long)s->chains);
    return GM_STATUS_OK;
}

static void make_start(const density_settings *s, density_run *w) {
    for (int64_t i = 0; i < w->rows * s->chains; ++i) {
        const int64_t row = i / s->chains, mass = row - w->dim - 1;
        const bool on_diagonal = s->mass == MASS_DIAGONAL || mass % (w->dim + 1) == 0;
        w->state[i] = row < w->dim    ? gm_normal_f64(s->common.seed, (uint64_t)(i % s->chains),
                                                      GM_STREAM_CHAIN_START, (uint64_t)row)
                      : row == w->dim ? s->step
                                      : on_diagonal;
    }
}

static gm_status alloc(gm_context *context, gm_dtype dtype, int64_t rows, int64_t columns,
                       gm_tensor *device, void *host_of) {
    int64_t bytes, count;
    GM_CHECK(context,
             gm_multiply_sizes(rows, columns, &count) &&
                 gm_multiply_sizes(count, (int64_t)gm_dtype_size(dtype), &bytes),
             GM_STATUS_INVALID_ARGUMENT, "too many numbers");
    const int64_t shape[] = {rows, columns};
    GM_TRY(gm_tensor_view(NULL, dtype, 2, shape, device));
    if (host_of != NULL) {
        void *host = malloc((size_t)bytes + 1);
        GM_CHECK(context, host != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
        memcpy(host_of, &host, sizeof host);
    }
    return gm_memory_alloc(context, (size_t)bytes + 1, &device->data);
}

static gm_status open_workplace(const density_settings *s, density_run *w) {
    gm_context *context = w->context;
    w->dim = s->density->dim;
    w->masses = rows_of(s);
    w->rows = w->dim + 1 + w->masses;
    int64_t kept;
    GM_CHECK(context, gm_multiply_sizes(s->draws, w->dim, &kept), GM_STATUS_INVALID_ARGUMENT,
             "too many draws");
    GM_TRY(alloc(context, GM_F64, w->rows, s->chains, &w->device_state, &w->state));
    GM_TRY(alloc(context, GM_F64, kept, s->chains, &w->device_draws, &w->draws));
    GM_TRY(alloc(context, GM_I32, 3, s->chains, &w->device_counts, &w->counts));
    GM_TRY(alloc(context, GM_F64, MOST_PARAMS, 1, &w->device_params, NULL));
    GM_TRY(alloc(context, GM_F64, w->dim, w->dim, &w->device_mass, NULL));
    if (s->start != NULL) {
        GM_TRY(load_start(s, w));
    } else {
        make_start(s, w);
    }
    GM_TRY(gm_memory_upload(context, w->device_params.data, s->params, sizeof s->params));
    return gm_memory_upload(context, w->device_state.data, w->state,
                            (size_t)(w->rows * s->chains) * sizeof *w->state);
}

static void close_workplace(density_run *w) {
    gm_memory_free(w->context, w->device_state.data);
    gm_memory_free(w->context, w->device_draws.data);
    gm_memory_free(w->context, w->device_counts.data);
    gm_memory_free(w->context, w->device_params.data);
    gm_memory_free(w->context, w->device_mass.data);
    free(w->state);
    free(w->draws);
    free(w->counts);
}

/* Steps of all chains in place, adapting or drawing; *at is the number of the first and is moved.
 */
static gm_status run_steps(const density_settings *s, density_run *w, int64_t steps, bool adapts,
                           int64_t *at) {
    const int64_t n = s->chains, dim = w->dim;
    if (steps == 0) {
        return GM_STATUS_OK;
    }
    double point[GM_MAX_SYSTEM_DIM + MOST_PARAMS];
    for (int64_t c = 0; c < dim; ++c) {
        point[c] = w->state[c * n];
    }
    memcpy(point + dim, s->params, sizeof s->params);
    const bool is_hmc = s->method == GM_MCMC_HMC, by_component = s->method == GM_MCMC_COMPONENT;
    const gm_mcmc_options how = {.dtype = GM_F64,
                                 .method = s->method,
                                 .steps = steps,
                                 .thin = adapts ? 0 : s->thin,
                                 .leapfrogs = is_hmc ? s->leapfrogs : 0,
                                 .jitter = is_hmc && s->leapfrogs > 1,
                                 .target = adapts ? s->target : 0,
                                 .seed = s->common.seed,
                                 .check = point};
    gm_mcmc_plan *plan;
    GM_TRY(gm_mcmc_plan_create(w->context, s->density, &how, &plan));
    double *data = w->device_state.data;
    int32_t *counts = w->device_counts.data;
    const gm_tensor state = gm_tensor_2d(data, GM_F64, dim, n);
    const gm_tensor step = gm_tensor_1d(data + dim * n, GM_F64, n);
    const gm_tensor scale = gm_tensor_2d(data + (dim + 1) * n, GM_F64, dim, n);
    const gm_tensor factor = gm_tensor_3d(data + (dim + 1) * n, GM_F64, dim, dim, n);
    const gm_tensor params =
        view(w->device_params.data, 0, 2, (const int64_t[]){s->density->params, n},
             (const int64_t[]){1, 0});
    const gm_tensor draws = gm_tensor_3d(w->device_draws.data, GM_F64, s->draws, dim, n);
    const gm_tensor accepted = gm_tensor_1d(counts, GM_I32, n);
    const gm_tensor outside = gm_tensor_1d(counts + n, GM_I32, n);
    const gm_tensor status_of = gm_tensor_1d(counts + 2 * n, GM_I32, n);
    const gm_mcmc_input input = {.state = &state,
                                 .params = &params,
                                 .step = &step,
                                 .scale = s->mass == MASS_DIAGONAL ? &scale : NULL,
                                 .factor = s->mass == MASS_DENSE ? &factor : NULL};
    /* What is adapted replaces what it came from: through memory that holds draws later. */
    const gm_tensor found = by_component ? gm_tensor_2d(w->device_draws.data, GM_F64, dim, n)
                                         : gm_tensor_1d(w->device_draws.data, GM_F64, n);
    const bool finds = how.target > 0;
    const gm_mcmc_result result = {.state = &state,
                                   .draws = adapts ? NULL : &draws,
                                   .step = finds && !by_component ? &found : NULL,
                                   .scale = finds && by_component ? &found : NULL,
                                   .accepted = &accepted,
                                   .outside = &outside,
                                   .status = &status_of};
    const double start = gm_cli_seconds();
    gm_status status = gm_mcmc_run(plan, *at, &input, &result);
    *at += steps;
    if (status == GM_STATUS_OK) {
        status = gm_context_synchronize(w->context);
    }
    w->seconds += gm_cli_seconds() - start;
    gm_mcmc_plan_destroy(plan);
    if (status == GM_STATUS_OK && finds) {
        const int64_t first = (by_component ? dim + 1 : dim) * n,
                      count = by_component ? dim * n : n;
        const size_t bytes = (size_t)count * sizeof *w->state;
        GM_TRY(gm_memory_download(w->context, w->state + first, found.data, bytes));
        status = gm_memory_upload(w->context, data + first, w->state + first, bytes);
    }
    return status;
}

/* The mass from where all chains are, the same for each. */
static gm_status find_mass(const density_settings *s, density_run *w) {
    const int64_t n = s->chains, dim = w->dim;
    double found[GM_MAX_SYSTEM_DIM * GM_MAX_SYSTEM_DIM];
    const gm_tensor points = gm_tensor_3d(w->device_state.data, GM_F64, 1, dim, n);
    const gm_tensor scale = gm_tensor_1d(w->device_mass.data, GM_F64, dim);
    const gm_tensor factor = gm_tensor_2d(w->device_mass.data, GM_F64, dim, dim);
    GM_TRY(gm_mcmc_mass(w->context, &points, s->mass == MASS_DIAGONAL ? &scale : NULL,
                        s->mass == MASS_DENSE ? &factor : NULL));
    GM_TRY(gm_memory_download(w->context, found, w->device_mass.data,
                              (size_t)w->masses * sizeof *found));
    double *rows = w->state + (dim + 1) * n;
    for (int64_t i = 0; i < w->masses * n; ++i) {
        rows[i] = found[i / n];
    }
    return gm_memory_upload(w->context, (double *)w->device_state.data + (dim + 1) * n, rows,
                            (size_t)(w->masses * n) * sizeof *rows);
}

static gm_status run_chains(const density_settings *s, density_run *w) {
    int64_t at = s->first_step;
    const bool finds = s->mass != MASS_UNIT && s->method != GM_MCMC_COMPONENT;
    const int64_t head = finds ? s->warm_up / 2 : 0;
    GM_TRY(run_steps(s, w, head, true, &at));
    if (head > 0) {
        GM_TRY(find_mass(s, w));
    }
    GM_TRY(run_steps(s, w, s->warm_up - head, true, &at));
    w->seconds = 0;
    GM_TRY(run_steps(s, w, s->draws * s->thin, false, &at));
    const size_t numbers = (size_t)(w->dim * s->chains) * sizeof *w->state;
    GM_TRY(gm_memory_download(w->context, w->state, w->device_state.data, numbers));
    GM_TRY(
        gm_memory_download(w->context, w->draws, w->device_draws.data, (size_t)s->draws * numbers));
    return gm_memory_download(w->context, w->counts, w->device_counts.data,
                              (size_t)(3 * s->chains) * sizeof *w->counts);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run_on(const density_settings *s, gm_context *context) {
    density_run w = {.context = context};
    density_report r = {0};
    gm_status status = open_workplace(s, &w);
    status = status == GM_STATUS_OK ? run_chains(s, &w) : status;
    status = status == GM_STATUS_OK ? gm_density_make_report(s, &w, &r) : status;
    status = status == GM_STATUS_OK ? gm_density_write_files(s, &w, &r) : status;
    int code = GM_EXIT_OK;
    if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, "running the chains");
    } else if (s->common.json) {
        code = gm_density_print_json(s, &w, &r);
    } else {
        gm_density_print_text(s, &w, &r);
    }
    close_workplace(&w);
    return code;
}

int gm_chain_density(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "DENSITY",
        .children = children,
        .doc = "Runs Markov chains over a density, normal, banana, funnel or two_wells, and "
               "prints what its coordinates are, and whether to believe it.\v"
               "Examples:\n"
               "  genmath chain density banana --params 1,0.2 --picture banana.png\n"
               "  genmath chain density two_wells --params 4,0.1 --method rwm --draws 5000\n"
               "\nA run goes on, to the bit, where another ended with --start FILE --first-step N "
               "and the same other options, N being the steps before: warm-up and draws."};
    density_settings s = {.params_given = -1,
                          .method = GM_MCMC_HMC,
                          .mass = MASS_DIAGONAL,
                          .chains = 64,
                          .warm_up = -1,
                          .draws = 1000,
                          .thin = 1,
                          .leapfrogs = 16,
                          .step = 0.1,
                          .target = -1};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}
