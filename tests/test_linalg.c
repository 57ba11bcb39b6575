/*
 * Every operation of linear algebra on every backend, all types and sizes: residuals under one
 * threshold, any layout, guards, determinism, and problems that fail beside others that do not.
 */
#include <math.h>

#include "linalg.h"

static const int64_t sizes[] = {0, 1, 2, 3, 5, 8, 16, 31, 32, 33, 65};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void assert_statuses(const host *s, const batch *b) {
    for (int64_t p = 0; p < b->problems; ++p) {
        const int status = (int)creal(get(&b->status, p, 0));
        if (status != GM_STATUS_OK) {
            fail_msg("%s, %s, %s, %lld x %lld, problem %lld: %s", s->name, b->operation->name,
                     gm_dtype_name(b->dtype), (long long)b->m, (long long)b->n, (long long)p,
                     gm_status_name((gm_status)status));
        }
    }
}

static double check(const host *s, const batch *b) {
    double worst = 0;
    assert_statuses(s, b);
    for (int64_t p = 0; p < b->problems; ++p) {
        const double error = check_problem(b, p);
        if (!(error < THRESHOLD)) {
            fail_msg("%s, %s, %s, %lld x %lld x %lld, problem %lld: residual %g", s->name,
                     b->operation->name, gm_dtype_name(b->dtype), (long long)b->m, (long long)b->n,
                     (long long)b->k, (long long)p, error);
        }
        worst = fmax(worst, error);
        if (b->residual.memory != NULL && b->m > 0 && b->n > 0) { /* what is reported agrees */
            const double unit = eps_of(b->dtype) * (double)(b->m > b->n ? b->m : b->n);
            assert_true(creal(get(&b->residual, p, 0)) < THRESHOLD * unit);
        }
    }
    return worst;
}

/* Rows at most on an emulated device: phi works on four times as many, Magnus on three
 * exponentials.
 */
static int64_t most_rows(const operation *o) {
    return strcmp(o->name, "phi") == 0 ? 16 : strncmp(o->name, "magnus", 6) == 0 ? 17 : 33;
}

/* Square, tall and wide problems of every size. */
static void residuals_are_small_at_every_size(void **state) {
    (void)state;
    const bool full = getenv("GENMATH_TEST_FULL") != NULL;
    for (int i = 0; i < operation_count; ++i) {
        const operation *o = &operations[i];
        double worst[HOSTS] = {0};
        for (int t = 0; t < 4; ++t) {
            for (int j = 0; j < SIZES; ++j) {
                const bool kronecker = strncmp(o->name, "kronecker", 9) == 0;
                if (sizes[j] > 20 && ((t + j) % 2 != 0 || kronecker)) {
                    continue; /* large ones of half the types: the oracle is slow */
                }
                const int64_t n = sizes[j], shapes[][2] = {{n, n}, {n + n / 2 + 1, n}, {n, n + 2}};
                for (int k = 0; k < (o->matrix == 'g' ? 3 : 1); ++k) {
                    for (int s = 0; s < BACKENDS; ++s) {
                        const int turn = n <= 20 ? t + j : (t + j) / 2;
                        const bool sampled = is_device(&hosts[s]) && n >= 8 &&
                                             ((turn + i) % 4 != 0 || n > most_rows(o));
                        if (!runs(&hosts[s], o) || (sampled && !full)) {
                            continue; /* an emulated device: not each size in each type */
                        }
                        batch b = make_batch(o, dtypes[t], shapes[k][0], shapes[k][1], 1 + j % 3,
                                             n > 20 ? 1 : 3, ROWS, false, (uint64_t)(100 * j + t));
                        run_batch(&hosts[s], &b);
                        worst[s] = fmax(worst[s], check(&hosts[s], &b));
                        free_batch(&b);
                    }
                }
            }
        }
        print_message("%-20s worst scaled residual: ref %.2g, cpu %.2g, emu %.2g\n", o->name,
                      worst[REF], worst[CPU], worst[EMU]);
    }
}

