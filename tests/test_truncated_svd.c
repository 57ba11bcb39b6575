/* Truncated and randomized singular value decomposition: best approximation, bounds, batches. */
#include "tensor_decompose_fixture.h"

/* A = sum_j s_j u_j v_j^T, u and v columns of cosine transforms: singular values by construction.
 */
static double *matrix_of(int64_t m, int64_t n, int64_t count, const double *s) {
    double *a = calloc((size_t)(m * n), sizeof *a);
    for (int64_t i = 0; i < m; ++i) {
        for (int64_t k = 0; k < n; ++k) {
            for (int64_t j = 0; j < count; ++j) {
                a[i * n + k] += s[j] * cosine(m, i, j) * cosine(n, k, j);
            }
        }
    }
    return a;
}

typedef struct result {
    double *u, *s, *vt;
    gm_approximation_report report;
} result;

static result decompose(gm_context *c, const gm_svd_options *o, gm_dtype dtype, int64_t m,
                        int64_t n, int64_t r, const double *values) {
    result x;
    gm_tensor a = make(c, dtype, 2, (int64_t[]){m, n}, values);
    gm_tensor u = make(c, dtype, 2, (int64_t[]){m, r}, NULL);
    gm_tensor s = make(c, dtype, 1, &r, NULL), vt = make(c, dtype, 2, (int64_t[]){r, n}, NULL);
    RUN(c, gm_svd_truncated(c, o, &a, &u, &s, &vt, &x.report, &workspace));
    x.u = values_of(c, &u);
    x.s = values_of(c, &s);
    x.vt = values_of(c, &vt);
    release(c, &a);
    release(c, &u);
    release(c, &s);
    release(c, &vt);
    return x;
}

static void discard(result *x) {
    free(x->u);
    free(x->s);
    free(x->vt);
}

