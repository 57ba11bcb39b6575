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
 *
 * A density over a data set is a prior and a term for each row of the data,
 *
 *     log p(y) = log prior(y; p) + sum over r of l(d_r; y, p)
 *
 *     GM_DENSITY_DATA(line, 2, 1, 2,
 *                     { logp[0] = (real)-0.5 * p[0] * (y[0] * y[0] + y[1] * y[1]); },
 *                     {
 *                         grad[0] = -p[0] * y[0];
 *                         grad[1] = -p[0] * y[1];
 *                     },
 *                     {
 *                         const real rest = d[1] - y[0] - y[1] * d[0];
 *                         logp[0] = (real)-0.5 * rest * rest;
 *                     },
 *                     {
 *                         const real rest = d[1] - y[0] - y[1] * d[0];
 *                         grad[0] = rest;
 *                         grad[1] = rest * d[0];
 *                     })
 *
 * The four bodies are the prior's and a row's logarithm and gradient; the last two have the row's
 * columns in d[] besides, write their own term alone, and the library adds. The data, any number of
 * rows, are an argument of what takes the density: shared by all chains, read where they lie. No
 * comma stands outside of parentheses in the first three. A sum of many products is faster written
 * as a few at a time, a[0] * b[0] + a[1] * b[1] + ..., than as one after the other.
 *
 * Terms are added in blocks of 64 rows and the blocks with their rounding errors carried along, in
 * an order that depends on nothing but the number of rows: whatever that is, a sum is within 66 u
 * (|log prior| + sum |l_r|), u = 2^-53 or 2^-24, of that of the rounded terms. What cancels is not
 * won back: in float, log densities that differ by less than about u |log p| look the same, and
 * with some 1e5 rows such differences begin to decide; in double they never do.
 */
#ifndef GENMATH_DENSITY_H
#define GENMATH_DENSITY_H

#include <stddef.h>
#include <string.h>

#include <genmath/system.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bumped when the structs below change: a density built against another version is refused. */
#define GM_DENSITY_VERSION 2

#define GM_MAX_DATA_COLUMNS 128

/* Rows that are added up before their sum is, and rows of them whose gradients a lane takes at
 * once, so that it touches their sum in memory once for so many. Of 1, 2, 4 and 8 rows, 8 are no
 * faster than 4. */
#define GM_ROW_BLOCK 64
#define GM_ROW_TILE 4

/* The term of one row d of the data: its logarithm or gradient. */
typedef void (*gm_row_f64)(const double *d, const double *y, const double *p, double *term);
typedef void (*gm_row_f32)(const float *d, const float *y, const float *p, float *term);

/* Rows of GM_LANES reals as in a system: y is dim rows, p is params rows. add_*: adds the terms of
 * all rows of the data to what is there; stride: from row to row and from column to column. */
typedef struct gm_density_lanes_f64 {
    void (*log_density)(const double *y, const double *p, double *logp);
    void (*gradient)(const double *y, const double *p, double *grad);
    void (*add_rows)(const double *y, const double *p, const double *data, int64_t rows,
                     const int64_t *stride, double *logp);
    void (*add_gradients)(const double *y, const double *p, const double *data, int64_t rows,
                          const int64_t *stride, double *grad);
} gm_density_lanes_f64;

typedef struct gm_density_lanes_f32 {
    void (*log_density)(const float *y, const float *p, float *logp);
    void (*gradient)(const float *y, const float *p, float *grad);
    void (*add_rows)(const float *y, const float *p, const float *data, int64_t rows,
                     const int64_t *stride, float *logp);
    void (*add_gradients)(const float *y, const float *p, const float *data, int64_t rows,
                          const int64_t *stride, float *grad);
} gm_density_lanes_f32;

