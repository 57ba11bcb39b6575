/*
 * Hopfield networks: couplings by their formulas, fixed points, energies that never rise, the
 * seven-bit codes of the book by all their error patterns, the first step's errors against a
 * binomial law, capacity, the stochastic dynamics against its exact law; the same bits everywhere.
 *
 * Statistical claims have fixed seeds; |z| > 5.2 has probability 2e-7, and there are 11.
 */
#include "tests/ensemble.h"

#include <genmath/hopfield.h>

#define Z_BOUND 5.2

typedef struct outcomes {
    double *energy;
    int32_t *overlap, *sweeps, *status;
} outcomes;

static void free_outcomes(outcomes *o) {
    free(o->energy);
    free(o->overlap);
    free(o->sweeps);
    free(o->status);
}

static void *sent(const subject *s, const void *host, size_t bytes) {
    void *memory;
    ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes > 0 ? bytes : 64, &memory));
    if (host != NULL) {
        ASSERT_OK(s->context, gm_memory_upload(s->context, memory, host, bytes));
    }
    return memory;
}

static void *fetched(const subject *s, void *memory, size_t bytes) {
    void *host = malloc(bytes + 1);
    assert_non_null(host);
    ASSERT_OK(s->context, gm_memory_download(s->context, host, memory, bytes));
    ASSERT_OK(s->context, gm_memory_free(s->context, memory));
    return host;
}

/* Runs the probes of a model, replacing states: (probes, neurons). by_neuron: in memory the probes
 * of a neuron are side by side. */
static outcomes run_model(const subject *s, const gm_hopfield_model *m,
                          const gm_hopfield_run_options *options, bool by_neuron, int8_t *states) {
    gm_hopfield_plan *plan;
    ASSERT_OK(s->context, gm_hopfield_plan_create(s->context, m, &plan));
    const size_t probes = (size_t)m->probes, count = probes * (size_t)m->neurons;
    int8_t *packed = malloc(count + 1);
    for (int64_t k = 0; k < (int64_t)count; ++k) {
        packed[by_neuron ? k % m->neurons * m->probes + k / m->neurons : k] = states[k];
    }
    const size_t sizes[5] = {count, probes * 8, probes * (size_t)m->patterns * 4, probes * 4,
                             probes * 4};
    void *memory[5];
    for (int i = 0; i < 5; ++i) {
        memory[i] = sent(s, i == 0 ? packed : NULL, sizes[i]);
    }
    gm_tensor x = gm_tensor_2d(memory[0], GM_I8, m->probes, m->neurons);
    if (by_neuron) {
        x.stride[0] = 1;
        x.stride[1] = m->probes;
    }
    const gm_tensor energy = gm_tensor_1d(memory[1], GM_F64, m->probes);
    const gm_tensor overlap = gm_tensor_2d(memory[2], GM_I32, m->probes, m->patterns);
    const gm_tensor sweeps = gm_tensor_1d(memory[3], GM_I32, m->probes);
    const gm_tensor status = gm_tensor_1d(memory[4], GM_I32, m->probes);
    const gm_hopfield_result result = {&energy, &overlap, &sweeps, &status};
    gm_workspace w = {0};
    ASSERT_OK(s->context, gm_hopfield_run(plan, options, &x, &result, &w));
    w.data = sent(s, NULL, w.bytes);
    ASSERT_OK(s->context, gm_hopfield_run(plan, options, &x, &result, &w));
    ASSERT_OK(s->context, gm_memory_free(s->context, w.data));
    free(packed);
    packed = fetched(s, memory[0], sizes[0]);
    for (int64_t k = 0; k < (int64_t)count; ++k) {
        states[k] = packed[by_neuron ? k % m->neurons * m->probes + k / m->neurons : k];
    }
    free(packed);
    const outcomes o = {fetched(s, memory[1], sizes[1]), fetched(s, memory[2], sizes[2]),
                        fetched(s, memory[3], sizes[3]), fetched(s, memory[4], sizes[4])};
    gm_hopfield_plan_destroy(plan);
    return o;
}

