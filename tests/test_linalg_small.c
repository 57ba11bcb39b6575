/*
 * Matrices of at most 8 rows on the CPU, a problem a lane: every size with each instruction set
 * against the definition, batches that fill no vector, singular and infinite problems in any lane,
 * scales at the ends of the range.
 */
#include <float.h>
#include <math.h>

#include "linalg.h"

static host sets[] = {
    {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 1}, NULL},
    {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 1}, NULL},
    {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 2}, NULL},
};
enum { SETS = sizeof sets / sizeof *sets };
static const char *const names[] = {"lu", "cholesky", "solve", "inverse", "determinant"};
enum { NAMES = sizeof names / sizeof *names };

#define FOR_EACH_SET(s)                                                                            \
    for (const host *s = sets; s < sets + SETS; ++s)                                               \
        if (s->context != NULL)

static int open_sets(void **state) {
    for (int i = 0; i < SETS; ++i) {
        if (gm_context_create(&sets[i].options, &sets[i].context) != GM_STATUS_OK) {
            print_message("skip: %s: %s\n", sets[i].name, gm_last_error(NULL));
            assert_true(i > 0);
        }
    }
    return open_hosts(state);
}

static int close_sets(void **state) {
    for (int i = 0; i < SETS; ++i) {
        gm_context_destroy(sets[i].context);
    }
    return close_hosts(state);
}

static int status_of(const batch *b, int64_t problem) {
    return (int)creal(get(&b->status, problem, 0));
}

/* The reported numbers are those of the reference: the condition to a part in 1000 of problems as
 * well conditioned as these, the residual as small as it must be. */
static void assert_report(const host *s, const batch *b, const batch *reference) {
    const double unit = THRESHOLD * eps_of(b->dtype) * (double)b->n;
    for (int64_t p = 0; p < b->problems; ++p) {
        const double truth = creal(get(&reference->rcond, p, 0));
        const double rcond = b->rcond.memory != NULL ? creal(get(&b->rcond, p, 0)) : truth;
        if (!(fabs(rcond - truth) <= truth * fmax(1e-3, eps_of(b->dtype) / truth)) ||
            (b->residual.memory != NULL && !(creal(get(&b->residual, p, 0)) < unit))) {
            fail_msg("%s, %s, n = %lld: rcond %g, not %g", s->name, b->operation->name,
                     (long long)b->n, rcond, truth);
        }
    }
}

static void every_size_on_every_set(void **state) {
    (void)state;
    FOR_EACH_SET(s) {
        for (int i = 0; i < NAMES * 2 * 8; ++i) {
            const operation *o = find_operation(names[i / 16]);
            const gm_dtype dtype = dtypes[i / 8 % 2];
            const int64_t n = i % 8 + 1, k = (i * 5) % 8 + 1;
            batch b = make_batch(o, dtype, n, n, k, 37, (layout)(i % LAYOUTS), false, 11);
            batch reference = make_batch(o, dtype, n, n, k, 37, ROWS, false, 11);
            run_batch(s, &b);
            char kernel[64];
            snprintf(kernel, sizeof kernel, "linalg_%s_lanes", o->name);
            assert_string_equal(gm_last_kernel(s->context), kernel);
            run_batch(&hosts[REF], &reference);
            for (int64_t p = 0; p < b.problems; ++p) {
                assert_int_equal(status_of(&b, p), GM_STATUS_OK);
                if (!(check_problem(&b, p) < THRESHOLD)) {
                    fail_msg("%s, %s, n = %lld, problem %lld", s->name, o->name, (long long)n,
                             (long long)p);
                }
            }
            if (o->report & RCOND) {
                assert_report(s, &b, &reference);
            }
            free_batch(&b);
            free_batch(&reference);
        }
    }
}

/* LU of square matrices gives the condition number that the inverse does. */
static void lu_has_a_condition_number(void **state) {
    (void)state;
    enum { N = 7, PROBLEMS = 21 };
    FOR_EACH_SET(s) {
        batch b = make_batch(find_operation("inverse"), GM_F64, N, N, 0, PROBLEMS, ROWS, false, 6);
        for (int64_t e = 0; e < N * N; ++e) {
            set(&b.in[0], 4, e, e % N); /* of rank 1 */
        }
        run_batch(s, &b);
        double rcond[PROBLEMS];
        _Alignas(64) char memory[64];
        gm_workspace workspace = {memory, sizeof memory};
        const gm_tensor to = gm_tensor_1d(rcond, GM_F64, PROBLEMS);
        ASSERT_OK(s->context, gm_linalg_lu(s->context, &b.in[0].tensor, NULL, NULL,
                                           &(gm_linalg_report){.rcond = &to}, &workspace));
        for (int64_t p = 0; p < PROBLEMS; ++p) {
            assert_true(rcond[p] == creal(get(&b.rcond, p, 0)) && (rcond[p] == 0) == (p == 4));
        }
        free_batch(&b);
    }
}

/* A problem has the same bits alone and at any place of a batch of any size. */
static void bits_do_not_hang_on_the_batch(void **state) {
    (void)state;
    enum { MOST = 33 };
    FOR_EACH_SET(s) {
        for (int i = 0; i < NAMES * 2; ++i) {
            const operation *o = find_operation(names[i / 2]);
            const int64_t n = 3 + i % 6;
            batch all = make_batch(o, dtypes[i % 2], n, n, 2, MOST, ROWS, false, 5);
            run_batch(s, &all);
            for (int64_t first = 0; first < MOST; first += 4) {
                const int64_t count = first % 7 + 1 < MOST - first ? first % 7 + 1 : MOST - first;
                batch some = make_batch(o, dtypes[i % 2], n, n, 2, count, COLUMNS, false,
                                        5 + (uint64_t)first);
                run_batch(s, &some);
                for (int64_t p = 0; p < count; ++p) {
                    assert_true(same_bits(&all, first + p, &some, p));
                }
                free_batch(&some);
            }
            free_batch(&all);
        }
    }
}

