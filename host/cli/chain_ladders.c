/* genmath chain ising and potts --tempering: ladders of chains, their state in a file, their
 * exchanges. */
#include "host/cli/chain_ladders.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/npy.h>

#include "host/internal.h"

void gm_ladders_check(struct argp_state *state, int64_t between, const gm_chain_settings *chain) {
    if (between > 0 && (chain->burn_in % between != 0 || chain->sweeps % between != 0 ||
                        chain->first_sweep % between != 0)) {
        argp_error(state,
                   "--tempering %lld: --burn-in, --sweeps and --first-sweep must be multiples of "
                   "it",
                   (long long)between);
    }
    if (between > 0 && chain->reach > 0) {
        argp_error(state, "--correlations: not with --tempering");
    }
}

/* ---- the state ------------------------------------------------------------------------------- */

gm_status gm_ladders_start(gm_chain_place *w, gm_chain_ladders *l) {
    l->place = calloc((size_t)w->chains, 2 * sizeof *l->place);
    GM_CHECK(w->context, l->place != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    for (int64_t c = 0; c < w->chains; ++c) {
        l->place[c] = (int32_t)(c % w->settings->temperatures);
    }
    return GM_STATUS_OK;
}

/* A chain's row in the file is its level, its label of direction and its state. */
static gm_status read_rows(gm_chain_place *w, gm_chain_ladders *l, const gm_tensor *file) {
    const char *path = w->settings->start;
    const int64_t sites = w->sites;
    GM_CHECK(w->context,
             file->dtype == GM_I32 && file->ndim == 2 && file->shape[0] == w->chains &&
                 file->shape[1] == sites + 2,
             GM_STATUS_SHAPE_MISMATCH, "%s: must be i32 of %lld chains x (2 + %lld sites)", path,
             (long long)w->chains, (long long)sites);
    for (int64_t c = 0; c < w->chains; ++c) {
        const int32_t *row = (const int32_t *)file->data + c * file->stride[0];
        l->place[c] = row[0];
        l->place[w->chains + c] = row[file->stride[1]];
        for (int64_t i = 0; i < sites; ++i) {
            const int32_t x = row[(i + 2) * file->stride[1]];
            GM_CHECK(w->context, l->labels > 0 || x == 1 || x == -1, GM_STATUS_CORRUPT_DATA,
                     "%s: a spin is neither -1 nor 1", path);
            GM_CHECK(w->context, l->labels == 0 || (x >= 0 && x < l->labels),
                     GM_STATUS_CORRUPT_DATA, "%s: label %d: there are %d", path, (int)x,
                     (int)l->labels);
            w->state[c * sites + i] = (uint8_t)x;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_ladders_load(gm_chain_place *w, gm_chain_ladders *l) {
    gm_tensor file;
    GM_TRY(gm_npy_load(w->context, w->settings->start, &file));
    const gm_status status = read_rows(w, l, &file);
    gm_npy_free(&file);
    return status;
}

gm_status gm_ladders_save(const gm_chain_place *w, const gm_chain_ladders *l) {
    const int64_t sites = w->sites;
    if (w->settings->out == NULL) {
        return GM_STATUS_OK;
    }
    int32_t *rows = malloc((size_t)(w->chains * (sites + 2)) * sizeof *rows);
    GM_CHECK(w->context, rows != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    for (int64_t c = 0; c < w->chains; ++c) {
        int32_t *row = rows + c * (sites + 2);
        row[0] = l->place[c];
        row[1] = l->place[w->chains + c];
        for (int64_t i = 0; i < sites; ++i) {
            const uint8_t x = w->state[c * sites + i];
            row[i + 2] = l->labels > 0 ? x : (int8_t)x;
        }
    }
    const gm_tensor file = gm_tensor_2d(rows, GM_I32, w->chains, sites + 2);
    const gm_status status = gm_npy_save(w->context, w->settings->out, &file);
    free(rows);
    return status;
}

/* ---- the run --------------------------------------------------------------------------------- */

gm_status gm_ladders_open(gm_chain_place *w, gm_chain_ladders *l) {
    gm_context *context = w->context;
    const int64_t replicas = w->settings->replicas, temperatures = w->settings->temperatures;
    const int64_t pairs = temperatures - 1, n = w->chains;
    const size_t swaps = (size_t)(replicas * pairs * GM_TEMPERING_COUNTS) * sizeof *l->swaps;
    l->swaps = malloc(swaps + 1);
    l->trips = malloc((size_t)n * sizeof *l->trips);
    double *beta = malloc((size_t)temperatures * sizeof *beta);
    GM_CHECK(context, l->swaps != NULL && l->trips != NULL && beta != NULL,
             (free(beta), GM_STATUS_OUT_OF_MEMORY), "no memory for the ladders");
    for (int64_t k = 0; k < temperatures; ++k) {
        beta[k] = w->beta[k * replicas];
    }
    const gm_tempering tempering = {
        .ising = l->ising, .potts = l->potts, .temperatures = temperatures, .beta = beta};
    const gm_status status = gm_tempering_plan_create(context, &tempering, &l->plan);
    free(beta);
    GM_TRY(status);
    l->device_place = gm_tensor_3d(NULL, GM_I32, 2, replicas, temperatures);
    l->device_swaps = gm_tensor_3d(NULL, GM_I64, replicas, pairs, GM_TEMPERING_COUNTS);
    l->device_trips = gm_tensor_2d(NULL, GM_I64, replicas, temperatures);
    GM_TRY(gm_memory_alloc(context, (size_t)n * 8, &l->device_place.data));
    GM_TRY(gm_memory_alloc(context, swaps + 8, &l->device_swaps.data));
    GM_TRY(gm_memory_alloc(context, (size_t)n * 8, &l->device_trips.data));
    return gm_memory_upload(context, l->device_place.data, l->place, (size_t)n * 8);
}

/* The burn-in or what counts, of all ladders. */
static gm_status temper(gm_chain_place *w, gm_chain_ladders *l, int64_t first, int64_t sweeps) {
    const int64_t replicas = w->settings->replicas, temperatures = w->settings->temperatures;
    gm_tensor level = gm_tensor_2d(l->device_place.data, GM_I32, replicas, temperatures);
    gm_tensor label = level;
    label.data = (int32_t *)label.data + w->chains;
    const int64_t count = w->sum_count;
    gm_tensor sums = {w->device_sums.data,
                      GM_U64,
                      4, /* the ladders of a temperature together */
                      {replicas, temperatures, count, 2},
                      {2 * count, 2 * count * replicas, 2, 1}};
    const gm_tempering_swaps run = {.seed = w->settings->common.seed,
                                    .first_swap = (uint64_t)(first / l->between),
                                    .swaps = sweeps / l->between,
                                    .sweeps = l->between};
    const gm_tempering_state state = {&w->device_state, &level, &label};
    const gm_tempering_result result = {
        .sums = &sums, .swaps = &l->device_swaps, .trips = &l->device_trips};
    const bool asks = w->workspace.data == NULL;
    GM_TRY(gm_tempering_run(l->plan, &run, &state, &result, &w->workspace));
    return asks ? gm_memory_alloc(w->context, w->workspace.bytes, &w->workspace.data)
                : GM_STATUS_OK;
}

gm_status gm_ladders_run(gm_chain_place *w, gm_chain_ladders *l) {
    const gm_chain_settings *s = w->settings;
    gm_context *context = w->context;
    const size_t swaps = (size_t)(s->replicas * (s->temperatures - 1) * GM_TEMPERING_COUNTS);
    GM_TRY(temper(w, l, s->first_sweep, s->sweeps)); /* only asks */
    const double start = gm_cli_seconds();
    GM_TRY(temper(w, l, s->first_sweep, s->burn_in));
    GM_TRY(temper(w, l, s->first_sweep + s->burn_in, s->sweeps));
    GM_TRY(gm_context_synchronize(context));
    w->seconds = gm_cli_seconds() - start;
    snprintf(w->kernel, sizeof w->kernel, "%s", gm_last_kernel(context));
    GM_TRY(gm_memory_download(context, l->swaps, l->device_swaps.data, swaps * sizeof *l->swaps));
    GM_TRY(gm_memory_download(context, l->trips, l->device_trips.data, (size_t)w->chains * 8));
    return gm_memory_download(context, l->place, l->device_place.data, (size_t)w->chains * 8);
}

void gm_ladders_close(gm_chain_place *w, gm_chain_ladders *l) {
    gm_memory_free(w->context, l->device_place.data);
    gm_memory_free(w->context, l->device_swaps.data);
    gm_memory_free(w->context, l->device_trips.data);
    gm_tempering_plan_destroy(l->plan);
    free(l->place);
    free(l->swaps);
    free(l->trips);
}

/* ---- what is printed ------------------------------------------------------------------------- */

int64_t gm_ladders_chain(const gm_chain_place *w, const gm_chain_ladders *l, int64_t temperature) {
    int64_t chain = 0;
    while (chain + 1 < w->settings->temperatures && l->place[chain] != temperature) {
        ++chain;
    }
    return chain;
}

double gm_ladders_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair) {
    const int64_t pairs = w->settings->temperatures - 1;
    double tried = 0, probability = 0;
    for (int64_t i = 0; i < w->settings->replicas && pair < pairs && l->swaps != NULL; ++i) {
        const int64_t *counts = l->swaps + (i * pairs + pair) * GM_TEMPERING_COUNTS;
        tried += (double)counts[GM_TEMPERING_TRIED];
        probability += (double)counts[GM_TEMPERING_PROBABILITY] * 0x1p-32;
    }
    return tried > 0 ? probability / tried : (double)NAN;
}

static double round_trips(const gm_chain_place *w, const gm_chain_ladders *l) {
    double trips = 0;
    for (int64_t c = 0; c < w->chains; ++c) {
        trips += (double)l->trips[c];
    }
    return trips;
}

void gm_ladders_print(const gm_chain_place *w, const gm_chain_ladders *l) {
    if (l->between > 0) {
        printf("# exchanges after every %lld sweeps, %g round trips; accepted: with the next T\n",
               (long long)l->between, round_trips(w, l));
    }
}

void gm_ladders_json(const gm_chain_place *w, const gm_chain_ladders *l, cJSON *object) {
    if (l->between > 0) {
        cJSON_AddNumberToObject(object, "tempering", (double)l->between);
        cJSON_AddNumberToObject(object, "round_trips", round_trips(w, l));
    }
}

void gm_ladders_print_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair) {
    const double acceptance = gm_ladders_acceptance(w, l, pair);
    if (!isnan(acceptance)) {
        printf(" %8.5f", acceptance);
    }
}

void gm_ladders_json_acceptance(const gm_chain_place *w, const gm_chain_ladders *l, int64_t pair,
                                cJSON *row) {
    const double acceptance = gm_ladders_acceptance(w, l, pair);
    if (!isnan(acceptance)) {
        cJSON_AddNumberToObject(row, "acceptance", acceptance);
    }
}
