/*
 * Which spins are joined? Couplings of +-0.4 on a 6 x 6 lattice are found again from samples of the
 * spins alone: independent chains of the heat bath draw them, a convex problem for each spin gives
 * its couplings, and an edge is one above half the size that a coupling has. F1 is the harmonic
 * mean of the shares of found edges that are there, and of edges that are found.
 *
 * Picture: F1 against the number of samples, 60 to 2800 on a logarithmic scale: pseudo-likelihood
 * (black), interaction screening (orange) and its logarithm (blue).
 *
 * usage: 17_inverse_ising [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

enum { L = 6, SITES = L * L, CHAINS = 2800, SWEEPS = 80, POINTS = 6 };
static const double COUPLING = 0.4;
static const int64_t samples[POINTS] = {60, 130, 280, 600, 1300, CHAINS};

static double truth[SITES * SITES];
static int8_t spins[CHAINS * SITES];

/* Chains from random states; 80 sweeps are many times what the spins remember. */
static int draw_samples(gm_context *context) {
    const int64_t size[2] = {L, L};
    int32_t ends[4 * SITES];
    double coupling[2 * SITES], one = 1;
    gm_ising_model model = {.sites = SITES, .ends = ends, .coupling = coupling};
    TRY(gm_ising_lattice(2, size, NULL, ends, &model.edges));
    for (int64_t e = 0; e < model.edges; ++e) {
        const int a = ends[2 * e], b = ends[2 * e + 1];
        const float u = gm_uniform_f32(gm_philox_block(21, (uint64_t)e, GM_STREAM_USER, 0).w0);
        coupling[e] = u < 0.5f ? -COUPLING : COUPLING;
        truth[a * SITES + b] = truth[b * SITES + a] = coupling[e];
    }
    for (int k = 0; k < CHAINS * SITES; ++k) {
        spins[k] =
            gm_uniform_f32(gm_philox_block(22, (uint64_t)k, GM_STREAM_USER, 0).w0) < 0.5f ? -1 : 1;
    }
    gm_ising_plan *plan;
    TRY(gm_ising_plan_create(context, &model, &plan));
    void *spin_memory, *beta_memory;
    TRY(gm_memory_alloc(context, sizeof spins, &spin_memory));
    TRY(gm_memory_alloc(context, sizeof one, &beta_memory));
    TRY(gm_memory_upload(context, spin_memory, spins, sizeof spins));
    TRY(gm_memory_upload(context, beta_memory, &one, sizeof one));
    const gm_tensor x = gm_tensor_2d(spin_memory, GM_I8, CHAINS, SITES);
    const gm_tensor beta = {beta_memory, GM_F64, 1, {CHAINS}, {0}};
    const gm_ising_sweeps run = {.seed = 23, .sweeps = SWEEPS};
    gm_workspace workspace = {0};
    TRY(gm_ising_run(plan, &run, &beta, &x, NULL, &workspace)); /* only asks */
    TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    TRY(gm_ising_run(plan, &run, &beta, &x, NULL, &workspace));
    TRY(gm_memory_download(context, spins, spin_memory, sizeof spins));
    TRY(gm_memory_free(context, spin_memory));
    TRY(gm_memory_free(context, beta_memory));
    TRY(gm_memory_free(context, workspace.data));
    gm_ising_plan_destroy(plan);
    return EXIT_SUCCESS;
}

static int find_graph(gm_context *context, int method, int64_t count, gm_graph_score *score) {
    static const double factor[3] = {0.2, 0.4, 0.8}; /* of lambda: inverse_ising.h */
    static double coupling[SITES * SITES];
    const gm_inverse_ising_data data = {.sites = SITES, .samples = count, .spins = spins};
    const gm_inverse_ising_options options = {
        .method = (gm_inverse_ising_method)method,
        .lambda = factor[method] * sqrt(log(SITES * SITES / 0.05) / (double)count),
        .tolerance = 1e-6};
    const gm_inverse_ising_result result = {.coupling = coupling};
    TRY(gm_inverse_ising_fit(context, &data, &options, &result));
    TRY(gm_graph_compare(context, SITES, truth, coupling, COUPLING / 2, score));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static const uint32_t colour[3] = {0x000000, 0xe07000, 0x0060d0};
    gm_context *context = NULL;
    double f1[3][POINTS];
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    int wrong = draw_samples(context);
    printf("%d spins, %d chains of %d sweeps on %s\n", SITES, CHAINS, SWEEPS,
           gm_context_backend_name(context));
    printf("samples   pseudo-likelihood      screening           log of it\n");
    printf("          precision recall F1    the same            the same\n");
    for (int k = 0; k < POINTS && wrong == 0; ++k) {
        printf("%7lld", (long long)samples[k]);
        for (int m = 0; m < 3; ++m) {
            gm_graph_score score;
            wrong += find_graph(context, m, samples[k], &score);
            printf("   %.3f %.3f %.3f", score.precision, score.recall, score.f1);
            f1[m][k] = score.f1;
        }
        printf("\n");
    }
    canvas c = canvas_make(640, 320);
    for (int m = 0; m < 3 && wrong == 0; ++m) {
        wrong += f1[m][POINTS - 1] != 1; /* all of the graph and nothing else */
        wrong += f1[m][0] >= 1;
        if (c.pixels != NULL) {
            canvas_plot(&c, 20, 20, 600, 280, POINTS, f1[m], -0.02, 1.02, colour[m]);
        }
    }
    (void)canvas_save(&c, argc > 1 ? argv[1] : "build/inverse_ising.png");
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
