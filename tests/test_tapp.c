/*
 * TAPP: what the interface promises, against the sum written out over indices and strides as they
 * were given. Small integers, so that equality is to the bit.
 */
#include "tests/tapp_oracle.h"

/* ---- one problem ----------------------------------------------------------------------------- */

typedef struct problem {
    const char *name;
    shape a, b, c, d; /* c.idx NULL: as D */
} problem;

typedef struct variant {
    TAPP_datatype type[TAPP_TENSORS];
    TAPP_element_op op[TAPP_TENSORS];
    double complex alpha, beta;
    bool null_c, in_place;
    int batches; /* 0: one call of the plain kind */
    bool scattered;
    TAPP_prectype precision;
} variant;

static TAPP_error create_product(const target *t, const tensor *x, TAPP_prectype precision,
                                 TAPP_tensor_product *product) {
    return TAPP_create_tensor_product(product, t->handle, x[0].op, x[0].info, x[0].idx, x[1].op,
                                      x[1].info, x[1].idx, x[2].op, x[2].info, x[2].idx, x[3].op,
                                      x[3].info, x[3].idx, precision);
}

/* The order in which batches are given: not equally spaced if scattered. */
static int batch_of(const variant *v, int i) {
    static const int order[] = {1, 0, 2};
    return v->scattered ? order[i] : i;
}

static void execute(const target *t, const variant *v, const tensor *x,
                    TAPP_tensor_product product) {
    double complex alpha, beta;
    TAPP_status status;
    TAPP_completion completion;
    TAPP_error error;
    void *pointers[TAPP_TENSORS][BATCHES];
    put(x[TAPP_D].type, &alpha, 0, v->alpha);
    put(x[TAPP_D].type, &beta, 0, v->beta);
    for (int i = 0; i < BATCHES; ++i) {
        for (int k = 0; k < TAPP_TENSORS; ++k) {
            pointers[k][i] = at_batch(&x[k], batch_of(v, i));
        }
        pointers[TAPP_C][i] = v->null_c     ? NULL
                              : v->in_place ? pointers[TAPP_D][i]
                                            : pointers[TAPP_C][i];
    }
    void *(*p)[BATCHES] = pointers;
    assert_success(v->batches == 0 ? TAPP_execute_product(product, t->executor, &status, &alpha,
                                                          p[0][0], p[1][0], &beta, p[2][0], p[3][0])
                                   : TAPP_execute_batched_product(
                                         product, t->executor, &status, v->batches, &alpha,
                                         (const void **)p[0], (const void **)p[1], &beta,
                                         v->null_c ? NULL : (const void **)p[2], p[3]));
    assert_success(TAPP_status_check_completion(status, &completion, &error));
    assert_int_equal(completion, TAPP_COMPLETE);
    assert_success(error);
    assert_success(TAPP_status_get_error(status));
    assert_success(TAPP_destroy_status(status));
}

static void check(const target *t, const problem *p, const variant *v, uint64_t seed) {
    const shape *shapes[] = {&p->a, &p->b, p->c.idx != NULL && !v->in_place ? &p->c : &p->d, &p->d};
    tensor x[TAPP_TENSORS];
    TAPP_tensor_product product;
    for (int k = 0; k < TAPP_TENSORS; ++k) {
        describe(&x[k], shapes[k], v->type[k]);
        x[k].op = v->op[k];
        fill(t, &x[k], &seed);
    }
    const size_t bytes = (size_t)(x[TAPP_D].count * BATCHES) * sizeof(double complex);
    double complex *expected = malloc(bytes);
    assert_non_null(expected);
    memcpy(expected, x[TAPP_D].value, bytes);
    tensor c = x[TAPP_C];
    c.value = v->in_place ? x[TAPP_D].value : c.value;
    for (int i = 0; i < (v->batches > 0 ? v->batches : 1); ++i) {
        work_out(&x[0], &x[1], &c, &x[3], batch_of(v, i), v->alpha, v->beta, expected);
    }
    const TAPP_error error = create_product(t, x, v->precision, &product);
    if (t->is_device && error.code == TAPP_ERR_NOT_IMPLEMENTED) {
        assert_error(error, TAPP_ERROR_TYPE_TAPP, TAPP_ERR_NOT_IMPLEMENTED, "does not convert");
    } else {
        assert_success(error);
        execute(t, v, x, product);
        assert_storage(t, p->name, &x[TAPP_D], expected);
        const tapp_product *inside = tapp_object_find(TAPP_KIND_PRODUCT, product);
        assert_int_equal(inside->spaced[0].is_usable, v->batches > 1 && !v->scattered);
        assert_success(TAPP_destroy_tensor_product(product));
    }
    for (int k = 0; k < TAPP_TENSORS; ++k) {
        drop(t, &x[k]);
    }
    free(expected);
}