/* Of a density over data, what has no row in its name is the prior's. */
typedef struct gm_density {
    int32_t version, dim, params; /* GM_DENSITY_VERSION; 1 to 64; 0 to 64 */
    int32_t columns;              /* of the data, 1 to 128; 0: a density without */
    const char *name;
    const char *source, *gradient_source;     /* the bodies' text */
    gm_rhs_f64 log_density_f64, gradient_f64; /* their first argument is not used */
    gm_rhs_f32 log_density_f32, gradient_f32;
    gm_density_lanes_f64 lanes_f64[GM_ISA_COUNT];
    gm_density_lanes_f32 lanes_f32[GM_ISA_COUNT];
    const char *row_source, *row_gradient_source; /* NULL for a density without data, as below */
    gm_row_f64 row_f64, row_gradient_f64;
    gm_row_f32 row_f32, row_gradient_f32;
} gm_density;

/*
 * Tries a density at one point: its functions in double and float and each vector path that this
 * machine can run must agree, within rounding, and be finite; and the gradient must be that of the
 * log density by central differences.
 * y [in] (dim), p [in] (params). message [out] at least 256 bytes: the first entry that differs, or
 * "".
 * Errors: INVALID_ARGUMENT (null, a density of another version, or one over data: see below),
 * NON_FINITE, INTERNAL (paths differ: a body reads an unset variable or writes outside of its
 * array), NOT_CONVERGED with the wrong entry of the gradient: it is off by over 1e-5 (1 + 2 |log
 * density| + |difference quotient|).
 */
gm_status gm_density_check(const gm_density *density, const double *y, const double *p,
                           char *message);

/*
 * The same of a density over data: first the prior, then the term of each row by itself, so that an
 * error does not drown in the sum of the others. The message says which row.
 * data [in] (rows, columns), row-major in host memory; rows >= 0.
 * Errors: as above; INVALID_ARGUMENT also for a density without data.
 */
