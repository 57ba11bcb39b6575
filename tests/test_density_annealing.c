/*
 * gm_density_annealing_*: a replay step by step on every subject, cuts to the bit, exact ratios of
 * normalisers by closed forms and quadrature, either way; the exact variance of log w; chains that
 * do not move.
 *
 * Statistical comparisons are over independent chains: |z| > 5.2 has probability 2e-7 for a normal
 * mean, and there are 26 of them, on each of at most 4 subjects; the fixed seeds have none.
 */
#include "tests/density_annealing_fixture.h"

#include <genmath/philox.h>
#include <genmath/tempering.h>

#define Z_BOUND 5.2

/* ---- a replay -------------------------------------------------------------------------------- */

/* Parameter k of a chain at step t, as the chain has it. */
static double param_of(const annealed *a, int64_t chain, int32_t k, int64_t t) {
    double value = a->params == NULL ? 0 : a->params[a->shared ? k : k * a->n + chain];
    for (int32_t i = 0; i < a->moving; ++i) {
        value = a->which[i] == k ? a->values[t * a->moving + i] : value;
    }
    return a->options.dtype == GM_F32 ? (double)(float)value : value;
}

static double host_logp(const annealed *a, int64_t chain, int64_t t) {
    double y[2], p[3], value;
    for (int i = 0; i < a->density->dim; ++i) {
        y[i] = a->state[i * a->n + chain];
    }
    for (int i = 0; i < 3; ++i) {
        p[i] = param_of(a, chain, i, t);
    }
    a->density->log_density_f64(0, y, p, &value);
    return value;
}

/* One step of the schedule by gm_mcmc_run. */
static void replay_step(const subject *s, annealed *a, int64_t t) {
    double params[3 * CHAINS], beta[1] = {a->beta != NULL ? a->beta[t] : 1};
    double step[CHAINS], scale[2 * CHAINS], betas[CHAINS];
    for (int64_t i = 0; i < 3 * CHAINS; ++i) {
        params[i] = param_of(a, i % CHAINS, (int32_t)(i / CHAINS), t);
        step[i % CHAINS] = a->step[t];
        betas[i % CHAINS] = beta[0];
        scale[i % (2 * CHAINS)] = a->scale != NULL ? a->scale[i % (2 * CHAINS) / CHAINS] : 1;
    }
    const chains in = {.density = a->density,
                       .options = a->options,
                       .n = CHAINS,
                       .first_step = t * a->options.steps,
                       .state = a->state,
                       .params = params,
                       .step = step,
                       .scale = a->scale != NULL ? scale : NULL,
                       .beta = a->beta != NULL ? betas : NULL};
    chains_result r = run_chains(s, &in);
    memcpy(a->state, r.state, (size_t)(CHAINS * a->density->dim) * sizeof *a->state);
    memcpy(a->accepted + t * CHAINS, r.accepted, CHAINS * sizeof *a->accepted);
    free_chains(&r);
}

/* What must hold before step t: weights of the states as they are, the best of them. */
static void replay_weights(annealed *b, double *size, int64_t t) {
    for (int64_t i = 0; i < CHAINS; ++i) {
        const double now = host_logp(b, i, t > 0 ? t - 1 : 0);
        const double ahead = t < STEPS ? host_logp(b, i, t) : 0;
        b->log_weight[i] = t == 0 ? 0 : b->log_weight[i];
        if (t > 0 && t < STEPS) {
            const double to = (b->beta != NULL ? b->beta[t] : 1) * ahead,
                         from = (b->beta != NULL ? b->beta[t - 1] : 1) * now;
            b->log_weight[i] += to - from;
            size[i] += fabs(to) + fabs(from);
        }
        if (b->moving == 0 && (t == 0 || now > b->best_logp[i])) {
            b->best_logp[i] = now;
            for (int d = 0; d < b->density->dim; ++d) {
                b->best[d * CHAINS + i] = b->state[d * CHAINS + i];
            }
        }
    }
}

/* States to the bit, weights to some 20 roundings of the log densities that they are made of: each
 * has a dozen operations, of parameters rounded to the precision. */
