/* A linear regression as a density over data, and the data. */
#ifndef GENMATH_TESTS_DENSITY_DATA_FIXTURE_H
#define GENMATH_TESTS_DENSITY_DATA_FIXTURE_H

#include "tests/mcmc_fixture.h"

/* Rows of data: two blocks, five tiles and two rows more. */
enum { DIM = 3, WIDTH = 4, ENTRIES = 150, N = 70 };

/* Weights N(0, 1 / p[0]); d[3] = d[0] y[0] + d[1] y[1] + d[2] y[2] + N(0, 1 / p[1]). */
GM_DENSITY_DATA(
    line, DIM, 2, WIDTH,
    { logp[0] = -(real)0.5 * p[0] * (y[0] * y[0] + y[1] * y[1] + y[2] * y[2]); },
    {
        GM_UNROLL for (int c = 0; c < 3; ++c) {
            grad[c] = -p[0] * y[c];
        }
    },
    {
        const real rest = d[3] - d[0] * y[0] - d[1] * y[1] - d[2] * y[2];
        logp[0] = -0.5 * p[1] * rest * rest;
    },
    {
        const real rest = d[3] - d[0] * y[0] - d[1] * y[1] - d[2] * y[2];
        GM_UNROLL for (int c = 0; c < 3; ++c) {
            grad[c] = p[1] * rest * d[c];
        }
    })

GM_DENSITY(
    line_prior, DIM, 2,
    { logp[0] = -(real)0.5 * p[0] * (y[0] * y[0] + y[1] * y[1] + y[2] * y[2]); },
    {
        GM_UNROLL for (int c = 0; c < 3; ++c) {
            grad[c] = -p[0] * y[c];
        }
    })

static double table[ENTRIES][WIDTH]; /* that floats hold exactly */

static int make_table(void **state) {
    for (int r = 0; r < ENTRIES; ++r) {
        double target = 0.3 * gm_normal_f64(7, (uint64_t)r, GM_STREAM_USER, WIDTH);
        for (int c = 0; c < DIM; ++c) {
            const double x =
                c == 0 ? 1 : gm_normal_f64(7, (uint64_t)r, GM_STREAM_USER, (uint64_t)c);
            table[r][c] = (double)(float)x;
            target += (c - 0.7) * table[r][c];
        }
        table[r][3] = (double)(float)target;
    }
    return open_subjects(state);
}

static inline void fill(uint64_t seed, double spread, double *values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        values[i] = spread * gm_normal_f64(seed, (uint64_t)i, GM_STREAM_USER, 0);
    }
}

#endif
