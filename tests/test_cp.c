/* CP by alternating least squares: planted factors, monotone errors, degenerate tensors, batches.
 */
#include "tensor_decompose_fixture.h"

enum { MOST = 4, ENTRIES = 4096 };

/* A sum of r components over d modes, and the tensor that it is. */
typedef struct planted {
    int32_t d;
    int64_t shape[MOST], r, elements;
    double weight[8], factor[MOST][128], x[ENTRIES];
} planted;

static void expand(int32_t d, const int64_t *shape, int64_t r, const double *weight,
                   double *const *factor, double *x) {
    for (int64_t e = 0; e < product_of(d, shape); ++e) {
        int64_t index[MOST];
        indices_of(e, d, shape, index);
        x[e] = 0;
        for (int64_t c = 0; c < r; ++c) {
            double term = weight[c];
            for (int32_t k = 0; k < d; ++k) {
                term *= factor[k][index[k] * r + c];
            }
            x[e] += term;
        }
    }
}

/* Columns of norm 1 of seeded normals; weights r, r - 1, ..., 1. */
static planted plant(int32_t d, const int64_t *shape, int64_t r, uint64_t seed) {
    planted p = {.d = d, .r = r, .elements = product_of(d, shape)};
    double *factor[MOST];
    for (int32_t k = 0; k < d; ++k) {
        p.shape[k] = shape[k];
        factor[k] = p.factor[k];
        fill_normals(seed * 100 + (uint64_t)k, shape[k] * r, p.factor[k]);
        for (int64_t c = 0; c < r; ++c) {
            double sum = 0;
            for (int64_t i = 0; i < shape[k]; ++i) {
                sum += p.factor[k][i * r + c] * p.factor[k][i * r + c];
            }
            for (int64_t i = 0; i < shape[k]; ++i) {
                p.factor[k][i * r + c] /= sqrt(sum);
            }
        }
    }
    for (int64_t c = 0; c < r; ++c) {
        p.weight[c] = (double)(r - c);
    }
    expand(d, shape, r, p.weight, factor, p.x);
    return p;
}

typedef struct result {
    double *weight, *factor[MOST];
    gm_approximation_report report;
} result;

/* start: the factors on entry, NULL: NaN. */
static result decompose(gm_context *c, const gm_cp_options *o, gm_dtype dtype, int32_t d,
                        const int64_t *shape, int64_t r, const double *values,
                        const planted *start) {
    result out;
    gm_tensor x = make(c, dtype, d, shape, values), w = make(c, dtype, 1, &r, NULL), f[MOST];
    for (int32_t k = 0; k < d; ++k) {
        f[k] = make(c, dtype, 2, (int64_t[]){shape[k], r},
                    start != NULL && k > 0 ? start->factor[k] : NULL);
    }
    RUN(c, gm_cp_als(c, o, &x, d, &w, f, &out.report, &workspace));
    out.weight = values_of(c, &w);
    for (int32_t k = 0; k < d; ++k) {
        out.factor[k] = values_of(c, &f[k]);
        release(c, &f[k]);
    }
    release(c, &x);
    release(c, &w);
    return out;
}

static void discard(int32_t d, result *x) {
    free(x->weight);
    for (int32_t k = 0; k < d; ++k) {
        free(x->factor[k]);
    }
}

static double error_of(int32_t d, const int64_t *shape, int64_t r, const double *x,
                       const result *got) {
    static double y[ENTRIES];
    expand(d, shape, r, got->weight, got->factor, y);
    return distance(product_of(d, shape), x, y);
}

/* The largest distance of a planted factor from the one found at its place, up to sign: weights are
 * distinct and sorted, so places are known. */
