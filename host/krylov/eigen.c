/* Eigenvalues: the processes of Lanczos and Arnoldi. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/krylov/krylov.h"

/* Less than this part of |A v| left outside the space: the space is invariant, but for rounding. */
#define INVARIANT (64 * DBL_EPSILON)

static int64_t basis_size(const gm_operator *a, const gm_krylov_options *options) {
    const int64_t m =
        options != NULL && options->max_iterations > 0 ? options->max_iterations : a->n;
    return m < a->n ? m : a->n;
}

static gm_status need(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                      int64_t square, int64_t lines, int64_t *bytes) {
    const int64_t m = basis_size(a, options);
    int64_t vectors;
    GM_CHECK(context,
             m < INT64_C(1) << 28 && gm_multiply_sizes(m + 2, a->n, &vectors) &&
                 vectors < INT64_MAX / 64,
             GM_STATUS_INVALID_ARGUMENT, "options.max_iterations = %lld: over 2^63 - 1 bytes",
             (long long)m);
    *bytes = (vectors + square * m * m + lines * m) * (int64_t)sizeof(double);
    return GM_STATUS_OK;
}

/* ---- Lanczos -----------------------------------------------------------------------------------
 */

typedef struct lanczos {
    gm_krylov *k;
    int64_t m, count;
    gm_spectrum_end end;
    double *basis, *w;        /* (m + 1, n), n */
    double *diagonal, *below; /* of T */
    double *d, *e;            /* copies that the small problem destroys, then the eigenvalues */
    double *z;                /* (m, m) or (1, m) */
    double *order;            /* m: which eigenvalue is i-th, kept as a number */
} lanczos;

gm_status gm_lanczos_workspace_size(gm_context *context, const gm_operator *a,
                                    const gm_krylov_options *options, int64_t *bytes) {
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    return need(context, a, options, 1, 5, bytes);
}

/* Eigenvalues of T into d, and `rows` of its eigenvectors, the last ones: 1 or all. */
static bool solve_projected(lanczos *s, int64_t size, int64_t rows) {
    memcpy(s->d, s->diagonal, (size_t)size * sizeof(double));
    memcpy(s->e, s->below, (size_t)size * sizeof(double));
    memset(s->z, 0, (size_t)(rows * size) * sizeof(double));
    for (int64_t i = 0; i < rows; ++i) {
        s->z[i * size + size - rows + i] = 1;
    }
    if (!gm_tridiagonal_eigen(size, s->d, s->e, rows, s->z)) {
        return false;
    }
    /* Selection: `count` is small, and the rest need no order. */
    for (int64_t i = 0; i < size; ++i) {
        s->order[i] = (double)i;
    }
    for (int64_t i = 0; i < s->count && i < size; ++i) {
        for (int64_t j = i + 1; j < size; ++j) {
            const double a = s->d[(int64_t)s->order[i]], b = s->d[(int64_t)s->order[j]];
            if (s->end == GM_SPECTRUM_LARGEST ? b > a : b < a) {
                const double swap = s->order[i];
                s->order[i] = s->order[j];
                s->order[j] = swap;
            }
        }
    }
    return true;
}

/* Whether the wanted residuals |beta s_i|, s the last entries of T's eigenvectors, are small. */
static bool converged(lanczos *s, int64_t size, double beta) {
    if (size < s->count || !solve_projected(s, size, 1)) {
        return false;
    }
    double norm = 0;
    for (int64_t i = 0; i < size; ++i) {
        norm = fmax(norm, fabs(s->d[i]));
    }
    for (int64_t i = 0; i < s->count; ++i) {
        if (beta * fabs(s->z[(int64_t)s->order[i]]) > s->k->rtol * norm) {
            return false;
        }
    }
    return true;
}