static int8_t *random_signs(uint64_t seed, int64_t count) {
    int8_t *signs = malloc((size_t)count + 1);
    assert_non_null(signs);
    for (int64_t k = 0; k < count; ++k) {
        signs[k] = next_random(&seed) >> 63 != 0 ? 1 : -1;
    }
    return signs;
}

static double energy_of(int64_t n, const double *w, const double *bias, const int8_t *x) {
    double e = 0;
    for (int64_t i = 0; i < n; ++i) {
        e -= bias != NULL ? bias[i] * x[i] : 0;
        for (int64_t j = 0; j < n; ++j) {
            e -= 0.5 * w[i * n + j] * x[i] * x[j];
        }
    }
    return e;
}

/* ---- couplings ------------------------------------------------------------------------------- */

static void test_couplings(void **state) {
    (void)state;
    enum { N = 37, P = 5 };
    int8_t *xi = random_signs(4, P * N);
    double w[N * N];
    gm_hopfield_plan *plan;
    gm_hopfield_info info;
    gm_hopfield_model m = {.neurons = N, .patterns = P, .pattern = xi};
    ASSERT_OK(NULL, gm_hopfield_plan_create(subjects->context, &m, &plan));
    ASSERT_OK(NULL, gm_hopfield_couplings(plan, w));
    ASSERT_OK(NULL, gm_hopfield_plan_info(plan, &info));
    assert_true(info.quantum == 1.0 / N && info.rounding == 0 && info.rcond == 1);
    for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) {
            int sum = 0;
            for (int p = 0; p < P && i != j; ++p) {
                sum += xi[p * N + i] * xi[p * N + j];
            }
            assert_true(w[i * N + j] == info.quantum * sum);
        }
    }
    gm_ising_model ising;
    ASSERT_OK(NULL, gm_hopfield_ising(plan, &ising));
    double edges = 0;
    for (int64_t e = 0; e < ising.edges; ++e) {
        const int32_t a = ising.ends[2 * e], b = ising.ends[2 * e + 1];
        assert_true(a < b && ising.coupling[e] == w[a * N + b] && ising.coupling[e] != 0);
        edges += 2;
    }
    for (int k = 0; k < N * N; ++k) {
        edges -= w[k] != 0;
    }
    assert_true(edges == 0);
    gm_hopfield_plan_destroy(plan);
    /* The projection onto the patterns: W with its diagonal is one, so (W + D) xi = xi. */
    m.rule = GM_HOPFIELD_PSEUDO_INVERSE;
    ASSERT_OK(NULL, gm_hopfield_plan_create(subjects->context, &m, &plan));
    ASSERT_OK(NULL, gm_hopfield_couplings(plan, w));
    ASSERT_OK(NULL, gm_hopfield_plan_info(plan, &info));
    assert_true(info.rounding <= info.quantum / 2 && info.rcond > 0.1);
    double trace = 0;
    for (int i = 0; i < N; ++i) {
        double diagonal = 0;
        for (int p = 0; p < P; ++p) {
            double field = 0;
            for (int j = 0; j < N; ++j) {
                field += w[i * N + j] * xi[p * N + j];
            }
            const double own = 1 - field * xi[p * N + i]; /* the dropped diagonal */
            diagonal = p == 0 ? own : diagonal;
            ASSERT_NEAR(subjects, own, diagonal, 2 * N * info.quantum);
        }
        trace += diagonal;
    }
    ASSERT_NEAR(subjects, trace, P, 2 * N * N * info.quantum); /* the rank */
    gm_hopfield_plan_destroy(plan);
    free(xi);
}

/* ---- retrieval ------------------------------------------------------------------------------- */

/* Words of the book's code as signs, all 128 errors of each: the weight of the probes that come
 * back to their word, for flips of probability p. */
