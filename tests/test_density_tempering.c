/*
 * gm_density_tempering_*: the laws of a mixture of two normals and of a double well at the coldest
 * level, the exchange as a transition between two states, a replay swap by swap on every subject,
 * cuts, bad ladders, wrong arguments.
 *
 * Statistical comparisons are over independent ladders, 1,000 or more, that start from the laws at
 * their levels: |z| > 5.2 has probability 2e-7 for a normal mean, and there are 30 of them, on each
 * of at most 4 subjects; the fixed seeds have none.
 */
#include "tests/density_tempering_fixture.h"

#include <genmath/philox.h>

#define Z_BOUND 5.2

/* 0.3 N(-a, 0.6) + 0.7 N(a, 1), a = p[0]: standard deviations 0.6 and 1. */
GM_DENSITY(
    two_modes, 1, 1,
    {
        const real u = (y[0] + p[0]) / (real)0.6;
        const real v = y[0] - p[0];
        const real left = (real)-0.5 * u * u + (real)-0.69314718055994531;  /* log(0.3 / 0.6) */
        const real right = (real)-0.5 * v * v + (real)-0.35667494393873238; /* log(0.7) */
        const real top = left > right ? left : right;
        logp[0] = top + gm_log(gm_exp(left - top) + gm_exp(right - top));
    },
    {
        const real u = (y[0] + p[0]) / (real)0.6;
        const real v = y[0] - p[0];
        const real left = (real)-0.5 * u * u + (real)-0.69314718055994531;
        const real right = (real)-0.5 * v * v + (real)-0.35667494393873238;
        const real top = left > right ? left : right;
        const real a = gm_exp(left - top);
        const real b = gm_exp(right - top);
        grad[0] = -(a * u / (real)0.6 + b * v) / (a + b);
    })

/* p[0] (x^2 - 1)^2 + p[1] x below the barrier p[0], and a second coordinate that follows it. */
GM_DENSITY(
    two_wells, 2, 2,
    {
        const real w = y[0] * y[0] - 1;
        const real d = y[1] - y[0];
        logp[0] = -(p[0] * w * w + p[1] * y[0]) - (real)2 * d * d;
    },
    {
        const real w = y[0] * y[0] - 1;
        const real d = y[1] - y[0];
        grad[0] = -((real)4 * p[0] * w * y[0] + p[1]) + (real)4 * d;
        grad[1] = (real)-4 * d;
    })

/* ---- the law --------------------------------------------------------------------------------- */

static double z_of(const double *values, int64_t count, double exact) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < count; ++i) {
        mean += values[i] / (double)count;
    }
    for (int64_t i = 0; i < count; ++i) {
        square += (values[i] - mean) * (values[i] - mean);
    }
    return (mean - exact) / sqrt(square / (double)(count - 1) / (double)count);
}

/* log p of the first coordinate alone. At beta the second of two_wells is normal about it, of
 * variance 1 / (4 beta). */
static double marginal(const gm_density *density, const double *params, double x) {
    double y[2] = {x, x}, value;
    density->log_density_f64(0, y, params, &value);
    return value;
}

enum { GRID = 20001 };

/* The cumulative law of the first coordinate at beta on a grid from -15 to 15, by the rule of
 * trapezia, whose error is far below 1e-10 for such smooth densities; and its moments: of x > 0, x
 * and x^2. */
static void integrate(const gm_density *density, const double *params, double beta, double *sum,
                      double *moments) {
    double total = 0;
    moments[0] = moments[1] = moments[2] = 0;
    for (int i = 0; i < GRID; ++i) {
        const double x = -15 + 30.0 * i / (GRID - 1);
        const double w = exp(beta * marginal(density, params, x));
        sum[i] = total += w;
        moments[0] += x > 0 ? w : x == 0 ? w / 2 : 0;
        moments[1] += w * x;
        moments[2] += w * x * x;
    }
    for (int k = 0; k < 3; ++k) {
        moments[k] /= total;
    }
}

