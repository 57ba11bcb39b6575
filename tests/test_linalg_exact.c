/*
 * Linear algebra against answers that are known: small integers to the bit, closed forms, matrices
 * that are singular, defective, graded or ill-conditioned, and spectra of random matrices.
 */
#include <float.h>
#include <math.h>

#include "linalg.h"

#include <genmath/random.h>

/* One problem of an operation with given inputs, row-major; b may be NULL. */
static batch solve_one(const host *s, const char *name, gm_dtype dtype, int64_t m, int64_t n,
                       int64_t k, const double *a, const double *right) {
    batch b = make_batch(find_operation(name), dtype, m, n, k, 1, ROWS, false, 1);
    for (int64_t e = 0; e < count_of(&b.in[0]); ++e) {
        set(&b.in[0], 0, e, a[e]);
    }
    for (int64_t e = 0; right != NULL && e < count_of(&b.in[1]); ++e) {
        set(&b.in[1], 0, e, right[e]);
    }
    run_batch(s, &b);
    return b;
}

static int status_of(const batch *b) {
    return (int)creal(get(&b->status, 0, 0));
}

static double rcond_of(const batch *b) {
    return creal(get(&b->rcond, 0, 0));
}

static void assert_values(const host *s, const array *a, const double *expected, double within) {
    for (int64_t e = 0; e < count_of(a); ++e) {
        const number got = get(a, 0, e);
        if (!(cabs(got - expected[e]) <= within)) {
            fail_msg("%s, %s: element %lld is %.17g + %.3g i, not %.17g", s->name,
                     gm_dtype_name(a->tensor.dtype), (long long)e, creal(got), cimag(got),
                     expected[e]);
        }
    }
}

/* ---- exact ----------------------------------------------------------------------------------- */

static void factors_of_integers_are_exact(void **state) {
    (void)state;
    static const double a[] = {2, 4, 8, 8, 8, 0, 4, 8, 8}, lu[] = {8, 8, 0, .5, 4, 8, .25, .5, 4};
    static const double permutation[] = {1, 2, 0}, det[] = {128}, sign[] = {1};
    static const double x[] = {1, -2, 3, 5, -4, 7};
    static const double spd[] = {4, 2, 8, 2, 10, -2, 8, -2, 21}, l[] = {2, 0, 0, 1, 3, 0, 4, -2, 1};
    static const double triangle[] = {2, 0, 0, 1, 4, 0, 4, -2, 1};
    double right[6] = {0}, below[6] = {0};
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 3; ++j) {
            right[i] += a[i / 2 * 3 + j] * x[j * 2 + i % 2];
            below[i] += triangle[i / 2 * 3 + j] * x[j * 2 + i % 2];
        }
    }
    FOR_EACH_BACKEND(s, "lu", "determinant", "solve", "triangular_solve", "cholesky") {
        for (int t = 0; t < 4; ++t) {
            batch r = solve_one(s, "lu", dtypes[t], 3, 3, 0, a, NULL);
            assert_values(s, &r.out[0], lu, 0);
            assert_values(s, &r.out[1], permutation, 0);
            free_batch(&r);
            r = solve_one(s, "determinant", dtypes[t], 3, 3, 0, a, NULL);
            assert_values(s, &r.out[0], det, 0);
            assert_values(s, &r.out[1], sign, 0);
            assert_values(s, &r.out[2], &(double){log(128)}, 8 * eps_of(dtypes[t]));
            free_batch(&r);
            r = solve_one(s, "solve", dtypes[t], 3, 3, 2, a, right);
            assert_values(s, &r.out[0], x, 0);
            free_batch(&r);
            r = solve_one(s, "triangular_solve", dtypes[t], 3, 3, 2, triangle, below);
            assert_values(s, &r.out[0], x, 0);
            free_batch(&r);
            r = solve_one(s, "cholesky", dtypes[t], 3, 3, 0, spd, NULL);
            assert_values(s, &r.out[0], l, 0);
            free_batch(&r);
        }
    }
}

