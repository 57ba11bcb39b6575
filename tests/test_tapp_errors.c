/*
 * TAPP: every error of shapes and of executions, batches given in odd ways, lifetimes, threads.
 */
#include "tests/tapp_fixture.h"

#include <pthread.h>

static void assert_code(TAPP_error error, int code, const char *part) {
    assert_error(error, TAPP_ERROR_TYPE_TAPP, code, part);
}

/* ---- errors of shapes ------------------------------------------------------------------------ */

typedef struct shape {
    int nmode;
    int64_t idx[3], extent[3], stride[3];
} shape;

typedef struct wrong {
    int code;
    const char *part;
    shape x[TAPP_TENSORS];
} wrong;

#define IK                                                                                         \
    {                                                                                              \
        2, {1, 3}, {2, 4}, {                                                                       \
            4, 1                                                                                   \
        }                                                                                          \
    }

static const wrong shapes[] = {
    {TAPP_ERR_SUCCESS, "", {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, IK, IK}},
    {TAPP_ERR_EXTENTS_AB,
     "index 2 is 3 in A and 5 in B",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {5, 4}, {4, 1}}, IK, IK}},
    {TAPP_ERR_EXTENTS_AB, /* 1 does not broadcast */
     "index 2 is 1 in A and 5 in B",
     {{2, {1, 2}, {2, 1}, {3, 1}}, {2, {2, 3}, {5, 4}, {4, 1}}, IK, IK}},
    {TAPP_ERR_EXTENTS_AD,
     "index 1 is 5 in A and 2 in D",
     {{2, {1, 2}, {5, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, IK, IK}},
    {TAPP_ERR_EXTENTS_AD,
     "index 1 is 1 in A and 2 in D",
     {{2, {1, 2}, {1, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, IK, IK}},
    {TAPP_ERR_EXTENTS_BD,
     "index 3 is 5 in B and 4 in D",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 5}, {5, 1}}, IK, IK}},
    {TAPP_ERR_D_UNSHARED_IDX, "index 3", {{2, {1, 2}, {2, 3}, {3, 1}}, {1, {2}, {3}, {1}}, IK, IK}},
    {TAPP_ERR_D_UNSHARED_IDX, /* of extent 1 too */
     "index 9",
     {{1, {1}, {2}, {1}}, {0}, {2, {1, 9}, {2, 1}, {1, 1}}, {2, {1, 9}, {2, 1}, {1, 1}}}},
    {TAPP_ERR_CD_NDIM,
     "1 in C, 2 in D",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, {1, {1}, {2}, {1}}, IK}},
    {TAPP_ERR_CD_IDX,
     "mode 0 is 3 in C and 1 in D",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, {2, {3, 1}, {4, 2}, {2, 1}}, IK}},
    {TAPP_ERR_EXTENTS_CD,
     "mode 1 is 1 in C and 4 in D",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, {2, {1, 3}, {2, 1}, {1, 1}}, IK}},
    {TAPP_ERR_D_ALIASING,
     "",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, IK, {2, {1, 3}, {2, 4}, {3, 1}}}},
    {TAPP_ERR_D_ALIASING,
     "",
     {{2, {1, 2}, {2, 3}, {3, 1}}, {2, {2, 3}, {3, 4}, {4, 1}}, IK, {2, {1, 3}, {2, 4}, {0, 1}}}},
    {TAPP_ERR_D_ALIASING, /* the diagonal stands still */
     "",
     {{1, {1}, {2}, {1}}, {0}, {2, {1, 1}, {2, 2}, {1, 1}}, {2, {1, 1}, {2, 2}, {1, -1}}}},
    {TAPP_ERR_A_IDX_EXTENTS,
     "index 1 of A is 2 in mode 0 and 3 in mode 1",
     {{2, {1, 1}, {2, 3}, {3, 1}}, {0}, {0}, {0}}},
    {TAPP_ERR_B_IDX_EXTENTS,
     "index 1 of B is 2 in mode 0 and 1 in mode 1",
     {{0}, {2, {1, 1}, {2, 1}, {3, 1}}, {0}, {0}}},
    {TAPP_ERR_D_IDX_EXTENTS,
     "index 1 of D is 2 in mode 0 and 3 in mode 2",
     {{1, {1}, {2}, {1}}, {1, {2}, {3}, {1}}, {0}, {3, {1, 2, 1}, {2, 3, 3}, {9, 3, 1}}}},
};

