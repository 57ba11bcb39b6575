/* The oracle's algorithms for singular values and eigenvalues. */
#include <float.h>
#include <math.h>

#include "host/ref/linalg_ref.h"

enum { MOST_SWEEPS = 60 };

/* ---- Jacobi rotations ------------------------------------------------------------------------ */

/* The rotation J = ((c, s), (-s p, c p)) that makes J^H ((a, g), (conj g, b)) J diagonal. */
typedef struct rotation {
    double c, s;
    gm_complex phase;
} rotation;

static rotation rotation_of(double a, double b, gm_complex g) {
    const double size = cabs(g), zeta = (b - a) / (2 * size);
    const double t = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta));
    const double c = 1 / hypot(1, t);
    return (rotation){c, c * t, conj(g) / size};
}

/* The columns x and y of m entries times J. */
static void rotate(int64_t m, const rotation *j, gm_complex *x, gm_complex *y) {
    for (int64_t i = 0; i < m; ++i) {
        const gm_complex left = x[i], right = y[i] * j->phase;
        x[i] = j->c * left - j->s * right;
        y[i] = j->s * left + j->c * right;
    }
}

static void swap_columns(int64_t m, gm_complex *a, int64_t p, int64_t q) {
    for (int64_t i = 0; i < m && p != q; ++i) {
        const gm_complex value = a[i + p * m];
        a[i + p * m] = a[i + q * m];
        a[i + q * m] = value;
    }
}

/* Sorts n real values by sign * value ascending, and the columns of a (and b) with them. */
static void sort(int64_t n, double sign, gm_complex *values, int64_t rows_a, gm_complex *a,
                 int64_t rows_b, gm_complex *b) {
    for (int64_t i = 0; i < n; ++i) {
        int64_t least = i;
        for (int64_t j = i + 1; j < n; ++j) {
            least = sign * creal(values[j]) < sign * creal(values[least]) ? j : least;
        }
        swap_columns(1, values, i, least);
        swap_columns(rows_a, a, i, least);
        swap_columns(rows_b, b, i, least);
    }
}

/* ---- Hermitian eigenvalues: cyclic Jacobi ---------------------------------------------------- */

/* a := J^H a J in rows and columns p and q. */
static void rotate_hermitian(int64_t n, gm_complex *a, int64_t p, int64_t q, gm_complex *v) {
    const rotation j = rotation_of(creal(a[p + p * n]), creal(a[q + q * n]), a[p + q * n]);
    rotate(n, &j, a + p * n, a + q * n);
    for (int64_t i = 0; i < n; ++i) {
        const gm_complex upper = a[p + i * n], lower = a[q + i * n] * conj(j.phase);
        a[p + i * n] = j.c * upper - j.s * lower;
        a[q + i * n] = j.s * upper + j.c * lower;
    }
    a[p + q * n] = a[q + p * n] = 0;
    a[p + p * n] = creal(a[p + p * n]);
    a[q + q * n] = creal(a[q + q * n]);
    rotate(n, &j, v + p * n, v + q * n);
}

bool gm_ref_eigen_hermitian(int64_t n, gm_complex *a, gm_complex *w, gm_complex *v) {
    const double enough = DBL_EPSILON / 8 * gm_ref_norm(n, n, a) / (double)(n + 1);
    bool done = false;
    gm_ref_identity(n, v);
    for (int sweep = 0; sweep < MOST_SWEEPS && !done; ++sweep) {
        done = true;
        for (int64_t p = 0; p < n; ++p) {
            for (int64_t q = p + 1; q < n; ++q) {
                if (cabs(a[p + q * n]) > enough) {
                    rotate_hermitian(n, a, p, q, v);
                    done = false;
                }
            }
        }
    }
    for (int64_t i = 0; i < n; ++i) {
        w[i] = creal(a[i + i * n]);
    }
    sort(n, 1, w, n, v, 0, v);
    return done;
}

/* ---- singular values: one-sided Jacobi ------------------------------------------------------- */

/* Column j of u: a unit vector orthogonal to the columns before it. One of the axes has a part
 * outside their span of square (m - j) / m or more. */
static void complete_column(int64_t m, int64_t j, gm_complex *u) {
    gm_complex *x = u + j * m;
    for (int64_t axis = 0; axis < m; ++axis) {
        for (int64_t i = 0; i < m; ++i) {
            x[i] = i == axis;
        }
        for (int64_t pass = 0; pass < 2; ++pass) { /* twice is enough */
            for (int64_t k = 0; k < j; ++k) {
                gm_complex dot = 0;
                for (int64_t i = 0; i < m; ++i) {
                    dot += conj(u[i + k * m]) * x[i];
                }
                for (int64_t i = 0; i < m; ++i) {
                    x[i] -= dot * u[i + k * m];
                }
            }
        }
        const double norm = gm_ref_norm(m, 1, x);
        if (2 * norm * norm * (double)m >= 1) {
            for (int64_t i = 0; i < m; ++i) {
                x[i] /= norm;
            }
            return;
        }
    }
}