/* |A - U S V^T| / |A| */
static double error_of(int64_t m, int64_t n, int64_t r, const double *a, const result *x) {
    double *product = calloc((size_t)(m * n), sizeof *product);
    for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < r; ++j) {
            for (int64_t k = 0; k < n; ++k) {
                product[i * n + k] += x->u[i * r + j] * x->s[j] * x->vt[j * n + k];
            }
        }
    }
    const double error = distance(m * n, a, product);
    free(product);
    return error;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void every_bad_argument_is_named(void **state) {
    (void)state;
    gm_context *c = contexts[CPU];
    double data[12] = {0}, out[40], before[40];
    gm_approximation_report report;
    gm_workspace none = {NULL, 0};
    gm_tensor a = gm_tensor_2d(data, GM_F64, 3, 4), u = gm_tensor_2d(out, GM_F64, 3, 2);
    gm_tensor s = gm_tensor_1d(out + 6, GM_F64, 2), vt = gm_tensor_2d(out + 8, GM_F64, 2, 4);
    memset(out, 0x5a, sizeof out);
    memcpy(before, out, sizeof out);
    assert_int_equal(gm_svd_truncated(NULL, NULL, &a, &u, &s, &vt, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT);
    static const gm_svd_options bad[] = {{.method = 9},        {.tolerance = -1},
                                         {.tolerance = 1},     {.tolerance = NAN},
                                         {.oversampling = -2}, {.power_iterations = -2}};
    static const char *const words[] = {"method",    "tolerance",    "tolerance",
                                        "tolerance", "oversampling", "power_iterations"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        ASSERT_FAILS(c, gm_svd_truncated(c, &bad[i], &a, &u, &s, &vt, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
    }
#define BAD(status, text, ...)                                                                     \
    ASSERT_FAILS(c, gm_svd_truncated(c, NULL, __VA_ARGS__), GM_STATUS_##status, text)
    BAD(INVALID_ARGUMENT, "a is NULL", NULL, &u, &s, &vt, &report, &none);
    BAD(INVALID_ARGUMENT, "s is NULL", &a, &u, NULL, &vt, &report, &none);
    BAD(INVALID_ARGUMENT, "report", &a, &u, &s, &vt, NULL, &none);
    BAD(INVALID_ARGUMENT, "workspace", &a, &u, &s, &vt, &report, NULL);
    BAD(INVALID_ARGUMENT, "u and a overlap", &(gm_tensor){out, GM_F64, 2, {3, 4}, {4, 1}}, &u, &s,
        &vt, &report, &none);
    gm_tensor wrong = gm_tensor_1d(out + 6, GM_F64, 4);
    BAD(SHAPE_MISMATCH, "s has 4 values", &a, &u, &wrong, &vt, &report, &none);
    wrong = gm_tensor_2d(out, GM_F64, 3, 1);
    BAD(SHAPE_MISMATCH, "u.shape[1] = 1", &a, &wrong, &s, &vt, &report, &none);
    wrong = gm_tensor_2d(out + 8, GM_F64, 2, 3);
    BAD(SHAPE_MISMATCH, "vt.shape[1] = 3", &a, &u, &s, &wrong, &report, &none);
    wrong = gm_tensor_2d(out + 8, GM_F32, 2, 4);
    BAD(INVALID_ARGUMENT, "vt.dtype", &a, &u, &s, &wrong, &report, &none);
    wrong = gm_tensor_2d(data, GM_F64, 0, 4);
    BAD(INVALID_ARGUMENT, "a.shape[0] = 0", &wrong, &u, &s, &vt, &report, &none);
    wrong = gm_tensor_1d(data, GM_F64, 4);
    BAD(SHAPE_MISMATCH, "a.ndim = 1", &wrong, &u, &s, &vt, &report, &none);
    wrong = gm_tensor_2d(data, GM_C128, 2, 3);
    BAD(INVALID_ARGUMENT, "a.dtype = c128", &wrong, &u, &s, &vt, &report, &none);
    wrong = (gm_tensor){data, GM_F64, 2, {20000, 4}, {0, 1}};
    BAD(INVALID_ARGUMENT, "at most 16384", &wrong, NULL, &s, &vt, &report, &none);
    gm_workspace small = {NULL, 0};
    ASSERT_OK(c, gm_svd_truncated(c, NULL, &a, &u, &s, &vt, &report, &small));
    ASSERT_OK(c, gm_memory_alloc(c, small.bytes, &small.data));
    --small.bytes;
    BAD(WORKSPACE_TOO_SMALL, "workspace.bytes", &a, &u, &s, &vt, &report, &small);
    small.data = (char *)small.data + 8;
    small.bytes += 64;
    BAD(INVALID_ARGUMENT, "64 bytes", &a, &u, &s, &vt, &report, &small);
    ASSERT_OK(c, gm_memory_free(c, (char *)small.data - 8));
    assert_memory_equal(out, before, sizeof out);
}

/* ---- exact ----------------------------------------------------------------------------------- */

/* Singular values 4, 3, sqrt 5 of a 4 x 5 matrix of rank 3. */
static void the_svd_of_a_sparse_matrix(void **state) {
    (void)state;
    static const double a[20] = {1, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0};
    FOR_HOSTS(c) {
        for (int method = GM_SVD_DIRECT; method <= GM_SVD_RANDOMIZED; ++method) {
            result x = decompose(c, &(gm_svd_options){.method = (gm_svd_method)method}, GM_F64, 4,
                                 5, 3, a);
            assert_int_equal(x.report.status, GM_STATUS_OK);
            assert_int_equal(x.report.rank, 3);
            ASSERT_BELOW(fabs(x.s[0] - 4) + fabs(x.s[1] - 3) + fabs(x.s[2] - sqrt(5)), 2e-14);
            ASSERT_BELOW(fabs(x.report.norm - sqrt(30)), 1e-14);
            ASSERT_BELOW(x.report.error, 2e-15);
            ASSERT_BELOW(error_of(4, 5, 3, a, &x), 2e-15);
            discard(&x);
            x = decompose(c, &(gm_svd_options){.method = (gm_svd_method)method}, GM_F64, 4, 5, 1,
                          a);
            ASSERT_BELOW(fabs(x.report.error - sqrt(14.0 / 30)), 1e-14);
            discard(&x);
        }
    }
}

enum { M = 96, N = 80 };

/* Claim: direct, the error is that of the tail to rounding, for every rank, tall and wide; the
 * factors have orthonormal columns. */
static void the_error_is_the_tail(void **state) {
    (void)state;
    double s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.8, j);
    }
    const gm_svd_options o = {.method = GM_SVD_DIRECT};
    for (int wide = 0; wide < 2; ++wide) {
        const int64_t m = wide ? N : M, n = wide ? M : N;
        double *a = matrix_of(m, n, N, s);
        FOR_HOSTS(c) {
            for (int64_t r = c == contexts[REF] ? 40 : 1; r <= N; r += 13) {
                result x = decompose(c, &o, GM_F64, m, n, r, a);
                const double best = norm_of(N - r, s + r) / norm_of(N, s);
                assert_int_equal(x.report.rank, r);
                ASSERT_BELOW(fabs(x.report.error - best), 1e-14);
                ASSERT_BELOW(fabs(error_of(m, n, r, a, &x) - best), 1e-14);
                ASSERT_BELOW(deviation(m, r, x.u), 1e-13);
                for (int64_t j = 0; j < r; ++j) {
                    ASSERT_BELOW(fabs(x.s[j] - s[j]), 1e-14);
                }
                discard(&x);
            }
        }
        free(a);
    }
}

/* ---- the sketch --------------------------------------------------------------------------------
 */

/*
 * Halko, Martinsson, Tropp, theorem 10.5: E |A - Q Q^T A|^2 <= (1 + r / (p - 1)) tail^2. The error
 * here is cut to rank r on top, so it obeys, by their theorem 9.3, |A - Q B_r| <= |A - Q Q^T A| +
 * tail; both are checked as means over 24 seeds. Never is it below the best.
 */
static void the_sketch_keeps_its_bound(void **state) {
    (void)state;
    enum { SEEDS = 24, R = 6, P = 4 };
    gm_context *c = contexts[CPU];
    static const double decays[] = {0.95, 0.8, 0.5};
    for (int d = 0; d < 3; ++d) {
        double s[N];
        for (int j = 0; j < N; ++j) {
            s[j] = pow(decays[d], j);
        }
        double *a = matrix_of(M, N, N, s);
        const double tail = norm_of(N - R, s + R) / norm_of(N, s);
        double whole = 0, cut = 0, powered = 0;
        for (uint64_t seed = 0; seed < SEEDS; ++seed) {
            gm_svd_options o = {.method = GM_SVD_RANDOMIZED,
                                .oversampling = -1,
                                .power_iterations = -1,
                                .seed = seed};
            result x = decompose(c, &o, GM_F64, M, N, R + P, a); /* all of the sketch */
            whole += x.report.error * x.report.error / SEEDS;
            discard(&x);
            o.oversampling = P;
            x = decompose(c, &o, GM_F64, M, N, R, a);
            ASSERT_BELOW(tail, x.report.error * (1 + 1e-14));
            ASSERT_BELOW(fabs(error_of(M, N, R, a, &x) - x.report.error), 1e-13);
            ASSERT_BELOW(deviation(M, R, x.u), 1e-13);
            cut += x.report.error / SEEDS;
            discard(&x);
            o.power_iterations = 2;
            x = decompose(c, &o, GM_F64, M, N, R, a);
            ASSERT_BELOW(tail, x.report.error * (1 + 1e-14));
            powered += x.report.error / SEEDS;
            discard(&x);
        }
        const double bound = 1 + (double)R / (P - 1);
        ASSERT_BELOW(whole, bound * tail * tail);
        ASSERT_BELOW(cut, (sqrt(bound) + 1) * tail);
        /* Two power iterations: the constant's excess over 1 shrinks by the decay's fourth power;
         * a tenth of it is left at a decay of 0.95 already. */
        ASSERT_BELOW(powered / tail - 1, 0.1 * (cut / tail - 1));
        free(a);
    }
}

/* A rank that the sketch covers is recovered to rounding, whatever the seed; seeds differ. */
static void a_low_rank_is_found(void **state) {
    (void)state;
    static const double s[3] = {2, 1, 1e-6};
    double *a = matrix_of(M, N, 3, s);
    FOR_HOSTS(c) {
        for (uint64_t seed = 1; seed <= 3; ++seed) {
            const gm_svd_options o = {
                .method = GM_SVD_RANDOMIZED, .tolerance = 1e-10, .seed = seed};
            result x = decompose(c, &o, GM_F64, M, N, 8, a);
            assert_int_equal(x.report.status, GM_STATUS_OK);
            assert_int_equal(x.report.rank, 3);
            ASSERT_BELOW(x.report.error, 1e-14);
            ASSERT_BELOW(fabs(x.s[0] - 2) + fabs(x.s[1] - 1) + fabs(x.s[2] - 1e-6), 1e-14);
            for (int j = 3; j < 8; ++j) { /* beyond the rank: zeros */
                assert_true(x.s[j] == 0 && x.u[8 * 5 + j] == 0 && x.vt[j * N + 7] == 0);
            }
            ASSERT_BELOW(error_of(M, N, 8, a, &x), 1e-14);
            discard(&x);
        }
    }
    free(a);
}

/* Claim: the error of a matrix too large to be measured at once (2^18 entries) is the tail as well.
 */
static void the_error_of_a_large_matrix(void **state) {
    (void)state;
    static const double s[3] = {1, 0.1, 0.01};
    double *a = matrix_of(700, 400, 3, s);
    result x = decompose(contexts[CPU], NULL, GM_F64, 700, 400, 2, a);
    ASSERT_BELOW(fabs(x.report.error - 0.01 / norm_of(3, s)), 1e-14);
    ASSERT_BELOW(fabs(error_of(700, 400, 2, a, &x) - x.report.error), 1e-14);
    discard(&x);
    free(a);
}

/* Claim: the rank is the least whose tail is within the tolerance; beyond r, NOT_CONVERGED. */
static void the_least_rank_for_a_tolerance(void **state) {
    (void)state;
    double s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.5, j);
    }
    double *a = matrix_of(M, N, N, s);
    for (int method = GM_SVD_DIRECT; method <= GM_SVD_RANDOMIZED; ++method) {
        for (int64_t k = 1; k < 16; ++k) {
            const double tail = norm_of(N - k, s + k) / norm_of(N, s);
            const gm_svd_options o = {.method = (gm_svd_method)method, .tolerance = 1.01 * tail};
            result x = decompose(contexts[CPU], &o, GM_F64, M, N, 12, a);
            assert_int_equal(x.report.rank, k < 12 ? k : 12);
            assert_int_equal(x.report.status, k <= 12 ? GM_STATUS_OK : GM_STATUS_NOT_CONVERGED);
            ASSERT_BELOW(fabs(x.report.error -
                              norm_of(N - x.report.rank, s + x.report.rank) / norm_of(N, s)),
                         0.001 * tail);
            discard(&x);
        }
    }
    free(a);
}

