/* gm_fft_*: properties of the transforms, views, memory, threads. */
#include "fft_fixture.h"

/* ---- 4. properties --------------------------------------------------------------------------- */

static gm_fft_kind inverse_of(gm_fft_kind kind) {
    return kind == GM_FFT_FORWARD           ? GM_FFT_INVERSE
           : kind == GM_FFT_REAL_TO_COMPLEX ? GM_FFT_COMPLEX_TO_REAL
                                            : GM_FFT_DCT3;
}

/* Claim: inverse undoes forward under every norm, and an orthonormal transform keeps the 2-norm. */
static void test_inverse_and_norm(void **state) {
    (void)state;
    static const gm_fft_kind forward[] = {GM_FFT_FORWARD, GM_FFT_REAL_TO_COMPLEX, GM_FFT_DCT2};
    for (size_t i = 0; i < COUNT(lengths) * 6; ++i) {
        const gm_fft_kind kind = forward[i % 3];
        const bool single = i / 3 % 2 == 1;
        const int64_t n = lengths[i / 6];
        gm_tensor x = make_random(in_type(kind, single), 1, &n, i);
        gm_tensor y = make_1d(out_type(kind, single), out_length(kind, n));
        gm_tensor back = make_1d(in_type(kind, single), n);
        for (gm_fft_norm norm = GM_FFT_NORM_BACKWARD; norm <= GM_FFT_NORM_FORWARD; ++norm) {
            gm_fft_options o = options_1d(kind, single, n),
                           b = options_1d(inverse_of(kind), single, n);
            o.norm = b.norm = norm;
            FOR_EACH_TARGET(t) {
                if (t == &backends[REF] && n > 300) {
                    continue; /* the sums themselves: minutes */
                }
                run(t, &o, &x, &y);
                run(t, &b, &y, &back);
                double size, spectrum;
                const double error = distance(&back, &x, 0, n, &size);
                if (!(error <= 2 * bound(single, n) * size)) {
                    fail_msg("%s, kind %d, n = %lld: error %g", t->name, kind, (long long)n, error);
                }
                distance(&y, &y, 0, elements(&y), &spectrum);
                if (norm == GM_FFT_NORM_ORTHO && kind != GM_FFT_REAL_TO_COMPLEX) {
                    assert_true(fabs(spectrum - size) <= 2 * bound(single, n) * size);
                }
            }
        }
        free(x.data);
        free(y.data);
        free(back.data);
    }
}

/* Claim: the transform of a x + b y is a X + b Y. */
static void test_linearity(void **state) {
    (void)state;
    const double complex a = CMPLX(1.5, -0.25), b = CMPLX(-3, 2);
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        const int64_t n = lengths[i];
        gm_tensor x = make_random(GM_C128, 1, &n, 1), y = make_random(GM_C128, 1, &n, 2);
        gm_tensor z = make_1d(GM_C128, n), fx = make_1d(GM_C128, n), fy = make_1d(GM_C128, n);
        gm_tensor fz = make_1d(GM_C128, n);
        for (int64_t j = 0; j < n; ++j) {
            put(&z, j, a * get(&x, j) + b * get(&y, j));
        }
        const gm_fft_options o = options_1d(GM_FFT_FORWARD, false, n);
        FOR_EACH_TARGET(t) {
            run(t, &o, &x, &fx);
            run(t, &o, &y, &fy);
            run(t, &o, &z, &fz);
            double nx, ny, nz;
            distance(&x, &x, 0, n, &nx);
            distance(&y, &y, 0, n, &ny);
            for (int64_t k = 0; k < n; ++k) {
                put(&fx, k, a * get(&fx, k) + b * get(&fy, k));
            }
            const double scale = sqrt((double)n) * (cabs(a) * nx + cabs(b) * ny);
            assert_true(distance(&fz, &fx, 0, n, &nz) <= 2 * bound(false, n) * scale);
        }
        free(x.data), free(y.data), free(z.data), free(fx.data), free(fy.data), free(fz.data);
    }
}

