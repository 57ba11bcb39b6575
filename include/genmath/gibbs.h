/*
 * Gibbs sampling of continuous laws: a sampler written once, block of coordinates by block, and
 * many chains of it at once.
 *
 *     GM_GIBBS(normal_pair, 2, 1, 2, 1, 0, {
 *         next[block] = p[0] * y[1 - block] + gm_sqrt(1 - p[0] * p[0]) * z[0];
 *     })
 *
 * defines `static const gm_gibbs normal_pair`: dim 2, parameters 1, blocks 2, normals 1, uniforms
 * 0. The body is the update of block number `block`, 0 to blocks - 1: from the state y[], the
 * parameters p[], standard normals z[] and uniforms u[] in (0, 1), drawn anew for it, it writes the
 * block's coordinates into next[], which is a copy of y[] beforehand. Usually it is a draw from
 * their law given all others; it may be any update that leaves the chain's law as it is, such as a
 * Metropolis step that u[] decides (Metropolis within Gibbs):
 *
 *     const real to = y[0] + p[1] * z[0];
 *     next[0] = gm_log(u[0]) <= log_ratio ? to : y[0];
 *
 * The library does not ask which. As with GM_SYSTEM (system.h) there are then scalar functions in
 * double and float, the same for 64 or 128 chains at once for each instruction set, and the body's
 * text for a GPU; what system.h says of a body holds. `block` is a constant where the body is
 * compiled: `switch (block) { case 0: .. break; .. }` and next[block] cost nothing. To vectorise, a
 * body chooses between values, as above, without if or loops of unknown length; and GM_UNROLL
 * stands before a loop of over 16 turns.
 *
 * The noise of an update is fixed in number, and drawn whether the body reads it or not: a block
 * that needs less than the others is better made part of one of them, by updates one after the
 * other in one body. What is exact with a fixed number:
 *
 *     normal, Cauchy, logistic, ...    m + s z;  by inversion of the distribution function
 *     exponential, gamma of shape k    -log u;  -log(u_1 ... u_k), and half a z^2 more for k + 1/2
 *     normal between bounds            m + s gm_normal_between((a - m) / s, (b - m) / s, u)
 *     a choice of two, of several      u < q ? a : b;  a chain of such
 *     gamma, inverse gamma, chi^2      gm_gamma_step(g, shape, z, u): no draw, a step that leaves
 *       of any shape >= 1              the law as it is and forgets the past with probability 0.95
 *
 * These functions, gm_normal_cdf(x) and gm_probit(p), its inverse, are in detail/gibbs_math.h.
 */
#ifndef GENMATH_GIBBS_H
#define GENMATH_GIBBS_H

#include <genmath/density.h>
#include <genmath/detail/gibbs_math.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GM_MAX_GIBBS_BLOCKS 64
#define GM_MAX_GIBBS_NOISE 64 /* of either kind, of an update */

typedef void (*gm_gibbs_update_f64)(int32_t block, const double *y, const double *p,
                                    const double *z, const double *u, double *next);
typedef void (*gm_gibbs_update_f32)(int32_t block, const float *y, const float *p, const float *z,
                                    const float *u, float *next);

/* Rows of GM_LANES numbers, as in a system: y is dim rows, which the update changes where the
 * lane's entry of alive is all ones (else it is 0) and every new value is finite. Where one is not,
 * it makes the entry 0. */
typedef void (*gm_gibbs_lanes_f64)(int32_t block, double *y, const double *p, const double *z,
                                   const double *u, uint64_t *alive);
typedef void (*gm_gibbs_lanes_f32)(int32_t block, float *y, const float *p, const float *z,
                                   const float *u, uint32_t *alive);

typedef struct gm_gibbs {
    int32_t version, dim, params;      /* GM_SYSTEM_VERSION; 1 to 64; 0 to 64 */
    int32_t blocks, normals, uniforms; /* 1 to 64; 0 to 64 */
    const char *name;
    const char *source; /* the body's text */
    gm_gibbs_update_f64 update_f64;
    gm_gibbs_update_f32 update_f32;
    gm_gibbs_lanes_f64 lanes_f64[GM_ISA_COUNT];
    gm_gibbs_lanes_f32 lanes_f32[GM_ISA_COUNT];
} gm_gibbs;

