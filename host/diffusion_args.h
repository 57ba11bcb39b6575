/*
 * What the diffusion operations hand to a backend: checked, in elements and bytes, with the step
 * coefficients computed. Read by C and by the kernels.
 */
#ifndef GENMATH_HOST_DIFFUSION_ARGS_H
#define GENMATH_HOST_DIFFUSION_ARGS_H

#include <stdint.h>

#include <genmath/tensor.h>

/* Rows and columns of a (n, d) tensor, or elements of a (n) one: data NULL where it is absent. */
typedef struct gm_diffusion_view {
    void *data;
    int64_t stride[2];
} gm_diffusion_view;

typedef struct gm_diffusion_model_args {
    gm_dtype dtype; /* of everything but the table's doubles and the statuses */
    int64_t components, dim;
    gm_diffusion_view means, weights, deviations;
    double bandwidth2; /* the square of the bandwidth */
} gm_diffusion_model_args;

typedef struct gm_diffusion_perturb_args {
    gm_dtype dtype;
    int64_t count, dim;
    gm_diffusion_view t, x0, xt, z;
    double beta_min, beta_max;
    uint64_t seed, first_index;
} gm_diffusion_perturb_args;

typedef struct gm_diffusion_score_args {
    gm_diffusion_model_args model;
    int64_t count;
    double alpha, variance; /* of the forward process at t */
    gm_diffusion_view x, score, log_density;
} gm_diffusion_score_args;

/*
 * One evaluation of the score s(y) and the update after it, which covers every method:
 *
 *     saved = y if `save`;   y <- y + a y + b s + c z + e (saved - y)
 *
 * The change is added to y in one rounding: with y <- (1 + a) y + ... the float next to 1 + a,
 * taken hundreds of times, would be a drift. The same fields in F32 or F64, in memory of the
 * backend.
 */
enum {
    GM_STEP_ALPHA,    /* of the forward process at the evaluation's time */
    GM_STEP_VARIANCE, /* 1 - alpha^2 */
    GM_STEP_A,
    GM_STEP_B,
    GM_STEP_C,
    GM_STEP_E,
    GM_STEP_SAVE, /* 0 or 1 */
    GM_STEP_UNUSED,
    GM_STEP_FIELDS
};

typedef struct gm_diffusion_sample_args {
    gm_diffusion_model_args model;
    int64_t count;
    int64_t rows;            /* of the table; row r uses the draws r d .. r d + d - 1 of a sample */
    const void *table;       /* (rows, GM_STEP_FIELDS) in the model's dtype */
    int32_t saves;           /* a row of the table has `save` set: Heun */
    gm_diffusion_view start; /* data NULL: standard normal */
    gm_diffusion_view samples, status;
    uint64_t seed, first_index;
    void *workspace; /* 64-byte aligned */
} gm_diffusion_sample_args;

/*
 * Scratch of a thread of the host backends. The cpu backend works on tiles of at most 128 bytes of
 * samples by d: state, weighted sum and saved state; and a block of 64 data, scaled, in the widest
 * type. The reference needs four rows of doubles, which is less. -1: more than an int64_t counts.
 */
static inline int64_t gm_diffusion_host_scratch(int64_t dim) {
    return dim > INT64_MAX / 2048 ? -1 : dim * (3 * 128 + 64 * 8);
}

/* Device workspace of a row that does not fit on the chip: weighted sum and saved state. */
#define GM_DIFFUSION_CHIP_DIM 128
static inline int64_t gm_diffusion_device_row(gm_dtype dtype, int64_t dim) {
    return dim <= GM_DIFFUSION_CHIP_DIM ? 0
           : dim > INT64_MAX / 2048     ? -1
                                        : 2 * dim * (dtype == GM_F64 ? 8 : 4);
}

#endif
