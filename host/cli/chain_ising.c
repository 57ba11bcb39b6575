/* genmath chain ising: Markov chains of the Ising model on lattices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/multispin.h>
#include <genmath/npy.h>
#include <genmath/philox.h>

#include "host/cli/chain.h"
#include "host/internal.h"

enum { MOST_AXES = 8, MOST_TEMPERATURES = 4096, MOST_CHAINS = 1 << 24 };
enum {
    KEY_FREE = 0x2001,
    KEY_GLASS,
    KEY_FIELD,
    KEY_BURN_IN,
    KEY_UPDATE,
    KEY_ORDER,
    KEY_START,
    KEY_FIRST,
    KEY_OUT,
    KEY_PACKED
};

typedef struct settings {
    gm_cli_options common;
    const char *start, *out;
    int32_t axes;
    int64_t size[MOST_AXES];
    bool free_edges, glass, packed;
    double field, cold, hot;
    int64_t temperatures, replicas, burn_in, sweeps, first_sweep;
    gm_ising_update update;
    gm_ising_order order;
} settings;

static const char *const updates[] = {"heat-bath", "metropolis", "glauber"};
static const char *const orders[] = {"coloured", "random", "raster"};

static const struct argp_option options[] = {
    {"size", 'L', "AxBx..", 0, "sites along each axis (default: 64x64)", 0},
    {"free", KEY_FREE, NULL, 0, "free boundaries (default: periodic)", 0},
    {"glass", KEY_GLASS, NULL, 0, "couplings +1 and -1 by the seed (default: all 1)", 0},
    {"field", KEY_FIELD, "H", 0, "field at every site (default: 0)", 0},
    {"temperature", 'T', "A[:B:N]", 0, "one temperature, or N from A to B (default: 1.6:3.2:9)", 0},
    {"chains", 'n', "N", 0, "at each temperature (default: 32)", 0},
    {"burn-in", KEY_BURN_IN, "N", 0, "sweeps before the first that counts (default: 1000)", 0},
    {"sweeps", 's', "N", 0, "sweeps that count (default: 1000)", 0},
    {"update", KEY_UPDATE, "NAME", 0, "heat-bath, metropolis or glauber (default: heat-bath)", 0},
    {"order", KEY_ORDER, "NAME", 0, "coloured, random or raster (default: coloured)", 0},
    {"start", KEY_START, "FILE", 0,
     "the spins to start from, as --out wrote them (default: all 1, of a glass random by the seed)",
     0},
    {"first-sweep", KEY_FIRST, "N", 0,
     "the number of the first sweep: as many as were run before (default: 0)", 0},
    {"packed", KEY_PACKED, NULL, 0,
     "a bit a spin, much faster: 1 to 3 axes, even where periodic, no glass, field or other order; "
     "the noise is another, and so are the spins",
     0},
    {"out", KEY_OUT, "FILE", 0, "write the spins afterwards, (chains, sites), as .npy", 0},
    {0}};

static void parse_size(struct argp_state *state, const char *text, settings *s) {
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

static void parse_temperature(struct argp_state *state, const char *text, settings *s) {
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

static int parse_word(struct argp_state *state, const char *option, const char *text,
                      const char *const *names) {
    for (int i = 0; i < 3; ++i) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    argp_error(state, "--%s '%s': must be %s, %s or %s", option, text, names[0], names[1],
               names[2]);
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *s = state->input;
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
    case KEY_FIELD:
        s->field = gm_cli_parse_real(state, "field", argument, -1e6, 1e6);
        return 0;
    case KEY_UPDATE:
        s->update = (gm_ising_update)parse_word(state, "update", argument, updates);
        return 0;
    case KEY_ORDER:
        s->order = (gm_ising_order)parse_word(state, "order", argument, orders);
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
    case KEY_PACKED:
        s->packed = true;
        return 0;
    case ARGP_KEY_END:
        if (s->packed && (s->glass || s->field != 0 || s->order != GM_ISING_COLOURED)) {
            argp_error(state, "--packed: not with --glass, --field or another --order");
        }
        if (s->packed && s->axes > 3) {
            argp_error(state, "--packed: --size has at most 3 axes");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

/* What a run holds. */
typedef struct workplace {
    gm_context *context;
    gm_ising_plan *plan;
    gm_multispin_plan *packed_plan; /* NULL: not packed */
    gm_ising_info info;
    gm_ising_model model;
    int32_t *ends;
    double *coupling, *field;
    int64_t chains;
    double *beta;
    int8_t *spins;
    uint64_t *sums;
    gm_tensor device_beta, device_spins, device_sums, device_packed, device_status;
    gm_workspace workspace;
    double seconds;
    char kernel[64]; /* of the sweeps */
} workplace;

