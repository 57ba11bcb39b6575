/*
 * genmath/system.h: the functions that GM_SYSTEM and GM_DIFFUSION_* make, the checks of what a user
 * wrote, and the systems compiled into the library.
 */
#include "tests/ensemble.h"

/* ---- what the macros make -------------------------------------------------------------------- */

/* Tenths, which float and double round differently, and a call of every function of math.h. */
GM_SYSTEM(many, 3, 2, {
    const real a = y[0] * 0.1 + p[1];
    dydt[0] = gm_exp(-a * a) + gm_sin(t) * gm_cos(y[1]);
    dydt[1] = gm_tanh(a) - gm_log(2 + y[2] * y[2]);
    for (int i = 0; i < 2; ++i) {
        dydt[1] += p[i] * y[i];
    }
    dydt[2] = gm_sqrt(1 + y[0] * y[0]) - gm_pow(2 + gm_sin(y[2]), p[0]);
})
GM_DIFFUSION_MATRIX(many, 3, 2, 2, {
    g[0] = gm_sqrt(p[0]);
    g[1] = g[2] = 0;
    g[3] = gm_exp(y[0]);
    g[4] = t;
    g[5] = 0.5;
})

static void the_macros_keep_what_they_were_given(void **state) {
    (void)state;
    assert_int_equal(many.version, GM_SYSTEM_VERSION);
    assert_true(many.dim == 3 && many.params == 2 && strcmp(many.name, "many") == 0);
    assert_true(many_sde.noises == 2 && many_sde.diagonal == 0 && many_sde.drift == &many);
    const double y[] = {0.3, -0.7, 1.1}, p[] = {1.5, 0.25}, t = 0.4;
    double k[3], g[6], a = y[0] * 0.1 + p[1];
    many.rhs_f64(t, y, p, k);
    many_sde.diffusion_f64(t, y, p, g);
    assert_true(fabs(k[0] - (exp(-a * a) + sin(t) * cos(y[1]))) < 1e-15);
    assert_true(fabs(k[1] - (tanh(a) - log(2 + y[2] * y[2]) + p[0] * y[0] + p[1] * y[1])) < 1e-15);
    assert_true(fabs(k[2] - (sqrt(1 + y[0] * y[0]) - pow(2 + sin(y[2]), p[0]))) < 1e-14);
    assert_true(g[3] == gm_exp_f64(y[0]) && g[5] == 0.5 && fabs(g[0] - sqrt(1.5)) < 1e-15);
}

/* A GPU compiler gets the text that the user wrote: no macro of C in it is replaced. */
static void the_text_is_what_the_user_wrote(void **state) {
    (void)state;
    assert_non_null(strstr(many.source, "gm_exp(-a * a)"));
    assert_non_null(strstr(many_sde.source, "gm_sqrt(p[0])"));
    assert_null(strstr(many.source, "_Generic"));
    assert_null(strstr(many_sde.source, "_Generic"));
    for (int i = 0; gm_sde_builtin_name(i) != NULL; ++i) {
        assert_null(strstr(gm_sde_builtin(gm_sde_builtin_name(i))->source, "_Generic"));
    }
}

/* ---- the check of a system ------------------------------------------------------------------- */

static void good_systems_pass(void **state) {
    (void)state;
    char message[256];
    uint64_t random = 1;
    for (int i = -1; i < 0 || gm_system_builtin_name(i) != NULL; ++i) {
        const gm_system *system = i < 0 ? &many : gm_system_builtin(gm_system_builtin_name(i));
        for (int k = 0; k < 20; ++k) {
            double *y = random_row(&random, system->dim, -2, 2),
                   *p = random_row(&random, system->params, 0.1, 3);
            message[0] = 'x';
            assert_int_equal(gm_system_check(system, 0.3, y, p, message), GM_STATUS_OK);
            assert_string_equal(message, "");
            free(y);
            free(p);
        }
    }
}

GM_SYSTEM(infinite, 2, 0, {
    dydt[0] = 1;
    dydt[1] = 1 / y[0];
})

