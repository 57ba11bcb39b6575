/*
 * Eight schools: did coaching help? Effects y_j with standard errors s_j, y_j ~ N(theta_j, s_j),
 * theta_j ~ N(mu, tau), mu ~ N(0, 5), tau ~ half-Cauchy(0, 5). Written with theta_j = mu + tau e_j,
 * e_j ~ N(0, 1), so that no funnel is left, it is a density of 10 coordinates: mu, log tau, e. 256
 * Hamiltonian chains, whose step sizes adapt during a warm-up, give the posterior means; R-hat and
 * the effective sample sizes say whether to believe them, and the reference draws of posteriordb
 * (Magnusson et al., 2025) whether they are right.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

/* p[0 .. 7]: the effects; p[8 .. 15]: their standard errors. */
GM_DENSITY(
    schools, 10, 16,
    {
        const real tau = gm_exp(y[1]);
        logp[0] = y[1] - y[0] * y[0] / 50 - gm_log(1 + tau * tau / 25);
        for (int j = 0; j < 8; ++j) {
            const real rest = (p[j] - y[0] - tau * y[2 + j]) / p[8 + j];
            logp[0] -= (real)0.5 * (rest * rest + y[2 + j] * y[2 + j]);
        }
    },
    {
        const real tau = gm_exp(y[1]);
        grad[0] = -y[0] / 25;
        grad[1] = 1 - 2 * tau * tau / (25 + tau * tau);
        for (int j = 0; j < 8; ++j) {
            const real pull = (p[j] - y[0] - tau * y[2 + j]) / (p[8 + j] * p[8 + j]);
            grad[0] += pull;
            grad[1] += pull * tau * y[2 + j];
            grad[2 + j] = pull * tau - y[2 + j];
        }
    })

enum { CHAINS = 256, DRAWS = 500, WARM = 500, DIM = 10, KNOWN = 3 };
static double start[DIM * CHAINS], draws[DRAWS * DIM * CHAINS], shown[KNOWN * DRAWS * CHAINS];
static double known[KNOWN][5]; /* mean, standard error, R-hat, bulk and tail effective size */