static double code_success(const subject *s, const int *words, int count, int tie_is_up, double p) {
    int8_t pattern[2 * 7], states[256 * 7];
    for (int k = 0; k < count * 7; ++k) {
        pattern[k] = (words[k / 7] >> (6 - k % 7) & 1) != 0 ? 1 : -1;
    }
    for (int r = 0; r < count * 128; ++r) {
        for (int i = 0; i < 7; ++i) {
            states[7 * r + i] = (int8_t)(pattern[r / 128 * 7 + i] * ((r >> i & 1) != 0 ? -1 : 1));
        }
    }
    const gm_hopfield_model m = {
        .neurons = 7, .patterns = count, .pattern = pattern, .probes = count * 128};
    outcomes o =
        run_model(s, &m, &(const gm_hopfield_run_options){.sweeps = 100, .tie_is_up = tie_is_up},
                  false, states);
    double success = 0;
    for (int r = 0; r < count * 128; ++r) {
        assert_int_equal(o.status[r], GM_STATUS_OK);
        const int flips = __builtin_popcount((unsigned)r % 128);
        if (o.overlap[r * count + r / 128] == 7) {
            success += pow(p, flips) * pow(1 - p, 7 - flips) / count;
        }
    }
    free_outcomes(&o);
    return success;
}

static void test_code_words(void **state) {
    (void)state;
    static const double p[] = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3};
    static const double two[] = {0.985553, 0.944784, 0.882191, 0.802816, 0.711914, 0.614656};
    static const double up[] = {0.943112, 0.874800, 0.798362, 0.716800, 0.632812, 0.548800};
    const int one[] = {0x5a}, pair[] = {0x00, 0x16};
    for (int k = 0; k < COUNT(p); ++k) {
        const double q = 1 - p[k];
        const double exact = pow(q, 7) + 7 * p[k] * pow(q, 6) + 21 * p[k] * p[k] * pow(q, 5) +
                             35 * pow(p[k], 3) * pow(q, 4);
        ASSERT_NEAR(subjects, code_success(subjects, one, 1, 0, p[k]), exact, 1e-14);
        ASSERT_NEAR(subjects, code_success(subjects, pair, 2, 0, p[k]), two[k], 5e-7);
        ASSERT_NEAR(subjects, code_success(subjects, pair, 2, 1, p[k]), up[k], 5e-7);
    }
}

/* Below capacity patterns are fixed points; the pseudo-inverse keeps correlated ones beyond it. */
static void test_fixed_points(void **state) {
    (void)state;
    enum { N = 200, FEW = 8, MANY = 90 };
    int8_t *xi = random_signs(9, MANY * N);
    for (int k = 0; k < MANY * N; ++k) { /* correlated: 70 % of the first pattern */
        if (k >= FEW * N && ((unsigned)k * 2654435761u >> 16 & 1) != 0) {
            xi[k] = xi[k % N];
        }
    }
    for (int kind = 0; kind < 2; ++kind) {
        const int64_t patterns = kind == 0 ? FEW : MANY;
        const gm_hopfield_model m = {.neurons = N,
                                     .patterns = patterns,
                                     .pattern = xi,
                                     .probes = patterns,
                                     .rule = (gm_hopfield_rule)kind};
        for (int synchronous = 0; synchronous < 2; ++synchronous) {
            int8_t states[MANY * N];
            memcpy(states, xi, (size_t)(patterns * N));
            outcomes o =
                run_model(subjects, &m,
                          &(const gm_hopfield_run_options){.sweeps = 3, .synchronous = synchronous},
                          false, states);
            assert_memory_equal(states, xi, (size_t)(patterns * N));
            for (int64_t p = 0; p < patterns; ++p) {
                assert_int_equal(o.status[p], GM_STATUS_OK);
                assert_int_equal(o.sweeps[p], 0);
                assert_int_equal(o.overlap[p * patterns + p], N);
            }
            free_outcomes(&o);
        }
    }
    free(xi);
}

/* One sweep at a time: no energy rises, each is that of the state, and at the end no neuron wants
 * to flip. Synchronous updates of two neurons with W < 0 that agree go round in a cycle of two. */
