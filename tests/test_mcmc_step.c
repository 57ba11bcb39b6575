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

/* S = (a 0; b c): a scale where b is 0. */
typedef struct triangle {
    double a, b, c;
} triangle;

static void times(const triangle *s, const double *x, double *out) {
    out[0] = s->a * x[0];
    out[1] = s->b * x[0] + s->c * x[1];
}

/* S^-1 x */
static void divided(const triangle *s, const double *x, double *out) {
    out[0] = x[0] / s->a;
    out[1] = (x[1] - s->b * out[0]) / s->c;
}

/* S S^T x */
static void covariance_times(const triangle *s, const double *x, double *out) {
    out[0] = s->a * s->a * x[0] + s->a * s->b * x[1];
    out[1] = s->a * s->b * x[0] + (s->b * s->b + s->c * s->c) * x[1];
}

static void langevin_mean(const double *from, const target *p, double h, const triangle *s,
                          double *mean) {
    double g[2], drift[2];
    target_grad(from, p, g);
    covariance_times(s, g, drift);
    mean[0] = from[0] + h * drift[0];
    mean[1] = from[1] + h * drift[1];
}

/* log of the normal density of a Langevin proposal, covariance 2 h S S^T, with its constant. */
static double langevin_density(const double *to, const double *from, const target *p, double h,
                               const triangle *s) {
    double mean[2], z[2];
    langevin_mean(from, p, h, s, mean);
    const double apart[] = {to[0] - mean[0], to[1] - mean[1]};
    divided(s, apart, z);
    return -(z[0] * z[0] + z[1] * z[1]) / (4 * h) -
           log(6.283185307179586 * 2 * h * fabs(s->a * s->c));
}

/* Leapfrog steps in place: positions y, momenta m, inverse mass S S^T. */
static void leapfrog(double *y, double *m, const target *p, double h, const triangle *s,
                     int steps) {
    double g[2], velocity[2];
    for (int l = 0; l < steps; ++l) {
        target_grad(y, p, g);
        m[0] += h / 2 * g[0];
        m[1] += h / 2 * g[1];
        covariance_times(s, m, velocity);
        y[0] += h * velocity[0];
        y[1] += h * velocity[1];
        target_grad(y, p, g);
        m[0] += h / 2 * g[0];
        m[1] += h / 2 * g[1];
    }
}

static double hamiltonian(const double *y, const double *m, const target *p, const triangle *s) {
    double velocity[2];
    covariance_times(s, m, velocity);
    return (m[0] * velocity[0] + m[1] * velocity[1]) / 2 - target_logp(y, p);
}