/* The cyclic permutation of n is odd for an even n; its inverse is its transpose. */
static void permutation_matrices_are_exact(void **state) {
    (void)state;
    FOR_EACH_BACKEND(s, "determinant", "inverse") {
        for (int64_t n = 1; n <= 33; n += n < 9 ? 1 : 12) {
            double *a = calloc((size_t)(2 * n * n), sizeof *a), *transpose = a + n * n;
            assert_non_null(a);
            for (int64_t i = 0; i < n; ++i) {
                a[i * n + (i + 1) % n] = transpose[(i + 1) % n * n + i] = 1;
            }
            batch r = solve_one(s, "determinant", GM_C64, n, n, 0, a, NULL);
            assert_values(s, &r.out[0], &(double){n % 2 ? 1 : -1}, 0);
            assert_values(s, &r.out[2], &(double){0}, 0);
            assert_true(rcond_of(&r) == 1);
            free_batch(&r);
            r = solve_one(s, "inverse", GM_F64, n, n, 0, a, NULL);
            assert_values(s, &r.out[0], transpose, 0);
            free_batch(&r);
            if (runs(s, find_operation("power"))) {
                r = solve_one(s, "power", GM_F32, n, n, 0, a, NULL);
                for (int64_t i = 0; i < n; ++i) { /* five times round the cycle */
                    assert_true(get(&r.out[0], 0, i * n + (i + 5) % n) == 1);
                }
                free_batch(&r);
            }
            free(a);
        }
    }
}

/* Ones in the first column and on the diagonal: all candidates are equal, and the first is taken.
 */
static void of_equal_pivots_the_first_is_taken(void **state) {
    (void)state;
    static const int64_t sizes[] = {3, 8, 20, 45};
    FOR_EACH_BACKEND(s, "lu") {
        for (int i = 0; i < 16; ++i) {
            const int64_t n = sizes[i / 4];
            double a[45 * 45], rows[45];
            for (int64_t e = 0; e < n * n; ++e) {
                a[e] = e % n == 0 || e % (n + 1) == 0;
                rows[e / n] = (double)(e / n);
            }
            batch r = solve_one(s, "lu", dtypes[i % 4], n, n, 0, a, NULL);
            assert_values(s, &r.out[1], rows, 0);
            assert_values(s, &r.out[0], a, 0);
            free_batch(&r);
        }
    }
}

static void determinants_out_of_range_have_logarithms(void **state) {
    (void)state;
    static const double large[] = {1e200, 0, 0, 1e200}, nothing[4] = {0};
    FOR_EACH_BACKEND(s, "determinant") {
        batch r = solve_one(s, "determinant", GM_F64, 2, 2, 0, large, NULL);
        assert_true(isinf(creal(get(&r.out[0], 0, 0))));
        assert_values(s, &r.out[2], &(double){400 * log(10)}, 1e-12 * 400);
        assert_int_equal(status_of(&r), GM_STATUS_OK);
        free_batch(&r);
        r = solve_one(s, "determinant", GM_F64, 2, 2, 0, nothing, NULL);
        assert_true(get(&r.out[0], 0, 0) == 0 && get(&r.out[1], 0, 0) == 0);
        assert_true(creal(get(&r.out[2], 0, 0)) == -INFINITY && rcond_of(&r) == 0);
        assert_int_equal(status_of(&r), GM_STATUS_OK);
        free_batch(&r);
    }
}

/* ---- triangles ------------------------------------------------------------------------------- */

