/* gm_rbm_*: energies, means and log Z against closed forms and all states; bits and cuts. */
#include "tests/rbm_fixture.h"

#include <genmath/philox.h>

/*
 * Bounds of sums. A field is a sum of at most 24 products of numbers below 1, an energy of at most
 * 24 terms below 10: 64 rounding units of a value of 20 hold all of them, of either type, and of
 * the sums of 2^8 states.
 */
static double bound_of(gm_dtype dtype, double size) {
    return 64 * unit_of(dtype) * size;
}

/* ---- known answers --------------------------------------------------------------------------- */

/* 12 visible and 8 hidden units, W = 0.8 sin(1 + 8 i + j), b = 0.3 cos(1 + i), c = 0.2 sin(2 + 3
 * j): log Z, log p(0) and mean values by all states (to the digits given). */
static const double fixture_v[12] = {0.890008978, 0.474897378, 0.097658386, 0.592343397,
                                     0.866434905, 0.309129963, 0.218991644, 0.810032081,
                                     0.687053671, 0.116577053, 0.377072911, 0.898808569};
static const double fixture_h[8] = {0.888882043, 0.838793011, 0.555003636, 0.126810800,
                                    0.142766339, 0.377115572, 0.847176876, 0.872800246};

static void fixture_of_twenty_units(void **state) {
    (void)state;
    const machine m = wave_machine(GM_RBM_BINARY, 12, 8, 0, 0.8);
    enum { states = 4096 };
    static double v[states * 12], energy[states], mean[states * 8];
    for (int i = 0; i < states; ++i) {
        bits_of((uint64_t)i, 12, v + 12 * i);
    }
    FOR_EACH_SUBJECT(s) {
        for (int p = 0; p < 2; ++p) {
            const gm_dtype dtype = precisions[p];
            const double unit = unit_of(dtype), near = dtype == GM_F64 ? 1e-12 : 64 * 20 * unit;
            bench x = open_bench(s, dtype, &m, states, 1);
            double log_z, ev[12] = {0}, eh[8] = {0};
            run_map(&x, LOG_Z, 1, NULL, &log_z);
            run_map(&x, FREE_ENERGY, 1, v, energy);
            run_map(&x, HIDDEN_MEAN, 0, v, mean);
            expect_near(s, "log Z", log_z, 17.058417731830, near);
            expect_near(s, "log p(0)", -energy[0] - log_z, -11.473825262321, near);
            for (int i = 0; i < states; ++i) {
                const double q = exp(-energy[i] - log_z);
                for (int u = 0; u < 12; ++u) {
                    ev[u] += q * v[12 * i + u];
                }
                for (int u = 0; u < 8; ++u) {
                    eh[u] += q * mean[8 * i + u];
                }
            }
            /* Nine digits are known; of f32 the errors of p are those of its logarithm. */
            for (int u = 0; u < 12; ++u) {
                expect_near(s, "E[v]", ev[u], fixture_v[u], 6e-10 + (p == 1 ? 2 * near : 0));
            }
            for (int u = 0; u < 8; ++u) {
                expect_near(s, "E[h]", eh[u], fixture_h[u], 6e-10 + (p == 1 ? 2 * near : 0));
            }
            close_bench(&x);
        }
    }
    free(m.w);
}

