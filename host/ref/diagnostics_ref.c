/* gm_diagnose in the order of its formulas; the series of a quantity lie chain after chain. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "host/diagnostics_args.h"
#include "host/quantile.h"
#include "host/ref/ref.h"

typedef struct ranked {
    double value;
    int64_t from;
} ranked;

typedef struct series {
    double *x; /* entry t of chain c at c n + t */
    int64_t n, chains;
    ranked *sorted, *merged; /* scratch of as many entries */
    double *lags;            /* scratch of n */
} series;

static int64_t count_of(const series *s) {
    return s->n * s->chains;
}

static double mean_of(const double *x, int64_t n) {
    double sum = 0, rest = 0;
    for (int64_t t = 0; t < n; ++t) {
        sum += x[t];
    }
    for (int64_t t = 0; t < n; ++t) {
        rest += x[t] - sum / (double)n;
    }
    return (sum + rest) / (double)n;
}

/* With n - 1: NaN for a single entry. */
static double variance_of(const double *x, int64_t n) {
    const double mean = mean_of(x, n);
    double sum = 0;
    for (int64_t t = 0; t < n; ++t) {
        sum += (x[t] - mean) * (x[t] - mean);
    }
    return n > 1 ? sum / (double)(n - 1) : NAN;
}

/* No diagnostic: a draw that is not finite, or nothing but equal ones. */
static bool says_nothing(const series *s) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count_of(s); ++i) {
        if (!isfinite(s->x[i])) {
            return true;
        }
        low = fmin(low, s->x[i]);
        high = fmax(high, s->x[i]);
    }
    return !(high - low >= DBL_EPSILON);
}

/* Merge sort, stable. */
static void sort(series *s) {
    const int64_t n = count_of(s);
    for (int64_t i = 0; i < n; ++i) {
        s->sorted[i] = (ranked){s->x[i], i};
    }
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t first = 0; first < n; first += 2 * width) {
            const int64_t middle = first + width < n ? first + width : n;
            const int64_t end = first + 2 * width < n ? first + 2 * width : n;
            int64_t a = first, b = middle;
            for (int64_t i = first; i < end; ++i) {
                const bool left =
                    b == end || (a < middle && s->sorted[a].value <= s->sorted[b].value);
                s->merged[i] = s->sorted[left ? a++ : b++];
            }
        }
        ranked *const other = s->sorted;
        s->sorted = s->merged;
        s->merged = other;
    }
}

/* Of the sorted entries, between neighbours linearly. */
static double quantile_of_sorted(const series *s, double p) {
    const double at = (double)(count_of(s) - 1) * p;
    const int64_t below = (int64_t)floor(at), above = (int64_t)ceil(at);
    const double weight = at - (double)below;
    return weight > 0 ? (1 - weight) * s->sorted[below].value + weight * s->sorted[above].value
                      : s->sorted[below].value;
}

/* z of every entry in its place. */
static void normalize_ranks(series *s) {
    const int64_t n = count_of(s);
    sort(s);
    for (int64_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && s->sorted[end].value == s->sorted[first].value;) {
            ++end;
        }
        const double rank = (double)(first + 1 + end) / 2;
        const double z = gm_normal_quantile((rank - 0.375) / ((double)n + 0.25));
        for (int64_t i = first; i < end; ++i) {
            s->x[s->sorted[i].from] = z;
        }
    }
}

static double rhat_of(const series *s, double *means, double *variances) {
    if (says_nothing(s)) {
        return NAN;
    }
    for (int64_t c = 0; c < s->chains; ++c) {
        means[c] = mean_of(s->x + c * s->n, s->n);
        variances[c] = variance_of(s->x + c * s->n, s->n);
    }
    const double n = (double)s->n, between = n * variance_of(means, s->chains);
    return sqrt((between / mean_of(variances, s->chains) + n - 1) / n);
}

