/*
 * gm_gibbs_run: what results may not depend on, which noise goes where, failures of single chains.
 * Laws are in test_gibbs_exact.c, wrong samplers and arguments in test_gibbs_errors.c.
 */
#include "tests/gibbs_fixture.h"

#include <genmath/detail/gibbs_noise.h>

/* Five coordinates in three blocks, with a sine of any argument, a decision, a gamma step, a normal
 * between bounds, and noise that fills no block of Philox. */
GM_GIBBS(wavy, 5, 2, 3, 3, 5, {
    switch (block) {
    case 0: {
        next[0] = gm_sin(p[0] * y[1]) + (real)0.5 * z[0];
        next[4] = (real)0.3 * y[4] + z[2] + gm_log(u[4]);
        break;
    }
    case 1: {
        const real to = y[1] + z[1];
        const real ratio = (real)0.5 * (y[1] * y[1] - to * to);
        next[1] = gm_log(u[3]) <= ratio ? to : y[1];
        break;
    }
    default: {
        next[2] = gm_normal_between(y[0] - 1, y[0] + p[1], u[0]);
        next[3] = 1 / gm_gamma_step(1 / y[3], p[1] + 2, z[1], u[2]);
    }
    }
})

enum { MANY = 135, DIM = 5, CASES = 4 };
static double wavy_start[DIM * MANY], wavy_params[2 * MANY];

/* Case k: precision k % 2, order k / 2. */
static sweeps wavy_sweeps(int k, int64_t count, int64_t thin) {
    uint64_t random = 17;
    for (int i = 0; i < DIM * MANY; ++i) {
        wavy_start[i] = random_between(&random, i / MANY == 3 ? 0.1 : -1.5, 1.5);
    }
    wavy_start[MANY + 5] = 1e9; /* beyond what a lane's sine knows */
    for (int i = 0; i < MANY; ++i) {
        wavy_params[i] = random_between(&random, 1, 2);
        wavy_params[MANY + i] = random_between(&random, 0.2, 0.8);
    }
    return (sweeps){.gibbs = &wavy,
                    .options = {.dtype = precisions[k % 2],
                                .order = k / 2 == 0 ? GM_GIBBS_SYSTEMATIC : GM_GIBBS_RANDOM,
                                .sweeps = count,
                                .thin = thin,
                                .seed = 21,
                                .first_index = 1000},
                    .n = MANY,
                    .first_sweep = 40,
                    .state = wavy_start,
                    .params = wavy_params};
}

/* Chain i of a against chain j of b, which has n chains. */
static void assert_same_chain(const sweeps_result *a, int64_t i, const sweeps_result *b, int64_t j,
                              int64_t n) {
    for (int c = 0; c < DIM; ++c) {
        assert_true(a->state[c * MANY + i] == b->state[c * n + j]);
        assert_true(a->mean[c * MANY + i] == b->mean[c * n + j]);
        assert_true(a->variance[c * MANY + i] == b->variance[c * n + j]);
    }
    assert_int_equal(a->status[i], b->status[j]);
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
            sweeps in = wavy_sweeps(k, 6, 0);
            sweeps_result all = run_sweeps(s, &in);
            in.turned = in.in_place = true;
            sweeps_result turned = run_sweeps(s, &in);
            for (int i = 0; i < MANY; ++i) {
                assert_same_chain(&all, i, &turned, i, MANY);
            }
            if (gm_context_backend(s->context) == GM_BACKEND_CPU &&
                s + 1 - subjects == subject_count - 1) { /* the best instructions are the last */
                sweeps_result alone = run_sweeps(&one, &in);
                for (int i = 0; i < MANY; ++i) {
                    assert_same_chain(&all, i, &alone, i, MANY);
                }
                free_sweeps(&alone);
            }
            for (int slice = 0; slice < COUNT(firsts); ++slice) {
                const int64_t first = firsts[slice], n = counts[slice];
                double start[DIM * MANY], params[2 * MANY];
                for (int64_t i = 0; i < n; ++i) {
                    for (int c = 0; c < DIM; ++c) {
                        start[c * n + i] = wavy_start[c * MANY + first + i];
                    }
                    params[i] = wavy_params[first + i];
                    params[n + i] = wavy_params[MANY + first + i];
                }
                sweeps part = wavy_sweeps(k, 6, 0);
                part.n = n;
                part.options.first_index += (uint64_t)first;
                part.state = start;
                part.params = params;
                sweeps_result out = run_sweeps(s, &part);
                for (int64_t i = 0; i < n; ++i) {
                    assert_same_chain(&all, first + i, &out, i, n);
                }
                free_sweeps(&out);
            }
            free_sweeps(&all);
            free_sweeps(&turned);
        }
    }
    gm_context_destroy(one.context);
}