/* Every choice of triangle, diagonal and transpose against the whole matrix that it stands for. */
static void triangles_of_every_kind(void **state) {
    (void)state;
    enum { N = 5 };
    FOR_EACH_BACKEND(s, "triangular_solve") {
        for (int kind = 0; kind < 12; ++kind) {
            const gm_triangular_options o = {
                .upper = kind & 1, .unit_diagonal = kind >> 1 & 1, .transpose = kind / 4};
            double complex a[N][N], op[N][N], x[N], b[N] = {0};
            uint64_t seed = 5;
            for (int i = 0; i < N * N; ++i) {
                const int row = i / N, column = i % N;
                const bool read = o.upper ? row <= column : row >= column;
                a[row][column] = CMPLX((double)(next_random(&seed) % 7) - 3,
                                       (double)(next_random(&seed) % 7) - 3);
                if (row == column) {
                    a[row][row] = CMPLX(0, 4); /* exact to divide by */
                }
                const number value = row == column && o.unit_diagonal ? 1
                                     : read                           ? a[row][column]
                                                                      : 0;
                if (o.transpose == GM_TRANSPOSE_NONE) {
                    op[row][column] = value;
                } else {
                    op[column][row] = o.transpose == GM_TRANSPOSE ? value : conj(value);
                }
                if (!read || (row == column && o.unit_diagonal)) {
                    a[row][column] = NAN;
                }
            }
            for (int i = 0; i < N * N; ++i) {
                x[i % N] = CMPLX(i % N - 2, 3 - i % N);
                b[i / N] += op[i / N][i % N] * x[i % N];
            }
            struct {
                _Alignas(64) char memory[1 << 15]; /* the workspace */
                double complex a[N][N], b[N], x[N];
                double residual, rcond;
            } all = {0};
            memcpy(all.a, a, sizeof a);
            memcpy(all.b, b, sizeof b);
            char *placed = place_on(s, &all, sizeof all);
#define FIELD(name) (placed + ((char *)&all.name - (char *)&all))
            const gm_tensor ta = gm_tensor_2d(FIELD(a), GM_C128, N, N),
                            tb = gm_tensor_2d(FIELD(b), GM_C128, N, 1),
                            tx = gm_tensor_2d(FIELD(x), GM_C128, N, 1);
            const gm_tensor scalar = {FIELD(residual), GM_F64, 0, {0}, {0}};
            const gm_tensor condition = {FIELD(rcond), GM_F64, 0, {0}, {0}};
            const gm_linalg_report report = {.residual = &scalar, .rcond = &condition};
            gm_workspace workspace = {FIELD(memory), sizeof all.memory};
#undef FIELD
            ASSERT_OK(s->context, gm_linalg_triangular_solve(s->context, &o, &ta, &tb, &tx, &report,
                                                             &workspace));
            take_from(s, placed, &all, sizeof all);
            for (int i = 0; i < N; ++i) {
                assert_true(cabs(all.x[i] - x[i]) < 1e-11);
            }
            assert_true(all.residual < 1e-14 && all.rcond > 0 && all.rcond < 1);
        }
    }
}

/* ---- singular and ill-conditioned ------------------------------------------------------------ */

static void singular_problems_say_so(void **state) {
    (void)state;
    static const double singular[] = {1, 2, 2, 4}, indefinite[] = {1, 2, 2, 1};
    static const double zero_pivot[] = {0, 0, 1, 1};
    static const double b[] = {1, 1};
    static const struct {
        const char *name;
        const double *a;
        bool outputs_hold;
    } cases[] = {
        {"lu", singular, true},
        {"solve", singular, false},
        {"inverse", singular, false},
        {"cholesky", singular, false},
        {"cholesky", indefinite, false},
        {"sqrt_psd", indefinite, false},
        {"inverse_sqrt_psd", singular, false},
        {"triangular_solve", zero_pivot, false},
    };
    FOR_EACH_BACKEND(s, "lu") {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
            if (!runs(s, find_operation(cases[i].name))) {
                continue;
            }
            batch r = solve_one(s, cases[i].name, dtypes[i % 4], 2, 2, 1, cases[i].a, b);
            if (status_of(&r) != GM_STATUS_SINGULAR) {
                fail_msg("%s, %s: %s", s->name, cases[i].name,
                         gm_status_name((gm_status)status_of(&r)));
            }
            assert_true(isnan(creal(get(&r.out[0], 0, 0))) == !cases[i].outputs_hold);
            assert_true(r.rcond.memory == NULL || cases[i].a == indefinite || rcond_of(&r) < 1e-6);
            free_batch(&r);
        }
    }
}

/* A singular problem in the middle of a batch leaves the others as they are alone. */
static void a_singular_problem_fails_alone(void **state) {
    (void)state;
    static const char *const names[] = {"solve", "inverse", "cholesky", "lu", "determinant"};
    for (int s = 0; s < HOSTS; ++s) {
        for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
            const operation *o = find_operation(names[i]);
            for (int t = 0; t < 4 && runs(&hosts[s], o); ++t) {
                batch bad = make_batch(o, dtypes[t], 9, 9, 2, 40, ROWS, false, 5);
                for (int64_t e = 0; e < 81; ++e) {
                    set(&bad.in[0], 17, e, 0);
                }
                run_batch(&hosts[s], &bad);
                for (int64_t p = 15; p < 20; ++p) {
                    batch solo = make_batch(o, dtypes[t], 9, 9, 2, 1, ROWS, false, 5 + (uint64_t)p);
                    run_batch(&hosts[s], &solo);
                    assert_true(same_bits(&bad, p, &solo, 0) == (p != 17));
                    free_batch(&solo);
                }
                assert_true(i == 4 || creal(get(&bad.status, 17, 0)) == GM_STATUS_SINGULAR);
                free_batch(&bad);
            }
        }
    }
}

