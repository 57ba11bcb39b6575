/*
 * gm_structured_*: ref, every instruction set of cpu, and the modules. Results are compared with
 * sums written out here, in double, under a bound of 4 eps (1 + log2 N) |kernel| |x|: three
 * transforms of length N < 4 (m + n), each within eps (1 + log2 N) of its norm (see fft_fixture.h).
 */
#include "fft_fixture.h"

#include <genmath/structured.h>

static int64_t results(const gm_structured_options *o) {
    switch (o->kind) {
    case GM_TOEPLITZ_APPLY:
        return o->m;
    case GM_CONVOLVE_FULL:
        return o->m > 0 && o->n > 0 ? o->m + o->n - 1 : 0;
    case GM_CONVOLVE_VALID:
        return o->m > 0 && o->n >= o->m ? o->n - o->m + 1 : 0;
    default:
        return o->n;
    }
}

static void run_structured(const target *t, const gm_structured_options *o,
                           const gm_structured_arrays *arrays) {
    gm_structured_plan *plan;
    int64_t bytes;
    ASSERT_OK(t->context, gm_structured_plan_create(t->context, o, &plan));
    ASSERT_OK(t->context, gm_structured_workspace_size(plan, &bytes));
    char *workspace = guarded(t, bytes);
    poison(arrays->y);
    const gm_tensor *const given[] = {arrays->kernel, arrays->row,    arrays->x,
                                      arrays->y,      arrays->status, arrays->rcond};
    placed there[COUNT(given)];
    const gm_tensor *views[COUNT(given)];
    for (int i = 0; i < (int)COUNT(given); ++i) {
        there[i] = place(t, given[i], NULL);
        views[i] = given[i] != NULL ? &there[i].view : NULL;
    }
    const gm_structured_arrays device = {views[0], views[1], views[2],
                                         views[3], views[4], views[5]};
    ASSERT_OK(t->context, gm_structured_execute(plan, &device, workspace, bytes));
    ASSERT_OK(t->context, gm_context_synchronize(t->context));
    for (int i = 0; i < (int)COUNT(given); ++i) {
        fetch(t, &there[i]);
    }
    check_guards(t, workspace, bytes);
    gm_structured_plan_destroy(plan);
}

/* ---- 1. errors ------------------------------------------------------------------------------- */

static void test_errors(void **state) {
    (void)state;
    double zeros[16] = {0}, before[8], after[8];
    memset(before, 0x5a, sizeof before);
    FOR_EACH_TARGET(t) {
        gm_context *ctx = t->context;
        void *c, *x, *y, *z;
        ASSERT_OK(ctx, gm_memory_alloc(ctx, sizeof zeros, &c));
        ASSERT_OK(ctx, gm_memory_alloc(ctx, sizeof zeros, &x));
        ASSERT_OK(ctx, gm_memory_alloc(ctx, sizeof before, &y));
        ASSERT_OK(ctx, gm_memory_alloc(ctx, sizeof zeros, &z));
        ASSERT_OK(ctx, gm_memory_upload(ctx, c, zeros, sizeof zeros));
        ASSERT_OK(ctx, gm_memory_upload(ctx, x, zeros, sizeof zeros));
        ASSERT_OK(ctx, gm_memory_upload(ctx, y, before, sizeof before));
        const gm_tensor k = gm_tensor_2d(c, GM_F64, 2, 4), in = gm_tensor_2d(x, GM_F64, 2, 4);
        const gm_tensor out = gm_tensor_2d(y, GM_F64, 2, 4), wide = gm_tensor_2d(z, GM_F64, 2, 5);
        gm_structured_plan *plan;
        gm_structured_options o = {.n = 4};
        assert_int_equal(gm_structured_plan_create(NULL, &o, &plan), GM_STATUS_INVALID_ARGUMENT);
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, NULL, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "options");
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, &o, NULL), GM_STATUS_INVALID_ARGUMENT,
                     "plan");
        o.dtype = GM_I32;
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "dtype");
        o = (gm_structured_options){.n = 4, .kind = (gm_structured_kind)8};
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "kind");
        o = (gm_structured_options){.n = -1};
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "options.n");
        o = (gm_structured_options){.n = 4, .m = -1, .kind = GM_CONVOLVE_FULL};
        ASSERT_FAILS(ctx, gm_structured_plan_create(ctx, &o, &plan), GM_STATUS_INVALID_ARGUMENT,
                     "options.m");
        int64_t bytes;
        ASSERT_FAILS(NULL, gm_structured_workspace_size(NULL, &bytes), GM_STATUS_INVALID_ARGUMENT,
                     "plan");
        gm_structured_plan_destroy(NULL);
        o = (gm_structured_options){.n = 4};
        ASSERT_OK(ctx, gm_structured_plan_create(ctx, &o, &plan));
        ASSERT_OK(ctx, gm_structured_workspace_size(plan, &bytes));
        void *w;
        ASSERT_OK(ctx, gm_memory_alloc(ctx, (size_t)bytes + 64, &w));
