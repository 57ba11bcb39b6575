/*
 * Factor graphs: all joint states against closed forms; chains against all joint states, by
 * marginals from exact stationary starts and by whole rows of the kernel's matrix.
 *
 * Statistical claims: chains are independent, so a count is binomial and (count - n p) / sd a
 * standard normal but for its discreteness (n p > 30 wherever it is looked at): |z| > 5.5 has
 * probability 4e-8. There are below 250 comparisons: a false alarm has probability below 1e-5 for a
 * seed that is drawn, and the seeds are fixed.
 */
#include "tests/factor_fixture.h"

#define Z_BOUND 5.5

/* ---- exact results --------------------------------------------------------------------------- */

/* Probability of label 1 of each variable, labels of the clamped ones, log Z. */
static void expect_bits(const net *n, const uint8_t *evidence, double log_z, const double *up) {
    double got_z, marginal[2 * NET_VARIABLES];
    ASSERT_OK(subjects->context, gm_factor_graph_enumerate(subjects->context, &n->model, evidence,
                                                           1, &got_z, marginal));
    ASSERT_NEAR(subjects, got_z, log_z, 2e-12);
    for (int i = 0; i < n->model.variables; ++i) {
        ASSERT_NEAR(subjects, marginal[2 * i + 1], up[i], 1e-10); /* digits of the oracle */
        ASSERT_NEAR(subjects, marginal[2 * i] + marginal[2 * i + 1], 1, 1e-15);
    }
}

static void test_bayes_net(void **state) {
    (void)state;
    net *n = bayes_net();
    expect_bits(n, NULL, 0, (const double[]){0.3, 0.38, 0.49, 0.404});
    static const struct {
        uint8_t clamped[4], evidence[4];
        double z;
        double a, b, c;
    } cases[] = {
        {{0, 1, 0, 0}, {0, 1, 0, 0}, 0.38, 0.631578947368, 1, 0.589473684211},
        {{0, 1, 1, 0}, {0, 1, 1, 0}, 0.224, 0.75, 1, 1},
        {{0, 1, 1, 0}, {0, 0, 0, 0}, 0.354, 0.0508474576271, 0, 0},
        {{1, 1, 1, 0}, {1, 1, 1, 0}, 0.168, 1, 1, 1},
    };
    for (int i = 0; i < COUNT(cases); ++i) {
        memcpy(n->clamped, cases[i].clamped, 4);
        const double b = cases[i].b;
        const double up[4] = {cases[i].a, b, cases[i].c, 0.9 * b + 0.1 * (1 - b)};
        expect_bits(n, cases[i].evidence, log(cases[i].z), up);
    }
    memcpy(n->clamped, (const uint8_t[]){0, 0, 0, 1}, 4);
    double marginal[8];
    ASSERT_OK(NULL, gm_factor_graph_enumerate(subjects->context, &n->model,
                                              (const uint8_t[]){0, 0, 0, 1}, 1, NULL, marginal));
    ASSERT_NEAR(subjects, marginal[1], 0.549504950495, 1e-12);
    free(n);
}

static const double weather[] = {0.6, 0.4}, next_weather[] = {0.8, 0.2, 0.4, 0.6};
static const double umbrella[] = {0.3, 0.7, 0.9, 0.1}; /* sunny, rainy; umbrella, none */

/* Hidden states 0 to steps - 1, observations after them, clamped. */
static net *hidden_markov(int steps, int states, int symbols, const double *start,
                          const double *step, const double *emission) {
    int32_t cardinality[NET_VARIABLES];
    for (int i = 0; i < 2 * steps; ++i) {
        cardinality[i] = i < steps ? states : symbols;
    }
    net *n = new_net(2 * steps, cardinality);
    add_logs(n, 0, -1, -1, -1, start);
    for (int t = 0; t < steps; ++t) {
        if (t > 0) {
            add_logs(n, t - 1, t, -1, -1, step);
        }
        add_logs(n, t, steps + t, -1, -1, emission);
        n->clamped[steps + t] = 1;
    }
    return n;
}

