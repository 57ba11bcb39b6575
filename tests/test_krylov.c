/* Krylov methods: exact termination, known spectra, convergence bounds, breakdowns. */
#include "support.h"

#include <complex.h>
#include <float.h>
#include <math.h>

#include <genmath/krylov.h>

static gm_context *context;

static int open_context(void **state) {
    (void)state;
    return gm_context_create(&(gm_context_options){.backend = GM_BACKEND_REF}, &context) !=
           GM_STATUS_OK;
}

static int close_context(void **state) {
    (void)state;
    gm_context_destroy(context);
    return 0;
}

/* ---- operators ------------------------------------------------------------------------------- */

enum { MAX_N = 200 };

typedef struct dense {
    int64_t n;
    double a[MAX_N * MAX_N];
} dense;

static gm_status apply_dense(gm_context *c, void *user, const double *x, double *y) {
    const dense *m = user;
    (void)c;
    for (int64_t i = 0; i < m->n; ++i) {
        y[i] = 0;
        for (int64_t j = 0; j < m->n; ++j) {
            y[i] += m->a[i * m->n + j] * x[j];
        }
    }
    return GM_STATUS_OK;
}

static gm_status apply_failing(gm_context *c, void *user, const double *x, double *y) {
    (void)c, (void)user, (void)x, (void)y;
    return GM_STATUS_IO_ERROR;
}

static gm_status apply_nan(gm_context *c, void *user, const double *x, double *y) {
    (void)c, (void)x;
    for (int64_t i = 0; i < *(int64_t *)user; ++i) {
        y[i] = (double)NAN;
    }
    return GM_STATUS_OK;
}

static dense matrix, other;

static gm_operator make_dense(int64_t n) {
    memset(matrix.a, 0, sizeof matrix.a);
    matrix.n = n;
    return (gm_operator){n, apply_dense, &matrix};
}

#define A(i, j) matrix.a[(i)*matrix.n + (j)]

static void *memory;

static void *memory_of(int64_t bytes) {
    free(memory);
    memory = malloc((size_t)bytes + 8);
    memset(memory, 0xff, (size_t)bytes + 8);
    return memory;
}

static void guard_holds(int64_t bytes) {
    for (int i = 0; i < 8; ++i) {
        assert_int_equal(((uint8_t *)memory)[bytes + i], 0xff);
    }
}

static gm_krylov_report cg(const gm_operator *a, const gm_krylov_options *o, const double *b,
                           double *x) {
    gm_krylov_report report;
    int64_t bytes;
    ASSERT_OK(context, gm_cg_workspace_size(context, a, &bytes));
    ASSERT_OK(context, gm_cg(context, a, o, b, x, memory_of(bytes), bytes, &report));
    guard_holds(bytes);
    return report;
}

static gm_krylov_report gmres(const gm_operator *a, const gm_krylov_options *o, const double *b,
                              double *x) {
    gm_krylov_report report;
    int64_t bytes;
    ASSERT_OK(context, gm_gmres_workspace_size(context, a, o, &bytes));
    ASSERT_OK(context, gm_gmres(context, a, o, b, x, memory_of(bytes), bytes, &report));
    guard_holds(bytes);
    return report;
}

static gm_krylov_report lanczos(const gm_operator *a, const gm_krylov_options *o, int64_t count,
                                gm_spectrum_end end, double *values, double *residuals,
                                double *vectors) {
    gm_krylov_report report;
    int64_t bytes;
    ASSERT_OK(context, gm_lanczos_workspace_size(context, a, o, &bytes));
    ASSERT_OK(context, gm_lanczos(context, a, o, count, end, values, residuals, vectors,
                                  memory_of(bytes), bytes, &report));
    guard_holds(bytes);
    return report;
}