/* Two visible units and a hidden one, W = (1, -1): Z = 6 + e + 1 / e. */
static void three_units(void **state) {
    (void)state;
    machine m = make_machine(GM_RBM_BINARY, 2, 1, 0);
    m.w[0] = 1;
    m.w[1] = -1;
    static const double v[8] = {0, 0, 0, 1, 1, 0, 1, 1};
    static const double p[4] = {0.220114957312587, 0.150545362401109, 0.409224722973716,
                                0.220114957312587};
    static const double up[4] = {0.5, 0.268941421369995, 0.731058578630005, 0.5};
    FOR_EACH_SUBJECT(s) {
        bench x = open_bench(s, GM_F64, &m, 4, 1);
        double log_z, energy[4], mean[4], pseudo[4];
        run_map(&x, LOG_Z, 1, NULL, &log_z);
        run_map(&x, FREE_ENERGY, 1, v, energy);
        run_map(&x, HIDDEN_MEAN, 1, v, mean);
        run_map(&x, PSEUDO, 1, v, pseudo);
        expect_near(s, "Z", exp(log_z), 9.086161269630487, 1e-14);
        for (int i = 0; i < 4; ++i) {
            expect_near(s, "p(v)", exp(-energy[i] - log_z), p[i], 2e-15);
            expect_near(s, "P(h | v)", mean[i], up[i], 1e-15);
            /* p(v1 | v2) p(v2 | v1) from the law of pairs. */
            const double conditional = p[i] / (p[i] + p[i ^ 2]) * p[i] / (p[i] + p[i ^ 1]);
            expect_near(s, "pseudo-likelihood", pseudo[i], log(conditional), 1e-14);
        }
        close_bench(&x);
    }
    free(m.w);
}

/* Five visible and four hidden units, W = .3, b = -1, c = 1. */
static void nine_units(void **state) {
    (void)state;
    machine m = make_machine(GM_RBM_BINARY, 5, 4, 0);
    for (int i = 0; i < 20; ++i) {
        m.w[i] = 0.3;
    }
    for (int i = 0; i < 5; ++i) {
        m.b[i] = -1;
    }
    for (int j = 0; j < 4; ++j) {
        m.c[j] = 1;
    }
    double v[32 * 5], energy[32], mean[32 * 4];
    for (int i = 0; i < 32; ++i) {
        bits_of((uint64_t)i, 5, v + 5 * i);
    }
    FOR_EACH_SUBJECT(s) {
        bench x = open_bench(s, GM_F64, &m, 32, 1);
        double log_z, ev = 0, eh = 0;
        run_map(&x, LOG_Z, 1, NULL, &log_z);
        run_map(&x, FREE_ENERGY, 1, v, energy);
        run_map(&x, HIDDEN_MEAN, 1, v, mean);
        for (int i = 0; i < 32; ++i) {
            ev += exp(-energy[i] - log_z) * v[5 * i];
            eh += exp(-energy[i] - log_z) * mean[4 * i];
        }
        expect_near(s, "log Z", log_z, 8.636041002, 6e-10);
        expect_near(s, "E[v]", ev, 0.5044623258, 6e-11);
        expect_near(s, "E[h]", eh, 0.8476424676, 6e-11);
        close_bench(&x);
    }
    free(m.w);
}

/* ---- all kinds against all states ------------------------------------------------------------ */

static void expect_law(const subject *s, gm_dtype dtype, const machine *m, double beta) {
    double exact, *law = visible_law(m, beta, &exact);
    const int64_t rows = INT64_C(1) << m->visible, nv = m->visible;
    double *v = calloc((size_t)(rows * (nv + 2)), sizeof *v), *energy = v + rows * nv;
    for (int64_t r = 0; r < rows; ++r) {
        bits_of((uint64_t)r, nv, v + r * nv);
    }
    bench x = open_bench(s, dtype, m, rows, 1);
    double log_z;
    run_map(&x, LOG_Z, beta, NULL, &log_z);
    run_map(&x, FREE_ENERGY, beta, v, energy);
    expect_near(s, "log Z", log_z, exact, bound_of(dtype, 20));
    for (int64_t r = 0; r < rows; ++r) {
        if (is_state(m, (uint64_t)r)) {
            expect_near(s, "log p", -energy[r] - log_z, log(law[r]), bound_of(dtype, 20));
        }
    }
    if (m->kind == GM_RBM_BINARY) {
        run_map(&x, PSEUDO, 1, v, energy);
        double *one = beta == 1 ? law : visible_law(m, 1, NULL);
        for (int64_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (int64_t i = 0; i < nv; ++i) {
                sum += log(one[r] / (one[r] + one[r ^ INT64_C(1) << i]));
            }
            expect_near(s, "pseudo-likelihood", energy[r], sum, bound_of(dtype, 20));
        }
        free(beta == 1 ? NULL : one);
    }
    close_bench(&x);
    free(law);
    free(v);
}