/* The condition number of Hilbert's matrix of order 8 in the 1-norm is 3.3872790819e10. */
static void condition_numbers(void **state) {
    (void)state;
    double hilbert[64], ones[8];
    for (int i = 0; i < 64; ++i) {
        hilbert[i] = 1. / (i / 8 + i % 8 + 1);
        ones[i % 8] = 1;
    }
    static const double diagonal[] = {1, 0, 0, 0x1p-20};
    static const char *const names[] = {"solve", "inverse", "cholesky"};
    FOR_EACH_BACKEND(s, "solve", "inverse", "cholesky") {
        for (int i = 0; i < 3; ++i) {
            batch r = solve_one(s, names[i], GM_F64, 8, 8, 1, hilbert, ones);
            const double truth = 1 / 33872790819.49471;
            assert_true(rcond_of(&r) > truth * (1 - 1e-4) && rcond_of(&r) < 3 * truth);
            assert_true(check_problem(&r, 0) < THRESHOLD);
            free_batch(&r);
            r = solve_one(s, names[i], GM_F32, 2, 2, 1, diagonal, ones);
            assert_true(rcond_of(&r) == 0x1p-20);
            free_batch(&r);
        }
        if (!runs(s, find_operation("svd"))) {
            continue;
        }
        batch r = solve_one(s, "svd", GM_F64, 8, 8, 0, hilbert, NULL);
        assert_true(fabs(creal(get(&r.out[1], 0, 0)) - 1.6959389969219498) < 1e-14);
        assert_true(fabs(rcond_of(&r) * 15257575538.060041 - 1) < 1e-5); /* 2-norm */
        assert_true(check_problem(&r, 0) < THRESHOLD);
        free_batch(&r);
    }
}

/* Rows and columns over 30 orders of magnitude, and problems whose squares are out of range. */
static void graded_and_extreme_scales(void **state) {
    (void)state;
    static const char *const names[] = {"lu", "qr", "svd", "eigen", "solve"};
    FOR_EACH_BACKEND(s, "lu") {
        for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
            for (int kind = 0; kind < 3 && runs(s, find_operation(names[i])); ++kind) {
                batch b =
                    make_batch(find_operation(names[i]), GM_F64, 12, 12, 2, 1, ROWS, false, 8);
                for (int64_t e = 0; e < 144; ++e) {
                    const double scale = kind == 0   ? pow(10, -(double)(e / 12 + e % 12) * 1.3)
                                         : kind == 1 ? 1e150
                                                     : 1e-150;
                    set(&b.in[0], 0, e, get(&b.in[0], 0, e) * scale);
                }
                run_batch(s, &b);
                assert_int_equal(status_of(&b), GM_STATUS_OK);
                if (kind == 0) {
                    assert_true(check_problem(&b, 0) < THRESHOLD);
                }
                assert_true(creal(get(&b.residual, 0, 0)) < THRESHOLD * 12 * DBL_EPSILON);
                free_batch(&b);
            }
        }
    }
}

/* ---- closed forms ---------------------------------------------------------------------------- */

