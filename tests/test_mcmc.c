/*
 * gm_mcmc_run: failures of single chains, reductions, and what results may not depend on. Steps are
 * in test_mcmc_step.c, laws in test_mcmc_exact.c, wrong arguments in test_mcmc_errors.c.
 */
#include "tests/mcmc_fixture.h"

/* y > 0, rate p[0]; the logarithm makes a NaN of the rest. */
GM_DENSITY(
    half_line, 1, 1, { logp[0] = gm_log(y[0]) - p[0] * y[0]; }, { grad[0] = 1 / y[0] - p[0]; })

/* Steep: a Langevin step from far off goes farther. */
GM_DENSITY(
    quartic, 2, 0, { logp[0] = -y[0] * y[0] * y[0] * y[0] - y[1] * y[1]; },
    {
        grad[0] = -4 * y[0] * y[0] * y[0];
        grad[1] = -2 * y[1];
    })

/* Five coordinates, so that no block of noise is filled. */
GM_DENSITY(
    wavy, 5, 2,
    {
        logp[0] = 0;
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            logp[0] += p[1] * gm_sin(p[0] * y[c]) - (real)0.5 * y[c] * y[c];
        }
    },
    {
        GM_UNROLL for (int c = 0; c < 5; ++c) {
            grad[c] = p[1] * p[0] * gm_cos(p[0] * y[c]) - y[c];
        }
    })

static const struct {
    gm_mcmc_method method;
    double h;
    int32_t leapfrogs, jitter;
} methods[] = {{GM_MCMC_RWM, 0.5, 0, 0},      {GM_MCMC_ULA, 0.1, 0, 0},
               {GM_MCMC_MALA, 0.15, 0, 0},    {GM_MCMC_HMC, 0.2, 5, 0},
               {GM_MCMC_HMC, 0.2, 8, 1},      {GM_MCMC_COMPONENT, 0.9, 0, 0},
               {GM_MCMC_COMPONENT, 1.1, 0, 1}};

/* ---- chains that fail ------------------------------------------------------------------------ */

/* Of 70 chains each seventh starts where it cannot, in one of six ways; the others are as without
 * them, to the bit. */
static void a_chain_that_cannot_start_is_alone(void **state) {
    (void)state;
    enum { n = 70 };
    double good[n], bad[n], h_good[n], h_bad[n], scale_good[n], scale_bad[n];
    double beta_good[n], beta_bad[n];
    const double p[] = {1.5};
    double rates[n];
    for (int i = 0; i < n; ++i) {
        good[i] = bad[i] = 0.5 + 0.01 * i;
        scale_good[i] = scale_bad[i] = 1;
        beta_good[i] = beta_bad[i] = 0.7;
        rates[i] = p[0];
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2 * COUNT(methods); ++k) {
            const gm_mcmc_method method = methods[k / 2].method;
            for (int i = 0; i < n; ++i) {
                h_good[i] = h_bad[i] = methods[k / 2].h * (method == GM_MCMC_ULA ? 0.01 : 1);
            }
            bad[0] = -1; /* outside of the support */
            bad[7] = INFINITY;
            scale_bad[14] = 0;
            h_bad[21] = -0.1;
            h_bad[28] = NAN;
            bad[35] = NAN;
            scale_bad[42] = INFINITY;
            beta_bad[49] = 0;
            beta_bad[56] = -1;
            beta_bad[63] = INFINITY;
            const chains right = {.density = &half_line,
                                  .options = {.dtype = precisions[k % 2],
                                              .method = method,
                                              .steps = 4,
                                              .thin = 2,
                                              .leapfrogs = methods[k / 2].leapfrogs,
                                              .jitter = methods[k / 2].jitter,
                                              .seed = 3},
                                  .n = n,
                                  .state = good,
                                  .params = rates,
                                  .step = h_good,
                                  .scale = scale_good,
                                  .beta = beta_good};
            chains wrong = right;
            wrong.state = bad;
            wrong.step = h_bad;
            wrong.scale = scale_bad;
            wrong.beta = beta_bad;
            chains_result a = run_chains(s, &right), b = run_chains(s, &wrong);
            for (int i = 0; i < n; ++i) {
                const bool invalid = i == 14 || i == 21 || i == 28 || (i >= 42 && i % 7 == 0);
                const bool outside = i == 7 || i == 35 || (i == 0 && method != GM_MCMC_ULA);
                if (invalid || outside) {
                    assert_int_equal(b.status[i],
                                     invalid ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NON_FINITE);
                    assert_true(isnan(b.draws[i]) && isnan(b.draws[n + i]));
                    assert_true(isnan(b.mean[i]) && isnan(b.variance[i]) && isnan(b.logp[i]));
                    assert_true(isnan(bad[i])
                                    ? isnan(b.state[i])
                                    : b.state[i] == (double)(float)bad[i] || b.state[i] == bad[i]);
                    assert_int_equal(b.accepted[i], 0);
                } else if (i != 0) {
                    assert_int_equal(b.status[i], GM_STATUS_OK);
                    assert_true(a.state[i] == b.state[i] && a.draws[n + i] == b.draws[n + i]);
                    assert_true(a.mean[i] == b.mean[i] && a.accepted[i] == b.accepted[i]);
                    assert_true(a.outside[i] == b.outside[i] && a.logp[i] == b.logp[i]);
                }
            }
            free_chains(&a);
            free_chains(&b);
        }
    }
}