static void every_state_has_its_probability(void **state) {
    (void)state;
    const machine machines[] = {
        wave_machine(GM_RBM_BINARY, 6, 8, 0, 0.8), wave_machine(GM_RBM_BINARY, 8, 5, 0, 0.8),
        wave_machine(GM_RBM_POTTS, 9, 5, 3, 0.8), wave_machine(GM_RBM_BINARY, 1, 1, 0, 0.8)};
    FOR_EACH_SUBJECT(s) {
        for (int i = 0; i < COUNT(machines); ++i) {
            expect_law(s, GM_F64, &machines[i], 1);
            expect_law(s, GM_F32, &machines[i], 0.6);
        }
    }
    for (int i = 0; i < COUNT(machines); ++i) {
        free(machines[i].w);
    }
}

/* More states than a block: without weights in closed form, with them by way of either layer. */
static void log_z_of_many_states(void **state) {
    (void)state;
    const machine wide = wave_machine(GM_RBM_BINARY, 14, 13, 0, 0.5);
    machine tall = make_machine(GM_RBM_BINARY, 13, 14, 0);
    machine none = wave_machine(GM_RBM_BINARY, 14, 13, 0, 0);
    double exact = 0;
    for (int i = 0; i < 14; ++i) {
        tall.c[i] = wide.b[i];
        none.b[i] *= 10;
        exact += log1p(exp(none.b[i]));
        for (int j = 0; j < 13; ++j) {
            tall.w[j * 14 + i] = wide.w[i * 13 + j];
        }
    }
    for (int j = 0; j < 13; ++j) {
        tall.b[j] = wide.c[j];
        none.c[j] = j - 4;
        exact += log1p(exp(none.c[j]));
    }
    FOR_EACH_SUBJECT(s) {
        const machine *const all[] = {&wide, &tall, &none};
        double log_z[3];
        for (int k = 0; k < 3; ++k) {
            bench x = open_bench(s, GM_F64, all[k], 1, 1);
            run_map(&x, LOG_Z, 1, NULL, &log_z[k]);
            close_bench(&x);
        }
        expect_near(s, "log Z without weights", log_z[2], exact, bound_of(GM_F64, 60));
        expect_near(s, "log Z by the other layer", log_z[1], log_z[0], bound_of(GM_F64, 60));
    }
    free(wide.w);
    free(tall.w);
    free(none.w);
}