static double distance_of_factors(const planted *p, const result *got) {
    double worst = 0;
    for (int64_t c = 0; c < p->r; ++c) {
        double sign = 1;
        worst = fmax(worst, fabs(got->weight[c] / p->weight[c] - 1));
        for (int32_t k = 0; k < p->d; ++k) {
            double dot = 0, sum = 0;
            for (int64_t i = 0; i < p->shape[k]; ++i) {
                dot += p->factor[k][i * p->r + c] * got->factor[k][i * p->r + c];
            }
            for (int64_t i = 0; i < p->shape[k]; ++i) {
                const double difference =
                    got->factor[k][i * p->r + c] - copysign(1, dot) * p->factor[k][i * p->r + c];
                sum += difference * difference;
            }
            sign *= copysign(1, dot);
            worst = fmax(worst, sqrt(sum));
        }
        assert_true(sign > 0); /* the weights are positive, so the signs cancel */
    }
    return worst;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void every_bad_argument_is_named(void **state) {
    (void)state;
    gm_context *c = contexts[CPU];
    double data[24] = {0}, out[64], before[64];
    gm_approximation_report report;
    gm_workspace none = {NULL, 0};
    memset(out, 0x5a, sizeof out);
    memcpy(before, out, sizeof out);
    gm_tensor x = gm_tensor_3d(data, GM_F64, 2, 3, 4), w = gm_tensor_1d(out, GM_F64, 2);
    gm_tensor f[3] = {gm_tensor_2d(out + 2, GM_F64, 2, 2), gm_tensor_2d(out + 6, GM_F64, 3, 2),
                      gm_tensor_2d(out + 12, GM_F64, 4, 2)};
    assert_int_equal(gm_cp_als(NULL, NULL, &x, 3, &w, f, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT);
    static const gm_cp_options bad[] = {
        {.start = 7},           {.tolerance = -1},       {.tolerance = 1},   {.max_iterations = -1},
        {.regularization = -1}, {.regularization = NAN}, {.history_size = 3}};
    static const char *const words[] = {"start",          "tolerance",      "tolerance",
                                        "max_iterations", "regularization", "regularization",
                                        "history"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        ASSERT_FAILS(c, gm_cp_als(c, &bad[i], &x, 3, &w, f, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
    }
#define BAD(status, text, ...)                                                                     \
    ASSERT_FAILS(c, gm_cp_als(c, NULL, __VA_ARGS__), GM_STATUS_##status, text)
    BAD(INVALID_ARGUMENT, "x is NULL", NULL, 3, &w, f, &report, &none);
    BAD(INVALID_ARGUMENT, "modes = 1", &x, 1, &w, f, &report, &none);
    BAD(INVALID_ARGUMENT, "modes = 17", &x, 17, &w, f, &report, &none);
    BAD(SHAPE_MISMATCH, "x.ndim = 3", &x, 4, &w, f, &report, &none);
    BAD(INVALID_ARGUMENT, "weights is NULL", &x, 3, NULL, f, &report, &none);
    BAD(INVALID_ARGUMENT, "factors is NULL", &x, 3, &w, NULL, &report, &none);
    BAD(INVALID_ARGUMENT, "report", &x, 3, &w, f, NULL, &none);
    BAD(INVALID_ARGUMENT, "workspace", &x, 3, &w, f, &report, NULL);
    gm_tensor g[3] = {f[0], f[1], f[1]};
    BAD(SHAPE_MISMATCH, "factors[2].shape[0] = 3", &x, 3, &w, g, &report, &none);
    g[2] = gm_tensor_2d(out + 12, GM_F64, 4, 3);
    BAD(SHAPE_MISMATCH, "factors[2].shape[1] = 3", &x, 3, &w, g, &report, &none);
    g[2] = gm_tensor_2d(out + 11, GM_F64, 4, 2);
    BAD(INVALID_ARGUMENT, "overlap", &x, 3, &w, g, &report, &none);
    gm_tensor empty = gm_tensor_3d(data, GM_F64, 2, 0, 4);
    BAD(INVALID_ARGUMENT, "x.shape[1] = 0", &empty, 3, &w, f, &report, &none);
    gm_tensor huge = {data, GM_F64, 3, {1 << 20, 1 << 20, 4}, {0, 0, 0}};
    BAD(INVALID_ARGUMENT, "at most 2^40", &huge, 3, &w, f, &report, &none);
    gm_workspace small = {NULL, 0};
    ASSERT_OK(c, gm_cp_als(c, NULL, &x, 3, &w, f, &report, &small));
    ASSERT_OK(c, gm_memory_alloc(c, small.bytes, &small.data));
    --small.bytes;
    BAD(WORKSPACE_TOO_SMALL, "workspace.bytes", &x, 3, &w, f, &report, &small);
    ASSERT_OK(c, gm_memory_free(c, small.data));
    ASSERT_FAILS(c, gm_cp_reconstruct(c, 0, &w, f, &x), GM_STATUS_INVALID_ARGUMENT, "modes = 0");
    ASSERT_FAILS(c, gm_cp_reconstruct(c, 3, &w, NULL, &x), GM_STATUS_INVALID_ARGUMENT, "factors");
    assert_memory_equal(out, before, sizeof out);
}

/* ---- planted -----------------------------------------------------------------------------------
 */

/*
 * Claim: generic components within Kruskal's bound (sum of k-ranks 3 * 3 >= 2 * 3 + 2, and for the
 * four modes 4 * 3 >= 2 * 3 + 3) come back, factors to 1e-8; the largest weight first.
 */
static void planted_components_come_back(void **state) {
    (void)state;
    static const int64_t shapes[2][MOST] = {{6, 5, 7}, {4, 5, 3, 6}};
    for (int s = 0; s < 2; ++s) {
        const int32_t d = 3 + s;
        const planted p = plant(d, shapes[s], 3, 11);
        for (int start = GM_CP_START_RANDOM; start <= GM_CP_START_HOSVD; ++start) {
            FOR_HOSTS(c) {
                const gm_cp_options o = {.start = (gm_cp_start)start, .tolerance = 1e-14};
                result x = decompose(c, &o, GM_F64, d, shapes[s], 3, p.x, NULL);
                assert_int_equal(x.report.status, GM_STATUS_OK);
                ASSERT_BELOW(x.report.error, 1e-12);
                ASSERT_BELOW(error_of(d, shapes[s], 3, p.x, &x), 1e-12);
                ASSERT_BELOW(fabs(x.report.norm / norm_of(p.elements, p.x) - 1), 1e-14);
                ASSERT_BELOW(distance_of_factors(&p, &x), 1e-8);
                discard(d, &x);
                x = decompose(c, &o, GM_F32, d, shapes[s], 3, p.x, NULL);
                ASSERT_BELOW(x.report.error, 1e-5);
                ASSERT_BELOW(distance_of_factors(&p, &x), 1e-3);
                discard(d, &x);
            }
        }
    }
}

/* Claim: the gradient at the planted components is 0, so a start there stays there. */
static void the_solution_is_a_fixed_point(void **state) {
    (void)state;
    static const int64_t shape[3] = {6, 5, 7};
    const planted p = plant(3, shape, 3, 5);
    FOR_HOSTS(c) {
        result x = decompose(c, &(gm_cp_options){.start = GM_CP_START_GIVEN}, GM_F64, 3, shape, 3,
                             p.x, &p);
        assert_int_equal(x.report.iterations, 2);
        ASSERT_BELOW(x.report.error, 2e-15);
        ASSERT_BELOW(distance_of_factors(&p, &x), 1e-13);
        discard(3, &x);
    }
}

/* Of two modes CP is a truncated singular value decomposition: sum_(j >= r) s_j^2 is left. */
static void a_matrix_gives_the_best_rank(void **state) {
    (void)state;
    enum { N = 12, R = 4 };
    double a[N * N] = {0}, s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.4, j);
        for (int64_t i = 0; i < N; ++i) {
            for (int64_t k = 0; k < N; ++k) {
                a[i * N + k] += s[j] * cosine(N, i, j) * cosine(N, k, j);
            }
        }
    }
    FOR_HOSTS(c) {
        result x = decompose(c, &(gm_cp_options){.tolerance = 1e-13}, GM_F64, 2, (int64_t[]){N, N},
                             R, a, NULL);
        assert_int_equal(x.report.status, GM_STATUS_OK);
        ASSERT_BELOW(fabs(x.report.error - norm_of(N - R, s + R) / norm_of(N, s)), 1e-10);
        discard(2, &x);
    }
}

/* Claim: a random start is the normals of one sequence, mode after mode, as a start that is given.
 */
static void a_random_start_is_a_known_one(void **state) {
    (void)state;
    static const int64_t shape[3] = {6, 5, 7};
    const planted p = plant(3, shape, 3, 5);
    planted start = p;
    double normals[54];
    fill_normals(17, 54, normals); /* 6 x 3, 5 x 3, 7 x 3 */
    memcpy(start.factor[1], normals + 18, 15 * sizeof(double));
    memcpy(start.factor[2], normals + 33, 21 * sizeof(double));
    FOR_HOSTS(c) {
        result a = decompose(c, &(gm_cp_options){.seed = 17}, GM_F64, 3, shape, 3, p.x, NULL);
        result b = decompose(c, &(gm_cp_options){.start = GM_CP_START_GIVEN}, GM_F64, 3, shape, 3,
                             p.x, &start);
        assert_same_report(&a.report, &b.report);
        assert_memory_equal(a.factor[2], b.factor[2], 21 * sizeof(double));
        discard(3, &a);
        discard(3, &b);
    }
}

/* ---- iterations --------------------------------------------------------------------------------
 */

/* Claim: the error of a tensor that has no exact fit never rises, by either of its two formulas,
 * and the report is what the factors give; iterations that run out are told. */
static void the_error_never_rises(void **state) {
    (void)state;
    static const int64_t shape[3] = {8, 7, 9};
    static double x[ENTRIES], noise[ENTRIES], history[60];
    planted p = plant(3, shape, 4, 3);
    fill_normals(8, p.elements, noise);
    static const double levels[] = {1, 1e-2, 1e-5};
    for (int l = 0; l < 3; ++l) {
        for (int64_t e = 0; e < p.elements; ++e) {
            x[e] = p.x[e] + levels[l] * noise[e];
        }
        FOR_HOSTS(c) {
            for (int64_t r = 2; r <= 5; ++r) {
                const gm_cp_options o = {.max_iterations = 60,
                                         .tolerance = 1e-15,
                                         .history = history,
                                         .history_size = 60,
                                         .seed = (uint64_t)r};
                result got = decompose(c, &o, GM_F64, 3, shape, r, x, NULL);
                const int64_t count = got.report.iterations;
                assert_true(count > 3 && count <= 60);
                assert_true(got.report.status == GM_STATUS_OK ||
                            (got.report.status == GM_STATUS_NOT_CONVERGED && count == 60));
                for (int64_t i = 1; i < count; ++i) {
                    ASSERT_BELOW(history[i], history[i - 1] + 1e-13);
                }
                assert_true(history[count - 1] == got.report.error);
                ASSERT_BELOW(fabs(error_of(3, shape, r, x, &got) - got.report.error), 1e-12);
                for (int64_t i = 1; i < r; ++i) {
                    assert_true(got.weight[i] <= got.weight[i - 1]);
                }
                discard(3, &got);
            }
        }
    }
}

/* ---- degenerate tensors ------------------------------------------------------------------------
 */

/* Claim: more components than the tensor has make singular normal equations, and still a fit. */
static void too_many_components_fit_too(void **state) {
    (void)state;
    static const int64_t shape[3] = {5, 4, 6};
    const planted one = plant(3, shape, 1, 2);
    planted twins = plant(3, shape, 2, 9);
    for (int32_t k = 0; k < 3; ++k) { /* two equal columns to start from */
        for (int64_t i = 0; i < shape[k]; ++i) {
            twins.factor[k][2 * i + 1] = twins.factor[k][2 * i];
        }
    }
    FOR_HOSTS(c) {
        result x = decompose(c, NULL, GM_F64, 3, shape, 3, one.x, NULL);
        assert_int_equal(x.report.status, GM_STATUS_OK);
        ASSERT_BELOW(x.report.error, 1e-13);
        discard(3, &x);
        x = decompose(c, &(gm_cp_options){.start = GM_CP_START_GIVEN}, GM_F64, 3, shape, 2, one.x,
                      &twins);
        assert_int_equal(x.report.status, GM_STATUS_OK);
        ASSERT_BELOW(x.report.error, 1e-13);
        discard(3, &x);
    }
}

/*
 * a a b + a b a + b a a has rank 3, and tensors of rank 2 come as close as one likes with weights
 * that grow without bound (Kolda, Bader, 3.3). Claim: with mu the weights stay small.
 */
static void regularization_bounds_the_weights(void **state) {
    (void)state;
    static const double x[8] = {0, 1, 1, 0, 1, 0, 0, 0};
    static const int64_t shape[3] = {2, 2, 2};
    FOR_HOSTS(c) {
        double weight[2][3], error[2];
        for (int held = 0; held < 2; ++held) {
            for (int i = 0; i < 3; ++i) {
                const gm_cp_options o = {.max_iterations = 20 << 3 * i, /* 20, 160, 1280 */
                                         .tolerance = 1e-16,
                                         .regularization = held * 1e-2,
                                         .seed = 1};
                result got = decompose(c, &o, GM_F64, 3, shape, 2, x, NULL);
                weight[held][i] = got.weight[0];
                error[held] = got.report.error;
                ASSERT_BELOW(fabs(error_of(3, shape, 2, x, &got) - error[held]), 1e-12);
                assert_true(held || got.report.status == GM_STATUS_NOT_CONVERGED);
                discard(3, &got);
            }
        }
        /* Eightfold iterations take the weights up by a factor of 1.4 to 1.6, at no end. */
        assert_true(weight[0][1] > 1.3 * weight[0][0] && weight[0][2] > 1.3 * weight[0][1]);
        ASSERT_BELOW(fabs(weight[1][2] - weight[1][1]), 1e-9);
        ASSERT_BELOW(weight[1][2], sqrt(3)); /* below |x| */
        ASSERT_BELOW(error[0], 0.1 * error[1]);
    }
}

/* Claim: of orthogonal components, whose V is I, mu takes the share mu / (1 + mu) of each weight.
 */
static void regularization_shrinks_orthogonal_components(void **state) {
    (void)state;
    static const int64_t shape[3] = {3, 3, 3};
    planted p = {.d = 3, .r = 2, .shape = {3, 3, 3}, .elements = 27};
    for (int k = 0; k < 3; ++k) {
        p.factor[k][0] = p.factor[k][3] = 1; /* the first two axes */
    }
    p.x[0] = 3;
    p.x[13] = 1;
    FOR_HOSTS(c) {
        const gm_cp_options o = {.start = GM_CP_START_GIVEN, .regularization = 0.25};
        result x = decompose(c, &o, GM_F64, 3, shape, 2, p.x, &p);
        assert_int_equal(x.report.status, GM_STATUS_OK);
        ASSERT_BELOW(fabs(x.weight[0] - 2.4) + fabs(x.weight[1] - 0.8), 1e-15);
        ASSERT_BELOW(fabs(x.report.error - 0.2), 1e-15);
        ASSERT_BELOW(fabs(x.factor[1][0] - 1) + fabs(x.factor[1][3] - 1), 1e-15);
        discard(3, &x);
    }
}

/* ---- batches -----------------------------------------------------------------------------------
 */

/*
 * Claim: each problem of a batch has the bits that it has alone, though each ends at an iteration
 * of its own; for any number of threads, any strides; a NaN and a zero tensor keep to themselves.
 */
static void a_batch_is_its_problems(void **state) {
    (void)state;
    enum { B = 6, R = 2, N0 = 4, N1 = 5, N2 = 3, N = N0 * N1 * N2 };
    static const int64_t shape[3] = {N0, N1, N2};
    static double apart[N * B];
    planted p[B];
    bool differ = false;
    for (uint64_t b = 0; b < B; ++b) {
        p[b] = plant(3, shape, R, 40 + b);
    }
    p[1].x[7] = (double)NAN;
    memset(p[3].x, 0, sizeof p[3].x);
    fill_normals(99, N, p[5].x); /* no exact fit */
    for (int64_t e = 0; e < N; ++e) {
        for (int b = 0; b < B; ++b) {
            apart[e * B + b] = p[b].x[e];
        }
    }
    for (int start = GM_CP_START_RANDOM; start <= GM_CP_START_HOSVD; ++start) {
        const gm_cp_options o = {.start = (gm_cp_start)start, .tolerance = 1e-12, .seed = 3};
        for (int place = CPU; place <= CPU_3; ++place) {
            gm_context *c = contexts[place];
            gm_tensor all = make(c, GM_F64, 5, (int64_t[]){N0, N1, N2, 2, 3}, apart), x, f[3], g[3];
            assert_int_equal(gm_tensor_permute(&all, (int32_t[]){3, 4, 0, 1, 2}, &x), GM_STATUS_OK);
            gm_tensor w = make(c, GM_F64, 3, (int64_t[]){3, 2, R}, NULL);
            for (int k = 0; k < 3; ++k) {
                f[k] = make(c, GM_F64, 4, (int64_t[]){3, 2, shape[k], R}, NULL);
                g[k] = exchanged(&f[k]);
            }
            const gm_tensor v = exchanged(&w);
            gm_approximation_report report[B];
            RUN(c, gm_cp_als(c, &o, &x, 3, &v, g, report, &workspace));
            double *weights = values_of(c, &w);
            for (int b = 0; b < B; ++b) {
                result alone = decompose(contexts[CPU], &o, GM_F64, 3, shape, R, p[b].x, NULL);
                const int64_t at_b = b % 3 * 2 + b / 3;
                assert_same_report(&alone.report, &report[b]);
                assert_memory_equal(alone.weight, weights + R * at_b, R * sizeof(double));
                for (int k = 0; k < 3; ++k) {
                    double *factors = values_of(c, &f[k]);
                    assert_memory_equal(alone.factor[k], factors + shape[k] * R * at_b,
                                        (size_t)(shape[k] * R) * sizeof(double));
                    free(factors);
                }
                assert_int_equal(report[b].status,
                                 b == 1 ? GM_STATUS_NON_FINITE : alone.report.status);
                assert_true(b != 1 || (isnan(alone.weight[1]) && isnan(alone.factor[2][0])));
                assert_true(b != 3 || (report[b].error == 0 && alone.weight[0] == 0));
                differ = differ || (b != 1 && report[b].iterations != report[0].iterations);
                discard(3, &alone);
            }
            free(weights);
            release(c, &all);
            release(c, &w);
            for (int k = 0; k < 3; ++k) {
                release(c, &f[k]);
            }
        }
    }
    assert_true(differ);
}

/* The emulator runs the kernels of all of it, where it has the linear algebra. */
static void the_kernels_find_planted_components(void **state) {
    (void)state;
    static const int64_t shape[3] = {4, 3, 5};
    const planted p = plant(3, shape, 2, 11);
    gm_context *c = contexts[EMU];
    if (c == NULL || !has_linear_algebra(c)) {
        skip();
    }
    result got = decompose(c, &(gm_cp_options){.tolerance = 1e-12}, GM_F64, 3, shape, 2, p.x, NULL);
    assert_int_equal(got.report.status, GM_STATUS_OK);
    ASSERT_BELOW(distance_of_factors(&p, &got), 1e-8);
    discard(3, &got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_argument_is_named),
        cmocka_unit_test(planted_components_come_back),
        cmocka_unit_test(the_solution_is_a_fixed_point),
        cmocka_unit_test(a_matrix_gives_the_best_rank),
        cmocka_unit_test(a_random_start_is_a_known_one),
        cmocka_unit_test(the_error_never_rises),
        cmocka_unit_test(too_many_components_fit_too),
        cmocka_unit_test(regularization_bounds_the_weights),
        cmocka_unit_test(regularization_shrinks_orthogonal_components),
        cmocka_unit_test(a_batch_is_its_problems),
        cmocka_unit_test(the_kernels_find_planted_components),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