/* Claim: a circular shift by s multiplies X_k by exp(-2 pi i k s / n). */
static void test_shift(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        const int64_t n = lengths[i], s = n / 2 + (n > 2);
        gm_tensor x = make_random(GM_C128, 1, &n, 3), y = make_1d(GM_C128, n);
        gm_tensor fx = make_1d(GM_C128, n), fy = make_1d(GM_C128, n);
        for (int64_t j = 0; j < n; ++j) {
            put(&y, (j + s) % n, get(&x, j));
        }
        const gm_fft_options o = options_1d(GM_FFT_FORWARD, false, n);
        FOR_EACH_TARGET(t) {
            run(t, &o, &x, &fx);
            run(t, &o, &y, &fy);
            for (int64_t k = 0; k < n; ++k) {
                const double angle = -2 * acos(-1.0) * (double)(k * s % n) / (double)n;
                put(&fx, k, get(&fx, k) * CMPLX(cos(angle), sin(angle)));
            }
            double norm;
            assert_true(distance(&fy, &fx, 0, n, &norm) <=
                        (3 * bound(false, n) + 8 * DBL_EPSILON) * norm);
        }
        free(x.data), free(y.data), free(fx.data), free(fy.data);
    }
}

/* Claim: a real line's half spectrum is that of the same line as complex numbers, whose other half
 * is the conjugate; entry 0, and n/2 of even n, are real. */
static void test_real_symmetry(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        const int64_t n = lengths[i];
        gm_tensor x = make_random(GM_F64, 1, &n, 4), z = make_1d(GM_C128, n);
        gm_tensor fx = make_1d(GM_C128, half(n)), fz = make_1d(GM_C128, n);
        for (int64_t j = 0; j < n; ++j) {
            put(&z, j, get(&x, j));
        }
        const gm_fft_options real = options_1d(GM_FFT_REAL_TO_COMPLEX, false, n);
        const gm_fft_options full = options_1d(GM_FFT_FORWARD, false, n);
        FOR_EACH_TARGET(t) {
            run(t, &real, &x, &fx);
            run(t, &full, &z, &fz);
            double norm;
            distance(&fz, &fz, 0, n, &norm);
            for (int64_t k = 0; k < n; ++k) {
                const double complex expected = k < half(n) ? get(&fx, k) : conj(get(&fx, n - k));
                assert_true(cabs(get(&fz, k) - expected) <= 2 * bound(false, n) * norm);
            }
            if (t != &backends[REF] && n % 2 == 0) {
                assert_true(cimag(get(&fx, 0)) == 0 && cimag(get(&fx, n / 2)) == 0);
            }
        }
        free(x.data), free(z.data), free(fx.data), free(fz.data);
    }
}

/* Claim: imaginary parts that a real result cannot have are not used. */
static void test_to_real_ignores_imaginary(void **state) {
    (void)state;
    static const int64_t few[] = {1, 2, 5, 8, 130, 101};
    for (size_t i = 0; i < COUNT(few); ++i) {
        const int64_t n = few[i], h = half(n);
        gm_tensor x = make_random(GM_C128, 1, &h, 5), y = make_1d(GM_F64, n),
                  z = make_1d(GM_F64, n);
        const gm_fft_options o = options_1d(GM_FFT_COMPLEX_TO_REAL, false, n);
        FOR_EACH_TARGET(t) {
            put(&x, 0, CMPLX(1, 7));
            run(t, &o, &x, &y);
            put(&x, 0, CMPLX(1, NAN));
            if (n % 2 == 0) {
                put(&x, n / 2, CMPLX(creal(get(&x, n / 2)), INFINITY));
            }
            run(t, &o, &x, &z);
            assert_memory_equal(y.data, z.data, (size_t)n * sizeof(double));
        }
        free(x.data), free(y.data), free(z.data);
    }
}

/* ---- 5. memory ------------------------------------------------------------------------------- */