static void test_hidden_markov(void **state) {
    (void)state;
    net *n = hidden_markov(3, 2, 2, weather, next_weather, umbrella);
    expect_bits(
        n, (const uint8_t[]){0, 0, 0, 0, 1, 0}, log(0.101304),
        (const double[]){1 - 0.441364605544, 1 - 0.835820895522, 1 - 0.507462686567, 0, 1, 0});
    double total = 0;
    for (int k = 0; k < 8; ++k) {
        const uint8_t seen[6] = {
            0, 0, 0, (uint8_t)(k & 1), (uint8_t)(k >> 1 & 1), (uint8_t)(k >> 2)};
        double log_z;
        ASSERT_OK(NULL,
                  gm_factor_graph_enumerate(subjects->context, &n->model, seen, 1, &log_z, NULL));
        total += exp(log_z);
    }
    ASSERT_NEAR(subjects, total, 1, 1e-14);
    free(n);
}

enum { STEPS = 8, HIDDEN = 3, SYMBOLS = 4 };

/* gamma: (STEPS, HIDDEN) the smoothed probabilities; returns the likelihood. */
static double forward_backward(const double *start, const double *step, const double *emission,
                               const uint8_t *seen, double *gamma) {
    double alpha[STEPS][HIDDEN], beta[STEPS][HIDDEN], z = 0;
    for (int t = 0; t < STEPS; ++t) {
        for (int j = 0; j < HIDDEN; ++j) {
            double sum = t == 0 ? start[j] : 0;
            for (int i = 0; i < HIDDEN && t > 0; ++i) {
                sum += alpha[t - 1][i] * step[i * HIDDEN + j];
            }
            alpha[t][j] = sum * emission[j * SYMBOLS + seen[t]];
        }
    }
    for (int t = STEPS; t-- > 0;) {
        for (int i = 0; i < HIDDEN; ++i) {
            beta[t][i] = t == STEPS - 1 ? 1 : 0;
            for (int j = 0; j < HIDDEN && t + 1 < STEPS; ++j) {
                beta[t][i] +=
                    step[i * HIDDEN + j] * emission[j * SYMBOLS + seen[t + 1]] * beta[t + 1][j];
            }
        }
    }
    for (int i = 0; i < HIDDEN; ++i) {
        z += alpha[STEPS - 1][i];
    }
    for (int k = 0; k < STEPS * HIDDEN; ++k) {
        gamma[k] = alpha[k / HIDDEN][k % HIDDEN] * beta[k / HIDDEN][k % HIDDEN] / z;
    }
    return z;
}

static void test_parity_codes(void **state) {
    (void)state;
    static const struct {
        int bits, checks, checked[4][5];
        double sigma, mu0, y[8], log_z, up[8];
    } codes[] = {
        {6,
         3,
         {{0, 1, 3, -1}, {1, 2, 4, -1}, {0, 2, 5, -1}},
         0.8,
         -1,
         {0.3, -0.9, 1.1, -0.2, 0.4, -1.3},
         -1.823771419069,
         {0.980810659443, 0.031426999283, 0.992670808314, 0.951040395388, 0.962798168607,
          0.012279155762}},
        {5,
         2,
         {{0, 1, 2, -1}, {2, 3, 4, -1}},
         0.8,
         -1,
         {0.3, -0.9, 1.1, -0.2, 0.4},
         NAN,
         {0.968577239499, 0.024077864959, 0.989994305262, 0.138151098542, 0.864877722605}},
        {8,
         4,
         {{0, 1, 2, -1}, {2, 3, 4, 7, -1}, {0, 5, 6, -1}, {1, 3, 5, 7, -1}},
         1.2,
         1,
         {0.559, 2.546, 1.233, 2.104, -0.307, -1.764, -0.35, -1.38},
         NAN,
         {0.03538685, 0.00330904, 0.03443071, 0.0104544, 0.96030303, 0.99074487, 0.96030303,
          0.98490125}},
    };
    for (int k = 0; k < COUNT(codes); ++k) {
        net *n = new_net(codes[k].bits, NULL);
        for (int c = 0; c < codes[k].checks; ++c) {
            const int *v = codes[k].checked[c];
            const bool four = v[3] >= 0;
            double *table = add_factor(n, v[0], v[1], v[2], four ? v[3] : -1);
            for (int e = 0; e < (four ? 16 : 8); ++e) {
                table[e] = __builtin_parity((unsigned)e) != 0 ? -INFINITY : 0;
            }
        }
        for (int i = 0; i < codes[k].bits; ++i) {
            double *table = add_factor(n, i, -1, -1, -1);
            for (int x = 0; x < 2; ++x) {
                const double d = codes[k].y[i] - codes[k].mu0 * (1 - 2 * x);
                table[x] = -d * d / (2 * codes[k].sigma * codes[k].sigma);
            }
        }
        double log_z, marginal[16];
        ASSERT_OK(NULL, gm_factor_graph_enumerate(subjects->context, &n->model, NULL, 1, &log_z,
                                                  marginal));
        if (!isnan(codes[k].log_z)) {
            ASSERT_NEAR(subjects, log_z, codes[k].log_z, 1e-12);
        }
        for (int i = 0; i < codes[k].bits; ++i) { /* the digits of the oracles */
            ASSERT_NEAR(subjects, marginal[2 * i + 1], codes[k].up[i], k < 2 ? 1e-12 : 5e-9);
        }
        free(n);
    }
}