static gm_krylov_report arnoldi(const gm_operator *a, const gm_krylov_options *o,
                                const double *start, double *values) {
    gm_krylov_report report;
    int64_t bytes;
    ASSERT_OK(context, gm_arnoldi_workspace_size(context, a, o, &bytes));
    ASSERT_OK(context, gm_arnoldi(context, a, o, start, values, memory_of(bytes), bytes, &report));
    guard_holds(bytes);
    return report;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void **state) {
    (void)state;
    gm_operator a = make_dense(2);
    double b[2] = {1, 1}, x[2] = {0, 0}, w[256], values[4];
    gm_krylov_report r;
    int64_t bytes;
    const gm_krylov_options bad[] = {
        {.rtol = -1},           {.rtol = 1},     {.rtol = NAN},      {.atol = -1},
        {.max_iterations = -1}, {.restart = -1}, {.history_size = 3}};
    static const char *const words[] = {"rtol",           "rtol",    "rtol",   "atol",
                                        "max_iterations", "restart", "history"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        ASSERT_FAILS(context, gm_cg(context, &a, &bad[i], b, x, w, sizeof w, &r),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
        ASSERT_FAILS(context, gm_gmres(context, &a, &bad[i], b, x, w, sizeof w, &r),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
        ASSERT_FAILS(context, gm_arnoldi(context, &a, &bad[i], NULL, values, w, sizeof w, &r),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
        ASSERT_FAILS(context,
                     gm_lanczos(context, &a, &bad[i], 1, GM_SPECTRUM_LARGEST, values, NULL, NULL, w,
                                sizeof w, &r),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
    }
    assert_int_equal(gm_cg(NULL, &a, NULL, b, x, w, sizeof w, &r), GM_STATUS_INVALID_ARGUMENT);
    ASSERT_FAILS(context, gm_cg(context, NULL, NULL, b, x, w, sizeof w, &r),
                 GM_STATUS_INVALID_ARGUMENT, "a or");
    ASSERT_FAILS(context, gm_cg(context, &a, NULL, NULL, x, w, sizeof w, &r),
                 GM_STATUS_INVALID_ARGUMENT, "b or x");
    ASSERT_FAILS(context, gm_cg(context, &a, NULL, b, x, w, 63, &r), GM_STATUS_WORKSPACE_TOO_SMALL,
                 "64");
    ASSERT_FAILS(context, gm_cg(context, &a, NULL, b, x, NULL, 64, &r), GM_STATUS_INVALID_ARGUMENT,
                 "workspace");
    ASSERT_FAILS(context, gm_cg(context, &a, NULL, b, x, w, 64, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "report");
    ASSERT_FAILS(context, gm_cg_workspace_size(context, &a, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "bytes");
    ASSERT_FAILS(
        context,
        gm_lanczos(context, &a, NULL, 3, GM_SPECTRUM_LARGEST, values, NULL, NULL, w, sizeof w, &r),
        GM_STATUS_INVALID_ARGUMENT, "count");
    ASSERT_FAILS(context, gm_arnoldi(context, &a, NULL, x, values, w, sizeof w, &r),
                 GM_STATUS_INVALID_ARGUMENT, "start");
    a.n = -1;
    ASSERT_FAILS(context, gm_gmres_workspace_size(context, &a, NULL, &bytes),
                 GM_STATUS_INVALID_ARGUMENT, "a.n");
    const gm_operator failing = {2, apply_failing, NULL};
    assert_int_equal(gm_cg(context, &failing, NULL, b, x, w, sizeof w, &r), GM_STATUS_IO_ERROR);
    assert_int_equal(gm_gmres(context, &failing, NULL, b, x, w, sizeof w, &r), GM_STATUS_IO_ERROR);
    int64_t two = 2;
    const gm_operator nan = {2, apply_nan, &two};
    assert_int_equal(cg(&nan, NULL, b, x).status, GM_STATUS_NON_FINITE);
    assert_int_equal(gmres(&nan, NULL, b, x).status, GM_STATUS_NON_FINITE);
    assert_int_equal(arnoldi(&nan, NULL, NULL, values).status, GM_STATUS_NON_FINITE);
    assert_int_equal(lanczos(&nan, NULL, 1, GM_SPECTRUM_LARGEST, values, NULL, NULL).status,
                     GM_STATUS_NON_FINITE);
    const gm_operator empty = {0, apply_dense, &matrix};
    assert_int_equal(cg(&empty, NULL, NULL, NULL).status, GM_STATUS_OK);
    assert_int_equal(gmres(&empty, NULL, NULL, NULL).status, GM_STATUS_OK);
    assert_int_equal(arnoldi(&empty, NULL, NULL, NULL).status, GM_STATUS_OK);
}

/* ---- conjugate gradients -----------------------------------------------------------------------
 */

/* Claim: n steps on an integer matrix of condition number under 3 give the known integer solution. */
static void test_cg_exact(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 8; ++n) {
        const gm_operator a = make_dense(n);
        double b[8] = {0}, x[8] = {0};
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < n; ++j) {
                A(i, j) = (double)(i == j ? 2 * n + i : 1);
                b[i] += A(i, j) * (double)(j % 3 - 1);
            }
        }
        const gm_krylov_report r = cg(&a, &(gm_krylov_options){.rtol = 1e-11}, b, x);
        assert_int_equal(r.status, GM_STATUS_OK);
        assert_true(r.iterations <= n && r.applications == r.iterations + 2);
        for (int64_t i = 0; i < n; ++i) {
            assert_true(fabs(x[i] - (double)(i % 3 - 1)) < 1e-8);
        }
    }
}

/* Claim: k distinct eigenvalues take k iterations; the error falls as the condition number says;
 * the exact preconditioner takes one. */
static void test_cg_convergence(void **state) {
    (void)state;
    const gm_operator a = make_dense(MAX_N);
    static double b[MAX_N], x[MAX_N];
    for (int i = 0; i < MAX_N; ++i) {
        A(i, i) = 1 + i % 3;
        b[i] = 1 + i % 7;
        x[i] = 0;
    }
    assert_int_equal(cg(&a, NULL, b, x).iterations, 3);
    const double ratio = (10.0 - 1) / (10 + 1);
    for (int i = 0; i < MAX_N; ++i) {
        A(i, i) = 1 + 99.0 * i / (MAX_N - 1);
    }
    for (int64_t steps = 5; steps <= 40; steps += 7) {
        double start = 0, end = 0;
        memset(x, 0, sizeof x);
        const gm_krylov_report r = cg(&a, &(gm_krylov_options){.max_iterations = steps}, b, x);
        assert_int_equal(r.status, GM_STATUS_NOT_CONVERGED);
        assert_int_equal(r.iterations, steps);
        for (int i = 0; i < MAX_N; ++i) {
            start += b[i] * b[i] / A(i, i);
            end += (x[i] - b[i] / A(i, i)) * (x[i] - b[i] / A(i, i)) * A(i, i);
        }
        assert_true(sqrt(end / start) <= 2 * pow(ratio, (double)steps));
    }
    other = matrix;
    for (int i = 0; i < MAX_N; ++i) {
        other.a[i * MAX_N + i] = 1 / A(i, i);
        x[i] = 0;
    }
    const gm_operator inverse = {MAX_N, apply_dense, &other};
    double history[4];
    const gm_krylov_options o = {.preconditioner = &inverse, .history = history, .history_size = 4};
    const gm_krylov_report r = cg(&a, &o, b, x);
    assert_true(r.status == GM_STATUS_OK && r.iterations == 1 && r.history_count == 2);
    assert_true(history[1] < 1e-10 * history[0] && r.residual < 1e-10 * history[0]);
}

static void test_cg_indefinite(void **state) {
    (void)state;
    const gm_operator a = make_dense(2);
    double b[2] = {1, 1}, x[2] = {0, 0};
    A(0, 0) = 1;
    A(1, 1) = -1;
    assert_int_equal(cg(&a, NULL, b, x).status, GM_STATUS_SINGULAR);
}

/* ---- GMRES
 * --------------------------------------------------------------------------------------- */

/* Claim: on the cyclic shift nothing is gained before the n-th iteration, which is exact. */
static void test_gmres_shift(void **state) {
    (void)state;
    enum { N = 12 };
    const gm_operator a = make_dense(N);
    double b[N] = {1}, x[N] = {0}, history[N + 1];
    for (int i = 0; i < N; ++i) {
        A((i + 1) % N, i) = 1;
    }
    const gm_krylov_options o = {.restart = N, .history = history, .history_size = N + 1};
    gm_krylov_report r = gmres(&a, &o, b, x);
    assert_true(r.status == GM_STATUS_OK && r.iterations == N && r.history_count == N + 1);
    for (int i = 0; i < N; ++i) {
        assert_true(fabs(history[i] - 1) < 1e-14);
    }
    assert_true(history[N] < 1e-14 && fabs(x[N - 1] - 1) < 1e-14);
    /* With a restart below n it never moves. */
    memset(x, 0, sizeof x);
    r = gmres(&a, &(gm_krylov_options){.restart = N - 1, .max_iterations = 60}, b, x);
    assert_true(r.status == GM_STATUS_NOT_CONVERGED && r.iterations == 60 && r.residual > 0.99);
    /* The nilpotent shift has no solution for b = e_1: A x has entry 0 equal to 0. */
    A(0, N - 1) = 0;
    memset(x, 0, sizeof x);
    r = gmres(&a, &(gm_krylov_options){.restart = N}, b, x);
    assert_true(r.status == GM_STATUS_SINGULAR && fabs(r.residual - 1) < 1e-12);
}

/* Claim: nonsymmetric systems are solved, with restarts and preconditioners; residuals never grow.
 */
static void test_gmres_nonsymmetric(void **state) {
    (void)state;
    enum { N = 100 };
    const gm_operator a = make_dense(N);
    double b[N], x[N], history[500];
    uint64_t seed = 5;
    for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) {
            A(i, j) = (double)(int64_t)next_random(&seed) * 0x1p-63 * (i == j ? 0 : 0.2);
        }
        A(i, i) = 4 + i % 5;
        b[i] = i % 4 - 1.5;
    }
    other = matrix;
    for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) {
            other.a[i * N + j] = i == j ? 1 / A(i, i) : 0;
        }
    }
    const gm_operator jacobi = {N, apply_dense, &other};
    int64_t iterations[2];
    for (int64_t restart = 5; restart <= N; restart += 95) {
        for (int p = 0; p < 2; ++p) {
            const gm_krylov_options o = {.restart = restart,
                                         .rtol = 1e-12,
                                         .history = history,
                                         .history_size = 500,
                                         .preconditioner = p ? &jacobi : NULL};
            memset(x, 0, sizeof x);
            const gm_krylov_report r = gmres(&a, &o, b, x);
            assert_int_equal(r.status, GM_STATUS_OK);
            for (int64_t i = 1; i < r.history_count; ++i) {
                assert_true(history[i] <= history[i - 1] * (1 + 1e-12));
            }
            double norm = 0, error = 0;
            for (int i = 0; i < N; ++i) {
                double sum = -b[i];
                for (int j = 0; j < N; ++j) {
                    sum += A(i, j) * x[j];
                }
                error += sum * sum;
                norm += b[i] * b[i];
            }
            assert_true(error <= 1.01e-24 * norm);
            iterations[p] = r.iterations;
        }
        assert_true(iterations[1] < iterations[0]);
    }
}

