/* Tensor trains: known ranks, bounds, rounding, inner products, long trains. */
#include "tensor_decompose_fixture.h"

enum { MOST = 40 };

typedef struct train {
    int32_t d;
    gm_tensor core[MOST];
    gm_approximation_report report;
} train;

/* Memory for ranks up to `most`. */
static train allowed(gm_context *c, gm_dtype dtype, int32_t d, const int64_t *shape, int64_t most) {
    train t = {.d = d};
    for (int32_t k = 0; k < d; ++k) {
        t.core[k] =
            make(c, dtype, 3, (int64_t[]){k > 0 ? most : 1, shape[k], k + 1 < d ? most : 1}, NULL);
    }
    return t;
}

static void discard(gm_context *c, train *t) {
    for (int32_t k = 0; k < t->d; ++k) {
        release(c, &t->core[k]);
    }
}

static train decompose_view(gm_context *c, double tolerance, const gm_tensor *x, int64_t most) {
    train t = allowed(c, x->dtype, x->ndim, x->shape, most);
    RUN(c, gm_tt_svd(c, &(gm_tt_options){tolerance}, x, t.core, &t.report, &workspace));
    return t;
}

static train decompose(gm_context *c, double tolerance, gm_dtype dtype, int32_t d,
                       const int64_t *shape, int64_t most, const double *values) {
    gm_tensor x = make(c, dtype, d, shape, values);
    const train t = decompose_view(c, tolerance, &x, most);
    release(c, &x);
    return t;
}

static train round_train(gm_context *c, double tolerance, const train *x, int64_t most) {
    int64_t shape[MOST];
    for (int32_t k = 0; k < x->d; ++k) {
        shape[k] = x->core[k].shape[1];
    }
    train t = allowed(c, x->core[0].dtype, x->d, shape, most);
    RUN(c,
        gm_tt_round(c, &(gm_tt_options){tolerance}, x->d, x->core, t.core, &t.report, &workspace));
    return t;
}

static double *tensor_of(gm_context *c, const train *t) {
    int64_t shape[GM_MAX_DIMS];
    for (int32_t k = 0; k < t->d; ++k) {
        shape[k] = t->core[k].shape[1];
    }
    gm_tensor out = make(c, t->core[0].dtype, t->d, shape, NULL);
    RUN(c, gm_tt_reconstruct(c, t->d, t->core, &out, &workspace));
    double *values = values_of(c, &out);
    release(c, &out);
    return values;
}

static double inner(gm_context *c, const train *x, const train *y) {
    double result = (double)NAN;
    RUN(c, gm_tt_inner(c, x->d, x->core, y->core, &result, &workspace));
    return result;
}

static void ranks_are(const train *t, int64_t rank) {
    for (int32_t k = 0; k + 1 < t->d; ++k) {
        assert_int_equal(t->core[k].shape[2], rank);
        assert_int_equal(t->core[k + 1].shape[0], rank);
    }
}

/* A train of rank r with the numbers of a seed, scaled so that entries stay near 1. */
static train random_train(gm_context *c, int32_t d, const int64_t *shape, int64_t r,
                          uint64_t seed) {
    train t = {.d = d};
    double numbers[1024];
    for (int32_t k = 0; k < d; ++k) {
        const int64_t s[3] = {k > 0 ? r : 1, shape[k], k + 1 < d ? r : 1};
        fill_normals(seed * 50 + (uint64_t)k, product_of(3, s), numbers);
        for (int64_t i = 0; i < product_of(3, s); ++i) {
            numbers[i] /= sqrt((double)s[0]);
        }
        t.core[k] = make(c, GM_F64, 3, s, numbers);
    }
    return t;
}

