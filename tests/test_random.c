/*
 * gm_random_fill_*: every backend this machine can run, every instruction set, against the
 * reference and the known answers. philox.h itself is tested in test_noise.c.
 */
#include "targets.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include <genmath/philox.h>
#include <genmath/random.h>

/* ---- the functions under one name ------------------------------------------------------------ */

typedef struct fill_case {
    const char *name;
    gm_dtype dtype;
    gm_status (*fill)(gm_context *context, const gm_random_stream *stream, const gm_tensor *out);
} fill_case;

#define FILL(name, call)                                                                           \
    static gm_status name(gm_context *c, const gm_random_stream *s, const gm_tensor *out) {        \
        return call;                                                                               \
    }
FILL(u32, gm_random_fill_u32(c, s, out))
FILL(uniform, gm_random_fill_uniform(c, s, 0, 1, out))
FILL(uniform_range, gm_random_fill_uniform(c, s, -3.7, 0.123, out))
FILL(normal, gm_random_fill_normal(c, s, 0, 1, out))
FILL(normal_scaled, gm_random_fill_normal(c, s, 1.3, 0.7, out))
FILL(exponential, gm_random_fill_exponential(c, s, 2.7, out))
FILL(bernoulli, gm_random_fill_bernoulli(c, s, 0.3, out))
FILL(dice, gm_random_fill_integers(c, s, 1, 7, out))
FILL(often_refused, gm_random_fill_integers(c, s, -1000000000, 2000000000, out))
FILL(wide, gm_random_fill_integers(c, s, 0, INT64_C(1) << 32, out))
FILL(curand_u32, gm_random_fill_curand_u32(c, s->seed, 77, s->index, out))
FILL(curand_uniform, gm_random_fill_curand_uniform(c, s->seed, 77, s->index, out))

static const fill_case fills[] = {
    {"u32", GM_U32, u32},
    {"uniform f32", GM_F32, uniform},
    {"uniform f64", GM_F64, uniform},
    {"uniform range f32", GM_F32, uniform_range},
    {"uniform range f64", GM_F64, uniform_range},
    {"normal f32", GM_F32, normal},
    {"normal f64", GM_F64, normal},
    {"normal scaled f32", GM_F32, normal_scaled},
    {"normal scaled f64", GM_F64, normal_scaled},
    {"exponential f32", GM_F32, exponential},
    {"exponential f64", GM_F64, exponential},
    {"bernoulli u8", GM_U8, bernoulli},
    {"bernoulli bool", GM_BOOL, bernoulli},
    {"integers i32", GM_I32, dice},
    {"integers u32", GM_U32, wide},
    {"integers i64", GM_I64, wide},
    {"refused i32", GM_I32, often_refused},
    {"refused i64", GM_I64, often_refused},
    {"curand u32", GM_U32, curand_u32},
    {"curand f32", GM_F32, curand_uniform},
    {"curand f64", GM_F64, curand_uniform},
};
enum { FILLS = sizeof fills / sizeof *fills };

static void assert_ok(gm_context *context, gm_status status) {
    if (status != GM_STATUS_OK) {
        fail_msg("%s: %s", gm_status_name(status), gm_last_error(context));
    }
}

enum { GUARD = 64 };

/*
 * Fills a view of `bytes` bytes of backend memory that begins `offset` bytes in and is surrounded
 * by guard bytes, and copies the memory to host, guards included.
 */
static void fill_view(const target *t, const fill_case *f, gm_random_stream stream, gm_tensor view,
                      int64_t first_byte, size_t bytes, uint8_t *host) {
    void *memory;
    assert_ok(t->context, gm_memory_alloc(t->context, bytes + 2 * GUARD, &memory));
    memset(host, 0xa5, bytes + 2 * GUARD);
    assert_ok(t->context, gm_memory_upload(t->context, memory, host, bytes + 2 * GUARD));
    view.data = (char *)memory + GUARD + first_byte;
    const gm_status status = f->fill(t->context, &stream, &view);
    if (status != GM_STATUS_OK) {
        fail_msg("%s, %s: %s", t->name, f->name, gm_last_error(t->context));
    }
    assert_ok(t->context, gm_memory_download(t->context, host, memory, bytes + 2 * GUARD));
    assert_ok(t->context, gm_memory_free(t->context, memory));
}

