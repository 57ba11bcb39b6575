/*
 * gm_reduce on every backend: errors, exact results, the reference, the properties of each
 * reduction, and the order of sums that makes the bits of all but ref equal.
 */
#include "operand.h"

#include <float.h>
#include <math.h>

#include <genmath/reduce.h>

static const char *const names[] = {"sum",   "mean",   "product",  "max",
                                    "min",   "argmax", "argmin",   "logsumexp",
                                    "norm1", "norm2",  "norm inf", "variance"};

static bool is_arg(gm_reduction reduction) {
    return reduction == GM_REDUCE_ARGMAX || reduction == GM_REDUCE_ARGMIN;
}

/* The result of a reduction of `in` on a target, as an operand of the shape left. */
static operand run(const target *t, const operand *in, gm_reduce_options options, bool keep,
                   gm_dtype out_dtype, layout out_layout, bool with_workspace) {
    int64_t shape[GM_MAX_DIMS];
    int32_t ndim = 0;
    const uint32_t all = (UINT32_C(1) << in->view.ndim) - 1;
    for (int32_t axis = 0; axis < in->view.ndim; ++axis) {
        const bool reduced = ((options.axes != 0 ? options.axes : all) >> axis & 1) != 0;
        if (!reduced || keep) {
            shape[ndim++] = reduced ? 1 : in->view.shape[axis];
        }
    }
    operand out = operand_make(out_dtype, ndim, shape, out_layout);
    gm_tensor in_view, out_view;
    void *in_memory = operand_upload(t, in, &in_view);
    void *out_memory = operand_upload(t, &out, &out_view);
    if (with_workspace) {
        ASSERT_OK(t->context, gm_reduce_workspace(t->context, &options, &in_view, &out_view,
                                                  &options.workspace_bytes));
        ASSERT_OK(t->context,
                  gm_memory_alloc(t->context, options.workspace_bytes, &options.workspace));
    }
    const gm_status status = gm_reduce(t->context, &options, &in_view, &out_view);
    if (status != GM_STATUS_OK) {
        fail_msg("%s: %s: %s", t->name, names[options.reduction], gm_last_error(t->context));
    }
    operand_download(t, &out, out_memory);
    operand_unchanged(t, in, in_memory);
    ASSERT_OK(t->context, gm_memory_free(t->context, options.workspace));
    return out;
}

/* The one number that all of `in` is reduced to. */
static double run_scalar(const target *t, const operand *in, gm_reduction reduction) {
    operand out = run(t, in, (gm_reduce_options){.reduction = reduction}, false,
                      is_arg(reduction) ? GM_I64 : in->view.dtype, PLAIN, false);
    const double result = operand_get(&out, 0);
    operand_free(&out);
    return result;
}

/* ---- 1. errors ------------------------------------------------------------------------------- */