/* The bits do not depend on strides, and nothing outside the elements is written. */
static void any_layout_gives_the_same_bits(void **state) {
    (void)state;
    for (int i = 0; i < operation_count; ++i) {
        for (int t = 0; t < 4; ++t) {
            for (int s = 0; s < BACKENDS; ++s) {
                if (!runs(&hosts[s], &operations[i])) {
                    continue;
                }
                batch rows = make_batch(&operations[i], dtypes[t], 7, 5, 3, 4, ROWS, false, 7);
                run_batch(&hosts[s], &rows);
                for (layout l = COLUMNS; l < LAYOUTS; ++l) {
                    batch other = make_batch(&operations[i], dtypes[t], 7, 5, 3, 4, l, false, 7);
                    run_batch(&hosts[s], &other);
                    for (int64_t p = 0; p < 4; ++p) {
                        if (!same_bits(&rows, p, &other, p)) {
                            fail_msg("%s, %s, %s, layout %d, problem %lld", hosts[s].name,
                                     operations[i].name, gm_dtype_name(dtypes[t]), (int)l,
                                     (long long)p);
                        }
                    }
                    free_batch(&other);
                }
                free_batch(&rows);
            }
        }
    }
}

/* A stride of 0 shares one matrix among all problems. */
static void a_shared_matrix_is_one_of_many(void **state) {
    (void)state;
    for (int i = 0; i < operation_count; ++i) {
        for (int s = 0; s < HOSTS; ++s) {
            if (!runs(&hosts[s], &operations[i])) {
                continue;
            }
            batch shared = make_batch(&operations[i], GM_C128, 6, 4, 2, 5, ROWS, true, 3);
            batch solo = make_batch(&operations[i], GM_C128, 6, 4, 2, 1, ROWS, false, 3);
            run_batch(&hosts[s], &shared);
            run_batch(&hosts[s], &solo);
            for (int64_t p = 0; p < 5; ++p) {
                assert_true(same_bits(&shared, p, &solo, 0));
            }
            free_batch(&shared);
            free_batch(&solo);
        }
    }
}

/* Two axes in front, in any order of memory: problem (i, j) is the one that a single axis has. */
static void batches_of_several_axes(void **state) {
    (void)state;
    enum { OUTER = 2, INNER = 4, N = 4, SIZE = N * N };
    static _Alignas(64) char memory[1 << 16];
    double a[OUTER * INNER * SIZE], turned[OUTER * INNER * SIZE], flat[OUTER * INNER * SIZE],
        out[OUTER * INNER * SIZE];
    memset(flat, 0, sizeof flat);
    memset(out, 0xff, sizeof out);
    uint64_t seed = 4;
    for (int e = 0; e < OUTER * INNER * SIZE; ++e) {
        a[e] = (double)(next_random(&seed) >> 40) * 0x1p-24 + (e % SIZE % (N + 1) == 0 ? 3 : 0);
        turned[(e / SIZE % INNER * OUTER + e / SIZE / INNER) * SIZE + e % SIZE] = a[e];
    }
    for (int i = 0; i < HOSTS; ++i) {
        const host *s = &hosts[i];
        if (!runs(s, find_operation("inverse"))) {
            continue;
        }
        void *in = place_on(s, a, sizeof a), *placed = place_on(s, turned, sizeof turned);
        void *to = place_on(s, flat, sizeof flat), *back = place_on(s, out, sizeof out);
        gm_workspace workspace = {place_on(s, memory, sizeof memory), sizeof memory};
        const gm_tensor one = gm_tensor_3d(in, GM_F64, OUTER * INNER, N, N);
        const gm_tensor first = gm_tensor_3d(to, GM_F64, OUTER * INNER, N, N);
        const gm_tensor two = {placed, GM_F64, 4, {OUTER, INNER, N, N}, {SIZE, OUTER * SIZE, N, 1}};
        const gm_tensor second = {
            back, GM_F64, 4, {OUTER, INNER, N, N}, {SIZE * INNER, SIZE, N, 1}};
        ASSERT_OK(s->context, gm_linalg_inverse(s->context, &one, &first, NULL, &workspace));
        ASSERT_OK(s->context, gm_linalg_inverse(s->context, &two, &second, NULL, &workspace));
        take_from(s, in, a, sizeof a);
        take_from(s, placed, turned, sizeof turned);
        take_from(s, to, flat, sizeof flat);
        take_from(s, back, out, sizeof out);
        take_from(s, workspace.data, memory, sizeof memory);
        assert_memory_equal(flat, out, sizeof flat);
    }
}

/* A problem's bits are its own: alone, in a batch, on one thread and on three, and a second time.
 */
