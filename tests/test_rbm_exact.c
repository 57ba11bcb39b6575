/*
 * What Boltzmann machines sample, against all states: moments of the stationary law, the kernel by
 * products over a sweep, annealed importance sampling by log Z. Every subject draws the same
 * (test_rbm.c, conformance cases), so chains run on one of them; what is arithmetic runs on all.
 *
 * Chains are independent, so means over them are compared with the exact value in units of their
 * standard error, from the exact variance where it is known. |z| > 5.5 has probability 4e-8; there
 * are below 400 comparisons, so a false alarm has probability below 2e-5 for seeds that are drawn,
 * and the seeds are fixed.
 */
#include "tests/rbm_fixture.h"

#include <genmath/philox.h>

/* ---- laws ------------------------------------------------------------------------------------ */

/* The law of the hidden layer and the visible means that go with each of its states. */
typedef struct hidden_law {
    int64_t states, nv, nh;
    double *p, *mean; /* (states), (states, nv) */
} hidden_law;

/* Given that unit i is clamped[i] where that is 0 or 1; NULL: none is. */
static hidden_law hidden_law_of(const machine *m, double beta, const int *clamped) {
    hidden_law l = {.states = INT64_C(1) << m->hidden, .nv = m->visible, .nh = m->hidden};
    l.p = calloc((size_t)(l.states * (1 + l.nv)), sizeof *l.p);
    assert_non_null(l.p);
    l.mean = l.p + l.states;
    double z = 0;
    for (int64_t h = 0; h < l.states; ++h) {
        for (uint64_t v = 0; v < UINT64_C(1) << l.nv; ++v) {
            bool possible = is_state(m, v);
            for (int64_t i = 0; i < l.nv && clamped != NULL; ++i) {
                possible = possible && (clamped[i] < 0 || (int)(v >> i & 1) == clamped[i]);
            }
            const double q = possible ? exp(log_weight(m, beta, v, (uint64_t)h)) : 0;
            l.p[h] += q;
            for (int64_t i = 0; i < l.nv; ++i) {
                l.mean[h * l.nv + i] += (v >> i & 1) != 0 ? q : 0;
            }
        }
        for (int64_t i = 0; i < l.nv; ++i) {
            l.mean[h * l.nv + i] /= l.p[h];
        }
        z += l.p[h];
    }
    for (int64_t h = 0; h < l.states; ++h) {
        l.p[h] /= z;
    }
    return l;
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* From exact starts: means of v and h after some sweeps, and products of v over one. */
static void expect_chain(const machine *m, gm_dtype dtype, double beta, const int *clamped) {
    enum { rows = 20000 };
    const int64_t nv = m->visible, nh = m->hidden;
    const hidden_law l = hidden_law_of(m, beta, clamped);
    double *v = malloc((size_t)(rows * (2 * nv + nh)) * sizeof *v), *start = v + rows * nv;
    double *h = start + rows * nv;
    draw_visible(m, beta, clamped, rows, 41, start);
    memcpy(v, start, (size_t)(rows * nv) * sizeof *v);
    bench x = open_bench(sampler(), dtype, m, rows, 0);
    uint8_t marks[16] = {0};
    void *memory;
    for (int64_t i = 0; i < nv && clamped != NULL; ++i) {
        marks[i] = clamped[i] >= 0;
    }
    ASSERT_OK(x.s->context, gm_memory_alloc(x.s->context, 16, &memory));
    ASSERT_OK(x.s->context, gm_memory_upload(x.s->context, memory, marks, 16));
    const gm_tensor clamp = gm_tensor_1d(memory, GM_U8, nv);
    gm_rbm_sweeps run = {
        .seed = 12, .sweeps = 1, .beta = beta, .clamp = clamped != NULL ? &clamp : NULL};
    run_gibbs(&x, &run, v, NULL);
    for (int64_t i = 0; i < nv; ++i) { /* E[v_i v'_k] = sum_h p(h) E[v_i | h] E[v'_k | h] */
        for (int64_t k = i; k < nv && k <= i + 3; k += 3) {
            double exact = 0, mean = 0;
            for (int64_t s = 0; s < l.states; ++s) {
                exact += l.p[s] * l.mean[s * nv + i] * l.mean[s * nv + k];
            }
            for (int64_t r = 0; r < rows; ++r) {
                mean += start[r * nv + i] * v[r * nv + k] / rows;
            }
            if (exact > 1e-12 && exact < 1 - 1e-12) {
                expect_z("v v'", mean, exact, exact * (1 - exact), rows);
            }
        }
    }
    run.first_sweep = 1;
    run.sweeps = 3;
    run_gibbs(&x, &run, v, h);
    for (int64_t i = 0; i < nv + nh; ++i) {
        double exact = 0, mean = 0;
        for (int64_t s = 0; s < l.states; ++s) {
            exact += l.p[s] * (i < nv ? l.mean[s * nv + i] : (double)(s >> (i - nv) & 1));
        }
        for (int64_t r = 0; r < rows; ++r) {
            mean += (i < nv ? v[r * nv + i] : h[r * nh + i - nv]) / rows;
        }
        if (exact > 1e-12 && exact < 1 - 1e-12) {
            expect_z(i < nv ? "v" : "h", mean, exact, exact * (1 - exact), rows);
        }
    }
    ASSERT_OK(x.s->context, gm_memory_free(x.s->context, memory));
    close_bench(&x);
    free(l.p);
    free(v);
}

static void chains_have_the_exact_law(void **state) {
    (void)state;
    const machine binary = wave_machine(GM_RBM_BINARY, 9, 6, 0, 0.8);
    const machine potts = wave_machine(GM_RBM_POTTS, 9, 4, 3, 0.8);
    static const int clamped[9] = {-1, 1, -1, 0, -1, -1, 1, -1, 0};
    static const int sites[9] = {-1, -1, -1, 0, 1, 0, -1, -1, -1};
    expect_chain(&binary, GM_F32, 1, NULL);
    expect_chain(&binary, GM_F64, 0.6, NULL);
    expect_chain(&binary, GM_F32, 1, clamped);
    expect_chain(&potts, GM_F32, 1, NULL);
    expect_chain(&potts, GM_F64, 1.4, sites);
    free(binary.w);
    free(potts.w);
}

/* A row of the kernel: W = (1, -1) from v = (1, 0), known by its closed form. */
static void a_row_of_the_kernel(void **state) {
    (void)state;
    enum { rows = 100000 };
    static const double exact[4] = {0.210970195799714, 0.120112448126766, 0.457947160273807,
                                    0.210970195799714};
    machine m = make_machine(GM_RBM_BINARY, 2, 1, 0);
    m.w[0] = 1;
    m.w[1] = -1;
    double *v = malloc(2 * rows * sizeof *v), seen[4] = {0};
    for (int r = 0; r < rows; ++r) {
        v[2 * r] = 1;
        v[2 * r + 1] = 0;
    }
    bench x = open_bench(sampler(), GM_F32, &m, rows, 0);
    run_gibbs(&x, &(gm_rbm_sweeps){.seed = 7, .sweeps = 1}, v, NULL);
    for (int r = 0; r < rows; ++r) {
        seen[(int)(2 * v[2 * r] + v[2 * r + 1])] += 1.0 / rows;
    }
    for (int i = 0; i < 4; ++i) {
        expect_z("kernel", seen[i], exact[i], exact[i] * (1 - exact[i]), rows);
    }
    close_bench(&x);
    free(v);
    free(m.w);
}

/* Gaussian: W = (1, -1): P(h = 1) = e / (1 + e), v a mixture of two; and sigma^2 / beta alone. */
static void gaussian_chains(void **state) {
    (void)state;
    enum { rows = 40000 };
    machine m = make_machine(GM_RBM_GAUSSIAN, 2, 1, 0);
    m.w[0] = 1;
    m.w[1] = -1;
    double *v = malloc(3 * rows * sizeof *v), *h = v + 2 * rows;
    uint64_t random = 9;
    for (int r = 0; r < rows; ++r) { /* exact starts */
        const double up = (double)(next_random(&random) >> 11) * 0x1p-53 < 0.731058578630005;
        double z0, z1;
        gm_normal2_f64(55, (uint64_t)r, GM_STREAM_USER, 0, &z0, &z1);
        v[2 * r] = up + z0;
        v[2 * r + 1] = -up + z1;
    }
    bench x = open_bench(sampler(), GM_F32, &m, rows, 0);
    run_gibbs(&x, &(gm_rbm_sweeps){.seed = 7, .sweeps = 4}, v, h);
    double mean_h = 0, mean_v = 0, square = 0, cross = 0;
    for (int r = 0; r < rows; ++r) {
        mean_h += h[r] / rows;
        mean_v += v[2 * r] / rows;
        square += (v[2 * r] - 0.731058578630) * (v[2 * r] - 0.731058578630) / rows;
        cross += (v[2 * r] - 0.731058578630) * (v[2 * r + 1] + 0.731058578630) / rows;
    }
    expect_z("h", mean_h, 0.731058578630005, 0.196611933241482, rows);
    expect_z("v1", mean_v, 0.731058578630005, 1.196611933241482, rows);
    /* Fourth central moment of the mixture: 3 + 6 p q + p q (1 - 3 p q), p q = .196611933. */
    const double pq = 0.196611933241482, fourth = 3 + 6 * pq + pq * (1 - 3 * pq);
    expect_z("var v1", square, 1 + pq, fourth - (1 + pq) * (1 + pq), rows);
    /* E[x^2 y^2] = (given h, independent) sum over h of (1 + d^2)^2, d = q or -p */
    const double p = 0.731058578630005, q = 1 - p;
    const double second = p * (1 + q * q) * (1 + q * q) + q * (1 + p * p) * (1 + p * p);
    expect_z("cov", cross, -pq, second - pq * pq, rows);
    for (int r = 0; r < rows; ++r) {
        v[2 * r] = 2;
        v[2 * r + 1] = -2;
    }
    run_gibbs(&x, &(gm_rbm_sweeps){.seed = 8, .sweeps = 1}, v, h);
    mean_h = 0;
    for (int r = 0; r < rows; ++r) {
        mean_h += h[r] / rows;
    }
    expect_z("h of (2, -2)", mean_h, 0.982013790037908, 0.017662706213291, rows);
    close_bench(&x);

    m.w[0] = m.w[1] = 0;
    m.b[0] = 0.5;
    m.sigma[0] = 1.5;
    x = open_bench(sampler(), GM_F64, &m, rows, 0);
    run_gibbs(&x, &(gm_rbm_sweeps){.seed = 8, .sweeps = 1, .beta = 0.25}, v, NULL);
    mean_v = square = 0;
    for (int r = 0; r < rows; ++r) {
        mean_v += v[2 * r] / rows;
        square += (v[2 * r] - 0.5) * (v[2 * r] - 0.5) / rows;
    }
    expect_z("mean", mean_v, 0.5, 9, rows);
    expect_z("sigma^2 / beta", square, 9, 2 * 81, rows);
    close_bench(&x);
    free(v);
    free(m.w);
}

/* ---- annealed importance sampling ------------------------------------------------------------ */

/* v: starts of a reverse run, replaced. */
static void run_ais(bench *x, const gm_rbm_anneal *run, double *v, double *weights) {
    const gm_rbm_options *o = &x->options;
    gm_tensor tv = gm_tensor_2d(to_device(x->s, x->dtype, v, o->rows * o->visible), x->dtype,
                                o->rows, o->visible);
    gm_tensor tw = gm_tensor_1d(to_device(x->s, x->dtype, weights, o->rows), x->dtype, o->rows);
    ASSERT_OK(x->s->context, gm_rbm_ais(x->plan, run, model_of(x), &tv, &tw, x->workspace,
                                        gm_rbm_workspace(x->plan)));
    from_device(x->s, x->dtype, tv.data, v, o->rows * o->visible);
    from_device(x->s, x->dtype, tw.data, weights, o->rows);
    ASSERT_OK(x->s->context, gm_memory_free(x->s->context, tv.data));
    ASSERT_OK(x->s->context, gm_memory_free(x->s->context, tw.data));
}

/* With W = 0 the start is the machine: every weight is Z, in both directions. */
static void independent_units_have_no_error(void **state) {
    (void)state;
    enum { rows = 33 };
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 12; ++k) {
            const gm_dtype dtype = precisions[k / 3 % 2];
            const machine m = wave_machine((gm_rbm_kind)(k % 3), 6, 5, k % 3 == 2 ? 3 : 0, 0);
            double v[rows * 6], w[rows], exact = 0, sites[2] = {0, 0};
            for (int i = 0; i < rows * 6; ++i) {
                v[i] = i % 3 == 0;
            }
            for (int i = 0; i < 6; ++i) {
                sites[i / 3] += exp(m.b[i]);
                exact += k % 3 == GM_RBM_BINARY     ? log1p(exp(m.b[i]))
                         : k % 3 == GM_RBM_GAUSSIAN ? log(m.sigma[i]) + log(2 * acos(-1)) / 2
                                                    : 0;
            }
            exact += k % 3 == GM_RBM_POTTS ? log(sites[0]) + log(sites[1]) : 0;
            for (int j = 0; j < 5; ++j) {
                exact += log1p(exp(m.c[j]));
            }
            bench x = open_bench(s, dtype, &m, rows, 0);
            run_ais(&x, &(gm_rbm_anneal){.seed = 1, .steps = 9, .reverse = k >= 6}, v, w);
            for (int r = 0; r < rows; ++r) {
                expect_near(s, "log weight", w[r], exact, 16 * 10 * unit_of(dtype));
                assert_true(w[r] == w[0]);
            }
            close_bench(&x);
            free(m.w);
        }
    }
}

