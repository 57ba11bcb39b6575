/*
 * The inverse Ising problem: gradients against differences, the model itself from exact
 * probabilities, the optimality conditions from an independent gradient, a lattice from what Ising
 * chains draw, a problem that can be separated in closed form, errors.
 */
#include "tests/ensemble.h"

#include <genmath/inverse_ising.h>
#include <genmath/ising.h>

static const gm_inverse_ising_method methods[] = {GM_INVERSE_ISING_PSEUDO_LIKELIHOOD,
                                                  GM_INVERSE_ISING_RISE, GM_INVERSE_ISING_LOG_RISE};

/* All states of a random model with their probabilities. */
enum { N = 6, STATES = 1 << N };

typedef struct population {
    double coupling[N * N], field[N], weights[STATES];
    int8_t spins[STATES * N];
    gm_inverse_ising_data data;
} population;

static void fill_population(population *p, double largest) {
    uint64_t random = 17;
    memset(p, 0, sizeof *p);
    for (int a = 0; a < N; ++a) {
        p->field[a] = random_between(&random, -0.3, 0.3);
        for (int b = 0; b < a; ++b) {
            const bool joined = (a + b) % 3 != 0;
            const double j = random_between(&random, -largest, largest);
            p->coupling[a * N + b] = p->coupling[b * N + a] = joined ? j : 0;
        }
    }
    for (int s = 0; s < STATES; ++s) {
        double sum = 0;
        for (int a = 0; a < N; ++a) {
            p->spins[s * N + a] = (s >> a & 1) != 0 ? 1 : -1;
            sum += p->field[a] * p->spins[s * N + a];
            for (int b = 0; b < a; ++b) {
                sum += p->coupling[a * N + b] * p->spins[s * N + a] * p->spins[s * N + b];
            }
        }
        p->weights[s] = 5 * exp(sum); /* need not be normalised */
    }
    p->data = (gm_inverse_ising_data){
        .sites = N, .samples = STATES, .spins = p->spins, .weights = p->weights};
}

static void test_gradients(void **state) {
    (void)state;
    population p;
    fill_population(&p, 0.8);
    uint64_t random = 3;
    for (int m = 0; m < 3; ++m) {
        for (int site = 0; site < N; site += 2) {
            double theta[N], gradient[N], value, up, down;
            for (int b = 0; b < N; ++b) {
                theta[b] = random_between(&random, -0.5, 0.5);
            }
            ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &p.data, methods[m], site,
                                                       theta, &value, gradient));
            for (int b = 0; b < N; ++b) {
                const double at = theta[b], h = 1e-5;
                theta[b] = at + h;
                ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &p.data, methods[m],
                                                           site, theta, &up, NULL));
                theta[b] = at - h;
                ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &p.data, methods[m],
                                                           site, theta, &down, NULL));
                theta[b] = at;
                /* h^2 / 6 times a third derivative of at most 8 e^3.5, and rounding / h */
                ASSERT_NEAR(subjects, (up - down) / (2 * h), gradient[b], 5e-8 * (1 + value));
            }
        }
    }
}

/* One sample, by hand: u = x_0 (h + J x_1) = -(0.25 - 0.75) = 0.5. */
static void test_values(void **state) {
    (void)state;
    const int8_t spins[2] = {-1, -1};
    const gm_inverse_ising_data data = {.sites = 2, .samples = 1, .spins = spins};
    const double theta[2] = {0.25, 0.75};
    const double values[3] = {log1p(exp(-1)), exp(-0.5), -0.5};
    const double slopes[3] = {-2 / (1 + exp(1)), -exp(-0.5), -1};
    for (int m = 0; m < 3; ++m) {
        double value, gradient[2];
        ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &data, methods[m], 0, theta,
                                                   &value, gradient));
        ASSERT_NEAR(subjects, value, values[m], 1e-15);
        ASSERT_NEAR(subjects, gradient[0], -slopes[m], 1e-15);
        ASSERT_NEAR(subjects, gradient[1], slopes[m], 1e-15);
    }
}

