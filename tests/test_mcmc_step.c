/*
 * One step of gm_mcmc_run: from the noise it must take, by formulas written here, state by state;
 * and what the formulas promise, detailed balance and reversibility.
 */
#include "tests/mcmc_fixture.h"

typedef struct proposal {
    double y[2], log_ratio;
} proposal;

/* Of the untempered density. */
static double banana_logp(const double *y, const double *p) {
    const double rest = y[1] - p[0] * (y[0] * y[0] - 1);
    return -y[0] * y[0] / 2 - rest * rest / (2 * p[1]);
}

static void banana_grad(const double *y, const double *p, double *g) {
    const double rest = y[1] - p[0] * (y[0] * y[0] - 1);
    g[0] = -y[0] + rest * 2 * p[0] * y[0] / p[1];
    g[1] = -rest / p[1];
}

/* p to the power of beta: a banana too, but for its constant. */
typedef struct target {
    double p[2], beta;
} target;

static double target_logp(const double *y, const target *t) {
    return t->beta * banana_logp(y, t->p);
}

static void target_grad(const double *y, const target *t, double *g) {
    banana_grad(y, t->p, g);
    g[0] *= t->beta;
    g[1] *= t->beta;
}

/* log of the normal density of a Langevin proposal, with its constant. */
static double langevin_density(const double *to, const double *from, const target *p, double h,
                               const double *s) {
    double g[2], log_q = 0;
    target_grad(from, p, g);
    for (int c = 0; c < 2; ++c) {
        const double variance = 2 * h * s[c] * s[c];
        const double apart = to[c] - from[c] - h * s[c] * s[c] * g[c];
        log_q -= apart * apart / (2 * variance) + log(6.283185307179586 * variance) / 2;
    }
    return log_q;
}

/* Leapfrog steps in place: positions y, momenta m, inverse masses s^2. */
static void leapfrog(double *y, double *m, const target *p, double h, const double *s, int steps) {
    double g[2];
    for (int l = 0; l < steps; ++l) {
        target_grad(y, p, g);
        for (int c = 0; c < 2; ++c) {
            m[c] += h / 2 * g[c];
            y[c] += h * s[c] * s[c] * m[c];
        }
        target_grad(y, p, g);
        for (int c = 0; c < 2; ++c) {
            m[c] += h / 2 * g[c];
        }
    }
}

static double hamiltonian(const double *y, const double *m, const target *p, const double *s) {
    return (m[0] * m[0] * s[0] * s[0] + m[1] * m[1] * s[1] * s[1]) / 2 - target_logp(y, p);
}

static proposal propose(gm_mcmc_method method, const double *y, const double *z, const target *p,
                        double h, const double *s, int leapfrogs) {
    proposal to = {{y[0], y[1]}, 0};
    double g[2], m[2] = {z[0] / s[0], z[1] / s[1]};
    target_grad(y, p, g);
    switch (method) {
    case GM_MCMC_RWM:
        for (int c = 0; c < 2; ++c) {
            to.y[c] += h * s[c] * z[c];
        }
        to.log_ratio = target_logp(to.y, p) - target_logp(y, p);
        break;
    case GM_MCMC_HMC: {
        const double before = hamiltonian(y, m, p, s);
        leapfrog(to.y, m, p, h, s, leapfrogs);
        to.log_ratio = before - hamiltonian(to.y, m, p, s);
        break;
    }
    default:
        for (int c = 0; c < 2; ++c) {
            to.y[c] += h * s[c] * s[c] * g[c] + sqrt(2 * h) * s[c] * z[c];
        }
        to.log_ratio = method == GM_MCMC_ULA ? 0
                                             : target_logp(to.y, p) - target_logp(y, p) +
                                                   langevin_density(y, to.y, p, h, s) -
                                                   langevin_density(to.y, y, p, h, s);
    }
    return to;
}

enum { GRID = 17, STATES = GRID * GRID };

/*
 * From every state of a grid, the new state is the one that the formulas and the noise of that
 * chain and step give, accepted where they say so. Tolerances: the rounding of some ten operations
 * per leapfrog step on numbers up to 100 times the state, float and double.
 */
