/*
 * Logistic regression as a density of genmath, for chains.py: DIM weights, N(0, 1) a priori, and
 * ROWS rows of data that are set once. GM_DENSITY gives the scalar functions; the float lanes are
 * written here, as two products with the data of all lanes at a time. gcc and clang.
 */
#include <string.h>

#include <genmath/genmath.h>

enum { DIM = 25, ROWS = 1000, TILE = 40, LANES = GM_LANES_F32, ACROSS = 16, AT_ONCE = 5 };

static float data[ROWS][DIM], label[ROWS];

GM_DENSITY(
    plain, DIM, 0,
    {
        logp[0] = 0;
        for (int c = 0; c < DIM; ++c) {
            logp[0] -= (real)0.5 * y[c] * y[c];
        }
        for (int r = 0; r < ROWS; ++r) {
            real eta = 0;
            for (int c = 0; c < DIM; ++c) {
                eta += (real)data[r][c] * y[c];
            }
            const real size = eta < 0 ? -eta : eta;
            logp[0] += (real)label[r] * eta - (eta + size) / 2 - gm_log(1 + gm_exp(-size));
        }
    },
    {
        for (int c = 0; c < DIM; ++c) {
            grad[c] = -y[c];
        }
        for (int r = 0; r < ROWS; ++r) {
            real eta = 0;
            for (int c = 0; c < DIM; ++c) {
                eta += (real)data[r][c] * y[c];
            }
            const real rest = (real)label[r] - 1 / (1 + gm_exp(-eta));
            for (int c = 0; c < DIM; ++c) {
                grad[c] += (real)data[r][c] * rest;
            }
        }
    })

typedef float vector __attribute__((vector_size(4 * ACROSS)));
_Static_assert(ROWS % TILE == 0 && TILE % AT_ONCE == 0 && DIM % AT_ONCE == 0, "whole tiles");

/* eta = data y for TILE rows from `first` on. */
GM_INLINE void predict(int first, const float *y, float (*eta)[LANES]) {
    for (int lane = 0; lane < LANES; lane += 2 * ACROSS) {
        for (int r = 0; r < TILE; r += AT_ONCE) {
            vector sum[AT_ONCE][2] = {{{0}}};
            for (int c = 0; c < DIM; ++c) {
                vector at[2];
                memcpy(at, y + c * LANES + lane, sizeof at);
                GM_UNROLL for (int k = 0; k < AT_ONCE; ++k) {
                    sum[k][0] += data[first + r + k][c] * at[0];
                    sum[k][1] += data[first + r + k][c] * at[1];
                }
            }
            GM_UNROLL for (int k = 0; k < AT_ONCE; ++k) {
                memcpy(eta[r + k] + lane, sum[k], sizeof sum[k]);
            }
        }
    }
}

GM_INLINE void log_density(const float *y, float *logp) {
    float eta[TILE][LANES];
    memset(logp, 0, LANES * sizeof *logp);
    for (int c = 0; c < DIM; ++c) {
        GM_LANE_LOOP for (int lane = 0; lane < LANES; ++lane) {
            logp[lane] -= 0.5F * y[c * LANES + lane] * y[c * LANES + lane];
        }
    }
    for (int first = 0; first < ROWS; first += TILE) {
        predict(first, y, eta);
        for (int r = 0; r < TILE; ++r) {
            const float one = label[first + r];
            GM_LANE_LOOP for (int lane = 0; lane < LANES; ++lane) {
                const float x = eta[r][lane], size = x < 0 ? -x : x;
                logp[lane] += one * x - 0.5F * (x + size) - gm_log_f32(1 + gm_exp_f32(-size));
            }
        }
    }
}

GM_INLINE void gradient(const float *y, float *grad) {
    float eta[TILE][LANES];
    for (int i = 0; i < DIM * LANES; ++i) {
        grad[i] = -y[i];
    }
    for (int first = 0; first < ROWS; first += TILE) {
        predict(first, y, eta);
        for (int r = 0; r < TILE; ++r) {
            const float one = label[first + r];
            GM_LANE_LOOP for (int lane = 0; lane < LANES; ++lane) {
                eta[r][lane] = one - 1 / (1 + gm_exp_f32(-eta[r][lane]));
            }
        }
        for (int lane = 0; lane < LANES; lane += 2 * ACROSS) {
            for (int c = 0; c < DIM; c += AT_ONCE) {
                vector sum[AT_ONCE][2];
                GM_UNROLL for (int k = 0; k < AT_ONCE; ++k) {
                    memcpy(sum[k], grad + (c + k) * LANES + lane, sizeof sum[k]);
                }
                for (int r = 0; r < TILE; ++r) {
                    vector at[2];
                    memcpy(at, eta[r] + lane, sizeof at);
                    GM_UNROLL for (int k = 0; k < AT_ONCE; ++k) {
                        sum[k][0] += data[first + r][c + k] * at[0];
                        sum[k][1] += data[first + r][c + k] * at[1];
                    }
                }
                GM_UNROLL for (int k = 0; k < AT_ONCE; ++k) {
                    memcpy(grad + (c + k) * LANES + lane, sum[k], sizeof sum[k]);
                }
            }
        }
    }
}

#define ON(isa, target)                                                                            \
    target static void log_density_##isa(const float *y, const float *p, float *logp) {            \
        (void)p;                                                                                   \
        log_density(y, logp);                                                                      \
    }                                                                                              \
    target static void gradient_##isa(const float *y, const float *p, float *grad) {               \
        (void)p;                                                                                   \
        gradient(y, grad);                                                                         \
    }
ON(base, GM_TARGET_BASE)
ON(avx2, GM_TARGET_AVX2)
ON(avx512, GM_TARGET_AVX512)

/* The density over these data, (ROWS, DIM) and (ROWS). */
const gm_density *logistic_density(const float *rows, const float *labels);

const gm_density *logistic_density(const float *rows, const float *labels) {
    static gm_density made;
    memcpy(data, rows, sizeof data);
    memcpy(label, labels, sizeof label);
    made = plain;
    made.name = "logistic";
    made.lanes_f32[0] = (gm_density_lanes_f32){log_density_base, gradient_base};
    made.lanes_f32[1] = (gm_density_lanes_f32){log_density_avx2, gradient_avx2};
    made.lanes_f32[2] = (gm_density_lanes_f32){log_density_avx512, gradient_avx512};
    return &made;
}