/* With exact probabilities as weights the minimum is the model, and the graph is found. */
static void test_population(void **state) {
    (void)state;
    population p;
    fill_population(&p, 1.0);
    for (int m = 0; m < 3; ++m) {
        double field[N], coupling[N * N], directed[N * N], residual[N];
        int32_t status[N], steps[N];
        const gm_inverse_ising_options options = {.method = methods[m], .tolerance = 1e-11};
        const gm_inverse_ising_result result = {field, coupling, directed, residual, steps, status};
        ASSERT_OK(subjects->context,
                  gm_inverse_ising_fit(subjects->context, &p.data, &options, &result));
        for (int a = 0; a < N; ++a) {
            assert_int_equal(status[a], GM_STATUS_OK);
            assert_true(residual[a] <= 1e-11);
            assert_in_range(steps[a], 2, 9); /* quadratic convergence */
            ASSERT_NEAR(subjects, field[a], p.field[a], 1e-8);
            for (int b = 0; b < N; ++b) {
                ASSERT_NEAR(subjects, directed[a * N + b], p.coupling[a * N + b], 1e-8);
                ASSERT_NEAR(subjects, coupling[a * N + b],
                            (directed[a * N + b] + directed[b * N + a]) / 2, 1e-16);
            }
        }
        gm_graph_score score;
        ASSERT_OK(NULL, gm_graph_compare(subjects->context, N, p.coupling, coupling, 1e-7, &score));
        assert_true(score.f1 == 1 && score.found_right == 10 && score.found_wrong == 0);
    }
}

/* The conditions of the minimum, from the public gradient; and where lambda silences all. */
static void test_optimality(void **state) {
    (void)state;
    population p;
    fill_population(&p, 0.6);
    for (int m = 0; m < 3; ++m) {
        double silent = 0;
        for (int k = 0; k < 3; ++k) {
            double field[N], directed[N * N], residual[N];
            int32_t status[N];
            const gm_inverse_ising_options options = {
                .method = methods[m], .lambda = k < 2 ? 0.02 + 0.1 * k : silent * 1.001};
            const gm_inverse_ising_result result = {
                .field = field, .directed = directed, .residual = residual, .status = status};
            ASSERT_OK(NULL, gm_inverse_ising_fit(subjects->context, &p.data, &options, &result));
            int zeros = 0;
            for (int a = 0; a < N; ++a) {
                double theta[N], gradient[N], worst = 0;
                memcpy(theta, directed + a * N, sizeof theta);
                theta[a] = field[a];
                ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &p.data, methods[m],
                                                           a, theta, NULL, gradient));
                for (int b = 0; b < N; ++b) {
                    const double lambda = b == a ? 0 : options.lambda;
                    zeros += b != a && theta[b] == 0;
                    worst =
                        fmax(worst, theta[b] != 0 ? fabs(gradient[b] + copysign(lambda, theta[b]))
                                                  : fabs(gradient[b]) - lambda);
                }
                assert_int_equal(status[a], GM_STATUS_OK);
                assert_true(worst <= 1.0001e-9);
                ASSERT_NEAR(subjects, worst, residual[a], 1e-14);
                /* the couplings held at 0, the field alone fitted: their slopes at the start */
                double alone[N] = {0};
                double mean = 0, total = 0;
                for (int s = 0; s < STATES; ++s) {
                    mean += p.weights[s] * p.spins[s * N + a];
                    total += p.weights[s];
                }
                alone[a] = atanh(mean / total); /* of all three methods */
                ASSERT_OK(NULL, gm_inverse_ising_objective(subjects->context, &p.data, methods[m],
                                                           a, alone, NULL, gradient));
                ASSERT_NEAR(subjects, gradient[a], 0, 1e-14);
                for (int b = 0; b < N; ++b) {
                    silent = fmax(silent, fabs(gradient[b]));
                }
            }
            assert_true(k == 0 ? zeros < N * (N - 1) : k == 2 ? zeros == N * (N - 1) : true);
        }
    }
}

/* x_0 = sign(1.5 x_1 - 2 x_2 + 2 x_3), all eight patterns: a majority, so that the weights run off
 * to infinity, and with a penalty are alike: minimal where
 * 3 (2/8) l'(3 w) + (6/8) l'(w) + 3 lambda = 0, l(u) = log(1 + exp(-2 u)). */
