/* genmath chain ising|potts --correlations: measured between stretches of sweeps, printed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/cli/chain_lattice.h"
#include "host/internal.h"

/* ---- pairs ----------------------------------------------------------------------------------- */

gm_chain_axes gm_chain_correlations_axes(const gm_chain_settings *s) {
    return s->lattice == GM_LATTICE_HEXAGONAL    ? (gm_chain_axes){1, 2}
           : s->lattice == GM_LATTICE_TRIANGULAR ? (gm_chain_axes){0, 3}
                                                 : (gm_chain_axes){0, s->axes};
}

void gm_chain_correlations_check_options(struct argp_state *state, const gm_chain_settings *s) {
    for (int32_t a = s->lattice == GM_LATTICE_HEXAGONAL; a < s->axes && s->reach > 0; ++a) {
        if (s->reach >= s->size[a]) {
            argp_error(state, "--correlations %lld: must be less than the %lld sites of an axis",
                       (long long)s->reach, (long long)s->size[a]);
        }
    }
    if (s->reach > 0 && s->every > s->sweeps) {
        argp_error(state, "--every %lld: there are %lld --sweeps", (long long)s->every,
                   (long long)s->sweeps);
    }
}

/* The pairs at a distance, of all axes; their number, and to `ends` if it is not NULL. */
static gm_status list_pairs(const gm_chain_place *w, int64_t distance, int32_t *ends,
                            int64_t *count) {
    const gm_chain_settings *s = w->settings;
    const gm_chain_axes axes = gm_chain_correlations_axes(s);
    const int32_t periodic[8] = {!s->free_edges, !s->free_edges, !s->free_edges, !s->free_edges,
                                 !s->free_edges, !s->free_edges, !s->free_edges, !s->free_edges};
    *count = 0;
    for (int32_t a = axes.first; a < axes.end; ++a) {
        int64_t pairs;
        const gm_status status =
            gm_lattice_pairs(s->lattice, s->axes, s->size, periodic, a, distance,
                             ends != NULL ? ends + 2 * *count : NULL, &pairs);
        GM_CHECK(w->context, status == GM_STATUS_OK, status, "%s", gm_last_error(NULL));
        *count += pairs;
    }
    return GM_STATUS_OK;
}

static gm_status correlate_pairs(gm_chain_place *w, gm_workspace *workspace) {
    const gm_chain_correlations *c = &w->correlations;
    return gm_correlations_add(c->plan, &w->device_state, &c->device_sums, &c->device_status,
                               workspace);
}

static gm_status make_plan(gm_chain_place *w, int64_t total) {
    gm_chain_correlations *c = &w->correlations;
    const int64_t reach = w->settings->reach;
    int64_t *first = calloc((size_t)reach + 1, sizeof *first);
    int32_t *ends = malloc((size_t)(2 * total + 1) * sizeof *ends);
    gm_status status = GM_STATUS_OK;
    for (int64_t r = 0; r < reach && first != NULL && ends != NULL && status == GM_STATUS_OK; ++r) {
        int64_t count;
        status = list_pairs(w, r + 1, ends + 2 * first[r], &count);
        first[r + 1] = first[r] + count;
    }
    if (first == NULL || ends == NULL) {
        status = gm_fail(w->context, GM_STATUS_OUT_OF_MEMORY, "no memory for the pairs");
    }
    const gm_correlations_model model = {
        .sites = w->sites, .groups = reach, .first = first, .ends = ends, .q = c->q};
    status =
        status == GM_STATUS_OK ? gm_correlations_plan_create(w->context, &model, &c->plan) : status;
    w->correlate = correlate_pairs;
    free(first);
    free(ends);
    return status;
}

