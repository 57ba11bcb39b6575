/*
 * Properties that a contraction has whatever its sizes: it is linear in each operand, products of a
 * chain may be bracketed anyhow, neither the order of the operands nor the names or the order of
 * labels matter. Integers make each an equality to the bit. And the error of a matrix product in
 * single precision beside that of a BLAS.
 */
#include "tests/contract.h"

#include <cblas.h>

static const gm_dtype types[] = {GM_F64, GM_F32, GM_C128, GM_BF16};

/* Runs where the backend has kernels for it; false and a printed skip where it has not. */
static bool contract_on(const target *t, const char *expression, int32_t count, const block *inputs,
                        block *out) {
    run r = {.expression = expression, .count = count, .inputs = inputs};
    if (run_on(t, &r, out, true) == GM_STATUS_OK) {
        return true;
    }
    printf("skip: %s: %s of %s\n", t->name, expression, gm_dtype_name(inputs[0].view.dtype));
    return false;
}

static void assert_same(const target *t, const char *what, const block *a, const block *b) {
    const int64_t n = elements_of(&a->view);
    assert_int_equal(n, elements_of(&b->view));
    for (int64_t e = 0; e < n; ++e) {
        const double complex x = get_element(a, e), y = get_element(b, e);
        if (x != y) {
            fail_msg("%s, %s, %s: element %lld is %g%+gi and %g%+gi", t->name,
                     gm_dtype_name(a->view.dtype), what, (long long)e, creal(x), cimag(x), creal(y),
                     cimag(y));
        }
    }
}

static void free_blocks(int count, block **blocks) {
    for (int i = 0; i < count; ++i) {
        free_block(blocks[i]);
    }
}

/* (A B) C = A (B C) = the chain at once. Products in bf16 would be rounded on their way. */
static void brackets_change_nothing(void **state) {
    (void)state;
    static const int64_t sides[][4] = {
        {5, 9, 7, 3}, {33, 17, 9, 21}, {1, 40, 1, 40}, {16, 16, 16, 16}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 3 * COUNT(sides); ++i) {
            const int64_t *n = sides[i / 3];
            const gm_dtype type = types[i % 3];
            uint64_t random = 11 + (uint64_t)i;
            block a = make_block(type, 2, n, ROWS, INTEGERS, &random);
            block b = make_block(type, 2, n + 1, COLUMNS, INTEGERS, &random);
            block c = make_block(type, 2, n + 2, PADDED, INTEGERS, &random);
            const block abc[] = {a, b, c}, ab[] = {a, b}, bc[] = {b, c};
            block once = make_output("ij,jk,kl->il", 3, abc, type, ROWS, &random);
            block left = make_output("ij,jk->ik", 2, ab, type, ROWS, &random);
            block right = make_output("jk,kl->jl", 2, bc, type, ROWS, &random);
            const block left_c[] = {left, c}, a_right[] = {a, right};
            block from_left = make_output("ik,kl->il", 2, left_c, type, ROWS, &random);
            block from_right = make_output("ij,jl->il", 2, a_right, type, ROWS, &random);
            if (contract_on(t, "ij,jk,kl->il", 3, abc, &once) &&
                contract_on(t, "ij,jk->ik", 2, ab, &left) &&
                contract_on(t, "jk,kl->jl", 2, bc, &right) &&
                contract_on(t, "ik,kl->il", 2, left_c, &from_left) &&
                contract_on(t, "ij,jl->il", 2, a_right, &from_right)) {
                assert_same(t, "(A B) C", &once, &from_left);
                assert_same(t, "A (B C)", &once, &from_right);
            }
            free_blocks(8, (block *[]){&a, &b, &c, &once, &left, &right, &from_left, &from_right});
        }
    }
}

