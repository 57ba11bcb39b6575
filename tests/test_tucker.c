/* Tucker: planted ranks, bounds, orthogonality, long and strided unfoldings. */
#include "tensor_decompose_fixture.h"

enum { MOST = 5 };

typedef struct result {
    double *core, *factor[MOST];
    int64_t rank[MOST];
    gm_approximation_report report;
} result;

/* most NULL: the sizes themselves. */
static result decompose_view(gm_context *c, const gm_tucker_options *o, const gm_tensor *x,
                             const int64_t *most) {
    result out;
    const int32_t d = x->ndim;
    gm_tensor core = make(c, x->dtype, d, most != NULL ? most : x->shape, NULL), f[MOST];
    for (int32_t k = 0; k < d; ++k) {
        f[k] = make(c, x->dtype, 2, (int64_t[]){x->shape[k], core.shape[k]}, NULL);
    }
    RUN(c, gm_tucker(c, o, x, &core, f, &out.report, &workspace));
    for (int32_t k = 0; k < d; ++k) {
        out.rank[k] = core.shape[k];
        assert_int_equal(f[k].shape[0], x->shape[k]);
        assert_int_equal(f[k].shape[1], core.shape[k]);
        out.factor[k] = values_of(c, &f[k]);
    }
    /* The error is what the reconstruction says, computed by the library and compared here. */
    gm_tensor y = make(c, x->dtype, d, x->shape, NULL),
              whole = make(c, x->dtype, d, x->shape, NULL);
    const gm_tensor *const given = x;
    if (out.report.status != GM_STATUS_NON_FINITE && gm_tensor_is_contiguous(given)) {
        ASSERT_OK(c, gm_tucker_reconstruct(c, &core, f, &y));
        double *a = values_of(c, x), *b = values_of(c, &y);
        if (norm_of(count_of(x), a) > 0) {
            ASSERT_BELOW(fabs(distance(count_of(x), a, b) - out.report.error),
                         x->dtype == GM_F32 ? 1e-6 : 1e-13);
        }
        free(a);
        free(b);
    }
    out.core = values_of(c, &core);
    for (int32_t k = 0; k < d; ++k) {
        release(c, &f[k]);
    }
    release(c, &y);
    release(c, &whole);
    release(c, &core);
    return out;
}

static result decompose(gm_context *c, const gm_tucker_options *o, gm_dtype dtype, int32_t d,
                        const int64_t *shape, const int64_t *most, const double *values) {
    gm_tensor x = make(c, dtype, d, shape, values);
    const result out = decompose_view(c, o, &x, most);
    release(c, &x);
    return out;
}

static void discard(int32_t d, result *x) {
    free(x->core);
    for (int32_t k = 0; k < d; ++k) {
        free(x->factor[k]);
    }
}

