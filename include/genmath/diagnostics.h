/*
 * Convergence of Markov chains and the precision of what is estimated from them, from the draws: as
 * the Stan team's package posterior defines them. Vehtari, Gelman, Simpson, Carpenter, Buerkner,
 * Rank-normalization, folding and localization, Bayesian Analysis 16, 667 (2021); Margossian et
 * al., Nested R-hat, Bayesian Analysis (2024).
 *
 * The draws of a quantity are n iterations of m chains. "Split" cuts each chain into its first and
 * its last n / 2 iterations (a middle one is dropped), so that 2 m chains are compared; a single
 * iteration is not split. "z" replaces each of the S draws by the normal quantile of
 * (rank - 3/8) / (S + 1/4), equal draws having the mean of their ranks.
 */
#ifndef GENMATH_DIAGNOSTICS_H
#define GENMATH_DIAGNOSTICS_H

#include <genmath/context.h>
#include <genmath/linalg.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *     RHAT            the larger of RHAT_BASIC of z of the split draws and of z of their distances
 *                     from the median
 *     RHAT_BASIC      of the split draws: sqrt((B / W + n - 1) / n), B / n the variance of the
 *                     chains' means, W the mean of their variances
 *     RHAT_NESTED     many short chains in superchains: sqrt(1 + B / W), B the variance of the
 *                     superchains' means, W the mean over superchains of the chains' mean variance
 *                     and the variance of their means; neither split nor ranked
 *     ESS_BULK        effective sample size of z of the split draws
 *     ESS_TAIL        the smaller ESS_QUANTILE of 5 % and 95 %
 *     ESS_MEAN        of the split draws themselves
 *     ESS_SD          of |x - mean|, split
 *     ESS_QUANTILE    of the indicator of x <= the quantile at `probability`, split
 *     MCSE_MEAN       standard error of the mean: sd / sqrt(ESS_MEAN)
 *     MCSE_SD         of the standard deviation, by the moments of x and the ESS of (x - mean)^2
 *                     (Kenney and Keeping, Mathematics of Statistics, 1951)
 *     MCSE_QUANTILE   of the quantile: half the distance of the draws whose ranks are the 15.87 and
 *                     84.13 % quantiles of Beta(e p + 1, e (1 - p) + 1), e = ESS_QUANTILE
 *     QUANTILE        of all draws at `probability`, between neighbours linearly
 *     AUTOCORRELATION_TIME  tau(M) = 1 + 2 sum_{t=1}^{M} rho_t with the chains' mean
 *                     autocorrelation, M the least with M >= 5 tau(M) (Sokal's window; Goodman and
 *                     Weare, 2010); believable where n is 50 tau or more
 *
 * An effective sample size is S / tau, tau = -1 + 2 sum of rho over Geyer's initial monotone
 * sequence of pairs, at least 1 / log10(S); rho_t = 1 - (W - mean autocovariance_t) / var+.
 *
 * NaN: a draw is NaN or infinite, or all draws are equal, after the transformation too (a quantity
 * of two values has no RHAT); or there are too few: 3 iterations after splitting for an ESS, 2 for
 * a variance.
 */
typedef enum gm_diagnostic {
    GM_DIAGNOSTIC_RHAT,
    GM_DIAGNOSTIC_RHAT_BASIC,
    GM_DIAGNOSTIC_RHAT_NESTED,
    GM_DIAGNOSTIC_ESS_BULK,
    GM_DIAGNOSTIC_ESS_TAIL,
    GM_DIAGNOSTIC_ESS_MEAN,
    GM_DIAGNOSTIC_ESS_SD,
    GM_DIAGNOSTIC_ESS_QUANTILE,
    GM_DIAGNOSTIC_MCSE_MEAN,
    GM_DIAGNOSTIC_MCSE_SD,
    GM_DIAGNOSTIC_MCSE_QUANTILE,
    GM_DIAGNOSTIC_QUANTILE,
    GM_DIAGNOSTIC_AUTOCORRELATION_TIME,
    GM_DIAGNOSTIC_COUNT
} gm_diagnostic;

typedef struct gm_diagnose_options {
    gm_diagnostic diagnostic;
    double probability;  /* of the quantiles, in [0, 1] */
    int64_t superchains; /* RHAT_NESTED: how many; chain c is in superchain c / (m / superchains) */
} gm_diagnose_options;

/*
 * One number for each quantity.
 *
 *     options    [in]
 *     draws      [in]      (..., n, m) f64 or f32: any strides
 *     out        [out]     (...) f64
 *     workspace  [in,out]  as in linalg.h: called with data NULL it says how much is needed, which
 *                          depends on n, m, the backend and its threads alone
 *
 * Errors: INVALID_ARGUMENT (a null argument, a diagnostic, probability or number of superchains
 * that is none, an overlap), SHAPE_MISMATCH, UNSUPPORTED (emu and cuda: 2^31 draws of a quantity or
 * more), WORKSPACE_TOO_SMALL. On an error nothing is written. Determinism: equal bits for any batch
 * and number of threads; emu and cuda sum in another order than ref and cpu. Cost: S log S for the
 * ranks; O(S) for each lag that is looked at, up to where noise begins.
 */
gm_status gm_diagnose(gm_context *context, const gm_diagnose_options *options,
                      const gm_tensor *draws, const gm_tensor *out, gm_workspace *workspace);

/* "rhat", "ess_bulk" and so on; NULL for what is no diagnostic. */
const char *gm_diagnostic_name(gm_diagnostic diagnostic);

#ifdef __cplusplus
}
#endif
#endif