/* Claim: what a coarse sketch lost counts: the rank found keeps the error within the tolerance, one
 * less would not. */
static void the_loss_of_the_sketch_counts(void **state) {
    (void)state;
    double s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.85, j);
    }
    double *a = matrix_of(M, N, N, s);
    int64_t last = N;
    for (double tolerance = 0.06; tolerance < 0.3; tolerance *= 1.15) {
        const gm_svd_options o = {.method = GM_SVD_RANDOMIZED,
                                  .tolerance = tolerance,
                                  .oversampling = -1,
                                  .power_iterations = -1};
        result x = decompose(contexts[CPU], &o, GM_F64, M, N, 30, a);
        assert_int_equal(x.report.status, GM_STATUS_OK);
        ASSERT_BELOW(x.report.error, tolerance);
        ASSERT_BELOW(fabs(error_of(M, N, 30, a, &x) - x.report.error), 1e-13);
        const double dropped = x.s[x.report.rank - 1] / x.report.norm;
        ASSERT_BELOW(tolerance * tolerance, x.report.error * x.report.error + dropped * dropped);
        assert_true(x.report.rank <= last);
        last = x.report.rank;
        discard(&x);
    }
    assert_true(last < 12);
    free(a);
}

/* ---- batches -----------------------------------------------------------------------------------
 */

