/*
 * gm_annealing_*: every backend to the bit, cuts, a replay step by step, ground states and
 * partition functions against all 2^n states, bad chains, wrong arguments.
 *
 * Statistical comparisons are with 4,000 independent chains: |z| > 5.2 has probability 2e-7 for a
 * normal mean, and there are 12 of them; the fixed seeds have none.
 */
#include "tests/annealing_fixture.h"
#include "tests/ising_law.h"

#include <genmath/tempering.h>

#define Z_BOUND 5.2

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct small_model {
    gm_ising_model model;
    int32_t *ends;
    double coupling[MOST_EDGES], field[MOST_SITES];
    uint8_t clamped[MOST_SITES];
} small_model;

typedef enum couplings { SIGNS, EIGHTHS, REAL } couplings;

/* A lattice with couplings +-1, or in -1 .. 1, by the seed. */
static void make_small(uint64_t seed, int64_t rows, int64_t columns, couplings kind, double h,
                       bool clamp, small_model *made) {
    memset(made, 0, sizeof *made);
    made->ends = set_lattice(&made->model, 2, (const int64_t[]){rows, columns}, columns > 3);
    for (int64_t e = 0; e < made->model.edges; ++e) {
        const double drawn = random_between(&seed, -1, 1);
        made->coupling[e] = kind == SIGNS     ? copysign(1, drawn)
                            : kind == EIGHTHS ? nearbyint(8 * drawn) / 8
                                              : drawn;
    }
    for (int64_t i = 0; i < made->model.sites; ++i) {
        made->field[i] = h;
        made->clamped[i] = clamp && i % 4 == 0;
    }
    made->model.coupling = made->coupling;
    made->model.field = made->field;
    made->model.clamped = clamp ? made->clamped : NULL;
}

