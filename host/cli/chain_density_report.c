/* genmath chain density: what is printed, drawn and written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/diagnostics.h>
#include <genmath/npy.h>

#include "host/cli/chain_density.h"
#include "host/cli/cli.h"
#include "host/cli/picture.h"
#include "host/internal.h"

enum { PICTURE = 160, ZOOM = 3 };

const char *const gm_density_methods[] = {"rwm", "ula", "mala", "hmc", "component"};
const char *const gm_density_masses[] = {"unit", "diagonal", "dense"};

/* Columns of the table, a number of each for a coordinate. */
static const struct {
    const char *title, *key;
    gm_diagnostic diagnostic;
    double probability;
} columns[] = {{"5 %", "quantile_5", GM_DIAGNOSTIC_QUANTILE, 0.05},
               {"median", "median", GM_DIAGNOSTIC_QUANTILE, 0.5},
               {"95 %", "quantile_95", GM_DIAGNOSTIC_QUANTILE, 0.95},
               {"MCSE", "mcse_mean", GM_DIAGNOSTIC_MCSE_MEAN, 0},
               {"R-hat", "rhat", GM_DIAGNOSTIC_RHAT, 0},
               {"bulk", "ess_bulk", GM_DIAGNOSTIC_ESS_BULK, 0},
               {"tail", "ess_tail", GM_DIAGNOSTIC_ESS_TAIL, 0}};
_Static_assert(sizeof columns / sizeof columns[0] == DENSITY_COLUMNS, "a number for each");

static gm_status diagnose_column(const density_settings *s, const density_run *w, int k,
                                 double *out) {
    gm_context *context = w->context;
    const int64_t n = s->chains, dim = w->dim;
    const gm_tensor draws = view(w->device_draws.data, 0, 3, (const int64_t[]){dim, s->draws, n},
                                 (const int64_t[]){n, dim * n, 1});
    const gm_tensor found = gm_tensor_1d(w->device_mass.data, GM_F64, dim);
    const gm_diagnose_options what = {.diagnostic = columns[k].diagnostic,
                                      .probability = columns[k].probability};
    gm_workspace workspace = {0};
    GM_TRY(gm_diagnose(context, &what, &draws, &found, &workspace));
    GM_TRY(gm_memory_alloc(context, workspace.bytes + 1, &workspace.data));
    gm_status status = gm_diagnose(context, &what, &draws, &found, &workspace);
    if (status == GM_STATUS_OK) {
        status = gm_memory_download(context, out, found.data, (size_t)dim * sizeof *out);
    }
    gm_memory_free(context, workspace.data);
    return status;
}

gm_status gm_density_make_report(const density_settings *s, const density_run *w,
                                 density_report *r) {
    const int64_t n = s->chains, count = s->draws * n;
    const int64_t proposals = s->draws * s->thin * (s->method == GM_MCMC_COMPONENT ? w->dim : 1);
    for (int64_t c = 0; c < w->dim; ++c) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < count; ++i) {
            mean += w->draws[(i / n * w->dim + c) * n + i % n] / (double)count;
        }
        for (int64_t i = 0; i < count; ++i) {
            const double apart = w->draws[(i / n * w->dim + c) * n + i % n] - mean;
            square += apart * apart;
        }
        r->mean[c] = mean;
        r->sd[c] = sqrt(square / (double)(count - 1));
    }
    for (int64_t i = 0; i < n; ++i) {
        r->acceptance += (double)w->counts[i] / (double)proposals / (double)n;
        r->outside += w->counts[n + i];
        r->failed += w->counts[2 * n + i] != GM_STATUS_OK;
        r->step += w->state[w->dim * n + i] / (double)n;
    }
    for (int k = 0; k < DENSITY_COLUMNS; ++k) {
        GM_TRY(diagnose_column(s, w, k, r->column[k]));
    }
    return GM_STATUS_OK;
}

int gm_density_print_json(const density_settings *s, const density_run *w,
                          const density_report *r) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "command", "chain");
    cJSON_AddStringToObject(object, "model", "density");
    cJSON_AddStringToObject(object, "density", s->density->name);
    cJSON_AddItemToObject(object, "params", cJSON_CreateDoubleArray(s->params, s->params_given));
    cJSON_AddStringToObject(object, "method", gm_density_methods[s->method]);
    cJSON_AddStringToObject(object, "mass", gm_density_masses[s->mass]);
    cJSON_AddNumberToObject(object, "chains", (double)s->chains);
    cJSON_AddNumberToObject(object, "first_step", (double)s->first_step);
    cJSON_AddNumberToObject(object, "warm_up", (double)s->warm_up);
    cJSON_AddNumberToObject(object, "draws", (double)s->draws);
    cJSON_AddNumberToObject(object, "thin", (double)s->thin);
    cJSON_AddStringToObject(object, "backend", gm_context_backend_name(w->context));
    gm_cli_add_number(object, "seconds", w->seconds);
    gm_cli_add_number(object, "acceptance", r->acceptance);
    gm_cli_add_number(object, "step", r->step);
    cJSON_AddNumberToObject(object, "outside", (double)r->outside);
    cJSON_AddNumberToObject(object, "failed_chains", (double)r->failed);
    cJSON *rows = cJSON_AddArrayToObject(object, "coordinates");
    for (int64_t c = 0; c < w->dim; ++c) {
        cJSON *item = cJSON_CreateObject();
        gm_cli_add_number(item, "mean", r->mean[c]);
        gm_cli_add_number(item, "sd", r->sd[c]);
        for (int k = 0; k < DENSITY_COLUMNS; ++k) {
            gm_cli_add_number(item, columns[k].key, r->column[k][c]);
        }
        cJSON_AddItemToArray(rows, item);
    }
    return gm_cli_print_json(object);
}

