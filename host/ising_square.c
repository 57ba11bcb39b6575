/* gm_ising_square_correlations: determinants of a Toeplitz matrix, by LAPACK. */
#include <genmath/correlations.h>

#include <lapack.h>
#include <math.h>
#include <stdlib.h>

#include "host/internal.h"

enum { MOST_DISTANCE = 256 };

static const double pi = 3.14159265358979323846;

/* The argument of 1 - c exp(i t), with what is left of 1 - c cos t where both are close to 1. */
static double argument(double c, double t) {
    const double half = sin(t / 2);
    return atan2(-c * sin(t), 1 - c + 2 * c * half * half);
}

/* a_n for n from -most to most, by the double exponential rule t = pi / 2 (1 + tanh(pi / 2 sinh
 * u)): at the critical point the integrand has a kink at t = 0, which the rule's nodes crowd at. */
static void integrate(double coupling, int32_t most, double *a) {
    enum { HALF = 1024 };
    const double step = 3.6 / HALF, z = tanh(coupling);
    const double near = z * (1 - z) / (1 + z), far = (1 - z) / (z * (1 + z));
    for (int32_t n = -most; n <= most; ++n) {
        a[n + most] = 0;
    }
    for (int k = -HALF; k <= HALF; ++k) {
        const double u = step * k, s = pi / 2 * sinh(u);
        const double t = pi / (1 + exp(-2 * s)); /* without loss close to 0 */
        const double weight = step * pi * pi / 4 * cosh(u) / (cosh(s) * cosh(s)) / pi;
        const double phase = argument(near, t) - argument(far, t);
        for (int32_t n = -most; n <= most; ++n) {
            a[n + most] += weight * cos(phase - n * t);
        }
    }
}

/* The determinant of the r by r matrix a_(i - j). */
static double determinant(const double *a, int32_t most, int32_t r, double *matrix, int *pivot) {
    for (int32_t j = 0; j < r; ++j) {
        for (int32_t i = 0; i < r; ++i) {
            matrix[j * r + i] = a[i - j + most];
        }
    }
    int info = 0;
    LAPACK_dgetrf(&r, &r, matrix, &r, pivot, &info);
    double product = 1;
    for (int32_t i = 0; i < r; ++i) {
        product *= pivot[i] == i + 1 ? matrix[i * r + i] : -matrix[i * r + i];
    }
    return product;
}

gm_status gm_ising_square_correlations(double coupling, int32_t most, double *values) {
    GM_CHECK(NULL, isfinite(coupling), GM_STATUS_INVALID_ARGUMENT, "coupling = %g: must be finite",
             coupling);
    GM_CHECK(NULL, most >= 0 && most <= MOST_DISTANCE, GM_STATUS_INVALID_ARGUMENT,
             "most = %d: must be in 0 .. %d", (int)most, MOST_DISTANCE);
    GM_CHECK(NULL, values != NULL, GM_STATUS_INVALID_ARGUMENT, "values is NULL");
    const size_t n = (size_t)most;
    double *a = malloc((2 * n + 1 + n * n) * sizeof *a);
    int *pivot = malloc((n + 1) * sizeof *pivot);
    const bool made = a != NULL && pivot != NULL;
    if (made) {
        integrate(fabs(coupling), most, a);
    }
    for (int32_t r = 0; r <= most && made; ++r) {
        const double value = r == 0 ? 1
                             : fabs(coupling) < 1e-100
                                 ? 0
                                 : determinant(a, most, r, a + 2 * n + 1, pivot);
        values[r] = coupling < 0 && r % 2 != 0 ? -value : value;
    }
    free(a);
    free(pivot);
    GM_CHECK(NULL, made, GM_STATUS_OUT_OF_MEMORY, "no memory for %d distances", (int)most);
    return GM_STATUS_OK;
}
