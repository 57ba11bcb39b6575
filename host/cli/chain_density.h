/* What the parts of genmath chain density share. */
#ifndef GENMATH_HOST_CLI_CHAIN_DENSITY_H
#define GENMATH_HOST_CLI_CHAIN_DENSITY_H

#include <string.h>

#include <genmath/mcmc.h>

#include "host/cli/cli.h"

enum { MOST_PARAMS = 2, DENSITY_COLUMNS = 7 };

typedef enum mass_kind { MASS_UNIT, MASS_DIAGONAL, MASS_DENSE } mass_kind;

typedef struct density_settings {
    gm_cli_options common;
    const gm_density *density;
    double params[MOST_PARAMS];
    int32_t params_given; /* -1: the density's own */
    gm_mcmc_method method;
    mass_kind mass;
    int64_t chains, warm_up, draws, thin, first_step; /* warm_up -1: not given */
    int32_t leapfrogs;
    double step, target; /* target -1: the method's */
    const char *start, *state, *out, *picture;
} density_settings;

/* state is (dim + 1 + masses, chains): states, step sizes, and scale or factor, a row for each
 * number of it. On the device as on the host. */
typedef struct density_run {
    gm_context *context;
    int64_t dim, masses, rows;
    double *state, *draws;
    int32_t *counts; /* (3, chains): accepted, outside, status */
    gm_tensor device_state, device_draws, device_counts, device_params, device_mass;
    double seconds;
} density_run;

/* Of each coordinate; column k of the table. */
typedef struct density_report {
    double mean[GM_MAX_SYSTEM_DIM], sd[GM_MAX_SYSTEM_DIM];
    double column[DENSITY_COLUMNS][GM_MAX_SYSTEM_DIM];
    double acceptance, step;
    int64_t outside, failed;
} density_report;

/* By gm_mcmc_method and mass_kind. */
extern const char *const gm_density_methods[], *const gm_density_masses[];

static inline gm_tensor view(void *data, int64_t first, int32_t ndim, const int64_t *shape,
                             const int64_t *stride) {
    gm_tensor tensor = {.data = (double *)data + first, .dtype = GM_F64, .ndim = ndim};
    memcpy(tensor.shape, shape, (size_t)ndim * sizeof *shape);
    memcpy(tensor.stride, stride, (size_t)ndim * sizeof *stride);
    return tensor;
}

gm_status gm_density_make_report(const density_settings *s, const density_run *w,
                                 density_report *r);
int gm_density_print_json(const density_settings *s, const density_run *w, const density_report *r);
void gm_density_print_text(const density_settings *s, const density_run *w,
                           const density_report *r);
/* The state, the draws and the picture, where they are asked for. */
gm_status gm_density_write_files(const density_settings *s, const density_run *w,
                                 const density_report *r);

#endif