/* Claim: each bad argument is refused with its reason and nothing is written. */
static void test_errors(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        float *const at = scratch_make(t, 0x5a);
        const gm_tensor in = gm_tensor_2d(at, GM_F32, 4, 8), out = gm_tensor_1d(at + 32, GM_F32, 4);
        const gm_tensor integers = gm_tensor_1d(at + 32, GM_I64, 4);
        const gm_tensor longer = gm_tensor_1d(at + 32, GM_F32, 5),
                        no_rows = gm_tensor_2d(at, GM_F32, 4, 0);
        const gm_tensor inside = gm_tensor_1d(at + 8, GM_F32, 4);
        const gm_tensor kept = gm_tensor_2d(at + 32, GM_F32, 4, 2);
        gm_tensor shared = out, unknown = in, complex_in = in;
        shared.stride[0] = 0;
        unknown.dtype = GM_DTYPE_COUNT;
        complex_in.dtype = GM_I32;
        const gm_reduce_options sum = {.axes = 2}, max = {GM_REDUCE_MAX, .axes = 2};
        const gm_reduce_options bad = {GM_REDUCTION_COUNT, .axes = 2}, far = {.axes = 4};
        const gm_reduce_options arg = {GM_REDUCE_ARGMIN, .axes = 2};
        const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
        size_t bytes;
        assert_int_equal(gm_reduce(NULL, &sum, &in, &out), invalid);
        assert_int_equal(gm_reduce_workspace(NULL, &sum, &in, &out, &bytes), invalid);
        ASSERT_FAILS(c, gm_reduce(c, NULL, &in, &out), invalid, "options is NULL");
        ASSERT_FAILS(c, gm_reduce(c, &bad, &in, &out), invalid, "reduction = 12");
        ASSERT_FAILS(c, gm_reduce(c, &far, &in, &out), invalid, "in has 2 axes");
        ASSERT_FAILS(c, gm_reduce(c, &sum, NULL, &out), invalid, "in is NULL");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &unknown, &out), invalid, "in.dtype");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &complex_in, &out), invalid, "in.dtype = i32");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, NULL), invalid, "out is NULL");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, &longer), mismatch, "out.shape[0] = 5");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, &kept), mismatch, "out.shape[1] = 2");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, &shared), invalid, "share memory");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, &inside), invalid, "overlap");
        ASSERT_FAILS(c, gm_reduce(c, &arg, &in, &out), invalid, "out.dtype = f32");
        ASSERT_FAILS(c, gm_reduce(c, &sum, &in, &integers), invalid, "out.dtype = i64");
        ASSERT_FAILS(c, gm_reduce(c, &max, &no_rows, &out), invalid, "no elements");
        ASSERT_FAILS(c, gm_reduce(c, &arg, &no_rows, &integers), invalid, "no elements");
        ASSERT_FAILS(c, gm_reduce_workspace(c, &sum, &in, &out, NULL), invalid, "bytes is NULL");
        scratch_untouched(t, at, 0x5a);
    }
}

