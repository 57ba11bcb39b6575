/*
 * What the results must satisfy, computed here from the definition in double or long double on the
 * inputs as they were rounded to their type. Each check returns an error divided by eps max(m, n)
 * and by the sizes that the error may grow with, as LAPACK's tests do.
 */
#include <math.h>

#include "linalg.h"

typedef struct matrix {
    int64_t m, n;
    number *x;
} matrix;

enum { MOST = 64 };
static void *pool[MOST]; /* of the check that runs: freed at its end */
static int used;

static matrix new_matrix(int64_t m, int64_t n) {
    assert_true(used < MOST);
    number *x = calloc((size_t)(m * n + 1), sizeof *x);
    assert_non_null(x);
    pool[used++] = x;
    return (matrix){m, n, x};
}

static matrix from(const array *a, int64_t problem, int64_t first, int64_t m, int64_t n) {
    const matrix r = new_matrix(m, n);
    for (int64_t e = 0; e < m * n; ++e) {
        r.x[e] = get(a, problem, first + e);
    }
    return r;
}

static matrix identity(int64_t n) {
    const matrix r = new_matrix(n, n);
    for (int64_t i = 0; i < n; ++i) {
        r.x[i * n + i] = 1;
    }
    return r;
}

static matrix adjoint(matrix a) {
    const matrix r = new_matrix(a.n, a.m);
    for (int64_t i = 0; i < a.m; ++i) {
        for (int64_t j = 0; j < a.n; ++j) {
            r.x[j * a.m + i] = conj(a.x[i * a.n + j]);
        }
    }
    return r;
}

static matrix times(matrix a, matrix b) {
    assert_int_equal(a.n, b.m);
    const matrix r = new_matrix(a.m, b.n);
    for (int64_t i = 0; i < a.m; ++i) {
        for (int64_t l = 0; l < a.n; ++l) {
            for (int64_t j = 0; j < b.n; ++j) {
                r.x[i * b.n + j] += a.x[i * a.n + l] * b.x[l * b.n + j];
            }
        }
    }
    return r;
}

/* a + factor b */
static matrix plus(matrix a, double factor, matrix b) {
    assert_true(a.m == b.m && a.n == b.n);
    const matrix r = new_matrix(a.m, a.n);
    for (int64_t e = 0; e < a.m * a.n; ++e) {
        r.x[e] = a.x[e] + factor * b.x[e];
    }
    return r;
}

static double norm(matrix a) {
    double sum = 0;
    for (int64_t e = 0; e < a.m * a.n; ++e) {
        sum += creal(a.x[e] * conj(a.x[e]));
    }
    return sqrt(sum);
}

static matrix first_columns(matrix a, int64_t n) {
    const matrix r = new_matrix(a.m, n);
    for (int64_t e = 0; e < a.m * n; ++e) {
        r.x[e] = a.x[e / (n > 0 ? n : 1) * a.n + e % (n > 0 ? n : 1)];
    }
    return r;
}

/* a with its columns scaled. */
static matrix scaled(matrix a, matrix factors) {
    const matrix r = new_matrix(a.m, a.n);
    for (int64_t e = 0; e < a.m * a.n; ++e) {
        r.x[e] = a.x[e] * factors.x[e % a.n];
    }
    return r;
}

/* The matrix that a Hermitian operation reads: what is above the diagonal is NaN. */
static void complete(matrix a) {
    for (int64_t i = 0; i < a.m; ++i) {
        a.x[i * a.n + i] = creal(a.x[i * a.n + i]);
        for (int64_t j = i + 1; j < a.n; ++j) {
            a.x[i * a.n + j] = conj(a.x[j * a.n + i]);
        }
    }
}

/* ---- what a check knows ---------------------------------------------------------------------- */