/* Unadjusted steps from far off blow up: such a chain ends at its last finite state. With a
 * decision the same proposals are rejected, and counted. */
static void a_blow_up_ends_one_chain_or_is_rejected(void **state) {
    (void)state;
    enum { n = 67, steps = 30 };
    double start[2 * n];
    for (int i = 0; i < n; ++i) {
        start[i] = i % 5 == 2 ? 30 : 0.1;
        start[n + i] = 0.2;
    }
    const double h = 0.05;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const bool adjusted = k >= 2;
            const chains in = {.density = &quartic,
                               .options = {.dtype = precisions[k % 2],
                                           .method = adjusted ? GM_MCMC_HMC : GM_MCMC_ULA,
                                           .steps = steps,
                                           .thin = 1,
                                           .leapfrogs = adjusted ? 12 : 0,
                                           .seed = 11},
                               .n = n,
                               .state = start,
                               .step = &h,
                               .shared = true};
            chains wide = in;
            const double long_step = 0.5;
            wide.step = adjusted ? &long_step : &h;
            chains_result out = run_chains(s, &wide);
            int failed = 0, rejected = 0;
            for (int i = 0; i < n; ++i) {
                assert_true(isfinite(out.state[i]) && isfinite(out.mean[i]));
                int made = 0;
                while (made < steps && isfinite(out.draws[made * 2 * n + i])) {
                    ++made;
                }
                if (out.status[i] == GM_STATUS_NON_FINITE) {
                    assert_true(made > 0 && made < steps && out.accepted[i] == made);
                    assert_true(out.state[i] == out.draws[(made - 1) * 2 * n + i]);
                    assert_int_equal(out.outside[i], 1);
                } else {
                    assert_int_equal(out.status[i], GM_STATUS_OK);
                    assert_int_equal(made, steps);
                }
                failed += out.status[i] != GM_STATUS_OK;
                rejected += i % 5 == 2 && adjusted ? out.outside[i] == steps : 0;
            }
            assert_int_equal(failed, adjusted ? 0 : (n + 2) / 5);
            assert_int_equal(rejected, adjusted ? (n + 2) / 5 : 0);
            free_chains(&out);
        }
    }
}

/* ---- what results may and may not depend on -------------------------------------------------- */

enum { MANY = 135, DIM = 5 };

static double wavy_start[DIM * MANY], wavy_scale[DIM * MANY], wavy_params[2 * MANY],
    wavy_step[MANY], wavy_beta[MANY], wavy_factor[DIM * DIM * MANY];

/* Case k of CASES: methods, each in both precisions, first with a scale, then with a factor. */
enum { CASES = 4 * COUNT(methods) };

static chains wavy_chains(int k, int64_t steps, int64_t thin) {
    const gm_dtype dtype = precisions[k % 2];
    const int method = k / 2 % COUNT(methods);
    const bool dense = k / 2 >= COUNT(methods) && methods[method].method != GM_MCMC_COMPONENT;
    uint64_t random = 17;
    for (int i = 0; i < DIM * MANY; ++i) {
        wavy_start[i] = random_between(&random, -1, 1);
        wavy_scale[i] = random_between(&random, 0.7, 1.4);
    }
    for (int i = 0; i < DIM * DIM * MANY; ++i) {
        const int row = i / MANY / DIM, column = i / MANY % DIM;
        wavy_factor[i] =
            row == column ? random_between(&random, 0.7, 1.2) : random_between(&random, -0.2, 0.2);
    }
    for (int i = 0; i < MANY; ++i) {
        wavy_params[i] = random_between(&random, 1, 2);
        wavy_params[MANY + i] = random_between(&random, 0.2, 0.8);
        wavy_beta[i] = random_between(&random, 0.6, 1.6);
        wavy_step[i] = methods[method].h * random_between(&random, 0.8, 1.2);
    }
    return (chains){.density = &wavy,
                    .options = {.dtype = dtype,
                                .method = methods[method].method,
                                .steps = steps,
                                .thin = thin,
                                .leapfrogs = methods[method].leapfrogs,
                                .jitter = methods[method].jitter,
                                .seed = 21,
                                .first_index = 1000},
                    .n = MANY,
                    .first_step = 40,
                    .state = wavy_start,
                    .params = wavy_params,
                    .step = wavy_step,
                    .scale = dense ? NULL : wavy_scale,
                    .factor = dense ? wavy_factor : NULL,
                    .beta = wavy_beta};
}

