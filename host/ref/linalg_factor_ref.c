/* The oracle of linalg.h: factorizations, solves, inverses, determinants. */
#include <math.h>

#include "host/ref/linalg_ref.h"

/* ---- LU -------------------------------------------------------------------------------------- */

/* The size by which LAPACK chooses a complex pivot; of a real number the modulus. */
static double size_of(gm_complex z) {
    return fabs(creal(z)) + fabs(cimag(z));
}

static void swap_rows(int64_t m, int64_t n, gm_complex *a, int64_t i, int64_t k) {
    for (int64_t j = 0; j < n && i != k; ++j) {
        const gm_complex value = a[i + j * m];
        a[i + j * m] = a[k + j * m];
        a[k + j * m] = value;
    }
}

bool gm_ref_lu(int64_t m, int64_t n, gm_complex *a, int64_t *permutation) {
    bool regular = true;
    for (int64_t i = 0; i < m; ++i) {
        permutation[i] = i;
    }
    for (int64_t k = 0; k < m && k < n; ++k) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < m; ++i) {
            pivot = size_of(a[i + k * m]) > size_of(a[pivot + k * m]) ? i : pivot;
        }
        if (a[pivot + k * m] == 0) {
            regular = false;
            continue;
        }
        const int64_t row = permutation[k];
        permutation[k] = permutation[pivot];
        permutation[pivot] = row;
        swap_rows(m, n, a, k, pivot);
        for (int64_t i = k + 1; i < m; ++i) {
            a[i + k * m] /= a[k + k * m];
            for (int64_t j = k + 1; j < n; ++j) {
                a[i + j * m] -= a[i + k * m] * a[k + j * m];
            }
        }
    }
    return regular;
}

void gm_ref_lu_solve(int64_t n, int64_t k, const gm_complex *lu, const int64_t *permutation,
                     const gm_complex *b, gm_complex *x) {
    for (int64_t j = 0; j < k; ++j) {
        gm_complex *column = x + j * n;
        for (int64_t i = 0; i < n; ++i) {
            column[i] = b[permutation[i] + j * n];
            for (int64_t l = 0; l < i; ++l) {
                column[i] -= lu[i + l * n] * column[l];
            }
        }
        for (int64_t i = n - 1; i >= 0; --i) {
            for (int64_t l = i + 1; l < n; ++l) {
                column[i] -= lu[i + l * n] * column[l];
            }
            column[i] /= lu[i + i * n];
        }
    }
}

double gm_ref_rcond(int64_t n, const gm_complex *a, const gm_complex *inverse) {
    return n == 0 ? 1 : 1 / gm_ref_norm_1(n, n, a) / gm_ref_norm_1(n, n, inverse);
}

void gm_ref_lu_inverse(int64_t n, const gm_complex *lu, const int64_t *permutation,
                       gm_complex *identity, gm_complex *inverse) {
    gm_ref_identity(n, identity);
    gm_ref_lu_solve(n, n, lu, permutation, identity, inverse);
}

/* The unit lower m x k and the upper k x n factor, apart. */
static void split_lu(int64_t m, int64_t n, const gm_complex *lu, gm_complex *l, gm_complex *u) {
    const int64_t k = m < n ? m : n;
    for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < k; ++j) {
            l[i + j * m] = i > j ? lu[i + j * m] : i == j;
        }
    }
    for (int64_t i = 0; i < k; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            u[i + j * k] = i <= j ? lu[i + j * m] : 0;
        }
    }
}

gm_linalg_outcome gm_ref_item_lu(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns, k = m < n ? m : n;
    gm_complex *a = gm_ref_take(arena, m * n), *lu = gm_ref_take(arena, m * n);
    gm_complex *l = gm_ref_take(arena, m * n), *u = gm_ref_take(arena, m * n);
    gm_complex *rows = gm_ref_take(arena, m);
    gm_complex *product = gm_ref_take(arena, m * n), *permuted = gm_ref_take(arena, m * n);
    int64_t *permutation = gm_arena_take(arena, m, sizeof *permutation);
    gm_linalg_outcome outcome = {.outputs_hold = true};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(m * n, a, lu);
    outcome.status = gm_ref_lu(m, n, lu, permutation) ? GM_STATUS_OK : GM_STATUS_SINGULAR;
    for (int64_t i = 0; i < m; ++i) {
        rows[i] = (double)permutation[i];
        for (int64_t j = 0; j < n; ++j) {
            permuted[i + j * m] = a[permutation[i] + j * m];
        }
    }
    split_lu(m, n, lu, l, u);
    outcome.residual =
        gm_ref_relative_error(m, n, k, l, u, permuted, gm_ref_norm(m, n, a), product);
    if (m == n && outcome.status == GM_STATUS_OK) {
        gm_ref_lu_inverse(n, lu, permutation, l, u);
        outcome.rcond = gm_ref_rcond(n, a, u);
    }
    gm_ref_store(args, &args->out[1], problem, rows, m);
    if (!gm_ref_store(args, &args->out[0], problem, lu, m)) {
        outcome.status = GM_STATUS_NON_FINITE;
    }
    return outcome;
}

