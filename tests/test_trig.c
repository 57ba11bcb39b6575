/*
 * sin and cos of large arguments (include/genmath/detail/trig.h): their errors, and ensembles in
 * which some trajectories meet such arguments and their neighbours do not.
 */
#include "tests/ensemble.h"

/* ---- the functions --------------------------------------------------------------------------- */

/* In units of the last of `digits` binary places of exact. */
static double error_in_ulp(double got, long double exact, int digits) {
    return (double)ldexpl(fabsl((long double)got - exact), digits - 1 - ilogbl(exact));
}

/* Claim: at the arguments closest to a multiple of pi/2, at powers of two and at the ends of the
 * range, of either sign, the errors are as math.h states them. */
static void errors_are_as_stated(void **state) {
    (void)state;
    FILE *file = open_data("trig_exact.txt");
    char label[64];
    double row[40], worst[4] = {0};
    int rows = 0;
    for (; next_row(file, label, row, 40) >= 0; ++rows) {
        const double x = row[0];
        for (int sign = -1; sign <= 1; sign += 2) {
            double errors[4] = {0};
            if (strcmp(label, "f32") == 0) {
                errors[0] = error_in_ulp(gm_sin_f32((float)(sign * x)), sign * row[1], 24);
                errors[1] = error_in_ulp(gm_cos_f32((float)(sign * x)), row[2], 24);
            } else if (strcmp(label, "f64") == 0) {
                const long double s = (long double)row[1] + row[2],
                                  c = (long double)row[3] + row[4];
                errors[2] = error_in_ulp(gm_sin_f64(sign * x), sign * s, 53);
                errors[3] = error_in_ulp(gm_cos_f64(sign * x), c, 53);
            }
            for (int i = 0; i < 4; ++i) {
                static const double stated[] = {1.67, 1.81, 1.16, 1.16};
                if (!(errors[i] <= stated[i])) {
                    fail_msg("%s of %s%a: off by %.4f ulp", i % 2 == 0 ? "sin" : "cos",
                             sign < 0 ? "-" : "", x, errors[i]);
                }
                worst[i] = fmax(worst[i], errors[i]);
            }
        }
    }
    fclose(file);
    assert_true(rows > 150);
    print_message("float sin %.4f, cos %.4f ulp; double sin %.4f, cos %.4f ulp\n", worst[0],
                  worst[1], worst[2], worst[3]);
    assert_true(isnan(gm_sin_f32(INFINITY)) && isnan(gm_cos_f32(-INFINITY)));
    assert_true(isnan(gm_sin_f64(-INFINITY)) && isnan(gm_cos_f64(INFINITY)));
    assert_true(isnan(gm_sin_f32(NAN)) && isnan(gm_cos_f64(NAN)));
}

/* Claim: every window of 64 bits is that of 2/pi as another program has it. */
static void bits_of_two_over_pi(void **state) {
    (void)state;
    enum { WORDS = 38 };
    FILE *file = open_data("trig_exact.txt");
    char label[64];
    double words[WORDS];
    assert_int_equal(next_row(file, label, words, WORDS), WORDS);
    assert_string_equal(label, "two_over_pi");
    fclose(file);
    for (uint32_t first = 0; first < WORDS * 32; ++first) {
        uint64_t expected = 0;
        for (uint32_t bit = first; bit < first + 64; ++bit) {
            const uint32_t at = bit - 64; /* 64 zeros come before the point */
            const uint32_t word = bit < 64 ? 0 : (uint32_t)words[at / 32];
            expected = expected << 1 | (word >> (31 - at % 32) & 1u);
        }
        assert_true(gm_two_over_pi(first) == expected);
    }
}

/* ---- lanes ----------------------------------------------------------------------------------- */

GM_SYSTEM(both, 2, 0, {
    dydt[0] = gm_sin(y[0]);
    dydt[1] = gm_cos(y[1]);
})

/* A small number in every second lane; in the others any bits, or a number at the limit. */
static double any_argument(uint64_t *random, int lane, bool is_double) {
    const uint64_t bits = next_random(random);
    if (lane % 2 == 0) {
        return (double)(bits % 2001) / 100 - 10;
    }
    if (lane % 8 == 1) {
        const double limit = is_double ? GM_TRIG_LIMIT_F64 : (double)GM_TRIG_LIMIT_F32;
        const double unit = 2 * limit * unit_of(is_double ? GM_F64 : GM_F32);
        return (bits >> 63 ? limit : -limit) + unit * (double)(bits % 3) - unit;
    }
    return is_double ? gm_from_bits_f64(bits) : (double)gm_from_bits_f32((uint32_t)(bits >> 32));
}

