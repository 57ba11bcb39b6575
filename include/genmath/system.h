/*
 * A system of differential equations, written once.
 *
 *     GM_SYSTEM(lorenz, 3, 3, {
 *         dydt[0] = p[0] * (y[1] - y[0]);
 *         dydt[1] = y[0] * (p[1] - y[2]) - y[1];
 *         dydt[2] = y[0] * y[1] - p[2] * y[2];
 *     })
 *
 * defines `static const gm_system lorenz`: the scalar function in double that the reference calls,
 * steppers in double and float that advance 64 or 128 trajectories at once with the body inlined, for
 * each instruction set, and the text of the body, which is compiled into the solver kernels on a GPU.
 *
 * Inside a body `real` is float or double; t, y[], p[] and dydt[] (g[] in a diffusion) are its names.
 * It may declare variables, call the C math names, and call gm_exp, gm_log, gm_sin, gm_cos, gm_tanh,
 * gm_pow and gm_sqrt of math.h, which vectorise and give the same bits everywhere. It must write every
 * entry of dydt and depend on nothing but its arguments: the GPU's compiler sees the body's text alone,
 * so a macro or a function of the user's (M_PI too) is unknown there. Loops must have constant bounds to vectorise.
 * gm_sin and gm_cos are right for every argument. The vectorised code knows those below 2^20 (float) or
 * 2^45 (double); a trajectory, and no other, that goes beyond in a step takes that step again through the
 * scalar function. They must stand in the body itself, under these names: in a helper function, or as
 * gm_sin_f64, they branch, and the body is not vectorised.
 * A literal such as 0.5 takes the precision of the function it is compiled into on the GPU and with
 * gcc; clang computes the expression in double, as C says, so write (real)0.5 where that matters.
 *
 * An SDE dy = f(y, t) dt + g(y, t) dW adds to a drift f, defined by GM_SYSTEM in the same file,
 *
 *     GM_DIFFUSION_DIAGONAL(name, dim, params, { g[0] = ...; })          one noise per component
 *     GM_DIFFUSION_MATRIX(name, dim, params, noises, { g[i * noises + j] = ...; })
 *
 * and defines `static const gm_sde name_sde`. dim, params and noises are 1 to 64 (params may be 0).
 */
#ifndef GENMATH_SYSTEM_H
#define GENMATH_SYSTEM_H

#include <stdint.h>

#include <genmath/compiler.h>
#include <genmath/math.h>
#include <genmath/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_MAX_SYSTEM_DIM 64
#define GM_MAX_SYSTEM_PARAMS 64

/* Trajectories that a lane function advances together: rows of 512 bytes, so that several vector
 * registers of every component are in flight. */
#define GM_LANES_F64 64
#define GM_LANES_F32 128

#define GM_ISA_COUNT 3 /* base, avx2, avx512: entry isa - 1 of the tables below */

/* An explicit Runge–Kutta pair with its interpolant; see tableau.h. */
typedef struct gm_tableau_f64 {
    double c[7], a[7][6], b[7], e[7], interpolant[7][4];
} gm_tableau_f64;

typedef struct gm_tableau_f32 {
    float c[7], a[7][6], b[7], e[7], interpolant[7][4];
} gm_tableau_f32;

#define real double
#define GM_REAL(name) name##_f64
#include <genmath/detail/lanes_types.inc>
#undef real
#undef GM_REAL
#define real float
#define GM_REAL(name) name##_f32
#include <genmath/detail/lanes_types.inc>
#undef real
#undef GM_REAL

/* Bumped when the structs below change: a system built against another version is refused. */
#define GM_SYSTEM_VERSION 1

typedef struct gm_system {
    int32_t version, dim, params;
    const char *name;
    const char *source; /* the body's text */
    gm_rhs_f64 rhs_f64;
    gm_rhs_f32 rhs_f32;
    gm_ode_lanes_f64 lanes_f64[GM_ISA_COUNT];
    gm_ode_lanes_f32 lanes_f32[GM_ISA_COUNT];
} gm_system;

typedef struct gm_sde {
    int32_t version, noises, diagonal;
    const char *source; /* the diffusion's text */
    const gm_system *drift;
    gm_rhs_f64 diffusion_f64;
    gm_rhs_f32 diffusion_f32;
    gm_sde_lanes_f64 lanes_f64[GM_ISA_COUNT];
    gm_sde_lanes_f32 lanes_f32[GM_ISA_COUNT];
} gm_sde;

/*
 * Tries every path of a system at one point: the scalar function in double and float and each vector
 * path that this machine can run must agree, within rounding, and be finite.
 * y [in] (dim), p [in] (params). message [out] at least 256 bytes: the first entry that differs, or "".
 * Errors: INVALID_ARGUMENT (null, or a system of another version), NON_FINITE, INTERNAL (paths differ:
 * the body reads an unset variable or writes outside its arrays).
 */
gm_status gm_system_check(const gm_system *system, double t, const double *y, const double *p,
                          char *message);

/*
 * The Jacobian of a system by central differences, and where a user's own differs from it.
 * jacobian [in] (dim, dim) row-major, d dydt[i] / d y[j].
 * Errors: INVALID_ARGUMENT, NON_FINITE, NOT_CONVERGED with the wrong entry in message: |difference| is
 * over 1e-5 of the row's scale, about ten times the error of central differences in double.
 */
gm_status gm_system_check_jacobian(const gm_system *system, double t, const double *y, const double *p,
                                   const double *jacobian, char *message);

#ifdef __cplusplus
}
#endif

#ifndef GM_KERNEL_SYSTEMS
#define real double
#define GM_REAL(name) name##_f64
#include <genmath/detail/lanes.inc>
#undef real
#undef GM_REAL
#define real float
#define GM_REAL(name) name##_f32
#include <genmath/detail/lanes.inc>
#undef real
#undef GM_REAL
#include <genmath/detail/system_macros.h>
#endif

#endif
