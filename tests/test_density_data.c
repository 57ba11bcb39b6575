/*
 * Densities over data sets: against the same density with its data written into it, and against the
 * exact posterior of a linear regression; sums over many rows, the order and the layout of rows, no
 * rows at all. What is wrong with arguments and bodies: test_density_data_errors.c.
 *
 * Statistical checks take independent chains and fail at |z| > 5.5, which a right program does with
 * probability 4e-8: with under 200 of them a run with new seeds fails with less than 1e-5. The
 * seeds are fixed.
 */
#include "tests/density_data_fixture.h"

#include <genmath/density_tempering.h>
#include <genmath/importance.h>

/* The same, as it had to be written before: for the reference alone. */
GM_DENSITY(
    line_static, DIM, 2,
    {
        logp[0] = -(real)0.5 * p[0] * (y[0] * y[0] + y[1] * y[1] + y[2] * y[2]);
        for (int r = 0; r < ENTRIES; ++r) {
            real rest = (real)table[r][3];
            for (int c = 0; c < DIM; ++c) {
                rest -= (real)table[r][c] * y[c];
            }
            logp[0] -= (real)0.5 * p[1] * rest * rest;
        }
    },
    {
        for (int c = 0; c < DIM; ++c) {
            grad[c] = -p[0] * y[c];
        }
        for (int r = 0; r < ENTRIES; ++r) {
            real rest = (real)table[r][3];
            for (int c = 0; c < DIM; ++c) {
                rest -= (real)table[r][c] * y[c];
            }
            for (int c = 0; c < DIM; ++c) {
                grad[c] += p[1] * rest * (real)table[r][c];
            }
        }
    })

/* A row's term is -infinity left of d[0]. */
GM_DENSITY_DATA(
    fences, 1, 0, 2, { logp[0] = 0; }, { grad[0] = 0; },
    { logp[0] = y[0] < d[0] ? gm_log(0 * d[1]) : -d[1] * (y[0] - d[0]); }, { grad[0] = -d[1]; })

/* Sines, of numbers too that those of a lane do not know. */
GM_DENSITY_DATA(
    waves, 2, 0, 2, { logp[0] = -y[0] * y[0] - y[1] * y[1]; },
    {
        grad[0] = -2 * y[0];
        grad[1] = -2 * y[1];
    },
    { logp[0] = d[1] * gm_sin(d[0] * y[0]) + y[1]; },
    {
        grad[0] = d[1] * gm_cos(d[0] * y[0]);
        grad[1] = 1;
    })

/* ---- the sum --------------------------------------------------------------------------------- */

/* log p at n points (dim, n). */
static void log_targets(const subject *s, const gm_density *density, gm_dtype dtype,
                        const double *params, int64_t rows, int how, const double *data, int64_t n,
                        const double *points, double *found) {
    gm_context *c = s->context;
    const int64_t dim = density->dim, count = density->params;
    const gm_importance_options options = {.dtype = dtype};
    gm_importance_plan *plan;
    ASSERT_OK(c, gm_importance_plan_create(c, density, 0, &options, &plan));
    chain_array y = chain_upload(c, dtype, 2, 1, dim, n, false, false, points);
    chain_array p = chain_upload(c, dtype, 2, 1, 1, count, false, false, params);
    chain_array d = data_upload(c, dtype, rows, density->columns, how, data);
    chain_array out = chain_upload(c, dtype, 2, 1, 1, n, false, false, NULL);
    const gm_tensor at = {y.tensor.data, dtype, 3, {1, dim, n}, {0, n, 1}};
    ASSERT_OK(c, gm_importance_draw(plan,
                                    &(gm_importance_input){.points = &at,
                                                           .params = count > 0 ? &p.tensor : NULL,
                                                           .data = &d.tensor},
                                    &(gm_importance_samples){.log_target = &out.tensor}));
    gm_importance_plan_destroy(plan);
    double *values = chain_download(c, &out, 1, 1, n, false);
    memcpy(found, values, (size_t)n * sizeof *found);
    free(values);
    ASSERT_OK(c, gm_memory_free(c, y.memory));
    ASSERT_OK(c, gm_memory_free(c, p.memory));
    ASSERT_OK(c, gm_memory_free(c, d.memory));
}

