/*
 * Spectra of random matrices against what is known of them exactly: moments of Wishart matrices at
 * finite size, the edges of Marchenko and Pastur's law, the outlier of a spiked Wigner matrix.
 *
 * A mean over independent problems is compared with its expectation in units of the standard
 * error that the problems show; 5 of them are allowed, which a correct program exceeds in 6e-7 of
 * all seeds for a normal mean. The seeds are fixed. What is an expansion for large n is allowed the
 * order of its next term besides.
 */
#include <math.h>

#include "linalg.h"

#include <genmath/random.h>

enum { ALLOWED = 5 };

static void fill_normal(uint64_t seed, double *x, int64_t count) {
    const gm_random_stream stream = {.seed = seed};
    const gm_tensor t = gm_tensor_1d(x, GM_F64, count);
    ASSERT_OK(hosts[REF].context, gm_random_fill_normal(hosts[REF].context, &stream, 0, 1, &t));
}

typedef struct sample {
    double sum, squares;
    int64_t count;
} sample;

static void add(sample *s, double x) {
    s->sum += x;
    s->squares += x * x;
    ++s->count;
}

static double mean_of(const sample *s) {
    return s->sum / (double)s->count;
}

static double error_of(const sample *s) {
    const double n = (double)s->count, mean = mean_of(s);
    return sqrt((s->squares / n - mean * mean) / (n - 1));
}

static void assert_mean(const char *what, const host *s, const sample *of, double expected,
                        double besides) {
    const double off = fabs(mean_of(of) - expected);
    if (!(off <= ALLOWED * error_of(of) + besides)) {
        fail_msg("%s, %s: the mean is %.9g, not %.9g: %.2f standard errors", s->name, what,
                 mean_of(of), expected, off / error_of(of));
    }
}

/* Normal noise in the m x n problems of an operation; real and imaginary parts have variance 1/2.
 */
static batch noise(const char *name, gm_dtype dtype, int64_t m, int64_t n, int64_t problems,
                   uint64_t seed) {
    batch b = make_batch(find_operation(name), dtype, m, n, 0, problems, ROWS, false, 1);
    const bool pairs = dtype == GM_C128 || dtype == GM_C64;
    const int64_t count = problems * m * n;
    double *x = malloc((size_t)count * 2 * sizeof *x);
    assert_non_null(x);
    fill_normal(seed, x, 2 * count);
    for (int64_t e = 0; e < count; ++e) {
        const number z = pairs ? CMPLX(x[2 * e], x[2 * e + 1]) / sqrt(2) : x[e];
        set(&b.in[0], e / (m * n), e % (m * n), z);
    }
    free(x);
    return b;
}

/*
 * W = X^H X, X n x p noise: E tr W = n p, E tr W^2 = n p (n + p + 1),
 * E tr W^3 = n p (n^2 + p^2 + 3 n p + 3 n + 3 p + 4); complex: n p (n + p) and
 * n p (n^2 + p^2 + 3 n p + 1). Divided by p n^k they tend to 1, 1 + gamma, 1 + 3 gamma + gamma^2.
 */
static void moments_of_wishart_matrices(void **state) {
    (void)state;
    FOR_EACH_BACKEND(s, "svd values") {
        for (int t = 0; t < 4; ++t) {
            const bool pairs = dtypes[t] == GM_C128 || dtypes[t] == GM_C64;
            const double n = 12, p = 5;
            batch b =
                noise("svd values", dtypes[t], 12, 5, is_device(s) ? 60 : 600, 70 + (uint64_t)t);
            sample moments[3] = {{0}};
            run_batch(s, &b);
            for (int64_t i = 0; i < b.problems; ++i) {
                double traces[3] = {0};
                for (int64_t j = 0; j < 5; ++j) {
                    const double w = pow(creal(get(&b.out[0], i, j)), 2) / n;
                    traces[0] += w / p;
                    traces[1] += w * w / p;
                    traces[2] += w * w * w / p;
                }
                for (int k = 0; k < 3; ++k) {
                    add(&moments[k], traces[k]);
                }
            }
            const double third = pairs ? n * n + p * p + 3 * n * p + 1
                                       : n * n + p * p + 3 * n * p + 3 * n + 3 * p + 4;
            assert_mean("tr W / p", s, &moments[0], 1, 0);
            assert_mean("tr W^2 / p", s, &moments[1], (n + p + (pairs ? 0 : 1)) / n, 0);
            assert_mean("tr W^3 / p", s, &moments[2], third / (n * n), 0);
            free_batch(&b);
        }
    }
}

