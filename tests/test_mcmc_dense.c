/*
 * Dense scales: the laws of chains on a correlated Gaussian of condition number 1e4, and
 * gm_mcmc_mass, which estimates a scale from draws. Statistical checks as in test_mcmc_exact.c:
 * |z| > 5.5 fails, some 300 of them are made, so that a right program fails with less than 2e-5.
 */
#include "tests/mcmc_fixture.h"

/* N(0, F F^T), F = (p0 0 0; p1 p2 0; p3 p4 p5). */
GM_DENSITY(
    correlated, 3, 6,
    {
        const real u = y[0] / p[0];
        const real v = (y[1] - p[1] * u) / p[2];
        const real w = (y[2] - p[3] * u - p[4] * v) / p[5];
        logp[0] = (real)-0.5 * (u * u + v * v + w * w);
    },
    {
        const real u = y[0] / p[0];
        const real v = (y[1] - p[1] * u) / p[2];
        const real w = (y[2] - p[3] * u - p[4] * v) / p[5];
        grad[2] = -w / p[5];
        grad[1] = (-v - p[4] * grad[2]) / p[2];
        grad[0] = (-u - p[1] * grad[1] - p[3] * grad[2]) / p[0];
    })

enum { DIM = 3 };

/* F F^T has eigenvalues from 0.0074 to 77.3: their ratio is 1.04e4. */
static const double shape[] = {4, -3, 0.6, 6, 5, 1};

static double whole(int i, int j) {
    static const int first[] = {0, 1, 3};
    return j <= i ? shape[first[i] + j] : 0;
}

static double covariance(int i, int j) {
    double sum = 0;
    for (int k = 0; k < DIM; ++k) {
        sum += whole(i, k) * whole(j, k);
    }
    return sum;
}

static double exact_normal(uint64_t i) {
    return gm_normal_f64(98, i, GM_STREAM_USER, 0);
}

/* Largest and smallest eigenvalue by the power method on C and on its inverse. */
static void condition_number_is_as_said(void **state) {
    (void)state;
    double large = 0, small = 0, x[] = {1, 1, 1}, z[] = {1, 1, 1};
    for (int round = 0; round < 200; ++round) {
        double y[DIM], u[DIM], norm = 0;
        for (int i = 0; i < DIM; ++i) {
            y[i] = 0;
            for (int j = 0; j < DIM; ++j) {
                y[i] += covariance(i, j) * x[j];
            }
            norm += y[i] * y[i];
        }
        large = sqrt(norm);
        for (int i = 0; i < DIM; ++i) {
            x[i] = y[i] / large;
        }
        correlated.gradient_f64(0, z, shape, u);
        norm = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
        small = 1 / sqrt(norm);
        for (int i = 0; i < DIM; ++i) {
            z[i] = -u[i] * small;
        }
    }
    assert_true(large / small > 1e4 && large / small < 1.1e4);
}

static const struct {
    gm_mcmc_method method;
    double h;
    int leapfrogs, jitter;
} methods[] = {{GM_MCMC_RWM, 1.2, 0, 0},
               {GM_MCMC_ULA, 0.3, 0, 0},
               {GM_MCMC_MALA, 0.6, 0, 0},
               {GM_MCMC_HMC, 0.6, 3, 0},
               {GM_MCMC_HMC, 0.5, 5, 1}};

/*
 * The lag-1 covariance of a coordinate on N(0, I) in three dimensions with S = I, by quadrature. A
 * proposal is u' = a u + b z: the leapfrog map is linear, and (|u|, |z|, cosine) decides. The
 * midpoint rule, whose error on kinks is under 1e-3 here: the statistical one is over 7e-3.
 */
