/* What the tests of gm_fft_*, and of what is built on it, share: arrays of any type, runs. */
#ifndef GENMATH_TESTS_FFT_FIXTURE_H
#define GENMATH_TESTS_FFT_FIXTURE_H

#include "targets.h"

#include <complex.h>
#include <float.h>
#include <math.h>

#include <genmath/fft.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

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

/* A tensor in a target's memory: the bytes between its lowest and highest element. */
typedef struct placed {
    gm_tensor view;
    void *memory;
    char *host; /* where those bytes are here */
    size_t bytes;
} placed;

__attribute__((unused)) static bool is_empty(const gm_tensor *t) {
    return t->data == NULL || elements(t) == 0;
}

/* NULL and empty tensors stay as they are. A view of the same bytes as `same` shares its memory. */
__attribute__((unused)) static placed place(const target *t, const gm_tensor *tensor,
                                            const placed *same) {
    placed p = {.view = tensor != NULL ? *tensor : (gm_tensor){0}};
    if (tensor == NULL || is_empty(tensor)) {
        return p;
    }
    int64_t low = 0, high = 0;
    for (int32_t a = 0; a < tensor->ndim; ++a) {
        const int64_t reach = (tensor->shape[a] - 1) * tensor->stride[a];
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    const int64_t size = (int64_t)gm_dtype_size(tensor->dtype);
    p.host = (char *)tensor->data + low * size;
    p.bytes = (size_t)((high - low + 1) * size);
    if (same != NULL && same->host == p.host) {
        p.view.data = (char *)same->memory - low * size;
        return p;
    }
    ASSERT_OK(t->context, gm_memory_alloc(t->context, p.bytes, &p.memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, p.memory, p.host, p.bytes));
    p.view.data = (char *)p.memory - low * size;
    return p;
}

/* Makes every element NaN, so that what is not written shows. */
__attribute__((unused)) static void poison(const gm_tensor *t) {
    for (int64_t e = 0; !is_empty(t) && e < elements(t); ++e) {
        int64_t at = 0, rest = e;
        for (int32_t a = t->ndim - 1; a >= 0; --a) {
            at += rest % t->shape[a] * t->stride[a];
            rest /= t->shape[a];
        }
        put(t, at, CMPLX(NAN, NAN));
    }
}

/* Brings the bytes back and frees the memory. */
__attribute__((unused)) static void fetch(const target *t, placed *p) {
    if (p->memory != NULL) {
        ASSERT_OK(t->context, gm_memory_download(t->context, p->host, p->memory, p->bytes));
        ASSERT_OK(t->context, gm_memory_free(t->context, p->memory));
    }
}

/* A workspace full of NaN between guard bytes, which are looked at when it is given back. */
enum { GUARD = 64 };
__attribute__((unused)) static char *guarded(const target *t, int64_t bytes) {
    void *memory;
    ASSERT_OK(t->context, gm_memory_alloc(t->context, (size_t)bytes + 2 * GUARD, &memory));
    static uint8_t filling[1 << 16];
    memset(filling, 0xff, sizeof filling);
    const size_t all = (size_t)bytes + 2 * GUARD;
    for (size_t at = 0; at < all; at += sizeof filling) {
        const size_t some = all - at < sizeof filling ? all - at : sizeof filling;
        ASSERT_OK(t->context, gm_memory_upload(t->context, (char *)memory + at, filling, some));
    }
    return (char *)memory + GUARD;
}

__attribute__((unused)) static void check_guards(const target *t, char *workspace, int64_t bytes) {
    uint8_t guards[2 * GUARD];
    ASSERT_OK(t->context, gm_memory_download(t->context, guards, workspace - GUARD, GUARD));
    ASSERT_OK(t->context, gm_memory_download(t->context, guards + GUARD, workspace + bytes, GUARD));
    for (int g = 0; g < 2 * GUARD; ++g) {
        assert_int_equal(guards[g], 0xff);
    }
    ASSERT_OK(t->context, gm_memory_free(t->context, workspace - GUARD));
}

/* Plan, workspace, execute, guards checked. */
__attribute__((unused)) static void run(const target *t, const gm_fft_options *options,
                                        const gm_tensor *in, const gm_tensor *out) {
    gm_fft_plan *plan;
    int64_t bytes;
    ASSERT_OK(t->context, gm_fft_plan_create(t->context, options, &plan));
    ASSERT_OK(t->context, gm_fft_workspace_size(plan, &bytes));
    assert_int_equal(bytes % 64, 0);
    char *workspace = guarded(t, bytes);
    if (in->data != out->data) {
        poison(out);
    }
    placed from = place(t, in, NULL), to = place(t, out, &from);
    ASSERT_OK(t->context, gm_fft_execute(plan, &from.view, workspace, bytes, &to.view));
    ASSERT_OK(t->context, gm_context_synchronize(t->context));
    fetch(t, &from);
    fetch(t, &to);
    check_guards(t, workspace, bytes);
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