static void assert_same(const char *what, int isa, int lane, double got, double expected) {
    if (!(got == expected || (isnan(got) && isnan(expected)))) {
        fail_msg("%s, isa %d, lane %d: %a, not %a", what, isa, lane, got, expected);
    }
}

/* Claim: a lane gives the bits of the function, on every instruction set, whatever the argument. */
static void lanes_give_the_bits_of_the_function(void **state) {
    (void)state;
    static double t[GM_LANES_F64], y[2 * GM_LANES_F64], k[2 * GM_LANES_F64];
    static float t_f32[GM_LANES_F32], y_f32[2 * GM_LANES_F32], k_f32[2 * GM_LANES_F32];
    uint64_t random = 3;
    for (int isa = GM_ISA_BASE; isa <= GM_ISA_AVX512; ++isa) {
        gm_context *context;
        const gm_context_options o = {.backend = GM_BACKEND_CPU, .isa = (gm_isa)isa};
        if (gm_context_create(&o, &context) != GM_STATUS_OK) {
            print_message("skip: %s\n", gm_last_error(NULL));
            continue;
        }
        gm_context_destroy(context);
        for (int round = 0; round < 200; ++round) {
            for (int at = 0; at < 2 * GM_LANES_F64; ++at) {
                y[at] = any_argument(&random, at, true);
            }
            for (int at = 0; at < 2 * GM_LANES_F32; ++at) {
                y_f32[at] = (float)any_argument(&random, at, false);
            }
            both.lanes_f64[isa - 1].rhs(t, y, NULL, k);
            both.lanes_f32[isa - 1].rhs(t_f32, y_f32, NULL, k_f32);
            for (int lane = 0; lane < GM_LANES_F64; ++lane) {
                const int other = lane + GM_LANES_F64;
                assert_same("sin, double", isa, lane, k[lane], gm_sin_f64(y[lane]));
                assert_same("cos, double", isa, lane, k[other], gm_cos_f64(y[other]));
            }
            for (int lane = 0; lane < GM_LANES_F32; ++lane) {
                const int other = lane + GM_LANES_F32;
                assert_same("sin, float", isa, lane, k_f32[lane], gm_sin_f32(y_f32[lane]));
                assert_same("cos, float", isa, lane, k_f32[other], gm_cos_f32(y_f32[other]));
            }
        }
    }
}

/* ---- ensembles ------------------------------------------------------------------------------- */

/*
 * The argument of the sine is p[0] up to t = 1/2, the power of two p[1] times t from there on:
 * exact on every backend, and past the limit in the middle of the integration. The scalar body
 * rounds its products and the lanes' do not, which shows where a lane has taken one for the other.
 */
GM_SYSTEM(swung, 2, 3, {
    dydt[0] = gm_sin(t > (real)0.5 ? p[1] * t : p[0]) - (real)0.7 * y[0];
    dydt[1] = gm_cos(p[2]) + (real)0.3 * y[0];
})
GM_DIFFUSION_DIAGONAL(swung, 2, 3, {
    g[0] = gm_cos(p[2]);
    g[1] = 1 + gm_sin(t > (real)0.5 ? p[1] * t : p[0]);
})
/* For pairs, whose times are not exact: p[0] is sin(p[1]), so that nothing jumps. */
GM_SYSTEM(driven, 2, 3, {
    dydt[0] = (t > (real)0.5 ? gm_sin(p[1]) : p[0]) - (real)0.7 * y[0];
    dydt[1] = gm_cos(p[2]) + (real)0.3 * y[0];
})

enum { N = 200 }; /* more than one block of lanes in either precision */

/* Whether trajectory i meets large arguments in the run that has any. */
static bool is_wide(int i) {
    return i % 7 == 3 || i == N - 1;
}

/* params of swung and driven: small ones, or from the limit up to the largest number in the wide
 * trajectories. */
static void set_params(double *params, gm_dtype dtype, bool wide) {
    const int low = dtype == GM_F64 ? 45 : 20, high = dtype == GM_F64 ? 1023 : 127;
    for (int i = 0; i < N; ++i) {
        const bool large = wide && is_wide(i);
        const int exponent = large ? i == N - 1 ? high : low + 1 + i % 23 : i % 3;
        params[N + i] = ldexp(1, exponent);
        params[2 * N + i] = ldexp(i % 2 == 0 ? 0.75 : 1.25, exponent);
        params[i] = dtype == GM_F64 ? sin(params[N + i]) : (double)(float)sin(params[N + i]);
    }
}