/*
 * Tries every block of a sampler from one point with 64 sets of noise: the scalar functions in
 * double and float and each vector path that this machine can run must agree, within rounding, and
 * be finite. A decision by a uniform may fall otherwise in float for 4 of the 64.
 * y [in] (dim), p [in] (params). message [out] at least 256 bytes: the first entry that differs, or
 * "".
 * Errors: INVALID_ARGUMENT (null, or a sampler of another version), NON_FINITE, INTERNAL (paths
 * differ: the body reads an unset variable or writes outside of next).
 */
gm_status gm_gibbs_check(const gm_gibbs *gibbs, const double *y, const double *p, char *message);

/*
 * Whether a block's update is an exact draw from its law under a density, given the other
 * coordinates. Where the update makes m coordinates from m numbers of noise in a smooth way, as a
 * normal or an inversion does, the law of what it draws follows from the change of variables, and
 *
 *     log p(next) - log q(noise) + log |det d next / d noise|,   q the noise's own density,
 *
 * must be the same for any noise: it is compared for 16, the determinant by central differences.
 * y [in] (dim), p [in] (params, of both). message [out] at least 256 bytes: what is wrong, or "".
 * Errors: INVALID_ARGUMENT (null; other sizes than the density's; no such block), UNSUPPORTED (the
 * update depends on more or fewer numbers of noise than the coordinates that it changes, or on them
 * not smoothly: a decision, a gamma step), NON_FINITE, NOT_CONVERGED (it is no draw from that law:
 * the logarithms are apart by over 1e-5 (1 + their size)).
 */
gm_status gm_gibbs_check_conditional(const gm_gibbs *gibbs, const gm_density *density,
                                     int32_t block, const double *y, const double *p,
                                     char *message);

/*
 * A sampler compiled into the library for every backend: "normal_pair" (2 coordinates, 2 blocks;
 * correlation r: two standard normals, each drawn given the other), "coupled_well" (2, 2; height h,
 * coupling c, width w: log p = -h (y0^2 - 1)^2 - (y1 - c y0)^2 / 2; y0 by a Metropolis step of
 * width w, y1 drawn given y0). NULL for another name.
 */
const gm_gibbs *gm_gibbs_builtin(const char *name);

/* The names above, one by one; NULL past the last. */
const char *gm_gibbs_builtin_name(int32_t index);

/* A sweep has as many updates as there are blocks. */
typedef enum gm_gibbs_order {
    GM_GIBBS_SYSTEMATIC, /* each block once, by number */
    GM_GIBBS_RANDOM      /* each update is of a block drawn uniformly, the same for all chains */
} gm_gibbs_order;

typedef struct gm_gibbs_options {
    gm_dtype dtype; /* GM_F64 or GM_F32 */
    gm_gibbs_order order;
    int64_t sweeps;       /* of one call, >= 1 */
    int64_t thin;         /* 0: no draws; k: the states after sweeps k, 2k, ... of a call */
    uint64_t seed;        /* the key of the noise */
    uint64_t first_index; /* of chain 0 among the chains this call has a slice of */
    const double *check;  /* NULL, or a state and then the parameters, in host memory: the plan
                           * tries the sampler there first, see gm_gibbs_check */
} gm_gibbs_options;

typedef struct gm_gibbs_plan gm_gibbs_plan;

/*
 * The sampler must outlive the plan. On a GPU a user's sampler is compiled here.
 * Errors: INVALID_ARGUMENT (also a sampler that fails the check), UNSUPPORTED, OUT_OF_MEMORY,
 * COMPILE_ERROR. *plan is NULL then.
 */
gm_status gm_gibbs_plan_create(gm_context *context, const gm_gibbs *gibbs,
                               const gm_gibbs_options *options, gm_gibbs_plan **plan);
void gm_gibbs_plan_destroy(gm_gibbs_plan *plan); /* NULL is fine */

/* n chains. Any strides, 0 too, so that chains can share parameters. */
typedef struct gm_gibbs_input {
    const gm_tensor *state;  /* (dim, n): where the chains are */
    const gm_tensor *params; /* (params, n); NULL for a sampler without */
} gm_gibbs_input;

