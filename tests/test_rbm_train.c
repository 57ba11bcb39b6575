/*
 * gm_rbm_train: each step by its formula, steps on average by the gradient of the exact
 * log-likelihood, many steps by its rise; orders and rates. Z-tests as in test_rbm_exact.c: ten
 * comparisons.
 */
#include "tests/rbm_fixture.h"

#include <genmath/philox.h>

/* What a step works on, in host memory, one block of w. */
typedef struct training {
    int64_t rows, nv, nh;
    double *w, *b, *c, *dw, *db, *dc, *data, *chains;
} training;

static training make_training(const machine *m, int64_t rows) {
    training t = {.rows = rows, .nv = m->visible, .nh = m->hidden};
    const int64_t weights = t.nv * t.nh, layers = t.nv + t.nh;
    t.w = calloc((size_t)(2 * (weights + layers) + 2 * rows * t.nv), sizeof *t.w);
    assert_non_null(t.w);
    t.b = t.w + weights;
    t.c = t.b + t.nv;
    t.dw = t.c + t.nh;
    t.db = t.dw + weights;
    t.dc = t.db + t.nv;
    t.data = t.dc + t.nh;
    t.chains = t.data + rows * t.nv;
    memcpy(t.w, m->w, (size_t)(weights + layers) * sizeof *t.w);
    return t;
}

/* One step on a subject; all of t is replaced by what it leaves. */
static void run_step(bench *x, const gm_rbm_step *step, training *t) {
    const int64_t counts[] = {t->nv * t->nh, t->nv, t->nh,           t->nv * t->nh,
                              t->nv,         t->nh, t->rows * t->nv, t->rows * t->nv};
    double *const host[] = {t->w, t->b, t->c, t->dw, t->db, t->dc, t->data, t->chains};
    gm_tensor tensor[8];
    for (int i = 0; i < 8; ++i) {
        void *memory = to_device(x->s, x->dtype, host[i], counts[i]);
        tensor[i] = i == 0 || i == 3 ? gm_tensor_2d(memory, x->dtype, t->nv, t->nh)
                    : i >= 6         ? gm_tensor_2d(memory, x->dtype, t->rows, t->nv)
                                     : gm_tensor_1d(memory, x->dtype, counts[i]);
    }
    const gm_rbm_model model = {&tensor[0], &tensor[1], &tensor[2],
                                x->options.kind == GM_RBM_GAUSSIAN ? &x->sigma : NULL};
    const gm_rbm_velocity velocity = {&tensor[3], &tensor[4], &tensor[5]};
    ASSERT_OK(x->s->context, gm_rbm_train(x->plan, step, &model, &velocity, &tensor[6], &tensor[7],
                                          x->workspace, gm_rbm_workspace(x->plan)));
    for (int i = 0; i < 8; ++i) {
        from_device(x->s, x->dtype, tensor[i].data, host[i], counts[i]);
        ASSERT_OK(x->s->context, gm_memory_free(x->s->context, tensor[i].data));
    }
}

/* The hidden layer of v as the gradient has it: means, or draws of a key by their address. */
static double hidden_of(const machine *m, const training *t, const double *v, int64_t row,
                        int64_t j, const gm_rbm_step *step, uint32_t layer) {
    double x = t->c[j];
    for (int64_t i = 0; i < t->nv; ++i) {
        x += v[row * t->nv + i] / (m->kind == GM_RBM_GAUSSIAN ? m->sigma[i] : 1) *
             t->w[i * t->nh + j];
    }
    const double p = 1 / (1 + exp(-x));
    if (step->sampled == 0) {
        return p;
    }
    const uint64_t sweep = step->first_sweep + (layer == 3 ? (uint64_t)step->k - 1 : 0);
    const gm_words key = gm_philox_block(step->seed, sweep, GM_STREAM_CHAIN, layer);
    const uint64_t e = (step->first_chain + (uint64_t)row) * (uint64_t)t->nh + (uint64_t)j;
    const gm_words w = gm_philox_block(gm_join(key.w1, key.w0), e / 2, 9, 0);
    const uint64_t pair = e % 2 == 0 ? gm_join(w.w0, w.w1) : gm_join(w.w2, w.w3);
    return (double)(pair >> 12) * 0x1p-52 < p ? 1 : 0;
}