static void test_majority(void **state) {
    (void)state;
    int8_t spins[8 * 4];
    for (int s = 0; s < 8; ++s) {
        int8_t *x = spins + 4 * s;
        for (int b = 0; b < 3; ++b) {
            x[b + 1] = (s >> b & 1) != 0 ? 1 : -1;
        }
        x[0] = 1.5 * x[1] - 2 * x[2] + 2 * x[3] > 0 ? 1 : -1;
    }
    const gm_inverse_ising_data data = {.sites = 4, .samples = 8, .spins = spins};
    double field[4], directed[16];
    int32_t status[4];
    gm_inverse_ising_options options = {.lambda = 0.01};
    const gm_inverse_ising_result result = {.field = field, .directed = directed, .status = status};
    ASSERT_OK(NULL, gm_inverse_ising_fit(subjects->context, &data, &options, &result));
    double low = 0, high = 10;
    for (int k = 0; k < 80; ++k) {
        const double w = (low + high) / 2;
        const double slope = -2 * (0.75 / (1 + exp(6 * w)) + 0.75 / (1 + exp(2 * w))) + 0.03;
        *(slope < 0 ? &low : &high) = w;
    }
    assert_int_equal(status[0], GM_STATUS_OK);
    ASSERT_NEAR(subjects, field[0], 0, 1e-8);
    for (int b = 1; b < 4; ++b) { /* the residual over the curvature there, above 0.02 */
        ASSERT_NEAR(subjects, directed[b], b == 2 ? -low : low, 1e-7);
    }
    options.lambda = 0;
    ASSERT_OK(NULL, gm_inverse_ising_fit(subjects->context, &data, &options, &result));
    assert_int_equal(status[0], GM_STATUS_NOT_CONVERGED);
    assert_true(fabs(directed[1]) > 5);
    /* A spin that never changes; the others are independent of each other. */
    for (int s = 0; s < 8; ++s) {
        spins[4 * s] = 1;
    }
    options.allowed = (const uint8_t[16]){0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0};
    for (int m = 0; m < 3; ++m) {
        options.method = methods[m];
        ASSERT_OK(NULL, gm_inverse_ising_fit(subjects->context, &data, &options, &result));
        assert_int_equal(status[0], GM_STATUS_NOT_CONVERGED);
        for (int a = 1; a < 4; ++a) {
            assert_int_equal(status[a], GM_STATUS_OK);
            ASSERT_NEAR(subjects, field[a], 0, 1e-9);
        }
    }
}

/* ---- a lattice ------------------------------------------------------------------------------- */

enum { L = 4, SITES = L * L, CHAINS = 6000 };

/* A free lattice with couplings of +-0.35, and the states of independent chains. */
static int8_t *draw_lattice(double *truth) {
    const int64_t size[2] = {L, L};
    int32_t ends[4 * SITES];
    double coupling[2 * SITES];
    gm_ising_model model = {.sites = SITES, .ends = ends, .coupling = coupling};
    ASSERT_OK(NULL, gm_ising_lattice(2, size, NULL, ends, &model.edges));
    assert_int_equal(model.edges, 24);
    uint64_t random = 8;
    memset(truth, 0, SITES * SITES * sizeof *truth);
    for (int64_t e = 0; e < model.edges; ++e) {
        coupling[e] = next_random(&random) >> 63 != 0 ? 0.35 : -0.35;
        truth[ends[2 * e] * SITES + ends[2 * e + 1]] = coupling[e];
        truth[ends[2 * e + 1] * SITES + ends[2 * e]] = coupling[e];
    }
    gm_context *context = subjects[1].context;
    gm_ising_plan *plan;
    ASSERT_OK(context, gm_ising_plan_create(context, &model, &plan));
    int8_t *spins = malloc(CHAINS * SITES);
    for (int k = 0; k < CHAINS * SITES; ++k) {
        spins[k] = next_random(&random) >> 63 != 0 ? 1 : -1;
    }
    double one = 1;
    const gm_tensor beta = {&one, GM_F64, 1, {CHAINS}, {0}};
    const gm_tensor x = gm_tensor_2d(spins, GM_I8, CHAINS, SITES);
    gm_workspace w = {0};
    const gm_ising_sweeps run = {.seed = 11, .sweeps = 60};
    ASSERT_OK(context, gm_ising_run(plan, &run, &beta, &x, NULL, &w));
    ASSERT_OK(context, gm_memory_alloc(context, w.bytes, &w.data));
    ASSERT_OK(context, gm_ising_run(plan, &run, &beta, &x, NULL, &w));
    ASSERT_OK(context, gm_memory_free(context, w.data));
    gm_ising_plan_destroy(plan);
    return spins;
}

static double rms(const double *a, const double *b, const double *where) {
    double sum = 0, count = 0;
    for (int k = 0; k < SITES * SITES; ++k) {
        sum += where[k] != 0 ? (a[k] - b[k]) * (a[k] - b[k]) : 0;
        count += where[k] != 0;
    }
    return sqrt(sum / count);
}

/* The graph is found; a second fit on it alone has no bias left: its error is the data's, that of
 * the information in a coupling, below 2 / sqrt(CHAINS) here. */