static gm_status make_packed(const settings *s, workplace *w) {
    gm_multispin_model model = {.axes = s->axes, .update = s->update};
    for (int a = 0; a < s->axes; ++a) {
        model.size[a] = s->size[a];
        model.periodic[a] = !s->free_edges;
    }
    gm_multispin_info info;
    GM_TRY(gm_multispin_plan_create(w->context, &model, &w->packed_plan));
    GM_TRY(gm_multispin_plan_info(w->packed_plan, &info));
    w->model.sites = info.sites;
    w->info.quantum = 1;
    w->chains = s->temperatures * s->replicas;
    const int64_t shape[2] = {w->chains, info.words};
    GM_TRY(gm_tensor_view(NULL, GM_U32, 2, shape, &w->device_packed));
    GM_TRY(gm_tensor_view(NULL, GM_I32, 1, shape, &w->device_status));
    GM_TRY(
        gm_memory_alloc(w->context, (size_t)(w->chains * info.words) * 4, &w->device_packed.data));
    return gm_memory_alloc(w->context, (size_t)w->chains * 4, &w->device_status.data);
}

static gm_status make_model(const settings *s, workplace *w) {
    int32_t periodic[MOST_AXES];
    for (int a = 0; a < MOST_AXES; ++a) {
        periodic[a] = !s->free_edges;
    }
    gm_ising_model *m = &w->model;
    m->update = s->update;
    m->order = s->order;
    m->sites = 1;
    gm_status status = gm_ising_lattice(s->axes, s->size, periodic, NULL, &m->edges);
    GM_CHECK(w->context, status == GM_STATUS_OK, status, "%s", gm_last_error(NULL));
    for (int32_t a = 0; a < s->axes; ++a) {
        m->sites *= s->size[a];
    }
    w->ends = malloc((size_t)(2 * m->edges + 1) * sizeof *w->ends);
    w->coupling = malloc((size_t)(m->edges + 1) * sizeof *w->coupling);
    w->field = malloc((size_t)m->sites * sizeof *w->field);
    GM_CHECK(w->context, w->ends != NULL && w->coupling != NULL && w->field != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for the lattice");
    GM_TRY(gm_ising_lattice(s->axes, s->size, periodic, w->ends, &m->edges));
    for (int64_t e = 0; e < m->edges; ++e) {
        const gm_words word = gm_philox_block(s->common.seed, (uint64_t)e, GM_STREAM_USER, 0);
        w->coupling[e] = s->glass && word.w0 >> 31 != 0 ? -1 : 1;
    }
    for (int64_t i = 0; i < m->sites; ++i) {
        w->field[i] = s->field;
    }
    m->ends = w->ends;
    m->coupling = w->coupling;
    m->field = w->field;
    GM_TRY(gm_ising_plan_create(w->context, m, &w->plan));
    return gm_ising_plan_info(w->plan, &w->info);
}

/* From the file; else all up, as from random spins a cold magnet stays in stripes for long. */
static gm_status make_spins(const settings *s, workplace *w) {
    const int64_t count = w->chains * w->model.sites;
    if (s->start == NULL) {
        for (int64_t i = 0; i < count; ++i) {
            const gm_words word =
                gm_philox_block(s->common.seed, (uint64_t)i, GM_STREAM_CHAIN_START, 0);
            w->spins[i] = !s->glass || word.w0 >> 31 != 0 ? 1 : -1;
        }
        return GM_STATUS_OK;
    }
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, s->start, &file));
    const bool fits = file.dtype == GM_I8 && file.ndim == 2 && file.shape[0] == w->chains &&
                      file.shape[1] == w->model.sites;
    bool all_spins = true;
    for (int64_t i = 0; i < count && fits; ++i) {
        w->spins[i] =
            ((const int8_t *)file
                 .data)[i / w->model.sites * file.stride[0] + i % w->model.sites * file.stride[1]];
        all_spins = all_spins && (w->spins[i] == 1 || w->spins[i] == -1);
    }
    gm_npy_free(&file);
    GM_CHECK(w->context, fits, GM_STATUS_SHAPE_MISMATCH,
             "%s: must be i8 of %lld chains x %lld sites", s->start, (long long)w->chains,
             (long long)w->model.sites);
    GM_CHECK(w->context, all_spins, GM_STATUS_CORRUPT_DATA, "%s: a spin is neither -1 nor 1",
             s->start);
    return GM_STATUS_OK;
}

