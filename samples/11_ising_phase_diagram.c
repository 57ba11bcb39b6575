/*
 * A magnet loses its order when it is heated: the Ising model on a square lattice of 64 x 64 at 64
 * temperatures at once, a chain for each, 3000 sweeps of the heat bath. Energy and magnetisation
 * are summed during the run as exact integers, and set against Onsager's solution of the infinite
 * lattice (Phys. Rev. 65, 117, 1944; Yang, Phys. Rev. 85, 808, 1952). Near the critical temperature
 * 2 / log(1 + sqrt 2) = 2.269 the finite lattice must differ, and is not judged.
 *
 * Picture: energy and magnetisation from T = 1.6 to 3.2, sampled (black) and exact (orange); below,
 * the last state of the coldest chain, of one near the critical temperature, and of the hottest.
 *
 * usage: 11_ising_phase_diagram [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { L = 64, SITES = L * L, CHAINS = 64, RUNS = 9, SWEEPS = 3000 / RUNS };
static const double COLD = 1.6, HOT = 3.2;

static int8_t spins[CHAINS * SITES];
static double energy[RUNS][CHAINS], magnetisation[RUNS][CHAINS]; /* per site, of each run */

static double temperature(int chain) {
    return COLD + (HOT - COLD) * chain / (CHAINS - 1);
}

/* The energy of a site of the infinite lattice; K(k) = pi / (2 M(1, sqrt(1 - k^2))). */
static double onsager_energy(double beta) {
    const double k = 2 * sinh(2 * beta) / (cosh(2 * beta) * cosh(2 * beta));
    double a = 1, g = sqrt(fmax(1 - k * k, 1e-30));
    for (int i = 0; i < 40; ++i) { /* the arithmetic-geometric mean */
        const double next = (a + g) / 2;
        g = sqrt(a * g);
        a = next;
    }
    const double t = tanh(2 * beta);
    return -(1 + (2 * t * t - 1) / a) / t;
}

static double onsager_magnetisation(double beta) {
    const double s = sinh(2 * beta);
    return s > 1 ? pow(1 - pow(s, -4), 0.125) : 0;
}

static int run_all(gm_context *context) {
    static const int64_t size[2] = {L, L};
    static const int32_t periodic[2] = {1, 1};
    static int32_t ends[4 * SITES];
    static uint64_t sums[CHAINS][GM_ISING_SUMS][2];
    gm_ising_model model = {.sites = SITES, .ends = ends};
    TRY(gm_ising_lattice(2, size, periodic, ends, &model.edges));
    gm_ising_plan *plan;
    TRY(gm_ising_plan_create(context, &model, &plan));
    double beta[CHAINS];
    for (int c = 0; c < CHAINS; ++c) {
        beta[c] = 1 / temperature(c);
    }
    memset(spins, 1, sizeof spins); /* all up */
    void *beta_memory, *spin_memory, *sum_memory;
    TRY(gm_memory_alloc(context, sizeof beta, &beta_memory));
    TRY(gm_memory_alloc(context, sizeof spins, &spin_memory));
    TRY(gm_memory_alloc(context, sizeof sums, &sum_memory));
    TRY(gm_memory_upload(context, beta_memory, beta, sizeof beta));
    TRY(gm_memory_upload(context, spin_memory, spins, sizeof spins));
    const gm_tensor b = gm_tensor_1d(beta_memory, GM_F64, CHAINS);
    const gm_tensor x = gm_tensor_2d(spin_memory, GM_I8, CHAINS, SITES);
    const int64_t shape[3] = {CHAINS, GM_ISING_SUMS, 2};
    gm_tensor s;
    TRY(gm_tensor_view(sum_memory, GM_U64, 3, shape, &s));
    const gm_ising_result result = {.sums = &s};
    gm_workspace workspace = {0};
    for (int r = 0; r < RUNS; ++r) { /* one run, cut into pieces: their spread is the error */
        const gm_ising_sweeps piece = {
            .seed = 1944, .first_sweep = (uint64_t)r * SWEEPS, .sweeps = SWEEPS};
        if (r == 0) {
            TRY(gm_ising_run(plan, &piece, &b, &x, &result, &workspace)); /* only asks */
            TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
        }
        TRY(gm_ising_run(plan, &piece, &b, &x, &result, &workspace));
        TRY(gm_memory_download(context, sums, sum_memory, sizeof sums));
        for (int c = 0; c < CHAINS; ++c) {
            energy[r][c] = gm_ising_sum_value(sums[c][GM_ISING_E]) / SWEEPS / SITES;
            magnetisation[r][c] = gm_ising_sum_value(sums[c][GM_ISING_ABS_M]) / SWEEPS / SITES;
        }
    }
    TRY(gm_memory_download(context, spins, spin_memory, sizeof spins));
    printf("%d chains of %d x %d, %d sweeps on %s (%s)\n", CHAINS, L, L, RUNS * SWEEPS,
           gm_context_backend_name(context), gm_last_kernel(context));
    gm_ising_plan_destroy(plan);
    TRY(gm_memory_free(context, beta_memory));
    TRY(gm_memory_free(context, spin_memory));
    TRY(gm_memory_free(context, sum_memory));
    TRY(gm_memory_free(context, workspace.data));
    return EXIT_SUCCESS;
}