static void batches_and_threads_change_no_bit(void **state) {
    (void)state;
    static const int pairs[][2] = {{CPU, CPU_3}, {EMU, EMU}, {CUDA, CUDA}};
    for (int i = 0; i < operation_count * 4 * 3; ++i) {
        const operation *o = &operations[i / 12];
        const host *here = &hosts[pairs[i % 3][0]], *there = &hosts[pairs[i % 3][1]];
        const int t = i / 3 % 4;
        const bool device = is_device(here);
        const int64_t n = t != 0 ? 6 : device && most_rows(o) < 33 ? 9 : 33; /* phi: 36 */
        const int64_t problems = t == 0 ? (device ? 3 : 7) : device ? 40 : 150;
        const bool every = !device || getenv("GENMATH_TEST_FULL") != NULL;
        if (!runs(here, o) || (!every && (t + i / 12) % 2 != 0)) {
            continue; /* an emulated device: half the types */
        }
        batch one = make_batch(o, dtypes[t], n + 1, n, 2, problems, ROWS, false, 9);
        batch three = make_batch(o, dtypes[t], n + 1, n, 2, problems, ROWS, false, 9);
        run_batch(here, &one);
        run_batch(there, &three);
        for (int64_t p = 0; p < problems; ++p) {
            assert_true(same_bits(&one, p, &three, p));
        }
        for (int64_t p = 0; p < problems; p += problems / 3) {
            batch solo = make_batch(o, dtypes[t], n + 1, n, 2, 1, ROWS, false, 9 + (uint64_t)p);
            run_batch(there, &solo);
            assert_true(same_bits(&one, p, &solo, 0));
            free_batch(&solo);
        }
        free_batch(&one);
        free_batch(&three);
    }
}

/* What a problem with an infinity or a NaN leaves behind. */
static void assert_failed(const batch *b, int64_t problem) {
    assert_int_equal((int)creal(get(&b->status, problem, 0)), GM_STATUS_NON_FINITE);
    for (int i = 0; i < OUTPUTS; ++i) {
        const array *out = &b->out[i];
        for (int64_t e = 0; e < (out->memory != NULL ? count_of(out) : 0); ++e) {
            const number value = get(out, problem, e);
            assert_true(out->tensor.dtype == GM_I32 ? value == -1 : isnan(creal(value)));
        }
    }
}

/* One entry that is read is not finite: that problem fails, its neighbours keep their bits. */
static void a_bad_problem_fails_alone(void **state) {
    (void)state;
    static const double poisons[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < operation_count; ++i) {
        for (int t = 0; t < 4; ++t) {
            for (int s = 0; s < HOSTS; ++s) {
                if (!runs(&hosts[s], &operations[i])) {
                    continue;
                }
                batch good = make_batch(&operations[i], dtypes[t], 7, 5, 2, 5, ROWS, false, 21);
                batch bad = make_batch(&operations[i], dtypes[t], 7, 5, 2, 5, ROWS, false, 21);
                const int inputs = bad.in[1].memory != NULL ? 2 : 1;
                set(&bad.in[0], 1, 5, poisons[t % 3]); /* below the diagonal, in any operation */
                set(&bad.in[inputs - 1], 3, 0, poisons[(t + 1) % 3]);
                run_batch(&hosts[s], &good);
                run_batch(&hosts[s], &bad);
                assert_statuses(&hosts[s], &good);
                for (int64_t p = 0; p < 5; ++p) {
                    if (p == 1 || p == 3) {
                        assert_failed(&bad, p);
                    } else {
                        assert_true(same_bits(&good, p, &bad, p));
                    }
                }
                free_batch(&good);
                free_batch(&bad);
            }
        }
    }
}

/* No problems, and problems of no size, succeed; the guards hold. */
static void nothing_is_done_well(void **state) {
    (void)state;
    for (int i = 0; i < operation_count; ++i) {
        for (int s = 0; s < HOSTS; ++s) {
            if (!runs(&hosts[s], &operations[i])) {
                continue;
            }
            batch none = make_batch(&operations[i], GM_F32, 3, 2, 2, 0, ROWS, false, 1);
            batch empty = make_batch(&operations[i], GM_F64, 0, 0, 0, 2, ROWS, false, 1);
            run_batch(&hosts[s], &none);
            run_batch(&hosts[s], &empty);
            assert_statuses(&hosts[s], &empty);
            free_batch(&none);
            free_batch(&empty);
        }
    }
}