/* The step as the header has it, with the negative phase's v as the subject left them. */
static void expect_step(const subject *s, const machine *m, const training *old,
                        const gm_rbm_step *step, const training *now) {
    const double gain = step->rate / (double)old->rows, bound = 256 * 0x1p-53;
    for (int64_t i = 0; i < old->nv; ++i) {
        const double sigma = m->kind == GM_RBM_GAUSSIAN ? m->sigma[i] : 1;
        double db = step->momentum * old->db[i];
        for (int64_t r = 0; r < old->rows; ++r) {
            db += gain * (old->data[r * old->nv + i] - now->chains[r * old->nv + i]);
        }
        expect_near(s, "db", now->db[i], db, bound);
        expect_near(s, "b", now->b[i], old->b[i] + db, bound);
        for (int64_t j = 0; j < old->nh; ++j) {
            double dw = step->momentum * old->dw[i * old->nh + j];
            for (int64_t r = 0; r < old->rows; ++r) {
                dw +=
                    gain / sigma *
                    (old->data[r * old->nv + i] * hidden_of(m, old, old->data, r, j, step, 2) -
                     now->chains[r * old->nv + i] * hidden_of(m, old, now->chains, r, j, step, 3));
            }
            const double w = (1 - step->rate * step->decay) * old->w[i * old->nh + j] + dw;
            expect_near(s, "dw", now->dw[i * old->nh + j], dw, bound);
            expect_near(s, "w", now->w[i * old->nh + j], w, bound);
        }
    }
    for (int64_t j = 0; j < old->nh; ++j) {
        double dc = step->momentum * old->dc[j];
        for (int64_t r = 0; r < old->rows; ++r) {
            dc += gain * (hidden_of(m, old, old->data, r, j, step, 2) -
                          hidden_of(m, old, now->chains, r, j, step, 3));
        }
        expect_near(s, "dc", now->dc[j], dc, bound);
        expect_near(s, "c", now->c[j], old->c[j] + dc, bound);
    }
}

/* The negative phase of a step that draws no hidden units of the data is a Gibbs chain. */
static void expect_negative_phase(bench *x, const training *old, const gm_rbm_step *step,
                                  const training *now) {
    double *v = malloc((size_t)(old->rows * old->nv) * sizeof *v);
    memcpy(v, step->persistent != 0 ? old->chains : old->data,
           (size_t)(old->rows * old->nv) * sizeof *v);
    run_gibbs(x,
              &(gm_rbm_sweeps){.seed = step->seed,
                               .first_chain = step->first_chain,
                               .first_sweep = step->first_sweep,
                               .sweeps = step->k},
              v, NULL);
    assert_memory_equal(v, now->chains, (size_t)(old->rows * old->nv) * sizeof *v);
    free(v);
}

static void steps_are_the_formula(void **state) {
    (void)state;
    enum { rows = 9, nv = 6, nh = 4 };
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 12; ++k) {
            const machine m = wave_machine((gm_rbm_kind)(k % 3), nv, nh, k % 3 == 2 ? 3 : 0, 0.5);
            training old = make_training(&m, rows), now = make_training(&m, rows);
            const int64_t all = 2 * (nv * nh + nv + nh) + 2 * rows * nv;
            for (int64_t i = old.dw - old.w; i < old.data - old.w; ++i) {
                old.w[i] = 0.01 * cos((double)i);
            }
            for (int i = 0; i < rows * nv; ++i) {
                old.data[i] = i % 3 == i / nv % 3;
                old.chains[i] = i % 3 == i / nv % 2;
            }
            memcpy(now.w, old.w, (size_t)all * sizeof *now.w);
            const gm_rbm_step step = {.seed = 3,
                                      .first_chain = 5,
                                      .first_sweep = 7,
                                      .k = 1 + k % 2,
                                      .rate = 0.3,
                                      .momentum = k % 4 == 0 ? 0 : 0.7,
                                      .decay = 0.1,
                                      .persistent = k / 3 % 2,
                                      .sampled = k >= 6};
            bench x = open_bench(s, GM_F64, &m, rows, 0);
            run_step(&x, &step, &now);
            expect_step(s, &m, &old, &step, &now);
            assert_memory_equal(now.data, old.data, rows * nv * sizeof *now.data);
            if (step.sampled == 0 || step.persistent != 0) {
                expect_negative_phase(&x, &old, &step, &now);
            }
            close_bench(&x);
            free(old.w);
            free(now.w);
            free(m.w);
        }
    }
}

/* With chains from the machine itself a step is the gradient of log p on average: W = (1, -1) and
 * the data v = (1, 0), d log p / dW = (.3218.., -.1505..); and CD of many sweeps is as good. */
static void steps_climb_the_gradient(void **state) {
    (void)state;
    enum { rows = 40000 };
    machine m = make_machine(GM_RBM_BINARY, 2, 1, 0);
    m.w[0] = 1;
    m.w[1] = -1;
    for (int k = 0; k < 2; ++k) {
        training t = make_training(&m, rows);
        for (int r = 0; r < rows; ++r) {
            t.data[2 * r] = 1;
        }
        draw_visible(&m, 1, NULL, rows, 6, t.chains);
        bench x = open_bench(sampler(), GM_F64, &m, rows, 0);
        run_step(&x,
                 &(gm_rbm_step){.seed = 2, .k = k == 0 ? 1 : 30, .rate = 1, .persistent = k == 0},
                 &t);
        /* v_i P(h | v): its exact variance over the law. */
        static const double p10 = 0.409224722973716, p11 = 0.220114957312587,
                            p01 = 0.150545362401109, high = 0.731058578630005;
        const double mean1 = p10 * high + p11 / 2, mean2 = p01 * (1 - high) + p11 / 2;
        const double var1 = p10 * high * high + p11 / 4 - mean1 * mean1;
        const double var2 = p01 * (1 - high) * (1 - high) + p11 / 4 - mean2 * mean2;
        expect_z("dW1", t.dw[0], 0.321833855656289, var1, rows);
        expect_z("dW2", t.dw[1], -0.150545362401109, var2, rows);
        close_bench(&x);
        free(t.w);
    }
    free(m.w);
}

