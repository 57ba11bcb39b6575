/*
 * Diffusion models whose score is known exactly: a mixture of isotropic Gaussians, or a data set.
 *
 * The variance-preserving (VP) process takes a vector x_0 to noise over t in [0, 1]:
 *
 *     dx = -beta(t)/2 x dt + sqrt(beta(t)) dW,    beta(t) = beta_min + t (beta_max - beta_min)
 *     x_t | x_0 ~ N(alpha x_0, v I),  alpha(t) = exp(-1/2 int_0^t beta),  v(t) = 1 - alpha^2
 *
 * If x_0 comes from the mixture sum_k w_k N(m_k, s_k^2 I), then x_t has the density
 *
 *     p_t(x) = sum_k w_k N(x; alpha m_k, v_k I),  v_k = alpha^2 s_k^2 + v
 *
 * and the score of a sample, the direction in which the log-density grows, is a softmax attention
 * of the query x over the components:
 *
 *     grad log p_t(x) = sum_k r_k (alpha m_k - x) / v_k
 *     r = softmax_k(log w_k - d/2 log v_k - |x - alpha m_k|^2 / (2 v_k))
 *
 * A data set is the mixture with a component on every datum: with s = 0 its empirical measure,
 * which the reverse process returns to exactly (it memorises), with s > 0 a kernel density
 * estimate.
 *
 * Vectors are the rows of (n, d) tensors. A row's result does not depend on the other rows, their
 * number or order, on threads, vector instructions or blocks: noise is a function of (seed,
 * first_index + row, step, component).
 *
 * Sources: Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole, "Score-based generative modeling
 * through stochastic differential equations", ICLR 2021; Anderson, "Reverse-time diffusion equation
 * models", Stochastic Processes and their Applications 12 (1982); Efron, "Tweedie's formula and
 * selection bias", JASA 106 (2011); the blockwise softmax: Milakov and Gimelshein, arXiv:1805.02867
 * (2018).
 */
#ifndef GENMATH_DIFFUSION_H
#define GENMATH_DIFFUSION_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* beta grows linearly in t in [0, 1]. A field of 0 takes its default. */
typedef struct gm_vp_schedule {
    double beta_min; /* beta(0) > 0; default 0.1 */
    double beta_max; /* beta(1) > 0; default 20 */
} gm_vp_schedule;

/* What the schedule makes of a vector by time t. */
typedef struct gm_vp_point {
    double beta;     /* beta(t) */
    double integral; /* int_0^t beta = beta_min t + (beta_max - beta_min) t^2 / 2 */
    double alpha;    /* exp(-integral / 2), the factor of x_0 */
    double variance; /* 1 - alpha^2, computed as -expm1(-integral): exact near t = 0 */
} gm_vp_point;

/*
 * The marginal of the forward process at time t, in double.
 * schedule [in]  NULL for the defaults
 * t        [in]  in [0, 1]
 * point    [out]
 * Errors: INVALID_ARGUMENT (t or a beta out of range or not finite; point is NULL), said by
 * gm_last_error(NULL).
 */
gm_status gm_vp_marginal(const gm_vp_schedule *schedule, double t, gm_vp_point *point);

/* A mixture of isotropic Gaussians in d dimensions. Tensors are of one dtype, F32 or F64. */
typedef struct gm_diffusion_model {
    const gm_tensor *means; /* (K, d): the centres m_k, or the data; K >= 1, d >= 1; any strides */
    const gm_tensor *weights;    /* (K): w_k >= 0, of any sum; NULL: all 1 / K */
    const gm_tensor *deviations; /* (K): s_k >= 0; NULL: all 0 */
    double bandwidth;            /* >= 0; widens every component: s_k^2 + bandwidth^2 */
} gm_diffusion_model;

/* Which noise: that of row i is a function of seed and first_index + i. */
typedef struct gm_diffusion_noise {
    uint64_t seed;
    uint64_t first_index;
} gm_diffusion_noise;

/*
 * Forward noising: x_t = alpha(t) x_0 + sqrt(v(t)) z, z standard normal.
 * schedule [in]  NULL for the defaults
 * noise    [in]  NULL for seed 0, first index 0
 * t        [in]  (n): the time of each row, in [0, 1]; a stride of 0 gives all rows one time. A row
 *                with a negative or NaN time is NaN.
 * x0       [in]  (n, d), F32 or F64, as all tensors here
 * xt       [out] (n, d); may be x0 itself, else no overlap
 * z        [out] (n, d): the noise, equal to the bit on every backend; NULL if not wanted
 * Errors: INVALID_ARGUMENT (a schedule out of range, a dtype, an output that overlaps),
 * SHAPE_MISMATCH.
 * Cost: n d normals. Allocates nothing.
 */
gm_status gm_diffusion_perturb(gm_context *context, const gm_vp_schedule *schedule,
                               const gm_diffusion_noise *noise, const gm_tensor *t,
                               const gm_tensor *x0, const gm_tensor *xt, const gm_tensor *z);