static double units(const batch *b, double error, double scale) {
    const double size = (double)(b->m > b->n ? b->m : b->n);
    if (isnan(error) || isnan(scale)) {
        return INFINITY; /* fmax passes a NaN over */
    }
    return scale > 0   ? error / (scale * eps_of(b->dtype) * (size > 0 ? size : 1))
           : error > 0 ? INFINITY
                       : 0;
}

/* |Q^H Q - I| */
static double orthogonality(const batch *b, matrix q) {
    return units(b, norm(plus(times(adjoint(q), q), -1, identity(q.n))), 1);
}

static double check_lu(const batch *b, int64_t p, matrix a) {
    const matrix lu = from(&b->out[0], p, 0, b->m, b->n);
    const int64_t k = b->m < b->n ? b->m : b->n;
    const matrix l = new_matrix(b->m, k), u = new_matrix(k, b->n), pa = new_matrix(b->m, b->n);
    const matrix seen = new_matrix(1, b->m);
    for (int64_t i = 0; i < b->m; ++i) {
        const int64_t row = (int64_t)creal(get(&b->out[1], p, i));
        assert_true(row >= 0 && row < b->m && seen.x[row] == 0);
        seen.x[row] = 1;
        for (int64_t j = 0; j < b->n; ++j) {
            const number x = lu.x[i * b->n + j];
            pa.x[i * b->n + j] = a.x[row * b->n + j];
            if (i > j) {
                l.x[i * k + j] = x;
                /* LAPACK compares |re| + |im|, which is up to sqrt(2) away */
                assert_true(cabs(x) <= sqrt(2) * (1 + eps_of(b->dtype)));
            } else {
                u.x[i * b->n + j] = x;
            }
        }
    }
    for (int64_t i = 0; i < k; ++i) {
        l.x[i * k + i] = 1;
    }
    return units(b, norm(plus(times(l, u), -1, pa)), norm(a));
}

static double check_cholesky(const batch *b, int64_t p, matrix a) {
    const matrix l = from(&b->out[0], p, 0, b->n, b->n);
    for (int64_t i = 0; i < b->n; ++i) {
        for (int64_t j = i; j < b->n; ++j) {
            assert_true(i == j ? creal(l.x[i * b->n + j]) > 0 && cimag(l.x[i * b->n + j]) == 0
                               : l.x[i * b->n + j] == 0);
        }
    }
    return units(b, norm(plus(times(l, adjoint(l)), -1, a)), norm(a));
}

static double check_qr(const batch *b, int64_t p, matrix a) {
    const int64_t k = b->out[0].tensor.shape[2];
    const matrix q = from(&b->out[0], p, 0, b->m, k), r = from(&b->out[1], p, 0, k, b->n);
    for (int64_t i = 0; i < k; ++i) {
        for (int64_t j = 0; j < i && j < b->n; ++j) {
            assert_true(r.x[i * b->n + j] == 0);
        }
        assert_true(i >= b->n || cimag(r.x[i * b->n + i]) == 0);
    }
    return fmax(orthogonality(b, q), units(b, norm(plus(times(q, r), -1, a)), norm(a)));
}

static double check_solve(const batch *b, int64_t p, matrix a) {
    const matrix right = from(&b->in[1], p, 0, b->n, b->k), x = from(&b->out[0], p, 0, b->n, b->k);
    return units(b, norm(plus(times(a, x), -1, right)), norm(a) * norm(x) + norm(right));
}

static double check_triangular(const batch *b, int64_t p, matrix a) {
    for (int64_t i = 0; i < b->n; ++i) {
        for (int64_t j = i + 1; j < b->n; ++j) {
            a.x[i * b->n + j] = 0;
        }
    }
    return check_solve(b, p, a);
}

static double check_inverse(const batch *b, int64_t p, matrix a) {
    const matrix x = from(&b->out[0], p, 0, b->n, b->n);
    return units(b, norm(plus(times(a, x), -1, identity(b->n))), norm(a) * norm(x));
}