#define REFUSED(status_, text, ...)                                                                \
    ASSERT_FAILS(ctx, gm_structured_execute(plan, &(gm_structured_arrays){__VA_ARGS__}, w, bytes), \
                 status_, text)
        ASSERT_FAILS(ctx, gm_structured_execute(plan, NULL, w, bytes), GM_STATUS_INVALID_ARGUMENT,
                     "arrays");
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "y is NULL", .kernel = &k, .x = &in);
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "kernel is NULL", .x = &in, .y = &out);
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "x is NULL", .kernel = &k, .y = &out);
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "row", .kernel = &k, .x = &in, .y = &out, .row = &in);
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "rcond", .kernel = &k, .x = &in, .y = &out,
                .rcond = &in);
        REFUSED(GM_STATUS_SHAPE_MISMATCH, "x.shape[1]", .kernel = &k, .x = &wide, .y = &out);
        REFUSED(GM_STATUS_SHAPE_MISMATCH, "y.shape[1]", .kernel = &k, .x = &in, .y = &wide);
        REFUSED(GM_STATUS_INVALID_ARGUMENT, "overlap", .kernel = &k, .x = &out, .y = &out);
        const gm_structured_arrays good = {.kernel = &k, .x = &in, .y = &out};
        if (bytes > 0) {
            ASSERT_FAILS(ctx, gm_structured_execute(plan, &good, w, bytes - 1),
                         GM_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes");
            ASSERT_FAILS(ctx, gm_structured_execute(plan, &good, NULL, bytes),
                         GM_STATUS_INVALID_ARGUMENT, "workspace");
        }
        ASSERT_FAILS(ctx, gm_structured_execute(plan, &good, (char *)w + 8, bytes),
                     GM_STATUS_INVALID_ARGUMENT, "aligned");
        ASSERT_FAILS(NULL, gm_structured_execute(NULL, &good, w, bytes), GM_STATUS_INVALID_ARGUMENT,
                     "plan");
        gm_structured_plan_destroy(plan);
        ASSERT_OK(ctx, gm_memory_download(ctx, after, y, sizeof after));
        assert_memory_equal(before, after, sizeof after);
        void *const owned[] = {c, x, y, z, w};
        for (int i = 0; i < (int)COUNT(owned); ++i) {
            ASSERT_OK(ctx, gm_memory_free(ctx, owned[i]));
        }
    }
}

/* ---- 2. exact -------------------------------------------------------------------------------- */

