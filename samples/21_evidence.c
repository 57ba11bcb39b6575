/*
 * Did coaching help some schools more than others? Two models of the eight schools
 * (12_eight_schools) are compared by their evidence, the probability of the data under the prior:
 * one in which each school has an effect of its own, y_j ~ N(mu + tau e_j, s_j), e_j ~ N(0, 1), mu
 * ~ N(0, 5), log tau ~ N(1, 1), and one in which all have the same, tau = 0.
 *
 * The evidence of the first is an integral over 10 coordinates. Annealed importance sampling takes
 * 2048 chains from the prior to the posterior, the likelihood's power rising from 0 to 1 in so many
 * steps: the mean of their weights is the evidence, that of the logarithms below it. Exact draws of
 * the posterior taken back to the prior give a bound from above. With more steps the two close in
 * on the exact value, which here is an integral over log tau alone. The sample checks that they do.
 *
 * Picture: the bounds from below (blue) and above (orange) over the number of steps, from 2 to 128,
 * doubled each time; the exact value in black, within 1.5 nats each way.
 *
 * usage: 21_evidence [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

enum { SCHOOLS = 8, DIM = 2 + SCHOOLS, PARAMS = 2 * SCHOOLS + 1, POWER = 2 * SCHOOLS };
enum { CHAINS = 2048, ROUNDS = 7, MOST = 1 << ROUNDS, GRID = 4001 };

/* mu / 5, log tau - 1, e; p[0 .. 7]: effects, p[8 .. 15]: standard errors, p[16]: the power. */
GM_DENSITY(
    path, 10, 17,
    {
        const real tau = gm_exp(y[1] + 1);
        real fit = 0;
        logp[0] = (real)-0.5 * (y[0] * y[0] + y[1] * y[1]);
        for (int j = 0; j < 8; ++j) {
            const real rest = (p[j] - 5 * y[0] - tau * y[2 + j]) / p[8 + j];
            fit -= (real)0.5 * rest * rest;
            fit -= (real)0.91893853320467274 + gm_log(p[8 + j]);
            logp[0] -= (real)0.5 * y[2 + j] * y[2 + j];
        }
        logp[0] += p[16] * fit;
    },
    {
        const real tau = gm_exp(y[1] + 1);
        grad[0] = -y[0];
        grad[1] = -y[1];
        for (int j = 0; j < 8; ++j) {
            const real scale = p[16] / (p[8 + j] * p[8 + j]);
            const real pull = scale * (p[j] - 5 * y[0] - tau * y[2 + j]);
            grad[0] += 5 * pull;
            grad[1] += pull * tau * y[2 + j];
            grad[2 + j] = pull * tau - y[2 + j];
        }
    })

static const double data[PARAMS] = {28, 8,  -3, 7,  -1, 1,  18, 12,  /* effects */
                                    15, 10, 16, 11, 9,  11, 10, 18}; /* standard errors */

/* ---- what is exact --------------------------------------------------------------------------- */

/* Log evidence where tau is known, mu and e integrated by hand; mu given the data is N(*mean,
 * *variance). */
static double evidence_at(double tau, double *mean, double *variance) {
    double precision = 1 / 25.0, pull = 0, sum = 0;
    for (int j = 0; j < SCHOOLS; ++j) {
        const double v = data[SCHOOLS + j] * data[SCHOOLS + j] + tau * tau;
        precision += 1 / v;
        pull += data[j] / v;
        sum -= 0.5 * (log(2 * acos(-1) * v) + data[j] * data[j] / v);
    }
    *mean = pull / precision;
    *variance = 1 / precision;
    return sum + pull * pull / (2 * precision) - 0.5 * log(25 * precision);
}

/* Over log tau, by the rule of trapezia; sums: the cumulative posterior of it. */
static double log_tau_at(int i) {
    return -5 + 12.0 * i / (GRID - 1);
}

static double exact_evidence(double *sums) {
    double total = 0, unused[2];
    for (int i = 0; i < GRID; ++i) {
        const double z = log_tau_at(i) - 1;
        total += exp(-z * z / 2 + evidence_at(exp(log_tau_at(i)), &unused[0], &unused[1]));
        sums[i] = total;
    }
    return log(total * 12 / (GRID - 1) / sqrt(2 * acos(-1)));
}

/* Normal number `draw` of a chain. */
static double normal(uint64_t seed, int64_t chain, int draw) {
    return gm_normal_f64(seed, (uint64_t)chain, GM_STREAM_USER, (uint64_t)draw);
}

/* Coordinates by chains: from the prior, which is standard normal, or from the posterior. */
static void draw_start(int backward, const double *sums, double *state) {
    for (int64_t c = 0; c < CHAINS; ++c) {
        for (int i = 0; i < DIM; ++i) {
            state[i * CHAINS + c] = normal(1, c, i);
        }
        if (!backward) {
            continue;
        }
        const double share = 0.5 * erfc(-normal(2, c, 1) / sqrt(2)) * sums[GRID - 1];
        int at = 0;
        while (at + 1 < GRID && sums[at] < share) {
            ++at;
        }
        double mean, variance;
        const double before = at > 0 ? sums[at - 1] : 0;
        const double log_tau =
            log_tau_at(at) + (12.0 / (GRID - 1)) * ((share - before) / (sums[at] - before) - 0.5);
        evidence_at(exp(log_tau), &mean, &variance);
        const double mu = mean + sqrt(variance) * state[c], tau = exp(log_tau);
        state[c] = mu / 5;
        state[CHAINS + c] = log_tau - 1;
        for (int j = 0; j < SCHOOLS; ++j) {
            const double s = data[SCHOOLS + j], precision = 1 + tau * tau / (s * s);
            state[(2 + j) * CHAINS + c] = tau * (data[j] - mu) / (s * s) / precision +
                                          state[(2 + j) * CHAINS + c] / sqrt(precision);
        }
    }
}

