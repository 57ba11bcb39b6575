/* GM_SYSTEM and GM_DIFFUSION_*: thin wrappers that hand a body to the steppers of lanes.inc. */
#ifndef GENMATH_DETAIL_SYSTEM_MACROS_H
#define GENMATH_DETAIL_SYSTEM_MACROS_H

#define GM_UNUSED __attribute__((unused))
/* Not inlined: whoever calls a scalar body, a lane of any instruction set too, gets the same bits. */
#define GM_CALLED __attribute__((noinline))

/* gcc lexes a literal by the option in force where it stands, so a body compiled in this bracket
 * sees float literals. clang has no such option; see system.h. */
#if defined(__GNUC__) && !defined(__clang__)
#define GM_FLOAT_LITERALS_BEGIN \
    _Pragma("GCC push_options") _Pragma("GCC optimize(\"single-precision-constant\")")
#define GM_FLOAT_LITERALS_END _Pragma("GCC pop_options")
/* The reference must not contract a * b + c, whatever the user's flags say. */
#define GM_NO_CONTRACTION __attribute__((optimize("fp-contract=off")))
#else
#define GM_FLOAT_LITERALS_BEGIN    \
    _Pragma("clang diagnostic push") \
    _Pragma("clang diagnostic ignored \"-Wimplicit-float-conversion\"")
#define GM_FLOAT_LITERALS_END _Pragma("clang diagnostic pop")
#define GM_NO_CONTRACTION
#endif

/* A body as a function in one precision; out is dydt or g, reach the last parameter, if any. */
#define GM_BODY(qualifiers, contract, function, precision, out, reach, ...)                        \
    qualifiers void function(GM_UNUSED precision t, GM_UNUSED const precision *y,                  \
                             GM_UNUSED const precision *p, precision *out reach) {                 \
        contract typedef precision real GM_UNUSED;                                                 \
        __VA_ARGS__                                                                                \
    }

/* What makes gm_sin and gm_cos those of a lane; see detail/trig.h. */
#define GM_LANE_REACH , GM_UNUSED gm_reach *gm_lane_reach

/* The scalar body in the place of a lane's: gm_sin and gm_cos have their whole range in it. It is
 * compiled without a vector unit, and in double without contraction. */
#define GM_WIDE_BODY(function, scalar, precision)                                                  \
    GM_INLINE void function(precision t, const precision *y, const precision *p, precision *out,   \
                            GM_UNUSED gm_reach *reach) {                                           \
        scalar(t, y, p, out);                                                                      \
    }

/* For the lanes an inlined function in each precision, for the reference one that is called. */
#define GM_BODIES(lanes, scalar, out, ...)                                                         \
    GM_BODY(GM_INLINE, GM_CONTRACT_FAST, lanes##_f64, double, out, GM_LANE_REACH, __VA_ARGS__)     \
    GM_BODY(GM_NO_CONTRACTION GM_CALLED static, , scalar##_f64, double, out, , __VA_ARGS__)        \
    GM_WIDE_BODY(lanes##_wide_f64, scalar##_f64, double)                                           \
    GM_FLOAT_LITERALS_BEGIN                                                                        \
    GM_BODY(GM_INLINE, GM_CONTRACT_FAST, lanes##_f32, float, out, GM_LANE_REACH, __VA_ARGS__)      \
    GM_BODY(GM_CALLED static, , scalar##_f32, float, out, , __VA_ARGS__)                           \
    GM_WIDE_BODY(lanes##_wide_f32, scalar##_f32, float)                                            \
    GM_FLOAT_LITERALS_END

#define GM_ODE_LANES(name, dim, nparams, suffix, precision, isa, target)                           \
    target static void name##_rhs_##suffix##_##isa(const precision *t, const precision *y,         \
                                                   const precision *p, precision *k) {             \
        gm_lanes_rhs_##suffix(name##_body_##suffix, name##_body_wide_##suffix, dim, nparams, t, y, \
                              p, k);                                                               \
    }                                                                                              \
    target static void name##_rk4_##suffix##_##isa(double t0, double h, int64_t first,             \
                                                   int64_t steps, precision *y,                    \
                                                   const precision *p) {                           \
        gm_lanes_rk4_##suffix(name##_body_##suffix, name##_body_wide_##suffix, dim, nparams, t0,   \
                              h, first, steps, y, p);                                              \
    }                                                                                              \
    target static void name##_attempt_##suffix##_##isa(                                            \
        const gm_tableau_##suffix *tableau, const precision *t, const precision *h,                \
        const precision *y, const precision *p, precision *k, precision *y_new,                    \
        precision *error) {                                                                        \
        gm_lanes_attempt_##suffix(name##_body_##suffix, name##_body_wide_##suffix, dim, nparams,   \
                                  tableau, t, h, y, p, k, y_new, error);                           \
    }