/* Of any layout to the bit, of any order of the rows to rounding: a sum of ENTRIES terms is off by
 * at most 66 units of its terms' sizes, and they by 10 of their own. */
static void order_and_layout_of_rows_do_not_matter(void **state) {
    (void)state;
    const double params[] = {0.7, 2};
    double points[DIM * N], turned[ENTRIES][WIDTH], exact[N], found[N];
    fill(1, 1, points, DIM * N);
    for (int r = 0; r < ENTRIES; ++r) {
        memcpy(turned[r], table[(r * 47 + 11) % ENTRIES], sizeof turned[r]);
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            const gm_dtype dtype = precisions[k];
            log_targets(s, &line, dtype, params, ENTRIES, 0, &table[0][0], N, points, exact);
            for (int how = 1; how < 3; ++how) {
                log_targets(s, &line, dtype, params, ENTRIES, how, &table[0][0], N, points, found);
                assert_memory_equal(found, exact, sizeof found);
            }
            log_targets(s, &line, dtype, params, ENTRIES, 0, &turned[0][0], N, points, found);
            bool differs = false;
            for (int i = 0; i < N; ++i) {
                if (!(fabs(found[i] - exact[i]) <= 76 * unit_of(dtype) * fabs(exact[i]))) {
                    fail_msg("%s: %.9g and %.9g in another order", s->name, exact[i], found[i]);
                }
                differs = differs || found[i] != exact[i];
            }
            assert_true(differs || (s->is_reference && k == 1)); /* or nothing was turned */
        }
    }
}

/* A plain sum of 300,001 equal terms in float is off by over 1e3 units, always to one side. */
static void sums_of_many_rows_keep_their_digits(void **state) {
    (void)state;
    enum { MANY = 300001, FEW = 3 };
    static double data[MANY][WIDTH];
    const double params[] = {0.5, 1}, points[DIM * FEW] = {0.1, -2, 3};
    double found[FEW];
    for (int r = 0; r < MANY; ++r) {
        data[r][0] = 1;
        data[r][3] = 0.7;
    }
    FOR_EACH_SUBJECT(s) {
        const int rows = s->is_slow && !test_is_full() ? MANY / 3 : MANY;
        log_targets(s, &line, GM_F32, params, rows, 0, &data[0][0], FEW, points, found);
        for (int i = 0; i < FEW; ++i) {
            const double y = (double)(float)points[i], rest = (double)0.7F - y;
            const double exact = -0.25 * y * y - 0.5 * rest * rest * rows;
            if (!(fabs(found[i] - exact) <= 76 * unit_of(GM_F32) * fabs(exact))) {
                fail_msg("%s: the sum of %d rows is %.9g, not %.9g", s->name, rows, found[i],
                         exact);
            }
        }
    }
}

/* Without rows the prior to the bit, also in a chain. */
static void no_rows_are_the_prior(void **state) {
    (void)state;
    const double params[] = {0.7, 2}, h = 0.4;
    double start[DIM * N];
    fill(2, 1, start, DIM * N);
    FOR_EACH_SUBJECT(s) {
        chains in = {.density = &line_prior,
                     .options = {.dtype = GM_F32, .method = GM_MCMC_MALA, .steps = 4, .seed = 3},
                     .n = N,
                     .state = start,
                     .params = params,
                     .step = &h,
                     .shared = true};
        chains_result prior = run_chains(s, &in);
        in.density = &line;
        chains_result none = run_chains(s, &in);
        if (s->is_reference || s->is_kernel) { /* lanes may contract as they are inlined */
            assert_memory_equal(none.state, prior.state, sizeof start);
        }
        assert_memory_equal(none.accepted, prior.accepted, N * sizeof *prior.accepted);
        for (int i = 0; i < DIM * N; ++i) {
            assert_true(fabs(none.state[i] - prior.state[i]) <= 1e-5);
        }
        free_chains(&prior);
        free_chains(&none);
    }
}