/* Against elimination here, without pivoting by size but in double; det moves by |A^-1| eps |A|. */
static double check_determinant(const batch *b, int64_t p, matrix a) {
    const int64_t n = b->n;
    double complex det = 1;
    double log_abs = 0;
    const matrix x = plus(a, 0, a);
    for (int64_t k = 0; k < n; ++k) {
        int64_t pivot = k;
        for (int64_t i = k; i < n; ++i) {
            pivot = cabs(x.x[i * n + k]) > cabs(x.x[pivot * n + k]) ? i : pivot;
        }
        for (int64_t j = 0; j < n; ++j) {
            const number value = x.x[k * n + j];
            x.x[k * n + j] = x.x[pivot * n + j];
            x.x[pivot * n + j] = value;
        }
        det *= (pivot == k ? 1 : -1) * x.x[k * n + k] / cabs(x.x[k * n + k]);
        log_abs += log(cabs(x.x[k * n + k]));
        for (int64_t i = k + 1; i < n; ++i) {
            const number factor = x.x[i * n + k] / x.x[k * n + k];
            for (int64_t j = k; j < n; ++j) {
                x.x[i * n + j] -= factor * x.x[k * n + j];
            }
        }
    }
    const number got = get(&b->out[0], p, 0), sign = get(&b->out[1], p, 0);
    const double log_got = creal(get(&b->out[2], p, 0));
    const double condition = 1 / creal(get(&b->rcond, p, 0));
    double error = fmax(fabs(log_got - log_abs), cabs(sign - det));
    if (fabs(log_abs) < 80) {
        error = fmax(error, cabs(got / exp(log_abs) - det));
    }
    return units(b, error, condition + 1);
}

static double check_svd(const batch *b, int64_t p, matrix a) {
    const int64_t k = b->m < b->n ? b->m : b->n;
    const array *values = &b->out[b->out[1].memory != NULL ? 1 : 0];
    const int64_t r = values->tensor.shape[1];
    const matrix s = from(values, p, 0, 1, r);
    double squares = 0;
    for (int64_t i = 0; i < r; ++i) {
        assert_true(creal(s.x[i]) >= 0 && (i == 0 || creal(s.x[i]) <= creal(s.x[i - 1])));
        squares += creal(s.x[i]) * creal(s.x[i]);
    }
    const double size = norm(a);
    double error = r == k ? units(b, fabs(sqrt(squares) - size), size) : 0;
    if (b->out[1].memory == NULL) {
        return error;
    }
    const matrix u = from(&b->out[0], p, 0, b->m, b->out[0].tensor.shape[2]);
    const matrix vh = from(&b->out[2], p, 0, b->out[2].tensor.shape[1], b->n);
    error = fmax(error, fmax(orthogonality(b, u), orthogonality(b, adjoint(vh))));
    if (r == k) {
        const matrix product = times(scaled(first_columns(u, k), s), (matrix){k, b->n, vh.x});
        return fmax(error, units(b, norm(plus(product, -1, a)), size));
    }
    /* truncated: A V = U S */
    return fmax(error, units(b, norm(plus(times(a, adjoint(vh)), -1, scaled(u, s))), size));
}

static double check_eigen(const batch *b, int64_t p, matrix a) {
    const matrix w = from(&b->out[0], p, 0, 1, b->n), v = from(&b->out[1], p, 0, b->n, b->n);
    number trace = 0;
    double error = 0;
    for (int64_t j = 0; j < b->n; ++j) {
        double square = 0;
        trace += a.x[j * b->n + j] - w.x[j];
        for (int64_t i = 0; i < b->n; ++i) {
            square += creal(v.x[i * b->n + j] * conj(v.x[i * b->n + j]));
        }
        error = fmax(error, units(b, fabs(sqrt(square) - 1), 1));
    }
    error = fmax(error, units(b, cabs(trace), norm(a) * sqrt((double)b->n)));
    return fmax(error, units(b, norm(plus(times(a, v), -1, scaled(v, w))), norm(a)));
}