/* Infos of one type, and the product. */
static TAPP_error try_shapes(const target *t, const shape *x, TAPP_datatype type,
                             TAPP_tensor_product *product) {
    TAPP_tensor_info info[TAPP_TENSORS];
    for (int k = 0; k < TAPP_TENSORS; ++k) {
        assert_success(TAPP_create_tensor_info(&info[k], t->handle, type, x[k].nmode, x[k].extent,
                                               x[k].stride));
    }
    const TAPP_error error =
        TAPP_create_tensor_product(product, t->handle, 0, info[0], x[0].idx, 0, info[1], x[1].idx,
                                   0, info[2], x[2].idx, 0, info[3], x[3].idx, TAPP_DEFAULT_PREC);
    for (int k = 0; k < TAPP_TENSORS; ++k) {
        assert_success(TAPP_destroy_tensor_info(info[k]));
    }
    return error;
}

static void test_shapes(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(shapes); ++i) {
            TAPP_tensor_product product = -1;
            const TAPP_error error = try_shapes(t, shapes[i].x, TAPP_F64, &product);
            assert_code(error, shapes[i].code, shapes[i].part);
            assert_int_equal(product != 0, TAPP_check_success(error));
            if (product != 0) {
                assert_success(TAPP_destroy_tensor_product(product));
            }
        }
    }
}

/* ---- limits ---------------------------------------------------------------------------------- */

static TAPP_error many_modes(const target *t, int modes, int64_t extent,
                             TAPP_tensor_product *product) {
    int64_t idx[64], extents[64], strides[64];
    TAPP_tensor_info info, scalar;
    for (int i = 0; i < modes; ++i) {
        idx[i] = i;
        extents[i] = extent;
        strides[i] = 0;
    }
    assert_success(TAPP_create_tensor_info(&info, t->handle, TAPP_F64, modes, extents, strides));
    assert_success(TAPP_create_tensor_info(&scalar, t->handle, TAPP_F64, 0, NULL, NULL));
    const TAPP_error error =
        TAPP_create_tensor_product(product, t->handle, 0, info, idx, 0, scalar, NULL, 0, scalar,
                                   NULL, 0, scalar, NULL, TAPP_DEFAULT_PREC);
    assert_success(TAPP_destroy_tensor_info(info));
    assert_success(TAPP_destroy_tensor_info(scalar));
    return error;
}

static void test_limits(void **state) {
    (void)state;
    TAPP_tensor_product product;
    FOR_EACH_TARGET(t) {
        assert_code(many_modes(t, 33, 2, &product), TAPP_ERR_NOT_IMPLEMENTED, "more than 32");
        assert_success(many_modes(t, 32, 2, &product));
        assert_success(TAPP_destroy_tensor_product(product));
        assert_success(many_modes(t, 64, 1, &product));
        assert_success(TAPP_destroy_tensor_product(product));
        const shape far[] = {{2, {1, 1}, {2, 2}, {INT64_MAX, INT64_MAX}}, {0}, {0}, {0}};
        assert_invalid(try_shapes(t, far, TAPP_F32, &product), "reach over");
    }
}

typedef struct typing {
    TAPP_datatype x[TAPP_TENSORS];
    TAPP_prectype precision;
    gm_dtype compute, output;
} typing;