static void silent_body(double t, const double *y, const double *p, double *dydt) {
    (void)t;
    (void)p;
    dydt[0] = y[1]; /* and nothing to dydt[1] */
}

static void other_body(float t, const float *y, const float *p, float *dydt) {
    (void)t;
    (void)p;
    dydt[0] = y[1];
    dydt[1] = y[0] + 0.01f;
}

static void bad_lanes(const double *t, const double *y, const double *p, double *k) {
    (void)t;
    (void)p;
    for (int at = 0; at < 2 * GM_LANES_F64; ++at) {
        k[at] = y[at];
    }
}

/* What a body can get wrong, and the entry that the message names: infinity, an entry never
 * written, paths that disagree (stand-ins replace what GM_SYSTEM made, as no valid body can make
 * them differ). */
static void bad_systems_are_named(void **state) {
    (void)state;
    char message[256];
    const double zero[] = {0, 1}, one[] = {1, 0.5}, p[] = {1, 0};
    assert_int_equal(gm_system_check(&infinite, 0, zero, NULL, message), GM_STATUS_NON_FINITE);
    assert_non_null(strstr(message, "dydt[1] = inf"));
    gm_system bad = *gm_system_builtin("oscillator");
    bad.rhs_f64 = silent_body;
    assert_int_equal(gm_system_check(&bad, 0, one, p, message), GM_STATUS_NON_FINITE);
    assert_non_null(strstr(message, "dydt[1] = nan"));
    bad = *gm_system_builtin("oscillator");
    bad.rhs_f32 = other_body;
    assert_int_equal(gm_system_check(&bad, 0, one, p, message), GM_STATUS_INTERNAL);
    assert_non_null(strstr(message, "dydt[1]"));
    assert_non_null(strstr(message, "float"));
    for (int isa = 0; isa < GM_ISA_COUNT; ++isa) {
        bad = *gm_system_builtin("oscillator");
        bad.lanes_f64[isa].rhs = bad_lanes;
        const gm_context_options o = {.backend = GM_BACKEND_CPU, .isa = (gm_isa)(isa + 1)};
        gm_context *context;
        if (gm_context_create(&o, &context) != GM_STATUS_OK) {
            print_message("skip: %s\n", gm_last_error(NULL));
            continue;
        }
        gm_context_destroy(context);
        assert_int_equal(gm_system_check(&bad, 0, one, p, message), GM_STATUS_INTERNAL);
        assert_non_null(strstr(message, gm_isa_name((gm_isa)(isa + 1))));
        assert_non_null(strstr(message, "dydt[0]"));
    }
}

static void arguments_of_the_checks(void **state) {
    (void)state;
    const gm_system *system = gm_system_builtin("oscillator");
    const double y[] = {1, 0}, p[] = {1, 1}, jacobian[4] = {0, 1, -1, -1};
    char message[256];
    gm_system old = *system;
    old.version -= 1;
    ASSERT_FAILS(NULL, gm_system_check(NULL, 0, y, p, message), GM_STATUS_INVALID_ARGUMENT,
                 "system is NULL");
    ASSERT_FAILS(NULL, gm_system_check(&old, 0, y, p, message), GM_STATUS_INVALID_ARGUMENT,
                 "version");
    ASSERT_FAILS(NULL, gm_system_check(system, 0, NULL, p, message), GM_STATUS_INVALID_ARGUMENT,
                 "y is NULL");
    ASSERT_FAILS(NULL, gm_system_check(system, 0, y, NULL, message), GM_STATUS_INVALID_ARGUMENT,
                 "p is NULL");
    ASSERT_FAILS(NULL, gm_system_check(system, 0, y, p, NULL), GM_STATUS_INVALID_ARGUMENT,
                 "message is NULL");
    ASSERT_FAILS(NULL, gm_system_check_jacobian(system, 0, y, p, NULL, message),
                 GM_STATUS_INVALID_ARGUMENT, "jacobian is NULL");
    ASSERT_FAILS(NULL, gm_system_check_jacobian(system, 0, y, p, jacobian, NULL),
                 GM_STATUS_INVALID_ARGUMENT, "message is NULL");
    ASSERT_FAILS(NULL, gm_system_check_jacobian(NULL, 0, y, p, jacobian, message),
                 GM_STATUS_INVALID_ARGUMENT, "system is NULL");
}