static double check_eigen_hermitian(const batch *b, int64_t p, matrix a) {
    for (int64_t i = 1; i < b->n; ++i) {
        assert_true(creal(get(&b->out[0], p, i)) >= creal(get(&b->out[0], p, i - 1)));
    }
    return fmax(check_eigen(b, p, a), orthogonality(b, from(&b->out[1], p, 0, b->n, b->n)));
}

/* The four conditions of Penrose, each beside the size that its terms have. */
static double penrose(const batch *b, matrix a, matrix x) {
    const matrix ax = times(a, x), xa = times(x, a);
    const double size = norm(a), inverse = norm(x), condition = size * inverse;
    double error = units(b, norm(plus(times(ax, a), -1, a)), size * condition);
    error = fmax(error, units(b, norm(plus(times(xa, x), -1, x)), inverse * condition));
    error = fmax(error, units(b, norm(plus(ax, -1, adjoint(ax))), condition));
    return fmax(error, units(b, norm(plus(xa, -1, adjoint(xa))), condition));
}

static double check_pseudoinverse(const batch *b, int64_t p, matrix a) {
    assert_int_equal((int64_t)creal(get(&b->out[1], p, 0)), b->m < b->n ? b->m : b->n);
    return penrose(b, a, from(&b->out[0], p, 0, b->n, b->m));
}

/* The normal equations and, for a wide A, x in the range of A^H: x = A^H z with A A^H z = A x. */
static double check_least_squares(const batch *b, int64_t p, matrix a) {
    const matrix right = from(&b->in[1], p, 0, b->m, b->k), x = from(&b->out[0], p, 0, b->n, b->k);
    assert_int_equal((int64_t)creal(get(&b->out[1], p, 0)), b->m < b->n ? b->m : b->n);
    const matrix rest = plus(times(a, x), -1, right);
    const double size = norm(a);
    double error = units(b, norm(times(adjoint(a), rest)), size * (size * norm(x) + norm(right)));
    if (b->m < b->n && b->m > 0) { /* the part of x that A does not see is 0 */
        batch wide =
            make_batch(find_operation("pseudoinverse"), b->dtype, b->m, b->n, 0, 1, ROWS, false, 1);
        for (int64_t e = 0; e < b->m * b->n; ++e) {
            set(&wide.in[0], 0, e, a.x[e]);
        }
        run_batch(&hosts[REF], &wide);
        const matrix inverse = from(&wide.out[0], 0, 0, b->n, b->m);
        const matrix outside = plus(x, -1, times(inverse, times(a, x)));
        error = fmax(error, units(b, norm(outside), norm(x) * size * norm(inverse)));
        free_batch(&wide);
    }
    return error;
}

static double check_sqrt(const batch *b, int64_t p, matrix a) {
    const matrix s = from(&b->out[0], p, 0, b->n, b->n);
    const double symmetric = units(b, norm(plus(s, -1, adjoint(s))), norm(s));
    return fmax(symmetric, units(b, norm(plus(times(s, s), -1, a)), norm(a)));
}

static double check_inverse_sqrt(const batch *b, int64_t p, matrix a) {
    const matrix t = from(&b->out[0], p, 0, b->n, b->n);
    const matrix product = times(times(t, a), t);
    return units(b, norm(plus(product, -1, identity(b->n))), norm(t) * norm(t) * norm(a));
}

/* product = left right, numbers of one part, or of two: real and imaginary. */
static void multiply_parts(int64_t n, int parts, const long double *left, const long double *right,
                           long double *product) {
    memset(product, 0, (size_t)(n * n * parts) * sizeof *product);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t l = 0; l < n; ++l) {
            const long double *x = left + (i * n + l) * parts, *row = right + l * n * parts;
            long double *to = product + i * n * parts;
            for (int64_t c = 0; parts == 1 && c < n; ++c) {
                to[c] += x[0] * row[c];
            }
            for (int64_t c = 0; parts == 2 && c < 2 * n; c += 2) {
                to[c] += x[0] * row[c] - x[1] * row[c + 1];
                to[c + 1] += x[0] * row[c + 1] + x[1] * row[c];
            }
        }
    }
}