/* Claim: a problem has the bits that it has alone, for any threads, in strided memory; NaN and zero
 * neighbours keep to themselves. */
static void a_batch_is_its_problems(void **state) {
    (void)state;
    enum { B = 6, R = 4 };
    static double values[B][M * N], apart[M * N * B];
    for (uint64_t b = 0; b < B; ++b) {
        fill_normals(b, M * N, values[b]);
    }
    values[2][77] = (double)NAN;
    memset(values[4], 0, sizeof values[4]);
    for (int64_t e = 0; e < M * N; ++e) { /* the batch innermost */
        for (int b = 0; b < B; ++b) {
            apart[e * B + b] = values[b][e];
        }
    }
    const gm_svd_options o = {.method = GM_SVD_RANDOMIZED, .seed = 7, .tolerance = 0.95};
    for (int place = CPU; place <= CPU_3; ++place) {
        gm_context *c = contexts[place];
        gm_tensor all = make(c, GM_F64, 4, (int64_t[]){M, N, 2, 3}, apart), a;
        assert_int_equal(gm_tensor_permute(&all, (int32_t[]){2, 3, 0, 1}, &a), GM_STATUS_OK);
        gm_tensor u = make(c, GM_F64, 4, (int64_t[]){3, 2, M, R}, NULL);
        gm_tensor s = make(c, GM_F64, 3, (int64_t[]){3, 2, R}, NULL);
        gm_tensor vt = make(c, GM_F64, 4, (int64_t[]){3, 2, R, N}, NULL);
        gm_approximation_report report[B];
        const gm_tensor eu = exchanged(&u), es = exchanged(&s), evt = exchanged(&vt);
        RUN(c, gm_svd_truncated(c, &o, &a, &eu, &es, &evt, report, &workspace));
        double *us = values_of(c, &u), *ss = values_of(c, &s), *vs = values_of(c, &vt);
        for (int b = 0; b < B; ++b) {
            result x = decompose(contexts[CPU], &o, GM_F64, M, N, R, values[b]);
            const int64_t at_b = b % 3 * 2 + b / 3;
            assert_same_report(&x.report, &report[b]);
            assert_memory_equal(x.u, us + at_b * M * R, M * R * sizeof(double));
            assert_memory_equal(x.s, ss + at_b * R, R * sizeof(double));
            assert_memory_equal(x.vt, vs + at_b * R * N, R * N * sizeof(double));
            if (b == 2) {
                assert_int_equal(report[b].status, GM_STATUS_NON_FINITE);
                assert_true(isnan(x.s[0]) && isnan(x.u[0]) && isnan(x.vt[R * N - 1]));
            } else if (b == 4) {
                assert_true(report[b].error == 0 && report[b].rank == 1 && x.s[0] == 0);
                assert_int_equal(report[b].status, GM_STATUS_OK);
            } else {
                ASSERT_BELOW(fabs(error_of(M, N, R, values[b], &x) - report[b].error), 1e-13);
            }
            discard(&x);
        }
        free(us);
        free(ss);
        free(vs);
        release(c, &all);
        release(c, &u);
        release(c, &s);
        release(c, &vt);
    }
}