static gm_status open_workplace(const settings *s, workplace *w) {
    gm_context *context = w->context;
    GM_TRY(s->packed ? make_packed(s, w) : make_model(s, w));
    w->chains = s->temperatures * s->replicas;
    int64_t bytes;
    GM_CHECK(context, gm_multiply_sizes(w->chains, w->model.sites, &bytes),
             GM_STATUS_INVALID_ARGUMENT, "too many spins");
    const size_t sums = (size_t)w->chains * GM_ISING_SUMS * 2 * sizeof *w->sums;
    w->beta = malloc((size_t)w->chains * sizeof *w->beta);
    w->spins = malloc((size_t)bytes);
    w->sums = malloc(sums);
    GM_CHECK(context, w->beta != NULL && w->spins != NULL && w->sums != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    GM_TRY(make_spins(s, w));
    for (int64_t c = 0; c < w->chains; ++c) {
        const int64_t step = c / s->replicas;
        const double share = s->temperatures > 1 ? (double)step / (double)(s->temperatures - 1) : 0;
        w->beta[c] = 1 / (s->cold + (s->hot - s->cold) * share);
    }
    const int64_t shape[3] = {w->chains, GM_ISING_SUMS, 2}, flat[2] = {w->chains, w->model.sites};
    GM_TRY(gm_tensor_view(NULL, GM_F64, 1, flat, &w->device_beta));
    GM_TRY(gm_tensor_view(NULL, GM_I8, 2, flat, &w->device_spins));
    GM_TRY(gm_tensor_view(NULL, GM_U64, 3, shape, &w->device_sums));
    GM_TRY(gm_memory_alloc(context, (size_t)w->chains * 8, &w->device_beta.data));
    GM_TRY(gm_memory_alloc(context, (size_t)bytes, &w->device_spins.data));
    GM_TRY(gm_memory_alloc(context, sums, &w->device_sums.data));
    GM_TRY(gm_memory_upload(context, w->device_beta.data, w->beta, (size_t)w->chains * 8));
    return gm_memory_upload(context, w->device_spins.data, w->spins, (size_t)bytes);
}

static void close_workplace(workplace *w) {
    gm_memory_free(w->context, w->device_beta.data);
    gm_memory_free(w->context, w->device_spins.data);
    gm_memory_free(w->context, w->device_sums.data);
    gm_memory_free(w->context, w->workspace.data);
    gm_memory_free(w->context, w->device_packed.data);
    gm_memory_free(w->context, w->device_status.data);
    gm_ising_plan_destroy(w->plan);
    gm_multispin_plan_destroy(w->packed_plan);
    free(w->ends);
    free(w->coupling);
    free(w->field);
    free(w->beta);
    free(w->spins);
    free(w->sums);
}

static gm_status run_sweeps(workplace *w, const gm_ising_sweeps *run,
                            const gm_ising_result *result) {
    return w->packed_plan != NULL ? gm_multispin_run(w->packed_plan, run, &w->device_beta,
                                                     &w->device_packed, result, &w->workspace)
                                  : gm_ising_run(w->plan, run, &w->device_beta, &w->device_spins,
                                                 result, &w->workspace);
}

/* The spins are those of this program, so that none is bad. */
static gm_status run_chains(const settings *s, workplace *w) {
    gm_context *context = w->context;
    gm_ising_sweeps run = {
        .seed = s->common.seed, .first_sweep = (uint64_t)s->first_sweep, .sweeps = s->burn_in};
    const gm_ising_result sums = {.sums = &w->device_sums};
    GM_TRY(run_sweeps(w, &run, NULL));
    GM_TRY(gm_memory_alloc(context, w->workspace.bytes, &w->workspace.data));
    if (w->packed_plan != NULL) {
        GM_TRY(gm_multispin_pack(w->packed_plan, &w->device_spins, &w->device_packed,
                                 &w->device_status));
    }
    const double start = gm_cli_seconds();
    GM_TRY(run_sweeps(w, &run, NULL));
    run.first_sweep += (uint64_t)s->burn_in;
    run.sweeps = s->sweeps;
    GM_TRY(run_sweeps(w, &run, &sums));
    GM_TRY(gm_context_synchronize(context));
    w->seconds = gm_cli_seconds() - start;
    snprintf(w->kernel, sizeof w->kernel, "%s", gm_last_kernel(context));
    if (w->packed_plan != NULL) {
        GM_TRY(gm_multispin_unpack(w->packed_plan, &w->device_packed, &w->device_spins));
    }
    GM_TRY(gm_memory_download(context, w->sums, w->device_sums.data,
                              (size_t)w->chains * GM_ISING_SUMS * 2 * sizeof *w->sums));
    return gm_memory_download(context, w->spins, w->device_spins.data,
                              (size_t)(w->chains * w->model.sites));
}

/* ---- what is printed ------------------------------------------------------------------------- */

/* Of all chains at one temperature, per site. */
typedef struct row {
    double temperature, energy, energy_error, heat, magnetisation, magnetisation_error, binder,
        flip_rate;
} row;

static double mean_sum(const settings *s, const workplace *w, int64_t chain, gm_ising_sum sum) {
    return gm_ising_sum_value(w->sums + (chain * GM_ISING_SUMS + sum) * 2) / (double)s->sweeps;
}

/* Mean over the chains of a temperature, and its standard error from their spread: 0 of one. */
static double mean_over(const settings *s, const workplace *w, int64_t first, gm_ising_sum sum,
                        double *error) {
    const double n = (double)s->replicas;
    double mean = 0, square = 0;
    for (int64_t c = first; c < first + s->replicas; ++c) {
        mean += mean_sum(s, w, c, sum) / n;
    }
    for (int64_t c = first; c < first + s->replicas; ++c) {
        square += (mean_sum(s, w, c, sum) - mean) * (mean_sum(s, w, c, sum) - mean);
    }
    *error = n > 1 ? sqrt(square / (n - 1) / n) : 0;
    return mean;
}

static row make_row(const settings *s, const workplace *w, int64_t step) {
    const int64_t first = step * s->replicas;
    const double sites = (double)w->model.sites, q = w->info.quantum, beta = w->beta[first];
    double unused, e_error, m_error;
    const double e = mean_over(s, w, first, GM_ISING_E, &e_error);
    const double e2 = mean_over(s, w, first, GM_ISING_E2, &unused);
    const double m = mean_over(s, w, first, GM_ISING_ABS_M, &m_error);
    const double m2 = mean_over(s, w, first, GM_ISING_M2, &unused);
    const double m4 = mean_over(s, w, first, GM_ISING_M4, &unused);
    return (row){.temperature = 1 / beta,
                 .energy = e * q / sites,
                 .energy_error = e_error * q / sites,
                 .heat = beta * beta * q * q * (e2 - e * e) / sites,
                 .magnetisation = m / sites,
                 .magnetisation_error = m_error / sites,
                 .binder = 1 - m4 / (3 * m2 * m2),
                 .flip_rate = mean_over(s, w, first, GM_ISING_FLIPS, &unused) / sites};
}

static double updates_per_second(const settings *s, const workplace *w) {
    return (double)w->chains * (double)w->model.sites * (double)(s->burn_in + s->sweeps) /
           fmax(w->seconds, 1e-9);
}

static int print_json(const settings *s, const workplace *w) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", "ising");
    cJSON_AddNumberToObject(object, "sites", (double)w->model.sites);
    cJSON_AddNumberToObject(object, "chains", (double)w->chains);
    cJSON_AddStringToObject(object, "update", updates[s->update]);
    cJSON_AddStringToObject(object, "order", orders[s->order]);
    cJSON_AddNumberToObject(object, "first_sweep", (double)s->first_sweep);
    cJSON_AddNumberToObject(object, "burn_in", (double)s->burn_in);
    cJSON_AddNumberToObject(object, "sweeps", (double)s->sweeps);
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    cJSON_AddStringToObject(object, "kernel", w->kernel);
    cJSON_AddNumberToObject(object, "seconds", w->seconds);
    cJSON_AddNumberToObject(object, "updates_per_second", updates_per_second(s, w));
    cJSON *rows = cJSON_AddArrayToObject(object, "temperatures");
    for (int64_t step = 0; step < s->temperatures; ++step) {
        const row r = make_row(s, w, step);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "temperature", r.temperature);
        cJSON_AddNumberToObject(item, "energy", r.energy);
        cJSON_AddNumberToObject(item, "energy_error", r.energy_error);
        cJSON_AddNumberToObject(item, "specific_heat", r.heat);
        cJSON_AddNumberToObject(item, "magnetisation", r.magnetisation);
        cJSON_AddNumberToObject(item, "magnetisation_error", r.magnetisation_error);
        cJSON_AddNumberToObject(item, "binder_cumulant", r.binder);
        cJSON_AddNumberToObject(item, "flip_rate", r.flip_rate);
        cJSON_AddItemToArray(rows, item);
    }
    return gm_cli_print_json(object);
}