/* Wide, of rank 3, with rows and columns of zeros. */
static void the_svd_of_a_sparse_matrix(void **state) {
    (void)state;
    static const double a[] = {1, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0};
    const double s_values[] = {4, 3, sqrt(5), 0};
    static const int rows[] = {3, 1, 0, 2};
    FOR_EACH_BACKEND(s, "svd complete", "pseudoinverse") {
        for (int t = 0; t < 4; ++t) {
            batch r = solve_one(s, "svd complete", dtypes[t], 4, 5, 0, a, NULL);
            assert_values(s, &r.out[1], s_values, 16 * eps_of(dtypes[t]));
            for (int j = 0; j < 4; ++j) { /* u_j is an axis up to its sign */
                assert_true(fabs(cabs(get(&r.out[0], 0, rows[j] * 4 + j)) - 1) <
                            16 * eps_of(dtypes[t]));
            }
            assert_true(check_problem(&r, 0) < THRESHOLD && rcond_of(&r) < eps_of(dtypes[t]));
            free_batch(&r);
            r = solve_one(s, "pseudoinverse", dtypes[t], 4, 5, 0, a, NULL);
            assert_true(creal(get(&r.out[1], 0, 0)) == 3);
            assert_true(cabs(get(&r.out[0], 0, 1 * 4 + 3) - 0.25) < 4 * eps_of(dtypes[t]));
            assert_true(cabs(get(&r.out[0], 0, 4 * 4 + 0) - 0.4) < 4 * eps_of(dtypes[t]));
            free_batch(&r);
        }
    }
}

/* Covariance, the paw graph, the triangle, the ring of five. */
static void hermitian_eigenvalues(void **state) {
    (void)state;
    static const double covariance[] = {4, 2, 2, 3}, triangle[] = {2, -1, -1, -1, 2, -1, -1, -1, 2};
    static const double paw[] = {2, -1, -1, 0, -1, 3, -1, -1, -1, -1, 2, 0, 0, -1, 0, 1};
    static const double ring[] = {2,  -1, 0, 0, -1, -1, 2,  -1, 0, 0, 0,  -1, 2,
                                  -1, 0,  0, 0, -1, 2,  -1, -1, 0, 0, -1, 2};
    const double small = (5 - sqrt(5)) / 2, large = (5 + sqrt(5)) / 2;
    const struct {
        int64_t n;
        const double *a;
        double w[5];
    } cases[] = {
        {2, covariance, {(7 - sqrt(17)) / 2, (7 + sqrt(17)) / 2}},
        {4, paw, {0, 1, 3, 4}},
        {3, triangle, {0, 3, 3}},
        {5, ring, {0, small, small, large, large}},
    };
    FOR_EACH_BACKEND(s, "eigen_hermitian", "sqrt_psd") {
        for (int i = 0; i < 16; ++i) {
            const int64_t n = cases[i / 4].n;
            batch r = solve_one(s, "eigen_hermitian", dtypes[i % 4], n, n, 0, cases[i / 4].a, NULL);
            assert_values(s, &r.out[0], cases[i / 4].w, 20 * eps_of(dtypes[i % 4]));
            assert_true(check_problem(&r, 0) < THRESHOLD);
            free_batch(&r);
        }
        batch r = solve_one(s, "sqrt_psd", GM_F64, 2, 2, 0, covariance, NULL);
        assert_true(cabs(get(&r.out[0], 0, 0) + get(&r.out[0], 0, 3) - 2.35829447118226 -
                         1.19935282014558) < 1e-13); /* the trace: the roots of the eigenvalues */
        free_batch(&r);
    }
}

/* Rotations have the eigenvalues e^{+-i theta}; what is nilpotent has 0 and no basis. */
static void general_eigenvalues(void **state) {
    (void)state;
    const double c = cos(0.3), d = sin(0.3), rotation[] = {c, -d, d, c};
    double nilpotent[36] = {0}, jordan[25] = {0};
    for (int i = 0; i < 5; ++i) {
        nilpotent[i * 6 + i + 1] = 3;
        jordan[i * 5 + i] = 2;
        if (i < 4) {
            jordan[i * 5 + i + 1] = 1;
        }
    }
    static const double defective[] = {3, 1, -1, 1}; /* similar to ((2, 1), (0, 2)) */
    FOR_EACH_BACKEND(s, "eigen") {
        for (int t = 0; t < 4; ++t) {
            const double eps = eps_of(dtypes[t]);
            batch r = solve_one(s, "eigen", dtypes[t], 2, 2, 0, rotation, NULL);
            for (int j = 0; j < 2; ++j) {
                const number w = get(&r.out[0], 0, j);
                assert_true(cabs(w - CMPLX(c, cimag(w) > 0 ? d : -d)) < 8 * eps);
            }
            assert_true(cimag(get(&r.out[0], 0, 0)) * cimag(get(&r.out[0], 0, 1)) < 0);
            assert_true(rcond_of(&r) > 0.2 && check_problem(&r, 0) < THRESHOLD);
            free_batch(&r);
            r = solve_one(s, "eigen", dtypes[t], 6, 6, 0, nilpotent, NULL);
            for (int j = 0; j < 6; ++j) {
                assert_true(get(&r.out[0], 0, j) == 0);
            }
            assert_true(rcond_of(&r) < 16 * eps && status_of(&r) == GM_STATUS_OK);
            free_batch(&r);
            r = solve_one(s, "eigen", dtypes[t], 5, 5, 0, jordan, NULL);
            assert_true(rcond_of(&r) < 16 * eps);
            assert_true(cabs(get(&r.out[0], 0, 4) - 2) < 8 * eps);
            free_batch(&r);
            r = solve_one(s, "eigen", dtypes[t], 2, 2, 0, defective, NULL);
            assert_true(cabs(get(&r.out[0], 0, 0) - 2) < 4 * sqrt(eps));
            assert_true(rcond_of(&r) < 4 * sqrt(eps));
            free_batch(&r);
        }
    }
}