/* Even draws; clamped sites up. */
static void draw_evenly(uint64_t seed, annealed *a) {
    draw_spins(seed, a->model, a->chains, a->spins);
    for (int64_t i = 0; i < a->chains * a->model->sites && a->model->clamped != NULL; ++i) {
        a->spins[i] = a->model->clamped[i % a->model->sites] != 0 ? 1 : a->spins[i];
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

static uint64_t hash_annealed(const annealed *a) {
    const size_t n = (size_t)a->chains, spins = n * (size_t)a->model->sites;
    return hash_of(a->spins, spins) + 3 * hash_of(a->best, spins) +
           5 * hash_of(a->best_energy, n * 8) + 7 * hash_of(a->energy, n * 8) +
           9 * hash_of(a->log_weight, n * 8);
}

/* Every subject, spins in either order; in one call, and cut after some steps and between chains.
 */
static void backends_and_cuts_agree_to_the_bit(void **state) {
    (void)state;
    enum { chains = 41, steps = 13 };
    for (int k = 0; k < 3; ++k) {
        small_model g;
        make_small(21, 4, 4, k == 1 ? REAL : SIGNS, 0.3, k == 2, &g);
        g.model.order = k == 2 ? GM_ISING_RANDOM : GM_ISING_COLOURED;
        double beta[steps];
        ASSERT_OK(NULL, gm_ladder_linear(steps, -0.1, 1.7, beta));
        uint64_t expected = 0;
        FOR_EACH_SUBJECT(s) {
            annealed a = make_annealed(&g.model, chains, steps, beta),
                     b = make_annealed(&g.model, chains, steps, beta);
            draw_evenly(6, &a);
            draw_evenly(6, &b);
            a.by_site = !s->is_reference;
            gm_annealing_steps run = {
                .seed = 12, .first_chain = UINT64_C(0xffffffff), .steps = steps, .sweeps = 2};
            anneal(s, &run, &a);
            expected = s->is_reference ? hash_annealed(&a) : expected;
            assert_true(hash_annealed(&a) == expected);
            for (int64_t first = 0; first < steps; first = run.first_step + run.steps) {
                run.first_step = first;
                run.steps = first == 0 ? 5 : steps - 5;
                for (int64_t c = 0; c < chains; c += 30) {
                    annealed part = b;
                    part.chains = c == 0 ? 30 : chains - 30;
                    part.spins += c * g.model.sites;
                    part.best += c * g.model.sites;
                    part.best_energy += c;
                    part.energy += c;
                    part.log_weight += c;
                    part.status += c;
                    run.first_chain = UINT64_C(0xffffffff) + (uint64_t)c;
                    anneal(s, &run, &part);
                }
            }
            assert_true(hash_annealed(&b) == expected);
            draw_evenly(6, &b);
            b.no_best = true;
            run = (gm_annealing_steps){
                .seed = 12, .first_chain = UINT64_C(0xffffffff), .steps = steps, .sweeps = 2};
            anneal(s, &run, &b); /* but for the best, all the same */
            assert_true(hash_annealed(&b) == expected);
            free_annealed(&a);
            free_annealed(&b);
        }
        free(g.ends);
    }
}

/* Step by step: the sweeps by gm_ising_run, the best state and the weight by hand. */
static void a_run_is_weights_and_sweeps(void **state) {
    (void)state;
    enum { chains = 9, steps = 11, sites = 16 };
    static const double beta[steps] = {0.3, 0.1, 0.5, 0.8, 0.8, 1.3, 0.2, 0.9, 2, 1, -0.4};
    const subject *s = &subjects[0];
    for (int real = 0; real < 2; ++real) {
        small_model g;
        make_small(33, 4, 4, real != 0 ? REAL : SIGNS, 0.25, false, &g);
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(s->context, gm_ising_plan_create(s->context, &g.model, &plan));
        ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
        annealed a = make_annealed(&g.model, chains, steps, beta),
                 b = make_annealed(&g.model, chains, steps, beta);
        draw_evenly(2, &a);
        draw_evenly(2, &b);
        const gm_annealing_steps run = {.seed = 5, .first_chain = 100, .steps = steps, .sweeps = 3};
        anneal(s, &run, &a);
        for (int64_t t = -1; t < steps; ++t) { /* -1: only energies */
            double own[chains];
            for (int c = 0; c < chains; ++c) {
                own[c] = beta[t < 0 ? 0 : t];
            }
            const chains_run sweeps = {
                .chains = chains,
                .sweeps = {5, 100, t < 0 ? 0 : 3 * (uint64_t)t, t < 0 ? 0 : 3},
                .beta = own,
                .spins = b.spins,
                .energy = b.energy};
            run_plan(s, plan, sites, &sweeps);
            for (int c = 0; c < chains; ++c) {
                if (t < 0 || b.energy[c] < b.best_energy[c]) {
                    b.best_energy[c] = b.energy[c];
                    memcpy(b.best + c * sites, b.spins + c * sites, sites);
                }
                if (t >= 0 && t + 1 < steps) {
                    b.log_weight[c] = fma(-(beta[t + 1] - beta[t]),
                                          info.quantum * (double)b.energy[c], b.log_weight[c]);
                }
            }
        }
        assert_true(hash_annealed(&a) == hash_annealed(&b));
        gm_ising_plan_destroy(plan);
        free_annealed(&a);
        free_annealed(&b);
        free(g.ends);
    }
}

/* ---- ground states --------------------------------------------------------------------------- */

static void ground_states_are_found(void **state) {
    (void)state;
    enum { glasses = 8, chains = 64, steps = 60 };
    const subject *s = fastest();
    double beta[steps];
    ASSERT_OK(NULL, gm_ladder_geometric(steps, 0.1, 4, beta));
    for (uint64_t k = 0; k < glasses; ++k) {
        small_model g;
        make_small(k, 4, 4, k % 2 != 0 ? EIGHTHS : SIGNS, k % 4 < 2 ? 0 : 0.125, k == 5, &g);
        law l = enumerate(&g.model, 0);
        double lowest = INFINITY;
        for (int x = 0; x < l.states; ++x) {
            lowest = l.probability[x] > 0 ? fmin(lowest, l.energy[x]) : lowest;
        }
        annealed a = make_annealed(&g.model, chains, steps, beta);
        draw_evenly(k, &a);
        anneal(s, &(const gm_annealing_steps){.seed = k, .steps = steps, .sweeps = 1}, &a);
        gm_ising_plan *plan;
        gm_ising_info info;
        ASSERT_OK(s->context, gm_ising_plan_create(s->context, &g.model, &plan));
        ASSERT_OK(s->context, gm_ising_plan_info(plan, &info));
        gm_ising_plan_destroy(plan);
        const double rounding = (double)(g.model.edges + g.model.sites) * info.rounding + 1e-12;
        int found = 0;
        for (int c = 0; c < chains; ++c) {
            int x = 0;
            for (int i = 0; i < g.model.sites; ++i) {
                x |= (a.best[c * g.model.sites + i] == 1) << i;
            }
            const double best = info.quantum * (double)a.best_energy[c];
            assert_true(l.probability[x] > 0 && fabs(l.energy[x] - best) <= rounding);
            assert_true(best >= lowest - rounding && a.best_energy[c] <= a.energy[c]);
            found += best <= lowest + rounding;
        }
        assert_true(found >=
                    chains / 8); /* of 64 chains, each as good as the best but by bad luck */
        free(l.energy);
        free_annealed(&a);
        free(g.ends);
    }
}

/* ---- partition functions --------------------------------------------------------------------- */

enum { WEIGHED = 4000 };

/* log w of chains through the schedule; from even draws, or from the law at the first beta. */
static void weigh(const small_model *g, int64_t steps, const double *beta, uint64_t seed,
                  double *log_weight) {
    annealed a = make_annealed(&g->model, WEIGHED, steps, beta);
    if (beta[0] == 0) {
        draw_evenly(seed, &a);
    } else {
        law l = enumerate(&g->model, beta[0]);
        draw_states(&l, seed, WEIGHED, a.spins);
        free(l.energy);
    }
    anneal(fastest(), &(const gm_annealing_steps){.seed = seed, .steps = steps, .sweeps = 1}, &a);
    memcpy(log_weight, a.log_weight, WEIGHED * sizeof *log_weight);
    free_annealed(&a);
}

static double variance_of(const double *x, int64_t n) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        mean += x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += (x[i] - mean) * (x[i] - mean);
    }
    return square / (double)(n - 1);
}