static double variance_of(const double *x, int64_t n) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) {
        mean += x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; ++i) {
        square += (x[i] - mean) * (x[i] - mean) / (double)(n - 1);
    }
    return square;
}

static void expect_bracket(const machine *m, gm_dtype dtype, int64_t steps) {
    enum { rows = 2500 };
    double *v = calloc((size_t)(rows * m->visible), sizeof *v), *w = calloc(2 * rows, sizeof *w);
    bench x = open_bench(sampler(), dtype, m, rows, 1);
    double exact;
    gm_rbm_estimate e;
    run_map(&x, LOG_Z, 1, NULL, &exact);
    run_ais(&x, &(gm_rbm_anneal){.seed = 3, .steps = steps}, v, w);
    ASSERT_OK(NULL, gm_rbm_ais_estimate(w, rows, 0, &e));
    expect_z("forward", e.log_z, exact, e.error * e.error, 1);
    assert_true(e.mean < exact && exact - e.mean < 1);
    const double variance = variance_of(w, rows);
    if (m->kind != GM_RBM_GAUSSIAN) { /* exact starts */
        draw_visible(m, 1, NULL, rows, 4, v);
    } else { /* the machine itself forgets the start within some sweeps: from the forward run */
        run_gibbs(&x, &(gm_rbm_sweeps){.seed = 4, .sweeps = 200}, v, NULL);
    }
    run_ais(&x, &(gm_rbm_anneal){.seed = 5, .steps = steps, .reverse = 1}, v, w);
    ASSERT_OK(NULL, gm_rbm_ais_estimate(w, rows, 1, &e));
    expect_z("reverse", e.log_z, exact, e.error * e.error, 1);
    assert_true(e.mean > exact && e.mean - exact < 1);
    /* Twice the steps, half the variance: a ratio of two estimates, each some 3 % off (1 sd). */
    run_ais(&x, &(gm_rbm_anneal){.seed = 6, .steps = 2 * steps}, v, w);
    const double ratio = variance / variance_of(w, rows);
    if (!(ratio > 1.65 && ratio < 2.4)) {
        fail_msg("twice the steps: the variance falls by a factor of %.3f", ratio);
    }
    close_bench(&x);
    free(v);
    free(w);
}