static void print_text(const settings *s, const workplace *w) {
    printf("# %lld chains of %lld sites, %lld + %lld sweeps in %.2f s on %s (%s): %.3g updates/s\n",
           (long long)w->chains, (long long)w->model.sites, (long long)s->burn_in,
           (long long)s->sweeps, w->seconds, gm_context_backend_name(w->context), w->kernel,
           updates_per_second(s, w));
    printf("# per site; +- is the standard error from the chains' spread\n");
    printf("%8s %11s %10s %10s %11s %10s %8s %8s\n", "T", "energy", "+-", "heat", "|m|", "+-",
           "Binder", "flips");
    for (int64_t step = 0; step < s->temperatures; ++step) {
        const row r = make_row(s, w, step);
        printf("%8.4f %11.6f %10.2g %10.5f %11.6f %10.2g %8.5f %8.5f\n", r.temperature, r.energy,
               r.energy_error, r.heat, r.magnetisation, r.magnetisation_error, r.binder,
               r.flip_rate);
    }
}

static int run_on(const settings *s, gm_context *context) {
    workplace w = {.context = context};
    gm_status status = open_workplace(s, &w);
    status = status == GM_STATUS_OK ? run_chains(s, &w) : status;
    if (status == GM_STATUS_OK && s->out != NULL) {
        const gm_tensor spins = gm_tensor_2d(w.spins, GM_I8, w.chains, w.model.sites);
        status = gm_npy_save(context, s->out, &spins);
    }
    int code = GM_EXIT_OK;
    if (status != GM_STATUS_OK) {
        code = gm_cli_fail(context, status, "running the chains");
    } else if (s->common.json) {
        code = print_json(s, &w);
    } else {
        print_text(s, &w);
    }
    close_workplace(&w);
    return code;
}