/* Claim: a cyclic shift, small integers, and the book's cross-correlation by a reversed view. */
static void test_known_small(void **state) {
    (void)state;
    double shift[] = {0, 1, 0, 0, 0}, x[] = {3, 1, 4, 1, 5}, y[5], k[] = {1, 0, -1};
    const gm_tensor c = gm_tensor_2d(shift, GM_F64, 1, 5), in = gm_tensor_2d(x, GM_F64, 1, 5);
    gm_tensor out = gm_tensor_2d(y, GM_F64, 1, 5), three = gm_tensor_2d(y, GM_F64, 1, 3);
    gm_tensor kernel = gm_tensor_2d(k, GM_F64, 1, 3), reversed = kernel;
    reversed.data = k + 2;
    reversed.stride[1] = -1;
    FOR_EACH_TARGET(t) {
        run_structured(t, &(gm_structured_options){.n = 5},
                       &(gm_structured_arrays){.kernel = &c, .x = &in, .y = &out});
        for (int i = 0; i < 5; ++i) {
            assert_true(fabs(y[i] - x[(i + 4) % 5]) <= 4e-15);
        }
        const gm_structured_options valid = {.m = 3, .n = 5, .kind = GM_CONVOLVE_VALID};
        run_structured(t, &valid,
                       &(gm_structured_arrays){.kernel = &kernel, .x = &in, .y = &three});
        for (int i = 0; i < 3; ++i) {
            assert_true(fabs(y[i] - (x[i + 2] - x[i])) <= 4e-15);
        }
        run_structured(t, &valid,
                       &(gm_structured_arrays){.kernel = &reversed, .x = &in, .y = &three});
        for (int i = 0; i < 3; ++i) {
            assert_true(fabs(y[i] - (x[i] - x[i + 2])) <= 4e-15);
        }
    }
}

/* Claim: the ring's Laplacian has the eigenvalues 2 - 2 cos(2 pi k / n), and is singular. */
static void test_ring(void **state) {
    (void)state;
    for (int64_t n = 3; n < 40; ++n) {
        double c[40] = {0}, x[40], y[40], lambda[80], rcond;
        int32_t status;
        c[0] = 2;
        c[1] = c[n - 1] = -1;
        for (int i = 0; i < n; ++i) {
            x[i] = i;
        }
        const gm_tensor kernel = gm_tensor_2d(c, GM_F64, 1, n), in = gm_tensor_2d(x, GM_F64, 1, n);
        const gm_tensor out = gm_tensor_2d(y, GM_F64, 1, n), rc = gm_tensor_1d(&rcond, GM_F64, 1);
        const gm_tensor values = gm_tensor_2d(lambda, GM_C128, 1, n);
        const gm_tensor st = gm_tensor_1d(&status, GM_I32, 1);
        FOR_EACH_TARGET(t) {
            run_structured(t, &(gm_structured_options){.n = n, .kind = GM_CIRCULANT_EIGENVALUES},
                           &(gm_structured_arrays){.kernel = &kernel, .y = &values});
            for (int64_t k = 0; k < n; ++k) {
                const double expected = 2 - 2 * cos(2 * acos(-1.0) * (double)k / (double)n);
                assert_true(fabs(lambda[2 * k] - expected) <= 4e-15 &&
                            fabs(lambda[2 * k + 1]) <= 4e-15);
            }
            const gm_structured_arrays all = {
                .kernel = &kernel, .x = &in, .y = &out, .status = &st, .rcond = &rc};
            run_structured(t, &(gm_structured_options){.n = n, .kind = GM_CIRCULANT_SOLVE}, &all);
            assert_int_equal(status, GM_STATUS_SINGULAR);
            assert_true(rcond <= DBL_EPSILON && isnan(y[0]) && isnan(y[n - 1]));
        }
    }
}

/* ---- 3. direct sums -------------------------------------------------------------------------- */

static double complex matrix_entry(const gm_structured_options *o, const gm_tensor *kernel,
                                   const gm_tensor *row, int64_t b, int64_t i, int64_t j) {
    const int64_t offset = o->kind == GM_CONVOLVE_SAME    ? (o->m - 1) / 2
                           : o->kind == GM_CONVOLVE_VALID ? o->m - 1
                                                          : 0;
    const int64_t d = i + offset - j, at = b * kernel->stride[0];
    if (o->kind == GM_CIRCULANT_APPLY) {
        return get(kernel, at + (d + o->n) % o->n);
    }
    if (d >= 0 && d < o->m) {
        return get(kernel, at + d);
    }
    return o->kind == GM_TOEPLITZ_APPLY ? get(row, b * row->stride[0] - d) : 0;
}

