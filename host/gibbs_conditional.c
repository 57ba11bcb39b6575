/* gm_gibbs_check_conditional: what an update draws from, by the change of variables. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lapack.h>

#include <genmath/philox.h>

#include "host/density_check.h"
#include "host/gibbs_check.h"
#include "host/system_check.h"

#define DIM GM_MAX_SYSTEM_DIM
#define NOISE (2 * GM_MAX_GIBBS_NOISE)

enum { TRIALS = 16, SEED = 0x6762 };

/* An update as a map of its noise, normals and then uniforms. */
typedef struct conditional {
    const gm_gibbs *gibbs;
    const gm_density *density;
    int32_t block;
    const double *y, *p;
    int32_t noises[NOISE], coordinates[DIM]; /* which it depends on, which it changes */
    int32_t noise_count, coordinate_count;
} conditional;

static void update(const conditional *c, const double *noise, double *next) {
    memcpy(next, c->y, (size_t)c->gibbs->dim * sizeof *next);
    c->gibbs->update_f64(c->block, c->y, c->p, noise, noise + c->gibbs->normals, next);
}

/* Uniforms stay off the ends, so that a difference does. */
static void make_noise(const gm_gibbs *g, int trial, double *noise) {
    for (int32_t i = 0; i < g->normals + g->uniforms; ++i) {
        const gm_words words = gm_philox_block(SEED, (uint64_t)trial, GM_STREAM_CHAIN, (uint64_t)i);
        const double u = 0.05 + 0.9 * gm_uniform_f64(words.w0, words.w1);
        noise[i] = i < g->normals ? 4 * u - 2 : u;
    }
}

static bool differ(const conditional *c, const double *a, const double *b) {
    return memcmp(a, b, (size_t)c->gibbs->dim * sizeof *a) != 0;
}

/* Which numbers of noise make a difference, and to which coordinates. */
static void find_dependence(conditional *c) {
    const gm_gibbs *g = c->gibbs;
    bool used[NOISE] = {false}, changed[DIM] = {false};
    for (int trial = 0; trial < TRIALS; ++trial) {
        double noise[NOISE], next[DIM], other[DIM];
        make_noise(g, trial, noise);
        update(c, noise, next);
        for (int32_t i = 0; i < g->dim; ++i) {
            changed[i] = changed[i] || next[i] != c->y[i];
        }
        for (int32_t i = 0; i < g->normals + g->uniforms; ++i) {
            const double kept = noise[i];
            for (int end = -1; end <= 1; end += 2) {
                noise[i] = i < g->normals ? 2.5 * end : 0.5 + 0.49 * end;
                update(c, noise, other);
                used[i] = used[i] || differ(c, next, other);
            }
            noise[i] = kept;
        }
    }
    c->noise_count = c->coordinate_count = 0;
    for (int32_t i = 0; i < g->normals + g->uniforms; ++i) {
        if (used[i]) {
            c->noises[c->noise_count++] = i;
        }
    }
    for (int32_t i = 0; i < g->dim; ++i) {
        if (changed[i]) {
            c->coordinates[c->coordinate_count++] = i;
        }
    }
}

/* log |det d next / d noise| over the coordinates and noises found; -infinity if it is singular. */
static double log_volume(const conditional *c, double *noise) {
    double jacobian[DIM * DIM], above[DIM], below[DIM], log_det = 0;
    const lapack_int m = c->coordinate_count;
    lapack_int pivots[DIM], info = 0;
    for (int32_t j = 0; j < m; ++j) {
        double *at = &noise[c->noises[j]];
        const double kept = *at, step = gm_difference_step(kept);
        *at = kept + step;
        update(c, noise, above);
        *at = kept - step;
        update(c, noise, below);
        *at = kept;
        for (int32_t i = 0; i < m; ++i) {
            const int32_t row = c->coordinates[i];
            jacobian[j * m + i] = (above[row] - below[row]) / (2 * step);
        }
    }
    LAPACK_dgetrf(&m, &m, jacobian, &m, pivots, &info);
    for (int32_t i = 0; i < m; ++i) {
        log_det += log(fabs(jacobian[i * m + i]));
    }
    return log_det;
}

static gm_status compare(const conditional *c, char *message) {
    const gm_gibbs *g = c->gibbs;
    double first = 0;
    for (int trial = 0; trial < TRIALS; ++trial) {
        double noise[NOISE], next[DIM], log_p = NAN, log_q = 0;
        make_noise(g, trial, noise);
        update(c, noise, next);
        c->density->log_density_f64(0, next, c->p, &log_p);
        for (int32_t j = 0; j < c->noise_count; ++j) {
            const double x = noise[c->noises[j]];
            log_q -= c->noises[j] < g->normals ? x * x / 2 : 0;
        }
        const double volume = log_volume(c, noise);
        if (volume == -INFINITY) {
            snprintf(message, GM_CHECK_MESSAGE, "block %d does not depend smoothly on its noise",
                     (int)c->block);
            return GM_STATUS_UNSUPPORTED;
        }
        const double value = log_p - log_q + volume;
        if (!isfinite(value)) {
            snprintf(message, GM_CHECK_MESSAGE,
                     "block %d: log p is %g where the update leads, and the map's volume exp(%g)",
                     (int)c->block, log_p, volume);
            return GM_STATUS_NON_FINITE;
        }
        first = trial == 0 ? value : first;
        if (!(fabs(value - first) <= 1e-5 * (1 + fabs(log_p) + fabs(first)))) {
            snprintf(message, GM_CHECK_MESSAGE,
                     "block %d is no draw from the density's conditional law: log p - log q is "
                     "%.9g for one noise and %.9g for another",
                     (int)c->block, first, value);
            return GM_STATUS_NOT_CONVERGED;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_gibbs_check_conditional(const gm_gibbs *gibbs, const gm_density *density,
                                     int32_t block, const double *y, const double *p,
                                     char *message) {
    GM_CHECK(NULL, message != NULL, GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    GM_TRY(gm_check_gibbs(NULL, "gibbs", gibbs));
    GM_TRY(gm_check_density(NULL, "density", density));
    GM_CHECK(NULL, density->dim == gibbs->dim && density->params == gibbs->params,
             GM_STATUS_INVALID_ARGUMENT,
             "the sampler has %d coordinates and %d parameters, the density %d and %d",
             (int)gibbs->dim, (int)gibbs->params, (int)density->dim, (int)density->params);
    GM_CHECK(NULL, block >= 0 && block < gibbs->blocks, GM_STATUS_INVALID_ARGUMENT,
             "block = %d is not in 0 .. %d", (int)block, (int)gibbs->blocks - 1);
    GM_CHECK(NULL, y != NULL && (p != NULL || gibbs->params == 0), GM_STATUS_INVALID_ARGUMENT,
             "%s is NULL", y == NULL ? "y" : "p");
    message[0] = '\0';
    conditional c = {.gibbs = gibbs, .density = density, .block = block, .y = y, .p = p};
    find_dependence(&c);
    if (c.noise_count != c.coordinate_count || c.noise_count == 0) {
        snprintf(message, GM_CHECK_MESSAGE,
                 "block %d changes %d coordinates by %d numbers of noise: only as many can be "
                 "checked",
                 (int)block, (int)c.coordinate_count, (int)c.noise_count);
        return GM_STATUS_UNSUPPORTED;
    }
    return compare(&c, message);
}