/* x + y: blocks on the diagonal. */
static train sum_of(gm_context *c, const train *x, const train *y) {
    train t = {.d = x->d};
    for (int32_t k = 0; k < x->d; ++k) {
        const int64_t *a = x->core[k].shape, *b = y->core[k].shape;
        const int64_t left = k > 0 ? a[0] + b[0] : 1, n = a[1];
        const int64_t right = k + 1 < x->d ? a[2] + b[2] : 1;
        double *xs = values_of(c, &x->core[k]), *ys = values_of(c, &y->core[k]);
        double *z = calloc((size_t)(left * n * right), sizeof *z);
        for (int64_t i = 0; i < a[0] * n * a[2]; ++i) {
            z[(i / a[2]) * right + i % a[2]] += xs[i];
        }
        for (int64_t i = 0; i < b[0] * n * b[2]; ++i) {
            const int64_t row = i / b[2] + (left - b[0]) * n;
            z[row * right + i % b[2] + right - b[2]] += ys[i];
        }
        t.core[k] = make(c, GM_F64, 3, (int64_t[]){left, n, right}, z);
        free(xs);
        free(ys);
        free(z);
    }
    return t;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void every_bad_argument_is_named(void **state) {
    (void)state;
    gm_context *c = contexts[CPU];
    double data[24] = {0}, out[64], before[64], result = 5;
    gm_approximation_report report;
    gm_workspace none = {NULL, 0};
    memset(out, 0x5a, sizeof out);
    memcpy(before, out, sizeof out);
    gm_tensor x = gm_tensor_3d(data, GM_F64, 2, 3, 4);
    gm_tensor t[3] = {gm_tensor_3d(out, GM_F64, 1, 2, 2), gm_tensor_3d(out + 4, GM_F64, 2, 3, 2),
                      gm_tensor_3d(out + 16, GM_F64, 2, 4, 1)};
    gm_tensor y[3] = {gm_tensor_3d(data, GM_F64, 1, 2, 2), gm_tensor_3d(data, GM_F64, 2, 3, 2),
                      gm_tensor_3d(data, GM_F64, 2, 4, 1)};
    assert_int_equal(gm_tt_svd(NULL, NULL, &x, t, &report, &none), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_tt_round(NULL, NULL, 3, y, t, &report, &none), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_tt_inner(NULL, 3, y, y, &result, &none), GM_STATUS_INVALID_ARGUMENT);
    assert_int_equal(gm_tt_reconstruct(NULL, 3, y, &x, &none), GM_STATUS_INVALID_ARGUMENT);
#define SVD(status, text, ...) ASSERT_FAILS(c, gm_tt_svd(c, __VA_ARGS__), GM_STATUS_##status, text)
#define ROUND(status, text, ...)                                                                   \
    ASSERT_FAILS(c, gm_tt_round(c, __VA_ARGS__), GM_STATUS_##status, text)
    const double bad[] = {-1, 1, NAN};
    for (int i = 0; i < 3; ++i) {
        SVD(INVALID_ARGUMENT, "tolerance", &(gm_tt_options){bad[i]}, &x, t, &report, &none);
        ROUND(INVALID_ARGUMENT, "tolerance", &(gm_tt_options){bad[i]}, 3, y, t, &report, &none);
    }
    SVD(INVALID_ARGUMENT, "x is NULL", NULL, NULL, t, &report, &none);
    SVD(INVALID_ARGUMENT, "cores is NULL", NULL, &x, NULL, &report, &none);
    SVD(INVALID_ARGUMENT, "report is NULL", NULL, &x, t, NULL, &none);
    SVD(INVALID_ARGUMENT, "workspace is NULL", NULL, &x, t, &report, NULL);
    ROUND(INVALID_ARGUMENT, "count = 0", NULL, 0, y, t, &report, &none);
    ROUND(INVALID_ARGUMENT, "x is NULL", NULL, 3, NULL, t, &report, &none);
    ROUND(INVALID_ARGUMENT, "report is NULL", NULL, 3, y, t, NULL, &none);
    ROUND(INVALID_ARGUMENT, "overlap", NULL, 3, t, t, &report, &none);
    ASSERT_FAILS(c, gm_tt_inner(c, 3, y, y, NULL, &none), GM_STATUS_INVALID_ARGUMENT, "result");
    gm_tensor wrong[3] = {t[0], t[1], t[2]};
    wrong[1] = gm_tensor_3d(out + 4, GM_F64, 1, 3, 2);
    SVD(SHAPE_MISMATCH, "cores[1].shape[0] = 1: must be 2", NULL, &x, wrong, &report, &none);
    wrong[1] = gm_tensor_3d(out + 4, GM_F64, 2, 2, 2);
    SVD(SHAPE_MISMATCH, "shape[1] = 2: must be 3", NULL, &x, wrong, &report, &none);
    ROUND(SHAPE_MISMATCH, "shape[1] = 2: must be 3", NULL, 3, y, wrong, &report, &none);
    ASSERT_FAILS(c, gm_tt_inner(c, 3, y, wrong, &result, &none), GM_STATUS_SHAPE_MISMATCH,
                 "shape[1] = 2: must be 3");
    wrong[1] = t[1];
    wrong[1].stride[0] = 7;
    SVD(INVALID_ARGUMENT, "cores[1] is not row-major", NULL, &x, wrong, &report, &none);
    wrong[1] = gm_tensor_3d(out + 3, GM_F64, 2, 3, 2);
    SVD(INVALID_ARGUMENT, "overlap", NULL, &x, wrong, &report, &none);
    wrong[1] = gm_tensor_3d(out + 4, GM_F32, 2, 3, 2);
    SVD(INVALID_ARGUMENT, "cores[1].dtype = f32", NULL, &x, wrong, &report, &none);
    wrong[1] = t[1];
    wrong[2] = gm_tensor_3d(out + 16, GM_F64, 2, 4, 2);
    SVD(SHAPE_MISMATCH, "cores[2].shape[2] = 2: must be 1", NULL, &x, wrong, &report, &none);
    gm_tensor other = gm_tensor_3d(out + 30, GM_F64, 2, 3, 5);
    ASSERT_FAILS(c, gm_tt_reconstruct(c, 3, y, &other, &none), GM_STATUS_SHAPE_MISMATCH,
                 "out.shape[2] = 5");
    gm_workspace small = {NULL, 0};
    ASSERT_OK(c, gm_tt_svd(c, NULL, &x, t, &report, &small));
    ASSERT_OK(c, gm_memory_alloc(c, small.bytes, &small.data));
    --small.bytes;
    SVD(WORKSPACE_TOO_SMALL, "workspace.bytes", NULL, &x, t, &report, &small);
    ASSERT_OK(c, gm_memory_free(c, small.data));
    assert_memory_equal(out, before, sizeof out);
    assert_true(result == 5);
}

/* ---- known ranks -------------------------------------------------------------------------------
 */

static double sum_of_indices(double s) {
    return s;
}
static double square_of_the_sum(double s) {
    return s * s;
}
static double one_exponential(double s) {
    return exp(-0.3 * s);
}

/*
 * Claims: i + j + k + ... and sin(i + j + k + ...) have ranks 2, the square of the sum 3, exp 1
 * (Oseledets, section 4: f of the sum has the rank of the space of its translates).
 */
static void functions_of_a_sum_have_known_ranks(void **state) {
    (void)state;
    static const struct {
        double (*f)(double);
        int64_t rank;
    } functions[] = {{sum_of_indices, 2}, {sin, 2}, {square_of_the_sum, 3}, {one_exponential, 1}};
    static const int64_t shape[6] = {4, 3, 5, 4, 3, 4};
    static double x[2880];
    for (int i = 0; i < 4; ++i) {
        for (int64_t e = 0; e < 2880; ++e) {
            int64_t index[6];
            indices_of(e, 6, shape, index);
            x[e] = functions[i].f(
                (double)(index[0] + index[1] + index[2] + index[3] + index[4] + index[5]));
        }
        FOR_HOSTS(c) {
            train t = decompose(c, 1e-12, GM_F64, 6, shape, 10, x);
            assert_int_equal(t.report.status, GM_STATUS_OK);
            ranks_are(&t, functions[i].rank);
            ASSERT_BELOW(t.report.error, 1e-14);
            ASSERT_BELOW(fabs(t.report.norm / norm_of(2880, x) - 1), 1e-14);
            double *y = tensor_of(c, &t);
            ASSERT_BELOW(distance(2880, x, y), 1e-14);
            free(y);
            discard(c, &t);
            t = decompose(c, 1e-5, GM_F32, 6, shape, 10, x);
            ranks_are(&t, functions[i].rank);
            y = tensor_of(c, &t);
            ASSERT_BELOW(distance(2880, x, y), 20 * (double)FLT_EPSILON);
            free(y);
            discard(c, &t);
        }
    }
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/*
 * Claims: the error is the root of the sum of what the unfoldings lose, and what the reconstruction
 * says; within the tolerance; within sqrt(d - 1) of the largest tail of an unfolding of x at those
 * ranks, below which no train of those ranks can come. All cores but the last are orthonormal.
 */
static void errors_keep_their_bounds(void **state) {
    (void)state;
    static const int64_t shape[4] = {4, 5, 4, 3};
    static double x[240];
    fill_normals(31, 240, x);
    for (int64_t e = 0; e < 240; ++e) {
        int64_t i[4];
        indices_of(e, 4, shape, i);
        x[e] *= pow(0.5, (double)(i[0] + i[1] + i[2] + i[3]));
    }
    static const double tolerances[] = {0.5, 0.1, 0.01, 1e-4, 0};
    FOR_HOSTS(c) {
        for (int i = 0; i < 5; ++i) {
            train t = decompose(c, tolerances[i], GM_F64, 4, shape, i < 4 ? 40 : 3, x);
            double *y = tensor_of(c, &t), best = 0;
            assert_int_equal(t.report.status, GM_STATUS_OK);
            assert_true(t.report.error == t.report.bound);
            ASSERT_BELOW(fabs(distance(240, x, y) - t.report.error), 1e-14);
            ASSERT_BELOW(t.report.error, i < 4 ? tolerances[i] : 1);
            int64_t rows = 1;
            for (int32_t k = 0; k < 3; ++k) {
                double s[20], *core = values_of(c, &t.core[k]);
                const int64_t *sizes = t.core[k].shape;
                ASSERT_BELOW(deviation(sizes[0] * sizes[1], sizes[2], core), 1e-13);
                free(core);
                rows *= shape[k];
                const int64_t columns = 240 / rows, least = rows < columns ? rows : columns;
                const gm_tensor a = gm_tensor_2d(x, GM_F64, rows, columns);
                const gm_tensor values = gm_tensor_1d(s, GM_F64, least);
                RUN(contexts[CPU],
                    gm_linalg_svd(contexts[CPU], &a, NULL, &values, NULL, NULL, &workspace));
                best = fmax(best, norm_of(least - sizes[2], s + sizes[2]) / norm_of(240, x));
            }
            ASSERT_BELOW(best, t.report.error * (1 + 1e-12) + 1e-15);
            ASSERT_BELOW(t.report.error, sqrt(3) * best + 1e-15);
            free(y);
            discard(c, &t);
        }
        train t = decompose(c, 1e-6, GM_F64, 4, shape, 2, x);
        assert_int_equal(t.report.status, GM_STATUS_NOT_CONVERGED);
        assert_true(t.report.error > 1e-6);
        ranks_are(&t, 2);
        discard(c, &t);
    }
}

/* ---- rounding and inner products ---------------------------------------------------------------
 */

/* Claim: x + x is x again at x's ranks and twice its numbers; norms and products are those of the
 * tensors. */
static void a_sum_is_rounded(void **state) {
    (void)state;
    static const int64_t shape[5] = {4, 5, 3, 4, 6};
    FOR_HOSTS(c) {
        train x = random_train(c, 5, shape, 3, 1), y = random_train(c, 5, shape, 2, 2);
        train twice = sum_of(c, &x, &x), both = sum_of(c, &x, &y);
        double *xs = tensor_of(c, &x), *ys = tensor_of(c, &y), *bs = tensor_of(c, &both), dot = 0;
        for (int64_t e = 0; e < 1440; ++e) {
            dot += xs[e] * ys[e];
        }
        const double nx = norm_of(1440, xs), ny = norm_of(1440, ys);
        ASSERT_BELOW(fabs(inner(c, &x, &y) - dot), 1e-13 * nx * ny);
        ASSERT_BELOW(fabs(sqrt(inner(c, &x, &x)) / nx - 1), 1e-13);
        ASSERT_BELOW(fabs(inner(c, &both, &x) - dot - nx * nx), 1e-12 * nx * (nx + ny));

        train less = round_train(c, 1e-12, &twice, 9);
        ranks_are(&less, 3);
        assert_int_equal(less.report.status, GM_STATUS_OK);
        ASSERT_BELOW(less.report.error, 1e-14);
        ASSERT_BELOW(fabs(less.report.norm / nx / 2 - 1), 1e-13);
        double *ls = tensor_of(c, &less);
        for (int64_t e = 0; e < 1440; ++e) {
            ls[e] /= 2;
        }
        ASSERT_BELOW(distance(1440, xs, ls), 1e-13);
        free(ls);
        discard(c, &less);

        less = round_train(c, 1e-12, &both, 9);
        static const int64_t ranks[4] = {4, 5, 5, 5}; /* 3 + 2, but for the first size of 4 */
        for (int k = 0; k < 4; ++k) {
            assert_int_equal(less.core[k].shape[2], ranks[k]);
        }
        discard(c, &less);
        less = round_train(c, 0, &both, 2); /* truncated: the error is told */
        ls = tensor_of(c, &less);
        ranks_are(&less, 2);
        ASSERT_BELOW(fabs(distance(1440, bs, ls) - less.report.error), 1e-13);
        /* As the tensor itself would be truncated: no worse than its bound. */
        train direct = decompose(c, 0, GM_F64, 5, shape, 2, bs);
        ASSERT_BELOW(fabs(direct.report.error - less.report.error), 1e-12);
        free(ls);
        free(xs);
        free(ys);
        free(bs);
        discard(c, &direct);
        discard(c, &less);
        discard(c, &x);
        discard(c, &y);
        discard(c, &twice);
        discard(c, &both);
    }
}

/* Claim: the train of 2^40 ones has the inner product 2^40 to the bit, and the rank that is found
 * for a sum of four of them is 1. */
static void long_trains(void **state) {
    (void)state;
    static const double ones[4] = {1, 1, 1, 1};
    FOR_HOSTS(c) {
        train x = {.d = 40}, four;
        for (int32_t k = 0; k < 40; ++k) {
            x.core[k] = make(c, GM_F64, 3, (int64_t[]){1, 2, 1}, ones);
        }
        assert_true(inner(c, &x, &x) == 0x1p40);
        train two = sum_of(c, &x, &x);
        four = sum_of(c, &two, &two);
        assert_true(inner(c, &four, &x) == 0x1p42);
        train less = round_train(c, 1e-10, &four, 4);
        ranks_are(&less, 1);
        ASSERT_BELOW(fabs(less.report.norm / 0x1p22 - 1), 1e-13);
        ASSERT_BELOW(fabs(inner(c, &less, &x) / 0x1p42 - 1), 1e-13);
        discard(c, &x);
        discard(c, &two);
        discard(c, &four);
        discard(c, &less);
    }
    /* exp on 2^16 points, a size of 2 for each bit: rank 1, and back, more axes than a contraction
     * has letters for. */
    static double y[1 << 16];
    int64_t bits[16];
    for (int64_t e = 0; e < 1 << 16; ++e) {
        y[e] = exp(-(double)e / (1 << 16));
    }
    for (int k = 0; k < 16; ++k) {
        bits[k] = 2;
    }
    gm_context *c = contexts[CPU];
    train t = decompose(c, 1e-12, GM_F64, 16, bits, 4, y);
    ranks_are(&t, 1);
    double *z = tensor_of(c, &t);
    ASSERT_BELOW(distance(1 << 16, y, z), 1e-13);
    free(z);
    discard(c, &t);
}

/* ---- layouts and edges -------------------------------------------------------------------------
 */

static void layouts_and_edges(void **state) {
    (void)state;
    static const int64_t shape[3] = {5, 4, 6}, single[1] = {4}, thin[3] = {1, 4, 1};
    static double x[120], turned[120];
    fill_normals(33, 120, x);
    for (int64_t e = 0; e < 120; ++e) {
        int64_t i[3];
        indices_of(e, 3, shape, i);
        turned[(i[2] * 5 + i[0]) * 4 + i[1]] = x[e];
    }
    FOR_HOSTS(c) {
        train a = decompose(c, 0, GM_F64, 3, shape, 3, x);
        gm_tensor memory = make(c, GM_F64, 3, (int64_t[]){6, 5, 4}, turned), view, out;
        assert_int_equal(gm_tensor_permute(&memory, (int32_t[]){1, 2, 0}, &view), GM_STATUS_OK);
        train b = decompose_view(c, 0, &view, 3);
        assert_same_report(&a.report, &b.report);
        double *as = tensor_of(c, &a);
        /* Reconstructed into another order of axes. */
        gm_tensor other = make(c, GM_F64, 3, (int64_t[]){6, 5, 4}, NULL);
        assert_int_equal(gm_tensor_permute(&other, (int32_t[]){1, 2, 0}, &out), GM_STATUS_OK);
        RUN(c, gm_tt_reconstruct(c, 3, b.core, &out, &workspace));
        double *bs = values_of(c, &other);
        for (int64_t e = 0; e < 120; ++e) {
            int64_t i[3];
            indices_of(e, 3, shape, i);
            assert_true(bs[(i[2] * 5 + i[0]) * 4 + i[1]] == as[e]);
        }
        free(as);
        free(bs);
        release(c, &memory);
        release(c, &other);
        discard(c, &a);
        discard(c, &b);

        a = decompose(c, 0, GM_F64, 1, single, 1, x);
        as = tensor_of(c, &a);
        assert_memory_equal(as, x, 4 * sizeof(double));
        ASSERT_BELOW(fabs(inner(c, &a, &a) - norm_of(4, x) * norm_of(4, x)), 1e-15);
        b = round_train(c, 1e-3, &a, 1);
        assert_true(b.report.error == 0);
        free(as);
        discard(c, &a);
        discard(c, &b);

        a = decompose(c, 0, GM_F64, 3, thin, 9, x);
        ranks_are(&a, 1);
        as = tensor_of(c, &a);
        ASSERT_BELOW(distance(4, x, as), 1e-15);
        free(as);
        discard(c, &a);

        double zero[120] = {0};
        a = decompose(c, 1e-3, GM_F64, 3, shape, 4, zero);
        assert_int_equal(a.report.status, GM_STATUS_OK);
        ranks_are(&a, 1);
        assert_true(a.report.error == 0 && inner(c, &a, &a) == 0);
        b = round_train(c, 1e-3, &a, 4);
        assert_true(b.report.error == 0 && b.report.norm == 0);
        discard(c, &a);
        discard(c, &b);

        zero[17] = (double)NAN;
        a = decompose(c, 1e-3, GM_F64, 3, shape, 4, zero);
        assert_int_equal(a.report.status, GM_STATUS_NON_FINITE);
        b = round_train(c, 1e-3, &a, 4);
        assert_int_equal(b.report.status, GM_STATUS_NON_FINITE);
        for (int k = 0; k < 3; ++k) {
            as = values_of(c, &a.core[k]);
            bs = values_of(c, &b.core[k]);
            assert_true(isnan(as[0]) && isnan(bs[count_of(&b.core[k]) - 1]));
            free(as);
            free(bs);
        }
        discard(c, &a);
        discard(c, &b);
    }
}

/* Claim: the same bits in every run and for any number of threads. */
static void bits_do_not_change(void **state) {
    (void)state;
    static const int64_t shape[3] = {40, 20, 30};
    static double x[24000];
    fill_normals(34, 24000, x);
    train first = decompose(contexts[CPU], 0, GM_F64, 3, shape, 9, x);
    for (int place = CPU; place <= CPU_3; ++place) {
        train again = decompose(contexts[place], 0, GM_F64, 3, shape, 9, x);
        train rounded = round_train(contexts[place], 0, &again, 4);
        train once_more = round_train(contexts[CPU], 0, &first, 4);
        assert_same_report(&first.report, &again.report);
        assert_same_report(&once_more.report, &rounded.report);
        for (int k = 0; k < 3; ++k) {
            double *a = values_of(contexts[CPU], &first.core[k]);
            double *b = values_of(contexts[place], &again.core[k]);
            assert_memory_equal(a, b, (size_t)count_of(&again.core[k]) * sizeof *a);
            free(a);
            free(b);
            a = values_of(contexts[CPU], &once_more.core[k]);
            b = values_of(contexts[place], &rounded.core[k]);
            assert_memory_equal(a, b, (size_t)count_of(&rounded.core[k]) * sizeof *a);
            free(a);
            free(b);
        }
        discard(contexts[place], &again);
        discard(contexts[place], &rounded);
        discard(contexts[CPU], &once_more);
    }
    discard(contexts[CPU], &first);
}

/* On the emulator's kernels: 2^10 ones, and their tensor; and, where it has the linear algebra,
 * twice the ones rounded, and a train of sines. */
static void the_kernels_contract_trains(void **state) {
    (void)state;
    static const double ones[4] = {1, 1, 1, 1};
    gm_context *c = contexts[EMU];
    if (c == NULL) {
        skip();
    }
    train x = {.d = 10};
    for (int32_t k = 0; k < 10; ++k) {
        x.core[k] = make(c, GM_F64, 3, (int64_t[]){1, 2, 1}, ones);
    }
    assert_true(inner(c, &x, &x) == 0x1p10);
    train two = sum_of(c, &x, &x);
    double *y = tensor_of(c, &two);
    for (int e = 0; e < 1024; ++e) {
        assert_true(y[e] == 2);
    }
    free(y);
    if (has_linear_algebra(c)) {
        train less = round_train(c, 1e-10, &two, 2);
        ranks_are(&less, 1);
        ASSERT_BELOW(fabs(inner(c, &less, &x) / 0x1p11 - 1), 1e-14);
        discard(c, &less);
        static const int64_t shape[3] = {4, 5, 3};
        double sums[60];
        for (int64_t e = 0; e < 60; ++e) {
            int64_t i[3];
            indices_of(e, 3, shape, i);
            sums[e] = sin((double)(i[0] + i[1] + i[2]));
        }
        train t = decompose(c, 1e-10, GM_F64, 3, shape, 3, sums);
        ranks_are(&t, 2);
        y = tensor_of(c, &t);
        ASSERT_BELOW(distance(60, sums, y), 1e-14);
        free(y);
        discard(c, &t);
    }
    discard(c, &two);
    discard(c, &x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_argument_is_named),
        cmocka_unit_test(functions_of_a_sum_have_known_ranks),
        cmocka_unit_test(errors_keep_their_bounds),
        cmocka_unit_test(a_sum_is_rounded),
        cmocka_unit_test(long_trains),
        cmocka_unit_test(layouts_and_edges),
        cmocka_unit_test(bits_do_not_change),
        cmocka_unit_test(the_kernels_contract_trains),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