static void check_case(const target *t, gm_structured_options o, bool shared) {
    const int64_t batch = 5, m = o.kind == GM_CIRCULANT_APPLY ? o.n : o.m, p = results(&o);
    gm_tensor kernel = make_random(o.dtype, 2, (int64_t[]){batch, m}, 1);
    gm_tensor row = make_random(o.dtype, 2, (int64_t[]){batch, o.n}, 2);
    gm_tensor x = make_random(o.dtype, 2, (int64_t[]){batch, o.n}, 3);
    gm_tensor y = make(o.dtype, 2, (int64_t[]){batch, p});
    if (shared) {
        kernel.stride[0] = row.stride[0] = 0;
    }
    const gm_structured_arrays arrays = {
        .kernel = &kernel, .row = o.kind == GM_TOEPLITZ_APPLY ? &row : NULL, .x = &x, .y = &y};
    run_structured(t, &o, &arrays);
    const double eps = is_single(o.dtype) ? (double)FLT_EPSILON : DBL_EPSILON;
    const double c = 4 * eps * (1 + log2((double)(4 * (m + o.n))));
    const bool prime = o.kind == GM_CIRCULANT_APPLY && largest_factor(o.n) > 47;
    for (int64_t b = 0; b < batch; ++b) {
        double error = 0, nk, nx, nr;
        distance(&kernel, &kernel, b * kernel.stride[0], m, &nk);
        distance(&row, &row, b * row.stride[0], o.n, &nr);
        distance(&x, &x, b * o.n, o.n, &nx);
        for (int64_t i = 0; i < p; ++i) {
            double complex sum = 0;
            for (int64_t j = 0; j < o.n; ++j) {
                sum += matrix_entry(&o, &kernel, &row, b, i, j) * get(&x, b * o.n + j);
            }
            const double off = cabs(sum - get(&y, b * p + i));
            error = fmax(error, isnan(off) ? (double)INFINITY : off);
        }
        const double bound_here = (prime ? 3 : 1) * c * (nk + nr) * nx;
        if (!(error <= bound_here)) {
            fail_msg("%s: kind %d, %s, m = %lld, n = %lld: error %g, bound %g", t->name, o.kind,
                     gm_dtype_name(o.dtype), (long long)m, (long long)o.n, error, bound_here);
        }
    }
    free(kernel.data), free(row.data), free(x.data), free(y.data);
}

static void test_against_sums(void **state) {
    (void)state;
    static const gm_structured_kind tested[] = {GM_CIRCULANT_APPLY, GM_TOEPLITZ_APPLY,
                                                GM_CONVOLVE_FULL,   GM_CONVOLVE_SAME,
                                                GM_CONVOLVE_VALID,  GM_CONVOLVE_CAUSAL};
    static const gm_dtype types[] = {GM_F64, GM_F32, GM_C128, GM_C64};
    static const int64_t sizes[][2] = {{1, 1},   {1, 7},    {7, 1},    {2, 2},
                                       {3, 10},  {10, 3},   {8, 8},    {16, 17},
                                       {33, 31}, {101, 53}, {40, 131}, {128, 128}};
    FOR_EACH_TARGET(t) {
        for (size_t i = 0; i < COUNT(sizes) * COUNT(tested) * COUNT(types); ++i) {
            if (t >= &backends[MODULES] && i % 5 != 0 && getenv("GENMATH_TEST_FULL") == NULL) {
                continue; /* every kind, type and size still comes, not each with each */
            }
            const int64_t *size = sizes[i / COUNT(types) / COUNT(tested)];
            const gm_structured_options o = {.dtype = types[i % COUNT(types)],
                                             .kind = tested[i / COUNT(types) % COUNT(tested)],
                                             .m = size[0],
                                             .n = size[1]};
            check_case(t, o, false);
            check_case(t, o, true);
        }
    }
}