/* x[i] = sum_j core[j] prod_k U_k[i_k, j_k], U_k of a cosine transform: ranks by construction. */
static double *expand(int32_t d, const int64_t *shape, const int64_t *rank, const double *core) {
    const int64_t count = product_of(d, shape);
    double *x = calloc((size_t)count, sizeof *x);
    for (int64_t e = 0; e < count; ++e) {
        int64_t i[MOST], j[MOST];
        indices_of(e, d, shape, i);
        for (int64_t g = 0; g < product_of(d, rank); ++g) {
            indices_of(g, d, rank, j);
            double term = core[g];
            for (int32_t k = 0; k < d; ++k) {
                term *= cosine(shape[k], i[k], j[k]);
            }
            x[e] += term;
        }
    }
    return x;
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
    gm_tensor x = gm_tensor_3d(data, GM_F64, 2, 3, 4), core = gm_tensor_3d(out, GM_F64, 2, 2, 2);
    gm_tensor f[3] = {gm_tensor_2d(out + 8, GM_F64, 2, 2), gm_tensor_2d(out + 12, GM_F64, 3, 2),
                      gm_tensor_2d(out + 18, GM_F64, 4, 2)};
    assert_int_equal(gm_tucker(NULL, NULL, &x, &core, f, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT);
    static const gm_tucker_options bad[] = {
        {.method = 5},          {.tolerance = -1},  {.tolerance = 1},   {.keep = 8},
        {.max_iterations = -1}, {.convergence = 2}, {.convergence = -1}};
    static const char *const words[] = {"method",         "tolerance",   "tolerance",  "keep",
                                        "max_iterations", "convergence", "convergence"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        ASSERT_FAILS(c, gm_tucker(c, &bad[i], &x, &core, f, &report, &none),
                     GM_STATUS_INVALID_ARGUMENT, words[i]);
    }
    ASSERT_FAILS(c, gm_tucker(c, &(gm_tucker_options){.keep = 2}, &x, &core, f, &report, &none),
                 GM_STATUS_SHAPE_MISMATCH, "core.shape[1] = 2: must be 3");
#define BAD(status, text, ...)                                                                     \
    ASSERT_FAILS(c, gm_tucker(c, NULL, __VA_ARGS__), GM_STATUS_##status, text)
    BAD(INVALID_ARGUMENT, "x is NULL", NULL, &core, f, &report, &none);
    BAD(INVALID_ARGUMENT, "core is NULL", &x, NULL, f, &report, &none);
    BAD(INVALID_ARGUMENT, "factors is NULL", &x, &core, NULL, &report, &none);
    BAD(INVALID_ARGUMENT, "report is NULL", &x, &core, f, NULL, &none);
    BAD(INVALID_ARGUMENT, "workspace is NULL", &x, &core, f, &report, NULL);
    gm_tensor g[3] = {f[0], f[1], f[1]};
    BAD(SHAPE_MISMATCH, "factors[2].shape[0] = 3", &x, &core, g, &report, &none);
    g[2] = gm_tensor_2d(out + 18, GM_F64, 4, 1);
    BAD(SHAPE_MISMATCH, "factors[2].shape[1] = 1", &x, &core, g, &report, &none);
    g[2] = f[2];
    g[2].stride[0] = 3;
    BAD(INVALID_ARGUMENT, "factors[2] is not row-major", &x, &core, g, &report, &none);
    g[2] = f[2];
    g[2].data = out + 14;
    BAD(INVALID_ARGUMENT, "overlap", &x, &core, g, &report, &none);
    gm_tensor other = gm_tensor_3d(out, GM_F32, 2, 2, 2);
    BAD(INVALID_ARGUMENT, "core.dtype = f32", &x, &other, f, &report, &none);
    other = gm_tensor_3d(out, GM_F64, 2, 0, 2);
    BAD(INVALID_ARGUMENT, "core.shape[1] = 0", &x, &other, f, &report, &none);
    gm_tensor scalar = {data, GM_F64, 0, {0}, {0}};
    BAD(INVALID_ARGUMENT, "x.ndim = 0", &scalar, &core, f, &report, &none);
    static double long_factor[20000];
    const gm_tensor tall = {data, GM_F64, 2, {20000, 2}, {0, 1}};
    gm_tensor one = gm_tensor_2d(out, GM_F64, 1, 1);
    gm_tensor h[2] = {gm_tensor_2d(long_factor, GM_F64, 20000, 1),
                      gm_tensor_2d(out + 1, GM_F64, 2, 1)};
    BAD(INVALID_ARGUMENT, "at most 16384 rows", &tall, &one, h, &report, &none);
    gm_workspace small = {NULL, 0};
    ASSERT_OK(c, gm_tucker(c, NULL, &x, &core, f, &report, &small));
    ASSERT_OK(c, gm_memory_alloc(c, small.bytes, &small.data));
    --small.bytes;
    BAD(WORKSPACE_TOO_SMALL, "workspace.bytes", &x, &core, f, &report, &small);
    ASSERT_OK(c, gm_memory_free(c, small.data));
    ASSERT_FAILS(c, gm_tucker_reconstruct(c, NULL, f, &x), GM_STATUS_INVALID_ARGUMENT, "core");
    ASSERT_FAILS(c, gm_tucker_reconstruct(c, &scalar, f, &x), GM_STATUS_INVALID_ARGUMENT,
                 "core.ndim = 0");
    assert_memory_equal(out, before, sizeof out);
}

/* ---- planted -----------------------------------------------------------------------------------
 */

/*
 * Claim: the ranks of a planted core are found by the tolerance, and nothing is lost. The core has
 * a singular value of 1e-10 in its first mode, which squares (a Gram matrix) would lose in
 * rounding.
 */
static void planted_ranks_are_found(void **state) {
    (void)state;
    static const int64_t shape[4] = {7, 6, 5, 4}, ranks[4] = {3, 2, 2, 3};
    for (int32_t d = 3; d <= 4; ++d) {
        double core[36];
        const int64_t slice = product_of(d - 1, ranks + 1);
        fill_normals(4, 3 * slice, core);
        for (int64_t i = 0; i < slice; ++i) {
            core[2 * slice + i] *= 1e-10;
        }
        double *x = expand(d, shape, ranks, core);
        for (int method = GM_TUCKER_ST_HOSVD; method <= GM_TUCKER_HOOI; ++method) {
            const gm_tucker_options o = {.method = (gm_tucker_method)method, .tolerance = 1e-12};
            FOR_HOSTS(c) {
                result got = decompose(c, &o, GM_F64, d, shape, NULL, x);
                assert_int_equal(got.report.status, GM_STATUS_OK);
                ASSERT_BELOW(got.report.error, 1e-14);
                ASSERT_BELOW(got.report.bound, 1e-14);
                for (int32_t k = 0; k < d; ++k) {
                    assert_int_equal(got.rank[k], ranks[k]);
                    ASSERT_BELOW(deviation(shape[k], ranks[k], got.factor[k]), 1e-14);
                }
                ASSERT_BELOW(fabs(norm_of(product_of(d, ranks), got.core) /
                                      norm_of(product_of(d, shape), x) -
                                  1),
                             1e-14);
                discard(d, &got);
            }
        }
        free(x);
    }
}

/* Claim: unfoldings of 15600 and 390 columns, which take two levels of QR, one, and none. */
static void long_unfoldings(void **state) {
    (void)state;
    static const int64_t shape[3] = {5, 120, 130}, ranks[3] = {2, 3, 3};
    double core[18];
    fill_normals(6, 18, core);
    for (int i = 9; i < 18; ++i) {
        core[i] *= 1e-9;
    }
    double *x = expand(3, shape, ranks, core);
    for (int place = CPU; place <= CPU_3; ++place) {
        const gm_tucker_options o = {.tolerance = 1e-12};
        result got = decompose(contexts[place], &o, GM_F64, 3, shape, (int64_t[]){5, 9, 9}, x);
        assert_int_equal(got.report.status, GM_STATUS_OK);
        ASSERT_BELOW(got.report.error, 1e-14);
        for (int k = 0; k < 3; ++k) {
            assert_int_equal(got.rank[k], ranks[k]);
        }
        discard(3, &got);
    }
    free(x);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* Squares of the singular values of the unfolding of mode k, over |x|^2, descending, by
 * gm_linalg_svd. */
static void spectrum_of(int32_t d, const int64_t *shape, int32_t k, const double *x,
                        double *squares) {
    gm_context *c = contexts[CPU];
    const int64_t count = product_of(d, shape), n = shape[k];
    double *rows = malloc((size_t)count * sizeof *rows), s[64];
    int64_t fill[64] = {0};
    for (int64_t e = 0; e < count; ++e) {
        int64_t i[MOST];
        indices_of(e, d, shape, i);
        rows[i[k] * (count / n) + fill[i[k]]++] = x[e];
    }
    const gm_tensor a = gm_tensor_2d(rows, GM_F64, n, count / n);
    const gm_tensor values = gm_tensor_1d(s, GM_F64, n);
    RUN(c, gm_linalg_svd(c, &a, NULL, &values, NULL, NULL, &workspace));
    const double norm = norm_of(count, x);
    for (int64_t j = 0; j < n; ++j) {
        squares[j] = s[j] * s[j] / norm / norm;
    }
    free(rows);
}

/*
 * Claims: HOSVD's error^2 <= the sum of what the modes discard, and >= the most that one discards,
 * as the best has it; ST-HOSVD's error is its bound; HOOI improves on its start; HOSVD is within
 * sqrt(d) of HOOI, which is no better than the best.
 */
static void errors_keep_their_bounds(void **state) {
    (void)state;
    static const int64_t shape[3] = {8, 9, 10};
    static const int64_t allowed[4][3] = {{3, 3, 3}, {2, 5, 4}, {8, 4, 1}, {7, 9, 10}};
    static double x[720], squares[10];
    fill_normals(21, 720, x);
    for (int64_t e = 0; e < 720; ++e) { /* a decaying spectrum */
        int64_t i[3];
        indices_of(e, 3, shape, i);
        x[e] *= pow(0.7, (double)(i[0] + i[1] + i[2]));
    }
    for (int a = 0; a < 4; ++a) {
        const int64_t *most = allowed[a];
        double all = 0, largest = 0;
        for (int32_t k = 0; k < 3; ++k) {
            double tail = 0;
            spectrum_of(3, shape, k, x, squares);
            for (int64_t j = most[k]; j < shape[k]; ++j) {
                tail += squares[j];
            }
            all += tail;
            largest = fmax(largest, tail);
        }
        FOR_HOSTS(c) {
            result got[3];
            for (int method = 0; method < 3; ++method) {
                const gm_tucker_options o = {.method = (gm_tucker_method)method};
                got[method] = decompose(c, &o, GM_F64, 3, shape, most, x);
                const double e = got[method].report.error;
                assert_int_equal(got[method].report.status, GM_STATUS_OK);
                ASSERT_BELOW(e, got[method].report.bound * (1 + 1e-12));
                ASSERT_BELOW(sqrt(largest), e * (1 + 1e-12));
                for (int32_t k = 0; k < 3; ++k) {
                    ASSERT_BELOW(deviation(shape[k], got[method].rank[k], got[method].factor[k]),
                                 1e-13);
                }
            }
            const gm_approximation_report *st = &got[0].report, *hosvd = &got[1].report;
            const gm_approximation_report *hooi = &got[2].report;
            ASSERT_BELOW(fabs(hosvd->bound - sqrt(all)), 1e-13);
            ASSERT_BELOW(fabs(st->error - st->bound), 1e-13);
            ASSERT_BELOW(hooi->error, st->error * (1 + 1e-12));
            ASSERT_BELOW(hosvd->error, sqrt(3) * hooi->error);
            ASSERT_BELOW(st->error, sqrt(3) * hooi->error);
            if (a == 0) { /* the factors of HOSVD are not stationary: there is something to gain */
                assert_true(hooi->iterations > 1 && hooi->error < 0.999 * st->error);
            }
            for (int method = 0; method < 3; ++method) {
                discard(3, &got[method]);
            }
        }
    }
}

/* Claim: with all ranks the core's slices are orthogonal and have the singular values of the
 * unfolding as norms, and nothing is lost. */
static void slices_of_the_core_are_orthogonal(void **state) {
    (void)state;
    static const int64_t shape[3] = {4, 5, 6};
    static double x[120], squares[6];
    fill_normals(22, 120, x);
    const double norm = norm_of(120, x);
    FOR_HOSTS(c) {
        result got = decompose(c, &(gm_tucker_options){.method = GM_TUCKER_HOSVD}, GM_F64, 3, shape,
                               NULL, x);
        ASSERT_BELOW(got.report.error, 5e-15);
        for (int32_t k = 0; k < 3; ++k) {
            spectrum_of(3, shape, k, x, squares);
            for (int64_t a = 0; a < shape[k]; ++a) {
                for (int64_t b = 0; b < shape[k]; ++b) {
                    double sum = 0;
                    for (int64_t e = 0; e < 120; ++e) {
                        int64_t i[3], other[3];
                        indices_of(e, 3, shape, i);
                        if (i[k] == a) {
                            memcpy(other, i, sizeof other);
                            other[k] = b;
                            sum += got.core[e] * got.core[(other[0] * 5 + other[1]) * 6 + other[2]];
                        }
                    }
                    ASSERT_BELOW(fabs(sum / norm / norm - (a == b ? squares[a] : 0)), 1e-14);
                }
            }
        }
        discard(3, &got);
    }
}

/* Claim: of a matrix every method gives the best approximation (Eckart, Young); the tolerance gives
 * ranks whose error is within it, and the ranks allowed can stand in its way. */
static void a_matrix_and_a_tolerance(void **state) {
    (void)state;
    enum { N = 12 };
    double a[N * N] = {0}, s[N];
    for (int j = 0; j < N; ++j) {
        s[j] = pow(0.4, j);
        for (int64_t i = 0; i < N; ++i) {
            for (int64_t k = 0; k < N; ++k) {
                a[i * N + k] += s[j] * cosine(N, i, j) * cosine(N, k, j);
            }
        }
    }
    static const int64_t shape[2] = {N, N}, four[2] = {4, 4};
    FOR_HOSTS(c) {
        for (int method = 0; method < 3; ++method) {
            gm_tucker_options o = {.method = (gm_tucker_method)method};
            result got = decompose(c, &o, GM_F64, 2, shape, four, a);
            ASSERT_BELOW(fabs(got.report.error - norm_of(N - 4, s + 4) / norm_of(N, s)), 1e-14);
            discard(2, &got);
            o.tolerance = 8e-4;
            got = decompose(c, &o, GM_F64, 2, shape, NULL, a);
            /* Tails 6.6e-4 and 2.6e-4 of ranks 8 and 9: a mode's share is 8e-4 / sqrt 2 = 5.7e-4.
             */
            ASSERT_BELOW(got.report.error, 8e-4);
            assert_int_equal(got.report.status, GM_STATUS_OK);
            assert_int_equal(got.rank[0], 9);
            discard(2, &got);
            got = decompose(c, &o, GM_F64, 2, shape, four, a);
            assert_int_equal(got.report.status, GM_STATUS_NOT_CONVERGED);
            assert_int_equal(got.rank[1], 4);
            discard(2, &got);
        }
    }
}

/* ---- kept modes, layouts, edges ----------------------------------------------------------------
 */

static void kept_modes_and_other_layouts(void **state) {
    (void)state;
    static const int64_t shape[4] = {6, 5, 3, 4};
    static double x[360], turned[360];
    fill_normals(23, 360, x);
    for (int64_t e = 0; e < 360; ++e) {
        int64_t i[4];
        indices_of(e, 4, shape, i);
        turned[((i[2] * 4 + i[3]) * 6 + i[0]) * 5 + i[1]] = x[e];
    }
    FOR_HOSTS(c) {
        for (int method = 0; method < 3; ++method) {
            const gm_tucker_options o = {.method = (gm_tucker_method)method, .keep = 0xc};
            const int64_t most[4] = {2, 3, 3, 4};
            result got = decompose(c, &o, GM_F64, 4, shape, most, x);
            assert_int_equal(got.report.status, GM_STATUS_OK);
            for (int32_t k = 2; k < 4; ++k) {
                for (int64_t e = 0; e < shape[k] * shape[k]; ++e) {
                    assert_true(got.factor[k][e] == (double)(e % (shape[k] + 1) == 0));
                }
            }
            /* core[a, b, k, l] = sum_ij x[i, j, k, l] U[i, a] V[j, b] */
            double sum = 0;
            for (int64_t i = 0; i < 6; ++i) {
                for (int64_t j = 0; j < 5; ++j) {
                    sum += x[((i * 5 + j) * 3 + 2) * 4 + 1] * got.factor[0][i * 2 + 1] *
                           got.factor[1][j * 3];
                }
            }
            ASSERT_BELOW(fabs(sum - got.core[((1 * 3 + 0) * 3 + 2) * 4 + 1]), 1e-13);
            /* The same tensor, its axes in another order in memory. */
            gm_tensor memory = make(c, GM_F64, 4, (int64_t[]){3, 4, 6, 5}, turned), view;
            assert_int_equal(gm_tensor_permute(&memory, (int32_t[]){2, 3, 0, 1}, &view),
                             GM_STATUS_OK);
            result same = decompose_view(c, &o, &view, most);
            ASSERT_BELOW(fabs(same.report.error - got.report.error), 1e-14);
            release(c, &memory);
            discard(4, &same);
            discard(4, &got);
        }
    }
}

static void edges(void **state) {
    (void)state;
    static const int64_t shape[3] = {3, 1, 4}, line[1] = {5};
    double x[12], zero[12] = {0};
    fill_normals(24, 12, x);
    FOR_HOSTS(c) {
        for (int method = 0; method < 3; ++method) {
            gm_tucker_options o = {.method = (gm_tucker_method)method};
            /* Rank 4 of the last mode cannot be: its unfolding has 3 columns. */
            result got = decompose(c, &o, GM_F64, 3, shape, (int64_t[]){9, 2, 9}, x);
            assert_int_equal(got.report.status, GM_STATUS_OK);
            assert_true(got.rank[0] == 3 && got.rank[1] == 1 && got.rank[2] == 3);
            ASSERT_BELOW(got.report.error, 1e-15);
            discard(3, &got);
            got = decompose(c, &o, GM_F32, 3, shape, NULL, x);
            ASSERT_BELOW(got.report.error, 20 * (double)FLT_EPSILON);
            discard(3, &got);
            got = decompose(c, &o, GM_F64, 1, line, NULL, x);
            assert_int_equal(got.rank[0], 1);
            ASSERT_BELOW(fabs(fabs(got.core[0]) - norm_of(5, x)), 1e-14);
            discard(1, &got);
            o.tolerance = 0.1;
            got = decompose(c, &o, GM_F64, 3, shape, NULL, zero);
            assert_int_equal(got.report.status, GM_STATUS_OK);
            assert_true(got.report.error == 0 && got.rank[0] == 1 && got.core[0] == 0);
            discard(3, &got);
            zero[5] = (double)INFINITY;
            got = decompose(c, &o, GM_F64, 3, shape, NULL, zero);
            assert_int_equal(got.report.status, GM_STATUS_NON_FINITE);
            assert_true(isnan(got.report.error) && isnan(got.core[0]) && isnan(got.factor[2][15]));
            discard(3, &got);
            zero[5] = 0;
        }
        const gm_tucker_options one = {.method = GM_TUCKER_HOOI, .max_iterations = 1};
        static double y[720];
        fill_normals(25, 720, y);
        result got = decompose(c, &one, GM_F64, 3, (int64_t[]){8, 9, 10}, (int64_t[]){2, 2, 2}, y);
        assert_int_equal(got.report.status, GM_STATUS_NOT_CONVERGED);
        assert_int_equal(got.report.iterations, 1);
        discard(3, &got);
    }
}

/* Claim: the same bits in every run and for any number of threads. */
static void bits_do_not_change(void **state) {
    (void)state;
    static const int64_t shape[3] = {20, 31, 25}, most[3] = {4, 5, 6};
    static double x[20 * 31 * 25];
    fill_normals(26, 20 * 31 * 25, x);
    for (int method = 0; method < 3; ++method) {
        const gm_tucker_options o = {.method = (gm_tucker_method)method, .max_iterations = 5};
        result first = decompose(contexts[CPU], &o, GM_F64, 3, shape, most, x);
        for (int place = CPU; place <= CPU_3; ++place) {
            result again = decompose(contexts[place], &o, GM_F64, 3, shape, most, x);
            assert_same_report(&first.report, &again.report);
            assert_memory_equal(first.core, again.core, 120 * sizeof(double));
            for (int k = 0; k < 3; ++k) {
                assert_memory_equal(first.factor[k], again.factor[k],
                                    (size_t)(shape[k] * most[k]) * sizeof(double));
            }
            discard(3, &again);
        }
        discard(3, &first);
    }
}

/* The emulator runs the kernels of all of it, where it has the linear algebra. */
static void the_kernels_find_planted_ranks(void **state) {
    (void)state;
    static const int64_t shape[3] = {5, 6, 4}, ranks[3] = {2, 3, 2};
    double core[12];
    gm_context *c = contexts[EMU];
    if (c == NULL || !has_linear_algebra(c)) {
        skip();
    }
    fill_normals(27, 12, core);
    double *x = expand(3, shape, ranks, core);
    for (int method = 0; method < 3; ++method) {
        const gm_tucker_options o = {.method = (gm_tucker_method)method, .tolerance = 1e-10};
        result got = decompose(c, &o, GM_F64, 3, shape, NULL, x);
        ASSERT_BELOW(got.report.error, 1e-14);
        for (int k = 0; k < 3; ++k) {
            assert_int_equal(got.rank[k], ranks[k]);
            ASSERT_BELOW(deviation(shape[k], ranks[k], got.factor[k]), 1e-14);
        }
        discard(3, &got);
    }
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_argument_is_named),
        cmocka_unit_test(planted_ranks_are_found),
        cmocka_unit_test(long_unfoldings),
        cmocka_unit_test(errors_keep_their_bounds),
        cmocka_unit_test(slices_of_the_core_are_orthogonal),
        cmocka_unit_test(a_matrix_and_a_tolerance),
        cmocka_unit_test(kept_modes_and_other_layouts),
        cmocka_unit_test(edges),
        cmocka_unit_test(bits_do_not_change),
        cmocka_unit_test(the_kernels_find_planted_ranks),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
