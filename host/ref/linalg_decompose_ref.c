/* The oracle of decompose.h. */
#include <math.h>

#include "host/ref/linalg_ref.h"

/* ---- singular values ------------------------------------------------------------------------- */

/* U, S, V of a problem and the A that they are of. */
typedef struct svd {
    gm_complex *a, *u, *s, *v, *scratch;
} svd;

static svd take_svd(gm_arena *arena, int64_t m, int64_t n) {
    return (svd){gm_ref_take(arena, m * n), gm_ref_take(arena, m * m),
                 gm_ref_take(arena, m < n ? m : n), gm_ref_take(arena, n * n),
                 gm_ref_take(arena, m * n)};
}

static gm_status decompose(const gm_linalg_args *args, int64_t problem, const svd *d) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns;
    if (!gm_ref_load(args, &args->in[0], problem, d->a)) {
        return GM_STATUS_NON_FINITE;
    }
    return gm_ref_svd(m, n, d->a, d->u, d->s, d->v, d->scratch) ? GM_STATUS_OK
                                                                : GM_STATUS_NOT_CONVERGED;
}

static double ratio_of_values(int64_t k, const gm_complex *s) {
    return k == 0 ? 1 : creal(s[0]) > 0 ? creal(s[k - 1]) / creal(s[0]) : 0;
}

gm_linalg_outcome gm_ref_item_svd(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns, k = m < n ? m : n;
    const svd d = take_svd(arena, m, n);
    gm_complex *scaled = gm_ref_take(arena, m * k), *vh = gm_ref_take(arena, n * n);
    gm_complex *thin = gm_ref_take(arena, k * n);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    outcome.status = decompose(args, problem, &d);
    if (outcome.status != GM_STATUS_OK) {
        return gm_linalg_failed(outcome.status);
    }
    gm_ref_adjoint(n, n, d.v, vh);
    for (int64_t j = 0; j < k; ++j) {
        for (int64_t i = 0; i < m; ++i) {
            scaled[i + j * m] = d.u[i + j * m] * d.s[j];
        }
        for (int64_t i = 0; i < n; ++i) {
            thin[j + i * k] = vh[j + i * n];
        }
    }
    outcome.rcond = ratio_of_values(k, d.s);
    outcome.residual =
        gm_ref_relative_error(m, n, k, scaled, thin, d.a, gm_ref_norm(m, n, d.a), d.scratch);
    const bool finite = gm_ref_store(args, &args->out[0], problem, d.u, m) &
                        gm_ref_store(args, &args->out[1], problem, d.s, k) &
                        gm_ref_store(args, &args->out[2], problem, vh, n);
    return finite ? outcome : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

/* A^+ = V diag(1/s) U^H over the values above the cutoff, n x m; returns the rank. */
static int64_t pseudoinverse(const gm_linalg_args *args, const svd *d, gm_complex *out) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns, k = m < n ? m : n;
    int64_t rank = 0;
    for (int64_t i = 0; i < m * n; ++i) {
        out[i] = 0;
    }
    while (rank < k && creal(d->s[rank]) > args->cutoff * creal(d->s[0])) {
        for (int64_t j = 0; j < m; ++j) {
            for (int64_t i = 0; i < n; ++i) {
                out[i + j * n] += d->v[i + rank * n] / d->s[rank] * conj(d->u[j + rank * m]);
            }
        }
        ++rank;
    }
    return rank;
}