/* ---- eigenvalues
 * --------------------------------------------------------------------------------- */

static gm_operator laplacian(int64_t n, bool ring) {
    const gm_operator a = make_dense(n);
    for (int64_t i = 0; i + (ring ? 0 : 1) < n; ++i) {
        const int64_t j = (i + 1) % n;
        A(i, i) += 1;
        A(j, j) += 1;
        A(i, j) -= 1;
        A(j, i) -= 1;
    }
    return a;
}

/* Claim: path: 2 - 2 cos(pi k / n); ring: 2 - 2 cos(2 pi k / n), each but the ends twice, of which
 * the whole space shows both. Vectors are orthonormal and solve. */
static void test_lanczos_graphs(void **state) {
    (void)state;
    static double values[60], residuals[60], vectors[60 * 60], y[60];
    for (int ring = 0; ring < 2; ++ring) {
        for (int64_t n = 3; n <= 60; n += 19) {
            const gm_operator a = laplacian(n, ring);
            for (gm_spectrum_end end = GM_SPECTRUM_LARGEST; end <= GM_SPECTRUM_SMALLEST; ++end) {
                const gm_krylov_report r = lanczos(&a, NULL, n, end, values, residuals, vectors);
                assert_int_equal(r.status, GM_STATUS_OK);
                for (int64_t i = 0; i < n; ++i) {
                    const int64_t rank = end == GM_SPECTRUM_SMALLEST ? i : n - 1 - i;
                    const double angle = ring ? 2 * (double)((rank + 1) / 2) : (double)rank;
                    assert_true(fabs(values[i] - 2 + 2 * cos(acos(-1.0) * angle / (double)n)) <
                                1e-12);
                    assert_true(residuals[i] < 1e-10);
                    apply_dense(context, &matrix, vectors + i * n, y);
                    for (int64_t j = 0; j < n; ++j) {
                        double dot = 0;
                        for (int64_t l = 0; l < n; ++l) {
                            dot += vectors[i * n + l] * vectors[j * n + l];
                        }
                        assert_true(fabs(dot - (i == j)) < 1e-12);
                        assert_true(fabs(y[j] - values[i] * vectors[i * n + j]) < 1e-12);
                    }
                }
            }
        }
    }
}