/*
 * The exact score of x_t (formula above), and the log-density.
 * model       [in]
 * schedule    [in]  NULL for the defaults
 * t           [in]  in [0, 1]; at t = 0 every component needs s_k > 0 (else its v_k = 0 and the
 *                   result is not finite)
 * x           [in]  (n, d), the dtype of the means
 * score       [out] (n, d); no overlap with an input
 * log_density [out] (n): log p_t(x), normalised if the weights sum to 1; NULL if not wanted
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, OUT_OF_MEMORY (scratch of the host backends: some
 * kilobytes and 896 d bytes per thread). A NaN or infinite row of x spoils its own row alone.
 * Accuracy: |x - alpha m_k|^2 is summed from differences, never expanded: near t = 0 the distance
 * to the nearest datum is far smaller than the norms, and |x|^2 - 2 x.m + |m|^2 would leave only
 * rounding. A logit L is off by at most about (d/64 + 130) eps |L|.
 * Cost: 5 n K d floating-point operations and n K exponentials.
 */
gm_status gm_diffusion_score(gm_context *context, const gm_diffusion_model *model,
                             const gm_vp_schedule *schedule, double t, const gm_tensor *x,
                             const gm_tensor *score, const gm_tensor *log_density);

/*
 * How the reverse process is integrated, over `steps` equal steps dt from t_start down to t_end,
 * each with beta, alpha, v and the score s at its beginning (Euler) or at both ends (Heun):
 *
 * REVERSE_SDE        y <- y + (beta/2 y + beta s) dt + sqrt(beta dt) z
 *                    Euler–Maruyama, weak order 1
 * PROBABILITY_EULER  y <- y + (beta/2 y + beta/2 s) dt
 *                    order 1, no noise
 * PROBABILITY_HEUN   the same equation by Heun's method
 *                    order 2, two scores a step
 */
typedef enum gm_diffusion_method {
    GM_DIFFUSION_REVERSE_SDE,
    GM_DIFFUSION_PROBABILITY_EULER,
    GM_DIFFUSION_PROBABILITY_HEUN,
    GM_DIFFUSION_METHOD_COUNT
} gm_diffusion_method;

/* Zero is the default of every field. */
typedef struct gm_diffusion_options {
    gm_vp_schedule schedule;
    gm_diffusion_method method;
    int64_t steps;  /* default 500 */
    double t_start; /* default 1 */
    /* In (0, t_start); default 0.001. The Euler methods never look at t_end itself, so 1e-300 is as
     * good as 0; Heun does. */
    double t_end;
    /* REVERSE_SDE only: > 0 takes this constant as the reverse diffusion in place of beta:
     * y <- y + (beta/2 y + (beta + epsilon)/2 s) dt + sqrt(epsilon dt) z */
    double epsilon;
    /* 1: the result is the mean of x_0 given the end of the path, (y + v s) / alpha at t_end
     * (Tweedie), in place of that end itself */
    int32_t denoise;
} gm_diffusion_options;

typedef struct gm_diffusion_plan gm_diffusion_plan;

/*
 * Checks the options and tabulates the coefficients of every step, in double.
 * options [in]  NULL for the defaults
 * plan    [out] the handle, for this context; NULL on failure
 * Errors: INVALID_ARGUMENT (an option out of range), OUT_OF_MEMORY, DEVICE_ERROR.
 */
gm_status gm_diffusion_plan_create(gm_context *context, const gm_diffusion_options *options,
                                   gm_diffusion_plan **plan);
void gm_diffusion_plan_destroy(gm_diffusion_plan *plan); /* NULL is fine */

/*
 * The workspace that gm_diffusion_sample needs for n rows of d components.
 * dtype [in]  F32 or F64
 * bytes [out] a multiple of 64, may be 0
 * Errors: INVALID_ARGUMENT (a negative size, a dtype, more bytes than an int64_t counts).
 */
gm_status gm_diffusion_workspace_size(const gm_diffusion_plan *plan, gm_dtype dtype, int64_t n,
                                      int64_t d, int64_t *bytes);

/*
 * Runs the reverse process: samples of the model.
 * model     [in]  read during the call
 * noise     [in]  NULL for seed 0, first index 0
 * start     [in]  (n, d): the states at t_start; NULL: standard normal, which is the law of x_1 up
 *                 to alpha(1) (0.0066 with the default schedule). A start from gm_diffusion_perturb
 *                 at t_start makes a U-turn.
 * workspace [in]  of the plan's size, in the backend's memory; may be NULL if that is 0
 * samples   [out] (n, d), the dtype of the means; may be start itself, else no overlap with an
 *                 input
 * status    [out] (n), I32: OK, or NON_FINITE for a row that holds a NaN or an infinity; NULL if
 *                 not wanted
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, WORKSPACE_TOO_SMALL. The call succeeds whatever the
 * rows' statuses are. Allocates nothing.
 * Cost: gm_diffusion_score for n rows, times the steps (twice with Heun), and n d normals a step.
 */
gm_status gm_diffusion_sample(const gm_diffusion_plan *plan, const gm_diffusion_model *model,
                              const gm_diffusion_noise *noise, const gm_tensor *start,
                              void *workspace, int64_t workspace_bytes, const gm_tensor *samples,
                              const gm_tensor *status);

#ifdef __cplusplus
}
#endif
#endif
