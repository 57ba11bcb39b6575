/*
 * Simulation-based calibration (Talts et al., 2018) of a linear-Gaussian model, all replicates in
 * one launch. Means are checked as in test_mcmc_exact.c.
 */
#include "tests/mcmc_fixture.h"

static double exact_normal(uint64_t i) {
    return gm_normal_f64(98, i, GM_STREAM_USER, 0);
}

enum { DATA = 5, REPLICATES = 1000, RANKED = 49, BINS = 10 };

/* theta ~ N(0, I), y_i ~ N(a_i . theta, 0.64): the data are the parameters. */
#define ROW(i, u, v) (p[i] - (real)(u)*y[0] - (real)(v)*y[1])
GM_DENSITY(
    linear_model, 2, DATA,
    {
        const real square = ROW(0, 1, 0.5) * ROW(0, 1, 0.5) + ROW(1, 1, -1) * ROW(1, 1, -1) +
                            ROW(2, 0.25, 2) * ROW(2, 0.25, 2) + ROW(3, 1, 1) * ROW(3, 1, 1) +
                            ROW(4, -0.5, 1.5) * ROW(4, -0.5, 1.5);
        logp[0] = (real)-0.5 * (y[0] * y[0] + y[1] * y[1] + square / (real)0.64);
    },
    {
        grad[0] = (ROW(0, 1, 0.5) + ROW(1, 1, -1) + (real)0.25 * ROW(2, 0.25, 2) + ROW(3, 1, 1) -
                   (real)0.5 * ROW(4, -0.5, 1.5)) /
                      (real)0.64 -
                  y[0];
        grad[1] = ((real)0.5 * ROW(0, 1, 0.5) - ROW(1, 1, -1) + 2 * ROW(2, 0.25, 2) + ROW(3, 1, 1) +
                   (real)1.5 * ROW(4, -0.5, 1.5)) /
                      (real)0.64 -
                  y[1];
    })

static const double design[DATA][2] = {{1, 0.5}, {1, -1}, {0.25, 2}, {1, 1}, {-0.5, 1.5}};

typedef struct calibration {
    double chi_square, band;      /* of BINS counts of ranks; sup |ECDF - uniform| */
    double values[2][REPLICATES]; /* the last draw, whitened by the exact posterior */
} calibration;

/*
 * One call, a chain for each replicate: theta from the prior, data from theta, the posterior from
 * 0. Ranks of each coordinate of theta among 49 draws; beta 1 is the model.
 */