/* Claim: a line's bits are the same alone, in a batch, by any number of threads, next to NaN. */
static void test_batch_and_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lengths) * COUNT(kinds); ++i) {
        const gm_fft_kind kind = kinds[i % COUNT(kinds)];
        const int64_t n = lengths[i / COUNT(kinds)], batch = 37;
        const int64_t in_shape[] = {batch, in_length(kind, n)},
                      out_shape[] = {batch, out_length(kind, n)};
        gm_tensor x = make_random(in_type(kind, false), 2, in_shape, i);
        gm_tensor y = make(out_type(kind, false), 2, out_shape), z = make(y.dtype, 2, out_shape);
        const size_t line = (size_t)out_shape[1] * gm_dtype_size(y.dtype);
        const gm_fft_options o = options_1d(kind, false, n);
        FOR_EACH_TARGET(t) {
            if (t == &backends[REF] && n > 300) {
                continue;
            }
            run(t, &o, &x, &y);
            gm_tensor one = x, out = z;
            one.shape[0] = out.shape[0] = 1;
            one.data = (char *)x.data + 17 * (size_t)in_shape[1] * gm_dtype_size(x.dtype);
            run(t, &o, &one, &out);
            assert_memory_equal(out.data, (char *)y.data + 17 * line, line);
        }
        run(&backends[THREADED], &o, &x, &y);
        gm_context *best;
        assert_int_equal(gm_context_create(
                             &(gm_context_options){.backend = GM_BACKEND_CPU, .threads = 1}, &best),
                         GM_STATUS_OK);
        const target alone = {"cpu, 1 thread", {0}, best};
        run(&alone, &o, &x, &z);
        assert_memory_equal(y.data, z.data, (size_t)batch * line);
        put(&x, 16 * in_shape[1], NAN);
        put(&x, 18 * in_shape[1] + in_shape[1] / 2, INFINITY);
        run(&backends[THREADED], &o, &x, &z);
        assert_memory_equal((char *)y.data + 17 * line, (char *)z.data + 17 * line, line);
        assert_true(isnan(creal(get(&z, 16 * out_shape[1]))));
        gm_context_destroy(best);
        free(x.data), free(y.data), free(z.data);
    }
}

/* Claim: strided, backward and broadcast inputs, strided and backward outputs, give the bits of
 * dense ones, and what lies between the elements stays as it was. */
static void test_views(void **state) {
    (void)state;
    static const int64_t few[] = {1, 2, 3, 8, 31, 64, 101, 128};
    for (size_t i = 0; i < COUNT(few) * COUNT(kinds) * 2; ++i) {
        const gm_fft_kind kind = kinds[i / 2 % COUNT(kinds)];
        const bool single = i % 2 == 1;
        const int64_t n = few[i / 2 / COUNT(kinds)], a = in_length(kind, n),
                      b = out_length(kind, n);
        enum { ROWS = 11 };
        const int64_t source_shape[] = {a, 3 * ROWS}, sink_shape[] = {ROWS, 2 * b + 1};
        gm_tensor source = make_random(in_type(kind, single), 2, source_shape, i);
        gm_tensor dense = make(source.dtype, 2, (int64_t[]){ROWS, a});
        gm_tensor expected = make(out_type(kind, single), 2, (int64_t[]){ROWS, b});
        const size_t source_bytes = (size_t)elements(&source) * gm_dtype_size(source.dtype);
        gm_tensor copy = make(source.dtype, 2, source_shape);
        memcpy(copy.data, source.data, source_bytes);
        const gm_fft_options o = options_1d(kind, single, n);
        for (int broadcast = 0; broadcast < 2; ++broadcast) {
            /* in: column 3 r of the source, from its last row up; out: every other, backwards. */
            gm_tensor in = {(char *)source.data +
                                (size_t)((a - 1) * 3 * ROWS) * gm_dtype_size(source.dtype),
                            source.dtype,
                            2,
                            {ROWS, a},
                            {broadcast ? 0 : 3, -3 * ROWS}};
            for (int64_t e = 0; e < ROWS * a; ++e) {
                put(&dense, e,
                    get(&source, (a - 1 - e % a) * 3 * ROWS + (broadcast ? 0 : 3 * (e / a))));
            }
            FOR_EACH_TARGET(t) {
                gm_tensor sink = make(expected.dtype, 2, sink_shape);
                const size_t size = gm_dtype_size(sink.dtype);
                gm_tensor out = {(char *)sink.data + (size_t)(2 * b - 1) * size,
                                 sink.dtype,
                                 2,
                                 {ROWS, b},
                                 {2 * b + 1, -2}};
                run(t, &o, &dense, &expected);
                run(t, &o, &in, &out);
                for (int64_t e = 0; e < ROWS * b; ++e) {
                    char *at = (char *)out.data + (e / b * (2 * b + 1) - e % b * 2) * (int64_t)size;
                    assert_memory_equal(at, (char *)expected.data + (size_t)e * size, size);
                    memset(at, 0xff, size);
                }
                for (size_t byte = 0; byte < (size_t)elements(&sink) * size; ++byte) {
                    assert_int_equal(((uint8_t *)sink.data)[byte], 0xff);
                }
                free(sink.data);
            }
        }
        assert_memory_equal(source.data, copy.data, source_bytes);
        free(source.data), free(copy.data), free(dense.data), free(expected.data);
    }
}