/* A term of -infinity is a density of 0, not a NaN; chains stay on their side of all fences. */
static void an_infinite_term_is_outside(void **state) {
    (void)state;
    double data[ENTRIES][2], points[N], found[N], start[N];
    for (int r = 0; r < ENTRIES; ++r) {
        data[r][0] = r == 77 ? 0.5 : 0.25;
        data[r][1] = 1.0 / ENTRIES;
    }
    for (int i = 0; i < N; ++i) {
        points[i] = i / 50.0;
        start[i] = 0.5 + i / 50.0;
    }
    const double h = 0.7;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 2; ++k) {
            log_targets(s, &fences, precisions[k], NULL, ENTRIES, 0, &data[0][0], N, points, found);
            for (int i = 0; i < N; ++i) {
                assert_true(i < 25 ? found[i] == -INFINITY : isfinite(found[i]));
            }
            chains in = {
                .density = &fences,
                .options = {.dtype = precisions[k], .method = GM_MCMC_RWM, .steps = 20, .seed = 3},
                .n = N,
                .state = start,
                .step = &h,
                .shared = true,
                .data = &data[0][0],
                .rows = ENTRIES};
            chains_result out = run_chains(s, &in);
            int64_t outside = 0;
            for (int i = 0; i < N; ++i) {
                assert_int_equal(out.status[i], GM_STATUS_OK);
                assert_true(out.state[i] >= 0.5 && isfinite(out.logp[i]));
                outside += out.outside[i];
            }
            assert_true(outside > N);
            free_chains(&out);
        }
    }
}

/* A lane whose sine leaves its range takes the scalar body, and the others do not: 1e16 y is past
 * 2^45, 1e10 y is not. */
