/* Quantiles of the normal and the beta law. */
#ifndef GENMATH_HOST_QUANTILE_H
#define GENMATH_HOST_QUANTILE_H

/* x with P(X <= x) = p for a standard normal X; infinite at 0 and 1. Relative error of p a few
 * units in the last place. */
double gm_normal_quantile(double p);

/* x with P(X <= x) = p for X of the beta law with a, b > 0, p in [0, 1]. Relative error of p about
 * c log c units in the last place, c = a + b + 1: that of lgamma. */
double gm_beta_quantile(double p, double a, double b);

#endif