/* Claim: a workspace that is too small, misaligned or among the data is refused. */
static void test_workspace_errors(void **state) {
    (void)state;
    const int64_t shape[1] = {100000};
    operand in = operand_make(GM_F32, 1, shape, PLAIN), out = operand_make(GM_F32, 0, shape, PLAIN);
    operand_fill(&in, 1, 0, 1);
    FOR_EACH_TARGET(t) {
        gm_tensor in_view, out_view;
        void *in_memory = operand_upload(t, &in, &in_view);
        void *out_memory = operand_upload(t, &out, &out_view);
        gm_reduce_options o = {0};
        size_t bytes;
        ASSERT_OK(t->context, gm_reduce_workspace(t->context, &o, &in_view, &out_view, &bytes));
        if (bytes > 0) {
            void *workspace;
            ASSERT_OK(t->context, gm_memory_alloc(t->context, bytes + 16, &workspace));
            o.workspace = workspace;
            o.workspace_bytes = bytes - 1;
            ASSERT_FAILS(t->context, gm_reduce(t->context, &o, &in_view, &out_view),
                         GM_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes");
            o.workspace = (char *)workspace + 4;
            o.workspace_bytes = bytes;
            ASSERT_FAILS(t->context, gm_reduce(t->context, &o, &in_view, &out_view),
                         GM_STATUS_INVALID_ARGUMENT, "aligned");
            o.workspace = in_view.data;
            ASSERT_FAILS(t->context, gm_reduce(t->context, &o, &in_view, &out_view),
                         GM_STATUS_INVALID_ARGUMENT, "overlap");
            ASSERT_OK(t->context, gm_memory_free(t->context, workspace));
        }
        operand_unchanged(t, &in, in_memory);
        operand_unchanged(t, &out, out_memory);
    }
    operand_free(&in);
    operand_free(&out);
}

/* ---- 2. exact -------------------------------------------------------------------------------- */

/* Claim: reductions of nothing are what reduce.h says. */
static void test_of_nothing(void **state) {
    (void)state;
    static const double expected[] = {0, NAN, 1, 0, 0, 0, 0, -INFINITY, 0, 0, 0, NAN};
    const int64_t shape[2] = {3, 0};
    FOR_EACH_TARGET(t) {
        for (int r = 0; r < GM_REDUCTION_COUNT; ++r) {
            if (r >= GM_REDUCE_MAX && r <= GM_REDUCE_ARGMIN) {
                continue;
            }
            operand in = operand_make(GM_F32, 2, shape, PLAIN);
            operand out = run(t, &in, (gm_reduce_options){.reduction = r, .axes = 2}, false, GM_F32,
                              PLAIN, false);
            for (int i = 0; i < 3; ++i) {
                ASSERT_NEAR(operand_get(&out, i), expected[r], 0, "%s, %s", t->name, names[r]);
            }
            operand_free(&out);
            /* No rows: nothing to do, for every reduction. */
            out = run(t, &in, (gm_reduce_options){.reduction = r, .axes = 1}, true, GM_F32, PLAIN,
                      false);
            assert_int_equal(out.elements, 0);
            operand_free(&out);
            operand_free(&in);
        }
    }
}

/* Small integers, so that no order of a sum rounds: what each reduction must be, in integers. */
static double exact_of(gm_reduction reduction, const operand *in) {
    int64_t sum = 0, absolute = 0, squares = 0, most = INT64_MIN, least = INT64_MAX;
    double product = 1; /* compared in short rows alone */
    int64_t first_most = 0, first_least = 0;
    for (int64_t e = 0; e < in->elements; ++e) {
        const int64_t x = (int64_t)operand_get(in, e);
        sum += x;
        absolute += llabs(x);
        squares += x * x;
        product *= (double)x;
        first_most = x > most ? e : first_most;
        first_least = x < least ? e : first_least;
        most = x > most ? x : most;
        least = x < least ? x : least;
    }
    const double n = (double)in->elements;
    const double values[] = {(double)sum,
                             (double)sum / n,
                             product,
                             (double)most,
                             (double)least,
                             (double)first_most,
                             (double)first_least,
                             0,
                             (double)absolute,
                             sqrt((double)squares),
                             (double)(most > -least ? most : -least),
                             0};
    return values[reduction];
}

static const int64_t sizes[] = {1,   2,   3,    31,   32,   33,   127,  128,
                                129, 259, 4095, 4096, 4097, 8195, 36871};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Claim: integer data gives the exact result in every size and layout. */
static void test_exact_integers(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; ++s) {
        for (int dtype = GM_F64; dtype <= GM_F32; ++dtype) {
            operand in = operand_make((gm_dtype)dtype, 1, &sizes[s], s % 2 == 0 ? PLAIN : REVERSED);
            uint64_t seed = (uint64_t)s;
            for (int64_t e = 0; e < in.elements; ++e) {
                operand_set(&in, e, (double)(next_random(&seed) % 15) - 7);
            }
            FOR_EACH_TARGET(t) {
                for (int r = 0; r < GM_REDUCTION_COUNT; ++r) {
                    if (r == GM_REDUCE_LOGSUMEXP || r == GM_REDUCE_VARIANCE ||
                        (r == GM_REDUCE_PRODUCT && sizes[s] > 5)) {
                        continue;
                    }
                    const double want = exact_of((gm_reduction)r, &in);
                    const double slack = r == GM_REDUCE_MEAN || r == GM_REDUCE_NORM2
                                             ? roundoff((gm_dtype)dtype) * fabs(want)
                                             : 0;
                    ASSERT_NEAR(run_scalar(t, &in, (gm_reduction)r), want, slack, "%s, %s, %lld",
                                t->name, names[r], (long long)sizes[s]);
                }
            }
            operand_free(&in);
        }
    }
}

