/*
 * Singular values, eigenvalues, pseudoinverses and roots by the kernels of a device: every row of
 * every table, all types, under the thresholds of the other backends. Sizes are small: the emulator
 * runs a thread at a time.
 */
#include <float.h>
#include <math.h>

#include "linalg.h"

static const char *const names[] = {
    "svd",   "svd complete",  "svd values", "svd truncated",    "eigen_hermitian",
    "eigen", "pseudoinverse", "sqrt_psd",   "inverse_sqrt_psd",
};
enum { NAMES = sizeof names / sizeof *names };

#define FOR_EACH_DEVICE(s)                                                                         \
    for (const host *s = hosts + EMU; s <= hosts + CUDA; ++s)                                      \
        if (s->context != NULL)

static void assert_statuses(const host *s, const batch *b, int expected) {
    for (int64_t p = 0; p < b->problems; ++p) {
        const int status = (int)creal(get(&b->status, p, 0));
        if (status != expected) {
            fail_msg("%s, %s, %s, %lld x %lld, problem %lld: %s", s->name, b->operation->name,
                     gm_dtype_name(b->dtype), (long long)b->m, (long long)b->n, (long long)p,
                     gm_status_name((gm_status)status));
        }
    }
}

/* The worst scaled residual of a batch, under the threshold; what is reported agrees. */
static double check(const host *s, const batch *b) {
    double worst = 0;
    assert_statuses(s, b, GM_STATUS_OK);
    for (int64_t p = 0; p < b->problems; ++p) {
        const double error = check_problem(b, p);
        if (!(error < THRESHOLD)) {
            fail_msg("%s, %s, %s, %lld x %lld, problem %lld: residual %g", s->name,
                     b->operation->name, gm_dtype_name(b->dtype), (long long)b->m, (long long)b->n,
                     (long long)p, error);
        }
        worst = fmax(worst, error);
        if (b->residual.memory != NULL && b->m > 0 && b->n > 0) {
            const double unit = eps_of(b->dtype) * (double)(b->m > b->n ? b->m : b->n);
            const double reported = creal(get(&b->residual, p, 0));
            assert_true(reported < THRESHOLD * unit && (reported > 0 || b->m * b->n < 10));
        }
    }
    return worst;
}

/* The name of the row that a size takes: the operation's, then _8, _16, _32, _vendor or _block. */
static void assert_row(const host *s, const batch *b) {
    const int64_t size = b->m > b->n ? b->m : b->n, least = b->m < b->n ? b->m : b->n;
    const bool library = least > 128;
    const char *row = size <= 8    ? "_8"
                      : size <= 16 ? "_16"
                      : size <= 32 ? "_32"
                      : library    ? "_vendor"
                                   : "_block";
    const char *kernel = gm_last_kernel(s->context);
    const size_t length = strlen(row);
    if (strlen(kernel) <= length || strcmp(kernel + strlen(kernel) - length, row) != 0) {
        fail_msg("%s: %lld rows ran %s, not one of %s", b->operation->name, (long long)size, kernel,
                 row);
    }
}

static void every_row_is_right(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 3, 8, 13, 16, 23, 32, 35};
    FOR_EACH_DEVICE(s) {
        for (int i = 0; i < NAMES; ++i) {
            const operation *o = find_operation(names[i]);
            double worst = 0;
            for (int t = 0; t < 4; ++t) {
                for (size_t j = 0; j < sizeof sizes / sizeof *sizes; ++j) {
                    if (sizes[j] > 8 && (t + (int)j + i) % 4 != 0) {
                        continue; /* large ones of one type; test_linalg.c has the others */
                    }
                    const int64_t n = sizes[j], shapes[][2] = {{n, n}, {n + n / 2, n}, {n, n + 2}};
                    for (int k = 0; k < (o->matrix == 'g' ? 3 : 1); ++k) {
                        batch b = make_batch(o, dtypes[t], shapes[k][0], shapes[k][1], 1,
                                             n > 16 ? 1 : 3, ROWS, false, 50 * j + (uint64_t)t);
                        run_batch(s, &b);
                        assert_row(s, &b);
                        worst = fmax(worst, check(s, &b));
                        free_batch(&b);
                    }
                }
            }
            print_message("%-20s worst scaled residual on %s: %.2g\n", o->name, s->name, worst);
        }
    }
}

