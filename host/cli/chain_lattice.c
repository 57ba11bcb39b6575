/* Options, the lattice, the run and means of chains of discrete models. */
#include "host/cli/chain_lattice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/npy.h>
#include <genmath/philox.h>

#include "host/internal.h"

enum { MOST_AXES = 8, MOST_TEMPERATURES = 4096, MOST_CHAINS = 1 << 24 };
enum {
    KEY_FREE = 0x2001,
    KEY_GLASS,
    KEY_BURN_IN,
    KEY_ORDER,
    KEY_START,
    KEY_FIRST,
    KEY_OUT,
    KEY_LATTICE,
    KEY_CORRELATIONS,
    KEY_EVERY
};

static const char *const orders[] = {"coloured", "random", "raster", NULL};
static const char *const lattices[] = {"square", "triangular", "hexagonal", NULL};

static const struct argp_option options[] = {
    {"size", 'L', "AxBx..", 0, "sites along each axis (default: 64x64)", 0},
    {"lattice", KEY_LATTICE, "NAME", 0,
     "square (of any number of axes), triangular or hexagonal (default: square)", 0},
    {"free", KEY_FREE, NULL, 0, "free boundaries (default: periodic)", 0},
    {"glass", KEY_GLASS, NULL, 0, "couplings +1 and -1 by the seed (default: all 1)", 0},
    {"temperature", 'T', "A[:B:N]", 0, "one temperature, or N from A to B", 0},
    {"chains", 'n', "N", 0, "at each temperature (default: 32)", 0},
    {"burn-in", KEY_BURN_IN, "N", 0, "sweeps before the first that counts (default: 1000)", 0},
    {"sweeps", 's', "N", 0, "sweeps that count (default: 1000)", 0},
    {"order", KEY_ORDER, "NAME", 0, "coloured, random or raster (default: coloured)", 0},
    {"start", KEY_START, "FILE", 0,
     "the state to start from, as --out wrote it (default: all sites alike, of a glass random by "
     "the seed)",
     0},
    {"first-sweep", KEY_FIRST, "N", 0,
     "the number of the first sweep: as many as were run before (default: 0)", 0},
    {"out", KEY_OUT, "FILE", 0, "write the state afterwards, (chains, sites), as .npy", 0},
    {"correlations", KEY_CORRELATIONS, "R", 0,
     "correlations of sites at distances 1 to R along the axes (default: 0, none)", 0},
    {"every", KEY_EVERY, "K", 0, "sweeps between two measurements of them (default: 1)", 0},
    {0}};

/* ---- options --------------------------------------------------------------------------------- */

static void parse_size(struct argp_state *state, const char *text, gm_chain_settings *s) {
    const char *at = text;
    s->axes = 0;
    for (bool more = true; more; ++s->axes) {
        char *end;
        const long long size = strtoll(at, &end, 10);
        if (s->axes == MOST_AXES || end == at || size < 1 || (*end != 'x' && *end != '\0')) {
            argp_error(state, "--size '%s': must be 1 to %d whole numbers joined by x", text,
                       MOST_AXES);
        }
        s->size[s->axes] = size;
        more = *end == 'x';
        at = end + 1;
    }
}

static void parse_temperature(struct argp_state *state, const char *text, gm_chain_settings *s) {
    char *end;
    s->cold = s->hot = strtod(text, &end);
    s->temperatures = 1;
    const bool one = end != text && *end == '\0';
    if (!one && end != text && *end == ':') {
        const char *second = end + 1;
        s->hot = strtod(second, &end);
        if (end != second && *end == ':') {
            s->temperatures =
                gm_cli_parse_integer(state, "temperature", end + 1, 2, MOST_TEMPERATURES);
        }
    }
    if (!(s->cold > 0 && s->hot > 0 && isfinite(s->cold) && isfinite(s->hot)) ||
        (!one && s->temperatures < 2)) {
        argp_error(state, "--temperature '%s': must be T or A:B:N, above 0", text);
    }
}