/* ---- what the interface promises ------------------------------------------------------------- */

static const problem problems[] = {
    {"Hadamard", {"ij", {3, 4}, {PACKED}}, {"ij", {3, 4}, {1, 3}}, {0}, {"ij", {3, 4}, {PACKED}}},
    {"long rows",
     {"ij", {2, 600}, {PACKED}},
     {"ij", {2, 600}, {PACKED}},
     {0},
     {"ji", {600, 2}, {1, 601}}},
    {"contraction",
     {"ij", {4, 5}, {PACKED}},
     {"jk", {5, 3}, {PACKED}},
     {0},
     {"ik", {4, 3}, {PACKED}}},
    {"commuted", {"jk", {5, 3}, {PACKED}}, {"ij", {4, 5}, {PACKED}}, {0}, {"ik", {4, 3}, {PACKED}}},
    {"two contracted, permuted",
     {"aibj", {2, 3, 4, 2}, {PACKED}},
     {"jkia", {2, 3, 3, 2}, {PACKED}},
     {0},
     {"kb", {3, 4}, {1, 3}}},
    {"batch, free, contracted",
     {"zik", {2, 3, 4}, {PACKED}},
     {"kjz", {4, 2, 2}, {PACKED}},
     {0},
     {"jzi", {2, 2, 3}, {PACKED}}},
    {"equal extents",
     {"ijk", {3, 3, 3}, {PACKED}},
     {"kil", {3, 3, 3}, {PACKED}},
     {0},
     {"lj", {3, 3}, {PACKED}}},
    {"outer product",
     {"i", {3}, {PACKED}},
     {"jk", {2, 4}, {PACKED}},
     {0},
     {"jik", {2, 3, 4}, {PACKED}}},
    {"full contraction", {"ij", {3, 4}, {PACKED}}, {"ji", {4, 3}, {PACKED}}, {0}, {"", {0}, {0}}},
    {"no modes at all", {"", {0}, {0}}, {"", {0}, {0}}, {0}, {"", {0}, {0}}},
    {"scalar times tensor",
     {"", {0}, {0}},
     {"ij", {3, 2}, {PACKED}},
     {0},
     {"ji", {2, 3}, {PACKED}}},
    {"one mode", {"i", {5}, {PACKED}}, {"i", {5}, {PACKED}}, {0}, {"", {0}, {0}}},
    {"extent 1, contracted",
     {"ij", {4, 1}, {PACKED}},
     {"jk", {1, 3}, {PACKED}},
     {0},
     {"ik", {4, 3}, {PACKED}}},
    {"extent 1, passed on",
     {"ij", {1, 4}, {7, 1}},
     {"jk", {4, 1}, {-1, 9}},
     {0},
     {"ik", {1, 1}, {0, 0}}},
    {"part of a tensor",
     {"ij", {3, 2}, {10, 2}},
     {"jk", {2, 3}, {24, 3}},
     {0},
     {"ik", {3, 3}, {20, 4}}},
    {"negative strides",
     {"ij", {3, 4}, {-4, -1}},
     {"jk", {4, 2}, {-2, -1}},
     {0},
     {"ik", {3, 2}, {-2, -1}}},
    {"mixed strides",
     {"ij", {3, 4}, {-8, 2}},
     {"jk", {4, 2}, {3, -12}},
     {0},
     {"ik", {3, 2}, {2, -6}}},
    {"overlapping and zero strides",
     {"ij", {3, 4}, {-1, 1}},
     {"jk", {4, 2}, {0, 1}},
     {0},
     {"ik", {3, 2}, {-2, 1}}},
    {"diagonals of A and B",
     {"iij", {3, 3, 4}, {PACKED}},
     {"jkj", {4, 2, 4}, {PACKED}},
     {0},
     {"ki", {2, 3}, {PACKED}}},
    {"trace", {"ii", {3, 3}, {PACKED}}, {"jj", {2, 2}, {PACKED}}, {0}, {"", {0}, {0}}},
    {"diagonal of D",
     {"ij", {3, 4}, {PACKED}},
     {"jk", {4, 2}, {PACKED}},
     {0},
     {"iki", {3, 2, 3}, {PACKED}}},
    {"diagonals everywhere",
     {"iji", {3, 2, 3}, {PACKED}},
     {"jji", {2, 2, 3}, {PACKED}},
     {"iii", {3, 3, 3}, {1, 3, 9}},
     {"iii", {3, 3, 3}, {-9, 3, 1}}},
    {"lone index of A",
     {"ijx", {3, 4, 2}, {PACKED}},
     {"jk", {4, 2}, {PACKED}},
     {0},
     {"ik", {3, 2}, {PACKED}}},
    {"lone indices of both",
     {"xi", {2, 3}, {PACKED}},
     {"yi", {3, 3}, {PACKED}},
     {0},
     {"i", {3}, {PACKED}}},
    {"Hadamard with free",
     {"ij", {3, 4}, {PACKED}},
     {"ikj", {3, 2, 4}, {PACKED}},
     {0},
     {"jki", {4, 2, 3}, {PACKED}}},
    {"C lies otherwise",
     {"ij", {4, 5}, {PACKED}},
     {"jk", {5, 3}, {PACKED}},
     {"ik", {4, 3}, {-2, 10}},
     {"ik", {4, 3}, {PACKED}}},
    {"C repeats itself",
     {"ij", {4, 5}, {PACKED}},
     {"jk", {5, 3}, {PACKED}},
     {"ik", {4, 3}, {0, 1}},
     {"ik", {4, 3}, {1, 5}}},
    {"nothing summed",
     {"ij", {3, 0}, {PACKED}},
     {"jk", {0, 4}, {5, 5}},
     {0},
     {"ik", {3, 4}, {PACKED}}},
    {"nothing written",
     {"ij", {0, 3}, {PACKED}},
     {"jk", {3, 4}, {PACKED}},
     {0},
     {"ik", {0, 4}, {0, 0}}},
};