/* 2 A - 3 B in place of an operand gives 2 times the one result less 3 times the other. */
static void operands_are_linear(void **state) {
    (void)state;
    static const char *const expressions[] = {"bij,bjk->bik", "bij,bjk->bi", "bij,kjb->ki",
                                              "bij,bij->"};
    static const int64_t n[] = {6, 11, 7};
    static const int64_t others[][3] = {{6, 7, 9}, {6, 7, 9}, {4, 7, 6}, {6, 11, 7}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(types) * COUNT(expressions); ++i) {
            const char *expression = expressions[i % COUNT(expressions)];
            const gm_dtype type = types[i / COUNT(expressions)];
            uint64_t random = 5 + (uint64_t)i;
            block a = make_block(type, 3, n, PADDED, UNITS, &random);
            block b = make_block(type, 3, n, ROWS, UNITS, &random);
            block both = make_block(type, 3, n, COLUMNS, POISON, &random);
            block c = make_block(type, 3, others[i % COUNT(expressions)], ROWS, UNITS, &random);
            for (int64_t e = 0; e < elements_of(&a.view); ++e) {
                set_element(&both, e, 2 * get_element(&a, e) - 3 * get_element(&b, e));
            }
            const block ac[] = {a, c}, bc[] = {b, c}, whole[] = {both, c};
            block x = make_output(expression, 2, ac, output_of(type, 1), ROWS, &random);
            block y = make_output(expression, 2, bc, output_of(type, 1), ROWS, &random);
            block z = make_output(expression, 2, whole, output_of(type, 1), ROWS, &random);
            if (contract_on(t, expression, 2, ac, &x) && contract_on(t, expression, 2, bc, &y) &&
                contract_on(t, expression, 2, whole, &z)) {
                for (int64_t e = 0; e < elements_of(&x.view); ++e) {
                    set_element(&x, e, 2 * get_element(&x, e) - 3 * get_element(&y, e));
                }
                assert_same(t, expression, &z, &x);
            }
            free_blocks(7, (block *[]){&a, &b, &both, &c, &x, &y, &z});
        }
    }
}

/* The view whose dimension i is the other's order[i]. */
static block permuted(const block *b, const int32_t *order) {
    block other = *b;
    for (int32_t i = 0; i < b->view.ndim; ++i) {
        other.view.shape[i] = b->view.shape[order[i]];
        other.view.stride[i] = b->view.stride[order[i]];
    }
    return other;
}

/* Operands the other way round, other letters, their dimensions in another order: one result. */
static void names_and_orders_change_nothing(void **state) {
    (void)state;
    static const struct {
        const char *expression, *swapped, *renamed, *reordered;
    } forms[] = {
        {"abc,cbd->ad", "cbd,abc->ad", "zqh,hqA->zA", "cab,dcb->ad"},
        {"abc,bad->abcd", "bad,abc->abcd", "xyi,yxj->xyij", "cab,dba->abcd"},
        {"abc,dbc->da", "dbc,abc->da", "uvw,tvw->tu", "cab,cdb->da"},
        {"abc,ddb->c", "ddb,abc->c", "rst,uus->t", "cab,bdd->c"},
    };
    static const int64_t first[] = {6, 5, 9};
    static const int64_t second[][3] = {{9, 5, 8}, {5, 6, 7}, {33, 5, 9}, {4, 4, 5}};
    static const int32_t turned[] = {2, 0, 1};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(types) * COUNT(forms); ++i) {
            const int f = i % COUNT(forms);
            const gm_dtype type = types[i / COUNT(forms)];
            uint64_t random = 3 + (uint64_t)i;
            block a = make_block(type, 3, first, BACKWARD, INTEGERS, &random);
            block b = make_block(type, 3, second[f], PADDED, INTEGERS, &random);
            /* "cab" of a is its dimensions 2, 0, 1; so is "dcb" of "cbd", "dba" of "bad", ... */
            const block ab[] = {a, b}, ba[] = {b, a};
            const block other[] = {permuted(&a, turned),
                                   permuted(&b, f == 2 ? (const int32_t[]){2, 0, 1} : turned)};
            const char *const all[] = {forms[f].expression, forms[f].swapped, forms[f].renamed,
                                       forms[f].reordered};
            const block *const inputs[] = {ab, ba, ab, other};
            block want = make_output(all[0], 2, ab, output_of(type, 1), ROWS, &random);
            const bool has = contract_on(t, all[0], 2, ab, &want);
            for (int form = 1; has && form < 4; ++form) {
                block out = make_output(all[0], 2, ab, output_of(type, 1), ROWS, &random);
                assert_true(contract_on(t, all[form], 2, inputs[form], &out));
                assert_same(t, all[form], &out, &want);
                free_block(&out);
            }
            free_blocks(3, (block *[]){&a, &b, &want});
        }
    }
}

/* The root of the mean square of (out - exact) / magnitude. */
static double mean_error(const float *out, const oracle *o) {
    double sum = 0;
    for (int64_t e = 0; e < o->elements; ++e) {
        const double error = ((double)out[e] - creal(o->value[e])) / o->magnitude[e];
        sum += error * error;
    }
    return sqrt(sum / (double)o->elements);
}