static proposal propose(gm_mcmc_method method, const double *y, const double *z, const target *p,
                        double h, const triangle *s, int leapfrogs) {
    proposal to = {{y[0], y[1]}, 0};
    /* The momentum S^-T z. */
    double mean[2], jump[2], m[2] = {0, z[1] / s->c};
    m[0] = (z[0] - s->b * m[1]) / s->a;
    langevin_mean(y, p, h, s, mean);
    times(s, z, jump);
    switch (method) {
    case GM_MCMC_RWM:
        for (int c = 0; c < 2; ++c) {
            to.y[c] += h * jump[c];
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
            to.y[c] = mean[c] + sqrt(2 * h) * jump[c];
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
    const double p[] = {0.6, 0.5};
    const float scale[] = {0.9F, -1.3F}, below = 0.7F;
    double start[2 * STATES];
    for (int i = 0; i < STATES; ++i) {
        start[i] = (double)(float)(-2 + 4.0 * (i % GRID) / (GRID - 1));
        start[STATES + i] = (double)(float)(-1.5 + 4.0 * (double)(i / GRID) / (GRID - 1));
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4 * COUNT(rows); ++k) {
            const int row = k / 4;
            const bool dense = k / 2 % 2 == 1;
            const gm_dtype dtype = precisions[k % 2];
            const double h = dtype == GM_F64 ? rows[row].h : (double)(float)rows[row].h;
            /* Each other row without a temperature. */
            const double beta = row % 2 == 0 ? 1 : 0.625;
            const target seen = {{(double)(float)p[0], p[1]}, beta};
            const double s_seen[] = {(double)scale[0], (double)scale[1]};
            const triangle seen_scale = {s_seen[0], dense ? (double)below : 0, s_seen[1]};
            const double factor[] = {s_seen[0], (double)NAN, (double)below, s_seen[1]};
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
                               .scale = dense ? NULL : s_seen,
                               .factor = dense ? factor : NULL,
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
                const proposal to = propose(rows[row].method, y, z, &seen, h, &seen_scale, length);
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
    const triangle scales[] = {{0.9, 0, 1.3}, {0.9, -0.6, 1.3}};
    const double h = 0.12;
    for (int i = 0; i < STATES; ++i) {
        for (int j = 0; j < i; j += 5) {
            const double a[] = {-2 + 0.25 * (i % GRID), -1.5 + 0.25 * (double)(i / GRID)};
            const double b[] = {-2 + 0.25 * (j % GRID), -1.5 + 0.25 * (double)(j / GRID)};
            const triangle *s = &scales[(i + j) % 2];
            double mean[2], z[2], apart[2];
            langevin_mean(a, p, h, s, mean);
            for (int c = 0; c < 2; ++c) {
                apart[c] = (b[c] - mean[c]) / sqrt(2 * h);
            }
            divided(s, apart, z);
            const proposal there = propose(GM_MCMC_MALA, a, z, p, h, s, 1);
            langevin_mean(b, p, h, s, mean);
            for (int c = 0; c < 2; ++c) {
                apart[c] = (a[c] - mean[c]) / sqrt(2 * h);
            }
            divided(s, apart, z);
            const proposal back = propose(GM_MCMC_MALA, b, z, p, h, s, 1);
            const double forward =
                target_logp(a, p) + langevin_density(b, a, p, h, s) + fmin(0, there.log_ratio);
            const double reverse =
                target_logp(b, p) + langevin_density(a, b, p, h, s) + fmin(0, back.log_ratio);
            assert_true(fabs(forward - reverse) <= 1e-12 * (1 + fabs(forward)));
        }
    }
}

/*
 * The same of HMC, from each state of the grid with some momentum: the end with its momentum turned
 * around has the opposite log ratio, and leads back; and the map keeps volume, its Jacobian by
 * central differences has determinant 1. With exp(-H) min(1, exp(H - H')) symmetric that is
 * detailed balance of the step that draws the momentum from its normal law.
 */
static void hamiltonian_acceptance_balances(void **state) {
    (void)state;
    const target tempered = {{0.6, 0.5}, 0.7}, *p = &tempered;
    const triangle s = {0.9, -0.6, 1.3};
    const double h = 0.15, d = 1e-5;
    enum { LENGTH = 5 };
    uint64_t random = 31;
    for (int i = 0; i < STATES; ++i) {
        const double start[] = {-2 + 0.25 * (i % GRID), -1.5 + 0.25 * (double)(i / GRID),
                                random_between(&random, -2, 2), random_between(&random, -2, 2)};
        double end[4], jacobian[4][4], determinant = 1;
        memcpy(end, start, sizeof end);
        leapfrog(end, end + 2, p, h, &s, LENGTH);
        const double there =
            hamiltonian(start, start + 2, p, &s) - hamiltonian(end, end + 2, p, &s);
        double back[] = {end[0], end[1], -end[2], -end[3]};
        const double turned = hamiltonian(back, back + 2, p, &s);
        leapfrog(back, back + 2, p, h, &s, LENGTH);
        assert_true(fabs(turned - hamiltonian(back, back + 2, p, &s) + there) <
                    1e-11 * (1 + fabs(turned)));
        assert_true(fabs(back[0] - start[0]) < 1e-11 && fabs(back[1] - start[1]) < 1e-11);
        for (int c = 0; c < 4; ++c) {
            double above[4], below[4];
            memcpy(above, start, sizeof above);
            memcpy(below, start, sizeof below);
            above[c] += d;
            below[c] -= d;
            leapfrog(above, above + 2, p, h, &s, LENGTH);
            leapfrog(below, below + 2, p, h, &s, LENGTH);
            for (int r = 0; r < 4; ++r) {
                jacobian[r][c] = (above[r] - below[r]) / (2 * d);
            }
        }
        for (int c = 0; c < 4; ++c) { /* elimination with pivoting by rows */
            int pivot = c;
            for (int r = c + 1; r < 4; ++r) {
                pivot = fabs(jacobian[r][c]) > fabs(jacobian[pivot][c]) ? r : pivot;
            }
            determinant *= (pivot == c ? 1 : -1) * jacobian[pivot][c];
            for (int k = 0; k < 4; ++k) {
                const double swap = jacobian[c][k];
                jacobian[c][k] = jacobian[pivot][k];
                jacobian[pivot][k] = swap;
            }
            for (int r = c + 1; r < 4; ++r) {
                const double part = jacobian[r][c] / jacobian[c][c];
                for (int k = c; k < 4; ++k) {
                    jacobian[r][k] -= part * jacobian[c][k];
                }
            }
        }
        assert_true(fabs(determinant - 1) < 1e-4); /* d^2 third derivatives, rounding / d */
    }
}

/* The trajectory that the library's steps were found to follow: back with the momentum turned
 * around it returns, and its energy is kept to second order. */
static void trajectories_are_reversible_and_keep_energy(void **state) {
    (void)state;
    const target tempered = {{0.6, 0.5}, 1.7}, *p = &tempered;
    const triangle dense = {0.9, -0.6, 1.3}, *s = &dense;
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

/*
 * A step of COMPONENT, update by update from its noise: coordinates in their order or as drawn,
 * both updated or one twice; with a target the scales after three steps too. Coordinates are drawn
 * evenly: 20000 draws of 5 within 5.5 standard deviations.
 */
static void components_are_updated_one_by_one(void **state) {
    (void)state;
    enum { STEPS = 3 };
    const double p[] = {(double)0.6F, 0.5}, scale[] = {0.875, -1.25}, h = 0.75, beta = 0.625;
    const double aim = 0.375;
    double start[2 * STATES];
    for (int i = 0; i < STATES; ++i) {
        start[i] = (double)(float)(-2 + 4.0 * (i % GRID) / (GRID - 1));
        start[STATES + i] = (double)(float)(-1.5 + 4.0 * (double)(i / GRID) / (GRID - 1));
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 8; ++k) {
            const chains in = {.density = gm_density_builtin("banana"),
                               .options = {.dtype = precisions[k % 2],
                                           .method = GM_MCMC_COMPONENT,
                                           .steps = STEPS,
                                           .jitter = k / 2 % 2,
                                           .target = k < 4 ? 0 : aim,
                                           .seed = 0x123456789abcdefu,
                                           .first_index = UINT64_MAX - 100},
                               .n = STATES,
                               .first_step = 5000000000,
                               .state = start,
                               .params = p,
                               .step = &h,
                               .scale = scale,
                               .beta = &beta,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            int apart = 0, accepted = 0;
            for (int i = 0; i < STATES; ++i) {
                double y[] = {start[i], start[STATES + i]}, size[] = {scale[0], scale[1]};
                int yes = 0;
                for (int64_t t = 0; t < STEPS; ++t) {
                    const int64_t step = in.first_step + t;
                    for (int u = 0; u < 2; ++u) {
                        const int c = gm_chain_coordinate(in.options.seed, step, u, 2, k / 2 % 2);
                        double to[] = {y[0], y[1]};
                        to[c] += h * size[c] * chain_normal(&in.options, 2, (uint64_t)i, step, u);
                        const double ratio = beta * (banana_logp(to, p) - banana_logp(y, p));
                        if (ratio >= -chain_patience(&in.options, (uint64_t)i, 2 * step + u)) {
                            y[c] = to[c];
                            ++yes;
                        }
                        if (k >= 4) {
                            size[c] *=
                                exp(2 * (exp(fmin(0, ratio)) - aim) / pow((double)t + 1, 0.75));
                        }
                    }
                }
                const double tolerance = k % 2 == 0 ? 1e-12 : 2e-4;
                bool same = out.accepted[i] == yes && out.status[i] == GM_STATUS_OK;
                for (int c = 0; c < 2; ++c) {
                    same = same && fabs(out.state[c * STATES + i] - y[c]) <= tolerance * 10;
                    same = same && (k < 4 || fabs(out.scale[c * STATES + i] - size[c]) <=
                                                 tolerance * fabs(size[c]));
                }
                same = same && fabs(out.logp[i] - banana_logp(y, p)) <=
                                   tolerance * 10 * (1 + fabs(banana_logp(y, p)));
                apart += !same;
                accepted += yes;
            }
            if (apart > k % 2) { /* a float decision within rounding of its noise */
                fail_msg("%s: %d chains are elsewhere, case %d", s->name, apart, k);
            }
            assert_true(accepted > STATES && accepted < 5 * STATES);
            free_chains(&out);
        }
    }
    int counts[5] = {0};
    for (int64_t step = 0; step < 4000; ++step) {
        for (int u = 0; u < 5; ++u) {
            assert_int_equal(gm_chain_coordinate(3, step, u, 5, 0), u);
            ++counts[gm_chain_coordinate(3, step, u, 5, 1)];
        }
    }
    for (int c = 0; c < 5; ++c) {
        assert_true(abs(counts[c] - 4000) < 5.5 * sqrt(20000 * 0.2 * 0.8));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_is_what_the_formulas_say),
        cmocka_unit_test(langevin_acceptance_balances),
        cmocka_unit_test(hamiltonian_acceptance_balances),
        cmocka_unit_test(components_are_updated_one_by_one),
        cmocka_unit_test(trajectories_are_reversible_and_keep_energy),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