/* Gaussian visible units: p(h) and the density of v in closed form. */
static void gaussian_layers(void **state) {
    (void)state;
    enum { nv = 3, nh = 4, rows = 5 };
    const machine m = wave_machine(GM_RBM_GAUSSIAN, nv, nh, 0, 0.8);
    static const double v[rows * nv] = {0, 0, 0, 1, -1, 2, 0.3, 0.1, -0.7, -2, 1, 0.5, 3, 3, -3};
    for (int k = 0; k < 2; ++k) {
        const double beta = k == 0 ? 1 : 0.7;
        double z = 0, f[rows] = {0}, mean_v[nv];
        for (int h = 0; h < 1 << nh; ++h) {
            double log_h = 0, row[nh];
            bits_of((uint64_t)h, nh, row);
            for (int j = 0; j < nh; ++j) {
                log_h += beta * m.c[j] * row[j];
            }
            for (int i = 0; i < nv; ++i) { /* complete the square */
                double y = 0;
                for (int j = 0; j < nh; ++j) {
                    y += m.w[i * nh + j] * row[j];
                }
                mean_v[i] = m.b[i] + m.sigma[i] * y;
                log_h += beta * (mean_v[i] * mean_v[i] - m.b[i] * m.b[i]) /
                             (2 * m.sigma[i] * m.sigma[i]) +
                         log(m.sigma[i]) + log(2 * acos(-1) / beta) / 2;
            }
            z += exp(log_h);
            for (int r = 0; r < rows; ++r) { /* the density of v given h times the weight of h */
                double log_v = log_h;
                for (int i = 0; i < nv; ++i) {
                    const double d = (v[r * nv + i] - mean_v[i]) / m.sigma[i];
                    log_v += -beta * d * d / 2 - log(m.sigma[i]) - log(2 * acos(-1) / beta) / 2;
                }
                f[r] += exp(log_v);
            }
        }
        FOR_EACH_SUBJECT(s) {
            for (int p = 0; p < 2; ++p) {
                bench x = open_bench(s, precisions[p], &m, rows, 1);
                double log_z, energy[rows];
                run_map(&x, LOG_Z, beta, NULL, &log_z);
                run_map(&x, FREE_ENERGY, beta, v, energy);
                expect_near(s, "log Z", log_z, log(z), bound_of(precisions[p], 20));
                for (int r = 0; r < rows; ++r) {
                    expect_near(s, "F(v)", -energy[r], log(f[r]), bound_of(precisions[p], 20));
                }
                close_bench(&x);
            }
        }
    }
    free(m.w);
}

/* E[v | h] of every kind. */
static void visible_means(void **state) {
    (void)state;
    enum { rows = 4 };
    const machine machines[] = {wave_machine(GM_RBM_BINARY, 7, 2, 0, 0.8),
                                wave_machine(GM_RBM_GAUSSIAN, 7, 2, 0, 0.8),
                                wave_machine(GM_RBM_POTTS, 8, 2, 4, 0.8)};
    static const double h[rows * 2] = {0, 0, 0, 1, 1, 0, 1, 1};
    const double beta = 1.7;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const machine *m = &machines[k / 2];
            const gm_dtype dtype = precisions[k % 2];
            double mean[rows * 8];
            bench x = open_bench(s, dtype, m, rows, 0);
            run_map(&x, VISIBLE_MEAN, beta, h, mean);
            for (int r = 0; r < rows; ++r) {
                double y[8], sum[2] = {0, 0};
                for (int64_t i = 0; i < m->visible; ++i) {
                    y[i] = m->w[2 * i] * h[2 * r] + m->w[2 * i + 1] * h[2 * r + 1];
                    sum[i / 4] += exp(beta * (m->b[i] + y[i]));
                }
                for (int64_t i = 0; i < m->visible; ++i) {
                    const double e = exp(beta * (m->b[i] + y[i]));
                    const double expected = m->kind == GM_RBM_BINARY ? e / (1 + e)
                                            : m->kind == GM_RBM_POTTS
                                                ? e / sum[i / 4]
                                                : m->b[i] + m->sigma[i] * y[i];
                    expect_near(s, "E[v | h]", mean[r * m->visible + i], expected,
                                bound_of(dtype, 1));
                }
            }
            close_bench(&x);
        }
    }
    for (int i = 0; i < COUNT(machines); ++i) {
        free(machines[i].w);
    }
}

/* ---- bits ------------------------------------------------------------------------------------ */

