/* Krylov methods: what they share, and conjugate gradients. */
#include "host/krylov/krylov.h"

#include <math.h>
#include <string.h>

#include <genmath/philox.h>

/* ---- sums --------------------------------------------------------------------------------------
 */

/* Eight partial sums: independent of each other, so the compiler may keep them in vectors, and an
 * eighth of the rounding of one. */
double gm_dot(int64_t n, const double *x, const double *y) {
    double sum[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int l = 0; l < 8; ++l) {
            sum[l] += x[i + l] * y[i + l];
        }
    }
    for (int l = 0; i + l < n; ++l) {
        sum[l] += x[i + l] * y[i + l];
    }
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

double gm_norm2(int64_t n, const double *x) {
    const double plain = gm_dot(n, x, x);
    if (plain > 1e-280 && plain < 1e280) {
        return sqrt(plain);
    }
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (!isfinite(x[i])) {
            return (double)NAN;
        }
        largest = fmax(largest, fabs(x[i]));
    }
    for (int64_t i = 0; i < n && largest > 0; ++i) {
        const double r = x[i] / largest;
        sum += r * r;
    }
    return largest * sqrt(sum);
}

void gm_axpy(int64_t n, double alpha, const double *x, double *y) {
    for (int64_t i = 0; i < n; ++i) {
        y[i] += alpha * x[i];
    }
}

double gm_orthogonalise(int64_t n, int64_t count, const double *basis, double *w, double *h) {
    for (int pass = 0; pass < 2; ++pass) {
        for (int64_t j = 0; j < count; ++j) {
            const double c = gm_dot(n, basis + j * n, w);
            gm_axpy(n, -c, basis + j * n, w);
            if (h != NULL) {
                h[j] += c;
            }
        }
    }
    return gm_norm2(n, w);
}

void gm_random_direction(int64_t n, int64_t count, const double *basis, int64_t draw, double *w) {
    for (int64_t i = 0; i < n; ++i) {
        w[i] = gm_normal_f64(0, (uint64_t)i, GM_STREAM_FILL, (uint64_t)draw);
    }
    double norm = gm_orthogonalise(n, count, basis, w, NULL);
    /* Once more after scaling: a direction that little is left of is mostly rounding. */
    for (int pass = 0; pass < 2; ++pass) {
        for (int64_t i = 0; i < n; ++i) {
            w[i] /= norm;
        }
        norm = gm_orthogonalise(n, count, basis, w, NULL);
    }
    for (int64_t i = 0; i < n; ++i) {
        w[i] /= norm;
    }
}

/* ---- checks and operators
 * ------------------------------------------------------------------------ */

gm_status gm_krylov_check(gm_context *context, const gm_operator *a,
                          const gm_krylov_options *options) {
    static const gm_krylov_options defaults = {0};
    const gm_krylov_options *o = options != NULL ? options : &defaults;
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, a != NULL && a->apply != NULL, GM_STATUS_INVALID_ARGUMENT,
             "a or a.apply is NULL");
    GM_CHECK(context, a->n >= 0 && a->n <= INT64_C(1) << 40, GM_STATUS_INVALID_ARGUMENT,
             "a.n = %lld: must be 0 to 2^40", (long long)a->n);
    GM_CHECK(context, o->rtol >= 0 && o->rtol < 1, GM_STATUS_INVALID_ARGUMENT,
             "options.rtol = %g: must be in [0, 1)", o->rtol);
    GM_CHECK(context, o->atol >= 0 && isfinite(o->atol), GM_STATUS_INVALID_ARGUMENT,
             "options.atol = %g: must be finite and >= 0", o->atol);
    GM_CHECK(context, o->max_iterations >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.max_iterations = %lld: must be >= 0", (long long)o->max_iterations);
    GM_CHECK(context, o->restart >= 0, GM_STATUS_INVALID_ARGUMENT,
             "options.restart = %lld: must be >= 0", (long long)o->restart);
    GM_CHECK(context, o->history_size >= 0 && (o->history != NULL || o->history_size == 0),
             GM_STATUS_INVALID_ARGUMENT, "options.history is NULL or its size is negative");
    GM_CHECK(context,
             o->preconditioner == NULL ||
                 (o->preconditioner->apply != NULL && o->preconditioner->n == a->n),
             GM_STATUS_INVALID_ARGUMENT,
             "options.preconditioner: its apply is NULL or its n is not that of a");
    return GM_STATUS_OK;
}

