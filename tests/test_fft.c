/* gm_fft_*: errors, exact results and the comparison with the reference, on ref, on every
 * instruction set of cpu and on the modules. */
#include "fft_fixture.h"

/* ---- 1. errors ------------------------------------------------------------------------------- */

static void test_plan_errors(void **state) {
    (void)state;
    gm_fft_plan *plan = (gm_fft_plan *)&plan;
    const gm_fft_options good = {.length = {4}};
    assert_int_equal(gm_fft_plan_create(NULL, &good, &plan), GM_STATUS_INVALID_ARGUMENT);
    gm_fft_plan_destroy(NULL);
    int64_t bytes;
    ASSERT_FAILS(NULL, gm_fft_workspace_size(NULL, &bytes), GM_STATUS_INVALID_ARGUMENT, "plan");
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &good, NULL), GM_STATUS_INVALID_ARGUMENT, "plan");
        ASSERT_FAILS(c, gm_fft_plan_create(c, NULL, &plan), GM_STATUS_INVALID_ARGUMENT, "options");
        assert_null(plan);
        gm_fft_options o = good;
        o.dtype = GM_C128;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "dtype");
        o = good;
        o.kind = (gm_fft_kind)6;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "kind");
        o = good;
        o.norm = (gm_fft_norm)-1;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "norm");
        o = good;
        o.axis_count = 4;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "axis_count");
        o = good;
        o.length[0] = -1;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "length[0]");
        o.length[0] = GM_FFT_MAX_LENGTH + 1;
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "length[0]");
        o = (gm_fft_options){.axis_count = 2, .axes = {0, 1}, .length = {1 << 30, 1 << 30}};
        ASSERT_FAILS(c, gm_fft_plan_create(c, &o, &plan), GM_STATUS_INVALID_ARGUMENT, "length[1]");
        assert_null(plan);
        ASSERT_OK(c, gm_fft_plan_create(c, &good, &plan));
        ASSERT_FAILS(c, gm_fft_workspace_size(plan, NULL), GM_STATUS_INVALID_ARGUMENT, "bytes");
        gm_fft_plan_destroy(plan);
    }
}

#define REFUSED(in, memory, bytes, out, status, text)                                              \
    ASSERT_FAILS(c, gm_fft_execute(plan, in, memory, bytes, out), status, text)