/* Claim: the first index wins ties, in and across chunks; a NaN, the first of them, beats all. */
static void test_ties_and_nan(void **state) {
    (void)state;
    const int64_t n = 9000;
    operand in = operand_make(GM_F32, 1, &n, PLAIN);
    FOR_EACH_TARGET(t) {
        for (int64_t e = 0; e < n; ++e) {
            operand_set(&in, e, e == 17 || e == 4100 || e == 18 || e == 8999 ? 5 : -1);
        }
        operand_set(&in, 4099, -7);
        operand_set(&in, 8998, -7);
        assert_true(run_scalar(t, &in, GM_REDUCE_ARGMAX) == 17);
        assert_true(run_scalar(t, &in, GM_REDUCE_ARGMIN) == 4099);
        assert_true(run_scalar(t, &in, GM_REDUCE_MAX) == 5);
        assert_true(run_scalar(t, &in, GM_REDUCE_MIN) == -7);
        operand_set(&in, 5000, NAN);
        operand_set(&in, 5001, NAN);
        operand_set(&in, 8192, NAN);
        for (int r = 0; r < GM_REDUCTION_COUNT; ++r) {
            const double got = run_scalar(t, &in, (gm_reduction)r);
            if (is_arg((gm_reduction)r) ? got != 5000 : !isnan(got)) {
                fail_msg("%s, %s of a NaN: %g", t->name, names[r], got);
            }
        }
        operand_set(&in, 3, NAN);
        assert_true(run_scalar(t, &in, GM_REDUCE_ARGMAX) == 3);
        assert_true(run_scalar(t, &in, GM_REDUCE_ARGMIN) == 3);
        for (int64_t e = 0; e < n; ++e) {
            operand_set(&in, e, -INFINITY);
        }
        assert_true(run_scalar(t, &in, GM_REDUCE_MAX) == -INFINITY);
        assert_true(run_scalar(t, &in, GM_REDUCE_ARGMAX) == 0);
        assert_true(run_scalar(t, &in, GM_REDUCE_LOGSUMEXP) == -INFINITY);
        operand_set(&in, 5000, INFINITY);
        assert_true(run_scalar(t, &in, GM_REDUCE_LOGSUMEXP) == INFINITY);
        assert_true(run_scalar(t, &in, GM_REDUCE_NORM2) == INFINITY);
        operand_set(&in, 4000, 2);
        operand_set(&in, 5000, 2);
        assert_true(fabs(run_scalar(t, &in, GM_REDUCE_LOGSUMEXP) - 2 - log(2)) < 1e-6);
        for (int64_t e = 0; e < n; ++e) {
            operand_set(&in, e, e % 2 == 0 ? -0.0 : 0.0);
        }
        assert_true(!signbit(run_scalar(t, &in, GM_REDUCE_MAX)));
        assert_true(signbit(run_scalar(t, &in, GM_REDUCE_MIN)));
    }
    operand_free(&in);
}

/* ---- 3. reference ---------------------------------------------------------------------------- */

/* How far a result for n elements x in [low, high] may be from the reference's. */
static double bound_of(gm_reduction reduction, gm_dtype in, gm_dtype out, int64_t n, double largest,
                       double want) {
    const double u = compute_roundoff(in), count = (double)n;
    const double terms = 42 + log2(count / 4096 + 1) + count * 0x1p-53 / u; /* ours, then ref's */
    const double rounded =
        in == GM_F64 ? 0 : 2 * roundoff(out) * fabs(want) + 0x1p-24 * (out == GM_F16);
    switch (reduction) {
    case GM_REDUCE_SUM:
    case GM_REDUCE_NORM1:
        return terms * u * largest * count + rounded;
    case GM_REDUCE_MEAN:
        return terms * u * largest + rounded;
    case GM_REDUCE_PRODUCT:
        return count * 2 * u * fabs(want) + rounded;
    case GM_REDUCE_LOGSUMEXP:
        return (terms + 4 * largest) * u + rounded;
    case GM_REDUCE_NORM2:
        return terms * u * want + rounded;
    case GM_REDUCE_VARIANCE:
        return 3 * terms * u * largest * largest + rounded;
    default:
        return 0;
    }
}