gm_status gm_krylov_begin(gm_context *context, const gm_operator *a,
                          const gm_krylov_options *options, int64_t default_iterations,
                          const void *workspace, int64_t workspace_bytes, int64_t need,
                          gm_krylov_report *report, gm_krylov *k) {
    static const gm_krylov_options defaults = {0};
    const gm_krylov_options *o = options != NULL ? options : &defaults;
    GM_CHECK(context, report != NULL, GM_STATUS_INVALID_ARGUMENT, "report is NULL");
    GM_CHECK(context, workspace_bytes >= need, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %lld: this call needs %lld", (long long)workspace_bytes,
             (long long)need);
    GM_CHECK(context, need == 0 || workspace != NULL, GM_STATUS_INVALID_ARGUMENT,
             "workspace is NULL");
    GM_CHECK(context, (uintptr_t)workspace % 8 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 8 bytes");
    *k = (gm_krylov){.context = context,
                     .a = a,
                     .preconditioner = o->preconditioner,
                     .n = a->n,
                     .rtol = o->rtol > 0 ? o->rtol : 1e-10,
                     .atol = o->atol,
                     .max_iterations =
                         o->max_iterations > 0 ? o->max_iterations : default_iterations,
                     .history = o->history,
                     .history_size = o->history_size,
                     .report = report};
    *report = (gm_krylov_report){.status = GM_STATUS_OK};
    return GM_STATUS_OK;
}

gm_status gm_krylov_apply(gm_krylov *k, const double *x, double *y) {
    ++k->report->applications;
    return k->a->apply(k->context, k->a->user, x, y);
}

gm_status gm_krylov_precondition(gm_krylov *k, const double *x, double *y) {
    if (k->preconditioner == NULL) {
        memcpy(y, x, (size_t)k->n * sizeof *y);
        return GM_STATUS_OK;
    }
    return k->preconditioner->apply(k->context, k->preconditioner->user, x, y);
}

gm_status gm_krylov_residual(gm_krylov *k, const double *b, const double *x, double *r,
                             double *norm) {
    GM_TRY(gm_krylov_apply(k, x, r));
    for (int64_t i = 0; i < k->n; ++i) {
        r[i] = b[i] - r[i];
    }
    *norm = gm_norm2(k->n, r);
    return GM_STATUS_OK;
}

void gm_krylov_record(gm_krylov *k, double norm) {
    if (k->report->history_count < k->history_size) {
        k->history[k->report->history_count++] = norm;
    }
}

/* ---- conjugate gradients -----------------------------------------------------------------------
 */

static int64_t cg_bytes(const gm_operator *a) {
    return 4 * a->n * (int64_t)sizeof(double);
}

gm_status gm_cg_workspace_size(gm_context *context, const gm_operator *a, int64_t *bytes) {
    GM_TRY(gm_krylov_check(context, a, NULL));
    GM_CHECK(context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    *bytes = cg_bytes(a);
    return GM_STATUS_OK;
}

/* The iterations, from a residual r of the given norm on. */
static gm_status cg_iterate(gm_krylov *k, double goal, double norm, double *x, double *r, double *z,
                            double *p, double *q) {
    gm_krylov_report *report = k->report;
    const int64_t n = k->n;
    GM_TRY(gm_krylov_precondition(k, r, z));
    memcpy(p, z, (size_t)n * sizeof *p);
    double rz = gm_dot(n, r, z);
    while (norm > goal) {
        if (report->iterations == k->max_iterations) {
            report->status = GM_STATUS_NOT_CONVERGED;
            return GM_STATUS_OK;
        }
        GM_TRY(gm_krylov_apply(k, p, q));
        const double curvature = gm_dot(n, p, q);
        if (!isfinite(curvature) || !isfinite(rz)) {
            report->status = GM_STATUS_NON_FINITE;
            return GM_STATUS_OK;
        }
        if (curvature <= 0 || rz <= 0) {
            report->status = GM_STATUS_SINGULAR;
            return GM_STATUS_OK;
        }
        const double alpha = rz / curvature;
        gm_axpy(n, alpha, p, x);
        gm_axpy(n, -alpha, q, r);
        ++report->iterations;
        norm = gm_norm2(n, r);
        gm_krylov_record(k, norm);
        GM_TRY(gm_krylov_precondition(k, r, z));
        const double rz_new = gm_dot(n, r, z), beta = rz_new / rz;
        for (int64_t i = 0; i < n; ++i) {
            p[i] = z[i] + beta * p[i];
        }
        rz = rz_new;
    }
    report->status = isfinite(norm) ? GM_STATUS_OK : GM_STATUS_NON_FINITE;
    return GM_STATUS_OK;
}

gm_status gm_cg(gm_context *context, const gm_operator *a, const gm_krylov_options *options,
                const double *b, double *x, void *workspace, int64_t workspace_bytes,
                gm_krylov_report *report) {
    gm_krylov k;
    GM_TRY(gm_krylov_check(context, a, options));
    GM_CHECK(context, (b != NULL && x != NULL) || a->n == 0, GM_STATUS_INVALID_ARGUMENT,
             "b or x is NULL");
    GM_TRY(gm_krylov_begin(context, a, options, a->n, workspace, workspace_bytes, cg_bytes(a),
                           report, &k));
    if (a->n == 0) {
        return GM_STATUS_OK;
    }
    double *r = workspace, *z = r + a->n, *p = z + a->n, *q = p + a->n, norm;
    GM_TRY(gm_krylov_residual(&k, b, x, r, &norm));
    gm_krylov_record(&k, norm);
    const double goal = fmax(k.rtol * gm_norm2(a->n, b), k.atol);
    if (!isfinite(goal) || !isfinite(norm)) {
        report->status = GM_STATUS_NON_FINITE;
        report->residual = norm;
        return GM_STATUS_OK;
    }
    GM_TRY(cg_iterate(&k, goal, norm, x, r, z, p, q));
    return gm_krylov_residual(&k, b, x, r, &report->residual);
}