#define GM_ODE_LANES_ENTRY(name, suffix, isa)                                                      \
    {name##_rhs_##suffix##_##isa, name##_rk4_##suffix##_##isa, name##_attempt_##suffix##_##isa}

#define GM_SDE_LANES(name, dim, nparams, noises, diagonal, suffix, precision, isa, target)         \
    target static void name##_em_##suffix##_##isa(double t0, double h, int64_t first,              \
                                                  int64_t steps, precision *y,                     \
                                                  const precision *p, const precision *z) {        \
        gm_lanes_euler_maruyama_##suffix(name##_body_##suffix, name##_noise_##suffix,              \
                                         name##_body_wide_##suffix, name##_noise_wide_##suffix,    \
                                         dim, nparams, noises, diagonal, t0, h, first, steps, y,   \
                                         p, z);                                                    \
    }
#define GM_SDE_LANES_ENTRY(name, suffix, isa) {name##_em_##suffix##_##isa}

/* The clones of each instruction set, and their table. */
#if GM_HAVE_X86_TARGETS
#define GM_EACH_ISA(emit, name, ...)                  \
    emit(name, __VA_ARGS__, base, GM_TARGET_BASE)     \
    emit(name, __VA_ARGS__, avx2, GM_TARGET_AVX2)     \
    emit(name, __VA_ARGS__, avx512, GM_TARGET_AVX512)
#define GM_ISA_TABLE(entry, name, suffix) \
    {entry(name, suffix, base), entry(name, suffix, avx2), entry(name, suffix, avx512)}
#else
#define GM_EACH_ISA(emit, name, ...) emit(name, __VA_ARGS__, base, GM_TARGET_BASE)
#define GM_ISA_TABLE(entry, name, suffix) {entry(name, suffix, base)}
#endif

#define GM_SYSTEM(name, dim, nparams, ...)                                                         \
    GM_BODIES(name##_body, name##_rhs, dydt, __VA_ARGS__)                                          \
    GM_EACH_ISA(GM_ODE_LANES, name, dim, nparams, f64, double)                                     \
    GM_EACH_ISA(GM_ODE_LANES, name, dim, nparams, f32, float)                                      \
    GM_UNUSED static const gm_system name = {GM_SYSTEM_VERSION,                                    \
                                             dim,                                                  \
                                             nparams,                                              \
                                             #name,                                                \
                                             #__VA_ARGS__,                                         \
                                             name##_rhs_f64,                                       \
                                             name##_rhs_f32,                                       \
                                             GM_ISA_TABLE(GM_ODE_LANES_ENTRY, name, f64),          \
                                             GM_ISA_TABLE(GM_ODE_LANES_ENTRY, name, f32)};

/* text is made where the body is still an argument of the user's: one macro further in, gm_sqrt and its
 * like would have become what they stand for in C, which no GPU compiler reads. */
#define GM_DIFFUSION(name, dim, nparams, noises, diagonal, text, ...)                              \
    GM_BODIES(name##_noise, name##_diffusion, g, __VA_ARGS__)                                      \
    GM_EACH_ISA(GM_SDE_LANES, name, dim, nparams, noises, diagonal, f64, double)                   \
    GM_EACH_ISA(GM_SDE_LANES, name, dim, nparams, noises, diagonal, f32, float)                    \
    GM_UNUSED static const gm_sde name##_sde = {GM_SYSTEM_VERSION,                                 \
                                                noises,                                            \
                                                diagonal,                                          \
                                                text,                                              \
                                                &name,                                             \
                                                name##_diffusion_f64,                              \
                                                name##_diffusion_f32,                              \
                                                GM_ISA_TABLE(GM_SDE_LANES_ENTRY, name, f64),       \
                                                GM_ISA_TABLE(GM_SDE_LANES_ENTRY, name, f32)};

#define GM_DIFFUSION_DIAGONAL(name, dim, nparams, ...) \
    GM_DIFFUSION(name, dim, nparams, dim, 1, #__VA_ARGS__, __VA_ARGS__)
#define GM_DIFFUSION_MATRIX(name, dim, nparams, noises, ...) \
    GM_DIFFUSION(name, dim, nparams, noises, 0, #__VA_ARGS__, __VA_ARGS__)

#endif
