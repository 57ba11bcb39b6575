/* Roots of unity for the tables of a plan: each is correctly rounded but for a few in a thousand.
 */
#ifndef GENMATH_HOST_CPU_FFT_ROOTS_H
#define GENMATH_HOST_CPU_FFT_ROOTS_H

#include <stdbool.h>
#include <stdint.h>

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

bool gm_fft_roots_make(gm_fft_roots *roots, int64_t n); /* false: out of memory */
void gm_fft_roots_free(gm_fft_roots *roots);

/* m modulo n is taken; *im of m = 0 is +0, and quarters of the circle are exact. */
void gm_fft_root(const gm_fft_roots *roots, int64_t m, long double *re, long double *im);

#endif