/* Chain i of a against chain j of b, which has n chains: state and counts. */
static void assert_same_chain(const chains_result *a, int64_t i, const chains_result *b, int64_t j,
                              int64_t n) {
    for (int c = 0; c < DIM; ++c) {
        assert_true(a->state[c * MANY + i] == b->state[c * n + j]);
    }
    assert_true(a->accepted[i] == b->accepted[j] && a->outside[i] == b->outside[j]);
    assert_true(a->logp[i] == b->logp[j]);
}

/* Slices of the batch, another layout, in place, one thread: the same bits. */
static void bits_do_not_depend_on_the_batch(void **state) {
    (void)state;
    static const int64_t firsts[] = {0, 1, 64, 130}, counts[] = {1, 66, 71, 5};
    const gm_context_options single = {.backend = GM_BACKEND_CPU, .threads = 1};
    subject one = {.name = "cpu, one thread"};
    ASSERT_OK(NULL, gm_context_create(&single, &one.context));
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < CASES; ++k) {
            chains in = wavy_chains(k, 6, 0);
            chains_result all = run_chains(s, &in);
            in.turned = in.in_place = true;
            chains_result turned = run_chains(s, &in);
            for (int i = 0; i < MANY; ++i) {
                assert_same_chain(&all, i, &turned, i, MANY);
            }
            if (gm_context_backend(s->context) == GM_BACKEND_CPU &&
                s + 1 - subjects == subject_count - 1) { /* the best instructions are the last */
                chains_result alone = run_chains(&one, &in);
                for (int i = 0; i < MANY; ++i) {
                    assert_same_chain(&all, i, &alone, i, MANY);
                }
                free_chains(&alone);
            }
            for (int slice = 0; slice < COUNT(firsts); ++slice) {
                const int64_t first = firsts[slice], n = counts[slice];
                double start[DIM * MANY], scale[DIM * MANY], params[2 * MANY];
                double factor[DIM * DIM * MANY];
                for (int64_t i = 0; i < n; ++i) {
                    for (int c = 0; c < DIM; ++c) {
                        start[c * n + i] = wavy_start[c * MANY + first + i];
                        scale[c * n + i] = wavy_scale[c * MANY + first + i];
                    }
                    for (int c = 0; c < DIM * DIM; ++c) {
                        factor[c * n + i] = wavy_factor[c * MANY + first + i];
                    }
                    params[i] = wavy_params[first + i];
                    params[n + i] = wavy_params[MANY + first + i];
                }
                chains part = wavy_chains(k, 6, 0);
                part.n = n;
                part.options.first_index += (uint64_t)first;
                part.state = start;
                part.scale = part.scale != NULL ? scale : NULL;
                part.factor = part.factor != NULL ? factor : NULL;
                part.params = params;
                part.step = wavy_step + first;
                part.beta = wavy_beta + first;
                chains_result out = run_chains(s, &part);
                for (int64_t i = 0; i < n; ++i) {
                    assert_same_chain(&all, first + i, &out, i, n);
                }
                free_chains(&out);
            }
            free_chains(&all);
            free_chains(&turned);
        }
    }
    gm_context_destroy(one.context);
}

/* Twelve steps are five and seven, from the state alone; draws are the states on the way. */
static void a_run_can_be_cut(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < CASES; ++k) {
            chains in = wavy_chains(k, 12, 1);
            chains_result whole = run_chains(s, &in);
            in.options.steps = 5;
            in.options.thin = 2;
            chains_result head = run_chains(s, &in);
            in.options.steps = 7;
            in.options.thin = 0;
            in.first_step += 5;
            in.state = head.state;
            chains_result tail = run_chains(s, &in);
            for (int64_t i = 0; i < DIM * MANY; ++i) {
                assert_true(whole.state[i] == tail.state[i]);
                assert_true(whole.draws[4 * DIM * MANY + i] == head.state[i]);
                assert_true(whole.draws[3 * DIM * MANY + i] == head.draws[DIM * MANY + i]);
                assert_true(whole.draws[11 * DIM * MANY + i] == whole.state[i]);
            }
            for (int i = 0; i < MANY; ++i) {
                assert_int_equal(whole.accepted[i], head.accepted[i] + tail.accepted[i]);
                assert_true(whole.logp[i] == tail.logp[i]);
            }
            free_chains(&whole);
            free_chains(&head);
            free_chains(&tail);
        }
    }
}