/* The small Boltzmann machine and the tree of the book, and a chain of q labels in closed form. */
static void test_closed_forms(void **state) {
    (void)state;
    net *n = new_net(3, NULL);
    add_factor(n, 0, 2, -1, -1)[3] = 1;
    add_factor(n, 1, 2, -1, -1)[3] = -1;
    expect_bits(n, NULL, log(9.086161269630487),
                (const double[]){0.629339680286304, 0.370660319713696, 0.559770085374825});
    free(n);
    static const int edges[6][2] = {{0, 1}, {1, 2}, {1, 3}, {3, 4}, {3, 5}, {5, 6}};
    static const double coupling[] = {0.5, -0.7, 0.3, 0.9, -0.4, 0.6};
    static const double field[] = {0.1, -0.2, 0.3, 0, 0.25, -0.15, 0.05};
    static const double mean[] = {-0.0412920081, -0.2613795042, 0.3400105840, 0.1295921495,
                                  0.2130712801,  -0.1536859217, -0.0468153903};
    n = new_net(7, NULL);
    double up[7];
    for (int e = 0; e < 13; ++e) {
        double *t = e < 6 ? add_factor(n, edges[e][0], edges[e][1], -1, -1)
                          : add_factor(n, e - 6, -1, -1, -1);
        for (int k = 0; k < (e < 6 ? 4 : 2); ++k) {
            t[k] = e < 6 ? (k == 0 || k == 3 ? coupling[e] : -coupling[e])
                         : (2 * k - 1) * field[e - 6];
        }
    }
    for (int i = 0; i < 7; ++i) {
        up[i] = (1 + mean[i]) / 2;
    }
    expect_bits(n, NULL, 5.965042619996468, up);
    free(n);
    const int32_t three[10] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    n = new_net(10, three);
    for (int i = 0; i < 9; ++i) {
        double *t = add_factor(n, i, i + 1, -1, -1);
        t[0] = t[4] = t[8] = 0.8;
    }
    double log_z, marginal[30];
    ASSERT_OK(NULL, gm_factor_graph_enumerate(subjects->context, &n->model, NULL, -1.5, &log_z,
                                              marginal));
    ASSERT_NEAR(subjects, log_z, log(3) + 9 * log(exp(-1.2) + 2), 1e-13);
    for (int k = 0; k < 30; ++k) {
        ASSERT_NEAR(subjects, marginal[k], 1.0 / 3, 1e-14);
    }
    free(n);
}

/* ---- chains against exact results ------------------------------------------------------------ */

/* The joint law of a small net by plain loops. */
typedef struct joint_law {
    const net *n;
    int states;
    double *p;       /* (states) */
    uint8_t *labels; /* (states, variables) */
} joint_law;