/* Claim: several batch axes may continue each other on one side and not on the other. */
static void test_batch_axes(void **state) {
    (void)state;
    enum { A = 3, B = 5, N = 6 };
    const int64_t shape[] = {A, B, N}, padded_shape[] = {A, B + 2, N};
    gm_tensor x = make_random(GM_C128, 3, shape, 1), expected = make(GM_C128, 3, shape);
    const gm_fft_options o = options_1d(GM_FFT_FORWARD, false, N);
    FOR_EACH_TARGET(t) {
        gm_tensor padded = make(GM_C128, 3, padded_shape), out = padded;
        out.shape[1] = B;
        run(t, &o, &x, &expected);
        run(t, &o, &x, &out);
        for (int64_t e = 0; e < A * (B + 2) * N; ++e) {
            const int64_t a = e / N / (B + 2), b = e / N % (B + 2), k = e % N;
            assert_true(b < B ? get(&padded, e) == get(&expected, (a * B + b) * N + k)
                              : isnan(creal(get(&padded, e))));
        }
        free(padded.data);
    }
    free(x.data), free(expected.data);
}

/* Claim: where in and out have one type they may be one view, over any axes. */
static void test_in_place(void **state) {
    (void)state;
    static const gm_fft_kind same_type[] = {GM_FFT_FORWARD, GM_FFT_INVERSE, GM_FFT_DCT2,
                                            GM_FFT_DCT3};
    const int64_t shape[] = {7, 10, 33};
    for (size_t k = 0; k < COUNT(same_type); ++k) {
        gm_tensor x = make_random(in_type(same_type[k], false), 3, shape, k);
        gm_tensor y = make(x.dtype, 3, shape), z = make(x.dtype, 3, shape);
        const size_t bytes = (size_t)elements(&x) * gm_dtype_size(x.dtype);
        const gm_fft_options o = {
            .kind = same_type[k], .axis_count = 2, .axes = {0, 2}, .length = {7, 33}};
        FOR_EACH_TARGET(t) {
            run(t, &o, &x, &y);
            memcpy(z.data, x.data, bytes);
            run(t, &o, &z, &z);
            assert_memory_equal(y.data, z.data, bytes);
        }
        free(x.data), free(y.data), free(z.data);
    }
}

/* Claim: sizes of zero, of the batch and along an axis, succeed and touch nothing. */
static void test_zero_sizes(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(kinds) * 2; ++k) {
        const gm_fft_kind kind = kinds[k / 2];
        const int64_t n = k % 2 == 0 ? 0 : 6, rows = k % 2 == 0 ? 4 : 0;
        const int64_t in_shape[] = {rows, in_length(kind, n)},
                      out_shape[] = {rows, out_length(kind, n)};
        gm_tensor in, out;
        assert_int_equal(gm_tensor_view(NULL, in_type(kind, false), 2, in_shape, &in),
                         GM_STATUS_OK);
        assert_int_equal(gm_tensor_view(NULL, out_type(kind, false), 2, out_shape, &out),
                         GM_STATUS_OK);
        const gm_fft_options o = options_1d(kind, false, n);
        FOR_EACH_TARGET(t) {
            run(t, &o, &in, &out);
        }
    }
}

/* Claim: the path that ran is the one the context asked for; on the modules, the one for the
 * length.
 */
static void test_kernel_names(void **state) {
    (void)state;
    static const char *const expected[] = {"fft_ref", "fft_base", "fft_avx2", "fft_avx512"};
    double x[4] = {1, 2, 3, 4};
    const gm_tensor view = gm_tensor_1d(x, GM_C128, 2);
    const gm_fft_options o = options_1d(GM_FFT_FORWARD, false, 2);
    for (int i = 0; i < 4; ++i) {
        if (backends[i].context != NULL) {
            run(&backends[i], &o, &view, &view);
            assert_string_equal(gm_last_kernel(backends[i].context), expected[i]);
        }
    }
}

/* Lengths of each of the modules' rows: one block, split, Bluestein in one block and split. 3125 is
 * split because five entries a thread need more threads than a block has. */