/* The first n elements from stream.index on by the reference, one call. */
static void reference(const fill_case *f, gm_random_stream stream, int64_t n, uint8_t *host) {
    const size_t bytes = (size_t)n * gm_dtype_size(f->dtype);
    uint8_t *guarded = malloc(bytes + 2 * GUARD);
    fill_view(&backends[0], f, stream, gm_tensor_1d(NULL, f->dtype, n), 0, bytes, guarded);
    memcpy(host, guarded + GUARD, bytes);
    free(guarded);
}

/* ---- 1. errors ------------------------------------------------------------------------------- */

#define ASSERT_REFUSED(call)                                                                       \
    do {                                                                                           \
        assert_int_equal((call), GM_STATUS_INVALID_ARGUMENT);                                      \
        assert_true(strlen(gm_last_error(c)) > 5);                                                 \
    } while (0)

/* Claim: each bad argument is refused with a reason and nothing is written. */
static void test_errors(void **state) {
    (void)state;
    for (int i = 0; i < TARGETS; ++i) {
        gm_context *c = backends[i].context;
        if (c == NULL) {
            continue;
        }
        void *memory;
        uint8_t before[256], after[256];
        memset(before, 0x5a, sizeof before);
        assert_ok(c, gm_memory_alloc(c, sizeof before, &memory));
        assert_ok(c, gm_memory_upload(c, memory, before, sizeof before));
        const gm_random_stream good = {1, 0, 0}, bad = {1, 0, 256}, late = {1, UINT64_MAX - 14, 0};
        const gm_tensor f = gm_tensor_1d(memory, GM_F32, 16), d = gm_tensor_1d(memory, GM_F64, 16);
        const gm_tensor n = gm_tensor_1d(memory, GM_I32, 16), u = gm_tensor_1d(memory, GM_U32, 16);
        const gm_tensor h = gm_tensor_1d(memory, GM_F16, 16), b = gm_tensor_1d(memory, GM_U8, 16);
        gm_tensor overlapping = f, missing = gm_tensor_1d(NULL, GM_F32, 16), negative = f;
        overlapping.stride[0] = 0;
        negative.shape[0] = -1;
        assert_int_equal(gm_random_fill_u32(NULL, &good, &u), GM_STATUS_INVALID_ARGUMENT);
        assert_int_equal(gm_random_fill_normal(NULL, &good, 0, 1, &f), GM_STATUS_INVALID_ARGUMENT);
        for (int k = 0; k < FILLS; ++k) {
            assert_int_equal(fills[k].fill(NULL, &good, &f), GM_STATUS_INVALID_ARGUMENT);
            ASSERT_REFUSED(fills[k].fill(c, &good, NULL));
            ASSERT_REFUSED(fills[k].fill(c, &good, &h));
            ASSERT_REFUSED(fills[k].fill(c, &good, &missing));
            ASSERT_REFUSED(fills[k].fill(c, &good, &overlapping));
            ASSERT_REFUSED(fills[k].fill(c, &good, &negative));
            gm_tensor own = gm_tensor_1d(memory, fills[k].dtype, 16);
            ASSERT_REFUSED(fills[k].fill(c, &late, &own));
            if (strncmp(fills[k].name, "curand", 6) != 0) {
                ASSERT_REFUSED(fills[k].fill(c, &bad, &own));
            }
        }
        ASSERT_REFUSED(gm_random_fill_u32(c, NULL, &u));
        ASSERT_REFUSED(gm_random_fill_u32(c, &good, &f));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, 1, 1, &f));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, 2, 1, &f));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, NAN, 1, &f));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, 0, INFINITY, &d));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, -DBL_MAX, DBL_MAX, &d));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, 1, 1 + 1e-9, &f));
        ASSERT_REFUSED(gm_random_fill_uniform(c, &good, 0, 1, &u));
        ASSERT_REFUSED(gm_random_fill_normal(c, &good, NAN, 1, &f));
        ASSERT_REFUSED(gm_random_fill_normal(c, &good, 0, -1, &f));
        ASSERT_REFUSED(gm_random_fill_normal(c, &good, 0, 1e300, &f));
        ASSERT_REFUSED(gm_random_fill_exponential(c, &good, 0, &f));
        ASSERT_REFUSED(gm_random_fill_exponential(c, &good, 1e-300, &f));
        ASSERT_REFUSED(gm_random_fill_exponential(c, &good, INFINITY, &f));
        ASSERT_REFUSED(gm_random_fill_bernoulli(c, &good, -0.1, &b));
        ASSERT_REFUSED(gm_random_fill_bernoulli(c, &good, 1.1, &b));
        ASSERT_REFUSED(gm_random_fill_bernoulli(c, &good, NAN, &b));
        ASSERT_REFUSED(gm_random_fill_integers(c, &good, 5, 5, &n));
        ASSERT_REFUSED(gm_random_fill_integers(c, &good, 0, INT64_C(1) << 33, &n));
        ASSERT_REFUSED(gm_random_fill_integers(c, &good, 0, INT64_C(1) << 32, &n));
        ASSERT_REFUSED(gm_random_fill_integers(c, &good, -1, 5, &u));
        ASSERT_REFUSED(gm_random_fill_integers(c, &good, INT64_MIN, INT64_MAX, &n));
        assert_ok(c, gm_memory_download(c, after, memory, sizeof after));
        assert_memory_equal(before, after, sizeof before);
        assert_ok(c, gm_memory_free(c, memory));
    }
}