static void test_execute_errors(void **state) {
    (void)state;
    double zeros[16] = {0}, before[16], after[16];
    memset(before, 0x5a, sizeof before);
    FOR_EACH_TARGET(t) {
        gm_context *c = t->context;
        gm_fft_plan *plan;
        int64_t bytes;
        void *x, *y, *w;
        ASSERT_OK(c, gm_memory_alloc(c, sizeof zeros, &x));
        ASSERT_OK(c, gm_memory_alloc(c, sizeof before, &y));
        ASSERT_OK(c, gm_memory_upload(c, x, zeros, sizeof zeros));
        ASSERT_OK(c, gm_memory_upload(c, y, before, sizeof before));
        const gm_tensor in = gm_tensor_2d(x, GM_C128, 2, 4), out = gm_tensor_2d(y, GM_C128, 2, 4);
        ASSERT_FAILS(NULL, gm_fft_execute(NULL, &in, NULL, 0, &out), GM_STATUS_INVALID_ARGUMENT,
                     "plan");
        ASSERT_OK(c, gm_fft_plan_create(c, &(gm_fft_options){.length = {4}}, &plan));
        ASSERT_OK(c, gm_fft_workspace_size(plan, &bytes));
        ASSERT_OK(c, gm_memory_alloc(c, (size_t)bytes + 128, &w));
        REFUSED(NULL, w, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "in is NULL");
        REFUSED(&in, w, bytes, NULL, GM_STATUS_INVALID_ARGUMENT, "out is NULL");
        REFUSED(&in, w, bytes - 1, &out, GM_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes");
        if (bytes > 0) {
            REFUSED(&in, NULL, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
            const gm_tensor inside = gm_tensor_2d(w, GM_C128, 2, 4);
            REFUSED(&inside, w, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "workspace");
        }
        REFUSED(&in, (char *)w + 8, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "64 bytes");
        gm_tensor bad = in;
        bad.dtype = GM_F64;
        REFUSED(&bad, w, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "in.dtype");
        bad = out;
        bad.dtype = GM_C64;
        REFUSED(&in, w, bytes, &bad, GM_STATUS_INVALID_ARGUMENT, "out.dtype");
        bad = in;
        bad.shape[1] = 3;
        REFUSED(&bad, w, bytes, &out, GM_STATUS_SHAPE_MISMATCH, "in.shape[1]");
        REFUSED(&in, w, bytes, &bad, GM_STATUS_SHAPE_MISMATCH, "out.shape[1]");
        bad = out;
        bad.shape[0] = 1;
        REFUSED(&in, w, bytes, &bad, GM_STATUS_SHAPE_MISMATCH, "out.shape[0]");
        bad = gm_tensor_1d(y, GM_C128, 4);
        REFUSED(&in, w, bytes, &bad, GM_STATUS_SHAPE_MISMATCH, "out.ndim");
        bad = out;
        bad.stride[0] = 0;
        REFUSED(&in, w, bytes, &bad, GM_STATUS_INVALID_ARGUMENT, "share memory");
        bad = in;
        bad.stride[0] = 2;
        bad.data = y;
        REFUSED(&bad, w, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "overlap");
        gm_fft_plan_destroy(plan);
        const gm_fft_options twice = {.axis_count = 2, .axes = {1, -1}, .length = {4, 4}};
        ASSERT_OK(c, gm_fft_plan_create(c, &twice, &plan));
        REFUSED(&in, w, bytes, &out, GM_STATUS_INVALID_ARGUMENT, "twice");
        gm_fft_plan_destroy(plan);
        const gm_fft_options absent = {.axis_count = 1, .axes = {2}, .length = {4}};
        ASSERT_OK(c, gm_fft_plan_create(c, &absent, &plan));
        REFUSED(&in, w, bytes, &out, GM_STATUS_SHAPE_MISMATCH, "axis 2");
        gm_fft_plan_destroy(plan);
        ASSERT_OK(c, gm_memory_download(c, after, y, sizeof after));
        assert_memory_equal(after, before, sizeof after);
        ASSERT_OK(c, gm_memory_free(c, x));
        ASSERT_OK(c, gm_memory_free(c, y));
        ASSERT_OK(c, gm_memory_free(c, w));
    }
}

/* ---- 2. exact -------------------------------------------------------------------------------- */

/* Claim: a unit impulse at 0 becomes the constant 1, to the bit, at any length. */
static void test_impulse(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        for (int single = 0; single < 2 && largest_factor(lengths[i]) <= 47; ++single) {
            for (gm_fft_kind kind = GM_FFT_FORWARD; kind <= GM_FFT_REAL_TO_COMPLEX; ++kind) {
                const int64_t n = lengths[i];
                gm_tensor x = make_1d(in_type(kind, single), n);
                gm_tensor y = make_1d(out_type(kind, single), out_length(kind, n));
                gm_fft_options o = options_1d(kind, single, n);
                o.norm = kind == GM_FFT_INVERSE ? GM_FFT_NORM_FORWARD : GM_FFT_NORM_BACKWARD;
                for (int64_t j = 0; j < n; ++j) {
                    put(&x, j, j == 0);
                }
                FOR_EACH_TARGET(t) {
                    run(t, &o, &x, &y);
                    for (int64_t k = 0; k < elements(&y); ++k) {
                        assert_true(creal(get(&y, k)) == 1 && cimag(get(&y, k)) == 0);
                    }
                }
                free(x.data);
                free(y.data);
            }
        }
    }
}

/* Claim: small integers have their known transforms, to the bit where the roots are 1, i, -1, -i.
 */
static void test_known_small(void **state) {
    (void)state;
    double x4[] = {1, 0, 2, 0, 3, 0, 4, 0}, y4[8];
    const double expected4[] = {10, 0, -2, 2, -2, 0, -2, -2};
    double r4[] = {1, 2, 3, 4}, c3[6];
    double ones[64], constant[64];
    const gm_tensor in = gm_tensor_1d(x4, GM_C128, 4), out = gm_tensor_1d(y4, GM_C128, 4);
    const gm_tensor real = gm_tensor_1d(r4, GM_F64, 4), half3 = gm_tensor_1d(c3, GM_C128, 3);
    const gm_tensor flat = gm_tensor_1d(ones, GM_C128, 32),
                    peak = gm_tensor_1d(constant, GM_C128, 32);
    FOR_EACH_TARGET(t) {
        const gm_fft_options forward = options_1d(GM_FFT_FORWARD, false, 4);
        run(t, &forward, &in, &out);
        assert_memory_equal(y4, expected4, sizeof y4);
        const gm_fft_options inverse = options_1d(GM_FFT_INVERSE, false, 4);
        run(t, &inverse, &out, &out);
        assert_memory_equal(y4, x4, sizeof y4);
        const gm_fft_options to_complex = options_1d(GM_FFT_REAL_TO_COMPLEX, false, 4);
        run(t, &to_complex, &real, &half3);
        for (int k = 0; k < 6; ++k) {
            assert_true(c3[k] == expected4[k]);
        }
        const gm_fft_options to_real = options_1d(GM_FFT_COMPLEX_TO_REAL, false, 4);
        const gm_tensor back = gm_tensor_1d(y4, GM_F64, 4);
        run(t, &to_real, &half3, &back);
        assert_memory_equal(y4, r4, sizeof r4);
        for (int j = 0; j < 64; ++j) {
            ones[j] = j % 2 == 0 ? 3 : -2;
        }
        const gm_fft_options long_one = options_1d(GM_FFT_FORWARD, false, 32);
        run(t, &long_one, &flat, &peak);
        for (int k = 0; k < 64; ++k) {
            assert_true(constant[k] == (k == 0 ? 96 : k == 1 ? -64 : 0));
        }
    }
}

/* Known answers of length 7 by mpmath with 30 digits: X_k and the DCT-II of 3, -1, 4, -1, 5, -9, 2.
 */
static void test_known_seven(void **state) {
    (void)state;
    static const double spectrum[4][2] = {{3.0, 0.0},
                                          {1.132219000030629, -7.7252659762542687},
                                          {9.7762826129907153, 3.8742834502655475},
                                          {-1.9085016130213444, 17.315027962528004}};
    static const double cosine[7] = {6.0,
                                     13.591392065617008,
                                     -4.6635464335593004,
                                     -3.4286210365812231,
                                     18.248898565422059,
                                     -16.294742081610121,
                                     32.912444998981359};
    double x[7] = {3, -1, 4, -1, 5, -9, 2}, y[7];
    double c[8];
    const gm_tensor in = gm_tensor_1d(x, GM_F64, 7), out = gm_tensor_1d(c, GM_C128, 4);
    const gm_tensor real = gm_tensor_1d(y, GM_F64, 7);
    FOR_EACH_TARGET(t) {
        const gm_fft_options forward = options_1d(GM_FFT_REAL_TO_COMPLEX, false, 7);
        run(t, &forward, &in, &out);
        for (int k = 0; k < 4; ++k) {
            assert_true(fabs(c[2 * k] - spectrum[k][0]) <= 2e-14);
            assert_true(fabs(c[2 * k + 1] - spectrum[k][1]) <= 2e-14);
        }
        const gm_fft_options dct = options_1d(GM_FFT_DCT2, false, 7);
        run(t, &dct, &in, &real);
        for (int k = 0; k < 7; ++k) {
            assert_true(fabs(y[k] - cosine[k]) <= 2e-14);
        }
    }
}

/* Claim: exp(2 pi i f j / n) has one entry, n at k = f, and rounding elsewhere. */
static void test_pure_tone(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        const int64_t n = lengths[i], f = n / 3;
        gm_tensor x = make_1d(GM_C128, n), y = make_1d(GM_C128, n);
        for (int64_t j = 0; j < n; ++j) {
            const double angle = 2 * acos(-1.0) * (double)(j * f % n) / (double)n;
            put(&x, j, CMPLX(cos(angle), sin(angle)));
        }
        const gm_fft_options o = options_1d(GM_FFT_FORWARD, false, n);
        FOR_EACH_TARGET(t) {
            run(t, &o, &x, &y);
            for (int64_t k = 0; k < n; ++k) {
                const double error = cabs(get(&y, k) - (k == f ? (double)n : 0));
                /* The argument of the tone itself is off by up to 2 pi u. */
                if (error > (bound(false, n) + 8 * DBL_EPSILON) * (double)n) {
                    fail_msg("%s: n = %lld, k = %lld: error %g", t->name, (long long)n,
                             (long long)k, error);
                }
            }
        }
        free(x.data);
        free(y.data);
    }
}