static void calibrate(const subject *s, gm_dtype dtype, double beta, calibration found[2]) {
    enum { STEPS = 128, THIN = 2, DRAWS = STEPS / THIN };
    static double theta[2 * REPLICATES], data[DATA * REPLICATES], step[REPLICATES],
        betas[REPLICATES], start[2 * REPLICATES], factor[4 * REPLICATES];
    double precision[3] = {1, 0, 1}; /* (0, 0), (1, 0), (1, 1) of the posterior's */
    for (int k = 0; k < DATA; ++k) {
        precision[0] += design[k][0] * design[k][0] / 0.64;
        precision[1] += design[k][1] * design[k][0] / 0.64;
        precision[2] += design[k][1] * design[k][1] / 0.64;
    }
    const double determinant = precision[0] * precision[2] - precision[1] * precision[1];
    const double l00 = sqrt(precision[2] / determinant), l10 = -precision[1] / determinant / l00;
    const double l11 = sqrt(precision[0] / determinant - l10 * l10);
    for (int i = 0; i < REPLICATES; ++i) {
        const uint64_t at = 1000000 + 7 * (uint64_t)i;
        step[i] = 0.35;
        betas[i] = beta;
        start[i] = start[REPLICATES + i] = 0;
        theta[i] = exact_normal(at);
        theta[REPLICATES + i] = exact_normal(at + 1);
        for (int k = 0; k < DATA; ++k) {
            data[k * REPLICATES + i] = design[k][0] * theta[i] +
                                       design[k][1] * theta[REPLICATES + i] +
                                       0.8 * exact_normal(at + 2 + (uint64_t)k);
        }
        factor[i] = l00;
        factor[REPLICATES + i] = 0;
        factor[2 * REPLICATES + i] = l10;
        factor[3 * REPLICATES + i] = l11;
    }
    const chains in = {.density = &linear_model,
                       .options = {.dtype = dtype,
                                   .method = GM_MCMC_HMC,
                                   .steps = STEPS,
                                   .thin = THIN,
                                   .leapfrogs = 8,
                                   .jitter = 1,
                                   .seed = 2024},
                       .n = REPLICATES,
                       .state = start,
                       .params = data,
                       .step = step,
                       .beta = betas,
                       .factor = factor};
    chains_result out = run_chains(s, &in);
    for (int c = 0; c < 2; ++c) {
        int counts[RANKED + 1] = {0}, bins[BINS] = {0}, below = 0;
        for (int i = 0; i < REPLICATES; ++i) {
            int rank = 0;
            for (int m = DRAWS - RANKED; m < DRAWS; ++m) {
                rank += out.draws[(2 * m + c) * REPLICATES + i] < theta[c * REPLICATES + i];
            }
            ++counts[rank];
            ++bins[rank * BINS / (RANKED + 1)];
        }
        found[c].chi_square = found[c].band = 0;
        for (int b = 0; b < BINS; ++b) {
            const double expected = (double)REPLICATES / BINS, off = bins[b] - expected;
            found[c].chi_square += off * off / expected;
        }
        for (int r = 0; r < RANKED; ++r) {
            below += counts[r];
            found[c].band = fmax(found[c].band,
                                 fabs((double)below / REPLICATES - (double)(r + 1) / (RANKED + 1)));
        }
    }
    for (int i = 0; i < REPLICATES; ++i) {
        double pull[2] = {0, 0}, apart[2];
        for (int k = 0; k < DATA; ++k) {
            pull[0] += design[k][0] * data[k * REPLICATES + i] / 0.64;
            pull[1] += design[k][1] * data[k * REPLICATES + i] / 0.64;
        }
        apart[0] = out.state[i] - (precision[2] * pull[0] - precision[1] * pull[1]) / determinant;
        apart[1] = out.state[REPLICATES + i] -
                   (precision[0] * pull[1] - precision[1] * pull[0]) / determinant;
        found[0].values[0][i] = apart[0] / l00;
        found[0].values[1][i] = (apart[1] - l10 * found[0].values[0][i]) / l11;
    }
    free_chains(&out);
}

/*
 * Ranks are uniform on 0 .. 49: of a right program chi-square with 9 degrees of freedom exceeds 52
 * with 5e-8, and the ECDF of 1000 is off by over 0.0917 with less than 1e-7 (Dvoretzky, Kiefer,
 * Wolfowitz, Massart). Draws two steps apart have a correlation below 0.05, of which the chi-square
 * feels a few percent. The posterior itself is known: the last draws, whitened, are N(0, I). A
 * posterior that is too wide, p^0.6, or too narrow, p^1.6, fails.
 */
static void ranks_are_uniform_in_one_launch(void **state) {
    (void)state;
    static calibration found[2];
    static double squares[REPLICATES];
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            calibrate(s, precisions[k], 1, found);
            for (int c = 0; c < 2; ++c) {
                if (!(found[c].chi_square < 52 && found[c].band < 0.0917)) {
                    fail_msg("%s: chi-square %.1f, ECDF off by %.3f", s->name, found[c].chi_square,
                             found[c].band);
                }
                check_chain_mean(s, "posterior mean", found[0].values[c], REPLICATES, 0);
                for (int i = 0; i < REPLICATES; ++i) {
                    squares[i] = found[0].values[c][i] * found[0].values[c][i];
                }
                check_chain_mean(s, "posterior variance", squares, REPLICATES, 1);
            }
            for (int i = 0; i < REPLICATES; ++i) {
                squares[i] = found[0].values[0][i] * found[0].values[1][i];
            }
            check_chain_mean(s, "posterior covariance", squares, REPLICATES, 0);
        }
    }
    const double wrong[] = {0.6, 1.6};
    for (int k = 0; k < 2; ++k) {
        calibrate(&subjects[subject_count - 1], GM_F64, wrong[k], found);
        assert_true(found[0].chi_square > 52 && found[1].chi_square > 52);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_uniform_in_one_launch),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