static double draw_from(const double *sum, uint64_t *random) {
    const double u = (double)(next_random(random) >> 11) * 0x1p-53 * sum[GRID - 1];
    int low = 0, high = GRID - 1;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (sum[middle] > u) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    const double inside = low == 0 ? 0 : (u - sum[low - 1]) / (sum[low] - sum[low - 1]) - 0.5;
    return -15 + 30.0 * (low + inside) / (GRID - 1);
}

typedef struct law_case {
    const gm_density *density;
    double params[2];
    gm_mcmc_method method;
    gm_dtype dtype;
    double step; /* at beta = 1; it grows as beta^(-1/2) */
    int64_t count;
} law_case;

/* Every chain starts from the law at its level; the coldest level is level 3 of 4. */
static void the_coldest_level_has_its_law(void **state) {
    (void)state;
    static const law_case cases[] = {
        {&two_modes, {4}, GM_MCMC_RWM, GM_F64, 1.2, 3000},
        {&two_modes, {4}, GM_MCMC_HMC, GM_F32, 0.5, 2000},
        {&two_wells, {5, 0.3}, GM_MCMC_MALA, GM_F64, 0.05, 2000},
    };
    enum { levels = 4, swaps = 4 };
    static const double beta[levels] = {0.08, 0.2, 0.45, 1};
    static double sum[levels][GRID];
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(cases) && !s->is_slow; ++k) {
            const law_case *c = &cases[k];
            double step[levels], moments[levels][3];
            density_ladders l = make_density_ladders(c->density, c->count, levels, swaps);
            l.options = (gm_mcmc_options){.dtype = c->dtype,
                                          .method = c->method,
                                          .steps = 2,
                                          .leapfrogs = c->method == GM_MCMC_HMC ? 4 : 0,
                                          .seed = 50};
            l.beta = beta;
            l.step = step;
            l.params = c->params;
            l.draw_level = 3;
            uint64_t random = 3;
            for (int i = 0; i < levels; ++i) {
                integrate(c->density, c->params, beta[i], sum[i], moments[i]);
                step[i] = c->step / (c->method == GM_MCMC_MALA ? beta[i] : sqrt(beta[i]));
            }
            const int64_t n = c->count * levels;
            for (int64_t i = 0; i < n; ++i) {
                l.state[i] = draw_from(sum[i % levels], &random);
                if (c->density->dim == 2) {
                    const double z = gm_normal_f64(9, (uint64_t)i, GM_STREAM_USER, 0);
                    l.state[n + i] = l.state[i] + z / sqrt(4 * beta[i % levels]);
                }
            }
            temper(s, &l);
            double values[4000];
            for (int q = 0; q < 3; ++q) {
                for (int64_t i = 0; i < c->count; ++i) {
                    values[i] = 0;
                    for (int64_t t = 0; t < swaps; ++t) {
                        const double x = l.draws[t * c->density->dim * c->count + i];
                        values[i] += (q == 0 ? x > 0 : q == 1 ? x : x * x) / swaps;
                    }
                }
                const double z = z_of(values, c->count, moments[3][q]);
                if (!(fabs(z) < Z_BOUND)) {
                    fail_msg("%s: case %d, moment %d: z = %.2f", s->name, k, q, z);
                }
            }
            int64_t accepted = 0, tried = 0;
            for (int64_t i = 0; i < c->count * (levels - 1); ++i) {
                tried += l.counts[3 * i + GM_TEMPERING_TRIED];
                accepted += l.counts[3 * i + GM_TEMPERING_ACCEPTED];
            }
            assert_true(accepted > tried / 5 && accepted < tried);
            free_density_ladders(&l);
        }
    }
}