static void sines_of_large_numbers_are_right(void **state) {
    (void)state;
    const double data[7][2] = {{1, 2}, {1e16, 3}, {2, -1}, {1e10, 1}, {3, 1}, {1e16, 1}, {1e15, 2}};
    double points[2 * N], exact[N], found[N];
    fill(4, 1e-2, points, 2 * N);
    points[5] = points[9] = 1e-12;
    const double h = 1e-3;
    chains in = {.density = &waves,
                 .options = {.dtype = GM_F64, .method = GM_MCMC_ULA, .steps = 1, .seed = 3},
                 .n = N,
                 .state = points,
                 .step = &h,
                 .shared = true,
                 .data = &data[0][0],
                 .rows = 7};
    log_targets(&subjects[0], &waves, GM_F64, NULL, 7, 0, &data[0][0], N, points, exact);
    /* A difference in the last bit of y would be seen: the slope alone, not the state. */
    chains_result right = run_chains(&subjects[0], &in);
    FOR_EACH_SUBJECT(s) {
        log_targets(s, &waves, GM_F64, NULL, 7, 0, &data[0][0], N, points, found);
        chains_result out = run_chains(s, &in);
        for (int i = 0; i < N; ++i) {
            assert_true(fabs(found[i] - exact[i]) <= 1e-13 * 20);
            assert_true(fabs(out.state[i] - right.state[i]) <=
                        1e-14 * fabs(right.state[i]) + 1e-15);
        }
        free_chains(&out);
    }
    free_chains(&right);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static const struct {
    gm_mcmc_method method;
    double h;
    int32_t leapfrogs, jitter;
} kinds[] = {{GM_MCMC_RWM, 0.06, 0, 0},
             {GM_MCMC_ULA, 2e-4, 0, 0},
             {GM_MCMC_MALA, 4e-4, 0, 0},
             {GM_MCMC_HMC, 0.04, 4, 1},
             {GM_MCMC_COMPONENT, 0.08, 0, 1}};

/* Every method against the reference with the data in the density. A float decision is within
 * rounding of its noise for one chain in a hundred. */
static void chains_are_those_of_the_data_written_out(void **state) {
    (void)state;
    const double params[] = {0.7, 2};
    double start[DIM * N];
    fill(5, 0.1, start, DIM * N);
    for (int i = 0; i < N; ++i) {
        start[2 * N + i] += 1.3;
        start[i] -= 0.7;
    }
    start[3] = NAN;
    for (int k = 0; k < 2 * COUNT(kinds); ++k) {
        const int kind = k / 2;
        chains in = {.density = &line_static,
                     .options = {.dtype = precisions[k % 2],
                                 .method = kinds[kind].method,
                                 .steps = 6,
                                 .leapfrogs = kinds[kind].leapfrogs,
                                 .jitter = kinds[kind].jitter,
                                 .seed = 11},
                     .n = N,
                     .state = start,
                     .params = params,
                     .step = &kinds[kind].h,
                     .shared = true,
                     .data = &table[0][0]};
        chains_result right = run_chains(&subjects[0], &in);
        in.density = &line;
        in.rows = ENTRIES;
        in.data_layout = k % 3;
        const double allowed = k % 2 == 0 ? 1e-11 : 1e-3;
        FOR_EACH_SUBJECT(s) {
            chains_result out = run_chains(s, &in);
            int elsewhere = 0, moved = 0;
            for (int i = 0; i < N; ++i) {
                bool same = out.accepted[i] == right.accepted[i] &&
                            fabs(out.logp[i] - right.logp[i]) <= allowed * fabs(right.logp[i]);
                for (int c = 0; c < DIM; ++c) {
                    same = same && fabs(out.state[c * N + i] - right.state[c * N + i]) <= allowed;
                }
                assert_int_equal(out.status[i], i == 3 ? GM_STATUS_NON_FINITE : GM_STATUS_OK);
                elsewhere += i != 3 && !same;
                moved += out.accepted[i] > 0;
            }
            assert_true(moved > N / 2);
            if (elsewhere > k % 2) {
                fail_msg("%s: method %d, precision %d: %d chains are elsewhere", s->name, kind,
                         k % 2, elsewhere);
            }
            free_chains(&out);
        }
        free_chains(&right);
    }
}

/* Inverse of a symmetric positive definite matrix by Gauss and Jordan. */
static void invert(double a[DIM][DIM]) {
    for (int k = 0; k < DIM; ++k) {
        const double pivot = a[k][k];
        a[k][k] = 1;
        for (int j = 0; j < DIM; ++j) {
            a[k][j] /= pivot;
        }
        for (int i = 0; i < DIM; ++i) {
            const double factor = a[i][k];
            if (i != k) {
                a[i][k] = 0;
                for (int j = 0; j < DIM; ++j) {
                    a[i][j] -= factor * a[k][j];
                }
            }
        }
    }
}

/* From the prior, far off, to the exact posterior N(A^-1 b, A^-1), A = p0 + p1 X^T X, b = p1 X^T t:
 * means and covariances. Trajectories of 0.4 to 4 standard deviations; 24 of them leave nothing of
 * the start but what is far below a sigma of the test. */
static void a_regression_has_its_exact_posterior(void **state) {
    (void)state;
    enum { SHORT = 40 };
    const double p[] = {0.7, 2}, h = 0.045;
    double cov[DIM][DIM] = {{0}}, b[DIM] = {0}, mean[DIM] = {0};
    for (int c = 0; c < DIM; ++c) {
        cov[c][c] = p[0];
    }
    for (int r = 0; r < SHORT; ++r) {
        for (int i = 0; i < DIM; ++i) {
            b[i] += p[1] * table[r][i] * table[r][3];
            for (int j = 0; j < DIM; ++j) {
                cov[i][j] += p[1] * table[r][i] * table[r][j];
            }
        }
    }
    invert(cov);
    for (int i = 0; i < DIM * DIM; ++i) {
        mean[i / DIM] += cov[i / DIM][i % DIM] * b[i % DIM];
    }
    FOR_EACH_SUBJECT(s) {
        const int64_t n = (s->is_slow        ? 256
                           : s->is_reference ? 1024
                                             : 8192) *
                          (test_is_full() ? 8 : 1);
        double *start = calloc((size_t)n * DIM, sizeof *start);
        double *product = malloc((size_t)n * sizeof *product);
        assert_true(start != NULL && product != NULL);
        fill(6, 1, start, n * DIM);
        chains in = {.density = &line,
                     .options = {.dtype = precisions[s->is_slow],
                                 .method = GM_MCMC_HMC,
                                 .steps = 24,
                                 .leapfrogs = 10,
                                 .jitter = 1,
                                 .seed = 12},
                     .n = n,
                     .state = start,
                     .params = p,
                     .step = &h,
                     .shared = true,
                     .data = &table[0][0],
                     .rows = SHORT};
        chains_result out = run_chains(s, &in);
        for (int i = 0; i < DIM; ++i) {
            check_chain_mean(s, "posterior mean", out.state + i * n, n, mean[i]);
            for (int j = 0; j <= i; ++j) {
                for (int64_t k = 0; k < n; ++k) {
                    product[k] =
                        (out.state[i * n + k] - mean[i]) * (out.state[j * n + k] - mean[j]);
                }
                check_chain_mean(s, "posterior covariance", product, n, cov[i][j]);
            }
        }
        free_chains(&out);
        free(start);
        free(product);
    }
}

/* Chain i by itself, in two calls: the same bits as among the others in one. */
static void results_do_not_depend_on_the_cut(void **state) {
    (void)state;
    const double params[] = {0.7, 2}, h = 0.05;
    double start[DIM * N], slice[DIM * 3];
    fill(7, 0.3, start, DIM * N);
    for (int i = 0; i < DIM * 3; ++i) {
        slice[i] = start[i / 3 * N + 66 + i % 3];
    }
    FOR_EACH_SUBJECT(s) {
        chains in = {.density = &line,
                     .options = {.dtype = GM_F32,
                                 .method = GM_MCMC_HMC,
                                 .steps = 6,
                                 .leapfrogs = 2,
                                 .seed = 4},
                     .n = N,
                     .state = start,
                     .params = params,
                     .step = &h,
                     .shared = true,
                     .data = &table[0][0],
                     .rows = ENTRIES};
        chains_result all = run_chains(s, &in);
        in.n = 3;
        in.state = slice;
        in.options.first_index = 66;
        in.options.steps = 2;
        chains_result one = run_chains(s, &in);
        in.state = one.state;
        in.first_step = 2;
        in.options.steps = 4;
        chains_result two = run_chains(s, &in);
        for (int i = 0; i < 3; ++i) {
            for (int c = 0; c < DIM; ++c) {
                assert_true(two.state[c * 3 + i] == all.state[c * N + 66 + i]);
            }
        }
        free_chains(&all);
        free_chains(&one);
        free_chains(&two);
    }
}

/* A number in the data that is none: no chain starts, whatever it looks at. */
static void bad_data_start_no_chain(void **state) {
    (void)state;
    const double params[] = {0.7, 2}, start[DIM * 2] = {0};
    double bad[ENTRIES][WIDTH];
    memcpy(bad, table, sizeof bad);
    bad[ENTRIES - 1][2] = NAN;
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(kinds); ++k) {
            chains in = {.density = &line,
                         .options = {.dtype = precisions[k % 2],
                                     .method = kinds[k].method,
                                     .steps = 2,
                                     .leapfrogs = kinds[k].leapfrogs,
                                     .jitter = kinds[k].jitter},
                         .n = 2,
                         .state = start,
                         .params = params,
                         .step = &kinds[k].h,
                         .shared = true,
                         .data = &bad[0][0],
                         .rows = ENTRIES};
            chains_result out = run_chains(s, &in);
            assert_int_equal(out.status[0], GM_STATUS_NON_FINITE);
            assert_int_equal(out.status[1], GM_STATUS_NON_FINITE);
            assert_true(out.state[0] == 0 && isnan(out.logp[0]) && isnan(out.mean[0]));
            free_chains(&out);
        }
    }
}