static double nested_rhat_of(const series *s, int64_t superchains, double *means,
                             double *variances) {
    if (says_nothing(s)) {
        return NAN;
    }
    const int64_t each = s->chains / superchains;
    double within = 0;
    for (int64_t k = 0; k < superchains; ++k) {
        const double *own = s->x + k * each * s->n;
        double chain_variance = 0;
        for (int64_t c = 0; c < each; ++c) {
            variances[c] = mean_of(own + c * s->n, s->n); /* of the chains, for a moment */
            chain_variance += s->n > 1 ? variance_of(own + c * s->n, s->n) : 0;
        }
        within += chain_variance / (double)each + (each > 1 ? variance_of(variances, each) : 0);
        means[k] = mean_of(own, each * s->n);
    }
    return sqrt(1 + variance_of(means, superchains) / (within / (double)superchains));
}

/* The chains' mean autocovariance at a lag, each over n. `means` are the chains'. */
static double autocovariance_of(const series *s, const double *means, int64_t lag) {
    double all = 0;
    for (int64_t c = 0; c < s->chains; ++c) {
        const double *x = s->x + c * s->n;
        double sum = 0;
        for (int64_t t = 0; t + lag < s->n; ++t) {
            sum += (x[t] - means[c]) * (x[t + lag] - means[c]);
        }
        all += sum / (double)s->n;
    }
    return all / (double)s->chains;
}

/* Geyer's initial monotone sequence of pairs: rho_0 ... into lags; returns how many pairs' entries
 * are certain, and leaves what may follow them there. */
static int64_t monotone_sequence(const series *s, const double *means) {
    const double n = (double)s->n, zero = autocovariance_of(s, means, 0);
    const double within = zero * n / (n - 1);
    const double total = zero + (s->chains > 1 ? variance_of(means, s->chains) : 0);
    double *const rho = s->lags;
    memset(rho, 0, (size_t)s->n * sizeof *rho);
    double even = 1, odd = 1 - (within - autocovariance_of(s, means, 1)) / total;
    rho[0] = even;
    rho[1] = odd;
    int64_t t = 0;
    while (t < s->n - 5 && even + odd > 0) {
        t += 2;
        even = 1 - (within - autocovariance_of(s, means, t)) / total;
        odd = 1 - (within - autocovariance_of(s, means, t + 1)) / total;
        if (even + odd >= 0) {
            rho[t] = even;
            rho[t + 1] = odd;
        }
    }
    if (even > 0) {
        rho[t] = even;
    }
    for (int64_t i = 2; i <= t - 2; i += 2) {
        if (rho[i] + rho[i + 1] > rho[i - 2] + rho[i - 1]) {
            rho[i] = rho[i + 1] = (rho[i - 2] + rho[i - 1]) / 2;
        }
    }
    return t;
}

static double ess_of(const series *s, double *means) {
    if (s->n < 3 || says_nothing(s)) {
        return NAN;
    }
    for (int64_t c = 0; c < s->chains; ++c) {
        means[c] = mean_of(s->x + c * s->n, s->n);
    }
    const int64_t t = monotone_sequence(s, means);
    double tau = -1 + (t > 0 ? s->lags[t] : s->lags[0]);
    for (int64_t i = 0; i < t; ++i) {
        tau += 2 * s->lags[i];
    }
    const double draws = (double)count_of(s);
    return draws / fmax(tau, 1 / log10(draws));
}

/* Sokal's window on the chains' mean autocorrelation. */
static double autocorrelation_time_of(const series *s, double *means) {
    if (s->n < 2 || says_nothing(s)) {
        return NAN;
    }
    for (int64_t c = 0; c < s->chains; ++c) {
        means[c] = mean_of(s->x + c * s->n, s->n);
    }
    double tau = 1;
    for (int64_t lag = 1; lag < s->n && (double)(lag - 1) < 5 * tau; ++lag) {
        double rho = 0;
        for (int64_t c = 0; c < s->chains; ++c) {
            const series chain = {.x = s->x + c * s->n, .n = s->n, .chains = 1};
            rho +=
                autocovariance_of(&chain, means + c, lag) / autocovariance_of(&chain, means + c, 0);
        }
        tau += 2 * rho / (double)s->chains;
    }
    return tau;
}

/* ---- from the draws to the series ------------------------------------------------------------ */

