/*
 * How far the spins of a magnet know of each other: the correlation <x_0 x_r> of the Ising model on
 * square lattices around the critical temperature 2 / log(1 + sqrt 2), summed on line as exact
 * integers of packed chains.
 *
 * At 1.06 times that temperature it decays exponentially, at 0.94 times it ends at the square of
 * the magnetisation: a lattice of 128 x 128 has the values of the infinite one, which are known
 * (McCoy and Wu, The Two-Dimensional Ising Model, 1973). At the critical temperature it decays as
 * r^(-1/4), without a scale, so that any finite lattice matters: <x_0 x_(L/2)> of an L x L torus is
 * a constant times L^(-1/4), up to terms of order 1 / L^2. The power is fitted to L = 6 to 24, with
 * its error from the spread of the chains.
 *
 * Picture: log <x_0 x_r> against log r from 1 to 32, sampled (black crosses) and exact (orange),
 * from cold at the top to hot; the tori are squares, at L / 2. Beside it states of the two.
 *
 * usage: 20_critical_correlations [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { REACH = 32, LARGE = 128, MOST_CHAINS = 256, OFF = 2, TORI = 5 };

/* Chains of one lattice at one temperature, measured at distances first to first + count - 1. */
typedef struct experiment {
    int side, chains;
    double ratio; /* of the temperature to the critical one */
    int first, count;
    uint64_t burn_in, measurements, between; /* sweeps */
    double mean[REACH + 1], error[REACH + 1];
} experiment;

static experiment off[OFF] = {
    {LARGE, 24, 0.94, 1, REACH, 400, 40, 15, {0}, {0}},
    {LARGE, 24, 1.06, 1, REACH, 800, 60, 20, {0}, {0}},
};
static experiment tori[TORI] = {
    {6, MOST_CHAINS, 1, 3, 1, 1500, 200, 40, {0}, {0}},
    {8, MOST_CHAINS, 1, 4, 1, 1500, 200, 40, {0}, {0}},
    {12, MOST_CHAINS, 1, 6, 1, 1500, 200, 40, {0}, {0}},
    {16, MOST_CHAINS, 1, 8, 1, 3000, 200, 40, {0}, {0}},
    {24, MOST_CHAINS, 1, 12, 1, 6000, 200, 40, {0}, {0}},
};
static int8_t spins[MOST_CHAINS * LARGE * LARGE];
static double pictures[OFF][LARGE * LARGE];