/* Mean and standard error over the runs but the first, which is for the chains to settle. */
static double mean_of(double values[RUNS][CHAINS], int chain, double *error) {
    double sum = 0, square = 0;
    for (int r = 1; r < RUNS; ++r) {
        sum += values[r][chain] / (RUNS - 1);
    }
    for (int r = 1; r < RUNS; ++r) {
        square += (values[r][chain] - sum) * (values[r][chain] - sum);
    }
    *error = sqrt(square / (RUNS - 1) / (RUNS - 2));
    return sum;
}

static void draw(const char *path, const double *u, const double *u_exact, const double *m,
                 const double *m_exact) {
    canvas c = canvas_make(640, 560);
    if (c.pixels != NULL) {
        canvas_plot(&c, 20, 20, 600, 140, CHAINS, u_exact, -2.05, -0.5, 0xe07000);
        canvas_plot(&c, 20, 20, 600, 140, CHAINS, u, -2.05, -0.5, 0x000000);
        canvas_plot(&c, 20, 180, 600, 140, CHAINS, m_exact, -0.05, 1.05, 0xe07000);
        canvas_plot(&c, 20, 180, 600, 140, CHAINS, m, -0.05, 1.05, 0x000000);
        static const int shown[3] = {0, 27, CHAINS - 1};
        for (int k = 0; k < 3; ++k) {
            static double values[SITES];
            for (int i = 0; i < SITES; ++i) {
                values[i] = spins[shown[k] * SITES + i];
            }
            canvas_image(&c, 20 + 204 * k, 344, 3, L, L, values, -1, 1);
        }
    }
    (void)canvas_save(&c, path);
}

/* 8 standard errors of 8 runs (Student: 1e-4), and 0.002 for the lattice being finite. */
static int check(double t, const char *what, double sampled, double exact, double error) {
    const int wrong = !(fabs(sampled - exact) <= 8 * error + 0.002);
    printf("T = %.3f  %s sampled %8.5f +- %.5f  Onsager %8.5f  %s\n", t, what, sampled, error,
           exact, wrong ? "WRONG" : "ok");
    return wrong;
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    if (run_all(context) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    double u[CHAINS], m[CHAINS], u_exact[CHAINS], m_exact[CHAINS];
    const double critical = 2 / log(1 + sqrt(2));
    int wrong = 0;
    for (int c = 0; c < CHAINS; ++c) {
        const double t = temperature(c), away = t - critical;
        double u_error, m_error;
        u[c] = mean_of(energy, c, &u_error);
        m[c] = mean_of(magnetisation, c, &m_error);
        u_exact[c] = onsager_energy(1 / t);
        m_exact[c] = onsager_magnetisation(1 / t);
        if (fabs(away) > 0.15 && c % 4 == 3) {
            wrong += check(t, "energy       ", u[c], u_exact[c], u_error);
        }
        if (away < -0.15 && c % 4 == 3) {
            wrong += check(t, "magnetisation", m[c], m_exact[c], m_error);
        }
    }
    draw(argc > 1 ? argv[1] : "build/ising_phase_diagram.png", u, u_exact, m, m_exact);
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