static bool is_real(matrix a) {
    for (int64_t e = 0; e < a.m * a.n; ++e) {
        if (cimag(a.x[e]) != 0) {
            return false;
        }
    }
    return true;
}

/* sum_j (t a)^j / (j + k)!, in the order of the terms, for |t a| of a few. */
static void sum_series(matrix a, double t, int k, number *result) {
    const int parts = is_real(a) ? 1 : 2;
    const int64_t size = a.m * a.m * parts;
    long double *right = calloc((size_t)size + 1, 4 * sizeof *right);
    assert_non_null(right);
    long double *term = right + size, *sum = term + size, *next = sum + size;
    for (int64_t e = 0; e < size; ++e) {
        right[e] = e % parts == 0 ? creal(a.x[e / parts]) : cimag(a.x[e / parts]);
        sum[e] = term[e] = (e % (parts * (a.m + 1)) == 0) / tgammal(k + 1);
    }
    long double largest = 1;
    for (int j = 1; largest > 1e-25L; ++j) { /* terms fall faster than geometrically by then */
        multiply_parts(a.m, parts, term, right, next);
        largest = 0;
        for (int64_t e = 0; e < size; ++e) {
            term[e] = next[e] * t / (j + k);
            sum[e] += term[e];
            largest = fmaxl(largest, fabsl(term[e]));
        }
    }
    for (int64_t e = 0; e < a.m * a.m; ++e) {
        result[e] = CMPLX((double)sum[e * parts], parts == 1 ? 0 : (double)sum[e * parts + 1]);
    }
    free(right);
}

/* The same, remembered: one backend after the other is checked with the same problems. */
static matrix series(matrix a, double t, int k) {
    static struct {
        matrix a;
        double t;
        int k;
        number *sum;
    } known[16], *entry;
    static int turn;
    const size_t bytes = (size_t)(a.m * a.m) * sizeof *a.x;
    const matrix r = new_matrix(a.m, a.m);
    for (int i = 0; i < 16; ++i) {
        entry = &known[i];
        if (entry->sum != NULL && entry->a.m == a.m && entry->t == t && entry->k == k &&
            memcmp(entry->a.x, a.x, bytes) == 0) {
            memcpy(r.x, entry->sum, bytes);
            return r;
        }
    }
    sum_series(a, t, k, r.x);
    entry = &known[turn++ % 16];
    free(entry->sum);
    entry->a.m = a.m;
    entry->t = t;
    entry->k = k;
    entry->sum = malloc(2 * bytes + 1);
    assert_non_null(entry->sum);
    entry->a.x = entry->sum + a.m * a.m;
    memcpy(entry->sum, r.x, bytes);
    memcpy(entry->a.x, a.x, bytes);
    return r;
}

static double distance(const batch *b, const array *out, int64_t p, int64_t first,
                       matrix expected) {
    const matrix got = from(out, p, first, expected.m, expected.n);
    return units(b, norm(plus(got, -1, expected)), norm(expected));
}

static double check_exp(const batch *b, int64_t p, matrix a) {
    return distance(b, &b->out[0], p, 0, series(a, 0.75, 0));
}

static double check_exp_apply(const batch *b, int64_t p, matrix a) {
    const matrix right = from(&b->in[1], p, 0, b->n, b->k);
    return distance(b, &b->out[0], p, 0, times(series(a, -1.25, 0), right));
}

static double check_power(const batch *b, int64_t p, matrix a) {
    const matrix power = times(times(times(times(a, a), a), a), a);
    const double growth = pow(norm(a), 5);
    return units(b, norm(plus(from(&b->out[0], p, 0, b->n, b->n), -1, power)), growth);
}

