/* The quantiles of quantile_law.h at every argument. */
#include "host/quantile.h"

#include <math.h>

#include "host/quantile_law.h"

double gm_normal_quantile(double p) {
    if (!(p > 0 && p < 1)) {
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    }
    return gm_normal_quantile_inside(p);
}

double gm_beta_quantile(double p, double a, double b) {
    if (!(p > 0 && p < 1 && a > 0 && b > 0)) {
        return p == 0 ? 0 : p == 1 ? 1 : NAN;
    }
    return gm_beta_quantile_inside(p, a, b);
}