static double lag_covariance(gm_mcmc_method method, double h, int length) {
    enum { POINTS = 64 };
    const double e = method == GM_MCMC_MALA ? sqrt(2 * h) : h;
    double map[2][2] = {{1, 0}, {0, 1}}, weights = 0, loss = 0;
    for (int l = 0; l < length; ++l) {
        for (int c = 0; c < 2; ++c) {
            const double u = map[0][c], z = map[1][c];
            map[0][c] = (1 - e * e / 2) * u + e * z;
            map[1][c] = (1 - e * e / 2) * z - e * (1 - e * e / 4) * u;
        }
    }
    for (int i = 0; i < POINTS * POINTS * POINTS; ++i) {
        const double u = 7.0 / POINTS * (i % POINTS + 0.5);
        const double z = 7.0 / POINTS * (i / POINTS % POINTS + 0.5);
        const double dot =
            u * z * (2.0 / POINTS * (double)(i / POINTS / POINTS) + 1.0 / POINTS - 1);
        const double weight = u * u * z * z * exp(-(u * u + z * z) / 2);
        double to_u, inner, ratio;
        if (method == GM_MCMC_RWM) {
            to_u = u * u + 2 * h * dot + h * h * z * z;
            inner = u * u + h * dot;
            ratio = (u * u - to_u) / 2;
        } else {
            const double *a = map[0], *b = map[1];
            to_u = a[0] * a[0] * u * u + 2 * a[0] * a[1] * dot + a[1] * a[1] * z * z;
            inner = a[0] * u * u + a[1] * dot;
            ratio = (u * u + z * z - to_u - b[0] * b[0] * u * u - 2 * b[0] * b[1] * dot -
                     b[1] * b[1] * z * z) /
                    2;
        }
        weights += weight;
        loss += weight * exp(fmin(0, ratio)) * (u * u - inner) / 3;
    }
    return 1 - loss / weights;
}

/*
 * From the exact law (of ULA: its own, N(0, C / (1 - h / 2))) with S = F chains stay in it: means
 * and all of the covariance after six steps, in the coordinates F^-1 y; and over the last step the
 * lag-1 covariance of each of these: of ULA 1 - h times the variance, else that of the quadrature.
 */
static void a_dense_scale_keeps_the_law(void **state) {
    (void)state;
    for (int k = 0; k < 2 * COUNT(methods); ++k) {
        const gm_mcmc_method method = methods[k / 2].method;
        const double h = methods[k / 2].h;
        const double law = method == GM_MCMC_ULA ? 1 / (1 - h / 2) : 1;
        const uint64_t seed = (uint64_t)(500 + k);
        const int length = gm_chain_length(
            seed, 5, method == GM_MCMC_HMC ? methods[k / 2].leapfrogs : 1, methods[k / 2].jitter);
        const double lag =
            method == GM_MCMC_ULA ? (1 - h) * law : lag_covariance(method, h, length);
        FOR_EACH_SUBJECT(s) {
            const int64_t n = s->is_slow || s->is_reference ? 2000 : 20000;
            double *start = malloc((size_t)(DIM * n) * sizeof *start);
            double *values = malloc((size_t)n * sizeof *values);
            double *u[2] = {malloc((size_t)(DIM * n) * sizeof **u),
                            malloc((size_t)(DIM * n) * sizeof **u)};
            for (int64_t i = 0; i < n; ++i) {
                for (int c = 0; c < DIM; ++c) {
                    start[c * n + i] = 0;
                    for (int j = 0; j <= c; ++j) {
                        start[c * n + i] +=
                            whole(c, j) * sqrt(law) * exact_normal((uint64_t)(DIM * i + j));
                    }
                }
            }
            double factor[DIM * DIM];
            for (int c = 0; c < DIM * DIM; ++c) {
                factor[c] = whole(c / DIM, c % DIM);
            }
            const chains in = {.density = &correlated,
                               .options = {.dtype = precisions[k % 2],
                                           .method = method,
                                           .steps = 6,
                                           .thin = 1,
                                           .leapfrogs = methods[k / 2].leapfrogs,
                                           .jitter = methods[k / 2].jitter,
                                           .seed = seed},
                               .n = n,
                               .state = start,
                               .params = shape,
                               .step = &h,
                               .factor = factor,
                               .shared = true};
            chains_result out = run_chains(s, &in);
            int64_t accepted = 0;
            for (int64_t i = 0; i < n; ++i) {
                for (int t = 0; t < 2; ++t) {
                    const double *y = out.draws + (4 + t) * DIM * n + i;
                    u[t][i] = y[0] / shape[0];
                    u[t][n + i] = (y[n] - shape[1] * u[t][i]) / shape[2];
                    u[t][2 * n + i] =
                        (y[2 * n] - shape[3] * u[t][i] - shape[4] * u[t][n + i]) / shape[5];
                }
                accepted += out.accepted[i];
            }
            assert_true(accepted > 2 * n && (accepted < 6 * n) == (method != GM_MCMC_ULA));
            for (int c = 0; c < DIM; ++c) {
                check_chain_mean(s, "mean", u[1] + c * n, n, 0);
                for (int j = 0; j <= c; ++j) {
                    for (int64_t i = 0; i < n; ++i) {
                        values[i] = u[1][c * n + i] * u[1][j * n + i];
                    }
                    check_chain_mean(s, "covariance", values, n, j == c ? law : 0);
                }
                for (int64_t i = 0; i < n; ++i) {
                    values[i] = u[1][c * n + i] * u[0][c * n + i];
                }
                check_chain_mean(s, "lag-1 covariance", values, n, lag);
            }
            free_chains(&out);
            free(start);
            free(values);
            free(u[0]);
            free(u[1]);
        }
    }
}