/*
 * The error of a product in f32 is no worse than OpenBLAS's on the same data. Over 128 x 128
 * elements the root of the mean square scatters by 1 / sqrt(2 x 16384) = 0.6 %: 5 % is nine times
 * that.
 */
static void errors_are_those_of_a_blas(void **state) {
    (void)state;
    static const int64_t lengths[] = {64, 300, 1000, 4000};
    enum { M = 128, N = 128 };
    for (int i = 0; i < COUNT(lengths); ++i) {
        const int64_t k = lengths[i];
        uint64_t random = 17 + (uint64_t)i;
        block inputs[] = {make_block(GM_F32, 2, (const int64_t[]){M, k}, ROWS, REALS, &random),
                          make_block(GM_F32, 2, (const int64_t[]){k, N}, ROWS, REALS, &random)};
        oracle o = work_out("ij,jk->ik", 2, inputs);
        static float theirs[M * N];
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, (int)k, 1, inputs[0].view.data,
                    (int)k, inputs[1].view.data, N, 0, theirs, N);
        const double blas = mean_error(theirs, &o);
        assert_true(blas > 0);
        FOR_EACH_TARGET(t) {
            if ((t->is_slow && k > 64) || ((t->is_reference || t->is_loops) && k > 1000)) {
                continue;
            }
            block out = make_output("ij,jk->ik", 2, inputs, GM_F32, ROWS, &random);
            assert_true(contract_on(t, "ij,jk->ik", 2, inputs, &out));
            const double ours = mean_error(out.view.data, &o);
            if (!(ours <= 1.05 * blas)) {
                fail_msg("%s: K = %lld: error %g, OpenBLAS's %g", t->name, (long long)k, ours,
                         blas);
            }
            free_block(&out);
        }
        free_oracle(&o);
        free_block(&inputs[0]);
        free_block(&inputs[1]);
    }
}

/*
 * Rows and columns whose neighbours in an operand lie along a second mode, of every length, in
 * parts that begin and end anywhere in it: on the cpu, which packs them by pieces, exactly.
 */
static void neighbours_along_a_second_mode(void **state) {
    (void)state;
    static const char *const expressions[] = {"efcad,bf->abcde", "bf,efcad->abcde",
                                              "fcead,bf->bacde", "bda,dc->abc",
                                              "dc,bda->abc",     "fdcba,ef->eabcd"};
    static const int64_t sizes[][6] = {
        {3, 5, 3, 9, 18, 5}, {1, 6, 2, 33, 7, 9},   {2, 5, 4, 19, 6, 4},  {1, 7, 1, 40, 5, 6},
        {4, 5, 3, 8, 4, 17}, {30, 48, 33, 6, 1, 1}, {13, 27, 5, 9, 3, 4}, {9, 18, 7, 21, 2, 8}};
    static const gm_dtype kinds[] = {GM_F64, GM_F32, GM_I32};
    for (int i = 0; i < COUNT(expressions) * COUNT(sizes) * COUNT(kinds); ++i) {
        const char *expression = expressions[i / COUNT(kinds) / COUNT(sizes)];
        const int64_t *size = sizes[i / COUNT(kinds) % COUNT(sizes)];
        const gm_dtype type = kinds[i % COUNT(kinds)];
        uint64_t random = 5 + (uint64_t)i;
        block inputs[2];
        const char *label = expression;
        for (int k = 0; k < 2; ++k, ++label) {
            int64_t shape[5];
            int32_t ndim = 0;
            for (; *label >= 'a'; ++label) {
                shape[ndim++] = size[*label - 'a'];
            }
            inputs[k] = make_block(type, ndim, shape, ROWS, INTEGERS, &random);
        }
        oracle o = work_out(expression, 2, inputs);
        FOR_EACH_TARGET(t) {
            if (strncmp(t->name, "cpu", 3) != 0) {
                continue;
            }
            block out = make_output(expression, 2, inputs, type, ROWS, &random);
            run r = {.expression = expression, .count = 2, .inputs = inputs};
            run_on(t, &r, &out, false);
            assert_exact(t, expression, &out, &o);
            free_block(&out);
        }
        free_oracle(&o);
        free_block(&inputs[0]);
        free_block(&inputs[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_change_nothing),
        cmocka_unit_test(operands_are_linear),
        cmocka_unit_test(names_and_orders_change_nothing),
        cmocka_unit_test(errors_are_those_of_a_blas),
        cmocka_unit_test(neighbours_along_a_second_mode),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