/* ---- 3. reference ---------------------------------------------------------------------------- */

static void compare_with_reference(gm_fft_kind kind, bool single, int64_t n) {
    const int64_t batch = n > 1024  ? 2
                          : n > 256 ? 3
                                    : 19; /* more than a vector of lines, not a multiple */
    const int64_t in_shape[] = {batch, in_length(kind, n)},
                  out_shape[] = {batch, out_length(kind, n)};
    gm_tensor x = make_random(in_type(kind, single), 2, in_shape, (uint64_t)n);
    gm_tensor expected = make(out_type(kind, single), 2, out_shape);
    gm_tensor got = make(out_type(kind, single), 2, out_shape);
    const gm_fft_options o = options_1d(kind, single, n);
    run(&backends[REF], &o, &x, &expected);
    for (const target *t = backends + 1; t < backends + TARGETS; ++t) {
        if (t->context == NULL) {
            continue;
        }
        run(t, &o, &x, &got);
        for (int64_t b = 0; b < batch; ++b) {
            double norm;
            const double error = distance(&got, &expected, b * out_shape[1], out_shape[1], &norm);
            if (!(error <= bound(single, n) * norm)) {
                fail_msg("%s, kind %d, %s, n = %lld: error %g of %g, bound %g", t->name, kind,
                         single ? "f32" : "f64", (long long)n, error / norm, norm,
                         bound(single, n));
            }
        }
    }
    free(x.data);
    free(expected.data);
    free(got.data);
}