/* Twelve terms: their mean and mean square distance to some ten roundings. */
static void reductions_are_those_of_the_draws(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < CASES; ++k) {
            const chains in = wavy_chains(k, 12, 1);
            chains_result out = run_chains(s, &in);
            const double tolerance = 40 * unit_of(precisions[k % 2]);
            for (int64_t i = 0; i < DIM * MANY; ++i) {
                double mean = 0, square = 0;
                for (int64_t m = 0; m < 12; ++m) {
                    mean += out.draws[m * DIM * MANY + i] / 12;
                }
                for (int64_t m = 0; m < 12; ++m) {
                    const double apart = out.draws[m * DIM * MANY + i] - mean;
                    square += apart * apart / 12;
                }
                ASSERT_NEAR(s, out.mean[i], mean, tolerance * 4);
                ASSERT_NEAR(s, out.variance[i], square, tolerance * 4);
            }
            free_chains(&out);
        }
    }
}

/*
 * Fifteen steps against the reference, which has other formulas in another precision. A float
 * chain may decide otherwise where the ratio is within rounding of the noise: at most one of 135.
 */
static void backends_agree_with_the_reference(void **state) {
    (void)state;
    for (int k = 0; k < CASES; ++k) {
        const gm_dtype dtype = precisions[k % 2];
        const chains in = wavy_chains(k, 15, 0);
        chains_result exact = run_chains(&subjects[0], &in);
        for (const subject *s = subjects + 1; s < subjects + subject_count; ++s) {
            chains_result out = run_chains(s, &in);
            int apart = 0;
            for (int i = 0; i < MANY; ++i) {
                bool same = out.accepted[i] == exact.accepted[i];
                for (int c = 0; c < DIM; ++c) {
                    same = same && fabs(out.state[c * MANY + i] - exact.state[c * MANY + i]) <=
                                       (dtype == GM_F64 ? 1e-11 : 3e-3);
                }
                apart += !same;
            }
            assert_true(apart <= (dtype == GM_F64 ? 0 : 1));
            free_chains(&out);
        }
        free_chains(&exact);
    }
}

/* A factor that is shared, and the same one for each chain; one with a 0 or NaN, alone. */
static void factors_are_shared_or_a_chain_s_own(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 2 * COUNT(methods); k < CASES; ++k) {
            chains in = wavy_chains(k, 6, 0);
            if (in.factor == NULL) {
                continue;
            }
            double shared[DIM * DIM], own[DIM * DIM * MANY], params[2 * MANY];
            for (int c = 0; c < DIM * DIM; ++c) {
                shared[c] = wavy_factor[c * MANY];
                for (int i = 0; i < MANY; ++i) {
                    own[c * MANY + i] = shared[c];
                }
            }
            for (int i = 0; i < 2 * MANY; ++i) {
                params[i] = wavy_params[i / MANY * MANY];
            }
            for (int i = 0; i < MANY; ++i) {
                wavy_step[i] = wavy_step[0];
                wavy_beta[i] = wavy_beta[0];
            }
            const double one[] = {wavy_params[0], wavy_params[MANY]};
            in.params = params;
            in.factor = own;
            chains_result apart = run_chains(s, &in);
            own[(3 * DIM + 3) * MANY + 7] = 0;
            own[(4 * DIM + 1) * MANY + 70] = (double)NAN;
            own[(1 * DIM + 4) * MANY + 8] = (double)NAN; /* above the diagonal */
            chains_result bad = run_chains(s, &in);
            in.params = one;
            in.factor = shared;
            in.shared = true;
            chains_result together = run_chains(s, &in);
            for (int i = 0; i < MANY; ++i) {
                assert_same_chain(&apart, i, &together, i, MANY);
                if (i == 7 || i == 70) {
                    assert_int_equal(bad.status[i], GM_STATUS_INVALID_ARGUMENT);
                    assert_true(bad.state[i] == (double)(float)wavy_start[i]);
                } else {
                    assert_same_chain(&apart, i, &bad, i, MANY);
                }
            }
            free_chains(&apart);
            free_chains(&bad);
            free_chains(&together);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_that_cannot_start_is_alone),
        cmocka_unit_test(a_blow_up_ends_one_chain_or_is_rejected),
        cmocka_unit_test(bits_do_not_depend_on_the_batch),
        cmocka_unit_test(factors_are_shared_or_a_chain_s_own),
        cmocka_unit_test(a_run_can_be_cut),
        cmocka_unit_test(reductions_are_those_of_the_draws),
        cmocka_unit_test(backends_agree_with_the_reference),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