static void test_energies(void **state) {
    (void)state;
    enum { N = 61, P = 15, R = 40 };
    int8_t *xi = random_signs(5, P * N), *states = random_signs(6, R * N);
    double bias[N], w[N * N], before[R];
    uint64_t random = 3;
    for (int i = 0; i < N; ++i) {
        bias[i] = random_between(&random, -0.2, 0.2);
    }
    const gm_hopfield_model m = {
        .neurons = N, .patterns = P, .pattern = xi, .probes = R, .bias = bias};
    gm_hopfield_plan *plan;
    gm_hopfield_info info;
    ASSERT_OK(NULL, gm_hopfield_plan_create(subjects->context, &m, &plan));
    ASSERT_OK(NULL, gm_hopfield_couplings(plan, w));
    ASSERT_OK(NULL, gm_hopfield_plan_info(plan, &info));
    gm_hopfield_plan_destroy(plan);
    assert_true(info.rounding > 0 && info.rounding <= 0.5001 * info.quantum);
    for (int r = 0; r < R; ++r) {
        before[r] = energy_of(N, w, bias, states + r * N);
    }
    int settled = 0;
    for (int sweep = 0; sweep < 30 && settled < R; ++sweep) {
        outcomes o =
            run_model(subjects, &m, &(const gm_hopfield_run_options){.sweeps = 1}, false, states);
        settled = 0;
        for (int r = 0; r < R; ++r) {
            /* N^2 products of multiples of the quantum, and the biases' rounding */
            ASSERT_NEAR(subjects, o.energy[r], energy_of(N, w, bias, states + r * N),
                        N * info.rounding + 1e-13 * N);
            settled += o.status[r] == GM_STATUS_OK;
            assert_true(o.sweeps[r] == 0 ? o.status[r] == GM_STATUS_OK
                                         : o.energy[r] < before[r] + N * info.rounding);
            before[r] = o.energy[r];
        }
        free_outcomes(&o);
    }
    assert_int_equal(settled, R);
    for (int k = 0; k < R * N; ++k) {
        double field = bias[k % N];
        for (int j = 0; j < N; ++j) {
            field += w[k % N * N + j] * states[k / N * N + j];
        }
        assert_true(field * states[k] >= -2 * N * info.quantum);
    }
    free(xi);
    free(states);
    const int8_t apart[2] = {1, -1};
    int8_t same[2] = {1, 1};
    const gm_hopfield_model two = {.neurons = 2, .patterns = 1, .pattern = apart, .probes = 1};
    outcomes o =
        run_model(subjects, &two, &(const gm_hopfield_run_options){.sweeps = 51, .synchronous = 1},
                  false, same);
    assert_int_equal(o.status[0], GM_STATUS_NOT_CONVERGED);
    assert_int_equal(o.sweeps[0], 51);
    assert_true(same[0] == -1 && same[1] == -1);
    free_outcomes(&o);
}

/* P(X <= k) of n fair coins. */
static double coins_at_most(int n, int k) {
    double term = exp2(-n), sum = 0;
    for (int i = 0; i <= k; ++i) {
        sum += term;
        term *= (double)(n - i) / (i + 1);
    }
    return sum;
}

/*
 * One synchronous step from a stored pattern: xi_i f_i N = N - 1 + a sum of (N - 1)(P - 1) fair
 * signs, so that a neuron flips with a binomial probability. 200 networks; the standard error is
 * from their spread.
 */
static void test_first_step(void **state) {
    (void)state;
    enum { N = 60, P = 10, NETS = 200 };
    double sum = 0, squares = 0;
    for (int net = 0; net < NETS; ++net) {
        int8_t *xi = random_signs(1000 + (uint64_t)net, P * N), states[P * N];
        memcpy(states, xi, sizeof states);
        const gm_hopfield_model m = {.neurons = N, .patterns = P, .pattern = xi, .probes = P};
        outcomes o = run_model(&subjects[1], &m,
                               &(const gm_hopfield_run_options){.sweeps = 1, .synchronous = 1},
                               false, states);
        double flips = 0;
        for (int k = 0; k < P * N; ++k) {
            flips += states[k] != xi[k];
        }
        sum += flips;
        squares += flips * flips;
        free_outcomes(&o);
        free(xi);
    }
    /* flips where 2 heads - coins < -(N - 1) */
    const int coins = (N - 1) * (P - 1);
    const double p = coins_at_most(coins, (coins - (N - 1) - 1) / 2);
    const double mean = sum / NETS, sd = sqrt((squares / NETS - mean * mean) / (NETS - 1));
    assert_in_range((long)(p * 1e4), 20, 500);
    ASSERT_NEAR(&subjects[1], (mean - p * P * N) / sd, 0, Z_BOUND);
}

