/*
 * Eight schools by Gibbs sampling: the model of 12_eight_schools.c, y_j ~ N(theta_j, s_j), theta_j
 * ~ N(mu, tau), mu ~ N(0, 5), tau ~ half-Cauchy(0, 5). The half-Cauchy law
 * is a mixture of inverse gammas, tau^2 ~ IG(1/2, 1 / a) with a ~ IG(1/2, 1 / 25) (Makalic and
 * Schmidt, IEEE Signal Process. Lett. 23, 2016), and then every conditional law is one that can be
 * drawn from: normal for mu and the theta_j, inverse gamma for tau^2 and a. Where tau is small, mu,
 * tau and the theta_j hold each other: two blocks more move mu and the theta_j together, by a
 * normal draw, and scale tau and the theta_j about mu together, by a Metropolis step.
 *
 * The updates that are smooth in their noise are checked against the joint density. The means come
 * out as by integrating over tau, given which all else is normal, and as those of posteriordb.
 *
 * Picture: on the left each school's E[theta_j | tau] for tau from 0 to 20 (lines: exact; dots: of
 * the draws near that tau), on the right the posterior density of tau (line, and bars of the
 * draws).
 *
 * usage: 19_hierarchical_gibbs [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

/* y: mu, tau^2, a, theta; p[0 .. 7]: the effects, p[8 .. 15]: their standard errors. */
GM_GIBBS(schools, 11, 16, 6, 8, 1, {
    switch (block) {
    case 0: {
        real sum = 0;
        for (int j = 0; j < 8; ++j) {
            sum += y[3 + j];
        }
        const real v = 1 / (8 / y[1] + (real)0.04);
        next[0] = v * sum / y[1] + gm_sqrt(v) * z[0];
        break;
    }
    case 1: {
        real rate = 1 / y[2];
        for (int j = 0; j < 8; ++j) {
            rate += (real)0.5 * (y[3 + j] - y[0]) * (y[3 + j] - y[0]);
        }
        next[1] = rate / gm_gamma_step(rate / y[1], (real)4.5, z[0], u[0]);
        break;
    }
    case 2: {
        next[2] = (1 / y[1] + (real)0.04) / -gm_log(u[0]);
        break;
    }
    case 3: {
        for (int j = 0; j < 8; ++j) {
            const real precision = 1 / (p[8 + j] * p[8 + j]);
            const real v = 1 / (1 / y[1] + precision);
            next[3 + j] = v * (y[0] / y[1] + p[j] * precision) + gm_sqrt(v) * z[j];
        }
        break;
    }
    case 4: { /* mu and the theta_j by the same, of which the others leave a normal law */
        real precision = (real)0.04;
        real pull = (real)-0.04 * y[0];
        for (int j = 0; j < 8; ++j) {
            precision += 1 / (p[8 + j] * p[8 + j]);
            pull += (p[j] - y[3 + j]) / (p[8 + j] * p[8 + j]);
        }
        const real by = pull / precision + z[0] / gm_sqrt(precision);
        next[0] = y[0] + by;
        for (int j = 0; j < 8; ++j) {
            next[3 + j] = y[3 + j] + by;
        }
        break;
    }
    default: { /* theta - mu by s, tau^2 and 1 / a by s^2: s^-7 of density, s^8 of volume */
        const real s = gm_exp(z[0]);
        real ratio = (real)0.04 * (1 - s * s) / y[2] + z[0];
        for (int j = 0; j < 8; ++j) {
            const real rest = (p[j] - y[0] - s * (y[3 + j] - y[0])) / p[8 + j];
            const real rest_now = (p[j] - y[3 + j]) / p[8 + j];
            ratio += (real)0.5 * (rest_now * rest_now - rest * rest);
        }
        const real scale = gm_log(u[0]) <= ratio ? s : 1;
        next[1] = scale * scale * y[1];
        next[2] = y[2] / (scale * scale);
        for (int j = 0; j < 8; ++j) {
            next[3 + j] = y[0] + scale * (y[3 + j] - y[0]);
        }
    }
    }
})

GM_DENSITY(
    joint, 11, 16,
    {
        logp[0] = (real)-5.5 * gm_log(y[1]) - 2 * gm_log(y[2]) - y[0] * y[0] / 50;
        logp[0] -= 1 / (y[1] * y[2]) + 1 / (25 * y[2]);
        for (int j = 0; j < 8; ++j) {
            const real rest = (p[j] - y[3 + j]) / p[8 + j];
            const real apart = y[3 + j] - y[0];
            logp[0] -= (real)0.5 * (rest * rest + apart * apart / y[1]);
        }
    },
    {
        grad[0] = -y[0] / 25;
        grad[1] = (real)-5.5 / y[1] + 1 / (y[1] * y[1] * y[2]);
        grad[2] = (1 / y[1] + (real)0.04) / (y[2] * y[2]) - 2 / y[2];
        for (int j = 0; j < 8; ++j) {
            const real apart = y[3 + j] - y[0];
            grad[0] += apart / y[1];
            grad[1] += (real)0.5 * apart * apart / (y[1] * y[1]);
            grad[3 + j] = (p[j] - y[3 + j]) / (p[8 + j] * p[8 + j]) - apart / y[1];
        }
    })