static void assert_failed(const batch *b, int64_t problem, gm_status expected) {
    assert_int_equal((int)creal(get(&b->status, problem, 0)), expected);
    for (int i = 0; i < OUTPUTS; ++i) {
        const array *out = &b->out[i];
        for (int64_t e = 0; e < (out->memory != NULL ? count_of(out) : 0); ++e) {
            const number value = get(out, problem, e);
            assert_true(out->tensor.dtype == GM_I32 ? value == -1 : isnan(creal(value)));
        }
    }
}

/* Beyond 128 rows and columns a library decomposes; in the middle of the batch is a problem that
 * is not finite. */
static void large_problems_go_to_the_library(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{129, 129}, {140, 130}, {129, 133}};
    FOR_EACH_DEVICE(s) {
        for (int i = 0; i < NAMES; ++i) {
            const operation *o = find_operation(names[i]);
            const bool eigen = strcmp(o->name, "eigen") == 0; /* in every type */
            for (int k = 0; k < (o->matrix == 'g' ? 3 : eigen ? 4 : 1); ++k) {
                const int64_t *shape = shapes[eigen ? 0 : k];
                const int64_t m = shape[0], n = shape[1], problems = k == 0 ? 3 : 1;
                batch b = make_batch(o, dtypes[(i + k) % 4], m, n, 1, problems, ROWS, false, 3);
                batch first = make_batch(o, dtypes[(i + k) % 4], m, n, 1, 1, ROWS, false, 3);
                if (k == 0) {
                    set(&b.in[0], 1, n * n - 1, NAN);
                }
                run_batch(s, &b);
                assert_row(s, &b);
                run_batch(s, &first);
                assert_true(same_bits(&b, 0, &first, 0));
                (void)check(s, &first);
                for (int64_t p = 0; p < problems; ++p) {
                    if (k == 0 && p == 1) {
                        assert_failed(&b, p, GM_STATUS_NON_FINITE);
                    } else {
                        assert_true(check_problem(&b, p) < THRESHOLD);
                    }
                }
                free_batch(&b);
                free_batch(&first);
            }
        }
    }
}

/* A problem of given entries in row-major order. */
static batch solve_one(const host *s, const char *name, gm_dtype dtype, int64_t m, int64_t n,
                       const double *a) {
    batch b = make_batch(find_operation(name), dtype, m, n, 1, 1, ROWS, false, 1);
    for (int64_t e = 0; e < count_of(&b.in[0]); ++e) {
        set(&b.in[0], 0, e, a[e]);
    }
    run_batch(s, &b);
    return b;
}

static void matrices_without_a_root(void **state) {
    (void)state;
    static const double indefinite[] = {1, 2, 2, 1}, singular[] = {1, 2, 2, 4};
    FOR_EACH_DEVICE(s) {
        for (int t = 0; t < 4; ++t) {
            batch b = solve_one(s, "sqrt_psd", dtypes[t], 2, 2, indefinite);
            assert_failed(&b, 0, GM_STATUS_SINGULAR);
            assert_true(fabs(creal(get(&b.rcond, 0, 0)) - 1. / 3) < 8 * eps_of(dtypes[t]));
            free_batch(&b);
            b = solve_one(s, "inverse_sqrt_psd", dtypes[t], 2, 2, singular);
            assert_failed(&b, 0, GM_STATUS_SINGULAR);
            assert_true(creal(get(&b.rcond, 0, 0)) < 8 * eps_of(dtypes[t]));
            free_batch(&b);
            b = solve_one(s, "sqrt_psd", dtypes[t], 2, 2, singular); /* sqrt(5) of a unit vector */
            assert_true(fabs(creal(get(&b.out[0], 0, 1)) - 2 / sqrt(5)) < 8 * eps_of(dtypes[t]));
            assert_statuses(s, &b, GM_STATUS_OK);
            free_batch(&b);
        }
    }
}