static void annealing_brackets_log_z(void **state) {
    (void)state;
    const machine machines[] = {wave_machine(GM_RBM_BINARY, 12, 8, 0, 0.8),
                                wave_machine(GM_RBM_POTTS, 9, 4, 3, 0.8),
                                wave_machine(GM_RBM_GAUSSIAN, 4, 5, 0, 0.4)};
    for (int i = 0; i < COUNT(machines); ++i) {
        expect_bracket(&machines[i], GM_F64, 40);
        free(machines[i].w);
    }
}

/* Steps of t that are given: even ones are the default; and the estimate of known weights. */
static void schedules_and_estimates(void **state) {
    (void)state;
    enum { rows = 17, steps = 5 };
    const machine m = wave_machine(GM_RBM_BINARY, 6, 5, 0, 0.8);
    double v[rows * 6] = {0}, a[rows] = {0}, b[rows] = {0}, t[steps + 1];
    for (int k = 0; k <= steps; ++k) {
        t[k] = (double)k / steps;
    }
    FOR_EACH_SUBJECT(s) {
        bench x = open_bench(s, GM_F64, &m, rows, 0);
        run_ais(&x, &(gm_rbm_anneal){.seed = 3, .steps = steps}, v, a);
        run_ais(&x, &(gm_rbm_anneal){.seed = 3, .steps = steps, .t = t}, v, b);
        assert_memory_equal(a, b, sizeof a);
        close_bench(&x);
    }
    free(m.w);
    static const double weights[3] = {700, 701, 702};
    gm_rbm_estimate e;
    const double q = exp(1), sum = 1 + q + q * q, squares = 1 + q * q + q * q * q * q;
    ASSERT_OK(NULL, gm_rbm_ais_estimate(weights, 3, 0, &e));
    expect_near(subjects, "estimate", e.log_z, 700 + log(sum / 3), 1e-12);
    expect_near(subjects, "estimate", e.mean, 701, 1e-12);
    expect_near(subjects, "estimate", e.ess, sum * sum / squares, 1e-12);
    expect_near(subjects, "estimate", e.error, sqrt((squares / 3 - sum * sum / 9) / 2) / (sum / 3),
                1e-12);
    ASSERT_OK(NULL, gm_rbm_ais_estimate(weights, 3, 1, &e));
    expect_near(subjects, "estimate", e.log_z, 702 - log(sum / 3), 1e-12);
    ASSERT_OK(NULL, gm_rbm_ais_estimate(weights, 1, 0, &e));
    assert_true(e.log_z == 700 && e.error == 0 && e.ess == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_have_the_exact_law),
        cmocka_unit_test(a_row_of_the_kernel),
        cmocka_unit_test(gaussian_chains),
        cmocka_unit_test(independent_units_have_no_error),
        cmocka_unit_test(annealing_brackets_log_z),
        cmocka_unit_test(schedules_and_estimates),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