typedef struct shape_case {
    int32_t ndim;
    int64_t shape[4];
    uint32_t axes;
} shape_case;

static const shape_case shape_cases[] = {
    {1, {36871}, 0},      {2, {3, 8195}, 2},   {2, {4097, 5}, 1},        {2, {257, 37}, 1},
    {2, {9, 33}, 2},      {2, {4099, 67}, 1},  {3, {4, 129, 7}, 2},      {3, {5, 6, 41}, 5},
    {3, {17, 3, 260}, 6}, {3, {65, 2, 65}, 1}, {4, {3, 40, 2, 110}, 10}, {3, {2, 1, 1}, 2},
    {2, {1000, 1}, 2},    {2, {2, 36865}, 2},
};

/* Claim: every reduction of every dtype agrees with the reference, in every layout. */
static void test_against_reference(void **state) {
    (void)state;
    int turn = 0;
    for (size_t i = 0; i < sizeof shape_cases / sizeof shape_cases[0]; ++i) {
        const shape_case *c = &shape_cases[i];
        for (int r = 0; r < GM_REDUCTION_COUNT; ++r) {
            for (int dtype = GM_F64; dtype <= GM_BF16; ++dtype, ++turn) {
                const layout how = (layout)(turn % LAYOUTS);
                const layout out_how = turn % 3 == 0   ? TRANSPOSED
                                       : turn % 3 == 1 ? PADDED
                                                       : REVERSED;
                const gm_dtype out = is_arg((gm_reduction)r)            ? GM_I64
                                     : dtype >= GM_F16 && turn % 2 == 0 ? GM_F32
                                                                        : (gm_dtype)dtype;
                operand in = operand_make((gm_dtype)dtype, c->ndim, c->shape, how);
                const bool product = r == GM_REDUCE_PRODUCT;
                operand_fill(&in, (uint64_t)turn, product ? 0.999 : -2, product ? 1.001 : 3);
                const gm_reduce_options options = {
                    .reduction = (gm_reduction)r, .axes = c->axes, .unbiased = turn / 4 % 2};
                operand want = run(&backends[0], &in, options, turn % 2, out, PLAIN, false);
                int64_t n = in.elements / (want.elements > 0 ? want.elements : 1);
                for (const target *t = backends + 1; t < backends + TARGETS; ++t) {
                    if (t->context == NULL) {
                        continue;
                    }
                    operand got = run(t, &in, options, turn % 2, out, out_how, turn % 3 == 0);
                    for (int64_t e = 0; e < want.elements; ++e) {
                        const double w = operand_get(&want, e);
                        ASSERT_NEAR(operand_get(&got, e), w,
                                    bound_of((gm_reduction)r, (gm_dtype)dtype, out, n, 3, w),
                                    "%s, %s of %s, case %zu, layout %d, element %lld", t->name,
                                    names[r], gm_dtype_name((gm_dtype)dtype), i, how, (long long)e);
                    }
                    operand_free(&got);
                }
                operand_free(&want);
                operand_free(&in);
            }
        }
    }
}

/* ---- 4. properties --------------------------------------------------------------------------- */

/*
 * Claim: the bits of a result depend on its elements in their order alone: not on the layout, the
 * neighbours, the workspace, the threads, the instruction set, nor on cpu or kernels.
 */