/* Claim: a long causal convolution gives the sum at places of it. */
static void test_long_causal(void **state) {
    (void)state;
    const int64_t n = 60000;
    gm_tensor k = make_random(GM_F64, 2, (int64_t[]){1, n}, 7),
              x = make_random(GM_F64, 2, (int64_t[]){1, n}, 8);
    gm_tensor y = make(GM_F64, 2, (int64_t[]){1, n});
    const gm_structured_options o = {.kind = GM_CONVOLVE_CAUSAL, .m = n, .n = n};
    run_structured(&backends[THREADED], &o, &(gm_structured_arrays){.kernel = &k, .x = &x, .y = &y});
    double nk, nx;
    distance(&k, &k, 0, n, &nk);
    distance(&x, &x, 0, n, &nx);
    for (int64_t i = 0; i < n; i += 5999) {
        double complex sum = 0;
        for (int64_t j = 0; j <= i; ++j) {
            sum += get(&k, i - j) * get(&x, j);
        }
        assert_true(cabs(sum - get(&y, i)) <= 4 * DBL_EPSILON * 18 * nk * nx);
    }
    free(k.data), free(x.data), free(y.data);
}

/* ---- 4. properties --------------------------------------------------------------------------- */

/* Claim: a solution times the matrix is the right side; rcond is that of the eigenvalues. */
static void test_solve(void **state) {
    (void)state;
    static const gm_dtype types[] = {GM_F64, GM_F32, GM_C128, GM_C64};
    static const int64_t sizes[] = {1, 2, 5, 16, 53, 100};
    for (size_t i = 0; i < COUNT(types) * COUNT(sizes); ++i) {
        const gm_dtype type = types[i % COUNT(types)];
        const int64_t n = sizes[i / COUNT(types)], shape[] = {3, n};
        gm_tensor c = make_random(type, 2, shape, 1), b = make_random(type, 2, shape, 2);
        gm_tensor x = make(type, 2, shape), back = make(type, 2, shape);
        gm_tensor rcond = make_1d(real_type(is_single(type)), 3), status = make_1d(GM_I32, 3);
        for (int64_t r = 0; r < 3; ++r) {
            put(&c, r * n, 2 * (double)n); /* dominates the rest: rcond above a quarter */
        }
        double expected[3] = {0}; /* the reference's rcond, which comes first */
        FOR_EACH_TARGET(t) {
            const gm_structured_options solve = {.dtype = type, .kind = GM_CIRCULANT_SOLVE, .n = n};
            run_structured(t, &solve,
                           &(gm_structured_arrays){
                               .kernel = &c, .x = &b, .y = &x, .status = &status, .rcond = &rcond});
            run_structured(t, &(gm_structured_options){.dtype = type, .n = n},
                           &(gm_structured_arrays){.kernel = &c, .x = &x, .y = &back});
            double norm;
            const double error = distance(&back, &b, 0, 3 * n, &norm);
            assert_true(error <= 12 * bound(is_single(type), n) * norm);
            for (int r = 0; r < 3; ++r) {
                assert_int_equal(((int32_t *)status.data)[r], GM_STATUS_OK);
                const double rc = creal(get(&rcond, r));
                assert_true(rc > 0.15 && rc <= 1);
                /* An eigenvalue is off by up to bound |lambda| <= bound sqrt(n) max |lambda|. */
                expected[r] = t == &backends[REF] ? rc : expected[r];
                assert_true(fabs(rc - expected[r]) <=
                            2 * bound(is_single(type), n) * sqrt((double)n));
            }
        }
        free(c.data), free(b.data), free(x.data), free(back.data), free(rcond.data),
            free(status.data);
    }
}

/* ---- 5. memory ------------------------------------------------------------------------------- */

/* Claim: a problem's bits do not depend on the batch, the threads or the neighbours; nothing
 * between the elements of a strided result is written; inputs stay. */