/* One sweep over the pairs of n columns of a, m >= n; returns whether all were orthogonal. */
static bool sweep_columns(int64_t m, int64_t n, gm_complex *a, gm_complex *v) {
    /* What rounding leaves in a sum of m products; below it a pair may never seem orthogonal. */
    const double enough = DBL_EPSILON * (double)(m + 1);
    bool done = true;
    for (int64_t p = 0; p < n; ++p) {
        for (int64_t q = p + 1; q < n; ++q) {
            double pp = 0, qq = 0;
            gm_complex pq = 0;
            for (int64_t i = 0; i < m; ++i) {
                pp += creal(a[i + p * m] * conj(a[i + p * m]));
                qq += creal(a[i + q * m] * conj(a[i + q * m]));
                pq += conj(a[i + p * m]) * a[i + q * m];
            }
            if (cabs(pq) > enough * sqrt(pp) * sqrt(qq) && cabs(pq) > DBL_MIN) {
                const rotation j = rotation_of(pp, qq, pq);
                rotate(m, &j, a + p * m, a + q * m);
                rotate(n, &j, v + p * n, v + q * n);
                done = false;
            }
        }
    }
    return done;
}

/* m >= n; a is used up, u is m x m. */
static bool tall_svd(int64_t m, int64_t n, gm_complex *a, gm_complex *u, gm_complex *s,
                     gm_complex *v) {
    double largest = 0;
    for (int64_t i = 0; i < m * n; ++i) {
        largest = fmax(largest, fmax(fabs(creal(a[i])), fabs(cimag(a[i]))));
    }
    /* A power of two, so that squares neither overflow nor underflow. */
    const double scale = largest > 0 ? ldexp(1, ilogb(largest)) : 1;
    for (int64_t i = 0; i < m * n; ++i) {
        a[i] /= scale;
    }
    gm_ref_identity(n, v);
    bool done = false;
    for (int sweep = 0; sweep < MOST_SWEEPS && !done; ++sweep) {
        done = sweep_columns(m, n, a, v);
    }
    for (int64_t j = 0; j < n; ++j) {
        s[j] = gm_ref_norm(m, 1, a + j * m);
    }
    sort(n, -1, s, m, a, n, v);
    const double nothing = DBL_EPSILON * DBL_EPSILON;
    for (int64_t j = 0; j < m; ++j) {
        if (j < n && creal(s[j]) > nothing) {
            for (int64_t i = 0; i < m; ++i) {
                u[i + j * m] = a[i + j * m] / s[j];
            }
        } else {
            complete_column(m, j, u);
        }
    }
    for (int64_t j = 0; j < n; ++j) {
        s[j] *= scale;
    }
    return done;
}

bool gm_ref_svd(int64_t m, int64_t n, const gm_complex *a, gm_complex *u, gm_complex *s,
                gm_complex *v, gm_complex *scratch) {
    if (m >= n) {
        gm_ref_copy(m * n, a, scratch);
        return tall_svd(m, n, scratch, u, s, v);
    }
    gm_ref_adjoint(m, n, a, scratch);
    return tall_svd(n, m, scratch, v, s, u);
}

/* ---- general eigenvalues: the complex QR algorithm ------------------------------------------- */

/* a := Z^H a Z, zero below the first subdiagonal; v: scratch. */
static void to_hessenberg(int64_t n, gm_complex *a, gm_complex *z, gm_complex *v) {
    gm_ref_identity(n, z);
    for (int64_t k = 0; k + 2 < n; ++k) {
        const gm_complex tau = gm_ref_householder(n, k + 1, a + k * n, v);
        gm_ref_reflect(n, n, k + 1, conj(tau), v, a);
        gm_complex *const matrices[] = {a, z};
        for (int which = 0; which < 2; ++which) { /* from the right: (I - tau v v^H) */
            for (int64_t i = 0; i < n; ++i) {
                gm_complex dot = 0;
                for (int64_t j = k + 1; j < n; ++j) {
                    dot += matrices[which][i + j * n] * v[j];
                }
                for (int64_t j = k + 1; j < n; ++j) {
                    matrices[which][i + j * n] -= tau * dot * conj(v[j]);
                }
            }
        }
        for (int64_t i = k + 2; i < n; ++i) {
            a[i + k * n] = 0;
        }
    }
}

/* The eigenvalue of the block ending at row k that is closer to its last entry. */
static gm_complex wilkinson_shift(int64_t n, const gm_complex *a, int64_t k) {
    const gm_complex p = a[k - 1 + (k - 1) * n], q = a[k - 1 + k * n], r = a[k + (k - 1) * n],
                     s = a[k + k * n];
    const gm_complex half = (p - s) / 2, root = csqrt(half * half + q * r);
    const gm_complex sum = cabs(half + root) > cabs(half - root) ? half + root : half - root;
    return sum != 0 ? s - q * r / sum : s;
}