/* From one mode all chains find the other, which without exchanges they do not. */
static void both_modes_are_found(void **state) {
    (void)state;
    enum { levels = 6, count = 1000, swaps = 300 };
    static const double beta[levels] = {1, 0.4, 0.16, 0.07, 0.03, 0.012}, far[1] = {6};
    double step[levels], sum[GRID], moments[3], values[count];
    for (int k = 0; k < levels; ++k) {
        step[k] = 1.5 / sqrt(beta[k]);
    }
    integrate(&two_modes, far, 1, sum, moments);
    const subject *s = &subjects[0];
    FOR_EACH_SUBJECT(other) {
        s = other->is_kernel ? s : other; /* the widest vectors */
    }
    for (int alone = 0; alone < 2; ++alone) {
        density_ladders l = make_density_ladders(&two_modes, count, alone ? 1 : levels, swaps);
        l.options.steps = 2;
        l.options.seed = 1;
        l.beta = beta;
        l.step = step;
        l.params = far;
        for (int64_t i = 0; i < count * l.temperatures; ++i) {
            l.state[i] = -6;
        }
        temper(s, &l);
        double right = 0, trips = 0;
        for (int i = 0; i < count; ++i) {
            values[i] = l.draws[(swaps - 1) * count + i] > 0;
            right += values[i];
        }
        for (int64_t i = 0; i < count * l.temperatures; ++i) {
            trips += (double)l.trips[i];
        }
        if (alone) {
            assert_true(right == 0 && trips == 0);
        } else {
            assert_true(fabs(z_of(values, count, moments[0])) < Z_BOUND && trips > count);
        }
        free_density_ladders(&l);
    }
}

/* ---- the exchange itself --------------------------------------------------------------------- */

/*
 * With steps of 1e-300 nothing moves, so a swap of two levels takes (x, y) to (y, x) or not: on a
 * grid of states its probabilities are in detailed balance with p(x)^b p(y)^c, but for their
 * rounding to 2^-33 and that of log p.
 */
static void exchanges_are_in_detailed_balance(void **state) {
    (void)state;
    enum { grid = 24 };
    static const double beta[2] = {0.9, 0.35}, step[2] = {1e-300, 1e-300}, params[1] = {4};
    FOR_EACH_SUBJECT(s) {
        density_ladders l = make_density_ladders(&two_modes, grid * grid, 2, 1);
        l.beta = beta;
        l.step = step;
        l.params = params;
        for (int64_t i = 0; i < grid * grid; ++i) {
            l.state[2 * i] = -5.05 + 0.5 * (double)(i / grid);
            l.state[2 * i + 1] = -5.05 + 0.5 * (double)(i % grid);
        }
        temper(s, &l);
        for (int64_t i = 0; i < grid * grid; ++i) {
            const int64_t mirror = i % grid * grid + i / grid;
            const double x = l.logp[2 * i], y = l.logp[2 * i + 1];
            const double there = (double)l.counts[3 * i + 2] * 0x1p-32,
                         back = (double)l.counts[3 * mirror + 2] * 0x1p-32;
            assert_true(fabs(x - marginal(&two_modes, params, -5.05 + 0.5 * (double)(i / grid))) <
                        1e-13);
            assert_true(fabs(there - fmin(1, exp((beta[0] - beta[1]) * (y - x)))) <= 0x1.001p-33);
            const double p = exp(beta[0] * x + beta[1] * y), q = exp(beta[0] * y + beta[1] * x);
            assert_true(fabs(p * there - q * back) <= (p + q) * 0x1.001p-33);
            assert_true(l.counts[3 * i + 1] == (l.level[2 * i] == 1));
        }
        free_density_ladders(&l);
    }
}

/* ---- a replay, cuts -------------------------------------------------------------------------- */

static density_ladders replay_ladders(gm_dtype dtype, int64_t swaps) {
    static const double beta[5] = {1, 0.5, 0.2, 0.1, 0.05}, step[5] = {1, 1.5, 2, 3, 5},
                        params[1] = {2};
    density_ladders l = make_density_ladders(&two_modes, 6, 5, swaps);
    l.options.dtype = dtype;
    l.options.steps = 3;
    l.options.seed = 77;
    l.options.first_index = 10;
    l.beta = beta;
    l.step = step;
    l.params = params;
    l.draw_level = 2;
    for (int64_t i = 0; i < 30; ++i) {
        l.state[i] = (double)(float)(0.3 * (double)(i % 11) - 1.5);
    }
    return l;
}