enum { CHAINS = 256, WARM = 200, THIN = 3, DRAWS = 500, DIM = 11, KNOWN = 3, BINS = 40 };
static const double data[] = {28, 8,  -3, 7,  -1, 1,  18, 12,  /* effects */
                              15, 10, 16, 11, 9,  11, 10, 18}; /* standard errors */
static double start[DIM * CHAINS], draws[DRAWS * DIM * CHAINS], shown[KNOWN * DRAWS * CHAINS];
static double known[KNOWN][5]; /* mean, standard error, R-hat, bulk and tail effective size */

/* The sampler by itself, and its smooth blocks against the density. */
static int check(void) {
    const double y[DIM] = {3, 20, 0.4, 9, 5, 3, 5, 1, 4, 11, 8};
    char message[256];
    gm_status status = gm_density_check(&joint, y, data, message);
    if (status == GM_STATUS_OK) {
        status = gm_gibbs_check(&schools, y, data, message);
    }
    for (int block = 0; block <= 3 && status == GM_STATUS_OK; ++block) {
        if (block != 1) { /* a gamma step is no map of its noise */
            status = gm_gibbs_check_conditional(&schools, &joint, block, y, data, message);
        }
    }
    printf("%s%s\n",
           status == GM_STATUS_OK ? "blocks 0, 2 and 3 draw from the joint density's laws"
                                  : "the sampler is wrong: ",
           message);
    return status == GM_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int sample(gm_context *context) {
    void *y, *p, *kept;
    TRY(gm_memory_alloc(context, sizeof start, &y));
    TRY(gm_memory_alloc(context, sizeof data, &p));
    TRY(gm_memory_alloc(context, sizeof draws, &kept));
    TRY(gm_memory_upload(context, y, start, sizeof start));
    TRY(gm_memory_upload(context, p, data, sizeof data));
    const gm_tensor state = gm_tensor_2d(y, GM_F64, DIM, CHAINS);
    const gm_tensor shared = {p, GM_F64, 2, {16, CHAINS}, {1, 0}}; /* stride 0: one for all */
    const gm_tensor all = gm_tensor_3d(kept, GM_F64, DRAWS, DIM, CHAINS);
    const gm_gibbs_input input = {&state, &shared};
    gm_gibbs_options options = {.dtype = GM_F64, .sweeps = WARM, .seed = 8};
    gm_gibbs_plan *plan;
    TRY(gm_gibbs_plan_create(context, &schools, &options, &plan));
    TRY(gm_gibbs_run(plan, 0, &input, &(gm_gibbs_result){.state = &state}));
    gm_gibbs_plan_destroy(plan);
    options.sweeps = THIN * DRAWS;
    options.thin = THIN;
    TRY(gm_gibbs_plan_create(context, &schools, &options, &plan));
    TRY(gm_gibbs_run(plan, WARM, &input, &(gm_gibbs_result){.state = &state, .draws = &all}));
    gm_gibbs_plan_destroy(plan);
    TRY(gm_memory_download(context, draws, kept, sizeof draws));
    printf("%d chains, %d sweeps on %s (%s)\n", CHAINS, WARM + THIN * DRAWS,
           gm_context_backend_name(context), gm_last_kernel(context));
    TRY(gm_memory_free(context, y));
    TRY(gm_memory_free(context, p));
    TRY(gm_memory_free(context, kept));
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
        const double values[] = {y[0], sqrt(y[CHAINS]), y[3 * CHAINS]};
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

/* Given tau: the posterior density of tau up to a constant, E[mu], E[theta_j]. */
static double given_tau(double tau, double *mu, double *theta) {
    double precision = 1.0 / 25, pull = 0, log_p = -log1p(tau * tau / 25);
    for (int j = 0; j < 8; ++j) {
        const double w = 1 / (tau * tau + data[8 + j] * data[8 + j]);
        precision += w;
        pull += w * data[j];
        log_p += 0.5 * log(w) - 0.5 * w * data[j] * data[j];
    }
    *mu = pull / precision;
    for (int j = 0; j < 8; ++j) {
        const double s2 = data[8 + j] * data[8 + j];
        theta[j] = (*mu * s2 + data[j] * tau * tau) / (s2 + tau * tau);
    }
    return exp(log_p - 0.5 * log(precision) + 0.5 * pull * *mu);
}

/* Means by Simpson's rule over x = log(1 + tau), to tau = 3000; [3] is the density's integral. */
static void integrate(double *means) {
    enum { POINTS = 4000 };
    double sums[4] = {0};
    for (int i = 0; i <= POINTS; ++i) {
        const double tau = expm1(8.0 * i / POINTS);
        double mu, theta[8];
        const double rule = i == 0 || i == POINTS ? 1 : i % 2 == 1 ? 4 : 2;
        const double weight = given_tau(tau, &mu, theta) * (1 + tau) * rule;
        const double each[] = {mu, tau, theta[0], 1};
        for (int q = 0; q < 4; ++q) {
            sums[q] += weight * each[q];
        }
    }
    for (int q = 0; q < 3; ++q) {
        means[q] = sums[q] / sums[3];
    }
    means[3] = sums[3] * 8.0 / POINTS / 3;
}

/* E[theta_j | tau] and the density of tau in BINS bins from 0 to 20, and the same of the draws;
 * returns how many points of the first lie too far off. */
static int draw_picture(double integral, const char *path) {
    static const uint32_t colours[] = {0xd03020, 0x2060d0, 0x20a040, 0xe07000,
                                       0x8030a0, 0x109090, 0x000000, 0x909030};
    static double lines[8][BINS], sums[8][BINS], squares[8][BINS], density[BINS];
    double counts[BINS] = {0};
    const double width = 20.0 / BINS;
    for (int b = 0; b < BINS; ++b) {
        double mu, theta[8];
        density[b] = given_tau((b + 0.5) * width, &mu, theta) / integral;
        for (int j = 0; j < 8; ++j) {
            lines[j][b] = theta[j];
        }
    }
    for (int i = 0; i < DRAWS * CHAINS; ++i) {
        const double *y = draws + i / CHAINS * DIM * CHAINS + i % CHAINS;
        const int b = (int)(sqrt(y[CHAINS]) / width);
        if (b < BINS) {
            counts[b] += 1;
            for (int j = 0; j < 8; ++j) {
                sums[j][b] += y[(3 + j) * CHAINS];
                squares[j][b] += y[(3 + j) * CHAINS] * y[(3 + j) * CHAINS];
            }
        }
    }
    canvas c = canvas_make(800, 400);
    int off = 0;
    for (int b = 0; b < BINS && c.pixels != NULL; ++b) {
        const int x = 430 + b * 350 / BINS;
        const int height = (int)(counts[b] / (DRAWS * CHAINS * width) * 350 / 0.2);
        for (int w = 0; w < 350 / BINS - 1; ++w) {
            canvas_line(&c, x + w, 380, x + w, 380 - height, 0x9ec0f0);
        }
        for (int j = 0; j < 8 && counts[b] > 100; ++j) {
            const double mean = sums[j][b] / counts[b];
            const double deviation = sqrt((squares[j][b] / counts[b] - mean * mean) / counts[b]);
            off += fabs(mean - lines[j][b]) > 0.1 + 8 * deviation; /* draws of a chain are alike */
            const double px = 20 + (double)b * 380 / (BINS - 1), py = 380 - (mean + 5) * 10;
            canvas_line(&c, px - 2, py, px + 2, py, colours[j]);
            canvas_line(&c, px, py - 2, px, py + 2, colours[j]);
        }
    }
    if (c.pixels != NULL) {
        for (int j = 0; j < 8; ++j) {
            canvas_plot(&c, 20, 20, 380, 360, BINS, lines[j], -5, 31, colours[j]);
        }
        canvas_plot(&c, 434, 30, 350 - 350 / BINS, 350, BINS, density, 0, 0.2, 0x000000);
    }
    return canvas_save(&c, path) ? off : BINS;
}

int main(int argc, char **argv) {
    static const char *const names[KNOWN] = {"mu", "tau", "theta_1"};
    static const double reference[KNOWN][2] = {
        {4.4105, 0.0330}, {3.6021, 0.0319}, {6.1505, 0.0557}}; /* posteriordb, standard errors */
    gm_context *context = NULL;
    double exact[4];
    for (int i = 0; i < DIM * CHAINS; ++i) { /* apart, so that R-hat sees if they do not mix */
        const double x = sin(1 + 1.7 * i);
        start[i] = i / CHAINS == 1 || i / CHAINS == 2 ? exp(3 * x) : 10 * x;
    }
    integrate(exact);
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    if (check() != EXIT_SUCCESS || sample(context) != EXIT_SUCCESS || summarize() != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    gm_context_destroy(context);
    int wrong = 0;
    printf("%-8s %8s %8s %7s %9s %9s %9s   posteriordb\n", "", "mean", "error", "R-hat", "ess bulk",
           "ess tail", "integral");
    for (int k = 0; k < KNOWN; ++k) {
        const double *q = known[k];
        const int bad = !(fabs(q[0] - exact[k]) <= 5 * q[1] && q[2] < 1.01 && q[3] > 1000 &&
                          fabs(exact[k] - reference[k][0]) <= 3 * reference[k][1]);
        printf("%-8s %8.4f %8.4f %7.4f %9.0f %9.0f %9.4f   %.4f +- %.4f  %s\n", names[k], q[0],
               q[1], q[2], q[3], q[4], exact[k], reference[k][0], reference[k][1],
               bad ? "WRONG" : "ok");
        wrong += bad;
    }
    wrong += draw_picture(exact[3], argc > 1 ? argv[1] : "build/hierarchical_gibbs.png");
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