int gm_chain_ising(int argc, char **argv) {
    static const struct argp_child children[] = {GM_CLI_COMMON_CHILD, {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Runs Markov chains of the Ising model on a lattice, many at each temperature, and "
               "prints what they are on average.\v"
               "Examples:\n"
               "  genmath chain ising --size 64x64 --temperature 2:2.6:13\n"
               "  genmath chain ising --size 8x8x8 --glass --chains 256 --out spins.npy\n"
               "  genmath chain ising --size 1024x1024 --temperature 2.2 --chains 1 --packed\n"
               "\nA run goes on where another ended with --start spins.npy --first-sweep N "
               "--burn-in 0 and the same other options, N being the sweeps before, and gives the "
               "spins of one long run. The same options give the same spins on every backend."};
    settings s = {.axes = 2,
                  .size = {64, 64},
                  .cold = 1.6,
                  .hot = 3.2,
                  .temperatures = 9,
                  .replicas = 32,
                  .burn_in = 1000,
                  .sweeps = 1000};
    gm_cli_parse(&parser, argc, argv, &s);
    gm_context *context = gm_cli_context(&s.common);
    if (context == NULL) {
        return GM_EXIT_FAILURE;
    }
    const int code = run_on(&s, context);
    gm_context_destroy(context);
    return code;
}
