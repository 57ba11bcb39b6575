/* The oracle of gm_mcmc_mass: entry by entry, in double, two passes over the points. */
#include <math.h>
#include <stdbool.h>

#include "host/mcmc_args.h"
#include "host/ref/ref.h"
#include "host/strided.h"

typedef struct pair_sums {
    double count, x, y, product; /* product: of the distances from the given means */
} pair_sums;

static pair_sums add_up(const gm_mcmc_mass_args *a, int64_t i, int64_t j, double mean_x,
                        double mean_y) {
    pair_sums sums = {0};
    const int64_t *stride = a->points_stride;
    for (int64_t k = 0; k < a->draws * a->n; ++k) {
        const int64_t at = k / a->n * stride[0] + k % a->n * stride[2];
        const double x = gm_load_real(a->points, a->dtype, at + i * stride[1]);
        const double y = gm_load_real(a->points, a->dtype, at + j * stride[1]);
        if (isfinite(x) && isfinite(y)) {
            sums.count += 1;
            sums.x += x;
            sums.y += y;
            sums.product += (x - mean_x) * (y - mean_y);
        }
    }
    return sums;
}

static double mass_entry(const gm_mcmc_mass_args *a, int64_t i, int64_t j) {
    const pair_sums first = add_up(a, i, j, 0, 0);
    const double n = first.count, weight = n / (n + GM_SHRINK_COUNT);
    const double covariance =
        n < 2 ? 0 : add_up(a, i, j, first.x / n, first.y / n).product / (n - 1);
    return weight * covariance + (i == j ? GM_SHRINK_TOWARDS * (1 - weight) : 0);
}

gm_status gm_ref_mcmc_mass(gm_call *call, const gm_mcmc_mass_args *a) {
    double matrix[GM_MAX_SYSTEM_DIM][GM_MAX_SYSTEM_DIM];
    for (int64_t i = 0; i < a->dim; ++i) {
        for (int64_t j = a->factor != NULL ? 0 : i; j <= i; ++j) {
            matrix[i][j] = mass_entry(a, i, j);
        }
    }
    gm_mcmc_mass_finish(a, matrix);
    call->kernel = "mcmc_mass_ref";
    return GM_STATUS_OK;
}