/* Twelve sweeps are five and seven, from the state alone; draws are the states on the way. */
static void a_run_can_be_cut(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < CASES; ++k) {
            sweeps in = wavy_sweeps(k, 12, 1);
            sweeps_result whole = run_sweeps(s, &in);
            in.options.sweeps = 5;
            in.options.thin = 2;
            sweeps_result head = run_sweeps(s, &in);
            in.options.sweeps = 7;
            in.options.thin = 0;
            in.first_sweep += 5;
            in.state = head.state;
            sweeps_result tail = run_sweeps(s, &in);
            for (int64_t i = 0; i < DIM * MANY; ++i) {
                assert_true(whole.state[i] == tail.state[i]);
                assert_true(whole.draws[4 * DIM * MANY + i] == head.state[i]);
                assert_true(whole.draws[3 * DIM * MANY + i] == head.draws[DIM * MANY + i]);
                assert_true(whole.draws[11 * DIM * MANY + i] == whole.state[i]);
            }
            free_sweeps(&whole);
            free_sweeps(&head);
            free_sweeps(&tail);
        }
    }
}

/* Twelve terms: their mean and mean square distance to some ten roundings of the largest. */
static void reductions_are_those_of_the_draws(void **state) {
    (void)state;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < CASES; ++k) {
            sweeps in = wavy_sweeps(k, 12, 1);
            wavy_start[MANY + 5] = 1;
            sweeps_result out = run_sweeps(s, &in);
            for (int64_t i = 0; i < DIM * MANY; ++i) {
                double mean = 0, square = 0, most = 1;
                for (int64_t m = 0; m < 12; ++m) {
                    mean += out.draws[m * DIM * MANY + i] / 12;
                    most = fmax(most, fabs(out.draws[m * DIM * MANY + i]));
                }
                for (int64_t m = 0; m < 12; ++m) {
                    const double apart = out.draws[m * DIM * MANY + i] - mean;
                    square += apart * apart / 12;
                }
                const double tolerance = 40 * unit_of(precisions[k % 2]);
                ASSERT_NEAR(s, out.mean[i], mean, tolerance * most);
                ASSERT_NEAR(s, out.variance[i], square, tolerance * most * most);
            }
            free_sweeps(&out);
        }
    }
}

/*
 * Fifteen sweeps against the reference, whose bodies are rounded otherwise. A float chain may
 * decide otherwise where a ratio is within rounding of the noise: at most one of 135.
 */
static void backends_agree_with_the_reference(void **state) {
    (void)state;
    for (int k = 0; k < CASES; ++k) {
        const sweeps in = wavy_sweeps(k, 15, 0);
        sweeps_result exact = run_sweeps(&subjects[0], &in);
        for (const subject *s = subjects + 1; s < subjects + subject_count; ++s) {
            sweeps_result out = run_sweeps(s, &in);
            int apart = 0;
            for (int i = 0; i < MANY; ++i) {
                bool same = out.status[i] == GM_STATUS_OK && exact.status[i] == GM_STATUS_OK;
                for (int c = 0; c < DIM; ++c) {
                    const double right = exact.state[c * MANY + i];
                    same = same && fabs(out.state[c * MANY + i] - right) <=
                                       (k % 2 == 0 ? 1e-11 : 3e-3) * (1 + fabs(right));
                }
                apart += !same && i != 5; /* of 5, a sine of 1e9 in float */
            }
            if (apart > k % 2) {
                fail_msg("%s: case %d: %d chains are elsewhere", s->name, k, apart);
            }
            free_sweeps(&out);
        }
        free_sweeps(&exact);
    }
}

