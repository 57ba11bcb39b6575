/* GMRES with restarts, preconditioned from the right. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/krylov/krylov.h"

/* Column j of the Hessenberg matrix is at h + j * (m + 1), as R once the rotations have passed. */
typedef struct workspace {
    int64_t m; /* of the basis */
    double *basis, *w, *z, *h, *cosine, *sine, *g, *y;
} workspace;

static int64_t basis_size(const gm_operator *a, const gm_krylov_options *options) {
    const int64_t m = options != NULL && options->restart > 0 ? options->restart : 30;
    return m < a->n ? m : a->n;
}

static gm_status need(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                      int64_t *bytes) {
    const int64_t m = basis_size(a, options);
    int64_t vectors;
    GM_CHECK(context,
             m < INT64_C(1) << 28 && gm_multiply_sizes(m + 3, a->n, &vectors) &&
                 vectors < INT64_MAX / 32,
             GM_STATUS_INVALID_ARGUMENT, "options.restart = %lld: over 2^63 - 1 bytes",
             (long long)m);
    *bytes = (vectors + (m + 1) * m + 4 * (m + 1)) * (int64_t)sizeof(double);
    return GM_STATUS_OK;
}

gm_status gm_gmres_workspace_size(gm_context *context, const gm_operator *a,
                                  const gm_krylov_options *options, int64_t *bytes) {
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    return need(context, a, options, bytes);
}

static void rotate(double c, double s, double *x, double *y) {
    const double t = c * *x + s * *y;
    *y = c * *y - s * *x;
    *x = t;
}

/* Brings column j to triangular form: the old rotations, then one of its own. */
static void rotate_column(workspace *v, int64_t j) {
    double *column = v->h + j * (v->m + 1);
    for (int64_t i = 0; i < j; ++i) {
        rotate(v->cosine[i], v->sine[i], &column[i], &column[i + 1]);
    }
    const double length = hypot(column[j], column[j + 1]);
    v->cosine[j] = length > 0 ? column[j] / length : 1;
    v->sine[j] = length > 0 ? column[j + 1] / length : 0;
    rotate(v->cosine[j], v->sine[j], &column[j], &column[j + 1]);
    v->g[j + 1] = 0;
    rotate(v->cosine[j], v->sine[j], &v->g[j], &v->g[j + 1]);
}

/* x += M V y with R y = g, over j columns. */
static gm_status add_correction(gm_krylov *k, workspace *v, int64_t j, double *x) {
    for (int64_t i = j - 1; i >= 0; --i) {
        double sum = v->g[i];
        for (int64_t l = i + 1; l < j; ++l) {
            sum -= v->h[l * (v->m + 1) + i] * v->y[l];
        }
        v->y[i] = sum / v->h[i * (v->m + 1) + i];
    }
    memset(v->w, 0, (size_t)k->n * sizeof(double));
    for (int64_t i = 0; i < j; ++i) {
        gm_axpy(k->n, v->y[i], v->basis + i * k->n, v->w);
    }
    GM_TRY(gm_krylov_precondition(k, v->w, v->z));
    gm_axpy(k->n, 1, v->z, x);
    return GM_STATUS_OK;
}

/* From one start to the next: basis[0] is the residual of the given norm. */
static gm_status cycle(gm_krylov *k, workspace *v, double goal, double norm, double *x) {
    gm_krylov_report *report = k->report;
    const int64_t n = k->n;
    int64_t j = 0;
    bool stuck = false;
    for (int64_t i = 0; i < n; ++i) {
        v->basis[i] /= norm;
    }
    v->g[0] = norm;
    while (j < v->m && fabs(v->g[j]) > goal && !stuck && report->iterations < k->max_iterations) {
        double *column = v->h + j * (v->m + 1);
        GM_TRY(gm_krylov_precondition(k, v->basis + j * n, v->z));
        GM_TRY(gm_krylov_apply(k, v->z, v->w));
        const double before = gm_norm2(n, v->w);
        memset(column, 0, (size_t)(v->m + 1) * sizeof(double));
        const double left = gm_orthogonalise(n, j + 1, v->basis, v->w, column);
        if (!isfinite(left)) {
            report->status = GM_STATUS_NON_FINITE;
            return GM_STATUS_OK;
        }
        /* What is left of a vector inside the space so far is rounding: no new direction. */
        stuck = left <= 8 * DBL_EPSILON * before;
        column[j + 1] = stuck ? 0 : left;
        for (int64_t i = 0; i < n && !stuck; ++i) {
            v->basis[(j + 1) * n + i] = v->w[i] / left;
        }
        ++report->iterations;
        rotate_column(v, j);
        if (stuck && fabs(column[j]) <= 8 * DBL_EPSILON * before) {
            report->status = GM_STATUS_SINGULAR; /* the last column is one of those before it */
            gm_krylov_record(k, fabs(v->g[j]));
            break;
        }
        ++j;
        gm_krylov_record(k, fabs(v->g[j]));
    }
    return add_correction(k, v, j, x);
}

gm_status gm_gmres(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                   const double *b, double *x, void *memory, int64_t workspace_bytes,
                   gm_krylov_report *report) {
    gm_krylov k;
    int64_t bytes;
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, (b != NULL && x != NULL) || a->n == 0, GM_STATUS_INVALID_ARGUMENT,
             "b or x is NULL");
    GM_TRY(need(context, a, options, &bytes));
    GM_TRY(gm_krylov_begin(context, a, options, 10 * a->n, memory, workspace_bytes, bytes, report,
                           &k));
    if (a->n == 0) {
        return GM_STATUS_OK;
    }
    workspace v = {.m = basis_size(a, options), .basis = memory};
    v.w = v.basis + (v.m + 1) * a->n;
    v.z = v.w + a->n;
    v.h = v.z + a->n;
    v.cosine = v.h + (v.m + 1) * v.m;
    v.sine = v.cosine + v.m + 1;
    v.g = v.sine + v.m + 1;
    v.y = v.g + v.m + 1;
    const double goal = fmax(k.rtol * gm_norm2(a->n, b), k.atol);
    GM_TRY(gm_krylov_residual(&k, b, x, v.basis, &report->residual));
    gm_krylov_record(&k, report->residual);
    while (report->residual > goal && report->status == GM_STATUS_OK &&
           report->iterations < k.max_iterations) {
        GM_TRY(cycle(&k, &v, goal, report->residual, x));
        GM_TRY(gm_krylov_residual(&k, b, x, v.basis, &report->residual));
    }
    if (!isfinite(report->residual) || !isfinite(goal)) {
        report->status = GM_STATUS_NON_FINITE;
    } else if (report->status == GM_STATUS_OK && report->residual > goal) {
        report->status = GM_STATUS_NOT_CONVERGED;
    }
    return GM_STATUS_OK;
}