/* One step of QR with a shift on rows low .. high, accumulated in z. */
static void qr_step(int64_t n, gm_complex *a, gm_complex *z, int64_t low, int64_t high,
                    gm_complex shift, gm_complex *rotations) {
    for (int64_t i = low; i <= high; ++i) {
        a[i + i * n] -= shift;
    }
    for (int64_t k = low; k < high; ++k) { /* ((conj c, conj s), (-s, c)) from the left */
        const double size = hypot(cabs(a[k + k * n]), cabs(a[k + 1 + k * n]));
        const gm_complex c = size > 0 ? a[k + k * n] / size : 1;
        const gm_complex s = size > 0 ? a[k + 1 + k * n] / size : 0;
        rotations[2 * k] = c;
        rotations[2 * k + 1] = s;
        for (int64_t j = k; j < n; ++j) {
            const gm_complex upper = a[k + j * n], lower = a[k + 1 + j * n];
            a[k + j * n] = conj(c) * upper + conj(s) * lower;
            a[k + 1 + j * n] = c * lower - s * upper;
        }
    }
    for (int64_t k = low; k < high; ++k) { /* its adjoint from the right */
        const gm_complex c = rotations[2 * k], s = rotations[2 * k + 1];
        gm_complex *const matrices[] = {a, z};
        const int64_t rows[] = {k + 2, n};
        for (int which = 0; which < 2; ++which) {
            gm_complex *left = matrices[which] + k * n, *right = left + n;
            for (int64_t i = 0; i < rows[which]; ++i) {
                const gm_complex value = left[i];
                left[i] = c * value + s * right[i];
                right[i] = conj(c) * right[i] - conj(s) * value;
            }
        }
    }
    for (int64_t i = low; i <= high; ++i) {
        a[i + i * n] += shift;
    }
}

/* Hessenberg a to upper triangular. */
static bool to_triangle(int64_t n, gm_complex *a, gm_complex *z, gm_complex *rotations) {
    const double norm = gm_ref_norm(n, n, a);
    int64_t high = n - 1;
    for (int64_t step = 0; high > 0; ++step) {
        int64_t low = high;
        for (; low > 0; --low) {
            const double beside = cabs(a[low + low * n]) + cabs(a[low - 1 + (low - 1) * n]);
            if (cabs(a[low + (low - 1) * n]) <= DBL_EPSILON * (beside > 0 ? beside : norm)) {
                a[low + (low - 1) * n] = 0;
                break;
            }
        }
        if (low == high) {
            --high;
            step = -1;
            continue;
        }
        if (step == 300) {
            return false;
        }
        const bool exceptional = step % 10 == 9; /* a cycle of the usual shifts is broken */
        const gm_complex shift = exceptional ? cabs(a[high + (high - 1) * n]) + a[high + high * n]
                                             : wilkinson_shift(n, a, high);
        qr_step(n, a, z, low, high, shift, rotations);
    }
    return true;
}

/* The eigenvector of an upper triangular t for its entry k, in x; equal eigenvalues are set apart
 * by the smallest distance that counts. */
static void triangle_vector(int64_t n, const gm_complex *t, int64_t k, double least,
                            gm_complex *x) {
    for (int64_t i = 0; i < n; ++i) {
        x[i] = i == k;
    }
    for (int64_t i = k - 1; i >= 0; --i) {
        gm_complex sum = 0;
        for (int64_t j = i + 1; j <= k; ++j) {
            sum += t[i + j * n] * x[j];
        }
        gm_complex distance = t[k + k * n] - t[i + i * n];
        distance = cabs(distance) > least ? distance : least;
        x[i] = sum / distance;
        const double size = cabs(x[i]);
        for (int64_t j = i; j <= k && size > 1e60; ++j) {
            x[j] /= size;
        }
    }
}

bool gm_ref_eigen(int64_t n, gm_complex *a, gm_complex *w, gm_complex *v, gm_complex *scratch) {
    gm_complex *z = scratch, *x = scratch + n * n;
    to_hessenberg(n, a, z, x);
    if (!to_triangle(n, a, z, v)) { /* v holds the rotations for now */
        return false;
    }
    const double least = fmax(DBL_EPSILON * gm_ref_norm(n, n, a), DBL_MIN);
    for (int64_t k = 0; k < n; ++k) {
        w[k] = a[k + k * n];
        triangle_vector(n, a, k, least, x);
        gm_ref_multiply(n, 1, n, z, x, v + k * n);
        const double norm = gm_ref_norm(n, 1, v + k * n);
        for (int64_t i = 0; i < n; ++i) {
            v[i + k * n] /= norm;
        }
    }
    return true;
}
