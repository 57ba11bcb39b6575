/* Roots of unity for the tables of a plan: each is correctly rounded but for a few in a thousand.
 * Read by the cpu backend and, as C++, by the modules. */
#ifndef GENMATH_HOST_FFT_ROOTS_H
#define GENMATH_HOST_FFT_ROOTS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * exp(-2 pi i m / n) for a fixed n. An angle is reduced to an eighth of the circle with integers
 * and composed of a coarse and a fine part, sqrt(n) of each, in long double: one product instead of
 * a sine and a cosine for each of n roots.
 */
typedef struct gm_fft_roots {
    int64_t n;
    int bits;
    long double *fine, *coarse; /* cosine and sine alternate */
} gm_fft_roots;

/* false: out of memory; to be freed all the same. */
static inline bool gm_fft_roots_make(gm_fft_roots *roots, int64_t n) {
    roots->n = n;
    roots->bits = 0;
    while (INT64_C(1) << 2 * roots->bits < n) {
        ++roots->bits;
    }
    /* Angles in units of 2 pi / 4n: at most n/2 of them after the reduction. */
    const int64_t fine = INT64_C(1) << roots->bits, coarse = (n / 2 >> roots->bits) + 1;
    roots->fine = (long double *)malloc(2 * (size_t)fine * sizeof(long double));
    roots->coarse = (long double *)malloc(2 * (size_t)coarse * sizeof(long double));
    if (roots->fine == NULL || roots->coarse == NULL) {
        return false;
    }
    const long double unit = acosl(-1.0L) / (long double)(2 * n);
    for (int64_t i = 0; i < fine; ++i) {
        roots->fine[2 * i] = cosl(unit * (long double)i);
        roots->fine[2 * i + 1] = sinl(unit * (long double)i);
    }
    for (int64_t i = 0; i < coarse; ++i) {
        roots->coarse[2 * i] = cosl(unit * (long double)(i << roots->bits));
        roots->coarse[2 * i + 1] = sinl(unit * (long double)(i << roots->bits));
    }
    return true;
}

static inline void gm_fft_roots_free(gm_fft_roots *roots) {
    free(roots->fine);
    free(roots->coarse);
}

/* m modulo n is taken; *im of m = 0 is +0, and quarters of the circle are exact. */
static inline void gm_fft_root(const gm_fft_roots *roots, int64_t m, long double *re,
                               long double *im) {
    const int64_t n = roots->n;
    m %= n;
    const int64_t quarter = (8 * m / n + 1) / 2; /* the nearest multiple of pi/2 */
    const int64_t signed_rest = 4 * m - quarter * n, rest = llabs(signed_rest);
    const long double *f = roots->fine + 2 * (rest & ((INT64_C(1) << roots->bits) - 1));
    const long double *c = roots->coarse + 2 * (rest >> roots->bits);
    const long double cosine = c[0] * f[0] - c[1] * f[1];
    const long double magnitude = c[1] * f[0] + c[0] * f[1];
    const long double sine = signed_rest < 0 ? -magnitude : magnitude;
    switch (quarter % 4) {
    case 0:
        *re = cosine;
        *im = m == 0 ? 0 : -sine;
        break;
    case 1:
        *re = -sine;
        *im = -cosine;
        break;
    case 2:
        *re = -cosine;
        *im = sine;
        break;
    default:
        *re = sine;
        *im = cosine;
        break;
    }
}

#endif