static const typing typings[] = {
    {{TAPP_F32, TAPP_F32, TAPP_F32, TAPP_F32}, TAPP_DEFAULT_PREC, GM_F32, GM_F32},
    {{TAPP_F64, TAPP_F32, TAPP_F32, TAPP_F32}, TAPP_DEFAULT_PREC, GM_F64, GM_F64},
    {{TAPP_F32, TAPP_F64, TAPP_F32, TAPP_F32}, TAPP_F32F32_ACCUM_F32, GM_F64, GM_F64},
    {{TAPP_F32, TAPP_F32, TAPP_F32, TAPP_F64}, TAPP_DEFAULT_PREC, GM_F64, GM_F64},
    {{TAPP_F32, TAPP_F32, TAPP_F64, TAPP_F32}, TAPP_DEFAULT_PREC, GM_F32, GM_F32},
    {{TAPP_F32, TAPP_F32, TAPP_F32, TAPP_F32}, TAPP_F_7_DIGITS, GM_F32, GM_F32},
    {{TAPP_F32, TAPP_F32, TAPP_F32, TAPP_F32}, TAPP_F_8_DIGITS, GM_F64, GM_F64},
    {{TAPP_F16, TAPP_F16, TAPP_F16, TAPP_F16}, TAPP_DEFAULT_PREC, GM_F16, GM_F16},
    {{TAPP_F16, TAPP_F16, TAPP_F32, TAPP_F32}, TAPP_F16F16_ACCUM_F32, GM_F16, GM_F32},
    {{TAPP_BF16, TAPP_BF16, TAPP_F16, TAPP_F16}, TAPP_BF16BF16_ACCUM_F32, GM_BF16, GM_F16},
    {{TAPP_F16, TAPP_BF16, TAPP_F16, TAPP_F16}, TAPP_DEFAULT_PREC, GM_F32, GM_F32},
    {{TAPP_F16, TAPP_F16, TAPP_F16, TAPP_F16}, TAPP_F64F64_ACCUM_F64, GM_F64, GM_F64},
    {{TAPP_C32, TAPP_F32, TAPP_C32, TAPP_C32}, TAPP_DEFAULT_PREC, GM_C64, GM_C64},
    {{TAPP_F32, TAPP_F32, TAPP_C32, TAPP_C32}, TAPP_DEFAULT_PREC, GM_C64, GM_C64},
    {{TAPP_C32, TAPP_F64, TAPP_C32, TAPP_C32}, TAPP_DEFAULT_PREC, GM_C128, GM_C128},
    {{TAPP_C32, TAPP_C32, TAPP_F32, TAPP_F32}, TAPP_DEFAULT_PREC, GM_DTYPE_COUNT, GM_F32},
    {{TAPP_F32, TAPP_F32, TAPP_C32, TAPP_F32}, TAPP_DEFAULT_PREC, GM_DTYPE_COUNT, GM_F32},
};

static void test_types(void **state) {
    (void)state;
    const target *t = &targets[0]; /* ref */
    for (int i = 0; i < COUNT(typings); ++i) {
        const typing *y = &typings[i];
        TAPP_tensor_info info[TAPP_TENSORS];
        TAPP_tensor_product product;
        for (int k = 0; k < TAPP_TENSORS; ++k) {
            assert_success(TAPP_create_tensor_info(&info[k], t->handle, y->x[k], 0, NULL, NULL));
        }
        const TAPP_error error =
            TAPP_create_tensor_product(&product, t->handle, 0, info[0], NULL, 0, info[1], NULL, 0,
                                       info[2], NULL, 0, info[3], NULL, y->precision);
        if (y->compute == GM_DTYPE_COUNT) {
            assert_code(error, TAPP_ERR_NOT_IMPLEMENTED, "complex tensor with a real D");
        } else {
            assert_success(error);
            const tapp_product *inside = tapp_object_find(TAPP_KIND_PRODUCT, product);
            assert_int_equal(inside->compute, y->compute);
            assert_int_equal(inside->output, y->output);
            assert_success(TAPP_destroy_tensor_product(product));
        }
        for (int k = 0; k < TAPP_TENSORS; ++k) {
            assert_success(TAPP_destroy_tensor_info(info[k]));
        }
    }
}

/* A copy is no larger than what a broadcast tensor holds, and conjugations go where it costs less.
 */
static void test_copies(void **state) {
    (void)state;
    const target *t = &targets[0];
    const int64_t a[] = {1000, 2}, still[] = {0, 1}, moves[] = {2, 1}, ij[] = {1, 2}, j[] = {2};
    TAPP_tensor_info broadcast, full, d;
    TAPP_tensor_product p;
    assert_success(TAPP_create_tensor_info(&broadcast, t->handle, TAPP_C32, 2, a, still));
    assert_success(TAPP_create_tensor_info(&full, t->handle, TAPP_C32, 2, a, moves));
    assert_success(TAPP_create_tensor_info(&d, t->handle, TAPP_C32, 1, &a[1], &still[1]));
    assert_success(TAPP_create_tensor_product(&p, t->handle, 1, broadcast, ij, 0, full, ij, 0, d, j,
                                              0, d, j, TAPP_DEFAULT_PREC));
    const tapp_product *inside = tapp_object_find(TAPP_KIND_PRODUCT, p);
    assert_in_range(inside->once.bytes, 16, 64);
    assert_success(TAPP_destroy_tensor_product(p));
    assert_success(TAPP_create_tensor_product(&p, t->handle, 1, full, ij, 1, full, ij, 0, d, j, 0,
                                              d, j, TAPP_DEFAULT_PREC));
    inside = tapp_object_find(TAPP_KIND_PRODUCT, p);
    assert_true(inside->conjugate[TAPP_C] && inside->conjugate[TAPP_D]);
    assert_true(!inside->conjugate[TAPP_A] && !inside->conjugate[TAPP_B]);
    assert_success(TAPP_destroy_tensor_product(p));
    assert_success(TAPP_destroy_tensor_info(broadcast));
    assert_success(TAPP_destroy_tensor_info(full));
    assert_success(TAPP_destroy_tensor_info(d));
}