/* Weights so large that every probability is 0, 1 or 1/2 exactly: all subjects draw the same. */
static void decisive_machines_agree_to_the_bit(void **state) {
    (void)state;
    enum { nv = 37, nh = 21, rows = 50 };
    machine m = make_machine(GM_RBM_BINARY, nv, nh, 0);
    uint64_t random = 5;
    for (int i = 0; i < nv * nh; ++i) {
        m.w[i] = 1024 * (double)((int)(next_random(&random) >> 40) % 3 - 1);
    }
    static const gm_dtype types[] = {GM_F64, GM_F32, GM_BF16};
    static double first[3][rows * (nv + nh)], v[rows * (nv + nh)];
    FOR_EACH_SUBJECT(s) {
        for (int p = 0; p < 3; ++p) {
            uint64_t start = 77;
            for (int i = 0; i < rows * nv; ++i) {
                v[i] = (double)(next_random(&start) >> 63);
            }
            bench x = open_bench(s, types[p], &m, rows, 0);
            run_gibbs(&x, &(gm_rbm_sweeps){.seed = 3, .first_chain = 9, .sweeps = 7}, v,
                      v + rows * nv);
            close_bench(&x);
            if (s == subjects) {
                memcpy(first[p], v, sizeof v);
            }
            assert_memory_equal(v, first[p], sizeof v);
        }
    }
    assert_memory_equal(first[2], first[1], sizeof v); /* bf16 and f32 share their uniforms */
    free(m.w);
}

/* The units of a chain are those of the header's address: found by the reference's own noise. */
static void draws_are_where_the_header_says(void **state) {
    (void)state;
    enum { nv = 3, nh = 2, rows = 4 };
    const machine m = wave_machine(GM_RBM_BINARY, nv, nh, 0, 0.8);
    FOR_EACH_SUBJECT(s) {
        double v[rows * nv] = {0}, h[rows * nh], mean_h[rows * nh], mean_v[rows * nv];
        bench x = open_bench(s, GM_F32, &m, rows, 0);
        run_map(&x, HIDDEN_MEAN, 1, v, mean_h);
        run_gibbs(&x, &(gm_rbm_sweeps){.seed = 8, .first_chain = 6, .first_sweep = 5, .sweeps = 1},
                  v, h);
        run_map(&x, VISIBLE_MEAN, 1, h, mean_v);
        for (uint32_t layer = 0; layer < 2; ++layer) {
            const gm_words key = gm_philox_block(8, 5, GM_STREAM_CHAIN, layer);
            const int units = layer == 0 ? nh : nv;
            for (int i = 0; i < rows * units; ++i) {
                const uint64_t e = 6 * (uint64_t)units + (uint64_t)i;
                const gm_words w = gm_philox_block(gm_join(key.w1, key.w0), e / 4, 9, 0);
                const double u = (double)(gm_word(w, (uint32_t)(e % 4)) >> 8) * 0x1p-24;
                assert_true((layer == 0 ? h : v)[i] ==
                            (u < (layer == 0 ? mean_h : mean_v)[i] ? 1 : 0));
            }
        }
        close_bench(&x);
    }
    free(m.w);
}

/* Sweeps in pieces give the same bits. So do chains in pieces, but for the rounding of a field: in
 * f64 no draw of these sees it, and a gaussian unit is some rounding units off after each sweep. */
static void cuts_do_not_matter(void **state) {
    (void)state;
    enum { nv = 20, nh = 13, rows = 24, sweeps = 6 };
    static double whole[rows * nv], twice[rows * nv], cut[rows * nv];
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const gm_rbm_kind kind = (gm_rbm_kind)(k / 2);
            const gm_dtype dtype = precisions[k % 2];
            const machine m = wave_machine(kind, nv, nh, kind == GM_RBM_POTTS ? 5 : 0, 0.5);
            for (int i = 0; i < rows * nv; ++i) {
                whole[i] = twice[i] = cut[i] = i % 5 == 0;
            }
            gm_rbm_sweeps run = {.seed = 2, .first_chain = 100, .sweeps = sweeps, .beta = 0.9};
            bench x = open_bench(s, dtype, &m, rows, 0);
            run_gibbs(&x, &run, whole, NULL);
            run.sweeps = 2;
            run_gibbs(&x, &run, twice, NULL);
            run.first_sweep = 2;
            run.sweeps = sweeps - 2;
            run_gibbs(&x, &run, twice, NULL);
            assert_memory_equal(twice, whole, sizeof whole);
            close_bench(&x);
            const int pieces[] = {0, 1, 9, rows};
            for (int piece = 0; piece < 3 && dtype == GM_F64; ++piece) {
                const int first = pieces[piece], count = pieces[piece + 1] - first;
                bench y = open_bench(s, dtype, &m, count, 0);
                run = (gm_rbm_sweeps){.seed = 2, .sweeps = sweeps, .beta = 0.9};
                run.first_chain = 100 + (uint64_t)first;
                run_gibbs(&y, &run, cut + first * nv, NULL);
                close_bench(&y);
            }
            for (int i = 0; i < rows * nv && dtype == GM_F64; ++i) {
                expect_near(s, "v", cut[i], whole[i],
                            kind == GM_RBM_GAUSSIAN ? bound_of(dtype, 4) : 0);
            }
            free(m.w);
        }
    }
}