gm_linalg_outcome gm_ref_item_pseudoinverse(const gm_linalg_args *args, int64_t problem,
                                            gm_arena *arena) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns;
    const svd d = take_svd(arena, m, n);
    gm_complex *out = gm_ref_take(arena, n * m), *square = gm_ref_take(arena, m * m);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    outcome.status = decompose(args, problem, &d);
    if (outcome.status != GM_STATUS_OK) {
        return gm_linalg_failed(outcome.status);
    }
    outcome.rank = pseudoinverse(args, &d, out);
    outcome.rcond = ratio_of_values(m < n ? m : n, d.s);
    const double norm = gm_ref_norm(m, n, d.a);
    gm_ref_multiply(m, m, n, d.a, out, square);
    outcome.residual = gm_ref_relative_error(m, n, m, square, d.a, d.a,
                                             norm * norm * gm_ref_norm(n, m, out), d.scratch);
    return gm_ref_store(args, &args->out[0], problem, out, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

gm_linalg_outcome gm_ref_item_least_squares(const gm_linalg_args *args, int64_t problem,
                                            gm_arena *arena) {
    const int64_t m = args->in[0].rows, n = args->in[0].columns, k = args->in[1].columns;
    const svd d = take_svd(arena, m, n);
    gm_complex *inverse = gm_ref_take(arena, n * m), *b = gm_ref_take(arena, m * k);
    gm_complex *x = gm_ref_take(arena, n * k), *rest = gm_ref_take(arena, m * k);
    gm_complex *normal = gm_ref_take(arena, n * k), *adjoint = gm_ref_take(arena, n * m);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    outcome.status = gm_ref_load(args, &args->in[1], problem, b) ? decompose(args, problem, &d)
                                                                 : GM_STATUS_NON_FINITE;
    if (outcome.status != GM_STATUS_OK) {
        return gm_linalg_failed(outcome.status);
    }
    outcome.rank = pseudoinverse(args, &d, inverse);
    outcome.rcond = ratio_of_values(m < n ? m : n, d.s);
    gm_ref_multiply(n, k, m, inverse, b, x);
    gm_ref_multiply(m, k, n, d.a, x, rest);
    for (int64_t i = 0; i < m * k; ++i) {
        rest[i] -= b[i];
    }
    gm_ref_adjoint(m, n, d.a, adjoint);
    gm_ref_multiply(n, k, m, adjoint, rest, normal);
    const double norm = gm_ref_norm(m, n, d.a);
    const double scale = norm * (norm * gm_ref_norm(n, k, x) + gm_ref_norm(m, k, b));
    outcome.residual = scale > 0 ? gm_ref_norm(n, k, normal) / scale : 0;
    return gm_ref_store(args, &args->out[0], problem, x, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

/* ---- eigenvalues ----------------------------------------------------------------------------- */

/* |A V - V diag(w)| / |A|; scratch: two matrices. */
static double residual_of_vectors(int64_t n, const gm_complex *a, const gm_complex *w,
                                  const gm_complex *v, gm_complex *scaled, gm_complex *product) {
    for (int64_t i = 0; i < n * n; ++i) {
        scaled[i] = v[i] * w[i / n];
    }
    return gm_ref_relative_error(n, n, n, a, v, scaled, gm_ref_norm(n, n, a), product);
}

static double ratio_of_moduli(int64_t n, const gm_complex *w) {
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < n; ++i) {
        least = fmin(least, cabs(w[i]));
        most = fmax(most, cabs(w[i]));
    }
    return n == 0 ? 1 : most > 0 ? least / most : 0;
}

gm_linalg_outcome gm_ref_item_eigen_hermitian(const gm_linalg_args *args, int64_t problem,
                                              gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *used = gm_ref_take(arena, n * n);
    gm_complex *w = gm_ref_take(arena, n), *v = gm_ref_take(arena, n * n);
    gm_complex *scratch = gm_ref_take(arena, n * n);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load_hermitian(args, problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, used);
    if (!gm_ref_eigen_hermitian(n, used, w, v)) {
        return gm_linalg_failed(GM_STATUS_NOT_CONVERGED);
    }
    outcome.rcond = ratio_of_moduli(n, w);
    outcome.residual = residual_of_vectors(n, a, w, v, used, scratch);
    const bool finite = gm_ref_store(args, &args->out[0], problem, w, n) &
                        gm_ref_store(args, &args->out[1], problem, v, n);
    return finite ? outcome : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

gm_linalg_outcome gm_ref_item_eigen(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *used = gm_ref_take(arena, n * n);
    gm_complex *w = gm_ref_take(arena, n), *v = gm_ref_take(arena, n * n + 2);
    gm_complex *scratch = gm_ref_take(arena, n * n + n), *inverse = gm_ref_take(arena, n * n);
    int64_t *permutation = gm_arena_take(arena, n, sizeof *permutation);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load(args, &args->in[0], problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, used);
    if (!gm_ref_eigen(n, used, w, v, scratch)) {
        return gm_linalg_failed(GM_STATUS_NOT_CONVERGED);
    }
    outcome.residual = residual_of_vectors(n, a, w, v, used, scratch);
    gm_ref_copy(n * n, v, used);
    if (gm_ref_lu(n, n, used, permutation)) {
        gm_ref_lu_inverse(n, used, permutation, scratch, inverse);
        outcome.rcond = gm_ref_rcond(n, v, inverse);
    }
    const bool finite = gm_ref_store(args, &args->out[0], problem, w, n) &
                        gm_ref_store(args, &args->out[1], problem, v, n);
    return finite ? outcome : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

/* ---- roots of positive semidefinite matrices ------------------------------------------------- */

/* f(w) = sqrt(w), or 1 / sqrt(w); false where the matrix has none. */
static bool roots_of(const gm_linalg_args *args, int64_t n, const gm_complex *w, gm_complex *f) {
    const bool inverse = args->kind == GM_LINALG_INVERSE_SQRT_PSD;
    const double small = n > 0 ? args->cutoff * fabs(creal(w[n - 1])) : 0;
    for (int64_t i = 0; i < n; ++i) {
        const double value = creal(w[i]);
        if (inverse ? !(value > small) : value < -small) {
            return false;
        }
        f[i] = inverse ? 1 / sqrt(value) : sqrt(fmax(value, 0));
    }
    return true;
}

static gm_linalg_outcome root(const gm_linalg_args *args, int64_t problem, gm_arena *arena) {
    const int64_t n = args->in[0].rows;
    gm_complex *a = gm_ref_take(arena, n * n), *used = gm_ref_take(arena, n * n);
    gm_complex *w = gm_ref_take(arena, n), *v = gm_ref_take(arena, n * n);
    gm_complex *scaled = gm_ref_take(arena, n * n), *out = gm_ref_take(arena, n * n);
    gm_complex *f = gm_ref_take(arena, n);
    gm_linalg_outcome outcome = {.status = GM_STATUS_OK};
    if (arena->base == NULL) {
        return outcome;
    }
    if (!gm_ref_load_hermitian(args, problem, a)) {
        return gm_linalg_failed(GM_STATUS_NON_FINITE);
    }
    gm_ref_copy(n * n, a, used);
    if (!gm_ref_eigen_hermitian(n, used, w, v)) {
        return gm_linalg_failed(GM_STATUS_NOT_CONVERGED);
    }
    outcome.rcond = ratio_of_moduli(n, w);
    if (!roots_of(args, n, w, f)) {
        const double rcond = outcome.rcond;
        outcome = gm_linalg_failed(GM_STATUS_SINGULAR);
        outcome.rcond = rcond;
        return outcome;
    }
    for (int64_t i = 0; i < n * n; ++i) {
        scaled[i] = v[i] * f[i / n];
    }
    gm_ref_adjoint(n, n, v, used);
    gm_ref_multiply(n, n, n, scaled, used, out);
    const double norm = gm_ref_norm(n, n, a), root_norm = gm_ref_norm(n, n, out);
    if (args->kind == GM_LINALG_SQRT_PSD) {
        outcome.residual = gm_ref_relative_error(n, n, n, out, out, a, norm, scaled);
    } else {
        gm_ref_multiply(n, n, n, out, a, used);
        gm_ref_identity(n, v);
        outcome.residual =
            gm_ref_relative_error(n, n, n, used, out, v, norm * root_norm * root_norm, scaled);
    }
    return gm_ref_store(args, &args->out[0], problem, out, n)
               ? outcome
               : gm_linalg_failed(GM_STATUS_NON_FINITE);
}

gm_linalg_outcome gm_ref_item_sqrt_psd(const gm_linalg_args *args, int64_t problem,
                                       gm_arena *arena) {
    return root(args, problem, arena);
}

gm_linalg_outcome gm_ref_item_inverse_sqrt_psd(const gm_linalg_args *args, int64_t problem,
                                               gm_arena *arena) {
    return root(args, problem, arena);
}