/* The warm-up, and then the draws with the step sizes that it found. */
static int sample(gm_context *context, const double *data) {
    const double first_step = 0.1;
    void *y, *p, *h, *kept;
    TRY(gm_memory_alloc(context, sizeof start, &y));
    TRY(gm_memory_alloc(context, 16 * sizeof *data, &p));
    TRY(gm_memory_alloc(context, CHAINS * sizeof first_step, &h));
    TRY(gm_memory_alloc(context, sizeof draws, &kept));
    TRY(gm_memory_upload(context, y, start, sizeof start));
    TRY(gm_memory_upload(context, p, data, 16 * sizeof *data));
    TRY(gm_memory_upload(context, h, &first_step, sizeof first_step));

    const gm_tensor state = gm_tensor_2d(y, GM_F64, DIM, CHAINS);
    const gm_tensor shared = {p, GM_F64, 2, {16, CHAINS}, {1, 0}}; /* stride 0: one for all */
    const gm_tensor given = {h, GM_F64, 1, {CHAINS}, {0}};
    const gm_tensor found = gm_tensor_3d(kept, GM_F64, 1, 1, CHAINS);
    gm_tensor sizes = gm_tensor_1d(found.data, GM_F64, CHAINS);
    gm_mcmc_options options = {.dtype = GM_F64,
                               .method = GM_MCMC_HMC,
                               .steps = WARM,
                               .leapfrogs = 16,
                               .jitter = 1,
                               .target = 0.8,
                               .seed = 8};
    gm_mcmc_plan *plan;
    TRY(gm_mcmc_plan_create(context, &schools, &options, &plan));
    TRY(gm_mcmc_run(plan, 0, &(gm_mcmc_input){.state = &state, .params = &shared, .step = &given},
                    &(gm_mcmc_result){.state = &state, .step = &sizes}));
    gm_mcmc_plan_destroy(plan);

    static double adapted[CHAINS];
    TRY(gm_memory_download(context, adapted, sizes.data, sizeof adapted));
    TRY(gm_memory_upload(context, h, adapted, sizeof adapted));
    sizes.data = h;
    options.target = 0;
    options.steps = DRAWS;
    options.thin = 1;
    const gm_tensor all = gm_tensor_3d(kept, GM_F64, DRAWS, DIM, CHAINS);
    TRY(gm_mcmc_plan_create(context, &schools, &options, &plan));
    TRY(gm_mcmc_run(plan, WARM,
                    &(gm_mcmc_input){.state = &state, .params = &shared, .step = &sizes},
                    &(gm_mcmc_result){.state = &state, .draws = &all}));
    gm_mcmc_plan_destroy(plan);
    TRY(gm_memory_download(context, draws, kept, sizeof draws));
    printf("%d chains on %s (%s)\n", CHAINS, gm_context_backend_name(context),
           gm_last_kernel(context));
    void *const memory[] = {y, p, h, kept};
    for (int i = 0; i < 4; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    return EXIT_SUCCESS;
}

/* mu, tau and theta_1 of the draws: mean, its standard error, and how far the chains agree. */
static int summarize(void) {
    static const gm_diagnostic wanted[] = {GM_DIAGNOSTIC_MCSE_MEAN, GM_DIAGNOSTIC_RHAT,
                                           GM_DIAGNOSTIC_ESS_BULK, GM_DIAGNOSTIC_ESS_TAIL};
    const gm_context_options host = {.backend = GM_BACKEND_CPU};
    gm_context *context = NULL;
    TRY(gm_context_create(&host, &context));
    for (int i = 0; i < DRAWS * CHAINS; ++i) {
        const double *y = draws + i / CHAINS * DIM * CHAINS + i % CHAINS;
        const double values[] = {y[0], exp(y[CHAINS]), y[0] + exp(y[CHAINS]) * y[2 * CHAINS]};
        for (int k = 0; k < KNOWN; ++k) {
            shown[k * DRAWS * CHAINS + i] = values[k];
            known[k][0] += values[k] / (DRAWS * CHAINS);
        }
    }
    const gm_tensor quantities = gm_tensor_3d(shown, GM_F64, KNOWN, DRAWS, CHAINS);
    for (int d = 0; d < 4; ++d) {
        const gm_diagnose_options options = {.diagnostic = wanted[d]};
        const gm_tensor out = {&known[0][1 + d], GM_F64, 1, {KNOWN}, {5}};
        gm_workspace workspace = {0};
        TRY(gm_diagnose(context, &options, &quantities, &out, &workspace));
        TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
        TRY(gm_diagnose(context, &options, &quantities, &out, &workspace));
        TRY(gm_memory_free(context, workspace.data));
    }
    gm_context_destroy(context);
    return EXIT_SUCCESS;
}

int main(void) {
    static const double data[] = {28, 8,  -3, 7,  -1, 1,  18, 12,  /* effects */
                                  15, 10, 16, 11, 9,  11, 10, 18}; /* standard errors */
    static const struct {
        const char *name;
        double mean, error;
    } reference[KNOWN] = {
        {"mu", 4.4105, 0.0330}, {"tau", 3.6021, 0.0319}, {"theta_1", 6.1505, 0.0557}};
    gm_context *context = NULL;
    char message[256];
    for (int i = 0; i < DIM * CHAINS; ++i) { /* apart, so that R-hat sees if they do not mix */
        start[i] = 2 * sin(1 + 1.7 * i);
    }
    const double point[DIM] = {1, 0.5, -1, 0.3, 2, 0.1, -0.4, 1, 0.2, 0.6};
    if (gm_density_check(&schools, point, data, message) != GM_STATUS_OK) {
        printf("the density is wrong: %s\n", message);
        return EXIT_FAILURE;
    }
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    if (sample(context, data) != EXIT_SUCCESS || summarize() != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    gm_context_destroy(context);
    int wrong = 0;
    printf("%-8s %8s %8s %7s %9s %9s   posteriordb\n", "", "mean", "error", "R-hat", "ess bulk",
           "ess tail");
    for (int k = 0; k < KNOWN; ++k) {
        const double *q = known[k];
        const double allowed = 5 * hypot(q[1], reference[k].error);
        const int bad = !(fabs(q[0] - reference[k].mean) <= allowed && q[2] < 1.01 && q[3] > 1000);
        printf("%-8s %8.4f %8.4f %7.4f %9.0f %9.0f   %.4f +- %.4f  %s\n", reference[k].name, q[0],
               q[1], q[2], q[3], q[4], reference[k].mean, reference[k].error, bad ? "WRONG" : "ok");
        wrong += bad;
    }
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