/* The change of coordinates y = F u makes a chain with S = F one on N(0, I) with S = I from the
 * same noise, state by state: to rounding, which F^-1 makes 1e4 times as large. */
static void a_dense_scale_is_a_change_of_coordinates(void **state) {
    (void)state;
    enum { n = 130, steps = 12 };
    const double round_shape[] = {1, 0, 1, 0, 0, 1};
    double round_start[DIM * n], start[DIM * n], factor[DIM * DIM];
    for (int i = 0; i < DIM * n; ++i) {
        round_start[i] = exact_normal((uint64_t)i);
    }
    for (int i = 0; i < n; ++i) {
        for (int c = 0; c < DIM; ++c) {
            start[c * n + i] = 0;
            for (int j = 0; j <= c; ++j) {
                start[c * n + i] += whole(c, j) * round_start[j * n + i];
            }
        }
    }
    for (int c = 0; c < DIM * DIM; ++c) {
        factor[c] = whole(c / DIM, c % DIM);
    }
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < COUNT(methods); ++k) {
            chains in = {.density = &correlated,
                         .options = {.dtype = GM_F64,
                                     .method = methods[k].method,
                                     .steps = steps,
                                     .leapfrogs = methods[k].leapfrogs,
                                     .jitter = methods[k].jitter,
                                     .seed = 9},
                         .n = n,
                         .state = start,
                         .params = shape,
                         .step = &methods[k].h,
                         .factor = factor,
                         .shared = true};
            chains_result dense = run_chains(s, &in);
            in.state = round_start;
            in.params = round_shape;
            in.factor = NULL;
            chains_result plain = run_chains(s, &in);
            for (int i = 0; i < n; ++i) {
                assert_int_equal(dense.accepted[i], plain.accepted[i]);
                for (int c = 0; c < DIM; ++c) {
                    double y = 0;
                    for (int j = 0; j <= c; ++j) {
                        y += whole(c, j) * plain.state[j * n + i];
                    }
                    ASSERT_NEAR(s, dense.state[c * n + i], y, 1e-9);
                }
            }
            free_chains(&dense);
            free_chains(&plain);
        }
    }
}

/* ---- gm_mcmc_mass ---------------------------------------------------------------------------- */

typedef struct mass {
    double scale[64], factor[64 * 64];
} mass;