gm_status gm_chain_correlations_open(gm_chain_place *w, int32_t q) {
    gm_chain_correlations *c = &w->correlations;
    const int64_t reach = w->settings->reach;
    if (reach == 0) {
        return GM_STATUS_OK;
    }
    const size_t bytes = (size_t)(w->chains * reach) * sizeof *c->sums;
    int64_t total = 0;
    c->q = q;
    c->pairs = calloc((size_t)reach, sizeof *c->pairs);
    c->sums = calloc((size_t)(w->chains * reach), sizeof *c->sums);
    GM_CHECK(w->context, c->pairs != NULL && c->sums != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for the correlations");
    for (int64_t r = 0; r < reach; ++r) {
        GM_TRY(list_pairs(w, r + 1, NULL, &c->pairs[r]));
        total += c->pairs[r];
    }
    if (w->correlate == NULL) {
        GM_TRY(make_plan(w, total));
    }
    c->device_sums = gm_tensor_2d(NULL, GM_I64, w->chains, reach);
    c->device_status = gm_tensor_1d(NULL, GM_I32, w->chains);
    GM_TRY(gm_memory_alloc(w->context, bytes, &c->device_sums.data));
    GM_TRY(gm_memory_alloc(w->context, (size_t)w->chains * 4, &c->device_status.data));
    return gm_memory_upload(w->context, c->device_sums.data, c->sums, bytes);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* A 128-bit integer more, low word first. */
static void add_words(uint64_t *sum, const uint64_t *more) {
    sum[0] += more[0];
    sum[1] += more[1] + (sum[0] < more[0]);
}

/* Stretch by stretch; `part` has room for the sums of one. */
static gm_status run_stretches(gm_chain_place *w, gm_ising_sweeps *run, uint64_t *part) {
    const gm_chain_settings *s = w->settings;
    gm_chain_correlations *c = &w->correlations;
    const int64_t words = w->chains * w->sum_count * 2;
    for (int64_t done = 0; done < s->sweeps; done += run->sweeps) {
        run->sweeps = s->sweeps - done < s->every ? s->sweeps - done : s->every;
        GM_TRY(w->run(w, run, true, &w->workspace));
        run->first_sweep += (uint64_t)run->sweeps;
        if (done == 0) {
            snprintf(w->kernel, sizeof w->kernel, "%s", gm_last_kernel(w->context));
        }
        GM_TRY(gm_memory_download(w->context, part, w->device_sums.data,
                                  (size_t)words * sizeof *part));
        for (int64_t i = 0; i < words; i += 2) {
            add_words(w->sums + i, part + i);
        }
        if (run->sweeps == s->every) {
            GM_TRY(w->correlate(w, &c->workspace));
            c->measured += 1;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_chain_correlations_run(gm_chain_place *w, gm_ising_sweeps *run) {
    gm_chain_correlations *c = &w->correlations;
    const int64_t words = w->chains * w->sum_count * 2;
    GM_TRY(w->correlate(w, &c->workspace)); /* only asks */
    GM_TRY(gm_memory_alloc(w->context, c->workspace.bytes, &c->workspace.data));
    uint64_t *part = malloc((size_t)words * sizeof *part);
    GM_CHECK(w->context, part != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the sums");
    for (int64_t i = 0; i < words; ++i) {
        w->sums[i] = 0;
    }
    const gm_status status = run_stretches(w, run, part);
    free(part);
    return status;
}

gm_status gm_chain_correlations_download(gm_chain_place *w) {
    gm_chain_correlations *c = &w->correlations;
    return gm_memory_download(w->context, c->sums, c->device_sums.data,
                              (size_t)(w->chains * w->settings->reach) * sizeof *c->sums);
}

void gm_chain_correlations_close(gm_chain_place *w) {
    gm_chain_correlations *c = &w->correlations;
    gm_correlations_plan_destroy(c->plan);
    gm_memory_free(w->context, c->device_sums.data);
    gm_memory_free(w->context, c->device_status.data);
    gm_memory_free(w->context, c->workspace.data);
    free(c->pairs);
    free(c->sums);
}

/* ---- what is printed ------------------------------------------------------------------------- */

/* From 1 at distance 0 to 0 between independent sites: of spins the mean product, of labels
 * (q P - 1) / (q - 1) of the probability P to be the same. */
static double value_of(const gm_chain_place *w, int64_t chain, int64_t r) {
    const gm_chain_correlations *c = &w->correlations;
    const double mean = (double)c->sums[chain * w->settings->reach + r] /
                        ((double)c->pairs[r] * (double)c->measured);
    return c->q > 0 ? (c->q * mean - 1) / (c->q - 1) : mean;
}

/* Distance r + 1, of all chains of a temperature, and the standard error from their spread. */
static double mean_of(const gm_chain_place *w, int64_t temperature, int64_t r, double *error) {
    const int64_t replicas = w->settings->replicas, first = temperature * replicas;
    const double n = (double)replicas;
    double mean = 0, square = 0;
    for (int64_t c = first; c < first + replicas; ++c) {
        mean += value_of(w, c, r) / n;
    }
    for (int64_t c = first; c < first + replicas; ++c) {
        square += (value_of(w, c, r) - mean) * (value_of(w, c, r) - mean);
    }
    *error = n > 1 ? sqrt(square / (n - 1) / n) : 0;
    return mean;
}

/* What 1 / log(C(r) / C(r + 1)) is, NaN where noise could have made it. */
static double decay_length(double here, double here_error, double next, double next_error) {
    const bool is_sure = here > 3 * here_error && next > 3 * next_error && next < here;
    return is_sure ? 1 / log(here / next) : (double)NAN;
}

/* A ring or, if it is open, a chain: of transfer matrices; spins are labels with q = 2. */
static double ring_value(const gm_chain_place *w, double beta, int64_t r) {
    const int32_t q = w->correlations.q > 0 ? w->correlations.q : 2;
    const double k = w->correlations.q > 0 ? beta : 2 * beta;
    const double t = expm1(k) / (expm1(k) + q), n = (double)w->sites, d = (double)r;
    if (w->settings->free_edges) {
        return pow(t, d);
    }
    return (pow(t, d) + pow(t, n - d) + (q - 2) * pow(t, n)) / (1 + (q - 1) * pow(t, n));
}

/* The known values of distances 0 to reach, and what they are of; NULL: none is known. */
static const char *find_exact(const gm_chain_place *w, bool is_free, int64_t temperature,
                              double *values) {
    const gm_chain_settings *s = w->settings;
    const double beta = 1 / gm_chain_temperature(w, temperature);
    if (s->glass || !is_free || s->lattice != GM_LATTICE_CUBIC) {
        return NULL;
    }
    for (int64_t r = 0; r <= s->reach && s->axes == 1; ++r) {
        values[r] = ring_value(w, beta, r);
    }
    if (s->axes == 1) {
        return s->free_edges ? "chain" : "ring";
    }
    return s->axes == 2 && w->correlations.q == 0 && s->reach <= 256 &&
                   gm_ising_square_correlations(beta, (int32_t)s->reach, values) == GM_STATUS_OK
               ? "infinite lattice"
               : NULL;
}

void gm_chain_correlations_print(const gm_chain_place *w, bool is_free) {
    const gm_chain_settings *s = w->settings;
    double *exact = s->reach > 0 ? malloc((size_t)(s->reach + 1) * sizeof *exact) : NULL;
    if (exact == NULL) {
        return;
    }
    const char *known = find_exact(w, is_free, 0, exact);
    printf("\n# correlations along the axes, measured %lld times, every %lld sweeps; length: of "
           "the decay from r to r + 1%s%s\n",
           (long long)w->correlations.measured, (long long)s->every,
           known != NULL ? "; exact: of the " : "", known != NULL ? known : "");
    printf("%8s %6s %12s %10s %9s%s\n", "T", "r", "correlation", "+-", "length",
           known != NULL ? "        exact" : "");
    for (int64_t step = 0; step < s->temperatures; ++step) {
        known = find_exact(w, is_free, step, exact);
        double error, next_error = 0, next = mean_of(w, step, 0, &next_error);
        for (int64_t r = 0; r < s->reach; ++r) {
            const double here = next;
            error = next_error;
            next = r + 1 < s->reach ? mean_of(w, step, r + 1, &next_error) : 0;
            const double length = decay_length(here, error, next, next_error);
            printf("%8.4f %6lld %12.7f %10.2g ", gm_chain_temperature(w, step), (long long)r + 1,
                   here, error);
            if (isnan(length)) {
                printf("%9s", "-");
            } else {
                printf("%9.3f", length);
            }
            if (known != NULL) {
                printf(" %12.7f", exact[r + 1]);
            }
            printf("\n");
        }
    }
    free(exact);
}

void gm_chain_correlations_json(const gm_chain_place *w, bool is_free, cJSON *object) {
    const gm_chain_settings *s = w->settings;
    double *exact = s->reach > 0 ? malloc((size_t)(s->reach + 1) * sizeof *exact) : NULL;
    if (exact == NULL) {
        return;
    }
    const char *known = find_exact(w, is_free, 0, exact);
    cJSON_AddNumberToObject(object, "every", (double)s->every);
    cJSON_AddNumberToObject(object, "measurements", (double)w->correlations.measured);
    if (known != NULL) {
        cJSON_AddStringToObject(object, "exact", known);
    }
    cJSON *rows = cJSON_AddArrayToObject(object, "correlations");
    for (int64_t i = 0; i < s->temperatures * s->reach; ++i) {
        const int64_t step = i / s->reach, r = i % s->reach;
        double error;
        const double here = mean_of(w, step, r, &error);
        known = r == 0 ? find_exact(w, is_free, step, exact) : known;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "temperature", gm_chain_temperature(w, step));
        cJSON_AddNumberToObject(item, "distance", (double)r + 1);
        cJSON_AddNumberToObject(item, "correlation", here);
        cJSON_AddNumberToObject(item, "error", error);
        if (known != NULL) {
            cJSON_AddNumberToObject(item, "exact", exact[r + 1]);
        }
        cJSON_AddItemToArray(rows, item);
    }
    free(exact);
}