/* Two coordinates, so that one is in a lane's way of taking an update again. */
GM_GIBBS(sines, 2, 0, 1, 0, 0, {
    next[0] = gm_sin(y[0]);
    next[1] = y[1] + 1;
})

/* Arguments from 2^20 (float) and 2^45 on are not a lane's own; those lanes come out right too, and
 * are updated once. */
static void sines_have_any_argument(void **state) {
    (void)state;
    enum { n = 140 };
    double start[2 * n] = {0};
    for (int i = 0; i < n; ++i) {
        start[i] = i % 5 == 2 ? 0x1.234568p50 * (i + 1) : 0.01 * i;
        start[i] = (double)(float)start[i];
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const sweeps in = {.gibbs = &sines,
                               .options = {.dtype = precisions[k], .sweeps = 1},
                               .n = n,
                               .state = start};
            sweeps_result out = run_sweeps(s, &in);
            for (int i = 0; i < n; ++i) { /* errors of gm_sin: 2 units in the last place */
                ASSERT_NEAR(s, out.state[i], sin(start[i]), 4 * unit_of(precisions[k]));
                assert_true(out.state[n + i] == 1 && out.status[i] == GM_STATUS_OK);
            }
            free_sweeps(&out);
        }
    }
}

/* ---- noise ----------------------------------------------------------------------------------- */

/* What an update of block b was given: rows 7 b to 7 b + 6 of the state. */
GM_GIBBS(echo, 21, 0, 3, 3, 3, {
    GM_UNROLL for (int c = 0; c < 3; ++c) {
        next[7 * block + c] = z[c];
        next[7 * block + 3 + c] = u[c];
    }
    next[7 * block + 6] = y[7 * block + 6] + 1;
})

/* By the addresses that gibbs_noise.h promises, made by hand; to the bit. */
static void noise_is_where_it_is_said_to_be(void **state) {
    (void)state;
    enum { n = 3, sweep = 11, seed = 99 };
    static const double zero[21 * n];
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 4; ++k) {
            const bool wide = k % 2 == 0, random = k / 2 == 1;
            const sweeps in = {.gibbs = &echo,
                               .options = {.dtype = precisions[k % 2],
                                           .order = random ? GM_GIBBS_RANDOM : GM_GIBBS_SYSTEMATIC,
                                           .sweeps = 1,
                                           .seed = seed,
                                           .first_index = 70},
                               .n = n,
                               .first_sweep = sweep,
                               .state = zero};
            sweeps_result out = run_sweeps(s, &in);
            for (int i = 0; i < n; ++i) {
                double expected[21] = {0};
                for (uint64_t u = 0; u < 3; ++u) {
                    const uint64_t number = 3 * sweep + u, index = (uint64_t)(70 + i);
                    const uint32_t word =
                        gm_philox_block(seed, 0, GM_STREAM_CHAIN_LENGTH, number).w0;
                    const uint64_t b = random ? (uint64_t)word * 3 >> 32 : u;
                    for (uint64_t c = 0; c < 3; ++c) {
                        const uint64_t d = 3 * number + c;
                        const gm_words w = gm_philox_block(seed, index, GM_STREAM_CHAIN_ACCEPT,
                                                           wide ? d / 2 : d / 4);
                        const uint32_t pair = (uint32_t)(2 * (d % 2));
                        expected[7 * b + c] =
                            wide ? gm_normal_f64(seed, index, GM_STREAM_CHAIN, d)
                                 : (double)gm_normal_f32(seed, index, GM_STREAM_CHAIN, d);
                        expected[7 * b + 3 + c] =
                            wide ? gm_uniform_f64(gm_word(w, pair), gm_word(w, pair + 1))
                                 : (double)gm_uniform_fine_f32(gm_word(w, (uint32_t)(d % 4)));
                    }
                    expected[7 * b + 6] += 1;
                }
                for (int c = 0; c < 21; ++c) {
                    assert_true(out.state[c * n + i] == expected[c]);
                }
            }
            free_sweeps(&out);
        }
    }
    assert_true(gm_gibbs_uniform_f32(0) == 0x1p-32f);
    assert_true(gm_gibbs_uniform_f32(UINT32_MAX) == 1 - 0x1p-24f);
    assert_true(gm_gibbs_uniform_f32(0x80000000u) == 0.5f);
}