int gm_chain_parse_word(struct argp_state *state, const char *option, const char *text,
                        const char *const *names) {
    char list[160] = "";
    for (int i = 0; names[i] != NULL; ++i) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0                 ? ""
                 : names[i + 1] == NULL ? " or "
                                        : ", ",
                 names[i]);
    }
    argp_error(state, "--%s '%s': must be %s", option, text, list);
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    gm_chain_settings *s = state->input;
    const int64_t most = INT64_C(1) << 40;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &s->common;
        return 0;
    case 'L':
        parse_size(state, argument, s);
        return 0;
    case 'T':
        parse_temperature(state, argument, s);
        return 0;
    case 'n':
        s->replicas = gm_cli_parse_integer(state, "chains", argument, 1, MOST_CHAINS);
        return 0;
    case 's':
        s->sweeps = gm_cli_parse_integer(state, "sweeps", argument, 1, most);
        return 0;
    case KEY_BURN_IN:
        s->burn_in = gm_cli_parse_integer(state, "burn-in", argument, 0, most);
        return 0;
    case KEY_FIRST:
        s->first_sweep = gm_cli_parse_integer(state, "first-sweep", argument, 0, most);
        return 0;
    case KEY_ORDER:
        s->order = (gm_ising_order)gm_chain_parse_word(state, "order", argument, orders);
        return 0;
    case KEY_LATTICE:
        s->lattice = (gm_lattice_kind)gm_chain_parse_word(state, "lattice", argument, lattices);
        return 0;
    case KEY_FREE:
        s->free_edges = true;
        return 0;
    case KEY_GLASS:
        s->glass = true;
        return 0;
    case KEY_START:
        s->start = argument;
        return 0;
    case KEY_OUT:
        s->out = argument;
        return 0;
    case KEY_CORRELATIONS:
        s->reach = gm_cli_parse_integer(state, "correlations", argument, 0, 1 << 20);
        return 0;
    case KEY_EVERY:
        s->every = gm_cli_parse_integer(state, "every", argument, 1, 1 << 20);
        return 0;
    case ARGP_KEY_END:
        gm_chain_correlations_check_options(state, s);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
const struct argp gm_chain_argp = {.options = options, .parser = parse, .children = children};

/* ---- the run --------------------------------------------------------------------------------- */