/* Each may be NULL: not wanted. A mean is over the sweeps of this call that a chain completed. */
typedef struct gm_gibbs_result {
    const gm_tensor *state;    /* (dim, n): after the last sweep */
    const gm_tensor *draws;    /* (sweeps / thin, dim, n); NaN past a failure */
    const gm_tensor *mean;     /* (dim, n): of the states after each sweep; NaN if there is none */
    const gm_tensor *variance; /* (dim, n): mean square of their distance from it */
    const gm_tensor *status;   /* (n), I32: OK or NON_FINITE */
} gm_gibbs_result;

/*
 * Sweeps of every chain, as many as the options say, the first with number first_sweep: a run is
 * continued, to the bit, by a call from its state with first_sweep + sweeps (0 <= first_sweep,
 * first_sweep + sweeps <= 2^40). result->state may be input->state itself; no other two arrays may
 * overlap.
 *
 * The noise of update u in sweep k of chain i is a pure function of (seed, first_index + i, k, u),
 * see detail/gibbs_noise.h: results do not depend on the number of chains, threads, blocks of a
 * grid, or into how many calls a run is cut. The streams are those of mcmc.h: chains that change
 * between the two take another seed for each.
 *
 * A chain that starts at a state that is not finite, or an update of which makes a value that is
 * not, ends there with NON_FINITE, its state the one before that update. Others are not touched.
 *
 * Errors: INVALID_ARGUMENT, SHAPE_MISMATCH, UNSUPPORTED. On an error nothing is written.
 * Determinism: equal bits for any number of threads and any batch. A body's own expressions are
 * rounded as each compiler does; a body that compares decides alike on all backends but where they
 * differ by rounding. Cost per update and chain: the body, `normals` normals, `uniforms` uniforms.
 * Allocates nothing.
 */
gm_status gm_gibbs_run(const gm_gibbs_plan *plan, int64_t first_sweep, const gm_gibbs_input *input,
                       const gm_gibbs_result *result);

#ifdef __cplusplus
}
#endif

#ifndef GM_KERNEL_SYSTEMS
#define GM_GIBBS_LANES_OF(type) ((int)(512 / sizeof(type)))

/* All ones where a number is not finite, without a comparison: of one gcc makes a branch where it
 * knows what a body's choice leads to, and then does not vectorise the body. */
GM_INLINE uint64_t gm_gibbs_spoilt_f64(double x) {
    return 0 - (((gm_bits_f64(x) >> 52 & 0x7ffu) + 1) >> 11);
}

GM_INLINE uint32_t gm_gibbs_spoilt_f32(float x) {
    return 0 - (((gm_bits_f32(x) >> 23 & 0xffu) + 1) >> 8);
}

#define real double
#define GM_REAL(name) name##_f64
#include <genmath/detail/gibbs_lanes.inc>
#undef real
#undef GM_REAL
#define real float
#define GM_REAL(name) name##_f32
#include <genmath/detail/gibbs_lanes.inc>
#undef real
#undef GM_REAL

/* A body as a function in one precision; reach is the last parameter, if any: see system_macros.h.
 */
#define GM_GIBBS_BODY(qualifiers, contract, function, precision, reach, ...)                       \
    qualifiers void function(GM_UNUSED const int32_t block, GM_UNUSED const precision *y,          \
                             GM_UNUSED const precision *p, GM_UNUSED const precision *z,           \
                             GM_UNUSED const precision *u, precision *next reach) {                \
        contract typedef precision real GM_UNUSED;                                                 \
        __VA_ARGS__                                                                                \
    }
#define GM_GIBBS_WIDE(function, scalar, precision)                                                 \
    GM_INLINE void function(const int32_t block, const precision *y, const precision *p,           \
                            const precision *z, const precision *u, precision *next,               \
                            GM_UNUSED gm_reach *reach) {                                           \
        scalar(block, y, p, z, u, next);                                                           \
    }

/* A loop over lanes for each block of coordinates, which is a constant in it: what makes an index
 * that is computed from it one, too. */
#define GM_GIBBS_CASE(k, name, dim, nparams, blocks, normals, uniforms, suffix)                    \
    case k:                                                                                        \
        if ((k) < (blocks)) {                                                                      \
            gm_lanes_gibbs_##suffix(name##_gibbs_##suffix, name##_gibbs_wide_##suffix, dim,        \
                                    nparams, normals, uniforms, k, y, p, z, u, alive);             \
        }                                                                                          \
        break;