/* Of w e^-exact against 1. */
static double weight_z(const double *log_weight, double exact) {
    double w[WEIGHED], mean = 0;
    for (int i = 0; i < WEIGHED; ++i) {
        w[i] = exp(log_weight[i] - exact);
        mean += w[i] / WEIGHED;
    }
    return (mean - 1) / sqrt(variance_of(w, WEIGHED) / WEIGHED);
}

static const struct {
    const char *name;
    couplings kind;
    bool clamp;
    double h, last;
    gm_ising_spins spins;
} weigh_cases[] = {{"glass", SIGNS, false, 0.3, 1, GM_ISING_SIGNS},
                   {"eighths, clamped", EIGHTHS, true, -0.4, 2, GM_ISING_SIGNS},
                   {"bits", EIGHTHS, false, 0.5, -1.5, GM_ISING_BITS}};

/* The mean of w is the ratio of partition functions, either way; the means of log w bracket it; and
 * twice as many steps halve the variance of log w, to the first order in the change of beta. */
static void partition_functions_are_measured(void **state) {
    (void)state;
    enum { steps = 201 };
    for (int k = 0; k < COUNT(weigh_cases); ++k) {
        small_model g;
        make_small(40, 3, 3, weigh_cases[k].kind, weigh_cases[k].h, weigh_cases[k].clamp, &g);
        g.model.spins = weigh_cases[k].spins;
        law first = enumerate(&g.model, 0), last = enumerate(&g.model, weigh_cases[k].last);
        const double exact = log(last.z) - log(first.z);
        double beta[steps], back[steps], there[WEIGHED], reverse[WEIGHED], variance[3];
        for (int doubled = 0; doubled < 3; ++doubled) {
            const int64_t count = 1 + (50 << doubled);
            ASSERT_OK(NULL, gm_ladder_linear(count, 0, weigh_cases[k].last, beta));
            weigh(&g, count, beta, 50 + (uint64_t)doubled, there);
            variance[doubled] = variance_of(there, WEIGHED);
            const double z = weight_z(there, exact);
            if (!(fabs(z) < Z_BOUND)) {
                fail_msg("%s, %d steps: z = %.2f", weigh_cases[k].name, (int)count, z);
            }
        }
        for (int doubled = 0; doubled < 2; ++doubled) {
            /* A variance of 4,000 has 2.2 %, the ratio of two 3.2 %: 5.2 of them, and 5 % for the
             * second order. */
            const double ratio = variance[doubled] / variance[doubled + 1];
            if (!(ratio > 2 / 1.22 && ratio < 2 * 1.22)) {
                fail_msg("%s: twice the steps, variance / %.3f", weigh_cases[k].name, ratio);
            }
        }
        for (int t = 0; t < steps; ++t) {
            back[t] = beta[steps - 1 - t];
        }
        weigh(&g, steps, back, 60, reverse);
        const double z = weight_z(reverse, -exact);
        if (!(fabs(z) < Z_BOUND)) {
            fail_msg("%s, reverse: z = %.2f", weigh_cases[k].name, z);
        }
        gm_log_weights lower, upper;
        ASSERT_OK(NULL, gm_log_weights_mean(WEIGHED, there, &lower));
        ASSERT_OK(NULL, gm_log_weights_mean(WEIGHED, reverse, &upper));
        /* Half the variance of log w is how far the bounds are off. */
        assert_true(lower.mean_log < exact && exact < -upper.mean_log);
        assert_true(fabs(lower.log_mean - exact) < Z_BOUND * lower.error);
        assert_true(fabs(-upper.log_mean - exact) < Z_BOUND * upper.error);
        assert_true(lower.size > 0.8 * WEIGHED && lower.size <= WEIGHED);
        free(first.energy);
        free(last.energy);
        free(g.ends);
    }
}