/* Steps until the wanted eigenvalues have converged; beta is the last subdiagonal entry. */
static gm_status lanczos_steps(lanczos *s, double *beta) {
    gm_krylov_report *report = s->k->report;
    const int64_t n = s->k->n;
    gm_random_direction(n, 0, s->basis, 0, s->basis);
    for (int64_t j = 0; j < s->m; ++j) {
        double *next = s->basis + (j + 1) * n;
        GM_TRY(gm_krylov_apply(s->k, s->basis + j * n, s->w));
        const double before = gm_norm2(n, s->w);
        s->diagonal[j] = gm_dot(n, s->basis + j * n, s->w);
        *beta = gm_orthogonalise(n, j + 1, s->basis, s->w, NULL);
        report->iterations = j + 1;
        if (!isfinite(*beta)) {
            report->status = GM_STATUS_NON_FINITE;
            return GM_STATUS_OK;
        }
        const bool invariant = j + 1 == n || *beta <= INVARIANT * before;
        *beta = invariant ? 0 : *beta;
        s->below[j] = *beta;
        gm_krylov_record(s->k, *beta);
        if (!invariant && ((j + 1) % 4 == 0 || j + 1 == s->m) && converged(s, j + 1, *beta)) {
            return GM_STATUS_OK;
        }
        if (j + 1 == s->m) {
            break;
        }
        if (invariant) {
            gm_random_direction(n, j + 1, s->basis, j + 1, next);
        } else {
            for (int64_t i = 0; i < n; ++i) {
                next[i] = s->w[i] / *beta;
            }
        }
    }
    if (!converged(s, s->m, *beta)) {
        report->status = GM_STATUS_NOT_CONVERGED;
    }
    return GM_STATUS_OK;
}

static void lanczos_results(lanczos *s, double beta, double *eigenvalues, double *residuals,
                            double *eigenvectors) {
    const int64_t size = s->k->report->iterations, n = s->k->n;
    const bool solved =
        s->k->report->status != GM_STATUS_NON_FINITE && solve_projected(s, size, size);
    for (int64_t i = 0; i < s->count; ++i) {
        const bool there = solved && i < size;
        const int64_t at = there ? (int64_t)s->order[i] : 0;
        eigenvalues[i] = there ? s->d[at] : (double)NAN;
        if (residuals != NULL) {
            residuals[i] = there ? beta * fabs(s->z[(size - 1) * size + at]) : (double)NAN;
        }
        for (int64_t l = 0; eigenvectors != NULL && l < n; ++l) {
            eigenvectors[i * n + l] = there ? 0 : (double)NAN;
        }
        for (int64_t j = 0; eigenvectors != NULL && there && j < size; ++j) {
            gm_axpy(n, s->z[j * size + at], s->basis + j * n, eigenvectors + i * n);
        }
    }
}

gm_status gm_lanczos(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                     int64_t count, gm_spectrum_end end, double *eigenvalues, double *residuals,
                     double *eigenvectors, void *workspace, int64_t workspace_bytes,
                     gm_krylov_report *report) {
    gm_krylov k;
    int64_t bytes;
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, count >= 1 && count <= a->n, GM_STATUS_INVALID_ARGUMENT,
             "count = %lld: must be 1 to n = %lld", (long long)count, (long long)a->n);
    GM_CHECK(context, (unsigned)end <= GM_SPECTRUM_SMALLEST, GM_STATUS_INVALID_ARGUMENT,
             "end = %d is not an end", (int)end);
    GM_CHECK(context, eigenvalues != NULL, GM_STATUS_INVALID_ARGUMENT, "eigenvalues is NULL");
    GM_TRY(need(context, a, options, 1, 5, &bytes));
    GM_TRY(
        gm_krylov_begin(context, a, options, a->n, workspace, workspace_bytes, bytes, report, &k));
    lanczos s = {
        .k = &k, .m = basis_size(a, options), .count = count, .end = end, .basis = workspace};
    s.w = s.basis + (s.m + 1) * a->n;
    s.diagonal = s.w + a->n;
    s.below = s.diagonal + s.m;
    s.d = s.below + s.m;
    s.e = s.d + s.m;
    s.order = s.e + s.m;
    s.z = s.order + s.m;
    double beta = 0;
    GM_TRY(lanczos_steps(&s, &beta));
    lanczos_results(&s, beta, eigenvalues, residuals, eigenvectors);
    return GM_STATUS_OK;
}

