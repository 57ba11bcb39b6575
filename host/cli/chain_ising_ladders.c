/* genmath chain ising --tempering: ladders of chains, their state in a file, their exchanges. */
#include <math.h>
#include <stdlib.h>

#include <genmath/npy.h>

#include "host/cli/chain_ising.h"
#include "host/internal.h"

/* The levels of all ladders in ascending order. */
gm_status gm_ladders_start(const gm_ising_settings *s, gm_ising_workplace *w) {
    w->place = calloc((size_t)w->chain.chains, 2 * sizeof *w->place);
    GM_CHECK(w->chain.context, w->place != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for the chains");
    for (int64_t c = 0; c < w->chain.chains; ++c) {
        w->place[c] = (int32_t)(c % s->chain.temperatures);
    }
    return GM_STATUS_OK;
}

/* With --tempering a chain's row in the file is its level, its label and its spins. */
gm_status gm_ladders_read(const gm_ising_settings *s, gm_ising_workplace *w,
                          const gm_tensor *file) {
    const int64_t sites = w->chain.sites;
    GM_CHECK(w->chain.context,
             file->dtype == GM_I32 && file->ndim == 2 && file->shape[0] == w->chain.chains &&
                 file->shape[1] == sites + 2,
             GM_STATUS_SHAPE_MISMATCH, "%s: must be i32 of %lld chains x (2 + %lld sites)",
             s->chain.start, (long long)w->chain.chains, (long long)sites);
    for (int64_t c = 0; c < w->chain.chains; ++c) {
        const int32_t *row = (const int32_t *)file->data + c * file->stride[0];
        w->place[c] = row[0];
        w->place[w->chain.chains + c] = row[file->stride[1]];
        for (int64_t i = 0; i < sites; ++i) {
            const int32_t x = row[(i + 2) * file->stride[1]];
            GM_CHECK(w->chain.context, x == 1 || x == -1, GM_STATUS_CORRUPT_DATA,
                     "%s: a spin is neither -1 nor 1", s->chain.start);
            w->chain.state[c * sites + i] = (uint8_t)x;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_ladders_save(const gm_ising_settings *s, const gm_ising_workplace *w) {
    const int64_t sites = w->chain.sites;
    int32_t *rows = malloc((size_t)(w->chain.chains * (sites + 2)) * sizeof *rows);
    GM_CHECK(w->chain.context, rows != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the chains");
    for (int64_t c = 0; c < w->chain.chains; ++c) {
        int32_t *row = rows + c * (sites + 2);
        row[0] = w->place[c];
        row[1] = w->place[w->chain.chains + c];
        for (int64_t i = 0; i < sites; ++i) {
            row[i + 2] = (int8_t)w->chain.state[c * sites + i];
        }
    }
    const gm_tensor file = gm_tensor_2d(rows, GM_I32, w->chain.chains, sites + 2);
    const gm_status status = gm_npy_save(w->chain.context, s->chain.out, &file);
    free(rows);
    return status;
}

gm_status gm_ladders_open(const gm_ising_settings *s, gm_ising_workplace *w) {
    gm_context *context = w->chain.context;
    const int64_t pairs = s->chain.temperatures - 1, n = w->chain.chains;
    const size_t swaps =
        (size_t)(s->chain.replicas * pairs * GM_TEMPERING_COUNTS) * sizeof *w->swaps;
    w->swaps = malloc(swaps + 1);
    w->trips = malloc((size_t)n * sizeof *w->trips);
    double *beta = malloc((size_t)s->chain.temperatures * sizeof *beta);
    GM_CHECK(context, w->swaps != NULL && w->trips != NULL && beta != NULL,
             (free(beta), GM_STATUS_OUT_OF_MEMORY), "no memory for the ladders");
    for (int64_t k = 0; k < s->chain.temperatures; ++k) {
        beta[k] = w->chain.beta[k * s->chain.replicas];
    }
    const gm_tempering tempering = {
        .ising = w->chain.plan, .temperatures = s->chain.temperatures, .beta = beta};
    const gm_status status = gm_tempering_plan_create(context, &tempering, &w->tempering);
    free(beta);
    GM_TRY(status);
    w->device_place = gm_tensor_3d(NULL, GM_I32, 2, s->chain.replicas, s->chain.temperatures);
    w->device_swaps = gm_tensor_3d(NULL, GM_I64, s->chain.replicas, pairs, GM_TEMPERING_COUNTS);
    w->device_trips = gm_tensor_2d(NULL, GM_I64, s->chain.replicas, s->chain.temperatures);
    GM_TRY(gm_memory_alloc(context, (size_t)n * 8, &w->device_place.data));
    GM_TRY(gm_memory_alloc(context, swaps + 8, &w->device_swaps.data));
    GM_TRY(gm_memory_alloc(context, (size_t)n * 8, &w->device_trips.data));
    return gm_memory_upload(context, w->device_place.data, w->place, (size_t)n * 8);
}

/* The burn-in or what counts, of all ladders. */
static gm_status temper(const gm_ising_settings *s, gm_ising_workplace *w, int64_t first,
                        int64_t sweeps) {
    gm_tensor level =
        gm_tensor_2d(w->device_place.data, GM_I32, s->chain.replicas, s->chain.temperatures);
    gm_tensor label = level;
    label.data = (int32_t *)label.data + w->chain.chains;
    gm_tensor sums = {w->chain.device_sums.data,
                      GM_U64,
                      4, /* the ladders of a temperature together */
                      {s->chain.replicas, s->chain.temperatures, GM_ISING_SUMS, 2},
                      {2 * GM_ISING_SUMS, 2 * GM_ISING_SUMS * s->chain.replicas, 2, 1}};
    const gm_tempering_swaps run = {.seed = s->chain.common.seed,
                                    .first_swap = (uint64_t)(first / s->tempering),
                                    .swaps = sweeps / s->tempering,
                                    .sweeps = s->tempering};
    const gm_tempering_state state = {&w->chain.device_state, &level, &label};
    const gm_tempering_result result = {
        .sums = &sums, .swaps = &w->device_swaps, .trips = &w->device_trips};
    const bool asks = w->chain.workspace.data == NULL;
    GM_TRY(gm_tempering_run(w->tempering, &run, &state, &result, &w->chain.workspace));
    return asks ? gm_memory_alloc(w->chain.context, w->chain.workspace.bytes,
                                  &w->chain.workspace.data)
                : GM_STATUS_OK;
}

gm_status gm_ladders_run(const gm_ising_settings *s, gm_ising_workplace *w) {
    gm_context *context = w->chain.context;
    const size_t swaps =
        (size_t)(s->chain.replicas * (s->chain.temperatures - 1) * GM_TEMPERING_COUNTS);
    GM_TRY(temper(s, w, s->chain.first_sweep, s->chain.sweeps)); /* only asks */
    const double start = gm_cli_seconds();
    GM_TRY(temper(s, w, s->chain.first_sweep, s->chain.burn_in));
    GM_TRY(temper(s, w, s->chain.first_sweep + s->chain.burn_in, s->chain.sweeps));
    GM_TRY(gm_context_synchronize(context));
    w->chain.seconds = gm_cli_seconds() - start;
    snprintf(w->chain.kernel, sizeof w->chain.kernel, "%s", gm_last_kernel(w->chain.context));
    GM_TRY(gm_memory_download(context, w->swaps, w->device_swaps.data, swaps * sizeof *w->swaps));
    GM_TRY(
        gm_memory_download(context, w->trips, w->device_trips.data, (size_t)w->chain.chains * 8));
    return gm_memory_download(context, w->place, w->device_place.data, (size_t)w->chain.chains * 8);
}

double gm_ladders_acceptance(const gm_ising_settings *s, const gm_ising_workplace *w,
                             int64_t pair) {
    double tried = 0, probability = 0;
    for (int64_t l = 0;
         l < s->chain.replicas && pair + 1 < s->chain.temperatures && w->swaps != NULL; ++l) {
        const int64_t *counts =
            w->swaps + (l * (s->chain.temperatures - 1) + pair) * GM_TEMPERING_COUNTS;
        tried += (double)counts[GM_TEMPERING_TRIED];
        probability += (double)counts[GM_TEMPERING_PROBABILITY] * 0x1p-32;
    }
    return tried > 0 ? probability / tried : (double)NAN;
}

double gm_ladders_trips(const gm_ising_workplace *w) {
    double trips = 0;
    for (int64_t c = 0; c < w->chain.chains; ++c) {
        trips += (double)w->trips[c];
    }
    return trips;
}

void gm_ladders_close(gm_ising_workplace *w) {
    gm_memory_free(w->chain.context, w->device_place.data);
    gm_memory_free(w->chain.context, w->device_swaps.data);
    gm_memory_free(w->chain.context, w->device_trips.data);
    gm_tempering_plan_destroy(w->tempering);
    free(w->place);
    free(w->swaps);
    free(w->trips);
}