/* Points (m, dim, n), row-major or turned, with gaps between the outputs' elements. */
static mass find_mass(const subject *s, gm_dtype dtype, int64_t m, int64_t dim, int64_t n,
                      bool turned, const double *points) {
    gm_context *context = s->context;
    double *laid = malloc((size_t)(m * dim * n) * sizeof *laid);
    for (int64_t i = 0; i < m * dim * n; ++i) {
        const int64_t t = i / (dim * n), c = i / n % dim, k = i % n;
        laid[turned ? (t * n + k) * dim + c : i] = points[i];
    }
    const int64_t stride[] = {dim * n, turned ? 1 : n, turned ? dim : 1};
    chain_array from = chain_upload(context, dtype, 2, 1, 1, m * dim * n, false, false, laid);
    chain_array scale = chain_upload(context, dtype, 2, 1, 2, dim, false, false, NULL);
    chain_array factor = chain_upload(context, dtype, 2, 1, dim, 2 * dim, false, false, NULL);
    const gm_tensor draws = {
        from.tensor.data, dtype, 3, {m, dim, n}, {stride[0], stride[1], stride[2]}};
    const gm_tensor scales = {scale.tensor.data, dtype, 1, {dim}, {2}};
    const gm_tensor factors = {factor.tensor.data, dtype, 2, {dim, dim}, {2 * dim, 2}};
    ASSERT_OK(context, gm_mcmc_mass(context, &draws, &scales, &factors));
    double *first = chain_download(context, &scale, 1, 2, dim, false);
    double *second = chain_download(context, &factor, 1, dim, 2 * dim, false);
    /* Either one alone is the same. */
    chain_array alone = chain_upload(context, dtype, 2, 1, dim + 1, dim, false, false, NULL);
    const gm_tensor diagonal = {alone.tensor.data, dtype, 1, {dim}, {1}};
    const gm_tensor square = {(char *)alone.tensor.data + dim * (int64_t)gm_dtype_size(dtype),
                              dtype,
                              2,
                              {dim, dim},
                              {dim, 1}};
    ASSERT_OK(context, gm_mcmc_mass(context, &draws, &diagonal, NULL));
    ASSERT_OK(context, gm_mcmc_mass(context, &draws, NULL, &square));
    double *again = chain_download(context, &alone, 1, dim + 1, dim, false);
    mass found;
    for (int64_t i = 0; i < dim; ++i) {
        found.scale[i] = first[2 * i];
        assert_true(isnan(first[2 * i + 1]) && again[i] == first[2 * i]);
        for (int64_t j = 0; j < dim; ++j) {
            const double entry = second[i * 2 * dim + 2 * j];
            found.factor[i * dim + j] = entry;
            assert_true(again[(1 + i) * dim + j] == entry ||
                        (isnan(entry) && isnan(again[(1 + i) * dim + j])));
            assert_true(isnan(second[i * 2 * dim + 2 * j + 1]));
        }
    }
    ASSERT_OK(context, gm_memory_free(context, from.memory));
    free(laid);
    free(first);
    free(second);
    free(again);
    return found;
}

/*
 * Against the formulas of the header, entry by entry: L L^T is the shrunk covariance, the scale the
 * roots of its diagonal, nothing above the diagonal; points with a hole are left out of the entries
 * of that coordinate. Tolerance: means near 3, squares near 10, some 1000 summands: 100 roundings.
 */