static void a_run_is_weights_and_steps(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int kind = 0; kind < KINDS; ++kind) {
            for (int f = 0; f < 2; ++f) {
                annealed a = replayed(kind, precisions[f]), b = replayed(kind, precisions[f]);
                double size[CHAINS] = {0};
                a.turned = kind % 2 == 1;
                anneal(s, &a);
                for (int64_t t = 0; t <= STEPS; ++t) {
                    replay_weights(&b, size, t);
                    if (t < STEPS) {
                        replay_step(s, &b, t);
                    }
                }
                assert_memory_equal(a.state, b.state,
                                    (size_t)(CHAINS * a.density->dim) * sizeof *a.state);
                assert_memory_equal(a.accepted, b.accepted, CHAINS * STEPS * sizeof *a.accepted);
                for (int i = 0; i < CHAINS; ++i) {
                    ASSERT_NEAR(s, a.log_weight[i], b.log_weight[i],
                                20 * unit_of(precisions[f]) * size[i]);
                    assert_int_equal(a.status[i], GM_STATUS_OK);
                    if (a.moving == 0) {
                        ASSERT_NEAR(s, a.best_logp[i], b.best_logp[i],
                                    20 * unit_of(precisions[f]) * (1 + fabs(b.best_logp[i])));
                        assert_true(fabs(a.best[i] - b.best[i]) <= 1e-3); /* a tie may differ */
                    }
                }
                free_annealed(&a);
                free_annealed(&b);
            }
        }
    }
}

/* Cut after some steps and between chains; laid out otherwise; with nothing else wanted. */
static void cuts_agree_to_the_bit(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int kind = 0; kind < KINDS; ++kind) {
            const gm_dtype dtype = precisions[kind % 2];
            annealed whole = replayed(kind, dtype), turned = replayed(kind, dtype);
            turned.turned = true;
            turned.no_status = true;
            anneal(s, &whole);
            anneal(s, &turned);
            memcpy(turned.status, whole.status, CHAINS * sizeof *whole.status); /* not wanted */
            assert_int_equal(different_chains(&whole, 0, &turned), 0);
            if (kind != 1) {
                const annealed start = replayed(kind, dtype);
                for (int64_t c = 0; c < CHAINS; c += 50) {
                    annealed part = part_of(&start, c, c == 0 ? 50 : CHAINS - 50);
                    static const int64_t cuts[] = {0, 3, 3, 4, STEPS};
                    for (int k = 0; k + 1 < COUNT(cuts); ++k) {
                        part.first = cuts[k];
                        part.count = cuts[k + 1] - cuts[k];
                        anneal(s, &part);
                    }
                    assert_int_equal(different_chains(&whole, c, &part), 0);
                    free_annealed(&part);
                }
                annealed rest = start;
                free_annealed(&rest);
            } else { /* the same parameters for all chains, in a column of each */
                double same[3 * CHAINS];
                for (int i = 0; i < 3 * CHAINS; ++i) {
                    same[i] = whole.params[i / CHAINS * CHAINS];
                }
                annealed own = replayed(kind, dtype), one = replayed(kind, dtype);
                const double column[] = {same[0], same[CHAINS], same[2 * CHAINS]};
                own.params = same;
                one.params = column;
                one.shared = true;
                anneal(s, &own);
                anneal(s, &one);
                assert_int_equal(different_chains(&own, 0, &one), 0);
                free_annealed(&own);
                free_annealed(&one);
            }
            free_annealed(&whole);
            free_annealed(&turned);
        }
    }
}

/* ---- normalisers ----------------------------------------------------------------------------- */

static double variance_of(const double *x, int64_t n, double *mean) {
    double square = 0;
    *mean = 0;
    for (int64_t i = 0; i < n; ++i) {
        *mean += x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += (x[i] - *mean) * (x[i] - *mean);
    }
    return square / (double)(n - 1);
}

/* The mean of w is e^exact; returns the mean of log w. */
static double check_ratio(const subject *s, const char *what, const annealed *a, double exact) {
    double *w = malloc((size_t)a->n * sizeof *w), mean;
    assert_non_null(w);
    for (int64_t i = 0; i < a->n; ++i) {
        w[i] = exp(a->log_weight[i] - exact);
    }
    const double spread = variance_of(w, a->n, &mean);
    const double z = (mean - 1) / sqrt(spread / (double)a->n);
    free(w);
    if (!(fabs(z) < Z_BOUND)) {
        fail_msg("%s, %s: z = %.2f", s->name, what, z);
    }
    gm_log_weights m;
    ASSERT_OK(NULL, gm_log_weights_mean(a->n, a->log_weight, &m));
    return m.mean_log;
}