/* The right Jacobian of Lorenz passes at random points; one entry off by 1e-3 of its row is named.
 */
static void one_wrong_entry_of_a_jacobian_is_named(void **state) {
    (void)state;
    const double p[] = {10, 28, 8.0 / 3};
    uint64_t random = 2;
    char message[256], name[32];
    for (int k = 0; k < 9; ++k) {
        double *y = random_row(&random, 3, -20, 20);
        double jacobian[9] = {-p[0], p[0], 0, p[1] - y[2], -1, -y[0], y[1], y[0], -p[2]};
        assert_int_equal(
            gm_system_check_jacobian(gm_system_builtin("lorenz"), 0, y, p, jacobian, message),
            GM_STATUS_OK);
        assert_string_equal(message, "");
        double k_at[3], scale = 1 + fabs(jacobian[k]);
        gm_system_builtin("lorenz")->rhs_f64(0, y, p, k_at);
        scale += 2 * fabs(k_at[k / 3]);
        jacobian[k] += (k % 2 == 0 ? 1e-3 : -1e-3) * scale;
        assert_int_equal(
            gm_system_check_jacobian(gm_system_builtin("lorenz"), 0, y, p, jacobian, message),
            GM_STATUS_NOT_CONVERGED);
        snprintf(name, sizeof name, "jacobian[%d][%d]", k / 3, k % 3);
        assert_non_null(strstr(message, name));
        jacobian[k] = NAN;
        assert_int_equal(
            gm_system_check_jacobian(gm_system_builtin("lorenz"), 0, y, p, jacobian, message),
            GM_STATUS_NOT_CONVERGED);
        free(y);
    }
}

/* ---- what the library brings along ----------------------------------------------------------- */

static void builtins_are_found_by_name(void **state) {
    (void)state;
    const char *const names[] = {"lorenz",     "pendulum",    "double_well",   "spiral",
                                 "oscillator", "van_der_pol", "lotka_volterra"};
    const int dims[] = {3, 2, 2, 2, 2, 2, 2}, params[] = {3, 2, 1, 2, 2, 1, 4};
    const char *const sde_names[] = {"gbm", "ou", "double_well_langevin", "brownian", "heston"};
    const int noises[] = {1, 1, 1, 1, 2};
    for (int i = 0; i < COUNT(names); ++i) {
        assert_string_equal(gm_system_builtin_name(i), names[i]);
        const gm_system *system = gm_system_builtin(names[i]);
        assert_non_null(system);
        assert_true(system->dim == dims[i] && system->params == params[i]);
    }
    for (int i = 0; i < COUNT(sde_names); ++i) {
        assert_string_equal(gm_sde_builtin_name(i), sde_names[i]);
        assert_int_equal(gm_sde_builtin(sde_names[i])->noises, noises[i]);
    }
    assert_null(gm_system_builtin_name(COUNT(names)));
    assert_null(gm_sde_builtin_name(COUNT(sde_names)));
    assert_null(gm_system_builtin_name(-1));
    assert_null(gm_sde_builtin_name(-1));
    assert_null(gm_system_builtin("Lorenz"));
    assert_null(gm_system_builtin(NULL));
    assert_null(gm_sde_builtin("lorenz"));
    assert_null(gm_sde_builtin(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_macros_keep_what_they_were_given),
        cmocka_unit_test(the_text_is_what_the_user_wrote),
        cmocka_unit_test(good_systems_pass),
        cmocka_unit_test(bad_systems_are_named),
        cmocka_unit_test(arguments_of_the_checks),
        cmocka_unit_test(one_wrong_entry_of_a_jacobian_is_named),
        cmocka_unit_test(builtins_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