static void single_precision_and_edges(void **state) {
    (void)state;
    double s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.6, j);
    }
    double *a = matrix_of(M, N, N, s);
    FOR_HOSTS(c) {
        result x = decompose(c, &(gm_svd_options){.method = GM_SVD_RANDOMIZED}, GM_F32, M, N, 5, a);
        const double tail = norm_of(N - 5, s + 5) / norm_of(N, s);
        ASSERT_BELOW(fabs(x.report.error - tail), 1e-5 * tail);
        ASSERT_BELOW(fabs(x.s[4] - s[4]), 20 * (double)FLT_EPSILON);
        discard(&x);
        for (int method = GM_SVD_AUTO; method <= GM_SVD_RANDOMIZED; ++method) {
            const gm_svd_options o = {.method = (gm_svd_method)method};
            x = decompose(c, &o, GM_F64, 1, 9, 1, a);
            ASSERT_BELOW(fabs(x.s[0] - norm_of(9, a)), 1e-15);
            ASSERT_BELOW(x.report.error, 1e-15);
            discard(&x);
            x = decompose(c, &o, GM_F64, 9, 1, 1, a);
            ASSERT_BELOW(fabs(x.s[0] - norm_of(9, a)), 1e-15);
            discard(&x);
        }
    }
    /* Values alone; squares that would overflow. */
    gm_context *c = contexts[CPU];
    for (int64_t e = 0; e < M * N; ++e) {
        a[e] *= 0x1p1000;
    }
    gm_tensor big = make(c, GM_F64, 2, (int64_t[]){M, N}, a);
    gm_tensor values = make(c, GM_F64, 1, (int64_t[]){4}, NULL);
    gm_approximation_report report;
    RUN(c, gm_svd_truncated(c, &(gm_svd_options){.tolerance = 0.9}, &big, NULL, &values, NULL,
                            &report, &workspace));
    double *got = values_of(c, &values);
    assert_int_equal(report.rank, 1);
    ASSERT_BELOW(fabs(got[0] / 0x1p1000 - 1), 1e-14);
    ASSERT_BELOW(fabs(report.error - norm_of(N - 1, s + 1) / norm_of(N, s)), 1e-13);
    free(got);
    free(a);
    release(c, &big);
    release(c, &values);
}