static void least_squares_of_least_norm(void **state) {
    (void)state;
    static const double ones[] = {1, 1, 1, 1, 1, 1}, b[] = {1, 2, 3}, x[] = {1, 1};
    static const double wide[] = {1, 2, 2}, nine[] = {9}, nothing[6] = {0}, zero[2] = {0};
    FOR_EACH_BACKEND(s, "least_squares") {
        for (int t = 0; t < 4; ++t) {
            const double eps = eps_of(dtypes[t]);
            batch r = solve_one(s, "least_squares", dtypes[t], 3, 2, 1, ones, b);
            assert_values(s, &r.out[0], x, 16 * eps);
            assert_true(get(&r.out[1], 0, 0) == 1 && rcond_of(&r) < 4 * eps);
            free_batch(&r);
            r = solve_one(s, "least_squares", dtypes[t], 1, 3, 1, wide, nine);
            assert_values(s, &r.out[0], wide, 16 * eps);
            free_batch(&r);
            r = solve_one(s, "least_squares", dtypes[t], 3, 2, 1, nothing, b);
            assert_values(s, &r.out[0], zero, 0);
            assert_true(get(&r.out[1], 0, 0) == 0 && status_of(&r) == GM_STATUS_OK);
            free_batch(&r);
        }
    }
}

/* Hard imputation of rank 1: fill what is missing, take the best matrix of rank 1, repeat. The
 * observed squared error falls in every step, to 7.718502228184. */
static void matrix_completion(void **state) {
    (void)state;
    static const double r[] = {5, 0, 3, 1, 4, 2, 0, 0, 0, 5, 4, 0, 1, 0, 2, 3};
    FOR_EACH_BACKEND(s, "svd truncated") {
        double x[16], last = INFINITY;
        for (int i = 0; i < 16; ++i) {
            x[i] = r[i] != 0 ? r[i] : 3;
        }
        for (int step = 0; step < 400; ++step) {
            batch b = solve_one(s, "svd truncated", GM_F64, 4, 4, 0, x, NULL);
            double error = 0;
            for (int i = 0; i < 16; ++i) {
                const double value = creal(get(&b.out[0], 0, i / 4) * get(&b.out[1], 0, 0) *
                                           get(&b.out[2], 0, i % 4));
                error += r[i] != 0 ? (value - r[i]) * (value - r[i]) : 0;
                x[i] = r[i] != 0 ? r[i] : value;
            }
            assert_true(error <= last * (1 + 1e-14));
            last = error;
            free_batch(&b);
        }
        assert_true(fabs(last - 7.718502228184) < 1e-10);
    }
}

/* ---- random matrices ------------------------------------------------------------------------- */

static void fill_normal(const host *s, uint64_t seed, double *x, int64_t count) {
    const gm_random_stream stream = {.seed = seed};
    const gm_tensor t = gm_tensor_1d(x, GM_F64, count);
    ASSERT_OK(s->context, gm_random_fill_normal(s->context, &stream, 0, 1, &t));
}

/*
 * A spike of strength lambda in W / sqrt(n), W of the Gaussian orthogonal ensemble: above 1 the
 * largest eigenvalue is lambda + 1 / lambda, with deviation sqrt(2 (1 - 1 / lambda^2) / n) in the
 * limit, and the overlap with the spike 1 - 1 / lambda^2; below 1 they are 2 and 0. The mean of 16
 * problems of n = 150 at lambda = 2 is allowed 5 of its deviations (false alarms: 6e-7) and 0.02
 * for finite n.
 */