/*
 * The largest eigenvalue of real Wishart matrices: ((sqrt(n - 1) + sqrt(p))^2 + sigma X) with
 * sigma = (sqrt(n - 1) + sqrt(p)) (1 / sqrt(n - 1) + 1 / sqrt(p))^(1/3), X of Tracy and Widom's law
 * of order 1, mean -1.2065335746, deviation 1.2680340 (Johnstone, Ann. Statist. 29 (2001) 295): the
 * upper edge of the support (1 + sqrt(gamma))^2. The error of this is of order p^(-2/3) in X, 0.12
 * here. Below the lower edge (1 - sqrt(gamma))^2 there is as little.
 */
static void edges_of_the_marchenko_pastur_law(void **state) {
    (void)state;
    enum { N = 96, P = 24, PROBLEMS = 120 };
    const double root = sqrt(N - 1) + sqrt(P);
    const double sigma = root * cbrt(1 / sqrt(N - 1) + 1 / sqrt(P));
    const host *s = &hosts[CPU];
    batch b = noise("svd values", GM_F64, N, P, PROBLEMS, 5);
    sample largest = {0}, variance = {0}, smallest = {0};
    run_batch(s, &b);
    for (int64_t i = 0; i < PROBLEMS; ++i) {
        const double x = (pow(creal(get(&b.out[0], i, 0)), 2) - root * root) / sigma;
        add(&largest, x);
        add(&variance, (x + 1.2065335746) * (x + 1.2065335746));
        add(&smallest, pow(creal(get(&b.out[0], i, P - 1)), 2) / N);
    }
    assert_mean("the largest eigenvalue", s, &largest, -1.2065335746, 0.12);
    assert_mean("its variance", s, &variance, 1.2680340 * 1.2680340, 0.24);
    assert_mean("the smallest eigenvalue", s, &smallest, pow(1 - sqrt(0.25), 2),
                2 * pow(N, -2. / 3));
    free_batch(&b);
}

/*
 * A = rho x x^T + W / sqrt(n), W of the Gaussian orthogonal ensemble (off the diagonal variance 1,
 * on it 2), |x| = 1. Above rho = 1 the largest eigenvalue is rho + 1 / rho and its vector's squared
 * overlap with x 1 - 1 / rho^2; up to it they are 2 and 0 (Baik, Ben Arous, Peche, Ann. Probab. 33
 * (2005) 1643). Corrections are of order 1 / n above, n^(-2/3) and n^(-1/3) at rest.
 */
static void the_outlier_of_a_spiked_wigner_matrix(void **state) {
    (void)state;
    enum { N = 100, PROBLEMS = 24 };
    static const double strengths[] = {0.5, 1.5, 2, 4};
    const host *s = &hosts[CPU];
    for (int k = 0; k < 4; ++k) {
        const double rho = strengths[k];
        batch b = noise("eigen_hermitian", GM_F64, N, N, PROBLEMS, 90 + (uint64_t)k);
        for (int64_t p = 0; p < PROBLEMS; ++p) {
            for (int64_t i = 0; i < N; ++i) {
                for (int64_t j = 0; j <= i; ++j) { /* the lower triangle is read */
                    const number w = get(&b.in[0], p, i * N + j) * (i == j ? sqrt(2) : 1);
                    set(&b.in[0], p, i * N + j, rho / N + w / sqrt(N));
                }
            }
        }
        sample value = {0}, overlap = {0};
        run_batch(s, &b);
        for (int64_t p = 0; p < PROBLEMS; ++p) {
            double dot = 0;
            for (int64_t i = 0; i < N; ++i) {
                dot += creal(get(&b.out[1], p, i * N + N - 1)) / sqrt(N);
            }
            add(&value, creal(get(&b.out[0], p, N - 1)));
            add(&overlap, dot * dot);
        }
        const bool out = rho > 1;
        assert_mean("the largest eigenvalue", s, &value, out ? rho + 1 / rho : 2,
                    out ? 3. / N : 2 * pow(N, -2. / 3));
        assert_mean("the overlap", s, &overlap, out ? 1 - 1 / (rho * rho) : 0,
                    out ? 3. / N : pow(N, -2. / 3));
        free_batch(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_of_wishart_matrices),
        cmocka_unit_test(edges_of_the_marchenko_pastur_law),
        cmocka_unit_test(the_outlier_of_a_spiked_wigner_matrix),
    };
    return cmocka_run_group_tests(tests, open_hosts, close_hosts);
}