/* The emulator runs the kernels of all of it, where it has the linear algebra. */
static void the_kernels_find_a_low_rank(void **state) {
    (void)state;
    static const double s[2] = {2, 1};
    gm_context *c = contexts[EMU];
    if (c == NULL || !has_linear_algebra(c)) {
        skip();
    }
    double *a = matrix_of(20, 16, 2, s);
    for (int method = GM_SVD_DIRECT; method <= GM_SVD_RANDOMIZED; ++method) {
        const gm_svd_options o = {.method = (gm_svd_method)method, .tolerance = 1e-10};
        result x = decompose(c, &o, GM_F64, 20, 16, 4, a);
        assert_int_equal(x.report.rank, 2);
        ASSERT_BELOW(x.report.error, 1e-14);
        ASSERT_BELOW(error_of(20, 16, 4, a, &x), 1e-14);
        discard(&x);
    }
    free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_argument_is_named),
        cmocka_unit_test(the_svd_of_a_sparse_matrix),
        cmocka_unit_test(the_error_is_the_tail),
        cmocka_unit_test(the_sketch_keeps_its_bound),
        cmocka_unit_test(a_low_rank_is_found),
        cmocka_unit_test(the_error_of_a_large_matrix),
        cmocka_unit_test(the_least_rank_for_a_tolerance),
        cmocka_unit_test(the_loss_of_the_sketch_counts),
        cmocka_unit_test(a_batch_is_its_problems),
        cmocka_unit_test(single_precision_and_edges),
        cmocka_unit_test(the_kernels_find_a_low_rank),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