static void reverse(double *x, int64_t n) {
    for (int64_t i = 0; i < n / 2; ++i) {
        const double kept = x[i];
        x[i] = x[n - 1 - i];
        x[n - 1 - i] = kept;
    }
}

/* N(0, 1) to N(m, s^2), Z_1 / Z_0 = s, and back. */
static void normals_have_their_ratio(void **state) {
    (void)state;
    enum { STAGES = 41 };
    static const struct {
        double m, s;
        gm_mcmc_method method;
        gm_dtype dtype;
        double step;
    } cases[] = {{2, 0.5, GM_MCMC_RWM, GM_F64, 1.2},
                 {-1.5, 2, GM_MCMC_HMC, GM_F32, 0.4},
                 {1, 0.3, GM_MCMC_MALA, GM_F64, 0.1}};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(cases); ++k) {
            double path[STAGES], step[STAGES], bound[2];
            const double params[] = {9, cases[k].m, cases[k].s}, exact = log(cases[k].s);
            ASSERT_OK(NULL, gm_ladder_linear(STAGES, 0, 1, path));
            for (int t = 0; t < STAGES; ++t) {
                step[t] = cases[k].step;
            }
            for (int back = 0; back < 2; ++back) {
                annealed a = make_annealed(&bridge, s->is_slow ? 300 : 4000, STAGES);
                a.options = (gm_mcmc_options){.dtype = cases[k].dtype,
                                              .method = cases[k].method,
                                              .steps = 2,
                                              .leapfrogs = cases[k].method == GM_MCMC_HMC ? 3 : 0,
                                              .seed = 40 + (uint64_t)k};
                a.shared = true;
                a.params = params;
                a.moving = 1;
                a.which = first_moves;
                a.values = path;
                a.step = step;
                draw_normals(&a, 8 + (uint64_t)back, back == 0 ? 0 : cases[k].m,
                             back == 0 ? 1 : cases[k].s);
                anneal(s, &a);
                const double mean_log = check_ratio(s, "normal", &a, back == 0 ? exact : -exact);
                bound[back] = back == 0 ? mean_log : -mean_log;
                reverse(path, STAGES);
                free_annealed(&a);
            }
            /* Half the variance of log w, 0.05 or more here, is how far a bound is off: over 5.2 of
             * its standard errors. */
            assert_true(bound[0] < exact && exact < bound[1]);
        }
    }
}

/* Of the double well, and the mean of its first coordinate: the second is integrated by hand, the
 * first by the rule of trapezia, whose error is far below 1e-10. */
static double wells_ratio(double height, double tilt, double *mean) {
    double sum = 0, moment = 0;
    for (int i = 0; i <= 4000; ++i) {
        const double x = -5 + 10.0 * i / 4000, w = x * x - 1;
        sum += exp(tilt * x - height * w * w) * 10 / 4000;
        moment += x * exp(tilt * x - height * w * w) * 10 / 4000;
    }
    *mean = moment / sum;
    return sum * sqrt(acos(-1) / 2) / (2 * acos(-1)); /* of d: sqrt(pi / 2); of N(0, I): 2 pi */
}

static void wells_have_their_ratio(void **state) {
    (void)state;
    enum { STAGES = 61 };
    static const int32_t second_moves[] = {1};
    double path[STAGES], step[STAGES];
    static const double params[] = {3, -1, 0.4};
    ASSERT_OK(NULL, gm_ladder_linear(STAGES, 0, 1, path));
    for (int t = 0; t < STAGES; ++t) {
        step[t] = 0.6;
    }
    FOR_EACH_SUBJECT(s) {
        annealed a = make_annealed(&to_wells, s->is_slow ? 300 : 4000, STAGES);
        a.options.method = GM_MCMC_COMPONENT;
        a.shared = true;
        a.params = params;
        a.moving = 1;
        a.which = second_moves;
        a.values = path;
        a.step = step;
        draw_normals(&a, 21, 0, 1);
        anneal(s, &a);
        double exact, x = 0, square = 0;
        check_ratio(s, "wells", &a, log(wells_ratio(params[0], params[2], &exact)));
        for (int64_t i = 0; i < a.n; ++i) { /* the weighted states have the law f_T */
            const double w = exp(a.log_weight[i]);
            x += w * (a.state[i] - exact);
            square += w * w * (a.state[i] - exact) * (a.state[i] - exact);
        }
        assert_true(fabs(x) < Z_BOUND * sqrt(square));
        free_annealed(&a);
    }
}