/* ---- 2. exact -------------------------------------------------------------------------------- */

/* Claim: element e is the draw the header says, on every backend. */
static void test_elements_are_the_draws_stated(void **state) {
    (void)state;
    enum { N = 41 };
    const gm_random_stream s = {0x123456789abcdef0u, (UINT64_C(1) << 34) - 18, GM_STREAM_USER + 3};
    for (int i = 0; i < TARGETS; ++i) {
        if (backends[i].context == NULL) {
            continue;
        }
        uint8_t host[N * 8 + 2 * GUARD];
        for (int k = 0; k < FILLS; ++k) {
            const fill_case *f = &fills[k];
            fill_view(&backends[i], f, s, gm_tensor_1d(NULL, f->dtype, N), 0,
                      N * gm_dtype_size(f->dtype), host);
            for (uint64_t e = 0; e < N; ++e) {
                const uint64_t p = s.index + e;
                const gm_words w = gm_philox_block(s.seed, p / 4, s.stream, 0);
                const gm_words pair = gm_philox_block(s.seed, p / 2, s.stream, 0);
                const uint32_t word = gm_word(w, p % 4);
                const void *at = host + GUARD + e * gm_dtype_size(f->dtype);
                if (f->fill == u32) {
                    assert_int_equal(*(const uint32_t *)at, word);
                } else if (f->fill == uniform && f->dtype == GM_F32) {
                    assert_true(*(const float *)at == gm_uniform_f32(word));
                } else if (f->fill == uniform) {
                    assert_true(*(const double *)at == (p % 2 ? gm_uniform_f64(pair.w2, pair.w3)
                                                              : gm_uniform_f64(pair.w0, pair.w1)));
                } else if (f->fill == normal && f->dtype == GM_F32) {
                    assert_true(*(const float *)at ==
                                gm_normal_f32(s.seed, p / 4, s.stream, p % 4));
                } else if (f->fill == normal) {
                    assert_true(*(const double *)at ==
                                gm_normal_f64(s.seed, p / 2, s.stream, p % 2));
                } else if (f->fill == bernoulli) {
                    assert_int_equal(*(const uint8_t *)at, word < 1288490189u); /* 0.3 * 2^32 */
                } else if (f->fill == dice) {
                    assert_int_equal(
                        *(const int32_t *)at,
                        1 + (int32_t)gm_bounded_u32(s.seed, p / 4, s.stream, p % 4, 6));
                }
            }
        }
    }
}

/* Claim: the fill gives what cuRAND gave for the same seed, subsequence and offset. */
static void test_curand_known_answers(void **state) {
    (void)state;
    char path[256], line[512];
    const char *folder = getenv("GENMATH_TEST_DATA");
    snprintf(path, sizeof path, "%s/philox_curand.txt", folder != NULL ? folder : "tests/data");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') {
            continue;
        }
        char *at = line;
        const uint64_t seed = strtoull(at, &at, 16), subsequence = strtoull(at, &at, 16);
        const uint64_t offset = strtoull(at, &at, 16);
        uint32_t words[6];
        float f[6];
        double d[6];
        for (int i = 0; i < 6; ++i) {
            words[i] = (uint32_t)strtoul(at, &at, 16);
        }
        for (int i = 0; i < 6; ++i) {
            f[i] = strtof(at, &at);
        }
        for (int i = 0; i < 6; ++i) {
            d[i] = strtod(at, &at);
        }
        for (int i = 0; i < TARGETS; ++i) {
            gm_context *c = backends[i].context;
            if (c == NULL) {
                continue;
            }
            void *memory;
            double got[6];
            assert_ok(c, gm_memory_alloc(c, sizeof got, &memory));
            const gm_tensor u = gm_tensor_1d(memory, GM_U32, 6);
            assert_ok(c, gm_random_fill_curand_u32(c, seed, subsequence, offset, &u));
            assert_ok(c, gm_memory_download(c, got, memory, sizeof words));
            assert_memory_equal(got, words, sizeof words);
            const gm_tensor t = gm_tensor_1d(memory, GM_F32, 6);
            assert_ok(c, gm_random_fill_curand_uniform(c, seed, subsequence, offset, &t));
            assert_ok(c, gm_memory_download(c, got, memory, sizeof f));
            assert_memory_equal(got, f, sizeof f);
            const gm_tensor v = gm_tensor_1d(memory, GM_F64, 6);
            assert_ok(c, gm_random_fill_curand_uniform(c, seed, subsequence, offset, &v));
            assert_ok(c, gm_memory_download(c, got, memory, sizeof d));
            assert_memory_equal(got, d, sizeof d);
            assert_ok(c, gm_memory_free(c, memory));
        }
    }
    fclose(file);
}