/* ---- the tables of the devices --------------------------------------------------------------- */

/* Each row of a device's tables: its kernel is the one that the size chooses, and is right. */
static void every_kernel_of_a_device(void **state) {
    (void)state;
    static const char *const names[] = {"lu",       "determinant", "solve",           "inverse",
                                        "cholesky", "qr",          "triangular_solve"};
    static const struct {
        int64_t m, n; /* square where the operation is */
        const char *kernel;
    } rows[] = {{4, 3, "_4"},      {5, 5, "_8"},       {16, 9, "_16"},       {17, 32, "_32"},
                {33, 7, "_block"}, {256, 3, "_block"}, {262, 257, "_vendor"}};
    const bool full = getenv("GENMATH_TEST_FULL") != NULL;
    for (int s = EMU; s <= CUDA; ++s) {
        for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
            const operation *o = find_operation(names[i]);
            for (size_t j = 0; j < sizeof rows / sizeof *rows && runs(&hosts[s], o); ++j) {
                for (int t = 0; t < 4; ++t) {
                    const bool square = o->matrix != 'g', large = rows[j].m > 200;
                    const bool slow =
                        square && rows[j].m == 256; /* 256 steps of an emulated block */
                    if (((large && (size_t)t != (i + j) % 4) || slow) && !full) {
                        continue;
                    }
                    const int64_t n = square && rows[j].m > rows[j].n ? rows[j].m : rows[j].n;
                    batch b = make_batch(o, dtypes[t], rows[j].m, n, 3, 2, ROWS, false, 3);
                    run_batch(&hosts[s], &b);
                    (void)check(&hosts[s], &b);
                    char expected[64];
                    snprintf(expected, sizeof expected, "linalg_%s%s", names[i], rows[j].kernel);
                    assert_string_equal(gm_last_kernel(hosts[s].context), expected);
                    free_batch(&b);
                }
            }
        }
    }
}

/* Functions of matrices: phi works on four times as many rows, the sides of a Kronecker product's
 * other matrix are 2 and 3. */
static void every_kernel_of_functions(void **state) {
    (void)state;
    static const struct {
        const char *operation, *kernel;
        int64_t n[4]; /* for the rows below */
    } cases[] = {
        {"exp", "linalg_exp", {3, 8, 32, 33}},
        {"exp_apply", "linalg_exp_apply", {3, 8, 32, 33}},
        {"power", "linalg_power", {4, 5, 9, 40}},
        {"phi", "linalg_phi", {1, 2, 8, 9}},
        {"magnus 2", "linalg_magnus", {4, 7, 10, 33}},
        {"magnus 4", "linalg_magnus", {2, 5, 9, 34}},
        {"kronecker_apply", "linalg_kronecker_apply", {3, 7, 31, 33}},
        {"kronecker_solve", "linalg_kronecker_solve", {4, 8, 12, 33}},
    };
    static const char *const rows[] = {"_4", "_8", "_32", "_block"};
    for (int s = EMU; s <= CUDA; ++s) {
        for (size_t i = 0; i < 4 * sizeof cases / sizeof *cases; ++i) {
            const operation *o = find_operation(cases[i / 4].operation);
            for (size_t t = i % 2; t < 4 && runs(&hosts[s], o); t += 2) {
                const int64_t n = cases[i / 4].n[i % 4];
                batch b = make_batch(o, dtypes[(t + i / 4) % 4], n, n, 3, 2, ROWS, false, 3);
                run_batch(&hosts[s], &b);
                (void)check(&hosts[s], &b);
                char expected[64];
                snprintf(expected, sizeof expected, "%s%s", cases[i / 4].kernel, rows[i % 4]);
                assert_string_equal(gm_last_kernel(hosts[s].context), expected);
                free_batch(&b);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residuals_are_small_at_every_size),
        cmocka_unit_test(any_layout_gives_the_same_bits),
        cmocka_unit_test(a_shared_matrix_is_one_of_many),
        cmocka_unit_test(batches_of_several_axes),
        cmocka_unit_test(batches_and_threads_change_no_bit),
        cmocka_unit_test(a_bad_problem_fails_alone),
        cmocka_unit_test(nothing_is_done_well),
        cmocka_unit_test(every_kernel_of_a_device),
        cmocka_unit_test(every_kernel_of_functions),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