/* p^beta of a normal: Z_b is proportional to b^(-1/2), with the best point at the mean. */
static void powers_have_their_ratio(void **state) {
    (void)state;
    enum { STAGES = 31 };
    double beta[STAGES], step[STAGES];
    static const double params[] = {3, 2};
    ASSERT_OK(NULL, gm_ladder_geometric(STAGES, 0.25, 9, beta));
    for (int t = 0; t < STAGES; ++t) {
        step[t] = 3 / sqrt(beta[t]);
    }
    FOR_EACH_SUBJECT(s) {
        for (int back = 0; back < 2; ++back) {
            annealed a =
                make_annealed(gm_density_builtin("normal"), s->is_slow ? 300 : 4000, STAGES);
            a.shared = true;
            a.options.dtype = precisions[back];
            a.params = params;
            a.beta = beta;
            a.step = step;
            draw_normals(&a, 30, 3, 2 / sqrt(beta[0]));
            anneal(s, &a);
            check_ratio(s, "power", &a, (back == 0 ? -0.5 : 0.5) * log(36));
            for (int64_t i = 0; i < a.n; ++i) {
                const double z = (a.best[i] - 3) / 2;
                assert_true(fabs(a.best_logp[i] + z * z / 2) <=
                            8 * unit_of(a.options.dtype) * (1 + z * z));
                assert_true(fabs(z) <= fabs(a.state[i] - 3) / 2 + 1e-6);
            }
            reverse(beta, STAGES);
            reverse(step, STAGES);
            free_annealed(&a);
        }
    }
}

/*
 * The mean of N(0, 1) is moved by m in T steps, between which HMC goes a quarter of a period: a
 * leapfrog of size h = 2 sin(pi / 64) on a harmonic force turns by pi / 32, 16 of them forget where
 * they started. Then log w is a sum of T independent normals, of mean -d^2 / 2 and variance d^2, d
 * = m / T: normal with variance m^2 / T, up to the leapfrog's h^2 / 4 = 0.24 %.
 */
static void log_weights_have_their_variance(void **state) {
    (void)state;
    enum { MOST = 33, N = 20000 };
    const subject *s = &subjects[0];
    FOR_EACH_SUBJECT(other) {
        s = other->is_kernel ? s : other; /* the widest vectors */
    }
    double centre[MOST], step[MOST];
    static const double sd[] = {0, 1};
    const double m = 4;
    for (int t = 0; t < MOST; ++t) {
        step[t] = 2 * sin(acos(-1) / 64);
    }
    for (int doubled = 8; doubled < MOST; doubled *= 2) {
        ASSERT_OK(NULL, gm_ladder_linear(doubled + 1, 0, m, centre));
        annealed a = make_annealed(gm_density_builtin("normal"), N, doubled + 1);
        a.options.method = GM_MCMC_HMC;
        a.options.leapfrogs = 16;
        a.options.seed = (uint64_t)doubled;
        a.shared = true;
        a.params = sd;
        a.moving = 1;
        a.which = first_moves;
        a.values = centre;
        a.step = step;
        draw_normals(&a, 77, 0, 1);
        anneal(s, &a);
        const double exact = m * m / doubled;
        double mean;
        const double variance = variance_of(a.log_weight, N, &mean);
        assert_true(fabs(mean + exact / 2) < Z_BOUND * sqrt(exact / N) + 0.005 * exact);
        assert_true(fabs(variance / exact - 1) < Z_BOUND * sqrt(2.0 / N) + 0.005);
        free_annealed(&a);
    }
}

/* Chains that stay where they are have log w = log f_T(x) - log f_0(x), however many steps; with
 * two that is plain importance sampling; with one nothing. */
