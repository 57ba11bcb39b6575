/* Quantiles of the normal and the beta law by Newton's iteration on the distribution function: for
 * host code (quantile.h) and kernels. In double. */
#ifndef GENMATH_HOST_QUANTILE_LAW_H
#define GENMATH_HOST_QUANTILE_LAW_H

#include <float.h>
#include <math.h>

#include <genmath/compiler.h>

/* log Gamma(x), x > 0. The C library's lgamma also writes the sign to a global, which threads race
 * for. */
GM_INLINE double gm_log_gamma(double x) {
#if defined(__CUDA_ARCH__)
    return lgamma(x);
#else
    int sign;
    return lgamma_r(x, &sign);
#endif
}

/* Of p in (0, 1/2]. Rough, by Hastings' rational approximation (Abramowitz and Stegun 26.2.23,
 * |error| < 4.5e-4); then Halley's iteration, which cubes the error: two steps. */
GM_INLINE double gm_normal_quantile_lower(double p) {
    const double t = sqrt(-2 * log(p));
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    const double root_2pi = 2.5066282746310005024, root_half = 0.70710678118654752440;
    for (int step = 0; step < 2; ++step) {
        const double error = (0.5 * erfc(-x * root_half) - p) * root_2pi * exp(x * x / 2);
        x -= error / (1 + x * error / 2);
    }
    return x;
}

/* Of p in (0, 1): 1 - p is exact above 1/2, and the lower tail is the precise one. */
GM_INLINE double gm_normal_quantile_inside(double p) {
    return p > 0.5 ? -gm_normal_quantile_lower(1 - p) : gm_normal_quantile_lower(p);
}

/* I_x(a, b) for x below the mean, by its continued fraction (Abramowitz and Stegun 26.5.8) in the
 * modified form of Lentz. */
GM_INLINE double gm_incomplete_beta_lower(double x, double a, double b) {
    const double tiny = DBL_MIN / DBL_EPSILON;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double fraction = d;
    for (int m = 1; m <= 10000; ++m) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        for (int half = 0; half < 2; ++half) {
            const double term = half == 0 ? even : odd;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            fraction *= change;
        }
        if (fabs(change - 1) < DBL_EPSILON) {
            break;
        }
    }
    return fraction *
           exp(gm_log_gamma(a + b) - gm_log_gamma(a) - gm_log_gamma(b) + a * log(x) +
               b * log1p(-x)) /
           a;
}

GM_INLINE double gm_incomplete_beta(double x, double a, double b) {
    const int lower = x < (a + 1) / (a + b + 2);
    const double part = gm_incomplete_beta_lower(lower ? x : 1 - x, lower ? a : b, lower ? b : a);
    return lower ? part : 1 - part;
}

/* Of p in (0, 1), a, b > 0: Newton's iteration from the mean, kept inside a bracket that halves
 * where it would leave it. */
GM_INLINE double gm_beta_quantile_inside(double p, double a, double b) {
    const double scale = gm_log_gamma(a + b) - gm_log_gamma(a) - gm_log_gamma(b);
    double low = 0, high = 1, x = a / (a + b);
    for (int step = 0; step < 200 && high - low > 0; ++step) {
        const double error = gm_incomplete_beta(x, a, b) - p;
        *(error > 0 ? &high : &low) = x;
        const double density = exp(scale + (a - 1) * log(x) + (b - 1) * log1p(-x));
        double next = x - error / density;
        if (!(next > low && next < high)) {
            next = low + (high - low) / 2;
        }
        if (fabs(next - x) <= DBL_EPSILON * x) {
            return next;
        }
        x = next;
    }
    return x;
}

#endif