/* Claim: extreme eigenvalues of a large matrix come from a small basis, and too small a one says
 * so. */
static void test_lanczos_extreme(void **state) {
    (void)state;
    const gm_operator a = make_dense(MAX_N);
    double values[2], residuals[2];
    for (int i = 0; i < MAX_N; ++i) {
        A(i, i) = i < MAX_N - 2 ? i / (double)MAX_N : 5.0 * (i - MAX_N + 3);
    }
    gm_krylov_report r = lanczos(&a, NULL, 2, GM_SPECTRUM_LARGEST, values, residuals, NULL);
    assert_true(r.status == GM_STATUS_OK && r.iterations < 40);
    assert_true(fabs(values[0] - 10) < 1e-12 && fabs(values[1] - 5) < 1e-12);
    r = lanczos(&a, &(gm_krylov_options){.max_iterations = 3}, 2, GM_SPECTRUM_LARGEST, values,
                residuals, NULL);
    assert_true(r.status == GM_STATUS_NOT_CONVERGED && r.iterations == 3);
    assert_true(values[0] <= 10 && residuals[0] > 0); /* Ritz values are inside the spectrum */
}

/* Claim: the companion matrix of a polynomial has its roots; the shift those of unity; a start in
 * an invariant space ends early. */
static void test_arnoldi(void **state) {
    (void)state;
    gm_operator a = make_dense(5);
    double values[80], start[40] = {1};
    /* (x - 1)(x - 2)(x + 3)(x^2 + 4) = x^5 - 3 x^3 + 6 x^2 - 28 x + 24 */
    const double coefficients[] = {24, -28, 6, -3, 0};
    for (int i = 0; i < 5; ++i) {
        A(i, 4) = -coefficients[i];
        if (i > 0) {
            A(i, i - 1) = 1;
        }
    }
    const double complex roots[] = {-3, CMPLX(0, 2), CMPLX(0, -2), 2, 1};
    gm_krylov_report r = arnoldi(&a, NULL, NULL, values);
    assert_true(r.status == GM_STATUS_OK && r.iterations == 5);
    for (int i = 0; i < 5; ++i) {
        double nearest = 1;
        for (int j = 0; j < 5; ++j) {
            nearest = fmin(nearest, cabs(roots[i] - CMPLX(values[2 * j], values[2 * j + 1])));
        }
        assert_true(nearest < 1e-11);
    }
    assert_true(fabs(values[0] + 3) < 1e-11 && fabs(values[8] - 1) < 1e-11);
    a = make_dense(40);
    for (int i = 0; i < 40; ++i) {
        A((i + 1) % 40, i) = 1;
    }
    r = arnoldi(&a, NULL, start, values);
    assert_int_equal(r.status, GM_STATUS_OK);
    for (int i = 0; i < 40; ++i) {
        assert_true(cabs(cpow(CMPLX(values[2 * i], values[2 * i + 1]), 40) - 1) < 1e-11);
    }
    a = make_dense(40);
    for (int i = 0; i < 40; ++i) {
        A(i, i) = i;
        start[i] = i == 3 || i == 7;
    }
    r = arnoldi(&a, NULL, start, values);
    assert_true(r.status == GM_STATUS_OK && r.iterations == 2 && r.residual < 1e-13);
    assert_true(fabs(values[0] - 7) < 1e-13 && fabs(values[2] - 3) < 1e-13 && isnan(values[4]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_cg_exact),
        cmocka_unit_test(test_cg_convergence), cmocka_unit_test(test_cg_indefinite),
        cmocka_unit_test(test_gmres_shift),    cmocka_unit_test(test_gmres_nonsymmetric),
        cmocka_unit_test(test_lanczos_graphs), cmocka_unit_test(test_lanczos_extreme),
        cmocka_unit_test(test_arnoldi),
    };
    const int failed = cmocka_run_group_tests(tests, open_context, close_context);
    free(memory);
    return failed;
}