/* The kind of arithmetic, by a sum that single precision loses. */
static void test_precision_is_kept(void **state) {
    (void)state;
    const int64_t n = 3, one = 1;
    const float a[] = {16777216, 1, -16777216}, b[] = {1, 1, 1}, alpha = 1, beta = 0;
    const target *t = &targets[0]; /* ref */
    TAPP_tensor_info v, s;
    assert_success(TAPP_create_tensor_info(&v, t->handle, TAPP_F32, 1, &n, &one));
    assert_success(TAPP_create_tensor_info(&s, t->handle, TAPP_F32, 0, NULL, NULL));
    static const TAPP_prectype doubles[] = {TAPP_F64F64_ACCUM_F64, TAPP_F_8_DIGITS};
    for (int i = 0; i < 2; ++i) {
        float d = -1;
        TAPP_tensor_product p;
        assert_success(TAPP_create_tensor_product(&p, t->handle, 0, v, &one, 0, v, &one, 0, 0, NULL,
                                                  0, s, NULL, doubles[i]));
        const tapp_product *inside = tapp_object_find(TAPP_KIND_PRODUCT, p);
        assert_int_equal(inside->compute, GM_F64);
        assert_success(TAPP_execute_product(p, t->executor, NULL, &alpha, a, b, &beta, NULL, &d));
        assert_true(d == 1);
        assert_success(TAPP_destroy_tensor_product(p));
    }
    assert_success(TAPP_destroy_tensor_info(v));
    assert_success(TAPP_destroy_tensor_info(s));
}

/* ---- executions ------------------------------------------------------------------------------ */

enum { ROOM = 256 };

/* Memory of a target with 0, 1, 2 ... in it, and the product d[i, k] = a[i, j] b[j, k] of 2 by 2.
 */
typedef struct bench {
    const target *t;
    double *memory;
    double alpha, beta;
    TAPP_tensor_product product;
} bench;

static bench open_bench(const target *t) {
    bench b = {.t = t, .alpha = 1};
    double values[ROOM];
    void *memory;
    const shape x[] = {{2, {1, 2}, {2, 2}, {2, 1}},
                       {2, {2, 3}, {2, 2}, {2, 1}},
                       {2, {1, 3}, {2, 2}, {2, 1}},
                       {2, {1, 3}, {2, 2}, {2, 1}}};
    for (int i = 0; i < ROOM; ++i) {
        values[i] = i;
    }
    ASSERT_OK(t->context, gm_memory_alloc(t->context, sizeof values, &memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, memory, values, sizeof values));
    b.memory = memory;
    assert_success(try_shapes(t, x, TAPP_F64, &b.product));
    return b;
}

static void close_bench(bench *b) {
    assert_success(TAPP_destroy_tensor_product(b->product));
    ASSERT_OK(b->t->context, gm_memory_free(b->t->context, b->memory));
}

/* D at `place` is the product of the matrices that start with numbers a and b. */
static void assert_product(const bench *b, int place, double x, double y) {
    double d[4];
    ASSERT_OK(b->t->context, gm_memory_download(b->t->context, d, b->memory + place, sizeof d));
    for (int i = 0; i < 2; ++i) {
        for (int k = 0; k < 2; ++k) {
            assert_true(d[2 * i + k] == (x + 2 * i) * (y + k) + (x + 2 * i + 1) * (y + 2 + k));
        }
    }
}

/* Batches at the places given; an expected error of success is checked by the results. */
static TAPP_error run_batches(bench *b, int count, const int *a_at, const int *b_at,
                              const int *d_at) {
    const void *x[8], *y[8];
    void *d[8];
    for (int i = 0; i < count; ++i) {
        x[i] = b->memory + a_at[i];
        y[i] = b->memory + b_at[i];
        d[i] = b->memory + d_at[i];
    }
    const TAPP_error error = TAPP_execute_batched_product(b->product, b->t->executor, NULL, count,
                                                          &b->alpha, x, y, &b->beta, NULL, d);
    assert_success(TAPP_executor_wait(b->t->executor));
    for (int i = 0; i < count && TAPP_check_success(error); ++i) {
        assert_product(b, d_at[i], a_at[i], b_at[i]);
    }
    return error;
}