static variant variant_of(TAPP_datatype type) {
    variant v = {.alpha = 1, .null_c = true, .precision = TAPP_DEFAULT_PREC};
    for (int k = 0; k < TAPP_TENSORS; ++k) {
        v.type[k] = type;
    }
    return v;
}

static void test_problems(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int p = 0; p < COUNT(problems); ++p) {
            for (int k = 0; k < COUNT(types); ++k) {
                const bool complex_too = is_complex(types[k]);
                variant v = variant_of(types[k]);
                check(t, &problems[p], &v, (uint64_t)(p * 8 + k));
                v.null_c = false;
                v.alpha = complex_too ? make_complex(2, -1) : 2;
                v.beta = complex_too ? make_complex(-1, 2) : -1;
                check(t, &problems[p], &v, (uint64_t)(p * 8 + k));
                v.in_place = true;
                check(t, &problems[p], &v, (uint64_t)(p * 8 + k));
            }
        }
    }
}

static void test_conjugation(void **state) {
    (void)state;
    static const int chosen[] = {0, 1, 2, 9, 13, 16, 17, 20, 21, 25, 26, 27, 28};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(chosen); ++i) {
            for (int ops = 1; ops < 16; ++ops) {
                variant v = variant_of(i % 2 == 0 ? TAPP_C32 : TAPP_C64);
                for (int k = 0; k < TAPP_TENSORS; ++k) {
                    v.op[k] = ops >> k & 1;
                }
                v.alpha = make_complex(1, 2);
                v.beta = ops % 3 == 0 ? 0 : make_complex(0, 1);
                v.null_c = v.beta == 0;
                v.in_place = ops % 3 == 1;
                v.batches = ops % 2 == 0 ? 3 : 0;
                v.scattered = ops % 4 == 0;
                check(t, &problems[chosen[i]], &v, (uint64_t)ops);
            }
        }
        variant real = variant_of(TAPP_F32);
        real.op[0] = real.op[1] = real.op[3] = TAPP_CONJUGATE;
        check(t, &problems[2], &real, 1);
    }
}