static double draw(const gm_diagnose_args *args, int64_t offset, int64_t t, int64_t c) {
    offset += t * args->iteration_stride + c * args->chain_stride;
    return args->dtype == GM_F64 ? ((const double *)args->draws)[offset]
                                 : (double)((const float *)args->draws)[offset];
}

static void load(const gm_diagnose_args *args, int64_t offset, bool split, series *s) {
    const int64_t n = args->iterations, half = n / 2;
    split = split && n > 1;
    s->n = split ? half : n;
    s->chains = split ? 2 * args->chains : args->chains;
    for (int64_t c = 0; c < s->chains; ++c) {
        const int64_t chain = split ? c / 2 : c, first = split && c % 2 != 0 ? n - half : 0;
        for (int64_t t = 0; t < s->n; ++t) {
            s->x[c * s->n + t] = draw(args, offset, first + t, chain);
        }
    }
}

static double pooled_mean(const gm_diagnose_args *args, int64_t offset, series *s) {
    load(args, offset, false, s);
    return mean_of(s->x, count_of(s));
}

static double pooled_quantile(const gm_diagnose_args *args, int64_t offset, double p, series *s) {
    load(args, offset, false, s);
    if (says_nothing(s)) { /* equal draws have quantiles */
        return count_of(s) > 0 && isfinite(s->x[0]) ? mean_of(s->x, count_of(s)) : NAN;
    }
    sort(s);
    return quantile_of_sorted(s, p);
}

static double ess_of_quantile(const gm_diagnose_args *args, int64_t offset, double p, series *s,
                              double *means) {
    load(args, offset, false, s);
    if (says_nothing(s)) {
        return NAN;
    }
    const double draws = (double)count_of(s);
    const double bound = pooled_quantile(args, offset, p == 1 ? (draws - 0.5) / draws : p, s);
    load(args, offset, true, s);
    for (int64_t i = 0; i < count_of(s); ++i) {
        s->x[i] = s->x[i] <= bound;
    }
    return ess_of(s, means);
}

static double split_ess(const gm_diagnose_args *args, int64_t offset, series *s, double *means) {
    load(args, offset, true, s);
    return ess_of(s, means);
}

static double rhat(const gm_diagnose_args *args, int64_t offset, series *s, double *means,
                   double *variances) {
    const double median = pooled_quantile(args, offset, 0.5, s);
    load(args, offset, true, s);
    if (isnan(median) || says_nothing(s)) {
        return NAN;
    }
    normalize_ranks(s);
    const double bulk = rhat_of(s, means, variances);
    load(args, offset, true, s);
    for (int64_t i = 0; i < count_of(s); ++i) {
        s->x[i] = fabs(s->x[i] - median);
    }
    normalize_ranks(s);
    const double folded = rhat_of(s, means, variances);
    return bulk > folded ? bulk : isnan(bulk) ? bulk : folded; /* NaN if either is */
}

static double ess_bulk(const gm_diagnose_args *args, int64_t offset, series *s, double *means) {
    load(args, offset, true, s);
    if (says_nothing(s)) {
        return NAN;
    }
    normalize_ranks(s);
    return ess_of(s, means);
}

/* The ESS of a power of the distances from the mean. */
static double ess_of_distances(const gm_diagnose_args *args, int64_t offset, int power, series *s,
                               double *means) {
    const double mean = pooled_mean(args, offset, s);
    load(args, offset, true, s);
    for (int64_t i = 0; i < count_of(s); ++i) {
        const double distance = fabs(s->x[i] - mean);
        s->x[i] = power == 1 ? distance : distance * distance;
    }
    return ess_of(s, means);
}

static double mcse_sd(const gm_diagnose_args *args, int64_t offset, series *s, double *means) {
    const double ess = ess_of_distances(args, offset, 2, s, means);
    const double mean = pooled_mean(args, offset, s), draws = (double)count_of(s);
    double second = 0, fourth = 0;
    for (int64_t i = 0; i < count_of(s); ++i) {
        const double square = (s->x[i] - mean) * (s->x[i] - mean);
        second += square / draws;
        fourth += square * square / draws;
    }
    return sqrt((fourth - second * second) / ess / second / 4);
}