static int spaced_runs(const bench *b) {
    const tapp_product *inside = tapp_object_find(TAPP_KIND_PRODUCT, b->product);
    int made = 0;
    for (int i = 0; i < TAPP_SPACINGS; ++i) {
        made += inside->spaced[i].is_made && inside->spaced[i].is_usable;
    }
    return made;
}

static void test_odd_batches(void **state) {
    (void)state;
    static const int apart[] = {0, 4, 8, 12, 16}, same[] = {20, 20, 20, 20, 20},
                     odd[] = {0, 5, 9, 30, 31}, back[] = {100, 92, 84, 76, 68},
                     result[] = {120, 124, 128, 132, 136}, mixed_a[] = {140, 152, 164},
                     mixed_b[] = {144, 156, 168}, mixed_d[] = {148, 160, 172};
    FOR_EACH_TARGET(t) {
        bench b = open_bench(t);
        assert_success(TAPP_execute_batched_product(b.product, t->executor, NULL, 0, &b.alpha, NULL,
                                                    NULL, &b.beta, NULL, NULL));
        assert_success(run_batches(&b, 5, apart, same, result));
        assert_int_equal(spaced_runs(&b), 1);
        assert_success(run_batches(&b, 5, apart, same, result));
        assert_int_equal(spaced_runs(&b), 1); /* kept */
        assert_success(run_batches(&b, 5, same, same, result));
        assert_success(run_batches(&b, 5, back, apart, result));
        assert_int_equal(spaced_runs(&b), 3);
        assert_success(run_batches(&b, 5, odd, apart, result));
        assert_int_equal(spaced_runs(&b), 3);
        for (int count = 1; count <= 5; ++count) { /* more spacings than are kept */
            assert_success(run_batches(&b, count, apart, same, result));
        }
        assert_int_equal(spaced_runs(&b), TAPP_SPACINGS);
        assert_success(run_batches(&b, 3, mixed_a, mixed_b, mixed_d)); /* interleaved */
        static const int one_d[] = {200, 200, 200};
        assert_success(run_batches(&b, 3, same, same, one_d)); /* D over and over */
        close_bench(&b);
    }
}

/* Complex numbers one and a half of them apart: no whole number of elements. */
static void test_uneven_spacing(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        const shape x[] = {{0}, {0}, {0}, {0}};
        bench b = open_bench(t);
        const double alpha[] = {1, 0}, beta[] = {0, 0};
        TAPP_tensor_product product;
        const void *a[] = {b.memory, b.memory + 3, b.memory + 6},
                   *one[] = {b.memory + 1, b.memory + 4, b.memory + 7};
        void *d[] = {b.memory + 100, b.memory + 103, b.memory + 106};
        double got[8];
        assert_success(try_shapes(t, x, TAPP_C64, &product));
        const TAPP_error error = TAPP_execute_batched_product(product, t->executor, NULL, 3, alpha,
                                                              a, one, beta, NULL, d);
        if (t->is_device) {
            assert_invalid(error, "is not aligned to its 16-byte elements");
        } else {
            assert_success(error);
            ASSERT_OK(t->context, gm_memory_download(t->context, got, b.memory + 100, sizeof got));
            assert_true(got[0] == -2 && got[1] == 1); /* i (1 + 2 i) */
            assert_true(got[2] == 102 && got[5] == 105);
            assert_true(got[3] == -8 && got[4] == 31); /* (3 + 4 i) (4 + 5 i) */
            assert_true(got[6] == -14 && got[7] == 97);
        }
        assert_success(TAPP_destroy_tensor_product(product));
        close_bench(&b);
    }
}

