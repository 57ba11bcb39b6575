/*
 * gm_mcmc_mass on vectors and threads: a thread takes one entry of the covariance after another and
 * goes through the points twice, in runs that are first gathered into buffers of doubles. Sums are
 * kept in eight lanes, point k in lane k % 8 of its run, for every instruction set.
 */
#include <math.h>
#include <stdbool.h>

#include "host/cpu/cpu.h"
#include "host/internal.h"
#include "host/mcmc_args.h"
#include "host/strided.h"

enum { RUN = 256, LANES = 8 };

typedef struct mass_job {
    const gm_mcmc_mass_args *args;
    double matrix[GM_MAX_SYSTEM_DIM][GM_MAX_SYSTEM_DIM];
} mass_job;

typedef struct sums {
    double count[LANES], x[LANES], y[LANES], product[LANES];
} sums;

static void gather(const gm_mcmc_mass_args *a, int64_t at, int count, double *out) {
    const int64_t stride = a->points_stride[2];
    if (a->dtype == GM_F64) {
        const double *from = (const double *)a->points + at;
        for (int k = 0; k < count; ++k) {
            out[k] = from[k * stride];
        }
    } else {
        const float *from = (const float *)a->points + at;
        for (int k = 0; k < count; ++k) {
            out[k] = (double)from[k * stride];
        }
    }
    for (int k = count; k < RUN; ++k) {
        out[k] = (double)NAN;
    }
}

/* A point counts if x - x + y - y is 0: both are finite. */
static void add_run(const double *x, const double *y, double mean_x, double mean_y, sums *s) {
    for (int k = 0; k < RUN; k += LANES) {
        for (int lane = 0; lane < LANES; ++lane) {
            const double u = x[k + lane], v = y[k + lane];
            const bool counts = (u - u) + (v - v) == 0;
            s->count[lane] += counts ? 1 : 0;
            s->x[lane] += counts ? u : 0;
            s->y[lane] += counts ? v : 0;
            s->product[lane] += counts ? (u - mean_x) * (v - mean_y) : 0;
        }
    }
}

static double total(const double *lanes) {
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

static sums add_up(const gm_mcmc_mass_args *a, int64_t i, int64_t j, double mean_x, double mean_y) {
    sums s = {0};
    double x[RUN], y[RUN];
    const int64_t *stride = a->points_stride;
    for (int64_t m = 0; m < a->draws; ++m) {
        for (int64_t first = 0; first < a->n; first += RUN) {
            const int64_t at = m * stride[0] + first * stride[2];
            const int count = (int)(a->n - first < RUN ? a->n - first : RUN);
            gather(a, at + i * stride[1], count, x);
            gather(a, at + j * stride[1], count, y);
            add_run(x, y, mean_x, mean_y, &s);
        }
    }
    return s;
}

static void mass_entry(void *argument, int64_t item, int32_t thread) {
    (void)thread;
    mass_job *job = argument;
    const gm_mcmc_mass_args *a = job->args;
    int64_t i = item, j = item;
    if (a->factor != NULL) { /* item numbers the lower triangle, row by row */
        for (i = 0, j = item; j > i; ++i) {
            j -= i + 1;
        }
    }
    const sums first = add_up(a, i, j, 0, 0);
    const double n = total(first.count), weight = n / (n + GM_SHRINK_COUNT);
    double covariance = 0;
    if (n >= 2) {
        const sums second = add_up(a, i, j, total(first.x) / n, total(first.y) / n);
        covariance = total(second.product) / (n - 1);
    }
    job->matrix[i][j] = weight * covariance + (i == j ? GM_SHRINK_TOWARDS * (1 - weight) : 0);
}

gm_status gm_cpu_mcmc_mass(gm_call *call, const gm_mcmc_mass_args *args) {
    mass_job job = {.args = args};
    const int64_t entries = args->factor != NULL ? args->dim * (args->dim + 1) / 2 : args->dim;
    gm_parallel_for(call->pool, entries, mass_entry, &job);
    gm_mcmc_mass_finish(args, job.matrix);
    call->kernel = "mcmc_mass_lanes";
    return GM_STATUS_OK;
}