/* ---- 3. reference ---------------------------------------------------------------------------- */

/*
 * Claim: contiguous tensors have the reference's bits, whatever their size and first element, and
 * nothing around them is touched. Sizes about a block, a batch and a task; on the emulator the
 * small ones.
 */
static void test_contiguous_agrees_with_reference(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 3, 4, 5, 511, 1023, 1024, 1025, 2051, 70003};
    const uint64_t firsts[] = {
        0, 1, 2, 7, 1022, (UINT64_C(1) << 32) - 5, (UINT64_C(1) << 34) - 3, UINT64_MAX - 70003};
    enum { LARGEST = 70003 * 8 };
    uint8_t *expected = malloc(LARGEST), *got = malloc(LARGEST + 2 * GUARD);
    for (int k = 0; k < FILLS; ++k) {
        const size_t size = gm_dtype_size(fills[k].dtype);
        for (size_t a = 0; a < sizeof firsts / sizeof *firsts; ++a) {
            const gm_random_stream s = {99, firsts[a], 5};
            const int64_t largest = a % 4 == 1 ? 70003 : 2051;
            reference(&fills[k], s, largest, expected);
            for (size_t j = 0; j < sizeof sizes / sizeof *sizes; ++j) {
                const size_t bytes = (size_t)sizes[j] * size;
                for (int i = 1; i < TARGETS && sizes[j] <= largest; ++i) {
                    if (backends[i].context == NULL ||
                        (backends[i].options.backend == GM_BACKEND_EMU && sizes[j] > 1025)) {
                        continue;
                    }
                    fill_view(&backends[i], &fills[k], s,
                              gm_tensor_1d(NULL, fills[k].dtype, sizes[j]), 0, bytes, got);
                    if (memcmp(got + GUARD, expected, bytes) != 0) {
                        fail_msg("%s, %s: n = %lld, first = %llu: not the reference's bits",
                                 backends[i].name, fills[k].name, (long long)sizes[j],
                                 (unsigned long long)firsts[a]);
                    }
                    for (int g = 0; g < GUARD; ++g) {
                        assert_int_equal(got[g], 0xa5);
                        assert_int_equal(got[GUARD + bytes + (size_t)g], 0xa5);
                    }
                }
            }
        }
    }
    free(expected);
    free(got);
}

/* ---- 4. properties --------------------------------------------------------------------------- */

/* Claim: slices filled on their own make up the whole, on any backend: the first task of several
 * ranks. */
static void test_slices_make_the_whole(void **state) {
    (void)state;
    enum { N = 3000 };
    static uint8_t whole[N * 8], part[N * 8 + 2 * GUARD];
    const int64_t cuts[] = {0, 1, 6, 1000, 1001, 2048, N};
    const gm_random_stream s = {7, 12345, 0};
    for (int k = 0; k < FILLS; ++k) {
        const size_t size = gm_dtype_size(fills[k].dtype);
        reference(&fills[k], s, N, whole);
        for (int i = 0; i < TARGETS; ++i) {
            for (size_t j = 0; backends[i].context != NULL && j + 1 < sizeof cuts / sizeof *cuts;
                 ++j) {
                const gm_random_stream slice = {s.seed, s.index + (uint64_t)cuts[j], s.stream};
                const int64_t n = cuts[j + 1] - cuts[j];
                fill_view(&backends[i], &fills[k], slice, gm_tensor_1d(NULL, fills[k].dtype, n), 0,
                          (size_t)n * size, part);
                assert_memory_equal(part + GUARD, whole + (size_t)cuts[j] * size, (size_t)n * size);
            }
        }
    }
}

/* ---- 5. memory
 * ------------------------------------------------------------------------------------------------
 */