/* Entries over many orders of magnitude, and problems whose squares are out of range. */
static void graded_and_extreme_scales(void **state) {
    (void)state;
    static const char *const of[] = {"svd", "eigen", "eigen_hermitian", "pseudoinverse",
                                     "sqrt_psd"};
    FOR_EACH_DEVICE(s) {
        for (int i = 0; i < 5 * 4 * 3; ++i) {
            const gm_dtype dtype = dtypes[i / 5 % 4];
            const int kind = i / 20, single = dtype == GM_F32 || dtype == GM_C64;
            const char *name = of[i % 5];
            batch b = make_batch(find_operation(name), dtype, 12, 12, 1, 1, ROWS, false, 8);
            for (int64_t e = 0; e < 144; ++e) {
                const double scale = kind == 0   ? pow(10, -(double)(e / 12 + e % 12) * 0.65)
                                     : kind == 1 ? (single ? 1e30 : 1e150)
                                                 : (single ? 1e-30 : 1e-150);
                set(&b.in[0], 0, e, get(&b.in[0], 0, e) * scale);
            }
            run_batch(s, &b);
            assert_statuses(s, &b, GM_STATUS_OK);
            if (kind == 0 && i % 5 != 3) { /* its rank is cut */
                assert_true(check_problem(&b, 0) < THRESHOLD);
            }
            assert_true(creal(get(&b.residual, 0, 0)) < THRESHOLD * 12 * eps_of(dtype));
            free_batch(&b);
        }
    }
}

/* diag(2^-i) R with a rotation R: one-sided Jacobi has every value to its own last digits. */
static void small_singular_values_are_exact(void **state) {
    (void)state;
    enum { N = 6 };
    FOR_EACH_DEVICE(s) {
        double a[N * N] = {0};
        for (int i = 0; i < N; ++i) {
            for (int j = 0; j < N; ++j) { /* the cosine transform, orthonormal */
                const double c = cos(acos(-1) * j * (i + 0.5) / N) * sqrt((j == 0 ? 1. : 2.) / N);
                a[i * N + j] = ldexp(c, -8 * i);
            }
        }
        batch b = solve_one(s, "svd", GM_F64, N, N, a);
        for (int i = 0; i < N; ++i) {
            const double value = creal(get(&b.out[1], 0, i));
            assert_true(fabs(ldexp(value, 8 * i) - 1) < 64 * DBL_EPSILON);
        }
        assert_true(check_problem(&b, 0) < THRESHOLD);
        free_batch(&b);
    }
}

/* A Jordan block's vectors are all one, found through numbers out of the range of the type. */
static void defective_matrices_have_vectors(void **state) {
    (void)state;
    enum { N = 12 };
    double jordan[N * N] = {0};
    for (int i = 0; i < N; ++i) {
        jordan[i * N + i] = 0.5;
        if (i + 1 < N) {
            jordan[i * N + i + 1] = 1;
        }
    }
    FOR_EACH_BACKEND(s, "eigen") {
        for (int t = 0; t < 4; ++t) {
            batch b = solve_one(s, "eigen", dtypes[t], N, N, jordan);
            (void)check(s, &b);
            assert_true(creal(get(&b.rcond, 0, 0)) < 16 * eps_of(dtypes[t]));
            for (int j = 0; j < N; ++j) { /* (1, 0, ...) to the root that the rounding allows */
                assert_true(fabs(cabs(get(&b.out[1], 0, j)) - 1) < 16 * eps_of(dtypes[t]));
            }
            free_batch(&b);
        }
    }
}

/* The outer product of ones has one value, and a complete basis beside it; its pseudoinverse is
 * its transpose over the square of that value. */