/* Each lane in turn singular, or with an entry that is not finite: its neighbours keep their bits.
 */
static void bad_lanes_fail_alone(void **state) {
    (void)state;
    enum { PROBLEMS = 19, N = 5 };
    FOR_EACH_SET(s) {
        for (int i = 0; i < NAMES * 2; ++i) {
            const operation *o = find_operation(names[i / 2]);
            batch good = make_batch(o, dtypes[i % 2], N, N, 2, PROBLEMS, ROWS, false, 9);
            run_batch(s, &good);
            for (int64_t bad = 0; bad < PROBLEMS; ++bad) {
                const bool infinite = bad % 2 == 0;
                batch b = make_batch(o, dtypes[i % 2], N, N, 2, PROBLEMS, ROWS, false, 9);
                for (int64_t j = 0; j < N; ++j) { /* row 3 is 0, or not a number in the first */
                    set(&b.in[0], bad, 3 * N + j, infinite && j == 0 ? (double)NAN : 0);
                }
                run_batch(s, &b);
                const bool determinant = strcmp(o->name, "determinant") == 0;
                const bool lu = strcmp(o->name, "lu") == 0;
                assert_int_equal(status_of(&b, bad), infinite      ? GM_STATUS_NON_FINITE
                                                     : determinant ? GM_STATUS_OK
                                                                   : GM_STATUS_SINGULAR);
                const number first = get(&b.out[0], bad, 0);
                assert_true(isnan(creal(first)) == (infinite || (!determinant && !lu)));
                assert_true(infinite || !determinant || first == 0);
                assert_true(infinite || b.rcond.memory == NULL || get(&b.rcond, bad, 0) == 0);
                for (int64_t p = 0; p < PROBLEMS; ++p) {
                    assert_true(p == bad || same_bits(&good, p, &b, p));
                }
                free_batch(&b);
            }
            free_batch(&good);
        }
    }
}

/* A / 2^k and A 2^k have the factors, the condition and the residual of A, to the bit, as long as
 * nothing is subnormal: no square of an entry is taken. */
static void scales_at_the_ends_of_the_range(void **state) {
    (void)state;
    static const char *const scaled[] = {"solve", "inverse", "cholesky"};
    FOR_EACH_SET(s) {
        for (int i = 0; i < 3 * 2 * 2; ++i) {
            const operation *o = find_operation(scaled[i / 4]);
            const gm_dtype dtype = dtypes[i % 2];
            const int exponent = (dtype == GM_F64 ? 980 : 110) * (i / 2 % 2 ? 1 : -1);
            batch plain = make_batch(o, dtype, 6, 6, 1, 5, ROWS, false, 2);
            batch b = make_batch(o, dtype, 6, 6, 1, 5, ROWS, false, 2);
            for (int64_t e = 0; e < 5 * 36; ++e) {
                const number value = get(&b.in[0], e / 36, e % 36);
                set(&b.in[0], e / 36, e % 36, creal(value) * ldexp(1, exponent));
            }
            run_batch(s, &plain);
            run_batch(s, &b);
            for (int64_t p = 0; p < 5; ++p) {
                assert_int_equal(status_of(&b, p), GM_STATUS_OK);
                const double rcond = creal(get(&b.rcond, p, 0));
                assert_true(fabs(rcond / creal(get(&plain.rcond, p, 0)) - 1) < 1e-3);
                const double residual = creal(get(&b.residual, p, 0));
                assert_true(residual < THRESHOLD * 6 * eps_of(dtype));
            }
            free_batch(&plain);
            free_batch(&b);
        }
    }
}

/* det and log |det| of a diagonal whose product is out of range, and exactly 1 in any order. */
static void products_of_pivots(void **state) {
    (void)state;
    static const double pivots[] = {0x1p-120, 0x1p100, -0x1p110, 0x1p-90, 1, 0x1p90, 0x1p-90, 1};
    FOR_EACH_SET(s) {
        for (int i = 0; i < 2; ++i) {
            batch b =
                make_batch(find_operation("determinant"), dtypes[i], 8, 8, 0, 2, ROWS, false, 1);
            for (int64_t e = 0; e < 64; ++e) {
                set(&b.in[0], 0, e, e % 9 == 0 ? pivots[e / 9] : 0);
                set(&b.in[0], 1, e, e % 9 == 0 ? (i == 0 ? 0x1p200 : 0x1p100) : 0);
            }
            run_batch(s, &b);
            assert_true(get(&b.out[0], 0, 0) == -1 && get(&b.out[1], 0, 0) == -1);
            assert_true(get(&b.out[2], 0, 0) == 0);
            assert_true(isinf(creal(get(&b.out[0], 1, 0))) && get(&b.out[1], 1, 0) == 1);
            const double truth = (i == 0 ? 1600 : 800) * log(2);
            assert_true(fabs(creal(get(&b.out[2], 1, 0)) - truth) <= eps_of(dtypes[i]) * truth);
            free_batch(&b);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_on_every_set),
        cmocka_unit_test(lu_has_a_condition_number),
        cmocka_unit_test(bits_do_not_hang_on_the_batch),
        cmocka_unit_test(bad_lanes_fail_alone),
        cmocka_unit_test(scales_at_the_ends_of_the_range),
        cmocka_unit_test(products_of_pivots),
    };
    return cmocka_run_group_tests(tests, open_sets, close_sets);
}