typedef struct view_case {
    int32_t ndim;
    int64_t shape[4], stride[4];
    int64_t first, span; /* elements: where element 0 lies, and how many the memory holds */
} view_case;

/* Claim: a view holds the elements in its own row-major order, and what lies between stays as it
 * was. */
static void test_views(void **state) {
    (void)state;
    const view_case views[] = {
        {0, {0}, {0}, 0, 1},
        {2, {7, 33}, {40, 1}, 0, 280}, /* padded rows */
        {2, {33, 7}, {1, 33}, 0, 231}, /* transposed */
        {1, {300}, {3}, 1, 901},       /* every third */
        {1, {300}, {-2}, 598, 599},    /* backwards */
        {3,
         {5, 1, 700},
         {701, 9999, 1},
         0,
         3505}, /* runs across a batch; a size of 1 has any stride */
        {4, {2, 3, 4, 5}, {60, 20, 5, 1}, 0, 120}, /* contiguous */
        {3, {3, 4, 5}, {1, 15, 3}, 0, 60},
    };
    enum { LARGEST = 3505 };
    static uint8_t expected[LARGEST * 8], got[LARGEST * 8 + 2 * GUARD];
    const gm_random_stream s = {21, 1021, 2};
    for (int k = 0; k < FILLS; ++k) {
        const size_t size = gm_dtype_size(fills[k].dtype);
        reference(&fills[k], s, LARGEST, expected);
        for (size_t v = 0; v < sizeof views / sizeof *views; ++v) {
            const view_case *view = &views[v];
            gm_tensor t = {NULL, fills[k].dtype, view->ndim, {0}, {0}};
            int64_t elements = 1;
            for (int32_t axis = 0; axis < view->ndim; ++axis) {
                t.shape[axis] = view->shape[axis];
                t.stride[axis] = view->stride[axis];
                elements *= view->shape[axis];
            }
            for (int i = 0; i < TARGETS; ++i) {
                if (backends[i].context == NULL) {
                    continue;
                }
                fill_view(&backends[i], &fills[k], s, t, view->first * (int64_t)size,
                          (size_t)view->span * size, got);
                for (int64_t e = 0; e < elements; ++e) {
                    int64_t offset = view->first, rest = e;
                    for (int32_t axis = view->ndim - 1; axis >= 0; --axis) {
                        offset += rest % view->shape[axis] * view->stride[axis];
                        rest /= view->shape[axis];
                    }
                    uint8_t *at = got + GUARD + (size_t)offset * size;
                    if (memcmp(at, expected + (size_t)e * size, size) != 0) {
                        fail_msg("%s, %s: view %zu, element %lld", backends[i].name, fills[k].name,
                                 v, (long long)e);
                    }
                    memset(at, 0xa5, size);
                }
                for (size_t byte = 0; byte < (size_t)view->span * size + 2 * GUARD; ++byte) {
                    assert_int_equal(got[byte], 0xa5);
                }
            }
        }
    }
}

static void test_zero_elements(void **state) {
    (void)state;
    for (int i = 0; i < TARGETS; ++i) {
        for (int k = 0; backends[i].context != NULL && k < FILLS; ++k) {
            gm_tensor t = gm_tensor_2d(NULL, fills[k].dtype, 0, 5);
            const gm_random_stream last = {1, UINT64_MAX, 0};
            assert_ok(backends[i].context, fills[k].fill(backends[i].context, &last, &t));
        }
    }
}

/* Claim: the path that ran is the one the context asked for. */
static void test_kernel_names(void **state) {
    (void)state;
    static const char *const expected[] = {"random_fill_ref", "random_fill_base",
                                           "random_fill_avx2", "random_fill_avx512"};
    for (int i = 0; i < 4; ++i) {
        if (backends[i].context != NULL) {
            float out[4];
            const gm_tensor t = gm_tensor_1d(out, GM_F32, 4);
            const gm_random_stream s = {0, 0, 0};
            assert_ok(backends[i].context,
                      gm_random_fill_normal(backends[i].context, &s, 0, 1, &t));
            assert_string_equal(gm_last_kernel(backends[i].context), expected[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_elements_are_the_draws_stated),
        cmocka_unit_test(test_curand_known_answers),
        cmocka_unit_test(test_contiguous_agrees_with_reference),
        cmocka_unit_test(test_slices_make_the_whole),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_zero_elements),
        cmocka_unit_test(test_kernel_names),
    };
    return cmocka_run_group_tests(tests, open_backends, close_backends);
}