/* ---- annealing ------------------------------------------------------------------------------- */

/* What the weights of all chains say after `steps` steps from one end to the other. */
static int anneal(gm_context *context, int steps, int backward, const double *sums,
                  gm_log_weights *found) {
    static double state[DIM * CHAINS], weight[CHAINS];
    static const int32_t which[] = {POWER};
    double power[MOST + 1], size[MOST + 1];
    gm_mcmc_plan *mcmc;
    gm_density_annealing_plan *plan;
    void *x, *p, *w;
    for (int t = 0; t <= steps; ++t) {
        power[t] = (double)(backward ? steps - t : t) / steps;
        size[t] = 0.35;
    }
    double check[DIM + PARAMS] = {0.2, -0.5, -1, 0.3, 2, 0.1, -0.4, 1, 0.2, 0.6}; /* any state */
    memcpy(check + DIM, data, sizeof data);
    check[DIM + POWER] = 0.5;
    const gm_mcmc_options options = {.dtype = GM_F64,
                                     .method = GM_MCMC_HMC,
                                     .steps = 1,
                                     .leapfrogs = 5,
                                     .seed = 3,
                                     .check = check}; /* of the gradient */
    TRY(gm_mcmc_plan_create(context, &path, &options, &mcmc));
    const gm_density_annealing schedule = {.mcmc = mcmc,
                                           .steps = steps + 1,
                                           .step = size,
                                           .moving = 1,
                                           .which = which,
                                           .values = power};
    TRY(gm_density_annealing_plan_create(context, &schedule, &plan));
    draw_start(backward, sums, state);
    TRY(gm_memory_alloc(context, sizeof state, &x));
    TRY(gm_memory_alloc(context, sizeof data, &p));
    TRY(gm_memory_alloc(context, sizeof weight, &w));
    TRY(gm_memory_upload(context, x, state, sizeof state));
    TRY(gm_memory_upload(context, p, data, sizeof data));
    const gm_tensor points = gm_tensor_2d(x, GM_F64, DIM, CHAINS);
    const gm_tensor shared = {p, GM_F64, 2, {PARAMS, CHAINS}, {1, 0}}; /* stride 0: one for all */
    const gm_tensor weights = gm_tensor_1d(w, GM_F64, CHAINS);
    const gm_density_annealing_state chains = {.state = &points, .params = &shared};
    const gm_density_annealing_result result = {.log_weight = &weights};
    gm_workspace workspace = {0};
    TRY(gm_density_annealing_run(plan, 0, steps + 1, &chains, &result, &workspace));
    TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    TRY(gm_density_annealing_run(plan, 0, steps + 1, &chains, &result, &workspace));
    TRY(gm_memory_download(context, weight, w, sizeof weight));
    TRY(gm_log_weights_mean(CHAINS, weight, found));
    void *const memory[] = {x, p, w, workspace.data};
    for (int i = 0; i < 4; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    gm_density_annealing_plan_destroy(plan);
    gm_mcmc_plan_destroy(mcmc);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static double sums[GRID], below[ROUNDS], above[ROUNDS], line[ROUNDS];
    gm_context *context = NULL;
    double unused[2];
    int wrong = 0;
    const double exact = exact_evidence(sums), pooled = evidence_at(0, &unused[0], &unused[1]);
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    printf("log evidence of schools that differ, exact: %.4f\n", exact);
    printf("%6s %10s %10s %10s %10s %10s\n", "steps", "below", "estimate", "+-", "above", "size");
    for (int r = 0; r < ROUNDS; ++r) {
        gm_log_weights there, back;
        if (anneal(context, 2 << r, 0, sums, &there) != EXIT_SUCCESS ||
            anneal(context, 2 << r, 1, sums, &back) != EXIT_SUCCESS) {
            return EXIT_FAILURE;
        }
        below[r] = there.mean_log;
        above[r] = -back.mean_log;
        line[r] = exact;
        /* The spread of log w is about twice the square root of how far its mean is below. */
        const double noise = 5 * sqrt(2 * (above[r] - below[r]) / CHAINS);
        const int bad = !(below[r] < exact + noise && above[r] > exact - noise &&
                          fabs(there.log_mean - exact) < 5 * there.error);
        printf("%6d %10.4f %10.4f %10.4f %10.4f %10.0f  %s\n", 2 << r, below[r], there.log_mean,
               there.error, above[r], there.size, bad ? "WRONG" : "ok");
        wrong += bad;
    }
    wrong += !(above[ROUNDS - 1] - below[ROUNDS - 1] < (above[0] - below[0]) / 16);
    printf("of schools that are all the same: %.4f, %.2f times as likely\n", pooled,
           exp(pooled - exact));
    gm_context_destroy(context);
    canvas c = canvas_make(480, 340);
    if (c.pixels == NULL) {
        printf("no memory for the picture\n");
        return EXIT_FAILURE;
    }
    canvas_plot(&c, 20, 20, 440, 300, ROUNDS, line, exact - 1.5, exact + 1.5, 0x000000);
    canvas_plot(&c, 20, 20, 440, 300, ROUNDS, below, exact - 1.5, exact + 1.5, 0x2060d0);
    canvas_plot(&c, 20, 20, 440, 300, ROUNDS, above, exact - 1.5, exact + 1.5, 0xe08020);
    const int saved = canvas_save(&c, argc > 1 ? argv[1] : "build/evidence.png");
    return wrong == 0 && saved ? EXIT_SUCCESS : EXIT_FAILURE;
}