/* ---- tempering ------------------------------------------------------------------------------- */

/* Ladders of one level are chains: the same bits as a plain run. */
static void a_ladder_takes_the_data(void **state) {
    (void)state;
    const double params[] = {0.7, 2}, h = 0.06, one = 1;
    FOR_EACH_SUBJECT(s) {
        gm_context *c = s->context;
        double start[DIM * 5];
        fill(8, 0.3, start, DIM * 5);
        const gm_mcmc_options options = {
            .dtype = GM_F64, .method = GM_MCMC_RWM, .steps = 2, .seed = 9};
        chains in = {.density = &line,
                     .options = options,
                     .n = 5,
                     .state = start,
                     .params = params,
                     .step = &h,
                     .shared = true,
                     .data = &table[0][0],
                     .rows = ENTRIES};
        in.options.steps = 6;
        chains_result right = run_chains(s, &in);
        const double wide[10] = {0.7, 0.7, 0.7, 0.7, 0.7, 2, 2, 2, 2, 2};
        const double zeros[5] = {0};
        chain_array y = chain_upload(c, GM_F64, 2, 1, DIM, 5, false, false, start);
        chain_array p = chain_upload(c, GM_F64, 2, 1, 2, 5, false, false, wide);
        chain_array d = data_upload(c, GM_F64, ENTRIES, WIDTH, 1, &table[0][0]);
        chain_array levels = chain_upload(c, GM_F64, 2, 1, 2, 5, false, false, zeros);
        int32_t nothing[10] = {0};
        ASSERT_OK(c, gm_memory_upload(c, levels.tensor.data, nothing, sizeof nothing));
        const gm_tensor level = gm_tensor_2d(levels.tensor.data, GM_I32, 5, 1);
        const gm_tensor label = gm_tensor_2d((char *)levels.tensor.data + 20, GM_I32, 5, 1);
        gm_mcmc_plan *mcmc;
        gm_density_tempering_plan *plan;
        ASSERT_OK(c, gm_mcmc_plan_create(c, &line, &options, &mcmc));
        const gm_density_tempering how = {
            .mcmc = mcmc, .temperatures = 1, .beta = &one, .step = &h};
        ASSERT_OK(c, gm_density_tempering_plan_create(c, &how, &plan));
        gm_density_tempering_state ladders = {&y.tensor, &level, &label, &p.tensor, NULL, NULL};
        gm_workspace workspace = {0};
#define RUN() gm_density_tempering_run(plan, 0, 3, &ladders, NULL, &workspace)
        ASSERT_FAILS(c, RUN(), GM_STATUS_INVALID_ARGUMENT,
                     "state.data is NULL: the density is one over data of 4 columns");
        const gm_tensor over = gm_tensor_2d(y.tensor.data, GM_F64, 3, WIDTH);
        ladders.data = &over;
        ASSERT_FAILS(c, RUN(), GM_STATUS_INVALID_ARGUMENT, "state.state and state.data overlap");
        ladders.data = &d.tensor;
        ASSERT_OK(c, RUN());
        ASSERT_OK(c, gm_memory_alloc(c, workspace.bytes, &workspace.data));
        ASSERT_OK(c, RUN());
        double *end = chain_download(c, &y, 1, DIM, 5, false);
        assert_memory_equal(end, right.state, DIM * 5 * sizeof *end);
        free(end);
        free_chains(&right);
        gm_density_tempering_plan_destroy(plan);
        gm_mcmc_plan_destroy(mcmc);
        void *const all[] = {p.memory, d.memory, levels.memory, workspace.data};
        for (int i = 0; i < COUNT(all); ++i) {
            ASSERT_OK(c, gm_memory_free(c, all[i]));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_layout_of_rows_do_not_matter),
        cmocka_unit_test(sums_of_many_rows_keep_their_digits),
        cmocka_unit_test(no_rows_are_the_prior),
        cmocka_unit_test(an_infinite_term_is_outside),
        cmocka_unit_test(sines_of_large_numbers_are_right),
        cmocka_unit_test(chains_are_those_of_the_data_written_out),
        cmocka_unit_test(a_regression_has_its_exact_posterior),
        cmocka_unit_test(results_do_not_depend_on_the_cut),
        cmocka_unit_test(bad_data_start_no_chain),
        cmocka_unit_test(a_ladder_takes_the_data),
    };
    return cmocka_run_group_tests(tests, make_table, close_subjects);
}