/* ---- Cholesky -------------------------------------------------------------------------------- */

static bool cholesky(int64_t n, const gm_complex *a, gm_complex *l) {
    for (int64_t j = 0; j < n; ++j) {
        double pivot = creal(a[j + j * n]);
        for (int64_t k = 0; k < j; ++k) {
            pivot -= creal(l[j + k * n] * conj(l[j + k * n]));
            l[k + j * n] = 0;
        }
        if (!(pivot > 0)) {
            return false;
        }
        l[j + j * n] = sqrt(pivot);
        for (int64_t i = j + 1; i < n; ++i) {
            gm_complex sum = a[i + j * n];
            for (int64_t k = 0; k < j; ++k) {
                sum -= l[i + k * n] * conj(l[j + k * n]);
            }
            l[i + j * n] = sum / l[j + j * n];
        }
    }
    return true;
}

gm_linalg_outcome gm_ref_item_cholesky(const gm_linalg_args *args, int64_t problem,
                                       gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *l = gm_ref_take(arena, n * n);
    gm_complex *adjoint = gm_ref_take(arena, n * n), *product = gm_ref_take(arena, n * n);
    gm_complex *inverse = gm_ref_take(arena, n * n);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load_hermitian(args, problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    if (!cholesky(n, a, l)) {
        outcome = gm_linalg_failed(GM_STATUS_SINGULAR);
        outcome.rcond = 0;
        return outcome;
    }
    gm_ref_adjoint(n, n, l, adjoint);
    outcome.residual = gm_ref_relative_error(n, n, n, l, adjoint, a, gm_ref_norm(n, n, a), product);
    if (args->rcond.data != NULL) {
        gm_ref_copy(n * n, a, product);
        outcome.rcond = 0;
        if (gm_ref_lu(n, n, product, permutation)) {
            gm_ref_lu_inverse(n, product, permutation, adjoint, inverse);
            outcome.rcond = gm_ref_rcond(n, a, inverse);
        }
    }
    gm_ref_store(args, &args->out[0], problem, l, n);
    return outcome;
}

/* ---- QR -------------------------------------------------------------------------------------- */

/* a := (I - factor v v^H) a on rows from k on, v 0 above them and v_k = 1. */
void gm_ref_reflect(int64_t m, int64_t n, int64_t k, gm_complex factor, const gm_complex *v,
                    gm_complex *a) {
    for (int64_t j = 0; j < n; ++j) {
        gm_complex dot = 0;
        for (int64_t i = k; i < m; ++i) {
            dot += conj(v[i]) * a[i + j * m];
        }
        for (int64_t i = k; i < m; ++i) {
            a[i + j * m] -= factor * dot * v[i];
        }
    }
}

/* The reflection (I - tau v v^H)^H that takes x_k.. to a real multiple of e_k: v, and tau. */
gm_complex gm_ref_householder(int64_t m, int64_t k, const gm_complex *x, gm_complex *v) {
    double below = 0;
    for (int64_t i = k + 1; i < m; ++i) {
        below = hypot(below, cabs(x[i]));
    }
    for (int64_t i = 0; i < m; ++i) {
        v[i] = i == k;
    }
    if (below == 0 && cimag(x[k]) == 0) {
        return 0;
    }
    const double beta = -copysign(hypot(below, cabs(x[k])), creal(x[k]));
    for (int64_t i = k + 1; i < m; ++i) {
        v[i] = x[i] / (x[k] - beta);
    }
    return (beta - x[k]) / beta;
}

void gm_ref_qr(int64_t m, int64_t n, gm_complex *a, gm_complex *q, gm_complex *v) {
    const int64_t steps = m < n ? m : n;
    gm_ref_identity(m, q); /* Q^H, until the end */
    for (int64_t k = 0; k < steps; ++k) {
        const gm_complex tau = gm_ref_householder(m, k, a + k * m, v);
        gm_ref_reflect(m, n, k, conj(tau), v, a);
        gm_ref_reflect(m, m, k, conj(tau), v, q);
        for (int64_t i = k + 1; i < m; ++i) {
            a[i + k * m] = 0;
        }
        a[k + k * m] = creal(a[k + k * m]);
    }
    for (int64_t j = 0; j < m; ++j) {
        for (int64_t i = 0; i <= j; ++i) {
            const gm_complex value = conj(q[i + j * m]);
            q[i + j * m] = conj(q[j + i * m]);
            q[j + i * m] = value;
        }
    }
}

/* The reciprocal condition number of the leading n x n triangle of r. */
static double rcond_of_triangle(int64_t m, int64_t n, const gm_complex *r, gm_complex *square,
                                gm_complex *factors, gm_complex *identity, gm_complex *inverse,
                                int64_t *permutation) {
    for (int64_t j = 0; j < n; ++j) {
        gm_ref_copy(n, r + j * m, square + j * n);
    }
    gm_ref_copy(n * n, square, factors);
    if (!gm_ref_lu(n, n, factors, permutation)) {
        return 0;
    }
    gm_ref_lu_inverse(n, factors, permutation, identity, inverse);
    return gm_ref_rcond(n, square, inverse);
}

gm_linalg_outcome gm_ref_item_qr(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns, most = m > n ? m : n;
    gm_complex *a = gm_ref_take(arena, m * n), *r = gm_ref_take(arena, m * n);
    gm_complex *q = gm_ref_take(arena, m * m), *v = gm_ref_take(arena, m);
    gm_complex *work[4] = {gm_ref_take(arena, most * n), gm_ref_take(arena, n * n),
                           gm_ref_take(arena, n * n), gm_ref_take(arena, n * n)};
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(m * n, a, r);
    gm_ref_qr(m, n, r, q, v);
    outcome.residual = gm_ref_relative_error(m, n, m, q, r, a, gm_ref_norm(m, n, a), work[0]);
    if (args->rcond.data != NULL) {
        outcome.rcond = rcond_of_triangle(m, n, r, work[0], work[1], work[2], work[3], permutation);
    }
    const bool finite = gm_ref_store(args, &args->out[0], problem, q, m) &
                        gm_ref_store(args, &args->out[1], problem, r, m);
    return finite ? outcome : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

/* ---- solves ---------------------------------------------------------------------------------- */

/* A x = b is regular: stores x with its residual. left: op(A). */
static gm_linalg_outcome finish_solve(const gm_linalg_args *args, int64_t problem,
                                      const gm_complex *left, const gm_complex *b,
                                      const gm_complex *x, double rcond, gm_complex *product) {
    const int64_t n = args->in[0].rows, k = args->in[1].columns;
    const double scale = gm_ref_norm(n, n, left) * gm_ref_norm(n, k, x) + gm_ref_norm(n, k, b);
    const gm_linalg_outcome outcome = {
        .status = GM_STATUS_OK,
        .rcond = rcond,
        .residual = gm_ref_relative_error(n, k, n, left, x, b, scale, product)};
    return gm_ref_store(args, &args->out[0], problem, x, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

static gm_linalg_outcome singular(void) {
    gm_linalg_outcome outcome = gm_linalg_failed(GM_STATUS_SINGULAR);
    outcome.rcond = 0;
    return outcome;
}

gm_linalg_outcome gm_ref_item_solve(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows, k = args->in[1].columns;
    gm_complex *a = gm_ref_take(arena, n * n), *lu = gm_ref_take(arena, n * n);
    gm_complex *identity = gm_ref_take(arena, n * n), *inverse = gm_ref_take(arena, n * n);
    gm_complex *b = gm_ref_take(arena, n * k), *x = gm_ref_take(arena, n * k);
    gm_complex *product = gm_ref_take(arena, n * k);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    if (arena->base == NULL) {
        return singular();
    }
    if (!(gm_ref_load(args, &args->in[0], problem, a) &
          gm_ref_load(args, &args->in[1], problem, b))) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, lu);
    if (!gm_ref_lu(n, n, lu, permutation)) {
        return singular();
    }
    gm_ref_lu_solve(n, k, lu, permutation, b, x);
    gm_ref_lu_inverse(n, lu, permutation, identity, inverse);
    return finish_solve(args, problem, a, b, x, gm_ref_rcond(n, a, inverse), product);
}

/* op(A) as a full matrix: the entries that are not read are 0, or 1 on a unit diagonal. */
static void load_triangle(const gm_linalg_args *args, int64_t problem, gm_complex *a,
                          gm_complex *op) {
    const gm_triangular_options *o = &args->triangle;
    const int64_t n = args->in[0].rows;
    (void)gm_ref_load(args, &args->in[0], problem, a);
    for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < n; ++i) {
            const bool read = o->upper ? i <= j : i >= j;
            const gm_complex value = i == j && o->unit_diagonal ? 1 : read ? a[i + j * n] : 0;
            if (o->transpose == GM_TRANSPOSE_NONE) {
                op[i + j * n] = value;
            } else {
                op[j + i * n] = o->transpose == GM_TRANSPOSE ? value : conj(value);
            }
        }
    }
}

/* Substitution, forward for a lower triangle, else backward. */
static void substitute(int64_t n, int64_t k, bool lower, const gm_complex *op, const gm_complex *b,
                       gm_complex *x) {
    for (int64_t j = 0; j < k; ++j) {
        for (int64_t step = 0; step < n; ++step) {
            const int64_t i = lower ? step : n - 1 - step;
            gm_complex sum = b[i + j * n];
            for (int64_t l = lower ? 0 : i + 1; l < (lower ? i : n); ++l) {
                sum -= op[i + l * n] * x[l + j * n];
            }
            x[i + j * n] = sum / op[i + i * n];
        }
    }
}

gm_linalg_outcome gm_ref_item_triangular_solve(const gm_linalg_args *args, int64_t problem,
                                               gm_arena *arena) {
    const int64_t n = args->in[0].rows, k = args->in[1].columns;
    gm_complex *a = gm_ref_take(arena, n * n), *op = gm_ref_take(arena, n * n);
    gm_complex *inverse = gm_ref_take(arena, n * n);
    gm_complex *b = gm_ref_take(arena, n * k), *x = gm_ref_take(arena, n * k);
    gm_complex *product = gm_ref_take(arena, n * k);
    if (arena->base == NULL) {
        return singular();
    }
    load_triangle(args, problem, a, op);
    if (!(gm_ref_load(args, &args->in[1], problem, b) & gm_ref_finite(n * n, op))) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    for (int64_t i = 0; i < n; ++i) {
        if (op[i + i * n] == 0) {
            return singular();
        }
    }
    const bool lower = !args->triangle.upper == (args->triangle.transpose == GM_TRANSPOSE_NONE);
    substitute(n, k, lower, op, b, x);
    gm_ref_identity(n, a);
    substitute(n, n, lower, op, a, inverse);
    return finish_solve(args, problem, op, b, x, gm_ref_rcond(n, op, inverse), product);
}

/* ---- inverse and determinant ----------------------------------------------------------------- */

gm_linalg_outcome gm_ref_item_inverse(const gm_linalg_args *args, int64_t problem,
                                      gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *lu = gm_ref_take(arena, n * n);
    gm_complex *identity = gm_ref_take(arena, n * n), *inverse = gm_ref_take(arena, n * n);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    if (arena->base == NULL) {
        return singular();
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, lu);
    if (!gm_ref_lu(n, n, lu, permutation)) {
        return singular();
    }
    gm_ref_lu_inverse(n, lu, permutation, identity, inverse);
    const double scale = gm_ref_norm(n, n, a) * gm_ref_norm(n, n, inverse);
    const gm_linalg_outcome outcome = {
        .status = GM_STATUS_OK,
        .rcond = gm_ref_rcond(n, a, inverse),
        .residual = gm_ref_relative_error(n, n, n, a, inverse, identity, scale, lu)};
    return gm_ref_store(args, &args->out[0], problem, inverse, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

/* -1 for an odd permutation, else 1. Uses it up. */
static int sign_of(int64_t n, int64_t *permutation) {
    int sign = 1;
    for (int64_t i = 0; i < n; ++i) {
        while (permutation[i] != i) {
            const int64_t to = permutation[i];
            permutation[i] = permutation[to];
            permutation[to] = to;
            sign = -sign;
        }
    }
    return sign;
}

gm_linalg_outcome gm_ref_item_determinant(const gm_linalg_args *args, int64_t problem,
                                          gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *lu = gm_ref_take(arena, n * n);
    gm_complex *identity = gm_ref_take(arena, n * n), *inverse = gm_ref_take(arena, n * n);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, lu);
    if (gm_ref_lu(n, n, lu, permutation) && args->rcond.data != NULL) {
        gm_ref_lu_inverse(n, lu, permutation, identity, inverse);
        outcome.rcond = gm_ref_rcond(n, a, inverse);
    }
    const double parity = sign_of(n, permutation);
    gm_complex det = parity, sign = parity, log_abs = 0;
    for (int64_t i = 0; i < n; ++i) {
        const gm_complex pivot = lu[i + i * n];
        det *= pivot;
        sign *= pivot != 0 ? pivot / cabs(pivot) : 0;
        log_abs += log(cabs(pivot));
    }
    gm_ref_store(args, &args->out[0], problem, &det, 1);
    gm_ref_store(args, &args->out[1], problem, &sign, 1);
    gm_ref_store(args, &args->out[2], problem, &log_abs, 1);
    return outcome;
}