gm_status gm_chain_make_lattice(gm_chain_place *w) {
    const gm_chain_settings *s = w->settings;
    int32_t periodic[MOST_AXES];
    for (int a = 0; a < MOST_AXES; ++a) {
        periodic[a] = !s->free_edges;
    }
    const gm_status status =
        gm_lattice_edges(s->lattice, s->axes, s->size, periodic, NULL, &w->edges);
    GM_CHECK(w->context, status == GM_STATUS_OK, status, "%s", gm_last_error(NULL));
    w->sites = 1;
    for (int32_t a = 0; a < s->axes; ++a) {
        w->sites *= s->size[a];
    }
    w->ends = malloc((size_t)(2 * w->edges + 1) * sizeof *w->ends);
    w->coupling = malloc((size_t)(w->edges + 1) * sizeof *w->coupling);
    GM_CHECK(w->context, w->ends != NULL && w->coupling != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for the lattice");
    GM_TRY(gm_lattice_edges(s->lattice, s->axes, s->size, periodic, w->ends, &w->edges));
    for (int64_t e = 0; e < w->edges; ++e) {
        const gm_words word = gm_philox_block(s->common.seed, (uint64_t)e, GM_STREAM_USER, 0);
        w->coupling[e] = s->glass && word.w0 >> 31 != 0 ? -1 : 1;
    }
    return GM_STATUS_OK;
}

gm_status gm_chain_open(gm_chain_place *w) {
    const gm_chain_settings *s = w->settings;
    gm_context *context = w->context;
    w->chains = s->temperatures * s->replicas;
    int64_t bytes;
    GM_CHECK(context, gm_multiply_sizes(w->chains, w->sites, &bytes), GM_STATUS_INVALID_ARGUMENT,
             "too many sites");
    const size_t sums = (size_t)w->chains * (size_t)w->sum_count * 2 * sizeof *w->sums;
    w->beta = malloc((size_t)w->chains * sizeof *w->beta);
    w->state = malloc((size_t)bytes);
    w->sums = malloc(sums);
    GM_CHECK(context, w->beta != NULL && w->state != NULL && w->sums != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    for (int64_t c = 0; c < w->chains; ++c) {
        const int64_t step = c / s->replicas;
        const double share = s->temperatures > 1 ? (double)step / (double)(s->temperatures - 1) : 0;
        w->beta[c] = 1 / (s->cold + (s->hot - s->cold) * share);
    }
    const int64_t shape[3] = {w->chains, w->sum_count, 2}, flat[2] = {w->chains, w->sites};
    GM_TRY(gm_tensor_view(NULL, GM_F64, 1, flat, &w->device_beta));
    GM_TRY(gm_tensor_view(NULL, w->dtype, 2, flat, &w->device_state));
    GM_TRY(gm_tensor_view(NULL, GM_U64, 3, shape, &w->device_sums));
    GM_TRY(gm_memory_alloc(context, (size_t)w->chains * 8, &w->device_beta.data));
    GM_TRY(gm_memory_alloc(context, (size_t)bytes, &w->device_state.data));
    GM_TRY(gm_memory_alloc(context, sums, &w->device_sums.data));
    return gm_memory_upload(context, w->device_beta.data, w->beta, (size_t)w->chains * 8);
}

gm_status gm_chain_load(gm_chain_place *w) {
    const char *path = w->settings->start;
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, path, &file));
    const bool fits = file.dtype == w->dtype && file.ndim == 2 && file.shape[0] == w->chains &&
                      file.shape[1] == w->sites;
    for (int64_t i = 0; i < w->chains * w->sites && fits; ++i) {
        w->state[i] =
            ((const uint8_t *)
                 file.data)[i / w->sites * file.stride[0] + i % w->sites * file.stride[1]];
    }
    gm_npy_free(&file);
    GM_CHECK(w->context, fits, GM_STATUS_SHAPE_MISMATCH,
             "%s: must be %s of %lld chains x %lld sites", path, gm_dtype_name(w->dtype),
             (long long)w->chains, (long long)w->sites);
    return GM_STATUS_OK;
}

gm_status gm_chain_upload(gm_chain_place *w) {
    return gm_memory_upload(w->context, w->device_state.data, w->state,
                            (size_t)(w->chains * w->sites));
}

gm_status gm_chain_run(gm_chain_place *w) {
    const gm_chain_settings *s = w->settings;
    gm_context *context = w->context;
    gm_ising_sweeps run = {
        .seed = s->common.seed, .first_sweep = (uint64_t)s->first_sweep, .sweeps = s->burn_in};
    GM_TRY(w->run(w, &run, false, &w->workspace)); /* only asks */
    GM_TRY(gm_memory_alloc(context, w->workspace.bytes, &w->workspace.data));
    const double start = gm_cli_seconds();
    GM_TRY(w->run(w, &run, false, &w->workspace));
    run.first_sweep += (uint64_t)s->burn_in;
    run.sweeps = s->sweeps;
    if (s->reach > 0) {
        GM_TRY(gm_chain_correlations_run(w, &run));
    } else {
        GM_TRY(w->run(w, &run, true, &w->workspace));
        snprintf(w->kernel, sizeof w->kernel, "%s", gm_last_kernel(context));
    }
    GM_TRY(gm_context_synchronize(context));
    w->seconds = gm_cli_seconds() - start;
    return GM_STATUS_OK;
}