static void test_batch_and_views(void **state) {
    (void)state;
    enum { BATCH = 700, N = 200, M = 31, P = N + M - 1 }; /* more than a group */
    gm_tensor k = make_random(GM_F64, 2, (int64_t[]){BATCH, M}, 1);
    gm_tensor x = make_random(GM_F64, 2, (int64_t[]){BATCH, N}, 2);
    gm_tensor copy = make_random(GM_F64, 2, (int64_t[]){BATCH, N}, 2);
    gm_tensor y = make(GM_F64, 2, (int64_t[]){BATCH, P}),
              z = make(GM_F64, 2, (int64_t[]){BATCH, 2 * P});
    const gm_structured_options o = {.kind = GM_CONVOLVE_FULL, .m = M, .n = N};
    FOR_EACH_TARGET(t) {
        run_structured(t, &o, &(gm_structured_arrays){.kernel = &k, .x = &x, .y = &y});
        gm_tensor k1 = k, x1 = x, y1 = z;
        k1.shape[0] = x1.shape[0] = y1.shape[0] = 1;
        k1.data = (double *)k.data + 650 * M;
        x1.data = (double *)x.data + 650 * N;
        y1.shape[1] = P;
        y1.stride[1] = -2;
        memset(z.data, 0xff, 2 * P * sizeof(double));
        y1.data = (double *)z.data + 2 * P - 2;
        run_structured(t, &o, &(gm_structured_arrays){.kernel = &k1, .x = &x1, .y = &y1});
        for (int64_t i = 0; i < P; ++i) {
            assert_true(creal(get(&y1, -2 * i)) == creal(get(&y, 650 * P + i)));
            assert_true(isnan(creal(get(&y1, 1 - 2 * i))));
        }
    }
    assert_memory_equal(x.data, copy.data, BATCH * N * sizeof(double));
    free(k.data), free(x.data), free(copy.data), free(y.data), free(z.data);
}

static void test_zero_sizes(void **state) {
    (void)state;
    static const struct {
        gm_structured_kind kind;
        int64_t batch, m, n;
    } cases[] = {{GM_CIRCULANT_APPLY, 2, 0, 0}, {GM_CIRCULANT_SOLVE, 0, 0, 4},
                 {GM_TOEPLITZ_APPLY, 2, 0, 3},  {GM_TOEPLITZ_APPLY, 2, 3, 0},
                 {GM_CONVOLVE_FULL, 2, 0, 3},   {GM_CONVOLVE_VALID, 2, 4, 3},
                 {GM_CONVOLVE_CAUSAL, 2, 0, 3}, {GM_CONVOLVE_SAME, 2, 3, 0}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        const gm_structured_options o = {.kind = cases[i].kind, .m = cases[i].m, .n = cases[i].n};
        const int64_t b = cases[i].batch, m = o.kind <= GM_CIRCULANT_SOLVE ? o.n : o.m;
        gm_tensor k = make_random(GM_F64, 2, (int64_t[]){b, m}, 2),
                  x = make_random(GM_F64, 2, (int64_t[]){b, o.n}, 1);
        gm_tensor r = make(GM_F64, 2, (int64_t[]){b, o.n}),
                  y = make(GM_F64, 2, (int64_t[]){b, results(&o)});
        FOR_EACH_TARGET(t) {
            run_structured(t, &o,
                           &(gm_structured_arrays){.kernel = &k,
                                                   .x = &x,
                                                   .y = &y,
                                                   .row = o.kind == GM_TOEPLITZ_APPLY ? &r : NULL});
            for (int64_t e = 0; e < elements(&y); ++e) {
                assert_true(creal(get(&y, e)) == 0); /* an empty sum */
            }
        }
        free(k.data), free(x.data), free(r.data), free(y.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_known_small),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_against_sums),
        cmocka_unit_test(test_long_causal),
        cmocka_unit_test(test_solve),
        cmocka_unit_test(test_batch_and_views),
        cmocka_unit_test(test_zero_sizes),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
