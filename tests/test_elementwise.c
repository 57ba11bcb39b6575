/* gm_map and gm_combine on every backend; the conversions of the halves, exhaustively. */
#include "operand.h"

#include <float.h>
#include <math.h>

#include <genmath/elementwise.h>

#include "host/half.h"

/* out = alpha f(in) + beta out, or of two operands; `start` is what out holds before. */
static operand run(const target *t, int operation, double alpha, const operand *a, const operand *b,
                   double beta, const operand *start) {
    operand out = *start;
    gm_tensor a_view, b_view = {0}, out_view;
    out.bytes = malloc(out.size);
    assert_non_null(out.bytes);
    memcpy(out.bytes, start->bytes, out.size);
    out.view.data = out.bytes + ((uint8_t *)start->view.data - start->bytes);
    void *a_memory = operand_upload(t, a, &a_view),
         *out_memory = operand_upload(t, &out, &out_view);
    void *b_memory = b != NULL ? operand_upload(t, b, &b_view) : NULL;
    const gm_status status =
        b == NULL ? gm_map(t->context, (gm_map_operation)operation, alpha, &a_view, beta, &out_view)
                  : gm_combine(t->context, (gm_combine_operation)operation, alpha, &a_view, &b_view,
                               beta, &out_view);
    if (status != GM_STATUS_OK) {
        fail_msg("%s: %s", t->name, gm_last_error(t->context));
    }
    operand_download(t, &out, out_memory);
    operand_unchanged(t, a, a_memory);
    if (b != NULL) {
        operand_unchanged(t, b, b_memory);
    }
    return out;
}

/* ---- 1. errors ------------------------------------------------------------------------------- */

static void test_errors(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        float *const at = scratch_make(t, 0x5a);
        const gm_tensor in = gm_tensor_2d(at, GM_F32, 4, 4),
                        out = gm_tensor_2d(at + 32, GM_F32, 4, 4);
        const gm_tensor wide = gm_tensor_2d(at, GM_F32, 4, 5),
                        flat = gm_tensor_1d(at + 32, GM_F32, 4);
        const gm_tensor near = gm_tensor_2d(at + 4, GM_F32, 4, 4),
                        half = gm_tensor_2d(at, GM_F16, 4, 4);
        const gm_tensor whole = gm_tensor_2d(at, GM_I32, 4, 4),
                        ints = gm_tensor_2d(at + 32, GM_I32, 4, 4);
        gm_tensor shared = out, complex_in = in;
        shared.stride[0] = 0;
        complex_in.dtype = GM_C64;
        const gm_status invalid = GM_STATUS_INVALID_ARGUMENT, mismatch = GM_STATUS_SHAPE_MISMATCH;
        assert_int_equal(gm_map(NULL, GM_MAP_ABS, 1, &in, 0, &out), invalid);
        assert_int_equal(gm_combine(NULL, GM_COMBINE_ADD, 1, &in, &in, 0, &out), invalid);
        ASSERT_FAILS(c, gm_map(c, GM_MAP_COUNT, 1, &in, 0, &out), invalid, "operation = 16");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, NULL, 0, &out), invalid, "in is NULL");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &in, 0, NULL), invalid, "out is NULL");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &whole, 0, &ints), invalid, "in.dtype = i32");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &half, 0, &out), invalid, "out.dtype = f32");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_COPY, 1, &complex_in, 0, &out), invalid, "in.dtype = c64");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &wide, 0, &out), mismatch, "in.shape[1] = 5");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &in, 0, &flat), mismatch, "in.ndim = 2");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &in, 0, &shared), invalid, "share memory");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &in, 0, &near), invalid, "overlap");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, NAN, &in, 0, &out), invalid, "alpha");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1e300, &in, 0, &out), invalid, "alpha");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_ABS, 1, &in, INFINITY, &out), invalid, "beta");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_COPY, 2, &whole, 0, &ints), invalid, "integers");
        ASSERT_FAILS(c, gm_map(c, GM_MAP_COPY, 2, &half, 0, &out), invalid, "another dtype");
        ASSERT_FAILS(c, gm_combine(c, GM_COMBINE_COUNT, 1, &in, &in, 0, &out), invalid,
                     "operation");
        ASSERT_FAILS(c, gm_combine(c, GM_COMBINE_ADD, 1, &in, NULL, 0, &out), invalid, "b is NULL");
        ASSERT_FAILS(c, gm_combine(c, GM_COMBINE_ADD, 1, &in, &half, 0, &out), invalid, "b.dtype");
        ASSERT_FAILS(c, gm_combine(c, GM_COMBINE_ADD, 1, &in, &wide, 0, &out), mismatch, "b.shape");
        scratch_untouched(t, at, 0x5a);
    }
}