/* Swap by swap: each exchange follows from the log densities, which follow from the states. */
static void every_swap_follows_from_the_states(void **state) {
    (void)state;
    enum { swaps = 30, r = 5 };
    FOR_EACH_SUBJECT(s) {
        for (int f = 0; f < 2; ++f) {
            density_ladders l = replay_ladders(precisions[f], swaps),
                            one = replay_ladders(precisions[f], 1);
            temper(s, &l);
            double sums[30] = {0};
            int64_t counts[90] = {0}, accepted[30] = {0}, trips[30] = {0};
            for (one.first_swap = 0; one.first_swap < swaps; ++one.first_swap) {
                int32_t before[30], label[30];
                memcpy(before, one.level, sizeof before);
                memcpy(label, one.label, sizeof label);
                temper(s, &one);
                for (int64_t ladder = 0; ladder < 6; ++ladder) {
                    int64_t at[r];
                    for (int64_t i = ladder * r; i < ladder * r + r; ++i) {
                        /* A dozen operations on numbers of that size, a rounding each. */
                        const double logp = marginal(&two_modes, l.params, one.state[i]);
                        const int64_t slot = ladder * r + before[i];
                        ASSERT_NEAR(s, one.logp[i], logp,
                                    16 * unit_of(precisions[f]) * (1 + fabs(logp)));
                        at[before[i]] = i;
                        sums[slot] += one.logp[i];
                        trips[i] += before[i] == 0 && label[i] == 2;
                        label[i] = before[i] == 0 ? 1 : before[i] == r - 1 ? 2 : label[i];
                        assert_int_equal(one.label[i], label[i]);
                    }
                    assert_true(one.draws[ladder] == one.state[at[2]]);
                    for (int64_t pair = one.first_swap % 2; pair + 1 < r; pair += 2) {
                        const uint64_t place = 8 * (uint64_t)one.first_swap + (uint64_t)pair;
                        const gm_words w = gm_philox_block(77, 2 + (uint64_t)ladder, 11, place / 4);
                        const double b = f == 0 ? l.beta[pair] : (double)(float)l.beta[pair];
                        const double c =
                            f == 0 ? l.beta[pair + 1] : (double)(float)l.beta[pair + 1];
                        const double p =
                            fmin(1, exp((b - c) * (one.logp[at[pair + 1]] - one.logp[at[pair]])));
                        const bool yes = gm_word(w, place % 4) * 0x1p-32 < p;
                        before[at[pair]] += yes;
                        before[at[pair + 1]] -= yes;
                        counts[(ladder * 4 + pair) * 3] += 1;
                        counts[(ladder * 4 + pair) * 3 + 1] += yes;
                    }
                }
                assert_memory_equal(one.level, before, sizeof before);
                for (int i = 0; i < 30; ++i) {
                    accepted[i] += one.accepted[i];
                }
            }
            for (int i = 0; i < 24; ++i) {
                assert_true(l.counts[3 * i] == counts[3 * i] &&
                            l.counts[3 * i + 1] == counts[3 * i + 1]);
            }
            assert_memory_equal(l.state, one.state, sizeof sums); /* cut after every swap */
            assert_memory_equal(l.level, one.level, 30 * 4);
            assert_memory_equal(l.label, one.label, 30 * 4);
            assert_memory_equal(l.sums, sums, sizeof sums);
            assert_memory_equal(l.accepted, accepted, sizeof accepted);
            assert_memory_equal(l.trips, trips, sizeof trips);
            free_density_ladders(&l);
            free_density_ladders(&one);
        }
    }
}

/* ---- bad ladders, wrong arguments ------------------------------------------------------------ */

