/* genmath chain ising and potts --annealing: chains of a lattice model from infinite temperature
 * through those asked for. */
#include "host/cli/chain_annealing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/npy.h>
#include <genmath/philox.h>

#include "host/cli/picture.h"
#include "host/internal.h"

enum { KEY_ANNEALING = 0x2301, KEY_LOG_Z };

static const struct argp_option options[] = {
    {"annealing", KEY_ANNEALING, "STEPS", 0,
     "in place of --burn-in and --sweeps: from infinite temperature in about STEPS sweeps, evenly "
     "in 1/T, through the temperatures asked for; prints the lowest energies found and --out "
     "writes each chain's best state (default: 0, no annealing)",
     0},
    {"log-z", KEY_LOG_Z, NULL, 0,
     "with --annealing: the logarithm of the partition function at each temperature, by annealed "
     "importance sampling, and the exact one of at most 2^18 states",
     0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    gm_chain_annealing *how = state->input;
    switch (key) {
    case KEY_ANNEALING:
        how->steps = gm_cli_parse_integer(state, "annealing", argument, 0, 1 << 23);
        return 0;
    case KEY_LOG_Z:
        how->log_z = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp gm_chain_annealing_argp = {.options = options, .parser = parse};

void gm_chain_annealing_check(struct argp_state *state, const gm_chain_annealing *how,
                              const gm_chain_settings *chain, bool other_runs) {
    static const gm_chain_settings plain = {GM_CHAIN_DEFAULTS};
    if (how->log_z && how->steps == 0) {
        argp_error(state, "--log-z: with --annealing");
    }
    if (how->steps > 0 &&
        (other_runs || chain->start != NULL || chain->first_sweep != 0 ||
         chain->burn_in != plain.burn_in || chain->sweeps != plain.sweeps || chain->reach > 0)) {
        argp_error(state, "--annealing: not with --burn-in, --sweeps, --start, --first-sweep, "
                          "--correlations, --tempering or --packed");
    }
    if (how->picture != NULL && chain->axes != 2) {
        argp_error(state, "--picture: a lattice of two axes can be drawn");
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Of all chains at a temperature, per site; energies are weighted. */
typedef struct row {
    double temperature, energy, energy_error, lowest, found;
    double log_z, log_z_error, bound, size, exact;
} row;

typedef struct annealed {
    gm_chain_place *place;
    const gm_chain_annealed_model *model;
    int64_t chains, temperatures, steps, sites;
    int64_t *stop; /* (temperatures): the steps up to each */
    double *beta;  /* (steps) */
    gm_annealing_plan *plan;
    gm_tensor state, best, energy, best_energy, weight; /* on the backend */
    gm_workspace workspace;
    uint8_t *states; /* (chains, sites) */
    int64_t *energies, *lowest;
    double *weights;
    row *rows;
} annealed;

/* From hot to cold. */
static double temperature_of(const gm_chain_settings *s, int64_t i) {
    const double share = s->temperatures > 1 ? (double)i / (double)(s->temperatures - 1) : 0;
    return fmax(s->hot, s->cold) - fabs(s->hot - s->cold) * share;
}

/* beta = 0, and then as many steps to each temperature as its share of beta. */
static gm_status make_schedule(const gm_chain_settings *s, int64_t steps, annealed *a) {
    const double last = 1 / temperature_of(s, s->temperatures - 1);
    a->temperatures = s->temperatures;
    a->stop = malloc((size_t)a->temperatures * sizeof *a->stop);
    a->beta = malloc((size_t)(steps + 2 * a->temperatures + 1) * sizeof *a->beta);
    a->rows = calloc((size_t)a->temperatures, sizeof *a->rows);
    GM_CHECK(a->place->context, a->stop != NULL && a->beta != NULL && a->rows != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for the schedule");
    a->beta[0] = 0;
    a->steps = 1;
    for (int64_t i = 0; i < a->temperatures; ++i) {
        a->rows[i].temperature = temperature_of(s, i);
        const double from = a->beta[a->steps - 1], to = 1 / a->rows[i].temperature;
        const int64_t share = (int64_t)nearbyint((double)steps * (to - from) / last);
        const int64_t count = share > 1 ? share : 1;
        for (int64_t k = 1; k <= count; ++k) {
            a->beta[a->steps++] = k == count ? to : from + (to - from) * (double)k / (double)count;
        }
        a->stop[i] = a->steps;
    }
    return GM_STATUS_OK;
}

/* Every state is as likely at beta = 0. */
static void draw_states(uint64_t seed, annealed *a) {
    for (int64_t i = 0; i < a->chains * a->sites; ++i) {
        const gm_words word = gm_philox_block(seed, (uint64_t)i, GM_STREAM_CHAIN_START, 0);
        const int32_t label = (int32_t)((uint64_t)word.w0 * (uint64_t)a->model->q >> 32);
        a->states[i] = (uint8_t)(a->model->ising != NULL ? 2 * label - 1 : label);
    }
}

static gm_status alloc(gm_context *context, gm_tensor tensor, void *host_of, gm_tensor *device) {
    int64_t count;
    GM_TRY(gm_tensor_elements(&tensor, &count));
    const size_t bytes = (size_t)count * gm_dtype_size(tensor.dtype);
    if (host_of != NULL) {
        void *host = malloc(bytes);
        GM_CHECK(context, host != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
        memcpy(host_of, &host, sizeof host);
    }
    *device = tensor;
    return gm_memory_alloc(context, bytes, &device->data);
}

static gm_status open_annealed(const gm_chain_annealing *how, annealed *a) {
    const gm_chain_settings *s = a->place->settings;
    gm_context *context = a->place->context;
    const gm_dtype dtype = a->place->dtype;
    int64_t bytes;
    a->chains = s->replicas;
    a->sites = a->place->sites;
    GM_CHECK(context, gm_multiply_sizes(a->chains, a->sites, &bytes), GM_STATUS_INVALID_ARGUMENT,
             "too many sites");
    GM_TRY(make_schedule(s, how->steps, a));
    const gm_tensor flat = gm_tensor_1d(NULL, GM_I64, a->chains);
    const gm_tensor states = gm_tensor_2d(NULL, dtype, a->chains, a->sites);
    GM_TRY(alloc(context, states, &a->states, &a->state));
    GM_TRY(alloc(context, states, NULL, &a->best));
    GM_TRY(alloc(context, flat, &a->energies, &a->energy));
    GM_TRY(alloc(context, flat, &a->lowest, &a->best_energy));
    GM_TRY(alloc(context, gm_tensor_1d(NULL, GM_F64, a->chains), &a->weights, &a->weight));
    draw_states(s->common.seed, a);
    GM_TRY(gm_memory_upload(context, a->state.data, a->states, (size_t)bytes));
    const gm_annealing annealing = {
        .ising = a->model->ising, .potts = a->model->potts, .steps = a->steps, .beta = a->beta};
    return gm_annealing_plan_create(context, &annealing, &a->plan);
}

static void close_annealed(annealed *a) {
    gm_context *context = a->place->context;
    gm_annealing_plan_destroy(a->plan);
    gm_memory_free(context, a->state.data);
    gm_memory_free(context, a->best.data);
    gm_memory_free(context, a->energy.data);
    gm_memory_free(context, a->best_energy.data);
    gm_memory_free(context, a->weight.data);
    gm_memory_free(context, a->workspace.data);
    free(a->stop);
    free(a->beta);
    free(a->rows);
    free(a->states);
    free(a->energies);
    free(a->lowest);
    free(a->weights);
}

/* What the chains say at a temperature. */
static gm_status make_row(annealed *a, bool exact, row *r) {
    gm_context *context = a->place->context;
    const double per_site = a->place->quantum / (double)a->sites;
    double total = 0, energy = 0, square = 0;
    int64_t lowest = INT64_MAX, found = 0;
    gm_log_weights mean;
    const gm_status status = gm_log_weights_mean(a->chains, a->weights, &mean);
    GM_CHECK(context, status == GM_STATUS_OK, status, "%s", gm_last_error(NULL));
    for (int64_t c = 0; c < a->chains; ++c) {
        const double w = exp(a->weights[c] - mean.log_mean);
        total += w;
        energy += w * (double)a->energies[c];
        lowest = a->lowest[c] < lowest ? a->lowest[c] : lowest;
    }
    for (int64_t c = 0; c < a->chains; ++c) {
        const double w = exp(a->weights[c] - mean.log_mean);
        const double away = (double)a->energies[c] - energy / total;
        square += w * w * away * away;
        found += a->lowest[c] == lowest;
    }
    const double states = (double)a->sites * log(a->model->q);
    r->energy = energy / total * per_site;
    r->energy_error = sqrt(square) / total * per_site;
    r->lowest = (double)lowest * per_site;
    r->found = (double)found / (double)a->chains;
    r->log_z = (states + mean.log_mean) / (double)a->sites;
    r->log_z_error = mean.error / (double)a->sites;
    r->bound = (states + mean.mean_log) / (double)a->sites;
    r->size = mean.size;
    r->exact = (double)NAN;
    if (exact) {
        GM_TRY(gm_chain_exact_log_z(a->place, a->model, 1 / r->temperature, &r->exact));
        r->exact /= (double)a->sites;
    }
    return GM_STATUS_OK;
}

/* Up to every temperature in turn. */
static gm_status run_annealed(annealed *a, bool log_z) {
    gm_chain_place *w = a->place;
    const gm_annealing_result result = {.best = &a->best,
                                        .best_energy = &a->best_energy,
                                        .log_weight = &a->weight,
                                        .energy = &a->energy};
    gm_annealing_steps run = {.seed = w->settings->common.seed, .sweeps = 1};
    const size_t bytes = (size_t)a->chains * 8;
    GM_TRY(gm_annealing_run(a->plan, &run, &a->state, &result, &a->workspace)); /* only asks */
    GM_TRY(gm_memory_alloc(w->context, a->workspace.bytes, &a->workspace.data));
    for (int64_t i = 0; i < a->temperatures; ++i) {
        const double start = gm_cli_seconds();
        run.first_step += run.steps;
        run.steps = a->stop[i] - run.first_step;
        GM_TRY(gm_annealing_run(a->plan, &run, &a->state, &result, &a->workspace));
        GM_TRY(gm_context_synchronize(w->context));
        w->seconds += gm_cli_seconds() - start;
        snprintf(w->kernel, sizeof w->kernel, "%s", gm_last_kernel(w->context));
        GM_TRY(gm_memory_download(w->context, a->weights, a->weight.data, bytes));
        GM_TRY(gm_memory_download(w->context, a->energies, a->energy.data, bytes));
        GM_TRY(gm_memory_download(w->context, a->lowest, a->best_energy.data, bytes));
        GM_TRY(make_row(a, log_z, &a->rows[i]));
    }
    return gm_memory_download(w->context, a->states, a->best.data, (size_t)(a->chains * a->sites));
}

/* ---- files, what is printed ------------------------------------------------------------------ */

/* The first chain of lowest energy. */
static gm_status draw(const annealed *a, const char *path) {
    const gm_chain_settings *s = a->place->settings;
    gm_context *context = a->place->context;
    const bool spins = a->model->ising != NULL;
    float *image = malloc((size_t)a->sites * sizeof *image);
    GM_CHECK(context, image != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the picture");
    int64_t chain = 0;
    for (int64_t c = 1; c < a->chains; ++c) {
        chain = a->lowest[c] < a->lowest[chain] ? c : chain;
    }
    for (int64_t i = 0; i < a->sites; ++i) {
        const uint8_t x = a->states[chain * a->sites + i];
        image[i] = spins ? (float)(int8_t)x : (float)x;
    }
    uint8_t *pixels = NULL;
    int64_t width, height;
    gm_status status = gm_picture_tile(context, image, 1, s->size[1], s->size[0], 1, spins ? -1 : 0,
                                       spins ? 1 : (float)(a->model->q - 1),
                                       s->size[1] < 200 ? 3 : 1, &pixels, &width, &height);
    if (status == GM_STATUS_OK) {
        status = gm_picture_save_png(context, path, width, height, 1, pixels);
    }
    free(pixels);
    free(image);
    return status;
}

static gm_status write_files(const annealed *a, const char *picture) {
    const char *path = a->place->settings->out;
    const gm_tensor states = gm_tensor_2d(a->states, a->place->dtype, a->chains, a->sites);
    GM_TRY(path != NULL ? gm_npy_save(a->place->context, path, &states) : GM_STATUS_OK);
    return picture != NULL ? draw(a, picture) : GM_STATUS_OK;
}

static int print_json(const annealed *a, bool log_z) {
    const gm_chain_place *w = a->place;
    const row *last = &a->rows[a->temperatures - 1];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", a->model->name);
    cJSON_AddNumberToObject(object, "sites", (double)a->sites);
    cJSON_AddNumberToObject(object, "chains", (double)a->chains);
    cJSON_AddStringToObject(object, "update", a->model->update);
    cJSON_AddNumberToObject(object, "annealing", (double)a->steps);
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    cJSON_AddStringToObject(object, "kernel", w->kernel);
    cJSON_AddNumberToObject(object, "seconds", w->seconds);
    cJSON_AddNumberToObject(object, "lowest_energy", last->lowest);
    cJSON_AddNumberToObject(object, "found", last->found);
    cJSON *rows = cJSON_AddArrayToObject(object, "temperatures");
    for (int64_t i = 0; i < a->temperatures; ++i) {
        const row *r = &a->rows[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "temperature", r->temperature);
        cJSON_AddNumberToObject(item, "energy", r->energy);
        cJSON_AddNumberToObject(item, "energy_error", r->energy_error);
        cJSON_AddNumberToObject(item, "lowest_energy", r->lowest);
        cJSON_AddNumberToObject(item, "found", r->found);
        cJSON_AddNumberToObject(item, "effective_size", r->size);
        if (log_z) {
            cJSON_AddNumberToObject(item, "log_z", r->log_z);
            cJSON_AddNumberToObject(item, "log_z_error", r->log_z_error);
            cJSON_AddNumberToObject(item, "log_z_bound", r->bound);
        }
        if (!isnan(r->exact)) {
            cJSON_AddNumberToObject(item, "log_z_exact", r->exact);
        }
        cJSON_AddItemToArray(rows, item);
    }
    return gm_cli_print_json(object);
}

static void print_text(const annealed *a, bool log_z) {
    const gm_chain_place *w = a->place;
    const row *last = &a->rows[a->temperatures - 1];
    const bool exact = !isnan(last->exact);
    printf("# %lld chains of %lld sites, annealed in %lld steps in %.2f s on %s (%s)\n",
           (long long)a->chains, (long long)a->sites, (long long)a->steps, w->seconds,
           gm_context_backend_name(w->context), w->kernel);
    printf("# lowest energy found: %.8g, by %.3g %% of the chains\n", last->lowest,
           100 * last->found);
    printf("# per site; energies and log Z of weighted chains, of which so many count as size "
           "says\n");
    printf("%8s %11s %10s %11s %8s %8s", "T", "energy", "+-", "lowest", "found", "size");
    if (log_z) {
        printf(" %11s %10s %11s%s", "log Z", "+-", "bound", exact ? "       exact" : "");
    }
    printf("\n");
    for (int64_t i = 0; i < a->temperatures; ++i) {
        const row *r = &a->rows[i];
        printf("%8.4f %11.6f %10.2g %11.6f %8.5f %8.1f", r->temperature, r->energy, r->energy_error,
               r->lowest, r->found, r->size);
        if (log_z) {
            printf(" %11.7f %10.2g %11.7f", r->log_z, r->log_z_error, r->bound);
        }
        if (exact) {
            printf(" %11.7f", r->exact);
        }
        printf("\n");
    }
}

int gm_chain_anneal(gm_chain_place *w, const gm_chain_annealing *how,
                    const gm_chain_annealed_model *model) {
    annealed a = {.place = w, .model = model};
    gm_status status = open_annealed(how, &a);
    status = status == GM_STATUS_OK ? run_annealed(&a, how->log_z) : status;
    status = status == GM_STATUS_OK ? write_files(&a, how->picture) : status;
    int code = GM_EXIT_OK;
    if (status != GM_STATUS_OK) {
        code = gm_cli_fail(w->context, status, "annealing the chains");
    } else if (w->settings->common.json) {
        code = print_json(&a, how->log_z);
    } else {
        print_text(&a, how->log_z);
    }
    close_annealed(&a);
    return code;
}