static void mass_is_the_shrunk_covariance(void **state) {
    (void)state;
    static const struct {
        int64_t m, dim, n;
        int holes;
    } rows[] = {{1, 1, 1, 0}, {3, 2, 1, 0},   {1, 5, 300, 0}, {4, 5, 257, 0}, {7, 5, 40, 1},
                {2, 3, 2, 1}, {1, 64, 90, 0}, {1, 33, 80, 0}, {0, 3, 5, 0},   {2, 3, 0, 0}};
    for (int k = 0; k < 4 * COUNT(rows); ++k) {
        const int64_t m = rows[k / 4].m, dim = rows[k / 4].dim, n = rows[k / 4].n;
        const gm_dtype dtype = precisions[k % 2];
        double *points = malloc((size_t)(m * dim * n + 1) * sizeof *points);
        uint64_t random = 7;
        for (int64_t i = 0; i < m * dim * n; ++i) {
            points[i] = 3 + random_between(&random, -1, 1) * (double)(1 + i / n % dim);
            if (i / n % dim > 0) { /* correlated with the coordinate before */
                points[i] = (double)(float)(points[i] + 0.5 * points[i - n]);
            }
        }
        for (int64_t i = 4; i < m * dim * n && rows[k / 4].holes; i += 11) {
            points[i] = i % 2 == 0 ? (double)NAN : -(double)INFINITY;
        }
        FOR_EACH_SUBJECT(s) {
            if (s->is_slow && dim > 5 && (k % 4 > 0 || (dim > 33 && !test_is_full()))) {
                continue; /* an entry is a block */
            }
            const mass found = find_mass(s, dtype, m, dim, n, k / 2 % 2 == 1, points);
            for (int64_t i = 0; i < dim; ++i) {
                for (int64_t j = 0; j <= i; ++j) {
                    double count = 0, x = 0, y = 0, product = 0, got = 0, size = 0;
                    for (int pass = 0; pass < 2; ++pass) {
                        for (int64_t t = 0; t < m * n; ++t) {
                            const double *at = points + t / n * dim * n + t % n;
                            const double a = at[i * n], b = at[j * n];
                            if (isfinite(a) && isfinite(b)) {
                                count += pass == 0;
                                x += pass == 0 ? a : 0;
                                y += pass == 0 ? b : 0;
                                product += pass == 1 ? (a - x / count) * (b - y / count) : 0;
                            }
                        }
                    }
                    const double weight = count / (count + 5);
                    double expected = count < 2 ? 0 : weight * product / (count - 1);
                    expected += i == j ? 1e-3 * (1 - weight) : 0;
                    for (int64_t c = 0; c <= j; ++c) {
                        got += found.factor[i * dim + c] * found.factor[j * dim + c];
                        size += fabs(found.factor[i * dim + c] * found.factor[j * dim + c]);
                    }
                    const double tolerance = 100 * unit_of(dtype) * (1 + size);
                    ASSERT_NEAR(s, got, expected, tolerance);
                    if (i == j) {
                        ASSERT_NEAR(s, found.scale[i], sqrt(expected), tolerance / sqrt(expected));
                        assert_true(found.factor[i * dim + i] > 0);
                    } else {
                        assert_true(found.factor[j * dim + i] == 0);
                    }
                }
            }
        }
        free(points);
    }
}

/* Two coordinates that are equal where both are there, one with less variance where the other has
 * holes: no covariance, so no factor. */
static void an_indefinite_matrix_gives_nan(void **state) {
    (void)state;
    enum { n = 12 };
    double points[2 * n];
    for (int i = 0; i < n; ++i) {
        points[i] = i < 6 ? 100 * (i % 2) : 50;
        points[n + i] = i < 6 ? 100 * (i % 2) : (double)NAN;
    }
    FOR_EACH_SUBJECT(s) {
        const mass found = find_mass(s, GM_F64, 1, 2, n, false, points);
        assert_true(found.factor[0] > 0 && found.factor[2] > found.factor[0]);
        assert_true(isnan(found.factor[3]) && isfinite(found.scale[1]));
    }
}

/* A warm-up with unit scales, its states pooled, and then HMC in the scale they give: the factor
 * makes the covariance of 4000 chains round, L^-1 C L^-T = I within 6 standard deviations of a
 * sample covariance, sqrt(2 / N). */