static joint_law law_of(const net *n, const uint8_t *evidence, double beta) {
    const int variables = (int)n->model.variables;
    joint_law law = {.n = n, .states = 1};
    for (int i = 0; i < variables; ++i) {
        law.states *= n->clamped[i] != 0 ? 1 : n->cardinality[i];
    }
    law.p = calloc((size_t)law.states, sizeof *law.p);
    law.labels = calloc((size_t)law.states, NET_VARIABLES);
    assert_true(law.p != NULL && law.labels != NULL);
    double z = 0;
    for (int s = 0; s < law.states; ++s) {
        uint8_t *labels = law.labels + s * variables;
        for (int i = 0, rest = s; i < variables; ++i) {
            const int q = n->clamped[i] != 0 ? 1 : n->cardinality[i];
            labels[i] = n->clamped[i] != 0 ? evidence[i] : (uint8_t)(rest % q);
            rest /= q;
        }
        const double potential = potential_of(&n->model, labels);
        law.p[s] = potential == -INFINITY ? 0 : exp(beta * potential);
        z += law.p[s];
    }
    for (int s = 0; s < law.states; ++s) {
        law.p[s] /= z;
    }
    return law;
}

static void free_law(joint_law *law) {
    free(law->p);
    free(law->labels);
}

/* Chains that start from the law itself still have it after some sweeps. */
static void expect_stationary(net *n, const uint8_t *evidence, double beta, gm_ising_order order,
                              int chains, int *comparisons) {
    const int variables = (int)n->model.variables;
    joint_law law = law_of(n, evidence, beta);
    double *betas = malloc((size_t)chains * sizeof *betas);
    uint8_t *labels = malloc((size_t)(chains * variables));
    uint64_t counts[2048], random = 77;
    for (int c = 0; c < chains; ++c) {
        double u = (double)(next_random(&random) >> 11) * 0x1p-53;
        int s = 0;
        while (s + 1 < law.states && (u -= law.p[s]) >= 0) {
            ++s;
        }
        memcpy(labels + c * variables, law.labels + s * variables, (size_t)variables);
        betas[c] = beta;
    }
    const factor_run burn = {
        .chains = chains, .sweeps = {.seed = 3, .sweeps = 2}, .beta = betas, .labels = labels};
    factor_run last = burn;
    last.sweeps.first_sweep = 2;
    last.sweeps.sweeps = 1;
    last.counts = counts;
    last.reduced = true;
    n->model.order = order;
    run_net(&subjects[1], n, &burn);
    run_net(&subjects[1], n, &last);
    for (int i = 0, column = 0; i < variables; ++i) {
        for (int v = 0; v < n->cardinality[i]; ++v, ++column) {
            double p = 0;
            for (int s = 0; s < law.states; ++s) {
                p += law.labels[s * variables + i] == v ? law.p[s] : 0;
            }
            const double mean = chains * p, sd = sqrt(chains * p * (1 - p) + 1e-9);
            if (mean == 0 || n->clamped[i] != 0) { /* never, or always */
                assert_true((double)counts[column] == nearbyint(mean));
            } else if (mean > 30 && chains - mean > 30) {
                ASSERT_NEAR(&subjects[1], ((double)counts[column] - mean) / sd, 0, Z_BOUND);
                *comparisons += 1;
            }
        }
    }
    free(betas);
    free(labels);
    free_law(&law);
}

static void test_stationary(void **state) {
    (void)state;
    int comparisons = 0;
    static const gm_ising_order orders[] = {GM_ISING_COLOURED, GM_ISING_RANDOM, GM_ISING_RASTER};
    net *n = bayes_net();
    n->clamped[3] = 1;
    const uint8_t evidence[4] = {0, 0, 0, 1};
    for (int k = 0; k < 3; ++k) {
        expect_stationary(n, evidence, 1, orders[k], 20000, &comparisons);
    }
    free(n);
    n = tangled_net(0.05);
    expect_stationary(n, NULL, 0.8, GM_ISING_COLOURED, 20000, &comparisons);
    expect_stationary(n, NULL, -1.3, GM_ISING_RASTER, 20000, &comparisons);
    expect_stationary(n, NULL, 0, GM_ISING_COLOURED, 20000, &comparisons);
    expect_stationary(n, NULL, 1, GM_ISING_RANDOM, 20000, &comparisons);
    free(n);
    assert_in_range(comparisons, 80, 150);
}

