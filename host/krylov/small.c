/* Eigenvalues of the small projected matrices. */
#include <float.h>
#include <math.h>

#include "host/krylov/krylov.h"

enum { MAX_SWEEPS = 60 };

/* One implicit QL sweep over the block l .. m. Golub, Van Loan, 8.3.5, from the other end. */
static void ql_sweep(int64_t k, int64_t l, int64_t m, double *d, double *e, int64_t rows,
                     double *z) {
    const double half = (d[l + 1] - d[l]) / (2 * e[l]);
    const double root = hypot(half, 1);
    double g = d[m] - d[l] + e[l] / (half + copysign(root, half)); /* Wilkinson's shift */
    double s = 1, c = 1, p = 0;
    for (int64_t i = m - 1; i >= l; --i) {
        const double f = s * e[i], b = c * e[i], r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
            /* The block has come apart at i + 1. */
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        const double t = (d[i] - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        for (int64_t row = 0; row < rows; ++row) {
            double *at = z + row * k + i;
            const double upper = at[1];
            at[1] = s * at[0] + c * upper;
            at[0] = c * at[0] - s * upper;
        }
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

bool gm_tridiagonal_eigen(int64_t k, double *d, double *e, int64_t rows, double *z) {
    if (k > 0) {
        e[k - 1] = 0;
    }
    for (int64_t l = 0; l < k; ++l) {
        for (int sweep = 0;; ++sweep) {
            int64_t m = l;
            while (m < k - 1 && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1]))) {
                ++m;
            }
            if (m == l) {
                break;
            }
            if (sweep == MAX_SWEEPS) {
                return false;
            }
            ql_sweep(k, l, m, d, e, rows, z);
        }
    }
    return true;
}

/* The eigenvalue of the trailing 2 x 2 block that is nearer to its last entry. */
static double complex wilkinson_shift(double complex a, double complex b, double complex c,
                                      double complex d) {
    const double complex half = (a - d) / 2, root = csqrt(half * half + b * c);
    const double complex one = half + root, other = half - root;
    return d - (b * c) / (cabs(one) > cabs(other) ? one : other);
}

/* One QR step on rows and columns low .. high with a shift: H - s I = Q R, then R Q + s I. */
static void qr_step(int64_t k, int64_t low, int64_t high, double complex shift, double complex *h) {
    for (int64_t i = low; i <= high; ++i) {
        h[i * k + i] -= shift;
    }
    double complex below =
        0; /* the rotation of the rows before: applied to columns one step late */
    double before = 1;
    for (int64_t i = low; i < high; ++i) {
        double complex *row = h + i * k, *next = row + k;
        const double length = hypot(cabs(row[i]), cabs(next[i]));
        const double size = cabs(row[i]);
        const double complex phase = size > 0 ? row[i] / size : 1;
        const double c = length > 0 ? size / length : 1;
        const double complex s = length > 0 ? phase * conj(next[i]) / length : 0;
        for (int64_t j = i; j <= high; ++j) {
            const double complex x = row[j], y = next[j];
            row[j] = c * x + s * y;
            next[j] = c * y - conj(s) * x;
        }
        for (int64_t j = low; i > low && j <= i; ++j) {
            const double complex x = h[j * k + i - 1], y = h[j * k + i];
            h[j * k + i - 1] = before * x + conj(below) * y;
            h[j * k + i] = before * y - below * x;
        }
        before = c;
        below = s;
    }
    for (int64_t j = low; j <= high; ++j) {
        const double complex x = h[j * k + high - 1], y = h[j * k + high];
        h[j * k + high - 1] = before * x + conj(below) * y;
        h[j * k + high] = before * y - below * x;
    }
    for (int64_t i = low; i <= high; ++i) {
        h[i * k + i] += shift;
    }
}

bool gm_hessenberg_eigenvalues(int64_t k, double complex *h, double complex *values) {
    double norm = 0;
    for (int64_t i = 0; i < k * k; ++i) {
        norm = fmax(norm, cabs(h[i]));
    }
    int64_t high = k - 1;
    for (int sweep = 0; high > 0;) {
        int64_t low = high;
        while (low > 0) {
            const double diagonal = cabs(h[low * k + low]) + cabs(h[(low - 1) * k + low - 1]);
            if (cabs(h[low * k + low - 1]) <= DBL_EPSILON * (diagonal > 0 ? diagonal : norm)) {
                h[low * k + low - 1] = 0;
                break;
            }
            --low;
        }
        if (low == high) {
            values[high] = h[high * k + high];
            --high;
            sweep = 0;
            continue;
        }
        if (++sweep > MAX_SWEEPS) {
            return false;
        }
        const double complex *last = h + high * k + high;
        double complex shift = wilkinson_shift(last[-k - 1], last[-k], last[-1], last[0]);
        if (sweep % 10 == 0 || !isfinite(cabs(shift))) {
            shift = last[0] + cabs(last[-1]); /* a cycle, as of a cyclic shift, ends */
        }
        qr_step(k, low, high, shift, h);
    }
    if (k > 0) {
        values[0] = h[0];
    }
    return true;
}