static void the_spiked_wigner_transition(void **state) {
    (void)state;
    enum { N = 150, PROBLEMS = 16 };
    const host *s = &hosts[CPU];
    static const double strengths[] = {2, 0.5};
    double *noise = malloc(N * N * sizeof *noise);
    assert_non_null(noise);
    for (int kind = 0; kind < 2; ++kind) {
        batch b = make_batch(find_operation("eigen_hermitian"), GM_F64, N, N, 0, PROBLEMS, ROWS,
                             false, 1);
        for (int64_t p = 0; p < PROBLEMS; ++p) {
            fill_normal(s, 1000 + (uint64_t)p, noise, N * N);
            for (int64_t e = 0; e < N * N; ++e) { /* the spike is (1, ..., 1) / sqrt(n) */
                const int64_t i = e / N, j = e % N;
                const double w = (noise[i * N + j] + noise[j * N + i]) / sqrt(2);
                set(&b.in[0], p, e, strengths[kind] / N + w / sqrt(N));
            }
        }
        run_batch(s, &b);
        double value = 0, overlap = 0;
        for (int64_t p = 0; p < PROBLEMS; ++p) {
            double dot = 0;
            for (int64_t i = 0; i < N; ++i) {
                dot += creal(get(&b.out[1], p, i * N + N - 1)) / sqrt(N);
            }
            value += creal(get(&b.out[0], p, N - 1)) / PROBLEMS;
            overlap += dot * dot / PROBLEMS;
        }
        if (kind == 0) {
            assert_true(fabs(value - 2.5) < 5 * sqrt(1.5 / N / PROBLEMS) + 0.02);
            assert_true(fabs(overlap - 0.75) < 0.08);
        } else {
            assert_true(fabs(value - 2) < 0.1 && overlap < 0.1);
        }
        free_batch(&b);
    }
    free(noise);
}

/*
 * The squared singular values of n x p noise over n, p / n = gamma = 1/4: moments 1 and 1 + gamma,
 * support (1 -+ sqrt(gamma))^2. The first moment is a chi-square of n p degrees over n p, deviation
 * sqrt(2 / (n p)): 5 of them (6e-7). Fluctuations at the edges are of order n^(-2/3) = 0.02.
 */
static void the_marchenko_pastur_law(void **state) {
    (void)state;
    enum { N = 320, P = 80 };
    const host *s = &hosts[CPU];
    double *noise = malloc(N * P * sizeof *noise), first = 0, second = 0;
    assert_non_null(noise);
    fill_normal(s, 77, noise, N * P);
    batch b = solve_one(s, "svd values", GM_F64, N, P, 0, noise, NULL);
    for (int64_t i = 0; i < P; ++i) {
        const double value = pow(creal(get(&b.out[0], 0, i)), 2) / N;
        assert_true(value > 0.25 - 0.1 && value < 2.25 + 0.15);
        first += value / P;
        second += value * value / P;
    }
    assert_true(fabs(first - 1) < 5 * sqrt(2. / (N * P)));
    assert_true(fabs(second - 1.25) < 0.1);
    free_batch(&b);
    free(noise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_of_integers_are_exact),
        cmocka_unit_test(permutation_matrices_are_exact),
        cmocka_unit_test(of_equal_pivots_the_first_is_taken),
        cmocka_unit_test(determinants_out_of_range_have_logarithms),
        cmocka_unit_test(triangles_of_every_kind),
        cmocka_unit_test(singular_problems_say_so),
        cmocka_unit_test(a_singular_problem_fails_alone),
        cmocka_unit_test(condition_numbers),
        cmocka_unit_test(graded_and_extreme_scales),
        cmocka_unit_test(the_svd_of_a_sparse_matrix),
        cmocka_unit_test(hermitian_eigenvalues),
        cmocka_unit_test(general_eigenvalues),
        cmocka_unit_test(least_squares_of_least_norm),
        cmocka_unit_test(matrix_completion),
        cmocka_unit_test(the_spiked_wigner_transition),
        cmocka_unit_test(the_marchenko_pastur_law),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
