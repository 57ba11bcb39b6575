/* Every refusal of the linear algebra, with nothing written; what may alias; backends that lack it.
 */
#include <math.h>

#include "linalg.h"

enum { N = 4, SCRATCH = 1 << 20 };
static _Alignas(64) char scratch[SCRATCH];

/* A batch of two square matrices, twice as many right-hand sides, and outputs full of 7. */
static double a[2 * N * N], b[2 * N * 2], out[3][2 * N * N], numbers[2];
static int32_t integers[2 * N];

static gm_tensor view(void *data, gm_dtype dtype, int64_t problems, int64_t rows, int64_t columns) {
    return gm_tensor_3d(data, dtype, problems, rows, columns);
}

static int reset(void **state) {
    (void)state;
    for (int i = 0; i < 2 * N * N; ++i) {
        a[i] = i % (N * N) % (N + 1) == 0 ? 2 : 0.25;
        out[0][i] = out[1][i] = out[2][i] = 7;
    }
    for (int i = 0; i < 2 * N * 2; ++i) {
        b[i] = i;
    }
    numbers[0] = numbers[1] = 7;
    for (int i = 0; i < 2 * N; ++i) {
        integers[i] = 7;
    }
    return 0;
}

static void assert_nothing_written(void) {
    for (int i = 0; i < 2 * N * N; ++i) {
        assert_true(out[0][i] == 7 && out[1][i] == 7 && out[2][i] == 7);
    }
    assert_true(numbers[0] == 7 && numbers[1] == 7 && integers[0] == 7);
}