static void test_against_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        for (size_t k = 0; k < COUNT(kinds); ++k) {
            compare_with_reference(kinds[k], false, lengths[i]);
            compare_with_reference(kinds[k], true, lengths[i]);
        }
    }
}

/* Claim: two and three axes in any order, with other axes between, agree with the reference. */
static void test_several_axes(void **state) {
    (void)state;
    const struct {
        int32_t count, axes[3];
    } cases[] = {{2, {2, 3}}, {2, {3, 1}}, {3, {1, 2, 3}}, {3, {-1, 0, 2}}, {1, {1}}, {2, {0, 2}}};
    const int64_t shape[] = {3, 67, 5, 12};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        for (size_t k = 0; k < COUNT(kinds) * 2; ++k) {
            const gm_fft_kind kind = kinds[k / 2];
            const bool single = k % 2 == 1;
            gm_fft_options o = {.dtype = real_type(single),
                                .kind = kind,
                                .norm = (gm_fft_norm)(i % 3),
                                .axis_count = cases[i].count};
            int64_t in_shape[4], out_shape[4];
            memcpy(in_shape, shape, sizeof shape);
            memcpy(out_shape, shape, sizeof shape);
            for (int a = 0; a < o.axis_count; ++a) {
                const int axis = (cases[i].axes[a] + 4) % 4;
                o.axes[a] = cases[i].axes[a];
                o.length[a] = shape[axis];
                if (a == o.axis_count - 1) {
                    in_shape[axis] = in_length(kind, shape[axis]);
                    out_shape[axis] = out_length(kind, shape[axis]);
                }
            }
            gm_tensor x = make_random(in_type(kind, single), 4, in_shape, i);
            gm_tensor expected = make(out_type(kind, single), 4, out_shape);
            gm_tensor got = make(out_type(kind, single), 4, out_shape);
            run(&backends[REF], &o, &x, &expected);
            FOR_EACH_TARGET(t) {
                run(t, &o, &x, &got);
                double norm;
                const double error = distance(&got, &expected, 0, elements(&got), &norm);
                if (!(error <= 2 * bound(single, 67) * norm)) {
                    fail_msg("%s, case %zu, kind %d: error %g", t->name, i, kind, error / norm);
                }
            }
            free(x.data);
            free(expected.data);
            free(got.data);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_errors),       cmocka_unit_test(test_execute_errors),
        cmocka_unit_test(test_impulse),           cmocka_unit_test(test_known_small),
        cmocka_unit_test(test_known_seven),       cmocka_unit_test(test_pure_tone),
        cmocka_unit_test(test_against_reference), cmocka_unit_test(test_several_axes),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