static outcome solve(const subject *s, int method, gm_dtype dtype, const double *y0,
                     const double *params) {
    if (method == 3) {
        const gm_sde_options o = {
            .dtype = dtype, .t1 = 1, .steps = 64, .seed = 11, .save_every = 16};
        return solve_sde(s, &swung_sde, &o, ENSEMBLE(N, y0, params));
    }
    static const gm_ode_method methods[] = {GM_ODE_RK4, GM_ODE_TSIT5, GM_ODE_DOPRI5};
    static const double saves[] = {0.25, 0.7, 0.9};
    const gm_ode_options o = {.dtype = dtype,
                              .method = methods[method],
                              .t1 = 1,
                              .steps = method == 0 ? 64 : 0,
                              .rtol = dtype == GM_F64 ? 1e-9 : 1e-5,
                              .save_times = saves,
                              .save_count = 3};
    return solve_ode(s, method == 0 ? &swung : &driven, &o, ENSEMBLE(N, y0, params));
}

/*
 * Claim: a trajectory that meets large arguments ends where the reference's does, and every other
 * has the bits of a run in which none meets any. 64 fixed steps round the state, below 4, to within
 * two units each; the pairs are off by ten times what they were asked for.
 */
static void wide_trajectories_are_right_and_disturb_no_other(void **state) {
    (void)state;
    double y0[2 * N], params[3 * N];
    for (int i = 0; i < 2 * N; ++i) {
        y0[i] = (i % 64) / 64.0;
    }
    for (int k = 0; k < 8; ++k) {
        const gm_dtype dtype = precisions[k % 2];
        const int method = k / 2;
        const double bound = method == 0 || method == 3 ? 64 * 2 * 4 * unit_of(dtype)
                             : dtype == GM_F64          ? 1e-8
                                                        : 1e-4;
        set_params(params, dtype, true);
        outcome exact = solve(&subjects[0], method, dtype, y0, params);
        assert_statuses(&exact, GM_STATUS_OK);
        FOR_EACH_SUBJECT(s) {
            set_params(params, dtype, true);
            outcome wide = solve(s, method, dtype, y0, params);
            assert_statuses(&wide, GM_STATUS_OK);
            ASSERT_NEAR(s, largest_difference(wide.end, exact.end, 2 * N), 0, bound);
            ASSERT_NEAR(s, largest_difference(wide.saved, exact.saved, exact.saves * 2 * N), 0,
                        bound);
            set_params(params, dtype, false);
            outcome none = solve(s, method, dtype, y0, params);
            for (int i = 0; i < N; ++i) {
                const bool differs = different_trajectories(&wide, i, &none, i, 1) != 0;
                if (differs != is_wide(i)) {
                    fail_msg("%s: method %d, dtype %d: trajectory %d", s->name, method, (int)dtype,
                             i);
                }
            }
            free_outcome(&wide);
            free_outcome(&none);
        }
        free_outcome(&exact);
    }
}

/* The library's own pendulum, whose kernel is compiled: at an angle so large that no step changes
 * it the velocity is -g sin(angle) t. */
static void a_pendulum_far_from_zero(void **state) {
    (void)state;
    const double y0[] = {0x1p60, 0x1p100, 1e22, 0, 0, 0}, params[] = {1, 1, 1, 0, 0, 0};
    FOR_EACH_SUBJECT(s) {
        for (int k = 0; k < 6; ++k) {
            const gm_ode_options o = {
                .dtype = precisions[k / 3],
                .method = (gm_ode_method[]){GM_ODE_RK4, GM_ODE_TSIT5, GM_ODE_DOPRI5}[k % 3],
                .t1 = 0.5,
                .steps = k % 3 == 0 ? 16 : 0,
                .rtol = 1e-4};
            outcome out = solve_ode(s, gm_system_builtin("pendulum"), &o, ENSEMBLE(3, y0, params));
            assert_statuses(&out, GM_STATUS_OK);
            for (int i = 0; i < 3; ++i) {
                const double angle = o.dtype == GM_F64 ? y0[i] : (double)(float)y0[i];
                assert_true(out.end[i] == angle);
                ASSERT_NEAR(s, out.end[3 + i], -0.5 * sin(angle), 40 * unit_of(o.dtype));
            }
            free_outcome(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(bits_of_two_over_pi),
        cmocka_unit_test(lanes_give_the_bits_of_the_function),
        cmocka_unit_test(wide_trajectories_are_right_and_disturb_no_other),
        cmocka_unit_test(a_pendulum_far_from_zero),
    };
    return cmocka_run_group_tests(tests, open_subjects, close_subjects);
}