/* A longer hidden Markov model: enumeration against forward-backward, and chains. */
static void test_smoothing(void **state) {
    (void)state;
    static const double start[HIDDEN] = {0.5, 0.3, 0.2};
    static const double step[HIDDEN * HIDDEN] = {0.7, 0.2, 0.1, 0.25, 0.5, 0.25, 0.1, 0.3, 0.6};
    static const double emission[HIDDEN * SYMBOLS] = {0.6, 0.2, 0.15, 0.05, 0.1, 0.5,
                                                      0.3, 0.1, 0.05, 0.15, 0.2, 0.6};
    static const uint8_t seen[STEPS] = {0, 0, 1, 3, 3, 2, 0, 1};
    net *n = hidden_markov(STEPS, HIDDEN, SYMBOLS, start, step, emission);
    double gamma[STEPS * HIDDEN], log_z, marginal[STEPS * (HIDDEN + SYMBOLS)];
    uint8_t evidence[2 * STEPS] = {0};
    memcpy(evidence + STEPS, seen, STEPS);
    const double z = forward_backward(start, step, emission, seen, gamma);
    ASSERT_OK(NULL, gm_factor_graph_enumerate(subjects->context, &n->model, evidence, 1, &log_z,
                                              marginal));
    ASSERT_NEAR(subjects, log_z, log(z), 1e-13);
    for (int k = 0; k < STEPS * HIDDEN; ++k) {
        ASSERT_NEAR(subjects, marginal[k], gamma[k], 1e-14);
    }
    int comparisons = 0;
    expect_stationary(n, evidence, 1, GM_ISING_COLOURED, 20000, &comparisons);
    expect_stationary(n, evidence, 1, GM_ISING_RASTER, 20000, &comparisons);
    assert_int_equal(comparisons, 2 * STEPS * HIDDEN);
    free(n);
}

/* row: the law after updating one variable, from the law before. */
static void push_update(const joint_law *law, int variable, const double *before, double *after) {
    const int variables = (int)law->n->model.variables;
    memset(after, 0, (size_t)law->states * sizeof *after);
    for (int s = 0; s < law->states; ++s) {
        double total = 0;
        for (int pass = 0; pass < 2; ++pass) {
            for (int t = 0; t < law->states; ++t) {
                bool same = true;
                for (int i = 0; i < variables; ++i) {
                    same = same && (i == variable || law->labels[s * variables + i] ==
                                                         law->labels[t * variables + i]);
                }
                if (same && pass == 0) {
                    total += law->p[t];
                } else if (same) {
                    after[t] += before[s] * law->p[t] / total;
                }
            }
        }
    }
}

/* Rows of the kernel's matrix: where one sweep leads from one state, in every order. */
static void test_rows(void **state) {
    (void)state;
    enum { CHAINS = 40000, STATES = 24 };
    static const int32_t cardinality[3] = {2, 3, 4};
    static const int order_of[2][3] = {{0, 2, 1}, {0, 1, 2}}; /* COLOURED, RASTER */
    net *n = new_net(3, cardinality);
    uint64_t random = 21;
    for (int a = 0; a < 3; ++a) {
        const int64_t before = n->entries;
        double *table = a < 2 ? add_factor(n, a, a + 1, -1, -1) : add_factor(n, 1, -1, -1, -1);
        for (int64_t k = 0; k < n->entries - before; ++k) {
            table[k] = random_between(&random, -1, 1);
        }
    }
    joint_law law = law_of(n, NULL, 1.2);
    assert_int_equal(law.states, STATES);
    double *beta = malloc(CHAINS * sizeof *beta);
    uint8_t *labels = malloc(3 * CHAINS);
    for (int k = 0; k < 3; ++k) {
        const int from = 5 + 7 * k;
        double row[STATES] = {0}, next[STATES];
        row[from] = 1;
        for (int u = 0; u < 3; ++u) {
            double mean[STATES] = {0};
            for (int v = 0; v < 3; ++v) {
                push_update(&law, k == 2 ? v : order_of[k][u], row, next);
                for (int s = 0; s < STATES; ++s) {
                    mean[s] += next[s] / 3;
                }
            }
            memcpy(row, mean, sizeof row);
        }
        for (int c = 0; c < CHAINS; ++c) {
            beta[c] = 1.2;
            memcpy(labels + 3 * c, law.labels + 3 * from, 3);
        }
        n->model.order = k == 0 ? GM_ISING_COLOURED : k == 1 ? GM_ISING_RASTER : GM_ISING_RANDOM;
        run_net(&subjects[1], n,
                &(const factor_run){.chains = CHAINS,
                                    .sweeps = {.seed = 4, .sweeps = 1},
                                    .beta = beta,
                                    .labels = labels});
        int count[STATES] = {0};
        for (int c = 0; c < CHAINS; ++c) {
            const uint8_t *x = labels + 3 * c;
            count[x[0] + 2 * x[1] + 6 * x[2]] += 1;
        }
        for (int s = 0; s < STATES; ++s) {
            assert_true(CHAINS * row[s] > 30);
            ASSERT_NEAR(&subjects[1],
                        (count[s] - CHAINS * row[s]) / sqrt(CHAINS * row[s] * (1 - row[s])), 0,
                        Z_BOUND);
        }
    }
    free(beta);
    free(labels);
    free_law(&law);
    free(n);
}