static void test_lattice(void **state) {
    (void)state;
    static double truth[SITES * SITES];
    int8_t *spins = draw_lattice(truth);
    const gm_inverse_ising_data data = {.sites = SITES, .samples = CHAINS, .spins = spins};
    for (int m = 0; m < 3; ++m) {
        static const double c[3] = {0.2, 0.4, 0.8};
        static double coupling[SITES * SITES], refit[SITES * SITES];
        uint8_t found[SITES * SITES];
        int32_t status[SITES];
        gm_inverse_ising_options options = {
            .method = methods[m], .lambda = c[m] * sqrt(log(SITES * SITES / 0.05) / CHAINS)};
        gm_inverse_ising_result result = {.coupling = coupling, .status = status};
        gm_graph_score score;
        ASSERT_OK(NULL, gm_inverse_ising_fit(subjects[1].context, &data, &options, &result));
        ASSERT_OK(NULL, gm_graph_compare(subjects->context, SITES, truth, coupling, 0.175, &score));
        assert_true(score.f1 == 1 && score.precision == 1 && score.recall == 1);
        assert_int_equal(score.found_right, 24);
        for (int k = 0; k < SITES * SITES; ++k) {
            found[k] = fabs(coupling[k]) > 0.175;
        }
        options.lambda = 0;
        options.allowed = found;
        result.coupling = refit;
        ASSERT_OK(NULL, gm_inverse_ising_fit(subjects[1].context, &data, &options, &result));
        for (int a = 0; a < SITES; ++a) {
            assert_int_equal(status[a], GM_STATUS_OK);
        }
        for (int k = 0; k < SITES * SITES; ++k) {
            assert_true((refit[k] != 0) == (truth[k] != 0));
        }
        assert_true(rms(refit, truth, truth) < 2 / sqrt(CHAINS));
        assert_true(rms(refit, truth, truth) < rms(coupling, truth, truth));
    }
    free(spins);
}

/* One to three threads, weights of 2 against samples given twice. */
static void test_threads(void **state) {
    (void)state;
    static double truth[SITES * SITES], first[SITES * SITES], next[SITES * SITES];
    enum { FEW = 300 };
    int8_t *spins = draw_lattice(truth);
    double weights[FEW];
    for (int s = 0; s < FEW; ++s) {
        weights[s] = s < FEW / 3 ? 2 : 1;
    }
    memcpy(spins + FEW * SITES, spins, FEW / 3 * SITES);
    const gm_inverse_ising_data weighted = {
        .sites = SITES, .samples = FEW, .spins = spins, .weights = weights};
    const gm_inverse_ising_data twice = {.sites = SITES, .samples = FEW + FEW / 3, .spins = spins};
    const gm_inverse_ising_options options = {.lambda = 0.05};
    for (int t = 1; t <= 3; ++t) {
        gm_context *context;
        ASSERT_OK(NULL,
                  gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU, .threads = t},
                                    &context));
        const gm_inverse_ising_result result = {.coupling = t == 1 ? first : next};
        ASSERT_OK(context, gm_inverse_ising_fit(context, &weighted, &options, &result));
        assert_true(t == 1 || memcmp(first, next, sizeof first) == 0);
        gm_context_destroy(context);
    }
    const gm_inverse_ising_result result = {.coupling = next};
    ASSERT_OK(NULL, gm_inverse_ising_fit(subjects->context, &twice, &options, &result));
    assert_true(largest_difference(first, next, SITES * SITES) < 1e-7);
    free(spins);
}

/* ---- the score and errors -------------------------------------------------------------------- */

static void test_score(void **state) {
    (void)state;
    const double truth[9] = {9, 1, 0, 0, 9, -2, 0, 0, 9},
                 found[9] = {0, 0.5, -0.5, 7, 0, 0.1, 7, 7};
    gm_graph_score s;
    ASSERT_OK(NULL, gm_graph_compare(subjects->context, 3, truth, found, 0.2, &s));
    assert_true(s.found_right == 1 && s.found_wrong == 1 && s.missed == 1);
    assert_true(s.precision == 0.5 && s.recall == 0.5 && s.f1 == 0.5);
    ASSERT_OK(NULL, gm_graph_compare(subjects->context, 3, truth, found, 0.5, &s));
    assert_true(s.found_right == 0 && s.precision == 1 && s.recall == 0 && s.f1 == 0);
    ASSERT_OK(NULL, gm_graph_compare(subjects->context, 1, truth, found, 0, &s));
    assert_true(s.f1 == 1 && s.precision == 1 && s.recall == 1);
    gm_context *context = subjects->context;
    const double bad[4] = {0, NAN, 0, 0};
#define REJECT(call, text) ASSERT_FAILS(context, call, GM_STATUS_INVALID_ARGUMENT, text)
    REJECT(gm_graph_compare(context, 3, NULL, found, 0, &s), "truth is NULL");
    REJECT(gm_graph_compare(context, 3, truth, NULL, 0, &s), "coupling is NULL");
    REJECT(gm_graph_compare(context, 3, truth, found, 0, NULL), "score is NULL");
    REJECT(gm_graph_compare(context, 3, truth, found, NAN, &s), "threshold = nan");
    REJECT(gm_graph_compare(context, -1, truth, found, 0, &s), "sites = -1");
    REJECT(gm_graph_compare(context, 2, truth, bad, 0, &s), "entry (0, 1) is not finite");
}