static double mcse_quantile(const gm_diagnose_args *args, int64_t offset, series *s,
                            double *means) {
    const double p = args->probability, ess = ess_of_quantile(args, offset, p, s, means);
    if (isnan(ess)) {
        return NAN;
    }
    load(args, offset, false, s);
    sort(s);
    const int64_t draws = count_of(s);
    const double low = gm_beta_quantile(0.1586553, ess * p + 1, ess * (1 - p) + 1);
    const double high = gm_beta_quantile(0.8413447, ess * p + 1, ess * (1 - p) + 1);
    const double first = fmax(floor(low * (double)draws), 1);
    const double last = fmin(ceil(high * (double)draws), (double)draws);
    return (s->sorted[(int64_t)last - 1].value - s->sorted[(int64_t)first - 1].value) / 2;
}

static double diagnose(const gm_diagnose_args *args, int64_t offset, series *s, double *means,
                       double *variances) {
    switch (args->diagnostic) {
    case GM_DIAGNOSTIC_RHAT:
        return rhat(args, offset, s, means, variances);
    case GM_DIAGNOSTIC_RHAT_BASIC:
        load(args, offset, true, s);
        return rhat_of(s, means, variances);
    case GM_DIAGNOSTIC_RHAT_NESTED:
        load(args, offset, false, s);
        return nested_rhat_of(s, args->superchains, means, variances);
    case GM_DIAGNOSTIC_ESS_BULK:
        return ess_bulk(args, offset, s, means);
    case GM_DIAGNOSTIC_ESS_TAIL: {
        const double low = ess_of_quantile(args, offset, 0.05, s, means);
        const double high = ess_of_quantile(args, offset, 0.95, s, means);
        return low < high ? low : isnan(low) ? low : high;
    }
    case GM_DIAGNOSTIC_ESS_MEAN:
        return split_ess(args, offset, s, means);
    case GM_DIAGNOSTIC_ESS_SD:
        return ess_of_distances(args, offset, 1, s, means);
    case GM_DIAGNOSTIC_ESS_QUANTILE:
        return ess_of_quantile(args, offset, args->probability, s, means);
    case GM_DIAGNOSTIC_MCSE_MEAN: {
        const double ess = split_ess(args, offset, s, means);
        load(args, offset, false, s);
        return sqrt(variance_of(s->x, count_of(s)) / ess);
    }
    case GM_DIAGNOSTIC_MCSE_SD:
        return mcse_sd(args, offset, s, means);
    case GM_DIAGNOSTIC_MCSE_QUANTILE:
        return mcse_quantile(args, offset, s, means);
    case GM_DIAGNOSTIC_QUANTILE:
        return pooled_quantile(args, offset, args->probability, s);
    default:
        load(args, offset, false, s);
        return autocorrelation_time_of(s, means);
    }
}

/* The draws, twice their ranks, the lags, means and variances of the split chains. */
size_t gm_ref_diagnose_workspace(gm_call *call, const gm_diagnose_args *args) {
    (void)call;
    const size_t draws = (size_t)args->iterations * (size_t)args->chains;
    return draws * (sizeof(double) + 2 * sizeof(ranked)) +
           ((size_t)args->iterations + 4 * (size_t)args->chains + 1) * sizeof(double);
}

void gm_ref_diagnose_quantity(const gm_diagnose_args *args, int64_t quantity, void *scratch) {
    const int64_t draws = args->iterations * args->chains;
    series s = {.sorted = scratch};
    s.merged = s.sorted + draws;
    s.x = (double *)(s.merged + draws);
    s.lags = s.x + draws;
    double *const means = s.lags + args->iterations;
    args->out[gm_layout_offset(&args->quantities, 1, quantity)] =
        draws == 0 ? NAN
                   : diagnose(args, gm_layout_offset(&args->quantities, 0, quantity), &s, means,
                              means + 2 * args->chains);
}

gm_status gm_ref_diagnose(gm_call *call, const gm_diagnose_args *args) {
    call->kernel = "diagnose_ref";
    for (int64_t quantity = 0; quantity < args->quantities.elements; ++quantity) {
        gm_ref_diagnose_quantity(args, quantity, args->workspace);
    }
    return GM_STATUS_OK;
}