gm_status gm_chain_download(gm_chain_place *w) {
    if (w->settings->reach > 0) {
        GM_TRY(gm_chain_correlations_download(w));
    } else {
        GM_TRY(gm_memory_download(w->context, w->sums, w->device_sums.data,
                                  (size_t)w->chains * (size_t)w->sum_count * 2 * sizeof *w->sums));
    }
    return gm_memory_download(w->context, w->state, w->device_state.data,
                              (size_t)(w->chains * w->sites));
}

gm_status gm_chain_save(const gm_chain_place *w) {
    const char *path = w->settings->out;
    const gm_tensor state = gm_tensor_2d(w->state, w->dtype, w->chains, w->sites);
    return path != NULL ? gm_npy_save(w->context, path, &state) : GM_STATUS_OK;
}

void gm_chain_close(gm_chain_place *w) {
    gm_chain_correlations_close(w);
    gm_memory_free(w->context, w->device_beta.data);
    gm_memory_free(w->context, w->device_state.data);
    gm_memory_free(w->context, w->device_sums.data);
    gm_memory_free(w->context, w->workspace.data);
    free(w->ends);
    free(w->coupling);
    free(w->beta);
    free(w->state);
    free(w->sums);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static double mean_sum(const gm_chain_place *w, int64_t chain, int sum) {
    return gm_ising_sum_value(w->sums + (chain * w->sum_count + sum) * 2) /
           (double)w->settings->sweeps;
}

double gm_chain_mean(const gm_chain_place *w, int64_t temperature, int sum, double *error) {
    const int64_t replicas = w->settings->replicas, first = temperature * replicas;
    const double n = (double)replicas;
    double mean = 0, square = 0;
    for (int64_t c = first; c < first + replicas; ++c) {
        mean += mean_sum(w, c, sum) / n;
    }
    for (int64_t c = first; c < first + replicas; ++c) {
        square += (mean_sum(w, c, sum) - mean) * (mean_sum(w, c, sum) - mean);
    }
    *error = n > 1 ? sqrt(square / (n - 1) / n) : 0;
    return mean;
}

double gm_chain_temperature(const gm_chain_place *w, int64_t temperature) {
    return 1 / w->beta[temperature * w->settings->replicas];
}

static double updates_per_second(const gm_chain_place *w) {
    const gm_chain_settings *s = w->settings;
    return (double)w->chains * (double)w->sites * (double)(s->burn_in + s->sweeps) /
           fmax(w->seconds, 1e-9);
}

void gm_chain_print_head(const gm_chain_place *w) {
    const gm_chain_settings *s = w->settings;
    printf("# %lld chains of %lld sites, %lld + %lld sweeps in %.2f s on %s (%s): %.3g updates/s\n",
           (long long)w->chains, (long long)w->sites, (long long)s->burn_in, (long long)s->sweeps,
           w->seconds, gm_context_backend_name(w->context), w->kernel, updates_per_second(w));
    printf("# per site; +- is the standard error from the chains' spread\n");
}

cJSON *gm_chain_json_head(const gm_chain_place *w, const char *model, const char *update) {
    const gm_chain_settings *s = w->settings;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", model);
    cJSON_AddStringToObject(object, "lattice", lattices[s->lattice]);
    cJSON_AddNumberToObject(object, "sites", (double)w->sites);
    cJSON_AddNumberToObject(object, "chains", (double)w->chains);
    cJSON_AddStringToObject(object, "update", update);
    cJSON_AddStringToObject(object, "order", orders[s->order]);
    cJSON_AddNumberToObject(object, "first_sweep", (double)s->first_sweep);
    cJSON_AddNumberToObject(object, "burn_in", (double)s->burn_in);
    cJSON_AddNumberToObject(object, "sweeps", (double)s->sweeps);
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    cJSON_AddStringToObject(object, "kernel", w->kernel);
    cJSON_AddNumberToObject(object, "seconds", w->seconds);
    cJSON_AddNumberToObject(object, "updates_per_second", updates_per_second(w));
    return object;
}