#define GM_GIBBS_4_CASES(k, ...)                                                                   \
    GM_GIBBS_CASE((k), __VA_ARGS__)                                                                \
    GM_GIBBS_CASE((k) + 1, __VA_ARGS__)                                                            \
    GM_GIBBS_CASE((k) + 2, __VA_ARGS__)                                                            \
    GM_GIBBS_CASE((k) + 3, __VA_ARGS__)
#define GM_GIBBS_16_CASES(k, ...)                                                                  \
    GM_GIBBS_4_CASES((k), __VA_ARGS__)                                                             \
    GM_GIBBS_4_CASES((k) + 4, __VA_ARGS__)                                                         \
    GM_GIBBS_4_CASES((k) + 8, __VA_ARGS__)                                                         \
    GM_GIBBS_4_CASES((k) + 12, __VA_ARGS__)

/*
 * Compiled without the user's -fno-trapping-math the body is not vectorised, and a function without
 * a floating-point expression of its own gives up that option for its callees': `own` is one.
 */
#define GM_GIBBS_LANES(name, dim, nparams, blocks, normals, uniforms, suffix, precision, mask,     \
                       isa, target)                                                                \
    target GM_CALLED static void name##_gibbs_##suffix##_##isa(                                    \
        int32_t block, precision *y, const precision *p, const precision *z, const precision *u,   \
        mask *alive) {                                                                             \
        GM_UNUSED const precision own = y[0] * 2;                                                  \
        switch (block) {                                                                           \
            GM_GIBBS_16_CASES(0, name, dim, nparams, blocks, normals, uniforms, suffix)            \
            GM_GIBBS_16_CASES(16, name, dim, nparams, blocks, normals, uniforms, suffix)           \
            GM_GIBBS_16_CASES(32, name, dim, nparams, blocks, normals, uniforms, suffix)           \
            GM_GIBBS_16_CASES(48, name, dim, nparams, blocks, normals, uniforms, suffix)           \
        default:                                                                                   \
            break;                                                                                 \
        }                                                                                          \
    }
#define GM_GIBBS_LANES_ENTRY(name, suffix, isa) name##_gibbs_##suffix##_##isa

#define GM_GIBBS(name, dim, nparams, blocks, normals, uniforms, ...)                               \
    GM_GIBBS_BODY(GM_INLINE, GM_CONTRACT_FAST, name##_gibbs_f64, double, GM_LANE_REACH,            \
                  __VA_ARGS__)                                                                     \
    GM_GIBBS_BODY(GM_NO_CONTRACTION GM_CALLED static, , name##_update_f64, double, , __VA_ARGS__)  \
    GM_GIBBS_WIDE(name##_gibbs_wide_f64, name##_update_f64, double)                                \
    GM_FLOAT_LITERALS_BEGIN                                                                        \
    GM_GIBBS_BODY(GM_INLINE, GM_CONTRACT_FAST, name##_gibbs_f32, float, GM_LANE_REACH,             \
                  __VA_ARGS__)                                                                     \
    GM_GIBBS_BODY(GM_CALLED static, , name##_update_f32, float, , __VA_ARGS__)                     \
    GM_GIBBS_WIDE(name##_gibbs_wide_f32, name##_update_f32, float)                                 \
    GM_FLOAT_LITERALS_END                                                                          \
    GM_EACH_ISA(GM_GIBBS_LANES, name, dim, nparams, blocks, normals, uniforms, f64, double,        \
                uint64_t)                                                                          \
    GM_EACH_ISA(GM_GIBBS_LANES, name, dim, nparams, blocks, normals, uniforms, f32, float,         \
                uint32_t)                                                                          \
    GM_UNUSED static const gm_gibbs name = {GM_SYSTEM_VERSION,                                     \
                                            dim,                                                   \
                                            nparams,                                               \
                                            blocks,                                                \
                                            normals,                                               \
                                            uniforms,                                              \
                                            #name,                                                 \
                                            #__VA_ARGS__,                                          \
                                            name##_update_f64,                                     \
                                            name##_update_f32,                                     \
                                            GM_ISA_TABLE(GM_GIBBS_LANES_ENTRY, name, f64),         \
                                            GM_ISA_TABLE(GM_GIBBS_LANES_ENTRY, name, f32)};
#endif

#endif