/* ---- 2. exact -------------------------------------------------------------------------------- */

#ifdef __FLT16_MAX__
__extension__ typedef _Float16 f16;

/* Claim: every f16 becomes the float it is, and every float of a sweep the f16 the compiler says.
 */
static void test_f16_conversion(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const uint16_t half = (uint16_t)bits;
        f16 value;
        memcpy(&value, &half, sizeof value);
        const float want = (float)value, got = gm_f32_from_f16(half);
        assert_true(isnan(want) ? isnan(got) : memcmp(&want, &got, sizeof got) == 0);
        assert_true(isnan(want) || gm_f16_from_f32(got) == half);
    }
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 997) {
        const float value = gm_from_bits_f32((uint32_t)bits);
        const f16 want = (f16)value;
        uint16_t want_bits;
        memcpy(&want_bits, &want, sizeof want_bits);
        const uint16_t got = gm_f16_from_f32(value);
        assert_true(isnan(value) ? (got & 0x7fff) > 0x7c00 : got == want_bits);
    }
}
#else
static void test_f16_conversion(void **state) {
    (void)state;
    skip();
}
#endif

/* Claim: bf16 rounds to the nearest even of its two neighbours. */
static void test_bf16_conversion(void **state) {
    (void)state;
    assert_int_equal(gm_bf16_from_f32(1.0f), 0x3f80);
    assert_int_equal(gm_bf16_from_f32(0x1.01p0f), 0x3f80);     /* halfway: to even */
    assert_int_equal(gm_bf16_from_f32(0x1.03p0f), 0x3f82);     /* halfway: to even, up */
    assert_int_equal(gm_bf16_from_f32(0x1.010002p0f), 0x3f81); /* above halfway */
    assert_int_equal(gm_bf16_from_f32(-FLT_MAX), 0xff80);
    assert_true(isnan(gm_f32_from_bf16(gm_bf16_from_f32(NAN))));
    assert_true(gm_f32_from_bf16(0x3f81) == 0x1.02p0f);
}