/* ---- Arnoldi -----------------------------------------------------------------------------------
 */

gm_status gm_arnoldi_workspace_size(gm_context *context, const gm_operator *a,
                                    const gm_krylov_options *options, int64_t *bytes) {
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    return need(context, a, options, 2, 3, bytes);
}

/* Larger magnitude first; of a conjugate pair, whose magnitudes differ by rounding, in no order. */
static int by_magnitude(const void *a, const void *b) {
    const double complex *x = a, *y = b;
    const double left = cabs(*x), right = cabs(*y);
    return (left < right) - (left > right);
}

/* The process: column j of the projection into h; the vector left over is the next of the basis. */
static gm_status arnoldi_steps(gm_krylov *k, int64_t m, double *basis, double *column,
                               double complex *h) {
    gm_krylov_report *report = k->report;
    const int64_t n = k->n;
    for (int64_t j = 0; j < m; ++j) {
        double *next = basis + (j + 1) * n;
        GM_TRY(gm_krylov_apply(k, basis + j * n, next));
        const double before = gm_norm2(n, next);
        memset(column, 0, (size_t)m * sizeof(double));
        report->residual = gm_orthogonalise(n, j + 1, basis, next, column);
        report->iterations = j + 1;
        if (!isfinite(report->residual)) {
            report->status = GM_STATUS_NON_FINITE;
            return GM_STATUS_OK;
        }
        gm_krylov_record(k, report->residual);
        for (int64_t i = 0; i <= j; ++i) {
            h[i * m + j] = column[i];
        }
        if (report->residual <= INVARIANT * before || j + 1 == m) {
            return GM_STATUS_OK;
        }
        h[(j + 1) * m + j] = report->residual;
        for (int64_t i = 0; i < n; ++i) {
            next[i] /= report->residual;
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_arnoldi(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                     const double *start, double *values, void *workspace, int64_t workspace_bytes,
                     gm_krylov_report *report) {
    gm_krylov k;
    int64_t bytes;
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, values != NULL || a->n == 0, GM_STATUS_INVALID_ARGUMENT, "values is NULL");
    const double norm = start != NULL ? gm_norm2(a->n, start) : 1;
    GM_CHECK(context, a->n == 0 || (norm > 0 && isfinite(norm)), GM_STATUS_INVALID_ARGUMENT,
             "start is zero or not finite");
    GM_TRY(need(context, a, options, 2, 3, &bytes));
    GM_TRY(
        gm_krylov_begin(context, a, options, a->n, workspace, workspace_bytes, bytes, report, &k));
    if (a->n == 0) {
        return GM_STATUS_OK;
    }
    const int64_t m = basis_size(a, options);
    double *basis = workspace, *column = basis + (m + 2) * a->n;
    double complex *found = (double complex *)(void *)(column + m), *h = found + m;
    memset(h, 0, (size_t)(m * m) * sizeof *h);
    if (start == NULL) {
        gm_random_direction(a->n, 0, basis, 0, basis);
    }
    for (int64_t i = 0; start != NULL && i < a->n; ++i) {
        basis[i] = start[i] / norm;
    }
    GM_TRY(arnoldi_steps(&k, m, basis, column, h));
    const int64_t size = report->iterations;
    for (int64_t i = 0; i < size; ++i) { /* rows of `size` entries */
        memmove(h + i * size, h + i * m, (size_t)size * sizeof *h);
    }
    for (int64_t i = 0; i < 2 * m; ++i) {
        values[i] = (double)NAN;
    }
    if (report->status == GM_STATUS_OK) {
        if (!gm_hessenberg_eigenvalues(size, h, found)) {
            report->status = GM_STATUS_NOT_CONVERGED;
            return GM_STATUS_OK;
        }
        qsort(found, (size_t)size, sizeof *found, by_magnitude);
        memcpy(values, found, (size_t)size * sizeof *found);
    }
    return GM_STATUS_OK;
}