static double coupling(const experiment *e) {
    return log1p(sqrt(2)) / 2 / e->ratio;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* All memory of an experiment, on the backend's side. */
typedef struct arrays {
    gm_tensor beta, spins, packed, status, sums;
    gm_workspace sweeps, distances;
} arrays;

static int allocate(gm_context *context, gm_tensor *tensor) {
    int64_t elements;
    TRY(gm_tensor_elements(tensor, &elements));
    TRY(gm_memory_alloc(context, (size_t)elements * gm_dtype_size(tensor->dtype), &tensor->data));
    return EXIT_SUCCESS;
}

/* All spins are up: random ones would stay in domains for long. */
static int prepare(gm_context *context, const gm_multispin_plan *plan, const experiment *e,
                   arrays *a) {
    gm_multispin_info info;
    TRY(gm_multispin_plan_info(plan, &info));
    static double beta[MOST_CHAINS];
    static int64_t sums[MOST_CHAINS * REACH];
    const size_t chains = (size_t)e->chains, sites = (size_t)info.sites;
    for (int c = 0; c < e->chains; ++c) {
        beta[c] = coupling(e);
    }
    memset(spins, 1, chains * sites);
    a->beta = gm_tensor_1d(NULL, GM_F64, e->chains);
    a->spins = gm_tensor_2d(NULL, GM_I8, e->chains, info.sites);
    a->packed = gm_tensor_2d(NULL, GM_U32, e->chains, info.words);
    a->status = gm_tensor_1d(NULL, GM_I32, e->chains);
    a->sums = gm_tensor_2d(NULL, GM_I64, e->chains, e->count);
    gm_tensor *const all[] = {&a->beta, &a->spins, &a->packed, &a->status, &a->sums};
    for (int i = 0; i < 5; ++i) {
        if (allocate(context, all[i]) != EXIT_SUCCESS) {
            return EXIT_FAILURE;
        }
    }
    TRY(gm_memory_upload(context, a->beta.data, beta, chains * sizeof *beta));
    TRY(gm_memory_upload(context, a->spins.data, spins, chains * sites));
    TRY(gm_memory_upload(context, a->sums.data, sums, chains * (size_t)e->count * sizeof *sums));
    const gm_ising_sweeps none = {.sweeps = 0};
    const gm_multispin_distances rows = {1, e->first, e->count}; /* they need the most */
    TRY(gm_multispin_run(plan, &none, &a->beta, &a->packed, NULL, &a->sweeps));
    TRY(gm_multispin_correlations(plan, &rows, &a->packed, &a->sums, &a->distances));
    TRY(gm_memory_alloc(context, a->sweeps.bytes, &a->sweeps.data));
    TRY(gm_memory_alloc(context, a->distances.bytes, &a->distances.data));
    TRY(gm_multispin_pack(plan, &a->spins, &a->packed, &a->status));
    return EXIT_SUCCESS;
}

static int release(gm_context *context, const arrays *a) {
    void *const all[] = {a->beta.data, a->spins.data,  a->packed.data,   a->status.data,
                         a->sums.data, a->sweeps.data, a->distances.data};
    for (int i = 0; i < 7; ++i) {
        TRY(gm_memory_free(context, all[i]));
    }
    return EXIT_SUCCESS;
}

/* Means over the chains, and their standard errors from the spread. */
static void average(experiment *e, const int64_t *sums) {
    const double pairs = 2.0 * e->side * e->side * (double)e->measurements, n = e->chains;
    for (int k = 0; k < e->count; ++k) {
        double mean = 0, square = 0;
        for (int c = 0; c < e->chains; ++c) {
            mean += (double)sums[c * e->count + k] / pairs / n;
        }
        for (int c = 0; c < e->chains; ++c) {
            const double away = (double)sums[c * e->count + k] / pairs - mean;
            square += away * away;
        }
        e->mean[e->first + k] = mean;
        e->error[e->first + k] = sqrt(square / (n - 1) / n);
    }
}

static int run_experiment(gm_context *context, experiment *e) {
    const gm_multispin_model model = {.axes = 2, .size = {e->side, e->side}, .periodic = {1, 1}};
    gm_multispin_plan *plan;
    arrays a = {.sweeps = {NULL, 0}};
    TRY(gm_multispin_plan_create(context, &model, &plan));
    if (prepare(context, plan, e, &a) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    for (uint64_t k = 0; k <= e->measurements; ++k) {
        const gm_ising_sweeps run = {.seed = 1949,
                                     .first_sweep = k == 0 ? 0 : e->burn_in + (k - 1) * e->between,
                                     .sweeps = (int64_t)(k == 0 ? e->burn_in : e->between)};
        TRY(gm_multispin_run(plan, &run, &a.beta, &a.packed, NULL, &a.sweeps));
        for (int32_t axis = 0; axis < 2 && k > 0; ++axis) {
            const gm_multispin_distances d = {axis, e->first, e->count};
            TRY(gm_multispin_correlations(plan, &d, &a.packed, &a.sums, &a.distances));
        }
    }
    static int64_t sums[MOST_CHAINS * REACH];
    const size_t chains = (size_t)e->chains;
    TRY(gm_multispin_unpack(plan, &a.packed, &a.spins));
    TRY(gm_memory_download(context, sums, a.sums.data, chains * (size_t)e->count * sizeof *sums));
    TRY(gm_memory_download(context, spins, a.spins.data, chains * (size_t)(e->side * e->side)));
    average(e, sums);
    gm_multispin_plan_destroy(plan);
    return release(context, &a);
}

/* ---- what comes of it ------------------------------------------------------------------------ */

/* The power of L that C(L / 2) falls with: a weighted least-squares line through (log L, log C). */
static double fit_power(double *error) {
    double w = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (int k = 0; k < TORI; ++k) {
        const experiment *e = &tori[k];
        const double c = e->mean[e->first], weight = pow(c / e->error[e->first], 2);
        const double l = log(e->side);
        w += weight;
        x += weight * l;
        y += weight * log(c);
        xx += weight * l * l;
        xy += weight * l * log(c);
    }
    *error = sqrt(w / (w * xx - x * x));
    return -(w * xy - x * y) / (w * xx - x * x);
}

/* Where a correlation at a distance is drawn. */
static void place_of(double r, double correlation, double *x, double *y) {
    *x = 20 + 380 * log(r) / log(REACH);
    *y = 20 + 380 * log(correlation) / log(0.002);
}

static void draw(const char *path, double exact[OFF][REACH + 1], const double *critical) {
    canvas c = canvas_make(600, 420);
    const double *const curves[OFF + 1] = {exact[0], exact[1], critical};
    for (int k = 0; k <= OFF && c.pixels != NULL; ++k) {
        for (int r = 1; r < REACH; ++r) {
            double x[2], y[2];
            place_of(r, curves[k][r], &x[0], &y[0]);
            place_of(r + 1, curves[k][r + 1], &x[1], &y[1]);
            canvas_line(&c, x[0], y[0], x[1], y[1], 0xe07000);
        }
    }
    for (int k = 0; k < OFF && c.pixels != NULL; ++k) {
        for (int r = 1; r <= REACH; ++r) {
            double x, y;
            place_of(r, off[k].mean[r], &x, &y);
            canvas_line(&c, x - 3, y, x + 3, y, 0);
            canvas_line(&c, x, y - 3, x, y + 3, 0);
        }
        canvas_image(&c, 440, 40 + 180 * k, 1, LARGE, LARGE, pictures[k], -1, 1);
    }
    for (int k = 0; k < TORI && c.pixels != NULL; ++k) {
        double x, y;
        place_of(tori[k].first, tori[k].mean[tori[k].first], &x, &y);
        for (int side = -4; side <= 4; ++side) {
            canvas_dot(&c, (int)x + side, (int)y - 4, 0);
            canvas_dot(&c, (int)x + side, (int)y + 4, 0);
            canvas_dot(&c, (int)x - 4, (int)y + side, 0);
            canvas_dot(&c, (int)x + 4, (int)y + side, 0);
        }
    }
    (void)canvas_save(&c, path);
}

/* 8 standard errors of 24 chains (Student: 4e-8) and 2e-5 for the lattice's being finite. */
static int check(const experiment *e, int r, double exact) {
    const int wrong = !(fabs(e->mean[r] - exact) <= 8 * e->error[r] + 2e-5);
    printf("T / Tc = %.2f  r = %2d  sampled %8.5f +- %.5f  exact %8.5f  %s\n", e->ratio, r,
           e->mean[r], e->error[r], exact, wrong ? "WRONG" : "ok");
    return wrong;
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    double exact[OFF][REACH + 1], critical[REACH + 1], power_error;
    int wrong = 0;
    for (int k = 0; k < OFF; ++k) {
        if (run_experiment(context, &off[k]) != EXIT_SUCCESS) {
            return EXIT_FAILURE;
        }
        for (int i = 0; i < LARGE * LARGE; ++i) {
            pictures[k][i] = spins[i];
        }
        TRY(gm_ising_square_correlations(coupling(&off[k]), REACH, exact[k]));
        for (int r = 1; r <= REACH; r *= 2) {
            wrong += check(&off[k], r, exact[k][r]);
        }
    }
    for (int k = 0; k < TORI; ++k) {
        if (run_experiment(context, &tori[k]) != EXIT_SUCCESS) {
            return EXIT_FAILURE;
        }
        printf("T / Tc = 1     L = %2d  C(L/2) %.5f +- %.5f\n", tori[k].side,
               tori[k].mean[tori[k].first], tori[k].error[tori[k].first]);
    }
    TRY(gm_ising_square_correlations(coupling(&tori[0]), REACH, critical));
    /* 5 standard errors, and the terms of order 1 / L^2 from L = 6 on */
    const double power = fit_power(&power_error);
    const int is_off = !(fabs(power - 0.25) <= 5 * power_error + 0.005);
    printf("C(L/2) ~ L^-%.4f +- %.4f, exact 0.25  %s; on %s\n", power, power_error,
           is_off ? "WRONG" : "ok", gm_context_backend_name(context));
    draw(argc > 1 ? argv[1] : "build/critical_correlations.png", exact, critical);
    gm_context_destroy(context);
    return wrong + is_off == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