static double check_phi(const batch *b, int64_t p, matrix a) {
    double error = 0;
    for (int k = 0; k < 4; ++k) {
        error = fmax(error, distance(b, &b->out[0], p, k * b->n * b->n, series(a, 0.75, k)));
    }
    return error;
}

static double check_magnus(const batch *b, int64_t p, matrix a) {
    const int64_t size = b->n * b->n, samples = b->in[0].tensor.shape[2];
    const double h = 0.5;
    matrix product = identity(b->n);
    (void)a;
    for (int64_t step = 0; step < 3; ++step) {
        const matrix first = from(&b->in[0], p, step * samples * size, b->n, b->n);
        matrix omega = first;
        if (samples == 2) {
            const matrix second = from(&b->in[0], p, (step * 2 + 1) * size, b->n, b->n);
            const matrix commutator = plus(times(first, second), -1, times(second, first));
            omega = plus(plus(first, 1, second), 0, first);
            for (int64_t e = 0; e < size; ++e) {
                omega.x[e] = omega.x[e] / 2 - sqrt(3) / 12 * h * commutator.x[e];
            }
        }
        product = times(series(omega, h, 0), product);
    }
    return distance(b, &b->out[0], p, 0, product);
}

/* (A (x) B) x = y, the dense matrix entry by entry. */
static double check_kronecker(const batch *b, int64_t p, matrix a) {
    const bool solve = strstr(b->operation->name, "solve") != NULL;
    const int64_t rows = b->in[2].tensor.shape[1], columns = b->in[2].tensor.shape[2];
    const matrix right = from(&b->in[2], p, 0, rows, columns);
    const matrix dense = new_matrix(b->m * rows, b->n * columns);
    for (int64_t e = 0; e < dense.m * dense.n; ++e) {
        const int64_t i = e / dense.n, j = e % dense.n;
        dense.x[e] = a.x[i / rows * b->n + j / columns] * right.x[i % rows * columns + j % columns];
    }
    const matrix x = from(solve ? &b->out[0] : &b->in[1], p, 0, dense.n, b->k);
    const matrix y = from(solve ? &b->in[1] : &b->out[0], p, 0, dense.m, b->k);
    return units(b, norm(plus(times(dense, x), -1, y)), norm(dense) * norm(x) + norm(y));
}

static const struct {
    const char *name;
    double (*check)(const batch *b, int64_t problem, matrix a);
} checks[] = {
    {"lu", check_lu},
    {"cholesky", check_cholesky},
    {"qr", check_qr},
    {"solve", check_solve},
    {"triangular_solve", check_triangular},
    {"inverse", check_inverse},
    {"determinant", check_determinant},
    {"svd", check_svd},
    {"eigen_hermitian", check_eigen_hermitian},
    {"eigen", check_eigen},
    {"least_squares", check_least_squares},
    {"pseudoinverse", check_pseudoinverse},
    {"sqrt_psd", check_sqrt},
    {"inverse_sqrt_psd", check_inverse_sqrt},
    {"exp", check_exp},
    {"exp_apply", check_exp_apply},
    {"power", check_power},
    {"phi", check_phi},
    {"magnus", check_magnus},
    {"kronecker_apply", check_kronecker},
    {"kronecker_solve", check_kronecker},
};

double check_problem(const batch *b, int64_t problem) {
    const char *name = b->operation->name;
    const bool whole = count_of(&b->in[0]) >= b->m * b->n; /* else it is a vector */
    const matrix a = from(&b->in[0], problem, 0, whole ? b->m : 0, b->n);
    if (b->operation->matrix == 'p') {
        complete(a);
    }
    double error = -1;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; ++i) {
        const size_t length = strlen(checks[i].name); /* "qr complete" is checked as "qr" */
        if (strncmp(name, checks[i].name, length) == 0 &&
            (name[length] == '\0' || name[length] == ' ')) {
            error = checks[i].check(b, problem, a);
        }
    }
    while (used > 0) {
        free(pool[--used]);
    }
    assert_true(error >= 0);
    return error;
}