/* The number of threads changes nothing. */
static void threads_do_not_matter(void **state) {
    (void)state;
    enum { nv = 130, nh = 70, rows = 300 };
    const machine m = wave_machine(GM_RBM_GAUSSIAN, nv, nh, 0, 0.1);
    static double v[2][rows * nv], energy[2][rows];
    for (int k = 0; k < 2; ++k) {
        subject s = {.name = "cpu"};
        const gm_context_options options = {.backend = GM_BACKEND_CPU, .threads = 1 + 2 * k};
        ASSERT_OK(NULL, gm_context_create(&options, &s.context));
        for (int i = 0; i < rows * nv; ++i) {
            v[k][i] = 0;
        }
        bench x = open_bench(&s, GM_F32, &m, rows, 0);
        run_gibbs(&x, &(gm_rbm_sweeps){.seed = 2, .sweeps = 3}, v[k], NULL);
        run_map(&x, FREE_ENERGY, 1, v[k], energy[k]);
        close_bench(&x);
        gm_context_destroy(s.context);
    }
    assert_memory_equal(v[0], v[1], sizeof v[0]);
    assert_memory_equal(energy[0], energy[1], sizeof energy[0]);
    free(m.w);
}

static void clamped_units_stay(void **state) {
    (void)state;
    enum { nv = 12, nh = 6, rows = 40 };
    FOR_EACH_SUBJECT(s) {
        for (int kind = 0; kind < 3; ++kind) {
            const machine m = wave_machine((gm_rbm_kind)kind, nv, nh, kind == 2 ? 3 : 0, 0.5);
            uint8_t marks[nv];
            double v[rows * nv], start[rows * nv];
            for (int i = 0; i < nv; ++i) {
                marks[i] = i / 3 % 2 == 1;
            }
            for (int i = 0; i < rows * nv; ++i) {
                v[i] = start[i] = i % 3 == i / nv % 3;
            }
            bench x = open_bench(s, GM_F64, &m, rows, 0);
            void *memory;
            ASSERT_OK(s->context, gm_memory_alloc(s->context, nv, &memory));
            ASSERT_OK(s->context, gm_memory_upload(s->context, memory, marks, nv));
            const gm_tensor clamp = gm_tensor_1d(memory, GM_U8, nv);
            run_gibbs(&x, &(gm_rbm_sweeps){.seed = 4, .sweeps = 5, .clamp = &clamp}, v, NULL);
            int changed = 0;
            for (int i = 0; i < rows * nv; ++i) {
                assert_true(marks[i % nv] == 0 || v[i] == start[i]);
                changed += v[i] != start[i];
            }
            assert_true(changed > rows);
            ASSERT_OK(s->context, gm_memory_free(s->context, memory));
            close_bench(&x);
            free(m.w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixture_of_twenty_units),
        cmocka_unit_test(three_units),
        cmocka_unit_test(nine_units),
        cmocka_unit_test(every_state_has_its_probability),
        cmocka_unit_test(log_z_of_many_states),
        cmocka_unit_test(gaussian_layers),
        cmocka_unit_test(visible_means),
        cmocka_unit_test(decisive_machines_agree_to_the_bit),
        cmocka_unit_test(draws_are_where_the_header_says),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(clamped_units_stay),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