static void test_one_order(void **state) {
    (void)state;
    static const int64_t lengths[] = {5, 130, 4096, 20001, 70003};
    const bool full = getenv("GENMATH_TEST_FULL") != NULL;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; ++i) {
        const int64_t n = lengths[i], shape[2] = {n, 18}, row_shape[1] = {n};
        for (int dtype = GM_F64; dtype <= GM_BF16; ++dtype) {
            operand columns = operand_make((gm_dtype)dtype, 2, shape, PLAIN);
            operand_fill(&columns, 77 + i, -3, 2);
            operand row = operand_make((gm_dtype)dtype, 1, row_shape, i % 2 ? PLAIN : PADDED);
            for (int64_t k = 0; k < n; ++k) {
                operand_set(&row, k, operand_get(&columns, 18 * k + 11));
            }
            for (int r = 0; r < GM_REDUCTION_COUNT; ++r) {
                if (n > 10000 && (r + dtype) % 3 != (int)i % 3 && !full) {
                    continue; /* long ones: a third of the pairs */
                }
                const gm_dtype out = is_arg((gm_reduction)r) ? GM_I64
                                     : dtype == GM_F64       ? GM_F64
                                                             : GM_F32;
                const gm_reduce_options alone = {.reduction = (gm_reduction)r};
                const gm_reduce_options first = {.reduction = (gm_reduction)r, .axes = 1};
                operand want = run(&backends[FIRST_CPU], &row, alone, false, out, PLAIN, false);
                const size_t size = gm_dtype_size(out);
                for (const target *t = backends + FIRST_CPU; t < backends + TARGETS; ++t) {
                    if (t->context == NULL) {
                        continue;
                    }
                    operand by_row = run(t, &row, alone, false, out, PLAIN, i % 2 == 0);
                    operand by_column = run(t, &columns, first, false, out, PLAIN, false);
                    operand in_groups = run(t, &columns, first, false, out, PLAIN, true);
                    if (memcmp(operand_at(&by_row, 0), operand_at(&want, 0), size) != 0 ||
                        memcmp(operand_at(&by_column, 11), operand_at(&want, 0), size) != 0 ||
                        memcmp(operand_at(&in_groups, 11), operand_at(&want, 0), size) != 0) {
                        fail_msg("%s, %s of %lld %s: %.17g, %.17g, %.17g, not %.17g", t->name,
                                 names[r], (long long)n, gm_dtype_name((gm_dtype)dtype),
                                 operand_get(&by_row, 0), operand_get(&by_column, 11),
                                 operand_get(&in_groups, 11), operand_get(&want, 0));
                    }
                    operand_free(&by_row);
                    operand_free(&by_column);
                    operand_free(&in_groups);
                }
                operand_free(&want);
            }
            operand_free(&columns);
            operand_free(&row);
        }
    }
}

/* Claim: the error of a sum is what reduce.h states: a large number first, then 10^6 small ones. */
static void test_sum_error(void **state) {
    (void)state;
    const int64_t n = 1000001;
    for (int dtype = GM_F64; dtype <= GM_F32; ++dtype) {
        const double large = dtype == GM_F64 ? 0x1p53 : 0x1p24;
        operand in = operand_make((gm_dtype)dtype, 1, &n, PLAIN);
        for (int64_t e = 0; e < n; ++e) {
            operand_set(&in, e, e == 0 ? large : 1);
        }
        const double exact = large + (double)(n - 1); /* both parts and the sum are even integers */
        const double bound = (39 + 8) * roundoff((gm_dtype)dtype) * exact;
        for (const target *t = backends + FIRST_CPU; t < backends + TARGETS; ++t) {
            if (t->context != NULL) {
                ASSERT_NEAR(run_scalar(t, &in, GM_REDUCE_SUM), exact, bound, "%s", t->name);
            }
        }
        operand_free(&in);
    }
    /* Where naive summation loses half the digits: 10^6 times 0.1 in float. */
    operand in = operand_make(GM_F32, 1, &n, PLAIN);
    for (int64_t e = 0; e < n; ++e) {
        operand_set(&in, e, 0.1);
    }
    const double exact = (double)0.1f * (double)n;
    FOR_EACH_TARGET(t) {
        ASSERT_NEAR(run_scalar(t, &in, GM_REDUCE_SUM), exact, 47 * 0x1p-24 * exact, "%s", t->name);
    }
    operand_free(&in);
}