static void test_errors(void **state) {
    (void)state;
    gm_context *context = subjects->context;
    int8_t spins[6] = {1, -1, 1, 1, -1, -1};
    double weights[3] = {1, 2, 3}, field[2] = {7, 7}, theta[2] = {0, 0}, value = 7;
    const gm_inverse_ising_options none = {0};
    const gm_inverse_ising_result result = {.field = field};
#define DATA(...) (&(const gm_inverse_ising_data){__VA_ARGS__})
#define OPTIONS(...) (&(const gm_inverse_ising_options){__VA_ARGS__})
    const gm_inverse_ising_data *good = DATA(2, 3, spins, weights);
#define FIT(data, options) gm_inverse_ising_fit(context, data, options, &result)
    ASSERT_FAILS(NULL, gm_inverse_ising_fit(NULL, good, &none, &result), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    REJECT(gm_inverse_ising_fit(context, good, &none, NULL), "result is NULL");
    REJECT(FIT(NULL, &none), "data is NULL");
    REJECT(FIT(good, NULL), "options is NULL");
    REJECT(FIT(DATA(0, 3, spins, NULL), &none), "data.sites = 0");
    REJECT(FIT(DATA(4097, 3, spins, NULL), &none), "data.sites = 4097");
    REJECT(FIT(DATA(2, 0, spins, NULL), &none), "data.samples = 0");
    REJECT(FIT(DATA(2, (1 << 30) + 1, spins, NULL), &none), "data.samples = 1073741825");
    REJECT(FIT(DATA(2, 3, NULL, NULL), &none), "data.spins is NULL");
    REJECT(FIT(good, OPTIONS(.method = (gm_inverse_ising_method)3)), "options.method = 3");
    REJECT(FIT(good, OPTIONS(.lambda = -1)), "options.lambda = -1");
    REJECT(FIT(good, OPTIONS(.lambda = NAN)), "options.lambda = nan");
    REJECT(FIT(good, OPTIONS(.tolerance = INFINITY)), "options.tolerance = inf");
    REJECT(FIT(good, OPTIONS(.most_steps = -3)), "options.most_steps = -3");
    weights[1] = -1;
    REJECT(FIT(good, &none), "data.weights[1] = -1");
    weights[1] = NAN;
    REJECT(FIT(good, &none), "data.weights[1] = nan");
    weights[0] = weights[1] = weights[2] = 0;
    REJECT(FIT(good, &none), "their sum is 0");
    weights[1] = 1;
    spins[3] = 0;
    REJECT(FIT(good, &none), "data.spins[3] = 0");
    spins[3] = 1;
    assert_true(field[0] == 7 && field[1] == 7);
#define OBJECTIVE(method, site, parameters)                                                        \
    gm_inverse_ising_objective(context, good, method, site, parameters, &value, NULL)
    REJECT(OBJECTIVE((gm_inverse_ising_method)-1, 0, theta), "method = -1");
    REJECT(OBJECTIVE(GM_INVERSE_ISING_RISE, 2, theta), "site = 2: there are 2");
    REJECT(OBJECTIVE(GM_INVERSE_ISING_RISE, -1, theta), "site = -1");
    REJECT(OBJECTIVE(GM_INVERSE_ISING_RISE, 0, NULL), "parameters is NULL");
    theta[1] = INFINITY;
    REJECT(OBJECTIVE(GM_INVERSE_ISING_RISE, 0, theta), "parameters[1] = inf");
    assert_true(value == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_population), cmocka_unit_test(test_optimality),
        cmocka_unit_test(test_majority),   cmocka_unit_test(test_lattice),
        cmocka_unit_test(test_threads),    cmocka_unit_test(test_score),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