static void bad_ladders_spoil_nothing(void **state) {
    (void)state;
    enum { r = 5 };
    FOR_EACH_SUBJECT(s) {
        density_ladders good = replay_ladders(GM_F64, 6), bad = replay_ladders(GM_F64, 6);
        temper(s, &good);
        bad.level[r] = 1;           /* ladder 1: twice */
        bad.label[3 * r + 2] = -1;  /* ladder 3 */
        bad.state[4 * r + 1] = NAN; /* one chain of ladder 4 */
        double start[30];
        memcpy(start, bad.state, sizeof start);
        temper(s, &bad);
        for (int i = 0; i < 30; ++i) {
            const int ladder = i / r;
            if (ladder == 1 || ladder == 3) {
                assert_int_equal(bad.status[i], GM_STATUS_INVALID_ARGUMENT);
                assert_true(bad.state[i] == start[i] && isnan(bad.logp[i]));
                assert_true(bad.sums[i] == 0 && bad.accepted[i] == 0 && bad.trips[i] == 0);
                assert_true(bad.counts[ladder * 12] == 0 && bad.draws[ladder] == 0);
            } else if (ladder == 4) {
                assert_int_equal(bad.status[i], i == 21 ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
                assert_true(i != 21 || (bad.level[i] == 1 && isnan(bad.sums[i])));
                assert_true(bad.counts[12 * 4 + 1] == 0 && bad.counts[12 * 4 + 4] == 0);
            } else {
                assert_true(bad.state[i] == good.state[i] && bad.level[i] == good.level[i]);
                assert_true(bad.sums[i] == good.sums[i] && bad.logp[i] == good.logp[i]);
            }
        }
        free_density_ladders(&good);
        free_density_ladders(&bad);
    }
}

static void wrong_plans_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context, *other;
    const gm_context_options wanted = {.backend = GM_BACKEND_REF};
    ASSERT_OK(NULL, gm_context_create(&wanted, &other));
    gm_mcmc_options options = {.dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 1};
    gm_mcmc_plan *right, *foreign, *thin, *adapting, *odd;
    ASSERT_OK(c, gm_mcmc_plan_create(c, &two_modes, &options, &right));
    ASSERT_OK(other, gm_mcmc_plan_create(other, &two_modes, &options, &foreign));
    options.first_index = 3;
    ASSERT_OK(c, gm_mcmc_plan_create(c, &two_modes, &options, &odd));
    options.first_index = 0;
    options.thin = 1;
    ASSERT_OK(c, gm_mcmc_plan_create(c, &two_modes, &options, &thin));
    options.thin = 0;
    options.target = 0.3;
    ASSERT_OK(c, gm_mcmc_plan_create(c, &two_modes, &options, &adapting));
    static const double ok[] = {1, 0.5}, zero[] = {1, 0}, none[] = {1, NAN};
    const struct {
        gm_density_tempering tempering;
        const char *text;
    } cases[] = {{{NULL, 2, ok, ok, 0, 0}, "tempering.mcmc is NULL"},
                 {{foreign, 2, ok, ok, 0, 0}, "another context"},
                 {{thin, 2, ok, ok, 0, 0}, "thin and target"},
                 {{adapting, 2, ok, ok, 0, 0}, "thin and target"},
                 {{right, 0, ok, ok, 0, 0}, "tempering.temperatures = 0"},
                 {{right, 4097, ok, ok, 0, 0}, "tempering.temperatures = 4097"},
                 {{odd, 2, ok, ok, 0, 0}, "no multiple of 2"},
                 {{right, 2, NULL, ok, 0, 0}, "tempering.beta is NULL"},
                 {{right, 2, ok, NULL, 0, 0}, "tempering.step is NULL"},
                 {{right, 2, zero, ok, 0, 0}, "tempering.beta[1] = 0"},
                 {{right, 2, ok, none, 0, 0}, "tempering.step[1] = nan"},
                 {{right, 2, ok, ok, 2, 0}, "tempering.draw_level = 2"},
                 {{right, 2, ok, ok, 0, (gm_tempering_pairs)9}, "tempering.pairs = 9"}};
    gm_density_tempering_plan *plan;
    for (int k = 0; k < COUNT(cases); ++k) {
        plan = (gm_density_tempering_plan *)8;
        ASSERT_FAILS(c, gm_density_tempering_plan_create(c, &cases[k].tempering, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    ASSERT_FAILS(c, gm_density_tempering_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "tempering is NULL");
    gm_density_tempering_plan_destroy(NULL);
    gm_mcmc_plan *const all[] = {right, thin, adapting, odd, foreign};
    for (int i = 0; i < COUNT(all); ++i) {
        gm_mcmc_plan_destroy(all[i]);
    }
    gm_context_destroy(other);
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    density_ladders l = replay_ladders(GM_F64, 3);
    gm_mcmc_plan *mcmc;
    gm_density_tempering_plan *plan;
    ASSERT_OK(c, gm_mcmc_plan_create(c, l.density, &l.options, &mcmc));
    const gm_density_tempering tempering = {mcmc, 5, l.beta, l.step, 2, 0};
    ASSERT_OK(c, gm_density_tempering_plan_create(c, &tempering, &plan));
    array a[ARRAYS];
    set_arrays(&l, a);
    const gm_tensor *v[ARRAYS];
    for (int i = 0; i < ARRAYS; ++i) {
        a[i].view.data = a[i].host;
        v[i] = &a[i].view;
    }
    double held[30] = {0}, before[30];
    memcpy(before, l.state, sizeof before);
    const gm_tensor params = gm_tensor_2d(held, GM_F64, 1, 30),
                    thick = gm_tensor_2d(held, GM_F64, 2, 15);
    _Alignas(64) static char scratch[4096];
    gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 64};
    const gm_density_tempering_state right = {v[0], v[1], v[2], &params, NULL, NULL};
    ASSERT_FAILS(NULL, gm_density_tempering_run(NULL, 0, 3, &right, NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, NULL, NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "state is NULL");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &right, NULL, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 0, &right, NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "swaps = 0");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, -1, 3, &right, NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "first_swap = -1");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, INT64_C(1) << 39, 3, &right, NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "first_swap");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &right, NULL, &small),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes = 64");
    const gm_density_tempering_state states[] = {{NULL, v[1], v[2], &params, NULL, NULL},
                                                 {v[0], NULL, v[2], &params, NULL, NULL},
                                                 {v[0], v[1], NULL, &params, NULL, NULL},
                                                 {v[0], v[1], v[2], NULL, NULL, NULL},
                                                 {v[0], v[1], v[2], v[0], NULL, NULL}};
    static const char *const texts[] = {"state.state is NULL", "state.level", "state.label is NULL",
                                        "state.params is NULL", "overlap"};
    for (int i = 0; i < COUNT(states); ++i) {
        ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &states[i], NULL, &w),
                     GM_STATUS_INVALID_ARGUMENT, texts[i]);
    }
    const gm_density_tempering_state wide = {v[0], v[1], v[2], &thick, NULL, NULL},
                                     scale = {v[0], v[1], v[2], &params, &thick, NULL};
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &wide, NULL, &w), GM_STATUS_SHAPE_MISMATCH,
                 "state.params.shape[0] = 2");
    ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &scale, NULL, &w),
                 GM_STATUS_SHAPE_MISMATCH, "state.scale.shape[0] = 2");
    static const char *const names[] = {"result.draws",    "result.log_density", "result.sums",
                                        "result.accepted", "result.swaps",       "result.trips",
                                        "result.status"};
    for (int i = 3; i < ARRAYS; ++i) {
        for (int what = 0; what < 2; ++what) {
            gm_tensor wrong = a[i].view;
            wrong.shape[wrong.ndim - 1] += what == 0 ? -1 : 0;
            wrong.dtype = what == 1 ? GM_I8 : wrong.dtype;
            const gm_tensor *u[ARRAYS];
            memcpy(u, v, sizeof u);
            u[i] = &wrong;
            const gm_density_tempering_result result = {u[3], u[4], u[5], u[6], u[7], u[8], u[9]};
            ASSERT_FAILS(c, gm_density_tempering_run(plan, 0, 3, &right, &result, &w),
                         what == 0 ? GM_STATUS_SHAPE_MISMATCH : GM_STATUS_INVALID_ARGUMENT,
                         names[i - 3]);
        }
    }
    assert_memory_equal(l.state, before, sizeof before);
    gm_density_tempering_plan_destroy(plan);
    gm_mcmc_plan_destroy(mcmc);
    free_density_ladders(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_coldest_level_has_its_law),
        cmocka_unit_test(both_modes_are_found),
        cmocka_unit_test(exchanges_are_in_detailed_balance),
        cmocka_unit_test(every_swap_follows_from_the_states),
        cmocka_unit_test(bad_ladders_spoil_nothing),
        cmocka_unit_test(wrong_plans_are_refused),
        cmocka_unit_test(wrong_runs_are_refused),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