static void step_is_what_the_formulas_say(void **state) {
    (void)state;
    static const struct {
        gm_mcmc_method method;
        double h;
        int leapfrogs, jitter;
    } rows[] = {{GM_MCMC_RWM, 0.8, 0, 0},   {GM_MCMC_ULA, 0.05, 0, 0}, {GM_MCMC_MALA, 0.12, 0, 0},
                {GM_MCMC_MALA, 0.02, 0, 0}, {GM_MCMC_HMC, 0.3, 1, 0},  {GM_MCMC_HMC, 0.21, 5, 0},
                {GM_MCMC_HMC, 0.21, 9, 1}};
    const double p[] = {0.6, 0.5}, scale[] = {0.9, -1.3};
    double start[2 * STATES];
    for (int i = 0; i < STATES; ++i) {
        start[i] = (double)(float)(-2 + 4.0 * (i % GRID) / (GRID - 1));
        start[STATES + i] = (double)(float)(-1.5 + 4.0 * (double)(i / GRID) / (GRID - 1));
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2 * COUNT(rows); ++k) {
            const int row = k / 2;
            const gm_dtype dtype = precisions[k % 2];
            const double h = dtype == GM_F64 ? rows[row].h : (double)(float)rows[row].h;
            /* Each other row without a temperature. */
            const double beta = row % 2 == 0 ? 1 : 0.625;
            const target seen = {{(double)(float)p[0], p[1]}, beta};
            const double s_seen[] = {(double)(float)scale[0], (double)(float)scale[1]};
            const chains in = {.density = gm_density_builtin("banana"),
                               .options = {.dtype = dtype,
                                           .method = rows[row].method,
                                           .steps = 1,
                                           .leapfrogs = rows[row].leapfrogs,
                                           .jitter = rows[row].jitter,
                                           .seed = 0x123456789abcdefu,
                                           .first_index = UINT64_MAX - 100},
                               .n = STATES,
                               .first_step = 5000000000 + row,
                               .state = start,
                               .params = seen.p,
                               .step = &h,
                               .scale = s_seen,
                               .beta = row % 2 == 0 ? NULL : &beta,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            const int length = gm_chain_length(in.options.seed, in.first_step, rows[row].leapfrogs,
                                               rows[row].jitter);
            int accepted = 0;
            for (int i = 0; i < STATES; ++i) {
                const double y[] = {start[i], start[STATES + i]};
                const double z[] = {chain_normal(&in.options, 2, (uint64_t)i, in.first_step, 0),
                                    chain_normal(&in.options, 2, (uint64_t)i, in.first_step, 1)};
                const proposal to = propose(rows[row].method, y, z, &seen, h, s_seen, length);
                const double margin =
                    to.log_ratio + chain_patience(&in.options, (uint64_t)i, in.first_step);
                const double rounding = 300 * (dtype == GM_F64 ? 1e-15 : 1e-6);
                assert_int_equal(out.status[i], GM_STATUS_OK);
                assert_int_equal(out.outside[i], 0);
                if (fabs(margin) > rounding || rows[row].method == GM_MCMC_ULA) {
                    assert_int_equal(out.accepted[i], margin > 0);
                }
                accepted += out.accepted[i];
                const double end[] = {out.state[i], out.state[STATES + i]};
                const double logp = banana_logp(end, seen.p);
                ASSERT_NEAR(s, out.logp[i], logp, rounding * (1 + fabs(logp)));
                for (int c = 0; c < 2; ++c) {
                    ASSERT_NEAR(s, out.state[c * STATES + i], out.accepted[i] ? to.y[c] : y[c],
                                out.accepted[i] ? rounding : 0);
                }
            }
            assert_true(accepted > STATES / 4);
            assert_true(rows[row].method == GM_MCMC_ULA ? accepted == STATES : accepted < STATES);
            free_chains(&out);
        }
    }
}

/* p(y) q(y'|y) a(y, y') = p(y') q(y|y') a(y', y) with the acceptance that the test above holds the
 * library to, between any two states of a grid. */
static void langevin_acceptance_balances(void **state) {
    (void)state;
    const target tempered = {{0.6, 0.5}, 0.7}, *p = &tempered;
    const double s[] = {0.9, 1.3}, h = 0.12;
    for (int i = 0; i < STATES; ++i) {
        for (int j = 0; j < i; j += 5) {
            const double a[] = {-2 + 0.25 * (i % GRID), -1.5 + 0.25 * (double)(i / GRID)};
            const double b[] = {-2 + 0.25 * (j % GRID), -1.5 + 0.25 * (double)(j / GRID)};
            double g[2], z[2];
            target_grad(a, p, g);
            for (int c = 0; c < 2; ++c) {
                z[c] = (b[c] - a[c] - h * s[c] * s[c] * g[c]) / (sqrt(2 * h) * s[c]);
            }
            const proposal there = propose(GM_MCMC_MALA, a, z, p, h, s, 1);
            target_grad(b, p, g);
            for (int c = 0; c < 2; ++c) {
                z[c] = (a[c] - b[c] - h * s[c] * s[c] * g[c]) / (sqrt(2 * h) * s[c]);
            }
            const proposal back = propose(GM_MCMC_MALA, b, z, p, h, s, 1);
            const double forward =
                target_logp(a, p) + langevin_density(b, a, p, h, s) + fmin(0, there.log_ratio);
            const double reverse =
                target_logp(b, p) + langevin_density(a, b, p, h, s) + fmin(0, back.log_ratio);
            assert_true(fabs(forward - reverse) <= 1e-12 * (1 + fabs(forward)));
        }
    }
}

/* The trajectory that the library's steps were found to follow: back with the momentum turned
 * around it returns, and its energy is kept to second order. */
static void trajectories_are_reversible_and_keep_energy(void **state) {
    (void)state;
    const target tempered = {{0.6, 0.5}, 1.7}, *p = &tempered;
    const double s[] = {0.9, 1.3};
    double sizes[6], errors[6] = {0};
    uint64_t random = 5;
    for (int trial = 0; trial < 50; ++trial) {
        double y[2], m[2];
        for (int c = 0; c < 2; ++c) {
            y[c] = random_between(&random, -1, 1);
            m[c] = random_between(&random, -1, 1);
        }
        double end[2] = {y[0], y[1]}, turned[2] = {m[0], m[1]};
        leapfrog(end, turned, p, 0.1, s, 20);
        turned[0] = -turned[0];
        turned[1] = -turned[1];
        leapfrog(end, turned, p, 0.1, s, 20);
        for (int c = 0; c < 2; ++c) {
            assert_true(fabs(end[c] - y[c]) < 1e-12 && fabs(turned[c] + m[c]) < 1e-12);
        }
        for (int k = 0; k < 6; ++k) {
            sizes[k] = 0.08 / (1 << k);
            double at[2] = {y[0], y[1]}, momentum[2] = {m[0], m[1]};
            leapfrog(at, momentum, p, sizes[k], s, 10 << k);
            errors[k] += fabs(hamiltonian(at, momentum, p, s) - hamiltonian(y, m, p, s));
        }
    }
    const double order = log_log_slope(sizes, errors, 6);
    assert_true(order > 1.95 && order < 2.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_is_what_the_formulas_say),
        cmocka_unit_test(langevin_acceptance_balances),
        cmocka_unit_test(trajectories_are_reversible_and_keep_energy),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