/* Claim: every pair of real dtypes converts as GM_MAP_COPY says, at the edges of the ranges too. */
static void test_casts(void **state) {
    (void)state;
    static const double values[] = {0,   1,    -1,    2.75,  -2.75, 100,   127,        200,  -129,
                                    255, 1000, 40000, 65000, 1e6,   -1e10, 4294967295, 1e19, -1e30};
    enum { N = sizeof values / sizeof values[0] };
    static const double low[] = {[GM_I8] = -128,
                                 [GM_I16] = -32768,
                                 [GM_I32] = -2147483648.0,
                                 [GM_I64] = -0x1p63,
                                 [GM_BOOL] = 0};
    static const double high[] = {
        [GM_I8] = 127,           [GM_I16] = 32767,  [GM_I32] = 2147483647.0,
        [GM_I64] = 0x1p63,       [GM_U8] = 255,     [GM_U16] = 65535,
        [GM_U32] = 4294967295.0, [GM_U64] = 0x1p64, [GM_BOOL] = 1};
    const int64_t n = N;
    for (int from = GM_F64; from <= GM_BOOL; ++from) {
        for (int to = GM_F64; to <= GM_BOOL; ++to) {
            operand in = operand_make((gm_dtype)from, 1, &n, from % 2 ? PADDED : PLAIN);
            operand out = operand_make((gm_dtype)to, 1, &n, to % 2 ? REVERSED : PLAIN);
            for (int i = 0; i < N; ++i) {
                const bool fits =
                    from <= GM_BF16 ||
                    (values[i] >= low[from] && values[i] <= high[from] && values[i] < 0x1p63);
                operand_set(&in, i, fits ? values[i] : 1);
            }
            operand first = {0};
            FOR_EACH_TARGET(t) {
                operand got = run(t, GM_MAP_COPY, 1, &in, NULL, 0, &out);
                for (int i = 0; i < N; ++i) {
                    const double x = operand_get(&in, i), y = operand_get(&got, i);
                    const double cut =
                        to == GM_BOOL ? x != 0 : fmin(fmax(trunc(x), low[to]), high[to]);
                    const bool in_range =
                        to <= GM_BF16 || from <= GM_BF16 || (x >= low[to] && x <= high[to]);
                    if (to <= GM_BF16
                            ? fabs(x) < 6e4 && fabs(y - x) > roundoff((gm_dtype)to) * fabs(x)
                            : in_range && to != GM_U64 && to != GM_I64 && y != cut) {
                        fail_msg("%s: %s to %s: %g became %g", t->name,
                                 gm_dtype_name((gm_dtype)from), gm_dtype_name((gm_dtype)to), x, y);
                    }
                    if (first.bytes != NULL) {
                        assert_memory_equal(operand_at(&got, i), operand_at(&first, i),
                                            gm_dtype_size((gm_dtype)to));
                    }
                }
                operand_keep_first(&first, &got);
            }
            operand_free(&first);
            operand_free(&in);
            operand_free(&out);
        }
    }
}

/* Claim: a copy between any two layouts of any shape moves every bit, NaN payloads as well. */
static void test_copies(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{0, 5, 3},    {1, 1, 1},    {3, 1, 7},   {2, 31, 33},
                                        {1, 32, 32},  {1, 33, 64},  {3, 67, 70}, {65, 5, 129},
                                        {1, 1, 5003}, {1, 301, 300}};
    static const gm_dtype dtypes[] = {GM_F64, GM_F32, GM_BF16, GM_U8, GM_I16};
    uint64_t seed = 1;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s) {
        for (int d = 0; d < 5; ++d) {
            for (int how = 0; how < LAYOUTS * SPREAD; ++how) {
                operand in = operand_make(dtypes[d], 3, shapes[s], (layout)(how % LAYOUTS));
                operand out = operand_make(dtypes[d], 3, shapes[s], (layout)(how / LAYOUTS));
                const size_t size = gm_dtype_size(dtypes[d]);
                void **from = operand_places(&in);
                for (int64_t e = 0; e < in.elements; ++e) {
                    const uint64_t bits = next_random(&seed);
                    memcpy(from[e], &bits, size);
                }
                FOR_EACH_TARGET(t) {
                    if (t->options.backend == GM_BACKEND_EMU && in.elements > 20000 &&
                        how % 4 != 1) {
                        continue;
                    }
                    operand got = run(t, GM_MAP_COPY, 1, &in, NULL, 0, &out);
                    void **to = operand_places(&got);
                    for (int64_t e = 0; e < in.elements; ++e) {
                        if (memcmp(from[e], to[e], size) != 0) {
                            fail_msg("%s: shape %zu, %s, layouts %d, element %lld", t->name, s,
                                     gm_dtype_name(dtypes[d]), how, (long long)e);
                        }
                    }
                    free(to);
                    operand_free(&got);
                }
                free(from);
                operand_free(&in);
                operand_free(&out);
            }
        }
    }
}

/* ---- 3. reference ---------------------------------------------------------------------------- */