static void test_mixed_types(void **state) {
    (void)state;
    static const int chosen[] = {1, 2, 9, 17, 20, 26};
    int converted = 0;
    FOR_EACH_TARGET(t) {
        for (int code = 0; code < 6 * 6 * 6 * 6; ++code) {
            variant v = variant_of(TAPP_F32);
            const int digits[] = {code % 6, code / 6 % 6, code / 36 % 6, code / 216};
            bool any_complex = false;
            for (int k = 0; k < TAPP_TENSORS; ++k) {
                v.type[k] = types[digits[k]];
                v.op[k] = code >> k & 1;
                any_complex = any_complex || is_complex(v.type[k]);
            }
            if ((any_complex && !is_complex(v.type[TAPP_D])) || (t->is_device && code % 11 != 0)) {
                continue;
            }
            v.null_c = code % 4 == 0;
            v.beta = v.null_c ? 0 : 1;
            v.batches = code % 5 == 0 ? 2 : 0;
            check(t, &problems[chosen[code % COUNT(chosen)]], &v, (uint64_t)code);
            ++converted;
        }
    }
    assert_true(converted > 500);
}

static void test_precisions(void **state) {
    (void)state;
    static const TAPP_prectype known[] = {
        TAPP_DEFAULT_PREC,     TAPP_F32F32_ACCUM_F32, TAPP_F64F64_ACCUM_F64,
        TAPP_F16F16_ACCUM_F16, TAPP_F16F16_ACCUM_F32, TAPP_BF16BF16_ACCUM_F32,
        TAPP_F_3_DIGITS,       TAPP_F_7_DIGITS,       TAPP_F_8_DIGITS,
        TAPP_F_16_DIGITS,      TAPP_C_3_DIGITS,       TAPP_C_16_DIGITS};
    static const TAPP_prectype refused[] = {-2,
                                            2,
                                            3,
                                            7,
                                            1000,
                                            1002,
                                            1017,
                                            TAPP_F_34_DIGITS,
                                            2002,
                                            2017,
                                            TAPP_C_34_DIGITS,
                                            3003,
                                            INT32_MIN,
                                            INT32_MAX};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(known); ++i) {
            for (int k = 0; k < COUNT(types); ++k) {
                variant v = variant_of(types[k]);
                v.precision = known[i];
                check(t, &problems[2], &v, (uint64_t)i);
            }
        }
        for (int i = 0; i < COUNT(refused); ++i) {
            tensor x[TAPP_TENSORS];
            TAPP_tensor_product product = 1;
            uint64_t random = 1;
            for (int k = 0; k < TAPP_TENSORS; ++k) {
                describe(&x[k], &(shape){.idx = ""}, TAPP_F64);
                fill(t, &x[k], &random);
            }
            assert_error(create_product(t, x, refused[i], &product), TAPP_ERROR_TYPE_TAPP,
                         TAPP_ERR_NOT_IMPLEMENTED, "precision");
            assert_int_equal(product, 0);
            for (int k = 0; k < TAPP_TENSORS; ++k) {
                drop(t, &x[k]);
            }
        }
    }
}

static void test_batches(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int p = 0; p < COUNT(problems); ++p) {
            for (int how = 0; how < 8; ++how) {
                variant v = variant_of(types[(p + how) % COUNT(types)]);
                v.batches = how % 4 == 3 ? 1 : 3;
                v.scattered = how % 2 == 1;
                v.null_c = how < 4;
                v.beta = v.null_c ? 0 : 1;
                v.in_place = how >= 6;
                check(t, &problems[p], &v, (uint64_t)how);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problems),    cmocka_unit_test(test_conjugation),
        cmocka_unit_test(test_mixed_types), cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
