/*
 * The oracle of gm_structured_execute: the sums of the header in double, and the eigenvalues of a
 * circulant matrix by the sum that defines them.
 */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "host/ref/ref.h"
#include "host/strided.h"
#include "host/structured_args.h"

gm_status gm_ref_structured_prepare(gm_call *call, const struct gm_structured_problem *problem,
                                    void **state, int64_t *workspace_bytes) {
    (void)call;
    *state = NULL;
    /* Solve: the quotient of the transforms of the right side and of the kernel. */
    const int64_t bytes =
        problem->kind == GM_CIRCULANT_SOLVE ? problem->n * (int64_t)sizeof(double complex) : 0;
    *workspace_bytes = (bytes + 63) / 64 * 64;
    return GM_STATUS_OK;
}

static double complex load(const gm_structured_problem *p, const gm_structured_view *view,
                           int64_t row, int64_t i) {
    const int64_t at = row * view->stride[0] + i * view->stride[1];
    return p->is_complex ? CMPLX(gm_load_real(view->data, p->real, 2 * at),
                                 gm_load_real(view->data, p->real, 2 * at + 1))
                         : gm_load_real(view->data, p->real, at);
}

static void store(const gm_structured_problem *p, const gm_structured_view *view, int64_t row,
                  int64_t i, double complex value) {
    const int64_t at = row * view->stride[0] + i * view->stride[1];
    if (p->is_complex || p->kind == GM_CIRCULANT_EIGENVALUES) {
        gm_store_real(view->data, p->real, 2 * at, creal(value));
        gm_store_real(view->data, p->real, 2 * at + 1, cimag(value));
    } else {
        gm_store_real(view->data, p->real, at, creal(value));
    }
}

/* Entry i - j of the matrix, shifted by the offset of a convolution. */
static double complex entry(const gm_structured_problem *p, const gm_structured_call *c, int64_t b,
                            int64_t difference) {
    const int64_t d = difference + p->offset;
    if (gm_is_circulant(p->kind)) {
        return load(p, &c->kernel, b, d >= 0 ? d : d + p->n);
    }
    if (d >= 0 && d < p->m) {
        return load(p, &c->kernel, b, d);
    }
    return p->kind == GM_TOEPLITZ_APPLY ? load(p, &c->row, b, -d) : 0;
}

/* exp(sign 2 pi i j k / n) with j k reduced first. */
static double complex root(int sign, int64_t j, int64_t k, int64_t n) {
    const double angle = 2 * acos(-1.0) * (double)(j * k % n) / (double)n;
    return CMPLX(cos(angle), sign * sin(angle));
}

static double complex transform(const gm_structured_problem *p, const gm_structured_view *view,
                                int64_t b, int64_t k) {
    double complex sum = 0;
    for (int64_t j = 0; j < p->n; ++j) {
        sum += load(p, view, b, j) * root(-1, j, k, p->n);
    }
    return sum;
}

static void solve(const gm_structured_problem *p, const gm_structured_call *c, int64_t b) {
    double complex *quotient = c->workspace;
    double least = INFINITY, most = 0, finite = 0;
    for (int64_t k = 0; k < p->n; ++k) {
        const double complex lambda = transform(p, &c->kernel, b, k);
        quotient[k] = transform(p, &c->x, b, k) / lambda;
        least = fmin(least, cabs(lambda));
        most = fmax(most, cabs(lambda));
        finite += 0 * cabs(lambda);
    }
    const double rcond = finite != 0 ? (double)NAN : most > 0 ? least / most : 0;
    const double eps = p->real == GM_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
    const gm_status status = isnan(rcond)   ? GM_STATUS_NON_FINITE
                             : rcond <= eps ? GM_STATUS_SINGULAR
                                            : GM_STATUS_OK;
    for (int64_t i = 0; i < p->n; ++i) {
        double complex sum = 0;
        for (int64_t k = 0; k < p->n; ++k) {
            sum += quotient[k] * root(1, i, k, p->n);
        }
        store(p, &c->y, b, i, status == GM_STATUS_OK ? sum / (double)p->n : CMPLX(NAN, NAN));
    }
    if (c->status.data != NULL) {
        ((int32_t *)c->status.data)[b * c->status.stride[0]] = (int32_t)status;
    }
    if (c->rcond.data != NULL) {
        gm_store_real(c->rcond.data, p->real, b * c->rcond.stride[0], rcond);
    }
}

gm_status gm_ref_structured_run(gm_call *call, const struct gm_structured_problem *problem,
                                void *state, const struct gm_structured_call *c) {
    (void)state;
    call->kernel = "structured_ref";
    for (int64_t b = 0; b < c->batch; ++b) {
        if (problem->kind == GM_CIRCULANT_SOLVE) {
            solve(problem, c, b);
            continue;
        }
        for (int64_t i = 0; i < problem->results; ++i) {
            if (problem->kind == GM_CIRCULANT_EIGENVALUES) {
                store(problem, &c->y, b, i, transform(problem, &c->kernel, b, i));
                continue;
            }
            double complex sum = 0;
            for (int64_t j = 0; j < problem->n; ++j) {
                sum += entry(problem, c, b, i - j) * load(problem, &c->x, b, j);
            }
            store(problem, &c->y, b, i, sum);
        }
    }
    return GM_STATUS_OK;
}

void gm_ref_structured_release(gm_call *call, void *state) {
    (void)call;
    (void)state;
}