gm_status gm_density_check_data(const gm_density *density, const double *y, const double *p,
                                int64_t rows, const double *data, char *message);

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
    { name##_logp_lanes_##suffix##_##isa, name##_grad_lanes_##suffix##_##isa, NULL, NULL }

/* A row's body as a function in one precision, as GM_BODY of system_macros.h. */
#define GM_ROW_BODY(qualifiers, contract, function, precision, out, reach, ...)                    \
    qualifiers void function(GM_UNUSED const precision *d, GM_UNUSED const precision *y,           \
                             GM_UNUSED const precision *p, precision *out reach) {                 \
        contract typedef precision real GM_UNUSED;                                                 \
        __VA_ARGS__                                                                                \
    }
#define GM_WIDE_ROW(function, scalar, precision)                                                   \
    GM_INLINE void function(const precision *d, const precision *y, const precision *p,            \
                            precision *out, GM_UNUSED gm_reach *reach) {                           \
        scalar(d, y, p, out);                                                                      \
    }
#define GM_ROW_BODIES(lanes, scalar, out, ...)                                                     \
    GM_ROW_BODY(GM_INLINE, GM_CONTRACT_FAST, lanes##_f64, double, out, GM_LANE_REACH, __VA_ARGS__) \
    GM_ROW_BODY(GM_NO_CONTRACTION GM_CALLED static, , scalar##_f64, double, out, , __VA_ARGS__)    \
    GM_WIDE_ROW(lanes##_wide_f64, scalar##_f64, double)                                            \
    GM_FLOAT_LITERALS_BEGIN                                                                        \
    GM_ROW_BODY(GM_INLINE, GM_CONTRACT_FAST, lanes##_f32, float, out, GM_LANE_REACH, __VA_ARGS__)  \
    GM_ROW_BODY(GM_CALLED static, , scalar##_f32, float, out, , __VA_ARGS__)                       \
    GM_WIDE_ROW(lanes##_wide_f32, scalar##_f32, float)                                             \
    GM_FLOAT_LITERALS_END

#define GM_ROW_LANES(name, dim, nparams, columns, suffix, precision, isa, target)                  \
    target static void name##_add_rows_##suffix##_##isa(const precision *y, const precision *p,    \
                                                        const precision *data, int64_t rows,       \
                                                        const int64_t *stride, precision *logp) {  \
        gm_lanes_rows_##suffix(name##_row_body_##suffix, name##_row_body_wide_##suffix, dim,       \
                               nparams, 1, columns, 1, y, p, data, rows, stride, logp);            \
    }                                                                                              \
    target static void name##_add_gradients_##suffix##_##isa(                                      \
        const precision *y, const precision *p, const precision *data, int64_t rows,               \
        const int64_t *stride, precision *grad) {                                                  \
        gm_lanes_rows_##suffix(name##_slope_body_##suffix, name##_slope_body_wide_##suffix, dim,   \
                               nparams, dim, columns, GM_ROW_TILE, y, p, data, rows, stride,       \
                               grad);                                                              \
    }
#define GM_ROW_LANES_ENTRY(name, suffix, isa)                                                      \
    {                                                                                              \
        name##_logp_lanes_##suffix##_##isa, name##_grad_lanes_##suffix##_##isa,                    \
            name##_add_rows_##suffix##_##isa, name##_add_gradients_##suffix##_##isa                \
    }

#define GM_DENSITY(name, dim, nparams, log_density, ...)                                           \
    GM_BODIES(name##_logp_body, name##_logp, logp, log_density)                                    \
    GM_BODIES(name##_grad_body, name##_grad, grad, __VA_ARGS__)                                    \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f64, double)                                 \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f32, float)                                  \
    GM_UNUSED static const gm_density name = {GM_DENSITY_VERSION,                                  \
                                              dim,                                                 \
                                              nparams,                                             \
                                              0,                                                   \
                                              #name,                                               \
                                              #log_density,                                        \
                                              #__VA_ARGS__,                                        \
                                              name##_logp_f64,                                     \
                                              name##_grad_f64,                                     \
                                              name##_logp_f32,                                     \
                                              name##_grad_f32,                                     \
                                              GM_ISA_TABLE(GM_DENSITY_LANES_ENTRY, name, f64),     \
                                              GM_ISA_TABLE(GM_DENSITY_LANES_ENTRY, name, f32),     \
                                              NULL,                                                \
                                              NULL,                                                \
                                              NULL,                                                \
                                              NULL,                                                \
                                              NULL,                                                \
                                              NULL};

#define GM_DENSITY_DATA(name, dim, nparams, columns, log_prior, prior_gradient, row, ...)          \
    GM_BODIES(name##_logp_body, name##_logp, logp, log_prior)                                      \
    GM_BODIES(name##_grad_body, name##_grad, grad, prior_gradient)                                 \
    GM_ROW_BODIES(name##_row_body, name##_row, logp, row)                                          \
    GM_ROW_BODIES(name##_slope_body, name##_slope, grad, __VA_ARGS__)                              \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f64, double)                                 \
    GM_EACH_ISA(GM_DENSITY_LANES, name, dim, nparams, f32, float)                                  \
    GM_EACH_ISA(GM_ROW_LANES, name, dim, nparams, columns, f64, double)                            \
    GM_EACH_ISA(GM_ROW_LANES, name, dim, nparams, columns, f32, float)                             \
    GM_UNUSED static const gm_density name = {GM_DENSITY_VERSION,                                  \
                                              dim,                                                 \
                                              nparams,                                             \
                                              columns,                                             \
                                              #name,                                               \
                                              #log_prior,                                          \
                                              #prior_gradient,                                     \
                                              name##_logp_f64,                                     \
                                              name##_grad_f64,                                     \
                                              name##_logp_f32,                                     \
                                              name##_grad_f32,                                     \
                                              GM_ISA_TABLE(GM_ROW_LANES_ENTRY, name, f64),         \
                                              GM_ISA_TABLE(GM_ROW_LANES_ENTRY, name, f32),         \
                                              #row,                                                \
                                              #__VA_ARGS__,                                        \
                                              name##_row_f64,                                      \
                                              name##_slope_f64,                                    \
                                              name##_row_f32,                                      \
                                              name##_slope_f32};
#endif

#endif
