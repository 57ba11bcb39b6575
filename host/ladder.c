/* gm_ladder_*: ladders of temperatures. */
#include <genmath/tempering.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/internal.h"

static gm_status check_ends(int64_t count, double first, double last, const double *beta) {
    GM_CHECK(NULL, count >= 2, GM_STATUS_INVALID_ARGUMENT, "count = %lld: must be >= 2",
             (long long)count);
    GM_CHECK(NULL, isfinite(first), GM_STATUS_INVALID_ARGUMENT, "first = %g: must be finite",
             first);
    GM_CHECK(NULL, isfinite(last), GM_STATUS_INVALID_ARGUMENT, "last = %g: must be finite", last);
    GM_CHECK(NULL, beta != NULL, GM_STATUS_INVALID_ARGUMENT, "beta is NULL");
    return GM_STATUS_OK;
}

gm_status gm_ladder_linear(int64_t count, double first, double last, double *beta) {
    GM_TRY(check_ends(count, first, last, beta));
    for (int64_t k = 0; k < count; ++k) {
        const double share = (double)k / (double)(count - 1);
        beta[k] = k == count - 1 ? last : (1 - share) * first + share * last;
    }
    return GM_STATUS_OK;
}

gm_status gm_ladder_geometric(int64_t count, double first, double last, double *beta) {
    GM_TRY(check_ends(count, first, last, beta));
    GM_CHECK(NULL, (first > 0 && last > 0) || (first < 0 && last < 0), GM_STATUS_INVALID_ARGUMENT,
             "first = %g, last = %g: must be of one sign and not 0", first, last);
    const double low = log(fabs(first)), high = log(fabs(last));
    for (int64_t k = 0; k < count; ++k) {
        const double share = (double)k / (double)(count - 1);
        beta[k] = k == 0           ? first
                  : k == count - 1 ? last
                                   : copysign(exp((1 - share) * low + share * high), first);
    }
    return GM_STATUS_OK;
}

static gm_status check_measured(int64_t count, const double *beta, const double *energy) {
    GM_CHECK(NULL, count >= 2, GM_STATUS_INVALID_ARGUMENT, "count = %lld: must be >= 2",
             (long long)count);
    GM_CHECK(NULL, beta != NULL, GM_STATUS_INVALID_ARGUMENT, "beta is NULL");
    GM_CHECK(NULL, energy != NULL, GM_STATUS_INVALID_ARGUMENT, "energy is NULL");
    for (int64_t k = 0; k < count; ++k) {
        GM_CHECK(NULL, isfinite(beta[k]), GM_STATUS_INVALID_ARGUMENT,
                 "beta[%lld] = %g: must be finite", (long long)k, beta[k]);
        GM_CHECK(NULL, isfinite(energy[k]), GM_STATUS_INVALID_ARGUMENT,
                 "energy[%lld] = %g: must be finite", (long long)k, energy[k]);
        GM_CHECK(NULL, k == 0 || (beta[k] - beta[k - 1]) * (beta[1] - beta[0]) > 0,
                 GM_STATUS_INVALID_ARGUMENT, "beta[%lld] = %g: the ladder must be monotone",
                 (long long)k, beta[k]);
    }
    return GM_STATUS_OK;
}

/* The distances of neighbours, added up: sum[0] = 0 .. sum[count - 1]. */
static void add_distances(int64_t count, const double *beta, const double *energy, double *sum) {
    sum[0] = 0;
    for (int64_t k = 1; k < count; ++k) {
        const double square = (beta[k] - beta[k - 1]) * (energy[k - 1] - energy[k]);
        sum[k] = sum[k - 1] + sqrt(fmax(square, 0));
    }
    const double least = sum[count - 1] > 0 ? sum[count - 1] / 1000 : 1;
    double before = 0, end = 0; /* every pair has a length, so that the sum can be inverted */
    for (int64_t k = 1; k < count; ++k) {
        const double length = fmax(sum[k] - before, least);
        before = sum[k];
        sum[k] = end += length;
    }
}

gm_status gm_ladder_adapt(int64_t count, const double *beta, const double *energy,
                          int64_t new_count, double *new_beta, double *acceptance) {
    GM_TRY(check_measured(count, beta, energy));
    GM_CHECK(NULL, new_count >= 2, GM_STATUS_INVALID_ARGUMENT, "new_count = %lld: must be >= 2",
             (long long)new_count);
    GM_CHECK(NULL, new_beta != NULL, GM_STATUS_INVALID_ARGUMENT, "new_beta is NULL");
    double *sum = malloc((size_t)count * 2 * sizeof *sum);
    GM_CHECK(NULL, sum != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a ladder");
    double *old = sum + count;
    memcpy(old, beta, (size_t)count * sizeof *old);
    add_distances(count, old, energy, sum);
    const double total = sum[count - 1];
    int64_t below = 0;
    for (int64_t k = 0; k < new_count; ++k) {
        const double wanted = total * (double)k / (double)(new_count - 1);
        while (below < count - 2 && sum[below + 1] < wanted) {
            ++below;
        }
        const double share = (wanted - sum[below]) / (sum[below + 1] - sum[below]);
        new_beta[k] = k == 0               ? old[0]
                      : k == new_count - 1 ? old[count - 1]
                                           : (1 - share) * old[below] + share * old[below + 1];
    }
    if (acceptance != NULL) {
        *acceptance = erfc(total / (double)(new_count - 1) / 2);
    }
    free(sum);
    return GM_STATUS_OK;
}