/* The 30 bars and stripes of 4 x 4: the exact log-likelihood of a pattern, at most -log 30, from
 * below that of coins, -16 log 2. */
static int bars_and_stripes(double *v) {
    int count = 0;
    for (int turn = 0; turn < 2; ++turn) {
        for (int bits = turn; bits < 16 - turn; ++bits) { /* blank and full once */
            for (int i = 0; i < 16; ++i) {
                v[16 * count + i] = bits >> (turn != 0 ? i / 4 : i % 4) & 1;
            }
            ++count;
        }
    }
    return count;
}

static double likelihood(const machine *m, training *t, const double *patterns) {
    memcpy(m->w, t->w, (size_t)(16 * 12 + 28) * sizeof *t->w);
    bench x = open_bench(sampler(), GM_F64, m, 30, 1);
    double log_z, energy[30], sum = 0;
    run_map(&x, LOG_Z, 1, NULL, &log_z);
    run_map(&x, FREE_ENERGY, 1, patterns, energy);
    for (int i = 0; i < 30; ++i) {
        sum += (-energy[i] - log_z) / 30;
    }
    close_bench(&x);
    return sum;
}

static void training_raises_the_likelihood(void **state) {
    (void)state;
    enum { rows = 60, steps = 600, rounds = 4 };
    double patterns[30 * 16], last = -16 * log(2) - 1;
    assert_int_equal(bars_and_stripes(patterns), 30);
    const machine m = make_machine(GM_RBM_BINARY, 16, 12, 0);
    for (int i = 0; i < 16 * 12; ++i) {
        m.w[i] = 0.05 * gm_normal_f64(5, (uint64_t)i, GM_STREAM_USER, 0);
    }
    training t = make_training(&m, rows);
    for (int i = 0; i < rows * 16; ++i) {
        t.data[i] = patterns[i % (30 * 16)];
        t.chains[i] = i % 2;
    }
    bench x = open_bench(sampler(), GM_F64, &m, rows, 0);
    for (int round = 0; round < rounds; ++round) {
        for (int step = 0; step < steps; ++step) {
            const int64_t done = round * steps + step;
            run_step(&x,
                     &(gm_rbm_step){.seed = 1,
                                    .first_sweep = (uint64_t)done,
                                    .k = 1,
                                    .rate = gm_rbm_rate(0.1, 1000, done),
                                    .momentum = 0.5,
                                    .decay = 1e-4,
                                    .persistent = 1},
                     &t);
        }
        const double now = likelihood(&m, &t, patterns);
        if (!(now > last && now < -log(30))) {
            fail_msg("round %d: log-likelihood %.4f after %.4f", round, now, last);
        }
        last = now;
    }
    assert_true(last > -5.5);
    close_bench(&x);
    free(t.w);
    free(m.w);
}

static void orders_and_rates(void **state) {
    (void)state;
    enum { n = 1000 };
    int64_t a[n], b[n], moved = 0;
    bool seen[n] = {false};
    ASSERT_OK(NULL, gm_rbm_shuffle(3, 4, n, a));
    ASSERT_OK(NULL, gm_rbm_shuffle(3, 4, n, b));
    assert_memory_equal(a, b, sizeof a);
    ASSERT_OK(NULL, gm_rbm_shuffle(3, 5, n, b));
    for (int i = 0; i < n; ++i) {
        assert_true(a[i] >= 0 && a[i] < n && !seen[a[i]]);
        seen[a[i]] = true;
        moved += a[i] != b[i];
    }
    assert_true(moved > n - 12); /* of two permutations one place agrees on average */
    /* Each of the six orders of three in 1/6 of the epochs. */
    double counts[27] = {0};
    for (uint64_t epoch = 0; epoch < 6000; ++epoch) {
        ASSERT_OK(NULL, gm_rbm_shuffle(1, epoch, 3, a));
        counts[9 * a[0] + 3 * a[1] + a[2]] += 1;
    }
    static const int orders[6] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; ++i) {
        expect_z("order", counts[orders[i]] / 6000, 1.0 / 6, 5.0 / 36, 6000);
    }
    assert_true(gm_rbm_rate(0.5, 0, 100) == 0.5 && gm_rbm_rate(0.5, 100, 100) == 0.25);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_formula),
        cmocka_unit_test(steps_climb_the_gradient),
        cmocka_unit_test(training_raises_the_likelihood),
        cmocka_unit_test(orders_and_rates),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