/* ---- chains that fail ------------------------------------------------------------------------ */

/* Counts in block 0; block 1 fails where the count has passed p[0]. */
GM_GIBBS(fragile, 3, 1, 3, 1, 0, {
    switch (block) {
    case 0:
        next[0] = y[0] + 1;
        break;
    case 1:
        next[1] = gm_sqrt(p[0] - y[0]);
        next[2] = 7;
        break;
    default:
        next[2] = y[2] + z[0];
    }
})

static void a_failure_ends_one_chain_before_its_update(void **state) {
    (void)state;
    enum { n = 150, sweep_count = 6 };
    double start[3 * n], most[n], enough[n];
    for (int i = 0; i < 3 * n; ++i) {
        start[i] = i < n ? 0 : 2;
    }
    for (int i = 0; i < n; ++i) {
        enough[i] = 100;
        most[i] = i % 7 == 3 ? i % 5 : 100; /* fails in sweep most + 1, counted from 1 */
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            sweeps in = {.gibbs = &fragile,
                         .options = {.dtype = precisions[k], .sweeps = sweep_count, .thin = 1},
                         .n = n,
                         .state = start,
                         .params = enough};
            sweeps_result good = run_sweeps(s, &in);
            in.params = most;
            start[2 * n + 8] = k == 0 ? (double)NAN : (double)INFINITY;
            sweeps_result bad = run_sweeps(s, &in);
            start[2 * n + 8] = 2;
            for (int i = 0; i < n; ++i) {
                const bool fails = i % 7 == 3, never = i == 8;
                const int made = never ? 0 : fails ? i % 5 : sweep_count;
                assert_int_equal(bad.status[i],
                                 fails || never ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
                for (int m = 0; m < sweep_count; ++m) {
                    assert_true(isnan(bad.draws[3 * n * m + i]) == (m >= made));
                }
                assert_true(bad.state[i] == made + (fails ? 1 : 0));
                if (fails && !never) { /* nothing of the failed update */
                    assert_true(bad.state[n + i] == (made == 0 ? 2 : 0));
                    assert_true(bad.state[2 * n + i] ==
                                (made == 0 ? 2 : bad.draws[3 * n * (made - 1) + 2 * n + i]));
                    assert_true(made == 0 ? isnan(bad.mean[i]) : bad.mean[i] == (made + 1) / 2.0);
                    assert_true(made == 0 ? isnan(bad.variance[i]) : !isnan(bad.variance[i]));
                } else if (!never) {
                    for (int c = 0; c < 3; ++c) {
                        assert_true(bad.state[c * n + i] == good.state[c * n + i]);
                    }
                }
            }
            assert_true(isnan(bad.mean[8]) && !isfinite(bad.state[2 * n + 8]));
            free_sweeps(&good);
            free_sweeps(&bad);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_the_batch),
        cmocka_unit_test(a_run_can_be_cut),
        cmocka_unit_test(reductions_are_those_of_the_draws),
        cmocka_unit_test(backends_agree_with_the_reference),
        cmocka_unit_test(sines_have_any_argument),
        cmocka_unit_test(noise_is_where_it_is_said_to_be),
        cmocka_unit_test(a_failure_ends_one_chain_before_its_update),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