static void chains_at_rest_are_importance_samples(void **state) {
    (void)state;
    enum { N = 65 };
    static const double path[] = {0, 0.7, 0.2, 1}, beta[] = {0.5, 1.5, 0.25, 3},
                        step[] = {1e-30, 1e-30, 1e-30, 1e-30}, params[] = {0, 1, 0.5};
    static const int64_t lengths[] = {1, 2, 4};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(lengths); ++k) {
            for (int f = 0; f < 2; ++f) {
                const int64_t last = lengths[k] - 1;
                const double values[] = {path[0], k == 1 ? 1 : path[1], path[2], path[3]};
                annealed a = make_annealed(&bridge, N, lengths[k]);
                a.options.dtype = precisions[f];
                a.shared = true;
                a.params = params;
                a.moving = 1;
                a.which = first_moves;
                a.values = values;
                a.beta = k == 1 ? NULL : beta;
                a.step = step;
                draw_normals(&a, 4, 0, 1);
                anneal(s, &a);
                for (int i = 0; i < N; ++i) {
                    const double x = a.state[i], u = (x - 1) / 0.5;
                    const double b0 = k == 1 ? 1 : beta[0], b1 = k == 1 ? 1 : beta[last];
                    const double exact = last == 0 ? 0 : b1 * -u * u / 2 + b0 * x * x / 2;
                    assert_true(x ==
                                (double)(float)gm_normal_f64(4, (uint64_t)i, GM_STREAM_USER, 0));
                    /* 4 terms, each of a log density of a dozen operations. */
                    ASSERT_NEAR(s, a.log_weight[i], exact,
                                48 * unit_of(precisions[f]) * 3 * (1 + u * u + x * x));
                    assert_true(last > 0 || a.log_weight[i] == 0);
                    assert_true(!s->is_reference || f == 1 || k != 1 ||
                                a.log_weight[i] == host_logp(&a, i, 1) - host_logp(&a, i, 0));
                }
                free_annealed(&a);
            }
        }
    }
}

/* The normal prior of a mean, and rows of unit variance about it, which p[0] brings in. */
GM_DENSITY_DATA(
    mean_of_rows, 1, 1, 1, { logp[0] = -y[0] * y[0] / 2; }, { grad[0] = -y[0]; },
    { logp[0] = -p[0] * (d[0] - y[0]) * (d[0] - y[0]) / 2; }, { grad[0] = p[0] * (d[0] - y[0]); })

/* The evidence of n rows d: exp(-(sum d^2 - (sum d)^2 / (n + 1)) / 2) / sqrt(n + 1). */
static void data_have_their_evidence(void **state) {
    (void)state;
    enum { STAGES = 21, OBSERVED = 12 };
    double path[STAGES], step[STAGES], data[OBSERVED], sum = 0, square = 0;
    ASSERT_OK(NULL, gm_ladder_linear(STAGES, 0, 1, path));
    for (int t = 0; t < STAGES; ++t) {
        step[t] = 1.5 / sqrt(1 + OBSERVED * path[t]);
    }
    for (int r = 0; r < OBSERVED; ++r) {
        data[r] = (r * 7 % OBSERVED) / 4.0 - 1;
        sum += data[r];
        square += data[r] * data[r];
    }
    const double exact = -(square - sum * sum / (OBSERVED + 1)) / 2 - log(OBSERVED + 1) / 2;
    FOR_EACH_SUBJECT(s) {
        annealed a = make_annealed(&mean_of_rows, s->is_slow ? 300 : 4000, STAGES);
        a.options.steps = 2;
        a.rows = OBSERVED;
        a.data = data;
        a.moving = 1;
        a.which = first_moves;
        a.values = path;
        a.step = step;
        draw_normals(&a, 19, 0, 1);
        anneal(s, &a);
        check_ratio(s, "evidence", &a, exact);
        free_annealed(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_weights_and_steps),
        cmocka_unit_test(cuts_agree_to_the_bit),
        cmocka_unit_test(normals_have_their_ratio),
        cmocka_unit_test(wells_have_their_ratio),
        cmocka_unit_test(powers_have_their_ratio),
        cmocka_unit_test(log_weights_have_their_variance),
        cmocka_unit_test(chains_at_rest_are_importance_samples),
        cmocka_unit_test(data_have_their_evidence),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
