/* Logistic regression as a user of genmath writes it, for chains.py: 25 weights, N(0, 1) a priori;
 * a row of the data is 25 inputs and the answer, 0 or 1. */
#include <genmath/genmath.h>

enum { DIM = 25, COLUMNS = DIM + 1, FIFTH = DIM / 5 };

GM_DENSITY_DATA(
    logistic, DIM, 0, COLUMNS,
    {
        logp[0] = 0;
        GM_UNROLL for (int c = 0; c < DIM; ++c) {
            logp[0] -= (real)0.5 * y[c] * y[c];
        }
    },
    {
        GM_UNROLL for (int c = 0; c < DIM; ++c) {
            grad[c] = -y[c];
        }
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < FIFTH; ++c) {
            eta += d[c] * y[c] + d[FIFTH + c] * y[FIFTH + c] + d[2 * FIFTH + c] * y[2 * FIFTH + c] +
                   d[3 * FIFTH + c] * y[3 * FIFTH + c] + d[4 * FIFTH + c] * y[4 * FIFTH + c];
        }
        const real size = eta < 0 ? -eta : eta;
        logp[0] = d[DIM] * eta - (eta + size) / 2 - gm_log(1 + gm_exp(-size));
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < FIFTH; ++c) {
            eta += d[c] * y[c] + d[FIFTH + c] * y[FIFTH + c] + d[2 * FIFTH + c] * y[2 * FIFTH + c] +
                   d[3 * FIFTH + c] * y[3 * FIFTH + c] + d[4 * FIFTH + c] * y[4 * FIFTH + c];
        }
        const real rest = d[DIM] - 1 / (1 + gm_exp(-eta));
        GM_UNROLL for (int c = 0; c < DIM; ++c) {
            grad[c] = rest * d[c];
        }
    })

const gm_density *logistic_density(void);

const gm_density *logistic_density(void) {
    return &logistic;
}