void gm_density_print_text(const density_settings *s, const density_run *w,
                           const density_report *r) {
    printf("# %s: %lld chains, %lld + %lld steps by %s, mass %s; draws in %.2f s on %s\n",
           s->density->name, (long long)s->chains, (long long)s->warm_up,
           (long long)(s->draws * s->thin), gm_density_methods[s->method],
           gm_density_masses[s->mass], w->seconds, gm_context_backend_name(w->context));
    printf("# accepted %.3f of the proposals, mean step size %.4g; %lld proposals outside of the "
           "support or diverged, %lld chains failed\n",
           r->acceptance, r->step, (long long)r->outside, (long long)r->failed);
    printf("%-4s %11s %11s", "", "mean", "sd");
    for (int k = 0; k < DENSITY_COLUMNS; ++k) {
        printf(" %10s", columns[k].title);
    }
    printf("\n");
    for (int64_t c = 0; c < w->dim; ++c) {
        printf("y%-3lld %11.5g %11.5g", (long long)c, r->mean[c], r->sd[c]);
        for (int k = 0; k < DENSITY_COLUMNS; ++k) {
            printf(k < 3    ? " %10.4g"
                   : k == 3 ? " %10.2g"
                   : k == 4 ? " %10.4f"
                            : " %10.0f",
                   r->column[k][c]);
        }
        printf("\n");
    }
}

/* Where the draws lie: a histogram of the only coordinate, or of the first two as shades, by the
 * square root of the counts; from the 5 % to the 95 % quantile and as much again on either side. */
static gm_status draw_picture(const density_settings *s, const density_run *w,
                              const density_report *r) {
    gm_context *context = w->context;
    float *image = calloc((size_t)PICTURE * PICTURE, sizeof *image);
    GM_CHECK(context, image != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a picture");
    const int64_t n = s->chains, second = w->dim > 1 ? 1 : 0;
    double low[2], width[2];
    for (int k = 0; k < 2; ++k) {
        const int64_t c = k == 0 ? 0 : second;
        width[k] = fmax(2 * (r->column[2][c] - r->column[0][c]), 1e-300);
        low[k] = r->column[0][c] - width[k] / 4;
    }
    float most = 0;
    for (int64_t i = 0; i < s->draws * n; ++i) {
        const double *at = w->draws + i / n * w->dim * n + i % n;
        const double x = (at[0] - low[0]) / width[0] * PICTURE;
        const double y = (at[second * n] - low[1]) / width[1] * PICTURE;
        if (x >= 0 && x < PICTURE && y >= 0 && y < PICTURE) {
            const int row = w->dim > 1 ? PICTURE - 1 - (int)y : 0;
            float *cell = image + row * PICTURE + (int)x;
            *cell += 1;
            most = fmaxf(most, *cell);
        }
    }
    float counts[PICTURE];
    memcpy(counts, image, sizeof counts); /* of a single coordinate */
    for (int i = 0; i < PICTURE * PICTURE && most > 0; ++i) {
        const float height = (float)(PICTURE - i / PICTURE) / PICTURE;
        image[i] = w->dim > 1 ? sqrtf(image[i] / most) : counts[i % PICTURE] / most >= height;
    }
    uint8_t *pixels;
    int64_t across, down;
    gm_status status = gm_picture_tile(context, image, 1, PICTURE, PICTURE, 1, 1, 0, ZOOM, &pixels,
                                       &across, &down);
    if (status == GM_STATUS_OK) {
        status = gm_picture_save_png(context, s->picture, across, down, 1, pixels);
        free(pixels);
    }
    free(image);
    return status;
}

gm_status gm_density_write_files(const density_settings *s, const density_run *w,
                                 const density_report *r) {
    if (s->state != NULL) {
        const gm_tensor state = gm_tensor_2d(w->state, GM_F64, w->rows, s->chains);
        GM_TRY(gm_npy_save(w->context, s->state, &state));
    }
    if (s->out != NULL) {
        const gm_tensor draws = gm_tensor_3d(w->draws, GM_F64, s->draws, w->dim, s->chains);
        GM_TRY(gm_npy_save(w->context, s->out, &draws));
    }
    return s->picture != NULL ? draw_picture(s, w, r) : GM_STATUS_OK;
}
