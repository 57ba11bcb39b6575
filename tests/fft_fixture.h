/* What the tests of gm_fft_*, and of what is built on it, share: the backends, arrays of any type.
 */
#ifndef GENMATH_TESTS_FFT_FIXTURE_H
#define GENMATH_TESTS_FFT_FIXTURE_H

#include "support.h"

#include <complex.h>
#include <float.h>
#include <math.h>

#include <genmath/fft.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct target {
    const char *name;
    gm_context_options options;
    gm_context *context; /* NULL: not on this machine */
} target;

static target targets[] = {
    {"ref", {.backend = GM_BACKEND_REF}, NULL},
    {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 1}, NULL},
    {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 1}, NULL},
    {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 1}, NULL},
    {"cpu, 3 threads", {.backend = GM_BACKEND_CPU, .threads = 3}, NULL},
};
enum { TARGETS = COUNT(targets), REF = 0, THREADED = 4 };

#define FOR_EACH_TARGET(t)                                                                         \
    for (target *t = targets; t < targets + TARGETS; ++t)                                          \
        if (t->context != NULL)

__attribute__((unused)) static int open_targets(void **state) {
    (void)state;
    for (int i = 0; i < TARGETS; ++i) {
        if (gm_context_create(&targets[i].options, &targets[i].context) != GM_STATUS_OK) {
            print_message("skip: %s: %s\n", targets[i].name, gm_last_error(NULL));
        }
    }
    return targets[REF].context == NULL;
}