/* From stored patterns at 0.08 N and 0.20 N of them, on either side of 0.138 N: the mean overlap of
 * what they run into. The theory's for N to infinity are above 0.99, and about 0.3 to 0.4. */
static void test_capacity(void **state) {
    (void)state;
    enum { N = 500 };
    double mean[2];
    for (int k = 0; k < 2; ++k) {
        const int64_t patterns = k == 0 ? 40 : 100;
        int8_t *xi = random_signs(60 + (uint64_t)k, patterns * N);
        int8_t *states = malloc((size_t)(patterns * N));
        memcpy(states, xi, (size_t)(patterns * N));
        const gm_hopfield_model m = {
            .neurons = N, .patterns = patterns, .pattern = xi, .probes = patterns};
        outcomes o = run_model(&subjects[1], &m, NULL, false, states);
        mean[k] = 0;
        for (int64_t p = 0; p < patterns; ++p) {
            mean[k] += (double)o.overlap[p * patterns + p] / N / (double)patterns;
        }
        free_outcomes(&o);
        free(states);
        free(xi);
    }
    assert_true(mean[0] > 0.99);
    assert_true(mean[1] < 0.6 && mean[1] > 0.1);
}

/* Glauber dynamics with one pattern: P(k neurons as in it) ~ C(N, k) exp(beta ((2k - N)^2 - N) /
 * (2 N)); chains from exact starts keep the law of the overlap's square and of |overlap|. */
static void test_stochastic(void **state) {
    (void)state;
    enum { N = 24, CHAINS = 20000 };
    int8_t *xi = random_signs(2, N);
    const gm_hopfield_model m = {.neurons = N, .patterns = 1, .pattern = xi, .probes = 0};
    gm_hopfield_plan *plan;
    gm_ising_plan *chains;
    gm_ising_model ising;
    gm_context *context = subjects[1].context;
    ASSERT_OK(context, gm_hopfield_plan_create(context, &m, &plan));
    ASSERT_OK(context, gm_hopfield_ising(plan, &ising));
    ASSERT_OK(context, gm_ising_plan_create(context, &ising, &chains));
    double law[N + 1], z = 0, beta = 1.4;
    for (int k = 0; k <= N; ++k) {
        const double d = 2 * k - N;
        law[k] =
            exp(lgamma(N + 1) - lgamma(k + 1) - lgamma(N - k + 1) + beta * (d * d - N) / (2 * N));
        z += law[k];
    }
    int8_t *spins = malloc(CHAINS * N);
    uint64_t random = 8;
    for (int c = 0; c < CHAINS; ++c) {
        double u = (double)(next_random(&random) >> 11) * 0x1p-53 * z;
        int k = 0;
        while (k < N && (u -= law[k]) >= 0) {
            ++k;
        }
        for (int i = 0; i < N; ++i) { /* k of N, every choice alike */
            const bool takes = (double)(next_random(&random) >> 11) * 0x1p-53 * (N - i) < k;
            spins[c * N + i] = (int8_t)(takes ? xi[i] : -xi[i]);
            k -= takes;
        }
    }
    const gm_tensor b = {&beta, GM_F64, 1, {CHAINS}, {0}};
    const gm_tensor x = gm_tensor_2d(spins, GM_I8, CHAINS, N);
    gm_workspace w = {0};
    const gm_ising_sweeps run = {.seed = 4, .sweeps = 3};
    ASSERT_OK(context, gm_ising_run(chains, &run, &b, &x, NULL, &w));
    ASSERT_OK(context, gm_memory_alloc(context, w.bytes, &w.data));
    ASSERT_OK(context, gm_ising_run(chains, &run, &b, &x, NULL, &w));
    double got[N + 1] = {0};
    for (int c = 0; c < CHAINS; ++c) {
        int k = 0;
        for (int i = 0; i < N; ++i) {
            k += spins[c * N + i] == xi[i];
        }
        got[k] += 1;
    }
    for (int k = 0; k <= N; k += 3) {
        const double p = law[k] / z;
        ASSERT_NEAR(&subjects[1], (got[k] - CHAINS * p) / sqrt(CHAINS * p * (1 - p)), 0, Z_BOUND);
    }
    ASSERT_OK(context, gm_memory_free(context, w.data));
    gm_ising_plan_destroy(chains);
    gm_hopfield_plan_destroy(plan);
    free(spins);
    free(xi);
}

