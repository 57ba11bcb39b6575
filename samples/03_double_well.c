/*
 * A particle in the double well U = (x^2 - 1)^2 / 4 that is kicked by heat: dx = (x - x^3) dt +
 * sqrt(2 D) dW. In equilibrium its density is exp(-U / D) / Z (Boltzmann): forty thousand particles
 * are compared with it by moments, among them <x^4> - <x^2> = D, which holds for every D, and by
 * the share in each of eight bins.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

GM_SYSTEM(well, 1 /* state */, 1 /* parameter */, { dydt[0] = y[0] - y[0] * y[0] * y[0]; })
GM_DIFFUSION_DIAGONAL(well, 1, 1, { g[0] = gm_sqrt(2 * p[0]); })

enum { N = 40000, STEPS = 2000, BINS = 8 };
static const double TEMPERATURE = 0.3, TIME = 10, EDGE = 2; /* bins cut [-2, 2] */
static float x[N];

/* The integral of x^power exp(-U / D) from a to b, by the midpoint rule. */
static double boltzmann(int power, double a, double b) {
    enum { POINTS = 2000 };
    double sum = 0;
    for (int i = 0; i < POINTS; ++i) {
        const double at = a + (b - a) * (i + 0.5) / POINTS, u = (at * at - 1) * (at * at - 1) / 4;
        sum += pow(at, power) * exp(-u / TEMPERATURE);
    }
    return sum * (b - a) / POINTS;
}

/* Within five standard errors, and 0.01 for what the steps of Euler and Maruyama leave. */
static int check(const char *what, double sampled, double exact, double deviation) {
    const double allowed = 5 * deviation / sqrt(N) + 0.01;
    const int wrong = !(fabs(sampled - exact) <= allowed);
    printf("%-18s sampled %8.4f  exact %8.4f  %s\n", what, sampled, exact, wrong ? "WRONG" : "ok");
    return wrong;
}

int main(void) {
    gm_context *context = NULL;
    gm_sde_plan *plan;
    void *x_memory, *p_memory;
    const float heat = (float)TEMPERATURE;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    for (int i = 0; i < N; ++i) {
        x[i] = i % 2 == 0 ? 1.0f : -1.0f;
    }
    TRY(gm_memory_alloc(context, sizeof x, &x_memory));
    TRY(gm_memory_alloc(context, sizeof heat, &p_memory));
    TRY(gm_memory_upload(context, x_memory, x, sizeof x));
    TRY(gm_memory_upload(context, p_memory, &heat, sizeof heat));

    const gm_tensor state = gm_tensor_2d(x_memory, GM_F32, 1, N);
    const gm_tensor shared = {
        p_memory, GM_F32, 2, {1, N}, {1, 0}}; /* stride 0: one number for all */
    const gm_sde_options options = {.dtype = GM_F32, .t1 = TIME, .steps = STEPS, .seed = 2024};
    TRY(gm_sde_plan_create(context, &well_sde, &options, &plan));
    TRY(gm_sde_solve(plan, &state, &shared, &(gm_sde_result){.end = &state}));
    TRY(gm_memory_download(context, x, x_memory, sizeof x));
    printf("%d particles on %s (%s)\n", N, gm_context_backend_name(context),
           gm_last_kernel(context));

    double mean[9] = {0}, share[BINS] = {0};
    for (int i = 0; i < N; ++i) {
        const double at = (double)x[i], bin = floor((at + EDGE) / (2 * EDGE) * BINS);
        for (int power = 1; power <= 8; ++power) {
            mean[power] += pow(at, power) / N;
        }
        if (bin >= 0 && bin < BINS) {
            share[(int)bin] += 1.0 / N;
        }
    }
    const double z = boltzmann(0, -4, 4), x2 = boltzmann(2, -4, 4) / z,
                 x4 = boltzmann(4, -4, 4) / z;
    const double x8 = boltzmann(8, -4, 4) / z;
    int wrong = check("<x>", mean[1], 0, sqrt(x2)) +
                check("<x^2>", mean[2], x2, sqrt(x4 - x2 * x2)) +
                check("<x^4>", mean[4], x4, sqrt(x8 - x4 * x4)) +
                check("<x^4> - <x^2>", mean[4] - mean[2], TEMPERATURE, sqrt(x8 - x4 * x4));
    for (int bin = 0; bin < BINS; ++bin) {
        char name[32];
        const double width = 2 * EDGE / BINS, low = bin * width - EDGE;
        const double exact = boltzmann(0, low, low + width) / z;
        snprintf(name, sizeof name, "%4.1f < x < %4.1f", low, low + width);
        wrong += check(name, share[bin], exact, sqrt(exact * (1 - exact)));
    }
    gm_sde_plan_destroy(plan);
    TRY(gm_memory_free(context, x_memory));
    TRY(gm_memory_free(context, p_memory));
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