static const struct {
    int64_t n;
    const char *kernel;
} rows[] = {
    {4096, "fft_lines"},     {2 * 11 * 13 * 7, "fft_lines"}, {8192, "fft_split"},
    {1021, "fft_bluestein"}, {2053, "fft_bluestein_split"},  {4096 + 6, "fft_bluestein_split"},
    {3125, "fft_split"}};

/* Claim: each row agrees with cpu, whose transforms test_fft.c holds to the reference: the bounds
 * of both, of every kind, dense and as columns, with the name of what ran. */
static void test_module_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(kinds); ++i) {
        const gm_fft_kind kind = kinds[i % COUNT(kinds)];
        const int64_t n = rows[i / COUNT(kinds)].n;
        const bool single = i % 2 == 1, real = kind > GM_FFT_INVERSE;
        /* Split lines go through the workspace in groups: of two rows there are several. */
        const int64_t batch = n == 8192 || n == 2053 ? 13 : 3;
        const int64_t in_shape[] = {batch, in_length(kind, n)},
                      out_shape[] = {batch, out_length(kind, n)};
        gm_tensor x = make_random(in_type(kind, single), 2, in_shape, i);
        gm_tensor expected = make(out_type(kind, single), 2, out_shape);
        gm_tensor y = make(expected.dtype, 2, out_shape), z = make(expected.dtype, 2, out_shape);
        gm_tensor columns = z, source = make(x.dtype, 2, in_shape), across = source;
        columns.stride[0] = across.stride[0] = 1;
        columns.stride[1] = across.stride[1] = batch;
        for (int64_t e = 0; e < elements(&x); ++e) {
            put(&source, e % in_shape[1] * batch + e / in_shape[1], get(&x, e));
        }
        const gm_fft_options o = options_1d(kind, single, n);
        run(&backends[THREADED], &o, &x, &expected);
        for (const target *t = backends + MODULES; t < backends + TARGETS; ++t) {
            if (t->context == NULL) {
                continue;
            }
            run(t, &o, &x, &y);
            if (!real) {
                assert_string_equal(gm_last_kernel(t->context), rows[i / COUNT(kinds)].kernel);
            }
            run(t, &o, &across, &columns);
            for (int64_t b = 0; b < batch; ++b) {
                double norm;
                const double error = distance(&y, &expected, b * out_shape[1], out_shape[1], &norm);
                if (!(error <= 2 * bound(single, n) * norm)) {
                    fail_msg("%s, kind %d, n = %lld: error %g, bound %g", t->name, kind,
                             (long long)n, error / norm, 2 * bound(single, n));
                }
            }
            for (int64_t e = 0; e < elements(&y); ++e) {
                const double complex a = get(&y, e),
                                     c = get(&z, e % out_shape[1] * batch + e / out_shape[1]);
                assert_true(creal(a) == creal(c) && cimag(a) == cimag(c));
            }
        }
        free(x.data), free(expected.data), free(y.data), free(z.data), free(source.data);
    }
}

/* Claim: a long line, beyond one cache, is undone by its inverse. */
static void test_long_line(void **state) {
    (void)state;
    const int64_t sizes[] = {1 << 18, 262147 /* a prime */, 3 * 3 * 7 * 11 * 13 * 29};
    for (size_t i = 0; i < COUNT(sizes); ++i) {
        const int64_t n = sizes[i];
        gm_tensor x = make_random(GM_F32, 1, &n, 6), y = make_1d(GM_C64, half(n)),
                  z = make_1d(GM_F32, n);
        const gm_fft_options o = options_1d(GM_FFT_REAL_TO_COMPLEX, true, n);
        const gm_fft_options b = options_1d(GM_FFT_COMPLEX_TO_REAL, true, n);
        run(&backends[THREADED], &o, &x, &y);
        run(&backends[THREADED], &b, &y, &z);
        double norm;
        assert_true(distance(&z, &x, 0, n, &norm) <= 2 * bound(true, n) * norm);
        free(x.data), free(y.data), free(z.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inverse_and_norm),
        cmocka_unit_test(test_linearity),
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_real_symmetry),
        cmocka_unit_test(test_batch_and_threads),
        cmocka_unit_test(test_to_real_ignores_imaginary),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_batch_axes),
        cmocka_unit_test(test_zero_sizes),
        cmocka_unit_test(test_kernel_names),
        cmocka_unit_test(test_module_rows),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