/* ---- the same bits everywhere ---------------------------------------------------------------- */

static void test_bits(void **state) {
    (void)state;
    enum { N = 150, P = 30, R = 19 };
    int8_t *xi = random_signs(11, P * N), *start = random_signs(12, R * N);
    start[4 * N + 77] = 0; /* probe 4 is none */
    double bias[N];
    for (int i = 0; i < N; ++i) {
        bias[i] = 0.01 * (i % 7) - 0.03;
    }
    for (int kind = 0; kind < 8; ++kind) {
        const gm_hopfield_model m = {.neurons = N,
                                     .patterns = P,
                                     .pattern = xi,
                                     .probes = R,
                                     .bias = (kind & 1) != 0 ? bias : NULL,
                                     .rule = (gm_hopfield_rule)(kind >> 1 & 1)};
        const gm_hopfield_run_options options = {
            .sweeps = 25, .synchronous = kind >> 2, .tie_is_up = kind == 0};
        int8_t expected[R * N], states[R * N];
        memcpy(expected, start, sizeof expected);
        outcomes a = run_model(subjects, &m, &options, false, expected);
        assert_int_equal(a.status[4], GM_STATUS_INVALID_ARGUMENT);
        assert_memory_equal(expected + 4 * N, start + 4 * N, N);
        assert_true(isnan(a.energy[4]) && a.overlap[4 * P + 3] == 0 && a.sweeps[4] == 0);
        for (int r = 0; r < R; ++r) {
            for (int p = 0; p < P && r != 4; ++p) {
                int sum = 0;
                for (int i = 0; i < N; ++i) {
                    sum += expected[r * N + i] * xi[p * N + i];
                }
                assert_int_equal(a.overlap[r * P + p], sum);
            }
        }
        FOR_EACH_SUBJECT(s) {
            memcpy(states, start, sizeof states);
            outcomes b = run_model(s, &m, &options, true, states);
            assert_memory_equal(states, expected, sizeof states);
            assert_memory_equal(a.overlap, b.overlap, R * P * sizeof *a.overlap);
            assert_memory_equal(a.sweeps, b.sweeps, R * sizeof *a.sweeps);
            assert_memory_equal(a.status, b.status, R * sizeof *a.status);
            for (int r = 0; r < R; ++r) {
                assert_true(a.energy[r] == b.energy[r] || r == 4);
            }
            free_outcomes(&b);
        }
        free_outcomes(&a);
    }
    free(xi);
    free(start);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void **state) {
    (void)state;
    gm_context *context = subjects->context;
    int8_t xi[12] = {1, 1, 1, -1, 1, -1, 1, -1, 1, 1, 1, -1};
    double bias[4] = {0, NAN, 0, 0};
    gm_hopfield_plan *plan;
#define REFUSE(text, ...)                                                                          \
    do {                                                                                           \
        const gm_hopfield_model bad = {                                                            \
            .neurons = 4, .patterns = 3, .pattern = xi, .probes = 2, __VA_ARGS__};                 \
        plan = (gm_hopfield_plan *)(void *)xi;                                                     \
        ASSERT_FAILS(context, gm_hopfield_plan_create(context, &bad, &plan),                       \
                     GM_STATUS_INVALID_ARGUMENT, text);                                            \
        assert_null(plan);                                                                         \
    } while (0)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
    REFUSE("model.neurons = 0", .neurons = 0);
    REFUSE("model.neurons = 16385", .neurons = 16385);
    REFUSE("model.patterns = -1", .patterns = -1);
    REFUSE("model.patterns = 32768: fewer", .neurons = 16384, .patterns = 32768);
    REFUSE("model.probes = -1", .probes = -1);
    REFUSE("model.pattern is NULL", .pattern = NULL);
    REFUSE("model.rule = 2", .rule = (gm_hopfield_rule)2);
    REFUSE("model.bias[1] = nan", .bias = bias);
    REFUSE("linearly dependent", .rule = GM_HOPFIELD_PSEUDO_INVERSE);
    xi[5] = 0;
    REFUSE("model.pattern[5] = 0", .bias = NULL);
#pragma GCC diagnostic pop
    xi[5] = -1;
    const gm_hopfield_model m = {.neurons = 4, .patterns = 3, .pattern = xi, .probes = 2};
    ASSERT_FAILS(NULL, gm_hopfield_plan_create(NULL, &m, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    ASSERT_FAILS(context, gm_hopfield_plan_create(context, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(context, gm_hopfield_plan_create(context, &m, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "plan is NULL");
    ASSERT_OK(context, gm_hopfield_plan_create(context, &m, &plan));
    int8_t states[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    double energies[2];
    int32_t numbers[8];
    uint64_t scratch[64] __attribute__((aligned(64)));
    const gm_tensor x = gm_tensor_2d(states, GM_I8, 2, 4);
    gm_workspace w = {0};
    ASSERT_OK(context, gm_hopfield_run(plan, NULL, &x, NULL, &w));
    assert_true(w.bytes <= sizeof scratch);
    w.data = scratch;
#define REJECT(status, text, options, x, ...)                                                      \
    ASSERT_FAILS(context,                                                                          \
                 gm_hopfield_run(plan, options, x, &(const gm_hopfield_result){__VA_ARGS__}, &w),  \
                 GM_STATUS_##status, text)
    const gm_hopfield_run_options negative = {.sweeps = -1};
    const gm_tensor narrow = gm_tensor_2d(states, GM_I8, 2, 3);
    const gm_tensor fewer = gm_tensor_2d(states, GM_I8, 1, 4);
    const gm_tensor energy = gm_tensor_1d(energies, GM_F64, 1);
    const gm_tensor overlap = gm_tensor_2d(numbers, GM_I32, 2, 4);
    const gm_tensor turned = {numbers, GM_I32, 2, {2, 3}, {1, 2}};
    const gm_tensor over = gm_tensor_1d(states, GM_I32, 2);
    const gm_tensor floats = gm_tensor_1d(energies, GM_F32, 2);
    REJECT(INVALID_ARGUMENT, "options.sweeps = -1", &negative, &x, 0);
    REJECT(INVALID_ARGUMENT, "states", NULL, NULL, 0);
    REJECT(SHAPE_MISMATCH, "states", NULL, &narrow, 0);
    REJECT(SHAPE_MISMATCH, "states", NULL, &fewer, 0);
    REJECT(SHAPE_MISMATCH, "result.energy", NULL, &x, .energy = &energy);
    REJECT(SHAPE_MISMATCH, "result.overlap", NULL, &x, .overlap = &overlap);
    REJECT(INVALID_ARGUMENT, "row-major", NULL, &x, .overlap = &turned);
    REJECT(INVALID_ARGUMENT, "result.status", NULL, &x, .status = &over);
    REJECT(INVALID_ARGUMENT, "result.sweeps", NULL, &x, .sweeps = &floats);
    w.bytes -= 1;
    REJECT(WORKSPACE_TOO_SMALL, "workspace", NULL, &x, 0);
    ASSERT_FAILS(context, gm_hopfield_run(plan, NULL, &x, NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "workspace is NULL");
    for (int k = 0; k < 8; ++k) {
        assert_int_equal(states[k], 1);
    }
    ASSERT_FAILS(context, gm_hopfield_couplings(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "coupling is NULL");
    ASSERT_FAILS(context, gm_hopfield_ising(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "model is NULL");
    ASSERT_FAILS(context, gm_hopfield_plan_info(plan, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "info is NULL");
    gm_hopfield_plan_destroy(plan);
    gm_hopfield_plan_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_couplings),    cmocka_unit_test(test_code_words),
        cmocka_unit_test(test_fixed_points), cmocka_unit_test(test_energies),
        cmocka_unit_test(test_first_step),   cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_stochastic),   cmocka_unit_test(test_bits),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