__attribute__((unused)) static int close_targets(void **state) {
    (void)state;
    for (int i = 0; i < TARGETS; ++i) {
        gm_context_destroy(targets[i].context);
    }
    return 0;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

__attribute__((unused)) static bool is_complex(gm_dtype dtype) {
    return dtype == GM_C64 || dtype == GM_C128;
}

__attribute__((unused)) static bool is_single(gm_dtype dtype) {
    return dtype == GM_F32 || dtype == GM_C64;
}

__attribute__((unused)) static double complex get(const gm_tensor *t, int64_t at) {
    switch ((int)t->dtype) {
    case GM_C128:
        return CMPLX(((double *)t->data)[2 * at], ((double *)t->data)[2 * at + 1]);
    case GM_C64:
        return CMPLX((double)((float *)t->data)[2 * at], (double)((float *)t->data)[2 * at + 1]);
    case GM_F64:
        return ((double *)t->data)[at];
    default:
        return (double)((float *)t->data)[at];
    }
}

__attribute__((unused)) static void put(const gm_tensor *t, int64_t at, double complex z) {
    const int64_t i = is_complex(t->dtype) ? 2 * at : at;
    for (int part = 0; part <= (int)is_complex(t->dtype); ++part) {
        const double v = part == 0 ? creal(z) : cimag(z);
        if (is_single(t->dtype)) {
            ((float *)t->data)[i + part] = (float)v;
        } else {
            ((double *)t->data)[i + part] = v;
        }
    }
}

__attribute__((unused)) static int64_t elements(const gm_tensor *t) {
    int64_t count;
    assert_int_equal(gm_tensor_elements(t, &count), GM_STATUS_OK);
    return count;
}

/* A row-major tensor in memory of its own, all NaN. */
__attribute__((unused)) static gm_tensor make(gm_dtype dtype, int32_t ndim, const int64_t *shape) {
    gm_tensor t;
    assert_int_equal(gm_tensor_view(NULL, dtype, ndim, shape, &t), GM_STATUS_OK);
    const size_t bytes = (size_t)elements(&t) * gm_dtype_size(dtype);
    t.data = malloc(bytes + 1);
    memset(t.data, 0xff, bytes);
    return t;
}

__attribute__((unused)) static gm_tensor make_1d(gm_dtype dtype, int64_t n) {
    return make(dtype, 1, &n);
}

__attribute__((unused)) static gm_tensor make_random(gm_dtype dtype, int32_t ndim,
                                                     const int64_t *shape, uint64_t seed) {
    gm_tensor t = make(dtype, ndim, shape);
    for (int64_t e = 0; e < elements(&t); ++e) {
        const double re = (double)(int64_t)next_random(&seed) * 0x1p-63;
        put(&t, e, CMPLX(re, (double)(int64_t)next_random(&seed) * 0x1p-63));
    }
    return t;
}

__attribute__((unused)) static gm_dtype real_type(bool single) {
    return single ? GM_F32 : GM_F64;
}

__attribute__((unused)) static gm_dtype complex_type(bool single) {
    return single ? GM_C64 : GM_C128;
}

__attribute__((unused)) static bool complex_in(gm_fft_kind kind) {
    return kind <= GM_FFT_INVERSE || kind == GM_FFT_COMPLEX_TO_REAL;
}

__attribute__((unused)) static bool complex_out(gm_fft_kind kind) {
    return kind <= GM_FFT_REAL_TO_COMPLEX;
}

__attribute__((unused)) static gm_dtype in_type(gm_fft_kind kind, bool single) {
    return complex_in(kind) ? complex_type(single) : real_type(single);
}

__attribute__((unused)) static gm_dtype out_type(gm_fft_kind kind, bool single) {
    return complex_out(kind) ? complex_type(single) : real_type(single);
}

__attribute__((unused)) static int64_t half(int64_t n) {
    return n > 0 ? n / 2 + 1 : 0;
}

__attribute__((unused)) static int64_t in_length(gm_fft_kind kind, int64_t n) {
    return kind == GM_FFT_COMPLEX_TO_REAL ? half(n) : n;
}

__attribute__((unused)) static int64_t out_length(gm_fft_kind kind, int64_t n) {
    return kind == GM_FFT_REAL_TO_COMPLEX ? half(n) : n;
}

/* Plan, workspace full of NaN between guard bytes, execute, guards checked. */
__attribute__((unused)) static void run(const target *t, const gm_fft_options *options,
                                        const gm_tensor *in, const gm_tensor *out) {
    enum { GUARD = 64 };
    gm_fft_plan *plan;
    int64_t bytes;
    ASSERT_OK(t->context, gm_fft_plan_create(t->context, options, &plan));
    ASSERT_OK(t->context, gm_fft_workspace_size(plan, &bytes));
    assert_int_equal(bytes % 64, 0);
    uint8_t *memory = aligned_alloc(64, (size_t)bytes + 2 * GUARD);
    memset(memory, 0xff, (size_t)bytes + 2 * GUARD);
    ASSERT_OK(t->context, gm_fft_execute(plan, in, memory + GUARD, bytes, out));
    for (int g = 0; g < GUARD; ++g) {
        assert_int_equal(memory[g], 0xff);
        assert_int_equal(memory[GUARD + bytes + g], 0xff);
    }
    free(memory);
    gm_fft_plan_destroy(plan);
}

__attribute__((unused)) static gm_fft_options options_1d(gm_fft_kind kind, bool single, int64_t n) {
    return (gm_fft_options){.dtype = real_type(single), .kind = kind, .length = {n}};
}

/* |a - b| and |b| in the 2-norm over n entries from `at` on. */
__attribute__((unused)) static double distance(const gm_tensor *a, const gm_tensor *b, int64_t at,
                                               int64_t n, double *norm) {
    double error = 0, size = 0;
    for (int64_t e = at; e < at + n; ++e) {
        const double complex difference = get(a, e) - get(b, e);
        error += creal(difference * conj(difference));
        size += creal(get(b, e) * conj(get(b, e)));
    }
    *norm = sqrt(size);
    return sqrt(error);
}

__attribute__((unused)) static int64_t largest_factor(int64_t n) {
    int64_t largest = 1;
    for (int64_t p = 2; p <= n; ++p) {
        for (; n % p == 0; n /= p) {
            largest = p;
        }
    }
    return largest;
}

/*
 * The relative bound of a comparison in the 2-norm. Higham, Accuracy and Stability of Numerical
 * Algorithms, theorem 24.2: c u log2(n), c about 7 (u = eps/2) in the worst case; here c = 2, i.e.
 * eps (1 + log2 n), and for lengths with a prime factor over 47, which take two transforms of a
 * length under 4n and one in the tables, 3 eps (1 + log2 4n).
 */
__attribute__((unused)) static double bound(bool single, int64_t n) {
    const double eps = single ? (double)FLT_EPSILON : DBL_EPSILON;
    return largest_factor(n) > 47 ? 3 * eps * (1 + log2(4 * (double)n))
                                  : eps * (1 + log2((double)(n > 1 ? n : 1)));
}

__attribute__((unused)) static const int64_t lengths[] = {
    1,  2,   3,   4,   5,   6,   7,   8,   9,    16,   31,   32,   47,   49,   64,  94,
    97, 100, 101, 128, 210, 243, 256, 360, 1000, 1001, 1009, 1024, 2018, 2209, 4096};
__attribute__((unused)) static const gm_fft_kind kinds[] = {
    GM_FFT_FORWARD,         GM_FFT_INVERSE, GM_FFT_REAL_TO_COMPLEX,
    GM_FFT_COMPLEX_TO_REAL, GM_FFT_DCT2,    GM_FFT_DCT3};

#endif