/* Without couplings and fields all states weigh the same. */
static void nothing_weighs_nothing(void **state) {
    (void)state;
    const gm_ising_model model = {.sites = 5};
    static const double beta[] = {0, 0.5, 3};
    FOR_EACH_SUBJECT(s) {
        annealed a = make_annealed(&model, 6, 3, beta);
        draw_evenly(1, &a);
        anneal(s, &(const gm_annealing_steps){.steps = 3, .sweeps = 1}, &a);
        for (int c = 0; c < 6; ++c) {
            assert_true(a.log_weight[c] == 0 && a.best_energy[c] == 0 && a.status[c] == 0);
        }
        free_annealed(&a);
        annealed none = make_annealed(&model, 0, 3, beta);
        anneal(s, &(const gm_annealing_steps){.steps = 3, .sweeps = 1}, &none);
        free_annealed(&none);
    }
}

static void log_weights_have_their_mean(void **state) {
    (void)state;
    gm_log_weights m;
    const double shift = 1e4, three[] = {shift, shift + log(2), shift + log(3)};
    ASSERT_OK(NULL, gm_log_weights_mean(3, three, &m));
    /* Sums of logarithms near 1e4: each off by 1e-12. */
    assert_true(fabs(m.log_mean - shift - log(2)) < 1e-11);
    assert_true(fabs(m.mean_log - shift - log(6) / 3) < 1e-11);
    assert_true(fabs(m.error - 1 / sqrt(3) / 2) < 1e-11); /* sd 1, mean 2 */
    assert_true(fabs(m.size - 36.0 / 14) < 1e-10);
    const double one[] = {-700};
    ASSERT_OK(NULL, gm_log_weights_mean(1, one, &m));
    assert_true(m.log_mean == -700 && m.mean_log == -700 && m.error == 0 && m.size == 1);
    const double none[] = {-INFINITY, 0}, bad[] = {0, NAN}, huge[] = {INFINITY};
    ASSERT_OK(NULL, gm_log_weights_mean(2, none, &m));
    assert_true(m.size == 1 && fabs(m.log_mean + log(2)) < 1e-15);
    m.size = 9;
    ASSERT_FAILS(NULL, gm_log_weights_mean(1, none, &m), GM_STATUS_NON_FINITE, "no weight");
    ASSERT_FAILS(NULL, gm_log_weights_mean(2, bad, &m), GM_STATUS_NON_FINITE,
                 "log_weight[1] = nan");
    ASSERT_FAILS(NULL, gm_log_weights_mean(1, huge, &m), GM_STATUS_NON_FINITE, "log_weight[0]");
    ASSERT_FAILS(NULL, gm_log_weights_mean(0, one, &m), GM_STATUS_INVALID_ARGUMENT, "count = 0");
    ASSERT_FAILS(NULL, gm_log_weights_mean(1, NULL, &m), GM_STATUS_INVALID_ARGUMENT,
                 "log_weight is NULL");
    ASSERT_FAILS(NULL, gm_log_weights_mean(1, one, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "mean is NULL");
    assert_true(m.size == 9);
}

/* ---- bad chains, wrong arguments ------------------------------------------------------------- */

static void spoil_a_chain(bool no_best) {
    enum { chains = 5, sites = 16, steps = 4 };
    static const double beta[steps] = {0, 0.4, 0.8, 1.2};
    small_model g;
    make_small(3, 4, 4, SIGNS, 0.5, false, &g);
    FOR_EACH_SUBJECT(s) {
        annealed good = make_annealed(&g.model, chains, steps, beta),
                 bad = make_annealed(&g.model, chains, steps, beta);
        draw_evenly(1, &good);
        memcpy(bad.spins, good.spins, chains * sites);
        bad.spins[2 * sites + 7] = 0;
        int8_t start[sites];
        memcpy(start, bad.spins + 2 * sites, sites);
        memset(bad.best, 7, chains * sites);
        good.no_best = bad.no_best = no_best;
        for (int cut = 0; cut < 2; ++cut) {
            const gm_annealing_steps run = {
                .seed = 3, .first_step = 2 * cut, .steps = 2, .sweeps = 1};
            anneal(s, &run, &good);
            anneal(s, &run, &bad);
            for (int c = 0; c < chains; ++c) {
                const int8_t *x = bad.spins + c * sites, *b = bad.best + c * sites;
                if (c == 2) {
                    assert_int_equal(bad.status[c], GM_STATUS_INVALID_ARGUMENT);
                    assert_true(isnan(bad.log_weight[c]));
                    assert_true(bad.best_energy[c] == 0 && bad.energy[c] == 0);
                    assert_memory_equal(x, start, sites);
                    assert_true(b[0] == 7 && b[sites - 1] == 7);
                } else {
                    assert_int_equal(bad.status[c], GM_STATUS_OK);
                    assert_true(bad.log_weight[c] == good.log_weight[c]);
                    assert_true(bad.best_energy[c] == good.best_energy[c]);
                    assert_memory_equal(x, good.spins + c * sites, sites);
                    assert_true(no_best || memcmp(b, good.best + c * sites, sites) == 0);
                }
            }
        }
        free_annealed(&good);
        free_annealed(&bad);
    }
    free(g.ends);
}

static void bad_chains_spoil_nothing(void **state) {
    (void)state;
    spoil_a_chain(false);
    spoil_a_chain(true);
}

static void wrong_plans_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context, *other;
    const gm_ising_model model = {.sites = 3};
    gm_ising_plan *ising, *foreign;
    const gm_context_options wanted = {.backend = GM_BACKEND_REF};
    ASSERT_OK(NULL, gm_context_create(&wanted, &other));
    ASSERT_OK(c, gm_ising_plan_create(c, &model, &ising));
    ASSERT_OK(other, gm_ising_plan_create(other, &model, &foreign));
    static const double beta[] = {0, 1}, bad[] = {0, NAN}, far[] = {-1e308, 1e308};
    const struct {
        gm_annealing annealing;
        const char *text;
    } cases[] = {{{NULL, NULL, 2, beta}, "annealing.ising is NULL"},
                 {{foreign, NULL, 2, beta}, "another context"},
                 {{ising, NULL, 0, beta}, "annealing.steps = 0"},
                 {{ising, NULL, (1 << 24) + 1, beta}, "annealing.steps"},
                 {{ising, NULL, 2, NULL}, "annealing.beta is NULL"},
                 {{ising, NULL, 2, bad}, "annealing.beta[1] = nan"},
                 {{ising, NULL, 2, far}, "overflows"}};
    gm_annealing_plan *plan;
    for (int k = 0; k < COUNT(cases); ++k) {
        plan = (gm_annealing_plan *)8;
        ASSERT_FAILS(c, gm_annealing_plan_create(c, &cases[k].annealing, &plan),
                     GM_STATUS_INVALID_ARGUMENT, cases[k].text);
        assert_null(plan);
    }
    const gm_annealing right = {.ising = ising, .steps = 2, .beta = beta};
    ASSERT_FAILS(NULL, gm_annealing_plan_create(NULL, &right, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(c, gm_annealing_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "annealing is NULL");
    ASSERT_FAILS(c, gm_annealing_plan_create(c, &right, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    gm_annealing_plan_destroy(NULL);
    gm_ising_plan_destroy(ising);
    gm_ising_plan_destroy(foreign);
    gm_context_destroy(other);
}

static void wrong_runs_are_refused(void **state) {
    (void)state;
    enum { chains = 4, sites = 16 };
    gm_context *c = subjects[0].context;
    small_model g;
    make_small(3, 4, 4, SIGNS, 0.5, false, &g);
    static const double beta[] = {0, 0.5, 1};
    annealed a = make_annealed(&g.model, chains, 3, beta);
    draw_evenly(1, &a);
    int8_t before[chains * sites];
    memcpy(before, a.spins, sizeof before);
    gm_ising_plan *ising;
    gm_annealing_plan *plan;
    ASSERT_OK(c, gm_ising_plan_create(c, &g.model, &ising));
    ASSERT_OK(c, gm_annealing_plan_create(
                     c, &(const gm_annealing){.ising = ising, .steps = 3, .beta = beta}, &plan));
    _Alignas(64) static char scratch[1 << 14];
    gm_workspace w = {scratch, sizeof scratch}, small = {scratch, 64},
                 odd = {scratch + 8, sizeof scratch - 8};
    const gm_tensor views[ARRAYS] = {
        gm_tensor_2d(a.spins, GM_I8, chains, sites), gm_tensor_2d(a.best, GM_I8, chains, sites),
        gm_tensor_1d(a.best_energy, GM_I64, chains), gm_tensor_1d(a.log_weight, GM_F64, chains),
        gm_tensor_1d(a.energy, GM_I64, chains),      gm_tensor_1d(a.status, GM_I32, chains)};
    static const char *const names[ARRAYS] = {
        "spins",         "result.best",  "result.best_energy", "result.log_weight",
        "result.energy", "result.status"};
    const gm_annealing_steps run = {.steps = 3, .sweeps = 1};
    const struct {
        gm_annealing_steps run;
        const char *text;
    } runs[] = {{{1, 0, -1, 1, 1}, "run.first_step = -1"}, {{1, 0, 4, 0, 1}, "run.first_step = 4"},
                {{1, 0, 1, 3, 1}, "run.steps = 3"},        {{1, 0, 1, -1, 1}, "run.steps = -1"},
                {{1, 0, 0, 3, 0}, "run.sweeps = 0"},       {{1, 0, 0, 3, INT64_MAX}, "2^63"},
                {{1, 0, 0, 3, INT64_C(1) << 46}, "noise"}};
    for (int k = 0; k < COUNT(runs); ++k) {
        ASSERT_FAILS(c, gm_annealing_run(plan, &runs[k].run, &views[0], NULL, &w),
                     GM_STATUS_INVALID_ARGUMENT, runs[k].text);
    }
    ASSERT_FAILS(NULL, gm_annealing_run(NULL, &run, &views[0], NULL, &w),
                 GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    ASSERT_FAILS(c, gm_annealing_run(plan, NULL, &views[0], NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                 "run is NULL");
    ASSERT_FAILS(c, gm_annealing_run(plan, &run, NULL, NULL, &w), GM_STATUS_INVALID_ARGUMENT,
                 "spins is NULL");
    ASSERT_FAILS(c, gm_annealing_run(plan, &run, &views[0], NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "workspace is NULL");
    ASSERT_FAILS(c, gm_annealing_run(plan, &run, &views[0], NULL, &small),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace.bytes = 64");
    ASSERT_FAILS(c, gm_annealing_run(plan, &run, &views[0], NULL, &odd), GM_STATUS_INVALID_ARGUMENT,
                 "aligned");
    const gm_annealing_result lone = {.best = &views[1]};
    ASSERT_FAILS(c, gm_annealing_run(plan, &run, &views[0], &lone, &w), GM_STATUS_INVALID_ARGUMENT,
                 "result.best_energy is NULL");
    for (int i = 0; i < ARRAYS; ++i) {
        for (int what = 0; what < 3; ++what) { /* a size, a type, an overlap */
            gm_tensor wrong = views[i];
            wrong.shape[wrong.ndim - 1] += what == 0 ? -1 : 0;
            wrong.dtype = what == 1 ? GM_F32 : wrong.dtype;
            wrong.data = what == 2 ? views[i == 0 ? 1 : 0].data : wrong.data;
            const gm_tensor *v[ARRAYS];
            for (int j = 0; j < ARRAYS; ++j) {
                v[j] = i == j ? &wrong : &views[j];
            }
            const gm_annealing_result result = {v[1], v[2], v[3], v[4], v[5]};
            ASSERT_FAILS(c, gm_annealing_run(plan, &run, v[0], &result, &w),
                         what == 0 ? GM_STATUS_SHAPE_MISMATCH : GM_STATUS_INVALID_ARGUMENT,
                         what == 2 ? "overlap" : names[i]);
        }
    }
    assert_memory_equal(a.spins, before, sizeof before);
    assert_true(a.log_weight[0] == 0 && a.best_energy[0] == 0 && a.status[0] == 0);
    gm_annealing_plan_destroy(plan);
    gm_ising_plan_destroy(ising);
    free_annealed(&a);
    free(g.ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_and_cuts_agree_to_the_bit),
        cmocka_unit_test(a_run_is_weights_and_sweeps),
        cmocka_unit_test(ground_states_are_found),
        cmocka_unit_test(partition_functions_are_measured),
        cmocka_unit_test(nothing_weighs_nothing),
        cmocka_unit_test(log_weights_have_their_mean),
        cmocka_unit_test(bad_chains_spoil_nothing),
        cmocka_unit_test(wrong_plans_are_refused),
        cmocka_unit_test(wrong_runs_are_refused),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