#define REFUSED(expected, text, call)                                                              \
    do {                                                                                           \
        gm_workspace all_of_it = {scratch, SCRATCH}, *w = &all_of_it;                              \
        ASSERT_FAILS(c, call, GM_STATUS_##expected, text);                                         \
        assert_nothing_written();                                                                  \
    } while (0)

static void common_arguments(void **state) {
    (void)state;
    gm_context *c = hosts[CPU].context;
    const gm_tensor ta = view(a, GM_F64, 2, N, N), to = view(out[0], GM_F64, 2, N, N);
    gm_tensor t;
    REFUSED(INVALID_ARGUMENT, "a is NULL", gm_linalg_inverse(c, NULL, &to, NULL, w));
    ASSERT_FAILS(c, gm_linalg_inverse(c, &ta, &to, NULL, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "workspace is NULL");
    gm_workspace workspace = {scratch, SCRATCH};
    ASSERT_FAILS(NULL, gm_linalg_inverse(NULL, &ta, &to, NULL, &workspace),
                 GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    t = view(a, GM_F16, 2, N, N);
    REFUSED(INVALID_ARGUMENT, "a.dtype = f16", gm_linalg_inverse(c, &t, &to, NULL, w));
    t = gm_tensor_1d(a, GM_F64, N);
    REFUSED(SHAPE_MISMATCH, "a.ndim = 1: must be 2 or more",
            gm_linalg_inverse(c, &t, &to, NULL, w));
    t = view(a, GM_F64, 2, N, N - 1);
    REFUSED(SHAPE_MISMATCH, "4 x 3 matrices: must be square",
            gm_linalg_inverse(c, &t, &to, NULL, w));
    t = (gm_tensor){a, GM_F64, 2, {16385, 16385}, {0, 0}};
    REFUSED(INVALID_ARGUMENT, "at most 16384", gm_linalg_inverse(c, &t, &to, NULL, w));
    t = view(out[0], GM_F32, 2, N, N);
    REFUSED(INVALID_ARGUMENT, "out.dtype = f32", gm_linalg_inverse(c, &ta, &t, NULL, w));
    t = view(out[0], GM_F64, 1, N, N);
    REFUSED(SHAPE_MISMATCH, "out.shape[0] = 1: must be 2, the batch of a",
            gm_linalg_inverse(c, &ta, &t, NULL, w));
    t = view(out[0], GM_F64, 2, N, N + 1);
    REFUSED(SHAPE_MISMATCH, "out.shape[2] = 5: must be 4", gm_linalg_inverse(c, &ta, &t, NULL, w));
    t = gm_tensor_2d(out[0], GM_F64, N, N);
    REFUSED(SHAPE_MISMATCH, "out.ndim = 2: must be 3", gm_linalg_inverse(c, &ta, &t, NULL, w));
    t = view(NULL, GM_F64, 2, N, N);
    REFUSED(INVALID_ARGUMENT, "out.data is NULL", gm_linalg_inverse(c, &ta, &t, NULL, w));
    t = to;
    t.stride[0] = 0;
    REFUSED(INVALID_ARGUMENT, "share memory", gm_linalg_inverse(c, &ta, &t, NULL, w));
}

static void reports_and_workspaces(void **state) {
    (void)state;
    gm_context *c = hosts[CPU].context;
    const gm_tensor ta = view(a, GM_F64, 2, N, N), to = view(out[0], GM_F64, 2, N, N);
    const gm_tensor reals = gm_tensor_1d(numbers, GM_F64, 2), wide = view(a, GM_F64, 2, 2, N);
    const gm_tensor wholes = gm_tensor_1d(integers, GM_I32, 2);
    const gm_linalg_report real_status = {.status = &reals}, whole_rcond = {.rcond = &wholes};
    const gm_linalg_report rcond = {.rcond = &reals}, residual = {.residual = &reals};
    const gm_linalg_report twice = {.rcond = &reals, .residual = &reals};
    REFUSED(INVALID_ARGUMENT, "report.status.dtype",
            gm_linalg_inverse(c, &ta, &to, &real_status, w));
    REFUSED(INVALID_ARGUMENT, "report.rcond.dtype",
            gm_linalg_inverse(c, &ta, &to, &whole_rcond, w));
    REFUSED(INVALID_ARGUMENT, "overlap", gm_linalg_inverse(c, &ta, &to, &twice, w));
    REFUSED(INVALID_ARGUMENT, "report.rcond: linalg_lu gives none",
            gm_linalg_lu(c, &wide, NULL, NULL, &rcond, w));
    REFUSED(INVALID_ARGUMENT, "report.residual: linalg_exp gives none",
            gm_linalg_exp(c, 1, &ta, &to, &residual, w));
    REFUSED(INVALID_ARGUMENT, "report.residual: linalg_qr gives none",
            gm_linalg_qr(c, &ta, NULL, &to, &residual, w));

    gm_workspace small = {0};
    ASSERT_OK(c, gm_linalg_inverse(c, &ta, &to, NULL, &small));
    assert_true(small.data == NULL && small.bytes >= 1 && small.bytes <= SCRATCH);
    assert_nothing_written(); /* only the size was asked for */
    small = (gm_workspace){scratch, small.bytes - 1};
    ASSERT_FAILS(c, gm_linalg_inverse(c, &ta, &to, NULL, &small), GM_STATUS_WORKSPACE_TOO_SMALL,
                 "linalg_inverse needs");
    gm_workspace skewed = {scratch + 8, SCRATCH - 8};
    ASSERT_FAILS(c, gm_linalg_inverse(c, &ta, &to, NULL, &skewed), GM_STATUS_INVALID_ARGUMENT,
                 "aligned");
    const gm_tensor inside = view(scratch, GM_F64, 2, N, N);
    REFUSED(INVALID_ARGUMENT, "workspace and out overlap",
            gm_linalg_inverse(c, &ta, &inside, NULL, w));
    assert_nothing_written();
}

static void factorizations_and_solves(void **state) {
    (void)state;
    gm_context *c = hosts[CPU].context;
    const gm_tensor ta = view(a, GM_F64, 2, N, N), tb = view(b, GM_F64, 2, N, 2);
    const gm_tensor to = view(out[0], GM_F64, 2, N, N), tx = view(out[0], GM_F64, 2, N, 2);
    const gm_tensor wrong = view(out[0], GM_F64, 2, N, 3), rows = view(b, GM_F64, 2, 2, N);
    const gm_tensor whole = gm_tensor_2d(integers, GM_I32, 2, N);
    const gm_tensor real = gm_tensor_2d(out[1], GM_F64, 2, N);
    REFUSED(INVALID_ARGUMENT, "permutation.dtype", gm_linalg_lu(c, &ta, &to, &real, NULL, w));
    REFUSED(SHAPE_MISMATCH, "lu.shape[2]", gm_linalg_lu(c, &ta, &wrong, &whole, NULL, w));
    REFUSED(SHAPE_MISMATCH, "q.shape[2]", gm_linalg_qr(c, &ta, &wrong, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "b is NULL", gm_linalg_solve(c, &ta, NULL, &tx, NULL, w));
    REFUSED(SHAPE_MISMATCH, "b.shape[1] = 2: must be 4, the rows of a",
            gm_linalg_solve(c, &ta, &rows, &tx, NULL, w));
    REFUSED(SHAPE_MISMATCH, "x.shape[2] = 3", gm_linalg_solve(c, &ta, &tb, &wrong, NULL, w));
    const gm_triangular_options turned = {.transpose = (gm_transpose)3}, both = {.upper = 2};
    REFUSED(INVALID_ARGUMENT, "options.transpose = 3",
            gm_linalg_triangular_solve(c, &turned, &ta, &tb, &tx, NULL, w));
    REFUSED(INVALID_ARGUMENT, "options.upper = 2",
            gm_linalg_triangular_solve(c, &both, &ta, &tb, &tx, NULL, w));
    REFUSED(INVALID_ARGUMENT, "result is NULL", gm_linalg_determinant(c, &ta, NULL, NULL, w));
    const gm_tensor late = view(b + 1, GM_F64, 2, N, 1);
    const gm_tensor early = view(b, GM_F64, 2, N, 1);
    REFUSED(INVALID_ARGUMENT, "overlap", gm_linalg_solve(c, &ta, &early, &late, NULL, w));
}

static void decompositions(void **state) {
    (void)state;
    gm_context *c = hosts[CPU].context;
    const gm_tensor ta = view(a, GM_F64, 2, N, N), to = view(out[0], GM_F64, 2, N, N);
    const gm_tensor five = gm_tensor_2d(out[1], GM_F64, 2, N + 1), wide = view(a, GM_F64, 2, 2, N);
    const gm_tensor values = gm_tensor_2d(out[1], GM_F64, 2, N);
    const gm_tensor odd = view(out[2], GM_F64, 2, N, 3), tb = view(b, GM_F64, 2, N, 2);
    REFUSED(INVALID_ARGUMENT, "s is NULL", gm_linalg_svd(c, &ta, &to, NULL, NULL, NULL, w));
    REFUSED(SHAPE_MISMATCH, "s has 5 values", gm_linalg_svd(c, &ta, &to, &five, NULL, NULL, w));
    REFUSED(SHAPE_MISMATCH, "u.shape[2]", gm_linalg_svd(c, &ta, &odd, &values, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "w is NULL", gm_linalg_eigen_hermitian(c, &ta, NULL, &to, NULL, w));
    REFUSED(INVALID_ARGUMENT, "w.dtype = f64", gm_linalg_eigen(c, &ta, &values, NULL, NULL, w));
    REFUSED(SHAPE_MISMATCH, "must be square", gm_linalg_eigen(c, &wide, &values, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "cutoff = -1",
            gm_linalg_least_squares(c, -1, &ta, &tb, NULL, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "cutoff = 1", gm_linalg_pseudoinverse(c, 1, &ta, &to, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "cutoff = nan",
            gm_linalg_pseudoinverse(c, NAN, &ta, &to, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "rank.dtype",
            gm_linalg_pseudoinverse(c, 0, &ta, &to, &(gm_tensor){numbers, GM_F64, 1, {2}, {1}},
                                    NULL, w));
    REFUSED(SHAPE_MISMATCH, "must be square", gm_linalg_sqrt_psd(c, &wide, &to, NULL, w));
}

static void functions(void **state) {
    (void)state;
    gm_context *c = hosts[CPU].context;
    const gm_tensor ta = view(a, GM_F64, 2, N, N), to = view(out[0], GM_F64, 2, N, N);
    const gm_tensor tb = view(b, GM_F64, 2, N, 2);
    const gm_tensor many = {out[0], GM_F64, 4, {2, 18, N, N}, {18 * N * N, N * N, N, 1}};
    const gm_tensor three = {a, GM_F64, 4, {1, 3, 2, 2}, {12, 4, 2, 1}};
    double times[2];
    REFUSED(INVALID_ARGUMENT, "t = nan", gm_linalg_exp(c, NAN, &ta, &to, NULL, w));
    REFUSED(INVALID_ARGUMENT, "out is NULL", gm_linalg_exp(c, 1, &ta, NULL, NULL, w));
    REFUSED(INVALID_ARGUMENT, "h = inf", gm_linalg_magnus(c, INFINITY, &three, &to, NULL, w));
    REFUSED(SHAPE_MISMATCH, "3 samples", gm_linalg_magnus(c, 1, &three, &to, NULL, w));
    REFUSED(SHAPE_MISMATCH, "a.ndim = 3: must be 4", gm_linalg_magnus(c, 1, &ta, &to, NULL, w));
    REFUSED(SHAPE_MISMATCH, "18 functions", gm_linalg_phi(c, 1, &ta, &many, NULL, w));
    REFUSED(SHAPE_MISMATCH, "out.shape[2]", gm_linalg_exp_apply(c, 1, &ta, &tb, &to, NULL, w));
    ASSERT_FAILS(NULL, gm_linalg_magnus_times(0, 1, 0, 1, times), GM_STATUS_INVALID_ARGUMENT,
                 "steps = 0");
    ASSERT_FAILS(NULL, gm_linalg_magnus_times(0, 1, 1, 3, times), GM_STATUS_INVALID_ARGUMENT,
                 "samples = 3");
    ASSERT_FAILS(NULL, gm_linalg_magnus_times(0, INFINITY, 1, 1, times), GM_STATUS_INVALID_ARGUMENT,
                 "must be finite");
    ASSERT_FAILS(NULL, gm_linalg_magnus_times(0, 1, 1, 1, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "times is NULL");
}

/* An output may be the very view of an input: the same bits as beside it. */
static void results_may_replace_their_inputs(void **state) {
    (void)state;
    for (int i = 0; i < HOSTS; ++i) {
        const host *s = &hosts[i];
        if (!runs(s, find_operation("solve"))) {
            continue;
        }
        reset(NULL);
        char *pa = place_on(s, a, sizeof a), *pb = place_on(s, b, sizeof b);
        char *po = place_on(s, out, sizeof out);
        const gm_tensor ta = view(pa, GM_F64, 2, N, N), to = view(po, GM_F64, 2, N, N);
        const gm_tensor tb = view(pb, GM_F64, 2, N, 2);
        const gm_tensor tx = view(po + sizeof out[0], GM_F64, 2, N, 2);
        gm_workspace workspace = {place_on(s, scratch, SCRATCH), SCRATCH};
        gm_context *c = s->context;
        ASSERT_OK(c, gm_linalg_solve(c, &ta, &tb, &tx, NULL, &workspace));
        ASSERT_OK(c, gm_linalg_solve(c, &ta, &tb, &tb, NULL, &workspace));
        ASSERT_OK(c, gm_linalg_inverse(c, &ta, &to, NULL, &workspace));
        ASSERT_OK(c, gm_linalg_inverse(c, &ta, &ta, NULL, &workspace));
        take_from(s, pa, a, sizeof a);
        take_from(s, pb, b, sizeof b);
        take_from(s, po, out, sizeof out);
        take_from(s, workspace.data, scratch, SCRATCH);
        assert_memory_equal(b, out[1], sizeof b);
        assert_memory_equal(a, out[0], sizeof a);
    }
}

/* Outputs that nobody wants change nothing about the others; the kernel says its name. */
static void outputs_may_be_left_out(void **state) {
    (void)state;
    for (int s = 0; s < HOSTS; ++s) {
        for (int i = 0; i < operation_count; ++i) {
            if (!runs(&hosts[s], &operations[i])) {
                continue;
            }
            batch all = make_batch(&operations[i], GM_F64, 5, 4, 2, 2, ROWS, false, 1);
            run_batch(&hosts[s], &all);
            assert_non_null(strstr(gm_last_kernel(hosts[s].context), "linalg_"));
            batch some = make_batch(&operations[i], GM_F64, 5, 4, 2, 2, ROWS, false, 1);
            uint8_t *unwanted = some.residual.memory; /* of the report: any operation allows it */
            some.residual.memory = NULL;
            run_batch(&hosts[s], &some);
            const array none = {0};
            array kept = all.residual;
            all.residual = none;
            assert_true(same_bits(&all, 1, &some, 1));
            all.residual = kept;
            some.residual.memory = unwanted;
            free_batch(&all);
            free_batch(&some);
        }
    }
}

/* A device's backend says which operation it lacks, before it looks at a workspace. */
static void backends_without_it_say_so(void **state) {
    (void)state;
    int lacking = 0;
    for (int i = 0; i < operation_count && hosts[EMU].context != NULL; ++i) {
        const operation *o = &operations[i];
        if (!runs(&hosts[EMU], o)) {
            gm_context *c = hosts[EMU].context;
            batch tiny = make_batch(o, GM_F64, 2, 2, 1, 0, ROWS, false, 1);
            const gm_tensor in[INPUTS] = {tiny.in[0].tensor, tiny.in[1].tensor, tiny.in[2].tensor};
            const gm_tensor *to[OUTPUTS];
            for (int j = 0; j < OUTPUTS; ++j) {
                to[j] = tiny.out[j].memory != NULL ? &tiny.out[j].tensor : NULL;
            }
            const gm_linalg_report none = {0};
            REFUSED(UNSUPPORTED, "the emu backend has no kernel for it",
                    o->run(c, in, to, &none, w));
            free_batch(&tiny);
            ++lacking;
        }
    }
    print_message("emu lacks %d of %d operations\n", lacking, operation_count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(common_arguments, reset),
        cmocka_unit_test_setup(reports_and_workspaces, reset),
        cmocka_unit_test_setup(factorizations_and_solves, reset),
        cmocka_unit_test_setup(decompositions, reset),
        cmocka_unit_test_setup(functions, reset),
        cmocka_unit_test_setup(results_may_replace_their_inputs, reset),
        cmocka_unit_test_setup(outputs_may_be_left_out, reset),
        cmocka_unit_test_setup(backends_without_it_say_so, reset),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