static void test_refused_executions(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        bench b = open_bench(t);
        double *m = b.memory;
        const void *x[] = {m, m + 4}, *c[] = {m + 8, NULL};
        void *d[] = {m + 100, m + 104};
        TAPP_status status = 5;
        const double one = 1;
        assert_code(TAPP_execute_product(b.product, t->executor, &status, &b.alpha, m, m, &one,
                                         NULL, m + 100),
                    TAPP_ERR_C_NULL_BETA, "");
        assert_int_equal(status, 0);
        assert_code(TAPP_execute_batched_product(b.product, t->executor, NULL, 2, &b.alpha, x, x,
                                                 &one, c, d),
                    TAPP_ERR_C_NULL_BETA, "batch 1");
        assert_code(TAPP_execute_batched_product(b.product, t->executor, NULL, 2, &b.alpha, x, x,
                                                 &one, NULL, d),
                    TAPP_ERR_C_NULL_BETA, "batch 0");
        assert_code(
            TAPP_execute_product(b.product, 0, NULL, &b.alpha, m, m, &b.beta, NULL, m + 100),
            TAPP_ERR_NO_EXECUTOR, "");
        assert_code(TAPP_execute_product(b.product, b.product, NULL, &b.alpha, m, m, &b.beta, NULL,
                                         m + 100),
                    TAPP_ERR_NO_EXECUTOR, "");
        assert_invalid(TAPP_execute_batched_product(b.product, t->executor, NULL, -1, &b.alpha, x,
                                                    x, &b.beta, NULL, d),
                       "num_batches = -1");
        assert_invalid(TAPP_execute_batched_product(b.product, t->executor, NULL, 2, &b.alpha, NULL,
                                                    x, &b.beta, NULL, d),
                       "A is NULL");
        assert_invalid(
            TAPP_execute_product(b.product, t->executor, NULL, NULL, m, m, NULL, NULL, m + 100),
            "alpha");
        assert_invalid(TAPP_execute_product(b.product, t->executor, NULL, &b.alpha, NULL, m,
                                            &b.beta, NULL, m + 100),
                       "inputs[0].data is NULL");
        assert_invalid(TAPP_execute_product(b.product, t->executor, NULL, &b.alpha, m, m, &b.beta,
                                            NULL, m + 3),
                       "overlap");
        double got[4];
        ASSERT_OK(t->context, gm_memory_download(t->context, got, m + 100, sizeof got));
        assert_true(got[0] == 100 && got[3] == 103); /* nothing was written */
        assert_success(TAPP_execute_product(b.product, t->executor, NULL, &b.alpha, m, m + 4, NULL,
                                            NULL, m + 100)); /* no beta is 0 */
        assert_product(&b, 100, 0, 4);
        close_bench(&b);
    }
}

static void test_lifetimes(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        target own = *t;
        TAPP_status status, all;
        TAPP_completion completion = -1;
        setenv("GENMATH_BACKEND", t->name, 1);
        assert_success(TAPP_create_handle(99, &own.handle));
        assert_success(TAPP_create_executor(&own.executor));
        bench b = open_bench(&own);
        assert_success(TAPP_destroy_handle(own.handle));
        double *m = b.memory;
        assert_success(TAPP_execute_product(b.product, own.executor, &status, &b.alpha, m, m + 4,
                                            &b.beta, NULL, m + 100));
        assert_success(TAPP_executor_get_status(own.executor, &all));
        assert_success(TAPP_executor_wait(own.executor));
        assert_success(TAPP_destroy_executor(own.executor));
        assert_product(&b, 100, 0, 4);
        close_bench(&b);
        assert_success(TAPP_status_check_completion(status, &completion, NULL));
        assert_int_equal(completion, TAPP_COMPLETE);
        assert_success(TAPP_status_check_completion(all, NULL, NULL));
        assert_success(TAPP_destroy_status(status));
        assert_success(TAPP_destroy_status(all));
        unsetenv("GENMATH_BACKEND");
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

/* One thread's place in the memory that all share. */
typedef struct job {
    bench *b;
    int place;
} job;

static void *execute_many(void *argument) {
    const job *j = argument;
    double *m = j->b->memory;
    for (int i = 0; i < 200; ++i) {
        TAPP_status status;
        TAPP_execute_product(j->b->product, j->b->t->executor, &status, &j->b->alpha, m + i % 50,
                             m + 60, &j->b->beta, NULL, m + j->place);
        TAPP_status_check_completion(status, NULL, NULL);
        TAPP_destroy_status(status);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        bench b = open_bench(t);
        pthread_t thread[4];
        job jobs[4];
        for (int i = 0; i < 4; ++i) {
            jobs[i] = (job){&b, 100 + 8 * i};
            assert_int_equal(pthread_create(&thread[i], NULL, execute_many, &jobs[i]), 0);
        }
        for (int i = 0; i < 4; ++i) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            assert_product(&b, jobs[i].place, 49, 60);
        }
        close_bench(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_precision_is_kept),
        cmocka_unit_test(test_odd_batches),
        cmocka_unit_test(test_uneven_spacing),
        cmocka_unit_test(test_refused_executions),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
