/*
 * A probability density, written once: its logarithm up to a constant, and the gradient of that.
 *
 *     GM_DENSITY(banana, 2, 2,
 *                {
 *                    const real bend = y[1] - p[0] * (y[0] * y[0] - 1);
 *                    logp[0] = (real)-0.5 * (y[0] * y[0] + bend * bend / p[1]);
 *                },
 *                {
 *                    const real bend = y[1] - p[0] * (y[0] * y[0] - 1);
 *                    grad[0] = -y[0] + 2 * p[0] * y[0] * bend / p[1];
 *                    grad[1] = -bend / p[1];
 *                })
 *
 * defines `static const gm_density banana`: as GM_SYSTEM (system.h), the scalar functions in double
 * and float, the same for 64 or 128 points at once for each instruction set, and the bodies' text
 * for a GPU. What system.h says of a body holds for both; y[], p[] and logp[0] or grad[] are their
 * names. In the first body, one argument of the macro, no comma stands outside of parentheses:
 * variables are declared one by one. Outside of the support logp[0] is -infinity or NaN. gcc leaves
 * a loop of over 16 turns rolled, and a body with one unvectorised, unless it is written as
 * GM_UNROLL for (...): three times as fast with 25 coordinates.
 */
#ifndef GENMATH_DENSITY_H
#define GENMATH_DENSITY_H

#include <genmath/system.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of GM_LANES reals as in a system: y is dim rows, p is params rows. */
typedef struct gm_density_lanes_f64 {
    void (*log_density)(const double *y, const double *p, double *logp);
    void (*gradient)(const double *y, const double *p, double *grad);
} gm_density_lanes_f64;

typedef struct gm_density_lanes_f32 {
    void (*log_density)(const float *y, const float *p, float *logp);
    void (*gradient)(const float *y, const float *p, float *grad);
} gm_density_lanes_f32;

typedef struct gm_density {
    int32_t version, dim, params; /* GM_SYSTEM_VERSION; 1 to 64; 0 to 64 */
    const char *name;
    const char *source, *gradient_source;     /* the bodies' text */
    gm_rhs_f64 log_density_f64, gradient_f64; /* their first argument is not used */
    gm_rhs_f32 log_density_f32, gradient_f32;
    gm_density_lanes_f64 lanes_f64[GM_ISA_COUNT];
    gm_density_lanes_f32 lanes_f32[GM_ISA_COUNT];
} gm_density;

/*
 * Tries a density at one point: its functions in double and float and each vector path that this
 * machine can run must agree, within rounding, and be finite; and the gradient must be that of the
 * log density by central differences.
 * y [in] (dim), p [in] (params). message [out] at least 256 bytes: the first entry that differs, or
 * "".
 * Errors: INVALID_ARGUMENT (null, or a density of another version), NON_FINITE, INTERNAL (paths
 * differ: a body reads an unset variable or writes outside of its array), NOT_CONVERGED with the
 * wrong entry of the gradient: it is off by over 1e-5 (1 + 2 |log density| + |difference
 * quotient|).
 */
gm_status gm_density_check(const gm_density *density, const double *y, const double *p,
                           char *message);

/*
 * A density compiled into the library for every backend: "normal" (1 coordinate; mean, standard
 * deviation), "banana" (2; bend b, variance s: y0 ~ N(0, 1), y1 ~ N(b (y0^2 - 1), s)), "funnel" (3;
 * standard deviation s: y0 ~ N(0, s^2), y1 and y2 ~ N(0, exp(y0))), "two_wells" (1; height h of
 * the barrier, tilt t: log p = t y - h (y^2 - 1)^2). NULL for another name.
 */
const gm_density *gm_density_builtin(const char *name);

/* The names above, one by one; NULL past the last. */
const char *gm_density_builtin_name(int32_t index);

#ifdef __cplusplus
}
#endif

#ifndef GM_KERNEL_SYSTEMS
#define real double
#define GM_REAL(name) name##_f64
#include <genmath/detail/density_lanes.inc>
#undef real
#undef GM_REAL
#define real float
#define GM_REAL(name) name##_f32
#include <genmath/detail/density_lanes.inc>
#undef real
#undef GM_REAL

#define GM_DENSITY_LANES(name, dim, nparams, suffix, precision, isa, target)                       \
    target static void name##_logp_lanes_##suffix##_##isa(const precision *y, const precision *p,  \
                                                          precision *logp) {                       \
        gm_lanes_map_##suffix(name##_logp_body_##suffix, name##_logp_body_wide_##suffix, dim,      \
                              nparams, 1, y, p, logp);                                             \
    }                                                                                              \
    target static void name##_grad_lanes_##suffix##_##isa(const precision *y, const precision *p,  \
                                                          precision *grad) {                       \
        gm_lanes_map_##suffix(name##_grad_body_##suffix, name##_grad_body_wide_##suffix, dim,      \
                              nparams, dim, y, p, grad);                                           \
    }
#define GM_DENSITY_LANES_ENTRY(name, suffix, isa)                                                  \
    { name##_logp_lanes_##suffix##_##isa, name##_grad_lanes_##suffix##_##isa }

#define GM_DENSITY(name, dim, nparams, log_density, ...)                                           \
    GM_BODIES(name##_logp_body, name##_logp, logp, log_density)                                    \
    GM_BODIES(name##_grad_body, name##_grad, grad, __VA_ARGS__)                                    \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f64, double)                                 \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f32, float)                                  \
    GM_UNUSED static const gm_density name = {GM_SYSTEM_VERSION,                                   \
                                              dim,                                                 \
                                              nparams,                                             \
                                              #name,                                               \
                                              #log_density,                                        \
                                              #__VA_ARGS__,                                        \
                                              name##_logp_f64,                                     \
                                              name##_grad_f64,                                     \
                                              name##_logp_f32,                                     \
                                              name##_grad_f32,                                     \
                                              GM_ISA_TABLE(GM_DENSITY_LANES_ENTRY, name, f64),     \
                                              GM_ISA_TABLE(GM_DENSITY_LANES_ENTRY, name, f32)};
#endif

#endif