/* One operation in one dtype and layout, on all backends: the reference's result, equal bits. */
static void compare(int operation, const operand *a, const operand *b, const operand *start,
                    double alpha, double beta, double ulps) {
    const gm_dtype dtype = a->view.dtype;
    const double u = compute_roundoff(dtype);
    operand want = run(&backends[0], operation, alpha, a, b, beta, start), first = {0};
    for (const target *t = backends + FIRST_CPU; t < backends + TARGETS; ++t) {
        if (t->context == NULL) {
            continue;
        }
        operand got = run(t, operation, alpha, a, b, beta, start);
        for (int64_t e = 0; e < want.elements; ++e) {
            const double w = operand_get(&want, e);
            const double old = beta == 0 ? 0 : fabs(beta * operand_get(start, e));
            const double rounded = 2 * roundoff(dtype) * fabs(w) + 0x1p-24 * (dtype == GM_F16);
            ASSERT_NEAR(operand_get(&got, e), w,
                        ulps * u * (fabs(w) + 2 * old) + rounded + DBL_MIN * 0x1p-52 +
                            (dtype == GM_F64 ? 0 : 0x1p-149),
                        "%s, operation %d of %d, %s", t->name, operation, b != NULL ? 2 : 1,
                        gm_dtype_name(dtype));
            if (first.bytes != NULL &&
                memcmp(operand_at(&got, e), operand_at(&first, e), gm_dtype_size(dtype)) != 0 &&
                !isnan(w)) {
                fail_msg("%s, operation %d of %d, %s: not the bits of cpu base: %.17g, %.17g",
                         t->name, operation, b != NULL ? 2 : 1, gm_dtype_name(dtype),
                         operand_get(&got, e), operand_get(&first, e));
            }
        }
        operand_keep_first(&first, &got);
    }
    operand_free(&first);
    operand_free(&want);
}

static const double specials[] = {0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 30, -30, 1e-30, -200};
enum { SPECIALS = sizeof specials / sizeof specials[0] };

/* Claim: every map of every dtype is the reference's, scaled or not, special values included. */
static void test_maps(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 3, 7, 8, 9, 19, 1023, 1024, 1025, 4003};
    for (int operation = GM_MAP_NEGATE; operation < GM_MAP_COUNT; ++operation) {
        for (int dtype = GM_F64; dtype <= GM_BF16; ++dtype) {
            for (int k = 0; k < 3; ++k) {
                const int64_t n = sizes[(operation * 4 + dtype + 4 * k) % 11];
                operand in = operand_make((gm_dtype)dtype, 1, &n, k == 1 ? REVERSED : PLAIN);
                operand out = operand_make((gm_dtype)dtype, 1, &n, k == 2 ? PADDED : PLAIN);
                const bool positive = operation == GM_MAP_LOG || operation == GM_MAP_SQRT ||
                                      operation == GM_MAP_RSQRT;
                operand_fill(&in, (uint64_t)operation, positive ? 1e-3 : -8, 9);
                for (int64_t i = 0; i < SPECIALS && i < n; ++i) {
                    const bool large = operation == GM_MAP_SIN || operation == GM_MAP_COS;
                    operand_set(&in, i, large && isinf(specials[i]) ? NAN : specials[i]);
                }
                operand_fill(&out, 9, -1, 1);
                compare(operation, &in, NULL, &out, k == 0 ? 1 : -1.5, k == 2 ? 0.5 : 0,
                        operation == GM_MAP_GELU ? 300 : 16);
                operand_free(&in);
                operand_free(&out);
            }
        }
    }
}

typedef struct broadcast_case {
    int32_t out_ndim, a_ndim, b_ndim;
    int64_t out[3], a[3], b[3];
} broadcast_case;