static void a_matrix_of_rank_one(void **state) {
    (void)state;
    double ones[12 * 5];
    for (int i = 0; i < 60; ++i) {
        ones[i] = 1;
    }
    FOR_EACH_DEVICE(s) {
        for (int t = 0; t < 8; ++t) {
            const int64_t m = t < 4 ? 12 : 5, n = 17 - m;
            const double eps = eps_of(dtypes[t % 4]);
            batch b = solve_one(s, "svd complete", dtypes[t % 4], m, n, ones);
            assert_true(fabs(creal(get(&b.out[1], 0, 0)) - sqrt(60)) < 60 * eps);
            assert_true(creal(get(&b.out[1], 0, 1)) < 60 * eps && check_problem(&b, 0) < THRESHOLD);
            free_batch(&b);
            b = solve_one(s, "pseudoinverse", dtypes[t % 4], m, n, ones);
            assert_true(creal(get(&b.out[1], 0, 0)) == 1);
            for (int64_t e = 0; e < 60; ++e) {
                assert_true(cabs(get(&b.out[0], 0, e) - 1. / 60) < eps);
            }
            free_batch(&b);
        }
    }
}

/* The same operation with the result over a: the bits that `beside` has. */
static void assert_in_place(const host *s, batch *beside, int output) {
    const operation *o = beside->operation;
    batch over =
        make_batch(o, beside->dtype, beside->m, beside->n, 1, beside->problems, ROWS, false, 4);
    array *const used[] = {&over.in[0], &over.out[0], &over.out[1], &over.out[2], &over.status};
    gm_tensor tensors[5];
    const gm_tensor *out[OUTPUTS];
    void *placed[5] = {NULL};
    for (int i = 0; i < 5; ++i) {
        if (used[i]->memory != NULL) {
            placed[i] = place_on(s, used[i]->memory, used[i]->bytes);
            tensors[i] = used[i]->tensor;
            tensors[i].data =
                (uint8_t *)placed[i] + ((uint8_t *)used[i]->tensor.data - used[i]->memory);
        }
    }
    for (int i = 0; i < OUTPUTS; ++i) {
        out[i] = i == output ? &tensors[0] : placed[i + 1] != NULL ? &tensors[i + 1] : NULL;
    }
    gm_workspace workspace = {0};
    const gm_linalg_report report = {.status = &tensors[4]};
    ASSERT_OK(s->context, o->run(s->context, tensors, out, &report, &workspace));
    workspace.bytes += 64; /* of memory whose start is a multiple of 16 */
    void *memory;
    ASSERT_OK(s->context, gm_memory_alloc(s->context, workspace.bytes, &memory));
    workspace.data = (void *)(((uintptr_t)memory + 63) / 64 * 64);
    workspace.bytes -= 64;
    ASSERT_OK(s->context, o->run(s->context, tensors, out, &report, &workspace));
    ASSERT_OK(s->context, gm_memory_free(s->context, memory));
    for (int i = 0; i < 5; ++i) {
        if (placed[i] != NULL) {
            take_from(s, placed[i], used[i]->memory, used[i]->bytes);
        }
    }
    for (int64_t p = 0; p < beside->problems; ++p) {
        for (int64_t e = 0; e < count_of(&beside->out[output]); ++e) {
            assert_true(get(&beside->out[output], p, e) == get(&over.in[0], p, e));
        }
    }
    free_batch(&over);
}

/* Results over their inputs, in shared memory and in the workspace. */
static void results_may_replace_their_inputs(void **state) {
    (void)state;
    static const char *const of[] = {"eigen_hermitian",  "eigen",   "svd", "pseudoinverse",
                                     "inverse_sqrt_psd", "sqrt_psd"};
    FOR_EACH_DEVICE(s) {
        for (int i = 0; i < 12; ++i) {
            const int64_t n = i < 6 ? 6 : 34;
            batch beside =
                make_batch(find_operation(of[i % 6]), GM_C128, n, n, 1, 2, ROWS, false, 4);
            run_batch(s, &beside);
            assert_in_place(s, &beside, i % 6 < 2 ? 1 : 0);
            free_batch(&beside);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_right),
        cmocka_unit_test(large_problems_go_to_the_library),
        cmocka_unit_test(matrices_without_a_root),
        cmocka_unit_test(graded_and_extreme_scales),
        cmocka_unit_test(small_singular_values_are_exact),
        cmocka_unit_test(defective_matrices_have_vectors),
        cmocka_unit_test(a_matrix_of_rank_one),
        cmocka_unit_test(results_may_replace_their_inputs),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