static void draws_give_the_scale(void **state) {
    (void)state;
    enum { n = 4000 };
    double *points = malloc(DIM * n * sizeof *points);
    for (int i = 0; i < n; ++i) {
        for (int c = 0; c < DIM; ++c) {
            points[c * n + i] = 7;
            for (int j = 0; j <= c; ++j) {
                points[c * n + i] += whole(c, j) * exact_normal((uint64_t)(DIM * i + j));
            }
        }
    }
    FOR_EACH_SUBJECT(s) {
        const mass found = find_mass(s, GM_F64, 1, DIM, n, false, points);
        double quotient[DIM][DIM]; /* L^-1 F, lower triangular */
        for (int j = 0; j < DIM; ++j) {
            for (int i = 0; i < DIM; ++i) {
                quotient[i][j] = whole(i, j);
                for (int k = 0; k < i; ++k) {
                    quotient[i][j] -= found.factor[i * DIM + k] * quotient[k][j];
                }
                quotient[i][j] /= found.factor[i * DIM + i];
            }
        }
        for (int i = 0; i < DIM; ++i) {
            for (int j = 0; j <= i; ++j) {
                double round = 0;
                for (int k = 0; k < DIM; ++k) {
                    round += quotient[i][k] * quotient[j][k];
                }
                ASSERT_NEAR(s, round, i == j, 6 * sqrt(2.0 / n));
            }
        }
    }
    free(points);
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    gm_context *c = subjects[0].context;
    double points[2 * 3 * 4] = {0}, scale[3] = {5, 5, 5}, factor[9] = {5, 5, 5};
    const gm_tensor draws = gm_tensor_3d(points, GM_F64, 2, 3, 4);
    const gm_tensor flat = gm_tensor_2d(points, GM_F64, 6, 4);
    const gm_tensor none = gm_tensor_3d(points, GM_F64, 2, 0, 4);
    const gm_tensor many = {points, GM_F64, 3, {1, 65, 1}, {0, 0, 0}};
    const gm_tensor counts = gm_tensor_3d(points, GM_I32, 2, 3, 4);
    const gm_tensor diagonal = gm_tensor_1d(scale, GM_F64, 3), few = gm_tensor_1d(scale, GM_F64, 2);
    const gm_tensor floats = gm_tensor_1d(scale, GM_F32, 3);
    const gm_tensor square = gm_tensor_2d(factor, GM_F64, 3, 3);
    const gm_tensor oblong = gm_tensor_2d(factor, GM_F64, 3, 2);
    const gm_tensor inside = gm_tensor_2d(points + 3, GM_F64, 3, 3);
    const gm_tensor shared = {factor, GM_F64, 2, {3, 3}, {0, 1}};
    const gm_tensor row = gm_tensor_1d(factor + 6, GM_F64, 3);
#define MASS_REFUSED(a, b, d, status, text) ASSERT_FAILS(c, gm_mcmc_mass(c, a, b, d), status, text)
    MASS_REFUSED(NULL, &diagonal, NULL, GM_STATUS_INVALID_ARGUMENT, "draws");
    MASS_REFUSED(&flat, &diagonal, NULL, GM_STATUS_SHAPE_MISMATCH, "draws");
    MASS_REFUSED(&none, &diagonal, NULL, GM_STATUS_SHAPE_MISMATCH, "0 components");
    MASS_REFUSED(&many, &diagonal, NULL, GM_STATUS_SHAPE_MISMATCH, "65 components");
    MASS_REFUSED(&counts, &diagonal, NULL, GM_STATUS_INVALID_ARGUMENT, "draws");
    MASS_REFUSED(&draws, &few, NULL, GM_STATUS_SHAPE_MISMATCH, "scale");
    MASS_REFUSED(&draws, &floats, NULL, GM_STATUS_INVALID_ARGUMENT, "scale");
    MASS_REFUSED(&draws, &diagonal, &oblong, GM_STATUS_SHAPE_MISMATCH, "factor");
    MASS_REFUSED(&draws, NULL, &inside, GM_STATUS_INVALID_ARGUMENT, "factor");
    MASS_REFUSED(&draws, NULL, &shared, GM_STATUS_INVALID_ARGUMENT, "factor");
    MASS_REFUSED(&draws, &row, &square, GM_STATUS_INVALID_ARGUMENT, "scale");
    ASSERT_FAILS(NULL, gm_mcmc_mass(NULL, &draws, &diagonal, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "context is NULL");
    assert_true(scale[0] == 5 && scale[2] == 5 && factor[0] == 5);
    ASSERT_OK(c, gm_mcmc_mass(c, &draws, NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(condition_number_is_as_said),
        cmocka_unit_test(a_dense_scale_keeps_the_law),
        cmocka_unit_test(a_dense_scale_is_a_change_of_coordinates),
        cmocka_unit_test(mass_is_the_shrunk_covariance),
        cmocka_unit_test(an_indefinite_matrix_gives_nan),
        cmocka_unit_test(draws_give_the_scale),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