/* One variable of 256 labels: every sweep is an independent draw. chi^2 of 255 degrees of freedom
 * is below 411 and above 139 but for probability 1e-8. */
static void test_many_labels(void **state) {
    (void)state;
    enum { DRAWS = 100000, CHAINS = 100 };
    const int32_t cardinality = 256;
    net *n = new_net(1, &cardinality);
    double *table = add_factor(n, 0, -1, -1, -1), beta[CHAINS], marginal[256], chi2 = 0;
    uint8_t labels[CHAINS] = {0};
    uint64_t counts[256], random = 12;
    for (int v = 0; v < 256; ++v) {
        table[v] = random_between(&random, -1, 1);
    }
    for (int c = 0; c < CHAINS; ++c) {
        beta[c] = 1;
    }
    run_net(&subjects[1], n,
            &(const factor_run){.chains = CHAINS,
                                .sweeps = {.seed = 5, .sweeps = DRAWS / CHAINS},
                                .beta = beta,
                                .labels = labels,
                                .counts = counts,
                                .reduced = true});
    ASSERT_OK(NULL,
              gm_factor_graph_enumerate(subjects->context, &n->model, NULL, 1, NULL, marginal));
    for (int v = 0; v < 256; ++v) {
        const double mean = DRAWS * marginal[v];
        chi2 += ((double)counts[v] - mean) * ((double)counts[v] - mean) / mean;
    }
    ASSERT_NEAR(&subjects[1], chi2, 275, 136);
    free(n);
}

/* 1.2 million independent draws of one variable: the mean of theta follows beta with the slope of
 * its variance, so that a beta off by 1 % would be off by more than 9 standard errors. */
static void test_temperature(void **state) {
    (void)state;
    enum { CHAINS = 1000, SWEEPS = 1200, LABELS = 8 };
    const int32_t cardinality = LABELS;
    net *n = new_net(1, &cardinality);
    double *table = add_factor(n, 0, -1, -1, -1), z = 0, mean = 0, square = 0, got = 0;
    double *beta = malloc(CHAINS * sizeof *beta);
    uint8_t labels[CHAINS] = {0};
    uint64_t counts[LABELS];
    for (int v = 0; v < LABELS; ++v) {
        table[v] = 1.0 * v;
        z += exp(0.6 * table[v]);
        mean += exp(0.6 * table[v]) * table[v];
        square += exp(0.6 * table[v]) * table[v] * table[v];
    }
    for (int c = 0; c < CHAINS; ++c) {
        beta[c] = 0.6;
    }
    run_net(&subjects[1], n,
            &(const factor_run){.chains = CHAINS,
                                .sweeps = {.seed = 6, .sweeps = SWEEPS},
                                .beta = beta,
                                .labels = labels,
                                .counts = counts,
                                .reduced = true});
    for (int v = 0; v < LABELS; ++v) {
        got += (double)counts[v] * table[v] / (CHAINS * SWEEPS);
    }
    const double variance = square / z - mean / z * (mean / z);
    assert_true(0.01 * 0.6 * sqrt(variance * CHAINS * SWEEPS) > 9);
    ASSERT_NEAR(&subjects[1], (got - mean / z) / sqrt(variance / (CHAINS * SWEEPS)), 0, Z_BOUND);
    free(beta);
    free(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bayes_net),    cmocka_unit_test(test_hidden_markov),
        cmocka_unit_test(test_parity_codes), cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_stationary),   cmocka_unit_test(test_smoothing),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_temperature),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