/* Claim: NumPy's broadcasting, in every layout. */
static void test_combines(void **state) {
    (void)state;
    static const broadcast_case cases[] = {
        {1, 1, 1, {1000}, {1000}, {1000}},
        {2, 2, 1, {33, 65}, {33, 65}, {65}},
        {2, 2, 2, {33, 65}, {33, 1}, {1, 65}},
        {3, 2, 3, {3, 17, 40}, {17, 1}, {3, 1, 40}},
        {2, 0, 2, {9, 9}, {0}, {9, 9}},
        {3, 3, 3, {2, 0, 5}, {2, 0, 5}, {1, 1, 5}},
        {3, 3, 3, {5, 66, 67}, {5, 66, 67}, {5, 66, 67}},
    };
    int turn = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        for (int operation = 0; operation < GM_COMBINE_COUNT; ++operation) {
            for (int dtype = GM_F64; dtype <= GM_BF16; ++dtype, ++turn) {
                const broadcast_case *c = &cases[i];
                operand a = operand_make((gm_dtype)dtype, c->a_ndim, c->a, (layout)(turn % 5));
                operand b = operand_make((gm_dtype)dtype, c->b_ndim, c->b, (layout)(turn / 5 % 5));
                operand out =
                    operand_make((gm_dtype)dtype, c->out_ndim, c->out, (layout)(turn % 4));
                const bool power = operation == GM_COMBINE_POWER;
                operand_fill(&a, 1, power ? 0.1 : -3, 3);
                operand_fill(&b, 2, -3, 3);
                operand_fill(&out, 3, -1, 1);
                compare(operation, &a, &b, &out, turn % 3 ? 1 : 0.75, turn % 3 == 2 ? -2 : 0, 6);
                operand_free(&a);
                operand_free(&b);
                operand_free(&out);
            }
        }
    }
}

/* ---- 4. and 5. properties, memory -------------------------------------------------------------
 */

/* Claim: out may be an operand; a NaN wins minimum and maximum from either side. */
static void test_in_place_and_nan(void **state) {
    (void)state;
    const int64_t n = 1003;
    FOR_EACH_TARGET(t) {
        operand x = operand_make(GM_F32, 1, &n, PLAIN);
        operand_fill(&x, 4, -1, 1);
        operand_set(&x, 0, NAN);
        operand start = x;
        gm_tensor view;
        start.bytes = malloc(x.size);
        memcpy(start.bytes, x.bytes, x.size);
        void *memory = operand_upload(t, &x, &view);
        ASSERT_OK(t->context, gm_map(t->context, GM_MAP_SQUARE, 1, &view, 0, &view));
        ASSERT_OK(t->context, gm_combine(t->context, GM_COMBINE_ADD, 1, &view, &view, 0, &view));
        gm_tensor one = view;
        one.shape[0] = 1; /* broadcast would read what is written: refused */
        ASSERT_FAILS(t->context,
                     gm_combine(t->context, GM_COMBINE_MAXIMUM, 1, &one, &view, 0, &view),
                     GM_STATUS_INVALID_ARGUMENT, "overlap");
        operand_download(t, &x, memory);
        for (int64_t e = 1; e < n; ++e) {
            const float s = ((float *)(void *)(start.bytes + 64))[e];
            assert_true(operand_get(&x, e) == (double)(s * s + s * s));
        }
        free(start.bytes);
        operand_free(&x);
        const int64_t two = 2;
        operand a = operand_make(GM_F32, 1, &two, PLAIN), b = operand_make(GM_F32, 1, &two, PLAIN);
        operand_set(&a, 0, 1);
        operand_set(&b, 1, 1);
        for (int operation = GM_COMBINE_MINIMUM; operation <= GM_COMBINE_MAXIMUM; ++operation) {
            operand out = run(t, operation, 1, &a, &b, 0, &a);
            assert_true(isnan(operand_get(&out, 0)) && isnan(operand_get(&out, 1)));
            operand_free(&out);
        }
        operand_free(&a);
        operand_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),          cmocka_unit_test(test_f16_conversion),
        cmocka_unit_test(test_bf16_conversion), cmocka_unit_test(test_casts),
        cmocka_unit_test(test_copies),          cmocka_unit_test(test_maps),
        cmocka_unit_test(test_combines),        cmocka_unit_test(test_in_place_and_nan),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
