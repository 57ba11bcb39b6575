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

#define FOR_EACH_DEVICE(s) FOR_EACH_BACKEND(s) if (s >= hosts + HOSTS)

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

/* The name of the row that a size takes: the operation's kernel, then _8, _16, _32 or _block. */
static void assert_row(const host *s, const batch *b) {
    const int64_t size = b->m > b->n ? b->m : b->n;
    const char *row = size <= 8 ? "_8" : size <= 16 ? "_16" : size <= 32 ? "_32" : "_block";
    const char *kernel = gm_last_kernel(s->context);
    const size_t length = strlen(row);
    if (strlen(kernel) <= length || strcmp(kernel + strlen(kernel) - length, row) != 0) {
        fail_msg("%s: %lld rows ran %s, not one of %s", b->operation->name, (long long)size, kernel,
                 row);
    }
}

static void every_row_is_right(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 3, 8, 13, 16, 23, 32, 35};
    FOR_EACH_DEVICE(s) {
        for (int i = 0; i < NAMES; ++i) {
            const operation *o = find_operation(names[i]);
            double worst = 0;
            for (int t = 0; t < 4; ++t) {
                for (size_t j = 0; j < sizeof sizes / sizeof *sizes; ++j) {
                    if (sizes[j] > 16 && (t + (int)j + i) % 2 != 0) {
                        continue; /* large ones of half the types */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_right),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