/* Claim: norms of numbers whose squares overflow or underflow, alone and side by side. */
static void test_norm_scaling(void **state) {
    (void)state;
    static const double f64_sizes[] = {1e300, 1e-300, 1e160, 3e-310, 1};
    static const double f32_sizes[] = {1e37, 1e-37, 1e20, 1e-42, 1};
    const int64_t n = 10000;
    for (int dtype = GM_F64; dtype <= GM_F32; ++dtype) {
        for (int i = 0; i < 5; ++i) {
            const double size = dtype == GM_F64 ? f64_sizes[i] : f32_sizes[i];
            operand in = operand_make((gm_dtype)dtype, 1, &n, PLAIN);
            for (int64_t e = 0; e < n; ++e) {
                operand_set(&in, e, e < 2 ? (e == 0 ? 3 * size : -4 * size) : 0);
            }
            const double first = operand_get(&in, 0), second = operand_get(&in, 1);
            const double want = hypot(first, second), u = roundoff((gm_dtype)dtype);
            FOR_EACH_TARGET(t) {
                const double got = run_scalar(t, &in, GM_REDUCE_NORM2);
                ASSERT_NEAR(got, want, 4 * u * want + 5e-324 + (dtype == GM_F32) * 0x1p-149,
                            "%s, 5 x %g", t->name, size);
            }
            /* Small ones in the second chunk, the smallest in the third: nothing is added. */
            operand_set(&in, 5000, 1e-30);
            operand_set(&in, 9000, dtype == GM_F64 ? 1e-300 : 1e-40);
            if (size >= 1) {
                FOR_EACH_TARGET(t) {
                    ASSERT_NEAR(run_scalar(t, &in, GM_REDUCE_NORM2), want, 4 * u * want,
                                "%s, 5 x %g and less", t->name, size);
                }
            }
            operand_free(&in);
        }
    }
}

/* Claim: logsumexp(x + c) = logsumexp(x) + c, also where exp overflows. */
static void test_logsumexp_shift(void **state) {
    (void)state;
    const int64_t n = 5003;
    operand in = operand_make(GM_F32, 1, &n, PLAIN), moved = operand_make(GM_F32, 1, &n, PLAIN);
    uint64_t seed = 5;
    for (int64_t e = 0; e < n; ++e) {
        const double x = (double)(next_random(&seed) % 2048) / 256; /* exact, and with c added */
        operand_set(&in, e, x);
        operand_set(&moved, e, x + 1024);
    }
    FOR_EACH_TARGET(t) {
        const double a = run_scalar(t, &in, GM_REDUCE_LOGSUMEXP);
        const double b = run_scalar(t, &moved, GM_REDUCE_LOGSUMEXP);
        ASSERT_NEAR(b, a + 1024, 0x1p-24 * 1100, "%s", t->name);
    }
    operand_free(&in);
    operand_free(&moved);
}

/* Claim: the variance does not see a mean a million times the deviation (double: 2^40 times). */
static void test_variance_cancellation(void **state) {
    (void)state;
    const int64_t n = 20000;
    for (int dtype = GM_F64; dtype <= GM_F32; ++dtype) {
        operand in = operand_make((gm_dtype)dtype, 1, &n, PLAIN);
        const double mean = dtype == GM_F64 ? 0x1p40 : 0x1p20;
        for (int64_t e = 0; e < n; ++e) {
            operand_set(&in, e, mean + (double)(e % 2)); /* variance 1/4 */
        }
        FOR_EACH_TARGET(t) {
            ASSERT_NEAR(run_scalar(t, &in, GM_REDUCE_VARIANCE), 0.25, 0.25 * 0x1p-12, "%s",
                        t->name);
        }
        operand_free(&in);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_workspace_errors),
        cmocka_unit_test(test_of_nothing),
        cmocka_unit_test(test_exact_integers),
        cmocka_unit_test(test_ties_and_nan),
        cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_one_order),
        cmocka_unit_test(test_sum_error),
        cmocka_unit_test(test_norm_scaling),
        cmocka_unit_test(test_logsumexp_shift),
        cmocka_unit_test(test_variance_cancellation),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
